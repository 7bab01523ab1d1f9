/*
 * Which module serves which device, in the transparency log (H-8): an entry at every start of the
 * server and of a device's process, and whenever token or module are others. Main thread only.
 */
#include "codec/json.h"
#include "codec/text.h"
#include "kmsd.h"

enum { HASH = 32 };

static const char *const parts[] = {"name",   "use",    "provider",     "token",
                                    "serial", "module", "module_sha256"};

/* Its path in the log, and the hash of all that would make it another one. */
static cm_err describe(kmsd *d, cm_path *path, uint8_t hash[HASH], const cm_json_node *x)
{
    CM_AUTO(cm_buf_free) cm_buf all = {.max = 4096};
    uint64_t starts;

    cm_path_init(path);
    cm_path_add_str(path, "");
    cm_path_add_str(path, "device");
    CM_TRY(cm_json_u64(cm_json_get(x, "starts"), &starts));
    CM_TRY(cm_buf_be64(&all, starts));
    CM_TRY(cm_buf_be64(&all, d->keyd_starts));
    for (size_t i = 0; i < CM_COUNT(parts); i++) {
        cm_view v;

        CM_TRY(cm_json_string(cm_json_get(x, parts[i]), &v));
        cm_path_add(path, v);
        CM_TRY(cm_buf_be64(&all, v.n));
        CM_TRY(cm_buf_append(&all, v));
    }
    return cm_hash_once(d->crypt, CM_SHA256, hash, cm_buf_view(&all));
}

static cm_err commit(kmsd *d, const cm_path *path, const cm_json_node *x)
{
    CM_AUTO(cm_buf_free) cm_buf module = {.max = HASH};
    uint8_t id[16];
    cm_audit_entry entry = {.time_ms = cm_kmsd_now_ms(NULL),
                            .id = CM_VIEW(id),
                            .op = CM_LIT("DeviceSeen"),
                            .resource = cm_path_view(path),
                            .decision = CM_AUDIT_ALLOW};
    cm_unit u = {.entry = &entry};
    cm_view hex;

    CM_TRY(cm_json_string(cm_json_get(x, "module_sha256"), &hex));
    CM_TRY(cm_hex_decode(&module, hex));
    entry.request = cm_buf_view(&module);
    if (entry.resource.n == 0) /* a module's path that no entry has room for */
        return CM_FAIL(TOO_BIG);
    CM_TRY(cm_random(d->crypt, id, sizeof id));
    return cm_committer_commit(d->committer, &u);
}

static cm_err log_one(kmsd *d, size_t i, const cm_json_node *x)
{
    uint8_t hash[HASH];
    cm_path path;

    if (i >= CM_COUNT(d->seen) || !cm_json_get(x, "module_sha256"))
        return CM_OKAY; /* not met yet */
    CM_TRY(describe(d, &path, hash, x));
    if (cm_view_eq(CM_VIEW(hash), CM_VIEW(d->seen[i])))
        return CM_OKAY;
    CM_TRY(commit(d, &path, x));
    memcpy(d->seen[i], hash, sizeof hash);
    return CM_OKAY;
}

void cm_kmsd_modules_log(kmsd *d)
{
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    cm_err e = CM_OKAY;
    size_t i = 0;

    if (!d->devices.n || !d->committer || !atomic_load(&d->svc) || atomic_load(&d->draining))
        return;
    e = cm_json_parse(&j, cm_buf_view(&d->devices), NULL, NULL);
    if (cm_ok(e))
        for (const cm_json_node *x = cm_json_first(cm_json_root(j)); x; x = cm_json_next(x)) {
            cm_err one = log_one(d, i++, x);

            if (cm_ok(e))
                e = one;
        }
    if (cm_failed(e) && e.v != d->seen_last.v)
        CM_LOG(d->log, ERROR, "devices_not_logged", cm_log_err(e));
    d->seen_last = e;
}
