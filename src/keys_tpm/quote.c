/* What the TPM says of this machine, and whose word that is. */
#include "keys_tpm/tss_int.h"

enum {
    ATTEMPTS = 8,
    NV_PART = 512,
    NV_MAX = 8192,
    NV_CHAIN =
        0x01c00100, /* to 0x01c001ff: issuers' certificates (EK credential profile 2.2.1.5) */
    NV_CHAIN_MAX = 16,
    BLOB_VERSION = 1,
};

/* Where an RSA endorsement key is kept, if it is. */
static const uint32_t RSA_EK = 0x81010001;
/* tpm2-tools begin their files so. */
static const uint32_t BLOB_MAGIC = 0xbadcc0de;

/* ---- the attestation key ------------------------------------------------------------------- */

/* TP-20: signs what a TPM says of itself, and nothing else. */
static cm_err attestation_key(cm_tss_held *out, cm_buf *pub)
{
    static const TPM2B_PUBLIC template = {
        .publicArea = {
            .type = TPM2_ALG_ECC,
            .nameAlg = TPM2_ALG_SHA256,
            .objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
                                TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED |
                                TPMA_OBJECT_SIGN_ENCRYPT,
            .parameters.eccDetail = {.symmetric.algorithm = TPM2_ALG_NULL,
                                     .scheme = {.scheme = TPM2_ALG_ECDSA,
                                                .details.ecdsa.hashAlg = TPM2_ALG_SHA256},
                                     .curveID = TPM2_ECC_NIST_P256,
                                     .kdf.scheme = TPM2_ALG_NULL},
            .unique.ecc.x = {.size = 14, .buffer = "casemate-ak-v1"},
        }};

    return cm_tss_primary(out, ESYS_TR_RH_ENDORSEMENT, &template, pub);
}

/* ---- quotes -------------------------------------------------------------------------------- */

static cm_err put_signature(const cm_tpm *t, cm_buf *out, const TPMT_SIGNATURE *s)
{
    uint8_t bytes[CM_TPM_AREA_MAX];
    size_t n = 0;

    CM_TRY(cm_tss_err(t->f.Tss2_MU_TPMT_SIGNATURE_Marshal(s, bytes, sizeof bytes, &n)));
    return cm_buf_append(out, cm_view_of(bytes, n));
}

/* Whether the quote is of these values. */
static cm_err belongs(bool *yes, const cm_tpm *t, cm_view quote, cm_view values)
{
    TPMS_ATTEST a;
    uint8_t digest[32];
    size_t at = 0;

    CM_TRY(cm_tss_err(t->f.Tss2_MU_TPMS_ATTEST_Unmarshal(quote.p, quote.n, &at, &a)));
    CM_TRY(cm_hash_once(t->crypt, CM_SHA256, digest, values));
    *yes = a.type == TPM2_ST_ATTEST_QUOTE &&
           cm_view_eq(CM_VIEW(digest), cm_view_of(a.attested.quote.pcrDigest.buffer,
                                                  a.attested.quote.pcrDigest.size));
    return CM_OKAY;
}

static cm_err sign_quote(cm_tpm *t, cm_tpm_evidence *e, const cm_tss_held *ak,
                         const TPML_PCR_SELECTION *pcrs, const TPM2B_DATA *extra)
{
    static const TPMT_SIG_SCHEME own = {.scheme = TPM2_ALG_NULL};
    TPM2B_ATTEST *quote = NULL;
    TPMT_SIGNATURE *signature = NULL;
    TSS2_RC rc = t->f.Esys_Quote(t->esys, ak->h, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                                 extra, &own, pcrs, &quote, &signature);
    cm_err err;

    if (cm_tss_is(rc, TPM2_RC_SIZE))
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_tss_err(rc));
    err = cm_buf_append(&e->quote, cm_view_of(quote->attestationData, quote->size));
    if (cm_ok(err))
        err = put_signature(t, &e->signature, signature);
    t->f.Esys_Free(quote);
    t->f.Esys_Free(signature);
    return err;
}

/* TP-21 */
static cm_err quote_steadily(cm_tpm *t, cm_tpm_evidence *e, const cm_tss_held *ak,
                             const cm_tpm_selection *s, const TPM2B_DATA *extra)
{
    TPML_PCR_SELECTION pcrs;

    cm_tss_selection(&pcrs, s);
    for (unsigned i = 0; i < ATTEMPTS; i++) {
        bool yes;

        e->quote.n = e->signature.n = e->values.n = 0;
        CM_TRY(cm_tss_registers(t, &e->values, s));
        CM_TRY(sign_quote(t, e, ak, &pcrs, extra));
        CM_TRY(belongs(&yes, t, cm_buf_view(&e->quote), cm_buf_view(&e->values)));
        if (yes)
            return CM_OKAY;
    }
    return CM_FAIL(TPM_UNSTEADY);
}

/* ---- certificates -------------------------------------------------------------------------- */

/* What stands at an index of the TPM's memory; nothing is appended where there is no such index,
 * or nothing that may be read. */
static cm_err read_index(cm_tpm *t, cm_buf *out, uint32_t index)
{
    CM_TSS_HELD(nv, t);
    TPM2B_NV_PUBLIC *pub = NULL;
    TSS2_RC rc =
        t->f.Esys_TR_FromTPMPublic(t->esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &nv.h);
    size_t n;

    nv.stays = true;
    if (rc != TSS2_RC_SUCCESS) {
        nv.h = ESYS_TR_NONE;
        return cm_tss_refused(rc) ? CM_OKAY : cm_tss_err(rc);
    }
    CM_TRY(cm_tss_err(t->f.Esys_NV_ReadPublic(t->esys, nv.h, ESYS_TR_NONE, ESYS_TR_NONE,
                                              ESYS_TR_NONE, &pub, NULL)));
    n = CM_MIN((size_t)pub->nvPublic.dataSize, (size_t)NV_MAX);
    t->f.Esys_Free(pub);
    for (size_t at = 0; at < n;) {
        TPM2B_MAX_NV_BUFFER *part = NULL;
        cm_err e;

        rc = t->f.Esys_NV_Read(t->esys, nv.h, nv.h, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                               (UINT16)CM_MIN(n - at, (size_t)NV_PART), (UINT16)at, &part);
        if (rc != TSS2_RC_SUCCESS)
            return cm_is(cm_tss_err(rc), CM_TPM_GONE) ? CM_FAIL(TPM_GONE) : CM_OKAY;
        e = cm_buf_append(out, cm_view_of(part->buffer, part->size));
        at += part->size ? part->size : n;
        t->f.Esys_Free(part);
        CM_TRY(e);
    }
    return CM_OKAY;
}

/* Endorsement keys whose templates are known here: EK credential profile 2.3, annex B. The
 * high-range ones answer to their empty authorization too, the others to their policy alone. */
typedef struct {
    uint32_t cert;
    bool by_policy, kept; /* kept: perhaps at RSA_EK */
    const TPM2B_PUBLIC *template;
} ek_kind;

#define EK_FIXED                                                                       \
    TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN | \
        TPMA_OBJECT_ADMINWITHPOLICY | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT
#define EK_POLICY_A             \
    {                           \
        .size = 32, .buffer = { \
            0x83,               \
            0x71,               \
            0x97,               \
            0x67,               \
            0x44,               \
            0x84,               \
            0xb3,               \
            0xf8,               \
            0x1a,               \
            0x90,               \
            0xcc,               \
            0x8d,               \
            0x46,               \
            0xa5,               \
            0xd7,               \
            0x24,               \
            0xfd,               \
            0x52,               \
            0xd7,               \
            0x6e,               \
            0x06,               \
            0x52,               \
            0x0b,               \
            0x64,               \
            0xf2,               \
            0xa1,               \
            0xda,               \
            0x1b,               \
            0x33,               \
            0x14,               \
            0x69,               \
            0xaa                \
        }                       \
    }
#define EK_POLICY_B_384         \
    {                           \
        .size = 48, .buffer = { \
            0xb2,               \
            0x6e,               \
            0x7d,               \
            0x28,               \
            0xd1,               \
            0x1a,               \
            0x50,               \
            0xbc,               \
            0x53,               \
            0xd8,               \
            0x82,               \
            0xbc,               \
            0xf5,               \
            0xfd,               \
            0x3a,               \
            0x1a,               \
            0x07,               \
            0x41,               \
            0x48,               \
            0xbb,               \
            0x35,               \
            0xd3,               \
            0xb4,               \
            0xe4,               \
            0xcb,               \
            0x1c,               \
            0x0a,               \
            0xd9,               \
            0xbd,               \
            0xe4,               \
            0x19,               \
            0xca,               \
            0xcb,               \
            0x47,               \
            0xba,               \
            0x09,               \
            0x69,               \
            0x96,               \
            0x46,               \
            0x15,               \
            0x0f,               \
            0x9f,               \
            0xc0,               \
            0x00,               \
            0xf3,               \
            0xf8,               \
            0x0e,               \
            0x12                \
        }                       \
    }

static const TPM2B_PUBLIC ek_rsa_2048 = {
    .publicArea = {.type = TPM2_ALG_RSA,
                   .nameAlg = TPM2_ALG_SHA256,
                   .objectAttributes = EK_FIXED,
                   .authPolicy = EK_POLICY_A,
                   .parameters.rsaDetail = {.symmetric = {.algorithm = TPM2_ALG_AES,
                                                          .keyBits.aes = 128,
                                                          .mode.aes = TPM2_ALG_CFB},
                                            .scheme.scheme = TPM2_ALG_NULL,
                                            .keyBits = 2048},
                   .unique.rsa.size = 256}};
static const TPM2B_PUBLIC ek_p256 = {
    .publicArea = {.type = TPM2_ALG_ECC,
                   .nameAlg = TPM2_ALG_SHA256,
                   .objectAttributes = EK_FIXED,
                   .authPolicy = EK_POLICY_A,
                   .parameters.eccDetail = {.symmetric = {.algorithm = TPM2_ALG_AES,
                                                          .keyBits.aes = 128,
                                                          .mode.aes = TPM2_ALG_CFB},
                                            .scheme.scheme = TPM2_ALG_NULL,
                                            .curveID = TPM2_ECC_NIST_P256,
                                            .kdf.scheme = TPM2_ALG_NULL},
                   .unique.ecc = {.x.size = 32, .y.size = 32}}};
static const TPM2B_PUBLIC ek_p384 = {
    .publicArea = {
        .type = TPM2_ALG_ECC,
        .nameAlg = TPM2_ALG_SHA384,
        .objectAttributes = EK_FIXED | TPMA_OBJECT_USERWITHAUTH,
        .authPolicy = EK_POLICY_B_384,
        .parameters.eccDetail = {
            .symmetric = {.algorithm = TPM2_ALG_AES, .keyBits.aes = 256, .mode.aes = TPM2_ALG_CFB},
            .scheme.scheme = TPM2_ALG_NULL,
            .curveID = TPM2_ECC_NIST_P384,
            .kdf.scheme = TPM2_ALG_NULL}}};

static const ek_kind kinds[] = {
    {0x01c0000a, true, false, &ek_p256},
    {0x01c00002, true, true, &ek_rsa_2048},
    {0x01c00016, false, false, &ek_p384},
};

/* The first certificate there is, and which key it is for; NULL: none. */
static cm_err find_ek(cm_tpm *t, const ek_kind **kind, cm_buf *cert)
{
    *kind = NULL;
    for (size_t i = 0; i < CM_COUNT(kinds) && !*kind; i++) {
        CM_AUTO(cm_buf_free) cm_buf raw = {.max = NV_MAX};
        cm_view der;

        CM_TRY(read_index(t, &raw, kinds[i].cert));
        der = cm_tpm_der_first(cm_buf_view(&raw)); /* padding may follow */
        if (!der.n)
            continue;
        CM_TRY(cm_buf_append(cert, der));
        *kind = &kinds[i];
    }
    return CM_OKAY;
}

static cm_err chain_indices(cm_tpm *t, uint32_t list[NV_CHAIN_MAX], size_t *n)
{
    TPMS_CAPABILITY_DATA *data = NULL;
    TPMI_YES_NO more;

    *n = 0;
    CM_TRY(cm_tss_err(t->f.Esys_GetCapability(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                              TPM2_CAP_HANDLES, NV_CHAIN, NV_CHAIN_MAX, &more,
                                              &data)));
    for (uint32_t i = 0; i < data->data.handles.count && *n < NV_CHAIN_MAX; i++)
        if (data->data.handles.handle[i] >> 8 == NV_CHAIN >> 8)
            list[(*n)++] = data->data.handles.handle[i];
    t->f.Esys_Free(data);
    return CM_OKAY;
}

/* The endorsement key's certificate and what the maker put beside it. */
static cm_err read_certs(cm_tpm *t, cm_tpm_evidence *e)
{
    CM_AUTO(cm_buf_free) cm_buf all = {.max = NV_CHAIN_MAX * NV_MAX};
    uint32_t index[NV_CHAIN_MAX];
    const ek_kind *kind;
    cm_view rest;
    size_t n;

    e->cert[0] = (cm_buf){.max = NV_MAX};
    e->certs = 1;
    CM_TRY(find_ek(t, &kind, &e->cert[0]));
    if (!kind) {
        e->certs = 0;
        return CM_OKAY;
    }
    CM_TRY(chain_indices(t, index, &n));
    for (size_t i = 0; i < n; i++)
        CM_TRY(read_index(t, &all, index[i]));
    rest = cm_buf_view(&all);
    for (cm_view der; e->certs < CM_TPM_CERTS_MAX && (der = cm_tpm_der_first(rest)).n;) {
        e->cert[e->certs] = (cm_buf){.max = NV_MAX};
        CM_TRY(cm_buf_append(&e->cert[e->certs++], der));
        rest = cm_view_sub(rest, der.n, rest.n - der.n);
    }
    return CM_OKAY;
}

/* ---- all of it ----------------------------------------------------------------------------- */

cm_err cm_tpm_quote_make(cm_tpm *t, cm_tpm_evidence *out, const cm_tpm_selection *s, cm_view extra)
{
    CM_TSS_LOCK(t);
    CM_AUTO(cm_tpm_evidence_done)
    cm_tpm_evidence e = {.quote = {.max = CM_TPM_AREA_MAX},
                         .signature = {.max = CM_TPM_AREA_MAX},
                         .ak = {.max = CM_TPM_AREA_MAX},
                         .values = {.max = CM_TPM_VALUES_MAX}};
    CM_TSS_HELD(ak, t);
    cm_tpm_selection checked = *s;
    TPM2B_DATA data = {.size = (UINT16)extra.n};

    CM_TRY(cm_tpm_selection_check(&checked));
    if (extra.n == 0 || extra.n > CM_TPM_EXTRA_MAX)
        return CM_FAIL(BAD_ARGUMENT);
    memcpy(data.buffer, extra.p, extra.n);
    CM_TRY(attestation_key(&ak, &e.ak));
    CM_TRY(quote_steadily(t, &e, &ak, &checked, &data));
    CM_TRY(read_certs(t, &e));
    *out = e;
    e = (cm_tpm_evidence){0};
    return CM_OKAY;
}

cm_err cm_tpm_identity(cm_tpm *t, cm_buf *ak, cm_buf *ek_cert)
{
    CM_TSS_LOCK(t);
    CM_AUTO(cm_buf_free) cm_buf pub = {.max = CM_TPM_AREA_MAX};
    CM_AUTO(cm_buf_free) cm_buf cert = {.max = NV_MAX};
    CM_TSS_HELD(key, t);
    const ek_kind *kind;

    CM_TRY(attestation_key(&key, &pub));
    CM_TRY(find_ek(t, &kind, &cert));
    if (!kind)
        return CM_FAIL(TPM_NO_EK);
    CM_TRY(cm_buf_append(ak, cm_buf_view(&pub)));
    return cm_buf_append(ek_cert, cm_buf_view(&cert));
}

/* ---- activation: TPM 2.0 part 1, section 24 ------------------------------------------------- */

/* TP-23 */
static bool take_credential(const cm_tpm *t, TPM2B_ID_OBJECT *id, TPM2B_ENCRYPTED_SECRET *secret,
                            cm_view v)
{
    size_t at = 8;

    return v.n > 8 && v.n <= CM_TPM_SEALED_MAX && cm_get_be32(v.p) == BLOB_MAGIC &&
           cm_get_be32(v.p + 4) == BLOB_VERSION &&
           t->f.Tss2_MU_TPM2B_ID_OBJECT_Unmarshal(v.p, v.n, &at, id) == TSS2_RC_SUCCESS &&
           t->f.Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal(v.p, v.n, &at, secret) ==
               TSS2_RC_SUCCESS &&
           at == v.n;
}

/* One that is kept answers at once, where making it anew takes seconds. Whichever it is: another
 * key does not open the credential. */
static bool kept_key(cm_tss_held *out, const ek_kind *kind)
{
    cm_tpm *t = out->t;

    if (!kind->kept || t->f.Esys_TR_FromTPMPublic(t->esys, RSA_EK, ESYS_TR_NONE, ESYS_TR_NONE,
                                                  ESYS_TR_NONE, &out->h) != TSS2_RC_SUCCESS) {
        out->h = ESYS_TR_NONE;
        return false;
    }
    out->stays = true;
    return true;
}

static cm_err ek_session(cm_tss_held *out, const cm_tss_held *ek, const ek_kind *kind)
{
    cm_tpm *t = out->t;

    CM_TRY(cm_tss_session(out, ek, kind->by_policy ? TPM2_SE_POLICY : TPM2_SE_HMAC));
    if (!kind->by_policy)
        return CM_OKAY;
    return cm_tss_err(t->f.Esys_PolicySecret(t->esys, ESYS_TR_RH_ENDORSEMENT, out->h,
                                             ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, NULL,
                                             NULL, NULL, 0, NULL, NULL));
}

/* TP-22 */
static cm_err open_credential(cm_tpm *t, cm_buf *secret, const ek_kind *kind,
                              const TPM2B_ID_OBJECT *id, const TPM2B_ENCRYPTED_SECRET *seed)
{
    CM_TSS_HELD(ak, t);
    CM_TSS_HELD(ek, t);
    CM_TSS_HELD(session, t);
    TPM2B_DIGEST *got = NULL;
    TSS2_RC rc;
    cm_err e;

    CM_TRY(attestation_key(&ak, NULL));
    if (!kept_key(&ek, kind))
        CM_TRY(cm_tss_primary(&ek, ESYS_TR_RH_ENDORSEMENT, kind->template, NULL));
    CM_TRY(ek_session(&session, &ek, kind));
    rc = t->f.Esys_ActivateCredential(t->esys, ak.h, ek.h, ESYS_TR_PASSWORD, session.h,
                                      ESYS_TR_NONE, id, seed, &got);
    /* libtpms says "failure" of a seed that another RSA key was meant for. */
    if (cm_tss_refused(rc) || (rc & ~TSS2_RC_LAYER_MASK) == TPM2_RC_FAILURE)
        return CM_FAIL(TPM_CREDENTIAL);
    CM_TRY(cm_tss_err(rc));
    e = cm_buf_append(secret, cm_view_of(got->buffer, got->size));
    cm_wipe(got, sizeof *got);
    t->f.Esys_Free(got);
    return e;
}

cm_err cm_tpm_activate(cm_tpm *t, cm_buf *secret, cm_view credential)
{
    CM_TSS_LOCK(t);
    CM_AUTO(cm_buf_free) cm_buf cert = {.max = NV_MAX};
    TPM2B_ID_OBJECT id = {0};
    TPM2B_ENCRYPTED_SECRET seed = {0};
    const ek_kind *kind;

    if (!take_credential(t, &id, &seed, credential))
        return CM_FAIL(TPM_CREDENTIAL);
    CM_TRY(find_ek(t, &kind, &cert));
    return kind ? open_credential(t, secret, kind, &id, &seed) : CM_FAIL(TPM_NO_EK);
}
