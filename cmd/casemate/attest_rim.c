/* casemate attest rim: the vendor's reference manifests, from signed XML to the form that
 * verification reads. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "attest.h"
#include "base/os.h"
#include "rim/import.h"
#include "rim/xml.h"
#include "ring.h"

enum { HEX_DIGEST = 2 * CM_RIM_NAME + 1, NAME_TEXT = 128 };

typedef struct {
    cm_rim_import from[CM_RIM_MAX];
    cm_rim rim[CM_RIM_MAX];
    size_t n;
} manifests;

static void manifests_done(manifests *m)
{
    for (size_t i = 0; i < m->n; i++)
        cm_rim_import_done(&m->from[i]);
}

/* ---- showing ------------------------------------------------------------------------------- */

static void show_one(cm_cli *cli, cm_cli_event *e, const cm_rim *r)
{
    char id[NAME_TEXT], date[32];
    uint64_t active = 0;

    for (size_t i = 0; i < CM_RIM_ROWS; i++)
        active += r->row[i].n > 0;
    cm_json_begin_object(&e->w, NULL);
    cm_json_put_text(&e->w, "id", r->id);
    cm_json_put_text(&e->w, "product", r->product);
    cm_json_put_text(&e->w, "version", r->version);
    cm_json_put_hex(&e->w, "signer", r->signer);
    cm_json_put_u64(&e->w, "from", r->from);
    cm_json_put_u64(&e->w, "until", r->until);
    cm_json_put_u64(&e->w, "measurements", active);
    cm_json_end_object(&e->w);
    cm_cli_say(cli, "  %s: %" PRIu64 " measurements", cm_cli_clean(id, sizeof id, r->id), active);
    cm_cli_say(cli, ", until %s\n", cm_cli_date(date, r->until));
}

/* Lists a file and says by which name a policy calls it. */
static cm_err show(cm_cli *cli, const char *path, cm_view file)
{
    uint8_t digest[CM_RIM_NAME];
    char hex[HEX_DIGEST];
    size_t n = 1;
    cm_rim one;
    cm_cli_event e;

    CM_TRY(cm_hash_once(cli->crypt, CM_SHA256, digest, file));
    CM_TRY(cm_rim_read(&one, &n, file, 0));
    cm_cli_event_begin(cli, &e, "rim");
    cm_json_put_text(&e.w, "file", cm_view_str(path));
    cm_json_put_hex(&e.w, "measurement", CM_VIEW(digest));
    cm_json_begin_array(&e.w, "manifests");
    cm_cli_say(cli, "%s: reference manifests\n", path);
    for (size_t i = 0; i < n && cm_ok(cm_rim_read(&one, &n, file, i)); i++)
        show_one(cli, &e, &one);
    cm_json_end_array(&e.w);
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "measurement %s\n", cm_cli_hex(hex, CM_VIEW(digest)));
    return CM_OKAY;
}

static cm_err show_file(cm_cli *cli)
{
    CM_AUTO(cm_buf_free) cm_buf file = {.max = CM_RIM_FILE_MAX};
    const char *path = cli->args[1];

    if (cli->args_n != 2)
        return cm_cli_usage(cli, "attest rim show takes one file");
    CM_TRY(cm_cli_about(cli, path, cm_os_slurp(&file, path, CM_RIM_FILE_MAX), NULL));
    return cm_cli_about(cli, path, show(cli, path, cm_buf_view(&file)), NULL);
}

/* ---- import -------------------------------------------------------------------------------- */

/* The vendor's name for a manifest is that of its file. */
static cm_view id_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    const char *dot = strrchr(base, '.');

    return cm_view_of(base, dot && strcmp(dot, ".xml") == 0 ? (size_t)(dot - base) : strlen(base));
}

static cm_err import_one(cm_cli *cli, manifests *m, const char *path, uint64_t now)
{
    CM_AUTO(cm_buf_free) cm_buf xml = {.max = CM_XML_TEXT_MAX};
    const char *why = NULL;
    cm_err e;

    CM_TRY(cm_cli_about(cli, path, cm_os_slurp(&xml, path, CM_XML_TEXT_MAX), NULL));
    e = cm_rim_import_xml(&m->from[m->n], &why, cli->crypt, cm_buf_view(&xml), id_of(path), now);
    if (cm_failed(e) && why)
        (void)snprintf(cli->detail, sizeof cli->detail, "%s", why);
    CM_TRY(cm_cli_about(cli, path, e, NULL));
    m->rim[m->n] = m->from[m->n].rim;
    m->n++;
    return CM_OKAY;
}

static cm_err import(cm_cli *cli)
{
    CM_AUTO(manifests_done) manifests m = {.n = 0};
    CM_AUTO(cm_buf_free) cm_buf file = {.max = CM_RIM_FILE_MAX};
    const char *out = cm_cli_text(cli, "out");
    uint64_t now = cm_os_now();

    if (!out)
        return cm_cli_usage(cli, "attest rim import takes --out, the file to make");
    if (cli->args_n > CM_RIM_MAX + 1)
        return cm_cli_usage(cli, "at most %d manifests go into one file", CM_RIM_MAX);
    if (cm_cli_has(cli, "at"))
        CM_TRY(cm_cli_time(cli, "at", &now));
    for (size_t i = 1; i < cli->args_n; i++)
        CM_TRY(import_one(cli, &m, cli->args[i], now));
    CM_TRY(cm_rim_put(&file, m.rim, m.n));
    CM_TRY(cm_cli_put_file(cli, out, cm_buf_view(&file)));
    return show(cli, out, cm_buf_view(&file));
}

cm_err cm_cli_attest_rim(cm_cli *cli)
{
    if (strcmp(cli->args[0], "import") == 0)
        return import(cli);
    if (strcmp(cli->args[0], "show") == 0)
        return show_file(cli);
    return cm_cli_usage(cli, "attest rim takes import or show");
}
