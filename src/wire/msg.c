#include "wire/msg_int.h"

/* ---- where it went wrong ------------------------------------------------------------------ */

static size_t put(cm_msg_fault *f, size_t at, const char *text, size_t n)
{
    size_t room = sizeof f->field - 1 - at;

    n = CM_MIN(n, room);
    memcpy(f->field + at, text, n);
    return at + n;
}

static size_t put_item(cm_msg_fault *f, size_t at, size_t item)
{
    char text[24];
    size_t i = sizeof text;

    text[--i] = ']';
    do
        text[--i] = (char)('0' + item % 10);
    while (item /= 10);
    text[--i] = '[';
    return put(f, at, text + i, sizeof text - i);
}

cm_err cm_msg_fail(cm_msg_fault *fault, const struct cm_msg_frame *frames, size_t n,
                   const char *why, cm_err e)
{
    size_t at = 0;

    if (!fault)
        return e;
    for (size_t i = 0; i < n; i++) {
        const char *name;

        if (frames[i].field >= frames[i].m->type->n)
            break;
        name = frames[i].m->type->fields[frames[i].field].name;
        if (i > 0)
            at = put(fault, at, ".", 1);
        at = put(fault, at, name, strlen(name));
        if (frames[i].in_items)
            at = put_item(fault, at, frames[i].item);
    }
    fault->field[at] = 0;
    fault->why = why;
    return e;
}

/* ---- values ------------------------------------------------------------------------------- */

cm_err cm_msg_new(cm_msg **out, cm_arena *a, const cm_message *type)
{
    cm_msg *m;

    CM_TRY(cm_arena_get(a, &m, sizeof *m + type->n * sizeof m->v[0]));
    m->type = type;
    *out = m;
    return CM_OKAY;
}

const char *cm_msg_bad_view(const cm_field *f, cm_view v)
{
    if (v.n > f->max)
        return "is too long";
    return NULL;
}

const char *cm_msg_bad_number(const cm_field *f, uint64_t n)
{
    if (f->type == CM_F_U64 && f->max && n > f->max)
        return "is too large";
    if (f->type == CM_F_ENUM && !cm_msg_enum_by_number(f, n))
        return "is none of its values";
    return NULL;
}

const char *cm_msg_missing(const cm_field *f, const cm_msg_value *v)
{
    bool empty = !v->set;

    if (!(f->flags & CM_FF_REQUIRED))
        return NULL;
    if (!empty && !cm_msg_repeated(f) && cm_msg_is_view(f))
        empty = v->view.n == 0;
    return empty ? "is required" : NULL;
}

const cm_enum_value *cm_msg_enum_by_name(const cm_field *f, cm_view name)
{
    for (const cm_enum_value *e = f->values; e->name; e++)
        if (cm_view_eq(cm_view_str(e->name), name))
            return e;
    return NULL;
}

const cm_enum_value *cm_msg_enum_by_number(const cm_field *f, uint64_t number)
{
    for (const cm_enum_value *e = f->values; e->name; e++)
        if (e->number == number)
            return e;
    return NULL;
}

cm_err cm_msg_base64(cm_view *out, cm_arena *a, cm_view text, bool url)
{
    cm_buf b = {0};

    b.max = b.cap = text.n / 4 * 3 + 3;
    CM_TRY(cm_arena_get(a, &b.p, b.cap));
    CM_TRY(cm_base64_decode(&b, text, url));
    *out = cm_buf_view(&b);
    return CM_OKAY;
}

/* ---- one field from text ------------------------------------------------------------------ */

/* Both alphabets: what a person pastes, and what fits an address. */
static cm_err bytes_from_text(cm_view *out, cm_arena *a, cm_view text)
{
    bool url = text.n % 4 != 0;

    for (size_t i = 0; i < text.n; i++)
        url |= text.p[i] == '-' || text.p[i] == '_';
    return cm_msg_base64(out, a, text, url);
}

static const char *view_from_text(cm_view *out, cm_arena *a, const cm_field *f, cm_view text,
                                  cm_err *e)
{
    if (f->type == CM_F_TEXT) {
        if (cm_msg_bad_view(f, text))
            return "is too long";
        if (!cm_utf8_valid(text))
            return "is not UTF-8";
        *e = cm_arena_copy(a, out, text);
        return NULL;
    }
    if (text.n / 4 * 3 > (size_t)f->max + 3)
        return "is too long";
    *e = bytes_from_text(out, a, text);
    if (cm_is(*e, CM_BASE64_MALFORMED))
        return "is not base64";
    return cm_ok(*e) ? cm_msg_bad_view(f, *out) : NULL;
}

static const char *number_from_text(uint64_t *out, const cm_field *f, cm_view text)
{
    const cm_enum_value *v;

    switch (f->type) {
    case CM_F_U64:
        return cm_failed(cm_dec_u64(out, text)) ? "is not a whole number"
                                                : cm_msg_bad_number(f, *out);
    case CM_F_BOOL:
        *out = cm_view_eq(text, CM_LIT("true"));
        return *out || cm_view_eq(text, CM_LIT("false")) ? NULL : "is neither true nor false";
    case CM_F_ENUM:
        v = cm_msg_enum_by_name(f, text);
        if (!v)
            return "is none of its values";
        *out = v->number;
        return NULL;
    default:
        return "can't be given as text";
    }
}

/* One more item of a repeated field; the array is copied as it grows. */
static cm_err append(cm_msg_value *v, cm_arena *a, const cm_field *f, cm_view view, uint64_t number)
{
    size_t size = cm_msg_is_view(f) ? sizeof view : sizeof number;
    uint8_t *items;

    CM_TRY(cm_arena_get(a, &items, (v->n + 1) * size));
    if (v->n)
        memcpy(items, v->views, v->n * size);
    memcpy(items + v->n * size, cm_msg_is_view(f) ? (const void *)&view : (const void *)&number,
           size);
    memcpy(&v->views, &items, sizeof items); /* or numbers: both are the union's pointer */
    v->n++;
    v->set = true;
    return CM_OKAY;
}

static bool differs(const cm_field *f, const cm_msg_value *v, cm_view view, uint64_t number)
{
    return v->set && (cm_msg_is_view(f) ? !cm_view_eq(v->view, view) : v->number != number);
}

cm_err cm_msg_set_text(cm_msg *m, cm_arena *a, size_t field, cm_view text, cm_msg_fault *fault)
{
    const struct cm_msg_frame here = {.m = m, .field = field};
    const cm_field *f = &m->type->fields[field];
    cm_msg_value *v = &m->v[field];
    cm_view view = {NULL, 0};
    uint64_t number = 0;
    cm_err e = CM_OKAY;
    const char *bad;

    bad = cm_msg_is_view(f) ? view_from_text(&view, a, f, text, &e)
                            : number_from_text(&number, f, text);
    if (!bad && cm_msg_repeated(f) && v->n >= f->count)
        bad = "has too many items";
    if (!bad && !cm_msg_repeated(f) && differs(f, v, view, number))
        bad = "is given twice and differs";
    if (bad)
        return cm_msg_fail(fault, &here, 1, bad, CM_FAIL(MSG_FIELD));
    CM_TRY(e);
    if (cm_msg_repeated(f))
        return append(v, a, f, view, number);
    v->set = true;
    if (cm_msg_is_view(f))
        v->view = view;
    else
        v->number = number;
    return CM_OKAY;
}

/* ---- all of it ---------------------------------------------------------------------------- */

static const char *bad_one(const cm_field *f, const cm_msg_value *v)
{
    const char *bad = cm_msg_missing(f, v);

    if (bad || !v->set || f->type == CM_F_MSG)
        return bad;
    return cm_msg_is_view(f) ? cm_msg_bad_view(f, v->view) : cm_msg_bad_number(f, v->number);
}

static const char *bad_value(const cm_field *f, const cm_msg_value *v)
{
    const char *bad = NULL;

    if (!cm_msg_repeated(f))
        return bad_one(f, v);
    bad = cm_msg_missing(f, v);
    if (!bad && v->n > f->count)
        bad = "has too many items";
    for (size_t i = 0; !bad && v->set && f->type != CM_F_MSG && i < v->n; i++)
        bad = cm_msg_is_view(f) ? cm_msg_bad_view(f, v->views[i])
                                : cm_msg_bad_number(f, v->numbers[i]);
    return bad;
}

/* The message that the frame's field holds next, or NULL. */
static cm_msg *inner_next(struct cm_msg_frame *f)
{
    const cm_field *field = &f->m->type->fields[f->field];
    const cm_msg_value *v = &f->m->v[f->field];

    if (field->type != CM_F_MSG || !v->set)
        return NULL;
    if (!cm_msg_repeated(field)) {
        f->item++;
        return f->item == 1 ? v->msg : NULL;
    }
    f->item = f->in_items ? f->item + 1 : 0;
    f->in_items = true;
    return f->item < v->n ? v->msgs[f->item] : NULL;
}

cm_err cm_msg_check(const cm_msg *m, cm_msg_fault *fault)
{
    struct cm_msg_frame stack[CM_MSG_DEPTH] = {0};
    size_t depth = 1;

    memcpy(&stack[0].m, &m, sizeof m);
    while (depth > 0) {
        struct cm_msg_frame *f = &stack[depth - 1];
        const char *bad = NULL;
        cm_msg *inner;

        if (f->field == f->m->type->n) {
            depth--;
            continue;
        }
        if (f->item == 0 && !f->in_items)
            bad = bad_value(&f->m->type->fields[f->field], &f->m->v[f->field]);
        inner = bad ? NULL : inner_next(f);
        if (inner && depth == CM_MSG_DEPTH)
            bad = "is nested too deep";
        if (bad)
            return cm_msg_fail(fault, stack, depth, bad, CM_FAIL(MSG_FIELD));
        if (inner) {
            stack[depth++] = (struct cm_msg_frame){.m = inner};
        } else {
            f->field++;
            f->item = 0;
            f->in_items = false;
        }
    }
    return CM_OKAY;
}
