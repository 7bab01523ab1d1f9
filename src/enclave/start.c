#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "base/secret.h"
#include "enclave/run_int.h"

enum { START_MS = 60000, GRACE_MS = 2000, ENV_OWN = 8, TEXT = CM_ENCLAVE_TEXT + 64 };

/* ---- arguments and variables --------------------------------------------------------------- */

/* Text that the child's exec takes: all of it made beforehand, in one buffer that does not move. */
struct texts {
    char *argv[CM_ENCLAVE_ARGS + 1];
    char *env[CM_ENCLAVE_ENV + ENV_OWN + 1], *env_here[CM_ENCLAVE_ENV + ENV_OWN + 1];
    char *owned[CM_ENCLAVE_ARGS + CM_ENCLAVE_ENV + 2 * ENV_OWN];
    size_t owned_n;
};

static void texts_free(struct texts **t)
{
    if (*t)
        for (size_t i = 0; i < (*t)->owned_n; i++)
            cm_free((*t)->owned[i]);
    cm_free(*t);
}

static cm_err keep(struct texts *t, char **out, cm_view a, const char *between, cm_view b)
{
    CM_AUTO(cm_buf_free) cm_buf s = {.max = 1 << 20};

    CM_TRY(cm_buf_append(&s, a));
    CM_TRY(cm_buf_append(&s, cm_view_str(between)));
    CM_TRY(cm_buf_append(&s, b));
    CM_TRY(cm_strdup(out, cm_buf_view(&s)));
    t->owned[t->owned_n++] = *out;
    return CM_OKAY;
}

static cm_err keep_number(struct texts *t, char **out, const char *name, uint64_t v)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)v);
    return keep(t, out, cm_view_str(name), "=", cm_view_str(text));
}

/* The folders of the held libraries where they are, in order, each once. */
static cm_err folders_here(cm_buf *b, const cm_closure *c)
{
    for (size_t i = 0; i < c->n; i++) {
        const char *slash = strrchr(c->v[i].path, '/');
        cm_view folder = cm_view_of(c->v[i].path, slash ? (size_t)(slash - c->v[i].path) : 0);
        bool seen = c->v[i].role != CM_ENCLAVE_LIBRARY || folder.n == 0;

        for (size_t k = 0; k < i && !seen; k++) {
            const char *other = c->v[k].path, *end = strrchr(other, '/');

            seen = c->v[k].role == CM_ENCLAVE_LIBRARY && end &&
                   cm_view_eq(folder, cm_view_of(other, (size_t)(end - other)));
        }
        if (seen)
            continue;
        if (b->n)
            CM_TRY(cm_buf_byte(b, ':'));
        CM_TRY(cm_buf_append(b, folder));
    }
    return CM_OKAY;
}

static cm_err own_env(struct texts *t, size_t *n, const cm_enclave_options *o)
{
    const cm_enclave_manifest *m = o->measured->manifest;

    CM_TRY(keep_number(t, &t->env[(*n)++], "CASEMATE_CHANNEL", CM_FD_CHANNEL));
    if (m->delivery != CM_ENCLAVE_NO_MODEL)
        CM_TRY(keep_number(t, &t->env[(*n)++], "CASEMATE_MODEL_SIZE", m->model_size));
    if (m->delivery == CM_ENCLAVE_MEMORY)
        CM_TRY(keep_number(t, &t->env[(*n)++], "CASEMATE_WEIGHTS", CM_FD_WEIGHTS));
    if (m->listens)
        CM_TRY(keep_number(t, &t->env[(*n)++], "CASEMATE_LISTEN", CM_FD_LISTEN));
    return CM_OKAY;
}

static cm_err make_texts(struct texts *t, const cm_enclave_options *o)
{
    CM_AUTO(cm_buf_free) cm_buf here = {.max = 1 << 20};
    const cm_enclave_manifest *m = o->measured->manifest;
    const cm_closure *c = &o->measured->closure;
    size_t n = 0;

    for (size_t i = 0; i < m->args_n; i++)
        CM_TRY(keep(t, &t->argv[i], m->args[i], "", CM_LIT("")));
    for (; n < m->env_n; n++)
        CM_TRY(keep(t, &t->env[n], m->env[n].name, "=", m->env[n].value));
    CM_TRY(own_env(t, &n, o));
    memcpy(t->env_here, t->env, sizeof t->env);
    if (!cm_closure_find(c, CM_ENCLAVE_LIBRARY))
        return CM_OKAY;
    CM_TRY(folders_here(&here, c));
    CM_TRY(keep(t, &t->env[n], CM_LIT("LD_LIBRARY_PATH"), "=", CM_LIT("/enclave/lib")));
    return keep(t, &t->env_here[n], CM_LIT("LD_LIBRARY_PATH"), "=", cm_buf_view(&here));
}

/* ---- the process --------------------------------------------------------------------------- */

struct ends {
    int channel[2], log[2], report[2], weights;
};

static void ends_close(struct ends *x)
{
    for (int i = 0; i < 2; i++) {
        cm_os_close_fd(&x->channel[i]);
        cm_os_close_fd(&x->log[i]);
        cm_os_close_fd(&x->report[i]);
    }
    cm_os_close_fd(&x->weights);
}

static cm_err open_ends(struct ends *x, const cm_enclave_options *o)
{
    const int room = 2 * CM_ENCLAVE_RANGE_MAX;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, x->channel) != 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, x->report) != 0 ||
        pipe2(x->log, O_CLOEXEC) != 0)
        return CM_FAIL(ENCLAVE_START);
    if (fcntl(x->channel[0], F_SETFL, O_NONBLOCK) != 0 ||
        fcntl(x->log[0], F_SETFL, O_NONBLOCK) != 0)
        return CM_FAIL(ENCLAVE_START);
    /* Room for a range, where the system gives it: fewer turns between the two. */
    (void)setsockopt(x->channel[0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
    if (o->measured->manifest->delivery == CM_ENCLAVE_MEMORY)
        return cm_sealed_memfd(o->model, &x->weights);
    return CM_OKAY;
}

/* As fork(), in as many new namespaces as the machine allows. */
static pid_t make_process(cm_child_plan *p, bool none)
{
    static const uint64_t all =
        CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
    const uint64_t tries[] = {
        all,
        all | CLONE_NEWUSER,
        CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC,
        CLONE_NEWNET | CLONE_NEWIPC,
        0,
    };

    for (size_t i = none ? CM_COUNT(tries) - 1 : 0; i < CM_COUNT(tries); i++) {
        pid_t pid;

        p->flags = tries[i];
        pid = (pid_t)syscall(SYS_clone, tries[i] | SIGCHLD, NULL, NULL, NULL, NULL);
        if (pid == 0) {
            cm_enclave_child(p);
            _exit(127);
        }
        if (pid > 0)
            return pid;
    }
    return -1;
}

/* A record, or the end, which is the program's start. */
static bool next_report(int fd, cm_child_report *r, bool *end)
{
    struct pollfd w = {.fd = fd, .events = POLLIN};
    ssize_t n;

    do
        n = poll(&w, 1, START_MS);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return false;
    n = read(fd, r, sizeof *r);
    *end = n == 0;
    return n == 0 || n == (ssize_t)sizeof *r;
}

static bool has_no_swap(void)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 8192};

    if (cm_failed(cm_os_slurp(&b, "/proc/swaps", 4096)))
        return false;
    return b.n && memchr(b.p, '\n', b.n) == b.p + b.n - 1; /* its heading alone */
}

/* The memory file is not the control group's: it stays in memory because this process holds it
 * there. */
static bool lock_weights(cm_enclave *e, int fd)
{
    e->weights_n = (size_t)e->o.measured->manifest->model_size;
    e->weights = mmap(NULL, e->weights_n, PROT_READ, MAP_SHARED, fd, 0);
    if (e->weights == MAP_FAILED) {
        e->weights = NULL;
        return false;
    }
    return mlock(e->weights, e->weights_n) == 0;
}

static uint32_t runner_has(cm_enclave *e, int weights)
{
    uint32_t has = e->group.memory[0] ? CM_HAS_CGROUP : 0;
    bool locked = weights < 0 || lock_weights(e, weights);

    if ((e->group.no_swap && locked) || has_no_swap())
        has |= CM_HAS_NO_SWAP;
    if (!e->o.model || cm_secret_kind() == CM_ARENA_MEMFD_SECRET)
        has |= CM_HAS_SECRET_KEYS;
    return has;
}

static uint64_t group_memory(const cm_enclave_options *o)
{
    const cm_enclave_manifest *m = o->measured->manifest;

    return m->memory - (m->delivery == CM_ENCLAVE_MEMORY ? m->model_size : 0);
}

/* The child says what holds, waits to be told to go on, and closes its end by running the program.
 */
static cm_err let_run(cm_enclave *e, uint32_t *has, int fd)
{
    cm_child_report r = {0}, after = {0};
    bool end = false;

    if (!next_report(fd, &r, &end) || end)
        return CM_FAIL(ENCLAVE_START);
    *has |= r.has;
    if (r.failed)
        return (cm_err){r.failed};
    if ((*has & e->o.demand) != e->o.demand) /* EN-23 */
        return CM_FAIL(ENCLAVE_WEAK);
    if (write(fd, "x", 1) != 1 || !next_report(fd, &after, &end) || !end)
        return CM_FAIL(ENCLAVE_START);
    return CM_OKAY;
}

static cm_err launch(cm_enclave *e, uint32_t *has, struct ends *x)
{
    CM_AUTO(texts_free) struct texts *t = NULL;
    cm_child_plan p = {.closure = &e->o.measured->closure,
                       .channel = x->channel[1],
                       .weights = x->weights,
                       .listen = e->o.listen,
                       .log = x->log[1],
                       .report = x->report[1],
                       .memory = e->o.measured->manifest->memory,
                       .uid = geteuid(),
                       .gid = getegid()};
    bool grouped;

    CM_TRY(cm_alloc(&t, sizeof *t));
    CM_TRY(make_texts(t, &e->o));
    p.argv = t->argv;
    p.env = t->env;
    p.env_here = t->env_here;
    e->pid = make_process(&p, e->o.no_namespaces);
    if (e->pid < 0)
        return CM_FAIL(ENCLAVE_START);
    e->pidfd = (int)syscall(SYS_pidfd_open, e->pid, 0);
    cm_os_close_fd(&x->report[1]);
    grouped = e->pidfd >= 0 && cm_cgroup_add(&e->group, e->pid);
    if (!grouped)
        cm_cgroup_remove(&e->group);
    *has |= runner_has(e, x->weights);
    if (e->pidfd < 0 || write(x->report[0], grouped ? "g" : "-", 1) != 1)
        return CM_FAIL(ENCLAVE_START);
    return let_run(e, has, x->report[0]);
}

/* The manifest is of this model, and of nothing that is not there. */
static bool is_of(const cm_enclave_options *o)
{
    const cm_enclave_manifest *m = o->measured->manifest;

    if (!o->model || m->delivery == CM_ENCLAVE_NO_MODEL)
        return !o->model && m->delivery == CM_ENCLAVE_NO_MODEL;
    return m->model_size == cm_sealed_get(o->model)->size &&
           cm_view_eq(CM_VIEW(m->model), CM_VIEW(cm_sealed_get(o->model)->digest));
}

static cm_err begin(cm_enclave *e, uint32_t *has)
{
    CM_AUTO(ends_close) struct ends x = {{-1, -1}, {-1, -1}, {-1, -1}, -1};
    const char *groups = e->o.groups ? e->o.groups : "/sys/fs/cgroup";
    uint64_t began = cm_os_monotonic_ns();

    CM_TRY(open_ends(&x, &e->o));
    (void)cm_cgroup_make(&e->group, groups, "/proc/self/cgroup", group_memory(&e->o));
    CM_TRY(launch(e, has, &x));
    e->figures.start_ns = cm_os_monotonic_ns() - began;
    e->channel = x.channel[0];
    e->log = x.log[0];
    x.channel[0] = x.log[0] = -1;
    return CM_OKAY;
}

cm_err cm_enclave_start(cm_enclave **out, uint32_t *has, const cm_crypt *c,
                        const cm_enclave_options *o)
{
    cm_enclave *e;
    cm_err err;

    *has = 0;
    if (!is_of(o) || o->measured->manifest->listens != (o->listen >= 0))
        return CM_FAIL(ENCLAVE_CHANGED); /* EN-24 */
    CM_TRY(cm_alloc(&e, sizeof *e));
    e->crypt = c;
    e->o = *o;
    e->pid = e->pidfd = e->channel = e->log = -1;
    e->out.max = CM_ENCLAVE_CALL_MAX + CM_MSG_HEAD;
    err = begin(e, has);
    if (cm_ok(err))
        *out = e;
    else
        cm_enclave_free(e);
    return err;
}

/* ---- the end ------------------------------------------------------------------------------- */

static void finish(cm_enclave *e)
{
    uint64_t until = cm_os_monotonic_ns() + GRACE_MS * 1000000ull;

    cm_err err = CM_OKAY;
    unsigned ready;

    e->ended = true;
    if (e->channel >= 0 && e->waits)
        err = cm_enclave_turn(e, NULL, 0, &ready, 0);
    if (e->channel >= 0)
        (void)shutdown(e->channel, SHUT_RDWR);
    while (cm_ok(err) && !e->dead && cm_os_monotonic_ns() < until)
        err = cm_enclave_turn(e, NULL, 0, &ready, 50);
}

void cm_enclave_free(cm_enclave *e)
{
    if (!e)
        return;
    if (e->pid > 0 && !e->dead) {
        if (e->channel >= 0 && e->call != CM_CALL_GIVEN)
            finish(e);
        if (!e->dead && kill(e->pid, SIGKILL) == 0)
            while (waitpid(e->pid, &e->status, 0) < 0 && errno == EINTR)
                continue;
    }
    if (e->weights)
        (void)munmap(e->weights, e->weights_n);
    cm_cgroup_remove(&e->group);
    cm_os_close_fd(&e->pidfd);
    cm_os_close_fd(&e->channel);
    cm_os_close_fd(&e->log);
    cm_buf_free(&e->out);
    cm_free(e);
}

void cm_enclave_free_ptr(cm_enclave **e)
{
    cm_enclave_free(*e);
}

void cm_enclave_get(const cm_enclave *e, cm_enclave_figures *f)
{
    *f = e->figures;
    f->pid = e->pid;
    f->peak = cm_cgroup_peak(&e->group);
}

const char *cm_enclave_has_name(unsigned bit)
{
    static const char *const names[CM_HAS_COUNT] = {
        "own-processes",  "own-network",  "own-files", "own-ipc",     "no-capabilities",
        "other-user",     "no-new-privs", "no-dump",   "landlock",    "seccomp",
        "held-libraries", "cgroup",       "no-swap",   "secret-keys",
    };

    return bit < CM_HAS_COUNT ? names[bit] : NULL;
}
