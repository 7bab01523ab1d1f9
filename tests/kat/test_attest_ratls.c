/* Certificates of three programs with a quote inside, all of debug enclaves. */
#include <string.h>

#include "attest_kit.h"
#include "codec/text.h"

static void each(const char *path)
{
    tee *t = tee_new("ratls", tee_last(path), tee_time("2024-01-01T00:00:00"));
    cm_attest_kind kind = cm_attest_detect(t->in.evidence);

    t_ran();
    T_CHECK(kind == CM_ATTEST_RATLS);
    /* AT-46 through the certificate. */
    T_CHECK(cm_is(tee_run(t, UINT32_MAX), CM_ATTEST_REFUSED));
    T_CHECK(tee_is(t, CM_CHECK_DEBUG, CM_VERDICT_FAIL));
    t->p.flags = CM_ATTEST_ALLOW_DEBUG;
    T_CHECK(cm_ok(tee_run(t, UINT32_MAX)) && t->r.kind == CM_ATTEST_RATLS);
    T_CHECK(tee_is(t, CM_CHECK_SIGNATURE, CM_VERDICT_PASS)); /* AT-116 */
    T_CHECK(tee_is(t, CM_CHECK_IDENTITY, CM_VERDICT_PASS));
    /* AT-117: with every other skip allowed it is still a hint; with a nonce it is refused. */
    T_CHECK(tee_is(t, CM_CHECK_FRESH, CM_VERDICT_SKIP));
    T_CHECK(cm_is(tee_run(t, UINT32_MAX & ~CM_CHECK_BIT(FRESH)), CM_ATTEST_INCOMPLETE));
    t->p.fresh = CM_LIT("nonce");
    T_CHECK(cm_is(tee_run(t, UINT32_MAX), CM_ATTEST_REFUSED));
    T_CHECK(tee_is(t, CM_CHECK_FRESH, CM_VERDICT_FAIL));
    t->p.fresh = cm_view_of(NULL, 0);
    t->p.now = tee_time("2000-01-01T00:00:00");
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_FAIL));
    tee_done(t);
}

/* The place of a text in the certificate's DER. */
static uint8_t *find(const cm_buf *b, const char *text, size_t n)
{
    uint8_t *p = memmem(b->p, b->n, text, n);

    T_CHECK(p != NULL);
    return p;
}

/* AT-115, AT-116: the evidence's parts, each changed. */
static void altered(const char *path)
{
    static const char tag[] = "\xd9\xea\x60\x82", claim[] = "pubkey-hash\x58";
    tee *t = tee_new("ratls", tee_last(path), tee_time("2024-01-01T00:00:00"));
    CM_AUTO(cm_buf_free) cm_buf der = {.max = 1 << 16};
    cm_view text = t->in.evidence, label;
    uint8_t *at;

    T_CHECK(cm_ok(cm_pem_next(&der, &label, &text)));
    t->in.evidence = cm_buf_view(&der);
    t->p.flags = CM_ATTEST_ALLOW_DEBUG;
    T_CHECK(cm_ok(tee_run(t, UINT32_MAX)));
    for (size_t i = 0; i < sizeof tag - 1; i++) {
        at = find(&der, tag, sizeof tag - 1);
        at[i] ^= 1;
        T_CHECK(cm_failed(tee_run(t, UINT32_MAX)));
        T_CHECK(tee_is(t, CM_CHECK_FORM, CM_VERDICT_FAIL));
        at[i] ^= 1;
    }
    /* The digest's last byte: the claims are not those quoted, the key is not the one claimed. */
    at = find(&der, claim, sizeof claim - 1) + sizeof claim + 35;
    *at ^= 1;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)));
    T_CHECK(tee_is(t, CM_CHECK_FRESH, CM_VERDICT_FAIL));
    T_CHECK(tee_is(t, CM_CHECK_IDENTITY, CM_VERDICT_FAIL));
    *at ^= 1;
    T_CHECK(cm_ok(tee_run(t, UINT32_MAX)));
    tee_done(t);
}

static void run(void)
{
    tee_each("ratls", "*.pem", each);
    tee_each("ratls", "*.pem", altered);
}

int main(void)
{
    return t_vectors_main(run);
}
