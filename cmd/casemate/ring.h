#ifndef CM_CMD_RING_H
#define CM_CMD_RING_H
/* Key files, loaded for a command. */
#include "cli.h"
#include "pki/keyfile.h"

/** Keys and, beside each, the path it came from (borrowed). Zeroed is valid and empty. */
typedef struct {
    cm_pkey **v;
    const char **path;
    size_t n, cap;
    char **owned; /* paths that the ring keeps */
    size_t owned_n;
} cm_cli_ring;

void cm_cli_ring_free(cm_cli_ring *r);
/** Load one key. A protected one takes its passphrase from the --key-passphrase options or asks. */
CM_MUST cm_err cm_cli_load_key(cm_cli *cli, cm_pkey **out, const char *path);
CM_MUST cm_err cm_cli_ring_add(cm_cli *cli, cm_cli_ring *r, const char *path);
/** Every file that an option names. */
CM_MUST cm_err cm_cli_ring_option(cm_cli *cli, cm_cli_ring *r, const char *option);
/** A file of the home, which may be absent: *have says whether it was there. */
CM_MUST cm_err cm_cli_ring_home(cm_cli *cli, cm_cli_ring *r, const char *name, bool *have);
/** Publishers named by --from, else those trusted in the home. */
CM_MUST cm_err cm_cli_ring_trusted(cm_cli *cli, cm_cli_ring *r);
/** KEY_ALGORITHM, with advice, unless every key is for encapsulation, or signs. */
CM_MUST cm_err cm_cli_ring_need_kem(cm_cli *cli, const cm_cli_ring *r);
CM_MUST cm_err cm_cli_ring_need_sig(cm_cli *cli, const cm_cli_ring *r, bool with_private);

/* ---- new keys ---- */

/** How the options ask a private key to be protected; pass holds the passphrase. */
CM_MUST cm_err cm_cli_protection(cm_cli *cli, cm_protect *p, cm_buf *pass, const char *prompt);
/** Generate, and write PATH and its public half beside it. Neither may exist. */
CM_MUST cm_err cm_cli_make_pair(cm_cli *cli, cm_pkey **out, const char *algorithm, const char *path,
                                const cm_protect *p);
/** bob.pem to bob.pub; another name gets .pub behind it. Free with cm_free(). */
CM_MUST cm_err cm_cli_public_name(char **out, const char *path);
/** The algorithm's name as it is written, from any case. NULL: there is none. */
const char *cm_cli_algorithm(const char *name);
/** A file that - names stdout for. FILE_EXISTS without --force. */
CM_MUST cm_err cm_cli_put_file(cm_cli *cli, const char *path, cm_view v);

#endif
