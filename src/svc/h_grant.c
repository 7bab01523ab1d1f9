/* Grants, and the answer to "why". */
#include "svc/page_int.h"

static cm_err grant_path(cm_call *c, cm_view *out)
{
    cm_view name = cm_msg_view(c->request, M_GrantRequest_grant);

    CM_TRY(cm_svc_name_check(name));
    CM_TRY(CM_PATH(c, out, c->state->tenant, CM_LIT("grant"), name));
    c->state->resource = *out;
    return CM_OKAY;
}

static cm_err show(cm_call *c, cm_msg *out, cm_view name, const cm_msg *r)
{
    cm_set_view(out, M_Grant_tenant,
                c->state->tenant.n ? c->state->tenant : CM_LIT(CM_SYSTEM_TENANT));
    cm_set_view(out, M_Grant_grant, name);
    for (size_t i = 0; i <= M_GrantRecord_conditions - M_GrantRecord_effect; i++)
        out->v[M_Grant_effect + i] = r->v[M_GrantRecord_effect + i];
    return CM_OKAY;
}

/* A word in the list of actions must mean something, or a typing error would deny in silence. */
static bool known_action(cm_view a)
{
    if (cm_view_eq(a, CM_LIT("*")) || cm_svc_op_by_name(a))
        return true;
    for (cm_perm p = CM_PERM_USE; p <= CM_PERM_AUDIT; p++)
        if (cm_view_eq(a, cm_view_str(cm_perm_name(p))))
            return true;
    return false;
}

static cm_err check_grant(cm_call *c, const cm_msg *m, size_t effect_field)
{
    const char *why = "";
    cm_grant g;

    cm_svc_grant_of(&g, CM_LIT(""), m, effect_field);
    if (cm_failed(cm_policy_check(&g, &why)))
        return cm_svc_wrong(c, CM_FAIL(SVC_GRANT_FORM), why);
    for (size_t i = 0; i < g.actions.n; i++)
        if (!known_action(g.actions.v[i]))
            return cm_svc_wrong(c, CM_FAIL(SVC_GRANT_FORM), "actions: no such operation");
    return CM_OKAY;
}

cm_err cm_do_put_grant(cm_call *c)
{
    const cm_svc_row *row;
    const cm_grant *grants;
    uint64_t version = 0;
    cm_view path;
    cm_msg *r;
    size_t n;
    cm_err e;

    CM_TRY(check_grant(c, c->request, M_PutGrantRequest_effect));
    CM_TRY(grant_path(c, &path));
    e = cm_svc_read(c, &row, path, &cm_message_GrantRecord);
    if (cm_ok(e))
        version = row->version;
    else if (!cm_is(e, CM_STORE_NO_ROW))
        return e;
    CM_TRY(cm_svc_grants(c, c->state->tenant, &grants, &n));
    if (version == 0 && n >= CM_SVC_GRANTS_MAX)
        return CM_FAIL(SVC_LIMIT);
    CM_TRY(cm_svc_new_msg(c, &r, &cm_message_GrantRecord));
    for (size_t i = 0; i <= M_GrantRecord_conditions - M_GrantRecord_effect; i++)
        r->v[M_GrantRecord_effect + i] = c->request->v[M_PutGrantRequest_effect + i];
    cm_set_number(r, M_GrantRecord_format, 1);
    CM_TRY(cm_svc_write(c, path, version + 1, r));
    CM_TRY(cm_svc_bump_generation(c, c->state->tenant));
    return show(c, c->answer, cm_msg_view(c->request, M_PutGrantRequest_grant), r);
}

static cm_err read_grant(cm_call *c, const cm_svc_row **row, cm_view *path)
{
    cm_err e;

    CM_TRY(grant_path(c, path));
    e = cm_svc_read(c, row, *path, &cm_message_GrantRecord);
    return cm_is(e, CM_STORE_NO_ROW) ? CM_FAIL(SVC_NO_GRANT) : e;
}

cm_err cm_do_get_grant(cm_call *c)
{
    const cm_svc_row *row;
    cm_view path;

    CM_TRY(read_grant(c, &row, &path));
    return show(c, c->answer, cm_msg_view(c->request, M_GrantRequest_grant), row->msg);
}

cm_err cm_do_delete_grant(cm_call *c)
{
    const cm_svc_row *row;
    cm_view path;

    CM_TRY(read_grant(c, &row, &path));
    CM_TRY(cm_svc_remove(c, path));
    return cm_svc_bump_generation(c, c->state->tenant);
}

static cm_err show_row(cm_call *c, cm_msg *item, cm_view key, const cm_msg *record)
{
    cm_view name;

    CM_TRY(cm_svc_part(c, &name, key, 2));
    return show(c, item, name, record);
}

cm_err cm_do_list_grants(cm_call *c)
{
    cm_svc_page page = {
        .record = &cm_message_GrantRecord, .item = &cm_message_Grant, .show = show_row};
    cm_path under;

    cm_path_init(&under);
    cm_path_add(&under, c->state->tenant);
    cm_path_add_str(&under, "grant");
    return cm_svc_list(c, &under, &page);
}

/* ---- why ---- */

static cm_err tags_of(cm_call *c, cm_ask *ask)
{
    const cm_svc_row *row;
    cm_view path;
    cm_err e;

    CM_TRY(cm_svc_key_path(c, &path, c->state->tenant, ask->keyspace, ask->key));
    e = cm_svc_read(c, &row, path, &cm_message_KeyRecord);
    if (cm_failed(e))
        return cm_is(e, CM_STORE_NO_ROW) ? CM_OKAY : e;
    if (row->msg->v[M_KeyRecord_tags].set)
        ask->tags =
            (cm_views){row->msg->v[M_KeyRecord_tags].views, row->msg->v[M_KeyRecord_tags].n};
    return CM_OKAY;
}

cm_err cm_do_explain(cm_call *c)
{
    const cm_msg *q = c->request;
    const cm_op *op = cm_svc_op_by_name(cm_msg_view(q, M_ExplainRequest_action));
    const cm_grant *grants;
    cm_decision d;
    cm_view text;
    cm_ask ask;
    size_t n;

    if (!op)
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "action: no such operation");
    ask = (cm_ask){
        .principal = cm_msg_view(q, M_ExplainRequest_principal),
        .action = cm_view_str(op->name),
        .permission = cm_view_str(cm_perm_name(op->perm)),
        .on_key = q->v[M_ExplainRequest_key].set || q->v[M_ExplainRequest_keyspace].set,
        .key = cm_msg_view(q, M_ExplainRequest_key),
        .keyspace = cm_msg_view(q, M_ExplainRequest_keyspace),
        .time_ms = cm_msg_number(q, M_ExplainRequest_time_ms, c->state->now),
        .purpose = cm_msg_view(q, M_ExplainRequest_for_purpose),
        .address = cm_msg_view(q, M_ExplainRequest_address),
        .measurement = cm_msg_view(q, M_ExplainRequest_measurement),
        .tier = (unsigned)cm_msg_number(q, M_ExplainRequest_tier, 0),
        .pq = cm_msg_number(q, M_ExplainRequest_post_quantum, 0) != 0,
    };
    if (ask.key.n && ask.keyspace.n == 0)
        ask.keyspace = CM_LIT("default");
    if (ask.key.n)
        CM_TRY(tags_of(c, &ask));
    CM_TRY(cm_svc_grants(c, c->state->tenant, &grants, &n));
    cm_policy_decide(&d, grants, n, &ask);
    cm_set_number(c->answer, M_ExplainAnswer_allowed, d.allowed);
    if (d.by)
        cm_set_view(c->answer, M_ExplainAnswer_grant, d.by->name);
    CM_TRY(cm_arena_copy(c->arena, &text, cm_view_str(d.sentence)));
    cm_set_view(c->answer, M_ExplainAnswer_sentence, text);
    return CM_OKAY;
}
