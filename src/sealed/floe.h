#ifndef CM_SEALED_FLOE_H
#define CM_SEALED_FLOE_H
/*
 * FLOE (c2sp.org/FLOE): random-access authenticated encryption over AES-256-GCM and
 * HKDF-Expand-SHA-384. Segments are worked on in place, in a buffer with room for the segment's
 * head before the plaintext and its tag behind it.
 */
#include "crypt/aead.h"

enum {
    CM_FLOE_IV = 32,
    CM_FLOE_HEADER = 10 + CM_FLOE_IV + 32,
    CM_FLOE_HEAD = 4 + CM_GCM_NONCE, /* before the ciphertext of a segment */
    CM_FLOE_OVERHEAD = CM_FLOE_HEAD + CM_GCM_TAG,
    CM_FLOE_AAD_MAX = 256,
    CM_FLOE_ROTATION = 20, /* a key serves 2^20 segments */
};
#define CM_FLOE_SEGMENTS_MAX (1ull << 40)

/** One message. Read-only once started, so threads share it. */
typedef struct {
    const cm_crypt *crypt;
    uint32_t segment; /* encrypted length of a full one */
    unsigned rotation;
    uint8_t prefix[10 + CM_FLOE_IV];
    uint8_t aad[CM_FLOE_AAD_MAX];
    size_t aad_n;
    uint8_t message_key[48];
} cm_floe;

/** Start a message with segments of that encrypted length; header receives CM_FLOE_HEADER bytes.
 * BAD_ARGUMENT for a segment without room for a byte or a longer aad. */
CM_MUST cm_err cm_floe_seal_start(cm_floe *f, uint8_t *header, const cm_crypt *c,
                                  const cm_key32 *key, cm_view aad, uint32_t segment);
/** FLOE_MISMATCH (UNAUTHENTIC) when key, aad or header differ from what sealed it; FLOE_PARAMS when
 * it names other parameters than segment. */
CM_MUST cm_err cm_floe_open_start(cm_floe *f, const uint8_t *header, const cm_crypt *c,
                                  const cm_key32 *key, cm_view aad, uint32_t segment);
void cm_floe_done(cm_floe *f);

/** A thread's cipher, keyed for the run of segments it was last used on. Zero it before use. */
typedef struct {
    cm_gcm *gcm;
    const cm_floe *floe;
    uint64_t run;
} cm_floe_worker;
void cm_floe_worker_done(cm_floe_worker *w);

/** Seal the n plaintext bytes at seg + CM_FLOE_HEAD; seg then holds n + CM_FLOE_OVERHEAD bytes.
 * Every segment but the last is full. */
CM_MUST cm_err cm_floe_seal(const cm_floe *f, cm_floe_worker *w, uint8_t *seg, size_t n,
                            uint64_t position, bool last);
/** Open the n bytes of segment at seg; the plaintext is then at seg + CM_FLOE_HEAD. FLOE_SEGMENT
 * (UNAUTHENTIC) for anything wrong with it: altered, cut, or of another place; wiped then. */
CM_MUST cm_err cm_floe_open(const cm_floe *f, cm_floe_worker *w, uint8_t *seg, size_t n,
                            uint64_t position, bool last);

/* ---- whole messages in memory, for what is small ---- */

/** Append header and segments of plain to out. */
CM_MUST cm_err cm_floe_seal_all(cm_buf *out, const cm_crypt *c, const cm_key32 *key, cm_view aad,
                                uint32_t segment, cm_view plain);
/** Append the plaintext; nothing on failure. */
CM_MUST cm_err cm_floe_open_all(cm_buf *out, const cm_crypt *c, const cm_key32 *key, cm_view aad,
                                uint32_t segment, cm_view sealed);

#endif
