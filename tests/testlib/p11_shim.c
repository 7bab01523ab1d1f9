/*
 * A PKCS#11 module that passes calls to a real one ($CASEMATE_SHIM_MODULE) and breaks some of them,
 * as $CASEMATE_SHIM_FAULT says: a file with the line "FUNCTION FAULT SKIP TIMES". It is read at
 * each call, and counted from the start when it changes.
 *
 *   device    CKR_DEVICE_ERROR
 *   general   CKR_GENERAL_ERROR
 *   session   the session is closed behind the caller's back
 *   removed   CKR_TOKEN_NOT_PRESENT, and no slot has a token while it lasts
 *   sessions  CKR_SESSION_COUNT
 *   memory    CKR_DEVICE_MEMORY
 *   pin       CKR_PIN_INCORRECT
 *   final     the token's flags say: one try of the PIN is left
 *   locked    they say: locked
 *   empty     lists are cut to nothing
 *   double    lists name the same object twice
 *   handles   from here on handles mean other objects
 *   swapped   another token with the same label is in the slot
 *   wrong     one bit of the result is flipped; "secret wrong": of a secret that is read out
 *   short     the result is a byte shorter than it should be
 *   loose     the copy of a key says that it may leave; "C_SignInit copied": it is not used
 *   delay     three seconds late
 *   hang      never
 *   crash     the process dies
 *   meet      it waits until TIMES of them are in it at once; after eight seconds, a device error
 *   fall      the same, and then the process dies
 *
 * $CASEMATE_SHIM_PERSONA makes it a token of another maker: "MAKER,WAY...", ways:
 *   iv        it chooses the IV of AES-GCM, and takes no other than zeros
 *   zeros     it was to choose it, and uses the zeros that it was given
 *   fips      it uses an IV of its own of 16 bytes, and appends it to the ciphertext
 *   nogcm     it has no AES-GCM
 *   one, two  it has so many sessions
 *   unlocked  it can't lock
 *   noid      it refuses to search for a CKA_ID
 *   mute      it finds nothing by a CKA_ID
 *   reid      it gives what it makes a CKA_ID of its own
 *   fixed     nobody may change a CKA_ID
 *   small     it makes no RSA key of more than 2048 bits
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "codec/pkcs11.h"

static CK_FUNCTION_LIST real, *own_list;
static CK_FUNCTION_LIST list;
static CK_FUNCTION_LIST_3_2 list_3_2; /* of a module that has it */
static CK_INTERFACE interface_3_2;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t met = PTHREAD_COND_INITIALIZER;
static char line[128], function[32], fault[16];
static unsigned skip, times, seen, inside; /* inside: of those that meet */
static char persona[64];
static unsigned opened, most;
static CK_ULONG offset; /* what our handles are above the real ones */
static CK_OBJECT_HANDLE loose;
static int appends; /* the encryption under way ends with its IV */

enum { TEMPLATE_MAX = 16, APPENDED = 16, PATIENCE_S = 8 };

static void look(void)
{
    const char *path = getenv("CASEMATE_SHIM_FAULT");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    char now[128] = "";
    ssize_t n = fd >= 0 ? read(fd, now, sizeof now - 1) : 0;

    if (fd >= 0)
        close(fd);
    now[n > 0 ? n : 0] = 0;
    if (strcmp(now, line) == 0)
        return;
    memcpy(line, now, sizeof line);
    function[0] = fault[0] = 0;
    seen = skip = times = inside = 0;
    if (sscanf(line, "%31s %15s %u %u", function, fault, &skip, &times) < 2)
        function[0] = 0;
}

/* The fault that is due for this call; "" for none. */
static const char *due(const char *name)
{
    const char *out = "";

    pthread_mutex_lock(&lock);
    look();
    if (strcmp(function, name) == 0) {
        if (seen >= skip && seen < skip + times)
            out = fault;
        seen++;
    }
    pthread_mutex_unlock(&lock);
    return out;
}

static int is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static int removed(void)
{
    int out;

    pthread_mutex_lock(&lock);
    look();
    out = is(fault, "removed") && seen >= skip && seen < skip + times;
    pthread_mutex_unlock(&lock);
    return out;
}

static CK_RV meet(void)
{
    struct timespec until;
    CK_RV rv = CKR_OK;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&lock);
    inside++;
    pthread_cond_broadcast(&met);
    while (inside < times && rv == CKR_OK)
        if (pthread_cond_timedwait(&met, &lock, &until) != 0)
            rv = CKR_DEVICE_ERROR;
    pthread_mutex_unlock(&lock);
    return rv;
}

/* What a fault returns; CKR_OK: go on. */
static CK_RV broken(const char *f, CK_SESSION_HANDLE s)
{
    if (is(f, "device"))
        return CKR_DEVICE_ERROR;
    if (is(f, "general"))
        return CKR_GENERAL_ERROR;
    if (is(f, "removed"))
        return CKR_TOKEN_NOT_PRESENT;
    if (is(f, "sessions"))
        return CKR_SESSION_COUNT;
    if (is(f, "memory"))
        return CKR_DEVICE_MEMORY;
    if (is(f, "pin"))
        return CKR_PIN_INCORRECT;
    if (is(f, "session")) {
        if (s)
            real.C_CloseSession(s);
        return CKR_SESSION_HANDLE_INVALID;
    }
    if (is(f, "handles"))
        offset++;
    if (is(f, "delay"))
        sleep(3);
    while (is(f, "hang"))
        pause();
    if (is(f, "meet"))
        return meet();
    if (is(f, "crash") || (is(f, "fall") && meet() == CKR_OK))
        __builtin_trap();
    return CKR_OK;
}

#define BREAK(name, s)           \
    const char *f = due(name);   \
    CK_RV bad_ = broken(f, (s)); \
    if (bad_ != CKR_OK)          \
    return bad_

static CK_RV get_slot_list(CK_BBOOL present, CK_SLOT_ID *out, CK_ULONG *n)
{
    BREAK("C_GetSlotList", 0);
    if (removed() || is(f, "empty")) {
        *n = 0;
        return CKR_OK;
    }
    return real.C_GetSlotList(present, out, n);
}

static int way(const char *name)
{
    const char *at = strstr(persona, name);

    return at && at > persona && at[-1] == ',';
}

static void as_persona(CK_TOKEN_INFO *t)
{
    size_t n = strcspn(persona, ",");

    memset(t->manufacturerID, ' ', sizeof t->manufacturerID);
    memcpy(t->manufacturerID, persona, n);
    memset(t->model, ' ', sizeof t->model);
    memcpy(t->model, "YubiHSM", 7);
}

static const CK_ATTRIBUTE *id_in(const CK_ATTRIBUTE *a, CK_ULONG n)
{
    for (CK_ULONG i = 0; i < n; i++)
        if (a[i].type == CKA_ID)
            return &a[i];
    return NULL;
}

/* A template whose CKA_ID is the token's: out has room for n attributes. */
static void reid(CK_ATTRIBUTE *out, const CK_ATTRIBUTE *a, CK_ULONG n, CK_BYTE *id, CK_ULONG id_n)
{
    memcpy(out, a, n * sizeof *a);
    for (CK_ULONG i = 0; way("reid") && i < n; i++)
        if (a[i].type == CKA_ID)
            out[i] = (CK_ATTRIBUTE){CKA_ID, id, id_n};
}

static CK_RV set_attribute(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h, CK_ATTRIBUTE *a, CK_ULONG n)
{
    BREAK("C_SetAttributeValue", s);
    if (way("fixed") && id_in(a, n))
        return CKR_ATTRIBUTE_READ_ONLY;
    return real.C_SetAttributeValue(s, h - offset, a, n);
}

static CK_RV initialize(void *args)
{
    return args && way("unlocked") ? CKR_CANT_LOCK : real.C_Initialize(args);
}

static CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *t)
{
    CK_RV rv;

    BREAK("C_GetTokenInfo", 0);
    rv = real.C_GetTokenInfo(slot, t);
    if (is(f, "swapped"))
        t->serialNumber[0] ^= 1;
    if (is(f, "final"))
        t->flags |= CKF_USER_PIN_FINAL_TRY;
    if (is(f, "locked"))
        t->flags |= CKF_USER_PIN_LOCKED;
    if (*persona)
        as_persona(t);
    return rv;
}

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *a, CK_NOTIFY b,
                          CK_SESSION_HANDLE *s)
{
    CK_RV rv;

    BREAK("C_OpenSession", 0);
    if (removed())
        return CKR_TOKEN_NOT_PRESENT;
    pthread_mutex_lock(&lock);
    rv = opened >= most ? CKR_SESSION_COUNT : real.C_OpenSession(slot, flags, a, b, s);
    opened += rv == CKR_OK;
    pthread_mutex_unlock(&lock);
    return rv;
}

static CK_RV close_session(CK_SESSION_HANDLE s)
{
    CK_RV rv;

    pthread_mutex_lock(&lock);
    rv = real.C_CloseSession(s);
    opened -= rv == CKR_OK && opened > 0;
    pthread_mutex_unlock(&lock);
    return rv;
}

static CK_RV login(CK_SESSION_HANDLE s, CK_ULONG user, CK_BYTE *pin, CK_ULONG n)
{
    BREAK("C_Login", s);
    return real.C_Login(s, user, pin, n);
}

static CK_RV get_attribute(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h, CK_ATTRIBUTE *a, CK_ULONG n)
{
    CK_RV rv;

    BREAK("C_GetAttributeValue", s);
    rv = real.C_GetAttributeValue(s, h - offset, a, n);
    if (rv == CKR_OK && n == 1 && a->type == CKA_EXTRACTABLE && h - offset == loose)
        *(CK_BBOOL *)a->pValue = CK_TRUE;
    if (rv == CKR_OK && n == 1 && a->type == CKA_VALUE && a->ulValueLen == 32 &&
        is(due("secret"), "wrong"))
        ((CK_BYTE *)a->pValue)[9] ^= 1;
    return rv;
}

static CK_RV find_init(CK_SESSION_HANDLE s, CK_ATTRIBUTE *a, CK_ULONG n)
{
    static CK_BYTE nobody[] = "nobody's";
    CK_ATTRIBUTE other[TEMPLATE_MAX];

    BREAK("C_FindObjectsInit", s);
    if (way("noid") && id_in(a, n))
        return CKR_ATTRIBUTE_TYPE_INVALID;
    if (!way("mute") || !id_in(a, n) || n > TEMPLATE_MAX)
        return real.C_FindObjectsInit(s, a, n);
    memcpy(other, a, n * sizeof *a);
    other[id_in(a, n) - a] = (CK_ATTRIBUTE){CKA_ID, nobody, sizeof nobody};
    return real.C_FindObjectsInit(s, other, n);
}

static CK_RV find(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE *out, CK_ULONG max, CK_ULONG *n)
{
    CK_RV rv;

    BREAK("C_FindObjects", s);
    rv = real.C_FindObjects(s, out, max, n);
    if (is(f, "empty"))
        *n = 0;
    for (CK_ULONG i = 0; rv == CKR_OK && i < *n; i++)
        out[i] += offset;
    if (is(f, "double") && rv == CKR_OK && *n == 1 && max > 1)
        out[(*n)++] = out[0];
    return rv;
}

static CK_RV spoil(const char *f, CK_RV rv, CK_BYTE *out, CK_ULONG *n)
{
    if (rv == CKR_OK && out && *n > 0 && is(f, "wrong"))
        out[*n / 2] ^= 1;
    if (rv == CKR_OK && out && *n > 0 && is(f, "short"))
        (*n)--;
    return rv;
}

static CK_RV sign_init(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE h)
{
    BREAK("C_SignInit", s);
    if (is(f, "copied") && h - offset == loose)
        return CKR_DEVICE_ERROR;
    return real.C_SignInit(s, m, h - offset);
}

static CK_RV sign(CK_SESSION_HANDLE s, CK_BYTE *in, CK_ULONG in_n, CK_BYTE *out, CK_ULONG *n)
{
    BREAK("C_Sign", s);
    return spoil(f, real.C_Sign(s, in, in_n, out, n), out, n);
}

static CK_RV encrypt_init(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE h)
{
    BREAK("C_EncryptInit", s);
    appends = m->mechanism == CKM_AES_GCM && way("fips");
    if (m->mechanism == CKM_AES_GCM && way("nogcm"))
        return CKR_MECHANISM_INVALID;
    if (m->mechanism == CKM_AES_GCM && way("iv")) {
        const CK_GCM_PARAMS *p = m->pParameter;

        for (CK_ULONG i = 0; i < p->ulIvLen; i++)
            if (p->pIv[i])
                return CKR_MECHANISM_PARAM_INVALID;
        real.C_GenerateRandom(s, p->pIv, p->ulIvLen);
    }
    return real.C_EncryptInit(s, m, h - offset);
}

static CK_RV encrypt(CK_SESSION_HANDLE s, CK_BYTE *in, CK_ULONG in_n, CK_BYTE *out, CK_ULONG *n)
{
    CK_ULONG more = appends ? APPENDED : 0, room = *n;
    CK_RV rv;

    BREAK("C_Encrypt", s);
    if (room < in_n + 16 + more && appends)
        return CKR_BUFFER_TOO_SMALL;
    rv = spoil(f, real.C_Encrypt(s, in, in_n, out, n), out, n);
    if (rv == CKR_OK && more) {
        real.C_GenerateRandom(s, out + *n, more);
        *n += more;
    }
    return rv;
}

static CK_RV decrypt_init(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE h)
{
    BREAK("C_DecryptInit", s);
    return real.C_DecryptInit(s, m, h - offset);
}

static CK_RV decrypt(CK_SESSION_HANDLE s, CK_BYTE *in, CK_ULONG in_n, CK_BYTE *out, CK_ULONG *n)
{
    BREAK("C_Decrypt", s);
    return spoil(f, real.C_Decrypt(s, in, in_n, out, n), out, n);
}

static CK_RV generate_key(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_ATTRIBUTE *a, CK_ULONG n,
                          CK_OBJECT_HANDLE *h)
{
    CK_BYTE id[8];
    CK_ATTRIBUTE other[TEMPLATE_MAX];
    CK_RV rv;

    BREAK("C_GenerateKey", s);
    if (n > TEMPLATE_MAX)
        return CKR_TEMPLATE_INCONSISTENT;
    real.C_GenerateRandom(s, id, sizeof id);
    reid(other, a, n, id, sizeof id);
    rv = real.C_GenerateKey(s, m, other, n, h);
    *h += offset;
    return rv;
}

static CK_RV generate_pair(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_ATTRIBUTE *a, CK_ULONG a_n,
                           CK_ATTRIBUTE *b, CK_ULONG b_n, CK_OBJECT_HANDLE *pub,
                           CK_OBJECT_HANDLE *priv)
{
    CK_BYTE id[8];
    CK_ATTRIBUTE other[TEMPLATE_MAX], other_b[TEMPLATE_MAX];
    CK_RV rv;

    BREAK("C_GenerateKeyPair", s);
    if (a_n > TEMPLATE_MAX || b_n > TEMPLATE_MAX)
        return CKR_TEMPLATE_INCONSISTENT;
    real.C_GenerateRandom(s, id, sizeof id);
    reid(other, a, a_n, id, sizeof id);
    reid(other_b, b, b_n, id, sizeof id);
    rv = real.C_GenerateKeyPair(s, m, other, a_n, other_b, b_n, pub, priv);
    *pub += offset;
    *priv += offset;
    return rv;
}

static CK_RV copy(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE from, CK_ATTRIBUTE *a, CK_ULONG n,
                  CK_OBJECT_HANDLE *h)
{
    CK_RV rv;

    BREAK("C_CopyObject", s);
    rv = real.C_CopyObject(s, from - offset, a, n, h);
    if (is(f, "loose"))
        loose = *h;
    *h += offset;
    return rv;
}

static CK_RV destroy(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h)
{
    BREAK("C_DestroyObject", s);
    return real.C_DestroyObject(s, h - offset);
}

static CK_RV random_bytes(CK_SESSION_HANDLE s, CK_BYTE *out, CK_ULONG n)
{
    BREAK("C_GenerateRandom", s);
    return real.C_GenerateRandom(s, out, n);
}

static CK_RV get_mechanism_info(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
    CK_RV rv = real.C_GetMechanismInfo(slot, type, info);

    if (rv == CKR_OK && type == CKM_RSA_PKCS_KEY_PAIR_GEN && way("small"))
        info->ulMaxKeySize = 2048;
    return rv;
}

static void hook(void)
{
    const char *other = getenv("CASEMATE_SHIM_PERSONA");

    snprintf(persona, sizeof persona, "%s", other ? other : "");
    most = way("one") ? 1 : way("two") ? 2 : 1000000;
    opened = 0;
    loose = 0;
    list = real;
    list.C_Initialize = initialize;
    list.C_CloseSession = close_session;
    list.version = (CK_VERSION){2, 40};
    list.C_GetSlotList = get_slot_list;
    list.C_GetTokenInfo = get_token_info;
    list.C_GetMechanismInfo = get_mechanism_info;
    list.C_OpenSession = open_session;
    list.C_Login = login;
    list.C_GetAttributeValue = get_attribute;
    list.C_SetAttributeValue = set_attribute;
    list.C_FindObjectsInit = find_init;
    list.C_FindObjects = find;
    list.C_SignInit = sign_init;
    list.C_Sign = sign;
    list.C_EncryptInit = encrypt_init;
    list.C_Encrypt = encrypt;
    list.C_DecryptInit = decrypt_init;
    list.C_Decrypt = decrypt;
    list.C_GenerateKey = generate_key;
    list.C_GenerateKeyPair = generate_pair;
    list.C_CopyObject = copy;
    list.C_DestroyObject = destroy;
    list.C_GenerateRandom = random_bytes;
}

static void *symbol(const char *name)
{
    const char *path = getenv("CASEMATE_SHIM_MODULE");
    void *lib = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;

    return lib ? dlsym(lib, name) : NULL;
}

/* The 3.2 interface of a module that has one; no other is handed on. */
__attribute__((visibility("default"))) CK_RV C_GetInterface(CK_UTF8CHAR *name, CK_VERSION *version,
                                                            CK_INTERFACE **out, CK_FLAGS flags);
CK_RV C_GetInterface(CK_UTF8CHAR *name, CK_VERSION *version, CK_INTERFACE **out, CK_FLAGS flags)
{
    void *p = symbol("C_GetInterface");
    CK_INTERFACE *i = NULL;
    ck_get_interface *get;

    (void)name;
    (void)version;
    memcpy(&get, &p, sizeof get);
    if (!p || get(NULL, NULL, &i, flags) != CKR_OK || !i)
        return CKR_FUNCTION_FAILED;
    memcpy(&real, i->pFunctionList, sizeof real);
    if (real.version.major != 3 || real.version.minor < 2)
        return CKR_FUNCTION_FAILED;
    memcpy(&list_3_2, i->pFunctionList, sizeof list_3_2);
    hook();
    list.version = real.version;
    memcpy(&list_3_2, &list, sizeof list);
    interface_3_2 = *i;
    interface_3_2.pFunctionList = (void *)&list_3_2;
    *out = &interface_3_2;
    return CKR_OK;
}

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **out);
CK_RV C_GetFunctionList(CK_FUNCTION_LIST **out)
{
    void *p = symbol("C_GetFunctionList");
    ck_get_function_list *get;

    memcpy(&get, &p, sizeof get);
    if (!p || get(&own_list) != CKR_OK)
        return CKR_GENERAL_ERROR;
    real = *own_list;
    hook();
    *out = &list;
    return CKR_OK;
}
