/* Days that nobody recorded: what is counted fits what was read, and a day that holds is whole. */
#include <stdlib.h>

#include "market/day.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

typedef struct {
    cm_view rest;
} file;

static void must(bool holds)
{
    if (!holds)
        abort();
}

static cm_err read_file(void *arg, uint8_t *p, size_t n, size_t *got)
{
    file *f = arg;

    *got = CM_MIN(n, f->rest.n);
    if (*got)
        memcpy(p, f->rest.p, *got);
    f->rest = cm_view_sub(f->rest, *got, f->rest.n - *got);
    return CM_OKAY;
}

/* The key of the corpus, so that its signatures hold. */
static cm_crypt *crypt(cm_sig_key **key)
{
    uint8_t seed[32] = {1};
    cm_crypt *c;

    must(cm_ok(cm_crypt_new(&c, CM_PROFILE_DEFAULT)));
    must(cm_ok(cm_sig_from_seed(key, c, CM_SIG_SECP256K1, CM_VIEW(seed))));
    return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static cm_sig_key *key;
    static cm_crypt *c;
    file f = {.rest = cm_view_of(p, n)};
    cm_day_key signer;
    cm_day_counts counts;
    cm_day_place bad;
    cm_err e;

    if (!c)
        c = crypt(&key);
    signer = (cm_day_key){.keys = {.secp = key}};
    e = cm_day_verify(&counts, &bad,
                      &(cm_day_options){.crypt = c,
                                        .keys = &signer,
                                        .key_count = 1,
                                        .policy = {.any_time = true},
                                        .threads = 1,
                                        .read = read_file,
                                        .arg = &f});
    must(counts.bytes <= n && signer.verified == counts.receipts + counts.settlements);
    must(counts.records >= counts.batches && counts.records * 300 <= n);
    if (cm_ok(e))
        must(counts.bytes == n && n >= CM_DAY_HEAD + CM_DAY_TAIL);
    else
        must(bad.offset <= n);
    return 0;
}
