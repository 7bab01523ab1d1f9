/* Credentials that one TPM alone can open: TPM 2.0 part 1, section 24 and annexes B and C. */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "attest/tpm_int.h"
#include "crypt/ossl.h"

enum {
    BLOB_VERSION = 1,
    PART_MAX = 1024,
    FIELD_MAX = 66,
};

/* tpm2-tools begin their files so: magic, version, then the two buffers. */
static const uint32_t BLOB_MAGIC = 0xbadcc0de;

CM_ATTEST_SCOPED(EVP_PKEY_CTX, pkey_ctx, EVP_PKEY_CTX_free)
CM_ATTEST_SCOPED(EVP_CIPHER_CTX, cipher_ctx, EVP_CIPHER_CTX_free)
CM_ATTEST_SCOPED(EVP_CIPHER, cipher, EVP_CIPHER_free)

/* What the profile of endorsement keys has for a kind of key: hash and bits of AES. */
typedef struct {
    cm_hash hash;
    const char *hash_name, *cipher;
    size_t digest, key, field;
} ek_kind;

static const ek_kind *kind_of(EVP_PKEY *ek)
{
    static const ek_kind small = {CM_SHA256, "SHA256", "AES-128-CFB", 32, 16, 32};
    static const ek_kind large = {CM_SHA384, "SHA384", "AES-256-CFB", 48, 32, 48};
    int bits = ek ? EVP_PKEY_get_bits(ek) : 0;

    if (bits && EVP_PKEY_get_base_id(ek) == EVP_PKEY_RSA)
        return bits == 2048 ? &small : bits == 3072 || bits == 4096 ? &large : NULL;
    if (bits && EVP_PKEY_get_base_id(ek) == EVP_PKEY_EC)
        return bits == 256 ? &small : bits == 384 ? &large : NULL;
    return NULL;
}

static cm_err put_u16(cm_buf *b, size_t v)
{
    uint8_t n[2];

    cm_put_be16(n, (uint16_t)v);
    return cm_buf_append(b, CM_VIEW(n));
}

static cm_err put_sized(cm_buf *b, cm_view v)
{
    CM_TRY(put_u16(b, v.n));
    return cm_buf_append(b, v);
}

/* KDFa: one block suffices, as no key here is longer than a digest. */
static cm_err kdfa(uint8_t out[CM_HASH_MAX], const cm_crypt *c, const ek_kind *k, cm_view seed,
                   cm_view label, cm_view context, size_t bytes)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = PART_MAX};
    uint8_t n[4];

    cm_put_be32(n, 1);
    CM_TRY(cm_buf_append(&b, CM_VIEW(n)));
    CM_TRY(cm_buf_append(&b, label));
    CM_TRY(cm_buf_append(&b, context));
    cm_put_be32(n, (uint32_t)bytes * 8);
    CM_TRY(cm_buf_append(&b, CM_VIEW(n)));
    return cm_hmac(c, k->hash, out, seed, cm_buf_view(&b));
}

/* ---- the seed, encrypted to the endorsement key -------------------------------------------- */

static cm_err rsa_seed(uint8_t *seed, cm_buf *secret, const cm_crypt *c, const ek_kind *k,
                       EVP_PKEY *ek)
{
    static const uint8_t label[] = "IDENTITY"; /* its zero included */
    CM_AUTO(cm_attest_pkey_ctx_done)
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(cm_crypt_libctx(c), ek, cm_crypt_propq(c));
    uint8_t *copy = OPENSSL_memdup(label, sizeof label), sealed[PART_MAX];
    size_t n = sizeof sealed;
    bool good;

    CM_TRY(cm_random(c, seed, k->digest));
    good = ctx && copy && EVP_PKEY_encrypt_init(ctx) == 1 &&
           EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_oaep_md_name(ctx, k->hash_name, cm_crypt_propq(c)) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, k->hash_name, cm_crypt_propq(c)) == 1;
    if (good && EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, copy, sizeof label) == 1)
        copy = NULL;
    good = good && !copy && EVP_PKEY_encrypt(ctx, sealed, &n, seed, k->digest) == 1;
    OPENSSL_free(copy);
    ERR_clear_error();
    return good ? put_sized(secret, cm_view_of(sealed, n)) : CM_FAIL(CRYPT_PROVIDER);
}

static bool point_of(uint8_t *xy, EVP_PKEY *key, size_t field)
{
    uint8_t point[1 + 2 * FIELD_MAX];
    size_t n = 0;
    bool good = EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point,
                                                sizeof point, &n) == 1 &&
                n == 1 + 2 * field && point[0] == 4;

    if (good)
        memcpy(xy, point + 1, 2 * field);
    return good;
}

static bool shared_x(uint8_t z[FIELD_MAX], const cm_crypt *c, EVP_PKEY *mine, EVP_PKEY *ek,
                     size_t field)
{
    CM_AUTO(cm_attest_pkey_ctx_done)
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(cm_crypt_libctx(c), mine, cm_crypt_propq(c));
    size_t n = FIELD_MAX;

    return ctx && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, ek) == 1 &&
           EVP_PKEY_derive(ctx, z, &n) == 1 && n == field;
}

/* KDFe: counter, Z, label with its zero, both x; one block. */
static cm_err kdfe(uint8_t *seed, const cm_crypt *c, const ek_kind *k, cm_view z, cm_view ours,
                   cm_view theirs)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = PART_MAX};
    uint8_t n[4];
    cm_err e;

    cm_put_be32(n, 1);
    CM_TRY(cm_buf_append(&b, CM_VIEW(n)));
    CM_TRY(cm_buf_append(&b, z));
    CM_TRY(cm_buf_append(&b, cm_view_of("IDENTITY", sizeof "IDENTITY")));
    CM_TRY(cm_buf_append(&b, ours));
    CM_TRY(cm_buf_append(&b, theirs));
    e = cm_hash_once(c, k->hash, seed, cm_buf_view(&b));
    cm_wipe(b.p, b.n);
    return e;
}

static cm_err ec_seed(uint8_t *seed, cm_buf *secret, const cm_crypt *c, const ek_kind *k,
                      EVP_PKEY *ek)
{
    CM_AUTO(cm_attest_pkey_done)
    EVP_PKEY *mine = EVP_PKEY_Q_keygen(cm_crypt_libctx(c), cm_crypt_propq(c), "EC",
                                       k->field == 32 ? "P-256" : "P-384");
    uint8_t ours[2 * FIELD_MAX], theirs[2 * FIELD_MAX], z[FIELD_MAX];
    bool good = mine && point_of(ours, mine, k->field) && point_of(theirs, ek, k->field) &&
                shared_x(z, c, mine, ek, k->field);
    cm_err e = good ? CM_OKAY : CM_FAIL(CRYPT_PROVIDER);

    ERR_clear_error();
    if (cm_ok(e))
        e = kdfe(seed, c, k, cm_view_of(z, k->field), cm_view_of(ours, k->field),
                 cm_view_of(theirs, k->field));
    cm_wipe(z, sizeof z);
    CM_TRY(e);
    CM_TRY(put_u16(secret, 2 * (2 + k->field)));
    CM_TRY(put_sized(secret, cm_view_of(ours, k->field)));
    return put_sized(secret, cm_view_of(ours + k->field, k->field));
}

/* ---- the credential under the seed --------------------------------------------------------- */

static cm_err encrypt(cm_buf *sealed, const cm_crypt *c, const ek_kind *k, const uint8_t *key,
                      cm_view secret)
{
    CM_AUTO(cm_attest_cipher_ctx_done) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    CM_AUTO(cm_attest_cipher_done)
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(cm_crypt_libctx(c), k->cipher, cm_crypt_propq(c));
    static const uint8_t iv[16];
    uint8_t plain[2 + CM_TPM_SECRET], out[sizeof plain];
    int n = 0;
    bool good;

    cm_put_be16(plain, (uint16_t)secret.n);
    memcpy(plain + 2, secret.p, secret.n);
    good = ctx && cipher && EVP_EncryptInit_ex2(ctx, cipher, key, iv, NULL) == 1 &&
           EVP_EncryptUpdate(ctx, out, &n, plain, sizeof plain) == 1 && n == (int)sizeof plain;
    ERR_clear_error();
    cm_wipe(plain, sizeof plain);
    return good ? cm_buf_append(sealed, CM_VIEW(out)) : CM_FAIL(CRYPT_PROVIDER);
}

/* TPM2B_ID_OBJECT: a HMAC with its size, then what it covers beside the name. */
static cm_err put_object(cm_buf *blob, const cm_crypt *c, const ek_kind *k, cm_view seed,
                         const cm_tpm_activation *a)
{
    CM_AUTO(cm_buf_free) cm_buf sealed = {.max = PART_MAX};
    cm_view name = cm_view_of(a->name, a->name_n), zero = cm_view_of("", 1);
    CM_AUTO(cm_buf_free) cm_buf storage = {.max = PART_MAX};
    CM_AUTO(cm_buf_free) cm_buf covered = {.max = PART_MAX};
    uint8_t key[CM_HASH_MAX], mac[CM_HASH_MAX];
    cm_err e;

    CM_TRY(cm_buf_append(&storage, zero));
    CM_TRY(cm_buf_append(&storage, name));
    CM_TRY(kdfa(key, c, k, seed, CM_LIT("STORAGE"), cm_buf_view(&storage), k->key));
    e = encrypt(&sealed, c, k, key, CM_VIEW(a->secret));
    cm_wipe(key, sizeof key);
    CM_TRY(e);
    CM_TRY(kdfa(key, c, k, seed, CM_LIT("INTEGRITY"), zero, k->digest));
    CM_TRY(cm_buf_append(&covered, cm_buf_view(&sealed)));
    CM_TRY(cm_buf_append(&covered, name));
    e = cm_hmac(c, k->hash, mac, cm_view_of(key, k->digest), cm_buf_view(&covered));
    cm_wipe(key, sizeof key);
    CM_TRY(e);
    CM_TRY(put_u16(blob, 2 + k->digest + sealed.n));
    CM_TRY(put_sized(blob, cm_view_of(mac, k->digest)));
    return cm_buf_append(blob, cm_buf_view(&sealed));
}

static cm_err make(cm_buf *blob, const cm_tpm_activation *a, const cm_crypt *c, EVP_PKEY *ek)
{
    const ek_kind *k = kind_of(ek);
    CM_AUTO(cm_buf_free) cm_buf secret = {.max = PART_MAX};
    uint8_t seed[CM_HASH_MAX], head[8];
    cm_err e;

    if (!k)
        return CM_FAIL(ATTEST_TPM_KEY);
    e = EVP_PKEY_get_base_id(ek) == EVP_PKEY_RSA ? rsa_seed(seed, &secret, c, k, ek)
                                                 : ec_seed(seed, &secret, c, k, ek);
    cm_put_be32(head, BLOB_MAGIC);
    cm_put_be32(head + 4, BLOB_VERSION);
    if (cm_ok(e))
        e = cm_buf_append(blob, CM_VIEW(head));
    if (cm_ok(e))
        e = put_object(blob, c, k, cm_view_of(seed, k->digest), a);
    cm_wipe(seed, sizeof seed);
    CM_TRY(e);
    return cm_buf_append(blob, cm_buf_view(&secret));
}

cm_err cm_tpm_credential_whose(cm_tpm_activation *out, const cm_crypt *c, cm_view ek_cert,
                               cm_view ak)
{
    CM_AUTO(cm_pool_done) cm_pool pool = {0};
    cm_tpm_activation a = {0};
    cm_tpm_public pub;

    CM_TRY(cm_pool_add(&pool, c, ek_cert));
    if (!cm_tpm_public_read(&pub, ak) || !cm_tpm_is_attestation_key(&pub) || pool.n != 1)
        return CM_FAIL(ATTEST_TPM_KEY);
    CM_TRY(cm_tpm_name(a.name, &a.name_n, c, &pub));
    memcpy(a.ek, pool.name[0].spki, sizeof a.ek);
    *out = a;
    return CM_OKAY;
}

cm_err cm_tpm_credential_put(cm_buf *blob, const cm_tpm_activation *a, const cm_crypt *c,
                             cm_view ek_cert)
{
    CM_AUTO(cm_pool_done) cm_pool pool = {0};

    CM_TRY(cm_pool_add(&pool, c, ek_cert));
    if (pool.n != 1)
        return CM_FAIL(ATTEST_TPM_KEY);
    return make(blob, a, c, X509_get0_pubkey(pool.v[0]));
}

/* AT-54 */
cm_err cm_tpm_credential_make(cm_buf *blob, cm_tpm_activation *out, const cm_crypt *c,
                              cm_view ek_cert, cm_view ak)
{
    cm_tpm_activation a;

    CM_TRY(cm_tpm_credential_whose(&a, c, ek_cert, ak));
    CM_TRY(cm_random(c, a.secret, sizeof a.secret));
    CM_TRY(cm_tpm_credential_put(blob, &a, c, ek_cert));
    *out = a;
    return CM_OKAY;
}
