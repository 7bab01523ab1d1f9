#ifndef CM_WIRE_H1_INT_H
#define CM_WIRE_H1_INT_H
#include "wire/http_int.h"

/* q->head, which ends in an empty line, into q->r and the length of the body. HTTP_MALFORMED,
 * HTTP_HEAD_LIMIT, HTTP_VERSION, HTTP_CODING. */
cm_err cm_h1_parse_head(struct cm_hreq *q, bool *chunked, bool *closes);
/* One field line without its end. */
cm_err cm_h1_check_field(cm_view line);

#endif
