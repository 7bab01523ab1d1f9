#ifndef TESTLIB_WIRE_TWICE_H
#define TESTLIB_WIRE_TWICE_H
/* A sample message through both codecs, and back, for their fuzzers. */
#include <stdlib.h>

#include "wire_sample.h"

typedef struct {
    cm_err (*read)(cm_msg **m, cm_arena *a, const cm_message *type, cm_view in, cm_msg_fault *f);
    cm_err (*write)(cm_buf *out, const cm_msg *m);
} t_codec;

static void must(bool ok)
{
    if (!ok)
        abort();
}

static cm_msg *read_again(const t_codec *c, cm_arena *a, const cm_buf *from)
{
    cm_msg *m = NULL;

    must(cm_ok(c->read(&m, a, &sample, cm_buf_view(from), NULL)));
    return m;
}

/** What `first` reads from the input is checked; written and read by either codec it stays the
 * same. */
static void t_wire_twice(const t_codec *first, const t_codec *other, cm_view in)
{
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    CM_AUTO(cm_buf_free) cm_buf one = {.max = 1 << 20};
    CM_AUTO(cm_buf_free) cm_buf two = {.max = 1 << 20};
    CM_AUTO(cm_buf_free) cm_buf again = {.max = 1 << 20};
    cm_msg_fault fault = {.why = NULL};
    cm_msg *m = NULL;
    cm_err e;

    must(cm_ok(cm_arena_new(&a, 1 << 22)));
    e = first->read(&m, a, &sample, in, &fault);
    if (cm_failed(e)) {
        must(!m && (fault.why || cm_is(e, CM_MSG_LIMIT)));
        return;
    }
    must(cm_ok(cm_msg_check(m, NULL)));
    must(cm_ok(first->write(&one, m)) && cm_ok(other->write(&two, m)));
    must(cm_ok(other->write(&again, read_again(first, a, &one))));
    must(cm_view_eq(cm_buf_view(&two), cm_buf_view(&again)));
    again.n = 0;
    must(cm_ok(first->write(&again, read_again(other, a, &two))));
    must(cm_view_eq(cm_buf_view(&one), cm_buf_view(&again)));
}

#endif
