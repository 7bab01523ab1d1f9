/* Policy files: what is refused, what is decided and how it is said, and who may change one. */
#include <stdio.h>
#include <string.h>

#include "appraise/policy.h"
#include "kit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define HEAD      "casemate_policy: 1\nname: p\nversion: 2\n"
#define A32       "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define B32       "1111111111111111111111111111111111111111111111111111111111111111"
#define ONE(more) "{value: " A32 ", name: one, provenance: built here" more "}"

static cm_policy *read_ok(const char *text)
{
    cm_policy_fault f;
    cm_policy *p = NULL;
    cm_err e = cm_policy_read(&p, cm_view_str(text), &f);

    if (cm_failed(e))
        print_message("%u:%u %s\n%s\n", f.line, f.column, f.what, text);
    assert_true(cm_ok(e));
    return p;
}

static void refused(const char *text, cm_reason why, unsigned line)
{
    cm_policy_fault f;
    cm_policy *p = NULL;
    cm_err e = cm_policy_read(&p, cm_view_str(text), &f);

    if (!cm_is(e, why) || f.line != line)
        print_message("%s at %u:%u (%s), of:\n%s\n", cm_err_name(e), f.line, f.column, f.what,
                      text);
    assert_true(cm_is(e, why) && p == NULL);
    assert_int_equal(f.line, line);
    assert_true(f.column > 0 && f.what[0]);
}

static void syntax(void **s)
{
    (void)s;
    refused("", CM_POLICY_SYNTAX, 1);
    refused("a: [", CM_POLICY_SYNTAX, 2);
    refused("a: &x 1\n", CM_POLICY_SYNTAX, 1);
    refused("a: 1\nb: *a\n", CM_POLICY_SYNTAX, 2);
    refused("a: !!str 1\n", CM_POLICY_SYNTAX, 1);
    refused("%YAML 1.1\n---\na: 1\n", CM_POLICY_SYNTAX, 1);
    refused("a: 1\n---\nb: 1\n", CM_POLICY_SYNTAX, 2);
    refused("a: 1\na: 2\n", CM_POLICY_SYNTAX, 1);
    refused("[a]: 1\n", CM_POLICY_SYNTAX, 1);
    refused("[[[[[[[[[[[[[[[[a]]]]]]]]]]]]]]]]\n", CM_POLICY_SYNTAX, 1);
    refused("a\n", CM_POLICY_FORM, 1);
}

static void form(void **s)
{
    static const char ev[] = HEAD "evidence:\n  snp:\n    measurements: any\n    ";
    static const char *const bad[] = {
        "debgu: forbidden\n", /* AP-2 */
        "debug: yes\n",         "debug: true\n",
        "chips: []\n",          "chips: [xyz]\n",
        "floor: {}\n",          "floor: {kernel: 1}\n",
        "floor: {snp: 256}\n",  "vmpl: 4\n",
        "vmpl: -1\n",           "may_skip: [chain]\n", /* AP-6 */
        "may_skip: [form]\n",   "may_skip: [signature]\n",
        "may_skip: [no]\n",     "may_skip: all\n",
        "max_age: soon\n",      "accept_tcb: [revoked]\n",
        "accept_tcb: [fine]\n", "config: 123\n",
        "guest_policy: 0x1\n",  "attributes: 0x112233445566778899\n",
    };
    char text[1024];

    (void)s;
    refused(HEAD, CM_POLICY_FORM, 1);
    refused("casemate_policy: 2\nname: p\nversion: 1\n", CM_POLICY_FORM, 1); /* AP-1 */
    refused(HEAD "evidence: {}\n", CM_POLICY_FORM, 4);
    /* AP-10 */
    refused(HEAD "evidence: {tpm: {measurements: [{value: " A32 ", name: x, provenance: y}]}}\n",
            CM_POLICY_FORM, 4);
    refused(HEAD "evidence: {tpm: {measurements: any, pcrs: [24]}}\n", CM_POLICY_FORM, 4);
    refused(HEAD "evidence: {tpm: {measurements: any, pcrs: []}}\n", CM_POLICY_FORM, 4);
    refused(HEAD "evidence: {moon: {measurements: any}}\n", CM_POLICY_FORM, 4);
    refused(HEAD "evidence:\n  snp: {vmpl: 0}\n", CM_POLICY_FORM, 5); /* AP-4 */
    refused(HEAD "evidence:\n  snp:\n    measurements:\n      - {value: " A32 ", name: x}\n",
            CM_POLICY_FORM, 7); /* AP-5 */
    refused(HEAD "expires: 2026-02-29\nevidence: {snp: {measurements: any}}\n", CM_POLICY_FORM, 4);
    refused(HEAD "tiers: {5: {evidence: any}}\nevidence: {snp: {measurements: any}}\n",
            CM_POLICY_FORM, 4);
    refused(HEAD "signers: [{name: a, key: " A32 "}, {name: b, key: " A32 "}]\n", CM_POLICY_FORM,
            4);
    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        (void)snprintf(text, sizeof text, "%s%s", ev, bad[i]);
        refused(text, CM_POLICY_FORM, 7);
    }
}

static void values(void **s)
{
    cm_policy *p = read_ok(
        HEAD "expires: 2028-02-29T23:59:59Z\n"
             "gpu: required\n"
             "signers:\n- {name: a, key: " A32 "}\n- {name: b, key: " B32 "}\n"
             "evidence:\n"
             "  snp:\n"
             "    measurements:\n    - " ONE("") "\n    - " ONE(
                 ", until: 2027-01-01") "\n"
                                        "    chips: [" A32 "]\n"
                                        "    floor: {fmc: 1, bl: 2, tee: 3, snp: 4, ucode: 5}\n"
                                        "    vmpl: 1\n    guest_policy: 0x0102\n    platform: 32\n "
                                        "   mitigations: 3\n"
                                        "    config: 00ff\n    debug: allowed\n    migration: "
                                        "forbidden\n    max_age: 60\n"
                                        "    may_skip: [fresh, revocation]\n"
                                        "  tdx:\n    measurements: any\n    accept_tcb: [software "
                                        "hardening needed]\n"
                                        "    evaluation: 17\n    attributes: 0x10000000\n"
                                        "tiers:\n  2: {evidence: [tdx, snp]}\n  4: {evidence: any, "
                                        "gpu: required}\n");
    const cm_policy_rule *r = cm_policy_rule_of(p, CM_ATTEST_SNP);

    (void)s;
    assert_true(p->version == 2 && p->expires == 1835481599 && p->gpu && p->n_signers == 2);
    assert_true(r && r->n_measurements == 2 && r->measurement[1].until == 1798761600);
    assert_true(r->n_chips == 1 && r->demand.snp.floor.fmc == 1 && r->demand.snp.floor.ucode == 5);
    assert_true(r->demand.snp.vmpl == 1 && r->demand.snp.policy_required == 0x102 &&
                r->demand.snp.platform_required == 32 && r->demand.snp.mitigation_required == 3);
    assert_true(r->demand.flags == CM_ATTEST_ALLOW_DEBUG && r->demand.max_age == 60 &&
                r->demand.may_skip == (CM_CHECK_BIT(FRESH) | CM_CHECK_BIT(REVOCATION)));
    r = cm_policy_rule_of(p, CM_ATTEST_TDX);
    assert_true(r->any_measurement && r->demand.intel.accept_tcb == CM_TCB_BIT(SW_HARDENING) &&
                r->demand.intel.evaluation == 17 &&
                r->demand.intel.attributes_required == 0x10000000 && r->demand.flags == 0);
    assert_null(cm_policy_rule_of(p, CM_ATTEST_NITRO));
    assert_true(p->tier[2].kinds == (1u << CM_ATTEST_SNP | 1u << CM_ATTEST_TDX) && p->tier[4].gpu);
    cm_policy_free(p);
}

/* ---- deciding ------------------------------------------------------------------------------ */

enum { NOW = 1790000000 }; /* in 2026 */

static void passed(cm_appraised *a, cm_attest_kind kind)
{
    *a = (cm_appraised){.r = {.kind = kind}, .answer = CM_OKAY};
    a->r.check[CM_CHECK_FORM].verdict = CM_VERDICT_PASS;
}

static void judged(const cm_policy *p, const cm_appraised *v, size_t n, bool accepted,
                   unsigned tier, const char *says)
{
    cm_appraisal a;

    cm_policy_judge(&a, p, v, n, NOW);
    if (a.accepted != accepted || a.tier != tier || !strstr(a.sentence, says))
        print_message("%d tier %u: %s\n", a.accepted, a.tier, a.sentence);
    assert_true(a.accepted == accepted && a.tier == tier && strstr(a.sentence, says));
    assert_int_equal(a.sentence[strlen(a.sentence) - 1], '.');
}

static void deciding(void **s)
{
    cm_policy *p = read_ok(HEAD "evidence: {snp: {measurements: any}, tdx: {measurements: any}}\n"
                                "tiers: {2: {evidence: [tdx]}}\n");
    cm_appraised v[2];

    (void)s;
    judged(p, v, 0, false, 0, "evidence of a machine");
    passed(&v[0], CM_ATTEST_SNP);
    judged(p, v, 1, true, 1, "tier 1"); /* AP-9 */
    passed(&v[0], CM_ATTEST_TDX);
    judged(p, v, 1, true, 2, "Intel TDX quote");
    passed(&v[1], CM_ATTEST_NITRO);
    judged(p, v, 2, false, 0, "no rule for nitro"); /* AP-4, AP-8 */
    passed(&v[1], CM_ATTEST_SNP);
    v[1].answer = CM_FAIL(ATTEST_REFUSED);
    v[1].r.check[CM_CHECK_DEBUG].verdict = CM_VERDICT_FAIL;
    v[1].r.check[CM_CHECK_DEBUG].why = "it can be debugged";
    judged(p, v, 2, false, 0, "the check debug failed: it can be debugged");
    p->gpu = true;
    judged(p, v, 1, false, 0, "evidence of a GPU"); /* AP-8 */
    p->gpu = false;
    p->expires = NOW;
    judged(p, v, 1, false, 0, "is over"); /* AP-7 */
    p->expires = NOW + 1;
    judged(p, v, 1, true, 2, "accepts");
    cm_policy_free(p);
}

static void standard_tiers(void **s)
{
    cm_policy *p = read_ok(HEAD "evidence: {snp: {measurements: any}}\n");
    cm_appraised v;

    (void)s;
    passed(&v, CM_ATTEST_SNP);
    judged(p, &v, 1, true, 2, "tier 2"); /* AP-9: 3 needs a GPU, 4 is never granted */
    cm_policy_free(p);
}

/* ---- two people ---------------------------------------------------------------------------- */

enum { KEYS = 4 };

typedef struct {
    cm_crypt *c;
    cm_pkey *key[KEYS]; /* alice, bob, carol; the last is classical */
    cm_buf sig[KEYS];
    cm_policy *p, *before;
    cm_buf text;
} people;

static void fingerprint_hex(char hex[65], const people *w, size_t i)
{
    uint8_t fp[32];

    assert_true(cm_ok(cm_pkey_fingerprint(fp, w->c, w->key[i])));
    for (size_t k = 0; k < sizeof fp; k++)
        (void)snprintf(hex + 2 * k, 3, "%02x", fp[k]);
}

static cm_policy *policy_of(people *w, unsigned version, size_t one, size_t two, cm_buf *keep)
{
    char a[65], b[65], text[1024];

    fingerprint_hex(a, w, one);
    fingerprint_hex(b, w, two);
    (void)snprintf(text, sizeof text,
                   "casemate_policy: 1\nname: p\nversion: %u\nsigners: [{name: x, key: %s}, "
                   "{name: y, key: \"%s\"}]\nevidence: {snp: {measurements: any}}\n",
                   version, a, b);
    if (keep) {
        keep->max = sizeof text;
        assert_true(cm_ok(cm_buf_append(keep, cm_view_str(text))));
    }
    return read_ok(text);
}

static void people_init(people *w)
{
    static const char *const type[KEYS] = {"ML-DSA-65", "ML-DSA-87", "ML-DSA-65", "Ed25519"};

    *w = (people){.c = NULL};
    assert_true(cm_ok(cm_crypt_new(&w->c, CM_PROFILE_DEFAULT)));
    for (size_t i = 0; i < KEYS; i++)
        assert_true(cm_ok(cm_pkey_generate(&w->key[i], w->c, cm_view_str(type[i]))));
    w->before = policy_of(w, 2, 0, 1, NULL);
    w->p = policy_of(w, 3, 2, 1, &w->text); /* carol comes in alice's place */
    for (size_t i = 0; i < KEYS - 1; i++) {
        w->sig[i].max = 1 << 16;
        assert_true(cm_ok(cm_policy_sign(&w->sig[i], w->c, w->key[i], cm_buf_view(&w->text))));
    }
}

static void people_done(people *w)
{
    for (size_t i = 0; i < KEYS; i++) {
        cm_pkey_free(w->key[i]);
        cm_buf_free(&w->sig[i]);
    }
    cm_policy_free(w->p);
    cm_policy_free(w->before);
    cm_buf_free(&w->text);
    cm_crypt_free(w->c);
}

static cm_err agreed(const people *w, const cm_policy *before, size_t one, size_t two)
{
    const cm_view sigs[] = {cm_buf_view(&w->sig[one]), cm_buf_view(&w->sig[two])};

    return cm_policy_agreed(w->c, w->p, cm_buf_view(&w->text), before, sigs, 2, w->key, KEYS);
}

static void two_people(void **s)
{
    cm_buf out = {.max = 1 << 16};
    people w;

    (void)s;
    people_init(&w);
    assert_true(cm_ok(agreed(&w, w.before, 0, 1)));
    assert_true(cm_is(agreed(&w, w.before, 0, 0), CM_POLICY_SIGNATURES)); /* AP-20 */
    assert_true(cm_is(agreed(&w, w.before, 2, 1), CM_POLICY_SIGNER));     /* AP-21 */
    assert_true(cm_ok(agreed(&w, NULL, 2, 1)));                           /* the first of all */
    assert_true(cm_is(agreed(&w, NULL, 0, 1), CM_POLICY_SIGNER));
    w.p->version = 2; /* AP-22 */
    assert_true(cm_is(agreed(&w, w.before, 0, 1), CM_POLICY_VERSION));
    w.p->version = 3;
    w.text.p[w.text.n - 1] = ' ';
    assert_true(cm_is(agreed(&w, w.before, 0, 1), CM_CRYPT_SIGNATURE));
    assert_true(cm_is(cm_policy_sign(&out, w.c, w.key[3], cm_buf_view(&w.text)), CM_POLICY_SIGNER));
    assert_int_equal(out.n, 0);
    cm_buf_free(&out);
    people_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(syntax),   cmocka_unit_test(form),           cmocka_unit_test(values),
        cmocka_unit_test(deciding), cmocka_unit_test(standard_tiers), cmocka_unit_test(two_people),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
