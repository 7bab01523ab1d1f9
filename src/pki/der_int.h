#ifndef CM_PKI_DER_INT_H
#define CM_PKI_DER_INT_H
/*
 * Just enough DER for keys: single-byte tags, minimal definite lengths. Reading borrows from the
 * input and copies no secret; every departure from DER is KEY_MALFORMED (K-20).
 */
#include "base/base.h"

enum {
    CM_DER_INTEGER = 0x02,
    CM_DER_BITS = 0x03,
    CM_DER_OCTETS = 0x04,
    CM_DER_NULL = 0x05,
    CM_DER_OID = 0x06,
    CM_DER_SEQUENCE = 0x30,
    CM_DER_CONTEXT0 = 0x80,             /* primitive */
    CM_DER_CONTEXT1 = 0x81,             /* primitive */
    CM_DER_CONTEXT0_CONSTRUCTED = 0xa0, /* explicit */
    CM_DER_CONTEXT1_CONSTRUCTED = 0xa1,
};

/** What is left of an input. */
typedef struct {
    const uint8_t *p, *end;
} cm_der;

static inline cm_der cm_der_of(cm_view v)
{
    cm_der d = {v.p, v.p + v.n};
    return d;
}

/** Whether a value with this tag comes next. */
static inline bool cm_der_at(const cm_der *d, uint8_t tag)
{
    return d->p < d->end && *d->p == tag;
}

/** The content of the next value, which must have this tag. */
CM_MUST cm_err cm_der_take(cm_der *d, uint8_t tag, cm_view *content);
CM_MUST cm_err cm_der_enter(cm_der *d, uint8_t tag, cm_der *inside);
/** A whole value with its head, of any tag. */
CM_MUST cm_err cm_der_value(cm_der *d, cm_view *value);
/** An INTEGER from 0 to 2^31 - 1. */
CM_MUST cm_err cm_der_u31(cm_der *d, uint32_t *v);
/** A BIT STRING of whole bytes, under its own or an implicit tag. */
CM_MUST cm_err cm_der_bits(cm_der *d, uint8_t tag, cm_view *bytes);
CM_MUST cm_err cm_der_end(const cm_der *d);

/** Append one value; or give what was appended since n == at a head. */
CM_MUST cm_err cm_der_put(cm_buf *b, uint8_t tag, cm_view content);
CM_MUST cm_err cm_der_wrap(cm_buf *b, size_t at, uint8_t tag);
CM_MUST cm_err cm_der_put_u31(cm_buf *b, uint32_t v);
CM_MUST cm_err cm_der_put_bits(cm_buf *b, uint8_t tag, cm_view bytes);

#endif
