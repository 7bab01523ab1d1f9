/* App Attest below tee/appattest, whatever sets are there: an attestation of the development
 * environment (AT-84), and an assertion by its key. */
#include <stdio.h>
#include <string.h>

#include "attest_kit.h"

static char folder[256];
static char app[128];

static const uint32_t skips = CM_CHECK_BIT(REVOCATION) | CM_CHECK_BIT(CHIP);

enum { DAYS_4 = 4 * 86400 };

/* The text of one field of the set's description. */
static bool field(char *out, size_t size, cm_view text, const char *name)
{
    const char *at = memmem(text.p, text.n, name, strlen(name)), *end;

    at = at ? strchr(at + strlen(name) + 1, '"') : NULL;
    end = at ? strchr(at + 1, '"') : NULL;
    if (!T_CHECK(end && (size_t)(end - at) < size))
        return false;
    memcpy(out, at + 1, (size_t)(end - at - 1));
    out[end - at - 1] = 0;
    return true;
}

static tee *open_set(const char *evidence, const char *data)
{
    tee *t = tee_new(folder, evidence, 0);
    char when[64];
    cm_view meta = tee_file(t, folder, "meta.json");
    CM_AUTO(cm_buf_free) cm_buf copy = {.max = 4096};

    T_CHECK(cm_ok(cm_buf_append(&copy, meta)) && cm_ok(cm_buf_byte(&copy, 0)));
    if (field(when, sizeof when, cm_buf_view(&copy), "\"timestamp\"") &&
        field(app, sizeof app, cm_buf_view(&copy), "\"appId\""))
        t->p.now = tee_time(when) + 60;
    t->p.config = cm_view_str(app);
    t->p.fresh = tee_file(t, folder, data);
    return t;
}

/* AT-82, AT-84: a key made in Apple's hardware, but for development. */
static void right(tee *t)
{
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_DEBUG, CM_VERDICT_FAIL));
    t->p.flags = CM_ATTEST_ALLOW_DEBUG;
    T_CHECK(cm_ok(tee_run(t, skips)));
    T_CHECK(tee_is(t, CM_CHECK_IDENTITY, CM_VERDICT_PASS));
    T_CHECK(cm_is(tee_run(t, 0), CM_ATTEST_INCOMPLETE)); /* AT-3 */
}

/* AT-81, AT-83 */
static void wrong(tee *t, bool assertion)
{
    cm_view fresh = t->p.fresh, other = CM_LIT("another key");
    uint64_t now = t->p.now;

    t->p.fresh = CM_LIT("other data");
    t->p.config = CM_LIT("TEAM.another.app");
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_FRESH, CM_VERDICT_FAIL) &&
            tee_is(t, CM_CHECK_SIGNATURE, CM_VERDICT_FAIL) &&
            tee_is(t, CM_CHECK_CONFIG, CM_VERDICT_FAIL));
    t->p.fresh = cm_view_of(NULL, 0);
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_SIGNATURE, CM_VERDICT_SKIP));
    t->p.fresh = fresh;
    t->p.config = cm_view_str(app);
    if (assertion)
        return;
    t->p.now = now + DAYS_4;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_FAIL));
    t->p.now = now - DAYS_4;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_FAIL));
    t->p.now = now;
    t->p.chips = &other;
    t->p.n_chips = 1;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_CHIP, CM_VERDICT_FAIL));
    t->p.n_chips = 0;
}

/* AT-80: every byte but the receipt's, which is for Apple's own service. */
static void changed(tee *t)
{
    uint8_t *receipt = memmem(t->evidence.p, t->evidence.n, "greceipt", 8);
    uint8_t *auth = memmem(t->evidence.p, t->evidence.n, "hauthData", 9);

    T_CHECK(cm_ok(tee_run(t, skips)));
    if (!T_CHECK(receipt && auth && receipt < auth))
        return;
    tee_mutate(t, t->evidence.p, (size_t)(receipt - t->evidence.p), 41);
    tee_mutate(t, auth, (size_t)(t->evidence.p + t->evidence.n - auth), 3);
    tee_lengths(t, &t->in.evidence, 83);
}

/* AT-85: the attested key's assertion, once for each counter. */
static void assertion(cm_view spki)
{
    tee *t = open_set("assertion.cbor", "assertion_client_data.bin");

    T_CHECK(cm_attest_detect(t->in.evidence) == CM_ATTEST_ASSERTION);
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_FAIL));
    t->p.apple.key = spki;
    T_CHECK(cm_ok(tee_run(t, 0)) && tee_is(t, CM_CHECK_FRESH, CM_VERDICT_PASS));
    t->p.apple.counter = 1;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_FRESH, CM_VERDICT_FAIL));
    t->p.apple.counter = 0;
    wrong(t, true);
    tee_mutate(t, t->evidence.p, t->evidence.n, 1);
    tee_lengths(t, &t->in.evidence, 1);
    tee_done(t);
}

static void each_set(const char *path)
{
    const cm_attest_claim *key;
    CM_AUTO(cm_buf_free) cm_buf spki = {.max = 256};
    tee *t;

    (void)snprintf(folder, sizeof folder, "appattest/%s", tee_last(path));
    if (!tee_exists(folder, "attestation.cbor"))
        return;
    t = open_set("attestation.cbor", "client_data.bin");
    T_CHECK(cm_attest_detect(t->in.evidence) == CM_ATTEST_APPLE);
    t_ran();
    right(t);
    tee_every_byte(t);
    wrong(t, false);
    changed(t);
    T_CHECK(cm_ok(tee_run(t, skips)));
    key = cm_attest_find(&t->r, "public_key");
    T_CHECK(key && cm_ok(cm_buf_append(&spki, cm_attest_claim_view(&t->r, key))));
    if (tee_exists(folder, "assertion.cbor"))
        assertion(cm_buf_view(&spki));
    tee_done(t);
}

static void run(void)
{
    tee_each("appattest", "*", each_set);
}

int main(void)
{
    return t_vectors_main(run);
}
