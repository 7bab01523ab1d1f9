/* Quotes that Intel's processors made, below tee/tdx and tee/sgx, with the vendor's statements of
 * their day where those were kept: the recorded verdict at that time, and no other. */
#include <stdio.h>

#include "attest_kit.h"

typedef enum { NONE, BESIDE, ANSWER } collateral; /* none; object and signature; whole answer */

typedef struct {
    const char *folder, *when;
    cm_attest_kind kind;
    collateral col;
    bool debug, service_td;
    cm_verdict tcb;
    cm_tcb_status status;
} set;

static const set sets[] = {
    {"tdx/v4-uptodate", "2025-07-01T00:00:00", CM_ATTEST_TDX, BESIDE, false, false, CM_VERDICT_PASS,
     CM_TCB_UP_TO_DATE},
    {"tdx/v5-td15-no-tcb-level", "2026-03-01T00:00:00", CM_ATTEST_TDX, BESIDE, false, false,
     CM_VERDICT_FAIL, CM_TCB_REVOKED},
    {"sgx/v3-sgx", "2025-07-01T00:00:00", CM_ATTEST_SGX, BESIDE, false, false, CM_VERDICT_FAIL,
     CM_TCB_CONFIGURATION_AND_SW_HARDENING},
    {"tdx/v5-td15-gcp", "2026-02-20T00:00:00", CM_ATTEST_TDX, ANSWER, false, false, CM_VERDICT_PASS,
     CM_TCB_UP_TO_DATE},
    {"tdx/v4-gcp-spr-e4", "2025-06-20T00:00:00", CM_ATTEST_TDX, NONE, false, false, CM_VERDICT_SKIP,
     CM_TCB_UNKNOWN},
    {"tdx/v4-debug-td", "2025-06-20T00:00:00", CM_ATTEST_TDX, NONE, true, false, CM_VERDICT_SKIP,
     CM_TCB_UNKNOWN},
    {"tdx/v5-td15-service-td", "2025-06-20T00:00:00", CM_ATTEST_TDX, NONE, false, true,
     CM_VERDICT_SKIP, CM_TCB_UNKNOWN},
    {"tdx/v4-azure-no-sept-ve", "2025-06-20T00:00:00", CM_ATTEST_TDX, NONE, false, false,
     CM_VERDICT_SKIP, CM_TCB_UNKNOWN},
    {"tdx/v4-tdx-quote", "2025-06-20T00:00:00", CM_ATTEST_TDX, NONE, false, false, CM_VERDICT_SKIP,
     CM_TCB_UNKNOWN},
    {"tdx/v4-ccel-cos113", "2025-06-20T00:00:00", CM_ATTEST_TDX, NONE, false, false,
     CM_VERDICT_SKIP, CM_TCB_UNKNOWN},
};

enum { SEPT_VE_DISABLE = 1 << 28, FIRST_DIGEST = 0x4f };

static const uint32_t skips =
    CM_CHECK_BIT(CONFIG) | CM_CHECK_BIT(EVENTS) | CM_CHECK_BIT(FRESH) | CM_CHECK_BIT(MEASUREMENT);
static const uint32_t no_collateral =
    CM_CHECK_BIT(REVOCATION) | CM_CHECK_BIT(QUOTING) | CM_CHECK_BIT(COLLATERAL) | CM_CHECK_BIT(TCB);

/* The statements of v5-td15-gcp came without an identity and lists: those of the same month beside
 * another quote serve. */
static void load(tee *t, const set *s)
{
    const char *from = s->col == ANSWER ? "tdx/v5-td15-no-tcb-level" : s->folder;
    char folder[64];

    if (s->col == NONE)
        return;
    (void)snprintf(folder, sizeof folder, "%s/collateral", from);
    t->in.qe_identity = tee_file(t, folder, "qe_identity.json");
    t->in.qe_identity_sig = tee_file(t, folder, "qe_identity.sig");
    tee_cert(t, folder, "tcb_info_issuer_chain.pem");
    tee_crl(t, folder, "root_ca.crl");
    tee_crl(t, folder, "pck.crl");
    if (s->col == ANSWER) {
        (void)snprintf(folder, sizeof folder, "%s/collateral", s->folder);
        t->in.tcb_info = tee_file(t, folder, "tcbInfo.response.json");
        return;
    }
    t->in.tcb_info = tee_file(t, folder, "tcb_info.json");
    t->in.tcb_info_sig = tee_file(t, folder, "tcb_info.sig");
}

static tee *open_set(const set *s)
{
    tee *t = tee_new(s->folder, "quote.bin", tee_time(s->when));

    load(t, s);
    return t;
}

static void right(tee *t, const set *s)
{
    bool good = !s->debug && !s->service_td && s->tcb != CM_VERDICT_FAIL;
    cm_err e = tee_run(t, skips | (s->col == NONE ? no_collateral : 0));

    T_CHECK(t->r.kind == s->kind);
    T_CHECK(good ? cm_ok(e) : cm_is(e, CM_ATTEST_REFUSED));
    T_CHECK(tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_PASS));
    T_CHECK(tee_is(t, CM_CHECK_SIGNATURE, CM_VERDICT_PASS));
    T_CHECK(tee_is(t, CM_CHECK_IDENTITY, CM_VERDICT_PASS));
    T_CHECK(tee_is(t, CM_CHECK_DEBUG, s->debug ? CM_VERDICT_FAIL : CM_VERDICT_PASS)); /* AT-46 */
    T_CHECK(tee_is(t, CM_CHECK_TCB, s->tcb) && t->r.tcb == s->status);                /* AT-45 */
    if (s->col != NONE) {
        T_CHECK(tee_is(t, CM_CHECK_QUOTING, CM_VERDICT_PASS));
        T_CHECK(tee_is(t, CM_CHECK_COLLATERAL, CM_VERDICT_PASS));
        T_CHECK(tee_is(t, CM_CHECK_REVOCATION, CM_VERDICT_PASS));
    }
    T_CHECK(s->kind == CM_ATTEST_SGX ||
            tee_is(t, CM_CHECK_GUEST_POLICY, s->service_td ? CM_VERDICT_FAIL : CM_VERDICT_PASS));
    if (s->col == NONE)
        T_CHECK(cm_failed(tee_run(t, skips))); /* AT-3 */
}

static void wrong(tee *t, const set *s)
{
    uint64_t now = t->p.now;

    t->p.fresh = CM_LIT("another nonce");
    t->p.config = CM_LIT("another");
    t->p.intel.evaluation = 1000;
    tee_measured(t, CM_LIT("another"));
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_FRESH, CM_VERDICT_FAIL) &&
            tee_is(t, CM_CHECK_CONFIG, CM_VERDICT_FAIL) &&
            tee_is(t, CM_CHECK_MEASUREMENT, CM_VERDICT_FAIL));
    T_CHECK(s->col == NONE || tee_is(t, CM_CHECK_COLLATERAL, CM_VERDICT_FAIL));
    t->p.fresh = t->p.config = cm_view_of(NULL, 0);
    t->p.n_measurements = 0;
    t->p.intel.evaluation = 0;
    t->p.now = tee_time("2020-01-01T00:00:00");
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_FAIL));
    t->p.now = tee_time("2034-01-01T00:00:00");
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_FAIL));
    t->p.now = now;
}

/* AT-40: signed or not, every byte up to the end of the chain counts; bytes behind do not. */
static void mutate(tee *t, const set *s)
{
    size_t end = 0;

    for (size_t n = t->evidence.n; n > 25 && !end; n--)
        if (memcmp(t->evidence.p + n - 25, "-----END CERTIFICATE-----", 25) == 0)
            end = n;
    t->in.kind = s->kind;
    /* The user data of the header at 28 are signed too. */
    tee_mutate(t, t->evidence.p, end - 1400, 97);
    for (size_t n = 1; n < end; n += 499) {
        t->in.evidence = cm_view_of(t->evidence.p, n);
        T_CHECK(cm_is(tee_run(t, UINT32_MAX), CM_ATTEST_REFUSED));
    }
    t->in.evidence = cm_buf_view(&t->evidence);
}

static void each(const char *path)
{
    for (size_t i = 0; i < CM_COUNT(sets); i++) {
        const set *s = &sets[i];
        tee *t;

        if (!strstr(path, s->folder))
            continue;
        t = open_set(s);
        T_CHECK(cm_attest_detect(t->in.evidence) == s->kind);
        t_ran();
        right(t, s);
        tee_every_byte(t);
        wrong(t, s);
        mutate(t, s);
        tee_done(t);
    }
}

/* ---- what verifiers forgot ----------------------------------------------------------------- */

/* CVE-2026-22696: the identity of the quoting enclave was fetched and its signature not verified
 * (AT-44). Nor may one bit of either statement change, nor either be of another day. */
static void statements_are_verified(void)
{
    tee *t = open_set(&sets[0]);

    for (size_t i = 0; i < t->file[0].n; i += 19) {
        t->file[0].p[i] ^= 1;
        T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_QUOTING, CM_VERDICT_FAIL));
        t->file[0].p[i] ^= 1;
    }
    for (size_t i = 0; i < t->in.tcb_info.n; i += 149) {
        uint8_t *p = t->file[t->n_files - 2].p;

        p[i] ^= 1;
        T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) &&
                tee_is(t, CM_CHECK_COLLATERAL, CM_VERDICT_FAIL));
        p[i] ^= 1;
    }
    t->p.now = tee_time("2025-07-19T10:16:03"); /* the very end */
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_COLLATERAL, CM_VERDICT_FAIL) &&
            tee_is(t, CM_CHECK_REVOCATION, CM_VERDICT_FAIL)); /* AT-9 */
    t_ran();
    tee_done(t);
}

/* The platform's statement is of another platform; the enclave's of the other kind (AT-43). */
static void statements_of_others(void)
{
    tee *t = open_set(&sets[0]);

    t->in.tcb_info = tee_file(t, "sgx/v3-sgx/collateral", "tcb_info.json");
    t->in.tcb_info_sig = tee_file(t, "sgx/v3-sgx/collateral", "tcb_info.sig");
    t->in.qe_identity = tee_file(t, "sgx/v3-sgx/collateral", "qe_identity.json");
    t->in.qe_identity_sig = tee_file(t, "sgx/v3-sgx/collateral", "qe_identity.sig");
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_QUOTING, CM_VERDICT_FAIL) &&
            tee_is(t, CM_CHECK_COLLATERAL, CM_VERDICT_FAIL));
    tee_done(t);
    t = open_set(&sets[1]);
    t->in.tcb_info = tee_file(t, "tdx/v4-uptodate/collateral", "tcb_info.json");
    t->in.tcb_info_sig = tee_file(t, "tdx/v4-uptodate/collateral", "tcb_info.sig");
    t->p.now = tee_time("2026-03-01T00:00:00");
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_COLLATERAL, CM_VERDICT_FAIL));
    t_ran();
    tee_done(t);
}

/* AT-45: what is neither up to date nor revoked is taken when the policy says so. */
static void status_by_policy(void)
{
    tee *t = open_set(&sets[2]);

    t->p.intel.accept_tcb = CM_TCB_BIT(CONFIGURATION_AND_SW_HARDENING);
    T_CHECK(cm_ok(tee_run(t, skips)));
    t_ran();
    tee_done(t);
    t = open_set(&sets[1]);
    t->p.intel.accept_tcb = UINT32_MAX;
    T_CHECK(cm_is(tee_run(t, UINT32_MAX), CM_ATTEST_REFUSED));
    tee_done(t);
}

/* AT-46: SEPT_VE_DISABLE is the policy's to ask for. */
static void attributes_by_policy(void)
{
    tee *t = open_set(&sets[7]);

    t->p.intel.attributes_required = SEPT_VE_DISABLE;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_GUEST_POLICY, CM_VERDICT_FAIL));
    t_ran();
    tee_done(t);
}

/* AT-41, AT-42: the attestation key of one quote under the quoting enclave of another. */
static void key_of_another(void)
{
    enum { KEY = 48 + 584 + 4 + 64, SIZE = 64 };
    tee *t = open_set(&sets[7]), *other = open_set(&sets[8]);

    memcpy(t->evidence.p, other->evidence.p, 48 + 584);
    memcpy(t->evidence.p + KEY - SIZE, other->evidence.p + KEY - SIZE, SIZE + (size_t)SIZE);
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_SIGNATURE, CM_VERDICT_FAIL));
    t_ran();
    tee_done(t);
    tee_done(other);
}

/* AT-47 */
static void event_log(void)
{
    tee *t = open_set(&sets[9]);
    cm_buf *log;

    t->in.event_log = tee_file(t, "tdx/v4-ccel-cos113", "ccel_data.bin");
    log = &t->file[t->n_files - 1];
    T_CHECK(cm_ok(tee_run(t, (skips | no_collateral) & ~CM_CHECK_BIT(EVENTS))));
    T_CHECK(tee_is(t, CM_CHECK_EVENTS, CM_VERDICT_PASS));
    tee_every_byte(t);
    for (size_t i = FIRST_DIGEST; i < FIRST_DIGEST + 48; i++) {
        log->p[i] ^= 0x80;
        T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_EVENTS, CM_VERDICT_FAIL));
        log->p[i] ^= 0x80;
    }
    t->in.event_log.n = 600;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_EVENTS, CM_VERDICT_FAIL));
    t_ran();
    tee_done(t);
}

static void forgotten(void)
{
    statements_are_verified();
    statements_of_others();
    status_by_policy();
    attributes_by_policy();
    key_of_another();
    event_log();
}

static void run(void)
{
    for (size_t i = 0; i < CM_COUNT(sets); i++)
        tee_each(sets[i].folder, "quote.bin", each);
    if (tee_exists(sets[0].folder, "quote.bin"))
        t_group("what verifiers forgot", forgotten);
}

int main(void)
{
    return t_vectors_main(run);
}
