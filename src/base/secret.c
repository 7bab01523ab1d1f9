#include "base/secret.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CELL = 64, CHUNK = 1 << 20, CELLS = CHUNK / CELL, PAGE = 4096, MAX_CHUNKS = 64 };

struct chunk {
    uint8_t *p;
    uint8_t used[CELLS]; /* one byte a cell: simple, and read only under the lock */
};

static struct {
    pthread_mutex_t lock;
    struct chunk *chunks[MAX_CHUNKS];
    size_t n;
    cm_arena_kind kind;
    pid_t owner;
} arena = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *map_secretmem(uint8_t *at)
{
#ifdef SYS_memfd_secret
    int fd = (int)syscall(SYS_memfd_secret, 0);
    void *p = MAP_FAILED;

    if (fd < 0)
        return MAP_FAILED;
    if (ftruncate(fd, CHUNK) == 0)
        p = mmap(at, CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
    close(fd);
    return p;
#else
    (void)at;
    return MAP_FAILED;
#endif
}

static void *map_locked(uint8_t *at)
{
    void *p =
        mmap(at, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    if (p == MAP_FAILED)
        return MAP_FAILED;
    return mlock(p, CHUNK) == 0 ? p : MAP_FAILED;
}

/* The reservation is PROT_NONE throughout, so the page before and after the cells is a guard. */
static cm_err map_chunk(uint8_t **out, cm_arena_kind *kind)
{
    size_t n = CHUNK + 2 * PAGE;
    uint8_t *r = mmap(NULL, n, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (r == MAP_FAILED)
        return CM_FAIL(NO_LOCKED_MEMORY);
    *kind = CM_ARENA_MEMFD_SECRET;
    if (map_secretmem(r + PAGE) == MAP_FAILED) {
        *kind = CM_ARENA_MLOCK;
        if (map_locked(r + PAGE) == MAP_FAILED) {
            munmap(r, n);
            return CM_FAIL(NO_LOCKED_MEMORY);
        }
        (void)madvise(r + PAGE, CHUNK, MADV_WIPEONFORK);
    } else {
        /* A shared mapping can't be wiped on fork; a child must not see it at all. */
        (void)madvise(r + PAGE, CHUNK, MADV_DONTFORK);
    }
    (void)madvise(r + PAGE, CHUNK, MADV_DONTDUMP);
    *out = r + PAGE;
    return CM_OKAY;
}

static cm_err grow(void)
{
    struct chunk *c;
    cm_arena_kind kind;
    cm_err e;

    if (arena.n == MAX_CHUNKS)
        return CM_FAIL(NO_LOCKED_MEMORY);
    CM_TRY(cm_alloc(&c, sizeof *c));
    e = map_chunk(&c->p, &kind);
    if (cm_failed(e)) {
        cm_free(c);
        return e;
    }
    arena.chunks[arena.n++] = c;
    arena.kind = arena.n == 1 ? kind : CM_MIN(arena.kind, kind);
    return CM_OKAY;
}

static void *take_cells(struct chunk *c, size_t want)
{
    size_t run = 0;

    for (size_t i = 0; i < CELLS; i++) {
        run = c->used[i] ? 0 : run + 1;
        if (run == want) {
            memset(c->used + i + 1 - want, 1, want);
            return c->p + (i + 1 - want) * CELL;
        }
    }
    return NULL;
}

/* A child of fork() does not have its parent's pages, and begins anew: what it holds on to of its
 * parent's secrets it can neither read nor free. */
static void own(void)
{
    pid_t me = getpid();

    if (arena.owner != me)
        arena.n = 0;
    arena.owner = me;
}

static cm_err take(void **out, size_t want)
{
    own();
    for (;;) {
        for (size_t i = 0; i < arena.n; i++) {
            *out = take_cells(arena.chunks[i], want);
            if (*out)
                return CM_OKAY;
        }
        CM_TRY(grow());
    }
}

cm_err cm_secret_new(void *out, size_t n)
{
    size_t want = (n + CELL - 1) / CELL;
    void *p = NULL;
    cm_err e;

    if (n == 0 || n > CM_SECRET_MAX)
        return CM_FAIL(TOO_BIG);
    pthread_mutex_lock(&arena.lock);
    e = take(&p, want);
    pthread_mutex_unlock(&arena.lock);
    CM_TRY(e);
    memcpy(out, &p, sizeof p);
    return CM_OKAY;
}

void cm_secret_free(void *p, size_t n)
{
    size_t cells = (n + CELL - 1) / CELL;

    if (!p)
        return;
    cm_wipe(p, cells * CELL); /* so that cells are zero whenever they are handed out */
    pthread_mutex_lock(&arena.lock);
    for (size_t i = 0; i < arena.n; i++) {
        struct chunk *c = arena.chunks[i];

        if ((uint8_t *)p >= c->p && (uint8_t *)p < c->p + CHUNK)
            memset(c->used + (size_t)((uint8_t *)p - c->p) / CELL, 0, cells);
    }
    pthread_mutex_unlock(&arena.lock);
}

cm_arena_kind cm_secret_kind(void)
{
    cm_arena_kind k;

    pthread_mutex_lock(&arena.lock);
    k = arena.kind;
    pthread_mutex_unlock(&arena.lock);
    return k;
}
