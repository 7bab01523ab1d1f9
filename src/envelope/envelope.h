#ifndef CM_ENVELOPE_ENVELOPE_H
#define CM_ENVELOPE_ENVELOPE_H
/* One content key for many recipients: spec/envelope.md. */
#include "crypt/crypt.h"
#include "crypt/kem.h"

enum {
    CM_ENVELOPE_MAX = 16 << 20, /* bytes of an encoded envelope */
    CM_STANZAS_MAX = 1024,
    CM_STANZA_BODY_MAX = 8192,
    CM_STANZA_ID_MAX = 64,
};

typedef enum { CM_STANZA_KEM = 1, CM_STANZA_PASSPHRASE = 2, CM_STANZA_EXTERNAL = 3 } cm_stanza_kind;
/* In the number of an external stanza: the key behind it is RSA or EC. */
#define CM_STANZA_CLASSICAL 0x80000000u
typedef enum { CM_STRENGTH_PQ, CM_STRENGTH_SYMMETRIC, CM_STRENGTH_CLASSICAL } cm_strength;

/** One way to reach the content key, as it stands in an envelope. Views borrow. */
typedef struct {
    uint64_t kind; /* a cm_stanza_kind, or one this build does not know */
    cm_view id, body;
    uint32_t number; /* KEM: cm_kem_id. External: provider */
    cm_argon2 cost;  /* passphrase */
} cm_stanza;

/** What an envelope may be made of, and what a reader accepts. */
typedef struct {
    bool allow_classical;
    bool allow_passphrase;
    uint8_t min_level;  /* NIST level of KEM recipients: 1, 3 or 5 */
    cm_argon2 max_cost; /* readers; zero: the spec's default */
} cm_envelope_policy;
extern const cm_envelope_policy cm_envelope_policy_default; /* no classical, passphrase, level 3 */

/*
 * Who can be given a content key, and who can recover one. KEM keys and passphrases are made here;
 * a KMS, an HSM or a TPM brings its own functions. self is borrowed until the call ends.
 */
typedef struct {
    cm_strength strength;
    uint8_t level;
    /** Fill kind, number, cost; append id and body, which must agree with strength and level. The
     * body must be bound to context: cm_envelope_info() (E-3). */
    cm_err (*wrap)(void *self, const cm_crypt *c, cm_stanza *st, cm_buf *id, cm_buf *body,
                   const cm_key32 *key, cm_view context);
    void *self;
} cm_recipient;

typedef struct {
    /** Whether this opener could open st, into *yes: no secret work yet. */
    cm_err (*claims)(void *self, const cm_crypt *c, const cm_stanza *st, bool *yes);
    cm_err (*unwrap)(void *self, const cm_crypt *c, cm_key32 *key, const cm_stanza *st,
                     cm_view context);
    void *self;
} cm_opener;

/** key is borrowed: it outlives the recipient or opener. */
cm_recipient cm_recipient_kem(const cm_kem_key *key);
cm_opener cm_opener_kem(const cm_kem_key *key);

typedef struct {
    cm_view text;
    cm_argon2 cost; /* zero: 256 MiB, 3 passes, 4 lanes */
} cm_envelope_passphrase;
cm_recipient cm_recipient_passphrase(cm_envelope_passphrase *p);
cm_opener cm_opener_passphrase(cm_envelope_passphrase *p);

/** E-3 info for a stanza kind: "casemate-envelope-v1" 0x00 kind SHA-256(context). */
CM_MUST cm_err cm_envelope_info(const cm_crypt *c, cm_buf *out, uint8_t kind, cm_view context);

/** Append an envelope for n recipients. ENVELOPE_NO_RECIPIENT, ENVELOPE_MIXED, ENVELOPE_CLASSICAL,
 * ENVELOPE_LEVEL, ENVELOPE_PASSPHRASE, ENVELOPE_COST by policy; BAD_ARGUMENT for a recipient whose
 * stanza no reader would take. out untouched on failure. */
CM_MUST cm_err cm_envelope_seal(cm_buf *out, const cm_crypt *c, const cm_key32 *key,
                                const cm_recipient *to, size_t n, const cm_envelope_policy *policy,
                                cm_view context);
/** The same, keeping the stanzas of old that keep says yes to (E-11). old opens to key, which the
 * caller has shown by opening it. */
CM_MUST cm_err cm_envelope_reseal(cm_buf *out, const cm_crypt *c, const cm_key32 *key, cm_view old,
                                  bool (*keep)(void *arg, const cm_stanza *st), void *arg,
                                  const cm_recipient *to, size_t n,
                                  const cm_envelope_policy *policy, cm_view context);
/** Recover the content key. ENVELOPE_NOT_FOR_US when no opener claims a stanza; CRYPT_TAG when one
 * that claims fails (E-10); ENVELOPE_WRONG_PASSPHRASE; ENVELOPE_COMMITMENT; ENVELOPE_MALFORMED;
 * policy as above. key untouched on failure. */
CM_MUST cm_err cm_envelope_open(cm_key32 *key, const cm_crypt *c, cm_view env, const cm_opener *o,
                                size_t n, const cm_envelope_policy *policy, cm_view context);

/** The stanzas of an envelope, checked for form only. list has room for max. */
CM_MUST cm_err cm_envelope_list(cm_stanza *list, size_t max, size_t *n, cm_view env);
/** Recipient id of a KEM public key: 16 bytes (spec: key 2 of a stanza). */
CM_MUST cm_err cm_envelope_kem_id(const cm_crypt *c, uint8_t id[16], const cm_kem_key *key);

#endif
