/* casemate-kmsd --init: a new root, its boot record, the first tenant and its administrator. */
#include <stdio.h>
#include <unistd.h>

#include "base/os.h"
#include "hsm/unseal.h"
#include "init.h"

enum { INIT_MS = 120000 };

/* ---- the root ------------------------------------------------------------------------------ */

cm_err cm_kmsd_passphrase(const kmsd *d, cm_buf *out)
{
    char path[4200];

    snprintf(path, sizeof path, "%s%s", d->v->unseal.file ? d->v->unseal.file : d->v->data,
             d->v->unseal.file ? "" : "/passphrase");
    CM_TRY(cm_os_slurp(out, path, CM_UNSEAL_SECRET_MAX));
    while (out->n && (out->p[out->n - 1] == '\n' || out->p[out->n - 1] == '\r'))
        out->n--;
    return out->n ? CM_OKAY : CM_FAIL(KMSD_NO_PASSPHRASE);
}

cm_err cm_kmsd_methods(const kmsd *d, const struct init *o, cm_keyctl_methods *m, cm_buf *secret)
{
    if (d->v->unseal.method == CM_CONFIG_UNSEAL_FILE) {
        CM_TRY(cm_kmsd_passphrase(d, secret));
        m->method[m->n++] = (cm_unseal_method){.kind = CM_UNSEAL_PASSPHRASE,
                                               .label = CM_LIT("passphrase file"),
                                               .secret = cm_buf_view(secret),
                                               .cost = o->cost};
    } else if (d->v->unseal.method == CM_CONFIG_UNSEAL_CREDENTIAL)
        m->method[m->n++] =
            (cm_unseal_method){.kind = CM_UNSEAL_KEYFILE, .label = CM_LIT("credential")};
    else if (d->v->unseal.method == CM_CONFIG_UNSEAL_HSM) {
        m->device[m->n] = CM_HSM_DEVICE_PKCS11;
        m->method[m->n++] = (cm_unseal_method){.kind = CM_UNSEAL_BACKEND, .label = CM_LIT("hsm")};
    }
    if (o->shares)
        m->method[m->n++] = (cm_unseal_method){.kind = CM_UNSEAL_SHARES,
                                               .label = CM_LIT("recovery shares"),
                                               .need = o->need,
                                               .shares = o->shares};
    return m->n ? CM_OKAY : CM_FAIL(KMSD_NO_PASSPHRASE);
}

static cm_err put_shares(const cm_keyctl_boot *b, const char *path)
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = CM_SHARE_MAX * (CM_SHARE_TEXT + 1)};

    for (size_t i = 0; i < b->shares_n; i++) {
        CM_TRY(cm_buf_append(&text, b->shares[i]));
        CM_TRY(cm_buf_byte(&text, '\n'));
    }
    if (!text.n)
        return CM_OKAY;
    return path ? cm_os_spit(path, cm_buf_view(&text), 0600, false)
                : cm_os_write(STDOUT_FILENO, text.p, text.n);
}

static cm_err make_root(kmsd *d, const struct init *o)
{
    CM_AUTO(cm_buf_free) cm_buf secret = {.max = CM_UNSEAL_SECRET_MAX};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = CM_KEYMSG_PACKET};
    CM_AUTO(cm_buf_free) cm_buf answer = {.max = CM_KEYMSG_PACKET};
    cm_keyctl_init m = {.origin = cm_view_str(d->v->origin)};
    cm_keyctl_boot b;

    CM_TRY(cm_kmsd_methods(d, o, &m.methods, &secret));
    CM_TRY(cm_keyctl_put_init(&body, &m));
    CM_TRY(cm_keeper_ask(d->signer, CM_KEYMSG_INIT, cm_buf_view(&body), &answer, INIT_MS));
    CM_TRY(cm_keyctl_get_boot(&b, cm_buf_view(&answer)));
    d->boot = (cm_buf){.max = CM_BOOT_MAX};
    CM_TRY(cm_buf_append(&d->boot, b.boot));
    return put_shares(&b, o->shares_file);
}

/* What auditors verify with, beside the store: nobody has to ask the server for it. */
static cm_err write_log_keys(kmsd *d)
{
    CM_AUTO(cm_buf_free) cm_buf answer = {.max = CM_KEYMSG_PACKET};
    cm_keyctl_status s;
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/log.vkeys", d->v->data);

    if (n < 0 || (size_t)n >= sizeof path)
        return CM_FAIL(TOO_BIG);
    CM_TRY(cm_keeper_ask(d->signer, CM_KEYMSG_STATUS, (cm_view){0}, &answer, INIT_MS));
    CM_TRY(cm_keyctl_get_status(&s, cm_buf_view(&answer)));
    return cm_os_spit(path, s.log_keys, 0644, true);
}

/* ---- the store ----------------------------------------------------------------------------- */

static void root_path(cm_path *p)
{
    cm_path_init(p);
    cm_path_add_str(p, "boot");
    cm_path_add_str(p, "root");
}

/* The system's own row of a kind, as svc/bootstrap.c has it. */
static void system_path(cm_path *p, const char *space, const char *kind)
{
    cm_path_init(p);
    cm_path_add_str(p, space);
    cm_path_add_str(p, kind);
    cm_path_add_str(p, "");
}

static cm_err commit(cm_txn **t)
{
    cm_txn *last = *t;

    *t = NULL;
    return cm_txn_commit(last);
}

/* The boot record, in the place of one from a run that was broken off before the first tenant was
 * there: nothing depends on that one yet but the system's KEK, which goes with it. */
static cm_err write_root(kmsd *d, uint64_t *version)
{
    CM_AUTO(cm_txn_abort_ptr) cm_txn *t = NULL;
    cm_path root, kek, generation;
    cm_store_write w[2] = {{.value = cm_buf_view(&d->boot)}, {.version = 0}};
    uint64_t now[3];

    root_path(&root);
    system_path(&kek, "boot", "tenant");
    system_path(&generation, "", "gen");
    w[0].key = cm_path_view(&root);
    w[1].key = cm_path_view(&kek);
    CM_TRY(cm_txn_begin(&t, d->store));
    CM_TRY(cm_txn_versions(t, (cm_view[]){w[0].key, w[1].key, cm_path_view(&generation)}, 3, now));
    if (now[2] != 0)
        return CM_FAIL(KMSD_ROOT_EXISTS);
    w[0].version = now[0] + 1;
    CM_TRY(cm_txn_write(t, w, now[1] ? 2 : 1));
    CM_TRY(commit(&t));
    *version = w[0].version;
    return CM_OKAY;
}

/* Asked before a root is made, and its shares shown, for nothing. */
static cm_err unfinished(kmsd *d)
{
    CM_AUTO(cm_txn_abort_ptr) cm_txn *t = NULL;
    cm_path generation;
    uint64_t now;

    system_path(&generation, "", "gen");
    CM_TRY(cm_txn_begin(&t, d->store));
    CM_TRY(cm_txn_versions(t, (cm_view[]){cm_path_view(&generation)}, 1, &now));
    return now ? CM_FAIL(KMSD_ROOT_EXISTS) : CM_OKAY;
}

/* ---- the first administrator --------------------------------------------------------------- */

static cm_err read_key(const kmsd *d, cm_buf *out, const char *path)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *key = NULL;

    CM_TRY(cm_pkey_load(&key, d->crypt, path, NULL));
    if (!cm_pkey_sig(key))
        return CM_FAIL(KEY_ALGORITHM);
    return cm_buf_append(out, cm_sig_public(cm_pkey_sig(key)));
}

static cm_err read_spki(const kmsd *d, uint8_t spki[32], const char *path)
{
    CM_AUTO(cm_buf_free) cm_buf file = {.max = CM_CERT_FILE_MAX + 1};
    CM_AUTO(cm_cert_free_ptr) cm_cert *cert = NULL;
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *key = NULL;

    CM_TRY(cm_os_slurp(&file, path, CM_CERT_FILE_MAX));
    CM_TRY(cm_cert_read(&cert, d->crypt, cm_buf_view(&file)));
    CM_TRY(cm_cert_key(&key, d->crypt, cert));
    return cm_pkey_fingerprint(spki, d->crypt, key);
}

static cm_err bootstrap(kmsd *d, const struct init *o, uint64_t root)
{
    CM_AUTO(cm_buf_free) cm_buf key = {.max = 8192};
    cm_bootstrap_options b = {
        .tenant = cm_view_str(o->tenant), .admin = cm_view_str(o->admin), .root = root};
    uint8_t spki[32];
    cm_svc *svc = NULL;
    cm_err e;

    CM_TRY(read_key(d, &key, o->admin_key));
    b.public_key = cm_buf_view(&key);
    if (o->admin_cert) {
        CM_TRY(read_spki(d, spki, o->admin_cert));
        b.spki = CM_VIEW(spki);
    }
    CM_TRY(cm_kmsd_service_make(d, &svc));
    e = cm_bootstrap(svc, cm_kmsd_key_runner(d), &b);
    /* The committer calls the service: it ends first. */
    cm_committer_free(d->committer);
    cm_kmsd_anchor_close(d);
    d->committer = NULL;
    cm_svc_free(svc);
    return e;
}

cm_err cm_kmsd_init(kmsd *d, const struct init *o)
{
    uint64_t root = 0;
    int fd = -1;
    pid_t pid;

    CM_TRY(cm_kmsd_store_open(d, true));
    CM_TRY(unfinished(d));
    d->accept_rollback = true; /* there is nothing to roll back */
    CM_TRY(cm_kmsd_spawner_start(d));
    CM_TRY(cm_kmsd_spawner_keyd(d, &fd, 1, &pid));
    atomic_store(&d->signer_fd, fd);
    CM_TRY(cm_kmsd_signer_new(d));
    CM_TRY(make_root(d, o));
    CM_TRY(write_root(d, &root));
    CM_TRY(write_log_keys(d));
    CM_TRY(bootstrap(d, o, root));
    CM_LOG(d->log, INFO, "initialized", cm_log_number("shares", o->shares),
           cm_log_number("need", o->need));
    return CM_OKAY;
}
