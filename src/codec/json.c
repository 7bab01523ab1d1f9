#include "codec/json_int.h"
#include "codec/text.h"

void cm_json_free(cm_json *j)
{
    if (!j)
        return;
    for (size_t i = 0; i < j->count; i++)
        if (j->nodes[i].type == CM_JSON_OBJECT)
            cm_free(j->nodes[i].u.index);
    cm_free(j->nodes);
    if (!j->borrowed)
        cm_free(j->text);
    cm_free(j);
}

void cm_json_free_ptr(cm_json **j)
{
    cm_json_free(*j);
}

const cm_json_node *cm_json_root(const cm_json *j)
{
    return j->nodes;
}

cm_json_type cm_json_type_of(const cm_json_node *n)
{
    return n ? (cm_json_type)n->type : CM_JSON_NULL;
}

size_t cm_json_offset(const cm_json_node *n)
{
    return n->offset;
}

size_t cm_json_size(const cm_json_node *n)
{
    return n && n->type >= CM_JSON_ARRAY ? n->n : 0;
}

const cm_json_node *cm_json_first(const cm_json_node *n)
{
    return cm_json_size(n) ? n + 1 : NULL;
}

const cm_json_node *cm_json_next(const cm_json_node *n)
{
    return n->next ? n + n->next : NULL;
}

cm_view cm_json_key(const cm_json_node *n)
{
    return node_key(n);
}

static cm_err take_text(const cm_json_node *n, cm_view *v, cm_json_type type)
{
    if (!n || n->type != type)
        return CM_FAIL(JSON_TYPE);
    *v = cm_view_of(n->u.text, n->n);
    return CM_OKAY;
}

cm_err cm_json_string(const cm_json_node *n, cm_view *v)
{
    return take_text(n, v, CM_JSON_STRING);
}

cm_err cm_json_number(const cm_json_node *n, cm_view *v)
{
    return take_text(n, v, CM_JSON_NUMBER);
}

/* The grammar leaves digits, sign, point and exponent: all but digits is refused here. */
cm_err cm_json_u64(const cm_json_node *n, uint64_t *v)
{
    cm_view digits;

    CM_TRY(cm_json_number(n, &digits));
    return cm_ok(cm_dec_u64(v, digits)) ? CM_OKAY : CM_FAIL(JSON_TYPE);
}

cm_err cm_json_i64(const cm_json_node *n, int64_t *v)
{
    cm_view digits;
    uint64_t u, negative;

    CM_TRY(cm_json_number(n, &digits));
    negative = digits.p[0] == '-';
    if (cm_failed(cm_dec_u64(&u, cm_view_sub(digits, negative, digits.n - negative))) ||
        u > INT64_MAX + negative)
        return CM_FAIL(JSON_TYPE);
    *v = negative && u > 0 ? -1 - (int64_t)(u - 1) : (int64_t)u;
    return CM_OKAY;
}

cm_err cm_json_bool(const cm_json_node *n, bool *v)
{
    cm_view word;

    CM_TRY(take_text(n, &word, CM_JSON_BOOL));
    *v = word.p[0] == 't';
    return CM_OKAY;
}
