#include "codec/text.h"
#include "run/link.h"

static bool begins(cm_view *v, cm_view with)
{
    if (v->n < with.n || !cm_view_eq(cm_view_sub(*v, 0, with.n), with))
        return false;
    *v = cm_view_sub(*v, with.n, v->n - with.n);
    return true;
}

static bool copy(char *out, size_t max, cm_view v)
{
    if (v.n == 0 || v.n >= max)
        return false;
    memcpy(out, v.p, v.n);
    out[v.n] = 0;
    return true;
}

static bool host_byte(uint8_t b, bool brackets)
{
    return (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') || b == '-' ||
           b == '.' || b == '_' || (brackets && b == ':');
}

static size_t host_length(cm_view v, bool brackets)
{
    size_t n = 0;

    while (n < v.n && host_byte(v.p[n], brackets))
        n++;
    return n;
}

/* host, with brackets around an IPv6 address, and port. */
static bool read_host(cm_link_url *u, cm_view *v, const char *port)
{
    bool brackets = begins(v, CM_LIT("["));
    size_t n = host_length(*v, brackets), digits = 0;
    uint64_t number;

    if (!copy(u->host, sizeof u->host, cm_view_sub(*v, 0, n)))
        return false;
    *v = cm_view_sub(*v, n, v->n - n);
    if (brackets && !begins(v, CM_LIT("]")))
        return false;
    if (!begins(v, CM_LIT(":")))
        return copy(u->port, sizeof u->port, cm_view_str(port));
    while (digits < v->n && v->p[digits] >= '0' && v->p[digits] <= '9')
        digits++;
    if (!copy(u->port, sizeof u->port, cm_view_sub(*v, 0, digits)) ||
        cm_failed(cm_dec_u64(&number, cm_view_str(u->port))) || number == 0 || number > 65535)
        return false;
    *v = cm_view_sub(*v, digits, v->n - digits);
    return true;
}

static bool read_rest(cm_link_url *u, cm_view v)
{
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] <= 0x20 || v.p[i] >= 0x7f || v.p[i] == '#')
            return false;
    u->rest = v;
    return v.n == 0 || v.p[0] == '/';
}

cm_err cm_link_url_parse(cm_link_url *out, cm_view url)
{
    cm_link_url u = {0};

    if (url.n && memchr(url.p, 0, url.n))
        return CM_FAIL(CLIENT_URL);
    if (begins(&url, CM_LIT("unix:"))) {
        u.unix_socket = true;
        if (!copy(u.path, sizeof u.path, url))
            return CM_FAIL(CLIENT_URL);
    } else {
        u.tls = begins(&url, CM_LIT("https://"));
        if ((!u.tls && !begins(&url, CM_LIT("http://"))) ||
            !read_host(&u, &url, u.tls ? "443" : "80") || !read_rest(&u, url))
            return CM_FAIL(CLIENT_URL);
    }
    *out = u;
    return CM_OKAY;
}

cm_err cm_link_authority(cm_buf *out, const cm_link_url *u)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = sizeof u->host + sizeof u->port + 3};
    bool v6 = strchr(u->host, ':');

    if (u->unix_socket)
        return cm_buf_append(out, CM_LIT("localhost"));
    CM_TRY(cm_buf_append(&b, v6 ? CM_LIT("[") : CM_LIT("")));
    CM_TRY(cm_buf_append(&b, cm_view_str(u->host)));
    CM_TRY(cm_buf_append(&b, v6 ? CM_LIT("]") : CM_LIT("")));
    if (strcmp(u->port, u->tls ? "443" : "80") != 0) {
        CM_TRY(cm_buf_byte(&b, ':'));
        CM_TRY(cm_buf_append(&b, cm_view_str(u->port)));
    }
    return cm_buf_append(out, cm_buf_view(&b));
}
