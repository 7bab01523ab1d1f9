/* The state of the process, its slots and sessions. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/os.h"
#include "base/secret.h"
#include "cm_config.h"
#include "entry.h"

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    cm_p11_module module;
} process = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

cm_p11_module *cm_p11_state(void)
{
    return &process.module;
}

void cm_p11_lock(void)
{
    pthread_mutex_lock(&process.lock);
}

void cm_p11_unlock(void)
{
    pthread_mutex_unlock(&process.lock);
}

void cm_p11_wait(void)
{
    pthread_cond_wait(&process.changed, &process.lock);
}

void cm_p11_tell(void)
{
    pthread_cond_broadcast(&process.changed);
}

CK_RV cm_p11_ready(void)
{
    return process.module.ready && process.module.pid == (int)getpid()
               ? CKR_OK
               : CKR_CRYPTOKI_NOT_INITIALIZED;
}

void cm_p11_say(const cm_p11_slot *s, cm_err e, const char *why)
{
    CM_AUTO(cm_os_close_fd) int fd = -1;
    const char *path = secure_getenv("CASEMATE_PKCS11_LOG");
    char line[1024];
    int n;

    if (!path || !path[0])
        return;
    n = snprintf(line, sizeof line, "casemate-pkcs11: %s: %s: %s%s%s\n", s ? s->url : "",
                 cm_err_name(e), cm_err_what(e), why && why[0] ? ": " : "", why ? why : "");
    fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || n <= 0)
        return;
    if (cm_failed(cm_os_write(fd, line, CM_MIN((size_t)n, sizeof line - 1))))
        return;
}

/* ---- beginning and end --------------------------------------------------------------------- */

/* What a fork has left here is of no use: connections are the parent's, whose secrets are not in
 * this process. Memory stays: freeing it would speak on the parent's connections. */
static void forget_parent(void)
{
    cm_p11_module *m = &process.module;

    for (size_t i = 0; i < m->slots_n; i++)
        for (size_t k = 0; k < m->slots[i].idle_n; k++)
            cm_client_abandon(m->slots[i].idle[k]);
    *m = (cm_p11_module){0};
    pthread_mutex_init(&process.lock, NULL);
    pthread_cond_init(&process.changed, NULL);
}

static CK_RV check_args(const CK_C_INITIALIZE_ARGS *a)
{
    int given;

    if (!a)
        return CKR_OK;
    given = (a->CreateMutex != NULL) + (a->DestroyMutex != NULL) + (a->LockMutex != NULL) +
            (a->UnlockMutex != NULL);
    if (a->pReserved || (given != 0 && given != 4))
        return CKR_ARGUMENTS_BAD;
    if (given && !(a->flags & CKF_OS_LOCKING_OK))
        return CKR_CANT_LOCK; /* with the host's locks alone */
    return CKR_OK;
}

static void drop(cm_p11_module *m)
{
    for (size_t i = 0; i < m->slots_n; i++)
        cm_p11_slot_done(&m->slots[i]);
    cm_crypt_free(m->crypt);
    *m = (cm_p11_module){0};
}

static CK_RV begin(cm_p11_module *m)
{
    cm_err e = cm_crypt_new(&m->crypt, CM_PROFILE_DEFAULT);

    if (cm_ok(e))
        e = cm_p11_profiles(m->slots, &m->slots_n, m->crypt);
    if (cm_failed(e)) {
        cm_p11_say(NULL, e, "the configuration");
        drop(m);
        return cm_is(e, CM_NO_MEMORY) ? CKR_HOST_MEMORY : CKR_GENERAL_ERROR;
    }
    m->pid = (int)getpid();
    m->next = 1;
    m->ready = true;
    return CKR_OK;
}

CK_RV C_Initialize(void *args)
{
    CK_RV rv;

    P11_TRY(check_args(args));
    if (process.module.ready && process.module.pid != (int)getpid())
        forget_parent();
    cm_p11_lock();
    rv = process.module.ready ? CKR_CRYPTOKI_ALREADY_INITIALIZED : begin(&process.module);
    cm_p11_unlock();
    return rv;
}

/* ---- sessions ------------------------------------------------------------------------------ */

void cm_p11_op_clear(cm_p11_op *op)
{
    cm_hasher_free(op->hasher);
    cm_buf_free(&op->data);
    cm_buf_free(&op->extra);
    cm_buf_free(&op->signature);
    *op = (cm_p11_op){0};
}

cm_p11_op *cm_p11_op_of(cm_p11_session *s, CK_FLAGS use)
{
    switch (use) {
    case CKF_SIGN:
        return &s->op[0];
    case CKF_VERIFY:
        return &s->op[1];
    case CKF_ENCRYPT:
        return &s->op[2];
    case CKF_DECRYPT:
        return &s->op[3];
    default:
        return &s->op[4];
    }
}

static void session_free(cm_p11_session *s)
{
    for (size_t i = 0; i < CM_P11_OPS; i++)
        cm_p11_op_clear(&s->op[i]);
    for (size_t i = 0; i < s->secrets_n; i++) {
        cm_secret_free(s->secrets[i]->bytes, CM_KEM_SEED_MAX);
        cm_free(s->secrets[i]);
    }
    cm_free(s->found);
    cm_free(s);
}

/* Its place in the table, waited for while somebody works on it; under the lock. */
static CK_RV place_of(cm_p11_session ***out, CK_SESSION_HANDLE h)
{
    for (;;) {
        cm_p11_session **at = NULL;

        P11_TRY(cm_p11_ready());
        for (size_t i = 0; h && i < CM_P11_SESSIONS && !at; i++)
            if (process.module.sessions[i] && process.module.sessions[i]->handle == h)
                at = &process.module.sessions[i];
        if (!at)
            return CKR_SESSION_HANDLE_INVALID;
        *out = at;
        if (!(*at)->busy)
            return CKR_OK;
        cm_p11_wait();
    }
}

CK_RV cm_p11_take(cm_p11_session **out, CK_SESSION_HANDLE h)
{
    cm_p11_session **at;
    CK_RV rv;

    P11_TRY(cm_p11_ready());
    cm_p11_lock();
    rv = place_of(&at, h);
    if (rv == CKR_OK) {
        (*at)->busy = true;
        *out = *at;
    }
    cm_p11_unlock();
    return rv;
}

void cm_p11_give(cm_p11_session **s)
{
    if (!*s)
        return;
    cm_p11_lock();
    (*s)->busy = false;
    cm_p11_tell();
    cm_p11_unlock();
}

/* A logout may be waiting for the last calls under the credentials before. */
static CK_RV open_slot(cm_p11_slot *s, cm_view pin)
{
    cm_err e;

    while (!s->open && s->lent_n)
        cm_p11_wait();
    e = cm_p11_slot_open(s, pin);
    if (cm_failed(e))
        cm_p11_say(s, e, "keys and certificates of the profile");
    return cm_p11_rv(e);
}

CK_RV cm_p11_take_open(cm_p11_session **out, CK_SESSION_HANDLE h)
{
    cm_p11_session *s = NULL;
    CK_RV rv = CKR_OK;

    P11_TRY(cm_p11_take(&s, h));
    cm_p11_lock();
    if (!s->slot->open)
        rv = s->slot->locked ? CKR_USER_NOT_LOGGED_IN : open_slot(s->slot, CM_LIT(""));
    cm_p11_unlock();
    if (rv == CKR_OK)
        *out = s;
    else
        cm_p11_give(&s);
    return rv;
}

static CK_RV end(cm_p11_module *m)
{
    for (size_t i = 0; i < CM_P11_SESSIONS; i++) {
        cm_p11_session **at;

        while (m->sessions[i] && place_of(&at, m->sessions[i]->handle) == CKR_OK) {
            session_free(*at);
            *at = NULL;
        }
    }
    drop(m);
    return CKR_OK;
}

CK_RV C_Finalize(void *reserved)
{
    CK_RV rv;

    if (reserved)
        return CKR_ARGUMENTS_BAD;
    P11_TRY(cm_p11_ready());
    cm_p11_lock();
    rv = cm_p11_ready();
    if (rv == CKR_OK)
        rv = end(&process.module);
    cm_p11_tell();
    cm_p11_unlock();
    return rv;
}

CK_RV C_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, void *app, CK_NOTIFY notify,
                    CK_SESSION_HANDLE *session)
{
    cm_p11_module *m = &process.module;
    cm_p11_session *s = NULL;
    CK_RV rv = CKR_SESSION_COUNT;

    (void)app;
    (void)notify;
    P11_TRY(cm_p11_ready());
    if (!session)
        return CKR_ARGUMENTS_BAD;
    if (!(flags & CKF_SERIAL_SESSION))
        return CKR_SESSION_PARALLEL_NOT_SUPPORTED;
    if (slot >= m->slots_n)
        return CKR_SLOT_ID_INVALID;
    P11_OK(cm_alloc(&s, sizeof *s));
    s->slot = &m->slots[slot];
    s->rw = (flags & CKF_RW_SESSION) != 0;
    cm_p11_lock();
    for (size_t i = 0; i < CM_P11_SESSIONS && rv != CKR_OK; i++)
        if (!m->sessions[i]) {
            s->handle = *session = m->next++;
            m->sessions[i] = s;
            rv = CKR_OK;
        }
    cm_p11_unlock();
    if (rv != CKR_OK)
        session_free(s);
    return rv;
}

/* The last session of a slot takes the login with it. Under the lock. */
static void log_out(cm_p11_slot *s)
{
    s->open = false; /* nobody borrows a connection any more */
    while (s->lent_n)
        cm_p11_wait();
    cm_p11_slot_close(s);
}

static bool last_of(const cm_p11_slot *s)
{
    for (size_t i = 0; i < CM_P11_SESSIONS; i++)
        if (process.module.sessions[i] && process.module.sessions[i]->slot == s)
            return false;
    return true;
}

static void close_at(cm_p11_session **at)
{
    cm_p11_session *s = *at;

    *at = NULL;
    if (s->slot->logged_in && last_of(s->slot))
        log_out(s->slot);
    session_free(s);
    cm_p11_tell();
}

CK_RV C_CloseSession(CK_SESSION_HANDLE session)
{
    cm_p11_session **at;
    CK_RV rv;

    P11_TRY(cm_p11_ready());
    cm_p11_lock();
    rv = place_of(&at, session);
    if (rv == CKR_OK)
        close_at(at);
    cm_p11_unlock();
    return rv;
}

CK_RV C_CloseAllSessions(CK_SLOT_ID slot)
{
    cm_p11_module *m = &process.module;

    P11_TRY(cm_p11_ready());
    if (slot >= m->slots_n)
        return CKR_SLOT_ID_INVALID;
    cm_p11_lock();
    for (size_t i = 0; i < CM_P11_SESSIONS; i++) {
        cm_p11_session **at;

        if (m->sessions[i] && m->sessions[i]->slot == &m->slots[slot] &&
            place_of(&at, m->sessions[i]->handle) == CKR_OK)
            close_at(at);
    }
    cm_p11_unlock();
    return CKR_OK;
}

CK_RV C_GetSessionInfo(CK_SESSION_HANDLE session, CK_SESSION_INFO *info)
{
    CM_AUTO(cm_p11_give) cm_p11_session *s = NULL;

    P11_TRY(cm_p11_take(&s, session));
    if (!info)
        return CKR_ARGUMENTS_BAD;
    *info = (CK_SESSION_INFO){
        .slotID = (CK_SLOT_ID)(s->slot - process.module.slots),
        .flags = CKF_SERIAL_SESSION | (s->rw ? (CK_FLAGS)CKF_RW_SESSION : 0),
    };
    if (s->slot->logged_in)
        info->state = s->rw ? CKS_RW_USER_FUNCTIONS : CKS_RO_USER_FUNCTIONS;
    else
        info->state = s->rw ? CKS_RW_PUBLIC_SESSION : CKS_RO_PUBLIC_SESSION;
    return CKR_OK;
}

CK_RV C_SessionCancel(CK_SESSION_HANDLE session, CK_FLAGS flags)
{
    static const CK_FLAGS uses[] = {CKF_SIGN, CKF_VERIFY, CKF_ENCRYPT, CKF_DECRYPT, CKF_DIGEST};
    CM_AUTO(cm_p11_give) cm_p11_session *s = NULL;

    P11_TRY(cm_p11_take(&s, session));
    for (size_t i = 0; i < CM_COUNT(uses); i++)
        if (flags & uses[i])
            cm_p11_op_clear(cm_p11_op_of(s, uses[i]));
    if (flags & CKF_FIND_OBJECTS)
        s->finding = false;
    return CKR_OK;
}

/* ---- login --------------------------------------------------------------------------------- */

CK_RV C_Login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG pin_n)
{
    CM_AUTO(cm_p11_give) cm_p11_session *s = NULL;
    CK_RV rv;

    P11_TRY(cm_p11_take(&s, session));
    if (user == CKU_CONTEXT_SPECIFIC)
        return CKR_OPERATION_NOT_INITIALIZED;
    if (user != CKU_USER)
        return CKR_USER_TYPE_INVALID;
    if (pin_n > CM_P11_PIN)
        return CKR_PIN_LEN_RANGE;
    if (pin_n && !pin)
        return CKR_ARGUMENTS_BAD;
    if (s->slot->logged_in)
        return CKR_USER_ALREADY_LOGGED_IN;
    if (s->slot->locked && pin_n == 0)
        return CKR_PIN_INCORRECT;
    cm_p11_lock();
    rv = open_slot(s->slot, pin_n ? cm_view_of(pin, pin_n) : CM_LIT(""));
    s->slot->logged_in = rv == CKR_OK;
    cm_p11_unlock();
    return rv;
}

CK_RV C_LoginUser(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG pin_n,
                  CK_UTF8CHAR *name, CK_ULONG name_n)
{
    (void)name;
    if (name_n)
        return CKR_ARGUMENTS_BAD; /* who asks is in the profile */
    return C_Login(session, user, pin, pin_n);
}

CK_RV C_Logout(CK_SESSION_HANDLE session)
{
    CM_AUTO(cm_p11_give) cm_p11_session *s = NULL;

    P11_TRY(cm_p11_take(&s, session));
    if (!s->slot->logged_in)
        return CKR_USER_NOT_LOGGED_IN;
    cm_p11_lock();
    log_out(s->slot);
    cm_p11_unlock();
    return CKR_OK;
}

/* ---- what there is ------------------------------------------------------------------------- */

static void padded(CK_UTF8CHAR *out, size_t n, const char *text)
{
    size_t len = CM_MIN(strlen(text), n);

    memset(out, ' ', n);
    memcpy(out, text, len);
}

/* A longer label ends between two characters. */
static void padded_label(CK_UTF8CHAR *out, size_t n, const char *text)
{
    size_t len = CM_MIN(strlen(text), n);

    while (len && len < strlen(text) && ((uint8_t)text[len] & 0xc0) == 0x80)
        len--;
    memset(out, ' ', n);
    memcpy(out, text, len);
}

static const char *label_of(const cm_p11_slot *s)
{
    if (s->label && s->label[0])
        return s->label;
    return s->keyspace && s->keyspace[0] ? s->keyspace : s->tenant;
}

CK_RV C_GetInfo(CK_INFO *info)
{
    P11_TRY(cm_p11_ready());
    if (!info)
        return CKR_ARGUMENTS_BAD;
    *info = (CK_INFO){.cryptokiVersion = {3, 2}, .libraryVersion = {0, 1}};
    padded(info->manufacturerID, sizeof info->manufacturerID, "Casemate");
    padded(info->libraryDescription, sizeof info->libraryDescription,
           "Keys of a Casemate key server");
    return CKR_OK;
}

CK_RV C_GetSlotList(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *count)
{
    CK_ULONG room;

    (void)present; /* a server that is down is a token that fails, not one that was taken out */
    P11_TRY(cm_p11_ready());
    if (!count)
        return CKR_ARGUMENTS_BAD;
    room = *count;
    *count = process.module.slots_n;
    if (!slots)
        return CKR_OK;
    if (room < *count)
        return CKR_BUFFER_TOO_SMALL;
    for (CK_ULONG i = 0; i < *count; i++)
        slots[i] = i;
    return CKR_OK;
}

static CK_RV slot_at(const cm_p11_slot **out, CK_SLOT_ID slot)
{
    P11_TRY(cm_p11_ready());
    if (slot >= process.module.slots_n)
        return CKR_SLOT_ID_INVALID;
    *out = &process.module.slots[slot];
    return CKR_OK;
}

CK_RV C_GetSlotInfo(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
    const cm_p11_slot *s;

    P11_TRY(slot_at(&s, slot));
    if (!info)
        return CKR_ARGUMENTS_BAD;
    *info = (CK_SLOT_INFO){.flags = CKF_TOKEN_PRESENT, .firmwareVersion = {0, 1}};
    padded_label(info->slotDescription, sizeof info->slotDescription, s->url);
    padded(info->manufacturerID, sizeof info->manufacturerID, "Casemate");
    return CKR_OK;
}

CK_RV C_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
    const cm_p11_slot *s;

    P11_TRY(slot_at(&s, slot));
    if (!info)
        return CKR_ARGUMENTS_BAD;
    *info = (CK_TOKEN_INFO){
        .flags = CKF_RNG | CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED |
                 (s->locked ? (CK_FLAGS)CKF_LOGIN_REQUIRED : 0),
        .ulMaxSessionCount = CM_P11_SESSIONS,
        .ulSessionCount = CK_UNAVAILABLE_INFORMATION,
        .ulMaxRwSessionCount = CM_P11_SESSIONS,
        .ulRwSessionCount = CK_UNAVAILABLE_INFORMATION,
        .ulMaxPinLen = CM_P11_PIN,
        .ulTotalPublicMemory = CK_UNAVAILABLE_INFORMATION,
        .ulFreePublicMemory = CK_UNAVAILABLE_INFORMATION,
        .ulTotalPrivateMemory = CK_UNAVAILABLE_INFORMATION,
        .ulFreePrivateMemory = CK_UNAVAILABLE_INFORMATION,
        .firmwareVersion = {0, 1},
    };
    padded_label(info->label, sizeof info->label, label_of(s));
    padded(info->manufacturerID, sizeof info->manufacturerID, "Casemate");
    padded(info->model, sizeof info->model, "KMS");
    padded(info->serialNumber, sizeof info->serialNumber, s->serial);
    memset(info->utcTime, ' ', sizeof info->utcTime);
    return CKR_OK;
}

CK_RV C_GetMechanismList(CK_SLOT_ID slot, CK_MECHANISM_TYPE *list, CK_ULONG *count)
{
    const cm_p11_slot *s;
    CK_ULONG room, n = 0;

    P11_TRY(slot_at(&s, slot));
    if (!count)
        return CKR_ARGUMENTS_BAD;
    while (cm_p11_mech_at(n))
        n++;
    room = *count;
    *count = n;
    if (!list)
        return CKR_OK;
    if (room < n)
        return CKR_BUFFER_TOO_SMALL;
    for (CK_ULONG i = 0; i < n; i++)
        list[i] = cm_p11_mech_at(i)->type;
    return CKR_OK;
}

CK_RV C_GetMechanismInfo(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
    const cm_p11_mech *m = cm_p11_mech_of(type);
    const cm_p11_slot *s;

    P11_TRY(slot_at(&s, slot));
    if (!info)
        return CKR_ARGUMENTS_BAD;
    if (!m)
        return CKR_MECHANISM_INVALID;
    *info = (CK_MECHANISM_INFO){m->min, m->max, m->flags};
    return CKR_OK;
}

CK_RV C_WaitForSlotEvent(CK_FLAGS flags, CK_SLOT_ID *slot, void *reserved)
{
    (void)slot;
    P11_TRY(cm_p11_ready());
    if (reserved)
        return CKR_ARGUMENTS_BAD;
    return flags & CKF_DONT_BLOCK ? CKR_NO_EVENT : CKR_FUNCTION_NOT_SUPPORTED;
}

CK_RV C_GetFunctionStatus(CK_SESSION_HANDLE session)
{
    (void)session;
    return CKR_FUNCTION_NOT_PARALLEL;
}

CK_RV C_CancelFunction(CK_SESSION_HANDLE session)
{
    (void)session;
    return CKR_FUNCTION_NOT_PARALLEL;
}
