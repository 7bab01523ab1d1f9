#ifndef CM_KEYS_RING_INT_H
#define CM_KEYS_RING_INT_H
/* Inside the ring: the seals of the hierarchy, and what each operation does with an open key. */
#include "keys/held_int.h"
#include "keys/ring.h"
#include "keys/wirefmt.h"

enum {
    CM_KEK = 32,
    CM_RAW_MAX = CM_RSA_DER_MAX,                                 /* of a key's raw secret */
    CM_BOUND_MAX = CM_KEYOP_TENANT_MAX + CM_KEYOP_PATH_MAX + 64, /* of a binding, encoded */
};

struct cm_keyring {
    cm_keyring_options o;
    uint8_t id[16]; /* the root's */
    size_t n;       /* the root's generations, oldest first */
    struct {
        uint64_t number;
        cm_kem_key *key;
    } root[CM_ROOT_GENERATIONS];
    cm_held_cache *keks, *keys;
};

/* ---- seals (seal.c) ---- */

/** The forms of a sealed KEK: the plaintext is the KEK, or what a device made of it. */
typedef enum { CM_KEK_PLAIN = 1, CM_KEK_DEVICE = 2 } cm_kek_form;
/** To the root's generation in force. */
CM_MUST cm_err cm_ring_seal_root(const cm_keyring *r, cm_buf *out, const cm_key_binding *b,
                                 cm_kek_form form, cm_view plain);
/** Appends the plaintext. */
CM_MUST cm_err cm_ring_open_root(const cm_keyring *r, cm_buf *plain, cm_kek_form *form,
                                 const cm_key_binding *b, cm_view sealed);
/** The tenant's KEK of that version, from the cache or opened; op says whether for a wait. */
CM_MUST cm_err cm_ring_kek(cm_keyring *r, cm_held **out, cm_keyop *op, uint64_t version,
                           cm_view sealed);
/** An open key. */
CM_MUST cm_err cm_ring_key(cm_keyring *r, cm_held **out, cm_held *kek, const cm_key_binding *b,
                           cm_view sealed);
CM_MUST cm_err cm_ring_seal_key(const cm_keyring *r, cm_buf *out, const cm_held *kek,
                                const cm_key_binding *b, const cm_held *h);

/* ---- devices of tenants (device.c) ---- */

enum { CM_KEK_INNER_MAX = 4096 };
/** Seal a KEK as op's context and data say: under a device, which appends its facts to op->out2, or
 * to the root alone. */
CM_MUST cm_err cm_ring_seal_kek(const cm_keyring *r, cm_keyop *op, const cm_key_binding *b,
                                cm_view kek);
/** The KEK out of the plaintext of CM_KEK_DEVICE. */
CM_MUST cm_err cm_ring_open_inner(const cm_keyring *r, cm_buf *kek, cm_keyop *op,
                                  const cm_key_binding *b, cm_view inner);

/** The device of that name, unless it must not be waited for. */
CM_MUST cm_err cm_ring_reach(const cm_keyring *r, cm_keyop *op, cm_view name);

/* ---- keys in a device (native.c) ---- */

bool cm_native_is(cm_view sealed);
CM_MUST cm_err cm_native_seal(const cm_keyring *r, cm_buf *out, const cm_held *kek, cm_view aad,
                              const cm_held *h);
CM_MUST cm_err cm_native_open(const cm_keyring *r, cm_held **out, const cm_held *kek,
                              const cm_key_type_info *t, cm_view aad, cm_view sealed);
CM_MUST cm_err cm_native_make(const cm_keyring *r, cm_keyop *op, cm_held **out);
CM_MUST cm_err cm_native_sign(const cm_keyring *r, cm_keyop *op, const cm_held *k);
/** The secret in ct, by the device. */
CM_MUST cm_err cm_native_decap(const cm_keyring *r, cm_keyop *op, const cm_held *k, uint8_t ss[32],
                               cm_view ct);

/** What a device is given to sign: the message, or its digest. */
typedef struct {
    cm_view message;
    uint8_t digest[32];
    bool digested, recoverable, pkcs1;
} cm_sign_input;
/** KEY_FORM for a form that devices are not asked for. */
CM_MUST cm_err cm_exec_sign_input(const cm_keyring *r, cm_sign_input *in, const cm_keyop *op,
                                  const cm_held *k);

/* ---- operations on an open key (exec_*.c) ---- */

/** KEYOP_SIZE. */
CM_MUST cm_err cm_keyop_fits(const cm_keyop *op);

typedef cm_err cm_exec_fn(const cm_keyring *r, cm_keyop *op, const cm_held *k);
cm_exec_fn cm_exec_sign, cm_exec_verify, cm_exec_mac, cm_exec_verify_mac;
cm_exec_fn cm_exec_encrypt, cm_exec_decrypt, cm_exec_data_key, cm_exec_wrap, cm_exec_unwrap;
cm_exec_fn cm_exec_encapsulate, cm_exec_decapsulate, cm_exec_export, cm_exec_public, cm_exec_drop;
cm_exec_fn cm_exec_sign_share, cm_exec_aggregate, cm_exec_verify_threshold;

/** data under k in the binding b: used by REWRAP too. */
CM_MUST cm_err cm_exec_wrap_as(const cm_keyring *r, cm_buf *out, const cm_held *k,
                               const cm_key_binding *b, cm_view aad, cm_view data);
/** op's data, by k in op's binding. */
CM_MUST cm_err cm_exec_unwrap_to(const cm_keyring *r, cm_keyop *op, cm_buf *out, const cm_held *k);

/* ---- operations that make and move keys (exec_make.c) ---- */

typedef cm_err cm_make_fn(cm_keyring *r, cm_keyop *op, cm_held *kek);
cm_make_fn cm_make_create, cm_make_import, cm_make_import_wrapped;
cm_make_fn cm_make_rewrap, cm_make_reseal, cm_make_row_key, cm_make_deal;
CM_MUST cm_err cm_make_tenant(cm_keyring *r, cm_keyop *op);
CM_MUST cm_err cm_make_reseal_kek(cm_keyring *r, cm_keyop *op);

#endif
