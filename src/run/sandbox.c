#include "run/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/os.h"

/* ---- landlock ------------------------------------------------------------------------------- */

/* The system's header may be older than its kernel: linux/landlock.h of Linux 6.12. */
enum {
    FS_EXECUTE = 1 << 0,
    FS_WRITE_FILE = 1 << 1,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    FS_MAKE_CHAR = 1 << 6,
    FS_MAKE_BLOCK = 1 << 11,
    FS_REFER = 1 << 13,
    FS_TRUNCATE = 1 << 14,
    FS_ABI_1 = (1 << 13) - 1,
    NET_TCP = 3,   /* bind, connect */
    SCOPE_ALL = 3, /* abstract Unix sockets, signals */
    RULE_PATH = 1,
    VERSION_FLAG = 1,
    ABI_NET = 4,
    ABI_SCOPE = 6,
    CREATE = 444,
    ADD_RULE = 445,
    RESTRICT = 446
};

struct ruleset {
    uint64_t fs, net, scope;
};

struct __attribute__((packed)) path_rule {
    uint64_t allowed;
    int32_t fd;
};

static uint64_t fs_rights(long abi)
{
    return FS_ABI_1 | (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0);
}

static cm_err allow_path(int ruleset, const char *path, uint64_t rights)
{
    CM_AUTO(cm_os_close_fd) int fd = open(path, O_PATH | O_CLOEXEC);
    struct path_rule rule = {.allowed = rights, .fd = fd};
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0)
        return CM_FAIL(SANDBOX_PATH);
    if (!S_ISDIR(st.st_mode))
        rule.allowed &= FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE | FS_EXECUTE;
    if (syscall(ADD_RULE, ruleset, RULE_PATH, &rule, 0) != 0)
        return CM_FAIL(SANDBOX_APPLY);
    return CM_OKAY;
}

static cm_err allow_paths(int ruleset, const cm_sandbox_options *o, uint64_t handled)
{
    uint64_t change = handled & ~(uint64_t)(FS_EXECUTE | FS_MAKE_CHAR | FS_MAKE_BLOCK);

    if (o->profile == CM_SANDBOX_KEYD)
        return CM_OKAY;
    for (size_t i = 0; o->read && o->read[i]; i++)
        CM_TRY(allow_path(ruleset, o->read[i], FS_READ_FILE | FS_READ_DIR));
    for (size_t i = 0; o->run && o->run[i]; i++)
        CM_TRY(allow_path(ruleset, o->run[i], FS_READ_FILE | FS_READ_DIR | FS_EXECUTE));
    for (size_t i = 0; o->write && o->write[i]; i++)
        CM_TRY(allow_path(ruleset, o->write[i], change));
    return CM_OKAY;
}

/* Sockets are those it was given. */
static bool is_closed(const cm_sandbox_options *o)
{
    return o->profile == CM_SANDBOX_KEYD || o->profile == CM_SANDBOX_ENCLAVE;
}

static cm_err enter_landlock(const cm_sandbox_options *o)
{
    CM_AUTO(cm_os_close_fd) int fd = -1;
    long abi = syscall(CREATE, NULL, 0, VERSION_FLAG);
    struct ruleset r = {.fs = fs_rights(abi)};
    size_t n = sizeof r.fs;

    if (abi < 1)
        return CM_FAIL(SANDBOX_NO_LANDLOCK);
    if (abi >= ABI_NET && (is_closed(o) || (o->profile == CM_SANDBOX_P11D && !o->network))) {
        r.net = NET_TCP;
        n += sizeof r.net;
    }
    if (abi >= ABI_SCOPE && is_closed(o)) {
        r.scope = SCOPE_ALL;
        n += sizeof r.scope;
    }
    fd = (int)syscall(CREATE, &r, n, 0);
    if (fd < 0)
        return CM_FAIL(SANDBOX_APPLY);
    CM_TRY(allow_paths(fd, o, r.fs));
    return syscall(RESTRICT, fd, 0) == 0 ? CM_OKAY : CM_FAIL(SANDBOX_APPLY);
}

/* ---- seccomp -------------------------------------------------------------------------------- */

/* What any of our processes needs: memory, threads, time, and descriptors it has. */
static const char *const calls_both[] = {
    "accept4",
    "brk",
    "clock_gettime",
    "clock_nanosleep",
    "close",
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "eventfd2",
    "exit",
    "exit_group",
    "fcntl",
    "fstat",
    "ftruncate",
    "futex",
    "getegid",
    "geteuid",
    "getgid",
    "getpeername",
    "getpid",
    "getrandom",
    "getsockname",
    "getsockopt",
    "gettid",
    "getuid",
    "madvise",
    "memfd_secret",
    "mlock",
    "mlock2",
    "mremap",
    "munlock",
    "munmap",
    "nanosleep",
    "poll",
    "ppoll",
    "read",
    "readv",
    "recvfrom",
    "recvmmsg",
    "recvmsg",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigtimedwait",
    "sched_getaffinity",
    "sched_yield",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "set_robust_list",
    "setsockopt",
    "shutdown",
    "sigaltstack",
    "signalfd4",
    "timerfd_settime",
    "write",
    "writev",
};

/* The server's own: files (landlock says which), sockets, and what libraries look at. */
static const char *const calls_kmsd[] = {
    "access",
    "bind",
    "chmod",
    "connect",
    "copy_file_range",
    "dup",
    "dup2",
    "dup3",
    "faccessat",
    "faccessat2",
    "fadvise64",
    "fallocate",
    "fchmod",
    "fchmodat",
    "fchown",
    "fdatasync",
    "flock",
    "fstatfs",
    "fsync",
    "getcwd",
    "getdents64",
    "getppid",
    "getrlimit",
    "getrusage",
    "inotify_add_watch",
    "inotify_init1",
    "inotify_rm_watch",
    "linkat",
    "listen",
    "lseek",
    "lstat",
    "membarrier",
    "memfd_create",
    "mincore",
    "mkdir",
    "mkdirat",
    "msync",
    "newfstatat",
    "open",
    "openat",
    "pipe2",
    "pread64",
    "preadv",
    "pwrite64",
    "pwritev",
    "readlink",
    "readlinkat",
    "rename",
    "renameat",
    "renameat2",
    "rmdir",
    "sendfile",
    "socketpair",
    "stat",
    "statfs",
    "statx",
    "sync_file_range",
    "sysinfo",
    "time",
    "timerfd_create",
    "times",
    "truncate",
    "umask",
    "uname",
    "unlink",
    "unlinkat",
    "utimensat",
    "wait4",
    "waitid",
};

/* Vendors' modules share memory with their daemons. */
static const char *const calls_p11d[] = {
    "semctl", "semget", "semop", "semtimedop", "shmat", "shmctl", "shmdt", "shmget",
};

/* What C libraries and language runtimes do when they start, read files and run threads. */
static const char *const calls_enclave[] = {
    "access",
    "arch_prctl",
    "dup",
    "dup2",
    "dup3",
    "faccessat",
    "faccessat2",
    "fadvise64",
    "getcwd",
    "getdents64",
    "getppid",
    "getrlimit",
    "getrusage",
    "lseek",
    "lstat",
    "membarrier",
    "mincore",
    "mlockall",
    "munlockall",
    "newfstatat",
    "open",
    "openat",
    "pipe2",
    "pread64",
    "preadv",
    "readlink",
    "readlinkat",
    "sched_getparam",
    "sendfile",
    "sched_getscheduler",
    "set_tid_address",
    "stat",
    "statx",
    "sysinfo",
    "time",
    "timerfd_create",
    "times",
    "uname",
};

static int allow(scmp_filter_ctx f, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int nr = seccomp_syscall_resolve_name(names[i]);
        int bad = nr == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(f, SCMP_ACT_ALLOW, nr, 0);

        if (bad)
            return bad;
    }
    return 0;
}

/* Memory is never both ours to write and the processor's to run. */
static int allow_memory(scmp_filter_ctx f)
{
    struct scmp_arg_cmp no_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    int bad = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, no_exec);

    return bad ? bad : seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, no_exec);
}

/* Threads, but no processes. The flags of clone3 lie in memory, where a filter can't see them: the
 * C library falls back to clone. */
/* libseccomp's own macros leave a field out, which clang warns of. */
static struct scmp_arg_cmp equal(unsigned arg, scmp_datum_t value)
{
    return (struct scmp_arg_cmp){arg, SCMP_CMP_EQ, value, 0};
}

static int allow_threads(scmp_filter_ctx f)
{
    int bad = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                               SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));

    if (!bad)
        bad = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (!bad)
        bad = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, equal(0, PR_SET_NAME));
    if (!bad) /* reading limits, not setting them */
        bad = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2, equal(0, 0), equal(2, 0));
    if (!bad) /* abort() */
        bad = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                               equal(0, (scmp_datum_t)getpid()));
    return bad;
}

/* The program that was measured, once: no descriptor of that number can be made afterwards, as
 * RLIMIT_NOFILE is below it and can only go down. Code comes from files, privately, and stays as it
 * is in them. */
static int allow_program(scmp_filter_ctx f, const cm_sandbox_options *o)
{
    enum { KINDS = MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS };
    struct scmp_arg_cmp runs = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_WRITE | PROT_EXEC, PROT_EXEC);
    struct scmp_arg_cmp from_file = SCMP_A3(SCMP_CMP_MASKED_EQ, KINDS, MAP_PRIVATE);
    int bad = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(execveat), 2,
                               equal(0, (scmp_datum_t)o->exec_fd), equal(4, AT_EMPTY_PATH));

    if (!bad && o->dynamic)
        bad = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, runs, from_file);
    if (!bad) /* a limit of memory can only go down */
        bad = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2, equal(0, 0),
                               equal(1, RLIMIT_AS));
    if (!bad)
        bad = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, equal(0, PR_GET_DUMPABLE));
    return bad;
}

static int allow_sockets(scmp_filter_ctx f, const cm_sandbox_options *o)
{
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    bool module = o->profile == CM_SANDBOX_P11D;
    size_t n = !module || o->network ? CM_COUNT(families) : o->local ? 1 : 0;
    int bad = 0;

    for (size_t i = 0; !bad && i < n; i++)
        bad = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                               equal(0, (scmp_datum_t)families[i]));
    return bad;
}

static int fill(scmp_filter_ctx f, const cm_sandbox_options *o)
{
    int bad = allow(f, calls_both, CM_COUNT(calls_both));

    if (!bad)
        bad = allow_memory(f);
    if (!bad)
        bad = allow_threads(f);
    if (!bad && o->profile == CM_SANDBOX_ENCLAVE) {
        bad = allow(f, calls_enclave, CM_COUNT(calls_enclave));
        return bad ? bad : allow_program(f, o);
    }
    if (!bad && o->profile != CM_SANDBOX_KEYD)
        bad = allow(f, calls_kmsd, CM_COUNT(calls_kmsd));
    if (!bad && o->profile == CM_SANDBOX_P11D)
        bad = allow(f, calls_p11d, CM_COUNT(calls_p11d));
    if (!bad && o->profile != CM_SANDBOX_KEYD)
        bad = allow_sockets(f, o);
    return bad;
}

static cm_err enter_seccomp(const cm_sandbox_options *o)
{
    scmp_filter_ctx f;
    int bad;

    if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0)
        return CM_FAIL(SANDBOX_NO_SECCOMP);
    f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!f)
        return CM_FAIL(SANDBOX_APPLY);
    bad = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
    if (!bad)
        bad = fill(f, o);
    if (!bad)
        bad = seccomp_load(f);
    seccomp_release(f);
    return bad ? CM_FAIL(SANDBOX_APPLY) : CM_OKAY;
}

/* ---- both ----------------------------------------------------------------------------------- */

static cm_err no_dump(void)
{
    struct rlimit none = {0, 0};

    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return CM_FAIL(SANDBOX_APPLY);
    return CM_OKAY;
}

static cm_err no_new_privs(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? CM_OKAY : CM_FAIL(SANDBOX_APPLY);
}

static cm_err step(cm_err e, unsigned bit, const cm_sandbox_options *o, unsigned *in_force)
{
    if (cm_ok(e))
        *in_force |= bit;
    return o->best_effort ? CM_OKAY : e;
}

cm_err cm_sandbox_enter(const cm_sandbox_options *o, unsigned *in_force)
{
    *in_force = 0;
    CM_TRY(step(no_dump(), CM_SANDBOX_NO_DUMP, o, in_force));
    if (o->best_effort && o->off)
        return CM_OKAY;
    CM_TRY(step(no_new_privs(), CM_SANDBOX_NO_NEW_PRIVS, o, in_force));
    CM_TRY(step(enter_landlock(o), CM_SANDBOX_LANDLOCK, o, in_force));
    return step(enter_seccomp(o), CM_SANDBOX_SECCOMP, o, in_force);
}

/* ---- the self test --------------------------------------------------------------------------- */

static bool refused(long result)
{
    return result < 0 && (errno == EPERM || errno == EACCES);
}

/* Arguments are such that a kernel that lets the call through fails it for another reason. */
static bool no_programs(void)
{
    bool ok = refused(syscall(SYS_execve, "/nonexistent/casemate", NULL, NULL));

    ok = ok && refused(syscall(SYS_ptrace, PTRACE_ATTACH, -1, NULL, NULL));
    return ok && mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                     MAP_FAILED;
}

static bool no_open(const char *path)
{
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);

    if (fd >= 0)
        close((int)fd);
    return refused(fd);
}

static bool no_socket(int family)
{
    long fd = syscall(SYS_socket, family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0)
        close((int)fd);
    return refused(fd);
}

/* In a root of its own a file may not be there at all. */
static bool absent(const char *path, int flags)
{
    long fd = syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0600);
    int err = errno;

    if (fd >= 0)
        close((int)fd);
    return fd < 0 && (err == EPERM || err == EACCES || err == ENOENT || err == EROFS);
}

static bool no_way_out(void)
{
    bool ok = refused(syscall(SYS_kill, getppid(), 0)) && refused(syscall(SYS_setns, -1, 0));

    ok = ok && refused(syscall(SYS_memfd_create, "x", 0)) && refused(syscall(SYS_unshare, 0));
    ok = ok && refused(syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0));
    ok = ok && refused(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0));
    ok = ok && refused(syscall(SYS_mount, NULL, NULL, NULL, 0, NULL));
    ok = ok && refused(syscall(SYS_execveat, -1, "", NULL, NULL, AT_EMPTY_PATH));
    ok = ok && refused(syscall(SYS_bpf, -1, NULL, 0)) && refused(syscall(SYS_keyctl, -1, 0, 0));
    return ok && absent("/etc/passwd", O_RDONLY) && absent("/proc/self/mem", O_RDONLY) &&
           absent("/casemate-was-here", O_WRONLY | O_CREAT) && absent("/dev/mem", O_RDONLY);
}

static bool no_sockets(void)
{
    return no_socket(AF_UNIX) && no_socket(AF_INET) && no_socket(AF_INET6) &&
           no_socket(AF_PACKET) && no_socket(AF_VSOCK) && no_socket(AF_NETLINK);
}

cm_err cm_sandbox_check(cm_sandbox_profile profile)
{
    if (profile == CM_SANDBOX_ENCLAVE)
        return no_programs() && no_sockets() && no_way_out() ? CM_OKAY : CM_FAIL(SANDBOX_LEAKS);
    /* A module may have been given all of /etc. */
    bool ok = no_programs() && (profile == CM_SANDBOX_P11D || no_open("/etc/passwd")) &&
              no_socket(AF_PACKET);

    if (profile == CM_SANDBOX_KEYD)
        ok = ok && no_open("/") && no_open("/proc/self/maps") && no_socket(AF_UNIX) &&
             no_socket(AF_INET) && no_socket(AF_INET6);
    return ok ? CM_OKAY : CM_FAIL(SANDBOX_LEAKS);
}

const char *cm_sandbox_text(unsigned in_force)
{
    static const char *const text[] = {
        "none",
        "no-new-privs",
        "no-dump",
        "no-new-privs no-dump",
        "landlock",
        "no-new-privs landlock",
        "no-dump landlock",
        "no-new-privs no-dump landlock",
        "seccomp",
        "no-new-privs seccomp",
        "no-dump seccomp",
        "no-new-privs no-dump seccomp",
        "landlock seccomp",
        "no-new-privs landlock seccomp",
        "no-dump landlock seccomp",
        "no-new-privs no-dump landlock seccomp",
    };

    return in_force < CM_COUNT(text) ? text[in_force] : "unknown";
}
