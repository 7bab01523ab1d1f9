/*
 * Reads frames from standard input and answers each on standard output, so that a script can hold
 * our readers against others. A frame is a length (four bytes, big-endian) and that many bytes, the
 * first of which names the reader: j for JSON, c for CBOR, s for safetensors, g for GGUF. The
 * answer has the same form: + and what was read, written as JSON; or - and the name of the error.
 *
 * CBOR as JSON: byte strings are {"bytes": hex}, maps {"map": [key, value, key, value, ...]}.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/os.h"
#include "codec/cbor.h"
#include "codec/json.h"
#include "json_copy.h"
#include "sealed/format.h"
#include "tensors.h"

enum { FRAME_MAX = 1 << 24 };

static void must_ok(cm_err e)
{
    if (cm_failed(e)) {
        fprintf(stderr, "codec_probe: %s\n", cm_err_name(e));
        exit(1);
    }
}

static cm_err show_json(cm_json_writer *w, cm_view in)
{
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;

    CM_TRY(cm_json_parse(&j, in, NULL, NULL));
    json_copy(w, cm_json_root(j));
    return CM_OKAY;
}

static void show_item(cm_json_writer *w, cm_cbor *c);

static void show_items(cm_json_writer *w, cm_cbor *c, uint64_t n, const char *key)
{
    cm_json_begin_array(w, key);
    for (uint64_t i = 0; i < n; i++)
        show_item(w, c);
    cm_json_end_array(w);
}

/* 2^64 - 1 stands for a number that only Python can hold: as decimal digits by hand. */
static void show_negative(cm_json_writer *w, cm_cbor *c)
{
    cm_cbor ahead = *c;
    cm_view whole;
    char text[24];
    int64_t i;

    if (cm_ok(cm_cbor_int(&ahead, &i))) {
        *c = ahead;
        cm_json_put_i64(w, NULL, i);
        return;
    }
    must_ok(cm_cbor_skip(c, &whole));
    snprintf(text, sizeof text, "-%llu", (unsigned long long)cm_get_be64(whole.p + 1) + 1);
    cm_json_put_number(w, NULL,
                       cm_get_be64(whole.p + 1) == UINT64_MAX ? CM_LIT("-18446744073709551616")
                                                              : cm_view_str(text));
}

static void show_string(cm_json_writer *w, cm_cbor *c, cm_cbor_type t)
{
    cm_view v;

    if (t == CM_CBOR_TEXT) {
        must_ok(cm_cbor_text(c, &v));
        cm_json_put_text(w, NULL, v);
        return;
    }
    must_ok(cm_cbor_bytes(c, &v));
    cm_json_begin_object(w, NULL);
    cm_json_put_hex(w, "bytes", v);
    cm_json_end_object(w);
}

static void show_container(cm_json_writer *w, cm_cbor *c, cm_cbor_type t)
{
    uint64_t n;

    if (t == CM_CBOR_ARRAY) {
        must_ok(cm_cbor_array(c, &n));
        show_items(w, c, n, NULL);
        return;
    }
    must_ok(cm_cbor_map(c, &n));
    cm_json_begin_object(w, NULL);
    show_items(w, c, 2 * n, "map");
    cm_json_end_object(w);
}

static void show_item(cm_json_writer *w, cm_cbor *c)
{
    cm_cbor_type t;
    uint64_t u;
    bool b;

    must_ok(cm_cbor_peek(c, &t));
    if (t == CM_CBOR_UINT) {
        must_ok(cm_cbor_uint(c, &u));
        cm_json_put_u64(w, NULL, u);
    } else if (t == CM_CBOR_NINT) {
        show_negative(w, c);
    } else if (t == CM_CBOR_BYTES || t == CM_CBOR_TEXT) {
        show_string(w, c, t);
    } else if (t == CM_CBOR_ARRAY || t == CM_CBOR_MAP) {
        show_container(w, c, t);
    } else if (t == CM_CBOR_BOOL) {
        must_ok(cm_cbor_bool(c, &b));
        cm_json_put_bool(w, NULL, b);
    } else {
        must_ok(cm_cbor_null(c));
        cm_json_put_null(w, NULL);
    }
}

static cm_err show_cbor(cm_json_writer *w, cm_view in)
{
    cm_cbor c;

    CM_TRY(cm_cbor_open(&c, in, NULL));
    show_item(w, &c);
    return cm_cbor_end(&c);
}

/* ---- model files --------------------------------------------------------------------------- */

static void show_tensors(cm_json_writer *w, const cm_tensors *t)
{
    cm_json_begin_array(w, NULL);
    for (size_t i = 0; i < t->n; i++) {
        const cm_tensor *x = &t->v[i];

        cm_json_begin_array(w, NULL);
        cm_json_put_text(w, NULL, x->name);
        cm_json_put_text(w, NULL, cm_view_str(x->dtype));
        cm_json_begin_array(w, NULL);
        for (uint32_t d = 0; d < x->dims; d++)
            cm_json_put_u64(w, NULL, x->shape[d]);
        cm_json_end_array(w);
        cm_json_put_u64(w, NULL, x->offset);
        cm_json_put_u64(w, NULL, x->size);
        cm_json_end_array(w);
    }
    cm_json_end_array(w);
}

static cm_err show_model(cm_json_writer *w, uint8_t kind, cm_view in)
{
    CM_AUTO(cm_tensors_free) cm_tensors t = {0};
    struct t_bytes b = {.v = in};
    cm_source s = t_source(&b);

    CM_TRY(kind == 's' ? cm_safetensors_parse(&t, &s, 0, NULL) : cm_gguf_parse(&t, &s, 0, NULL));
    show_tensors(w, &t);
    return CM_OKAY;
}

static cm_err show(cm_json_writer *w, uint8_t kind, cm_view in)
{
    if (kind == 'j')
        return show_json(w, in);
    return kind == 'c' ? show_cbor(w, in) : show_model(w, kind, in);
}

static void answer(cm_view frame)
{
    cm_buf out = {.max = 8 * FRAME_MAX};
    cm_json_writer w = {.out = &out};
    cm_view in = cm_view_sub(frame, 1, frame.n - 1);
    uint8_t head[5];
    cm_err e;

    e = show(&w, frame.p[0], in);
    if (cm_ok(e)) {
        must_ok(cm_json_finish(&w));
    } else {
        out.n = 0;
        must_ok(cm_buf_append(&out, cm_view_str(cm_err_name(e))));
    }
    cm_put_be32(head, (uint32_t)out.n + 1);
    head[4] = cm_ok(e) ? '+' : '-';
    must_ok(cm_os_write(1, head, sizeof head));
    must_ok(cm_os_write(1, out.p, out.n));
    cm_buf_free(&out);
}

int main(void)
{
    uint8_t *frame;
    uint8_t head[4];
    size_t got, n;

    must_ok(cm_alloc(&frame, FRAME_MAX));
    for (;;) {
        must_ok(cm_os_read(0, head, sizeof head, &got));
        n = cm_get_be32(head);
        if (got < sizeof head || n < 1 || n > FRAME_MAX)
            break;
        must_ok(cm_os_read(0, frame, n, &got));
        if (got < n)
            break;
        answer(cm_view_of(frame, n));
    }
    cm_free(frame);
    return 0;
}
