/* casemate-kmsd --rewrap: from one device to another, to several, to a passphrase and back. */
#include "base/os.h"
#include "hsm/unseal.h"
#include "init.h"

enum { REWRAP_MS = 120000, SHARES_FILE_MAX = 64 << 10 };

/* ---- the way in ---------------------------------------------------------------------------- */

static cm_err by_shares(cm_keyctl_unseal *u, cm_buf *text, const char *path)
{
    size_t at = 0;

    CM_TRY(cm_os_slurp(text, path, SHARES_FILE_MAX));
    u->kind = CM_UNSEAL_SHARES;
    while (at < text->n && u->shares_n < CM_SHARE_MAX) {
        const uint8_t *from = text->p + at, *nl = memchr(from, '\n', text->n - at);
        size_t n = nl ? (size_t)(nl - from) : text->n - at;

        if (n)
            u->shares[u->shares_n++] = cm_view_of(from, n);
        at += n + 1;
    }
    return u->shares_n ? CM_OKAY : CM_FAIL(SHARES_FEW);
}

/* As the server would unseal by itself, were its configuration still the one before. */
static cm_err by_kind(const kmsd *d, cm_keyctl_unseal *u, cm_buf *text, cm_unseal_kind kind)
{
    u->kind = kind;
    if (kind == CM_UNSEAL_BACKEND)
        u->device = CM_HSM_DEVICE_PKCS11;
    if (kind != CM_UNSEAL_PASSPHRASE)
        return CM_OKAY;
    CM_TRY(cm_kmsd_passphrase(d, text));
    u->secret = cm_buf_view(text);
    return CM_OKAY;
}

/* ---- the new record ------------------------------------------------------------------------ */

static cm_err ask_alter(kmsd *d, const cm_keyctl_alter *a, cm_buf *boot)
{
    CM_AUTO(cm_buf_free) cm_buf body = {.max = CM_KEYMSG_PACKET};
    CM_AUTO(cm_buf_free) cm_buf answer = {.max = CM_KEYMSG_PACKET};
    cm_keyctl_boot b;

    CM_TRY(cm_keyctl_put_alter(&body, a));
    CM_TRY(cm_keeper_ask(d->signer, CM_KEYMSG_ALTER, cm_buf_view(&body), &answer, REWRAP_MS));
    CM_TRY(cm_keyctl_get_boot(&b, cm_buf_view(&answer)));
    boot->n = 0;
    return cm_buf_append(boot, b.boot);
}

/* Slots of people stay; all others go. */
static void drop_others(cm_keyctl_alter *a, const cm_boot_info *now)
{
    for (size_t i = 0; i < now->n; i++)
        if (now->slots[i].kind != CM_UNSEAL_SHARES)
            a->drop[a->drop_n++] = now->slots[i].id;
}

static cm_err alter(kmsd *d, const struct init *o, const cm_boot_info *now, cm_unseal_kind kind,
                    cm_buf *boot)
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = SHARES_FILE_MAX};
    CM_AUTO(cm_buf_free) cm_buf secret = {.max = CM_UNSEAL_SECRET_MAX};
    cm_keyctl_alter a = {.with = {.boot = cm_buf_view(&d->boot)}};

    CM_TRY(kind == CM_UNSEAL_SHARES ? by_shares(&a.with, &text, o->shares_file)
                                    : by_kind(d, &a.with, &text, kind));
    CM_TRY(cm_kmsd_methods(d, o, &a.add, &secret));
    drop_others(&a, now);
    return ask_alter(d, &a, boot);
}

/* Each way that the record has, until one opens it. */
static cm_err alter_any(kmsd *d, const struct init *o, cm_buf *boot)
{
    static const cm_unseal_kind kinds[] = {CM_UNSEAL_BACKEND, CM_UNSEAL_KEYFILE,
                                           CM_UNSEAL_PASSPHRASE};
    cm_err e = CM_FAIL(UNSEAL_NO_SLOT);
    cm_boot_info now;

    CM_TRY(cm_boot_inspect(&now, d->crypt, cm_buf_view(&d->boot)));
    if (o->shares_file)
        return alter(d, o, &now, CM_UNSEAL_SHARES, boot);
    for (size_t k = 0; k < CM_COUNT(kinds); k++)
        for (size_t i = 0; i < now.n; i++)
            if (now.slots[i].kind == kinds[k]) {
                e = alter(d, o, &now, kinds[k], boot);
                if (cm_ok(e))
                    return e;
                break;
            }
    return e;
}

/* H-39: what would not open is not stored. */
static cm_err prove(kmsd *d, cm_view boot)
{
    static const cm_unseal_kind kinds[] = {[CM_CONFIG_UNSEAL_FILE] = CM_UNSEAL_PASSPHRASE,
                                           [CM_CONFIG_UNSEAL_CREDENTIAL] = CM_UNSEAL_KEYFILE,
                                           [CM_CONFIG_UNSEAL_SHARES] = CM_UNSEAL_SHARES,
                                           [CM_CONFIG_UNSEAL_HSM] = CM_UNSEAL_BACKEND};
    CM_AUTO(cm_buf_free) cm_buf text = {.max = CM_UNSEAL_SECRET_MAX};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = CM_KEYMSG_PACKET};
    CM_AUTO(cm_buf_free) cm_buf answer = {.max = CM_KEYMSG_PACKET};
    cm_keyctl_unseal u = {.boot = boot};

    CM_TRY(by_kind(d, &u, &text, kinds[d->v->unseal.method]));
    CM_TRY(cm_keyctl_put_unseal(&body, &u));
    return cm_keeper_ask(d->signer, CM_KEYMSG_UNSEAL, cm_buf_view(&body), &answer, REWRAP_MS);
}

static cm_err store(kmsd *d, cm_view boot)
{
    CM_AUTO(cm_txn_abort_ptr) cm_txn *t = NULL;
    cm_store_write w = {.value = boot};
    cm_txn *last;
    cm_path root;
    uint64_t now;

    cm_path_init(&root);
    cm_path_add_str(&root, "boot");
    cm_path_add_str(&root, "root");
    w.key = cm_path_view(&root);
    CM_TRY(cm_txn_begin(&t, d->store));
    CM_TRY(cm_txn_versions(t, &w.key, 1, &now));
    w.version = now + 1;
    CM_TRY(cm_txn_write(t, &w, 1));
    last = t;
    t = NULL;
    return cm_txn_commit(last);
}

cm_err cm_kmsd_rewrap(kmsd *d, const struct init *o)
{
    CM_AUTO(cm_buf_free) cm_buf boot = {.max = CM_BOOT_MAX};
    int fd = -1;
    pid_t pid;

    if (d->v->unseal.method == CM_CONFIG_UNSEAL_SHARES)
        return CM_FAIL(UNSEAL_METHOD);
    CM_TRY(cm_kmsd_store_open(d, false));
    CM_TRY(cm_kmsd_spawner_start(d));
    CM_TRY(cm_kmsd_spawner_keyd(d, &fd, 1, &pid));
    atomic_store(&d->signer_fd, fd);
    CM_TRY(cm_kmsd_signer_new(d));
    CM_TRY(alter_any(d, o, &boot));
    CM_TRY(prove(d, cm_buf_view(&boot)));
    CM_TRY(store(d, cm_buf_view(&boot)));
    CM_LOG(d->log, INFO, "rewrapped", cm_log_number("method", d->v->unseal.method));
    return CM_OKAY;
}
