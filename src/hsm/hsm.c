/* What all providers share: names, limits, the form of wrapped seeds, typed calls. */
#include "hsm/hsm_int.h"

#include "base/ct.h"
#include "crypt/kem.h"
#include "crypt/rsa.h"

static const struct {
    const char *name;
    uint32_t sig, kem;
    unsigned rsa;
} algs[] = {
    {NULL, 0, 0, 0},
    {"AES-256", 0, 0, 0},
    {"P-256", CM_SIG_P256, 0, 0},
    {"secp256k1", CM_SIG_SECP256K1, 0, 0},
    {"Ed25519", CM_SIG_ED25519, 0, 0},
    {"ML-DSA-44", CM_SIG_MLDSA44, 0, 0},
    {"ML-DSA-65", CM_SIG_MLDSA65, 0, 0},
    {"ML-DSA-87", CM_SIG_MLDSA87, 0, 0},
    {"RSA-2048", 0, 0, 2048},
    {"RSA-4096", 0, 0, 4096},
    {"ML-KEM-768", 0, CM_KEM_MLKEM768, 0},
    {"ML-KEM-1024", 0, CM_KEM_MLKEM1024, 0},
};

const char *cm_hsm_alg_name(uint64_t alg)
{
    return alg < CM_COUNT(algs) ? algs[alg].name : NULL;
}

uint32_t cm_hsm_alg_sig(uint64_t alg)
{
    return alg < CM_COUNT(algs) ? algs[alg].sig : 0;
}

unsigned cm_hsm_alg_rsa(uint64_t alg)
{
    return alg < CM_COUNT(algs) ? algs[alg].rsa : 0;
}

uint32_t cm_hsm_alg_kem(uint64_t alg)
{
    return alg < CM_COUNT(algs) ? algs[alg].kem : 0;
}

const char *cm_hsm_custody_name(uint64_t custody)
{
    static const char *const names[] = {"unknown", "hsm-native", "hsm-wrapped", "software",
                                        "hsm-wrapped-classical"};

    return names[custody < CM_COUNT(names) ? custody : 0];
}

void cm_hsm_answer_done(cm_hsm_answer *a)
{
    cm_buf_free(&a->data);
}

/* ---- lists --------------------------------------------------------------------------------- */

/* H-15 */
cm_err cm_hsm_list_next(cm_view *piece, cm_view *rest, size_t most)
{
    size_t n = rest->n >= 2 ? cm_get_be16(rest->p) : 0;

    if (rest->n < 2 || n > most || n > rest->n - 2)
        return CM_FAIL(HSM_REQUEST);
    *piece = cm_view_sub(*rest, 2, n);
    *rest = cm_view_sub(*rest, 2 + n, rest->n - 2 - n);
    return CM_OKAY;
}

cm_err cm_hsm_list_put(cm_buf *list, cm_view piece)
{
    if (piece.n > UINT16_MAX)
        return CM_FAIL(TOO_BIG);
    CM_TRY(cm_buf_be16(list, (uint16_t)piece.n));
    return cm_buf_append(list, piece);
}

/* Purpose and blob in turn. */
static bool list_fits(const cm_hsm_request *r)
{
    cm_view rest = r->data, aad, blob;
    size_t n = 0;

    for (; rest.n && n < CM_HSM_MANY_MAX; n++)
        if (cm_failed(cm_hsm_list_next(&aad, &rest, CM_HSM_AAD_MAX)) ||
            cm_failed(cm_hsm_list_next(&blob, &rest, CM_HSM_SEED_MAX + CM_HSM_BLOB_MORE)))
            return false;
    return n > 0 && rest.n == 0 && r->aad.n == 0;
}

static bool is_prehash(const cm_hsm_request *r)
{
    return r->digest || r->alg == CM_HSM_SECP256K1;
}

/* Messages; what comes back has to fit as well. */
static bool messages_fit(const cm_hsm_request *r)
{
    const cm_sig_info *i = cm_sig_info_of(cm_hsm_alg_sig(r->alg));
    cm_view rest = r->data, msg;
    size_t n = 0;

    for (; rest.n && n < CM_HSM_MANY_MAX; n++)
        if (cm_failed(cm_hsm_list_next(&msg, &rest, CM_HSM_DATA_MAX)) ||
            (is_prehash(r) && msg.n != 32))
            return false;
    return i && n > 0 && rest.n == 0 && n * (2 + (size_t)i->sig) <= CM_HSM_DATA_MAX;
}

/* ---- limits -------------------------------------------------------------------------------- */

static bool signs(const cm_hsm_request *r)
{
    bool can = cm_hsm_alg_sig(r->alg) != 0 || cm_hsm_alg_rsa(r->alg) != 0;

    if (r->many)
        return r->hash.n == 32 && !r->pkcs1 && messages_fit(r);
    return r->hash.n == 32 && can && (!is_prehash(r) || r->data.n == 32) &&
           (!r->pkcs1 || cm_hsm_alg_rsa(r->alg) != 0);
}

static bool data_fits(const cm_hsm_request *r)
{
    const cm_kem_info *kem = cm_kem_info_of(cm_hsm_alg_kem(r->alg));

    switch (r->op) {
    case CM_HSM_SIGN:
        return signs(r);
    case CM_HSM_ENCAPSULATE:
        return r->hash.n == 32 && kem && r->data.n == 0;
    case CM_HSM_DECAPSULATE:
        return r->hash.n == 32 && kem && r->data.n == kem->ct;
    case CM_HSM_WRAP:
        return r->alg == CM_HSM_AES256 && r->data.n >= 1 && r->data.n <= CM_HSM_SEED_MAX;
    case CM_HSM_UNWRAP:
        return r->alg == CM_HSM_AES256 &&
               (r->many ? list_fits(r) : r->data.n <= CM_HSM_SEED_MAX + CM_HSM_BLOB_MORE);
    default:
        return r->data.n == 0;
    }
}

static bool named(const cm_hsm_request *r)
{
    if (r->op == CM_HSM_STATUS || r->op == CM_HSM_RANDOM)
        return r->id.n == 0 && r->alg == 0;
    return r->id.n >= 1 && r->id.n <= CM_HSM_ID_MAX && cm_hsm_alg_name(r->alg);
}

static bool counted(const cm_hsm_request *r)
{
    return r->op == CM_HSM_RANDOM ? r->n >= 1 && r->n <= CM_HSM_RANDOM_MAX : r->n == 0;
}

static bool flags_fit(const cm_hsm_request *r)
{
    bool signs = r->op == CM_HSM_SIGN;

    return (!r->many || signs || r->op == CM_HSM_UNWRAP) && (!r->pkcs1 || signs) &&
           (!r->digest || (signs && r->alg == CM_HSM_P256)); /* H-73 */
}

/* H-71 */
static bool is_name(cm_view label)
{
    cm_view name = CM_LIT(CM_P11_NAME);

    return label.n >= name.n && cm_view_eq(cm_view_sub(label, 0, name.n), name);
}

/* H-1 */
cm_err cm_hsm_request_check(const cm_hsm_request *r)
{
    bool ok = r->op >= CM_HSM_STATUS && r->op <= CM_HSM_OPS && named(r) && counted(r);

    ok = ok && (r->hash.n == 0 || r->hash.n == 32) && r->label.n <= CM_HSM_LABEL_MAX;
    ok = ok && !is_name(r->label);
    ok = ok && r->data.n <= CM_HSM_DATA_MAX && r->aad.n <= CM_HSM_AAD_MAX && data_fits(r);
    return ok && flags_fit(r) ? CM_OKAY : CM_FAIL(HSM_REQUEST);
}

cm_err cm_hsm_answer_room(cm_hsm_answer *a, size_t n)
{
    cm_buf_free(&a->data);
    a->data.max = n;
    return cm_buf_reserve(&a->data, n);
}

cm_err cm_hsm_key_fill(cm_hsm_key *k, const cm_crypt *c, const cm_hsm_request *r,
                       cm_hsm_custody custody, cm_view pub)
{
    cm_hsm_key got = {.alg = r->alg, .custody = custody, .id_n = r->id.n, .pub_n = pub.n};

    if (pub.n > sizeof got.pub || r->id.n > sizeof got.id)
        return CM_FAIL(TOO_BIG);
    memcpy(got.id, r->id.p, r->id.n);
    if (pub.n) {
        memcpy(got.pub, pub.p, pub.n);
        CM_TRY(cm_hash_once(c, CM_SHA256, got.hash, pub));
    }
    if (pub.n && r->hash.n && !cm_view_eq(CM_VIEW(got.hash), r->hash)) /* H-5 */
        return CM_FAIL(HSM_KEY_CHANGED);
    *k = got;
    return CM_OKAY;
}

/* H-6 */
cm_err cm_hsm_check_signature_by(const cm_sig_key *k, bool digest, cm_view msg, cm_view sig)
{
    cm_err e = digest ? cm_verify_digest(k, msg, sig) : cm_verify_raw(k, msg, sig);

    return cm_is(e, CM_CRYPT_SIGNATURE) ? CM_FAIL(HSM_WRONG) : e;
}

static cm_err check_rsa(const cm_crypt *c, const cm_hsm_request *r, cm_view pub, cm_view sig)
{
    CM_AUTO(cm_rsa_free_ptr) cm_rsa *k = NULL;
    cm_err e;

    CM_TRY(cm_rsa_from_public(&k, c, pub));
    e = cm_rsa_verify(k, r->pkcs1 ? CM_RSA_PKCS1 : CM_RSA_PSS, false, r->data, sig);
    return cm_is(e, CM_CRYPT_SIGNATURE) ? CM_FAIL(HSM_WRONG) : e;
}

cm_err cm_hsm_check_signature(const cm_crypt *c, const cm_hsm_request *r, cm_view pub, cm_view sig)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;

    if (cm_hsm_alg_rsa(r->alg))
        return check_rsa(c, r, pub, sig);
    CM_TRY(cm_sig_from_public(&k, c, (cm_sig_id)cm_hsm_alg_sig(r->alg), pub));
    return cm_hsm_check_signature_by(k, r->digest, r->data, sig);
}

/* ---- blobs --------------------------------------------------------------------------------- */

cm_err cm_hsm_blob_aad(cm_buf *out, cm_view id, cm_view aad)
{
    CM_TRY(cm_buf_append(out, CM_LIT("casemate-hsm-wrap-v1")));
    CM_TRY(cm_buf_byte(out, 0));
    CM_TRY(cm_buf_byte(out, (uint8_t)id.n));
    CM_TRY(cm_buf_append(out, id));
    return cm_buf_append(out, aad);
}

/* H-4 */
cm_err cm_hsm_blob_split(uint8_t *mechanism, cm_view *iv, cm_view *body, cm_view blob)
{
    if (blob.n <= BLOB_MORE || blob.p[0] != BLOB_VERSION ||
        (blob.p[1] != BLOB_GCM && blob.p[1] != BLOB_DERIVED))
        return CM_FAIL(HSM_BLOB);
    *mechanism = blob.p[1];
    *iv = cm_view_sub(blob, BLOB_HEAD, BLOB_IV);
    *body = cm_view_sub(blob, BLOB_HEAD + BLOB_IV, blob.n - BLOB_HEAD - BLOB_IV);
    return CM_OKAY;
}

static cm_err seed_check(uint8_t check[32], const cm_crypt *c, cm_view seed)
{
    static const char label[] = "casemate-hsm-seed-v1";

    return cm_hmac(c, CM_SHA256, check, CM_VIEW(label), seed);
}

cm_err cm_hsm_seed_pack(cm_buf *out, const cm_crypt *c, cm_view seed)
{
    uint8_t check[32];

    CM_TRY(cm_buf_reserve(out, BLOB_CHECK + seed.n));
    CM_TRY(seed_check(check, c, seed));
    CM_TRY(cm_buf_append(out, cm_view_of(check, BLOB_CHECK)));
    return cm_buf_append(out, seed);
}

/* H-6 */
cm_err cm_hsm_seed_unpack(cm_buf *plain, const cm_crypt *c)
{
    uint8_t check[32];
    cm_view seed;

    if (plain->n <= BLOB_CHECK)
        return CM_FAIL(HSM_WRONG);
    seed = cm_view_sub(cm_buf_view(plain), BLOB_CHECK, plain->n - BLOB_CHECK);
    CM_TRY(seed_check(check, c, seed));
    if (!cm_ct_equal(cm_view_of(check, BLOB_CHECK), cm_view_of(plain->p, BLOB_CHECK)))
        return CM_FAIL(HSM_WRONG);
    plain->n = seed.n;
    memmove(plain->p, seed.p, seed.n);
    cm_wipe(plain->p + plain->n, BLOB_CHECK);
    return CM_OKAY;
}

/* ---- typed calls --------------------------------------------------------------------------- */

cm_err cm_hsm_status_of(const cm_hsm *h, cm_hsm_status *out)
{
    const cm_hsm_request r = {.op = CM_HSM_STATUS};
    CM_AUTO(cm_hsm_answer_done) cm_hsm_answer a = {.data = {.max = 0}};

    CM_TRY(h->call(h->self, &r, &a));
    *out = a.status;
    return CM_OKAY;
}

cm_err cm_hsm_generate(const cm_hsm *h, cm_hsm_key *out, cm_hsm_alg alg, cm_view id, cm_view label,
                       bool temporary)
{
    const cm_hsm_request r = {
        .op = CM_HSM_GENERATE, .alg = alg, .id = id, .label = label, .temporary = temporary};
    CM_AUTO(cm_hsm_answer_done) cm_hsm_answer a = {.data = {.max = 0}};

    CM_TRY(h->call(h->self, &r, &a));
    *out = a.key;
    return CM_OKAY;
}

cm_err cm_hsm_find(const cm_hsm *h, cm_hsm_key *out, cm_hsm_alg alg, cm_view id, cm_view hash)
{
    const cm_hsm_request r = {.op = CM_HSM_FIND, .alg = alg, .id = id, .hash = hash};
    CM_AUTO(cm_hsm_answer_done) cm_hsm_answer a = {.data = {.max = 0}};

    CM_TRY(h->call(h->self, &r, &a));
    *out = a.key;
    return CM_OKAY;
}

/* What comes back is data, in secret or not: into out, and wiped here. */
static cm_err ask_data(const cm_hsm *h, const cm_hsm_request *r, cm_buf *out)
{
    CM_AUTO(cm_hsm_answer_done) cm_hsm_answer a = {.data = {.max = 0}};

    CM_TRY(h->call(h->self, r, &a));
    return cm_buf_append(out, cm_buf_view(&a.data));
}

static cm_hsm_request with_key(cm_hsm_op op, const cm_hsm_key *key, cm_view data)
{
    return (cm_hsm_request){.op = op,
                            .alg = key->alg,
                            .id = cm_view_of(key->id, key->id_n),
                            .hash = CM_VIEW(key->hash),
                            .data = data};
}

cm_err cm_hsm_sign(const cm_hsm *h, const cm_hsm_key *key, cm_view msg, cm_buf *sig)
{
    const cm_hsm_request r = with_key(CM_HSM_SIGN, key, msg);

    return ask_data(h, &r, sig);
}

/* The pieces of an answer's list, n of them, each appended to its own. */
static cm_err split_list(cm_view list, size_t most, cm_buf *out, size_t n)
{
    cm_view piece;

    for (size_t i = 0; i < n; i++) {
        if (cm_failed(cm_hsm_list_next(&piece, &list, most)))
            return CM_FAIL(HSM_MESSAGE);
        CM_TRY(cm_buf_append(&out[i], piece));
    }
    return list.n ? CM_FAIL(HSM_MESSAGE) : CM_OKAY;
}

static cm_err ask_signatures(const cm_hsm *h, cm_hsm_request *r, const cm_view *msg, size_t n,
                             cm_buf *sig)
{
    CM_AUTO(cm_buf_free) cm_buf list = {.max = CM_HSM_DATA_MAX};
    CM_AUTO(cm_hsm_answer_done) cm_hsm_answer a = {.data = {.max = 0}};

    for (size_t i = 0; i < n; i++)
        CM_TRY(cm_hsm_list_put(&list, msg[i]));
    r->data = cm_buf_view(&list);
    r->many = true;
    CM_TRY(h->call(h->self, r, &a));
    return split_list(cm_buf_view(&a.data), CM_SIG_MAX, sig, n);
}

/* Whoever can't take a list is asked for each. */
static cm_err sign_each(const cm_hsm *h, cm_hsm_request r, const cm_view *msg, size_t n,
                        cm_buf *sig)
{
    cm_err e = CM_FAIL(HSM_MECHANISM);

    if (n > 1)
        e = ask_signatures(h, &r, msg, n, sig);
    if (cm_is(e, CM_TOO_BIG))
        return CM_FAIL(HSM_REQUEST);
    if (!cm_is(e, CM_HSM_MECHANISM))
        return e;
    r.many = false;
    for (size_t i = 0; i < n; i++) {
        r.data = msg[i];
        CM_TRY(ask_data(h, &r, &sig[i]));
    }
    return CM_OKAY;
}

cm_err cm_hsm_sign_many(const cm_hsm *h, const cm_hsm_key *key, const cm_sig_key *check,
                        const cm_view *msg, size_t n, cm_buf *sig)
{
    cm_hsm_request r = with_key(CM_HSM_SIGN, key, cm_view_of("", 0));

    r.check = check;
    return sign_each(h, r, msg, n, sig);
}

cm_err cm_hsm_sign_digests(const cm_hsm *h, const cm_hsm_key *key, const cm_sig_key *check,
                           const cm_view *digest, size_t n, cm_buf *sig)
{
    cm_hsm_request r = with_key(CM_HSM_SIGN, key, cm_view_of("", 0));

    r.check = check;
    r.digest = true;
    return sign_each(h, r, digest, n, sig);
}

cm_err cm_hsm_sign_pkcs1(const cm_hsm *h, const cm_hsm_key *key, cm_view msg, cm_buf *sig)
{
    cm_hsm_request r = with_key(CM_HSM_SIGN, key, msg);

    r.pkcs1 = true;
    return ask_data(h, &r, sig);
}

cm_err cm_hsm_encapsulate(const cm_hsm *h, const cm_hsm_key *key, cm_buf *ct, cm_buf *secret)
{
    const cm_hsm_request r = with_key(CM_HSM_ENCAPSULATE, key, cm_view_of("", 0));
    CM_AUTO(cm_hsm_answer_done) cm_hsm_answer a = {.data = {.max = 0}};
    const cm_kem_info *i = cm_kem_info_of(cm_hsm_alg_kem(key->alg));

    CM_TRY(h->call(h->self, &r, &a));
    if (a.data.n != (size_t)i->ct + i->ss)
        return CM_FAIL(HSM_WRONG);
    CM_TRY(cm_buf_append(ct, cm_view_of(a.data.p, i->ct)));
    return cm_buf_append(secret, cm_view_of(a.data.p + i->ct, i->ss));
}

cm_err cm_hsm_decapsulate(const cm_hsm *h, const cm_hsm_key *key, cm_view ct, cm_buf *secret)
{
    const cm_hsm_request r = with_key(CM_HSM_DECAPSULATE, key, ct);

    return ask_data(h, &r, secret);
}

cm_err cm_hsm_wrap(const cm_hsm *h, cm_view id, cm_view seed, cm_view aad, cm_buf *blob)
{
    const cm_hsm_request r = {
        .op = CM_HSM_WRAP, .alg = CM_HSM_AES256, .id = id, .data = seed, .aad = aad};

    return ask_data(h, &r, blob);
}

cm_err cm_hsm_unwrap(const cm_hsm *h, cm_view id, cm_view blob, cm_view aad, cm_buf *seed)
{
    const cm_hsm_request r = {
        .op = CM_HSM_UNWRAP, .alg = CM_HSM_AES256, .id = id, .data = blob, .aad = aad};

    return ask_data(h, &r, seed);
}

static cm_err ask_many(const cm_hsm *h, cm_view id, const cm_hsm_item *item, size_t n, cm_buf *seed)
{
    CM_AUTO(cm_buf_free) cm_buf list = {.max = CM_HSM_DATA_MAX};
    CM_AUTO(cm_hsm_answer_done) cm_hsm_answer a = {.data = {.max = 0}};
    cm_hsm_request r = {.op = CM_HSM_UNWRAP, .alg = CM_HSM_AES256, .id = id, .many = true};

    for (size_t i = 0; i < n; i++) {
        CM_TRY(cm_hsm_list_put(&list, item[i].aad));
        CM_TRY(cm_hsm_list_put(&list, item[i].blob));
    }
    r.data = cm_buf_view(&list);
    CM_TRY(h->call(h->self, &r, &a));
    return split_list(cm_buf_view(&a.data), CM_HSM_SEED_MAX, seed, n);
}

/* Whoever can't take a list, or met one that does not open, is asked for each. */
cm_err cm_hsm_unwrap_many(const cm_hsm *h, cm_view id, const cm_hsm_item *item, size_t n,
                          cm_buf *seed)
{
    cm_err e = ask_many(h, id, item, n, seed);

    if (cm_is(e, CM_TOO_BIG))
        return CM_FAIL(HSM_REQUEST);
    if (!cm_is(e, CM_HSM_BLOB) && !cm_is(e, CM_HSM_MECHANISM))
        return e;
    for (size_t i = 0; i < n; i++)
        CM_TRY(cm_hsm_unwrap(h, id, item[i].blob, item[i].aad, &seed[i]));
    return CM_OKAY;
}

cm_err cm_hsm_random(const cm_hsm *h, uint8_t *out, size_t n)
{
    const cm_hsm_request r = {.op = CM_HSM_RANDOM, .n = n};
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_HSM_RANDOM_MAX};

    CM_TRY(ask_data(h, &r, &b));
    if (b.n != n)
        return CM_FAIL(HSM_WRONG);
    memcpy(out, b.p, n);
    return CM_OKAY;
}

cm_err cm_hsm_destroy(const cm_hsm *h, cm_hsm_alg alg, cm_view id)
{
    const cm_hsm_request r = {.op = CM_HSM_DESTROY, .alg = alg, .id = id};
    CM_AUTO(cm_hsm_answer_done) cm_hsm_answer a = {.data = {.max = 0}};

    return h->call(h->self, &r, &a);
}
