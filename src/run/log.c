#include "run/log.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "codec/json.h"
#include "codec/text.h"

enum { NAMES = 64 };

static const char *const level_names[] = {"debug", "info", "warning", "error"};

/* What went out of one name this second. */
struct rate {
    const char *name;
    uint64_t second;
    unsigned n, held;
};

struct cm_log {
    cm_log_options o;
    atomic_int level, form;
    atomic_uint_fast64_t lost;
    pthread_mutex_t lock; /* of rates */
    struct rate rates[NAMES];
};

cm_err cm_log_new(cm_log **out, const cm_log_options *o)
{
    cm_log *l = NULL;

    CM_TRY(cm_alloc(&l, sizeof *l));
    l->o = *o;
    pthread_mutex_init(&l->lock, NULL);
    cm_log_set(l, o->level, o->form);
    *out = l;
    return CM_OKAY;
}

void cm_log_free(cm_log *l)
{
    if (!l)
        return;
    pthread_mutex_destroy(&l->lock);
    cm_free(l);
}

void cm_log_free_ptr(cm_log **l)
{
    cm_log_free(*l);
    *l = NULL;
}

void cm_log_set(cm_log *l, cm_log_level level, cm_log_form form)
{
    atomic_store(&l->level, (int)level);
    atomic_store(&l->form, (int)form);
}

uint64_t cm_log_lost(const cm_log *l)
{
    return atomic_load(&l->lost);
}

cm_err cm_log_level_of(cm_log_level *out, cm_view name)
{
    for (size_t i = 0; i < CM_COUNT(level_names); i++)
        if (cm_view_eq(name, cm_view_str(level_names[i]))) {
            *out = (cm_log_level)i;
            return CM_OKAY;
        }
    return CM_FAIL(BAD_ARGUMENT);
}

/* ---- rate limit ---------------------------------------------------------------------------- */

/* Names are few and static; when there are more than NAMES they share the last place. */
static struct rate *rate_of(cm_log *l, const char *name)
{
    size_t i = 0;

    while (i + 1 < NAMES && l->rates[i].name && strcmp(l->rates[i].name, name) != 0)
        i++;
    l->rates[i].name = name;
    return &l->rates[i];
}

/* Whether a line may go out, and how many before it did not. */
static bool admit(cm_log *l, cm_log_level level, const char *name, uint64_t now_ms, unsigned *held)
{
    unsigned burst = level == CM_LOG_ERROR ? 4 * CM_LOG_BURST : CM_LOG_BURST;
    struct rate *r;
    bool may;

    pthread_mutex_lock(&l->lock);
    r = rate_of(l, name);
    if (r->second != now_ms / 1000) {
        r->second = now_ms / 1000;
        r->n = 0;
    }
    may = r->n < burst;
    if (may) {
        r->n++;
        *held = r->held;
        r->held = 0;
    } else
        r->held++;
    pthread_mutex_unlock(&l->lock);
    return may;
}

/* ---- the line ------------------------------------------------------------------------------ */

static void stamp(char text[32], uint64_t ms)
{
    time_t t = (time_t)(ms / 1000);
    struct tm tm;
    char date[24];

    gmtime_r(&t, &tm);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text, 32, "%s.%03uZ", date, (unsigned)(ms % 1000));
}

static void put_json(cm_json_writer *w, const cm_log_field *f)
{
    cm_err e = {(uint32_t)f->number};

    switch (f->type) {
    case CM_LOG_F_NUMBER:
        cm_json_put_u64(w, f->name, f->number);
        break;
    case CM_LOG_F_ERR:
        cm_json_put_text(w, "reason", cm_view_str(cm_err_name(e)));
        cm_json_put_text(w, "what", cm_view_str(cm_err_what(e)));
        if (cm_err_fix(e)[0])
            cm_json_put_text(w, "fix", cm_view_str(cm_err_fix(e)));
        break;
    case CM_LOG_F_TEXT:
        cm_json_put_text(w, f->name, cm_view_of(f->text.p, CM_MIN(f->text.n, CM_LOG_VALUE)));
        break;
    }
}

static cm_err json_line(cm_buf *b, const cm_log *l, const char *when, cm_log_level level,
                        const char *name, const cm_log_field *f, unsigned held)
{
    cm_json_writer w = {.out = b};

    cm_json_begin_object(&w, NULL);
    cm_json_put_text(&w, "time", cm_view_str(when));
    cm_json_put_text(&w, "level", cm_view_str(level_names[level]));
    cm_json_put_text(&w, "program", cm_view_str(l->o.program));
    cm_json_put_text(&w, "event", cm_view_str(name));
    for (; f->name; f++)
        put_json(&w, f);
    if (held)
        cm_json_put_u64(&w, "held_back", held);
    cm_json_end_object(&w);
    CM_TRY(cm_json_finish(&w));
    return cm_buf_byte(b, '\n');
}

static cm_err put(cm_buf *b, const char *s)
{
    return cm_buf_append(b, cm_view_str(s));
}

/* A value as logfmt has it: quoted where it must be, and nothing that moves a terminal's cursor. */
static cm_err put_value(cm_buf *b, cm_view v)
{
    bool quote =
        v.n == 0 || memchr(v.p, ' ', v.n) || memchr(v.p, '"', v.n) || memchr(v.p, '=', v.n);

    v.n = CM_MIN(v.n, CM_LOG_VALUE);
    if (quote)
        CM_TRY(cm_buf_byte(b, '"'));
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] == '"' || v.p[i] == '\\')
            CM_TRY(cm_buf_byte(b, '\\'));
        CM_TRY(cm_buf_byte(b, v.p[i] < 0x20 || v.p[i] == 0x7f ? '?' : v.p[i]));
    }
    return quote ? cm_buf_byte(b, '"') : CM_OKAY;
}

static cm_err put_text(cm_buf *b, const cm_log_field *f)
{
    char number[24];
    cm_err e = {(uint32_t)f->number};

    CM_TRY(cm_buf_byte(b, ' '));
    CM_TRY(put(b, f->name));
    CM_TRY(cm_buf_byte(b, '='));
    if (f->type == CM_LOG_F_TEXT)
        return put_value(b, f->text);
    if (f->type == CM_LOG_F_NUMBER) {
        snprintf(number, sizeof number, "%llu", (unsigned long long)f->number);
        return put(b, number);
    }
    CM_TRY(put(b, cm_err_name(e)));
    CM_TRY(put(b, " what="));
    CM_TRY(put_value(b, cm_view_str(cm_err_what(e))));
    if (!cm_err_fix(e)[0])
        return CM_OKAY;
    CM_TRY(put(b, " fix="));
    return put_value(b, cm_view_str(cm_err_fix(e)));
}

static cm_err text_line(cm_buf *b, const char *when, cm_log_level level, const char *name,
                        const cm_log_field *f, unsigned held)
{
    char head[64];

    snprintf(head, sizeof head, "%s %-7s ", when, level_names[level]);
    CM_TRY(put(b, head));
    CM_TRY(put(b, name));
    for (; f->name; f++)
        CM_TRY(put_text(b, f));
    if (held)
        CM_TRY(put_text(
            b, &(cm_log_field){.name = "held_back", .type = CM_LOG_F_NUMBER, .number = held}));
    return cm_buf_byte(b, '\n');
}

void cm_log_line(cm_log *l, cm_log_level level, const char *name, const cm_log_field *fields)
{
    static const cm_log_field none = {.name = NULL};
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 4 * CM_LOG_LINE};
    struct pollfd p = {.events = POLLOUT};
    char when[32];
    uint64_t now;
    unsigned held;
    cm_err e;

    if (!l || (int)level < atomic_load(&l->level))
        return;
    now = l->o.now_ms(l->o.now_arg);
    if (!admit(l, level, name, now, &held))
        return;
    stamp(when, now);
    fields = fields ? fields : &none;
    if (atomic_load(&l->form) == CM_LOG_JSON)
        e = json_line(&b, l, when, level, name, fields, held);
    else
        e = text_line(&b, when, level, name, fields, held);
    p.fd = l->o.fd;
    /* A whole line or none: a reader never sees halves, and a full pipe stops nobody. */
    if (cm_failed(e) || poll(&p, 1, 0) != 1 || write(p.fd, b.p, b.n) != (ssize_t)b.n)
        atomic_fetch_add(&l->lost, 1);
}
