/* An answer read at once and one read byte by byte are the same answer, or the same refusal. */
#include <stdlib.h>

#include "run/link.h"
#include "run/response.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { HEAD = 4096, BODY = 4096 };

static void must(bool ok)
{
    if (!ok)
        abort();
}

static cm_err feed(cm_response *out, cm_view v, size_t step, bool *done, size_t *took)
{
    cm_response_reader r;

    cm_response_begin(&r, out, false);
    for (*took = 0; *took < v.n && r.state != CM_READ_DONE;) {
        size_t used = 0;

        CM_TRY(cm_response_feed(&r, cm_view_sub(v, *took, CM_MIN(step, v.n - *took)), &used));
        *took += used;
    }
    *done = r.state == CM_READ_DONE;
    return CM_OKAY;
}

static void same(const cm_response *a, const cm_response *b)
{
    must(a->status == b->status && a->headers_n == b->headers_n);
    for (size_t i = 0; i < a->headers_n; i++)
        must(cm_view_eq(a->headers[i].name, b->headers[i].name) &&
             cm_view_eq(a->headers[i].value, b->headers[i].value));
    must(cm_view_eq(cm_buf_view(&a->body), cm_buf_view(&b->body)));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    CM_AUTO(cm_response_free) cm_response a = {.head = {.max = HEAD}, .body = {.max = BODY}};
    CM_AUTO(cm_response_free) cm_response b = {.head = {.max = HEAD}, .body = {.max = BODY}};
    bool a_done = false, b_done = false;
    size_t a_took = 0, b_took = 0;
    cm_link_url u;
    cm_err ea = feed(&a, cm_view_of(p, n), n ? n : 1, &a_done, &a_took);
    cm_err eb = feed(&b, cm_view_of(p, n), 1, &b_done, &b_took);

    must(ea.v == eb.v);
    if (cm_ok(ea)) {
        must(a_done == b_done && a_took == b_took);
        if (a_done)
            same(&a, &b);
    }
    if (cm_ok(cm_link_url_parse(&u, cm_view_of(p, n))))
        must(u.unix_socket || (u.host[0] && u.port[0]));
    return 0;
}
