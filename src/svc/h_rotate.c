/*
 * Rotation of the keys above keys: everything below is wrapped anew, nothing is encrypted anew.
 * A call does a bounded part; the cursor stands in a row, so that the next call, or the scheduler,
 * goes on where this one ended, whichever node it is on.
 */
#include "svc/keyrec_int.h"
#include "svc/page_int.h"

enum { BATCH = 16, KEKS = 16 };

/* ---- one tenant's keys under its newest KEK ---- */

typedef struct {
    cm_call *call;
    cm_view *keys;
    size_t n;
} key_list;

static cm_err collect(void *arg, const cm_store_row *row)
{
    key_list *l = arg;

    CM_TRY(cm_arena_copy(l->call->arena, &l->keys[l->n], row->key));
    l->n++;
    return CM_OKAY;
}

/* The work of one call, in its arena. */
typedef struct {
    cm_view *keys; /* rows to look at */
    size_t n, key, version;
    cm_msg *copy; /* of the row under way */
    uint64_t row_version;
    uint64_t newest, rewrapped;
    cm_view kek;          /* newest */
    const cm_msg *tenant; /* its record, of whose KEK this is; NULL: of the root */
    cm_view cursor;
    uint64_t cursor_version;
    bool last; /* nothing behind these */
    bool making;
} work;

static cm_err cursor_path(cm_call *c, cm_view *out)
{
    return CM_PATH(c, out, CM_LIT(""), CM_LIT("rewrap"), c->state->tenant);
}

/* The next rows below from, which moves behind the one that the row at w->cursor names. */
static cm_err list_from(cm_call *c, work *w, cm_path *from)
{
    CM_AUTO(cm_buf_free) cm_buf at = {.max = CM_PATH_MAX - 1};
    key_list l = {c, NULL, 0};
    cm_path to = *from;
    cm_err e;

    e = cm_store_get(c->svc->o.store, w->cursor, &at, &w->cursor_version);
    if (cm_failed(e) && !cm_is(e, CM_STORE_NO_ROW))
        return e;
    CM_TRY(cm_svc_expect(c, w->cursor, w->cursor_version));
    cm_path_end(&to);
    if (at.n) {
        memcpy(from->b, at.p, at.n);
        from->b[at.n] = 0;
        from->n = at.n + 1;
    }
    CM_TRY(cm_arena_get(c->arena, &l.keys, BATCH * sizeof *l.keys));
    CM_TRY(
        cm_store_scan(c->svc->o.store, cm_path_view(from), cm_path_view(&to), BATCH, collect, &l));
    w->keys = l.keys;
    w->n = l.n;
    w->last = l.n < BATCH;
    return CM_OKAY;
}

static cm_err list_rows(cm_call *c, work *w)
{
    cm_path from;

    CM_TRY(cursor_path(c, &w->cursor));
    cm_path_init(&from);
    cm_path_add(&from, c->state->tenant);
    cm_path_add_str(&from, "key");
    return list_from(c, w, &from);
}

/* The row under way, to change. */
static cm_err open_row(cm_call *c, work *w)
{
    const cm_svc_row *row;

    CM_TRY(cm_svc_read(c, &row, w->keys[w->key], &cm_message_KeyRecord));
    CM_TRY(cm_keyrec_copy(c, &w->copy, row->msg, 0));
    w->row_version = row->version;
    w->version = 0;
    return CM_OKAY;
}

/* The next version that is sealed under an older KEK; asks for it to be sealed anew. */
static cm_err next_version(cm_call *c, work *w, bool *wanted)
{
    cm_msg_value *all = &w->copy->v[M_KeyRecord_versions];
    struct cm_call_state *st = c->state;

    *wanted = false;
    for (; all->set && w->version < all->n; w->version++) {
        cm_msg *v = all->msgs[w->version];
        uint64_t kek = cm_msg_number(v, M_SealedVersion_kek_version, 0);

        if (kek == w->newest || cm_msg_view(v, M_SealedVersion_sealed).n == 0)
            continue;
        cm_svc_want(c, CM_KEYOP_RESEAL);
        st->resource = w->keys[w->key];
        CM_TRY(cm_keyrec_bind(c, w->copy, v));
        st->op.more = w->kek;
        st->op.n = w->newest;
        *wanted = true;
        return CM_OKAY;
    }
    return CM_OKAY;
}

/* Goes on until something is to be resealed or the batch is done. */
static cm_err proceed(cm_call *c, work *w, bool *wanted)
{
    *wanted = false;
    while (w->key < w->n) {
        bool changed;

        if (!w->copy)
            CM_TRY(open_row(c, w));
        CM_TRY(next_version(c, w, wanted));
        if (*wanted)
            return CM_OKAY;
        changed = w->rewrapped != c->state->number;
        c->state->number = w->rewrapped;
        if (changed)
            CM_TRY(cm_svc_write(c, w->keys[w->key], w->row_version + 1, w->copy));
        w->copy = NULL;
        w->key++;
    }
    return CM_OKAY;
}

static cm_err wind_up(cm_call *c, work *w)
{
    c->state->resource = cm_view_of(NULL, 0);
    if (w->tenant && cm_msg_view(w->tenant, M_TenantRecord_hsm).n)
        CM_TRY(cm_svc_tenant_resource(c, c->state->tenant, w->tenant));
    c->state->key_version = w->newest;
    if (!w->last)
        CM_TRY(cm_svc_write_bytes(c, w->cursor, w->cursor_version + 1, w->keys[w->n - 1]));
    else if (w->cursor_version)
        CM_TRY(cm_svc_remove(c, w->cursor));
    cm_set_number(c->answer, M_RotateAnswer_version, w->newest);
    cm_set_number(c->answer, M_RotateAnswer_rewrapped, w->rewrapped);
    cm_set_number(c->answer, M_RotateAnswer_remaining, !w->last);
    return CM_OKAY;
}

static work *work_of(cm_call *c)
{
    work *w;

    memcpy(&w, c->state->text.p, sizeof w);
    return w;
}

static cm_err start_rewrapping(cm_call *c, work *w)
{
    bool wanted;

    CM_TRY(list_rows(c, w));
    CM_TRY(proceed(c, w, &wanted));
    return wanted ? CM_OKAY : wind_up(c, w);
}

/* While an earlier rotation is not through, a call goes on with it; otherwise it makes a KEK. */
cm_err cm_do_rotate_kek(cm_call *c)
{
    struct cm_call_state *st = c->state;
    CM_AUTO(cm_buf_free) cm_buf at = {.max = CM_PATH_MAX};
    cm_view path, kept;
    uint64_t version;
    work *w;
    cm_err e;

    if (st->tenant.n == 0 && st->who.tenant.n)
        return CM_FAIL(SVC_DENIED);
    CM_TRY(cm_arena_get(c->arena, &w, sizeof *w));
    memset(w, 0, sizeof *w);
    CM_TRY(cm_arena_copy(c->arena, &kept, cm_view_of(&w, sizeof w)));
    st->text = kept;
    CM_TRY(cm_svc_kek(c, &w->newest, &w->kek));
    CM_TRY(cm_svc_tenant(c, st->tenant, &w->tenant));
    CM_TRY(cursor_path(c, &path));
    e = cm_store_get(c->svc->o.store, path, &at, &version);
    if (cm_ok(e))
        return start_rewrapping(c, w);
    if (!cm_is(e, CM_STORE_NO_ROW))
        return e;
    w->making = true;
    cm_svc_want(c, CM_KEYOP_NEW_TENANT);
    st->op.bind.tenant = st->tenant;
    st->op.bind.kek_version = w->newest + 1;
    cm_svc_tenant_place(c, w->tenant);
    return CM_OKAY;
}

/* The new KEK joins the record; the oldest that nothing can need any more leaves it: all keys were
 * wrapped with the one before, and the row key's stays. */
static cm_err add_kek(cm_call *c, work *w)
{
    struct cm_call_state *st = c->state;
    const cm_svc_row *row;
    cm_msg *r, *v, **list;
    const cm_msg_value *old;
    cm_view path, sealed = cm_buf_view(&st->op.out);
    size_t n = 0;

    CM_TRY(st->op.result);
    CM_TRY(cm_svc_keep(c, &sealed));
    CM_TRY(CM_PATH(c, &path, CM_LIT("boot"), CM_LIT("tenant"), st->tenant));
    CM_TRY(cm_svc_read(c, &row, path, &cm_message_KekRecord));
    old = &row->msg->v[M_KekRecord_versions];
    CM_TRY(cm_arena_get(c->arena, &list, (old->n + 1) * sizeof *list));
    for (size_t i = 0; i < old->n; i++) {
        uint64_t have = cm_msg_number(old->msgs[i], M_KekVersion_version, 0);

        if (have == w->newest || have == cm_msg_number(row->msg, M_KekRecord_row_key_version, 1))
            list[n++] = old->msgs[i];
    }
    if (n >= KEKS)
        return CM_FAIL(SVC_LIMIT);
    CM_TRY(cm_svc_new_msg(c, &v, &cm_message_KekVersion));
    cm_set_number(v, M_KekVersion_version, ++w->newest);
    cm_set_view(v, M_KekVersion_sealed, sealed);
    cm_set_number(v, M_KekVersion_created_ms, st->now);
    list[n++] = v;
    CM_TRY(cm_svc_new_msg(c, &r, &cm_message_KekRecord));
    for (size_t i = 0; i < M_KekRecord_n; i++)
        r->v[i] = row->msg->v[i];
    cm_set_msgs(r, M_KekRecord_versions, list, n);
    w->kek = sealed;
    return cm_svc_write(c, path, row->version + 1, r);
}

/* A first batch of keys right with the new KEK, from the first key on. */
cm_err cm_do_rotate_kek_made(cm_call *c)
{
    struct cm_call_state *st = c->state;
    work *w = work_of(c);
    cm_msg *v;
    cm_view sealed;
    bool wanted;

    if (w->making) {
        w->making = false;
        CM_TRY(add_kek(c, w));
        return start_rewrapping(c, w);
    }
    CM_TRY(st->op.result);
    sealed = cm_buf_view(&st->op.out);
    CM_TRY(cm_svc_keep(c, &sealed));
    if (sealed.n == 0)
        return CM_FAIL(CRYPT_PROVIDER);
    v = w->copy->v[M_KeyRecord_versions].msgs[w->version++];
    cm_set_view(v, M_SealedVersion_sealed, sealed);
    cm_set_number(v, M_SealedVersion_kek_version, w->newest);
    w->rewrapped++;
    CM_TRY(proceed(c, w, &wanted));
    return wanted ? CM_OKAY : wind_up(c, w);
}

/* ---- tenants' KEKs under the root now in force ---- */

static cm_err list_tenants(cm_call *c, work *w)
{
    cm_path from;

    CM_TRY(CM_PATH(c, &w->cursor, CM_LIT(""), CM_LIT("rewrap-root")));
    cm_path_init(&from);
    cm_path_add_str(&from, "boot");
    cm_path_add_str(&from, "tenant");
    return list_from(c, w, &from);
}

static cm_err open_kek_row(cm_call *c, work *w)
{
    const cm_svc_row *row;

    CM_TRY(cm_svc_read(c, &row, w->keys[w->key], &cm_message_KekRecord));
    CM_TRY(cm_keyrec_copy_keks(c, &w->copy, row->msg));
    w->row_version = row->version;
    w->version = 0;
    return CM_OKAY;
}

/* The next KEK to seal to the root, or the end of the batch. */
static cm_err proceed_root(cm_call *c, work *w)
{
    struct cm_call_state *st = c->state;

    for (; w->key < w->n; w->key++) {
        const cm_msg_value *all;

        if (!w->copy)
            CM_TRY(open_kek_row(c, w));
        all = &w->copy->v[M_KekRecord_versions];
        if (w->version < all->n) {
            cm_view tenant;

            CM_TRY(cm_svc_part(c, &tenant, w->keys[w->key], 2));
            cm_svc_want(c, CM_KEYOP_RESEAL);
            st->op.bind.tenant = tenant;
            st->op.bind.kek_version = cm_msg_number(all->msgs[w->version], M_KekVersion_version, 0);
            st->op.kek = cm_msg_view(all->msgs[w->version], M_KekVersion_sealed);
            return CM_OKAY;
        }
        CM_TRY(cm_svc_write(c, w->keys[w->key], w->row_version + 1, w->copy));
        w->copy = NULL;
    }
    return wind_up(c, w);
}

cm_err cm_do_rotate_root(cm_call *c)
{
    work *w;

    CM_TRY(cm_arena_get(c->arena, &w, sizeof *w));
    memset(w, 0, sizeof *w);
    CM_TRY(cm_arena_copy(c->arena, &c->state->text, cm_view_of(&w, sizeof w)));
    CM_TRY(list_tenants(c, w));
    return proceed_root(c, w);
}

cm_err cm_do_rotate_root_made(cm_call *c)
{
    cm_view sealed = cm_buf_view(&c->state->op.out);
    work *w = work_of(c);

    CM_TRY(c->state->op.result);
    CM_TRY(cm_svc_keep(c, &sealed));
    if (sealed.n == 0)
        return CM_FAIL(CRYPT_PROVIDER);
    cm_set_view(w->copy->v[M_KekRecord_versions].msgs[w->version++], M_KekVersion_sealed, sealed);
    w->rewrapped++;
    return proceed_root(c, w);
}
