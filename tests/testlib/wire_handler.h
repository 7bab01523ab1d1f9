#ifndef TESTLIB_WIRE_HANDLER_H
#define TESTLIB_WIRE_HANDLER_H
/*
 * A handler for fuzzers: it looks at all of a request, answers in a way that the request's path
 * chooses, and aborts when a connection breaks its promises.
 */
#include <stdlib.h>

#include "wire/http.h"

enum { WIRE_WAITING = 64 };

struct wire_handler {
    cm_http_request *waiting[WIRE_WAITING];
    unsigned n, requests;
    uint64_t sum; /* of what was seen, in order */
};

static inline void wire_must(bool ok)
{
    if (!ok)
        abort();
}

static inline void wire_see(struct wire_handler *h, cm_view v)
{
    h->sum = h->sum * 31 + v.n;
    for (size_t i = 0; i < v.n; i++)
        h->sum = h->sum * 31 + v.p[i];
}

static inline void wire_head(struct wire_handler *h, cm_http_request *r)
{
    wire_must(r->method.n > 0 && r->path.n > 0 && r->authority.n > 0);
    wire_see(h, r->method);
    wire_see(h, r->path);
    wire_see(h, r->query);
    wire_see(h, r->authority);
    for (size_t i = 0; i < r->headers_n; i++) {
        for (size_t k = 0; k < r->headers[i].name.n; k++)
            wire_must(r->headers[i].name.p[k] > 0x20 && r->headers[i].name.p[k] < 0x7f &&
                      !(r->headers[i].name.p[k] >= 'A' && r->headers[i].name.p[k] <= 'Z'));
        for (size_t k = 0; k < r->headers[i].value.n; k++)
            wire_must(r->headers[i].value.p[k] >= 0x20 || r->headers[i].value.p[k] == '\t');
        wire_see(h, r->headers[i].name);
        wire_see(h, r->headers[i].value);
    }
}

static inline void wire_answer(cm_http_request *r)
{
    const cm_http_header f = {CM_LIT("x"), CM_LIT("y")};
    uint8_t kind = r->path.p[r->path.n - 1] % 4;

    if (kind == 0) {
        wire_must(cm_ok(cm_http_respond(r, &(cm_http_response){200, &f, 1, r->body})));
    } else if (kind == 1) {
        cm_http_reset(r);
    } else {
        wire_must(cm_ok(cm_http_start(r, &(cm_http_response){.status = 200})));
        wire_must(cm_ok(cm_http_write(r, CM_LIT("piece"))));
        wire_must(cm_ok(cm_http_finish(r, &f, kind == 2)));
    }
}

static inline void wire_hold(struct wire_handler *h, cm_http_request *r)
{
    wire_must(h->n < WIRE_WAITING);
    h->waiting[h->n++] = r;
}

static inline void wire_answer_one(struct wire_handler *h)
{
    cm_http_request *r;

    if (h->n == 0)
        return;
    r = h->waiting[0];
    h->n--;
    memmove(h->waiting, h->waiting + 1, h->n * sizeof *h->waiting);
    wire_answer(r);
}

static inline void wire_request(void *self, cm_http_request *r)
{
    struct wire_handler *h = self;

    h->requests++;
    wire_head(h, r);
    wire_see(h, r->body);
    /* Half of them later. */
    if (r->path.n % 2)
        wire_answer(r);
    else
        wire_hold(h, r);
}

static inline bool wire_begins(void *self, cm_http_request *r)
{
    struct wire_handler *h = self;

    if (r->query.n == 0 || r->query.p[0] != 'p')
        return false;
    wire_head(h, r);
    if (r->query.n > 1 && r->query.p[1] == 'e') {
        wire_answer(r);
        return true;
    }
    wire_hold(h, r);
    return true;
}

static inline void wire_piece(void *self, cm_http_request *r, cm_view v, bool last)
{
    struct wire_handler *h = self;
    unsigned i = 0;

    (void)last;
    while (i < h->n && h->waiting[i] != r)
        i++;
    wire_must(i < h->n);
    /* Not how it was cut. */
    for (size_t k = 0; k < v.n; k++)
        h->sum = h->sum * 31 + v.p[k];
}

static inline void wire_cancelled(void *self, cm_http_request *r)
{
    struct wire_handler *h = self;
    unsigned i = 0;

    while (i < h->n && h->waiting[i] != r)
        i++;
    wire_must(i < h->n);
    h->n--;
    memmove(h->waiting + i, h->waiting + i + 1, (h->n - i) * sizeof *h->waiting);
}

static inline cm_http_conn *wire_open(struct wire_handler *h, bool h2)
{
    static const cm_http_limits limits = {
        .head_max = 1024, .body_max = 4096, .streams_max = 8, .resets_max = 50};
    const cm_http_handler handler = {.request = wire_request,
                                     .cancelled = wire_cancelled,
                                     .self = h,
                                     .begins = wire_begins,
                                     .piece = wire_piece};
    cm_http_conn *c;

    *h = (struct wire_handler){.n = 0};
    wire_must(cm_ok(cm_http_new(&c, h2, &limits, handler)));
    return c;
}

#endif
