/* Reports that AMD's processors made, below tee/snp: each gives its recorded verdict at its time
 * and is refused at any other, with any byte changed, and with another chip's certificate. */
#include <stdio.h>

#include "attest_kit.h"
#include "codec/json.h"
#include "codec/text.h"

typedef struct {
    const char *folder, *roots, *vek, *intermediate, *from, *to;
    uint8_t vmpl;
    bool debug;
    cm_snp_tcb floor; /* the one it reports */
    cm_tcb_status tcb;
} set;

static const set sets[] = {
    {"snp/v2-milan-gosev",
     "snp/roots/milan",
     "vcek.der",
     "ask.der",
     "2022-09-24T00:00:00",
     "2029-09-24T23:59:59",
     0,
     true,
     {0, 2, 0, 5, 68},
     CM_TCB_UP_TO_DATE},
    {"snp/v2-milan-trustee",
     "snp/roots/milan",
     "vcek.der",
     "ask.der",
     "2023-01-24T00:00:00",
     "2030-01-24T23:59:59",
     0,
     false,
     {0, 3, 0, 8, 115},
     CM_TCB_PENDING},
    {"snp/v3-milan-vlek-aws",
     "snp/roots/milan-vlek",
     "vlek.der",
     "asvk.der",
     "2024-12-10T22:14:21",
     "2025-12-10T22:14:21",
     1,
     false,
     {0, 4, 0, 24, 217},
     CM_TCB_PENDING},
    {"snp/v3-milan-dstack",
     "snp/roots/milan",
     "vcek.der",
     "ask.der",
     "2026-06-17T00:00:00",
     "2033-06-17T23:59:59",
     0,
     false,
     {0, 4, 0, 23, 0},
     CM_TCB_PENDING},
    {"snp/v3-milan-aci",
     "snp/roots/milan",
     "vcek.der",
     "ask.der",
     "2026-02-05T00:00:00",
     "2033-02-05T23:59:59",
     0,
     false,
     {0, 4, 0, 24, 219},
     CM_TCB_UP_TO_DATE},
    {"snp/v3-genoa-aci",
     "snp/roots/genoa",
     "vcek.der",
     "ask.der",
     "2026-02-05T00:00:00",
     "2033-02-05T23:59:59",
     0,
     false,
     {0, 10, 0, 23, 84},
     CM_TCB_UP_TO_DATE},
    {"snp/v5-turin-aci",
     "snp/roots/turin",
     "vcek.der",
     "ask.der",
     "2026-02-05T01:04:33",
     "2033-02-05T01:04:33",
     0,
     false,
     {1, 1, 1, 4, 81},
     CM_TCB_UP_TO_DATE},
};

/* What has nothing recorded to compare with. */
static const uint32_t skips =
    CM_CHECK_BIT(REVOCATION) | CM_CHECK_BIT(PLATFORM) | CM_CHECK_BIT(CHIP) | CM_CHECK_BIT(CONFIG);

enum { DAY = 86400, SIGNED = 0x2a0 };

static cm_buf expected_text;
static cm_json *expected;

static cm_view hex_of(const char *key)
{
    cm_view v = cm_view_of(NULL, 0);

    T_CHECK(cm_ok(cm_json_string(cm_json_get(cm_json_root(expected), key), &v)));
    return t_hex_view(v);
}

static tee *open_set(const set *s, const char *at)
{
    tee *t = tee_new(s->folder, "report.bin", tee_time(at));

    tee_cert(t, s->folder, s->vek);
    tee_cert(t, s->roots, s->intermediate);
    tee_cert(t, s->roots, "ark.der");
    t->p.snp.vmpl = s->vmpl;
    t->p.snp.has_floor = true;
    t->p.snp.floor = s->floor;
    expected_text = t_slurp(tee_path(s->folder, "expected.json"));
    T_CHECK(cm_ok(cm_json_parse(&expected, cm_buf_view(&expected_text), NULL, NULL)));
    return t;
}

static void close_set(tee *t)
{
    cm_json_free(expected);
    expected = NULL;
    cm_buf_free(&expected_text);
    tee_done(t);
}

static bool claim_is(const tee *t, const char *claim, cm_view want)
{
    const cm_attest_claim *c = cm_attest_find(&t->r, claim);

    return c && cm_view_eq(cm_attest_claim_view(&t->r, c), want);
}

static void claims(const tee *t)
{
    uint64_t v = 0;

    T_CHECK(claim_is(t, "measurement", hex_of("measurement")));
    T_CHECK(claim_is(t, "report_data", hex_of("report_data")));
    T_CHECK(claim_is(t, "host_data", hex_of("host_data")));
    T_CHECK(claim_is(t, "chip_id", hex_of("chip_id")));
    T_CHECK(cm_ok(cm_json_u64(cm_json_get(cm_json_root(expected), "version"), &v)) &&
            cm_attest_find(&t->r, "version")->u == v);
}

/* AT-8: what it is bound to, cut at the zeros that end it. */
static cm_view bound(cm_view report_data)
{
    while (report_data.n > 1 && report_data.p[report_data.n - 1] == 0)
        report_data.n--;
    return report_data;
}

static void right(tee *t, const set *s)
{
    cm_err e;

    tee_measured(t, hex_of("measurement"));
    t->p.fresh = bound(hex_of("report_data"));
    e = tee_run(t, skips);
    T_CHECK(s->debug ? cm_is(e, CM_ATTEST_REFUSED) : cm_ok(e));
    T_CHECK(tee_is(t, CM_CHECK_DEBUG, s->debug ? CM_VERDICT_FAIL : CM_VERDICT_PASS));
    T_CHECK(tee_is(t, CM_CHECK_IDENTITY, CM_VERDICT_PASS));
    T_CHECK(tee_is(t, CM_CHECK_TCB_BOUND, CM_VERDICT_PASS));
    T_CHECK(t->r.tcb == s->tcb);
    claims(t);
    t->p.flags = CM_ATTEST_ALLOW_DEBUG;
    T_CHECK(cm_ok(tee_run(t, skips)));
    T_CHECK(cm_is(tee_run(t, 0), CM_ATTEST_INCOMPLETE)); /* AT-3 */
    t->digest[0] ^= 1;
    T_CHECK(cm_is(tee_run(t, UINT32_MAX), CM_ATTEST_REFUSED) &&
            tee_is(t, CM_CHECK_MEASUREMENT, CM_VERDICT_FAIL));
    t->digest[0] ^= 1;
}

static void wrong_time(tee *t, const set *s)
{
    uint64_t now = t->p.now;

    t->p.now = tee_time(s->from) - DAY;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_FAIL));
    t->p.now = tee_time(s->to) + DAY;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_FAIL));
    t->p.now = now;
}

static void wrong_policy(tee *t, const set *s)
{
    static const uint8_t other[64] = {1};
    const cm_view chip = CM_VIEW(other);

    t->p.chips = &chip;
    t->p.n_chips = 1;
    t->p.config = CM_LIT("other");
    t->p.snp.vmpl = (uint8_t)(s->vmpl + 1);
    t->p.snp.policy_required = 1ull << 60; /* AT-26 */
    t->p.snp.platform_required = 1ull << 60;
    t->p.fresh = CM_LIT("another nonce");
    t->p.snp.floor.bl++;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)));
    T_CHECK(tee_is(t, CM_CHECK_CHIP, CM_VERDICT_FAIL));
    T_CHECK(tee_is(t, CM_CHECK_CONFIG, CM_VERDICT_FAIL));
    T_CHECK(tee_is(t, CM_CHECK_PRIVILEGE, CM_VERDICT_FAIL));
    T_CHECK(tee_is(t, CM_CHECK_GUEST_POLICY, CM_VERDICT_FAIL));
    T_CHECK(tee_is(t, CM_CHECK_PLATFORM, CM_VERDICT_FAIL));
    T_CHECK(tee_is(t, CM_CHECK_FRESH, CM_VERDICT_FAIL));
    t->p.n_chips = 0;
    t->p.chips = NULL;
    T_CHECK(tee_is(t, CM_CHECK_TCB, CM_VERDICT_FAIL)); /* AT-25 */
}

/* AT-20: no length but the one. */
static void wrong_length(tee *t)
{
    cm_view whole = t->in.evidence;

    t->in.kind = CM_ATTEST_SNP;
    for (size_t n = 1; n < whole.n; n += 37) {
        t->in.evidence = cm_view_sub(whole, 0, n);
        T_CHECK(cm_is(tee_run(t, UINT32_MAX), CM_ATTEST_REFUSED));
    }
    t->in.evidence = whole;
}

static void each_set(const set *s)
{
    tee *t = open_set(s, s->from);

    t_case(s->folder, 0);
    t->p.now = tee_time(s->from) + DAY;
    t_ran();
    right(t, s);
    tee_every_byte(t);
    wrong_time(t, s);
    wrong_length(t);
    tee_mutate(t, t->evidence.p, t->evidence.n, 23);
    t_case(s->folder, 1);
    /* AT-6, AT-23 */
    tee_mutate(t, t->file[0].p, t->file[0].n, 41);
    t_case(s->folder, 2);
    wrong_policy(t, s);
    close_set(t);
}

static void run_set(const char *path)
{
    for (size_t i = 0; i < CM_COUNT(sets); i++)
        if (strstr(path, sets[i].folder))
            each_set(&sets[i]);
}

/* ---- what verifiers forgot ---- the documented faults, by name ----------------------------- */

/* snpguest took "SEV-VCEK" for the intermediate, for its name has "sev" in it, and never compared
 * the chip: here the certificate of another chip, of the same product and firmware or not. */
static void hwid_of_another_chip(void)
{
    tee *t = open_set(&sets[4], "2026-06-18T00:00:00");

    t->n_files = 3;
    t->in.n_certs = 3;
    t->cert[0] = tee_file(t, "snp/v3-milan-dstack", "vcek.der");
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)));
    T_CHECK(tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_PASS));
    T_CHECK(tee_is(t, CM_CHECK_IDENTITY, CM_VERDICT_FAIL)); /* AT-24 */
    T_CHECK(tee_is(t, CM_CHECK_SIGNATURE, CM_VERDICT_FAIL));
    t_ran();
    close_set(t);
}

/* Two certificates that claim to be the signer's, or none: neither is chosen (AT-21). */
static void two_signers(void)
{
    tee *t = open_set(&sets[4], "2026-06-18T00:00:00");

    tee_cert(t, "snp/v3-milan-dstack", "vcek.der");
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_FAIL));
    t->in.n_certs = 0;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_FAIL));
    t_ran();
    close_set(t);
}

/* go-sev-guest refuses Turin, whose layout is another, and bit 6 of its platform (AT-22, AT-27). */
static void turin_is_not_milan(void)
{
    tee *t = open_set(&sets[6], "2026-06-18T00:00:00");

    t->p.snp.platform_required = 0x65;
    t->p.snp.mitigation_required = 0x3f;
    T_CHECK(cm_ok(tee_run(t, skips | CM_CHECK_BIT(FRESH) | CM_CHECK_BIT(MEASUREMENT))));
    T_CHECK(tee_is(t, CM_CHECK_PLATFORM, CM_VERDICT_PASS));
    t->p.snp.mitigation_required = 0x40;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_PLATFORM, CM_VERDICT_FAIL));
    t->p.snp.mitigation_required = 0;
    t->p.snp.floor.fmc = 2;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_TCB, CM_VERDICT_FAIL));
    t_ran();
    close_set(t);
}

/* An older report has no mitigation vector: one that is asked for is missing, not ignored. */
static void no_mitigations_before_version_5(void)
{
    tee *t = open_set(&sets[5], "2026-06-18T00:00:00");

    t->p.snp.mitigation_required = 1;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_PLATFORM, CM_VERDICT_FAIL));
    t_ran();
    close_set(t);
}

/* Certificates whose form is read but that AMD never signed. */
static void forged_certificates(void)
{
    static const char *const name[] = {"vcek-invalid-legacy.der", "vcek-invalid-new.der"};

    for (size_t i = 0; i < CM_COUNT(name); i++) {
        tee *t = open_set(&sets[1], "2024-06-18T00:00:00");

        t->cert[0] = tee_file(t, "snp/negative", name[i]);
        T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_FAIL));
        t_ran();
        close_set(t);
    }
}

/* AT-5: without the intermediate there is no path, and another product's root is none. */
static void other_roots(void)
{
    tee *t = open_set(&sets[5], "2026-06-18T00:00:00");

    t->cert[1] = tee_file(t, "snp/roots/turin", "ask.der");
    t->cert[2] = tee_file(t, "snp/roots/turin", "ark.der");
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_FAIL));
    t->in.n_certs = 1;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_FAIL));
    t_ran();
    close_set(t);
}

static void forgotten(void)
{
    hwid_of_another_chip();
    two_signers();
    turin_is_not_milan();
    no_mitigations_before_version_5();
    forged_certificates();
    other_roots();
}

static void run(void)
{
    for (size_t i = 0; i < CM_COUNT(sets); i++)
        tee_each(sets[i].folder, "report.bin", run_set);
    if (tee_exists(sets[0].folder, "report.bin"))
        t_group("what verifiers forgot", forgotten);
}

int main(void)
{
    return t_vectors_main(run);
}
