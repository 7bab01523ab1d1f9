#ifndef CM_RUN_LOG_H
#define CM_RUN_LOG_H
/*
 * Lines about what a server does, as JSON or as text, one write() each. A line has a name that
 * never changes ("listening") and typed fields. Secrets have no way in: there is no field for
 * bytes, and texts are cleaned and cut.
 *
 * Of one name at most CM_LOG_BURST lines go out a second (CM_LOG_ERROR: four times as many); the
 * next line that does says how many were held back. A reader that is too slow loses lines, which
 * are counted; a server never waits for it. Any thread.
 */
#include "base/base.h"

typedef enum { CM_LOG_DEBUG, CM_LOG_INFO, CM_LOG_WARNING, CM_LOG_ERROR } cm_log_level;
typedef enum { CM_LOG_TEXT, CM_LOG_JSON } cm_log_form;

enum { CM_LOG_LINE = 4096, CM_LOG_VALUE = 512, CM_LOG_BURST = 20 };

typedef struct cm_log cm_log;

typedef struct {
    int fd; /* borrowed */
    cm_log_level level;
    cm_log_form form;
    const char *program; /* "casemate-kmsd"; static */
    uint64_t (*now_ms)(void *arg);
    void *now_arg;
} cm_log_options;

CM_MUST cm_err cm_log_new(cm_log **out, const cm_log_options *o);
void cm_log_free(cm_log *l);
void cm_log_free_ptr(cm_log **l);
/** Of a reload. */
void cm_log_set(cm_log *l, cm_log_level level, cm_log_form form);
/** Lines that were lost to a slow reader. */
uint64_t cm_log_lost(const cm_log *l);

typedef struct {
    const char *name; /* NULL ends a list */
    enum { CM_LOG_F_TEXT, CM_LOG_F_NUMBER, CM_LOG_F_ERR } type;
    cm_view text;
    uint64_t number;
} cm_log_field;

static inline cm_log_field cm_log_text(const char *name, cm_view v)
{
    return (cm_log_field){.name = name, .type = CM_LOG_F_TEXT, .text = v};
}

static inline cm_log_field cm_log_str(const char *name, const char *s)
{
    return cm_log_text(name, cm_view_str(s ? s : ""));
}

static inline cm_log_field cm_log_number(const char *name, uint64_t n)
{
    return (cm_log_field){.name = name, .type = CM_LOG_F_NUMBER, .number = n};
}

/** Becomes the fields reason, what and, when there is one, fix. */
static inline cm_log_field cm_log_err(cm_err e)
{
    return (cm_log_field){.name = "reason", .type = CM_LOG_F_ERR, .number = e.v};
}

/** name: static. fields: until one without a name; NULL for none. l may be NULL. */
void cm_log_line(cm_log *l, cm_log_level level, const char *name, const cm_log_field *fields);

/** CM_LOG(log, INFO, "listening", cm_log_str("address", a), cm_log_number("port", p)) */
#define CM_LOG(log, level, ...) CM_LOG_(log, CM_LOG_##level, __VA_ARGS__, {.name = NULL})
#define CM_LOG_(log, level, event, ...) \
    cm_log_line(log, level, event, (const cm_log_field[]){__VA_ARGS__})

/** "debug", "info", "warning", "error". BAD_ARGUMENT. */
CM_MUST cm_err cm_log_level_of(cm_log_level *out, cm_view name);

#endif
