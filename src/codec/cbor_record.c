#include "codec/cbor_int.h"
#include "codec/text.h"

/* Ascending keys, so that one walk over both fits them together; and types that a value can hold.
 */
static cm_err check_table(const cm_cbor_field *f, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && f[i].key <= f[i - 1].key)
            return CM_FAIL(BAD_ARGUMENT);
        if (f[i].type == CM_CBOR_NINT || f[i].type == CM_CBOR_NULL)
            return CM_FAIL(BAD_ARGUMENT);
    }
    return CM_OKAY;
}

static bool in_bounds(const cm_cbor_field *f, const cm_cbor_value *v)
{
    uint64_t x = f->type == CM_CBOR_UINT ? v->u : v->v.n;

    return f->type == CM_CBOR_BOOL || (x >= f->min && x <= f->max);
}

/* ---- reading ------------------------------------------------------------------------------ */

static cm_err read_value(cm_cbor *c, const cm_cbor_field *f, cm_cbor_value *v)
{
    cm_cbor_type t;
    bool b = false;

    *v = (cm_cbor_value){.present = true};
    CM_TRY(cm_cbor_peek(c, &t));
    if (t != f->type)
        return CM_FAIL(CBOR_FIELD);
    if (t == CM_CBOR_UINT)
        CM_TRY(cm_cbor_uint(c, &v->u));
    else if (t == CM_CBOR_BYTES)
        CM_TRY(cm_cbor_bytes(c, &v->v));
    else if (t == CM_CBOR_TEXT)
        CM_TRY(cm_cbor_text(c, &v->v));
    else if (t == CM_CBOR_BOOL)
        CM_TRY(cm_cbor_bool(c, &b));
    else
        CM_TRY(cm_cbor_skip(c, &v->v));
    if (b)
        v->u = 1;
    return in_bounds(f, v) ? CM_OKAY : CM_FAIL(CBOR_FIELD);
}

static cm_err read_key(cm_cbor *c, uint64_t *key)
{
    cm_cbor_type t;

    CM_TRY(cm_cbor_peek(c, &t));
    return t == CM_CBOR_UINT ? cm_cbor_uint(c, key) : CM_FAIL(CBOR_FIELD);
}

/* Walk the map beside the table. v NULL: only check. *key is the field at hand, for the error. */
static cm_err walk(cm_cbor *c, const cm_cbor_field *f, cm_cbor_value *v, size_t n, uint64_t *key)
{
    uint64_t pairs, i = 0;
    size_t at = 0;

    CM_TRY(cm_cbor_map(c, &pairs));
    for (; at < n || i < pairs; at++) {
        cm_cbor_value got = {0};
        bool have = i < pairs;

        if (have) {
            cm_cbor ahead = *c;

            CM_TRY(read_key(&ahead, key));
            have = at < n && *key == f[at].key;
            if (have)
                *c = ahead;
            else if (at == n || *key < f[at].key)
                return CM_FAIL(CBOR_FIELD);
        }
        if (have) {
            CM_TRY(read_value(c, &f[at], &got));
            i++;
        } else {
            *key = f[at].key;
            if (f[at].required)
                return CM_FAIL(CBOR_FIELD);
        }
        if (v)
            v[at] = got;
    }
    return CM_OKAY;
}

cm_err cm_cbor_record(cm_cbor *c, const cm_cbor_field *f, cm_cbor_value *v, size_t n,
                      uint64_t *bad_key)
{
    cm_cbor check = *c;
    uint64_t key = 0;
    cm_err e;

    CM_TRY(c->err);
    CM_TRY(check_table(f, n));
    e = walk(&check, f, NULL, n, &key);
    if (cm_failed(e)) {
        if (bad_key && cm_is(e, CM_CBOR_FIELD))
            *bad_key = key;
        c->err = e;
        return e;
    }
    return walk(c, f, v, n, &key);
}

cm_err cm_cbor_whole(cm_view body, const cm_cbor_field *f, cm_cbor_value *v, size_t n)
{
    cm_cbor c;

    CM_TRY(cm_cbor_open(&c, body, NULL));
    CM_TRY(cm_cbor_record(&c, f, v, n, NULL));
    return cm_cbor_end(&c);
}

/* ---- writing ------------------------------------------------------------------------------ */

static bool canonical(const cm_cbor_field *f, cm_view v)
{
    const uint8_t *at;
    unsigned major = f->type == CM_CBOR_MAP ? MAJOR_MAP : MAJOR_ARRAY;

    return cm_ok(cm_cbor_check(v, 1, &at)) && v.p[0] >> 5 == major;
}

static bool writable(const cm_cbor_field *f, const cm_cbor_value *v)
{
    if (!v->present)
        return !f->required;
    if (!in_bounds(f, v))
        return false;
    if (f->type == CM_CBOR_TEXT)
        return cm_utf8_valid(v->v);
    if (f->type == CM_CBOR_ARRAY || f->type == CM_CBOR_MAP)
        return canonical(f, v->v);
    return true;
}

static cm_err put_value(cm_buf *b, const cm_cbor_field *f, const cm_cbor_value *v)
{
    CM_TRY(cm_cbor_put_uint(b, f->key));
    switch (f->type) {
    case CM_CBOR_UINT:
        return cm_cbor_put_uint(b, v->u);
    case CM_CBOR_BYTES:
        return cm_cbor_put_bytes(b, v->v);
    case CM_CBOR_TEXT:
        return cm_cbor_put_text(b, v->v);
    case CM_CBOR_BOOL:
        return cm_cbor_put_bool(b, v->u != 0);
    default:
        return cm_buf_append(b, v->v);
    }
}

static cm_err put_fields(cm_buf *b, const cm_cbor_field *f, const cm_cbor_value *v, size_t n,
                         uint64_t present)
{
    CM_TRY(cm_cbor_put_map(b, present));
    for (size_t i = 0; i < n; i++)
        if (v[i].present)
            CM_TRY(put_value(b, &f[i], &v[i]));
    return CM_OKAY;
}

cm_err cm_cbor_put_record(cm_buf *b, const cm_cbor_field *f, const cm_cbor_value *v, size_t n)
{
    uint64_t present = 0;
    size_t before = b->n;
    cm_err e;

    CM_TRY(check_table(f, n));
    for (size_t i = 0; i < n; i++) {
        if (!writable(&f[i], &v[i]))
            return CM_FAIL(BAD_ARGUMENT);
        present += v[i].present;
    }
    e = put_fields(b, f, v, n, present);
    if (cm_failed(e))
        b->n = before;
    return e;
}
