/* Android: chains of attested keys. */
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <stdio.h>

#include "mint_int.h"

#define OID_ATTESTATION  "1.3.6.1.4.1.11129.2.1.17"
#define OID_PROVISIONING "1.3.6.1.4.1.11129.2.1.30"

enum {
    EC_ROOT = 1,
    STRONGBOX = 2,
    PROVISIONED = 4,
    MLDSA = 8,
    LONG_OVER = 16, /* a factory's certificates, all of them over */
    KEY_SEED = 32,
    LEAF_SERIAL = 1,
    SIGN = 2,
    OS_PATCH = 202609,
    DAY_PATCH = 20260901,
};

static void put_octets(cm_buf *b, cm_view v)
{
    size_t at = b->n;

    mint_put(b, v);
    mint_wrap(b, at, 0x04);
}

static void entry(cm_buf *b, unsigned number, uint64_t v)
{
    size_t at = b->n;

    mint_int(b, 0x02, v);
    mint_wrap(b, at, mint_context(number));
}

/* ---- the extension ------------------------------------------------------------------------- */

static void put_root(cm_buf *b, const mint *m)
{
    CM_AUTO(cm_buf_free) cm_buf key = {.max = MINT_MAX};
    size_t at = b->n;

    mint_label(&key, "boot key", 0, 32);
    put_octets(b, cm_buf_view(&key));
    mint_put(b, CM_LIT("\x01\x01"));
    mint_be(b, mint_bad(m, "debug") ? 0 : mint_bad(m, "odd-boolean") ? 1 : 0xff, 1);
    mint_int(b, 0x0a, mint_bad(m, "unverified") ? 2 : 0);
    put_octets(b, cm_buf_view(&m->measurement));
    mint_wrap(b, at, 0x30);
    mint_wrap(b, at, mint_context(704));
}

static void put_soft(cm_buf *b, const mint *m)
{
    size_t at = b->n, in;

    entry(b, 701, m->spec.at * 1000);
    if (mint_bad(m, "software-says"))
        put_root(b, m);
    in = b->n;
    put_octets(b, cm_buf_view(&m->config));
    mint_wrap(b, in, mint_context(709));
    mint_wrap(b, at, 0x30);
}

static void put_purposes(cm_buf *b, const mint *m)
{
    size_t at = b->n;

    mint_int(b, 0x02, SIGN);
    if (mint_bad(m, "other-purpose"))
        mint_int(b, 0x02, 7);
    mint_wrap(b, at, 0x31);
    mint_wrap(b, at, mint_context(1));
}

static void put_hard(cm_buf *b, const mint *m, unsigned variant)
{
    size_t at = b->n;

    put_purposes(b, m);
    if (mint_bad(m, "tag-twice"))
        put_purposes(b, m);
    entry(b, 2, variant & MLDSA ? 4 : 3);
    if (!(variant & MLDSA))
        entry(b, 3, 256);
    entry(b, variant & MLDSA ? 11 : 10, 1);
    entry(b, 702, mint_bad(m, "imported") ? 2 : 0);
    if (!mint_bad(m, "software-says"))
        put_root(b, m);
    if (mint_bad(m, "unordered")) {
        entry(b, 706, OS_PATCH);
        entry(b, 705, 160000);
    } else {
        entry(b, 705, 160000);
        entry(b, 706, OS_PATCH - (mint_bad(m, "old-tcb") ? 1 : 0));
    }
    entry(b, 718, DAY_PATCH - (mint_bad(m, "old-vendor") ? 1 : 0));
    entry(b, 719, DAY_PATCH - (mint_bad(m, "old-boot") ? 1 : 0));
    mint_wrap(b, at, 0x30);
}

static void put_description(cm_buf *b, const mint *m, unsigned variant)
{
    unsigned level = variant & STRONGBOX && !mint_bad(m, "only-tee") ? 2 : 1;
    unsigned version = mint_bad(m, "unknown-version") ? 600 : variant & MLDSA ? 500 : 300;

    if (mint_bad(m, "software"))
        level = 0;
    mint_int(b, 0x02, version);
    mint_int(b, 0x0a, level);
    mint_int(b, 0x02, version);
    mint_int(b, 0x0a, mint_bad(m, "mixed-levels") ? level ^ 3 : level);
    put_octets(b, cm_buf_view(&m->nonce));
    put_octets(b, CM_LIT(""));
    put_soft(b, m);
    put_hard(b, m, variant);
    mint_wrap(b, 0, 0x30);
    mint_zeros(b, mint_bad(m, "trailing"));
    if (mint_bad(m, "truncated"))
        b->n--;
}

/* ---- keys and certificates ----------------------------------------------------------------- */

static EVP_PKEY *mldsa_key(void)
{
    CM_AUTO(cm_buf_free) cm_buf seed = {.max = MINT_MAX};
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "ML-DSA-65", NULL);
    EVP_PKEY *key = NULL;
    OSSL_PARAM params[2] = {OSSL_PARAM_construct_end(), OSSL_PARAM_construct_end()};

    mint_label(&seed, "mldsa", 0, KEY_SEED);
    params[0] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_ML_DSA_SEED, seed.p, KEY_SEED);
    mint_must(ctx && EVP_PKEY_keygen_init(ctx) == 1 && EVP_PKEY_CTX_set_params(ctx, params) == 1 &&
                  EVP_PKEY_generate(ctx, &key) == 1,
              "ML-DSA");
    EVP_PKEY_CTX_free(ctx);
    return key;
}

enum { ROOT, ABOVE, BATCH, LEAF, BEYOND, CERTS };

typedef struct {
    X509 *x[CERTS];
    EVP_PKEY *key[CERTS];
    size_t n;
} chain;

static void keys_new(const mint *m, chain *c, unsigned variant)
{
    c->n = mint_bad(m, "extended") ? CERTS : BEYOND;
    c->key[ROOT] = mint_root_key(m, variant & EC_ROOT ? "p384:android-root" : "android-rsa");
    c->key[ABOVE] = mint_key("p384:android-ca");
    c->key[BATCH] = mint_key("p256:android-batch");
    c->key[LEAF] = variant & MLDSA ? mldsa_key() : mint_key("p256:android-key");
    c->key[BEYOND] = mint_key("p256:android-app");
}

static void dates(const mint *m, mint_cert *s, unsigned variant, size_t i)
{
    s->from = m->spec.at - 2ull * MINT_YEAR;
    s->to = m->spec.at + 10ull * MINT_YEAR;
    if (variant & LONG_OVER)
        s->to = m->spec.at - MINT_YEAR;
    if (i == BATCH && variant & PROVISIONED)
        mint_dates(m, s);
}

static void chain_new(const mint *m, chain *c, unsigned variant, cm_view description)
{
    static const char *const cn[] = {"root", "above", "batch", "Android Keystore Key", "beyond"};
    const mint_ext attested = {OID_ATTESTATION, description};
    const mint_ext provisioned = {OID_PROVISIONING, CM_LIT("\xa1\x01\x18\x40")};

    keys_new(m, c, variant);
    for (size_t i = 0; i < c->n; i++) {
        size_t by = i ? i - 1 : 0;
        mint_cert s = {.cn = cn[i],
                       .issuer = i ? c->x[by] : NULL,
                       .key = c->key[i],
                       .signer = c->key[i == LEAF && mint_bad(m, "bad-signature") ? BEYOND : by],
                       .serial = i == LEAF ? LEAF_SERIAL : 0xc0ffee00 + i,
                       .ca = i < LEAF || (i == LEAF && c->n > BEYOND)};

        dates(m, &s, variant, i);
        s.ext = i >= LEAF ? &attested : &provisioned;
        s.n_ext = i >= LEAF || (i == BATCH && variant & PROVISIONED);
        c->x[i] = mint_cert_new(&s);
    }
}

static void add_status(mint *m)
{
    static const char format[] =
        "{\"entries\":{\"%s\":{\"status\":\"%s\",\"reason\":\"KEY_COMPROMISE\"}}}\n";
    CM_AUTO(cm_buf_free) cm_buf b = {.max = MINT_MAX};
    char text[128];

    (void)snprintf(text, sizeof text, format,
                   mint_bad(m, "revoked") || mint_bad(m, "held") ? "c0ffee02" : "bad",
                   mint_bad(m, "held") ? "SUSPENDED" : "REVOKED");
    mint_text(&b, text);
    m->in.status_list = mint_keep(m, "status.json", &b);
}

static void expect(mint *m, unsigned variant)
{
    m->p.android.strongbox = (variant & STRONGBOX) != 0;
    m->p.android.purposes = 1u << SIGN;
    m->p.android.os_patch = OS_PATCH;
    m->p.android.vendor_patch = m->p.android.boot_patch = DAY_PATCH;
}

void mint_android(mint *m, unsigned variant)
{
    CM_AUTO(cm_buf_free) cm_buf description = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf pem = {.max = MINT_MAX};
    chain c = {0};

    put_description(&description, m, variant);
    chain_new(m, &c, variant, cm_buf_view(&description));
    for (size_t i = c.n; i-- > 0;)
        mint_pem(&pem, c.x[i]);
    m->in.evidence = mint_keep(m, "evidence.bin", &pem);
    add_status(m);
    expect(m, variant);
    for (size_t i = 0; i < CERTS; i++) {
        X509_free(c.x[i]);
        EVP_PKEY_free(c.key[i]);
    }
}
