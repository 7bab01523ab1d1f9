/* App Attest: an object that attests a key, and what this key signs. */
#include <string.h>

#include "codec/cbor.h"
#include "mint_int.h"

enum { DEVELOPMENT = 1, SEEN = 6, LEAF_SERIAL = 0x377 };
enum { ROOT, ABOVE, LEAF, CERTS };

static void ok(cm_err e)
{
    mint_must(cm_ok(e), "CBOR");
}

/* SHA-256 of the authenticator's data and of the client data's SHA-256. */
static void nonce_of(cm_buf *b, const mint *m, cm_view auth)
{
    CM_AUTO(cm_buf_free) cm_buf both = {.max = MINT_MAX};

    mint_put(&both, auth);
    mint_hash(&both, "SHA256", cm_buf_view(&m->nonce));
    mint_hash(b, "SHA256", cm_buf_view(&both));
}

static void key_id(cm_buf *b, EVP_PKEY *key)
{
    CM_AUTO(cm_buf_free) cm_buf point = {.max = MINT_MAX};

    mint_be(&point, 4, 1);
    mint_point(&point, key);
    mint_hash(b, "SHA256", cm_buf_view(&point));
}

/* The COSE key, as a relying party finds it: EC2 on P-256. */
static void put_cose(cm_buf *b, EVP_PKEY *key)
{
    CM_AUTO(cm_buf_free) cm_buf point = {.max = MINT_MAX};

    mint_point(&point, key);
    mint_put(b, CM_LIT("\xa5\x01\x02\x03\x26\x20\x01\x21"));
    ok(cm_cbor_put_bytes(b, cm_view_of(point.p, 32)));
    mint_be(b, 0x22, 1);
    ok(cm_cbor_put_bytes(b, cm_view_of(point.p + 32, 32)));
}

static void put_auth(cm_buf *b, const mint *m, EVP_PKEY *key, bool development)
{
    static const char production[16] = "appattest";

    mint_hash(b, "SHA256", cm_buf_view(&m->config));
    mint_be(b, 0x40, 1);
    mint_be(b, mint_bad(m, "used") ? 1 : 0, 4);
    mint_put(b, development || mint_bad(m, "debug") ? CM_LIT("appattestdevelop")
                                                    : CM_VIEW(production));
    mint_be(b, 32, 2);
    key_id(b, key);
    b->p[b->n - 1] ^= mint_bad(m, "other-key");
    put_cose(b, key);
}

/* ---- certificates -------------------------------------------------------------------------- */

static X509 *leaf_new(const mint *m, EVP_PKEY *key, const X509 *above, EVP_PKEY *above_key,
                      cm_view auth)
{
    CM_AUTO(cm_buf_free) cm_buf nonce = {.max = MINT_MAX};
    mint_ext ext = {.oid = "1.2.840.113635.100.8.2"};
    mint_cert s = {.cn = "credential",
                   .issuer = above,
                   .key = key,
                   .signer = above_key,
                   .serial = LEAF_SERIAL,
                   .ext = &ext,
                   .n_ext = !mint_bad(m, "missing-oid")};

    nonce_of(&nonce, m, auth);
    nonce.p[0] ^= mint_bad(m, "bad-signature");
    mint_wrap(&nonce, 0, 0x04);
    mint_wrap(&nonce, 0, 0xa1);
    mint_wrap(&nonce, 0, 0x30);
    ext.der = cm_buf_view(&nonce);
    mint_dates(m, &s);
    return mint_cert_new(&s);
}

static void add_lists(mint *m, X509 *const x[CERTS], EVP_PKEY *const key[CERTS])
{
    static const char *const file[] = {"root_crl.der", "above_crl.der"};
    uint64_t at = m->spec.at - (mint_bad(m, "stale-list") ? 60 * MINT_DAY : 0);

    for (size_t i = 0; i < LEAF; i++) {
        bool bad = i == ABOVE && (mint_bad(m, "revoked") || mint_bad(m, "held"));
        X509_CRL *crl = mint_crl_new(x[i], key[i], at, bad ? LEAF_SERIAL : 0xbad,
                                     mint_bad(m, "held") ? MINT_HELD : 0);

        mint_add_crl(m, file[i], crl);
        X509_CRL_free(crl);
    }
}

static void put_object(cm_buf *b, X509 *const x[CERTS], cm_view auth)
{
    ok(cm_cbor_put_map(b, 3));
    ok(cm_cbor_put_text(b, CM_LIT("fmt")));
    ok(cm_cbor_put_text(b, CM_LIT("apple-appattest")));
    ok(cm_cbor_put_text(b, CM_LIT("attStmt")));
    ok(cm_cbor_put_map(b, 2));
    ok(cm_cbor_put_text(b, CM_LIT("x5c")));
    ok(cm_cbor_put_array(b, 2));
    for (size_t i = LEAF; i >= ABOVE; i--) {
        CM_AUTO(cm_buf_free) cm_buf der = {.max = MINT_MAX};

        mint_der(&der, x[i]);
        ok(cm_cbor_put_bytes(b, cm_buf_view(&der)));
    }
    ok(cm_cbor_put_text(b, CM_LIT("receipt")));
    ok(cm_cbor_put_bytes(b, CM_LIT("receipt")));
    ok(cm_cbor_put_text(b, CM_LIT("authData")));
    ok(cm_cbor_put_bytes(b, auth));
}

void mint_apple(mint *m, unsigned variant)
{
    CM_AUTO(cm_buf_free) cm_buf auth = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf b = {.max = MINT_MAX};
    EVP_PKEY *key[CERTS] = {mint_root_key(m, "p384:apple-root"), mint_key("p384:apple-ca"),
                            mint_key("p256:app")};
    mint_cert s = {.cn = "App Attestation Root CA",
                   .key = key[ROOT],
                   .serial = 0x300,
                   .from = m->spec.at - MINT_YEAR,
                   .to = m->spec.at + 10ull * MINT_YEAR,
                   .ca = true};
    X509 *x[CERTS];

    put_auth(&auth, m, key[LEAF], variant & DEVELOPMENT);
    x[ROOT] = mint_cert_new(&s);
    s.cn = "App Attestation CA 1";
    s.issuer = x[ROOT];
    s.signer = key[ROOT];
    s.key = key[ABOVE];
    s.serial++;
    x[ABOVE] = mint_cert_new(&s);
    x[LEAF] = leaf_new(m, key[LEAF], x[ABOVE], key[ABOVE], cm_buf_view(&auth));
    put_object(&b, x, cm_buf_view(&auth));
    m->in.evidence = mint_keep(m, "evidence.bin", &b);
    add_lists(m, x, key);
    m->chip.n = 0;
    key_id(&m->chip, key[LEAF]);
    m->one_chip = cm_buf_view(&m->chip);
    m->p.chips = &m->one_chip;
    m->p.n_chips = 1;
    if (variant & DEVELOPMENT)
        m->p.flags |= CM_ATTEST_ALLOW_DEBUG;
    for (size_t i = 0; i < CERTS; i++) {
        X509_free(x[i]);
        EVP_PKEY_free(key[i]);
    }
}

/* ---- assertions ---------------------------------------------------------------------------- */

void mint_assertion(mint *m, unsigned variant)
{
    CM_AUTO(cm_buf_free) cm_buf auth = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf nonce = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf sig = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf b = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf spki = {.max = MINT_MAX};
    EVP_PKEY *key = mint_key("p256:app"), *other = mint_key("p256:other-app");

    (void)variant;
    mint_hash(&auth, "SHA256", cm_buf_view(&m->config));
    mint_be(&auth, 0x40, 1);
    mint_be(&auth, mint_bad(m, "used") ? SEEN : SEEN + 1, 4);
    nonce_of(&nonce, m, cm_buf_view(&auth));
    mint_ecdsa_der(&sig, mint_bad(m, "other-key") ? other : key, "SHA256", cm_buf_view(&nonce));
    sig.p[sig.n - 1] ^= mint_bad(m, "bad-signature");
    ok(cm_cbor_put_map(&b, 2));
    ok(cm_cbor_put_text(&b, CM_LIT("signature")));
    ok(cm_cbor_put_bytes(&b, cm_buf_view(&sig)));
    ok(cm_cbor_put_text(&b, CM_LIT("authenticatorData")));
    ok(cm_cbor_put_bytes(&b, cm_buf_view(&auth)));
    m->in.evidence = mint_keep(m, "evidence.bin", &b);
    mint_spki(&spki, key);
    m->p.apple.key = mint_keep(m, "key.der", &spki);
    m->p.apple.counter = SEEN;
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}
