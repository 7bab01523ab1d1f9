/* M-20 to M-23. */
#include "market/claim.h"

#include "market/layout_int.h"

#define H(array) cm_view_of((array), 32)

cm_err cm_claim_challenge(const cm_crypt *c, uint8_t out[32], const cm_claim *m)
{
    uint8_t task[32];

    cm_u256_to_be(task, &m->task);
    /* M-20 */
    return CM_KECCAK(c, out, CM_LIT("lux/aivm/compute-challenge/v1"), H(task), H(m->intent),
                     H(m->model), H(m->prompt), H(m->block), CM_VIEW(m->operator_address));
}

cm_err cm_claim_report(const cm_crypt *c, uint8_t out[32], const cm_claim *m,
                       const uint8_t output[32], const uint8_t runtime[32])
{
    uint8_t challenge[32];

    CM_TRY(cm_claim_challenge(c, challenge, m));
    /* M-21 */
    return CM_KECCAK(c, out, CM_LIT("lux/aivm/compute-report/v1"), H(challenge), H(m->model),
                     H(m->prompt), H(output), H(runtime));
}

cm_err cm_claim_key(const cm_crypt *c, uint8_t out[32], const uint8_t model[32],
                    const uint8_t prompt[32], const uint8_t output[32])
{
    uint8_t domain[32];

    CM_TRY(CM_KECCAK(c, domain, CM_LIT("hanzo/poi/compute-claim/v1")));
    return CM_KECCAK(c, out, H(domain), H(model), H(prompt), H(output)); /* M-22 */
}

#define F(at, field, kind) CM_SLOT(at, cm_bridge_receipt, field, kind)

/* M-23 */
static const cm_slot fields_[] = {
    F(2, intent, BYTES),           F(34, task, BYTES),       F(66, c_chain, BYTES),
    F(98, a_chain, BYTES),         F(130, requester, BYTES), F(150, model, BYTES),
    F(182, prompt, BYTES),         F(214, output, BYTES),    F(246, status, U8),
    F(247, operators, U16),        F(249, threshold, U16),   F(251, winners_root, BYTES),
    F(283, operators_root, BYTES), F(315, fee, U256),        F(347, height, U64),
};

enum { VERSION = 1 };

void cm_bridge_encode(uint8_t out[CM_BRIDGE_RECEIPT], const cm_bridge_receipt *r)
{
    cm_put_be16(out, VERSION);
    cm_layout_put(out, fields_, CM_COUNT(fields_), r);
}

cm_err cm_bridge_decode(cm_bridge_receipt *r, cm_view bytes)
{
    if (bytes.n != CM_BRIDGE_RECEIPT)
        return CM_FAIL(MARKET_MALFORMED);
    if (cm_get_be16(bytes.p) != VERSION)
        return CM_FAIL(MARKET_VERSION);
    cm_layout_get(r, fields_, CM_COUNT(fields_), bytes.p);
    return CM_OKAY;
}

cm_err cm_bridge_hash(const cm_crypt *c, uint8_t out[32], const cm_bridge_receipt *r)
{
    uint8_t bytes[CM_BRIDGE_RECEIPT];

    cm_bridge_encode(bytes, r);
    return CM_KECCAK(c, out, CM_LIT("lux/aivmbridge/receipt/v1"), CM_VIEW(bytes));
}
