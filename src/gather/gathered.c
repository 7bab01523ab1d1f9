/* One piece of evidence and what belongs to it. */
#include "gather/gather.h"

void cm_gathered_done(cm_gathered *g)
{
    cm_buf_free(&g->evidence);
    cm_buf_free(&g->event_log);
    for (size_t i = 0; i < CM_PART_COUNT; i++)
        cm_buf_free(&g->part[i]);
    for (size_t i = 0; i < g->n_certs; i++)
        cm_buf_free(&g->cert[i]);
    *g = (cm_gathered){.n_certs = 0};
}

cm_err cm_gathered_cert(cm_gathered *g, cm_view cert)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_GATHER_BLOB_MAX};

    if (g->n_certs == CM_GATHER_CERTS)
        return CM_FAIL(ATTEST_BUNDLE);
    CM_TRY(cm_buf_append(&b, cert));
    g->cert[g->n_certs++] = cm_buf_take(&b);
    return CM_OKAY;
}

cm_err cm_gathered_pack(cm_buf *out, const cm_gathered *g)
{
    cm_view cert[CM_GATHER_CERTS];
    cm_attest_input in = {.kind = g->kind,
                          .evidence = cm_buf_view(&g->evidence),
                          .certs = cert,
                          .n_certs = g->n_certs,
                          .event_log = cm_buf_view(&g->event_log)};

    for (size_t i = 0; i < g->n_certs; i++)
        cert[i] = cm_buf_view(&g->cert[i]);
    for (size_t i = 0; i < CM_PART_COUNT; i++)
        in.part[i] = cm_buf_view(&g->part[i]);
    return cm_attest_pack_put(out, &in);
}
