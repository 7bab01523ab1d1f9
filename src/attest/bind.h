#ifndef CM_ATTEST_BIND_H
#define CM_ATTEST_BIND_H
/*
 * What evidence is bound to (spec/attest.md, section 10): one digest E of everything that two ends
 * agree on, for the field that the hardware signs. Both ends compute it; nothing is sent.
 *
 * Pure. Everything is public but the exporter's value, which is read once and not kept; time
 * depends on lengths alone. Any thread.
 */
#include "attest/attest.h"

/* Who shows the evidence: an answer is not taken for a question (reflection). */
#define CM_BIND_SERVER "server"
#define CM_BIND_CLIENT "client"

/** The label of the TLS exporter (RFC 8446 section 7.5); its context is the nonce (AT-101). */
#define CM_BIND_EXPORTER_LABEL "EXPORTER-Casemate-Attestation"

enum {
    CM_BIND_SIZE = 64,
    CM_BIND_SHORT = 32,
    CM_BIND_NONCE = 32,
    CM_BIND_EXPORTER = 32,
    CM_BIND_TEXT_MAX = 64,
    CM_BIND_KEY_MAX = 1 << 16,
};

/** Borrowed. What is empty is absent, which no value equals. */
typedef struct {
    cm_view role;     /* of the end that shows the evidence: CM_BIND_SERVER, or another name */
    cm_view suite;    /* the name of what hpke_key is for: "X-Wing", "ML-KEM-768+A192KW" */
    cm_view tls_key;  /* SubjectPublicKeyInfo of this end's TLS certificate */
    cm_view peer_key; /* the same of the other end's, when it showed one */
    cm_view hpke_key; /* the public key that answers or secrets are encrypted to, as its protocol
                         has its bytes */
    cm_view exporter; /* 32 bytes of the TLS exporter */
    cm_view nonce;    /* 32 bytes of the end that verifies */
    cm_view manifest; /* digest of what is measured: 32, 48 or 64 bytes */
} cm_binding;

/** E. */
typedef struct {
    uint8_t e[CM_BIND_SIZE];
} cm_bound;

/** Compute E (AT-100). BAD_ARGUMENT: no role, no nonce, or a length that AT-100 does not allow. */
CM_MUST cm_err cm_bind(cm_bound *out, const cm_crypt *c, const cm_binding *b);

/** What evidence of this kind has to carry (AT-102): E itself in report data of 64 bytes, or its
 * SHA-256 as nonce, challenge or client data. Give it to the attester, and to
 * cm_attest_policy.fresh. *n is CM_BIND_SIZE or CM_BIND_SHORT. BAD_ARGUMENT for NVIDIA, whose
 * devices have an index, and RA-TLS, which is made before there is anything to bind to. */
CM_MUST cm_err cm_bound_for(uint8_t out[CM_BIND_SIZE], size_t *n, const cm_crypt *c,
                            const cm_bound *bound, cm_attest_kind kind);
/** The nonce of the GPU or switch with this index (AT-103), so that the evidence of the processor,
 * which carries E, commits to its devices. */
CM_MUST cm_err cm_bound_gpu(uint8_t out[CM_BIND_SHORT], const cm_crypt *c, const cm_bound *bound,
                            uint32_t index);

#endif
