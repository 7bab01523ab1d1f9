/* X-Wing's own vectors, and Wycheproof's for the X25519 below it. */
#include "crypt/kem.h"
#include "crypt/kem_int.h"
#include "vectors_json.h"

enum { SS = 32 };

static cm_crypt *crypt_;

static void xwing_one(const cm_json_node *t)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = NULL;
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *pub = NULL;
    uint8_t ct[CM_KEM_CT_MAX], ss[SS] = {0};
    cm_view pk = t_json_hex(t, "pk"), want_ct = t_json_hex(t, "ct"), want = t_json_hex(t, "ss");

    T_CHECK(cm_view_eq(t_json_hex(t, "seed"), t_json_hex(t, "sk")));
    if (!T_CHECK(cm_ok(cm_kem_from_seed(&k, crypt_, CM_KEM_XWING, t_json_hex(t, "seed")))) ||
        !T_CHECK(cm_ok(cm_kem_from_public(&pub, crypt_, CM_KEM_XWING, pk))))
        return;
    T_CHECK(cm_view_eq(cm_kem_public(k), pk));
    T_CHECK(cm_ok(cm_kem_encap_derand(pub, ct, ss, t_json_hex(t, "eseed"))));
    T_CHECK(cm_view_eq(cm_view_of(ct, cm_kem_key_info(k)->ct), want_ct));
    T_CHECK(cm_view_eq(CM_VIEW(ss), want));
    memset(ss, 0, sizeof ss);
    T_CHECK(cm_ok(cm_kem_decap(k, ss, want_ct)));
    T_CHECK(cm_view_eq(CM_VIEW(ss), want));
}

static void xwing(const char *path)
{
    CM_AUTO(cm_json_free_ptr) cm_json *j = t_json(path);
    uint64_t n = 0;

    T_JSON_EACH(t, cm_json_root(j))
    {
        t_case("vector", ++n);
        xwing_one(t);
        t_ran();
    }
}

/* "acceptable" are those an implementation may refuse; we refuse the zero secret alone. */
static void x25519_one(const cm_json_node *t)
{
    static const uint8_t zero[SS];
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = NULL;
    cm_view share = t_json_hex(t, "public"), want = t_json_hex(t, "shared");
    uint8_t ss[SS];
    cm_err e;

    if (!T_CHECK(share.n == SS) ||
        !T_CHECK(cm_ok(cm_kem_from_seed(&k, crypt_, CM_KEM_X25519, t_json_hex(t, "private")))))
        return;
    e = cm_x25519_decap(k, ss, share.p);
    if (cm_view_eq(want, CM_VIEW(zero)))
        T_CHECK(cm_is(e, CM_KEM_LOW_ORDER));
    else if (T_CHECK(cm_ok(e)))
        T_CHECK(cm_view_eq(CM_VIEW(ss), want));
}

static void x25519(const char *path)
{
    CM_AUTO(cm_json_free_ptr) cm_json *j = t_json(path);

    T_JSON_EACH(group, t_json_get(cm_json_root(j), "testGroups"))
    {
        T_JSON_EACH(t, t_json_get(group, "tests"))
        {
            t_case("tcId", t_json_num(t, "tcId"));
            x25519_one(t);
            t_ran();
        }
    }
}

static void run(void)
{
    t_each_file("pq/xwing", "*.json", xwing);
    t_each_file("pq/wycheproof", "x25519_test.json", x25519);
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
