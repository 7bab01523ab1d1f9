#include "traces.h"

#include <pthread.h>
#include <stdlib.h>

#include "codec/text.h"
#include "keys/ring_int.h"

enum { PIECE = 16, HEADS = 1 << 16, MOST = 1 << 16, DISTINCT = 5 };

struct t_traces {
    pthread_mutex_t lock;
    size_t n;
    int head[HEADS]; /* by the first two bytes; 0: none */
    struct {
        uint8_t b[PIECE];
        size_t n;
        int next;
    } piece[MOST];
};

t_traces *t_traces_new(void)
{
    t_traces *t = calloc(1, sizeof *t);

    if (!t || pthread_mutex_init(&t->lock, NULL) != 0)
        abort();
    t->n = 1; /* 0 ends a list */
    return t;
}

void t_traces_free(t_traces *t)
{
    (void)pthread_mutex_destroy(&t->lock);
    free(t);
}

size_t t_traces_count(t_traces *t)
{
    size_t n;

    (void)pthread_mutex_lock(&t->lock);
    n = t->n - 1;
    (void)pthread_mutex_unlock(&t->lock);
    return n;
}

static size_t head_of(const uint8_t *p)
{
    return (size_t)p[0] << 8 | p[1];
}

static bool too_plain(const uint8_t *p, size_t n)
{
    bool seen[256] = {false};
    size_t different = 0;

    for (size_t i = 0; i < n; i++) {
        different += !seen[p[i]];
        seen[p[i]] = true;
    }
    return different < DISTINCT;
}

static bool known(const t_traces *t, const uint8_t *p, size_t n)
{
    for (int i = t->head[head_of(p)]; i; i = t->piece[i].next)
        if (t->piece[i].n == n && memcmp(t->piece[i].b, p, n) == 0)
            return true;
    return false;
}

static void add_piece(t_traces *t, const uint8_t *p, size_t n)
{
    size_t h = head_of(p);

    if (too_plain(p, n) || known(t, p, n))
        return;
    if (t->n == MOST)
        abort();
    memcpy(t->piece[t->n].b, p, n);
    t->piece[t->n].n = n;
    t->piece[t->n].next = t->head[h];
    t->head[h] = (int)t->n++;
}

static void add(t_traces *t, cm_view v)
{
    if (v.n >= 8 && v.n < PIECE)
        add_piece(t, v.p, v.n);
    for (size_t i = 0; i + PIECE <= v.n; i += PIECE)
        add_piece(t, v.p + i, PIECE);
    if (v.n > PIECE)
        add_piece(t, v.p + v.n - PIECE, PIECE);
}

void t_traces_add(t_traces *t, cm_view v)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 1 << 20};
    CM_AUTO(cm_buf_free) cm_buf h = {.max = 1 << 20};

    if (v.n < 8)
        return;
    if (cm_failed(cm_base64_encode(&b, v, false)) || cm_failed(cm_hex_encode(&h, v)))
        abort();
    (void)pthread_mutex_lock(&t->lock);
    add(t, v);
    add(t, cm_view_of(b.p, b.n - 4)); /* the last characters depend on what follows */
    add(t, cm_buf_view(&h));
    (void)pthread_mutex_unlock(&t->lock);
}

bool t_traces_in(t_traces *t, cm_view v)
{
    bool found = false;

    (void)pthread_mutex_lock(&t->lock);
    for (size_t at = 0; at + 2 <= v.n && !found; at++)
        for (int i = t->head[head_of(v.p + at)]; i && !found; i = t->piece[i].next)
            found =
                t->piece[i].n <= v.n - at && memcmp(t->piece[i].b, v.p + at, t->piece[i].n) == 0;
    (void)pthread_mutex_unlock(&t->lock);
    return found;
}

/* ---- out of key operations ---- */

static void of_key(t_traces *t, cm_keyring *r, const cm_keyop *op, const cm_key_binding *b,
                   cm_view sealed)
{
    CM_AUTO(cm_held_drop_ptr) cm_held *kek = NULL;
    CM_AUTO(cm_held_drop_ptr) cm_held *h = NULL;
    CM_AUTO(cm_buf_free) cm_buf raw = {.max = CM_RAW_MAX};
    cm_keyop of = {.bind = *b};

    if (cm_failed(cm_ring_kek(r, &kek, &of, b->kek_version, op->kek)) ||
        cm_failed(cm_ring_key(r, &h, kek, b, sealed)) || cm_failed(cm_held_raw(&raw, h)))
        abort();
    t_traces_add(t, CM_VIEW(kek->secret->b));
    t_traces_add(t, cm_buf_view(&raw));
}

static void of_shares(t_traces *t, cm_keyring *r, const cm_keyop *op)
{
    cm_key_binding b = op->bind;
    cm_view paths = op->more, sealed = cm_buf_view(&op->out);

    for (size_t n = op->n & 0xff; n > 0; n--) {
        size_t path = cm_get_be16(paths.p), size = cm_get_be32(sealed.p);

        b.path = cm_view_sub(paths, 2, path);
        of_key(t, r, op, &b, cm_view_sub(sealed, 4, size));
        paths = cm_view_sub(paths, 2 + path, paths.n - 2 - path);
        sealed = cm_view_sub(sealed, 4 + size, sealed.n - 4 - size);
    }
}

static void of_kek(t_traces *t, cm_keyring *r, const cm_key_binding *b, cm_view sealed)
{
    CM_AUTO(cm_held_drop_ptr) cm_held *kek = NULL;
    cm_keyop of = {.bind = *b};

    if (cm_failed(cm_ring_kek(r, &kek, &of, b->kek_version, sealed)))
        abort();
    t_traces_add(t, CM_VIEW(kek->secret->b));
}

void t_traces_of_op(t_traces *t, cm_keyring *r, const cm_keyop *op)
{
    cm_key_binding b = op->bind;

    switch (op->code) {
    case CM_KEYOP_IMPORT:
        t_traces_add(t, op->data);
        of_key(t, r, op, &b, cm_buf_view(&op->out));
        break;
    case CM_KEYOP_CREATE:
        of_key(t, r, op, &b, cm_buf_view(&op->out));
        break;
    case CM_KEYOP_IMPORT_WRAPPED:
        b.path = op->more;
        b.version = op->n ? op->n : 1;
        b.type = op->type2;
        of_key(t, r, op, &b, cm_buf_view(&op->out));
        break;
    case CM_KEYOP_DEAL:
        of_shares(t, r, op);
        break;
    case CM_KEYOP_NEW_TENANT:
        of_kek(t, r, &b, cm_buf_view(&op->out));
        break;
    case CM_KEYOP_WRAP:
        t_traces_add(t, op->data);
        break;
    case CM_KEYOP_UNWRAP:
    case CM_KEYOP_DECAPSULATE:
    case CM_KEYOP_ROW_KEY:
        t_traces_add(t, cm_buf_view(&op->out));
        break;
    case CM_KEYOP_DATA_KEY:
    case CM_KEYOP_ENCAPSULATE:
        t_traces_add(t, cm_buf_view(&op->out2));
        break;
    default:
        break;
    }
}
