#include "sealed/index.h"

#include "codec/cbor.h"
#include "sealed/tensors_int.h"

enum { VERSION = 1, NONCE = 32 };

void cm_index_free(cm_index *x)
{
    if (!x)
        return;
    cm_free(x->name);
    cm_tensors_free(&x->tensors);
    *x = (cm_index){0};
}

/* A name that a program may create a file under. */
static bool file_name_ok(cm_view v)
{
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] == '/')
            return false;
    return v.n <= CM_INDEX_FILE_NAME_MAX && cm_dir_path_ok(v);
}

static bool dtype_ok(cm_view v)
{
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] <= ' ' || v.p[i] > '~')
            return false;
    return v.n > 0 && v.n <= CM_TENSOR_DTYPE_MAX;
}

/* ---- writing ------------------------------------------------------------------------------- */

static cm_err put_tensor(cm_buf *b, const cm_tensor *x)
{
    if (x->name.n > CM_INDEX_TENSOR_NAME_MAX || !dtype_ok(cm_view_str(x->dtype)) ||
        x->dims > CM_TENSOR_DIMS)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_cbor_put_array(b, 5));
    CM_TRY(cm_cbor_put_text(b, x->name));
    CM_TRY(cm_cbor_put_text(b, cm_view_str(x->dtype)));
    CM_TRY(cm_cbor_put_array(b, x->dims));
    for (uint32_t i = 0; i < x->dims; i++)
        CM_TRY(cm_cbor_put_uint(b, x->shape[i]));
    CM_TRY(cm_cbor_put_uint(b, x->offset));
    return cm_cbor_put_uint(b, x->size);
}

static cm_err put_index(cm_buf *b, const cm_index *x, const uint8_t nonce[NONCE])
{
    bool name = x->name && file_name_ok(cm_view_str(x->name));

    CM_TRY(cm_cbor_put_map(b, name ? 4 : 3));
    CM_TRY(cm_cbor_put_uint(b, 1));
    CM_TRY(cm_cbor_put_uint(b, VERSION));
    CM_TRY(cm_cbor_put_uint(b, 2));
    CM_TRY(cm_cbor_put_bytes(b, cm_view_of(nonce, NONCE)));
    if (name) {
        CM_TRY(cm_cbor_put_uint(b, 3));
        CM_TRY(cm_cbor_put_text(b, cm_view_str(x->name)));
    }
    CM_TRY(cm_cbor_put_uint(b, 4));
    CM_TRY(cm_cbor_put_array(b, x->tensors.n));
    for (size_t i = 0; i < x->tensors.n; i++)
        CM_TRY(put_tensor(b, &x->tensors.v[i]));
    return CM_OKAY;
}

cm_err cm_index_encode(cm_buf *out, const cm_index *x, const uint8_t nonce[32])
{
    size_t before = out->n;
    cm_err e;

    if (!cm_tensors_in_order(&x->tensors))
        return CM_FAIL(BAD_ARGUMENT);
    e = put_index(out, x, nonce);
    if (cm_failed(e))
        out->n = before;
    return e;
}

/* ---- reading ------------------------------------------------------------------------------- */

static cm_err get_dtype(cm_tensors *t, const char **out, cm_view v)
{
    char text[CM_TENSOR_DTYPE_MAX + 1] = {0};
    cm_view kept;

    if (!dtype_ok(v))
        return CM_FAIL(SEALED_INDEX);
    *out = cm_dtype_intern(v);
    if (*out)
        return CM_OKAY;
    memcpy(text, v.p, v.n);
    CM_TRY(cm_tensors_keep(t, &kept, cm_view_of(text, v.n + 1)));
    *out = (const char *)kept.p;
    return CM_OKAY;
}

static cm_err get_shape(cm_tensor *x, cm_cbor *c)
{
    uint64_t dims;

    CM_TRY(cm_cbor_array(c, &dims));
    if (dims > CM_TENSOR_DIMS)
        return CM_FAIL(SEALED_INDEX);
    x->dims = (uint32_t)dims;
    for (uint32_t i = 0; i < x->dims; i++)
        CM_TRY(cm_cbor_uint(c, &x->shape[i]));
    return CM_OKAY;
}

static cm_err get_tensor(cm_tensors *t, cm_cbor *c, uint64_t model_size)
{
    cm_tensor x = {0};
    uint64_t fields;
    cm_view dtype;

    CM_TRY(cm_cbor_array(c, &fields));
    if (fields != 5)
        return CM_FAIL(SEALED_INDEX);
    CM_TRY(cm_cbor_text(c, &x.name));
    CM_TRY(cm_cbor_text(c, &dtype));
    CM_TRY(get_shape(&x, c));
    CM_TRY(cm_cbor_uint(c, &x.offset));
    CM_TRY(cm_cbor_uint(c, &x.size));
    if (x.name.n > CM_INDEX_TENSOR_NAME_MAX)
        return CM_FAIL(SEALED_INDEX);
    if (x.offset > model_size || x.size > model_size - x.offset) /* S-11 */
        return CM_FAIL(SEALED_INDEX);
    CM_TRY(get_dtype(t, &x.dtype, dtype));
    return cm_tensors_add(t, &x);
}

static cm_err get_tensors(cm_tensors *t, cm_cbor *c, uint64_t model_size)
{
    uint64_t n, at;

    CM_TRY(cm_cbor_array(c, &n));
    if (n > CM_TENSORS_MAX)
        return CM_FAIL(SEALED_INDEX);
    CM_TRY(cm_tensors_reserve(t, (size_t)n));
    for (uint64_t i = 0; i < n; i++)
        CM_TRY(get_tensor(t, c, model_size));
    if (!cm_tensors_in_order(t))
        return CM_FAIL(SEALED_INDEX);
    return cm_tensors_finish(t, &at);
}

static cm_err want_key(cm_cbor *c, uint64_t key)
{
    uint64_t got;

    CM_TRY(cm_cbor_uint(c, &got));
    return got == key ? CM_OKAY : CM_FAIL(SEALED_INDEX);
}

static cm_err get_name(char **name, cm_cbor *c)
{
    cm_view v;

    CM_TRY(want_key(c, 3));
    CM_TRY(cm_cbor_text(c, &v));
    return file_name_ok(v) ? cm_strdup(name, v) : CM_FAIL(SEALED_INDEX);
}

/* By hand and not through a record's table: that would walk a hundred megabytes three times. */
static cm_err get_index(cm_index *x, cm_cbor *c, uint64_t model_size)
{
    uint64_t pairs, version;
    cm_view nonce;

    CM_TRY(cm_cbor_map(c, &pairs));
    CM_TRY(want_key(c, 1));
    CM_TRY(cm_cbor_uint(c, &version));
    CM_TRY(want_key(c, 2));
    CM_TRY(cm_cbor_bytes(c, &nonce));
    if (pairs < 3 || pairs > 4 || version != VERSION || nonce.n != NONCE)
        return CM_FAIL(SEALED_INDEX);
    if (pairs == 4)
        CM_TRY(get_name(&x->name, c));
    CM_TRY(want_key(c, 4));
    CM_TRY(get_tensors(&x->tensors, c, model_size));
    return cm_cbor_end(c);
}

static cm_err decode(cm_index *x, cm_view v, uint64_t model_size)
{
    cm_cbor c;

    CM_TRY(cm_cbor_open(&c, v, NULL));
    return get_index(x, &c, model_size);
}

cm_err cm_index_decode(cm_index *out, cm_view v, uint64_t model_size)
{
    cm_index x = {0};
    cm_err e = decode(&x, v, model_size);

    if (cm_ok(e)) {
        *out = x;
        return CM_OKAY;
    }
    cm_index_free(&x);
    return cm_err_class(e) == CM_CLASS_EXHAUSTED ? e : CM_FAIL(SEALED_INDEX);
}
