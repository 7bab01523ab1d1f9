#ifndef CM_RELEASE_EAR_H
#define CM_RELEASE_EAR_H
/*
 * Result tokens: what a decision was, as an EAT attestation result (draft-ietf-rats-ear-04) in a
 * JWT or a CWT, signed with ML-DSA-65 and good for minutes (spec/release.md, section 4). A token is
 * keyed to its holder's keys, the manifest, the start of the machine and the policy; whoever takes
 * one says what these have to be. All is public. Any thread.
 */
#include "pki/keyfile.h"
#include "release/decide.h"

enum {
    CM_EAR_TTL = 600, /* seconds */
    CM_EAR_TTL_MIN = 300,
    CM_EAR_TTL_MAX = 900,
    CM_EAR_SKEW_MAX = 60,
    CM_EAR_ID = 16,
    CM_EAR_TEXT = 128,
    CM_EAR_NAME = 24,
    CM_EAR_MAX = 16 << 10,
    CM_EAR_MANIFEST_MAX = 64,
};

typedef enum { CM_EAR_JWT, CM_EAR_CWT } cm_ear_form;

/** What a token is keyed to. Zeroed parts are absent, which equals only absent. */
typedef struct {
    cm_kem_id kem; /* CM_KEM_MLKEM768 or CM_KEM_XWING; with key_n 0: nothing */
    uint8_t key[CM_KEM_PK_MAX];
    size_t key_n;
    uint8_t tls[32]; /* SHA-256 of the SubjectPublicKeyInfo of the holder's TLS certificate */
    bool has_tls;
    uint8_t manifest[CM_EAR_MANIFEST_MAX];
    size_t manifest_n; /* 0, 32, 48 or 64 */
    uint8_t boot[CM_BOOT_ID];
    char policy[CM_EAR_TEXT + 1];
    uint64_t version;
    uint8_t digest[32]; /* SHA-256 of the policy's file */
} cm_ear_bound;

typedef struct {
    char name[CM_EAR_NAME]; /* "snp", "nvidia-0" */
    cm_trust trust;
} cm_ear_sub;

typedef struct {
    char issuer[CM_EAR_TEXT + 1], build[CM_EAR_TEXT + 1];
    uint64_t issued, expires; /* seconds since 1970 */
    uint8_t id[CM_EAR_ID], nonce[CM_RCAR_NONCE];
    unsigned tier;
    cm_ear_bound bound;
    cm_ear_sub sub[CM_RCAR_PIECES];
    size_t n;
} cm_ear;

/* ---- making -------------------------------------------------------------------------------- */

/** The holder's keys of a bound; either may be empty. BAD_ARGUMENT: both are, or the key is not of
 * its kind's size. */
CM_MUST cm_err cm_ear_hold(cm_ear_bound *b, const cm_crypt *c, cm_kem_id kem, cm_view key,
                           cm_view tls_spki);
/** The policy of a bound. TOO_BIG a name past CM_EAR_TEXT. */
CM_MUST cm_err cm_ear_under(cm_ear_bound *b, const cm_crypt *c, const cm_policy *p, cm_view file);

/** Who says it. build: "casemate 0.1.0". Borrowed. */
typedef struct {
    cm_view issuer, build;
} cm_ear_authority;

/** The claims of a decision. bound: holder, policy and manifest; the start is the decision's. ttl:
 * 0 is CM_EAR_TTL. POLICY_REFUSED what was not accepted; BAD_ARGUMENT a ttl out of bounds, a bound
 * without holder or policy, an authority without a name; NO_ENTROPY. */
CM_MUST cm_err cm_ear_make(cm_ear *out, const cm_crypt *c, const cm_decision *d,
                           const cm_challenge *ch, const cm_ear_bound *bound,
                           const cm_ear_authority *by, uint64_t now, uint32_t ttl);

/** Append what is signed, by raw ML-DSA-65 (cm_sign_raw()). kid: the key's fingerprint. A key that
 * lives elsewhere signs it, and cm_ear_join() makes the token. */
CM_MUST cm_err cm_ear_tbs(cm_buf *out, cm_ear_form form, const cm_ear *e, const uint8_t kid[32]);
CM_MUST cm_err cm_ear_join(cm_buf *out, cm_ear_form form, cm_view tbs, cm_view sig);
/** All of it with a key at hand. TOKEN_KEY not ML-DSA-65, or no private half. */
CM_MUST cm_err cm_ear_sign(cm_buf *out, const cm_crypt *c, cm_ear_form form, const cm_ear *e,
                           const cm_pkey *key);

/* ---- taking -------------------------------------------------------------------------------- */

/* Why evidence has to be shown anew: bits. */
enum {
    CM_STALE_EXPIRED = 1,
    CM_STALE_RECONNECT = 2, /* another TLS or encryption key */
    CM_STALE_RESTART = 4,
    CM_STALE_MODEL = 8,
    CM_STALE_POLICY = 16,
};

typedef struct {
    const cm_pkey *key; /* of the authority: ML-DSA-65 */
    cm_view issuer;
    const cm_ear_bound *bound; /* all of it counts (RL-24) */
    uint64_t now;
    uint32_t skew; /* seconds that the authority's clock may be ahead; never lengthens a token */
} cm_ear_demand;

/** Verify. out changes only on success; *why, if not NULL, gets all CM_STALE_ bits also on
 * failure. TOKEN_FORM; TOKEN_KEY another key or algorithm; CRYPT_SIGNATURE; TOKEN_ISSUER;
 * TOKEN_TIME issued in the future; then in this order REATTEST_EXPIRED, REATTEST_RECONNECT,
 * REATTEST_RESTART, REATTEST_MODEL, REATTEST_POLICY. */
CM_MUST cm_err cm_ear_verify(cm_ear *out, unsigned *why, const cm_crypt *c, cm_view token,
                             const cm_ear_demand *d);
/** What it says, of which NOTHING is verified: to show it. TOKEN_FORM. */
CM_MUST cm_err cm_ear_peek(cm_ear *out, cm_ear_form *form, cm_view token);
/** What has changed since: CM_STALE_ bits. */
unsigned cm_ear_stale(const cm_ear *e, uint64_t now, const cm_ear_bound *bound);
/** The gate of an open stream, at each of its requests (RL-23). */
static inline bool cm_ear_live(const cm_ear *e, uint64_t now)
{
    return now < e->expires;
}
/** "restart": static, of one bit; NULL for another number. */
const char *cm_ear_why(unsigned bit);

#endif
