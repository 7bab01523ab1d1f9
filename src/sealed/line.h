#ifndef CM_SEALED_LINE_H
#define CM_SEALED_LINE_H
/*
 * A production line over segments: take, work, give by any number of threads, settle in order.
 * Memory is one buffer a thread. Used to seal, to open and to verify alike.
 */
#include "base/direct.h"
#include "sealed/sealed.h"

/** One segment on its way. buf has room for a whole encrypted segment. */
typedef struct {
    uint64_t i;
    uint8_t *buf;     /* by default, plaintext behind the segment's head begins a page */
    uint8_t *mem;     /* take() may place buf up to CM_LINE_LEAD bytes into it instead */
    size_t n;         /* plaintext bytes */
    bool last;        /* take() sets it: no segment follows; where total is known, the line does */
    bool skip;        /* take() sets it: nothing to work on or to give, only to settle */
    uint8_t node[32]; /* root of its leaves, when n > 0 */
    uint8_t cipher[32]; /* leaf of the encrypted segment, where asked for */
    void *worker;       /* this thread's own state */
} cm_item;

typedef struct {
    /** Fill buf, n and last. One at a time and in order when ordered_in. */
    cm_err (*take)(void *arg, cm_item *it);
    cm_err (*work)(void *arg, cm_item *it);
    /** Hand the result on. One at a time and in order when ordered_out. NULL: nothing to do. */
    cm_err (*give)(void *arg, cm_item *it);
    /** Always one at a time and in order; buf is gone by then. NULL: nothing to do. */
    cm_err (*settle)(void *arg, const cm_item *it);
    /** Free a thread's state. */
    void (*worker_done)(void *worker);
} cm_line_ops;

typedef struct {
    const cm_line_ops *ops;
    void *arg;
    uint64_t first; /* number of the first segment */
    uint64_t total; /* segments there are; UINT64_MAX: until take() says last (ordered_in) */
    bool ordered_in, ordered_out;
    unsigned threads;   /* 0: one per processor */
    size_t buf, worker; /* bytes of a buffer, of a thread's state (zeroed) */
    const atomic_bool *cancel;
} cm_line;

/** Run it until the last segment has settled, or the first error, which is returned. CANCELLED. */
CM_MUST cm_err cm_line_run(const cm_line *line);

/** mem begins a page and has this much room before a buffer. */
enum { CM_LINE_LEAD = CM_DIRECT_ALIGN, CM_LINE_THREADS_MAX = 64 };

#endif
