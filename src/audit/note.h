#ifndef CM_AUDIT_NOTE_H
#define CM_AUDIT_NOTE_H
/*
 * Signed notes, the keys that sign and verify them, and the checkpoints that they carry: C2SP
 * signed-note, tlog-checkpoint and tlog-cosignature (spec/audit.md, 3). All of it is public; time
 * depends on it. Any thread.
 */
#include "crypt/crypt.h"
#include "crypt/sig.h"

enum {
    CM_NOTE_MAX = 1 << 18, /* bytes of a whole note */
    CM_NOTE_LINES = 64,    /* signatures */
    CM_NOTE_NAME = 255,    /* bytes of a key's name and of an origin */
};

/* ---- notes ---- */

typedef struct {
    cm_view text;  /* what is signed, its last newline included */
    cm_view lines; /* of signatures, whole */
} cm_note;

typedef struct {
    cm_view name, base64; /* of key ID and signature */
    uint32_t id;
} cm_note_line;

/** AUDIT_NOTE: no UTF-8, control characters, no empty line before the signatures, none or too many
 * of them, or one that is not well-formed. Views borrow from v. */
CM_MUST cm_err cm_note_parse(cm_note *n, cm_view v);
/** The next of the lines of a parsed note; false behind the last. */
bool cm_note_next(cm_view *lines, cm_note_line *l);
/** Whether v can name a key: UTF-8 without spaces, plus and control characters, 1 to 255 bytes. */
bool cm_note_name_ok(cm_view v);

/* ---- checkpoints ---- */

typedef struct {
    cm_view origin;
    uint64_t size;
    uint8_t root[32];
    cm_view extensions; /* whole lines; empty as a rule */
} cm_checkpoint;

/** A note's text as a checkpoint; views borrow. AUDIT_CHECKPOINT. */
CM_MUST cm_err cm_checkpoint_parse(cm_checkpoint *c, cm_view text);
/** Append origin, size and root as lines. BAD_ARGUMENT for an origin that could not name a key. */
CM_MUST cm_err cm_checkpoint_text(cm_buf *out, cm_view origin, uint64_t size,
                                  const uint8_t root[32]);

/* ---- keys ---- */

/* Signature types: the byte of C2SP signed-note. */
typedef enum {
    CM_VKEY_ED25519 = 0x01,        /* over the text */
    CM_VKEY_COSIGN_ED25519 = 0x04, /* cosignature/v1, with a time */
    CM_VKEY_COSIGN_MLDSA44 = 0x06, /* subtree/v1, with a time */
    CM_VKEY_MLDSA65 = 0xff,        /* ours: "casemate/ml-dsa-65/v1", over the text */
} cm_vkey_type;

/** A key under its name. Zeroed is empty. */
typedef struct {
    char name[CM_NOTE_NAME + 1];
    uint32_t id;
    cm_vkey_type type;
    const cm_sig_key *key;
    cm_sig_key *own; /* what cm_vkey_done() frees */
} cm_vkey;

/** A borrowed key, which signs if it has a private part. BAD_ARGUMENT for a bad name; AUDIT_KEY
 * when the type goes with another algorithm. */
CM_MUST cm_err cm_vkey_init(cm_vkey *k, const cm_crypt *c, const char *name, cm_vkey_type type,
                            const cm_sig_key *key);
/** name+id+base64. AUDIT_KEY: malformed, an ID that does not fit, an unknown type. */
CM_MUST cm_err cm_vkey_parse(cm_vkey *k, const cm_crypt *c, cm_view text);
CM_MUST cm_err cm_vkey_text(cm_buf *out, const cm_vkey *k);
void cm_vkey_done(cm_vkey *k);

/** Append one signature line over a checkpoint's text. time (seconds) goes into cosignatures only.
 * CRYPT_NO_PRIVATE, AUDIT_CHECKPOINT. */
CM_MUST cm_err cm_vkey_sign(cm_buf *lines, const cm_vkey *k, cm_view text, uint64_t time);
/** Verify what stands behind the key ID in a line. *time is that of a cosignature, else 0; it may
 * be NULL. AUDIT_SIGNATURE, AUDIT_CHECKPOINT. */
CM_MUST cm_err cm_vkey_verify(const cm_vkey *k, cm_view text, cm_view signature, uint64_t *time);

/** Verify every line of a known key, which is one whose name and ID fit; others are passed over.
 * *by    bit i: keys[i] has signed (at most 64 keys)
 * time   of each key's cosignature, n of them; may be NULL
 * AUDIT_SIGNATURE when a line of a known key is wrong; by and time are untouched then. */
CM_MUST cm_err cm_note_check(const cm_note *n, const cm_vkey *keys, size_t count, uint64_t *by,
                             uint64_t *time);

#endif
