/* Mutations that keep what surrounds them whole: one piece of an input at a time, and inside of
 * DER one value, whose lengths all the way up are set right. Only libFuzzer calls this. */
#include <string.h>

#include "evidence.h"

enum { DEPTH = 20, MORE = 96, WINDOW = 48, TRIES = 64 };

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_n, const uint8_t *b, size_t b_n,
                                 uint8_t *out, size_t max, unsigned seed);

static uint64_t state;

static size_t below(size_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return n ? (size_t)(state % n) : 0;
}

/* ---- DER ------------------------------------------------------------------------------------ */

typedef struct {
    uint8_t b[FUZZ_MAX];
    size_t n;
} bytes;

typedef struct {
    size_t at, head, n; /* where its tag is, bytes of tag and length, bytes of content */
} value;

static bool value_at(value *v, const bytes *s, size_t at, size_t end)
{
    size_t n, more;

    if (end - at < 2)
        return false;
    n = s->b[at + 1];
    more = n & 0x80 ? n & 0x7f : 0;
    if (more > 3 || (n & 0x80 && more == 0) || end - at < 2 + more)
        return false;
    if (more)
        n = 0;
    for (size_t i = 0; i < more; i++)
        n = n << 8 | s->b[at + 2 + i];
    *v = (value){at, 2 + more, n};
    return n <= end - at - v->head;
}

static bool splice(bytes *s, size_t at, size_t old, const uint8_t *with, size_t n)
{
    if (s->n - old + n > sizeof s->b)
        return false;
    memmove(s->b + at + n, s->b + at + old, s->n - at - old);
    if (n)
        memmove(s->b + at, with, n);
    s->n = s->n - old + n;
    return true;
}

static size_t put_head(uint8_t head[5], uint8_t tag, size_t n)
{
    size_t more = n < 0x80 ? 0 : n < 0x100 ? 1 : n < 0x10000 ? 2 : 3;

    head[0] = tag;
    head[1] = (uint8_t)(more ? 0x80 | more : n);
    for (size_t i = 0; i < more; i++)
        head[2 + i] = (uint8_t)(n >> 8 * (more - 1 - i));
    return 2 + more;
}

/* The value among those that follow each other in from..end. */
static bool pick(value *out, const bytes *s, size_t from, size_t end)
{
    value v;
    size_t n = 0;

    for (size_t at = from; at < end && n < TRIES && value_at(&v, s, at, end); at += v.head + v.n)
        if (below(++n) == 0)
            *out = v;
    return n > 0;
}

/* From the top down to some value; how many there are in path. */
static size_t descend(value path[DEPTH], const bytes *s)
{
    size_t n = 0, from = 0, end = s->n;

    while (n < DEPTH && pick(&path[n], s, from, end)) {
        const value *v = &path[n++];
        uint8_t tag = s->b[v->at];
        size_t inside = v->at + v->head;

        end = inside + v->n;
        from = inside + (tag == 0x03 && v->n ? 1 : 0);
        if (!(tag & 0x20) && tag != 0x04 && tag != 0x03)
            break;
        if (n > 1 && below(12) == 0)
            break;
    }
    return n;
}

/* The lengths of all that surrounds the last of path, whose content has grown by more. */
static bool set_lengths(bytes *s, const value *path, size_t n, size_t more)
{
    for (size_t i = n; i-- > 0;) {
        uint8_t head[5];
        size_t size = put_head(head, s->b[path[i].at], path[i].n + more);

        if (!splice(s, path[i].at, path[i].head, head, size))
            return false;
        more += size - path[i].head;
    }
    return true;
}

static bool mutate_content(bytes *s, const value *path, size_t n)
{
    static uint8_t content[FUZZ_MAX];
    const value *v = &path[n - 1];
    size_t size;

    if (v->n + MORE > sizeof content)
        return false;
    memcpy(content, s->b + v->at + v->head, v->n);
    size = LLVMFuzzerMutate(content, v->n, v->n + below(MORE));
    return splice(s, v->at + v->head, v->n, content, size) && set_lengths(s, path, n, size - v->n);
}

/* A value again, away, or in place of one of another kind. */
static bool move_value(bytes *s, const value *path, size_t n)
{
    static uint8_t copy[FUZZ_MAX];
    const value *v = &path[n - 1];
    size_t whole = v->head + v->n;

    if (below(3) == 0) {
        s->b[v->at] = (uint8_t)(below(2) ? below(32) : s->b[v->at] ^ 1u << below(8));
        return true;
    }
    if (below(2))
        return splice(s, v->at, whole, NULL, 0) && set_lengths(s, path, n - 1, 0 - whole);
    memcpy(copy, s->b + v->at, whole);
    return splice(s, v->at, 0, copy, whole) && set_lengths(s, path, n - 1, whole);
}

static bool mutate_der(bytes *s)
{
    value path[DEPTH];
    size_t n = descend(path, s);

    if (n == 0)
        return false;
    return n > 1 && below(5) == 0 ? move_value(s, path, n) : mutate_content(s, path, n);
}

/* ---- pieces --------------------------------------------------------------------------------- */

/* A few bytes, in place: lengths around them stay right. */
static void mutate_window(bytes *s)
{
    uint8_t w[WINDOW];
    size_t size = 1 + below(CM_MIN(s->n, (size_t)WINDOW)), at = below(s->n - size + 1), n;

    memcpy(w, s->b + at, size);
    n = LLVMFuzzerMutate(w, size, size);
    memcpy(s->b + at, w, CM_MIN(n, size));
}

static void mutate_bytes(bytes *s)
{
    if (s->n > 2 && s->b[0] == 0x30 && below(8) && mutate_der(s))
        return;
    if (s->n && below(3))
        mutate_window(s);
    else
        s->n = LLVMFuzzerMutate(s->b, s->n, CM_MIN(s->n + MORE, sizeof s->b));
}

static bool in_focus(uint8_t tag)
{
    const char *focus = fuzz_chosen()->focus;

    return !*focus || strchr(focus, tag);
}

/* One of those that may change; FUZZ_PIECES: there is none. */
static size_t any_piece(const fuzz_pieces *p)
{
    size_t at = FUZZ_PIECES, n = 0;

    for (size_t i = 0; i < p->n; i++)
        if (in_focus(p->v[i].tag) && below(++n) == 0)
            at = i;
    return at;
}

/* Twice, away, or in another's place. */
static void shuffle(fuzz_pieces *p, size_t at)
{
    size_t other = any_piece(p);

    switch (below(3)) {
    case 0:
        fuzz_piece_add(p, p->v[at].tag, p->v[at].v);
        break;
    case 1:
        memmove(&p->v[at], &p->v[at + 1], (p->n - at - 1) * sizeof p->v[0]);
        p->n--;
        break;
    default:
        p->v[at].v = p->v[other].v;
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    static uint8_t copy[FUZZ_MAX];
    static bytes s;
    fuzz_pieces p;
    size_t at;

    state = seed * 0x9e3779b97f4a7c15ull + 1;
    if (size > sizeof copy)
        return LLVMFuzzerMutate(data, size, max);
    memcpy(copy, data, size);
    fuzz_pieces_read(&p, cm_view_of(copy, size));
    at = any_piece(&p);
    if (at == FUZZ_PIECES) {
        fuzz_piece_add(&p, fuzz_chosen()->focus[0] ? (uint8_t)fuzz_chosen()->focus[0] : 'e',
                       CM_LIT("?"));
        at = p.n - 1;
    }
    if (below(24) == 0) {
        shuffle(&p, at);
        return fuzz_pieces_write(data, max, &p);
    }
    s.n = p.v[at].v.n;
    if (s.n)
        memcpy(s.b, p.v[at].v.p, s.n);
    mutate_bytes(&s);
    p.v[at].v = cm_view_of(s.b, s.n);
    return fuzz_pieces_write(data, max, &p);
}

/* Pieces of the one in the place of the other's. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_n, const uint8_t *b, size_t b_n,
                                 uint8_t *out, size_t max, unsigned seed)
{
    fuzz_pieces p, q;
    size_t from, to;

    state = seed * 0x9e3779b97f4a7c15ull + 1;
    fuzz_pieces_read(&p, cm_view_of(a, a_n));
    fuzz_pieces_read(&q, cm_view_of(b, b_n));
    from = any_piece(&q);
    if (from == FUZZ_PIECES)
        return fuzz_pieces_write(out, max, &p);
    for (to = 0; to < p.n && p.v[to].tag != q.v[from].tag; to++)
        continue;
    if (to < p.n)
        p.v[to].v = q.v[from].v;
    else
        fuzz_piece_add(&p, q.v[from].tag, q.v[from].v);
    return fuzz_pieces_write(out, max, &p);
}
