#include "base/secret.h"
#include "hsm/p11_int.h"

#include <stdio.h>
#include <unistd.h>

enum { SESSIONS_STANDARD = 4 };

/* H-9. What is not `real` follows what the makers are known to say, and was never run. */
static const struct quirks known[] = {
    {.name = "softhsm",
     .maker = "SoftHSM project",
     .model = "SoftHSM v2",
     .copies = true,
     .real = true},
    {.name = "opencryptoki", .maker = "IBM", .model = "", .real = true},
    {.name = "nss", .maker = "Mozilla Foundation", .model = "", .real = true},
    {.name = "luna", .maker = "SafeNet", .model = ""},
    {.name = "luna", .maker = "Thales", .model = ""},
    {.name = "cloudhsm", .maker = "Marvell", .model = "", .token_iv = true},
    {.name = "cloudhsm", .maker = "Cavium", .model = "", .token_iv = true},
    {.name = "fortanix", .maker = "Fortanix", .model = ""},
    {.name = "nitrokey", .maker = "Nitrokey", .model = ""},
    {.name = "yubihsm", .maker = "Yubico", .model = "YubiHSM"},
    {.name = "zymbit", .maker = "Zymbit", .model = ""},
    {.name = "opensc",
     .maker = "",
     .model = "PKCS#15",
     .rereads = true,
     .pss_digest = true,
     .real = true},
    {.name = "standard", .maker = "", .model = ""},
};

static void padded(char *out, size_t room, const CK_BYTE *text, size_t n)
{
    size_t i;

    while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == 0))
        n--;
    for (i = 0; i < n && i + 1 < room; i++)
        out[i] = text[i] >= 0x20 && text[i] < 0x7f ? (char)text[i] : '?';
    out[i] = 0;
}

static bool begins(const CK_BYTE *text, const char *with)
{
    return cm_view_eq(cm_view_of(text, strlen(with)), cm_view_str(with));
}

static const struct quirks *quirks_of(const CK_TOKEN_INFO *t)
{
    const struct quirks *q = known;

    while (!begins(t->manufacturerID, q->maker) || !begins(t->model, q->model))
        q++;
    return q;
}

/* ---- the token ----------------------------------------------------------------------------- */

static cm_err slots(const cm_p11 *p, CK_SLOT_ID *list, CK_ULONG *n)
{
    /* The first call makes the module look anew. */
    CM_TRY(cm_p11_err(p->m.f->C_GetSlotList(1, NULL, n)));
    *n = SLOTS_MAX;
    CM_TRY(cm_p11_err(p->m.f->C_GetSlotList(1, list, n)));
    return *n > SLOTS_MAX ? CM_FAIL(HSM_DEVICE) : CM_OKAY;
}

/* By label; without one, the only token that is initialised. */
static cm_err find_token(const cm_p11 *p, CK_SLOT_ID *slot, CK_TOKEN_INFO *token)
{
    CK_SLOT_ID list[SLOTS_MAX];
    CK_TOKEN_INFO t = {.flags = 0};
    unsigned found = 0;
    CK_ULONG n;
    char label[33];

    CM_TRY(slots(p, list, &n));
    for (CK_ULONG i = 0; i < n; i++) {
        if (p->m.f->C_GetTokenInfo(list[i], &t) != CKR_OK)
            continue;
        padded(label, sizeof label, t.label, sizeof t.label);
        if (p->label[0] ? strcmp(label, p->label) != 0 : !(t.flags & CKF_TOKEN_INITIALIZED))
            continue;
        *slot = list[i];
        *token = t;
        found++;
    }
    if (found != 1)
        return found ? CM_FAIL(HSM_TOKENS) : CM_FAIL(HSM_NO_TOKEN);
    return CM_OKAY;
}

/* H-7: after a loss, the same token and no other with its label. */
static cm_err find_again(cm_p11 *p)
{
    CK_TOKEN_INFO t;
    CK_SLOT_ID slot;
    cm_err e = find_token(p, &slot, &t);

    if (cm_is(e, CM_HSM_NO_TOKEN))
        return CM_FAIL(HSM_GONE);
    CM_TRY(e);
    if (!cm_view_eq(CM_VIEW(t.serialNumber), CM_VIEW(p->token.serialNumber)) ||
        !cm_view_eq(CM_VIEW(t.manufacturerID), CM_VIEW(p->token.manufacturerID)))
        return CM_FAIL(HSM_OTHER_TOKEN);
    p->slot = slot;
    return CM_OKAY;
}

/* ---- sessions: under the lock -------------------------------------------------------------- */

/* H-10: the flags first, one try, and never another. */
static cm_err may_try(const cm_p11 *p)
{
    CK_TOKEN_INFO t;

    CM_TRY(cm_p11_err(p->m.f->C_GetTokenInfo(p->slot, &t)));
    if (t.flags & CKF_USER_PIN_LOCKED)
        return CM_FAIL(HSM_PIN_LOCKED);
    if (t.flags & (CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_COUNT_LOW) && !p->pin_retry)
        return CM_FAIL(HSM_PIN_LOW);
    return CM_OKAY;
}

static cm_err login(cm_p11 *p, CK_SESSION_HANDLE s)
{
    cm_err e;
    CK_RV rv;

    if (!(p->token.flags & CKF_LOGIN_REQUIRED))
        return CM_OKAY;
    if (p->pin_n == 0)
        return CM_FAIL(HSM_NO_PIN);
    CM_TRY(may_try(p));
    rv = p->m.f->C_Login(s, CKU_USER, p->pin, p->pin_n);
    e = rv == CKR_USER_ALREADY_LOGGED_IN ? CM_OKAY : cm_p11_err(rv);
    if (cm_is(e, CM_HSM_PIN_WRONG) || cm_is(e, CM_HSM_PIN_LOCKED)) {
        p->refused = e;
        cm_wipe(p->pin, p->pin_n);
        p->pin_n = 0;
    }
    return e;
}

static void close_session(cm_p11 *p, struct session *s)
{
    if (s->open)
        (void)p->m.f->C_CloseSession(s->h);
    s->open = false;
}

/* H-74: what is copied into a session's memory ends with the session. */
void cm_p11_drop(cm_p11 *p)
{
    struct session *left = &p->left[0];

    p->generation++;
    p->copies = 0;
    if (!p->keeper.open)
        return;
    for (unsigned i = 1; i < LEFT && left->open; i++)
        left = &p->left[i];
    close_session(p, left);
    *left = p->keeper;
    left->turn = p->turns;
    p->keeper.open = false;
}

static bool in_use(const cm_p11 *p, const struct session *left)
{
    bool used = false;

    for (unsigned i = 0; i < p->sessions; i++)
        used |= p->session[i].busy && p->session[i].turn <= left->turn;
    return used;
}

static void close_left(cm_p11 *p)
{
    for (unsigned i = 0; i < LEFT; i++)
        if (p->left[i].open && !in_use(p, &p->left[i]))
            close_session(p, &p->left[i]);
}

static cm_err open_session(cm_p11 *p, struct session *s)
{
    CK_FLAGS flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
    cm_err e;

    if (!p->m.initialized || (p->opened && p->q->rereads)) /* H-65: there is no other session */
        CM_TRY(cm_p11_module_again(&p->m));
    if (p->opened)
        CM_TRY(find_again(p));
    CM_TRY(cm_p11_err(p->m.f->C_OpenSession(p->slot, flags, NULL, NULL, &s->h)));
    s->open = true;
    p->opened++;
    e = login(p, s->h);
    if (cm_failed(e))
        close_session(p, s);
    return e;
}

cm_err cm_p11_keeper(cm_p11 *p)
{
    return p->keeper.open ? CM_OKAY : open_session(p, &p->keeper);
}

static unsigned open_sessions(const cm_p11 *p)
{
    unsigned n = 0;

    for (unsigned i = 0; i < p->sessions; i++)
        n += p->session[i].open;
    return n;
}

static struct session *idle(cm_p11 *p)
{
    bool room = open_sessions(p) < p->room;

    struct session *closed = NULL;

    for (unsigned i = 0; i < p->sessions; i++) {
        struct session *s = &p->session[i];

        if (!s->busy && s->open)
            return s;
        if (!s->busy && !closed && room)
            closed = s;
    }
    return closed;
}

/* A token that has no more sessions has those it gave us: their turn is waited for. */
static bool fewer(cm_p11 *p, cm_err e)
{
    unsigned n = open_sessions(p);

    if (!cm_is(e, CM_HSM_SESSIONS) || n == 0)
        return false;
    p->room = n;
    return true;
}

static cm_err take(cm_p11 *p, struct session **out)
{
    struct session *s;
    cm_err e;

    pthread_mutex_lock(&p->lock);
    do {
        while (!(s = idle(p)))
            pthread_cond_wait(&p->freed, &p->lock);
        e = p->refused;
        if (cm_ok(e) && !s->open)
            e = open_session(p, s);
    } while (fewer(p, e));
    s->busy = cm_ok(e);
    s->turn = ++p->turns;
    pthread_mutex_unlock(&p->lock);
    *out = s;
    return e;
}

/* A session in which something went wrong has a state that nobody knows: it is closed. When the
 * token or a handle is gone, so may be all others: H-5. */
static void give_back(cm_p11 *p, struct session *s, cm_err e)
{
    bool gone = cm_is(e, CM_HSM_GONE);

    pthread_mutex_lock(&p->lock);
    s->busy = false;
    if (gone || cm_err_class(e) == CM_CLASS_IO || cm_err_class(e) == CM_CLASS_UNSUPPORTED ||
        cm_is(e, CM_HSM_SESSIONS))
        close_session(p, s);
    if (gone) {
        p->room = p->sessions;
        cm_p11_drop(p);
        for (unsigned i = 0; i < p->sessions; i++)
            if (!p->session[i].busy)
                close_session(p, &p->session[i]);
    }
    close_left(p);
    pthread_cond_broadcast(&p->freed);
    pthread_mutex_unlock(&p->lock);
}

cm_err cm_p11_reread(cm_p11 *p, struct session *s)
{
    cm_err e;

    pthread_mutex_lock(&p->lock);
    cm_p11_drop(p);
    close_session(p, s);
    e = open_session(p, s);
    pthread_mutex_unlock(&p->lock);
    return e;
}

/* ---- calls --------------------------------------------------------------------------------- */

static cm_err status(cm_p11 *p, cm_hsm_answer *a)
{
    cm_hsm_status s = {.custody = p->classical ? CM_HSM_CLASSICAL : CM_HSM_NATIVE,
                       .version = (uint64_t)p->m.version.major << 8 | p->m.version.minor,
                       .quarantined = atomic_load(&p->quarantined)};
    char maker[33], model[17];

    padded(maker, sizeof maker, p->token.manufacturerID, sizeof p->token.manufacturerID);
    padded(model, sizeof model, p->token.model, sizeof p->token.model);
    snprintf(s.provider, sizeof s.provider, "%s, %s", maker, model);
    padded(s.serial, sizeof s.serial, p->token.serialNumber, sizeof p->token.serialNumber);
    padded(s.label, sizeof s.label, p->token.label, sizeof p->token.label);
    snprintf(s.quirks, sizeof s.quirks, "%s", p->q->name);
    snprintf(s.module, sizeof s.module, "%s", p->m.path);
    memcpy(s.module_hash, p->m.hash, sizeof s.module_hash);
    pthread_mutex_lock(&p->lock);
    for (unsigned i = 0; i < p->sessions; i++)
        s.sessions += p->session[i].open;
    s.opened = p->opened;
    s.at_once = p->room;
    pthread_mutex_unlock(&p->lock);
    a->status = s;
    return CM_OKAY;
}

/* Found as the wrapping key, shown as what it is. */
static cm_err show(cm_err e, cm_hsm_key *k)
{
    if (cm_ok(e) && k->custody == CM_HSM_CLASSICAL)
        k->alg = k->pub_n > 2 * 2048 / 8 ? CM_HSM_RSA4096 : CM_HSM_RSA2048;
    return e;
}

static cm_err perform(cm_p11 *p, struct session *open, const cm_hsm_request *r, cm_hsm_answer *a)
{
    CK_SESSION_HANDLE s = open->h;
    CK_OBJECT_HANDLE handle;

    switch (r->op) {
    case CM_HSM_GENERATE:
        return show(cm_p11_generate(p, open, r, &a->key), &a->key);
    case CM_HSM_FIND:
        return show(cm_p11_find(p, s, r, true, &a->key, &handle), &a->key);
    case CM_HSM_SIGN:
        return cm_p11_sign(p, s, r, a);
    case CM_HSM_WRAP:
        return cm_p11_wrap(p, s, r, a);
    case CM_HSM_UNWRAP:
        return cm_p11_unwrap(p, s, r, a);
    case CM_HSM_RANDOM:
        return cm_p11_random(p, s, r, a);
    case CM_HSM_ENCAPSULATE:
    case CM_HSM_DECAPSULATE:
        return cm_p11_capsule(p, s, r, a);
    default:
        return cm_p11_destroy(p, s, r);
    }
}

static cm_err once(cm_p11 *p, const cm_hsm_request *r, cm_hsm_answer *a)
{
    struct session *s;
    cm_err e = take(p, &s);

    if (cm_failed(e))
        return e;
    e = perform(p, s, r, a);
    give_back(p, s, e);
    if (cm_is(e, CM_HSM_WRONG)) /* H-6 */
        atomic_store(&p->quarantined, true);
    return e;
}

static cm_err call(void *self, const cm_hsm_request *r, cm_hsm_answer *a)
{
    cm_p11 *p = self;
    cm_err e;

    CM_TRY(cm_hsm_request_check(r));
    if (p->pid != getpid()) /* H-45 */
        return CM_FAIL(HSM_LOST);
    if (r->op == CM_HSM_STATUS)
        return status(p, a);
    if (atomic_load(&p->quarantined))
        return CM_FAIL(HSM_QUARANTINED);
    e = once(p, r, a);
    /* What a lost session did not do is done again in another; making a key twice is not the
     * same as making it once. */
    if (cm_is(e, CM_HSM_GONE) && r->op != CM_HSM_GENERATE && r->op != CM_HSM_DESTROY)
        e = once(p, r, a);
    return e;
}

cm_hsm cm_p11_of(cm_p11 *p)
{
    return (cm_hsm){.call = call, .self = p};
}

/* ---- opening ------------------------------------------------------------------------------- */

static cm_err set_up(cm_p11 *p, const cm_p11_options *o)
{
    unsigned most;

    if (o->token && strlen(o->token) >= sizeof p->label)
        return CM_FAIL(HSM_NO_TOKEN);
    if (o->token)
        memcpy(p->label, o->token, strlen(o->token) + 1);
    if (o->pin.n > CM_P11_PIN_MAX)
        return CM_FAIL(HSM_PIN_WRONG);
    CM_TRY(cm_secret_new(&p->pin, CM_P11_PIN_MAX));
    if (o->pin.n)
        memcpy(p->pin, o->pin.p, o->pin.n);
    p->pin_n = o->pin.n;
    p->pin_retry = o->pin_retry;
    p->classical = o->classical;
    CM_TRY(cm_p11_module_load(&p->m, p->c, o->module, o->sha256, o->init));
    CM_TRY(find_token(p, &p->slot, &p->token));
    p->q = quirks_of(&p->token);
    if (p->q->rereads)
        cm_p11_module_pin(&p->m);
    most = p->m.serial || p->q->rereads ? 1 : CM_P11_SESSIONS;
    p->sessions = CM_MIN(o->sessions ? o->sessions : SESSIONS_STANDARD, most);
    p->room = p->sessions;
    return CM_OKAY;
}

static cm_err first_session(cm_p11 *p)
{
    struct session *s;

    CM_TRY(take(p, &s));
    give_back(p, s, CM_OKAY);
    return CM_OKAY;
}

cm_err cm_p11_new(cm_p11 **out, const cm_crypt *c, const cm_p11_options *o)
{
    CM_AUTO(cm_p11_free_ptr) cm_p11 *p = NULL;

    CM_TRY(cm_alloc(&p, sizeof *p));
    p->c = c;
    p->generation = 1;
    p->pid = getpid();
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->freed, NULL);
    CM_TRY(set_up(p, o));
    CM_TRY(first_session(p));
    *out = p;
    p = NULL;
    return CM_OKAY;
}

void cm_p11_free(cm_p11 *p)
{
    if (!p || p->pid != getpid()) /* a fork has neither the module nor the locked arena */
        return;
    close_session(p, &p->keeper);
    for (unsigned i = 0; i < LEFT; i++)
        close_session(p, &p->left[i]);
    for (unsigned i = 0; i < p->sessions; i++)
        close_session(p, &p->session[i]);
    cm_p11_module_unload(&p->m);
    for (unsigned i = 0; i < p->checks; i++)
        cm_sig_key_free(p->check[i].k);
    cm_secret_free(p->pin, CM_P11_PIN_MAX);
    pthread_cond_destroy(&p->freed);
    pthread_mutex_destroy(&p->lock);
    cm_free(p);
}

void cm_p11_free_ptr(cm_p11 **p)
{
    cm_p11_free(*p);
}
