/*
 * Many receipts at once: a Merkle batch under one signature (SignPoAIBatch, SignPoAIRoot), and
 * receipts of their own as the items of a Batch.
 */
#include "market/batch.h"
#include "svc/market_int.h"

/* ---- one signature over many ---- */

/* V-69: nobody can bring these about but by the batch's own nonce, which is counted. */
static cm_err member_nonce(cm_call *c, uint8_t out[32], const cm_market_head *head, uint64_t i)
{
    static const char label[] = "casemate/poai/member/v1";
    uint8_t in[sizeof label + 32 + 32 + 8];

    memcpy(in, label, sizeof label);
    memcpy(in + sizeof label, head->key_id, 32);
    memcpy(in + sizeof label + 32, head->nonce, 32);
    cm_put_be64(in + sizeof label + 64, i);
    return cm_hash_once(c->svc->o.crypt, CM_SHA256, out, CM_VIEW(in));
}

typedef struct {
    cm_poai *r;
    uint8_t (*leaf)[32];
    size_t n;
} members;

static cm_err members_of(cm_call *c, members *m, const cm_market_head *head)
{
    const cm_msg_value *v = &c->request->v[M_SignPoAIBatchRequest_receipts];

    m->n = v->n;
    CM_TRY(cm_arena_get(c->arena, &m->r, m->n * sizeof *m->r));
    CM_TRY(cm_arena_get(c->arena, &m->leaf, m->n * sizeof *m->leaf));
    for (size_t i = 0; i < m->n; i++) {
        cm_poai *r = &m->r[i];

        *r = (cm_poai){.head = *head};
        if (cm_msg_view(v->msgs[i], M_PoAIItem_nonce).n)
            return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "receipts: nonce");
        CM_TRY(cm_market_poai(c, r, v->msgs[i], M_PoAIItem_model));
        CM_TRY(member_nonce(c, r->head.nonce, head, i));
        CM_TRY(cm_batch_leaf(m->leaf[i], r, head->key_id));
    }
    return CM_OKAY;
}

/* Each without the head: that is the same for all, and is answered once. */
static cm_err answer_members(cm_call *c, const members *m, const cm_batch_tree *tree)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_MARKET_RECORD_MAX};
    cm_msg_value *v = &c->answer->v[M_SignPoAIBatchAnswer_receipts];
    cm_view none = {0}, root;

    CM_TRY(cm_arena_get(c->arena, &v->views, m->n * sizeof *v->views));
    for (size_t i = 0; i < m->n; i++) {
        b.n = 0;
        CM_TRY(cm_batch_record(&b, tree, i, &m->r[i], none));
        CM_TRY(cm_arena_copy(c->arena, &v->views[i], cm_buf_view(&b)));
    }
    v->set = true;
    v->n = m->n;
    CM_TRY(cm_arena_copy(c->arena, &root, cm_view_of(cm_batch_tree_root(tree), 32)));
    cm_set_view(c->answer, M_SignPoAIBatchAnswer_root, root);
    return CM_OKAY;
}

static cm_err ask_head(cm_call *c, const cm_market_set *k, cm_batch_head *b, cm_view nonce)
{
    uint8_t bytes[CM_BATCH_SIZE], hash[32];

    CM_TRY(cm_batch_encode(bytes, b));
    CM_TRY(cm_batch_digest(c->svc->o.crypt, hash, b));
    CM_TRY(cm_market_count_nonce(c, k, &b->head, nonce));
    CM_TRY(cm_arena_copy(c->arena, &c->state->text, CM_VIEW(bytes)));
    CM_TRY(cm_arena_copy(c->arena, &c->state->request, CM_VIEW(hash)));
    return cm_market_ask(c, k, 1, sizeof bytes, "casemate-poai-batch-v1");
}

/* Of either request. */
static cm_err head_of(cm_call *c, cm_market_set *k, cm_market_head *h, size_t realm, size_t ttl,
                      cm_view nonce, uint64_t version)
{
    CM_TRY(cm_market_times(c, h, realm, ttl, CM_POAI_TTL_MS));
    CM_TRY(cm_market_nonce(c, h->nonce, nonce));
    CM_TRY(cm_market_set_of(c, k, version, CM_USE_PROTECT));
    h->algs = k->algs;
    memcpy(h->key_id, k->id, sizeof k->id);
    return CM_OKAY;
}

cm_err cm_do_sign_poai_batch(cm_call *c)
{
    CM_AUTO(cm_market_set_done) cm_market_set k = {0};
    CM_AUTO(cm_batch_tree_free_ptr) cm_batch_tree *tree = NULL;
    cm_view nonce = cm_msg_view(c->request, M_SignPoAIBatchRequest_nonce);
    cm_batch_head b = {.count = 0};
    members m;

    CM_TRY(head_of(c, &k, &b.head, M_SignPoAIBatchRequest_realm, M_SignPoAIBatchRequest_ttl_ms,
                   nonce, cm_msg_number(c->request, M_SignPoAIBatchRequest_version, 0)));
    CM_TRY(members_of(c, &m, &b.head));
    CM_TRY(cm_batch_tree_new(&tree, (const uint8_t(*)[32])m.leaf, m.n));
    CM_TRY(answer_members(c, &m, tree));
    b.count = m.n;
    memcpy(b.root, cm_batch_tree_root(tree), sizeof b.root);
    return ask_head(c, &k, &b, nonce);
}

cm_err cm_do_sign_poai_batch_made(cm_call *c)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_MARKET_RECORD_MAX};
    cm_err e = cm_market_put(c, &b, 0, CM_BATCH_SIZE);
    cm_view v;

    if (cm_failed(e)) {
        c->state->decision = CM_AUDIT_FAIL;
        return e;
    }
    v = cm_buf_view(&b);
    CM_TRY(cm_svc_keep(c, &v));
    cm_set_view(c->answer, M_SignPoAIBatchAnswer_head, v);
    cm_set_number(c->answer, M_SignPoAIBatchAnswer_version, c->state->key_version);
    return CM_OKAY;
}

cm_err cm_do_sign_poai_root(cm_call *c)
{
    CM_AUTO(cm_market_set_done) cm_market_set k = {0};
    cm_view nonce = cm_msg_view(c->request, M_SignPoAIRootRequest_nonce);
    cm_batch_head b = {.count = cm_msg_number(c->request, M_SignPoAIRootRequest_count, 0)};

    CM_TRY(cm_market_fixed(c, b.root, 32, c->request, M_SignPoAIRootRequest_root, false));
    CM_TRY(head_of(c, &k, &b.head, M_SignPoAIRootRequest_realm, M_SignPoAIRootRequest_ttl_ms, nonce,
                   cm_msg_number(c->request, M_SignPoAIRootRequest_version, 0)));
    return ask_head(c, &k, &b, nonce);
}

cm_err cm_do_sign_poai_root_made(cm_call *c)
{
    return cm_market_made(c, CM_BATCH_SIZE);
}

/* ---- items of a Batch ---- */

/* Whether it is the item that is bad, and not we. */
static bool of_item(cm_err e)
{
    cm_class k = cm_err_class(e);

    return k == CM_CLASS_INVALID || k == CM_CLASS_MALFORMED;
}

typedef struct {
    uint8_t (*bytes)[CM_POAI_SIZE], (*digest)[32];
    cm_err *bad;
} wanted;

static cm_err item(cm_call *c, const cm_market_set *k, const cm_market_head *head, const cm_msg *m,
                   uint8_t bytes[CM_POAI_SIZE], uint8_t digest[32])
{
    cm_view nonce = cm_msg_view(m, M_PoAIItem_nonce);
    cm_poai r = {.head = *head};

    CM_TRY(cm_market_nonce(c, r.head.nonce, nonce));
    CM_TRY(cm_market_poai(c, &r, m, M_PoAIItem_model));
    CM_TRY(cm_poai_encode(bytes, &r));
    CM_TRY(cm_poai_digest(c->svc->o.crypt, digest, &r));
    return cm_market_count_nonce(c, k, &r.head, nonce);
}

static cm_err room(cm_call *c, wanted *w, size_t n)
{
    CM_TRY(cm_arena_get(c->arena, &w->bytes, n * sizeof *w->bytes));
    CM_TRY(cm_arena_get(c->arena, &w->digest, n * sizeof *w->digest));
    CM_TRY(cm_arena_get(c->arena, &w->bad, n * sizeof *w->bad));
    memset(w->bytes, 0, n * sizeof *w->bytes);
    memset(w->digest, 0, n * sizeof *w->digest);
    c->state->text = cm_view_of(w->bytes, n * sizeof *w->bytes);
    c->state->request = cm_view_of(w->digest, n * sizeof *w->digest);
    return CM_OKAY;
}

cm_err cm_market_items(cm_call *c, cm_msg *const *items, size_t n)
{
    CM_AUTO(cm_market_set_done) cm_market_set k = {0};
    cm_market_head head = {.algs = 0};
    struct cm_call_state *st = c->state;
    wanted w;

    CM_TRY(cm_market_times(c, &head, M_BatchRequest_realm, M_BatchRequest_ttl_ms, CM_POAI_TTL_MS));
    CM_TRY(cm_market_set_of(c, &k, cm_msg_number(c->request, M_BatchRequest_version, 0),
                            CM_USE_PROTECT));
    head.algs = k.algs;
    memcpy(head.key_id, k.id, sizeof k.id);
    CM_TRY(room(c, &w, n));
    for (size_t i = 0; i < n; i++) {
        w.bad[i] = item(c, &k, &head, items[i]->v[M_BatchItem_poai].msg, w.bytes[i], w.digest[i]);
        if (cm_failed(w.bad[i]) && !of_item(w.bad[i]))
            return w.bad[i];
    }
    CM_TRY(cm_market_ask(c, &k, n, CM_POAI_SIZE, "casemate-poai-v1"));
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; cm_failed(w.bad[i]) && j < k.n; j++)
            st->ops[i * k.n + j] = (cm_keyop){.result = w.bad[i]};
    return CM_OKAY;
}

cm_err cm_market_item_made(cm_call *c, size_t i, size_t parts, cm_msg *result)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_MARKET_RECORD_MAX};
    cm_keyop *op = &c->state->ops[i * parts];
    cm_view v;

    if (!op->code) { /* V-72 */
        cm_set_view(result, M_BatchResult_error, cm_view_str(cm_err_name(op->result)));
        return CM_OKAY;
    }
    CM_TRY(cm_market_put(c, &b, i, CM_POAI_SIZE));
    v = cm_buf_view(&b);
    CM_TRY(cm_svc_keep(c, &v));
    cm_set_view(result, M_BatchResult_data, v);
    cm_set_number(result, M_BatchResult_version, c->state->key_version);
    return CM_OKAY;
}
