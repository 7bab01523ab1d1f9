/* casemate unseal, seal-server, rotate-root: the root key of a running server, over its admin
 * socket. Secrets come from the terminal, files or descriptors, never from arguments or the
 * environment. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin.h"
#include "base/os.h"
#include "keys/shamir.h"

enum { SECRET_MAX = 4096, TRIES = 1200, PAUSE_US = 100000 };

typedef struct {
    char keyd[16];
    char error[64], advice[256]; /* of the last secret that somebody brought; may be empty */
    uint64_t have, need, tries, generation;
    bool busy, serving;
} standing;

/* ---- asking -------------------------------------------------------------------------------- */

static void text_member(char *out, size_t max, const cm_json_node *o, const char *key)
{
    const cm_json_node *n = cm_json_get(o, key);
    cm_view v;

    out[0] = 0;
    if (n && cm_ok(cm_json_string(n, &v)))
        cm_cli_clean(out, max, v);
}

static void number_member(uint64_t *out, const cm_json_node *o, const char *key)
{
    const cm_json_node *n = cm_json_get(o, key);

    if (!n || cm_failed(cm_json_u64(n, out)))
        *out = 0;
}

static void bool_member(bool *out, const cm_json_node *o, const char *key)
{
    const cm_json_node *n = cm_json_get(o, key);

    if (!n || cm_failed(cm_json_bool(n, out)))
        *out = false;
}

static cm_err ask_status(cm_cli_admin *a, standing *s)
{
    CM_AUTO(cm_client_answer_free) cm_client_answer got = {0};
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    const cm_json_node *o;

    CM_TRY(cm_cli_admin_call(a, &got, "GET", CM_LIT("/admin/status"), (cm_view){0}));
    CM_TRY(cm_json_parse(&j, cm_buf_view(&got.body), NULL, NULL));
    o = cm_json_root(j);
    text_member(s->keyd, sizeof s->keyd, o, "keyd");
    text_member(s->error, sizeof s->error, o, "unseal_error");
    text_member(s->advice, sizeof s->advice, o, "unseal_advice");
    number_member(&s->have, o, "shares_have");
    number_member(&s->need, o, "shares_need");
    number_member(&s->tries, o, "unseal_tries");
    number_member(&s->generation, o, "root_generation");
    bool_member(&s->busy, o, "unseal_busy");
    bool_member(&s->serving, o, "serving");
    return CM_OKAY;
}

static bool is_open(const standing *s)
{
    return strcmp(s->keyd, "open") == 0;
}

static cm_err stopped(const cm_cli_admin *a)
{
    (void)usleep(PAUSE_US);
    return atomic_load(&a->cli->cancel) ? CM_FAIL(CANCELLED) : CM_OKAY;
}

/* keyd starts in a moment, and is busy while another secret is tried. */
static cm_err wait_ready(cm_cli_admin *a, standing *s)
{
    for (unsigned i = 0; i < TRIES; i++) {
        CM_TRY(ask_status(a, s));
        if (!s->busy && strcmp(s->keyd, "down") != 0)
            return CM_OKAY;
        CM_TRY(stopped(a));
    }
    return CM_FAIL(KMSD_KEYD_BUSY);
}

static cm_err verdict(cm_cli_admin *a, const standing *s)
{
    if (s->error[0] == 0)
        return CM_OKAY;
    return cm_cli_about(a->cli, a->socket, cm_remote_reason(cm_view_str(s->error)),
                        s->advice[0] ? s->advice : NULL);
}

/* Until the secret was tried, and what follows an unsealing is done. */
static cm_err wait_tried(cm_cli_admin *a, standing *s, uint64_t before)
{
    for (unsigned i = 0; i < TRIES; i++) {
        CM_TRY(ask_status(a, s));
        if (!s->busy && s->tries != before) {
            CM_TRY(verdict(a, s));
            if (!is_open(s) || s->serving)
                return CM_OKAY;
        }
        CM_TRY(stopped(a));
    }
    return CM_FAIL(CLIENT_TIMEOUT);
}

/* kind: the member's name. A credential is the server's own and has no value. */
static cm_err give(cm_cli_admin *a, standing *s, const char *kind, cm_view secret)
{
    CM_AUTO(cm_client_answer_free) cm_client_answer got = {0};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = 8 * SECRET_MAX};
    cm_json_writer w = {.out = &body};

    CM_TRY(cm_buf_reserve(&body, body.max)); /* it does not move, so all of it is wiped */
    CM_TRY(wait_ready(a, s));
    cm_json_begin_object(&w, NULL);
    if (strcmp(kind, "credential") == 0)
        cm_json_put_bool(&w, kind, true);
    else
        cm_json_put_text(&w, kind, secret);
    cm_json_end_object(&w);
    CM_TRY(cm_json_finish(&w));
    CM_TRY(cm_cli_admin_call(a, &got, "POST", CM_LIT("/admin/unseal"), cm_buf_view(&body)));
    return wait_tried(a, s, s->tries);
}

/* ---- saying -------------------------------------------------------------------------------- */

static void say(cm_cli_admin *a, const standing *s)
{
    cm_cli *cli = a->cli;
    cm_cli_event e;

    cm_cli_event_begin(cli, &e, "unseal");
    cm_json_put_text(&e.w, "state", cm_view_str(s->keyd));
    cm_json_put_bool(&e.w, "serving", s->serving);
    cm_json_put_u64(&e.w, "shares_have", s->have);
    cm_json_put_u64(&e.w, "shares_need", s->need);
    cm_cli_event_end(cli, &e);
    if (is_open(s))
        cm_cli_say(cli, "open: %s\n", s->serving ? "keys can be used" : "about to serve");
    else if (strcmp(s->keyd, "down") == 0)
        cm_cli_say(cli, "down: casemate-keyd is being started; the server's log says why\n");
    else if (s->need)
        cm_cli_say(cli, "sealed: %llu of %llu shares given\n", (unsigned long long)s->have,
                   (unsigned long long)s->need);
    else
        cm_cli_say(cli, "sealed: give the passphrase, or recovery shares one at a time\n");
}

/* ---- secrets ------------------------------------------------------------------------------- */

/* Groups of letters with dashes: meant as a share, also when it is mistyped. */
static bool like_share(cm_cli *cli, cm_view v)
{
    cm_share s;
    size_t dashes = 0;
    bool is = cm_ok(cm_share_parse(&s, cli->crypt, v));

    for (size_t i = 0; i < v.n; i++)
        dashes += v.p[i] == '-';
    cm_share_wipe(&s);
    return is || dashes >= 8;
}

static cm_err give_text(cm_cli_admin *a, standing *s, cm_view v)
{
    if (v.n == 0)
        return cm_cli_usage(a->cli, "nothing was given");
    return give(a, s, like_share(a->cli, v) ? "share" : "passphrase", v);
}

/* A line a share; those behind the last that is needed stay unread. */
static cm_err give_file(cm_cli_admin *a, standing *s, const char *path)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = SECRET_MAX + 1};
    const char *from = strcmp(path, "-") == 0 ? "/dev/stdin" : path;
    size_t at = 0;
    bool any = false;

    CM_TRY(cm_buf_reserve(&b, b.max));
    CM_TRY(cm_cli_about(a->cli, path, cm_os_slurp(&b, from, SECRET_MAX), NULL));
    while (at < b.n && !is_open(s)) {
        const uint8_t *nl = memchr(b.p + at, '\n', b.n - at);
        size_t n = nl ? (size_t)(nl - b.p) - at : b.n - at;

        if (n > 0 && b.p[at] != '#') {
            CM_TRY(give(a, s, "share", cm_view_of(b.p + at, n)));
            any = true;
        }
        at += n + 1;
    }
    return any || is_open(s) ? CM_OKAY : cm_cli_usage(a->cli, "there is no share in %s", path);
}

static cm_err ask_one(cm_cli_admin *a, standing *s)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = SECRET_MAX};
    char prompt[64] = "Passphrase, or a recovery share";

    if (s->need)
        snprintf(prompt, sizeof prompt, "Recovery share %llu of %llu",
                 (unsigned long long)s->have + 1, (unsigned long long)s->need);
    CM_TRY(cm_buf_reserve(&b, b.max));
    CM_TRY(cm_cli_passphrase(a->cli, &b, "", prompt, false));
    return give_text(a, s, cm_buf_view(&b));
}

/* Once a share was given on the terminal, the next is asked for. */
static cm_err ask_all(cm_cli_admin *a, standing *s)
{
    bool once = cm_cli_has(a->cli, "passphrase-file") || cm_cli_has(a->cli, "passphrase-fd");

    do {
        CM_TRY(ask_one(a, s));
    } while (!once && !is_open(s) && s->have > 0);
    return CM_OKAY;
}

static cm_err give_all(cm_cli_admin *a, standing *s)
{
    cm_cli *cli = a->cli;

    if (cm_cli_has(cli, "credential"))
        return give(a, s, "credential", (cm_view){0});
    for (size_t i = 0; i < cm_cli_count(cli, "share-file"); i++)
        if (!is_open(s))
            CM_TRY(give_file(a, s, cm_cli_nth(cli, "share-file", i)));
    return cm_cli_has(cli, "share-file") ? CM_OKAY : ask_all(a, s);
}

/* ---- the commands -------------------------------------------------------------------------- */

cm_err cm_cli_unseal(cm_cli *cli)
{
    static const char *const ways[] = {"status",          "credential",    "share-file",
                                       "passphrase-file", "passphrase-fd", NULL};
    CM_AUTO(cm_cli_admin_done) cm_cli_admin a = {0};
    standing s = {0};

    CM_TRY(cm_cli_at_most_one(cli, ways));
    CM_TRY(cm_cli_admin_open(cli, &a));
    CM_TRY(cm_cli_has(cli, "status") ? ask_status(&a, &s) : wait_ready(&a, &s));
    if (!cm_cli_has(cli, "status") && !is_open(&s))
        CM_TRY(give_all(&a, &s));
    say(&a, &s);
    return CM_OKAY;
}

cm_err cm_cli_seal_server(cm_cli *cli)
{
    CM_AUTO(cm_client_answer_free) cm_client_answer got = {0};
    CM_AUTO(cm_cli_admin_done) cm_cli_admin a = {0};
    standing s = {0};

    CM_TRY(cm_cli_admin_open(cli, &a));
    CM_TRY(cm_cli_admin_call(&a, &got, "POST", CM_LIT("/admin/seal"), (cm_view){0}));
    for (unsigned i = 0; i < TRIES && (s.keyd[0] == 0 || s.busy || is_open(&s)); i++) {
        CM_TRY(ask_status(&a, &s));
        if (is_open(&s))
            CM_TRY(stopped(&a));
    }
    say(&a, &s);
    return is_open(&s) ? CM_FAIL(CLIENT_TIMEOUT) : CM_OKAY;
}

/* ---- a new generation of the root ----------------------------------------------------------- */

/* Lines of the files, each a share: as one JSON array. */
static cm_err put_shares(cm_cli *cli, cm_json_writer *w)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = SECRET_MAX + 1};
    size_t n = 0;

    CM_TRY(cm_buf_reserve(&b, b.max));
    cm_json_begin_array(w, "shares");
    for (size_t i = 0; i < cm_cli_count(cli, "share-file"); i++) {
        const char *path = cm_cli_nth(cli, "share-file", i);
        size_t at = 0;

        b.n = 0;
        CM_TRY(cm_cli_about(
            cli, path, cm_os_slurp(&b, strcmp(path, "-") == 0 ? "/dev/stdin" : path, SECRET_MAX),
            NULL));
        while (at < b.n) {
            const uint8_t *nl = memchr(b.p + at, '\n', b.n - at);
            size_t end = nl ? (size_t)(nl - b.p) : b.n;

            if (end > at && b.p[at] != '#') {
                cm_json_put_text(w, NULL, cm_view_of(b.p + at, end - at));
                n++;
            }
            at = end + 1;
        }
    }
    cm_json_end_array(w);
    return n ? CM_OKAY : cm_cli_usage(cli, "there is no share in the files");
}

static cm_err put_secret(cm_cli *cli, cm_json_writer *w)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = SECRET_MAX};

    if (cm_cli_has(cli, "credential")) {
        cm_json_put_bool(w, "credential", true);
        return CM_OKAY;
    }
    if (cm_cli_has(cli, "share-file"))
        return put_shares(cli, w);
    CM_TRY(cm_buf_reserve(&b, b.max));
    CM_TRY(cm_cli_passphrase(cli, &b, "", "Passphrase of the root", false));
    cm_json_put_text(w, "passphrase", cm_buf_view(&b));
    return CM_OKAY;
}

cm_err cm_cli_rotate_root(cm_cli *cli)
{
    static const char *const ways[] = {"credential", "share-file", "passphrase-file",
                                       "passphrase-fd", NULL};
    CM_AUTO(cm_client_answer_free) cm_client_answer got = {0};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = 16 * SECRET_MAX};
    CM_AUTO(cm_cli_admin_done) cm_cli_admin a = {0};
    cm_json_writer w = {.out = &body};
    bool retire = cm_cli_has(cli, "retire");
    standing s = {0};
    cm_cli_event e;

    CM_TRY(cm_cli_at_most_one(cli, ways));
    CM_TRY(cm_cli_admin_open(cli, &a));
    CM_TRY(wait_ready(&a, &s));
    CM_TRY(cm_buf_reserve(&body, body.max));
    cm_json_begin_object(&w, NULL);
    cm_json_put_bool(&w, "retire", retire);
    CM_TRY(put_secret(cli, &w));
    cm_json_end_object(&w);
    CM_TRY(cm_json_finish(&w));
    CM_TRY(cm_cli_admin_call(&a, &got, "POST", CM_LIT("/admin/root"), cm_buf_view(&body)));
    CM_TRY(wait_tried(&a, &s, s.tries));
    cm_cli_event_begin(cli, &e, "rotate-root");
    cm_json_put_u64(&e.w, "generation", s.generation);
    cm_json_put_bool(&e.w, "retired", retire);
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli,
               retire
                   ? "generation %llu of the root is the only one\n"
                   : "generation %llu of the root is in force; tenants' keys are wrapped anew in "
                     "the background\n",
               (unsigned long long)s.generation);
    return CM_OKAY;
}
