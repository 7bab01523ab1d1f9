#ifndef CM_RUN_SCRAPE_H
#define CM_RUN_SCRAPE_H
/* The Prometheus text format, read back: what cm_metrics_write() makes, and what is like it. */
#include "base/base.h"

enum { CM_SCRAPE_LABELS = 4 };

/* One line. Views point into the text. */
typedef struct {
    cm_view name;
    struct {
        cm_view name, value;
    } label[CM_SCRAPE_LABELS];
    size_t labels_n;
    double value;
} cm_sample;

/** The next sample off the front of *text; lines of comment are passed over. False at the end; a
 * line that is none is METRICS_TEXT, and *text stays. No escapes in labels, no time stamps. */
CM_MUST cm_err cm_scrape_next(cm_view *text, cm_sample *out, bool *got);
/** The value of a label; empty when there is none. */
cm_view cm_sample_label(const cm_sample *s, const char *name);
/** A decimal number, with a fraction and an exponent or without, or +Inf: "5e-05". */
CM_MUST cm_err cm_scrape_number(double *out, cm_view v);

#endif
