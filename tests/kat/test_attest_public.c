/* The interface for other programs, and files told by what they hold: over one recorded report and
 * one quote with the statements of its day. */
#include <casemate/attest.h>

#include "attest/bundle.h"
#include "attest_kit.h"

static const char *const skips[] = {"revocation", "tcb",  "platform", "measurement",
                                    "config",     "chip", "fresh",    "events"};

static cm_err accepted(cm_view evidence, const cm_attestation_options *o)
{
    cm_attestation *a = NULL;
    cm_err e = cm_attestation_new(&a, evidence, o);

    if (cm_ok(e))
        e = cm_attestation_accepted(a);
    cm_attestation_free(a);
    return e;
}

static void options(void)
{
    tee *t = tee_new("snp/v3-genoa-aci", "report.bin", tee_time("2026-06-01T00:00:00"));
    cm_attestation_file f[] = {
        {"vcek.der", tee_file(t, "snp/v3-genoa-aci", "vcek.der")},
        {NULL, tee_file(t, "snp/roots/genoa", "ask.der")},
        {"ark.der", tee_file(t, "snp/roots/genoa", "ark.der")},
    };
    static const char *const none[] = {"no such check"};
    cm_attestation_options o = {.abi = CM_ABI_VERSION,
                                .at = t->p.now,
                                .files = f,
                                .file_count = 3,
                                .may_skip = skips,
                                .may_skip_count = CM_COUNT(skips)};

    T_CHECK(cm_ok(accepted(t->in.evidence, &o)));
    o.may_skip_count--; /* a check that this kind does not have */
    T_CHECK(cm_ok(accepted(t->in.evidence, &o)));
    o.may_skip_count--;
    T_CHECK(cm_is(accepted(t->in.evidence, &o), CM_ATTEST_INCOMPLETE)); /* AT-3: fresh */
    o.bound = CM_LIT("another");
    T_CHECK(cm_is(accepted(t->in.evidence, &o), CM_ATTEST_REFUSED));
    o.bound = cm_view_of(NULL, 0);
    o.at = 0;
    T_CHECK(cm_is(accepted(t->in.evidence, &o), CM_ATTEST_REFUSED));
    o.may_skip = none;
    o.may_skip_count = 1;
    T_CHECK(cm_is(accepted(t->in.evidence, &o), CM_BAD_ARGUMENT));
    o.may_skip_count = 0;
    o.abi++;
    T_CHECK(cm_is(accepted(t->in.evidence, &o), CM_BAD_ARGUMENT));
    t_ran();
    tee_done(t);
}

static void shown(void)
{
    tee *t = tee_new("nitro/prod-2021", "doc.cbor", tee_time("2021-03-17T22:02:00"));
    cm_attestation_options o = {.abi = CM_ABI_VERSION, .at = t->p.now};
    cm_attestation_check check;
    cm_attestation_claim claim;
    cm_attestation *a = NULL;
    size_t n = 0, pcrs = 0;

    T_CHECK(cm_ok(cm_attestation_new(&a, t->in.evidence, &o)));
    T_CHECK(strcmp(cm_attestation_kind(a), "nitro") == 0);
    for (; cm_attestation_check_at(a, n, &check); n++)
        T_CHECK((check.why == NULL) == (strcmp(check.verdict, "PASS") == 0));
    T_CHECK(n == 8 && !cm_attestation_check_at(a, SIZE_MAX, &check));
    for (n = 0; cm_attestation_claim_at(a, n, &claim); n++)
        if (strcmp(claim.name, "pcr") == 0)
            pcrs += claim.bytes.n == 48 && !claim.is_text && !claim.is_number;
    T_CHECK(pcrs == 4 && !cm_attestation_claim_at(a, SIZE_MAX, &claim));
    t_ran();
    cm_attestation_free(a);
    tee_done(t);
}

/* Every file of a folder, once, again, and beside what is of no use. */
static void bundle(void)
{
    static const struct {
        const char *name, *as;
    } files[] = {
        {"pck.crl", "revocation list"},
        {"pck_crl_issuer_chain.pem", "certificate"},
        {"qe_identity.json", "enclave identity"},
        {"qe_identity.sig", "signature"},
        {"root_ca.crl", "revocation list"},
        {"tcb_info.json", "TCB info"},
        {"tcb_info.sig", "signature"},
        {"tcb_info_issuer_chain.pem", "certificate"},
        {"verdict.json", NULL},
    };
    tee *t = tee_new("tdx/v4-uptodate", "quote.bin", tee_time("2025-07-01T00:00:00"));
    cm_attest_bundle *b = NULL;
    const char *as;

    T_CHECK(cm_ok(cm_attest_bundle_new(&b, t->c)));
    for (size_t i = 0; i < 2 * CM_COUNT(files); i++) {
        size_t k = i % CM_COUNT(files);
        cm_view v = tee_file(t, "tdx/v4-uptodate/collateral", files[k].name);

        t_case(files[k].name, i);
        T_CHECK(cm_ok(cm_attest_bundle_add(b, cm_view_str(files[k].name), v, &as)));
        T_CHECK(files[k].as ? as && strcmp(as, files[k].as) == 0 : !as);
    }
    T_CHECK(cm_ok(cm_attest_bundle_add(b, CM_LIT("x"), t->in.evidence, &as)) && !as);
    T_CHECK(cm_ok(cm_attest_bundle_add(b, CM_LIT("x"), CM_LIT(""), &as)) && !as);
    cm_attest_bundle_input(b, &t->in);
    T_CHECK(t->in.n_crls == 2 && t->in.n_certs == 3);
    T_CHECK(cm_ok(tee_run(t, CM_CHECK_BIT(CONFIG) | CM_CHECK_BIT(EVENTS) | CM_CHECK_BIT(FRESH) |
                                 CM_CHECK_BIT(MEASUREMENT))));
    t_ran();
    cm_attest_bundle_free(b);
    tee_done(t);
}

static void run(void)
{
    if (!tee_exists("snp/v3-genoa-aci", "report.bin"))
        return;
    t_group("options", options);
    t_group("what is shown", shown);
    t_group("files by what they hold", bundle);
}

int main(void)
{
    return t_vectors_main(run);
}
