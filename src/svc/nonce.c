/*
 * Nonces of signed requests. Each is a row under the time that its request was signed, and is kept
 * until no request of that time would be taken. Which rows go is decided by a clock that may be
 * wrong, so that what goes leaves the times it covered in the tenant's `spent` row, and a request
 * of such a time is refused for ever: whatever the clock does, no nonce serves twice (V-7, V-55).
 * The times are ranges, so that a clock that was ahead for a while bars that while and nothing
 * between it and now.
 */
#include "svc/nonce_int.h"

enum { RANGE = CM_SVC_SPENT_RANGE, RANGES = CM_SVC_SPENT_MAX / RANGE };

static uint64_t from_of(const cm_buf *b, size_t i)
{
    return cm_get_be64(b->p + i * RANGE);
}

static uint64_t to_of(const cm_buf *b, size_t i)
{
    return cm_get_be64(b->p + i * RANGE + 8);
}

static void set(cm_buf *b, size_t i, uint64_t from, uint64_t to)
{
    cm_put_be64(b->p + i * RANGE, from);
    cm_put_be64(b->p + i * RANGE + 8, to);
}

bool cm_svc_spent_has(cm_view ranges, uint64_t created)
{
    for (size_t at = 0; at + RANGE <= ranges.n; at += RANGE)
        if (created >= cm_get_be64(ranges.p + at) && created <= cm_get_be64(ranges.p + at + 8))
            return true;
    return false;
}

/* Range i and the next become one. */
static void join(cm_buf *b, size_t i)
{
    size_t n = b->n / RANGE;

    set(b, i, from_of(b, i), CM_MAX(to_of(b, i), to_of(b, i + 1)));
    memmove(b->p + (i + 1) * RANGE, b->p + (i + 2) * RANGE, (n - i - 2) * RANGE);
    b->n -= RANGE;
}

static bool near(const cm_buf *b, size_t i)
{
    return from_of(b, i + 1) <= to_of(b, i) || from_of(b, i + 1) - to_of(b, i) <= CM_SVC_SPENT_NEAR;
}

cm_err cm_svc_spent_add(cm_buf *b, uint64_t created)
{
    uint8_t room[RANGE] = {0};
    size_t n, i = 0;

    if (b->n % RANGE != 0 || b->n > CM_SVC_SPENT_MAX)
        return CM_FAIL(SVC_RECORD);
    CM_TRY(cm_buf_append(b, CM_VIEW(room)));
    n = b->n / RANGE;
    while (i + 1 < n && from_of(b, i) <= created)
        i++;
    memmove(b->p + (i + 1) * RANGE, b->p + i * RANGE, (n - 1 - i) * RANGE);
    set(b, i, created, created); /* V-55 */
    for (size_t k = 0; k + 1 < b->n / RANGE;)
        if (near(b, k))
            join(b, k);
        else
            k++;
    if (b->n / RANGE > RANGES)
        join(b, 0); /* the oldest are the least likely to come back */
    return CM_OKAY;
}

cm_err cm_svc_spent_read(cm_call *c, cm_view tenant, const char *kind, cm_view *path,
                         cm_view *ranges, uint64_t *version)
{
    const cm_svc_row *row;
    cm_err e;

    CM_TRY(CM_PATH(c, path, tenant, cm_view_str(kind)));
    *ranges = cm_view_of(NULL, 0);
    *version = 0;
    e = cm_svc_read(c, &row, *path, &cm_message_SpentRecord);
    if (cm_is(e, CM_STORE_NO_ROW))
        return CM_OKAY;
    CM_TRY(e);
    *ranges = cm_msg_view(row->msg, M_SpentRecord_ranges);
    *version = row->version;
    return CM_OKAY;
}

cm_err cm_svc_spent_write(cm_call *c, cm_view path, uint64_t version, cm_view ranges)
{
    cm_view kept;
    cm_msg *m;

    CM_TRY(cm_svc_new_msg(c, &m, &cm_message_SpentRecord));
    CM_TRY(cm_arena_copy(c->arena, &kept, ranges));
    cm_set_view(m, M_SpentRecord_ranges, kept);
    cm_set_number(m, M_SpentRecord_format, 1);
    return cm_svc_write(c, path, version + 1, m);
}

/* The row of the ranges is expected by the unit, so that nothing is removed in between. */
cm_err cm_svc_record_nonce(cm_call *c, const cm_httpsig *s, cm_view tenant)
{
    uint8_t created[8];
    cm_view key, spent, ranges;
    uint64_t version;

    CM_TRY(cm_svc_spent_read(c, tenant, CM_SVC_SPENT_NONCES, &spent, &ranges, &version));
    if (cm_svc_spent_has(ranges, s->created)) /* V-55 */
        return CM_FAIL(SVC_FORGOTTEN);
    cm_put_be64(created, s->created);
    CM_TRY(CM_PATH(c, &key, tenant, CM_LIT("nonce"), CM_VIEW(created), s->keyid, s->nonce));
    CM_TRY(cm_svc_bump(c, key, 1, 1, 0));
    c->state->nonce_bumps = c->state->unit.bumps_n;
    return CM_OKAY;
}

/* One unit: the rows go, their times stay. */
cm_err cm_svc_forget_nonces(cm_call *c, cm_view tenant, const cm_view *keys, size_t n)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_SVC_SPENT_MAX + RANGE};
    cm_view path, ranges;
    uint64_t version;

    CM_TRY(cm_svc_spent_read(c, tenant, CM_SVC_SPENT_NONCES, &path, &ranges, &version));
    CM_TRY(cm_buf_append(&b, ranges));
    for (size_t i = 0; i < n; i++) {
        CM_AUTO(cm_buf_free) cm_buf created = {.max = CM_PATH_MAX};

        CM_TRY(cm_path_nth(&created, keys[i], 2));
        if (created.n != 8)
            return CM_FAIL(SVC_RECORD);
        CM_TRY(cm_svc_spent_add(&b, cm_get_be64(created.p)));
        CM_TRY(cm_svc_remove(c, keys[i]));
    }
    return cm_svc_spent_write(c, path, version, cm_buf_view(&b));
}
