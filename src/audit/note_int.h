#ifndef CM_AUDIT_NOTE_INT_H
#define CM_AUDIT_NOTE_INT_H
#include "audit/note.h"

/* Append decimal digits without leading zeroes. */
CM_MUST cm_err cm_note_put_dec(cm_buf *out, uint64_t v);

#endif
