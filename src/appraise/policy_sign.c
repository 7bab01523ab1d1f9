/* Two people agree to a change (AP-20 to AP-22). */
#include "appraise/policy.h"
#include "codec/text.h"

#define LABEL "CASEMATE POLICY SIGNATURE"

static const char context[] = "casemate-attest-policy-v1";

enum { FINGERPRINT = 32 };

static bool is_mldsa(const cm_sig_key *k)
{
    return k &&
           (cm_sig_key_info(k)->id == CM_SIG_MLDSA65 || cm_sig_key_info(k)->id == CM_SIG_MLDSA87 ||
            cm_sig_key_info(k)->id == CM_SIG_DUAL65 || cm_sig_key_info(k)->id == CM_SIG_DUAL87);
}

cm_err cm_policy_sign(cm_buf *out, const cm_crypt *c, const cm_pkey *key, cm_view file)
{
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = FINGERPRINT + CM_SIG_MAX};
    const cm_sig_key *k = cm_pkey_sig(key);

    if (!is_mldsa(k) || !cm_sig_has_private(k))
        return CM_FAIL(POLICY_SIGNER);
    CM_TRY(cm_buf_reserve(&blob, FINGERPRINT + cm_sig_key_info(k)->sig));
    CM_TRY(cm_pkey_fingerprint(blob.p, c, key));
    CM_TRY(cm_sign(k, blob.p + FINGERPRINT, cm_view_str(context), file));
    blob.n = FINGERPRINT + cm_sig_key_info(k)->sig;
    return cm_pem_encode(out, CM_LIT(LABEL), cm_buf_view(&blob));
}

static cm_err key_of(const cm_pkey **out, const cm_crypt *c, cm_pkey *const *keys, size_t n,
                     cm_view fingerprint)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t fp[FINGERPRINT];

        CM_TRY(cm_pkey_fingerprint(fp, c, keys[i]));
        if (cm_view_eq(CM_VIEW(fp), fingerprint) && is_mldsa(cm_pkey_sig(keys[i]))) {
            *out = keys[i];
            return CM_OKAY;
        }
    }
    return CM_FAIL(POLICY_SIGNER);
}

static size_t place_of(const cm_policy *who, cm_view fingerprint)
{
    size_t i = 0;

    while (i < who->n_signers && !cm_view_eq(CM_VIEW(who->signer[i].fingerprint), fingerprint))
        i++;
    return i;
}

static cm_err check_one(uint32_t *seen, const cm_crypt *c, const cm_policy *who, cm_view file,
                        cm_view signature, cm_pkey *const *keys, size_t n_keys)
{
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = FINGERPRINT + CM_SIG_MAX};
    const cm_pkey *key = NULL;
    cm_view label, fingerprint;
    size_t at;

    CM_TRY(cm_pem_next(&blob, &label, &signature));
    if (!cm_view_eq(label, CM_LIT(LABEL)) || blob.n <= FINGERPRINT)
        return CM_FAIL(POLICY_SIGNER);
    fingerprint = cm_view_sub(cm_buf_view(&blob), 0, FINGERPRINT);
    at = place_of(who, fingerprint);
    if (at == who->n_signers)
        return CM_FAIL(POLICY_SIGNER);
    CM_TRY(key_of(&key, c, keys, n_keys, fingerprint));
    CM_TRY(cm_verify(cm_pkey_sig(key), cm_view_str(context), file,
                     cm_view_sub(cm_buf_view(&blob), FINGERPRINT, blob.n - FINGERPRINT)));
    *seen |= 1u << at;
    return CM_OKAY;
}

cm_err cm_policy_agreed(const cm_crypt *c, const cm_policy *p, cm_view file,
                        const cm_policy *before, const cm_view *signatures, size_t n,
                        cm_pkey *const *keys, size_t n_keys)
{
    uint32_t seen = 0;
    unsigned count = 0;

    if (before && p->version <= before->version) /* AP-22 */
        return CM_FAIL(POLICY_VERSION);
    for (size_t i = 0; i < n; i++) /* AP-21 */
        CM_TRY(check_one(&seen, c, before ? before : p, file, signatures[i], keys, n_keys));
    for (uint32_t bits = seen; bits; bits &= bits - 1)
        count++;
    return count >= CM_POLICY_PEOPLE ? CM_OKAY : CM_FAIL(POLICY_SIGNATURES); /* AP-20 */
}
