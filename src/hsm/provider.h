#ifndef CM_HSM_PROVIDER_H
#define CM_HSM_PROVIDER_H
/* Shared by providers, in this module and above it. */
#include "hsm/hsm.h"

enum {
    BLOB_VERSION = 1,
    BLOB_GCM = 1,       /* by the device */
    BLOB_DERIVED = 2,   /* by us, under a key that the device's AES-CBC makes for this blob alone */
    BLOB_SERVICE = 3,   /* by us, under a key for this blob that a key service wrapped */
    BLOB_TPM = 4,       /* the same, by a machine's TPM */
    BLOB_CLASSICAL = 5, /* the same under an RSA key of a token */
    BLOB_SERVICE_CLASSICAL = 6, /* the same under an RSA key of a service */
    BLOB_HEAD = 2,
    BLOB_IV = 12,
    BLOB_TAG = 16,
    BLOB_CHECK = 16,
    BLOB_MORE = BLOB_HEAD + BLOB_IV + BLOB_CHECK + BLOB_TAG,
    BLOB_AAD = 32 + CM_HSM_ID_MAX + CM_HSM_AAD_MAX,
    BLOB_WRAPPED_MAX = 2048, /* a key for one blob, as it was wrapped */
};

/** H-3: what a blob is bound to, appended: "casemate-hsm-wrap-v1" 00, length of the id, id, aad. */
CM_MUST cm_err cm_hsm_blob_aad(cm_buf *out, cm_view id, cm_view aad);
/** Form of a blob: mechanism, iv, and ciphertext with tag. HSM_BLOB. */
CM_MUST cm_err cm_hsm_blob_split(uint8_t *mechanism, cm_view *iv, cm_view *body, cm_view blob);
/** H-82: HSM_KEY_CLASSICAL, HSM_KEY_SYMMETRIC: what is there is of the kind that was not asked for;
 * classical: that was. */
CM_MUST cm_err cm_hsm_other_kind(bool classical);
/** The same of a blob, when it is; one of no known form is left to who reads it. */
CM_MUST cm_err cm_hsm_kind_fits(bool classical, cm_view blob);
bool cm_hsm_blob_is_classical(cm_view blob);
/** H-81: a blob under a key made for it, which `wrapped` is of. */
CM_MUST cm_err cm_hsm_hybrid_seal(cm_hsm_answer *a, const cm_crypt *c, const cm_hsm_request *r,
                                  uint8_t mechanism, const cm_key32 *key, cm_view wrapped);
/** Form of such a blob: HSM_BLOB. */
CM_MUST cm_err cm_hsm_hybrid_split(cm_view *wrapped, cm_view *body, uint8_t mechanism,
                                   cm_view blob);
/** The seed of r's blob, whose body that is: CRYPT_TAG when the key is another one. */
CM_MUST cm_err cm_hsm_hybrid_open(cm_hsm_answer *a, const cm_crypt *c, const cm_hsm_request *r,
                                  const cm_key32 *key, cm_view body);
/** What is encrypted, appended: a check of the seed, and the seed. */
CM_MUST cm_err cm_hsm_seed_pack(cm_buf *out, const cm_crypt *c, cm_view seed);
/** The seed out of what was decrypted, at its front. HSM_WRONG: the device gave back something
 * else. */
CM_MUST cm_err cm_hsm_seed_unpack(cm_buf *plain, const cm_crypt *c);
/** The next piece of a list of H-15, cut off its front. HSM_REQUEST when it is longer than the list
 * or than most. */
CM_MUST cm_err cm_hsm_list_next(cm_view *piece, cm_view *rest, size_t most);
CM_MUST cm_err cm_hsm_list_put(cm_buf *list, cm_view piece);
/** Room for n bytes of answer: data is emptied first. */
CM_MUST cm_err cm_hsm_answer_room(cm_hsm_answer *a, size_t n);
/** id, algorithm and public key into k, with its hash. */
CM_MUST cm_err cm_hsm_key_fill(cm_hsm_key *k, const cm_crypt *c, const cm_hsm_request *r,
                               cm_hsm_custody custody, cm_view pub);
/** The low form of a signature's s for secp256k1. Public: time may tell. */
void cm_hsm_low_s(uint8_t s[32]);
/** HSM_WRONG when it is no signature of this key. */
CM_MUST cm_err cm_hsm_check_signature_by(const cm_sig_key *k, bool digest, cm_view msg,
                                         cm_view sig);
/** The same for a key that is its bytes, over r's data in r's form; RSA too. */
CM_MUST cm_err cm_hsm_check_signature(const cm_crypt *c, const cm_hsm_request *r, cm_view pub,
                                      cm_view sig);

#endif
