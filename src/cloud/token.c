/* Tokens: a service account's signed statement (Google), client credentials (Azure). */
#include <stdio.h>

#include "cloud/cloud_int.h"
#include "codec/text.h"
#include "run/link.h"

enum { LIFE_S = 3600, EARLY_S = 60, FORM_MAX = 8 << 10 };

static bool fresh(const cm_cloud *k)
{
    return k->token.n && k->t.now(k->t.self) < k->token_until;
}

/* A token that could end a header line would be another header. */
static bool printable(cm_view v)
{
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] <= 0x20 || v.p[i] >= 0x7f)
            return false;
    return v.n > 0;
}

static cm_err take_token(cm_cloud *k, const struct cloud_answer *a)
{
    const cm_json_node *o = a->json ? cm_json_root(a->json) : NULL;
    uint64_t life;
    cm_view v, type;

    CM_TRY(cm_cloud_text(o, "access_token", &v));
    CM_TRY(cm_cloud_text(o, "token_type", &type));
    if (cm_failed(cm_json_u64(cm_json_get(o, "expires_in"), &life)) || !printable(v) ||
        v.n > TOKEN_MAX - 16 || !cm_view_eq(type, CM_LIT("Bearer")))
        return CM_FAIL(CLOUD_ANSWER);
    cm_buf_free(&k->token);
    k->token.max = TOKEN_MAX;
    CM_TRY(cm_buf_reserve(&k->token, 16 + v.n));
    CM_TRY(cm_buf_append(&k->token, CM_LIT("Bearer ")));
    CM_TRY(cm_buf_append(&k->token, v));
    life = CM_MIN(life, (uint64_t)86400);
    k->token_until = k->t.now(k->t.self) + (life > EARLY_S ? life - EARLY_S : 0);
    return CM_OKAY;
}

static cm_err ask_form(cm_cloud *k, const char *target, cm_view body)
{
    CM_AUTO(cm_cloud_answer_done) struct cloud_answer a = {.json = NULL};
    const cm_client_request r = {.method = "POST",
                                 .target = cm_view_str(target),
                                 .type = CM_LIT("application/x-www-form-urlencoded"),
                                 .body = body,
                                 .auth = CM_CLIENT_PLAIN};

    CM_TRY(cm_cloud_ask_token(k, &a, &r));
    return take_token(k, &a);
}

/* application/x-www-form-urlencoded, everything escaped that may have to be. */
static cm_err put_field(cm_buf *out, const char *name, cm_view v)
{
    static const char hex[] = "0123456789ABCDEF";

    if (out->n)
        CM_TRY(cm_buf_byte(out, '&'));
    CM_TRY(cm_buf_append(out, cm_view_str(name)));
    CM_TRY(cm_buf_byte(out, '='));
    for (size_t i = 0; i < v.n; i++) {
        uint8_t c = v.p[i];
        const uint8_t escaped[3] = {'%', (uint8_t)hex[c >> 4], (uint8_t)hex[c & 15]};
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     (c && memchr("-._~", c, 4));

        CM_TRY(cm_buf_append(out, plain ? cm_view_of(v.p + i, 1) : CM_VIEW(escaped)));
    }
    return CM_OKAY;
}

/* ---- Azure --------------------------------------------------------------------------------- */

cm_err cm_cloud_azure_login(cm_cloud *k)
{
    CM_AUTO(cm_buf_free) cm_buf form = {.max = FORM_MAX};
    char target[NAME_MAX_ + 32], name[NAME_MAX_];
    cm_view tenant, id, secret;
    /* Tokens for vaults are of no use to managed HSMs. */
    const char *scope = strstr(k->config.endpoint, ".managedhsm.")
                            ? "https://managedhsm.azure.net/.default"
                            : "https://vault.azure.net/.default";

    if (fresh(k))
        return CM_OKAY;
    CM_TRY(cm_cloud_secret(k, "tenant", &tenant));
    CM_TRY(cm_cloud_secret(k, "client_id", &id));
    CM_TRY(cm_cloud_secret(k, "client_secret", &secret));
    if (cm_failed(cm_cloud_name(name, tenant)))
        return CM_FAIL(CLOUD_SECRETS);
    (void)snprintf(target, sizeof target, "/%s/oauth2/v2.0/token", name);
    CM_TRY(cm_buf_reserve(&form, FORM_MAX));
    CM_TRY(put_field(&form, "grant_type", CM_LIT("client_credentials")));
    CM_TRY(put_field(&form, "client_id", id));
    CM_TRY(put_field(&form, "client_secret", secret));
    CM_TRY(put_field(&form, "scope", cm_view_str(scope)));
    return ask_form(k, target, cm_buf_view(&form));
}

/* ---- Google -------------------------------------------------------------------------------- */

static cm_err load_rsa(cm_cloud *k)
{
    CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_RSA_DER_MAX};
    cm_view pem, label;

    if (k->rsa)
        return CM_OKAY;
    CM_TRY(cm_cloud_secret(k, "private_key", &pem));
    CM_TRY(cm_buf_reserve(&der, CM_RSA_DER_MAX));
    if (cm_failed(cm_pem_next(&der, &label, &pem)) || !cm_view_eq(label, CM_LIT("PRIVATE KEY")) ||
        cm_failed(cm_rsa_from_private(&k->rsa, k->crypt, cm_buf_view(&der))))
        return CM_FAIL(CLOUD_SECRETS);
    return CM_OKAY;
}

static cm_err put_part(cm_buf *out, cm_view json)
{
    return cm_base64_encode(out, json, true);
}

static cm_err jwt_head(cm_buf *out, const cm_cloud *k)
{
    CM_AUTO(cm_buf_free) cm_buf json = {.max = 1024};
    cm_json_writer w = {.out = &json};
    cm_view kid;

    cm_json_begin_object(&w, NULL);
    cm_json_put_text(&w, "alg", CM_LIT("RS256"));
    cm_json_put_text(&w, "typ", CM_LIT("JWT"));
    if (cm_ok(cm_cloud_secret(k, "private_key_id", &kid)))
        cm_json_put_text(&w, "kid", kid);
    cm_json_end_object(&w);
    CM_TRY(cm_json_finish(&w));
    return put_part(out, cm_buf_view(&json));
}

static cm_err jwt_claims(cm_buf *out, const cm_cloud *k)
{
    CM_AUTO(cm_buf_free) cm_buf json = {.max = 2048};
    cm_json_writer w = {.out = &json};
    uint64_t now = k->t.now(k->t.self);
    cm_view email, uri;

    CM_TRY(cm_cloud_secret(k, "client_email", &email));
    CM_TRY(cm_cloud_secret(k, "token_uri", &uri));
    cm_json_begin_object(&w, NULL);
    cm_json_put_text(&w, "iss", email);
    cm_json_put_text(&w, "scope", CM_LIT("https://www.googleapis.com/auth/cloudkms"));
    cm_json_put_text(&w, "aud", uri);
    cm_json_put_u64(&w, "iat", now);
    cm_json_put_u64(&w, "exp", now + LIFE_S);
    cm_json_end_object(&w);
    CM_TRY(cm_json_finish(&w));
    return put_part(out, cm_buf_view(&json));
}

static cm_err jwt(cm_buf *out, cm_cloud *k)
{
    uint8_t sig[CM_RSA_SIG_MAX];

    CM_TRY(load_rsa(k));
    CM_TRY(jwt_head(out, k));
    CM_TRY(cm_buf_byte(out, '.'));
    CM_TRY(jwt_claims(out, k));
    CM_TRY(cm_rsa_sign(k->rsa, sig, CM_RSA_PKCS1, false, cm_buf_view(out)));
    CM_TRY(cm_buf_byte(out, '.'));
    return cm_base64_encode(out, cm_view_of(sig, cm_rsa_bits(k->rsa) / 8), true);
}

static cm_err of_account(cm_cloud *k)
{
    CM_AUTO(cm_buf_free) cm_buf statement = {.max = 4096};
    CM_AUTO(cm_buf_free) cm_buf form = {.max = FORM_MAX};

    CM_TRY(jwt(&statement, k));
    CM_TRY(put_field(&form, "grant_type", CM_LIT("urn:ietf:params:oauth:grant-type:jwt-bearer")));
    CM_TRY(put_field(&form, "assertion", cm_buf_view(&statement)));
    return ask_form(k, "/token", cm_buf_view(&form));
}

/* On a machine of Google's: who it runs as is the machine's business. */
static cm_err of_machine(cm_cloud *k)
{
    CM_AUTO(cm_cloud_answer_done) struct cloud_answer a = {.json = NULL};
    const cm_http_header flavor = {CM_LIT("metadata-flavor"), CM_LIT("Google")};
    const cm_client_request r = {
        .method = "GET",
        .target = CM_LIT("/computeMetadata/v1/instance/service-accounts/default/token"),
        .headers = &flavor,
        .headers_n = 1,
        .auth = CM_CLIENT_PLAIN};

    CM_TRY(cm_cloud_ask_token(k, &a, &r));
    return take_token(k, &a);
}

cm_err cm_cloud_google_login(cm_cloud *k)
{
    if (fresh(k))
        return CM_OKAY;
    return k->secret ? of_account(k) : of_machine(k);
}
