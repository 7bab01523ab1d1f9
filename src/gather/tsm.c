/* Reports by Linux configfs-tsm (Documentation/ABI/testing/configfs-tsm-report). */
#include <errno.h>
#include <stdio.h>

#include "base/os.h"
#include "codec/cut.h"
#include "codec/text.h"
#include "gather/gather.h"

enum {
    ATTEMPTS = 8,
    DATA_MAX = 64,
    NAME_RANDOM = 8,
    NAME_MAX_SIZE = 40,
    NUMBER_MAX = 32,
    PROVIDER_MAX = 64,
    GUID = 16
};

void cm_tsm_report_done(cm_tsm_report *r)
{
    cm_buf_free(&r->provider);
    cm_buf_free(&r->report);
    cm_buf_free(&r->certs);
    cm_buf_free(&r->manifest);
}

/* ---- one attempt ---------------------------------------------------------------------------- */

/* EAGAIN is also what an attempt gives that another writer disturbed. */
static cm_err explain(int err)
{
    switch (err) {
    case 0:
        return CM_OKAY;
    case ENXIO:
    case ENOTTY:
        return CM_FAIL(GATHER_TSM_NONE);
    case EBUSY:
        return CM_FAIL(GATHER_TSM_BUSY);
    case EINTR:
    case ETIMEDOUT:
        return CM_FAIL(GATHER_TSM_INTERRUPTED);
    case EAGAIN:
        return CM_FAIL(GATHER_TSM_RACE);
    case ENOMEM:
        return CM_FAIL(NO_MEMORY);
    default:
        return cm_os_err(err, CM_GATHER_TSM);
    }
}

static bool worth_repeating(int err)
{
    return err == EBUSY || err == EINTR || err == ETIMEDOUT || err == EAGAIN;
}

static int get_line(const cm_tsm_fs *fs, const char *entry, const char *name, cm_buf *out)
{
    int err = fs->get(fs->arg, entry, name, out);

    if (err == 0 && out->n && out->p[out->n - 1] == '\n')
        out->n--;
    return err;
}

static int generation(const cm_tsm_fs *fs, const char *entry, uint64_t *out)
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = NUMBER_MAX};
    int err = get_line(fs, entry, "generation", &text);

    if (err == 0 && cm_failed(cm_dec_u64(out, cm_buf_view(&text))))
        err = EPROTO;
    return err;
}

/* An attribute that only some providers have. */
static int get_optional(const cm_tsm_fs *fs, const char *entry, const char *name, cm_buf *out)
{
    int err = fs->get(fs->arg, entry, name, out);

    return err == ENOENT ? 0 : err;
}

static int get_all(const cm_tsm_fs *fs, const char *entry, cm_tsm_report *r)
{
    int err = fs->get(fs->arg, entry, "outblob", &r->report);

    if (err == 0)
        err = get_line(fs, entry, "provider", &r->provider);
    if (err == 0)
        err = get_optional(fs, entry, "auxblob", &r->certs);
    if (err == 0)
        err = get_optional(fs, entry, "manifestblob", &r->manifest);
    return err;
}

/* AT-110: the count of writes rose by ours alone, from before our write until after the last read.
 * (The kernel takes the blob when the file is closed and can't say then that it did not: the count
 * shows that too.) */
static int attempt(const cm_tsm_fs *fs, const char *entry, cm_view data, cm_tsm_report *r)
{
    uint64_t before = 0, after = 0;
    int err = generation(fs, entry, &before);

    if (err == 0)
        err = fs->put(fs->arg, entry, "inblob", data);
    if (err == 0)
        err = get_all(fs, entry, r);
    if (err == 0)
        err = generation(fs, entry, &after);
    return err == 0 && after - before != 1 ? EAGAIN : err;
}

static cm_err attempts(const cm_tsm_fs *fs, const char *entry, cm_view data, cm_tsm_report *out)
{
    for (unsigned n = 1;; n++) {
        CM_AUTO(cm_tsm_report_done)
        cm_tsm_report r = {.provider = {.max = PROVIDER_MAX},
                           .report = {.max = CM_GATHER_BLOB_MAX},
                           .certs = {.max = CM_GATHER_BLOB_MAX},
                           .manifest = {.max = CM_GATHER_BLOB_MAX},
                           .attempts = n};
        int err = attempt(fs, entry, data, &r);

        if (err == 0) {
            *out = r;
            r = (cm_tsm_report){.attempts = 0};
            return CM_OKAY;
        }
        if (!worth_repeating(err) || n == ATTEMPTS)
            return explain(err);
        fs->pause(fs->arg, n);
    }
}

/* ---- a report ------------------------------------------------------------------------------- */

/* Whether the report data stands in the report, at whatever place its format has. */
static bool echoes(cm_view report, cm_view data)
{
    for (size_t i = 0; i + data.n <= report.n; i++)
        if (cm_view_eq(cm_view_sub(report, i, data.n), data))
            return true;
    return false;
}

static cm_err name_of(char name[NAME_MAX_SIZE], const cm_crypt *c)
{
    uint8_t random[NAME_RANDOM];

    CM_TRY(cm_random(c, random, sizeof random));
    (void)snprintf(name, NAME_MAX_SIZE, "casemate-%016llx",
                   (unsigned long long)cm_get_be64(random));
    return CM_OKAY;
}

cm_err cm_tsm_report_get(cm_tsm_report *out, const cm_crypt *c, const cm_tsm_fs *fs,
                         cm_view report_data)
{
    CM_AUTO(cm_tsm_report_done) cm_tsm_report r = {.attempts = 0};
    char entry[NAME_MAX_SIZE];
    cm_err e;

    if (report_data.n == 0 || report_data.n > DATA_MAX)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(name_of(entry, c));
    CM_TRY(explain(fs->make(fs->arg, entry)));
    e = attempts(fs, entry, report_data, &r);
    /* A folder that stays behind is the kernel's memory, and no reason to lose a good report. */
    (void)fs->drop(fs->arg, entry);
    CM_TRY(e);
    if (!echoes(cm_buf_view(&r.report), report_data))
        return CM_FAIL(GATHER_TSM_ECHO);
    *out = r;
    r = (cm_tsm_report){.attempts = 0};
    return CM_OKAY;
}

/* ---- as evidence ---------------------------------------------------------------------------- */

static bool is_zero(cm_view v)
{
    uint8_t any = 0;

    for (size_t i = 0; i < v.n; i++)
        any |= v.p[i];
    return any == 0;
}

/* AT-111: entries of GUID, offset and length, the last all zero; what they point to is one
 * certificate each. */
static cm_err take_table(cm_gathered *g, cm_view table)
{
    cm_cut c = cm_cut_of(table);

    while (table.n) {
        cm_view guid = cm_cut_bytes(&c, GUID);
        uint32_t at = cm_cut_le32(&c), n = cm_cut_le32(&c);

        if (c.bad)
            return CM_FAIL(GATHER_TSM_TABLE);
        if (is_zero(guid))
            break;
        if (n == 0 || at > table.n || n > table.n - at)
            return CM_FAIL(GATHER_TSM_TABLE);
        CM_TRY(cm_gathered_cert(g, cm_view_sub(table, at, n)));
    }
    return CM_OKAY;
}

/* Not every firmware keeps one. */
static cm_err take_log(cm_gathered *g, const char *ccel)
{
    CM_AUTO(cm_buf_free) cm_buf log = {.max = CM_GATHER_LOG_MAX};
    cm_err e = ccel ? cm_os_slurp(&log, ccel, CM_GATHER_LOG_MAX) : CM_OKAY;

    if (cm_is(e, CM_NO_MEMORY))
        return e;
    if (cm_ok(e))
        g->event_log = cm_buf_take(&log);
    return CM_OKAY;
}

cm_err cm_gather_tsm(cm_gathered *out, const cm_tsm_report *r, const char *ccel)
{
    CM_AUTO(cm_gathered_done) cm_gathered g = {.evidence = {.max = CM_GATHER_BLOB_MAX}};

    if (cm_view_eq(cm_buf_view(&r->provider), CM_LIT("sev_guest"))) {
        g.kind = CM_ATTEST_SNP;
        CM_TRY(take_table(&g, cm_buf_view(&r->certs)));
    } else if (cm_view_eq(cm_buf_view(&r->provider), CM_LIT("tdx_guest"))) {
        g.kind = CM_ATTEST_TDX;
        CM_TRY(take_log(&g, ccel));
    } else {
        return CM_FAIL(GATHER_TSM_PROVIDER);
    }
    CM_TRY(cm_buf_append(&g.evidence, cm_buf_view(&r->report)));
    cm_gathered_done(out);
    *out = g;
    g = (cm_gathered){.n_certs = 0};
    return CM_OKAY;
}
