/* For tpm_live.sh: make a credential for a running TPM, and verify its quote.
 *   tpm_probe make EK-CERT AK-PUBLIC BLOB STATE
 *   tpm_probe verify ROOT-CERT EK-CERT CA-CHAIN STATE SECRET QUOTE SIGNATURE AK-PUBLIC PCRS NONCE
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "attest/attest_int.h"

enum { FILE_MAX = 65536 };

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "tpm_probe: %s\n", what);
    exit(1);
}

static cm_buf slurp(const char *path)
{
    cm_buf b = {.max = FILE_MAX};
    FILE *f = fopen(path, "rb");
    int ch;

    must(f != NULL, path);
    while ((ch = getc(f)) != EOF)
        must(cm_ok(cm_buf_byte(&b, (uint8_t)ch)), path);
    (void)fclose(f);
    return b;
}

static void save(const char *path, const void *p, size_t n)
{
    FILE *f = fopen(path, "wb");

    must(f && fwrite(p, 1, n, f) == n && fclose(f) == 0, path);
}

static int make(const cm_crypt *c, char **file)
{
    cm_buf cert = slurp(file[0]), ak = slurp(file[1]), blob = {.max = FILE_MAX};
    cm_tpm_activation a;

    must(cm_ok(cm_tpm_credential_make(&blob, &a, c, cm_buf_view(&cert), cm_buf_view(&ak))), "make");
    save(file[2], blob.p, blob.n);
    save(file[3], &a, sizeof a);
    cm_buf_free(&cert);
    cm_buf_free(&ak);
    cm_buf_free(&blob);
    return 0;
}

static void show(const cm_attest_result *r)
{
    for (unsigned i = 0; i < CM_CHECK_COUNT; i++)
        if (r->check[i].verdict != CM_VERDICT_ABSENT)
            printf("%-12s %s %s\n", cm_attest_check_name(i), cm_verdict_name(r->check[i].verdict),
                   r->check[i].why ? r->check[i].why : "");
}

enum { ROOT, EK, CHAIN, STATE, SECRET, QUOTE, SIGNATURE, AK, PCRS, NONCE, FILES };

static int judge(const cm_crypt *c, const cm_buf f[FILES], const cm_root *root)
{
    const uint32_t skips = CM_CHECK_BIT(REVOCATION) | CM_CHECK_BIT(EVENTS) |
                           CM_CHECK_BIT(PLATFORM) | CM_CHECK_BIT(CHIP) | CM_CHECK_BIT(MEASUREMENT);
    cm_view certs[] = {cm_buf_view(&f[ROOT]), cm_buf_view(&f[EK]), cm_buf_view(&f[CHAIN])};
    cm_tpm_activation a;
    cm_attest_input in = {.evidence = cm_buf_view(&f[QUOTE]), .certs = certs, .n_certs = 3};
    cm_attest_policy p = {
        .now = (uint64_t)time(NULL), .fresh = cm_buf_view(&f[NONCE]), .tpm = {.activation = &a}};
    cm_attest_result r = {0};
    bool good;

    must(f[STATE].n == sizeof a, "state");
    memcpy(&a, f[STATE].p, sizeof a);
    in.part[CM_PART_ACTIVATION] = cm_buf_view(&f[SECRET]);
    in.part[CM_PART_SIGNATURE] = cm_buf_view(&f[SIGNATURE]);
    in.part[CM_PART_AK] = cm_buf_view(&f[AK]);
    in.part[CM_PART_PCRS] = cm_buf_view(&f[PCRS]);
    must(cm_ok(cm_attest_verify_under(&r, c, (cm_roots){root, 1}, &in, &p)), "verify");
    show(&r);
    good = cm_ok(cm_attest_decide(&r, skips));
    cm_attest_result_done(&r);
    return good ? 0 : 2;
}

static int verify(const cm_crypt *c, char **file)
{
    CM_AUTO(cm_pool_done) cm_pool pool = {0};
    cm_buf f[FILES];
    cm_root root = {CM_VENDOR_TPM, "test", "", {0}, "test"};
    uint8_t *spki = NULL;
    int n, status;

    for (size_t i = 0; i < FILES; i++)
        f[i] = slurp(file[i]);
    must(cm_ok(cm_pool_add(&pool, c, cm_buf_view(&f[ROOT]))), "root");
    n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(pool.v[0]), &spki);
    must(n > 0, "root");
    root.spki = cm_view_of(spki, (size_t)n);
    status = judge(c, f, &root);
    OPENSSL_free(spki);
    for (size_t i = 0; i < FILES; i++)
        cm_buf_free(&f[i]);
    return status;
}

int main(int argc, char **argv)
{
    cm_crypt *c = NULL;
    int status;

    must(cm_ok(cm_crypt_new(&c, CM_PROFILE_DEFAULT)), "crypt");
    must((argc == 6 && strcmp(argv[1], "make") == 0) ||
             (argc == 2 + FILES && strcmp(argv[1], "verify") == 0),
         "see the head of this file");
    status = argc == 6 ? make(c, argv + 2) : verify(c, argv + 2);
    cm_crypt_free(c);
    return status;
}
