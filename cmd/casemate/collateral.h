#ifndef CM_CMD_COLLATERAL_H
#define CM_CMD_COLLATERAL_H
/* A folder of collateral: one file a slot, known by what it holds. */
#include "attest/collateral.h"
#include "cli.h"

enum { CM_CLI_STORE_PATH = 3072, CM_CLI_STORE_NAME = CM_CLI_STORE_PATH + 128 };

typedef struct {
    char dir[CM_CLI_STORE_PATH];
    uint64_t now;
    int lock; /* -1: not held */
} cm_cli_store;

/** The folder of --store, or collateral in the home; make: create it and keep others out until
 * cm_cli_store_close(). *exists says whether it is there. CLI_NO_HOME; FILE_BUSY. */
CM_MUST cm_err cm_cli_store_open(cm_cli *cli, cm_cli_store *s, bool make, bool *exists);
void cm_cli_store_close(cm_cli_store *s);

/** Keep a file unless the store has a newer one: COLLATERAL_OLD. COLLATERAL_KIND. */
CM_MUST cm_err cm_cli_store_put(cm_cli *cli, cm_cli_store *s, cm_view file, cm_collateral *what);
/** Call fn for each file in the order of slots. Files that are no collateral are passed over. */
CM_MUST cm_err cm_cli_store_each(cm_cli *cli, const cm_cli_store *s,
                                 cm_err (*fn)(void *arg, const char *path, const cm_collateral *c,
                                              cm_view file),
                                 void *arg);
/** Ask the sources that are due for what they have (AT-152, AT-153). */
CM_MUST cm_err cm_cli_store_refresh(cm_cli *cli, cm_cli_store *s);

/** Run program with args (NULL at the end), without a shell, and take what it prints: at most max
 * bytes, within seconds. COLLATERAL_FETCH. */
CM_MUST cm_err cm_cli_fetch(cm_buf *out, const char *const *args, size_t max, unsigned seconds);

#endif
