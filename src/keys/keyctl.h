#ifndef CM_KEYS_KEYCTL_H
#define CM_KEYS_KEYCTL_H
/*
 * The bodies of control messages to the holder of the root (keys/wirefmt.h): CBOR records, strict,
 * spec/keyd.md. Views borrow from what was decoded. cm_keyctl_put_* append; their buffers hold
 * secrets and are the caller's to wipe (cm_buf_free does). KEYMSG_MALFORMED from all decoders.
 */
#include "keys/unseal.h"
#include "keys/wirefmt.h"

enum { CM_KEYCTL_DEVICES_MAX = 16384, CM_KEYCTL_DEVICES = 8, CM_KEYCTL_DEVICE_NAME = 32 };

typedef enum { CM_KEYD_SEALED = 1, CM_KEYD_UNSEALED = 2 } cm_keyd_state;

/** The answer to STATUS, UNSEAL and SEAL. */
typedef struct {
    cm_keyd_state state;
    cm_view version;     /* text: the program's */
    cm_view root;        /* cm_root's id; empty while sealed */
    uint64_t generation; /* of the root in force; 0 while sealed */
    cm_view origin;      /* the log's name; empty while sealed */
    cm_view log_keys;    /* its public keys as vkeys, a line each: what is published */
    uint64_t have, need; /* shares given so far, and how many it takes; 0: none given yet */
    uint64_t sandbox;    /* CM_SANDBOX_* in force (run/sandbox.h) */
    uint64_t arena;      /* cm_arena_kind */
    uint64_t workers, served, pid;
    bool credential; /* it holds a key file of its own: auto-unseal is possible */
    cm_view devices; /* JSON: an array with an object each; empty: not several */
} cm_keyctl_status;
CM_MUST cm_err cm_keyctl_put_status(cm_buf *body, const cm_keyctl_status *s);
CM_MUST cm_err cm_keyctl_get_status(cm_keyctl_status *s, cm_view body);

/** Slots to make. A KEYFILE without a secret is the holder's own credential. */
typedef struct {
    cm_unseal_method method[CM_BOOT_SLOTS]; /* without backend: */
    uint32_t device[CM_BOOT_SLOTS];         /* the backend's number, of BACKEND methods */
    size_t n;
} cm_keyctl_methods;

/** INIT: a new root. Refused while one is held. */
typedef struct {
    cm_view origin; /* the log's name, for good: "kms.example.org/log" */
    cm_keyctl_methods methods;
} cm_keyctl_init;
CM_MUST cm_err cm_keyctl_put_init(cm_buf *body, const cm_keyctl_init *i);
CM_MUST cm_err cm_keyctl_get_init(cm_keyctl_init *i, cm_view body);

/** The answer to INIT and ALTER. */
typedef struct {
    cm_view boot;
    cm_view shares[CM_SHARE_MAX]; /* texts, to be shown once */
    size_t shares_n;
} cm_keyctl_boot;
CM_MUST cm_err cm_keyctl_put_boot(cm_buf *body, const cm_keyctl_boot *b);
CM_MUST cm_err cm_keyctl_get_boot(cm_keyctl_boot *b, cm_view body);

/** UNSEAL. Shares may come all at once or one by one: the holder keeps those it was given until the
 * threshold is reached, one is wrong, or SEAL. */
typedef struct {
    cm_view boot;
    cm_unseal_kind kind;
    cm_view secret;               /* PASSPHRASE; KEYFILE: empty for the holder's own credential */
    cm_view shares[CM_SHARE_MAX]; /* texts */
    size_t shares_n;
    uint32_t device; /* BACKEND */
} cm_keyctl_unseal;
CM_MUST cm_err cm_keyctl_put_unseal(cm_buf *body, const cm_keyctl_unseal *u);
CM_MUST cm_err cm_keyctl_get_unseal(cm_keyctl_unseal *u, cm_view body);

/** ALTER: a changed boot record. It takes a way in like UNSEAL does, all shares at once, whatever
 * the state: whoever only relays messages can't add a slot of its own. */
typedef struct {
    cm_keyctl_unseal with;
    cm_keyctl_methods add;
    uint64_t drop[CM_BOOT_SLOTS];
    size_t drop_n;
    bool rotate;
    uint64_t retire;
} cm_keyctl_alter;
CM_MUST cm_err cm_keyctl_put_alter(cm_buf *body, const cm_keyctl_alter *a);
CM_MUST cm_err cm_keyctl_get_alter(cm_keyctl_alter *a, cm_view body);

/** DEVICES: what is wanted of those behind the root. The answer is a status. */
typedef struct {
    struct {
        cm_view name; /* text, 1 to CM_KEYCTL_DEVICE_NAME bytes */
        uint64_t weight;
        bool retired;
        bool make; /* its key, when it has none */
    } of[CM_KEYCTL_DEVICES];
    size_t n;
} cm_keyctl_devices;
CM_MUST cm_err cm_keyctl_put_devices(cm_buf *body, const cm_keyctl_devices *d);
CM_MUST cm_err cm_keyctl_get_devices(cm_keyctl_devices *d, cm_view body);

#endif
