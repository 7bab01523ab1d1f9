#ifndef CM_HSM_PKCS11_INT_H
#define CM_HSM_PKCS11_INT_H
/*
 * What we use of PKCS#11 2.40 to 3.2, written from the OASIS texts. Names are theirs, so that a
 * reader finds them there. Natural alignment: Unix.
 */
#include <stddef.h>

typedef unsigned long CK_ULONG;
typedef unsigned char CK_BYTE;
typedef CK_BYTE CK_BBOOL;
typedef CK_ULONG CK_RV, CK_FLAGS, CK_SLOT_ID, CK_SESSION_HANDLE, CK_OBJECT_HANDLE;

typedef struct {
    CK_BYTE major, minor;
} CK_VERSION;

typedef struct {
    CK_VERSION cryptokiVersion;
    CK_BYTE manufacturerID[32];
    CK_FLAGS flags;
    CK_BYTE libraryDescription[32];
    CK_VERSION libraryVersion;
} CK_INFO;

typedef struct {
    CK_BYTE label[32], manufacturerID[32], model[16], serialNumber[16];
    CK_FLAGS flags;
    CK_ULONG ulMaxSessionCount, ulSessionCount, ulMaxRwSessionCount, ulRwSessionCount;
    CK_ULONG ulMaxPinLen, ulMinPinLen;
    CK_ULONG ulTotalPublicMemory, ulFreePublicMemory, ulTotalPrivateMemory, ulFreePrivateMemory;
    CK_VERSION hardwareVersion, firmwareVersion;
    CK_BYTE utcTime[16];
} CK_TOKEN_INFO;

typedef struct {
    CK_ULONG type;
    void *pValue;
    CK_ULONG ulValueLen;
} CK_ATTRIBUTE;

typedef struct {
    CK_ULONG mechanism;
    void *pParameter;
    CK_ULONG ulParameterLen;
} CK_MECHANISM;

typedef struct {
    CK_BYTE *pIv;
    CK_ULONG ulIvLen, ulIvBits;
    CK_BYTE *pAAD;
    CK_ULONG ulAADLen, ulTagBits;
} CK_GCM_PARAMS;

typedef struct {
    void *createMutex, *destroyMutex, *lockMutex, *unlockMutex;
    CK_FLAGS flags;
    void *pReserved; /* softokn: its configuration string */
} CK_C_INITIALIZE_ARGS;

typedef CK_RV ck_unused(void);

/* The order is the standard's; what is not called here has no type. */
typedef struct {
    CK_VERSION version;
    CK_RV (*C_Initialize)(void *);
    CK_RV (*C_Finalize)(void *);
    CK_RV (*C_GetInfo)(CK_INFO *);
    ck_unused *C_GetFunctionList;
    CK_RV (*C_GetSlotList)(CK_BBOOL, CK_SLOT_ID *, CK_ULONG *);
    ck_unused *C_GetSlotInfo;
    CK_RV (*C_GetTokenInfo)(CK_SLOT_ID, CK_TOKEN_INFO *);
    ck_unused *C_GetMechanismList, *C_GetMechanismInfo;
    CK_RV (*C_InitToken)(CK_SLOT_ID, CK_BYTE *, CK_ULONG, CK_BYTE *);
    CK_RV (*C_InitPIN)(CK_SESSION_HANDLE, CK_BYTE *, CK_ULONG);
    ck_unused *C_SetPIN;
    CK_RV (*C_OpenSession)(CK_SLOT_ID, CK_FLAGS, void *, void *, CK_SESSION_HANDLE *);
    CK_RV (*C_CloseSession)(CK_SESSION_HANDLE);
    CK_RV (*C_CloseAllSessions)(CK_SLOT_ID);
    ck_unused *C_GetSessionInfo, *C_GetOperationState, *C_SetOperationState;
    CK_RV (*C_Login)(CK_SESSION_HANDLE, CK_ULONG, CK_BYTE *, CK_ULONG);
    ck_unused *C_Logout, *C_CreateObject, *C_CopyObject;
    CK_RV (*C_DestroyObject)(CK_SESSION_HANDLE, CK_OBJECT_HANDLE);
    ck_unused *C_GetObjectSize;
    CK_RV (*C_GetAttributeValue)(CK_SESSION_HANDLE, CK_OBJECT_HANDLE, CK_ATTRIBUTE *, CK_ULONG);
    ck_unused *C_SetAttributeValue;
    CK_RV (*C_FindObjectsInit)(CK_SESSION_HANDLE, CK_ATTRIBUTE *, CK_ULONG);
    CK_RV (*C_FindObjects)(CK_SESSION_HANDLE, CK_OBJECT_HANDLE *, CK_ULONG, CK_ULONG *);
    CK_RV (*C_FindObjectsFinal)(CK_SESSION_HANDLE);
    CK_RV (*C_EncryptInit)(CK_SESSION_HANDLE, CK_MECHANISM *, CK_OBJECT_HANDLE);
    CK_RV (*C_Encrypt)(CK_SESSION_HANDLE, CK_BYTE *, CK_ULONG, CK_BYTE *, CK_ULONG *);
    ck_unused *C_EncryptUpdate, *C_EncryptFinal;
    CK_RV (*C_DecryptInit)(CK_SESSION_HANDLE, CK_MECHANISM *, CK_OBJECT_HANDLE);
    CK_RV (*C_Decrypt)(CK_SESSION_HANDLE, CK_BYTE *, CK_ULONG, CK_BYTE *, CK_ULONG *);
    ck_unused *C_DecryptUpdate, *C_DecryptFinal;
    ck_unused *C_DigestInit, *C_Digest, *C_DigestUpdate, *C_DigestKey, *C_DigestFinal;
    CK_RV (*C_SignInit)(CK_SESSION_HANDLE, CK_MECHANISM *, CK_OBJECT_HANDLE);
    CK_RV (*C_Sign)(CK_SESSION_HANDLE, CK_BYTE *, CK_ULONG, CK_BYTE *, CK_ULONG *);
    ck_unused *C_SignUpdate, *C_SignFinal, *C_SignRecoverInit, *C_SignRecover;
    ck_unused *C_VerifyInit, *C_Verify, *C_VerifyUpdate, *C_VerifyFinal;
    ck_unused *C_VerifyRecoverInit, *C_VerifyRecover;
    ck_unused *C_DigestEncryptUpdate, *C_DecryptDigestUpdate;
    ck_unused *C_SignEncryptUpdate, *C_DecryptVerifyUpdate;
    CK_RV(*C_GenerateKey)
    (CK_SESSION_HANDLE, CK_MECHANISM *, CK_ATTRIBUTE *, CK_ULONG, CK_OBJECT_HANDLE *);
    CK_RV(*C_GenerateKeyPair)
    (CK_SESSION_HANDLE, CK_MECHANISM *, CK_ATTRIBUTE *, CK_ULONG, CK_ATTRIBUTE *, CK_ULONG,
     CK_OBJECT_HANDLE *, CK_OBJECT_HANDLE *);
    ck_unused *C_WrapKey, *C_UnwrapKey, *C_DeriveKey, *C_SeedRandom;
    CK_RV (*C_GenerateRandom)(CK_SESSION_HANDLE, CK_BYTE *, CK_ULONG);
    ck_unused *C_GetFunctionStatus, *C_CancelFunction, *C_WaitForSlotEvent;
} CK_FUNCTION_LIST;

typedef struct {
    char *pInterfaceName;
    CK_FUNCTION_LIST *pFunctionList; /* of 3.0 and later: it begins like that of 2.40 */
    CK_FLAGS flags;
} CK_INTERFACE;

typedef CK_RV ck_get_function_list(CK_FUNCTION_LIST **);
typedef CK_RV ck_get_interface(CK_BYTE *, CK_VERSION *, CK_INTERFACE **, CK_FLAGS);

enum {
    CKR_OK = 0x0,
    CKR_HOST_MEMORY = 0x2,
    CKR_GENERAL_ERROR = 0x5,
    CKR_FUNCTION_FAILED = 0x6,
    CKR_ARGUMENTS_BAD = 0x7,
    CKR_CANT_LOCK = 0xa,
    CKR_ATTRIBUTE_TYPE_INVALID = 0x12,
    CKR_ATTRIBUTE_VALUE_INVALID = 0x13,
    CKR_DATA_INVALID = 0x20,
    CKR_DEVICE_ERROR = 0x30,
    CKR_DEVICE_MEMORY = 0x31,
    CKR_DEVICE_REMOVED = 0x32,
    CKR_ENCRYPTED_DATA_INVALID = 0x40,
    CKR_ENCRYPTED_DATA_LEN_RANGE = 0x41,
    CKR_AEAD_DECRYPT_FAILED = 0x42,
    CKR_FUNCTION_NOT_SUPPORTED = 0x54,
    CKR_KEY_HANDLE_INVALID = 0x60,
    CKR_KEY_SIZE_RANGE = 0x62,
    CKR_KEY_TYPE_INCONSISTENT = 0x63,
    CKR_MECHANISM_INVALID = 0x70,
    CKR_MECHANISM_PARAM_INVALID = 0x71,
    CKR_OBJECT_HANDLE_INVALID = 0x82,
    CKR_OPERATION_ACTIVE = 0x90,
    CKR_PIN_INCORRECT = 0xa0,
    CKR_PIN_INVALID = 0xa1,
    CKR_PIN_LEN_RANGE = 0xa2,
    CKR_PIN_EXPIRED = 0xa3,
    CKR_PIN_LOCKED = 0xa4,
    CKR_SESSION_CLOSED = 0xb0,
    CKR_SESSION_COUNT = 0xb1,
    CKR_SESSION_HANDLE_INVALID = 0xb3,
    CKR_SIGNATURE_INVALID = 0xc0,
    CKR_TEMPLATE_INCOMPLETE = 0xd0,
    CKR_TEMPLATE_INCONSISTENT = 0xd1,
    CKR_TOKEN_NOT_PRESENT = 0xe0,
    CKR_TOKEN_NOT_RECOGNIZED = 0xe1,
    CKR_USER_ALREADY_LOGGED_IN = 0x100,
    CKR_USER_NOT_LOGGED_IN = 0x101,
    CKR_DOMAIN_PARAMS_INVALID = 0x130,
    CKR_CURVE_NOT_SUPPORTED = 0x140,
    CKR_CRYPTOKI_NOT_INITIALIZED = 0x190,
    CKR_CRYPTOKI_ALREADY_INITIALIZED = 0x191,

    CKF_OS_LOCKING_OK = 0x2,
    CKF_RW_SESSION = 0x2,
    CKF_SERIAL_SESSION = 0x4,
    CKF_LOGIN_REQUIRED = 0x4,
    CKF_USER_PIN_INITIALIZED = 0x8,
    CKF_PROTECTED_AUTHENTICATION_PATH = 0x100,
    CKF_TOKEN_INITIALIZED = 0x400,
    CKF_USER_PIN_COUNT_LOW = 0x10000,
    CKF_USER_PIN_FINAL_TRY = 0x20000,
    CKF_USER_PIN_LOCKED = 0x40000,

    CKU_SO = 0,
    CKU_USER = 1,

    CKO_PUBLIC_KEY = 2,
    CKO_PRIVATE_KEY = 3,
    CKO_SECRET_KEY = 4,

    CKK_EC = 0x3,
    CKK_AES = 0x1f,
    CKK_EC_EDWARDS = 0x40,
    CKK_ML_DSA = 0x4a,

    CKA_CLASS = 0x0,
    CKA_TOKEN = 0x1,
    CKA_PRIVATE = 0x2,
    CKA_LABEL = 0x3,
    CKA_VALUE = 0x11,
    CKA_KEY_TYPE = 0x100,
    CKA_ID = 0x102,
    CKA_SENSITIVE = 0x103,
    CKA_ENCRYPT = 0x104,
    CKA_DECRYPT = 0x105,
    CKA_SIGN = 0x108,
    CKA_VERIFY = 0x10a,
    CKA_VALUE_LEN = 0x161,
    CKA_EXTRACTABLE = 0x162,
    CKA_LOCAL = 0x163,
    CKA_NEVER_EXTRACTABLE = 0x164,
    CKA_ALWAYS_SENSITIVE = 0x165,
    CKA_EC_PARAMS = 0x180,
    CKA_EC_POINT = 0x181,
    CKA_PARAMETER_SET = 0x61d,

    CKM_ML_DSA_KEY_PAIR_GEN = 0x1c,
    CKM_ML_DSA = 0x1d,
    CKM_EC_KEY_PAIR_GEN = 0x1040,
    CKM_ECDSA = 0x1041,
    CKM_EC_EDWARDS_KEY_PAIR_GEN = 0x1055,
    CKM_EDDSA = 0x1057,
    CKM_AES_KEY_GEN = 0x1080,
    CKM_AES_CBC = 0x1082,
    CKM_AES_GCM = 0x1087,

    CKP_ML_DSA_44 = 1,
    CKP_ML_DSA_65 = 2,
    CKP_ML_DSA_87 = 3,
};

#endif
