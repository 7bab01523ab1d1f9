/* keyd's state: started, found sealed, opened, lost, started again. Main thread only. */
#include <stdio.h>

#include "base/os.h"
#include "hsm/unseal.h"
#include "kmsd.h"
#include "run/notify.h"

enum { PAUSE_FIRST_MS = 50, SECRET_MAX = 4096, WATCH_MS = 500, DEVICES_MS = 500, AWAY_MS = 2000 };

kmsd *cm_kmsd_of_control(cm_keyctl *c)
{
    return (kmsd *)(void *)((char *)c - offsetof(kmsd, control));
}

static void set_state(kmsd *d, keyd_state s)
{
    static const char *const names[] = {"down", "sealed", "open"};

    if (atomic_exchange(&d->keyd, (int)s) == (int)s)
        return;
    CM_LOG(d->log, INFO, "keyd", cm_log_str("state", names[s]));
}

const char *cm_kmsd_keyd_name(const kmsd *d)
{
    static const char *const names[] = {"down", "sealed", "open"};

    return names[atomic_load(&d->keyd)];
}

/* ---- starting ------------------------------------------------------------------------------ */

static void hand_out(atomic_int *slot, int fd)
{
    int old = atomic_exchange(slot, fd);

    cm_os_close_fd(&old);
}

static void start_again(kmsd *d)
{
    cm_loop_after(d->reactor[0].loop, &d->keyd_timer, d->keyd_pause_ms);
    d->keyd_pause_ms = CM_MIN(d->keyd_pause_ms * 2, d->v->keyd.restart_max);
}

static void start(kmsd *d)
{
    int fds[KMSD_REACTORS + 2];
    unsigned n = d->reactors + 2;
    pid_t pid = -1;
    cm_err e = cm_kmsd_spawner_keyd(d, fds, n, &pid);

    if (cm_failed(e)) {
        CM_LOG(d->log, ERROR, "keyd_not_started", cm_log_err(e));
        start_again(d);
        return;
    }
    cm_metric_add(d->reactor[0].shard, KM_KEYD_STARTS, 0, 0, 1);
    d->keyd_starts++;
    CM_LOG(d->log, INFO, "keyd_started", cm_log_number("pid", (uint64_t)pid));
    for (unsigned i = 0; i < d->reactors; i++)
        hand_out(&d->reactor[i].keys_fd, fds[i]);
    hand_out(&d->signer_fd, fds[n - 2]);
    hand_out(&d->chores_fd, fds[n - 1]);
    cm_kmsd_keys_sync(&d->reactor[0]);
}

static void start_timer(cm_timer *t)
{
    start((kmsd *)(void *)((char *)t - offsetof(kmsd, keyd_timer)));
}

/* ---- opening ------------------------------------------------------------------------------- */

/* What only a database that is away keeps from opening is tried until it is back. */
static void open_service(cm_timer *t)
{
    kmsd *d = (kmsd *)(void *)((char *)t - offsetof(kmsd, service_timer));
    cm_err e = CM_OKAY;

    if (atomic_load(&d->keyd) == KEYD_OPEN && !atomic_load(&d->draining))
        e = cm_kmsd_service_open(d);
    if (cm_ok(e)) {
        cm_kmsd_modules_log(d);
        return;
    }
    CM_LOG(d->log, ERROR, "service_failed", cm_log_err(e));
    if (cm_err_class(e) == CM_CLASS_IO || cm_is(e, CM_STORE_CONFLICT))
        cm_loop_after(d->reactor[0].loop, &d->service_timer, KMSD_RETRY_MS);
}

/* D-14: only a new process reads again what a failed flush left on the disk. */
static void watch_store(cm_timer *t)
{
    kmsd *d = (kmsd *)(void *)((char *)t - offsetof(kmsd, store_timer));
    cm_err e = d->committer ? cm_committer_health(d->committer) : CM_OKAY;

    cm_loop_after(d->reactor[0].loop, t, WATCH_MS);
    if (!cm_is(e, CM_STORE_BROKEN) || cm_failed(d->fatal))
        return;
    CM_LOG(d->log, ERROR, "store_broken", cm_log_err(e));
    cm_notify(d->notify_socket, "STOPPING=1\nSTATUS=the disk failed");
    d->fatal = e;
    for (unsigned i = 0; i < d->reactors; i++)
        cm_kmsd_reactor_order(&d->reactor[i], ORDER_STOP);
}

static void opened(kmsd *d)
{
    set_state(d, KEYD_OPEN);
    d->keyd_pause_ms = PAUSE_FIRST_MS;
    d->service_timer.fire = open_service;
    d->store_timer.fire = watch_store;
    cm_loop_after(d->reactor[0].loop, &d->store_timer, WATCH_MS);
    open_service(&d->service_timer);
}

void cm_kmsd_note_devices(kmsd *d, const cm_keyctl_status *s)
{
    d->devices.n = 0;
    d->devices.max = CM_KEYCTL_DEVICES_MAX;
    if (cm_failed(cm_buf_append(&d->devices, s->devices)))
        d->devices.n = 0;
}

static void note_status(kmsd *d, const cm_keyctl_status *s)
{
    cm_kmsd_note_devices(d, s);
    d->shares_have = s->have;
    d->shares_need = s->need;
    atomic_store(&d->root_generation, s->generation);
    if (s->state == CM_KEYD_UNSEALED)
        opened(d);
    else
        set_state(d, KEYD_SEALED);
}

/* keyd is free for the next question; the answer is the caller's to free. */
static cm_err answered(kmsd *d, const cm_keyctl *c, cm_keyctl_status *s)
{
    d->control_busy = false;
    CM_TRY(c->result);
    return cm_keyctl_get_status(s, cm_buf_view(&c->answer));
}

void cm_kmsd_keyd_unsealed(cm_keyctl *c)
{
    kmsd *d = cm_kmsd_of_control(c);
    cm_keyctl_status s;
    cm_err e = answered(d, c, &s);

    cm_buf_free(&d->control_body);
    d->unseal_tries++;
    d->unseal_result = e;
    if (cm_ok(e))
        note_status(d, &s);
    else
        CM_LOG(d->log, ERROR, "unseal_failed", cm_log_err(e));
    if (atomic_load(&d->keyd) == KEYD_OPEN)
        d->sealed_by_hand = false;
    cm_buf_free(&c->answer);
}

void cm_kmsd_keyd_ask(kmsd *d, cm_keymsg_kind kind, void (*done)(cm_keyctl *c))
{
    d->control_busy = true;
    d->control = (cm_keyctl){.kind = kind,
                             .body = cm_buf_view(&d->control_body),
                             .done = done,
                             .answer = {.max = CM_KEYMSG_PACKET}};
    cm_keeper_control(d->reactor[0].keys, &d->control);
    cm_keeper_flush(d->reactor[0].keys);
    cm_kmsd_keys_sync(&d->reactor[0]);
}

cm_err cm_kmsd_keyd_unseal(kmsd *d, cm_unseal_kind kind, cm_view secret)
{
    cm_keyctl_unseal u = {.boot = cm_buf_view(&d->boot), .kind = kind};

    if (d->control_busy || atomic_load(&d->keyd) == KEYD_DOWN)
        return CM_FAIL(KMSD_KEYD_BUSY);
    if (kind == CM_UNSEAL_SHARES) {
        u.shares[0] = secret;
        u.shares_n = 1;
    } else if (kind == CM_UNSEAL_BACKEND)
        u.device = CM_HSM_DEVICE_PKCS11;
    else
        u.secret = secret;
    d->control_body = (cm_buf){.max = CM_KEYMSG_PACKET};
    CM_TRY(cm_keyctl_put_unseal(&d->control_body, &u));
    cm_kmsd_keyd_ask(d, CM_KEYMSG_UNSEAL, cm_kmsd_keyd_unsealed);
    return CM_OKAY;
}

static void sealed(cm_keyctl *c)
{
    kmsd *d = cm_kmsd_of_control(c);
    cm_keyctl_status s;
    cm_err e = answered(d, c, &s);

    if (cm_ok(e))
        note_status(d, &s);
    else
        CM_LOG(d->log, ERROR, "seal_failed", cm_log_err(e));
    cm_buf_free(&c->answer);
}

cm_err cm_kmsd_keyd_seal(kmsd *d)
{
    if (d->control_busy || atomic_load(&d->keyd) == KEYD_DOWN)
        return CM_FAIL(KMSD_KEYD_BUSY);
    d->sealed_by_hand = true;
    cm_kmsd_keyd_ask(d, CM_KEYMSG_SEAL, sealed);
    return CM_OKAY;
}

/* The first line of a file, without its end. */
static cm_err read_passphrase(const kmsd *d, cm_buf *out)
{
    char path[4200];
    const uint8_t *nl;

    snprintf(path, sizeof path, "%s%s", d->v->unseal.file ? d->v->unseal.file : d->v->data,
             d->v->unseal.file ? "" : "/passphrase");
    CM_TRY(cm_os_slurp(out, path, SECRET_MAX));
    nl = out->n ? memchr(out->p, '\n', out->n) : NULL;
    if (nl)
        out->n = (size_t)(nl - out->p);
    return CM_OKAY;
}

static void unseal_by_itself(kmsd *d)
{
    static const cm_unseal_kind kinds[] = {[CM_CONFIG_UNSEAL_FILE] = CM_UNSEAL_PASSPHRASE,
                                           [CM_CONFIG_UNSEAL_CREDENTIAL] = CM_UNSEAL_KEYFILE,
                                           [CM_CONFIG_UNSEAL_SHARES] = CM_UNSEAL_SHARES,
                                           [CM_CONFIG_UNSEAL_HSM] = CM_UNSEAL_BACKEND};
    CM_AUTO(cm_buf_free) cm_buf secret = {.max = SECRET_MAX};
    cm_err e = CM_OKAY;

    if (d->sealed_by_hand) {
        CM_LOG(d->log, WARNING, "sealed_by_hand",
               cm_log_str("fix", "POST /admin/unseal on the admin socket"));
        return;
    }
    if (d->v->unseal.method == CM_CONFIG_UNSEAL_SHARES) {
        CM_LOG(d->log, WARNING, "waiting_for_shares",
               cm_log_str("fix", "give them with: casemate unseal"));
        return;
    }
    if (d->v->unseal.method == CM_CONFIG_UNSEAL_FILE)
        e = read_passphrase(d, &secret);
    if (cm_ok(e))
        e = cm_kmsd_keyd_unseal(d, kinds[d->v->unseal.method], cm_buf_view(&secret));
    if (cm_failed(e))
        CM_LOG(d->log, ERROR, "unseal_failed", cm_log_err(e));
}

static void asked(cm_keyctl *c)
{
    kmsd *d = cm_kmsd_of_control(c);
    cm_keyctl_status s;
    cm_err e = answered(d, c, &s);

    if (cm_ok(e))
        note_status(d, &s);
    else
        CM_LOG(d->log, ERROR, "keyd_status_failed", cm_log_err(e));
    cm_buf_free(&c->answer);
    if (cm_ok(e) && atomic_load(&d->keyd) == KEYD_SEALED)
        unseal_by_itself(d);
}

/* ---- several devices ----------------------------------------------------------------------- */

/* Those that were all away may be back: what could not be opened then is tried again. */
static void seen(cm_keyctl *c)
{
    kmsd *d = cm_kmsd_of_control(c);
    cm_keyctl_status s;
    cm_err e = answered(d, c, &s);

    if (cm_ok(e))
        cm_kmsd_note_devices(d, &s);
    cm_buf_free(&c->answer);
    cm_kmsd_modules_log(d);
    if (cm_ok(e) && d->v->hsm.providers_n && atomic_load(&d->keyd) == KEYD_SEALED &&
        !d->sealed_by_hand && d->v->unseal.method == CM_CONFIG_UNSEAL_HSM &&
        cm_kmsd_now_ms(NULL) >= d->unseal_again_ms) {
        d->unseal_again_ms = cm_kmsd_now_ms(NULL) + AWAY_MS;
        unseal_by_itself(d);
    }
    if (cm_ok(e))
        cm_kmsd_devices_bring(d);
}

static void look(cm_timer *t)
{
    kmsd *d = (kmsd *)(void *)((char *)t - offsetof(kmsd, devices_timer));

    if (atomic_load(&d->draining))
        return;
    if (!d->control_busy && atomic_load(&d->keyd) != KEYD_DOWN)
        cm_kmsd_keyd_ask(d, CM_KEYMSG_STATUS, seen);
    cm_loop_after(d->reactor[0].loop, &d->devices_timer, DEVICES_MS);
}

void cm_kmsd_keyd_done(kmsd *d)
{
    cm_buf_free(&d->devices);
    cm_buf_free(&d->migration.boot);
}

void cm_kmsd_keyd_begin(kmsd *d)
{
    d->keyd_timer.fire = start_timer;
    d->keyd_pause_ms = PAUSE_FIRST_MS;
    d->devices_timer.fire = look;
    if (d->v->hsm.providers_n || d->v->hsm.module || d->v->hsm.cloud || d->v->hsm.tpm)
        cm_loop_after(d->reactor[0].loop, &d->devices_timer, DEVICES_MS);
    start(d);
}

void cm_kmsd_keyd_changed(kmsd *d)
{
    if (cm_keeper_connection(d->reactor[0].keys)) {
        if (!d->control_busy)
            cm_kmsd_keyd_ask(d, CM_KEYMSG_STATUS, asked);
        return;
    }
    set_state(d, KEYD_DOWN);
    if (!atomic_load(&d->draining)) {
        CM_LOG(d->log, ERROR, "keyd_lost", cm_log_number("again_in_ms", d->keyd_pause_ms));
        start_again(d);
    }
}
