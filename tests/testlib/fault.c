#include "fault.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>

enum { ROUNDS_MAX = 100000 };

/* Read by whichever thread makes the call; written between rounds, when no other runs. */
static struct {
    enum fault_kind kind;
    int err;
    long round;
    atomic_long calls;
    atomic_bool on, hit;
} fault;

void fault_begin(enum fault_kind kind, int err)
{
    fault.kind = kind;
    fault.err = err;
    fault.round = 0;
    fault.hit = true;
}

bool fault_next(void)
{
    fault.on = false;
    if (!fault.hit)
        return false;
    if (++fault.round > ROUNDS_MAX)
        abort();
    fault.calls = 0;
    fault.hit = false;
    fault.on = true;
    return true;
}

bool fault_hit(void)
{
    return fault.hit;
}

void fault_pause(void)
{
    fault.on = false;
}

void fault_resume(void)
{
    fault.on = true;
}

static bool strikes(enum fault_kind kind)
{
    if (!fault.on || fault.kind != kind || ++fault.calls != fault.round)
        return false;
    fault.hit = true;
    if (fault.err != FAULT_SHORT)
        errno = fault.err;
    return true;
}

/* The linker gives these names: __real_x is the x that everyone else would have called. */
void *__real_calloc(size_t n, size_t size);
void *__real_aligned_alloc(size_t align, size_t n);
void *__real_malloc(size_t n);
void *__real_realloc(void *p, size_t n);
ssize_t __real_read(int fd, void *p, size_t n);
ssize_t __real_pread64(int fd, void *p, size_t n, off_t at);
ssize_t __real_write(int fd, const void *p, size_t n);
ssize_t __real_pwrite64(int fd, const void *p, size_t n, off_t at);
int __real_fsync(int fd);
int __real_fdatasync(int fd);
int __real_open64(const char *path, int flags, ...);
int __real_rename(const char *from, const char *to);
int __real_renameat2(int a, const char *from, int b, const char *to, unsigned flags);
int __real_ftruncate64(int fd, off_t n);
void *__real_mmap64(void *p, size_t n, int prot, int flags, int fd, off_t at);
int __real_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);
int __real_RAND_bytes(unsigned char *p, int n);
int __real_RAND_priv_bytes(unsigned char *p, int n);
int __real_RAND_bytes_ex(void *lib, unsigned char *p, size_t n, unsigned strength);
int __real_RAND_priv_bytes_ex(void *lib, unsigned char *p, size_t n, unsigned strength);

void *__wrap_calloc(size_t n, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_realloc(void *p, size_t n);
ssize_t __wrap_read(int fd, void *p, size_t n);
ssize_t __wrap_pread64(int fd, void *p, size_t n, off_t at);
ssize_t __wrap_write(int fd, const void *p, size_t n);
ssize_t __wrap_pwrite64(int fd, const void *p, size_t n, off_t at);
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_rename(const char *from, const char *to);
int __wrap_renameat2(int a, const char *from, int b, const char *to, unsigned flags);
int __wrap_ftruncate64(int fd, off_t n);
void *__wrap_mmap64(void *p, size_t n, int prot, int flags, int fd, off_t at);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);
int __wrap_RAND_bytes(unsigned char *p, int n);
int __wrap_RAND_priv_bytes(unsigned char *p, int n);
int __wrap_RAND_bytes_ex(void *lib, unsigned char *p, size_t n, unsigned strength);
int __wrap_RAND_priv_bytes_ex(void *lib, unsigned char *p, size_t n, unsigned strength);

void *__wrap_calloc(size_t n, size_t size)
{
    return strikes(FAULT_ALLOC) ? NULL : __real_calloc(n, size);
}

void *__wrap_aligned_alloc(size_t align, size_t n)
{
    return strikes(FAULT_ALLOC) ? NULL : __real_aligned_alloc(align, n);
}

void *__wrap_malloc(size_t n)
{
    return strikes(FAULT_PROVIDER) ? NULL : __real_malloc(n);
}

void *__wrap_realloc(void *p, size_t n)
{
    return strikes(FAULT_PROVIDER) ? NULL : __real_realloc(p, n);
}

static bool shortened(size_t *n)
{
    if (fault.err != FAULT_SHORT || *n < 2)
        return false;
    *n /= 2;
    return true;
}

ssize_t __wrap_read(int fd, void *p, size_t n)
{
    return strikes(FAULT_READ) && !shortened(&n) ? -1 : __real_read(fd, p, n);
}

ssize_t __wrap_pread64(int fd, void *p, size_t n, off_t at)
{
    return strikes(FAULT_READ) && !shortened(&n) ? -1 : __real_pread64(fd, p, n, at);
}

ssize_t __wrap_write(int fd, const void *p, size_t n)
{
    return strikes(FAULT_WRITE) && !shortened(&n) ? -1 : __real_write(fd, p, n);
}

ssize_t __wrap_pwrite64(int fd, const void *p, size_t n, off_t at)
{
    return strikes(FAULT_WRITE) && !shortened(&n) ? -1 : __real_pwrite64(fd, p, n, at);
}

int __wrap_fsync(int fd)
{
    return strikes(FAULT_SYNC) ? -1 : __real_fsync(fd);
}

int __wrap_fdatasync(int fd)
{
    return strikes(FAULT_SYNC) ? -1 : __real_fdatasync(fd);
}

int __wrap_open64(const char *path, int flags, ...)
{
    mode_t mode;
    va_list ap;

    va_start(ap, flags);
    mode = va_arg(ap, mode_t);
    va_end(ap);
    return strikes(FAULT_OPEN) ? -1 : __real_open64(path, flags, mode);
}

int __wrap_rename(const char *from, const char *to)
{
    return strikes(FAULT_RENAME) ? -1 : __real_rename(from, to);
}

int __wrap_renameat2(int a, const char *from, int b, const char *to, unsigned flags)
{
    return strikes(FAULT_RENAME) ? -1 : __real_renameat2(a, from, b, to, flags);
}

int __wrap_ftruncate64(int fd, off_t n)
{
    return strikes(FAULT_TRUNCATE) ? -1 : __real_ftruncate64(fd, n);
}

void *__wrap_mmap64(void *p, size_t n, int prot, int flags, int fd, off_t at)
{
    return strikes(FAULT_MAP) ? (void *)-1 : __real_mmap64(p, n, prot, flags, fd, at);
}

int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg)
{
    return strikes(FAULT_THREAD) ? EAGAIN : __real_pthread_create(t, a, fn, arg);
}

int __wrap_RAND_bytes(unsigned char *p, int n)
{
    return strikes(FAULT_RANDOM) ? 0 : __real_RAND_bytes(p, n);
}

int __wrap_RAND_priv_bytes(unsigned char *p, int n)
{
    return strikes(FAULT_RANDOM) ? 0 : __real_RAND_priv_bytes(p, n);
}

int __wrap_RAND_bytes_ex(void *lib, unsigned char *p, size_t n, unsigned strength)
{
    return strikes(FAULT_RANDOM) ? 0 : __real_RAND_bytes_ex(lib, p, n, strength);
}

int __wrap_RAND_priv_bytes_ex(void *lib, unsigned char *p, size_t n, unsigned strength)
{
    return strikes(FAULT_RANDOM) ? 0 : __real_RAND_priv_bytes_ex(lib, p, n, strength);
}
