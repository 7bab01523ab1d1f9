#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATHS = 16, FOLDERS = 16 };

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    abort();
}

void t_mkdir(char path[T_PATH])
{
    const char *tmp = getenv("TMPDIR");

    snprintf(path, T_PATH, "%s/casemate-test-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    must(mkdtemp(path) != NULL, "mkdtemp");
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void t_rmdir(const char *path)
{
    nftw(path, remove_one, FOLDERS, FTW_DEPTH | FTW_PHYS);
}

const char *t_path(const char *dir, const char *name)
{
    static char bufs[PATHS][T_PATH];
    static size_t next;
    char *p = bufs[next++ % PATHS];

    must(snprintf(p, T_PATH, "%s/%s", dir, name) < T_PATH, name);
    return p;
}

void t_put_file(const char *path, cm_view v)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    must(fd >= 0, path);
    must(write(fd, v.p, v.n) == (ssize_t)v.n, path);
    close(fd);
}

static void drain(cm_buf *b, int fd)
{
    uint8_t chunk[4096];
    ssize_t n;

    while ((n = read(fd, chunk, sizeof chunk)) > 0)
        if (b)
            must(cm_ok(cm_buf_append(b, cm_view_of(chunk, (size_t)n))), "too much output");
}

void t_get_file(cm_buf *b, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    must(fd >= 0, path);
    drain(b, fd);
    close(fd);
}

static void become(const char *const argv[])
{
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    perror(argv[0]);
    _exit(127);
}

/* Through a file, so that neither side waits for the other. */
static int input_fd(cm_view in)
{
    FILE *f = tmpfile();
    int fd;

    must(f != NULL, "tmpfile");
    must(in.n == 0 || fwrite(in.p, 1, in.n, f) == in.n, "input");
    rewind(f);
    fd = dup(fileno(f));
    fclose(f);
    must(fd >= 0 && lseek(fd, 0, SEEK_SET) == 0, "input");
    return fd;
}

static int wait_for(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        must(errno == EINTR, "waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int t_run(cm_buf *out, cm_view in, const char *const argv[])
{
    int p[2], from = input_fd(in);
    pid_t pid;

    must(pipe2(p, O_CLOEXEC) == 0, "pipe");
    fflush(NULL);
    pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0) {
        dup2(from, 0);
        dup2(p[1], 1);
        dup2(p[1], 2);
        become(argv);
    }
    close(from);
    close(p[1]);
    drain(out, p[0]);
    close(p[0]);
    return wait_for(pid);
}

pid_t t_start(const char *log, const char *const argv[])
{
    int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int quiet[2]; /* its writing end stays open as long as this process: some servers end on EOF */
    pid_t pid;

    must(fd >= 0 && pipe2(quiet, O_CLOEXEC) == 0, log);
    fflush(NULL);
    pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* nothing stays behind when a test aborts */
        dup2(quiet[0], 0);
        dup2(fd, 1);
        dup2(fd, 2);
        become(argv);
    }
    close(fd);
    close(quiet[0]);
    return pid;
}

void t_stop(pid_t pid)
{
    kill(pid, SIGTERM);
    wait_for(pid);
}

const char *t_openssl(void)
{
    const char *cli = getenv("CASEMATE_OPENSSL");
    cm_buf out = {.max = T_OUTPUT};
    const char *found = NULL;

    if (cli && access(cli, X_OK) == 0) {
        const char *const argv[] = {cli, "list", "-signature-algorithms", NULL};

        if (t_run(&out, cm_view_of(NULL, 0), argv) == 0 && cm_ok(cm_buf_byte(&out, 0)) &&
            strstr((const char *)out.p, "ML-DSA-65"))
            found = cli;
    }
    cm_buf_free(&out);
    return found;
}
