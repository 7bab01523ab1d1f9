/* The configuration: read at start, and again upon SIGHUP. */
#include <stdio.h>
#include <unistd.h>

#include "base/os.h"
#include "kmsd.h"
#include "run/notify.h"

static void print_faults(const cm_config_faults *f, const char *path, cm_view text)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 64 << 10};

    for (size_t i = 0; i < f->n; i++)
        if (cm_failed(cm_config_fault_write(&b, &f->v[i], path, text)))
            break;
    if (b.n)
        (void)cm_failed(cm_os_write(STDERR_FILENO, b.p, b.n));
}

cm_err cm_kmsd_config_load(cm_config **out, const char *path)
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = CM_CONFIG_FILE_MAX + 1};
    cm_config_faults f = {.n = 0};
    cm_err e;

    CM_TRY(cm_os_slurp(&text, path, CM_CONFIG_FILE_MAX));
    e = cm_config_read(out, cm_buf_view(&text), path, &f);
    print_faults(&f, path, cm_buf_view(&text));
    return e;
}

/* What the files now hash to, not what they say. */
void cm_kmsd_reload_audit(kmsd *d, cm_view op, cm_view resource, cm_view what)
{
    uint8_t digest[32], id[16];
    cm_audit_entry entry = {.time_ms = cm_kmsd_now_ms(NULL),
                            .id = CM_VIEW(id),
                            .op = op,
                            .resource = resource,
                            .request = CM_VIEW(digest),
                            .decision = CM_AUDIT_ALLOW};
    cm_unit u = {.entry = &entry};
    cm_err e = CM_OKAY;

    if (!d->committer)
        return;
    e = cm_random(d->crypt, id, sizeof id);
    if (cm_ok(e))
        e = cm_hash_once(d->crypt, CM_SHA256, digest, what);
    if (cm_ok(e))
        e = cm_committer_commit(d->committer, &u);
    if (cm_failed(e))
        CM_LOG(d->log, ERROR, "reload_not_logged", cm_log_err(e));
}

static void log_diff(const kmsd *d, cm_view diff)
{
    for (size_t at = 0, n; at < diff.n; at += n + 1) {
        const uint8_t *line = diff.p + at, *nl = memchr(line, '\n', diff.n - at);

        n = nl ? (size_t)(nl - line) : diff.n - at;
        CM_LOG(d->log, INFO, "config_changed", cm_log_text("change", cm_view_of(line, n)));
    }
}

/* What has the mark KEY_RELOAD in the table takes effect here. The configuration that was there
 * stays in memory: threads read it. */
static void apply(kmsd *d, const cm_config_values *v)
{
    cm_config_values *now = (cm_config_values *)(uintptr_t)d->v;

    now->limits.connections = v->limits.connections;
    now->limits.handshakes = v->limits.handshakes;
    now->limits.handshake_time = v->limits.handshake_time;
    now->limits.request_time = v->limits.request_time;
    now->limits.body_rate = v->limits.body_rate;
    now->limits.idle_time = v->limits.idle_time;
    now->limits.write_time = v->limits.write_time;
    now->limits.drain_time = v->limits.drain_time;
    now->attest.check = v->attest.check;
    cm_log_set(d->log, (cm_log_level)v->log.level, (cm_log_form)v->log.format);
    if (d->trace)
        cm_trace_set_one_in(d->trace, (unsigned)v->trace.one_in);
    for (unsigned i = 0; i < d->reactors; i++)
        cm_kmsd_reactor_order(&d->reactor[i], ORDER_LIMITS);
}

static cm_err reload(kmsd *d, cm_buf *diff)
{
    CM_AUTO(cm_config_free_ptr) cm_config *next = NULL;
    bool restart;

    CM_TRY(cm_kmsd_config_load(&next, d->config_path));
    CM_TRY(cm_config_diff(diff, d->config, next, &restart));
    /* Listeners stay as they are; their certificates are taken from the new file. */
    CM_TRY(cm_kmsd_tls_load(d, cm_config_of(next), true));
    apply(d, cm_config_of(next));
    return CM_OKAY;
}

void cm_kmsd_reload(kmsd *d)
{
    CM_AUTO(cm_buf_free) cm_buf diff = {.max = 256 << 10};
    cm_err e;

    cm_notify(d->notify_socket, "RELOADING=1");
    e = reload(d, &diff);
    if (cm_failed(e))
        CM_LOG(d->log, ERROR, "reload_failed", cm_log_err(e),
               cm_log_str("meaning", "everything stays as it was"));
    else {
        cm_metric_add(d->reactor[0].shard, KM_RELOADS, 0, 0, 1);
        log_diff(d, cm_buf_view(&diff));
        CM_LOG(d->log, INFO, "reloaded", cm_log_str("config", d->config_path));
        cm_kmsd_reload_audit(d, CM_LIT("ReloadConfig"), CM_LIT("config"), cm_buf_view(&diff));
    }
    cm_kmsd_collateral_reload(d);
    cm_notify(d->notify_socket, "READY=1");
}
