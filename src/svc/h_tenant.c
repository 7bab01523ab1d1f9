/* Tenants. A tenant's record, generation and sealed KEK stand in the system's rows, so that it can
 * be made, listed and suspended without its own row key. */
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
    return CM_OKAY;
}

/* ---- making ---- */

cm_err cm_do_create_tenant(cm_call *c)
{
    cm_view name = cm_msg_view(c->request, M_CreateTenantRequest_name), path;
    const cm_svc_row *row;
    cm_err e;

    CM_TRY(cm_svc_tenant_check(name));
    CM_TRY(tenant_path(c, &path, name));
    c->state->resource = path;
    e = cm_svc_read(c, &row, path, &cm_message_TenantRecord);
    if (!cm_is(e, CM_STORE_NO_ROW))
        return cm_ok(e) ? CM_FAIL(SVC_EXISTS) : e;
    cm_svc_want(c, CM_KEYOP_NEW_TENANT);
    c->state->op.bind.tenant = name;
    c->state->op.bind.kek_version = 1;
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
    CM_TRY(cm_svc_new_msg(c, &r, &cm_message_TenantRecord));
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

cm_err cm_do_update_tenant(cm_call *c)
{
    const cm_msg *q = c->request;
    const cm_svc_row *row;
    cm_msg *r;

    if (c->state->who.tenant.n) /* V-27: nobody raises their own limits */
        return CM_FAIL(SVC_DENIED);
    CM_TRY(mine(c, &row));
    CM_TRY(cm_svc_new_msg(c, &r, &cm_message_TenantRecord));
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
    CM_TRY(cm_svc_write(c, c->state->resource, row->version + 1, r));
    CM_TRY(cm_svc_bump_generation(c, c->state->tenant));
    return show(c, c->answer, c->state->tenant, r);
}
