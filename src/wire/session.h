#ifndef CM_WIRE_SESSION_H
#define CM_WIRE_SESSION_H
/*
 * Sessions: one full signature opens one, then each request carries an hmac-sha256 signature of the
 * same form (RFC 9421) under a key that both ends derive from the TLS connection. It is good on
 * that connection and nowhere else (spec/wire-auth.md from W-20 on).
 *
 *   exporter  32 bytes: cm_tls_exporter() on either end
 *   channel   header "casemate-channel" of the opening request: cm_session_channel(exporter), and
 *             covered by its signature, so that nobody in between can forward it (W-21)
 *   key       HKDF-Expand(exporter, "casemate-session-v1" || id || keyid of the opener)
 *   request   keyid "session:" + hex(id), nonce = decimal counter, alg hmac-sha256
 *
 * Nothing reads a clock. A cm_session_window belongs to one connection's thread.
 */
#include "wire/sign.h"

enum { CM_SESSION_ID = 16, CM_SESSION_WINDOW_BITS = 1024, CM_SESSION_KEYID = 8 + 32 };
#define CM_SESSION_CHANNEL_HEADER "casemate-channel"
#define CM_SESSION_KEYID_PREFIX   "session:"

/** Append the value of the channel header. */
CM_MUST cm_err cm_session_channel(cm_buf *out, const cm_crypt *c, cm_view exporter);
/** Whether a verified opening request was meant for this connection: covers the channel header, and
 * that has the right value. SESSION_CHANNEL (UNAUTHENTIC). */
CM_MUST cm_err cm_session_check_channel(const cm_httpsig *s, const cm_crypt *c,
                                        const cm_httpsig_message *m, cm_view exporter);
/** The session's key. BAD_ARGUMENT unless exporter has 32 bytes. */
CM_MUST cm_err cm_session_key(cm_key32 *out, const cm_crypt *c, cm_view exporter,
                              const uint8_t id[CM_SESSION_ID], cm_view opener);

/** "session:..." of an id. */
void cm_session_keyid(char out[CM_SESSION_KEYID + 1], const uint8_t id[CM_SESSION_ID]);
/** The id in a keyid; false when it is none. */
bool cm_session_id_of(uint8_t id[CM_SESSION_ID], cm_view keyid);

/* What counters have been used. Requests of one HTTP/2 connection may overtake each other, so a
 * counter is fresh when it is past the highest one seen, or within the last
 * CM_SESSION_WINDOW_BITS and not yet used (W-24). Zeroed is valid and new. */
typedef struct {
    uint64_t highest; /* 0: none; counters begin at 1 */
    uint64_t bits[CM_SESSION_WINDOW_BITS / 64];
} cm_session_window;
/** Whether counter is fresh; nothing is recorded. */
bool cm_session_fresh(const cm_session_window *w, uint64_t counter);
/** Record it: after the signature verified. SESSION_REPLAY unless fresh. */
CM_MUST cm_err cm_session_use(cm_session_window *w, uint64_t counter);

/** One request of a session, whole: form, window, hmac, digest, counter. s comes from
 * cm_httpsig_parse(); its keyid has led to this session.
 * SESSION_REPLAY, SIGN_INVALID, SIGN_DIGEST, SIGN_ALGORITHM not hmac-sha256. */
CM_MUST cm_err cm_session_verify(cm_session_window *w, const cm_httpsig *s, const cm_crypt *c,
                                 const cm_httpsig_message *m, const cm_key32 *key);
/** Client: sign a request with the next counter. *counter is advanced on success only. */
CM_MUST cm_err cm_session_sign(cm_httpsig_headers *out, const cm_crypt *c,
                               const cm_httpsig_message *m, const cm_key32 *key,
                               const uint8_t id[CM_SESSION_ID], uint64_t *counter, uint64_t now);

#endif
