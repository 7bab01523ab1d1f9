/* A table of methods as a .proto file, and as the descriptor that reflection hands out
 * (google/protobuf/descriptor.proto; numbers below are its field numbers). */
#include "wire/grpc_int.h"
#include "wire/msg_int.h"
#include "wire/proto_int.h"

static const cm_message none = {"Empty", NULL, 0, "No fields."};

const cm_message *cm_grpc_message(const cm_message *m)
{
    return m ? m : &none;
}

static cm_err collect(struct cm_grpc_messages *all, const cm_grpc_table *t)
{
    all->n = 0;
    for (size_t i = 0; i < t->n; i++) {
        CM_TRY(cm_msg_collect(all->list, &all->n, CM_COUNT(all->list),
                              cm_grpc_message(t->methods[i].request)));
        CM_TRY(cm_msg_collect(all->list, &all->n, CM_COUNT(all->list),
                              cm_grpc_message(t->methods[i].answer)));
    }
    for (size_t i = 0; i < all->n; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(all->list[i]->name, all->list[k]->name) == 0)
                return CM_FAIL(BAD_ARGUMENT);
    return CM_OKAY;
}

/* Whether method i is the first of its service. */
bool cm_grpc_first(const cm_grpc_table *t, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(t->methods[k].service, t->methods[i].service) == 0)
            return false;
    return true;
}

/* ---- .proto ------------------------------------------------------------------------------- */

static cm_err put(cm_buf *out, const char *const *texts)
{
    for (; *texts; texts++)
        CM_TRY(cm_buf_append(out, cm_view_str(*texts)));
    return CM_OKAY;
}

#define PUT(out, ...) put(out, (const char *const[]){__VA_ARGS__, NULL})

static cm_err put_method(cm_buf *out, const cm_grpc_method *m)
{
    if (m->doc)
        CM_TRY(PUT(out, "  // ", m->doc, "\n"));
    return PUT(out, "  rpc ", m->method, "(", m->client_streaming ? "stream " : "",
               cm_grpc_message(m->request)->name, ") returns (", m->streaming ? "stream " : "",
               cm_grpc_message(m->answer)->name, ");\n");
}

static cm_err put_service(cm_buf *out, const cm_grpc_table *t, const char *service)
{
    CM_TRY(PUT(out, "\nservice ", service, " {\n"));
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->methods[i].service, service) == 0)
            CM_TRY(put_method(out, &t->methods[i]));
    return PUT(out, "}\n");
}

cm_err cm_grpc_describe_proto(cm_buf *out, const cm_grpc_table *t)
{
    struct cm_grpc_messages all;

    CM_TRY(collect(&all, t));
    CM_TRY(PUT(out, "syntax = \"proto3\";\n\npackage ", t->package, ";\n"));
    for (size_t i = 0; i < t->n; i++)
        if (cm_grpc_first(t, i))
            CM_TRY(put_service(out, t, t->methods[i].service));
    for (size_t i = 0; i < all.n; i++) {
        CM_TRY(PUT(out, "\n"));
        CM_TRY(cm_msg_describe_proto(out, all.list[i]));
    }
    return CM_OKAY;
}

/* ---- descriptors -------------------------------------------------------------------------- */

/* Number in the message around, fields by number in it. */
struct writer {
    cm_buf *b;
    const char *package;
};

static cm_err put_type_name(struct writer *w, uint32_t number, const char *outer, const char *inner,
                            bool camel)
{
    size_t begin;

    CM_TRY(cm_proto_open(w->b, number, &begin));
    CM_TRY(PUT(w->b, ".", w->package, ".", outer));
    if (inner) {
        CM_TRY(PUT(w->b, "."));
        CM_TRY(camel ? cm_msg_camel(w->b, inner) : PUT(w->b, inner));
    }
    return cm_proto_close(w->b, begin);
}

static cm_err put_enum_value(struct writer *w, const cm_field *f, const cm_enum_value *v)
{
    size_t begin, name;

    CM_TRY(cm_proto_open(w->b, 2, &begin));
    CM_TRY(cm_proto_open(w->b, 1, &name));
    CM_TRY(cm_msg_value_name(w->b, f, v));
    CM_TRY(cm_proto_close(w->b, name));
    CM_TRY(cm_proto_put_number(w->b, 2, v ? v->number : 0));
    return cm_proto_close(w->b, begin);
}

static cm_err put_enum(struct writer *w, const cm_field *f)
{
    size_t begin, name;

    CM_TRY(cm_proto_open(w->b, 4, &begin));
    CM_TRY(cm_proto_open(w->b, 1, &name));
    CM_TRY(cm_msg_camel(w->b, f->name));
    CM_TRY(cm_proto_close(w->b, name));
    CM_TRY(put_enum_value(w, f, cm_msg_enum_by_number(f, 0)));
    for (const cm_enum_value *v = f->values; v->name; v++)
        if (v->number != 0)
            CM_TRY(put_enum_value(w, f, v));
    return cm_proto_close(w->b, begin);
}

static uint64_t type_of(const cm_field *f)
{
    static const uint8_t types[] = {
        [CM_F_TEXT] = 9, [CM_F_BYTES] = 12, [CM_F_U64] = 4,
        [CM_F_BOOL] = 8, [CM_F_ENUM] = 14,  [CM_F_MSG] = 11,
    };

    return types[f->type];
}

/* proto3's optional is a oneof of its own. */
static bool is_optional(const cm_field *f)
{
    return !cm_msg_repeated(f) && f->type != CM_F_MSG;
}

static cm_err put_field(struct writer *w, const cm_message *m, const cm_field *f, uint64_t *oneofs)
{
    size_t begin;

    CM_TRY(cm_proto_open(w->b, 2, &begin));
    CM_TRY(cm_proto_put_text(w->b, 1, f->name));
    CM_TRY(cm_proto_put_number(w->b, 3, f->number));
    CM_TRY(cm_proto_put_number(w->b, 4, cm_msg_repeated(f) ? 3 : 1));
    CM_TRY(cm_proto_put_number(w->b, 5, type_of(f)));
    if (f->type == CM_F_ENUM)
        CM_TRY(put_type_name(w, 6, m->name, f->name, true));
    if (f->type == CM_F_MSG)
        CM_TRY(put_type_name(w, 6, f->message->name, NULL, false));
    if (is_optional(f)) {
        CM_TRY(cm_proto_put_number(w->b, 9, (*oneofs)++));
        CM_TRY(cm_proto_put_number(w->b, 17, 1));
    }
    return cm_proto_close(w->b, begin);
}

static cm_err put_oneof(struct writer *w, const cm_field *f)
{
    size_t begin, name;

    CM_TRY(cm_proto_open(w->b, 8, &begin));
    CM_TRY(cm_proto_open(w->b, 1, &name));
    CM_TRY(PUT(w->b, "_", f->name));
    CM_TRY(cm_proto_close(w->b, name));
    return cm_proto_close(w->b, begin);
}

static cm_err put_message(struct writer *w, const cm_message *m)
{
    uint64_t oneofs = 0;
    size_t begin;

    CM_TRY(cm_proto_open(w->b, 4, &begin));
    CM_TRY(cm_proto_put_text(w->b, 1, m->name));
    for (size_t i = 0; i < m->n; i++)
        CM_TRY(put_field(w, m, &m->fields[i], &oneofs));
    for (size_t i = 0; i < m->n; i++)
        if (m->fields[i].type == CM_F_ENUM)
            CM_TRY(put_enum(w, &m->fields[i]));
    for (size_t i = 0; i < m->n; i++)
        if (is_optional(&m->fields[i]))
            CM_TRY(put_oneof(w, &m->fields[i]));
    return cm_proto_close(w->b, begin);
}

static cm_err put_service_method(struct writer *w, const cm_grpc_method *m)
{
    size_t begin;

    CM_TRY(cm_proto_open(w->b, 2, &begin));
    CM_TRY(cm_proto_put_text(w->b, 1, m->method));
    CM_TRY(put_type_name(w, 2, cm_grpc_message(m->request)->name, NULL, false));
    CM_TRY(put_type_name(w, 3, cm_grpc_message(m->answer)->name, NULL, false));
    if (m->client_streaming)
        CM_TRY(cm_proto_put_number(w->b, 5, 1));
    if (m->streaming)
        CM_TRY(cm_proto_put_number(w->b, 6, 1));
    return cm_proto_close(w->b, begin);
}

static cm_err put_service_descriptor(struct writer *w, const cm_grpc_table *t, const char *service)
{
    size_t begin;

    CM_TRY(cm_proto_open(w->b, 6, &begin));
    CM_TRY(cm_proto_put_text(w->b, 1, service));
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->methods[i].service, service) == 0)
            CM_TRY(put_service_method(w, &t->methods[i]));
    return cm_proto_close(w->b, begin);
}

cm_err cm_grpc_descriptor(cm_buf *out, const cm_grpc_table *t)
{
    struct cm_grpc_messages all;
    struct writer w = {out, t->package};

    CM_TRY(collect(&all, t));
    CM_TRY(cm_proto_put_text(out, 1, t->file));
    CM_TRY(cm_proto_put_text(out, 2, t->package));
    for (size_t i = 0; i < all.n; i++)
        CM_TRY(put_message(&w, all.list[i]));
    for (size_t i = 0; i < t->n; i++)
        if (cm_grpc_first(t, i))
            CM_TRY(put_service_descriptor(&w, t, t->methods[i].service));
    return cm_proto_put_text(out, 12, "proto3");
}

/* ---- names -------------------------------------------------------------------------------- */

/* Advances v behind text and the dot or slash that follows; false when they are not there. */
static bool skip(cm_view *v, const char *text, char then)
{
    size_t n = strlen(text);

    if (v->n < n || !cm_view_eq(cm_view_sub(*v, 0, n), cm_view_of(text, n)))
        return false;
    if (v->n > n && v->p[n] != (uint8_t)then)
        return false;
    *v = v->n > n ? cm_view_sub(*v, n + 1, v->n - n - 1) : cm_view_of(NULL, 0);
    return true;
}

const cm_grpc_method *cm_grpc_find(const cm_grpc_table *t, cm_view path)
{
    if (path.n == 0 || path.p[0] != '/')
        return NULL;
    path = cm_view_sub(path, 1, path.n - 1);
    if (!skip(&path, t->package, '.'))
        return NULL;
    for (size_t i = 0; i < t->n; i++) {
        cm_view rest = path;

        if (skip(&rest, t->methods[i].service, '/') &&
            cm_view_eq(rest, cm_view_str(t->methods[i].method)))
            return &t->methods[i];
    }
    return NULL;
}

static bool in_service(const cm_grpc_table *t, cm_view symbol)
{
    for (size_t i = 0; i < t->n; i++) {
        cm_view rest = symbol;

        if (skip(&rest, t->methods[i].service, '.') &&
            (rest.n == 0 || cm_view_eq(rest, cm_view_str(t->methods[i].method))))
            return true;
    }
    return false;
}

static bool in_message(const cm_message *m, cm_view symbol)
{
    if (!skip(&symbol, m->name, '.'))
        return false;
    for (size_t i = 0; i < m->n && symbol.n > 0; i++)
        if (cm_view_eq(symbol, cm_view_str(m->fields[i].name)))
            return true;
    return symbol.n == 0;
}

bool cm_grpc_defines(const cm_grpc_table *t, cm_view symbol)
{
    struct cm_grpc_messages all;

    if (!skip(&symbol, t->package, '.') || symbol.n == 0)
        return false;
    if (in_service(t, symbol))
        return true;
    if (cm_failed(collect(&all, t)))
        return false;
    for (size_t i = 0; i < all.n; i++)
        if (in_message(all.list[i], symbol))
            return true;
    return false;
}
