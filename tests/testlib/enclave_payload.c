/* What runs inside an enclave, for tests: a program that serves requests, and one that tries to get
 * out. Linked with nothing of ours: it speaks spec/enclave.md, section 4, by itself. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

enum { CHANNEL = 3, WEIGHTS = 4, RANGE = 1 << 20, REQUEST_MAX = 8 << 20 };
enum {
    READ = 1,
    DATA = 2,
    ERROR = 3,
    INFO = 4,
    NEXT = 5,
    CALL = 6,
    END = 7,
    ANSWER = 8,
    FILE_AT = 9
};

struct msg {
    uint8_t type;
    uint32_t n;
    uint64_t arg;
};

static uint8_t room[REQUEST_MAX];

/* ---- the channel --------------------------------------------------------------------------- */

static void all(bool out, void *p, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t got = out ? write(CHANNEL, (char *)p + done, n - done)
                          : read(CHANNEL, (char *)p + done, n - done);

        if (got <= 0)
            _exit(90);
        done += (size_t)got;
    }
}

static void put(uint8_t type, uint32_t n, uint64_t arg)
{
    uint8_t h[16] = {type};

    for (int i = 0; i < 4; i++)
        h[4 + i] = (uint8_t)(n >> (24 - 8 * i));
    for (int i = 0; i < 8; i++)
        h[8 + i] = (uint8_t)(arg >> (56 - 8 * i));
    all(true, h, sizeof h);
}

static struct msg get(void)
{
    uint8_t h[16];
    struct msg m = {0};

    all(false, h, sizeof h);
    m.type = h[0];
    for (int i = 0; i < 4; i++)
        m.n = m.n << 8 | h[4 + i];
    for (int i = 0; i < 8; i++)
        m.arg = m.arg << 8 | h[8 + i];
    if (m.type != ERROR && m.type != END) {
        if (m.n > sizeof room)
            _exit(91);
        all(false, room, m.n);
    }
    return m;
}

static uint64_t mix(uint64_t h, const uint8_t *p, size_t n)
{
    uint64_t w;

    for (; n >= 8; p += 8, n -= 8) {
        memcpy(&w, p, 8);
        h = (h ^ w) * 0x100000001b3;
    }
    for (; n; p++, n--)
        h = (h ^ *p) * 0x100000001b3;
    return h;
}

static uint64_t model_size(void)
{
    const char *s = getenv("CASEMATE_MODEL_SIZE");

    return s ? strtoull(s, NULL, 10) : 0;
}

static uint32_t range_at(uint64_t size, uint64_t at)
{
    return size - at < RANGE ? (uint32_t)(size - at) : RANGE;
}

static void ask(uint64_t size, uint64_t at)
{
    if (at < size)
        put(READ, range_at(size, at), at);
}

static bool sum_ranges(uint64_t *h)
{
    uint64_t size = model_size();

    *h = 0xcbf29ce484222325;
    ask(size, 0);
    for (uint64_t at = 0; at < size;) {
        uint32_t n = range_at(size, at);
        struct msg m;

        ask(size, at + n); /* one ahead */
        m = get();
        if (m.type != DATA || m.n != n || m.arg != at)
            return false;
        *h = mix(*h, room, n);
        at += n;
    }
    return true;
}

static bool sum_memory(uint64_t *h)
{
    size_t n = (size_t)model_size();
    void *p = mmap(NULL, n, PROT_READ, MAP_SHARED, WEIGHTS, 0);

    if (p == MAP_FAILED)
        return false;
    *h = mix(0xcbf29ce484222325, p, n);
    munmap(p, n);
    return true;
}

static bool sum(uint64_t *h)
{
    return getenv("CASEMATE_WEIGHTS") ? sum_memory(h) : sum_ranges(h);
}

/* ---- what it must not do ------------------------------------------------------------------- */

static unsigned done_n;

static void tried(const char *what, bool refused)
{
    printf("%s %s %d\n", refused ? "refused" : "DONE", what, errno);
    done_n += !refused;
}

static bool no_file(const char *path, int flags)
{
    int fd = open(path, flags, 0600);

    if (fd >= 0)
        close(fd);
    return fd < 0;
}

static void try_files(void)
{
    static const char *const read[] = {"/etc/passwd",    "/etc/shadow",        "/proc/self/mem",
                                       "/proc/1/mem",    "/proc/1/environ",    "/proc/self/environ",
                                       "/proc/self/exe", "/dev/mem",           "/sys/kernel",
                                       "/root",          "/proc/sysrq-trigger"};
    static const char *const make[] = {"/tmp/leak", "/leak", "leak", "/dev/shm/leak",
                                       "/var/tmp/leak"};

    for (size_t i = 0; i < sizeof read / sizeof *read; i++)
        tried(read[i], no_file(read[i], O_RDONLY));
    for (size_t i = 0; i < sizeof make / sizeof *make; i++)
        tried(make[i], no_file(make[i], O_WRONLY | O_CREAT));
    tried("write a measured file", no_file("data.txt", O_WRONLY));
    tried("mkdir", mkdir("/tmp/folder", 0700) < 0);
    tried("link", symlink("/etc/passwd", "/tmp/link") < 0);
    tried("chmod", chmod("data.txt", 0777) < 0);
    tried("mount", syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL) < 0);
    tried("chroot", syscall(SYS_chroot, "/") < 0);
}

static void try_network(void)
{
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_VSOCK};
    int pair[2];

    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        tried("socket", socket(families[i], SOCK_STREAM, 0) < 0);
    tried("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0);
}

static void try_processes(void)
{
    char name[] = "sh", *const argv[] = {name, NULL};

    tried("fork", fork() < 0);
    tried("vfork", syscall(SYS_vfork) < 0);
    tried("clone3", syscall(SYS_clone3, NULL, 0) < 0);
    tried("execve", execve("/bin/sh", argv, environ) < 0);
    tried("execveat", syscall(SYS_execveat, CHANNEL, "", argv, environ, AT_EMPTY_PATH) < 0);
    tried("exec weights", syscall(SYS_execveat, WEIGHTS, "", argv, environ, AT_EMPTY_PATH) < 0);
    /* The number that the program came from: nothing can get there any more. */
    tried("dup to 200", dup2(WEIGHTS, 200) < 0 && dup2(CHANNEL, 200) < 0);
    tried("exec of 200", syscall(SYS_execveat, 200, "", argv, environ, AT_EMPTY_PATH) < 0);
    tried("ptrace", ptrace(PTRACE_ATTACH, getppid() ? getppid() : 1, NULL, NULL) < 0);
    tried("traceme", ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0);
    tried("process_vm_readv", syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0) < 0);
    tried("kill", kill(getppid(), SIGTERM) < 0);
    tried("pidfd_open", syscall(SYS_pidfd_open, 1, 0) < 0);
}

static void try_memory(void)
{
    size_t n = 4096;
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    tried("code in memory", mmap(NULL, n, PROT_READ | PROT_WRITE | PROT_EXEC,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    tried("data becomes code", p == MAP_FAILED || mprotect(p, n, PROT_READ | PROT_EXEC) < 0);
    tried("memfd", syscall(SYS_memfd_create, "x", 0) < 0);
    tried("userfaultfd", syscall(SYS_userfaultfd, 0) < 0);
    tried("io_uring", syscall(SYS_io_uring_setup, 1, NULL) < 0);
    tried("bpf", syscall(SYS_bpf, 0, NULL, 0) < 0);
    tried("keyctl", syscall(SYS_keyctl, 0, -3, 0) < 0);
    tried("shm", syscall(SYS_shmget, 0, 4096, 01600) < 0);
}

static void try_weights(void)
{
    size_t n = (size_t)model_size();

    if (!getenv("CASEMATE_WEIGHTS"))
        return;
    tried("write weights", pwrite(WEIGHTS, "x", 1, 0) < 0);
    tried("cut weights", ftruncate(WEIGHTS, 0) < 0);
    tried("map weights to write",
          mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, WEIGHTS, 0) == MAP_FAILED);
    tried("unseal weights", fcntl(WEIGHTS, F_ADD_SEALS, 0) < 0);
}

static void try_itself(void)
{
    struct rlimit core, more = {1 << 20, 1 << 20};

    tried("be dumpable", prctl(PR_GET_DUMPABLE) == 0);
    tried("become dumpable", prctl(PR_SET_DUMPABLE, 1) < 0);
    tried("core limit", getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0);
    tried("raise core limit", setrlimit(RLIMIT_CORE, &more) < 0);
    tried("raise file limit", setrlimit(RLIMIT_NOFILE, &more) < 0);
    tried("become root", setuid(0) < 0);
    tried("namespace", syscall(SYS_unshare, 0x10000000) < 0);
    for (int fd = 6; fd < 256; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            tried("a descriptor more", false);
}

/* The variables that were named, the channel's, and no other. */
static void try_environment(void)
{
    for (char **e = environ; *e; e++)
        if (strncmp(*e, "CASEMATE_", 9) != 0 && strncmp(*e, "NAMED=", 6) != 0 &&
            strncmp(*e, "LD_LIBRARY_PATH=", 16) != 0)
            tried(*e, false);
    tried("LD_PRELOAD", getenv("LD_PRELOAD") == NULL);
    tried("secret variable", getenv("SECRET") == NULL);
}

static int hostile(void)
{
    try_files();
    try_network();
    try_processes();
    try_memory();
    try_weights();
    try_itself();
    try_environment();
    printf("%u done\n", done_n);
    fflush(stdout);
    return done_n ? 1 : 0;
}

/* ---- requests ------------------------------------------------------------------------------ */

static void answer_of(const char *what, const struct msg *m)
{
    uint64_t h = 0;
    char text[64];

    if (strcmp(what, "big") == 0) {
        put(ANSWER, 4 << 20, m->arg);
        for (int i = 0; i < 4; i++)
            all(true, room, 1 << 20);
        return;
    }
    if (strcmp(what, "sum") == 0) {
        int n = sum(&h) ? snprintf(text, sizeof text, "%016llx", (unsigned long long)h)
                        : snprintf(text, sizeof text, "failed");

        put(ANSWER, (uint32_t)n, m->arg);
        all(true, text, (size_t)n);
        return;
    }
    for (uint32_t i = 0; i < m->n / 2; i++) {
        uint8_t b = room[i];

        room[i] = room[m->n - 1 - i];
        room[m->n - 1 - i] = b;
    }
    put(ANSWER, m->n, m->arg + (strcmp(what, "other") == 0));
    all(true, room, m->n);
}

static int serve(const char *what)
{
    for (;;) {
        struct msg m;

        put(NEXT, 0, 0);
        m = get();
        if (m.type == END)
            return 0;
        if (m.type != CALL)
            return 92;
        if (strcmp(what, "hang") == 0)
            (void)poll(NULL, 0, -1);
        if (strcmp(what, "die") == 0)
            abort();
        if (strcmp(what, "break") == 0)
            put(99, 0, 0);
        answer_of(what, &m);
    }
}

/* Memory until there is none: 3 when it was refused; killed otherwise. */
static int eat(void)
{
    for (;;) {
        void *p = mmap(NULL, RANGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (p == MAP_FAILED)
            return 3;
        memset(p, 1, RANGE);
    }
}

static int ranges_out_of_bounds(void)
{
    static const uint64_t bad[][2] = {
        {0, 0}, {RANGE + 1, 0}, {1, UINT64_MAX}, {RANGE, UINT64_MAX - 10}, {UINT32_MAX, 0}};
    uint64_t size = model_size();

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put(READ, (uint32_t)bad[i][0], bad[i][1]);
        if (get().type != ERROR)
            return 1;
    }
    put(READ, 1, size);
    if (get().type != ERROR)
        return 2;
    put(READ, 2, size - 1);
    if (get().type != ERROR)
        return 3;
    put(READ, 1, size - 1);
    return get().type == DATA ? 0 : 4;
}

static uint64_t number_at(const uint8_t *p)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return v;
}

/* A range, and the same in the memory file when there is one, written out. */
static bool copy_range(uint32_t n, uint64_t at)
{
    static uint8_t same[RANGE];
    struct msg m;

    put(READ, n, at);
    m = get();
    if (m.type != DATA || m.n != n)
        return false;
    if (getenv("CASEMATE_WEIGHTS") &&
        (pread(WEIGHTS, same, n, (off_t)at) != (ssize_t)n || memcmp(same, room, n) != 0))
        return false;
    return write(1, room, n) == (ssize_t)n;
}

/* The file of that name in a model that is a folder: 4 when there is none. */
static int member(const char *name)
{
    for (uint64_t i = 0;; i++) {
        uint64_t at, left;
        struct msg m;

        put(FILE_AT, 0, i);
        m = get();
        if (m.type == ERROR)
            return 4;
        if (m.type != FILE_AT || m.n < 16 || m.arg != i)
            return 1;
        at = number_at(room);
        left = number_at(room + 8);
        if (m.n - 16 != strlen(name) || memcmp(room + 16, name, m.n - 16) != 0)
            continue;
        for (uint32_t n; left; left -= n, at += n) {
            n = left < RANGE ? (uint32_t)left : RANGE;
            if (!copy_range(n, at))
                return 2;
        }
        return 0;
    }
}

static int show(const char *path)
{
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, room, 4096);

    return n < 0 || write(1, room, (size_t)n) != n;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    uint64_t h;

    if (strcmp(what, "hostile") == 0)
        return hostile();
    if (strcmp(what, "eat") == 0)
        return eat();
    if (strcmp(what, "ranges") == 0)
        return ranges_out_of_bounds();
    if (strcmp(what, "show") == 0)
        return show(argv[2]);
    if (strcmp(what, "member") == 0)
        return member(argv[2]);
    if (strcmp(what, "whole") == 0) {
        if (!sum(&h))
            return 1;
        printf("%016llx\n", (unsigned long long)h);
        return fflush(stdout);
    }
    if (strcmp(what, "true") == 0)
        return 0;
    return serve(what);
}
