#ifndef CM_KEYS_HELD_INT_H
#define CM_KEYS_HELD_INT_H
/* Keys that are open: counted, shared by threads, kept in a cache by what they were opened from. */
#include <stdatomic.h>

#include "crypt/rsa.h"
#include "keys/keyop.h"

/* One key, of whichever family; the others are NULL. Immutable once made. */
typedef struct {
    atomic_uint refs;
    const cm_key_type_info *info;
    cm_sig_key *sig;
    cm_kem_key *kem;
    cm_rsa *rsa;
    cm_key32 *secret; /* AES, HMAC, and a tenant's KEK: in the locked arena */
} cm_held;

/** From the raw form of its secret. CRYPT_BAD_KEY, KEY_UNSUPPORTED. */
CM_MUST cm_err cm_held_from_raw(cm_held **out, const cm_crypt *c, const cm_key_type_info *t,
                                cm_view raw);
CM_MUST cm_err cm_held_generate(cm_held **out, const cm_crypt *c, const cm_key_type_info *t);
/** A KEK of 32 bytes, copied. */
CM_MUST cm_err cm_held_kek(cm_held **out, const cm_key32 *kek);
/** Append the raw secret, the public key (nothing for symmetric keys). */
CM_MUST cm_err cm_held_raw(cm_buf *out, const cm_held *h);
CM_MUST cm_err cm_held_public(cm_buf *out, const cm_held *h);
cm_held *cm_held_ref(cm_held *h);
/** The last one wipes and frees. */
void cm_held_drop(cm_held *h);
void cm_held_drop_ptr(cm_held **h);

typedef struct cm_held_cache cm_held_cache;
CM_MUST cm_err cm_held_cache_new(cm_held_cache **out, unsigned entries);
void cm_held_cache_free(cm_held_cache *c);
/** A reference to what is under id, or NULL. */
cm_held *cm_held_cache_get(cm_held_cache *c, const uint8_t id[32]);
/** Keep one more reference under id, in place of the least recently used of its neighbours. */
void cm_held_cache_put(cm_held_cache *c, const uint8_t id[32], cm_held *h);

#endif
