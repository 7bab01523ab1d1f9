#include "codec/cbor_int.h"
#include "codec/text.h"

/* The shortest head (section 4.2.1), and the content of a string behind it, or neither. */
static cm_err put(cm_buf *b, unsigned major, uint64_t arg, cm_view content)
{
    unsigned info = arg < 24            ? (unsigned)arg
                    : arg <= UINT8_MAX  ? 24
                    : arg <= UINT16_MAX ? 25
                    : arg <= UINT32_MAX ? 26
                                        : 27;
    unsigned size = info < 24 ? 0 : 1u << (info - 24);
    uint8_t be[8];
    size_t need;

    if (!cm_add_size(&need, content.n, 1 + size))
        return CM_FAIL(OVERFLOW);
    CM_TRY(cm_buf_reserve(b, need));
    cm_put_be64(be, arg);
    b->p[b->n] = (uint8_t)(major << 5 | info);
    memcpy(b->p + b->n + 1, be + 8 - size, size);
    if (content.n)
        memcpy(b->p + b->n + 1 + size, content.p, content.n);
    b->n += need;
    return CM_OKAY;
}

cm_err cm_cbor_put_uint(cm_buf *b, uint64_t v)
{
    return put(b, MAJOR_UINT, v, (cm_view){0});
}

cm_err cm_cbor_put_int(cm_buf *b, int64_t v)
{
    if (v < 0)
        return put(b, MAJOR_NINT, (uint64_t)(-1 - v), (cm_view){0});
    return put(b, MAJOR_UINT, (uint64_t)v, (cm_view){0});
}

cm_err cm_cbor_put_bytes(cm_buf *b, cm_view v)
{
    return put(b, MAJOR_BYTES, v.n, v);
}

cm_err cm_cbor_put_text(cm_buf *b, cm_view v)
{
    if (!cm_utf8_valid(v))
        return CM_FAIL(BAD_ARGUMENT);
    return put(b, MAJOR_TEXT, v.n, v);
}

cm_err cm_cbor_put_bool(cm_buf *b, bool v)
{
    return cm_buf_byte(b, v ? BYTE_TRUE : BYTE_FALSE);
}

cm_err cm_cbor_put_null(cm_buf *b)
{
    return cm_buf_byte(b, BYTE_NULL);
}

cm_err cm_cbor_put_array(cm_buf *b, uint64_t n)
{
    return put(b, MAJOR_ARRAY, n, (cm_view){0});
}

cm_err cm_cbor_put_map(cm_buf *b, uint64_t n)
{
    return put(b, MAJOR_MAP, n, (cm_view){0});
}
