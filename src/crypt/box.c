/* A derived key and a commitment for each message (spec/box.md). */
#include "crypt/box.h"
#include "base/ct.h"
#include "crypt/aead.h"

enum { VERSION = 1, NONCE = 24, COMMIT = 32, HEAD = 1 + NONCE + COMMIT, INFO_MAX = 160 };
_Static_assert(CM_BOX_OVERHEAD == HEAD + CM_GCM_TAG, "the header says what a box costs");

static const uint8_t zero_nonce[CM_GCM_NONCE]; /* B-4: the key is used once */

typedef struct {
    uint8_t key[32], commit[COMMIT];
} derived;

static void derived_wipe(derived *d)
{
    cm_wipe(d, sizeof *d);
}

/* B-2 */
static cm_err derive(derived *d, const cm_crypt *c, const cm_key32 *key, cm_view purpose,
                     const uint8_t *nonce)
{
    static const char label[] = "casemate-box-v1"; /* its 00 counts */
    uint8_t b[INFO_MAX];
    cm_buf info = {.p = b, .cap = sizeof b, .max = sizeof b};

    if (purpose.n > CM_BOX_PURPOSE_MAX || (purpose.n && memchr(purpose.p, 0, purpose.n)))
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_buf_append(&info, CM_VIEW(label)));
    CM_TRY(cm_buf_append(&info, purpose));
    CM_TRY(cm_buf_byte(&info, 0));
    CM_TRY(cm_buf_append(&info, cm_view_of(nonce, NONCE)));
    return cm_hkdf_expand(c, CM_SHA512, (uint8_t *)d, sizeof *d, CM_VIEW(key->b),
                          cm_buf_view(&info));
}

static cm_err cipher(cm_gcm **g, const cm_crypt *c, const derived *d)
{
    CM_AUTO(cm_key32_wipe) cm_key32 k;

    memcpy(k.b, d->key, sizeof k.b);
    return cm_gcm_new(g, c, &k);
}

cm_err cm_box_seal(cm_buf *out, const cm_crypt *c, const cm_key32 *key, cm_view purpose,
                   cm_view aad, cm_view plain)
{
    CM_AUTO(derived_wipe) derived d;
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;
    uint8_t *p;

    if (plain.n > CM_BOX_MAX)
        return CM_FAIL(TOO_BIG);
    CM_TRY(cm_buf_reserve(out, plain.n + CM_BOX_OVERHEAD));
    p = out->p + out->n;
    p[0] = VERSION;
    CM_TRY(cm_random(c, p + 1, NONCE));
    CM_TRY(derive(&d, c, key, purpose, p + 1));
    memcpy(p + 1 + NONCE, d.commit, COMMIT);
    CM_TRY(cipher(&g, c, &d));
    CM_TRY(cm_gcm_seal(g, p + HEAD, p + HEAD + plain.n, zero_nonce, aad, plain));
    out->n += plain.n + CM_BOX_OVERHEAD;
    return CM_OKAY;
}

cm_err cm_box_open(cm_buf *out, const cm_crypt *c, const cm_key32 *key, cm_view purpose,
                   cm_view aad, cm_view box)
{
    CM_AUTO(derived_wipe) derived d;
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;
    size_t n;

    if (box.n < CM_BOX_OVERHEAD || box.n > CM_BOX_MAX + CM_BOX_OVERHEAD ||
        box.p[0] != VERSION) /* B-1 */
        return CM_FAIL(CRYPT_TAG);
    n = box.n - CM_BOX_OVERHEAD;
    CM_TRY(derive(&d, c, key, purpose, box.p + 1));
    if (!cm_ct_equal(CM_VIEW(d.commit), cm_view_of(box.p + 1 + NONCE, COMMIT))) /* B-3 */
        return CM_FAIL(CRYPT_TAG);
    CM_TRY(cm_buf_reserve(out, CM_MAX(n, (size_t)1)));
    CM_TRY(cipher(&g, c, &d));
    CM_TRY(cm_gcm_open(g, out->p + out->n, box.p + HEAD + n, zero_nonce, aad,
                       cm_view_of(box.p + HEAD, n)));
    out->n += n;
    return CM_OKAY;
}
