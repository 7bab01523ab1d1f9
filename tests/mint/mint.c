/* What can be minted, with which defects, under which roots. */
#include "mint.h"

#include <stdio.h>
#include <string.h>

#include "mint_int.h"

static const mint_row rows[] = {
    {"snp-v2-milan", CM_ATTEST_SNP, mint_snp, 0x002},
    {"snp-v3-milan", CM_ATTEST_SNP, mint_snp, 0x003},
    {"snp-v3-milan-vlek", CM_ATTEST_SNP, mint_snp, 0x103},
    {"snp-v3-genoa", CM_ATTEST_SNP, mint_snp, 0x013},
    {"snp-v4-genoa", CM_ATTEST_SNP, mint_snp, 0x014},
    {"snp-v5-genoa-vlek", CM_ATTEST_SNP, mint_snp, 0x115},
    {"snp-v4-turin", CM_ATTEST_SNP, mint_snp, 0x024},
    {"snp-v5-turin", CM_ATTEST_SNP, mint_snp, 0x025},
    {"snp-v5-turin-vlek", CM_ATTEST_SNP, mint_snp, 0x125},
};

/* The roots in the order of the vendors: roots.c has the public halves (casemate-mint roots). */
static const struct {
    cm_vendor vendor;
    const char *product, *name, *key;
} root[] = {
    {CM_VENDOR_AMD, "Milan", "ARK-Milan", "ark-milan"},
    {CM_VENDOR_AMD, "Genoa", "ARK-Genoa", "ark-genoa"},
    {CM_VENDOR_AMD, "Turin", "ARK-Turin", "ark-turin"},
    {CM_VENDOR_AWS, "", "Nitro Enclaves", "p384:aws-root"},
    {CM_VENDOR_INTEL, "", "SGX Root CA", "p256:intel-root"},
    {CM_VENDOR_TPM, "", "TPM maker", "p384:tpm-root"},
    {CM_VENDOR_GOOGLE, "", "Android, RSA", "android-rsa"},
    {CM_VENDOR_GOOGLE, "", "Android, EC", "p384:android-root"},
    {CM_VENDOR_APPLE, "", "App Attestation", "p384:apple-root"},
    {CM_VENDOR_NVIDIA, "", "device identity", "p384:nvidia-root"},
    {CM_VENDOR_NVIDIA_RIM, "", "reference manifests", "p384:nvidia-rim-root"},
};

bool mint_root_at(size_t i, cm_vendor *vendor, const char **product, const char **name,
                  const char **key)
{
    if (i >= CM_COUNT(root))
        return false;
    *vendor = root[i].vendor;
    *product = root[i].product;
    *name = root[i].name;
    *key = root[i].key;
    return true;
}

/* ---- defects ------------------------------------------------------------------------------- */

static const mint_defect defects[] = {
    {"wrong-root", "", CM_CHECK_CHAIN},
    {"expired", "", CM_CHECK_CHAIN},
    {"not-yet", "", CM_CHECK_CHAIN},
    {"bad-signature", "", CM_CHECK_SIGNATURE},
    {"replayed", "", CM_CHECK_FRESH},
    {"another-code", "", CM_CHECK_MEASUREMENT},
    {"another-config", "snp", CM_CHECK_CONFIG},
    {"trailing", "snp", CM_CHECK_FORM},
    {"truncated", "snp", CM_CHECK_FORM},
    {"revoked", "snp", CM_CHECK_REVOCATION},
    {"stale-list", "snp", CM_CHECK_REVOCATION},
    {"debug", "snp", CM_CHECK_DEBUG},
    {"migratable", "snp", CM_CHECK_GUEST_POLICY},
    {"policy-bit", "snp", CM_CHECK_GUEST_POLICY},
    {"unknown-version", "snp", CM_CHECK_FORM},
    {"padded-signature", "snp", CM_CHECK_FORM},
    {"old-tcb", "snp", CM_CHECK_TCB},
    {"old-launch", "snp", CM_CHECK_TCB},
    {"committed-above", "snp", CM_CHECK_TCB},
    {"tcb-claimed", "snp", CM_CHECK_TCB_BOUND},
    {"missing-oid", "snp", CM_CHECK_TCB_BOUND},
    {"long-integer", "snp", CM_CHECK_TCB_BOUND},
    {"wrong-product", "snp", CM_CHECK_IDENTITY},
    {"wrong-hwid", "snp-v2-milan snp-v3-genoa snp-v4 snp-v5-turin$", CM_CHECK_IDENTITY},
    {"no-hwid", "snp-v2-milan snp-v3-genoa snp-v4 snp-v5-turin$", CM_CHECK_IDENTITY},
    {"masked-chip", "snp-v2-milan snp-v3-genoa snp-v4 snp-v5-turin$", CM_CHECK_IDENTITY},
    {"no-provider", "snp-v3-milan-vlek snp-v5-genoa-vlek snp-v5-turin-vlek", CM_CHECK_IDENTITY},
    {"wrong-cpuid", "snp-v3 snp-v4 snp-v5", CM_CHECK_IDENTITY},
    {"wrong-level", "snp", CM_CHECK_PRIVILEGE},
    {"no-alias-check", "snp", CM_CHECK_PLATFORM},
    {"unmitigated", "snp-v5", CM_CHECK_PLATFORM},
};

const mint_defect *mint_defect_at(size_t i)
{
    return i < CM_COUNT(defects) ? &defects[i] : NULL;
}

bool mint_defect_of(const mint_defect *d, const char *kind)
{
    const char *p = d->kinds;

    if (*p == '\0')
        return true;
    while (*p) {
        size_t n = strcspn(p, " ");
        size_t cut = p[n - 1] == '$' ? n - 1 : n;

        if (strncmp(p, kind, cut) == 0 && (cut == n || kind[cut] == '\0'))
            return true;
        p += n + (p[n] == ' ');
    }
    return false;
}

bool mint_bad(const mint *m, const char *defect)
{
    return m->spec.defect && strcmp(m->spec.defect, defect) == 0;
}

/* ---- a set --------------------------------------------------------------------------------- */

const char *mint_kind(size_t i)
{
    return i < CM_COUNT(rows) ? rows[i].name : NULL;
}

cm_view mint_keep(mint *m, const char *name, cm_buf *b)
{
    mint_file *f = &m->file[m->n_files];

    mint_must(m->n_files < MINT_FILES && strlen(name) < MINT_NAME, "too many files");
    (void)snprintf(f->name, sizeof f->name, "%s", name);
    f->bytes = cm_buf_take(b);
    m->n_files++;
    return cm_buf_view(&f->bytes);
}

static void own(cm_buf *b, cm_view asked, const char *label, uint64_t serial, size_t n)
{
    b->max = MINT_MAX;
    if (asked.n)
        mint_put(b, asked);
    else
        mint_label(b, label, serial, n);
}

static void known_defect(const char *defect, const char *kind)
{
    for (size_t i = 0; i < CM_COUNT(defects); i++)
        if (strcmp(defects[i].name, defect) == 0 && mint_defect_of(&defects[i], kind))
            return;
    mint_must(false, "this kind has no such defect");
}

static cm_view copy(cm_buf *to, const cm_buf *from)
{
    mint_put(to, cm_buf_view(from));
    return cm_buf_view(to);
}

/* The policy keeps what it expected; the evidence is of something else. */
static void expect(mint *m)
{
    m->p.now = m->spec.at;
    m->p.fresh = copy(&m->want_nonce, &m->nonce);
    m->p.config = copy(&m->want_config, &m->config);
    m->one_measurement = copy(&m->want_measurement, &m->measurement);
    m->p.measurements = &m->one_measurement;
    m->p.n_measurements = 1;
    m->nonce.p[0] ^= mint_bad(m, "replayed");
    m->measurement.p[0] ^= mint_bad(m, "another-code");
    m->config.p[0] ^= mint_bad(m, "another-config");
}

static void spoil(mint *m)
{
    cm_buf *b = &m->file[0].bytes;

    if (mint_bad(m, "trailing"))
        mint_zeros(b, 1);
    if (mint_bad(m, "truncated"))
        b->n--;
    m->in.evidence = cm_buf_view(b);
}

mint *mint_new(const char *kind, const mint_spec *spec)
{
    mint *m = NULL;

    mint_must(cm_ok(cm_alloc(&m, sizeof *m)), "no memory");
    m->spec = *spec;
    m->kind = kind;
    if (spec->defect)
        known_defect(spec->defect, kind);
    own(&m->nonce, spec->nonce, "nonce", spec->serial, 32);
    own(&m->measurement, spec->measurement, "measurement", 0, 48);
    own(&m->config, spec->config, "config", 0, 32);
    own(&m->chip, cm_view_of(NULL, 0), "chip", spec->serial, 64);
    expect(m);
    for (size_t i = 0; i < CM_COUNT(rows); i++) {
        if (strcmp(rows[i].name, kind) != 0)
            continue;
        m->in.kind = rows[i].kind;
        rows[i].make(m, rows[i].variant);
        spoil(m);
        return m;
    }
    mint_must(false, "no such kind");
    return m;
}

void mint_free(mint *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->n_files; i++)
        cm_buf_free(&m->file[i].bytes);
    cm_buf_free(&m->nonce);
    cm_buf_free(&m->measurement);
    cm_buf_free(&m->config);
    cm_buf_free(&m->chip);
    cm_buf_free(&m->want_nonce);
    cm_buf_free(&m->want_measurement);
    cm_buf_free(&m->want_config);
    cm_free(m);
}
