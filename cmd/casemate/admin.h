#ifndef CM_CMD_ADMIN_H
#define CM_CMD_ADMIN_H
/* A running server's admin socket: --dir and --socket, or beside the profile in use. */
#include "remote.h"

enum { CM_CLI_ADMIN_PATH = 4096 };

typedef struct {
    cm_cli *cli;
    cm_client *client;
    char socket[CM_CLI_ADMIN_PATH];
} cm_cli_admin;

/** NO_FILE: there is no socket. */
CM_MUST cm_err cm_cli_admin_open(cm_cli *cli, cm_cli_admin *a);
void cm_cli_admin_done(cm_cli_admin *a);
/** What the server refuses is its reason. */
CM_MUST cm_err cm_cli_admin_call(cm_cli_admin *a, cm_client_answer *got, const char *method,
                                 cm_view target, cm_view body);

#endif
