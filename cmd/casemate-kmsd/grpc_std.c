/* gRPC's own services, health and reflection, from the operation table. */
#include "exchange.h"
#include "wire/grpc.h"

cm_err cm_kmsd_grpc_table(kmsd *d)
{
    cm_grpc_method *m = NULL;

    CM_TRY(cm_alloc_array(&m, cm_ops_n, sizeof *m));
    for (size_t i = 0; i < cm_ops_n; i++)
        m[i] = (cm_grpc_method){.service = "Kms",
                                .method = cm_ops[i].name,
                                .request = cm_ops[i].request,
                                .answer = cm_ops[i].answer,
                                .streaming = cm_ops[i].streams,
                                .doc = cm_ops[i].doc};
    d->grpc_methods = m;
    d->grpc = (cm_grpc_table){.file = "casemate/kms/v1/kms.proto",
                              .package = "casemate.kms.v1",
                              .methods = m,
                              .n = cm_ops_n};
    return CM_OKAY;
}

static void told(void *self, cm_http_request *r)
{
    (void)self;
    cm_conn_answered(r->user);
}

bool cm_kmsd_grpc_begins(void *self, cm_conn *c, cm_http_request *r)
{
    reactor *re = self;
    const kmsd *d = re->d;
    bool serving =
        atomic_load(&d->svc) && atomic_load(&d->keyd) == KEYD_OPEN && !atomic_load(&d->draining);

    if (!r->grpc)
        return false;
    cm_grpc_std_serving(re->std, serving, told, NULL);
    if (!cm_grpc_std_begins(re->std, r))
        return false;
    r->user = c;
    cm_conn_answered(c);
    return true;
}

void cm_kmsd_grpc_body(void *self, cm_conn *c, cm_http_request *r, cm_view bytes, bool last)
{
    reactor *re = self;

    cm_grpc_std_piece(re->std, r, bytes, last);
    cm_conn_answered(c);
}
