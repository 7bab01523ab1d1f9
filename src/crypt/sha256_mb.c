#include "crypt/sha256_mb.h"

#include <pthread.h>
#include <string.h>

#include "base/base.h"
#include "crypt/sha256_int.h"

typedef struct {
    cm_sha256_blocks_fn *blocks;
    size_t lanes;
} kernel;

/* wide takes groups of at least wide_min messages, narrow two or more, single one. A group that
 * does not fill a kernel still costs a full pass of it. */
typedef struct {
    kernel wide, narrow, single;
    size_t wide_min;
} plan;

/* Messages of one group: block 0 when it holds prefix and data, and the padded end. */
typedef struct {
    uint8_t head[CM_SHA256_LANES][64];
    uint8_t tail[CM_SHA256_LANES][128];
} scratch;

typedef struct {
    const uint8_t *prefix;
    size_t prefix_n, n;
} shape;

static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

/* Lanes past the group's end repeat its first message; nothing of theirs is stored. */
static void point_at(const uint8_t *at[], const uint8_t *const *data, size_t off, size_t lanes,
                     size_t count)
{
    for (size_t l = 0; l < lanes; l++) {
        at[l] = data[l < count ? l : 0] + off;
    }
}

/* Block 0 when a prefix shifts the data: prefix and the first bytes of data. Returns how many. */
static size_t feed_head(cm_sha256_state *s, scratch *t, const kernel *k, const shape *m,
                        const uint8_t *const *data, size_t count)
{
    const uint8_t *at[CM_SHA256_LANES];
    const uint8_t *rows[CM_SHA256_LANES];
    size_t take = 64 - m->prefix_n;

    for (size_t l = 0; l < count; l++) {
        memcpy(t->head[l], m->prefix, m->prefix_n);
        if (take > 0) {
            memcpy(t->head[l] + m->prefix_n, data[l], take);
        }
        rows[l] = t->head[l];
    }
    point_at(at, rows, 0, k->lanes, count);
    k->blocks(s, at, 1);
    return take;
}

/* The rest of each message after off bytes of data, padded (FIPS 180-4, 5.1.1). */
static void feed_tail(cm_sha256_state *s, scratch *t, const kernel *k, const shape *m,
                      const uint8_t *const *data, size_t off, size_t count)
{
    const uint8_t *at[CM_SHA256_LANES];
    const uint8_t *rows[CM_SHA256_LANES];
    size_t lead = m->prefix_n + m->n < 64 ? m->prefix_n : 0;
    size_t rest = lead + m->n - off;
    size_t blocks = rest < 56 ? 1 : 2;

    for (size_t l = 0; l < count; l++) {
        uint8_t *row = t->tail[l];

        if (lead > 0) {
            memcpy(row, m->prefix, lead);
        }
        if (m->n > off) {
            memcpy(row + lead, data[l] + off, m->n - off);
        }
        row[rest] = 0x80;
        memset(row + rest + 1, 0, 64 * blocks - 9 - rest);
        cm_put_be64(row + 64 * blocks - 8, ((uint64_t)m->prefix_n + m->n) * 8);
        rows[l] = row;
    }
    point_at(at, rows, 0, k->lanes, count);
    k->blocks(s, at, blocks);
}

static void start(cm_sha256_state *s, size_t lanes)
{
    for (size_t i = 0; i < 8; i++) {
        for (size_t l = 0; l < lanes; l++) {
            s->w[i][l] = initial[i];
        }
    }
}

static void hash_group(const kernel *k, uint8_t (*out)[32], const shape *m,
                       const uint8_t *const *data, size_t count)
{
    const uint8_t *at[CM_SHA256_LANES];
    cm_sha256_state s;
    scratch t;
    size_t off = 0;

    start(&s, k->lanes);
    if (m->prefix_n > 0 && m->prefix_n + m->n >= 64) {
        off = feed_head(&s, &t, k, m, data, count);
    }
    if (m->n - off >= 64) {
        point_at(at, data, off, k->lanes, count);
        k->blocks(&s, at, (m->n - off) / 64);
        off += (m->n - off) / 64 * 64;
    }
    feed_tail(&s, &t, k, m, data, off, count);
    cm_wipe(&t.head, sizeof t.head[0] * count);
    cm_wipe(&t.tail, sizeof t.tail[0] * count);
    for (size_t l = 0; l < count; l++) {
        for (size_t i = 0; i < 8; i++) {
            cm_put_be32(out[l] + 4 * i, s.w[i][l]);
        }
    }
}

static void hash_all(const plan *p, uint8_t (*out)[32], const shape *m, const uint8_t *const *data,
                     size_t count)
{
    while (count > 0) {
        const kernel *k = count >= p->wide_min ? &p->wide : count > 1 ? &p->narrow : &p->single;
        size_t group = CM_MIN(count, k->lanes);

        hash_group(k, out, m, data, group);
        out += group;
        data += group;
        count -= group;
    }
}

/* Kernels of one kind only. */
static plan plan_for(cm_cpu_kind kind)
{
    plan p = {.wide_min = 1};

    p.wide = p.narrow = p.single = (kernel){cm_sha256_blocks_portable, 1};
#if defined(__x86_64__)
    switch (kind) {
    case CM_CPU_SHANI:
        p.wide = (kernel){cm_sha256_blocks_shani_x4, 4};
        p.narrow = (kernel){cm_sha256_blocks_shani_x2, 2};
        p.single = (kernel){cm_sha256_blocks_shani_x1, 1};
        p.wide_min = 3;
        break;
    case CM_CPU_AVX2:
        p.wide = (kernel){cm_sha256_blocks_avx2_x8, 8};
        break;
    case CM_CPU_AVX512:
        p.wide = (kernel){cm_sha256_blocks_avx512_x16, 16};
        break;
    default:
        break;
    }
#else
    (void)kind;
#endif
    return p;
}

static plan best;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Fastest first; see README.md for the figures. */
static void choose(void)
{
    static const cm_cpu_kind order[] = {CM_CPU_SHANI, CM_CPU_AVX512, CM_CPU_AVX2, CM_CPU_PORTABLE};
    size_t i = 0;

    while (!cm_cpu_has(order[i])) {
        i++;
    }
    best = plan_for(order[i]);
    if (best.wide.lanes > 4) {
        best.wide_min = 2; /* a pass of eight lanes or more takes longer than one plain message */
    }
}

void cm_sha256_mb(uint8_t (*out)[32], const uint8_t *prefix, size_t prefix_n,
                  const uint8_t *const *data, size_t n, size_t count)
{
    const shape m = {prefix, prefix_n, n};

    (void)pthread_once(&once, choose);
    hash_all(&best, out, &m, data, count);
}

bool cm_sha256_mb_on(cm_cpu_kind kind, uint8_t (*out)[32], const uint8_t *prefix, size_t prefix_n,
                     const uint8_t *const *data, size_t n, size_t count)
{
    const shape m = {prefix, prefix_n, n};
    plan p;

    if (!cm_cpu_has(kind)) {
        return false;
    }
    p = plan_for(kind);
    hash_all(&p, out, &m, data, count);
    return true;
}
