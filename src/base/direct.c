#include "base/direct.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"

/* Below this, a result that stays in memory is worth more than the time. */
enum { SMALL = 32 << 20 };

/* What statx says instead of trying: some file systems take O_DIRECT and copy all the same. */
static bool can(int fd)
{
#ifdef STATX_DIOALIGN
    struct statx x;

    return statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &x) == 0 && (x.stx_mask & STATX_DIOALIGN) &&
           x.stx_dio_mem_align > 0 && x.stx_dio_mem_align <= CM_DIRECT_ALIGN &&
           x.stx_dio_offset_align > 0 && x.stx_dio_offset_align <= CM_DIRECT_ALIGN;
#else
    (void)fd;
    return false;
#endif
}

/* A second description of the same file, whatever has become of its name. */
static int reopen(int fd)
{
    char path[32];

    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_DIRECT | O_CLOEXEC);
}

/* Blocks that exist already are written by many threads at once; a file that grows is locked for
 * each of them. */
void cm_direct_start(cm_direct *d, int fd, uint64_t size)
{
    *d = (cm_direct){.fd = fd, .direct = -1};
    if (size >= SMALL && size <= INT64_MAX && can(fd) && fallocate(fd, 0, 0, (off_t)size) == 0)
        d->direct = reopen(fd);
}

/* Whatever keeps the blocks from going out directly, writing them plainly tells what it is. */
static cm_err blocks(const cm_direct *d, const uint8_t *p, size_t n, uint64_t at)
{
    if (n > 0 && cm_ok(cm_os_pwrite(d->direct, p, n, at)))
        return CM_OKAY;
    return cm_os_pwrite(d->fd, p, n, at);
}

cm_err cm_direct_write(const cm_direct *d, const void *p, size_t n, uint64_t at)
{
    const uint8_t *b = p;
    size_t head = (size_t)(-at % CM_DIRECT_ALIGN), body;

    if (d->direct < 0 || n < head + CM_DIRECT_ALIGN || ((uintptr_t)b + head) % CM_DIRECT_ALIGN != 0)
        return cm_os_pwrite(d->fd, p, n, at);
    body = (n - head) / CM_DIRECT_ALIGN * CM_DIRECT_ALIGN;
    CM_TRY(cm_os_pwrite(d->fd, b, head, at));
    CM_TRY(blocks(d, b + head, body, at + head));
    return cm_os_pwrite(d->fd, b + head + body, n - head - body, at + head + body);
}

void cm_direct_done(cm_direct *d)
{
    if (d->direct >= 0)
        close(d->direct);
    *d = (cm_direct){.fd = -1, .direct = -1};
}
