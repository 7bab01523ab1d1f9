/* What a sandboxed process can't do any more: in a child each, since there is no way back. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "proc.h"
#include "run/sandbox.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* The line of the child's first failed expectation; 0: all held; 77: no such kernel. */
#define EXPECT(x)            \
    do {                     \
        if (!(x))            \
            return __LINE__; \
    } while (0)

static char folder[T_PATH], file[T_PATH + 16];

static void in_child(int (*fn)(void))
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(fn() & 0xff);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77 || SANITIZED)
        skip();
    if (WEXITSTATUS(status))
        fail_msg("line %d (mod 256)", WEXITSTATUS(status));
}

static int enter(const cm_sandbox_options *o)
{
    unsigned in_force = 99;
    cm_err e = cm_sandbox_enter(o, &in_force);

    if (cm_is(e, CM_SANDBOX_NO_LANDLOCK) || cm_is(e, CM_SANDBOX_NO_SECCOMP)) {
        print_message("SKIP: %s\n", cm_err_what(e));
        return 77;
    }
    EXPECT(cm_ok(e) && in_force == CM_SANDBOX_ALL);
    EXPECT(cm_ok(cm_sandbox_check(o->profile)));
    return 0;
}

static int as_keyd(void)
{
    cm_sandbox_options o = {.profile = CM_SANDBOX_KEYD};
    struct rlimit core;
    int fds[2], null = open("/dev/null", O_RDONLY), bad = enter(&o);
    char *argv[] = {NULL};

    EXPECT(null >= 0);
    if (bad)
        return bad;
    EXPECT(prctl(PR_SET_DUMPABLE, 1) < 0 && errno == EPERM);
    EXPECT(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0);
    EXPECT(open("/dev/null", O_RDONLY) < 0 && errno == EPERM);
    EXPECT(open("/etc/passwd", O_RDONLY) < 0 && errno == EPERM);
    EXPECT(socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM);
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0 && errno == EPERM);
    EXPECT(execv("/bin/true", argv) < 0 && errno == EPERM);
    EXPECT(fork() < 0);
    EXPECT(kill(getppid(), 0) < 0 && errno == EPERM);
    EXPECT(mmap(NULL, 4096, PROT_EXEC | PROT_READ, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0) ==
           MAP_FAILED);
    EXPECT(write(null, "x", 1) < 0 && errno == EBADF); /* descriptors it has still work */
    EXPECT(malloc(1 << 20) != NULL);
    return 0;
}

static int as_kmsd(void)
{
    const char *read[] = {"/dev/null", NULL}, *const write_below[] = {folder, NULL};
    cm_sandbox_options o = {.profile = CM_SANDBOX_KMSD, .read = read, .write = write_below};
    struct sockaddr_in at = {.sin_family = AF_INET};
    int fd, bad = enter(&o);
    char *argv[] = {NULL};

    if (bad)
        return bad;
    EXPECT(open("/dev/null", O_RDONLY) >= 0);
    EXPECT(open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES);
    fd = open(file, O_RDWR | O_CREAT, 0600);
    EXPECT(fd >= 0 && write(fd, "x", 1) == 1 && fsync(fd) == 0 && unlink(file) == 0);
    EXPECT(open("/tmp/outside-of-it", O_RDWR | O_CREAT, 0600) < 0 && errno == EACCES);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 1) == 0);
    EXPECT(socket(AF_PACKET, SOCK_RAW, 0) < 0 && errno == EPERM);
    EXPECT(execv("/bin/true", argv) < 0 && errno == EPERM);
    EXPECT(fork() < 0);
    return 0;
}

static int on_a_path_that_is_not(void)
{
    const char *read[] = {"/nonexistent/folder", NULL};
    cm_sandbox_options o = {.profile = CM_SANDBOX_KMSD, .read = read};
    unsigned in_force = 0;
    cm_err e = cm_sandbox_enter(&o, &in_force);

    if (cm_is(e, CM_SANDBOX_NO_LANDLOCK))
        return 77;
    EXPECT(cm_is(e, CM_SANDBOX_PATH));
    EXPECT(in_force == (CM_SANDBOX_NO_DUMP | CM_SANDBOX_NO_NEW_PRIVS));
    EXPECT(cm_is(cm_sandbox_check(CM_SANDBOX_KMSD), CM_SANDBOX_LEAKS));
    return 0;
}

static int without(void)
{
    cm_sandbox_options o = {.profile = CM_SANDBOX_KEYD, .best_effort = true, .off = true};
    unsigned in_force = 0;

    EXPECT(cm_ok(cm_sandbox_enter(&o, &in_force)) && in_force == CM_SANDBOX_NO_DUMP);
    EXPECT(cm_is(cm_sandbox_check(CM_SANDBOX_KEYD), CM_SANDBOX_LEAKS));
    EXPECT(open("/dev/null", O_RDONLY) >= 0);
    return 0;
}

static void keyd_has_descriptors_only(void **state) /* KD-6 */
{
    (void)state;
    in_child(as_keyd);
}

static void kmsd_has_its_folders_and_sockets(void **state)
{
    (void)state;
    in_child(as_kmsd);
}

static void missing_paths_are_said(void **state)
{
    (void)state;
    in_child(on_a_path_that_is_not);
}

static void off_is_said(void **state)
{
    (void)state;
    in_child(without);
    assert_string_equal(cm_sandbox_text(0), "none");
    assert_string_equal(cm_sandbox_text(CM_SANDBOX_ALL), "no-new-privs no-dump landlock seccomp");
}

static int setup(void **state)
{
    (void)state;
    t_mkdir(folder);
    (void)snprintf(file, sizeof file, "%s/file", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    t_rmdir(folder);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(keyd_has_descriptors_only),
        cmocka_unit_test(kmsd_has_its_folders_and_sockets),
        cmocka_unit_test(missing_paths_are_said),
        cmocka_unit_test(off_is_said),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
