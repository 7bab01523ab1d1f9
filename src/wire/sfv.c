#include "wire/sfv.h"

cm_sfv cm_sfv_of(cm_view v)
{
    return (cm_sfv){v.p, v.p + v.n};
}

bool cm_sfv_over(const cm_sfv *s)
{
    return s->p == s->end;
}

bool cm_sfv_byte(cm_sfv *s, char c)
{
    if (s->p == s->end || *s->p != (uint8_t)c)
        return false;
    s->p++;
    return true;
}

static bool lower(uint8_t c)
{
    return c >= 'a' && c <= 'z';
}

static bool digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool key_byte(uint8_t c)
{
    return lower(c) || digit(c) || c == '_' || c == '-' || c == '.' || c == '*';
}

static bool base64_byte(uint8_t c)
{
    return lower(c) || digit(c) || (c >= 'A' && c <= 'Z') || c == '+' || c == '/' || c == '=';
}

static bool string_byte(uint8_t c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* How many bytes of a kind come next. */
static size_t run_of(const cm_sfv *s, bool (*kind)(uint8_t))
{
    size_t n = 0;

    while (s->p + n != s->end && kind(s->p[n]))
        n++;
    return n;
}

bool cm_sfv_key(cm_sfv *s, cm_view *key)
{
    size_t n = run_of(s, key_byte);

    if (n == 0 || n > CM_SFV_KEY_MAX || !(lower(s->p[0]) || s->p[0] == '*'))
        return false;
    *key = cm_view_of(s->p, n);
    s->p += n;
    return true;
}

/* What stands between two marks. */
static bool between(cm_sfv *s, cm_view *text, char mark, bool (*kind)(uint8_t), size_t max)
{
    cm_sfv t = *s;
    cm_view v;

    if (!cm_sfv_byte(&t, mark))
        return false;
    v = cm_view_of(t.p, run_of(&t, kind));
    t.p += v.n;
    if (v.n > max || !cm_sfv_byte(&t, mark))
        return false;
    *text = v;
    *s = t;
    return true;
}

bool cm_sfv_string(cm_sfv *s, cm_view *text, size_t max)
{
    return between(s, text, '"', string_byte, max);
}

bool cm_sfv_bytes(cm_sfv *s, cm_view *base64, size_t max)
{
    return between(s, base64, ':', base64_byte, max);
}

bool cm_sfv_integer(cm_sfv *s, uint64_t *v)
{
    size_t n = run_of(s, digit);
    uint64_t x = 0;

    if (n == 0 || n > CM_SFV_INTEGER_DIGITS || (n > 1 && s->p[0] == '0'))
        return false;
    for (size_t i = 0; i < n; i++)
        x = x * 10 + (uint64_t)(s->p[i] - '0');
    s->p += n;
    *v = x;
    return true;
}

bool cm_sfv_is_string(cm_view text)
{
    for (size_t i = 0; i < text.n; i++)
        if (!string_byte(text.p[i]))
            return false;
    return true;
}
