/* The folder behind attest collateral. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"
#include "collateral.h"

enum { PRIVATE_DIR = 0755, PUBLIC_FILE = 0644 };

static cm_err folder_of(cm_cli *cli, cm_cli_store *s)
{
    CM_AUTO(cm_free_ptr) char *home = NULL;
    const char *dir = cm_cli_text(cli, "store");

    if (!dir) {
        CM_TRY(cm_cli_home(cli, &home, "collateral"));
        dir = home;
    }
    if ((size_t)snprintf(s->dir, sizeof s->dir, "%s", dir) >= sizeof s->dir)
        return CM_FAIL(TOO_BIG);
    return CM_OKAY;
}

cm_err cm_cli_store_open(cm_cli *cli, cm_cli_store *s, bool make, bool *exists)
{
    char path[CM_CLI_STORE_NAME];

    s->lock = -1;
    s->now = cm_os_now();
    CM_TRY(folder_of(cli, s));
    *exists = cm_os_exists(s->dir);
    if (!make)
        return CM_OKAY;
    CM_TRY(cm_cli_about(cli, s->dir, cm_cli_make_folder(s->dir, PRIVATE_DIR), NULL));
    *exists = true;
    (void)snprintf(path, sizeof path, "%s/.lock", s->dir);
    CM_TRY(cm_cli_about(cli, path, cm_os_open_update(&s->lock, path, true), NULL));
    return cm_cli_about(cli, path, cm_os_lock(s->lock, path), "wait for it");
}

void cm_cli_store_close(cm_cli_store *s)
{
    cm_os_close_fd(&s->lock);
    s->lock = -1;
}

static cm_err load(cm_cli *cli, const char *path, cm_buf *file, cm_collateral *what)
{
    file->max = CM_COLLATERAL_MAX;
    CM_TRY(cm_os_slurp(file, path, CM_COLLATERAL_MAX));
    return cm_collateral_describe(what, cli->crypt, cm_buf_view(file), 0);
}

/* AT-151 */
cm_err cm_cli_store_put(cm_cli *cli, cm_cli_store *s, cm_view file, cm_collateral *what)
{
    CM_AUTO(cm_buf_free) cm_buf held = {.max = 0};
    char path[CM_CLI_STORE_NAME];
    cm_collateral old;

    CM_TRY(cm_collateral_describe(what, cli->crypt, file, s->now));
    (void)snprintf(path, sizeof path, "%s/%s", s->dir, what->slot);
    if (cm_ok(load(cli, path, &held, &old)) && !cm_collateral_newer(&old, what))
        return CM_FAIL(COLLATERAL_OLD);
    return cm_os_spit(path, file, PUBLIC_FILE, true);
}

static int slots_first(const struct dirent *e)
{
    return e->d_name[0] != '.' && strlen(e->d_name) < CM_COLLATERAL_SLOT;
}

typedef struct {
    struct dirent **v;
    int n;
} listing;

static void listing_done(listing *l)
{
    for (int i = 0; i < l->n; i++)
        free(l->v[i]); /* scandir()'s own */
    free(l->v);
}

cm_err cm_cli_store_each(cm_cli *cli, const cm_cli_store *s,
                         cm_err (*fn)(void *arg, const char *path, const cm_collateral *c,
                                      cm_view file),
                         void *arg)
{
    CM_AUTO(listing_done) listing l = {.n = 0};

    l.n = scandir(s->dir, &l.v, slots_first, alphasort);
    if (l.n < 0)
        return CM_OKAY;
    for (int i = 0; i < l.n; i++) {
        CM_AUTO(cm_buf_free) cm_buf file = {.max = 0};
        char path[CM_CLI_STORE_NAME];
        cm_collateral what;

        (void)snprintf(path, sizeof path, "%s/%.*s", s->dir, CM_COLLATERAL_SLOT, l.v[i]->d_name);
        if (cm_ok(load(cli, path, &file, &what)) && strcmp(what.slot, l.v[i]->d_name) == 0)
            CM_TRY(fn(arg, path, &what, cm_buf_view(&file)));
    }
    return CM_OKAY;
}
