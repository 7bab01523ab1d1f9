/* Reports of AMD's processors, with the certificates of chip or provider and AMD's list. */
#include <string.h>

#include "mint_int.h"

#define AMD "1.3.6.1.4.1.3704.1."

enum {
    VLEK = 0x100, /* of a variant, beside version and product */
    PRODUCT_AT = 4,
    TCB = 8,
    FIXED = 48, /* bytes of a number in its field */
    FIELD = 72,
    SIGNATURE = 512,
    ASK_SERIAL = 0x10001,
    EXT_MAX = 16,
};

typedef struct {
    const char *name, *part, *ark;
    uint8_t family, model;
    bool short_chip;
    uint8_t structure;
    uint8_t tcb[TCB];
    const char *oid[TCB];
    cm_snp_tcb floor;
} product;

#define OLD_ORDER                                              \
    {                                                          \
        "3.1", "3.2", "3.4", "3.5", "3.6", "3.7", "3.3", "3.8" \
    }

static const product products[] = {
    {"Milan",
     "Milan-B0",
     "ark-milan",
     0x19,
     0x01,
     false,
     0,
     {4, 0, 0, 0, 0, 0, 24, 219},
     OLD_ORDER,
     {0, 4, 0, 24, 219}},
    {"Genoa",
     "Genoa-B1",
     "ark-genoa",
     0x19,
     0x11,
     false,
     0,
     {10, 0, 0, 0, 0, 0, 23, 84},
     OLD_ORDER,
     {0, 10, 0, 23, 84}},
    {"Turin",
     "Turin-C1",
     "ark-turin",
     0x1a,
     0x02,
     true,
     1,
     {1, 1, 1, 4, 0, 0, 0, 81},
     {"3.9", "3.1", "3.2", "3.3", "3.5", "3.6", "3.7", "3.8"},
     {1, 1, 1, 4, 81}},
};

typedef struct {
    const product *p;
    unsigned version;
    bool vlek;
    uint8_t tcb[TCB];
    cm_buf chip;
} machine;

/* ---- certificates -------------------------------------------------------------------------- */

typedef struct {
    mint_ext ext[EXT_MAX];
    cm_buf der[EXT_MAX];
    char oid[EXT_MAX][32];
    size_t n;
} extensions;

static cm_buf *add(extensions *e, const char *last)
{
    mint_must(e->n < EXT_MAX, "extensions");
    (void)strcpy(e->oid[e->n], AMD);
    (void)strcat(e->oid[e->n], last);
    e->ext[e->n].oid = e->oid[e->n];
    return &e->der[e->n++];
}

static void text_of(cm_buf *b, const char *text)
{
    size_t at = b->n;

    mint_text(b, text);
    mint_wrap(b, at, 0x16);
}

static void add_tcb(const mint *m, const machine *k, extensions *e)
{
    for (size_t i = 0; i < TCB; i++) {
        bool last = i == TCB - 1;
        cm_buf *b;

        if (last && mint_bad(m, "missing-oid"))
            continue;
        b = add(e, k->p->oid[i]);
        /* A reader of the last byte alone sees the version that is reported. */
        mint_int(b, 2, last && mint_bad(m, "long-integer") ? 0x100u + k->tcb[i] : k->tcb[i]);
    }
}

static void describe(const mint *m, const machine *k, extensions *e)
{
    const char *name = k->vlek ? k->p->name : k->p->part;

    mint_int(add(e, "1"), 2, k->p->structure);
    text_of(add(e, "2"), mint_bad(m, "wrong-product") ? "Naples-B0" : name);
    add_tcb(m, k, e);
    if (k->vlek && !mint_bad(m, "no-provider"))
        text_of(add(e, "5"), "mint");
    if (!k->vlek && !mint_bad(m, "no-hwid")) {
        cm_buf *b = add(e, "4");

        mint_field(b, cm_buf_view(&k->chip), k->p->short_chip ? 8 : 64);
        if (mint_bad(m, "wrong-hwid"))
            b->p[0] ^= 1;
    }
    for (size_t i = 0; i < e->n; i++)
        e->ext[i].der = cm_buf_view(&e->der[i]);
}

static X509 *vek_new(const mint *m, const machine *k, EVP_PKEY *key, const X509 *ask,
                     EVP_PKEY *ask_key)
{
    extensions e = {0};
    mint_cert s = {.cn = k->vlek ? "SEV-VLEK" : "SEV-VCEK",
                   .issuer = ask,
                   .key = key,
                   .signer = ask_key,
                   .pss = true};
    X509 *x;

    describe(m, k, &e);
    s.ext = e.ext;
    s.n_ext = e.n;
    mint_dates(m, &s);
    x = mint_cert_new(&s);
    for (size_t i = 0; i < e.n; i++)
        cm_buf_free(&e.der[i]);
    return x;
}

static void add_list(mint *m, const X509 *ark, EVP_PKEY *ark_key)
{
    uint64_t at = m->spec.at;
    X509_CRL *crl;

    if (mint_bad(m, "no-list"))
        return;
    if (mint_bad(m, "stale-list"))
        at -= 60 * MINT_DAY;
    crl = mint_crl_new(ark, ark_key, at, mint_bad(m, "revoked") ? ASK_SERIAL : 0xbad, MINT_PSS);
    mint_add_crl(m, "crl.der", crl);
    X509_CRL_free(crl);
}

static void add_chain(mint *m, const machine *k, EVP_PKEY *key)
{
    EVP_PKEY *ark_key = mint_root_key(m, k->p->ark), *ask_key = mint_key("ask");
    char ark_cn[16] = "ARK-", ask_cn[16] = "SEV-";
    mint_cert s = {.key = ark_key,
                   .serial = 0x10000,
                   .from = m->spec.at - MINT_YEAR,
                   .to = m->spec.at + 20ull * MINT_YEAR,
                   .ca = true,
                   .pss = true};
    X509 *ark, *ask, *vek;

    s.cn = strcat(ark_cn, k->p->name);
    ark = mint_cert_new(&s);
    s.cn = strcat(strcat(ask_cn, k->vlek ? "VLEK-" : ""), k->p->name);
    s.issuer = ark;
    s.key = ask_key;
    s.signer = ark_key;
    s.serial = ASK_SERIAL;
    ask = mint_cert_new(&s);
    vek = vek_new(m, k, key, ask, ask_key);
    mint_add_cert(m, k->vlek ? "vlek.der" : "vcek.der", vek);
    mint_add_cert(m, k->vlek ? "asvk.der" : "ask.der", ask);
    mint_add_cert(m, "ark.der", ark);
    add_list(m, ark, ark_key);
    X509_free(vek);
    X509_free(ask);
    X509_free(ark);
    EVP_PKEY_free(ark_key);
    EVP_PKEY_free(ask_key);
}

/* ---- the report ---------------------------------------------------------------------------- */

static uint64_t guest_policy(const mint *m)
{
    uint64_t bits = 1u << 16 | 1u << 17;

    if (mint_bad(m, "debug"))
        bits |= 1u << 19;
    if (mint_bad(m, "migratable"))
        bits |= 1u << 18;
    if (mint_bad(m, "policy-bit"))
        bits &= ~(1ull << 17);
    return bits;
}

static void put_tcb(cm_buf *b, const machine *k, size_t at, int more)
{
    uint8_t tcb[TCB];

    memcpy(tcb, k->tcb, TCB);
    tcb[at] = (uint8_t)(tcb[at] + more);
    mint_put(b, CM_VIEW(tcb));
}

static void put_head(cm_buf *b, const mint *m, const machine *k)
{
    mint_le(b, mint_bad(m, "unknown-version") ? 6 : k->version, 4);
    mint_le(b, 1, 4);
    mint_le(b, guest_policy(m), 8);
    mint_zeros(b, 32); /* family, image */
    mint_le(b, mint_bad(m, "wrong-level") ? 1 : 0, 4);
    mint_le(b, 1, 4);
    put_tcb(b, k, 0, 0);
    /* Machines whose reports are of version 5 set bit 6 too. */
    mint_le(b, (mint_bad(m, "no-alias-check") ? 1 : 0x21) | (k->version >= 5 ? 0x40 : 0), 8);
    mint_le(b, (k->vlek ? 1u << 2 : 0) | (mint_bad(m, "masked-chip") ? 2 : 0), 4);
    mint_le(b, 0, 4);
    mint_field(b, cm_buf_view(&m->nonce), 64);
    mint_field(b, cm_buf_view(&m->measurement), 48);
    mint_field(b, cm_buf_view(&m->config), 32);
    mint_zeros(b, 96); /* no keys of owner or author */
    mint_label(b, "report", m->spec.serial, 32);
    mint_label(b, "agent", 0, 32);
}

static void put_tail(cm_buf *b, const mint *m, const machine *k)
{
    put_tcb(b, k, TCB - 1, mint_bad(m, "tcb-claimed") ? 1 : 0);
    mint_be(b, k->version < 3 ? 0 : k->p->family, 1);
    mint_be(b, k->version < 3 ? 0 : k->p->model + (mint_bad(m, "wrong-cpuid") ? 0x60u : 0), 1);
    mint_zeros(b, 22);
    mint_put(b, cm_buf_view(&k->chip));
    put_tcb(b, k, 0, mint_bad(m, "committed-above") ? 1 : 0);
    mint_zeros(b, 8);
    put_tcb(b, k, TCB - 1, mint_bad(m, "old-launch") ? -1 : 0);
    mint_le(b, k->version < 5 ? 0 : mint_bad(m, "unmitigated") ? 1 : 3, 8);
    mint_le(b, k->version < 5 ? 0 : 3, 8);
    /* What later versions will say stands there, signed. */
    mint_zeros(b, 0x290 - b->n);
    if (k->version >= 5)
        mint_label(b, "later", 0, 16);
    else
        mint_zeros(b, 16);
}

static void put_signature(cm_buf *b, const mint *m, EVP_PKEY *key)
{
    CM_AUTO(cm_buf_free) cm_buf sig = {.max = MINT_MAX};
    size_t at = b->n;

    mint_ecdsa(&sig, key, "SHA384", cm_buf_view(b), FIXED, true);
    mint_field(b, cm_view_of(sig.p, FIXED), FIELD);
    mint_field(b, cm_view_of(sig.p + FIXED, FIXED), FIELD);
    mint_zeros(b, SIGNATURE - 2 * FIELD);
    if (mint_bad(m, "padded-signature"))
        b->p[at + FIXED] = 1;
    if (mint_bad(m, "bad-signature"))
        b->p[at] ^= 1;
}

static void expect(mint *m, const machine *k)
{
    m->one_chip = cm_buf_view(&m->chip);
    m->p.chips = &m->one_chip;
    m->p.n_chips = 1;
    m->p.snp.has_floor = true;
    m->p.snp.floor = k->p->floor;
    m->p.snp.policy_required = 1u << 16;
    m->p.snp.platform_required = 1u << 5;
    m->p.snp.mitigation_required = k->version >= 5 ? 2 : 0;
}

static void machine_of(machine *k, mint *m, unsigned variant)
{
    k->p = &products[variant >> PRODUCT_AT & 3];
    k->version = variant & 0xf;
    k->vlek = (variant & VLEK) != 0;
    memcpy(k->tcb, k->p->tcb, TCB);
    if (mint_bad(m, "old-tcb"))
        k->tcb[TCB - 1]--;
    if (k->p->short_chip || k->vlek)
        memset(m->chip.p + (k->vlek ? 0 : 8), 0, 64 - (k->vlek ? 0 : 8));
    mint_put(&k->chip, cm_buf_view(&m->chip));
}

void mint_snp(mint *m, unsigned variant)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = MINT_MAX};
    EVP_PKEY *key = mint_key("p384:vek");
    machine k = {0};

    machine_of(&k, m, variant);
    put_head(&b, m, &k);
    put_tail(&b, m, &k);
    put_signature(&b, m, key);
    m->in.evidence = mint_keep(m, "evidence.bin", &b);
    add_chain(m, &k, key);
    expect(m, &k);
    cm_buf_free(&k.chip);
    EVP_PKEY_free(key);
}
