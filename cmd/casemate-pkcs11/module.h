#ifndef CM_CMD_PKCS11_MODULE_H
#define CM_CMD_PKCS11_MODULE_H
/*
 * A key server as a PKCS#11 token: what the files of this module share.
 *
 * One lock guards every table. Whoever works on a session holds it by its `busy` mark and not by
 * the lock, so that calls of other sessions go on while one waits for the server. Connections are
 * pooled by slot; one call at a time uses each.
 *
 * Everything a host passes is hostile input but for the addresses themselves: counts and lengths
 * are limited before anything is looked at, and copied before they are used twice.
 */
#include "codec/pkcs11.h"
#include "keys/types.h"
#include "pki/ca.h"
#include "run/client.h"
#include "svc/messages.h"

enum {
    CM_P11_SLOTS = 16,
    CM_P11_SESSIONS = 1024,
    CM_P11_CONNECTIONS = 8, /* of one slot */
    CM_P11_KEYS = 20000,    /* of one slot, all versions that were ever seen */
    CM_P11_SECRETS = 256,   /* encapsulated secrets of one session */
    CM_P11_TEMPLATE = 64,   /* attributes */
    CM_P11_VALUE = 8192,    /* bytes of an attribute in a template */
    CM_P11_ID = 26,         /* bytes of CKA_ID: a tag holds them in hex */
    CM_P11_NAME = 128,
    CM_P11_CONTEXT = 255,
    CM_P11_AAD = 16 << 10,
    CM_P11_SMALL = 64 << 10,   /* what is encrypted, decrypted or sent to be signed */
    CM_P11_MESSAGE = 64 << 20, /* what is hashed here on its way to an ML-DSA signature */
    CM_P11_RANDOM = 64 << 10,
    CM_P11_PIN = 1024,
    CM_P11_PATH = 4096,
};
/** AES-256-GCM in the form of the server, for those who ask for it by its own name: the parameter
 * is the additional data. */
#define CKM_CASEMATE_BOX 0x80434d01UL

/** Leave the function with the code of x unless it is CKR_OK. */
#define P11_TRY(x)         \
    do {                   \
        CK_RV rv_ = (x);   \
        if (rv_ != CKR_OK) \
            return rv_;    \
    } while (0)
/** The same for a cm_err. */
#define P11_OK(x) P11_TRY(cm_p11_rv(x))

/** The code that fits a failure. */
CK_RV cm_p11_rv(cm_err e);

/* ---- keys ---------------------------------------------------------------------------------- */

/** One version of a key at the server. Made once and kept until C_Finalize, so that handles and
 * pointers stay good; public and id are filled in under the lock. */
typedef struct {
    char keyspace[CM_P11_NAME + 1], name[CM_P11_NAME + 1];
    const cm_key_type_info *info;
    uint64_t version;
    bool listed, imported; /* listed: in the newest list, and its newest version */
    uint8_t id[32];
    size_t id_n;
    cm_buf public_key; /* raw, RSA: SPKI; empty until asked for */
} cm_p11_key;

/** What PKCS#11 says about a type of key. */
typedef struct {
    cm_key_type type;
    CK_KEY_TYPE kind;
    CK_ULONG set; /* CKA_PARAMETER_SET; 0: none */
    CK_ULONG bits;
    const char *params; /* CKA_EC_PARAMS, DER; its length in params_n */
    uint8_t params_n;
    uint32_t sig; /* bytes of a signature, a tag or a KEM ciphertext */
} cm_p11_kind;
/** NULL for a type that PKCS#11 has no word for (X-Wing, dual and threshold keys). */
const cm_p11_kind *cm_p11_kind_of(cm_key_type t);
const cm_p11_kind *cm_p11_kind_at(size_t i);

/** A secret that an encapsulation left in a session. */
typedef struct {
    CK_OBJECT_HANDLE handle;
    CK_KEY_TYPE kind;
    size_t n;
    bool extractable;
    uint8_t *bytes; /* locked memory, CM_KEM_SEED_MAX */
    uint8_t label[CM_P11_NAME], id[CM_P11_ID];
    size_t label_n, id_n;
} cm_p11_secret;

/** What a handle names. */
typedef struct {
    CK_OBJECT_CLASS class;
    cm_p11_key *key;
    const cm_p11_kind *kind;
    const cm_p11_secret *secret; /* instead of key */
} cm_p11_object;

/* ---- slots (profile.c, slot.c) ------------------------------------------------------------- */

typedef struct cm_p11_slot {
    /* from the profile; unchanged after C_Initialize */
    cm_crypt *crypt;
    char *url, *keyid, *tenant, *keyspace, *label, *sign_path, *cert_path, *cert_key_path;
    char *roots_path, *token_path, *passphrase_path;
    uint32_t types; /* a bit for each type of key that is shown; 0: all */
    bool locked;    /* a passphrase is needed that only C_Login can bring */
    char serial[17];

    /* made when first needed, under the lock */
    bool open; /* credentials are loaded */
    bool logged_in;
    bool no_session; /* the server opens none: every request is signed */
    cm_certs roots, chain;
    cm_pkey *tls_key, *sign_key;
    cm_tls_identity identity;
    cm_buf token;
    char own_keyid[65];
    cm_client *idle[CM_P11_CONNECTIONS];
    size_t idle_n, lent_n;

    cm_p11_key **keys;
    size_t keys_n, keys_cap;
    uint64_t listed_ns; /* 0: never */
} cm_p11_slot;

/** Slots by the configuration that the environment names. Nothing is asked of a server. *out holds
 * CM_P11_SLOTS. */
CM_MUST cm_err cm_p11_profiles(cm_p11_slot *out, size_t *n, cm_crypt *c);
void cm_p11_slot_done(cm_p11_slot *s);
/** Load keys and certificates. KEY_ENCRYPTED, KEY_PASSPHRASE when pin does not open the key. */
CM_MUST cm_err cm_p11_slot_open(cm_p11_slot *s, cm_view pin);
/** Forget them, and every connection. */
void cm_p11_slot_close(cm_p11_slot *s);

/** Ask the server. verb: what follows the key in the path (":sign"); key NULL: what follows the
 * tenant. In arena a; the lock is not held. */
CK_RV cm_p11_ask(cm_p11_slot *s, const char *verb, const cm_p11_key *key, cm_msg *request,
                 const cm_message *type, cm_arena *a, cm_msg **answer);
/** Make s->keys new unless that was done a moment ago. The lock is not held. */
CK_RV cm_p11_list(cm_p11_slot *s, bool now);
/** Put one key of an answer among s->keys; NULL for a type without a word. Under the lock. */
CK_RV cm_p11_learn(cm_p11_slot *s, const cm_msg *key, cm_p11_key **out);
/** Its raw public key. The lock is not held. */
CK_RV cm_p11_public(cm_p11_slot *s, cm_p11_key *k);

/* ---- sessions (session.c) ------------------------------------------------------------------ */

/** One of SIGN, VERIFY, ENCRYPT, DECRYPT, DIGEST under way. */
typedef struct {
    const struct cm_p11_mech *mech; /* NULL: none */
    CK_FLAGS use;
    cm_p11_key *key;
    const cm_p11_kind *kind;
    bool parts; /* an Update has come */
    cm_hasher *hasher;
    cm_buf data;      /* what was gathered */
    cm_buf extra;     /* context or AAD */
    cm_buf signature; /* of C_VerifySignatureInit */
} cm_p11_op;

enum { CM_P11_OPS = 5 };
typedef struct {
    CK_SESSION_HANDLE handle;
    cm_p11_slot *slot;
    bool rw, busy;
    cm_p11_op op[CM_P11_OPS]; /* by cm_p11_op_of() */
    bool finding;
    CK_OBJECT_HANDLE *found;
    size_t found_n, found_at;
    cm_p11_secret *secrets[CM_P11_SECRETS];
    size_t secrets_n;
} cm_p11_session;

/** The state of the process. */
typedef struct {
    bool ready;
    int pid;
    cm_crypt *crypt;
    cm_p11_slot slots[CM_P11_SLOTS];
    size_t slots_n;
    cm_p11_session *sessions[CM_P11_SESSIONS];
    CK_ULONG next; /* handle */
} cm_p11_module;
/** Under the lock. */
cm_p11_module *cm_p11_state(void);
void cm_p11_lock(void);
void cm_p11_unlock(void);
/** Until somebody calls cm_p11_tell(). */
void cm_p11_wait(void);
void cm_p11_tell(void);
/** CKR_CRYPTOKI_NOT_INITIALIZED before C_Initialize, and in a child of fork() until its own. */
CK_RV cm_p11_ready(void);

/** Have a session to oneself. */
CK_RV cm_p11_take(cm_p11_session **out, CK_SESSION_HANDLE h);
void cm_p11_give(cm_p11_session **s);
/** Have it with credentials loaded. */
CK_RV cm_p11_take_open(cm_p11_session **out, CK_SESSION_HANDLE h);
void cm_p11_op_clear(cm_p11_op *op);
cm_p11_op *cm_p11_op_of(cm_p11_session *s, CK_FLAGS use);
CK_RV cm_p11_object_of(cm_p11_object *out, const cm_p11_session *s, CK_OBJECT_HANDLE h);
CK_OBJECT_HANDLE cm_p11_handle(const cm_p11_slot *s, const cm_p11_key *k, bool public_half);

/* ---- attributes (attr.c) ------------------------------------------------------------------- */

/** Append the value of an attribute. CKR_ATTRIBUTE_TYPE_INVALID, CKR_ATTRIBUTE_SENSITIVE. May ask
 * the server for a public key; the lock is not held. */
CK_RV cm_p11_attribute(cm_buf *out, cm_p11_slot *s, const cm_p11_object *o, CK_ATTRIBUTE_TYPE t);
/** Counts, lengths and pointers of a template that came from outside. */
CK_RV cm_p11_template_check(const CK_ATTRIBUTE *a, CK_ULONG n);
/** Its attribute of a type; NULL when absent. */
const CK_ATTRIBUTE *cm_p11_template_get(const CK_ATTRIBUTE *a, CK_ULONG n, CK_ATTRIBUTE_TYPE t);
/** Numbers and truth values: *out is left when the attribute is absent. */
CK_RV cm_p11_template_number(CK_ULONG *out, const CK_ATTRIBUTE *a, CK_ULONG n, CK_ATTRIBUTE_TYPE t);
CK_RV cm_p11_template_bool(bool *out, const CK_ATTRIBUTE *a, CK_ULONG n, CK_ATTRIBUTE_TYPE t);
/** Modulus of an RSA public key, out of its SPKI. */
CM_MUST cm_err cm_p11_rsa_modulus(cm_view *out, cm_view spki);

/* ---- mechanisms (mech.c) ------------------------------------------------------------------- */

typedef enum {
    CM_P11_ECDSA,
    CM_P11_ECDSA_HASH,
    CM_P11_RSA_INFO, /* CKM_RSA_PKCS: a DigestInfo comes */
    CM_P11_RSA_HASH,
    CM_P11_PSS,
    CM_P11_PSS_HASH,
    CM_P11_EDDSA,
    CM_P11_MLDSA,
    CM_P11_SLHDSA,
    CM_P11_HMAC,
    CM_P11_GCM,
    CM_P11_BOX,
    CM_P11_KEM,
    CM_P11_HASH,
    CM_P11_MAKE,
} cm_p11_how;

typedef struct cm_p11_mech {
    CK_MECHANISM_TYPE type;
    cm_p11_how how;
    CK_KEY_TYPE kind; /* of its key, or of the key that it makes */
    CK_ULONG min, max;
    CK_FLAGS flags;
    cm_hash hash;
} cm_p11_mech;

const cm_p11_mech *cm_p11_mech_at(size_t i);
const cm_p11_mech *cm_p11_mech_of(CK_MECHANISM_TYPE t);
/** Find a mechanism that serves a use, and take what its parameter holds: context or AAD into
 * extra. CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID. */
CK_RV cm_p11_mech_parse(const cm_p11_mech **out, cm_buf *extra, const CK_MECHANISM *m,
                        CK_FLAGS use);

/** Copy out by the rule of two calls: *n says how much there is or how much room there is. */
CK_RV cm_p11_out(cm_view v, CK_BYTE *out, CK_ULONG *n);
/** A view of what came; CKR_ARGUMENTS_BAD for a length without bytes. */
CK_RV cm_p11_in(cm_view *out, const CK_BYTE *p, CK_ULONG n, size_t max);
/** Say in the file that CASEMATE_PKCS11_LOG names why something failed: codes say little. */
void cm_p11_say(const cm_p11_slot *s, cm_err e, const char *why);
/** Set fields of a request. */
void cm_p11_set(cm_msg *m, size_t field, cm_view v);
void cm_p11_set_number(cm_msg *m, size_t field, uint64_t v);

#endif
