#ifndef CM_SVC_REFUSALS_H
#define CM_SVC_REFUSALS_H
/*
 * Refused attestations in the log, without the log being filled by who asks no proof of who they
 * are (V-91): of each class of addresses one entry a minute, which stands for all since its last.
 * Any thread.
 */
#include "audit/audit.h"
#include "crypt/crypt.h"

typedef struct cm_refusals cm_refusals;

enum { CM_REFUSALS_MS = 60000, CM_REFUSALS_CLASSES = 64, CM_REFUSALS_NAME = 32 };

CM_MUST cm_err cm_refusals_new(cm_refusals **out, const cm_crypt *c);
void cm_refusals_free(cm_refusals *r);

/** What an entry stands for. */
typedef struct {
    uint64_t count;
    uint32_t reason;
    bool known;        /* the class has a name; else it is the rest */
    uint8_t class[32]; /* it, blinded for as long as this process lives */
    size_t slot;
} cm_refusal;

/** One more from this address (text). True: it is time for an entry, which out describes. */
bool cm_refusals_note(cm_refusals *r, cm_view address, cm_err why, uint64_t now_ms,
                      cm_refusal *out);
/** The next class with refusals that no entry stands for, whose minute is over; all: or not. */
bool cm_refusals_due(cm_refusals *r, uint64_t now_ms, bool all, cm_refusal *out);
/** The entry did not come to stand in the log: what it stood for is counted on. */
void cm_refusals_back(cm_refusals *r, const cm_refusal *what);

/** The operation of an entry that stands for so many: "RcarAttest/37". */
cm_view cm_refusal_name(const cm_refusal *what, char name[CM_REFUSALS_NAME]);

#endif
