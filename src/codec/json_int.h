#ifndef CM_CODEC_JSON_INT_H
#define CM_CODEC_JSON_INT_H
/* The parsed form, shared by the parser and the accessors. */
#include "codec/json.h"

/*
 * Nodes stand in the order of the text: the first child of a container is behind it, and `next` is
 * the distance to the next sibling. Strings point into the text's copy, unescaped in place.
 */
struct cm_json_node {
    const uint8_t *key; /* NULL: not a member */
    union {
        const uint8_t *text; /* STRING, NUMBER, BOOL ('t' or 'f') */
        uint64_t *index;     /* OBJECT: members in hash order, or NULL for small ones */
    } u;
    uint32_t key_n;
    uint32_t n;      /* bytes of text; children */
    uint32_t offset; /* in the text */
    uint32_t next;   /* siblings; while a container is open, its parent */
    uint8_t type;
};
_Static_assert(sizeof(cm_json_node) == 40, "the header promises 40 bytes a node");

struct cm_json {
    uint8_t *text;
    bool borrowed; /* the caller's text, parsed in place */
    cm_json_node *nodes;
    size_t count, cap;
};

enum { CM_JSON_SMALL = 8 }; /* members up to which comparing all is fastest */

/* A new object's index: entries of hash << 32 | distance of the member from the object, ordered by
 * hash, then key. JSON_DUPLICATE: *twice is the second member with a key, the first such one. */
CM_MUST cm_err cm_json_index(cm_json_node *obj, const cm_json_node **twice);
/* Bytes of the number at the beginning of v (RFC 8259 section 6); 0 for none. */
size_t cm_json_number_prefix(cm_view v);

static inline cm_view node_key(const cm_json_node *n)
{
    return cm_view_of(n->key, n->key_n);
}

#endif
