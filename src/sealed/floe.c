#include "sealed/floe.h"

#include "base/ct.h"

enum { PARAMS = 10, TAG = 32 };

static const uint64_t no_run = UINT64_MAX;

/* FLOE_KDF: KDF(key, PARAM_ENCODE(params) || iv || purpose || aad, len) */
static cm_err derive(const cm_floe *f, uint8_t *out, size_t n, cm_view key, cm_view purpose)
{
    CM_AUTO(cm_buf_free) cm_buf info = {.max = sizeof f->prefix + 32 + CM_FLOE_AAD_MAX};

    CM_TRY(cm_buf_append(&info, CM_VIEW(f->prefix)));
    CM_TRY(cm_buf_append(&info, purpose));
    CM_TRY(cm_buf_append(&info, cm_view_of(f->aad, f->aad_n)));
    return cm_hkdf_expand(f->crypt, CM_SHA384, out, n, key, cm_buf_view(&info));
}

static void put_params(uint8_t *p, uint32_t segment)
{
    p[0] = p[1] = 0; /* AES-GCM-256, HKDF-EXPAND-SHA-384 */
    cm_put_be32(p + 2, segment);
    cm_put_be32(p + 6, CM_FLOE_IV);
}

static cm_err start(cm_floe *f, uint8_t tag[TAG], const cm_crypt *c, const cm_key32 *key,
                    const uint8_t *iv, cm_view aad, uint32_t segment)
{
    if (segment <= CM_FLOE_OVERHEAD || aad.n > CM_FLOE_AAD_MAX)
        return CM_FAIL(BAD_ARGUMENT);
    *f = (cm_floe){.crypt = c, .segment = segment, .rotation = CM_FLOE_ROTATION, .aad_n = aad.n};
    put_params(f->prefix, segment);
    memcpy(f->prefix + PARAMS, iv, CM_FLOE_IV);
    if (aad.n)
        memcpy(f->aad, aad.p, aad.n);
    CM_TRY(derive(f, tag, TAG, CM_VIEW(key->b), CM_LIT("HEADER_TAG:")));
    return derive(f, f->message_key, sizeof f->message_key, CM_VIEW(key->b),
                  CM_LIT("MESSAGE_KEY:"));
}

cm_err cm_floe_seal_start(cm_floe *f, uint8_t *header, const cm_crypt *c, const cm_key32 *key,
                          cm_view aad, uint32_t segment)
{
    CM_AUTO(cm_floe_done) cm_floe g = {0};
    uint8_t iv[CM_FLOE_IV], tag[TAG];

    CM_TRY(cm_random(c, iv, sizeof iv));
    CM_TRY(start(&g, tag, c, key, iv, aad, segment));
    memcpy(header, g.prefix, sizeof g.prefix);
    memcpy(header + sizeof g.prefix, tag, TAG);
    *f = g;
    return CM_OKAY;
}

cm_err cm_floe_open_start(cm_floe *f, const uint8_t *header, const cm_crypt *c, const cm_key32 *key,
                          cm_view aad, uint32_t segment)
{
    CM_AUTO(cm_floe_done) cm_floe g = {0};
    uint8_t params[PARAMS], tag[TAG];

    put_params(params, segment);
    if (!cm_view_eq(cm_view_of(header, PARAMS), CM_VIEW(params)))
        return CM_FAIL(FLOE_PARAMS);
    CM_TRY(start(&g, tag, c, key, header + PARAMS, aad, segment));
    if (!cm_ct_equal(CM_VIEW(tag), cm_view_of(header + sizeof g.prefix, TAG))) /* S-6 */
        return CM_FAIL(FLOE_MISMATCH);
    *f = g;
    return CM_OKAY;
}

void cm_floe_done(cm_floe *f)
{
    cm_wipe(f, sizeof *f);
}

void cm_floe_worker_done(cm_floe_worker *w)
{
    cm_gcm_free(w->gcm);
    *w = (cm_floe_worker){0};
}

/* DERIVE_KEY, cached for the run of 2^rotation segments that share a key. */
static cm_err key_for(const cm_floe *f, cm_floe_worker *w, uint64_t position)
{
    CM_AUTO(cm_key32_wipe) cm_key32 dek = {{0}};
    uint64_t run = position >> f->rotation;
    uint8_t purpose[12] = "DEK:";

    if (w->gcm && w->floe == f && w->run == run)
        return CM_OKAY;
    cm_put_be64(purpose + 4, run << f->rotation);
    CM_TRY(derive(f, dek.b, sizeof dek.b, CM_VIEW(f->message_key), CM_VIEW(purpose)));
    w->floe = f;
    w->run = no_run;
    if (!w->gcm)
        CM_TRY(cm_gcm_new(&w->gcm, f->crypt, &dek));
    else
        CM_TRY(cm_gcm_rekey(w->gcm, &dek));
    w->run = run;
    return CM_OKAY;
}

static void put_aad(uint8_t aad[9], uint64_t position, bool last)
{
    cm_put_be64(aad, position);
    aad[8] = last;
}

cm_err cm_floe_seal(const cm_floe *f, cm_floe_worker *w, uint8_t *seg, size_t n, uint64_t position,
                    bool last)
{
    size_t full = f->segment - CM_FLOE_OVERHEAD;
    uint8_t *plain = seg + CM_FLOE_HEAD, aad[9];

    if (n > full || (!last && n != full) || position >= CM_FLOE_SEGMENTS_MAX)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(key_for(f, w, position));
    cm_put_be32(seg, last ? (uint32_t)(n + CM_FLOE_OVERHEAD) : UINT32_MAX);
    CM_TRY(cm_random(f->crypt, seg + 4, CM_GCM_NONCE));
    put_aad(aad, position, last);
    return cm_gcm_seal(w->gcm, plain, plain + n, seg + 4, CM_VIEW(aad), cm_view_of(plain, n));
}

cm_err cm_floe_open(const cm_floe *f, cm_floe_worker *w, uint8_t *seg, size_t n, uint64_t position,
                    bool last)
{
    uint8_t *text = seg + CM_FLOE_HEAD, aad[9];
    cm_err e;

    if (n < CM_FLOE_OVERHEAD || n > f->segment || (!last && n != f->segment) ||
        position >= CM_FLOE_SEGMENTS_MAX)
        return CM_FAIL(FLOE_SEGMENT);
    if (cm_get_be32(seg) != (last ? (uint32_t)n : UINT32_MAX))
        return CM_FAIL(FLOE_SEGMENT);
    CM_TRY(key_for(f, w, position));
    put_aad(aad, position, last);
    n -= CM_FLOE_OVERHEAD;
    e = cm_gcm_open(w->gcm, text, text + n, seg + 4, CM_VIEW(aad), cm_view_of(text, n));
    return cm_is(e, CM_CRYPT_TAG) ? CM_FAIL(FLOE_SEGMENT) : e; /* S-6 */
}

/* ---- whole messages ------------------------------------------------------------------------ */

cm_err cm_floe_seal_all(cm_buf *out, const cm_crypt *c, const cm_key32 *key, cm_view aad,
                        uint32_t segment, cm_view plain)
{
    CM_AUTO(cm_floe_done) cm_floe f = {0};
    CM_AUTO(cm_floe_worker_done) cm_floe_worker w = {0};
    CM_AUTO(cm_buf_free) cm_buf b = {.max = out->max - out->n};
    size_t full = segment - CM_FLOE_OVERHEAD, at = 0;

    CM_TRY(cm_buf_reserve(&b, CM_FLOE_HEADER));
    CM_TRY(cm_floe_seal_start(&f, b.p, c, key, aad, segment));
    b.n = CM_FLOE_HEADER;
    for (uint64_t i = 0;; i++) {
        size_t n = CM_MIN(full, plain.n - at);
        bool last = n < full;

        CM_TRY(cm_buf_reserve(&b, n + CM_FLOE_OVERHEAD));
        if (n)
            memcpy(b.p + b.n + CM_FLOE_HEAD, plain.p + at, n);
        CM_TRY(cm_floe_seal(&f, &w, b.p + b.n, n, i, last));
        b.n += n + CM_FLOE_OVERHEAD;
        at += n;
        if (last)
            return cm_buf_append(out, cm_buf_view(&b));
    }
}

cm_err cm_floe_open_all(cm_buf *out, const cm_crypt *c, const cm_key32 *key, cm_view aad,
                        uint32_t segment, cm_view sealed)
{
    CM_AUTO(cm_floe_done) cm_floe f = {0};
    CM_AUTO(cm_floe_worker_done) cm_floe_worker w = {0};
    CM_AUTO(cm_buf_free) cm_buf b = {.max = out->max - out->n};
    CM_AUTO(cm_buf_free) cm_buf seg = {.max = segment};
    size_t at = CM_FLOE_HEADER;

    if (sealed.n < CM_FLOE_HEADER + CM_FLOE_OVERHEAD)
        return CM_FAIL(FLOE_SEGMENT);
    CM_TRY(cm_floe_open_start(&f, sealed.p, c, key, aad, segment));
    CM_TRY(cm_buf_reserve(&seg, segment));
    for (uint64_t i = 0; at < sealed.n; i++) {
        size_t n = CM_MIN((size_t)segment, sealed.n - at);
        bool last = at + n == sealed.n;

        memcpy(seg.p, sealed.p + at, n);
        CM_TRY(cm_floe_open(&f, &w, seg.p, n, i, last));
        CM_TRY(cm_buf_append(&b, cm_view_of(seg.p + CM_FLOE_HEAD, n - CM_FLOE_OVERHEAD)));
        at += n;
    }
    return cm_buf_append(out, cm_buf_view(&b));
}
