#ifndef CM_SEALED_LAYOUT_H
#define CM_SEALED_LAYOUT_H
/* The fixed parts of a container, as bytes: prelude and core header, slots, footer. No input or
 * output, no keys: spec/sealed.md, first half. */
#include "crypt/crypt.h"

enum {
    CM_PRELUDE = 64,
    CM_CORE_MAX = 4096,
    CM_FOOTER = 64,
    CM_SLOT_ALIGN = 4096,
    CM_SLOT_MAX = 16 << 20,
    CM_SLOT_HEAD = 48,
    CM_SEALED_SALT = 60,
    CM_MANIFEST_MAX = 64 << 10,
    CM_SIGNATURES_MAX = 256 << 10,
    CM_POLICY_MAX = 256,
    CM_SEGMENT_MIN = 64 << 10,
    CM_SEGMENT_MAX = 16 << 20,
    CM_LEAF_MIN = 4 << 10,
    CM_TIER_MAX = 4,
};
#define CM_MODEL_MAX (1ull << 60)

/** The core header, and what follows from it. */
typedef struct {
    uint8_t container[16];
    unsigned tier;
    uint32_t segment, leaf; /* plaintext bytes */
    bool directory, salted;
    char policy[CM_POLICY_MAX + 1];
    size_t policy_n;
    uint8_t sealed_salt[CM_SEALED_SALT];
    /* not in the header itself */
    uint8_t hd[32];
    uint32_t slot;
    uint64_t slots_at, body_at;
} cm_core;

/** No byte but 0: padding is not a place to leave anything. */
bool cm_sealed_zeros(cm_view v);

/** Append prelude and core header, and fill in hd and the offsets. slot is set by the caller.
 * BAD_ARGUMENT for sizes, a tier or a policy text that no reader takes. */
CM_MUST cm_err cm_core_encode(cm_buf *out, const cm_crypt *c, cm_core *h);
/** From the first bytes of a container: at least CM_PRELUDE. *need says how many bytes prelude,
 * core header and padding take when v is too short for them (and the result is IO_SHORT). S-1, S-2.
 */
CM_MUST cm_err cm_core_decode(cm_core *out, size_t *need, const cm_crypt *c, cm_view v);

/** Fill one slot of exactly h->slot bytes. TOO_BIG when the envelope does not fit. */
CM_MUST cm_err cm_slot_encode(uint8_t *slot, const cm_crypt *c, const cm_core *h, uint64_t sequence,
                              cm_view envelope);
/** Append both slots: the envelope in the first, the other empty. */
CM_MUST cm_err cm_slots_encode(cm_buf *out, const cm_crypt *c, const cm_core *h, uint64_t sequence,
                               cm_view envelope);
/** Bytes of a slot that has room for an envelope of n bytes. */
uint32_t cm_slot_size(size_t n);

typedef struct {
    cm_view envelope; /* borrowed from the slots */
    uint64_t sequence;
    unsigned which;  /* 0 or 1 */
    bool other_torn; /* the other slot is neither empty nor valid nor older */
    bool other_used;
} cm_slots;
/** Choose the slot in force from both (2 * h->slot bytes). SEALED_SLOTS; failures of the machine
 * remain what they are. S-3. */
CM_MUST cm_err cm_slots_decode(cm_slots *out, const cm_crypt *c, const cm_core *h, cm_view both);

typedef struct {
    uint64_t body, tree, index;
    uint32_t manifest, signatures;
} cm_footer;
CM_MUST cm_err cm_footer_encode(uint8_t out[CM_FOOTER], const cm_crypt *c, const cm_footer *f);
/** Checked against the header and the container's length: S-15. */
CM_MUST cm_err cm_footer_decode(cm_footer *out, const cm_crypt *c, const cm_core *h,
                                const uint8_t v[CM_FOOTER], uint64_t file_size);

#endif
