/* The store, the committer and the service over them: opened once keyd is unsealed. */
#include <stdio.h>
#include <time.h>

#include "base/os.h"
#include "cm_config.h"
#include "hsm/unseal.h"
#include "kmsd.h"
#include "run/notify.h"
#include "store/rowseal.h"

enum {
    SIGN_MS = 5000,
    SIGN_TRIES = 2,
    KEY_MS = 30000,
    STORE_PATIENCE_S = 5, /* a database that restarts is back by then; clients wait no longer */
    WRITE_MS = 7000,      /* behind the lock_timeout of a transaction */
    READ_MS = 3000,       /* a reactor stops at most so long for a server that was cut off */
    DAY_MS = 86400000,
};

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

static cm_err open_postgres(kmsd *d, bool create)
{
    const cm_store_postgres o = {.conninfo = d->v->store.postgres,
                                 .create = create,
                                 .readers = (unsigned)d->v->store.readers,
                                 .patience_s = STORE_PATIENCE_S,
                                 .write_ms = WRITE_MS,
                                 .read_ms = READ_MS};

    return cm_store_open_postgres(&d->store, &o);
}

cm_err cm_kmsd_store_open(kmsd *d, bool create)
{
    cm_path p;
    uint64_t version;
    cm_err e = d->v->store.postgres ? open_postgres(d, create) : open_sqlite(d, create);

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

/* keyd has the log's keys from the root; a log that others signed is another root's. */
static cm_err load_log_keys(kmsd *d)
{
    CM_AUTO(cm_buf_free) cm_buf answer = {.max = CM_KEYMSG_PACKET};
    cm_keyctl_status s;
    cm_view rest;

    if (d->log_keys_n)
        return CM_OKAY;
    CM_TRY(cm_keeper_ask(d->signer, CM_KEYMSG_STATUS, (cm_view){0}, &answer, SIGN_MS));
    CM_TRY(cm_keyctl_get_status(&s, cm_buf_view(&answer)));
    rest = s.log_keys;
    while (rest.n && d->log_keys_n < KMSD_LOG_KEYS) {
        const uint8_t *nl = memchr(rest.p, '\n', rest.n);
        size_t n = nl ? (size_t)(nl - rest.p) : rest.n;

        CM_TRY(cm_vkey_parse(&d->log_keys[d->log_keys_n], d->crypt, cm_view_sub(rest, 0, n)));
        d->log_keys_n++;
        n += nl != NULL;
        rest = cm_view_sub(rest, n, rest.n - n);
    }
    return d->log_keys_n ? CM_OKAY : CM_FAIL(AUDIT_KEY);
}

static cm_err start_committer(kmsd *d)
{
    cm_committer_options o = {.store = d->store,
                              .crypt = d->crypt,
                              .signer = {.sign = sign_log, .self = d},
                              .origin = d->v->origin,
                              .now_ms = cm_kmsd_now_ms,
                              .depth = (unsigned)d->v->limits.commits};

    cm_err e;

    CM_TRY(load_log_keys(d));
    o.vkeys = d->log_keys;
    o.vkeys_n = d->log_keys_n;
    CM_TRY(cm_kmsd_anchor_open(d, &o.anchor));
    e = cm_committer_new(&d->committer, &o);
    if (cm_failed(e)) /* it is opened anew with the next try */
        cm_kmsd_anchor_close(d);
    return e;
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
    cm_err e;

    CM_TRY(cm_rowseal_new(&d->rows, d->crypt));
    keys = row_keys(d);
    e = cm_boot_rows(d->store, &keys, cm_kmsd_key_runner(d), cm_kmsd_now_ms(NULL), &fresh);
    if (cm_failed(e)) {
        cm_rowseal_free_ptr(&d->rows);
        return e;
    }
    sealer = cm_rowseal_sealer(d->rows);
    cm_store_unseal(d->store, &sealer);
    return CM_OKAY;
}

/* ---- the service --------------------------------------------------------------------------- */

/* H-14: under a device, when no passphrase and no key file opens the root besides: shares that
 * people hold may. What a record does not say is software's. */
static const char *custody(const kmsd *d)
{
    bool device = false, classical = false;
    cm_boot_info b;

    if (cm_failed(cm_boot_inspect(&b, d->crypt, cm_buf_view(&d->boot))))
        return NULL;
    for (size_t i = 0; i < b.n; i++) {
        if (b.slots[i].kind == CM_UNSEAL_PASSPHRASE || b.slots[i].kind == CM_UNSEAL_KEYFILE)
            return NULL;
        if (b.slots[i].kind != CM_UNSEAL_BACKEND)
            continue;
        device = true;
        classical |= b.slots[i].backend == CM_HSM_DEVICE_PKCS11 &&
                     cm_hsm_unseal_is_classical(b.slots[i].device);
    }
    return device ? cm_hsm_custody_name(classical ? CM_HSM_CLASSICAL : CM_HSM_WRAPPED) : NULL;
}

cm_err cm_kmsd_service_make(kmsd *d, cm_svc **svc)
{
    cm_svc_options o = {.store = d->store,
                        .crypt = d->crypt,
                        .now_ms = cm_kmsd_now_ms,
                        .version = CM_CONFIG_VERSION,
                        .custody = custody(d),
                        .devices = d->device_names};

    for (size_t i = 0; i < d->v->hsm.providers_n; i++)
        if (d->v->hsm.providers[i].use == CM_CONFIG_HSM_ROOT)
            d->device_names[o.devices_n++] = d->v->hsm.providers[i].name;
    if (d->verifier.crypt)
        o.attestor = cm_svc_attestor(&d->verifier);
    o.attest_rate = d->v->attest.address_rate;
    o.address_rate = d->v->limits.address_calls;
    o.model_days = d->v->rotation.model / DAY_MS;
    if (d->v->rotation.api)
        o.api_key_ms = d->v->rotation.api + d->v->rotation.api_grace;
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
    while (d->log_keys_n)
        cm_vkey_done(&d->log_keys[--d->log_keys_n]);
    cm_svc_free(svc);
    cm_keeper_free_ptr(&d->signer);
    cm_os_close_fd(&fd);
    cm_store_close_ptr(&d->store);
    cm_rowseal_free_ptr(&d->rows);
}
