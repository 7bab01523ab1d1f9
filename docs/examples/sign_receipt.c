/* sign_receipt KEY.pem INPUT OUTPUT: a receipt on stdout, valid for an hour. INPUT and OUTPUT are
 * digests, 64 hex digits each.
 * cc sign_receipt.c $(pkg-config --cflags --libs casemate) */
#include <casemate/market.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int complain(cm_err e)
{
    fprintf(stderr, "%s: %s. %s\n", cm_err_name(e), cm_err_what(e), cm_err_fix(e));
    return EXIT_FAILURE;
}

static bool digest(uint8_t out[32], const char *hex)
{
    unsigned v;

    for (size_t i = 0; i < 32; i++) {
        if (sscanf(hex + 2 * i, "%2x", &v) != 1)
            return false;
        out[i] = (uint8_t)v;
    }
    return true;
}

int main(int argc, char **argv)
{
    cm_buf record = {NULL, 0, 0, CM_MARKET_RECORD_MAX};
    cm_signer *s = NULL;
    cm_poai r;
    cm_err e;

    memset(&r, 0, sizeof r);
    if (argc != 4 || strlen(argv[2]) != 64 || strlen(argv[3]) != 64 || !digest(r.input, argv[2]) ||
        !digest(r.output, argv[3]))
        return EXIT_FAILURE;
    r.head.issued_ms = (uint64_t)time(NULL) * 1000;
    r.head.expires_ms = r.head.issued_ms + CM_POAI_TTL_MS;
    r.model[31] = r.node[31] = 1; /* what a program knows of itself */
    e = cm_signer_open(&s, (const char *const *)&argv[1], 1, NULL);
    if (cm_ok(e))
        e = cm_signer_poai(&record, s, &r);
    if (cm_ok(e))
        fwrite(record.p, 1, record.n, stdout);
    cm_signer_free(s);
    cm_buf_free(&record);
    return cm_ok(e) ? EXIT_SUCCESS : complain(e);
}
