/* What the reader takes, the writer writes again byte for byte; a record reads back as written. */
#include <stdlib.h>

#include "codec/cbor.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void must_ok(cm_err e)
{
    must(cm_ok(e));
}

/* -1 - 2^63 and below fit no int64: the bytes stand for themselves. */
static void copy_negative(cm_buf *out, cm_cbor *c)
{
    cm_cbor ahead = *c;
    int64_t i;
    cm_view v;

    if (cm_ok(cm_cbor_int(&ahead, &i))) {
        must_ok(cm_cbor_put_int(out, i));
        *c = ahead;
        return;
    }
    must(cm_is(ahead.err, CM_CBOR_TYPE));
    must_ok(cm_cbor_skip(c, &v));
    must_ok(cm_buf_append(out, v));
}

static uint64_t copy_head(cm_buf *out, cm_cbor *c, cm_cbor_type t)
{
    uint64_t n;

    if (t == CM_CBOR_ARRAY) {
        must_ok(cm_cbor_array(c, &n));
        must_ok(cm_cbor_put_array(out, n));
        return n;
    }
    must_ok(cm_cbor_map(c, &n));
    must_ok(cm_cbor_put_map(out, n));
    return 2 * n;
}

static void copy_scalar(cm_buf *out, cm_cbor *c, cm_cbor_type t)
{
    uint64_t u;
    cm_view v;
    bool b;

    if (t == CM_CBOR_UINT) {
        must_ok(cm_cbor_uint(c, &u));
        must_ok(cm_cbor_put_uint(out, u));
    } else if (t == CM_CBOR_NINT) {
        copy_negative(out, c);
    } else if (t == CM_CBOR_BYTES) {
        must_ok(cm_cbor_bytes(c, &v));
        must_ok(cm_cbor_put_bytes(out, v));
    } else if (t == CM_CBOR_TEXT) {
        must_ok(cm_cbor_text(c, &v));
        must_ok(cm_cbor_put_text(out, v));
    } else if (t == CM_CBOR_BOOL) {
        must_ok(cm_cbor_bool(c, &b));
        must_ok(cm_cbor_put_bool(out, b));
    } else {
        must_ok(cm_cbor_null(c));
        must_ok(cm_cbor_put_null(out));
    }
}

static void copy_all(cm_view in)
{
    cm_buf out = {.max = in.n};
    uint64_t left = 1;
    cm_cbor_type t;
    cm_cbor c;

    must_ok(cm_cbor_open(&c, in, NULL));
    for (; left > 0; left--) {
        must_ok(cm_cbor_peek(&c, &t));
        if (t == CM_CBOR_ARRAY || t == CM_CBOR_MAP)
            left += copy_head(&out, &c, t);
        else
            copy_scalar(&out, &c, t);
    }
    must_ok(cm_cbor_end(&c));
    must(cm_view_eq(cm_buf_view(&out), in));
    cm_buf_free(&out);
}

static void read_record(cm_view in)
{
    static const cm_cbor_field fields[] = {
        {1, CM_CBOR_UINT, true, 0, 99},     {2, CM_CBOR_BYTES, false, 0, 64},
        {3, CM_CBOR_TEXT, false, 0, 64},    {4, CM_CBOR_BOOL, false, 0, 0},
        {5, CM_CBOR_ARRAY, false, 0, 4096}, {6, CM_CBOR_MAP, false, 0, 4096},
    };
    cm_cbor_value v[CM_COUNT(fields)];
    cm_buf out = {.max = in.n};
    uint64_t bad;
    cm_cbor c;

    must_ok(cm_cbor_open(&c, in, NULL));
    if (cm_failed(cm_cbor_record(&c, fields, v, CM_COUNT(v), &bad)))
        return;
    must_ok(cm_cbor_end(&c));
    must_ok(cm_cbor_put_record(&out, fields, v, CM_COUNT(v)));
    must(cm_view_eq(cm_buf_view(&out), in));
    cm_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    cm_view in = cm_view_of(p, n), whole;
    size_t at = n + 1;
    cm_cbor c;

    if (cm_failed(cm_cbor_open(&c, in, &at))) {
        must(at <= n);
        return 0;
    }
    must_ok(cm_cbor_skip(&c, &whole));
    must(cm_view_eq(whole, in));
    must_ok(cm_cbor_end(&c));
    copy_all(in);
    read_record(in);
    return 0;
}
