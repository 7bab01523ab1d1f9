/* Memory of nghttp2. As everywhere else it can be made to fail, and it is wiped. What a session
 * holds is in a list: after a failure nghttp2 1.52 frees some of it twice (an item of a stream
 * whose queue could not grow), so a session that ran out of memory is never spoken to again, and is
 * taken down by that list instead. */
#include "base/os.h"
#include "wire/h2_int.h"

/* A session begins with room for a frame of 16 KiB and seldom fills more than its beginning: from
 * the system, pages that nobody touches cost nothing. */
enum { LARGE = 8192 };

struct cm_h2_chunk {
    struct cm_h2_chunk *next, *prev;
    size_t n;
    bool pages; /* by cm_os_pages() */
} __attribute__((aligned(16)));

static cm_err take_memory(struct cm_h2_chunk **out, size_t whole)
{
    struct cm_h2_chunk *k;

    /* The system counts mappings: the heap has what it refuses. */
    if (whole >= LARGE && cm_ok(cm_os_pages(&k, whole))) {
        k->pages = true;
        *out = k;
        return CM_OKAY;
    }
    return cm_alloc(out, whole);
}

static void *get(size_t n, void *user)
{
    struct cm_h2 *h = user;
    struct cm_h2_chunk *k;
    size_t whole;

    if (h->failed || !cm_add_size(&whole, n, sizeof *k) || cm_failed(take_memory(&k, whole))) {
        h->failed = true;
        return NULL;
    }
    k->n = n;
    k->next = h->chunks;
    if (k->next)
        k->next->prev = k;
    h->chunks = k;
    return k + 1;
}

static struct cm_h2_chunk *chunk_of(void *p)
{
    return (struct cm_h2_chunk *)p - 1;
}

static void give_back(void *p, void *user)
{
    struct cm_h2 *h = user;
    struct cm_h2_chunk *k;

    if (!p)
        return;
    k = chunk_of(p);
    if (k->next)
        k->next->prev = k->prev;
    if (k->prev)
        k->prev->next = k->next;
    else
        h->chunks = k->next;
    if (k->pages) {
        cm_os_pages_free(k, sizeof *k + k->n);
        return;
    }
    cm_wipe(k, sizeof *k + k->n);
    cm_free(k);
}

static void *get_array(size_t count, size_t size, void *user)
{
    size_t n;

    return cm_mul_size(&n, count, size) ? get(n, user) : NULL;
}

static void *get_again(void *p, size_t n, void *user)
{
    void *fresh = get(n, user);

    if (!fresh || !p)
        return fresh;
    memcpy(fresh, p, CM_MIN(n, chunk_of(p)->n));
    give_back(p, user);
    return fresh;
}

nghttp2_mem cm_h2_memory(struct cm_h2 *h)
{
    return (nghttp2_mem){h, get, give_back, get_array, get_again};
}

void cm_h2_free_session(struct cm_h2 *h)
{
    if (!h->failed)
        nghttp2_session_del(h->session);
    while (h->chunks)
        give_back(h->chunks + 1, h);
    h->session = NULL;
}
