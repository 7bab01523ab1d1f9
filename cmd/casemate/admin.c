/* A running server's admin socket. */
#include "admin.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/os.h"

void cm_cli_admin_done(cm_cli_admin *a)
{
    cm_client_free(a->client);
}

/* ---- where it is --------------------------------------------------------------------------- */

static bool try_socket(cm_cli_admin *a, const char *folder, size_t n)
{
    int len = snprintf(a->socket, sizeof a->socket, "%.*s/admin.sock", (int)n, folder);

    return len > 0 && (size_t)len < sizeof a->socket && cm_os_exists(a->socket);
}

/* The folder of the profile in use: `casemate serve` keeps both in one. */
static bool beside_profile(cm_cli_admin *a)
{
    const char *profile = getenv("CASEMATE_SERVER");
    const char *slash = profile ? strrchr(profile, '/') : NULL;

    if (!profile || !profile[0])
        return false;
    return slash ? try_socket(a, profile, (size_t)(slash - profile)) : try_socket(a, ".", 1);
}

static cm_err find_socket(cm_cli *cli, cm_cli_admin *a)
{
    const char *given = cm_cli_text(cli, "socket"), *dir = cm_cli_text(cli, "dir");
    char standard[CM_CLI_ADMIN_PATH];

    if (given) {
        if (snprintf(a->socket, sizeof a->socket, "%s", given) >= (int)sizeof a->socket)
            return CM_FAIL(TOO_BIG);
        return CM_OKAY;
    }
    if (!dir && beside_profile(a))
        return CM_OKAY;
    if (!dir)
        CM_TRY(cm_cli_data_dir(standard, sizeof standard));
    dir = dir ? dir : standard;
    if (try_socket(a, dir, strlen(dir)))
        return CM_OKAY;
    return cm_cli_about(cli, a->socket, CM_FAIL(NO_FILE),
                        "start the server, or say where its admin socket is: --dir or --socket");
}

cm_err cm_cli_admin_open(cm_cli *cli, cm_cli_admin *a)
{
    CM_AUTO(cm_buf_free) cm_buf url = {.max = CM_CLI_ADMIN_PATH + 8};
    cm_client_options o = {.retries = 0};

    a->cli = cli;
    CM_TRY(find_socket(cli, a));
    CM_TRY(cm_buf_append(&url, CM_LIT("unix:")));
    CM_TRY(cm_buf_append(&url, cm_view_str(a->socket)));
    o.url = cm_buf_view(&url);
    return cm_cli_about(cli, a->socket, cm_client_new(&a->client, cli->crypt, &o), NULL);
}

/* ---- asking -------------------------------------------------------------------------------- */

cm_err cm_cli_admin_call(cm_cli_admin *a, cm_client_answer *got, const char *method, cm_view target,
                         cm_view body)
{
    const cm_client_request q = {
        .method = method, .target = target, .body = body, .auth = CM_CLIENT_PLAIN};
    cm_err e = cm_client_call(a->client, got, &q);

    if (cm_failed(e))
        return cm_cli_about(a->cli, a->socket, e,
                            "start the server; its log says why it ended, if it did");
    return got->status < 300 ? CM_OKAY : cm_remote_refused(a->cli, got);
}
