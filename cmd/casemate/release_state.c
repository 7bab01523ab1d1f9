/* Challenges of an authority without a server: a folder, a file each. */
#include <errno.h>
#include <stdio.h>

#include "base/os.h"
#include "release.h"

enum { PATH_LEN = 4096, OWNER_ONLY = 0600 };

static bool path_of(char path[PATH_LEN], const cm_cli *cli, const uint8_t *nonce, const char *end)
{
    char hex[2 * CM_RCAR_NONCE + 1];

    return (size_t)snprintf(path, PATH_LEN, "%s/%s.%s", cm_cli_text(cli, "state"),
                            cm_cli_hex(hex, cm_view_of(nonce, CM_RCAR_NONCE)), end) < PATH_LEN;
}

cm_err cm_cli_challenge_keep(cm_cli *cli, const cm_challenge *ch)
{
    CM_AUTO(cm_buf_free) cm_buf record = {.max = CM_CHALLENGE_RECORD_MAX};
    char path[PATH_LEN];

    if (!path_of(path, cli, ch->nonce, "challenge"))
        return CM_FAIL(TOO_BIG);
    CM_TRY(cm_cli_make_folder(cm_cli_text(cli, "state"), 0700));
    CM_TRY(cm_challenge_put(&record, ch));
    return cm_cli_about(cli, path, cm_os_spit(path, cm_buf_view(&record), OWNER_ONLY, false), NULL);
}

/* RL-11: the rename is what only one can do; it is on the disk before anything is decided. */
cm_err cm_cli_challenge_take(cm_cli *cli, cm_challenge *out, const uint8_t nonce[CM_RCAR_NONCE])
{
    CM_AUTO(cm_buf_free) cm_buf record = {.max = CM_CHALLENGE_RECORD_MAX};
    char kept[PATH_LEN], used[PATH_LEN];
    cm_err e;

    if (!path_of(kept, cli, nonce, "challenge") || !path_of(used, cli, nonce, "used"))
        return CM_FAIL(TOO_BIG);
    if (rename(kept, used) != 0)
        return cm_cli_about(
            cli, kept, errno == ENOENT ? CM_FAIL(RELEASE_CHALLENGE) : CM_FAIL(IO_RENAME), NULL);
    e = cm_os_sync_dir_of(used);
    if (cm_ok(e))
        e = cm_os_slurp(&record, used, CM_CHALLENGE_RECORD_MAX);
    cm_os_remove(used);
    CM_TRY(cm_cli_about(cli, kept, e, NULL));
    CM_TRY(cm_cli_about(cli, kept, cm_challenge_read(out, cm_buf_view(&record)), NULL));
    return cm_view_eq(CM_VIEW(out->nonce), cm_view_of(nonce, CM_RCAR_NONCE))
               ? CM_OKAY
               : CM_FAIL(RELEASE_CHALLENGE);
}
