#ifndef CM_WIRE_MSG_H
#define CM_WIRE_MSG_H
/*
 * One table describes a message; from it come its JSON form (REST), its protobuf form (gRPC), its
 * OpenAPI schema, its .proto text and its command-line options. Nothing is written twice.
 *
 * JSON: names as given, bytes as standard base64, 64-bit numbers as numbers (strings are accepted
 * too), absent = default. Unknown and duplicate members are errors, and so is anything past a
 * limit. Protobuf (proto3): fields in any order, last one wins as the standard says, packed
 * numbers accepted, unknown fields skipped within limits.
 */
#include "codec/json.h"

typedef enum {
    CM_F_TEXT, /* UTF-8 */
    CM_F_BYTES,
    CM_F_U64,
    CM_F_BOOL,
    CM_F_ENUM, /* text in JSON, number in protobuf */
    CM_F_MSG,
} cm_field_type;

enum {
    CM_FF_REQUIRED = 1, /* must be there and not empty */
    CM_FF_REPEATED = 2,
    CM_FF_SECRET = 4, /* never logged; its memory is wiped */
    CM_FF_PATH = 8,   /* comes from the route in REST */
    CM_FF_QUERY = 16, /* comes from the query string in REST (GET) */
};

typedef struct {
    const char *name; /* "message" */
    uint32_t number;
} cm_enum_value;

typedef struct cm_field {
    uint16_t number; /* protobuf's */
    const char *name;
    cm_field_type type;
    unsigned flags;
    uint32_t max;                     /* bytes of text or bytes; the largest number (0: any) */
    uint32_t count;                   /* of a repeated field */
    const cm_enum_value *values;      /* ENUM: ends in a NULL name */
    const struct cm_message *message; /* MSG */
    const char *doc;                  /* one sentence */
} cm_field;

typedef struct cm_message {
    const char *name; /* "SignRequest" */
    const cm_field *fields;
    size_t n;
    const char *doc;
} cm_message;

/* A value in place: fields[i] of the message is v[i]. Views borrow from the arena or the input. */
typedef struct cm_msg cm_msg;
typedef struct {
    bool set;
    size_t n; /* repeated: how many */
    union {
        cm_view view;    /* TEXT, BYTES */
        uint64_t number; /* U64, BOOL, ENUM */
        cm_msg *msg;
        cm_view *views; /* repeated */
        uint64_t *numbers;
        cm_msg **msgs;
    };
} cm_msg_value;

struct cm_msg {
    const cm_message *type;
    cm_msg_value v[];
};

/** Memory of one request: grows in blocks up to max, wiped and given back at once. */
typedef struct cm_arena cm_arena;
CM_MUST cm_err cm_arena_new(cm_arena **out, size_t max);
CM_MUST cm_err cm_arena_get(cm_arena *a, void *out, size_t n);
CM_MUST cm_err cm_arena_copy(cm_arena *a, cm_view *out, cm_view v);
/** The same without a copy: b is empty then, and what it held wiped and freed with the rest. */
CM_MUST cm_err cm_arena_adopt(cm_arena *a, cm_view *out, cm_buf *b);
void cm_arena_reset(cm_arena *a); /* wipes; keeps one block, of 32 KiB at most */
void cm_arena_free(cm_arena *a);
void cm_arena_free_ptr(cm_arena **a);

CM_MUST cm_err cm_msg_new(cm_msg **out, cm_arena *a, const cm_message *type);
/** Where a message is wrong: a path such as "conditions[2].rate" for error texts. */
typedef struct {
    char field[96];
    const char *why; /* static: "is required", "is too long", ... */
} cm_msg_fault;

CM_MUST cm_err cm_msg_from_json(cm_msg **out, cm_arena *a, const cm_message *type, cm_view json,
                                cm_msg_fault *fault);
CM_MUST cm_err cm_msg_to_json(cm_buf *out, const cm_msg *m);
/** The same as a value inside other JSON. */
CM_MUST cm_err cm_msg_put_json(cm_json_writer *w, const cm_msg *m);
CM_MUST cm_err cm_msg_from_proto(cm_msg **out, cm_arena *a, const cm_message *type, cm_view bytes,
                                 cm_msg_fault *fault);
CM_MUST cm_err cm_msg_to_proto(cm_buf *out, const cm_msg *m);
/** Set one field from text, as a route, a query or a command line brings it. */
CM_MUST cm_err cm_msg_set_text(cm_msg *m, cm_arena *a, size_t field, cm_view text,
                               cm_msg_fault *fault);
/** All that is required is there, nothing past its limit. Done by the readers above too, unless
 * path fields are still to come: then call it once they are set. */
CM_MUST cm_err cm_msg_check(const cm_msg *m, cm_msg_fault *fault);

/** root and the messages inside it, each once, inner ones behind outer ones, appended to
 * out[0..*n). MSG_LIMIT past max. */
CM_MUST cm_err cm_msg_collect(const cm_message **out, size_t *n, size_t max,
                              const cm_message *root);
/** The message as lines of a .proto file (proto3; the messages inside it by name only; optional
 * fields know whether they are there), and as an OpenAPI 3.1 schema of its JSON body: without the
 * fields that come from path or query, inner messages as #/components/schemas/NAME. An enum's type
 * is named after its field, its values after both: `enum KeyType { KEY_TYPE_AES_256 = 3; }`. */
CM_MUST cm_err cm_msg_describe_proto(cm_buf *out, const cm_message *type);
void cm_msg_describe_openapi(cm_json_writer *w, const cm_message *type);
/** One field's schema, for parameters. */
void cm_msg_describe_field_openapi(cm_json_writer *w, const cm_field *f);

static inline cm_view cm_msg_view(const cm_msg *m, size_t field)
{
    return m->v[field].set ? m->v[field].view : cm_view_of(NULL, 0);
}

static inline uint64_t cm_msg_number(const cm_msg *m, size_t field, uint64_t otherwise)
{
    return m->v[field].set ? m->v[field].number : otherwise;
}

#endif
