#ifndef CM_WIRE_H2_INT_H
#define CM_WIRE_H2_INT_H
#include "codec/text.h"
#include "wire/http_int.h"

/* Counts the frames in what is about to be fed; false when the peer floods (CVE-2019-9512 to 9518,
 * CVE-2023-44487, CVE-2024-28182). */
bool cm_h2_scan(cm_http_conn *c, cm_view bytes);

/* Allocations of a session, and its end. */
nghttp2_mem cm_h2_memory(struct cm_h2 *h);
void cm_h2_free_session(struct cm_h2 *h);

#endif
