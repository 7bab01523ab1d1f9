/* The key broker's messages, and the JWE that holds a key. */
#include <stdio.h>
#include <string.h>

#include "attest/trustee.h"
#include "codec/text.h"
#include "hex.h"
#include "release/jwe.h"
#include "release/rcar.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static cm_crypt *c;

#define NONCE64 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

/* ---- Request ------------------------------------------------------------------------------- */

static void request_refused(const char *text, cm_reason why)
{
    cm_rcar_request r = {0};
    cm_err e = cm_rcar_request_read(&r, cm_view_str(text));

    if (!cm_is(e, why))
        print_message("%s: %s\n", cm_err_name(e), text);
    assert_true(cm_is(e, why));
}

/* RL-1, RL-2 */
static void requests(void **s)
{
    CM_AUTO(cm_rcar_request_done) cm_rcar_request r = {0};

    (void)s;
    assert_true(cm_ok(cm_rcar_request_read(
        &r, CM_LIT("{\"version\":\"0.4.0\",\"tee\":\"snp\",\"extra-params\":\"\"}"))));
    assert_int_equal(r.tee, CM_ATTEST_SNP);
    assert_int_equal(r.hash, CM_SHA384);
    request_refused("{\"version\":\"0.1.1\",\"tee\":\"snp\",\"extra-params\":\"\"}",
                    CM_RELEASE_VERSION);
    request_refused("{\"version\":\"0.4.1\",\"tee\":\"snp\",\"extra-params\":\"\"}",
                    CM_RELEASE_VERSION);
    request_refused("{\"version\":\"0.4.0\",\"tee\":\"sample\",\"extra-params\":\"\"}",
                    CM_RELEASE_TEE);
    request_refused("{\"version\":\"0.4.0\",\"tee\":\"snp\",\"extra-params\":\"x\"}",
                    CM_RELEASE_MESSAGE);
    request_refused("{\"version\":\"0.4.0\",\"tee\":\"snp\"}", CM_RELEASE_MESSAGE);
    request_refused("{\"version\":\"0.4.0\",\"tee\":\"snp\",\"extra-params\":{},\"more\":1}",
                    CM_RELEASE_MESSAGE);
    request_refused("{\"version\":\"0.4.0\",\"tee\":\"snp\",\"tee\":\"tdx\",\"extra-params\":{}}",
                    CM_RELEASE_MESSAGE);
    request_refused("{\"version\":0.4,\"tee\":\"snp\",\"extra-params\":{}}", CM_RELEASE_MESSAGE);
    request_refused("[]", CM_RELEASE_MESSAGE);
    request_refused("", CM_RELEASE_MESSAGE);
}

static void hash_of(const char *list, cm_hash expect)
{
    CM_AUTO(cm_rcar_request_done) cm_rcar_request r = {0};
    char text[256];

    (void)snprintf(text, sizeof text,
                   "{\"version\":\"0.4.0\",\"tee\":\"tdx\",\"extra-params\":{"
                   "\"supported-hash-algorithms\":[%s],\"unknown\":[1,{}]}}",
                   list);
    assert_true(cm_ok(cm_rcar_request_read(&r, cm_view_str(text))));
    assert_int_equal(r.hash, expect);
}

/* RL-2 */
static void hashes(void **s)
{
    (void)s;
    hash_of("\"sha256\",\"sha512\",\"sha384\"", CM_SHA384);
    hash_of("\"sha256\",\"sha512\"", CM_SHA512);
    hash_of("\"md5\",\"sha256\"", CM_SHA256);
    request_refused("{\"version\":\"0.4.0\",\"tee\":\"tdx\",\"extra-params\":{"
                    "\"supported-hash-algorithms\":[\"md5\"]}}",
                    CM_RELEASE_MESSAGE);
    request_refused("{\"version\":\"0.4.0\",\"tee\":\"tdx\",\"extra-params\":{"
                    "\"supported-hash-algorithms\":\"sha384\"}}",
                    CM_RELEASE_MESSAGE);
}

/* RL-2 */
static void request_round_trip(void **s)
{
    CM_AUTO(cm_rcar_request_done) cm_rcar_request r = {0};
    CM_AUTO(cm_buf_free) cm_buf text = {.max = 4096};
    cm_rcar_request in = {.tee = CM_ATTEST_TPM,
                          .selector = {(uint8_t *)(uintptr_t) "fleet", 5, 5, 5},
                          .ak = {(uint8_t *)(uintptr_t) "AK", 2, 2, 2},
                          .ek = {(uint8_t *)(uintptr_t) "EK!", 3, 3, 3}};

    (void)s;
    assert_true(cm_ok(cm_rcar_request_put(&text, &in)));
    assert_true(cm_ok(cm_rcar_request_read(&r, cm_buf_view(&text))));
    assert_int_equal(r.tee, CM_ATTEST_TPM);
    assert_true(cm_view_eq(cm_buf_view(&r.selector), CM_LIT("fleet")));
    assert_true(cm_view_eq(cm_buf_view(&r.ak), CM_LIT("AK")));
    assert_true(cm_view_eq(cm_buf_view(&r.ek), CM_LIT("EK!")));
    in.tee = CM_ATTEST_SNP; /* keys of a TPM beside another environment */
    text.n = 0;
    assert_true(cm_ok(cm_rcar_request_put(&text, &in)));
    cm_rcar_request_done(&r);
    assert_true(cm_is(cm_rcar_request_read(&r, cm_buf_view(&text)), CM_RELEASE_MESSAGE));
    request_refused("{\"version\":\"0.4.0\",\"tee\":\"tpm\",\"extra-params\":{\"tee-metadata\":{"
                    "\"primary_tee\":{\"tee\":\"snp\"}}}}",
                    CM_RELEASE_MESSAGE);
    request_refused("{\"version\":\"0.4.0\",\"tee\":\"tpm\",\"extra-params\":{\"tee-metadata\":{"
                    "\"primary_tee\":{\"tee\":\"tpm\",\"metadata\":{\"ak\":\"QUs=\"}}}}}",
                    CM_RELEASE_MESSAGE);
}

/* ---- Challenge ----------------------------------------------------------------------------- */

/* RL-3 */
static void challenges(void **s)
{
    CM_AUTO(cm_rcar_challenge_done) cm_rcar_challenge r = {0};
    CM_AUTO(cm_buf_free) cm_buf text = {.max = 4096};
    cm_rcar_challenge in = {.hash = CM_SHA512,
                            .credential = {(uint8_t *)(uintptr_t) "cred", 4, 4, 4}};
    static const char *const bad[] = {
        "{\"nonce\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\",\"extra-params\":\"\"}",
        "{\"nonce\":\"AAEC\",\"extra-params\":\"\"}",
        "{\"nonce\":\"" NONCE64 "\"}",
        "{\"nonce\":\"" NONCE64 "\",\"extra-params\":{\"selected-hash-algorithm\":\"md5\"}}",
    };

    (void)s;
    for (uint8_t i = 0; i < sizeof in.nonce; i++)
        in.nonce[i] = i;
    assert_true(cm_ok(cm_rcar_challenge_put(&text, &in)));
    assert_non_null(strstr((char *)text.p, NONCE64));
    assert_true(cm_ok(cm_rcar_challenge_read(&r, cm_buf_view(&text))));
    assert_memory_equal(r.nonce, in.nonce, sizeof in.nonce);
    assert_int_equal(r.hash, CM_SHA512);
    assert_true(cm_view_eq(cm_buf_view(&r.credential), CM_LIT("cred")));
    for (size_t i = 0; i < CM_COUNT(bad); i++)
        assert_true(cm_is(cm_rcar_challenge_read(&r, cm_view_str(bad[i])), CM_RELEASE_MESSAGE));
}

/* ---- Attestation --------------------------------------------------------------------------- */

static uint8_t key_bytes[CM_RCAR_KEY];

/* An Attestation with this tee-pubkey and this tee-evidence. */
static cm_err attestation(cm_rcar_attestation *out, cm_attest_kind tee, const char *key,
                          const char *evidence)
{
    char text[16384];

    (void)snprintf(text, sizeof text,
                   "{\"runtime-data\":{\"nonce\":\"" NONCE64 "\",\"tee-pubkey\":%s},"
                   "\"tee-evidence\":%s}",
                   key, evidence);
    return cm_rcar_attestation_read(out, tee, cm_view_str(text));
}

static const char *akp(void)
{
    static char text[2048];
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 2048};

    assert_true(cm_ok(cm_base64_encode(&b, CM_VIEW(key_bytes), true)));
    (void)snprintf(text, sizeof text,
                   "{\"kty\":\"AKP\",\"alg\":\"ML-KEM-768+A192KW\",\"pub\":\"%.*s\"}", (int)b.n,
                   (char *)b.p);
    return text;
}

#define PACK  "{\"casemate-evidence\":\"AQID\"}"
#define PLAIN "{\"primary_evidence\":" PACK ",\"additional_evidence\":\"\"}"

/* RL-4 */
static void keys(void **s)
{
    static const struct {
        const char *key;
        cm_reason why;
    } bad[] = {
        {"{\"kty\":\"RSA\",\"alg\":\"RSA-OAEP-256\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
         CM_RELEASE_CLASSICAL},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":\"ECDH-ES+A256KW\",\"x\":\"AA\",\"y\":\"AA\"}",
         CM_RELEASE_CLASSICAL},
        {"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AA\"}", CM_RELEASE_CLASSICAL},
        {"{\"kty\":\"AKP\",\"alg\":\"ML-KEM-768+A192KW\",\"pub\":\"AAAA\"}", CM_RELEASE_KEY},
        {"{\"kty\":\"AKP\",\"alg\":\"ML-KEM-512+A128KW\",\"pub\":\"AAAA\"}", CM_RELEASE_KEY},
        {"{\"kty\":\"AKP\",\"alg\":\"ML-KEM-768+A192KW\"}", CM_RELEASE_KEY},
        {"{\"kty\":\"AKP\",\"alg\":\"ML-KEM-768+A192KW\",\"pub\":\"AAAA\",\"priv\":\"AA\"}",
         CM_RELEASE_KEY},
        {"\"AKP\"", CM_RELEASE_MESSAGE},
    };
    cm_rcar_attestation a = {0};

    (void)s;
    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        cm_err e = attestation(&a, CM_ATTEST_SNP, bad[i].key, PLAIN);

        if (!cm_is(e, bad[i].why))
            print_message("%s: %s\n", cm_err_name(e), bad[i].key);
        assert_true(cm_is(e, bad[i].why));
    }
    assert_true(cm_ok(attestation(&a, CM_ATTEST_SNP, akp(), PLAIN)));
    assert_memory_equal(a.key, key_bytes, sizeof key_bytes);
    assert_int_equal(a.n, 1);
    assert_true(cm_view_eq(cm_rcar_input(&a, 0).evidence, CM_LIT("\1\2\3")));
    cm_rcar_attestation_done(&a);
}

static void evidence(void **s)
{
    static const struct {
        cm_attest_kind tee;
        const char *text;
        cm_reason why;
    } bad[] = {
        {CM_ATTEST_SNP,
         "{\"primary_evidence\":{\"attestation_report\":{}},"
         "\"additional_evidence\":\"\"}",
         CM_RELEASE_EVIDENCE},
        {CM_ATTEST_SNP, "{\"primary_evidence\":{\"quote\":\"AQID\"},\"additional_evidence\":\"\"}",
         CM_RELEASE_EVIDENCE},
        {CM_ATTEST_SNP, "{\"primary_evidence\":" PACK "}", CM_RELEASE_MESSAGE},
        {CM_ATTEST_SNP, "{\"primary_evidence\":" PACK ",\"additional_evidence\":{}}",
         CM_RELEASE_MESSAGE},
        {CM_ATTEST_SNP,
         "{\"primary_evidence\":{\"casemate-evidence\":\"\"},"
         "\"additional_evidence\":\"\"}",
         CM_RELEASE_MESSAGE},
        {CM_ATTEST_SNP,
         "{\"primary_evidence\":{\"casemate-evidence\":\"AQID\",\"more\":1},"
         "\"additional_evidence\":\"\"}",
         CM_RELEASE_MESSAGE},
        {CM_ATTEST_SNP, "{\"primary_evidence\":" PACK ",\"additional_evidence\":\"[]\"}",
         CM_RELEASE_MESSAGE},
        {CM_ATTEST_SNP,
         "{\"primary_evidence\":" PACK ",\"additional_evidence\":\"{\\\"sample\\\":{}}\"}",
         CM_RELEASE_TEE},
        {CM_ATTEST_TDX, "{\"primary_evidence\":{\"quote\":\"!\"},\"additional_evidence\":\"\"}",
         CM_RELEASE_MESSAGE},
    };
    cm_rcar_attestation a = {0};

    (void)s;
    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        cm_err e = attestation(&a, bad[i].tee, akp(), bad[i].text);

        if (!cm_is(e, bad[i].why))
            print_message("%s: %s\n", cm_err_name(e), bad[i].text);
        assert_true(cm_is(e, bad[i].why));
    }
    assert_true(cm_ok(attestation(&a, CM_ATTEST_TDX, akp(),
                                  "{\"primary_evidence\":{\"quote\":\"AQID\",\"cc_eventlog\":"
                                  "\"BAU=\"},\"additional_evidence\":\"\"}")));
    assert_true(cm_view_eq(cm_rcar_input(&a, 0).event_log, CM_LIT("\4\5")));
    cm_rcar_attestation_done(&a);
}

#define AZURE_JSON                                                                        \
    "{\"version\":2,\"tpm_quote\":{\"signature\":\"00\",\"message\":\"00\",\"pcrs\":[]}," \
    "\"hcl_report\":\"AAAA\",\"vcek\":\"AAAA\"}"
#define GPU_JSON \
    "{\\\"arch\\\":\\\"HOPPER\\\",\\\"evidence\\\":\\\"0102\\\",\\\"certificate\\\":\\\"AQID\\\"}"

/* RL-80: what Trustee's clients send becomes packs, a list of devices several. */
static void trustees(void **s)
{
    char text[8192];
    cm_rcar_attestation a = {0};
    size_t at;

    (void)s;
    assert_true(cm_ok(attestation(
        &a, CM_ATTEST_AZURE, akp(),
        "{\"primary_evidence\":" AZURE_JSON ",\"additional_evidence\":\"{\\\"nvidia\\\":{"
        "\\\"device_evidence_list\\\":[" GPU_JSON "," GPU_JSON "]}}\"}")));
    assert_int_equal(a.n, 3);
    for (size_t i = 0; i < a.n; i++) {
        assert_int_equal(a.piece[i].kind, i ? CM_ATTEST_NVIDIA : CM_ATTEST_AZURE);
        assert_int_equal(cm_attest_detect(cm_rcar_input(&a, i).evidence), a.piece[i].kind);
    }
    cm_rcar_attestation_done(&a);
    /* Evidence of another environment than the one asked for, and of several as the machine's. */
    assert_true(
        cm_is(attestation(&a, CM_ATTEST_SNP, akp(),
                          "{\"primary_evidence\":" AZURE_JSON ",\"additional_evidence\":\"\"}"),
              CM_RELEASE_EVIDENCE));
    at = (size_t)snprintf(text, sizeof text,
                          "{\"primary_evidence\":" AZURE_JSON
                          ",\"additional_evidence\":\"{\\\"nvidia\\\":{"
                          "\\\"device_evidence_list\\\":[" GPU_JSON);
    for (size_t i = 0; i < CM_RCAR_PIECES - 1; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s", "," GPU_JSON);
    (void)snprintf(text + at, sizeof text - at, "%s", "]}}\"}");
    assert_true(cm_is(attestation(&a, CM_ATTEST_AZURE, akp(), text), CM_RELEASE_MESSAGE));
}

static bool is_bound(cm_attest_kind kind, const char *claim, uint32_t index, cm_view value,
                     const char *text)
{
    cm_attest_result r = {.kind = kind, .n_claims = 1, .data = {.max = 64}};
    bool bound = true;

    r.claim[0] =
        (cm_attest_claim){.name = claim, .type = CM_CLAIM_BYTES, .index = index, .n = value.n};
    assert_true(cm_ok(cm_buf_append(&r.data, value)));
    assert_true(cm_ok(cm_trustee_init_data(&bound, c, &r, cm_view_str(text))));
    cm_buf_free(&r.data);
    return bound;
}

/* AT-158 */
static void init_data(void **s)
{
    static const cm_hash hashes[] = {CM_SHA256, CM_SHA384, CM_SHA512};
    uint8_t d[CM_HASH_MAX], input[64] = {0}, pcr[32];

    (void)s;
    for (size_t i = 0; i < CM_COUNT(hashes); i++) {
        memset(d, 0, sizeof d);
        assert_true(cm_ok(cm_hash_once(c, hashes[i], d, CM_LIT("x = 1"))));
        assert_true(is_bound(CM_ATTEST_SNP, "host_data", 0, cm_view_of(d, 32), "x = 1"));
        assert_true(is_bound(CM_ATTEST_TDX, "mrconfigid", 0, cm_view_of(d, 48), "x = 1"));
        assert_false(is_bound(CM_ATTEST_SNP, "host_data", 0, cm_view_of(d, 32), "x = 2"));
        assert_false(is_bound(CM_ATTEST_SNP, "host_data", 0, cm_view_of(d, 31), "x = 1"));
        assert_false(is_bound(CM_ATTEST_SNP, "report_data", 0, cm_view_of(d, 32), "x = 1"));
        assert_false(is_bound(CM_ATTEST_TPM, "host_data", 0, cm_view_of(d, 32), "x = 1"));
        d[i ? 47 : 40] ^= 1; /* of SHA-256 a byte that has to be zero */
        assert_false(is_bound(CM_ATTEST_TDX, "mrconfigid", 0, cm_view_of(d, 48), "x = 1"));
    }
    assert_true(cm_ok(cm_hash_once(c, CM_SHA256, input + 32, CM_LIT("x = 1"))));
    assert_true(cm_ok(cm_hash_once(c, CM_SHA256, pcr, CM_VIEW(input))));
    assert_true(is_bound(CM_ATTEST_AZURE, "pcr", 8, CM_VIEW(pcr), "x = 1"));
    assert_false(is_bound(CM_ATTEST_AZURE, "pcr", 9, CM_VIEW(pcr), "x = 1"));
    assert_false(is_bound(CM_ATTEST_AZURE, "pcr", 8, cm_view_of(input + 32, 32), "x = 1"));
}

/* RL-5: the machine's digest covers the text about its devices; RL-6: theirs does not. */
static void devices(void **s)
{
    uint8_t one[CM_HASH_MAX], two[CM_HASH_MAX], dev[32];
    CM_AUTO(cm_rcar_attestation_done) cm_rcar_attestation b = {0};
    CM_AUTO(cm_buf_free) cm_buf text = {.max = 8192};
    cm_rcar_attestation a = {.additional = {.max = 4096}, .n = 3};

    (void)s;
    memcpy(a.key, key_bytes, sizeof key_bytes);
    for (size_t i = 0; i < a.n; i++) {
        a.piece[i] =
            (cm_rcar_piece){.kind = i ? CM_ATTEST_NVIDIA : CM_ATTEST_SNP, .evidence = {.max = 8}};
        assert_true(cm_ok(cm_buf_byte(&a.piece[i].evidence, (uint8_t)i)));
    }
    assert_true(cm_ok(cm_rcar_additional_put(&a.additional, &a)));
    assert_true(cm_ok(cm_rcar_attestation_put(&text, &a)));
    assert_true(cm_ok(cm_rcar_attestation_read(&b, CM_ATTEST_SNP, cm_buf_view(&text))));
    assert_int_equal(b.n, 3);
    assert_int_equal(b.piece[2].kind, CM_ATTEST_NVIDIA);
    assert_int_equal(b.piece[2].evidence.p[0], 2);
    assert_true(cm_view_eq(cm_buf_view(&a.additional), cm_buf_view(&b.additional)));
    assert_true(
        cm_ok(cm_rcar_report_data(one, c, CM_SHA384, b.nonce, b.key, cm_buf_view(&b.additional))));
    assert_true(cm_ok(cm_rcar_report_data(two, c, CM_SHA384, b.nonce, b.key, CM_LIT(""))));
    assert_memory_not_equal(one, two, 48);
    b.nonce[0] ^= 1;
    assert_true(
        cm_ok(cm_rcar_report_data(two, c, CM_SHA384, b.nonce, b.key, cm_buf_view(&b.additional))));
    assert_memory_not_equal(one, two, 48);
    assert_true(cm_ok(cm_rcar_device_data(dev, c, CM_SHA384, a.nonce, a.key)));
    assert_memory_not_equal(dev, one, 32);
    cm_rcar_attestation_done(&a);
}

static void too_many(void **s)
{
    char text[4096] = "{\"primary_evidence\":" PACK ",\"additional_evidence\":\"{\\\"nvidia\\\":[";
    cm_rcar_attestation a = {0};

    (void)s;
    for (int i = 0; i < CM_RCAR_PIECES; i++) /* one too many: the machine's counts */
        (void)snprintf(text + strlen(text), sizeof text - strlen(text),
                       "%s{\\\"casemate-evidence\\\":\\\"AQID\\\"}", i ? "," : "");
    (void)snprintf(text + strlen(text), sizeof text - strlen(text), "]}\"}");
    assert_true(cm_is(attestation(&a, CM_ATTEST_SNP, akp(), text), CM_RELEASE_MESSAGE));
}

static void answers(void **s)
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = 4096};
    CM_AUTO(cm_buf_free) cm_buf back = {.max = 4096};

    (void)s;
    assert_true(cm_ok(cm_rcar_token_put(&text, CM_LIT("a.b.c"))));
    assert_true(cm_ok(cm_rcar_token_read(&back, cm_buf_view(&text))));
    assert_true(cm_view_eq(cm_buf_view(&back), CM_LIT("a.b.c")));
    assert_true(cm_is(cm_rcar_error_read(&back, cm_buf_view(&text)), CM_RELEASE_MESSAGE));
    text.n = back.n = 0;
    assert_true(
        cm_ok(cm_rcar_error_put(&text, CM_FAIL(RELEASE_CLASSICAL), CM_LIT("say \"why\"\n"))));
    assert_true(
        cm_view_eq(cm_buf_view(&text), CM_LIT("{\"type\":\"urn:casemate:error:RELEASE_CLASSICAL\","
                                              "\"detail\":\"say \\\"why\\\"\\n\"}")));
    assert_true(cm_ok(cm_rcar_error_read(&back, cm_buf_view(&text))));
    assert_true(cm_view_eq(cm_buf_view(&back), CM_LIT("say \"why\"\n")));
}

/* RL-7 */
static void session_token(void **s)
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = 4096};

    (void)s;
    assert_true(cm_ok(cm_rcar_session_token(&text, CM_LIT("AgAA"), 1800000000, 1800000300)));
    assert_true(cm_view_eq(cm_buf_view(&text),
                           CM_LIT("eyJhbGciOiJjYXNlbWF0ZS1zZXNzaW9uIiwidHlwIjoiSldUIn0."
                                  "eyJleHAiOjE4MDAwMDAzMDAsImlhdCI6MTgwMDAwMDAwMH0.AgAA")));
}

/* ---- JWE ----------------------------------------------------------------------------------- */

/* RL-8 */
static void jwe_round_trip(void **s)
{
    static const size_t sizes[] = {0, 1, 32, 4096, CM_JWE_PLAIN_MAX};
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = NULL;
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *other = NULL;
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *large = NULL;
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = CM_JWE_PLAIN_MAX + 1};
    CM_AUTO(cm_buf_free) cm_buf w = {.max = CM_JWE_MAX};

    (void)s;
    assert_true(cm_ok(cm_kem_generate(&k, c, CM_KEM_MLKEM768)));
    assert_true(cm_ok(cm_kem_generate(&other, c, CM_KEM_MLKEM768)));
    assert_true(cm_ok(cm_kem_generate(&large, c, CM_KEM_MLKEM1024)));
    assert_true(cm_ok(cm_buf_reserve(&plain, CM_JWE_PLAIN_MAX + 1)));
    memset(plain.p, 0x5a, CM_JWE_PLAIN_MAX + 1);
    for (size_t i = 0; i < CM_COUNT(sizes); i++) {
        CM_AUTO(cm_buf_free) cm_buf one = {.max = CM_JWE_MAX};
        CM_AUTO(cm_buf_free) cm_buf two = {.max = CM_JWE_MAX};
        CM_AUTO(cm_buf_free) cm_buf back = {.max = CM_JWE_PLAIN_MAX};
        cm_view v = cm_view_of(plain.p, sizes[i]);

        assert_true(cm_ok(cm_jwe_seal(&one, c, k, v)));
        assert_true(cm_ok(cm_jwe_seal_to(&two, c, cm_kem_public(k), v)));
        assert_false(cm_view_eq(cm_buf_view(&one), cm_buf_view(&two)));
        assert_true(cm_ok(cm_jwe_open(&back, c, k, cm_buf_view(&one))));
        assert_true(cm_view_eq(cm_buf_view(&back), v));
        assert_true(cm_is(cm_jwe_open(&back, c, other, cm_buf_view(&one)), CM_CRYPT_TAG));
        assert_true(cm_is(cm_jwe_open(&back, c, large, cm_buf_view(&one)), CM_RELEASE_KEY));
    }
    assert_true(
        cm_is(cm_jwe_seal(&w, c, k, cm_view_of(plain.p, CM_JWE_PLAIN_MAX + 1)), CM_TOO_BIG));
    assert_true(cm_is(cm_jwe_seal(&w, c, large, CM_LIT("x")), CM_RELEASE_KEY));
    assert_true(cm_is(cm_jwe_seal_to(&w, c, CM_LIT("short"), CM_LIT("x")), CM_RELEASE_KEY));
    memset(plain.p, 0xff, 1184); /* coefficients past the modulus */
    assert_true(
        cm_is(cm_jwe_seal_to(&w, c, cm_view_of(plain.p, 1184), CM_LIT("x")), CM_RELEASE_KEY));
    assert_int_equal(w.n, 0);
}

/* RL-9: KMAC256 by another implementation; the secret is 00 01 02 ... */
static void jwe_kdf(void **s)
{
    uint8_t secret[32], out[CM_JWE_KWK];

    (void)s;
    for (uint8_t i = 0; i < sizeof secret; i++)
        secret[i] = i;
    assert_true(cm_ok(cm_jwe_kdf(out, c, secret)));
    assert_true(
        cm_view_eq(CM_VIEW(out), t_hex("3ca895ec8c52f6c90562f607de97f1dd01e5cb9da6c23525")));
}

/* Every character of a Response, changed: it never opens, and never to anything else. */
static void jwe_mutations(void **s)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = NULL;
    CM_AUTO(cm_buf_free) cm_buf w = {.max = CM_JWE_MAX};
    CM_AUTO(cm_buf_free) cm_buf back = {.max = CM_JWE_PLAIN_MAX};

    (void)s;
    assert_true(cm_ok(cm_kem_generate(&k, c, CM_KEM_MLKEM768)));
    assert_true(cm_ok(cm_jwe_seal(&w, c, k, CM_LIT("a key"))));
    for (size_t i = 0; i < w.n; i++) {
        uint8_t was = w.p[i];

        w.p[i] = was == 'A' ? 'B' : 'A';
        assert_true(cm_failed(cm_jwe_open(&back, c, k, cm_buf_view(&w))));
        w.p[i] = was;
    }
    for (size_t n = 0; n < w.n; n++)
        assert_true(cm_is(cm_jwe_open(&back, c, k, cm_view_of(w.p, n)), CM_RELEASE_JWE));
    assert_int_equal(back.n, 0);
    assert_true(cm_ok(cm_jwe_open(&back, c, k, cm_buf_view(&w))));
}

static void jwe_refused(const cm_kem_key *k, const char *text)
{
    CM_AUTO(cm_buf_free) cm_buf back = {.max = 64};

    assert_true(cm_is(cm_jwe_open(&back, c, k, cm_view_str(text)), CM_RELEASE_JWE));
}

/* RL-10 */
static void jwe_hostile(void **s)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = NULL;
    CM_AUTO(cm_buf_free) cm_buf w = {.max = CM_JWE_MAX};
    CM_AUTO(cm_buf_free) cm_buf back = {.max = 64};

    (void)s;
    assert_true(cm_ok(cm_kem_generate(&k, c, CM_KEM_MLKEM768)));
    jwe_refused(k, "{}");
    jwe_refused(k, "[]");
    jwe_refused(k, "a.b.c.d.e");
    jwe_refused(k, "{\"protected\":\"\",\"encrypted_key\":\"\",\"iv\":\"\",\"ciphertext\":\"\","
                   "\"tag\":\"\"}");
    jwe_refused(k, "{\"protected\":\"eyJhbGciOiJSU0EtT0FFUC0yNTYiLCJlbmMiOiJBMjU2R0NNIn0\","
                   "\"encrypted_key\":\"AA\",\"iv\":\"AA\",\"ciphertext\":\"AA\",\"tag\":\"AA\"}");
    assert_true(cm_ok(cm_jwe_seal(&w, c, k, CM_LIT("a key"))));
    w.p[w.n - 1] = ','; /* one member more */
    assert_true(cm_ok(cm_buf_append(&w, CM_LIT("\"aad\":\"\"}"))));
    assert_true(cm_is(cm_jwe_open(&back, c, k, cm_buf_view(&w)), CM_RELEASE_JWE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(hashes),
        cmocka_unit_test(request_round_trip),
        cmocka_unit_test(challenges),
        cmocka_unit_test(keys),
        cmocka_unit_test(evidence),
        cmocka_unit_test(trustees),
        cmocka_unit_test(init_data),
        cmocka_unit_test(devices),
        cmocka_unit_test(too_many),
        cmocka_unit_test(answers),
        cmocka_unit_test(session_token),
        cmocka_unit_test(jwe_round_trip),
        cmocka_unit_test(jwe_kdf),
        cmocka_unit_test(jwe_mutations),
        cmocka_unit_test(jwe_hostile),
    };
    int failed;

    if (cm_failed(cm_crypt_new(&c, CM_PROFILE_DEFAULT)))
        return 1;
    for (size_t i = 0; i < sizeof key_bytes; i++)
        key_bytes[i] = (uint8_t)i;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    cm_crypt_free(c);
    return failed;
}
