/*
 * Threshold keys (spec/frost.md): dealt as shares that lie in a keyspace of their own, under the
 * names 1, 2 and so on. Who may use which share is up to grants.
 */
#include "svc/keyrec_int.h"

#include <stdio.h>

#include "keys/frost.h"

static uint64_t number(const cm_msg *m, size_t field)
{
    return cm_msg_number(m, field, 0);
}

static cm_err result(cm_call *c, size_t field, const cm_buf *b)
{
    cm_view v = cm_buf_view(b);

    CM_TRY(cm_svc_keep(c, &v));
    cm_set_view(c->answer, field, v);
    return CM_OKAY;
}

/* ---- dealing ---- */

static cm_err share_name(cm_call *c, cm_view *out, uint64_t id)
{
    char text[8];
    int n = snprintf(text, sizeof text, "%u", (unsigned)id);

    return cm_arena_copy(c->arena, out, cm_view_of(text, (size_t)n));
}

static cm_err share_path(cm_call *c, cm_view *name, cm_view *path, uint64_t id)
{
    CM_TRY(share_name(c, name, id));
    return cm_svc_key_path(c, path, c->state->tenant, c->state->keyspace, *name);
}

/* Nothing may lie in the share's place, and nothing may come there until this is committed. */
static cm_err must_be_free(cm_call *c, cm_view path, const cm_message *type, cm_err otherwise)
{
    const cm_svc_row *row;
    cm_err e = cm_svc_read(c, &row, path, type);

    if (cm_is(e, CM_STORE_NO_ROW))
        return CM_OKAY;
    return cm_ok(e) ? otherwise : e;
}

/* Each share's path behind its length. */
static cm_err paths(cm_call *c, cm_view *out, uint64_t n)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_FROST_MAX * 1024};
    cm_view name, path;

    for (uint64_t i = 1; i <= n; i++) {
        CM_TRY(share_path(c, &name, &path, i));
        CM_TRY(must_be_free(c, path, &cm_message_KeyRecord, CM_FAIL(SVC_EXISTS)));
        CM_TRY(cm_buf_be16(&b, (uint16_t)path.n));
        CM_TRY(cm_buf_append(&b, path));
    }
    return cm_arena_copy(c->arena, out, cm_buf_view(&b));
}

cm_err cm_do_deal_threshold(cm_call *c)
{
    struct cm_call_state *st = c->state;
    const cm_msg *q = c->request;
    const cm_key_type_info *t = cm_key_type_by_name(cm_msg_view(q, M_DealThresholdRequest_type));
    uint64_t need = number(q, M_DealThresholdRequest_threshold);
    uint64_t n = number(q, M_DealThresholdRequest_participants);
    cm_view keyspace, all;

    if (!t || !(t->can & CAN_THRESHOLD))
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "type: not a type of threshold key");
    if (need < 2 || need > n || n > CM_FROST_MAX)
        return CM_FAIL(FROST_PARAMS);
    CM_TRY(CM_PATH(c, &keyspace, st->tenant, CM_LIT("model"), st->keyspace));
    CM_TRY(must_be_free(c, keyspace, &cm_message_ModelRecord, CM_FAIL(SVC_KEYSPACE_KIND)));
    CM_TRY(CM_PATH(c, &st->resource, st->tenant, CM_LIT("key"), st->keyspace));
    CM_TRY(paths(c, &all, n));
    cm_svc_want(c, CM_KEYOP_DEAL);
    st->op.bind = (cm_key_binding){.tenant = st->tenant, .version = 1, .type = t->type};
    st->op.n = need << 8 | n;
    st->op.more = all;
    return cm_svc_kek(c, &st->op.bind.kek_version, &st->op.kek);
}

static cm_err share_record(cm_call *c, cm_msg **out, cm_view sealed, cm_view public_key)
{
    struct cm_call_state *st = c->state;
    cm_msg *r, *v, **versions;

    CM_TRY(cm_svc_new_msg(c, &r, &cm_message_KeyRecord));
    CM_TRY(cm_svc_new_msg(c, &v, &cm_message_SealedVersion));
    CM_TRY(cm_arena_get(c->arena, &versions, sizeof *versions));
    versions[0] = v;
    cm_set_number(v, M_SealedVersion_version, 1);
    cm_set_number(v, M_SealedVersion_state, CM_STATE_ACTIVE);
    cm_set_number(v, M_SealedVersion_created_ms, st->now);
    cm_set_number(v, M_SealedVersion_kek_version, st->op.bind.kek_version);
    cm_set_view(v, M_SealedVersion_sealed, sealed);
    cm_set_view(v, M_SealedVersion_public_key, public_key);
    cm_set_view(v, M_SealedVersion_custody, CM_LIT("software"));
    CM_TRY(cm_keyrec_log_custody(c, v));
    cm_set_number(r, M_KeyRecord_type, st->op.bind.type);
    cm_set_msgs(r, M_KeyRecord_versions, versions, 1);
    cm_set_number(r, M_KeyRecord_min_decrypt_version, 1);
    cm_set_same(r, M_KeyRecord_tags, c->request, M_DealThresholdRequest_tags);
    cm_set_same(r, M_KeyRecord_exportable, c->request, M_DealThresholdRequest_exportable);
    cm_set_number(r, M_KeyRecord_created_ms, st->now);
    *out = r;
    return CM_OKAY;
}

static cm_err next_sealed(cm_view *sealed, cm_view *rest)
{
    size_t n = rest->n < 4 ? 0 : cm_get_be32(rest->p);

    if (n == 0 || n > rest->n - 4)
        return CM_FAIL(CRYPT_PROVIDER);
    *sealed = cm_view_sub(*rest, 4, n);
    *rest = cm_view_sub(*rest, 4 + n, rest->n - 4 - n);
    return CM_OKAY;
}

cm_err cm_do_deal_threshold_made(cm_call *c)
{
    struct cm_call_state *st = c->state;
    uint64_t n = number(c->request, M_DealThresholdRequest_participants);
    cm_view rest = cm_buf_view(&st->op.out), group = cm_buf_view(&st->op.out2), sealed, name, path;
    cm_frost_group g;
    cm_view public_key;
    cm_msg *r, **keys;

    CM_TRY(st->op.result);
    CM_TRY(cm_svc_keep(c, &rest));
    CM_TRY(cm_svc_keep(c, &group));
    CM_TRY(cm_frost_get_group(&g, group));
    CM_TRY(cm_arena_copy(c->arena, &public_key, cm_frost_public(&g)));
    CM_TRY(cm_arena_get(c->arena, &keys, n * sizeof *keys));
    for (uint64_t i = 0; i < n; i++) {
        CM_TRY(next_sealed(&sealed, &rest));
        CM_TRY(share_path(c, &name, &path, i + 1));
        CM_TRY(share_record(c, &r, sealed, public_key));
        CM_TRY(cm_keyrec_put(c, st->keyspace, name, r, 1));
        CM_TRY(cm_svc_new_msg(c, &keys[i], &cm_message_Key));
        CM_TRY(cm_keyrec_show(c, keys[i], st->keyspace, name, r));
    }
    st->key_version = 1;
    cm_set_view(c->answer, M_DealThresholdAnswer_public_key, public_key);
    cm_set_view(c->answer, M_DealThresholdAnswer_group, group);
    cm_set_msgs(c->answer, M_DealThresholdAnswer_keys, keys, n);
    return rest.n ? CM_FAIL(CRYPT_PROVIDER) : CM_OKAY;
}

/* ---- one signer ---- */

/* F-5: sealed nonces serve one signature for good. Counted in the unit of the very call, so that a
 * second share of them never leaves. */
static cm_err spend_nonces(cm_call *c, cm_view nonces)
{
    uint8_t h[32];
    cm_view key;

    CM_TRY(cm_hash_once(c->svc->o.crypt, CM_SHA256, h, nonces));
    CM_TRY(CM_PATH(c, &key, c->state->tenant, CM_LIT("frost"), CM_VIEW(h)));
    return cm_svc_bump(c, key, 1, 1, UINT64_MAX);
}

cm_err cm_do_sign_threshold(cm_call *c)
{
    const cm_msg *q = c->request;
    cm_view nonces = cm_msg_view(q, M_SignThresholdRequest_nonces);
    cm_view commitments = cm_msg_view(q, M_SignThresholdRequest_commitments);

    if ((nonces.n == 0) != (commitments.n == 0))
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "nonces, commitments: both, or neither");
    CM_TRY(cm_keyrec_use(c, CM_KEYOP_SIGN_SHARE, CAN_THRESHOLD, CM_USE_PROTECT,
                         number(q, M_SignThresholdRequest_version), false));
    c->state->op.data = cm_msg_view(q, M_SignThresholdRequest_data);
    c->state->op.context = nonces;
    c->state->op.more = commitments;
    return nonces.n ? spend_nonces(c, nonces) : CM_OKAY;
}

cm_err cm_do_sign_threshold_made(cm_call *c)
{
    struct cm_call_state *st = c->state;

    CM_TRY(st->op.result);
    if (st->op.out.n == 0) /* V-33 */
        return CM_FAIL(CRYPT_PROVIDER);
    CM_TRY(result(c, M_SignThresholdAnswer_share, &st->op.out));
    if (st->op.out2.n)
        CM_TRY(result(c, M_SignThresholdAnswer_nonces, &st->op.out2));
    cm_set_number(c->answer, M_SignThresholdAnswer_version, st->key_version);
    return CM_OKAY;
}

/* ---- all of them ---- */

cm_err cm_do_aggregate_threshold(cm_call *c)
{
    const cm_msg *q = c->request;

    CM_TRY(cm_keyrec_use(c, CM_KEYOP_AGGREGATE, CAN_THRESHOLD, CM_USE_PROCESS,
                         number(q, M_AggregateThresholdRequest_version), false));
    c->state->op.data = cm_msg_view(q, M_AggregateThresholdRequest_data);
    c->state->op.context = cm_msg_view(q, M_AggregateThresholdRequest_shares);
    c->state->op.more = cm_msg_view(q, M_AggregateThresholdRequest_commitments);
    return CM_OKAY;
}

static cm_err bad_share(cm_call *c, const cm_buf *id)
{
    char text[64];

    if (id->n != 1)
        return CM_FAIL(CRYPT_PROVIDER); /* V-33 */
    (void)snprintf(text, sizeof text, "shares: that of signer %u is wrong", id->p[0]);
    return cm_svc_wrong(c, CM_FAIL(FROST_SHARE), text);
}

cm_err cm_do_aggregate_threshold_made(cm_call *c)
{
    struct cm_call_state *st = c->state;
    uint8_t hash[32];

    CM_TRY(st->op.result);
    if (st->op.out.n == 0)
        return bad_share(c, &st->op.out2);
    CM_TRY(result(c, M_SignAnswer_signature, &st->op.out));
    CM_TRY(cm_hash_once(c->svc->o.crypt, CM_SHA256, hash, cm_buf_view(&st->op.out)));
    CM_TRY(cm_arena_copy(c->arena, &st->request, CM_VIEW(hash)));
    cm_set_number(c->answer, M_SignAnswer_version, st->key_version);
    return CM_OKAY;
}
