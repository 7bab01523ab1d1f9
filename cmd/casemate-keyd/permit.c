#include "keyd.h"

enum { IN_SEALED = CM_KEYD_SEALED, IN_UNSEALED = CM_KEYD_UNSEALED, IN_BOTH = 3 };

/* KD-4: what is not in this table is refused. */
static const struct {
    unsigned rights, states;
    bool slow;
} table[CM_KEYMSG_END] = {
    [CM_KEYMSG_OP] = {RIGHT_OPS, IN_UNSEALED, false},
    [CM_KEYMSG_STATUS] = {RIGHT_OPS | RIGHT_CONTROL, IN_BOTH, false},
    [CM_KEYMSG_INIT] = {RIGHT_CONTROL, IN_SEALED, true},
    [CM_KEYMSG_UNSEAL] = {RIGHT_CONTROL, IN_BOTH, true},
    [CM_KEYMSG_SEAL] = {RIGHT_CONTROL, IN_BOTH, false},
    [CM_KEYMSG_ALTER] = {RIGHT_CONTROL, IN_BOTH, true},
    [CM_KEYMSG_DEVICES] = {RIGHT_CONTROL, IN_BOTH, true},
};

cm_err cm_kd_permit(unsigned kind, unsigned rights, cm_keyd_state state)
{
    if (kind >= CM_KEYMSG_END || table[kind].states == 0)
        return CM_FAIL(KEYMSG_MALFORMED);
    if (!(table[kind].rights & rights))
        return CM_FAIL(KEYD_NOT_PERMITTED);
    if (!(table[kind].states & state))
        return state == CM_KEYD_SEALED ? CM_FAIL(KEYS_SEALED) : CM_FAIL(KEYS_UNSEALED);
    return CM_OKAY;
}

/* Above half a millisecond or so: everything else is served in the order it came. */
bool cm_kd_is_slow(unsigned kind, const cm_keyop *op)
{
    bool makes = op->code == CM_KEYOP_CREATE || op->code == CM_KEYOP_SIGN;

    if (kind != CM_KEYMSG_OP)
        return table[kind].slow;
    if (op->code == CM_KEYOP_DEAL || op->code == CM_KEYOP_AGGREGATE)
        return true;
    switch (op->bind.type) {
    case CM_KEY_SLH_DSA_128S:
    case CM_KEY_SLH_DSA_128F:
    case CM_KEY_RSA_4096:
        return makes;
    case CM_KEY_RSA_2048:
        return op->code == CM_KEYOP_CREATE;
    default:
        return false;
    }
}
