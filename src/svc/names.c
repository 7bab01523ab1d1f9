/* Names, and the two places where text is taken apart: URL parts and the seeds' key names. */
#include "svc/names.h"

#include "codec/text.h"

cm_err cm_svc_name_check(cm_view name)
{
    if (name.n == 0 || name.n > CM_NAME_MAX || !cm_utf8_valid(name))
        return CM_FAIL(SVC_NAME);
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] < 0x20 || name.p[i] == 0x7f)
            return CM_FAIL(SVC_NAME);
    return CM_OKAY;
}

static bool tenant_char(uint8_t c, bool first)
{
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
        return true;
    return !first && (c == '-' || c == '_' || c == '.' || c == ':');
}

cm_err cm_svc_tenant_check(cm_view name)
{
    if (name.n == 0 || name.n > CM_TENANT_MAX)
        return CM_FAIL(SVC_NAME);
    for (size_t i = 0; i < name.n; i++)
        if (!tenant_char(name.p[i], i == 0))
            return CM_FAIL(SVC_NAME);
    if (cm_view_eq(name, CM_LIT(CM_SYSTEM_TENANT)) || cm_view_eq(name, CM_LIT("boot")))
        return CM_FAIL(SVC_NAME);
    return CM_OKAY;
}

cm_err cm_svc_seed_name(cm_seed_name *out, cm_view text)
{
    cm_seed_name s = {.n = {0}};
    size_t part = 0;

    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];

        if (c == ':') {
            if (++part == 3)
                return CM_FAIL(SVC_NAME);
            continue;
        }
        if (c == '\\') { /* V-4 */
            if (++i == text.n || (text.p[i] != ':' && text.p[i] != '\\'))
                return CM_FAIL(SVC_NAME);
            c = text.p[i];
        }
        if (s.n[part] == CM_NAME_MAX)
            return CM_FAIL(SVC_NAME);
        s.part[part][s.n[part]++] = (char)c;
    }
    if (part != 2)
        return CM_FAIL(SVC_NAME);
    for (size_t i = 0; i < 3; i++)
        CM_TRY(cm_svc_name_check(cm_view_of(s.part[i], s.n[i])));
    *out = s;
    return CM_OKAY;
}

cm_err cm_svc_seed_text(cm_buf *out, const cm_view parts[3])
{
    for (size_t i = 0; i < 3; i++) {
        if (i > 0)
            CM_TRY(cm_buf_byte(out, ':'));
        for (size_t j = 0; j < parts[i].n; j++) {
            if (parts[i].p[j] == ':' || parts[i].p[j] == '\\')
                CM_TRY(cm_buf_byte(out, '\\'));
            CM_TRY(cm_buf_byte(out, parts[i].p[j]));
        }
    }
    return CM_OKAY;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

cm_err cm_svc_unescape(char *out, size_t max, size_t *n, cm_view text, bool plus)
{
    size_t k = 0;

    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];

        if (c == '%') {
            int hi = text.n - i > 2 ? hex_digit(text.p[i + 1]) : -1;
            int lo = hi >= 0 ? hex_digit(text.p[i + 2]) : -1;

            if (lo < 0)
                return CM_FAIL(SVC_NAME);
            c = (uint8_t)(hi << 4 | lo);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (c == 0 || k == max)
            return CM_FAIL(SVC_NAME);
        out[k++] = (char)c;
    }
    if (!cm_utf8_valid(cm_view_of(out, k)))
        return CM_FAIL(SVC_NAME);
    *n = k;
    return CM_OKAY;
}
