/* Canonical XML 1.1 without comments, of one element. */
#include "rim/xml.h"

enum { SCOPE_MAX = 32, PAIRS_MAX = 64 };
static const uint32_t NONE = UINT32_MAX;

/* The namespaces that an element writes down. */
typedef struct {
    cm_xml_ns v[SCOPE_MAX];
    size_t n;
} scope;

/* ---- text ---------------------------------------------------------------------------------- */

static cm_view escaped(char c, bool in_attribute)
{
    if (c == '&')
        return CM_LIT("&amp;");
    if (c == '<')
        return CM_LIT("&lt;");
    if (c == '>' && !in_attribute)
        return CM_LIT("&gt;");
    return c == '"' && in_attribute ? CM_LIT("&quot;") : cm_view_of(NULL, 0);
}

static cm_err put_text(cm_buf *out, cm_view raw, bool in_attribute)
{
    while (raw.n) {
        char c = cm_xml_take(&raw);
        cm_view v = escaped(c, in_attribute);

        CM_TRY(v.n ? cm_buf_append(out, v) : cm_buf_byte(out, (uint8_t)c));
    }
    return CM_OKAY;
}

static cm_err put_name(cm_buf *out, cm_view prefix, cm_view local)
{
    CM_TRY(cm_buf_append(out, prefix));
    if (prefix.n)
        CM_TRY(cm_buf_byte(out, ':'));
    return cm_buf_append(out, local);
}

/* ---- namespaces ---------------------------------------------------------------------------- */

static const cm_xml_ns *has(const scope *s, cm_view prefix)
{
    for (size_t i = 0; i < s->n; i++)
        if (cm_view_eq(s->v[i].prefix, prefix))
            return &s->v[i];
    return NULL;
}

static cm_err add(scope *s, const cm_xml_ns *ns)
{
    if (s->n == SCOPE_MAX)
        return CM_FAIL(RIM_FORM);
    s->v[s->n++] = *ns;
    return CM_OKAY;
}

/* What is in scope at node; the innermost declaration of a prefix counts. */
static cm_err in_scope(scope *s, const cm_xml *x, uint32_t node)
{
    for (; node != NONE; node = x->node[node].parent)
        for (uint32_t i = 0; i < x->node[node].n_ns; i++) {
            const cm_xml_ns *ns = &x->ns[x->node[node].ns + i];

            if (!has(s, ns->prefix))
                CM_TRY(add(s, ns));
        }
    return CM_OKAY;
}

/* An element writes what its parent in the output has not in the same sense. No default at all is
 * the same as an empty one. */
static cm_err written(scope *out, const cm_xml *x, uint32_t node, bool apex)
{
    scope here = {.n = 0}, above = {.n = 0};

    CM_TRY(in_scope(&here, x, node));
    if (!apex)
        CM_TRY(in_scope(&above, x, x->node[node].parent));
    for (size_t i = 0; i < here.n; i++) {
        const cm_xml_ns *old = has(&above, here.v[i].prefix);
        cm_view uri = old ? old->uri : CM_LIT("");
        bool known = old || here.v[i].prefix.n == 0;

        if (!known || !cm_view_eq(uri, here.v[i].uri))
            CM_TRY(add(out, &here.v[i]));
    }
    return CM_OKAY;
}

static cm_err put_namespaces(cm_buf *out, scope *s)
{
    for (size_t i = 1; i < s->n; i++)
        for (size_t k = i; k > 0 && cm_view_compare(s->v[k - 1].prefix, s->v[k].prefix) > 0; k--) {
            cm_xml_ns t = s->v[k];

            s->v[k] = s->v[k - 1];
            s->v[k - 1] = t;
        }
    for (size_t i = 0; i < s->n; i++) {
        CM_TRY(cm_buf_append(out, s->v[i].prefix.n ? CM_LIT(" xmlns:") : CM_LIT(" xmlns")));
        CM_TRY(cm_buf_append(out, s->v[i].prefix));
        CM_TRY(cm_buf_append(out, CM_LIT("=\"")));
        CM_TRY(put_text(out, s->v[i].uri, true));
        CM_TRY(cm_buf_byte(out, '"'));
    }
    return CM_OKAY;
}

/* ---- attributes ---------------------------------------------------------------------------- */

static bool behind(const cm_xml_attr *a, const cm_xml_attr *b)
{
    int by_uri = cm_view_compare(a->uri, b->uri);

    return by_uri > 0 || (by_uri == 0 && cm_view_compare(a->local, b->local) > 0);
}

static cm_err put_attributes(cm_buf *out, const cm_xml *x, const cm_xml_node *e)
{
    const cm_xml_attr *list[PAIRS_MAX];
    size_t n = 0;

    for (uint32_t i = 0; i < e->n_attrs && n < PAIRS_MAX; i++) {
        size_t at = n++;

        for (; at > 0 && behind(list[at - 1], &x->attr[e->attr + i]); at--)
            list[at] = list[at - 1];
        list[at] = &x->attr[e->attr + i];
    }
    for (size_t i = 0; i < n; i++) {
        CM_TRY(cm_buf_byte(out, ' '));
        CM_TRY(put_name(out, list[i]->prefix, list[i]->local));
        CM_TRY(cm_buf_append(out, CM_LIT("=\"")));
        CM_TRY(put_text(out, list[i]->raw, true));
        CM_TRY(cm_buf_byte(out, '"'));
    }
    return CM_OKAY;
}

/* ---- elements ------------------------------------------------------------------------------ */

static cm_err put_start(cm_buf *out, const cm_xml *x, uint32_t node, bool apex)
{
    const cm_xml_node *e = &x->node[node];
    scope s = {.n = 0};

    CM_TRY(cm_buf_byte(out, '<'));
    CM_TRY(put_name(out, e->prefix, e->local));
    CM_TRY(written(&s, x, node, apex));
    CM_TRY(put_namespaces(out, &s));
    CM_TRY(put_attributes(out, x, e));
    return cm_buf_byte(out, '>');
}

static cm_err put_end(cm_buf *out, const cm_xml_node *e)
{
    CM_TRY(cm_buf_append(out, CM_LIT("</")));
    CM_TRY(put_name(out, e->prefix, e->local));
    return cm_buf_byte(out, '>');
}

/* AT-123 */
cm_err cm_xml_canonical(cm_buf *out, const cm_xml *x, uint32_t apex, uint32_t skip)
{
    uint32_t open[CM_XML_DEPTH + 1];
    size_t depth = 0;
    uint32_t i = apex;

    while (i < x->node[apex].end || depth) {
        if (depth && x->node[open[depth - 1]].end <= i) {
            CM_TRY(put_end(out, &x->node[open[--depth]]));
            continue;
        }
        if (i == skip) {
            i = x->node[i].end;
            continue;
        }
        if (x->node[i].is_text) {
            CM_TRY(put_text(out, x->node[i].raw, false));
        } else {
            CM_TRY(put_start(out, x, i, i == apex));
            open[depth++] = i;
        }
        i++;
    }
    return CM_OKAY;
}
