#include "codec/json.h"
#include "codec/text.h"
#include "wire/digest.h"
#include "wire/sign_int.h"

enum { MAC = 32 };

void cm_httpsig_headers_free(cm_httpsig_headers *h)
{
    cm_buf_free(&h->content_digest);
    cm_buf_free(&h->input);
    cm_buf_free(&h->signature);
}

static cm_err add(cm_httpsig *s, const char *name)
{
    if (s->names_n == CM_HTTPSIG_COMPONENTS_MAX)
        return CM_FAIL(BAD_ARGUMENT);
    if (!cm_httpsig_covers(s, name))
        s->names[s->names_n++] = cm_view_str(name);
    return CM_OKAY;
}

static cm_err choose(cm_httpsig *s, const cm_httpsig_message *m, const cm_httpsig_with *w)
{
    const char *names[CM_HTTPSIG_COMPONENTS_MAX];
    size_t n = cm_httpsig_required(names, m);
    cm_view v;

    for (size_t i = 0; i < n; i++)
        CM_TRY(add(s, names[i]));
    if (cm_httpsig_header(&v, m, CM_LIT("content-type")))
        CM_TRY(add(s, "content-type"));
    for (const char *const *also = w->also; also && *also; also++)
        CM_TRY(add(s, *also));
    return CM_OKAY;
}

static cm_err claim(cm_httpsig *s, const cm_httpsig_with *w)
{
    size_t nonce_min = w->key ? CM_HTTPSIG_NONCE_MIN : 1;

    if (!cm_sfv_is_string(w->keyid) || !cm_sfv_is_string(w->nonce) || w->keyid.n == 0 ||
        w->keyid.n > CM_HTTPSIG_KEYID_MAX || w->nonce.n < nonce_min ||
        w->nonce.n > CM_HTTPSIG_NONCE_MAX)
        return CM_FAIL(BAD_ARGUMENT);
    s->alg = CM_HTTPSIG_HMAC_SHA256;
    s->keyid = w->keyid;
    s->nonce = w->nonce;
    s->created = w->created;
    return w->key ? cm_httpsig_alg_of(&s->alg, w->key) : CM_OKAY;
}

static cm_err sign(cm_buf *out, const cm_crypt *c, const cm_httpsig_with *w, cm_view text)
{
    size_t n = w->key ? cm_sig_key_info(w->key)->sig : MAC;

    CM_TRY(cm_buf_reserve(out, n));
    if (w->key)
        CM_TRY(cm_sign_raw(w->key, out->p, text));
    else
        CM_TRY(cm_hmac(c, CM_SHA256, out->p, w->hmac, text));
    out->n = n;
    return CM_OKAY;
}

static cm_err labelled(cm_buf *out, cm_view before, cm_view v)
{
    CM_TRY(cm_buf_append(out, CM_LIT(CM_HTTPSIG_LABEL "=")));
    CM_TRY(cm_buf_append(out, before));
    return cm_buf_append(out, v);
}

static cm_err finish(cm_httpsig_headers *h, cm_view params, cm_view value)
{
    CM_TRY(labelled(&h->input, CM_LIT(""), params));
    CM_TRY(labelled(&h->signature, CM_LIT(":"), CM_LIT("")));
    CM_TRY(cm_base64_encode(&h->signature, value, false));
    return cm_buf_byte(&h->signature, ':');
}

cm_err cm_httpsig_make(cm_httpsig_headers *out, const cm_crypt *c, const cm_httpsig_message *m,
                       const cm_httpsig_with *w)
{
    CM_AUTO(cm_buf_free) cm_buf params = {.max = CM_HTTPSIG_INPUT_MAX};
    CM_AUTO(cm_buf_free) cm_buf text = {.max = CM_HTTPSIG_BASE_MAX};
    CM_AUTO(cm_buf_free) cm_buf value = {.max = CM_HTTPSIG_VALUE_MAX};
    CM_AUTO(cm_httpsig_headers_free)
    cm_httpsig_headers h = {
        .content_digest = {.max = CM_DIGEST_HEADER_MAX},
        .input = {.max = CM_HTTPSIG_INPUT_MAX},
        .signature = {.max = CM_HTTPSIG_HEADER_MAX},
    };
    cm_httpsig s = {0};

    CM_TRY(claim(&s, w));
    CM_TRY(choose(&s, m, w));
    CM_TRY(cm_httpsig_params(&params, &s));
    s.params = cm_buf_view(&params);
    if (m->body.n)
        CM_TRY(cm_digest_write(&h.content_digest, c, CM_SHA256, m->body));
    CM_TRY(cm_httpsig_text(&text, &s, m, cm_buf_view(&h.content_digest)));
    CM_TRY(sign(&value, c, w, cm_buf_view(&text)));
    CM_TRY(finish(&h, s.params, cm_buf_view(&value)));
    *out = h;
    h = (cm_httpsig_headers){0};
    return CM_OKAY;
}

/* ---- HIP-5 (W-12) ---- */

static cm_err hip5_claim(cm_httpsig *s, const cm_json_node *root)
{
    const cm_json_node *sig = cm_json_get(root, "signature");
    cm_view alg;

    if (!sig || cm_json_size(root) != 4 || cm_json_size(sig) != 2 ||
        cm_failed(cm_json_string(cm_json_get(root, "api_key_id"), &s->keyid)) ||
        cm_failed(cm_json_u64(cm_json_get(root, "timestamp"), &s->created)) ||
        cm_failed(cm_json_string(cm_json_get(root, "nonce"), &s->nonce)) ||
        cm_failed(cm_json_string(cm_json_get(sig, "algorithm"), &alg)) ||
        cm_failed(cm_json_string(cm_json_get(sig, "value"), &s->value)) ||
        !cm_sfv_is_string(s->keyid) || !cm_sfv_is_string(s->nonce))
        return CM_FAIL(SIGN_MALFORMED);
    for (int a = 0; cm_httpsig_alg_key_name((cm_httpsig_alg)a); a++)
        if (cm_view_eq(alg, cm_view_str(cm_httpsig_alg_key_name((cm_httpsig_alg)a)))) {
            s->alg = (cm_httpsig_alg)a;
            return CM_OKAY;
        }
    return CM_FAIL(SIGN_ALGORITHM);
}

static void cover_required(cm_httpsig *s, const cm_httpsig_message *m)
{
    const char *names[CM_HTTPSIG_COMPONENTS_MAX];

    s->names_n = cm_httpsig_required(names, m);
    for (size_t i = 0; i < s->names_n; i++)
        s->names[i] = cm_view_str(names[i]);
}

cm_err cm_httpsig_from_hip5(cm_httpsig_headers *out, cm_view json, const cm_httpsig_message *m)
{
    static const cm_json_limits limits = {CM_HTTPSIG_HIP5_MAX, 16, 3, CM_HTTPSIG_HEADER_MAX};
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    CM_AUTO(cm_httpsig_headers_free)
    cm_httpsig_headers h = {
        .input = {.max = CM_HTTPSIG_INPUT_MAX},
        .signature = {.max = CM_HTTPSIG_HEADER_MAX},
    };
    cm_httpsig s = {0}, same;

    if (cm_failed(cm_json_parse(&j, json, &limits, NULL)))
        return CM_FAIL(SIGN_MALFORMED);
    CM_TRY(hip5_claim(&s, cm_json_root(j)));
    cover_required(&s, m);
    CM_TRY(labelled(&h.input, CM_LIT(""), CM_LIT("")));
    CM_TRY(cm_httpsig_params(&h.input, &s));
    CM_TRY(labelled(&h.signature, CM_LIT(":"), s.value));
    CM_TRY(cm_buf_byte(&h.signature, ':'));
    CM_TRY(cm_httpsig_read(&same, cm_buf_view(&h.input), cm_buf_view(&h.signature)));
    *out = h;
    h = (cm_httpsig_headers){0};
    return CM_OKAY;
}

cm_err cm_httpsig_to_hip5(cm_buf *out, const cm_httpsig *s, const cm_httpsig_message *m)
{
    CM_AUTO(cm_buf_free) cm_buf params = {.max = CM_HTTPSIG_INPUT_MAX};
    CM_AUTO(cm_buf_free) cm_buf json = {.max = CM_HTTPSIG_HIP5_MAX};
    cm_json_writer w = {.out = &json};
    cm_httpsig exact = *s;

    cover_required(&exact, m);
    CM_TRY(cm_httpsig_params(&params, &exact));
    if (!cm_view_eq(cm_buf_view(&params), s->params) || !cm_httpsig_alg_key_name(s->alg))
        return CM_FAIL(SIGN_COVERAGE);
    cm_json_begin_object(&w, NULL);
    cm_json_put_text(&w, "api_key_id", s->keyid);
    cm_json_put_u64(&w, "timestamp", s->created);
    cm_json_put_text(&w, "nonce", s->nonce);
    cm_json_begin_object(&w, "signature");
    cm_json_put_text(&w, "algorithm", cm_view_str(cm_httpsig_alg_key_name(s->alg)));
    cm_json_put_text(&w, "value", s->value);
    cm_json_end_object(&w);
    cm_json_end_object(&w);
    CM_TRY(cm_json_finish(&w));
    return cm_buf_append(out, cm_buf_view(&json));
}
