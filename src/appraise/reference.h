#ifndef CM_APPRAISE_REFERENCE_H
#define CM_APPRAISE_REFERENCE_H
/*
 * Reference values: measurements that somebody vouches for, out of a CoRIM or of a manifest of our
 * own (spec/appraise.md, AP-40 on). Pure: time is a parameter. Any thread; time depends on the
 * files, which are public.
 */
#include "appraise/policy.h"

enum {
    CM_REFERENCE_FILE_MAX = 1 << 20,
    CM_REFERENCE_VALUES = 256,
    CM_REFERENCE_NAME = 161, /* with its zero */
    CM_REFERENCE_FROM = 201,
};

typedef struct {
    cm_attest_kind kind; /* UNKNOWN: the file does not say */
    uint8_t value[64];
    size_t n;
    char name[CM_REFERENCE_NAME], from[CM_REFERENCE_FROM]; /* from: as a policy's provenance */
    uint64_t until;                                        /* 0: as long as the whole */
} cm_reference_value;

typedef struct {
    char name[CM_REFERENCE_NAME];
    uint64_t version;                     /* of a manifest; 0 of a CoRIM */
    uint64_t issued, not_before, expires; /* 0: it does not say */
    bool is_signed;
    uint8_t signer[32]; /* fingerprint of the key that verified it */
    size_t n, ignored;  /* ignored: values that are no measurements of the kinds here */
    cm_reference_value v[CM_REFERENCE_VALUES];
} cm_reference;

void cm_reference_free(cm_reference *r);
void cm_reference_free_ptr(cm_reference **r);

/** Read a CoRIM, unsigned (tag 501) or signed (COSE_Sign1), as AP-40 to AP-43 have it. as: the kind
 * of digests whose profile does not say; UNKNOWN leaves it open. A signed one verifies with one of
 * the keys, or fails: REFERENCE_SIGNER, CRYPT_SIGNATURE. REFERENCE_FORM; TOO_BIG too many values.
 * Whether one that nobody signed will do is the caller's: is_signed. Free with cm_reference_free().
 */
CM_MUST cm_err cm_corim_read(cm_reference **out, const cm_crypt *c, cm_view file, cm_attest_kind as,
                             cm_pkey *const *keys, size_t n_keys);

/** Whether the time lies within its validity. REFERENCE_EXPIRED. */
CM_MUST cm_err cm_reference_valid(const cm_reference *r, uint64_t now);

/** A manifest of the measurements that a policy file names, signed with an ML-DSA key (AP-44).
 * POLICY_SIGNER another key; REFERENCE_NONE the policy names none; BAD_ARGUMENT expires is not
 * after issued. */
CM_MUST cm_err cm_manifest_sign(cm_buf *out, const cm_pkey *key, const cm_policy *p,
                                uint64_t issued, uint64_t expires);
/** Read a manifest and verify its signature by the key it carries: who that is, is for the caller
 * to judge by the fingerprint in signer. REFERENCE_FORM; CRYPT_SIGNATURE. */
CM_MUST cm_err cm_manifest_read(cm_reference **out, const cm_crypt *c, cm_view file);

/** Whether v begins as a manifest does. */
bool cm_manifest_is(cm_view v);

/** Let the rules of p that are by reference accept what a manifest that p refers to vouches for.
 * r is borrowed for p's life. REFERENCE_SIGNER p refers to none of this name and signer, or to a
 * later version; REFERENCE_EXPIRED; TOO_BIG more than 256 for one rule. Not while others read p. */
CM_MUST cm_err cm_policy_refer(cm_policy *p, const cm_reference *r, uint64_t now);
/** A policy as p that is extended so by those of n manifests which it refers to; the others, and
 * those that are not valid now, are passed over. p and the manifests are borrowed for its life and
 * stay as they are. TOO_BIG. Free with cm_policy_free(). */
CM_MUST cm_err cm_policy_referred(cm_policy **out, const cm_policy *p, cm_reference *const *r,
                                  size_t n, uint64_t now);

#endif
