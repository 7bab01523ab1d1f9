#include "codec/cbor_lax.h"

#include "codec/cut.h"
#include "codec/text.h"

enum {
    DEPTH = 16,
    UINT = 0,
    NINT = 1,
    BYTES = 2,
    TEXT = 3,
    ARRAY = 4,
    MAP = 5,
    TAG = 6,
    SIMPLE = 7,
    BREAK = 0xff,
};

typedef struct {
    uint8_t major;
    bool open;
    uint64_t arg;
} head;

static cm_err argument(head *h, cm_cut *c, unsigned low)
{
    uint64_t least = 0;

    switch (low) {
    case 24:
        h->arg = cm_cut_u8(c);
        least = 24;
        break;
    case 25:
        h->arg = cm_cut_be16(c);
        least = 0x100;
        break;
    case 26:
        h->arg = cm_cut_be32(c);
        least = 0x10000;
        break;
    case 27:
        h->arg = cm_cut_be64(c);
        least = 0x100000000;
        break;
    case 31:
        h->open = h->major == ARRAY || h->major == MAP;
        return h->open ? CM_OKAY : CM_FAIL(CBOR_KIND);
    default:
        if (low > 27)
            return CM_FAIL(CBOR_MALFORMED);
        h->arg = low;
    }
    if (c->bad)
        return CM_FAIL(CBOR_MALFORMED);
    return h->arg < least ? CM_FAIL(CBOR_NOT_CANONICAL) : CM_OKAY;
}

static cm_err take_head(head *h, cm_cut *c)
{
    uint8_t first = cm_cut_u8(c);
    unsigned low = first & 31;

    *h = (head){.major = first >> 5};
    if (c->bad)
        return CM_FAIL(CBOR_MALFORMED);
    if (h->major == SIMPLE) {
        h->arg = low;
        return low >= 20 && low <= 23 ? CM_OKAY : CM_FAIL(CBOR_KIND);
    }
    return argument(h, c, low);
}

/* The containers that are open, outermost first. */
typedef struct {
    uint64_t left[DEPTH];
    bool open[DEPTH], map[DEPTH], odd[DEPTH];
    unsigned n;
} nest;

static cm_err push(nest *s, const head *h, const cm_cut *c)
{
    if (s->n == DEPTH)
        return CM_FAIL(CBOR_TOO_DEEP);
    /* Each item has a byte at least: no count is believed that the input can't hold. */
    if (!h->open && h->arg > c->rest.n)
        return CM_FAIL(CBOR_MALFORMED);
    s->left[s->n] = h->major == MAP ? h->arg * 2 : h->major == TAG ? 1 : h->arg;
    s->open[s->n] = h->open;
    s->map[s->n] = h->major == MAP;
    s->odd[s->n] = false;
    s->n++;
    return CM_OKAY;
}

/* One item is over: so may be what it stands in. */
static void count(nest *s)
{
    while (s->n) {
        unsigned i = s->n - 1;

        s->odd[i] = !s->odd[i];
        if (s->open[i] || --s->left[i])
            return;
        s->n--;
    }
}

static bool at_break(const nest *s, const cm_cut *c)
{
    return s->n && s->open[s->n - 1] && c->rest.n && c->rest.p[0] == BREAK;
}

static cm_err string(const head *h, cm_cut *c)
{
    cm_view v = cm_cut_bytes(c, h->arg > c->rest.n ? c->rest.n + 1 : (size_t)h->arg);

    if (c->bad || (h->major == TEXT && !cm_utf8_valid(v)))
        return CM_FAIL(CBOR_MALFORMED);
    return CM_OKAY;
}

static cm_err one_step(nest *s, cm_cut *c)
{
    head h;

    if (at_break(s, c)) {
        (void)cm_cut_u8(c);
        if (s->map[s->n - 1] && s->odd[s->n - 1])
            return CM_FAIL(CBOR_MALFORMED);
        s->n--;
        count(s);
        return CM_OKAY;
    }
    CM_TRY(take_head(&h, c));
    if (h.major == BYTES || h.major == TEXT)
        CM_TRY(string(&h, c));
    if (h.major == TAG) {
        h.arg = 1;
        return push(s, &h, c);
    }
    if ((h.major == ARRAY || h.major == MAP) && (h.open || h.arg))
        return push(s, &h, c);
    count(s);
    return CM_OKAY;
}

/* One whole item off c. */
static cm_err walk(cm_cut *c)
{
    nest s = {.n = 0};

    do {
        CM_TRY(one_step(&s, c));
    } while (s.n);
    return CM_OKAY;
}

cm_err cm_lax_open(cm_lax *c, cm_view v)
{
    cm_cut cut = cm_cut_of(v);

    CM_TRY(walk(&cut));
    if (cut.rest.n)
        return CM_FAIL(CBOR_TRAILING);
    *c = (cm_lax){.rest = v, .left = 1};
    return CM_OKAY;
}

bool cm_lax_more(const cm_lax *c)
{
    if (c->bad)
        return false;
    return c->open ? c->rest.n && c->rest.p[0] != BREAK : c->left != 0;
}

bool cm_lax_done(const cm_lax *c)
{
    return !c->bad && !cm_lax_more(c);
}

/* The next head, if it is of the type; then the cursor stands behind it. */
static bool enter(cm_lax *c, uint8_t major, head *h, cm_cut *cut)
{
    *cut = cm_cut_of(c->rest);
    if (!cm_lax_more(c) || cm_failed(take_head(h, cut)) || h->major != major) {
        c->bad = true;
        return false;
    }
    return true;
}

static void leave(cm_lax *c, const cm_cut *cut)
{
    c->rest = cut->rest;
    if (!c->open)
        c->left--;
}

uint64_t cm_lax_uint(cm_lax *c)
{
    cm_cut cut;
    head h;

    if (!enter(c, UINT, &h, &cut))
        return 0;
    leave(c, &cut);
    return h.arg;
}

int64_t cm_lax_int(cm_lax *c)
{
    bool negative = c->rest.n && c->rest.p[0] >> 5 == NINT;
    cm_cut cut;
    head h;

    if (!enter(c, negative ? NINT : UINT, &h, &cut))
        return 0;
    if (h.arg > INT64_MAX) {
        c->bad = true;
        return 0;
    }
    leave(c, &cut);
    return negative ? -1 - (int64_t)h.arg : (int64_t)h.arg;
}

static cm_view take_string(cm_lax *c, uint8_t major)
{
    cm_view none = cm_view_of(NULL, 0), v;
    cm_cut cut;
    head h;

    if (!enter(c, major, &h, &cut))
        return none;
    if (h.arg > cut.rest.n) {
        c->bad = true;
        return none;
    }
    v = cm_cut_bytes(&cut, (size_t)h.arg);
    leave(c, &cut);
    return v;
}

cm_view cm_lax_bytes(cm_lax *c)
{
    return take_string(c, BYTES);
}

cm_view cm_lax_text(cm_lax *c)
{
    return take_string(c, TEXT);
}

bool cm_lax_null(cm_lax *c)
{
    cm_cut cut = cm_cut_of(c->rest);

    if (!cm_lax_more(c) || c->rest.n == 0 || (c->rest.p[0] != 0xf6 && c->rest.p[0] != 0xf7))
        return false;
    (void)cm_cut_u8(&cut);
    leave(c, &cut);
    return true;
}

bool cm_lax_tag(cm_lax *c, uint64_t *tag)
{
    cm_cut cut;
    head h;

    if (!cm_lax_more(c) || c->rest.n == 0 || c->rest.p[0] >> 5 != TAG)
        return false;
    if (!enter(c, TAG, &h, &cut))
        return false;
    c->rest = cut.rest;
    *tag = h.arg;
    return true;
}

static cm_lax inside(cm_lax *c, uint8_t major)
{
    const cm_lax none = {.bad = true};
    cm_view whole = c->rest;
    cm_cut cut;
    cm_lax in;
    head h;

    if (!enter(c, major, &h, &cut))
        return none;
    in = (cm_lax){.rest = cut.rest, .left = major == MAP ? h.arg * 2 : h.arg, .open = h.open};
    cut = cm_cut_of(whole);
    if (cm_failed(walk(&cut))) {
        c->bad = true;
        return none;
    }
    in.rest.n -= cut.rest.n;
    leave(c, &cut);
    return in;
}

cm_lax cm_lax_array(cm_lax *c)
{
    return inside(c, ARRAY);
}

cm_lax cm_lax_map(cm_lax *c)
{
    return inside(c, MAP);
}

cm_view cm_lax_skip(cm_lax *c)
{
    cm_cut cut = cm_cut_of(c->rest);
    cm_view v = c->rest;

    if (!cm_lax_more(c) || cm_failed(walk(&cut))) {
        c->bad = true;
        return cm_view_of(NULL, 0);
    }
    v.n -= cut.rest.n;
    leave(c, &cut);
    return v;
}

cm_lax cm_lax_item(cm_lax *c)
{
    cm_view v = cm_lax_skip(c);
    cm_lax item = {.rest = v, .left = v.n ? 1 : 0, .bad = c->bad};

    return item;
}

static cm_lax_field *field_named(cm_lax_field *f, size_t n, cm_view key)
{
    for (size_t i = 0; i < n; i++)
        if (cm_view_eq(cm_view_str(f[i].key), key))
            return &f[i];
    return NULL;
}

bool cm_lax_fields(cm_lax *c, cm_lax_field *f, size_t n)
{
    cm_lax map = cm_lax_map(c);

    while (cm_lax_more(&map)) {
        cm_view key = cm_lax_text(&map);
        cm_lax_field *field = map.bad ? NULL : field_named(f, n, key);

        if (!field || field->present)
            return false;
        field->value = cm_lax_item(&map);
        field->present = !field->value.bad;
    }
    return cm_lax_done(&map);
}
