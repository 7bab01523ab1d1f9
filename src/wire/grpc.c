#include "wire/grpc.h"

#include "codec/text.h"

enum { PREFIX = 5, TEXT_MAX = 512, METADATA = 48, UNAVAILABLE = 14 };

/* ---- requests ----------------------------------------------------------------------------- */

/* The frame at the head of v: *n bytes of message behind the prefix, or 0 and *whole false. */
static cm_err frame(cm_view v, size_t max, size_t *n, bool *whole)
{
    *whole = false;
    if (v.n < PREFIX)
        return CM_OKAY;
    if (v.p[0] > 1)
        return CM_FAIL(GRPC_FRAME);
    if (v.p[0] == 1)
        return CM_FAIL(GRPC_COMPRESSED);
    *n = cm_get_be32(v.p + 1);
    if (*n > max)
        return CM_FAIL(GRPC_TOO_LONG);
    *whole = v.n - PREFIX >= *n;
    return CM_OKAY;
}

cm_err cm_grpc_unary(cm_view *message, const cm_http_request *r, size_t max)
{
    size_t n = 0;
    bool whole;

    CM_TRY(frame(r->body, max, &n, &whole));
    if (!whole || r->body.n != PREFIX + n)
        return CM_FAIL(GRPC_FRAME);
    *message = cm_view_sub(r->body, PREFIX, n);
    return CM_OKAY;
}

cm_err cm_grpc_push(cm_grpc_reader *g, cm_view piece)
{
    if (g->at > 0 && g->in.n > 0) {
        memmove(g->in.p, g->in.p + g->at, g->in.n - g->at);
        g->in.n -= g->at;
        g->at = 0;
    }
    /* A piece may hold the end of one message and many more: what bounds it is the connection. */
    g->in.max = SIZE_MAX / 2;
    return cm_buf_append(&g->in, piece);
}

cm_err cm_grpc_next(cm_grpc_reader *g, cm_view *message, bool *got)
{
    cm_view rest = cm_view_of(NULL, 0);
    size_t n = 0;

    *got = false;
    if (g->in.n > g->at)
        rest = cm_view_sub(cm_buf_view(&g->in), g->at, g->in.n - g->at);
    CM_TRY(frame(rest, g->max, &n, got));
    if (!*got)
        return CM_OKAY;
    *message = cm_view_sub(rest, PREFIX, n);
    g->at += PREFIX + n;
    return CM_OKAY;
}

cm_err cm_grpc_last(const cm_grpc_reader *g)
{
    return g->at == g->in.n ? CM_OKAY : CM_FAIL(GRPC_FRAME);
}

void cm_grpc_reader_done(cm_grpc_reader *g)
{
    cm_buf_free(&g->in);
    g->at = 0;
}

cm_err cm_grpc_timeout(const cm_http_request *r, uint64_t *ms, bool *given)
{
    static const char units[] = "HMSmun";
    static const uint64_t nanoseconds[] = {3600000000000u, 60000000000u, 1000000000u,
                                           1000000u,       1000u,        1u};
    const char *unit;
    uint64_t n = 0;
    cm_view v;

    *given = cm_http_header_of(r, "grpc-timeout", &v);
    if (!*given)
        return CM_OKAY;
    if (v.n < 2 || v.n > 9)
        return CM_FAIL(GRPC_TIMEOUT);
    for (size_t i = 0; i < v.n - 1; i++) {
        if (v.p[i] < '0' || v.p[i] > '9')
            return CM_FAIL(GRPC_TIMEOUT);
        n = n * 10 + (uint64_t)(v.p[i] - '0');
    }
    unit = v.p[v.n - 1] ? strchr(units, v.p[v.n - 1]) : NULL;
    if (!unit)
        return CM_FAIL(GRPC_TIMEOUT);
    /* Eight digits of hours are 3.6e20 ns, more than 64 bits hold: hours in ms. */
    if (nanoseconds[unit - units] >= 1000000)
        *ms = n * (nanoseconds[unit - units] / 1000000);
    else
        *ms = (n * nanoseconds[unit - units] + 999999) / 1000000;
    return CM_OKAY;
}

/* With padding or without: the last group gets its own. */
cm_err cm_grpc_metadata_bin(const cm_http_request *r, const char *name, cm_buf *out, bool *given)
{
    size_t before = out->n, tail;
    uint8_t last[4] = "====";
    cm_view v;
    cm_err e;

    *given = cm_http_header_of(r, name, &v);
    if (!*given)
        return CM_OKAY;
    tail = v.n % 4;
    if (tail > 0 && v.p[v.n - 1] == '=')
        return CM_FAIL(BASE64_MALFORMED);
    CM_TRY(cm_base64_decode(out, cm_view_sub(v, 0, v.n - tail), false));
    if (tail == 0)
        return CM_OKAY;
    memcpy(last, v.p + v.n - tail, tail);
    e = cm_base64_decode(out, CM_VIEW(last), false);
    if (cm_failed(e))
        out->n = before;
    return e;
}

/* ---- answers ------------------------------------------------------------------------------ */

static cm_http_header field(const char *name, cm_view value)
{
    return (cm_http_header){cm_view_str(name), value};
}

/* grpc-message: printable ASCII without the per cent sign, the rest as %XX. */
static cm_view escaped(uint8_t out[3 * TEXT_MAX], const char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;

    for (size_t i = 0; text[i] && i < TEXT_MAX; i++) {
        uint8_t c = (uint8_t)text[i];

        if (c >= 0x20 && c < 0x7f && c != '%') {
            out[n++] = c;
            continue;
        }
        out[n++] = '%';
        out[n++] = (uint8_t)digits[c >> 4];
        out[n++] = (uint8_t)digits[c & 15];
    }
    return cm_view_of(out, n);
}

struct status {
    uint8_t code[2], text[3 * TEXT_MAX];
    cm_http_header fields[2];
    size_t n;
};

/* A server that is not open, or no longer, is not an exhausted one: clients may go elsewhere. */
static int code_of(cm_err e)
{
    return cm_is(e, CM_KMSD_SEALED) || cm_is(e, CM_RUN_DRAINED) ? UNAVAILABLE : cm_err_grpc(e);
}

static void set_status(struct status *s, cm_err e, const char *text)
{
    int code = code_of(e);
    size_t n = 0;

    if (code > 9)
        s->code[n++] = (uint8_t)('0' + code / 10);
    s->code[n++] = (uint8_t)('0' + code % 10);
    s->fields[0] = field("grpc-status", cm_view_of(s->code, n));
    s->n = 1;
    if (cm_failed(e))
        s->fields[s->n++] = field("grpc-message", escaped(s->text, text ? text : cm_err_what(e)));
}

static size_t with_type(cm_http_header out[METADATA + 3], const cm_http_header *metadata, size_t n)
{
    out[0] = field("content-type", CM_LIT("application/grpc"));
    if (n)
        memcpy(out + 1, metadata, n * sizeof *metadata);
    return n + 1;
}

cm_err cm_grpc_begin(cm_http_request *r, const cm_http_header *metadata, size_t n)
{
    cm_http_header fields[METADATA + 3];
    cm_http_response head = {.status = 200, .headers = fields};

    if (n > METADATA) {
        cm_http_reset(r);
        return CM_FAIL(BAD_ARGUMENT);
    }
    head.headers_n = with_type(fields, metadata, n);
    return cm_http_start(r, &head);
}

cm_err cm_grpc_send(cm_http_request *r, cm_view message)
{
    uint8_t prefix[PREFIX] = {0};

    if (message.n > UINT32_MAX) {
        cm_http_reset(r);
        return CM_FAIL(GRPC_TOO_LONG);
    }
    cm_put_be32(prefix + 1, (uint32_t)message.n);
    CM_TRY(cm_http_write(r, CM_VIEW(prefix)));
    return cm_http_write(r, message);
}

cm_err cm_grpc_end(cm_http_request *r, cm_err e, const char *text)
{
    struct status s;

    set_status(&s, e, text);
    return cm_http_finish(r, s.fields, s.n);
}

cm_err cm_grpc_answer(cm_http_request *r, cm_view message, const cm_http_header *metadata, size_t n)
{
    CM_TRY(cm_grpc_begin(r, metadata, n));
    CM_TRY(cm_grpc_send(r, message));
    return cm_grpc_end(r, CM_OKAY, NULL);
}

cm_err cm_grpc_fail(cm_http_request *r, cm_err e, const char *text, const cm_http_header *metadata,
                    size_t n)
{
    cm_http_header fields[METADATA + 3];
    cm_http_response a = {.status = 200, .headers = fields};
    struct status s;

    if (n > METADATA) {
        cm_http_reset(r);
        return CM_FAIL(BAD_ARGUMENT);
    }
    set_status(&s, e, text);
    a.headers_n = with_type(fields, metadata, n);
    memcpy(fields + a.headers_n, s.fields, s.n * sizeof *fields);
    a.headers_n += s.n;
    return cm_http_respond(r, &a);
}

cm_err cm_grpc_unknown(cm_http_request *r)
{
    return cm_grpc_fail(r, CM_FAIL(GRPC_METHOD), NULL, NULL, 0);
}
