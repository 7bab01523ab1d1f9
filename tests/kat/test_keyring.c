/* Known answers through key operations: Wycheproof's ML-KEM, ML-DSA and HMAC with their private
 * parts, ACVP's ML-DSA keys, and the examples of RFC 8032 and RFC 6979 (KM-2). */
#include <stdio.h>

#include "ring_kit.h"
#include "vectors_json.h"

static t_ring *ring;

/* A key made of a secret; false when that is refused. */
static bool imported(t_held *k, cm_key_type type, cm_view secret)
{
    CM_AUTO(cm_buf_free) cm_buf kek = t_ring_kek(ring, "acme", 1);
    cm_keyop op = {
        .code = CM_KEYOP_IMPORT,
        .kek = cm_buf_view(&kek),
        .data = secret,
        .bind = {.tenant = CM_LIT("acme"), .type = type, .version = 1, .kek_version = 1}};

    cm_keyring_exec(ring->ring, &op);
    if (cm_failed(op.result))
        return false;
    *k = (t_held){.bind = op.bind, .kek = cm_buf_take(&kek), .sealed = op.out};
    k->public_key = op.out2;
    return true;
}

static bool valid(const cm_json_node *t)
{
    return t_json_is(t, "result", "valid");
}

static cm_view hex_or_empty(const cm_json_node *t, const char *key)
{
    return t_json_has(t, key) ? t_json_hex(t, key) : CM_LIT("");
}

/* ---- ML-KEM --------------------------------------------------------------------------------- */

static void decap(cm_key_type type, const cm_json_node *t)
{
    t_held k = {0};
    cm_keyop op;

    if (!imported(&k, type, t_json_hex(t, "seed"))) {
        T_CHECK(!valid(t));
        return;
    }
    op = t_ring_run(ring, &k, CM_KEYOP_DECAPSULATE, t_json_hex(t, "c"));
    T_CHECK(cm_ok(op.result) == valid(t));
    if (cm_ok(op.result))
        T_CHECK(cm_view_eq(cm_buf_view(&op.out), t_json_hex(t, "K")));
    else
        T_CHECK(op.out.n == 0);
    cm_keyop_done_with(&op);
    t_held_done(&k);
}

static void mlkem(const char *path)
{
    CM_AUTO(cm_json_free_ptr) cm_json *j = t_json(path);

    T_JSON_EACH(group, t_json_get(cm_json_root(j), "testGroups"))
    {
        const cm_key_type_info *i = cm_key_type_by_name(t_json_text(group, "parameterSet"));

        if (!i || !t_json_is(group, "type", "MLKEMTest"))
            continue;
        T_JSON_EACH(t, t_json_get(group, "tests"))
        {
            t_case("tcId", t_json_num(t, "tcId"));
            decap(i->type, t);
            t_ran();
        }
    }
}

/* ---- ML-DSA --------------------------------------------------------------------------------- */

/* Ours are hedged, so the deterministic signature is verified, and one of ours made beside it. */
static void mldsa_case(const t_held *k, const cm_json_node *t)
{
    cm_keyop op = t_ring_op(k, CM_KEYOP_VERIFY);

    op.context = hex_or_empty(t, "ctx");
    op.data = hex_or_empty(t, "msg");
    op.more = hex_or_empty(t, "sig");
    if (!t_json_has(t, "msg")) {
        op.form = CM_FORM_MU;
        op.data = t_json_hex(t, "mu");
        if (op.context.n)
            return;
    }
    cm_keyring_exec(ring->ring, &op);
    T_CHECK(cm_ok(op.result) == valid(t));
    if (!valid(t))
        return;
    op.code = CM_KEYOP_SIGN;
    op.more = CM_LIT("");
    cm_keyring_exec(ring->ring, &op);
    T_CHECK(cm_ok(op.result) && op.out.n == t_json_hex(t, "sig").n);
    cm_keyop_done_with(&op);
}

static void mldsa(const char *path)
{
    CM_AUTO(cm_json_free_ptr) cm_json *j = t_json(path);
    const cm_key_type_info *i = cm_key_type_by_name(t_json_text(cm_json_root(j), "algorithm"));

    T_JSON_EACH(group, t_json_get(cm_json_root(j), "testGroups"))
    {
        t_held k = {0};

        if (!T_CHECK(i != NULL) || !imported(&k, i->type, t_json_hex(group, "privateSeed"))) {
            T_JSON_EACH(t, t_json_get(group, "tests"))
            {
                t_case("tcId", t_json_num(t, "tcId"));
                T_CHECK(!valid(t));
                t_ran();
            }
            continue;
        }
        T_JSON_EACH(t, t_json_get(group, "tests"))
        {
            t_case("tcId", t_json_num(t, "tcId"));
            mldsa_case(&k, t);
            t_ran();
        }
        t_held_done(&k);
    }
}

/* ---- HMAC ----------------------------------------------------------------------------------- */

static void hmac_case(const cm_json_node *t)
{
    t_held k = {0};
    cm_keyop op;

    if (!T_CHECK(imported(&k, CM_KEY_HMAC_SHA256, t_json_hex(t, "key"))))
        return;
    op = t_ring_op(&k, CM_KEYOP_VERIFY_MAC);
    op.data = t_json_hex(t, "msg");
    op.more = t_json_hex(t, "tag");
    cm_keyring_exec(ring->ring, &op);
    T_CHECK(cm_ok(op.result) == valid(t));
    t_held_done(&k);
}

static void hmac(const char *path)
{
    CM_AUTO(cm_json_free_ptr) cm_json *j = t_json(path);

    T_JSON_EACH(group, t_json_get(cm_json_root(j), "testGroups"))
    {
        bool ours = t_json_num(group, "keySize") == 256 && t_json_num(group, "tagSize") == 256;

        T_JSON_EACH(t, t_json_get(group, "tests"))
        {
            t_case("tcId", t_json_num(t, "tcId"));
            if (ours)
                hmac_case(t);
            else
                t_skip("keys and tags of 256 bits only");
            if (ours)
                t_ran();
        }
    }
}

/* ---- ACVP ----------------------------------------------------------------------------------- */

static void acvp_keys(const char *prompt, const char *answers)
{
    CM_AUTO(cm_json_free_ptr) cm_json *j = t_json(prompt);
    CM_AUTO(cm_json_free_ptr) cm_json *w = t_json(answers);
    const cm_json_node *want_group = cm_json_first(t_json_get(cm_json_root(w), "testGroups"));

    T_JSON_EACH(group, t_json_get(cm_json_root(j), "testGroups"))
    {
        const cm_key_type_info *i = cm_key_type_by_name(t_json_text(group, "parameterSet"));
        const cm_json_node *want = cm_json_first(t_json_get(want_group, "tests"));

        T_JSON_EACH(t, t_json_get(group, "tests"))
        {
            t_held k = {0};

            t_case("tcId", t_json_num(t, "tcId"));
            T_CHECK(t_json_num(t, "tcId") == t_json_num(want, "tcId"));
            if (T_CHECK(imported(&k, i->type, t_json_hex(t, "seed"))))
                T_CHECK(cm_view_eq(cm_buf_view(&k.public_key), t_json_hex(want, "pk")));
            t_held_done(&k);
            t_ran();
            want = cm_json_next(want);
        }
        want_group = cm_json_next(want_group);
    }
}

static void acvp(const char *path)
{
    char answers[512];
    const char *end = strstr(path, "prompt.json");

    if (!end)
        return;
    (void)snprintf(answers, sizeof answers, "%.*sexpectedResults.json.gz", (int)(end - path), path);
    acvp_keys(path, answers);
}

/* ---- RFC 8032, 7.1 and RFC 6979, A.2.5 ------------------------------------------------------ */

static void text_cases(void)
{
    static const struct {
        cm_key_type type;
        cm_keyop_form form;
        const char *secret, *pk, *msg, *sig;
    } all[] = {
        {CM_KEY_ED25519, CM_FORM_MESSAGE,
         "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701"
         "cf9"
         "b46bd25bf5f0595bbe24655141438e7a100b"},
        {CM_KEY_P256, CM_FORM_MESSAGE,
         "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
         "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e"
         "956"
         "28bc64f2f1b20c2d7e9f5177a3c294d4462299",
         "73616d706c65",
         "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716f7cb1c942d657c41d436c7a1b"
         "6e2"
         "9f65f3e900dbb9aff4064dc4ab2f843acda8"},
        {CM_KEY_P256, CM_FORM_DIGEST,
         "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
         "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e"
         "956"
         "28bc64f2f1b20c2d7e9f5177a3c294d4462299",
         "af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf",
         "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716f7cb1c942d657c41d436c7a1b"
         "6e2"
         "9f65f3e900dbb9aff4064dc4ab2f843acda8"},
    };

    for (size_t i = 0; i < CM_COUNT(all); i++) {
        t_held k = {0};
        cm_keyop op;

        t_case("example", i);
        if (!T_CHECK(imported(&k, all[i].type, t_hex_view(cm_view_str(all[i].secret)))))
            continue;
        T_CHECK(cm_view_eq(cm_buf_view(&k.public_key), t_hex_view(cm_view_str(all[i].pk))));
        op = t_ring_op(&k, CM_KEYOP_VERIFY);
        op.form = all[i].form;
        op.data = t_hex_view(cm_view_str(all[i].msg));
        op.more = t_hex_view(cm_view_str(all[i].sig));
        cm_keyring_exec(ring->ring, &op);
        T_CHECK(cm_ok(op.result));
        op.code = CM_KEYOP_SIGN;
        cm_keyring_exec(ring->ring, &op);
        T_CHECK(cm_ok(op.result));
        if (all[i].type == CM_KEY_ED25519)
            T_CHECK(cm_view_eq(cm_buf_view(&op.out), op.more));
        cm_keyop_done_with(&op);
        t_held_done(&k);
        t_ran();
    }
}

static void run(void)
{
    t_each_file("pq/wycheproof", "mlkem_512_test.json", mlkem);
    t_each_file("pq/wycheproof", "mlkem_768_test.json", mlkem);
    t_each_file("pq/wycheproof", "mldsa_*_sign_seed_test.json", mldsa);
    t_each_file("pq/wycheproof", "hmac_sha256_test.json", hmac);
    t_each_file("pq/acvp/ML-DSA-keyGen-FIPS204", "prompt.json.gz", acvp);
    t_group("RFC 8032, RFC 6979", text_cases);
}

int main(void)
{
    int rc;

    ring = t_ring_new();
    rc = t_vectors_main(run);
    t_ring_done(ring);
    return rc;
}
