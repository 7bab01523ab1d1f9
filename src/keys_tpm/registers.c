/* Registers, keys that are derived anew, sessions. */
#include "keys_tpm/tss_int.h"

enum { ATTEMPTS = 8, SELECT_BYTES = 3 };

/* ---- registers ----------------------------------------------------------------------------- */

void cm_tss_selection(TPML_PCR_SELECTION *out, const cm_tpm_selection *s)
{
    *out = (TPML_PCR_SELECTION){.count = 1};
    out->pcrSelections[0].hash = s->bank;
    out->pcrSelections[0].sizeofSelect = SELECT_BYTES;
    for (unsigned i = 0; i < SELECT_BYTES; i++)
        out->pcrSelections[0].pcrSelect[i] = (BYTE)(s->registers >> 8 * i);
}

static uint32_t registers_of(const TPML_PCR_SELECTION *l, uint16_t bank)
{
    uint32_t registers = 0;

    if (l->count != 1 || l->pcrSelections[0].hash != bank ||
        l->pcrSelections[0].sizeofSelect > SELECT_BYTES)
        return 0;
    for (unsigned i = 0; i < l->pcrSelections[0].sizeofSelect; i++)
        registers |= (uint32_t)l->pcrSelections[0].pcrSelect[i] << 8 * i;
    return registers;
}

/* Takes those off s->registers that were read, which are its lowest. */
static cm_err append_values(cm_buf *values, cm_tpm_selection *s, const TPML_PCR_SELECTION *got,
                            const TPML_DIGEST *list)
{
    uint32_t registers = registers_of(got, s->bank), all = s->registers;
    size_t size = cm_tpm_bank_size(s->bank);

    if (registers == 0 || list->count == 0)
        return CM_FAIL(TPM_BANK);
    if (registers & ~all || list->count != (uint32_t)__builtin_popcount(registers) ||
        list->count > CM_COUNT(list->digests))
        return CM_FAIL(TPM_DEVICE);
    all &= ~registers;
    if (all && __builtin_ctz(all) < 31 - __builtin_clz(registers))
        return CM_FAIL(TPM_DEVICE);
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->digests[i].size != size)
            return CM_FAIL(TPM_DEVICE);
        CM_TRY(cm_buf_append(values, cm_view_of(list->digests[i].buffer, size)));
    }
    s->registers = all;
    return CM_OKAY;
}

/* At most eight come at a time. */
static cm_err read_some(cm_tpm *t, cm_buf *values, cm_tpm_selection *s, uint32_t *counter)
{
    TPML_PCR_SELECTION want, *got = NULL;
    TPML_DIGEST *list = NULL;
    cm_err e;

    cm_tss_selection(&want, s);
    CM_TRY(cm_tss_err(t->f.Esys_PCR_Read(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &want,
                                         counter, &got, &list)));
    e = append_values(values, s, got, list);
    t->f.Esys_Free(got);
    t->f.Esys_Free(list);
    return e;
}

static cm_err read_all(cm_tpm *t, cm_buf *values, const cm_tpm_selection *s, bool *steady)
{
    cm_tpm_selection left = *s;
    uint32_t first, now;

    CM_TRY(read_some(t, values, &left, &first));
    now = first;
    while (left.registers && now == first)
        CM_TRY(read_some(t, values, &left, &now));
    *steady = now == first;
    return CM_OKAY;
}

cm_err cm_tss_registers(cm_tpm *t, cm_buf *values, const cm_tpm_selection *s)
{
    for (unsigned i = 0; i < ATTEMPTS; i++) {
        CM_AUTO(cm_buf_free) cm_buf got = {.max = CM_TPM_VALUES_MAX};
        bool steady;

        CM_TRY(read_all(t, &got, s, &steady));
        if (steady)
            return cm_buf_append(values, cm_buf_view(&got));
    }
    return CM_FAIL(TPM_UNSTEADY);
}

cm_err cm_tpm_registers(cm_tpm *t, cm_buf *values, const cm_tpm_selection *s)
{
    CM_TSS_LOCK(t);
    cm_tpm_selection checked = *s;

    CM_TRY(cm_tpm_selection_check(&checked));
    return cm_tss_registers(t, values, &checked);
}

cm_err cm_tpm_extend(cm_tpm *t, uint16_t bank, unsigned number, cm_view digest)
{
    CM_TSS_LOCK(t);
    TPML_DIGEST_VALUES v = {.count = 1};

    if (number >= CM_TPM_REGISTERS || digest.n == 0 || digest.n != cm_tpm_bank_size(bank))
        return CM_FAIL(TPM_SELECTION);
    v.digests[0].hashAlg = bank;
    memcpy(&v.digests[0].digest, digest.p, digest.n);
    return cm_tss_err(t->f.Esys_PCR_Extend(t->esys, ESYS_TR_PCR0 + number, ESYS_TR_PASSWORD,
                                           ESYS_TR_NONE, ESYS_TR_NONE, &v));
}

/* ---- keys ---------------------------------------------------------------------------------- */

void cm_tss_flush(cm_tss_held *h)
{
    if (h->h == ESYS_TR_NONE)
        return;
    if (h->stays)
        (void)h->t->f.Esys_TR_Close(h->t->esys, &h->h);
    else
        (void)h->t->f.Esys_FlushContext(h->t->esys, h->h);
    h->h = ESYS_TR_NONE;
}

static cm_err put_public(const cm_tpm *t, cm_buf *out, const TPM2B_PUBLIC *pub)
{
    uint8_t bytes[CM_TPM_AREA_MAX];
    size_t n = 0;

    CM_TRY(cm_tss_err(t->f.Tss2_MU_TPM2B_PUBLIC_Marshal(pub, bytes, sizeof bytes, &n)));
    return cm_buf_append(out, cm_view_of(bytes, n));
}

cm_err cm_tss_primary(cm_tss_held *out, ESYS_TR hierarchy, const TPM2B_PUBLIC *template,
                      cm_buf *pub)
{
    static const TPM2B_SENSITIVE_CREATE nothing = {0};
    static const TPM2B_DATA no_data = {0};
    static const TPML_PCR_SELECTION no_pcrs = {0};
    cm_tpm *t = out->t;
    TPM2B_PUBLIC *made = NULL;
    cm_err e = cm_tss_err(t->f.Esys_CreatePrimary(
        t->esys, hierarchy, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &nothing, template,
        &no_data, &no_pcrs, &out->h, &made, NULL, NULL, NULL));

    if (cm_failed(e)) {
        out->h = ESYS_TR_NONE;
        return e;
    }
    if (pub)
        e = put_public(t, pub, made);
    t->f.Esys_Free(made);
    return e;
}

cm_err cm_tss_storage(cm_tss_held *out)
{
    static const TPM2B_PUBLIC template = {
        .publicArea = {
            .type = TPM2_ALG_ECC,
            .nameAlg = TPM2_ALG_SHA256,
            .objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
                                TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT,
            .parameters.eccDetail = {.symmetric = {.algorithm = TPM2_ALG_AES,
                                                   .keyBits.aes = 128,
                                                   .mode.aes = TPM2_ALG_CFB},
                                     .scheme.scheme = TPM2_ALG_NULL,
                                     .curveID = TPM2_ECC_NIST_P256,
                                     .kdf.scheme = TPM2_ALG_NULL},
            .unique.ecc = {.x.size = 32, .y.size = 32},
        }};

    return cm_tss_primary(out, ESYS_TR_RH_OWNER, &template, NULL);
}

/* TP-7 */
cm_err cm_tss_session(cm_tss_held *out, const cm_tss_held *key, TPM2_SE type)
{
    static const TPMT_SYM_DEF cipher = {
        .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB};
    const TPMA_SESSION both =
        TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT | TPMA_SESSION_CONTINUESESSION;
    cm_tpm *t = out->t;
    cm_err e = cm_tss_err(t->f.Esys_StartAuthSession(t->esys, key->h, ESYS_TR_NONE, ESYS_TR_NONE,
                                                     ESYS_TR_NONE, ESYS_TR_NONE, NULL, type,
                                                     &cipher, TPM2_ALG_SHA256, &out->h));

    if (cm_failed(e)) {
        out->h = ESYS_TR_NONE;
        return e;
    }
    return cm_tss_err(t->f.Esys_TRSess_SetAttributes(t->esys, out->h, both, 0xff));
}

cm_err cm_tss_name(cm_buf *name, const cm_tss_held *h)
{
    TPM2B_NAME *n = NULL;
    cm_err e;

    CM_TRY(cm_tss_err(h->t->f.Esys_TR_GetName(h->t->esys, h->h, &n)));
    e = cm_buf_append(name, cm_view_of(n->name, n->size));
    h->t->f.Esys_Free(n);
    return e;
}
