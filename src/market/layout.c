#include "market/layout_int.h"

static void put(uint8_t *out, const cm_slot *f, const uint8_t *from)
{
    uint16_t u16;
    uint64_t u64;
    cm_u256 u256;

    switch (f->kind) {
    case CM_SLOT_BYTES:
    case CM_SLOT_U8:
        memcpy(out, from, f->n);
        break;
    case CM_SLOT_U16:
        memcpy(&u16, from, sizeof u16);
        cm_put_be16(out, u16);
        break;
    case CM_SLOT_U64:
        memcpy(&u64, from, sizeof u64);
        cm_put_be64(out, u64);
        break;
    case CM_SLOT_U256:
        memcpy(&u256, from, sizeof u256);
        cm_u256_to_be(out, &u256);
        break;
    }
}

static void get(uint8_t *to, const cm_slot *f, const uint8_t *bytes)
{
    uint16_t u16;
    uint64_t u64;
    cm_u256 u256;

    switch (f->kind) {
    case CM_SLOT_BYTES:
    case CM_SLOT_U8:
        memcpy(to, bytes, f->n);
        break;
    case CM_SLOT_U16:
        u16 = cm_get_be16(bytes);
        memcpy(to, &u16, sizeof u16);
        break;
    case CM_SLOT_U64:
        u64 = cm_get_be64(bytes);
        memcpy(to, &u64, sizeof u64);
        break;
    case CM_SLOT_U256:
        u256 = cm_u256_from_be(bytes);
        memcpy(to, &u256, sizeof u256);
        break;
    }
}

void cm_layout_put(uint8_t *out, const cm_slot *fields, size_t count, const void *from)
{
    for (size_t i = 0; i < count; i++)
        put(out + fields[i].at, &fields[i], (const uint8_t *)from + fields[i].in);
}

void cm_layout_get(void *to, const cm_slot *fields, size_t count, const uint8_t *bytes)
{
    for (size_t i = 0; i < count; i++)
        get((uint8_t *)to + fields[i].in, &fields[i], bytes + fields[i].at);
}
