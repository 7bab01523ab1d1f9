/* The event log of a TD: a TCG crypto-agile log whose index i is measured into RTMR i - 1. */
#include "attest/intel_int.h"
#include "codec/cut.h"

enum {
    SHA1_SIZE = 20,
    ALG_SHA1 = 0x04,
    ALG_SHA256 = 0x0b,
    ALG_SHA384 = 0x0c,
    ALG_SHA512 = 0x0d,
    NO_ACTION = 3,
    DIGEST = 48,
    DIGESTS_MAX = 8,
    EVENT_MAX = 1 << 20,
};

static size_t digest_size(uint16_t alg)
{
    switch (alg) {
    case ALG_SHA1:
        return SHA1_SIZE;
    case ALG_SHA256:
        return 32;
    case ALG_SHA384:
        return DIGEST;
    case ALG_SHA512:
        return 64;
    default:
        return 0;
    }
}

/* The first event has the old form and names the algorithms. */
static bool take_header(cm_cut *c)
{
    static const char signature[16] = "Spec ID Event03";
    uint32_t index = cm_cut_le32(c), type = cm_cut_le32(c);
    cm_view data;

    (void)cm_cut_bytes(c, SHA1_SIZE);
    data = cm_cut_bytes(c, cm_cut_le32(c));
    return !c->bad && index <= 1 && type == NO_ACTION && data.n > sizeof signature &&
           cm_view_eq(cm_view_sub(data, 0, sizeof signature), CM_VIEW(signature));
}

typedef struct {
    uint32_t index, type;
    cm_view sha384;
} event;

static bool take_event(event *e, cm_cut *c)
{
    uint32_t count, size;

    e->index = cm_cut_le32(c);
    e->type = cm_cut_le32(c);
    count = cm_cut_le32(c);
    if (c->bad || count == 0 || count > DIGESTS_MAX)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint16_t alg = cm_cut_le16(c);
        cm_view digest = cm_cut_bytes(c, digest_size(alg));

        if (digest.n == 0)
            return false;
        if (alg == ALG_SHA384)
            e->sha384 = digest;
    }
    size = cm_cut_le32(c);
    if (size > EVENT_MAX)
        return false;
    (void)cm_cut_bytes(c, size);
    return !c->bad && e->sha384.n;
}

/* What stands behind the last event of the table's area: nothing was written there. */
static bool at_end(const cm_cut *c)
{
    static const uint8_t unset[4] = {0xff, 0xff, 0xff, 0xff};

    return c->rest.n < 8 || cm_view_eq(cm_view_sub(c->rest, 0, 4), CM_VIEW(unset)) ||
           cm_all_zero(cm_view_sub(c->rest, 0, 8));
}

static cm_err extend(const cm_run *run, uint8_t rtmr[DIGEST], cm_view digest)
{
    uint8_t both[2 * DIGEST];

    memcpy(both, rtmr, DIGEST);
    memcpy(both + DIGEST, digest.p, DIGEST);
    return cm_hash_once(run->c, CM_SHA384, rtmr, CM_VIEW(both));
}

static cm_err replay(bool *good, const cm_run *run, uint8_t rtmr[CM_INTEL_RTMRS][DIGEST])
{
    cm_cut c = cm_cut_of(run->in->event_log);

    *good = take_header(&c);
    while (*good && !at_end(&c)) {
        event e = {0};

        *good = take_event(&e, &c) && e.index <= CM_INTEL_RTMRS;
        if (!*good || e.type == NO_ACTION)
            continue;
        *good = e.index > 0;
        if (*good)
            CM_TRY(extend(run, rtmr[e.index - 1], e.sha384));
    }
    return CM_OKAY;
}

/* AT-47 */
cm_err cm_intel_events(cm_run *run, const cm_td_report *td)
{
    uint8_t rtmr[CM_INTEL_RTMRS][DIGEST] = {0};
    bool good;

    if (run->in->event_log.n == 0) {
        cm_note_skip(run, CM_CHECK_EVENTS, "no event log was given");
        return CM_OKAY;
    }
    CM_TRY(replay(&good, run, rtmr));
    if (!cm_note(run, CM_CHECK_EVENTS, good, "the event log can't be read"))
        return CM_OKAY;
    for (size_t i = 0; i < CM_INTEL_RTMRS; i++)
        good = good && cm_view_eq(cm_view_of(rtmr[i], DIGEST), td->rtmr[i]);
    cm_note(run, CM_CHECK_EVENTS, good, "the event log does not lead to the registers");
    return CM_OKAY;
}
