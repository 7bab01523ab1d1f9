/* The system itself. */
#include "svc/svc_int.h"

cm_err cm_do_health(cm_call *c)
{
    cm_set_view(c->answer, M_HealthAnswer_status, CM_LIT("serving"));
    cm_set_number(c->answer, M_HealthAnswer_time_ms, c->state->now);
    return cm_committer_health(c->svc->o.committer);
}

cm_err cm_do_version(cm_call *c)
{
    const char *version = c->svc->o.version ? c->svc->o.version : "unknown";

    cm_set_view(c->answer, M_VersionAnswer_version, cm_view_str(version));
    cm_set_view(c->answer, M_VersionAnswer_interface, CM_LIT("v1"));
    cm_set_view(c->answer, M_VersionAnswer_cryptography, cm_view_str(cm_crypt_version()));
    return CM_OKAY;
}

cm_err cm_do_status(cm_call *c)
{
    cm_svc_stats s;

    cm_svc_stats_of(c->svc, &s);
    cm_set_number(c->answer, M_StatusAnswer_time_ms, c->state->now);
    cm_set_number(c->answer, M_StatusAnswer_shared, cm_store_shared(c->svc->o.store));
    cm_set_number(c->answer, M_StatusAnswer_calls, s.calls);
    cm_set_number(c->answer, M_StatusAnswer_refused, s.refused);
    cm_set_number(c->answer, M_StatusAnswer_retries, s.retries);
    cm_set_number(c->answer, M_StatusAnswer_cached_rows, s.cached);
    return CM_OKAY;
}
