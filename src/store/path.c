/* Row keys: components (D-1) with 00 as 00 ff, each ended by 00 01 (D-2). */
#include "store/path.h"

enum { ESCAPED = 0xff, END = 0x01 };

void cm_path_init(cm_path *p)
{
    p->n = 0;
    p->over = false;
}

static void put(cm_path *p, uint8_t a, uint8_t b, size_t n)
{
    if (p->over || sizeof p->b - p->n < n) {
        p->over = true;
        return;
    }
    p->b[p->n] = a;
    if (n == 2)
        p->b[p->n + 1] = b;
    p->n += n;
}

void cm_path_add(cm_path *p, cm_view component)
{
    for (size_t i = 0; i < component.n; i++)
        put(p, component.p[i], ESCAPED, component.p[i] ? 1 : 2);
    put(p, 0, END, 2);
}

void cm_path_add_str(cm_path *p, const char *component)
{
    cm_path_add(p, cm_view_str(component));
}

void cm_path_add_u64(cm_path *p, uint64_t n)
{
    uint8_t b[8];

    cm_put_be64(b, n);
    cm_path_add(p, CM_VIEW(b));
}

void cm_path_end(cm_path *p)
{
    if (p->n)
        p->b[p->n - 1]++; /* the 01 of its last component: above everything below it */
}

/* One component from *at on, appended to out when take. */
static cm_err component(cm_buf *out, cm_view key, size_t *at, bool take)
{
    for (size_t i = *at; i < key.n; i++) {
        if (key.p[i]) {
            if (take)
                CM_TRY(cm_buf_byte(out, key.p[i]));
            continue;
        }
        if (++i == key.n)
            break;
        if (key.p[i] == END) {
            *at = i + 1;
            return CM_OKAY;
        }
        if (key.p[i] != ESCAPED)
            break;
        if (take)
            CM_TRY(cm_buf_byte(out, 0));
    }
    return CM_FAIL(STORE_PATH);
}

cm_err cm_path_nth(cm_buf *out, cm_view key, size_t n)
{
    size_t at = 0, was = out->n;
    cm_err e;

    for (size_t i = 0; i < n; i++)
        CM_TRY(component(out, key, &at, false));
    e = component(out, key, &at, true);
    if (cm_failed(e))
        out->n = was;
    return e;
}

cm_err cm_path_count(cm_view key, size_t *n)
{
    size_t at = 0, count = 0;

    do {
        CM_TRY(component(NULL, key, &at, false));
        count++;
    } while (at < key.n);
    if (key.n > CM_PATH_MAX)
        return CM_FAIL(STORE_PATH);
    *n = count;
    return CM_OKAY;
}
