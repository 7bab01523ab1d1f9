#include "rim/xml.h"

#include "codec/text.h"

enum { TAGS_MAX = 8192, PAIRS_MAX = 32768, PAIRS_OF_ONE = 64 };
static const uint32_t NONE = UINT32_MAX;

typedef struct {
    cm_xml *x;
    size_t at;
    uint32_t open, depth; /* the element that is open, NONE outside the root */
    bool bad;
} scan;

/* ---- characters ---------------------------------------------------------------------------- */

static size_t count(cm_view v, char c)
{
    size_t n = 0;

    for (size_t i = 0; i < v.n; i++)
        n += v.p[i] == (uint8_t)c;
    return n;
}

/* AT-122 */
static bool characters(cm_view v)
{
    for (size_t i = 0; i < v.n; i++)
        if ((v.p[i] < ' ' && v.p[i] != '\t' && v.p[i] != '\n') || v.p[i] == 0x7f)
            return false;
    return cm_utf8_valid(v);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool in_name(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

static char peek(const scan *s)
{
    return s->at < s->x->text.n ? (char)s->x->text.p[s->at] : 0;
}

static bool take(scan *s, char c)
{
    if (s->bad || peek(s) != c)
        return false;
    s->at++;
    return true;
}

static void need(scan *s, char c)
{
    if (!take(s, c))
        s->bad = true;
}

static bool spaces(scan *s)
{
    size_t from = s->at;

    while (is_space(peek(s)))
        s->at++;
    return s->at > from;
}

/* The five that are predefined. */
static const struct {
    cm_view name;
    char c;
} entities[] = {
    {{(const uint8_t *)"&amp;", 5}, '&'},   {{(const uint8_t *)"&lt;", 4}, '<'},
    {{(const uint8_t *)"&gt;", 4}, '>'},    {{(const uint8_t *)"&quot;", 6}, '"'},
    {{(const uint8_t *)"&apos;", 6}, '\''},
};

static size_t entity(cm_view v, char *c)
{
    for (size_t i = 0; i < CM_COUNT(entities); i++) {
        cm_view name = entities[i].name;

        if (v.n >= name.n && cm_view_eq(cm_view_sub(v, 0, name.n), name)) {
            *c = entities[i].c;
            return name.n;
        }
    }
    return 0;
}

char cm_xml_take(cm_view *raw)
{
    char c = (char)raw->p[0];
    size_t n = c == '&' ? entity(*raw, &c) : 1;

    n = n ? n : 1;
    *raw = cm_view_of(raw->p + n, raw->n - n);
    return c;
}

/* Text up to one of two characters, its references known. */
static cm_view run_of(scan *s, char end, char never)
{
    cm_view text = s->x->text;
    size_t from = s->at;
    char c;

    while (!s->bad && s->at < text.n && (c = (char)text.p[s->at]) != end) {
        size_t n = c == '&' ? entity(cm_view_sub(text, s->at, text.n - s->at), &c) : 1;

        s->bad = n == 0 || (n == 1 && c == never);
        s->at += n;
    }
    return cm_view_sub(text, from, s->at - from);
}

/* ---- names --------------------------------------------------------------------------------- */

static cm_view part_of_name(scan *s)
{
    size_t from = s->at;

    if (!is_letter(peek(s)))
        s->bad = true;
    while (!s->bad && in_name(peek(s)))
        s->at++;
    return cm_view_sub(s->x->text, from, s->at - from);
}

static void name(scan *s, cm_view *prefix, cm_view *local)
{
    *prefix = CM_LIT("");
    *local = part_of_name(s);
    if (take(s, ':')) {
        *prefix = *local;
        *local = part_of_name(s);
    }
}

static bool named(cm_view v, const char *text)
{
    return cm_view_eq(v, cm_view_str(text));
}

/* The namespace of a prefix, from the innermost element that declares it. */
static bool bound(const cm_xml *x, uint32_t node, cm_view prefix, cm_view *uri)
{
    for (; node != NONE; node = x->node[node].parent)
        for (uint32_t i = 0; i < x->node[node].n_ns; i++) {
            const cm_xml_ns *ns = &x->ns[x->node[node].ns + i];

            if (cm_view_eq(ns->prefix, prefix)) {
                *uri = ns->uri;
                return true;
            }
        }
    *uri = CM_LIT("");
    return prefix.n == 0;
}

/* ---- elements ------------------------------------------------------------------------------ */

static void declare(scan *s, cm_xml_node *e, cm_view prefix, cm_view uri)
{
    for (uint32_t i = 0; i < e->n_ns; i++)
        s->bad |= cm_view_eq(s->x->ns[e->ns + i].prefix, prefix);
    s->bad |= named(prefix, "xml") || named(prefix, "xmlns") || count(uri, '&') > 0 ||
              (prefix.n && uri.n == 0);
    s->x->ns[s->x->n_ns++] = (cm_xml_ns){prefix, uri};
    e->n_ns++;
}

/* AT-122 */
static void attribute(scan *s, cm_xml_node *e)
{
    cm_xml_attr a = {.raw = {NULL, 0}};
    char quote;

    name(s, &a.prefix, &a.local);
    need(s, '=');
    quote = peek(s);
    s->bad |= quote != '"' && quote != '\'';
    s->at += !s->bad;
    a.raw = run_of(s, quote, '<');
    need(s, quote);
    s->bad |= count(a.raw, '\t') + count(a.raw, '\n') > 0 || named(a.prefix, "xml") ||
              e->n_attrs + e->n_ns >= PAIRS_OF_ONE;
    if (s->bad)
        return;
    if (named(a.prefix, "xmlns")) {
        declare(s, e, a.local, a.raw);
    } else if (a.prefix.n == 0 && named(a.local, "xmlns")) {
        declare(s, e, CM_LIT(""), a.raw);
    } else {
        s->x->attr[s->x->n_attrs++] = a;
        e->n_attrs++;
    }
}

/* What a prefix means is known when all of the tag was read. */
static void resolve(scan *s, uint32_t node)
{
    cm_xml_node *e = &s->x->node[node];
    cm_xml_attr *a = &s->x->attr[e->attr];

    s->bad |= !bound(s->x, node, e->prefix, &e->uri);
    for (uint32_t i = 0; i < e->n_attrs; i++) {
        a[i].uri = CM_LIT("");
        s->bad |= a[i].prefix.n && !bound(s->x, node, a[i].prefix, &a[i].uri);
        for (uint32_t k = 0; k < i; k++)
            s->bad |= cm_view_eq(a[k].local, a[i].local) && cm_view_eq(a[k].uri, a[i].uri);
    }
}

static void shut(scan *s)
{
    s->x->node[s->open].end = s->x->n;
    s->open = s->x->node[s->open].parent;
    s->depth--;
}

static void begin(scan *s)
{
    cm_xml *x = s->x;
    uint32_t node = x->n;
    cm_xml_node *e = &x->node[node];

    *e = (cm_xml_node){.parent = s->open, .attr = x->n_attrs, .ns = x->n_ns};
    s->bad |= (s->open == NONE && node > 0) || s->depth == CM_XML_DEPTH;
    name(s, &e->prefix, &e->local);
    while (!s->bad && spaces(s) && peek(s) != '/' && peek(s) != '>')
        attribute(s, e);
    if (s->bad)
        return;
    x->n++;
    s->open = node;
    s->depth++;
    resolve(s, node);
    if (take(s, '/'))
        shut(s);
    need(s, '>');
}

static void end(scan *s)
{
    cm_view prefix, local;

    need(s, '/');
    name(s, &prefix, &local);
    (void)spaces(s);
    need(s, '>');
    if (s->bad || s->open == NONE || !cm_view_eq(prefix, s->x->node[s->open].prefix) ||
        !cm_view_eq(local, s->x->node[s->open].local))
        s->bad = true;
    else
        shut(s);
}

static void text(scan *s)
{
    cm_xml_node t = {.is_text = true, .parent = s->open, .end = s->x->n + 1};

    if (s->open == NONE) {
        s->bad |= !spaces(s);
        return;
    }
    t.raw = run_of(s, '<', 0);
    for (size_t i = 0; i + 2 < t.raw.n; i++)
        s->bad |= cm_view_eq(cm_view_sub(t.raw, i, 3), CM_LIT("]]>"));
    if (!s->bad)
        s->x->node[s->x->n++] = t;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static void declaration(scan *s)
{
    cm_view head = CM_LIT("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");

    if (s->x->text.n > head.n && cm_view_eq(cm_view_sub(s->x->text, 0, head.n), head))
        s->at = head.n;
}

static cm_err room(cm_xml *x)
{
    size_t tags = count(x->text, '<'), pairs = count(x->text, '=');

    if (tags > TAGS_MAX || pairs > PAIRS_MAX)
        return CM_FAIL(TOO_BIG);
    CM_TRY(cm_alloc_array(&x->node, 2 * tags + 1, sizeof *x->node));
    CM_TRY(cm_alloc_array(&x->attr, pairs + 1, sizeof *x->attr));
    return cm_alloc_array(&x->ns, pairs + 1, sizeof *x->ns);
}

cm_err cm_xml_read(cm_xml *out, cm_view v)
{
    CM_AUTO(cm_xml_done) cm_xml x = {.text = v};
    scan s = {.x = &x, .open = NONE};

    if (v.n > CM_XML_TEXT_MAX)
        return CM_FAIL(TOO_BIG);
    if (v.n == 0 || !characters(v))
        return CM_FAIL(RIM_FORM);
    CM_TRY(room(&x));
    declaration(&s);
    while (!s.bad && s.at < v.n) {
        if (!take(&s, '<'))
            text(&s);
        else if (peek(&s) == '/')
            end(&s);
        else
            begin(&s);
    }
    if (s.bad || s.open != NONE || x.n == 0)
        return CM_FAIL(RIM_FORM);
    *out = x;
    x = (cm_xml){.n = 0};
    return CM_OKAY;
}

void cm_xml_done(cm_xml *x)
{
    cm_free(x->node);
    cm_free(x->attr);
    cm_free(x->ns);
    *x = (cm_xml){.n = 0};
}

bool cm_xml_is(const cm_xml *x, uint32_t node, const char *uri, const char *local)
{
    const cm_xml_node *e = &x->node[node];

    return !e->is_text && named(e->uri, uri) && named(e->local, local);
}

bool cm_xml_attribute(cm_view *raw, const cm_xml *x, uint32_t node, const char *uri,
                      const char *local)
{
    const cm_xml_node *e = &x->node[node];

    for (uint32_t i = 0; i < e->n_attrs; i++) {
        const cm_xml_attr *a = &x->attr[e->attr + i];

        if (named(a->uri, uri) && named(a->local, local)) {
            *raw = a->raw;
            return true;
        }
    }
    return false;
}
