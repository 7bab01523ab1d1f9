#ifndef CM_AUDIT_WITNESS_H
#define CM_AUDIT_WITNESS_H
/*
 * A witness sees checkpoints of a log one after another and cosigns those that go on from the one
 * before (C2SP tlog-witness, tlog-cosignature). It keeps one note per log: the last it cosigned.
 * Any thread; one at a time per log.
 */
#include "audit/verify.h"

/** Whether a witness may cosign note. last: what it keeps, empty at first; it is its own and is not
 * verified again. proof: hashes that lead from last to note.
 * What cm_audit_check_note() fails with (quorum is not asked for); AUDIT_SHRUNK, AUDIT_FORK,
 * MERKLE_PROOF for a proof where none belongs. */
CM_MUST cm_err cm_witness_check(cm_checkpoint *out, const cm_audit_trust *t, cm_view last,
                                cm_view note, cm_view proof);
/** Append a cosignature line of each key, which must be of a cosignature's type: AUDIT_KEY. */
CM_MUST cm_err cm_witness_sign(cm_buf *lines, const cm_vkey *keys, size_t n, cm_view note,
                               uint64_t now_s);
/** Append note with such lines behind it; a line takes the place of one by the same key. AUDIT_NOTE
 * when either is malformed. */
CM_MUST cm_err cm_note_merge(cm_buf *out, cm_view note, cm_view lines);

#endif
