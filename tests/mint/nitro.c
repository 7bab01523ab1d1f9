/* Documents of Nitro enclaves. */
#include <stdio.h>
#include <string.h>

#include "codec/cbor.h"
#include "mint_int.h"

enum {
    INDEFINITE = 1,
    TAGGED = 2,
    PCRS = 16,
    PCR = 48,
    HALF = 48,
    CAS = 4, /* root, region, zone, instance */
    AGE = 60,
    DATA_MAX = 512,
    KEY_MAX = 1024,
};

static void ok(cm_err e)
{
    mint_must(cm_ok(e), "CBOR");
}

static void bytes(cm_buf *b, const char *key, cm_view v)
{
    ok(cm_cbor_put_text(b, cm_view_str(key)));
    ok(cm_cbor_put_bytes(b, v));
}

/* ---- certificates -------------------------------------------------------------------------- */

typedef struct {
    X509 *x[CAS + 1];
    EVP_PKEY *key[CAS + 1];
} chain;

static const char *leaf_key(const mint *m)
{
    return mint_bad(m, "p256-leaf")   ? "p256:nitro"
           : mint_bad(m, "p521-leaf") ? "p521:nitro"
                                      : "p384:nitro";
}

static void chain_new(const mint *m, chain *c)
{
    static const char *const key[] = {"p384:aws-root", "p384:region", "p384:zone", "p384:instance"};
    static const char *const cn[] = {"aws.nitro-enclaves", "region.aws.nitro-enclaves",
                                     "zone.aws.nitro-enclaves", "instance.aws.nitro-enclaves",
                                     "enclave.aws.nitro-enclaves"};
    mint_cert s = {.from = m->spec.at - MINT_YEAR, .to = m->spec.at + MINT_YEAR, .ca = true};

    for (size_t i = 0; i <= CAS; i++) {
        c->key[i] = i == 0    ? mint_root_key(m, key[0])
                    : i < CAS ? mint_key(key[i])
                              : mint_key(leaf_key(m));
        s.cn = cn[i];
        s.issuer = i ? c->x[i - 1] : NULL;
        s.key = c->key[i];
        s.signer = c->key[i ? i - 1 : 0];
        s.serial = 0x100 + i;
        s.ca = i < CAS && !(i == CAS - 1 && mint_bad(m, "no-ca"));
        if (i == CAS)
            mint_dates(m, &s);
        c->x[i] = mint_cert_new(&s);
    }
}

static void add_lists(mint *m, const chain *c)
{
    uint64_t at = m->spec.at - (mint_bad(m, "stale-list") ? 60 * MINT_DAY : 0);

    for (size_t i = 0; i < CAS; i++) {
        bool bad = i == CAS - 1 && (mint_bad(m, "revoked") || mint_bad(m, "held"));
        X509_CRL *crl = mint_crl_new(c->x[i], c->key[i], at, bad ? 0x100 + CAS : 0xbad,
                                     mint_bad(m, "held") ? MINT_HELD : 0);
        char name[MINT_NAME];

        (void)snprintf(name, sizeof name, "crl-%zu.der", i);
        mint_add_crl(m, name, crl);
        X509_CRL_free(crl);
    }
}

/* ---- the document -------------------------------------------------------------------------- */

static void put_pcrs(cm_buf *b, const mint *m)
{
    bool debug = mint_bad(m, "debug");

    ok(cm_cbor_put_text(b, CM_LIT("pcrs")));
    ok(cm_cbor_put_map(b, PCRS));
    for (uint64_t i = 0; i < PCRS; i++) {
        CM_AUTO(cm_buf_free) cm_buf v = {.max = MINT_MAX};

        if (i == 0 && !debug)
            mint_put(&v, cm_buf_view(&m->measurement));
        else if (i < 5 && !(debug && i < 3))
            mint_label(&v, "pcr", i, PCR);
        mint_field(&v, cm_view_of(NULL, 0), PCR - v.n);
        ok(cm_cbor_put_uint(b, i));
        ok(cm_cbor_put_bytes(b, cm_buf_view(&v)));
    }
}

static void put_certificates(cm_buf *b, const chain *c)
{
    CM_AUTO(cm_buf_free) cm_buf leaf = {.max = MINT_MAX};

    mint_der(&leaf, c->x[CAS]);
    bytes(b, "certificate", cm_buf_view(&leaf));
    ok(cm_cbor_put_text(b, CM_LIT("cabundle")));
    ok(cm_cbor_put_array(b, CAS));
    for (size_t i = 0; i < CAS; i++) {
        CM_AUTO(cm_buf_free) cm_buf der = {.max = MINT_MAX};

        mint_der(&der, c->x[i]);
        ok(cm_cbor_put_bytes(b, cm_buf_view(&der)));
    }
}

static void put_asked(cm_buf *b, const mint *m)
{
    CM_AUTO(cm_buf_free) cm_buf key = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf nonce = {.max = MINT_MAX};

    mint_zeros(&key, mint_bad(m, "long-key") ? KEY_MAX + 1 : 32);
    mint_put(&nonce, cm_buf_view(&m->nonce));
    if (mint_bad(m, "long-nonce"))
        mint_zeros(&nonce, DATA_MAX + 1 - nonce.n);
    bytes(b, "public_key", cm_buf_view(&key));
    bytes(b, "user_data", cm_buf_view(&m->config));
    bytes(b, mint_bad(m, "key-twice") ? "user_data" : "nonce", cm_buf_view(&nonce));
}

static void put_payload(cm_buf *b, const mint *m, const chain *c, bool indefinite)
{
    uint64_t made =
        m->spec.at - (mint_bad(m, "old") ? 2 * AGE : 1) + (mint_bad(m, "future") ? 900 : 0);

    if (indefinite)
        mint_be(b, 0xbf, 1);
    else
        ok(cm_cbor_put_map(b, 9));
    ok(cm_cbor_put_text(b, CM_LIT("module_id")));
    ok(cm_cbor_put_text(b, CM_LIT("i-0123456789abcdef0-enc0123456789abcdef")));
    ok(cm_cbor_put_text(b, CM_LIT("digest")));
    ok(cm_cbor_put_text(b, mint_bad(m, "wrong-digest") ? CM_LIT("SHA256") : CM_LIT("SHA384")));
    ok(cm_cbor_put_text(b, CM_LIT("timestamp")));
    ok(cm_cbor_put_uint(b, made * 1000));
    put_pcrs(b, m);
    put_certificates(b, c);
    put_asked(b, m);
    if (indefinite)
        mint_be(b, 0xff, 1);
}

static void sign(cm_buf *sig, const mint *m, EVP_PKEY *key, cm_view head, cm_view payload)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = MINT_MAX};

    ok(cm_cbor_put_array(&b, 4));
    ok(cm_cbor_put_text(&b, CM_LIT("Signature1")));
    ok(cm_cbor_put_bytes(&b, head));
    ok(cm_cbor_put_bytes(&b, CM_LIT("")));
    ok(cm_cbor_put_bytes(&b, payload));
    mint_ecdsa(sig, key, "SHA384", cm_buf_view(&b), EVP_PKEY_get_bits(key) > 384 ? 66 : HALF,
               false);
    sig->n = CM_MIN(sig->n, (size_t)2 * HALF);
    if (mint_bad(m, "bad-signature"))
        sig->p[HALF] ^= 1;
}

static void put_document(cm_buf *b, const mint *m, const chain *c, unsigned variant)
{
    static const uint8_t es384[] = {0xa1, 0x01, 0x38, 0x22}, es256[] = {0xa1, 0x01, 0x26};
    cm_view head = mint_bad(m, "wrong-algorithm") ? CM_VIEW(es256) : CM_VIEW(es384);
    CM_AUTO(cm_buf_free) cm_buf payload = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf sig = {.max = MINT_MAX};

    put_payload(&payload, m, c, variant & INDEFINITE);
    sign(&sig, m, c->key[CAS], head, cm_buf_view(&payload));
    if (variant & TAGGED)
        mint_be(b, 0xd2, 1);
    ok(cm_cbor_put_array(b, 4));
    ok(cm_cbor_put_bytes(b, head));
    ok(cm_cbor_put_map(b, 0));
    ok(cm_cbor_put_bytes(b, cm_buf_view(&payload)));
    ok(cm_cbor_put_bytes(b, cm_buf_view(&sig)));
}

void mint_nitro(mint *m, unsigned variant)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = MINT_MAX};
    chain c = {0};

    chain_new(m, &c);
    put_document(&b, m, &c, variant);
    m->in.evidence = mint_keep(m, "evidence.bin", &b);
    add_lists(m, &c);
    m->p.max_age = AGE;
    for (size_t i = 0; i <= CAS; i++) {
        X509_free(c.x[i]);
        EVP_PKEY_free(c.key[i]);
    }
}
