/* Models: a keyspace each, a key of its own for each version, and content keys that come and go
 * wrapped. The weights never come here. */
#include "svc/keyrec_int.h"

#include "codec/cbor.h"
#include "keys/ring.h"

enum { DAILY = 1000, ROTATION_DAYS = 90, CONTENT_KEY = 32, DIGEST = 32 };

static cm_err keyspace_path(cm_call *c, cm_view *out, cm_view model)
{
    return CM_PATH(c, out, c->state->tenant, CM_LIT("model"), model);
}

cm_err cm_do_create_keyspace(cm_call *c)
{
    const cm_msg *q = c->request;
    cm_view type = cm_msg_view(q, M_CreateModelKeyspaceRequest_type), path;
    cm_view model = cm_msg_view(q, M_CreateModelKeyspaceRequest_model);
    cm_view policy = cm_msg_view(q, M_CreateModelKeyspaceRequest_release_policy);
    const cm_key_type_info *t = type.n ? cm_key_type_by_name(type) : cm_key_type_of(CM_KEY_AES_256);
    uint64_t days = c->svc->o.model_days ? c->svc->o.model_days : ROTATION_DAYS;
    const cm_svc_row *row;
    cm_msg *r;
    cm_err e;

    CM_TRY(cm_svc_name_check(model));
    if (!t || !(t->can & (CAN_ENCRYPT | CAN_KEM)))
        return cm_svc_wrong(c, CM_FAIL(SVC_KEY_KIND), "type: one that wraps keys");
    CM_TRY(cm_svc_release_policy(c, policy, t));
    CM_TRY(keyspace_path(c, &path, model));
    c->state->resource = path;
    e = cm_svc_read(c, &row, path, &cm_message_ModelRecord);
    if (!cm_is(e, CM_STORE_NO_ROW))
        return cm_ok(e) ? CM_FAIL(SVC_EXISTS) : e;
    CM_TRY(cm_svc_new_msg(c, &r, &cm_message_ModelRecord));
    cm_set_number(r, M_ModelRecord_type, t->type);
    cm_set_number(r, M_ModelRecord_daily_budget,
                  cm_msg_number(q, M_CreateModelKeyspaceRequest_daily_budget, DAILY));
    cm_set_number(r, M_ModelRecord_rotation_days,
                  cm_msg_number(q, M_CreateModelKeyspaceRequest_rotation_days, days));
    cm_set_number(r, M_ModelRecord_created_ms, c->state->now);
    cm_set_same(r, M_ModelRecord_release_policy, q, M_CreateModelKeyspaceRequest_release_policy);
    cm_set_number(r, M_ModelRecord_format, 1);
    CM_TRY(cm_svc_write(c, path, 1, r));
    cm_set_view(c->answer, M_ModelKeyspace_tenant, c->state->tenant);
    cm_set_view(c->answer, M_ModelKeyspace_model, model);
    cm_set_view(c->answer, M_ModelKeyspace_type, cm_view_str(t->name));
    cm_set_same(c->answer, M_ModelKeyspace_daily_budget, r, M_ModelRecord_daily_budget);
    cm_set_same(c->answer, M_ModelKeyspace_rotation_days, r, M_ModelRecord_rotation_days);
    cm_set_same(c->answer, M_ModelKeyspace_created_ms, r, M_ModelRecord_created_ms);
    cm_set_same(c->answer, M_ModelKeyspace_release_policy, r, M_ModelRecord_release_policy);
    return CM_OKAY;
}

/* V-35: what a wrapped content key is bound to: model, version and the digest that a model has in
 * its manifest, in the log and in policies. */
cm_err cm_svc_model_context(cm_call *c, cm_view *out, cm_view digest)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 1024};

    if (digest.n != DIGEST)
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "digest: not 32 bytes");
    CM_TRY(cm_cbor_put_array(&b, 4));
    CM_TRY(cm_cbor_put_text(&b, CM_LIT("casemate-model-v1")));
    CM_TRY(cm_cbor_put_text(&b, c->state->keyspace));
    CM_TRY(cm_cbor_put_text(&b, c->state->key));
    CM_TRY(cm_cbor_put_bytes(&b, digest));
    return cm_arena_copy(c->arena, out, cm_buf_view(&b));
}

/* The digest stands in the leaf. */
static cm_err context(cm_call *c, cm_view *out, cm_view digest)
{
    CM_TRY(cm_svc_model_context(c, out, digest));
    c->state->request = digest;
    return CM_OKAY;
}

static cm_err keyspace_of(cm_call *c, const cm_msg **record)
{
    const cm_svc_row *row;
    cm_view path;
    cm_err e;

    CM_TRY(keyspace_path(c, &path, c->state->keyspace));
    e = cm_svc_read(c, &row, path, &cm_message_ModelRecord);
    if (cm_is(e, CM_STORE_NO_ROW))
        return CM_FAIL(SVC_KEYSPACE_KIND);
    CM_TRY(e);
    *record = row->msg;
    return CM_OKAY;
}

static void wrap_with(cm_call *c)
{
    cm_view given = cm_msg_view(c->request, M_EncryptModelWeightsRequest_content_key);
    struct cm_call_state *st = c->state;

    st->op.code = given.n ? CM_KEYOP_WRAP : CM_KEYOP_DATA_KEY;
    st->op.data = given;
    st->op.n = CONTENT_KEY;
    st->op.context = st->text;
}

/* The key of this version of the model: the one there is, or a new one first. */
cm_err cm_do_encrypt_weights(cm_call *c)
{
    struct cm_call_state *st = c->state;
    cm_view given = cm_msg_view(c->request, M_EncryptModelWeightsRequest_content_key);
    const cm_msg *space;

    if (given.n && given.n != CONTENT_KEY)
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "content_key: not 32 bytes");
    CM_TRY(keyspace_of(c, &space));
    CM_TRY(context(c, &st->text, cm_msg_view(c->request, M_EncryptModelWeightsRequest_digest)));
    if (st->key_record) {
        CM_TRY(cm_keyrec_use(c, CM_KEYOP_WRAP, CAN_ENCRYPT | CAN_KEM, CM_USE_PROTECT, 0, true));
        wrap_with(c);
        st->number = 1; /* the next result is the wrapped key */
        return CM_OKAY;
    }
    cm_svc_want(c, CM_KEYOP_CREATE);
    st->op.bind = (cm_key_binding){
        .tenant = st->tenant,
        .path = st->resource,
        .version = 1,
        .type = (cm_key_type)cm_msg_number(space, M_ModelRecord_type, 0),
    };
    return cm_svc_kek(c, &st->op.bind.kek_version, &st->op.kek);
}

/* A new record for the key just made. */
static cm_err record_key(cm_call *c, cm_view *sealed)
{
    struct cm_call_state *st = c->state;
    cm_view public_key = cm_buf_view(&st->op.out2);
    cm_msg *r, **versions, *v;
    const cm_msg *space;
    uint64_t days;

    CM_TRY(keyspace_of(c, &space));
    *sealed = cm_buf_view(&st->op.out);
    CM_TRY(cm_svc_keep(c, sealed));
    CM_TRY(cm_svc_keep(c, &public_key));
    CM_TRY(cm_arena_get(c->arena, &versions, sizeof *versions));
    CM_TRY(cm_svc_new_msg(c, &v, &cm_message_SealedVersion));
    cm_set_number(v, M_SealedVersion_version, 1);
    cm_set_number(v, M_SealedVersion_state, CM_STATE_ACTIVE);
    cm_set_number(v, M_SealedVersion_created_ms, st->now);
    cm_set_number(v, M_SealedVersion_kek_version, st->op.bind.kek_version);
    cm_set_view(v, M_SealedVersion_sealed, *sealed);
    cm_set_view(v, M_SealedVersion_public_key, public_key);
    cm_set_view(v, M_SealedVersion_custody, CM_LIT("software"));
    CM_TRY(cm_keyrec_log_custody(c, v));
    versions[0] = v;
    days = cm_msg_number(space, M_ModelRecord_rotation_days, 0);
    CM_TRY(cm_svc_new_msg(c, &r, &cm_message_KeyRecord));
    cm_set_number(r, M_KeyRecord_type, st->op.bind.type);
    cm_set_msgs(r, M_KeyRecord_versions, versions, 1);
    cm_set_number(r, M_KeyRecord_min_decrypt_version, 1);
    cm_set_same(r, M_KeyRecord_daily_budget, space, M_ModelRecord_daily_budget);
    cm_set_number(r, M_KeyRecord_rotation_days, days);
    cm_set_number(r, M_KeyRecord_next_rotation_ms, days ? st->now + days * CM_DAY_MS : 0);
    cm_set_number(r, M_KeyRecord_created_ms, st->now);
    cm_set_number(r, M_KeyRecord_model, true);
    cm_set_same(r, M_KeyRecord_release_policy, space, M_ModelRecord_release_policy);
    return cm_keyrec_put(c, st->keyspace, st->key, r, 1);
}

static cm_err wrapped(cm_call *c)
{
    struct cm_call_state *st = c->state;
    cm_view w = cm_buf_view(&st->op.out), plain = cm_buf_view(&st->op.out2);

    CM_TRY(st->op.result);
    CM_TRY(cm_svc_keep(c, &w));
    CM_TRY(cm_svc_keep(c, &plain));
    cm_set_view(c->answer, M_EncryptModelWeightsAnswer_wrapped, w);
    cm_set_view(c->answer, M_EncryptModelWeightsAnswer_content_key, plain);
    cm_set_number(c->answer, M_EncryptModelWeightsAnswer_key_version, st->key_version);
    return w.n ? CM_OKAY : CM_FAIL(CRYPT_PROVIDER);
}

cm_err cm_do_encrypt_weights_made(cm_call *c)
{
    struct cm_call_state *st = c->state;
    cm_key_binding bind = st->op.bind;
    cm_view sealed, kek = st->op.kek;

    if (st->number)
        return wrapped(c);
    CM_TRY(st->op.result);
    CM_TRY(record_key(c, &sealed));
    cm_svc_want(c, CM_KEYOP_WRAP);
    st->op.bind = bind;
    st->op.kek = kek;
    st->op.key = sealed;
    st->key_version = 1;
    st->number = 1;
    wrap_with(c);
    return CM_OKAY;
}

cm_err cm_do_decrypt_weights(cm_call *c)
{
    struct cm_call_state *st = c->state;
    cm_view w = cm_msg_view(c->request, M_DecryptModelWeightsRequest_wrapped);
    uint64_t version;
    cm_view bound;

    if (!st->key_record)
        return CM_FAIL(SVC_NO_KEY);
    CM_TRY(context(c, &bound, cm_msg_view(c->request, M_DecryptModelWeightsRequest_digest)));
    if (cm_failed(cm_keyop_version_of(&version, w)) || version == 0)
        return CM_FAIL(SVC_CIPHERTEXT);
    CM_TRY(cm_keyrec_use(c, CM_KEYOP_UNWRAP, CAN_ENCRYPT | CAN_KEM, CM_USE_PROCESS, version, true));
    st->op.data = w;
    st->op.context = bound;
    return cm_keyrec_budget(c, st->key_record);
}

cm_err cm_do_decrypt_weights_made(cm_call *c)
{
    struct cm_call_state *st = c->state;
    cm_err e = st->op.result;
    cm_view key = cm_buf_view(&st->op.out);

    if (cm_failed(e))
        return cm_err_class(e) == CM_CLASS_UNAUTHENTIC ? CM_FAIL(SVC_CIPHERTEXT) : e;
    if (key.n == 0) /* V-33 */
        return CM_FAIL(CRYPT_PROVIDER);
    CM_TRY(cm_svc_keep(c, &key));
    cm_set_view(c->answer, M_DecryptModelWeightsAnswer_content_key, key);
    cm_set_number(c->answer, M_DecryptModelWeightsAnswer_key_version, st->key_version);
    return CM_OKAY;
}
