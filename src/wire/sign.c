#include "wire/sign.h"

#include "base/ct.h"
#include "codec/text.h"
#include "wire/digest.h"
#include "wire/sign_int.h"

enum { MAC = 32, NAME_MAX = 64, TAG_MAX = 64, ALG_MAX = 32 };

/* ---- algorithms ---- W-1 */

static const struct {
    const char *name, *key; /* of the signature; of its key */
    cm_sig_id id;
} algs[] = {
    [CM_HTTPSIG_MLDSA44] = {"ml-dsa-44", "ML-DSA-44", CM_SIG_MLDSA44},
    [CM_HTTPSIG_MLDSA65] = {"ml-dsa-65", "ML-DSA-65", CM_SIG_MLDSA65},
    [CM_HTTPSIG_MLDSA87] = {"ml-dsa-87", "ML-DSA-87", CM_SIG_MLDSA87},
    [CM_HTTPSIG_ED25519] = {"ed25519", "Ed25519", CM_SIG_ED25519},
    [CM_HTTPSIG_HMAC_SHA256] = {"hmac-sha256", NULL, (cm_sig_id)0},
};

const char *cm_httpsig_alg_name(cm_httpsig_alg a)
{
    return (size_t)a < CM_COUNT(algs) ? algs[a].name : "unknown";
}

const char *cm_httpsig_alg_key_name(cm_httpsig_alg a)
{
    return (size_t)a < CM_COUNT(algs) ? algs[a].key : NULL;
}

bool cm_httpsig_alg_by_name(cm_httpsig_alg *out, cm_view name)
{
    for (size_t i = 0; i < CM_COUNT(algs); i++)
        if (cm_view_eq(name, cm_view_str(algs[i].name))) {
            *out = (cm_httpsig_alg)i;
            return true;
        }
    return false;
}

cm_err cm_httpsig_alg_of(cm_httpsig_alg *out, const cm_sig_key *k)
{
    cm_sig_id id = cm_sig_key_info(k)->id;

    for (size_t i = 0; i < CM_COUNT(algs); i++)
        if (algs[i].key && algs[i].id == id) {
            *out = (cm_httpsig_alg)i;
            return CM_OKAY;
        }
    return CM_FAIL(CRYPT_ALGORITHM);
}

cm_httpsig_message cm_httpsig_message_of(const cm_http_request *r)
{
    return (cm_httpsig_message){
        .method = r->method,
        .scheme = r->scheme,
        .authority = r->authority,
        .path = r->path,
        .query = r->query,
        .headers = r->headers,
        .headers_n = r->headers_n,
        .body = r->body,
    };
}

/* ---- reading ---- */

enum { CREATED = 1, EXPIRES = 2, NONCE = 4, KEYID = 8, ALG = 16, TAG = 32 };

/* Components in their parentheses: names alone, none twice (W-4). */
static bool read_names(cm_httpsig *s, cm_sfv *f)
{
    if (!cm_sfv_byte(f, '('))
        return false;
    while (!cm_sfv_byte(f, ')')) {
        cm_view name;

        if (s->names_n == CM_HTTPSIG_COMPONENTS_MAX || (s->names_n && !cm_sfv_byte(f, ' ')) ||
            !cm_sfv_string(f, &name, NAME_MAX) || name.n == 0)
            return false;
        for (size_t i = 0; i < name.n; i++)
            if (name.p[i] >= 'A' && name.p[i] <= 'Z')
                return false;
        for (size_t i = 0; i < s->names_n; i++)
            if (cm_view_eq(s->names[i], name))
                return false;
        s->names[s->names_n++] = name;
    }
    return true;
}

static bool read_value(cm_httpsig *s, cm_sfv *f, unsigned which, cm_view *alg)
{
    switch (which) {
    case CREATED:
        return cm_sfv_integer(f, &s->created);
    case EXPIRES:
        return cm_sfv_integer(f, &s->expires);
    case NONCE:
        return cm_sfv_string(f, &s->nonce, CM_HTTPSIG_NONCE_MAX);
    case KEYID:
        return cm_sfv_string(f, &s->keyid, CM_HTTPSIG_KEYID_MAX);
    case ALG:
        return cm_sfv_string(f, alg, ALG_MAX);
    default:
        return cm_sfv_string(f, &s->tag, TAG_MAX);
    }
}

static unsigned param_of(cm_view key)
{
    static const struct {
        const char *name;
        unsigned which;
    } params[] = {{"created", CREATED}, {"expires", EXPIRES}, {"nonce", NONCE},
                  {"keyid", KEYID},     {"alg", ALG},         {"tag", TAG}};

    for (size_t i = 0; i < CM_COUNT(params); i++)
        if (cm_view_eq(key, cm_view_str(params[i].name)))
            return params[i].which;
    return 0;
}

/* Known parameters in any order, none twice. *seen says which. */
static bool read_params(cm_httpsig *s, cm_sfv *f, unsigned *seen, cm_view *alg)
{
    while (!cm_sfv_over(f)) {
        cm_view key;
        unsigned which;

        if (!cm_sfv_byte(f, ';') || !cm_sfv_key(f, &key) || !cm_sfv_byte(f, '='))
            return false;
        which = param_of(key);
        if (which == 0 || (*seen & which) || !read_value(s, f, which, alg))
            return false;
        *seen |= which;
    }
    return true;
}

static bool read_input(cm_httpsig *s, cm_view input, unsigned *seen, cm_view *alg)
{
    cm_sfv f = cm_sfv_of(input);

    if (input.n > CM_HTTPSIG_INPUT_MAX || !cm_sfv_key(&f, &s->label) || !cm_sfv_byte(&f, '='))
        return false;
    s->params = cm_view_of(f.p, (size_t)(f.end - f.p));
    return read_names(s, &f) && read_params(s, &f, seen, alg);
}

/* W-2: one signature, under the same label in both headers. */
static bool read_signature(cm_httpsig *s, cm_view signature)
{
    cm_sfv f = cm_sfv_of(signature);
    cm_view label;

    return signature.n <= CM_HTTPSIG_HEADER_MAX && cm_sfv_key(&f, &label) &&
           cm_view_eq(label, s->label) && cm_sfv_byte(&f, '=') &&
           cm_sfv_bytes(&f, &s->value, CM_HTTPSIG_HEADER_MAX) && cm_sfv_over(&f);
}

cm_err cm_httpsig_read(cm_httpsig *out, cm_view input, cm_view signature)
{
    cm_httpsig s = {0};
    cm_view alg = {NULL, 0};
    unsigned seen = 0;

    if (!read_input(&s, input, &seen, &alg) || !read_signature(&s, signature))
        return CM_FAIL(SIGN_MALFORMED);
    if (!(seen & CREATED) || !(seen & KEYID) || !(seen & ALG))
        return CM_FAIL(SIGN_COVERAGE); /* W-5 */
    if (!cm_httpsig_alg_by_name(&s.alg, alg))
        return CM_FAIL(SIGN_ALGORITHM);
    s.has_expires = seen & EXPIRES;
    *out = s;
    return CM_OKAY;
}

bool cm_httpsig_present(const cm_httpsig_message *m)
{
    cm_view v;

    return cm_httpsig_header(&v, m, CM_LIT("signature")) ||
           cm_httpsig_header(&v, m, CM_LIT("signature-input"));
}

/* ---- rules ---- */

bool cm_httpsig_covers(const cm_httpsig *s, const char *name)
{
    for (size_t i = 0; i < s->names_n; i++)
        if (cm_view_eq(s->names[i], cm_view_str(name)))
            return true;
    return false;
}

size_t cm_httpsig_required(const char *names[CM_HTTPSIG_COMPONENTS_MAX],
                           const cm_httpsig_message *m)
{
    size_t n = 0;

    names[n++] = "@method";
    names[n++] = "@authority";
    names[n++] = "@path";
    if (m->query.n)
        names[n++] = "@query";
    if (m->body.n)
        names[n++] = "content-digest";
    return n;
}

/* W-6, W-7 */
static cm_err check_coverage(const cm_httpsig *s, const cm_httpsig_message *m)
{
    const char *names[CM_HTTPSIG_COMPONENTS_MAX];
    size_t n = cm_httpsig_required(names, m);
    size_t nonce_min = s->alg == CM_HTTPSIG_HMAC_SHA256 ? 1 : CM_HTTPSIG_NONCE_MIN;

    for (size_t i = 0; i < n; i++)
        if (!cm_httpsig_covers(s, names[i]))
            return CM_FAIL(SIGN_COVERAGE);
    return s->nonce.n < nonce_min || s->keyid.n == 0 ? CM_FAIL(SIGN_COVERAGE) : CM_OKAY;
}

/* W-8 */
static cm_err check_window(const cm_httpsig *s, uint64_t now)
{
    uint64_t away = s->created > now ? s->created - now : now - s->created;

    if (away > CM_HTTPSIG_WINDOW || (s->has_expires && s->expires < now))
        return CM_FAIL(SIGN_WINDOW);
    return CM_OKAY;
}

cm_err cm_httpsig_parse(cm_httpsig *out, const cm_httpsig_message *m, uint64_t now)
{
    cm_view input = {NULL, 0}, signature = {NULL, 0};
    size_t inputs = cm_httpsig_header(&input, m, CM_LIT("signature-input"));
    size_t signatures = cm_httpsig_header(&signature, m, CM_LIT("signature"));
    cm_httpsig s;

    if (inputs == 0 && signatures == 0)
        return CM_FAIL(SIGN_ABSENT);
    if (inputs != 1 || signatures != 1)
        return CM_FAIL(SIGN_MALFORMED);
    CM_TRY(cm_httpsig_read(&s, input, signature));
    CM_TRY(check_coverage(&s, m));
    CM_TRY(check_window(&s, now));
    *out = s;
    return CM_OKAY;
}

/* ---- verifying ---- */

static cm_err check_digest(const cm_httpsig *s, const cm_crypt *c, const cm_httpsig_message *m)
{
    cm_view header = {NULL, 0};

    if (!cm_httpsig_covers(s, "content-digest"))
        return m->body.n ? CM_FAIL(SIGN_COVERAGE) : CM_OKAY;
    if (cm_httpsig_header(&header, m, CM_LIT("content-digest")) != 1)
        return CM_FAIL(SIGN_MALFORMED);
    return cm_digest_check(c, header, m->body);
}

/* The text and the signature's bytes. */
static cm_err prepare(cm_buf *text, cm_buf *value, const cm_httpsig *s, const cm_httpsig_message *m)
{
    CM_TRY(cm_httpsig_base(text, s, m));
    return cm_failed(cm_base64_decode(value, s->value, false)) ? CM_FAIL(SIGN_INVALID) : CM_OKAY;
}

cm_err cm_httpsig_verify(const cm_httpsig *s, const cm_crypt *c, const cm_httpsig_message *m,
                         const cm_sig_key *key)
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = CM_HTTPSIG_BASE_MAX};
    CM_AUTO(cm_buf_free) cm_buf value = {.max = CM_HTTPSIG_VALUE_MAX};
    cm_httpsig_alg alg;
    cm_err e;

    if (cm_failed(cm_httpsig_alg_of(&alg, key)) || alg != s->alg)
        return CM_FAIL(SIGN_INVALID); /* W-11 */
    CM_TRY(prepare(&text, &value, s, m));
    e = cm_verify_raw(key, cm_buf_view(&text), cm_buf_view(&value));
    if (cm_is(e, CM_CRYPT_SIGNATURE))
        return CM_FAIL(SIGN_INVALID);
    CM_TRY(e);
    return check_digest(s, c, m);
}

cm_err cm_httpsig_verify_hmac(const cm_httpsig *s, const cm_crypt *c, const cm_httpsig_message *m,
                              cm_view key)
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = CM_HTTPSIG_BASE_MAX};
    CM_AUTO(cm_buf_free) cm_buf value = {.max = CM_HTTPSIG_VALUE_MAX};
    uint8_t mac[MAC];

    if (s->alg != CM_HTTPSIG_HMAC_SHA256)
        return CM_FAIL(SIGN_INVALID); /* W-11 */
    CM_TRY(prepare(&text, &value, s, m));
    CM_TRY(cm_hmac(c, CM_SHA256, mac, key, cm_buf_view(&text)));
    if (!cm_ct_equal(CM_VIEW(mac), cm_buf_view(&value)))
        return CM_FAIL(SIGN_INVALID);
    return check_digest(s, c, m);
}
