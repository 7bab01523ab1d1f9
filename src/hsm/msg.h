#ifndef CM_HSM_MSG_H
#define CM_HSM_MSG_H
/*
 * Between casemate-p11d and who uses it: spec/hsm.md. One message a packet of a SOCK_SEQPACKET
 * socket: u64 id, for answers u32 error, then a record. No I/O here. HSM_MESSAGE for all that is
 * not of that form.
 */
#include "hsm/hsm.h"

enum { CM_HSM_MSG_ID = 8, CM_HSM_MSG_ANSWER = 12 };

/** Appends to a packet whose max is CM_HSM_PACKET. */
CM_MUST cm_err cm_hsm_put_request(cm_buf *packet, uint64_t id, const cm_hsm_request *r);
/** Views borrow from packet. Limits are cm_hsm_request_check()'s: HSM_REQUEST. *id is set whenever
 * it can be read: 0 otherwise. */
CM_MUST cm_err cm_hsm_get_request(cm_hsm_request *r, uint64_t *id, cm_view packet);
/** op: what was asked for. */
CM_MUST cm_err cm_hsm_put_answer(cm_buf *packet, uint64_t id, cm_err result, cm_hsm_op op,
                                 const cm_hsm_answer *a);
CM_MUST cm_err cm_hsm_get_answer_id(uint64_t *id, cm_view packet);
/** The result, and with CM_OKAY a, whose data is a copy: free with cm_hsm_answer_done(). */
CM_MUST cm_err cm_hsm_get_answer(cm_err *result, cm_hsm_answer *a, cm_hsm_op op, cm_view packet);

#endif
