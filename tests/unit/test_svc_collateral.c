/* What an operator has for judging evidence, and its replacement while evidence is judged: the
 * server's attestor under minted roots and the vendors', with sets that are good, broken, old, over
 * and ambiguous; reference values by manifest; a GPU by its vendor's imported manifests. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "appraise/reference.h"
#include "attest_kit.h"
#include "codec/text.h"
#include "mint.h"
#include "rim/import.h"
#include "svc/attestor.h"

#define OK(e) assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

enum { AT = 1800000000, DAY = 86400, TEXT = 8192, SWAPS = 60 };

#define RIM_SET "nvidia/hopper-550.90.07-full"

static cm_crypt *crypt;
static cm_pkey *alice, *bob;
static cm_attest_cache *cache;
static cm_svc_verifier verifier;

static int begin(void **s)
{
    (void)s;
    OK(cm_crypt_new(&crypt, CM_PROFILE_DEFAULT));
    OK(cm_pkey_generate(&alice, crypt, CM_LIT("ML-DSA-65")));
    OK(cm_pkey_generate(&bob, crypt, CM_LIT("ML-DSA-65")));
    return 0;
}

static int end(void **s)
{
    (void)s;
    cm_pkey_free(alice);
    cm_pkey_free(bob);
    cm_crypt_free(crypt);
    return 0;
}

/* Each test remembers certificates that it saw, as a server does. */
static int fresh(void **s)
{
    (void)s;
    OK(cm_attest_cache_new(&cache));
    cm_svc_verifier_init(&verifier, crypt, cache);
    return 0;
}

static int over(void **s)
{
    (void)s;
    cm_svc_verifier_done(&verifier);
    cm_attest_cache_free(cache);
    return 0;
}

/* ---- sets ---- */

static cm_svc_collateral *set_new(void)
{
    cm_svc_collateral *s = NULL;

    OK(cm_svc_collateral_new(&s, crypt));
    return s;
}

static void put(cm_svc_collateral *s, const char *name, cm_view file)
{
    OK(cm_svc_collateral_add(s, cm_view_str(name), file, AT - DAY));
}

static cm_err finish(cm_svc_collateral *s, const cm_svc_collateral *before)
{
    char why[CM_SVC_COLLATERAL_WHY];
    cm_err e = cm_svc_collateral_finish(s, before, why);

    assert_int_equal(cm_failed(e), why[0] != 0);
    return e;
}

/* In use from now on; the set before it is freed with its last user. */
static const cm_svc_collateral *use(cm_svc_collateral *s, const cm_svc_collateral *before)
{
    const cm_svc_collateral *used = s;

    OK(finish(s, before));
    cm_svc_verifier_use(&verifier, &s);
    return used;
}

static void refused_set(cm_svc_collateral *s, const cm_svc_collateral *before, cm_reason why)
{
    assert_true(cm_is(finish(s, before), why));
    cm_svc_collateral_free(s);
}

static cm_view file_of(const mint *m, const char *name)
{
    for (size_t i = 0; i < m->n_files; i++)
        if (strcmp(m->file[i].name, name) == 0)
            return cm_buf_view(&m->file[i].bytes);
    fail_msg("no %s", name);
    return cm_view_of(NULL, 0);
}

/* The lists and statements that are minted for a kind, with a prefix. */
static void put_all(cm_svc_collateral *s, const mint *m, const char *prefix)
{
    for (size_t i = 1; i < m->n_files; i++) {
        const char *name = m->file[i].name;
        char text[80];

        if (!strstr(name, "crl") && !strstr(name, ".json") && !strstr(name, "signer"))
            continue;
        (void)snprintf(text, sizeof text, "%s%s", prefix, name);
        put(s, text, cm_buf_view(&m->file[i].bytes));
    }
}

/* ---- judging ---- */

static mint *machine(const char *kind, const char *defect, uint64_t at)
{
    return mint_new(kind, &(mint_spec){.at = at, .defect = defect});
}

static const char *hex(cm_view v)
{
    static char text[4][132];
    static unsigned next;
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 130};

    OK(cm_hex_encode(&b, v));
    next = (next + 1) % 4;
    (void)snprintf(text[next], sizeof text[next], "%.*s", (int)b.n, (const char *)b.p);
    return text[next];
}

static cm_policy *policy(const char *text)
{
    cm_policy_fault fault;
    cm_policy *p = NULL;

    if (cm_failed(cm_policy_read(&p, cm_view_str(text), &fault)))
        fail_msg("%s: %u %s", text, fault.line, fault.what);
    return p;
}

/* A rule for one kind, of the one measurement. */
static cm_policy *listing(const char *kind, cm_view measurement, const char *skips)
{
    char text[TEXT];

    (void)snprintf(text, sizeof text,
                   "casemate_policy: 1\nname: fleet\nversion: 1\nevidence:\n  %s:\n"
                   "    measurements: [{value: \"%s\", name: image, provenance: minted}]\n"
                   "    may_skip: [%s]\n",
                   kind, hex(measurement), skips);
    return policy(text);
}

#define SNP_SKIPS "tcb, config, platform, chip"
#define TDX_SKIPS "config, platform, chip"

/* What the server's attestor says of a machine and perhaps a GPU. */
static bool judged(cm_appraisal *out, const cm_policy *p, const mint *m, const tee *gpu,
                   uint64_t now)
{
    CM_AUTO(cm_buf_free) cm_buf pack = {.max = 1 << 20};
    CM_AUTO(cm_buf_free) cm_buf device = {.max = 1 << 20};
    cm_attestor a = cm_svc_attestor(&verifier);
    cm_attest_input in = m->in;
    cm_shown shown = {.fresh = m->p.fresh};
    uint8_t measured[64];
    cm_view one;
    size_t n;

    OK(cm_attest_pack_put(&pack, &in));
    shown.evidence = cm_buf_view(&pack);
    if (gpu) {
        in = gpu->in;
        in.kind = CM_ATTEST_NVIDIA;
        OK(cm_attest_pack_put(&device, &in));
        one = cm_buf_view(&device);
        shown.devices = &one;
        shown.devices_n = 1;
        shown.device_fresh = gpu->p.fresh;
    }
    OK(a.judge(a.self, out, measured, &n, p, &shown, now));
    return out->accepted;
}

static bool accepts(const cm_policy *p, const mint *m, uint64_t now)
{
    cm_appraisal a;

    if (!judged(&a, p, m, NULL, now))
        print_message("%s\n", a.sentence);
    return a.accepted;
}

static bool refuses(const cm_policy *p, const mint *m, uint64_t now, const char *why)
{
    cm_appraisal a;

    if (judged(&a, p, m, NULL, now))
        return false;
    if (!strstr(a.sentence, why))
        print_message("%s\n", a.sentence);
    return strstr(a.sentence, why) != NULL;
}

/* ---- replaced ---- */

/* V-120: a certificate that was revoked meanwhile, though its chain is remembered as verified. */
static void replaced(void **state)
{
    static const struct {
        const char *kind, *rule, *skips, *list;
    } kinds[] = {{"snp-v5-turin", "snp", SNP_SKIPS, "crl.der"},
                 {"tdx-v5-td15", "tdx", TDX_SKIPS, "pck_crl.der"}};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(kinds); i++) {
        mint *m = machine(kinds[i].kind, NULL, AT),
             *later = machine(kinds[i].kind, "revoked", AT + 60);
        CM_AUTO(cm_policy_free_ptr)
        cm_policy *p = listing(kinds[i].rule, m->one_measurement, kinds[i].skips);
        cm_svc_collateral *s = set_new(), *t = set_new();
        const cm_svc_collateral *used;

        assert_true(refuses(p, m, AT, "could not be made") || refuses(p, m, AT, "failed"));
        put_all(s, m, "");
        used = use(s, NULL);
        assert_true(accepts(p, m, AT));
        put_all(t, m, "a-");
        put(t, "new.der", file_of(later, kinds[i].list));
        (void)use(t, used);
        assert_true(refuses(p, m, AT + 90, "revoked"));
        mint_free(m);
        mint_free(later);
    }
}

/* V-120: a set that is not whole, or goes back, is not taken. */
static void not_taken(void **state)
{
    mint *m = machine("snp-v5-turin", NULL, AT), *old = machine("snp-v5-turin", NULL, AT - DAY);
    cm_svc_collateral *s = set_new(), *bad;
    const cm_svc_collateral *used;
    cm_svc_collateral_file f;
    cm_view crl = file_of(m, "crl.der");

    (void)state;
    put(s, "crl.der", crl);
    put(s, "readme", CM_LIT("This folder is for the key server."));
    used = use(s, NULL); /* at the start a stray file is passed over */
    assert_true(cm_svc_collateral_at(used, 1, &f) && f.as == NULL && !f.superseded);
    assert_false(cm_svc_collateral_at(used, 2, &f));
    bad = set_new(); /* cut in the middle */
    put(bad, "crl.der", cm_view_sub(crl, 0, crl.n / 2));
    refused_set(bad, used, CM_COLLATERAL_KIND);
    bad = set_new(); /* the same beside a good one */
    put(bad, "crl.der", crl);
    put(bad, "crl.new.der", cm_view_sub(crl, 0, crl.n - 1));
    refused_set(bad, used, CM_COLLATERAL_KIND);
    bad = set_new(); /* XML is none of it */
    put(bad, "crl.der", crl);
    put(bad, "rim.xml", CM_LIT("<?xml version=\"1.0\"?><SoftwareIdentity/>"));
    refused_set(bad, used, CM_COLLATERAL_KIND);
    bad = set_new(); /* an older list */
    put(bad, "crl.der", file_of(old, "crl.der"));
    refused_set(bad, used, CM_COLLATERAL_OLD);
    bad = set_new(); /* what was strange before may stay */
    put(bad, "crl.der", crl);
    put(bad, "readme", CM_LIT("This folder is for the key server!"));
    (void)use(bad, used);
    mint_free(m);
    mint_free(old);
}

/* V-121: whichever name comes first; and what is superseded is said to be. */
static void newest(void **state)
{
    mint *m = machine("snp-v5-turin", NULL, AT),
         *later = machine("snp-v5-turin", "revoked", AT + 60);
    CM_AUTO(cm_policy_free_ptr)
    cm_policy *p = listing("snp", m->one_measurement, SNP_SKIPS);

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        cm_svc_collateral *s = set_new();
        const cm_svc_collateral *used;
        cm_svc_collateral_file f;

        put(s, i ? "a" : "b", file_of(m, "crl.der"));
        put(s, i ? "b" : "a", file_of(later, "crl.der"));
        used = use(s, NULL);
        assert_true(cm_svc_collateral_at(used, 0, &f) && f.superseded);
        assert_true(cm_svc_collateral_at(used, 1, &f) && !f.superseded);
        assert_true(refuses(p, m, AT + 90, "revoked"));
    }
    mint_free(m);
    mint_free(later);
}

/* V-122: what is over makes the check fail, which no policy may pass over. */
static void expired(void **state)
{
    mint *m = machine("snp-v5-turin", NULL, AT), *td = machine("tdx-v5-td15", NULL, AT);
    CM_AUTO(cm_policy_free_ptr)
    cm_policy *strict = listing("snp", m->one_measurement, SNP_SKIPS);
    CM_AUTO(cm_policy_free_ptr)
    cm_policy *lax = listing("snp", m->one_measurement, SNP_SKIPS ", revocation");
    CM_AUTO(cm_policy_free_ptr)
    cm_policy *tdx = listing("tdx", td->one_measurement, TDX_SKIPS ", revocation, tcb, collateral");
    cm_svc_collateral *s = set_new();
    const cm_svc_collateral *used;
    uint64_t then = AT + 31 * DAY;

    (void)state;
    assert_true(accepts(lax, m, AT)); /* nothing is there: skipped, as that policy allows */
    put_all(s, m, "snp-");
    put_all(s, td, "tdx-");
    used = use(s, NULL);
    assert_int_equal(cm_svc_collateral_expired(used, AT), 0);
    assert_true(accepts(strict, m, AT) && accepts(lax, m, AT) && accepts(tdx, td, AT));
    assert_true(cm_svc_collateral_expired(used, then) >= 2);
    assert_true(refuses(strict, m, then, "not of that time"));
    assert_true(refuses(lax, m, then, "not of that time"));
    assert_true(refuses(tdx, td, then, "not of that time"));
    mint_free(m);
    mint_free(td);
}

/* A TCB info of the minted platform with one character of a value changed, so that nobody signed
 * it. */
static void put_unsigned(cm_svc_collateral *s, const mint *m, const char *value)
{
    cm_view text = file_of(m, "tcb_info.json");
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_BUNDLE_FILE_MAX};
    char *at;

    OK(cm_buf_append(&b, text));
    OK(cm_buf_byte(&b, 0));
    at = strstr((char *)b.p, value);
    assert_non_null(at);
    at[strlen(value) - 1] ^= 1;
    put(s, "0", cm_view_sub(cm_buf_view(&b), 0, text.n));
}

/* AT-48: a statement that nobody signed stands in the way of its own platform alone. */
static void strange_statements(void **state)
{
    mint *td = machine("tdx-v5-td15", NULL, AT);
    CM_AUTO(cm_policy_free_ptr)
    cm_policy *p = listing("tdx", td->one_measurement, TDX_SKIPS);
    cm_svc_collateral *s = set_new();

    (void)state;
    put_unsigned(s, td, "\"fmspc\":\"c");
    put_all(s, td, "1-");
    (void)use(s, NULL);
    assert_true(accepts(p, td, AT));
    s = set_new();
    put_unsigned(s, td, "\"issueDate\":\"2027-01-14T08:00:00"); /* a second newer */
    put_all(s, td, "1-");
    (void)use(s, NULL);
    assert_true(refuses(p, td, AT, "the signature of a statement is wrong"));
    mint_free(td);
}

/* V-123: Intel's statements for two sorts of machines, in any order of names. */
static void platforms(void **state)
{
    mint *td = machine("tdx-v5-td15", NULL, AT), *sgx = machine("sgx-v3", NULL, AT);
    CM_AUTO(cm_policy_free_ptr)
    cm_policy *p = listing("tdx", td->one_measurement, TDX_SKIPS);
    CM_AUTO(cm_policy_free_ptr)
    cm_policy *q = listing("sgx", sgx->one_measurement, TDX_SKIPS);
    mint *worse = machine("tdx-v5-td15", "old-tcb", AT);

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        cm_svc_collateral *s = set_new();

        put_all(s, td, i ? "a-" : "b-");
        put_all(s, sgx, i ? "b-" : "a-");
        (void)use(s, NULL);
        assert_true(accepts(p, td, AT) && accepts(q, sgx, AT));
        assert_true(refuses(p, worse, AT, "the check tcb failed"));
    }
    mint_free(worse);
    mint_free(td);
    mint_free(sgx);
}

/* ---- reference values ---- */

static cm_policy *referring(const mint *m, const cm_pkey *signer, unsigned version)
{
    uint8_t fp[CM_FINGERPRINT];
    char text[TEXT];

    (void)m;
    OK(cm_pkey_fingerprint(fp, crypt, signer));
    (void)snprintf(text, sizeof text,
                   "casemate_policy: 1\nname: fleet\nversion: 1\n"
                   "references: [{name: images, signer: \"%s\", version: %u}]\n"
                   "evidence: {snp: {measurements: reference, may_skip: [" SNP_SKIPS "]}}\n",
                   hex(CM_VIEW(fp)), version);
    return policy(text);
}

static void put_manifest(cm_svc_collateral *s, const char *file, const cm_pkey *key,
                         unsigned version, cm_view measurement)
{
    CM_AUTO(cm_buf_free) cm_buf out = {.max = CM_REFERENCE_FILE_MAX};
    CM_AUTO(cm_policy_free_ptr) cm_policy *p = NULL;
    char text[TEXT];

    (void)snprintf(text, sizeof text,
                   "casemate_policy: 1\nname: images\nversion: %u\nevidence:\n  snp:\n    "
                   "measurements: [{value: \"%s\", name: image 1.4, provenance: built twice}]\n",
                   version, hex(measurement));
    p = policy(text);
    OK(cm_manifest_sign(&out, key, p, AT - DAY, AT + 10 * DAY));
    put(s, file, cm_buf_view(&out));
}

/* AP-46 to AP-48 in the server. */
static void references(void **state)
{
    static const uint8_t another[48] = {9};
    mint *m = machine("snp-v5-turin", NULL, AT);
    CM_AUTO(cm_policy_free_ptr) cm_policy *p = referring(m, alice, 2);
    cm_svc_collateral *s = set_new();
    const cm_svc_collateral *used;
    cm_appraisal a;

    (void)state;
    assert_true(refuses(p, m, AT, "no manifest of reference values"));
    put_all(s, m, "");
    put_manifest(s, "bob", bob, 7, m->one_measurement);
    put_manifest(s, "low", alice, 1, m->one_measurement);
    used = use(s, NULL);
    assert_true(refuses(p, m, AT, "no manifest of reference values"));
    s = set_new();
    put_all(s, m, "");
    put_manifest(s, "images", alice, 2, m->one_measurement);
    used = use(s, used);
    assert_true(judged(&a, p, m, NULL, AT));
    assert_non_null(strstr(a.sentence, "image 1.4"));
    assert_true(accepts(p, m, AT)); /* the policy itself stayed as it was */
    assert_int_equal(p->rule[0].n_measurements, 0);
    assert_true(refuses(p, m, AT + 10 * DAY, "no manifest of reference values"));
    /* A version that takes the image back, whatever else still lies there. */
    s = set_new();
    put_all(s, m, "");
    put_manifest(s, "images", alice, 2, m->one_measurement);
    put_manifest(s, "images-3", alice, 3, CM_VIEW(another));
    used = use(s, used);
    assert_true(refuses(p, m, AT, "measurement"));
    /* And no way back but a start. */
    s = set_new();
    put_manifest(s, "images", alice, 2, m->one_measurement);
    refused_set(s, used, CM_COLLATERAL_OLD);
    mint_free(m);
}

/* One bit of a manifest changed: it is refused while the server runs, and nothing at its start. */
static void forged(void **state)
{
    mint *m = machine("snp-v5-turin", NULL, AT);
    CM_AUTO(cm_policy_free_ptr) cm_policy *p = referring(m, alice, 1);
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_REFERENCE_FILE_MAX};
    CM_AUTO(cm_policy_free_ptr) cm_policy *of = listing("snp", m->one_measurement, SNP_SKIPS);
    cm_svc_collateral *s = set_new();
    const cm_svc_collateral *used;

    (void)state;
    OK(cm_manifest_sign(&b, alice, of, AT - DAY, AT + DAY));
    b.p[b.n - 1] ^= 1;
    put_all(s, m, "");
    put(s, "manifest", cm_buf_view(&b));
    used = use(s, NULL);
    assert_true(refuses(p, m, AT, "no manifest of reference values"));
    s = set_new();
    put(s, "manifest", cm_buf_view(&b));
    refused_set(s, used, CM_CRYPT_SIGNATURE);
    mint_free(m);
}

/* ---- the vendor's manifests ---- */

static void imported(cm_buf *out, uint64_t now)
{
    static const char *const id[] = {"NV_GPU_DRIVER_GH100_550.90.07",
                                     "NV_GPU_VBIOS_1010_0200_882_96009F0001"};
    cm_rim_import from[2] = {{.rim = {.from = 0}}, {.rim = {.from = 0}}};
    cm_rim rim[2];
    const char *why = NULL;

    for (size_t i = 0; i < 2; i++) {
        CM_AUTO(cm_buf_free) cm_buf xml = {.max = 0};
        char name[80];

        (void)snprintf(name, sizeof name, "%s.xml", id[i]);
        xml = t_slurp(tee_path(RIM_SET "/rim", name));
        OK(cm_rim_import_xml(&from[i], &why, crypt, cm_buf_view(&xml), cm_view_str(id[i]), now));
        rim[i] = from[i].rim;
    }
    OK(cm_rim_put(out, rim, 2));
    for (size_t i = 0; i < 2; i++)
        cm_rim_import_done(&from[i]);
}

/* A recorded GPU beside a minted machine: its policy names the imported file (AT-121). */
static void gpu(void **state)
{
    uint64_t now;
    CM_AUTO(cm_buf_free) cm_buf file = {.max = CM_RIM_FILE_MAX};
    CM_AUTO(cm_policy_free_ptr) cm_policy *p = NULL;
    uint8_t digest[32], nonce[32];
    cm_svc_collateral *s = set_new();
    const cm_svc_collateral *used;
    char text[TEXT];
    cm_appraisal a;
    mint *m;
    tee *t;

    (void)state;
    if (!tee_exists(RIM_SET, "report.bin")) {
        cm_svc_collateral_free(s);
        print_message("SKIP: no recorded GPU in $CASEMATE_VECTORS\n");
        skip();
    }
    now = tee_time("2025-08-21T12:00:00");
    m = machine("snp-v5-turin", NULL, now);
    t = tee_new(RIM_SET, "report.bin", now);
    tee_cert(t, RIM_SET, "chain.pem");
    memcpy(nonce, t->evidence.p + 4, sizeof nonce);
    t->p.fresh = CM_VIEW(nonce);
    imported(&file, now);
    OK(cm_hash_once(crypt, CM_SHA256, digest, cm_buf_view(&file)));
    (void)snprintf(text, sizeof text,
                   "casemate_policy: 1\nname: fleet\nversion: 1\nevidence:\n  snp:\n"
                   "    measurements: [{value: \"%s\", name: image, provenance: minted}]\n"
                   "    may_skip: [" SNP_SKIPS "]\n  nvidia:\n"
                   "    measurements: [{value: \"%s\", name: H100, provenance: NVIDIA}]\n"
                   "    may_skip: [revocation, tcb, config, platform, chip]\n",
                   hex(m->one_measurement), hex(CM_VIEW(digest)));
    p = policy(text);
    put_all(s, m, "");
    used = use(s, NULL);
    assert_false(judged(&a, p, m, t, now)); /* manifests that nobody put there */
    s = set_new();
    put_all(s, m, "");
    put(s, "rims", cm_buf_view(&file));
    used = use(s, used);
    if (!judged(&a, p, m, t, now))
        fail_msg("%s", a.sentence);
    assert_int_equal(a.tier, 3);
    s = set_new();
    put_all(s, m, "");
    file.p[file.n - 1] ^= 1;
    put(s, "rims", cm_buf_view(&file)); /* another file than the policy names */
    (void)use(s, used);
    assert_false(judged(&a, p, m, t, now));
    tee_done(t);
    mint_free(m);
}

/* ---- while others judge ---- */

typedef struct {
    const cm_policy *p;
    const mint *m;
    atomic_bool stop;
    atomic_size_t accepted, refused;
} race;

static void *judge_on(void *arg)
{
    race *r = arg;
    cm_appraisal a;

    while (!atomic_load(&r->stop))
        (void)atomic_fetch_add(judged(&a, r->p, r->m, NULL, AT + 90) ? &r->accepted : &r->refused,
                               1);
    return NULL;
}

/* V-120: whoever judges has one set from beginning to end, and the next the new one. */
static void swapped(void **state)
{
    mint *m = machine("snp-v5-turin", NULL, AT),
         *later = machine("snp-v5-turin", "revoked", AT + 60);
    CM_AUTO(cm_policy_free_ptr)
    cm_policy *p = listing("snp", m->one_measurement, SNP_SKIPS);
    race r = {.p = p, .m = m};
    pthread_t thread[2];
    cm_appraisal a;

    (void)state;
    for (size_t i = 0; i < CM_COUNT(thread); i++)
        assert_int_equal(pthread_create(&thread[i], NULL, judge_on, &r), 0);
    for (unsigned i = 0; i < SWAPS; i++) {
        cm_svc_collateral *s = set_new();

        put(s, "crl.der", file_of(i % 2 ? later : m, "crl.der"));
        (void)use(s, NULL);
        assert_int_equal(judged(&a, p, m, NULL, AT + 90), i % 2 == 0);
    }
    atomic_store(&r.stop, true);
    for (size_t i = 0; i < CM_COUNT(thread); i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    assert_true(atomic_load(&r.accepted) + atomic_load(&r.refused) > 0);
    mint_free(m);
    mint_free(later);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fresh, over)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(replaced),           TEST(not_taken),  TEST(newest), TEST(expired), TEST(platforms),
        TEST(strange_statements), TEST(references), TEST(forged), TEST(gpu),     TEST(swapped),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
