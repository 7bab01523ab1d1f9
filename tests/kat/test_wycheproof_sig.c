/* Signatures against C2SP Wycheproof: every file whose groups are of a kind known here. */
#include <stdio.h>
#include <stdlib.h>

#include <openssl/ecdsa.h>

#include "sig_kat.h"
#include "vectors_json.h"

static cm_crypt *crypt_;

static bool text_is(const cm_json_node *obj, const char *key, const char *text)
{
    return t_json_has(obj, key) && t_json_is(obj, key, text);
}

/* Hex, or empty where the field is missing or null. */
static cm_view hex_or_empty(const cm_json_node *obj, const char *key)
{
    const cm_json_node *n = cm_json_get(obj, key);

    return n && cm_json_type_of(n) == CM_JSON_STRING ? t_json_hex(obj, key) : CM_LIT("");
}

/* What a case says of itself; "acceptable" binds nobody. */
static void verdict(const cm_json_node *test, bool accepted)
{
    if (text_is(test, "result", "valid"))
        T_CHECK(accepted);
    else if (text_is(test, "result", "invalid"))
        T_CHECK(!accepted);
    t_ran();
}

static void skip_group(const cm_json_node *group, const char *why)
{
    T_JSON_EACH(test, t_json_get(group, "tests"))
    t_skip(why);
}

/* ---- ECDSA ---------------------------------------------------------------------------------- */

/* r || s of DER that is exactly what an encoder writes. */
static bool raw_of_der(uint8_t *raw, size_t half, cm_view der)
{
    const uint8_t *p = der.p;
    ECDSA_SIG *s = der.n ? d2i_ECDSA_SIG(NULL, &p, (long)der.n) : NULL;
    uint8_t *again = NULL;
    int n = s ? i2d_ECDSA_SIG(s, &again) : 0;
    bool ok = n > 0 && cm_view_eq(cm_view_of(again, (size_t)n), der) &&
              !BN_is_negative(ECDSA_SIG_get0_r(s)) && !BN_is_negative(ECDSA_SIG_get0_s(s)) &&
              BN_bn2binpad(ECDSA_SIG_get0_r(s), raw, (int)half) == (int)half &&
              BN_bn2binpad(ECDSA_SIG_get0_s(s), raw + half, (int)half) == (int)half;

    OPENSSL_free(again);
    ECDSA_SIG_free(s);
    return ok;
}

static cm_sig_id curve_of(const cm_json_node *group)
{
    const cm_json_node *pk = t_json_get(group, "publicKey");

    if (text_is(pk, "curve", "secp256r1") && text_is(group, "sha", "SHA-256"))
        return CM_SIG_P256;
    if (text_is(pk, "curve", "secp384r1") && text_is(group, "sha", "SHA-384"))
        return CM_SIG_P384;
    if (text_is(pk, "curve", "secp256k1") && text_is(group, "sha", "SHA-256"))
        return CM_SIG_SECP256K1;
    return 0;
}

/* Half of secp256k1's order: K-9 refuses an s above it, which plain ECDSA takes. */
static bool high_s(const cm_sig_key *k, const uint8_t *raw)
{
    static const uint8_t half[32] = {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                     0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d,
                                     0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0};

    return cm_sig_key_info(k)->id == CM_SIG_SECP256K1 && memcmp(raw + 32, half, 32) > 0;
}

static bool ecdsa_accepts(const cm_sig_key *k, cm_view msg, const uint8_t *raw)
{
    uint8_t digest[32];
    cm_view sig = cm_view_of(raw, cm_sig_key_info(k)->sig);

    if (cm_sig_key_info(k)->id != CM_SIG_SECP256K1)
        return cm_ok(cm_verify_raw(k, msg, sig));
    T_CHECK(cm_ok(cm_hash_once(crypt_, CM_SHA256, digest, msg)));
    return cm_ok(cm_verify_raw(k, CM_VIEW(digest), sig));
}

/* often: the same key, prepared for many. */
static bool both_accept(const cm_sig_key *k, const cm_sig_key *often, cm_view msg,
                        const uint8_t *raw)
{
    bool accepted = ecdsa_accepts(k, msg, raw);

    T_CHECK(ecdsa_accepts(often, msg, raw) == accepted);
    return accepted;
}

static void ecdsa_case(const cm_json_node *test, const cm_sig_key *k, const cm_sig_key *often,
                       bool p1363)
{
    uint8_t raw[CM_SIG_PK_MAX] = {0};
    size_t n = cm_sig_key_info(k)->sig;
    cm_view sig = t_json_hex(test, "sig");
    bool formed = p1363 ? sig.n == n : raw_of_der(raw, n / 2, sig);

    if (p1363 && formed)
        memcpy(raw, sig.p, n);
    if (formed && high_s(k, raw)) {
        T_CHECK(!both_accept(k, often, t_json_hex(test, "msg"), raw));
        t_ran();
        return;
    }
    verdict(test, formed && both_accept(k, often, t_json_hex(test, "msg"), raw));
}

static void ecdsa_group(const cm_json_node *group)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *often = NULL;
    cm_sig_id id = curve_of(group);
    cm_view pk;

    if (!id) {
        skip_group(group, "curve or hash not offered");
        return;
    }
    pk = t_json_hex(t_json_get(group, "publicKey"), "uncompressed");
    if (!T_CHECK(cm_ok(cm_sig_from_public(&k, crypt_, id, pk))) ||
        !T_CHECK(cm_ok(cm_sig_from_public(&often, crypt_, id, pk))) ||
        !T_CHECK(cm_ok(cm_sig_prepare(often))))
        return;
    T_JSON_EACH(test, t_json_get(group, "tests"))
    {
        t_case("tcId", t_json_num(test, "tcId"));
        if (t_sampled(t_json_num(test, "tcId")))
            ecdsa_case(test, k, often, text_is(group, "type", "EcdsaP1363Verify"));
    }
}

/* ---- EdDSA ---------------------------------------------------------------------------------- */

static void eddsa_group(const cm_json_node *group)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;
    const cm_json_node *pk = t_json_get(group, "publicKey");

    if (!text_is(pk, "curve", "edwards25519")) {
        skip_group(group, "curve not offered");
        return;
    }
    if (!T_CHECK(cm_ok(cm_sig_from_public(&k, crypt_, CM_SIG_ED25519, t_json_hex(pk, "pk")))))
        return;
    T_JSON_EACH(test, t_json_get(group, "tests"))
    {
        t_case("tcId", t_json_num(test, "tcId"));
        verdict(test, cm_ok(cm_verify_raw(k, t_json_hex(test, "msg"), t_json_hex(test, "sig"))));
    }
}

/* ---- ML-DSA --------------------------------------------------------------------------------- */

static cm_view ctx_of(const cm_json_node *test)
{
    return hex_or_empty(test, "ctx");
}

static void mldsa_verify_group(const cm_json_node *group, const cm_sig_info *info)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;
    bool key = cm_ok(cm_sig_from_public(&k, crypt_, info->id, hex_or_empty(group, "publicKey")));

    T_JSON_EACH(test, t_json_get(group, "tests"))
    {
        sig_input in = {.ctx = ctx_of(test), .msg = t_json_hex(test, "msg")};

        t_case("tcId", t_json_num(test, "tcId"));
        if (t_sampled(t_json_num(test, "tcId")))
            verdict(test, key && cm_ok(sig_check(k, &in, t_json_hex(test, "sig"))));
    }
}

static void mldsa_sign_valid(const cm_json_node *test, const cm_sig_key *k)
{
    cm_view mu = hex_or_empty(test, "mu");
    uint8_t our_mu[CM_SIG_MU];
    sig_input in = {
        .ctx = ctx_of(test), .msg = hex_or_empty(test, "msg"), .rnd = hex_or_empty(test, "rnd")};

    if (!t_json_has(test, "msg")) {
        in.msg = mu;
        in.is_mu = true;
    } else if (mu.n) {
        T_CHECK(cm_ok(cm_mldsa_mu(k, our_mu, in.ctx, in.msg)));
        T_CHECK(cm_view_eq(CM_VIEW(our_mu), mu));
    }
    sig_is(k, &in, t_json_hex(test, "sig"));
    t_ran();
}

static void mldsa_sign_case(const cm_json_node *test, const cm_sig_key *k)
{
    uint8_t sig[CM_SIG_MAX];

    if (text_is(test, "result", "valid") && T_CHECK(k != NULL)) {
        mldsa_sign_valid(test, k);
        return;
    }
    verdict(test, k && cm_ok(cm_sign_det(k, sig, ctx_of(test), t_json_hex(test, "msg"))));
}

static void mldsa_sign_group(const cm_json_node *group, const cm_sig_info *info)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;
    cm_view pk = hex_or_empty(group, "publicKey");
    cm_err e;

    if (t_json_has(group, "privateSeed"))
        e = cm_sig_from_seed(&k, crypt_, info->id, t_json_hex(group, "privateSeed"));
    else
        e = cm_sig_from_expanded(&k, crypt_, info->id, t_json_hex(group, "privateKey"));
    T_CHECK(cm_ok(e) || cm_is(e, CM_CRYPT_BAD_KEY));
    if (cm_ok(e) && pk.n)
        T_CHECK(cm_view_eq(cm_sig_public(k), pk));
    T_JSON_EACH(test, t_json_get(group, "tests"))
    {
        t_case("tcId", t_json_num(test, "tcId"));
        if (t_sampled(t_json_num(test, "tcId")))
            mldsa_sign_case(test, k);
    }
}

static void mldsa_group(const cm_json_node *group, const cm_json_node *file)
{
    const cm_sig_info *info = sig_named(t_json_text(file, "algorithm"));

    if (!info)
        skip_group(group, "parameter set not offered");
    else if (text_is(group, "type", "MlDsaVerify"))
        mldsa_verify_group(group, info);
    else
        mldsa_sign_group(group, info);
}

/* ---- files ---------------------------------------------------------------------------------- */

static void group_of(const cm_json_node *group, const cm_json_node *file)
{
    cm_view type = t_json_text(group, "type");

    if (cm_view_eq(type, CM_LIT("EcdsaVerify")) || cm_view_eq(type, CM_LIT("EcdsaBitcoinVerify")) ||
        cm_view_eq(type, CM_LIT("EcdsaP1363Verify")))
        ecdsa_group(group);
    else if (cm_view_eq(type, CM_LIT("EddsaVerify")))
        eddsa_group(group);
    else if (cm_view_eq(type, CM_LIT("MlDsaVerify")) || cm_view_eq(type, CM_LIT("MlDsaSign")))
        mldsa_group(group, file);
    else
        skip_group(group, "kind of signature not known here");
}

static void file(const char *path)
{
    cm_json *j = t_json(path);
    const cm_json_node *root = cm_json_root(j);

    T_JSON_EACH(group, t_json_get(root, "testGroups"))
    group_of(group, root);
    cm_json_free(j);
}

static void run(void)
{
    static const char *const patterns[] = {"ecdsa_*.json", "ed*.json", "mldsa_*.json"};

    for (size_t i = 0; i < CM_COUNT(patterns); i++)
        t_each_file("pq/wycheproof", patterns[i], file);
}

int main(void)
{
    int rc;

    if (cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)))
        return 1;
    rc = t_vectors_main(run);
    cm_crypt_free(crypt_);
    return rc;
}
