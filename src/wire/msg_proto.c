#include "wire/msg_int.h"
#include "wire/proto_int.h"

/* ---- reading ------------------------------------------------------------------------------ */

enum { UNKNOWN_MAX = 256 };
#define NUMBER_MAX ((1u << 29) - 1)

struct reader {
    cm_arena *a;
    cm_msg_fault *fault;
    struct cm_msg_frame stack[CM_MSG_DEPTH];
    cm_view rest[CM_MSG_DEPTH]; /* of each message, to be read */
    size_t depth, unknown;
};

static cm_err fail(struct reader *r, const char *why)
{
    return cm_msg_fail(r->fault, r->stack, r->depth, why, CM_FAIL(MSG_FIELD));
}

static cm_err malformed(struct reader *r)
{
    return cm_msg_fail(r->fault, r->stack, r->depth, "is not protobuf", CM_FAIL(MSG_MALFORMED));
}

/* Not in a field: of the message around it. */
static cm_err malformed_here(struct reader *r)
{
    return cm_msg_fail(r->fault, r->stack, r->depth - 1, "is not protobuf", CM_FAIL(MSG_MALFORMED));
}

static void skip(cm_view *v, size_t n)
{
    v->p += n;
    v->n -= n;
}

/* At most ten bytes and 64 bits. Longer forms of small numbers are valid: encoders use them to
 * leave room. */
static bool take_varint(uint64_t *out, cm_view *v)
{
    uint64_t x = 0;

    for (size_t i = 0; i < v->n && i < 10; i++) {
        uint64_t seven = v->p[i] & 0x7f;

        if (i == 9 && v->p[i] > 1)
            return false;
        x |= seven << 7 * i;
        if (v->p[i] < 0x80) {
            skip(v, i + 1);
            *out = x;
            return true;
        }
    }
    return false;
}

static bool take_bytes(cm_view *out, cm_view *v)
{
    uint64_t n;

    if (!take_varint(&n, v) || n > v->n)
        return false;
    *out = cm_view_sub(*v, 0, (size_t)n);
    skip(v, (size_t)n);
    return true;
}

static bool take_tag(uint32_t *number, unsigned *wire, cm_view *v)
{
    uint64_t tag;

    if (!take_varint(&tag, v) || tag >> 3 == 0 || tag >> 3 > NUMBER_MAX)
        return false;
    *number = (uint32_t)(tag >> 3);
    *wire = tag & 7;
    return true;
}

/* Groups (3, 4) have been no part of the language since proto3: refused, not skipped. */
static bool skip_value(unsigned wire, cm_view *v)
{
    size_t n = wire == CM_PROTO_FIXED64 ? 8 : 4;
    uint64_t number;
    cm_view bytes;

    if (wire == CM_PROTO_VARINT)
        return take_varint(&number, v);
    if (wire == CM_PROTO_BYTES)
        return take_bytes(&bytes, v);
    if ((wire != CM_PROTO_FIXED64 && wire != CM_PROTO_FIXED32) || v->n < n)
        return false;
    skip(v, n);
    return true;
}

/* Room for one more item; arrays double, so that what is left behind is no more than what is used.
 */
static cm_err grow(struct reader *r, const cm_field *f, cm_msg_value *v, size_t size, void *items)
{
    void *old, *p;

    if (v->n >= f->count)
        return fail(r, "has too many items");
    memcpy(&old, items, sizeof old);
    if (v->n != 0 && (v->n & (v->n - 1)) != 0)
        return CM_OKAY;
    CM_TRY(cm_arena_get(r->a, &p, CM_MIN(v->n ? 2 * v->n : 1, (size_t)f->count) * size));
    if (v->n)
        memcpy(p, old, v->n * size);
    memcpy(items, &p, sizeof p);
    return CM_OKAY;
}

static cm_err set_number(struct reader *r, const cm_field *f, cm_msg_value *v, uint64_t number)
{
    const char *bad;

    if (f->type == CM_F_BOOL)
        number = number != 0;
    bad = cm_msg_bad_number(f, number);
    /* An enum's zero that is not in the table is proto3's "unspecified": as if it were absent. */
    if (bad && f->type == CM_F_ENUM && number == 0 && !cm_msg_repeated(f)) {
        v->set = false;
        return CM_OKAY;
    }
    if (bad)
        return fail(r, bad);
    if (cm_msg_repeated(f)) {
        CM_TRY(grow(r, f, v, sizeof *v->numbers, &v->numbers));
        v->numbers[v->n++] = number;
    } else {
        v->number = number;
    }
    v->set = true;
    return CM_OKAY;
}

static cm_err set_packed(struct reader *r, const cm_field *f, cm_msg_value *v, cm_view packed)
{
    uint64_t number;

    while (packed.n > 0) {
        if (!take_varint(&number, &packed))
            return malformed(r);
        CM_TRY(set_number(r, f, v, number));
    }
    return CM_OKAY;
}

static cm_err set_view(struct reader *r, const cm_field *f, cm_msg_value *v, cm_view view)
{
    const char *bad = cm_msg_bad_view(f, view);

    if (!bad && f->type == CM_F_TEXT && !cm_utf8_valid(view))
        bad = "is not UTF-8";
    if (bad)
        return fail(r, bad);
    if (cm_msg_repeated(f)) {
        CM_TRY(grow(r, f, v, sizeof *v->views, &v->views));
        v->views[v->n++] = view;
    } else {
        v->view = view;
    }
    v->set = true;
    return CM_OKAY;
}

/* A single message that comes twice is merged, as the encoding's specification has it. */
static cm_err set_message(struct reader *r, const cm_field *f, cm_msg_value *v, cm_view bytes)
{
    cm_msg *m = cm_msg_repeated(f) || !v->set ? NULL : v->msg;

    if (r->depth == CM_MSG_DEPTH)
        return fail(r, "is nested too deep");
    if (!m)
        CM_TRY(cm_msg_new(&m, r->a, f->message));
    if (cm_msg_repeated(f)) {
        CM_TRY(grow(r, f, v, sizeof(cm_msg *), &v->msgs));
        v->msgs[v->n++] = m;
        r->stack[r->depth - 1].in_items = true;
        r->stack[r->depth - 1].item = v->n - 1;
    } else {
        v->msg = m;
    }
    v->set = true;
    r->stack[r->depth] = (struct cm_msg_frame){.m = m};
    r->rest[r->depth] = bytes;
    r->depth++;
    return CM_OKAY;
}

static cm_err read_known(struct reader *r, const cm_field *f, unsigned wire, cm_view *rest)
{
    struct cm_msg_frame *at = &r->stack[r->depth - 1];
    cm_msg_value *v = &at->m->v[at->field];
    bool number = !cm_msg_is_view(f) && f->type != CM_F_MSG;
    uint64_t n;
    cm_view bytes;

    at->in_items = false;
    if (wire == CM_PROTO_VARINT && number)
        return take_varint(&n, rest) ? set_number(r, f, v, n) : malformed(r);
    if (wire != CM_PROTO_BYTES || (number && !cm_msg_repeated(f)))
        return fail(r, "is of another type");
    if (!take_bytes(&bytes, rest))
        return malformed(r);
    if (number)
        return set_packed(r, f, v, bytes);
    return f->type == CM_F_MSG ? set_message(r, f, v, bytes) : set_view(r, f, v, bytes);
}

/* Fields mostly come in the order of the table: the search begins where the last one was. */
static const cm_field *find(struct cm_msg_frame *at, uint32_t number)
{
    const cm_message *t = at->m->type;

    for (size_t i = 0, f = at->field; i < t->n; i++, f++) {
        if (f >= t->n)
            f = 0;
        if (t->fields[f].number == number) {
            at->field = f;
            return &t->fields[f];
        }
    }
    return NULL;
}

static cm_err read_field(struct reader *r)
{
    cm_view *rest = &r->rest[r->depth - 1];
    const cm_field *f;
    uint32_t number;
    unsigned wire;

    if (!take_tag(&number, &wire, rest))
        return malformed_here(r);
    f = find(&r->stack[r->depth - 1], number);
    if (f)
        return read_known(r, f, wire, rest);
    if (++r->unknown > UNKNOWN_MAX)
        return cm_msg_fail(r->fault, r->stack, r->depth - 1, "has too many unknown fields",
                           CM_FAIL(MSG_LIMIT));
    return skip_value(wire, rest) ? CM_OKAY : malformed_here(r);
}

cm_err cm_msg_from_proto(cm_msg **out, cm_arena *a, const cm_message *type, cm_view bytes,
                         cm_msg_fault *fault)
{
    struct reader r = {.a = a, .fault = fault, .depth = 1};
    cm_msg *m;

    CM_TRY(cm_msg_new(&m, a, type));
    r.stack[0].m = m;
    r.rest[0] = bytes;
    while (r.depth > 0) {
        if (r.rest[r.depth - 1].n > 0)
            CM_TRY(read_field(&r));
        else
            r.depth--;
    }
    /* Only now: what is missing in one piece of a message may come with the next. */
    CM_TRY(cm_msg_check(m, fault));
    *out = m;
    return CM_OKAY;
}

/* ---- writing ------------------------------------------------------------------------------ */

static cm_err put_packed(cm_buf *b, const cm_field *f, const cm_msg_value *v)
{
    size_t n = 0;
    uint8_t p[10];

    for (size_t i = 0; i < v->n; i++)
        n += cm_proto_varint(p, v->numbers[i]);
    CM_TRY(cm_proto_put_tag(b, f->number, CM_PROTO_BYTES));
    CM_TRY(cm_proto_put_varint(b, n));
    for (size_t i = 0; i < v->n; i++)
        CM_TRY(cm_proto_put_varint(b, v->numbers[i]));
    return CM_OKAY;
}

static cm_err put_plain(cm_buf *b, const cm_field *f, const cm_msg_value *v)
{
    if (cm_msg_is_view(f) && cm_msg_repeated(f)) {
        for (size_t i = 0; i < v->n; i++)
            CM_TRY(cm_proto_put_view(b, f->number, v->views[i]));
        return CM_OKAY;
    }
    if (cm_msg_is_view(f))
        return cm_proto_put_view(b, f->number, v->view);
    if (cm_msg_repeated(f))
        return put_packed(b, f, v);
    return cm_proto_put_number(b, f->number, v->number);
}

struct writer {
    struct cm_msg_frame stack[CM_MSG_DEPTH];
    size_t begin[CM_MSG_DEPTH];
    size_t depth;
};

static cm_err open_inner(cm_buf *b, struct writer *w, const cm_field *f, cm_msg *m)
{
    if (w->depth == CM_MSG_DEPTH)
        return CM_FAIL(MSG_LIMIT);
    CM_TRY(cm_proto_open(b, f->number, &w->begin[w->depth]));
    w->stack[w->depth] = (struct cm_msg_frame){.m = m};
    w->depth++;
    return CM_OKAY;
}

static cm_msg *take_only(struct cm_msg_frame *at, const cm_msg_value *v)
{
    at->item++;
    return v->msg;
}

static cm_err write_field(cm_buf *b, struct writer *w)
{
    struct cm_msg_frame *at = &w->stack[w->depth - 1];
    const cm_field *f = &at->m->type->fields[at->field];
    const cm_msg_value *v = &at->m->v[at->field];
    size_t count = !v->set ? 0 : cm_msg_repeated(f) ? v->n : 1;

    if (f->type == CM_F_MSG && at->item < count)
        return open_inner(b, w, f, cm_msg_repeated(f) ? v->msgs[at->item++] : take_only(at, v));
    at->field++;
    at->item = 0;
    return f->type == CM_F_MSG || count == 0 ? CM_OKAY : put_plain(b, f, v);
}

/* About what the message's own fields take, so that they find room without growing for each. */
static size_t own_size(const cm_msg *m)
{
    size_t n = 0;

    for (size_t i = 0; i < m->type->n; i++)
        if (m->v[i].set && cm_msg_is_view(&m->type->fields[i]) &&
            !cm_msg_repeated(&m->type->fields[i]))
            n += m->v[i].view.n + 12;
        else if (m->v[i].set)
            n += 12;
    return n;
}

cm_err cm_msg_to_proto(cm_buf *out, const cm_msg *m)
{
    struct writer w = {.depth = 1};
    size_t before = out->n, room = own_size(m);
    cm_err e = CM_OKAY;

    if (room <= out->max - out->n)
        CM_TRY(cm_buf_reserve(out, room));
    memcpy(&w.stack[0].m, &m, sizeof m);
    while (w.depth > 0 && cm_ok(e)) {
        if (w.stack[w.depth - 1].field < w.stack[w.depth - 1].m->type->n) {
            e = write_field(out, &w);
        } else {
            w.depth--;
            e = w.depth ? cm_proto_close(out, w.begin[w.depth]) : CM_OKAY;
        }
    }
    if (cm_failed(e))
        out->n = before;
    return e;
}
