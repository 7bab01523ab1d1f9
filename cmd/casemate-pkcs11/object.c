/* Objects: handles, the search for them, their attributes. */
#include "base/secret.h"
#include "entry.h"

/* Handles. Of a key, twice its place among the slot's keys and one or two; of a session's secret,
 * from SECRETS on. */
enum { SECRETS = 0x40000000 };

CK_OBJECT_HANDLE cm_p11_handle(const cm_p11_slot *s, const cm_p11_key *k, bool public_half)
{
    for (size_t i = 0; i < s->keys_n; i++)
        if (s->keys[i] == k)
            return 2 * i + (public_half ? 2 : 1);
    return 0;
}

static bool has_halves(const cm_p11_key *k)
{
    return (k->info->can & (CAN_SIGN | CAN_KEM)) != 0;
}

static CK_RV secret_of(cm_p11_object *out, const cm_p11_session *s, CK_OBJECT_HANDLE h)
{
    for (size_t i = 0; i < s->secrets_n; i++)
        if (s->secrets[i]->handle == h) {
            *out = (cm_p11_object){.class = CKO_SECRET_KEY, .secret = s->secrets[i]};
            return CKR_OK;
        }
    return CKR_OBJECT_HANDLE_INVALID;
}

CK_RV cm_p11_object_of(cm_p11_object *out, const cm_p11_session *s, CK_OBJECT_HANDLE h)
{
    cm_p11_key *k = NULL;
    bool public_half = h % 2 == 0;

    if (h == 0)
        return CKR_OBJECT_HANDLE_INVALID;
    if (h >= SECRETS)
        return secret_of(out, s, h);
    cm_p11_lock();
    if ((h - 1) / 2 < s->slot->keys_n)
        k = s->slot->keys[(h - 1) / 2];
    cm_p11_unlock();
    if (!k || (public_half && !has_halves(k)))
        return CKR_OBJECT_HANDLE_INVALID;
    *out = (cm_p11_object){.key = k, .kind = cm_p11_kind_of(k->info->type)};
    if (public_half)
        out->class = CKO_PUBLIC_KEY;
    else
        out->class = has_halves(k) ? CKO_PRIVATE_KEY : CKO_SECRET_KEY;
    return CKR_OK;
}

/* ---- search -------------------------------------------------------------------------------- */

/* CKR_OK with *yes. An object that can't answer does not match. */
static CK_RV matches(bool *yes, cm_p11_slot *s, const cm_p11_object *o, const CK_ATTRIBUTE *a,
                     CK_ULONG n)
{
    *yes = false;
    for (CK_ULONG i = 0; i < n; i++) {
        CM_AUTO(cm_buf_free) cm_buf v = {.max = CM_P11_VALUE};
        CK_RV rv = cm_p11_attribute(&v, s, o, a[i].type);

        if (rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_SENSITIVE)
            return CKR_OK;
        P11_TRY(rv);
        if (v.n != a[i].ulValueLen || (v.n && memcmp(v.p, a[i].pValue, v.n) != 0))
            return CKR_OK;
    }
    *yes = true;
    return CKR_OK;
}

/* Attributes that cost a question to the server come last: most objects fall out before. */
static bool costs(CK_ATTRIBUTE_TYPE t)
{
    return t == CKA_VALUE || t == CKA_EC_POINT || t == CKA_MODULUS || t == CKA_PUBLIC_KEY_INFO;
}

static CK_ULONG sorted(CK_ATTRIBUTE out[CM_P11_TEMPLATE], const CK_ATTRIBUTE *a, CK_ULONG n)
{
    CK_ULONG k = 0;

    for (int costly = 0; costly < 2; costly++)
        for (CK_ULONG i = 0; i < n; i++)
            if (costs(a[i].type) == (costly == 1))
                out[k++] = a[i];
    return k;
}

static CK_RV consider(cm_p11_session *s, size_t *n, CK_OBJECT_HANDLE h, const CK_ATTRIBUTE *a,
                      CK_ULONG a_n)
{
    cm_p11_object o;
    bool yes = false;

    if (cm_p11_object_of(&o, s, h) != CKR_OK || (o.key && !o.key->listed))
        return CKR_OK;
    P11_TRY(matches(&yes, s->slot, &o, a, a_n));
    if (yes)
        s->found[(*n)++] = h;
    return CKR_OK;
}

static CK_RV search(cm_p11_session *s, const CK_ATTRIBUTE *a, CK_ULONG a_n)
{
    CK_ATTRIBUTE by_cost[CM_P11_TEMPLATE];
    size_t keys, n = 0;

    sorted(by_cost, a, a_n);
    cm_p11_lock();
    keys = s->slot->keys_n;
    cm_p11_unlock();
    cm_free(s->found);
    s->found = NULL;
    P11_OK(cm_alloc_array(&s->found, 2 * keys + s->secrets_n + 1, sizeof *s->found));
    for (CK_OBJECT_HANDLE h = 1; h <= 2 * keys; h++)
        P11_TRY(consider(s, &n, h, by_cost, a_n));
    for (size_t i = 0; i < s->secrets_n; i++)
        P11_TRY(consider(s, &n, s->secrets[i]->handle, by_cost, a_n));
    s->found_n = n;
    s->found_at = 0;
    return CKR_OK;
}

CK_RV C_FindObjectsInit(CK_SESSION_HANDLE session, CK_ATTRIBUTE *a, CK_ULONG n)
{
    CM_AUTO(cm_p11_give) cm_p11_session *s = NULL;
    CK_RV rv = cm_p11_take_open(&s, session);

    /* Before the login a token has no objects to show. */
    if (rv == CKR_USER_NOT_LOGGED_IN) {
        P11_TRY(cm_p11_take(&s, session));
        s->finding = true;
        s->found_n = s->found_at = 0;
        return CKR_OK;
    }
    P11_TRY(rv);
    if (s->finding)
        return CKR_OPERATION_ACTIVE;
    P11_TRY(cm_p11_template_check(a, n));
    P11_TRY(cm_p11_list(s->slot, false));
    P11_TRY(search(s, a, n));
    s->finding = true;
    return CKR_OK;
}

CK_RV C_FindObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG max,
                    CK_ULONG *count)
{
    CM_AUTO(cm_p11_give) cm_p11_session *s = NULL;
    CK_ULONG n = 0;

    P11_TRY(cm_p11_take(&s, session));
    if (!count || (max && !objects))
        return CKR_ARGUMENTS_BAD;
    if (!s->finding)
        return CKR_OPERATION_NOT_INITIALIZED;
    while (n < max && s->found_at < s->found_n)
        objects[n++] = s->found[s->found_at++];
    *count = n;
    return CKR_OK;
}

CK_RV C_FindObjectsFinal(CK_SESSION_HANDLE session)
{
    CM_AUTO(cm_p11_give) cm_p11_session *s = NULL;

    P11_TRY(cm_p11_take(&s, session));
    if (!s->finding)
        return CKR_OPERATION_NOT_INITIALIZED;
    s->finding = false;
    return CKR_OK;
}

/* ---- attributes ---------------------------------------------------------------------------- */

static CK_RV read_one(cm_p11_slot *s, const cm_p11_object *o, CK_ATTRIBUTE *a)
{
    CM_AUTO(cm_buf_free) cm_buf v = {.max = CM_P11_VALUE};
    CK_RV rv = cm_p11_attribute(&v, s, o, a->type);

    if (rv == CKR_OK)
        rv = cm_p11_out(cm_buf_view(&v), a->pValue, &a->ulValueLen);
    if (rv != CKR_OK)
        a->ulValueLen = CK_UNAVAILABLE_INFORMATION;
    return rv;
}

static bool goes_on(CK_RV rv)
{
    return rv == CKR_OK || rv == CKR_ATTRIBUTE_SENSITIVE || rv == CKR_ATTRIBUTE_TYPE_INVALID ||
           rv == CKR_BUFFER_TOO_SMALL;
}

CK_RV C_GetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *a,
                          CK_ULONG n)
{
    CM_AUTO(cm_p11_give) cm_p11_session *s = NULL;
    cm_p11_object o;
    CK_RV all = CKR_OK;

    P11_TRY(cm_p11_take_open(&s, session));
    if (n > CM_P11_TEMPLATE || (n && !a))
        return CKR_ARGUMENTS_BAD;
    P11_TRY(cm_p11_object_of(&o, s, object));
    for (CK_ULONG i = 0; i < n; i++) {
        CK_RV rv = read_one(s->slot, &o, &a[i]);

        if (!goes_on(rv))
            return rv;
        all = all == CKR_OK ? rv : all;
    }
    return all;
}

CK_RV C_GetObjectSize(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ULONG *size)
{
    CM_AUTO(cm_p11_give) cm_p11_session *s = NULL;
    cm_p11_object o;

    P11_TRY(cm_p11_take_open(&s, session));
    if (!size)
        return CKR_ARGUMENTS_BAD;
    P11_TRY(cm_p11_object_of(&o, s, object));
    *size = CK_UNAVAILABLE_INFORMATION;
    return CKR_OK;
}

CK_RV C_SetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *a,
                          CK_ULONG n)
{
    CM_AUTO(cm_p11_give) cm_p11_session *s = NULL;
    cm_p11_object o;

    P11_TRY(cm_p11_take_open(&s, session));
    P11_TRY(cm_p11_template_check(a, n));
    P11_TRY(cm_p11_object_of(&o, s, object));
    return CKR_ACTION_PROHIBITED;
}

CK_RV C_CreateObject(CK_SESSION_HANDLE session, CK_ATTRIBUTE *a, CK_ULONG n,
                     CK_OBJECT_HANDLE *object)
{
    CM_AUTO(cm_p11_give) cm_p11_session *s = NULL;

    P11_TRY(cm_p11_take(&s, session));
    P11_TRY(cm_p11_template_check(a, n));
    return object ? CKR_ACTION_PROHIBITED : CKR_ARGUMENTS_BAD;
}

/* Keys of the server are destroyed at the server, which waits for a week and wants a signature. */
CK_RV C_DestroyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
    CM_AUTO(cm_p11_give) cm_p11_session *s = NULL;
    cm_p11_object o;

    P11_TRY(cm_p11_take_open(&s, session));
    P11_TRY(cm_p11_object_of(&o, s, object));
    for (size_t i = 0; o.secret && i < s->secrets_n; i++)
        if (s->secrets[i] == o.secret) {
            cm_secret_free(s->secrets[i]->bytes, CM_KEM_SEED_MAX);
            cm_free(s->secrets[i]);
            s->secrets[i] = s->secrets[--s->secrets_n];
            return CKR_OK;
        }
    return CKR_ACTION_PROHIBITED;
}
