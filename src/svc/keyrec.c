/* Key records. */
#include "svc/keyrec_int.h"

static uint64_t number(const cm_msg *m, size_t field)
{
    return cm_msg_number(m, field, 0);
}

cm_key_state cm_keyrec_state(const cm_msg *record, const cm_msg *version, uint64_t now)
{
    cm_key_state s = (cm_key_state)number(version, M_SealedVersion_state);

    if (s == CM_STATE_DESTROYED)
        return s;
    if (number(record, M_KeyRecord_destroy_at_ms))
        return CM_STATE_PENDING_DESTRUCTION;
    if (s == CM_STATE_PRE_ACTIVE && number(version, M_SealedVersion_activate_at_ms) &&
        number(version, M_SealedVersion_activate_at_ms) <= now)
        return CM_STATE_ACTIVE;
    return s;
}

const cm_msg *cm_keyrec_version(const cm_msg *record, uint64_t want, uint64_t now)
{
    const cm_msg_value *all = &record->v[M_KeyRecord_versions];

    for (size_t i = all->set ? all->n : 0; i-- > 0;) {
        const cm_msg *v = all->msgs[i];

        if (want ? number(v, M_SealedVersion_version) == want
                 : i == 0 || cm_keyrec_state(record, v, now) != CM_STATE_PRE_ACTIVE)
            return v;
    }
    return NULL;
}

cm_err cm_keyrec_of(cm_call *c, const cm_msg **record, const cm_key_type_info **info, unsigned can,
                    bool model)
{
    const cm_msg *r = c->state->key_record;
    const cm_key_type_info *t;

    if (!r)
        return CM_FAIL(SVC_NO_KEY); /* V-30: nothing is made on the way */
    if ((number(r, M_KeyRecord_model) != 0) != model)
        return CM_FAIL(SVC_KEYSPACE_KIND);
    t = cm_key_type_of((uint32_t)number(r, M_KeyRecord_type));
    if (!t)
        return CM_FAIL(SVC_RECORD);
    if (can && !(t->can & can))
        return CM_FAIL(SVC_KEY_KIND);
    *record = r;
    *info = t;
    return CM_OKAY;
}

cm_err cm_svc_kek(cm_call *c, uint64_t *version, cm_view *sealed)
{
    const cm_svc_row *row;
    const cm_msg_value *all;
    cm_view key;

    CM_TRY(CM_PATH(c, &key, CM_LIT("boot"), CM_LIT("tenant"), c->state->tenant));
    CM_TRY(cm_svc_read(c, &row, key, &cm_message_KekRecord));
    all = &row->msg->v[M_KekRecord_versions];
    for (size_t i = all->set ? all->n : 0; i-- > 0;) {
        uint64_t v = number(all->msgs[i], M_KekVersion_version);

        if (*version == 0 || v == *version) {
            *version = v;
            *sealed = cm_msg_view(all->msgs[i], M_KekVersion_sealed);
            return CM_OKAY;
        }
    }
    return CM_FAIL(SVC_RECORD);
}

cm_err cm_keyrec_bind_op(cm_call *c, cm_keyop *op, cm_view path, const cm_msg *record,
                         const cm_msg *version)
{
    uint64_t kek = number(version, M_SealedVersion_kek_version);

    op->bind = (cm_key_binding){
        .tenant = c->state->tenant,
        .path = path,
        .version = number(version, M_SealedVersion_version),
        .type = (cm_key_type)number(record, M_KeyRecord_type),
        .kek_version = kek,
    };
    op->key = cm_msg_view(version, M_SealedVersion_sealed);
    return cm_svc_kek(c, &kek, &op->kek);
}

cm_err cm_keyrec_bind(cm_call *c, const cm_msg *record, const cm_msg *version)
{
    c->state->key_version = number(version, M_SealedVersion_version);
    return cm_keyrec_bind_op(c, &c->state->op, c->state->resource, record, version);
}

/* V-86: what a key with a policy opens leaves by ReleaseKey alone; a rewrap shows nothing. */
static bool held_back(const cm_call *c, const cm_msg *record, unsigned use)
{
    return use == CM_USE_PROCESS && cm_msg_view(record, M_KeyRecord_release_policy).n && c->op &&
           c->op->prepare != cm_do_release_key && c->op->prepare != cm_do_rcar_resource &&
           c->op->prepare != cm_do_rewrap;
}

cm_err cm_keyrec_pick(const cm_call *c, const cm_msg **out, const cm_msg *record, uint64_t version,
                      unsigned use)
{
    const cm_msg *v = cm_keyrec_version(record, version, c->state->now);

    if (!v)
        return CM_FAIL(SVC_NO_VERSION);
    if (held_back(c, record, use))
        return CM_FAIL(SVC_RELEASE_ONLY);
    if (number(v, M_SealedVersion_version) < number(record, M_KeyRecord_min_decrypt_version))
        return CM_FAIL(SVC_MIN_VERSION);                                         /* V-32 */
    CM_TRY(cm_key_state_allows(cm_keyrec_state(record, v, c->state->now), use)); /* V-31 */
    *out = v;
    return CM_OKAY;
}

cm_err cm_keyrec_use(cm_call *c, cm_keyop_code code, unsigned can, unsigned use, uint64_t version,
                     bool model)
{
    const cm_key_type_info *info;
    const cm_msg *record, *v;

    CM_TRY(cm_keyrec_of(c, &record, &info, can, model));
    CM_TRY(cm_keyrec_pick(c, &v, record, version, use));
    cm_svc_want(c, code);
    return cm_keyrec_bind(c, record, v);
}

cm_err cm_keyrec_budget(cm_call *c, const cm_msg *record)
{
    struct cm_call_state *st = c->state;
    uint64_t max = number(record, M_KeyRecord_daily_budget);
    cm_view key;

    if (max == 0)
        return CM_OKAY;
    CM_TRY(CM_PATH(c, &key, st->tenant, CM_LIT("budget"), st->keyspace, st->key));
    return cm_svc_bump(c, key, st->units, max,
                       st->now - st->now % CM_DAY_MS + CM_DAY_MS); /* V-41 */
}

/* ---- showing ---- */

cm_err cm_keyrec_device(cm_call *c, cm_view *device)
{
    const cm_msg *tenant;

    CM_TRY(cm_svc_tenant(c, c->state->tenant, &tenant));
    return tenant ? cm_svc_tenant_device(c, device, tenant) : CM_FAIL(SVC_RECORD);
}

/* KM-17: what is under a tenant's own device is in its custody, whatever the root's is. */
cm_err cm_keyrec_custody(cm_call *c, cm_view *custody, cm_view *device, const cm_msg *version)
{
    const cm_msg *tenant;

    *device = cm_msg_view(version, M_SealedVersion_device);
    *custody = cm_msg_view(version, M_SealedVersion_custody);
    if (cm_view_eq(*custody, CM_LIT(CM_NATIVE)))
        return CM_OKAY;
    CM_TRY(cm_svc_tenant(c, c->state->tenant, &tenant));
    if (tenant && cm_msg_view(tenant, M_TenantRecord_hsm).n) {
        *custody = cm_msg_view(tenant, M_TenantRecord_custody);
        return cm_svc_tenant_device(c, device, tenant);
    }
    if (c->svc->o.custody)
        *custody = cm_view_str(c->svc->o.custody);
    return CM_OKAY;
}

/* V-140 */
cm_err cm_keyrec_log_custody(cm_call *c, const cm_msg *version)
{
    cm_view device;

    return cm_keyrec_custody(c, &c->state->custody, &device, version);
}

static cm_err show_version(cm_call *c, cm_msg **out, const cm_msg *record, const cm_msg *v)
{
    cm_view pk = cm_msg_view(v, M_SealedVersion_public_key);
    cm_view custody, device;
    uint8_t *hash;
    cm_msg *m;

    CM_TRY(cm_keyrec_custody(c, &custody, &device, v));
    CM_TRY(cm_svc_new_msg(c, &m, &cm_message_KeyVersion));
    cm_set_same(m, M_KeyVersion_version, v, M_SealedVersion_version);
    cm_set_number(m, M_KeyVersion_state, cm_keyrec_state(record, v, c->state->now));
    cm_set_same(m, M_KeyVersion_created_ms, v, M_SealedVersion_created_ms);
    cm_set_view(m, M_KeyVersion_custody, custody);
    cm_set_view(m, M_KeyVersion_device, device);
    if (pk.n) {
        CM_TRY(cm_arena_get(c->arena, &hash, 32));
        CM_TRY(cm_hash_once(c->svc->o.crypt, CM_SHA256, hash, pk));
        cm_set_view(m, M_KeyVersion_public_key_sha256, cm_view_of(hash, 32));
    }
    *out = m;
    return CM_OKAY;
}

cm_err cm_keyrec_show(cm_call *c, cm_msg *out, cm_view keyspace, cm_view name, const cm_msg *r)
{
    const cm_key_type_info *info = cm_key_type_of((uint32_t)number(r, M_KeyRecord_type));
    const cm_msg *current = cm_keyrec_version(r, 0, c->state->now);
    const cm_msg_value *all = &r->v[M_KeyRecord_versions];
    cm_msg **versions;

    if (!info)
        return CM_FAIL(SVC_RECORD);
    cm_set_view(out, M_Key_tenant,
                c->state->tenant.n ? c->state->tenant : CM_LIT(CM_SYSTEM_TENANT));
    cm_set_view(out, M_Key_keyspace, keyspace);
    cm_set_view(out, M_Key_key, name);
    cm_set_view(out, M_Key_type, cm_view_str(info->name));
    if (current) {
        cm_set_same(out, M_Key_version, current, M_SealedVersion_version);
        cm_set_number(out, M_Key_state, cm_keyrec_state(r, current, c->state->now));
    }
    CM_TRY(cm_arena_get(c->arena, &versions, (all->n + 1) * sizeof *versions));
    for (size_t i = 0; all->set && i < all->n; i++)
        CM_TRY(show_version(c, &versions[i], r, all->msgs[i]));
    cm_set_msgs(out, M_Key_versions, versions, all->set ? all->n : 0);
    cm_set_same(out, M_Key_min_decrypt_version, r, M_KeyRecord_min_decrypt_version);
    cm_set_same(out, M_Key_tags, r, M_KeyRecord_tags);
    cm_set_same(out, M_Key_exportable, r, M_KeyRecord_exportable);
    cm_set_same(out, M_Key_created_ms, r, M_KeyRecord_created_ms);
    cm_set_same(out, M_Key_rotation_days, r, M_KeyRecord_rotation_days);
    cm_set_same(out, M_Key_next_rotation_ms, r, M_KeyRecord_next_rotation_ms);
    cm_set_same(out, M_Key_destroy_at_ms, r, M_KeyRecord_destroy_at_ms);
    cm_set_same(out, M_Key_daily_budget, r, M_KeyRecord_daily_budget);
    cm_set_same(out, M_Key_rate, r, M_KeyRecord_rate);
    cm_set_number(out, M_Key_post_quantum, info->post_quantum);
    cm_set_same(out, M_Key_cosigner, r, M_KeyRecord_cosigner);
    cm_set_same(out, M_Key_release_policy, r, M_KeyRecord_release_policy);
    return CM_OKAY;
}

/* ---- changing ---- */

cm_err cm_keyrec_copy(cm_call *c, cm_msg **out, const cm_msg *record, size_t room)
{
    const cm_msg_value *all = &record->v[M_KeyRecord_versions];
    size_t n = all->set ? all->n : 0;
    cm_msg **versions, *m;

    CM_TRY(cm_svc_new_msg(c, &m, &cm_message_KeyRecord));
    for (size_t i = 0; i < M_KeyRecord_n; i++)
        m->v[i] = record->v[i];
    CM_TRY(cm_arena_get(c->arena, &versions, (n + room + 1) * sizeof *versions));
    for (size_t i = 0; i < n; i++) {
        CM_TRY(cm_svc_new_msg(c, &versions[i], &cm_message_SealedVersion));
        for (size_t f = 0; f < M_SealedVersion_n; f++)
            versions[i]->v[f] = all->msgs[i]->v[f];
    }
    cm_set_msgs(m, M_KeyRecord_versions, versions, n);
    *out = m;
    return CM_OKAY;
}

cm_err cm_keyrec_copy_keks(cm_call *c, cm_msg **out, const cm_msg *record)
{
    const cm_msg_value *old = &record->v[M_KekRecord_versions];
    cm_msg **list, *m;

    CM_TRY(cm_svc_new_msg(c, &m, &cm_message_KekRecord));
    for (size_t i = 0; i < M_KekRecord_n; i++)
        m->v[i] = record->v[i];
    CM_TRY(cm_arena_get(c->arena, &list, (old->n + 1) * sizeof *list));
    for (size_t i = 0; i < old->n; i++) {
        CM_TRY(cm_svc_new_msg(c, &list[i], &cm_message_KekVersion));
        for (size_t f = 0; f < M_KekVersion_n; f++)
            list[i]->v[f] = old->msgs[i]->v[f];
    }
    cm_set_msgs(m, M_KekRecord_versions, list, old->n);
    *out = m;
    return CM_OKAY;
}

/* When the scheduler has next to look at a key; 0: never. */
static uint64_t due_of(const cm_msg *r)
{
    uint64_t due = number(r, M_KeyRecord_destroy_at_ms);
    const cm_msg_value *all = &r->v[M_KeyRecord_versions];

    if (due || number(r, M_KeyRecord_destroyed))
        return due;
    due = number(r, M_KeyRecord_next_rotation_ms);
    for (size_t i = 0; all->set && i < all->n; i++) {
        uint64_t at = number(all->msgs[i], M_SealedVersion_activate_at_ms);

        if (number(all->msgs[i], M_SealedVersion_state) == CM_STATE_PRE_ACTIVE && at &&
            (due == 0 || at < due))
            due = at;
    }
    return due;
}

static cm_err due_path(cm_call *c, cm_view *out, uint64_t due, cm_view keyspace, cm_view name)
{
    cm_path p;

    cm_path_init(&p);
    cm_path_add(&p, c->state->tenant);
    cm_path_add_str(&p, "due");
    cm_path_add_u64(&p, due);
    cm_path_add(&p, keyspace);
    cm_path_add(&p, name);
    if (cm_path_view(&p).n == 0)
        return CM_FAIL(SVC_NAME);
    return cm_arena_copy(c->arena, out, cm_path_view(&p));
}

/* V-50: a key stands in the schedule at the one time that its record names. */
static cm_err reschedule(cm_call *c, cm_view keyspace, cm_view name, cm_msg *r)
{
    uint64_t was = number(r, M_KeyRecord_due_ms), due = due_of(r);
    cm_view key;
    cm_msg *m;

    if (was == due)
        return CM_OKAY;
    if (was) {
        CM_TRY(due_path(c, &key, was, keyspace, name));
        CM_TRY(cm_svc_remove(c, key));
    }
    if (due) {
        CM_TRY(due_path(c, &key, due, keyspace, name));
        CM_TRY(cm_svc_new_msg(c, &m, &cm_message_DueRecord));
        cm_set_view(m, M_DueRecord_keyspace, keyspace);
        cm_set_view(m, M_DueRecord_key, name);
        cm_set_number(m, M_DueRecord_format, 1);
        CM_TRY(cm_svc_write(c, key, 1, m));
    }
    cm_set_number(r, M_KeyRecord_due_ms, due);
    return CM_OKAY;
}

cm_err cm_keyrec_put(cm_call *c, cm_view keyspace, cm_view name, cm_msg *record, uint64_t version)
{
    cm_view path;

    CM_TRY(reschedule(c, keyspace, name, record));
    cm_set_number(record, M_KeyRecord_format, 1);
    CM_TRY(cm_svc_key_path(c, &path, c->state->tenant, keyspace, name));
    return cm_svc_write(c, path, version, record);
}
