#include "svc_kit.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "audit/log.h"
#include "codec/text.h"
#include "kit.h"

static void must(cm_err e, const char *what)
{
    if (cm_failed(e)) {
        (void)fprintf(stderr, "testlib/svc: %s: %s\n", what, cm_err_name(e));
        abort();
    }
}

const char *t_f(const char *format, ...)
{
    static _Thread_local char text[16][8192];
    static _Thread_local unsigned at;
    va_list ap;

    at = (at + 1) % 16;
    va_start(ap, format);
    (void)vsnprintf(text[at], sizeof text[at], format, ap);
    va_end(ap);
    return text[at];
}

static uint64_t now_ms(void *arg)
{
    return atomic_load((_Atomic uint64_t *)arg);
}

static uint64_t now_s(void *arg)
{
    return now_ms(arg) / 1000;
}

static cm_err sign_log(void *arg, cm_buf *lines, cm_view text)
{
    cm_audit_signer s = cm_audit_local_signer(arg);

    return s.sign(s.self, lines, text);
}

static cm_err run_op(void *self, cm_keyop *op)
{
    t_svc *t = self;

    cm_keyring_exec(t->ring, op);
    if (cm_ok(op->result))
        t_traces_of_op(t->traces, t->ring, op);
    return op->result;
}

cm_key_runner t_runner(t_svc *t)
{
    return (cm_key_runner){run_op, t};
}

static void submit(void *self, cm_keyop *op)
{
    t_svc *t = self;

    __atomic_add_fetch(&t->keyops, 1, __ATOMIC_RELAXED);
    if (t->stolen) {
        op->result = CM_FAIL(CRYPT_TAG);
    } else {
        op->result = run_op(t, op);
    }
    if (t->hollow)
        cm_keyop_done_with(op);
    op->done(op);
}

static void learn_keys(t_svc *t)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 1 << 16};
    uint8_t *p, *nl;

    must(cm_audit_local_public(&b, t->signer), "public keys");
    for (p = b.p; p < b.p + b.n; p = nl + 1) {
        nl = memchr(p, '\n', (size_t)(b.p + b.n - p));
        must(cm_vkey_parse(&t->vkeys[t->vkeys_n++], t->crypt, cm_view_of(p, (size_t)(nl - p))),
             "vkey");
    }
}

static void start(t_svc *t)
{
    const cm_store_sqlite at = {.path = t->db, .create = true};
    cm_keyring_options ring = {
        .crypt = t->crypt, .root = t->root, .sign_log = sign_log, .arg = t->signer};
    cm_committer_options c = {.crypt = t->crypt,
                              .origin = "log.example/kms",
                              .now_ms = now_ms,
                              .now_arg = &t->now_ms,
                              .depth = 4096};
    cm_svc_options o = {.crypt = t->crypt,
                        .row_keys = {cm_rowseal_known, cm_rowseal_add, NULL},
                        .attestor = t->attestor,
                        .now_ms = now_ms,
                        .now_arg = &t->now_ms,
                        .address_rate = 100000,
                        .version = "test"};
    bool fresh;

    must(cm_keyring_new(&t->ring, &ring), "keyring");
    must(cm_rowseal_new(&t->seal, t->crypt), "rowseal");
    must(cm_store_open_sqlite(&t->store, &at), "store");
    t->sealer = cm_rowseal_sealer(t->seal);
    cm_store_unseal(t->store, &t->sealer);
    o.row_keys.self = t->seal;
    o.api_key_ms = t->api_key_ms;
    if (!t->verifier.crypt)
        cm_svc_verifier_init(&t->verifier, t->crypt, NULL);
    if (!o.attestor.judge)
        o.attestor = cm_svc_attestor(&t->verifier);
    if (t->no_attestor)
        o.attestor.judge = NULL;
    must(cm_boot_rows(t->store, &o.row_keys, (cm_key_runner){run_op, t}, t->now_ms, &fresh),
         "boot rows");
    c.signer = cm_audit_local_signer(t->signer);
    c.store = t->store;
    must(cm_committer_new(&t->committer, &c), "committer");
    o.store = t->store;
    o.committer = t->committer;
    must(cm_svc_new(&t->svc, &o), "svc");
}

static void stop(t_svc *t)
{
    cm_committer_free(t->committer);
    cm_svc_free(t->svc);
    cm_store_close(t->store);
    cm_rowseal_free(t->seal);
    cm_keyring_free(t->ring);
}

t_svc *t_svc_new(void)
{
    static const uint8_t seed[32] = {7};
    t_svc *t;
    uint8_t hash[32];
    cm_bootstrap_options b = {.tenant = CM_LIT("acme"), .admin = CM_LIT("admin")};

    must(cm_alloc(&t, sizeof *t), "memory");
    must(cm_crypt_new(&t->crypt, CM_PROFILE_DEFAULT), "crypt");
    t_mkdir(t->dir);
    (void)snprintf(t->db, sizeof t->db, "%.480s/kms.db", t->dir);
    t->now_ms = 1800000000000;
    must(cm_root_new(&t->root, t->crypt, CM_LIT("log.example/kms")), "root");
    t->traces = t_traces_new();
    for (size_t i = 0; i < t->root->n; i++)
        t_traces_add(t->traces, CM_VIEW(t->root->kem[i].seed));
    t_traces_add(t->traces, CM_VIEW(t->root->log_seed));
    must(cm_audit_keys_derive(&t->log_keys, t->crypt, CM_VIEW(seed)), "log keys");
    must(cm_audit_local_new(&t->signer, t->crypt, "log.example/kms", &t->log_keys, now_s,
                            &t->now_ms),
         "signer");
    learn_keys(t);
    start(t);
    t->admin = t_who_new(t, "acme");
    b.public_key = cm_sig_public(t->admin.key);
    must(cm_hash_once(t->crypt, CM_SHA256, hash, b.public_key), "hash");
    must(cm_bootstrap(t->svc, (cm_key_runner){run_op, t}, &b), "bootstrap");
    return t;
}

void t_svc_restart(t_svc *t)
{
    stop(t);
    start(t);
}

void t_svc_done(t_svc *t)
{
    stop(t);
    t_who_done(&t->admin);
    t_traces_free(t->traces);
    cm_audit_local_free(t->signer);
    cm_audit_keys_done(&t->log_keys);
    for (size_t i = 0; i < t->vkeys_n; i++)
        cm_vkey_done(&t->vkeys[i]);
    cm_root_free(t->root);
    t_rmdir(t->dir);
    cm_svc_verifier_done(&t->verifier);
    cm_crypt_free(t->crypt);
    cm_free(t);
}

/* ---- identities ---- */

t_who t_who_new(t_svc *t, const char *tenant)
{
    CM_AUTO(cm_buf_free) cm_buf hex = {.max = 64};
    t_who w = {.key = NULL};
    uint8_t hash[32];

    must(cm_sig_generate(&w.key, t->crypt, CM_SIG_MLDSA44), "key");
    must(cm_hash_once(t->crypt, CM_SHA256, hash, cm_sig_public(w.key)), "hash");
    must(cm_hex_encode(&hex, CM_VIEW(hash)), "hex");
    memcpy(w.keyid, hex.p, 64);
    (void)snprintf(w.tenant, sizeof w.tenant, "%s", tenant);
    return w;
}

void t_who_done(t_who *w)
{
    cm_sig_key_free(w->key);
    w->key = NULL;
}

const char *t_public_base64(const t_who *w)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 8192};

    must(cm_base64_encode(&b, cm_sig_public(w->key), false), "base64");
    return t_f("%.*s", (int)b.n, (const char *)b.p);
}

/* ---- calls ---- */

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t there;
    bool done;
} waiting;

static void call_done(cm_call *c)
{
    waiting *w = c->arg;

    (void)pthread_mutex_lock(&w->lock);
    w->done = true;
    (void)pthread_cond_signal(&w->there);
    (void)pthread_mutex_unlock(&w->lock);
}

static void expand(char *out, size_t n, const char *path, const char *tenant)
{
    size_t at = 0;

    for (; *path && at + 70 < n; path++) {
        if (*path == '~')
            at += (size_t)snprintf(out + at, n - at, "%s", tenant);
        else
            out[at++] = *path;
    }
    out[at] = 0;
}

typedef struct {
    cm_httpsig_headers signature;
    cm_buf channel;
    char bearer[CM_HTTPSIG_HEADER_MAX];
    cm_http_header headers[8];
    cm_http_request request;
} wire_request;

static void header(wire_request *r, const char *name, cm_view v)
{
    r->headers[r->request.headers_n++] = (cm_http_header){cm_view_str(name), v};
    r->request.headers = r->headers;
}

static void sign_request(t_svc *t, t_who *w, wire_request *r)
{
    static const char *const channel[] = {CM_SESSION_CHANNEL_HEADER, NULL};
    uint8_t id[CM_SESSION_ID];
    cm_httpsig_message m;
    char nonce[33];

    if (!w->session[0])
        (void)snprintf(nonce, sizeof nonce, "%032llx",
                       (unsigned long long)atomic_fetch_add(&t->nonces, 1));
    if (w->exporter.n && w->key && !w->session[0]) {
        r->channel.max = 256;
        must(cm_session_channel(&r->channel, t->crypt, w->exporter), "channel");
        header(r, CM_SESSION_CHANNEL_HEADER, cm_buf_view(&r->channel));
    }
    m = cm_httpsig_message_of(&r->request);
    if (w->session[0]) {
        if (!cm_session_id_of(id, cm_view_str(w->session)))
            abort();
        must(cm_session_sign(&r->signature, t->crypt, &m, &w->session_key, id, &w->counter,
                             t->now_ms / 1000),
             "session sign");
    } else {
        must(cm_httpsig_make(
                 &r->signature, t->crypt, &m,
                 &(cm_httpsig_with){.key = w->key,
                                    .keyid = cm_view_str(w->keyid),
                                    .nonce = cm_view_str(w->nonce ? w->nonce : nonce),
                                    .created = w->created ? w->created : t->now_ms / 1000,
                                    .also = r->channel.n ? channel : NULL}),
             "sign");
    }
    if (r->signature.content_digest.n)
        header(r, "content-digest", cm_buf_view(&r->signature.content_digest));
    header(r, "signature-input", cm_buf_view(&r->signature.input));
    header(r, "signature", cm_buf_view(&r->signature.signature));
}

static void run_one(cm_call *c, waiting *wait)
{
    wait->done = false;
    cm_svc_run(c);
    (void)pthread_mutex_lock(&wait->lock);
    while (!wait->done)
        (void)pthread_cond_wait(&wait->there, &wait->lock);
    (void)pthread_mutex_unlock(&wait->lock);
}

static void run_call(t_svc *t, t_who *w, wire_request *r, cm_arena *a, t_answer *out, bool bare)
{
    waiting wait = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
    cm_call c = {
        .svc = t->svc,
        .keeper = {submit, t},
        .arena = a,
        .peer = {.address = cm_view_str(w->address ? w->address : "192.0.2.1"),
                 .cert_spki = w->spki,
                 .exporter = w->exporter,
                 .pq = !w->classical,
                 .local = w->local},
        .http = {r->request.method, r->request.authority, r->request.path, r->request.query,
                 &r->request},
        .done = call_done,
        .arg = &wait,
    };
    cm_msg_fault fault = {.field = "", .why = ""};

    c.op = cm_svc_route(r->request.method, r->request.path, a, &c.request, &out->result);
    if (!c.op)
        return;
    out->result = cm_svc_fill(&c.request, a, c.op, r->request.query, r->request.body, &fault);
    if (cm_failed(out->result) && !bare) {
        (void)snprintf(out->detail, sizeof out->detail, "%s %s", fault.field,
                       fault.why ? fault.why : "");
        return;
    }
    run_one(&c, &wait);
    if (t->stream_ms && c.more && cm_ok(c.result)) {
        t->now_ms += t->stream_ms;
        must(cm_svc_more(&c), "more");
        run_one(&c, &wait);
    }
    out->result = c.result;
    memcpy(out->detail, c.detail, sizeof out->detail);
    out->retry_after_ms = c.retry_after_ms;
    if (cm_ok(c.result))
        must(cm_msg_to_json(&out->json, c.answer), c.op->name);
}

static t_answer ask(t_svc *t, t_who *w, const char *method, const char *path, const char *body,
                    bool bare)
{
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    t_answer out = {.json = {.max = 4 << 20}};
    wire_request r = {.request = {.method = cm_view_str(method)}};
    char target[4096], *query;

    expand(target, sizeof target, path, w->tenant);
    query = strchr(target, '?');
    r.request.scheme = CM_LIT("https");
    r.request.authority = CM_LIT("kms.example");
    r.request.path = cm_view_of(target, query ? (size_t)(query - target) : strlen(target));
    r.request.query = query ? cm_view_str(query + 1) : cm_view_of(target, 0);
    r.request.body = body ? cm_view_str(body) : cm_view_of(NULL, 0);
    if (w->bearer.n) {
        (void)snprintf(r.bearer, sizeof r.bearer, "Bearer %.*s", (int)w->bearer.n,
                       (const char *)w->bearer.p);
        header(&r, "authorization", cm_view_str(r.bearer));
    }
    if (w->key || w->session[0])
        sign_request(t, w, &r);
    must(cm_arena_new(&a, 16 << 20), "arena");
    run_call(t, w, &r, a, &out, bare);
    cm_httpsig_headers_free(&r.signature);
    cm_buf_free(&r.channel);
    t_scan(t);
    return out;
}

t_answer t_ask(t_svc *t, t_who *w, const char *method, const char *path, const char *body)
{
    return ask(t, w, method, path, body, false);
}

t_answer t_ask_bare(t_svc *t, t_who *w, const cm_op *op, const char *path)
{
    return ask(t, w, op->method, path, NULL, true);
}

void t_answer_free(t_answer *a)
{
    cm_buf_free(&a->json);
}

const char *t_ok(t_svc *t, t_who *w, const char *method, const char *path, const char *body)
{
    static _Thread_local char json[4][1 << 16];
    static _Thread_local unsigned at;
    t_answer a = t_ask(t, w, method, path, body);

    if (cm_failed(a.result)) {
        (void)fprintf(stderr, "%s %s: %s: %s\n", method, path, cm_err_name(a.result), a.detail);
        abort();
    }
    at = (at + 1) % 4;
    (void)snprintf(json[at], sizeof json[at], "%.*s", (int)a.json.n, (const char *)a.json.p);
    t_answer_free(&a);
    return json[at];
}

void t_fails(t_svc *t, t_who *w, const char *method, const char *path, const char *body,
             cm_reason why)
{
    t_answer a = t_ask(t, w, method, path, body);

    if (!cm_is(a.result, why)) {
        (void)fprintf(stderr, "%s %s: %s (%s), not %s\n", method, path, cm_err_name(a.result),
                      a.detail, cm_err_name((cm_err){why}));
        abort();
    }
    t_answer_free(&a);
}

const char *t_member(const char *json, const char *name)
{
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    const cm_json_node *n;
    cm_view v;
    bool b;

    must(cm_json_parse(&j, cm_view_str(json), NULL, NULL), "json");
    n = cm_json_get(cm_json_root(j), name);
    if (!n)
        return "";
    if (cm_json_type_of(n) == CM_JSON_BOOL && cm_ok(cm_json_bool(n, &b)))
        return b ? "true" : "false";
    if (cm_json_type_of(n) == CM_JSON_NUMBER)
        must(cm_json_number(n, &v), "number");
    else
        must(cm_json_string(n, &v), name);
    return t_f("%.*s", (int)v.n, (const char *)v.p);
}

uint64_t t_number(const char *json, const char *name)
{
    uint64_t n;

    return cm_ok(cm_dec_u64(&n, cm_view_str(t_member(json, name)))) ? n : 0;
}

/* ---- secrets ---- */

void t_secret(t_svc *t, cm_view v)
{
    if (v.n < 8)
        abort();
    t_traces_add(t->traces, v);
}

static void scan_file(t_svc *t, const char *path)
{
    cm_buf b;

    if (!t_exists(path))
        return;
    b = t_whole_file(path);
    if (t_traces_in(t->traces, cm_buf_view(&b))) {
        (void)fprintf(stderr, "a secret is in %s\n", path);
        abort();
    }
    cm_buf_free(&b);
}

void t_scan(t_svc *t)
{
    char beside[T_PATH + 8];

    scan_file(t, t->db);
    (void)snprintf(beside, sizeof beside, "%s-wal", t->db);
    scan_file(t, beside);
}

/* ---- what tests keep needing ---- */

t_who t_principal(t_svc *t, t_who *admin, const char *tenant, const char *name)
{
    t_who w = t_who_new(t, tenant);

    (void)t_ok(t, admin, "POST", t_f("/v1/tenants/%s/principals", tenant),
               t_f("{\"principal\":\"%s\",\"credentials\":[{\"kind\":\"ml_dsa\",\"public_key\":"
                   "\"%s\"}]}",
                   name, t_public_base64(&w)));
    return w;
}

void t_grant(t_svc *t, t_who *admin, const char *grant, const char *principal, const char *actions,
             const char *more)
{
    (void)t_ok(t, admin, "PUT", t_f("/v1/tenants/~/grants/%s", grant),
               t_f("{\"principals\":[\"%s\"],\"actions\":[%s]%s}", principal, actions, more));
}

uint64_t t_log_size(t_svc *t)
{
    cm_log_head h;

    must(cm_log_head_read(&h, t->store), "head");
    return h.size;
}
