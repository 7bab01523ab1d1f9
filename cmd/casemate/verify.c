/* casemate verify: a line a check. */
#include <stdio.h>

#include "access.h"
#include "base/os.h"

struct counts {
    cm_cli *cli;
    unsigned n[3];
};

static const char *const verdicts[] = {
    [CM_CHECK_PASS] = "PASS", [CM_CHECK_SKIP] = "SKIP", [CM_CHECK_FAIL] = "FAIL"};

static void line(void *arg, cm_check verdict, const char *what, const char *why)
{
    static const char *const colors[] = {
        [CM_CHECK_PASS] = "\033[32m", [CM_CHECK_SKIP] = "\033[33m", [CM_CHECK_FAIL] = "\033[31m"};
    struct counts *c = arg;
    cm_cli *cli = c->cli;
    cm_cli_event e;

    c->n[verdict]++;
    cm_cli_progress_end(cli);
    cm_cli_event_begin(cli, &e, "check");
    cm_json_put_text(&e.w, "verdict", cm_view_str(verdicts[verdict]));
    cm_json_put_text(&e.w, "what", cm_view_str(what));
    cm_json_put_text(&e.w, "why", cm_view_str(why));
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "%s%s%s  %-32s %s\n", cm_cli_color(cli, stdout, colors[verdict]),
               verdicts[verdict], cm_cli_color(cli, stdout, "\033[0m"), what, why);
}

static cm_err conclude(cm_cli *cli, const struct counts *c)
{
    cm_cli_event e;

    cm_cli_progress_end(cli);
    cm_cli_event_begin(cli, &e, "done");
    cm_json_put_text(&e.w, "verb", cm_view_str("verify"));
    cm_json_put_u64(&e.w, "passed", c->n[CM_CHECK_PASS]);
    cm_json_put_u64(&e.w, "skipped", c->n[CM_CHECK_SKIP]);
    cm_json_put_u64(&e.w, "failed", c->n[CM_CHECK_FAIL]);
    cm_json_put_fixed(&e.w, "seconds", cm_cli_seconds(cli));
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "%u passed, %u skipped, %u failed\n", c->n[CM_CHECK_PASS], c->n[CM_CHECK_SKIP],
               c->n[CM_CHECK_FAIL]);
    return c->n[CM_CHECK_FAIL] ? CM_FAIL(CLI_CHECK_FAILED) : CM_OKAY;
}

cm_err cm_cli_verify(cm_cli *cli)
{
    CM_AUTO(cm_cli_access_done) cm_cli_access a = {0};
    CM_AUTO(cm_os_close_fd) int fd = -1;
    struct counts c = {.cli = cli};
    const char *path = cli->args[0];
    unsigned failed;

    CM_TRY(cm_cli_access_init(cli, &a, CM_CLI_KEYS | CM_CLI_TRUST | CM_CLI_MODEST));
    CM_TRY(cm_cli_threads(cli, &a.o.threads));
    cm_cli_on(cli, path);
    CM_TRY(cm_os_open_read(&fd, path));
    cm_cli_progress_begin(cli);
    CM_TRY(cm_sealed_verify(cli->crypt, fd, &a.o, line, &c, &failed));
    return conclude(cli, &c);
}
