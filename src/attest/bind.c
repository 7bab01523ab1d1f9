/* The digest that ties evidence to a session, its keys and what runs (spec/attest.md 10). */
#include "attest/bind.h"

#define BIND_LABEL "casemate/ra/1"
#define GPU_LABEL  "gpu"

enum { KEY_DIGEST = 32, GPU_INPUT = 3 + CM_BIND_SIZE + 4, INPUT_MAX = 1024 };

static bool one_of(size_t n, size_t a, size_t b, size_t c)
{
    return n == a || n == b || n == c;
}

static bool formed(const cm_binding *b)
{
    return b->role.n > 0 && b->role.n <= CM_BIND_TEXT_MAX && b->suite.n <= CM_BIND_TEXT_MAX &&
           b->tls_key.n <= CM_BIND_KEY_MAX && b->peer_key.n <= CM_BIND_KEY_MAX &&
           b->hpke_key.n <= CM_BIND_KEY_MAX && b->nonce.n == CM_BIND_NONCE &&
           (b->exporter.n == 0 || b->exporter.n == CM_BIND_EXPORTER) &&
           (b->manifest.n == 0 || one_of(b->manifest.n, 32, 48, 64));
}

static cm_err put(cm_buf *b, cm_view v)
{
    CM_TRY(cm_buf_be32(b, (uint32_t)v.n));
    return cm_buf_append(b, v);
}

/* An absent key is of length 0, not the digest of nothing. */
static cm_err put_key(cm_buf *b, const cm_crypt *c, cm_view key)
{
    uint8_t digest[KEY_DIGEST];

    if (key.n == 0)
        return put(b, key);
    CM_TRY(cm_hash_once(c, CM_SHA256, digest, key));
    return put(b, CM_VIEW(digest));
}

/* AT-100. The buffer holds the exporter's value: cm_buf_free() wipes it. */
cm_err cm_bind(cm_bound *out, const cm_crypt *c, const cm_binding *b)
{
    CM_AUTO(cm_buf_free) cm_buf in = {.max = INPUT_MAX};

    if (!formed(b))
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_buf_reserve(&in, INPUT_MAX));
    CM_TRY(put(&in, CM_LIT(BIND_LABEL)));
    CM_TRY(put(&in, b->role));
    CM_TRY(put(&in, b->suite));
    CM_TRY(put_key(&in, c, b->tls_key));
    CM_TRY(put_key(&in, c, b->peer_key));
    CM_TRY(put_key(&in, c, b->hpke_key));
    CM_TRY(put(&in, b->exporter));
    CM_TRY(put(&in, b->nonce));
    CM_TRY(put(&in, b->manifest));
    return cm_hash_once(c, CM_SHA512, out->e, cm_buf_view(&in));
}

/* AT-102 */
cm_err cm_bound_for(uint8_t out[CM_BIND_SIZE], size_t *n, const cm_crypt *c, const cm_bound *bound,
                    cm_attest_kind kind)
{
    switch (kind) {
    case CM_ATTEST_SNP:
    case CM_ATTEST_TDX:
    case CM_ATTEST_SGX:
        memcpy(out, bound->e, CM_BIND_SIZE);
        *n = CM_BIND_SIZE;
        return CM_OKAY;
    case CM_ATTEST_UNKNOWN:
    case CM_ATTEST_NVIDIA:
    case CM_ATTEST_RATLS:
        return CM_FAIL(BAD_ARGUMENT);
    default:
        CM_TRY(cm_hash_once(c, CM_SHA256, out, CM_VIEW(bound->e)));
        *n = CM_BIND_SHORT;
        return CM_OKAY;
    }
}

/* AT-103 */
cm_err cm_bound_gpu(uint8_t out[CM_BIND_SHORT], const cm_crypt *c, const cm_bound *bound,
                    uint32_t index)
{
    uint8_t in[GPU_INPUT];

    memcpy(in, GPU_LABEL, 3);
    memcpy(in + 3, bound->e, CM_BIND_SIZE);
    cm_put_be32(in + 3 + CM_BIND_SIZE, index);
    return cm_hash_once(c, CM_SHA256, out, CM_VIEW(in));
}
