/* Result tokens in both forms: what they are keyed to, when they are over, what is no token. */
#include <stdio.h>
#include <string.h>

#include "codec/text.h"
#include "hex.h"
#include "release/ear.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { NOW = 1800000000 };

static cm_crypt *c;
static cm_pkey *key, *other, *small;
static uint8_t kem[1216];
static const cm_ear_authority authority = {{(const uint8_t *)"https://kms.example", 19},
                                           {(const uint8_t *)"casemate test", 13}};

/* ---- a token to begin with ----------------------------------------------------------------- */

static cm_ear_bound bound_of(cm_kem_id id, bool tls)
{
    cm_ear_bound b = {.version = 3, .manifest_n = 32};

    memset(b.manifest, 0x4d, 32);
    memset(b.digest, 0x50, sizeof b.digest);
    (void)snprintf(b.policy, sizeof b.policy, "fleet \"A\"");
    assert_true(cm_ok(cm_ear_hold(&b, c, id, cm_view_of(kem, id ? cm_kem_info_of(id)->pk : 0),
                                  tls ? CM_LIT("an SPKI") : CM_LIT(""))));
    return b;
}

/* A decision of one machine and two GPUs, accepted. */
static cm_ear make(const cm_ear_bound *b, uint32_t ttl)
{
    cm_appraised piece[3] = {{.r = {.kind = CM_ATTEST_SNP}},
                             {.r = {.kind = CM_ATTEST_NVIDIA}},
                             {.r = {.kind = CM_ATTEST_NVIDIA}}};
    cm_trust trust[3] = {{{2, 2, 3, 0, 2, 2, 0, 0}}, {{0, 0, 3, 0, 32, 0, 0, 0}}, {{0}}};
    cm_decision d = {
        .answer = {.accepted = true, .tier = 3}, .n = 3, .piece = piece, .trust = trust};
    cm_challenge ch = {.kind = CM_ATTEST_SNP};
    cm_ear e;

    memset(ch.nonce, 0x4e, sizeof ch.nonce);
    memset(d.boot, 0x42, sizeof d.boot);
    trust[2].claim[CM_TRUST_HARDWARE] = 2;
    assert_true(cm_ok(cm_ear_make(&e, c, &d, &ch, b, &authority, NOW, ttl)));
    return e;
}

static cm_buf sign(cm_ear_form form, const cm_ear *e)
{
    cm_buf token = {.max = CM_EAR_MAX};

    assert_true(cm_ok(cm_ear_sign(&token, c, form, e, key)));
    return token;
}

static cm_err verify(cm_view token, const cm_ear_bound *b, uint64_t now, unsigned *why)
{
    cm_ear_demand d = {.key = key, .issuer = authority.issuer, .bound = b, .now = now, .skew = 5};
    cm_ear e;

    return cm_ear_verify(&e, why, c, token, &d);
}

#define EACH_FORM(form) for (cm_ear_form form = CM_EAR_JWT; form <= CM_EAR_CWT; form++)

/* ---- tests --------------------------------------------------------------------------------- */

/* RL-20, RL-22 */
static void round_trips(void **s)
{
    static const struct {
        cm_kem_id id;
        bool tls;
    } holders[] = {{CM_KEM_MLKEM768, false}, {CM_KEM_XWING, true}, {(cm_kem_id)0, true}};

    (void)s;
    for (size_t i = 0; i < CM_COUNT(holders); i++) {
        cm_ear_bound b = bound_of(holders[i].id, holders[i].tls);
        cm_ear e = make(&b, 0);

        EACH_FORM(form)
        {
            CM_AUTO(cm_buf_free) cm_buf token = sign(form, &e);
            cm_ear_demand d = {
                .key = key, .issuer = authority.issuer, .bound = &e.bound, .now = NOW};
            cm_ear_form seen;
            cm_ear back, shown;
            unsigned why = 99;

            assert_true(cm_ok(cm_ear_verify(&back, &why, c, cm_buf_view(&token), &d)));
            assert_int_equal(why, 0);
            assert_int_equal(back.expires, NOW + CM_EAR_TTL);
            assert_int_equal(back.tier, 3);
            assert_int_equal(back.n, 3);
            assert_string_equal(back.sub[0].name, "snp");
            assert_string_equal(back.sub[2].name, "nvidia-1");
            assert_memory_equal(&back.sub[0].trust, &e.sub[0].trust, sizeof back.sub[0].trust);
            assert_memory_equal(back.nonce, e.nonce, sizeof e.nonce);
            assert_memory_equal(back.id, e.id, sizeof e.id);
            assert_string_equal(back.build, "casemate test");
            assert_true(cm_ok(cm_ear_peek(&shown, &seen, cm_buf_view(&token))));
            assert_int_equal(seen, form);
            assert_string_equal(shown.bound.policy, "fleet \"A\"");
        }
    }
}

/* RL-23 */
static void to_the_second(void **s)
{
    static const uint32_t ttls[] = {CM_EAR_TTL_MIN, CM_EAR_TTL, CM_EAR_TTL_MAX};
    cm_ear_bound b = bound_of(CM_KEM_MLKEM768, true);

    (void)s;
    for (size_t i = 0; i < CM_COUNT(ttls); i++) {
        cm_ear e = make(&b, ttls[i]);

        EACH_FORM(form)
        {
            CM_AUTO(cm_buf_free) cm_buf token = sign(form, &e);
            cm_view v = cm_buf_view(&token);
            unsigned why;

            assert_true(cm_ok(verify(v, &e.bound, NOW + ttls[i] - 1, &why)));
            assert_true(cm_is(verify(v, &e.bound, NOW + ttls[i], &why), CM_REATTEST_EXPIRED));
            assert_int_equal(why, CM_STALE_EXPIRED);
            assert_true(cm_ok(verify(v, &e.bound, NOW - 5, &why)));
            assert_true(cm_is(verify(v, &e.bound, NOW - 6, &why), CM_TOKEN_TIME));
        }
        assert_true(cm_ear_live(&e, NOW + ttls[i] - 1));
        assert_false(cm_ear_live(&e, NOW + ttls[i]));
    }
}

/* RL-24: each reason by itself, and all of them at once. */
static void stale(void **s)
{
    cm_ear_bound b = bound_of(CM_KEM_MLKEM768, true);
    cm_ear e = make(&b, 0);

    (void)s;
    EACH_FORM(form)
    {
        CM_AUTO(cm_buf_free) cm_buf token = sign(form, &e);
        struct {
            cm_reason reason;
            unsigned bit;
            cm_ear_bound now;
        } cases[] = {
            {CM_REATTEST_RECONNECT, CM_STALE_RECONNECT, e.bound},
            {CM_REATTEST_RECONNECT, CM_STALE_RECONNECT, e.bound},
            {CM_REATTEST_RECONNECT, CM_STALE_RECONNECT, e.bound},
            {CM_REATTEST_RECONNECT, CM_STALE_RECONNECT, e.bound},
            {CM_REATTEST_RESTART, CM_STALE_RESTART, e.bound},
            {CM_REATTEST_MODEL, CM_STALE_MODEL, e.bound},
            {CM_REATTEST_MODEL, CM_STALE_MODEL, e.bound},
            {CM_REATTEST_POLICY, CM_STALE_POLICY, e.bound},
            {CM_REATTEST_POLICY, CM_STALE_POLICY, e.bound},
            {CM_REATTEST_POLICY, CM_STALE_POLICY, e.bound},
        };
        unsigned why;

        cases[0].now.tls[31] ^= 1;
        cases[1].now.key[1183] ^= 1;
        cases[2].now.has_tls = false; /* absent equals only absent */
        cases[3].now.key_n = 0;
        cases[4].now.boot[0] ^= 1;
        cases[5].now.manifest[0] ^= 1;
        cases[6].now.manifest_n = 0;
        cases[7].now.version++;
        cases[8].now.digest[9] ^= 1;
        cases[9].now.policy[0] = 'F';
        for (size_t i = 0; i < CM_COUNT(cases); i++) {
            assert_true(
                cm_is(verify(cm_buf_view(&token), &cases[i].now, NOW, &why), cases[i].reason));
            assert_int_equal(why, cases[i].bit);
            assert_non_null(cm_ear_why(why));
        }
        cases[0].now.boot[0] ^= 1;
        cases[0].now.manifest[0] ^= 1;
        cases[0].now.version++;
        assert_true(cm_is(verify(cm_buf_view(&token), &cases[0].now, NOW + CM_EAR_TTL, &why),
                          CM_REATTEST_EXPIRED));
        assert_int_equal(why, 31);
    }
}

/* Another key, another issuer, a token of the other form's bytes. */
static void wrong_issuer(void **s)
{
    cm_ear_bound b = bound_of(CM_KEM_MLKEM768, false);
    cm_ear e = make(&b, 0), back;

    (void)s;
    EACH_FORM(form)
    {
        CM_AUTO(cm_buf_free) cm_buf token = sign(form, &e);
        cm_ear_demand d = {.key = other, .issuer = authority.issuer, .bound = &e.bound, .now = NOW};

        assert_true(cm_is(cm_ear_verify(&back, NULL, c, cm_buf_view(&token), &d), CM_TOKEN_KEY));
        d.key = small;
        assert_true(cm_is(cm_ear_verify(&back, NULL, c, cm_buf_view(&token), &d), CM_TOKEN_KEY));
        d.key = key;
        d.issuer = CM_LIT("https://kms.example.org");
        assert_true(cm_is(cm_ear_verify(&back, NULL, c, cm_buf_view(&token), &d), CM_TOKEN_ISSUER));
        d.issuer = authority.issuer;
        d.skew = CM_EAR_SKEW_MAX + 1;
        assert_true(cm_is(cm_ear_verify(&back, NULL, c, cm_buf_view(&token), &d), CM_BAD_ARGUMENT));
        token.n = 0;
        assert_true(cm_is(cm_ear_sign(&token, c, form, &e, small), CM_TOKEN_KEY));
    }
}

/* Every byte changed, every length: never taken. */
static void mutations(void **s)
{
    cm_ear_bound b = bound_of(CM_KEM_MLKEM768, true);
    cm_ear e = make(&b, 0);

    (void)s;
    EACH_FORM(form)
    {
        CM_AUTO(cm_buf_free) cm_buf token = sign(form, &e);
        unsigned why;

        for (size_t i = 0; i < token.n; i++) {
            token.p[i] ^= 1;
            assert_true(cm_failed(verify(cm_buf_view(&token), &e.bound, NOW, &why)));
            token.p[i] ^= 1;
        }
        for (size_t n = 0; n < token.n; n += 7)
            assert_true(cm_is(verify(cm_view_of(token.p, n), &e.bound, NOW, &why), CM_TOKEN_FORM));
        assert_true(cm_ok(cm_buf_byte(&token, form == CM_EAR_JWT ? 'A' : 0)));
        assert_true(cm_failed(verify(cm_buf_view(&token), &e.bound, NOW, &why)));
    }
}

/* Sign a payload of our own making, as an authority that went mad would. */
static cm_buf sign_text(const char *json)
{
    CM_AUTO(cm_buf_free) cm_buf tbs = {.max = CM_EAR_MAX};
    cm_ear_bound b = bound_of(CM_KEM_MLKEM768, false);
    cm_ear e = make(&b, 0);
    cm_buf token = {.max = CM_EAR_MAX};
    uint8_t kid[CM_FINGERPRINT], sig[3309];

    assert_true(cm_ok(cm_pkey_fingerprint(kid, c, key)));
    assert_true(cm_ok(cm_ear_tbs(&tbs, CM_EAR_JWT, &e, kid)));
    tbs.n = (size_t)((uint8_t *)memchr(tbs.p, '.', tbs.n) - tbs.p) + 1;
    assert_true(cm_ok(cm_base64_encode(&tbs, cm_view_str(json), true)));
    assert_true(cm_ok(cm_sign_raw(cm_pkey_sig(key), sig, cm_buf_view(&tbs))));
    assert_true(cm_ok(cm_ear_join(&token, CM_EAR_JWT, cm_buf_view(&tbs), CM_VIEW(sig))));
    return token;
}

/* RL-21: well signed, and still not the one form. */
static void hostile(void **s)
{
    static const struct {
        const char *from, *to;
    } edits[] = {
        {"{\"casemate\"", "{ \"casemate\""},
        {"\"exp\":1800000600", "\"exp\":1800000901"},
        {"\"exp\":1800000600", "\"exp\":1800000299"},
        {"\"exp\":1800000600", "\"exp\":1.8e9"},
        {"\"exp\":1800000600,", "\"exp\":1800000600,\"aud\":\"x\","},
        {"\"exp\":1800000600,", "\"exp\":1800000600,\"exp\":1800000600,"},
        {"\"exp\":1800000600,", ""},
        {"\"tier\":3", "\"tier\":5"},
        {"ear#04", "ear#03"},
        {"\"ear_status\":\"warning\"", "\"ear_status\":\"affirming\""},
        {"\"hardware\":32", "\"hardware\":2"}, /* status no longer fits */
        {"\"kty\":\"AKP\"", "\"kty\":\"RSA\""},
        {"ML-KEM-768+A192KW", "ML-KEM-768"},
        {"\"snp\":{", "\"\":{"},
        {"kms.example", "kms.exa\\u006dple"},
    };
    cm_ear_bound b = bound_of(CM_KEM_MLKEM768, false);
    cm_ear e = make(&b, 0);
    CM_AUTO(cm_buf_free) cm_buf good = sign(CM_EAR_JWT, &e);
    CM_AUTO(cm_buf_free) cm_buf json = {.max = CM_EAR_MAX};
    const uint8_t *dot = memchr(good.p, '.', good.n);
    const uint8_t *end;
    size_t rest;
    unsigned why;

    (void)s;
    assert_non_null(dot);
    rest = good.n - (size_t)(dot + 1 - good.p);
    end = memchr(dot + 1, '.', rest);
    assert_non_null(end);
    assert_true(cm_ok(cm_base64_decode(&json, cm_view_of(dot + 1, (size_t)(end - dot - 1)), true)));
    assert_true(cm_ok(cm_buf_byte(&json, 0)));
    for (size_t i = 0; i < CM_COUNT(edits); i++) {
        const char *at = strstr((char *)json.p, edits[i].from);
        char text[CM_EAR_MAX];

        if (!at)
            print_message("%s\n", edits[i].from);
        assert_non_null(at);
        (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - (char *)json.p), (char *)json.p,
                       edits[i].to, at + strlen(edits[i].from));
        CM_AUTO(cm_buf_free) cm_buf token = sign_text(text);
        if (!cm_is(verify(cm_buf_view(&token), &e.bound, NOW, &why), CM_TOKEN_FORM))
            print_message("%s\n", edits[i].to);
        assert_true(cm_is(verify(cm_buf_view(&token), &e.bound, NOW, &why), CM_TOKEN_FORM));
    }
    CM_AUTO(cm_buf_free) cm_buf same = sign_text((char *)json.p);
    assert_true(cm_ok(verify(cm_buf_view(&same), &e.bound, NOW, &why)));
}

/* RL-19, RL-21 */
static void refusals(void **s)
{
    cm_ear_bound b = bound_of(CM_KEM_MLKEM768, true), none = b;
    cm_appraised piece[1] = {{.r = {.kind = CM_ATTEST_TPM}}};
    cm_trust trust[1] = {{{0}}};
    cm_decision d = {.n = 1, .piece = piece, .trust = trust};
    cm_ear_authority nobody = {.build = CM_LIT("x")};
    cm_challenge ch = {.kind = CM_ATTEST_TPM};
    cm_ear e;

    (void)s;
    assert_true(cm_is(cm_ear_make(&e, c, &d, &ch, &b, &authority, NOW, 0), CM_POLICY_REFUSED));
    d.answer.accepted = true;
    assert_true(cm_is(cm_ear_make(&e, c, &d, &ch, &b, &authority, NOW, CM_EAR_TTL_MIN - 1),
                      CM_BAD_ARGUMENT));
    assert_true(cm_is(cm_ear_make(&e, c, &d, &ch, &b, &authority, NOW, CM_EAR_TTL_MAX + 1),
                      CM_BAD_ARGUMENT));
    assert_true(cm_is(cm_ear_make(&e, c, &d, &ch, &b, &nobody, NOW, 0), CM_BAD_ARGUMENT));
    none.key_n = 0;
    none.has_tls = false;
    assert_true(cm_is(cm_ear_make(&e, c, &d, &ch, &none, &authority, NOW, 0), CM_BAD_ARGUMENT));
    assert_true(cm_is(cm_ear_hold(&none, c, CM_KEM_MLKEM768, CM_LIT("short"), CM_LIT("")),
                      CM_BAD_ARGUMENT));
    assert_true(cm_is(cm_ear_hold(&none, c, CM_KEM_X25519, cm_view_of(kem, 32), CM_LIT("")),
                      CM_BAD_ARGUMENT));
    assert_true(
        cm_is(cm_ear_hold(&none, c, CM_KEM_MLKEM768, CM_LIT(""), CM_LIT("")), CM_BAD_ARGUMENT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),  cmocka_unit_test(to_the_second), cmocka_unit_test(stale),
        cmocka_unit_test(wrong_issuer), cmocka_unit_test(mutations),     cmocka_unit_test(hostile),
        cmocka_unit_test(refusals),
    };
    int failed;

    if (cm_failed(cm_crypt_new(&c, CM_PROFILE_DEFAULT)) ||
        cm_failed(cm_pkey_generate(&key, c, CM_LIT("ML-DSA-65"))) ||
        cm_failed(cm_pkey_generate(&other, c, CM_LIT("ML-DSA-65"))) ||
        cm_failed(cm_pkey_generate(&small, c, CM_LIT("ML-DSA-44"))))
        return 1;
    for (size_t i = 0; i < sizeof kem; i++)
        kem[i] = (uint8_t)i;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    cm_pkey_free(key);
    cm_pkey_free(other);
    cm_pkey_free(small);
    cm_crypt_free(c);
    return failed;
}
