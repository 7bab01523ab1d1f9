#ifndef CM_RUN_CONFIG_INT_H
#define CM_RUN_CONFIG_INT_H
#include "run/config.h"

/* ---- the table ---- */

typedef enum {
    KEY_TEXT,
    KEY_PATH,    /* made absolute */
    KEY_ADDRESS, /* host:port, unix:/path */
    KEY_NUMBER,
    KEY_SIZE,     /* 64MiB */
    KEY_DURATION, /* 10s, 90d */
    KEY_BOOL,
    KEY_CHOICE,
} key_type;

enum { KEY_REQUIRED = 1, KEY_RELOAD = 2 /* taken over by SIGHUP */ };

struct key {
    const char *name; /* "listeners[].certificates[].key" */
    key_type type;
    unsigned flags;
    size_t offset; /* in the innermost list's element, or in the values */
    uint64_t min, max;
    const char *standard;       /* as it would be written; NULL: absent */
    const char *const *choices; /* ends in NULL */
    const char *doc;            /* one sentence, or more */
};
extern const struct key cm_config_keys[];
extern const size_t cm_config_keys_n;

struct list {
    const char *name;                         /* "listeners[].certificates[]" */
    size_t offset, count_offset, stride, max; /* in the enclosing element */
    const char *doc;
};
extern const struct list cm_config_lists[];
extern const size_t cm_config_lists_n;

/* What the seeds' YAML has and where it goes. */
struct alias {
    const char *name; /* "kms.hanzo.model_encryption.key_rotation_days" */
    const char *key;  /* of ours; its value is the number with suffix behind it */
    const char *suffix;
    const char *only; /* values that hold here anyway, separated by spaces: others are refused */
    const char *doc;
};
extern const struct alias cm_config_aliases[];
extern const size_t cm_config_aliases_n;

/* ---- the text as a tree ---- */

enum { NODES_MAX = 4096, DEPTH_MAX = 8, NONE = 0xffff };
typedef enum { NODE_SCALAR, NODE_MAP, NODE_LIST } node_kind;

struct node {
    node_kind kind;
    bool plain;       /* a scalar without quotes */
    const char *key;  /* of a map's member; NULL */
    const char *text; /* of a scalar */
    unsigned line, column, key_line, key_column;
    uint16_t parent, first, last, next; /* children and sibling; NONE */
    uint16_t place;                     /* among its parent's children */
    bool skip;                          /* what is below it has no meaning */
};

struct string {
    struct string *next;
    char text[];
};

struct tree {
    struct node *v;
    size_t n;
    struct string *strings;
};

CM_MUST cm_err cm_config_tree(struct tree *t, cm_view text, cm_config_faults *faults);
void cm_config_tree_free(struct tree *t);
CM_MUST cm_err cm_config_copy(struct string **list, const char **out, cm_view text);

/* ---- shared ---- */

struct origin {
    uint16_t key; /* index in the table */
    uint8_t at[2];
    unsigned line;
};

struct cm_config {
    cm_config_values v;
    char *path;
    struct string *strings;
    struct origin *origins;
    size_t origins_n;
};

void cm_config_complain(cm_config_faults *f, cm_err e, unsigned line, unsigned column,
                        const char *key, const char *hint, const char *format, ...)
    __attribute__((format(printf, 7, 8)));
/* The value of a key at list indices, in the values. */
void *cm_config_place(cm_config_values *v, const struct key *k, const size_t at[2]);
/* How many elements the lists of a key have. */
size_t cm_config_count(const cm_config_values *v, const struct key *k, size_t level, size_t first);
/* Text of a value as it would be written; empty when absent. */
void cm_config_show(char text[256], const struct key *k, const void *place);

#endif
