#include "wire/proto_int.h"

size_t cm_proto_varint(uint8_t p[10], uint64_t x)
{
    size_t n = 0;

    for (; x >= 0x80; x >>= 7)
        p[n++] = (uint8_t)(x | 0x80);
    p[n++] = (uint8_t)x;
    return n;
}

cm_err cm_proto_put_varint(cm_buf *b, uint64_t x)
{
    uint8_t p[10];

    return cm_buf_append(b, cm_view_of(p, cm_proto_varint(p, x)));
}

cm_err cm_proto_put_tag(cm_buf *b, uint32_t number, unsigned wire)
{
    return cm_proto_put_varint(b, (uint64_t)number << 3 | wire);
}

cm_err cm_proto_put_number(cm_buf *b, uint32_t number, uint64_t x)
{
    CM_TRY(cm_proto_put_tag(b, number, CM_PROTO_VARINT));
    return cm_proto_put_varint(b, x);
}

cm_err cm_proto_put_view(cm_buf *b, uint32_t number, cm_view v)
{
    CM_TRY(cm_proto_put_tag(b, number, CM_PROTO_BYTES));
    CM_TRY(cm_proto_put_varint(b, v.n));
    return cm_buf_append(b, v);
}

cm_err cm_proto_put_text(cm_buf *b, uint32_t number, const char *text)
{
    return cm_proto_put_view(b, number, cm_view_str(text));
}

cm_err cm_proto_open(cm_buf *b, uint32_t number, size_t *begin)
{
    CM_TRY(cm_proto_put_tag(b, number, CM_PROTO_BYTES));
    CM_TRY(cm_buf_byte(b, 0));
    *begin = b->n;
    return CM_OKAY;
}

/* The length stands before the bytes and is known after them: one byte is left for it, which is
 * enough for most, and the bytes of longer ones are moved. */
cm_err cm_proto_close(cm_buf *b, size_t begin)
{
    size_t n = b->n - begin, size;
    uint8_t p[10];

    size = cm_proto_varint(p, n);
    CM_TRY(cm_buf_reserve(b, size - 1));
    memmove(b->p + begin - 1 + size, b->p + begin, n);
    memcpy(b->p + begin - 1, p, size);
    b->n += size - 1;
    return CM_OKAY;
}
