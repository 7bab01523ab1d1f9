/*
 * The helpers of base/ct.h and what the facades wrap around the provider: no branch and no address
 * may depend on a key, a message or a scalar. Keys are public by now where a comment says so.
 */
#include <stdio.h>

#include "base/ct.h"
#include "crypt/aead.h"
#include "crypt/rsa.h"
#include "crypt/secp_int.h"
#include "crypt/sig_int.h"

static cm_crypt *crypt_;
static int failed;

static void must(const char *what, bool holds)
{
    if (!holds) {
        (void)printf("%s failed\n", what);
        failed = 1;
    }
}

/* Equal and different secrets take the same path up to the answer. */
static void helpers(void)
{
    uint8_t a[48] = {1}, b[48] = {1}, c[48] = {2}, out[48];
    uint32_t secret = 5, mask;

    CM_SECRET(a, sizeof a);
    CM_SECRET(b, sizeof b);
    CM_SECRET(c, sizeof c);
    CM_SECRET(&secret, sizeof secret);
    must("equal", cm_ct_equal(CM_VIEW(a), CM_VIEW(b)));
    must("different", !cm_ct_equal(CM_VIEW(a), CM_VIEW(c)));
    mask = cm_ct_mask(secret);
    cm_ct_select(out, mask, a, c, sizeof out);
    CM_DECLASSIFY(out, sizeof out); /* the test's own look at it */
    must("select first", out[0] == 1);
    cm_ct_select(out, ~mask, a, c, sizeof out);
    CM_DECLASSIFY(out, sizeof out);
    must("select second", out[0] == 2);
}

static void scalar(const uint8_t *order, size_t n)
{
    uint8_t s[48];

    memcpy(s, order, n);
    CM_SECRET(s, sizeof s);
    must("the order", !cm_sig_scalar_ok(s, order, n));
    s[n - 1]--;
    must("below the order", cm_sig_scalar_ok(s, order, n));
    memset(s, 0, sizeof s);
    CM_SECRET(s, sizeof s);
    must("zero", !cm_sig_scalar_ok(s, order, n));
}

static void scalars(void)
{
    scalar(cm_sig_alg_of(CM_SIG_P256)->order, 32);
    scalar(cm_sig_alg_of(CM_SIG_P384)->order, 48);
}

static void symmetric(void)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;
    cm_key32 key = {{3}};
    uint8_t text[100] = {4}, tag[CM_GCM_TAG], out[64], nonce[CM_GCM_NONCE] = {0};

    CM_SECRET(&key, sizeof key);
    CM_SECRET(text, sizeof text);
    must("cipher", cm_ok(cm_gcm_new(&g, crypt_, &key)));
    must("seal", cm_ok(cm_gcm_seal(g, text, tag, nonce, CM_LIT("aad"), CM_VIEW(text))));
    CM_DECLASSIFY(text, sizeof text); /* sent */
    CM_DECLASSIFY(tag, sizeof tag);
    must("open", cm_ok(cm_gcm_open(g, text, tag, nonce, CM_LIT("aad"), CM_VIEW(text))));
    CM_SECRET(text, sizeof text);
    must("hash", cm_ok(cm_hash_once(crypt_, CM_SHA256, out, CM_VIEW(text))));
    must("keccak", cm_ok(cm_hash_once(crypt_, CM_KECCAK256, out, CM_VIEW(text))));
    must("hmac", cm_ok(cm_hmac(crypt_, CM_SHA256, out, cm_view_of(key.b, 32), CM_VIEW(text))));
    must("kmac",
         cm_ok(cm_kmac256(crypt_, out, 64, cm_view_of(key.b, 32), CM_LIT("c"), CM_VIEW(text))));
    must("extract",
         cm_ok(cm_hkdf_extract(crypt_, CM_SHA512, out, cm_view_of(key.b, 32), CM_VIEW(text))));
    must("expand",
         cm_ok(cm_hkdf_expand(crypt_, CM_SHA384, out, 48, cm_view_of(key.b, 32), CM_LIT("info"))));
}

/* A secret message on its way into a statement, and a secret key under the provider's Ed25519. The
 * facade's own check of the signature works on public bytes and is left out. */
static void statements(void)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;
    CM_AUTO(cm_buf_free) cm_buf statement = {0};
    uint8_t seed[32] = {5}, text[64] = {6}, sig[64];
    size_t n = sizeof sig;

    CM_SECRET(seed, sizeof seed);
    CM_SECRET(text, sizeof text);
    must("key", cm_ok(cm_sig_from_seed(&k, crypt_, CM_SIG_ED25519, CM_VIEW(seed))));
    must("statement", cm_ok(cm_sig_statement(&statement, k, CM_LIT("ctx"), CM_VIEW(text))));
    must("sign", cm_ok(cm_sig_evp_sign(k, sig, &n, cm_buf_view(&statement), NULL)));
}

/* What raw RSA gave, which is no good padding here: that must not show. */
static void oaep(void)
{
    CM_AUTO(cm_key32_wipe) cm_key32 key = {{0}};
    uint8_t block[256] = {7};

    CM_SECRET(block, sizeof block);
    must("unpad", cm_ok(cm_rsa_oaep_unpad(crypt_, &key, CM_VIEW(block))));
}

static cm_p256_num number(const uint8_t b[32])
{
    return (cm_p256_num){
        {cm_get_be64(b + 24), cm_get_be64(b + 16), cm_get_be64(b + 8), cm_get_be64(b)}};
}

/* secp256k1 around its kernel, with the nonce's point from the library. */
static void secp(void)
{
    uint8_t nonce[32] = {7}, key[32] = {8}, point[65], sig[64], recid;
    cm_secp_parts p = {.digest = {{9}}, .sum = {{{0}}, {{0}}, {{1}}}};
    secp256k1_pubkey public;
    size_t n = sizeof point;
    cm_p256_num bits;

    must("point", secp256k1_ec_pubkey_create(crypt_->secp, &public, nonce) == 1 &&
                      secp256k1_ec_pubkey_serialize(crypt_->secp, point, &n, &public,
                                                    SECP256K1_EC_UNCOMPRESSED) == 1);
    p.k = number(nonce);
    p.key = number(key);
    p.sum[0] = number(point + 1);
    p.sum[1] = number(point + 33);
    CM_SECRET(&p, sizeof p);
    bits = cm_secp_bits(&p.k);
    CM_DECLASSIFY(&bits, sizeof bits); /* the test's own look at it */
    must("bits", bits.v[3] >> 52 == 0x38);
    must("finish", cm_secp_finish(sig, &recid, &p));
}

int main(void)
{
    if (cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)))
        return 1;
    helpers();
    scalars();
    symmetric();
    statements();
    oaep();
    secp();
    cm_crypt_free(crypt_);
    return failed;
}
