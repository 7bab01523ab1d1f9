/* One sparse line on a terminal, or events for programs, while long work goes on. */
#include <stdio.h>

#include "base/os.h"
#include "cli.h"

enum { BAR = 24 };
#define REDRAW_NS UINT64_C(200000000) /* five times a second */
#define EVENT_NS  UINT64_C(500000000)

static double seconds_since(uint64_t ns)
{
    return (double)(cm_os_monotonic_ns() - ns) / 1e9;
}

double cm_cli_seconds(const cm_cli *cli)
{
    return seconds_since(cli->progress.start_ns);
}

void cm_cli_progress_begin(cm_cli *cli)
{
    cm_cli_event e;
    char title[CM_CLI_TITLE];

    cli->progress = (cm_cli_progress){.start_ns = cm_os_monotonic_ns()};
    cli->progress.shown_ns = cli->progress.start_ns;
    cm_cli_command_title(title, sizeof title, cli->command, ' ');
    cm_cli_event_begin(cli, &e, "start");
    cm_json_put_text(&e.w, "verb", cm_view_str(title));
    if (cli->object[0])
        cm_json_put_text(&e.w, "path", cm_view_str(cli->object));
    cm_cli_event_end(cli, &e);
}

static double rate_of(const cm_cli_progress *p)
{
    double s = seconds_since(p->start_ns);

    return s > 0 ? (double)(p->done - p->first) / s : 0;
}

static void emit(cm_cli *cli, double rate)
{
    const cm_cli_progress *p = &cli->progress;
    cm_cli_event e;

    cm_cli_event_begin(cli, &e, "progress");
    cm_json_put_u64(&e.w, "done", p->done);
    if (p->total)
        cm_json_put_u64(&e.w, "total", p->total);
    cm_json_put_u64(&e.w, "bytes_per_second", (uint64_t)rate);
    if (p->total && rate > 0)
        cm_json_put_fixed(&e.w, "eta_seconds", (double)(p->total - p->done) / rate);
    cm_cli_event_end(cli, &e);
}

static void eta(char text[32], double s)
{
    unsigned long long t = s < 360000 ? (unsigned long long)s : 359999;

    if (t >= 3600)
        snprintf(text, 32, "%llu:%02llu:%02llu", t / 3600, t / 60 % 60, t % 60);
    else
        snprintf(text, 32, "%llu:%02llu", t / 60, t % 60);
}

static void draw(cm_cli *cli, double rate)
{
    static const char full[] = "########################", none[] = "........................";
    const cm_cli_progress *p = &cli->progress;
    char done[32], speed[32], left[32];
    int filled;

    cm_cli_bytes(speed, (uint64_t)rate);
    if (p->total == 0) {
        fprintf(stderr, "\r\033[K%s  %s/s", cm_cli_bytes(done, p->done), speed);
        return;
    }
    filled = (int)((double)p->done / (double)p->total * BAR);
    eta(left, rate > 0 ? (double)(p->total - p->done) / rate : 359999);
    fprintf(stderr, "\r\033[K[%.*s%.*s] %3d%%  %s/s  %s left", filled, full, BAR - filled, none,
            (int)((double)p->done / (double)p->total * 100), speed, left);
}

void cm_cli_progress_step(void *arg, uint64_t done, uint64_t total)
{
    cm_cli *cli = arg;
    cm_cli_progress *p = &cli->progress;
    uint64_t now = cm_os_monotonic_ns();

    p->done = total ? CM_MIN(done, total) : done;
    p->total = total;
    if (!p->begun) {
        p->begun = true;
        p->first = p->done;
    }
    if (cli->quiet || !(cli->json || cli->tty))
        return;
    if (now - p->shown_ns < (cli->json ? EVENT_NS : REDRAW_NS))
        return;
    p->shown_ns = now;
    if (cli->json) {
        emit(cli, rate_of(p));
        return;
    }
    draw(cli, rate_of(p));
    p->drawn = true;
}

void cm_cli_progress_end(cm_cli *cli)
{
    if (cli->progress.drawn)
        fputs("\r\033[K", stderr);
    cli->progress.drawn = false;
}
