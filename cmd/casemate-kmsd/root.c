/*
 * Generations of the root: a new one, and the end of the old ones. Whoever asks brings what opens
 * the boot record, because keyd takes no word for it but that (spec/keyd.md). The changed record is
 * one unit with its entry in the log; only then keyd takes it up (KD-7). From there on the
 * scheduler finds KEKs under an older generation and wraps them anew (V-58), so nothing is lost by
 * a server that ends anywhere between. Main thread only.
 */
#include "kmsd.h"
#include "svc/scheduler.h"

static void root_path(cm_path *p)
{
    cm_path_init(p);
    cm_path_add_str(p, "boot");
    cm_path_add_str(p, "root");
}

/* The row's version, if the record there is the one that this server runs by. */
static cm_err stored(kmsd *d, cm_view key, uint64_t *version)
{
    CM_AUTO(cm_buf_free) cm_buf boot = {.max = CM_BOOT_MAX};

    CM_TRY(cm_store_get(d->store, key, &boot, version));
    return cm_view_eq(cm_buf_view(&boot), cm_buf_view(&d->boot)) ? CM_OKAY
                                                                 : CM_FAIL(STORE_CONFLICT);
}

static cm_err made_row(kmsd *d, cm_path *p, cm_view value, cm_store_write *w)
{
    CM_AUTO(cm_buf_free) cm_buf old = {.max = 64};
    uint64_t version = 0;
    cm_err e;

    cm_path_init(p);
    cm_path_add_str(p, "");
    cm_path_add_str(p, "root-made");
    e = cm_store_get(d->store, cm_path_view(p), &old, &version);
    if (cm_failed(e) && !cm_is(e, CM_STORE_NO_ROW))
        return e;
    *w = (cm_store_write){cm_path_view(p), version + 1, value};
    return CM_OKAY;
}

/* The record and its entry, durable together. */
static cm_err commit(kmsd *d, cm_view boot, bool rotated)
{
    cm_store_write w[2];
    cm_path root, made;
    uint8_t id[16], at[8];
    uint64_t version, now = cm_kmsd_now_ms(NULL);
    cm_audit_entry entry = {.time_ms = now,
                            .id = CM_VIEW(id),
                            .op = rotated ? CM_LIT("NewRootGeneration")
                                          : CM_LIT("RetireRootGenerations"),
                            .decision = CM_AUDIT_ALLOW};
    cm_unit u = {.writes = w, .writes_n = rotated ? 2 : 1, .entry = &entry};

    root_path(&root);
    CM_TRY(stored(d, cm_path_view(&root), &version));
    cm_put_be64(at, now);
    CM_TRY(made_row(d, &made, CM_VIEW(at), &w[1]));
    CM_TRY(cm_random(d->crypt, id, sizeof id));
    w[0] = (cm_store_write){cm_path_view(&root), version + 1, boot};
    entry.resource = cm_path_view(&root);
    return cm_committer_commit(d->committer, &u);
}

/* keyd's answer: the new record. It is stored, and given back to keyd with the same secret. */
static cm_err take(kmsd *d, cm_view answer)
{
    CM_AUTO(cm_buf_free) cm_buf body = {.max = CM_KEYMSG_PACKET};
    cm_keyctl_alter a;
    cm_keyctl_boot b;

    CM_TRY(cm_keyctl_get_boot(&b, answer));
    CM_TRY(cm_keyctl_get_alter(&a, cm_buf_view(&d->control_body)));
    CM_TRY(cm_buf_reserve(&d->boot, d->boot.max - d->boot.n)); /* what follows must not fail */
    CM_TRY(commit(d, b.boot, a.rotate));
    d->boot.n = 0;
    CM_TRY(cm_buf_append(&d->boot, b.boot));
    a.with.boot = cm_buf_view(&d->boot);
    CM_TRY(cm_buf_reserve(&body, body.max)); /* it does not move, so all of it is wiped */
    CM_TRY(cm_keyctl_put_unseal(&body, &a.with));
    cm_buf_free(&d->control_body);
    d->control_body = body;
    body = (cm_buf){0};
    return CM_OKAY;
}

static void altered(cm_keyctl *c)
{
    kmsd *d = cm_kmsd_of_control(c);
    CM_AUTO(cm_buf_free) cm_buf answer = c->answer;
    cm_err e = c->result;

    c->answer = (cm_buf){0};
    d->control_busy = false;
    if (cm_ok(e))
        e = take(d, cm_buf_view(&answer));
    if (cm_ok(e)) {
        cm_kmsd_keyd_ask(d, CM_KEYMSG_UNSEAL, cm_kmsd_keyd_unsealed);
        return;
    }
    CM_LOG(d->log, ERROR, "root_not_changed", cm_log_err(e));
    cm_buf_free(&d->control_body);
    d->unseal_result = e;
    d->unseal_tries++;
}

cm_err cm_kmsd_root_change(kmsd *d, const cm_keyctl_unseal *with, bool retire)
{
    cm_keyctl_alter a = {.with = *with, .rotate = !retire};
    uint64_t oldest, now = atomic_load(&d->root_generation);

    if (d->control_busy)
        return CM_FAIL(KMSD_KEYD_BUSY);
    if (atomic_load(&d->keyd) != KEYD_OPEN || !atomic_load(&d->svc))
        return CM_FAIL(KMSD_SEALED);
    if (cm_store_shared(d->store))
        return CM_FAIL(KMSD_ROOT_SHARED);
    if (retire) {
        CM_TRY(cm_scheduler_oldest_root(d->store, &oldest));
        if (oldest < now)
            return CM_FAIL(KMSD_ROOT_IN_USE);
        if (now == 1)
            return CM_FAIL(UNSEAL_GENERATION);
        a.retire = now - 1;
    }
    a.with.boot = cm_buf_view(&d->boot);
    d->control_body = (cm_buf){.max = CM_KEYMSG_PACKET};
    CM_TRY(cm_buf_reserve(&d->control_body, CM_KEYMSG_PACKET));
    CM_TRY(cm_keyctl_put_alter(&d->control_body, &a));
    cm_kmsd_keyd_ask(d, CM_KEYMSG_ALTER, altered);
    return CM_OKAY;
}
