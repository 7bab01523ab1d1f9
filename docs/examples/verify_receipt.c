/* verify_receipt KEY RECEIPT: a receipt for an inference, verified against the raw public key of
 * its signer: 65 bytes of secp256k1 or 1952 of ML-DSA-65, which are the end of the DER of a .pub
 * file. Links libcasemate-verify, which needs neither OpenSSL nor the rest of casemate, or
 * libcasemate.
 * cc verify_receipt.c $(pkg-config --cflags --libs casemate-verify) */
#include <casemate/market.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int complain(cm_err e)
{
    fprintf(stderr, "%s: %s. %s\n", cm_err_name(e), cm_err_what(e), cm_err_fix(e));
    return EXIT_FAILURE;
}

static size_t load(uint8_t *p, size_t n, const char *path)
{
    FILE *f = fopen(path, "rb");
    size_t got = f ? fread(p, 1, n, f) : 0;

    if (f)
        fclose(f);
    return got;
}

static cm_err verify(cm_poai *r, cm_view key, cm_view record)
{
    cm_view none = {NULL, 0};
    cm_market_policy p = {0, 0, 0, NULL, false};
    cm_verifier *v = NULL;
    cm_err e = key.n == 65 ? cm_verifier_new(&v, key, none) : cm_verifier_new(&v, none, key);

    p.now_ms = (uint64_t)time(NULL) * 1000;
    p.skew_ms = CM_MARKET_SKEW_MS;
    if (cm_ok(e))
        e = cm_verifier_poai(r, v, &p, record);
    cm_verifier_free(v);
    return e;
}

int main(int argc, char **argv)
{
    static uint8_t key[1953], record[CM_MARKET_RECORD_MAX + 1];
    const char *text;
    cm_poai r;
    cm_err e;

    if (argc != 3)
        return EXIT_FAILURE;
    e = verify(&r, cm_view_of(key, load(key, sizeof key, argv[1])),
               cm_view_of(record, load(record, sizeof record, argv[2])));
    if (cm_failed(e))
        return complain(e);
    printf("signed; output ");
    for (size_t i = 0; i < sizeof r.output; i++)
        printf("%02x", r.output[i]);
    printf("\n");
    for (size_t i = 0; (text = cm_poai_unproven(&r, i)) != NULL; i++)
        printf("not proved: %s\n", text);
    return EXIT_SUCCESS;
}
