#include "crypt/keccak_mb.h"

#include <pthread.h>
#include <string.h>

#include "base/base.h"
#include "crypt/keccak_int.h"

typedef struct {
    cm_keccak_blocks_fn *blocks;
    size_t lanes;
} kernel;

/* Rate in 64-bit words, and the domain bits with the first bit of padding (FIPS 202, 6.1, 6.2). */
typedef struct {
    size_t words;
    uint8_t suffix;
} sponge;

static const sponge sponges[] = {
    [CM_KECCAK_SHA3_256] = {17, 0x06},
    [CM_KECCAK_SHAKE128] = {21, 0x1f},
    [CM_KECCAK_SHAKE256] = {17, 0x1f},
};

/* Lanes past the group's end repeat its first message; nothing of theirs is stored. */
static void feed(cm_keccak_state *s, const kernel *k, const sponge *f, const uint8_t *const *data,
                 size_t n, size_t count)
{
    uint8_t tail[CM_KECCAK_LANES][8 * CM_KECCAK_WORDS_MAX];
    const uint8_t *at[CM_KECCAK_LANES];
    size_t rate = 8 * f->words, whole = n / rate, rest = n % rate;

    for (size_t l = 0; l < k->lanes; l++) {
        at[l] = data[l < count ? l : 0];
    }
    k->blocks(s, at, whole, f->words);
    for (size_t l = 0; l < k->lanes; l++) {
        memset(tail[l], 0, rate);
        if (rest > 0) {
            memcpy(tail[l], at[l] + whole * rate, rest);
        }
        tail[l][rest] = f->suffix;
        tail[l][rate - 1] |= 0x80;
        at[l] = tail[l];
    }
    k->blocks(s, at, 1, f->words);
    cm_wipe(tail, sizeof tail);
}

static void squeeze(uint8_t *const *out, size_t off, size_t n, const cm_keccak_state *s,
                    size_t count)
{
    for (size_t l = 0; l < count; l++) {
        size_t i = 0;

        for (; i + 8 <= n; i += 8) {
            cm_put_le64(out[l] + off + i, s->w[i / 8][l]);
        }
        for (; i < n; i++) {
            out[l][off + i] = (uint8_t)(s->w[i / 8][l] >> (8 * (i % 8)));
        }
    }
}

static void hash_group(const kernel *k, const sponge *f, uint8_t *const *out, size_t out_n,
                       const uint8_t *const *data, size_t n, size_t count)
{
    cm_keccak_state s;
    size_t rate = 8 * f->words;

    memset(&s, 0, sizeof s);
    feed(&s, k, f, data, n, count);
    for (size_t off = 0; off < out_n; off += rate) {
        if (off > 0) {
            k->blocks(&s, NULL, 1, 0);
        }
        squeeze(out, off, CM_MIN(out_n - off, rate), &s, count);
    }
    cm_wipe(&s, sizeof s);
}

static void hash_all(const kernel *k, cm_keccak_fn fn, uint8_t *const *out, size_t out_n,
                     const uint8_t *const *data, size_t n, size_t count)
{
    for (size_t i = 0; i < count; i += k->lanes) {
        hash_group(k, &sponges[fn], out + i, out_n, data + i, n, CM_MIN(count - i, k->lanes));
    }
}

static bool kernel_for(kernel *k, cm_cpu_kind kind)
{
    if (!cm_cpu_has(kind)) {
        return false;
    }
    switch (kind) {
    case CM_CPU_PORTABLE:
        *k = (kernel){cm_keccak_blocks_portable, 1};
        return true;
#if defined(__x86_64__)
    case CM_CPU_AVX2:
        *k = (kernel){cm_keccak_blocks_avx2_x4, 4};
        return true;
    case CM_CPU_AVX512:
        *k = (kernel){cm_keccak_blocks_avx512_x8, 8};
        return true;
#endif
    default:
        return false;
    }
}

static kernel best;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void choose(void)
{
    if (!kernel_for(&best, CM_CPU_AVX512) && !kernel_for(&best, CM_CPU_AVX2)) {
        (void)kernel_for(&best, CM_CPU_PORTABLE);
    }
}

void cm_keccak_mb(cm_keccak_fn fn, uint8_t *const *out, size_t out_n, const uint8_t *const *data,
                  size_t n, size_t count)
{
    (void)pthread_once(&once, choose);
    hash_all(&best, fn, out, out_n, data, n, count);
}

void cm_sha3_256_mb(uint8_t (*out)[32], const uint8_t *const *data, size_t n, size_t count)
{
    uint8_t *to[CM_KECCAK_LANES];

    for (size_t i = 0; i < count; i += CM_KECCAK_LANES) {
        size_t group = CM_MIN(count - i, CM_KECCAK_LANES);

        for (size_t l = 0; l < group; l++) {
            to[l] = out[i + l];
        }
        cm_keccak_mb(CM_KECCAK_SHA3_256, to, 32, data + i, n, group);
    }
}

bool cm_keccak_mb_on(cm_cpu_kind kind, cm_keccak_fn fn, uint8_t *const *out, size_t out_n,
                     const uint8_t *const *data, size_t n, size_t count)
{
    kernel k;

    if (!kernel_for(&k, kind)) {
        return false;
    }
    hash_all(&k, fn, out, out_n, data, n, count);
    return true;
}
