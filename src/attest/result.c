#include "attest/attest_int.h"

#define KIND_NAME(id, name, what)         [CM_ATTEST_##id] = name,
#define KIND_WHAT(id, name, what)         [CM_ATTEST_##id] = what,
#define CHECK_NAME(id, name, what)        [CM_CHECK_##id] = name,
#define CHECK_WHAT(id, name, what)        [CM_CHECK_##id] = what,
#define PART_NAME(id, number, name, what) [CM_PART_##id] = name,
#define PART_WHAT(id, number, name, what) [CM_PART_##id] = what,

static const char *const kind_name[] = {[CM_ATTEST_UNKNOWN] = "unknown",
                                        CM_ATTEST_KINDS(KIND_NAME)};
static const char *const kind_what[] = {[CM_ATTEST_UNKNOWN] = "", CM_ATTEST_KINDS(KIND_WHAT)};
static const char *const check_name[] = {CM_ATTEST_CHECKS(CHECK_NAME)};
static const char *const check_what[] = {CM_ATTEST_CHECKS(CHECK_WHAT)};
static const char *const part_name[] = {CM_ATTEST_PARTS(PART_NAME)};
static const char *const part_what[] = {CM_ATTEST_PARTS(PART_WHAT)};
static const char *const verdict_name[] = {"ABSENT", "PASS", "SKIP", "FAIL"};
static const char *const tcb_name[] = {"unknown",
                                       "up to date",
                                       "pending",
                                       "software hardening needed",
                                       "configuration needed",
                                       "configuration and software hardening needed",
                                       "out of date",
                                       "out of date, configuration needed",
                                       "revoked"};

static const char *at(const char *const *list, size_t n, size_t i)
{
    return i < n ? list[i] : "unknown";
}

const char *cm_attest_kind_name(cm_attest_kind k)
{
    return at(kind_name, CM_COUNT(kind_name), k);
}

const char *cm_attest_kind_what(cm_attest_kind k)
{
    return at(kind_what, CM_COUNT(kind_what), k);
}

const char *cm_attest_check_name(cm_attest_check c)
{
    return at(check_name, CM_COUNT(check_name), c);
}

const char *cm_attest_check_what(cm_attest_check c)
{
    return at(check_what, CM_COUNT(check_what), c);
}

const char *cm_verdict_name(cm_verdict v)
{
    return at(verdict_name, CM_COUNT(verdict_name), v);
}

const char *cm_tcb_name(cm_tcb_status s)
{
    return at(tcb_name, CM_COUNT(tcb_name), s);
}

static size_t index_of(const char *const *list, size_t n, cm_view name, size_t none)
{
    for (size_t i = 0; i < n; i++)
        if (cm_view_eq(cm_view_str(list[i]), name))
            return i;
    return none;
}

cm_attest_kind cm_attest_kind_of(cm_view name)
{
    return (cm_attest_kind)index_of(kind_name, CM_COUNT(kind_name), name, CM_ATTEST_UNKNOWN);
}

cm_attest_check cm_attest_check_of(cm_view name)
{
    return (cm_attest_check)index_of(check_name, CM_COUNT(check_name), name, CM_CHECK_COUNT);
}

const char *cm_attest_part_name(cm_attest_part p)
{
    return at(part_name, CM_COUNT(part_name), p);
}

const char *cm_attest_part_what(cm_attest_part p)
{
    return at(part_what, CM_COUNT(part_what), p);
}

cm_attest_part cm_attest_part_of(cm_view name)
{
    return (cm_attest_part)index_of(part_name, CM_COUNT(part_name), name, CM_PART_COUNT);
}

void cm_attest_result_done(cm_attest_result *r)
{
    cm_buf_free(&r->data);
}

cm_view cm_attest_claim_view(const cm_attest_result *r, const cm_attest_claim *claim)
{
    return claim->n ? cm_view_of(r->data.p + claim->at, claim->n) : cm_view_of(NULL, 0);
}

const cm_attest_claim *cm_attest_find(const cm_attest_result *r, const char *name)
{
    for (size_t i = 0; i < r->n_claims; i++)
        if (cm_view_eq(cm_view_str(r->claim[i].name), cm_view_str(name)))
            return &r->claim[i];
    return NULL;
}

/* The enum's order is that of severity. */
static void note(cm_run *run, cm_attest_check id, cm_verdict v, const char *why)
{
    if (run->r->check[id].verdict >= v)
        return;
    run->r->check[id].verdict = v;
    run->r->check[id].why = why;
}

void cm_note_pass(cm_run *run, cm_attest_check id)
{
    note(run, id, CM_VERDICT_PASS, NULL);
}

void cm_note_skip(cm_run *run, cm_attest_check id, const char *why)
{
    note(run, id, CM_VERDICT_SKIP, why);
}

void cm_note_fail(cm_run *run, cm_attest_check id, const char *why)
{
    note(run, id, CM_VERDICT_FAIL, why);
}

bool cm_note(cm_run *run, cm_attest_check id, bool ok, const char *why)
{
    note(run, id, ok ? CM_VERDICT_PASS : CM_VERDICT_FAIL, ok ? NULL : why);
    return ok;
}

static cm_err claim(cm_run *run, const cm_attest_claim *made, cm_view v)
{
    cm_attest_result *r = run->r;

    if (r->n_claims == CM_ATTEST_CLAIMS_MAX)
        return CM_FAIL(TOO_BIG);
    r->claim[r->n_claims] = *made;
    r->claim[r->n_claims].at = r->data.n;
    r->claim[r->n_claims].n = v.n;
    CM_TRY(cm_buf_append(&r->data, v));
    r->n_claims++;
    return CM_OKAY;
}

cm_err cm_claim_bytes(cm_run *run, const char *name, uint32_t index, cm_view v)
{
    const cm_attest_claim made = {.name = name, .type = CM_CLAIM_BYTES, .index = index};

    return claim(run, &made, v);
}

cm_err cm_claim_text(cm_run *run, const char *name, cm_view v)
{
    const cm_attest_claim made = {.name = name, .type = CM_CLAIM_TEXT};

    return claim(run, &made, v);
}

cm_err cm_claim_u64(cm_run *run, const char *name, uint64_t v)
{
    const cm_attest_claim made = {.name = name, .type = CM_CLAIM_U64, .u = v};

    return claim(run, &made, cm_view_of(NULL, 0));
}

bool cm_all_zero(cm_view v)
{
    uint8_t any = 0;

    for (size_t i = 0; i < v.n; i++)
        any |= v.p[i];
    return any == 0;
}

void cm_check_measurement(cm_run *run, cm_view have)
{
    if (have.n <= sizeof run->r->measured.v) {
        if (have.n)
            memcpy(run->r->measured.v, have.p, have.n);
        run->r->measured.n = have.n;
    }
    if (run->p->n_measurements == 0) {
        cm_note_skip(run, CM_CHECK_MEASUREMENT, "the policy names no measurement");
        return;
    }
    for (size_t i = 0; i < run->p->n_measurements; i++)
        if (cm_view_eq(run->p->measurements[i], have)) {
            cm_note_pass(run, CM_CHECK_MEASUREMENT);
            return;
        }
    cm_note_fail(run, CM_CHECK_MEASUREMENT, "the policy does not name this measurement");
}

/* AT-8: what is shorter than the field stands at its head, and zeros fill the rest. */
void cm_check_fresh_padded(cm_run *run, cm_view have)
{
    cm_view want = run->p->fresh;
    bool same;

    if (want.n == 0) {
        cm_note_skip(run, CM_CHECK_FRESH, "no nonce or binding was expected");
        return;
    }
    same = want.n <= have.n && cm_view_eq(cm_view_sub(have, 0, want.n), want) &&
           cm_all_zero(cm_view_sub(have, want.n, have.n - want.n));
    cm_note(run, CM_CHECK_FRESH, same, "it is bound to something else: stale, replayed or relayed");
}

void cm_check_config(cm_run *run, cm_view have)
{
    if (run->p->config.n)
        cm_note(run, CM_CHECK_CONFIG, cm_view_eq(run->p->config, have),
                "the measured configuration is another");
    else
        cm_note_skip(run, CM_CHECK_CONFIG, "no configuration was expected");
}

/* AT-3 */
cm_err cm_attest_decide(const cm_attest_result *r, uint32_t may_skip)
{
    static const cm_attest_check always[] = {CM_CHECK_FORM, CM_CHECK_CHAIN, CM_CHECK_SIGNATURE};
    bool skipped = false;

    for (size_t i = 0; i < CM_COUNT(always); i++)
        if (r->check[always[i]].verdict != CM_VERDICT_PASS)
            return CM_FAIL(ATTEST_REFUSED);
    for (size_t i = 0; i < CM_CHECK_COUNT; i++) {
        if (r->check[i].verdict == CM_VERDICT_FAIL)
            return CM_FAIL(ATTEST_REFUSED);
        if (r->check[i].verdict == CM_VERDICT_SKIP && !(may_skip & 1u << i))
            skipped = true;
    }
    return skipped ? CM_FAIL(ATTEST_INCOMPLETE) : CM_OKAY;
}
