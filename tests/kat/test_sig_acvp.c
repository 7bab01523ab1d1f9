/* ML-DSA against NIST ACVP, and CCTV's accumulated runs. */
#include <dirent.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

#include "sig_kat.h"
#include "vectors_json.h"

static cm_crypt *crypt_;

static bool text_is(const cm_json_node *obj, const char *key, const char *text)
{
    return t_json_has(obj, key) && t_json_is(obj, key, text);
}

static bool is_true(const cm_json_node *obj, const char *key)
{
    const cm_json_node *n = cm_json_get(obj, key);
    bool v = false;

    return n && cm_ok(cm_json_bool(n, &v)) && v;
}

static cm_view hex_or_empty(const cm_json_node *obj, const char *key)
{
    return t_json_has(obj, key) ? t_json_hex(obj, key) : CM_LIT("");
}

/* One test with its group and its expected result. */
typedef struct {
    const cm_sig_info *info;
    const cm_json_node *group, *test, *want;
} acvp;

/* pk and sk belong to the test or to its group. */
static cm_view field(const acvp *a, const char *key)
{
    return t_json_has(a->test, key) ? t_json_hex(a->test, key) : hex_or_empty(a->group, key);
}

/* ---- the three modes ------------------------------------------------------------------------ */

static void keygen(const acvp *a)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;
    uint8_t sk[8192];
    size_t n = 0;

    if (!T_CHECK(cm_ok(cm_sig_from_seed(&k, crypt_, a->info->id, t_json_hex(a->test, "seed")))))
        return;
    T_CHECK(cm_view_eq(cm_sig_public(k), t_json_hex(a->want, "pk")));
    T_CHECK(EVP_PKEY_get_octet_string_param(k->pkey, OSSL_PKEY_PARAM_PRIV_KEY, sk, sizeof sk, &n));
    T_CHECK(cm_view_eq(cm_view_of(sk, n), t_json_hex(a->want, "sk")));
    t_ran();
}

/* Three interfaces: a message with a context, mu, or a message whose encoding is the caller's. */
static void input(const acvp *a, const cm_sig_key *k, sig_input *in, uint8_t mu[CM_SIG_MU])
{
    *in = (sig_input){.ctx = hex_or_empty(a->test, "context"),
                      .msg = hex_or_empty(a->test, "message"),
                      .rnd = hex_or_empty(a->test, "rnd")};
    if (text_is(a->group, "signatureInterface", "external"))
        return;
    in->is_mu = true;
    if (is_true(a->group, "externalMu")) {
        in->msg = t_json_hex(a->test, "mu");
        return;
    }
    sig_internal_mu(k, mu, in->msg);
    in->msg = cm_view_of(mu, CM_SIG_MU);
}

static void siggen(const acvp *a)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;
    uint8_t mu[CM_SIG_MU];
    sig_input in;

    if (!T_CHECK(cm_ok(cm_sig_from_expanded(&k, crypt_, a->info->id, field(a, "sk")))))
        return;
    input(a, k, &in, mu);
    sig_is(k, &in, t_json_hex(a->want, "signature"));
    t_ran();
}

static void sigver(const acvp *a)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;
    uint8_t mu[CM_SIG_MU];
    sig_input in;
    bool good;

    if (!T_CHECK(cm_ok(cm_sig_from_public(&k, crypt_, a->info->id, field(a, "pk")))))
        return;
    input(a, k, &in, mu);
    good = cm_ok(sig_check(k, &in, t_json_hex(a->test, "signature")));
    T_CHECK(good == is_true(a->want, "testPassed"));
    t_ran();
}

/* ---- files ---------------------------------------------------------------------------------- */

static void one(const acvp *a, const cm_json_node *root)
{
    if (!a->info)
        t_skip("parameter set not offered");
    else if (text_is(a->group, "preHash", "preHash"))
        t_skip("pre-hash forms are not offered");
    else if (text_is(root, "mode", "keyGen"))
        keygen(a);
    else if (text_is(root, "mode", "sigGen"))
        siggen(a);
    else if (text_is(root, "mode", "sigVer"))
        sigver(a);
    else
        t_skip("mode not known here");
}

static void group_of(const cm_json_node *group, const cm_json_node *want_group,
                     const cm_json_node *root)
{
    const cm_json_node *want = cm_json_first(t_json_get(want_group, "tests"));

    T_JSON_EACH(test, t_json_get(group, "tests"))
    {
        acvp a = {sig_named(t_json_text(group, "parameterSet")), group, test, want};

        t_case("tcId", t_json_num(test, "tcId"));
        if (!T_CHECK(want && t_json_num(want, "tcId") == t_json_num(test, "tcId")))
            return;
        if (t_sampled(t_json_num(test, "tcId")))
            one(&a, root);
        want = cm_json_next(want);
    }
}

/* Some files wrap what matters in an array behind a version. */
static const cm_json_node *body(const cm_json *j)
{
    const cm_json_node *n = cm_json_root(j);

    if (cm_json_type_of(n) != CM_JSON_ARRAY)
        return n;
    n = cm_json_first(n);
    return n && !t_json_has(n, "testGroups") ? cm_json_next(n) : n;
}

static void file(const char *path)
{
    char results[4096];
    cm_json *prompt, *expected;
    const cm_json_node *want;

    snprintf(results, sizeof results, "%.*s/expectedResults.json.gz",
             (int)(strrchr(path, '/') - path), path);
    prompt = t_json(path);
    expected = t_json(results);
    want = cm_json_first(t_json_get(body(expected), "testGroups"));
    T_JSON_EACH(group, t_json_get(body(prompt), "testGroups"))
    {
        if (!T_CHECK(want && t_json_num(want, "tgId") == t_json_num(group, "tgId")))
            break;
        group_of(group, want, body(prompt));
        want = cm_json_next(want);
    }
    cm_json_free(prompt);
    cm_json_free(expected);
}

static int is_signature_set(const struct dirent *e)
{
    return fnmatch("*-DSA-*", e->d_name, FNM_PERIOD) == 0;
}

static void folders(void)
{
    const char *root = getenv("CASEMATE_VECTORS");
    struct dirent **names = NULL;
    char path[4096];
    int n;

    snprintf(path, sizeof path, "%s/pq/acvp", root ? root : "../shared/vectors");
    n = scandir(path, &names, is_signature_set, alphasort);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "pq/acvp/%s", names[i]->d_name);
        printf("%s:\n", path);
        t_each_file(path, "prompt.json*", file);
        free(names[i]);
    }
    free(names);
}

/* ---- accumulated ---------------------------------------------------------------------------- */

static EVP_MD_CTX *shake128(void)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    if (!ctx || EVP_DigestInit_ex2(ctx, EVP_shake128(), NULL) != 1)
        abort();
    return ctx;
}

static void absorb(EVP_MD_CTX *ctx, cm_view v)
{
    if (EVP_DigestUpdate(ctx, v.p, v.n) != 1)
        abort();
}

static void accumulate(const cm_sig_info *info, size_t count, const char *want)
{
    EVP_MD_CTX *seeds = shake128(), *sum = shake128();
    uint8_t seed[32], sig[CM_SIG_MAX], out[32];

    for (size_t i = 0; i < count; i++) {
        CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;
        cm_view v = cm_view_of(sig, info->sig);

        t_case(info->name, i);
        if (EVP_DigestSqueeze(seeds, seed, sizeof seed) != 1)
            abort();
        if (!T_CHECK(cm_ok(cm_sig_from_seed(&k, crypt_, info->id, CM_VIEW(seed)))))
            break;
        T_CHECK(cm_ok(cm_sign_det(k, sig, CM_LIT(""), CM_LIT(""))));
        T_CHECK(cm_ok(cm_verify(k, CM_LIT(""), CM_LIT(""), v)));
        absorb(sum, cm_sig_public(k));
        absorb(sum, v);
    }
    if (EVP_DigestSqueeze(sum, out, sizeof out) != 1)
        abort();
    T_CHECK(cm_view_eq(CM_VIEW(out), t_hex_view(cm_view_str(want))));
    EVP_MD_CTX_free(seeds);
    EVP_MD_CTX_free(sum);
    t_ran();
}

/* C2SP CCTV, ML-DSA/accumulated: key, deterministic signature and verification, over and over. Ten
 * thousand of the set that is signed with most, a hundred of the others. */
static void accumulated(void)
{
    static const struct {
        cm_sig_id id;
        size_t count;
        const char *want;
    } all[] = {
        {CM_SIG_MLDSA44, 100, "d51148e1f9f4fa1a723a6cf42e25f2a99eb5c1b378b3d2dbbd561b1203beeae4"},
        {CM_SIG_MLDSA65, 100, "8358a1843220194417cadbc2651295cd8fc65125b5a5c1a239a16dc8b57ca199"},
        {CM_SIG_MLDSA87, 100, "8c3ad714777622b8f21ce31bb35f71394f23bc0fcf3c78ace5d608990f3b061b"},
        {CM_SIG_MLDSA65, 10000, "5ff5e196f0b830c3b10a9eb5358e7c98a3a20136cb677f3ae3b90175c3ace329"},
    };

    for (size_t i = 0; i < CM_COUNT(all); i++)
        if (CM_KAT_SLOW && all[i].count > 100)
            t_skip("the long run, under a sanitizer");
        else
            accumulate(cm_sig_info_of(all[i].id), all[i].count, all[i].want);
}

static void run(void)
{
    folders();
    t_group("cctv ML-DSA accumulated", accumulated);
}

int main(void)
{
    int rc;

    if (cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)))
        return 1;
    rc = t_vectors_main(run);
    cm_crypt_free(crypt_);
    return rc;
}
