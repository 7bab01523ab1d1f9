/* Whatever the bytes: refused, or walked to the end by every kind of read. */
#include <stdlib.h>

#include "codec/cbor_lax.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* A read of another type sets bad, and then nothing is given any more. */
static void wrong_reads(cm_lax c)
{
    cm_lax a = c, b = c, d = c;

    (void)cm_lax_uint(&a);
    (void)cm_lax_text(&a);
    (void)cm_lax_bytes(&a);
    must(!a.bad || (cm_lax_bytes(&a).n == 0 && !cm_lax_done(&a)));
    b = cm_lax_map(&b);
    while (cm_lax_more(&b))
        (void)cm_lax_skip(&b);
    d = cm_lax_array(&d);
    while (cm_lax_more(&d))
        must(cm_lax_skip(&d).n > 0 || d.bad);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    cm_lax c;
    cm_view v;

    if (cm_failed(cm_lax_open(&c, cm_view_of(p, n))))
        return 0;
    wrong_reads(c);
    must(cm_lax_more(&c));
    v = cm_lax_skip(&c);
    must(v.n == n && cm_lax_done(&c) && !cm_lax_more(&c));
    return 0;
}
