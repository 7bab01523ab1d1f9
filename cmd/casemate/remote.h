#ifndef CM_CMD_REMOTE_H
#define CM_CMD_REMOTE_H
/* Verbs that a server carries out: made from its own operation table (svc/ops.h). */
#include "cli.h"
#include "pki/keyfile.h"
#include "run/client.h"
#include "svc/ops.h"

/** Make the commands, once, before the command line is parsed. */
CM_MUST cm_err cm_remote_build(void);
/** Where the commands made from the table are; empty before. */
const cm_cli_commands *cm_remote_commands(void);
/** The operation behind a command made from the table. */
const cm_op *cm_remote_op(const cm_cli_command *c);

/*
 * A profile says where a server is, whom to trust and as whom to speak: a JSON file whose paths are
 * relative to its folder. `casemate serve` writes one for its administrator.
 *   {"server": "https://127.0.0.1:7443", "roots": "ca.crt", "certificate": "admin.crt",
 *    "certificate_key": "admin-tls.pem", "sign_key": "admin.pem", "keyid": "...",
 *    "token_file": "...", "tenant": "default"}
 */
typedef struct {
    cm_client *client;
    char tenant[65];
    uint32_t call_ms; /* set before it is opened: how long a call may take; 0: the usual */
    /* what the client borrows */
    cm_certs roots, chain;
    cm_pkey *tls_key, *sign_key;
    cm_tls_identity identity;
} cm_remote;

/** Its path, to be freed with cm_free(): --server, $CASEMATE_SERVER or server.json of the home.
 * CLI_NO_SERVER. */
CM_MUST cm_err cm_remote_profile(cm_cli *cli, char **path);
/** Read it and make a client. CLI_PROFILE, CLI_NO_SERVER. */
CM_MUST cm_err cm_remote_open(cm_cli *cli, cm_remote *r);
void cm_remote_close(cm_remote *r);
/** Ask for one operation; answer lives in the arena. What the server refuses is said in its words.
 */
CM_MUST cm_err cm_remote_call(cm_cli *cli, cm_remote *r, const cm_op *op, cm_arena *a,
                              const cm_msg *request, cm_msg **answer);
/** Ask for an operation that streams: each() gets the answers as they come, which live until it
 * returns; what it fails with ends the stream. Ends well when the server ends it. */
CM_MUST cm_err cm_remote_stream(cm_cli *cli, cm_remote *r, const cm_op *op, cm_arena *a,
                                const cm_msg *request,
                                cm_err (*each)(void *arg, const cm_msg *answer), void *arg);
/** The failure behind an answer that is none, said in the server's words. */
CM_MUST cm_err cm_remote_refused(cm_cli *cli, const cm_client_answer *a);
/** Our reason of that name; CLI_SERVER when there is none. */
CM_MUST cm_err cm_remote_reason(cm_view name);
/** Whether it has a field of bytes: its command takes --out then. */
bool cm_remote_has_bytes(const cm_message *m);
/** The verb of every command made from the table. */
cm_err cm_cli_remote(struct cm_cli *cli);

#endif
