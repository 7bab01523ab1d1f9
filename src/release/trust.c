/* AR4SI's trustworthiness vector out of the verdicts of checks. */
#include "release/decide.h"

/* AR4SI's values that are used here. */
enum {
    APPROVED_CONFIG = 2,
    UNSAFE_CONFIG = 32,
    UNSUPPORTABLE_CONFIG = 96,
    TRUSTWORTHY_INSTANCE = 2,
    UNRECOGNIZED_INSTANCE = 97,
    APPROVED_BOOT = 3,
    UNRECOGNIZED_RUNTIME = 33,
    CONTRAINDICATED_RUNTIME = 96,
    GENUINE_HARDWARE = 2,
    UNSAFE_HARDWARE = 32,
    CONTRAINDICATED_HARDWARE = 96,
    UNRECOGNIZED_HARDWARE = 97,
    ENCRYPTED_MEMORY = 2,
    ISOLATED_MEMORY = 32,
    VISIBLE_MEMORY = 96,
    FORGED = 99, /* of any claim: cryptography failed */
};

#define TRUST_NAME(id, name) name,
static const char *const names[] = {CM_TRUST_CLAIMS(TRUST_NAME)};
#undef TRUST_NAME

const char *cm_trust_claim_name(cm_trust_claim c)
{
    return names[c];
}

unsigned cm_trust_tier(unsigned claim)
{
    if (claim < CM_TRUST_AFFIRMING)
        return CM_TRUST_NONE;
    if (claim < CM_TRUST_WARNING)
        return CM_TRUST_AFFIRMING;
    return claim < CM_TRUST_CONTRAINDICATED ? CM_TRUST_WARNING : CM_TRUST_CONTRAINDICATED;
}

const char *cm_trust_tier_name(unsigned tier)
{
    switch (tier) {
    case CM_TRUST_AFFIRMING:
        return "affirming";
    case CM_TRUST_WARNING:
        return "warning";
    case CM_TRUST_CONTRAINDICATED:
        return "contraindicated";
    default:
        return "none";
    }
}

unsigned cm_trust_status(const cm_trust *t)
{
    unsigned worst = CM_TRUST_NONE;

    for (unsigned i = 0; i < CM_TRUST_COUNT; i++)
        worst = CM_MAX(worst, cm_trust_tier(t->claim[i]));
    return worst;
}

/* ---- out of checks ------------------------------------------------------------------------- */

/* The worst verdict of several checks: a skip is worse than a pass, an absent check is none. */
static cm_verdict worst_of(const cm_attest_result *r, uint32_t checks)
{
    cm_verdict worst = CM_VERDICT_ABSENT;

    for (unsigned i = 0; i < CM_CHECK_COUNT; i++)
        if (checks & 1u << i)
            worst = CM_MAX(worst, r->check[i].verdict);
    return worst;
}

static bool failed(const cm_attest_result *r, uint32_t checks)
{
    return worst_of(r, checks) == CM_VERDICT_FAIL;
}

static uint8_t hardware(const cm_attest_result *r)
{
    uint32_t forged = CM_CHECK_BIT(FORM) | CM_CHECK_BIT(SIGNATURE);
    uint32_t who = CM_CHECK_BIT(CHAIN) | CM_CHECK_BIT(IDENTITY) | CM_CHECK_BIT(QUOTING) |
                   CM_CHECK_BIT(TCB_BOUND);
    uint32_t state = CM_CHECK_BIT(REVOCATION) | CM_CHECK_BIT(COLLATERAL) | CM_CHECK_BIT(TCB);

    if (worst_of(r, forged) != CM_VERDICT_PASS)
        return FORGED;
    if (failed(r, who) || r->check[CM_CHECK_CHAIN].verdict != CM_VERDICT_PASS)
        return UNRECOGNIZED_HARDWARE;
    if (failed(r, state) || r->tcb == CM_TCB_REVOKED)
        return CONTRAINDICATED_HARDWARE;
    /* RL-16: what was not looked at is not affirmed. */
    if (worst_of(r, who | state) == CM_VERDICT_SKIP || r->tcb > CM_TCB_UP_TO_DATE)
        return UNSAFE_HARDWARE;
    return GENUINE_HARDWARE;
}

static uint8_t configuration(const cm_attest_result *r, unsigned flags)
{
    uint32_t all = CM_CHECK_BIT(DEBUG) | CM_CHECK_BIT(GUEST_POLICY) | CM_CHECK_BIT(PLATFORM) |
                   CM_CHECK_BIT(PRIVILEGE) | CM_CHECK_BIT(CONFIG);

    switch (worst_of(r, all)) {
    case CM_VERDICT_FAIL:
        return UNSUPPORTABLE_CONFIG;
    case CM_VERDICT_SKIP:
        return UNSAFE_CONFIG;
    default:
        if (flags)
            return UNSAFE_CONFIG;
        return r->check[CM_CHECK_CONFIG].verdict == CM_VERDICT_PASS ? APPROVED_CONFIG : 0;
    }
}

static uint8_t executables(const cm_attest_result *r)
{
    if (failed(r, CM_CHECK_BIT(EVENTS) | CM_CHECK_BIT(PCRS)))
        return CONTRAINDICATED_RUNTIME;
    switch (r->check[CM_CHECK_MEASUREMENT].verdict) {
    case CM_VERDICT_PASS:
        return APPROVED_BOOT;
    case CM_VERDICT_FAIL:
        return UNRECOGNIZED_RUNTIME;
    case CM_VERDICT_SKIP:
        return UNRECOGNIZED_RUNTIME; /* any code was accepted: none was recognized */
    default:
        return 0;
    }
}

static uint8_t instance(const cm_attest_result *r)
{
    switch (r->check[CM_CHECK_CHIP].verdict) {
    case CM_VERDICT_PASS:
        return TRUSTWORTHY_INSTANCE;
    case CM_VERDICT_FAIL:
        return UNRECOGNIZED_INSTANCE;
    default:
        return 0;
    }
}

static uint8_t memory(const cm_attest_result *r, unsigned flags)
{
    bool encrypted = r->kind == CM_ATTEST_SNP || r->kind == CM_ATTEST_TDX ||
                     r->kind == CM_ATTEST_SGX || r->kind == CM_ATTEST_AZURE;

    if (!encrypted && r->kind != CM_ATTEST_NITRO)
        return 0;
    if (r->check[CM_CHECK_DEBUG].verdict != CM_VERDICT_PASS)
        return VISIBLE_MEMORY;
    if (flags & CM_ATTEST_ALLOW_DEBUG)
        return 0; /* it passed because nobody asked */
    return encrypted ? ENCRYPTED_MEMORY : ISOLATED_MEMORY;
}

void cm_trust_of(cm_trust *out, const cm_attest_result *r, unsigned flags)
{
    *out = (cm_trust){{0}};
    out->claim[CM_TRUST_HARDWARE] = hardware(r);
    if (out->claim[CM_TRUST_HARDWARE] == FORGED)
        return; /* nothing else that it says is worth a claim */
    out->claim[CM_TRUST_INSTANCE_IDENTITY] = instance(r);
    out->claim[CM_TRUST_CONFIGURATION] = configuration(r, flags);
    out->claim[CM_TRUST_EXECUTABLES] = executables(r);
    out->claim[CM_TRUST_RUNTIME_OPAQUE] = memory(r, flags);
}
