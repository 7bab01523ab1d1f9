/* AWS Signature Version 4. */
#include <stdio.h>

#include "cloud/cloud.h"
#include "codec/text.h"

enum { CANONICAL_MAX = 16 << 10 };

struct scope {
    char text[128];
    size_t n;
};

static cm_err put_hash(cm_buf *out, const cm_crypt *c, cm_view v)
{
    uint8_t h[32];

    CM_TRY(cm_hash_once(c, CM_SHA256, h, v));
    return cm_hex_encode(out, CM_VIEW(h));
}

static cm_err put_names(cm_buf *out, const cm_sigv4 *s)
{
    for (size_t i = 0; i < s->headers_n; i++) {
        if (i)
            CM_TRY(cm_buf_byte(out, ';'));
        CM_TRY(cm_buf_append(out, s->headers[i].name));
    }
    return CM_OKAY;
}

static cm_err put_line(cm_buf *out, cm_view v)
{
    CM_TRY(cm_buf_append(out, v));
    return cm_buf_byte(out, '\n');
}

static cm_err canonical(cm_buf *out, const cm_crypt *c, const cm_sigv4 *s)
{
    CM_TRY(put_line(out, cm_view_str(s->method)));
    CM_TRY(put_line(out, cm_view_str(s->path)));
    CM_TRY(put_line(out, cm_view_str(s->query)));
    for (size_t i = 0; i < s->headers_n; i++) {
        CM_TRY(cm_buf_append(out, s->headers[i].name));
        CM_TRY(cm_buf_byte(out, ':'));
        CM_TRY(put_line(out, s->headers[i].value));
    }
    CM_TRY(cm_buf_byte(out, '\n'));
    CM_TRY(put_names(out, s));
    CM_TRY(cm_buf_byte(out, '\n'));
    return put_hash(out, c, s->body);
}

static cm_err string_to_sign(cm_buf *out, const cm_crypt *c, const cm_sigv4 *s,
                             const struct scope *scope)
{
    CM_AUTO(cm_buf_free) cm_buf request = {.max = CANONICAL_MAX};

    CM_TRY(canonical(&request, c, s));
    CM_TRY(put_line(out, CM_LIT("AWS4-HMAC-SHA256")));
    CM_TRY(put_line(out, cm_view_str(s->date)));
    CM_TRY(put_line(out, cm_view_of(scope->text, scope->n)));
    return put_hash(out, c, cm_buf_view(&request));
}

/* Each step's result is the next one's key. */
static cm_err signing_key(cm_key32 *key, const cm_crypt *c, const cm_sigv4 *s)
{
    const cm_view steps[] = {cm_view_str(s->region), cm_view_str(s->service),
                             CM_LIT("aws4_request")};
    CM_AUTO(cm_buf_free) cm_buf first = {.max = 256};

    CM_TRY(cm_buf_reserve(&first, 4 + s->secret.n));
    CM_TRY(cm_buf_append(&first, CM_LIT("AWS4")));
    CM_TRY(cm_buf_append(&first, s->secret));
    CM_TRY(cm_hmac(c, CM_SHA256, key->b, cm_buf_view(&first), cm_view_of(s->date, 8)));
    for (size_t i = 0; i < CM_COUNT(steps); i++) {
        uint8_t next[32];

        CM_TRY(cm_hmac(c, CM_SHA256, next, CM_VIEW(key->b), steps[i]));
        memcpy(key->b, next, sizeof next);
        cm_wipe(next, sizeof next);
    }
    return CM_OKAY;
}

static cm_err put_header(cm_buf *out, const cm_sigv4 *s, const struct scope *scope,
                         const uint8_t mac[32])
{
    CM_TRY(cm_buf_append(out, CM_LIT("AWS4-HMAC-SHA256 Credential=")));
    CM_TRY(cm_buf_append(out, s->key_id));
    CM_TRY(cm_buf_byte(out, '/'));
    CM_TRY(cm_buf_append(out, cm_view_of(scope->text, scope->n)));
    CM_TRY(cm_buf_append(out, CM_LIT(", SignedHeaders=")));
    CM_TRY(put_names(out, s));
    CM_TRY(cm_buf_append(out, CM_LIT(", Signature=")));
    return cm_hex_encode(out, cm_view_of(mac, 32));
}

cm_err cm_sigv4_make(cm_buf *out, const cm_crypt *c, const cm_sigv4 *s)
{
    CM_AUTO(cm_key32_wipe) cm_key32 key = {{0}};
    CM_AUTO(cm_buf_free) cm_buf text = {.max = 1024};
    struct scope scope;
    uint8_t mac[32];
    int n;

    if (strlen(s->date) != 16)
        return CM_FAIL(BAD_ARGUMENT);
    n = snprintf(scope.text, sizeof scope.text, "%.8s/%s/%s/aws4_request", s->date, s->region,
                 s->service);
    if (n < 0 || (size_t)n >= sizeof scope.text)
        return CM_FAIL(BAD_ARGUMENT);
    scope.n = (size_t)n;
    CM_TRY(string_to_sign(&text, c, s, &scope));
    CM_TRY(signing_key(&key, c, s));
    CM_TRY(cm_hmac(c, CM_SHA256, mac, CM_VIEW(key.b), cm_buf_view(&text)));
    return put_header(out, s, &scope, mac);
}
