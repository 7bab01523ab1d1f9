#ifndef CM_CMD_RELEASE_H
#define CM_CMD_RELEASE_H
/* What the commands of the offline authority share: challenges in a folder, a decision over files.
 */
#include "attest.h"
#include "release/ear.h"
#include "ring.h"

/* ---- challenges (release_state.c): one file each in --state, moved away by whoever uses it ----
 */

/** Keep it. NO_FILE, NO_PERMISSION, ... */
CM_MUST cm_err cm_cli_challenge_keep(cm_cli *cli, const cm_challenge *ch);
/** Use it up, for good: of two processes one gets it. RELEASE_CHALLENGE. */
CM_MUST cm_err cm_cli_challenge_take(cm_cli *cli, cm_challenge *out,
                                     const uint8_t nonce[CM_RCAR_NONCE]);

/* ---- decisions (release.c) ---- */

/** What was brought, and what came of it. */
typedef struct {
    cm_policy *policy;
    cm_buf policy_file, file[CM_RCAR_PIECES], tls, manifest;
    cm_rcar_attestation a;
    bool rcar;
    cm_pkey *holder;
    cm_attest_bundle *own;
    cm_challenge ch;
    cm_decision d;
    cm_ear_bound bound;
    uint64_t now;
} cm_cli_release;

void cm_cli_release_done(cm_cli_release *r);
/** Read what the arguments and options name, use up the challenge, decide, say it. POLICY_REFUSED;
 * RELEASE_CHALLENGE. */
CM_MUST cm_err cm_cli_release_decide(cm_cli *cli, cm_cli_release *r);
/** Sign a token of the decision and write it to path: --issuer, --signer, --form, --ttl. */
CM_MUST cm_err cm_cli_release_token(cm_cli *cli, const cm_cli_release *r, const char *path);
/** The holder's keys and the manifest of --holder, --tls-key, --manifest into b, as far as given.
 */
CM_MUST cm_err cm_cli_release_holder(cm_cli *cli, cm_cli_release *r, cm_ear_bound *b);

#endif
