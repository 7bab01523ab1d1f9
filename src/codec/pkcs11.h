#ifndef CM_CODEC_PKCS11_H
#define CM_CODEC_PKCS11_H
/*
 * PKCS#11 2.40 to 3.2 as C sees it, written from the OASIS texts: all functions, and the types and
 * numbers that Casemate uses. Names are theirs, so that a reader finds them there. Natural
 * alignment: Unix.
 */
#include <stddef.h>

typedef unsigned char CK_BYTE;
typedef CK_BYTE CK_BBOOL;
typedef CK_BYTE CK_UTF8CHAR;
typedef unsigned long CK_ULONG;
typedef CK_ULONG CK_RV, CK_FLAGS, CK_SLOT_ID, CK_SESSION_HANDLE, CK_OBJECT_HANDLE, CK_USER_TYPE,
    CK_STATE, CK_ATTRIBUTE_TYPE, CK_MECHANISM_TYPE, CK_OBJECT_CLASS, CK_KEY_TYPE;

#define CK_TRUE                    ((CK_BBOOL)1)
#define CK_FALSE                   ((CK_BBOOL)0)
#define CK_UNAVAILABLE_INFORMATION (~(CK_ULONG)0)
#define CK_EFFECTIVELY_INFINITE    ((CK_ULONG)0)

typedef struct {
    CK_BYTE major, minor;
} CK_VERSION;

typedef struct {
    CK_VERSION cryptokiVersion;
    CK_UTF8CHAR manufacturerID[32];
    CK_FLAGS flags;
    CK_UTF8CHAR libraryDescription[32];
    CK_VERSION libraryVersion;
} CK_INFO;

typedef struct {
    CK_UTF8CHAR slotDescription[64], manufacturerID[32];
    CK_FLAGS flags;
    CK_VERSION hardwareVersion, firmwareVersion;
} CK_SLOT_INFO;

typedef struct {
    CK_UTF8CHAR label[32], manufacturerID[32], model[16], serialNumber[16];
    CK_FLAGS flags;
    CK_ULONG ulMaxSessionCount, ulSessionCount, ulMaxRwSessionCount, ulRwSessionCount;
    CK_ULONG ulMaxPinLen, ulMinPinLen;
    CK_ULONG ulTotalPublicMemory, ulFreePublicMemory, ulTotalPrivateMemory, ulFreePrivateMemory;
    CK_VERSION hardwareVersion, firmwareVersion;
    CK_BYTE utcTime[16];
} CK_TOKEN_INFO;

typedef struct {
    CK_SLOT_ID slotID;
    CK_STATE state;
    CK_FLAGS flags;
    CK_ULONG ulDeviceError;
} CK_SESSION_INFO;

typedef struct {
    CK_ATTRIBUTE_TYPE type;
    void *pValue;
    CK_ULONG ulValueLen;
} CK_ATTRIBUTE;

typedef struct {
    CK_MECHANISM_TYPE mechanism;
    void *pParameter;
    CK_ULONG ulParameterLen;
} CK_MECHANISM;

typedef struct {
    CK_ULONG ulMinKeySize, ulMaxKeySize;
    CK_FLAGS flags;
} CK_MECHANISM_INFO;

typedef CK_RV (*CK_NOTIFY)(CK_SESSION_HANDLE, CK_ULONG, void *);

typedef struct {
    CK_RV (*CreateMutex)(void **);
    CK_RV (*DestroyMutex)(void *);
    CK_RV (*LockMutex)(void *);
    CK_RV (*UnlockMutex)(void *);
    CK_FLAGS flags;
    void *pReserved;
} CK_C_INITIALIZE_ARGS;

typedef struct {
    CK_UTF8CHAR *pInterfaceName;
    void *pFunctionList;
    CK_FLAGS flags;
} CK_INTERFACE;

typedef struct {
    CK_ULONG ulVersion;
    CK_BYTE *pValue;
    CK_ULONG ulValue;
    CK_OBJECT_HANDLE hObject, hAdditionalObject;
} CK_ASYNC_DATA;

/* ---- parameters of mechanisms ---- */

typedef struct {
    CK_BYTE *pIv;
    CK_ULONG ulIvLen, ulIvBits;
    CK_BYTE *pAAD;
    CK_ULONG ulAADLen, ulTagBits;
} CK_GCM_PARAMS;

typedef struct {
    CK_MECHANISM_TYPE hashAlg;
    CK_ULONG mgf, sLen;
} CK_RSA_PKCS_PSS_PARAMS;

typedef struct {
    CK_MECHANISM_TYPE hashAlg;
    CK_ULONG mgf, source;
    void *pSourceData;
    CK_ULONG ulSourceDataLen;
} CK_RSA_PKCS_OAEP_PARAMS;

typedef struct {
    CK_BBOOL phFlag;
    CK_ULONG ulContextDataLen;
    CK_BYTE *pContextData;
} CK_EDDSA_PARAMS;

typedef struct {
    CK_ULONG hedgeVariant;
    CK_BYTE *pContext;
    CK_ULONG ulContextLen;
} CK_SIGN_ADDITIONAL_CONTEXT;

/* ---- functions, in the order of their tables ---- */
/* clang-format off */

#define CK_FUNCTIONS_2_40(X) \
    X(C_Initialize, (void *args)) \
    X(C_Finalize, (void *reserved)) \
    X(C_GetInfo, (CK_INFO *info)) \
    X(C_GetFunctionList, (CK_FUNCTION_LIST **list)) \
    X(C_GetSlotList, (CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *count)) \
    X(C_GetSlotInfo, (CK_SLOT_ID slot, CK_SLOT_INFO *info)) \
    X(C_GetTokenInfo, (CK_SLOT_ID slot, CK_TOKEN_INFO *info)) \
    X(C_GetMechanismList, (CK_SLOT_ID slot, CK_MECHANISM_TYPE *list, CK_ULONG *count)) \
    X(C_GetMechanismInfo, (CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)) \
    X(C_InitToken, (CK_SLOT_ID slot, CK_UTF8CHAR *pin, CK_ULONG pin_n, CK_UTF8CHAR *label)) \
    X(C_InitPIN, (CK_SESSION_HANDLE session, CK_UTF8CHAR *pin, CK_ULONG pin_n)) \
    X(C_SetPIN, (CK_SESSION_HANDLE session, CK_UTF8CHAR *old, CK_ULONG old_n, CK_UTF8CHAR *pin, CK_ULONG pin_n)) \
    X(C_OpenSession, (CK_SLOT_ID slot, CK_FLAGS flags, void *app, CK_NOTIFY notify, CK_SESSION_HANDLE *session)) \
    X(C_CloseSession, (CK_SESSION_HANDLE session)) \
    X(C_CloseAllSessions, (CK_SLOT_ID slot)) \
    X(C_GetSessionInfo, (CK_SESSION_HANDLE session, CK_SESSION_INFO *info)) \
    X(C_GetOperationState, (CK_SESSION_HANDLE session, CK_BYTE *state, CK_ULONG *state_n)) \
    X(C_SetOperationState, (CK_SESSION_HANDLE session, CK_BYTE *state, CK_ULONG state_n, CK_OBJECT_HANDLE cipher_key, CK_OBJECT_HANDLE auth_key)) \
    X(C_Login, (CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG pin_n)) \
    X(C_Logout, (CK_SESSION_HANDLE session)) \
    X(C_CreateObject, (CK_SESSION_HANDLE session, CK_ATTRIBUTE *a, CK_ULONG n, CK_OBJECT_HANDLE *object)) \
    X(C_CopyObject, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE from, CK_ATTRIBUTE *a, CK_ULONG n, CK_OBJECT_HANDLE *object)) \
    X(C_DestroyObject, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)) \
    X(C_GetObjectSize, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ULONG *size)) \
    X(C_GetAttributeValue, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *a, CK_ULONG n)) \
    X(C_SetAttributeValue, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *a, CK_ULONG n)) \
    X(C_FindObjectsInit, (CK_SESSION_HANDLE session, CK_ATTRIBUTE *a, CK_ULONG n)) \
    X(C_FindObjects, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG max, CK_ULONG *count)) \
    X(C_FindObjectsFinal, (CK_SESSION_HANDLE session)) \
    X(C_EncryptInit, (CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_OBJECT_HANDLE key)) \
    X(C_Encrypt, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n, CK_BYTE *out, CK_ULONG *out_n)) \
    X(C_EncryptUpdate, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n, CK_BYTE *out, CK_ULONG *out_n)) \
    X(C_EncryptFinal, (CK_SESSION_HANDLE session, CK_BYTE *out, CK_ULONG *out_n)) \
    X(C_DecryptInit, (CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_OBJECT_HANDLE key)) \
    X(C_Decrypt, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n, CK_BYTE *out, CK_ULONG *out_n)) \
    X(C_DecryptUpdate, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n, CK_BYTE *out, CK_ULONG *out_n)) \
    X(C_DecryptFinal, (CK_SESSION_HANDLE session, CK_BYTE *out, CK_ULONG *out_n)) \
    X(C_DigestInit, (CK_SESSION_HANDLE session, CK_MECHANISM *m)) \
    X(C_Digest, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n, CK_BYTE *out, CK_ULONG *out_n)) \
    X(C_DigestUpdate, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n)) \
    X(C_DigestKey, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)) \
    X(C_DigestFinal, (CK_SESSION_HANDLE session, CK_BYTE *out, CK_ULONG *out_n)) \
    X(C_SignInit, (CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_OBJECT_HANDLE key)) \
    X(C_Sign, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n, CK_BYTE *out, CK_ULONG *out_n)) \
    X(C_SignUpdate, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n)) \
    X(C_SignFinal, (CK_SESSION_HANDLE session, CK_BYTE *out, CK_ULONG *out_n)) \
    X(C_SignRecoverInit, (CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_OBJECT_HANDLE key)) \
    X(C_SignRecover, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n, CK_BYTE *out, CK_ULONG *out_n)) \
    X(C_VerifyInit, (CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_OBJECT_HANDLE key)) \
    X(C_Verify, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n, CK_BYTE *sig, CK_ULONG sig_n)) \
    X(C_VerifyUpdate, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n)) \
    X(C_VerifyFinal, (CK_SESSION_HANDLE session, CK_BYTE *sig, CK_ULONG sig_n)) \
    X(C_VerifyRecoverInit, (CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_OBJECT_HANDLE key)) \
    X(C_VerifyRecover, (CK_SESSION_HANDLE session, CK_BYTE *sig, CK_ULONG sig_n, CK_BYTE *out, CK_ULONG *out_n)) \
    X(C_DigestEncryptUpdate, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n, CK_BYTE *out, CK_ULONG *out_n)) \
    X(C_DecryptDigestUpdate, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n, CK_BYTE *out, CK_ULONG *out_n)) \
    X(C_SignEncryptUpdate, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n, CK_BYTE *out, CK_ULONG *out_n)) \
    X(C_DecryptVerifyUpdate, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n, CK_BYTE *out, CK_ULONG *out_n)) \
    X(C_GenerateKey, (CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_ATTRIBUTE *a, CK_ULONG n, CK_OBJECT_HANDLE *key)) \
    X(C_GenerateKeyPair, (CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_ATTRIBUTE *pub, CK_ULONG pub_n, CK_ATTRIBUTE *priv, CK_ULONG priv_n, CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key)) \
    X(C_WrapKey, (CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_OBJECT_HANDLE with, CK_OBJECT_HANDLE key, CK_BYTE *out, CK_ULONG *out_n)) \
    X(C_UnwrapKey, (CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_OBJECT_HANDLE with, CK_BYTE *data, CK_ULONG data_n, CK_ATTRIBUTE *a, CK_ULONG n, CK_OBJECT_HANDLE *key)) \
    X(C_DeriveKey, (CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_OBJECT_HANDLE base, CK_ATTRIBUTE *a, CK_ULONG n, CK_OBJECT_HANDLE *key)) \
    X(C_SeedRandom, (CK_SESSION_HANDLE session, CK_BYTE *seed, CK_ULONG seed_n)) \
    X(C_GenerateRandom, (CK_SESSION_HANDLE session, CK_BYTE *out, CK_ULONG out_n)) \
    X(C_GetFunctionStatus, (CK_SESSION_HANDLE session)) \
    X(C_CancelFunction, (CK_SESSION_HANDLE session)) \
    X(C_WaitForSlotEvent, (CK_FLAGS flags, CK_SLOT_ID *slot, void *reserved))

#define CK_FUNCTIONS_3_0(X) \
    X(C_GetInterfaceList, (CK_INTERFACE *list, CK_ULONG *count)) \
    X(C_GetInterface, (CK_UTF8CHAR *name, CK_VERSION *version, CK_INTERFACE **out, CK_FLAGS flags)) \
    X(C_LoginUser, (CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG pin_n, CK_UTF8CHAR *name, CK_ULONG name_n)) \
    X(C_SessionCancel, (CK_SESSION_HANDLE session, CK_FLAGS flags)) \
    X(C_MessageEncryptInit, (CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_OBJECT_HANDLE key)) \
    X(C_EncryptMessage, (CK_SESSION_HANDLE session, void *p, CK_ULONG p_n, CK_BYTE *aad, CK_ULONG aad_n, CK_BYTE *data, CK_ULONG data_n, CK_BYTE *out, CK_ULONG *out_n)) \
    X(C_EncryptMessageBegin, (CK_SESSION_HANDLE session, void *p, CK_ULONG p_n, CK_BYTE *aad, CK_ULONG aad_n)) \
    X(C_EncryptMessageNext, (CK_SESSION_HANDLE session, void *p, CK_ULONG p_n, CK_BYTE *data, CK_ULONG data_n, CK_BYTE *out, CK_ULONG *out_n, CK_FLAGS flags)) \
    X(C_MessageEncryptFinal, (CK_SESSION_HANDLE session)) \
    X(C_MessageDecryptInit, (CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_OBJECT_HANDLE key)) \
    X(C_DecryptMessage, (CK_SESSION_HANDLE session, void *p, CK_ULONG p_n, CK_BYTE *aad, CK_ULONG aad_n, CK_BYTE *data, CK_ULONG data_n, CK_BYTE *out, CK_ULONG *out_n)) \
    X(C_DecryptMessageBegin, (CK_SESSION_HANDLE session, void *p, CK_ULONG p_n, CK_BYTE *aad, CK_ULONG aad_n)) \
    X(C_DecryptMessageNext, (CK_SESSION_HANDLE session, void *p, CK_ULONG p_n, CK_BYTE *data, CK_ULONG data_n, CK_BYTE *out, CK_ULONG *out_n, CK_FLAGS flags)) \
    X(C_MessageDecryptFinal, (CK_SESSION_HANDLE session)) \
    X(C_MessageSignInit, (CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_OBJECT_HANDLE key)) \
    X(C_SignMessage, (CK_SESSION_HANDLE session, void *p, CK_ULONG p_n, CK_BYTE *data, CK_ULONG data_n, CK_BYTE *out, CK_ULONG *out_n)) \
    X(C_SignMessageBegin, (CK_SESSION_HANDLE session, void *p, CK_ULONG p_n)) \
    X(C_SignMessageNext, (CK_SESSION_HANDLE session, void *p, CK_ULONG p_n, CK_BYTE *data, CK_ULONG data_n, CK_BYTE *out, CK_ULONG *out_n)) \
    X(C_MessageSignFinal, (CK_SESSION_HANDLE session)) \
    X(C_MessageVerifyInit, (CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_OBJECT_HANDLE key)) \
    X(C_VerifyMessage, (CK_SESSION_HANDLE session, void *p, CK_ULONG p_n, CK_BYTE *data, CK_ULONG data_n, CK_BYTE *sig, CK_ULONG sig_n)) \
    X(C_VerifyMessageBegin, (CK_SESSION_HANDLE session, void *p, CK_ULONG p_n)) \
    X(C_VerifyMessageNext, (CK_SESSION_HANDLE session, void *p, CK_ULONG p_n, CK_BYTE *data, CK_ULONG data_n, CK_BYTE *sig, CK_ULONG sig_n)) \
    X(C_MessageVerifyFinal, (CK_SESSION_HANDLE session))

#define CK_FUNCTIONS_3_2(X) \
    X(C_EncapsulateKey, (CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_OBJECT_HANDLE to, CK_ATTRIBUTE *a, CK_ULONG n, CK_BYTE *out, CK_ULONG *out_n, CK_OBJECT_HANDLE *key)) \
    X(C_DecapsulateKey, (CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_OBJECT_HANDLE with, CK_ATTRIBUTE *a, CK_ULONG n, CK_BYTE *data, CK_ULONG data_n, CK_OBJECT_HANDLE *key)) \
    X(C_VerifySignatureInit, (CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_OBJECT_HANDLE key, CK_BYTE *sig, CK_ULONG sig_n)) \
    X(C_VerifySignature, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n)) \
    X(C_VerifySignatureUpdate, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n)) \
    X(C_VerifySignatureFinal, (CK_SESSION_HANDLE session)) \
    X(C_GetSessionValidationFlags, (CK_SESSION_HANDLE session, CK_ULONG type, CK_FLAGS *flags)) \
    X(C_AsyncComplete, (CK_SESSION_HANDLE session, CK_UTF8CHAR *function, CK_ASYNC_DATA *result)) \
    X(C_AsyncGetID, (CK_SESSION_HANDLE session, CK_UTF8CHAR *function, CK_ULONG *id)) \
    X(C_AsyncJoin, (CK_SESSION_HANDLE session, CK_UTF8CHAR *function, CK_ULONG id, CK_BYTE *data, CK_ULONG data_n)) \
    X(C_WrapKeyAuthenticated, (CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_OBJECT_HANDLE with, CK_OBJECT_HANDLE key, CK_BYTE *aad, CK_ULONG aad_n, CK_BYTE *out, CK_ULONG *out_n)) \
    X(C_UnwrapKeyAuthenticated, (CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_OBJECT_HANDLE with, CK_BYTE *data, CK_ULONG data_n, CK_ATTRIBUTE *a, CK_ULONG n, CK_BYTE *aad, CK_ULONG aad_n, CK_OBJECT_HANDLE *key))

/* clang-format on */

typedef struct CK_FUNCTION_LIST CK_FUNCTION_LIST;
#define CK_MEMBER(name, params) CK_RV(*name) params;
struct CK_FUNCTION_LIST {
    CK_VERSION version;
    CK_FUNCTIONS_2_40(CK_MEMBER)
};
typedef struct {
    CK_VERSION version;
    CK_FUNCTIONS_2_40(CK_MEMBER)
    CK_FUNCTIONS_3_0(CK_MEMBER)
} CK_FUNCTION_LIST_3_0;
typedef struct {
    CK_VERSION version;
    CK_FUNCTIONS_2_40(CK_MEMBER)
    CK_FUNCTIONS_3_0(CK_MEMBER)
    CK_FUNCTIONS_3_2(CK_MEMBER)
} CK_FUNCTION_LIST_3_2;
#undef CK_MEMBER

typedef CK_RV ck_get_function_list(CK_FUNCTION_LIST **);
typedef CK_RV ck_get_interface(CK_UTF8CHAR *, CK_VERSION *, CK_INTERFACE **, CK_FLAGS);

/* ---- numbers ---- */

enum {
    CKR_OK = 0x0,
    CKR_HOST_MEMORY = 0x2,
    CKR_SLOT_ID_INVALID = 0x3,
    CKR_GENERAL_ERROR = 0x5,
    CKR_FUNCTION_FAILED = 0x6,
    CKR_ARGUMENTS_BAD = 0x7,
    CKR_NO_EVENT = 0x8,
    CKR_NEED_TO_CREATE_THREADS = 0x9,
    CKR_CANT_LOCK = 0xa,
    CKR_ATTRIBUTE_READ_ONLY = 0x10,
    CKR_ATTRIBUTE_SENSITIVE = 0x11,
    CKR_ATTRIBUTE_TYPE_INVALID = 0x12,
    CKR_ATTRIBUTE_VALUE_INVALID = 0x13,
    CKR_ACTION_PROHIBITED = 0x1b,
    CKR_DATA_INVALID = 0x20,
    CKR_DATA_LEN_RANGE = 0x21,
    CKR_DEVICE_ERROR = 0x30,
    CKR_DEVICE_MEMORY = 0x31,
    CKR_DEVICE_REMOVED = 0x32,
    CKR_ENCRYPTED_DATA_INVALID = 0x40,
    CKR_ENCRYPTED_DATA_LEN_RANGE = 0x41,
    CKR_AEAD_DECRYPT_FAILED = 0x42,
    CKR_FUNCTION_NOT_PARALLEL = 0x51,
    CKR_FUNCTION_NOT_SUPPORTED = 0x54,
    CKR_KEY_HANDLE_INVALID = 0x60,
    CKR_KEY_SIZE_RANGE = 0x62,
    CKR_KEY_TYPE_INCONSISTENT = 0x63,
    CKR_KEY_FUNCTION_NOT_PERMITTED = 0x68,
    CKR_MECHANISM_INVALID = 0x70,
    CKR_MECHANISM_PARAM_INVALID = 0x71,
    CKR_OBJECT_HANDLE_INVALID = 0x82,
    CKR_OPERATION_ACTIVE = 0x90,
    CKR_OPERATION_NOT_INITIALIZED = 0x91,
    CKR_PIN_INCORRECT = 0xa0,
    CKR_PIN_INVALID = 0xa1,
    CKR_PIN_LEN_RANGE = 0xa2,
    CKR_PIN_EXPIRED = 0xa3,
    CKR_PIN_LOCKED = 0xa4,
    CKR_SESSION_CLOSED = 0xb0,
    CKR_SESSION_COUNT = 0xb1,
    CKR_SESSION_HANDLE_INVALID = 0xb3,
    CKR_SESSION_PARALLEL_NOT_SUPPORTED = 0xb4,
    CKR_SESSION_READ_ONLY = 0xb5,
    CKR_SIGNATURE_INVALID = 0xc0,
    CKR_SIGNATURE_LEN_RANGE = 0xc1,
    CKR_TEMPLATE_INCOMPLETE = 0xd0,
    CKR_TEMPLATE_INCONSISTENT = 0xd1,
    CKR_TOKEN_NOT_PRESENT = 0xe0,
    CKR_TOKEN_NOT_RECOGNIZED = 0xe1,
    CKR_USER_ALREADY_LOGGED_IN = 0x100,
    CKR_USER_NOT_LOGGED_IN = 0x101,
    CKR_USER_TYPE_INVALID = 0x103,
    CKR_RANDOM_SEED_NOT_SUPPORTED = 0x120,
    CKR_DOMAIN_PARAMS_INVALID = 0x130,
    CKR_CURVE_NOT_SUPPORTED = 0x140,
    CKR_BUFFER_TOO_SMALL = 0x150,
    CKR_CRYPTOKI_NOT_INITIALIZED = 0x190,
    CKR_CRYPTOKI_ALREADY_INITIALIZED = 0x191,
    CKR_FUNCTION_REJECTED = 0x200,
    CKR_TOKEN_RESOURCE_EXCEEDED = 0x201,
    CKR_PARAMETER_SET_NOT_SUPPORTED = 0x209,

    CKF_LIBRARY_CANT_CREATE_OS_THREADS = 0x1,
    CKF_OS_LOCKING_OK = 0x2,
    CKF_DONT_BLOCK = 0x1,
    CKF_TOKEN_PRESENT = 0x1,
    CKF_RW_SESSION = 0x2,
    CKF_SERIAL_SESSION = 0x4,
    CKF_RNG = 0x1,
    CKF_LOGIN_REQUIRED = 0x4,
    CKF_USER_PIN_INITIALIZED = 0x8,
    CKF_PROTECTED_AUTHENTICATION_PATH = 0x100,
    CKF_TOKEN_INITIALIZED = 0x400,
    CKF_USER_PIN_COUNT_LOW = 0x10000,
    CKF_USER_PIN_FINAL_TRY = 0x20000,
    CKF_USER_PIN_LOCKED = 0x40000,

    CKF_FIND_OBJECTS = 0x40,
    CKF_ENCRYPT = 0x100,
    CKF_DECRYPT = 0x200,
    CKF_DIGEST = 0x400,
    CKF_SIGN = 0x800,
    CKF_VERIFY = 0x2000,
    CKF_GENERATE = 0x8000,
    CKF_GENERATE_KEY_PAIR = 0x10000,
    CKF_EC_F_P = 0x100000,
    CKF_EC_OID = 0x800000,
    CKF_EC_UNCOMPRESS = 0x1000000,
    CKF_ENCAPSULATE = 0x10000000,
    CKF_DECAPSULATE = 0x20000000,

    CKU_SO = 0,
    CKU_USER = 1,
    CKU_CONTEXT_SPECIFIC = 2,

    CKS_RO_PUBLIC_SESSION = 0,
    CKS_RO_USER_FUNCTIONS = 1,
    CKS_RW_PUBLIC_SESSION = 2,
    CKS_RW_USER_FUNCTIONS = 3,

    CKO_PUBLIC_KEY = 2,
    CKO_PRIVATE_KEY = 3,
    CKO_SECRET_KEY = 4,

    CKK_RSA = 0x0,
    CKK_EC = 0x3,
    CKK_GENERIC_SECRET = 0x10,
    CKK_AES = 0x1f,
    CKK_SHA256_HMAC = 0x2b,
    CKK_EC_EDWARDS = 0x40,
    CKK_ML_KEM = 0x49,
    CKK_ML_DSA = 0x4a,
    CKK_SLH_DSA = 0x4b,

    CKA_CLASS = 0x0,
    CKA_TOKEN = 0x1,
    CKA_PRIVATE = 0x2,
    CKA_LABEL = 0x3,
    CKA_UNIQUE_ID = 0x4,
    CKA_VALUE = 0x11,
    CKA_KEY_TYPE = 0x100,
    CKA_SUBJECT = 0x101,
    CKA_ID = 0x102,
    CKA_SENSITIVE = 0x103,
    CKA_ENCRYPT = 0x104,
    CKA_DECRYPT = 0x105,
    CKA_WRAP = 0x106,
    CKA_UNWRAP = 0x107,
    CKA_SIGN = 0x108,
    CKA_SIGN_RECOVER = 0x109,
    CKA_VERIFY = 0x10a,
    CKA_VERIFY_RECOVER = 0x10b,
    CKA_DERIVE = 0x10c,
    CKA_MODULUS = 0x120,
    CKA_MODULUS_BITS = 0x121,
    CKA_PUBLIC_EXPONENT = 0x122,
    CKA_PUBLIC_KEY_INFO = 0x129,
    CKA_VALUE_LEN = 0x161,
    CKA_EXTRACTABLE = 0x162,
    CKA_LOCAL = 0x163,
    CKA_NEVER_EXTRACTABLE = 0x164,
    CKA_ALWAYS_SENSITIVE = 0x165,
    CKA_MODIFIABLE = 0x170,
    CKA_COPYABLE = 0x171,
    CKA_DESTROYABLE = 0x172,
    CKA_EC_PARAMS = 0x180,
    CKA_EC_POINT = 0x181,
    CKA_ALWAYS_AUTHENTICATE = 0x202,
    CKA_PARAMETER_SET = 0x61d,
    CKA_ENCAPSULATE = 0x633,
    CKA_DECAPSULATE = 0x634,

    CKM_RSA_PKCS_KEY_PAIR_GEN = 0x0,
    CKM_RSA_PKCS = 0x1,
    CKM_RSA_X_509 = 0x3,
    CKM_RSA_PKCS_OAEP = 0x9,
    CKM_RSA_PKCS_PSS = 0xd,
    CKM_ML_KEM_KEY_PAIR_GEN = 0xf,
    CKM_ML_KEM = 0x17,
    CKM_ML_DSA_KEY_PAIR_GEN = 0x1c,
    CKM_ML_DSA = 0x1d,
    CKM_SLH_DSA_KEY_PAIR_GEN = 0x2d,
    CKM_SLH_DSA = 0x2e,
    CKM_SHA256_RSA_PKCS = 0x40,
    CKM_SHA256_RSA_PKCS_PSS = 0x43,
    CKM_SHA256 = 0x250,
    CKM_SHA256_HMAC = 0x251,
    CKM_SHA384 = 0x260,
    CKM_SHA512 = 0x270,
    CKM_EC_KEY_PAIR_GEN = 0x1040,
    CKM_ECDSA = 0x1041,
    CKM_ECDSA_SHA256 = 0x1044,
    CKM_ECDSA_SHA384 = 0x1045,
    CKM_ECDSA_SHA512 = 0x1046,
    CKM_EC_EDWARDS_KEY_PAIR_GEN = 0x1055,
    CKM_EDDSA = 0x1057,
    CKM_AES_KEY_GEN = 0x1080,
    CKM_AES_CBC = 0x1082,
    CKM_AES_GCM = 0x1087,

    CKG_MGF1_SHA256 = 2,
    CKZ_DATA_SPECIFIED = 1,
    CKH_HEDGE_PREFERRED = 0,
    CKH_HEDGE_REQUIRED = 1,
    CKP_ML_DSA_44 = 1,
    CKP_ML_DSA_65 = 2,
    CKP_ML_DSA_87 = 3,
    CKP_ML_KEM_512 = 1,
    CKP_ML_KEM_768 = 2,
    CKP_ML_KEM_1024 = 3,
    CKP_SLH_DSA_SHA2_128S = 1,
    CKP_SLH_DSA_SHA2_128F = 3,
};

#endif
