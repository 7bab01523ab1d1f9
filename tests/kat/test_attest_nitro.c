/* Documents that Nitro's security module signed, below tee/nitro: accepted while their certificates
 * last, refused before and after, with any byte changed, and those of debug mode always. */
#include "attest_kit.h"

typedef struct {
    const char *folder;
    bool debug;
    uint64_t bytes;
} set;

static const set sets[] = {
    {"nitro/prod-2021", false, 4394},       {"nitro/prod-2021-pubkey", false, 4693},
    {"nitro/prod-2025-indef", false, 4526}, {"nitro/debug-2024-full", true, 4713},
    {"nitro/debug-2025-indef", true, 4529},
};

static const uint32_t skips = CM_CHECK_BIT(REVOCATION) | CM_CHECK_BIT(CONFIG) | CM_CHECK_BIT(FRESH);

enum { HOURS_4 = 4 * 3600, PCR = 48 };

/* The time in the document is a claim, and it takes a claim to verify it at. */
static uint64_t own_time(tee *t)
{
    const cm_attest_claim *c;

    (void)cm_failed(tee_run(t, UINT32_MAX));
    c = cm_attest_find(&t->r, "timestamp_ms");
    return T_CHECK(c != NULL) ? c->u / 1000 : 0;
}

static void right(tee *t, const set *s)
{
    static const uint8_t zero[PCR];
    const cm_attest_claim *pcr0 = cm_attest_find(&t->r, "pcr");
    cm_err e;

    if (!T_CHECK(pcr0 && pcr0->n == PCR))
        return;
    tee_measured(t, cm_attest_claim_view(&t->r, pcr0));
    T_CHECK(s->debug == cm_view_eq(t->measured, CM_VIEW(zero)));
    t->p.max_age = 60;
    e = tee_run(t, skips);
    T_CHECK(s->debug ? cm_is(e, CM_ATTEST_REFUSED) : cm_ok(e));
    T_CHECK(tee_is(t, CM_CHECK_DEBUG, s->debug ? CM_VERDICT_FAIL : CM_VERDICT_PASS)); /* AT-34 */
    t->p.flags = CM_ATTEST_ALLOW_DEBUG;
    T_CHECK(cm_ok(tee_run(t, skips)));
    T_CHECK(cm_is(tee_run(t, 0), CM_ATTEST_INCOMPLETE)); /* AT-3 */
    t->digest[0] ^= 1;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_MEASUREMENT, CM_VERDICT_FAIL));
    t->digest[0] ^= 1;
}

/* AT-35 */
static void wrong(tee *t)
{
    uint64_t now = t->p.now;

    t->p.fresh = CM_LIT("another nonce");
    t->p.config = CM_LIT("other user data");
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_FRESH, CM_VERDICT_FAIL) &&
            tee_is(t, CM_CHECK_CONFIG, CM_VERDICT_FAIL));
    t->p.fresh = t->p.config = cm_view_of(NULL, 0);
    t->p.now = now + 61;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_FRESH, CM_VERDICT_FAIL));
    t->p.max_age = 0;
    t->p.now = now + HOURS_4;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_FAIL));
    t->p.now = now - HOURS_4;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_FAIL));
    t->p.now = now;
}

/* AT-30, AT-31: neither shorter nor longer. */
static void wrong_length(tee *t)
{
    cm_view whole = t->in.evidence;
    CM_AUTO(cm_buf_free) cm_buf longer = {.max = whole.n + 1};

    t->in.kind = CM_ATTEST_NITRO;
    for (size_t n = 1; n < whole.n; n += 61) {
        t->in.evidence = cm_view_sub(whole, 0, n);
        T_CHECK(cm_is(tee_run(t, UINT32_MAX), CM_ATTEST_REFUSED) &&
                tee_is(t, CM_CHECK_FORM, CM_VERDICT_FAIL));
    }
    T_CHECK(cm_ok(cm_buf_append(&longer, whole)) && cm_ok(cm_buf_byte(&longer, 0)));
    t->in.evidence = cm_buf_view(&longer);
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_FORM, CM_VERDICT_FAIL));
    t->in.evidence = whole;
}

/* With the tag of COSE_Sign1 it is the same document; with another it is none. */
static void tags(tee *t)
{
    cm_view whole = t->in.evidence;
    CM_AUTO(cm_buf_free) cm_buf b = {.max = whole.n + 1};

    T_CHECK(cm_ok(cm_buf_byte(&b, 0xd2)) && cm_ok(cm_buf_append(&b, whole)));
    t->in.evidence = cm_buf_view(&b);
    T_CHECK(cm_ok(tee_run(t, UINT32_MAX)));
    b.p[0] = 0xd1;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)));
    t->in.evidence = whole;
}

static bool ends_with(const char *path, const char *folder)
{
    size_t tail = strlen("/doc.cbor"), n = strlen(folder), all = strlen(path);

    return all >= n + tail && memcmp(path + all - tail - n, folder, n) == 0;
}

static void each(const char *path)
{
    const set *s = NULL;
    tee *t;

    for (size_t i = 0; i < CM_COUNT(sets); i++)
        if (ends_with(path, sets[i].folder))
            s = &sets[i];
    if (!T_CHECK(s != NULL))
        return;
    t = tee_new(s->folder, "doc.cbor", 0);
    T_CHECK(t->evidence.n == s->bytes && cm_attest_detect(t->in.evidence) == CM_ATTEST_NITRO);
    t_ran();
    t->p.now = own_time(t);
    right(t, s);
    tee_every_byte(t);
    wrong(t);
    wrong_length(t);
    tags(t);
    /* AT-32, AT-33 */
    tee_mutate(t, t->evidence.p, t->evidence.n, 67);
    tee_done(t);
}

static void run(void)
{
    for (size_t i = 0; i < CM_COUNT(sets); i++)
        tee_each(sets[i].folder, "doc.cbor", each);
}

int main(void)
{
    return t_vectors_main(run);
}
