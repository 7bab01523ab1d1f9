#include "codec/text.h"

enum { LINE = 64 };

static const char begin_mark[] = "-----BEGIN ", end_mark[] = "-----END ", dashes[] = "-----";

static bool starts(cm_view v, const char *s)
{
    cm_view head = cm_view_str(s);

    return v.n >= head.n && cm_view_eq(cm_view_sub(v, 0, head.n), head);
}

/* RFC 7468 section 3: printable characters, with single spaces or hyphens between them. */
static bool label_ok(cm_view v)
{
    bool gap = true;

    for (size_t i = 0; i < v.n; i++) {
        bool between = v.p[i] == ' ' || v.p[i] == '-';

        if (v.p[i] < 0x20 || v.p[i] > 0x7e || (gap && between))
            return false;
        gap = between;
    }
    return v.n > 0 && !gap;
}

/* ---- writing ------------------------------------------------------------------------------ */

static cm_err put_mark(cm_buf *out, const char *mark, cm_view label)
{
    CM_TRY(cm_buf_append(out, cm_view_str(mark)));
    CM_TRY(cm_buf_append(out, label));
    return cm_buf_append(out, CM_LIT("-----\n"));
}

static cm_err put_block(cm_buf *out, cm_view label, cm_view b64)
{
    CM_TRY(put_mark(out, begin_mark, label));
    for (size_t i = 0; i < b64.n; i += LINE) {
        CM_TRY(cm_buf_append(out, cm_view_sub(b64, i, CM_MIN(b64.n - i, (size_t)LINE))));
        CM_TRY(cm_buf_byte(out, '\n'));
    }
    return put_mark(out, end_mark, label);
}

cm_err cm_pem_encode(cm_buf *out, cm_view label, cm_view der)
{
    CM_AUTO(cm_buf_free) cm_buf b64 = {.max = out->max};
    size_t before = out->n;
    cm_err e;

    if (!label_ok(label) || der.n == 0)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_base64_encode(&b64, der, false));
    e = put_block(out, label, cm_buf_view(&b64));
    if (out->n > before && cm_failed(e)) {
        cm_wipe(out->p + before, out->n - before);
        out->n = before;
    }
    return e;
}

/* ---- reading ------------------------------------------------------------------------------ */

/* Cut the first line off *text; it comes without its end. */
static cm_view take_line(cm_view *text)
{
    const uint8_t *nl = memchr(text->p, '\n', text->n);
    size_t n = nl ? (size_t)(nl - text->p) : text->n;
    cm_view line = cm_view_of(text->p, n);

    *text = cm_view_sub(*text, n + (nl != NULL), text->n - n - (nl != NULL));
    if (nl && line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    return line;
}

static cm_err parse_mark(cm_view *label, cm_view line, const char *mark)
{
    size_t head = strlen(mark), tail = strlen(dashes);

    if (!starts(line, mark) || line.n < head + tail ||
        !cm_view_eq(cm_view_sub(line, line.n - tail, tail), cm_view_str(dashes)))
        return CM_FAIL(PEM_MALFORMED);
    *label = cm_view_sub(line, head, line.n - head - tail);
    return label_ok(*label) ? CM_OKAY : CM_FAIL(PEM_MALFORMED);
}

/* Skip to the first line that begins with dashes and BEGIN. A lone END is half a block. */
static cm_err find_begin(cm_view *label, cm_view *text)
{
    while (text->n > 0) {
        cm_view line = take_line(text);

        if (starts(line, "-----BEGIN"))
            return parse_mark(label, line, begin_mark);
        if (starts(line, "-----END"))
            return CM_FAIL(PEM_MALFORMED);
    }
    return CM_FAIL(PEM_NO_BLOCK);
}

/* The lines up to END, joined: all of 64 characters but the last, which is not empty. */
static cm_err gather(cm_buf *b64, cm_view *end_line, cm_view *text)
{
    bool last = false;

    while (text->n > 0) {
        cm_view line = take_line(text);

        if (starts(line, dashes)) {
            *end_line = line;
            return CM_OKAY;
        }
        if (last || line.n == 0 || line.n > LINE)
            return CM_FAIL(PEM_MALFORMED);
        last = line.n < LINE;
        CM_TRY(cm_buf_append(b64, line));
    }
    return CM_FAIL(PEM_MALFORMED);
}

cm_err cm_pem_next(cm_buf *der, cm_view *label, cm_view *text)
{
    CM_AUTO(cm_buf_free) cm_buf b64 = {.max = text->n};
    cm_view rest = *text, begin, end, end_line;
    cm_err e;

    CM_TRY(find_begin(&begin, &rest));
    CM_TRY(gather(&b64, &end_line, &rest));
    CM_TRY(parse_mark(&end, end_line, end_mark));
    if (!cm_view_eq(begin, end) || b64.n == 0)
        return CM_FAIL(PEM_MALFORMED);
    e = cm_base64_decode(der, cm_buf_view(&b64), false);
    if (cm_is(e, CM_BASE64_MALFORMED))
        return CM_FAIL(PEM_MALFORMED);
    CM_TRY(e);
    *label = begin;
    *text = rest;
    return CM_OKAY;
}
