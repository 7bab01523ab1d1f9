/* New keys, encapsulated secrets, random bytes. */
#include <stdio.h>

#include "base/secret.h"
#include "codec/text.h"
#include "entry.h"

enum { ARENA = 4 << 20, SECRETS = 0x40000000 };

/* ---- keys ---------------------------------------------------------------------------------- */

/* What a host wants a new key to be, out of one template or two. */
typedef struct {
    cm_key_type type;
    uint8_t name[CM_P11_NAME];
    size_t name_n;
    cm_view id;
} wish;

/* The same attribute may stand in both templates; a pair has one name and one id. */
static CK_RV text(cm_view *out, const CK_ATTRIBUTE *a, CK_ULONG n, CK_ATTRIBUTE_TYPE t, size_t max)
{
    const CK_ATTRIBUTE *x = cm_p11_template_get(a, n, t);
    cm_view v;

    if (!x || x->ulValueLen == 0)
        return CKR_OK;
    v = cm_view_of(x->pValue, x->ulValueLen);
    if (v.n > max || (out->n && !cm_view_eq(*out, v)))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    *out = v;
    return CKR_OK;
}

static CK_RV expect_class(const CK_ATTRIBUTE *a, CK_ULONG n, CK_OBJECT_CLASS class,
                          CK_KEY_TYPE kind)
{
    CK_ULONG c = class, k = kind;

    P11_TRY(cm_p11_template_number(&c, a, n, CKA_CLASS));
    P11_TRY(cm_p11_template_number(&k, a, n, CKA_KEY_TYPE));
    return c == class && k == kind ? CKR_OK : CKR_TEMPLATE_INCONSISTENT;
}

/* Keys stay at the server: not of the session, not to be read. */
static CK_RV expect_kept(const CK_ATTRIBUTE *a, CK_ULONG n, bool must)
{
    bool token = !must, sensitive = true, extractable = false;

    P11_TRY(cm_p11_template_bool(&token, a, n, CKA_TOKEN));
    P11_TRY(cm_p11_template_bool(&sensitive, a, n, CKA_SENSITIVE));
    P11_TRY(cm_p11_template_bool(&extractable, a, n, CKA_EXTRACTABLE));
    return token && sensitive && !extractable ? CKR_OK : CKR_TEMPLATE_INCONSISTENT;
}

/* Which type of the server's it is, by what the template says of its kind. */
static bool is_wanted(const cm_p11_kind *k, const CK_ATTRIBUTE *params, CK_ULONG set, CK_ULONG bits)
{
    if (k->params)
        return params && cm_view_eq(cm_view_of(params->pValue, params->ulValueLen),
                                    cm_view_of(k->params, k->params_n));
    return (k->set == 0 || k->set == set) && (k->kind != CKK_RSA || k->bits == bits);
}

static CK_RV no_type(CK_KEY_TYPE kind, bool params, CK_ULONG set, CK_ULONG bits)
{
    if (kind == CKK_RSA)
        return bits ? CKR_KEY_SIZE_RANGE : CKR_TEMPLATE_INCOMPLETE;
    if (kind == CKK_EC || kind == CKK_EC_EDWARDS)
        return params ? CKR_CURVE_NOT_SUPPORTED : CKR_TEMPLATE_INCOMPLETE;
    return set ? CKR_PARAMETER_SET_NOT_SUPPORTED : CKR_TEMPLATE_INCOMPLETE;
}

static CK_RV type_of(cm_key_type *out, CK_KEY_TYPE kind, const CK_ATTRIBUTE *a, CK_ULONG n)
{
    const CK_ATTRIBUTE *params = cm_p11_template_get(a, n, CKA_EC_PARAMS);
    CK_ULONG set = 0, bits = 0, len = 32;

    P11_TRY(cm_p11_template_number(&set, a, n, CKA_PARAMETER_SET));
    P11_TRY(cm_p11_template_number(&bits, a, n, CKA_MODULUS_BITS));
    P11_TRY(cm_p11_template_number(&len, a, n, CKA_VALUE_LEN));
    if (kind == CKK_AES && len != 32)
        return CKR_KEY_SIZE_RANGE;
    for (size_t i = 0; cm_p11_kind_at(i); i++)
        if (cm_p11_kind_at(i)->kind == kind && is_wanted(cm_p11_kind_at(i), params, set, bits)) {
            *out = cm_p11_kind_at(i)->type;
            return CKR_OK;
        }
    return no_type(kind, params != NULL, set, bits);
}

static CK_RV exponent(const CK_ATTRIBUTE *a, CK_ULONG n)
{
    const CK_ATTRIBUTE *e = cm_p11_template_get(a, n, CKA_PUBLIC_EXPONENT);

    if (!e || e->ulValueLen == 0)
        return CKR_OK;
    return cm_view_eq(cm_view_of(e->pValue, e->ulValueLen), CM_LIT("\x01\x00\x01"))
               ? CKR_OK
               : CKR_ATTRIBUTE_VALUE_INVALID;
}

/* The label is the key's name; without one it gets a name of its own. */
static CK_RV name_it(wish *w, const cm_p11_slot *s, cm_view label)
{
    uint8_t random[8];
    char name[32];
    int n;

    if (label.n) {
        memcpy(w->name, label.p, label.n);
        w->name_n = label.n;
        return CKR_OK;
    }
    P11_OK(cm_random(s->crypt, random, sizeof random));
    n = snprintf(name, sizeof name, "pkcs11-%016llx", (unsigned long long)cm_get_be64(random));
    memcpy(w->name, name, (size_t)n);
    w->name_n = (size_t)n;
    return CKR_OK;
}

static CK_RV request(cm_msg **out, cm_arena *a, const cm_p11_slot *s, const wish *w)
{
    CM_AUTO(cm_buf_free) cm_buf tag = {.max = 64};
    cm_view *tags;
    cm_msg *q;

    P11_OK(cm_msg_new(&q, a, &cm_message_CreateKeyRequest));
    cm_p11_set(q, M_CreateKeyRequest_type, cm_view_str(cm_key_type_of(w->type)->name));
    if (s->keyspace && s->keyspace[0])
        cm_p11_set(q, M_CreateKeyRequest_keyspace, cm_view_str(s->keyspace));
    if (w->id.n) {
        P11_OK(cm_arena_get(a, &tags, sizeof *tags));
        P11_OK(cm_buf_append(&tag, CM_LIT("pkcs11-id:")));
        P11_OK(cm_hex_encode(&tag, w->id));
        P11_OK(cm_arena_copy(a, &tags[0], cm_buf_view(&tag)));
        q->v[M_CreateKeyRequest_tags].set = true;
        q->v[M_CreateKeyRequest_tags].n = 1;
        q->v[M_CreateKeyRequest_tags].views = tags;
    }
    *out = q;
    return CKR_OK;
}

static CK_RV create(cm_p11_key **out, cm_p11_slot *s, const wish *w)
{
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    cm_p11_key named = {.name = ""};
    cm_msg *q, *got;
    CK_RV rv;

    memcpy(named.name, w->name, w->name_n);
    if (strlen(named.name) != w->name_n)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    P11_OK(cm_arena_new(&a, ARENA));
    P11_TRY(request(&q, a, s, w));
    P11_TRY(cm_p11_ask(s, "", &named, q, &cm_message_Key, a, &got));
    cm_p11_lock();
    rv = cm_p11_learn(s, got, out);
    cm_p11_unlock();
    if (rv == CKR_OK && !*out)
        return CKR_DEVICE_ERROR;
    return rv;
}

static CK_RV take_rw(cm_p11_session **s, CK_SESSION_HANDLE session, const cm_p11_mech **mech,
                     const CK_MECHANISM *m, CK_FLAGS use)
{
    CM_AUTO(cm_buf_free) cm_buf none = {0};

    P11_TRY(cm_p11_take_open(s, session));
    if (!(*s)->rw)
        return CKR_SESSION_READ_ONLY;
    return cm_p11_mech_parse(mech, &none, m, use);
}

CK_RV C_GenerateKey(CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_ATTRIBUTE *a, CK_ULONG n,
                    CK_OBJECT_HANDLE *key)
{
    CM_AUTO(cm_p11_give) cm_p11_session *s = NULL;
    const cm_p11_mech *mech;
    cm_view label = {0};
    cm_p11_key *made;
    wish w = {0};

    P11_TRY(take_rw(&s, session, &mech, m, CKF_GENERATE));
    if (!key)
        return CKR_ARGUMENTS_BAD;
    P11_TRY(cm_p11_template_check(a, n));
    P11_TRY(expect_class(a, n, CKO_SECRET_KEY, mech->kind));
    P11_TRY(expect_kept(a, n, true));
    P11_TRY(type_of(&w.type, mech->kind, a, n));
    P11_TRY(text(&label, a, n, CKA_LABEL, CM_P11_NAME));
    P11_TRY(text(&w.id, a, n, CKA_ID, CM_P11_ID));
    P11_TRY(name_it(&w, s->slot, label));
    P11_TRY(create(&made, s->slot, &w));
    cm_p11_lock();
    *key = cm_p11_handle(s->slot, made, false);
    cm_p11_unlock();
    return CKR_OK;
}

static CK_RV pair_wish(wish *w, const cm_p11_slot *s, const cm_p11_mech *mech,
                       const CK_ATTRIBUTE *pub, CK_ULONG pub_n, const CK_ATTRIBUTE *priv,
                       CK_ULONG priv_n)
{
    cm_view label = {0};

    P11_TRY(cm_p11_template_check(pub, pub_n));
    P11_TRY(cm_p11_template_check(priv, priv_n));
    P11_TRY(expect_class(pub, pub_n, CKO_PUBLIC_KEY, mech->kind));
    P11_TRY(expect_class(priv, priv_n, CKO_PRIVATE_KEY, mech->kind));
    P11_TRY(expect_kept(priv, priv_n, true));
    P11_TRY(type_of(&w->type, mech->kind, pub, pub_n));
    P11_TRY(exponent(pub, pub_n));
    P11_TRY(text(&label, priv, priv_n, CKA_LABEL, CM_P11_NAME));
    P11_TRY(text(&label, pub, pub_n, CKA_LABEL, CM_P11_NAME));
    P11_TRY(text(&w->id, priv, priv_n, CKA_ID, CM_P11_ID));
    P11_TRY(text(&w->id, pub, pub_n, CKA_ID, CM_P11_ID));
    return name_it(w, s, label);
}

CK_RV C_GenerateKeyPair(CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_ATTRIBUTE *pub,
                        CK_ULONG pub_n, CK_ATTRIBUTE *priv, CK_ULONG priv_n,
                        CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key)
{
    CM_AUTO(cm_p11_give) cm_p11_session *s = NULL;
    const cm_p11_mech *mech;
    cm_p11_key *made;
    wish w = {0};

    P11_TRY(take_rw(&s, session, &mech, m, CKF_GENERATE_KEY_PAIR));
    if (!public_key || !private_key)
        return CKR_ARGUMENTS_BAD;
    P11_TRY(pair_wish(&w, s->slot, mech, pub, pub_n, priv, priv_n));
    P11_TRY(create(&made, s->slot, &w));
    cm_p11_lock();
    *public_key = cm_p11_handle(s->slot, made, true);
    *private_key = cm_p11_handle(s->slot, made, false);
    cm_p11_unlock();
    return CKR_OK;
}

/* ---- encapsulation ------------------------------------------------------------------------- */

static void secret_free(cm_p11_secret **x)
{
    if (!*x)
        return;
    cm_secret_free((*x)->bytes, CM_KEM_SEED_MAX);
    cm_free(*x);
}

/* By what the template wants the secret to be: 32 bytes, whatever they are called. */
static CK_RV secret_new(cm_p11_secret **out, const CK_ATTRIBUTE *a, CK_ULONG n)
{
    CM_AUTO(secret_free) cm_p11_secret *x = NULL;
    CK_ULONG class = CKO_SECRET_KEY, kind = CKK_GENERIC_SECRET, len = 32;
    bool token = false, sensitive = true, extractable = false;
    cm_view label = {0}, id = {0};

    P11_TRY(cm_p11_template_check(a, n));
    P11_TRY(cm_p11_template_number(&class, a, n, CKA_CLASS));
    P11_TRY(cm_p11_template_number(&kind, a, n, CKA_KEY_TYPE));
    P11_TRY(cm_p11_template_number(&len, a, n, CKA_VALUE_LEN));
    P11_TRY(cm_p11_template_bool(&token, a, n, CKA_TOKEN));
    P11_TRY(cm_p11_template_bool(&sensitive, a, n, CKA_SENSITIVE));
    P11_TRY(cm_p11_template_bool(&extractable, a, n, CKA_EXTRACTABLE));
    P11_TRY(text(&label, a, n, CKA_LABEL, CM_P11_NAME));
    P11_TRY(text(&id, a, n, CKA_ID, CM_P11_ID));
    if (class != CKO_SECRET_KEY || token || len != 32 ||
        (kind != CKK_GENERIC_SECRET && kind != CKK_AES))
        return CKR_TEMPLATE_INCONSISTENT;
    P11_OK(cm_alloc(&x, sizeof *x));
    P11_OK(cm_secret_new(&x->bytes, CM_KEM_SEED_MAX));
    x->kind = kind;
    x->extractable = extractable && !sensitive;
    if (label.n)
        memcpy(x->label, label.p, label.n);
    if (id.n)
        memcpy(x->id, id.p, id.n);
    x->label_n = label.n;
    x->id_n = id.n;
    *out = x;
    x = NULL;
    return CKR_OK;
}

static CK_RV keep(cm_p11_session *s, cm_p11_secret **x, cm_view bytes, CK_OBJECT_HANDLE *handle)
{
    cm_p11_module *m = cm_p11_state();

    if (bytes.n != 32)
        return CKR_DEVICE_ERROR;
    if (s->secrets_n == CM_P11_SECRETS)
        return CKR_DEVICE_MEMORY;
    memcpy((*x)->bytes, bytes.p, bytes.n);
    (*x)->n = bytes.n;
    cm_p11_lock();
    (*x)->handle = SECRETS + m->next++;
    cm_p11_unlock();
    *handle = (*x)->handle;
    s->secrets[s->secrets_n++] = *x;
    *x = NULL;
    return CKR_OK;
}

static CK_RV kem_key(cm_p11_object *o, const cm_p11_session *s, const CK_MECHANISM *m,
                     CK_OBJECT_HANDLE key, CK_FLAGS use)
{
    CM_AUTO(cm_buf_free) cm_buf none = {0};
    const cm_p11_mech *mech;

    P11_TRY(cm_p11_mech_parse(&mech, &none, m, use));
    if (cm_p11_object_of(o, s, key) != CKR_OK)
        return CKR_KEY_HANDLE_INVALID;
    if (o->secret || o->kind->kind != mech->kind)
        return CKR_KEY_TYPE_INCONSISTENT;
    return o->class == (use == CKF_ENCAPSULATE ? CKO_PUBLIC_KEY : CKO_PRIVATE_KEY)
               ? CKR_OK
               : CKR_KEY_FUNCTION_NOT_PERMITTED;
}

static CK_RV kem_request(cm_msg **out, cm_arena *a, const cm_p11_key *k, const cm_message *type)
{
    P11_OK(cm_msg_new(out, a, type));
    cm_p11_set(*out, M_KeyVersionRequest_keyspace, cm_view_str(k->keyspace));
    cm_p11_set_number(*out, M_KeyVersionRequest_version, k->version);
    return CKR_OK;
}

CK_RV C_EncapsulateKey(CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_OBJECT_HANDLE to,
                       CK_ATTRIBUTE *a, CK_ULONG n, CK_BYTE *out, CK_ULONG *out_n,
                       CK_OBJECT_HANDLE *key)
{
    CM_AUTO(cm_arena_free_ptr) cm_arena *arena = NULL;
    CM_AUTO(secret_free) cm_p11_secret *x = NULL;
    CM_AUTO(cm_p11_give) cm_p11_session *s = NULL;
    cm_p11_object o;
    cm_msg *q, *got;
    cm_view ct;

    P11_TRY(cm_p11_take_open(&s, session));
    if (!out_n || (out && !key))
        return CKR_ARGUMENTS_BAD;
    P11_TRY(kem_key(&o, s, m, to, CKF_ENCAPSULATE));
    if (!out || *out_n < o.kind->sig) {
        *out_n = o.kind->sig;
        return out ? CKR_BUFFER_TOO_SMALL : CKR_OK;
    }
    P11_TRY(secret_new(&x, a, n));
    P11_OK(cm_arena_new(&arena, ARENA));
    P11_TRY(kem_request(&q, arena, o.key, &cm_message_KeyVersionRequest));
    P11_TRY(
        cm_p11_ask(s->slot, ":encapsulate", o.key, q, &cm_message_EncapsulateAnswer, arena, &got));
    ct = cm_msg_view(got, M_EncapsulateAnswer_ciphertext);
    if (ct.n != o.kind->sig)
        return CKR_DEVICE_ERROR;
    P11_TRY(keep(s, &x, cm_msg_view(got, M_EncapsulateAnswer_shared_secret), key));
    return cm_p11_out(ct, out, out_n);
}

CK_RV C_DecapsulateKey(CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_OBJECT_HANDLE with,
                       CK_ATTRIBUTE *a, CK_ULONG n, CK_BYTE *data, CK_ULONG data_n,
                       CK_OBJECT_HANDLE *key)
{
    CM_AUTO(cm_arena_free_ptr) cm_arena *arena = NULL;
    CM_AUTO(secret_free) cm_p11_secret *x = NULL;
    CM_AUTO(cm_p11_give) cm_p11_session *s = NULL;
    cm_p11_object o;
    cm_msg *q, *got;

    P11_TRY(cm_p11_take_open(&s, session));
    if (!key || (data_n && !data))
        return CKR_ARGUMENTS_BAD;
    P11_TRY(kem_key(&o, s, m, with, CKF_DECAPSULATE));
    if (data_n != o.kind->sig)
        return CKR_ENCRYPTED_DATA_LEN_RANGE;
    P11_TRY(secret_new(&x, a, n));
    P11_OK(cm_arena_new(&arena, ARENA));
    P11_TRY(kem_request(&q, arena, o.key, &cm_message_DecapsulateRequest));
    cm_p11_set(q, M_DecapsulateRequest_ciphertext, cm_view_of(data, data_n));
    P11_TRY(
        cm_p11_ask(s->slot, ":decapsulate", o.key, q, &cm_message_DecapsulateAnswer, arena, &got));
    return keep(s, &x, cm_msg_view(got, M_DecapsulateAnswer_shared_secret), key);
}

/* ---- random bytes -------------------------------------------------------------------------- */

CK_RV C_SeedRandom(CK_SESSION_HANDLE session, CK_BYTE *seed, CK_ULONG seed_n)
{
    CM_AUTO(cm_p11_give) cm_p11_session *s = NULL;

    (void)seed;
    (void)seed_n;
    P11_TRY(cm_p11_take(&s, session));
    return CKR_RANDOM_SEED_NOT_SUPPORTED;
}

CK_RV C_GenerateRandom(CK_SESSION_HANDLE session, CK_BYTE *out, CK_ULONG out_n)
{
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    CM_AUTO(cm_p11_give) cm_p11_session *s = NULL;
    cm_msg *q, *got;

    P11_TRY(cm_p11_take_open(&s, session));
    if (!out && out_n)
        return CKR_ARGUMENTS_BAD;
    if (out_n > CM_P11_RANDOM)
        return CKR_DATA_LEN_RANGE;
    P11_OK(cm_arena_new(&a, ARENA));
    for (CK_ULONG at = 0; at < out_n;) {
        CK_ULONG n = CM_MIN(out_n - at, 4096UL);
        cm_view v;

        P11_OK(cm_msg_new(&q, a, &cm_message_RandomRequest));
        cm_p11_set_number(q, M_RandomRequest_bytes, n);
        P11_TRY(cm_p11_ask(s->slot, ":random", NULL, q, &cm_message_RandomAnswer, a, &got));
        v = cm_msg_view(got, M_RandomAnswer_data);
        if (v.n != n)
            return CKR_DEVICE_ERROR;
        memcpy(out + at, v.p, n);
        at += n;
    }
    return CKR_OK;
}
