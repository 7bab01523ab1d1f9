/* What may stand in a head (RFC 9110 section 5, RFC 9112 section 3). */
#include "codec/text.h"
#include "wire/http_int.h"

enum { TOKEN = 1, VALUE = 2, TARGET = 4, CAPITAL = 8 };

/* Of each byte the sum of the above; the unit test computes it again. */
static const char kinds[] = "0000000002000000000000000000000027237777667767767777777777662626"
                            "6??????????????????????????2223737777777777777777777777777723270"
                            "2222222222222222222222222222222222222222222222222222222222222222"
                            "2222222222222222222222222222222222222222222222222222222222222222";

static unsigned kind_of(uint8_t c)
{
    return (unsigned)(kinds[c] - '0');
}

static bool all(cm_view v, unsigned kind, unsigned none)
{
    for (size_t i = 0; i < v.n; i++) {
        unsigned k = kind_of(v.p[i]);

        if ((k & kind) == 0 || (k & none) != 0)
            return false;
    }
    return true;
}

bool cm_http_token(cm_view v)
{
    return v.n > 0 && all(v, TOKEN, 0);
}

bool cm_http_lower_token(cm_view v)
{
    return v.n > 0 && all(v, TOKEN, CAPITAL);
}

bool cm_http_value(cm_view v)
{
    return all(v, VALUE, 0);
}

static bool is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

bool cm_hreq_target(struct cm_hreq *q, cm_view target)
{
    const uint8_t *mark = target.n ? memchr(target.p, '?', target.n) : NULL;
    size_t n = mark ? (size_t)(mark - target.p) : target.n;

    if (target.n == 0 || target.p[0] != '/' || !all(target, TARGET, 0))
        return false;
    for (size_t i = 0; i < target.n; i++)
        if (target.p[i] == '%' &&
            (target.n - i < 3 || !is_hex(target.p[i + 1]) || !is_hex(target.p[i + 2])))
            return false;
    q->r.path = cm_view_sub(target, 0, n);
    q->r.query = mark ? cm_view_sub(target, n + 1, target.n - n - 1) : cm_view_of(NULL, 0);
    return true;
}

/* Where an IPv6 address in brackets ends; 0 when it does not. */
static size_t bracketed(cm_view v)
{
    size_t i = 1;

    while (i < v.n && (is_hex(v.p[i]) || v.p[i] == ':' || v.p[i] == '.'))
        i++;
    return i > 1 && i < v.n && v.p[i] == ']' ? i + 1 : 0;
}

static size_t named(cm_view v)
{
    size_t i = 0;

    while (i < v.n && (kind_of(v.p[i]) & TOKEN) && !strchr("#^`|%", v.p[i]))
        i++;
    return i;
}

/* A name, an IPv4 address or an IPv6 address in brackets, with a port or without. */
bool cm_http_host(cm_view v)
{
    size_t i = v.n > 0 && v.p[0] == '[' ? bracketed(v) : named(v);

    if (i == 0 || i == v.n)
        return i > 0;
    if (v.p[i++] != ':' || v.n - i > 5)
        return false;
    while (i < v.n && v.p[i] >= '0' && v.p[i] <= '9')
        i++;
    return i == v.n;
}

bool cm_http_same_nocase(cm_view v, const char *lower)
{
    size_t n = strlen(lower);

    if (v.n != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = v.p[i];

        if (c >= 'A' && c <= 'Z')
            c |= 0x20;
        if (c != (uint8_t)lower[i])
            return false;
    }
    return true;
}

bool cm_http_header_of(const cm_http_request *r, const char *name, cm_view *value)
{
    cm_view want = cm_view_str(name);

    for (size_t i = 0; i < r->headers_n; i++)
        if (cm_view_eq(r->headers[i].name, want)) {
            *value = r->headers[i].value;
            return true;
        }
    return false;
}

/* Those that frame the message are written by the connection alone. */
static bool reserved(cm_view name)
{
    return cm_view_eq(name, CM_LIT("content-length")) ||
           cm_view_eq(name, CM_LIT("transfer-encoding")) ||
           cm_view_eq(name, CM_LIT("connection")) || cm_view_eq(name, CM_LIT("keep-alive"));
}

cm_err cm_http_check(const cm_http_header *h, size_t n, int status)
{
    if (n > CM_HTTP_ANSWER_FIELDS || status < 200 || status > 599)
        return CM_FAIL(BAD_ARGUMENT);
    for (size_t i = 0; i < n; i++)
        if (!cm_http_lower_token(h[i].name) || !cm_http_value(h[i].value) || reserved(h[i].name))
            return CM_FAIL(BAD_ARGUMENT);
    return CM_OKAY;
}

int cm_http_status_of(cm_err e)
{
    if (cm_is(e, CM_HTTP_HEAD_LIMIT))
        return 431;
    if (cm_is(e, CM_HTTP_VERSION))
        return 505;
    return cm_err_http(e);
}

const char *cm_http_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } known[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {409, "Conflict"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < CM_COUNT(known); i++)
        if (known[i].status == status)
            return known[i].phrase;
    return "";
}

size_t cm_http_decimal(uint8_t text[20], uint64_t n)
{
    size_t at = 20;

    do
        text[--at] = (uint8_t)('0' + n % 10);
    while (n /= 10);
    return at;
}
