/* What the operator has for judging evidence: revocation lists and vendors' statements, read once
 * before the sandbox. A file that belongs to no evidence is named in the log and passed over. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "kmsd.h"

enum { PATH_LEN = 4200 };

static cm_err add(kmsd *d, const char *folder, const char *name)
{
    CM_AUTO(cm_buf_free) cm_buf file = {.max = CM_BUNDLE_FILE_MAX};
    const char *role = NULL;
    char path[PATH_LEN];

    if (name[0] == '.' || (size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path)
        return CM_OKAY;
    CM_TRY(cm_os_slurp(&file, path, CM_BUNDLE_FILE_MAX));
    CM_TRY(cm_attest_bundle_add(d->collateral, cm_view_str(name), cm_buf_view(&file), &role));
    if (role)
        CM_LOG(d->log, INFO, "collateral", cm_log_str("file", path), cm_log_str("as", role));
    else
        CM_LOG(d->log, WARNING, "collateral_unknown", cm_log_str("file", path));
    return CM_OKAY;
}

/* In the order of names: of two files that say the same, which one counts must not depend on the
 * disk. */
static cm_err add_folder(kmsd *d, const char *folder)
{
    struct dirent **list = NULL;
    int n = scandir(folder, &list, NULL, alphasort);
    cm_err e = n < 0 ? CM_FAIL(IO_OPEN) : CM_OKAY;

    for (int i = 0; i < n; i++) {
        if (cm_ok(e) && list[i]->d_type != DT_DIR)
            e = add(d, folder, list[i]->d_name);
        free(list[i]);
    }
    free(list);
    return e;
}

cm_err cm_kmsd_collateral_load(kmsd *d)
{
    const char *folder = d->v->attest.collateral;
    cm_err e;

    CM_TRY(cm_attest_cache_new(&d->chains));
    d->verifier = (cm_svc_verifier){.crypt = d->crypt, .cache = d->chains};
    if (!folder)
        return CM_OKAY;
    CM_TRY(cm_attest_bundle_new(&d->collateral, d->crypt));
    d->verifier.collateral = d->collateral;
    e = add_folder(d, folder);
    if (cm_failed(e))
        CM_LOG(d->log, ERROR, "collateral_failed", cm_log_str("folder", folder), cm_log_err(e));
    return e;
}
