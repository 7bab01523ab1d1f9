/*
 * HTTP/1.1 byte for byte and at once: the same requests, the same verdict, whatever the pieces.
 * That is what keeps one reader from seeing another request than the next.
 */
#include "wire_handler.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct outcome {
    uint64_t sum;
    unsigned requests;
    cm_err e;
    size_t sent;
};

static void write_out(cm_http_conn *c, struct outcome *o)
{
    cm_view v = cm_http_pending(c);

    o->sent += v.n;
    cm_http_sent(c, v.n);
}

static struct outcome play(cm_view in, size_t step)
{
    struct wire_handler h;
    cm_http_conn *c = wire_open(&h, false);
    struct outcome o = {.e = CM_OKAY};

    for (size_t k; in.n > 0 && cm_ok(o.e); in = cm_view_sub(in, k, in.n - k)) {
        k = CM_MIN(step, in.n);
        o.e = cm_http_feed(c, cm_view_sub(in, 0, k));
        write_out(c, &o);
    }
    while (h.n > 0)
        wire_answer_one(&h);
    if (cm_ok(o.e))
        o.e = cm_http_feed(c, cm_view_of("", 0));
    write_out(c, &o);
    wire_must(cm_http_busy(c) == 0);
    cm_http_free(c);
    o.sum = h.sum;
    o.requests = h.requests;
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct outcome all = play(cm_view_of(p, n), n ? n : 1), bytes = play(cm_view_of(p, n), 1),
                   some = play(cm_view_of(p, n), 7);

    /* HTTP/2 has its own. */
    if (n >= 24 && memcmp(p, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24) == 0)
        return 0;
    wire_must(all.requests == bytes.requests && all.sum == bytes.sum);
    wire_must(all.e.v == bytes.e.v && all.sent == bytes.sent);
    wire_must(all.requests == some.requests && all.sum == some.sum && all.sent == some.sent);
    return 0;
}
