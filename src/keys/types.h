#ifndef CM_KEYS_TYPES_H
#define CM_KEYS_TYPES_H
/* The kinds of keys, what each can do, and the states a key passes through. */
#include "crypt/crypt.h"
#include "crypt/kem.h"
#include "crypt/sig.h"

/* Name, wire number, family, algorithm number inside the family, what it may do. */
#define CM_KEY_TYPES(X)                                                             \
    X(ML_KEM_512, 1, KEM, CM_KEM_MLKEM512, "ML-KEM-512", CAN_KEM)                   \
    X(ML_KEM_768, 2, KEM, CM_KEM_MLKEM768, "ML-KEM-768", CAN_KEM)                   \
    X(ML_KEM_1024, 3, KEM, CM_KEM_MLKEM1024, "ML-KEM-1024", CAN_KEM)                \
    X(X_WING, 4, KEM, CM_KEM_XWING, "X-Wing", CAN_KEM)                              \
    X(ML_DSA_44, 5, SIG, CM_SIG_MLDSA44, "ML-DSA-44", CAN_SIGN)                     \
    X(ML_DSA_65, 6, SIG, CM_SIG_MLDSA65, "ML-DSA-65", CAN_SIGN)                     \
    X(ML_DSA_87, 7, SIG, CM_SIG_MLDSA87, "ML-DSA-87", CAN_SIGN)                     \
    X(SLH_DSA_128S, 8, SIG, CM_SIG_SLHDSA_SHA2_128S, "SLH-DSA-SHA2-128s", CAN_SIGN) \
    X(SLH_DSA_128F, 9, SIG, CM_SIG_SLHDSA_SHA2_128F, "SLH-DSA-SHA2-128f", CAN_SIGN) \
    X(ED25519, 10, SIG, CM_SIG_ED25519, "Ed25519", CAN_SIGN)                        \
    X(P256, 11, SIG, CM_SIG_P256, "P-256", CAN_SIGN)                                \
    X(P384, 12, SIG, CM_SIG_P384, "P-384", CAN_SIGN)                                \
    X(SECP256K1, 13, SIG, CM_SIG_SECP256K1, "secp256k1", CAN_SIGN)                  \
    X(DUAL_65, 14, SIG, CM_SIG_DUAL65, "ML-DSA-65+Ed25519", CAN_SIGN)               \
    X(DUAL_87, 15, SIG, CM_SIG_DUAL87, "ML-DSA-87+Ed25519", CAN_SIGN)               \
    X(RSA_2048, 16, RSA, 2048, "RSA-2048", CAN_SIGN)                                \
    X(RSA_4096, 17, RSA, 4096, "RSA-4096", CAN_SIGN)                                \
    X(AES_256, 18, AES, 256, "AES-256", CAN_ENCRYPT)                                \
    X(HMAC_SHA256, 19, HMAC, CM_SHA256, "HMAC-SHA256", CAN_MAC)                     \
    X(BLS12_381, 20, BLS, 0, "BLS12-381", CAN_SIGN)                                 \
    X(FROST_ED25519, 21, FROST, 0, "FROST-Ed25519", CAN_THRESHOLD)                  \
    X(FROST_SECP256K1, 22, FROST, 1, "FROST-secp256k1", CAN_THRESHOLD)

#define CM_KEY_TYPE_ENUM(name, n, family, alg, text, can) CM_KEY_##name = n,
typedef enum { CM_KEY_TYPES(CM_KEY_TYPE_ENUM) CM_KEY_TYPE_END } cm_key_type;
#undef CM_KEY_TYPE_ENUM

typedef enum {
    CM_FAMILY_KEM,
    CM_FAMILY_SIG,
    CM_FAMILY_RSA,
    CM_FAMILY_AES,
    CM_FAMILY_HMAC,
    CM_FAMILY_BLS,
    CM_FAMILY_FROST
} cm_key_family;
enum { CAN_KEM = 1, CAN_SIGN = 2, CAN_ENCRYPT = 4, CAN_MAC = 8, CAN_THRESHOLD = 16 };

typedef struct {
    cm_key_type type;
    cm_key_family family;
    uint32_t algorithm;
    const char *name;
    unsigned can;
    bool post_quantum;
} cm_key_type_info;

/** Static; NULL for an unknown number or name. */
const cm_key_type_info *cm_key_type_of(uint32_t type);
const cm_key_type_info *cm_key_type_by_name(cm_view name);

/* NIST SP 800-57 part 1, section 7. */
typedef enum {
    CM_STATE_PRE_ACTIVE = 1,
    CM_STATE_ACTIVE = 2,
    CM_STATE_SUSPENDED = 3,
    CM_STATE_DEACTIVATED = 4, /* verifies, decrypts */
    CM_STATE_COMPROMISED = 5, /* verifies, decrypts where the policy says so */
    CM_STATE_PENDING_DESTRUCTION = 6,
    CM_STATE_DESTROYED = 7,
} cm_key_state;
const char *cm_key_state_name(cm_key_state s);

/** Whether a version in this state may do this; KEY_STATE with the state's meaning otherwise. */
enum {
    CM_USE_PROTECT = 1 /* sign, encrypt, encapsulate */,
    CM_USE_PROCESS = 2 /* verify, decrypt */
};
CM_MUST cm_err cm_key_state_allows(cm_key_state s, unsigned use);
/** Whether a key may go from one state to another; KEY_TRANSITION. */
CM_MUST cm_err cm_key_state_move(cm_key_state from, cm_key_state to);

#endif
