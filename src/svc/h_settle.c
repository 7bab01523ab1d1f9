/* SignHMMSettlement: once for each job and each receipt, and for who did not hear the answer, the
 * same again (V-67, V-74). */
#include "svc/market_int.h"
#include "svc/nonce_int.h"

static cm_err fields(cm_call *c, cm_settlement *s)
{
    const cm_msg *q = c->request;

    CM_TRY(cm_market_times(c, &s->head, M_SignHMMSettlementRequest_realm,
                           M_SignHMMSettlementRequest_ttl_ms, CM_SETTLE_TTL_MS));
    CM_TRY(cm_market_nonce(c, s->head.nonce, cm_msg_view(q, M_SignHMMSettlementRequest_nonce)));
    CM_TRY(cm_market_fixed(c, s->job, 32, q, M_SignHMMSettlementRequest_job, false));
    CM_TRY(cm_market_fixed(c, s->provider, 20, q, M_SignHMMSettlementRequest_provider, false));
    CM_TRY(cm_market_fixed(c, s->consumer, 20, q, M_SignHMMSettlementRequest_consumer, false));
    CM_TRY(cm_market_fixed(c, s->asset, 20, q, M_SignHMMSettlementRequest_asset, true));
    if (!cm_view_eq(cm_msg_view(q, M_SignHMMSettlementRequest_unit), CM_LIT("wei")))
        return CM_FAIL(MARKET_UNIT); /* M-4 */
    return cm_u256_parse(&s->amount, cm_msg_view(q, M_SignHMMSettlementRequest_amount));
}

/* ---- the receipt ---- */

/* Of its statement, which nothing vouches for yet. */
static cm_err name_receipt(cm_call *c, cm_settlement *s)
{
    cm_view record = cm_msg_view(c->request, M_SignHMMSettlementRequest_receipt);
    cm_poai r;

    CM_TRY(cm_poai_decode(&r, cm_view_sub(record, 0, CM_MIN(record.n, (size_t)CM_POAI_SIZE))));
    return cm_poai_digest(c->svc->o.crypt, s->receipt, &r);
}

/* M-15: the receipt verifies under the keys that sign, or under those that the caller trusts. */
static cm_err bind(cm_call *c, const cm_settlement *s, const cm_market_set *own)
{
    CM_AUTO(cm_market_set_done) cm_market_set other = {0};
    const cm_msg *q = c->request;
    cm_view pk = cm_msg_view(q, M_SignHMMSettlementRequest_receipt_public_key);
    cm_view second = cm_msg_view(q, M_SignHMMSettlementRequest_receipt_second_public_key);
    cm_market_policy p = {.now_ms = c->state->now, .skew_ms = CM_MARKET_SKEW_MS};
    cm_poai r;

    if (second.n && !pk.n)
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "receipt_second_public_key");
    if (pk.n)
        CM_TRY(cm_market_set_add(c, &other, pk));
    if (second.n)
        CM_TRY(cm_market_set_add(c, &other, second));
    CM_TRY(cm_poai_verify(&r, c->svc->o.crypt, pk.n ? &other.keys : &own->keys, &p,
                          cm_msg_view(q, M_SignHMMSettlementRequest_receipt)));
    return cm_settle_binds(c->svc->o.crypt, s, &r, CM_MARKET_SKEW_MS);
}

/* ---- the same again ---- */

static cm_view second_key(const cm_call *c)
{
    const cm_msg_value *v = cm_field_by_number(c->request, CM_FIELD_SECOND_KEY);

    return v ? v->view : cm_view_of(NULL, 0);
}

/* Whether the request would make what was made then, but for the time and a nonce drawn here. */
static bool same(const cm_call *c, const cm_settlement *s, const cm_settlement *then)
{
    cm_settlement a = *s;

    a.head.issued_ms = then->head.issued_ms;
    a.head.expires_ms = then->head.issued_ms + (s->head.expires_ms - s->head.issued_ms);
    a.head.algs = then->head.algs;
    memcpy(a.head.key_id, then->head.key_id, sizeof a.head.key_id);
    if (cm_msg_view(c->request, M_SignHMMSettlementRequest_nonce).n == 0)
        memcpy(a.head.nonce, then->head.nonce, sizeof a.head.nonce);
    return cm_view_eq(cm_view_of(a.head.realm, 32), cm_view_of(then->head.realm, 32)) &&
           a.head.expires_ms == then->head.expires_ms &&
           cm_view_eq(cm_view_of(a.head.nonce, 32), cm_view_of(then->head.nonce, 32)) &&
           cm_view_eq(cm_view_of(a.job, 32), cm_view_of(then->job, 32)) &&
           cm_view_eq(cm_view_of(a.provider, 20), cm_view_of(then->provider, 20)) &&
           cm_view_eq(cm_view_of(a.consumer, 20), cm_view_of(then->consumer, 20)) &&
           cm_view_eq(cm_view_of(a.asset, 20), cm_view_of(then->asset, 20)) &&
           cm_u256_compare(&a.amount, &then->amount) == 0 &&
           cm_view_eq(cm_view_of(a.receipt, 32), cm_view_of(then->receipt, 32));
}

static cm_err answer_again(cm_call *c, const cm_msg *kept)
{
    struct cm_call_state *st = c->state;
    cm_view record = cm_msg_view(kept, M_SettlementRecord_record);

    st->request = cm_msg_view(kept, M_SettlementRecord_digest);
    st->key_version = cm_msg_number(kept, M_SettlementRecord_version, 0);
    CM_TRY(cm_svc_keep(c, &record));
    CM_TRY(cm_svc_keep(c, &st->request));
    cm_set_view(c->answer, M_SignMarketAnswer_record, record);
    cm_set_view(c->answer, M_SignMarketAnswer_digest, st->request);
    cm_set_number(c->answer, M_SignMarketAnswer_version, st->key_version);
    cm_set_number(c->answer, M_SignMarketAnswer_again, true);
    return CM_OKAY;
}

static cm_err row_path(cm_call *c, cm_view *out, const cm_settlement *s)
{
    return CM_PATH(c, out, c->state->tenant, CM_LIT(CM_SVC_SETTLEMENT), CM_VIEW(s->head.realm),
                   CM_VIEW(s->job));
}

/* *kept: what was signed for this job. The row, or that there is none, is expected: of two who ask
 * at once, the second comes here again. */
static cm_err find(cm_call *c, const cm_settlement *s, const cm_msg **kept)
{
    const cm_svc_row *row;
    cm_settlement then;
    cm_view path;
    cm_err e;

    CM_TRY(row_path(c, &path, s));
    e = cm_svc_read(c, &row, path, &cm_message_SettlementRecord);
    if (cm_is(e, CM_STORE_NO_ROW))
        return CM_OKAY;
    CM_TRY(e);
    if (cm_msg_view(row->msg, M_SettlementRecord_record).n < CM_SETTLE_SIZE)
        return CM_FAIL(SVC_RECORD);
    CM_TRY(cm_settle_decode(
        &then, cm_view_sub(cm_msg_view(row->msg, M_SettlementRecord_record), 0, CM_SETTLE_SIZE)));
    if (!same(c, s, &then) ||
        !cm_view_eq(cm_msg_view(row->msg, M_SettlementRecord_key), c->state->resource) ||
        !cm_view_eq(cm_msg_view(row->msg, M_SettlementRecord_second_key), second_key(c)))
        return CM_FAIL(MARKET_SETTLED); /* V-67 */
    *kept = row->msg;
    return CM_OKAY;
}

/* ---- signing ---- */

/* V-67: for good, whatever key signs. The record is kept for as long as somebody may need it. */
static cm_err settle_once(cm_call *c, const cm_settlement *s)
{
    CM_TRY(cm_market_once(c, "settled", CM_VIEW(s->head.realm), CM_VIEW(s->job), UINT64_MAX,
                          CM_FAIL(MARKET_SETTLED)));
    CM_TRY(cm_market_once(c, "settled-receipt", CM_VIEW(s->head.realm), CM_VIEW(s->receipt),
                          UINT64_MAX, CM_FAIL(MARKET_SETTLED)));
    return cm_market_due(c, CM_SVC_SETTLEMENT, CM_VIEW(s->head.realm), CM_VIEW(s->job),
                         s->head.expires_ms + CM_DAY_MS);
}

cm_err cm_do_sign_settlement(cm_call *c)
{
    CM_AUTO(cm_market_set_done) cm_market_set k = {0};
    uint8_t bytes[CM_SETTLE_SIZE], digest[32];
    cm_settlement s = {.amount = {{0}}};
    const cm_msg *kept = NULL;

    CM_TRY(fields(c, &s));
    CM_TRY(name_receipt(c, &s));
    CM_TRY(cm_market_set_of(c, &k, cm_msg_number(c->request, M_SignHMMSettlementRequest_version, 0),
                            CM_USE_PROTECT));
    CM_TRY(find(c, &s, &kept));
    if (kept)
        return answer_again(c, kept);
    CM_TRY(bind(c, &s, &k));
    s.head.algs = k.algs;
    memcpy(s.head.key_id, k.id, sizeof k.id);
    CM_TRY(cm_settle_encode(bytes, &s));
    CM_TRY(cm_settle_digest(c->svc->o.crypt, digest, &s));
    CM_TRY(settle_once(c, &s));
    CM_TRY(cm_arena_copy(c->arena, &c->state->text, CM_VIEW(bytes)));
    CM_TRY(cm_arena_copy(c->arena, &c->state->request, CM_VIEW(digest)));
    return cm_market_ask(c, &k, 1, sizeof bytes, "casemate-hmm-v1");
}

/* V-74: in the unit that settles it. */
cm_err cm_do_sign_settlement_made(cm_call *c)
{
    struct cm_call_state *st = c->state;
    cm_settlement s;
    cm_view path;
    cm_msg *m;

    CM_TRY(cm_market_made(c, CM_SETTLE_SIZE));
    CM_TRY(cm_settle_decode(&s, st->text));
    CM_TRY(row_path(c, &path, &s));
    CM_TRY(cm_svc_new_msg(c, &m, &cm_message_SettlementRecord));
    cm_set_same(m, M_SettlementRecord_record, c->answer, M_SignMarketAnswer_record);
    cm_set_view(m, M_SettlementRecord_digest, st->request);
    cm_set_number(m, M_SettlementRecord_version, st->key_version);
    cm_set_view(m, M_SettlementRecord_key, st->resource);
    cm_set_view(m, M_SettlementRecord_second_key, second_key(c));
    cm_set_number(m, M_SettlementRecord_format, 1);
    return cm_svc_write(c, path, 1, m);
}
