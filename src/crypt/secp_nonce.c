/* Nonces of secp256k1 signatures: what the library's own function computes (RFC 6979, section 3.2
 * with additional data), by kernels that take a quarter of its time. */
#include "crypt/cpu.h"
#include "crypt/sha256_int.h"
#include "crypt/sig_int.h"

enum { BLOCK = 64, WORD = 32, SEED_MAX = 3 * WORD + 16, MESSAGE_MAX = WORD + 1 + SEED_MAX };

typedef struct {
    uint32_t w[8];
} chain;

/* Everything of one nonce, in one place to be wiped. */
struct work {
    cm_sha256_blocks_fn *blocks;
    cm_sha256_state s;
    chain inner, outer; /* of HMAC's key */
    uint8_t v[WORD], seed[SEED_MAX], text[MESSAGE_MAX], block[3 * BLOCK];
    size_t seed_n;
};

static const chain initial = {{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                               0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};

/* Whole blocks that lie in work->block. */
static void feed(struct work *k, chain *c, size_t blocks)
{
    const uint8_t *at = k->block;

    for (size_t i = 0; i < 8; i++)
        k->s.w[i][0] = c->w[i];
    k->blocks(&k->s, &at, blocks);
    for (size_t i = 0; i < 8; i++)
        c->w[i] = k->s.w[i][0];
}

/* The rest of a message of which one block went before; it fits in three with its padding. */
static void finish(struct work *k, uint8_t out[WORD], const chain *from, cm_view rest)
{
    size_t blocks = (rest.n + 8) / BLOCK + 1;
    chain c = *from;

    memset(k->block, 0, blocks * BLOCK);
    memcpy(k->block, rest.p, rest.n);
    k->block[rest.n] = 0x80;
    cm_put_be64(k->block + blocks * BLOCK - 8, 8 * (BLOCK + (uint64_t)rest.n));
    feed(k, &c, blocks);
    for (size_t i = 0; i < 8; i++)
        cm_put_be32(out + 4 * i, c.w[i]);
    cm_wipe(&c, sizeof c);
}

static void set_key(struct work *k, const uint8_t key[WORD])
{
    static const uint8_t pad[2] = {0x36, 0x5c};
    chain *to[2] = {&k->inner, &k->outer};

    for (size_t n = 0; n < 2; n++) {
        memset(k->block, pad[n], BLOCK);
        for (size_t i = 0; i < WORD; i++)
            k->block[i] ^= key[i];
        *to[n] = initial;
        feed(k, to[n], 1);
    }
}

/* out may be where the text lies. */
static void hmac(struct work *k, uint8_t out[WORD], cm_view text)
{
    uint8_t digest[WORD];

    finish(k, digest, &k->inner, text);
    finish(k, out, &k->outer, CM_VIEW(digest));
    cm_wipe(digest, sizeof digest);
}

/* K = HMAC(K, V || mark || seed), V = HMAC(K, V) */
static void stir(struct work *k, uint8_t mark, size_t seed_n)
{
    uint8_t key[WORD];

    memcpy(k->text, k->v, WORD);
    k->text[WORD] = mark;
    memcpy(k->text + WORD + 1, k->seed, seed_n);
    hmac(k, key, cm_view_of(k->text, WORD + 1 + seed_n));
    set_key(k, key);
    hmac(k, k->v, CM_VIEW(k->v));
    cm_wipe(key, sizeof key);
}

static void put(struct work *k, const uint8_t *p, size_t n)
{
    if (!p)
        return;
    memcpy(k->seed + k->seed_n, p, n);
    k->seed_n += n;
}

static cm_sha256_blocks_fn *kernel(void)
{
#if defined(__x86_64__)
    if (cm_cpu_has(CM_CPU_SHANI))
        return cm_sha256_blocks_shani_x1;
#endif
    return cm_sha256_blocks_portable;
}

int cm_secp_nonce(unsigned char *nonce, const unsigned char *msg, const unsigned char *key,
                  const unsigned char *algo, void *data, unsigned int attempt)
{
    static const uint8_t zero[WORD];
    struct work k = {.blocks = kernel()};

    put(&k, key, WORD);
    put(&k, msg, WORD);
    put(&k, data, WORD);
    put(&k, algo, 16);
    memset(k.v, 1, WORD);
    set_key(&k, zero);
    stir(&k, 0, k.seed_n);
    stir(&k, 1, k.seed_n);
    hmac(&k, k.v, CM_VIEW(k.v));
    for (unsigned i = 0; i < attempt; i++) {
        stir(&k, 0, 0);
        hmac(&k, k.v, CM_VIEW(k.v));
    }
    memcpy(nonce, k.v, WORD);
    cm_wipe(&k, sizeof k);
    return 1;
}

void cm_secp_blind(uint8_t out[32], const uint8_t extra[32])
{
    struct work k = {.blocks = kernel()};
    chain c = initial;

    memcpy(k.block, extra, WORD);
    memcpy(k.block + WORD, "blind", 6);
    feed(&k, &c, 1);
    for (size_t i = 0; i < 8; i++)
        cm_put_be32(out + 4 * i, c.w[i]);
    cm_wipe(&c, sizeof c);
    cm_wipe(&k, sizeof k);
}
