/* One round of the scheduler. */
#include "svc/scheduler.h"

#include "audit/counter.h"
#include "audit/log.h"
#include "keys/schedule.h"
#include "svc/keyrec_int.h"
#include "svc/nonce_int.h"

enum { ARENA = 4 << 20, BIG = 32 << 20, DUE = 32, TENANTS = 256, PRUNE = 64, BATCHES = 64 };
enum { SEALED_KEK = 1625, NONCES = 64, AHEAD_MS = CM_HTTPSIG_WINDOW * 1000 };
#define SECOND_NS UINT64_C(1000000000)

void cm_scheduler_init(cm_scheduler *s, cm_svc *svc, cm_key_runner runner, cm_view me)
{
    *s = (cm_scheduler){.svc = svc, .runner = runner};
    cm_lease_init(&s->lease, "scheduler", me, CM_SCHEDULER_TERM_S * SECOND_NS);
}

void cm_scheduler_done(cm_scheduler *s)
{
    /* Whoever comes next waits a term when this fails. */
    if (cm_failed(cm_lease_release(&s->lease, s->svc->o.store)))
        s->lease.held = false;
}

/* ---- one change ---- a call that nobody made, in an arena of its own */

static cm_err plan(cm_scheduler *s, cm_call *c, cm_arena *a, cm_view tenant)
{
    struct cm_call_state *st;

    *c = (cm_call){.svc = s->svc, .arena = a};
    CM_TRY(cm_arena_get(a, &st, sizeof *st));
    memset(st, 0, sizeof *st);
    c->state = st;
    st->call = c;
    st->tenant = tenant;
    st->now = s->svc->o.now_ms(s->svc->o.now_arg);
    cm_svc_unit_init(st);
    return cm_svc_expect(c, cm_path_view(&s->lease.fence), s->lease.token); /* V-51 */
}

static cm_err commit(cm_call *c, const char *what)
{
    struct cm_call_state *st = c->state;
    cm_err e;

    CM_TRY(cm_random(c->svc->o.crypt, st->id, sizeof st->id));
    st->entry = (cm_audit_entry){
        .time_ms = st->now,
        .id = CM_VIEW(st->id),
        .tenant = st->tenant,
        .op = cm_view_str(what),
        .resource = st->resource,
        .key_version = st->key_version,
        .decision = CM_AUDIT_ALLOW,
        .custody = st->custody,
    };
    st->unit.entry = &st->entry;
    e = cm_committer_commit(c->svc->o.committer, &st->unit);
    for (size_t i = 0; i < st->unit.writes_n; i++)
        cm_svc_forget(c->svc, st->writes[i].key);
    for (size_t i = 0; cm_failed(e) && i < st->unit.expects_n; i++)
        cm_svc_forget(c->svc, st->expects[i].key);
    return e;
}

/* ---- what can be due ---- */

/* KM-64: what is in a device is destroyed there first; while the device is away, it is not over. */
static cm_err drop(cm_scheduler *s, cm_call *c, const cm_msg *r, const cm_msg *version)
{
    cm_keyop op = {.code = CM_KEYOP_DROP};
    cm_err e;

    if (!cm_view_eq(cm_msg_view(version, M_SealedVersion_custody), CM_LIT(CM_NATIVE)) ||
        !cm_msg_view(version, M_SealedVersion_sealed).n)
        return CM_OKAY;
    CM_TRY(cm_keyrec_bind_op(c, &op, c->state->resource, r, version));
    e = s->runner.run(s->runner.self, &op);
    cm_keyop_done_with(&op);
    return e;
}

static cm_err destroy(cm_scheduler *s, cm_call *c, cm_msg *r)
{
    for (size_t i = 0; i < r->v[M_KeyRecord_versions].n; i++)
        CM_TRY(drop(s, c, r, r->v[M_KeyRecord_versions].msgs[i]));
    if (r->v[M_KeyRecord_versions].n)
        CM_TRY(cm_keyrec_log_custody(
            c, r->v[M_KeyRecord_versions].msgs[r->v[M_KeyRecord_versions].n - 1]));
    for (size_t i = 0; i < r->v[M_KeyRecord_versions].n; i++) {
        cm_msg *v = r->v[M_KeyRecord_versions].msgs[i];

        cm_set_number(v, M_SealedVersion_state, CM_STATE_DESTROYED);
        cm_set_view(v, M_SealedVersion_sealed, cm_view_of(NULL, 0));
    }
    cm_set_number(r, M_KeyRecord_destroy_at_ms, 0);
    cm_set_number(r, M_KeyRecord_next_rotation_ms, 0);
    cm_set_number(r, M_KeyRecord_destroyed, true);
    CM_TRY(cm_keyrec_put(c, c->state->keyspace, c->state->key, r, c->state->row->version + 1));
    return commit(c, "DestroyDue");
}

static cm_err activate(cm_call *c, cm_msg *r, bool *any)
{
    for (size_t i = 0; i < r->v[M_KeyRecord_versions].n; i++) {
        cm_msg *v = r->v[M_KeyRecord_versions].msgs[i];

        if (cm_msg_number(v, M_SealedVersion_state, 0) == CM_STATE_PRE_ACTIVE &&
            cm_keyrec_state(r, v, c->state->now) == CM_STATE_ACTIVE) {
            cm_set_number(v, M_SealedVersion_state, CM_STATE_ACTIVE);
            c->state->key_version = cm_msg_number(v, M_SealedVersion_version, 0);
            *any = true;
        }
    }
    if (!*any)
        return CM_OKAY;
    CM_TRY(cm_keyrec_put(c, c->state->keyspace, c->state->key, r, c->state->row->version + 1));
    return commit(c, "ActivateDue");
}

static cm_err rotate(cm_scheduler *s, cm_call *c)
{
    cm_err e;

    CM_TRY(cm_msg_new(&c->answer, c->arena, &cm_message_Key));
    CM_TRY(cm_do_rotate_key(c));
    c->state->op.result = s->runner.run(s->runner.self, &c->state->op);
    e = cm_do_rotate_key_made(c);
    cm_keyop_done_with(&c->state->op);
    CM_TRY(e);
    return commit(c, "RotateDue");
}

/* V-52: the record says what is due, not the schedule's row, which only leads here. */
static cm_err act(cm_scheduler *s, cm_call *c, cm_scheduler_round_of *out)
{
    struct cm_call_state *st = c->state;
    const cm_svc_row *row;
    uint64_t at;
    bool any = false;
    cm_msg *r;

    CM_TRY(cm_svc_key_path(c, &st->resource, st->tenant, st->keyspace, st->key));
    CM_TRY(cm_svc_read(c, &row, st->resource, &cm_message_KeyRecord));
    st->row = row;
    st->key_record = row->msg;
    CM_TRY(cm_keyrec_copy(c, &r, row->msg, 0));
    at = cm_msg_number(r, M_KeyRecord_destroy_at_ms, 0);
    if (at) {
        if (at > st->now || s->mono_ns < s->held_until_ns)
            return CM_OKAY;
        CM_TRY(destroy(s, c, r));
        out->destroyed++;
        return CM_OKAY;
    }
    CM_TRY(activate(c, r, &any));
    out->activated += any;
    at = cm_msg_number(r, M_KeyRecord_next_rotation_ms, 0);
    if (any || at == 0 || at > st->now)
        return CM_OKAY;
    CM_TRY(rotate(s, c));
    out->rotated++;
    return CM_OKAY;
}

/* ---- rows to look at ---- */

typedef struct {
    cm_arena *arena;
    uint64_t now;
    cm_view *keys, *values;
    uint64_t *versions;
    size_t n, max;
} rows;

static cm_err take(void *arg, const cm_store_row *row)
{
    rows *l = arg;

    CM_TRY(cm_arena_copy(l->arena, &l->keys[l->n], row->key));
    CM_TRY(cm_arena_copy(l->arena, &l->values[l->n], row->value));
    l->versions[l->n++] = row->version;
    return CM_OKAY;
}

static cm_err list(cm_scheduler *s, cm_arena *a, rows *l, const cm_path *from, const cm_path *to,
                   size_t max)
{
    *l = (rows){.arena = a, .max = max};
    CM_TRY(cm_arena_get(a, &l->keys, max * sizeof *l->keys));
    CM_TRY(cm_arena_get(a, &l->values, max * sizeof *l->values));
    CM_TRY(cm_arena_get(a, &l->versions, max * sizeof *l->versions));
    return cm_store_scan(s->svc->o.store, cm_path_view(from), cm_path_view(to), max, take, l);
}

static void one_due(cm_scheduler *s, cm_view tenant, cm_view value, cm_scheduler_round_of *out)
{
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    cm_call c = {.svc = NULL};
    cm_msg *due;
    cm_err e = cm_arena_new(&a, ARENA);

    if (cm_ok(e))
        e = plan(s, &c, a, tenant);
    if (cm_ok(e))
        e = cm_svc_record(&due, a, &cm_message_DueRecord, value);
    if (cm_ok(e)) {
        c.state->keyspace = cm_msg_view(due, M_DueRecord_keyspace);
        c.state->key = cm_msg_view(due, M_DueRecord_key);
        e = act(s, &c, out);
    }
    if (c.state)
        cm_svc_release(c.state);
    out->failed += cm_failed(e);
}

/* Everything of a tenant whose time has come, a bounded part of it. */
static cm_err due_of_tenant(cm_scheduler *s, cm_arena *a, cm_view tenant, uint64_t now,
                            cm_scheduler_round_of *out)
{
    cm_path from, to;
    rows l;

    cm_path_init(&from);
    cm_path_add(&from, tenant);
    cm_path_add_str(&from, "due");
    to = from;
    cm_path_add_u64(&to, now + 1);
    CM_TRY(list(s, a, &l, &from, &to, DUE));
    for (size_t i = 0; i < l.n; i++)
        one_due(s, tenant, l.values[i], out);
    return CM_OKAY;
}

/* Counters that begin again anyway. No entry: nothing is decided by removing them. */
static cm_err prune(cm_scheduler *s, cm_arena *a, cm_view tenant, const char *kind,
                    cm_scheduler_round_of *out)
{
    cm_path from, to;
    cm_call c;
    rows l;

    cm_path_init(&from);
    cm_path_add(&from, tenant);
    cm_path_add_str(&from, kind);
    to = from;
    cm_path_end(&to);
    CM_TRY(list(s, a, &l, &from, &to, PRUNE));
    CM_TRY(plan(s, &c, a, tenant));
    for (size_t i = 0; i < l.n && c.state->unit.expects_n < CM_CALL_EXPECTS; i++) {
        cm_counter n;

        if (cm_failed(cm_counter_get(&n, l.values[i])) || !cm_counter_over(&n, c.state->now))
            continue;
        CM_TRY(cm_svc_expect(&c, l.keys[i], l.versions[i]));
        CM_TRY(cm_svc_remove(&c, l.keys[i]));
    }
    if (c.state->unit.writes_n == 0)
        return CM_OKAY;
    CM_TRY(cm_committer_commit(s->svc->o.committer, &c.state->unit));
    out->pruned += c.state->unit.writes_n;
    return CM_OKAY;
}

/* What stands in the order of time, and goes by it. */
static const struct registry {
    const char *kind;
    uint64_t life_s;
    size_t batch;
    cm_err (*forget)(cm_call *c, cm_view tenant, const cm_view *keys, size_t n);
} registries[] = {
    {"nonce", CM_SVC_NONCE_LIFE, CM_SVC_NONCE_BATCH, cm_svc_forget_nonces}, /* V-55 */
    {CM_SVC_DUE_MARKET, 0, CM_SVC_MARKET_BATCH, cm_svc_forget_market},      /* V-68 */
    {CM_SVC_RCAR, 0, CM_SVC_RCAR_BATCH, cm_svc_forget_rcar},
};

static cm_err forget_batch(cm_scheduler *s, const struct registry *g, cm_view tenant, size_t *n)
{
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    uint64_t now = s->svc->o.now_ms(s->svc->o.now_arg) / 1000;
    cm_path from, to;
    cm_call c = {.svc = NULL};
    rows l;
    cm_err e;

    *n = 0;
    if (now < g->life_s)
        return CM_OKAY;
    CM_TRY(cm_arena_new(&a, ARENA));
    cm_path_init(&from);
    cm_path_add(&from, tenant);
    cm_path_add_str(&from, g->kind);
    to = from;
    cm_path_add_u64(&to, now - g->life_s);
    CM_TRY(list(s, a, &l, &from, &to, g->batch));
    if (l.n == 0)
        return CM_OKAY;
    e = plan(s, &c, a, tenant);
    if (cm_ok(e))
        e = g->forget(&c, tenant, l.keys, l.n);
    if (cm_ok(e))
        e = cm_committer_commit(s->svc->o.committer, &c.state->unit);
    for (size_t i = 0; c.state && i < c.state->unit.writes_n; i++)
        cm_svc_forget(s->svc, c.state->writes[i].key);
    if (c.state)
        cm_svc_release(c.state);
    *n = cm_ok(e) ? l.n : 0;
    return e;
}

static cm_err forget_nonces(cm_scheduler *s, cm_view tenant, cm_scheduler_round_of *out)
{
    for (size_t k = 0; k < CM_COUNT(registries); k++) {
        const struct registry *g = &registries[k];
        size_t n = g->batch;

        for (unsigned i = 0; i < NONCES && n == g->batch; i++) {
            CM_TRY(forget_batch(s, g, tenant, &n));
            out->pruned += n;
        }
        out->more |= n == g->batch;
    }
    return CM_OKAY;
}

/* ---- rotations above keys ---- each call does a batch and leaves its cursor in a row
 * (h_rotate.c): whoever leads goes on there, after a restart too (V-53). */

static cm_err under_way(cm_scheduler *s, const char *what, cm_view tenant, bool *out)
{
    CM_AUTO(cm_buf_free) cm_buf at = {.max = CM_PATH_MAX};
    uint64_t version;
    cm_path p;
    cm_err e;

    cm_path_init(&p);
    cm_path_add_str(&p, "");
    cm_path_add_str(&p, what);
    if (tenant.p)
        cm_path_add(&p, tenant);
    e = cm_store_get(s->svc->o.store, cm_path_view(&p), &at, &version);
    *out = cm_ok(e);
    return cm_is(e, CM_STORE_NO_ROW) ? CM_OKAY : e;
}

static cm_err batch(cm_scheduler *s, cm_call *c, cm_err (*prepare)(cm_call *c),
                    cm_err (*finish)(cm_call *c))
{
    struct cm_call_state *st = c->state;
    cm_err e;

    CM_TRY(cm_msg_new(&c->answer, c->arena, &cm_message_RotateAnswer));
    e = prepare(c);
    while (cm_ok(e) && st->want_op) {
        st->want_op = false;
        st->op.result = s->runner.run(s->runner.self, &st->op);
        e = finish(c);
    }
    cm_keyop_done_with(&st->op);
    return e;
}

static cm_err one_batch(cm_scheduler *s, cm_view tenant, bool begin, cm_scheduler_round_of *out)
{
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    cm_call c = {.svc = NULL};
    cm_err e;

    s->batches--;
    CM_TRY(cm_arena_new(&a, BIG));
    e = plan(s, &c, a, tenant.p ? tenant : CM_LIT(""));
    if (cm_ok(e))
        e = tenant.p ? batch(s, &c, cm_do_rotate_kek, cm_do_rotate_kek_made)
                     : batch(s, &c, cm_do_rotate_root, cm_do_rotate_root_made);
    if (cm_ok(e))
        e = commit(&c, begin && tenant.p ? "RotateTenantKekDue" : "RewrapDue");
    if (cm_ok(e))
        out->rewrapped += cm_msg_number(c.answer, M_RotateAnswer_rewrapped, 0);
    if (c.state)
        cm_svc_release(c.state);
    return e;
}

/* tenant: whose keys, or {NULL, 0} for all tenants' KEKs. */
static cm_err carry_on(cm_scheduler *s, cm_view tenant, bool begin, cm_scheduler_round_of *out)
{
    bool more = false;

    for (;; begin = false) {
        if (!begin)
            CM_TRY(under_way(s, tenant.p ? "rewrap" : "rewrap-root", tenant, &more));
        if (!begin && !more)
            return CM_OKAY;
        if (s->batches == 0) {
            out->more = true;
            return CM_OKAY;
        }
        CM_TRY(one_batch(s, tenant, begin, out));
    }
}

/* Whether the newest KEK has had its time. The record says it, so that once is enough (V-52). */
static cm_err kek_due(cm_scheduler *s, cm_arena *a, cm_view value, bool *due)
{
    uint64_t now = s->svc->o.now_ms(s->svc->o.now_arg), made;
    const cm_msg_value *all;
    cm_msg *m;

    *due = false;
    if (s->kek_ms == 0)
        return CM_OKAY;
    CM_TRY(cm_svc_record(&m, a, &cm_message_KekRecord, value));
    all = &m->v[M_KekRecord_versions];
    if (!all->set || all->n == 0)
        return CM_FAIL(SVC_RECORD);
    made = cm_msg_number(all->msgs[all->n - 1], M_KekVersion_created_ms, 0);
    *due = made <= now && now - made >= s->kek_ms;
    return CM_OKAY;
}

static cm_err keks(cm_scheduler *s, cm_arena *a, cm_view tenant, cm_view value,
                   cm_scheduler_round_of *out)
{
    bool due, busy;
    cm_view t = tenant.p ? tenant : CM_LIT("");

    CM_TRY(under_way(s, "rewrap", t, &busy));
    CM_TRY(kek_due(s, a, value, &due));
    return carry_on(s, t, due && !busy, out);
}

/* KM-10: the generation of the root that a sealed KEK names. */
static bool generation_of(cm_view sealed, uint64_t *generation)
{
    bool plain = sealed.n == SEALED_KEK && sealed.p[0] == 1;

    if (!plain && (sealed.n <= SEALED_KEK || sealed.p[0] != 2))
        return false;
    *generation = cm_get_be64(sealed.p + 1);
    return true;
}

/* The oldest one among a tenant's KEKs. */
static cm_err oldest_of(cm_arena *a, cm_view value, uint64_t *oldest)
{
    uint64_t g;
    cm_msg *m;

    CM_TRY(cm_svc_record(&m, a, &cm_message_KekRecord, value));
    for (size_t i = 0; i < m->v[M_KekRecord_versions].n; i++)
        if (generation_of(cm_msg_view(m->v[M_KekRecord_versions].msgs[i], M_KekVersion_sealed), &g))
            *oldest = CM_MIN(*oldest, g);
    return CM_OKAY;
}

static cm_err look(void *arg, const cm_store_row *row)
{
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;

    CM_TRY(cm_arena_new(&a, ARENA));
    return oldest_of(a, row->value, arg);
}

cm_err cm_scheduler_oldest_root(cm_store *store, uint64_t *oldest)
{
    uint64_t found = UINT64_MAX;
    cm_path from, to;

    cm_path_init(&from);
    cm_path_add_str(&from, "boot");
    cm_path_add_str(&from, "tenant");
    to = from;
    cm_path_end(&to);
    CM_TRY(
        cm_store_scan(store, cm_path_view(&from), cm_path_view(&to), SIZE_MAX / 2, look, &found));
    *oldest = found;
    return CM_OKAY;
}

/* When the root in force was made: its row says it, or the log's first entry. */
static cm_err root_made(cm_scheduler *s, uint64_t *made)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_AUDIT_ENTRY_MAX};
    cm_audit_entry first;
    uint64_t version;
    cm_path p;
    cm_err e;

    cm_path_init(&p);
    cm_path_add_str(&p, "");
    cm_path_add_str(&p, "root-made");
    e = cm_store_get(s->svc->o.store, cm_path_view(&p), &b, &version);
    if (cm_ok(e)) {
        *made = b.n == 8 ? cm_get_be64(b.p) : 0;
        return CM_OKAY;
    }
    if (!cm_is(e, CM_STORE_NO_ROW))
        return e;
    CM_TRY(cm_log_entry(&b, s->svc->o.store, 0));
    CM_TRY(cm_audit_entry_decode(&first, cm_buf_view(&b)));
    *made = first.time_ms;
    return CM_OKAY;
}

/* V-58: KEKs under an older generation than keyd has in force are wrapped anew, whoever began it
 * and whatever happened since; a root that has had its year is told of. */
static cm_err roots(cm_scheduler *s, cm_scheduler_round_of *out)
{
    cm_schedule year = cm_schedule_default(CM_PURPOSE_ROOT);
    uint64_t made;

    CM_TRY(root_made(s, &made));
    out->root_due = cm_schedule_due(cm_schedule_first(&year, made), s->wall_ms);
    if (s->root_generation == 0 || s->oldest_root >= s->root_generation)
        return CM_OKAY;
    return carry_on(s, cm_view_of(NULL, 0), true, out);
}

static cm_err ready(cm_scheduler *s, cm_view tenant, cm_view value, cm_arena *a)
{
    const cm_row_keys *k = &s->svc->o.row_keys;
    cm_msg *m;

    if (k->known(k->self, tenant))
        return CM_OKAY;
    CM_TRY(cm_svc_record(&m, a, &cm_message_KekRecord, value));
    return cm_boot_row_key(k, s->runner, tenant, m);
}

static cm_err one_tenant(cm_scheduler *s, cm_view key, cm_view value, cm_scheduler_round_of *out)
{
    static const char *const counters[] = {"rate", "budget", "approval-uses"};
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    CM_AUTO(cm_buf_free) cm_buf tenant = {.max = CM_PATH_MAX};

    CM_TRY(cm_arena_new(&a, ARENA));
    CM_TRY(cm_path_nth(&tenant, key, 2));
    CM_TRY(oldest_of(a, value, &s->oldest_root));
    CM_TRY(ready(s, cm_buf_view(&tenant), value, a));
    CM_TRY(due_of_tenant(s, a, cm_buf_view(&tenant), s->svc->o.now_ms(s->svc->o.now_arg), out));
    CM_TRY(keks(s, a, cm_buf_view(&tenant), value, out));
    CM_TRY(forget_nonces(s, cm_buf_view(&tenant), out));
    for (size_t i = 0; i < CM_COUNT(counters); i++)
        CM_TRY(prune(s, a, cm_buf_view(&tenant), counters[i], out));
    return CM_OKAY;
}

/* All tenants, a page after another. */
static cm_err all_tenants(cm_scheduler *s, cm_scheduler_round_of *out)
{
    cm_path from, to;
    rows l;

    cm_path_init(&from);
    cm_path_add_str(&from, "boot");
    cm_path_add_str(&from, "tenant");
    to = from;
    cm_path_end(&to);
    do {
        CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;

        CM_TRY(cm_arena_new(&a, (size_t)4 * ARENA));
        CM_TRY(list(s, a, &l, &from, &to, TENANTS));
        for (size_t i = 0; i < l.n; i++)
            out->failed += cm_failed(one_tenant(s, l.keys[i], l.values[i], out));
        if (l.n && l.keys[l.n - 1].n < CM_PATH_MAX) {
            memcpy(from.b, l.keys[l.n - 1].p, l.keys[l.n - 1].n);
            from.b[l.keys[l.n - 1].n] = 0;
            from.n = l.keys[l.n - 1].n + 1;
        }
    } while (l.n == TENANTS);
    return CM_OKAY;
}

/* V-57: what can't be undone waits when the wall clock has run ahead of the one that measures. */
static void watch_clock(cm_scheduler *s, uint64_t mono_ns, cm_scheduler_round_of *out)
{
    uint64_t now = s->svc->o.now_ms(s->svc->o.now_arg), went;

    if (s->wall_ms) {
        went = (mono_ns - s->mono_ns) / 1000000;
        out->ahead = now > s->wall_ms + went + AHEAD_MS;
        out->back = now + AHEAD_MS < s->wall_ms + went;
    }
    if (out->ahead)
        s->held_until_ns = mono_ns + s->hold_s * SECOND_NS;
    if (out->back)
        s->held_until_ns = 0;
    s->wall_ms = now;
    s->mono_ns = mono_ns;
}

cm_err cm_scheduler_round(cm_scheduler *s, uint64_t mono_ns, cm_scheduler_round_of *out)
{
    cm_err e = cm_lease_keep(&s->lease, s->svc->o.store, mono_ns);

    *out = (cm_scheduler_round_of){.leader = false};
    watch_clock(s, mono_ns, out);
    if (!cm_lease_held(&s->lease, mono_ns))
        return cm_is(e, CM_STORE_LEASED) ? CM_OKAY : e;
    out->leader = true;
    s->batches = s->most ? s->most : BATCHES;
    e = carry_on(s, cm_view_of(NULL, 0), false, out);
    out->failed += cm_failed(e);
    s->oldest_root = UINT64_MAX;
    CM_TRY(all_tenants(s, out));
    e = roots(s, out);
    out->failed += cm_failed(e);
    return CM_OKAY;
}
