/* Lines: Signature-Input, Signature, Content-Digest, HIP-5's JSON. What the reader takes says the
 * same when it is written again; nothing verifies that was not signed. */
#include <stdlib.h>

#include "wire/digest.h"
#include "wire/sign_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static cm_view line(cm_view *v)
{
    const uint8_t *lf = v->n ? memchr(v->p, '\n', v->n) : NULL;
    size_t n = lf ? (size_t)(lf - v->p) : v->n;
    cm_view l = cm_view_sub(*v, 0, n);

    n += lf != NULL;
    *v = cm_view_sub(*v, n, v->n - n);
    return l;
}

/* The parameters' own order is free: only a text in ours can be compared. */
static void again(const cm_httpsig *s)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 8192};

    must(cm_ok(cm_httpsig_params(&b, s)));
    if (b.n == s->params.n && !s->has_expires && !s->tag.n)
        must(s->params.p[0] == b.p[0]);
    for (size_t i = 0; i < s->names_n; i++)
        for (size_t j = 0; j < i; j++)
            must(!cm_view_eq(s->names[i], s->names[j]));
}

static void message(const cm_crypt *c, cm_view input, cm_view signature, cm_view digest)
{
    const cm_http_header headers[] = {{CM_LIT("signature-input"), input},
                                      {CM_LIT("signature"), signature},
                                      {CM_LIT("content-digest"), digest}};
    const cm_httpsig_message m = {.method = CM_LIT("POST"),
                                  .scheme = CM_LIT("https"),
                                  .authority = CM_LIT("h"),
                                  .path = CM_LIT("/p"),
                                  .headers = headers,
                                  .headers_n = 3,
                                  .body = CM_LIT("body")};
    CM_AUTO(cm_buf_free) cm_buf base = {.max = 65536};
    cm_httpsig s;

    if (cm_failed(cm_httpsig_parse(&s, &m, 1800000000)))
        return;
    if (cm_ok(cm_httpsig_base(&base, &s, &m)))
        must(base.n > s.params.n);
    must(cm_failed(cm_httpsig_verify_hmac(&s, c, &m, CM_LIT("a key that signed nothing"))));
}

static void hip5(cm_view json)
{
    const cm_httpsig_message m = {
        .method = CM_LIT("GET"), .authority = CM_LIT("h"), .path = CM_LIT("/")};
    CM_AUTO(cm_httpsig_headers_free) cm_httpsig_headers h = {0};
    cm_httpsig s;

    if (cm_ok(cm_httpsig_from_hip5(&h, json, &m)))
        must(cm_ok(cm_httpsig_read(&s, cm_buf_view(&h.input), cm_buf_view(&h.signature))));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static cm_crypt *c;
    cm_view v = cm_view_of(p, n), input = line(&v), signature = line(&v), digest = line(&v);
    cm_httpsig s;

    if (!c)
        must(cm_ok(cm_crypt_new(&c, CM_PROFILE_DEFAULT)));
    if (cm_ok(cm_httpsig_read(&s, input, signature)))
        again(&s);
    message(c, input, signature, digest);
    if (cm_ok(cm_digest_check(c, digest, CM_LIT("body"))))
        must(digest.n >= 10 + 44);
    hip5(v);
    return 0;
}
