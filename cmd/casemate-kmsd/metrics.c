/* The table of metrics: the servers' rows, then those of operations. */
#include "kmsd.h"

static const char *const classes[] = {
    "ok",       "invalid",  "malformed", "unsupported", "limit",    "unauthentic", "denied",
    "notfound", "conflict", "io",        "exhausted",   "internal", NULL,
};

static const char *const loads[] = {"taken", "refused", NULL};

static cm_err op_names(kmsd *d)
{
    CM_TRY(cm_alloc_array(&d->op_names, cm_ops_n + 1, sizeof *d->op_names));
    for (size_t i = 0; i < cm_ops_n; i++)
        d->op_names[i] = cm_ops[i].name;
    return CM_OKAY;
}

cm_err cm_kmsd_metrics_new(kmsd *d)
{
    CM_TRY(op_names(d));
    CM_TRY(cm_alloc_array(&d->table, KM_COUNT, sizeof *d->table));
    for (size_t i = 0; i < CM_SM_COUNT; i++)
        d->table[i] = cm_server_metrics[i];
    d->table[KM_REQUESTS] = (cm_metric){.name = "casemate_requests_total",
                                        .type = CM_METRIC_COUNTER,
                                        .labels = {{"op", d->op_names}, {"result", classes}},
                                        .help = "Operations that ended, by class of result."};
    d->table[KM_SECONDS] = (cm_metric){.name = "casemate_request_seconds",
                                       .type = CM_METRIC_HISTOGRAM,
                                       .labels = {{"op", d->op_names}},
                                       .help = "Time from the whole request to its answer."};
    d->table[KM_UNROUTED] = (cm_metric){.name = "casemate_requests_unrouted_total",
                                        .type = CM_METRIC_COUNTER,
                                        .help = "Requests that no operation was begun for."};
    d->table[KM_KEYD_STARTS] = (cm_metric){.name = "casemate_keyd_starts_total",
                                           .type = CM_METRIC_COUNTER,
                                           .help = "Times that casemate-keyd was started."};
    d->table[KM_RELOADS] = (cm_metric){.name = "casemate_reloads_total",
                                       .type = CM_METRIC_COUNTER,
                                       .help = "Reloads of the configuration that succeeded."};
    d->table[KM_COLLATERAL] = (cm_metric){.name = "casemate_collateral_loads_total",
                                          .type = CM_METRIC_COUNTER,
                                          .labels = {{"result", loads}},
                                          .help = "Sets of collateral that were read anew."};
    return cm_metrics_new(&d->metrics, d->table, KM_COUNT);
}
