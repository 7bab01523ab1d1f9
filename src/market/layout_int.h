#ifndef CM_MARKET_LAYOUT_INT_H
#define CM_MARKET_LAYOUT_INT_H
/* Encodings of fixed length as tables: where a field stands in the bytes and in the struct. */
#include <stddef.h>

#include "market/u256.h"

typedef enum { CM_SLOT_BYTES, CM_SLOT_U8, CM_SLOT_U16, CM_SLOT_U64, CM_SLOT_U256 } cm_slot_kind;

typedef struct {
    uint16_t at, in, n;
    cm_slot_kind kind;
} cm_slot;

#define CM_SLOT(at, type, field, kind)                                          \
    {                                                                           \
        (at), offsetof(type, field), sizeof(((type *)0)->field), CM_SLOT_##kind \
    }

/** Numbers are big-endian. Any bytes decode to something, and that encodes to them. */
void cm_layout_put(uint8_t *out, const cm_slot *fields, size_t count, const void *from);
void cm_layout_get(void *to, const cm_slot *fields, size_t count, const uint8_t *bytes);

#endif
