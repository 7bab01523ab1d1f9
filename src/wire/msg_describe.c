#include "wire/msg_int.h"

/* ---- names -------------------------------------------------------------------------------- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static uint8_t upper(char c)
{
    return (uint8_t)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
}

cm_err cm_msg_camel(cm_buf *out, const char *name)
{
    bool first = true;

    for (; *name; name++) {
        if (is_letter(*name) || is_digit(*name))
            CM_TRY(cm_buf_byte(out, first ? upper(*name) : (uint8_t)*name));
        first = !is_letter(*name);
    }
    return CM_OKAY;
}

cm_err cm_msg_upper(cm_buf *out, const char *name)
{
    for (; *name; name++)
        CM_TRY(cm_buf_byte(out, is_letter(*name) || is_digit(*name) ? upper(*name) : '_'));
    return CM_OKAY;
}

static bool all_upper(const char *name)
{
    for (; *name; name++)
        if (*name >= 'a' && *name <= 'z')
            return false;
    return true;
}

/* Values share a scope with their siblings in C++: the field's name goes in front of them. Names in
 * capitals are of another's .proto and stay as they are. */
cm_err cm_msg_value_name(cm_buf *out, const cm_field *f, const cm_enum_value *v)
{
    if (v && all_upper(v->name))
        return cm_buf_append(out, cm_view_str(v->name));
    CM_TRY(cm_msg_upper(out, f->name));
    CM_TRY(cm_buf_byte(out, '_'));
    return cm_msg_upper(out, v ? v->name : "unspecified");
}

/* ---- which ones --------------------------------------------------------------------------- */

static bool has(const cm_message *const *list, size_t n, const cm_message *m)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == m)
            return true;
    return false;
}

cm_err cm_msg_collect(const cm_message **out, size_t *n, size_t max, const cm_message *root)
{
    size_t done = *n, count = *n;

    if (has(out, count, root))
        return CM_OKAY;
    if (count == max)
        return CM_FAIL(MSG_LIMIT);
    out[count++] = root;
    for (; done < count; done++) {
        const cm_message *m = out[done];

        for (size_t i = 0; i < m->n; i++) {
            const cm_message *inner = m->fields[i].type == CM_F_MSG ? m->fields[i].message : NULL;

            if (!inner || has(out, count, inner))
                continue;
            if (count == max)
                return CM_FAIL(MSG_LIMIT);
            out[count++] = inner;
        }
    }
    *n = count;
    return CM_OKAY;
}

/* ---- .proto ------------------------------------------------------------------------------- */

static cm_err put(cm_buf *out, const char *text)
{
    return cm_buf_append(out, cm_view_str(text));
}

static cm_err put_number(cm_buf *out, uint64_t n)
{
    uint8_t text[20];
    size_t at = sizeof text;

    do
        text[--at] = (uint8_t)('0' + n % 10);
    while (n /= 10);
    return cm_buf_append(out, cm_view_of(text + at, sizeof text - at));
}

static cm_err put_doc(cm_buf *out, const char *indent, const char *doc)
{
    if (!doc)
        return CM_OKAY;
    CM_TRY(put(out, indent));
    CM_TRY(put(out, "// "));
    CM_TRY(put(out, doc));
    return put(out, "\n");
}

static cm_err put_value(cm_buf *out, const cm_field *f, const cm_enum_value *v)
{
    CM_TRY(put(out, "    "));
    CM_TRY(cm_msg_value_name(out, f, v));
    CM_TRY(put(out, " = "));
    CM_TRY(put_number(out, v ? v->number : 0));
    return put(out, ";\n");
}

/* proto3 wants a zero, and wants it first. */
static cm_err put_enum(cm_buf *out, const cm_field *f)
{
    CM_TRY(put(out, "  enum "));
    CM_TRY(cm_msg_camel(out, f->name));
    CM_TRY(put(out, " {\n"));
    CM_TRY(put_value(out, f, cm_msg_enum_by_number(f, 0)));
    for (const cm_enum_value *v = f->values; v->name; v++)
        if (v->number != 0)
            CM_TRY(put_value(out, f, v));
    return put(out, "  }\n");
}

static cm_err put_type(cm_buf *out, const cm_field *f)
{
    switch (f->type) {
    case CM_F_TEXT:
        return put(out, "string");
    case CM_F_BYTES:
        return put(out, "bytes");
    case CM_F_U64:
        return put(out, "uint64");
    case CM_F_BOOL:
        return put(out, "bool");
    case CM_F_ENUM:
        return cm_msg_camel(out, f->name);
    default:
        return put(out, f->message->name);
    }
}

static cm_err put_field(cm_buf *out, const cm_field *f)
{
    CM_TRY(put_doc(out, "  ", f->doc));
    CM_TRY(put(out, "  "));
    if (cm_msg_repeated(f))
        CM_TRY(put(out, "repeated "));
    else if (f->type != CM_F_MSG)
        CM_TRY(put(out, "optional "));
    CM_TRY(put_type(out, f));
    CM_TRY(put(out, " "));
    CM_TRY(put(out, f->name));
    CM_TRY(put(out, " = "));
    CM_TRY(put_number(out, f->number));
    return put(out, ";\n");
}

cm_err cm_msg_describe_proto(cm_buf *out, const cm_message *type)
{
    CM_TRY(put_doc(out, "", type->doc));
    CM_TRY(put(out, "message "));
    CM_TRY(put(out, type->name));
    CM_TRY(put(out, " {\n"));
    for (size_t i = 0; i < type->n; i++)
        if (type->fields[i].type == CM_F_ENUM)
            CM_TRY(put_enum(out, &type->fields[i]));
    for (size_t i = 0; i < type->n; i++)
        CM_TRY(put_field(out, &type->fields[i]));
    return put(out, "}\n");
}

/* ---- OpenAPI ------------------------------------------------------------------------------ */

static void describe_number(cm_json_writer *w, const cm_field *f)
{
    cm_json_put_text(w, "type", CM_LIT("integer"));
    cm_json_put_text(w, "format", CM_LIT("uint64"));
    cm_json_put_u64(w, "minimum", 0);
    cm_json_put_u64(w, "maximum", f->max ? f->max : UINT64_MAX);
}

static void describe_text(cm_json_writer *w, const cm_field *f)
{
    cm_json_put_text(w, "type", CM_LIT("string"));
    if (f->type == CM_F_BYTES)
        cm_json_put_text(w, "contentEncoding", CM_LIT("base64"));
    if (f->flags & CM_FF_REQUIRED)
        cm_json_put_u64(w, "minLength", 1);
    cm_json_put_u64(w, "maxLength",
                    f->type == CM_F_BYTES ? ((uint64_t)f->max + 2) / 3 * 4 : f->max);
}

static void describe_enum(cm_json_writer *w, const cm_field *f)
{
    cm_json_put_text(w, "type", CM_LIT("string"));
    cm_json_begin_array(w, "enum");
    for (const cm_enum_value *v = f->values; v->name; v++)
        cm_json_put_text(w, NULL, cm_view_str(v->name));
    cm_json_end_array(w);
}

static void describe_reference(cm_json_writer *w, const cm_message *m)
{
    uint8_t space[160];
    cm_buf b = {.p = space, .cap = sizeof space, .max = sizeof space};
    cm_err e = cm_buf_append(&b, CM_LIT("#/components/schemas/"));

    if (cm_ok(e))
        e = cm_buf_append(&b, cm_view_str(m->name));
    if (cm_failed(e) && cm_ok(w->err))
        w->err = e;
    cm_json_put_text(w, "$ref", cm_buf_view(&b));
}

static void describe_type(cm_json_writer *w, const cm_field *f)
{
    switch (f->type) {
    case CM_F_TEXT:
    case CM_F_BYTES:
        describe_text(w, f);
        break;
    case CM_F_U64:
        describe_number(w, f);
        break;
    case CM_F_BOOL:
        cm_json_put_text(w, "type", CM_LIT("boolean"));
        break;
    case CM_F_ENUM:
        describe_enum(w, f);
        break;
    default:
        describe_reference(w, f->message);
        break;
    }
}

void cm_msg_describe_field_openapi(cm_json_writer *w, const cm_field *f)
{
    cm_json_begin_object(w, NULL);
    if (f->doc)
        cm_json_put_text(w, "description", cm_view_str(f->doc));
    if (cm_msg_repeated(f)) {
        cm_json_put_text(w, "type", CM_LIT("array"));
        cm_json_put_u64(w, "maxItems", f->count);
        cm_json_begin_object(w, "items");
        describe_type(w, f);
        cm_json_end_object(w);
    } else {
        describe_type(w, f);
    }
    cm_json_end_object(w);
}

static bool in_body(const cm_field *f)
{
    return !(f->flags & (CM_FF_PATH | CM_FF_QUERY));
}

static void describe_required(cm_json_writer *w, const cm_message *type)
{
    bool begun = false;

    for (size_t i = 0; i < type->n; i++) {
        if (!in_body(&type->fields[i]) || !(type->fields[i].flags & CM_FF_REQUIRED))
            continue;
        if (!begun)
            cm_json_begin_array(w, "required");
        begun = true;
        cm_json_put_text(w, NULL, cm_view_str(type->fields[i].name));
    }
    if (begun)
        cm_json_end_array(w);
}

void cm_msg_describe_openapi(cm_json_writer *w, const cm_message *type)
{
    cm_json_begin_object(w, NULL);
    cm_json_put_text(w, "type", CM_LIT("object"));
    if (type->doc)
        cm_json_put_text(w, "description", cm_view_str(type->doc));
    describe_required(w, type);
    cm_json_begin_object(w, "properties");
    for (size_t i = 0; i < type->n; i++) {
        if (!in_body(&type->fields[i]))
            continue;
        cm_json_put_key(w, cm_view_str(type->fields[i].name));
        cm_msg_describe_field_openapi(w, &type->fields[i]);
    }
    cm_json_end_object(w);
    cm_json_put_bool(w, "additionalProperties", false);
    cm_json_end_object(w);
}
