#include "codec/cbor_int.h"
#include "codec/text.h"

/* One item: its head, and behind it the content of a string. */
struct item {
    cm_cbor_type type;
    uint64_t arg;        /* value, length, count; -1 - value of a NINT */
    const uint8_t *body; /* behind the head */
    const uint8_t *next; /* behind the head, or behind the content of a string */
};

/* ---- items -------------------------------------------------------------------------------- */

/* The argument of a head in its shortest form (section 4.2.1). */
static cm_err read_arg(struct item *it, const uint8_t *p, const uint8_t *end)
{
    unsigned info = *p & 31, size;
    uint64_t v = 0;

    it->body = p + 1;
    it->arg = info;
    if (info < 24)
        return CM_OKAY;
    if (info == 31 && *p >> 5 >= MAJOR_BYTES && *p >> 5 <= MAJOR_MAP)
        return CM_FAIL(CBOR_NOT_CANONICAL);
    if (info > 27)
        return CM_FAIL(CBOR_MALFORMED);
    size = 1u << (info - 24);
    if ((size_t)(end - it->body) < size)
        return CM_FAIL(CBOR_MALFORMED);
    for (unsigned i = 0; i < size; i++)
        v = v << 8 | it->body[i];
    if (size == 1 ? v < 24 : v >> (4 * size) == 0)
        return CM_FAIL(CBOR_NOT_CANONICAL);
    it->arg = v;
    it->body += size;
    return CM_OKAY;
}

static cm_err read_simple(struct item *it, const uint8_t *p)
{
    if (*p == 0xff)
        return CM_FAIL(CBOR_MALFORMED);
    if (*p < BYTE_FALSE || *p > BYTE_NULL)
        return CM_FAIL(CBOR_KIND);
    it->type = *p == BYTE_NULL ? CM_CBOR_NULL : CM_CBOR_BOOL;
    it->arg = *p == BYTE_TRUE;
    it->body = it->next = p + 1;
    return CM_OKAY;
}

/* Counts are checked against the bytes that are left, an item being one byte at least: nothing
 * behind this has to think of overflow. */
static cm_err read_item(struct item *it, const uint8_t *p, const uint8_t *end)
{
    size_t left;

    if (p == end)
        return CM_FAIL(CBOR_MALFORMED);
    if (*p >> 5 == MAJOR_TAG)
        return CM_FAIL(CBOR_KIND);
    if (*p >> 5 > MAJOR_TAG)
        return read_simple(it, p);
    CM_TRY(read_arg(it, p, end));
    it->type = (cm_cbor_type)(*p >> 5);
    it->next = it->body;
    left = (size_t)(end - it->body);
    if (it->type == CM_CBOR_UINT || it->type == CM_CBOR_NINT)
        return CM_OKAY;
    if (it->arg > (it->type == CM_CBOR_MAP ? left / 2 : left))
        return CM_FAIL(CBOR_MALFORMED);
    if (it->type == CM_CBOR_BYTES || it->type == CM_CBOR_TEXT)
        it->next = it->body + it->arg;
    return CM_OKAY;
}

/* Items that come directly inside this one. */
static uint64_t inside(const struct item *it)
{
    return it->type == CM_CBOR_ARRAY ? it->arg : it->type == CM_CBOR_MAP ? 2 * it->arg : 0;
}

/* ---- the validating pass ------------------------------------------------------------------ */

struct frame {
    uint64_t left; /* items to come; in a map, a key is next when even */
    bool map;
    cm_view key; /* the last one, encoded */
};

static cm_err check_key(struct frame *f, const struct item *it, const uint8_t *p)
{
    cm_view key = cm_view_of(p, (size_t)(it->next - p));

    if (it->type > CM_CBOR_TEXT)
        return CM_FAIL(CBOR_KIND);
    if (f->key.n && cm_view_compare(f->key, key) >= 0)
        return CM_FAIL(CBOR_NOT_CANONICAL);
    f->key = key;
    return CM_OKAY;
}

static cm_err check_item(struct frame *f, const struct item *it, const uint8_t *p)
{
    if (it->type == CM_CBOR_TEXT && !cm_utf8_valid(cm_view_of(it->body, it->arg)))
        return CM_FAIL(CBOR_MALFORMED);
    if (!f)
        return CM_OKAY;
    if (f->map && f->left % 2 == 0)
        CM_TRY(check_key(f, it, p));
    f->left--;
    return CM_OKAY;
}

cm_err cm_cbor_check(cm_view v, unsigned depth, const uint8_t **at)
{
    struct frame stack[CM_CBOR_DEPTH];
    const uint8_t *end = v.n ? v.p + v.n : v.p;
    unsigned base = depth;

    *at = v.p;
    do {
        struct item it;

        CM_TRY(read_item(&it, *at, end));
        CM_TRY(check_item(depth > base ? &stack[depth - 1] : NULL, &it, *at));
        if (it.type == CM_CBOR_ARRAY || it.type == CM_CBOR_MAP) {
            if (depth >= CM_CBOR_DEPTH)
                return CM_FAIL(CBOR_TOO_DEEP);
            stack[depth++] = (struct frame){.left = inside(&it), .map = it.type == CM_CBOR_MAP};
        }
        while (depth > base && stack[depth - 1].left == 0)
            depth--;
        *at = it.next;
    } while (depth > base);
    return *at == end ? CM_OKAY : CM_FAIL(CBOR_TRAILING);
}

/* ---- the cursor --------------------------------------------------------------------------- */

cm_err cm_cbor_open(cm_cbor *c, cm_view v, size_t *at)
{
    const uint8_t *p;
    cm_err e = cm_cbor_check(v, 0, &p);

    if (cm_failed(e)) {
        if (at)
            *at = v.n ? (size_t)(p - v.p) : 0;
        return e;
    }
    *c = (cm_cbor){.p = v.p, .end = v.p + v.n};
    return CM_OKAY;
}

static cm_err fail(cm_cbor *c, cm_err e)
{
    c->err = e;
    return e;
}

/* The next item, not yet taken. */
static cm_err look(cm_cbor *c, struct item *it)
{
    cm_err e;

    CM_TRY(c->err);
    e = read_item(it, c->p, c->end);
    return cm_failed(e) ? fail(c, e) : CM_OKAY;
}

static cm_err take(cm_cbor *c, struct item *it, cm_cbor_type t)
{
    CM_TRY(look(c, it));
    if (it->type != t)
        return fail(c, CM_FAIL(CBOR_TYPE));
    c->p = it->next;
    return CM_OKAY;
}

cm_err cm_cbor_peek(cm_cbor *c, cm_cbor_type *t)
{
    struct item it;

    CM_TRY(look(c, &it));
    *t = it.type;
    return CM_OKAY;
}

static cm_err take_number(cm_cbor *c, uint64_t *v, cm_cbor_type t)
{
    struct item it;

    CM_TRY(take(c, &it, t));
    *v = it.arg;
    return CM_OKAY;
}

static cm_err take_string(cm_cbor *c, cm_view *v, cm_cbor_type t)
{
    struct item it;

    CM_TRY(take(c, &it, t));
    *v = cm_view_of(it.body, it.arg);
    return CM_OKAY;
}

cm_err cm_cbor_uint(cm_cbor *c, uint64_t *v)
{
    return take_number(c, v, CM_CBOR_UINT);
}

cm_err cm_cbor_int(cm_cbor *c, int64_t *v)
{
    struct item it;

    CM_TRY(look(c, &it));
    if (it.type > CM_CBOR_NINT || it.arg > INT64_MAX)
        return fail(c, CM_FAIL(CBOR_TYPE));
    c->p = it.next;
    *v = it.type == CM_CBOR_NINT ? -1 - (int64_t)it.arg : (int64_t)it.arg;
    return CM_OKAY;
}

cm_err cm_cbor_bytes(cm_cbor *c, cm_view *v)
{
    return take_string(c, v, CM_CBOR_BYTES);
}

cm_err cm_cbor_text(cm_cbor *c, cm_view *v)
{
    return take_string(c, v, CM_CBOR_TEXT);
}

cm_err cm_cbor_bool(cm_cbor *c, bool *v)
{
    uint64_t u;

    CM_TRY(take_number(c, &u, CM_CBOR_BOOL));
    *v = u != 0;
    return CM_OKAY;
}

cm_err cm_cbor_null(cm_cbor *c)
{
    struct item it;

    return take(c, &it, CM_CBOR_NULL);
}

cm_err cm_cbor_array(cm_cbor *c, uint64_t *n)
{
    return take_number(c, n, CM_CBOR_ARRAY);
}

cm_err cm_cbor_map(cm_cbor *c, uint64_t *n)
{
    return take_number(c, n, CM_CBOR_MAP);
}

/* No stack: what matters is how many items are still to come. */
cm_err cm_cbor_skip(cm_cbor *c, cm_view *v)
{
    const uint8_t *p = c->p;
    uint64_t left = 1;

    CM_TRY(c->err);
    while (left > 0) {
        struct item it;
        cm_err e = read_item(&it, p, c->end);

        if (cm_failed(e))
            return fail(c, e);
        left += inside(&it) - 1;
        p = it.next;
    }
    if (v)
        *v = cm_view_of(c->p, (size_t)(p - c->p));
    c->p = p;
    return CM_OKAY;
}

cm_err cm_cbor_end(const cm_cbor *c)
{
    CM_TRY(c->err);
    return c->p == c->end ? CM_OKAY : CM_FAIL(CBOR_TRAILING);
}
