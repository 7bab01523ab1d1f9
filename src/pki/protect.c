#include "base/ct.h"
#include "codec/cbor.h"
#include "crypt/aead.h"
#include "crypt/ossl.h"
#include "pki/der_int.h"
#include "pki/pki_int.h"

enum {
    PBES2_ROUNDS = 600000, /* K-41 */
    PBES2_ROUNDS_MAX = 10000000,
    PBES2_SALT = 16,
    PBES2_SALT_MIN = 8,
    PBES2_SALT_MAX = 64,
    CBC_BLOCK = 16,
    DER_PARAMS_MAX = 256,
    ARGON2_MEMORY = 256 << 10, /* KiB */
    ARGON2_MEMORY_FLOOR = 19 << 10,
    ARGON2_MEMORY_MAX = 1 << 20, /* K-46 */
    ARGON2_PASSES = 3,
    ARGON2_PASSES_FLOOR = 2,
    ARGON2_PASSES_MAX = 16,
    ARGON2_LANES = 4,
    ARGON2_LANES_MAX = 16,
    ARGON2_LANE_KIB = 8, /* RFC 9106 */
    ARGON2_SALT = 16,
    ARGON2_SALT_MAX = 64,
    COMMITMENT = 32,
};

static cm_argon2 cost_of(const cm_protect *p)
{
    static const cm_argon2 usual = {ARGON2_MEMORY, ARGON2_PASSES, ARGON2_LANES};

    return p->cost.memory_kib ? p->cost : usual;
}

static uint32_t rounds_of(const cm_protect *p)
{
    return p->rounds ? p->rounds : PBES2_ROUNDS;
}

cm_err cm_protect_check(const cm_protect *p)
{
    cm_argon2 a = cost_of(p);

    if (p->passphrase.n == 0 || p->passphrase.n > CM_PASSPHRASE_MAX)
        return CM_FAIL(KEY_PASSPHRASE_SIZE); /* K-48 */
    if (p->mode == CM_PROTECT_PBES2)
        return rounds_of(p) >= PBES2_ROUNDS && rounds_of(p) <= PBES2_ROUNDS_MAX
                   ? CM_OKAY
                   : CM_FAIL(BAD_ARGUMENT); /* K-41 */
    if (p->mode != CM_PROTECT_ARGON2 || a.memory_kib < ARGON2_MEMORY_FLOOR ||
        a.memory_kib > ARGON2_MEMORY_MAX || a.passes < ARGON2_PASSES_FLOOR ||
        a.passes > ARGON2_PASSES_MAX || a.lanes < 1 || a.lanes > ARGON2_LANES_MAX)
        return CM_FAIL(BAD_ARGUMENT); /* K-46 */
    return CM_OKAY;
}

/* ---- PBES2: algorithms --------------------------------------------------------------------- */

#define RSADSI 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d
static const uint8_t oid_pbes2[] = {RSADSI, 0x01, 0x05, 0x0d};
static const uint8_t oid_pbkdf2[] = {RSADSI, 0x01, 0x05, 0x0c};

/* K-42: contents of the PRF's AlgorithmIdentifier; HMAC with SHA-1 is refused. */
static const struct prf {
    cm_hash hash;
    uint8_t id[12];
} prfs[] = {
    {CM_SHA256, {0x06, 0x08, RSADSI, 0x02, 0x09, 0x05, 0x00}},
    {CM_SHA384, {0x06, 0x08, RSADSI, 0x02, 0x0a, 0x05, 0x00}},
    {CM_SHA512, {0x06, 0x08, RSADSI, 0x02, 0x0b, 0x05, 0x00}},
};

static const struct cipher {
    const char *name;
    uint8_t key, oid[9];
} ciphers[] = {
    {"AES-256-CBC", 32, {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a}},
    {"AES-192-CBC", 24, {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x16}},
    {"AES-128-CBC", 16, {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x02}},
};

struct pbes2 {
    const struct prf *prf;
    const struct cipher *cipher;
    cm_view salt, iv, data;
    uint32_t rounds;
};

static void cipher_ctx_done(EVP_CIPHER_CTX **p)
{
    EVP_CIPHER_CTX_free(*p);
}

static void cipher_done(EVP_CIPHER **p)
{
    EVP_CIPHER_free(*p);
}

/* Appends the whole of in to out. A wrong padding is KEY_PASSPHRASE: only opening can meet it. */
static cm_err cbc(cm_buf *out, const cm_crypt *c, const struct pbes2 *b, const cm_key32 *key,
                  cm_view in, bool seal)
{
    CM_AUTO(cipher_ctx_done) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    CM_AUTO(cipher_done)
    EVP_CIPHER *method = EVP_CIPHER_fetch(cm_crypt_libctx(c), b->cipher->name, cm_crypt_propq(c));
    int n = 0, last = 0;

    if (!ctx || !method)
        return cm_pki_fail(CM_PKI_PROVIDER);
    CM_TRY(cm_buf_reserve(out, in.n + CBC_BLOCK));
    CM_TRY_PKI(EVP_CipherInit_ex2(ctx, method, key->b, b->iv.p, seal, NULL));
    CM_TRY_PKI(EVP_CipherUpdate(ctx, out->p + out->n, &n, in.p, (int)in.n));
    if (EVP_CipherFinal_ex(ctx, out->p + out->n + n, &last) != 1) {
        cm_wipe(out->p + out->n, in.n);
        return cm_pki_fail(CM_KEY_PASSPHRASE);
    }
    out->n += (size_t)(n + last);
    return CM_OKAY;
}

/* ---- PBES2: reading ------------------------------------------------------------------------ */

static cm_err expect_oid(cm_der *d, cm_view oid)
{
    cm_view is;

    CM_TRY(cm_der_take(d, CM_DER_OID, &is));
    return cm_view_eq(is, oid) ? CM_OKAY : CM_FAIL(KEY_PROTECTION);
}

static cm_err take_prf(struct pbes2 *b, cm_der *d)
{
    cm_view id;

    if (d->p == d->end)
        return CM_FAIL(KEY_PROTECTION); /* the default is HMAC with SHA-1 */
    CM_TRY(cm_der_take(d, CM_DER_SEQUENCE, &id));
    for (size_t i = 0; i < CM_COUNT(prfs); i++)
        if (cm_view_eq(id, CM_VIEW(prfs[i].id)))
            b->prf = &prfs[i];
    return b->prf ? CM_OKAY : CM_FAIL(KEY_PROTECTION);
}

/* K-42 */
static cm_err take_kdf(struct pbes2 *b, uint32_t *key_n, cm_der *params)
{
    cm_der d, in;

    CM_TRY(cm_der_enter(params, CM_DER_SEQUENCE, &d));
    CM_TRY(expect_oid(&d, CM_VIEW(oid_pbkdf2)));
    CM_TRY(cm_der_enter(&d, CM_DER_SEQUENCE, &in));
    CM_TRY(cm_der_end(&d));
    CM_TRY(cm_der_take(&in, CM_DER_OCTETS, &b->salt));
    CM_TRY(cm_der_u31(&in, &b->rounds));
    *key_n = 0;
    if (cm_der_at(&in, CM_DER_INTEGER))
        CM_TRY(cm_der_u31(&in, key_n));
    CM_TRY(take_prf(b, &in));
    CM_TRY(cm_der_end(&in));
    return b->rounds && b->salt.n >= PBES2_SALT_MIN && b->salt.n <= PBES2_SALT_MAX
               ? CM_OKAY
               : CM_FAIL(KEY_PROTECTION);
}

static cm_err take_cipher(struct pbes2 *b, uint32_t key_n, cm_der *params)
{
    cm_view oid;
    cm_der d;

    CM_TRY(cm_der_enter(params, CM_DER_SEQUENCE, &d));
    CM_TRY(cm_der_take(&d, CM_DER_OID, &oid));
    for (size_t i = 0; i < CM_COUNT(ciphers); i++)
        if (cm_view_eq(oid, CM_VIEW(ciphers[i].oid)))
            b->cipher = &ciphers[i];
    if (!b->cipher)
        return CM_FAIL(KEY_PROTECTION);
    CM_TRY(cm_der_take(&d, CM_DER_OCTETS, &b->iv));
    CM_TRY(cm_der_end(&d));
    if (b->iv.n != CBC_BLOCK || (key_n && key_n != b->cipher->key))
        return CM_FAIL(KEY_MALFORMED);
    return CM_OKAY;
}

static cm_err pbes2_parse(struct pbes2 *b, cm_view locked)
{
    cm_der d = cm_der_of(locked), in, alg, params;
    uint32_t key_n;

    CM_TRY(cm_der_enter(&d, CM_DER_SEQUENCE, &in));
    CM_TRY(cm_der_end(&d));
    CM_TRY(cm_der_enter(&in, CM_DER_SEQUENCE, &alg));
    CM_TRY(expect_oid(&alg, CM_VIEW(oid_pbes2)));
    CM_TRY(cm_der_enter(&alg, CM_DER_SEQUENCE, &params));
    CM_TRY(cm_der_end(&alg));
    CM_TRY(take_kdf(b, &key_n, &params));
    CM_TRY(take_cipher(b, key_n, &params));
    CM_TRY(cm_der_end(&params));
    CM_TRY(cm_der_take(&in, CM_DER_OCTETS, &b->data));
    CM_TRY(cm_der_end(&in));
    return b->data.n && b->data.n % CBC_BLOCK == 0 ? CM_OKAY : CM_FAIL(KEY_MALFORMED);
}

cm_err cm_pbes2_unlock(cm_buf *der, const cm_crypt *c, cm_view pass, cm_view locked,
                       const cm_pkey_reading *o)
{
    CM_AUTO(cm_key32_wipe) cm_key32 key = {{0}};
    struct pbes2 b = {0};
    cm_der d;
    cm_view v;

    CM_TRY(pbes2_parse(&b, locked));
    if (b.rounds > (o->max_rounds ? o->max_rounds : PBES2_ROUNDS_MAX))
        return CM_FAIL(KEY_COST); /* K-42 */
    CM_TRY(cm_pbkdf2(c, b.prf->hash, key.b, b.cipher->key, pass, b.salt, b.rounds));
    CM_TRY(cbc(der, c, &b, &key, b.data, false));
    /* One wrong key in 256 yields a valid padding. It won't yield a sequence of that length. */
    d = cm_der_of(cm_buf_view(der));
    if (cm_failed(cm_der_take(&d, CM_DER_SEQUENCE, &v)) || cm_failed(cm_der_end(&d))) {
        cm_buf_free(der);
        return CM_FAIL(KEY_PASSPHRASE);
    }
    return CM_OKAY;
}

/* ---- PBES2: writing ------------------------------------------------------------------------ */

static cm_err put_kdf(cm_buf *b, const struct pbes2 *p)
{
    size_t at = b->n, params;

    CM_TRY(cm_der_put(b, CM_DER_OID, CM_VIEW(oid_pbkdf2)));
    params = b->n;
    CM_TRY(cm_der_put(b, CM_DER_OCTETS, p->salt));
    CM_TRY(cm_der_put_u31(b, p->rounds));
    CM_TRY(cm_der_put(b, CM_DER_SEQUENCE, CM_VIEW(p->prf->id)));
    CM_TRY(cm_der_wrap(b, params, CM_DER_SEQUENCE));
    return cm_der_wrap(b, at, CM_DER_SEQUENCE);
}

static cm_err put_cipher(cm_buf *b, const struct pbes2 *p)
{
    size_t at = b->n;

    CM_TRY(cm_der_put(b, CM_DER_OID, CM_VIEW(p->cipher->oid)));
    CM_TRY(cm_der_put(b, CM_DER_OCTETS, p->iv));
    return cm_der_wrap(b, at, CM_DER_SEQUENCE);
}

static cm_err put_pbes2(cm_buf *b, const struct pbes2 *p)
{
    size_t at = b->n, alg, params;

    alg = b->n;
    CM_TRY(cm_der_put(b, CM_DER_OID, CM_VIEW(oid_pbes2)));
    params = b->n;
    CM_TRY(put_kdf(b, p));
    CM_TRY(put_cipher(b, p));
    CM_TRY(cm_der_wrap(b, params, CM_DER_SEQUENCE));
    CM_TRY(cm_der_wrap(b, alg, CM_DER_SEQUENCE));
    CM_TRY(cm_der_put(b, CM_DER_OCTETS, p->data));
    return cm_der_wrap(b, at, CM_DER_SEQUENCE);
}

/* K-41, K-47 */
cm_err cm_pbes2_lock(cm_buf *out, const cm_crypt *c, const cm_protect *p, cm_view der)
{
    CM_AUTO(cm_key32_wipe) cm_key32 key;
    CM_AUTO(cm_buf_free) cm_buf sealed = {.max = CM_KEYFILE_MAX};
    uint8_t salt[PBES2_SALT], iv[CBC_BLOCK];
    struct pbes2 b = {&prfs[0], &ciphers[0], CM_VIEW(salt), CM_VIEW(iv), {0}, rounds_of(p)};

    CM_TRY(cm_random(c, salt, sizeof salt));
    CM_TRY(cm_random(c, iv, sizeof iv));
    CM_TRY(cm_pbkdf2(c, b.prf->hash, key.b, sizeof key.b, p->passphrase, b.salt, b.rounds));
    CM_TRY(cbc(&sealed, c, &b, &key, der, true));
    b.data = cm_buf_view(&sealed);
    return put_pbes2(out, &b);
}

/* ---- Argon2id ------------------------------------------------------------------------------ */

enum { VERSION, KDF, MEMORY, PASSES, LANES, SALT, COMMIT, AEAD, NONCE, SEALED, FIELDS };
enum { VERSION_1 = 1, KDF_ARGON2ID = 1, AEAD_AES256GCM = 1 };

/* K-43 */
static const cm_cbor_field fields[FIELDS] = {
    [VERSION] = {1, CM_CBOR_UINT, true, 0, UINT32_MAX},
    [KDF] = {2, CM_CBOR_UINT, true, 0, UINT32_MAX},
    [MEMORY] = {3, CM_CBOR_UINT, true, 0, UINT32_MAX},
    [PASSES] = {4, CM_CBOR_UINT, true, 0, UINT32_MAX},
    [LANES] = {5, CM_CBOR_UINT, true, 0, UINT32_MAX},
    [SALT] = {6, CM_CBOR_BYTES, true, ARGON2_SALT, ARGON2_SALT_MAX},
    [COMMIT] = {7, CM_CBOR_BYTES, true, COMMITMENT, COMMITMENT},
    [AEAD] = {8, CM_CBOR_UINT, true, 0, UINT32_MAX},
    [NONCE] = {9, CM_CBOR_BYTES, true, CM_GCM_NONCE, CM_GCM_NONCE},
    [SEALED] = {10, CM_CBOR_BYTES, true, CM_GCM_TAG + 1, CM_KEYFILE_MAX},
};

static cm_cbor_value uint_value(uint64_t u)
{
    return (cm_cbor_value){.present = true, .u = u};
}

static cm_cbor_value bytes_value(const void *p, size_t n)
{
    return (cm_cbor_value){.present = true, .v = cm_view_of(p, n)};
}

/* K-44 */
static cm_err associated(cm_buf *aad, const cm_cbor_value *v)
{
    CM_TRY(cm_buf_append(aad, CM_LIT("casemate key file")));
    return cm_cbor_put_record(aad, fields, v, SEALED);
}

/* K-45: what Argon2id yields. */
typedef struct {
    cm_key32 key;
    uint8_t commitment[COMMITMENT];
} derived;

static void derived_wipe(derived *d)
{
    cm_wipe(d, sizeof *d);
}

static cm_err derive(derived *d, const cm_crypt *c, cm_view pass, const cm_cbor_value *v)
{
    cm_argon2 cost = {(uint32_t)v[MEMORY].u, (uint32_t)v[PASSES].u, (uint32_t)v[LANES].u};

    _Static_assert(sizeof *d == sizeof(cm_key32) + COMMITMENT, "no padding between the halves");
    return cm_argon2id(c, (uint8_t *)d, sizeof *d, pass, v[SALT].v, &cost);
}

cm_err cm_argon2_lock(cm_buf *out, const cm_crypt *c, const cm_protect *p, cm_view der)
{
    CM_AUTO(derived_wipe) derived d;
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *gcm = NULL;
    CM_AUTO(cm_buf_free) cm_buf sealed = {.max = CM_KEYFILE_MAX}, aad = {.max = DER_PARAMS_MAX};
    uint8_t salt[ARGON2_SALT], nonce[CM_GCM_NONCE];
    cm_argon2 cost = cost_of(p);
    cm_cbor_value v[FIELDS] = {
        [VERSION] = uint_value(VERSION_1),
        [KDF] = uint_value(KDF_ARGON2ID),
        [MEMORY] = uint_value(cost.memory_kib),
        [PASSES] = uint_value(cost.passes),
        [LANES] = uint_value(cost.lanes),
        [SALT] = bytes_value(salt, sizeof salt),
        [COMMIT] = bytes_value(d.commitment, sizeof d.commitment),
        [AEAD] = uint_value(AEAD_AES256GCM),
        [NONCE] = bytes_value(nonce, sizeof nonce),
    };

    CM_TRY(cm_random(c, salt, sizeof salt)); /* K-47 */
    CM_TRY(cm_random(c, nonce, sizeof nonce));
    CM_TRY(derive(&d, c, p->passphrase, v));
    CM_TRY(associated(&aad, v));
    CM_TRY(cm_gcm_new(&gcm, c, &d.key));
    CM_TRY(cm_buf_reserve(&sealed, der.n + CM_GCM_TAG));
    CM_TRY(cm_gcm_seal(gcm, sealed.p, sealed.p + der.n, nonce, cm_buf_view(&aad), der));
    v[SEALED] = bytes_value(sealed.p, der.n + CM_GCM_TAG);
    return cm_cbor_put_record(out, fields, v, FIELDS);
}

/* A later version may have other fields: its number is looked at before the rest. */
static cm_err record_parse(cm_cbor_value v[FIELDS], cm_view locked)
{
    cm_cbor peek, c;
    uint64_t pairs, key, version;

    CM_TRY(cm_cbor_open(&c, locked, NULL));
    peek = c;
    CM_TRY(cm_cbor_map(&peek, &pairs));
    CM_TRY(cm_cbor_uint(&peek, &key));
    CM_TRY(cm_cbor_uint(&peek, &version));
    if (key == 1 && version != VERSION_1)
        return CM_FAIL(KEY_PROTECTION);
    CM_TRY(cm_cbor_record(&c, fields, v, FIELDS, NULL));
    CM_TRY(cm_cbor_end(&c));
    return v[KDF].u == KDF_ARGON2ID && v[AEAD].u == AEAD_AES256GCM ? CM_OKAY
                                                                   : CM_FAIL(KEY_PROTECTION);
}

/* K-46: before any memory is taken. */
static cm_err cost_check(const cm_cbor_value v[FIELDS], const cm_pkey_reading *o)
{
    uint64_t memory = o->max_memory_kib ? o->max_memory_kib : ARGON2_MEMORY_MAX;
    uint64_t passes = o->max_passes ? o->max_passes : ARGON2_PASSES_MAX;

    if (v[LANES].u == 0 || v[PASSES].u == 0 || v[MEMORY].u < ARGON2_LANE_KIB * v[LANES].u)
        return CM_FAIL(KEY_MALFORMED);
    if (v[MEMORY].u > memory || v[PASSES].u > passes || v[LANES].u > ARGON2_LANES_MAX)
        return CM_FAIL(KEY_COST);
    return CM_OKAY;
}

cm_err cm_argon2_unlock(cm_buf *der, const cm_crypt *c, cm_view pass, cm_view locked,
                        const cm_pkey_reading *o)
{
    CM_AUTO(derived_wipe) derived d;
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *gcm = NULL;
    CM_AUTO(cm_buf_free) cm_buf aad = {.max = DER_PARAMS_MAX};
    cm_cbor_value v[FIELDS] = {0};
    cm_view sealed;
    cm_err e = record_parse(v, locked);

    if (cm_err_class(e) == CM_CLASS_MALFORMED)
        return CM_FAIL(KEY_MALFORMED);
    CM_TRY(e);
    CM_TRY(cost_check(v, o));
    CM_TRY(derive(&d, c, pass, v));
    if (!cm_ct_equal(CM_VIEW(d.commitment), v[COMMIT].v))
        return CM_FAIL(KEY_PASSPHRASE); /* K-45 */
    CM_TRY(associated(&aad, v));
    CM_TRY(cm_gcm_new(&gcm, c, &d.key));
    sealed = cm_view_sub(v[SEALED].v, 0, v[SEALED].v.n - CM_GCM_TAG);
    CM_TRY(cm_buf_reserve(der, sealed.n));
    e = cm_gcm_open(gcm, der->p, sealed.p + sealed.n, v[NONCE].v.p, cm_buf_view(&aad), sealed);
    if (cm_err_class(e) == CM_CLASS_UNAUTHENTIC)
        return CM_FAIL(KEY_DAMAGED);
    CM_TRY(e);
    der->n = sealed.n;
    return CM_OKAY;
}
