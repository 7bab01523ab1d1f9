#ifndef CM_ATTEST_TCG_INT_H
#define CM_ATTEST_TCG_INT_H
/* Logs of measured boot (TCG PC Client platform firmware profile, crypto-agile form). */
#include "attest/attest_int.h"

enum {
    CM_TCG_SHA1 = 0x04,
    CM_TCG_SHA256 = 0x0b,
    CM_TCG_SHA384 = 0x0c,
    CM_TCG_SHA512 = 0x0d,
    CM_TCG_REGISTERS = 24,
};

/** Our name of a hash that counts here, its size in *size; 0 bytes for others. */
cm_hash cm_tcg_hash(uint16_t alg, size_t *size);

typedef struct {
    uint8_t v[CM_TCG_REGISTERS][CM_HASH_MAX];
    uint32_t touched; /* bits of those that an event extended */
} cm_tcg_registers;

/** Replay the digests of alg into n registers, of which the log calls the first `first`. *good:
 * false when the log can't be read, an event lacks that digest, or names another register. */
CM_MUST cm_err cm_tcg_replay(bool *good, cm_tcg_registers *r, const cm_crypt *c, cm_view log,
                             uint16_t alg, uint32_t first, uint32_t n);

#endif
