/* attest verify NAME SECONDS-SINCE-1970 EVIDENCE FILE...: how often a second one core verifies a
 * piece of evidence with what belongs to it, chain and all.
 * attest cached ...: the same with the certificates' signatures remembered.
 * attest raw: what OpenSSL's own signature checks take. JSON lines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "attest/bundle.h"
#include "base/os.h"
#include "codec/text.h"

enum { FILE_LIMIT = 1 << 20 };

static const double SECONDS = 1.5;

static void fine(cm_err e, const char *what)
{
    if (cm_ok(e))
        return;
    (void)fprintf(stderr, "attest: %s: %s\n", what, cm_err_name(e));
    exit(1);
}

static double cpu(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void tell(const char *name, size_t n, double used, const char *result)
{
    (void)printf("{\"name\":\"%s\",\"n\":%zu,\"per_second\":%.1f,\"cpu_us\":%.2f,"
                 "\"result\":\"%s\"}\n",
                 name, n, (double)n / used, 1e6 * used / (double)n, result);
}

static cm_buf slurp(const char *path)
{
    cm_buf b = {.max = FILE_LIMIT};

    fine(cm_os_slurp(&b, path, FILE_LIMIT), path);
    return b;
}

static void verify(char **argv, int argc, cm_attest_cache *cache)
{
    cm_attest_policy p = {.may_skip = UINT32_MAX, .flags = CM_ATTEST_ALLOW_DEBUG};
    cm_attest_result r = {.n_claims = 0};
    cm_attest_bundle *b = NULL;
    cm_buf evidence = slurp(argv[4]);
    cm_attest_input in = {.evidence = cm_buf_view(&evidence)};
    cm_crypt *c = NULL;
    const char *as;
    double from, used;
    size_t n = 0;

    fine(cm_dec_u64(&p.now, cm_view_str(argv[3])), "time");
    p.intel.accept_tcb = UINT32_MAX;
    fine(cm_crypt_new(&c, CM_PROFILE_DEFAULT), "crypt");
    fine(cm_attest_bundle_new(&b, c), "bundle");
    for (int i = 5; i < argc; i++) {
        cm_buf file = slurp(argv[i]);

        fine(cm_attest_bundle_add(b, cm_view_str(argv[i]), cm_buf_view(&file), &as), argv[i]);
        cm_buf_free(&file);
    }
    cm_attest_bundle_input(b, &in);
    in.cache = cache;
    for (from = cpu(), used = 0; used < SECONDS; used = cpu() - from, n++)
        fine(cm_attest_verify(&r, c, &in, &p), "verify");
    tell(argv[2], n, used, cm_ok(cm_attest_decide(&r, p.may_skip)) ? "verified" : "refused");
    cm_attest_result_done(&r);
    cm_attest_bundle_free(b);
    cm_crypt_free(c);
    cm_buf_free(&evidence);
}

static void raw(const char *name, EVP_PKEY *key, const EVP_MD *md)
{
    uint8_t message[672] = {1}, sig[1024];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t sig_n = sizeof sig, n = 0;
    double from, used;

    if (!key || EVP_DigestSignInit(ctx, NULL, md, NULL, key) != 1 ||
        EVP_DigestSign(ctx, sig, &sig_n, message, sizeof message) != 1)
        exit(1);
    EVP_MD_CTX_free(ctx);
    for (from = cpu(), used = 0; used < SECONDS / 2; used = cpu() - from, n++) {
        ctx = EVP_MD_CTX_new();
        if (EVP_DigestVerifyInit(ctx, NULL, md, NULL, key) != 1 ||
            EVP_DigestVerify(ctx, sig, sig_n, message, sizeof message) != 1)
            exit(1);
        EVP_MD_CTX_free(ctx);
    }
    tell(name, n, used, "verified");
    EVP_PKEY_free(key);
}

int main(int argc, char **argv)
{
    cm_attest_cache *cache = NULL;

    if (argc > 4 && strcmp(argv[1], "cached") == 0)
        fine(cm_attest_cache_new(&cache), "cache");
    if (argc > 4 && (cache || strcmp(argv[1], "verify") == 0)) {
        verify(argv, argc, cache);
        cm_attest_cache_free(cache);
        return 0;
    }
    if (argc != 2 || strcmp(argv[1], "raw") != 0)
        return 2;
    raw("P-256, SHA-256", EVP_EC_gen("P-256"), EVP_sha256());
    raw("P-384, SHA-384", EVP_EC_gen("P-384"), EVP_sha384());
    raw("RSA-2048, SHA-256", EVP_RSA_gen(2048), EVP_sha256());
    raw("RSA-4096, SHA-384", EVP_RSA_gen(4096), EVP_sha384());
    return 0;
}
