/* attest collateral refresh: sources asked when they are due, no host too often, with back-off. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"
#include "codec/text.h"
#include "collateral.h"

enum {
    SOURCES = 256,
    SOURCE_LEN = 1024,
    SOURCES_MAX = 256 << 10,
    ARGS = 48,
    SPACING = 10,
    TIMEOUT = 30,
    STATE_MODE = 0644,
    FAILURES_MAX = 64,
};

/* What is remembered of a source, by a digest of its text; of a host, when it was asked. */
typedef struct {
    uint8_t id[8];
    uint64_t failures, next, asked;
} memory;

typedef struct {
    cm_cli *cli;
    cm_cli_store *s;
    char source[SOURCES][SOURCE_LEN];
    memory of[2 * SOURCES]; /* of sources and of hosts */
    size_t n, n_of;
    uint64_t spacing, timeout;
    bool failed;
} round_;

static cm_err remember(round_ *r, cm_view key, memory **out)
{
    uint8_t digest[32];

    CM_TRY(cm_hash_once(r->cli->crypt, CM_SHA256, digest, key));
    for (size_t i = 0; i < r->n_of; i++)
        if (memcmp(r->of[i].id, digest, sizeof r->of[i].id) == 0) {
            *out = &r->of[i];
            return CM_OKAY;
        }
    if (r->n_of == CM_COUNT(r->of))
        return CM_FAIL(TOO_BIG);
    *out = &r->of[r->n_of++];
    memset(*out, 0, sizeof **out);
    memcpy((*out)->id, digest, sizeof(*out)->id);
    return CM_OKAY;
}

/* ---- what lies in the store ----------------------------------------------------------------- */

static cm_err read_sources(round_ *r)
{
    CM_AUTO(cm_buf_free) cm_buf file = {.max = SOURCES_MAX};
    char path[CM_CLI_STORE_NAME];
    size_t at = 0;

    (void)snprintf(path, sizeof path, "%s/.sources", r->s->dir);
    CM_TRY(cm_cli_about(r->cli, path, cm_os_slurp(&file, path, SOURCES_MAX),
                        "one address a line: attest collateral source ADDRESS..."));
    while (at < file.n) {
        size_t n = 0;

        while (at + n < file.n && file.p[at + n] != '\n')
            n++;
        if (n >= SOURCE_LEN || r->n == SOURCES || memchr(file.p + at, 0, n))
            return cm_cli_about(r->cli, path, CM_FAIL(COLLATERAL_SOURCES), NULL);
        if (n > 0 && file.p[at] != '#') {
            memcpy(r->source[r->n], file.p + at, n);
            r->source[r->n++][n] = 0;
        }
        at += n + 1;
    }
    return CM_OKAY;
}

static bool read_line(memory *m, cm_view line)
{
    CM_AUTO(cm_buf_free) cm_buf id = {.max = sizeof m->id};
    uint64_t *const to[] = {&m->failures, &m->next, &m->asked};
    size_t at = 16;

    if (line.n < 16 || cm_failed(cm_hex_decode(&id, cm_view_sub(line, 0, 16))))
        return false;
    memcpy(m->id, id.p, sizeof m->id);
    for (size_t i = 0; i < CM_COUNT(to); i++) {
        size_t n = 0;

        if (at >= line.n || line.p[at++] != ' ')
            return false;
        while (at + n < line.n && line.p[at + n] != ' ')
            n++;
        if (cm_failed(cm_dec_u64(to[i], cm_view_sub(line, at, n))))
            return false;
        at += n;
    }
    return at == line.n;
}

/* A state that can't be read is as good as none: sources are asked once more than they need be. */
static cm_err read_state(round_ *r)
{
    CM_AUTO(cm_buf_free) cm_buf file = {.max = SOURCES_MAX};
    char path[CM_CLI_STORE_NAME];
    size_t at = 0;

    (void)snprintf(path, sizeof path, "%s/.state", r->s->dir);
    if (cm_failed(cm_os_slurp(&file, path, SOURCES_MAX)))
        return CM_OKAY;
    while (at < file.n && r->n_of < SOURCES) {
        size_t n = 0;

        while (at + n < file.n && file.p[at + n] != '\n')
            n++;
        if (!read_line(&r->of[r->n_of], cm_view_of(file.p + at, n))) {
            r->n_of = 0;
            return CM_OKAY;
        }
        r->n_of++;
        at += n + 1;
    }
    return CM_OKAY;
}

static cm_err write_state(const round_ *r)
{
    CM_AUTO(cm_buf_free) cm_buf file = {.max = SOURCES_MAX};
    char path[CM_CLI_STORE_NAME], line[128], hex[17];

    for (size_t i = 0; i < r->n_of; i++) {
        int n = snprintf(line, sizeof line, "%s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
                         cm_cli_hex(hex, CM_VIEW(r->of[i].id)), r->of[i].failures, r->of[i].next,
                         r->of[i].asked);

        CM_TRY(cm_buf_append(&file, cm_view_of(line, (size_t)n)));
    }
    (void)snprintf(path, sizeof path, "%s/.state", r->s->dir);
    return cm_os_spit(path, cm_buf_view(&file), STATE_MODE, true);
}

/* ---- one source ----------------------------------------------------------------------------- */

/* "scheme://host/...": empty where there is none. */
static cm_view host_of(const char *source)
{
    const char *at = strstr(source, "://");
    size_t n = 0;

    if (!at)
        return cm_view_of(NULL, 0);
    at += 3;
    while (at[n] && at[n] != '/' && at[n] != ':' && at[n] != '?')
        n++;
    return cm_view_of(at, n);
}

static cm_err fetch(round_ *r, const char *source, cm_buf *out)
{
    const char *args[ARGS + 3], *from = cm_cli_text(r->cli, "from"), *base = strrchr(source, '/');
    size_t n = 0;

    if (from) {
        char path[CM_CLI_STORE_NAME + SOURCE_LEN];

        (void)snprintf(path, sizeof path, "%s/%s", from, base ? base + 1 : source);
        out->max = CM_COLLATERAL_MAX;
        return cm_ok(cm_os_slurp(out, path, CM_COLLATERAL_MAX)) ? CM_OKAY
                                                                : CM_FAIL(COLLATERAL_FETCH);
    }
    args[n++] = cm_cli_text(r->cli, "fetch");
    for (size_t i = 0; i < cm_cli_count(r->cli, "fetch-arg") && n < ARGS; i++)
        args[n++] = cm_cli_nth(r->cli, "fetch-arg", i);
    args[n++] = source;
    args[n] = NULL;
    return cm_cli_fetch(out, args, CM_COLLATERAL_MAX, (unsigned)r->timeout);
}

/* AT-152: what came is kept if it is collateral, holds now, and is not older than what is there. */
static cm_err ask(round_ *r, const char *source, cm_collateral *what)
{
    CM_AUTO(cm_buf_free) cm_buf file = {.max = CM_COLLATERAL_MAX};

    CM_TRY(fetch(r, source, &file));
    CM_TRY(cm_collateral_describe(what, r->cli->crypt, cm_buf_view(&file), r->s->now));
    if (what->next && what->next <= r->s->now)
        return CM_FAIL(COLLATERAL_FETCH);
    return cm_cli_store_put(r->cli, r->s, cm_buf_view(&file), what);
}

static void tell(round_ *r, const char *source, const char *outcome, const char *more,
                 uint64_t next)
{
    char date[32], clean[SOURCE_LEN];
    cm_cli_event e;

    cm_cli_event_begin(r->cli, &e, "source");
    cm_json_put_text(&e.w, "source", cm_view_str(source));
    cm_json_put_text(&e.w, "outcome", cm_view_str(outcome));
    cm_json_put_text(&e.w, "what", cm_view_str(more));
    cm_json_put_u64(&e.w, "next", next);
    cm_cli_event_end(r->cli, &e);
    cm_cli_say(r->cli, "%-8s %s %s; next not before %s\n", outcome,
               cm_cli_clean(clean, sizeof clean, cm_view_str(source)), more,
               cm_cli_date(date, next));
}

static cm_err settle(round_ *r, memory *m, const char *source, cm_err e, const cm_collateral *what)
{
    uint64_t random = 0;

    if (cm_ok(e)) {
        m->failures = 0;
        m->next = cm_collateral_due(what, r->s->now);
        tell(r, source, "kept", what->slot, m->next);
        return CM_OKAY;
    }
    m->failures = CM_MIN(m->failures + 1, (uint64_t)FAILURES_MAX);
    CM_TRY(cm_random(r->cli->crypt, &random, sizeof random));
    m->next = r->s->now + cm_collateral_backoff((uint32_t)m->failures, random);
    r->failed = true;
    tell(r, source, "failed", cm_err_what(e), m->next);
    return CM_OKAY;
}

/* AMD's service, for one, refuses whoever asks more often. */
static cm_err keep_distance(round_ *r, cm_view host)
{
    memory *h = NULL;

    if (host.n == 0)
        return CM_OKAY;
    CM_TRY(remember(r, host, &h));
    while (h->asked <= cm_os_now() && cm_os_now() - h->asked < r->spacing)
        (void)usleep(100000);
    h->asked = cm_os_now();
    return CM_OKAY;
}

static cm_err one(round_ *r, const char *source)
{
    cm_collateral what = {.kind = ""};
    memory *m = NULL;

    CM_TRY(remember(r, cm_view_str(source), &m));
    if (m->next > r->s->now && !cm_cli_has(r->cli, "force")) {
        tell(r, source, "waits", "", m->next);
        return CM_OKAY;
    }
    if (!cm_cli_has(r->cli, "from"))
        CM_TRY(keep_distance(r, host_of(source)));
    CM_TRY(settle(r, m, source, ask(r, source, &what), &what));
    return write_state(r);
}

cm_err cm_cli_store_refresh(cm_cli *cli, cm_cli_store *s)
{
    CM_AUTO(cm_free_ptr) round_ *r = NULL;

    if (cm_cli_has(cli, "fetch") == cm_cli_has(cli, "from"))
        return cm_cli_usage(cli, "refresh takes --fetch, a program, or --from, a folder");
    CM_TRY(cm_alloc(&r, sizeof *r));
    r->cli = cli;
    r->s = s;
    r->spacing = SPACING;
    r->timeout = TIMEOUT;
    CM_TRY(cm_cli_number(cli, "spacing", 0, 3600, &r->spacing));
    CM_TRY(cm_cli_number(cli, "timeout", 1, 600, &r->timeout));
    if (cm_cli_count(cli, "fetch-arg") >= ARGS)
        return cm_cli_usage(cli, "--fetch-arg is given more than %d times", ARGS - 1);
    CM_TRY(read_sources(r));
    CM_TRY(read_state(r));
    for (size_t i = 0; i < r->n; i++)
        CM_TRY(one(r, r->source[i]));
    return r->failed ? CM_FAIL(COLLATERAL_FETCH) : CM_OKAY;
}
