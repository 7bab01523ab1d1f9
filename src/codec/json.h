#ifndef CM_CODEC_JSON_H
#define CM_CODEC_JSON_H
/*
 * JSON (RFC 8259) for configuration, safetensors headers and --json output. The reader parses the
 * whole text into a flat array of nodes under limits; duplicate keys, bad UTF-8, lone surrogates,
 * numbers that lose digits and trailing bytes are refused with the byte offset.
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

typedef struct {
    size_t bytes, nodes, depth, string; /* 0: the default (1 MiB, 65536, 32, 64 KiB) */
} cm_json_limits;

typedef struct cm_json cm_json;           /* a parsed text; owns copies of its strings */
typedef struct cm_json_node cm_json_node; /* borrowed from it */

/** JSON_MALFORMED, JSON_DUPLICATE, JSON_LIMIT; *at, if not NULL, is the offending byte offset. */
CM_MUST cm_err cm_json_parse(cm_json **out, cm_view text, const cm_json_limits *limits, size_t *at);
void cm_json_free(cm_json *j);
void cm_json_free_ptr(cm_json **j);
const cm_json_node *cm_json_root(const cm_json *j);
cm_json_type cm_json_type_of(const cm_json_node *n);
size_t cm_json_offset(const cm_json_node *n);
size_t cm_json_size(const cm_json_node *n); /* items or members */
const cm_json_node *cm_json_first(
    const cm_json_node *n); /* first item or member value; NULL when empty */
const cm_json_node *cm_json_next(const cm_json_node *n); /* its next sibling or NULL */
cm_view cm_json_key(const cm_json_node *n);              /* of a member value */
const cm_json_node *cm_json_get(
    const cm_json_node *obj,
    const char *key); /* NULL when absent; O(log n) or hashed for large objects */
/* CBOR-like typed access: JSON_TYPE otherwise. */
CM_MUST cm_err cm_json_string(const cm_json_node *n, cm_view *v);
CM_MUST cm_err cm_json_u64(const cm_json_node *n,
                           uint64_t *v); /* an integer without fraction or exponent */
CM_MUST cm_err cm_json_i64(const cm_json_node *n, int64_t *v);
CM_MUST cm_err cm_json_bool(const cm_json_node *n, bool *v);

/* ---- writing ---- commas and escapes are the writer's business */
typedef struct {
    cm_buf *out;
    cm_err err; /* sticky */
    unsigned depth;
    bool need_comma;
} cm_json_writer;
void cm_json_begin_object(cm_json_writer *w, const char *key); /* key NULL outside objects */
void cm_json_end_object(cm_json_writer *w);
void cm_json_begin_array(cm_json_writer *w, const char *key);
void cm_json_end_array(cm_json_writer *w);
void cm_json_put_text(cm_json_writer *w, const char *key,
                      cm_view v); /* invalid UTF-8 becomes U+FFFD */
void cm_json_put_u64(cm_json_writer *w, const char *key, uint64_t v);
void cm_json_put_i64(cm_json_writer *w, const char *key, int64_t v);
void cm_json_put_bool(cm_json_writer *w, const char *key, bool v);
void cm_json_put_null(cm_json_writer *w, const char *key);
void cm_json_put_hex(cm_json_writer *w, const char *key, cm_view v);
/** A rate or ratio with three decimals. */
void cm_json_put_fixed(cm_json_writer *w, const char *key, double v);

#endif
