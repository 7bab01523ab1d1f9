#ifndef CM_KEYS_HELD_INT_H
#define CM_KEYS_HELD_INT_H
/* Keys that are open: counted, shared by threads, kept in caches by what they were opened from. */
#include <stdatomic.h>

#include "crypt/rsa.h"
#include "keys/frost.h"
#include "keys/keyop.h"

/* A holder's share of a threshold key, in locked memory. */
struct cm_held_frost {
    cm_frost_share share;
    cm_frost_group group;
};
CM_MUST cm_err cm_held_frost_fill(struct cm_held_frost **out, const cm_key_type_info *t,
                                  cm_view raw);
CM_MUST cm_err cm_held_frost_raw(cm_buf *out, const struct cm_held_frost *f);

/* One key, of whichever family; the others are NULL. Immutable once made. What is secret lies in
 * the locked arena, but for what the provider expands from it (crypt/sig.h). */
typedef struct {
    atomic_uint refs;
    const cm_key_type_info *info; /* NULL: a tenant's KEK */
    cm_sig_key *sig;
    cm_kem_key *kem;
    cm_rsa *rsa;
    cm_key32 *secret; /* AES, HMAC, KEK */
    struct cm_held_frost *frost;
    struct cm_held_native *native; /* the private half is in a device: sig, kem, rsa are public */
    uint64_t until_ms; /* KEK opened by a device: when it is to be forgotten; 0: never */
} cm_held;

/** Of that type, with nothing in it. NULL: a KEK. */
CM_MUST cm_err cm_held_blank(cm_held **out, const cm_key_type_info *t);
/** From the raw form of its secret (KM-2). CRYPT_BAD_KEY, KEY_UNSUPPORTED. */
CM_MUST cm_err cm_held_from_raw(cm_held **out, const cm_crypt *c, const cm_key_type_info *t,
                                cm_view raw);
/** From what somebody else made: the raw form, PKCS#8 in DER or PEM, checked thoroughly (KM-28). */
CM_MUST cm_err cm_held_import(cm_held **out, const cm_crypt *c, const cm_key_type_info *t,
                              cm_view secret);
CM_MUST cm_err cm_held_generate(cm_held **out, const cm_crypt *c, const cm_key_type_info *t);
/** A KEK of 32 bytes, copied. */
CM_MUST cm_err cm_held_kek(cm_held **out, cm_view kek);
/** Append the raw secret (KEY_IN_DEVICE: there is none here), the public key (nothing for symmetric
 * keys). */
CM_MUST cm_err cm_held_raw(cm_buf *out, const cm_held *h);
CM_MUST cm_err cm_held_public(cm_buf *out, const cm_held *h);
cm_held *cm_held_ref(cm_held *h);
/** The last one wipes and frees. */
void cm_held_drop(cm_held *h);
void cm_held_drop_ptr(cm_held **h);

/* ---- cache ---- */

/* What a key was opened from, all of it: nothing less finds it again (KM-16). Compared byte by
 * byte: as strict as a hash over it, and for what an operation brings a hash would cost as much as
 * a signature. Nothing here is secret. */
typedef struct {
    cm_held *parent; /* the KEK; NULL for a KEK itself */
    const cm_key_binding *bind;
    cm_view sealed;
} cm_held_name;

typedef struct cm_held_cache cm_held_cache;
/** Keeps `entries` keys at most; the least recently used one goes first. */
CM_MUST cm_err cm_held_cache_new(cm_held_cache **out, unsigned entries);
void cm_held_cache_free(cm_held_cache *c);
/** A reference to the key of that name, or NULL. */
cm_held *cm_held_cache_get(cm_held_cache *c, const cm_held_name *n);
/** Keep one more reference. Without memory it is not kept. */
void cm_held_cache_put(cm_held_cache *c, const cm_held_name *n, cm_held *h);
/** Drop what is over by now, and what was opened under it. */
void cm_held_cache_expire(cm_held_cache *c, uint64_t now_ms);
/** How many are kept. */
size_t cm_held_cache_count(cm_held_cache *c);

#endif
