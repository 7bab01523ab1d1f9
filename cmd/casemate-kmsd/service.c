/* The store, the committer and the service over them: opened once keyd is unsealed. */
#include <stdio.h>
#include <time.h>

#include "base/os.h"
#include "cm_config.h"
#include "kmsd.h"
#include "run/notify.h"
#include "store/rowseal.h"

enum { SIGN_MS = 5000, SIGN_TRIES = 2, KEY_MS = 30000 };

uint64_t cm_kmsd_now_ms(void *arg)
{
    struct timespec t;

    (void)arg;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- the store ----------------------------------------------------------------------------- */

static void boot_path(cm_path *p)
{
    cm_path_init(p);
    cm_path_add_str(p, "boot");
    cm_path_add_str(p, "root");
}

static cm_err open_sqlite(kmsd *d, bool create)
{
    char path[4200];
    cm_store_sqlite o = {
        .path = path, .create = create, .cache_kib = (unsigned)(d->v->store.cache >> 10)};

    if (d->v->store.sqlite)
        snprintf(path, sizeof path, "%s", d->v->store.sqlite);
    else
        snprintf(path, sizeof path, "%s/kms.db", d->v->data);
    return cm_store_open_sqlite(&d->store, &o);
}

static cm_err open_postgres(kmsd *d)
{
    const cm_store_postgres o = {.conninfo = d->v->store.postgres,
                                 .readers = (unsigned)d->v->store.readers};

    return cm_store_open_postgres(&d->store, &o);
}

cm_err cm_kmsd_store_open(kmsd *d, bool create)
{
    cm_path p;
    uint64_t version;
    cm_err e = d->v->store.postgres ? open_postgres(d) : open_sqlite(d, create);

    if (cm_failed(e)) {
        CM_LOG(d->log, ERROR, "store_failed", cm_log_err(e));
        return e;
    }
    if (create)
        return CM_OKAY;
    boot_path(&p);
    d->boot = (cm_buf){.max = CM_BOOT_MAX};
    e = cm_store_get(d->store, cm_path_view(&p), &d->boot, &version);
    if (cm_is(e, CM_STORE_NO_ROW)) {
        CM_LOG(d->log, ERROR, "store_empty",
               cm_log_str("fix", "make it with: casemate-kmsd --init, or casemate serve"));
        return CM_FAIL(KMSD_NO_ROOT);
    }
    return e;
}

/* ---- signing the log ----------------------------------------------------------------------- */

cm_err cm_kmsd_next_socket(void *slot, int *fd)
{
    int got = atomic_exchange((atomic_int *)slot, -1);

    if (got < 0)
        return CM_FAIL(KEEPER_DOWN);
    *fd = got;
    return CM_OKAY;
}

cm_err cm_kmsd_signer_new(kmsd *d)
{
    cm_keeper_options o = {.connect = cm_kmsd_next_socket, .arg = &d->signer_fd, .fd = -1};

    return d->signer ? CM_OKAY : cm_keeper_new(&d->signer, &o);
}

static cm_err sign_once(kmsd *d, cm_buf *lines, cm_view text)
{
    cm_keyop op = {.code = CM_KEYOP_SIGN_LOG,
                   .data = text,
                   .out = {.max = CM_KEYOP_OUT_MAX},
                   .out2 = {.max = CM_KEYOP_OUT_MAX}};
    cm_err e;

    (void)cm_keeper_tick(d->signer, cm_os_monotonic_ns() / 1000000);
    e = cm_keeper_run(d->signer, &op, SIGN_MS);
    if (cm_ok(e))
        e = cm_buf_append(lines, cm_buf_view(&op.out));
    cm_keyop_done_with(&op);
    return e;
}

/* On the committer's threads; before they start, on the main one. A keyd that died since the last
 * time shows only now: the next try reaches the new one. Signing the same text twice does no harm.
 */
static cm_err sign_log(void *self, cm_buf *lines, cm_view text)
{
    cm_err e = sign_once(self, lines, text);

    for (int i = 0; i < SIGN_TRIES && cm_is(e, CM_KEEPER_LOST); i++)
        e = sign_once(self, lines, text);
    return e;
}

static cm_err start_committer(kmsd *d)
{
    cm_committer_options o = {.store = d->store,
                              .crypt = d->crypt,
                              .signer = {.sign = sign_log, .self = d},
                              .origin = d->v->origin,
                              .now_ms = cm_kmsd_now_ms,
                              .depth = (unsigned)d->v->limits.commits};

    CM_TRY(cm_kmsd_anchor_open(d, &o.anchor));
    return cm_committer_new(&d->committer, &o);
}

/* ---- rows ---------------------------------------------------------------------------------- */

static cm_err run_key(void *self, cm_keyop *op)
{
    kmsd *d = self;

    return cm_keeper_run(d->signer, op, KEY_MS);
}

cm_key_runner cm_kmsd_key_runner(kmsd *d)
{
    return (cm_key_runner){.run = run_key, .self = d};
}

static cm_row_keys row_keys(kmsd *d)
{
    return (cm_row_keys){.known = cm_rowseal_known, .add = cm_rowseal_add, .self = d->rows};
}

static cm_err open_rows(kmsd *d)
{
    cm_row_keys keys;
    cm_store_sealer sealer;
    bool fresh;

    CM_TRY(cm_rowseal_new(&d->rows, d->crypt));
    keys = row_keys(d);
    CM_TRY(cm_boot_rows(d->store, &keys, cm_kmsd_key_runner(d), &fresh));
    sealer = cm_rowseal_sealer(d->rows);
    cm_store_unseal(d->store, &sealer);
    return CM_OKAY;
}

/* ---- the service --------------------------------------------------------------------------- */

cm_err cm_kmsd_service_make(kmsd *d, cm_svc **svc)
{
    cm_svc_options o = {.store = d->store,
                        .crypt = d->crypt,
                        .now_ms = cm_kmsd_now_ms,
                        .version = CM_CONFIG_VERSION};

    o.address_rate = d->v->limits.address_calls;
    CM_TRY(cm_kmsd_signer_new(d));
    (void)cm_keeper_tick(d->signer, cm_os_monotonic_ns() / 1000000);
    if (!d->rows)
        CM_TRY(open_rows(d));
    if (!d->committer)
        CM_TRY(start_committer(d));
    o.committer = d->committer;
    o.row_keys = row_keys(d);
    return cm_svc_new(svc, &o);
}

static cm_err open_service(kmsd *d)
{
    cm_svc *svc = NULL;
    bool due = true;
    cm_err e;

    CM_TRY(cm_kmsd_service_make(d, &svc));
    e = cm_bootstrap_due(svc, &due);
    if (cm_ok(e) && due)
        e = CM_FAIL(KMSD_NO_ROOT);
    if (cm_failed(e)) {
        cm_svc_free(svc);
        return e;
    }
    e = cm_kmsd_chores_start(d, svc);
    if (cm_failed(e)) {
        cm_svc_free(svc);
        return e;
    }
    atomic_store(&d->svc, svc);
    return CM_OKAY;
}

cm_err cm_kmsd_service_open(kmsd *d)
{
    if (atomic_load(&d->svc))
        return CM_OKAY;
    CM_TRY(open_service(d));
    CM_LOG(d->log, INFO, "serving", cm_log_number("reactors", d->reactors - 1));
    cm_notify(d->notify_socket, "READY=1\nSTATUS=serving");
    return CM_OKAY;
}

void cm_kmsd_service_close(kmsd *d)
{
    cm_svc *svc = atomic_load(&d->svc);
    int fd = atomic_exchange(&d->signer_fd, -1);

    cm_kmsd_chores_stop(d);
    cm_committer_free(d->committer);
    cm_kmsd_anchor_close(d);
    d->committer = NULL;
    cm_svc_free(svc);
    cm_keeper_free_ptr(&d->signer);
    cm_os_close_fd(&fd);
    cm_store_close_ptr(&d->store);
    cm_rowseal_free_ptr(&d->rows);
}
