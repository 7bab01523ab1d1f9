/* Seeds under an RSA key of the token, for tokens without AES. A quantum computer opens them, so
 * all of this is only done for who asked for it by that name: H-41, H-80. */
#include "crypt/rsa.h"
#include "hsm/p11_int.h"

/* ---- which key, which blob ----------------------------------------------------------------- */

bool cm_p11_is_classical(const cm_p11 *p, const cm_hsm_request *r)
{
    return p->classical && r->alg == CM_HSM_AES256;
}

/* The largest that the token makes; one that does not say is asked for the largest. */
uint32_t cm_p11_classical_alg(cm_p11 *p)
{
    CK_MECHANISM_INFO i = {.ulMaxKeySize = 0};
    CK_RV rv = p->m.f->C_GetMechanismInfo(p->slot, CKM_RSA_PKCS_KEY_PAIR_GEN, &i);

    return rv == CKR_OK && i.ulMaxKeySize < 4096 ? CM_HSM_RSA2048 : CM_HSM_RSA4096;
}

/* ---- wrapping: here, with the public half --------------------------------------------------- */

cm_err cm_p11_classical_wrap(cm_p11 *p, const cm_hsm_request *r, const cm_hsm_key *key,
                             cm_hsm_answer *a)
{
    CM_AUTO(cm_rsa_free_ptr) cm_rsa *k = NULL;
    CM_AUTO(cm_key32_wipe) cm_key32 fresh = {{0}};
    uint8_t wrapped[CM_RSA_SIG_MAX];

    CM_TRY(cm_rsa_from_public(&k, p->c, cm_view_of(key->pub, key->pub_n)));
    CM_TRY(cm_random(p->c, fresh.b, sizeof fresh.b));
    CM_TRY(cm_rsa_oaep_seal(k, wrapped, &fresh));
    return cm_hsm_hybrid_seal(a, p->c, r, BLOB_CLASSICAL, &fresh,
                              cm_view_of(wrapped, cm_rsa_bits(k) / 8));
}

/* ---- opening: in the token ------------------------------------------------------------------ */

/* What modules say that have no OAEP, or not with SHA-256 (SoftHSM2 2.6, OpenSC 0.23). */
static bool lacks_oaep(CK_RV rv)
{
    return rv == CKR_MECHANISM_INVALID || rv == CKR_MECHANISM_PARAM_INVALID ||
           rv == CKR_ARGUMENTS_BAD || rv == CKR_FUNCTION_NOT_SUPPORTED ||
           rv == CKR_KEY_TYPE_INCONSISTENT || rv == CKR_KEY_FUNCTION_NOT_PERMITTED;
}

struct opened {
    uint8_t bytes[CM_RSA_SIG_MAX];
    CK_ULONG n;
};

static void opened_wipe(struct opened *o)
{
    cm_wipe(o, sizeof *o);
}

static cm_err decrypt(cm_p11 *p, CK_SESSION_HANDLE s, cm_view wrapped, struct opened *o,
                      bool *refused)
{
    CK_RV rv;

    o->n = sizeof o->bytes;
    rv = p->m.f->C_Decrypt(s, (CK_BYTE *)(uintptr_t)wrapped.p, wrapped.n, o->bytes, &o->n);
    *refused = cm_p11_says_no(rv);
    return *refused ? CM_OKAY : cm_p11_err(rv);
}

/* For modules that know raw RSA alone. */
static cm_err open_raw(cm_p11 *p, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, cm_view wrapped,
                       cm_key32 *out, bool *refused)
{
    CM_AUTO(opened_wipe) struct opened o = {.n = 0};
    CK_MECHANISM m = {CKM_RSA_X_509, NULL, 0};

    CM_TRY(cm_p11_err(p->m.f->C_DecryptInit(s, &m, key)));
    CM_TRY(decrypt(p, s, wrapped, &o, refused));
    if (*refused)
        return CM_OKAY;
    if (o.n != wrapped.n)
        return CM_FAIL(HSM_WRONG);
    return cm_rsa_oaep_unpad(p->c, out, cm_view_of(o.bytes, o.n));
}

static cm_err open_key(cm_p11 *p, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, cm_view wrapped,
                       cm_key32 *out, bool *refused)
{
    CK_RSA_PKCS_OAEP_PARAMS oaep = {
        .hashAlg = CKM_SHA256, .mgf = CKG_MGF1_SHA256, .source = CKZ_DATA_SPECIFIED};
    CK_MECHANISM m = {CKM_RSA_PKCS_OAEP, &oaep, sizeof oaep};
    CM_AUTO(opened_wipe) struct opened o = {.n = 0};
    CK_RV rv = p->m.f->C_DecryptInit(s, &m, key);

    if (lacks_oaep(rv))
        return open_raw(p, s, key, wrapped, out, refused);
    CM_TRY(cm_p11_err(rv));
    CM_TRY(decrypt(p, s, wrapped, &o, refused));
    *refused |= o.n != sizeof out->b;
    if (!*refused)
        memcpy(out->b, o.bytes, sizeof out->b);
    return CM_OKAY;
}

/* H-83: what the token refuses goes the same way as what it opens wrongly, with a key that nobody
 * knows, and fails where a changed seed does. */
cm_err cm_p11_classical_open(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r,
                             CK_OBJECT_HANDLE key, cm_hsm_answer *a, bool *refused)
{
    CM_AUTO(cm_key32_wipe) cm_key32 fresh = {{0}};
    cm_view wrapped, body;
    cm_err e;

    CM_TRY(cm_hsm_hybrid_split(&wrapped, &body, BLOB_CLASSICAL, r->data));
    if (wrapped.n > CM_RSA_SIG_MAX)
        return CM_FAIL(HSM_BLOB);
    CM_TRY(cm_random(p->c, fresh.b, sizeof fresh.b));
    CM_TRY(open_key(p, s, key, wrapped, &fresh, refused));
    e = cm_hsm_hybrid_open(a, p->c, r, &fresh, body);
    *refused = cm_is(e, CM_CRYPT_TAG);
    return *refused ? CM_FAIL(HSM_BLOB) : e;
}
