#include "wire/msg.h"

enum { FIRST = 4096, MOST = 1 << 20, KEPT = 32 << 10, ALIGN = 16 };

/* Bytes follow. What is not handed out is zero. */
struct block {
    struct block *older;
    size_t cap, used;
};

/* What was made elsewhere, in order to be freed with the rest. */
struct adopted {
    struct adopted *next;
    cm_buf b;
};

struct cm_arena {
    struct block *top;
    struct adopted *adopted;
    size_t max, total;
};

static uint8_t *bytes_of(struct block *b)
{
    _Static_assert(sizeof(struct block) <= 2 * ALIGN, "bytes begin aligned");
    return (uint8_t *)b + (size_t)2 * ALIGN;
}

cm_err cm_arena_new(cm_arena **out, size_t max)
{
    cm_arena *a;

    CM_TRY(cm_alloc(&a, sizeof *a));
    a->max = max;
    *out = a;
    return CM_OKAY;
}

static cm_err add_block(cm_arena *a, size_t n)
{
    size_t left = a->max - a->total, cap;
    struct block *b;

    if (n > left)
        return CM_FAIL(MSG_LIMIT);
    cap = a->top ? CM_MIN(2 * a->top->cap, (size_t)MOST) : (size_t)FIRST;
    cap = CM_MIN(CM_MAX(cap, n), left);
    CM_TRY(cm_alloc(&b, cap + (size_t)2 * ALIGN));
    b->cap = cap;
    b->older = a->top;
    a->top = b;
    a->total += cap;
    return CM_OKAY;
}

cm_err cm_arena_get(cm_arena *a, void *out, size_t n)
{
    size_t round;
    void *p;

    if (!cm_add_size(&round, n, ALIGN - 1))
        return CM_FAIL(MSG_LIMIT);
    round &= ~(size_t)(ALIGN - 1);
    if (!a->top || round > a->top->cap - a->top->used)
        CM_TRY(add_block(a, round));
    p = bytes_of(a->top) + a->top->used;
    a->top->used += round;
    memcpy(out, &p, sizeof p);
    return CM_OKAY;
}

cm_err cm_arena_copy(cm_arena *a, cm_view *out, cm_view v)
{
    uint8_t *p;

    CM_TRY(cm_arena_get(a, &p, v.n));
    if (v.n)
        memcpy(p, v.p, v.n);
    *out = cm_view_of(p, v.n);
    return CM_OKAY;
}

cm_err cm_arena_adopt(cm_arena *a, cm_view *out, cm_buf *b)
{
    struct adopted *x;

    if (b->cap > a->max - a->total)
        return CM_FAIL(MSG_LIMIT);
    CM_TRY(cm_arena_get(a, &x, sizeof *x));
    *x = (struct adopted){.next = a->adopted, .b = cm_buf_take(b)};
    a->adopted = x;
    a->total += CM_MIN(x->b.cap, a->max - a->total);
    *out = cm_buf_view(&x->b);
    return CM_OKAY;
}

static void wipe(struct block *b)
{
    cm_wipe(bytes_of(b), b->used);
    b->used = 0;
}

/* The largest of those worth keeping: who comes next needs about as much, and gets it in one. */
static struct block *to_keep(struct block *b)
{
    struct block *best = NULL;

    for (; b; b = b->older)
        if (b->cap <= KEPT && (!best || b->cap > best->cap))
            best = b;
    return best;
}

void cm_arena_reset(cm_arena *a)
{
    struct block *keep = to_keep(a->top), *older;

    for (struct adopted *x = a->adopted; x; x = x->next)
        cm_buf_free(&x->b);
    a->adopted = NULL;
    for (struct block *b = a->top; b; b = older) {
        older = b->older;
        wipe(b);
        if (b != keep)
            cm_free(b);
    }
    if (keep)
        keep->older = NULL;
    a->top = keep;
    a->total = keep ? keep->cap : 0;
}

void cm_arena_free(cm_arena *a)
{
    if (!a)
        return;
    cm_arena_reset(a);
    cm_free(a->top);
    cm_free(a);
}

void cm_arena_free_ptr(cm_arena **a)
{
    cm_arena_free(*a);
}
