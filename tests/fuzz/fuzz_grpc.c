/* gRPC frames in any pieces: the same messages. And health and reflection never do worse than end a
 * call. The first byte chooses the method. */
#include "wire_handler.h"
#include "wire_sample.h"

#include "wire/grpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const cm_grpc_method methods[] = {
    {.service = "Probe", .method = "Say", .request = &sample, .answer = &sample}};
static const cm_grpc_table table = {"a/b.proto", "a.b", methods, CM_COUNT(methods)};
static const char *const paths[] = {
    "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"};

static bool begins(void *self, cm_http_request *r)
{
    return cm_grpc_std_begins(self, r);
}

static void piece(void *self, cm_http_request *r, cm_view v, bool last)
{
    cm_grpc_std_piece(self, r, v, last);
}

static void cancelled(void *self, cm_http_request *r)
{
    wire_must(cm_grpc_std_cancelled(self, r));
}

static void must_feed(cm_http_conn *c, cm_view v)
{
    (void)cm_failed(cm_http_feed(c, v));
}

static void chunk(cm_http_conn *c, cm_view v)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t size[] = {(uint8_t)digits[v.n >> 8 & 15], (uint8_t)digits[v.n >> 4 & 15],
                      (uint8_t)digits[v.n & 15], '\r', '\n'};

    must_feed(c, CM_VIEW(size));
    must_feed(c, v);
    must_feed(c, CM_LIT("\r\n"));
}

static void services(cm_view in, const char *path)
{
    cm_grpc_std *s;
    cm_http_conn *c;

    wire_must(cm_ok(cm_grpc_std_new(&s, &table)));
    wire_must(cm_ok(cm_http_new(
        &c, false, NULL,
        (cm_http_handler){.self = s, .begins = begins, .piece = piece, .cancelled = cancelled})));
    must_feed(c, CM_LIT("POST "));
    must_feed(c, cm_view_str(path));
    must_feed(c, CM_LIT(" HTTP/1.1\r\nHost: h\r\nContent-Type: application/grpc\r\n"
                        "Transfer-Encoding: chunked\r\n\r\n"));
    while (in.n > 0) {
        size_t k = CM_MIN((size_t)(in.p[in.n - 1] ^ in.p[0]) + 1, in.n);

        chunk(c, cm_view_sub(in, 0, k));
        in = cm_view_sub(in, k, in.n - k);
    }
    must_feed(c, CM_LIT("0\r\n\r\n"));
    cm_grpc_std_serving(s, true, NULL, NULL);
    cm_http_free(c);
    cm_grpc_std_free(s);
}

static uint64_t frames(cm_view in, size_t step, cm_err *e)
{
    cm_grpc_reader g = {.max = 1000};
    uint64_t sum = 0;
    cm_view m;
    bool got = false;

    *e = CM_OKAY;
    for (size_t at = 0; at < in.n && cm_ok(*e); at += step) {
        wire_must(cm_ok(cm_grpc_push(&g, cm_view_sub(in, at, CM_MIN(step, in.n - at)))));
        do {
            *e = cm_grpc_next(&g, &m, &got);
            for (size_t i = 0; cm_ok(*e) && got && i < m.n; i++)
                sum = sum * 31 + m.p[i];
            sum += got;
        } while (cm_ok(*e) && got);
    }
    if (cm_ok(*e))
        *e = cm_grpc_last(&g);
    cm_grpc_reader_done(&g);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    cm_view in = cm_view_of(p, n);
    cm_err one, all;

    wire_must(frames(in, 1, &one) == frames(in, n + 1, &all));
    wire_must(one.v == all.v);
    if (n > 0)
        services(cm_view_sub(in, 1, n - 1), paths[p[0] % CM_COUNT(paths)]);
    return 0;
}
