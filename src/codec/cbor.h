#ifndef CM_CODEC_CBOR_H
#define CM_CODEC_CBOR_H
/*
 * Deterministic CBOR (RFC 8949 section 4.2.1): definite lengths, shortest heads, map keys sorted
 * by their encoded bytes and never twice. Integers, byte and text strings (UTF-8 checked), arrays,
 * maps, true, false and null; no tags, floats or indefinite items. What is not in this form is
 * refused, so one value has one encoding and a signature covers it.
 */
#include "base/base.h"

enum { CM_CBOR_DEPTH = 16 };

typedef enum {
    CM_CBOR_UINT,
    CM_CBOR_NINT,
    CM_CBOR_BYTES,
    CM_CBOR_TEXT,
    CM_CBOR_ARRAY,
    CM_CBOR_MAP,
    CM_CBOR_BOOL,
    CM_CBOR_NULL
} cm_cbor_type;

/* ---- writing ---- into a cm_buf whose max bounds it */
CM_MUST cm_err cm_cbor_put_uint(cm_buf *b, uint64_t v);
CM_MUST cm_err cm_cbor_put_int(cm_buf *b, int64_t v);
CM_MUST cm_err cm_cbor_put_bytes(cm_buf *b, cm_view v);
/** BAD_ARGUMENT when v is not UTF-8. */
CM_MUST cm_err cm_cbor_put_text(cm_buf *b, cm_view v);
CM_MUST cm_err cm_cbor_put_bool(cm_buf *b, bool v);
CM_MUST cm_err cm_cbor_put_null(cm_buf *b);
/** The head of an array or map of n items (pairs); the caller writes them next, map keys in order.
 */
CM_MUST cm_err cm_cbor_put_array(cm_buf *b, uint64_t n);
CM_MUST cm_err cm_cbor_put_map(cm_buf *b, uint64_t n);

/* ---- reading ---- */

/** A cursor over one encoding. Sticky: after an error every read fails with the same error. */
typedef struct {
    const uint8_t *start, *p, *end;
    cm_err err;
} cm_cbor;

/** Check the whole of v first (canonical form, depth, UTF-8, nothing behind it), then read.
 * CBOR_MALFORMED, CBOR_NOT_CANONICAL, CBOR_TOO_DEEP. at, if not NULL: the offending offset. */
CM_MUST cm_err cm_cbor_open(cm_cbor *c, cm_view v, size_t *at);
/** The type of the next item; CBOR_MALFORMED at the end. */
CM_MUST cm_err cm_cbor_peek(cm_cbor *c, cm_cbor_type *t);
/* Each takes one item, or fails with CBOR_TYPE and takes nothing. Views borrow from the input. */
CM_MUST cm_err cm_cbor_uint(cm_cbor *c, uint64_t *v);
CM_MUST cm_err cm_cbor_int(cm_cbor *c, int64_t *v);
CM_MUST cm_err cm_cbor_bytes(cm_cbor *c, cm_view *v);
CM_MUST cm_err cm_cbor_text(cm_cbor *c, cm_view *v);
CM_MUST cm_err cm_cbor_bool(cm_cbor *c, bool *v);
CM_MUST cm_err cm_cbor_null(cm_cbor *c);
CM_MUST cm_err cm_cbor_array(cm_cbor *c, uint64_t *n);
CM_MUST cm_err cm_cbor_map(cm_cbor *c, uint64_t *n);
/** Skip one whole item; its bytes in *v when v is not NULL. */
CM_MUST cm_err cm_cbor_skip(cm_cbor *c, cm_view *v);
/** Everything was taken, else CBOR_TRAILING. */
CM_MUST cm_err cm_cbor_end(const cm_cbor *c);

/*
 * Records: maps with small unsigned keys, the form of every header here. A table names the fields;
 * unknown keys, missing required fields and sizes out of bounds are errors.
 */
typedef struct {
    uint64_t key;
    cm_cbor_type type; /* UINT, BYTES, TEXT, BOOL, or ARRAY/MAP taken as its encoded bytes */
    bool required;
    uint64_t min, max; /* value of a UINT; length of BYTES, TEXT, ARRAY and MAP encodings */
} cm_cbor_field;
typedef struct {
    bool present;
    uint64_t u; /* UINT, BOOL */
    cm_view v;  /* BYTES, TEXT, ARRAY, MAP */
} cm_cbor_value;
/** Read one map record of n fields (ascending keys) from c. CBOR_FIELD when one is unknown,
 * missing, of another type or out of bounds; *bad_key, if not NULL, names it. */
CM_MUST cm_err cm_cbor_record(cm_cbor *c, const cm_cbor_field *f, cm_cbor_value *v, size_t n,
                              uint64_t *bad_key);
/** Write the present values as one map. */
CM_MUST cm_err cm_cbor_put_record(cm_buf *b, const cm_cbor_field *f, const cm_cbor_value *v,
                                  size_t n);

#endif
