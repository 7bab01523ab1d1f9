/* The three statements: layout, and what their fields must satisfy among themselves. */
#include "market/keccak.h"
#include "market/layout_int.h"
#include "market/statement_int.h"

enum { VERSION = 1, UNIT = 1 /* milliseconds; wei */ };
enum { VERSION_AT = 4, TIME_UNIT_AT = 8, OWN_AT = 10 };

const cm_statement cm_statement_poai = {"CMPA", "casemate/poai/receipt/v1", "casemate-poai-v1",
                                        CM_POAI_SIZE, CM_POAI_TTL_MS};
const cm_statement cm_statement_settle = {"CMHS", "casemate/hmm/settlement/v1", "casemate-hmm-v1",
                                          CM_SETTLE_SIZE, CM_SETTLE_TTL_MS};
const cm_statement cm_statement_batch = {"CMPB", "casemate/poai/batch/v1", "casemate-poai-batch-v1",
                                         CM_BATCH_SIZE, CM_POAI_TTL_MS};

/* M-1, M-2 */
static const cm_slot head_[] = {
    CM_SLOT(6, cm_market_head, algs, U16),        CM_SLOT(12, cm_market_head, issued_ms, U64),
    CM_SLOT(20, cm_market_head, expires_ms, U64), CM_SLOT(28, cm_market_head, realm, BYTES),
    CM_SLOT(60, cm_market_head, key_id, BYTES),   CM_SLOT(92, cm_market_head, nonce, BYTES),
};
static const cm_slot poai_[] = {
    CM_SLOT(OWN_AT, cm_poai, claims, U16),     CM_SLOT(124, cm_poai, compute_ms, U64),
    CM_SLOT(132, cm_poai, model, BYTES),       CM_SLOT(164, cm_poai, node, BYTES),
    CM_SLOT(196, cm_poai, input, BYTES),       CM_SLOT(228, cm_poai, output, BYTES),
    CM_SLOT(260, cm_poai, attestation, BYTES), CM_SLOT(292, cm_poai, proof, BYTES),
};
static const cm_slot settle_[] = {
    CM_SLOT(124, cm_settlement, job, BYTES),      CM_SLOT(156, cm_settlement, provider, BYTES),
    CM_SLOT(176, cm_settlement, consumer, BYTES), CM_SLOT(196, cm_settlement, asset, BYTES),
    CM_SLOT(216, cm_settlement, amount, U256),    CM_SLOT(248, cm_settlement, receipt, BYTES),
};
static const cm_slot batch_[] = {
    CM_SLOT(124, cm_batch_head, count, U64),
    CM_SLOT(132, cm_batch_head, root, BYTES),
};

static bool is_zero(const uint8_t *p, size_t n)
{
    uint8_t any = 0;

    for (size_t i = 0; i < n; i++)
        any |= p[i];
    return any == 0;
}

/* M-3 */
static bool head_ok(const cm_market_head *h, bool may_batch)
{
    bool own = h->algs >= CM_MARKET_SECP && h->algs <= (CM_MARKET_SECP | CM_MARKET_MLDSA);

    return (own || (may_batch && h->algs == CM_MARKET_BATCH)) && h->issued_ms > 0 &&
           h->expires_ms > h->issued_ms && !is_zero(h->key_id, 32) && !is_zero(h->nonce, 32);
}

static void put(uint8_t *out, const cm_statement *s, const cm_market_head *h, const cm_slot *fields,
                size_t count)
{
    memset(out, 0, s->size);
    memcpy(out, s->magic, 4);
    cm_put_be16(out + VERSION_AT, VERSION);
    cm_put_be16(out + TIME_UNIT_AT, UNIT);
    cm_layout_put(out, head_, CM_COUNT(head_), h);
    cm_layout_put(out, fields, count, h);
}

/* M-1; the head is the first member of each statement. */
static cm_err get(cm_market_head *h, const cm_statement *s, cm_view bytes, const cm_slot *fields,
                  size_t count)
{
    if (bytes.n != s->size || !cm_view_eq(cm_view_sub(bytes, 0, 4), cm_view_of(s->magic, 4)))
        return CM_FAIL(MARKET_MALFORMED);
    if (cm_get_be16(bytes.p + VERSION_AT) != VERSION)
        return CM_FAIL(MARKET_VERSION);
    if (cm_get_be16(bytes.p + TIME_UNIT_AT) != UNIT)
        return CM_FAIL(MARKET_UNIT); /* M-4 */
    cm_layout_get(h, head_, CM_COUNT(head_), bytes.p);
    cm_layout_get(h, fields, count, bytes.p);
    return CM_OKAY;
}

/* M-7 */
static bool poai_ok(const cm_poai *r)
{
    bool attested = (r->claims & CM_MARKET_ATTESTED) != 0;
    bool proven = (r->claims & CM_MARKET_PROVEN) != 0;

    return head_ok(&r->head, true) && r->claims < 8 && !is_zero(r->model, 32) &&
           !is_zero(r->input, 32) && !is_zero(r->output, 32) && !is_zero(r->node, 32) &&
           attested == !is_zero(r->attestation, 32) && proven == !is_zero(r->proof, 32);
}

cm_err cm_poai_encode(uint8_t out[CM_POAI_SIZE], const cm_poai *r)
{
    if (!poai_ok(r))
        return CM_FAIL(MARKET_FIELD);
    put(out, &cm_statement_poai, &r->head, poai_, CM_COUNT(poai_));
    return CM_OKAY;
}

cm_err cm_poai_decode(cm_poai *r, cm_view bytes)
{
    cm_poai x;

    CM_TRY(get(&x.head, &cm_statement_poai, bytes, poai_, CM_COUNT(poai_)));
    if (!poai_ok(&x))
        return CM_FAIL(MARKET_FIELD);
    *r = x;
    return CM_OKAY;
}

/* M-8 */
static bool settle_ok(const cm_settlement *s)
{
    return head_ok(&s->head, false) && !is_zero(s->job, 32) && !is_zero(s->provider, 20) &&
           !is_zero(s->consumer, 20) && !is_zero(s->receipt, 32);
}

cm_err cm_settle_encode(uint8_t out[CM_SETTLE_SIZE], const cm_settlement *s)
{
    if (!settle_ok(s))
        return CM_FAIL(MARKET_FIELD);
    put(out, &cm_statement_settle, &s->head, settle_, CM_COUNT(settle_));
    cm_put_be16(out + OWN_AT, UNIT);
    return CM_OKAY;
}

cm_err cm_settle_decode(cm_settlement *s, cm_view bytes)
{
    cm_settlement x;

    CM_TRY(get(&x.head, &cm_statement_settle, bytes, settle_, CM_COUNT(settle_)));
    if (cm_get_be16(bytes.p + OWN_AT) != UNIT)
        return CM_FAIL(MARKET_UNIT); /* M-4 */
    if (!settle_ok(&x))
        return CM_FAIL(MARKET_FIELD);
    *s = x;
    return CM_OKAY;
}

static bool batch_ok(const cm_batch_head *b)
{
    return head_ok(&b->head, false) && b->count > 0 && b->count <= CM_BATCH_LEAVES_MAX;
}

cm_err cm_batch_encode(uint8_t out[CM_BATCH_SIZE], const cm_batch_head *b)
{
    if (!batch_ok(b))
        return CM_FAIL(MARKET_FIELD);
    put(out, &cm_statement_batch, &b->head, batch_, CM_COUNT(batch_));
    return CM_OKAY;
}

cm_err cm_batch_decode(cm_batch_head *b, cm_view bytes)
{
    cm_batch_head x;

    CM_TRY(get(&x.head, &cm_statement_batch, bytes, batch_, CM_COUNT(batch_)));
    if (cm_get_be16(bytes.p + OWN_AT) != 0)
        return CM_FAIL(MARKET_MALFORMED);
    if (!batch_ok(&x))
        return CM_FAIL(MARKET_FIELD);
    *b = x;
    return CM_OKAY;
}

cm_err cm_statement_digest(const cm_crypt *c, uint8_t out[32], const cm_statement *s, cm_view bytes)
{
    return CM_KECCAK(c, out, cm_view_str(s->domain), bytes); /* M-6 */
}

cm_err cm_poai_digest(const cm_crypt *c, uint8_t out[32], const cm_poai *r)
{
    uint8_t bytes[CM_POAI_SIZE];

    CM_TRY(cm_poai_encode(bytes, r));
    return cm_statement_digest(c, out, &cm_statement_poai, CM_VIEW(bytes));
}

cm_err cm_settle_digest(const cm_crypt *c, uint8_t out[32], const cm_settlement *s)
{
    uint8_t bytes[CM_SETTLE_SIZE];

    CM_TRY(cm_settle_encode(bytes, s));
    return cm_statement_digest(c, out, &cm_statement_settle, CM_VIEW(bytes));
}

cm_err cm_batch_digest(const cm_crypt *c, uint8_t out[32], const cm_batch_head *b)
{
    uint8_t bytes[CM_BATCH_SIZE];

    CM_TRY(cm_batch_encode(bytes, b));
    return cm_statement_digest(c, out, &cm_statement_batch, CM_VIEW(bytes));
}

const char *cm_poai_unproven(const cm_poai *r, size_t i)
{
    const char *list[5] = {
        "that the output is true or of any quality",
        "that the digests are of what the parties hold: compare them",
    };
    size_t n = 2;

    if (!(r->claims & CM_MARKET_ATTESTED))
        list[n++] = "on what hardware and software it ran: no attestation is named";
    if (!(r->claims & CM_MARKET_PROVEN))
        list[n++] = "that the output comes from this model and input: no proof is named";
    if (!(r->claims & CM_MARKET_MODEL_ROOT))
        list[n++] = "which weights ran: the model is named, not measured";
    return i < n ? list[i] : NULL;
}
