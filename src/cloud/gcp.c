/* Google Cloud KMS: REST v1. Everything is checked by CRC-32C on both ways. A key of ours has one
 * version, for good. */
#include <stdio.h>

#include "cloud/cloud_int.h"
#include "codec/text.h"

enum { RANDOM_MIN = 8, RANDOM_MAX = 1024, POLLS = 20, POLL_MS = 250, TARGET = NAME_MAX_ + 128 };

static const struct {
    const char *algorithm;
    bool digest;
} algs[] = {
    [CM_HSM_AES256] = {"GOOGLE_SYMMETRIC_ENCRYPTION", false},
    [CM_HSM_P256] = {"EC_SIGN_P256_SHA256", true},
    [CM_HSM_SECP256K1] = {"EC_SIGN_SECP256K1_SHA256", true},
    [CM_HSM_ED25519] = {"EC_SIGN_ED25519", false},
    [CM_HSM_MLDSA44] = {"PQ_SIGN_ML_DSA_44", false},
    [CM_HSM_MLDSA65] = {"PQ_SIGN_ML_DSA_65", false},
    [CM_HSM_MLDSA87] = {"PQ_SIGN_ML_DSA_87", false},
};

/* ---- asking -------------------------------------------------------------------------------- */

/* ---- CRC-32C: 64-bit integers are strings in this JSON --------------------------------------- */

static void put_crc(cm_json_writer *w, const char *name, cm_view v)
{
    char text[16];
    int n = snprintf(text, sizeof text, "%u", cm_crc32c(v));

    cm_json_put_text(w, name, cm_view_of(text, (size_t)n));
}

static void put_checked(cm_json_writer *w, const char *name, const char *crc, cm_view v)
{
    cm_json_put_base64(w, name, v);
    put_crc(w, crc, v);
}

/* H-43 */
static cm_err check_crc(const cm_json_node *o, const char *name, cm_view v)
{
    cm_view text;
    uint64_t crc;

    CM_TRY(cm_cloud_text(o, name, &text));
    if (cm_failed(cm_dec_u64(&crc, text)) || crc != cm_crc32c(v))
        return CM_FAIL(CLOUD_DAMAGED);
    return CM_OKAY;
}

/* What was sent has arrived as it was. H-43 */
static cm_err verified(const cm_json_node *o, const char *name)
{
    bool yes = false;

    return cm_ok(cm_json_bool(cm_json_get(o, name), &yes)) && yes ? CM_OKAY
                                                                  : CM_FAIL(CLOUD_DAMAGED);
}

static cm_err checked_bytes(const cm_json_node *o, const char *name, const char *crc, cm_buf *out)
{
    size_t before = out->n;
    cm_err e;

    CM_TRY(cm_cloud_bytes(o, name, false, out));
    e = check_crc(o, crc, cm_view_sub(cm_buf_view(out), before, out->n - before));
    if (cm_failed(e))
        out->n = before;
    return e;
}

/* ---- keys ---------------------------------------------------------------------------------- */

static cm_err key_path(char out[TARGET], const cm_cloud *k, const struct cloud_key *key)
{
    char name[128];

    CM_TRY(cm_cloud_key_name(name, key));
    (void)snprintf(out, TARGET, "%s/cryptoKeys/%s", k->config.place, name);
    return CM_OKAY;
}

/* HSM, or SOFTWARE for algorithms that this cloud's HSMs have not: said as it is. */
static cm_err custody(struct cloud_key *key, const cm_json_node *o)
{
    cm_view v;

    CM_TRY(cm_cloud_text(o, "protectionLevel", &v));
    if (cm_view_eq(v, CM_LIT("HSM")) || cm_view_eq(v, CM_LIT("HSM_SINGLE_TENANT")))
        key->custody = CM_HSM_NATIVE;
    else if (cm_view_eq(v, CM_LIT("SOFTWARE")))
        key->custody = CM_HSM_SOFTWARE;
    else
        return CM_FAIL(HSM_EXPORTABLE);
    return CM_OKAY;
}

/* ENABLED, or still being made. */
static cm_err version(cm_cloud *k, struct cloud_key *key, bool *pending)
{
    CM_AUTO(cm_cloud_answer_done) struct cloud_answer a = {.json = NULL};
    char path[TARGET], target[TARGET + 64];
    const cm_json_node *o;
    cm_view v;

    CM_TRY(key_path(path, k, key));
    (void)snprintf(target, sizeof target, "/v1/%s/cryptoKeyVersions/1", path);
    CM_TRY(cm_cloud_bare(k, &a, "GET", target));
    o = cm_cloud_root(&a);
    CM_TRY(cm_cloud_same(o, "name", cm_view_str(target + 4)));
    CM_TRY(cm_cloud_text(o, "state", &v));
    *pending = cm_view_eq(v, CM_LIT("PENDING_GENERATION"));
    if (*pending)
        return CM_OKAY;
    if (!cm_view_eq(v, CM_LIT("ENABLED")))
        return CM_FAIL(HSM_NO_KEY);
    if (cm_json_get(o, "importJob")) /* H-2 */
        return CM_FAIL(HSM_EXPORTABLE);
    CM_TRY(cm_cloud_same(o, "algorithm", cm_view_str(algs[key->alg].algorithm)));
    CM_TRY(custody(key, o));
    return cm_cloud_name(key->name, cm_view_str(target + 4));
}

static cm_err from_pem(cm_cloud *k, struct cloud_key *key, const cm_json_node *o)
{
    CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_SIG_PK_MAX + 64};
    cm_view pem, label;

    (void)k;
    CM_TRY(cm_cloud_text(o, "pem", &pem));
    CM_TRY(check_crc(o, "pemCrc32c", pem));
    if (cm_failed(cm_pem_next(&der, &label, &pem)) || !cm_view_eq(label, CM_LIT("PUBLIC KEY")))
        return CM_FAIL(CLOUD_ANSWER);
    return cm_cloud_spki(key, cm_buf_view(&der));
}

static cm_err from_bytes(struct cloud_key *key, const cm_json_node *o)
{
    const cm_sig_info *info = cm_sig_info_of(cm_hsm_alg_sig(key->alg));
    CM_AUTO(cm_buf_free) cm_buf pub = {.max = CM_SIG_PK_MAX};

    CM_TRY(checked_bytes(cm_json_get(o, "publicKey"), "data", "crc32cChecksum", &pub));
    if (!info || pub.n != info->pk)
        return CM_FAIL(CLOUD_ANSWER);
    memcpy(key->pub, pub.p, pub.n);
    key->pub_n = pub.n;
    return CM_OKAY;
}

static cm_err public_key(cm_cloud *k, struct cloud_key *key)
{
    CM_AUTO(cm_cloud_answer_done) struct cloud_answer a = {.json = NULL};
    bool pq = key->alg >= CM_HSM_MLDSA44;
    char target[TARGET];

    if (key->alg == CM_HSM_AES256)
        return CM_OKAY;
    (void)snprintf(target, sizeof target, "/v1/%s/publicKey%s", key->name,
                   pq ? "?publicKeyFormat=NIST_PQC" : "");
    CM_TRY(cm_cloud_bare(k, &a, "GET", target));
    CM_TRY(cm_cloud_same(cm_cloud_root(&a), "name", cm_view_str(key->name)));
    CM_TRY(cm_cloud_same(cm_cloud_root(&a), "algorithm", cm_view_str(algs[key->alg].algorithm)));
    return pq ? from_bytes(key, cm_cloud_root(&a)) : from_pem(k, key, cm_cloud_root(&a));
}

static cm_err find(cm_cloud *k, struct cloud_key *key)
{
    bool pending = true;

    for (unsigned i = 0; i < POLLS && pending; i++) {
        if (i)
            k->t.pause(k->t.self, POLL_MS);
        CM_TRY(version(k, key, &pending));
    }
    return pending ? CM_FAIL(HSM_TIMEOUT) : public_key(k, key);
}

static cm_err ask_create(cm_cloud *k, const struct cloud_key *key, const char *level)
{
    CM_AUTO(cm_cloud_answer_done) struct cloud_answer a = {.json = NULL};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = 1024};
    cm_json_writer w = {.out = &body};
    char name[128], target[TARGET + 64];
    cm_err e;

    CM_TRY(cm_cloud_key_name(name, key));
    (void)snprintf(target, sizeof target, "/v1/%s/cryptoKeys?cryptoKeyId=%s", k->config.place,
                   name);
    cm_json_begin_object(&w, NULL);
    cm_json_put_text(
        &w, "purpose",
        cm_view_str(key->alg == CM_HSM_AES256 ? "ENCRYPT_DECRYPT" : "ASYMMETRIC_SIGN"));
    cm_json_begin_object(&w, "versionTemplate");
    cm_json_put_text(&w, "algorithm", cm_view_str(algs[key->alg].algorithm));
    cm_json_put_text(&w, "protectionLevel", cm_view_str(level));
    cm_json_end_object(&w);
    e = cm_cloud_post(k, &a, target, &w, true);
    return cm_is(e, CM_HSM_BLOB) ? CM_FAIL(HSM_MECHANISM) : e;
}

static cm_err create(cm_cloud *k, struct cloud_key *key)
{
    cm_err e = ask_create(k, key, "HSM");

    if (cm_is(e, CM_HSM_MECHANISM) && key->alg >= CM_HSM_MLDSA44)
        e = ask_create(k, key, "SOFTWARE");
    CM_TRY(e);
    return find(k, key);
}

static cm_err destroy(cm_cloud *k, const struct cloud_key *key)
{
    CM_AUTO(cm_cloud_answer_done) struct cloud_answer a = {.json = NULL};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = 64};
    cm_json_writer w = {.out = &body};
    char target[TARGET];

    (void)snprintf(target, sizeof target, "/v1/%s:destroy", key->name);
    cm_json_begin_object(&w, NULL);
    return cm_cloud_post(k, &a, target, &w, false);
}

/* ---- use ----------------------------------------------------------------------------------- */

/* The key without its version: what encrypt and decrypt are asked of. */
static void use_target(char out[TARGET], const struct cloud_key *key, const char *verb)
{
    const char *v = strstr(key->name, "/cryptoKeyVersions/");
    int n = v ? (int)(v - key->name) : (int)strlen(key->name);

    (void)snprintf(out, TARGET, "/v1/%.*s:%s", n, key->name, verb);
}

static cm_err encrypt(cm_cloud *k, const struct cloud_key *key, const cm_key32 *plain,
                      const uint8_t bound[32], cm_buf *out)
{
    CM_AUTO(cm_cloud_answer_done) struct cloud_answer a = {.json = NULL};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = 1024};
    cm_json_writer w = {.out = &body};
    char target[TARGET];

    use_target(target, key, "encrypt");
    CM_TRY(cm_buf_reserve(&body, 1024));
    cm_json_begin_object(&w, NULL);
    put_checked(&w, "plaintext", "plaintextCrc32c", CM_VIEW(plain->b));
    put_checked(&w, "additionalAuthenticatedData", "additionalAuthenticatedDataCrc32c",
                cm_view_of(bound, 32));
    CM_TRY(cm_cloud_post(k, &a, target, &w, false));
    CM_TRY(cm_cloud_same(cm_cloud_root(&a), "name", cm_view_str(key->name)));
    CM_TRY(verified(cm_cloud_root(&a), "verifiedPlaintextCrc32c"));
    CM_TRY(verified(cm_cloud_root(&a), "verifiedAdditionalAuthenticatedDataCrc32c"));
    return checked_bytes(cm_cloud_root(&a), "ciphertext", "ciphertextCrc32c", out);
}

static cm_err decrypt(cm_cloud *k, const struct cloud_key *key, cm_view wrapped,
                      const uint8_t bound[32], cm_key32 *plain)
{
    CM_AUTO(cm_cloud_answer_done) struct cloud_answer a = {.json = NULL};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = 1024 + 2 * WRAPPED_MAX};
    CM_AUTO(cm_key32_wipe) cm_key32 got = {{0}};
    cm_json_writer w = {.out = &body};
    char target[TARGET];

    use_target(target, key, "decrypt");
    cm_json_begin_object(&w, NULL);
    put_checked(&w, "ciphertext", "ciphertextCrc32c", wrapped);
    put_checked(&w, "additionalAuthenticatedData", "additionalAuthenticatedDataCrc32c",
                cm_view_of(bound, 32));
    CM_TRY(cm_cloud_post(k, &a, target, &w, false));
    CM_TRY(cm_cloud_key32(cm_cloud_root(&a), "plaintext", false, &got));
    CM_TRY(check_crc(cm_cloud_root(&a), "plaintextCrc32c", CM_VIEW(got.b)));
    *plain = got;
    return CM_OKAY;
}

static cm_err put_message(cm_json_writer *w, const cm_cloud *k, const struct cloud_key *key,
                          cm_view msg)
{
    uint8_t digest[32];

    if (!algs[key->alg].digest) {
        put_checked(w, "data", "dataCrc32c", msg);
        return CM_OKAY;
    }
    CM_TRY(cm_cloud_digest(k, key, msg, digest));
    cm_json_begin_object(w, "digest");
    cm_json_put_base64(w, "sha256", CM_VIEW(digest));
    cm_json_end_object(w);
    put_crc(w, "digestCrc32c", CM_VIEW(digest));
    return CM_OKAY;
}

static cm_err sign(cm_cloud *k, const struct cloud_key *key, cm_view msg, cm_buf *sig)
{
    CM_AUTO(cm_cloud_answer_done) struct cloud_answer a = {.json = NULL};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = 1024 + 2 * CM_HSM_DATA_MAX};
    CM_AUTO(cm_buf_free) cm_buf got = {.max = CM_SIG_MAX};
    cm_json_writer w = {.out = &body};
    bool digest = algs[key->alg].digest;
    char target[TARGET];

    (void)snprintf(target, sizeof target, "/v1/%s:asymmetricSign", key->name);
    cm_json_begin_object(&w, NULL);
    CM_TRY(put_message(&w, k, key, msg));
    CM_TRY(cm_cloud_post(k, &a, target, &w, false));
    CM_TRY(cm_cloud_same(cm_cloud_root(&a), "name", cm_view_str(key->name)));
    CM_TRY(verified(cm_cloud_root(&a), digest ? "verifiedDigestCrc32c" : "verifiedDataCrc32c"));
    CM_TRY(checked_bytes(cm_cloud_root(&a), "signature", "signatureCrc32c", &got));
    return digest ? cm_cloud_ecdsa(sig, cm_buf_view(&got)) : cm_buf_append(sig, cm_buf_view(&got));
}

static cm_err random_piece(cm_cloud *k, size_t n, cm_buf *out)
{
    CM_AUTO(cm_cloud_answer_done) struct cloud_answer a = {.json = NULL};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = 256};
    CM_AUTO(cm_buf_free) cm_buf got = {.max = RANDOM_MAX};
    cm_json_writer w = {.out = &body};
    const char *ring = strstr(k->config.place, "/keyRings/");
    size_t asked = CM_MAX(n, (size_t)RANDOM_MIN);
    char target[TARGET];

    (void)snprintf(target, sizeof target, "/v1/%.*s:generateRandomBytes",
                   ring ? (int)(ring - k->config.place) : 0, k->config.place);
    cm_json_begin_object(&w, NULL);
    cm_json_put_u64(&w, "lengthBytes", asked);
    cm_json_put_text(&w, "protectionLevel", CM_LIT("HSM"));
    CM_TRY(cm_cloud_post(k, &a, target, &w, false));
    CM_TRY(checked_bytes(cm_cloud_root(&a), "data", "dataCrc32c", &got));
    return got.n == asked ? cm_buf_append(out, cm_view_of(got.p, n)) : CM_FAIL(HSM_WRONG);
}

const struct cloud_service cm_cloud_gcp = {
    .name = "gcp",
    .title = "Google Cloud KMS",
    .find = find,
    .create = create,
    .destroy = destroy,
    .encrypt = encrypt,
    .decrypt = decrypt,
    .sign = sign,
    .random = random_piece,
    .random_max = RANDOM_MAX,
    .reason = cm_cloud_reason,
    .login = cm_cloud_google_login,
};
