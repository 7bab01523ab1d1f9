#ifndef CM_CMD_DEVICE_H
#define CM_CMD_DEVICE_H
/* A key device that options name: --module, --cloud and what belongs to them. */
#include "cli.h"
#include "hsm/remote.h"

enum { CM_CLI_PIN_MAX = 256, CM_CLI_DEVICE_PATH = 4096 };

typedef struct {
    char program[CM_CLI_DEVICE_PATH];
    const char *args[CM_P11D_ARGS + 1];
    size_t n;
    cm_buf pin;      /* as it came: with the end of its line */
    cm_view new_pin; /* what the token is to take in its place; empty: it stays */
    bool retry;      /* as --pin-retry */
    cm_p11d p;
    cm_hsm_remote *r;
    cm_hsm h;
} cm_cli_device;

/** Reads the PIN and makes everything ready: the process starts with the first request. d may hold
 * a PIN already, which is used then. */
CM_MUST cm_err cm_cli_device_open(cm_cli *cli, cm_cli_device *d);
/** Refuses a kind of wrapping that there is not, or not for that kind of device. */
CM_MUST cm_err cm_cli_wrapping(cm_cli *cli, const char *option, const char *module);
/** Ends the process; wipes the PIN. */
void cm_cli_device_done(cm_cli_device *d);

#endif
