#ifndef CM_CMD_KMS_H
#define CM_CMD_KMS_H
/* Keys of a server as recipients of sealed models: the content key travels, the model never does.
 * Nothing is asked of the server before a model turns out to need it. */
#include "keys/recipient.h"
#include "remote.h"

typedef struct {
    cm_cli *cli;
    cm_remote remote; /* connected on first use */
    cm_kms_key key;
} cm_cli_kms;

/** A recipient: the key that --OPTION names, in the keyspace of --kms-keyspace. k does not move. */
CM_MUST cm_err cm_cli_kms_recipient(cm_cli *cli, cm_cli_kms *k, cm_recipient *out,
                                    const char *option);
/** An opener of every model that is sealed to a key of the server. k does not move. */
void cm_cli_kms_opener(cm_cli *cli, cm_cli_kms *k, cm_opener *out);
void cm_cli_kms_done(cm_cli_kms *k);

#endif
