#include "run/response.h"

#include "codec/text.h"

enum { TRAILER_MAX = 8 << 10, STATUS_LINE_MIN = 12, CHUNK_DIGITS = 15 };

void cm_response_free(cm_response *r)
{
    cm_buf_free(&r->head);
    cm_buf_free(&r->body);
    r->headers_n = 0;
    r->status = 0;
}

bool cm_response_header(const cm_response *r, const char *name, cm_view *value)
{
    for (size_t i = 0; i < r->headers_n; i++)
        if (cm_view_eq(r->headers[i].name, cm_view_str(name))) {
            *value = r->headers[i].value;
            return true;
        }
    return false;
}

void cm_response_begin(cm_response_reader *r, cm_response *out, bool head_request)
{
    *r = (cm_response_reader){.out = out, .head_request = head_request};
    cm_response_free(out);
}

/* ---- the head ---- */

static bool token(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && memchr("!#$%&'*+-.^_`|~", c, 15));
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* A line of the head without its CRLF, taken off *text. */
static bool take_line(cm_view *line, cm_view *text)
{
    const uint8_t *lf = memchr(text->p, '\n', text->n);
    size_t n;

    if (!lf || lf == text->p || lf[-1] != '\r')
        return false;
    n = (size_t)(lf - text->p) - 1;
    *line = cm_view_of(text->p, n);
    *text = cm_view_sub(*text, n + 2, text->n - n - 2);
    for (size_t i = 0; i < n; i++)
        if ((line->p[i] < 0x20 && line->p[i] != '\t') || line->p[i] == 0x7f)
            return false;
    return true;
}

static bool read_status(cm_response *o, cm_view line)
{
    if (line.n < STATUS_LINE_MIN || !cm_view_eq(cm_view_sub(line, 0, 9), CM_LIT("HTTP/1.1 ")) ||
        line.p[9] < '1' || line.p[9] > '5' || !is_digit(line.p[10]) || !is_digit(line.p[11]) ||
        (line.n > STATUS_LINE_MIN && line.p[12] != ' '))
        return false;
    o->status = (line.p[9] - '0') * 100 + (line.p[10] - '0') * 10 + (line.p[11] - '0');
    return true;
}

static cm_view trim(cm_view v)
{
    while (v.n && (v.p[0] == ' ' || v.p[0] == '\t'))
        v = cm_view_sub(v, 1, v.n - 1);
    while (v.n && (v.p[v.n - 1] == ' ' || v.p[v.n - 1] == '\t'))
        v.n--;
    return v;
}

/* The name is put in lower case where it stands, in the head's own bytes. */
static bool read_header(cm_response *o, cm_view line)
{
    size_t n = 0, at = (size_t)(line.p - o->head.p);

    while (n < line.n && token(line.p[n]))
        n++;
    if (n == 0 || n == line.n || line.p[n] != ':' || o->headers_n == CM_RESPONSE_HEADERS_MAX)
        return false;
    for (size_t i = 0; i < n; i++)
        if (line.p[i] >= 'A' && line.p[i] <= 'Z')
            o->head.p[at + i] = (uint8_t)(line.p[i] | 0x20);
    o->headers[o->headers_n++] = (cm_http_header){
        .name = cm_view_sub(line, 0, n),
        .value = trim(cm_view_sub(line, n + 1, line.n - n - 1)),
    };
    return true;
}

static bool read_head(cm_response *o)
{
    cm_view text = cm_buf_view(&o->head), line;

    if (!take_line(&line, &text) || !read_status(o, line))
        return false;
    while (take_line(&line, &text)) {
        if (line.n == 0)
            return text.n == 0;
        if (!read_header(o, line))
            return false;
    }
    return false;
}

static size_t count(const cm_response *o, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < o->headers_n; i++)
        n += cm_view_eq(o->headers[i].name, cm_view_str(name));
    return n;
}

static bool equals(cm_view v, const char *lower)
{
    if (v.n != strlen(lower))
        return false;
    for (size_t i = 0; i < v.n; i++)
        if ((v.p[i] >= 'A' && v.p[i] <= 'Z' ? v.p[i] | 0x20 : v.p[i]) != (uint8_t)lower[i])
            return false;
    return true;
}

/* Whether a word is in a header's list, in any of its lines. */
static bool lists(const cm_response *o, const char *name, const char *word)
{
    for (size_t i = 0; i < o->headers_n; i++) {
        cm_view v = o->headers[i].value;

        if (!cm_view_eq(o->headers[i].name, cm_view_str(name)))
            continue;
        while (v.n) {
            const uint8_t *comma = memchr(v.p, ',', v.n);
            size_t n = comma ? (size_t)(comma - v.p) : v.n;

            if (equals(trim(cm_view_sub(v, 0, n)), word))
                return true;
            n += comma != NULL;
            v = cm_view_sub(v, n, v.n - n);
        }
    }
    return false;
}

/* One length, or one coding that is known, or neither. *chunked, *sized say which. */
static bool read_framing(cm_response_reader *r, bool *chunked, bool *sized)
{
    cm_response *o = r->out;
    cm_view v = {NULL, 0};
    size_t lengths = count(o, "content-length"), codings = count(o, "transfer-encoding");

    if (lengths + codings > 1)
        return false;
    *sized = cm_response_header(o, "content-length", &v);
    if (*sized)
        return cm_ok(cm_dec_u64(&r->left, v));
    *chunked = cm_response_header(o, "transfer-encoding", &v);
    return !*chunked || equals(v, "chunked");
}

static bool choose_body(cm_response_reader *r)
{
    bool chunked = false, sized = false;
    int status = r->out->status;

    if (!read_framing(r, &chunked, &sized))
        return false;
    if (r->head_request || status == 204 || status == 304 || (sized && r->left == 0))
        r->state = CM_READ_DONE;
    else if (chunked)
        r->state = CM_READ_CHUNK_SIZE;
    else
        r->state = sized ? CM_READ_SIZED : CM_READ_UNTIL_END;
    r->keep_alive = r->state != CM_READ_UNTIL_END && !lists(r->out, "connection", "close");
    return true;
}

/* 1xx: what it says is dropped, and the real answer follows. 101 was never asked for. */
static bool skip_interim(cm_response_reader *r)
{
    if (r->out->status == 101 || ++r->interim > CM_RESPONSE_INTERIM_MAX)
        return false;
    r->out->head.n = 0;
    r->out->headers_n = 0;
    r->out->status = 0;
    return true;
}

static bool ends_head(const cm_buf *b)
{
    return b->n >= 4 && cm_view_eq(cm_view_of(b->p + b->n - 4, 4), CM_LIT("\r\n\r\n"));
}

static cm_err feed_head(cm_response_reader *r, cm_view v, size_t *used)
{
    cm_buf *head = &r->out->head;

    for (*used = 0; *used < v.n;) {
        CM_TRY(cm_buf_byte(head, v.p[(*used)++]));
        if (head->p[head->n - 1] != '\n' || !ends_head(head))
            continue;
        if (!read_head(r->out))
            return CM_FAIL(CLIENT_RESPONSE);
        if (r->out->status >= 200)
            return choose_body(r) ? CM_OKAY : CM_FAIL(CLIENT_RESPONSE);
        if (!skip_interim(r))
            return CM_FAIL(CLIENT_RESPONSE);
    }
    return CM_OKAY;
}

/* ---- the body ---- */

static cm_err give(cm_response_reader *r, cm_view v)
{
    if (v.n == 0)
        return CM_OKAY;
    if (r->sink && r->out->status < 300)
        return r->sink(r->sink_arg, v);
    return cm_buf_append(&r->out->body, v);
}

static cm_err feed_counted(cm_response_reader *r, cm_view v, size_t *used, cm_reading then)
{
    size_t n = (size_t)CM_MIN(r->left, (uint64_t)v.n);

    CM_TRY(give(r, cm_view_sub(v, 0, n)));
    r->left -= n;
    *used = n;
    if (r->left == 0)
        r->state = then;
    return CM_OKAY;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool chunk_size(cm_response_reader *r)
{
    size_t n = r->line_n - 2;

    r->left = 0;
    if (n == 0 || n > CHUNK_DIGITS || r->line[n] != '\r')
        return false;
    for (size_t i = 0; i < n; i++) {
        if (hex_digit(r->line[i]) < 0)
            return false;
        r->left = r->left << 4 | (uint64_t)hex_digit(r->line[i]);
    }
    r->state = r->left ? CM_READ_CHUNK : CM_READ_TRAILER;
    r->line_n = 0;
    return true;
}

static cm_err feed_line(cm_response_reader *r, cm_view v, size_t *used)
{
    for (*used = 0; *used < v.n;) {
        char c = (char)v.p[(*used)++];

        if (r->line_n == sizeof r->line)
            return CM_FAIL(CLIENT_RESPONSE);
        r->line[r->line_n++] = c;
        if (c == '\n')
            return r->line_n >= 2 && chunk_size(r) ? CM_OKAY : CM_FAIL(CLIENT_RESPONSE);
    }
    return CM_OKAY;
}

/* CRLF behind a chunk's bytes. */
static cm_err feed_chunk_end(cm_response_reader *r, cm_view v, size_t *used)
{
    *used = 1;
    if (v.p[0] != (uint8_t) "\r\n"[r->line_n++])
        return CM_FAIL(CLIENT_RESPONSE);
    if (r->line_n == 2) {
        r->line_n = 0;
        r->state = CM_READ_CHUNK_SIZE;
    }
    return CM_OKAY;
}

/* Lines up to an empty one; what they say is not looked at. line_n counts a line's characters, and
 * line[0] remembers the last one. */
static cm_err feed_trailer(cm_response_reader *r, cm_view v, size_t *used)
{
    char c = (char)v.p[0];

    *used = 1;
    if (++r->trailer_n > TRAILER_MAX)
        return CM_FAIL(TOO_BIG);
    if (c == '\n' && (r->line_n == 0 || r->line[0] != '\r'))
        return CM_FAIL(CLIENT_RESPONSE);
    if (c != '\n' && r->line_n && r->line[0] == '\r')
        return CM_FAIL(CLIENT_RESPONSE);
    if (c == '\n' && r->line_n == 1)
        r->state = CM_READ_DONE;
    r->line[0] = c;
    r->line_n = c == '\n' ? 0 : r->line_n + 1;
    return CM_OKAY;
}

static cm_err feed_rest(cm_response_reader *r, cm_view v, size_t *used)
{
    *used = v.n;
    return give(r, v);
}

cm_err cm_response_feed(cm_response_reader *r, cm_view v, size_t *used)
{
    *used = 0;
    while (*used < v.n && r->state != CM_READ_DONE) {
        cm_view rest = cm_view_sub(v, *used, v.n - *used);
        size_t n = 0;

        switch (r->state) {
        case CM_READ_HEAD:
            CM_TRY(feed_head(r, rest, &n));
            break;
        case CM_READ_SIZED:
            CM_TRY(feed_counted(r, rest, &n, CM_READ_DONE));
            break;
        case CM_READ_CHUNK:
            CM_TRY(feed_counted(r, rest, &n, CM_READ_CHUNK_END));
            break;
        case CM_READ_CHUNK_SIZE:
            CM_TRY(feed_line(r, rest, &n));
            break;
        case CM_READ_CHUNK_END:
            CM_TRY(feed_chunk_end(r, rest, &n));
            break;
        case CM_READ_TRAILER:
            CM_TRY(feed_trailer(r, rest, &n));
            break;
        default:
            CM_TRY(feed_rest(r, rest, &n));
            break;
        }
        *used += n;
    }
    return CM_OKAY;
}

cm_err cm_response_end(cm_response_reader *r)
{
    if (r->state == CM_READ_UNTIL_END)
        r->state = CM_READ_DONE;
    return r->state == CM_READ_DONE ? CM_OKAY : CM_FAIL(CLIENT_CLOSED);
}
