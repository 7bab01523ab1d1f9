/* What can be minted, with which defects, under which roots. */
#include "mint.h"

#include <stdio.h>
#include <string.h>

#include "mint_int.h"

static const mint_row rows[] = {
    {"snp-v2-milan", CM_ATTEST_SNP, mint_snp, 0x002, 48, 32},
    {"snp-v3-milan", CM_ATTEST_SNP, mint_snp, 0x003, 48, 32},
    {"snp-v3-milan-vlek", CM_ATTEST_SNP, mint_snp, 0x103, 48, 32},
    {"snp-v3-genoa", CM_ATTEST_SNP, mint_snp, 0x013, 48, 32},
    {"snp-v4-genoa", CM_ATTEST_SNP, mint_snp, 0x014, 48, 32},
    {"snp-v5-genoa-vlek", CM_ATTEST_SNP, mint_snp, 0x115, 48, 32},
    {"snp-v4-turin", CM_ATTEST_SNP, mint_snp, 0x024, 48, 32},
    {"snp-v5-turin", CM_ATTEST_SNP, mint_snp, 0x025, 48, 32},
    {"snp-v5-turin-vlek", CM_ATTEST_SNP, mint_snp, 0x125, 48, 32},
    {"tdx-v4", CM_ATTEST_TDX, mint_intel, 0x14, 48, 48},
    {"tdx-v4-first-module", CM_ATTEST_TDX, mint_intel, 0x54, 48, 48},
    {"tdx-v5", CM_ATTEST_TDX, mint_intel, 0x15, 48, 48},
    {"tdx-v5-td15", CM_ATTEST_TDX, mint_intel, 0x35, 48, 48},
    {"sgx-v3", CM_ATTEST_SGX, mint_intel, 0x03, 32, 64},
    {"sgx-v4", CM_ATTEST_SGX, mint_intel, 0x04, 32, 64},
    {"sgx-v5", CM_ATTEST_SGX, mint_intel, 0x05, 32, 64},
    {"nitro", CM_ATTEST_NITRO, mint_nitro, 0, 48, 0},
    {"nitro-tagged", CM_ATTEST_NITRO, mint_nitro, 2, 48, 0},
    {"nitro-indefinite", CM_ATTEST_NITRO, mint_nitro, 1, 48, 0},
    {"nvidia", CM_ATTEST_NVIDIA, mint_nvidia, 0, 48, 0},
    {"nvidia-old-form", CM_ATTEST_NVIDIA, mint_nvidia, 1, 48, 0},
    {"android-rsa", CM_ATTEST_ANDROID, mint_android, 0, 32, 0},
    {"android-ec", CM_ATTEST_ANDROID, mint_android, 1, 32, 0},
    {"android-strongbox", CM_ATTEST_ANDROID, mint_android, 3, 32, 0},
    {"android-rkp", CM_ATTEST_ANDROID, mint_android, 5, 32, 0},
    {"android-mldsa", CM_ATTEST_ANDROID, mint_android, 15, 32, 0},
    {"android-long-over", CM_ATTEST_ANDROID, mint_android, 16, 32, 0},
    {"app-attest", CM_ATTEST_APPLE, mint_apple, 0, 0, 0},
    {"app-attest-development", CM_ATTEST_APPLE, mint_apple, 1, 0, 0},
    {"tpm", CM_ATTEST_TPM, mint_tpm, 0, 32, 0},
    {"tpm-listed", CM_ATTEST_TPM, mint_tpm, 1, 32, 0},
    {"app-assertion", CM_ATTEST_ASSERTION, mint_assertion, 0, 0, 0},
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
    {"wrong-root", "tdx sgx", CM_CHECK_CHAIN, CM_CHECK_BIT(COLLATERAL)},
    {"wrong-root", "snp nitro nvidia android app-attest tpm$", CM_CHECK_CHAIN, 0},
    {"expired", "snp nitro tdx sgx nvidia android-rkp app-attest tpm$", CM_CHECK_CHAIN, 0},
    {"not-yet", "snp nitro tdx sgx nvidia android-rkp app-attest tpm$", CM_CHECK_CHAIN, 0},
    {"bad-signature", "snp nitro tdx sgx nvidia tpm", CM_CHECK_SIGNATURE, 0},
    {"bad-signature", "app", CM_CHECK_SIGNATURE, CM_CHECK_BIT(FRESH)},
    {"bad-signature", "android", CM_CHECK_CHAIN, 0},
    {"replayed", "snp nitro tdx sgx nvidia android tpm", CM_CHECK_FRESH, 0},
    {"replayed", "app", CM_CHECK_FRESH, CM_CHECK_BIT(SIGNATURE)},
    {"another-code", "snp nitro tdx sgx nvidia android tpm", CM_CHECK_MEASUREMENT, 0},
    {"another-config", "snp nitro tdx sgx android app", CM_CHECK_CONFIG, 0},
    {"trailing", "snp nitro nvidia android app tpm", CM_CHECK_FORM, 0},
    {"truncated", "snp nitro tdx sgx nvidia android app tpm", CM_CHECK_FORM, 0},
    {"revoked", "snp nitro tdx sgx android app-attest tpm$", CM_CHECK_REVOCATION, 0},
    {"stale-list", "snp nitro tdx sgx app-attest tpm$", CM_CHECK_REVOCATION, 0},
    {"debug", "snp tdx sgx android app-attest$", CM_CHECK_DEBUG, 0},
    {"debug", "nitro", CM_CHECK_DEBUG, CM_CHECK_BIT(MEASUREMENT)},
    {"migratable", "snp", CM_CHECK_GUEST_POLICY, 0},
    {"policy-bit", "snp", CM_CHECK_GUEST_POLICY, 0},
    {"unknown-version", "snp tdx sgx nvidia android", CM_CHECK_FORM, 0},
    {"padded-signature", "snp", CM_CHECK_FORM, 0},
    {"old-tcb", "snp tdx sgx android", CM_CHECK_TCB, 0},
    {"old-launch", "snp", CM_CHECK_TCB, 0},
    {"committed-above", "snp", CM_CHECK_TCB, 0},
    {"tcb-claimed", "snp", CM_CHECK_TCB_BOUND, 0},
    {"missing-oid", "snp", CM_CHECK_TCB_BOUND, 0},
    {"missing-oid", "tdx sgx", CM_CHECK_IDENTITY, CM_CHECK_BIT(COLLATERAL)},
    {"missing-oid", "nvidia", CM_CHECK_IDENTITY, 0},
    {"missing-oid", "app-attest", CM_CHECK_SIGNATURE, CM_CHECK_BIT(FRESH)},
    {"long-integer", "snp", CM_CHECK_TCB_BOUND, 0},
    {"wrong-product", "snp", CM_CHECK_IDENTITY, 0},
    {"wrong-hwid", "snp-v2-milan snp-v3-genoa snp-v4 snp-v5-turin$", CM_CHECK_IDENTITY, 0},
    {"no-hwid", "snp-v2-milan snp-v3-genoa snp-v4 snp-v5-turin$", CM_CHECK_IDENTITY, 0},
    {"masked-chip", "snp-v2-milan snp-v3-genoa snp-v4 snp-v5-turin$", CM_CHECK_IDENTITY, 0},
    {"no-provider", "snp-v3-milan-vlek snp-v5-genoa-vlek snp-v5-turin-vlek", CM_CHECK_IDENTITY, 0},
    {"wrong-cpuid", "snp-v3 snp-v4 snp-v5", CM_CHECK_IDENTITY, 0},
    {"wrong-level", "snp", CM_CHECK_PRIVILEGE, 0},
    {"no-alias-check", "snp", CM_CHECK_PLATFORM, 0},
    {"unmitigated", "snp-v5", CM_CHECK_PLATFORM, 0},
    {"old", "nitro", CM_CHECK_FRESH, 0},
    {"future", "nitro", CM_CHECK_FRESH, 0},
    {"p256-leaf", "nitro", CM_CHECK_SIGNATURE, 0},
    {"p521-leaf", "nitro", CM_CHECK_SIGNATURE, 0},
    {"no-ca", "nitro", CM_CHECK_CHAIN, 0},
    {"long-key", "nitro", CM_CHECK_FORM, 0},
    {"long-nonce", "nitro", CM_CHECK_FORM, 0},
    {"key-twice", "nitro", CM_CHECK_FORM, 0},
    {"wrong-digest", "nitro", CM_CHECK_FORM, 0},
    {"wrong-algorithm", "nitro tdx sgx", CM_CHECK_FORM, 0},
    {"service-td", "tdx-v5-td15", CM_CHECK_GUEST_POLICY, 0},
    {"seam-attributes", "tdx", CM_CHECK_GUEST_POLICY, CM_CHECK_BIT(TCB)},
    {"no-sept-ve", "tdx", CM_CHECK_GUEST_POLICY, 0},
    {"other-events", "tdx", CM_CHECK_EVENTS, 0},
    {"old-module", "tdx", CM_CHECK_TCB, 0},
    {"relaunch", "tdx-v5-td15", CM_CHECK_TCB, 0},
    {"unknown-module", "tdx", CM_CHECK_TCB, 0},
    {"old-loader", "tdx", CM_CHECK_TCB, 0},
    {"old-pce", "tdx sgx", CM_CHECK_TCB, 0},
    {"old-qe", "tdx sgx", CM_CHECK_TCB, 0},
    {"strange-qe", "tdx sgx", CM_CHECK_QUOTING, 0},
    {"other-product-qe", "tdx sgx", CM_CHECK_QUOTING, 0},
    {"debug-qe", "tdx sgx", CM_CHECK_QUOTING, 0},
    {"unsigned-identity", "tdx sgx", CM_CHECK_QUOTING, 0},
    {"stale-identity", "tdx sgx", CM_CHECK_QUOTING, 0},
    {"bad-qe-signature", "tdx sgx", CM_CHECK_SIGNATURE, 0},
    {"unbound-key", "tdx sgx", CM_CHECK_SIGNATURE, 0},
    {"bound-more", "tdx sgx", CM_CHECK_SIGNATURE, 0},
    {"wrong-platform", "tdx sgx", CM_CHECK_COLLATERAL, 0},
    {"stale-statement", "tdx sgx", CM_CHECK_COLLATERAL, 0},
    {"edited-statement", "tdx sgx", CM_CHECK_COLLATERAL, 0},
    {"other-statement", "tdx sgx", CM_CHECK_COLLATERAL, CM_CHECK_BIT(QUOTING)},
    {"old-evaluation", "tdx sgx", CM_CHECK_COLLATERAL, CM_CHECK_BIT(QUOTING)},
    {"revoked-ca", "tdx sgx", CM_CHECK_REVOCATION, 0},
    {"revoked-signer", "tdx sgx", CM_CHECK_REVOCATION, 0},
    {"unlisted", "tpm-listed", CM_CHECK_CHAIN, CM_CHECK_BIT(CHIP)},
    {"no-certificate", "tpm$", CM_CHECK_CHAIN, 0},
    {"unrestricted", "tpm", CM_CHECK_IDENTITY, 0},
    {"exportable", "tpm", CM_CHECK_IDENTITY, 0},
    {"other-values", "tpm", CM_CHECK_PCRS, CM_CHECK_BIT(EVENTS)},
    {"fewer-values", "tpm", CM_CHECK_PCRS, CM_CHECK_BIT(EVENTS)},
    {"fewer-registers", "tpm", CM_CHECK_PCRS, CM_CHECK_BIT(MEASUREMENT)},
    {"other-events", "tpm", CM_CHECK_EVENTS, CM_CHECK_BIT(MEASUREMENT)},
    {"restarted", "tpm", CM_CHECK_PLATFORM, 0},
    {"no-quote", "tpm", CM_CHECK_FORM, 0},
    {"held", "nitro tdx sgx app-attest tpm$", CM_CHECK_REVOCATION, 0},
    {"held", "android", CM_CHECK_REVOCATION, 0},
    {"index-twice", "nvidia", CM_CHECK_FORM, 0},
    {"short-block", "nvidia", CM_CHECK_FORM, 0},
    {"driver-twice", "nvidia", CM_CHECK_FORM, 0},
    {"other-firmware", "nvidia", CM_CHECK_IDENTITY, 0},
    {"unverified", "android", CM_CHECK_DEBUG, 0},
    {"software-says", "android", CM_CHECK_DEBUG, CM_CHECK_BIT(MEASUREMENT)},
    {"odd-boolean", "android", CM_CHECK_FORM, 0},
    {"tag-twice", "android", CM_CHECK_FORM, 0},
    {"unordered", "android", CM_CHECK_FORM, 0},
    {"software", "android", CM_CHECK_IDENTITY, 0},
    {"mixed-levels", "android", CM_CHECK_IDENTITY, 0},
    {"only-tee", "android-strongbox android-mldsa", CM_CHECK_IDENTITY, 0},
    {"imported", "android", CM_CHECK_GUEST_POLICY, 0},
    {"other-purpose", "android", CM_CHECK_GUEST_POLICY, 0},
    {"old-vendor", "android", CM_CHECK_TCB, 0},
    {"old-boot", "android", CM_CHECK_TCB, 0},
    {"extended", "android-rsa android-ec android-rkp android-long", CM_CHECK_CHAIN, 0},
    {"used", "app-attest", CM_CHECK_IDENTITY, 0},
    {"used", "app-assertion", CM_CHECK_FRESH, 0},
    {"other-key", "app-attest", CM_CHECK_IDENTITY, CM_CHECK_BIT(CHIP)},
    {"other-key", "app-assertion", CM_CHECK_SIGNATURE, CM_CHECK_BIT(FRESH)},
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

/* What was asked for, in n bytes when n is not 0; else something of one's own. */
static void own(cm_buf *b, cm_view asked, const char *label, uint64_t serial, size_t n)
{
    if (asked.n)
        mint_field(b, asked, n ? n : asked.n);
    else
        mint_label(b, label, serial, n ? n : 32);
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

    if (m->in.kind == CM_ATTEST_ANDROID)
        return; /* the attested extension is spoilt instead: PEM has no end of its own */
    if (mint_bad(m, "trailing"))
        mint_zeros(b, 1);
    if (mint_bad(m, "truncated"))
        b->n--;
    m->in.evidence = cm_buf_view(b);
}

static const mint_row *row_of(const char *kind)
{
    size_t i = 0;

    while (i < CM_COUNT(rows) && strcmp(rows[i].name, kind) != 0)
        i++;
    mint_must(i < CM_COUNT(rows), "no such kind");
    return &rows[i];
}

mint *mint_new(const char *kind, const mint_spec *spec)
{
    const mint_row *row = row_of(kind);
    mint *m = NULL;

    mint_must(cm_ok(cm_alloc(&m, sizeof *m)), "no memory");
    m->spec = *spec;
    m->kind = row->name;
    m->in.kind = row->kind;
    if (spec->defect)
        known_defect(spec->defect, kind);
    own(&m->nonce, spec->nonce, "nonce", spec->serial, row->kind == CM_ATTEST_NVIDIA ? 32 : 0);
    own(&m->measurement, spec->measurement, "measurement", 0, row->measurement);
    own(&m->config, spec->config, "config", 0, row->config);
    own(&m->chip, cm_view_of(NULL, 0), "chip", spec->serial, 64);
    expect(m);
    row->make(m, row->variant);
    spoil(m);
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
