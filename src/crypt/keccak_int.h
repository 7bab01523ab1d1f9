#ifndef CM_CRYPT_KECCAK_INT_H
#define CM_CRYPT_KECCAK_INT_H
/* What the Keccak kernels share. */
#include <stddef.h>
#include <stdint.h>

#define CM_KECCAK_LANES     8u
#define CM_KECCAK_WORDS_MAX 21u /* of a block: SHAKE128 */

/* w[i][l] is word i (x + 5y) of lane l: rows load straight into vectors. */
typedef struct {
    uint64_t w[25][CM_KECCAK_LANES] __attribute__((aligned(64)));
} cm_keccak_state;

/* For each of `blocks` blocks: adds `words` 64-bit words of data[l] to lane l, then permutes. With
 * words 0 it only permutes and data is not looked at. */
typedef void cm_keccak_blocks_fn(cm_keccak_state *s, const uint8_t *const *data, size_t blocks,
                                 size_t words);

extern const uint64_t cm_keccak_rc[24];

cm_keccak_blocks_fn cm_keccak_blocks_portable;  /* 1 lane */
cm_keccak_blocks_fn cm_keccak_blocks_avx2_x4;   /* 4 lanes */
cm_keccak_blocks_fn cm_keccak_blocks_avx512_x8; /* 8 lanes */

#endif
