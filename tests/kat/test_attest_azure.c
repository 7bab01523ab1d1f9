/* Azure's vTPM below tee/azure-vtpm, whatever sets are there: hardware report, text, key, quote. */
#include <stdio.h>

#include "attest_kit.h"

static char folder[256];

/* A set of SNP has the chip's certificate beside it; all products' roots are given. */
static bool is_snp(void)
{
    return tee_exists(folder, "vcek.der");
}

static const struct {
    const char *name, *when;
} times[] = {
    {"tdx", "2025-06-20T00:00:00"},
    {"", "2026-06-18T00:00:00"},
};

static uint64_t time_of_set(void)
{
    for (size_t i = 0;; i++)
        if (times[i].name[0] == 0 || strstr(folder, times[i].name))
            return tee_time(times[i].when);
}

static uint32_t skips(void)
{
    uint32_t common = CM_CHECK_BIT(REVOCATION) | CM_CHECK_BIT(TCB) | CM_CHECK_BIT(PLATFORM) |
                      CM_CHECK_BIT(MEASUREMENT) | CM_CHECK_BIT(CONFIG) | CM_CHECK_BIT(EVENTS) |
                      CM_CHECK_BIT(CHIP);

    return common | (is_snp() ? 0 : CM_CHECK_BIT(QUOTING) | CM_CHECK_BIT(COLLATERAL));
}

static tee *open_set(void)
{
    static const char *const product[] = {"milan", "genoa", "turin"};
    tee *t = tee_new(folder, "hcl_report.bin", time_of_set());

    tee_part(t, CM_PART_QUOTE, folder, "tpm_quote.msg");
    tee_part(t, CM_PART_SIGNATURE, folder, "tpm_quote.sig");
    tee_part(t, CM_PART_PCRS, folder, "pcrs_sha256.bin");
    if (!is_snp()) {
        tee_part(t, CM_PART_TD_QUOTE, folder, "td_quote.bin");
        return t;
    }
    tee_cert(t, folder, "vcek.der");
    for (size_t i = 0; i < CM_COUNT(product); i++) {
        char root[64];

        (void)snprintf(root, sizeof root, "snp/roots/%s", product[i]);
        tee_cert(t, root, "ask.der");
        tee_cert(t, root, "ark.der");
    }
    return t;
}

static void right(tee *t)
{
    const cm_attest_claim *nonce;

    T_CHECK(cm_ok(tee_run(t, skips() | CM_CHECK_BIT(FRESH))));
    T_CHECK(t->r.kind == CM_ATTEST_AZURE);
    T_CHECK(tee_is(t, CM_CHECK_FRESH, CM_VERDICT_SKIP)); /* the quote's, not the hardware's */
    nonce = cm_attest_find(&t->r, "nonce");
    if (!T_CHECK(nonce && nonce->n <= sizeof t->digest))
        return;
    memcpy(t->digest, cm_attest_claim_view(&t->r, nonce).p, nonce->n);
    t->p.fresh = cm_view_of(t->digest, nonce->n);
    T_CHECK(cm_ok(tee_run(t, skips())) && tee_is(t, CM_CHECK_FRESH, CM_VERDICT_PASS));
    T_CHECK(tee_is(t, CM_CHECK_PCRS, CM_VERDICT_PASS));
}

static void wrong(tee *t)
{
    cm_view fresh = t->p.fresh, other = CM_LIT("another digest");
    uint64_t now = t->p.now;

    t->p.fresh = CM_LIT("another nonce");
    t->p.tpm.digests = &other;
    t->p.tpm.n_digests = 1;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_FRESH, CM_VERDICT_FAIL) &&
            tee_is(t, CM_CHECK_PCRS, CM_VERDICT_FAIL));
    t->p.fresh = fresh;
    t->p.tpm.n_digests = 0;
    t->p.now = tee_time("2019-01-01T00:00:00");
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_FAIL));
    t->p.now = tee_time("2034-01-01T00:00:00");
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_FAIL));
    t->p.now = now;
}

/* AT-60, AT-61: of a TD the report inside is its processor's own, which nobody else can check; it
 * is the quote that counts. */
static void changed(tee *t)
{
    enum { HARDWARE = 32, RUNTIME = 32 + 1184 };

    T_CHECK(cm_ok(tee_run(t, skips())));
    tee_lengths(t, &t->in.part[CM_PART_QUOTE], 7);
    tee_lengths(t, &t->in.part[CM_PART_SIGNATURE], 31);
    tee_lengths(t, &t->in.part[CM_PART_PCRS], 63);
    for (size_t i = 0; i < 3; i++)
        tee_mutate(t, t->file[i].p, t->file[i].n, 11);
    tee_mutate(t, t->evidence.p, HARDWARE, 1);
    if (is_snp())
        tee_mutate(t, t->evidence.p + HARDWARE, RUNTIME - HARDWARE, 47);
    tee_mutate(t, t->evidence.p + RUNTIME, t->evidence.n - RUNTIME, 29);
}

/* AT-62: the quote of one machine under the report of another. */
static void crossed(tee *t, const char *other)
{
    cm_attest_input in = t->in;

    tee_part(t, CM_PART_QUOTE, other, "tpm_quote.msg");
    tee_part(t, CM_PART_SIGNATURE, other, "tpm_quote.sig");
    tee_part(t, CM_PART_PCRS, other, "pcrs_sha256.bin");
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_SIGNATURE, CM_VERDICT_FAIL));
    t->in = in;
}

static void each_set(const char *path)
{
    tee *t;

    (void)snprintf(folder, sizeof folder, "azure-vtpm/%s", tee_last(path));
    if (!tee_exists(folder, "hcl_report.bin"))
        return;
    t = open_set();
    T_CHECK(cm_attest_detect(t->in.evidence) == CM_ATTEST_AZURE);
    t_ran();
    right(t);
    tee_every_byte(t);
    wrong(t);
    changed(t);
    if (strstr(folder, "tdx") && tee_exists("azure-vtpm/snp-genoa", "tpm_quote.msg"))
        crossed(t, "azure-vtpm/snp-genoa");
    tee_done(t);
}

static void run(void)
{
    tee_each("azure-vtpm", "*", each_set);
}

int main(void)
{
    return t_vectors_main(run);
}
