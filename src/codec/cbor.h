#ifndef CM_CODEC_CBOR_H
#define CM_CODEC_CBOR_H
/*
 * Deterministic CBOR (RFC 8949 section 4.2.1): definite lengths, shortest heads, map keys sorted
 * by their encoded bytes and never twice. Integers, byte and text strings (UTF-8 checked), arrays,
 * maps, true, false and null; no tags, floats or indefinite items; map keys are integers or
 * strings. What is not in this form is refused, so one value has one encoding and a signature
 * covers it.
 *
 * Any thread; a cursor or buffer belongs to one at a time. Time depends on the data.
 */
#include "base/base.h"

enum { CM_CBOR_DEPTH = 16 }; /* arrays and maps inside one another */

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

/* ---- writing ---- Each appends one item or head to b, whose max bounds it (TOO_BIG), and leaves b
 * as it was when it fails. */
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

/** A cursor over one encoding. Sticky: after an error every read fails with the same error. A
 * zeroed one is at its end. */
typedef struct {
    const uint8_t *p, *end;
    cm_err err;
} cm_cbor;

/** Check the whole of v first (canonical form, depth, UTF-8, nothing behind it), then read; v must
 * outlive the cursor and what is read from it. CBOR_MALFORMED, CBOR_NOT_CANONICAL, CBOR_KIND,
 * CBOR_TOO_DEEP, CBOR_TRAILING; then *at, if not NULL, is the offset of the offending item. */
CM_MUST cm_err cm_cbor_open(cm_cbor *c, cm_view v, size_t *at);
/** The type of the next item; CBOR_MALFORMED at the end. */
CM_MUST cm_err cm_cbor_peek(cm_cbor *c, cm_cbor_type *t);
/* Each takes one item; CBOR_TYPE when the next is another or does not fit the integer,
 * CBOR_MALFORMED at the end. Views borrow from the input. */
CM_MUST cm_err cm_cbor_uint(cm_cbor *c, uint64_t *v);
CM_MUST cm_err cm_cbor_int(cm_cbor *c, int64_t *v);
CM_MUST cm_err cm_cbor_bytes(cm_cbor *c, cm_view *v);
CM_MUST cm_err cm_cbor_text(cm_cbor *c, cm_view *v);
CM_MUST cm_err cm_cbor_bool(cm_cbor *c, bool *v);
CM_MUST cm_err cm_cbor_null(cm_cbor *c);
/** The head alone: n items, or n pairs of key and value, come next. */
CM_MUST cm_err cm_cbor_array(cm_cbor *c, uint64_t *n);
CM_MUST cm_err cm_cbor_map(cm_cbor *c, uint64_t *n);
/** Skip one whole item; its bytes in *v when v is not NULL. */
CM_MUST cm_err cm_cbor_skip(cm_cbor *c, cm_view *v);
/** Everything was taken, else CBOR_TRAILING. */
CM_MUST cm_err cm_cbor_end(const cm_cbor *c);

/*
 * Records: maps with small unsigned keys, the form of every header here. A table names the fields
 * in ascending order of their keys; unknown keys, missing required fields and sizes out of bounds
 * are errors.
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
/** Read one map record of n fields from c into v, all n of it. CBOR_TYPE when it is no map,
 * CBOR_FIELD when a field is unknown, missing, of another type or out of bounds; *bad_key, if not
 * NULL, names it. BAD_ARGUMENT when the table is not in order. v is untouched then. */
CM_MUST cm_err cm_cbor_record(cm_cbor *c, const cm_cbor_field *f, cm_cbor_value *v, size_t n,
                              uint64_t *bad_key);
/** The same of a whole text that is one record: cm_cbor_open() and cm_cbor_end() around it.
 * v is void on failure. */
CM_MUST cm_err cm_cbor_whole(cm_view body, const cm_cbor_field *f, cm_cbor_value *v, size_t n);
/** Append the present values as one map. BAD_ARGUMENT when cm_cbor_record() would refuse it: a
 * required value is absent, one is out of bounds, not UTF-8 or not a canonical encoding. */
CM_MUST cm_err cm_cbor_put_record(cm_buf *b, const cm_cbor_field *f, const cm_cbor_value *v,
                                  size_t n);

#endif
