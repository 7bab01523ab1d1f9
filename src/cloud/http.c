/* The world as it is: HTTP/1.1 over TLS to the service and to the one that gives out tokens. */
#include <poll.h>

#include "base/os.h"
#include "cloud/cloud_int.h"

enum { CA_MAX = 1 << 20 };

struct http {
    const cm_crypt *crypt;
    cm_certs roots;
    cm_client *client[2];
};

static cm_err ask(void *self, cm_cloud_where where, const cm_client_request *r,
                  cm_client_answer *out)
{
    struct http *h = self;

    return h->client[where] ? cm_client_call(h->client[where], out, r) : CM_FAIL(CLOUD_CONFIG);
}

static void wait_ms(void *self, uint32_t ms)
{
    (void)self;
    (void)poll(NULL, 0, (int)ms);
}

static uint64_t now(void *self)
{
    (void)self;
    return cm_os_now();
}

static void done(void *self)
{
    struct http *h = self;

    if (!h)
        return;
    for (size_t i = 0; i < CM_COUNT(h->client); i++)
        cm_client_free(h->client[i]);
    cm_certs_free(&h->roots);
    cm_free(h);
}

static void done_ptr(struct http **h)
{
    done(*h);
}

/* H-42 */
static cm_err connect_to(struct http *h, cm_cloud_where where, const char *url,
                         const struct cloud_config *o)
{
    const cm_client_options c = {
        .url = cm_view_str(url),
        .roots = &h->roots,
        .policy = o->legacy ? CM_TLS_LEGACY : CM_TLS_HYBRID,
        .connect_ms = (uint32_t)o->timeout_ms,
        .call_ms = (uint32_t)o->timeout_ms,
        .body_max = CM_CLOUD_ANSWER_MAX,
    };

    return url[0] ? cm_client_new(&h->client[where], h->crypt, &c) : CM_OKAY;
}

cm_err cm_cloud_http(cm_cloud_transport *out, const cm_crypt *c, const struct cloud_config *o)
{
    CM_AUTO(done_ptr) struct http *h = NULL;
    CM_AUTO(cm_buf_free) cm_buf ca = {.max = CA_MAX};

    CM_TRY(cm_alloc(&h, sizeof *h));
    h->crypt = c;
    if (o->ca[0]) {
        CM_TRY(cm_os_slurp(&ca, o->ca, CA_MAX));
        CM_TRY(cm_certs_read(&h->roots, c, cm_buf_view(&ca)));
    }
    CM_TRY(connect_to(h, CM_CLOUD_SERVICE, o->endpoint, o));
    CM_TRY(connect_to(h, CM_CLOUD_TOKENS, o->tokens, o));
    *out = (cm_cloud_transport){.ask = ask, .pause = wait_ms, .now = now, .done = done, .self = h};
    h = NULL;
    return CM_OKAY;
}
