/* Hex and base64 of a key: no branch and no address may depend on it. */
#include <stdio.h>

#include "base/ct.h"
#include "codec/text.h"

enum { N = 100 };

static int failed;

static void check(cm_err e)
{
    if (cm_failed(e)) {
        failed = 1;
        (void)printf("%s\n", cm_err_name(e));
    }
}

static void both_ways(const uint8_t *key, size_t n)
{
    cm_buf text = {.max = 2 * N + 4}, back = {.max = N};

    check(cm_hex_encode(&text, cm_view_of(key, n)));
    check(cm_hex_decode(&back, cm_buf_view(&text)));
    for (int url = 0; url < 2; url++) {
        text.n = back.n = 0;
        check(cm_base64_encode(&text, cm_view_of(key, n), url));
        check(cm_base64_decode(&back, cm_buf_view(&text), url));
    }
    text.n = 0;
    if (n > 0)
        check(cm_pem_encode(&text, CM_LIT("PRIVATE KEY"), cm_view_of(key, n)));
    cm_buf_free(&text);
    cm_buf_free(&back);
}

/* A text that is refused tells that it is, and not where. */
static void refused(void)
{
    uint8_t text[N];
    cm_buf back = {.max = N};

    memset(text, '!', sizeof text);
    CM_SECRET(text, sizeof text);
    if (cm_ok(cm_hex_decode(&back, CM_VIEW(text))) ||
        cm_ok(cm_base64_decode(&back, CM_VIEW(text), false)))
        failed = 1;
    cm_buf_free(&back);
}

int main(void)
{
    uint8_t key[N];

    for (size_t i = 0; i < N; i++)
        key[i] = (uint8_t)(i * 37);
    CM_SECRET(key, sizeof key);
    for (size_t n = 0; n <= N; n++)
        both_ways(key, n);
    refused();
    return failed;
}
