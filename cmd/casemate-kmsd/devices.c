/*
 * Key devices behind the root, brought to where people want them (svc/devices.h): weights, who is
 * retired, and a migration, a step after the other. The row says what was reached, so a server that
 * ends anywhere goes on there; what it did beyond that is done again and does no harm (H-63). Main
 * thread only.
 */
#include "svc/devices.h"
#include "codec/json.h"
#include "hsm/unseal.h"
#include "kmsd.h"

enum { AGAIN_MS = 5000 };

/* ---- what is, and what should be ------------------------------------------------------------ */

static const cm_config_provider *provider(const kmsd *d, const char *name)
{
    for (size_t i = 0; i < d->v->hsm.providers_n; i++)
        if (d->v->hsm.providers[i].use == CM_CONFIG_HSM_ROOT &&
            strcmp(d->v->hsm.providers[i].name, name) == 0)
            return &d->v->hsm.providers[i];
    return NULL;
}

/* Every device behind the root; tenants' own stay as they are configured. */
static void wanted(const kmsd *d, const cm_device_plan *p, cm_keyctl_devices *out)
{
    *out = (cm_keyctl_devices){.n = 0};
    for (size_t i = 0; i < d->v->hsm.providers_n && out->n < CM_KEYCTL_DEVICES; i++) {
        const cm_config_provider *c = &d->v->hsm.providers[i];
        const cm_device_want *w = cm_device_wanted(p, c->name);

        if (c->use != CM_CONFIG_HSM_ROOT)
            continue;
        out->of[out->n].name = cm_view_str(c->name);
        out->of[out->n].weight = w ? w->weight : c->weight;
        out->of[out->n++].retired = w && w->retired;
    }
}

static const cm_json_node *shown(const cm_json *j, cm_view name)
{
    cm_view who;

    for (const cm_json_node *x = cm_json_first(cm_json_root(j)); x; x = cm_json_next(x))
        if (cm_ok(cm_json_string(cm_json_get(x, "name"), &who)) && cm_view_eq(who, name))
            return x;
    return NULL;
}

static bool in_state(const cm_json_node *x, cm_view state)
{
    cm_view is;

    return cm_ok(cm_json_string(cm_json_get(x, "state"), &is)) && cm_view_eq(is, state);
}

/* Whether keyd's devices are as they are wanted. One in quarantine can't be retired. */
static bool as_wanted(const cm_json *j, const cm_keyctl_devices *want)
{
    for (size_t i = 0; i < want->n; i++) {
        const cm_json_node *x = shown(j, want->of[i].name);
        uint64_t weight;

        if (!x || cm_failed(cm_json_u64(cm_json_get(x, "weight"), &weight)) ||
            weight != want->of[i].weight)
            return false;
        if (in_state(x, CM_LIT("quarantined")))
            continue;
        if (in_state(x, CM_LIT("retired")) != want->of[i].retired)
            return false;
    }
    return true;
}

/* ---- asking keyd --------------------------------------------------------------------------- */

/* A failed step is tried again, from the row. */
static void failed(kmsd *d, const char *what, cm_err e)
{
    CM_LOG(d->log, ERROR, "devices_failed", cm_log_str("what", what), cm_log_err(e));
    d->migration.again_ms = cm_kmsd_now_ms(NULL) + AGAIN_MS;
    d->migration.last = e;
    cm_buf_free(&d->migration.boot);
}

static cm_err ask(kmsd *d, cm_keymsg_kind kind, cm_buf *body, void (*done)(cm_keyctl *c))
{
    d->control_body = *body;
    *body = (cm_buf){0};
    cm_kmsd_keyd_ask(d, kind, done);
    return CM_OKAY;
}

/* What every answer begins with. */
static cm_err answered(kmsd *d, cm_keyctl *c, cm_buf *answer)
{
    *answer = c->answer;
    c->answer = (cm_buf){0};
    d->control_busy = false;
    cm_buf_free(&d->control_body);
    return c->result;
}

static cm_err ask_devices(kmsd *d, const cm_keyctl_devices *want, void (*done)(cm_keyctl *c))
{
    CM_AUTO(cm_buf_free) cm_buf body = {.max = 4096};

    CM_TRY(cm_keyctl_put_devices(&body, want));
    return ask(d, CM_KEYMSG_DEVICES, &body, done);
}

static void applied(cm_keyctl *c)
{
    kmsd *d = cm_kmsd_of_control(c);
    CM_AUTO(cm_buf_free) cm_buf answer = {0};
    cm_keyctl_status s;
    cm_err e = answered(d, c, &answer);

    if (cm_ok(e))
        e = cm_keyctl_get_status(&s, cm_buf_view(&answer));
    if (cm_ok(e))
        cm_kmsd_note_devices(d, &s);
    else
        failed(d, "weights", e);
}

/* ---- the row and its entry ------------------------------------------------------------------ */

/* H-61: a step, and with it the boot record where that changed, is one unit with its entry. */
static cm_err commit(kmsd *d, const cm_device_plan *p, cm_view boot, const char *op)
{
    CM_AUTO(cm_buf_free) cm_buf row = {.max = 16 << 10};
    CM_AUTO(cm_buf_free) cm_buf now = {.max = CM_BOOT_MAX};
    cm_path at, root;
    uint8_t id[16];
    cm_store_write w[2];
    cm_audit_entry entry = {.time_ms = cm_kmsd_now_ms(NULL),
                            .id = CM_VIEW(id),
                            .op = cm_view_str(op),
                            .decision = CM_AUDIT_ALLOW};
    cm_unit u = {.writes = w, .writes_n = 1, .entry = &entry};
    uint64_t version;

    cm_device_plan_path(&at);
    CM_TRY(cm_device_plan_put(&row, p));
    CM_TRY(cm_random(d->crypt, id, sizeof id));
    entry.resource = cm_path_view(&at);
    w[0] = (cm_store_write){cm_path_view(&at), p->version + 1, cm_buf_view(&row)};
    if (boot.n) {
        cm_path_init(&root);
        cm_path_add_str(&root, "boot");
        cm_path_add_str(&root, "root");
        CM_TRY(cm_store_get(d->store, cm_path_view(&root), &now, &version));
        if (!cm_view_eq(cm_buf_view(&now), cm_buf_view(&d->boot)))
            return CM_FAIL(STORE_CONFLICT);
        w[u.writes_n++] = (cm_store_write){cm_path_view(&root), version + 1, boot};
    }
    return cm_committer_commit(d->committer, &u);
}

/* ---- wrapping the root anew ----------------------------------------------------------------- */

/* H-39: keyd has opened the new record; only now it is stored. */
static cm_err reached(kmsd *d, cm_buf *boot)
{
    cm_device_plan p;
    bool last;

    CM_TRY(cm_device_plan_read(&p, d->store));
    last = p.step == CM_MIGRATE_ALL;
    if (p.version != d->migration.version)
        return CM_FAIL(STORE_CONFLICT);
    if (last) {
        CM_TRY(cm_device_want_set(&p, p.from, 0, true));
        p.step = CM_MIGRATE_NONE;
        p.from[0] = p.to[0] = 0;
    } else {
        CM_TRY(cm_device_plan_step(&p, CM_MIGRATE_BOTH, cm_kmsd_now_ms(NULL)));
    }
    CM_TRY(cm_buf_reserve(&d->boot, d->boot.max - d->boot.n)); /* what follows must not fail */
    CM_TRY(commit(d, &p, cm_buf_view(boot), last ? "MigrateDeviceDone" : "MigrateDeviceBoth"));
    d->boot.n = 0;
    CM_TRY(cm_buf_append(&d->boot, cm_buf_view(boot)));
    CM_LOG(d->log, INFO, last ? "migrated" : "migration",
           cm_log_str("step", last ? "done" : "both"));
    return CM_OKAY;
}

static void proved(cm_keyctl *c)
{
    kmsd *d = cm_kmsd_of_control(c);
    CM_AUTO(cm_buf_free) cm_buf answer = {0};
    CM_AUTO(cm_buf_free) cm_buf boot = d->migration.boot;
    cm_err e = answered(d, c, &answer);

    d->migration.boot = (cm_buf){0};
    if (cm_ok(e))
        e = reached(d, &boot);
    if (cm_failed(e))
        failed(d, "the new record", e);
    else
        d->migration.last = CM_OKAY;
}

static cm_err prove(kmsd *d, cm_view answer)
{
    CM_AUTO(cm_buf_free) cm_buf body = {.max = CM_KEYMSG_PACKET};
    cm_keyctl_unseal u = {.kind = CM_UNSEAL_BACKEND, .device = CM_HSM_DEVICE_PKCS11};
    cm_keyctl_boot b;

    CM_TRY(cm_keyctl_get_boot(&b, answer));
    d->migration.boot = (cm_buf){.max = CM_BOOT_MAX};
    CM_TRY(cm_buf_append(&d->migration.boot, b.boot));
    u.boot = cm_buf_view(&d->migration.boot);
    CM_TRY(cm_keyctl_put_unseal(&body, &u));
    return ask(d, CM_KEYMSG_UNSEAL, &body, proved);
}

static void altered(cm_keyctl *c)
{
    kmsd *d = cm_kmsd_of_control(c);
    CM_AUTO(cm_buf_free) cm_buf answer = {0};
    cm_err e = answered(d, c, &answer);

    if (cm_ok(e))
        e = prove(d, cm_buf_view(&answer));
    if (cm_failed(e))
        failed(d, "wrapping", e);
}

/* The record with a slot for the devices as they stand now, in place of the one it has. */
static cm_err alter(kmsd *d)
{
    CM_AUTO(cm_buf_free) cm_buf body = {.max = CM_KEYMSG_PACKET};
    cm_keyctl_alter a = {.with = {.boot = cm_buf_view(&d->boot),
                                  .kind = CM_UNSEAL_BACKEND,
                                  .device = CM_HSM_DEVICE_PKCS11}};
    cm_boot_info now;

    CM_TRY(cm_boot_inspect(&now, d->crypt, cm_buf_view(&d->boot)));
    for (size_t i = 0; i < now.n; i++)
        if (now.slots[i].kind == CM_UNSEAL_BACKEND)
            a.drop[a.drop_n++] = now.slots[i].id;
    a.add.device[0] = CM_HSM_DEVICE_PKCS11;
    a.add.method[0] = (cm_unseal_method){.kind = CM_UNSEAL_BACKEND, .label = CM_LIT("hsm")};
    a.add.n = 1;
    CM_TRY(cm_keyctl_put_alter(&body, &a));
    return ask(d, CM_KEYMSG_ALTER, &body, altered);
}

static void prepared(cm_keyctl *c)
{
    kmsd *d = cm_kmsd_of_control(c);
    CM_AUTO(cm_buf_free) cm_buf answer = {0};
    cm_err e = answered(d, c, &answer);

    if (cm_ok(e))
        e = alter(d);
    if (cm_failed(e))
        failed(d, "the new device", e);
}

/* Asked: the new device gets a key of its own, and both wrap. All: the new one alone does. */
static cm_err wrap(kmsd *d, const cm_device_plan *p, cm_keyctl_devices *want)
{
    d->migration.version = p->version;
    for (size_t i = 0; i < want->n; i++) {
        if (p->step == CM_MIGRATE_ASKED && cm_view_eq(want->of[i].name, cm_view_str(p->to)))
            want->of[i].make = true;
        if (p->step == CM_MIGRATE_ALL && cm_view_eq(want->of[i].name, cm_view_str(p->from)))
            want->of[i].retired = true;
    }
    return ask_devices(d, want, prepared);
}

/* ---- a migration ---------------------------------------------------------------------------- */

static cm_err next_weights(kmsd *d, cm_device_plan *p)
{
    cm_device_plan next = *p;

    CM_TRY(cm_device_plan_step(&next, p->step + 1, cm_kmsd_now_ms(NULL)));
    CM_TRY(commit(d, &next, cm_view_of(NULL, 0),
                  next.step == CM_MIGRATE_HALF ? "MigrateDeviceHalf" : "MigrateDeviceAll"));
    CM_LOG(d->log, INFO, "migration", cm_log_str("step", cm_migrate_step_name(next.step)));
    return CM_OKAY;
}

/* H-62: a step waits for its time, and for the new device to be well. */
static cm_err go_on(kmsd *d, cm_device_plan *p, const cm_json *j, cm_keyctl_devices *want)
{
    const cm_json_node *to = shown(j, cm_view_str(p->to));
    uint64_t now = cm_kmsd_now_ms(NULL);

    if (!provider(d, p->from) || !to)
        return CM_FAIL(UNSEAL_NO_SLOT);
    if (p->step == CM_MIGRATE_ASKED)
        return wrap(d, p, want);
    if (now < p->since_ms + p->pause_s * 1000 || in_state(to, CM_LIT("broken")) ||
        in_state(to, CM_LIT("quarantined")))
        return CM_OKAY;
    return p->step == CM_MIGRATE_ALL ? wrap(d, p, want) : next_weights(d, p);
}

static cm_err bring(kmsd *d)
{
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    cm_keyctl_devices want;
    cm_device_plan p;

    CM_TRY(cm_device_plan_read(&p, d->store));
    CM_TRY(cm_json_parse(&j, cm_buf_view(&d->devices), NULL, NULL));
    wanted(d, &p, &want);
    if (!as_wanted(j, &want))
        return ask_devices(d, &want, applied);
    return p.step == CM_MIGRATE_NONE ? CM_OKAY : go_on(d, &p, j, &want);
}

void cm_kmsd_devices_bring(kmsd *d)
{
    cm_err e;

    if (d->control_busy || !d->devices.n || d->v->hsm.providers_n < 2 ||
        atomic_load(&d->keyd) != KEYD_OPEN || !atomic_load(&d->svc) || atomic_load(&d->draining) ||
        cm_kmsd_now_ms(NULL) < d->migration.again_ms)
        return;
    e = bring(d);
    if (cm_failed(e))
        failed(d, "looking", e);
}
