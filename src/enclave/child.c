#include "enclave/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/os.h"
#include "run/sandbox.h"

enum { NOBODY = 65534, HIGH = 300, PATH_LEN = 4096 };

/* ---- who it is ----------------------------------------------------------------------------- */

static bool put_line(const char *path, const char *text)
{
    CM_AUTO(cm_os_close_fd) int fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* In a user namespace of its own: one user, who is the runner's outside and nobody inside. */
static bool map_user(const cm_child_plan *p)
{
    char uid[64], gid[64];

    (void)snprintf(uid, sizeof uid, "%d %u 1", NOBODY, (unsigned)p->uid);
    (void)snprintf(gid, sizeof gid, "%d %u 1", NOBODY, (unsigned)p->gid);
    return put_line("/proc/self/setgroups", "deny") && put_line("/proc/self/uid_map", uid) &&
           put_line("/proc/self/gid_map", gid);
}

static bool drop_capabilities(void)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0, 0, 0}}, now[2];

    if (syscall(SYS_capset, &head, none) != 0 || syscall(SYS_capget, &head, now) != 0)
        return false;
    return (now[0].permitted | now[1].permitted | now[0].effective | now[1].effective) == 0;
}

/* Files where they are may be for the runner's user alone: then it stays that user. */
static uint32_t give_up_user(const cm_child_plan *p, bool needs_files)
{
    uint32_t has = p->flags & CLONE_NEWUSER ? CM_HAS_OTHER_USER : 0;
    bool other = !(p->flags & CLONE_NEWUSER) && p->uid == 0 && !needs_files;

    (void)prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED, 0, 0, 0);
    for (unsigned cap = 0; cap < 64; cap++)
        (void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    /* The C library's own would tell threads that this process does not have. */
    if (other && syscall(SYS_setgroups, 0, NULL) == 0 &&
        syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY) == 0 &&
        syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY) == 0)
        has |= CM_HAS_OTHER_USER;
    return drop_capabilities() ? has | CM_HAS_NO_CAPABILITIES : has;
}

/* ---- what it has --------------------------------------------------------------------------- */

static bool place(int from, int to)
{
    return from < 0 ? true : dup3(from, to, to >= CM_FD_EXEC ? O_CLOEXEC : 0) == to;
}

/* First above all targets, then down: no target is a source. */
static bool arrange(const cm_child_plan *p, int null)
{
    int from[] = {null,     p->log, p->log, p->channel, p->weights, p->listen, p->closure->v[0].fd,
                  p->report};
    const int to[] = {0,          1,           2, CM_FD_CHANNEL, CM_FD_WEIGHTS, CM_FD_LISTEN,
                      CM_FD_EXEC, CM_FD_REPORT};

    for (size_t i = 0; i < CM_COUNT(from); i++)
        if (from[i] >= 0 && (from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, HIGH)) < 0)
            return false;
    (void)close(0);
    for (int fd = CM_FD_CHANNEL; fd < CM_FD_END; fd++)
        (void)close(fd);
    for (size_t i = 0; i < CM_COUNT(from); i++)
        if (!place(from[i], to[i]))
            return false;
    return syscall(SYS_close_range, CM_FD_END, CM_FD_EXEC - 1, 0) == 0 &&
           syscall(SYS_close_range, CM_FD_REPORT + 1, ~0u, 0) == 0;
}

static bool limit(int resource, uint64_t v)
{
    struct rlimit r = {v, v};

    return setrlimit((__rlimit_resource_t)resource, &r) == 0;
}

static bool limit_all(void)
{
    return limit(RLIMIT_CORE, 0) && limit(RLIMIT_NOFILE, CM_FD_LIMIT) && limit(RLIMIT_FSIZE, 0) &&
           limit(RLIMIT_MSGQUEUE, 0);
}

/* ---- the sandbox --------------------------------------------------------------------------- */

/* Files where they are, by path: only what was measured may be read. */
static void list_here(const cm_closure *c, const char **run, const char **read)
{
    size_t runs = 0, reads = 0;

    for (size_t i = 0; i < c->n; i++) {
        if (c->v[i].role == CM_ENCLAVE_LOADER || c->v[i].role == CM_ENCLAVE_LIBRARY)
            run[runs++] = c->v[i].path;
        else if (c->v[i].role != CM_ENCLAVE_PROGRAM)
            read[reads++] = c->v[i].path;
    }
    run[runs] = read[reads] = NULL;
}

static uint32_t as_has(unsigned in_force)
{
    return (in_force & CM_SANDBOX_NO_NEW_PRIVS ? CM_HAS_NO_NEW_PRIVS : 0) |
           (in_force & CM_SANDBOX_NO_DUMP ? CM_HAS_NO_DUMP : 0) |
           (in_force & CM_SANDBOX_LANDLOCK ? CM_HAS_LANDLOCK : 0) |
           (in_force & CM_SANDBOX_SECCOMP ? CM_HAS_SECCOMP : 0);
}

/* Landlock may be missing where files are its own; the filter may not (EN-21). */
static cm_err lock_in(const cm_child_plan *p, uint32_t *has)
{
    const char *run[CM_ENCLAVE_FILES + 1], *read[CM_ENCLAVE_FILES + 1];
    const char *const root[] = {"/", NULL};
    cm_sandbox_options o = {.profile = CM_SANDBOX_ENCLAVE,
                            .exec_fd = CM_FD_EXEC,
                            .best_effort = *has & CM_HAS_FILES,
                            .dynamic = cm_closure_find(p->closure, CM_ENCLAVE_LOADER) != NULL};
    unsigned in_force = 0;
    cm_err e;

    list_here(p->closure, run, read);
    o.run = *has & CM_HAS_FILES ? root : run;
    o.read = *has & CM_HAS_FILES ? NULL : read;
    e = cm_sandbox_enter(&o, &in_force);
    *has |= as_has(in_force);
    CM_TRY(e);
    if (!(in_force & CM_SANDBOX_SECCOMP))
        return CM_FAIL(SANDBOX_NO_SECCOMP);
    return cm_sandbox_check(CM_SANDBOX_ENCLAVE);
}

/* ---- all of it ----------------------------------------------------------------------------- */

static uint32_t namespaces(const cm_child_plan *p)
{
    uint32_t has = (p->flags & CLONE_NEWPID ? CM_HAS_PROCESSES : 0) |
                   (p->flags & CLONE_NEWNET ? CM_HAS_NETWORK : 0) |
                   (p->flags & CLONE_NEWIPC ? CM_HAS_IPC : 0);

    if (p->flags & CLONE_NEWNS && cm_enclave_root(p->closure))
        has |= CM_HAS_FILES | CM_HAS_HELD_LIBRARIES;
    return p->closure->n == 1 ? has | CM_HAS_HELD_LIBRARIES : has;
}

/* What it knows its files by is gone behind this. */
static cm_err settle(const cm_child_plan *p, uint32_t *has)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (p->flags & CLONE_NEWUSER && !map_user(p))
        return CM_FAIL(ENCLAVE_START);
    *has |= namespaces(p);
    if (!arrange(p, null) || !limit_all())
        return CM_FAIL(ENCLAVE_START);
    *has |= give_up_user(p, !(*has & CM_HAS_FILES) && p->closure->n > 1);
    return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 ? CM_OKAY : CM_FAIL(ENCLAVE_START);
}

static cm_err prepare(const cm_child_plan *p, uint32_t *has, bool *in_group)
{
    struct sigaction usual = {.sa_handler = SIG_DFL};
    sigset_t none;
    char go;

    for (int s = 1; s < 65; s++)
        (void)sigaction(s, &usual, NULL);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (read(p->report, &go, 1) != 1)
        return CM_FAIL(ENCLAVE_START);
    *in_group = go == 'g';
    (void)setsid();
    return settle(p, has);
}

static void report(cm_child_report r)
{
    if (write(CM_FD_REPORT, &r, sizeof r) != sizeof r)
        _exit(127);
}

void cm_enclave_child(const cm_child_plan *p)
{
    cm_child_report r = {0};
    bool in_group = false;
    char go;
    cm_err e = prepare(p, &r.has, &in_group);

    if (cm_ok(e))
        e = lock_in(p, &r.has);
    r.err = errno;
    r.failed = e.v;
    report(r);
    if (cm_failed(e) || read(CM_FD_REPORT, &go, 1) != 1 ||
        (!in_group && !limit(RLIMIT_AS, p->memory)))
        return;
    /* EN-20 */
    (void)syscall(SYS_execveat, CM_FD_EXEC, "", p->argv,
                  r.has & CM_HAS_FILES ? p->env : p->env_here, AT_EMPTY_PATH);
    r.err = errno;
    r.failed = CM_ENCLAVE_START;
    report(r);
}
