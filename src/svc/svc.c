/* The engine: takes a call through its steps, whoever's thread it is on. */
#include "svc/svc_int.h"

#include "audit/counter.h"

enum {
    UNKNOWN_LOGGED = 20,
    ADDRESS_RATE = 1000,
    ATTEST_RATE = 20,
    BUCKETS = 1 << 16,
    MINUTE_MS = 60000
};
enum { TURN_MINE, TURN_BACK, TURN_DONE }; /* of cm_call_state.turn */

typedef enum { GO_ON, WAIT } go;

/* ---- life ---- */

cm_err cm_svc_new(cm_svc **out, const cm_svc_options *o)
{
    cm_svc *s;
    uint64_t seed;
    cm_err e;

    CM_TRY(cm_random(o->crypt, &seed, sizeof seed));
    CM_TRY(cm_alloc(&s, sizeof *s));
    s->o = *o;
    if (s->o.address_rate == 0)
        s->o.address_rate = ADDRESS_RATE;
    if (s->o.attest_rate == 0)
        s->o.attest_rate = ATTEST_RATE;
    e = cm_quota_new(&s->quota, seed, BUCKETS);
    if (cm_ok(e))
        e = cm_refusals_new(&s->refusals, o->crypt);
    if (cm_failed(e)) {
        cm_quota_free(s->quota);
        cm_free(s);
        return e;
    }
    cm_svc_rows_init(s);
    *out = s;
    return CM_OKAY;
}

void cm_svc_free(cm_svc *s)
{
    if (!s)
        return;
    cm_svc_rows_done(s);
    cm_svc_sessions_done(s);
    cm_refusals_free(s->refusals);
    cm_quota_free(s->quota);
    cm_free(s);
}

void cm_svc_free_ptr(cm_svc **s)
{
    cm_svc_free(*s);
}

void cm_svc_stats_of(cm_svc *s, cm_svc_stats *out)
{
    *out = (cm_svc_stats){atomic_load(&s->calls), atomic_load(&s->refused),
                          atomic_load(&s->retries), atomic_load(&s->cached)};
}

/* ---- handing over ---- */

/* Whoever submits something may be called back before submit() returns, or on another thread while
 * it has not returned yet. The second of the two to arrive goes on; a callback never nests. */
static bool second_here(struct cm_call_state *st, int me)
{
    return atomic_exchange(&st->turn, me) != TURN_MINE;
}

static void drive(struct cm_call_state *st);

static void op_done(cm_keyop *op)
{
    struct cm_call_state *st = op->arg;

    if (second_here(st, TURN_DONE))
        drive(st);
}

static void drop_ops(struct cm_call_state *st)
{
    cm_kem_key_free(st->ephemeral);
    st->ephemeral = NULL;
    cm_keyop_done_with(&st->op);
    for (size_t i = 0; i < st->ops_n; i++)
        cm_keyop_done_with(&st->ops[i]);
    st->ops_n = 0;
}

static void one_of_ops_done(cm_keyop *op)
{
    struct cm_call_state *st = op->arg;

    if (atomic_fetch_sub(&st->under_way, 1) == 1)
        drive(st);
}

/* One is counted for this thread, so that none goes on before all are submitted. */
static go submit_ops(struct cm_call_state *st)
{
    cm_keeper k = st->call->keeper;

    atomic_store(&st->under_way, 1);
    for (size_t i = st->from; i < st->to; i++) {
        if (!st->ops[i].code)
            continue;
        st->ops[i].done = one_of_ops_done;
        st->ops[i].arg = st;
        atomic_fetch_add(&st->under_way, 1);
        k.submit(k.self, &st->ops[i]);
    }
    return atomic_fetch_sub(&st->under_way, 1) == 1 ? GO_ON : WAIT;
}

static go submit_op(struct cm_call_state *st)
{
    cm_keeper k = st->call->keeper;

    if (st->ops_n)
        return submit_ops(st);

    st->op.done = op_done;
    st->op.arg = st;
    atomic_store(&st->turn, TURN_MINE);
    k.submit(k.self, &st->op);
    return second_here(st, TURN_BACK) ? GO_ON : WAIT;
}

/* ---- beginning ---- */

void cm_svc_unit_init(struct cm_call_state *st)
{
    st->bumps = st->few_bumps;
    st->bumps_max = CM_CALL_BUMPS;
    st->unit = (cm_unit){.expects = st->expects, .writes = st->writes, .bumps = st->bumps};
}

static void reset(struct cm_call_state *st)
{
    cm_svc_unit_init(st);
    st->once = CM_OKAY;
    st->once_from = st->once_to = st->challenge_from = st->challenge_to = 0;
    st->shown = NULL;
    st->rcar = NULL;
    st->nonce_bumps = st->decided = st->takes_n = st->round = 0;
    st->who = (cm_svc_who){.how = CM_BY_NONE};
    st->key_record = NULL;
    st->row = NULL;
    st->key_version = st->number = 0;
    st->at = st->left = 0;
    st->text = st->request = st->evidence = st->resource = cm_view_of(NULL, 0);
    st->want_op = st->no_tenant = false;
    st->refusal = CM_OKAY;
    st->decision = CM_AUDIT_ALLOW;
    if (st->tries == 0) {
        st->stands_for = (cm_refusal){0};
        st->stood = false;
    }
    st->call->answer = NULL;
    st->call->discreet = false;
    st->acts = st->call->op;
    st->units = 1;
    st->logged = cm_view_str(st->call->op->name);
    cm_svc_release(st);
}

/* Field 3, if it says where a key is. */
static bool keyspace_field(const cm_op *op, size_t *at)
{
    for (size_t i = 0; i < op->request->n; i++)
        if (op->request->fields[i].number == CM_FIELD_KEYSPACE) {
            const char *name = op->request->fields[i].name;

            *at = i;
            return strcmp(name, "keyspace") == 0 || strcmp(name, "model") == 0;
        }
    return false;
}

static bool keyed(cm_perm p)
{
    return p == CM_PERM_USE || p == CM_PERM_READ || p == CM_PERM_MANAGE || p == CM_PERM_EXPORT;
}

static cm_err key_named(struct cm_call_state *st)
{
    const cm_call *c = st->call;
    const cm_msg_value *key = cm_field_by_number(c->request, CM_FIELD_KEY);
    size_t at;

    st->on_key = keyed(c->op->perm) && keyspace_field(c->op, &at);
    if (c->op->request == &cm_message_MigrateDeviceRequest) { /* H-61: what approvals name */
        st->keyspace = cm_msg_view(c->request, M_MigrateDeviceRequest_from);
        st->key = cm_msg_view(c->request, M_MigrateDeviceRequest_to);
    }
    if (!st->on_key)
        return CM_OKAY;
    st->keyspace = cm_msg_view(c->request, at);
    st->key = key ? key->view : cm_view_of(NULL, 0);
    if (st->keyspace.n == 0 && st->key.n)
        st->keyspace = CM_LIT("default");
    if (st->keyspace.n)
        CM_TRY(cm_svc_name_check(st->keyspace));
    else
        st->on_key = false;
    return st->key.n ? cm_svc_name_check(st->key) : CM_OKAY;
}

/* V-88: what takes no proof of who asks, and work, is limited by address more than the rest. */
static cm_err unproven(cm_call *c)
{
    cm_svc *s = c->svc;
    cm_view key;

    if (!c->peer.address.n ||
        (c->op->prepare != cm_do_rcar_auth && c->op->prepare != cm_do_rcar_attest &&
         c->op->prepare != cm_do_rcar_resource))
        return CM_OKAY;
    CM_TRY(CM_PATH(c, &key, CM_LIT(CM_SVC_RCAR), c->peer.address));
    return cm_quota_local(s->quota, key, s->o.attest_rate, c->state->now, &c->retry_after_ms);
}

/* Drawn by the dozen: of a draw, most is its beginning. */
static cm_err new_id(cm_svc *s, uint8_t id[CM_SVC_ID])
{
    cm_err e = CM_OKAY;

    (void)pthread_mutex_lock(&s->ids_lock);
    if (s->ids_n == 0) {
        e = cm_random(s->o.crypt, s->ids, sizeof s->ids);
        s->ids_n = cm_ok(e) ? CM_SVC_IDS : 0;
    }
    if (cm_ok(e))
        memcpy(id, s->ids[--s->ids_n], CM_SVC_ID);
    (void)pthread_mutex_unlock(&s->ids_lock);
    return e;
}

static cm_err start(struct cm_call_state *st)
{
    cm_call *c = st->call;
    cm_svc *s = c->svc;
    const cm_msg_value *tenant = cm_field_by_number(c->request, CM_FIELD_TENANT);

    if (st->tries == 0)
        CM_TRY(unproven(c));
    if (st->tries == 0 && c->peer.address.n && c->op->auth != CM_AUTH_NONE)
        CM_TRY(cm_quota_local(s->quota, c->peer.address, s->o.address_rate, st->now,
                              &c->retry_after_ms));
    CM_TRY(new_id(s, st->id));
    st->tenant = cm_view_of("", 0);
    if (tenant && !cm_view_eq(tenant->view, CM_LIT(CM_SYSTEM_TENANT))) {
        CM_TRY(cm_svc_tenant_check(tenant->view));
        st->tenant = tenant->view;
    }
    CM_TRY(cm_svc_batch_counts(c));
    CM_TRY(cm_svc_rcar_start(c));
    return key_named(st);
}

/* ---- row keys ---- */

static cm_err ask_row_key(struct cm_call_state *st, cm_view tenant)
{
    cm_call *c = st->call;
    CM_AUTO(cm_buf_free) cm_buf value = {.max = 1 << 16};
    cm_view key, kept;
    uint64_t version, wanted;
    cm_msg *m;

    CM_TRY(CM_PATH(c, &key, CM_LIT("boot"), CM_LIT("tenant"), tenant));
    CM_TRY(cm_store_get(c->svc->o.store, key, &value, &version));
    CM_TRY(cm_arena_copy(c->arena, &kept, cm_buf_view(&value)));
    CM_TRY(cm_svc_record(&m, c->arena, &cm_message_KekRecord, kept));
    wanted = cm_msg_number(m, M_KekRecord_row_key_version, 1);
    for (size_t i = 0; i < m->v[M_KekRecord_versions].n; i++) {
        const cm_msg *v = m->v[M_KekRecord_versions].msgs[i];

        if (cm_msg_number(v, M_KekVersion_version, 0) != wanted)
            continue;
        cm_svc_want(c, CM_KEYOP_ROW_KEY);
        st->op.bind.tenant = tenant;
        st->op.bind.kek_version = wanted;
        st->op.kek = cm_msg_view(v, M_KekVersion_sealed);
        st->loading = tenant;
        return CM_OKAY;
    }
    return CM_FAIL(SVC_RECORD);
}

/* Rows of the system and of the tenant can be read; or a key operation is wanted for that. */
static cm_err rows_ready(struct cm_call_state *st)
{
    const cm_row_keys *k = &st->call->svc->o.row_keys;
    cm_view need[2] = {cm_view_of("", 0), st->tenant};

    if (st->want_op) { /* the answer to ask_row_key() is there */
        st->want_op = false;
        CM_TRY(st->op.result);
        CM_TRY(k->add(k->self, st->loading, cm_buf_view(&st->op.out)));
        cm_keyop_done_with(&st->op);
    }
    for (size_t i = 0; i < 2; i++) {
        cm_err e;

        if (k->known(k->self, need[i]))
            continue;
        e = ask_row_key(st, need[i]);
        if (i == 1 && cm_is(e, CM_STORE_NO_ROW)) {
            st->no_tenant = true;
            return CM_OKAY;
        }
        return e;
    }
    return CM_OKAY;
}

/* ---- the log entry ---- one for each decision (V-12) */

static void fill_entry(struct cm_call_state *st, cm_audit_decision d, cm_err why)
{
    st->entry = (cm_audit_entry){
        .time_ms = st->now,
        .id = CM_VIEW(st->id),
        .tenant = st->tenant,
        .principal = st->who.blind,
        .op = st->logged,
        .resource = st->resource,
        .key_version = st->key_version,
        .request = st->request,
        .evidence = st->evidence,
        .decision = d,
        .reason = why.v,
        .custody = st->custody,
    };
    st->unit.entry = &st->entry;
}

static void unit_done(cm_unit *u)
{
    struct cm_call_state *st = u->arg;

    if (second_here(st, TURN_DONE))
        drive(st);
}

static cm_err submit_unit(struct cm_call_state *st, go *next)
{
    cm_err e;

    st->unit.done = unit_done;
    st->unit.arg = st;
    st->unit.result = CM_OKAY;
    atomic_store(&st->turn, TURN_MINE);
    e = cm_committer_submit(st->call->svc->o.committer, &st->unit);
    if (cm_failed(e))
        return e;
    *next = second_here(st, TURN_BACK) ? GO_ON : WAIT;
    return CM_OKAY;
}

/* ---- after the commit ---- */

static void settle(struct cm_call_state *st, bool committed, size_t empty)
{
    for (size_t i = 0; i < st->takes_n; i++)
        cm_quota_settle(st->call->svc->quota, &st->takes[i], committed,
                        st->takes[i].chunk && st->take_bump[i] == empty, !committed);
    st->takes_n = 0;
}

/* Which of the bumps ran out; bumps_n when none does any more. */
static size_t ran_out(struct cm_call_state *st)
{
    for (size_t i = 0; i < st->unit.bumps_n; i++) {
        CM_AUTO(cm_buf_free) cm_buf value = {.max = 64};
        cm_counter n = {0, 0};
        uint64_t version;

        if (cm_failed(cm_store_get(st->call->svc->o.store, st->bumps[i].key, &value, &version)) ||
            cm_failed(cm_counter_get(&n, cm_buf_view(&value))) || cm_counter_over(&n, st->now))
            continue;
        if (n.value > st->bumps[i].max || st->bumps[i].by > st->bumps[i].max - n.value)
            return i;
    }
    return st->unit.bumps_n;
}

static cm_err why_spent(struct cm_call_state *st)
{
    size_t i = ran_out(st);
    bool lease = false;
    uint64_t until;

    for (size_t t = 0; t < st->takes_n; t++)
        lease |= st->takes[t].chunk && st->take_bump[t] == i;
    settle(st, false, i);
    if (i >= st->challenge_from && i < st->challenge_to) { /* V-83: what stands before it counts */
        st->nonce_bumps = st->challenge_from;
        st->challenge_to = st->challenge_from;
        return CM_FAIL(SVC_CHALLENGE_USED);
    }
    if (i < st->nonce_bumps) {
        st->nonce_bumps = 0;
        return CM_FAIL(SVC_REPLAY);
    }
    if (i >= st->once_from && i < st->once_to)
        return st->once;
    until = i < st->unit.bumps_n ? st->bumps[i].until : st->now + 1000;
    if (until == UINT64_MAX)
        return CM_FAIL(FROST_NONCE_USED);
    st->call->retry_after_ms =
        (uint32_t)CM_MIN(until > st->now ? until - st->now : 1, (uint64_t)UINT32_MAX);
    return lease ? CM_FAIL(SVC_RATE) : CM_FAIL(SVC_BUDGET);
}

static void set_leaf(struct cm_call_state *st)
{
    cm_msg *a = st->call->answer;

    for (size_t i = 0; a && i < a->type->n; i++) {
        if (strcmp(a->type->fields[i].name, "leaf") == 0)
            cm_set_number(a, i, st->unit.leaf);
        if (st->unit.want_receipt && strcmp(a->type->fields[i].name, "receipt") == 0 &&
            cm_ok(cm_arena_adopt(st->call->arena, &a->v[i].view, &st->unit.receipt)))
            a->v[i].set = true;
    }
    cm_buf_free(&st->unit.receipt);
}

static void forget_all(struct cm_call_state *st, bool expects)
{
    for (size_t i = 0; i < st->unit.writes_n; i++)
        cm_svc_forget(st->call->svc, st->writes[i].key);
    for (size_t i = 0; expects && i < st->unit.expects_n; i++)
        cm_svc_forget(st->call->svc, st->expects[i].key);
}

/* Begin anew: false when it has been tried often enough. */
static bool anew(struct cm_call_state *st)
{
    forget_all(st, true);
    settle(st, false, SIZE_MAX);
    cm_buf_free(&st->unit.receipt);
    drop_ops(st);
    if (++st->tries >= CM_CALL_TRIES)
        return false;
    atomic_fetch_add(&st->call->svc->retries, 1);
    st->stage = CM_AT_START;
    return true;
}

/* ---- refusing ---- */

/* V-91: what an entry was to stand for and none does is counted on; but for this call, if it
 * succeeded in the end. */
static void not_stood(struct cm_call_state *st, bool refused)
{
    cm_refusal what = st->stands_for;

    if (what.count == 0 || st->stood)
        return;
    what.count -= !refused;
    cm_refusals_back(st->call->svc->refusals, &what);
}

static void end(struct cm_call_state *st, cm_err e)
{
    cm_call *c = st->call;

    not_stood(st, cm_failed(e));
    settle(st, cm_ok(e), SIZE_MAX);
    cm_buf_free(&st->unit.receipt);
    drop_ops(st);
    cm_svc_release(st);
    c->result = e;
    if (cm_is(e, CM_STORE_UNREACHABLE))
        cm_committer_suspect(c->svc->o.committer, e);
    if (cm_failed(e)) {
        c->answer = NULL;
        atomic_fetch_add(&c->svc->refused, 1);
    }
    atomic_fetch_add(&c->svc->calls, 1);
    st->stage = CM_AT_END;
    c->done(c);
}

static bool ours_to_log(cm_err e)
{
    cm_class k = cm_err_class(e);

    return k != CM_CLASS_IO && k != CM_CLASS_INTERNAL;
}

/* V-91: of an attestation by nobody in particular, a few entries that stand for all; of anybody
 * else's call, one. */
static bool logs_refusal(struct cm_call_state *st, cm_err e)
{
    cm_call *c = st->call;
    uint32_t ignored;

    if (!ours_to_log(e) || st->stage == CM_AT_REFUSAL || cm_is(e, CM_STORE_CONFLICT))
        return false;
    if (c->op->prepare == cm_do_rcar_attest)
        return st->stands_for.count ||
               cm_refusals_note(c->svc->refusals, c->peer.address, e, st->now, &st->stands_for);
    return c->op->auth != CM_AUTH_NONE &&
           (st->who.how != CM_BY_NONE || /* V-13 */
            cm_ok(cm_quota_local(c->svc->quota, CM_LIT("unknown callers"), UNKNOWN_LOGGED, st->now,
                                 &ignored)));
}

/* A refusal stands on what the decision stood on, and uses up nothing but its nonce. */
static go refuse(struct cm_call_state *st, cm_err e)
{
    go next;

    settle(st, false, SIZE_MAX);
    if (!logs_refusal(st, e) || cm_failed(cm_svc_rcar_refused(st->call))) {
        end(st, e);
        return WAIT;
    }
    drop_ops(st);
    st->refusal = e;
    st->stage = CM_AT_REFUSAL;
    st->unit.writes_n = 0;
    st->unit.bumps_n = st->nonce_bumps;
    st->unit.expects_n = st->decided ? st->decided : st->unit.expects_n;
    st->unit.want_receipt = false;
    fill_entry(st, st->decision == CM_AUDIT_ALLOW ? CM_AUDIT_DENY : st->decision, e);
    if (cm_failed(submit_unit(st, &next))) {
        end(st, e);
        return WAIT;
    }
    return next;
}

static go refused(struct cm_call_state *st)
{
    cm_err e = st->refusal;

    if (cm_is(st->unit.result, CM_STORE_CONFLICT) && anew(st))
        return GO_ON;
    if (cm_is(st->unit.result, CM_COMMIT_BUDGET) && st->challenge_to > st->challenge_from) {
        st->stage = CM_AT_COMMIT; /* once more, without what was spent */
        return refuse(st, why_spent(st));
    }
    if (cm_is(st->unit.result, CM_COMMIT_BUDGET)) /* V-7: of all it could only be the nonce */
        e = CM_FAIL(SVC_REPLAY);
    st->stood = cm_ok(st->unit.result);
    end(st, e);
    return WAIT;
}

/* ---- the steps ---- */

static go fail(struct cm_call_state *st, cm_err e)
{
    if (cm_is(e, CM_STORE_CONFLICT)) {
        if (anew(st))
            return GO_ON;
        end(st, CM_FAIL(SVC_BUSY));
        return WAIT;
    }
    return refuse(st, e);
}

/* What shows hashes and versions alone goes on while the store does not. */
static bool needs_store(const cm_op *op)
{
    return op->audit != CM_LEAF_OFF || op->prepare == cm_do_tile || op->prepare == cm_do_checkpoint;
}

static go begin(struct cm_call_state *st)
{
    cm_err e;

    reset(st);
    st->now = st->call->svc->o.now_ms(st->call->svc->o.now_arg);
    e = needs_store(st->call->op) && cm_failed(cm_committer_health(st->call->svc->o.committer))
            ? CM_FAIL(AUDIT_CLOSED)
            : start(st);
    if (cm_failed(e)) {
        end(st, e); /* not even a well-formed name: nothing to log it under */
        return WAIT;
    }
    st->stage = CM_AT_ROWS;
    return GO_ON;
}

static go rows(struct cm_call_state *st)
{
    cm_err e = rows_ready(st);

    if (cm_failed(e)) {
        st->want_op = false;
        end(st, e);
        return WAIT;
    }
    if (st->want_op)
        return submit_op(st);
    st->stage = CM_AT_DECISION;
    return GO_ON;
}

static go decision(struct cm_call_state *st)
{
    cm_call *c = st->call;
    cm_err e = cm_svc_authenticate(c);

    if (cm_ok(e))
        e = cm_svc_decide(c);
    if (cm_ok(e) && c->op->auth != CM_AUTH_NONE && !st->resumed)
        e = cm_svc_charge(c);
    st->decided = st->unit.expects_n;
    if (cm_failed(e))
        return fail(st, e);
    st->stage = CM_AT_PREPARE;
    return GO_ON;
}

static go ready_to_commit(struct cm_call_state *st)
{
    cm_call *c = st->call;
    go next;
    cm_err e = CM_OKAY;

    /* Results of key operations are the call's own already. */
    if (c->op->finish == NULL || c->op->audit == CM_LEAF_CHANGE)
        e = cm_svc_detach(c->arena, c->answer);
    if (cm_failed(e))
        return fail(st, e);

    /* Nothing but what is public was read; or a stream goes on, whose beginning was logged. */
    if ((c->op->audit == CM_LEAF_OFF && st->unit.writes_n == 0) || st->resumed) {
        end(st, CM_OKAY);
        return WAIT;
    }
    st->unit.want_receipt = c->op->audit == CM_LEAF_RECEIPT;
    fill_entry(st, CM_AUDIT_ALLOW, CM_OKAY);
    st->stage = CM_AT_COMMIT;
    e = submit_unit(st, &next);
    if (cm_ok(e))
        return next;
    end(st, e);
    return WAIT;
}

/* After prepare or finish: one more key operation, or the commit. */
static go onward(struct cm_call_state *st, cm_err e)
{
    if (cm_failed(e)) {
        st->want_op = false;
        return fail(st, e);
    }
    if (st->want_op) {
        st->stage = CM_AT_FINISH;
        return submit_op(st);
    }
    return ready_to_commit(st);
}

static go prepare(struct cm_call_state *st)
{
    cm_call *c = st->call;
    cm_err e = cm_msg_new(&c->answer, c->arena, c->op->answer);

    if (cm_ok(e))
        e = c->op->prepare(c);
    return onward(st, e);
}

static go finish(struct cm_call_state *st)
{
    cm_call *c = st->call;

    st->want_op = false;
    st->round++;
    if (cm_failed(st->op.result) && !cm_is(st->op.result, CM_CRYPT_SIGNATURE))
        st->decision = CM_AUDIT_FAIL;
    return onward(st, c->op->finish(c));
}

static go committed(struct cm_call_state *st)
{
    cm_err e = st->unit.result;

    if (cm_is(e, CM_COMMIT_BUDGET))
        return refuse(st, why_spent(st));
    if (cm_is(e, CM_STORE_CONFLICT)) {
        if (anew(st))
            return GO_ON;
        e = CM_FAIL(SVC_BUSY);
    }
    if (cm_ok(e)) {
        forget_all(st, false);
        set_leaf(st);
    }
    end(st, e);
    return WAIT;
}

static go step(struct cm_call_state *st)
{
    switch (st->stage) {
    case CM_AT_START:
        return begin(st);
    case CM_AT_ROWS:
        return rows(st);
    case CM_AT_DECISION:
        return decision(st);
    case CM_AT_PREPARE:
        return prepare(st);
    case CM_AT_FINISH:
        return finish(st);
    case CM_AT_COMMIT:
        return committed(st);
    case CM_AT_REFUSAL:
        return refused(st);
    case CM_AT_END:
        break;
    }
    return WAIT;
}

/* The committer's thread may not use the keeper of the call's own. */
static bool goes_home(struct cm_call_state *st, cm_svc_stage before)
{
    return st->stage == CM_AT_START && (before == CM_AT_COMMIT || before == CM_AT_REFUSAL) &&
           st->call->again;
}

static void drive(struct cm_call_state *st)
{
    for (;;) {
        cm_svc_stage before = st->stage;

        if (step(st) == WAIT)
            return;
        if (goes_home(st, before)) {
            st->call->again(st->call);
            return;
        }
    }
}

void cm_svc_run(cm_call *c)
{
    struct cm_call_state *st = c->state;
    cm_err e;

    if (!st) {
        e = cm_arena_get(c->arena, &st, sizeof *st);
        if (cm_failed(e)) {
            c->result = e;
            c->done(c);
            return;
        }
        memset(st, 0, sizeof *st);
        st->call = c;
        c->state = st;
        c->retry_after_ms = 0;
        c->detail[0] = 0;
    }
    drive(st);
}

void cm_svc_want(cm_call *c, cm_keyop_code code)
{
    struct cm_call_state *st = c->state;

    cm_keyop_done_with(&st->op);
    memset(&st->op, 0, sizeof st->op);
    st->op.code = code;
    st->want_op = true;
}

cm_err cm_svc_more(cm_call *c)
{
    struct cm_call_state *st = c->state;

    if (!st || !c->more || !c->op->streams)
        return CM_FAIL(BAD_ARGUMENT);
    c->more = false;
    st->before = st->who;
    st->resumed = true;
    st->tries = 0;
    st->stage = CM_AT_START;
    return CM_OKAY;
}
