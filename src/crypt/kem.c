#include "crypt/kem.h"

#include "base/secret.h"
#include "crypt/mlkem_int.h"

static const cm_kem_info infos[CM_KEM_COUNT] = {
    {CM_KEM_X25519, "X25519", 32, 32, 32, 32, 0, false},
    {CM_KEM_MLKEM512, "ML-KEM-512", 64, 800, 768, 32, 1, true},
    {CM_KEM_MLKEM768, "ML-KEM-768", 64, 1184, 1088, 32, 3, true},
    {CM_KEM_MLKEM1024, "ML-KEM-1024", 64, 1568, 1568, 32, 5, true},
    {CM_KEM_XWING, "X-Wing", 32, 1216, 1120, 32, 3, true},
};

const cm_kem_info *cm_kem_info_of(uint32_t id)
{
    for (size_t i = 0; i < CM_COUNT(infos); i++)
        if ((uint32_t)infos[i].id == id)
            return &infos[i];
    return NULL;
}

const cm_kem_info *cm_kem_info_by_name(cm_view name)
{
    for (size_t i = 0; i < CM_COUNT(infos); i++)
        if (cm_view_eq(cm_view_str(infos[i].name), name))
            return &infos[i];
    return NULL;
}

static const cm_kem_ops *ops_of(const cm_kem_info *i)
{
    if (i->id == CM_KEM_X25519)
        return &cm_x25519_ops;
    return i->id == CM_KEM_XWING ? &cm_xwing_ops : &cm_mlkem_ops;
}

static void evp_keymgmt_done(EVP_KEYMGMT **m)
{
    EVP_KEYMGMT_free(*m);
}

cm_err cm_kem_served(const cm_crypt *c, const char *name)
{
    CM_AUTO(evp_keymgmt_done)
    EVP_KEYMGMT *m = EVP_KEYMGMT_fetch(cm_crypt_libctx(c), name, cm_crypt_propq(c));

    if (m)
        return CM_OKAY;
    return cm_crypt_fail(cm_crypt_profile(c) == CM_PROFILE_FIPS ? CM_CRYPT_PROFILE
                                                                : CM_CRYPT_PROVIDER);
}

/* ---- life --------------------------------------------------------------------------------- */

static cm_err new_key(cm_kem_key **out, const cm_crypt *c, cm_kem_id id)
{
    const cm_kem_info *i = cm_kem_info_of((uint32_t)id);
    cm_kem_key *k;

    if (!i)
        return CM_FAIL(CRYPT_ALGORITHM);
    CM_TRY(cm_alloc(&k, sizeof *k));
    k->info = i;
    k->crypt = c;
    *out = k;
    return CM_OKAY;
}

/* A key with room for its seed, which the caller fills before finish_private(). */
static cm_err new_private(cm_kem_key **out, const cm_crypt *c, cm_kem_id id)
{
    CM_TRY(new_key(out, c, id));
    return cm_secret_new(&(*out)->seed, (*out)->info->seed);
}

static cm_err finish_private(cm_kem_key **out, cm_kem_key **k)
{
    CM_TRY(ops_of((*k)->info)->load_private(*k, (*k)->seed));
    (*k)->private = true;
    *out = *k;
    *k = NULL;
    return CM_OKAY;
}

cm_err cm_kem_generate(cm_kem_key **out, const cm_crypt *c, cm_kem_id id)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = NULL;

    CM_TRY(new_private(&k, c, id));
    CM_TRY(cm_random(c, k->seed, k->info->seed));
    return finish_private(out, &k);
}

cm_err cm_kem_from_seed(cm_kem_key **out, const cm_crypt *c, cm_kem_id id, cm_view seed)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = NULL;

    CM_TRY(new_private(&k, c, id));
    if (seed.n != k->info->seed)
        return CM_FAIL(CRYPT_BAD_KEY);
    memcpy(k->seed, seed.p, seed.n);
    return finish_private(out, &k);
}

/* RFC 9180, 7.1.3 wants at least as many bytes as the private key has. */
cm_err cm_kem_derive(cm_kem_key **out, const cm_crypt *c, cm_kem_id id, cm_view ikm)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = NULL;

    CM_TRY(new_private(&k, c, id));
    if (ikm.n < k->info->seed)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(ops_of(k->info)->derive(k->info, c, k->seed, ikm));
    return finish_private(out, &k);
}

cm_err cm_kem_from_expanded(cm_kem_key **out, const cm_crypt *c, cm_kem_id id, cm_view dk)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = NULL;

    CM_TRY(new_key(&k, c, id));
    if (ops_of(k->info) != &cm_mlkem_ops)
        return CM_FAIL(CRYPT_ALGORITHM);
    CM_TRY(cm_mlkem_load_expanded(k, k->info->name, dk));
    k->private = true;
    *out = k;
    k = NULL;
    return CM_OKAY;
}

cm_err cm_kem_from_public(cm_kem_key **out, const cm_crypt *c, cm_kem_id id, cm_view pk)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = NULL;

    CM_TRY(new_key(&k, c, id));
    if (pk.n != k->info->pk)
        return CM_FAIL(CRYPT_BAD_KEY);
    CM_TRY(ops_of(k->info)->load_public(k, pk.p));
    *out = k;
    k = NULL;
    return CM_OKAY;
}

/* OpenSSL wipes the expanded private keys as it frees them. */
void cm_kem_key_free(cm_kem_key *k)
{
    if (!k)
        return;
    cm_mlkem_own_free(k->own);
    EVP_PKEY_CTX_free(k->mlkem_ctx);
    EVP_PKEY_CTX_free(k->x25519_ctx);
    EVP_PKEY_free(k->mlkem);
    EVP_PKEY_free(k->x25519);
    if (k->seed)
        cm_secret_free(k->seed, k->info->seed);
    cm_free(k);
}

void cm_kem_key_free_ptr(cm_kem_key **k)
{
    cm_kem_key_free(*k);
}

/* ---- reading ------------------------------------------------------------------------------ */

const cm_kem_info *cm_kem_key_info(const cm_kem_key *k)
{
    return k->info;
}

cm_view cm_kem_public(const cm_kem_key *k)
{
    return cm_view_of(k->pk, k->info->pk);
}

bool cm_kem_has_private(const cm_kem_key *k)
{
    return k->private;
}

cm_view cm_kem_seed(const cm_kem_key *k)
{
    return cm_view_of(k->seed, k->seed ? k->info->seed : 0);
}

/* ---- use ---------------------------------------------------------------------------------- */

/* Through copies, so that nothing half-made is seen outside. */
static cm_err encap(const cm_kem_key *k, uint8_t *ct, uint8_t *ss, const uint8_t *m)
{
    CM_AUTO(cm_key32_wipe) cm_key32 secret = {{0}};
    uint8_t c[CM_KEM_CT_MAX];

    CM_TRY(ops_of(k->info)->encap(k, c, secret.b, m));
    memcpy(ct, c, k->info->ct);
    memcpy(ss, secret.b, sizeof secret.b);
    return CM_OKAY;
}

cm_err cm_kem_encap(const cm_kem_key *k, uint8_t *ct, uint8_t *ss)
{
    return encap(k, ct, ss, NULL);
}

cm_err cm_kem_encap_derand(const cm_kem_key *k, uint8_t *ct, uint8_t *ss, cm_view m)
{
    if (m.n != ops_of(k->info)->random)
        return CM_FAIL(BAD_ARGUMENT);
    return encap(k, ct, ss, m.p);
}

cm_err cm_kem_decap(const cm_kem_key *k, uint8_t *ss, cm_view ct)
{
    CM_AUTO(cm_key32_wipe) cm_key32 secret = {{0}};

    if (!k->private)
        return CM_FAIL(CRYPT_NO_PRIVATE);
    if (ct.n != k->info->ct)
        return CM_FAIL(KEM_LENGTH);
    CM_TRY(ops_of(k->info)->decap(k, secret.b, ct.p));
    memcpy(ss, secret.b, sizeof secret.b);
    return CM_OKAY;
}
