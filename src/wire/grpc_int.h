#ifndef CM_WIRE_GRPC_INT_H
#define CM_WIRE_GRPC_INT_H
#include "wire/grpc.h"

struct cm_grpc_messages {
    const cm_message *list[256];
    size_t n;
};

/* m, or the message without fields. */
const cm_message *cm_grpc_message(const cm_message *m);
/* Whether method i is the first of its service. */
bool cm_grpc_first(const cm_grpc_table *t, size_t i);
/* Whether a full name without leading dot is a service, method, message or field of t. */
bool cm_grpc_defines(const cm_grpc_table *t, cm_view symbol);

extern const cm_grpc_table cm_grpc_health, cm_grpc_reflection, cm_grpc_reflection_alpha;

/* grpc.reflection.v1.ServerReflectionRequest: the fields of cm_grpc_ask. */
enum { CM_ASK_HOST, CM_ASK_FILE, CM_ASK_SYMBOL, CM_ASK_EXTENSION, CM_ASK_NUMBERS, CM_ASK_SERVICES };
extern const cm_message cm_grpc_ask, cm_grpc_health_ask;

#endif
