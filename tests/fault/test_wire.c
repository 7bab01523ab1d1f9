/* Messages, connections and gRPC while one allocation after the other fails: an error, no leak, no
 * answer that never ends. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fault.h"
#include "wire/grpc.h"
#include "wire_sample.h"

static const cm_grpc_method methods[] = {
    {.service = "Probe", .method = "Say", .request = &sample, .answer = &sample}};
static const cm_grpc_table table = {"a/b.proto", "a.b", methods, 1};

static void messages(void **state)
{
    static const char json[] =
        "{\"name\":\"x\",\"data\":\"AAECAwQFBgc=\",\"inner\":{\"id\":1,\"next\":{\"id\":2}},"
        "\"names\":[\"a\",\"b\",\"c\"],\"inners\":[{\"id\":1},{\"id\":2}]}";
    unsigned hits = 0;

    (void)state;
    fault_begin(FAULT_ALLOC, ENOMEM);
    while (fault_next()) {
        CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
        CM_AUTO(cm_buf_free) cm_buf b = {.max = 4096};
        CM_AUTO(cm_buf_free) cm_buf back = {.max = 4096};
        cm_msg *m = NULL;
        cm_err e = cm_arena_new(&a, 1 << 20);

        if (cm_ok(e))
            e = cm_msg_from_json(&m, a, &sample, cm_view_str(json), NULL);
        if (cm_ok(e))
            e = cm_msg_to_proto(&b, m);
        if (cm_ok(e))
            e = cm_msg_from_proto(&m, a, &sample, cm_buf_view(&b), NULL);
        if (cm_ok(e))
            e = cm_msg_to_json(&back, m);
        assert_true(fault_hit() ? cm_is(e, CM_NO_MEMORY) : cm_ok(e));
        hits += fault_hit();
    }
    assert_true(hits >= 5);
}

struct seen {
    unsigned given, ended;
};

static void request(void *self, cm_http_request *r)
{
    const cm_http_header t = {CM_LIT("x"), CM_LIT("y")};
    struct seen *s = self;
    cm_err e;

    s->given++;
    if (r->path.n > 2) {
        e = cm_http_respond(r, &(cm_http_response){200, &t, 1, r->body});
    } else {
        e = cm_http_start(r, &(cm_http_response){.status = 200, .body = CM_LIT("a")});
        if (cm_ok(e))
            e = cm_http_write(r, r->body);
        if (cm_ok(e))
            e = cm_http_finish(r, &t, 1);
    }
    (void)cm_failed(e);
    s->ended++;
}

static void cancelled(void *self, cm_http_request *r)
{
    (void)r;
    ((struct seen *)self)->ended++;
}

static void drive(cm_view in, bool h2, unsigned expected)
{
    unsigned hits = 0;

    fault_begin(FAULT_ALLOC, ENOMEM);
    while (fault_next()) {
        struct seen s = {0, 0};
        cm_http_conn *c = NULL;
        cm_err e =
            cm_http_new(&c, h2, NULL,
                        (cm_http_handler){.request = request, .cancelled = cancelled, .self = &s});

        if (cm_ok(e))
            e = cm_http_feed(c, in);
        if (c)
            for (cm_view v; (v = cm_http_pending(c)).n > 0;)
                cm_http_sent(c, v.n);
        if (!fault_hit()) {
            assert_true(cm_ok(e));
            assert_int_equal(s.given, expected);
        }
        cm_http_free(c);
        assert_int_equal(s.given, s.ended);
        hits += fault_hit();
    }
    assert_true(hits > 5);
}

static void http1(void **state)
{
    (void)state;
    drive(CM_LIT("POST /abc HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
                 "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "5\r\nhello\r\n0\r\nA: b\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n"),
          false, 3);
}

static void http2(void **state)
{
    static const char in[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                             "\0\0\0\4\0\0\0\0\0"
                             "\0\0\x0d\1\4\0\0\0\1\x83\x87\x44\x04/abc\x41\x03h:1"
                             "\0\0\5\0\1\0\0\0\1hello"
                             "\0\0\x09\1\5\0\0\0\3\x82\x87\x44\x02/a\x41\x01h"
                             "\0\0\4\3\0\0\0\0\3\0\0\0\x08";

    (void)state;
    drive(cm_view_of(in, sizeof in - 1), true, 2);
}

static bool begins(void *self, cm_http_request *r)
{
    return cm_grpc_std_begins(self, r);
}

static void piece(void *self, cm_http_request *r, cm_view v, bool last)
{
    cm_grpc_std_piece(self, r, v, last);
}

static void gone(void *self, cm_http_request *r)
{
    assert_true(cm_grpc_std_cancelled(self, r));
}

static void grpc(void **state)
{
    static const char in[] =
        "POST /grpc.reflection.v1.ServerReflection/ServerReflectionInfo HTTP/1.1\r\nHost: h\r\n"
        "Content-Type: application/grpc\r\nContent-Length: 24\r\n\r\n"
        "\0\0\0\0\3\x3a\1*\0\0\0\0\x0b\x22\x09"
        "a.b.Probe";
    unsigned hits = 0;

    (void)state;
    fault_begin(FAULT_ALLOC, ENOMEM);
    while (fault_next()) {
        cm_grpc_std *s = NULL;
        cm_http_conn *c = NULL;
        cm_err e = cm_grpc_std_new(&s, &table);

        if (cm_ok(e))
            e = cm_http_new(
                &c, false, NULL,
                (cm_http_handler){.self = s, .begins = begins, .piece = piece, .cancelled = gone});
        if (cm_ok(e))
            e = cm_http_feed(c, cm_view_of(in, sizeof in - 1));
        assert_true(fault_hit() || cm_ok(e));
        cm_http_free(c);
        cm_grpc_std_free(s);
        hits += fault_hit();
    }
    assert_true(hits > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages),
        cmocka_unit_test(http1),
        cmocka_unit_test(http2),
        cmocka_unit_test(grpc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
