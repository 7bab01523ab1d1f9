#ifndef CM_CRYPT_SHA256_INT_H
#define CM_CRYPT_SHA256_INT_H
/* What the SHA-256 kernels share. */
#include <stddef.h>
#include <stdint.h>

#define CM_SHA256_LANES 16u

/* w[i][l] is chaining word i of lane l: rows load straight into vectors. */
typedef struct {
    uint32_t w[8][CM_SHA256_LANES] __attribute__((aligned(64)));
} cm_sha256_state;

/* Advances the kernel's lanes by `blocks` 64-byte blocks each; lane l reads from data[l]. */
typedef void cm_sha256_blocks_fn(cm_sha256_state *s, const uint8_t *const *data, size_t blocks);

extern const uint32_t cm_sha256_k[64];

cm_sha256_blocks_fn cm_sha256_blocks_portable;   /* 1 lane */
cm_sha256_blocks_fn cm_sha256_blocks_shani_x1;   /* 1 lane */
cm_sha256_blocks_fn cm_sha256_blocks_shani_x2;   /* 2 lanes */
cm_sha256_blocks_fn cm_sha256_blocks_shani_x4;   /* 4 lanes */
cm_sha256_blocks_fn cm_sha256_blocks_avx2_x8;    /* 8 lanes */
cm_sha256_blocks_fn cm_sha256_blocks_avx512_x16; /* 16 lanes */

#endif
