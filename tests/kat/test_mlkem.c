/* ML-KEM: Wycheproof and NIST's ACVP vectors. */
#include <stdio.h>

#include "mlkem_kat.h"
#include "vectors_json.h"

static cm_crypt *crypt_;

static bool valid(const cm_json_node *t)
{
    return t_json_is(t, "result", "valid");
}

/* ---- Wycheproof --------------------------------------------------------------------------- */

static void keygen(cm_kem_id id, const cm_json_node *t)
{
    cm_view seed = t_json_hex(t, "seed");

    T_CHECK(valid(t) && seed.n == 64);
    mlkem_keygen(crypt_, id, cm_view_sub(seed, 0, 32), cm_view_sub(seed, 32, 32),
                 t_json_hex(t, "ek"), t_json_hex(t, "dk"));
}

static void decaps_of_seed(cm_kem_id id, const cm_json_node *t)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = NULL;
    uint8_t ss[SS];
    cm_err e = cm_kem_from_seed(&k, crypt_, id, t_json_hex(t, "seed"));

    if (cm_ok(e) && t_json_has(t, "ek") && valid(t))
        T_CHECK(cm_view_eq(cm_kem_public(k), t_json_hex(t, "ek")));
    if (cm_ok(e))
        e = cm_kem_decap(k, ss, t_json_hex(t, "c"));
    else
        T_CHECK(cm_is(e, CM_CRYPT_BAD_KEY));
    T_CHECK(cm_ok(e) == valid(t));
    if (cm_ok(e))
        T_CHECK(cm_view_eq(CM_VIEW(ss), t_json_hex(t, "K")));
    else
        T_CHECK(cm_is(e, k ? CM_KEM_LENGTH : CM_CRYPT_BAD_KEY));
}

static void encaps(cm_kem_id id, const cm_json_node *t)
{
    cm_kem_key *none = NULL;

    if (valid(t)) {
        mlkem_encaps(crypt_, id, t_json_hex(t, "ek"), t_json_hex(t, "m"), t_json_hex(t, "c"),
                     t_json_hex(t, "K"));
        return;
    }
    T_CHECK(cm_is(cm_kem_from_public(&none, crypt_, id, t_json_hex(t, "ek")), CM_CRYPT_BAD_KEY));
    T_CHECK(none == NULL);
}

static void decaps_expanded(cm_kem_id id, const cm_json_node *t)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = NULL;
    uint8_t ss[SS];
    cm_err e = cm_kem_from_expanded(&k, crypt_, id, t_json_hex(t, "dk"));

    if (cm_ok(e))
        e = cm_kem_decap(k, ss, t_json_hex(t, "c"));
    T_CHECK(cm_ok(e) == valid(t));
    if (cm_ok(e))
        T_CHECK(cm_view_eq(CM_VIEW(ss), t_json_hex(t, "K")));
    else
        T_CHECK(cm_is(e, k ? CM_KEM_LENGTH : CM_CRYPT_BAD_KEY));
}

typedef void wycheproof_fn(cm_kem_id id, const cm_json_node *t);

static wycheproof_fn *kind_of(const cm_json_node *group)
{
    if (t_json_is(group, "type", "MLKEMKeyGen"))
        return keygen;
    if (t_json_is(group, "type", "MLKEMTest"))
        return decaps_of_seed;
    if (t_json_is(group, "type", "MLKEMEncapsTest"))
        return encaps;
    return t_json_is(group, "type", "MLKEMDecapsValidationTest") ? decaps_expanded : NULL;
}

static void wycheproof(const char *path)
{
    CM_AUTO(cm_json_free_ptr) cm_json *j = t_json(path);

    T_JSON_EACH(group, t_json_get(cm_json_root(j), "testGroups"))
    {
        const cm_kem_info *i = mlkem_named(t_json_text(group, "parameterSet"));
        wycheproof_fn *fn = kind_of(group);

        T_JSON_EACH(t, t_json_get(group, "tests"))
        {
            t_case("tcId", t_json_num(t, "tcId"));
            if (i && fn) {
                fn(i->id, t);
                t_ran();
            } else {
                t_skip("a kind of test we do not know");
            }
        }
    }
}

/* ---- ACVP: questions in one file, answers in another ------------------------------------- */

static const cm_json_node *find(const cm_json_node *array, const char *key, uint64_t id)
{
    T_JSON_EACH(n, array)
    {
        if (t_json_num(n, key) == id)
            return n;
    }
    return NULL;
}

static void acvp_one(const cm_json_node *g, const cm_json_node *t, const cm_json_node *want)
{
    const cm_kem_info *i = mlkem_named(t_json_text(g, "parameterSet"));

    if (!T_CHECK(i != NULL))
        return;
    if (!t_json_has(g, "function"))
        mlkem_keygen(crypt_, i->id, t_json_hex(t, "d"), t_json_hex(t, "z"), t_json_hex(want, "ek"),
                     t_json_hex(want, "dk"));
    else if (t_json_is(g, "function", "encapsulation"))
        mlkem_encaps(crypt_, i->id, t_json_hex(t, "ek"), t_json_hex(t, "m"), t_json_hex(want, "c"),
                     t_json_hex(want, "k"));
    else
        mlkem_decaps_expanded(crypt_, i->id, t_json_hex(t_json_has(t, "dk") ? t : g, "dk"),
                              t_json_hex(t, "c"), t_json_hex(want, "k"));
}

static void acvp_group(const cm_json_node *g, const cm_json_node *answers)
{
    T_JSON_EACH(t, t_json_get(g, "tests"))
    {
        const cm_json_node *want = find(answers, "tcId", t_json_num(t, "tcId"));

        t_case("tcId", t_json_num(t, "tcId"));
        if (t_json_has(g, "function") && !t_json_is(g, "function", "encapsulation") &&
            !t_json_is(g, "function", "decapsulation")) {
            t_skip("a function we do not know");
        } else if (T_CHECK(want != NULL)) {
            acvp_one(g, t, want);
            t_ran();
        }
    }
}

static void acvp(const char *path)
{
    char answers[4096];
    int folder = (int)(strrchr(path, '/') - path);

    snprintf(answers, sizeof answers, "%.*s/expectedResults.json.gz", folder, path);
    CM_AUTO(cm_json_free_ptr) cm_json *q = t_json(path);
    CM_AUTO(cm_json_free_ptr) cm_json *a = t_json(answers);
    T_JSON_EACH(g, t_json_get(cm_json_root(q), "testGroups"))
    {
        const cm_json_node *want =
            find(t_json_get(cm_json_root(a), "testGroups"), "tgId", t_json_num(g, "tgId"));

        if (T_CHECK(want != NULL))
            acvp_group(g, t_json_get(want, "tests"));
    }
}

static void run(void)
{
    t_each_file("pq/wycheproof", "mlkem_*_test.json", wycheproof);
    t_each_file("pq/acvp/ML-KEM-keyGen-FIPS203", "prompt.json.gz", acvp);
    t_each_file("pq/acvp/ML-KEM-encapDecap-FIPS203", "prompt.json.gz", acvp);
}

int main(void)
{
    int failed;

    if (cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)))
        return 1;
    failed = t_vectors_main(run);
    cm_crypt_free(crypt_);
    return failed;
}
