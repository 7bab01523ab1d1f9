#include "base/ct.h"
#include "crypt/aead.h"
#include "hsm/p11_int.h"

enum { IV_APPENDED = 16 };

/* ---- signing ------------------------------------------------------------------------------- */

/* Half the order of secp256k1 is below 7fff...; s past it becomes order - s. Public: time may tell.
 */
void cm_hsm_low_s(uint8_t s[32])
{
    static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
                                      0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b,
                                      0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41};
    static const uint8_t half[32] = {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                     0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d,
                                     0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0};
    int borrow = 0;

    if (cm_view_compare(cm_view_of(s, 32), CM_VIEW(half)) <= 0)
        return;
    for (size_t i = 32; i-- > 0;) {
        int d = order[i] - s[i] - borrow;

        borrow = d < 0;
        s[i] = (uint8_t)(d + (borrow ? 256 : 0));
    }
}

static cm_err sign_rsa(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r,
                       CK_OBJECT_HANDLE key, cm_hsm_answer *a)
{
    CK_RSA_PKCS_PSS_PARAMS pss = {CKM_SHA256, CKG_MGF1_SHA256, 32};
    CK_MECHANISM m = {CKM_SHA256_RSA_PKCS_PSS, &pss, sizeof pss};
    CK_ULONG size = cm_hsm_alg_rsa(r->alg) / 8, n = size;
    cm_view v = r->data;
    uint8_t digest[32];

    if (r->pkcs1)
        m = (CK_MECHANISM){CKM_SHA256_RSA_PKCS, NULL, 0};
    else if (p->q->pss_digest) {
        m.mechanism = CKM_RSA_PKCS_PSS;
        CM_TRY(cm_hash_once(p->c, CM_SHA256, digest, r->data));
        v = CM_VIEW(digest);
    }
    CM_TRY(cm_hsm_answer_room(a, size));
    CM_TRY(cm_p11_err(p->m.f->C_SignInit(s, &m, key)));
    CM_TRY(cm_p11_err(p->m.f->C_Sign(s, (CK_BYTE *)(uintptr_t)v.p, v.n, a->data.p, &n)));
    if (n != size)
        return CM_FAIL(HSM_WRONG);
    a->data.n = n;
    return CM_OKAY;
}

static cm_err sign_with(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r,
                        CK_OBJECT_HANDLE key, cm_hsm_answer *a)
{
    const cm_sig_info *i = cm_sig_info_of(cm_hsm_alg_sig(r->alg));
    CK_MECHANISM m = {CKM_ECDSA, NULL, 0};
    uint8_t digest[32];
    cm_view v = r->data;
    CK_ULONG n = i->sig;

    if (r->alg == CM_HSM_P256 && !r->digest) {
        CM_TRY(cm_hash_once(p->c, CM_SHA256, digest, r->data));
        v = CM_VIEW(digest);
    } else if (r->alg == CM_HSM_ED25519)
        m.mechanism = CKM_EDDSA;
    else if (r->alg != CM_HSM_SECP256K1 && r->alg != CM_HSM_P256)
        m.mechanism = CKM_ML_DSA;
    CM_TRY(cm_hsm_answer_room(a, i->sig));
    CM_TRY(cm_p11_err(p->m.f->C_SignInit(s, &m, key)));
    /* C_Sign() takes a pointer to non-const and does not write through it. */
    CM_TRY(cm_p11_err(p->m.f->C_Sign(s, (CK_BYTE *)(uintptr_t)v.p, v.n, a->data.p, &n)));
    if (n != i->sig)
        return CM_FAIL(HSM_WRONG);
    a->data.n = n;
    if (r->alg == CM_HSM_SECP256K1)
        cm_hsm_low_s(a->data.p + 32);
    return CM_OKAY;
}

static const cm_sig_key *known_check(cm_p11 *p, const cm_hsm_key *key)
{
    const cm_sig_key *k = NULL;

    pthread_mutex_lock(&p->lock);
    for (unsigned i = 0; i < p->checks && !k; i++)
        if (cm_sig_key_info(p->check[i].k)->id == cm_hsm_alg_sig(key->alg) &&
            cm_view_eq(CM_VIEW(p->check[i].hash), CM_VIEW(key->hash)))
            k = p->check[i].k;
    pthread_mutex_unlock(&p->lock);
    return k;
}

/* Tables are for keys that will be met again. */
static bool room_for_check(cm_p11 *p)
{
    bool room;

    pthread_mutex_lock(&p->lock);
    room = p->checks < CACHE;
    pthread_mutex_unlock(&p->lock);
    return room;
}

/* True: the key is kept, and is the cache's now. */
static bool keep_check(cm_p11 *p, const cm_hsm_key *key, cm_sig_key *k)
{
    bool room;

    pthread_mutex_lock(&p->lock);
    room = p->checks < CACHE;
    if (room) {
        memcpy(p->check[p->checks].hash, key->hash, sizeof key->hash);
        p->check[p->checks++].k = k;
    }
    pthread_mutex_unlock(&p->lock);
    return room;
}

/* H-6 */
static cm_err check(cm_p11 *p, const cm_hsm_key *key, bool digest, cm_view msg, cm_view sig)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *made = NULL;
    const cm_sig_key *k = known_check(p, key);

    if (!k) {
        CM_TRY(cm_sig_from_public(&made, p->c, (cm_sig_id)cm_hsm_alg_sig(key->alg),
                                  cm_view_of(key->pub, key->pub_n)));
        if (room_for_check(p))
            CM_TRY(cm_sig_prepare(made));
        k = made;
        if (keep_check(p, key, made))
            made = NULL;
    }
    return cm_hsm_check_signature_by(k, digest, msg, sig);
}

/* H-15: one signature after the other, and each checked. */
static cm_err sign_list(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r,
                        const cm_hsm_key *key, CK_OBJECT_HANDLE handle, cm_hsm_answer *a)
{
    CM_AUTO(cm_hsm_answer_done) cm_hsm_answer got = {.data = {.max = 0}};
    cm_hsm_request one = *r;
    cm_view rest = r->data;

    CM_TRY(cm_hsm_answer_room(a, CM_HSM_DATA_MAX));
    while (rest.n) {
        CM_TRY(cm_hsm_list_next(&one.data, &rest, CM_HSM_DATA_MAX));
        CM_TRY(sign_with(p, s, &one, handle, &got));
        CM_TRY(check(p, key, r->digest, one.data, cm_buf_view(&got.data)));
        CM_TRY(cm_hsm_list_put(&a->data, cm_buf_view(&got.data)));
    }
    return CM_OKAY;
}

static cm_err sign_once(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r, bool fresh,
                        cm_hsm_answer *a)
{
    CK_OBJECT_HANDLE handle;
    cm_hsm_key key;

    CM_TRY(cm_p11_find(p, s, r, fresh, &key, &handle));
    if (r->many)
        return sign_list(p, s, r, &key, handle, a);
    if (cm_hsm_alg_rsa(r->alg)) {
        CM_TRY(sign_rsa(p, s, r, handle, a));
        return cm_hsm_check_signature(p->c, r, cm_view_of(key.pub, key.pub_n),
                                      cm_buf_view(&a->data));
    }
    CM_TRY(sign_with(p, s, r, handle, a));
    return check(p, &key, r->digest, r->data, cm_buf_view(&a->data));
}

/* H-6: nothing leaves that does not verify. A remembered handle may have come to mean another key:
 * once more with one that was looked up, then it is the device that is wrong. */
cm_err cm_p11_sign(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r, cm_hsm_answer *a)
{
    cm_err e = sign_once(p, s, r, false, a);

    if (cm_is(e, CM_HSM_WRONG)) {
        cm_p11_forget(p);
        e = sign_once(p, s, r, true, a);
    }
    if (cm_failed(e))
        cm_hsm_answer_done(a);
    return e;
}

/* ---- wrapping ------------------------------------------------------------------------------ */

struct gcm {
    CK_GCM_PARAMS params;
    CK_MECHANISM m;
    uint8_t iv[BLOB_IV];
    cm_buf aad;
};

static void gcm_done(struct gcm *g)
{
    cm_buf_free(&g->aad);
}

static cm_err gcm_init(struct gcm *g, const cm_hsm_request *r)
{
    g->aad = (cm_buf){.max = BLOB_AAD};
    CM_TRY(cm_hsm_blob_aad(&g->aad, r->id, r->aad));
    g->params = (CK_GCM_PARAMS){.pIv = g->iv,
                                .ulIvLen = BLOB_IV,
                                .ulIvBits = 8 * BLOB_IV,
                                .pAAD = g->aad.p,
                                .ulAADLen = g->aad.n,
                                .ulTagBits = 8 * BLOB_TAG};
    g->m = (CK_MECHANISM){CKM_AES_GCM, &g->params, sizeof g->params};
    return CM_OKAY;
}

/* For tokens without AES-GCM: the key of one blob, from what the device's AES makes of a digest of
 * iv, id and purpose. CBC from a zero IV over two blocks of fixed length is a pseudorandom
 * function. */
static cm_err derive(cm_p11 *p, CK_SESSION_HANDLE s, const struct gcm *g, CK_OBJECT_HANDLE key,
                     cm_key32 *out)
{
    CM_AUTO(cm_buf_free) cm_buf in = {.max = 64 + BLOB_AAD};
    CM_AUTO(cm_key32_wipe) cm_key32 made = {{0}};
    CM_AUTO(cm_key32_wipe) cm_key32 prk = {{0}};
    CK_BYTE zero[16] = {0}, digest[32];
    CK_MECHANISM m = {CKM_AES_CBC, zero, sizeof zero};
    CK_ULONG n = sizeof made.b;

    CM_TRY(cm_buf_append(&in, CM_LIT("casemate-hsm-derive-v1")));
    CM_TRY(cm_buf_byte(&in, 0));
    CM_TRY(cm_buf_append(&in, CM_VIEW(g->iv)));
    CM_TRY(cm_buf_append(&in, cm_buf_view(&g->aad)));
    CM_TRY(cm_hash_once(p->c, CM_SHA256, digest, cm_buf_view(&in)));
    CM_TRY(cm_p11_err(p->m.f->C_EncryptInit(s, &m, key)));
    CM_TRY(cm_p11_err(p->m.f->C_Encrypt(s, digest, sizeof digest, made.b, &n)));
    if (n != sizeof made.b)
        return CM_FAIL(HSM_WRONG);
    CM_TRY(cm_hkdf_extract(p->c, CM_SHA256, prk.b, CM_VIEW(g->iv), CM_VIEW(made.b)));
    return cm_hkdf_expand(p->c, CM_SHA256, out->b, sizeof out->b, CM_VIEW(prk.b),
                          CM_LIT("casemate-hsm-derive-v1 key"));
}

static cm_err derived_cipher(cm_p11 *p, CK_SESSION_HANDLE s, const struct gcm *g,
                             CK_OBJECT_HANDLE key, cm_gcm **out)
{
    CM_AUTO(cm_key32_wipe) cm_key32 k = {{0}};

    CM_TRY(derive(p, s, g, key, &k));
    return cm_gcm_new(out, p->c, &k);
}

static cm_err encrypt_here(cm_p11 *p, CK_SESSION_HANDLE s, const struct gcm *g,
                           CK_OBJECT_HANDLE key, cm_view plain, uint8_t *out)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *c = NULL;

    CM_TRY(derived_cipher(p, s, g, key, &c));
    return cm_gcm_seal(c, out, out + plain.n, g->iv, cm_buf_view(&g->aad), plain);
}

/* H-72: HSM_MECHANISM when the IV is not one that a blob can go by. A token that chooses it has
 * zeros to write over, and one that wrote nothing has used them; others append theirs. */
static cm_err encrypt_there(cm_p11 *p, CK_SESSION_HANDLE s, struct gcm *g, CK_OBJECT_HANDLE key,
                            cm_view plain, uint8_t *out)
{
    static const uint8_t zero[BLOB_IV];
    CK_ULONG n = plain.n + BLOB_TAG + IV_APPENDED;

    CM_TRY(cm_p11_err(p->m.f->C_EncryptInit(s, &g->m, key)));
    CM_TRY(cm_p11_err(p->m.f->C_Encrypt(s, (CK_BYTE *)(uintptr_t)plain.p, plain.n, out, &n)));
    if (n == plain.n + BLOB_TAG + IV_APPENDED || cm_view_eq(CM_VIEW(g->iv), CM_VIEW(zero)))
        return CM_FAIL(HSM_MECHANISM);
    return n == plain.n + BLOB_TAG ? CM_OKAY : CM_FAIL(HSM_WRONG);
}

static cm_err encrypt(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r, CK_OBJECT_HANDLE key,
                      cm_hsm_answer *a)
{
    CM_AUTO(gcm_done) struct gcm g = {.aad = {.max = 0}};
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = BLOB_CHECK + CM_HSM_SEED_MAX};
    uint8_t *out;
    cm_err e;

    CM_TRY(cm_hsm_seed_pack(&plain, p->c, r->data));
    CM_TRY(gcm_init(&g, r));
    if (!p->q->token_iv)
        CM_TRY(cm_random(p->c, g.iv, sizeof g.iv));
    CM_TRY(cm_hsm_answer_room(a, r->data.n + BLOB_MORE + IV_APPENDED));
    out = a->data.p;
    out[0] = BLOB_VERSION;
    out[1] = BLOB_GCM;
    e = encrypt_there(p, s, &g, key, cm_buf_view(&plain), out + BLOB_HEAD + BLOB_IV);
    if (cm_is(e, CM_HSM_MECHANISM)) {
        out[1] = BLOB_DERIVED;
        CM_TRY(cm_random(p->c, g.iv, sizeof g.iv));
        e = encrypt_here(p, s, &g, key, cm_buf_view(&plain), out + BLOB_HEAD + BLOB_IV);
    }
    CM_TRY(e);
    memcpy(out + BLOB_HEAD, g.iv, BLOB_IV);
    a->data.n = r->data.n + BLOB_MORE;
    return CM_OKAY;
}

static cm_err decrypt_here(cm_p11 *p, CK_SESSION_HANDLE s, const struct gcm *g,
                           CK_OBJECT_HANDLE key, cm_view body, cm_hsm_answer *a, bool *refused)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *c = NULL;
    size_t n = body.n - BLOB_TAG;
    cm_err e;

    CM_TRY(derived_cipher(p, s, g, key, &c));
    e = cm_gcm_open(c, a->data.p, body.p + n, g->iv, cm_buf_view(&g->aad), cm_view_sub(body, 0, n));
    *refused = cm_is(e, CM_CRYPT_TAG);
    if (*refused)
        return CM_FAIL(HSM_BLOB);
    CM_TRY(e);
    a->data.n = n;
    return cm_hsm_seed_unpack(&a->data, p->c);
}

bool cm_p11_says_no(CK_RV rv)
{
    return rv == CKR_ENCRYPTED_DATA_INVALID || rv == CKR_ENCRYPTED_DATA_LEN_RANGE ||
           rv == CKR_AEAD_DECRYPT_FAILED || rv == CKR_SIGNATURE_INVALID || rv == CKR_DATA_INVALID ||
           rv == CKR_GENERAL_ERROR || rv == CKR_FUNCTION_FAILED;
}

/* *refused: the token said no to the data. */
static cm_err decrypt(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r, CK_OBJECT_HANDLE key,
                      cm_hsm_answer *a, bool *refused)
{
    CM_AUTO(gcm_done) struct gcm g = {.aad = {.max = 0}};
    uint8_t mechanism;
    cm_view iv, body;
    CK_ULONG n;
    CK_RV rv;

    *refused = false;
    CM_TRY(cm_hsm_kind_fits(p->classical, r->data));
    if (p->classical)
        return cm_p11_classical_open(p, s, r, key, a, refused);
    CM_TRY(cm_hsm_blob_split(&mechanism, &iv, &body, r->data));
    CM_TRY(gcm_init(&g, r));
    memcpy(g.iv, iv.p, BLOB_IV);
    n = body.n;
    CM_TRY(cm_hsm_answer_room(a, body.n));
    if (mechanism == BLOB_DERIVED)
        return decrypt_here(p, s, &g, key, body, a, refused);
    CM_TRY(cm_p11_err(p->m.f->C_DecryptInit(s, &g.m, key)));
    rv = p->m.f->C_Decrypt(s, (CK_BYTE *)(uintptr_t)body.p, body.n, a->data.p, &n);
    *refused = cm_p11_says_no(rv);
    if (*refused)
        return CM_FAIL(HSM_BLOB);
    CM_TRY(cm_p11_err(rv));
    if (n != body.n - BLOB_TAG)
        return CM_FAIL(HSM_WRONG);
    a->data.n = n;
    return cm_hsm_seed_unpack(&a->data, p->c);
}

/* What was wrapped must open again, by the key that is found then, or the seed is lost. */
static cm_err opens_again(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r, cm_view blob)
{
    CM_AUTO(cm_hsm_answer_done) cm_hsm_answer got = {.data = {.max = 0}};
    cm_hsm_request back = *r;
    CK_OBJECT_HANDLE handle;
    cm_hsm_key key;
    bool refused;
    cm_err e;

    back.data = blob;
    CM_TRY(cm_p11_find(p, s, r, true, &key, &handle));
    e = decrypt(p, s, &back, handle, &got, &refused);
    if (refused)
        return CM_FAIL(HSM_DEVICE);
    CM_TRY(e);
    return cm_ct_equal(cm_buf_view(&got.data), r->data) ? CM_OKAY : CM_FAIL(HSM_WRONG);
}

/* H-6 */
cm_err cm_p11_wrap(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r, cm_hsm_answer *a)
{
    CK_OBJECT_HANDLE handle;
    cm_hsm_key key;
    cm_err e = cm_p11_find(p, s, r, true, &key, &handle);

    if (cm_ok(e))
        e = p->classical ? cm_p11_classical_wrap(p, r, &key, a) : encrypt(p, s, r, handle, a);
    if (cm_ok(e))
        e = opens_again(p, s, r, cm_buf_view(&a->data));
    if (cm_failed(e))
        cm_hsm_answer_done(a);
    return e;
}

/* Whether the device can open anything at all: a refusal means something only then. */
static cm_err works(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r)
{
    CM_AUTO(cm_hsm_answer_done) cm_hsm_answer a = {.data = {.max = 0}};
    cm_hsm_request probe = *r;

    probe.op = CM_HSM_WRAP;
    probe.data = CM_LIT("casemate probe");
    return cm_p11_wrap(p, s, &probe, &a);
}

/* H-15: one that does not open ends it; asked for alone, it is looked into. */
static cm_err decrypt_list(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r,
                           CK_OBJECT_HANDLE key, cm_hsm_answer *a)
{
    CM_AUTO(cm_hsm_answer_done) cm_hsm_answer got = {.data = {.max = 0}};
    cm_hsm_request one = *r;
    cm_view rest = r->data;
    bool refused;

    CM_TRY(cm_hsm_answer_room(a, r->data.n));
    while (rest.n) {
        CM_TRY(cm_hsm_list_next(&one.aad, &rest, CM_HSM_AAD_MAX));
        CM_TRY(cm_hsm_list_next(&one.data, &rest, CM_HSM_SEED_MAX + CM_HSM_BLOB_MORE));
        CM_TRY(decrypt(p, s, &one, key, &got, &refused));
        CM_TRY(cm_hsm_list_put(&a->data, cm_buf_view(&got.data)));
    }
    return CM_OKAY;
}

static cm_err unwrap_many(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r, cm_hsm_answer *a)
{
    CK_OBJECT_HANDLE handle;
    cm_hsm_key key;
    cm_err e = cm_p11_find(p, s, r, false, &key, &handle);

    if (cm_ok(e))
        e = decrypt_list(p, s, r, handle, a);
    if (cm_failed(e))
        cm_hsm_answer_done(a);
    return e;
}

cm_err cm_p11_unwrap(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r, cm_hsm_answer *a)
{
    CK_OBJECT_HANDLE handle;
    cm_hsm_key key;
    bool refused = false;
    cm_err e;

    if (r->many)
        return unwrap_many(p, s, r, a);
    CM_TRY(cm_hsm_kind_fits(p->classical,
                            r->data)); /* of a blob the token has no key of this kind for */
    e = cm_p11_find(p, s, r, false, &key, &handle);
    if (cm_ok(e))
        e = decrypt(p, s, r, handle, a, &refused);
    if (refused) {
        cm_p11_forget(p); /* the handle may be another key's by now */
        e = cm_p11_find(p, s, r, true, &key, &handle);
        if (cm_ok(e))
            e = decrypt(p, s, r, handle, a, &refused);
        if (refused)
            e = works(p, s, r);
        if (refused && cm_ok(e))
            e = CM_FAIL(HSM_BLOB);
    }
    if (cm_failed(e))
        cm_hsm_answer_done(a);
    return e;
}

cm_err cm_p11_random(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r, cm_hsm_answer *a)
{
    CM_TRY(cm_hsm_answer_room(a, r->n));
    CM_TRY(cm_p11_err(p->m.f->C_GenerateRandom(s, a->data.p, r->n)));
    a->data.n = r->n;
    return CM_OKAY;
}
