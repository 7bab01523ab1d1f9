/* Secrets that the TPM gives back while its registers are what they were. */
#include "keys_tpm/tss_int.h"

/* ---- sealing ------------------------------------------------------------------------------- */

static cm_err put_areas(const cm_tpm *t, cm_buf *pub, cm_buf *priv, const TPM2B_PUBLIC *p,
                        const TPM2B_PRIVATE *s)
{
    uint8_t bytes[CM_TPM_AREA_MAX];
    size_t n = 0;

    CM_TRY(cm_tss_err(t->f.Tss2_MU_TPM2B_PUBLIC_Marshal(p, bytes, sizeof bytes, &n)));
    CM_TRY(cm_buf_append(pub, cm_view_of(bytes, n)));
    n = 0;
    CM_TRY(cm_tss_err(t->f.Tss2_MU_TPM2B_PRIVATE_Marshal(s, bytes, sizeof bytes, &n)));
    return cm_buf_append(priv, cm_view_of(bytes, n));
}

/* TP-6: opened by its policy and by nothing else. Wrong tries are counted where there is something
 * to be guessed. */
static cm_err create(cm_buf *pub, cm_buf *priv, const cm_tss_held *parent,
                     const TPM2B_SENSITIVE_CREATE *secret, const uint8_t policy[CM_TPM_POLICY])
{
    static const TPM2B_DATA no_data = {0};
    static const TPML_PCR_SELECTION no_pcrs = {0};
    cm_tpm *t = parent->t;
    CM_TSS_HELD(session, t);
    TPM2B_PUBLIC template = {
        .publicArea = {.type = TPM2_ALG_KEYEDHASH,
                       .nameAlg = TPM2_ALG_SHA256,
                       .objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT,
                       .authPolicy.size = CM_TPM_POLICY,
                       .parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL}};
    TPM2B_PRIVATE *s = NULL;
    TPM2B_PUBLIC *p = NULL;
    cm_err e;

    if (secret->sensitive.userAuth.size == 0)
        template.publicArea.objectAttributes |= TPMA_OBJECT_NODA;
    memcpy(template.publicArea.authPolicy.buffer, policy, CM_TPM_POLICY);
    CM_TRY(cm_tss_session(&session, parent, TPM2_SE_HMAC));
    CM_TRY(cm_tss_err(t->f.Esys_Create(t->esys, parent->h, session.h, ESYS_TR_NONE, ESYS_TR_NONE,
                                       secret, &template, &no_data, &no_pcrs, &s, &p, NULL, NULL,
                                       NULL)));
    e = put_areas(t, pub, priv, p, s);
    t->f.Esys_Free(s);
    t->f.Esys_Free(p);
    return e;
}

static cm_err values_of(cm_tpm *t, cm_buf *values, const cm_tpm_policy *p,
                        const cm_tpm_selection *s)
{
    if (p->values.n == 0)
        return cm_tss_registers(t, values, s);
    return p->values.n == cm_tpm_values_size(s) ? cm_buf_append(values, p->values)
                                                : CM_FAIL(BAD_ARGUMENT);
}

static void wipe_sensitive(TPM2B_SENSITIVE_CREATE *s)
{
    cm_wipe(s, sizeof *s);
}

cm_err cm_tpm_seal(cm_tpm *t, cm_buf *blob, const cm_key32 *secret, const cm_tpm_policy *p)
{
    CM_TSS_LOCK(t);
    CM_AUTO(wipe_sensitive) TPM2B_SENSITIVE_CREATE sensitive = {0};
    CM_AUTO(cm_buf_free) cm_buf values = {.max = CM_TPM_VALUES_MAX};
    CM_AUTO(cm_buf_free) cm_buf name = {.max = CM_TPM_AREA_MAX};
    CM_AUTO(cm_buf_free) cm_buf pub = {.max = CM_TPM_AREA_MAX};
    CM_AUTO(cm_buf_free) cm_buf priv = {.max = CM_TPM_AREA_MAX};
    CM_TSS_HELD(parent, t);
    cm_tpm_sealed s = {.pcrs = p->pcrs, .auth = p->auth.n != 0};
    uint8_t policy[CM_TPM_POLICY];

    CM_TRY(cm_tpm_selection_check(&s.pcrs));
    if (p->auth.n > CM_TPM_AUTH_MAX)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(values_of(t, &values, p, &s.pcrs));
    CM_TRY(cm_tpm_policy_digest(policy, t->crypt, &s.pcrs, cm_buf_view(&values), s.auth));
    sensitive.sensitive.data.size = sizeof secret->b;
    memcpy(sensitive.sensitive.data.buffer, secret->b, sizeof secret->b);
    sensitive.sensitive.userAuth.size = (UINT16)p->auth.n;
    if (p->auth.n)
        memcpy(sensitive.sensitive.userAuth.buffer, p->auth.p, p->auth.n);
    CM_TRY(cm_tss_storage(&parent));
    CM_TRY(cm_tss_name(&name, &parent));
    CM_TRY(create(&pub, &priv, &parent, &sensitive, policy));
    s.values = cm_buf_view(&values);
    s.parent = cm_buf_view(&name);
    s.pub = cm_buf_view(&pub);
    s.priv = cm_buf_view(&priv);
    return cm_tpm_sealed_put(blob, &s);
}

/* ---- opening ------------------------------------------------------------------------------- */

static cm_err check(cm_tss_held *parent, const cm_tpm_sealed *s, bool *ours, uint32_t *differ)
{
    CM_AUTO(cm_buf_free) cm_buf name = {.max = CM_TPM_AREA_MAX};
    CM_AUTO(cm_buf_free) cm_buf now = {.max = CM_TPM_VALUES_MAX};

    CM_TRY(cm_tss_storage(parent));
    CM_TRY(cm_tss_name(&name, parent));
    CM_TRY(cm_tss_registers(parent->t, &now, &s->pcrs));
    *ours = cm_view_eq(cm_buf_view(&name), s->parent);
    *differ = cm_tpm_values_differ(&s->pcrs, s->values, cm_buf_view(&now));
    return CM_OKAY;
}

cm_err cm_tpm_sealed_check(cm_tpm *t, const cm_tpm_sealed *s, bool *ours, uint32_t *differ)
{
    CM_TSS_LOCK(t);
    CM_TSS_HELD(parent, t);

    return check(&parent, s, ours, differ);
}

static bool take_areas(const cm_tpm *t, TPM2B_PUBLIC *pub, TPM2B_PRIVATE *priv,
                       const cm_tpm_sealed *s)
{
    size_t a = 0, b = 0;

    return t->f.Tss2_MU_TPM2B_PUBLIC_Unmarshal(s->pub.p, s->pub.n, &a, pub) == TSS2_RC_SUCCESS &&
           a == s->pub.n &&
           t->f.Tss2_MU_TPM2B_PRIVATE_Unmarshal(s->priv.p, s->priv.n, &b, priv) ==
               TSS2_RC_SUCCESS &&
           b == s->priv.n;
}

/* TP-4: the TPM would refuse an object of another policy than the blob's fields give, but not say
 * that it is the blob that is wrong. */
static cm_err read_object(TPM2B_PUBLIC *pub, TPM2B_PRIVATE *priv, const cm_tpm *t,
                          const cm_tpm_sealed *s)
{
    uint8_t policy[CM_TPM_POLICY];

    CM_TRY(cm_tpm_policy_digest(policy, t->crypt, &s->pcrs, s->values, s->auth));
    if (!take_areas(t, pub, priv, s) ||
        !cm_view_eq(CM_VIEW(policy),
                    cm_view_of(pub->publicArea.authPolicy.buffer, pub->publicArea.authPolicy.size)))
        return CM_FAIL(TPM_BLOB);
    return CM_OKAY;
}

static cm_err load_object(cm_tss_held *out, const cm_tss_held *parent, const TPM2B_PUBLIC *pub,
                          const TPM2B_PRIVATE *priv)
{
    cm_tpm *t = out->t;
    TSS2_RC rc = t->f.Esys_Load(t->esys, parent->h, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                                priv, pub, &out->h);

    if (rc != TSS2_RC_SUCCESS)
        out->h = ESYS_TR_NONE;
    return cm_tss_refused(rc) ? CM_FAIL(TPM_BLOB) : cm_tss_err(rc);
}

static cm_err meet_policy(const cm_tss_held *session, const cm_tss_held *object,
                          const cm_tpm_sealed *s, cm_view auth)
{
    static const TPM2B_DIGEST whichever = {0};
    cm_tpm *t = session->t;
    TPML_PCR_SELECTION pcrs;
    TPM2B_AUTH value = {.size = (UINT16)auth.n};
    cm_err e;

    cm_tss_selection(&pcrs, &s->pcrs);
    CM_TRY(cm_tss_err(t->f.Esys_PolicyPCR(t->esys, session->h, ESYS_TR_NONE, ESYS_TR_NONE,
                                          ESYS_TR_NONE, &whichever, &pcrs)));
    if (!s->auth)
        return CM_OKAY;
    memcpy(value.buffer, auth.p, auth.n);
    e = cm_tss_err(t->f.Esys_TR_SetAuth(t->esys, object->h, &value));
    cm_wipe(&value, sizeof value);
    CM_TRY(e);
    return cm_tss_err(
        t->f.Esys_PolicyAuthValue(t->esys, session->h, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE));
}

static cm_err unseal_err(TSS2_RC rc)
{
    if (cm_tss_is(rc, TPM2_RC_POLICY_FAIL) || rc == TPM2_RC_PCR_CHANGED)
        return CM_FAIL(TPM_CHANGED);
    if (cm_tss_is(rc, TPM2_RC_AUTH_FAIL) || cm_tss_is(rc, TPM2_RC_BAD_AUTH))
        return CM_FAIL(TPM_AUTH);
    return cm_tss_err(rc);
}

static cm_err open_object(cm_key32 *secret, const cm_tss_held *parent, const cm_tss_held *object,
                          const cm_tpm_sealed *s, cm_view auth)
{
    cm_tpm *t = parent->t;
    CM_TSS_HELD(session, t);
    TPM2B_SENSITIVE_DATA *got = NULL;
    bool good;

    CM_TRY(cm_tss_session(&session, parent, TPM2_SE_POLICY));
    CM_TRY(meet_policy(&session, object, s, auth));
    CM_TRY(unseal_err(
        t->f.Esys_Unseal(t->esys, object->h, session.h, ESYS_TR_NONE, ESYS_TR_NONE, &got)));
    good = got->size == sizeof secret->b;
    if (good)
        memcpy(secret->b, got->buffer, sizeof secret->b);
    cm_wipe(got, sizeof *got);
    t->f.Esys_Free(got);
    return good ? CM_OKAY : CM_FAIL(TPM_BLOB);
}

cm_err cm_tpm_unseal(cm_tpm *t, cm_key32 *secret, cm_view blob, cm_view auth, uint32_t *differ)
{
    CM_TSS_LOCK(t);
    CM_TSS_HELD(parent, t);
    CM_TSS_HELD(object, t);
    TPM2B_PUBLIC pub = {0};
    TPM2B_PRIVATE priv = {0};
    cm_tpm_sealed s;
    uint32_t others = 0;
    bool ours;

    CM_TRY(cm_tpm_sealed_read(&s, blob));
    CM_TRY(read_object(&pub, &priv, t, &s));
    CM_TRY(check(&parent, &s, &ours, &others));
    if (!ours) /* TP-3 */
        return CM_FAIL(TPM_OTHER);
    if (differ)
        *differ = others;
    if (others) /* TP-8 */
        return CM_FAIL(TPM_CHANGED);
    if (s.auth ? auth.n == 0 || auth.n > CM_TPM_AUTH_MAX : auth.n != 0)
        return CM_FAIL(TPM_AUTH);
    CM_TRY(load_object(&object, &parent, &pub, &priv));
    return open_object(secret, &parent, &object, &s, auth);
}
