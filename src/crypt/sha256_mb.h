#ifndef CM_CRYPT_SHA256_MB_H
#define CM_CRYPT_SHA256_MB_H
/*
 * SHA-256 (FIPS 180-4) of many messages of one length at once, in parallel lanes: about twice as
 * fast as one after another.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypt/cpu.h"

/** Longest shared prefix. */
#define CM_SHA256_MB_PREFIX_MAX 64u

/** out[i] = SHA-256(prefix || data[i]) for i < count; each data[i] holds n bytes.
 * prefix    At most 64 bytes, the same for all; NULL if prefix_n is 0.
 * out       Must not overlap any input. Inputs are borrowed for the call.
 * Constant time in all bytes; time depends on prefix_n, n, count. Any thread. Cannot fail. */
void cm_sha256_mb(uint8_t (*out)[32], const uint8_t *prefix, size_t prefix_n,
                  const uint8_t *const *data, size_t n, size_t count);

/** The same on one kind of kernel only, for tests and benchmarks. False, with out untouched, if
 * this machine or build lacks it. */
bool cm_sha256_mb_on(cm_cpu_kind kind, uint8_t (*out)[32], const uint8_t *prefix, size_t prefix_n,
                     const uint8_t *const *data, size_t n, size_t count);

#endif
