#ifndef CM_MARKET_VERIFIER_INT_H
#define CM_MARKET_VERIFIER_INT_H
#include "market/receipt.h"

struct cm_verifier {
    cm_crypt *crypt;
    cm_sig_key *secp, *mldsa;
    cm_market_keys keys;
    uint8_t key_id[32];
};

/** Takes the context over: *crypt is NULL afterwards, whatever happens. */
CM_MUST cm_err cm_verifier_of(cm_verifier **out, cm_crypt **crypt, cm_view secp256k1,
                              cm_view mldsa65);
void cm_verifier_free_ptr(cm_verifier **v);

#endif
