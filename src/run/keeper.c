#include "run/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/os.h"

enum {
    DEPTH = 1024,
    DEPTH_MAX = 65536,
    PACKET_OPS = 8, /* a packet is one worker's: more of them keep more workers busy */
    SEND_AT_ONCE = 16,
    SPARES = 32, /* empty packets kept for reuse */
    BACKOFF_MIN = 10,
    BACKOFF_MAX = 2000,
    NONE = -1
};

/* Packets to be sent, oldest first; the last one may still grow. */
struct packet {
    cm_buf b;
    unsigned frames;
    struct packet *next;
};

struct slot {
    uint32_t turn; /* of the slot's uses: half of a request's id */
    int32_t next;  /* free slots */
    unsigned kind; /* 0: free */
    void *who;     /* cm_keyop or cm_keyctl; NULL: nobody waits for it any more */
};

struct cm_keeper_client {
    cm_keeper_options o;
    int fd;
    uint64_t connections;
    struct packet *first, *last, *spare;
    unsigned spares;
    bool blocked; /* the socket took no more */
    struct slot *slots;
    int32_t free;
    size_t used;
    uint8_t *in;
    uint64_t backoff, next_try; /* next_try 0: not set yet */
};

/* ---- packets ------------------------------------------------------------------------------- */

static void drop_packet(cm_keeper_client *k, struct packet *p)
{
    cm_wipe(p->b.p, p->b.n);
    p->b.n = 0;
    p->frames = 0;
    if (k->spares < SPARES) {
        p->next = k->spare;
        k->spare = p;
        k->spares++;
        return;
    }
    cm_buf_free(&p->b);
    cm_free(p);
}

static cm_err new_packet(cm_keeper_client *k, struct packet **out)
{
    struct packet *p = k->spare;

    if (p) {
        k->spare = p->next;
        k->spares--;
    } else {
        CM_TRY(cm_alloc(&p, sizeof *p));
        p->b.max = CM_KEYMSG_PACKET;
    }
    p->next = NULL;
    *out = p;
    return CM_OKAY;
}

static void push_packet(cm_keeper_client *k, struct packet *p)
{
    if (k->last)
        k->last->next = p;
    else
        k->first = p;
    k->last = p;
}

static void pop_packet(cm_keeper_client *k)
{
    struct packet *p = k->first;

    k->first = p->next;
    if (!k->first)
        k->last = NULL;
    drop_packet(k, p);
}

static cm_err encode(cm_buf *b, uint64_t id, unsigned kind, const void *who)
{
    const cm_keyctl *c = who;

    if (kind == CM_KEYMSG_OP)
        return cm_keymsg_put_op(b, id, who);
    return cm_keymsg_put(b, id, (cm_keymsg_kind)kind, c->body);
}

static cm_err enqueue(cm_keeper_client *k, uint64_t id, unsigned kind, const void *who)
{
    struct packet *p = k->last;
    cm_err e;

    if (p && p->frames < PACKET_OPS) {
        e = encode(&p->b, id, kind, who);
        if (cm_ok(e))
            p->frames++;
        if (!cm_is(e, CM_TOO_BIG))
            return e;
    }
    CM_TRY(new_packet(k, &p));
    e = encode(&p->b, id, kind, who);
    if (cm_failed(e)) {
        drop_packet(k, p);
        return cm_is(e, CM_TOO_BIG) ? CM_FAIL(KEYOP_SIZE) : e;
    }
    p->frames = 1;
    push_packet(k, p);
    return CM_OKAY;
}

/* ---- requests in flight -------------------------------------------------------------------- */

static void finish(unsigned kind, void *who, cm_err e)
{
    if (kind == CM_KEYMSG_OP) {
        cm_keyop *op = who;

        op->result = e;
        op->done(op);
    } else {
        cm_keyctl *c = who;

        c->result = e;
        c->done(c);
    }
}

static void release(cm_keeper_client *k, int32_t i)
{
    k->slots[i].kind = 0;
    k->slots[i].who = NULL;
    k->slots[i].next = k->free;
    k->free = i;
    k->used--;
}

static void request(cm_keeper_client *k, unsigned kind, void *who)
{
    int32_t i = k->free;
    cm_err e;

    if (k->fd < 0) {
        finish(kind, who, CM_FAIL(KEEPER_DOWN));
        return;
    }
    if (i == NONE) {
        finish(kind, who, CM_FAIL(KEEPER_FULL));
        return;
    }
    e = enqueue(k, (uint64_t)++k->slots[i].turn << 32 | (uint32_t)i, kind, who);
    if (cm_failed(e)) {
        finish(kind, who, e);
        return;
    }
    k->free = k->slots[i].next;
    k->slots[i].kind = kind;
    k->slots[i].who = who;
    k->used++;
}

/* Everything in flight fails. done() may submit anew: that fails at once, since fd is gone. */
static void lose(cm_keeper_client *k)
{
    if (k->fd >= 0)
        close(k->fd);
    k->fd = -1;
    k->blocked = false;
    k->next_try = 0;
    while (k->first)
        pop_packet(k);
    for (size_t i = 0; k->used > 0 && i < k->o.depth; i++) {
        struct slot s = k->slots[i];

        if (s.kind == 0)
            continue;
        release(k, (int32_t)i);
        if (s.who)
            finish(s.kind, s.who, CM_FAIL(KEEPER_LOST));
    }
}

static cm_err take_answer(cm_keeper_client *k, const cm_keymsg *m, struct slot *s)
{
    uint32_t i = (uint32_t)m->id;
    cm_view rest;
    cm_keyctl *c;

    if (i >= k->o.depth || k->slots[i].turn != m->id >> 32 || k->slots[i].kind == 0 ||
        m->kind != (k->slots[i].kind | CM_KEYMSG_ANSWER))
        return CM_FAIL(KEYMSG_MALFORMED); /* KD-3 */
    *s = k->slots[i];
    if (!s->who) {
        release(k, (int32_t)i);
        return CM_OKAY;
    }
    if (s->kind == CM_KEYMSG_OP) {
        cm_err e = cm_keymsg_get_op_answer(s->who, m->body);

        if (cm_is(e, CM_KEYMSG_MALFORMED))
            return e;
        if (cm_failed(e))
            ((cm_keyop *)s->who)->result = e;
    } else {
        c = s->who;
        CM_TRY(cm_keymsg_get_answer(&c->result, &rest, m->body));
        c->answer.max = CM_MAX(c->answer.max, rest.n);
        if (cm_ok(c->result))
            c->result = cm_buf_append(&c->answer, rest);
    }
    release(k, (int32_t)i);
    return CM_OKAY;
}

static cm_err take_packet(cm_keeper_client *k, cm_view packet)
{
    uint64_t connection = k->connections;
    cm_keymsg m;

    while (packet.n > 0) {
        struct slot s = {0};

        CM_TRY(cm_keymsg_next(&m, &packet));
        CM_TRY(take_answer(k, &m, &s));
        if (s.who && s.kind == CM_KEYMSG_OP)
            ((cm_keyop *)s.who)->done(s.who);
        else if (s.who)
            ((cm_keyctl *)s.who)->done(s.who);
        if (k->fd < 0 || k->connections != connection) /* done() has found it lost */
            return CM_OKAY;
    }
    return CM_OKAY;
}

void cm_keeper_readable(cm_keeper_client *k)
{
    uint64_t connection = k->connections;

    while (k->fd >= 0 && k->connections == connection) {
        ssize_t n = recv(k->fd, k->in, CM_KEYMSG_PACKET, MSG_DONTWAIT | MSG_TRUNC);
        cm_err e;

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0 || n > CM_KEYMSG_PACKET) {
            lose(k);
            return;
        }
        k->backoff = BACKOFF_MIN; /* it answers: the next loss is a new one */
        e = take_packet(k, cm_view_of(k->in, (size_t)n));
        cm_wipe(k->in, (size_t)n);
        if (cm_failed(e)) {
            lose(k);
            return;
        }
    }
}

/* As many packets as are there with one call; how many went, or -1. */
static int send_some(cm_keeper_client *k)
{
    struct mmsghdr m[SEND_AT_ONCE] = {0};
    struct iovec v[SEND_AT_ONCE];
    unsigned n = 0;
    int sent;

    for (struct packet *p = k->first; p && n < SEND_AT_ONCE; p = p->next) {
        v[n] = (struct iovec){p->b.p, p->b.n};
        m[n].msg_hdr.msg_iov = &v[n];
        m[n++].msg_hdr.msg_iovlen = 1;
    }
    do
        sent = sendmmsg(k->fd, m, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent;
}

void cm_keeper_flush(cm_keeper_client *k)
{
    k->blocked = false;
    while (k->fd >= 0 && k->first) {
        int sent = send_some(k);

        if (sent < 0 && errno == EAGAIN) {
            k->blocked = true;
            return;
        }
        if (sent <= 0) {
            lose(k);
            return;
        }
        while (sent-- > 0)
            pop_packet(k);
    }
}

/* ---- connection ---------------------------------------------------------------------------- */

static cm_err check_peer(int fd)
{
    struct ucred who;
    socklen_t n = sizeof who;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) != 0 ||
        (who.uid != geteuid() && who.uid != 0))
        return CM_FAIL(KEEPER_PEER);
    return CM_OKAY;
}

static cm_err adopt(cm_keeper_client *k, int fd)
{
    cm_err e = k->o.check_peer ? check_peer(fd) : CM_OKAY;

    if (cm_ok(e) && fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
        e = CM_FAIL(KEEPER_DOWN);
    if (cm_failed(e)) {
        close(fd);
        return e;
    }
    k->fd = fd;
    k->connections++;
    return CM_OKAY;
}

static cm_err attempt(cm_keeper_client *k)
{
    int fd = -1;

    if (!k->o.connect)
        return CM_FAIL(KEEPER_DOWN);
    CM_TRY(k->o.connect(k->o.arg, &fd));
    return adopt(k, fd);
}

uint64_t cm_keeper_tick(cm_keeper_client *k, uint64_t now_ms)
{
    if (k->fd >= 0 || !k->o.connect)
        return UINT64_MAX;
    if (k->next_try == 0)
        k->next_try = now_ms + k->backoff;
    if (now_ms < k->next_try)
        return k->next_try;
    if (cm_ok(attempt(k))) {
        k->next_try = 0;
        k->backoff = CM_MIN(2 * k->backoff, (uint64_t)BACKOFF_MAX); /* until it answers */
        return UINT64_MAX;
    }
    k->backoff = CM_MIN(2 * k->backoff, (uint64_t)BACKOFF_MAX);
    k->next_try = now_ms + k->backoff;
    return k->next_try;
}

static cm_err make(cm_keeper_client **out, const cm_keeper_options *o)
{
    CM_AUTO(cm_keeper_free_ptr) cm_keeper_client *k = NULL;

    CM_TRY(cm_alloc(&k, sizeof *k));
    k->fd = -1;
    k->o = *o;
    k->o.depth = CM_MIN(o->depth ? o->depth : DEPTH, (unsigned)DEPTH_MAX);
    k->backoff = BACKOFF_MIN;
    CM_TRY(cm_alloc(&k->in, CM_KEYMSG_PACKET));
    CM_TRY(cm_alloc_array(&k->slots, k->o.depth, sizeof *k->slots));
    for (size_t i = 0; i < k->o.depth; i++)
        k->slots[i].next = i + 1 < k->o.depth ? (int32_t)i + 1 : NONE;
    *out = k;
    k = NULL;
    return CM_OKAY;
}

cm_err cm_keeper_new(cm_keeper_client **out, const cm_keeper_options *o)
{
    CM_AUTO(cm_keeper_free_ptr) cm_keeper_client *k = NULL;
    cm_err e = make(&k, o);

    if (cm_failed(e)) {
        if (o->fd >= 0)
            close(o->fd);
        return e;
    }
    e = o->fd >= 0 ? adopt(k, o->fd) : attempt(k);
    if (cm_failed(e) && (cm_is(e, CM_KEEPER_PEER) || !o->connect))
        return e;
    *out = k;
    k = NULL;
    return CM_OKAY;
}

void cm_keeper_free(cm_keeper_client *k)
{
    if (!k)
        return;
    if (k->slots)
        lose(k);
    while (k->spare) {
        struct packet *p = k->spare;

        k->spare = p->next;
        cm_buf_free(&p->b);
        cm_free(p);
    }
    cm_free(k->in);
    cm_free(k->slots);
    cm_free(k);
}

void cm_keeper_free_ptr(cm_keeper_client **k)
{
    cm_keeper_free(*k);
}

static void submit(void *self, cm_keyop *op)
{
    request(self, CM_KEYMSG_OP, op);
}

cm_keeper cm_keeper_of(cm_keeper_client *k)
{
    return (cm_keeper){.submit = submit, .self = k};
}

void cm_keeper_control(cm_keeper_client *k, cm_keyctl *c)
{
    request(k, c->kind, c);
}

int cm_keeper_fd(const cm_keeper_client *k)
{
    return k->fd;
}

uint64_t cm_keeper_connection(const cm_keeper_client *k)
{
    return k->fd < 0 ? 0 : k->connections;
}

bool cm_keeper_wants_write(const cm_keeper_client *k)
{
    return k->blocked;
}

size_t cm_keeper_in_flight(const cm_keeper_client *k)
{
    return k->used;
}

/* ---- waiting ------------------------------------------------------------------------------- */

static void mark_op(cm_keyop *op)
{
    *(bool *)op->arg = true;
}

static void mark_control(cm_keyctl *c)
{
    *(bool *)c->arg = true;
}

/* The answer may still come; nobody waits for it then. */
static void abandon(cm_keeper_client *k, const void *who)
{
    for (size_t i = 0; i < k->o.depth; i++)
        if (k->slots[i].who == who)
            k->slots[i].who = NULL;
}

/* Drive the connection until *done. False when the time is over. */
static bool drive(cm_keeper_client *k, const bool *done, int timeout_ms)
{
    uint64_t end = cm_os_monotonic_ns() / 1000000 + (uint64_t)CM_MAX(timeout_ms, 0);

    for (;;) {
        struct pollfd p = {.fd = k->fd, .events = POLLIN};
        uint64_t now = cm_os_monotonic_ns() / 1000000;

        cm_keeper_flush(k);
        if (*done)
            return true;
        if (now >= end)
            return false;
        p.fd = k->fd;
        p.events = (short)(POLLIN | (k->blocked ? POLLOUT : 0));
        if (poll(&p, 1, (int)(end - now)) > 0)
            cm_keeper_readable(k);
    }
}

static void connect_now(cm_keeper_client *k)
{
    if (k->fd < 0 && cm_failed(attempt(k)))
        k->fd = -1;
}

cm_err cm_keeper_run(cm_keeper_client *k, cm_keyop *op, int timeout_ms)
{
    void (*was)(cm_keyop *) = op->done;
    void *arg = op->arg;
    bool done = false;

    connect_now(k);
    op->done = mark_op;
    op->arg = &done;
    request(k, CM_KEYMSG_OP, op);
    if (!drive(k, &done, timeout_ms)) {
        abandon(k, op);
        op->result = CM_FAIL(KEEPER_TIMEOUT);
    }
    op->done = was;
    op->arg = arg;
    return op->result;
}

cm_err cm_keeper_ask(cm_keeper_client *k, cm_keymsg_kind kind, cm_view body, cm_buf *out,
                     int timeout_ms)
{
    bool done = false;
    cm_keyctl c = {.kind = kind, .body = body, .done = mark_control, .arg = &done};
    cm_err e;

    connect_now(k);
    request(k, (unsigned)kind, &c);
    if (!drive(k, &done, timeout_ms)) {
        abandon(k, &c);
        c.result = CM_FAIL(KEEPER_TIMEOUT);
    }
    e = c.result;
    if (cm_ok(e) && out)
        e = cm_buf_append(out, cm_buf_view(&c.answer));
    cm_buf_free(&c.answer);
    return e;
}
