/* Our ML-DSA signing where libssl finds it: a provider of its own, in the context's library, with
 * keys that go in as ours and that no fetch but cm_sig_evp()'s meets. */
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>

#include "crypt/mldsa_int.h"

#define NAME      "casemate"
#define ONLY_OURS "provider=" NAME
/* No name of the default provider's: this method is found through our keys alone. */
#define METHOD    "CASEMATE-ML-DSA"
#define KEY_PARAM "casemate-key"

typedef void (*function)(void);

/* ---- keys ---- */

typedef struct {
    cm_sig_key *k;
} own_key;

static void *key_new(void *prov)
{
    own_key *o = NULL;

    (void)prov;
    return cm_ok(cm_alloc(&o, sizeof *o)) ? o : NULL;
}

static void key_free(void *key)
{
    own_key *o = (own_key *)key;

    if (o)
        cm_sig_key_free(o->k);
    cm_free(o);
}

static int key_has(const void *key, int selection)
{
    const own_key *o = (const own_key *)key;

    return !(selection & OSSL_KEYMGMT_SELECT_KEYPAIR) || o->k;
}

/* The parameter points to a cm_sig_key of this process; a copy of it is kept. */
static int key_import(void *key, int selection, const OSSL_PARAM params[])
{
    const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, KEY_PARAM);
    own_key *o = (own_key *)key;
    const void *at = NULL;
    const cm_sig_key *k;
    size_t n = 0;

    if (!(selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) || !p || o->k ||
        OSSL_PARAM_get_octet_ptr(p, &at, &n) != 1 || n != sizeof(cm_sig_key))
        return 0;
    k = (const cm_sig_key *)at;
    return cm_ok(cm_sig_from_seed(&o->k, k->crypt, k->alg->info.id, cm_sig_seed(k)));
}

static const OSSL_PARAM *key_import_types(int selection)
{
    static const OSSL_PARAM types[] = {OSSL_PARAM_octet_ptr(KEY_PARAM, NULL, 0), OSSL_PARAM_END};

    return selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY ? types : NULL;
}

/* Only the public half leaves, for the comparison with a certificate. */
static int key_export(void *key, int selection, OSSL_CALLBACK *give, void *to)
{
    const own_key *o = (const own_key *)key;
    OSSL_PARAM params[2] = {OSSL_PARAM_END, OSSL_PARAM_END};
    cm_view pk;

    if (!(selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) || !o->k)
        return 0;
    pk = cm_sig_public(o->k);
    params[0] =
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)pk.p, pk.n);
    return give(params, to);
}

static const OSSL_PARAM *key_export_types(int selection)
{
    static const OSSL_PARAM types[] = {OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
                                       OSSL_PARAM_END};

    return selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY ? types : NULL;
}

static int security_bits(const cm_sig_info *info)
{
    return info->id == CM_SIG_MLDSA44 ? 128 : info->id == CM_SIG_MLDSA65 ? 192 : 256;
}

static int key_params(void *key, OSSL_PARAM params[])
{
    const cm_sig_info *info = cm_sig_key_info(((const own_key *)key)->k);
    OSSL_PARAM *p;

    if ((p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_BITS)) &&
        OSSL_PARAM_set_int(p, 8 * info->pk) != 1)
        return 0;
    if ((p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_SECURITY_BITS)) &&
        OSSL_PARAM_set_int(p, security_bits(info)) != 1)
        return 0;
    if ((p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_MAX_SIZE)) &&
        OSSL_PARAM_set_int(p, (int)info->sig) != 1)
        return 0;
    /* An empty name says that there is no digest to choose. */
    p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_MANDATORY_DIGEST);
    return !p || OSSL_PARAM_set_utf8_string(p, "") == 1;
}

static const OSSL_PARAM *key_gettable(void *prov)
{
    static const OSSL_PARAM types[] = {
        OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
        OSSL_PARAM_END,
    };

    (void)prov;
    return types;
}

static const char *key_operation(int operation)
{
    return operation == OSSL_OP_SIGNATURE ? METHOD : NULL;
}

/* ---- signatures ---- */

typedef struct {
    const own_key *key; /* OpenSSL's context holds it */
} own_signing;

static void *sign_new(void *prov, const char *properties)
{
    own_signing *s = NULL;

    (void)prov, (void)properties;
    return cm_ok(cm_alloc(&s, sizeof *s)) ? s : NULL;
}

static void sign_free(void *ctx)
{
    cm_free(ctx);
}

static int sign_begin(void *ctx, const char *digest, void *key, const OSSL_PARAM params[])
{
    own_signing *s = (own_signing *)ctx;

    if ((digest && *digest) || (params && params[0].key))
        return 0;
    if (key)
        s->key = (const own_key *)key;
    return s->key && s->key->k;
}

/* W-44. FIPS 204's pure form with an empty context, which is what TLS signs. */
static int sign_whole(void *ctx, unsigned char *sig, size_t *n, size_t room,
                      const unsigned char *msg, size_t msg_n)
{
    const own_signing *s = (const own_signing *)ctx;
    size_t size = cm_sig_key_info(s->key->k)->sig;

    if (sig && (room < size || cm_failed(cm_sign_raw(s->key->k, sig, cm_view_of(msg, msg_n)))))
        return 0;
    *n = size;
    return 1;
}

/* ---- the provider ---- */

static const OSSL_ALGORITHM *algorithms(void *prov, int operation, int *no_store)
{
    static const OSSL_DISPATCH key[] = {
        {OSSL_FUNC_KEYMGMT_NEW, (function)key_new},
        {OSSL_FUNC_KEYMGMT_FREE, (function)key_free},
        {OSSL_FUNC_KEYMGMT_HAS, (function)key_has},
        {OSSL_FUNC_KEYMGMT_IMPORT, (function)key_import},
        {OSSL_FUNC_KEYMGMT_IMPORT_TYPES, (function)key_import_types},
        {OSSL_FUNC_KEYMGMT_EXPORT, (function)key_export},
        {OSSL_FUNC_KEYMGMT_EXPORT_TYPES, (function)key_export_types},
        {OSSL_FUNC_KEYMGMT_GET_PARAMS, (function)key_params},
        {OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, (function)key_gettable},
        {OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, (function)key_operation},
        {0, NULL},
    };
    static const OSSL_DISPATCH sign[] = {
        {OSSL_FUNC_SIGNATURE_NEWCTX, (function)sign_new},
        {OSSL_FUNC_SIGNATURE_FREECTX, (function)sign_free},
        {OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, (function)sign_begin},
        {OSSL_FUNC_SIGNATURE_DIGEST_SIGN, (function)sign_whole},
        {0, NULL},
    };
    static const OSSL_ALGORITHM keys[] = {
        {"ML-DSA-44", ONLY_OURS, key, NULL},
        {"ML-DSA-65", ONLY_OURS, key, NULL},
        {"ML-DSA-87", ONLY_OURS, key, NULL},
        {NULL, NULL, NULL, NULL},
    };
    static const OSSL_ALGORITHM signatures[] = {
        {METHOD, ONLY_OURS, sign, NULL},
        {NULL, NULL, NULL, NULL},
    };

    (void)prov;
    *no_store = 0;
    return operation == OSSL_OP_KEYMGMT ? keys : operation == OSSL_OP_SIGNATURE ? signatures : NULL;
}

static int begin(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                 void **ctx)
{
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (function)algorithms},
        {0, NULL},
    };

    (void)in;
    *out = functions;
    *ctx = (void *)(uintptr_t)handle;
    return 1;
}

/* The preference keeps every fetch that names no provider with OpenSSL's own. */
cm_err cm_crypt_add_own(cm_crypt *c)
{
    CM_TRY_SSL(OSSL_PROVIDER_add_builtin(c->lib, NAME, begin));
    c->provider[1] = OSSL_PROVIDER_load(c->lib, NAME);
    if (!c->provider[1])
        return cm_crypt_fail(CM_CRYPT_PROVIDER);
    CM_TRY_SSL(EVP_set_default_properties(c->lib, "?provider=default"));
    return CM_OKAY;
}

cm_err cm_sig_evp(EVP_PKEY **out, const cm_sig_key *k)
{
    CM_AUTO(cm_evp_pkey_ctx_done) EVP_PKEY_CTX *ctx = NULL;
    void *at = (void *)(uintptr_t)k;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_ptr(KEY_PARAM, &at, sizeof *k),
                           OSSL_PARAM_construct_end()};
    EVP_PKEY *pkey = NULL;

    if (k->alg->family != &cm_sig_mldsa || !k->seed || !cm_mldsa_can_sign(k))
        return CM_FAIL(CRYPT_ALGORITHM);
    ctx = EVP_PKEY_CTX_new_from_name(k->crypt->lib, k->alg->key, ONLY_OURS);
    if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1)
        return cm_crypt_fail(CM_CRYPT_PROVIDER);
    CM_TRY_SSL(EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params));
    *out = pkey;
    return CM_OKAY;
}
