/* AEAD, key wrap, MACs and HKDF against C2SP Wycheproof. */
#include <stdio.h>
#include <stdlib.h>

#include "crypt/aead.h"
#include "vectors_json.h"

enum { OUT_MAX = 1 << 16 };

static cm_crypt *crypt_;

static void verdict(const cm_json_node *test, bool accepted)
{
    if (t_json_is(test, "result", "valid"))
        T_CHECK(accepted);
    else if (t_json_is(test, "result", "invalid"))
        T_CHECK(!accepted);
    t_ran();
}

static void skip_group(const cm_json_node *group, const char *why)
{
    T_JSON_EACH(test, t_json_get(group, "tests"))
    t_skip(why);
}

static cm_key32 key_of(const cm_json_node *test)
{
    cm_view v = t_json_hex(test, "key");
    cm_key32 k = {{0}};

    if (T_CHECK(v.n == sizeof k.b))
        memcpy(k.b, v.p, sizeof k.b);
    return k;
}

/* ---- AEAD ----------------------------------------------------------------------------------- */

static void aead_case(const cm_json_node *test)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;
    cm_key32 key = key_of(test);
    cm_view iv = t_json_hex(test, "iv"), aad = t_json_hex(test, "aad");
    cm_view msg = t_json_hex(test, "msg"), ct = t_json_hex(test, "ct");
    cm_view want = t_json_hex(test, "tag");
    uint8_t out[OUT_MAX], tag[CM_GCM_TAG];
    cm_err e;

    if (!T_CHECK(msg.n <= sizeof out && ct.n <= sizeof out && want.n == sizeof tag))
        return;
    T_CHECK(cm_ok(cm_gcm_new(&g, crypt_, &key)));
    e = cm_gcm_open(g, out, want.p, iv.p, aad, ct);
    T_CHECK(cm_ok(e) || cm_is(e, CM_CRYPT_TAG));
    if (cm_ok(e))
        T_CHECK(cm_view_eq(cm_view_of(out, ct.n), msg));
    verdict(test, cm_ok(e));
    if (cm_ok(e)) {
        T_CHECK(cm_ok(cm_gcm_seal(g, out, tag, iv.p, aad, msg)));
        T_CHECK(cm_view_eq(cm_view_of(out, msg.n), ct));
        T_CHECK(cm_view_eq(CM_VIEW(tag), want));
    }
}

static void aead_group(const cm_json_node *group, cm_view algorithm)
{
    if (!cm_view_eq(algorithm, CM_LIT("AES-GCM"))) {
        skip_group(group, "AEAD not offered here");
        return;
    }
    if (t_json_num(group, "keySize") != 256 || t_json_num(group, "ivSize") != 96 ||
        t_json_num(group, "tagSize") != 128) {
        skip_group(group, "only 256-bit keys, 96-bit nonces and whole tags are offered");
        return;
    }
    T_JSON_EACH(test, t_json_get(group, "tests"))
    {
        t_case("tcId", t_json_num(test, "tcId"));
        aead_case(test);
    }
}

/* ---- key wrap ------------------------------------------------------------------------------- */

static void kwp_case(const cm_json_node *test)
{
    CM_AUTO(cm_buf_free) cm_buf wrapped = {.max = OUT_MAX};
    CM_AUTO(cm_buf_free) cm_buf key = {.max = OUT_MAX};
    cm_key32 kek = key_of(test);
    cm_view msg = t_json_hex(test, "msg"), ct = t_json_hex(test, "ct");
    bool opened = cm_ok(cm_kwp_unwrap(crypt_, &key, &kek, ct));

    T_CHECK(opened || key.n == 0);
    if (opened) {
        T_CHECK(cm_view_eq(cm_buf_view(&key), msg));
        T_CHECK(cm_ok(cm_kwp_wrap(crypt_, &wrapped, &kek, msg)));
        T_CHECK(cm_view_eq(cm_buf_view(&wrapped), ct));
    }
    verdict(test, opened);
}

static void wrap_group(const cm_json_node *group, cm_view algorithm)
{
    if (!cm_view_eq(algorithm, CM_LIT("AES-KWP")) || t_json_num(group, "keySize") != 256) {
        skip_group(group, "only AES-256-KWP is offered");
        return;
    }
    T_JSON_EACH(test, t_json_get(group, "tests"))
    {
        t_case("tcId", t_json_num(test, "tcId"));
        kwp_case(test);
    }
}

/* ---- MACs and HKDF -------------------------------------------------------------------------- */

static bool hash_named(cm_hash *out, cm_view algorithm, const char *prefix)
{
    static const struct {
        const char *name;
        cm_hash hash;
    } all[] = {
        {"SHA256", CM_SHA256},     {"SHA384", CM_SHA384},     {"SHA512", CM_SHA512},
        {"SHA-256", CM_SHA256},    {"SHA-384", CM_SHA384},    {"SHA-512", CM_SHA512},
        {"SHA3-256", CM_SHA3_256}, {"SHA3-384", CM_SHA3_384}, {"SHA3-512", CM_SHA3_512},
    };
    size_t n = strlen(prefix);

    if (algorithm.n < n || memcmp(algorithm.p, prefix, n) != 0)
        return false;
    for (size_t i = 0; i < CM_COUNT(all); i++)
        if (cm_view_eq(cm_view_sub(algorithm, n, algorithm.n - n), cm_view_str(all[i].name))) {
            *out = all[i].hash;
            return true;
        }
    return false;
}

static void mac_case(const cm_json_node *test, bool kmac, cm_hash h, size_t tag_size)
{
    cm_view key = t_json_hex(test, "key"), msg = t_json_hex(test, "msg");
    uint8_t out[OUT_MAX];

    if (kmac)
        T_CHECK(cm_ok(cm_kmac256(crypt_, out, tag_size, key, CM_LIT(""), msg)));
    else
        T_CHECK(cm_ok(cm_hmac(crypt_, h, out, key, msg)));
    verdict(test, cm_view_eq(cm_view_of(out, tag_size), t_json_hex(test, "tag")));
}

static void mac_group(const cm_json_node *group, cm_view algorithm)
{
    bool kmac = cm_view_eq(algorithm, CM_LIT("KMAC256"));
    cm_hash h = CM_SHA256;

    if (!kmac && !hash_named(&h, algorithm, "HMAC")) {
        skip_group(group, "MAC not offered");
        return;
    }
    T_JSON_EACH(test, t_json_get(group, "tests"))
    {
        t_case("tcId", t_json_num(test, "tcId"));
        mac_case(test, kmac, h, t_json_num(group, "tagSize") / 8);
    }
}

static void hkdf_case(const cm_json_node *test, cm_hash h)
{
    uint8_t prk[CM_HASH_MAX], out[OUT_MAX];
    size_t n = t_json_num(test, "size");
    cm_err e;

    T_CHECK(n <= sizeof out);
    T_CHECK(
        cm_ok(cm_hkdf_extract(crypt_, h, prk, t_json_hex(test, "salt"), t_json_hex(test, "ikm"))));
    e = cm_hkdf_expand(crypt_, h, out, n, cm_view_of(prk, cm_hash_size(h)),
                       t_json_hex(test, "info"));
    if (cm_ok(e))
        T_CHECK(cm_view_eq(cm_view_of(out, n), t_json_hex(test, "okm")));
    verdict(test, cm_ok(e));
}

static void hkdf_group(const cm_json_node *group, cm_view algorithm)
{
    cm_hash h;

    if (!hash_named(&h, algorithm, "HKDF-")) {
        skip_group(group, "hash not offered");
        return;
    }
    T_JSON_EACH(test, t_json_get(group, "tests"))
    {
        t_case("tcId", t_json_num(test, "tcId"));
        hkdf_case(test, h);
    }
}

/* ---- files ---------------------------------------------------------------------------------- */

static void group_of(const cm_json_node *group, cm_view algorithm)
{
    if (t_json_is(group, "type", "AeadTest"))
        aead_group(group, algorithm);
    else if (t_json_is(group, "type", "KeywrapTest"))
        wrap_group(group, algorithm);
    else if (t_json_is(group, "type", "MacTest"))
        mac_group(group, algorithm);
    else if (t_json_is(group, "type", "HkdfTest"))
        hkdf_group(group, algorithm);
    else
        skip_group(group, "kind of test not known here");
}

static void file(const char *path)
{
    cm_json *j = t_json(path);
    const cm_json_node *root = cm_json_root(j);

    T_JSON_EACH(group, t_json_get(root, "testGroups"))
    group_of(group, t_json_text(root, "algorithm"));
    cm_json_free(j);
}

static void run(void)
{
    static const char *const patterns[] = {"aes_*.json", "chacha20_*.json", "hkdf_*.json",
                                           "hmac_*.json", "kmac*.json"};

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
