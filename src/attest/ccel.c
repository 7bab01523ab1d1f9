/* The event log of a TD: a TCG crypto-agile log whose index i is measured into RTMR i - 1. */
#include "attest/intel_int.h"
#include "attest/tcg_int.h"

enum { DIGEST = 48 };

/* AT-47 */
cm_err cm_intel_events(cm_run *run, const cm_td_report *td)
{
    cm_tcg_registers r;
    bool good;

    if (run->in->event_log.n == 0) {
        cm_note_skip(run, CM_CHECK_EVENTS, "no event log was given");
        return CM_OKAY;
    }
    CM_TRY(cm_tcg_replay(&good, &r, run->c, run->in->event_log, CM_TCG_SHA384, 1, CM_INTEL_RTMRS));
    if (!cm_note(run, CM_CHECK_EVENTS, good, "the event log can't be read"))
        return CM_OKAY;
    for (size_t i = 0; i < CM_INTEL_RTMRS; i++)
        good = good && cm_view_eq(cm_view_of(r.v[i], DIGEST), td->rtmr[i]);
    cm_note(run, CM_CHECK_EVENTS, good, "the event log does not lead to the registers");
    return CM_OKAY;
}
