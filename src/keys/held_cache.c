/* A set-associative cache: a set is found by the id's first bytes, its lines are aged by use. */
#include <pthread.h>

#include "keys/held_int.h"

enum { WAYS = 8, LOCKS = 64 };

typedef struct {
    uint8_t id[32];
    cm_held *h;
    uint64_t used;
} line;

struct cm_held_cache {
    pthread_mutex_t lock[LOCKS]; /* of the sets whose number ends in theirs */
    uint64_t clock[LOCKS];
    size_t sets; /* a power of two, at least LOCKS */
    line lines[];
};

cm_err cm_held_cache_new(cm_held_cache **out, unsigned entries)
{
    cm_held_cache *c;
    size_t sets = LOCKS;

    while (sets * WAYS < entries)
        sets *= 2;
    CM_TRY(cm_alloc(&c, sizeof *c + sets * WAYS * sizeof c->lines[0]));
    memset(c, 0, sizeof *c + sets * WAYS * sizeof c->lines[0]);
    c->sets = sets;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&c->lock[i], NULL);
    *out = c;
    return CM_OKAY;
}

void cm_held_cache_free(cm_held_cache *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->sets * WAYS; i++)
        cm_held_drop(c->lines[i].h);
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&c->lock[i]);
    cm_free(c);
}

static line *set_of(cm_held_cache *c, const uint8_t id[32], size_t *lock)
{
    size_t set = (size_t)cm_get_le64(id) & (c->sets - 1);

    *lock = set % LOCKS;
    return &c->lines[set * WAYS];
}

cm_held *cm_held_cache_get(cm_held_cache *c, const uint8_t id[32])
{
    size_t lock;
    line *l = set_of(c, id, &lock);
    cm_held *h = NULL;

    pthread_mutex_lock(&c->lock[lock]);
    for (size_t i = 0; i < WAYS; i++)
        if (l[i].h && cm_view_eq(CM_VIEW(l[i].id), cm_view_of(id, 32))) {
            l[i].used = ++c->clock[lock];
            h = cm_held_ref(l[i].h);
            break;
        }
    pthread_mutex_unlock(&c->lock[lock]);
    return h;
}

void cm_held_cache_put(cm_held_cache *c, const uint8_t id[32], cm_held *h)
{
    size_t lock, oldest = 0;
    line *l = set_of(c, id, &lock);
    cm_held *out;

    pthread_mutex_lock(&c->lock[lock]);
    for (size_t i = 0; i < WAYS; i++) {
        if (l[i].h && cm_view_eq(CM_VIEW(l[i].id), cm_view_of(id, 32))) {
            oldest = i;
            break;
        }
        if (!l[i].h || (l[oldest].h && l[i].used < l[oldest].used))
            oldest = i;
    }
    out = l[oldest].h;
    memcpy(l[oldest].id, id, 32);
    l[oldest].h = cm_held_ref(h);
    l[oldest].used = ++c->clock[lock];
    pthread_mutex_unlock(&c->lock[lock]);
    cm_held_drop(out);
}
