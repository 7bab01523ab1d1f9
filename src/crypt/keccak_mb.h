#ifndef CM_CRYPT_KECCAK_MB_H
#define CM_CRYPT_KECCAK_MB_H
/*
 * SHA3-256 and SHAKE (FIPS 202) of many messages of one length at once, in parallel lanes: eight
 * messages cost about what one does.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypt/cpu.h"

typedef enum { CM_KECCAK_SHA3_256, CM_KECCAK_SHAKE128, CM_KECCAK_SHAKE256 } cm_keccak_fn;

/** out[i] = fn(data[i]) for i < count; each data[i] holds n bytes, each out[i] takes out_n: any
 * number for SHAKE, 32 for SHA3-256.
 * out       Must overlap neither each other nor any input. Inputs are borrowed for the call.
 * Constant time in all bytes; time depends on fn, out_n, n, count. Any thread. Cannot fail. */
void cm_keccak_mb(cm_keccak_fn fn, uint8_t *const *out, size_t out_n, const uint8_t *const *data,
                  size_t n, size_t count);

/** out[i] = SHA3-256(data[i]), likewise. */
void cm_sha3_256_mb(uint8_t (*out)[32], const uint8_t *const *data, size_t n, size_t count);

/** The same on one kind of kernel only, for tests and benchmarks. False, with out untouched, if
 * this machine or build lacks it or there is no such kernel. */
bool cm_keccak_mb_on(cm_cpu_kind kind, cm_keccak_fn fn, uint8_t *const *out, size_t out_n,
                     const uint8_t *const *data, size_t n, size_t count);

#endif
