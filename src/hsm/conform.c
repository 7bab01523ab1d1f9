#include "hsm/conform.h"

#include "base/ct.h"
#include "crypt/kem.h"
#include "crypt/rsa.h"

enum { LONG_BLOB = 300 };

static const char *const names[CM_CONFORM_COUNT] = {
    [CM_CONFORM_STATUS] = "status",
    [CM_CONFORM_RANDOM] = "random",
    [CM_CONFORM_AAD] = "bound to its purpose",
    [CM_CONFORM_OTHER_KEY] = "bound to its key",
    [CM_CONFORM_REFIND] = "found again",
    [CM_CONFORM_TWICE] = "one id, one key",
    [CM_CONFORM_LIMITS] = "limits",
};

const char *cm_conform_name(cm_conform_test t)
{
    if (t >= CM_CONFORM_AES256 && t < CM_CONFORM_AAD)
        return cm_hsm_alg_name((uint64_t)t - CM_CONFORM_AES256 + CM_HSM_AES256);
    return t < CM_CONFORM_COUNT ? names[t] : "unknown";
}

struct run {
    const cm_crypt *c;
    const cm_hsm *h;
    bool temporary;
    cm_hsm_alg any;            /* the first that it has; AES-256 if it has none */
    uint8_t id[16], other[16]; /* of this run's keys */
};

/* Not the answer that the suite asks for. */
static cm_err expect(cm_err e, cm_reason want)
{
    return cm_is(e, want) ? CM_OKAY : cm_failed(e) ? e : CM_FAIL(HSM_WRONG);
}

static cm_err new_key(const struct run *r, cm_hsm_key *k, cm_hsm_alg alg, const uint8_t id[16])
{
    return cm_hsm_generate(r->h, k, alg, cm_view_of(id, 16), CM_LIT("casemate conformance"),
                           r->temporary);
}

static void drop_key(const struct run *r, cm_hsm_alg alg, const uint8_t id[16])
{
    (void)cm_failed(cm_hsm_destroy(r->h, alg, cm_view_of(id, 16)));
}

/* ---- the tests ----------------------------------------------------------------------------- */

static cm_err status(const struct run *r)
{
    cm_hsm_status s;

    CM_TRY(cm_hsm_status_of(r->h, &s));
    return s.provider[0] && s.custody && !s.quarantined ? CM_OKAY : CM_FAIL(HSM_WRONG);
}

static cm_err random_bytes(const struct run *r)
{
    uint8_t a[64], b[64];

    CM_TRY(cm_hsm_random(r->h, a, sizeof a));
    CM_TRY(cm_hsm_random(r->h, b, sizeof b));
    return cm_view_eq(CM_VIEW(a), CM_VIEW(b)) ? CM_FAIL(HSM_WRONG) : CM_OKAY;
}

static cm_err round_trip(const struct run *r, size_t n)
{
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = CM_HSM_SEED_MAX + CM_HSM_BLOB_MORE};
    CM_AUTO(cm_buf_free) cm_buf back = {.max = CM_HSM_SEED_MAX};
    uint8_t seed[64];

    CM_TRY(cm_random(r->c, seed, n));
    CM_TRY(cm_hsm_wrap(r->h, CM_VIEW(r->id), cm_view_of(seed, n), CM_LIT("purpose"), &blob));
    CM_TRY(cm_hsm_unwrap(r->h, CM_VIEW(r->id), cm_buf_view(&blob), CM_LIT("purpose"), &back));
    return cm_ct_equal(cm_buf_view(&back), cm_view_of(seed, n)) ? CM_OKAY : CM_FAIL(HSM_WRONG);
}

static cm_err wraps(const struct run *r)
{
    CM_TRY(round_trip(r, 32));
    return round_trip(r, 64);
}

static cm_err signs(const struct run *r, const cm_hsm_key *k)
{
    CM_AUTO(cm_buf_free) cm_buf sig = {.max = CM_SIG_MAX};
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *pub = NULL;
    uint8_t msg[32];

    CM_TRY(cm_random(r->c, msg, sizeof msg));
    CM_TRY(cm_hsm_sign(r->h, k, CM_VIEW(msg), &sig));
    CM_TRY(cm_sig_from_public(&pub, r->c, (cm_sig_id)cm_hsm_alg_sig(k->alg),
                              cm_view_of(k->pub, k->pub_n)));
    CM_TRY(cm_verify_raw(pub, CM_VIEW(msg), cm_buf_view(&sig)));
    msg[0] ^= 1;
    return expect(cm_verify_raw(pub, CM_VIEW(msg), cm_buf_view(&sig)), CM_CRYPT_SIGNATURE);
}

static cm_err signs_rsa(const struct run *r, const cm_hsm_key *k, cm_rsa_padding padding)
{
    CM_AUTO(cm_buf_free) cm_buf sig = {.max = CM_RSA_SIG_MAX};
    CM_AUTO(cm_rsa_free_ptr) cm_rsa *pub = NULL;
    uint8_t msg[100];

    CM_TRY(cm_random(r->c, msg, sizeof msg));
    CM_TRY(padding == CM_RSA_PSS ? cm_hsm_sign(r->h, k, CM_VIEW(msg), &sig)
                                 : cm_hsm_sign_pkcs1(r->h, k, CM_VIEW(msg), &sig));
    CM_TRY(cm_rsa_from_public(&pub, r->c, cm_view_of(k->pub, k->pub_n)));
    CM_TRY(cm_rsa_verify(pub, padding, false, CM_VIEW(msg), cm_buf_view(&sig)));
    msg[0] ^= 1;
    return expect(cm_rsa_verify(pub, padding, false, CM_VIEW(msg), cm_buf_view(&sig)),
                  CM_CRYPT_SIGNATURE);
}

/* What is made here opens there; what is made there opens there too, and is not ours. */
static cm_err decapsulates(const struct run *r, const cm_hsm_key *k)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *pub = NULL;
    CM_AUTO(cm_buf_free) cm_buf ct = {.max = CM_KEM_CT_MAX};
    CM_AUTO(cm_buf_free) cm_buf ours = {.max = 32};
    CM_AUTO(cm_buf_free) cm_buf back = {.max = 64};
    CM_AUTO(cm_key32_wipe) cm_key32 secret = {{0}};
    uint8_t mine[CM_KEM_CT_MAX];
    cm_kem_id id = (cm_kem_id)cm_hsm_alg_kem(k->alg);
    size_t n = cm_kem_info_of(id)->ct;

    CM_TRY(cm_kem_from_public(&pub, r->c, id, cm_view_of(k->pub, k->pub_n)));
    CM_TRY(cm_kem_encap(pub, mine, secret.b));
    CM_TRY(cm_hsm_decapsulate(r->h, k, cm_view_of(mine, n), &back));
    if (!cm_ct_equal(cm_buf_view(&back), CM_VIEW(secret.b)))
        return CM_FAIL(HSM_WRONG);
    back.n = 0;
    CM_TRY(cm_hsm_encapsulate(r->h, k, &ct, &ours));
    CM_TRY(cm_hsm_decapsulate(r->h, k, cm_buf_view(&ct), &back));
    if (!cm_ct_equal(cm_buf_view(&back), cm_buf_view(&ours)))
        return CM_FAIL(HSM_WRONG);
    ct.p[0] ^= 1;
    back.n = 0;
    CM_TRY(cm_hsm_decapsulate(r->h, k, cm_buf_view(&ct), &back));
    return cm_ct_equal(cm_buf_view(&back), cm_buf_view(&ours)) ? CM_FAIL(HSM_WRONG) : CM_OKAY;
}

static cm_err works(const struct run *r, cm_hsm_alg alg, const cm_hsm_key *k)
{
    if (alg == CM_HSM_AES256) /* which may be of RSA */
        return wraps(r);
    if (cm_hsm_alg_kem(k->alg))
        return decapsulates(r, k);
    if (!cm_hsm_alg_rsa(k->alg))
        return signs(r, k);
    CM_TRY(signs_rsa(r, k, CM_RSA_PSS));
    return signs_rsa(r, k, CM_RSA_PKCS1);
}

static cm_err algorithm(const struct run *r, cm_hsm_alg alg)
{
    cm_hsm_key k;
    cm_err e;

    CM_TRY(new_key(r, &k, alg, r->id));
    e = works(r, alg, &k);
    drop_key(r, alg, r->id);
    return e;
}

static cm_err other_purpose(const struct run *r)
{
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = 256 + CM_HSM_BLOB_MORE};
    CM_AUTO(cm_buf_free) cm_buf back = {.max = 256};
    cm_view id = CM_VIEW(r->id);
    size_t step;

    CM_TRY(cm_hsm_wrap(r->h, id, CM_LIT("a seed of thirty-two bytes, more"), CM_LIT("a"), &blob));
    CM_TRY(expect(cm_hsm_unwrap(r->h, id, cm_buf_view(&blob), CM_LIT("b"), &back), CM_HSM_BLOB));
    CM_TRY(expect(cm_hsm_unwrap(r->h, id, cm_buf_view(&blob), CM_LIT(""), &back), CM_HSM_BLOB));
    step = blob.n > LONG_BLOB ? 41 : 1; /* under RSA: mostly one ciphertext, and cards are slow */
    for (size_t i = 0; i < blob.n; i += step) {
        blob.p[i] ^= 0x80;
        CM_TRY(
            expect(cm_hsm_unwrap(r->h, id, cm_buf_view(&blob), CM_LIT("a"), &back), CM_HSM_BLOB));
        blob.p[i] ^= 0x80;
    }
    return cm_hsm_unwrap(r->h, id, cm_buf_view(&blob), CM_LIT("a"), &back);
}

static cm_err other_key(const struct run *r)
{
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = 256 + CM_HSM_BLOB_MORE};
    CM_AUTO(cm_buf_free) cm_buf back = {.max = 256};
    cm_hsm_key k;
    cm_err e;

    CM_TRY(cm_hsm_wrap(r->h, CM_VIEW(r->id), CM_LIT("a seed of thirty-two bytes, more"),
                       CM_LIT("a"), &blob));
    CM_TRY(new_key(r, &k, CM_HSM_AES256, r->other));
    e = expect(cm_hsm_unwrap(r->h, CM_VIEW(r->other), cm_buf_view(&blob), CM_LIT("a"), &back),
               CM_HSM_BLOB);
    drop_key(r, CM_HSM_AES256, r->other);
    CM_TRY(e);
    return expect(cm_hsm_unwrap(r->h, CM_VIEW(r->other), cm_buf_view(&blob), CM_LIT("a"), &back),
                  CM_HSM_NO_KEY);
}

/* With a key in place, for as long as fn() works. */
static cm_err with_key(const struct run *r, cm_hsm_alg alg, cm_err (*fn)(const struct run *))
{
    cm_hsm_key k;
    cm_err e;

    CM_TRY(new_key(r, &k, alg, r->id));
    e = fn(r);
    drop_key(r, alg, r->id);
    return e;
}

static cm_err with_kek(const struct run *r, cm_err (*fn)(const struct run *))
{
    return with_key(r, CM_HSM_AES256, fn);
}

static cm_err found_with(const struct run *r, const cm_hsm_key *k)
{
    cm_hsm_key got, forged = *k;
    CM_AUTO(cm_buf_free) cm_buf sig = {.max = CM_SIG_MAX};

    CM_TRY(cm_hsm_find(r->h, &got, (cm_hsm_alg)k->alg, CM_VIEW(r->id), CM_VIEW(k->hash)));
    if (!cm_view_eq(cm_view_of(got.pub, got.pub_n), cm_view_of(k->pub, k->pub_n)))
        return CM_FAIL(HSM_WRONG);
    forged.hash[0] ^= 1;
    CM_TRY(expect(cm_hsm_find(r->h, &got, (cm_hsm_alg)k->alg, CM_VIEW(r->id), CM_VIEW(forged.hash)),
                  CM_HSM_KEY_CHANGED));
    return expect(cm_hsm_sign(r->h, &forged, CM_LIT("a message of 32 bytes, for all..."), &sig),
                  CM_HSM_KEY_CHANGED);
}

static cm_err refind(const struct run *r)
{
    cm_hsm_key k;
    cm_err e;

    CM_TRY(new_key(r, &k, CM_HSM_P256, r->id));
    e = found_with(r, &k);
    drop_key(r, CM_HSM_P256, r->id);
    CM_TRY(e);
    return expect(cm_hsm_find(r->h, &k, CM_HSM_P256, CM_VIEW(r->id), (cm_view){NULL, 0}),
                  CM_HSM_NO_KEY);
}

static cm_err twice(const struct run *r)
{
    cm_hsm_key k;

    return expect(new_key(r, &k, r->any, r->id), CM_HSM_KEYS);
}

static cm_err limits(const struct run *r)
{
    static const uint8_t long_seed[CM_HSM_SEED_MAX + 1];
    CM_AUTO(cm_buf_free) cm_buf out = {.max = 2 * CM_HSM_SEED_MAX};
    cm_view id = CM_VIEW(r->id);

    CM_TRY(expect(cm_hsm_wrap(r->h, id, CM_VIEW(long_seed), CM_LIT("a"), &out), CM_HSM_REQUEST));
    CM_TRY(expect(cm_hsm_wrap(r->h, id, (cm_view){NULL, 0}, CM_LIT("a"), &out), CM_HSM_REQUEST));
    CM_TRY(cm_hsm_wrap(r->h, id, cm_view_of(long_seed, CM_HSM_SEED_MAX), CM_LIT("a"), &out));
    return expect(cm_hsm_unwrap(r->h, id, cm_view_of(out.p, 20), CM_LIT("a"), &out), CM_HSM_BLOB);
}

/* ---- all of them --------------------------------------------------------------------------- */

static cm_err one(const struct run *r, cm_conform_test t)
{
    switch (t) {
    case CM_CONFORM_STATUS:
        return status(r);
    case CM_CONFORM_RANDOM:
        return random_bytes(r);
    case CM_CONFORM_AAD:
        return with_kek(r, other_purpose);
    case CM_CONFORM_OTHER_KEY:
        return with_kek(r, other_key);
    case CM_CONFORM_REFIND:
        return refind(r);
    case CM_CONFORM_TWICE:
        return with_key(r, r->any, twice);
    case CM_CONFORM_LIMITS:
        return with_kek(r, limits);
    default:
        return algorithm(r, (cm_hsm_alg)(t - CM_CONFORM_AES256 + CM_HSM_AES256));
    }
}

static bool is_algorithm(unsigned t)
{
    return t >= CM_CONFORM_AES256 && t < CM_CONFORM_AAD;
}

/* There may be no key pairs to find, no random bytes to give, no key that wraps. */
static bool may_lack(const cm_conform *c, unsigned t)
{
    bool wraps = t == CM_CONFORM_AAD || t == CM_CONFORM_OTHER_KEY || t == CM_CONFORM_LIMITS;

    return is_algorithm(t) || t == CM_CONFORM_REFIND || t == CM_CONFORM_RANDOM ||
           (wraps && c->result[CM_CONFORM_AES256] == CM_CONFORM_ABSENT);
}

void cm_conform_run(cm_conform *out, const cm_crypt *c, const cm_hsm *h, bool temporary)
{
    struct run r = {.c = c, .h = h, .temporary = temporary, .any = CM_HSM_AES256};
    bool found = false;

    *out = (cm_conform){.passed = 0};
    for (unsigned t = 0; t < CM_CONFORM_COUNT; t++) {
        cm_err e = cm_random(c, r.id, sizeof r.id);

        if (cm_ok(e))
            e = cm_random(c, r.other, sizeof r.other);
        if (cm_ok(e))
            e = one(&r, (cm_conform_test)t);
        out->why[t] = e;
        out->result[t] = cm_ok(e)                                         ? CM_CONFORM_PASS
                         : may_lack(out, t) && cm_is(e, CM_HSM_MECHANISM) ? CM_CONFORM_ABSENT
                                                                          : CM_CONFORM_FAIL;
        if (cm_ok(e) && is_algorithm(t) && !found) {
            r.any = (cm_hsm_alg)(t - CM_CONFORM_AES256 + CM_HSM_AES256);
            found = true;
        }
        out->passed += out->result[t] == CM_CONFORM_PASS;
        out->absent += out->result[t] == CM_CONFORM_ABSENT;
        out->failed += out->result[t] == CM_CONFORM_FAIL;
    }
}
