/* Statements, bridge receipts and amounts nobody made: what is read is written the same. */
#include <stdlib.h>

#include "market/claim.h"
#include "market/opening.h"
#include "market/receipt.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void same(cm_err e, const uint8_t *bytes, cm_view v)
{
    must(cm_ok(e) && cm_view_eq(cm_view_of(bytes, v.n), v));
}

static void statements(cm_view v)
{
    uint8_t bytes[CM_POAI_SIZE];
    cm_settlement s;
    cm_batch_head b;
    cm_poai r;

    if (cm_ok(cm_poai_decode(&r, v)))
        same(cm_poai_encode(bytes, &r), bytes, v);
    if (cm_ok(cm_settle_decode(&s, v)))
        same(cm_settle_encode(bytes, &s), bytes, v);
    if (cm_ok(cm_batch_decode(&b, v)))
        same(cm_batch_encode(bytes, &b), bytes, v);
}

static void amount(cm_view v)
{
    char text[CM_U256_DEC_MAX + 1];
    cm_u256 a;

    if (cm_failed(cm_u256_parse(&a, v)))
        return;
    cm_u256_format(text, &a);
    must(cm_view_eq(cm_view_str(text), v));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    uint8_t bytes[CM_BRIDGE_RECEIPT];
    cm_bridge_receipt r;
    cm_opening o;

    if (cm_ok(cm_opening_parse(&o, cm_view_of(p, n))))
        must(40 + 4 + o.beacon.n + o.leaf.n + 4 + o.proof.n == n);
    statements(cm_view_of(p, n));
    amount(cm_view_of(p, n));
    if (cm_ok(cm_bridge_decode(&r, cm_view_of(p, n)))) {
        cm_bridge_encode(bytes, &r);
        must(cm_view_eq(CM_VIEW(bytes), cm_view_of(p, n)));
    }
    return 0;
}
