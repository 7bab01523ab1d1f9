/* Attributes: what the objects of a token say of themselves, and templates from outside. */
#include "module.h"
#include "pki/keyfile.h"

/* ---- templates ----------------------------------------------------------------------------- */

CK_RV cm_p11_template_check(const CK_ATTRIBUTE *a, CK_ULONG n)
{
    if (n > CM_P11_TEMPLATE || (n && !a))
        return CKR_ARGUMENTS_BAD;
    for (CK_ULONG i = 0; i < n; i++)
        if (a[i].ulValueLen > CM_P11_VALUE || (a[i].ulValueLen && !a[i].pValue))
            return CKR_ATTRIBUTE_VALUE_INVALID;
    return CKR_OK;
}

const CK_ATTRIBUTE *cm_p11_template_get(const CK_ATTRIBUTE *a, CK_ULONG n, CK_ATTRIBUTE_TYPE t)
{
    for (CK_ULONG i = 0; i < n; i++)
        if (a[i].type == t)
            return &a[i];
    return NULL;
}

CK_RV cm_p11_template_number(CK_ULONG *out, const CK_ATTRIBUTE *a, CK_ULONG n, CK_ATTRIBUTE_TYPE t)
{
    const CK_ATTRIBUTE *x = cm_p11_template_get(a, n, t);

    if (!x)
        return CKR_OK;
    if (x->ulValueLen != sizeof *out)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    memcpy(out, x->pValue, sizeof *out);
    return CKR_OK;
}

CK_RV cm_p11_template_bool(bool *out, const CK_ATTRIBUTE *a, CK_ULONG n, CK_ATTRIBUTE_TYPE t)
{
    const CK_ATTRIBUTE *x = cm_p11_template_get(a, n, t);
    CK_BBOOL v;

    if (!x)
        return CKR_OK;
    if (x->ulValueLen != sizeof v)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    memcpy(&v, x->pValue, sizeof v);
    if (v > CK_TRUE)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    *out = v == CK_TRUE;
    return CKR_OK;
}

/* ---- values -------------------------------------------------------------------------------- */

static CK_RV put(cm_buf *out, cm_view v)
{
    return cm_p11_rv(cm_buf_append(out, v));
}

static CK_RV put_number(cm_buf *out, CK_ULONG v)
{
    return put(out, cm_view_of(&v, sizeof v));
}

static CK_RV put_bool(cm_buf *out, bool v)
{
    return put(out, cm_view_of(v ? "\1" : "\0", 1));
}

/* The content of one DER value of at most 64 KiB with this tag; *v moves behind it. */
static cm_err der(cm_view *out, cm_view *v, uint8_t tag)
{
    size_t head = 2, n;

    if (v->n < 2 || v->p[0] != tag)
        return CM_FAIL(KEY_MALFORMED);
    n = v->p[1];
    if (n == 0x81 || n == 0x82) {
        size_t more = n - 0x80;

        if (v->n < 2 + more)
            return CM_FAIL(KEY_MALFORMED);
        n = more == 1 ? v->p[2] : cm_get_be16(v->p + 2);
        head += more;
    } else if (n >= 0x80) {
        return CM_FAIL(KEY_MALFORMED);
    }
    if (n > v->n - head)
        return CM_FAIL(KEY_MALFORMED);
    *out = cm_view_sub(*v, head, n);
    *v = cm_view_sub(*v, head + n, v->n - head - n);
    return CM_OKAY;
}

cm_err cm_p11_rsa_modulus(cm_view *out, cm_view spki)
{
    cm_view whole, algorithm, bits, key, n;

    CM_TRY(der(&whole, &spki, 0x30));
    CM_TRY(der(&algorithm, &whole, 0x30));
    CM_TRY(der(&bits, &whole, 0x03));
    if (spki.n || whole.n || bits.n < 1 || bits.p[0] != 0)
        return CM_FAIL(KEY_MALFORMED);
    bits = cm_view_sub(bits, 1, bits.n - 1);
    CM_TRY(der(&key, &bits, 0x30));
    CM_TRY(der(&n, &key, 0x02));
    while (n.n && n.p[0] == 0)
        n = cm_view_sub(n, 1, n.n - 1);
    if (n.n == 0)
        return CM_FAIL(KEY_MALFORMED);
    *out = n;
    return CM_OKAY;
}

static CK_RV put_point(cm_buf *out, cm_view point)
{
    uint8_t head[3] = {0x04, (uint8_t)point.n};
    bool is_long = point.n >= 0x80;

    if (point.n > 0xff)
        return CKR_DEVICE_ERROR;
    if (is_long) {
        head[1] = 0x81;
        head[2] = (uint8_t)point.n;
    }
    P11_TRY(put(out, cm_view_of(head, is_long ? 3 : 2)));
    return put(out, point);
}

static cm_err spki(cm_buf *out, const cm_p11_slot *s, const cm_p11_key *k)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *key = NULL;
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *sig = NULL;
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *kem = NULL;
    cm_view raw = cm_buf_view(&k->public_key);

    if (k->info->family == CM_FAMILY_RSA)
        return cm_buf_append(out, raw);
    if (k->info->family == CM_FAMILY_SIG) {
        CM_TRY(cm_sig_from_public(&sig, s->crypt, (cm_sig_id)k->info->algorithm, raw));
        CM_TRY(cm_pkey_from_sig(&key, &sig));
    } else {
        CM_TRY(cm_kem_from_public(&kem, s->crypt, (cm_kem_id)k->info->algorithm, raw));
        CM_TRY(cm_pkey_from_kem(&key, &kem));
    }
    return cm_pkey_public_der(out, key);
}

/* ---- of keys at the server ---- */

/* Whether a kind of key has this part at all. */
static bool has_part(CK_KEY_TYPE kind, CK_ATTRIBUTE_TYPE t)
{
    bool curve = kind == CKK_EC || kind == CKK_EC_EDWARDS;

    if (t == CKA_EC_POINT)
        return curve;
    if (t == CKA_MODULUS)
        return kind == CKK_RSA;
    return t == CKA_PUBLIC_KEY_INFO || (!curve && kind != CKK_RSA);
}

/* What comes out of the public key, of either half: hosts read a private key's modulus too. */
static CK_RV from_public(cm_buf *out, cm_p11_slot *s, const cm_p11_object *o, CK_ATTRIBUTE_TYPE t)
{
    cm_view v;

    if (t == CKA_VALUE && o->class != CKO_PUBLIC_KEY)
        return CKR_ATTRIBUTE_SENSITIVE;
    if (!has_part(o->kind->kind, t) || o->class == CKO_SECRET_KEY)
        return CKR_ATTRIBUTE_TYPE_INVALID;
    P11_TRY(cm_p11_public(s, o->key));
    v = cm_buf_view(&o->key->public_key); /* never changes once it is there */
    if (t == CKA_PUBLIC_KEY_INFO)
        return cm_p11_rv(spki(out, s, o->key));
    if (t == CKA_EC_POINT)
        return put_point(out, v);
    if (t == CKA_MODULUS)
        P11_OK(cm_p11_rsa_modulus(&v, v));
    return put(out, v);
}

static CK_RV of_type(cm_buf *out, const cm_p11_object *o, CK_ATTRIBUTE_TYPE t)
{
    const cm_p11_kind *k = o->kind;

    if (t == CKA_EC_PARAMS && k->params)
        return put(out, cm_view_of(k->params, k->params_n));
    if (t == CKA_PARAMETER_SET && k->set)
        return put_number(out, k->set);
    if (t == CKA_MODULUS_BITS && k->kind == CKK_RSA)
        return put_number(out, k->bits);
    if (t == CKA_PUBLIC_EXPONENT && k->kind == CKK_RSA)
        return put(out, CM_LIT("\x01\x00\x01"));
    if (t == CKA_VALUE_LEN && o->class == CKO_SECRET_KEY)
        return put_number(out, k->bits / 8);
    return CKR_ATTRIBUTE_TYPE_INVALID;
}

/* Which classes have an attribute that is true or false, and of which it is true. */
enum { PUB = 1, PRIV = 2, SECRET = 4, ALL = 7, LOCKED = 8, BY_USE = 16 };
typedef struct {
    CK_ATTRIBUTE_TYPE type;
    unsigned has, yes;
    unsigned can; /* with BY_USE: what the key's type must be able to do */
} flag;
static const flag flags[] = {
    {CKA_TOKEN, ALL, ALL, 0},
    {CKA_LOCAL, ALL, ALL, 0},
    {CKA_PRIVATE, ALL, LOCKED, 0},
    {CKA_MODIFIABLE, ALL, 0, 0},
    {CKA_COPYABLE, ALL, 0, 0},
    {CKA_DESTROYABLE, ALL, 0, 0},
    {CKA_SIGN, PRIV | SECRET, BY_USE, CAN_SIGN | CAN_MAC},
    {CKA_VERIFY, PUB | SECRET, BY_USE, CAN_SIGN | CAN_MAC},
    {CKA_ENCRYPT, PUB | SECRET, BY_USE, CAN_ENCRYPT},
    {CKA_DECRYPT, PRIV | SECRET, BY_USE, CAN_ENCRYPT},
    {CKA_ENCAPSULATE, PUB, BY_USE, CAN_KEM},
    {CKA_DECAPSULATE, PRIV, BY_USE, CAN_KEM},
    {CKA_WRAP, PUB | SECRET, 0, 0},
    {CKA_UNWRAP, PRIV | SECRET, 0, 0},
    {CKA_DERIVE, ALL, 0, 0},
    {CKA_SIGN_RECOVER, PRIV, 0, 0},
    {CKA_VERIFY_RECOVER, PUB, 0, 0},
    {CKA_ALWAYS_AUTHENTICATE, PRIV, 0, 0},
    {CKA_SENSITIVE, PRIV | SECRET, ALL, 0},
    {CKA_ALWAYS_SENSITIVE, PRIV | SECRET, ALL, 0},
    {CKA_NEVER_EXTRACTABLE, PRIV | SECRET, ALL, 0},
    {CKA_EXTRACTABLE, PRIV | SECRET, 0, 0},
};

static const flag *flag_of(CK_ATTRIBUTE_TYPE t)
{
    for (size_t i = 0; i < CM_COUNT(flags); i++)
        if (flags[i].type == t)
            return &flags[i];
    return NULL;
}

static unsigned class_bit(CK_OBJECT_CLASS c)
{
    return c == CKO_PUBLIC_KEY ? PUB : c == CKO_PRIVATE_KEY ? PRIV : SECRET;
}

static CK_RV of_flag(cm_buf *out, const cm_p11_slot *s, const cm_p11_object *o, const flag *f)
{
    unsigned class = class_bit(o->class);

    if (!(f->has & class))
        return CKR_ATTRIBUTE_TYPE_INVALID;
    if (f->yes & BY_USE)
        return put_bool(out, (o->key->info->can & f->can) != 0);
    if (f->yes & LOCKED)
        return put_bool(out, s->locked && class != PUB);
    return put_bool(out, (f->yes & class) != 0);
}

static CK_RV label(cm_buf *out, const cm_p11_slot *s, const cm_p11_key *k)
{
    bool usual = strcmp(k->keyspace, "default") == 0 ||
                 (s->keyspace && strcmp(k->keyspace, s->keyspace) == 0);

    if (!usual) {
        P11_TRY(put(out, cm_view_str(k->keyspace)));
        P11_TRY(put(out, CM_LIT("/")));
    }
    return put(out, cm_view_str(k->name));
}

static CK_RV of_object(cm_buf *out, cm_p11_slot *s, const cm_p11_object *o, CK_ATTRIBUTE_TYPE t)
{
    const flag *f = flag_of(t);

    if (f)
        return of_flag(out, s, o, f);
    switch (t) {
    case CKA_CLASS:
        return put_number(out, o->class);
    case CKA_KEY_TYPE:
        return put_number(out, o->kind->kind);
    case CKA_LABEL:
        return label(out, s, o->key);
    case CKA_ID:
        return put(out, cm_view_of(o->key->id, o->key->id_n));
    case CKA_SUBJECT:
        return o->class == CKO_SECRET_KEY ? CKR_ATTRIBUTE_TYPE_INVALID : CKR_OK;
    case CKA_VALUE:
    case CKA_EC_POINT:
    case CKA_MODULUS:
    case CKA_PUBLIC_KEY_INFO:
        return from_public(out, s, o, t);
    default:
        return of_type(out, o, t);
    }
}

/* ---- of secrets in the session ---- */

static CK_RV of_secret(cm_buf *out, const cm_p11_secret *x, CK_ATTRIBUTE_TYPE t)
{
    const flag *f = flag_of(t);

    switch (t) {
    case CKA_CLASS:
        return put_number(out, CKO_SECRET_KEY);
    case CKA_KEY_TYPE:
        return put_number(out, x->kind);
    case CKA_VALUE_LEN:
        return put_number(out, x->n);
    case CKA_LABEL:
        return put(out, cm_view_of(x->label, x->label_n));
    case CKA_ID:
        return put(out, cm_view_of(x->id, x->id_n));
    case CKA_VALUE:
        return x->extractable ? put(out, cm_view_of(x->bytes, x->n)) : CKR_ATTRIBUTE_SENSITIVE;
    case CKA_SENSITIVE:
        return put_bool(out, !x->extractable);
    case CKA_EXTRACTABLE:
        return put_bool(out, x->extractable);
    case CKA_DESTROYABLE:
        return put_bool(out, true);
    default:
        /* It is there to be read, and for nothing else. */
        return f && (f->has & SECRET) ? put_bool(out, false) : CKR_ATTRIBUTE_TYPE_INVALID;
    }
}

CK_RV cm_p11_attribute(cm_buf *out, cm_p11_slot *s, const cm_p11_object *o, CK_ATTRIBUTE_TYPE t)
{
    return o->secret ? of_secret(out, o->secret, t) : of_object(out, s, o, t);
}
