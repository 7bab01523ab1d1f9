#ifndef CM_WIRE_MSG_INT_H
#define CM_WIRE_MSG_INT_H
/* Shared by the readers, writers and descriptions of messages. */
#include "codec/text.h"
#include "wire/msg.h"

/* Messages inside one another. Walks keep a stack of this many frames instead of recursing. */
enum { CM_MSG_DEPTH = 8 };

/* A message being read or written, and where in it. */
struct cm_msg_frame {
    cm_msg *m;
    size_t field, item;
    bool in_items; /* item counts */
};

/* Fills fault with the path of frames[0..n) and why; returns e. fault may be NULL. */
cm_err cm_msg_fail(cm_msg_fault *fault, const struct cm_msg_frame *frames, size_t n,
                   const char *why, cm_err e);

/* One value against its field's limits; NULL when it is fine, else why it is not. */
const char *cm_msg_bad_view(const cm_field *f, cm_view v);
const char *cm_msg_bad_number(const cm_field *f, uint64_t n);
/* NULL, or why a field of a message that is complete otherwise is missing. */
const char *cm_msg_missing(const cm_field *f, const cm_msg_value *v);

const cm_enum_value *cm_msg_enum_by_name(const cm_field *f, cm_view name);
const cm_enum_value *cm_msg_enum_by_number(const cm_field *f, uint64_t number);

static inline bool cm_msg_repeated(const cm_field *f)
{
    return f->flags & CM_FF_REPEATED;
}

static inline bool cm_msg_is_view(const cm_field *f)
{
    return f->type == CM_F_TEXT || f->type == CM_F_BYTES;
}

/* Decodes base64 straight into the arena. */
cm_err cm_msg_base64(cm_view *out, cm_arena *a, cm_view text, bool url);

/* Names in .proto: of a field's enum type ("KeyType") and of its values ("KEY_TYPE_AES_256"). */
cm_err cm_msg_camel(cm_buf *out, const char *name);
cm_err cm_msg_upper(cm_buf *out, const char *name);
cm_err cm_msg_value_name(cm_buf *out, const cm_field *f, const cm_enum_value *v);

#endif
