/* C2SP httpsig-pq: the text that is signed, the header it comes from, keys and signatures. */
#include "codec/text.h"
#include "vectors_json.h"
#include "wire/sign_int.h"

static cm_crypt *crypt_;

static cm_buf base64_of(const cm_json_node *t, const char *name)
{
    cm_buf b = {.max = 16384};

    T_CHECK(cm_ok(cm_base64_decode(&b, t_json_text(t, name), false)));
    return b;
}

static void keys(const cm_json_node *t, cm_sig_id id, cm_view base)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;
    CM_AUTO(cm_buf_free) cm_buf pk = base64_of(t, "public_key_base64");
    CM_AUTO(cm_buf_free) cm_buf sig = base64_of(t, "deterministic_signature_base64");
    uint8_t made[CM_SIG_MAX];

    if (!T_CHECK(cm_ok(cm_sig_from_seed(&k, crypt_, id, t_json_hex(t, "private_key_seed_hex")))))
        return;
    T_CHECK(cm_view_eq(cm_sig_public(k), cm_buf_view(&pk)));
    T_CHECK(cm_ok(cm_sign_det(k, made, CM_LIT(""), base)));
    T_CHECK(cm_view_eq(cm_view_of(made, cm_sig_key_info(k)->sig), cm_buf_view(&sig)));
    T_CHECK(cm_ok(cm_verify_raw(k, base, cm_buf_view(&sig))));
}

/* The message that the vectors are about is in their texts alone: rebuilt here. */
static void one(const cm_json_node *t)
{
    static const cm_http_header headers[] = {
        {{(const uint8_t *)"host", 4}, {(const uint8_t *)"example.com", 11}},
        {{(const uint8_t *)"date", 4}, {(const uint8_t *)"Mon, 06 Jul 2026 20:00:00 GMT", 29}},
    };
    static const char prefix[] = "Signature-Input: ";
    const cm_httpsig_message m = {
        .method = CM_LIT("GET"),
        .scheme = CM_LIT("https"),
        .authority = CM_LIT("example.com"),
        .path = CM_LIT("/foo"),
        .query = CM_LIT("param=Value&Pet=dog"),
        .headers = headers,
        .headers_n = CM_COUNT(headers),
    };
    CM_AUTO(cm_buf_free) cm_buf want = base64_of(t, "signature_base_base64");
    CM_AUTO(cm_buf_free) cm_buf base = {.max = 4096};
    CM_AUTO(cm_buf_free) cm_buf signature = {.max = CM_HTTPSIG_HEADER_MAX};
    cm_view input = t_json_text(t, "serialized_signature_input"), alg = t_json_text(t, "algorithm");
    cm_httpsig s;

    input = cm_view_sub(input, sizeof prefix - 1, input.n - (sizeof prefix - 1));
    T_CHECK(cm_ok(cm_buf_append(&signature, CM_LIT("sig1=:"))));
    T_CHECK(cm_ok(cm_buf_append(&signature, t_json_text(t, "deterministic_signature_base64"))));
    T_CHECK(cm_ok(cm_buf_byte(&signature, ':')));
    if (!T_CHECK(cm_ok(cm_httpsig_read(&s, input, cm_buf_view(&signature)))))
        return;
    T_CHECK(cm_view_eq(alg, cm_view_str(cm_httpsig_alg_name(s.alg))));
    T_CHECK(cm_ok(cm_httpsig_base(&base, &s, &m)));
    T_CHECK(cm_view_eq(cm_buf_view(&base), cm_buf_view(&want)));
    keys(t, cm_sig_info_by_name(cm_view_str(cm_httpsig_alg_key_name(s.alg)))->id,
         cm_buf_view(&base));
}

static void httpsig(const char *path)
{
    CM_AUTO(cm_json_free_ptr) cm_json *j = t_json(path);
    uint64_t n = 0;

    T_JSON_EACH(t, t_json_get(cm_json_root(j), "vectors"))
    {
        t_case("vector", ++n);
        one(t);
        t_ran();
    }
}

static void run(void)
{
    if (cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)))
        return;
    t_each_file("pq/c2sp", "httpsig-pq-*.json", httpsig);
    cm_crypt_free(crypt_);
}

int main(void)
{
    return t_vectors_main(run);
}
