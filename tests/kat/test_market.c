/* What others published byte for byte (spec/market.md, section 4): $CASEMATE_VECTORS/seeds. */
#include "market/claim.h"
#include "market/opening.h"
#include "vectors.h"
#include "vectors_json.h"

static cm_crypt *crypt;

static bool is_hex(const uint8_t got[32], const cm_json_node *from, const char *name)
{
    return cm_view_eq(cm_view_of(got, 32), t_json_hex(from, name));
}

static void hash_text(uint8_t out[32], const char *text)
{
    T_CHECK(cm_ok(CM_KECCAK(crypt, out, cm_view_str(text))));
}

/* M-20, M-21, M-22 */
static void report_data(const cm_json_node *v)
{
    cm_claim m = {.task = cm_u256_of(t_json_num(v, "taskId"))};
    uint8_t output[32], runtime[32], got[32];

    t_case("report data", 0);
    t_ran();
    hash_text(m.intent, "intent");
    hash_text(m.model, "model");
    hash_text(m.prompt, "prompt");
    hash_text(m.block, "block");
    hash_text(output, "output");
    hash_text(runtime, "runtime");
    memset(m.operator_address, 0x11, sizeof m.operator_address);
    T_CHECK(cm_ok(cm_claim_challenge(crypt, got, &m)) && is_hex(got, v, "challenge"));
    T_CHECK(cm_ok(cm_claim_report(crypt, got, &m, output, runtime)) &&
            is_hex(got, v, "reportData"));
    T_CHECK(cm_ok(cm_claim_key(crypt, got, m.model, m.prompt, output)) &&
            is_hex(got, v, "computationKey"));
}

/* M-23 */
static void bridge(const cm_json_node *v)
{
    cm_view bytes = t_json_hex(v, "receipt_hex");
    uint8_t again[CM_BRIDGE_RECEIPT], hash[32];
    cm_bridge_receipt r;

    t_case("bridge receipt", 0);
    t_ran();
    if (!T_CHECK(cm_ok(cm_bridge_decode(&r, bytes))))
        return;
    T_CHECK(cm_view_eq(cm_view_of(r.intent, 32), t_json_hex(v, "intent_id")));
    T_CHECK(r.status == CM_BRIDGE_COMPLETED && r.threshold <= r.operators);
    cm_bridge_encode(again, &r);
    T_CHECK(cm_view_eq(CM_VIEW(again), bytes));
    T_CHECK(cm_ok(cm_bridge_hash(crypt, hash, &r)) && is_hex(hash, v, "receipt_hash"));
    T_CHECK(cm_is(cm_bridge_decode(&r, cm_view_sub(bytes, 0, bytes.n - 1)), CM_MARKET_MALFORMED));
}

/* M-43: k challenges of n elements, eight bytes each. */
static void challenges(const cm_json_node *v)
{
    uint64_t n = t_json_num(v, "n"), k = t_json_num(v, "k"), row[16];
    cm_view want = t_json_hex(v, "hex");

    t_case("challenges", 0);
    t_ran();
    if (!T_CHECK(n <= CM_COUNT(row) && want.n == 8 * n * k))
        return;
    for (uint64_t j = 0; j < k; j++) {
        T_CHECK(
            cm_ok(cm_opening_challenge(crypt, row, n, t_json_text(v, "seed_ascii"), (uint32_t)j)));
        for (uint64_t i = 0; i < n; i++)
            T_CHECK(row[i] == cm_get_be64(want.p + 8 * (j * n + i)));
    }
}

static void each_file(const char *path)
{
    cm_json *j = t_json(path);
    const cm_json_node *root = cm_json_root(j);

    if (t_json_has(root, "report_data"))
        report_data(t_json_get(root, "report_data"));
    if (t_json_has(root, "receipt"))
        bridge(t_json_get(root, "receipt"));
    if (t_json_has(root, "poi_challenges"))
        challenges(t_json_get(root, "poi_challenges"));
    cm_json_free(j);
}

static void run(void)
{
    if (!T_CHECK(cm_ok(cm_crypt_new(&crypt, CM_PROFILE_DEFAULT))))
        return;
    t_each_file("seeds", "*.json", each_file);
    cm_crypt_free(crypt);
}

int main(void)
{
    return t_vectors_main(run);
}
