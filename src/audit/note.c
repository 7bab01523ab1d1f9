/* Signed notes (C2SP signed-note) and checkpoints (C2SP tlog-checkpoint). */
#include "audit/note_int.h"

#include "codec/text.h"
#include "crypt/merkle.h"

/* U+2014 and a space. */
static const uint8_t dash[] = {0xe2, 0x80, 0x94, ' '};

/* One line without its newline; false when there is no whole one left. */
static bool next_line(cm_view *rest, cm_view *line)
{
    const uint8_t *nl = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    size_t n;

    if (!nl) {
        return false;
    }
    n = (size_t)(nl - rest->p);
    *line = cm_view_sub(*rest, 0, n);
    *rest = cm_view_sub(*rest, n + 1, rest->n - n - 1);
    return true;
}

/* The rest of Unicode's spaces are control characters. v is UTF-8. */
static bool is_space(const uint8_t *p, size_t n)
{
    uint32_t c = 0;

    if (p[0] == ' ') {
        return true;
    }
    if (n >= 2 && p[0] == 0xc2) {
        return p[1] == 0x85 || p[1] == 0xa0;
    }
    if (n >= 3 && p[0] >= 0xe1 && p[0] <= 0xe3) {
        c = (uint32_t)(p[0] & 15) << 12 | (uint32_t)(p[1] & 63) << 6 | (p[2] & 63u);
    }
    return c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f || c == 0x3000;
}

bool cm_note_name_ok(cm_view v)
{
    if (v.n == 0 || v.n > CM_NOTE_NAME || !cm_utf8_valid(v)) {
        return false;
    }
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] < 0x20 || v.p[i] == '+' || is_space(v.p + i, v.n - i)) {
            return false;
        }
    }
    return true;
}

/* "— name base64" */
static bool parse_line(cm_note_line *l, cm_view line)
{
    CM_AUTO(cm_buf_free) cm_buf id = {.max = 8};
    const uint8_t *space;

    if (line.n <= sizeof dash || !cm_view_eq(cm_view_sub(line, 0, sizeof dash), CM_VIEW(dash))) {
        return false;
    }
    line = cm_view_sub(line, sizeof dash, line.n - sizeof dash);
    space = memchr(line.p, ' ', line.n);
    if (!space) {
        return false;
    }
    l->name = cm_view_sub(line, 0, (size_t)(space - line.p));
    l->base64 = cm_view_sub(line, l->name.n + 1, line.n - l->name.n - 1);
    if (l->base64.n < 8 || cm_failed(cm_base64_decode(&id, cm_view_sub(l->base64, 0, 8), false)) ||
        id.n < 5) {
        return false;
    }
    l->id = cm_get_be32(id.p);
    return true;
}

/* the signature part, line by line. */
static bool lines_ok(cm_view lines)
{
    CM_AUTO(cm_buf_free) cm_buf sig = {.max = CM_NOTE_MAX};
    unsigned count = 0;
    cm_view line;

    while (lines.n > 0) {
        cm_note_line l;

        if (!next_line(&lines, &line) || ++count > CM_NOTE_LINES || !parse_line(&l, line) ||
            !cm_note_name_ok(l.name) || cm_failed(cm_base64_decode(&sig, l.base64, false))) {
            return false;
        }
        sig.n = 0;
    }
    return count > 0;
}

cm_err cm_note_parse(cm_note *n, cm_view v)
{
    size_t split = 0;

    if (v.n > CM_NOTE_MAX || !cm_utf8_valid(v)) {
        return CM_FAIL(AUDIT_NOTE);
    }
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] < 0x20 && v.p[i] != '\n') {
            return CM_FAIL(AUDIT_NOTE);
        }
        if (i > 0 && v.p[i] == '\n' && v.p[i - 1] == '\n') {
            split = i; /* the last empty line counts */
        }
    }
    if (split == 0 || !lines_ok(cm_view_sub(v, split + 1, v.n - split - 1))) {
        return CM_FAIL(AUDIT_NOTE);
    }
    n->text = cm_view_sub(v, 0, split);
    n->lines = cm_view_sub(v, split + 1, v.n - split - 1);
    return CM_OKAY;
}

bool cm_note_next(cm_view *lines, cm_note_line *l)
{
    cm_view line;

    return next_line(lines, &line) && parse_line(l, line);
}

/* ---- checkpoints ---- */

static bool parse_root(uint8_t root[32], cm_view line)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 48};

    if (line.n != 44 || cm_failed(cm_base64_decode(&b, line, false)) || b.n != 32) {
        return false;
    }
    memcpy(root, b.p, 32);
    return true;
}

/* */
cm_err cm_checkpoint_parse(cm_checkpoint *c, cm_view text)
{
    cm_view rest = text, size, root, line;
    cm_checkpoint x = {0};

    if (!next_line(&rest, &x.origin) || !next_line(&rest, &size) || !next_line(&rest, &root) ||
        x.origin.n == 0 || x.origin.n > CM_NOTE_NAME || !cm_utf8_valid(x.origin) ||
        cm_failed(cm_dec_u64(&x.size, size)) || x.size > INT64_MAX || !parse_root(x.root, root)) {
        return CM_FAIL(AUDIT_CHECKPOINT);
    }
    x.extensions = rest;
    while (rest.n > 0) {
        if (!next_line(&rest, &line) || line.n == 0) {
            return CM_FAIL(AUDIT_CHECKPOINT);
        }
    }
    if (x.size == 0) {
        uint8_t empty[32];

        cm_merkle_root(empty, NULL, 0);
        if (!cm_view_eq(CM_VIEW(empty), CM_VIEW(x.root))) {
            return CM_FAIL(AUDIT_CHECKPOINT);
        }
    }
    *c = x;
    return CM_OKAY;
}

cm_err cm_note_put_dec(cm_buf *out, uint64_t v)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    return cm_buf_append(out, cm_view_of(digits + at, sizeof digits - at));
}

static cm_err put_text(cm_buf *out, cm_view origin, uint64_t size, const uint8_t root[32])
{
    CM_TRY(cm_buf_append(out, origin));
    CM_TRY(cm_buf_byte(out, '\n'));
    CM_TRY(cm_note_put_dec(out, size));
    CM_TRY(cm_buf_byte(out, '\n'));
    CM_TRY(cm_base64_encode(out, cm_view_of(root, 32), false));
    return cm_buf_byte(out, '\n');
}

cm_err cm_checkpoint_text(cm_buf *out, cm_view origin, uint64_t size, const uint8_t root[32])
{
    size_t was = out->n;
    cm_err e;

    if (!cm_note_name_ok(origin)) {
        return CM_FAIL(BAD_ARGUMENT);
    }
    e = put_text(out, origin, size, root);
    if (cm_failed(e)) {
        out->n = was;
    }
    return e;
}
