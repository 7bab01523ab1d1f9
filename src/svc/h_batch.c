/* Many items under one key: one decision, one leaf, key operations side by side. */
#include "svc/market_int.h"

#include <stdio.h>

#include "keys/ring.h"

enum { WAVE = 64, ITEM_DIGEST = 36, MAX = 128 }; /* WAVE: of one call with the keeper at once */

/* By the operation's number in the request. made: the log binds results, else what was given. */
static const struct kind {
    const char *name;
    cm_keyop_code code;
    unsigned can, use;
    bool names_version, budget, made, poai;
} kinds[] = {
    {0},
    {"Sign", CM_KEYOP_SIGN, CAN_SIGN, CM_USE_PROTECT, false, false, true, false},
    {"Verify", CM_KEYOP_VERIFY, CAN_SIGN | CAN_THRESHOLD, CM_USE_PROCESS, false, false, false,
     false},
    {"Encrypt", CM_KEYOP_ENCRYPT, CAN_ENCRYPT, CM_USE_PROTECT, false, false, true, false},
    {"Decrypt", CM_KEYOP_DECRYPT, CAN_ENCRYPT, CM_USE_PROCESS, true, true, false, false},
    {"Decapsulate", CM_KEYOP_DECAPSULATE, CAN_KEM, CM_USE_PROCESS, false, true, false, false},
    {"Mac", CM_KEYOP_MAC, CAN_MAC, CM_USE_PROTECT, false, false, true, false},
    {"SignPoAI", CM_KEYOP_SIGN, CAN_SIGN, CM_USE_PROTECT, false, false, true, true},
};

static const struct kind *kind_of(const cm_call *c)
{
    uint64_t n = cm_msg_number(c->request, M_BatchRequest_operation, 0);

    return n && n < CM_COUNT(kinds) ? &kinds[n] : NULL;
}

static cm_msg **items_of(const cm_call *c, size_t *n)
{
    const cm_msg_value *v = &c->request->v[M_BatchRequest_items];

    *n = v->set ? v->n : 0;
    return v->msgs;
}

/* V-70, V-71 */
cm_err cm_svc_batch_counts(cm_call *c)
{
    struct cm_call_state *st = c->state;
    const struct kind *k;
    char name[64];
    size_t n;

    if (c->op->prepare != cm_do_batch)
        return CM_OKAY;
    k = kind_of(c);
    (void)items_of(c, &n);
    if (!k || n == 0 || n > MAX)
        return CM_OKAY; /* refused when it is known who asks */
    st->acts = cm_svc_op_by_name(cm_view_str(k->name));
    st->units = (unsigned)n;
    (void)snprintf(name, sizeof name, "%s/%zu", k->name, n);
    return cm_arena_copy(c->arena, &st->logged, cm_view_str(name));
}

/* Whether a failure is the item's own; else it is ours and fails the whole call. */
static bool of_item(cm_err e)
{
    cm_class k = cm_err_class(e);

    return k == CM_CLASS_INVALID || k == CM_CLASS_UNAUTHENTIC || k == CM_CLASS_DENIED;
}

/* ---- before ---- */

/* Asks for the key's version that the item needs, unless it is the one before's. */
static cm_err version_for(cm_call *c, const struct kind *k, const cm_msg *item)
{
    struct cm_call_state *st = c->state;
    uint64_t version = cm_msg_number(c->request, M_BatchRequest_version, 0);

    if (k->names_version &&
        (cm_failed(cm_keyop_version_of(&version, cm_msg_view(item, M_BatchItem_data))) ||
         version == 0))
        return CM_FAIL(SVC_CIPHERTEXT);
    if (st->op.code == k->code && (!k->names_version || st->op.bind.version == version))
        return CM_OKAY;
    cm_keyop_done_with(&st->op);
    memset(&st->op, 0, sizeof st->op);
    return cm_keyrec_use(c, k->code, k->can, k->use, version, false);
}

static cm_err prepare_item(cm_call *c, const struct kind *k, const cm_msg *item, cm_keyop *op)
{
    cm_view data = cm_msg_view(item, M_BatchItem_data);
    cm_err e = version_for(c, k, item);

    if (cm_failed(e)) {
        op->result = e;
        return k->names_version && of_item(e) ? CM_OKAY : e;
    }
    *op = c->state->op;
    op->data = data;
    op->context = cm_msg_view(item, M_BatchItem_context);
    op->form = (cm_keyop_form)cm_msg_number(item, M_BatchItem_form, 0);
    op->more = cm_msg_view(item, M_BatchItem_signature);
    return CM_OKAY;
}

/* What the operation does not take is refused, not ignored. */
static const char *wrong_with_poai(const cm_msg *item)
{
    for (size_t i = 0; i < M_BatchItem_n; i++)
        if (item->v[i].set != (i == M_BatchItem_poai))
            return i == M_BatchItem_poai ? "items: poai" : "items: sign_poai takes poai alone";
    return NULL;
}

static const char *wrong_with(const struct kind *k, const cm_msg *item)
{
    bool signature = k->code == CM_KEYOP_SIGN || k->code == CM_KEYOP_VERIFY;
    bool no_context = k->code == CM_KEYOP_DECAPSULATE || k->code == CM_KEYOP_MAC;

    if (k->poai)
        return wrong_with_poai(item);
    if (item->v[M_BatchItem_poai].set)
        return "items: poai";
    if (cm_msg_view(item, M_BatchItem_data).n == 0 && k->code != CM_KEYOP_ENCRYPT)
        return "items: data";
    if (cm_msg_number(item, M_BatchItem_form, 0) && !signature)
        return "items: form";
    if (cm_msg_view(item, M_BatchItem_context).n && no_context)
        return "items: context";
    if ((cm_msg_view(item, M_BatchItem_signature).n != 0) != (k->code == CM_KEYOP_VERIFY))
        return "items: signature";
    return NULL;
}

static cm_err check(cm_call *c, const struct kind *k, cm_msg *const *items, size_t n)
{
    if (!k)
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "operation");
    if (n == 0 || n > MAX)
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "items: 1 to 128");
    if ((k->code == CM_KEYOP_ENCRYPT || k->code == CM_KEYOP_DECRYPT) &&
        cm_msg_number(c->request, M_BatchRequest_version, 0))
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "version");
    if (!k->poai &&
        (c->request->v[M_BatchRequest_realm].set || c->request->v[M_BatchRequest_ttl_ms].set ||
         c->request->v[M_BatchRequest_second_key].set))
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "realm, ttl_ms, second_key: of sign_poai");
    for (size_t i = 0; i < n; i++) {
        const char *wrong = wrong_with(k, items[i]);

        if (wrong)
            return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), wrong);
    }
    return CM_OKAY;
}

static void next_wave(struct cm_call_state *st)
{
    st->from = st->to;
    st->to = CM_MIN(st->from + WAVE, st->ops_n);
    st->want_op = true;
}

static cm_err prepare_items(cm_call *c, const struct kind *k, cm_msg *const *items, size_t n)
{
    struct cm_call_state *st = c->state;
    cm_keyop *ops;

    CM_TRY(cm_arena_get(c->arena, &ops, n * sizeof *ops));
    memset(ops, 0, n * sizeof *ops);
    for (size_t i = 0; i < n; i++)
        CM_TRY(prepare_item(c, k, items[i], &ops[i]));
    st->ops = ops;
    st->ops_n = n;
    return CM_OKAY;
}

cm_err cm_do_batch(cm_call *c)
{
    struct cm_call_state *st = c->state;
    const struct kind *k = kind_of(c);
    const cm_key_type_info *info;
    const cm_msg *record;
    size_t n;
    cm_msg **items = items_of(c, &n);

    CM_TRY(check(c, k, items, n));
    memset(&st->op, 0, sizeof st->op);
    CM_TRY(cm_keyrec_of(c, &record, &info, k->can, false));
    CM_TRY(k->poai ? cm_market_items(c, items, n) : prepare_items(c, k, items, n));
    if (k->budget)
        CM_TRY(cm_keyrec_budget(c, record));
    st->to = 0;
    next_wave(st);
    return CM_OKAY;
}

/* ---- after ---- */

/* One result; the error that the log binds is left in op. */
static cm_err put_result(cm_call *c, const struct kind *k, cm_keyop *op, cm_msg *r)
{
    cm_view v = cm_buf_view(&op->out);
    cm_err e = op->result;
    bool unauthentic = cm_failed(e) && cm_err_class(e) == CM_CLASS_UNAUTHENTIC;

    if (op->code == CM_KEYOP_VERIFY && (cm_ok(e) || unauthentic)) {
        cm_set_number(r, M_BatchResult_valid, cm_ok(e));
        cm_set_number(r, M_BatchResult_version, op->bind.version);
        return CM_OKAY;
    }
    if (k->budget && op->code && unauthentic)
        e = op->result = CM_FAIL(SVC_CIPHERTEXT);
    if (cm_failed(e)) {
        if (!of_item(e))
            return e; /* V-72 */
        cm_set_view(r, M_BatchResult_error, cm_view_str(cm_err_name(e)));
        return CM_OKAY;
    }
    if (v.n == 0 && op->code != CM_KEYOP_DECRYPT)
        return CM_FAIL(CRYPT_PROVIDER); /* V-33 */
    CM_TRY(cm_svc_keep(c, &v));
    cm_set_view(r, M_BatchResult_data, v);
    cm_set_number(r, M_BatchResult_version, op->bind.version);
    return CM_OKAY;
}

/* V-71 */
static cm_err bind_items(cm_call *c, const struct kind *k, cm_msg *const *results, size_t parts)
{
    static const char label[] = "casemate/batch/v1"; /* with its NUL */
    struct cm_call_state *st = c->state;
    CM_AUTO(cm_buf_free)
    cm_buf all = {.max = sizeof label + 4 + (size_t)ITEM_DIGEST * MAX};
    uint8_t part[ITEM_DIGEST], hash[32];

    CM_TRY(cm_buf_append(&all, CM_VIEW(label)));
    cm_put_be32(part, (uint32_t)(st->ops_n / parts));
    CM_TRY(cm_buf_append(&all, cm_view_of(part, 4)));
    for (size_t i = 0; i < st->ops_n / parts; i++) {
        const cm_keyop *op = &st->ops[i * parts];
        size_t n;
        cm_view v = k->made ? cm_msg_view(results[i], M_BatchResult_data)
                    : k->code == CM_KEYOP_VERIFY
                        ? op->more
                        : cm_msg_view(items_of(c, &n)[i], M_BatchItem_data);

        cm_put_be32(part, op->result.v);
        CM_TRY(cm_hash_once(c->svc->o.crypt, CM_SHA256, part + 4, v));
        CM_TRY(cm_buf_append(&all, CM_VIEW(part)));
    }
    CM_TRY(cm_hash_once(c->svc->o.crypt, CM_SHA256, hash, cm_buf_view(&all)));
    return cm_arena_copy(c->arena, &st->request, CM_VIEW(hash));
}

static cm_err room_for_results(cm_call *c, size_t n)
{
    cm_msg **results;

    CM_TRY(cm_arena_get(c->arena, &results, n * sizeof *results));
    for (size_t i = 0; i < n; i++)
        CM_TRY(cm_svc_new_msg(c, &results[i], &cm_message_BatchResult));
    cm_set_msgs(c->answer, M_BatchAnswer_results, results, n);
    return CM_OKAY;
}

cm_err cm_do_batch_made(cm_call *c)
{
    struct cm_call_state *st = c->state;
    const struct kind *k = kind_of(c);
    cm_msg **results;
    size_t n, parts;

    (void)items_of(c, &n);
    parts = st->ops_n / n; /* a wave has all operations of its items: at most two each */
    if (st->from == 0)
        CM_TRY(room_for_results(c, n));
    results = c->answer->v[M_BatchAnswer_results].msgs;
    for (size_t i = st->from / parts; i < st->to / parts; i++) {
        cm_err e = k->poai ? cm_market_item_made(c, i, parts, results[i])
                           : put_result(c, k, &st->ops[i], results[i]);

        for (size_t j = 0; j < parts; j++)
            cm_keyop_done_with(&st->ops[i * parts + j]);
        if (cm_failed(e)) {
            st->decision = CM_AUDIT_FAIL;
            return e;
        }
    }
    if (st->to < st->ops_n) {
        next_wave(st);
        return CM_OKAY;
    }
    return bind_items(c, k, results, parts);
}
