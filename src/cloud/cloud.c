/* Life of a provider, and how it asks: with patience that has an end. */
#include <stdio.h>

#include "base/os.h"
#include "base/secret.h"
#include "cloud/cloud_int.h"
#include "codec/text.h"

enum { PAUSE_FIRST_MS = 100, PAUSE_MAX_MS = 2000, HEADERS = 6 };

/* ---- life ---------------------------------------------------------------------------------- */

static cm_err read_secrets(cm_cloud *k, cm_view secrets)
{
    const cm_json_limits limits = {.bytes = CM_CLOUD_CONFIG_MAX, .nodes = 64, .depth = 4};

    if (!secrets.n)
        return CM_OKAY;
    if (secrets.n > CM_CLOUD_CONFIG_MAX)
        return CM_FAIL(CLOUD_SECRETS);
    CM_TRY(cm_secret_new(&k->secrets, secrets.n));
    k->secrets_n = secrets.n;
    memcpy(k->secrets, secrets.p, secrets.n);
    return cm_ok(cm_json_parse_in_place(&k->secret, k->secrets, k->secrets_n, &limits, NULL))
               ? CM_OKAY
               : CM_FAIL(CLOUD_SECRETS);
}

static cm_err make(cm_cloud *k, cm_view config, cm_view secrets)
{
    CM_TRY(cm_cloud_read_config(&k->config, &k->service, config));
    CM_TRY(cm_hash_once(k->crypt, CM_SHA256, k->hash, config));
    k->token.max = TOKEN_MAX;
    return read_secrets(k, secrets);
}

cm_err cm_cloud_with(cm_cloud **out, const cm_crypt *c, cm_view config, cm_view secrets,
                     const cm_cloud_transport *t)
{
    CM_AUTO(cm_cloud_free_ptr) cm_cloud *k = NULL;
    cm_err e = cm_alloc(&k, sizeof *k);

    if (cm_failed(e)) {
        if (t->done)
            t->done(t->self);
        return e;
    }
    pthread_mutex_init(&k->lock, NULL);
    k->crypt = c;
    k->t = *t;
    CM_TRY(make(k, config, secrets));
    *out = k;
    k = NULL;
    return CM_OKAY;
}

static cm_err slurp_secrets(cm_buf *out, const char *path)
{
    CM_AUTO(cm_os_close_fd) int fd = -1;
    bool shared;
    size_t n;

    if (!path[0])
        return CM_OKAY;
    CM_TRY(cm_os_open_read(&fd, path));
    CM_TRY(cm_os_is_shared(fd, &shared));
    if (shared)
        return CM_FAIL(KEY_MODE);
    CM_TRY(cm_buf_reserve(out, out->max));
    CM_TRY(cm_os_read(fd, out->p, out->max, &n));
    out->n = n;
    return n < out->max ? CM_OKAY : CM_FAIL(CLOUD_SECRETS);
}

cm_err cm_cloud_new(cm_cloud **out, const cm_crypt *c, const char *path)
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = CM_CLOUD_CONFIG_MAX};
    CM_AUTO(cm_buf_free) cm_buf secrets = {.max = CM_CLOUD_CONFIG_MAX};
    const struct cloud_service *service;
    struct cloud_config config;
    cm_cloud_transport t;

    CM_TRY(cm_os_slurp(&text, path, CM_CLOUD_CONFIG_MAX));
    CM_TRY(cm_cloud_read_config(&config, &service, cm_buf_view(&text)));
    CM_TRY(slurp_secrets(&secrets, config.secrets));
    CM_TRY(cm_cloud_http(&t, c, &config));
    return cm_cloud_with(out, c, cm_buf_view(&text), cm_buf_view(&secrets), &t);
}

void cm_cloud_free(cm_cloud *k)
{
    if (!k)
        return;
    if (k->t.done)
        k->t.done(k->t.self);
    cm_json_free(k->secret);
    if (k->secrets)
        cm_secret_free(k->secrets, k->secrets_n);
    cm_rsa_free(k->rsa);
    cm_buf_free(&k->token);
    pthread_mutex_destroy(&k->lock);
    cm_free(k);
}

void cm_cloud_free_ptr(cm_cloud **k)
{
    cm_cloud_free(*k);
}

/* ---- one exchange -------------------------------------------------------------------------- */

void cm_cloud_answer_done(struct cloud_answer *a)
{
    cm_json_free(a->json);
    a->json = NULL;
    cm_client_answer_free(&a->http);
}

/* The body is read where it lies, so that freeing it wipes all of it. */
static cm_err read_answer(struct cloud_answer *a)
{
    const cm_json_limits limits = {
        .bytes = CM_CLOUD_ANSWER_MAX, .nodes = 512, .depth = 12, .string = CM_CLOUD_ANSWER_MAX};

    if (a->http.body.n == 0)
        return CM_OKAY;
    return cm_ok(cm_json_parse_in_place(&a->json, a->http.body.p, a->http.body.n, &limits, NULL))
               ? CM_OKAY
               : CM_FAIL(CLOUD_ANSWER);
}

static const cm_json_node *root(const struct cloud_answer *a)
{
    return a->json ? cm_json_root(a->json) : NULL;
}

/* What the world between us and the service did. */
static cm_err of_transport(cm_err e, bool *retry, bool once)
{
    bool late = cm_is(e, CM_CLIENT_TIMEOUT), cut = cm_is(e, CM_CLIENT_CLOSED);

    *retry =
        cm_is(e, CM_CLIENT_REFUSED) || cm_is(e, CM_CLIENT_UNREACHABLE) || ((late || cut) && !once);
    if (late)
        return CM_FAIL(HSM_TIMEOUT);
    if (cut || *retry)
        return CM_FAIL(HSM_LOST);
    return cm_is(e, CM_CLIENT_RESPONSE) || cm_is(e, CM_TOO_BIG) ? CM_FAIL(CLOUD_ANSWER) : e;
}

static cm_err attempt(cm_cloud *k, struct cloud_answer *a, cm_cloud_where where,
                      const cm_client_request *r, bool once, bool *retry)
{
    cm_err e, bad;

    cm_cloud_answer_done(a);
    k->asked++;
    e = k->t.ask(k->t.self, where, r, &a->http);
    if (cm_failed(e))
        return of_transport(e, retry, once);
    bad = read_answer(a);
    if (a->http.status >= 200 && a->http.status < 300)
        return bad;
    e = k->service->reason(a->http.status, cm_ok(bad) ? root(a) : NULL, retry);
    /* A broken server may have done it all the same. */
    *retry = *retry && (!once || a->http.status < 500 || a->http.status == 503);
    return e;
}

/* Full jitter: anywhere below a bound that doubles. */
static cm_err pause(cm_cloud *k, unsigned n)
{
    uint32_t bound = CM_MIN((uint32_t)PAUSE_FIRST_MS << n, (uint32_t)PAUSE_MAX_MS), r;

    CM_TRY(cm_random(k->crypt, &r, sizeof r));
    k->t.pause(k->t.self, bound / 4 + r % bound);
    return CM_OKAY;
}

static cm_err patiently(cm_cloud *k, struct cloud_answer *a, cm_cloud_where where,
                        const cm_client_request *r, bool once)
{
    for (unsigned n = 0;; n++) {
        bool retry = false;
        cm_err e = attempt(k, a, where, r, once, &retry);

        if (cm_ok(e) || !retry || n + 1 == CM_CLOUD_ATTEMPTS)
            return e;
        CM_TRY(pause(k, n));
    }
}

cm_err cm_cloud_ask_token(cm_cloud *k, struct cloud_answer *a, const cm_client_request *r)
{
    return patiently(k, a, CM_CLOUD_TOKENS, r, false);
}

cm_err cm_cloud_ask(cm_cloud *k, struct cloud_answer *a, const struct cloud_ask *q)
{
    cm_buf text[3] = {{.max = CM_SIGV4_MAX}, {.max = 32}, {.max = 512}};
    cm_http_header h[HEADERS];
    cm_client_request r = {.method = q->method,
                           .target = cm_view_str(q->target),
                           .body = q->body,
                           .headers = h,
                           .auth = CM_CLIENT_PLAIN};
    size_t n = 0;
    cm_err e;

    if (k->service->login) {
        e = k->service->login(k);
        h[n++] = (cm_http_header){CM_LIT("authorization"), cm_buf_view(&k->token)};
    } else {
        r.type = CM_LIT("application/x-amz-json-1.1");
        e = cm_cloud_aws_headers(k, q, h, &n, text);
    }
    r.headers_n = n;
    if (cm_ok(e))
        e = patiently(k, a, CM_CLOUD_SERVICE, &r, q->once);
    if (cm_is(e, CM_CLOUD_DENIED))
        k->token_until = 0;
    for (size_t i = 0; i < CM_COUNT(text); i++)
        cm_buf_free(&text[i]);
    return e;
}

/* ---- what the services share --------------------------------------------------------------- */

const cm_json_node *cm_cloud_root(const struct cloud_answer *a)
{
    return a->json ? cm_json_root(a->json) : NULL;
}

cm_err cm_cloud_bare(cm_cloud *k, struct cloud_answer *a, const char *method, const char *target)
{
    const struct cloud_ask q = {.method = method, .target = target};

    return cm_cloud_ask(k, a, &q);
}

cm_err cm_cloud_post(cm_cloud *k, struct cloud_answer *a, const char *target, cm_json_writer *w,
                     bool once)
{
    struct cloud_ask q = {.method = "POST", .target = target, .once = once};

    cm_json_end_object(w);
    CM_TRY(cm_json_finish(w));
    q.body = cm_buf_view(w->out);
    return cm_cloud_ask(k, a, &q);
}

cm_err cm_cloud_reason(int status, const cm_json_node *body, bool *retry)
{
    static const struct {
        int status;
        cm_reason reason;
        bool retry;
    } rows[] = {
        {400, CM_HSM_BLOB, false},   {401, CM_CLOUD_DENIED, false},  {403, CM_CLOUD_DENIED, false},
        {404, CM_HSM_NO_KEY, false}, {409, CM_HSM_KEYS, false},      {429, CM_CLOUD_BUSY, true},
        {500, CM_HSM_DEVICE, true},  {501, CM_HSM_MECHANISM, false}, {502, CM_HSM_DEVICE, true},
        {503, CM_CLOUD_BUSY, true},  {504, CM_HSM_TIMEOUT, true},
    };

    (void)body;
    for (size_t i = 0; i < CM_COUNT(rows); i++)
        if (rows[i].status == status) {
            *retry = rows[i].retry;
            return (cm_err){(uint32_t)rows[i].reason};
        }
    return CM_FAIL(HSM_DEVICE);
}
