#include "crypt/sig.h"

#include "base/ct.h"
#include "base/secret.h"
#include "crypt/mldsa_int.h"

static const uint8_t order_p256[32] = {
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
};
static const uint8_t order_p384[48] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf,
    0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0, 0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73,
};

#define PQ(id_, name_, seed_, pk_, sig_, family_, method_)                              \
    {                                                                                   \
        .info = {.id = (id_),                                                           \
                 .name = (name_),                                                       \
                 .seed = (seed_),                                                       \
                 .pk = (pk_),                                                           \
                 .sig = (sig_),                                                         \
                 .post_quantum = true},                                                 \
        .family = &(family_), .key = (method_), .method = (method_), .native_ctx = true \
    }
#define CURVE(id_, name_, n_, family_, key_, method_, order_)                                      \
    {                                                                                              \
        .info = {.id = (id_), .name = (name_), .seed = (n_), .pk = 1 + 2 * (n_), .sig = 2 * (n_)}, \
        .family = &(family_), .key = (key_), .method = (method_), .order = (order_)                \
    }
#define DUAL(id_, name_, pk_, sig_, first_) \
    {                                       \
        .info = {.id = (id_),               \
                 .name = (name_),           \
                 .seed = 64,                \
                 .pk = (pk_) + 32,          \
                 .sig = (sig_) + 64,        \
                 .post_quantum = true},     \
        .family = &cm_sig_dual, .part = {   \
            (first_),                       \
            CM_SIG_ED25519                  \
        }                                   \
    }

static const cm_sig_alg algs[CM_SIG_COUNT] = {
    PQ(CM_SIG_MLDSA44, "ML-DSA-44", 32, 1312, 2420, cm_sig_mldsa, "ML-DSA-44"),
    PQ(CM_SIG_MLDSA65, "ML-DSA-65", 32, 1952, 3309, cm_sig_mldsa, "ML-DSA-65"),
    PQ(CM_SIG_MLDSA87, "ML-DSA-87", 32, 2592, 4627, cm_sig_mldsa, "ML-DSA-87"),
    PQ(CM_SIG_SLHDSA_SHA2_128S, "SLH-DSA-SHA2-128s", 48, 32, 7856, cm_sig_slhdsa,
       "SLH-DSA-SHA2-128s"),
    PQ(CM_SIG_SLHDSA_SHA2_128F, "SLH-DSA-SHA2-128f", 48, 32, 17088, cm_sig_slhdsa,
       "SLH-DSA-SHA2-128f"),
    {.info = {.id = CM_SIG_ED25519, .name = "Ed25519", .seed = 32, .pk = 32, .sig = 64},
     .family = &cm_sig_ed25519,
     .key = "ED25519",
     .method = "ED25519"},
    CURVE(CM_SIG_P256, "P-256", 32, cm_sig_nist, "P-256", "ECDSA-SHA2-256", order_p256),
    CURVE(CM_SIG_P384, "P-384", 48, cm_sig_nist, "P-384", "ECDSA-SHA2-384", order_p384),
    CURVE(CM_SIG_SECP256K1, "secp256k1", 32, cm_sig_secp, NULL, NULL, NULL),
    DUAL(CM_SIG_DUAL65, "ML-DSA-65+Ed25519", 1952, 3309, CM_SIG_MLDSA65),
    DUAL(CM_SIG_DUAL87, "ML-DSA-87+Ed25519", 2592, 4627, CM_SIG_MLDSA87),
};

const cm_sig_alg *cm_sig_alg_of(uint32_t id)
{
    return id >= 1 && id <= CM_SIG_COUNT ? &algs[id - 1] : NULL;
}

const cm_sig_info *cm_sig_info_of(uint32_t id)
{
    const cm_sig_alg *a = cm_sig_alg_of(id);

    return a ? &a->info : NULL;
}

const cm_sig_info *cm_sig_info_by_name(cm_view name)
{
    for (size_t i = 0; i < CM_COUNT(algs); i++)
        if (cm_view_eq(name, cm_view_str(algs[i].info.name)))
            return &algs[i].info;
    return NULL;
}

/* ---- keys --------------------------------------------------------------------------------- */

static cm_err new_key(cm_sig_key **out, const cm_crypt *c, cm_sig_id id)
{
    const cm_sig_alg *alg = cm_sig_alg_of(id);

    if (!alg)
        return CM_FAIL(CRYPT_ALGORITHM);
    CM_TRY(cm_alloc(out, sizeof **out));
    (*out)->crypt = c;
    (*out)->alg = alg;
    return CM_OKAY;
}

/* Statements bind the public key, as ML-DSA does by itself. */
static cm_err finish(cm_sig_key **out, cm_sig_key **k)
{
    if (!(*k)->alg->native_ctx)
        CM_TRY(cm_hash_once((*k)->crypt, CM_SHA256, (*k)->pk_hash, cm_sig_public(*k)));
    if ((*k)->alg->family == &cm_sig_mldsa)
        CM_TRY(cm_mldsa_cache_new(&(*k)->expanded));
    *out = *k;
    *k = NULL;
    return CM_OKAY;
}

cm_err cm_sig_from_seed(cm_sig_key **out, const cm_crypt *c, cm_sig_id id, cm_view seed)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;

    CM_TRY(new_key(&k, c, id));
    if (seed.n != k->alg->info.seed) /* K-12 */
        return CM_FAIL(CRYPT_BAD_KEY);
    CM_TRY(cm_secret_new(&k->seed, seed.n));
    memcpy(k->seed, seed.p, seed.n);
    k->has_private = true;
    CM_TRY(k->alg->family->from_seed(k, cm_sig_seed(k)));
    return finish(out, &k);
}

cm_err cm_sig_from_expanded(cm_sig_key **out, const cm_crypt *c, cm_sig_id id, cm_view sk)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;

    CM_TRY(new_key(&k, c, id));
    if (k->alg->family != &cm_sig_mldsa)
        return CM_FAIL(CRYPT_ALGORITHM);
    k->has_private = true;
    CM_TRY(cm_sig_mldsa_expanded(k, sk));
    return finish(out, &k);
}

static bool public_size_ok(const cm_sig_alg *alg, size_t n)
{
    bool curve = alg->info.pk == 1 + 2 * alg->info.seed;

    return n == alg->info.pk || (curve && n == 1u + alg->info.seed);
}

cm_err cm_sig_from_public(cm_sig_key **out, const cm_crypt *c, cm_sig_id id, cm_view pk)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;

    CM_TRY(new_key(&k, c, id));
    if (!public_size_ok(k->alg, pk.n)) /* K-11 */
        return CM_FAIL(CRYPT_BAD_KEY);
    CM_TRY(k->alg->family->from_public(k, pk));
    return finish(out, &k);
}

/* A random scalar is out of range about once in 2^32 for P-256, and less often elsewhere. */
cm_err cm_sig_generate(cm_sig_key **out, const cm_crypt *c, cm_sig_id id)
{
    const cm_sig_alg *alg = cm_sig_alg_of(id);
    uint8_t seed[CM_SIG_SEED_MAX];
    cm_err e = CM_FAIL(CRYPT_BAD_KEY);

    if (!alg)
        return CM_FAIL(CRYPT_ALGORITHM);
    for (int tries = 0; tries < 8 && cm_is(e, CM_CRYPT_BAD_KEY); tries++) {
        e = cm_random(c, seed, alg->info.seed);
        if (cm_ok(e))
            e = cm_sig_from_seed(out, c, id, cm_view_of(seed, alg->info.seed));
    }
    cm_wipe(seed, sizeof seed);
    return e;
}

void cm_sig_key_free(cm_sig_key *k)
{
    if (!k)
        return;
    cm_sig_key_free(k->part[0]); /* parts have no parts: this ends there */
    cm_sig_key_free(k->part[1]);
    EVP_PKEY_free(k->pkey);
    EVP_SIGNATURE_free(k->method);
    cm_mldsa_cache_free(k->expanded);
    cm_p256_table_free(k->table);
    cm_secret_free(k->hedge, sizeof *k->hedge);
    cm_secret_free(k->seed, k->alg->info.seed);
    cm_free(k);
}

void cm_sig_key_free_ptr(cm_sig_key **k)
{
    cm_sig_key_free(*k);
}

const cm_sig_info *cm_sig_key_info(const cm_sig_key *k)
{
    return &k->alg->info;
}

cm_view cm_sig_public(const cm_sig_key *k)
{
    return cm_view_of(k->pk, k->alg->info.pk);
}

bool cm_sig_has_private(const cm_sig_key *k)
{
    return k->has_private;
}

cm_view cm_sig_seed(const cm_sig_key *k)
{
    return cm_view_of(k->seed, k->seed ? k->alg->info.seed : 0);
}

/* Borrow of scalar - order and of 0 - scalar: both are 1 exactly for 0 < scalar < order. */
bool cm_sig_scalar_ok(const uint8_t *scalar, const uint8_t *order, size_t n)
{
    uint32_t below = 0, nonzero = 0, ok;

    for (size_t i = n; i-- > 0;) {
        below = ((uint32_t)scalar[i] - order[i] - below) >> 31;
        nonzero |= scalar[i];
    }
    ok = cm_ct_mask(nonzero) & (0u - below);
    CM_DECLASSIFY(&ok, sizeof ok); /* that a key is not one is what the caller is told */
    return ok != 0;
}

/* ---- signatures --------------------------------------------------------------------------- */

static cm_err check_ctx(cm_view ctx)
{
    if (ctx.n > CM_SIG_CTX_MAX) /* K-1 */
        return CM_FAIL(CRYPT_CONTEXT_LONG);
    if (cm_view_eq(ctx, CM_LIT(CM_SIG_DUAL_CTX))) /* K-7 */
        return CM_FAIL(CRYPT_CONTEXT_RESERVED);
    return CM_OKAY;
}

/* K-3 */
cm_err cm_sig_statement(cm_buf *out, const cm_sig_key *k, cm_view ctx, cm_view msg)
{
    static const char label[] = "casemate-sig-v1"; /* with its NUL */
    size_t n;

    if (!cm_add_size(&n, sizeof label + 2 + ctx.n + sizeof k->pk_hash, msg.n))
        return CM_FAIL(OVERFLOW);
    out->max = n;
    CM_TRY(cm_buf_reserve(out, n));
    CM_TRY(cm_buf_append(out, CM_VIEW(label)));
    CM_TRY(cm_buf_byte(out, (uint8_t)k->alg->info.id));
    CM_TRY(cm_buf_byte(out, (uint8_t)ctx.n));
    CM_TRY(cm_buf_append(out, ctx));
    CM_TRY(cm_buf_append(out, CM_VIEW(k->pk_hash)));
    return cm_buf_append(out, msg);
}

/* secp256k1 signs digests, everything else bytes. */
static cm_err to_sign(cm_view *out, uint8_t digest[CM_SIG_DIGEST], const cm_sig_key *k,
                      const cm_buf *statement)
{
    *out = cm_buf_view(statement);
    if (k->alg->info.id != CM_SIG_SECP256K1)
        return CM_OKAY;
    CM_TRY(cm_hash_once(k->crypt, CM_SHA256, digest, *out)); /* K-4 */
    *out = cm_view_of(digest, CM_SIG_DIGEST);
    return CM_OKAY;
}

/* Through a copy, so that the caller's bytes change only when there is a whole signature. */
static cm_err sign_to(const cm_sig_key *k, uint8_t *sig, cm_view ctx, cm_view msg, unsigned flags)
{
    uint8_t made[CM_SIG_MAX];

    if (!k->has_private)
        return CM_FAIL(CRYPT_NO_PRIVATE);
    CM_TRY(k->alg->family->sign(k, made, ctx, msg, flags));
    memcpy(sig, made, k->alg->info.sig);
    return CM_OKAY;
}

static cm_err verify_of(const cm_sig_key *k, cm_view ctx, cm_view msg, cm_view sig, unsigned flags)
{
    if (sig.n != k->alg->info.sig)
        return CM_FAIL(CRYPT_SIGNATURE);
    return k->alg->family->verify(k, ctx, msg, sig, flags);
}

cm_err cm_sign(const cm_sig_key *k, uint8_t *sig, cm_view ctx, cm_view msg)
{
    CM_AUTO(cm_buf_free) cm_buf statement = {0};
    uint8_t digest[CM_SIG_DIGEST];
    cm_view v;

    CM_TRY(check_ctx(ctx));
    if (k->alg->native_ctx)
        return sign_to(k, sig, ctx, msg, 0); /* K-2 */
    CM_TRY(cm_sig_statement(&statement, k, ctx, msg));
    CM_TRY(to_sign(&v, digest, k, &statement));
    return sign_to(k, sig, CM_LIT(""), v, 0);
}

cm_err cm_verify(const cm_sig_key *k, cm_view ctx, cm_view msg, cm_view sig)
{
    CM_AUTO(cm_buf_free) cm_buf statement = {0};
    uint8_t digest[CM_SIG_DIGEST];
    cm_view v;

    CM_TRY(check_ctx(ctx));
    if (k->alg->native_ctx)
        return verify_of(k, ctx, msg, sig, 0); /* K-2 */
    CM_TRY(cm_sig_statement(&statement, k, ctx, msg));
    CM_TRY(to_sign(&v, digest, k, &statement));
    return verify_of(k, CM_LIT(""), v, sig, 0);
}

static cm_err check_raw(const cm_sig_key *k, cm_view msg)
{
    if (k->alg->family == &cm_sig_dual)
        return CM_FAIL(CRYPT_ALGORITHM);
    if (k->alg->info.id == CM_SIG_SECP256K1 && msg.n != CM_SIG_DIGEST)
        return CM_FAIL(BAD_ARGUMENT);
    return CM_OKAY;
}

cm_err cm_sign_raw(const cm_sig_key *k, uint8_t *sig, cm_view msg)
{
    CM_TRY(check_raw(k, msg));
    return sign_to(k, sig, CM_LIT(""), msg, 0);
}

cm_err cm_verify_raw(const cm_sig_key *k, cm_view msg, cm_view sig)
{
    CM_TRY(check_raw(k, msg));
    return verify_of(k, CM_LIT(""), msg, sig, 0);
}

static cm_err check_digest(const cm_sig_key *k, cm_view digest)
{
    if (k->alg->family != &cm_sig_nist && k->alg->family != &cm_sig_secp)
        return CM_FAIL(CRYPT_ALGORITHM);
    return digest.n == k->alg->info.seed ? CM_OKAY : CM_FAIL(BAD_ARGUMENT);
}

cm_err cm_sign_digest(const cm_sig_key *k, uint8_t *sig, cm_view digest)
{
    CM_TRY(check_digest(k, digest));
    return sign_to(k, sig, CM_LIT(""), digest, CM_SIG_IS_DIGEST);
}

cm_err cm_verify_digest(const cm_sig_key *k, cm_view digest, cm_view sig)
{
    CM_TRY(check_digest(k, digest));
    return verify_of(k, CM_LIT(""), digest, sig, CM_SIG_IS_DIGEST);
}

cm_err cm_sign_det(const cm_sig_key *k, uint8_t *sig, cm_view ctx, cm_view msg)
{
    if (ctx.n > CM_SIG_CTX_MAX)
        return CM_FAIL(CRYPT_CONTEXT_LONG);
    if (!k->alg->native_ctx)
        return CM_FAIL(CRYPT_ALGORITHM);
    return sign_to(k, sig, ctx, msg, CM_SIG_DETERMINISTIC);
}

cm_err cm_sig_prepare(cm_sig_key *k)
{
    if (k->alg->info.id != CM_SIG_P256 || k->crypt->profile == CM_PROFILE_FIPS || k->table)
        return CM_OKAY;
    return cm_p256_table_new(&k->table, k->pk);
}

/* ---- ML-DSA's external mu ------------------------------------------------------------------ */

static bool is_mldsa(const cm_sig_key *k)
{
    return k->alg->family == &cm_sig_mldsa;
}

cm_err cm_sign_mu(const cm_sig_key *k, uint8_t *sig, const uint8_t mu[64])
{
    if (!is_mldsa(k))
        return CM_FAIL(CRYPT_ALGORITHM);
    return sign_to(k, sig, CM_LIT(""), cm_view_of(mu, CM_SIG_MU), CM_SIG_IS_MU);
}

cm_err cm_verify_mu(const cm_sig_key *k, const uint8_t mu[64], cm_view sig)
{
    if (!is_mldsa(k))
        return CM_FAIL(CRYPT_ALGORITHM);
    return verify_of(k, CM_LIT(""), cm_view_of(mu, CM_SIG_MU), sig, CM_SIG_IS_MU);
}

/* FIPS 204, algorithm 2 line 10 and algorithm 7 line 6: tr = H(pk, 64), mu = H(tr || M', 64). */
cm_err cm_mldsa_mu(const cm_sig_key *k, uint8_t mu[64], cm_view ctx, cm_view msg)
{
    uint8_t tr[CM_SIG_MU], head[2];
    cm_view parts[] = {CM_VIEW(tr), CM_VIEW(head), ctx, msg};

    if (!is_mldsa(k))
        return CM_FAIL(CRYPT_ALGORITHM);
    CM_TRY(check_ctx(ctx));
    head[0] = 0;
    head[1] = (uint8_t)ctx.n;
    CM_TRY(cm_shake(k->crypt, 256, tr, sizeof tr, cm_sig_public(k)));
    return cm_shake_parts(k->crypt, 256, mu, CM_SIG_MU, parts, CM_COUNT(parts));
}
