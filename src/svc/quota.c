/* Shares of buckets. Sixteen tables, each under its own lock, open addressing without removal: a
 * full one is emptied, which forgets shares but never grants anything. */
#include "svc/quota.h"

#include <pthread.h>

enum { SHARDS = 16, PROBES = 16, CHUNKS = 8 };

typedef struct {
    uint64_t id, window, left;
    bool empty;
} bucket;

typedef struct {
    pthread_mutex_t lock;
    bucket *v;
    size_t n; /* a power of two */
} shard;

struct cm_quota {
    uint64_t seed;
    shard s[SHARDS];
};

cm_err cm_quota_new(cm_quota **out, uint64_t seed, size_t buckets)
{
    cm_quota *q;
    size_t n = PROBES;

    CM_TRY(cm_alloc(&q, sizeof *q));
    q->seed = seed;
    while (n * SHARDS < buckets)
        n *= 2;
    for (size_t i = 0; i < SHARDS; i++) {
        cm_err e = cm_alloc_array(&q->s[i].v, n, sizeof(bucket));

        if (cm_failed(e)) {
            cm_quota_free(q);
            return e;
        }
        q->s[i].n = n;
        (void)pthread_mutex_init(&q->s[i].lock, NULL);
    }
    *out = q;
    return CM_OKAY;
}

void cm_quota_free(cm_quota *q)
{
    if (q == NULL)
        return;
    for (size_t i = 0; i < SHARDS; i++) {
        if (q->s[i].v)
            (void)pthread_mutex_destroy(&q->s[i].lock);
        cm_free(q->s[i].v);
    }
    cm_free(q);
}

void cm_quota_free_ptr(cm_quota **q)
{
    cm_quota_free(*q);
}

static uint64_t mix(const cm_quota *q, cm_view key)
{
    uint64_t h = 0xcbf29ce484222325u ^ q->seed;

    for (size_t i = 0; i < key.n; i++)
        h = (h ^ key.p[i]) * 0x100000001b3u;
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    h ^= h >> 32;
    return h ? h : 1;
}

/* The bucket of that id in this window, locked; a new one begins empty-handed. */
static bucket *find(cm_quota *q, shard **in, uint64_t id, uint64_t window)
{
    shard *s = &q->s[id % SHARDS];
    bucket *free_one = NULL;

    (void)pthread_mutex_lock(&s->lock);
    *in = s;
    for (size_t i = 0; i < PROBES; i++) {
        bucket *b = &s->v[(id / SHARDS + i) & (s->n - 1)];

        if (b->id == id) {
            if (b->window != window)
                *b = (bucket){id, window, 0, false};
            return b;
        }
        if (!free_one && (b->id == 0 || b->window < window))
            free_one = b;
    }
    if (!free_one)
        free_one = &s->v[(id / SHARDS) & (s->n - 1)];
    *free_one = (bucket){id, window, 0, false};
    return free_one;
}

static uint64_t window_ms(uint64_t rate)
{
    return rate >= CM_QUOTA_COST_MAX ? 1000 : (CM_QUOTA_COST_MAX + rate - 1) / rate * 1000;
}

cm_err cm_quota_take(cm_quota *q, cm_view key, uint64_t rate, unsigned cost, uint64_t now_ms,
                     cm_quota_take_of *t, cm_unit_bump *bump, uint32_t *retry_ms)
{
    uint64_t w, size, capacity, id = mix(q, key);
    cm_err e = CM_OKAY;
    shard *s;
    bucket *b;

    if (rate == 0 || cost == 0 || rate > UINT32_MAX)
        return CM_FAIL(BAD_ARGUMENT);
    size = window_ms(rate);
    capacity = rate * (size / 1000);
    if (cost > capacity)
        return CM_FAIL(SVC_BATCH);
    w = now_ms - now_ms % size + size;
    b = find(q, &s, id, w);
    if (b->left >= cost) {
        b->left -= cost;
        *t = (cm_quota_take_of){id, w, cost, 0};
    } else if (b->empty) { /* V-40 */
        *retry_ms = (uint32_t)CM_MIN(w - now_ms, (uint64_t)UINT32_MAX);
        e = CM_FAIL(SVC_RATE);
    } else {
        uint64_t chunk = CM_MAX((uint64_t)cost, capacity / CHUNKS);

        *t = (cm_quota_take_of){id, w, cost, chunk};
        *bump = (cm_unit_bump){.key = key, .by = chunk, .max = capacity, .until = w};
    }
    (void)pthread_mutex_unlock(&s->lock);
    return e;
}

void cm_quota_settle(cm_quota *q, const cm_quota_take_of *t, bool granted, bool empty,
                     bool give_back)
{
    shard *s;
    bucket *b = find(q, &s, t->bucket, t->window);

    if (t->chunk == 0)
        b->left += give_back ? t->taken : 0;
    else if (granted)
        b->left += t->chunk - (give_back ? 0 : t->taken);
    else if (empty)
        b->empty = true;
    (void)pthread_mutex_unlock(&s->lock);
}

cm_err cm_quota_local(cm_quota *q, cm_view key, uint64_t rate, uint64_t now_ms, uint32_t *retry_ms)
{
    uint64_t w = now_ms - now_ms % 1000 + 1000;
    cm_err e = CM_OKAY;
    shard *s;
    bucket *b = find(q, &s, mix(q, key) ^ 1, w);

    if (!b->empty) {
        b->empty = true; /* here: has begun */
        b->left = rate;
    }
    if (b->left == 0) {
        *retry_ms = (uint32_t)(w - now_ms);
        e = CM_FAIL(SVC_RATE);
    } else {
        b->left--;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return e;
}
