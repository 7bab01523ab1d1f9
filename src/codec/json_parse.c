#include "codec/json_int.h"
#include "codec/text.h"

enum { BYTES = 1 << 20, NODES = 65536, DEPTH = 32, STRING = 65536 };
#define BYTES_MAX  ((size_t)1 << 31)
#define NOT_A_NODE UINT32_MAX

/* The text's copy is read at p and, for strings, written behind p: unescaping never lengthens. */
struct parser {
    cm_json *j;
    uint8_t *p, *end;
    cm_json_limits max;
    uint32_t open; /* the innermost open container, or NOT_A_NODE */
    uint32_t last; /* its last child, or NOT_A_NODE */
    size_t depth;
    const uint8_t *key; /* of the member whose value comes next, or NULL */
    uint32_t key_n;
};

/* ---- tokens ------------------------------------------------------------------------------- */

static void skip_space(struct parser *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t'))
        s->p++;
}

/* Let the error point at p. */
static cm_err fail_at(struct parser *s, uint8_t *p, cm_err e)
{
    s->p = p;
    return e;
}

static cm_err expect(struct parser *s, uint8_t c)
{
    skip_space(s);
    if (s->p == s->end || *s->p != c)
        return CM_FAIL(JSON_MALFORMED);
    s->p++;
    return CM_OKAY;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits behind \u at p; -1 when they are not. */
static int32_t read_unit(const uint8_t *p, const uint8_t *end)
{
    int32_t unit = 0;

    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int d = hex_digit(p[i]);

        if (d < 0)
            return -1;
        unit = unit << 4 | d;
    }
    return unit;
}

static uint8_t *put_utf8(uint8_t *q, uint32_t c)
{
    if (c < 0x80) {
        *q++ = (uint8_t)c;
        return q;
    }
    if (c < 0x800) {
        *q++ = (uint8_t)(0xc0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *q++ = (uint8_t)(0xe0 | c >> 12);
        } else {
            *q++ = (uint8_t)(0xf0 | c >> 18);
            *q++ = (uint8_t)(0x80 | (c >> 12 & 63));
        }
        *q++ = (uint8_t)(0x80 | (c >> 6 & 63));
    }
    *q++ = (uint8_t)(0x80 | (c & 63));
    return q;
}

/* \uXXXX, as a pair when it is the first half of one (RFC 8259 section 7). s->p is behind the u. */
static cm_err unescape_unit(struct parser *s, uint8_t **q)
{
    uint8_t *at = s->p - 2;
    int32_t unit = read_unit(s->p, s->end), low;

    if (unit < 0 || (unit >= 0xdc00 && unit <= 0xdfff))
        return fail_at(s, at, CM_FAIL(JSON_MALFORMED));
    s->p += 4;
    if (unit >= 0xd800 && unit <= 0xdbff) {
        if (s->end - s->p < 2 || s->p[0] != '\\' || s->p[1] != 'u')
            return fail_at(s, at, CM_FAIL(JSON_MALFORMED));
        low = read_unit(s->p + 2, s->end);
        if (low < 0xdc00 || low > 0xdfff)
            return fail_at(s, at, CM_FAIL(JSON_MALFORMED));
        s->p += 6;
        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    }
    *q = put_utf8(*q, (uint32_t)unit);
    return CM_OKAY;
}

/* s->p is at the backslash. */
static cm_err unescape(struct parser *s, uint8_t **q)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *f;

    if (s->end - s->p < 2)
        return CM_FAIL(JSON_MALFORMED);
    s->p += 2;
    if (s->p[-1] == 'u')
        return unescape_unit(s, q);
    f = memchr(from, s->p[-1], sizeof from - 1);
    if (!f)
        return fail_at(s, s->p - 2, CM_FAIL(JSON_MALFORMED));
    *(*q)++ = (uint8_t)to[f - from];
    return CM_OKAY;
}

/* Whether none of eight bytes is a control character, a quote or a backslash. */
static bool plain_eight(const uint8_t *p)
{
    const uint64_t ones = 0x0101010101010101, high = 0x8080808080808080;
    uint64_t w = cm_get_le64(p), quote = w ^ ones * '"', slash = w ^ ones * '\\';

    /* A byte below n borrows into its highest bit; so does one above it, but only if one did. */
    return ((((w - ones * 0x20) & ~w) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)) &
            high) == 0;
}

/* How many plain characters there are at p. */
static size_t plain_run(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *at = p;

    while (end - at >= 8 && plain_eight(at))
        at += 8;
    while (at < end && *at >= 0x20 && *at != '"' && *at != '\\')
        at++;
    return (size_t)(at - p);
}

/* Move the run of plain characters at s->p to q. */
static cm_err move_run(struct parser *s, uint8_t **q)
{
    uint8_t *run = s->p;
    size_t n = plain_run(run, s->end), valid;

    s->p += n;
    valid = cm_utf8_prefix(cm_view_of(run, n));
    if (valid < n)
        return fail_at(s, run + valid, CM_FAIL(JSON_MALFORMED));
    if (*q != run)
        memmove(*q, run, n);
    *q += n;
    return CM_OKAY;
}

/* s->p is at the opening quote. */
static cm_err read_string(struct parser *s, const uint8_t **text, uint32_t *n)
{
    uint8_t *begin = s->p + 1, *q = begin;

    s->p = begin;
    for (;;) {
        CM_TRY(move_run(s, &q));
        if ((size_t)(q - begin) > s->max.string)
            return fail_at(s, begin - 1, CM_FAIL(JSON_LIMIT));
        if (s->p == s->end || *s->p < 0x20)
            return CM_FAIL(JSON_MALFORMED);
        if (*s->p == '"')
            break;
        CM_TRY(unescape(s, &q));
    }
    s->p++;
    *text = begin;
    *n = (uint32_t)(q - begin);
    return CM_OKAY;
}

static size_t digits(cm_view v, size_t at)
{
    size_t i = at;

    while (i < v.n && v.p[i] >= '0' && v.p[i] <= '9')
        i++;
    return i - at;
}

size_t cm_json_number_prefix(cm_view v)
{
    size_t i = v.n > 0 && v.p[0] == '-', n = digits(v, i);

    if (n == 0)
        return 0;
    i += v.p[i] == '0' ? 1 : n;
    if (i < v.n && v.p[i] == '.') {
        n = digits(v, i + 1);
        if (n == 0)
            return 0;
        i += 1 + n;
    }
    if (i < v.n && (v.p[i] | 0x20) == 'e') {
        size_t sign = i + 1 < v.n && (v.p[i + 1] == '+' || v.p[i + 1] == '-');

        n = digits(v, i + 1 + sign);
        if (n == 0)
            return 0;
        i += 1 + sign + n;
    }
    return i;
}

/* ---- nodes -------------------------------------------------------------------------------- */

static cm_err grow(cm_json *j, size_t max)
{
    size_t cap = CM_MIN(max, CM_MAX((size_t)16, 2 * j->cap));
    cm_json_node *nodes;

    if (j->count >= max)
        return CM_FAIL(JSON_LIMIT);
    CM_TRY(cm_alloc_array(&nodes, cap, sizeof *nodes));
    if (j->count)
        memcpy(nodes, j->nodes, j->count * sizeof *nodes);
    cm_free(j->nodes);
    j->nodes = nodes;
    j->cap = cap;
    return CM_OKAY;
}

/* Append a node for the value at s->p and link it to its parent and elder sibling. */
static cm_err add(struct parser *s, cm_json_node **out, cm_json_type type)
{
    cm_json *j = s->j;
    uint32_t i = (uint32_t)j->count;

    if (j->count == j->cap)
        CM_TRY(grow(j, s->max.nodes));
    if (s->open != NOT_A_NODE)
        j->nodes[s->open].n++;
    if (s->last != NOT_A_NODE)
        j->nodes[s->last].next = i - s->last;
    s->last = i;
    *out = &j->nodes[i];
    **out = (cm_json_node){
        .key = s->key,
        .key_n = s->key_n,
        .offset = (uint32_t)(s->p - j->text),
        .type = (uint8_t)type,
    };
    s->key = NULL;
    s->key_n = 0;
    j->count++;
    return CM_OKAY;
}

static cm_err read_word(struct parser *s, cm_view word, cm_json_type type)
{
    cm_json_node *node;

    if ((size_t)(s->end - s->p) < word.n || !cm_view_eq(cm_view_of(s->p, word.n), word))
        return CM_FAIL(JSON_MALFORMED);
    CM_TRY(add(s, &node, type));
    node->u.text = s->p;
    node->n = (uint32_t)word.n;
    s->p += word.n;
    return CM_OKAY;
}

static cm_err read_number(struct parser *s)
{
    size_t n = cm_json_number_prefix(cm_view_of(s->p, (size_t)(s->end - s->p)));
    cm_json_node *node;

    if (n == 0)
        return CM_FAIL(JSON_MALFORMED);
    if (n > s->max.string)
        return CM_FAIL(JSON_LIMIT);
    CM_TRY(add(s, &node, CM_JSON_NUMBER));
    node->u.text = s->p;
    node->n = (uint32_t)n;
    s->p += n;
    return CM_OKAY;
}

static cm_err read_text(struct parser *s)
{
    cm_json_node *node;

    CM_TRY(add(s, &node, CM_JSON_STRING));
    return read_string(s, &node->u.text, &node->n);
}

static cm_err read_scalar(struct parser *s)
{
    switch (*s->p) {
    case '"':
        return read_text(s);
    case 't':
        return read_word(s, CM_LIT("true"), CM_JSON_BOOL);
    case 'f':
        return read_word(s, CM_LIT("false"), CM_JSON_BOOL);
    case 'n':
        return read_word(s, CM_LIT("null"), CM_JSON_NULL);
    default:
        return read_number(s);
    }
}

/* ---- structure ---------------------------------------------------------------------------- */

static bool in_object(const struct parser *s)
{
    return s->open != NOT_A_NODE && s->j->nodes[s->open].type == CM_JSON_OBJECT;
}

static cm_err open_container(struct parser *s, cm_json_type type)
{
    uint32_t parent = s->open;
    cm_json_node *node;

    if (s->depth == s->max.depth)
        return CM_FAIL(JSON_LIMIT);
    CM_TRY(add(s, &node, type));
    node->next = parent;
    s->open = s->last;
    s->last = NOT_A_NODE;
    s->depth++;
    s->p++;
    return CM_OKAY;
}

static cm_err close_container(struct parser *s)
{
    cm_json_node *node = &s->j->nodes[s->open];
    uint32_t parent = node->next;
    const cm_json_node *twice;

    node->next = 0;
    if (node->type == CM_JSON_OBJECT) {
        cm_err e = cm_json_index(node, &twice);

        if (cm_is(e, CM_JSON_DUPLICATE))
            s->p = s->j->text + (twice->key - 1 - s->j->text);
        CM_TRY(e);
    }
    s->last = s->open;
    s->open = parent;
    s->depth--;
    s->p++;
    return CM_OKAY;
}

static cm_err read_key(struct parser *s)
{
    skip_space(s);
    if (s->p == s->end || *s->p != '"')
        return CM_FAIL(JSON_MALFORMED);
    CM_TRY(read_string(s, &s->key, &s->key_n));
    return expect(s, ':');
}

/* Whether the open container ends here; it does when it is empty, or else no comma follows. */
static bool at_close(struct parser *s)
{
    skip_space(s);
    return s->p < s->end && *s->p == (in_object(s) ? '}' : ']');
}

/* One value, or the opening of a container: then *more says that it is not empty. */
static cm_err read_value(struct parser *s, bool *more)
{
    *more = false;
    skip_space(s);
    if (s->p == s->end)
        return CM_FAIL(JSON_MALFORMED);
    if (*s->p != '{' && *s->p != '[')
        return read_scalar(s);
    CM_TRY(open_container(s, *s->p == '{' ? CM_JSON_OBJECT : CM_JSON_ARRAY));
    *more = !at_close(s);
    return CM_OKAY;
}

/* Behind a value: close what ends here, and take the comma before the next value. */
static cm_err read_ends(struct parser *s)
{
    while (s->open != NOT_A_NODE && at_close(s))
        CM_TRY(close_container(s));
    return s->open == NOT_A_NODE ? CM_OKAY : expect(s, ',');
}

static cm_err parse(struct parser *s)
{
    do {
        bool more;

        if (in_object(s))
            CM_TRY(read_key(s));
        CM_TRY(read_value(s, &more));
        if (!more)
            CM_TRY(read_ends(s));
    } while (s->open != NOT_A_NODE);
    skip_space(s);
    return s->p == s->end ? CM_OKAY : CM_FAIL(JSON_MALFORMED);
}

/* ---- the whole ---------------------------------------------------------------------------- */

static size_t or_default(size_t x, size_t normal, size_t most)
{
    return CM_MIN(x ? x : normal, most);
}

static cm_json_limits with_defaults(const cm_json_limits *l)
{
    cm_json_limits none = {0};

    l = l ? l : &none;
    return (cm_json_limits){
        .bytes = or_default(l->bytes, BYTES, BYTES_MAX),
        .nodes = or_default(l->nodes, NODES, BYTES_MAX),
        .depth = or_default(l->depth, DEPTH, BYTES_MAX),
        .string = or_default(l->string, STRING, BYTES_MAX),
    };
}

static cm_err parse_text(cm_json *j, size_t n, const cm_json_limits *max, size_t *at)
{
    struct parser s = {.j = j, .max = *max, .open = NOT_A_NODE, .last = NOT_A_NODE};
    cm_err e;

    s.p = j->text;
    s.end = j->text + n;
    e = parse(&s);
    *at = (size_t)(s.p - j->text);
    return e;
}

static cm_err copy_text(cm_json *j, cm_view text)
{
    CM_TRY(cm_alloc(&j->text, text.n));
    if (text.n)
        memcpy(j->text, text.p, text.n);
    return CM_OKAY;
}

/* own: the caller's text, to be parsed in place; else NULL. */
static cm_err parse_either(cm_json **out, cm_view text, uint8_t *own, const cm_json_limits *limits,
                           size_t *at)
{
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    cm_json_limits max = with_defaults(limits);
    size_t where = 0;
    cm_err e;

    if (text.n > max.bytes) {
        where = max.bytes;
        e = CM_FAIL(JSON_LIMIT);
    } else {
        CM_TRY(cm_alloc(&j, sizeof *j));
        j->borrowed = own != NULL;
        j->text = own;
        if (!own)
            CM_TRY(copy_text(j, text));
        e = parse_text(j, text.n, &max, &where);
    }
    if (cm_failed(e)) {
        if (at)
            *at = where;
        return e;
    }
    *out = j;
    j = NULL;
    return CM_OKAY;
}

cm_err cm_json_parse(cm_json **out, cm_view text, const cm_json_limits *limits, size_t *at)
{
    return parse_either(out, text, NULL, limits, at);
}

cm_err cm_json_parse_in_place(cm_json **out, uint8_t *text, size_t n, const cm_json_limits *limits,
                              size_t *at)
{
    return parse_either(out, cm_view_of(text, n), text, limits, at);
}
