/* Azure Key Vault and Managed HSM: REST 7.4. AES wraps in a Managed HSM alone; a vault has RSA,
 * which a quantum computer opens: only when the configuration says so, and labelled. */
#include <stdio.h>

#include "cloud/cloud_int.h"
#include "codec/text.h"

#define API "?api-version=7.4"

enum { RANDOM_MAX = 128, TARGET = NAME_MAX_ + 128, IV = 12, TAG = 16, RSA_BITS = 3072 };

static const struct {
    const char *curve, *signing;
} algs[] = {
    [CM_HSM_AES256] = {NULL, NULL},
    [CM_HSM_P256] = {"P-256", "ES256"},
    [CM_HSM_SECP256K1] = {"P-256K", "ES256K"},
};

static bool has(uint32_t alg)
{
    return alg < CM_COUNT(algs) && (alg == CM_HSM_AES256 || algs[alg].curve);
}

/* ---- asking -------------------------------------------------------------------------------- */

static void put_base64url(cm_json_writer *w, const char *name, cm_view v, cm_buf *scratch)
{
    scratch->n = 0;
    if (cm_failed(cm_base64_encode(scratch, v, true)))
        w->err = CM_FAIL(NO_MEMORY);
    cm_json_put_text(w, name, cm_buf_view(scratch));
}

/* ---- keys ---------------------------------------------------------------------------------- */

/* H-41 */
static const char *kty(const cm_cloud *k, const struct cloud_key *key)
{
    if (key->alg != CM_HSM_AES256)
        return "EC-HSM";
    return k->config.classical ? "RSA-HSM" : "oct-HSM";
}

/* "https://vault.example/keys/NAME/VERSION": of this vault, and of this name. */
static cm_err take_name(const cm_cloud *k, struct cloud_key *key, cm_view kid)
{
    char name[128], want[NAME_MAX_ + 256];
    size_t end = strlen(k->config.endpoint), n;

    CM_TRY(cm_cloud_key_name(name, key));
    while (end && k->config.endpoint[end - 1] == '/')
        end--;
    n = (size_t)snprintf(want, sizeof want, "%.*s/keys/%s/", (int)end, k->config.endpoint, name);
    if (kid.n <= n || !cm_view_eq(cm_view_sub(kid, 0, n), cm_view_of(want, n)))
        return CM_FAIL(HSM_WRONG);
    return cm_cloud_name(key->name, cm_view_sub(kid, end, kid.n - end));
}

static cm_err coordinate(const cm_json_node *o, const char *name, uint8_t out[32])
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 64};

    CM_TRY(cm_cloud_bytes(o, name, true, &b));
    if (b.n != 32)
        return CM_FAIL(CLOUD_ANSWER);
    memcpy(out, b.p, 32);
    return CM_OKAY;
}

static cm_err point(struct cloud_key *key, const cm_json_node *jwk)
{
    CM_TRY(cm_cloud_same(jwk, "crv", cm_view_str(algs[key->alg].curve)));
    key->pub[0] = 4;
    CM_TRY(coordinate(jwk, "x", key->pub + 1));
    CM_TRY(coordinate(jwk, "y", key->pub + 33));
    key->pub_n = 65;
    return CM_OKAY;
}

static cm_err describe(cm_cloud *k, struct cloud_key *key, const cm_json_node *o)
{
    const cm_json_node *jwk = cm_json_get(o, "key"), *at = cm_json_get(o, "attributes");
    bool enabled = false, exportable = false;
    cm_view kid;

    CM_TRY(cm_cloud_text(jwk, "kid", &kid));
    if (cm_failed(cm_json_bool(cm_json_get(at, "enabled"), &enabled)) || !enabled)
        return CM_FAIL(HSM_NO_KEY);
    if (cm_json_get(at, "exportable") &&
        (cm_failed(cm_json_bool(cm_json_get(at, "exportable"), &exportable)) || exportable))
        return CM_FAIL(HSM_EXPORTABLE); /* H-2 */
    CM_TRY(cm_cloud_same(jwk, "kty", cm_view_str(kty(k, key))));
    key->custody =
        key->alg == CM_HSM_AES256 && k->config.classical ? CM_HSM_CLASSICAL : CM_HSM_NATIVE;
    if (key->alg != CM_HSM_AES256)
        CM_TRY(point(key, jwk));
    return take_name(k, key, kid);
}

static cm_err path(char out[TARGET], const struct cloud_key *key, const char *rest)
{
    char name[128];

    CM_TRY(cm_cloud_key_name(name, key));
    (void)snprintf(out, TARGET, "/keys/%s%s" API, name, rest);
    return CM_OKAY;
}

static cm_err find(cm_cloud *k, struct cloud_key *key)
{
    CM_AUTO(cm_cloud_answer_done) struct cloud_answer a = {.json = NULL};
    char target[TARGET];

    if (!has(key->alg))
        return CM_FAIL(HSM_MECHANISM);
    CM_TRY(path(target, key, ""));
    CM_TRY(cm_cloud_bare(k, &a, "GET", target));
    return describe(k, key, cm_cloud_root(&a));
}

static void put_operations(cm_json_writer *w, const cm_cloud *k, const struct cloud_key *key)
{
    bool sign = key->alg != CM_HSM_AES256, rsa = k->config.classical;

    cm_json_begin_array(w, "key_ops");
    cm_json_put_text(w, NULL, cm_view_str(sign ? "sign" : rsa ? "wrapKey" : "encrypt"));
    cm_json_put_text(w, NULL, cm_view_str(sign ? "verify" : rsa ? "unwrapKey" : "decrypt"));
    cm_json_end_array(w);
}

static cm_err create(cm_cloud *k, struct cloud_key *key)
{
    CM_AUTO(cm_cloud_answer_done) struct cloud_answer a = {.json = NULL};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = 1024};
    cm_json_writer w = {.out = &body};
    char target[TARGET];
    cm_err e;

    CM_TRY(path(target, key, "/create"));
    cm_json_begin_object(&w, NULL);
    cm_json_put_text(&w, "kty", cm_view_str(kty(k, key)));
    if (key->alg != CM_HSM_AES256)
        cm_json_put_text(&w, "crv", cm_view_str(algs[key->alg].curve));
    else
        cm_json_put_u64(&w, "key_size", k->config.classical ? RSA_BITS : 256);
    put_operations(&w, k, key);
    cm_json_begin_object(&w, "attributes");
    cm_json_put_bool(&w, "enabled", true);
    cm_json_put_bool(&w, "exportable", false);
    cm_json_end_object(&w);
    e = cm_cloud_post(k, &a, target, &w, true);
    if (cm_is(e, CM_HSM_BLOB)) /* a vault that has no HSM, or no AES */
        return CM_FAIL(HSM_MECHANISM);
    CM_TRY(e);
    return describe(k, key, cm_cloud_root(&a));
}

static cm_err destroy(cm_cloud *k, const struct cloud_key *key)
{
    CM_AUTO(cm_cloud_answer_done) struct cloud_answer a = {.json = NULL};
    char target[TARGET];

    CM_TRY(path(target, key, ""));
    return cm_cloud_bare(k, &a, "DELETE", target);
}

/* ---- use ----------------------------------------------------------------------------------- */

static cm_err use(cm_cloud *k, struct cloud_answer *a, const struct cloud_key *key,
                  const char *verb, cm_json_writer *w)
{
    char target[TARGET], url[NAME_MAX_ * 2];
    size_t end = strlen(k->config.endpoint);

    while (end && k->config.endpoint[end - 1] == '/')
        end--;
    (void)snprintf(target, sizeof target, "%s/%s" API, key->name, verb);
    (void)snprintf(url, sizeof url, "%.*s%s", (int)end, k->config.endpoint, key->name);
    CM_TRY(cm_cloud_post(k, a, target, w, false));
    return cm_cloud_same(cm_cloud_root(a), "kid", cm_view_str(url));
}

static void begin(cm_json_writer *w, const char *alg)
{
    cm_json_begin_object(w, NULL);
    cm_json_put_text(w, "alg", cm_view_str(alg));
}

/* RSA has no place for what it is bound to; the blob's own AES has. */
static cm_err encrypt(cm_cloud *k, const struct cloud_key *key, const cm_key32 *plain,
                      const uint8_t bound[32], cm_buf *out)
{
    CM_AUTO(cm_cloud_answer_done) struct cloud_answer a = {.json = NULL};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = 1024};
    CM_AUTO(cm_buf_free) cm_buf text = {.max = 256};
    bool rsa = k->config.classical;
    cm_json_writer w = {.out = &body};
    size_t before = out->n;

    CM_TRY(cm_buf_reserve(&body, 1024));
    CM_TRY(cm_buf_reserve(&text, 256));
    begin(&w, rsa ? "RSA-OAEP-256" : "A256GCM");
    put_base64url(&w, "value", CM_VIEW(plain->b), &text);
    if (!rsa)
        put_base64url(&w, "aad", cm_view_of(bound, 32), &text);
    CM_TRY(use(k, &a, key, rsa ? "wrapkey" : "encrypt", &w));
    if (rsa)
        return cm_cloud_bytes(cm_cloud_root(&a), "value", true, out);
    CM_TRY(cm_cloud_bytes(cm_cloud_root(&a), "iv", true, out));
    CM_TRY(cm_cloud_bytes(cm_cloud_root(&a), "tag", true, out));
    if (out->n - before != IV + TAG)
        return CM_FAIL(CLOUD_ANSWER);
    return cm_cloud_bytes(cm_cloud_root(&a), "value", true, out);
}

static cm_err decrypt(cm_cloud *k, const struct cloud_key *key, cm_view wrapped,
                      const uint8_t bound[32], cm_key32 *plain)
{
    CM_AUTO(cm_cloud_answer_done) struct cloud_answer a = {.json = NULL};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = 1024 + 2 * WRAPPED_MAX};
    CM_AUTO(cm_buf_free) cm_buf text = {.max = 2 * WRAPPED_MAX};
    bool rsa = k->config.classical;
    cm_json_writer w = {.out = &body};

    if (!rsa && wrapped.n <= IV + TAG)
        return CM_FAIL(HSM_BLOB);
    begin(&w, rsa ? "RSA-OAEP-256" : "A256GCM");
    if (!rsa) {
        put_base64url(&w, "iv", cm_view_sub(wrapped, 0, IV), &text);
        put_base64url(&w, "tag", cm_view_sub(wrapped, IV, TAG), &text);
        put_base64url(&w, "aad", cm_view_of(bound, 32), &text);
        wrapped = cm_view_sub(wrapped, IV + TAG, wrapped.n - IV - TAG);
    }
    put_base64url(&w, "value", wrapped, &text);
    CM_TRY(use(k, &a, key, rsa ? "unwrapkey" : "decrypt", &w));
    return cm_cloud_key32(cm_cloud_root(&a), "value", true, plain);
}

static cm_err sign(cm_cloud *k, const struct cloud_key *key, cm_view msg, cm_buf *sig)
{
    CM_AUTO(cm_cloud_answer_done) struct cloud_answer a = {.json = NULL};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = 1024};
    CM_AUTO(cm_buf_free) cm_buf text = {.max = 256};
    cm_json_writer w = {.out = &body};
    uint8_t digest[32];

    CM_TRY(cm_cloud_digest(k, key, msg, digest));
    begin(&w, algs[key->alg].signing);
    put_base64url(&w, "value", CM_VIEW(digest), &text);
    CM_TRY(use(k, &a, key, "sign", &w));
    return cm_cloud_bytes(cm_cloud_root(&a), "value", true, sig);
}

/* A Managed HSM alone has it. */
static cm_err random_piece(cm_cloud *k, size_t n, cm_buf *out)
{
    CM_AUTO(cm_cloud_answer_done) struct cloud_answer a = {.json = NULL};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = 64};
    cm_json_writer w = {.out = &body};
    size_t before = out->n;
    cm_err e;

    cm_json_begin_object(&w, NULL);
    cm_json_put_u64(&w, "count", n);
    e = cm_cloud_post(k, &a, "/rng" API, &w, false);
    if (cm_is(e, CM_HSM_NO_KEY) || cm_is(e, CM_HSM_BLOB))
        return CM_FAIL(HSM_MECHANISM);
    CM_TRY(e);
    CM_TRY(cm_cloud_bytes(cm_cloud_root(&a), "value", true, out));
    return out->n - before == n ? CM_OKAY : CM_FAIL(HSM_WRONG);
}

const struct cloud_service cm_cloud_azure = {
    .name = "azure",
    .title = "Azure Key Vault",
    .find = find,
    .create = create,
    .destroy = destroy,
    .encrypt = encrypt,
    .decrypt = decrypt,
    .sign = sign,
    .random = random_piece,
    .random_max = RANDOM_MAX,
    .reason = cm_cloud_reason,
    .login = cm_cloud_azure_login,
};
