/* Health (grpc.health.v1) and reflection (grpc.reflection.v1, v1alpha). */
#include "wire/grpc_int.h"
#include "wire/proto_int.h"

enum { FILES = 4, ASK_MAX = 4096, BACKLOG = 1 << 20, UNKNOWN_SERVICE = 3, CALLS_MAX = 4096 };
enum { SERVING = 1, NOT_SERVING = 2, NOT_FOUND = 5, UNIMPLEMENTED = 12 };

struct call {
    struct call *next;
    cm_http_request *r;
    const cm_grpc_method *method;
    cm_grpc_reader in;
    bool begun;    /* its answers have */
    bool watching; /* Watch, with its one request read */
    bool known;    /* what it watches */
};

struct cm_grpc_std {
    const cm_grpc_table *files[FILES];
    cm_buf encoded[FILES];
    struct call *calls;
    size_t calls_n;
    bool serving;
};

/* ---- calls -------------------------------------------------------------------------------- */

static struct call **place_of(cm_grpc_std *s, const cm_http_request *r)
{
    struct call **at = &s->calls;

    while (*at && (*at)->r != r)
        at = &(*at)->next;
    return at;
}

static void forget(cm_grpc_std *s, struct call *c)
{
    struct call **at = place_of(s, c->r);

    *at = c->next;
    s->calls_n--;
    cm_grpc_reader_done(&c->in);
    cm_free(c);
}

/* The call ends. What could not be said because memory is short, the peer sees as a reset. */
static void end(cm_grpc_std *s, struct call *c, cm_err e, const char *text)
{
    cm_http_request *r = c->r;
    bool begun = c->begun;
    cm_err done;

    forget(s, c);
    done = begun ? cm_grpc_end(r, e, text) : cm_grpc_fail(r, e, text, NULL, 0);
    (void)cm_failed(done);
}

/* False when the call is over. */
static bool tell(cm_grpc_std *s, struct call *c, cm_view message)
{
    cm_err e = CM_OKAY;

    if (cm_http_backlog(c->r) > BACKLOG) {
        end(s, c, CM_FAIL(GRPC_TOO_LONG), "answers are not read");
        return false;
    }
    if (!c->begun)
        e = cm_grpc_begin(c->r, NULL, 0);
    c->begun = true;
    if (cm_ok(e))
        e = cm_grpc_send(c->r, message);
    if (cm_failed(e))
        forget(s, c);
    return cm_ok(e);
}

/* ---- health ------------------------------------------------------------------------------- */

/* "" is the server as a whole. */
static bool known_service(const cm_grpc_std *s, cm_view name)
{
    uint8_t last;

    if (name.n == 0)
        return true;
    for (size_t f = 0; f < FILES; f++)
        for (size_t i = 0; i < s->files[f]->n; i++) {
            cm_view package = cm_view_str(s->files[f]->package),
                    service = cm_view_str(s->files[f]->methods[i].service);

            if (name.n != package.n + 1 + service.n)
                continue;
            last = name.p[package.n];
            if (last == '.' && cm_view_eq(cm_view_sub(name, 0, package.n), package) &&
                cm_view_eq(cm_view_sub(name, package.n + 1, service.n), service))
                return true;
        }
    return false;
}

static bool tell_health(cm_grpc_std *s, struct call *c, bool known)
{
    uint8_t message[2] = {0x08, UNKNOWN_SERVICE};

    if (known)
        message[1] = s->serving ? SERVING : NOT_SERVING;
    return tell(s, c, CM_VIEW(message));
}

static void health(cm_grpc_std *s, struct call *c, const cm_msg *ask)
{
    bool known = known_service(s, cm_msg_view(ask, 0));

    if (c->method->streaming) {
        c->watching = true;
        c->known = known;
        (void)tell_health(s, c, known);
    } else if (!known) {
        end(s, c, CM_FAIL(GRPC_SERVICE), NULL);
    } else if (tell_health(s, c, true)) {
        end(s, c, CM_OKAY, NULL);
    }
}

void cm_grpc_std_serving(cm_grpc_std *s, bool serving, void (*told)(void *self, cm_http_request *r),
                         void *self)
{
    if (s->serving == serving)
        return;
    s->serving = serving;
    for (struct call *c = s->calls, *next; c; c = next) {
        next = c->next;
        if (c->watching && c->known && tell_health(s, c, true) && told)
            told(self, c->r);
    }
}

/* ---- reflection --------------------------------------------------------------------------- */

static cm_err put_services(const cm_grpc_std *s, cm_buf *b)
{
    size_t list, service, name;

    CM_TRY(cm_proto_open(b, 6, &list));
    for (size_t f = 0; f < FILES; f++)
        for (size_t i = 0; i < s->files[f]->n; i++) {
            if (!cm_grpc_first(s->files[f], i))
                continue;
            CM_TRY(cm_proto_open(b, 1, &service));
            CM_TRY(cm_proto_open(b, 1, &name));
            CM_TRY(cm_buf_append(b, cm_view_str(s->files[f]->package)));
            CM_TRY(cm_buf_byte(b, '.'));
            CM_TRY(cm_buf_append(b, cm_view_str(s->files[f]->methods[i].service)));
            CM_TRY(cm_proto_close(b, name));
            CM_TRY(cm_proto_close(b, service));
        }
    return cm_proto_close(b, list);
}

static cm_err put_fault(cm_buf *b, uint64_t code, const char *text)
{
    size_t begin;

    CM_TRY(cm_proto_open(b, 7, &begin));
    CM_TRY(cm_proto_put_number(b, 1, code));
    CM_TRY(cm_proto_put_text(b, 2, text));
    return cm_proto_close(b, begin);
}

static cm_err put_file(const cm_grpc_std *s, cm_buf *b, size_t f)
{
    size_t begin;

    if (f == FILES)
        return put_fault(b, NOT_FOUND, "no such file or symbol");
    CM_TRY(cm_proto_open(b, 4, &begin));
    CM_TRY(cm_proto_put_view(b, 1, cm_buf_view(&s->encoded[f])));
    return cm_proto_close(b, begin);
}

static size_t file_named(const cm_grpc_std *s, cm_view name)
{
    size_t f = 0;

    while (f < FILES && !cm_view_eq(cm_view_str(s->files[f]->file), name))
        f++;
    return f;
}

static size_t file_with(const cm_grpc_std *s, cm_view symbol)
{
    size_t f = 0;

    while (f < FILES && !cm_grpc_defines(s->files[f], symbol))
        f++;
    return f;
}

/* The last one of a oneof wins; a client sends but one. */
static cm_err reflect(const cm_grpc_std *s, cm_buf *b, const cm_msg *ask, cm_view raw)
{
    CM_TRY(cm_proto_put_view(b, 1, cm_msg_view(ask, CM_ASK_HOST)));
    CM_TRY(cm_proto_put_view(b, 2, raw));
    if (ask->v[CM_ASK_SERVICES].set)
        return put_services(s, b);
    if (ask->v[CM_ASK_SYMBOL].set)
        return put_file(s, b, file_with(s, cm_msg_view(ask, CM_ASK_SYMBOL)));
    if (ask->v[CM_ASK_FILE].set)
        return put_file(s, b, file_named(s, cm_msg_view(ask, CM_ASK_FILE)));
    if (ask->v[CM_ASK_NUMBERS].set || ask->v[CM_ASK_EXTENSION].set)
        return put_fault(b, NOT_FOUND, "there are no extensions in proto3");
    return put_fault(b, UNIMPLEMENTED, "nothing was asked");
}

/* ---- one message -------------------------------------------------------------------------- */

static void take(cm_grpc_std *s, struct call *c, cm_view raw)
{
    bool reflection = c->method->client_streaming;
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 1 << 22};
    cm_msg *ask = NULL;
    cm_err e = cm_arena_new(&a, (size_t)4 * ASK_MAX);

    if (cm_ok(e))
        e = cm_msg_from_proto(&ask, a, reflection ? &cm_grpc_ask : &cm_grpc_health_ask, raw, NULL);
    if (cm_ok(e) && !reflection) {
        health(s, c, ask);
        return;
    }
    if (cm_ok(e))
        e = reflect(s, &b, ask, raw);
    if (cm_ok(e))
        (void)tell(s, c, cm_buf_view(&b));
    else
        end(s, c, e, NULL);
}

static bool has_call(cm_grpc_std *s, const struct call *c)
{
    for (const struct call *k = s->calls; k; k = k->next)
        if (k == c)
            return true;
    return false;
}

/* All of the request of a unary call or a watch is there: it is one message. An answer before the
 * end would cost a connection of HTTP/1.1. */
static void take_only(cm_grpc_std *s, struct call *c)
{
    cm_view message;
    bool got;
    cm_err e = cm_grpc_next(&c->in, &message, &got);

    if (cm_ok(e))
        e = got ? cm_grpc_last(&c->in) : CM_FAIL(GRPC_FRAME);
    if (cm_ok(e))
        take(s, c, message);
    else
        end(s, c, e, NULL);
}

/* What has come of a stream of requests. */
static void take_some(cm_grpc_std *s, struct call *c, bool last)
{
    cm_view message;
    cm_err e;

    for (;;) {
        bool got;

        e = cm_grpc_next(&c->in, &message, &got);
        if (cm_failed(e) || !got)
            break;
        take(s, c, message);
        if (!has_call(s, c))
            return;
    }
    if (cm_ok(e) && last)
        e = cm_grpc_last(&c->in);
    if (cm_failed(e) || last)
        end(s, c, e, NULL);
}

void cm_grpc_std_piece(cm_grpc_std *s, cm_http_request *r, cm_view piece, bool last)
{
    struct call *c = *place_of(s, r);
    cm_err e = c ? cm_grpc_push(&c->in, piece) : CM_OKAY;

    if (!c)
        return;
    if (cm_ok(e) && !c->method->client_streaming && c->in.in.n > 2 * (size_t)ASK_MAX)
        e = CM_FAIL(GRPC_TOO_LONG);
    if (cm_failed(e))
        end(s, c, e, NULL);
    else if (c->method->client_streaming)
        take_some(s, c, last);
    else if (last)
        take_only(s, c);
}

bool cm_grpc_std_begins(cm_grpc_std *s, cm_http_request *r)
{
    const cm_grpc_method *m = NULL;
    struct call *c;

    if (!r->grpc || !cm_view_eq(r->method, CM_LIT("POST")))
        return false;
    for (size_t f = 1; f < FILES && !m; f++)
        m = cm_grpc_find(s->files[f], r->path);
    if (!m)
        return false;
    if (s->calls_n == CALLS_MAX || cm_failed(cm_alloc(&c, sizeof *c))) {
        (void)cm_failed(cm_grpc_fail(r, CM_FAIL(NO_MEMORY), NULL, NULL, 0));
        return true;
    }
    c->r = r;
    c->method = m;
    c->in.max = ASK_MAX;
    c->next = s->calls;
    s->calls = c;
    s->calls_n++;
    return true;
}

bool cm_grpc_std_has(const cm_grpc_std *s, const cm_http_request *r)
{
    for (const struct call *c = s->calls; c; c = c->next)
        if (c->r == r)
            return true;
    return false;
}

bool cm_grpc_std_cancelled(cm_grpc_std *s, cm_http_request *r)
{
    struct call *c = *place_of(s, r);

    if (c)
        forget(s, c);
    return c != NULL;
}

/* ---- the whole ---------------------------------------------------------------------------- */

cm_err cm_grpc_std_new(cm_grpc_std **out, const cm_grpc_table *t)
{
    CM_AUTO(cm_grpc_std_free_ptr) cm_grpc_std *s = NULL;

    CM_TRY(cm_alloc(&s, sizeof *s));
    s->files[0] = t;
    s->files[1] = &cm_grpc_health;
    s->files[2] = &cm_grpc_reflection;
    s->files[3] = &cm_grpc_reflection_alpha;
    for (size_t f = 0; f < FILES; f++) {
        s->encoded[f].max = 1 << 20;
        CM_TRY(cm_grpc_descriptor(&s->encoded[f], s->files[f]));
    }
    *out = s;
    s = NULL;
    return CM_OKAY;
}

void cm_grpc_std_free(cm_grpc_std *s)
{
    if (!s)
        return;
    while (s->calls)
        forget(s, s->calls);
    for (size_t f = 0; f < FILES; f++)
        cm_buf_free(&s->encoded[f]);
    cm_free(s);
}

void cm_grpc_std_free_ptr(cm_grpc_std **s)
{
    cm_grpc_std_free(*s);
}
