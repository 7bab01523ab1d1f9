#ifndef CM_WIRE_PROTO_INT_H
#define CM_WIRE_PROTO_INT_H
/* Writing the protobuf encoding. */
#include "base/base.h"

enum { CM_PROTO_VARINT = 0, CM_PROTO_FIXED64 = 1, CM_PROTO_BYTES = 2, CM_PROTO_FIXED32 = 5 };

/* At most ten bytes; how many. */
size_t cm_proto_varint(uint8_t p[10], uint64_t x);
cm_err cm_proto_put_varint(cm_buf *b, uint64_t x);
cm_err cm_proto_put_tag(cm_buf *b, uint32_t number, unsigned wire);
cm_err cm_proto_put_number(cm_buf *b, uint32_t number, uint64_t x);
cm_err cm_proto_put_view(cm_buf *b, uint32_t number, cm_view v);
cm_err cm_proto_put_text(cm_buf *b, uint32_t number, const char *text);
/* A message inside: *begin is where its bytes begin; to be closed when they are there. */
cm_err cm_proto_open(cm_buf *b, uint32_t number, size_t *begin);
cm_err cm_proto_close(cm_buf *b, size_t begin);

#endif
