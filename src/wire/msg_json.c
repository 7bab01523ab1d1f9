#include "wire/msg_int.h"

/* ---- reading ------------------------------------------------------------------------------ */

struct reader {
    cm_arena *a;
    cm_msg_fault *fault;
    struct cm_msg_frame stack[CM_MSG_DEPTH];
    const cm_json_node *member[CM_MSG_DEPTH]; /* to be read next */
    const cm_json_node *item[CM_MSG_DEPTH];   /* of a list of messages: to be read next */
    size_t depth;
};

static cm_err fail(struct reader *r, const char *why)
{
    return cm_msg_fail(r->fault, r->stack, r->depth, why, CM_FAIL(MSG_FIELD));
}

static const char *view_of(cm_view *out, struct reader *r, const cm_field *f, const cm_json_node *n,
                           cm_err *e)
{
    cm_view text;

    if (cm_failed(cm_json_string(n, &text)))
        return "is not a string";
    if (f->type == CM_F_TEXT) {
        *out = text;
        return cm_msg_bad_view(f, text);
    }
    if (text.n / 4 * 3 > (size_t)f->max + 3)
        return "is too long";
    *e = cm_msg_base64(out, r->a, text, false);
    if (cm_is(*e, CM_BASE64_MALFORMED))
        return "is not base64";
    return cm_ok(*e) ? cm_msg_bad_view(f, *out) : NULL;
}

static const char *whole_number(uint64_t *out, const cm_json_node *n)
{
    cm_view text;

    if (cm_ok(cm_json_u64(n, out)))
        return NULL;
    if (cm_ok(cm_json_string(n, &text)) && cm_ok(cm_dec_u64(out, text)))
        return NULL;
    return "is not a whole number";
}

static const char *number_of(uint64_t *out, const cm_field *f, const cm_json_node *n)
{
    const cm_enum_value *v;
    const char *bad;
    cm_view text;
    bool yes;

    if (f->type == CM_F_U64) {
        bad = whole_number(out, n);
        return bad ? bad : cm_msg_bad_number(f, *out);
    }
    if (f->type == CM_F_BOOL) {
        if (cm_failed(cm_json_bool(n, &yes)))
            return "is neither true nor false";
        *out = yes;
        return NULL;
    }
    v = cm_ok(cm_json_string(n, &text)) ? cm_msg_enum_by_name(f, text) : NULL;
    if (!v)
        return "is none of its values";
    *out = v->number;
    return NULL;
}

static cm_err read_one(struct reader *r, const cm_field *f, const cm_json_node *n, cm_view *view,
                       uint64_t *number)
{
    cm_err e = CM_OKAY;
    const char *bad = cm_msg_is_view(f) ? view_of(view, r, f, n, &e) : number_of(number, f, n);

    if (bad)
        return fail(r, bad);
    return e;
}

static cm_err read_items(struct reader *r, const cm_field *f, const cm_json_node *n,
                         cm_msg_value *v)
{
    struct cm_msg_frame *at = &r->stack[r->depth - 1];
    size_t count = cm_json_size(n);

    if (cm_msg_is_view(f))
        CM_TRY(cm_arena_get(r->a, &v->views, count * sizeof *v->views));
    else
        CM_TRY(cm_arena_get(r->a, &v->numbers, count * sizeof *v->numbers));
    at->in_items = true;
    at->item = 0;
    for (const cm_json_node *i = cm_json_first(n); i; i = cm_json_next(i), at->item++)
        CM_TRY(read_one(r, f, i, cm_msg_is_view(f) ? &v->views[at->item] : NULL,
                        cm_msg_is_view(f) ? NULL : &v->numbers[at->item]));
    at->in_items = false;
    return CM_OKAY;
}

static cm_err push(struct reader *r, const cm_message *type, const cm_json_node *n, cm_msg **out)
{
    if (cm_json_type_of(n) != CM_JSON_OBJECT)
        return fail(r, "is not an object");
    if (r->depth == CM_MSG_DEPTH)
        return fail(r, "is nested too deep");
    CM_TRY(cm_msg_new(out, r->a, type));
    r->stack[r->depth] = (struct cm_msg_frame){.m = *out};
    r->member[r->depth] = cm_json_first(n);
    r->item[r->depth] = NULL;
    r->depth++;
    return CM_OKAY;
}

/* The field's messages are read by further rounds of the walk. */
static cm_err begin_messages(struct reader *r, const cm_json_node *n, cm_msg_value *v)
{
    struct cm_msg_frame *at = &r->stack[r->depth - 1];

    CM_TRY(cm_arena_get(r->a, &v->msgs, cm_json_size(n) * sizeof *v->msgs));
    r->item[r->depth - 1] = cm_json_first(n);
    at->in_items = true;
    at->item = 0;
    return CM_OKAY;
}

static cm_err read_list(struct reader *r, const cm_field *f, const cm_json_node *n, cm_msg_value *v)
{
    if (cm_json_type_of(n) != CM_JSON_ARRAY)
        return fail(r, "is not a list");
    if (cm_json_size(n) > f->count)
        return fail(r, "has too many items");
    if (cm_json_size(n) == 0)
        return CM_OKAY;
    if (f->type == CM_F_MSG)
        CM_TRY(begin_messages(r, n, v));
    else
        CM_TRY(read_items(r, f, n, v));
    v->n = cm_json_size(n);
    v->set = true;
    return CM_OKAY;
}

static cm_err unknown(struct reader *r, cm_view key)
{
    cm_msg_fault *f = r->fault;
    size_t n;

    if (f) {
        n = CM_MIN(key.n, sizeof f->field - 1);
        n = cm_utf8_prefix(cm_view_sub(key, 0, n));
        memcpy(f->field, key.p, n);
        f->field[n] = 0;
        f->why = "is not known here";
    }
    return CM_FAIL(MSG_UNKNOWN);
}

/* Members mostly stand in the order of the fields: the search begins behind the last one found. */
static bool find(struct cm_msg_frame *at, cm_view key)
{
    const cm_message *t = at->m->type;

    for (size_t i = 0, f = at->field; i < t->n; i++, f = f + 1 < t->n ? f + 1 : 0) {
        if (cm_view_eq(cm_view_str(t->fields[f].name), key)) {
            at->field = f;
            return true;
        }
    }
    return false;
}

static cm_err read_member(struct reader *r, const cm_json_node *n)
{
    struct cm_msg_frame *at = &r->stack[r->depth - 1];
    const cm_field *f;
    cm_msg_value *v;

    if (!find(at, cm_json_key(n)))
        return unknown(r, cm_json_key(n));
    f = &at->m->type->fields[at->field];
    v = &at->m->v[at->field];
    if (cm_json_type_of(n) == CM_JSON_NULL)
        return CM_OKAY;
    if (cm_msg_repeated(f))
        return read_list(r, f, n, v);
    v->set = true;
    if (f->type == CM_F_MSG)
        return push(r, f->message, n, &v->msg);
    return read_one(r, f, n, &v->view, &v->number);
}

/* Path fields may come later: cm_msg_check() is asked for them then. */
static cm_err end_message(struct reader *r)
{
    struct cm_msg_frame *at = &r->stack[r->depth - 1];
    const cm_message *t = at->m->type;

    for (at->field = 0; at->field < t->n; at->field++) {
        const char *bad = cm_msg_missing(&t->fields[at->field], &at->m->v[at->field]);

        if (bad && !(t->fields[at->field].flags & (CM_FF_PATH | CM_FF_QUERY)))
            return fail(r, bad);
    }
    r->depth--;
    return CM_OKAY;
}

static cm_err read_item(struct reader *r)
{
    struct cm_msg_frame *at = &r->stack[r->depth - 1];
    const cm_json_node *n = r->item[r->depth - 1];
    cm_msg_value *v = &at->m->v[at->field];

    r->item[r->depth - 1] = cm_json_next(n);
    at->item += v->msgs[at->item] != NULL;
    return push(r, at->m->type->fields[at->field].message, n, &v->msgs[at->item]);
}

static cm_err walk(struct reader *r)
{
    while (r->depth > 0) {
        size_t top = r->depth - 1;
        const cm_json_node *n = r->member[top];

        if (r->item[top]) {
            CM_TRY(read_item(r));
            continue;
        }
        r->stack[top].in_items = false;
        if (n) {
            r->member[top] = cm_json_next(n);
            CM_TRY(read_member(r, n));
        } else {
            CM_TRY(end_message(r));
        }
    }
    return CM_OKAY;
}

cm_err cm_msg_from_json(cm_msg **out, cm_arena *a, const cm_message *type, cm_view json,
                        cm_msg_fault *fault)
{
    const cm_json_limits limits = {
        .bytes = json.n + 1, .depth = 2 * CM_MSG_DEPTH, .string = json.n + 1};
    struct reader r = {.a = a, .fault = fault};
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    uint8_t *text;
    cm_msg *m;
    cm_err e;

    CM_TRY(cm_arena_get(a, &text, json.n));
    if (json.n)
        memcpy(text, json.p, json.n);
    e = cm_json_parse_in_place(&j, text, json.n, &limits, NULL);
    if (cm_failed(e))
        return cm_msg_fail(fault, NULL, 0, "the body is not the JSON it should be", e);
    CM_TRY(push(&r, type, cm_json_root(j), &m));
    CM_TRY(walk(&r));
    *out = m;
    return CM_OKAY;
}

/* ---- writing ------------------------------------------------------------------------------ */

static void put_one(cm_json_writer *w, const cm_field *f, cm_view view, uint64_t number)
{
    const cm_enum_value *v;

    switch (f->type) {
    case CM_F_TEXT:
        cm_json_put_text(w, NULL, view);
        break;
    case CM_F_BYTES:
        cm_json_put_base64(w, NULL, view);
        break;
    case CM_F_U64:
        cm_json_put_u64(w, NULL, number);
        break;
    case CM_F_BOOL:
        cm_json_put_bool(w, NULL, number);
        break;
    default:
        v = cm_msg_enum_by_number(f, number);
        if (v)
            cm_json_put_text(w, NULL, cm_view_str(v->name));
        else if (cm_ok(w->err))
            w->err = CM_FAIL(MSG_FIELD);
        break;
    }
}

static void put_items(cm_json_writer *w, const cm_field *f, const cm_msg_value *v)
{
    cm_json_begin_array(w, NULL);
    for (size_t i = 0; i < v->n; i++)
        put_one(w, f, cm_msg_is_view(f) ? v->views[i] : cm_view_of(NULL, 0),
                cm_msg_is_view(f) ? 0 : v->numbers[i]);
    cm_json_end_array(w);
}

/* The frame's field, or its beginning when it holds messages: the next of them, else NULL. */
static cm_msg *put_field(cm_json_writer *w, struct cm_msg_frame *at)
{
    const cm_field *f = &at->m->type->fields[at->field];
    const cm_msg_value *v = &at->m->v[at->field];

    if (!at->in_items) {
        if (!v->set)
            return NULL;
        cm_json_put_key(w, cm_view_str(f->name));
    }
    if (f->type != CM_F_MSG) {
        if (cm_msg_repeated(f))
            put_items(w, f, v);
        else
            put_one(w, f, cm_msg_is_view(f) ? v->view : cm_view_of(NULL, 0),
                    cm_msg_is_view(f) ? 0 : v->number);
        return NULL;
    }
    if (!cm_msg_repeated(f)) {
        at->field++;
        return v->msg;
    }
    if (!at->in_items)
        cm_json_begin_array(w, NULL);
    at->in_items = true;
    if (at->item < v->n)
        return v->msgs[at->item++];
    cm_json_end_array(w);
    return NULL;
}

cm_err cm_msg_put_json(cm_json_writer *w, const cm_msg *m)
{
    struct cm_msg_frame stack[CM_MSG_DEPTH] = {0};
    size_t depth = 1;

    memcpy(&stack[0].m, &m, sizeof m);
    cm_json_begin_object(w, NULL);
    while (depth > 0 && cm_ok(w->err)) {
        struct cm_msg_frame *at = &stack[depth - 1];
        cm_msg *inner;

        if (at->field == at->m->type->n) {
            cm_json_end_object(w);
            depth--;
            continue;
        }
        inner = put_field(w, at);
        if (inner) {
            if (depth == CM_MSG_DEPTH)
                return CM_FAIL(MSG_LIMIT);
            stack[depth++] = (struct cm_msg_frame){.m = inner};
            cm_json_begin_object(w, NULL);
        } else {
            at->field++;
            at->item = 0;
            at->in_items = false;
        }
    }
    return w->err;
}

cm_err cm_msg_to_json(cm_buf *out, const cm_msg *m)
{
    cm_json_writer w = {.out = out};

    CM_TRY(cm_msg_put_json(&w, m));
    return cm_json_finish(&w);
}
