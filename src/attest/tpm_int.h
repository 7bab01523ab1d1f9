#ifndef CM_ATTEST_TPM_INT_H
#define CM_ATTEST_TPM_INT_H
/* Structures of TPM 2.0 part 2, as far as quotes have them. */
#include "attest/tcg_int.h"

enum {
    CM_TPM_RSA = 0x0001,
    CM_TPM_NULL = 0x0010,
    CM_TPM_RSASSA = 0x0014,
    CM_TPM_RSAPSS = 0x0016,
    CM_TPM_ECDSA = 0x0018,
    CM_TPM_ECC = 0x0023,
    CM_TPM_BANKS = 4,
    CM_TPM_PCRS = 24,
};

/** A public area (TPMT_PUBLIC). */
typedef struct {
    cm_view area; /* its bytes */
    uint16_t type, name_alg, scheme, scheme_hash, curve;
    uint32_t attributes, exponent;
    cm_view x, y; /* RSA: x is the modulus */
} cm_tpm_public;

/** TPMS_ATTEST of a quote. */
typedef struct {
    cm_view whole, signer, extra, digest;
    uint64_t clock, firmware;
    uint32_t resets, restarts;
    bool safe;
    struct {
        uint16_t alg;
        uint32_t pcrs;
    } bank[CM_TPM_BANKS];
    uint32_t n_banks;
} cm_tpm_quote;

/** TPMT_SIGNATURE. */
typedef struct {
    uint16_t scheme, hash;
    cm_view r, s; /* RSA: r is all of it */
} cm_tpm_signature;

/* Each takes the whole of v; false when it is otherwise. AT-50 */
bool cm_tpm_public_read(cm_tpm_public *p, cm_view v);
bool cm_tpm_quote_read(cm_tpm_quote *q, cm_view v);
bool cm_tpm_signature_read(cm_tpm_signature *s, cm_view v);

/** The key; NULL when the numbers are none. */
CM_MUST cm_err cm_tpm_public_key(EVP_PKEY **out, const cm_crypt *c, const cm_tpm_public *p);
/** Its name: algorithm and digest of the area. name_alg must be one of ours. */
CM_MUST cm_err cm_tpm_name(uint8_t name[CM_TPM_NAME_MAX], size_t *n, const cm_crypt *c,
                           const cm_tpm_public *p);
/** A key that signs nothing but what a TPM says of itself, and never left it (AT-52). */
bool cm_tpm_is_attestation_key(const cm_tpm_public *p);

/** Note SIGNATURE, PCRS, EVENTS, PLATFORM and FRESH of a quote by this key; its digest's hash is
 * that of the signature. */
CM_MUST cm_err cm_tpm_check_quote(cm_run *run, const cm_tpm_quote *q, const cm_tpm_signature *s,
                                  EVP_PKEY *key);
CM_MUST cm_err cm_tpm_claims(cm_run *run, const cm_tpm_quote *q);

#endif
