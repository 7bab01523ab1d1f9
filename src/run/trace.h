#ifndef CM_RUN_TRACE_H
#define CM_RUN_TRACE_H
/*
 * Spans of requests, sent to a collector as OTLP/HTTP JSON by a thread of its own. A span waits in
 * a bounded queue; when that is full it is dropped and counted. A server never waits for its
 * collector.
 */
#include "base/base.h"

/** What a traceparent header says (W3C Trace Context, version 00). */
typedef struct {
    uint8_t trace[16], span[8];
    bool sampled;
} cm_trace_context;

/** Strict but for unknown versions, which are read as far as 00 goes. False: as if absent. */
bool cm_trace_parse(cm_trace_context *out, cm_view header);
/** "00-<trace>-<span>-01". */
void cm_trace_print(char text[56], const cm_trace_context *c);

enum { CM_SPAN_ATTRIBUTES = 6 };

typedef struct {
    cm_trace_context parent;   /* trace all zero: a new trace begins */
    const char *name;          /* static */
    uint64_t start_ns, end_ns; /* since the epoch */
    bool failed;
    struct {
        const char *name, *value; /* static */
    } attribute[CM_SPAN_ATTRIBUTES];
} cm_span;

typedef struct cm_trace cm_trace;

typedef struct {
    const char *endpoint; /* http://host:port/path; the host an address or localhost */
    const char *service;  /* both copied */
    const char *node;
    unsigned depth;  /* spans that wait at most */
    unsigned one_in; /* of spans without a parent, one in this many is kept */
    /** Random bytes for identifiers. */
    cm_err (*random)(void *arg, void *p, size_t n);
    void *arg;
} cm_trace_options;

/** TRACE_ENDPOINT, NO_THREAD. */
CM_MUST cm_err cm_trace_new(cm_trace **out, const cm_trace_options *o);
/** Sends what waits, for 2 s at most. NULL is fine. */
void cm_trace_free(cm_trace *t);
void cm_trace_free_ptr(cm_trace **t);
/** Copies s. t may be NULL. Any thread. */
void cm_trace_submit(cm_trace *t, const cm_span *s);
void cm_trace_set_one_in(cm_trace *t, unsigned one_in);

typedef struct {
    uint64_t sent, dropped, failed; /* failed: sent, and not taken by the collector */
} cm_trace_stats;
void cm_trace_stats_of(cm_trace *t, cm_trace_stats *out);

#endif
