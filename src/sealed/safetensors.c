/*
 * safetensors: a u64 (little-endian) length, a JSON object, and the tensors' bytes behind it
 * without gaps. The header may be 100 MB, so it is read token by token and never held: a JSON tree
 * would take twenty times its size. Its grammar has a fixed depth, so nothing recurses.
 */
#include "sealed/cursor_int.h"
#include "sealed/tensors_int.h"

enum { HEADER_MAX = 100000000, STRING_MAX = CM_TENSOR_NAME_MAX };

struct reader {
    cm_cursor c;
    uint64_t data_size;
    cm_tensors t;
    bool metadata; /* seen */
    size_t n;      /* of str; past STRING_MAX: longer than what is kept */
    uint8_t str[STRING_MAX];
    /* UTF-8: continuation bytes to come, and the bounds of the next one */
    unsigned need;
    uint8_t lo, hi;
};

/* ---- strings ------------------------------------------------------------------------------- */

/* Table 3-7 of the Unicode standard: shortest forms, no surrogates, nothing above U+10FFFF. */
static cm_err utf8_start(struct reader *r, uint8_t b)
{
    r->lo = b == 0xe0 ? 0xa0 : b == 0xf0 ? 0x90 : 0x80;
    r->hi = b == 0xed ? 0x9f : b == 0xf4 ? 0x8f : 0xbf;
    r->need = b < 0x80 ? 0 : b < 0xe0 ? 1 : b < 0xf0 ? 2 : 3;
    if (b >= 0x80 && (b < 0xc2 || b > 0xf4))
        return CM_FAIL(FORMAT_MALFORMED);
    return CM_OKAY;
}

static cm_err utf8_step(struct reader *r, uint8_t b)
{
    if (r->need == 0)
        return utf8_start(r, b);
    if (b < r->lo || b > r->hi)
        return CM_FAIL(FORMAT_MALFORMED);
    r->need--;
    r->lo = 0x80;
    r->hi = 0xbf;
    return CM_OKAY;
}

static void keep_byte(struct reader *r, uint32_t b)
{
    if (r->n < STRING_MAX)
        r->str[r->n] = (uint8_t)b;
    r->n += r->n <= STRING_MAX;
}

static void keep_rune(struct reader *r, uint32_t u)
{
    if (u < 0x80) {
        keep_byte(r, u);
        return;
    }
    if (u < 0x800) {
        keep_byte(r, 0xc0 | u >> 6);
    } else if (u < 0x10000) {
        keep_byte(r, 0xe0 | u >> 12);
        keep_byte(r, 0x80 | (u >> 6 & 0x3f));
    } else {
        keep_byte(r, 0xf0 | u >> 18);
        keep_byte(r, 0x80 | (u >> 12 & 0x3f));
        keep_byte(r, 0x80 | (u >> 6 & 0x3f));
    }
    keep_byte(r, 0x80 | (u & 0x3f));
}

static cm_err read_hex4(struct reader *r, uint32_t *u)
{
    *u = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t b;
        uint32_t digit;

        CM_TRY(cm_cursor_peek(&r->c, &b));
        if (b >= '0' && b <= '9')
            digit = b - (uint32_t)'0';
        else if ((b | 0x20) >= 'a' && (b | 0x20) <= 'f')
            digit = (b | 0x20u) - 'a' + 10;
        else
            return CM_FAIL(FORMAT_MALFORMED);
        *u = *u << 4 | digit;
        cm_cursor_next(&r->c);
    }
    return CM_OKAY;
}

static cm_err expect(struct reader *r, uint8_t want)
{
    uint8_t b;

    CM_TRY(cm_cursor_peek(&r->c, &b));
    if (b != want)
        return CM_FAIL(FORMAT_MALFORMED);
    cm_cursor_next(&r->c);
    return CM_OKAY;
}

/* Behind \u: a high surrogate needs its low one. */
static cm_err read_unicode(struct reader *r)
{
    uint32_t u, low;

    CM_TRY(read_hex4(r, &u));
    if (u >= 0xdc00 && u <= 0xdfff)
        return CM_FAIL(FORMAT_MALFORMED);
    if (u >= 0xd800 && u <= 0xdbff) {
        CM_TRY(expect(r, '\\'));
        CM_TRY(expect(r, 'u'));
        CM_TRY(read_hex4(r, &low));
        if (low < 0xdc00 || low > 0xdfff)
            return CM_FAIL(FORMAT_MALFORMED);
        u = 0x10000 + ((u & 0x3ff) << 10 | (low & 0x3ff));
    }
    keep_rune(r, u);
    return CM_OKAY;
}

static cm_err read_escape(struct reader *r)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *at;
    uint8_t b;

    CM_TRY(cm_cursor_peek(&r->c, &b));
    cm_cursor_next(&r->c);
    if (b == 'u')
        return read_unicode(r);
    at = b ? strchr(from, b) : NULL;
    if (!at)
        return CM_FAIL(FORMAT_MALFORMED);
    keep_byte(r, (uint8_t)to[at - from]);
    return CM_OKAY;
}

/* A string of any length; its first STRING_MAX bytes are kept. */
static cm_err read_string(struct reader *r)
{
    uint8_t b;

    CM_TRY(expect(r, '"'));
    r->n = 0;
    r->need = 0;
    for (;;) {
        CM_TRY(cm_cursor_peek(&r->c, &b));
        if (b < 0x20)
            return CM_FAIL(FORMAT_MALFORMED);
        CM_TRY(utf8_step(r, b));
        cm_cursor_next(&r->c);
        if (b == '"')
            return CM_OKAY;
        if (b == '\\')
            CM_TRY(read_escape(r));
        else
            keep_byte(r, b);
    }
}

static cm_err read_name(struct reader *r, cm_view *name)
{
    CM_TRY(read_string(r));
    if (r->n > STRING_MAX)
        return CM_FAIL(FORMAT_LIMIT);
    *name = cm_view_of(r->str, r->n);
    return CM_OKAY;
}

/* ---- tokens -------------------------------------------------------------------------------- */

static cm_err skip_space(struct reader *r)
{
    uint8_t b;

    for (;;) {
        CM_TRY(cm_cursor_peek(&r->c, &b));
        if (b != ' ' && b != '\n' && b != '\t' && b != '\r')
            return CM_OKAY;
        cm_cursor_next(&r->c);
    }
}

static cm_err token(struct reader *r, uint8_t want)
{
    CM_TRY(skip_space(r));
    return expect(r, want);
}

/* Whether an array or object goes on to its i-th item; takes the comma or what closes it. */
static cm_err more(struct reader *r, uint8_t close, size_t i, bool *yes)
{
    uint8_t b;

    CM_TRY(skip_space(r));
    CM_TRY(cm_cursor_peek(&r->c, &b));
    *yes = b != close;
    if (*yes && i == 0)
        return CM_OKAY;
    if (*yes && b != ',')
        return CM_FAIL(FORMAT_MALFORMED);
    cm_cursor_next(&r->c);
    return *yes ? skip_space(r) : CM_OKAY;
}

/* Digits without a leading zero; a sign, fraction or exponent fails at the next token. */
static cm_err read_u64(struct reader *r, uint64_t *v)
{
    uint64_t x = 0;
    size_t digits = 0;
    uint8_t b;

    CM_TRY(skip_space(r));
    for (;; digits++) {
        CM_TRY(cm_cursor_peek(&r->c, &b));
        if (b < '0' || b > '9')
            break;
        if (digits > 0 && x == 0)
            return CM_FAIL(FORMAT_MALFORMED);
        if (!cm_mul_u64(&x, x, 10) || !cm_add_u64(&x, x, b - (uint64_t)'0'))
            return CM_FAIL(FORMAT_MALFORMED);
        cm_cursor_next(&r->c);
    }
    *v = x;
    return digits > 0 ? CM_OKAY : CM_FAIL(FORMAT_MALFORMED);
}

/* max numbers; LIMIT past them. */
static cm_err read_numbers(struct reader *r, uint64_t *v, uint32_t max, uint32_t *n)
{
    bool yes;

    CM_TRY(token(r, '['));
    for (*n = 0;; (*n)++) {
        CM_TRY(more(r, ']', *n, &yes));
        if (!yes)
            return CM_OKAY;
        if (*n == max)
            return CM_FAIL(FORMAT_LIMIT);
        CM_TRY(read_u64(r, &v[*n]));
    }
}

/* ---- the header ---------------------------------------------------------------------------- */

enum { HAS_DTYPE = 1, HAS_SHAPE = 2, HAS_OFFSETS = 4, HAS_ALL = 7 };

struct found {
    unsigned has, bits;
    uint64_t span[2];
};

static cm_err read_dtype(struct reader *r, cm_tensor *x, unsigned *bits)
{
    cm_view v;

    CM_TRY(read_name(r, &v));
    x->dtype = cm_dtype_safetensors(v, bits);
    return x->dtype ? CM_OKAY : CM_FAIL(FORMAT_TYPE);
}

static cm_err read_field(struct reader *r, cm_tensor *x, struct found *f)
{
    unsigned had = f->has;
    cm_view key;
    uint32_t n;

    CM_TRY(read_name(r, &key));
    CM_TRY(token(r, ':'));
    CM_TRY(skip_space(r));
    if (cm_view_eq(key, CM_LIT("dtype"))) {
        f->has |= HAS_DTYPE;
        CM_TRY(read_dtype(r, x, &f->bits));
    } else if (cm_view_eq(key, CM_LIT("shape"))) {
        f->has |= HAS_SHAPE;
        CM_TRY(read_numbers(r, x->shape, CM_TENSOR_DIMS, &x->dims));
    } else if (cm_view_eq(key, CM_LIT("data_offsets"))) {
        f->has |= HAS_OFFSETS;
        CM_TRY(read_numbers(r, f->span, 2, &n));
        if (n != 2)
            return CM_FAIL(FORMAT_MALFORMED);
    }
    return f->has != had ? CM_OKAY : CM_FAIL(FORMAT_MALFORMED);
}

/* The bytes that shape and dtype ask for are those that the offsets span. */
static cm_err check_size(const cm_tensor *x, const struct found *f, uint64_t data_size)
{
    uint64_t bits = f->bits;

    for (uint32_t i = 0; i < x->dims; i++)
        if (!cm_mul_u64(&bits, bits, x->shape[i]))
            return CM_FAIL(FORMAT_TENSOR);
    if (f->span[0] > f->span[1] || f->span[1] > data_size || bits % 8 != 0 ||
        f->span[1] - f->span[0] != bits / 8)
        return CM_FAIL(FORMAT_TENSOR);
    return CM_OKAY;
}

static cm_err read_tensor(struct reader *r, cm_view name)
{
    cm_tensor x = {.name = name};
    struct found f = {0};
    size_t index = r->t.n;
    bool yes;

    /* Before the fields, which take the place of the name in str. */
    CM_TRY(cm_tensors_add(&r->t, &x));
    x.name = r->t.v[index].name;
    CM_TRY(token(r, '{'));
    for (size_t i = 0;; i++) {
        CM_TRY(more(r, '}', i, &yes));
        if (!yes)
            break;
        CM_TRY(read_field(r, &x, &f));
    }
    if (f.has != HAS_ALL)
        return CM_FAIL(FORMAT_MALFORMED);
    CM_TRY(check_size(&x, &f, r->data_size));
    x.offset = f.span[0];
    x.size = f.span[1] - f.span[0];
    r->t.v[index] = x;
    return CM_OKAY;
}

/* Texts for texts: all that is asked of it is that no key comes twice. */
static cm_err read_metadata(struct reader *r)
{
    CM_AUTO(cm_names_free) cm_names keys = {0};
    cm_view key;
    bool yes;

    if (r->metadata)
        return CM_FAIL(FORMAT_DUPLICATE);
    r->metadata = true;
    CM_TRY(token(r, '{'));
    for (size_t i = 0;; i++) {
        CM_TRY(more(r, '}', i, &yes));
        if (!yes)
            return cm_names_finish(&keys);
        CM_TRY(read_name(r, &key));
        CM_TRY(cm_names_add(&keys, key));
        CM_TRY(token(r, ':'));
        CM_TRY(skip_space(r));
        CM_TRY(read_string(r));
    }
}

static cm_err read_members(struct reader *r)
{
    cm_view name;
    bool yes;

    for (size_t i = 0;; i++) {
        CM_TRY(more(r, '}', i, &yes));
        if (!yes)
            return CM_OKAY;
        CM_TRY(read_name(r, &name));
        CM_TRY(token(r, ':'));
        if (cm_view_eq(name, CM_LIT("__metadata__")))
            CM_TRY(read_metadata(r));
        else
            CM_TRY(read_tensor(r, name));
    }
}

/* White space may follow, nothing else. */
static cm_err read_end(struct reader *r)
{
    while (r->c.at < r->c.end) {
        uint8_t b;

        CM_TRY(cm_cursor_peek(&r->c, &b));
        if (b != ' ' && b != '\n' && b != '\t' && b != '\r')
            return CM_FAIL(FORMAT_MALFORMED);
        cm_cursor_next(&r->c);
    }
    return CM_OKAY;
}

static cm_err read_header(struct reader *r, const cm_source *s)
{
    uint64_t n;

    cm_cursor_init(&r->c, s, 8);
    CM_TRY(cm_cursor_u64(&r->c, &n));
    if (n > HEADER_MAX)
        return CM_FAIL(FORMAT_LIMIT);
    if (n > s->size - 8)
        return CM_FAIL(FORMAT_TRUNCATED);
    if (n < 2)
        return CM_FAIL(FORMAT_MALFORMED);
    cm_cursor_init(&r->c, s, 8 + n);
    CM_TRY(cm_cursor_skip(&r->c, 8));
    r->data_size = s->size - 8 - n;
    CM_TRY(expect(r, '{'));
    CM_TRY(read_members(r));
    return read_end(r);
}

/* The tensors follow one another from the first byte behind the header to the file's last. */
static cm_err place(struct reader *r, uint64_t start, uint64_t *at)
{
    uint64_t next = 0;

    CM_TRY(cm_tensors_finish(&r->t, at));
    for (size_t i = 0; i < r->t.n; i++) {
        cm_tensor *x = &r->t.v[i];

        *at = x->offset;
        if (x->offset != next)
            return CM_FAIL(FORMAT_TENSOR);
        next += x->size;
        x->offset += start;
    }
    *at = next;
    return next == r->data_size ? CM_OKAY : CM_FAIL(FORMAT_TENSOR);
}

/* A header that ends within its object is malformed: its length said so, not the file's. */
static cm_err parse(struct reader *r, const cm_source *s, uint64_t base, uint64_t *at)
{
    uint64_t start, sum;
    cm_err e = read_header(r, s);

    *at = r->c.at;
    if (r->c.at > 8 && r->c.at == r->c.end &&
        (cm_is(e, CM_FORMAT_TRUNCATED) || cm_is(e, CM_FORMAT_LIMIT)))
        return CM_FAIL(FORMAT_MALFORMED);
    CM_TRY(e);
    start = r->c.end;
    if (!cm_add_u64(&sum, base, s->size))
        return CM_FAIL(OVERFLOW);
    e = place(r, base + start, at);
    if (cm_failed(e))
        *at += start;
    return e;
}

cm_err cm_safetensors_parse(cm_tensors *out, const cm_source *s, uint64_t base, uint64_t *at)
{
    struct reader r;
    uint64_t where;
    cm_err e;

    memset(&r, 0, offsetof(struct reader, str));
    e = parse(&r, s, base, &where);
    if (cm_ok(e)) {
        cm_tensors_move(out, &r.t);
        return CM_OKAY;
    }
    if (at)
        *at = where;
    cm_tensors_free(&r.t);
    return e;
}
