/* Mechanisms: what there is, what their parameters may be. */
#include "module.h"

#define PAIR   (CKF_GENERATE_KEY_PAIR)
#define SIGNS  (CKF_SIGN | CKF_VERIFY)
#define CURVE  (CKF_EC_F_P | CKF_EC_OID | CKF_EC_UNCOMPRESS)
#define CRYPTS (CKF_ENCRYPT | CKF_DECRYPT)
#define KEMS   (CKF_ENCAPSULATE | CKF_DECAPSULATE)

/* clang-format off */
static const cm_p11_mech mechs[] = {
    {CKM_ECDSA, CM_P11_ECDSA, CKK_EC, 256, 384, SIGNS | CURVE, CM_SHA256},
    {CKM_ECDSA_SHA256, CM_P11_ECDSA_HASH, CKK_EC, 256, 384, SIGNS | CURVE, CM_SHA256},
    {CKM_ECDSA_SHA384, CM_P11_ECDSA_HASH, CKK_EC, 256, 384, SIGNS | CURVE, CM_SHA384},
    {CKM_ECDSA_SHA512, CM_P11_ECDSA_HASH, CKK_EC, 256, 384, SIGNS | CURVE, CM_SHA512},
    {CKM_RSA_PKCS, CM_P11_RSA_INFO, CKK_RSA, 2048, 4096, SIGNS, CM_SHA256},
    {CKM_SHA256_RSA_PKCS, CM_P11_RSA_HASH, CKK_RSA, 2048, 4096, SIGNS, CM_SHA256},
    {CKM_RSA_PKCS_PSS, CM_P11_PSS, CKK_RSA, 2048, 4096, SIGNS, CM_SHA256},
    {CKM_SHA256_RSA_PKCS_PSS, CM_P11_PSS_HASH, CKK_RSA, 2048, 4096, SIGNS, CM_SHA256},
    {CKM_EDDSA, CM_P11_EDDSA, CKK_EC_EDWARDS, 255, 255, SIGNS | CURVE, CM_SHA512},
    {CKM_ML_DSA, CM_P11_MLDSA, CKK_ML_DSA, 1312, 2592, SIGNS, CM_SHA512},
    {CKM_SLH_DSA, CM_P11_SLHDSA, CKK_SLH_DSA, 32, 32, SIGNS, CM_SHA512},
    {CKM_SHA256_HMAC, CM_P11_HMAC, CKK_SHA256_HMAC, 32, 32, SIGNS, CM_SHA256},
    {CKM_AES_GCM, CM_P11_GCM, CKK_AES, 32, 32, CRYPTS, CM_SHA256},
    {CKM_CASEMATE_BOX, CM_P11_BOX, CKK_AES, 32, 32, CRYPTS, CM_SHA256},
    {CKM_ML_KEM, CM_P11_KEM, CKK_ML_KEM, 800, 1568, KEMS, CM_SHA256},
    {CKM_SHA256, CM_P11_HASH, 0, 0, 0, CKF_DIGEST, CM_SHA256},
    {CKM_SHA384, CM_P11_HASH, 0, 0, 0, CKF_DIGEST, CM_SHA384},
    {CKM_SHA512, CM_P11_HASH, 0, 0, 0, CKF_DIGEST, CM_SHA512},
    {CKM_EC_KEY_PAIR_GEN, CM_P11_MAKE, CKK_EC, 256, 384, PAIR | CURVE, CM_SHA256},
    {CKM_EC_EDWARDS_KEY_PAIR_GEN, CM_P11_MAKE, CKK_EC_EDWARDS, 255, 255, PAIR | CURVE, CM_SHA256},
    {CKM_RSA_PKCS_KEY_PAIR_GEN, CM_P11_MAKE, CKK_RSA, 2048, 4096, PAIR, CM_SHA256},
    {CKM_ML_DSA_KEY_PAIR_GEN, CM_P11_MAKE, CKK_ML_DSA, 1312, 2592, PAIR, CM_SHA256},
    {CKM_ML_KEM_KEY_PAIR_GEN, CM_P11_MAKE, CKK_ML_KEM, 800, 1568, PAIR, CM_SHA256},
    {CKM_SLH_DSA_KEY_PAIR_GEN, CM_P11_MAKE, CKK_SLH_DSA, 32, 32, PAIR, CM_SHA256},
    {CKM_AES_KEY_GEN, CM_P11_MAKE, CKK_AES, 32, 32, CKF_GENERATE, CM_SHA256},
};
/* clang-format on */

const cm_p11_mech *cm_p11_mech_at(size_t i)
{
    return i < CM_COUNT(mechs) ? &mechs[i] : NULL;
}

const cm_p11_mech *cm_p11_mech_of(CK_MECHANISM_TYPE t)
{
    for (size_t i = 0; i < CM_COUNT(mechs); i++)
        if (mechs[i].type == t)
            return &mechs[i];
    return NULL;
}

static CK_RV keep(cm_buf *extra, const CK_BYTE *p, CK_ULONG n, size_t max)
{
    if (n > max || (n && !p))
        return CKR_MECHANISM_PARAM_INVALID;
    extra->max = max;
    P11_OK(cm_buf_append(extra, cm_view_of(p, n)));
    return CKR_OK;
}

/* A parameter of exactly this size, copied: the host's memory may change meanwhile. */
static bool copied(void *out, size_t n, const CK_MECHANISM *m)
{
    if (!m->pParameter || m->ulParameterLen != n)
        return false;
    memcpy(out, m->pParameter, n);
    return true;
}

static CK_RV pss(const CK_MECHANISM *m)
{
    CK_RSA_PKCS_PSS_PARAMS p;

    if (!copied(&p, sizeof p, m))
        return CKR_MECHANISM_PARAM_INVALID;
    return p.hashAlg == CKM_SHA256 && p.mgf == CKG_MGF1_SHA256 && p.sLen == 32
               ? CKR_OK
               : CKR_MECHANISM_PARAM_INVALID;
}

static CK_RV eddsa(const CK_MECHANISM *m)
{
    CK_EDDSA_PARAMS p;

    if (m->ulParameterLen == 0)
        return CKR_OK;
    if (!copied(&p, sizeof p, m) || p.phFlag || p.ulContextDataLen)
        return CKR_MECHANISM_PARAM_INVALID;
    return CKR_OK;
}

/* The server's signatures are hedged. */
static CK_RV context(cm_buf *extra, const CK_MECHANISM *m)
{
    CK_SIGN_ADDITIONAL_CONTEXT p;

    if (m->ulParameterLen == 0)
        return CKR_OK;
    if (!copied(&p, sizeof p, m) || p.hedgeVariant > CKH_HEDGE_REQUIRED)
        return CKR_MECHANISM_PARAM_INVALID;
    return keep(extra, p.pContext, p.ulContextLen, CM_P11_CONTEXT);
}

/* The server makes the nonce and puts it into the ciphertext: one that the host brings is refused,
 * not ignored. */
static CK_RV gcm(cm_buf *extra, const CK_MECHANISM *m)
{
    CK_GCM_PARAMS p;

    if (!copied(&p, sizeof p, m) || p.ulIvLen || p.ulIvBits || p.ulTagBits != 128)
        return CKR_MECHANISM_PARAM_INVALID;
    return keep(extra, p.pAAD, p.ulAADLen, CM_P11_AAD);
}

static CK_RV parameter(const cm_p11_mech *k, cm_buf *extra, const CK_MECHANISM *m)
{
    switch (k->how) {
    case CM_P11_PSS:
    case CM_P11_PSS_HASH:
        return pss(m);
    case CM_P11_EDDSA:
        return eddsa(m);
    case CM_P11_MLDSA:
    case CM_P11_SLHDSA:
        return context(extra, m);
    case CM_P11_GCM:
        return gcm(extra, m);
    case CM_P11_BOX:
        return keep(extra, m->pParameter, m->ulParameterLen, CM_P11_AAD);
    default:
        return m->ulParameterLen == 0 ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
    }
}

CK_RV cm_p11_mech_parse(const cm_p11_mech **out, cm_buf *extra, const CK_MECHANISM *m, CK_FLAGS use)
{
    const cm_p11_mech *k;

    if (!m)
        return CKR_ARGUMENTS_BAD;
    k = cm_p11_mech_of(m->mechanism);
    if (!k || !(k->flags & use))
        return CKR_MECHANISM_INVALID;
    P11_TRY(parameter(k, extra, m));
    *out = k;
    return CKR_OK;
}

CK_RV cm_p11_out(cm_view v, CK_BYTE *out, CK_ULONG *n)
{
    CK_ULONG room = *n;

    *n = v.n;
    if (!out)
        return CKR_OK;
    if (room < v.n)
        return CKR_BUFFER_TOO_SMALL;
    if (v.n)
        memcpy(out, v.p, v.n);
    return CKR_OK;
}

CK_RV cm_p11_in(cm_view *out, const CK_BYTE *p, CK_ULONG n, size_t max)
{
    if (n && !p)
        return CKR_ARGUMENTS_BAD;
    if (n > max)
        return CKR_DATA_LEN_RANGE;
    *out = n ? cm_view_of(p, n) : CM_LIT("");
    return CKR_OK;
}
