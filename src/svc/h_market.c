/*
 * Receipts for inference and settlements (spec/market.md), signed with keys that are held here: one
 * key, or one of each algorithm. What all of the operations share, SignPoAI, and the verification
 * of both kinds.
 */
#include "svc/market_int.h"

/* ---- keys ---- */

void cm_market_set_done(cm_market_set *k)
{
    cm_sig_key_free(k->secp);
    cm_sig_key_free(k->mldsa);
}

static cm_err add(cm_call *c, cm_market_set *k, cm_key_type type, cm_view pk)
{
    const cm_crypt *crypt = c->svc->o.crypt;

    if (type == CM_KEY_SECP256K1 && !k->secp) {
        CM_TRY(cm_sig_from_public(&k->secp, crypt, CM_SIG_SECP256K1, pk));
        k->algs |= CM_MARKET_SECP;
    } else if (type == CM_KEY_ML_DSA_65 && !k->mldsa) {
        CM_TRY(cm_svc_mldsa_key(&k->mldsa, crypt, pk));
        k->algs |= CM_MARKET_MLDSA;
    } else {
        return CM_FAIL(SVC_KEY_KIND);
    }
    k->keys = (cm_market_keys){k->secp, k->mldsa};
    return cm_market_key_id(crypt, k->id, &k->keys);
}

cm_err cm_market_set_add(cm_call *c, cm_market_set *k, cm_view public_key)
{
    return add(c, k, public_key.n <= 65 ? CM_KEY_SECP256K1 : CM_KEY_ML_DSA_65, public_key);
}

static cm_err add_part(cm_call *c, cm_market_set *k, const cm_msg *record, cm_view path,
                       uint64_t version, unsigned use)
{
    cm_key_type type = (cm_key_type)cm_msg_number(record, M_KeyRecord_type, 0);
    bool first = k->algs == 0;
    const cm_msg *v;
    cm_keyop *op;

    if (cm_msg_number(record, M_KeyRecord_model, 0))
        return CM_FAIL(SVC_KEYSPACE_KIND);
    if (type != CM_KEY_SECP256K1 && type != CM_KEY_ML_DSA_65)
        return CM_FAIL(SVC_KEY_KIND);
    CM_TRY(cm_keyrec_pick(c, &v, record, version, use));
    CM_TRY(add(c, k, type, cm_msg_view(v, M_SealedVersion_public_key)));
    if (first)
        c->state->key_version = cm_msg_number(v, M_SealedVersion_version, 0);
    if (use == CM_USE_PROCESS)
        return CM_OKAY;
    if (!first && type == CM_KEY_SECP256K1) /* a record has its signature first (M-9) */
        k->op[1] = k->op[0];
    op = &k->op[!first && type != CM_KEY_SECP256K1];
    k->n++;
    *op = (cm_keyop){.code = CM_KEYOP_SIGN};
    if (type == CM_KEY_SECP256K1) {
        op->form = CM_FORM_DIGEST;
        op->context = CM_LIT("keccak256-recoverable");
    }
    return cm_keyrec_bind_op(c, op, path, record, v);
}

static cm_view cosigner_of(const cm_msg *record)
{
    return cm_msg_view(record, M_KeyRecord_cosigner);
}

/* V-75: who demands another is not used without it, on either side, by signer or verifier. */
static cm_err add_second(cm_call *c, cm_market_set *k, unsigned use)
{
    struct cm_call_state *st = c->state;
    const cm_msg_value *named = cm_field_by_number(c->request, CM_FIELD_SECOND_KEY);
    const cm_msg_value *version = cm_field_by_number(c->request, CM_FIELD_SECOND_VERSION);
    cm_view demanded = cosigner_of(st->key_record), path;
    cm_view name = named ? named->view : demanded;
    const cm_svc_row *row;
    cm_err e;

    if (name.n == 0)
        return CM_OKAY;
    if (demanded.n && !cm_view_eq(name, demanded))
        return cm_svc_wrong(c, CM_FAIL(MARKET_POLICY), "second_key: the key demands another");
    CM_TRY(cm_svc_name_check(name));
    CM_TRY(cm_svc_key_path(c, &path, st->tenant, st->keyspace, name));
    e = cm_svc_read(c, &row, path, &cm_message_KeyRecord);
    if (cm_failed(e) && !cm_is(e, CM_STORE_NO_ROW))
        return e;
    CM_TRY(cm_svc_decide_also(c, cm_view_str(st->acts->name), CM_PERM_USE, name,
                              cm_ok(e) ? row->msg : NULL));
    if (cm_failed(e))
        return cm_svc_wrong(c, CM_FAIL(SVC_NO_KEY), "second_key");
    if (cosigner_of(row->msg).n && !cm_view_eq(cosigner_of(row->msg), st->key))
        return cm_svc_wrong(c, CM_FAIL(MARKET_POLICY), "second_key: it demands another");
    return add_part(c, k, row->msg, path, version ? version->number : 0, use);
}

cm_err cm_market_set_of(cm_call *c, cm_market_set *k, uint64_t version, unsigned use)
{
    if (!c->state->key_record)
        return CM_FAIL(SVC_NO_KEY);
    CM_TRY(add_part(c, k, c->state->key_record, c->state->resource, version, use));
    return add_second(c, k, use);
}

/* ---- fields ---- */

cm_err cm_market_fixed(cm_call *c, uint8_t *out, size_t n, const cm_msg *m, size_t field,
                       bool optional)
{
    cm_view v = cm_msg_view(m, field);

    if (v.n == 0 && optional)
        return CM_OKAY;
    if (v.n != n)
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), m->type->fields[field].name);
    memcpy(out, v.p, n);
    return CM_OKAY;
}

cm_err cm_market_times(cm_call *c, cm_market_head *h, size_t realm, size_t ttl, uint64_t longest)
{
    uint64_t term = cm_msg_number(c->request, ttl, longest);

    h->issued_ms = c->state->now;
    h->expires_ms = c->state->now + term;
    if (term == 0 || term > longest)
        return CM_FAIL(MARKET_TERM);
    return cm_market_fixed(c, h->realm, 32, c->request, realm, true);
}

/* Nonces drawn here begin with a mark that nobody else's may have. So no row has to be kept of
 * them: they are random, and can't be brought a second time. */
static const char drawn[] = "casemate";
enum { MARK = sizeof drawn - 1 };

cm_err cm_market_nonce(cm_call *c, uint8_t out[32], cm_view given)
{
    if (given.n == 0) {
        memcpy(out, drawn, MARK);
        return cm_random(c->svc->o.crypt, out + MARK, 32 - MARK);
    }
    if (given.n != 32 || cm_view_eq(cm_view_sub(given, 0, MARK), cm_view_of(drawn, MARK)))
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "nonce");
    memcpy(out, given.p, 32);
    return CM_OKAY;
}

cm_err cm_market_count_nonce(cm_call *c, const cm_market_set *k, const cm_market_head *h,
                             cm_view given)
{
    if (given.n == 0)
        return CM_OKAY;
    return cm_market_once(c, "poai", CM_VIEW(k->id), CM_VIEW(h->nonce), h->expires_ms + CM_DAY_MS,
                          CM_FAIL(MARKET_REPLAY));
}

cm_err cm_market_poai(cm_call *c, cm_poai *r, const cm_msg *m, size_t first)
{
    enum { MODEL, INPUT, OUTPUT, NODE, COMPUTE_MS, ATTESTATION, PROOF, MODEL_ROOT };

    CM_TRY(cm_market_fixed(c, r->model, 32, m, first + MODEL, false));
    CM_TRY(cm_market_fixed(c, r->input, 32, m, first + INPUT, false));
    CM_TRY(cm_market_fixed(c, r->output, 32, m, first + OUTPUT, false));
    CM_TRY(cm_market_fixed(c, r->node, 32, m, first + NODE, false));
    CM_TRY(cm_market_fixed(c, r->attestation, 32, m, first + ATTESTATION, true));
    CM_TRY(cm_market_fixed(c, r->proof, 32, m, first + PROOF, true));
    r->compute_ms = cm_msg_number(m, first + COMPUTE_MS, 0);
    r->claims = (uint16_t)((m->v[first + ATTESTATION].set ? CM_MARKET_ATTESTED : 0) |
                           (m->v[first + PROOF].set ? CM_MARKET_PROVEN : 0) |
                           (cm_msg_number(m, first + MODEL_ROOT, 0) ? CM_MARKET_MODEL_ROOT : 0));
    return CM_OKAY;
}

/* ---- signing ---- */

cm_err cm_market_ask(cm_call *c, const cm_market_set *k, size_t n, size_t size, const char *context)
{
    struct cm_call_state *st = c->state;
    cm_keyop *op;

    CM_TRY(cm_arena_get(c->arena, &op, n * k->n * sizeof *op));
    st->ops = op;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < k->n; j++, op++) {
            *op = k->op[j];
            if (op->form == CM_FORM_DIGEST) {
                op->data = cm_view_sub(st->request, i * 32, 32);
            } else {
                op->data = cm_view_sub(st->text, i * size, size);
                op->context = cm_view_str(context);
            }
        }
    st->ops_n = n * k->n;
    st->from = 0;
    st->to = st->ops_n;
    st->want_op = true;
    return CM_OKAY;
}

static cm_err append_signature(cm_buf *b, cm_keyop *op)
{
    bool secp = op->bind.type == CM_KEY_SECP256K1;

    CM_TRY(op->result);
    if (op->out.n != (secp ? CM_MARKET_SECP_SIG : CM_MARKET_MLDSA_SIG)) /* V-33 */
        return CM_FAIL(CRYPT_PROVIDER);
    if (!secp)
        return cm_buf_append(b, cm_buf_view(&op->out));
    if (op->out.p[64] > 1) /* M-9 */
        return CM_FAIL(CRYPT_PROVIDER);
    CM_TRY(cm_buf_append(b, cm_view_of(op->out.p, 64)));
    return cm_buf_byte(b, (uint8_t)(op->out.p[64] + 27));
}

cm_err cm_market_put(cm_call *c, cm_buf *b, size_t i, size_t size)
{
    struct cm_call_state *st = c->state;
    size_t parts = st->ops_n / (st->text.n / size);

    CM_TRY(cm_buf_append(b, cm_view_sub(st->text, i * size, size)));
    for (size_t j = 0; j < parts; j++)
        CM_TRY(append_signature(b, &st->ops[i * parts + j]));
    return CM_OKAY;
}

cm_err cm_market_made(cm_call *c, size_t size)
{
    struct cm_call_state *st = c->state;
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_MARKET_RECORD_MAX};
    cm_err e = cm_market_put(c, &b, 0, size);
    cm_view v;

    if (cm_failed(e)) {
        st->decision = CM_AUDIT_FAIL;
        return e;
    }
    v = cm_buf_view(&b);
    CM_TRY(cm_svc_keep(c, &v));
    cm_set_view(c->answer, M_SignMarketAnswer_record, v);
    cm_set_view(c->answer, M_SignMarketAnswer_digest, st->request);
    cm_set_number(c->answer, M_SignMarketAnswer_version, st->key_version);
    return CM_OKAY;
}

cm_err cm_do_sign_poai(cm_call *c)
{
    CM_AUTO(cm_market_set_done) cm_market_set k = {0};
    cm_view nonce = cm_msg_view(c->request, M_SignPoAIRequest_nonce);
    uint8_t bytes[CM_POAI_SIZE], digest[32];
    cm_poai r = {.claims = 0};

    CM_TRY(cm_market_times(c, &r.head, M_SignPoAIRequest_realm, M_SignPoAIRequest_ttl_ms,
                           CM_POAI_TTL_MS));
    CM_TRY(cm_market_nonce(c, r.head.nonce, nonce));
    CM_TRY(cm_market_poai(c, &r, c->request, M_SignPoAIRequest_model));
    CM_TRY(cm_market_set_of(c, &k, cm_msg_number(c->request, M_SignPoAIRequest_version, 0),
                            CM_USE_PROTECT));
    r.head.algs = k.algs;
    memcpy(r.head.key_id, k.id, sizeof k.id);
    CM_TRY(cm_poai_encode(bytes, &r));
    CM_TRY(cm_poai_digest(c->svc->o.crypt, digest, &r));
    CM_TRY(cm_market_count_nonce(c, &k, &r.head, nonce));
    CM_TRY(cm_arena_copy(c->arena, &c->state->text, CM_VIEW(bytes)));
    CM_TRY(cm_arena_copy(c->arena, &c->state->request, CM_VIEW(digest)));
    return cm_market_ask(c, &k, 1, sizeof bytes, "casemate-poai-v1");
}

cm_err cm_do_sign_poai_made(cm_call *c)
{
    return cm_market_made(c, CM_POAI_SIZE);
}

/* ---- verifying ---- */

typedef struct {
    cm_market_set k;
    uint8_t realm[32];
    cm_market_policy policy;
    cm_view record;
} checking;

static void checking_done(checking *v)
{
    cm_market_set_done(&v->k);
}

/* With whose keys, and what is demanded. */
static cm_err check_begin(cm_call *c, checking *v)
{
    const cm_msg *q = c->request;

    CM_TRY(cm_market_fixed(c, v->realm, 32, q, M_VerifyMarketRequest_realm, true));
    CM_TRY(cm_market_set_of(c, &v->k, cm_msg_number(q, M_VerifyMarketRequest_version, 0),
                            CM_USE_PROCESS));
    v->policy = (cm_market_policy){
        .need = (uint16_t)cm_msg_number(q, M_VerifyMarketRequest_signed_by, 0),
        .now_ms = c->state->now,
        .skew_ms = CM_MARKET_SKEW_MS,
        .realm = cm_msg_view(q, M_VerifyMarketRequest_realm).n ? v->realm : NULL,
    };
    v->record = cm_msg_view(q, M_VerifyMarketRequest_record);
    return CM_OKAY;
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

static bool accepted(cm_call *c, cm_err e)
{
    return cm_ok(e) && cm_msg_number(c->request, M_VerifyMarketRequest_accept, 0);
}

static cm_err say_unproven(cm_call *c, const cm_poai *r)
{
    cm_msg_value *v = &c->answer->v[M_VerifyMarketAnswer_unproven];
    const char *text;

    CM_TRY(cm_arena_get(c->arena, &v->views, 8 * sizeof *v->views));
    v->set = true;
    for (v->n = 0; v->n < 8 && (text = cm_poai_unproven(r, v->n)); v->n++)
        v->views[v->n] = cm_view_str(text);
    return CM_OKAY;
}

cm_err cm_do_verify_poai(cm_call *c)
{
    CM_AUTO(checking_done) checking v = {.policy = {.need = 0}};
    cm_poai r;
    cm_err e;

    CM_TRY(check_begin(c, &v));
    e = cm_poai_verify(&r, c->svc->o.crypt, &v.k.keys, &v.policy, v.record);
    CM_TRY(verdict(c, e));
    if (cm_ok(e))
        CM_TRY(say_unproven(c, &r));
    if (!accepted(c, e))
        return CM_OKAY;
    return cm_market_once(c, "poai-seen", CM_VIEW(v.k.id), CM_VIEW(r.head.nonce),
                          r.head.expires_ms + CM_DAY_MS, CM_FAIL(MARKET_REPLAY));
}

/* M-15, where the receipt is there. */
static cm_err names_receipt(cm_call *c, const cm_settlement *s)
{
    cm_view record = cm_msg_view(c->request, M_VerifyMarketRequest_receipt);
    cm_poai r;

    if (record.n == 0)
        return CM_OKAY;
    CM_TRY(cm_poai_decode(&r, cm_view_sub(record, 0, CM_MIN(record.n, (size_t)CM_POAI_SIZE))));
    return cm_settle_binds(c->svc->o.crypt, s, &r, CM_MARKET_SKEW_MS);
}

cm_err cm_do_verify_settlement(cm_call *c)
{
    CM_AUTO(checking_done) checking v = {.policy = {.need = 0}};
    cm_settlement s;
    cm_err e;

    CM_TRY(check_begin(c, &v));
    e = cm_settle_verify(&s, c->svc->o.crypt, &v.k.keys, &v.policy, v.record);
    if (cm_ok(e))
        e = names_receipt(c, &s);
    CM_TRY(verdict(c, e));
    if (!accepted(c, e))
        return CM_OKAY;
    return cm_market_once(c, "paid", CM_VIEW(s.head.realm), CM_VIEW(s.job), UINT64_MAX,
                          CM_FAIL(MARKET_SETTLED));
}
