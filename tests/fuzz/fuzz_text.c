/* Hex, base64, PEM and numbers: a text that is taken is the one text of its value. */
#include <stdio.h>
#include <stdlib.h>

#include "codec/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void hex(cm_view in)
{
    cm_buf raw = {.max = in.n}, text = {.max = in.n};

    if (cm_ok(cm_hex_decode(&raw, in))) {
        must(cm_ok(cm_hex_encode(&text, cm_buf_view(&raw))));
        must(text.n == in.n);
        for (size_t i = 0; i < in.n; i++)
            must(text.p[i] == (in.p[i] >= 'A' && in.p[i] <= 'F' ? in.p[i] | 0x20 : in.p[i]));
    }
    must(raw.n == text.n / 2);
    cm_buf_free(&raw);
    cm_buf_free(&text);
}

static void base64(cm_view in, bool url)
{
    cm_buf raw = {.max = in.n}, text = {.max = in.n};

    if (cm_ok(cm_base64_decode(&raw, in, url))) {
        must(cm_ok(cm_base64_encode(&text, cm_buf_view(&raw), url)));
        must(cm_view_eq(cm_buf_view(&text), in));
    }
    cm_buf_free(&raw);
    cm_buf_free(&text);
}

/* Any bytes have a text, and it leads back to them. */
static void encode(cm_view in, bool url)
{
    cm_buf raw = {.max = in.n}, text = {.max = 2 * in.n + 4};

    must(cm_ok(cm_base64_encode(&text, in, url)));
    must(cm_ok(cm_base64_decode(&raw, cm_buf_view(&text), url)));
    must(cm_view_eq(cm_buf_view(&raw), in));
    cm_buf_free(&raw);
    cm_buf_free(&text);
}

static void pem(cm_view in)
{
    cm_view left = in, label, again_label, again_text;
    cm_buf der = {.max = in.n}, text = {.max = 2 * in.n + 64}, again = {.max = in.n};

    while (left.n > 0) {
        size_t before = left.n;

        der.n = text.n = again.n = 0;
        if (cm_failed(cm_pem_next(&der, &label, &left))) {
            must(left.n == before && der.n == 0);
            break;
        }
        must(left.n < before && der.n > 0);
        must(cm_ok(cm_pem_encode(&text, label, cm_buf_view(&der))));
        again_text = cm_buf_view(&text);
        must(cm_ok(cm_pem_next(&again, &again_label, &again_text)));
        must(cm_view_eq(again_label, label) && again_text.n == 0);
        must(cm_view_eq(cm_buf_view(&again), cm_buf_view(&der)));
    }
    cm_buf_free(&der);
    cm_buf_free(&text);
    cm_buf_free(&again);
}

static void number(cm_view in)
{
    uint64_t v, size;
    char text[24];
    int n;

    if (cm_failed(cm_dec_u64(&v, in)))
        return;
    n = snprintf(text, sizeof text, "%llu", (unsigned long long)v);
    must(cm_view_eq(in, cm_view_of(text, (size_t)n)));
    must(cm_ok(cm_dec_size(&size, in)) && size == v);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    cm_view in = cm_view_of(p, n);
    size_t valid = cm_utf8_prefix(in);
    uint64_t size;

    must(valid <= n && cm_utf8_valid(cm_view_of(p, valid)));
    must(cm_utf8_valid(in) == (valid == n));
    hex(in);
    for (int url = 0; url < 2; url++) {
        base64(in, url);
        encode(in, url);
    }
    pem(in);
    number(in);
    if (cm_ok(cm_dec_size(&size, in)) && size > 0)
        must(p[0] >= '1' && p[0] <= '9');
    return 0;
}
