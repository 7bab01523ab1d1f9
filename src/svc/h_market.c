/*
 * Receipts for inference and settlements (spec/market.md), signed with a key that is held here.
 * Nonces, jobs and receipts that were settled are counters of the store, bumped in the unit of the
 * very call: whichever node is first wins, restarts forget nothing, and a store that fails refuses
 * (V-66, V-67). Nonces are kept for a day longer than their receipts, in case a clock goes back.
 */
#include "svc/keyrec_int.h"

#include "market/receipt.h"

typedef struct {
    cm_sig_key *one;
    cm_market_keys keys;
    uint8_t id[32];
    uint16_t algs;
} market_key;

static void market_key_done(market_key *k)
{
    cm_sig_key_free(k->one);
}

static cm_err key_of(cm_call *c, market_key *k, cm_key_type type, cm_view public_key)
{
    if (type == CM_KEY_SECP256K1) {
        CM_TRY(cm_sig_from_public(&k->one, c->svc->o.crypt, CM_SIG_SECP256K1, public_key));
        k->keys.secp = k->one;
        k->algs = CM_MARKET_SECP;
    } else if (type == CM_KEY_ML_DSA_65) {
        CM_TRY(cm_svc_mldsa_key(&k->one, c->svc->o.crypt, public_key));
        k->keys.mldsa = k->one;
        k->algs = CM_MARKET_MLDSA;
    } else {
        return CM_FAIL(SVC_KEY_KIND);
    }
    return cm_market_key_id(c->svc->o.crypt, k->id, &k->keys);
}

/* The public half of the version that the call is about. */
static cm_err key_of_call(cm_call *c, market_key *k, uint64_t version)
{
    const cm_key_type_info *info;
    const cm_msg *r, *v;

    CM_TRY(cm_keyrec_of(c, &r, &info, CAN_SIGN, false));
    v = cm_keyrec_version(r, version, c->state->now);
    if (!v)
        return CM_FAIL(SVC_NO_VERSION);
    CM_TRY(cm_key_state_allows(cm_keyrec_state(r, v, c->state->now), CM_USE_PROCESS));
    c->state->key_version = cm_msg_number(v, M_SealedVersion_version, 0);
    return key_of(c, k, info->type, cm_msg_view(v, M_SealedVersion_public_key));
}

/* A field of exactly n bytes, or, where it may be missing, none. */
static cm_err fixed(cm_call *c, uint8_t *out, size_t n, size_t field, bool optional)
{
    cm_view v = cm_msg_view(c->request, field);

    if (v.n == 0 && optional)
        return CM_OKAY;
    if (v.n != n)
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), c->request->type->fields[field].name);
    memcpy(out, v.p, n);
    return CM_OKAY;
}

static cm_err head(cm_call *c, cm_market_head *h, size_t realm, size_t nonce, size_t ttl,
                   uint64_t longest)
{
    uint64_t term = cm_msg_number(c->request, ttl, longest);

    h->issued_ms = c->state->now;
    h->expires_ms = c->state->now + term;
    if (term == 0 || term > longest)
        return CM_FAIL(MARKET_TERM);
    CM_TRY(fixed(c, h->realm, 32, realm, true));
    CM_TRY(fixed(c, h->nonce, 32, nonce, true));
    return cm_msg_view(c->request, nonce).n ? CM_OKAY
                                            : cm_random(c->svc->o.crypt, h->nonce, sizeof h->nonce);
}

/* V-66: something that happens once in this tenant. The counters of one call stand together. */
static cm_err once(cm_call *c, const char *kind, cm_view a, cm_view b, uint64_t until, cm_err spent)
{
    struct cm_call_state *st = c->state;
    cm_view key;

    CM_TRY(CM_PATH(c, &key, st->tenant, cm_view_str(kind), a, b));
    if (cm_ok(st->once))
        st->once_from = st->unit.bumps_n;
    st->once = spent;
    CM_TRY(cm_svc_bump(c, key, 1, 1, until));
    st->once_to = st->unit.bumps_n;
    return CM_OKAY;
}

/* Asks for the signature over the statement; finish puts the record together. */
static cm_err ask(cm_call *c, const market_key *k, cm_view bytes, const uint8_t digest[32],
                  const char *context)
{
    struct cm_call_state *st = c->state;

    CM_TRY(cm_arena_copy(c->arena, &st->text, bytes));
    CM_TRY(cm_arena_copy(c->arena, &st->request, cm_view_of(digest, 32)));
    if (k->algs == CM_MARKET_SECP) {
        st->op.form = CM_FORM_DIGEST;
        st->op.data = st->request;
        st->op.context = CM_LIT("keccak256-recoverable");
    } else {
        st->op.data = st->text;
        st->op.context = cm_view_str(context);
    }
    return CM_OKAY;
}

static cm_err made(cm_call *c, size_t record, size_t digest, size_t version)
{
    struct cm_call_state *st = c->state;
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_MARKET_RECORD_MAX};
    bool secp = st->op.bind.type == CM_KEY_SECP256K1;
    cm_view v;

    CM_TRY(st->op.result);
    if (st->op.out.n != (secp ? CM_MARKET_SECP_SIG : CM_MARKET_MLDSA_SIG)) /* V-33 */
        return CM_FAIL(CRYPT_PROVIDER);
    if (secp && st->op.out.p[64] > 1) /* M-9 */
        return CM_FAIL(CRYPT_PROVIDER);
    if (secp)
        st->op.out.p[64] = (uint8_t)(st->op.out.p[64] + 27);
    CM_TRY(cm_buf_append(&b, st->text));
    CM_TRY(cm_buf_append(&b, cm_buf_view(&st->op.out)));
    v = cm_buf_view(&b);
    CM_TRY(cm_svc_keep(c, &v));
    cm_set_view(c->answer, record, v);
    cm_set_view(c->answer, digest, st->request);
    cm_set_number(c->answer, version, st->key_version);
    return CM_OKAY;
}

/* ---- receipts ---- */

static cm_err poai_fields(cm_call *c, cm_poai *r)
{
    const cm_msg *q = c->request;

    CM_TRY(head(c, &r->head, M_SignPoAIRequest_realm, M_SignPoAIRequest_nonce,
                M_SignPoAIRequest_ttl_ms, CM_POAI_TTL_MS));
    CM_TRY(fixed(c, r->model, 32, M_SignPoAIRequest_model, false));
    CM_TRY(fixed(c, r->node, 32, M_SignPoAIRequest_node, false));
    CM_TRY(fixed(c, r->input, 32, M_SignPoAIRequest_input, false));
    CM_TRY(fixed(c, r->output, 32, M_SignPoAIRequest_output, false));
    CM_TRY(fixed(c, r->attestation, 32, M_SignPoAIRequest_attestation, true));
    CM_TRY(fixed(c, r->proof, 32, M_SignPoAIRequest_proof, true));
    r->compute_ms = cm_msg_number(q, M_SignPoAIRequest_compute_ms, 0);
    r->claims =
        (uint16_t)((q->v[M_SignPoAIRequest_attestation].set ? CM_MARKET_ATTESTED : 0) |
                   (q->v[M_SignPoAIRequest_proof].set ? CM_MARKET_PROVEN : 0) |
                   (cm_msg_number(q, M_SignPoAIRequest_model_root, 0) ? CM_MARKET_MODEL_ROOT : 0));
    return CM_OKAY;
}

cm_err cm_do_sign_poai(cm_call *c)
{
    CM_AUTO(market_key_done) market_key k = {0};
    uint8_t bytes[CM_POAI_SIZE], digest[32];
    cm_poai r = {.claims = 0};

    CM_TRY(poai_fields(c, &r));
    CM_TRY(cm_keyrec_use(c, CM_KEYOP_SIGN, CAN_SIGN, CM_USE_PROTECT,
                         cm_msg_number(c->request, M_SignPoAIRequest_version, 0), false));
    CM_TRY(key_of_call(c, &k, c->state->key_version));
    r.head.algs = k.algs;
    memcpy(r.head.key_id, k.id, sizeof k.id);
    CM_TRY(cm_poai_encode(bytes, &r));
    CM_TRY(cm_poai_digest(c->svc->o.crypt, digest, &r));
    CM_TRY(once(c, "poai", CM_VIEW(k.id), CM_VIEW(r.head.nonce), r.head.expires_ms + CM_DAY_MS,
                CM_FAIL(MARKET_REPLAY)));
    return ask(c, &k, CM_VIEW(bytes), digest, "casemate-poai-v1");
}

cm_err cm_do_sign_poai_made(cm_call *c)
{
    return made(c, M_SignMarketAnswer_record, M_SignMarketAnswer_digest,
                M_SignMarketAnswer_version);
}

static cm_market_policy policy_of(cm_call *c, const uint8_t *realm)
{
    return (cm_market_policy){
        .now_ms = c->state->now, .skew_ms = CM_MARKET_SKEW_MS, .realm = realm};
}

/* What is wrong with a record is an answer; what is wrong with us is an error. */
static cm_err verdict(cm_call *c, cm_err e)
{
    cm_class k = cm_err_class(e);

    if (cm_failed(e) && (k == CM_CLASS_INTERNAL || k == CM_CLASS_EXHAUSTED || k == CM_CLASS_IO))
        return e;
    cm_set_number(c->answer, M_VerifyMarketAnswer_valid, cm_ok(e));
    cm_set_number(c->answer, M_VerifyMarketAnswer_version, c->state->key_version);
    if (cm_failed(e))
        cm_set_view(c->answer, M_VerifyMarketAnswer_why, cm_view_str(cm_err_name(e)));
    return CM_OKAY;
}

static cm_err verify_realm(cm_call *c, uint8_t realm[32], const uint8_t **out)
{
    CM_TRY(fixed(c, realm, 32, M_VerifyMarketRequest_realm, true));
    *out = cm_msg_view(c->request, M_VerifyMarketRequest_realm).n ? realm : NULL;
    return CM_OKAY;
}

cm_err cm_do_verify_poai(cm_call *c)
{
    CM_AUTO(market_key_done) market_key k = {0};
    uint8_t realm[32];
    const uint8_t *where;
    cm_market_policy p;
    cm_poai r;
    cm_err e;

    CM_TRY(verify_realm(c, realm, &where));
    CM_TRY(key_of_call(c, &k, cm_msg_number(c->request, M_VerifyMarketRequest_version, 0)));
    p = policy_of(c, where);
    e = cm_poai_verify(&r, c->svc->o.crypt, &k.keys, &p,
                       cm_msg_view(c->request, M_VerifyMarketRequest_record));
    CM_TRY(verdict(c, e));
    if (cm_failed(e) || !cm_msg_number(c->request, M_VerifyMarketRequest_accept, 0))
        return CM_OKAY;
    return once(c, "poai-seen", CM_VIEW(k.id), CM_VIEW(r.head.nonce), r.head.expires_ms + CM_DAY_MS,
                CM_FAIL(MARKET_REPLAY));
}

/* ---- settlements ---- */

/* M-15: the receipt verifies under the key itself, or under the public key that the caller trusts.
 */
static cm_err receipt_of(cm_call *c, cm_poai *r, const market_key *own)
{
    CM_AUTO(market_key_done) market_key other = {0};
    cm_view pk = cm_msg_view(c->request, M_SignHMMSettlementRequest_receipt_public_key);
    cm_market_policy p = policy_of(c, NULL);
    const cm_market_keys *keys = &own->keys;

    if (pk.n) {
        CM_TRY(key_of(c, &other, pk.n <= 65 ? CM_KEY_SECP256K1 : CM_KEY_ML_DSA_65, pk));
        keys = &other.keys;
    }
    return cm_poai_verify(r, c->svc->o.crypt, keys, &p,
                          cm_msg_view(c->request, M_SignHMMSettlementRequest_receipt));
}

static cm_err settle_fields(cm_call *c, cm_settlement *s)
{
    const cm_msg *q = c->request;

    CM_TRY(head(c, &s->head, M_SignHMMSettlementRequest_realm, M_SignHMMSettlementRequest_nonce,
                M_SignHMMSettlementRequest_ttl_ms, CM_SETTLE_TTL_MS));
    CM_TRY(fixed(c, s->job, 32, M_SignHMMSettlementRequest_job, false));
    CM_TRY(fixed(c, s->provider, 20, M_SignHMMSettlementRequest_provider, false));
    CM_TRY(fixed(c, s->consumer, 20, M_SignHMMSettlementRequest_consumer, false));
    CM_TRY(fixed(c, s->asset, 20, M_SignHMMSettlementRequest_asset, true));
    if (!cm_view_eq(cm_msg_view(q, M_SignHMMSettlementRequest_unit), CM_LIT("wei")))
        return CM_FAIL(MARKET_UNIT); /* M-4 */
    return cm_u256_parse(&s->amount, cm_msg_view(q, M_SignHMMSettlementRequest_amount));
}

static cm_err bind(cm_call *c, cm_settlement *s, const market_key *k)
{
    cm_poai r;

    CM_TRY(receipt_of(c, &r, k));
    CM_TRY(cm_poai_digest(c->svc->o.crypt, s->receipt, &r));
    return cm_settle_binds(c->svc->o.crypt, s, &r, CM_MARKET_SKEW_MS);
}

cm_err cm_do_sign_settlement(cm_call *c)
{
    CM_AUTO(market_key_done) market_key k = {0};
    uint8_t bytes[CM_SETTLE_SIZE], digest[32];
    cm_settlement s = {.amount = {{0}}};

    CM_TRY(settle_fields(c, &s));
    CM_TRY(cm_keyrec_use(c, CM_KEYOP_SIGN, CAN_SIGN, CM_USE_PROTECT,
                         cm_msg_number(c->request, M_SignHMMSettlementRequest_version, 0), false));
    CM_TRY(key_of_call(c, &k, c->state->key_version));
    CM_TRY(bind(c, &s, &k));
    s.head.algs = k.algs;
    memcpy(s.head.key_id, k.id, sizeof k.id);
    CM_TRY(cm_settle_encode(bytes, &s));
    CM_TRY(cm_settle_digest(c->svc->o.crypt, digest, &s));
    /* V-67: for good, whatever key signs. */
    CM_TRY(once(c, "settled", CM_VIEW(s.head.realm), CM_VIEW(s.job), UINT64_MAX,
                CM_FAIL(MARKET_SETTLED)));
    CM_TRY(once(c, "settled-receipt", CM_VIEW(s.head.realm), CM_VIEW(s.receipt), UINT64_MAX,
                CM_FAIL(MARKET_SETTLED)));
    return ask(c, &k, CM_VIEW(bytes), digest, "casemate-hmm-v1");
}

cm_err cm_do_verify_settlement(cm_call *c)
{
    CM_AUTO(market_key_done) market_key k = {0};
    uint8_t realm[32];
    const uint8_t *where;
    cm_market_policy p;
    cm_settlement s;
    cm_err e;

    CM_TRY(verify_realm(c, realm, &where));
    CM_TRY(key_of_call(c, &k, cm_msg_number(c->request, M_VerifyMarketRequest_version, 0)));
    p = policy_of(c, where);
    e = cm_settle_verify(&s, c->svc->o.crypt, &k.keys, &p,
                         cm_msg_view(c->request, M_VerifyMarketRequest_record));
    CM_TRY(verdict(c, e));
    if (cm_failed(e) || !cm_msg_number(c->request, M_VerifyMarketRequest_accept, 0))
        return CM_OKAY;
    return once(c, "paid", CM_VIEW(s.head.realm), CM_VIEW(s.job), UINT64_MAX,
                CM_FAIL(MARKET_SETTLED));
}
