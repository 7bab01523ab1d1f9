/* casemate(1): from the command line to a verb and an exit code. */
#include <stdlib.h>
#include <unistd.h>

#include "cli.h"
#include "remote.h"

static bool wants_help(const cm_cli *cli)
{
    return cm_cli_has(cli, "help") && cli->named;
}

static cm_err run(cm_cli *cli, int argc, char **argv)
{
    const char *no_color = getenv("NO_COLOR");

    cli->no_color = no_color && no_color[0];
    cli->tty = isatty(STDERR_FILENO) == 1;
    cli->tty_out = isatty(STDOUT_FILENO) == 1;
    CM_TRY(cm_remote_build());
    CM_TRY(cm_cli_parse(cli, argc, argv));
    if (wants_help(cli)) {
        cm_cli_help_command(stdout, cli->command);
        return CM_OKAY;
    }
    CM_TRY(cm_cli_watch_signals(cli));
    CM_TRY(
        cm_crypt_new(&cli->crypt, cm_cli_has(cli, "fips") ? CM_PROFILE_FIPS : CM_PROFILE_DEFAULT));
    return cli->command->run(cli);
}

int main(int argc, char **argv)
{
    cm_cli cli = {.events = stdout, .wake = -1};
    cm_err e = run(&cli, argc, argv);
    cm_err flushed;
    int code;

    cm_cli_progress_end(&cli);
    flushed = cm_cli_flush(&cli);
    if (cm_ok(e))
        e = flushed;
    cm_cli_report(&cli, e);
    code = cm_cli_exit_code(&cli, e);
    cm_buf_free(&cli.fd_passphrase);
    cm_crypt_free(cli.crypt);
    cm_free(cli.values);
    cm_free(cli.args);
    /* The signal thread still refers to cli: leave without unwinding under it. */
    fflush(NULL);
    _exit(code);
}
