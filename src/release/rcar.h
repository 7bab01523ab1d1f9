#ifndef CM_RELEASE_RCAR_H
#define CM_RELEASE_RCAR_H
/*
 * The messages of the CoCo key broker protocol: Request, Challenge, Attestation, Response
 * (spec/release.md, section 1). Bytes in, bytes out: no sockets, no clock. Readers are strict and
 * bounded; writers make what Trustee's programs read. All of it is public but what the JWE of
 * release/jwe.h holds. Any thread; time depends on the messages.
 */
#include "attest/attest.h"

/* The one version that Trustee and its clients speak; both sides ask for it exactly (RL-1). */
#define CM_RCAR_VERSION "0.4.0"

enum {
    CM_RCAR_NONCE = 32,
    CM_RCAR_KEY = 1184, /* an ML-KEM-768 public key */
    CM_RCAR_PIECES = 9, /* the machine and eight devices */
    CM_RCAR_REQUEST_MAX = 64 << 10,
    CM_RCAR_CHALLENGE_MAX = 16 << 10,
    CM_RCAR_ATTESTATION_MAX = 4 << 20,
    CM_RCAR_SELECTOR_MAX = 128,
    CM_RCAR_AK_MAX = 1024,
    CM_RCAR_EK_MAX = 8 << 10,
    CM_RCAR_CREDENTIAL_MAX = 4 << 10,
    CM_RCAR_EVIDENCE_MAX = 2 << 20,
    CM_RCAR_DETAIL_MAX = 1024,
    CM_RCAR_INIT_DATA_MAX = 1 << 20,
};

/* ---- Request ------------------------------------------------------------------------------- */

typedef struct {
    cm_attest_kind tee;
    cm_hash hash;    /* that both sides know: SHA-384 unless the client has no SHA-384 */
    cm_buf selector; /* attestation-policy-selector; empty when absent */
    cm_buf ak, ek;   /* of a TPM: TPM2B_PUBLIC of the attestation key, certificate of the
                        endorsement key (DER); both or neither */
} cm_rcar_request;

void cm_rcar_request_done(cm_rcar_request *r);
/** RELEASE_MESSAGE; RELEASE_VERSION; RELEASE_TEE unknown, or `sample`. Free with _done(). */
CM_MUST cm_err cm_rcar_request_read(cm_rcar_request *out, cm_view body);
/** Append what a client sends. BAD_ARGUMENT for a kind that has no name in the protocol. */
CM_MUST cm_err cm_rcar_request_put(cm_buf *out, const cm_rcar_request *r);

/* ---- Challenge ----------------------------------------------------------------------------- */

typedef struct {
    uint8_t nonce[CM_RCAR_NONCE];
    cm_hash hash;
    cm_buf credential; /* for the TPM to open; empty when there is none */
} cm_rcar_challenge;

void cm_rcar_challenge_done(cm_rcar_challenge *c);
CM_MUST cm_err cm_rcar_challenge_read(cm_rcar_challenge *out, cm_view body);
CM_MUST cm_err cm_rcar_challenge_put(cm_buf *out, const cm_rcar_challenge *c);

/* ---- Attestation --------------------------------------------------------------------------- */

/** Evidence of one device, of which a cm_attest_input is made by cm_rcar_input(). */
typedef struct {
    cm_attest_kind kind;
    cm_buf evidence, event_log;
} cm_rcar_piece;

typedef struct {
    uint8_t nonce[CM_RCAR_NONCE];
    uint8_t key[CM_RCAR_KEY]; /* the requester's ML-KEM-768 key */
    cm_buf additional;        /* the text of additional_evidence: the machine's evidence binds it */
    cm_buf init_data;         /* what the machine was started with; empty when none was sent */
    cm_rcar_piece piece[CM_RCAR_PIECES]; /* the machine's first */
    size_t n;
} cm_rcar_attestation;

void cm_rcar_attestation_done(cm_rcar_attestation *a);
/** tee: that of the Request. RELEASE_MESSAGE; RELEASE_CLASSICAL for an RSA or EC key: there is no
 * fallback (RL-4); RELEASE_KEY; RELEASE_EVIDENCE in a form that is not read; RELEASE_TEE. */
CM_MUST cm_err cm_rcar_attestation_read(cm_rcar_attestation *out, cm_attest_kind tee, cm_view body);
/** Its nonce alone, by which a challenge is found: nothing else is looked at. RELEASE_MESSAGE. */
CM_MUST cm_err cm_rcar_nonce_of(uint8_t out[CM_RCAR_NONCE], cm_view body);
/** Append what a client sends: key, nonce, additional and the evidence of a as packs. */
CM_MUST cm_err cm_rcar_attestation_put(cm_buf *out, const cm_rcar_attestation *a);
/** Append additional_evidence: the text that lists pieces 1 and up of a, empty when there are none.
 */
CM_MUST cm_err cm_rcar_additional_put(cm_buf *out, const cm_rcar_attestation *a);

/** The ith piece for cm_attest_verify(); borrows from a. */
cm_attest_input cm_rcar_input(const cm_rcar_attestation *a, size_t i);

/** What the machine's evidence is bound to: the digest of the runtime data as Trustee writes them
 * (RL-5). Bytes in out: cm_hash_size(h). */
CM_MUST cm_err cm_rcar_report_data(uint8_t out[CM_HASH_MAX], const cm_crypt *c, cm_hash h,
                                   const uint8_t nonce[CM_RCAR_NONCE],
                                   const uint8_t key[CM_RCAR_KEY], cm_view additional);
/** The same of a device in additional_evidence, whose nonces have 32 bytes (RL-6). */
CM_MUST cm_err cm_rcar_device_data(uint8_t out[32], const cm_crypt *c, cm_hash h,
                                   const uint8_t nonce[CM_RCAR_NONCE],
                                   const uint8_t key[CM_RCAR_KEY]);

/* ---- answers ------------------------------------------------------------------------------- */

/** Append a session in a token's form (RL-7): for clients that look when it is over. Times in
 * seconds. */
CM_MUST cm_err cm_rcar_session_token(cm_buf *out, cm_view session, uint64_t issued, uint64_t over);
/** Append {"token": ...}, the answer to an Attestation. */
CM_MUST cm_err cm_rcar_token_put(cm_buf *out, cm_view token);
/** Append the token of such an answer. RELEASE_MESSAGE. */
CM_MUST cm_err cm_rcar_token_read(cm_buf *out, cm_view body);
/** Append ErrorInformation: the reason by name and what to do about it. */
CM_MUST cm_err cm_rcar_error_put(cm_buf *out, cm_err e, cm_view detail);
/** Append its detail, for people. RELEASE_MESSAGE. */
CM_MUST cm_err cm_rcar_error_read(cm_buf *out, cm_view body);

#endif
