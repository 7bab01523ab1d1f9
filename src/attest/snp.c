/* AMD SEV-SNP attestation reports, versions 2 to 5 (AMD 56860, table "ATTESTATION_REPORT"). */
#include "attest/attest_int.h"
#include "codec/cut.h"

enum {
    REPORT_SIZE = 1184,
    SIGNED_SIZE = 0x2a0,
    VERSION_MIN = 2,
    VERSION_CPUID = 3,
    VERSION_MITIGATION = 5,
    VERSION_MAX = 5,
    ECDSA_P384_SHA384 = 1,
    SCALAR = 48,
    SCALAR_FIELD = 72,
    SIGNATURE_TAIL = 512 - 2 * SCALAR_FIELD,
    KEY_VCEK = 0,
    KEY_VLEK = 1,
    CHIP_SHORT = 8,
    TCB_BYTES = 8,
};

#define POLICY_MUST_BE_ONE (1ull << 17)
#define POLICY_MIGRATE_MA  (1ull << 18)
#define POLICY_DEBUG       (1ull << 19)

typedef struct {
    uint32_t version, guest_svn, vmpl, sig_algo, key_info;
    uint64_t policy, platform, mitigation_launch, mitigation_current;
    cm_view family_id, image_id, report_data, measurement, host_data, id_key, author_key;
    cm_view report_id, report_id_ma, chip_id, cpuid;
    cm_view current_tcb, reported_tcb, committed_tcb, launch_tcb;
    cm_view sig_r, sig_s, sig_tail;
} snp_report;

/* Where a product keeps its firmware versions: the extension of each byte of a TCB; what has none
 * is reserved, and zero. */
typedef struct {
    const char *product;
    const char *oid[TCB_BYTES];
    uint8_t struct_version;
    bool short_chip;
    uint8_t fmc, bl, tee, snp, ucode; /* index; NONE */
} snp_product;

enum { NONE = 0xff };

#define AMD_OID "1.3.6.1.4.1.3704.1."

#define MILAN_LAYOUT                                                                              \
    {                                                                                             \
        AMD_OID "3.1", AMD_OID "3.2", AMD_OID "3.4", AMD_OID "3.5", AMD_OID "3.6", AMD_OID "3.7", \
            AMD_OID "3.3", AMD_OID "3.8"                                                          \
    }

static const snp_product products[] = {
    {"Milan", MILAN_LAYOUT, 0, false, NONE, 0, 1, 6, 7},
    {"Genoa", MILAN_LAYOUT, 0, false, NONE, 0, 1, 6, 7},
    /* AT-22 */
    {"Turin",
     {AMD_OID "3.9", AMD_OID "3.1", AMD_OID "3.2", AMD_OID "3.3", AMD_OID "3.5", AMD_OID "3.6",
      AMD_OID "3.7", AMD_OID "3.8"},
     1,
     true,
     0,
     1,
     2,
     3,
     7},
};

static const snp_product *product_named(const char *name)
{
    for (size_t i = 0; i < CM_COUNT(products); i++)
        if (cm_view_eq(cm_view_str(products[i].product), cm_view_str(name)))
            return &products[i];
    return NULL;
}

/* AT-22 */
static const snp_product *product_of_cpuid(cm_view id)
{
    uint8_t family = id.p[0], model = id.p[1];

    if (family == 0x19 && model <= 0x0f)
        return &products[0];
    if (family == 0x19 && ((model >= 0x10 && model <= 0x1f) || (model >= 0xa0 && model <= 0xaf)))
        return &products[1];
    if (family == 0x1a && model <= 0x11)
        return &products[2];
    return NULL;
}

/* ---- the report ---------------------------------------------------------------------------- */

static void parse_head(snp_report *r, cm_cut *c)
{
    r->version = cm_cut_le32(c);
    r->guest_svn = cm_cut_le32(c);
    r->policy = cm_cut_le64(c);
    r->family_id = cm_cut_bytes(c, 16);
    r->image_id = cm_cut_bytes(c, 16);
    r->vmpl = cm_cut_le32(c);
    r->sig_algo = cm_cut_le32(c);
    r->current_tcb = cm_cut_bytes(c, TCB_BYTES);
    r->platform = cm_cut_le64(c);
    r->key_info = cm_cut_le32(c);
    (void)cm_cut_le32(c);
    r->report_data = cm_cut_bytes(c, 64);
    r->measurement = cm_cut_bytes(c, 48);
    r->host_data = cm_cut_bytes(c, 32);
    r->id_key = cm_cut_bytes(c, 48);
    r->author_key = cm_cut_bytes(c, 48);
    r->report_id = cm_cut_bytes(c, 32);
    r->report_id_ma = cm_cut_bytes(c, 32);
}

static void parse_tail(snp_report *r, cm_cut *c)
{
    r->reported_tcb = cm_cut_bytes(c, TCB_BYTES);
    r->cpuid = cm_cut_bytes(c, 3);
    (void)cm_cut_bytes(c, 21);
    r->chip_id = cm_cut_bytes(c, 64);
    r->committed_tcb = cm_cut_bytes(c, TCB_BYTES);
    (void)cm_cut_bytes(c, 8); /* firmware versions, current and committed */
    r->launch_tcb = cm_cut_bytes(c, TCB_BYTES);
    r->mitigation_launch = cm_cut_le64(c);
    r->mitigation_current = cm_cut_le64(c);
    (void)cm_cut_bytes(c, SIGNED_SIZE - 0x208);
    r->sig_r = cm_cut_bytes(c, SCALAR_FIELD);
    r->sig_s = cm_cut_bytes(c, SCALAR_FIELD);
    r->sig_tail = cm_cut_bytes(c, SIGNATURE_TAIL);
}

static bool scalar_fits(cm_view v)
{
    return cm_all_zero(cm_view_sub(v, SCALAR, SCALAR_FIELD - SCALAR));
}

/* AT-20 */
static const char *parse(snp_report *r, cm_view evidence)
{
    cm_cut c = cm_cut_of(evidence);

    parse_head(r, &c);
    parse_tail(r, &c);
    if (!cm_cut_done(&c))
        return "a report has 1184 bytes";
    if (r->version < VERSION_MIN || r->version > VERSION_MAX)
        return "this version of the report is not known";
    if (r->sig_algo != ECDSA_P384_SHA384)
        return "the signature algorithm is not ECDSA P-384 with SHA-384";
    if (!scalar_fits(r->sig_r) || !scalar_fits(r->sig_s) || !cm_all_zero(r->sig_tail))
        return "bytes that must be zero in the signature are not";
    return NULL;
}

static unsigned signing_key(const snp_report *r)
{
    return r->key_info >> 2 & 7;
}

static cm_err claims(cm_run *run, const snp_report *r)
{
    CM_TRY(cm_claim_u64(run, "version", r->version));
    CM_TRY(cm_claim_text(run, "signing_key",
                         signing_key(r) == KEY_VLEK ? CM_LIT("VLEK") : CM_LIT("VCEK")));
    CM_TRY(cm_claim_bytes(run, "measurement", 0, r->measurement));
    CM_TRY(cm_claim_bytes(run, "report_data", 0, r->report_data));
    CM_TRY(cm_claim_bytes(run, "host_data", 0, r->host_data));
    CM_TRY(cm_claim_bytes(run, "chip_id", 0, r->chip_id));
    CM_TRY(cm_claim_bytes(run, "report_id", 0, r->report_id));
    CM_TRY(cm_claim_bytes(run, "report_id_ma", 0, r->report_id_ma));
    CM_TRY(cm_claim_bytes(run, "family_id", 0, r->family_id));
    CM_TRY(cm_claim_bytes(run, "image_id", 0, r->image_id));
    CM_TRY(cm_claim_bytes(run, "id_key_digest", 0, r->id_key));
    CM_TRY(cm_claim_bytes(run, "author_key_digest", 0, r->author_key));
    CM_TRY(cm_claim_bytes(run, "reported_tcb", 0, r->reported_tcb));
    CM_TRY(cm_claim_bytes(run, "current_tcb", 0, r->current_tcb));
    CM_TRY(cm_claim_bytes(run, "committed_tcb", 0, r->committed_tcb));
    CM_TRY(cm_claim_bytes(run, "launch_tcb", 0, r->launch_tcb));
    CM_TRY(cm_claim_u64(run, "guest_svn", r->guest_svn));
    CM_TRY(cm_claim_u64(run, "guest_policy", r->policy));
    CM_TRY(cm_claim_u64(run, "platform_info", r->platform));
    CM_TRY(cm_claim_u64(run, "vmpl", r->vmpl));
    if (r->version >= VERSION_MITIGATION) {
        CM_TRY(cm_claim_u64(run, "launch_mitigation", r->mitigation_launch));
        CM_TRY(cm_claim_u64(run, "current_mitigation", r->mitigation_current));
    }
    return CM_OKAY;
}

/* ---- the signer ---------------------------------------------------------------------------- */

static cm_err check_signature(cm_run *run, const snp_report *r, X509 *vek)
{
    uint8_t a[SCALAR], b[SCALAR];
    bool good = false;

    for (size_t i = 0; i < SCALAR; i++) {
        a[i] = r->sig_r.p[SCALAR - 1 - i];
        b[i] = r->sig_s.p[SCALAR - 1 - i];
    }
    CM_TRY(cm_ecdsa_raw(&good, run->c, X509_get0_pubkey(vek), "secp384r1", CM_SHA384, CM_VIEW(a),
                        CM_VIEW(b), cm_view_sub(run->in->evidence, 0, SIGNED_SIZE)));
    cm_note(run, CM_CHECK_SIGNATURE, good, "the report's signature is wrong");
    return CM_OKAY;
}

/* An INTEGER of one byte in its exact DER: the last byte alone would take others too (AT-23). */
static bool small_integer(cm_view v, uint8_t *value)
{
    bool one = v.n == 3 && v.p[0] == 2 && v.p[1] == 1 && v.p[2] < 0x80;
    bool two = v.n == 4 && v.p[0] == 2 && v.p[1] == 2 && v.p[2] == 0 && v.p[3] >= 0x80;

    if (!one && !two)
        return false;
    *value = v.p[v.n - 1];
    return true;
}

/* AT-23 */
static void check_tcb_bound(cm_run *run, const snp_report *r, X509 *vek, const snp_product *product)
{
    for (size_t i = 0; i < TCB_BYTES; i++) {
        uint8_t have;
        cm_view v;

        if (!cm_x509_extension(&v, vek, product->oid[i]) || !small_integer(v, &have)) {
            cm_note_fail(run, CM_CHECK_TCB_BOUND, "the certificate lacks a firmware version");
            return;
        }
        if (have != r->reported_tcb.p[i]) {
            cm_note_fail(run, CM_CHECK_TCB_BOUND, "the report says another firmware");
            return;
        }
    }
    cm_note_pass(run, CM_CHECK_TCB_BOUND);
}

static bool is_product(X509 *vek, const snp_product *product)
{
    cm_view v, name = cm_view_str(product->product);
    uint8_t version;

    if (!cm_x509_extension(&v, vek, AMD_OID "1") || !small_integer(v, &version) ||
        version != product->struct_version)
        return false;
    if (!cm_x509_extension(&v, vek, AMD_OID "2") || v.n < 2 || v.p[0] != 0x16 || v.p[1] != v.n - 2)
        return false;
    v = cm_view_sub(v, 2, v.n - 2);
    return v.n >= name.n && cm_view_eq(cm_view_sub(v, 0, name.n), name) &&
           (v.n == name.n || v.p[name.n] == '-'); /* Milan-B0 */
}

/* AT-24: 64 bytes, bare or as an OCTET STRING; on Turin 8 and zeros behind. */
static bool is_chip(X509 *vek, cm_view chip, const snp_product *product)
{
    cm_view v;

    if (!cm_x509_extension(&v, vek, AMD_OID "4"))
        return false;
    if (v.n == chip.n + 2 && v.p[0] == 0x04 && v.p[1] == chip.n)
        v = cm_view_sub(v, 2, chip.n);
    if (product->short_chip)
        return v.n == CHIP_SHORT && cm_view_eq(v, cm_view_sub(chip, 0, CHIP_SHORT)) &&
               cm_all_zero(cm_view_sub(chip, CHIP_SHORT, chip.n - CHIP_SHORT));
    return cm_view_eq(v, chip);
}

static const char *vlek_why(cm_run *run, X509 *vek)
{
    cm_view v;

    if (!cm_x509_extension(&v, vek, AMD_OID "5") || v.n < 3 || v.p[0] != 0x16 || v.p[1] != v.n - 2)
        return "the certificate names no cloud provider";
    if (cm_failed(cm_claim_text(run, "provider", cm_view_sub(v, 2, v.n - 2))))
        return "the provider's name is too long";
    return NULL;
}

static const char *identity_why(cm_run *run, const snp_report *r, const cm_path *path,
                                const snp_product *product)
{
    X509 *vek = path->v[0];
    bool masked = (r->key_info & 2) != 0 || cm_all_zero(r->chip_id);

    if (!is_product(vek, product))
        return "the certificate is of another product than its root";
    if (r->version >= VERSION_CPUID && product_of_cpuid(r->cpuid) != product)
        return "the processor is of another product than the certificate";
    if (signing_key(r) == KEY_VLEK)
        return vlek_why(run, vek);
    if (masked)
        return "the report hides its chip, which needs a provider's key";
    if (!is_chip(vek, r->chip_id, product))
        return "the certificate is of another chip";
    return NULL;
}

/* ---- the policy ---------------------------------------------------------------------------- */

static uint8_t part(cm_view tcb, uint8_t at)
{
    return at == NONE ? 0 : tcb.p[at];
}

static bool above(cm_view tcb, const snp_product *p, const cm_snp_tcb *floor)
{
    return part(tcb, p->fmc) >= floor->fmc && part(tcb, p->bl) >= floor->bl &&
           part(tcb, p->tee) >= floor->tee && part(tcb, p->snp) >= floor->snp &&
           part(tcb, p->ucode) >= floor->ucode;
}

static bool no_byte_above(cm_view low, cm_view high)
{
    for (size_t i = 0; i < TCB_BYTES; i++)
        if (low.p[i] > high.p[i])
            return false;
    return true;
}

/* AT-25 */
static void check_tcb(cm_run *run, const snp_report *r, const snp_product *product)
{
    const cm_snp_tcb *floor = &run->p->snp.floor;

    if (!no_byte_above(r->committed_tcb, r->current_tcb)) {
        cm_note_fail(run, CM_CHECK_TCB, "more firmware is committed than runs");
        run->r->tcb = CM_TCB_OUT_OF_DATE;
        return;
    }
    if (!run->p->snp.has_floor) {
        cm_note_skip(run, CM_CHECK_TCB, "the policy sets no floor for firmware");
        return;
    }
    if (!cm_note(run, CM_CHECK_TCB,
                 above(r->reported_tcb, product, floor) && above(r->launch_tcb, product, floor),
                 "the firmware reported, or that of the launch, is below the floor")) {
        run->r->tcb = CM_TCB_OUT_OF_DATE;
        return;
    }
    run->r->tcb =
        cm_view_eq(r->reported_tcb, r->current_tcb) && cm_view_eq(r->committed_tcb, r->current_tcb)
            ? CM_TCB_UP_TO_DATE
            : CM_TCB_PENDING;
}

/* AT-26 */
static void check_guest_policy(cm_run *run, const snp_report *r)
{
    unsigned flags = run->p->flags;
    uint64_t want = run->p->snp.policy_required | POLICY_MUST_BE_ONE;

    cm_note(run, CM_CHECK_DEBUG, !(r->policy & POLICY_DEBUG) || (flags & CM_ATTEST_ALLOW_DEBUG),
            "the guest's policy allows debugging");
    cm_note(run, CM_CHECK_GUEST_POLICY, (r->policy & want) == want,
            "a bit of the guest's policy that must be set is not");
    cm_note(run, CM_CHECK_GUEST_POLICY,
            !(r->policy & POLICY_MIGRATE_MA) || (flags & CM_ATTEST_ALLOW_MIGRATE),
            "a migration agent may move the guest");
}

/* AT-27 */
static void check_platform(cm_run *run, const snp_report *r)
{
    uint64_t bits = run->p->snp.platform_required, mit = run->p->snp.mitigation_required;
    bool mitigated = r->version >= VERSION_MITIGATION && (r->mitigation_current & mit) == mit &&
                     (r->mitigation_launch & mit) == mit;

    if (bits == 0 && mit == 0) {
        cm_note_skip(run, CM_CHECK_PLATFORM, "the policy asks for no feature of the platform");
        return;
    }
    cm_note(run, CM_CHECK_PLATFORM, (r->platform & bits) == bits,
            "the platform lacks a feature that is asked for");
    cm_note(run, CM_CHECK_PLATFORM, mit == 0 || mitigated,
            "a mitigation that is asked for was not in force at launch, or is not now");
}

static void check_lists(cm_run *run, const snp_report *r)
{
    bool listed = false;

    cm_check_measurement(run, r->measurement);
    cm_check_config(run, r->host_data);
    for (size_t i = 0; i < run->p->n_chips; i++)
        listed |= cm_view_eq(run->p->chips[i], r->chip_id);
    if (run->p->n_chips)
        cm_note(run, CM_CHECK_CHIP, listed, "the chip is not on the list");
    else
        cm_note_skip(run, CM_CHECK_CHIP, "the policy has no list of chips");
}

static void check_policy(cm_run *run, const snp_report *r)
{
    check_guest_policy(run, r);
    check_platform(run, r);
    cm_note(run, CM_CHECK_PRIVILEGE, r->vmpl == run->p->snp.vmpl,
            "another privilege level asked for the report");
    check_lists(run, r);
    cm_check_fresh_padded(run, r->report_data);
}

/* ---- all of it ----------------------------------------------------------------------------- */

static void check_vek(cm_run *run, const snp_report *r, const cm_path *path)
{
    const snp_product *product = path->root ? product_named(path->root->product) : NULL;
    const char *why;

    if (!product || path->n < 2) {
        cm_note_skip(run, CM_CHECK_IDENTITY, "the certificates lead to no root");
        cm_note_skip(run, CM_CHECK_TCB_BOUND, "the certificates lead to no root");
        cm_note_skip(run, CM_CHECK_TCB, "the certificates lead to no root");
        return;
    }
    why = identity_why(run, r, path, product);
    cm_note(run, CM_CHECK_IDENTITY, why == NULL, why);
    check_tcb_bound(run, r, path->v[0], product);
    check_tcb(run, r, product);
}

static cm_err check_signer(cm_run *run, const snp_report *r)
{
    cm_view cn = signing_key(r) == KEY_VLEK ? CM_LIT("SEV-VLEK") : CM_LIT("SEV-VCEK");
    CM_AUTO(cm_path_done) cm_path path = {0};
    CM_AUTO(cm_pool_done) cm_pool pool = {0};
    X509 *vek;

    CM_TRY(cm_pool_load(&pool, run));
    vek = signing_key(r) <= KEY_VLEK ? cm_pool_named(&pool, cn) : NULL; /* AT-21 */
    if (!vek) {
        cm_note_fail(run, CM_CHECK_CHAIN, "the key that signed is not among the certificates once");
        cm_note_skip(run, CM_CHECK_SIGNATURE, "there is no certificate to check it with");
    } else {
        CM_TRY(check_signature(run, r, vek));
        CM_TRY(cm_path_find(&path, run, vek, &pool, CM_VENDOR_AMD, CM_CHECK_CHAIN));
    }
    check_vek(run, r, &path);
    /* AMD's list has the intermediate keys; single chips' keys are on none. */
    if (path.root)
        return cm_path_revocation(&path, run, 1);
    cm_note_skip(run, CM_CHECK_REVOCATION, "the certificates lead to no root");
    return CM_OKAY;
}

cm_err cm_attest_snp(cm_run *run)
{
    snp_report r = {0};
    const char *why = parse(&r, run->in->evidence);

    if (!cm_note(run, CM_CHECK_FORM, why == NULL, why))
        return CM_OKAY;
    CM_TRY(claims(run, &r));
    CM_TRY(check_signer(run, &r));
    check_policy(run, &r);
    return CM_OKAY;
}
