/* Approvals: m of n people let one person do one thing. */
#include "svc/page_int.h"

#include "codec/text.h"

enum { APPROVERS = 32, DAY_S = 86400 };

static cm_err approval_path(cm_call *c, cm_view *out, cm_view id)
{
    CM_TRY(CM_PATH(c, out, c->state->tenant, CM_LIT("approval"), id));
    c->state->resource = *out;
    return CM_OKAY;
}

static cm_err show(cm_call *c, cm_msg *out, cm_view id, const cm_msg *r)
{
    cm_set_view(out, M_Approval_tenant,
                c->state->tenant.n ? c->state->tenant : CM_LIT(CM_SYSTEM_TENANT));
    cm_set_view(out, M_Approval_id, id);
    cm_set_same(out, M_Approval_key, r, M_ApprovalRecord_key);
    cm_set_same(out, M_Approval_keyspace, r, M_ApprovalRecord_keyspace);
    cm_set_same(out, M_Approval_action, r, M_ApprovalRecord_action);
    cm_set_same(out, M_Approval_reason, r, M_ApprovalRecord_why);
    cm_set_same(out, M_Approval_uses, r, M_ApprovalRecord_uses);
    cm_set_same(out, M_Approval_expires_ms, r, M_ApprovalRecord_expires_ms);
    cm_set_same(out, M_Approval_requester, r, M_ApprovalRecord_requester);
    cm_set_same(out, M_Approval_approved_by, r, M_ApprovalRecord_approved_by);
    return CM_OKAY;
}

/* Only principals of the tenant itself: the system's have no say in it. */
static cm_err of_tenant(cm_call *c)
{
    if (c->state->no_tenant)
        return CM_FAIL(SVC_NO_TENANT);
    return c->state->who.tenant.n == c->state->tenant.n ? CM_OKAY : CM_FAIL(SVC_DENIED);
}

cm_err cm_do_request_approval(cm_call *c)
{
    const cm_msg *q = c->request;
    const cm_op *op = cm_svc_op_by_name(cm_msg_view(q, M_RequestApprovalRequest_action));
    CM_AUTO(cm_buf_free) cm_buf hex = {.max = 64};
    cm_view id, path, keyspace = cm_msg_view(q, M_RequestApprovalRequest_keyspace);
    uint64_t seconds = cm_msg_number(q, M_RequestApprovalRequest_seconds, DAY_S);
    uint8_t random[16];
    cm_msg *r;

    CM_TRY(of_tenant(c));
    if (!op)
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "action: no such operation");
    if (keyspace.n == 0 && q->v[M_RequestApprovalRequest_key].set)
        keyspace = CM_LIT("default");
    CM_TRY(cm_random(c->svc->o.crypt, random, sizeof random));
    CM_TRY(cm_hex_encode(&hex, CM_VIEW(random)));
    CM_TRY(cm_arena_copy(c->arena, &id, cm_buf_view(&hex)));
    CM_TRY(approval_path(c, &path, id));
    CM_TRY(cm_svc_expect(c, path, 0));
    CM_TRY(cm_svc_new_msg(c, &r, &cm_message_ApprovalRecord));
    cm_set_view(r, M_ApprovalRecord_requester, c->state->who.name);
    cm_set_same(r, M_ApprovalRecord_key, q, M_RequestApprovalRequest_key);
    cm_set_view(r, M_ApprovalRecord_keyspace, keyspace);
    cm_set_same(r, M_ApprovalRecord_action, q, M_RequestApprovalRequest_action);
    cm_set_same(r, M_ApprovalRecord_why, q, M_RequestApprovalRequest_reason);
    cm_set_number(r, M_ApprovalRecord_uses, cm_msg_number(q, M_RequestApprovalRequest_uses, 1));
    cm_set_number(r, M_ApprovalRecord_expires_ms, c->state->now + seconds * 1000);
    cm_set_number(r, M_ApprovalRecord_format, 1);
    CM_TRY(cm_svc_write(c, path, 1, r));
    return show(c, c->answer, id, r);
}

static cm_err read_approval(cm_call *c, const cm_svc_row **row, cm_view *path)
{
    cm_view id = cm_msg_view(c->request, M_ApprovalRequest_id);
    cm_err e;

    CM_TRY(approval_path(c, path, id));
    e = cm_svc_read(c, row, *path, &cm_message_ApprovalRecord);
    return cm_is(e, CM_STORE_NO_ROW) ? CM_FAIL(SVC_NO_ROW) : e;
}

cm_err cm_do_approve(cm_call *c)
{
    struct cm_call_state *st = c->state;
    const cm_svc_row *row;
    cm_view path, *list;
    cm_msg_value *old;
    cm_msg *r;
    size_t n;

    CM_TRY(of_tenant(c));
    CM_TRY(read_approval(c, &row, &path));
    CM_TRY(cm_svc_new_msg(c, &r, &cm_message_ApprovalRecord));
    for (size_t i = 0; i < M_ApprovalRecord_n; i++)
        r->v[i] = row->msg->v[i];
    old = &r->v[M_ApprovalRecord_approved_by];
    n = old->set ? old->n : 0;
    if (cm_msg_number(r, M_ApprovalRecord_expires_ms, 0) <= st->now)
        return CM_FAIL(SVC_APPROVAL);
    if (cm_view_eq(cm_msg_view(r, M_ApprovalRecord_requester), st->who.name)) /* V-24 */
        return cm_svc_wrong(c, CM_FAIL(SVC_DENIED), "nobody approves their own request");
    if (n == APPROVERS)
        return CM_FAIL(SVC_LIMIT);
    CM_TRY(cm_arena_get(c->arena, &list, (n + 1) * sizeof *list));
    for (size_t i = 0; i < n; i++) {
        if (cm_view_eq(old->views[i], st->who.name)) /* V-24: each counts once */
            return CM_FAIL(SVC_EXISTS);
        list[i] = old->views[i];
    }
    list[n] = st->who.name;
    old->set = true;
    old->n = n + 1;
    old->views = list;
    CM_TRY(cm_svc_write(c, path, row->version + 1, r));
    return show(c, c->answer, cm_msg_view(c->request, M_ApprovalRequest_id), r);
}

cm_err cm_do_get_approval(cm_call *c)
{
    const cm_svc_row *row;
    cm_view path;

    CM_TRY(read_approval(c, &row, &path));
    return show(c, c->answer, cm_msg_view(c->request, M_ApprovalRequest_id), row->msg);
}

static cm_err show_row(cm_call *c, cm_msg *item, cm_view key, const cm_msg *record)
{
    cm_view id;

    CM_TRY(cm_svc_part(c, &id, key, 2));
    return show(c, item, id, record);
}

cm_err cm_do_list_approvals(cm_call *c)
{
    cm_svc_page page = {
        .record = &cm_message_ApprovalRecord, .item = &cm_message_Approval, .show = show_row};
    cm_path under;

    cm_path_init(&under);
    cm_path_add(&under, c->state->tenant);
    cm_path_add_str(&under, "approval");
    return cm_svc_list(c, &under, &page);
}
