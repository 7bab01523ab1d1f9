/* held KEYD P11D MODULE TOKEN PIN-FILE FOLDER: a P-256 key that casemate-keyd made in a token and
 * uses there, asked for signatures as casemate-kmsd asks, in slices (slice.h): a job is how many
 * requests are in flight. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hsm/remote.h"
#include "run/keeper.h"
#include "slice.h"

enum {
    FLIGHT = 512,
    PATIENCE_MS = 20000,
    ANSWER_MAX = 1 << 17,
    CONF = 1024,
    LANES = 4 /* as kmsd has it */
};

struct held {
    cm_p11d p;
    char conf[CONF];
    char *env[2];
    const char *args[16];
    int broker;
    pthread_t starter;
    pid_t keyd;
    cm_keeper_client *k;
    cm_keyop made, tenant, op[FLIGHT];
    size_t flight, done, busy;
    bool more;
};

static const cm_view message = {(const uint8_t *)"a message of thirty-two bytes...", 32};

/* ---- processes ----------------------------------------------------------------------------- */

/* What casemate-kmsd's spawner does for keyd: a byte asks, sockets to a device's process answer. */
static bool give_device(struct held *h)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(LANES * sizeof(int))];
    } control = {.room = {0}};
    uint8_t byte = 0;
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room};
    struct cmsghdr *c;
    int fd[LANES];
    size_t size;
    bool ok;

    if (recv(h->broker, &byte, 1, 0) != 1)
        return false;
    fine(cm_p11d_connect(&h->p, fd), h->p.program);
    size = h->p.connections * sizeof fd[0];
    m.msg_controllen = CMSG_SPACE(size);
    c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(c), fd, size);
    byte = 0;
    ok = sendmsg(h->broker, &m, MSG_NOSIGNAL) == 1;
    for (unsigned i = 0; i < h->p.connections; i++)
        (void)close(fd[i]);
    return ok;
}

static void *starter(void *arg)
{
    struct held *h = (struct held *)arg;

    while (give_device(h))
        continue;
    return NULL;
}

static void start(struct held *h, char **argv)
{
    static const char *const keyd_args[] = {"--tenant-provider", "t", NULL};
    const char *const args[] = {
        "--module",   argv[3],   "--token", argv[4],  "--pin-file",
        argv[5],      "--write", argv[6],   "--read", h->conf + strlen("SOFTHSM2_CONF="),
        "--sessions", "4",       NULL};
    cm_keyd_spawn s = {
        .program = argv[1], .args = keyd_args, .connections = 1, .stderr_fd = STDERR_FILENO};
    cm_keeper_options o = {.depth = FLIGHT};
    int pair[2];

    (void)snprintf(h->conf, sizeof h->conf, "SOFTHSM2_CONF=%s", getenv("SOFTHSM2_CONF"));
    memcpy(h->args, args, sizeof args);
    h->env[0] = h->conf;
    h->p = (cm_p11d){.program = argv[2], .args = h->args, .env = h->env, .connections = LANES};
    must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0, "socket");
    h->broker = pair[0];
    s.device_fd = pair[1];
    fine(cm_keyd_start(&h->keyd, &o.fd, &s), argv[1]);
    (void)close(pair[1]);
    must(pthread_create(&h->starter, NULL, starter, h) == 0, "thread");
    fine(cm_keeper_new(&h->k, &o), "keyd");
}

static void stop(struct held *h)
{
    cm_keeper_free(h->k);
    must(waitpid(h->keyd, NULL, 0) == h->keyd && pthread_join(h->starter, NULL) == 0, "end");
    cm_p11d_stop(&h->p);
    cm_keyop_done_with(&h->made);
    cm_keyop_done_with(&h->tenant);
}

/* ---- keys ---------------------------------------------------------------------------------- */

static cm_key_binding binding(void)
{
    return (cm_key_binding){.tenant = CM_LIT("acme"),
                            .path = CM_LIT("acme\0\1keys\0\1of the bench\0\1"),
                            .version = 1,
                            .type = CM_KEY_P256,
                            .kek_version = 1};
}

static void run(struct held *h, cm_keyop *op, const char *what)
{
    fine(cm_keeper_run(h->k, op, PATIENCE_MS), what);
}

static void make_key(struct held *h)
{
    CM_AUTO(cm_buf_free) cm_buf body = {.max = ANSWER_MAX}, answer = {.max = ANSWER_MAX};
    cm_keyctl_init i = {.origin = CM_LIT("example.org/log"), .methods = {.n = 1}};

    i.methods.method[0] = (cm_unseal_method){
        .kind = CM_UNSEAL_SHARES, .need = 2, .shares = 3, .label = CM_LIT("board")};
    fine(cm_keyctl_put_init(&body, &i), "init");
    fine(cm_keeper_ask(h->k, CM_KEYMSG_INIT, cm_buf_view(&body), &answer, PATIENCE_MS), "init");
    h->tenant = (cm_keyop){.code = CM_KEYOP_NEW_TENANT,
                           .bind = {.tenant = CM_LIT("acme"), .kek_version = 1}};
    run(h, &h->tenant, "tenant");
    h->made = (cm_keyop){.code = CM_KEYOP_CREATE,
                         .bind = binding(),
                         .kek = cm_buf_view(&h->tenant.out),
                         .context = CM_LIT("t"),
                         .data = CM_LIT("bench-held")};
    run(h, &h->made, "key");
}

/* ---- slices -------------------------------------------------------------------------------- */

static void submit(struct held *h, cm_keyop *op);

static void signed_one(cm_keyop *op)
{
    struct held *h = (struct held *)op->arg;

    must(cm_ok(op->result) && op->out.n == 64, "sign");
    cm_keyop_done_with(op);
    h->busy--;
    h->done++;
    if (h->more)
        submit(h, op);
}

static void submit(struct held *h, cm_keyop *op)
{
    cm_keeper k = cm_keeper_of(h->k);

    *op = (cm_keyop){.code = CM_KEYOP_SIGN,
                     .bind = binding(),
                     .kek = cm_buf_view(&h->tenant.out),
                     .key = cm_buf_view(&h->made.out),
                     .data = message,
                     .done = signed_one,
                     .arg = h};
    h->busy++;
    k.submit(k.self, op);
}

static void slice(struct held *h, size_t flight, double seconds)
{
    double begin = slice_now();

    must(flight > 0 && flight <= FLIGHT, "how many in flight");
    h->done = 0;
    h->more = true;
    for (size_t i = 0; i < flight; i++)
        submit(h, &h->op[i]);
    while (h->busy) {
        struct pollfd p = {.fd = cm_keeper_fd(h->k),
                           .events = cm_keeper_wants_write(h->k) ? POLLIN | POLLOUT : POLLIN};

        cm_keeper_flush(h->k);
        must(poll(&p, 1, PATIENCE_MS) == 1, "no answer");
        h->more = slice_now() - begin < seconds;
        cm_keeper_readable(h->k);
    }
    slice_done(h->done, slice_now() - begin);
}

int main(int argc, char **argv)
{
    static struct held h;
    char job[SLICE_JOB];
    double seconds;

    if (argc != 7 || !getenv("SOFTHSM2_CONF")) {
        (void)fputs("usage: SOFTHSM2_CONF=FILE held KEYD P11D MODULE TOKEN PIN-FILE FOLDER\n",
                    stderr);
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    start(&h, argv);
    make_key(&h);
    slice_ready();
    while (slice_next(job, &seconds))
        slice(&h, strtoul(job, NULL, 10), seconds);
    stop(&h);
    return 0;
}
