/*
 * A library to preload: a disk that is full, slow or fails its flushes, and a clock that jumps. A
 * file named by $BAD_WORLD says what is wrong at the moment; it is mapped before anything else
 * runs, so that a sandbox later on is no matter. Regular files alone are concerned.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct world {
    volatile int64_t full;     /* writes: ENOSPC */
    volatile int64_t slow_us;  /* each write and flush takes longer */
    volatile int64_t sync_bad; /* flushes: EIO */
    volatile int64_t clock_s;  /* added to the wall clock */
    volatile int64_t hits;     /* calls that were made to fail */
};

static struct world *world;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("BAD_WORLD");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *p;

    if (fd < 0)
        return;
    p = mmap(NULL, sizeof *world, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (p != MAP_FAILED)
        world = p;
}

static bool regular(int fd)
{
    struct stat st;
    int kept = errno;
    bool is = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);

    errno = kept;
    return is;
}

static void dawdle(void)
{
    struct timespec t = {.tv_sec = 0, .tv_nsec = (long)world->slow_us * 1000};

    (void)nanosleep(&t, NULL);
}

/* Whether the call fails, with errno set. */
static bool spoilt(int fd, bool flush)
{
    bool bad;

    if (!world || !(world->full | world->slow_us | world->sync_bad) || !regular(fd))
        return false;
    if (world->slow_us)
        dawdle();
    bad = flush ? world->sync_bad : world->full;
    if (bad) {
        (void)__atomic_add_fetch(&world->hits, 1, __ATOMIC_RELAXED);
        errno = flush ? EIO : ENOSPC;
    }
    return bad;
}

#define NEXT(name, type) ((type)(uintptr_t)dlsym(RTLD_NEXT, name))

#define WRITES(name, args, values, result)         \
    result name args;                              \
    result name args                               \
    {                                              \
        if (spoilt(fd, false))                     \
            return -1;                             \
        return NEXT(#name, result(*) args) values; \
    }
#define FLUSHES(name)                         \
    int name(int fd);                         \
    int name(int fd)                          \
    {                                         \
        if (spoilt(fd, true))                 \
            return -1;                        \
        return NEXT(#name, int (*)(int))(fd); \
    }

WRITES(write, (int fd, const void *p, size_t n), (fd, p, n), ssize_t)
WRITES(pwrite, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at), ssize_t)
WRITES(pwrite64, (int fd, const void *p, size_t n, off64_t at), (fd, p, n, at), ssize_t)
WRITES(fallocate, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n), int)
FLUSHES(fsync)
FLUSHES(fdatasync)

int clock_gettime(clockid_t id, struct timespec *t)
{
    int r = NEXT("clock_gettime", int (*)(clockid_t, struct timespec *))(id, t);

    if (r == 0 && world && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        t->tv_sec += world->clock_s;
    return r;
}

time_t time(time_t *to)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    if (to)
        *to = t.tv_sec;
    return t.tv_sec;
}
