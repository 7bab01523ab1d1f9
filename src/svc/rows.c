/* Rows: paths, a cache that can never authorise by itself, reads that bind the commit. */
#include "svc/svc_int.h"

#include <stdio.h>

enum { RECORD_ARENA = 1 << 20, FORMAT = 1 };

cm_err cm_svc_path(cm_call *c, cm_view *out, const cm_view *parts, size_t n)
{
    cm_path p;

    cm_path_init(&p);
    for (size_t i = 0; i < n; i++)
        cm_path_add(&p, parts[i]);
    if (cm_path_view(&p).n == 0)
        return CM_FAIL(SVC_NAME);
    return cm_arena_copy(c->arena, out, cm_path_view(&p));
}

cm_err cm_svc_key_path(cm_call *c, cm_view *out, cm_view tenant, cm_view keyspace, cm_view name)
{
    return CM_PATH(c, out, tenant, CM_LIT("key"), keyspace, name); /* V-3 */
}

/* ---- the cache ---- */

void cm_svc_rows_init(cm_svc *s)
{
    for (size_t i = 0; i < CM_SVC_SHARDS; i++)
        (void)pthread_mutex_init(&s->shard[i].lock, NULL);
    (void)pthread_mutex_init(&s->sessions_lock, NULL);
    (void)pthread_mutex_init(&s->ids_lock, NULL);
}

static void let_go(cm_svc_row *r)
{
    void *extra;

    if (atomic_fetch_sub(&r->refs, 1) != 1)
        return;
    extra = atomic_load(&r->extra);
    if (extra)
        r->extra_free(extra);
    cm_arena_free(r->arena);
    cm_free(r);
}

static void empty_shard(cm_svc *s, cm_svc_shard *d)
{
    for (size_t i = 0; i < CM_SVC_SLOTS; i++) {
        cm_svc_row *next;

        for (cm_svc_row *r = d->slot[i]; r; r = next) {
            next = r->next;
            let_go(r);
        }
        d->slot[i] = NULL;
    }
    atomic_fetch_sub(&s->cached, d->n);
    d->n = 0;
}

void cm_svc_rows_done(cm_svc *s)
{
    for (size_t i = 0; i < CM_SVC_SHARDS; i++) {
        empty_shard(s, &s->shard[i]);
        (void)pthread_mutex_destroy(&s->shard[i].lock);
    }
    (void)pthread_mutex_destroy(&s->sessions_lock);
    (void)pthread_mutex_destroy(&s->ids_lock);
}

static uint64_t hash_of(cm_view key)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < key.n; i++)
        h = (h ^ key.p[i]) * 0x100000001b3u;
    return h ^ h >> 29;
}

static cm_svc_shard *shard_of(cm_svc *s, uint64_t hash)
{
    return &s->shard[hash % CM_SVC_SHARDS];
}

static cm_svc_row **slot_of(cm_svc_shard *d, uint64_t hash)
{
    return &d->slot[hash / CM_SVC_SHARDS % CM_SVC_SLOTS];
}

static cm_svc_row *cached(cm_svc *s, cm_view key, uint64_t hash)
{
    cm_svc_shard *d = shard_of(s, hash);
    cm_svc_row *r;

    (void)pthread_mutex_lock(&d->lock);
    for (r = *slot_of(d, hash); r; r = r->next)
        if (r->hash == hash && cm_view_eq(r->key, key))
            break;
    if (r)
        atomic_fetch_add(&r->refs, 1);
    (void)pthread_mutex_unlock(&d->lock);
    return r;
}

static cm_svc_row *unlink_row(cm_svc *s, cm_svc_shard *d, cm_view key, uint64_t hash)
{
    for (cm_svc_row **p = slot_of(d, hash); *p; p = &(*p)->next)
        if ((*p)->hash == hash && cm_view_eq((*p)->key, key)) {
            cm_svc_row *r = *p;

            *p = r->next;
            d->n--;
            atomic_fetch_sub(&s->cached, 1);
            return r;
        }
    return NULL;
}

void cm_svc_forget(cm_svc *s, cm_view key)
{
    uint64_t hash = hash_of(key);
    cm_svc_shard *d = shard_of(s, hash);
    cm_svc_row *r;

    (void)pthread_mutex_lock(&d->lock);
    r = unlink_row(s, d, key, hash);
    (void)pthread_mutex_unlock(&d->lock);
    if (r)
        let_go(r);
}

static void remember(cm_svc *s, cm_svc_row *r)
{
    cm_svc_shard *d = shard_of(s, r->hash);
    cm_svc_row *old, **slot;

    atomic_fetch_add(&r->refs, 1);
    (void)pthread_mutex_lock(&d->lock);
    if (d->n >= CM_SVC_SHARD_ROWS)
        empty_shard(s, d);
    old = unlink_row(s, d, r->key, r->hash);
    slot = slot_of(d, r->hash);
    r->next = *slot;
    *slot = r;
    d->n++;
    atomic_fetch_add(&s->cached, 1);
    (void)pthread_mutex_unlock(&d->lock);
    if (old)
        let_go(old);
}

/* ---- reading ---- */

cm_err cm_svc_record(cm_msg **out, cm_arena *a, const cm_message *type, cm_view value)
{
    cm_msg_fault fault;
    cm_msg *m;

    if (cm_failed(cm_msg_from_proto(&m, a, type, value, &fault)))
        return CM_FAIL(SVC_RECORD);
    for (size_t i = 0; i < type->n; i++) /* V-2 */
        if (type->fields[i].number == 15 && (!m->v[i].set || m->v[i].number != FORMAT))
            return CM_FAIL(SVC_RECORD);
    *out = m;
    return CM_OKAY;
}

static void row_free_ptr(cm_svc_row **r)
{
    if (*r)
        let_go(*r);
}

static cm_err load(cm_svc *s, cm_svc_row **out, cm_view key, uint64_t hash, const cm_message *type)
{
    CM_AUTO(row_free_ptr) cm_svc_row *r = NULL;
    CM_AUTO(cm_buf_free) cm_buf value = {.max = RECORD_ARENA / 4};
    cm_view kept;

    CM_TRY(cm_alloc(&r, sizeof *r));
    atomic_init(&r->refs, 1);
    CM_TRY(cm_arena_new(&r->arena, RECORD_ARENA));
    CM_TRY(cm_store_get(s->o.store, key, &value, &r->version));
    CM_TRY(cm_arena_copy(r->arena, &r->key, key));
    CM_TRY(cm_arena_copy(r->arena, &kept, cm_buf_view(&value)));
    CM_TRY(cm_svc_record(&r->msg, r->arena, type, kept));
    r->hash = hash;
    *out = r;
    r = NULL;
    return CM_OKAY;
}

static cm_err hold(cm_call *c, cm_svc_row *r)
{
    struct cm_call_state *st = c->state;

    for (size_t i = 0; i < st->held_n; i++)
        if (st->held[i] == r) {
            let_go(r);
            return CM_OKAY;
        }
    if (st->held_n == CM_CALL_HELD) {
        let_go(r);
        return CM_FAIL(SVC_LIMIT);
    }
    st->held[st->held_n++] = r;
    return CM_OKAY;
}

cm_svc_row *cm_svc_held(cm_call *c, const cm_svc_row *row)
{
    struct cm_call_state *st = c->state;

    for (size_t i = 0; i < st->held_n; i++)
        if (st->held[i] == row)
            return st->held[i];
    return NULL;
}

void cm_svc_release(struct cm_call_state *st)
{
    while (st->held_n)
        let_go(st->held[--st->held_n]);
}

cm_err cm_svc_expect(cm_call *c, cm_view key, uint64_t version)
{
    struct cm_call_state *st = c->state;

    for (size_t i = 0; i < st->unit.expects_n; i++)
        if (cm_view_eq(st->expects[i].key, key))
            return st->expects[i].version == version ? CM_OKAY : CM_FAIL(STORE_CONFLICT);
    if (st->unit.expects_n == CM_CALL_EXPECTS)
        return CM_FAIL(SVC_LIMIT);
    st->expects[st->unit.expects_n++] = (cm_unit_expect){key, version};
    return CM_OKAY;
}

cm_err cm_svc_read(cm_call *c, const cm_svc_row **out, cm_view key, const cm_message *type)
{
    uint64_t hash = hash_of(key);
    cm_svc_row *r = cached(c->svc, key, hash);

    if (!r) {
        cm_err e = load(c->svc, &r, key, hash, type);

        if (cm_is(e, CM_STORE_NO_ROW))
            CM_TRY(cm_svc_expect(c, key, 0));
        CM_TRY(e);
        remember(c->svc, r);
    }
    CM_TRY(hold(c, r));
    CM_TRY(cm_svc_expect(c, r->key, r->version));
    *out = r;
    return CM_OKAY;
}

cm_err cm_svc_generation(cm_call *c, cm_view tenant, uint64_t *generation)
{
    const cm_svc_row *r;
    cm_view key;
    cm_err e;

    CM_TRY(CM_PATH(c, &key, CM_LIT(""), CM_LIT("gen"), tenant));
    e = cm_svc_read(c, &r, key, &cm_message_GenerationRecord);
    if (cm_is(e, CM_STORE_NO_ROW)) {
        *generation = 0;
        return CM_OKAY;
    }
    CM_TRY(e);
    *generation = r->version;
    return CM_OKAY;
}

cm_err cm_svc_read_stable(cm_call *c, const cm_svc_row **out, cm_view tenant, cm_view key,
                          const cm_message *type)
{
    uint64_t hash = hash_of(key), generation;
    cm_svc_row *r;

    CM_TRY(cm_svc_generation(c, tenant, &generation));
    r = cached(c->svc, key, hash);
    if (r && r->generation != generation) {
        let_go(r);
        r = NULL;
    }
    if (!r) {
        CM_TRY(load(c->svc, &r, key, hash, type));
        r->generation = generation;
        remember(c->svc, r);
    }
    CM_TRY(hold(c, r));
    *out = r;
    return CM_OKAY;
}

/* ---- effects ---- */

cm_err cm_svc_write_bytes(cm_call *c, cm_view key, uint64_t version, cm_view value)
{
    struct cm_call_state *st = c->state;

    if (st->unit.writes_n == CM_CALL_WRITES)
        return CM_FAIL(SVC_LIMIT);
    st->writes[st->unit.writes_n++] = (cm_store_write){key, version, value};
    return CM_OKAY;
}

cm_err cm_svc_write(cm_call *c, cm_view key, uint64_t version, const cm_msg *m)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = RECORD_ARENA / 4};
    cm_view kept;

    CM_TRY(cm_msg_to_proto(&b, m));
    CM_TRY(cm_arena_copy(c->arena, &kept, cm_buf_view(&b)));
    return cm_svc_write_bytes(c, key, version, kept);
}

cm_err cm_svc_remove(cm_call *c, cm_view key)
{
    return cm_svc_write_bytes(c, key, 0, cm_view_of(NULL, 0));
}

cm_err cm_svc_bump_generation(cm_call *c, cm_view tenant)
{
    uint64_t generation;
    cm_msg *m;
    cm_view key;

    CM_TRY(cm_svc_generation(c, tenant, &generation));
    CM_TRY(CM_PATH(c, &key, CM_LIT(""), CM_LIT("gen"), tenant));
    CM_TRY(cm_svc_new_msg(c, &m, &cm_message_GenerationRecord));
    cm_set_number(m, M_GenerationRecord_changes, generation + 1);
    cm_set_number(m, M_GenerationRecord_format, FORMAT);
    return cm_svc_write(c, key, generation + 1, m);
}

static cm_err more_bumps(cm_call *c)
{
    struct cm_call_state *st = c->state;
    size_t max = st->bumps_max * 4;
    cm_unit_bump *more;

    if (max > CM_CALL_BUMPS_MAX)
        return CM_FAIL(SVC_LIMIT);
    CM_TRY(cm_arena_get(c->arena, &more, max * sizeof *more));
    memcpy(more, st->bumps, st->unit.bumps_n * sizeof *more);
    st->unit.bumps = st->bumps = more;
    st->bumps_max = max;
    return CM_OKAY;
}

cm_err cm_svc_bump(cm_call *c, cm_view key, uint64_t by, uint64_t max, uint64_t until)
{
    struct cm_call_state *st = c->state;

    if (st->unit.bumps_n == st->bumps_max)
        CM_TRY(more_bumps(c));
    st->bumps[st->unit.bumps_n++] = (cm_unit_bump){key, by, max, until};
    return CM_OKAY;
}

/* ---- messages ---- */

cm_err cm_svc_new_msg(cm_call *c, cm_msg **out, const cm_message *type)
{
    return cm_msg_new(out, c->arena, type);
}

void cm_set_view(cm_msg *m, size_t field, cm_view v)
{
    m->v[field].set = v.n > 0;
    m->v[field].view = v;
}

void cm_set_number(cm_msg *m, size_t field, uint64_t n)
{
    m->v[field].set = true;
    m->v[field].number = n;
}

void cm_set_msg(cm_msg *m, size_t field, cm_msg *v)
{
    m->v[field].set = v != NULL;
    m->v[field].msg = v;
}

void cm_set_msgs(cm_msg *m, size_t field, cm_msg **v, size_t n)
{
    m->v[field].set = n > 0;
    m->v[field].n = n;
    m->v[field].msgs = v;
}

void cm_set_same(cm_msg *m, size_t field, const cm_msg *from, size_t from_field)
{
    m->v[field] = from->v[from_field];
}

const cm_msg_value *cm_field_by_number(const cm_msg *m, unsigned number)
{
    for (size_t i = 0; i < m->type->n; i++)
        if (m->type->fields[i].number == number)
            return m->v[i].set ? &m->v[i] : NULL;
    return NULL;
}

cm_err cm_svc_wrong(cm_call *c, cm_err e, const char *field)
{
    (void)snprintf(c->detail, sizeof c->detail, "%s", field);
    return e;
}

cm_err cm_svc_keep(cm_call *c, cm_view *v)
{
    return cm_arena_copy(c->arena, v, *v);
}

/* ---- answers outlive the rows they were made of ---- */

static cm_err detach_value(cm_arena *a, const cm_field *f, cm_msg_value *v)
{
    bool many = f->flags & CM_FF_REPEATED, text = f->type == CM_F_TEXT || f->type == CM_F_BYTES;
    cm_view *views;

    if (f->type == CM_F_MSG) {
        for (size_t i = 0; i < (many ? v->n : 1); i++)
            CM_TRY(cm_svc_detach(a, many ? v->msgs[i] : v->msg));
        return CM_OKAY;
    }
    if (!many)
        return text ? cm_arena_copy(a, &v->view, v->view) : CM_OKAY;
    if (!text)
        return CM_OKAY;
    CM_TRY(cm_arena_get(a, &views, v->n * sizeof *views));
    for (size_t i = 0; i < v->n; i++)
        CM_TRY(cm_arena_copy(a, &views[i], v->views[i]));
    v->views = views;
    return CM_OKAY;
}

/* Messages nest as deep as their types say, which is fixed. Those of rows are copied first. */
static cm_err own(cm_arena *a, cm_msg **m)
{
    cm_msg *copy;

    CM_TRY(cm_msg_new(&copy, a, (*m)->type));
    for (size_t i = 0; i < copy->type->n; i++)
        copy->v[i] = (*m)->v[i];
    *m = copy;
    return CM_OKAY;
}

cm_err cm_svc_detach(cm_arena *a, cm_msg *m)
{
    for (size_t i = 0; i < m->type->n; i++) {
        const cm_field *f = &m->type->fields[i];
        cm_msg_value *v = &m->v[i];

        if (!v->set)
            continue;
        if (f->type == CM_F_MSG && (f->flags & CM_FF_REPEATED)) {
            cm_msg **list;

            CM_TRY(cm_arena_get(a, &list, v->n * sizeof *list));
            for (size_t k = 0; k < v->n; k++) {
                list[k] = v->msgs[k];
                CM_TRY(own(a, &list[k]));
            }
            v->msgs = list;
        } else if (f->type == CM_F_MSG) {
            CM_TRY(own(a, &v->msg));
        }
        CM_TRY(detach_value(a, f, v));
    }
    return CM_OKAY;
}
