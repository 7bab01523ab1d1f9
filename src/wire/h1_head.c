/*
 * The head of a request, strictly. Two readers that disagree on where a request ends are how one is
 * smuggled past the other, so whatever leaves room for that is refused: a length beside a transfer
 * coding, a second length, host or coding, folded lines, bare line feeds, white space before a
 * colon, obsolete or absent versions.
 */
#include "codec/text.h"
#include "wire/h1_int.h"

/* Up to the next space or CRLF of *v, which must be c; advances behind it. */
static bool next_word(cm_view *word, cm_view *v, uint8_t c)
{
    const uint8_t *at = v->n ? memchr(v->p, c, v->n) : NULL;

    if (!at)
        return false;
    *word = cm_view_of(v->p, (size_t)(at - v->p));
    *v = cm_view_of(at + 1, v->n - word->n - 1);
    return true;
}

/* The line without its CRLF. That every LF has its CR was seen when it came. */
static bool next_line(cm_view *line, cm_view *v)
{
    if (!next_word(line, v, '\n') || line->n == 0)
        return false;
    line->n--;
    return true;
}

static bool has_prefix(cm_view v, const char *lower)
{
    size_t n = strlen(lower);

    return v.n >= n && cm_http_same_nocase(cm_view_sub(v, 0, n), lower);
}

/* http://authority/path, which any client may send (RFC 9112 section 3.2.2). */
static bool absolute(struct cm_hreq *q, cm_view target)
{
    size_t from = has_prefix(target, "https://") ? 8 : has_prefix(target, "http://") ? 7 : 0;
    const uint8_t *slash;

    if (from == 0)
        return false;
    q->r.scheme = cm_view_sub(target, 0, from - 3);
    target = cm_view_sub(target, from, target.n - from);
    slash = target.n ? memchr(target.p, '/', target.n) : NULL;
    if (!slash)
        return false;
    q->r.authority = cm_view_of(target.p, (size_t)(slash - target.p));
    return cm_http_host(q->r.authority) &&
           cm_hreq_target(q, cm_view_of(slash, target.n - q->r.authority.n));
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static cm_err check_version(cm_view v)
{
    if (cm_view_eq(v, CM_LIT("HTTP/1.1")))
        return CM_OKAY;
    if (v.n == 8 && cm_view_eq(cm_view_sub(v, 0, 5), CM_LIT("HTTP/")) && is_digit(v.p[5]) &&
        v.p[6] == '.' && is_digit(v.p[7]))
        return CM_FAIL(HTTP_VERSION);
    return CM_FAIL(HTTP_MALFORMED);
}

static cm_err request_line(struct cm_hreq *q, cm_view line)
{
    cm_view target;

    if (!next_word(&q->r.method, &line, ' ') || !next_word(&target, &line, ' '))
        return CM_FAIL(HTTP_MALFORMED);
    if (!cm_http_token(q->r.method) || q->r.method.n > 32)
        return CM_FAIL(HTTP_MALFORMED);
    CM_TRY(check_version(line));
    if (cm_view_eq(target, CM_LIT("*")) && cm_view_eq(q->r.method, CM_LIT("OPTIONS"))) {
        q->r.path = target;
        return CM_OKAY;
    }
    if (cm_view_eq(q->r.method, CM_LIT("CONNECT")))
        return CM_FAIL(HTTP_CODING);
    return cm_hreq_target(q, target) || absolute(q, target) ? CM_OKAY : CM_FAIL(HTTP_MALFORMED);
}

static cm_view trim(cm_view v)
{
    while (v.n > 0 && (v.p[0] == ' ' || v.p[0] == '\t'))
        v = cm_view_sub(v, 1, v.n - 1);
    while (v.n > 0 && (v.p[v.n - 1] == ' ' || v.p[v.n - 1] == '\t'))
        v.n--;
    return v;
}

static cm_err split_field(cm_view *name, cm_view *value, cm_view line)
{
    if (!next_word(name, &line, ':') || !cm_http_token(*name))
        return CM_FAIL(HTTP_MALFORMED);
    *value = trim(line);
    return cm_http_value(*value) ? CM_OKAY : CM_FAIL(HTTP_MALFORMED);
}

cm_err cm_h1_check_field(cm_view line)
{
    cm_view name, value;

    return split_field(&name, &value, line);
}

/* Names are matched in lower case ever after. The head is ours to write on. */
static void lower(struct cm_hreq *q, cm_view v)
{
    uint8_t *p = q->head.p + (v.p - q->head.p);

    for (size_t i = 0; i < v.n; i++)
        if (p[i] >= 'A' && p[i] <= 'Z')
            p[i] |= 0x20;
}

static cm_err read_fields(struct cm_hreq *q, cm_view rest)
{
    cm_view line, name, value;

    while (next_line(&line, &rest) && line.n > 0) {
        CM_TRY(split_field(&name, &value, line));
        lower(q, name);
        CM_TRY(cm_hreq_field(q, name, value));
    }
    return rest.n == 0 ? CM_OKAY : CM_FAIL(HTTP_MALFORMED);
}

/* Those that would let two readers see two requests when they came twice. */
static cm_err refuse_twins(const struct cm_hreq *q)
{
    static const char *const once[] = {"host",   "content-length", "transfer-encoding",
                                       "expect", "content-type",   "authorization"};

    for (size_t k = 0; k < CM_COUNT(once); k++) {
        unsigned seen = 0;

        for (size_t i = 0; i < q->r.headers_n; i++)
            seen += cm_view_eq(q->r.headers[i].name, cm_view_str(once[k]));
        if (seen > 1)
            return CM_FAIL(HTTP_MALFORMED);
    }
    return CM_OKAY;
}

static bool same_host(cm_view a, cm_view b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (a.p[i] != b.p[i] &&
            ((a.p[i] ^ b.p[i]) != 0x20 || (a.p[i] | 0x20) < 'a' || (a.p[i] | 0x20) > 'z'))
            return false;
    return true;
}

static cm_err read_host(struct cm_hreq *q)
{
    cm_view host;

    if (!cm_http_header_of(&q->r, "host", &host) || !cm_http_host(host))
        return CM_FAIL(HTTP_MALFORMED);
    if (q->r.authority.n > 0 && !same_host(q->r.authority, host))
        return CM_FAIL(HTTP_MALFORMED);
    q->r.authority = host;
    return CM_OKAY;
}

static cm_err read_framing(struct cm_hreq *q, bool *chunked)
{
    cm_view length, coding;

    q->has_length = cm_http_header_of(&q->r, "content-length", &length);
    *chunked = cm_http_header_of(&q->r, "transfer-encoding", &coding);
    if (*chunked && q->has_length)
        return CM_FAIL(HTTP_MALFORMED);
    if (*chunked && !cm_http_same_nocase(coding, "chunked"))
        return CM_FAIL(HTTP_CODING);
    if (q->has_length && cm_failed(cm_dec_u64(&q->length, length)))
        return CM_FAIL(HTTP_MALFORMED);
    return CM_OKAY;
}

/* Whether any connection field lists the token "close". */
static bool asks_to_close(const struct cm_hreq *q)
{
    for (size_t i = 0; i < q->r.headers_n; i++) {
        cm_view rest = q->r.headers[i].value, token;

        if (!cm_view_eq(q->r.headers[i].name, CM_LIT("connection")))
            continue;
        while (next_word(&token, &rest, ','))
            if (cm_http_same_nocase(trim(token), "close"))
                return true;
        if (cm_http_same_nocase(trim(rest), "close"))
            return true;
    }
    return false;
}

cm_err cm_h1_parse_head(struct cm_hreq *q, bool *chunked, bool *closes)
{
    cm_view rest = cm_buf_view(&q->head), line, v;

    if (!next_line(&line, &rest))
        return CM_FAIL(HTTP_MALFORMED);
    CM_TRY(request_line(q, line));
    CM_TRY(read_fields(q, rest));
    CM_TRY(refuse_twins(q));
    CM_TRY(read_host(q));
    CM_TRY(read_framing(q, chunked));
    if (cm_http_header_of(&q->r, "expect", &v) && !cm_http_same_nocase(v, "100-continue"))
        return CM_FAIL(HTTP_CODING);
    *closes = asks_to_close(q);
    return CM_OKAY;
}
