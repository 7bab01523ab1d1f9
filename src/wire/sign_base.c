#include <stdio.h>

#include "wire/sign_int.h"

/* The text that is signed: RFC 9421 section 2.5. */

static bool blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static cm_view trim(cm_view v)
{
    while (v.n && blank(v.p[0]))
        v = cm_view_sub(v, 1, v.n - 1);
    while (v.n && blank(v.p[v.n - 1]))
        v.n--;
    return v;
}

size_t cm_httpsig_header(cm_view *value, const cm_httpsig_message *m, cm_view name)
{
    size_t found = 0;

    for (size_t i = 0; i < m->headers_n; i++)
        if (cm_view_eq(m->headers[i].name, name) && found++ == 0)
            *value = trim(m->headers[i].value);
    return found;
}

/* W-4: nothing may end a line of the text, or look different to whoever reads it. */
static cm_err put(cm_buf *out, cm_view v)
{
    for (size_t i = 0; i < v.n; i++)
        if ((v.p[i] < 0x20 && v.p[i] != '\t') || v.p[i] >= 0x7f)
            return CM_FAIL(SIGN_COVERAGE);
    return cm_buf_append(out, v);
}

static cm_err put_header(cm_buf *out, const cm_httpsig_message *m, cm_view name)
{
    bool found = false;

    for (size_t i = 0; i < m->headers_n; i++) {
        if (!cm_view_eq(m->headers[i].name, name))
            continue;
        if (found)
            CM_TRY(cm_buf_append(out, CM_LIT(", ")));
        CM_TRY(put(out, trim(m->headers[i].value)));
        found = true;
    }
    return found ? CM_OKAY : CM_FAIL(SIGN_COVERAGE);
}

static bool ends_in(cm_view v, cm_view tail)
{
    return v.n >= tail.n && cm_view_eq(cm_view_sub(v, v.n - tail.n, tail.n), tail);
}

/* In lower case, without the port that its scheme implies. */
static cm_err put_authority(cm_buf *out, const cm_httpsig_message *m)
{
    cm_view a = m->authority;
    size_t from = out->n;

    if (cm_view_eq(m->scheme, CM_LIT("https")) && ends_in(a, CM_LIT(":443")))
        a.n -= 4;
    else if (cm_view_eq(m->scheme, CM_LIT("http")) && ends_in(a, CM_LIT(":80")))
        a.n -= 3;
    CM_TRY(put(out, a));
    for (size_t i = from; i < out->n; i++)
        if (out->p[i] >= 'A' && out->p[i] <= 'Z')
            out->p[i] = (uint8_t)(out->p[i] | 0x20);
    return CM_OKAY;
}

static cm_err put_path(cm_buf *out, const cm_httpsig_message *m)
{
    return m->path.n ? put(out, m->path) : cm_buf_byte(out, '/');
}

static cm_err put_query(cm_buf *out, const cm_httpsig_message *m)
{
    CM_TRY(cm_buf_byte(out, '?'));
    return put(out, m->query);
}

static cm_err put_target(cm_buf *out, const cm_httpsig_message *m)
{
    CM_TRY(put(out, m->scheme));
    CM_TRY(cm_buf_append(out, CM_LIT("://")));
    CM_TRY(put_authority(out, m));
    CM_TRY(put_path(out, m));
    return m->query.n ? put_query(out, m) : CM_OKAY;
}

static cm_err put_method(cm_buf *out, const cm_httpsig_message *m)
{
    return put(out, m->method);
}

static cm_err put_scheme(cm_buf *out, const cm_httpsig_message *m)
{
    return put(out, m->scheme);
}

static cm_err put_component(cm_buf *out, const cm_httpsig_message *m, cm_view name, cm_view digest)
{
    static const struct {
        const char *name;
        cm_err (*put)(cm_buf *out, const cm_httpsig_message *m);
    } derived[] = {
        {"@method", put_method}, {"@authority", put_authority}, {"@path", put_path},
        {"@query", put_query},   {"@scheme", put_scheme},       {"@target-uri", put_target},
    };

    if (digest.n && cm_view_eq(name, CM_LIT("content-digest")))
        return cm_buf_append(out, digest);
    if (name.n == 0 || name.p[0] != '@')
        return put_header(out, m, name);
    for (size_t i = 0; i < CM_COUNT(derived); i++)
        if (cm_view_eq(name, cm_view_str(derived[i].name)))
            return derived[i].put(out, m);
    return CM_FAIL(SIGN_COVERAGE);
}

cm_err cm_httpsig_text(cm_buf *out, const cm_httpsig *s, const cm_httpsig_message *m,
                       cm_view digest)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_HTTPSIG_BASE_MAX};

    CM_TRY(cm_buf_reserve(&b, 1024)); /* most fit: one allocation */
    for (size_t i = 0; i < s->names_n; i++) {
        CM_TRY(cm_buf_byte(&b, '"'));
        CM_TRY(put(&b, s->names[i]));
        CM_TRY(cm_buf_append(&b, CM_LIT("\": ")));
        CM_TRY(put_component(&b, m, s->names[i], digest));
        CM_TRY(cm_buf_byte(&b, '\n'));
    }
    CM_TRY(cm_buf_append(&b, CM_LIT("\"@signature-params\": ")));
    CM_TRY(put(&b, s->params));
    return cm_buf_append(out, cm_buf_view(&b));
}

cm_err cm_httpsig_base(cm_buf *out, const cm_httpsig *s, const cm_httpsig_message *m)
{
    return cm_httpsig_text(out, s, m, cm_view_of(NULL, 0));
}

cm_err cm_httpsig_params(cm_buf *out, const cm_httpsig *s)
{
    char number[32];
    int n = snprintf(number, sizeof number, ");created=%llu", (unsigned long long)s->created);

    CM_TRY(cm_buf_byte(out, '('));
    for (size_t i = 0; i < s->names_n; i++) {
        CM_TRY(cm_buf_append(out, i ? CM_LIT(" \"") : CM_LIT("\"")));
        CM_TRY(cm_buf_append(out, s->names[i]));
        CM_TRY(cm_buf_byte(out, '"'));
    }
    CM_TRY(cm_buf_append(out, cm_view_of(number, (size_t)n)));
    CM_TRY(cm_buf_append(out, CM_LIT(";nonce=\"")));
    CM_TRY(cm_buf_append(out, s->nonce));
    CM_TRY(cm_buf_append(out, CM_LIT("\";keyid=\"")));
    CM_TRY(cm_buf_append(out, s->keyid));
    CM_TRY(cm_buf_append(out, CM_LIT("\";alg=\"")));
    CM_TRY(cm_buf_append(out, cm_view_str(cm_httpsig_alg_name(s->alg))));
    return cm_buf_byte(out, '"');
}
