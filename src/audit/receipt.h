#ifndef CM_AUDIT_RECEIPT_H
#define CM_AUDIT_RECEIPT_H
/* Receipts: C2SP tlog-proof, with the entry itself as extra data (spec/audit.md, 4). Any thread. */
#include "audit/note.h"
#include "audit/tree.h"

enum {
    CM_RECEIPT_EXTRA = 4096,
    CM_RECEIPT_MAX = CM_NOTE_MAX + 16384,
};

typedef struct {
    uint64_t index;
    cm_buf extra;           /* the entry; of no authority before the proof is checked */
    uint8_t proof[64 * 32]; /* hashes, lowest first */
    size_t proof_n;         /* bytes */
    cm_view note;           /* borrowed from the text */
} cm_receipt;

/** Append a receipt. extra may be empty. */
CM_MUST cm_err cm_receipt_put(cm_buf *out, uint64_t index, cm_view proof, cm_view extra,
                              cm_view note);
/** AUDIT_RECEIPT, AUDIT_NOTE. note borrows from v. r is zeroed or done with. */
CM_MUST cm_err cm_receipt_parse(cm_receipt *r, cm_view v);
void cm_receipt_done(cm_receipt *r);

#endif
