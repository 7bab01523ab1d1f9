#include "codec/json_int.h"
#include "codec/text.h"

static void fail(cm_json_writer *w, cm_err e)
{
    if (cm_ok(w->err))
        w->err = e;
}

static void raw(cm_json_writer *w, cm_view v)
{
    if (cm_ok(w->err))
        fail(w, cm_buf_append(w->out, v));
}

static bool in_object(const cm_json_writer *w)
{
    return w->depth > 0 && (w->objects >> (w->depth - 1) & 1);
}

/* ---- strings ------------------------------------------------------------------------------ */

static void escape(cm_json_writer *w, uint8_t c)
{
    static const char digits[] = "0123456789abcdef", from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *f = memchr(from, c, sizeof from - 1);
    char unit[] = "\\u0000";

    if (f) {
        raw(w, cm_view_of((const char[]){'\\', to[f - from]}, 2));
        return;
    }
    unit[4] = digits[c >> 4];
    unit[5] = digits[c & 15];
    raw(w, cm_view_of(unit, 6));
}

/* UTF-8 with its control characters, quotes and backslashes escaped. */
static void put_valid(cm_json_writer *w, cm_view v)
{
    size_t from = 0;

    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] >= 0x20 && v.p[i] != '"' && v.p[i] != '\\' && v.p[i] != 0x7f)
            continue;
        raw(w, cm_view_sub(v, from, i - from));
        escape(w, v.p[i]);
        from = i + 1;
    }
    if (from < v.n)
        raw(w, cm_view_sub(v, from, v.n - from));
}

static void put_string(cm_json_writer *w, cm_view v)
{
    raw(w, CM_LIT("\""));
    while (v.n > 0) {
        size_t n = cm_utf8_prefix(v);

        put_valid(w, cm_view_sub(v, 0, n));
        if (n == v.n)
            break;
        raw(w, CM_LIT("\xef\xbf\xbd"));
        v = cm_view_sub(v, n + 1, v.n - n - 1);
    }
    raw(w, CM_LIT("\""));
}

/* ---- structure ---------------------------------------------------------------------------- */

void cm_json_put_key(cm_json_writer *w, cm_view key)
{
    if (!in_object(w) || w->have_key)
        fail(w, CM_FAIL(BAD_ARGUMENT));
    if (w->need_comma)
        raw(w, CM_LIT(","));
    put_string(w, key);
    raw(w, CM_LIT(":"));
    w->have_key = true;
    w->need_comma = false;
}

/* What stands before a value. Of values outside containers there is one. */
static void lead(cm_json_writer *w, const char *key)
{
    if (key)
        cm_json_put_key(w, cm_view_str(key));
    if (in_object(w) != w->have_key || (w->depth == 0 && w->need_comma))
        fail(w, CM_FAIL(BAD_ARGUMENT));
    if (w->need_comma)
        raw(w, CM_LIT(","));
    w->have_key = false;
    w->need_comma = true;
}

static void begin(cm_json_writer *w, const char *key, bool object)
{
    lead(w, key);
    if (w->depth == CM_JSON_WRITE_DEPTH) {
        fail(w, CM_FAIL(BAD_ARGUMENT));
        return;
    }
    w->objects = (w->objects & ~((uint64_t)1 << w->depth)) | (uint64_t)object << w->depth;
    w->depth++;
    w->need_comma = false;
    raw(w, object ? CM_LIT("{") : CM_LIT("["));
}

static void end(cm_json_writer *w, bool object)
{
    if (w->depth == 0 || in_object(w) != object || w->have_key) {
        fail(w, CM_FAIL(BAD_ARGUMENT));
        return;
    }
    raw(w, object ? CM_LIT("}") : CM_LIT("]"));
    w->depth--;
    w->need_comma = true;
}

void cm_json_begin_object(cm_json_writer *w, const char *key)
{
    begin(w, key, true);
}

void cm_json_end_object(cm_json_writer *w)
{
    end(w, true);
}

void cm_json_begin_array(cm_json_writer *w, const char *key)
{
    begin(w, key, false);
}

void cm_json_end_array(cm_json_writer *w)
{
    end(w, false);
}

cm_err cm_json_finish(cm_json_writer *w)
{
    if (w->depth > 0 || !w->need_comma)
        fail(w, CM_FAIL(BAD_ARGUMENT));
    CM_TRY(w->err);
    w->need_comma = false;
    return CM_OKAY;
}

/* ---- values ------------------------------------------------------------------------------- */

void cm_json_put_text(cm_json_writer *w, const char *key, cm_view v)
{
    lead(w, key);
    put_string(w, v);
}

static void put_digits(cm_json_writer *w, uint64_t v, bool negative)
{
    uint8_t text[21];
    size_t at = sizeof text;

    do
        text[--at] = (uint8_t)('0' + v % 10);
    while (v /= 10);
    if (negative)
        text[--at] = '-';
    raw(w, cm_view_of(text + at, sizeof text - at));
}

void cm_json_put_u64(cm_json_writer *w, const char *key, uint64_t v)
{
    lead(w, key);
    put_digits(w, v, false);
}

void cm_json_put_i64(cm_json_writer *w, const char *key, int64_t v)
{
    lead(w, key);
    put_digits(w, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, v < 0);
}

void cm_json_put_number(cm_json_writer *w, const char *key, cm_view digits)
{
    if (digits.n == 0 || cm_json_number_prefix(digits) != digits.n)
        fail(w, CM_FAIL(BAD_ARGUMENT));
    lead(w, key);
    raw(w, digits);
}

void cm_json_put_bool(cm_json_writer *w, const char *key, bool v)
{
    lead(w, key);
    raw(w, v ? CM_LIT("true") : CM_LIT("false"));
}

void cm_json_put_null(cm_json_writer *w, const char *key)
{
    lead(w, key);
    raw(w, CM_LIT("null"));
}

void cm_json_put_hex(cm_json_writer *w, const char *key, cm_view v)
{
    lead(w, key);
    raw(w, CM_LIT("\""));
    if (cm_ok(w->err))
        fail(w, cm_hex_encode(w->out, v));
    raw(w, CM_LIT("\""));
}

void cm_json_put_base64(cm_json_writer *w, const char *key, cm_view v)
{
    lead(w, key);
    raw(w, CM_LIT("\""));
    if (cm_ok(w->err))
        fail(w, cm_base64_encode(w->out, v, false));
    raw(w, CM_LIT("\""));
}

/* By hand: printf's decimal point is the locale's. */
void cm_json_put_fixed(cm_json_writer *w, const char *key, double v)
{
    double size = v < 0 ? -v : v;
    uint64_t thousandths;
    uint8_t decimals[4];

    if (!(size < 9e15)) {
        cm_json_put_null(w, key);
        return;
    }
    lead(w, key);
    thousandths = (uint64_t)(size * 1000 + 0.5);
    put_digits(w, thousandths / 1000, v < 0 && thousandths > 0);
    decimals[0] = '.';
    decimals[1] = (uint8_t)('0' + thousandths / 100 % 10);
    decimals[2] = (uint8_t)('0' + thousandths / 10 % 10);
    decimals[3] = (uint8_t)('0' + thousandths % 10);
    raw(w, CM_VIEW(decimals));
}
