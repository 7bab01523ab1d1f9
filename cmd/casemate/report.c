/* What the program says: to people in words, to programs in lines of JSON. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/os.h"
#include "cli.h"

enum { EVENT_MAX = 256 << 20 };

cm_err cm_cli_usage(cm_cli *cli, const char *format, ...)
{
    char title[CM_CLI_TITLE];
    va_list ap;

    va_start(ap, format);
    vsnprintf(cli->detail, sizeof cli->detail, format, ap);
    va_end(ap);
    cm_cli_clean(cli->detail, sizeof cli->detail, cm_view_str(cli->detail));
    if (cli->command && cli->command->run != cm_cli_help) {
        cm_cli_command_title(title, sizeof title, cli->command, ' ');
        snprintf(cli->advice, sizeof cli->advice, "see casemate help %s", title);
    }
    return CM_FAIL(CLI_USAGE);
}

void cm_cli_on(cm_cli *cli, const char *object)
{
    if (!cli->blamed)
        snprintf(cli->object, sizeof cli->object, "%s", object ? object : "");
}

cm_err cm_cli_about(cm_cli *cli, const char *object, cm_err e, const char *advice)
{
    if (cm_ok(e) || cli->blamed)
        return e;
    cm_cli_on(cli, object);
    cli->blamed = true;
    if (advice)
        snprintf(cli->advice, sizeof cli->advice, "%s", advice);
    return e;
}

void cm_cli_say(cm_cli *cli, const char *format, ...)
{
    va_list ap;

    if (cli->json || cli->quiet || cli->events != stdout)
        return;
    va_start(ap, format);
    vprintf(format, ap);
    va_end(ap);
}

void cm_cli_note(cm_cli *cli, const char *format, ...)
{
    va_list ap;

    if (cli->json || cli->quiet)
        return;
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
}

void cm_cli_event_begin(cm_cli *cli, cm_cli_event *e, const char *name)
{
    (void)cli;
    *e = (cm_cli_event){.buf = {.max = EVENT_MAX}};
    e->w.out = &e->buf;
    cm_json_begin_object(&e->w, NULL);
    cm_json_put_text(&e->w, "event", cm_view_str(name));
}

void cm_cli_event_end(cm_cli *cli, cm_cli_event *e)
{
    cm_json_end_object(&e->w);
    if (cli->json && cm_ok(e->w.err)) {
        fwrite(e->buf.p, 1, e->buf.n, cli->events);
        fputc('\n', cli->events);
        fflush(cli->events);
    }
    cm_buf_free(&e->buf);
}

void cm_cli_data_to_stdout(cm_cli *cli)
{
    cli->events = stderr;
}

/* ---- errors -------------------------------------------------------------------------------- */

int cm_cli_exit_code(const cm_cli *cli, cm_err e)
{
    static const unsigned char codes[] = {
        [CM_CLASS_OK] = 0,          [CM_CLASS_INVALID] = 2,   [CM_CLASS_MALFORMED] = 5,
        [CM_CLASS_UNSUPPORTED] = 5, [CM_CLASS_LIMIT] = 1,     [CM_CLASS_UNAUTHENTIC] = 3,
        [CM_CLASS_DENIED] = 3,      [CM_CLASS_NOTFOUND] = 4,  [CM_CLASS_CONFLICT] = 6,
        [CM_CLASS_IO] = 1,          [CM_CLASS_EXHAUSTED] = 1, [CM_CLASS_INTERNAL] = 1,
    };
    int sig = atomic_load(&cli->signal);

    if (cm_failed(e) && sig)
        return 128 + sig;
    if (cm_is(e, CM_IO_PIPE_CLOSED))
        return 128 + SIGPIPE;
    if (cm_is(e, CM_CLI_NO_COMMAND))
        return 127;
    if (cm_is(e, CM_CLI_EXEC))
        return 126;
    return codes[cm_err_class(e)];
}

static const char *what_of(const cm_cli *cli, cm_err e)
{
    return cli->detail[0] ? cli->detail : cm_err_what(e);
}

static const char *fix_of(const cm_cli *cli, cm_err e)
{
    if (cli->advice[0])
        return cli->advice;
    if (cm_is(e, CM_CANCELLED) && cli->resumable)
        return "run the same command again to go on from here";
    return cm_err_fix(e);
}

static void report_json(cm_cli *cli, cm_err e)
{
    cm_cli_event ev;

    cm_cli_event_begin(cli, &ev, "error");
    cm_json_put_text(&ev.w, "class", cm_view_str(cm_err_class_name(e)));
    cm_json_put_text(&ev.w, "reason", cm_view_str(cm_err_name(e)));
    cm_json_put_text(&ev.w, "what", cm_view_str(what_of(cli, e)));
    cm_json_put_text(&ev.w, "fix", cm_view_str(fix_of(cli, e)));
    if (cli->object[0])
        cm_json_put_text(&ev.w, "path", cm_view_str(cli->object));
    cm_cli_event_end(cli, &ev);
}

static bool ends_sentence(const char *text)
{
    size_t n = strlen(text);

    return n > 0 && strchr(".?!", text[n - 1]) != NULL;
}

/* casemate: seal: model.gguf: the disk is full. Free space and run it again. [NO_SPACE] */
static void report_words(cm_cli *cli, cm_err e)
{
    const char *what = what_of(cli, e), *fix = fix_of(cli, e);
    char title[CM_CLI_TITLE], object[2 * CM_CLI_LINE], first = fix[0];

    fprintf(stderr, "%scasemate:%s ", cm_cli_color(cli, stderr, "\033[31m"),
            cm_cli_color(cli, stderr, "\033[0m"));
    if (cli->command && cli->command->run != cm_cli_help) {
        cm_cli_command_title(title, sizeof title, cli->command, ' ');
        fprintf(stderr, "%s: ", title);
    }
    if (cli->object[0])
        fprintf(stderr, "%s: ", cm_cli_clean(object, sizeof object, cm_view_str(cli->object)));
    fprintf(stderr, "%s%s ", what, ends_sentence(what) ? "" : ".");
    if (first >= 'a' && first <= 'z' && strncmp(fix, "casemate", 8) != 0)
        first = (char)(first - 'a' + 'A');
    if (first)
        fprintf(stderr, "%c%s%s ", first, fix + 1, ends_sentence(fix) ? "" : ".");
    fprintf(stderr, "[%s]\n", cm_err_name(e));
}

void cm_cli_report(cm_cli *cli, cm_err e)
{
    if (cm_ok(e) || cm_is(e, CM_IO_PIPE_CLOSED))
        return;
    if (cli->json)
        report_json(cli, e);
    else
        report_words(cli, e);
}

cm_err cm_cli_flush(cm_cli *cli)
{
    (void)cli;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return CM_OKAY;
    return cm_os_err(errno, CM_IO_WRITE);
}

/* ---- small texts --------------------------------------------------------------------------- */

const char *cm_cli_color(const cm_cli *cli, FILE *f, const char *code)
{
    return (f == stdout ? cli->tty_out : cli->tty) && !cli->no_color ? code : "";
}

const char *cm_cli_bytes(char text[32], uint64_t n)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double v = (double)n / 1024;
    size_t u = 0;

    if (n < 1024) {
        snprintf(text, 32, "%llu B", (unsigned long long)n);
        return text;
    }
    for (; v >= 999.95 && u + 1 < CM_COUNT(units); u++)
        v /= 1024;
    snprintf(text, 32, "%.*f %s", v == (double)(uint64_t)v ? 0 : v < 9.995 ? 2 : 1, v, units[u]);
    return text;
}

const char *cm_cli_hex(char *text, cm_view v)
{
    for (size_t i = 0; i < v.n; i++)
        snprintf(text + 2 * i, 3, "%02x", v.p[i]);
    text[2 * v.n] = 0;
    return text;
}

const char *cm_cli_date(char text[32], uint64_t seconds)
{
    time_t t = (time_t)CM_MIN(seconds, (uint64_t)253402300799);
    struct tm tm;

    if (!gmtime_r(&t, &tm) || strftime(text, 32, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
        snprintf(text, 32, "?");
    return text;
}

const char *cm_cli_clean(char *text, size_t n, cm_view v)
{
    size_t m = CM_MIN(v.n, n - 1);

    for (size_t i = 0; i < m; i++) {
        bool c1 = v.p[i] >= 0x80 && v.p[i] < 0xa0 && i > 0 && v.p[i - 1] == 0xc2;

        text[i] = v.p[i] < 32 || v.p[i] == 127 || c1 ? '?' : (char)v.p[i];
    }
    text[m] = 0;
    return text;
}
