/* Leases as two rows: a beat, 17 bytes of holder and whether it is held, and a fence. */
#include "store/lease.h"

enum { BEAT = 17 };

static void path_of(cm_path *p, const char *name, const char *what)
{
    cm_path_init(p);
    cm_path_add_str(p, "");
    cm_path_add_str(p, "lease");
    cm_path_add_str(p, name);
    cm_path_add_str(p, what);
}

void cm_lease_init(cm_lease *l, const char *name, cm_view me, uint64_t term_ns)
{
    *l = (cm_lease){.term_ns = term_ns};
    path_of(&l->beat, name, "beat");
    path_of(&l->fence, name, "fence");
    memcpy(l->me, me.p, CM_MIN(me.n, sizeof l->me));
}

typedef struct {
    uint64_t beat, fence; /* versions */
    bool held, ours;
} state;

static cm_err look(const cm_lease *l, cm_txn *t, state *st)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = BEAT};
    const cm_view keys[2] = {cm_path_view(&l->beat), cm_path_view(&l->fence)};
    uint64_t v[2] = {0, 0};

    CM_TRY(cm_txn_versions(t, keys, 2, v));
    *st = (state){.beat = v[0], .fence = v[1]};
    if (v[0] == 0)
        return CM_OKAY;
    CM_TRY(cm_txn_get(t, keys[0], &b, &st->beat));
    if (b.n != BEAT)
        return CM_FAIL(STORE_CORRUPT);
    st->held = b.p[16] == 1;
    st->ours = cm_view_eq(cm_view_of(b.p, 16), CM_VIEW(l->me));
    return CM_OKAY;
}

static cm_err write(cm_lease *l, cm_txn **t, const state *st, bool held, bool take)
{
    uint8_t b[BEAT];
    cm_store_write w[2] = {
        {cm_path_view(&l->beat), st->beat + 1, CM_VIEW(b)},
        {cm_path_view(&l->fence), st->fence + 1, CM_VIEW(l->me)},
    };
    cm_txn *mine = *t;

    memcpy(b, l->me, 16);
    b[16] = held;
    CM_TRY(cm_txn_write(mine, w, take ? 2 : 1));
    *t = NULL;
    return cm_txn_commit(mine);
}

static cm_err lost(cm_lease *l)
{
    l->held = false;
    return CM_FAIL(STORE_LEASED);
}

/* Another's is watched for a whole term before it may be taken (D-40); one of ours that we don't
 * know of is a commit whose answer was lost. */
static bool expired(cm_lease *l, const state *st, uint64_t now)
{
    if (!st->held || st->ours)
        return true;
    if (l->seen_version != st->beat) {
        l->seen_version = st->beat;
        l->seen_ns = now;
        return false;
    }
    return now - l->seen_ns >= l->term_ns;
}

cm_err cm_lease_keep(cm_lease *l, cm_store *s, uint64_t now)
{
    CM_AUTO(cm_txn_abort_ptr) cm_txn *t = NULL;
    bool renew;
    state st;

    CM_TRY(cm_txn_begin(&t, s));
    CM_TRY(look(l, t, &st));
    renew = l->held && st.held && st.ours && st.fence == l->token;
    if (!renew && l->held)
        return lost(l);
    if (!renew && !expired(l, &st, now))
        return CM_FAIL(STORE_LEASED);
    CM_TRY(write(l, &t, &st, true, !renew));
    l->held = true;
    l->token = renew ? st.fence : st.fence + 1;
    l->renewed_ns = now;
    return CM_OKAY;
}

bool cm_lease_held(const cm_lease *l, uint64_t now)
{
    return l->held && now - l->renewed_ns < l->term_ns;
}

cm_err cm_lease_release(cm_lease *l, cm_store *s)
{
    CM_AUTO(cm_txn_abort_ptr) cm_txn *t = NULL;
    state st;

    if (!l->held)
        return CM_OKAY;
    l->held = false;
    CM_TRY(cm_txn_begin(&t, s));
    CM_TRY(look(l, t, &st));
    if (!st.held || !st.ours || st.fence != l->token)
        return CM_OKAY;
    return write(l, &t, &st, false, false);
}
