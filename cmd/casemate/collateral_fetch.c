/* A program that fetches, run without a shell, with a limit on time and size. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "collateral.h"

extern char **environ;

enum { CHUNK = 16 << 10 };

static void actions_done(posix_spawn_file_actions_t *a)
{
    (void)posix_spawn_file_actions_destroy(a);
}

static void attributes_done(posix_spawnattr_t *a)
{
    (void)posix_spawnattr_destroy(a);
}

/* In a group of its own, so that what it starts ends with it. */
static cm_err start(pid_t *pid, int out, const char *const *args)
{
    CM_AUTO(actions_done) posix_spawn_file_actions_t files;
    CM_AUTO(attributes_done) posix_spawnattr_t how;
    char *argv[64];
    size_t n = 0;

    if (posix_spawn_file_actions_init(&files) != 0)
        return CM_FAIL(NO_MEMORY);
    if (posix_spawnattr_init(&how) != 0)
        return CM_FAIL(NO_MEMORY);
    for (; args[n]; n++) {
        if (n + 1 == CM_COUNT(argv))
            return CM_FAIL(BAD_ARGUMENT);
        memcpy(&argv[n], &args[n], sizeof argv[n]); /* posix_spawn changes none */
    }
    argv[n] = NULL;
    if (posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0) != 0 ||
        posix_spawn_file_actions_adddup2(&files, out, 1) != 0 ||
        posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP) != 0 ||
        posix_spawnp(pid, argv[0], &files, &how, argv, environ) != 0)
        return CM_FAIL(COLLATERAL_FETCH);
    return CM_OKAY;
}

/* Everything it prints until it closes its end. */
static cm_err take(cm_buf *out, int fd, size_t max, uint64_t until_ns)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        uint64_t now = cm_os_monotonic_ns();
        ssize_t n;
        int r;

        if (now >= until_ns)
            return CM_FAIL(COLLATERAL_FETCH);
        r = poll(&p, 1, (int)((until_ns - now) / 1000000 + 1));
        if (r < 0 && errno != EINTR)
            return CM_FAIL(COLLATERAL_FETCH);
        if (r <= 0)
            continue;
        CM_TRY(cm_buf_reserve(out, CHUNK));
        n = read(fd, out->p + out->n, CHUNK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || out->n + (size_t)n > max)
            return CM_FAIL(COLLATERAL_FETCH);
        if (n == 0)
            return CM_OKAY;
        out->n += (size_t)n;
    }
}

cm_err cm_cli_fetch(cm_buf *out, const char *const *args, size_t max, unsigned seconds)
{
    CM_AUTO(cm_buf_free) cm_buf got = {.max = max + CHUNK};
    CM_AUTO(cm_os_close_fd) int from = -1;
    int ends[2], status = 0;
    pid_t pid = 0;
    cm_err e;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return CM_FAIL(IO_OPEN);
    from = ends[0];
    e = start(&pid, ends[1], args);
    close(ends[1]);
    CM_TRY(e);
    e = take(&got, from, max, cm_os_monotonic_ns() + seconds * UINT64_C(1000000000));
    if (cm_failed(e))
        (void)kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (cm_failed(e) || !WIFEXITED(status) || WEXITSTATUS(status) != 0 || got.n == 0)
        return CM_FAIL(COLLATERAL_FETCH);
    *out = cm_buf_take(&got);
    return CM_OKAY;
}
