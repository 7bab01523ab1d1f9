#ifndef CM_CMD_HSM_SET_H
#define CM_CMD_HSM_SET_H
#include "cli.h"

/** The devices behind a running server's root, as its admin socket has them. NO_FILE. */
CM_MUST cm_err cm_cli_hsm_set_status(cm_cli *cli);

#endif
