/* Evidence of one kind before cm_attest_verify(), with a policy that it may meet. */
#include <string.h>

#include "attest/tpm_int.h"
#include "evidence.h"

enum { KNOB_REAL = 1, KNOB_DEBUG = 2, KNOB_MIGRATE = 4, KNOB_STRICT = 8, KNOB_CACHE = 16 };
enum { ROOTS = 96, TIME_BITS = 40, KNOBS = 9 };

typedef struct {
    cm_attest_input in;
    cm_attest_policy p;
    cm_view cert[FUZZ_PIECES], crl[FUZZ_PIECES], ocsp[FUZZ_PIECES], rim[FUZZ_PIECES];
    cm_view measurement[2 * FUZZ_PIECES], chip[FUZZ_PIECES + 1];
    uint8_t digest[FUZZ_PIECES][32]; /* of the manifests: the policy names each */
    uint8_t name[CM_TPM_NAME_MAX];
    cm_tpm_activation activation;
    uint8_t flags;
} set;

/* The vendors' and those of the minted sets. */
static cm_roots all_roots(void)
{
    static cm_root v[ROOTS];
    static size_t n;
    cm_roots a = cm_roots_pinned(), b = mint_roots();

    if (n == 0) {
        fuzz_must(a.n + b.n <= ROOTS);
        memcpy(v, a.v, a.n * sizeof v[0]);
        memcpy(v + a.n, b.v, b.n * sizeof v[0]);
        n = a.n + b.n;
    }
    return (cm_roots){v, n};
}

static void add_rim(set *s, cm_view v)
{
    size_t n = s->in.n_rims;

    fuzz_must(cm_ok(cm_hash_once(fuzz_crypt(), CM_SHA256, s->digest[n], v)));
    s->measurement[s->p.n_measurements++] = CM_VIEW(s->digest[n]);
    s->rim[s->in.n_rims++] = v;
}

static bool add_lists(set *s, const fuzz_piece *piece)
{
    switch (piece->tag) {
    case FUZZ_CERT:
        s->cert[s->in.n_certs++] = piece->v;
        return true;
    case FUZZ_CRL:
        s->crl[s->in.n_crls++] = piece->v;
        return true;
    case FUZZ_OCSP:
        s->ocsp[s->in.n_ocsps++] = piece->v;
        return true;
    case FUZZ_RIM:
        add_rim(s, piece->v);
        return true;
    case FUZZ_MEASUREMENT:
        s->measurement[s->p.n_measurements++] = piece->v;
        return true;
    case FUZZ_CHIP:
        s->chip[s->p.n_chips++] = piece->v;
        return true;
    default:
        return false;
    }
}

static cm_view *single(set *s, uint8_t tag)
{
    switch (tag) {
    case FUZZ_EVIDENCE:
        return &s->in.evidence;
    case FUZZ_TCB:
        return &s->in.tcb_info;
    case FUZZ_TCB_SIG:
        return &s->in.tcb_info_sig;
    case FUZZ_QE:
        return &s->in.qe_identity;
    case FUZZ_QE_SIG:
        return &s->in.qe_identity_sig;
    case FUZZ_LOG:
        return &s->in.event_log;
    case FUZZ_STATUS:
        return &s->in.status_list;
    case FUZZ_FRESH:
        return &s->p.fresh;
    case FUZZ_CONFIG:
        return &s->p.config;
    case FUZZ_KEY:
        return &s->p.apple.key;
    default:
        return tag >= FUZZ_PART && tag < FUZZ_PART + CM_PART_COUNT ? &s->in.part[tag - FUZZ_PART]
                                                                   : NULL;
    }
}

static void set_knobs(set *s, cm_view k)
{
    s->p.now = 1800000000;
    if (k.n < KNOBS)
        return;
    s->flags = k.p[0];
    s->p.now = cm_get_be64(k.p + 1) & (((uint64_t)1 << TIME_BITS) - 1);
    s->p.flags = (s->flags & KNOB_DEBUG ? CM_ATTEST_ALLOW_DEBUG : 0) |
                 (s->flags & KNOB_MIGRATE ? CM_ATTEST_ALLOW_MIGRATE : 0);
    if (!(s->flags & KNOB_STRICT))
        return;
    s->p.snp.has_floor = true;
    s->p.snp.floor = (cm_snp_tcb){1, 1, 1, 1, 1};
    s->p.snp.platform_required = s->p.snp.policy_required = s->p.intel.attributes_required = 1;
    s->p.intel.evaluation = s->p.android.os_patch = 1;
    s->p.android.purposes = s->p.tpm.pcrs = s->p.tpm.log_pcrs = 0xff;
    s->p.android.status_age = s->p.max_age = 3600;
    s->p.android.strongbox = s->p.tpm.has_boot = true;
    s->p.tpm.activation = &s->activation;
}

/* What a TPM's rule names: the key that came. */
static void name_key(set *s)
{
    cm_tpm_public pub;
    size_t n;

    if (!cm_tpm_public_read(&pub, s->in.part[CM_PART_AK]) ||
        cm_failed(cm_tpm_name(s->name, &n, fuzz_crypt(), &pub)))
        return;
    s->chip[s->p.n_chips++] = cm_view_of(s->name, n);
}

static void set_of(set *s, const fuzz_pieces *p)
{
    const char *name = fuzz_chosen()->name;

    memset(s, 0, sizeof *s);
    s->in.kind = cm_attest_kind_of(cm_view_str(name));
    set_knobs(s, fuzz_piece_of(p, FUZZ_KNOBS));
    for (size_t i = 0; i < p->n; i++) {
        cm_view *one = add_lists(s, &p->v[i]) ? NULL : single(s, p->v[i].tag);

        if (one && one->n == 0)
            *one = p->v[i].v;
        if (p->v[i].tag == FUZZ_KIND && p->v[i].v.n && s->in.kind == CM_ATTEST_UNKNOWN)
            s->in.kind = (cm_attest_kind)(p->v[i].v.p[0] & 15);
    }
    s->in.certs = s->cert;
    s->in.crls = s->crl;
    s->in.ocsps = s->ocsp;
    s->in.rims = s->rim;
    s->p.measurements = s->measurement;
    s->p.chips = s->chip;
    s->in.status_time = s->p.now;
    if (s->in.kind == CM_ATTEST_TPM && !(s->flags & KNOB_STRICT) && s->in.n_certs == 0)
        name_key(s);
}

/* No claim past its buffer, no skip or failure without its reason. */
static void look(const cm_attest_result *r)
{
    for (size_t i = 0; i < r->n_claims; i++)
        fuzz_must(r->claim[i].at + r->claim[i].n <= r->data.n);
    for (unsigned i = 0; i < CM_CHECK_COUNT; i++)
        fuzz_must(r->check[i].verdict < CM_VERDICT_SKIP || r->check[i].why);
    fuzz_must(r->check[CM_CHECK_FORM].verdict != CM_VERDICT_SKIP);
    fuzz_must(r->measured.n <= sizeof r->measured.v);
}

void fuzz_run_verify(const fuzz_pieces *p)
{
    CM_AUTO(cm_attest_result_done) cm_attest_result r = {0};
    static set s;
    cm_attest_cache *cache = NULL;

    set_of(&s, p);
    fuzz_trust(!(s.flags & KNOB_REAL));
    /* With a memory of what was verified each link is this library's to verify (AT-12). */
    if (!(s.flags & KNOB_REAL) || s.flags & KNOB_CACHE)
        fuzz_must(cm_ok(cm_attest_cache_new(&cache)));
    s.in.cache = cache;
    if (cm_ok(cm_attest_verify_under(&r, fuzz_crypt(), all_roots(), &s.in, &s.p)))
        look(&r);
    (void)cm_attest_detect(s.in.evidence);
    cm_attest_cache_free(cache);
}

/* The three structures by themselves as well: none hides behind another. */
void fuzz_run_tpm(const fuzz_pieces *p)
{
    cm_view ak = fuzz_piece_of(p, FUZZ_PART + CM_PART_AK);
    cm_tpm_public pub;
    cm_tpm_quote q;
    cm_tpm_signature sig;
    EVP_PKEY *key = NULL;

    if (cm_tpm_public_read(&pub, ak) && cm_ok(cm_tpm_public_key(&key, fuzz_crypt(), &pub)))
        EVP_PKEY_free(key);
    if (cm_tpm_quote_read(&q, fuzz_piece_of(p, FUZZ_EVIDENCE)))
        fuzz_must(q.n_banks <= CM_TPM_BANKS);
    (void)cm_tpm_signature_read(&sig, fuzz_piece_of(p, FUZZ_PART + CM_PART_SIGNATURE));
    fuzz_run_verify(p);
}
