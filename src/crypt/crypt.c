#include "crypt/crypt.h"

#include <openssl/conf.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <secp256k1_preallocated.h>

#include "cm_config.h"
#include "crypt/crypt_int.h"

enum { FIPS_OPTIONS_MAX = 64, DRBG_STRENGTH = 256, ERROR_QUEUE = 16 };

static const char *const md_names[CM_HASH_COUNT] = {
    [CM_SHA256] = "SHA2-256",      [CM_SHA384] = "SHA2-384",   [CM_SHA512] = "SHA2-512",
    [CM_SHA3_256] = "SHA3-256",    [CM_SHA3_384] = "SHA3-384", [CM_SHA3_512] = "SHA3-512",
    [CM_KECCAK256] = "KECCAK-256",
};
static const char *const shake_names[2] = {"SHAKE-128", "SHAKE-256"};
static const char *const aead_names[CM_AEAD_COUNT] = {"AES-128-GCM", "AES-256-GCM",
                                                      "ChaCha20-Poly1305"};

OSSL_LIB_CTX *cm_crypt_libctx(const cm_crypt *c)
{
    return c->lib;
}

const char *cm_crypt_propq(const cm_crypt *c)
{
    return c->profile == CM_PROFILE_FIPS ? "fips=yes" : NULL;
}

cm_profile cm_crypt_profile(const cm_crypt *c)
{
    return c->profile;
}

const char *cm_crypt_version(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}

/* Any of the queue's entries: whoever met the want of memory, others have spoken since. */
cm_err cm_crypt_fail(cm_reason otherwise)
{
    bool memory = false;

    for (int i = 0; i < ERROR_QUEUE; i++)
        memory |= ERR_GET_REASON(ERR_get_error()) == ERR_R_MALLOC_FAILURE;
    return memory ? CM_FAIL(NO_MEMORY) : (cm_err){(uint32_t)otherwise};
}

/* An empty entry of our own, which a mark can stand on, shows that this thread has a queue at all:
 * it is made on first use, and that can fail as well. */
cm_err cm_crypt_watch(void)
{
    ERR_clear_error();
    ERR_new();
    return ERR_set_mark() == 1 ? CM_OKAY : CM_FAIL(NO_MEMORY);
}

cm_err cm_crypt_watched(void)
{
    bool quiet = ERR_count_to_mark() == 0;

    ERR_clear_error();
    return quiet ? CM_OKAY : CM_FAIL(NO_MEMORY);
}

/* A fips context may lack a method: its users then say CRYPT_PROFILE. A default one may not. */
static cm_err got(const cm_crypt *c, const void *method)
{
    cm_err e;

    if (method)
        return CM_OKAY;
    e = cm_crypt_fail(CM_CRYPT_PROVIDER);
    if (c->profile == CM_PROFILE_FIPS && cm_is(e, CM_CRYPT_PROVIDER))
        return CM_OKAY;
    return e;
}

static cm_err fetch_digests(cm_crypt *c, const char *q)
{
    for (size_t i = 0; i < CM_HASH_COUNT; i++) {
        c->md[i] = EVP_MD_fetch(c->lib, md_names[i], q);
        CM_TRY(got(c, c->md[i]));
    }
    for (size_t i = 0; i < CM_COUNT(shake_names); i++) {
        c->shake[i] = EVP_MD_fetch(c->lib, shake_names[i], q);
        CM_TRY(got(c, c->shake[i]));
    }
    return CM_OKAY;
}

static cm_err fetch_ciphers(cm_crypt *c, const char *q)
{
    for (size_t i = 0; i < CM_AEAD_COUNT; i++) {
        c->aead[i] = EVP_CIPHER_fetch(c->lib, aead_names[i], q);
        CM_TRY(got(c, c->aead[i]));
    }
    c->kwp = EVP_CIPHER_fetch(c->lib, "AES-256-WRAP-PAD", q);
    CM_TRY(got(c, c->kwp));
    c->kw192 = EVP_CIPHER_fetch(c->lib, "AES-192-WRAP", q);
    return got(c, c->kw192);
}

static cm_err fetch_macs(cm_crypt *c, const char *q)
{
    c->mac_hmac = EVP_MAC_fetch(c->lib, "HMAC", q);
    CM_TRY(got(c, c->mac_hmac));
    c->mac_kmac256 = EVP_MAC_fetch(c->lib, "KMAC-256", q);
    CM_TRY(got(c, c->mac_kmac256));
    c->kdf_hkdf = EVP_KDF_fetch(c->lib, "HKDF", q);
    CM_TRY(got(c, c->kdf_hkdf));
    c->kdf_argon2id = EVP_KDF_fetch(c->lib, "ARGON2ID", q);
    CM_TRY(got(c, c->kdf_argon2id));
    c->kdf_pbkdf2 = EVP_KDF_fetch(c->lib, "PBKDF2", q);
    return got(c, c->kdf_pbkdf2);
}

static cm_err template_hmac(EVP_MAC_CTX **out, EVP_MAC *mac, const char *md)
{
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t)md, 0),
        OSSL_PARAM_construct_end(),
    };

    *out = EVP_MAC_CTX_new(mac);
    if (!*out)
        return cm_crypt_fail(CM_CRYPT_PROVIDER);
    CM_TRY_SSL(EVP_MAC_CTX_set_params(*out, params));
    return CM_OKAY;
}

static cm_err template_hkdf(EVP_KDF_CTX **out, EVP_KDF *kdf, const char *md, int mode)
{
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)md, 0),
        OSSL_PARAM_construct_end(),
    };

    *out = EVP_KDF_CTX_new(kdf);
    if (!*out)
        return cm_crypt_fail(CM_CRYPT_PROVIDER);
    CM_TRY_SSL(EVP_KDF_CTX_set_params(*out, params));
    return CM_OKAY;
}

/* Keccak-256 is a hash only: HMAC and HKDF over it are nobody's standard. */
static cm_err make_templates(cm_crypt *c)
{
    static const int modes[2] = {EVP_KDF_HKDF_MODE_EXTRACT_ONLY, EVP_KDF_HKDF_MODE_EXPAND_ONLY};

    for (size_t i = 0; i < CM_KECCAK256; i++) {
        if (!c->md[i])
            continue;
        if (c->mac_hmac)
            CM_TRY(template_hmac(&c->hmac[i], c->mac_hmac, md_names[i]));
        for (size_t m = 0; c->kdf_hkdf && m < CM_COUNT(modes); m++)
            CM_TRY(template_hkdf(&c->hkdf[m][i], c->kdf_hkdf, md_names[i], modes[m]));
    }
    return CM_OKAY;
}

/* In memory of our own, since libsecp256k1 ends the process when its allocation fails. Blinding
 * changes the context, so it happens once, before threads can share it. */
static cm_err make_secp(cm_crypt *c)
{
    CM_AUTO(cm_key32_wipe) cm_key32 seed = {{0}};
    void *room;

    CM_TRY(cm_random(c, seed.b, sizeof seed.b));
    CM_TRY(cm_alloc(&room, secp256k1_context_preallocated_size(SECP256K1_CONTEXT_NONE)));
    c->secp = secp256k1_context_preallocated_create(room, SECP256K1_CONTEXT_NONE);
    if (secp256k1_context_randomize(c->secp, seed.b) != 1)
        return CM_FAIL(CRYPT_PROVIDER);
    return CM_OKAY;
}

static void nconf_done(CONF **conf)
{
    NCONF_free(*conf);
}

/* What `openssl fipsinstall` wrote becomes the module's parameters: its own integrity check reads
 * them. The file goes in by name, so that neither the default configuration nor the environment
 * has a say. */
static cm_err load_fips_module(cm_crypt *c, const char *config)
{
    CM_AUTO(nconf_done) CONF *conf = NCONF_new_ex(c->lib, NULL);
    OSSL_PARAM params[FIPS_OPTIONS_MAX + 1];
    STACK_OF(CONF_VALUE) * options;
    int n = 0;

    if (!conf || NCONF_load(conf, config, NULL) != 1)
        return cm_crypt_fail(CM_CRYPT_NO_FIPS);
    options = NCONF_get_section(conf, "fips_sect");
    if (!options || sk_CONF_VALUE_num(options) > FIPS_OPTIONS_MAX)
        return cm_crypt_fail(CM_CRYPT_NO_FIPS);
    for (; n < sk_CONF_VALUE_num(options); n++) {
        const CONF_VALUE *v = sk_CONF_VALUE_value(options, n);

        params[n] = OSSL_PARAM_construct_utf8_string(v->name, v->value, 0);
    }
    params[n] = OSSL_PARAM_construct_end();
    c->provider[0] = OSSL_PROVIDER_load_ex(c->lib, "fips", params);
    return c->provider[0] ? CM_OKAY : cm_crypt_fail(CM_CRYPT_NO_FIPS);
}

static cm_err load_fips(cm_crypt *c, const char *dir, const char *config)
{
    if (OSSL_PROVIDER_set_default_search_path(c->lib, dir) != 1)
        return cm_crypt_fail(CM_CRYPT_NO_FIPS);
    CM_TRY(load_fips_module(c, config));
    c->provider[1] = OSSL_PROVIDER_load(c->lib, "base");
    if (!c->provider[1])
        return cm_crypt_fail(CM_CRYPT_NO_FIPS);
    CM_TRY_SSL(EVP_set_default_properties(c->lib, "fips=yes"));
    return CM_OKAY;
}

static cm_err load_default(cm_crypt *c)
{
    c->provider[0] = OSSL_PROVIDER_load(c->lib, "default");
    return c->provider[0] ? cm_crypt_add_own(c) : cm_crypt_fail(CM_CRYPT_PROVIDER);
}

static cm_err setup(cm_crypt *c, const char *dir, const char *config)
{
    const char *q = cm_crypt_propq(c);

    /* A context of our own loads no configuration, but the generator looks for an engine, and that
     * would load the default one, named by the environment. */
    CM_TRY_SSL(OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL));
    c->lib = OSSL_LIB_CTX_new();
    if (!c->lib)
        return cm_crypt_fail(CM_CRYPT_PROVIDER);
    if (c->profile == CM_PROFILE_FIPS)
        CM_TRY(load_fips(c, dir, config));
    else
        CM_TRY(load_default(c));
    CM_TRY(fetch_digests(c, q));
    CM_TRY(fetch_ciphers(c, q));
    CM_TRY(fetch_macs(c, q));
    CM_TRY(make_templates(c));
    return c->profile == CM_PROFILE_FIPS ? CM_OKAY : make_secp(c);
}

static cm_err new_context(cm_crypt **out, cm_profile profile, const char *dir, const char *config)
{
    CM_AUTO(cm_crypt_free_ptr) cm_crypt *c = NULL;

    CM_TRY(cm_alloc(&c, sizeof *c));
    c->profile = profile;
    CM_TRY(setup(c, dir, config));
    *out = c;
    c = NULL;
    return CM_OKAY;
}

cm_err cm_crypt_new(cm_crypt **out, cm_profile profile)
{
    if (profile == CM_PROFILE_FIPS)
        return cm_crypt_new_fips(out, CM_CONFIG_MODULESDIR, CM_CONFIG_MODULESDIR "/fipsmodule.cnf");
    if (profile != CM_PROFILE_DEFAULT)
        return CM_FAIL(BAD_ARGUMENT);
    return new_context(out, profile, NULL, NULL);
}

cm_err cm_crypt_new_fips(cm_crypt **out, const char *module_dir, const char *config)
{
    if (!module_dir || !config)
        return CM_FAIL(BAD_ARGUMENT);
    return new_context(out, CM_PROFILE_FIPS, module_dir, config);
}

static void free_methods(cm_crypt *c)
{
    for (size_t i = 0; i < CM_HASH_COUNT; i++) {
        EVP_MAC_CTX_free(c->hmac[i]);
        EVP_KDF_CTX_free(c->hkdf[0][i]);
        EVP_KDF_CTX_free(c->hkdf[1][i]);
        EVP_MD_free(c->md[i]);
    }
    for (size_t i = 0; i < CM_COUNT(c->shake); i++)
        EVP_MD_free(c->shake[i]);
    for (size_t i = 0; i < CM_AEAD_COUNT; i++)
        EVP_CIPHER_free(c->aead[i]);
    EVP_CIPHER_free(c->kwp);
    EVP_CIPHER_free(c->kw192);
    EVP_MAC_free(c->mac_hmac);
    EVP_MAC_free(c->mac_kmac256);
    EVP_KDF_free(c->kdf_hkdf);
    EVP_KDF_free(c->kdf_argon2id);
    EVP_KDF_free(c->kdf_pbkdf2);
}

void cm_crypt_free(cm_crypt *c)
{
    if (!c)
        return;
    free_methods(c);
    if (c->secp) {
        secp256k1_context_preallocated_destroy(c->secp);
        cm_free(c->secp);
    }
    for (size_t i = CM_CRYPT_PROVIDERS; i-- > 0;)
        if (c->provider[i])
            (void)OSSL_PROVIDER_unload(c->provider[i]);
    OSSL_LIB_CTX_free(c->lib);
    cm_free(c);
}

void cm_crypt_free_ptr(cm_crypt **c)
{
    cm_crypt_free(*c);
}

/* The private generator serves everything, so that no caller has to know which bytes are public. */
cm_err cm_random(const cm_crypt *c, void *out, size_t n)
{
    if (RAND_priv_bytes_ex(c->lib, out, n, DRBG_STRENGTH) == 1)
        return CM_OKAY;
    cm_wipe(out, n);
    (void)cm_crypt_fail(CM_NO_ENTROPY);
    return CM_FAIL(NO_ENTROPY);
}
