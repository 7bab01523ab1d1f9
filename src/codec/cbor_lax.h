#ifndef CM_CODEC_CBOR_LAX_H
#define CM_CODEC_CBOR_LAX_H
/*
 * CBOR as others write it (RFC 8949), for reading signed records of vendors: maps and arrays of
 * definite or indefinite length, keys in any order, tags. Still refused: heads longer than they
 * need be, strings in chunks, floats, simple values but false, true, null and undefined, nesting
 * past 16, bytes behind the item. The same key twice is refused by cm_lax_fields(); whoever walks
 * a map by itself looks for it.
 *
 * A cursor borrows from its input and belongs to one thread. Nothing is allocated. Sticky as
 * codec/cut.h: after an error reads give nothing and bad stays set. Time depends on the data.
 */
#include "base/base.h"

typedef struct {
    cm_view rest;
    uint64_t left; /* items to come; of a map keys and values both */
    bool open;     /* of indefinite length: left does not count */
    bool bad;
} cm_lax;

/** Check the whole of v: one well-formed item. CBOR_MALFORMED, CBOR_NOT_CANONICAL, CBOR_KIND,
 * CBOR_TOO_DEEP, CBOR_TRAILING. */
CM_MUST cm_err cm_lax_open(cm_lax *c, cm_view v);
/** Whether an item comes next. */
bool cm_lax_more(const cm_lax *c);
/** Everything was taken and nothing was wrong. */
bool cm_lax_done(const cm_lax *c);

/* Each takes one item; another type makes the cursor bad. */
uint64_t cm_lax_uint(cm_lax *c);
int64_t cm_lax_int(cm_lax *c);
cm_view cm_lax_bytes(cm_lax *c);
cm_view cm_lax_text(cm_lax *c);
/** Takes a null or undefined if one comes next. */
bool cm_lax_null(cm_lax *c);
/** Takes the head of a tag if one comes next; its content is the next item. */
bool cm_lax_tag(cm_lax *c, uint64_t *tag);
/** A cursor over what is inside; in a map each key stands before its value. */
cm_lax cm_lax_array(cm_lax *c);
cm_lax cm_lax_map(cm_lax *c);
/** One whole item of any type, tags included, as a cursor over it alone. */
cm_lax cm_lax_item(cm_lax *c);
/** The bytes of one whole item. */
cm_view cm_lax_skip(cm_lax *c);

/** A map with text keys: each key of the table is found at most once and no other key is there.
 * Missing ones are left zeroed, which reads as absent. False when the map is otherwise. */
typedef struct {
    const char *key;
    cm_lax value;
    bool present;
} cm_lax_field;
bool cm_lax_fields(cm_lax *c, cm_lax_field *f, size_t n);

#endif
