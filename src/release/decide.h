#ifndef CM_RELEASE_DECIDE_H
#define CM_RELEASE_DECIDE_H
/*
 * Challenges, and the one decision that the key server and the offline authority both take: policy,
 * evidence and challenge in; answer, sentence, claims and tier out (spec/release.md, section 3).
 * No clock, no store: the caller keeps the record of a challenge and uses it up, once, before it
 * decides. Any thread; all is public but a challenge's activation secret.
 */
#include "appraise/policy.h"
#include "attest/bind.h"
#include "release/rcar.h"

/* ---- challenges ---------------------------------------------------------------------------- */

enum {
    CM_CHALLENGE_TTL = 300, /* seconds */
    CM_CHALLENGE_TTL_MAX = 3600,
    CM_CHALLENGE_RECORD_MAX = 512,
};

/** What was asked of an attester: kept until it answers or it is over, and used once. */
typedef struct {
    uint8_t nonce[CM_RCAR_NONCE];
    uint64_t made, expires; /* seconds since 1970: good from made on, until before expires */
    cm_attest_kind kind;
    cm_hash hash; /* of the runtime data */
    bool has_activation;
    cm_tpm_activation activation; /* secret until the TPM has answered */
} cm_challenge;

/** Wipes. */
void cm_challenge_done(cm_challenge *c);
/** Answer r. message: what goes to the attester; free with cm_rcar_challenge_done(). ttl: 0 is
 * CM_CHALLENGE_TTL. NO_ENTROPY; BAD_ARGUMENT a ttl past the limit; ATTEST_CERTIFICATE,
 * ATTEST_TPM_KEY keys in r that no credential can be made for. */
CM_MUST cm_err cm_challenge_make(cm_challenge *out, cm_rcar_challenge *message, const cm_crypt *c,
                                 const cm_rcar_request *r, uint64_t now, uint32_t ttl);
/** Append it as a record, for a store. Secret if it has an activation. */
CM_MUST cm_err cm_challenge_put(cm_buf *out, const cm_challenge *c);
/** RELEASE_CHALLENGE. */
CM_MUST cm_err cm_challenge_read(cm_challenge *out, cm_view record);

/* ---- trustworthiness ----------------------------------------------------------------------- */

/* AR4SI's categories: id, name in JSON; the number in CBOR is the place. */
#define CM_TRUST_CLAIMS(X)                    \
    X(INSTANCE_IDENTITY, "instance-identity") \
    X(CONFIGURATION, "configuration")         \
    X(EXECUTABLES, "executables")             \
    X(FILE_SYSTEM, "file-system")             \
    X(HARDWARE, "hardware")                   \
    X(RUNTIME_OPAQUE, "runtime-opaque")       \
    X(STORAGE_OPAQUE, "storage-opaque")       \
    X(SOURCED_DATA, "sourced-data")

#define CM_TRUST_ENUM(id, name) CM_TRUST_##id,
typedef enum { CM_TRUST_CLAIMS(CM_TRUST_ENUM) CM_TRUST_COUNT } cm_trust_claim;
#undef CM_TRUST_ENUM

/* AR4SI's tiers, the worst of which is that of a vector. */
enum {
    CM_TRUST_NONE = 0,
    CM_TRUST_AFFIRMING = 2,
    CM_TRUST_WARNING = 32,
    CM_TRUST_CONTRAINDICATED = 96,
};

/** A claim of 0 is not made. */
typedef struct {
    uint8_t claim[CM_TRUST_COUNT];
} cm_trust;

/** What the checks of one piece of evidence are worth (RL-16). flags: CM_ATTEST_ALLOW_ of its rule,
 * whose allowances are never affirmed. */
void cm_trust_of(cm_trust *out, const cm_attest_result *r, unsigned flags);
/** The tier of a vector, or of one claim. */
unsigned cm_trust_status(const cm_trust *t);
unsigned cm_trust_tier(unsigned claim);
/** "affirming": static. "none" for any other number. */
const char *cm_trust_tier_name(unsigned tier);
/** "hardware": static. */
const char *cm_trust_claim_name(cm_trust_claim c);

/* ---- deciding ------------------------------------------------------------------------------ */

enum { CM_BOOT_ID = 32 };

typedef struct {
    cm_appraisal answer;
    size_t n;
    cm_appraised *piece; /* as they were brought */
    cm_trust *trust;     /* of each */
    uint8_t boot[CM_BOOT_ID];
} cm_decision;

void cm_decision_done(cm_decision *d);

/** What is brought beside a policy. Borrowed. */
typedef struct {
    const cm_policy *policy;
    const cm_challenge *challenge;
    const cm_attest_input *collateral; /* the verifier's own lists and statements; NULL: none. Its
                                          evidence, kind, event log and parts mean nothing. */
    uint64_t now;
} cm_release_terms;

/** Decide over an RCAR Attestation: the machine is bound to its runtime data, devices to theirs,
 * and the nonce is the challenge's. A refusal is no error: it is in answer. NO_MEMORY, TOO_BIG. */
CM_MUST cm_err cm_release_decide_rcar(cm_decision *out, const cm_crypt *c,
                                      const cm_release_terms *t, const cm_rcar_attestation *a);
/** Decide over evidence bound to E of attest/bind.h, computed by the caller from what it knows: the
 * machine's first, then its devices in the order of their indices. BAD_ARGUMENT: b.nonce is not the
 * challenge's, or none or more than CM_RCAR_PIECES were brought. */
CM_MUST cm_err cm_release_decide_bound(cm_decision *out, const cm_crypt *c,
                                       const cm_release_terms *t, const cm_binding *b,
                                       const cm_attest_input *in, size_t n);

/** What tells one start of a machine from the next (RL-15). */
CM_MUST cm_err cm_release_boot_id(uint8_t out[CM_BOOT_ID], const cm_crypt *c,
                                  const cm_attest_result *machine);

#endif
