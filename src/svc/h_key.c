/* Operations on keys themselves. */
#include "svc/keyrec_int.h"
#include "svc/page_int.h"

#include "codec/cbor.h"
#include "keys/ring.h"

static uint64_t number(const cm_msg *m, size_t field)
{
    return cm_msg_number(m, field, 0);
}

/* The record to change: there must be one. */
static cm_err mine(cm_call *c, cm_msg **record, size_t room)
{
    const cm_key_type_info *info;
    const cm_msg *r;

    if (!c->state->key_record)
        return CM_FAIL(SVC_NO_KEY);
    CM_TRY(cm_keyrec_of(c, &r, &info, 0, number(c->state->key_record, M_KeyRecord_model) != 0));
    return cm_keyrec_copy(c, record, r, room);
}

static cm_err put_back(cm_call *c, cm_msg *record)
{
    struct cm_call_state *st = c->state;

    return cm_keyrec_put(c, st->keyspace, st->key, record, st->row->version + 1);
}

static cm_err put_and_show(cm_call *c, cm_msg *record)
{
    CM_TRY(put_back(c, record));
    return cm_keyrec_show(c, c->answer, c->state->keyspace, c->state->key, record);
}

/* ---- making ---- */

/* V-75 */
static cm_err check_cosigner(cm_call *c, cm_key_type type, cm_view name)
{
    if (name.n == 0)
        return CM_OKAY;
    if (type != CM_KEY_SECP256K1 && type != CM_KEY_ML_DSA_65)
        return CM_FAIL(SVC_KEY_KIND);
    if (cm_view_eq(name, c->state->key))
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "cosigner");
    return cm_svc_name_check(name);
}

static cm_err check_release(cm_call *c, const cm_key_type_info *t)
{
    cm_view name = cm_msg_view(c->request, M_CreateKeyRequest_release_policy);

    if (name.n && number(c->request, M_CreateKeyRequest_exportable) &&
        (t->can & (CAN_ENCRYPT | CAN_KEM)))
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "release_policy: not of an exportable key");
    return cm_svc_release_policy(c, name, t);
}

/* V-110: in the tenant's device; what it is called there is for people. */
static cm_err make_in_device(cm_call *c)
{
    struct cm_call_state *st = c->state;
    const cm_msg *tenant;

    CM_TRY(cm_svc_tenant(c, st->tenant, &tenant));
    if (!tenant || !cm_msg_view(tenant, M_TenantRecord_hsm).n)
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST),
                            "custody: the tenant has no device; see tenant update --hsm");
    st->op.context = cm_msg_view(tenant, M_TenantRecord_hsm);
    st->op.data = cm_view_sub(st->key, 0, CM_MIN(st->key.n, (size_t)CM_KEK_LABEL_MAX));
    return CM_OKAY;
}

static bool is_native(const cm_msg *version)
{
    return cm_view_eq(cm_msg_view(version, M_SealedVersion_custody), CM_LIT(CM_NATIVE));
}

/* A key of the type asked for is about to be made under a name that is free. */
static cm_err new_key(cm_call *c, cm_keyop_code code)
{
    struct cm_call_state *st = c->state;
    cm_view custody = cm_msg_view(c->request, M_CreateKeyRequest_custody);
    const cm_key_type_info *t =
        cm_key_type_by_name(cm_msg_view(c->request, M_CreateKeyRequest_type));
    const cm_svc_row *row;
    cm_view keyspace;
    cm_err e;

    if (!t)
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "type: not a type of key");
    if (custody.n && (code != CM_KEYOP_CREATE || !cm_view_eq(custody, CM_LIT(CM_NATIVE))))
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "custody: hsm-native, of a key that is made");
    if (custody.n && number(c->request, M_CreateKeyRequest_exportable))
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "exportable: what is in a device stays there");
    if (st->key_record)
        return CM_FAIL(SVC_EXISTS);
    CM_TRY(check_cosigner(c, t->type, cm_msg_view(c->request, M_CreateKeyRequest_cosigner)));
    CM_TRY(check_release(c, t));
    CM_TRY(CM_PATH(c, &keyspace, st->tenant, CM_LIT("model"), st->keyspace));
    e = cm_svc_read(c, &row, keyspace, &cm_message_ModelRecord);
    if (!cm_is(e, CM_STORE_NO_ROW))
        return cm_ok(e) ? CM_FAIL(SVC_KEYSPACE_KIND) : e;
    cm_svc_want(c, code);
    if (custody.n)
        CM_TRY(make_in_device(c));
    st->op.bind =
        (cm_key_binding){.tenant = st->tenant, .path = st->resource, .version = 1, .type = t->type};
    return cm_svc_kek(c, &st->op.bind.kek_version, &st->op.kek);
}

cm_err cm_do_create_key(cm_call *c)
{
    return new_key(c, CM_KEYOP_CREATE);
}

cm_err cm_do_import_key(cm_call *c)
{
    CM_TRY(new_key(c, CM_KEYOP_IMPORT));
    c->state->op.data = cm_msg_view(c->request, M_ImportKeyRequest_secret);
    return CM_OKAY;
}

/* The key operation is about the import key: the binding is its, the new key's goes beside. */
cm_err cm_do_import_wrapped(cm_call *c)
{
    struct cm_call_state *st = c->state;
    const cm_svc_row *row;
    const cm_msg *v;
    cm_view path, name = st->resource;
    cm_key_type type;
    cm_err e;

    CM_TRY(new_key(c, CM_KEYOP_IMPORT_WRAPPED));
    type = st->op.bind.type;
    CM_TRY(cm_svc_key_path(c, &path, st->tenant, st->keyspace,
                           cm_msg_view(c->request, M_ImportWrappedRequest_import_key)));
    e = cm_svc_read(c, &row, path, &cm_message_KeyRecord);
    if (cm_failed(e) && !cm_is(e, CM_STORE_NO_ROW))
        return e;
    CM_TRY(cm_svc_decide_also(c, CM_LIT("Decapsulate"), CM_PERM_USE,
                              cm_msg_view(c->request, M_ImportWrappedRequest_import_key),
                              cm_ok(e) ? row->msg : NULL)); /* V-73 */
    if (cm_failed(e))
        return CM_FAIL(SVC_NO_KEY);
    if (cm_key_type_of((uint32_t)number(row->msg, M_KeyRecord_type)) == NULL ||
        !(cm_key_type_of((uint32_t)number(row->msg, M_KeyRecord_type))->can & CAN_KEM))
        return CM_FAIL(SVC_KEY_KIND);
    if (cm_msg_view(row->msg, M_KeyRecord_release_policy).n)
        return CM_FAIL(SVC_RELEASE_ONLY);
    v = cm_keyrec_version(row->msg, 0, st->now);
    if (!v)
        return CM_FAIL(SVC_NO_VERSION);
    CM_TRY(cm_key_state_allows(cm_keyrec_state(row->msg, v, st->now), CM_USE_PROCESS));
    CM_TRY(cm_keyrec_bind(c, row->msg, v));
    st->op.bind.path = path;
    st->op.type2 = type;
    st->op.more = name; /* what the new key is sealed for */
    st->op.n = 1;
    st->op.data = cm_msg_view(c->request, M_ImportWrappedRequest_wrapped);
    return CM_OKAY;
}

/* The new version out of the key operation's results. */
static cm_err sealed_version(cm_call *c, cm_msg **out, uint64_t number_of, uint64_t activate_at)
{
    struct cm_call_state *st = c->state;
    bool moved = st->op.code == CM_KEYOP_RESEAL;
    cm_view sealed = cm_buf_view(&st->op.out);
    cm_view public_key = moved ? st->text : cm_buf_view(&st->op.out2);
    uint64_t kek = moved ? st->op.n : st->op.bind.kek_version;
    bool later = activate_at > st->now;
    cm_view device;
    cm_msg *v;

    if (sealed.n == 0)
        return CM_FAIL(CRYPT_PROVIDER);
    CM_TRY(cm_svc_keep(c, &sealed));
    CM_TRY(cm_svc_keep(c, &public_key));
    CM_TRY(cm_svc_new_msg(c, &v, &cm_message_SealedVersion));
    cm_set_number(v, M_SealedVersion_version, number_of);
    cm_set_number(v, M_SealedVersion_state, later ? CM_STATE_PRE_ACTIVE : CM_STATE_ACTIVE);
    cm_set_number(v, M_SealedVersion_created_ms, st->now);
    cm_set_number(v, M_SealedVersion_kek_version, kek);
    cm_set_view(v, M_SealedVersion_sealed, sealed);
    cm_set_view(v, M_SealedVersion_public_key, public_key);
    cm_set_view(v, M_SealedVersion_custody, CM_LIT("software"));
    if (st->op.code == CM_KEYOP_CREATE && st->op.context.n) {
        CM_TRY(cm_keyrec_device(c, &device));
        cm_set_view(v, M_SealedVersion_custody, CM_LIT(CM_NATIVE));
        cm_set_view(v, M_SealedVersion_device, device);
    }
    if (later)
        cm_set_number(v, M_SealedVersion_activate_at_ms, activate_at);
    CM_TRY(cm_keyrec_log_custody(c, v));
    *out = v;
    return CM_OKAY;
}

cm_err cm_do_create_key_made(cm_call *c)
{
    struct cm_call_state *st = c->state;
    const cm_key_type_info *t =
        cm_key_type_by_name(cm_msg_view(c->request, M_CreateKeyRequest_type));
    uint64_t days = number(c->request, M_CreateKeyRequest_rotation_days);
    cm_msg *r, **versions;

    CM_TRY(st->op.result);
    CM_TRY(cm_svc_new_msg(c, &r, &cm_message_KeyRecord));
    CM_TRY(cm_arena_get(c->arena, &versions, sizeof *versions));
    CM_TRY(
        sealed_version(c, &versions[0], 1, number(c->request, M_CreateKeyRequest_activate_at_ms)));
    cm_set_number(r, M_KeyRecord_type, t->type);
    cm_set_msgs(r, M_KeyRecord_versions, versions, 1);
    cm_set_number(r, M_KeyRecord_min_decrypt_version, 1);
    cm_set_same(r, M_KeyRecord_tags, c->request, M_CreateKeyRequest_tags);
    cm_set_same(r, M_KeyRecord_exportable, c->request, M_CreateKeyRequest_exportable);
    cm_set_same(r, M_KeyRecord_daily_budget, c->request, M_CreateKeyRequest_daily_budget);
    cm_set_same(r, M_KeyRecord_rate, c->request, M_CreateKeyRequest_rate);
    cm_set_same(r, M_KeyRecord_cosigner, c->request, M_CreateKeyRequest_cosigner);
    cm_set_same(r, M_KeyRecord_release_policy, c->request, M_CreateKeyRequest_release_policy);
    cm_set_number(r, M_KeyRecord_rotation_days, days);
    cm_set_number(r, M_KeyRecord_next_rotation_ms, days ? st->now + days * CM_DAY_MS : 0);
    cm_set_number(r, M_KeyRecord_created_ms, st->now);
    st->key_version = 1;
    CM_TRY(cm_keyrec_put(c, st->keyspace, st->key, r, 1));
    return cm_keyrec_show(c, c->answer, st->keyspace, st->key, r);
}

/* What was wrapped with the import key's KEK goes on to the newest one: behind a rotation that has
 * passed its place, nobody would come for it before the older KEK is dropped (KM-14). */
cm_err cm_do_import_wrapped_made(cm_call *c)
{
    struct cm_call_state *st = c->state;
    cm_key_binding bind = st->op.bind;
    cm_view kek = st->op.kek, newest_kek, sealed = cm_buf_view(&st->op.out);
    uint64_t newest = 0;

    CM_TRY(st->op.result);
    CM_TRY(cm_svc_kek(c, &newest, &newest_kek));
    if (st->op.code == CM_KEYOP_RESEAL || bind.kek_version == newest)
        return cm_do_create_key_made(c);
    st->text = cm_buf_view(&st->op.out2);
    CM_TRY(cm_svc_keep(c, &st->text));
    CM_TRY(cm_svc_keep(c, &sealed));
    bind.path = st->op.more;
    bind.version = st->op.n;
    bind.type = st->op.type2;
    cm_svc_want(c, CM_KEYOP_RESEAL);
    st->op.bind = bind;
    st->op.kek = kek;
    st->op.key = sealed;
    st->op.more = newest_kek;
    st->op.n = newest;
    return CM_OKAY;
}

cm_err cm_do_rotate_key(cm_call *c)
{
    struct cm_call_state *st = c->state;
    const cm_msg *newest;
    cm_msg *r;

    CM_TRY(mine(c, &r, 0));
    if (number(r, M_KeyRecord_destroy_at_ms) || number(r, M_KeyRecord_destroyed))
        return CM_FAIL(SVC_STATE);
    if (r->v[M_KeyRecord_versions].n == CM_KEY_VERSIONS)
        return CM_FAIL(SVC_LIMIT);
    newest = r->v[M_KeyRecord_versions].msgs[r->v[M_KeyRecord_versions].n - 1];
    cm_svc_want(c, CM_KEYOP_CREATE);
    if (is_native(newest))
        CM_TRY(make_in_device(c));
    st->op.bind = (cm_key_binding){
        .tenant = st->tenant,
        .path = st->resource,
        .version = number(newest, M_SealedVersion_version) + 1,
        .type = (cm_key_type)number(r, M_KeyRecord_type),
    };
    return cm_svc_kek(c, &st->op.bind.kek_version, &st->op.kek);
}

cm_err cm_do_rotate_key_made(cm_call *c)
{
    struct cm_call_state *st = c->state;
    uint64_t days;
    cm_msg_value *all;
    cm_msg *r;

    CM_TRY(st->op.result);
    CM_TRY(mine(c, &r, 1));
    all = &r->v[M_KeyRecord_versions];
    for (size_t i = 0; i < all->n; i++) {
        uint64_t s = number(all->msgs[i], M_SealedVersion_state);

        if (s == CM_STATE_ACTIVE || s == CM_STATE_PRE_ACTIVE)
            cm_set_number(all->msgs[i], M_SealedVersion_state, CM_STATE_DEACTIVATED);
    }
    st->key_version = st->op.bind.version;
    CM_TRY(sealed_version(c, &all->msgs[all->n], st->key_version, 0));
    all->n++;
    days = number(r, M_KeyRecord_rotation_days);
    cm_set_number(r, M_KeyRecord_next_rotation_ms, days ? st->now + days * CM_DAY_MS : 0);
    return put_and_show(c, r);
}

/* ---- looking ---- */

cm_err cm_do_get_key(cm_call *c)
{
    if (!c->state->key_record)
        return CM_FAIL(SVC_NO_KEY);
    return cm_keyrec_show(c, c->answer, c->state->keyspace, c->state->key, c->state->key_record);
}

static cm_err show_row(cm_call *c, cm_msg *item, cm_view key, const cm_msg *record)
{
    cm_view keyspace, name;

    CM_TRY(cm_svc_part(c, &keyspace, key, 2));
    CM_TRY(cm_svc_part(c, &name, key, 3));
    return cm_keyrec_show(c, item, keyspace, name, record);
}

cm_err cm_do_list_keys(cm_call *c)
{
    cm_svc_page page = {.record = &cm_message_KeyRecord, .item = &cm_message_Key, .show = show_row};
    cm_path under;

    cm_path_init(&under);
    cm_path_add(&under, c->state->tenant);
    cm_path_add_str(&under, "key");
    if (c->state->keyspace.n)
        cm_path_add(&under, c->state->keyspace);
    return cm_svc_list(c, &under, &page);
}

cm_err cm_do_public_key(cm_call *c)
{
    const cm_key_type_info *info;
    const cm_msg *r, *v;

    if (!c->state->key_record)
        return CM_FAIL(SVC_NO_KEY);
    CM_TRY(cm_keyrec_of(c, &r, &info, 0, number(c->state->key_record, M_KeyRecord_model) != 0));
    v = cm_keyrec_version(r, number(c->request, M_KeyVersionRequest_version), c->state->now);
    if (!v)
        return CM_FAIL(SVC_NO_VERSION);
    if (cm_msg_view(v, M_SealedVersion_public_key).n == 0) /* V-33: never an empty key */
        return CM_FAIL(SVC_KEY_KIND);
    c->state->key_version = number(v, M_SealedVersion_version);
    cm_set_same(c->answer, M_PublicKeyAnswer_public_key, v, M_SealedVersion_public_key);
    cm_set_view(c->answer, M_PublicKeyAnswer_type, cm_view_str(info->name));
    cm_set_number(c->answer, M_PublicKeyAnswer_version, c->state->key_version);
    return CM_OKAY;
}

/* The record of spec/kms.md, "Statements". */
static cm_err statement(cm_call *c, cm_buf *b, const cm_msg *r, const cm_key_type_info *info,
                        const cm_msg *v)
{
    struct cm_call_state *st = c->state;
    uint8_t hash[32];
    cm_view pk = cm_msg_view(v, M_SealedVersion_public_key), custody, device;

    CM_TRY(cm_keyrec_custody(c, &custody, &device, v));
    CM_TRY(cm_hash_once(c->svc->o.crypt, CM_SHA256, hash, pk));
    CM_TRY(cm_cbor_put_map(b, 11U + (pk.n > 0) + (device.n > 0)));
    CM_TRY(cm_cbor_put_uint(b, 1));
    CM_TRY(cm_cbor_put_uint(b, 1));
    CM_TRY(cm_cbor_put_uint(b, 2));
    CM_TRY(cm_cbor_put_text(b, st->tenant));
    CM_TRY(cm_cbor_put_uint(b, 3));
    CM_TRY(cm_cbor_put_text(b, st->keyspace));
    CM_TRY(cm_cbor_put_uint(b, 4));
    CM_TRY(cm_cbor_put_text(b, st->key));
    CM_TRY(cm_cbor_put_uint(b, 5));
    CM_TRY(cm_cbor_put_text(b, cm_view_str(info->name)));
    CM_TRY(cm_cbor_put_uint(b, 6));
    CM_TRY(cm_cbor_put_uint(b, number(v, M_SealedVersion_version)));
    CM_TRY(cm_cbor_put_uint(b, 7));
    CM_TRY(cm_cbor_put_uint(b, cm_keyrec_state(r, v, st->now)));
    CM_TRY(cm_cbor_put_uint(b, 8));
    CM_TRY(cm_cbor_put_text(b, custody));
    CM_TRY(cm_cbor_put_uint(b, 9));
    CM_TRY(cm_cbor_put_bool(b, number(r, M_KeyRecord_exportable) != 0));
    CM_TRY(cm_cbor_put_uint(b, 10));
    CM_TRY(cm_cbor_put_uint(b, number(v, M_SealedVersion_created_ms)));
    CM_TRY(cm_cbor_put_uint(b, 11));
    CM_TRY(cm_cbor_put_uint(b, st->now));
    if (pk.n) {
        CM_TRY(cm_cbor_put_uint(b, 12));
        CM_TRY(cm_cbor_put_bytes(b, CM_VIEW(hash)));
    }
    if (device.n == 0)
        return CM_OKAY;
    CM_TRY(cm_cbor_put_uint(b, 13));
    return cm_cbor_put_text(b, device);
}

cm_err cm_do_attest_key(cm_call *c)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 4096};
    const cm_key_type_info *info;
    const cm_msg *r, *v;
    uint8_t hash[32];
    cm_view kept;

    if (!c->state->key_record)
        return CM_FAIL(SVC_NO_KEY);
    CM_TRY(cm_keyrec_of(c, &r, &info, 0, number(c->state->key_record, M_KeyRecord_model) != 0));
    v = cm_keyrec_version(r, number(c->request, M_KeyVersionRequest_version), c->state->now);
    if (!v)
        return CM_FAIL(SVC_NO_VERSION);
    CM_TRY(statement(c, &b, r, info, v));
    CM_TRY(cm_hash_once(c->svc->o.crypt, CM_SHA256, hash, cm_buf_view(&b)));
    CM_TRY(cm_arena_copy(c->arena, &c->state->request, CM_VIEW(hash)));
    CM_TRY(cm_arena_copy(c->arena, &kept, cm_buf_view(&b)));
    c->state->key_version = number(v, M_SealedVersion_version);
    cm_set_view(c->answer, M_AttestKeyAnswer_statement, kept);
    return CM_OKAY;
}

/* ---- changing ---- */

static cm_err raise_minimum(cm_call *c, cm_msg *r, uint64_t to)
{
    const cm_msg *current = cm_keyrec_version(r, 0, c->state->now);

    if (!current || to > number(current, M_SealedVersion_version) ||
        to < number(r, M_KeyRecord_min_decrypt_version)) /* V-32 */
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "min_decrypt_version: may only rise");
    cm_set_number(r, M_KeyRecord_min_decrypt_version, to);
    return CM_OKAY;
}

static cm_err change_cosigner(cm_call *c, cm_msg *r)
{
    const cm_msg *q = c->request;
    cm_view name = cm_msg_view(q, M_UpdateKeyRequest_cosigner);

    if (!name.n && !number(q, M_UpdateKeyRequest_clear_cosigner))
        return CM_OKAY;
    CM_TRY(check_cosigner(c, (cm_key_type)number(r, M_KeyRecord_type), name));
    cm_set_same(r, M_KeyRecord_cosigner, q, M_UpdateKeyRequest_cosigner);
    return CM_OKAY;
}

cm_err cm_do_update_key(cm_call *c)
{
    const cm_msg *q = c->request;
    cm_msg *r;

    CM_TRY(mine(c, &r, 0));
    if (q->v[M_UpdateKeyRequest_tags].set || number(q, M_UpdateKeyRequest_clear_tags))
        cm_set_same(r, M_KeyRecord_tags, q, M_UpdateKeyRequest_tags);
    if (q->v[M_UpdateKeyRequest_rotation_days].set) {
        uint64_t days = number(q, M_UpdateKeyRequest_rotation_days);

        cm_set_number(r, M_KeyRecord_rotation_days, days);
        cm_set_number(r, M_KeyRecord_next_rotation_ms, days ? c->state->now + days * CM_DAY_MS : 0);
    }
    if (q->v[M_UpdateKeyRequest_min_decrypt_version].set)
        CM_TRY(raise_minimum(c, r, number(q, M_UpdateKeyRequest_min_decrypt_version)));
    if (q->v[M_UpdateKeyRequest_daily_budget].set)
        cm_set_same(r, M_KeyRecord_daily_budget, q, M_UpdateKeyRequest_daily_budget);
    if (q->v[M_UpdateKeyRequest_rate].set)
        cm_set_same(r, M_KeyRecord_rate, q, M_UpdateKeyRequest_rate);
    CM_TRY(change_cosigner(c, r));
    return put_and_show(c, r);
}

cm_err cm_do_set_state(cm_call *c)
{
    cm_key_state to = (cm_key_state)number(c->request, M_SetKeyStateRequest_state);
    const cm_msg *v;
    cm_msg *r;

    CM_TRY(mine(c, &r, 0));
    if (to != CM_STATE_ACTIVE && to != CM_STATE_SUSPENDED && to != CM_STATE_DEACTIVATED &&
        to != CM_STATE_COMPROMISED)
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "state: see ScheduleDestruction");
    v = cm_keyrec_version(r, number(c->request, M_SetKeyStateRequest_version), c->state->now);
    if (!v)
        return CM_FAIL(SVC_NO_VERSION);
    CM_TRY(cm_key_state_move(cm_keyrec_state(r, v, c->state->now), to));
    c->state->key_version = number(v, M_SealedVersion_version);
    for (size_t i = 0; i < r->v[M_KeyRecord_versions].n; i++)
        if (r->v[M_KeyRecord_versions].msgs[i] == v)
            cm_set_number(r->v[M_KeyRecord_versions].msgs[i], M_SealedVersion_state, to);
    return put_and_show(c, r);
}

cm_err cm_do_schedule_destruction(cm_call *c)
{
    uint64_t days = cm_msg_number(c->request, M_ScheduleDestructionRequest_delay_days, 30);
    cm_msg *r;

    CM_TRY(mine(c, &r, 0));
    if (days < 7 || days > 30)
        return CM_FAIL(SVC_SHORT);
    if (number(r, M_KeyRecord_destroy_at_ms) || number(r, M_KeyRecord_destroyed))
        return CM_FAIL(SVC_STATE);
    cm_set_number(r, M_KeyRecord_destroy_at_ms, c->state->now + days * CM_DAY_MS);
    return put_and_show(c, r);
}

cm_err cm_do_cancel_destruction(cm_call *c)
{
    cm_msg *r;

    CM_TRY(mine(c, &r, 0));
    if (!number(r, M_KeyRecord_destroy_at_ms) || number(r, M_KeyRecord_destroyed))
        return CM_FAIL(SVC_STATE);
    cm_set_number(r, M_KeyRecord_destroy_at_ms, 0);
    for (size_t i = 0; i < r->v[M_KeyRecord_versions].n; i++) {
        cm_msg *v = r->v[M_KeyRecord_versions].msgs[i];
        uint64_t s = number(v, M_SealedVersion_state);

        if (s == CM_STATE_ACTIVE || s == CM_STATE_PRE_ACTIVE)
            cm_set_number(v, M_SealedVersion_state, CM_STATE_DEACTIVATED);
    }
    return put_and_show(c, r);
}

cm_err cm_do_delete_key(cm_call *c)
{
    cm_msg *r;

    CM_TRY(mine(c, &r, 0));
    if (!number(r, M_KeyRecord_destroyed))
        return CM_FAIL(SVC_STATE);
    return cm_svc_remove(c, c->state->resource);
}
