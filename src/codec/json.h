#ifndef CM_CODEC_JSON_H
#define CM_CODEC_JSON_H
/*
 * JSON (RFC 8259) for configuration, safetensors headers and --json output. The reader parses the
 * whole text into a flat array of nodes under limits. Refused, with the byte offset: what is not
 * JSON, a byte order mark, duplicate keys, bad UTF-8, lone surrogates, trailing bytes. Numbers keep
 * their digits: nothing is rounded, and what does not fit the integer asked for is an error.
 *
 * A parsed text is immutable: any number of threads may read it. A writer belongs to one. Time
 * depends on the text, and copies are not wiped: for secrets see cm_json_parse_in_place().
 */
#include "base/base.h"

typedef enum {
    CM_JSON_NULL,
    CM_JSON_BOOL,
    CM_JSON_NUMBER,
    CM_JSON_STRING,
    CM_JSON_ARRAY,
    CM_JSON_OBJECT
} cm_json_type;

/** 0: the default (1 MiB, 65536, 32, 64 KiB). Memory: bytes + 40 a node + 8 a member of a large
 * object, and as much again for nodes while they grow. Time: O(n log n) whatever the input. */
typedef struct {
    size_t bytes;  /* of the text; 2 GiB at most */
    size_t nodes;  /* values */
    size_t depth;  /* arrays and objects inside one another */
    size_t string; /* bytes of a string or key, decoded, and of a number */
} cm_json_limits;

typedef struct cm_json cm_json;           /* a parsed text; owns copies of its strings */
typedef struct cm_json_node cm_json_node; /* borrowed from it */

/** JSON_MALFORMED, JSON_DUPLICATE, JSON_LIMIT; then *at, if not NULL, is the byte offset of what
 * can't be (of a duplicate: the second key). Nothing of text is kept. NULL limits: the defaults. */
CM_MUST cm_err cm_json_parse(cm_json **out, cm_view text, const cm_json_limits *limits, size_t *at);
/** The same without a copy: strings are unescaped where they stand in text, which is n bytes of the
 * caller's, changed also on failure, and must outlive *out. Whoever wipes text has wiped all. */
CM_MUST cm_err cm_json_parse_in_place(cm_json **out, uint8_t *text, size_t n,
                                      const cm_json_limits *limits, size_t *at);
void cm_json_free(cm_json *j);
void cm_json_free_ptr(cm_json **j);

/* Walking. Nodes and views live as long as the parsed text. */
const cm_json_node *cm_json_root(const cm_json *j);
/** Of NULL: NULL, so that what is absent is no object and no array. */
cm_json_type cm_json_type_of(const cm_json_node *n);
/** Where the value begins in the text, for messages. */
size_t cm_json_offset(const cm_json_node *n);
/** Items or members; 0 for anything else, and for NULL. */
size_t cm_json_size(const cm_json_node *n);
/** First item or member value; NULL when there is none. */
const cm_json_node *cm_json_first(const cm_json_node *n);
/** Its next sibling or NULL. */
const cm_json_node *cm_json_next(const cm_json_node *n);
/** The key of a member value; empty for anything else. May hold NULs. */
cm_view cm_json_key(const cm_json_node *n);
/** A member's value; NULL when absent, or when obj is NULL or no object. O(log members). */
const cm_json_node *cm_json_get(const cm_json_node *obj, const char *key);
const cm_json_node *cm_json_get_view(const cm_json_node *obj, cm_view key);

/* Typed access: JSON_TYPE when n is NULL or of another type. */
CM_MUST cm_err cm_json_string(const cm_json_node *n, cm_view *v);
/** Integers without fraction or exponent, in range. */
CM_MUST cm_err cm_json_u64(const cm_json_node *n, uint64_t *v);
CM_MUST cm_err cm_json_i64(const cm_json_node *n, int64_t *v);
/** The number as it was written. */
CM_MUST cm_err cm_json_number(const cm_json_node *n, cm_view *v);
CM_MUST cm_err cm_json_bool(const cm_json_node *n, bool *v);

/* ---- writing ---- compact; commas and escapes are the writer's business */

enum { CM_JSON_WRITE_DEPTH = 64 };

/** Begin with {.out = &buf}. Sticky: after an error nothing more is written; cm_json_finish() tells
 * it. A key where none belongs, a missing one and a wrong end are BAD_ARGUMENT. */
typedef struct {
    cm_buf *out;
    cm_err err;
    unsigned depth;
    bool need_comma, have_key;
    uint64_t objects; /* bit d: the container at depth d is an object */
} cm_json_writer;

/* key: NULL outside objects, or when cm_json_put_key() has just written it. */
void cm_json_begin_object(cm_json_writer *w, const char *key);
void cm_json_end_object(cm_json_writer *w);
void cm_json_begin_array(cm_json_writer *w, const char *key);
void cm_json_end_array(cm_json_writer *w);
/** A key that is no C string; the value follows with key NULL. */
void cm_json_put_key(cm_json_writer *w, cm_view key);
/** Each byte that is not UTF-8 becomes U+FFFD; here and in keys. */
void cm_json_put_text(cm_json_writer *w, const char *key, cm_view v);
void cm_json_put_u64(cm_json_writer *w, const char *key, uint64_t v);
void cm_json_put_i64(cm_json_writer *w, const char *key, int64_t v);
/** Digits as cm_json_number() gives them; BAD_ARGUMENT when they are no JSON number. */
void cm_json_put_number(cm_json_writer *w, const char *key, cm_view digits);
void cm_json_put_bool(cm_json_writer *w, const char *key, bool v);
void cm_json_put_null(cm_json_writer *w, const char *key);
void cm_json_put_hex(cm_json_writer *w, const char *key, cm_view v);
/** Standard base64 with padding. */
void cm_json_put_base64(cm_json_writer *w, const char *key, cm_view v);
/** A rate or ratio with three decimals; null when it is not finite or 9e15 or more. */
void cm_json_put_fixed(cm_json_writer *w, const char *key, double v);
/** The writer's error, or BAD_ARGUMENT when containers are open or nothing was written. Further
 * values may follow on a new line of out (JSON lines): the writer starts afresh. */
CM_MUST cm_err cm_json_finish(cm_json_writer *w);

#endif
