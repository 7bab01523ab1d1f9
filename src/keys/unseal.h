#ifndef CM_KEYS_UNSEAL_H
#define CM_KEYS_UNSEAL_H
/*
 * The root, and the boot record that it is kept in: spec/unseal.md.
 *
 * The boot record holds the root under a key of its own, and that key once for each slot: a
 * passphrase, a set of shares, a key file (a systemd credential), a device. Each slot opens it
 * alone. The record is stored in clear in the "boot" row; whoever changes it must open it first.
 */
#include "keys/shamir.h"

enum {
    CM_ROOT_GENERATIONS = 8,
    CM_BOOT_MAX = 64 << 10,
    CM_BOOT_SLOTS = 16,
    CM_BOOT_LABEL_MAX = 64,
    CM_UNSEAL_SECRET_MAX = 4096,
    CM_UNSEAL_KEYFILE_MIN = 32,
    CM_UNSEAL_BLOB_MAX = 8192,
    CM_ORIGIN_MAX = 255,
};

/** What everything hangs on. Lives in locked memory and nowhere else. */
typedef struct {
    uint8_t id[16]; /* public: the same for the life of an installation */
    uint32_t n;     /* generations held, oldest first: the last one is in force */
    struct {
        uint64_t number;
        uint8_t seed[64]; /* ML-KEM-1024, d || z: tenant KEKs are sealed to it */
    } kem[CM_ROOT_GENERATIONS];
    uint8_t log_seed[32]; /* of the log's keys: audit/signer.h derives them */
    uint8_t origin_n;
    char origin[CM_ORIGIN_MAX]; /* the log's name, for good; no NUL */
} cm_root;

/** A new root of generation 1, whose log has this name (1 to CM_ORIGIN_MAX bytes, else
 * BAD_ARGUMENT). NO_ENTROPY, NO_LOCKED_MEMORY. */
CM_MUST cm_err cm_root_new(cm_root **out, const cm_crypt *c, cm_view origin);
/** Wipes. NULL is fine. */
void cm_root_free(cm_root *r);
void cm_root_free_ptr(cm_root **r);

typedef enum { /* wire numbers */
               CM_UNSEAL_PASSPHRASE = 1,
               CM_UNSEAL_SHARES = 2,
               CM_UNSEAL_KEYFILE = 3,
               CM_UNSEAL_BACKEND = 4,
} cm_unseal_kind;

/** A device that wraps and unwraps one slot's 32 bytes: HSM, TPM, a cloud's KMS. */
typedef struct {
    uint32_t number; /* which kind of device: spec/unseal.md */
    /** Append what unwrap() needs; bound to context where the device can do that. */
    cm_err (*wrap)(void *self, const cm_crypt *c, cm_buf *blob, const cm_key32 *key,
                   cm_view context);
    cm_err (*unwrap)(void *self, const cm_crypt *c, cm_key32 *key, cm_view blob, cm_view context);
    void *self;
} cm_unseal_backend;

/** A slot to make. */
typedef struct {
    cm_unseal_kind kind;
    cm_view label;        /* UTF-8, for people; may be empty */
    cm_view secret;       /* PASSPHRASE, KEYFILE */
    cm_argon2 cost;       /* PASSPHRASE; zero: 256 MiB, 3 passes, 4 lanes */
    uint8_t need, shares; /* SHARES */
    const cm_unseal_backend *backend;
} cm_unseal_method;

/** A way in. */
typedef struct {
    cm_unseal_kind kind;
    cm_view secret; /* PASSPHRASE, KEYFILE */
    const cm_share *shares;
    size_t shares_n;
    const cm_unseal_backend *backend;
} cm_unseal_key;

/** What stands in a boot record, for display. Views borrow from the record. */
typedef struct {
    uint64_t id; /* never used again within a record */
    cm_unseal_kind kind;
    cm_view label;
    cm_argon2 cost;
    uint8_t set[CM_SHARE_SET], need, shares; /* SHARES */
    cm_view checks;                          /* SHARES: cm_share_check() of each, by index */
    uint32_t backend;
    cm_view device; /* BACKEND: what the device keeps in the slot */
} cm_boot_slot;

typedef struct {
    uint8_t root[16];
    uint64_t sequence; /* grows with every change */
    size_t n;
    cm_boot_slot slots[CM_BOOT_SLOTS];
} cm_boot_info;

/** Form and checksum only: BOOT_MALFORMED, BOOT_DAMAGED, BOOT_VERSION. */
CM_MUST cm_err cm_boot_inspect(cm_boot_info *out, const cm_crypt *c, cm_view boot);

/** Whether a share is one of this record's: SHARES_MIXED, SHARES_FORGED. */
CM_MUST cm_err cm_boot_check_share(const cm_boot_info *boot, const cm_crypt *c, const cm_share *s);

/** A boot record with one slot for each method. Appends to boot. list has room for CM_SHARE_MAX
 * shares, of which *list_n are made; at most one method makes shares.
 * UNSEAL_METHOD: no method, too many of them, or one that can't be (key file too short, empty
 * passphrase); SHARES_COUNT; CRYPT_COST. Nothing is changed then. */
CM_MUST cm_err cm_boot_seal(cm_buf *boot, cm_share *list, size_t *list_n, const cm_crypt *c,
                            const cm_root *root, const cm_unseal_method *m, size_t n);
/** The root. UNSEAL_NO_SLOT when no slot is of that kind; UNSEAL_WRONG: the passphrase, key or set
 * of shares opens none of them; BOOT_FORGED: a slot opens, but the record is not what was sealed;
 * the errors of cm_shamir_join() and cm_boot_inspect(). root is untouched then.
 * One passphrase is tried against each passphrase slot in turn. */
CM_MUST cm_err cm_boot_open(cm_root **root, const cm_crypt *c, cm_view boot,
                            const cm_unseal_key *key);

typedef struct {
    const uint64_t *drop; /* slots to take away, by id */
    size_t drop_n;
    const cm_unseal_method *add;
    size_t add_n;
    bool rotate;     /* a new generation of the root, in force from now on */
    uint64_t retire; /* forget generations up to this one; 0: none */
} cm_boot_change;

/** A new record from an old one that key opens. Slots that stay keep what opens them; when none
 * stays, the key around the root is new too, and an old record's slots are of no more use for the
 * new one. UNSEAL_LAST when none would be left; UNSEAL_NO_SLOT for an id that is none;
 * UNSEAL_GENERATION for retiring the one in force or rotating past CM_ROOT_GENERATIONS; else as
 * above. */
CM_MUST cm_err cm_boot_alter(cm_buf *boot, cm_share *list, size_t *list_n, const cm_crypt *c,
                             cm_view old, const cm_unseal_key *key, const cm_boot_change *change);

#endif
