/*
 * GGUF 2 and 3, little-endian: counts, metadata, a list of tensors, and their bytes at a multiple
 * of the alignment. Metadata is stepped over; the alignment alone is looked at.
 */
#include "codec/text.h"
#include "sealed/cursor_int.h"
#include "sealed/tensors_int.h"

enum { HEADER_MAX = 256 << 20, KEY_MAX = 1024, DIMS = 4, NESTING = 4, ALIGNMENT = 32 };

enum value_type {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    BOOL,
    STRING,
    ARRAY,
    U64,
    I64,
    F64,
    VALUE_TYPES
};

/* The least that a value takes; scalars take no more. */
static const uint8_t value_size[VALUE_TYPES] = {
    [U8] = 1,   [I8] = 1,     [U16] = 2,    [I16] = 2, [U32] = 4, [I32] = 4, [F32] = 4,
    [BOOL] = 1, [STRING] = 8, [ARRAY] = 12, [U64] = 8, [I64] = 8, [F64] = 8,
};

struct reader {
    cm_cursor c;
    uint64_t tensors, pairs;
    uint64_t alignment;
    cm_tensors t;
    uint8_t str[CM_MAX((size_t)KEY_MAX, (size_t)CM_TENSOR_NAME_MAX)];
};

/* ---- metadata ------------------------------------------------------------------------------ */

static cm_err read_string(struct reader *r, cm_view *v)
{
    uint64_t n;

    CM_TRY(cm_cursor_u64(&r->c, &n));
    if (n > r->c.end - r->c.at)
        return cm_cursor_skip(&r->c, n);
    if (n > sizeof r->str)
        return CM_FAIL(FORMAT_LIMIT);
    CM_TRY(cm_cursor_bytes(&r->c, r->str, (size_t)n));
    *v = cm_view_of(r->str, (size_t)n);
    return cm_utf8_valid(*v) ? CM_OKAY : CM_FAIL(FORMAT_MALFORMED);
}

static cm_err read_type(struct reader *r, uint32_t *type)
{
    CM_TRY(cm_cursor_u32(&r->c, type));
    return *type < VALUE_TYPES ? CM_OKAY : CM_FAIL(FORMAT_MALFORMED);
}

struct level {
    uint32_t type;
    uint64_t left;
};

/* A number of elements that no file can hold is refused before it is multiplied. */
static cm_err skip_array_head(struct reader *r, struct level *l)
{
    uint64_t least;

    CM_TRY(read_type(r, &l->type));
    CM_TRY(cm_cursor_u64(&r->c, &l->left));
    return cm_mul_u64(&least, l->left, value_size[l->type]) ? CM_OKAY : CM_FAIL(FORMAT_MALFORMED);
}

/* Time is bounded by the header's bytes: no value takes less than one. */
static cm_err skip_value(struct reader *r, uint32_t type)
{
    struct level level[NESTING] = {{.type = type, .left = 1}};
    uint64_t n;
    int depth = 1;

    while (depth > 0) {
        struct level *l = &level[depth - 1];

        if (l->left == 0) {
            depth--;
        } else if (l->type == STRING) {
            l->left--;
            CM_TRY(cm_cursor_u64(&r->c, &n));
            CM_TRY(cm_cursor_skip(&r->c, n));
        } else if (l->type == ARRAY) {
            l->left--;
            if (depth == NESTING)
                return CM_FAIL(FORMAT_LIMIT);
            CM_TRY(skip_array_head(r, &level[depth++]));
        } else {
            CM_TRY(cm_cursor_skip(&r->c, l->left * value_size[l->type]));
            l->left = 0;
        }
    }
    return CM_OKAY;
}

static cm_err read_alignment(struct reader *r, uint32_t type)
{
    uint32_t v;

    if (type != U32)
        return CM_FAIL(FORMAT_MALFORMED);
    CM_TRY(cm_cursor_u32(&r->c, &v));
    if (v == 0 || (v & (v - 1)) != 0)
        return CM_FAIL(FORMAT_MALFORMED);
    r->alignment = v;
    return CM_OKAY;
}

static cm_err read_pairs(struct reader *r)
{
    CM_AUTO(cm_names_free) cm_names keys = {0};
    uint32_t type;
    cm_view key;

    for (uint64_t i = 0; i < r->pairs; i++) {
        CM_TRY(read_string(r, &key));
        if (key.n == 0)
            return CM_FAIL(FORMAT_MALFORMED);
        CM_TRY(cm_names_add(&keys, key));
        CM_TRY(read_type(r, &type));
        if (cm_view_eq(key, CM_LIT("general.alignment")))
            CM_TRY(read_alignment(r, type));
        else
            CM_TRY(skip_value(r, type));
    }
    return cm_names_finish(&keys);
}

/* ---- tensors ------------------------------------------------------------------------------- */

/* Rows are whole blocks; the number of elements stays below 2^63, as in the reference. */
static cm_err size_of(cm_tensor *x, const cm_ggml_type *type)
{
    uint64_t elements = 1, row = x->dims ? x->shape[0] : 1;

    for (uint32_t i = 0; i < x->dims; i++)
        if (!cm_mul_u64(&elements, elements, x->shape[i]) || elements > INT64_MAX)
            return CM_FAIL(FORMAT_TENSOR);
    if (row % type->block != 0 || !cm_mul_u64(&x->size, elements / type->block, type->bytes))
        return CM_FAIL(FORMAT_TENSOR);
    return CM_OKAY;
}

static cm_err read_tensor(struct reader *r)
{
    const cm_ggml_type *type;
    cm_tensor x = {0};
    uint32_t id;

    CM_TRY(read_string(r, &x.name));
    CM_TRY(cm_cursor_u32(&r->c, &x.dims));
    if (x.dims > DIMS)
        return CM_FAIL(FORMAT_MALFORMED);
    for (uint32_t i = 0; i < x.dims; i++)
        CM_TRY(cm_cursor_u64(&r->c, &x.shape[i]));
    CM_TRY(cm_cursor_u32(&r->c, &id));
    CM_TRY(cm_cursor_u64(&r->c, &x.offset));
    type = cm_dtype_ggml(id);
    if (!type)
        return CM_FAIL(FORMAT_TYPE);
    x.dtype = type->name;
    CM_TRY(size_of(&x, type));
    return cm_tensors_add(&r->t, &x);
}

/* A tensor's entry takes 24 bytes at least: no more are made room for than the file can hold. */
static cm_err read_tensors(struct reader *r)
{
    if (r->tensors > CM_TENSORS_MAX)
        return CM_FAIL(FORMAT_LIMIT);
    if (r->tensors > (r->c.end - r->c.at) / 24)
        return cm_cursor_skip(&r->c, r->c.end - r->c.at + 1);
    CM_TRY(cm_tensors_reserve(&r->t, (size_t)r->tensors));
    for (uint64_t i = 0; i < r->tensors; i++)
        CM_TRY(read_tensor(r));
    return CM_OKAY;
}

static cm_err read_head(struct reader *r)
{
    uint32_t version;
    uint8_t magic[4];

    CM_TRY(cm_cursor_bytes(&r->c, magic, sizeof magic));
    if (!cm_view_eq(CM_VIEW(magic), CM_LIT("GGUF")))
        return CM_FAIL(FORMAT_MALFORMED);
    CM_TRY(cm_cursor_u32(&r->c, &version));
    if (version != 0 && (version & 0xffff) == 0)
        return CM_FAIL(FORMAT_BIG_ENDIAN);
    if (version != 2 && version != 3)
        return CM_FAIL(FORMAT_VERSION);
    CM_TRY(cm_cursor_u64(&r->c, &r->tensors));
    return cm_cursor_u64(&r->c, &r->pairs);
}

/* Offsets count from the first multiple of the alignment behind the list. */
static cm_err place(struct reader *r, uint64_t base, uint64_t *at)
{
    uint64_t mask = r->alignment - 1, start = (r->c.at + mask) & ~mask, end = r->c.s->size;

    for (size_t i = 0; i < r->t.n; i++) {
        cm_tensor *x = &r->t.v[i];

        *at = r->c.at;
        if ((x->offset & mask) != 0)
            return CM_FAIL(FORMAT_TENSOR);
        if (start > end || x->offset > end - start || x->size > end - start - x->offset)
            return CM_FAIL(FORMAT_TRUNCATED);
        x->offset += start;
    }
    CM_TRY(cm_tensors_finish(&r->t, at));
    for (size_t i = 0; i < r->t.n; i++)
        r->t.v[i].offset += base;
    return CM_OKAY;
}

static cm_err parse(struct reader *r, const cm_source *s, uint64_t base, uint64_t *at)
{
    uint64_t sum;

    cm_cursor_init(&r->c, s, HEADER_MAX);
    r->alignment = ALIGNMENT;
    if (!cm_add_u64(&sum, base, s->size))
        return CM_FAIL(OVERFLOW);
    CM_TRY(read_head(r));
    CM_TRY(read_pairs(r));
    CM_TRY(read_tensors(r));
    return place(r, base, at);
}

cm_err cm_gguf_parse(cm_tensors *out, const cm_source *s, uint64_t base, uint64_t *at)
{
    uint64_t where = UINT64_MAX;
    struct reader r;
    cm_err e;

    memset(&r, 0, offsetof(struct reader, str));
    e = parse(&r, s, base, &where);
    if (cm_ok(e)) {
        cm_tensors_move(out, &r.t);
        return CM_OKAY;
    }
    if (at)
        *at = where == UINT64_MAX ? r.c.at : where;
    cm_tensors_free(&r.t);
    return e;
}
