#ifndef CM_KAT_SIG_KAT_H
#define CM_KAT_SIG_KAT_H
/* What the signature known-answer tests share. */
#include <openssl/core_names.h>
#include <openssl/params.h>

#include "crypt/mldsa_int.h"
#include "sampled.h"

/* What to sign, in the forms that vectors come in. */
typedef struct {
    cm_view ctx, msg; /* msg is mu if is_mu */
    cm_view rnd;      /* empty: deterministic */
    bool is_mu;
} sig_input;

/* The provider with its randomness given, which our own interface has no place for. */
static inline cm_err sig_with_rnd(const cm_sig_key *k, uint8_t *sig, const sig_input *in)
{
    int mu = in->is_mu;
    size_t n = k->alg->info.sig;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_SIGNATURE_PARAM_TEST_ENTROPY,
                                          (void *)(uintptr_t)in->rnd.p, in->rnd.n),
        OSSL_PARAM_construct_octet_string(OSSL_SIGNATURE_PARAM_CONTEXT_STRING,
                                          (void *)(uintptr_t)cm_crypt_bytes(in->ctx), in->ctx.n),
        OSSL_PARAM_construct_end(),
        OSSL_PARAM_construct_end(),
    };

    if (in->ctx.n > CM_SIG_CTX_MAX)
        return CM_FAIL(CRYPT_CONTEXT_LONG);
    if (mu)
        params[1] = OSSL_PARAM_construct_int(OSSL_SIGNATURE_PARAM_MU, &mu);
    return cm_sig_evp_sign(k, sig, &n, in->msg, params);
}

static inline cm_err sig_exact(const cm_sig_key *k, uint8_t *sig, const sig_input *in)
{
    if (in->rnd.n)
        return sig_with_rnd(k, sig, in);
    if (in->is_mu)
        return k->alg->family->sign(k, sig, CM_LIT(""), in->msg,
                                    CM_SIG_IS_MU | CM_SIG_DETERMINISTIC);
    return cm_sign_det(k, sig, in->ctx, in->msg);
}

/* ML-DSA's kernels and the provider's own verification say what we say. */
static inline void sig_all_agree(const cm_sig_key *k, const sig_input *in, cm_view sig, bool good)
{
    int mu = in->is_mu;
    const uint8_t *given = mu ? in->msg.p : NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_SIGNATURE_PARAM_CONTEXT_STRING,
                                          (void *)(uintptr_t)cm_crypt_bytes(in->ctx), in->ctx.n),
        OSSL_PARAM_construct_end(),
    };

    if (mu)
        params[0] = OSSL_PARAM_construct_int(OSSL_SIGNATURE_PARAM_MU, &mu);
    T_CHECK(cm_ok(cm_sig_evp_verify(k, in->msg, sig, params)) == good);
    for (cm_cpu_kind kind = CM_CPU_PORTABLE; kind < CM_CPU_KINDS; kind++)
        if (cm_mldsa_kernel_of(kind))
            T_CHECK(cm_ok(cm_mldsa_verify_on(kind, k, given, in->ctx, in->msg, sig)) == good);
}

static inline cm_err sig_check(const cm_sig_key *k, const sig_input *in, cm_view sig)
{
    cm_err e;

    if (in->is_mu && in->msg.n != CM_SIG_MU)
        return CM_FAIL(CRYPT_SIGNATURE);
    e = in->is_mu ? cm_verify_mu(k, in->msg.p, sig) : cm_verify(k, in->ctx, in->msg, sig);
    if (k->alg->family == &cm_sig_mldsa && !cm_is(e, CM_CRYPT_CONTEXT_RESERVED))
        sig_all_agree(k, in, sig, cm_ok(e));
    return e;
}

/* The signature is made as given, and verifies. */
static inline void sig_is(const cm_sig_key *k, const sig_input *in, cm_view want)
{
    uint8_t sig[CM_SIG_MAX];

    T_CHECK(cm_ok(sig_exact(k, sig, in)));
    T_CHECK(cm_view_eq(cm_view_of(sig, k->alg->info.sig), want));
    T_CHECK(cm_ok(sig_check(k, in, want)));
}

/* mu of ML-DSA's internal interface: the message comes without an encoding of its context. */
static inline void sig_internal_mu(const cm_sig_key *k, uint8_t mu[CM_SIG_MU], cm_view msg)
{
    uint8_t tr[64];
    cm_view parts[] = {CM_VIEW(tr), msg};

    T_CHECK(cm_ok(cm_shake(k->crypt, 256, tr, sizeof tr, cm_sig_public(k))));
    T_CHECK(cm_ok(cm_shake_parts(k->crypt, 256, mu, CM_SIG_MU, parts, CM_COUNT(parts))));
}

/* The algorithm a vector names, if it is ours and post-quantum without a partner. */
static inline const cm_sig_info *sig_named(cm_view name)
{
    const cm_sig_info *i = cm_sig_info_by_name(name);

    return i && cm_sig_alg_of(i->id)->native_ctx ? i : NULL;
}

#endif
