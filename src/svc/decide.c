/* May they, and is there budget: the policy's facts gathered, buckets charged. */
#include "svc/svc_int.h"

#include <stdio.h>

/* ---- grants out of rows ---- */

static cm_views views_of(const cm_msg *m, size_t field)
{
    cm_views v = {NULL, 0};

    if (m->v[field].set)
        v = (cm_views){m->v[field].views, m->v[field].n};
    return v;
}

static void conditions_of(cm_grant *g, const cm_msg *m)
{
    g->measurements = views_of(m, M_Conditions_measurements);
    g->purposes = views_of(m, M_Conditions_purposes);
    g->approvers = views_of(m, M_Conditions_approvers);
    g->attested = views_of(m, M_Conditions_attested);
    g->networks = views_of(m, M_Conditions_networks);
    g->not_before_ms = cm_msg_number(m, M_Conditions_not_before_ms, 0);
    g->not_after_ms = cm_msg_number(m, M_Conditions_not_after_ms, 0);
    g->day_from = (unsigned)cm_msg_number(m, M_Conditions_day_from, 0);
    g->day_to = (unsigned)cm_msg_number(m, M_Conditions_day_to, 0);
    g->min_tier = (unsigned)cm_msg_number(m, M_Conditions_min_tier, 0);
    g->approvals = (unsigned)cm_msg_number(m, M_Conditions_approvals, 0);
    g->pq = cm_msg_number(m, M_Conditions_post_quantum, 0) != 0;
    g->rate = cm_msg_number(m, M_Conditions_rate, 0);
    g->rate_seconds = cm_msg_number(m, M_Conditions_rate_seconds, 1);
}

void cm_svc_grant_of(cm_grant *g, cm_view name, const cm_msg *m, size_t effect_field)
{
    enum { EFFECT, PRINCIPALS, ACTIONS, KEYSPACE, KEY, TAG, CONDITIONS };

    *g = (cm_grant){
        .name = name,
        .deny = cm_msg_number(m, effect_field + EFFECT, 0) != 0,
        .principals = views_of(m, effect_field + PRINCIPALS),
        .actions = views_of(m, effect_field + ACTIONS),
        .keyspace = cm_msg_view(m, effect_field + KEYSPACE),
        .key = cm_msg_view(m, effect_field + KEY),
        .tag = cm_msg_view(m, effect_field + TAG),
    };
    if (m->v[effect_field + CONDITIONS].set)
        conditions_of(g, m->v[effect_field + CONDITIONS].msg);
}

/* All grants of a tenant as one object beside its generation row. */
typedef struct {
    cm_arena *arena;
    cm_grant *v;
    size_t n;
} grant_list;

static void grant_list_free(void *p)
{
    grant_list *l = p;

    if (l) {
        cm_arena_free(l->arena);
        cm_free(l);
    }
}

static void grant_list_free_ptr(grant_list **l)
{
    grant_list_free(*l);
}

static cm_err add_grant(void *arg, const cm_store_row *row)
{
    CM_AUTO(cm_buf_free) cm_buf name = {.max = CM_NAME_MAX};
    grant_list *l = arg;
    cm_view value, kept;
    cm_msg *m;

    if (l->n == CM_SVC_GRANTS_MAX)
        return CM_FAIL(SVC_LIMIT);
    CM_TRY(cm_path_nth(&name, row->key, 2));
    CM_TRY(cm_arena_copy(l->arena, &kept, cm_buf_view(&name)));
    CM_TRY(cm_arena_copy(l->arena, &value, row->value));
    CM_TRY(cm_svc_record(&m, l->arena, &cm_message_GrantRecord, value));
    cm_svc_grant_of(&l->v[l->n++], kept, m, M_GrantRecord_effect);
    return CM_OKAY;
}

static cm_err load_grants(cm_call *c, cm_view tenant, grant_list **out)
{
    CM_AUTO(grant_list_free_ptr) grant_list *l = NULL;
    cm_path from, to;

    CM_TRY(cm_alloc(&l, sizeof *l));
    CM_TRY(cm_arena_new(&l->arena, (size_t)64 << 20));
    CM_TRY(cm_arena_get(l->arena, &l->v, CM_SVC_GRANTS_MAX * sizeof *l->v));
    cm_path_init(&from);
    cm_path_add(&from, tenant);
    cm_path_add_str(&from, "grant");
    to = from;
    cm_path_end(&to);
    CM_TRY(cm_store_scan(c->svc->o.store, cm_path_view(&from), cm_path_view(&to),
                         CM_SVC_GRANTS_MAX + 1, add_grant, l));
    *out = l;
    l = NULL;
    return CM_OKAY;
}

cm_err cm_svc_grants(cm_call *c, cm_view tenant, const cm_grant **grants, size_t *n)
{
    const cm_svc_row *row;
    cm_svc_row *r;
    grant_list *l;
    void *none = NULL;
    cm_view key;

    CM_TRY(CM_PATH(c, &key, CM_LIT(""), CM_LIT("gen"), tenant));
    CM_TRY(cm_svc_read(c, &row, key, &cm_message_GenerationRecord));
    r = cm_svc_held(c, row);
    l = atomic_load(&r->extra);
    if (!l) {
        CM_TRY(load_grants(c, tenant, &l));
        r->extra_free = grant_list_free;
        if (!atomic_compare_exchange_strong(&r->extra, &none, (void *)l)) {
            grant_list_free(l);
            l = none;
        }
    }
    *grants = l->v;
    *n = l->n;
    return CM_OKAY;
}

/* ---- facts ---- */

/* Who approved, if the request brings an approval of just this by just this principal. */
static cm_err approval(cm_call *c, cm_ask *ask)
{
    const cm_msg_value *v = cm_field_by_number(c->request, CM_FIELD_APPROVAL);
    struct cm_call_state *st = c->state;
    const cm_svc_row *row;
    cm_view key, uses;
    cm_err e;

    if (!v || v->view.n == 0)
        return CM_OKAY;
    CM_TRY(CM_PATH(c, &key, st->tenant, CM_LIT("approval"), v->view));
    e = cm_svc_read(c, &row, key, &cm_message_ApprovalRecord);
    if (cm_is(e, CM_STORE_NO_ROW))
        return CM_FAIL(SVC_APPROVAL);
    CM_TRY(e);
    if (cm_msg_number(row->msg, M_ApprovalRecord_expires_ms, 0) <= st->now ||
        !cm_view_eq(cm_msg_view(row->msg, M_ApprovalRecord_requester), st->who.name) ||
        st->who.tenant.n != st->tenant.n ||
        !cm_view_eq(cm_msg_view(row->msg, M_ApprovalRecord_action), cm_view_str(st->acts->name)) ||
        !cm_view_eq(cm_msg_view(row->msg, M_ApprovalRecord_keyspace), st->keyspace) ||
        !cm_view_eq(cm_msg_view(row->msg, M_ApprovalRecord_key), st->key)) /* V-25 */
        return CM_FAIL(SVC_APPROVAL);
    ask->approved_by = views_of(row->msg, M_ApprovalRecord_approved_by);
    CM_TRY(CM_PATH(c, &uses, st->tenant, CM_LIT("approval-uses"), v->view));
    return cm_svc_bump(c, uses, st->units, cm_msg_number(row->msg, M_ApprovalRecord_uses, 1),
                       cm_msg_number(row->msg, M_ApprovalRecord_expires_ms, 0));
}

/* The key that it is about, for its tags and its limits. That there is none is no secret kept here:
 * whoever may not use it is refused either way. */
static cm_err subject(cm_call *c, cm_ask *ask)
{
    struct cm_call_state *st = c->state;
    const cm_svc_row *row;
    cm_view path;
    cm_err e;

    ask->on_key = st->on_key;
    ask->keyspace = st->keyspace;
    ask->key = st->key;
    if (!st->on_key || st->key.n == 0)
        return CM_OKAY;
    CM_TRY(cm_svc_key_path(c, &path, st->tenant, st->keyspace, st->key));
    st->resource = path;
    e = cm_svc_read(c, &row, path, &cm_message_KeyRecord);
    if (cm_is(e, CM_STORE_NO_ROW))
        return CM_OKAY;
    CM_TRY(e);
    st->row = row;
    st->key_record = row->msg;
    ask->tags = views_of(row->msg, M_KeyRecord_tags);
    return CM_OKAY;
}

/* At most so many uses of a grant in its period, exactly. */
static cm_err charge_grant(cm_call *c, const cm_grant *g)
{
    struct cm_call_state *st = c->state;
    uint64_t period = CM_MAX(g->rate_seconds, (uint64_t)1) * 1000;
    cm_view key;

    if (g->rate == 0)
        return CM_OKAY;
    CM_TRY(CM_PATH(c, &key, st->tenant, CM_LIT("rate"), CM_LIT("grant"), g->name));
    return cm_svc_bump(c, key, st->units, g->rate, st->now - st->now % period + period);
}

/* The system's principals administer and audit tenants; they never use a tenant's keys (V-26). */
static bool system_may(cm_perm p)
{
    return p == CM_PERM_ADMIN || p == CM_PERM_AUDIT;
}

cm_err cm_svc_decide(cm_call *c)
{
    struct cm_call_state *st = c->state;
    uint8_t measurement[64];
    cm_ask ask = {
        .principal = st->who.name,
        .action = cm_view_str(st->acts->name),
        .permission = cm_view_str(cm_perm_name(c->op->perm)),
        .time_ms = st->now,
        .address = c->peer.address,
        .pq = c->peer.pq || c->peer.local,
    };
    const cm_msg_value *purpose = cm_field_by_number(c->request, CM_FIELD_PURPOSE);
    const cm_grant *grants;
    cm_decision d;
    size_t n;

    if (c->op->perm == CM_PERM_NONE)
        return CM_OKAY;
    if (st->who.tenant.n != st->tenant.n && !system_may(c->op->perm)) {
        (void)cm_svc_wrong(c, CM_OKAY, "the system's principals do not use tenants' keys");
        return CM_FAIL(SVC_DENIED);
    }
    if (purpose)
        ask.purpose = purpose->view;
    CM_TRY(cm_svc_grants(c, st->who.tenant, &grants, &n));
    if (!st->no_tenant)
        CM_TRY(subject(c, &ask));
    CM_TRY(cm_svc_evidence(c));
    CM_TRY(cm_svc_evidence_facts(c, &ask, grants, n, measurement));
    CM_TRY(approval(c, &ask));
    cm_policy_decide(&d, grants, n, &ask);
    if (!d.allowed) {
        (void)snprintf(c->detail, sizeof c->detail, "%s", d.sentence);
        return CM_FAIL(SVC_DENIED);
    }
    if (st->no_tenant)
        return CM_FAIL(SVC_NO_TENANT);
    return charge_grant(c, d.by);
}

/* Evidence and approvals speak of the first key: a grant that demands them does not hold here. */
cm_err cm_svc_decide_also(cm_call *c, cm_view action, cm_perm perm, cm_view key,
                          const cm_msg *record)
{
    struct cm_call_state *st = c->state;
    cm_ask ask = {
        .principal = st->who.name,
        .action = action,
        .permission = cm_view_str(cm_perm_name(perm)),
        .on_key = true,
        .keyspace = st->keyspace,
        .key = key,
        .time_ms = st->now,
        .address = c->peer.address,
        .pq = c->peer.pq || c->peer.local,
    };
    const cm_grant *grants;
    cm_decision d;
    size_t n;

    if (record)
        ask.tags = views_of(record, M_KeyRecord_tags);
    CM_TRY(cm_svc_grants(c, st->who.tenant, &grants, &n));
    cm_policy_decide(&d, grants, n, &ask);
    if (!d.allowed) {
        (void)snprintf(c->detail, sizeof c->detail, "%s", d.sentence);
        return CM_FAIL(SVC_DENIED);
    }
    return charge_grant(c, d.by);
}

/* ---- budgets ---- */

static cm_err take(cm_call *c, cm_view key, uint64_t rate)
{
    struct cm_call_state *st = c->state;
    cm_quota_take_of *t = &st->takes[st->takes_n];
    cm_unit_bump bump;

    if (rate == 0)
        return CM_OKAY;
    if (st->takes_n == CM_CALL_TAKES)
        return CM_FAIL(SVC_LIMIT);
    CM_TRY(cm_quota_take(c->svc->quota, key, rate, st->acts->cost * st->units, st->now, t, &bump,
                         &c->retry_after_ms));
    if (t->chunk) {
        st->take_bump[st->takes_n] = st->unit.bumps_n;
        CM_TRY(cm_svc_bump(c, bump.key, bump.by, bump.max, bump.until));
    }
    st->takes_n++;
    return CM_OKAY;
}

static cm_err tenant_rates(cm_call *c, uint64_t *all, uint64_t *principal, uint64_t *operation)
{
    struct cm_call_state *st = c->state;
    const cm_svc_row *row;
    cm_view path;
    cm_err e;

    *all = *principal = *operation = 0;
    CM_TRY(CM_PATH(c, &path, CM_LIT(""), CM_LIT("tenant"), st->tenant));
    e = cm_svc_read_stable(c, &row, st->tenant, path, &cm_message_TenantRecord);
    if (cm_is(e, CM_STORE_NO_ROW))
        return CM_OKAY;
    CM_TRY(e);
    *all = cm_msg_number(row->msg, M_TenantRecord_rate, 0);
    *principal = cm_msg_number(row->msg, M_TenantRecord_principal_rate, 0);
    *operation = cm_msg_number(row->msg, M_TenantRecord_operation_rate, 0);
    /* A suspended tenant is still administered by the system. */
    if (cm_msg_number(row->msg, M_TenantRecord_suspended, 0) && st->who.tenant.n)
        return CM_FAIL(SVC_DISABLED);
    return CM_OKAY;
}

cm_err cm_svc_charge(cm_call *c)
{
    struct cm_call_state *st = c->state;
    uint64_t all, principal, operation;
    cm_view key, rate = CM_LIT("rate");

    if (st->no_tenant)
        return CM_OKAY;
    CM_TRY(tenant_rates(c, &all, &principal, &operation));
    CM_TRY(CM_PATH(c, &key, st->tenant, rate, CM_LIT("tenant")));
    CM_TRY(take(c, key, all));
    CM_TRY(CM_PATH(c, &key, st->tenant, rate, CM_LIT("principal"), st->who.tenant, st->who.name));
    CM_TRY(take(c, key, st->who.rate ? st->who.rate : principal));
    CM_TRY(CM_PATH(c, &key, st->tenant, rate, CM_LIT("operation"), cm_view_str(st->acts->name)));
    CM_TRY(take(c, key, operation));
    if (!st->key_record)
        return CM_OKAY;
    CM_TRY(CM_PATH(c, &key, st->tenant, rate, CM_LIT("key"), st->keyspace, st->key));
    return take(c, key, cm_msg_number(st->key_record, M_KeyRecord_rate, 0));
}
