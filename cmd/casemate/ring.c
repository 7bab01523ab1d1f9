#include "ring.h"

#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#include "base/os.h"

enum { RING_MAX = 1024 };

/* ---- loading ------------------------------------------------------------------------------- */

struct asking {
    cm_cli *cli;
    const char *path;
};

static cm_err ask(void *arg, cm_buf *out)
{
    const struct asking *a = arg;
    cm_cli *cli = a->cli;
    char prompt[CM_CLI_LINE], name[CM_CLI_LINE / 2];

    snprintf(prompt, sizeof prompt, "Passphrase of %s",
             cm_cli_clean(name, sizeof name, cm_view_str(a->path)));
    if (!cm_cli_has(cli, "key-passphrase-fd"))
        return cm_cli_passphrase(cli, out, "key-", prompt, false);
    if (cli->fd_passphrase.n == 0) { /* a pipe can be read once, several keys may need it */
        cli->fd_passphrase.max = CM_PASSPHRASE_MAX;
        CM_TRY(cm_cli_passphrase(cli, &cli->fd_passphrase, "key-", prompt, false));
    }
    return cm_buf_append(out, cm_buf_view(&cli->fd_passphrase));
}

cm_err cm_cli_load_key(cm_cli *cli, cm_pkey **out, const char *path)
{
    struct asking a = {cli, path};
    cm_pkey_reading o = {.pass = {ask, &a}};
    cm_err e = cm_pkey_load(out, cli->crypt, path, &o);

    if (cm_is(e, CM_TOO_BIG)) /* than any key file */
        e = CM_FAIL(KEY_MALFORMED);
    return cm_cli_about(cli, path, e, NULL);
}

void cm_cli_ring_free(cm_cli_ring *r)
{
    for (size_t i = 0; i < r->n; i++)
        cm_pkey_free(r->v[i]);
    for (size_t i = 0; i < r->owned_n; i++)
        cm_free(r->owned[i]);
    cm_free(r->v);
    cm_free(r->path);
    cm_free(r->owned);
    *r = (cm_cli_ring){0};
}

static cm_err room(cm_cli_ring *r)
{
    if (r->cap)
        return r->n < r->cap ? CM_OKAY : CM_FAIL(TOO_BIG);
    CM_TRY(cm_alloc_array(&r->v, RING_MAX, sizeof *r->v));
    CM_TRY(cm_alloc_array(&r->path, RING_MAX, sizeof *r->path));
    CM_TRY(cm_alloc_array(&r->owned, RING_MAX, sizeof *r->owned));
    r->cap = RING_MAX;
    return CM_OKAY;
}

cm_err cm_cli_ring_add(cm_cli *cli, cm_cli_ring *r, const char *path)
{
    CM_TRY(room(r));
    CM_TRY(cm_cli_load_key(cli, &r->v[r->n], path));
    r->path[r->n++] = path;
    return CM_OKAY;
}

cm_err cm_cli_ring_option(cm_cli *cli, cm_cli_ring *r, const char *option)
{
    for (size_t i = 0; i < cm_cli_count(cli, option); i++)
        CM_TRY(cm_cli_ring_add(cli, r, cm_cli_nth(cli, option, i)));
    return CM_OKAY;
}

cm_err cm_cli_ring_home(cm_cli *cli, cm_cli_ring *r, const char *name, bool *have)
{
    CM_AUTO(cm_free_ptr) char *path = NULL;

    CM_TRY(room(r));
    *have = false;
    if (cm_failed(cm_cli_home(cli, &path, name)) || access(path, F_OK) != 0)
        return CM_OKAY;
    r->owned[r->owned_n++] = path;
    path = NULL;
    CM_TRY(cm_cli_ring_add(cli, r, r->owned[r->owned_n - 1]));
    *have = true;
    return CM_OKAY;
}

cm_err cm_cli_ring_trusted(cm_cli *cli, cm_cli_ring *r)
{
    CM_AUTO(cm_cli_paths_free) char **paths = NULL;
    size_t n = 0;

    if (cm_cli_has(cli, "from"))
        return cm_cli_ring_option(cli, r, "from");
    if (cm_failed(cm_cli_trusted(cli, &paths, &n)))
        return CM_OKAY;
    CM_TRY(room(r));
    for (size_t i = 0; i < n; i++) {
        if (r->owned_n == r->cap)
            return CM_FAIL(TOO_BIG);
        r->owned[r->owned_n++] = paths[i];
        paths[i] = NULL;
        CM_TRY(cm_cli_ring_add(cli, r, r->owned[r->owned_n - 1]));
    }
    return CM_OKAY;
}

cm_err cm_cli_ring_need_kem(cm_cli *cli, const cm_cli_ring *r)
{
    for (size_t i = 0; i < r->n; i++)
        if (!cm_pkey_kem(r->v[i]))
            return cm_cli_about(cli, r->path[i], CM_FAIL(KEY_ALGORITHM),
                                "this key signs; to open models takes an X-Wing or ML-KEM key: "
                                "casemate key new --type x-wing");
    return CM_OKAY;
}

cm_err cm_cli_ring_need_sig(cm_cli *cli, const cm_cli_ring *r, bool with_private)
{
    for (size_t i = 0; i < r->n; i++) {
        if (!cm_pkey_sig(r->v[i]))
            return cm_cli_about(cli, r->path[i], CM_FAIL(KEY_ALGORITHM),
                                "this key opens models; to sign takes another: casemate key new "
                                "--type ML-DSA-65+Ed25519");
        if (with_private && !cm_pkey_has_private(r->v[i]))
            return cm_cli_about(cli, r->path[i], CM_FAIL(KEY_NOT_PRIVATE), NULL);
    }
    return CM_OKAY;
}

/* ---- making -------------------------------------------------------------------------------- */

const char *cm_cli_algorithm(const char *name)
{
    const char *known;

    for (size_t i = 0; (known = cm_pkey_algorithm_name(i)) != NULL; i++)
        if (strcasecmp(known, name) == 0)
            return known;
    return NULL;
}

cm_err cm_cli_protection(cm_cli *cli, cm_protect *p, cm_buf *pass, const char *prompt)
{
    static const char *const modes[] = {"no-passphrase", "passphrase-file", "passphrase-fd", NULL};
    static const char *const forms[] = {"no-passphrase", "pbes2", NULL};

    CM_TRY(cm_cli_at_most_one(cli, modes));
    CM_TRY(cm_cli_at_most_one(cli, forms));
    *p = (cm_protect){.mode = CM_PROTECT_NONE};
    if (cm_cli_has(cli, "no-passphrase"))
        return CM_OKAY;
    pass->max = CM_PASSPHRASE_MAX;
    CM_TRY(cm_cli_passphrase(cli, pass, "", prompt, true));
    if (pass->n == 0)
        return cm_cli_about(cli, "passphrase", CM_FAIL(KEY_PASSPHRASE_SIZE),
                            "choose another, or say --no-passphrase");
    p->mode = cm_cli_has(cli, "pbes2") ? CM_PROTECT_PBES2 : CM_PROTECT_ARGON2;
    p->passphrase = cm_buf_view(pass);
    return CM_OKAY;
}

cm_err cm_cli_public_name(char **out, const char *path)
{
    size_t n = strlen(path), stem = n;
    char *text;

    if (n > 4 && strcmp(path + n - 4, ".pem") == 0)
        stem = n - 4;
    CM_TRY(cm_alloc(&text, stem + sizeof ".pub"));
    memcpy(text, path, stem);
    memcpy(text + stem, ".pub", sizeof ".pub");
    *out = text;
    return CM_OKAY;
}

cm_err cm_cli_make_pair(cm_cli *cli, cm_pkey **out, const char *algorithm, const char *path,
                        const cm_protect *p)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *key = NULL;
    CM_AUTO(cm_free_ptr) char *public_path = NULL;
    CM_AUTO(cm_buf_free) cm_buf secret = {.max = CM_KEYFILE_MAX};
    CM_AUTO(cm_buf_free) cm_buf open = {.max = CM_KEYFILE_MAX};

    CM_TRY(cm_cli_public_name(&public_path, path));
    if (access(path, F_OK) == 0)
        return cm_cli_about(cli, path, CM_FAIL(FILE_EXISTS),
                            "choose another name: keys are never "
                            "replaced");
    if (access(public_path, F_OK) == 0) {
        snprintf(cli->advice, sizeof cli->advice,
                 "its public half would go to %.200s, which exists", public_path);
        return cm_cli_about(cli, path, CM_FAIL(FILE_EXISTS), NULL);
    }
    CM_TRY(cm_pkey_generate(&key, cli->crypt, cm_view_str(algorithm)));
    CM_TRY(cm_pkey_write_private(&secret, cli->crypt, key, p));
    CM_TRY(cm_pkey_write_public(&open, key));
    CM_TRY(cm_cli_about(cli, path, cm_pkey_save(path, cm_buf_view(&secret), false), NULL));
    CM_TRY(cm_cli_about(cli, path, cm_os_spit(public_path, cm_buf_view(&open), 0644, false), NULL));
    *out = key;
    key = NULL;
    return CM_OKAY;
}

cm_err cm_cli_put_file(cm_cli *cli, const char *path, cm_view v)
{
    if (path && strcmp(path, "-") != 0)
        return cm_cli_about(cli, path, cm_os_spit(path, v, 0644, cm_cli_has(cli, "force")), NULL);
    cm_cli_data_to_stdout(cli);
    return cm_os_write(STDOUT_FILENO, v.p, v.n);
}
