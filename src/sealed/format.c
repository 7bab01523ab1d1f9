#include "sealed/format.h"

static const char *const names[] = {
    [CM_FORMAT_RAW] = "raw",
    [CM_FORMAT_SAFETENSORS] = "safetensors",
    [CM_FORMAT_GGUF] = "gguf",
    [CM_FORMAT_DIRECTORY] = "directory",
};

const char *cm_format_name(cm_format f)
{
    return (size_t)f < CM_COUNT(names) ? names[f] : names[CM_FORMAT_RAW];
}

cm_err cm_format_by_name(cm_format *out, cm_view name)
{
    for (size_t i = 0; i < CM_COUNT(names); i++) {
        if (cm_view_eq(name, cm_view_str(names[i]))) {
            *out = (cm_format)i;
            return CM_OKAY;
        }
    }
    return CM_FAIL(FORMAT_UNKNOWN);
}

cm_err cm_format_guess(cm_format *out, const cm_source *s)
{
    uint8_t b[9];
    size_t got = 0;
    uint64_t n;

    CM_TRY(s->read(s->self, b, (size_t)CM_MIN(s->size, (uint64_t)sizeof b), 0, &got));
    *out = CM_FORMAT_RAW;
    if (got >= 4 && cm_view_eq(cm_view_of(b, 4), CM_LIT("GGUF")))
        *out = CM_FORMAT_GGUF;
    if (got < sizeof b)
        return CM_OKAY;
    n = cm_get_le64(b);
    if (b[8] == '{' && n >= 2 && n <= 100000000 && n <= s->size - 8)
        *out = CM_FORMAT_SAFETENSORS;
    return CM_OKAY;
}
