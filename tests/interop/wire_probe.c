/*
 * Reads frames from standard input and answers each on standard output (see codec_probe.c), about
 * the messages of testlib/wire_sample.h. The first byte of a frame says what:
 *
 *   p   protobuf in, JSON out         q   protobuf in, protobuf out
 *   j   JSON in, protobuf out         d   the descriptor out
 *   t   the .proto out
 *
 * + and the answer, or - and the name of the error.
 */
#include <stdio.h>
#include <stdlib.h>

#include "wire/grpc.h"
#include "wire_sample.h"

enum { FRAME_MAX = 1 << 24 };

static const cm_grpc_method methods[] = {
    {.service = "Probe", .method = "Say", .request = &sample, .answer = &sample},
    {.service = "Probe", .method = "Count", .request = &sample_inner, .streaming = true},
};
static const cm_grpc_table table = {"probe.proto", "casemate.test.v1", methods, 2};

static void must_ok(cm_err e)
{
    if (cm_failed(e)) {
        fprintf(stderr, "wire_probe: %s\n", cm_err_name(e));
        exit(1);
    }
}

static cm_err answer(cm_buf *out, cm_arena *a, char kind, cm_view in)
{
    cm_msg *m;

    if (kind == 'd')
        return cm_grpc_descriptor(out, &table);
    if (kind == 't')
        return cm_grpc_describe_proto(out, &table);
    if (kind == 'j')
        CM_TRY(cm_msg_from_json(&m, a, &sample, in, NULL));
    else
        CM_TRY(cm_msg_from_proto(&m, a, &sample, in, NULL));
    CM_TRY(cm_msg_check(m, NULL));
    return kind == 'p' ? cm_msg_to_json(out, m) : cm_msg_to_proto(out, m);
}

static void reply(cm_buf *out, cm_err e)
{
    cm_view v = cm_ok(e) ? cm_buf_view(out) : cm_view_str(cm_err_name(e));
    uint8_t head[5];

    cm_put_be32(head, (uint32_t)v.n + 1);
    head[4] = cm_ok(e) ? '+' : '-';
    fwrite(head, 1, sizeof head, stdout);
    if (v.n)
        fwrite(v.p, 1, v.n, stdout);
}

int main(void)
{
    static uint8_t in[FRAME_MAX];
    cm_arena *a;
    cm_buf out = {.max = FRAME_MAX};
    uint8_t head[4];

    must_ok(cm_arena_new(&a, (size_t)1 << 22));
    while (fread(head, 1, sizeof head, stdin) == sizeof head) {
        size_t n = cm_get_be32(head);
        cm_err e;

        if (n == 0 || n > sizeof in || fread(in, 1, n, stdin) != n)
            return 1;
        cm_arena_reset(a);
        out.n = 0;
        e = answer(&out, a, (char)in[0], cm_view_of(in + 1, n - 1));
        reply(&out, e);
    }
    cm_arena_free(a);
    cm_buf_free(&out);
    return 0;
}
