/* Keys of people's that sign in the TPM, its random numbers, and which TPM it is. */
#include "keys_tpm/tss_int.h"

enum { POINT = 65, FIELD = 32, RANDOM_PART = 32 };

cm_err cm_tpm_name_storage(cm_tpm *t, cm_buf *name)
{
    CM_TSS_LOCK(t);
    CM_TSS_HELD(parent, t);

    CM_TRY(cm_tss_storage(&parent));
    return cm_tss_name(name, &parent);
}

cm_err cm_tpm_random(cm_tpm *t, cm_buf *out, size_t n)
{
    CM_TSS_LOCK(t);
    CM_AUTO(cm_buf_free) cm_buf all = {.max = n};

    while (all.n < n) {
        TPM2B_DIGEST *part = NULL;
        TSS2_RC rc = t->f.Esys_GetRandom(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                         (UINT16)CM_MIN(n - all.n, (size_t)RANDOM_PART), &part);
        cm_err e;

        CM_TRY(cm_tss_err(rc));
        e = part->size ? cm_buf_append(&all, cm_view_of(part->buffer, part->size))
                       : CM_FAIL(TPM_DEVICE);
        cm_wipe(part, sizeof *part);
        t->f.Esys_Free(part);
        CM_TRY(e);
    }
    return cm_buf_append(out, cm_buf_view(&all));
}

/* The point as 04 x y: the TPM leaves leading zeros out. */
static cm_err put_point(uint8_t *pub, const TPMS_ECC_POINT *p)
{
    if (p->x.size > FIELD || p->y.size > FIELD)
        return CM_FAIL(TPM_DEVICE);
    memset(pub, 0, POINT);
    pub[0] = 4;
    memcpy(pub + 1 + FIELD - p->x.size, p->x.buffer, p->x.size);
    memcpy(pub + POINT - p->y.size, p->y.buffer, p->y.size);
    return CM_OKAY;
}

static cm_err put_held(const cm_tpm *t, cm_buf *held, const TPM2B_PUBLIC *p, const TPM2B_PRIVATE *s)
{
    uint8_t bytes[2 * CM_TPM_AREA_MAX];
    size_t n = 0;

    CM_TRY(cm_tss_err(t->f.Tss2_MU_TPM2B_PUBLIC_Marshal(p, bytes, sizeof bytes, &n)));
    CM_TRY(cm_tss_err(t->f.Tss2_MU_TPM2B_PRIVATE_Marshal(s, bytes, sizeof bytes, &n)));
    return cm_buf_append(held, cm_view_of(bytes, n));
}

cm_err cm_tpm_p256_new(cm_tpm *t, cm_buf *held, uint8_t *pub, size_t *pub_n)
{
    static const TPM2B_PUBLIC template = {
        .publicArea = {
            .type = TPM2_ALG_ECC,
            .nameAlg = TPM2_ALG_SHA256,
            .objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
                                TPMA_OBJECT_NODA | TPMA_OBJECT_SIGN_ENCRYPT,
            .parameters.eccDetail = {
                .symmetric.algorithm = TPM2_ALG_NULL,
                .scheme = {.scheme = TPM2_ALG_ECDSA, .details.ecdsa.hashAlg = TPM2_ALG_SHA256},
                .curveID = TPM2_ECC_NIST_P256,
                .kdf.scheme = TPM2_ALG_NULL}}};
    static const TPM2B_SENSITIVE_CREATE nothing = {0};
    static const TPM2B_DATA no_data = {0};
    static const TPML_PCR_SELECTION no_pcrs = {0};
    CM_TSS_LOCK(t);
    CM_TSS_HELD(parent, t);
    TPM2B_PRIVATE *s = NULL;
    TPM2B_PUBLIC *p = NULL;
    cm_err e;

    CM_TRY(cm_tss_storage(&parent));
    CM_TRY(cm_tss_err(t->f.Esys_Create(t->esys, parent.h, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                       ESYS_TR_NONE, &nothing, &template, &no_data, &no_pcrs, &s,
                                       &p, NULL, NULL, NULL)));
    e = put_point(pub, &p->publicArea.unique.ecc);
    if (cm_ok(e))
        e = put_held(t, held, p, s);
    if (cm_ok(e))
        *pub_n = POINT;
    t->f.Esys_Free(s);
    t->f.Esys_Free(p);
    return e;
}

static cm_err load_key(cm_tss_held *out, const cm_tss_held *parent, cm_view held)
{
    cm_tpm *t = out->t;
    TPM2B_PUBLIC pub = {0};
    TPM2B_PRIVATE priv = {0};
    size_t at = 0;
    TSS2_RC rc;

    if (t->f.Tss2_MU_TPM2B_PUBLIC_Unmarshal(held.p, held.n, &at, &pub) != TSS2_RC_SUCCESS ||
        t->f.Tss2_MU_TPM2B_PRIVATE_Unmarshal(held.p, held.n, &at, &priv) != TSS2_RC_SUCCESS ||
        at != held.n)
        return CM_FAIL(TPM_BLOB);
    rc = t->f.Esys_Load(t->esys, parent->h, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &priv,
                        &pub, &out->h);
    if (rc != TSS2_RC_SUCCESS)
        out->h = ESYS_TR_NONE;
    return cm_tss_refused(rc) ? CM_FAIL(TPM_BLOB) : cm_tss_err(rc);
}

static cm_err put_half(cm_buf *sig, const TPM2B_ECC_PARAMETER *v)
{
    uint8_t half[FIELD] = {0};

    if (v->size > FIELD)
        return CM_FAIL(TPM_DEVICE);
    memcpy(half + FIELD - v->size, v->buffer, v->size);
    return cm_buf_append(sig, CM_VIEW(half));
}

cm_err cm_tpm_p256_sign(cm_tpm *t, cm_buf *sig, cm_view held, cm_view msg)
{
    static const TPMT_SIG_SCHEME own = {.scheme = TPM2_ALG_NULL};
    static const TPMT_TK_HASHCHECK outside = {.tag = TPM2_ST_HASHCHECK, .hierarchy = TPM2_RH_NULL};
    CM_TSS_LOCK(t);
    CM_TSS_HELD(parent, t);
    CM_TSS_HELD(key, t);
    TPM2B_DIGEST digest = {.size = 32};
    TPMT_SIGNATURE *s = NULL;
    cm_err e;

    CM_TRY(cm_hash_once(t->crypt, CM_SHA256, digest.buffer, msg));
    CM_TRY(cm_tss_storage(&parent));
    CM_TRY(load_key(&key, &parent, held));
    CM_TRY(cm_tss_err(t->f.Esys_Sign(t->esys, key.h, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                                     &digest, &own, &outside, &s)));
    e = put_half(sig, &s->signature.ecdsa.signatureR);
    if (cm_ok(e))
        e = put_half(sig, &s->signature.ecdsa.signatureS);
    t->f.Esys_Free(s);
    return e;
}
