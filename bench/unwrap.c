/* unwrap URL CA KEY WRAPPED ROUNDS: how long a signed request for a sealed model's content key
 * takes, whole: signature, TLS, decision, unwrapping, durable log leaf and its receipt. One JSON
 * line. */
#include <stdio.h>
#include <stdlib.h>

#include "base/os.h"
#include "pki/keyfile.h"
#include "run/client.h"

enum { ROUNDS_MAX = 100000, KEYID = 65 };

static void must(cm_err e, const char *what)
{
    if (cm_ok(e))
        return;
    (void)fprintf(stderr, "%s: %s\n", what, cm_err_name(e));
    exit(1);
}

static int by_time(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void once(cm_client *k, cm_view body)
{
    CM_AUTO(cm_client_answer_free) cm_client_answer got = {0};
    const cm_client_request q = {.method = "POST",
                                 .target = CM_LIT("/v1/tenants/default/keys/aes:unwrap"),
                                 .body = body,
                                 .auth = CM_CLIENT_SIGNED};

    must(cm_client_call(k, &got, &q), "call");
    if (got.status != 200) {
        (void)fprintf(stderr, "status %d: %.*s\n", got.status, (int)got.body.n,
                      (const char *)got.body.p);
        exit(1);
    }
}

static void hex_of(char out[KEYID], const uint8_t hash[32])
{
    for (size_t i = 0; i < 32; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

int main(int argc, char **argv)
{
    static uint64_t took[ROUNDS_MAX];
    size_t rounds = argc > 5 ? (size_t)strtoul(argv[5], NULL, 10) : 0;
    cm_buf file = {.max = 1 << 20}, body = {.max = 1 << 20};
    cm_certs roots = {.n = 0};
    cm_client_options o = {.connect_ms = 0};
    uint8_t hash[32];
    char keyid[KEYID];
    cm_client *client;
    cm_pkey *key;
    cm_crypt *c;

    if (rounds < 10 || rounds > ROUNDS_MAX) {
        (void)fputs("usage: unwrap URL CA KEY WRAPPED ROUNDS\n", stderr);
        return 2;
    }
    must(cm_crypt_new(&c, CM_PROFILE_DEFAULT), "crypt");
    must(cm_os_slurp(&file, argv[2], file.max), argv[2]);
    must(cm_certs_read(&roots, c, cm_buf_view(&file)), argv[2]);
    must(cm_pkey_load(&key, c, argv[3], NULL), argv[3]);
    must(cm_hash_once(c, CM_SHA256, hash, cm_sig_public(cm_pkey_sig(key))), "hash");
    hex_of(keyid, hash);
    o.url = cm_view_str(argv[1]);
    o.roots = &roots;
    o.sign_key = cm_pkey_sig(key);
    o.keyid = cm_view_str(keyid);
    must(cm_client_new(&client, c, &o), "client");
    must(cm_buf_append(&body, CM_LIT("{\"wrapped\":\"")), "body");
    must(cm_buf_append(&body, cm_view_str(argv[4])), "body");
    must(cm_buf_append(&body, CM_LIT("\"}")), "body");
    for (size_t i = 0; i < rounds / 10 + 1; i++)
        once(client, cm_buf_view(&body));
    for (size_t i = 0; i < rounds; i++) {
        uint64_t start = cm_os_monotonic_ns();

        once(client, cm_buf_view(&body));
        took[i] = cm_os_monotonic_ns() - start;
    }
    qsort(took, rounds, sizeof *took, by_time);
    (void)printf("{\"rounds\":%zu,\"min_ms\":%.3f,\"p50_ms\":%.3f,\"p99_ms\":%.3f}\n", rounds,
                 1e-6 * (double)took[0], 1e-6 * (double)took[rounds / 2],
                 1e-6 * (double)took[rounds * 99 / 100]);
    cm_client_free(client);
    return 0;
}
