/* Reports of GPUs and switches below tee/nvidia, whatever sets are there; those whose folder says
 * so have a bad signature. */
#include <stdio.h>
#include <string.h>

#include "attest_kit.h"

static char folder[256];

enum { NONCE_AT = 4, NONCE = 32 };

static const uint32_t skips = CM_CHECK_BIT(REVOCATION) | CM_CHECK_BIT(MEASUREMENT);

/* AT-92: a report of older firmware names no FWID. */
static bool names_firmware(void)
{
    return !strstr(folder, "nofwid") && !strstr(folder, "nvswitch");
}

static void right(tee *t, bool signature)
{
    const cm_attest_claim *digest;
    uint32_t may = skips | (names_firmware() ? 0 : CM_CHECK_BIT(IDENTITY));
    cm_err e = tee_run(t, may);

    T_CHECK(signature ? cm_ok(e) : cm_is(e, CM_ATTEST_REFUSED));
    T_CHECK(tee_is(t, CM_CHECK_SIGNATURE, signature ? CM_VERDICT_PASS : CM_VERDICT_FAIL));
    T_CHECK(!signature || tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_PASS));
    T_CHECK(!signature || !names_firmware() || tee_is(t, CM_CHECK_IDENTITY, CM_VERDICT_PASS));
    T_CHECK(tee_is(t, CM_CHECK_FRESH, CM_VERDICT_PASS));
    digest = cm_attest_find(&t->r, "record_digest");
    if (!signature || !T_CHECK(digest != NULL))
        return;
    tee_measured(t, cm_attest_claim_view(&t->r, digest));
    T_CHECK(cm_ok(tee_run(t, may)) && tee_is(t, CM_CHECK_MEASUREMENT, CM_VERDICT_PASS));
    T_CHECK(cm_is(tee_run(t, 0), CM_ATTEST_INCOMPLETE)); /* AT-3 */
    t->digest[0] ^= 1;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_MEASUREMENT, CM_VERDICT_FAIL));
    t->p.n_measurements = 0;
}

/* AT-93: the nonce of the request, which the signature covers too. */
static void wrong(tee *t)
{
    cm_view fresh = t->p.fresh;
    uint64_t now = t->p.now;
    size_t certs = t->in.n_certs;

    t->p.fresh = CM_LIT("another nonce");
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_FRESH, CM_VERDICT_FAIL));
    t->p.fresh = fresh;
    t->p.now = tee_time("2000-01-01T00:00:00");
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_FAIL));
    t->p.now = now;
    t->in.n_certs = 0;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_FAIL));
    t->in.n_certs = certs;
}

static void each_set(const char *path)
{
    uint8_t nonce[NONCE];
    tee *t;

    (void)snprintf(folder, sizeof folder, "nvidia/%s", tee_last(path));
    if (!tee_exists(folder, "report.bin"))
        return;
    t = tee_new(folder, "report.bin", tee_time("2025-08-21T12:00:00"));
    tee_cert(t, folder, "chain.pem");
    memcpy(nonce, t->evidence.p + NONCE_AT, sizeof nonce);
    t->p.fresh = CM_VIEW(nonce);
    T_CHECK(cm_attest_detect(t->in.evidence) == CM_ATTEST_NVIDIA);
    t_ran();
    right(t, !strstr(folder, "bad-signature"));
    if (!strstr(folder, "bad-signature")) {
        wrong(t);
        tee_every_byte(t);
        /* AT-90, AT-91 */
        tee_mutate(t, t->evidence.p, t->evidence.n, 53);
        tee_lengths(t, &t->in.evidence, 211);
    }
    tee_done(t);
}

static void run(void)
{
    tee_each("nvidia", "*", each_set);
}

int main(void)
{
    return t_vectors_main(run);
}
