/* Receipts and settlements through the service: signed where keys are held, verified by anyone,
 * each nonce, job and receipt once, whoever asks and after a restart. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec/text.h"
#include "market/receipt.h"
#include "svc_kit.h"

#define OK(e) assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))
#define KEY   "/v1/tenants/~/keys/%s:%s"
#define ETH   "/v1/tenants/~/keys/eth:"
#define B32   "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define B20   "AQAAAAAAAAAAAAAAAAAAAAAAAAA="

static const char fields[] = "\"model\":\"" B32 "\",\"input\":\"" B32 "\",\"output\":\"" B32
                             "\",\"node\":\"" B32 "\",\"compute_ms\":12";

static void decode(cm_buf *out, const char *text)
{
    OK(cm_base64_decode(out, cm_view_str(text), false));
}

static const char *base64(cm_view v)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 1 << 16};

    OK(cm_base64_encode(&b, v, false));
    return t_f("%.*s", (int)b.n, (const char *)b.p);
}

static const char *bytes32(uint64_t seed)
{
    uint8_t b[32] = {7};

    cm_put_be64(b + 8, seed);
    return base64(CM_VIEW(b));
}

static void create(t_svc *t, const char *name, const char *type)
{
    (void)t_ok(t, &t->admin, "POST", t_f("/v1/tenants/~/keys/%s", name),
               t_f("{\"type\":\"%s\"}", type));
}

/* A receipt, copied. */
static void receipt(t_svc *t, const char *key, uint64_t nonce, char record[8192])
{
    const char *json = t_ok(t, &t->admin, "POST", t_f(KEY, key, "signPoAI"),
                            t_f("{%s,\"nonce\":\"%s\"}", fields, bytes32(nonce)));

    assert_true(t_member(json, "receipt")[0] != 0);
    (void)snprintf(record, 8192, "%s", t_member(json, "record"));
}

static const char *settlement(uint64_t job, const char *record, const char *more)
{
    return t_f("{\"job\":\"%s\",\"provider\":\"" B20 "\",\"consumer\":\"" B20
               "\",\"unit\":\"wei\",\"amount\":\"1000\",\"receipt\":\"%s\"%s}",
               bytes32(job), record, more);
}

/* What the service signed, by the library alone with the public key it gives. */
static void verifies_outside(t_svc *t, const char *key, cm_sig_id id, const char *record)
{
    CM_AUTO(cm_buf_free) cm_buf pk = {.max = 4096};
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_MARKET_RECORD_MAX};
    cm_market_policy p = {.now_ms = t->now_ms};
    cm_market_keys keys = {0};
    cm_sig_key *k = NULL;
    cm_poai r;

    decode(&pk,
           t_member(t_ok(t, &t->admin, "GET", t_f("/v1/tenants/~/keys/%s/publicKey", key), NULL),
                    "public_key"));
    decode(&b, record);
    OK(cm_sig_from_public(&k, t->crypt, id, cm_buf_view(&pk)));
    if (id == CM_SIG_SECP256K1)
        keys.secp = k;
    else
        keys.mldsa = k;
    OK(cm_poai_verify(&r, t->crypt, &keys, &p, cm_buf_view(&b)));
    assert_int_equal(r.compute_ms, 12);
    assert_int_equal(r.head.expires_ms - r.head.issued_ms, CM_POAI_TTL_MS);
    cm_sig_key_free(k);
}

static const char *verify_body(const char *record, bool accept)
{
    return t_f("{\"record\":\"%s\"%s}", record, accept ? ",\"accept\":true" : "");
}

/* V-66 */
static void test_receipts(void **state)
{
    static const struct {
        const char *key, *type;
        cm_sig_id id;
    } keys[] = {{"eth", "secp256k1", CM_SIG_SECP256K1}, {"pq", "ML-DSA-65", CM_SIG_MLDSA65}};
    t_svc *t = t_svc_new();
    char record[8192];

    (void)state;
    for (size_t i = 0; i < CM_COUNT(keys); i++) {
        const char *json;
        char verify[128], sign[128];

        (void)snprintf(verify, sizeof verify, KEY, keys[i].key, "verifyPoAI");
        (void)snprintf(sign, sizeof sign, KEY, keys[i].key, "signPoAI");
        create(t, keys[i].key, keys[i].type);
        receipt(t, keys[i].key, 1, record);
        verifies_outside(t, keys[i].key, keys[i].id, record);
        t_fails(t, &t->admin, "POST", sign, t_f("{%s,\"nonce\":\"%s\"}", fields, bytes32(1)),
                CM_MARKET_REPLAY);
        json = t_ok(t, &t->admin, "POST", verify, verify_body(record, false));
        assert_string_equal(t_member(json, "valid"), "true");
        json = t_ok(t, &t->admin, "POST", verify, verify_body(record, true));
        assert_string_equal(t_member(json, "valid"), "true");
        t_fails(t, &t->admin, "POST", verify, verify_body(record, true), CM_MARKET_REPLAY);
        t_svc_restart(t);
        t_fails(t, &t->admin, "POST", verify, verify_body(record, true), CM_MARKET_REPLAY);
        t_fails(t, &t->admin, "POST", sign, t_f("{%s,\"nonce\":\"%s\"}", fields, bytes32(1)),
                CM_MARKET_REPLAY);
        record[500] = record[500] == 'A' ? 'B' : 'A';
        json = t_ok(t, &t->admin, "POST", verify, verify_body(record, true));
        assert_string_equal(t_member(json, "valid"), "false");
        assert_true(t_member(json, "why")[0] != 0);
    }
    t_svc_done(t);
}

static void test_refused(void **state)
{
    t_svc *t = t_svc_new();
    const char *path = ETH "signPoAI";

    (void)state;
    create(t, "ed", "Ed25519");
    create(t, "eth", "secp256k1");
    t_fails(t, &t->admin, "POST", "/v1/tenants/~/keys/ed:signPoAI", t_f("{%s}", fields),
            CM_SVC_KEY_KIND);
    t_fails(t, &t->admin, "POST", path, t_f("{%s,\"nonce\":\"AQ==\"}", fields), CM_SVC_REQUEST);
    t_fails(t, &t->admin, "POST", path, t_f("{%s,\"ttl_ms\":0}", fields), CM_MARKET_TERM);
    t_fails(t, &t->admin, "POST", path, t_f("{%s,\"ttl_ms\":3600001}", fields), CM_SVC_REQUEST);
    t_svc_done(t);
}

/* V-67, M-4, M-15 */
static void test_settlements(void **state)
{
    t_svc *t = t_svc_new();
    const char *path, *json;
    char first[8192], second[8192], paid[8192];

    (void)state;
    create(t, "eth", "secp256k1");
    create(t, "pq", "ML-DSA-65");
    receipt(t, "eth", 1, first);
    receipt(t, "eth", 2, second);
    path = ETH "signSettlement";
    t_fails(t, &t->admin, "POST", "/v1/tenants/~/keys/pq:signSettlement", settlement(1, first, ""),
            CM_MARKET_KEY);
    t_fails(t, &t->admin, "POST", path, settlement(1, first, ",\"realm\":\"" B32 "\""),
            CM_MARKET_BINDING);
    json = t_ok(t, &t->admin, "POST", path, settlement(1, first, ""));
    (void)snprintf(paid, sizeof paid, "%s", t_member(json, "record"));
    t_fails(t, &t->admin, "POST", path, settlement(1, second, ""), CM_MARKET_SETTLED); /* the job */
    t_fails(t, &t->admin, "POST", path, settlement(2, first, ""),
            CM_MARKET_SETTLED); /* the receipt */
    t_svc_restart(t);
    t_fails(t, &t->admin, "POST", path, settlement(1, second, ""), CM_MARKET_SETTLED);
    path = ETH "verifySettlement";
    json = t_ok(t, &t->admin, "POST", path, verify_body(paid, true));
    assert_string_equal(t_member(json, "valid"), "true");
    t_fails(t, &t->admin, "POST", path, verify_body(paid, true), CM_MARKET_SETTLED);
    json = t_ok(t, &t->admin, "POST", path, verify_body(first, false));
    assert_string_equal(t_member(json, "valid"), "false");
    t->now_ms += CM_POAI_TTL_MS + CM_MARKET_SKEW_MS + 1;
    t_fails(t, &t->admin, "POST", ETH "signSettlement", settlement(3, second, ""),
            CM_MARKET_EXPIRED);
    t_svc_done(t);
}

/* ---- many at once ---- */

enum { RACERS = 100 };

typedef struct {
    t_svc *t;
    t_who who;
    char body[8192];
    cm_err e;
} racer;

static void *race(void *arg)
{
    racer *r = arg;

    do { /* who was in the way of too many asks again */
        t_answer a = t_ask(r->t, &r->who, "POST", ETH "signSettlement", r->body);

        r->e = a.result;
        t_answer_free(&a);
    } while (cm_is(r->e, CM_SVC_BUSY));
    return NULL;
}

/* V-67: one wins, the others learn that it is settled. */
static void test_race(void **state)
{
    t_svc *t = t_svc_new();
    racer *r = calloc(RACERS, sizeof *r);
    pthread_t thread[RACERS];
    char record[8192];
    size_t won = 0;

    (void)state;
    create(t, "eth", "secp256k1");
    for (size_t i = 0; i < RACERS; i++) {
        receipt(t, "eth", i + 1, record);
        r[i] = (racer){.t = t, .who = t->admin};
        (void)snprintf(r[i].body, sizeof r[i].body, "%s", settlement(9, record, ""));
    }
    for (size_t i = 0; i < RACERS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, race, &r[i]), 0);
    for (size_t i = 0; i < RACERS; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        won += cm_ok(r[i].e);
        assert_true(cm_ok(r[i].e) || cm_is(r[i].e, CM_MARKET_SETTLED));
    }
    assert_int_equal(won, 1);
    free(r);
    t_svc_done(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_receipts),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_settlements),
        cmocka_unit_test(test_race),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
