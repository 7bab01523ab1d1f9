#include <casemate/err.h>

struct row {
    uint32_t v;
    const char *name, *what, *fix;
};

/* clang-format off */
#define ROW(name, cls, n, what, fix) {(uint32_t)CM_##name, #name, what, fix},
static const struct row rows[] = {
    {0, "OK", "done", ""},
    CM_REASONS(ROW)
};
#define CLASS(name, n, http, grpc) {#name, http, grpc},
static const struct {
    const char *name;
    int http, grpc;
} classes[] = {CM_CLASSES(CLASS)};
/* clang-format on */

static const struct row *find(cm_err e)
{
    static const struct row unknown = {0, "UNKNOWN", "unknown error", "update this program"};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].v == e.v)
            return &rows[i];
    return &unknown;
}

static size_t class_of(cm_err e)
{
    size_t c = e.v & 0xff;

    return c < sizeof classes / sizeof *classes ? c : (size_t)CM_CLASS_INTERNAL;
}

const char *cm_err_name(cm_err e)
{
    return find(e)->name;
}

const char *cm_err_what(cm_err e)
{
    return find(e)->what;
}

const char *cm_err_fix(cm_err e)
{
    return find(e)->fix;
}

const char *cm_err_class_name(cm_err e)
{
    return classes[class_of(e)].name;
}

int cm_err_http(cm_err e)
{
    return classes[class_of(e)].http;
}

int cm_err_grpc(cm_err e)
{
    return classes[class_of(e)].grpc;
}
