#ifndef CM_TESTLIB_QUOTE_KIT_H
#define CM_TESTLIB_QUOTE_KIT_H
/* Quotes as a TPM makes them, by a key of our own that a policy names. Failing ends the process. */
#include "attest/attest.h"
#include "crypt/sig.h"

enum { T_QUOTE_NAME = 34 };

typedef struct {
    cm_sig_key *ak;
    const cm_crypt *c;
    cm_buf area; /* TPM2B_PUBLIC */
    uint8_t name[T_QUOTE_NAME];
} t_quoter;

/** The attestation key with this number. */
t_quoter *t_quoter_new(const cm_crypt *c, uint8_t number);
void t_quoter_done(t_quoter *q);

typedef struct {
    cm_view nonce;
    uint32_t resets, restarts;
    uint8_t pcr11; /* what the one register quoted is full of */
} t_quote;

/** Append the quote as a pack. */
void t_quote_pack(cm_buf *out, const t_quoter *q, const t_quote *what);
/** Its digest of registers, which policies name as its measurement. */
void t_quote_measurement(uint8_t out[32], const cm_crypt *c, uint8_t pcr11);
/** A policy that accepts it: append YAML. more: members of the rule, with their indentation. */
void t_quote_policy(cm_buf *out, const t_quoter *q, const char *name, unsigned version,
                    uint8_t pcr11, const char *more);

#endif
