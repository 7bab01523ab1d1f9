/* Quotes of TPMs whose attestation key its maker certified, or that the policy names. */
#include <string.h>

#include "mint_int.h"

enum {
    LISTED = 1,
    REGISTERS = 4,
    SIZE = 32,
    HASH = 0x0b,
    ECDSA = 0x18,
    /* fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, restricted, sign */
    ATTRIBUTES = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 16 | 1 << 18,
    RESETS = 7,
    LEAF_SERIAL = 0x410,
};

static void sized(cm_buf *b, cm_view v)
{
    mint_be(b, v.n, 2);
    mint_put(b, v);
}

static void put_public(cm_buf *b, const mint *m, EVP_PKEY *key)
{
    CM_AUTO(cm_buf_free) cm_buf area = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf point = {.max = MINT_MAX};
    uint32_t attributes = ATTRIBUTES;

    if (mint_bad(m, "unrestricted"))
        attributes &= ~(1u << 16);
    if (mint_bad(m, "exportable"))
        attributes &= ~(1u << 1);
    mint_point(&point, key);
    mint_be(&area, 0x23, 2); /* ECC */
    mint_be(&area, HASH, 2);
    mint_be(&area, attributes, 4);
    mint_be(&area, 0, 2);
    mint_be(&area, 0x10, 2); /* no symmetric algorithm */
    mint_be(&area, ECDSA, 2);
    mint_be(&area, HASH, 2);
    mint_be(&area, 3, 2); /* P-256 */
    mint_be(&area, 0x10, 2);
    sized(&area, cm_view_of(point.p, SIZE));
    sized(&area, cm_view_of(point.p + SIZE, SIZE));
    sized(b, cm_buf_view(&area));
}

static void put_name(cm_buf *b, const cm_buf *public)
{
    mint_be(b, HASH, 2);
    mint_hash(b, "SHA256", cm_view_of(public->p + 2, public->n - 2));
}

static void put_quote(cm_buf *b, const mint *m, cm_view name, cm_view digest)
{
    mint_put(b, mint_bad(m, "no-quote") ? CM_LIT("\xff\x54\x43\x47\x80\x17")
                                        : CM_LIT("\xff\x54\x43\x47\x80\x18"));
    sized(b, name);
    sized(b, cm_buf_view(&m->nonce));
    mint_be(b, 123456, 8);
    mint_be(b, RESETS + (mint_bad(m, "restarted") ? 1 : 0), 4);
    mint_be(b, 0, 4);
    mint_be(b, 1, 1);
    mint_be(b, 0x20240101, 8);
    mint_be(b, 1, 4);
    mint_be(b, HASH, 2);
    mint_be(b, 3, 1);
    mint_be(b, mint_bad(m, "fewer-registers") ? 0x070000 : 0x0f0000, 3);
    sized(b, digest);
}

/* The values one behind the other, and the log that leads to them. */
static void put_values(cm_buf *b, cm_buf *log, const mint *m, cm_view code)
{
    const mint_log_spec s = {HASH, "SHA256", SIZE, 0, REGISTERS, code};
    uint8_t reg[REGISTERS][MINT_REGISTER];

    mint_log(log, reg, &s);
    for (size_t i = 0; i < REGISTERS - (mint_bad(m, "fewer-registers") ? 1u : 0u); i++) {
        if (i == 1 && mint_bad(m, "other-events"))
            reg[i][0] ^= 1;
        mint_put(b, cm_view_of(reg[i], SIZE));
    }
}

static void put_signature(cm_buf *b, const mint *m, EVP_PKEY *key, cm_view quote)
{
    CM_AUTO(cm_buf_free) cm_buf sig = {.max = MINT_MAX};

    mint_ecdsa(&sig, key, "SHA256", quote, SIZE, false);
    sig.p[0] ^= mint_bad(m, "bad-signature");
    mint_be(b, ECDSA, 2);
    mint_be(b, HASH, 2);
    sized(b, cm_view_of(sig.p, SIZE));
    sized(b, cm_view_of(sig.p + SIZE, SIZE));
}

static void add_chain(mint *m, EVP_PKEY *ak)
{
    EVP_PKEY *root = mint_root_key(m, "p384:tpm-root");
    uint64_t at = m->spec.at - (mint_bad(m, "stale-list") ? 60 * MINT_DAY : 0);
    bool bad = mint_bad(m, "revoked") || mint_bad(m, "held");
    mint_cert s = {.cn = "TPM root",
                   .key = root,
                   .serial = 0x400,
                   .from = m->spec.at - MINT_YEAR,
                   .to = m->spec.at + 10ull * MINT_YEAR,
                   .ca = true};
    X509 *x_root = mint_cert_new(&s), *leaf;
    X509_CRL *crl = mint_crl_new(x_root, root, at, bad ? LEAF_SERIAL : 0xbad,
                                 mint_bad(m, "held") ? MINT_HELD : 0);

    s = (mint_cert){.cn = "attestation key",
                    .issuer = x_root,
                    .key = ak,
                    .signer = root,
                    .serial = LEAF_SERIAL};
    mint_dates(m, &s);
    leaf = mint_cert_new(&s);
    if (!mint_bad(m, "no-certificate"))
        mint_add_cert(m, "ak.der", leaf);
    mint_add_cert(m, "root.der", x_root);
    mint_add_crl(m, "crl.der", crl);
    X509_CRL_free(crl);
    X509_free(x_root);
    X509_free(leaf);
    EVP_PKEY_free(root);
}

static void list_key(mint *m, const cm_buf *name)
{
    m->chip.n = 0;
    mint_put(&m->chip, cm_buf_view(name));
    m->chip.p[m->chip.n - 1] ^= mint_bad(m, "unlisted");
    m->one_chip = cm_buf_view(&m->chip);
    m->p.chips = &m->one_chip;
    m->p.n_chips = 1;
    m->skips = CM_CHECK_BIT(REVOCATION);
}

static void expect(mint *m)
{
    CM_AUTO(cm_buf_free) cm_buf values = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf log = {.max = MINT_MAX};
    const mint plain = {.spec = {.defect = NULL}};

    put_values(&values, &log, &plain, cm_buf_view(&m->want_measurement));
    m->want_measurement.n = 0;
    mint_hash(&m->want_measurement, "SHA256", cm_buf_view(&values));
    m->one_measurement = cm_buf_view(&m->want_measurement);
    m->p.config = cm_view_of(NULL, 0); /* a quote has none */
    m->p.tpm.pcrs = 0xf;
    m->p.tpm.has_boot = true;
    m->p.tpm.resets = RESETS;
}

void mint_tpm(mint *m, unsigned variant)
{
    CM_AUTO(cm_buf_free) cm_buf ak = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf name = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf quote = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf sig = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf values = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf log = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf digest = {.max = MINT_MAX};
    EVP_PKEY *key = mint_key("p256:ak");

    put_public(&ak, m, key);
    put_name(&name, &ak);
    put_values(&values, &log, m, cm_buf_view(&m->measurement));
    mint_hash(&digest, "SHA256", cm_buf_view(&values));
    put_quote(&quote, m, cm_buf_view(&name), cm_buf_view(&digest));
    put_signature(&sig, m, key, cm_buf_view(&quote));
    values.p[0] ^= mint_bad(m, "other-values");
    values.n -= mint_bad(m, "fewer-values") ? SIZE : 0;
    m->in.evidence = mint_keep(m, "evidence.bin", &quote);
    m->in.part[CM_PART_SIGNATURE] = mint_keep(m, "signature.bin", &sig);
    m->in.part[CM_PART_AK] = mint_keep(m, "ak.bin", &ak);
    m->in.part[CM_PART_PCRS] = mint_keep(m, "pcrs.bin", &values);
    m->in.event_log = mint_keep(m, "log.bin", &log);
    if (variant & LISTED) {
        list_key(m, &name);
    } else {
        add_chain(m, key);
        m->skips = CM_CHECK_BIT(CHIP);
    }
    expect(m);
    EVP_PKEY_free(key);
}
