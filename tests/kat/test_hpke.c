/* HPKE base mode: RFC 9180's vectors and those of the post-quantum draft. */
#include "crypt/hpke_int.h"
#include "crypt/kem.h"
#include "vectors_json.h"

enum { BASE = 0, EXPORT_ONLY = 0xffff, TURBO_SHAKE128 = 0x12, MAX = 1 << 16 };

static cm_crypt *crypt_;

/* Why a vector is not for us, or NULL. */
static const char *not_ours(const cm_json_node *v)
{
    uint64_t kdf = t_json_num(v, "kdf_id");

    if (t_json_num(v, "mode") != BASE)
        return "psk and auth modes are not offered";
    if (!cm_kem_info_of((uint32_t)t_json_num(v, "kem_id")))
        return "KEMs over P-256, P-384, P-521 and X448 are not offered";
    if (kdf >= TURBO_SHAKE128)
        return "OpenSSL has no TurboSHAKE";
    if (t_json_num(v, "aead_id") == EXPORT_ONLY)
        return "export-only suites are not offered";
    return NULL;
}

/* RFC 9180's ephemeral key is derived from ikmE; the draft's ikmE is the KEM's own randomness. */
static void check_encap(const cm_kem_key *k, const cm_json_node *v)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *eph = NULL;
    cm_kem_id id = cm_kem_key_info(k)->id;
    cm_view ikm = t_json_hex(v, "ikmE"), want = t_json_hex(v, "enc");
    uint8_t ct[CM_KEM_CT_MAX], ss[32];

    if (id == CM_KEM_X25519) {
        if (!T_CHECK(cm_ok(cm_kem_derive(&eph, crypt_, id, ikm))))
            return;
        T_CHECK(cm_view_eq(cm_kem_seed(eph), t_json_hex(v, "skEm")));
        ikm = cm_kem_seed(eph);
    }
    if (!T_CHECK(cm_ok(cm_kem_encap_derand(k, ct, ss, ikm))))
        return;
    T_CHECK(cm_view_eq(cm_view_of(ct, cm_kem_key_info(k)->ct), want));
    T_CHECK(cm_view_eq(CM_VIEW(ss), t_json_hex(v, "shared_secret")));
}

static void check_schedule(cm_hpke_keys *keys, const cm_kem_key *k, cm_hpke_suite s,
                           const cm_json_node *v)
{
    uint8_t ss[32] = {0};

    T_CHECK(cm_ok(cm_kem_decap(k, ss, t_json_hex(v, "enc"))));
    T_CHECK(cm_view_eq(CM_VIEW(ss), t_json_hex(v, "shared_secret")));
    T_CHECK(cm_ok(cm_hpke_suite_check(keys, crypt_, s)));
    T_CHECK(cm_ok(
        cm_hpke_schedule(keys, crypt_, cm_kem_key_info(k)->id, s, ss, t_json_hex(v, "info"))));
    T_CHECK(cm_view_eq(cm_view_of(keys->key, keys->key_n), t_json_hex(v, "key")));
    T_CHECK(cm_view_eq(CM_VIEW(keys->nonce), t_json_hex(v, "base_nonce")));
    T_CHECK(
        cm_view_eq(cm_view_of(keys->exporter, keys->exporter_n), t_json_hex(v, "exporter_secret")));
}

/* Later messages go through the parts, since the interface has the first only. */
static void check_message(const cm_hpke_keys *keys, const cm_json_node *m)
{
    cm_hpke_keys at = *keys;
    cm_view ct = t_json_hex(m, "ct"), pt = t_json_hex(m, "pt"), nonce = t_json_hex(m, "nonce");
    uint8_t out[512] = {0};

    if (!T_CHECK(ct.n <= sizeof out && nonce.n == sizeof at.nonce))
        return;
    memcpy(at.nonce, nonce.p, sizeof at.nonce);
    T_CHECK(cm_ok(cm_hpke_aead_seal(&at, out, t_json_hex(m, "aad"), pt)));
    T_CHECK(cm_view_eq(cm_view_of(out, ct.n), ct));
    T_CHECK(cm_ok(cm_hpke_aead_open(&at, out, t_json_hex(m, "aad"), ct)));
    T_CHECK(cm_view_eq(cm_view_of(out, pt.n), pt));
}

static void check_single_shot(const cm_kem_key *k, cm_hpke_suite s, const cm_json_node *v,
                              const cm_json_node *m)
{
    CM_AUTO(cm_buf_free) cm_buf sealed = {.max = MAX};
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = MAX};

    T_CHECK(cm_ok(cm_buf_append(&sealed, t_json_hex(v, "enc"))));
    T_CHECK(cm_ok(cm_buf_append(&sealed, t_json_hex(m, "ct"))));
    T_CHECK(cm_ok(cm_hpke_open(&plain, k, s, t_json_hex(v, "info"), t_json_hex(m, "aad"),
                               cm_buf_view(&sealed))));
    T_CHECK(cm_view_eq(cm_buf_view(&plain), t_json_hex(m, "pt")));
}

static void run_vector(const cm_json_node *v)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = NULL;
    cm_kem_id id = (cm_kem_id)t_json_num(v, "kem_id");
    cm_hpke_suite s = {(uint16_t)t_json_num(v, "kdf_id"), (uint16_t)t_json_num(v, "aead_id")};
    cm_hpke_keys keys = {0};

    if (!T_CHECK(cm_ok(cm_kem_derive(&k, crypt_, id, t_json_hex(v, "ikmR")))))
        return;
    T_CHECK(cm_view_eq(cm_kem_seed(k), t_json_hex(v, "skRm")));
    T_CHECK(cm_view_eq(cm_kem_public(k), t_json_hex(v, "pkRm")));
    check_encap(k, v);
    check_schedule(&keys, k, s, v);
    check_single_shot(k, s, v, cm_json_first(t_json_get(v, "encryptions")));
    T_JSON_EACH(m, t_json_get(v, "encryptions"))
    {
        check_message(&keys, m);
    }
}

static void hpke(const char *path)
{
    CM_AUTO(cm_json_free_ptr) cm_json *j = t_json(path);
    uint64_t n = 0;

    T_JSON_EACH(v, cm_json_root(j))
    {
        const char *why = not_ours(v);

        t_case("vector", n++);
        if (why) {
            t_skip(why);
            continue;
        }
        run_vector(v);
        t_ran();
    }
}

static void run(void)
{
    t_each_file("pq/hpke", "*.json", hpke);
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
