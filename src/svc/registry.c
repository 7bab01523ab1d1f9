/*
 * What happens once: nonces of receipts, challenges, jobs, receipts that were settled. Each is a
 * counter of the store, bumped in the unit of the very call: whichever node is first wins, restarts
 * forget nothing, and a store that fails refuses (V-66, V-67). What need not be kept for good
 * stands in the row `market-due` of its time as well, for the scheduler to remove both. A clock may
 * be wrong when it does, so that the times of removed nonces stay in `market-spent`, as those of
 * signed requests do (nonce.c), and no nonce of such a time is taken again (V-68).
 */
#include "svc/market_int.h"
#include "svc/nonce_int.h"

static cm_err due(cm_call *c, cm_view tenant, const char *kind, cm_view a, cm_view b,
                  uint64_t until)
{
    uint8_t second[8];
    cm_view key;

    cm_put_be64(second, until / 1000);
    CM_TRY(CM_PATH(c, &key, tenant, CM_LIT(CM_SVC_DUE_MARKET), CM_VIEW(second), cm_view_str(kind),
                   a, b));
    return cm_svc_bump(c, key, 1, UINT64_MAX, UINT64_MAX);
}

cm_err cm_market_due(cm_call *c, const char *kind, cm_view a, cm_view b, uint64_t until)
{
    return due(c, c->state->tenant, kind, a, b, until);
}

static cm_err remember(cm_call *c, cm_view tenant, const char *kind, cm_view a, cm_view b,
                       uint64_t until)
{
    cm_view path, ranges;
    uint64_t version;

    CM_TRY(cm_svc_spent_read(c, tenant, CM_SVC_SPENT_MARKET, &path, &ranges, &version));
    if (cm_svc_spent_has(ranges, until / 1000)) /* V-68 */
        return CM_FAIL(MARKET_FORGOTTEN);
    return due(c, tenant, kind, a, b, until);
}

/* The counters of one call stand together. */
cm_err cm_market_once(cm_call *c, const char *kind, cm_view a, cm_view b, uint64_t until,
                      cm_err spent)
{
    struct cm_call_state *st = c->state;
    cm_view key;

    CM_TRY(CM_PATH(c, &key, st->tenant, cm_view_str(kind), a, b));
    if (cm_ok(st->once))
        st->once_from = st->unit.bumps_n;
    st->once = spent;
    CM_TRY(cm_svc_bump(c, key, 1, 1, UINT64_MAX));
    if (until != UINT64_MAX)
        CM_TRY(remember(c, st->tenant, kind, a, b, until));
    st->once_to = st->unit.bumps_n;
    return CM_OKAY;
}

/* V-83: counted also when the call is refused, so that one challenge is one try. */
cm_err cm_svc_challenge_once(cm_call *c, cm_view tenant, cm_view nonce, uint64_t until_ms)
{
    struct cm_call_state *st = c->state;
    cm_view key;
    cm_err e;

    CM_TRY(CM_PATH(c, &key, tenant, CM_LIT(CM_SVC_KIND_CHALLENGE), nonce, CM_LIT("")));
    st->challenge_from = st->unit.bumps_n;
    e = cm_svc_bump(c, key, 1, 1, UINT64_MAX);
    CM_TRY(e);
    e = remember(c, tenant, CM_SVC_KIND_CHALLENGE, nonce, CM_LIT(""), until_ms);
    if (cm_is(e, CM_MARKET_FORGOTTEN))
        return CM_FAIL(SVC_CHALLENGE_USED);
    st->challenge_to = st->nonce_bumps = st->unit.bumps_n;
    return e;
}

/* T `market-due` second kind a b leads to T kind a b. *nonce: whether its time has to stay. */
static cm_err forget(cm_call *c, cm_view tenant, cm_view key, uint64_t *second, bool *nonce)
{
    cm_buf part[4] = {
        {.max = CM_PATH_MAX}, {.max = CM_PATH_MAX}, {.max = CM_PATH_MAX}, {.max = CM_PATH_MAX}};
    cm_view row;
    cm_err e = CM_OKAY;

    for (size_t i = 0; i < 4 && cm_ok(e); i++)
        e = cm_path_nth(&part[i], key, i + 2);
    if (cm_ok(e) && part[0].n != 8)
        e = CM_FAIL(SVC_RECORD);
    if (cm_ok(e)) {
        *second = cm_get_be64(part[0].p);
        *nonce = !cm_view_eq(cm_buf_view(&part[1]), CM_LIT(CM_SVC_SETTLEMENT));
        e = CM_PATH(c, &row, tenant, cm_buf_view(&part[1]), cm_buf_view(&part[2]),
                    cm_buf_view(&part[3]));
    }
    if (cm_ok(e))
        e = cm_svc_remove(c, row);
    if (cm_ok(e))
        e = cm_svc_remove(c, key);
    for (size_t i = 0; i < 4; i++)
        cm_buf_free(&part[i]);
    return e;
}

cm_err cm_svc_forget_market(cm_call *c, cm_view tenant, const cm_view *keys, size_t n)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_SVC_SPENT_MAX + CM_SVC_SPENT_RANGE};
    cm_view path, ranges;
    uint64_t version, second = 0;
    bool nonce = false, any = false;

    CM_TRY(cm_svc_spent_read(c, tenant, CM_SVC_SPENT_MARKET, &path, &ranges, &version));
    CM_TRY(cm_buf_append(&b, ranges));
    for (size_t i = 0; i < n; i++) {
        CM_TRY(forget(c, tenant, keys[i], &second, &nonce));
        if (nonce)
            CM_TRY(cm_svc_spent_add(&b, second));
        any |= nonce;
    }
    return any ? cm_svc_spent_write(c, path, version, cm_buf_view(&b)) : CM_OKAY;
}
