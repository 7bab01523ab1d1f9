/* Reactors: threads with listeners. */
#include <stdio.h>
#include <sys/stat.h>

#include "base/os.h"
#include "kmsd.h"

static uint64_t now_s(void)
{
    return cm_os_now();
}

cm_server_limits cm_kmsd_limits(const kmsd *d)
{
    const cm_config_values *v = d->v;
    unsigned n = CM_MAX(d->reactors - 1, 1u);

    return (cm_server_limits){
        .connections = (unsigned)CM_MAX(v->limits.connections / n, (uint64_t)1),
        .handshakes = (unsigned)CM_MAX(v->limits.handshakes / n, (uint64_t)1),
        .handshake_ms = (unsigned)v->limits.handshake_time,
        .request_ms = (unsigned)v->limits.request_time,
        .body_rate = (unsigned)v->limits.body_rate,
        .idle_ms = (unsigned)v->limits.idle_time,
        .write_ms = (unsigned)v->limits.write_time,
        .backlog = cm_server_limits_default.backlog,
    };
}

static void refused(void *self, cm_view address, cm_err why, const char *detail)
{
    const reactor *r = self;

    CM_LOG(r->d->log, INFO, "connection_refused", cm_log_text("address", address), cm_log_err(why),
           cm_log_str("detail", detail));
}

/* ---- orders from the main thread ---- */

void cm_kmsd_reactor_quiet(reactor *r)
{
    if (r->drained && r->calls == 0)
        cm_loop_stop(r->loop);
}

static void drained(void *self)
{
    reactor *r = self;

    r->drained = true;
    cm_kmsd_reactor_quiet(r);
}

static void obey(cm_loop_task *t)
{
    reactor *r = (reactor *)(void *)((char *)t - offsetof(reactor, order));
    unsigned orders = atomic_exchange(&r->orders, 0);
    cm_server_limits l = cm_kmsd_limits(r->d);

    if (orders & ORDER_LIMITS)
        cm_server_set_limits(r->server, &l);
    if (orders & ORDER_DRAIN)
        cm_server_drain(r->server, r->d->v->limits.drain_time);
    if (orders & ORDER_STOP)
        cm_loop_stop(r->loop);
}

void cm_kmsd_reactor_order(reactor *r, unsigned orders)
{
    /* Who finds none waiting posts the task; it takes all that came by then. */
    if (atomic_fetch_or(&r->orders, orders) == 0)
        cm_loop_post(r->loop, &r->order);
}

/* ---- beginning and end ---- */

cm_err cm_kmsd_reactor_init(kmsd *d, unsigned index)
{
    reactor *r = &d->reactor[index];
    const cm_config_values *v = d->v;
    cm_server_options o = {
        .now_s = now_s,
        .limits = cm_kmsd_limits(d),
        .http = {.head_max = v->limits.head,
                 .body_max = v->limits.body,
                 .streams_max = (unsigned)v->limits.streams,
                 .resets_max = (unsigned)v->limits.resets},
        .gate = index ? d->gate : NULL,
        .handler = {.request = cm_kmsd_request,
                    .cancelled = cm_kmsd_cancelled,
                    .begins = cm_kmsd_grpc_begins,
                    .piece = cm_kmsd_grpc_body,
                    .refused = refused,
                    .drained = drained,
                    .self = r},
        .metrics = 0,
    };

    *r = (reactor){.d = d, .index = index, .order = {.run = obey}};
    atomic_store(&r->keys_fd, -1);
    CM_TRY(cm_metrics_shard(d->metrics, &r->shard));
    CM_TRY(cm_loop_new(&r->loop));
    o.loop = r->loop;
    o.shard = r->shard;
    CM_TRY(cm_grpc_std_new(&r->std, &d->grpc));
    CM_TRY(cm_server_new(&r->server, &o));
    return cm_kmsd_keys_init(r);
}

static cm_err listen_at(reactor *r, const char *address, cm_tls *tls, bool local, uintptr_t kind)
{
    cm_server_listener l = {.tls = tls, .local = local, .user = (void *)kind};
    char name[160];
    cm_err e = cm_socket_listen(&l.fd, address);

    if (cm_failed(e)) {
        CM_LOG(r->d->log, ERROR, "listen_failed", cm_log_str("address", address), cm_log_err(e));
        return e;
    }
    CM_TRY(cm_socket_name(name, sizeof name, l.fd));
    CM_TRY(cm_server_listen(r->server, &l));
    if (r->index <= 1)
        CM_LOG(r->d->log, INFO, "listening", cm_log_str("address", name),
               cm_log_str("for", kind == LISTENER_API     ? "api"
                                 : kind == LISTENER_ADMIN ? "admin"
                                                          : "metrics"));
    return CM_OKAY;
}

static cm_err listen_admin(reactor *r)
{
    const cm_config_values *v = r->d->v;
    char path[4200];

    snprintf(path, sizeof path, "unix:%s%s", v->admin.socket ? v->admin.socket : v->data,
             v->admin.socket ? "" : "/admin.sock");
    CM_TRY(listen_at(r, path, NULL, true, LISTENER_ADMIN));
    if (v->admin.metrics)
        CM_TRY(listen_at(r, v->admin.metrics, NULL, true, LISTENER_METRICS));
    return CM_OKAY;
}

cm_err cm_kmsd_reactor_listen(reactor *r)
{
    const cm_config_values *v = r->d->v;

    if (r->index == 0)
        return listen_admin(r);
    for (size_t i = 0; i < v->listeners_n; i++) {
        const char *address = v->listeners[i].address;
        bool is_unix = strncmp(address, "unix:", 5) == 0;

        /* A Unix socket has one listener: the first reactor's. */
        if (!is_unix || r->index == 1)
            CM_TRY(listen_at(r, address, r->d->tls[i], is_unix, LISTENER_API));
    }
    return CM_OKAY;
}

static void *run(void *arg)
{
    reactor *r = arg;
    char name[16];

    snprintf(name, sizeof name, "reactor-%u", r->index);
    (void)pthread_setname_np(pthread_self(), name);
    r->result = cm_loop_run(r->loop);
    if (atomic_fetch_sub(&r->d->undrained, 1) == 1)
        cm_kmsd_reactor_order(&r->d->reactor[0], ORDER_STOP);
    return NULL;
}

cm_err cm_kmsd_reactor_start(reactor *r)
{
    atomic_fetch_add(&r->d->undrained, 1);
    if (pthread_create(&r->thread, NULL, run, r) != 0) {
        atomic_fetch_sub(&r->d->undrained, 1);
        return CM_FAIL(NO_THREAD);
    }
    return CM_OKAY;
}

void cm_kmsd_reactor_done(reactor *r)
{
    if (!r->d)
        return;
    cm_kmsd_keys_done(r);
    cm_server_free_ptr(&r->server);
    cm_grpc_std_free(r->std);
    cm_kmsd_exchanges_free(r);
    cm_loop_free_ptr(&r->loop);
}
