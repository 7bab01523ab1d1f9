#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/secret.h"
#include "cm_config.h"
#include "codec/text.h"
#include "keyd.h"
#include "run/sandbox.h"

/* ---- STATUS -------------------------------------------------------------------------------- */

static cm_err put_status(struct keyd *k, cm_buf *answer)
{
    CM_AUTO(cm_buf_free) cm_buf devices = {.max = CM_KEYCTL_DEVICES_MAX};
    struct vault_facts facts;
    cm_keyctl_status s = {
        .state = cm_kd_vault_state(k->vault),
        .version = cm_view_str(CM_CONFIG_VERSION),
        .have = k->shares_n,
        .need = k->shares_n ? k->shares[0].need : 0,
        .sandbox = k->sandbox,
        .arena = cm_secret_kind(),
        .workers = k->workers,
        .served = atomic_load_explicit(&k->served, memory_order_relaxed),
        .pid = (uint64_t)getpid(),
        .credential = k->credential_n > 0,
    };

    cm_kd_vault_expire(k->vault);
    if (k->devices)
        CM_TRY(cm_kd_devices_show(&devices, k->devices));
    else if (k->device && k->unseal.last.provider[0])
        CM_TRY(cm_kd_device_show(&devices, &k->unseal.last));
    s.devices = cm_buf_view(&devices);
    cm_kd_vault_facts(k->vault, &s, &facts);
    return cm_keyctl_put_status(answer, &s);
}

/* ---- ways in ------------------------------------------------------------------------------- */

static void forget_shares(struct keyd *k)
{
    cm_wipe(k->shares, CM_SHARE_MAX * sizeof *k->shares);
    k->shares_n = 0;
}

static cm_err own_credential(const struct keyd *k, cm_view *secret)
{
    if (secret->n > 0)
        return CM_OKAY;
    if (k->credential_n == 0)
        return CM_FAIL(KEYD_NO_CREDENTIAL);
    *secret = cm_view_of(k->credential, k->credential_n);
    return CM_OKAY;
}

static cm_err find_backend(const struct keyd *k, const cm_unseal_backend **out, uint32_t number)
{
    if (!k->hsm.call || number != CM_HSM_DEVICE_PKCS11)
        return CM_FAIL(UNSEAL_NO_SLOT);
    *out = &k->unseal.backend;
    return CM_OKAY;
}

/* H-12: a lost device comes back with a new keyd, which whoever started this one starts after a
 * pause: nothing here can open a connection. */
static void leave_if_lost(const struct keyd *k, cm_err e)
{
    if (!k->device || (!cm_is(e, CM_HSM_LOST) && !cm_is(e, CM_HSM_TIMEOUT) &&
                       !cm_is(e, CM_HSM_DOWN) && !cm_is(e, CM_HSM_MESSAGE)))
        return;
    CM_LOG(k->log, ERROR, "device_lost", cm_log_err(e));
    (void)syscall(SYS_tgkill, getpid(), getpid(), SIGTERM);
}

/* Appends the shares given: each is held against the record first, so a bad one is named. */
static cm_err add_shares(const struct keyd *k, cm_share *list, size_t *n, const cm_keyctl_unseal *u)
{
    cm_boot_info boot;

    CM_TRY(cm_boot_inspect(&boot, k->crypt, u->boot));
    for (size_t i = 0; i < u->shares_n; i++) {
        if (*n == CM_SHARE_MAX)
            return CM_FAIL(SHARES_TWICE);
        CM_TRY(cm_share_parse(&list[*n], k->crypt, u->shares[i]));
        CM_TRY(cm_boot_check_share(&boot, k->crypt, &list[*n])); /* U-7 */
        if (*n > 0 && !cm_view_eq(CM_VIEW(list[*n].set), CM_VIEW(list[0].set)))
            return CM_FAIL(SHARES_MIXED);
        for (size_t j = 0; j < *n; j++)
            if (list[j].index == list[*n].index)
                return CM_FAIL(SHARES_TWICE);
        (*n)++;
    }
    return CM_OKAY;
}

static cm_err way_in(const struct keyd *k, cm_unseal_key *key, const cm_keyctl_unseal *u)
{
    *key = (cm_unseal_key){.kind = u->kind, .secret = u->secret};
    if (u->kind == CM_UNSEAL_KEYFILE)
        return own_credential(k, &key->secret);
    if (u->kind == CM_UNSEAL_BACKEND)
        return find_backend(k, &key->backend, u->device);
    return CM_OKAY;
}

/* ---- UNSEAL -------------------------------------------------------------------------------- */

/* Shares add up over several messages. A share that can't be read leaves the others alone; when
 * the threshold is reached and they don't fit, all are forgotten. */
static cm_err collect(struct keyd *k, const cm_keyctl_unseal *u, cm_root **root)
{
    cm_unseal_key key = {.kind = CM_UNSEAL_SHARES, .shares = k->shares};
    size_t n = k->shares_n;
    cm_err e = add_shares(k, k->shares, &n, u);

    if (cm_failed(e)) {
        cm_wipe(k->shares + k->shares_n, (CM_SHARE_MAX - k->shares_n) * sizeof *k->shares);
        return e;
    }
    k->shares_n = n;
    if (n == 0 || n < k->shares[0].need)
        return n ? CM_OKAY : CM_FAIL(SHARES_FEW);
    key.shares_n = n;
    e = cm_boot_open(root, k->crypt, u->boot, &key);
    forget_shares(k);
    return e;
}

/* H-8 */
static void log_device(const struct keyd *k, const cm_hsm_status *s)
{
    CM_AUTO(cm_buf_free) cm_buf hash = {.max = 2 * sizeof s->module_hash};

    (void)cm_failed(cm_hex_encode(&hash, CM_VIEW(s->module_hash)));
    CM_LOG(k->log, INFO, "device", cm_log_str("provider", s->provider),
           cm_log_str("token", s->label), cm_log_str("serial", s->serial),
           cm_log_str("module", s->module), cm_log_text("module_sha256", cm_buf_view(&hash)));
}

static void log_devices(const struct keyd *k)
{
    cm_hsm_status s;

    if (k->device) {
        log_device(k, &k->unseal.last);
        return;
    }
    for (size_t i = 0; i < CM_FLEET_MAX; i++)
        if (cm_hsm_set_status(cm_kd_devices_set(k->devices), i, &s))
            log_device(k, &s);
}

static cm_err unseal(struct keyd *k, cm_view body, cm_buf *answer)
{
    CM_AUTO(cm_root_free_ptr) cm_root *root = NULL;
    cm_keyctl_unseal u;
    cm_unseal_key key;
    cm_err e;

    CM_TRY(cm_keyctl_get_unseal(&u, body));
    if (u.kind == CM_UNSEAL_SHARES) {
        CM_TRY(collect(k, &u, &root));
    } else {
        CM_TRY(way_in(k, &key, &u));
        CM_TRY(cm_boot_open(&root, k->crypt, u.boot, &key));
    }
    if (root) {
        forget_shares(k);
        e = cm_kd_vault_unseal(k->vault, root);
        root = NULL;
        CM_TRY(e);
        CM_LOG(k->log, INFO, "unsealed", cm_log_number("method", u.kind));
        if (u.kind == CM_UNSEAL_BACKEND)
            log_devices(k);
    }
    return put_status(k, answer);
}

/* ---- INIT and ALTER ------------------------------------------------------------------------ */

static cm_err own_methods(const struct keyd *k, cm_keyctl_methods *m)
{
    for (size_t i = 0; i < m->n; i++) {
        if (m->method[i].kind == CM_UNSEAL_KEYFILE)
            CM_TRY(own_credential(k, &m->method[i].secret));
        if (m->method[i].kind == CM_UNSEAL_BACKEND)
            CM_TRY(find_backend(k, &m->method[i].backend, m->device[i]));
    }
    return CM_OKAY;
}

/* H-39: a root that one of them has no wrap of would not survive the others. */
static cm_err devices_are_there(const struct keyd *k, const cm_keyctl_methods *m)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->method[i].kind == CM_UNSEAL_BACKEND && k->devices)
            return cm_hsm_set_all(cm_kd_devices_set(k->devices));
    return CM_OKAY;
}

static cm_err put_record(const struct keyd *k, cm_buf *answer, cm_view boot, const cm_share *list,
                         size_t n)
{
    CM_AUTO(cm_buf_free) cm_buf texts = {.max = CM_SHARE_MAX * CM_SHARE_CHARS};
    cm_keyctl_boot b = {.boot = boot, .shares_n = n};

    /* The texts move while the buffer grows: reserve first, then point into it. */
    CM_TRY(cm_buf_reserve(&texts, texts.max));
    for (size_t i = 0; i < n; i++) {
        size_t at = texts.n;

        CM_TRY(cm_share_print(&texts, k->crypt, &list[i]));
        b.shares[i] = cm_view_of(texts.p + at, texts.n - at);
    }
    return cm_keyctl_put_boot(answer, &b);
}

struct shares {
    cm_share s[CM_SHARE_MAX];
};

static void free_shares(struct shares **p)
{
    cm_secret_free(*p, sizeof **p);
}

static cm_err init(struct keyd *k, cm_view body, cm_buf *answer)
{
    CM_AUTO(free_shares) struct shares *list = NULL;
    CM_AUTO(cm_root_free_ptr) cm_root *root = NULL;
    CM_AUTO(cm_buf_free) cm_buf boot = {.max = CM_BOOT_MAX};
    cm_keyctl_init i;
    size_t n = 0;
    cm_err e;

    CM_TRY(cm_keyctl_get_init(&i, body));
    CM_TRY(own_methods(k, &i.methods));
    CM_TRY(devices_are_there(k, &i.methods));
    CM_TRY(cm_secret_new(&list, sizeof *list));
    CM_TRY(cm_root_new(&root, k->crypt, i.origin));
    CM_TRY(cm_boot_seal(&boot, list->s, &n, k->crypt, root, i.methods.method, i.methods.n));
    CM_TRY(put_record(k, answer, cm_buf_view(&boot), list->s, n));
    e = cm_kd_vault_unseal(k->vault, root);
    root = NULL;
    CM_TRY(e);
    CM_LOG(k->log, INFO, "initialised", cm_log_number("slots", i.methods.n),
           cm_log_number("shares", n));
    return CM_OKAY;
}

static cm_err read_alter(const struct keyd *k, cm_keyctl_alter *a, cm_unseal_key *key,
                         cm_share *given, cm_view body)
{
    size_t n = 0;

    CM_TRY(cm_keyctl_get_alter(a, body));
    CM_TRY(own_methods(k, &a->add));
    CM_TRY(devices_are_there(k, &a->add));
    CM_TRY(way_in(k, key, &a->with));
    if (a->with.kind == CM_UNSEAL_SHARES) {
        CM_TRY(add_shares(k, given, &n, &a->with));
        key->shares = given;
        key->shares_n = n;
    }
    return CM_OKAY;
}

/* KD-7: what holds the root stays as it is until the new record is stored and given back by
 * UNSEAL: a generation that is on no disk must not be used. */
static cm_err alter(struct keyd *k, cm_view body, cm_buf *answer)
{
    CM_AUTO(free_shares) struct shares *list = NULL;
    CM_AUTO(free_shares) struct shares *given = NULL;
    CM_AUTO(cm_buf_free) cm_buf boot = {.max = CM_BOOT_MAX};
    cm_keyctl_alter a;
    cm_unseal_key key;
    size_t n = 0;

    CM_TRY(cm_secret_new(&list, sizeof *list));
    CM_TRY(cm_secret_new(&given, sizeof *given));
    CM_TRY(read_alter(k, &a, &key, given->s, body));
    cm_boot_change change = {a.drop, a.drop_n, a.add.method, a.add.n, a.rotate, a.retire};

    CM_TRY(cm_boot_alter(&boot, list->s, &n, k->crypt, a.with.boot, &key, &change));
    CM_TRY(put_record(k, answer, cm_buf_view(&boot), list->s, n));
    CM_LOG(k->log, INFO, "boot_record_altered", cm_log_number("added", a.add.n),
           cm_log_number("dropped", a.drop_n), cm_log_number("rotated", a.rotate));
    return CM_OKAY;
}

/* ---- DEVICES ------------------------------------------------------------------------------- */

/* H-61: weights, who is retired, and a key for one that has none. What is done already stays. */
static cm_err devices(struct keyd *k, cm_view body, cm_buf *answer)
{
    cm_hsm_set *set = k->devices ? cm_kd_devices_set(k->devices) : NULL;
    char name[CM_KEYCTL_DEVICE_NAME + 1];
    cm_keyctl_devices d;

    CM_TRY(cm_keyctl_get_devices(&d, body));
    if (!set)
        return CM_FAIL(UNSEAL_NO_SLOT);
    for (size_t i = 0; i < d.n; i++) {
        memcpy(name, d.of[i].name.p, d.of[i].name.n);
        name[d.of[i].name.n] = 0;
        CM_TRY(cm_hsm_set_weight(set, name, d.of[i].weight));
        CM_TRY(cm_hsm_set_retire(set, name, d.of[i].retired));
        if (d.of[i].make)
            CM_TRY(cm_hsm_set_make_key(set, name));
    }
    CM_LOG(k->log, INFO, "devices_set", cm_log_number("devices", d.n));
    return put_status(k, answer);
}

/* ---- all ----------------------------------------------------------------------------------- */

static cm_err dispatch(struct keyd *k, unsigned kind, cm_view body, cm_buf *answer)
{
    if ((kind == CM_KEYMSG_STATUS || kind == CM_KEYMSG_SEAL) && body.n != 0)
        return CM_FAIL(KEYMSG_MALFORMED);
    switch (kind) {
    case CM_KEYMSG_STATUS:
        return put_status(k, answer);
    case CM_KEYMSG_SEAL:
        forget_shares(k);
        cm_kd_vault_seal(k->vault);
        CM_LOG(k->log, INFO, "sealed", cm_log_number("pid", (uint64_t)getpid()));
        return put_status(k, answer);
    case CM_KEYMSG_INIT:
        return init(k, body, answer);
    case CM_KEYMSG_UNSEAL:
        return unseal(k, body, answer);
    case CM_KEYMSG_DEVICES:
        return devices(k, body, answer);
    default:
        return alter(k, body, answer);
    }
}

cm_err cm_kd_control(struct keyd *k, unsigned kind, cm_view body, cm_buf *answer)
{
    cm_err e;

    pthread_mutex_lock(&k->control);
    e = dispatch(k, kind, body, answer);
    pthread_mutex_unlock(&k->control);
    leave_if_lost(k, e);
    if (cm_failed(e))
        CM_LOG(k->log, WARNING, "control_failed", cm_log_number("kind", kind), cm_log_err(e));
    return e;
}
