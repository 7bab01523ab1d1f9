#ifndef CM_KEYS_RING_INT_H
#define CM_KEYS_RING_INT_H
/* Inside the ring: the seals of the hierarchy, and what each operation does with an open key. */
#include "keys/held_int.h"
#include "keys/ring.h"

enum {
    CM_KEYOP_OUT_MAX = 2 << 20,
    CM_KEYOP_DATA_MAX = 1 << 20,
    CM_SECRET_RAW_MAX = CM_RSA_DER_MAX,
    CM_CIPHER_HEAD = 9, /* form, key version */
};

struct cm_keyring {
    cm_keyring_options o;
    cm_held_cache *cache;
    size_t n; /* the root's generations, oldest first */
    struct {
        uint64_t number;
        cm_kem_key *key;
    } root[CM_ROOT_GENERATIONS];
};

/* ---- seals (seal.c) ---- */

CM_MUST cm_err cm_ring_new_kek(const cm_keyring *r, cm_buf *out, const cm_key_binding *b);
/** The tenant's KEK, from the cache or opened. */
CM_MUST cm_err cm_ring_kek(cm_keyring *r, cm_held **out, const cm_key_binding *b, cm_view sealed);
/** An open key. */
CM_MUST cm_err cm_ring_key(cm_keyring *r, cm_held **out, const cm_held *kek,
                           const cm_key_binding *b, cm_view sealed);
CM_MUST cm_err cm_ring_seal_key(const cm_keyring *r, cm_buf *out, const cm_held *kek,
                                const cm_key_binding *b, const cm_held *h);

/* ---- operations (exec_*.c): k is open ---- */

CM_MUST cm_err cm_exec_sign(const cm_keyring *r, cm_keyop *op, const cm_held *k);
CM_MUST cm_err cm_exec_verify(const cm_keyring *r, cm_keyop *op, const cm_held *k);
CM_MUST cm_err cm_exec_mac(const cm_keyring *r, cm_keyop *op, const cm_held *k);
CM_MUST cm_err cm_exec_verify_mac(const cm_keyring *r, cm_keyop *op, const cm_held *k);
CM_MUST cm_err cm_exec_encrypt(const cm_keyring *r, cm_keyop *op, const cm_held *k);
CM_MUST cm_err cm_exec_decrypt(const cm_keyring *r, cm_keyop *op, const cm_held *k);
CM_MUST cm_err cm_exec_encapsulate(const cm_keyring *r, cm_keyop *op, const cm_held *k);
CM_MUST cm_err cm_exec_decapsulate(const cm_keyring *r, cm_keyop *op, const cm_held *k);
CM_MUST cm_err cm_exec_data_key(const cm_keyring *r, cm_keyop *op, const cm_held *k);
CM_MUST cm_err cm_exec_wrap(const cm_keyring *r, cm_keyop *op, const cm_held *k);
CM_MUST cm_err cm_exec_unwrap(const cm_keyring *r, cm_keyop *op, const cm_held *k);
CM_MUST cm_err cm_exec_export(const cm_keyring *r, cm_keyop *op, const cm_held *k);
/** data under k in the binding b: used by REWRAP too. */
CM_MUST cm_err cm_exec_wrap_as(const cm_keyring *r, cm_buf *out, const cm_held *k,
                               const cm_key_binding *b, cm_view aad, cm_view data);
CM_MUST cm_err cm_exec_unwrap_as(const cm_keyring *r, cm_buf *out, const cm_held *k,
                                 const cm_key_binding *b, cm_view aad, cm_view data);
/** What HPKE binds an exported secret to. */
CM_MUST cm_err cm_exec_export_info(cm_buf *out, const cm_key_type_info *t);

#endif
