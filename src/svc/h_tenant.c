/* Tenants. A tenant's record, generation and sealed KEK stand in the system's rows, so that it can
 * be made, listed and suspended without its own row key. */
#include "keys/ring.h"
#include "svc/keyrec_int.h"
#include "svc/page_int.h"

static cm_err tenant_path(cm_call *c, cm_view *out, cm_view name)
{
    return CM_PATH(c, out, CM_LIT(""), CM_LIT("tenant"), name);
}

static cm_err show(cm_call *c, cm_msg *out, cm_view name, const cm_msg *r)
{
    (void)c;
    cm_set_view(out, M_Tenant_tenant, name);
    cm_set_same(out, M_Tenant_created_ms, r, M_TenantRecord_created_ms);
    cm_set_same(out, M_Tenant_rate, r, M_TenantRecord_rate);
    cm_set_same(out, M_Tenant_principal_rate, r, M_TenantRecord_principal_rate);
    cm_set_same(out, M_Tenant_operation_rate, r, M_TenantRecord_operation_rate);
    cm_set_same(out, M_Tenant_suspended, r, M_TenantRecord_suspended);
    cm_set_same(out, M_Tenant_custody, r, M_TenantRecord_custody);
    cm_set_same(out, M_Tenant_hsm, r, M_TenantRecord_hsm);
    cm_set_same(out, M_Tenant_hsm_label, r, M_TenantRecord_hsm_label);
    cm_set_same(out, M_Tenant_hsm_provider, r, M_TenantRecord_hsm_provider);
    cm_set_same(out, M_Tenant_hsm_serial, r, M_TenantRecord_hsm_serial);
    return CM_OKAY;
}

/* ---- a device of its own ---- */

cm_err cm_svc_tenant(cm_call *c, cm_view name, const cm_msg **record)
{
    const cm_svc_row *row;
    cm_view path;
    cm_err e;

    *record = NULL;
    CM_TRY(tenant_path(c, &path, name));
    e = cm_svc_read(c, &row, path, &cm_message_TenantRecord);
    if (cm_is(e, CM_STORE_NO_ROW))
        return CM_OKAY;
    CM_TRY(e);
    *record = row->msg;
    return CM_OKAY;
}

cm_err cm_svc_tenant_device(cm_call *c, cm_view *out, const cm_msg *record)
{
    static const size_t parts[] = {M_TenantRecord_hsm, M_TenantRecord_hsm_label,
                                   M_TenantRecord_hsm_provider, M_TenantRecord_hsm_serial};
    CM_AUTO(cm_buf_free) cm_buf text = {.max = 256};

    for (size_t i = 0; i < CM_COUNT(parts); i++) {
        cm_view part = cm_msg_view(record, parts[i]);

        if (i && part.n)
            CM_TRY(cm_buf_append(&text, CM_LIT(" ")));
        CM_TRY(cm_buf_append(&text, part));
    }
    return cm_arena_copy(c->arena, out, cm_buf_view(&text));
}

void cm_svc_tenant_place(cm_call *c, const cm_msg *record)
{
    if (!record)
        return;
    c->state->op.context = cm_msg_view(record, M_TenantRecord_hsm);
    c->state->op.data = cm_msg_view(record, M_TenantRecord_hsm_label);
}

static cm_err keep_text(cm_call *c, cm_msg *m, size_t field, const char *s)
{
    cm_view kept;

    CM_TRY(cm_arena_copy(c->arena, &kept, cm_view_str(s)));
    cm_set_view(m, field, kept);
    return CM_OKAY;
}

cm_err cm_svc_tenant_facts(cm_call *c, cm_msg *record)
{
    cm_kek_facts f = {.custody = {0}};

    if (cm_msg_view(record, M_TenantRecord_hsm).n)
        CM_TRY(cm_kek_facts_get(&f, cm_buf_view(&c->state->op.out2)));
    CM_TRY(keep_text(c, record, M_TenantRecord_custody, f.custody));
    CM_TRY(keep_text(c, record, M_TenantRecord_hsm_provider, f.provider));
    return keep_text(c, record, M_TenantRecord_hsm_serial, f.serial);
}

cm_err cm_svc_tenant_resource(cm_call *c, cm_view name, const cm_msg *r)
{
    if (!r || !cm_msg_view(r, M_TenantRecord_hsm).n)
        return tenant_path(c, &c->state->resource, name);
    return CM_PATH(c, &c->state->resource, CM_LIT(""), CM_LIT("tenant"), name,
                   cm_msg_view(r, M_TenantRecord_custody), cm_msg_view(r, M_TenantRecord_hsm),
                   cm_msg_view(r, M_TenantRecord_hsm_label),
                   cm_msg_view(r, M_TenantRecord_hsm_provider),
                   cm_msg_view(r, M_TenantRecord_hsm_serial));
}

/* The device that a request asks for, into the record; the label's standard is the tenant's name.
 */
static cm_err ask_for(cm_call *c, cm_msg *r, cm_view name, cm_view hsm, cm_view label)
{
    if (!hsm.n && label.n)
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "hsm_label");
    if (hsm.n && !label.n)
        label = name;
    if (label.n > CM_KEK_LABEL_MAX)
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "hsm_label");
    cm_set_view(r, M_TenantRecord_hsm, hsm);
    cm_set_view(r, M_TenantRecord_hsm_label, label);
    return CM_OKAY;
}

/* The record that a call is about to write, from one step to the next. */
typedef struct {
    cm_msg *record, *keks;
    uint64_t record_version, keks_version;
    size_t at;
} change;

static cm_err begin_change(cm_call *c, change **out)
{
    change *w;

    CM_TRY(cm_arena_get(c->arena, &w, sizeof *w));
    memset(w, 0, sizeof *w);
    CM_TRY(cm_svc_new_msg(c, &w->record, &cm_message_TenantRecord));
    CM_TRY(cm_arena_copy(c->arena, &c->state->text, cm_view_of(&w, sizeof w)));
    *out = w;
    return CM_OKAY;
}

static change *change_of(const cm_call *c)
{
    change *w;

    memcpy(&w, c->state->text.p, sizeof w);
    return w;
}

/* ---- making ---- */

cm_err cm_do_create_tenant(cm_call *c)
{
    cm_view name = cm_msg_view(c->request, M_CreateTenantRequest_name), path;
    const cm_msg *q = c->request;
    const cm_svc_row *row;
    change *w;
    cm_err e;

    CM_TRY(cm_svc_tenant_check(name));
    CM_TRY(tenant_path(c, &path, name));
    c->state->resource = path;
    e = cm_svc_read(c, &row, path, &cm_message_TenantRecord);
    if (!cm_is(e, CM_STORE_NO_ROW))
        return cm_ok(e) ? CM_FAIL(SVC_EXISTS) : e;
    CM_TRY(begin_change(c, &w));
    CM_TRY(ask_for(c, w->record, name, cm_msg_view(q, M_CreateTenantRequest_hsm),
                   cm_msg_view(q, M_CreateTenantRequest_hsm_label)));
    cm_svc_want(c, CM_KEYOP_NEW_TENANT);
    c->state->op.bind.tenant = name;
    c->state->op.bind.kek_version = 1;
    cm_svc_tenant_place(c, w->record);
    return CM_OKAY;
}

cm_err cm_svc_put_tenant(cm_call *c, cm_view name, cm_view sealed_kek, cm_msg *record)
{
    cm_msg *kek, **versions, *gen;
    cm_view path;

    CM_TRY(cm_svc_new_msg(c, &kek, &cm_message_KekRecord));
    CM_TRY(cm_arena_get(c->arena, &versions, sizeof *versions));
    CM_TRY(cm_svc_new_msg(c, &versions[0], &cm_message_KekVersion));
    cm_set_number(versions[0], M_KekVersion_version, 1);
    cm_set_view(versions[0], M_KekVersion_sealed, sealed_kek);
    cm_set_number(versions[0], M_KekVersion_created_ms, c->state->now);
    cm_set_msgs(kek, M_KekRecord_versions, versions, 1);
    cm_set_number(kek, M_KekRecord_row_key_version, 1);
    cm_set_number(kek, M_KekRecord_format, 1);
    CM_TRY(CM_PATH(c, &path, CM_LIT("boot"), CM_LIT("tenant"), name));
    CM_TRY(cm_svc_write(c, path, 1, kek));
    CM_TRY(cm_svc_new_msg(c, &gen, &cm_message_GenerationRecord));
    cm_set_number(gen, M_GenerationRecord_changes, 1);
    cm_set_number(gen, M_GenerationRecord_format, 1);
    CM_TRY(CM_PATH(c, &path, CM_LIT(""), CM_LIT("gen"), name));
    CM_TRY(cm_svc_write(c, path, 1, gen));
    cm_set_number(record, M_TenantRecord_created_ms, c->state->now);
    cm_set_number(record, M_TenantRecord_format, 1);
    CM_TRY(tenant_path(c, &path, name));
    return cm_svc_write(c, path, 1, record);
}

cm_err cm_do_create_tenant_made(cm_call *c)
{
    cm_view name = cm_msg_view(c->request, M_CreateTenantRequest_name), sealed;
    cm_msg *r;

    CM_TRY(c->state->op.result);
    sealed = cm_buf_view(&c->state->op.out);
    if (sealed.n == 0)
        return CM_FAIL(CRYPT_PROVIDER);
    CM_TRY(cm_svc_keep(c, &sealed));
    r = change_of(c)->record;
    CM_TRY(cm_svc_tenant_facts(c, r));
    CM_TRY(cm_svc_tenant_resource(c, name, r));
    cm_set_same(r, M_TenantRecord_rate, c->request, M_CreateTenantRequest_rate);
    cm_set_same(r, M_TenantRecord_principal_rate, c->request, M_CreateTenantRequest_principal_rate);
    cm_set_same(r, M_TenantRecord_operation_rate, c->request, M_CreateTenantRequest_operation_rate);
    CM_TRY(cm_svc_put_tenant(c, name, sealed, r));
    cm_set_number(c->answer, M_Tenant_kek_version, 1);
    return show(c, c->answer, name, r);
}

/* ---- looking, changing ---- */

static cm_err show_row(cm_call *c, cm_msg *item, cm_view key, const cm_msg *record)
{
    cm_view name;

    CM_TRY(cm_svc_part(c, &name, key, 2));
    return show(c, item, name, record);
}

cm_err cm_do_list_tenants(cm_call *c)
{
    cm_svc_page page = {
        .record = &cm_message_TenantRecord, .item = &cm_message_Tenant, .show = show_row};
    cm_path under;

    cm_path_init(&under);
    cm_path_add_str(&under, "");
    cm_path_add_str(&under, "tenant");
    return cm_svc_list(c, &under, &page);
}

static cm_err mine(cm_call *c, const cm_svc_row **row)
{
    cm_view path;
    cm_err e;

    CM_TRY(tenant_path(c, &path, c->state->tenant));
    c->state->resource = path;
    e = cm_svc_read(c, row, path, &cm_message_TenantRecord);
    return cm_is(e, CM_STORE_NO_ROW) ? CM_FAIL(SVC_NO_TENANT) : e;
}

cm_err cm_do_get_tenant(cm_call *c)
{
    const cm_svc_row *row;
    uint64_t version = 0;
    cm_view sealed;

    CM_TRY(mine(c, &row));
    CM_TRY(cm_svc_kek(c, &version, &sealed));
    cm_set_number(c->answer, M_Tenant_kek_version, version);
    return show(c, c->answer, c->state->tenant, row->msg);
}

static cm_err commit_change(cm_call *c, change *w)
{
    cm_view path;

    CM_TRY(tenant_path(c, &path, c->state->tenant));
    CM_TRY(cm_svc_tenant_resource(c, c->state->tenant, w->record));
    CM_TRY(cm_svc_write(c, path, w->record_version + 1, w->record));
    CM_TRY(cm_svc_bump_generation(c, c->state->tenant));
    return show(c, c->answer, c->state->tenant, w->record);
}

/* KM-14: the next of its KEKs goes under the other device; false when all have. */
static bool move_next(cm_call *c, change *w)
{
    const cm_msg_value *all = &w->keks->v[M_KekRecord_versions];

    if (!all->set || w->at == all->n)
        return false;
    cm_svc_want(c, CM_KEYOP_RESEAL);
    c->state->op.bind.tenant = c->state->tenant;
    c->state->op.bind.kek_version = cm_msg_number(all->msgs[w->at], M_KekVersion_version, 0);
    c->state->op.kek = cm_msg_view(all->msgs[w->at], M_KekVersion_sealed);
    c->state->op.n = 1;
    cm_svc_tenant_place(c, w->record);
    return true;
}

static cm_err begin_move(cm_call *c, change *w)
{
    const cm_msg *q = c->request;
    cm_view path, hsm = cm_msg_view(q, M_UpdateTenantRequest_hsm);
    const cm_svc_row *row;

    if (cm_view_eq(hsm, CM_LIT("none")))
        hsm = cm_view_of(NULL, 0);
    CM_TRY(ask_for(c, w->record, c->state->tenant, hsm,
                   cm_msg_view(q, M_UpdateTenantRequest_hsm_label)));
    CM_TRY(CM_PATH(c, &path, CM_LIT("boot"), CM_LIT("tenant"), c->state->tenant));
    CM_TRY(cm_svc_read(c, &row, path, &cm_message_KekRecord));
    CM_TRY(cm_keyrec_copy_keks(c, &w->keks, row->msg));
    w->keks_version = row->version;
    return move_next(c, w) ? CM_OKAY : CM_FAIL(SVC_RECORD);
}

cm_err cm_do_update_tenant(cm_call *c)
{
    const cm_msg *q = c->request;
    const cm_svc_row *row;
    change *w;
    cm_msg *r;

    if (c->state->who.tenant.n) /* V-27: nobody raises their own limits */
        return CM_FAIL(SVC_DENIED);
    CM_TRY(mine(c, &row));
    CM_TRY(begin_change(c, &w));
    w->record_version = row->version;
    r = w->record;
    for (size_t i = 0; i < M_TenantRecord_n; i++)
        r->v[i] = row->msg->v[i];
    if (q->v[M_UpdateTenantRequest_rate].set)
        cm_set_same(r, M_TenantRecord_rate, q, M_UpdateTenantRequest_rate);
    if (q->v[M_UpdateTenantRequest_principal_rate].set)
        cm_set_same(r, M_TenantRecord_principal_rate, q, M_UpdateTenantRequest_principal_rate);
    if (q->v[M_UpdateTenantRequest_operation_rate].set)
        cm_set_same(r, M_TenantRecord_operation_rate, q, M_UpdateTenantRequest_operation_rate);
    if (q->v[M_UpdateTenantRequest_suspended].set)
        cm_set_same(r, M_TenantRecord_suspended, q, M_UpdateTenantRequest_suspended);
    if (cm_msg_view(q, M_UpdateTenantRequest_hsm).n)
        return begin_move(c, w);
    return cm_msg_view(q, M_UpdateTenantRequest_hsm_label).n
               ? cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "hsm_label")
               : commit_change(c, w);
}

cm_err cm_do_update_tenant_made(cm_call *c)
{
    change *w = change_of(c);
    cm_view sealed = cm_buf_view(&c->state->op.out), path;

    CM_TRY(c->state->op.result);
    CM_TRY(cm_svc_keep(c, &sealed));
    if (sealed.n == 0)
        return CM_FAIL(CRYPT_PROVIDER);
    CM_TRY(cm_svc_tenant_facts(c, w->record));
    cm_set_view(w->keks->v[M_KekRecord_versions].msgs[w->at++], M_KekVersion_sealed, sealed);
    if (move_next(c, w))
        return CM_OKAY;
    CM_TRY(CM_PATH(c, &path, CM_LIT("boot"), CM_LIT("tenant"), c->state->tenant));
    CM_TRY(cm_svc_write(c, path, w->keks_version + 1, w->keks));
    return commit_change(c, w);
}
