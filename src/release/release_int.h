#ifndef CM_RELEASE_RELEASE_INT_H
#define CM_RELEASE_RELEASE_INT_H
/* What the readers of messages share. */
#include "codec/json.h"
#include "release/rcar.h"

/** Parse an object of at most max bytes. RELEASE_MESSAGE for whatever is wrong. */
CM_MUST cm_err cm_release_parse(cm_json **out, cm_view text, size_t max);
/** Whether every member of the object is one of the n names. */
bool cm_release_only(const cm_json_node *obj, const char *const *names, size_t n);
/** Append standard base64 of a string node; url: the URL alphabet. RELEASE_MESSAGE. */
CM_MUST cm_err cm_release_base64(cm_buf *out, const cm_json_node *n, bool url);
/** A nonce in standard base64 (RL-3). RELEASE_MESSAGE. */
CM_MUST cm_err cm_release_nonce(uint8_t out[CM_RCAR_NONCE], const cm_json_node *n);
/** Its text: 44 characters. */
CM_MUST cm_err cm_release_nonce_text(cm_buf *out, const uint8_t nonce[CM_RCAR_NONCE]);

/** The kind that a name of the protocol is; UNKNOWN. */
cm_attest_kind cm_rcar_tee_of(cm_view name);
/** NULL: it has none. */
const char *cm_rcar_tee_name(cm_attest_kind k);

/** Add the evidence of one attester of a kind to a's pieces, max of them at most.
 * RELEASE_MESSAGE, RELEASE_EVIDENCE. */
CM_MUST cm_err cm_rcar_pieces_add(cm_rcar_attestation *a, cm_attest_kind kind,
                                  const cm_json_node *n, size_t max);
/** Read additional_evidence into pieces 1 and up. */
CM_MUST cm_err cm_rcar_additional_read(cm_rcar_attestation *a, cm_view text);
/** Write the evidence of a piece, which is a pack, as a value. */
CM_MUST cm_err cm_rcar_piece_put(cm_json_writer *w, const char *key, const cm_rcar_piece *p);
/** Write a key as a JWK. */
CM_MUST cm_err cm_rcar_key_put(cm_json_writer *w, const char *name, const uint8_t key[CM_RCAR_KEY]);

#endif
