/* AWS KMS: JSON 1.1 actions, signed requests. Keys are named by aliases and used by their ARN. */
#include <stdio.h>
#include <time.h>

#include "cloud/cloud_int.h"
#include "codec/text.h"
#include "run/link.h"

enum { RANDOM_MAX = 1024, RAW_MAX = 4096 };

/* ---- requests ------------------------------------------------------------------------------ */

/* "20150830T123600Z" */
static cm_err stamp(cm_buf *out, uint64_t now)
{
    time_t t = (time_t)now;
    char text[17];
    struct tm tm;

    if (!gmtime_r(&t, &tm) || strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &tm) != 16)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_buf_append(out, cm_view_str(text)));
    return cm_buf_byte(out, 0);
}

cm_err cm_cloud_aws_headers(cm_cloud *k, const struct cloud_ask *q, cm_http_header *h, size_t *n,
                            cm_buf text[3])
{
    cm_link_url u;
    cm_http_header all[5];
    cm_sigv4 s = {.method = q->method,
                  .path = q->target,
                  .query = "",
                  .headers = all,
                  .body = q->body,
                  .region = k->config.place,
                  .service = "kms"};
    cm_view session;
    size_t m = 0;

    CM_TRY(cm_cloud_secret(k, "access_key_id", &s.key_id));
    CM_TRY(cm_cloud_secret(k, "secret_access_key", &s.secret));
    CM_TRY(stamp(&text[1], k->t.now(k->t.self)));
    CM_TRY(cm_link_url_parse(&u, cm_view_str(k->config.endpoint)));
    CM_TRY(cm_link_authority(&text[2], &u));
    s.date = (const char *)text[1].p;
    all[m++] = (cm_http_header){CM_LIT("content-type"), CM_LIT("application/x-amz-json-1.1")};
    all[m++] = (cm_http_header){CM_LIT("host"), cm_buf_view(&text[2])};
    all[m++] = (cm_http_header){CM_LIT("x-amz-date"), cm_view_of(text[1].p, 16)};
    if (cm_ok(cm_cloud_secret(k, "session_token", &session)))
        all[m++] = (cm_http_header){CM_LIT("x-amz-security-token"), session};
    all[m++] = (cm_http_header){CM_LIT("x-amz-target"), cm_view_str(q->action)};
    s.headers_n = m;
    CM_TRY(cm_sigv4_make(&text[0], k->crypt, &s));
    for (size_t i = 2; i < m; i++)
        h[(*n)++] = all[i];
    h[(*n)++] = (cm_http_header){CM_LIT("authorization"), cm_buf_view(&text[0])};
    return CM_OKAY;
}

static cm_err act(cm_cloud *k, struct cloud_answer *a, const char *action, cm_json_writer *w,
                  bool once)
{
    struct cloud_ask q = {.method = "POST", .target = "/", .action = action, .once = once};

    cm_json_end_object(w);
    CM_TRY(cm_json_finish(w));
    q.body = cm_buf_view(w->out);
    return cm_cloud_ask(k, a, &q);
}

static void begin(cm_json_writer *w, cm_buf *out, const char *key_id)
{
    *w = (cm_json_writer){.out = out};
    cm_json_begin_object(w, NULL);
    if (key_id)
        cm_json_put_text(w, "KeyId", cm_view_str(key_id));
}

/* ---- what it says -------------------------------------------------------------------------- */

static bool is(cm_view type, const char *name)
{
    cm_view v = cm_view_str(name);

    /* Some services put a namespace and '#' before it. */
    return type.n >= v.n && cm_view_eq(cm_view_sub(type, type.n - v.n, v.n), v) &&
           (type.n == v.n || type.p[type.n - v.n - 1] == '#');
}

static cm_err reason(int status, const cm_json_node *body, bool *retry)
{
    static const struct {
        const char *type;
        cm_reason reason;
        bool retry;
    } rows[] = {
        {"ThrottlingException", CM_CLOUD_BUSY, true},
        {"RequestLimitExceeded", CM_CLOUD_BUSY, true},
        {"LimitExceededException", CM_HSM_SESSIONS, false},
        {"KMSInternalException", CM_HSM_DEVICE, true},
        {"DependencyTimeoutException", CM_HSM_DEVICE, true},
        {"KeyUnavailableException", CM_HSM_DEVICE, true},
        {"NotFoundException", CM_HSM_NO_KEY, false},
        {"KMSInvalidStateException", CM_HSM_NO_KEY, false},
        {"DisabledException", CM_HSM_NO_KEY, false},
        {"AlreadyExistsException", CM_HSM_KEYS, false},
        {"InvalidCiphertextException", CM_HSM_BLOB, false},
        {"IncorrectKeyException", CM_HSM_BLOB, false},
        {"InvalidKeyUsageException", CM_HSM_MECHANISM, false},
        {"UnsupportedOperationException", CM_HSM_MECHANISM, false},
        {"AccessDeniedException", CM_CLOUD_DENIED, false},
        {"UnrecognizedClientException", CM_CLOUD_DENIED, false},
        {"InvalidSignatureException", CM_CLOUD_DENIED, false},
        {"ExpiredTokenException", CM_CLOUD_DENIED, false},
        {"MissingAuthenticationTokenException", CM_CLOUD_DENIED, false},
        {"InvalidClientTokenId", CM_CLOUD_DENIED, false},
    };
    cm_view type;

    *retry = status == 429 || status >= 500;
    if (cm_ok(cm_cloud_text(body, "__type", &type)))
        for (size_t i = 0; i < CM_COUNT(rows); i++)
            if (is(type, rows[i].type)) {
                *retry = rows[i].retry;
                return (cm_err){(uint32_t)rows[i].reason};
            }
    if (status == 429 || status == 503)
        return CM_FAIL(CLOUD_BUSY);
    return status == 401 || status == 403 ? CM_FAIL(CLOUD_DENIED) : CM_FAIL(HSM_DEVICE);
}

/* ---- keys ---------------------------------------------------------------------------------- */

static const struct {
    const char *spec, *usage, *signing;
    bool digest;
} algs[] = {
    [CM_HSM_AES256] = {"SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", NULL, false},
    [CM_HSM_P256] = {"ECC_NIST_P256", "SIGN_VERIFY", "ECDSA_SHA_256", true},
    [CM_HSM_SECP256K1] = {"ECC_SECG_P256K1", "SIGN_VERIFY", "ECDSA_SHA_256", true},
    [CM_HSM_ED25519] = {"ECC_NIST_EDWARDS25519", "SIGN_VERIFY", "ED25519_SHA_512", false},
    [CM_HSM_MLDSA44] = {"ML_DSA_44", "SIGN_VERIFY", "ML_DSA_SHAKE_256", false},
    [CM_HSM_MLDSA65] = {"ML_DSA_65", "SIGN_VERIFY", "ML_DSA_SHAKE_256", false},
    [CM_HSM_MLDSA87] = {"ML_DSA_87", "SIGN_VERIFY", "ML_DSA_SHAKE_256", false},
};

static cm_err alias_of(char out[160], const struct cloud_key *k)
{
    char name[128];

    CM_TRY(cm_cloud_key_name(name, k));
    (void)snprintf(out, 160, "alias/%s", name);
    return CM_OKAY;
}

/* H-2: a key whose material was brought along may be anywhere else as well. */
static cm_err metadata(struct cloud_key *out, const cm_json_node *o)
{
    const cm_json_node *m = cm_json_get(o, "KeyMetadata");
    cm_view v;

    CM_TRY(cm_cloud_text(m, "Arn", &v));
    CM_TRY(cm_cloud_text(m, "KeyState", &v));
    if (!cm_view_eq(v, CM_LIT("Enabled")))
        return CM_FAIL(HSM_NO_KEY);
    CM_TRY(cm_cloud_text(m, "Origin", &v));
    if (!cm_view_eq(v, CM_LIT("AWS_KMS")) && !cm_view_eq(v, CM_LIT("AWS_CLOUDHSM")))
        return CM_FAIL(HSM_EXPORTABLE);
    CM_TRY(cm_cloud_same(m, "KeySpec", cm_view_str(algs[out->alg].spec)));
    CM_TRY(cm_cloud_same(m, "KeyUsage", cm_view_str(algs[out->alg].usage)));
    CM_TRY(cm_cloud_text(m, "Arn", &v));
    out->custody = CM_HSM_NATIVE;
    return cm_cloud_name(out->name, v);
}

static cm_err public_key(cm_cloud *k, struct cloud_key *key)
{
    CM_AUTO(cm_cloud_answer_done) struct cloud_answer a = {.json = NULL};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = 1024};
    CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_SIG_PK_MAX + 64};
    cm_json_writer w;

    if (!algs[key->alg].signing)
        return CM_OKAY;
    begin(&w, &body, key->name);
    CM_TRY(act(k, &a, "TrentService.GetPublicKey", &w, false));
    CM_TRY(cm_cloud_same(cm_cloud_root(&a), "KeyId", cm_view_str(key->name)));
    CM_TRY(cm_cloud_bytes(cm_cloud_root(&a), "PublicKey", false, &der));
    return cm_cloud_spki(key, cm_buf_view(&der));
}

static cm_err find(cm_cloud *k, struct cloud_key *key)
{
    CM_AUTO(cm_cloud_answer_done) struct cloud_answer a = {.json = NULL};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = 1024};
    cm_json_writer w;
    char alias[160];

    CM_TRY(alias_of(alias, key));
    begin(&w, &body, alias);
    CM_TRY(act(k, &a, "TrentService.DescribeKey", &w, false));
    CM_TRY(metadata(key, cm_cloud_root(&a)));
    return public_key(k, key);
}

static cm_err schedule_deletion(cm_cloud *k, const struct cloud_key *key)
{
    CM_AUTO(cm_cloud_answer_done) struct cloud_answer a = {.json = NULL};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = 1024};
    cm_json_writer w;

    begin(&w, &body, key->name);
    cm_json_put_u64(&w, "PendingWindowInDays", 7);
    return act(k, &a, "TrentService.ScheduleKeyDeletion", &w, false);
}

static cm_err put_alias(cm_cloud *k, const struct cloud_key *key, bool make)
{
    CM_AUTO(cm_cloud_answer_done) struct cloud_answer a = {.json = NULL};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = 1024};
    cm_json_writer w;
    char alias[160];

    CM_TRY(alias_of(alias, key));
    begin(&w, &body, NULL);
    cm_json_put_text(&w, "AliasName", cm_view_str(alias));
    if (make)
        cm_json_put_text(&w, "TargetKeyId", cm_view_str(key->name));
    return act(k, &a, make ? "TrentService.CreateAlias" : "TrentService.DeleteAlias", &w, false);
}

static cm_err create(cm_cloud *k, struct cloud_key *key)
{
    CM_AUTO(cm_cloud_answer_done) struct cloud_answer a = {.json = NULL};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = 1024};
    cm_json_writer w;
    cm_err e;

    begin(&w, &body, NULL);
    cm_json_put_text(&w, "KeySpec", cm_view_str(algs[key->alg].spec));
    cm_json_put_text(&w, "KeyUsage", cm_view_str(algs[key->alg].usage));
    cm_json_put_text(&w, "Description", CM_LIT("made by casemate"));
    e = act(k, &a, "TrentService.CreateKey", &w, true);
    if (cm_is(e, CM_HSM_DEVICE) && a.http.status == 400) /* no such KeySpec in this region */
        return CM_FAIL(HSM_MECHANISM);
    CM_TRY(e);
    CM_TRY(metadata(key, cm_cloud_root(&a)));
    e = put_alias(k, key, true);
    /* Nobody could find it. Its name may have been taken meanwhile: that is what to say. */
    if (cm_failed(e) && cm_failed(schedule_deletion(k, key)))
        return e;
    CM_TRY(e);
    return public_key(k, key);
}

static cm_err destroy(cm_cloud *k, const struct cloud_key *key)
{
    CM_TRY(put_alias(k, key, false));
    return schedule_deletion(k, key);
}

/* ---- use ----------------------------------------------------------------------------------- */

static void put_context(cm_json_writer *w, const uint8_t bound[32])
{
    cm_json_begin_object(w, "EncryptionContext");
    cm_json_put_hex(w, "casemate", cm_view_of(bound, 32));
    cm_json_end_object(w);
}

static cm_err encrypt(cm_cloud *k, const struct cloud_key *key, const cm_key32 *plain,
                      const uint8_t bound[32], cm_buf *out)
{
    CM_AUTO(cm_cloud_answer_done) struct cloud_answer a = {.json = NULL};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = 2048};
    cm_json_writer w;

    CM_TRY(cm_buf_reserve(&body, 2048));
    begin(&w, &body, key->name);
    cm_json_put_base64(&w, "Plaintext", CM_VIEW(plain->b));
    put_context(&w, bound);
    CM_TRY(act(k, &a, "TrentService.Encrypt", &w, false));
    CM_TRY(cm_cloud_same(cm_cloud_root(&a), "KeyId", cm_view_str(key->name)));
    return cm_cloud_bytes(cm_cloud_root(&a), "CiphertextBlob", false, out);
}

static cm_err decrypt(cm_cloud *k, const struct cloud_key *key, cm_view wrapped,
                      const uint8_t bound[32], cm_key32 *plain)
{
    CM_AUTO(cm_cloud_answer_done) struct cloud_answer a = {.json = NULL};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = 2048 + 2 * WRAPPED_MAX};
    cm_json_writer w;

    begin(&w, &body, key->name);
    cm_json_put_base64(&w, "CiphertextBlob", wrapped);
    put_context(&w, bound);
    CM_TRY(act(k, &a, "TrentService.Decrypt", &w, false));
    CM_TRY(cm_cloud_same(cm_cloud_root(&a), "KeyId", cm_view_str(key->name)));
    return cm_cloud_key32(cm_cloud_root(&a), "Plaintext", false, plain);
}

/* AWS takes ML-DSA messages of 4 KiB; of longer ones their mu. */
static cm_err put_message(cm_json_writer *w, cm_cloud *k, const struct cloud_key *key, cm_view msg)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *pub = NULL;
    uint8_t bytes[64];
    const char *type = "RAW";

    if (algs[key->alg].digest) {
        CM_TRY(cm_cloud_digest(k, key, msg, bytes));
        msg = cm_view_of(bytes, 32);
        type = "DIGEST";
    } else if (msg.n > RAW_MAX && key->alg >= CM_HSM_MLDSA44) {
        CM_TRY(cm_sig_from_public(&pub, k->crypt, (cm_sig_id)cm_hsm_alg_sig(key->alg),
                                  cm_view_of(key->pub, key->pub_n)));
        CM_TRY(cm_mldsa_mu(pub, bytes, CM_LIT(""), msg));
        msg = CM_VIEW(bytes);
        type = "EXTERNAL_MU";
    } else if (msg.n > RAW_MAX) {
        return CM_FAIL(HSM_REQUEST);
    }
    cm_json_put_base64(w, "Message", msg);
    cm_json_put_text(w, "MessageType", cm_view_str(type));
    return CM_OKAY;
}

static cm_err sign(cm_cloud *k, const struct cloud_key *key, cm_view msg, cm_buf *sig)
{
    CM_AUTO(cm_cloud_answer_done) struct cloud_answer a = {.json = NULL};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = 16 << 10};
    CM_AUTO(cm_buf_free) cm_buf got = {.max = CM_SIG_MAX};
    cm_json_writer w;

    begin(&w, &body, key->name);
    CM_TRY(put_message(&w, k, key, msg));
    cm_json_put_text(&w, "SigningAlgorithm", cm_view_str(algs[key->alg].signing));
    CM_TRY(act(k, &a, "TrentService.Sign", &w, false));
    CM_TRY(cm_cloud_same(cm_cloud_root(&a), "KeyId", cm_view_str(key->name)));
    CM_TRY(cm_cloud_bytes(cm_cloud_root(&a), "Signature", false, &got));
    return algs[key->alg].digest ? cm_cloud_ecdsa(sig, cm_buf_view(&got))
                                 : cm_buf_append(sig, cm_buf_view(&got));
}

static cm_err random_piece(cm_cloud *k, size_t n, cm_buf *out)
{
    CM_AUTO(cm_cloud_answer_done) struct cloud_answer a = {.json = NULL};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = 256};
    size_t before = out->n;
    cm_json_writer w;

    begin(&w, &body, NULL);
    cm_json_put_u64(&w, "NumberOfBytes", n);
    CM_TRY(act(k, &a, "TrentService.GenerateRandom", &w, false));
    CM_TRY(cm_cloud_bytes(cm_cloud_root(&a), "Plaintext", false, out));
    return out->n - before == n ? CM_OKAY : CM_FAIL(HSM_WRONG);
}

const struct cloud_service cm_cloud_aws = {
    .name = "aws",
    .title = "AWS KMS",
    .find = find,
    .create = create,
    .destroy = destroy,
    .encrypt = encrypt,
    .decrypt = decrypt,
    .sign = sign,
    .random = random_piece,
    .random_max = RANDOM_MAX,
    .reason = reason,
};
