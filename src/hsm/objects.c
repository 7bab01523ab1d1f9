#include "crypt/kem.h"
#include "hsm/p11_int.h"

enum { TEMPLATE = 16, POINT_MAX = CM_SIG_PK_MAX + 8 };

/* ---- what each algorithm is to a token ------------------------------------------------------ */

static const CK_BYTE p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
static const CK_BYTE secp256k1[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a};
/* 3.0 takes the curve's OID or its name as a PrintableString; tokens take one of them. */
static const CK_BYTE ed25519[] = {0x06, 0x03, 0x2b, 0x65, 0x70};
static const CK_BYTE ed25519_name[] = {0x13, 0x0c, 'e', 'd', 'w', 'a', 'r',
                                       'd',  's',  '2', '5', '5', '1', '9'};

static const CK_BYTE f4[] = {0x01, 0x00, 0x01};

struct form {
    CK_ULONG type, generate;
    const CK_BYTE *params[2]; /* tried in this order */
    CK_ULONG params_n[2];
    CK_ULONG set; /* ML-DSA, ML-KEM */
};

static const struct form forms[CM_HSM_ALGS + 1] = {
    [CM_HSM_AES256] = {CKK_AES, CKM_AES_KEY_GEN, {NULL, NULL}, {0, 0}, 0},
    [CM_HSM_P256] = {CKK_EC, CKM_EC_KEY_PAIR_GEN, {p256, NULL}, {sizeof p256, 0}, 0},
    [CM_HSM_SECP256K1] = {CKK_EC, CKM_EC_KEY_PAIR_GEN, {secp256k1, NULL}, {sizeof secp256k1, 0}, 0},
    [CM_HSM_ED25519] = {CKK_EC_EDWARDS,
                        CKM_EC_EDWARDS_KEY_PAIR_GEN,
                        {ed25519, ed25519_name},
                        {sizeof ed25519, sizeof ed25519_name},
                        0},
    [CM_HSM_MLDSA44] = {CKK_ML_DSA, CKM_ML_DSA_KEY_PAIR_GEN, {NULL, NULL}, {0, 0}, CKP_ML_DSA_44},
    [CM_HSM_MLDSA65] = {CKK_ML_DSA, CKM_ML_DSA_KEY_PAIR_GEN, {NULL, NULL}, {0, 0}, CKP_ML_DSA_65},
    [CM_HSM_MLDSA87] = {CKK_ML_DSA, CKM_ML_DSA_KEY_PAIR_GEN, {NULL, NULL}, {0, 0}, CKP_ML_DSA_87},
    [CM_HSM_RSA2048] = {CKK_RSA, CKM_RSA_PKCS_KEY_PAIR_GEN, {NULL, NULL}, {0, 0}, 0},
    [CM_HSM_RSA4096] = {CKK_RSA, CKM_RSA_PKCS_KEY_PAIR_GEN, {NULL, NULL}, {0, 0}, 0},
    [CM_HSM_MLKEM768] = {CKK_ML_KEM, CKM_ML_KEM_KEY_PAIR_GEN, {NULL, NULL}, {0, 0}, CKP_ML_KEM_768},
    [CM_HSM_MLKEM1024] =
        {CKK_ML_KEM, CKM_ML_KEM_KEY_PAIR_GEN, {NULL, NULL}, {0, 0}, CKP_ML_KEM_1024},
};

struct template
{
    CK_ATTRIBUTE a[TEMPLATE];
    CK_ULONG n;
    CK_ULONG words[TEMPLATE]; /* what attributes that are numbers point to */
    CK_BBOOL flags[TEMPLATE];
};

/* The interface takes pointers to non-const and does not write through them. */
static void *unconst(const void *p)
{
    void *q;

    memcpy(&q, &p, sizeof q);
    return q;
}

static void add(struct template *t, CK_ULONG type, const void *p, CK_ULONG n)
{
    t->a[t->n++] = (CK_ATTRIBUTE){type, unconst(p), n};
}

static void add_word(struct template *t, CK_ULONG type, CK_ULONG v)
{
    t->words[t->n] = v;
    add(t, type, &t->words[t->n], sizeof t->words[0]);
}

static void add_flag(struct template *t, CK_ULONG type, bool v)
{
    t->flags[t->n] = v;
    add(t, type, &t->flags[t->n], sizeof t->flags[0]);
}

static CK_ULONG secret_class(uint32_t alg)
{
    return alg == CM_HSM_AES256 ? CKO_SECRET_KEY : CKO_PRIVATE_KEY;
}

/* ---- looking ------------------------------------------------------------------------------- */

static cm_err search(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r, CK_ULONG class,
                     CK_OBJECT_HANDLE list[FOUND_MAX], CK_ULONG *n)
{
    return cm_p11_search(p, s, class, forms[r->alg].type, r->id, list, n);
}

/* A key as it is to the token, where a wrapping key may be of RSA. */
static cm_err search_own(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r, bool pub,
                         CK_OBJECT_HANDLE list[FOUND_MAX], CK_ULONG *n)
{
    cm_hsm_request as = *r;

    if (cm_p11_is_classical(p, r))
        as.alg = CM_HSM_RSA4096;
    return search(p, s, &as, pub ? CKO_PUBLIC_KEY : secret_class(as.alg), list, n);
}

static cm_err one(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r, CK_ULONG class,
                  CK_OBJECT_HANDLE *out)
{
    CK_OBJECT_HANDLE list[FOUND_MAX];
    CK_ULONG n;

    CM_TRY(search(p, s, r, class, list, &n));
    if (n != 1)
        return n ? CM_FAIL(HSM_KEYS) : CM_FAIL(HSM_NO_KEY);
    *out = list[0];
    return CM_OKAY;
}

static bool flag_is(cm_p11 *p, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h, CK_ULONG type, bool want,
                    CK_RV *rv)
{
    CK_BBOOL v = !want;
    CK_ATTRIBUTE a = {type, &v, sizeof v};

    *rv = p->m.f->C_GetAttributeValue(s, h, &a, 1);
    return *rv == CKR_OK && a.ulValueLen == sizeof v && (v != 0) == want;
}

cm_err cm_p11_held(cm_p11 *p, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h)
{
    static const struct {
        CK_ULONG type;
        bool want;
    } must[] = {{CKA_SENSITIVE, true},
                {CKA_EXTRACTABLE, false},
                {CKA_ALWAYS_SENSITIVE, true},
                {CKA_NEVER_EXTRACTABLE, true}};
    CK_RV rv;

    for (size_t i = 0; i < CM_COUNT(must); i++)
        if (!flag_is(p, s, h, must[i].type, must[i].want, &rv))
            return rv == CKR_OK || rv == CKR_ATTRIBUTE_TYPE_INVALID ? CM_FAIL(HSM_EXPORTABLE)
                                                                    : cm_p11_err(rv);
    return CM_OKAY;
}

/* ---- public keys --------------------------------------------------------------------------- */

/* An EC point is an OCTET STRING around the point; some tokens give the point alone, or a BIT
 * STRING. */
static cm_view inner(cm_view v, size_t want)
{
    if (v.n == want)
        return v;
    if (v.n == want + 2 && v.p[0] == 0x04 && v.p[1] == want)
        return cm_view_sub(v, 2, want);
    if (v.n == want + 3 && v.p[0] == 0x03 && v.p[1] == want + 1 && v.p[2] == 0)
        return cm_view_sub(v, 3, want);
    return cm_view_of("", 0);
}

/* *v: what a public key has in it, in room[POINT_MAX]. */
static cm_err attribute(cm_p11 *p, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h, CK_ULONG type,
                        uint8_t *room, cm_view *v)
{
    CK_ATTRIBUTE a = {type, room, POINT_MAX};
    cm_err e = cm_p11_err(p->m.f->C_GetAttributeValue(s, h, &a, 1));

    if (cm_is(e, CM_HSM_MECHANISM)) /* a public key has one: the handle has changed its meaning */
        return CM_FAIL(HSM_GONE);
    CM_TRY(e);
    if (a.ulValueLen > POINT_MAX)
        return CM_FAIL(HSM_DEVICE);
    *v = cm_view_of(room, a.ulValueLen);
    return CM_OKAY;
}

/* A SubjectPublicKeyInfo, as cm_rsa_from_public() takes it: what stands before a modulus of that
 * length, and the exponent after it, are always the same bytes. */
static cm_err rsa_public(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r,
                         CK_OBJECT_HANDLE h, uint8_t *room, cm_hsm_key *key)
{
    uint8_t n_hi = (uint8_t)(cm_hsm_alg_rsa(r->alg) / 8 >> 8);
    const uint8_t head[] = {0x30, 0x82, n_hi, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48,
                            0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00, 0x03, 0x82, n_hi,
                            0x0f, 0x00, 0x30, 0x82, n_hi, 0x0a, 0x02, 0x82, n_hi, 0x01, 0x00};
    CM_AUTO(cm_buf_free) cm_buf out = {.max = CM_SIG_PK_MAX};
    cm_view v;

    CM_TRY(attribute(p, s, h, CKA_PUBLIC_EXPONENT, room, &v));
    while (v.n && v.p[0] == 0)
        v = cm_view_sub(v, 1, v.n - 1);
    if (!cm_view_eq(v, CM_VIEW(f4)))
        return CM_FAIL(HSM_KEY_CHANGED);
    CM_TRY(attribute(p, s, h, CKA_MODULUS, room, &v));
    while (v.n && v.p[0] == 0)
        v = cm_view_sub(v, 1, v.n - 1);
    if (v.n != cm_hsm_alg_rsa(r->alg) / 8 || !(v.p[0] & 0x80))
        return CM_FAIL(HSM_KEY_CHANGED);
    CM_TRY(cm_buf_append(&out, CM_VIEW(head)));
    CM_TRY(cm_buf_append(&out, v));
    CM_TRY(cm_buf_append(&out, CM_LIT("\x02\x03")));
    CM_TRY(cm_buf_append(&out, CM_VIEW(f4)));
    return cm_hsm_key_fill(key, p->c, r, CM_HSM_NATIVE, cm_buf_view(&out));
}

static size_t public_size(uint32_t alg)
{
    const cm_kem_info *kem = cm_kem_info_of(cm_hsm_alg_kem(alg));

    if (kem)
        return kem->pk;
    return alg == CM_HSM_P256 || alg == CM_HSM_SECP256K1 ? 65
                                                         : cm_sig_info_of(cm_hsm_alg_sig(alg))->pk;
}

static cm_err public_of(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r, CK_OBJECT_HANDLE h,
                        cm_hsm_key *key)
{
    bool curve = r->alg == CM_HSM_P256 || r->alg == CM_HSM_SECP256K1 || r->alg == CM_HSM_ED25519;
    CM_AUTO(cm_free_ptr) uint8_t *room = NULL;
    cm_view v;

    CM_TRY(cm_alloc(&room, POINT_MAX));
    if (cm_hsm_alg_rsa(r->alg))
        return rsa_public(p, s, r, h, room, key);
    CM_TRY(attribute(p, s, h, curve ? CKA_EC_POINT : CKA_VALUE, room, &v));
    v = inner(v, public_size(r->alg));
    if (v.n == 0)
        return CM_FAIL(HSM_KEY_CHANGED);
    return cm_hsm_key_fill(key, p->c, r, CM_HSM_NATIVE, v);
}

cm_err cm_p11_public_handle(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r,
                            CK_OBJECT_HANDLE *handle)
{
    return one(p, s, r, CKO_PUBLIC_KEY, handle);
}

/* H-80: of key pairs, those that open seeds and sign nothing. *rv: whether the token said. */
static bool wraps(cm_p11 *p, CK_SESSION_HANDLE s, uint32_t alg, CK_OBJECT_HANDLE h, CK_RV *rv)
{
    return flag_is(p, s, h, CKA_DECRYPT, true, rv) &&
           (alg == CM_HSM_AES256 || flag_is(p, s, h, CKA_SIGN, false, rv));
}

/* H-82: a wrapping key of the other kind is named, rather than said not to be there. */
static cm_err no_other_kind(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r)
{
    CK_OBJECT_HANDLE list[FOUND_MAX];
    cm_hsm_request other = *r;
    CK_ULONG n;
    CK_RV rv;

    if (r->alg != CM_HSM_AES256)
        return CM_OKAY;
    other.alg = p->classical ? CM_HSM_AES256 : CM_HSM_RSA4096;
    CM_TRY(search(p, s, &other, secret_class(other.alg), list, &n));
    for (CK_ULONG i = 0; i < n; i++)
        if (wraps(p, s, other.alg, list[i], &rv))
            return cm_hsm_other_kind(p->classical);
    return CM_OKAY;
}

static cm_err look_classical(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r,
                             CK_OBJECT_HANDLE secret, cm_hsm_key *key)
{
    cm_hsm_request rsa = *r;
    CK_OBJECT_HANDLE pub;
    CK_RV rv;
    cm_err e;

    rsa.alg = CM_HSM_RSA4096;
    if (!wraps(p, s, rsa.alg, secret, &rv))
        return rv == CKR_OK ? CM_FAIL(HSM_NO_KEY) : cm_p11_err(rv);
    CM_TRY(one(p, s, &rsa, CKO_PUBLIC_KEY, &pub));
    e = public_of(p, s, &rsa, pub, key);
    if (cm_is(e, CM_HSM_KEY_CHANGED)) {
        rsa.alg = CM_HSM_RSA2048;
        e = public_of(p, s, &rsa, pub, key);
    }
    CM_TRY(e);
    key->alg = CM_HSM_AES256; /* what it was asked for as: the cache goes by that */
    key->custody = CM_HSM_CLASSICAL;
    return CM_OKAY;
}

static cm_err look(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r, cm_hsm_key *key,
                   CK_OBJECT_HANDLE *handle)
{
    bool classical = cm_p11_is_classical(p, r);
    CK_OBJECT_HANDLE pub, secret;
    cm_hsm_request as = *r;
    cm_err e;

    if (classical)
        as.alg = CM_HSM_RSA4096;
    e = one(p, s, &as, secret_class(as.alg), &secret);
    if (cm_is(e, CM_HSM_NO_KEY))
        CM_TRY(no_other_kind(p, s, r));
    CM_TRY(e);
    CM_TRY(cm_p11_held(p, s, secret));
    *handle = secret;
    if (classical)
        return look_classical(p, s, r, secret, key);
    if (r->alg == CM_HSM_AES256) {
        CM_TRY(cm_hsm_key_fill(key, p->c, r, CM_HSM_NATIVE, cm_view_of("", 0)));
    } else {
        CM_TRY(one(p, s, r, CKO_PUBLIC_KEY, &pub));
        CM_TRY(public_of(p, s, r, pub, key));
    }
    return CM_OKAY;
}

cm_err cm_p11_find(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r, bool fresh,
                   cm_hsm_key *key, CK_OBJECT_HANDLE *handle)
{
    uint64_t generation = cm_p11_generation(p);
    cm_err e;

    if (!fresh && cm_p11_recall(p, r, key, handle))
        return CM_OKAY;
    e = look(p, s, r, key, handle);
    if (cm_ok(e))
        cm_p11_remember(p, generation, key, *handle);
    else
        cm_p11_missed(p, r);
    return e;
}

/* ---- making -------------------------------------------------------------------------------- */

/* What was made: H-5 holds for these handles too, so they are looked at before they are used. */
struct made {
    cm_view label; /* of the objects: r's, or their name */
    bool wraps;    /* a key pair that opens seeds, and signs nothing */
    CK_OBJECT_HANDLE h[2];
    CK_ULONG class[2];
    unsigned n;
};

static void common(struct template *t, const cm_hsm_request *r, cm_view label, CK_ULONG class)
{
    add_word(t, CKA_CLASS, class);
    add_word(t, CKA_KEY_TYPE, forms[r->alg].type);
    add_flag(t, CKA_TOKEN, !r->temporary);
    add(t, CKA_ID, r->id.p, r->id.n);
    if (label.n)
        add(t, CKA_LABEL, label.p, label.n);
}

static void secret(struct template *t, const cm_hsm_request *r, cm_view label)
{
    common(t, r, label, secret_class(r->alg));
    add_flag(t, CKA_PRIVATE, true);
    add_flag(t, CKA_SENSITIVE, true);
    add_flag(t, CKA_EXTRACTABLE, false);
}

static CK_RV make_aes(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r, struct made *made)
{
    CK_MECHANISM m = {CKM_AES_KEY_GEN, NULL, 0};
    struct template t = {.n = 0};

    secret(&t, r, made->label);
    add_word(&t, CKA_VALUE_LEN, 32);
    add_flag(&t, CKA_ENCRYPT, true);
    add_flag(&t, CKA_DECRYPT, true);
    made->n = 1;
    made->class[0] = CKO_SECRET_KEY;
    return p->m.f->C_GenerateKey(s, &m, t.a, t.n, &made->h[0]);
}

static CK_RV make_pair(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r, unsigned variant,
                       struct made *made)
{
    const struct form *f = &forms[r->alg];
    bool kem = cm_hsm_alg_kem(r->alg) != 0;
    CK_MECHANISM m = {f->generate, NULL, 0};
    struct template pub = {.n = 0}, priv = {.n = 0};

    common(&pub, r, made->label, CKO_PUBLIC_KEY);
    add_flag(&pub, made->wraps ? CKA_ENCRYPT : kem ? CKA_ENCAPSULATE : CKA_VERIFY, true);
    if (f->set)
        add_word(&pub, CKA_PARAMETER_SET, f->set);
    else if (cm_hsm_alg_rsa(r->alg)) {
        add_word(&pub, CKA_MODULUS_BITS, cm_hsm_alg_rsa(r->alg));
        add(&pub, CKA_PUBLIC_EXPONENT, f4, sizeof f4);
    } else
        add(&pub, CKA_EC_PARAMS, f->params[variant], f->params_n[variant]);
    secret(&priv, r, made->label);
    add_flag(&priv, made->wraps ? CKA_DECRYPT : kem ? CKA_DECAPSULATE : CKA_SIGN, true);
    if (made->wraps)
        add_flag(&priv, CKA_SIGN, false);
    made->n = 2;
    made->class[0] = CKO_PUBLIC_KEY;
    made->class[1] = CKO_PRIVATE_KEY;
    return p->m.f->C_GenerateKeyPair(s, &m, pub.a, pub.n, priv.a, priv.n, &made->h[0], &made->h[1]);
}

static cm_err make(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r, struct made *made)
{
    cm_hsm_request as = *r;
    CK_RV rv;

    made->wraps = cm_p11_is_classical(p, r);
    if (made->wraps)
        as.alg = cm_p11_classical_alg(p);
    if (as.alg == CM_HSM_AES256)
        return cm_p11_err(make_aes(p, s, r, made));
    rv = make_pair(p, s, &as, 0, made);
    if (rv != CKR_OK && rv != CKR_MECHANISM_INVALID && forms[as.alg].params[1])
        rv = make_pair(p, s, &as, 1, made);
    return cm_p11_err(rv);
}

/* Whether the handles still mean what was made. */
static cm_err still(cm_p11 *p, CK_SESSION_HANDLE s, const struct made *made)
{
    const cm_view label = made->label;

    for (unsigned i = 0; i < made->n; i++)
        if (!cm_p11_object_is(p, s, made->h[i], made->class[i], label))
            return CM_FAIL(HSM_DEVICE);
    return CM_OKAY;
}

static cm_err unmake(cm_p11 *p, CK_SESSION_HANDLE s, const struct made *made)
{
    CM_TRY(still(p, s, made));
    for (unsigned i = 0; i < made->n; i++)
        CM_TRY(cm_p11_err(p->m.f->C_DestroyObject(s, made->h[i])));
    return CM_OKAY;
}

static cm_err write_id(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r,
                       const struct made *made)
{
    CK_ATTRIBUTE id = {CKA_ID, unconst(r->id.p), r->id.n};

    CM_TRY(still(p, s, made));
    for (unsigned i = 0; i < made->n; i++)
        CM_TRY(cm_p11_err(p->m.f->C_SetAttributeValue(s, made->h[i], &id, 1)));
    return CM_OKAY;
}

/* H-71: the token gave the key an id of its own. Ours is written over it; where that is refused,
 * the key is made anew with ours in its label. */
static cm_err settle(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r, struct made *made,
                     cm_hsm_key *key)
{
    CM_AUTO(cm_buf_free) cm_buf name = {.max = CM_P11_NAME_MAX};
    CK_OBJECT_HANDLE handle;
    cm_err e = write_id(p, s, r, made);

    if (cm_ok(e))
        e = cm_p11_find(p, s, r, true, key, &handle);
    if (cm_ok(e))
        return e;
    CM_TRY(unmake(p, s, made));
    CM_TRY(cm_p11_name(&name, r->id));
    made->label = cm_buf_view(&name);
    CM_TRY(make(p, s, r, made));
    e = cm_p11_find(p, s, r, true, key, &handle);
    if (!cm_is(e, CM_HSM_NO_KEY))
        return e;
    CM_TRY(unmake(p, s, made));
    return CM_FAIL(HSM_DEVICE);
}

cm_err cm_p11_generate(cm_p11 *p, struct session *s, const cm_hsm_request *r, cm_hsm_key *key)
{
    struct made made = {.label = r->label};
    CK_OBJECT_HANDLE list[FOUND_MAX], handle;
    CK_ULONG n;
    cm_err e;

    CM_TRY(search_own(p, s->h, r, false, list, &n));
    if (n)
        return CM_FAIL(HSM_KEYS);
    CM_TRY(no_other_kind(p, s->h, r));
    CM_TRY(make(p, s->h, r, &made));
    if (p->q->rereads) /* H-65 */
        CM_TRY(cm_p11_reread(p, s));
    e = cm_p11_find(p, s->h, r, true, key, &handle);
    if (cm_is(e, CM_HSM_NO_KEY) && !p->q->rereads)
        e = settle(p, s->h, r, &made, key);
    /* A key that could leave is not left behind for someone to use. */
    if (cm_is(e, CM_HSM_EXPORTABLE))
        (void)cm_failed(cm_p11_destroy(p, s->h, r));
    return e;
}

static cm_err destroy_all(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r, bool pub,
                          CK_ULONG *n)
{
    CK_OBJECT_HANDLE list[FOUND_MAX];

    CM_TRY(search_own(p, s, r, pub, list, n));
    for (CK_ULONG i = 0; i < *n; i++)
        CM_TRY(cm_p11_err(p->m.f->C_DestroyObject(s, list[i])));
    return CM_OKAY;
}

cm_err cm_p11_destroy(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r)
{
    CK_ULONG secrets, publics = 0;
    cm_err e;

    cm_p11_forget(p);
    e = destroy_all(p, s, r, false, &secrets);
    cm_p11_forget(p); /* H-74: who was using it meanwhile may have copied it again */
    CM_TRY(e);
    if (r->alg != CM_HSM_AES256 || p->classical)
        CM_TRY(destroy_all(p, s, r, true, &publics));
    return secrets + publics ? CM_OKAY : CM_FAIL(HSM_NO_KEY);
}
