/* What belongs to a piece of evidence, out of files and folders. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "attest.h"
#include "base/os.h"
#include "codec/text.h"
#include "collateral.h"

enum { PATH_LEN = 4096, FILES_MAX = 128, HEX_TEXT = 4096 };

typedef struct {
    char *v[FILES_MAX];
    size_t n;
} names;

static void names_done(names *l)
{
    for (size_t i = 0; i < l->n; i++)
        cm_free(l->v[i]);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void dir_close(DIR **d)
{
    if (*d)
        closedir(*d);
}

/* Sorted: which of two files holds must not depend on the disk. A folder that can't be read has
 * none. */
static cm_err list(names *out, const char *folder)
{
    CM_AUTO(dir_close) DIR *d = opendir(folder);
    const struct dirent *e;

    while (d && (e = readdir(d)) != NULL) {
        char path[PATH_LEN];

        if (e->d_name[0] == '.')
            continue;
        if (out->n == FILES_MAX)
            return CM_FAIL(ATTEST_BUNDLE);
        if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, e->d_name) >= sizeof path)
            continue;
        CM_TRY(cm_strdup(&out->v[out->n], cm_view_str(path)));
        out->n++;
    }
    qsort(out->v, out->n, sizeof out->v[0], by_name);
    return CM_OKAY;
}

static bool is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= CM_BUNDLE_FILE_MAX;
}

static bool is_pem(cm_view v)
{
    cm_view head = CM_LIT("-----BEGIN");

    return v.n > head.n && cm_view_eq(cm_view_sub(v, 0, head.n), head);
}

/* A status list has no date in it: that of the file counts. */
static void note_time(cm_attest_bundle *b, const char *path, const char *as)
{
    struct stat st;

    if (as && strcmp(as, "status list") == 0 && stat(path, &st) == 0)
        cm_attest_bundle_status_time(b, (uint64_t)st.st_mtime);
}

static cm_err add_file(cm_cli *cli, cm_attest_bundle *b, const char *path, bool asked_for)
{
    CM_AUTO(cm_buf_free) cm_buf file = {.max = CM_BUNDLE_FILE_MAX};
    const char *as;
    cm_err e = cm_os_slurp(&file, path, CM_BUNDLE_FILE_MAX);

    if (cm_failed(e))
        return asked_for ? cm_cli_about(cli, path, e, NULL) : CM_OKAY;
    /* Evidence beside evidence: a folder of recordings. Certificates in PEM may be either. */
    if (!asked_for && !is_pem(cm_buf_view(&file)) &&
        cm_attest_detect(cm_buf_view(&file)) != CM_ATTEST_UNKNOWN)
        return CM_OKAY;
    CM_TRY(cm_cli_about(cli, path,
                        cm_attest_bundle_add(b, cm_view_str(path), cm_buf_view(&file), &as), NULL));
    note_time(b, path, as);
    if (!as && asked_for)
        cm_cli_note(cli, "%s is nothing that belongs to evidence\n", path);
    return CM_OKAY;
}

static cm_err add_folder(cm_cli *cli, cm_attest_bundle *b, const char *folder, const char *but,
                         bool asked_for)
{
    CM_AUTO(names_done) names l = {.n = 0};

    CM_TRY(cm_cli_about(cli, folder, list(&l, folder), NULL));
    for (size_t i = 0; i < l.n; i++)
        if (is_file(l.v[i]) && !(but && strcmp(l.v[i], but) == 0))
            CM_TRY(add_file(cli, b, l.v[i], asked_for));
    return CM_OKAY;
}

static cm_err add_named(cm_cli *cli, cm_attest_bundle *b)
{
    for (size_t i = 0; i < cm_cli_count(cli, "collateral"); i++) {
        const char *path = cm_cli_nth(cli, "collateral", i);

        if (is_folder(path))
            CM_TRY(add_folder(cli, b, path, NULL, false));
        else
            CM_TRY(add_file(cli, b, path, true));
    }
    for (size_t i = 0; i < cm_cli_count(cli, "rim"); i++)
        CM_TRY(add_file(cli, b, cm_cli_nth(cli, "rim", i), true));
    return CM_OKAY;
}

/* roots/ and the folders in it: a vendor's certificates by product. */
static cm_err add_roots(cm_cli *cli, cm_attest_bundle *b, const char *roots)
{
    CM_AUTO(names_done) names l = {.n = 0};

    CM_TRY(cm_cli_about(cli, roots, list(&l, roots), NULL));
    for (size_t i = 0; i < l.n; i++) {
        if (is_folder(l.v[i]))
            CM_TRY(add_folder(cli, b, l.v[i], NULL, false));
        else if (is_file(l.v[i]))
            CM_TRY(add_file(cli, b, l.v[i], false));
    }
    return CM_OKAY;
}

static cm_err add_beside(cm_cli *cli, cm_attest_bundle *b, const char *path)
{
    char folder[PATH_LEN], at[PATH_LEN + 16], itself[2 * PATH_LEN];
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;

    if (strlen(path) >= PATH_LEN)
        return CM_OKAY;
    (void)snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1,
                   slash ? path : ".");
    (void)snprintf(itself, sizeof itself, "%s/%s", folder, base);
    CM_TRY(add_folder(cli, b, folder, itself, false));
    (void)snprintf(at, sizeof at, "%s/collateral", folder);
    CM_TRY(add_folder(cli, b, at, NULL, false));
    (void)snprintf(at, sizeof at, "%s/../roots", folder);
    return add_roots(cli, b, at);
}

/* ---- the store ------------------------------------------------------------------------------ */

typedef struct {
    cm_cli *cli;
    cm_attest_bundle *b;
    uint64_t now;
} from_store;

static cm_err add_stored(void *arg, const char *path, const cm_collateral *c, cm_view file)
{
    from_store *f = (from_store *)arg;
    const char *as = NULL;
    char date[32];

    if (c->next && c->next <= f->now)
        cm_cli_note(f->cli, "%s expired at %s: casemate attest collateral refresh\n", path,
                    cm_cli_date(date, c->next));
    return cm_cli_about(f->cli, path, cm_attest_bundle_add(f->b, cm_view_str(c->slot), file, &as),
                        NULL);
}

/* Last, so that what was named or lies beside the evidence counts before it. */
static cm_err add_store(cm_cli *cli, cm_attest_bundle *b)
{
    CM_AUTO(cm_cli_store_close) cm_cli_store s = {.lock = -1};
    from_store f = {.cli = cli, .b = b, .now = cm_os_now()};
    bool exists = false;

    if (cm_failed(cm_cli_store_open(cli, &s, false, &exists)) || !exists)
        return CM_OKAY;
    if (cm_cli_has(cli, "at"))
        CM_TRY(cm_cli_time(cli, "at", &f.now));
    return cm_cli_store_each(cli, &s, add_stored, &f);
}

cm_err cm_cli_collateral(cm_cli *cli, cm_attest_bundle **out, const char *path, cm_view evidence)
{
    CM_AUTO(cm_attest_bundle_free_ptr) cm_attest_bundle *b = NULL;

    CM_TRY(cm_attest_bundle_new(&b, cli->crypt));
    CM_TRY(add_named(cli, b));
    /* A chain brings its certificates along; those beside it are other evidence. */
    if (!cm_cli_has(cli, "alone") && !is_pem(evidence) && strcmp(path, "-") != 0)
        CM_TRY(add_beside(cli, b, path));
    CM_TRY(add_store(cli, b));
    *out = b;
    b = NULL;
    return CM_OKAY;
}

cm_err cm_cli_parts(cm_cli *cli, cm_buf file[CM_PART_COUNT], cm_attest_input *in)
{
    for (size_t i = 0; i < cm_cli_count(cli, "part"); i++) {
        const char *text = cm_cli_nth(cli, "part", i), *path = strchr(text, '=');
        cm_attest_part id = CM_PART_COUNT;

        if (path)
            id = cm_attest_part_of(cm_view_of(text, (size_t)(path - text)));
        if (id == CM_PART_COUNT || file[id].n)
            return cm_cli_usage(cli, "--part takes NAME=FILE, each name once, not %s", text);
        file[id].max = CM_CLI_EVIDENCE_MAX;
        CM_TRY(cm_cli_about(cli, path + 1, cm_os_slurp(&file[id], path + 1, CM_CLI_EVIDENCE_MAX),
                            NULL));
        in->part[id] = cm_buf_view(&file[id]);
    }
    return CM_OKAY;
}

cm_err cm_cli_time(cm_cli *cli, const char *option, uint64_t *out)
{
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"};
    const char *text = cm_cli_text(cli, option);

    if (cm_ok(cm_dec_u64(out, cm_view_str(text))))
        return CM_OKAY;
    for (size_t i = 0; i < CM_COUNT(forms); i++) {
        struct tm tm = {0};
        const char *end = strptime(text, forms[i], &tm);
        time_t t = end && !*end ? timegm(&tm) : -1;

        if (t >= 0) {
            *out = (uint64_t)t;
            return CM_OKAY;
        }
    }
    return cm_cli_usage(cli, "--%s takes a time in UTC, as 2026-06-20T12:00:00Z, not %s", option,
                        text);
}

cm_err cm_cli_hex_option(cm_cli *cli, const char *option, size_t nth, cm_buf *out)
{
    const char *text = cm_cli_nth(cli, option, nth);

    if (strlen(text) == 0 || strlen(text) > HEX_TEXT ||
        cm_failed(cm_hex_decode(out, cm_view_str(text))))
        return cm_cli_usage(cli, "--%s takes bytes in hex, not \"%s\"", option, text);
    return CM_OKAY;
}
