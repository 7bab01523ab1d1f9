/* ML-KEM in a token: PKCS#11 3.2. */
#include "base/ct.h"
#include "crypt/kem.h"
#include "hsm/p11_int.h"

/* H-44: wrong results don't show by themselves, since a wrong ciphertext gives a secret as well. */

static bool has_capsules(const cm_p11 *p)
{
    return p->m.version.major > 3 || (p->m.version.major == 3 && p->m.version.minor >= 2);
}

/* Of a module that has them. */
static const CK_FUNCTION_LIST_3_2 *functions(const cm_p11 *p)
{
    const void *f = p->m.f;

    return f;
}

/* The shared secret is to leave the token: that is what it is for. Tokens want the length stated,
 * or forbid that. */
enum { FIELDS = 6 };

struct shape {
    CK_ULONG class, type, n;
    CK_BBOOL no, yes;
    CK_ATTRIBUTE a[FIELDS];
};

static void shape_init(struct shape *t)
{
    *t = (struct shape){.class = CKO_SECRET_KEY, .type = CKK_GENERIC_SECRET, .n = 32, .yes = 1};
    t->a[0] = (CK_ATTRIBUTE){CKA_CLASS, &t->class, sizeof t->class};
    t->a[1] = (CK_ATTRIBUTE){CKA_KEY_TYPE, &t->type, sizeof t->type};
    t->a[2] = (CK_ATTRIBUTE){CKA_TOKEN, &t->no, sizeof t->no};
    t->a[3] = (CK_ATTRIBUTE){CKA_SENSITIVE, &t->no, sizeof t->no};
    t->a[4] = (CK_ATTRIBUTE){CKA_EXTRACTABLE, &t->yes, sizeof t->yes};
    t->a[5] = (CK_ATTRIBUTE){CKA_VALUE_LEN, &t->n, sizeof t->n};
}

/* The secret out of the token, which forgets it. */
static cm_err take_out(cm_p11 *p, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h, cm_key32 *out)
{
    CK_ATTRIBUTE a = {CKA_VALUE, out->b, sizeof out->b};
    CK_RV rv = p->m.f->C_GetAttributeValue(s, h, &a, 1);
    CK_RV gone = p->m.f->C_DestroyObject(s, h);

    CM_TRY(cm_p11_err(rv));
    CM_TRY(cm_p11_err(gone));
    return a.ulValueLen == sizeof out->b ? CM_OKAY : CM_FAIL(HSM_WRONG);
}

static cm_err open_with(cm_p11 *p, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, cm_view ct,
                        cm_key32 *out)
{
    const CK_FUNCTION_LIST_3_2 *f = functions(p);
    CK_MECHANISM m = {CKM_ML_KEM, NULL, 0};
    CK_OBJECT_HANDLE made = 0;
    struct shape t;
    CK_RV rv;

    shape_init(&t);
    rv = f->C_DecapsulateKey(s, &m, key, t.a, FIELDS, (CK_BYTE *)(uintptr_t)ct.p, ct.n, &made);
    if (rv == CKR_TEMPLATE_INCONSISTENT || rv == CKR_ATTRIBUTE_TYPE_INVALID)
        rv = f->C_DecapsulateKey(s, &m, key, t.a, FIELDS - 1, (CK_BYTE *)(uintptr_t)ct.p, ct.n,
                                 &made);
    CM_TRY(cm_p11_err(rv));
    return take_out(p, s, made, out);
}

/* Whether the handle is the private half of this public key: what we made for it must open. */
static cm_err belongs(cm_p11 *p, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE handle,
                      const cm_hsm_key *key)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *pub = NULL;
    CM_AUTO(cm_key32_wipe) cm_key32 ours = {{0}};
    CM_AUTO(cm_key32_wipe) cm_key32 its = {{0}};
    uint8_t ct[CM_KEM_CT_MAX];

    CM_TRY(cm_kem_from_public(&pub, p->c, (cm_kem_id)cm_hsm_alg_kem(key->alg),
                              cm_view_of(key->pub, key->pub_n)));
    CM_TRY(cm_kem_encap(pub, ct, ours.b));
    CM_TRY(open_with(p, s, handle, cm_view_of(ct, cm_kem_key_info(pub)->ct), &its));
    return cm_ct_equal(CM_VIEW(ours.b), CM_VIEW(its.b)) ? CM_OKAY : CM_FAIL(HSM_WRONG);
}

/* H-44: once, then something we know the answer of, then once more. */
static cm_err open_surely(cm_p11 *p, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE handle,
                          const cm_hsm_key *key, cm_view ct, cm_key32 *out)
{
    CM_AUTO(cm_key32_wipe) cm_key32 first = {{0}};
    CM_AUTO(cm_key32_wipe) cm_key32 again = {{0}};

    CM_TRY(open_with(p, s, handle, ct, &first));
    CM_TRY(belongs(p, s, handle, key));
    CM_TRY(open_with(p, s, handle, ct, &again));
    if (!cm_ct_equal(CM_VIEW(first.b), CM_VIEW(again.b)))
        return CM_FAIL(HSM_WRONG);
    *out = first;
    return CM_OKAY;
}

static cm_err make_with(cm_p11 *p, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE pub, uint8_t *ct,
                        size_t ct_n, cm_key32 *out)
{
    const CK_FUNCTION_LIST_3_2 *f = functions(p);
    CK_MECHANISM m = {CKM_ML_KEM, NULL, 0};
    CK_ULONG n = ct_n;
    CK_OBJECT_HANDLE made = 0;
    struct shape t;
    CK_RV rv;

    shape_init(&t);
    rv = f->C_EncapsulateKey(s, &m, pub, t.a, FIELDS, ct, &n, &made);
    if (rv == CKR_TEMPLATE_INCONSISTENT || rv == CKR_ATTRIBUTE_TYPE_INVALID) {
        n = ct_n;
        rv = f->C_EncapsulateKey(s, &m, pub, t.a, FIELDS - 1, ct, &n, &made);
    }
    CM_TRY(cm_p11_err(rv));
    CM_TRY(take_out(p, s, made, out));
    return n == ct_n ? CM_OKAY : CM_FAIL(HSM_WRONG);
}

static cm_err encapsulate(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r,
                          CK_OBJECT_HANDLE handle, const cm_hsm_key *key, cm_hsm_answer *a)
{
    const cm_kem_info *i = cm_kem_info_of(cm_hsm_alg_kem(r->alg));
    CM_AUTO(cm_key32_wipe) cm_key32 secret = {{0}};
    CM_AUTO(cm_key32_wipe) cm_key32 back = {{0}};
    CK_OBJECT_HANDLE pub;

    CM_TRY(cm_hsm_answer_room(a, (size_t)i->ct + sizeof secret.b));
    CM_TRY(cm_p11_public_handle(p, s, r, &pub));
    CM_TRY(make_with(p, s, pub, a->data.p, i->ct, &secret));
    CM_TRY(open_surely(p, s, handle, key, cm_view_of(a->data.p, i->ct), &back));
    if (!cm_ct_equal(CM_VIEW(secret.b), CM_VIEW(back.b)))
        return CM_FAIL(HSM_WRONG);
    memcpy(a->data.p + i->ct, secret.b, sizeof secret.b);
    a->data.n = (size_t)i->ct + sizeof secret.b;
    return CM_OKAY;
}

static cm_err decapsulate(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r,
                          CK_OBJECT_HANDLE handle, const cm_hsm_key *key, cm_hsm_answer *a)
{
    CM_AUTO(cm_key32_wipe) cm_key32 secret = {{0}};

    CM_TRY(open_surely(p, s, handle, key, r->data, &secret));
    CM_TRY(cm_hsm_answer_room(a, sizeof secret.b));
    memcpy(a->data.p, secret.b, sizeof secret.b);
    a->data.n = sizeof secret.b;
    return CM_OKAY;
}

static cm_err once(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r, bool fresh,
                   cm_hsm_answer *a)
{
    CK_OBJECT_HANDLE handle;
    cm_hsm_key key;

    CM_TRY(cm_p11_find(p, s, r, fresh, &key, &handle));
    return r->op == CM_HSM_ENCAPSULATE ? encapsulate(p, s, r, handle, &key, a)
                                       : decapsulate(p, s, r, handle, &key, a);
}

/* A remembered handle may have come to mean another key: as in signing. */
cm_err cm_p11_capsule(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r, cm_hsm_answer *a)
{
    cm_err e = has_capsules(p) ? once(p, s, r, false, a) : CM_FAIL(HSM_MECHANISM);

    if (cm_is(e, CM_HSM_WRONG)) {
        cm_p11_forget(p);
        e = once(p, s, r, true, a);
    }
    if (cm_failed(e))
        cm_hsm_answer_done(a);
    return e;
}
