#ifndef CM_RUN_METRICS_H
#define CM_RUN_METRICS_H
/*
 * Counters, gauges and histograms of one process. Each thread has a shard of its own and adds
 * without locks; a scrape adds the shards up. A table says what there is: a metric has up to two
 * labels, whose values are fixed lists, so nobody outside can make series.
 */
#include "base/base.h"

typedef enum {
    CM_METRIC_COUNTER,
    CM_METRIC_GAUGE,     /* the sum of what the shards hold: counts of things that come and go */
    CM_METRIC_HISTOGRAM, /* of seconds, observed in nanoseconds */
} cm_metric_type;

typedef struct {
    const char *name;          /* "casemate_requests_total" */
    const char *const *values; /* ends in NULL; NULL: no such label */
} cm_metric_label;

typedef struct {
    const char *name;
    cm_metric_type type;
    cm_metric_label labels[2];
    const char *help; /* one sentence */
} cm_metric;

typedef struct cm_metrics cm_metrics;
typedef struct cm_shard cm_shard;

/** The table is borrowed for good. BAD_ARGUMENT for names that Prometheus would not take. */
CM_MUST cm_err cm_metrics_new(cm_metrics **out, const cm_metric *table, size_t n);
/** With all shards. */
void cm_metrics_free(cm_metrics *m);
void cm_metrics_free_ptr(cm_metrics **m);
/** A shard for the calling thread, good until cm_metrics_free(). */
CM_MUST cm_err cm_metrics_shard(cm_metrics *m, cm_shard **out);

/** Metric i of the table; a, b: indices of its labels' values, 0 where it has none. Indices past
 * the end are ignored. The shard's thread alone. s may be NULL. */
void cm_metric_add(cm_shard *s, size_t i, size_t a, size_t b, int64_t by);
void cm_metric_observe(cm_shard *s, size_t i, size_t a, size_t b, uint64_t ns);
/** A counter's or gauge's sum over all shards. Any thread. */
int64_t cm_metric_sum(cm_metrics *m, size_t i, size_t a, size_t b);

/** Append the Prometheus text format, version 0.0.4; series that never moved are left out, unless
 * they have no labels. Any thread. */
CM_MUST cm_err cm_metrics_write(cm_metrics *m, cm_buf *out);

#endif
