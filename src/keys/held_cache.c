/* Least recently used first, in shards of a lock each. */
#include <pthread.h>

#include "keys/held_int.h"

enum { SHARDS = 16, SHARD_MIN = 32, TAG_AT = 9 };

typedef struct entry {
    struct entry *chain;           /* of its bucket */
    struct entry *older, *younger; /* of its shard */
    uint64_t tag;
    cm_held *parent, *held;
    uint64_t version, kek_version;
    cm_key_type type;
    size_t tenant_n, path_n, sealed_n;
    uint8_t bytes[]; /* tenant, path, sealed */
} entry;

typedef struct {
    pthread_mutex_t lock; /* guards the rest */
    entry *oldest, *youngest;
    size_t n;
    entry **bucket;
} shard;

struct cm_held_cache {
    size_t shards, room; /* powers of two: of them, and of each one's entries and buckets */
    shard shard[SHARDS];
};

cm_err cm_held_cache_new(cm_held_cache **out, unsigned entries)
{
    cm_held_cache *c;

    CM_TRY(cm_alloc(&c, sizeof *c));
    c->shards = entries >= SHARDS * SHARD_MIN ? SHARDS : 1;
    c->room = 1;
    while (2 * c->room * c->shards <= entries)
        c->room *= 2;
    for (size_t i = 0; i < c->shards; i++)
        pthread_mutex_init(&c->shard[i].lock, NULL);
    for (size_t i = 0; i < c->shards; i++) {
        cm_err e = cm_alloc_array(&c->shard[i].bucket, c->room, sizeof(entry *));

        if (cm_failed(e)) {
            cm_held_cache_free(c);
            return e;
        }
    }
    *out = c;
    return CM_OKAY;
}

static void free_entry(entry *e)
{
    if (!e)
        return;
    cm_held_drop(e->held);
    cm_held_drop(e->parent);
    cm_free(e);
}

void cm_held_cache_free(cm_held_cache *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->shards; i++) {
        for (entry *e = c->shard[i].oldest, *next; e; e = next) {
            next = e->younger;
            free_entry(e);
        }
        cm_free(c->shard[i].bucket);
        pthread_mutex_destroy(&c->shard[i].lock);
    }
    cm_free(c);
}

/* The bytes there are random in whatever opens: a box's nonce, an encapsulation. What does not open
 * never gets in, so nobody can fill one bucket. */
static uint64_t tag_of(const cm_held_name *n)
{
    uint64_t tag = n->sealed.n >= TAG_AT + 8 ? cm_get_le64(n->sealed.p + TAG_AT) : 0;

    return tag * 0x9e3779b97f4a7c15u;
}

static shard *shard_of(cm_held_cache *c, uint64_t tag)
{
    return &c->shard[(tag >> 60) & (c->shards - 1)];
}

static entry **bucket_of(const cm_held_cache *c, shard *s, uint64_t tag)
{
    return &s->bucket[(tag >> 20) & (c->room - 1)];
}

static bool is_named(const entry *e, uint64_t tag, const cm_held_name *n)
{
    const cm_key_binding *b = n->bind;
    const uint8_t *path = e->bytes + e->tenant_n, *sealed = path + e->path_n;

    return e->tag == tag && e->parent == n->parent && e->version == b->version &&
           e->kek_version == b->kek_version && e->type == b->type &&
           cm_view_eq(cm_view_of(e->bytes, e->tenant_n), b->tenant) &&
           cm_view_eq(cm_view_of(path, e->path_n), b->path) &&
           cm_view_eq(cm_view_of(sealed, e->sealed_n), n->sealed);
}

static void unlink_age(shard *s, entry *e)
{
    *(e->older ? &e->older->younger : &s->oldest) = e->younger;
    *(e->younger ? &e->younger->older : &s->youngest) = e->older;
}

static void make_youngest(shard *s, entry *e)
{
    e->older = s->youngest;
    e->younger = NULL;
    *(s->youngest ? &s->youngest->younger : &s->oldest) = e;
    s->youngest = e;
}

static entry *find(cm_held_cache *c, shard *s, uint64_t tag, const cm_held_name *n)
{
    for (entry *e = *bucket_of(c, s, tag); e; e = e->chain)
        if (is_named(e, tag, n))
            return e;
    return NULL;
}

cm_held *cm_held_cache_get(cm_held_cache *c, const cm_held_name *n)
{
    uint64_t tag = tag_of(n);
    shard *s = shard_of(c, tag);
    cm_held *h = NULL;
    entry *e;

    pthread_mutex_lock(&s->lock);
    e = find(c, s, tag, n);
    if (e) {
        if (e != s->youngest) {
            unlink_age(s, e);
            make_youngest(s, e);
        }
        h = cm_held_ref(e->held);
    }
    pthread_mutex_unlock(&s->lock);
    return h;
}

static void put_bytes(uint8_t **at, cm_view v)
{
    if (v.n)
        memcpy(*at, v.p, v.n);
    *at += v.n;
}

static entry *new_entry(uint64_t tag, const cm_held_name *n, cm_held *h)
{
    const cm_key_binding *b = n->bind;
    uint8_t *at;
    entry *e;

    if (cm_failed(cm_alloc(&e, sizeof *e + b->tenant.n + b->path.n + n->sealed.n)))
        return NULL;
    e->tag = tag;
    e->parent = n->parent ? cm_held_ref(n->parent) : NULL;
    e->held = cm_held_ref(h);
    e->version = b->version;
    e->kek_version = b->kek_version;
    e->type = b->type;
    e->tenant_n = b->tenant.n;
    e->path_n = b->path.n;
    e->sealed_n = n->sealed.n;
    at = e->bytes;
    put_bytes(&at, b->tenant);
    put_bytes(&at, b->path);
    put_bytes(&at, n->sealed);
    return e;
}

static void unlink_chain(const cm_held_cache *c, shard *s, entry *e)
{
    entry **at = bucket_of(c, s, e->tag);

    while (*at != e)
        at = &(*at)->chain;
    *at = e->chain;
}

static entry *take_oldest(const cm_held_cache *c, shard *s)
{
    entry *e = s->oldest;

    unlink_chain(c, s, e);
    unlink_age(s, e);
    s->n--;
    return e;
}

void cm_held_cache_put(cm_held_cache *c, const cm_held_name *n, cm_held *h)
{
    uint64_t tag = tag_of(n);
    shard *s = shard_of(c, tag);
    entry *e = new_entry(tag, n, h), *gone = NULL, **bucket;

    if (!e)
        return;
    pthread_mutex_lock(&s->lock);
    if (find(c, s, tag, n)) {
        gone = e; /* another thread was faster */
    } else {
        if (s->n == c->room)
            gone = take_oldest(c, s);
        bucket = bucket_of(c, s, tag);
        e->chain = *bucket;
        *bucket = e;
        make_youngest(s, e);
        s->n++;
    }
    pthread_mutex_unlock(&s->lock);
    free_entry(gone); /* outside the lock: it wipes */
}

static bool is_over(const cm_held *h, uint64_t now_ms)
{
    return h && h->until_ms && h->until_ms <= now_ms;
}

/* Those of a shard that are over, as a list by their chains. */
static entry *take_over(const cm_held_cache *c, shard *s, uint64_t now_ms)
{
    entry *gone = NULL, *next;

    pthread_mutex_lock(&s->lock);
    for (entry *e = s->oldest; e; e = next) {
        next = e->younger;
        if (!is_over(e->held, now_ms) && !is_over(e->parent, now_ms))
            continue;
        unlink_chain(c, s, e);
        unlink_age(s, e);
        s->n--;
        e->chain = gone;
        gone = e;
    }
    pthread_mutex_unlock(&s->lock);
    return gone;
}

void cm_held_cache_expire(cm_held_cache *c, uint64_t now_ms)
{
    for (size_t i = 0; i < c->shards; i++)
        for (entry *e = take_over(c, &c->shard[i], now_ms), *next; e; e = next) {
            next = e->chain;
            free_entry(e);
        }
}

size_t cm_held_cache_count(cm_held_cache *c)
{
    size_t n = 0;

    for (size_t i = 0; i < c->shards; i++) {
        pthread_mutex_lock(&c->shard[i].lock);
        n += c->shard[i].n;
        pthread_mutex_unlock(&c->shard[i].lock);
    }
    return n;
}
