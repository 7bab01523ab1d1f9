#ifndef CM_BENCH_SLICE_H
#define CM_BENCH_SLICE_H
/* Programs that are kept while slices of others' work are measured between theirs. A line "JOB
 * MILLISECONDS" asks for one; the answer, a line of JSON, comes when all that was begun is done. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"

enum { SLICE_JOB = 32 };

static inline void must(bool ok, const char *what)
{
    if (ok)
        return;
    (void)fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

static inline void fine(cm_err e, const char *what)
{
    if (cm_failed(e))
        (void)fprintf(stderr, "%s: ", cm_err_name(e));
    must(cm_ok(e), what);
}

/* What was opened is open: says so, once. */
static inline void slice_ready(void)
{
    (void)puts("{}");
    (void)fflush(stdout);
}

/* False at the end of the input. */
static inline bool slice_next(char job[SLICE_JOB], double *seconds)
{
    unsigned ms = 0;

    if (scanf("%31s %u", job, &ms) != 2)
        return false;
    *seconds = 1e-3 * ms;
    return true;
}

static inline double slice_now(void)
{
    return 1e-9 * (double)cm_os_monotonic_ns();
}

static inline void slice_done(size_t done, double seconds)
{
    (void)printf("{\"done\":%zu,\"seconds\":%.6f}\n", done, seconds);
    (void)fflush(stdout);
}

#endif
