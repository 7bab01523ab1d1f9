#include "run/trace.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "codec/json.h"
#include "codec/text.h"

enum { BATCH = 256, IO_MS = 2000, LINGER_MS = 200, HEAD = 1024, BODY_MAX = 4 << 20 };

struct entry {
    cm_span span;
    uint8_t id[8];
};

struct cm_trace {
    struct sockaddr_storage to;
    socklen_t to_n;
    char host[160], path[512];
    char *service, *node;
    cm_trace_options o;
    atomic_uint one_in;
    pthread_t thread;
    bool started;

    pthread_mutex_t lock; /* of all below */
    pthread_cond_t work;
    bool stop;
    struct entry *ring;
    size_t first, n;
    uint64_t roots;
    cm_trace_stats stats;
};

/* ---- traceparent --------------------------------------------------------------------------- */

static bool hex_lower(uint8_t *out, size_t n, const uint8_t *p)
{
    uint8_t any = 0;

    for (size_t i = 0; i < 2 * n; i++) {
        uint8_t v = p[i] >= '0' && p[i] <= '9'   ? (uint8_t)(p[i] - '0')
                    : p[i] >= 'a' && p[i] <= 'f' ? (uint8_t)(p[i] - 'a' + 10)
                                                 : 0xff;

        if (v == 0xff)
            return false;
        out[i / 2] = (uint8_t)(i % 2 ? out[i / 2] | v : v << 4);
        any |= v;
    }
    return any != 0 || n == 1;
}

bool cm_trace_parse(cm_trace_context *out, cm_view v)
{
    cm_trace_context c;
    uint8_t version, flags;

    if (v.n < 55 || v.p[2] != '-' || v.p[35] != '-' || v.p[52] != '-')
        return false;
    if (!hex_lower(&version, 1, v.p) || version == 0xff || (version == 0 && v.n != 55) ||
        (v.n > 55 && v.p[55] != '-'))
        return false;
    if (!hex_lower(c.trace, sizeof c.trace, v.p + 3) ||
        !hex_lower(c.span, sizeof c.span, v.p + 36) || !hex_lower(&flags, 1, v.p + 53))
        return false;
    c.sampled = flags & 1;
    *out = c;
    return true;
}

static void hex(char *out, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        snprintf(out + 2 * i, 3, "%02x", p[i]);
}

void cm_trace_print(char text[56], const cm_trace_context *c)
{
    memcpy(text, "00-", 3);
    hex(text + 3, c->trace, 16);
    text[35] = '-';
    hex(text + 36, c->span, 8);
    snprintf(text + 52, 4, "-0%d", c->sampled);
}

/* ---- the queue ----------------------------------------------------------------------------- */

static bool zero(const uint8_t *p, size_t n)
{
    uint8_t any = 0;

    for (size_t i = 0; i < n; i++)
        any |= p[i];
    return any == 0;
}

/* Whether a span is wanted: of a trace that its caller samples, or one in so many. */
static bool wanted(cm_trace *t, const cm_span *s)
{
    unsigned one_in = atomic_load(&t->one_in);

    if (!zero(s->parent.trace, sizeof s->parent.trace))
        return s->parent.sampled;
    return t->roots++ % CM_MAX(one_in, 1u) == 0;
}

void cm_trace_submit(cm_trace *t, const cm_span *s)
{
    struct entry *e;

    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    if (wanted(t, s)) {
        if (t->n == t->o.depth)
            t->stats.dropped++;
        else {
            e = &t->ring[(t->first + t->n++) % t->o.depth];
            *e = (struct entry){.span = *s};
            pthread_cond_signal(&t->work);
        }
    }
    pthread_mutex_unlock(&t->lock);
}

void cm_trace_set_one_in(cm_trace *t, unsigned one_in)
{
    atomic_store(&t->one_in, one_in);
}

void cm_trace_stats_of(cm_trace *t, cm_trace_stats *out)
{
    pthread_mutex_lock(&t->lock);
    *out = t->stats;
    pthread_mutex_unlock(&t->lock);
}

/* ---- OTLP ---------------------------------------------------------------------------------- */

static void put_attribute(cm_json_writer *w, const char *name, const char *value)
{
    cm_json_begin_object(w, NULL);
    cm_json_put_text(w, "key", cm_view_str(name));
    cm_json_begin_object(w, "value");
    cm_json_put_text(w, "stringValue", cm_view_str(value));
    cm_json_end_object(w);
    cm_json_end_object(w);
}

static void put_hex(cm_json_writer *w, const char *name, const uint8_t *p, size_t n)
{
    cm_json_put_hex(w, name, cm_view_of(p, n));
}

/* 64-bit numbers are strings in the JSON form of protobuf. */
static void put_time(cm_json_writer *w, const char *name, uint64_t ns)
{
    char text[24];

    snprintf(text, sizeof text, "%llu", (unsigned long long)ns);
    cm_json_put_text(w, name, cm_view_str(text));
}

static void put_span(cm_json_writer *w, const struct entry *e)
{
    const cm_span *s = &e->span;

    cm_json_begin_object(w, NULL);
    put_hex(w, "traceId", s->parent.trace, 16);
    put_hex(w, "spanId", e->id, 8);
    if (!zero(s->parent.span, 8))
        put_hex(w, "parentSpanId", s->parent.span, 8);
    cm_json_put_text(w, "name", cm_view_str(s->name));
    cm_json_put_u64(w, "kind", 2); /* SERVER */
    put_time(w, "startTimeUnixNano", s->start_ns);
    put_time(w, "endTimeUnixNano", s->end_ns);
    cm_json_begin_array(w, "attributes");
    for (size_t i = 0; i < CM_SPAN_ATTRIBUTES && s->attribute[i].name; i++)
        put_attribute(w, s->attribute[i].name, s->attribute[i].value);
    cm_json_end_array(w);
    cm_json_begin_object(w, "status");
    cm_json_put_u64(w, "code", s->failed ? 2 : 0);
    cm_json_end_object(w);
    cm_json_end_object(w);
}

static cm_err otlp(cm_buf *out, const cm_trace *t, const struct entry *e, size_t n)
{
    cm_json_writer w = {.out = out};

    cm_json_begin_object(&w, NULL);
    cm_json_begin_array(&w, "resourceSpans");
    cm_json_begin_object(&w, NULL);
    cm_json_begin_object(&w, "resource");
    cm_json_begin_array(&w, "attributes");
    put_attribute(&w, "service.name", t->service);
    put_attribute(&w, "service.instance.id", t->node);
    cm_json_end_array(&w);
    cm_json_end_object(&w);
    cm_json_begin_array(&w, "scopeSpans");
    cm_json_begin_object(&w, NULL);
    cm_json_begin_object(&w, "scope");
    cm_json_put_text(&w, "name", CM_LIT("casemate"));
    cm_json_end_object(&w);
    cm_json_begin_array(&w, "spans");
    for (size_t i = 0; i < n; i++)
        put_span(&w, &e[i]);
    cm_json_end_array(&w);
    cm_json_end_object(&w);
    cm_json_end_array(&w);
    cm_json_end_object(&w);
    cm_json_end_array(&w);
    cm_json_end_object(&w);
    return cm_json_finish(&w);
}

/* ---- sending ------------------------------------------------------------------------------- */

static cm_err wait_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    int r;

    do
        r = poll(&p, 1, IO_MS);
    while (r < 0 && errno == EINTR);
    return r == 1 ? CM_OKAY : CM_FAIL(TRACE_REFUSED);
}

static cm_err send_all(int fd, cm_view v)
{
    while (v.n) {
        ssize_t r = send(fd, v.p, v.n, MSG_NOSIGNAL);

        if (r > 0)
            v = cm_view_sub(v, (size_t)r, v.n - (size_t)r);
        else if (r < 0 && errno != EAGAIN && errno != EINTR)
            return CM_FAIL(TRACE_REFUSED);
        else
            CM_TRY(wait_for(fd, POLLOUT));
    }
    return CM_OKAY;
}

/* The status line is all that is of interest: "HTTP/1.1 2xx". */
static cm_err read_status(int fd)
{
    char text[64] = "";
    size_t n = 0;

    while (n < 12) {
        ssize_t r;

        CM_TRY(wait_for(fd, POLLIN));
        r = recv(fd, text + n, sizeof text - 1 - n, 0);
        if (r == 0 || (r < 0 && errno != EAGAIN && errno != EINTR))
            return CM_FAIL(TRACE_REFUSED);
        n += r > 0 ? (size_t)r : 0;
    }
    return strncmp(text, "HTTP/1.", 7) == 0 && text[9] == '2' ? CM_OKAY : CM_FAIL(TRACE_REFUSED);
}

static cm_err post(const cm_trace *t, cm_view body)
{
    CM_AUTO(cm_os_close_fd)
    int fd = socket(t->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    char head[HEAD];
    int n = snprintf(head, sizeof head,
                     "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                     t->path, t->host, body.n);

    if (fd < 0 || n < 0 || n >= HEAD)
        return CM_FAIL(TRACE_REFUSED);
    if (connect(fd, (const struct sockaddr *)&t->to, t->to_n) != 0 && errno != EINPROGRESS)
        return CM_FAIL(TRACE_REFUSED);
    CM_TRY(wait_for(fd, POLLOUT));
    CM_TRY(send_all(fd, cm_view_of(head, (size_t)n)));
    CM_TRY(send_all(fd, body));
    return read_status(fd);
}

static cm_err name_spans(const cm_trace *t, struct entry *e, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        CM_TRY(t->o.random(t->o.arg, e[i].id, sizeof e[i].id));
        if (zero(e[i].span.parent.trace, 16))
            CM_TRY(t->o.random(t->o.arg, e[i].span.parent.trace, 16));
    }
    return CM_OKAY;
}

static cm_err send_batch(const cm_trace *t, struct entry *e, size_t n)
{
    CM_AUTO(cm_buf_free) cm_buf body = {.max = BODY_MAX};

    CM_TRY(name_spans(t, e, n));
    CM_TRY(otlp(&body, t, e, n));
    return post(t, cm_buf_view(&body));
}

/* Waits for spans, a little longer for more of them; 0 when there is nothing left to do. */
static size_t next_batch(cm_trace *t, struct entry *batch)
{
    struct timespec until;
    size_t n = 0;

    pthread_mutex_lock(&t->lock);
    while (t->n == 0 && !t->stop)
        pthread_cond_wait(&t->work, &t->lock);
    if (!t->stop && t->n < BATCH) {
        uint64_t ns = cm_os_monotonic_ns() + LINGER_MS * 1000000ULL;

        until = (struct timespec){.tv_sec = (time_t)(ns / 1000000000),
                                  .tv_nsec = (long)(ns % 1000000000)};
        while (!t->stop && t->n < BATCH &&
               pthread_cond_timedwait(&t->work, &t->lock, &until) != ETIMEDOUT)
            continue;
    }
    for (; n < BATCH && t->n; n++, t->n--) {
        batch[n] = t->ring[t->first];
        t->first = (t->first + 1) % t->o.depth;
    }
    pthread_mutex_unlock(&t->lock);
    return n;
}

static void *sender(void *arg)
{
    cm_trace *t = (cm_trace *)arg;
    struct entry *batch = NULL;
    size_t n;

    if (cm_failed(cm_alloc_array(&batch, BATCH, sizeof *batch)))
        return NULL;
    while ((n = next_batch(t, batch)) != 0) {
        cm_err e = send_batch(t, batch, n);

        pthread_mutex_lock(&t->lock);
        if (cm_ok(e))
            t->stats.sent += n;
        else
            t->stats.failed += n;
        /* A dead collector does not hold up the end of the process. */
        if (cm_failed(e) && t->stop) {
            t->stats.dropped += t->n;
            t->n = 0;
        }
        pthread_mutex_unlock(&t->lock);
    }
    cm_free(batch);
    return NULL;
}

/* ---- beginning and end --------------------------------------------------------------------- */

static cm_err resolve(cm_trace *t, const char *host, uint16_t port)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&t->to;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&t->to;

    if (inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, &v4->sin_addr) ==
        1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        t->to_n = sizeof *v4;
        return CM_OKAY;
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1)
        return CM_FAIL(TRACE_ENDPOINT);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    t->to_n = sizeof *v6;
    return CM_OKAY;
}

/* The port behind the last colon that is not inside brackets; *n: bytes of the host before it. */
static cm_err take_port(const char *authority, size_t *n, uint16_t *port)
{
    const char *colon = strrchr(authority, ':');
    uint64_t v = 4318;

    *n = strlen(authority);
    if (colon && !strchr(colon, ']')) {
        if (cm_failed(cm_dec_u64(&v, cm_view_str(colon + 1))) || v == 0 || v > 65535)
            return CM_FAIL(TRACE_ENDPOINT);
        *n = (size_t)(colon - authority);
    }
    *port = (uint16_t)v;
    return CM_OKAY;
}

static cm_err take_endpoint(cm_trace *t, const char *url)
{
    char host[160];
    const char *from = url + 7, *slash;
    uint16_t port;
    size_t n;

    if (strncmp(url, "http://", 7) != 0)
        return CM_FAIL(TRACE_ENDPOINT);
    slash = strchr(from, '/');
    n = slash ? (size_t)(slash - from) : strlen(from);
    if (n == 0 || n >= sizeof t->host || (slash && strlen(slash) >= sizeof t->path))
        return CM_FAIL(TRACE_ENDPOINT);
    memcpy(t->host, from, n);
    snprintf(t->path, sizeof t->path, "%s", slash ? slash : "/v1/traces");
    CM_TRY(take_port(t->host, &n, &port));
    snprintf(host, sizeof host, "%.*s", (int)n, t->host);
    if (n > 1 && host[0] == '[' && host[n - 1] == ']') {
        host[n - 1] = 0;
        return resolve(t, host + 1, port);
    }
    return resolve(t, host, port);
}

static cm_err start(cm_trace *t)
{
    pthread_condattr_t a;

    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->work, &a);
    pthread_condattr_destroy(&a);
    if (pthread_create(&t->thread, NULL, sender, t) != 0)
        return CM_FAIL(NO_THREAD);
    t->started = true;
    return CM_OKAY;
}

cm_err cm_trace_new(cm_trace **out, const cm_trace_options *o)
{
    CM_AUTO(cm_trace_free_ptr) cm_trace *t = NULL;

    CM_TRY(cm_alloc(&t, sizeof *t));
    t->o = *o;
    t->o.depth = CM_MAX(o->depth, 1u);
    atomic_store(&t->one_in, o->one_in);
    CM_TRY(take_endpoint(t, o->endpoint));
    CM_TRY(cm_strdup(&t->service, cm_view_str(o->service)));
    CM_TRY(cm_strdup(&t->node, cm_view_str(o->node)));
    CM_TRY(cm_alloc_array(&t->ring, t->o.depth, sizeof *t->ring));
    CM_TRY(start(t));
    *out = t;
    t = NULL;
    return CM_OKAY;
}

void cm_trace_free(cm_trace *t)
{
    if (!t)
        return;
    if (t->started) {
        pthread_mutex_lock(&t->lock);
        t->stop = true;
        pthread_cond_signal(&t->work);
        pthread_mutex_unlock(&t->lock);
        pthread_join(t->thread, NULL);
        pthread_mutex_destroy(&t->lock);
        pthread_cond_destroy(&t->work);
    }
    cm_free(t->ring);
    cm_free(t->service);
    cm_free(t->node);
    cm_free(t);
}

void cm_trace_free_ptr(cm_trace **t)
{
    cm_trace_free(*t);
    *t = NULL;
}
