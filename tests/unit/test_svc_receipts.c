/* Receipts through the service beyond one at a time: two keys, Merkle batches, Batch, answers that
 * were lost, and a registry that forgets by a clock that is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/text.h"
#include "market/batch.h"
#include "svc/scheduler.h"
#include "svc_kit.h"

#define OK(e) assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))
#define KEY   "/v1/tenants/~/keys/"
#define B32   "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define B20   "AQAAAAAAAAAAAAAAAAAAAAAAAAA="
#define FIELDS \
    "\"model\":\"" B32 "\",\"input\":\"" B32 "\",\"output\":\"" B32 "\",\"node\":\"" B32 "\""
#define POAI   "{" FIELDS "}"
#define DAY_MS UINT64_C(86400000)

enum { RECORD = 8192, SECP = CM_POAI_SIZE + CM_MARKET_SECP_SIG };

static const char *base64(cm_view v)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 1 << 16};

    OK(cm_base64_encode(&b, v, false));
    return t_f("%.*s", (int)b.n, (const char *)b.p);
}

static size_t decode(uint8_t *out, size_t max, const char *text)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = max};

    OK(cm_base64_decode(&b, cm_view_str(text), false));
    memcpy(out, b.p, b.n);
    return b.n;
}

static const char *bytes32(uint64_t seed)
{
    uint8_t b[32] = {7};

    cm_put_be64(b + 8, seed);
    return base64(CM_VIEW(b));
}

/* "eth" demands "pq"; "pq" and "solo" may sign alone. */
static t_svc *new_svc(void)
{
    t_svc *t = t_svc_new();

    (void)t_ok(t, &t->admin, "POST", KEY "eth", "{\"type\":\"secp256k1\",\"cosigner\":\"pq\"}");
    (void)t_ok(t, &t->admin, "POST", KEY "pq", "{\"type\":\"ML-DSA-65\"}");
    (void)t_ok(t, &t->admin, "POST", KEY "solo", "{\"type\":\"secp256k1\"}");
    return t;
}

static void receipt(t_svc *t, const char *key, const char *more, char record[RECORD])
{
    const char *json =
        t_ok(t, &t->admin, "POST", t_f(KEY "%s:signPoAI", key), t_f("{" FIELDS "%s}", more));

    (void)snprintf(record, RECORD, "%s", t_member(json, "record"));
}

/* Why it is not good; "" when it is. */
static const char *verdict(t_svc *t, const char *key, const char *verb, const char *record,
                           const char *more)
{
    char body[3 * RECORD];
    const char *json;

    (void)snprintf(body, sizeof body, "{\"record\":\"%s\"%s}", record, more);
    json = t_ok(t, &t->admin, "POST", t_f(KEY "%s:%s", key, verb), body);
    assert_string_equal(t_member(json, "valid"), t_member(json, "why")[0] ? "false" : "true");
    return t_f("%s", t_member(json, "why"));
}

static const char *settlement(uint64_t job, const char *record, const char *more)
{
    return t_f("{\"job\":\"%s\",\"provider\":\"" B20 "\",\"consumer\":\"" B20
               "\",\"unit\":\"wei\",\"receipt\":\"%s\"%s}",
               bytes32(job), record, more);
}

static void load_keys(t_svc *t, cm_market_keys *k, cm_sig_key **secp, cm_sig_key **mldsa)
{
    uint8_t pk[2000];
    size_t n = decode(pk, sizeof pk,
                      t_member(t_ok(t, &t->admin, "GET", KEY "eth/publicKey", NULL), "public_key"));

    OK(cm_sig_from_public(secp, t->crypt, CM_SIG_SECP256K1, cm_view_of(pk, n)));
    n = decode(pk, sizeof pk,
               t_member(t_ok(t, &t->admin, "GET", KEY "pq/publicKey", NULL), "public_key"));
    OK(cm_sig_from_public(mldsa, t->crypt, CM_SIG_MLDSA65, cm_view_of(pk, n)));
    *k = (cm_market_keys){*secp, *mldsa};
}

/* V-75, M-5, M-11 */
static void test_two_keys(void **state)
{
    t_svc *t = new_svc();
    char both[RECORD], one[RECORD], alone[RECORD];
    cm_sig_key *secp = NULL, *mldsa = NULL;
    uint8_t raw[RECORD];
    cm_market_policy p = {.need = 3, .now_ms = t->now_ms};
    cm_market_keys k;
    cm_poai r;
    size_t n;

    (void)state;
    receipt(t, "eth", "", both);
    receipt(t, "pq", "", one);
    receipt(t, "solo", "", alone);
    n = decode(raw, sizeof raw, both);
    assert_int_equal(n, SECP + CM_MARKET_MLDSA_SIG);
    load_keys(t, &k, &secp, &mldsa);
    OK(cm_poai_verify(&r, t->crypt, &k, &p, cm_view_of(raw, n)));
    assert_int_equal(r.head.algs, 3);
    cm_sig_key_free(secp);
    cm_sig_key_free(mldsa);
    assert_string_equal(verdict(t, "eth", "verifyPoAI", both, ""), "");
    assert_string_equal(verdict(t, "pq", "verifyPoAI", both, ",\"second_key\":\"eth\""), "");
    assert_string_equal(verdict(t, "eth", "verifyPoAI", both, ",\"signed_by\":\"both\""), "");
    /* One signature is not enough, nor is another key's, nor one taken off. */
    assert_string_equal(verdict(t, "eth", "verifyPoAI", one, ""), "MARKET_KEY");
    assert_string_equal(verdict(t, "pq", "verifyPoAI", both, ""), "MARKET_KEY");
    assert_string_equal(verdict(t, "pq", "verifyPoAI", one, ",\"signed_by\":\"both\""),
                        "MARKET_POLICY");
    assert_string_equal(verdict(t, "solo", "verifyPoAI", alone, ",\"signed_by\":\"ml_dsa_65\""),
                        "MARKET_POLICY");
    assert_string_equal(verdict(t, "eth", "verifyPoAI", base64(cm_view_of(raw, SECP)), ""),
                        "MARKET_MALFORMED");
    t_fails(t, &t->admin, "POST", KEY "eth:signPoAI", "{" FIELDS ",\"second_key\":\"solo\"}",
            CM_MARKET_POLICY);
    t_fails(t, &t->admin, "POST", KEY "pq:signPoAI", "{" FIELDS ",\"second_key\":\"none\"}",
            CM_SVC_NO_KEY);
    t_fails(t, &t->admin, "POST", KEY "solo:signPoAI", "{" FIELDS ",\"second_key\":\"eth\"}",
            CM_MARKET_POLICY); /* eth demands pq */
    t_fails(t, &t->admin, "POST", KEY "solo:signPoAI", "{" FIELDS ",\"second_key\":\"solo\"}",
            CM_SVC_KEY_KIND);
    t_fails(t, &t->admin, "POST", KEY "aes", "{\"type\":\"AES-256\",\"cosigner\":\"pq\"}",
            CM_SVC_KEY_KIND);
    (void)t_ok(t, &t->admin, "PATCH", KEY "eth", "{\"clear_cosigner\":true}");
    assert_string_equal(verdict(t, "eth", "verifyPoAI", both, ""), "MARKET_KEY");
    (void)t_ok(t, &t->admin, "PATCH", KEY "solo", "{\"cosigner\":\"pq\"}");
    receipt(t, "solo", "", both);
    assert_int_equal(decode(raw, sizeof raw, both), SECP + CM_MARKET_MLDSA_SIG);
    t_svc_done(t);
}

/* Each key has versions of its own; the answer names the first key's. */
static void test_versions(void **state)
{
    t_svc *t = new_svc();
    char old[RECORD], now[RECORD];

    (void)state;
    receipt(t, "eth", "", old);
    (void)t_ok(t, &t->admin, "POST", KEY "pq:rotate", "{}");
    receipt(t, "eth", "", now);
    assert_int_equal(
        t_number(t_ok(t, &t->admin, "POST", KEY "eth:verifyPoAI", t_f("{\"record\":\"%s\"}", now)),
                 "version"),
        1);
    assert_string_equal(verdict(t, "eth", "verifyPoAI", old, ""), "MARKET_KEY");
    assert_string_equal(verdict(t, "eth", "verifyPoAI", old, ",\"second_version\":1"), "");
    (void)t_ok(t, &t->admin, "POST", KEY "eth:rotate", "{}");
    assert_string_equal(verdict(t, "eth", "verifyPoAI", now, ",\"version\":1"), "");
    assert_string_equal(verdict(t, "eth", "verifyPoAI", now, ""), "MARKET_KEY");
    (void)t_ok(t, &t->admin, "PATCH", KEY "pq", "{\"min_decrypt_version\":2}");
    t_fails(t, &t->admin, "POST", KEY "eth:verifyPoAI",
            t_f("{\"record\":\"%s\",\"version\":1,\"second_version\":1}", old), CM_SVC_MIN_VERSION);
    t_svc_done(t);
}

/* V-75: of both keys. */
static void test_second_key_is_granted(void **state)
{
    t_svc *t = new_svc();
    t_who w = t_principal(t, &t->admin, "acme", "node");

    (void)state;
    t_grant(t, &t->admin, "one", "node", "\"SignPoAI\"",
            ",\"resource_keyspace\":\"default\",\"resource_key\":\"eth\"");
    t_fails(t, &w, "POST", KEY "eth:signPoAI", POAI, CM_SVC_DENIED);
    t_grant(t, &t->admin, "two", "node", "\"SignPoAI\"",
            ",\"resource_keyspace\":\"default\",\"resource_key\":\"pq\"");
    (void)t_ok(t, &w, "POST", KEY "eth:signPoAI", POAI);
    (void)t_ok(t, &t->admin, "POST", KEY "pq:setState", "{\"state\":\"suspended\",\"version\":1}");
    t_fails(t, &w, "POST", KEY "eth:signPoAI", POAI, CM_KEY_STATE);
    t_who_done(&w);
    t_svc_done(t);
}

/* ---- many ---- */

enum { LEAVES = 11, BODY = 1 << 20 };

static char *batch_body(const char *list, const char *each, unsigned n, const char *more)
{
    char *body = malloc(BODY);
    size_t at = (size_t)snprintf(body, BODY, "{\"%s\":[", list);

    for (unsigned i = 0; i < n; i++)
        at += (size_t)snprintf(body + at, BODY - at, "%s%s", i ? "," : "", each);
    (void)snprintf(body + at, BODY - at, "]%s}", more);
    return body;
}

/* The ith string of a list in JSON. */
static const char *listed(const char *json, const char *list, unsigned i)
{
    const char *p = strstr(json, t_f("\"%s\":[", list));
    static char text[RECORD];

    assert_non_null(p);
    for (p = strchr(p, '['), i = 2 * i + 1; i > 0; i--)
        p = strchr(p + 1, '"');
    (void)snprintf(text, sizeof text, "%.*s", (int)strcspn(p + 1, "\""), p + 1);
    return text;
}

/* V-69, M-30 */
static void test_merkle_batch(void **state)
{
    t_svc *t = new_svc();
    char *body = batch_body("receipts", POAI, LEAVES, t_f(",\"nonce\":\"%s\"", bytes32(1)));
    char record[RECORD];
    t_answer a = t_ask(t, &t->admin, "POST", KEY "eth:signPoAIBatch", body);
    uint8_t raw[RECORD], head[RECORD], seen[LEAVES][32];
    const char *json;
    size_t head_n;

    (void)state;
    OK(a.result);
    json = (const char *)a.json.p;
    head_n = decode(head, sizeof head, t_member(json, "head"));
    assert_int_equal(head_n, CM_BATCH_SIZE + CM_MARKET_SECP_SIG + CM_MARKET_MLDSA_SIG);
    for (unsigned i = 0; i < LEAVES; i++) {
        size_t n = decode(raw, sizeof raw, listed(json, "receipts", i));

        memcpy(seen[i], raw + 92, 32);
        for (unsigned k = 0; k < i; k++)
            assert_memory_not_equal(seen[i], seen[k], 32);
        memcpy(raw + n, head, head_n);
        (void)snprintf(record, sizeof record, "%s", base64(cm_view_of(raw, n + head_n)));
        assert_string_equal(verdict(t, "eth", "verifyPoAI", record, ""), "");
        assert_string_equal(verdict(t, "eth", "verifyPoAI", record, ",\"accept\":true"), "");
        t_fails(t, &t->admin, "POST", KEY "eth:verifyPoAI",
                t_f("{\"record\":\"%s\",\"accept\":true}", record), CM_MARKET_REPLAY);
        raw[330] ^= 1; /* its place, or its path */
        assert_string_not_equal(
            verdict(t, "eth", "verifyPoAI", base64(cm_view_of(raw, n + head_n)), ""), "");
    }
    t_answer_free(&a);
    t_fails(t, &t->admin, "POST", KEY "eth:signPoAIBatch", body, CM_MARKET_REPLAY);
    free(body);
    body = batch_body("receipts", t_f("{" FIELDS ",\"nonce\":\"%s\"}", bytes32(2)), 2, "");
    t_fails(t, &t->admin, "POST", KEY "eth:signPoAIBatch", body, CM_SVC_REQUEST);
    free(body);
    t_fails(t, &t->admin, "POST", KEY "eth:signPoAIBatch", "{\"receipts\":[]}", CM_SVC_REQUEST);
    t_svc_done(t);
}

/* A tree that the caller made, of keys that the server holds. */
static void test_root(void **state)
{
    t_svc *t = new_svc();
    CM_AUTO(cm_batch_tree_free_ptr) cm_batch_tree *tree = NULL;
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_MARKET_RECORD_MAX};
    cm_sig_key *secp = NULL, *mldsa = NULL;
    uint8_t leaf[3][32], id[32], head[RECORD];
    cm_market_keys k;
    cm_poai r[3];
    size_t n;

    (void)state;
    load_keys(t, &k, &secp, &mldsa);
    OK(cm_market_key_id(t->crypt, id, &k));
    for (size_t i = 0; i < 3; i++) {
        r[i] = (cm_poai){
            .head = {.issued_ms = t->now_ms, .expires_ms = t->now_ms + 1000, .nonce = {9}}};
        r[i].head.nonce[1] = (uint8_t)i;
        r[i].model[0] = r[i].node[0] = r[i].input[0] = r[i].output[0] = 1;
        OK(cm_batch_leaf(leaf[i], &r[i], id));
    }
    OK(cm_batch_tree_new(&tree, (const uint8_t(*)[32])leaf, 3));
    n = decode(head, sizeof head,
               t_member(t_ok(t, &t->admin, "POST", KEY "eth:signPoAIRoot",
                             t_f("{\"root\":\"%s\",\"count\":3}",
                                 base64(cm_view_of(cm_batch_tree_root(tree), 32)))),
                        "record"));
    OK(cm_batch_record(&b, tree, 2, &r[2], cm_view_of(head, n)));
    assert_string_equal(verdict(t, "eth", "verifyPoAI", base64(cm_buf_view(&b)), ""), "");
    t_fails(t, &t->admin, "POST", KEY "eth:signPoAIRoot",
            "{\"root\":\"" B32 "\",\"count\":1048577}", CM_SVC_REQUEST);
    cm_sig_key_free(secp);
    cm_sig_key_free(mldsa);
    t_svc_done(t);
}

/* V-70, V-72 */
static void test_items(void **state)
{
    static const char *const keys[] = {"solo", "pq", "eth"};
    static const size_t size[] = {SECP, CM_POAI_SIZE + CM_MARKET_MLDSA_SIG,
                                  SECP + CM_MARKET_MLDSA_SIG};
    t_svc *t = new_svc();
    const char *more = ",\"operation\":\"sign_poai\",\"ttl_ms\":60000";
    const char *bad =
        "{\"poai\":{\"model\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\",\"input\":"
        "\"" B32 "\",\"output\":\"" B32 "\",\"node\":\"" B32 "\"}}";
    char *body, record[RECORD];
    uint8_t raw[RECORD];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        unsigned n = 0;
        t_answer a;

        body = batch_body("items", "{\"poai\":" POAI "}", 100, more);
        a = t_ask(t, &t->admin, "POST", t_f(KEY "%s:batch", keys[i]), body);
        OK(a.result);
        for (const char *p = (const char *)a.json.p; (p = strstr(p, "\"data\":\"")); n++) {
            p += 8;
            if (n % 33 != 0)
                continue;
            (void)snprintf(record, sizeof record, "%.*s", (int)strcspn(p, "\""), p);
            assert_int_equal(decode(raw, sizeof raw, record), size[i]);
            assert_int_equal(cm_get_be64(raw + 20) - cm_get_be64(raw + 12), 60000);
            assert_string_equal(verdict(t, keys[i], "verifyPoAI", record, ",\"accept\":true"), "");
        }
        assert_int_equal(n, 100);
        t_answer_free(&a);
        free(body);
    }
    body = batch_body("items", t_f("{\"poai\":" POAI "},%s,{\"poai\":" POAI "}", bad), 1, more);
    {
        const char *json = t_ok(t, &t->admin, "POST", KEY "eth:batch", body), *p;

        p = strstr(json, "\"error\":\"MARKET_FIELD\"");
        assert_non_null(p);
        assert_non_null(strstr(p, "\"data\":"));
        assert_true(strstr(json, "\"data\":") < p);
    }
    free(body);
    body =
        batch_body("items", t_f("{\"poai\":{" FIELDS ",\"nonce\":\"%s\"}}", bytes32(5)), 1, more);
    (void)t_ok(t, &t->admin, "POST", KEY "solo:batch", body);
    t_fails(t, &t->admin, "POST", KEY "solo:batch", body, CM_MARKET_REPLAY);
    t_fails(t, &t->admin, "POST", KEY "solo:signPoAI",
            t_f("{" FIELDS ",\"nonce\":\"%s\"}", bytes32(5)), CM_MARKET_REPLAY);
    free(body);
    t_fails(t, &t->admin, "POST", KEY "solo:batch",
            "{\"operation\":\"sign_poai\",\"items\":[{\"data\":\"AA==\"}]}", CM_SVC_REQUEST);
    t_fails(t, &t->admin, "POST", KEY "solo:batch",
            "{\"operation\":\"sign\",\"items\":[{\"data\":\"AA==\",\"poai\":" POAI "}]}",
            CM_SVC_REQUEST);
    t_svc_done(t);
}

/* V-66: nonces drawn by the server have no rows and can't be brought. */
static void test_drawn_nonce(void **state)
{
    t_svc *t = new_svc();
    char record[RECORD];
    uint8_t raw[RECORD];

    (void)state;
    receipt(t, "solo", "", record);
    (void)decode(raw, sizeof raw, record);
    t_fails(t, &t->admin, "POST", KEY "solo:signPoAI",
            t_f("{" FIELDS ",\"nonce\":\"%s\"}", base64(cm_view_of(raw + 92, 32))), CM_SVC_REQUEST);
    t_svc_done(t);
}

/* ---- settlements ---- */

static const char *settle(t_svc *t, const char *body, bool *again)
{
    const char *json = t_ok(t, &t->admin, "POST", KEY "eth:signSettlement", body);

    *again = strcmp(t_member(json, "again"), "true") == 0;
    return t_f("%s", t_member(json, "record"));
}

/* V-74 */
static void test_lost_answer(void **state)
{
    t_svc *t = new_svc();
    char record[RECORD], other[RECORD], first[RECORD], body[RECORD];
    const char *amount = ",\"amount\":\"1000\"";
    bool again;

    (void)state;
    receipt(t, "eth", "", record);
    receipt(t, "eth", "", other);
    (void)snprintf(body, sizeof body, "%s", settlement(1, record, amount));
    (void)snprintf(first, sizeof first, "%s", settle(t, body, &again));
    assert_false(again);
    t->now_ms += 5000;
    assert_string_equal(settle(t, body, &again), first);
    assert_true(again);
    t_svc_restart(t);
    t->now_ms += CM_POAI_TTL_MS + CM_MARKET_SKEW_MS + 1; /* the receipt itself is over */
    assert_string_equal(settle(t, body, &again), first);
    assert_true(again);
    /* Anything else about the same job is a second settlement. */
    t_fails(t, &t->admin, "POST", KEY "eth:signSettlement",
            settlement(1, record, ",\"amount\":\"1001\""), CM_MARKET_SETTLED);
    t_fails(t, &t->admin, "POST", KEY "eth:signSettlement", settlement(1, other, amount),
            CM_MARKET_SETTLED);
    t_fails(t, &t->admin, "POST", KEY "eth:signSettlement",
            settlement(1, record, ",\"amount\":\"1000\",\"ttl_ms\":1000"), CM_MARKET_SETTLED);
    t_fails(t, &t->admin, "POST", KEY "eth:signSettlement",
            settlement(1, record, t_f("%s,\"nonce\":\"%s\"", amount, bytes32(3))),
            CM_MARKET_SETTLED);
    t_fails(t, &t->admin, "POST", KEY "solo:signSettlement", settlement(1, record, amount),
            CM_MARKET_SETTLED);
    /* Bound to its receipt, and to no other. */
    assert_string_equal(
        verdict(t, "eth", "verifySettlement", first, t_f(",\"receipt\":\"%s\"", record)), "");
    assert_string_equal(
        verdict(t, "eth", "verifySettlement", first, t_f(",\"receipt\":\"%s\"", other)),
        "MARKET_BINDING");
    t_svc_done(t);
}

/* ---- time ---- */

static size_t prune(t_svc *t, uint64_t mono_s)
{
    static const uint8_t me[16] = {1};
    cm_scheduler_round_of out;
    cm_scheduler s;

    cm_scheduler_init(&s, t->svc, t_runner(t), CM_VIEW(me));
    OK(cm_scheduler_round(&s, mono_s * 1000000000u, &out));
    assert_true(out.leader && out.failed == 0);
    cm_scheduler_done(&s);
    return out.pruned;
}

/* V-68: whatever the clock does, a nonce is accepted once. */
static void test_clock(void **state)
{
    t_svc *t = new_svc();
    uint64_t then = t->now_ms;
    char record[RECORD], later[RECORD], settled[RECORD], body[RECORD];
    bool again;

    (void)state;
    receipt(t, "solo", t_f(",\"nonce\":\"%s\"", bytes32(1)), record);
    receipt(t, "eth", "", later);
    assert_string_equal(verdict(t, "solo", "verifyPoAI", record, ",\"accept\":true"), "");
    (void)snprintf(body, sizeof body, "%s", settlement(1, later, ",\"amount\":\"1\""));
    (void)snprintf(settled, sizeof settled, "%s", settle(t, body, &again));
    t->now_ms = then + DAY_MS;
    (void)prune(t, 1);
    t->now_ms = then + 1200000; /* past the requests whose own nonces are gone */
    t_fails(t, &t->admin, "POST", KEY "solo:verifyPoAI",
            t_f("{\"record\":\"%s\",\"accept\":true}", record), CM_MARKET_REPLAY);
    /* A week ahead, where all is over, and back, where it would be good again. */
    t->now_ms = then + 7 * DAY_MS;
    assert_string_equal(verdict(t, "solo", "verifyPoAI", record, ",\"accept\":true"),
                        "MARKET_EXPIRED");
    assert_true(prune(t, 100000) >= 3);
    t->now_ms = then + 2400000;
    t_svc_restart(t);
    t_fails(t, &t->admin, "POST", KEY "solo:verifyPoAI",
            t_f("{\"record\":\"%s\",\"accept\":true}", record), CM_MARKET_FORGOTTEN);
    assert_string_equal(verdict(t, "solo", "verifyPoAI", record, ""), "");
    t_fails(t, &t->admin, "POST", KEY "eth:signSettlement", body, CM_MARKET_SETTLED); /* for good */
    receipt(t, "solo", "", later); /* drawn nonces go on */
    t->now_ms = then + 2 * DAY_MS; /* and so does what is of another time */
    receipt(t, "solo", t_f(",\"nonce\":\"%s\"", bytes32(2)), record);
    assert_string_equal(verdict(t, "solo", "verifyPoAI", record, ",\"accept\":true"), "");
    t_svc_done(t);
}

/* M-12, M-13, M-15: what is dated wrongly is not good and settles nothing. */
static void test_dated(void **state)
{
    t_svc *t = new_svc();
    uint64_t then = t->now_ms;
    char record[RECORD];

    (void)state;
    receipt(t, "eth", ",\"ttl_ms\":60000", record);
    t->now_ms = then - CM_MARKET_SKEW_MS - 1;
    assert_string_equal(verdict(t, "eth", "verifyPoAI", record, ""), "MARKET_FUTURE");
    t_fails(t, &t->admin, "POST", KEY "eth:signSettlement",
            settlement(1, record, ",\"amount\":\"1\""), CM_MARKET_FUTURE);
    t->now_ms = then - CM_MARKET_SKEW_MS;
    assert_string_equal(verdict(t, "eth", "verifyPoAI", record, ""), "");
    t->now_ms = then + 60000 + CM_MARKET_SKEW_MS;
    assert_string_equal(verdict(t, "eth", "verifyPoAI", record, ""), "");
    t->now_ms++;
    assert_string_equal(verdict(t, "eth", "verifyPoAI", record, ",\"accept\":true"),
                        "MARKET_EXPIRED");
    t_fails(t, &t->admin, "POST", KEY "eth:signSettlement",
            settlement(1, record, ",\"amount\":\"1\""), CM_MARKET_EXPIRED);
    t_fails(t, &t->admin, "POST", KEY "eth:signSettlement",
            t_f("{\"job\":\"" B32 "\",\"provider\":\"" B20 "\",\"consumer\":\"" B20
                "\",\"unit\":\"gwei\",\"amount\":\"1\",\"receipt\":\"%s\"}",
                record),
            CM_MARKET_UNIT); /* M-4 */
    t_svc_done(t);
}

/* V-33, V-66, V-67: what was not signed has used nothing up. */
static void test_not_signed(void **state)
{
    t_svc *t = new_svc();
    const char *nonce = t_f("{" FIELDS ",\"nonce\":\"%s\"}", bytes32(1));
    char record[RECORD], body[RECORD];
    bool again;

    (void)state;
    receipt(t, "eth", "", record);
    (void)snprintf(body, sizeof body, "%s", settlement(1, record, ",\"amount\":\"1\""));
    t->hollow = true;
    t_fails(t, &t->admin, "POST", KEY "eth:signPoAI", nonce, CM_CRYPT_PROVIDER);
    t_fails(t, &t->admin, "POST", KEY "eth:signSettlement", body, CM_CRYPT_PROVIDER);
    t_fails(t, &t->admin, "POST", KEY "eth:signPoAIBatch", "{\"receipts\":[" POAI "]}",
            CM_CRYPT_PROVIDER);
    t_fails(t, &t->admin, "POST", KEY "eth:batch",
            "{\"operation\":\"sign_poai\",\"items\":[{\"poai\":" POAI "}]}", CM_CRYPT_PROVIDER);
    t->hollow = false;
    (void)t_ok(t, &t->admin, "POST", KEY "eth:signPoAI", nonce);
    (void)settle(t, body, &again);
    assert_false(again);
    t_svc_done(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_keys),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_second_key_is_granted),
        cmocka_unit_test(test_merkle_batch),
        cmocka_unit_test(test_root),
        cmocka_unit_test(test_items),
        cmocka_unit_test(test_drawn_nonce),
        cmocka_unit_test(test_lost_answer),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_dated),
        cmocka_unit_test(test_not_signed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
