#include <stdlib.h>

#include "sealed/tensors_int.h"

enum { FIRST_CHUNK = 512, CHUNK = 1 << 16, NAMES_MAX = 1 << 16, NAMES_BYTES = 16 << 20 };

struct chunk {
    struct chunk *next;
    size_t used, size;
    uint8_t b[];
};

/* Sorted by hash and then by name. A chosen collision costs a longer comparison, not a longer
 * search: no key is needed against flooding. */
struct key {
    uint64_t hash;
    size_t i;
};

struct arena {
    struct chunk *chunks;
    struct key *keys;
    size_t keys_n;
};

static uint64_t hash_of(cm_view v)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < v.n; i++)
        h = (h ^ v.p[i]) * 0x100000001b3u;
    return h;
}

void cm_tensors_free(cm_tensors *t)
{
    struct arena *a = t ? t->arena : NULL;

    if (!t)
        return;
    while (a && a->chunks) {
        struct chunk *c = a->chunks;

        a->chunks = c->next;
        cm_free(c);
    }
    if (a)
        cm_free(a->keys);
    cm_free(a);
    cm_free(t->v);
    *t = (cm_tensors){0};
}

void cm_tensors_move(cm_tensors *to, cm_tensors *from)
{
    *to = *from;
    *from = (cm_tensors){0};
}

/* ---- building ------------------------------------------------------------------------------ */

static cm_err arena_of(struct arena **out, cm_tensors *t)
{
    if (!t->arena)
        CM_TRY(cm_alloc(&t->arena, sizeof(struct arena)));
    *out = t->arena;
    return CM_OKAY;
}

cm_err cm_tensors_keep(cm_tensors *t, cm_view *out, cm_view v)
{
    struct arena *a;
    struct chunk *c;

    CM_TRY(arena_of(&a, t));
    c = a->chunks;
    if (!c || c->size - c->used < v.n) {
        size_t size = CM_MAX(v.n, c ? CM_MIN(2 * c->size, (size_t)CHUNK) : (size_t)FIRST_CHUNK);

        CM_TRY(cm_alloc(&c, sizeof *c + size));
        c->size = size;
        c->next = a->chunks;
        a->chunks = c;
    }
    if (v.n)
        memcpy(c->b + c->used, v.p, v.n);
    *out = cm_view_of(c->b + c->used, v.n);
    c->used += v.n;
    return CM_OKAY;
}

cm_err cm_tensors_reserve(cm_tensors *t, size_t n)
{
    cm_tensor *v;

    if (n > CM_TENSORS_MAX)
        return CM_FAIL(FORMAT_LIMIT);
    if (n <= t->cap)
        return CM_OKAY;
    CM_TRY(cm_alloc_array(&v, n, sizeof *v));
    if (t->n)
        memcpy(v, t->v, t->n * sizeof *v);
    cm_free(t->v);
    t->v = v;
    t->cap = n;
    return CM_OKAY;
}

cm_err cm_tensors_add(cm_tensors *t, const cm_tensor *x)
{
    cm_tensor copy = *x;

    if (t->n == CM_TENSORS_MAX)
        return CM_FAIL(FORMAT_LIMIT);
    if (t->n == t->cap)
        CM_TRY(cm_tensors_reserve(t, CM_MIN(t->cap + t->cap / 2 + 64, (size_t)CM_TENSORS_MAX)));
    CM_TRY(cm_tensors_keep(t, &copy.name, x->name));
    t->v[t->n++] = copy;
    return CM_OKAY;
}

/* ---- finishing ----------------------------------------------------------------------------- */

static int by_offset(const void *a, const void *b)
{
    const cm_tensor *x = a, *y = b;

    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    if (x->size != y->size)
        return x->size < y->size ? -1 : 1;
    return cm_view_compare(x->name, y->name);
}

static int by_hash(const void *a, const void *b, void *arg)
{
    const struct key *x = a, *y = b;
    const cm_tensor *v = arg;

    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return cm_view_compare(v[x->i].name, v[y->i].name);
}

bool cm_tensors_in_order(const cm_tensors *t)
{
    for (size_t i = 1; i < t->n; i++)
        if (by_offset(&t->v[i - 1], &t->v[i]) > 0)
            return false;
    return true;
}

static cm_err make_keys(cm_tensors *t, struct arena *a)
{
    struct key *k;

    CM_TRY(cm_alloc_array(&k, t->n, sizeof *k));
    for (size_t i = 0; i < t->n; i++)
        k[i] = (struct key){.hash = hash_of(t->v[i].name), .i = i};
    qsort_r(k, t->n, sizeof *k, by_hash, t->v);
    cm_free(a->keys);
    a->keys = k;
    a->keys_n = t->n;
    return CM_OKAY;
}

static bool twins(const cm_tensors *t, const struct key *a, const struct key *b)
{
    return a->hash == b->hash && cm_view_eq(t->v[a->i].name, t->v[b->i].name);
}

cm_err cm_tensors_twins(cm_tensors *t, bool *twin)
{
    struct arena *a;

    CM_TRY(arena_of(&a, t));
    CM_TRY(make_keys(t, a));
    for (size_t i = 1; i < t->n; i++)
        if (twins(t, &a->keys[i - 1], &a->keys[i]))
            twin[a->keys[i - 1].i] = twin[a->keys[i].i] = true;
    return CM_OKAY;
}

static cm_err check_unique(const cm_tensors *t, const struct arena *a, uint64_t *at)
{
    for (size_t i = 1; i < t->n; i++) {
        if (twins(t, &a->keys[i - 1], &a->keys[i])) {
            *at = t->v[a->keys[i].i].offset;
            return CM_FAIL(FORMAT_DUPLICATE);
        }
    }
    return CM_OKAY;
}

cm_err cm_tensors_finish(cm_tensors *t, uint64_t *at)
{
    struct arena *a;

    CM_TRY(arena_of(&a, t));
    if (!cm_tensors_in_order(t))
        qsort(t->v, t->n, sizeof *t->v, by_offset);
    for (size_t i = 1; i < t->n; i++) {
        if (t->v[i].offset - t->v[i - 1].offset < t->v[i - 1].size) {
            *at = t->v[i].offset;
            return CM_FAIL(FORMAT_TENSOR);
        }
    }
    CM_TRY(make_keys(t, a));
    return check_unique(t, a, at);
}

const cm_tensor *cm_tensors_find(const cm_tensors *t, cm_view name)
{
    const struct arena *a = t->arena;
    uint64_t hash = hash_of(name);
    size_t lo = 0, hi = a ? a->keys_n : 0;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct key *k = &a->keys[mid];
        int d =
            k->hash != hash ? (hash < k->hash ? -1 : 1) : cm_view_compare(name, t->v[k->i].name);

        if (d == 0)
            return &t->v[k->i];
        if (d < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

/* ---- sets of names ------------------------------------------------------------------------- */

cm_err cm_names_add(cm_names *n, cm_view name)
{
    cm_tensor x = {.name = name};

    if (n->t.n == NAMES_MAX || name.n > NAMES_BYTES - n->bytes)
        return CM_FAIL(FORMAT_LIMIT);
    CM_TRY(cm_tensors_add(&n->t, &x));
    n->bytes += name.n;
    return CM_OKAY;
}

cm_err cm_names_finish(cm_names *n)
{
    uint64_t at;

    return cm_tensors_finish(&n->t, &at);
}

void cm_names_free(cm_names *n)
{
    cm_tensors_free(&n->t);
    *n = (cm_names){0};
}
