/* Kinds of keys, and the states of SP 800-57. */
#include "keys/types.h"

/* Symmetric keys of 256 bits withstand a quantum computer too; of signatures, those with an
 * ML-DSA or SLH-DSA half. */
#define PQ_KEM(alg) ((alg) != CM_KEM_X25519)
#define PQ_SIG(alg)                                                             \
    ((alg) != CM_SIG_ED25519 && (alg) != CM_SIG_P256 && (alg) != CM_SIG_P384 && \
     (alg) != CM_SIG_SECP256K1)
#define PQ_AES(alg)   true
#define PQ_HMAC(alg)  true
#define PQ_RSA(alg)   false
#define PQ_BLS(alg)   false
#define PQ_FROST(alg) false

#define ROW(name, n, family, alg, text, can) \
    {CM_KEY_##name, CM_FAMILY_##family, alg, text, can, PQ_##family(alg)},
static const cm_key_type_info rows[] = {CM_KEY_TYPES(ROW)};
#undef ROW

const cm_key_type_info *cm_key_type_of(uint32_t type)
{
    return type >= 1 && type < CM_KEY_TYPE_END ? &rows[type - 1] : NULL;
}

const cm_key_type_info *cm_key_type_by_name(cm_view name)
{
    for (size_t i = 0; i < CM_COUNT(rows); i++)
        if (cm_view_eq(cm_view_str(rows[i].name), name))
            return &rows[i];
    return NULL;
}

/* ---- states (KM-40, KM-41) ------------------------------------------------------------------- */

static const struct {
    const char *name;
    unsigned use;
    unsigned to; /* a bit for each state it may go to */
} states[] = {
#define TO(s) (1u << CM_STATE_##s)
    [CM_STATE_PRE_ACTIVE] = {"pre-active", 0,
                             TO(ACTIVE) | TO(COMPROMISED) | TO(PENDING_DESTRUCTION)},
    [CM_STATE_ACTIVE] = {"active", CM_USE_PROTECT | CM_USE_PROCESS,
                         TO(SUSPENDED) | TO(DEACTIVATED) | TO(COMPROMISED)},
    [CM_STATE_SUSPENDED] = {"suspended", 0, TO(ACTIVE) | TO(DEACTIVATED) | TO(COMPROMISED)},
    [CM_STATE_DEACTIVATED] = {"deactivated", CM_USE_PROCESS,
                              TO(COMPROMISED) | TO(PENDING_DESTRUCTION)},
    [CM_STATE_COMPROMISED] = {"compromised", CM_USE_PROCESS, TO(PENDING_DESTRUCTION)},
    [CM_STATE_PENDING_DESTRUCTION] = {"pending-destruction", 0, TO(DEACTIVATED) | TO(DESTROYED)},
    [CM_STATE_DESTROYED] = {"destroyed", 0, 0},
#undef TO
};

static bool known(cm_key_state s)
{
    return s >= CM_STATE_PRE_ACTIVE && s <= CM_STATE_DESTROYED;
}

const char *cm_key_state_name(cm_key_state s)
{
    return known(s) ? states[s].name : "unknown";
}

cm_err cm_key_state_allows(cm_key_state s, unsigned use)
{
    return known(s) && use && (states[s].use & use) == use ? CM_OKAY : CM_FAIL(KEY_STATE);
}

cm_err cm_key_state_move(cm_key_state from, cm_key_state to)
{
    return known(from) && known(to) && (states[from].to & 1u << to) ? CM_OKAY
                                                                    : CM_FAIL(KEY_TRANSITION);
}
