#ifndef CM_KEYS_WIREFMT_H
#define CM_KEYS_WIREFMT_H
/*
 * What passes between casemate-kmsd and casemate-keyd, as bytes: spec/keyd.md. No I/O here.
 *
 * A packet of the SOCK_SEQPACKET socket holds whole frames, as many as fit. A frame is
 *     u32 length of the rest | u8 version | u8 kind | u64 id | body
 * big-endian. An answer repeats the id of its request. Bodies of key operations are flat; those of
 * control messages are records (keys/keyctl.h).
 *
 * Any thread. Constant time in what the parts hold; time depends on their lengths.
 */
#include "keys/keyop.h"

enum {
    CM_KEYMSG_PACKET = 160 << 10,
    CM_KEYMSG_HEAD = 14,
    /* The parts of an operation at most. */
    CM_KEYOP_TENANT_MAX = 256,
    CM_KEYOP_PATH_MAX = 1024,
    CM_KEYOP_KEK_MAX = 8 << 10,
    CM_KEYOP_KEY_MAX = 16 << 10,
    CM_KEYOP_DATA_MAX = 65 << 10,
    CM_KEYOP_CONTEXT_MAX = 16 << 10,
    CM_KEYOP_MORE_MAX = 32 << 10,
    CM_KEYOP_OUT_MAX = 68 << 10, /* each of the two results */
};

typedef enum { /* wire numbers */
               CM_KEYMSG_OP = 1,
               CM_KEYMSG_STATUS = 2,
               CM_KEYMSG_INIT = 3,
               CM_KEYMSG_UNSEAL = 4,
               CM_KEYMSG_SEAL = 5,
               CM_KEYMSG_ALTER = 6,
               CM_KEYMSG_DEVICES = 7,
               CM_KEYMSG_END = 8,
               CM_KEYMSG_ANSWER = 0x80, /* with the kind of the request */
} cm_keymsg_kind;

typedef struct {
    unsigned kind;
    uint64_t id;
    cm_view body;
} cm_keymsg;

/** The next frame of a packet, which is advanced behind it. KEYMSG_MALFORMED, KEYMSG_VERSION: what
 * follows can't be read then. */
CM_MUST cm_err cm_keymsg_next(cm_keymsg *m, cm_view *packet);

/* Each cm_keymsg_put_* appends one frame to packet, whose max is CM_KEYMSG_PACKET or less. TOO_BIG
 * when it does not fit any more, KEYOP_SIZE when a part is past its own limit; packet is unchanged
 * then. */
CM_MUST cm_err cm_keymsg_put_op(cm_buf *packet, uint64_t id, const cm_keyop *op);
/** op->result, and out and out2 when that is none. */
CM_MUST cm_err cm_keymsg_put_op_answer(cm_buf *packet, uint64_t id, const cm_keyop *op);
/** A request with this body. */
CM_MUST cm_err cm_keymsg_put(cm_buf *packet, uint64_t id, cm_keymsg_kind kind, cm_view body);
/** Its answer: an error, or a body. */
CM_MUST cm_err cm_keymsg_put_answer(cm_buf *packet, uint64_t id, cm_keymsg_kind kind, cm_err e,
                                    cm_view body);

/** The request in a CM_KEYMSG_OP body: op's fields up to n; the others become zero. Views borrow
 * from body. KEYMSG_MALFORMED for an unknown code, form or type, a part past its limit, or anything
 * missing or left over. */
CM_MUST cm_err cm_keymsg_get_op(cm_keyop *op, cm_view body);
/** Its answer: sets op->result and fills out and out2. KEYMSG_MALFORMED, NO_MEMORY: op is
 * untouched. */
CM_MUST cm_err cm_keymsg_get_op_answer(cm_keyop *op, cm_view body);
/** The error, or the body (borrowed), of any other answer. */
CM_MUST cm_err cm_keymsg_get_answer(cm_err *result, cm_view *rest, cm_view body);

#endif
