/*
 * HTTP/2 frames through our callbacks: after the preface and the settings, the input is frames, fed
 * in pieces that it chooses itself; between them waiting requests are answered, time goes by, and
 * what is to be sent is sent.
 */
#include "wire_handler.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const uint8_t begin[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
    struct wire_handler h;
    cm_http_conn *c = wire_open(&h, n % 2);
    uint64_t now = 0;
    cm_err e = cm_http_feed(c, CM_VIEW(begin));

    while (n > 0 && cm_ok(e)) {
        size_t k = CM_MIN((size_t)(p[n - 1] ^ p[0]) + 1, n);
        cm_view v;

        e = cm_http_feed(c, cm_view_of(p, k));
        if (k % 3 == 0)
            wire_answer_one(&h);
        if (k % 16 == 5)
            cm_http_clock(c, now += 400);
        if (k == 200)
            cm_http_drain(c);
        v = cm_http_pending(c);
        cm_http_sent(c, k % 5 ? v.n : v.n / 2);
        wire_must(cm_http_busy(c) == h.n);
        p += k;
        n -= k;
    }
    while (h.n > 0 && n == 0 && cm_ok(e))
        wire_answer_one(&h);
    for (cm_view v; (v = cm_http_pending(c)).n > 0;)
        cm_http_sent(c, v.n);
    if (cm_failed(e))
        wire_must(cm_http_over(c));
    cm_http_free(c);
    wire_must(h.n == 0);
    return 0;
}
