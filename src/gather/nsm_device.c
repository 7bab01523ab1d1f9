/* The Nitro security module behind its driver (linux/nsm.h, not in every system's headers). */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "gather/gather.h"

typedef struct {
    uint64_t at, n;
} nsm_span;

typedef struct {
    nsm_span request, answer;
} nsm_raw;

#define NSM_RAW _IOWR(0x0a, 0, nsm_raw)

static int device_ask(void *arg, cm_view request, cm_buf *out)
{
    nsm_raw m = {{(uintptr_t)request.p, request.n}, {0, CM_NSM_ANSWER_MAX}};

    if (cm_failed(cm_buf_reserve(out, CM_NSM_ANSWER_MAX)))
        return ENOMEM;
    m.answer.at = (uintptr_t)(out->p + out->n);
    if (ioctl(((const cm_nsm_fd *)arg)->fd, NSM_RAW, &m) != 0)
        return errno;
    if (m.answer.n > CM_NSM_ANSWER_MAX)
        return EPROTO;
    out->n += m.answer.n;
    return 0;
}

cm_err cm_nsm_open(cm_nsm_fd *dev, cm_nsm *nsm, const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return errno == EACCES || errno == EPERM ? CM_FAIL(NO_PERMISSION)
                                                 : CM_FAIL(GATHER_NSM_ABSENT);
    dev->fd = fd;
    *nsm = (cm_nsm){dev, device_ask};
    return CM_OKAY;
}

void cm_nsm_done(cm_nsm_fd *dev)
{
    if (dev->fd > 0)
        close(dev->fd);
    dev->fd = 0;
}
