#ifndef CM_APPRAISE_POLICY_H
#define CM_APPRAISE_POLICY_H
/*
 * Policy files: what evidence is accepted, and what it is good for (spec/appraise.md). Nothing is
 * allowed that a file does not name; debugging is forbidden unless it says otherwise. Pure: time is
 * a parameter. Any thread may read a policy; time depends on it, which is public.
 */
#include "attest/attest.h"
#include "pki/keyfile.h"

enum {
    CM_POLICY_FILE_MAX = 256 << 10,
    CM_POLICY_KINDS = 24, /* rules, one a kind of evidence */
    CM_POLICY_SIGNERS = 16,
    CM_POLICY_TIERS = 5,
    CM_POLICY_PEOPLE = 2, /* whose signatures a change needs */
    CM_POLICY_SENTENCE = 400,
    CM_POLICY_REFERENCES = 8,
};

/** A measurement that is accepted, until when (0: for ever), and where it comes from. */
typedef struct {
    cm_view value;
    const char *name, *provenance;
    uint64_t until;
} cm_policy_measurement;

/** What is demanded of one kind of evidence. */
typedef struct {
    cm_attest_kind kind;
    cm_policy_measurement *measurement;
    size_t n_measurements;
    cm_view *chip;
    size_t n_chips;
    bool any_measurement; /* said in so many words */
    bool by_reference;    /* they come from manifests that the policy refers to (AP-46) */
    cm_attest_policy demand;
} cm_policy_rule;

typedef struct {
    const char *name;
    uint8_t fingerprint[32]; /* of the public key */
} cm_policy_signer;

/** What evidence a privacy tier demands (HIP-5). */
typedef struct {
    bool never;
    bool evidence;  /* of a processor */
    uint32_t kinds; /* bits of cm_attest_kind; 0: any that the policy has a rule for */
    bool gpu;
} cm_policy_tier;

/** A manifest of reference values that a policy trusts: one that this key signed, under this name,
 * of at least this version. */
typedef struct {
    const char *name;
    uint8_t signer[32];
    uint64_t version;
} cm_policy_reference;

typedef struct cm_policy {
    const char *name;
    uint64_t version, expires; /* 0: never */
    cm_policy_rule rule[CM_POLICY_KINDS];
    size_t n_rules;
    cm_policy_signer signer[CM_POLICY_SIGNERS];
    size_t n_signers;
    cm_policy_tier tier[CM_POLICY_TIERS];
    bool gpu; /* evidence of a GPU is always demanded */
    cm_policy_reference reference[CM_POLICY_REFERENCES];
    size_t n_references;
    struct cm_policy_memory *memory;
} cm_policy;

/** What is wrong with a file, and where. */
typedef struct {
    unsigned line, column;
    char what[200];
} cm_policy_fault;

/** Read a file. POLICY_SYNTAX, POLICY_FORM: with *fault said. Free with cm_policy_free(). */
CM_MUST cm_err cm_policy_read(cm_policy **out, cm_view file, cm_policy_fault *fault);
void cm_policy_free(cm_policy *p);
void cm_policy_free_ptr(cm_policy **p);

/** The rule of a kind; NULL: evidence of it is not accepted. */
const cm_policy_rule *cm_policy_rule_of(const cm_policy *p, cm_attest_kind kind);

/* ---- deciding ------------------------------------------------------------------------------ */

/** Evidence under a policy: its result, and what it was bound to. */
typedef struct {
    cm_attest_result r;
    cm_err answer;                            /* of cm_attest_decide() under the rule of its kind */
    const cm_policy_measurement *measurement; /* that it has; NULL: none is named, or any will do */
} cm_appraised;

void cm_appraised_done(cm_appraised *a);

/** Verify under the policy's rule as of now. fresh: what it has to be bound to (never optional:
 * empty fails unless the rule's may_skip has fresh). Errors of cm_attest_verify(). A kind without a
 * rule is verified with an empty demand and refused by cm_policy_judge(). */
CM_MUST cm_err cm_policy_appraise(cm_appraised *out, const cm_crypt *c, const cm_policy *p,
                                  const cm_attest_input *in, uint64_t now, cm_view fresh);
/** The same of a TPM that was given a credential to open; activation may be NULL. */
CM_MUST cm_err cm_policy_appraise_opened(cm_appraised *out, const cm_crypt *c, const cm_policy *p,
                                         const cm_attest_input *in, uint64_t now, cm_view fresh,
                                         const cm_tpm_activation *activation);

typedef struct {
    bool accepted;
    unsigned tier; /* the highest that the evidence suffices for; 0 too when refused */
    char sentence[CM_POLICY_SENTENCE];
} cm_appraisal;

/** The one decision over all evidence of one machine, and the sentence that explains it. */
void cm_policy_judge(cm_appraisal *out, const cm_policy *p, const cm_appraised *v, size_t n,
                     uint64_t now);

/* ---- two people (AP-20) -------------------------------------------------------------------- */

/** Sign a file: PEM of "CASEMATE POLICY SIGNATURE". key: ML-DSA, with its private half.
 * POLICY_SIGNER for another; NO_ENTROPY. */
CM_MUST cm_err cm_policy_sign(cm_buf *out, const cm_crypt *c, const cm_pkey *key, cm_view file);

/** Whether a change is agreed to: p is the new policy, out of file; before: the one in force, whose
 * signers count and whose version is lower (NULL: there is none, and p's own signers count).
 * POLICY_VERSION not higher; POLICY_SIGNATURES fewer than two distinct signers; POLICY_SIGNER a
 * signature by a key that is not given or counts for nothing; CRYPT_SIGNATURE. */
CM_MUST cm_err cm_policy_agreed(const cm_crypt *c, const cm_policy *p, cm_view file,
                                const cm_policy *before, const cm_view *signatures, size_t n,
                                cm_pkey *const *keys, size_t n_keys);

#endif
