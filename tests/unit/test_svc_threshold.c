/* Threshold keys through the service: dealt, used by holders who are different principals, put
 * together; and the numbers of RFC 9591. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "codec/text.h"
#include "frost_rfc.h"
#include "hex.h"
#include "keys/frost_int.h"
#include "svc_kit.h"

#define OK(e)    assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))
#define MSG      "aGVsbG8=" /* hello */
#define SIGN     "/v1/tenants/~/keys/%u:signThreshold?keyspace=%s"
#define TOGETHER "/v1/tenants/~/keys/%u:aggregateThreshold?keyspace=%s"

static const char *base64(cm_view v)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 1 << 16};

    OK(cm_base64_encode(&b, v, false));
    return t_f("%.*s", (int)b.n, (const char *)b.p);
}

static void append(cm_buf *out, const char *text)
{
    OK(cm_base64_decode(out, cm_view_str(text), false));
}

/* ---- RFC 9591 ---- */

static cm_frost_group group_of(const t_frost_vector *v)
{
    const cm_frost_ops *o = v->suite == CM_FROST_ED25519 ? &cm_frost_ed25519 : &cm_frost_secp256k1;
    cm_frost_group g = {.suite = v->suite, .need = 2, .n = 3};

    OK(o->base(g.vss[0], t_hex(v->secret).p));
    OK(o->base(g.vss[1], t_hex(v->coef).p));
    return g;
}

static void import_share(t_svc *t, const t_frost_vector *v, const char *keyspace, unsigned id)
{
    CM_AUTO(cm_buf_free) cm_buf raw = {.max = 4096};
    cm_frost_group g = group_of(v);
    const char *json, *path = t_f("/v1/tenants/~/keys/%u:import?keyspace=%s", id, keyspace);
    const char *type = v->suite == CM_FROST_ED25519 ? "FROST-Ed25519" : "FROST-secp256k1";

    OK(cm_buf_byte(&raw, (uint8_t)id));
    OK(cm_buf_append(&raw, t_hex(v->share[id - 1])));
    OK(cm_frost_put_group(&raw, &g));
    raw.p[9] ^= 1; /* F-9: it must be the group's */
    t_fails(t, &t->admin, "POST", path,
            t_f("{\"type\":\"%s\",\"secret\":\"%s\"}", type, base64(cm_buf_view(&raw))),
            CM_CRYPT_BAD_KEY);
    raw.p[9] ^= 1;
    (void)t_ok(t, &t->admin, "POST", path,
               t_f("{\"type\":\"%s\",\"secret\":\"%s\"}", type, base64(cm_buf_view(&raw))));
    json = t_ok(t, &t->admin, "GET",
                t_f("/v1/tenants/~/keys/%u/publicKey?keyspace=%s", id, keyspace), NULL);
    assert_string_equal(t_member(json, "public_key"), base64(t_hex(v->public)));
}

static void rfc_lists(const t_frost_vector *v, cm_buf *commitments, cm_buf *parts)
{
    cm_frost_commitment c;

    for (size_t i = 0; i < 2; i++) {
        c = (cm_frost_commitment){.id = (uint8_t)v->signer[i].id};
        memcpy(c.hiding, t_hex(v->signer[i].hc).p, t_hex(v->signer[i].hc).n);
        memcpy(c.binding, t_hex(v->signer[i].bc).p, t_hex(v->signer[i].bc).n);
        OK(cm_frost_put_commitment(commitments, &c));
        OK(cm_buf_byte(parts, (uint8_t)v->signer[i].id));
        OK(cm_buf_append(parts, t_hex(v->signer[i].part)));
    }
}

static void test_rfc(void **state)
{
    t_svc *t = t_svc_new();

    (void)state;
    for (size_t i = 0; i < CM_COUNT(t_frost_rfc); i++) {
        const t_frost_vector *v = &t_frost_rfc[i];
        CM_AUTO(cm_buf_free) cm_buf commitments = {.max = 4096};
        CM_AUTO(cm_buf_free) cm_buf parts = {.max = 4096};
        const char *space = i ? "k1" : "ed", *json, *body;
        t_answer a;

        import_share(t, v, space, 1);
        import_share(t, v, space, 3);
        rfc_lists(v, &commitments, &parts);
        body =
            t_f("{\"data\":\"%s\",\"commitments\":\"%s\",\"shares\":\"%s\"}", base64(t_hex(v->msg)),
                base64(cm_buf_view(&commitments)), base64(cm_buf_view(&parts)));
        json = t_ok(t, &t->admin, "POST", t_f(TOGETHER, 1, space), body);
        assert_string_equal(t_member(json, "signature"), base64(t_hex(v->sig)));
        assert_true(strlen(t_member(json, "receipt")) > 0);
        json = t_ok(t, &t->admin, "POST", t_f("/v1/tenants/~/keys/3:verify?keyspace=%s", space),
                    t_f("{\"data\":\"%s\",\"signature\":\"%s\"}", base64(t_hex(v->msg)),
                        base64(t_hex(v->sig))));
        assert_string_equal(t_member(json, "valid"), "true");
        parts.p[40] ^= 1; /* F-10: signer 3's */
        a = t_ask(t, &t->admin, "POST", t_f(TOGETHER, 3, space),
                  t_f("{\"data\":\"%s\",\"commitments\":\"%s\",\"shares\":\"%s\"}",
                      base64(t_hex(v->msg)), base64(cm_buf_view(&commitments)),
                      base64(cm_buf_view(&parts))));
        assert_true(cm_is(a.result, CM_FROST_SHARE));
        assert_non_null(strstr(a.detail, "signer 3"));
        t_answer_free(&a);
    }
    t_svc_done(t);
}

/* ---- dealt here ---- */

enum { NEED = 3, ALL = 5 };

typedef struct {
    t_svc *t;
    const char *space;
    t_who who[ALL + 1]; /* from 1 on */
    char nonces[ALL + 1][2048];
    cm_buf commitments, parts;
} signing;

static void holders(signing *s)
{
    for (unsigned i = 1; i <= ALL; i++) {
        s->who[i] = t_principal(s->t, &s->t->admin, "acme", t_f("%s-%u", s->space, i));
        t_grant(s->t, &s->t->admin, t_f("%s-%u", s->space, i), t_f("%s-%u", s->space, i),
                "\"SignThreshold\",\"AggregateThreshold\"",
                t_f(",\"resource_keyspace\":\"%s\",\"resource_key\":\"%u\"", s->space, i));
    }
}

static void round_one(signing *s, unsigned id)
{
    const char *json = t_ok(s->t, &s->who[id], "POST", t_f(SIGN, id, s->space), "{}");

    append(&s->commitments, t_member(json, "share"));
    (void)snprintf(s->nonces[id], sizeof s->nonces[id], "%s", t_member(json, "nonces"));
}

static const char *second(const signing *s, unsigned id)
{
    return t_f("{\"data\":\"" MSG "\",\"commitments\":\"%s\",\"nonces\":\"%s\"}",
               base64(cm_buf_view(&s->commitments)), s->nonces[id]);
}

static void round_two(signing *s, unsigned id)
{
    append(
        &s->parts,
        t_member(t_ok(s->t, &s->who[id], "POST", t_f(SIGN, id, s->space), second(s, id)), "share"));
}

static const char *together(const signing *s)
{
    return t_f("{\"data\":\"" MSG "\",\"commitments\":\"%s\",\"shares\":\"%s\"}",
               base64(cm_buf_view(&s->commitments)), base64(cm_buf_view(&s->parts)));
}

/* Any Ed25519 verifier takes it. */
static void verifies_outside(t_svc *t, const char *public_key, const char *signature)
{
    CM_AUTO(cm_buf_free) cm_buf pk = {.max = 64};
    CM_AUTO(cm_buf_free) cm_buf sig = {.max = 64};
    cm_sig_key *k = NULL;

    append(&pk, public_key);
    append(&sig, signature);
    OK(cm_sig_from_public(&k, t->crypt, CM_SIG_ED25519, cm_buf_view(&pk)));
    OK(cm_verify_raw(k, CM_LIT("hello"), cm_buf_view(&sig)));
    cm_sig_key_free(k);
}

static void sign_with(signing *s, const unsigned *ids, size_t n, const char *public_key)
{
    const char *json;

    s->commitments.n = s->parts.n = 0;
    for (size_t i = 0; i < n; i++)
        round_one(s, ids[i]);
    /* Another's share, and another's nonces, serve nobody. */
    t_fails(s->t, &s->who[ids[0]], "POST", t_f(SIGN, ids[1], s->space), second(s, ids[1]),
            CM_SVC_DENIED);
    t_fails(s->t, &s->who[ids[0]], "POST", t_f(SIGN, ids[0], s->space), second(s, ids[1]),
            CM_CRYPT_TAG);
    for (size_t i = 0; i < n; i++)
        round_two(s, ids[i]);
    /* F-5: not twice, not after a restart. */
    t_fails(s->t, &s->who[ids[0]], "POST", t_f(SIGN, ids[0], s->space), second(s, ids[0]),
            CM_FROST_NONCE_USED);
    t_svc_restart(s->t);
    t_fails(s->t, &s->who[ids[0]], "POST", t_f(SIGN, ids[0], s->space), second(s, ids[0]),
            CM_FROST_NONCE_USED);
    json = t_ok(s->t, &s->who[ids[0]], "POST", t_f(TOGETHER, ids[0], s->space), together(s));
    if (strcmp(s->space, "ed") == 0)
        verifies_outside(s->t, public_key, t_member(json, "signature"));
    json =
        t_ok(s->t, &s->t->admin, "POST", t_f("/v1/tenants/~/keys/5:verify?keyspace=%s", s->space),
             t_f("{\"data\":\"" MSG "\",\"signature\":\"%s\"}", t_member(json, "signature")));
    assert_string_equal(t_member(json, "valid"), "true");
}

/* F-1, F-5, F-11 */
static void test_dealt(void **state)
{
    static const char *const spaces[] = {"ed", "k1"};
    static const unsigned some[] = {1, 2, 5}, most[] = {1, 3, 4, 5};
    t_svc *t = t_svc_new();

    (void)state;
    for (size_t i = 0; i < CM_COUNT(spaces); i++) {
        signing s = {
            .t = t, .space = spaces[i], .commitments = {.max = 4096}, .parts = {.max = 4096}};
        const char *path = t_f("/v1/tenants/~/keyspaces/%s:dealThreshold", s.space);
        const char *body =
            t_f("{\"type\":\"%s\",\"threshold\":3,\"participants\":5,\"tags\":[\"treasury\"]}",
                i ? "FROST-secp256k1" : "FROST-Ed25519");
        char pk[128];

        (void)snprintf(pk, sizeof pk, "%s",
                       t_member(t_ok(t, &t->admin, "POST", path, body), "public_key"));
        t_fails(t, &t->admin, "POST", path, body, CM_SVC_EXISTS);
        holders(&s);
        sign_with(&s, some, CM_COUNT(some), pk);
        sign_with(&s, most, CM_COUNT(most), pk);
        for (unsigned id = 1; id <= ALL; id++)
            t_who_done(&s.who[id]);
        cm_buf_free(&s.commitments);
        cm_buf_free(&s.parts);
    }
    t_svc_done(t);
}

static void test_refused(void **state)
{
    static const char deal[] = "/v1/tenants/~/keyspaces/%s:dealThreshold";
    static const char body[] = "{\"type\":\"%s\",\"threshold\":%u,\"participants\":%u}";
    t_svc *t = t_svc_new();
    signing s = {.t = t, .space = "s", .commitments = {.max = 4096}, .parts = {.max = 4096}};
    t_who api = t->admin;
    const char *json;
    char key[128];

    (void)state;
    t_fails(t, &t->admin, "POST", t_f(deal, "x"), t_f(body, "AES-256", 2, 3), CM_SVC_REQUEST);
    t_fails(t, &t->admin, "POST", t_f(deal, "x"), t_f(body, "FROST-Ed25519", 1, 3),
            CM_FROST_PARAMS);
    t_fails(t, &t->admin, "POST", t_f(deal, "x"), t_f(body, "FROST-Ed25519", 4, 3),
            CM_FROST_PARAMS);
    t_fails(t, &t->admin, "POST", t_f(deal, "x"), t_f(body, "FROST-Ed25519", 2, 33),
            CM_SVC_REQUEST);
    /* The largest, all of whom must sign. */
    (void)t_ok(t, &t->admin, "POST", t_f(deal, "big"), t_f(body, "FROST-Ed25519", 32, 32));
    (void)t_ok(t, &t->admin, "GET", "/v1/tenants/~/keys/32?keyspace=big", NULL);
    /* A share in the way of another key, and a keyspace of models. */
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/keys/2?keyspace=y", "{\"type\":\"AES-256\"}");
    t_fails(t, &t->admin, "POST", t_f(deal, "y"), t_f(body, "FROST-Ed25519", 2, 3), CM_SVC_EXISTS);
    t_fails(t, &t->admin, "GET", "/v1/tenants/~/keys/1?keyspace=y", NULL, CM_SVC_NO_KEY);
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/models", "{\"model\":\"m\"}");
    t_fails(t, &t->admin, "POST", t_f(deal, "m"), t_f(body, "FROST-Ed25519", 2, 3),
            CM_SVC_KEYSPACE_KIND);
    /* One server does not make or rotate a share by itself. */
    t_fails(t, &t->admin, "POST", "/v1/tenants/~/keys/z", "{\"type\":\"FROST-Ed25519\"}",
            CM_KEY_UNSUPPORTED);
    t_fails(t, &t->admin, "POST", "/v1/tenants/~/keys/1:rotate?keyspace=big", NULL,
            CM_KEY_UNSUPPORTED);
    /* V-9: dealing takes a signature. */
    json = t_ok(t, &t->admin, "POST", "/v1/tenants/~/principals/admin:createApiKey", NULL);
    (void)snprintf(key, sizeof key, "%s", t_member(json, "api_key"));
    api.key = NULL;
    api.bearer = cm_view_str(key);
    t_fails(t, &api, "POST", t_f(deal, "x"), t_f(body, "FROST-Ed25519", 2, 3),
            CM_SVC_NEEDS_SIGNATURE);
    /* Too few, and other uses of a share. */
    (void)t_ok(t, &t->admin, "POST", t_f(deal, "s"), t_f(body, "FROST-secp256k1", 2, 5));
    for (unsigned i = 1; i <= ALL; i++)
        s.who[i] = t->admin;
    round_one(&s, 1);
    t_fails(t, &s.who[1], "POST", t_f(SIGN, 1, s.space), second(&s, 1), CM_FROST_LIST);
    t_fails(t, &s.who[1], "POST", t_f(SIGN, 1, s.space),
            t_f("{\"commitments\":\"%s\"}", base64(cm_buf_view(&s.commitments))), CM_SVC_REQUEST);
    t_fails(t, &s.who[1], "POST", "/v1/tenants/~/keys/1:sign?keyspace=s", "{\"data\":\"eA==\"}",
            CM_SVC_KEY_KIND);
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/keys/2:setState?keyspace=s",
               "{\"state\":\"suspended\"}");
    t_fails(t, &s.who[2], "POST", t_f(SIGN, 2, s.space), "{}", CM_KEY_STATE);
    cm_buf_free(&s.commitments);
    cm_buf_free(&s.parts);
    t_svc_done(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc),
        cmocka_unit_test(test_dealt),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
