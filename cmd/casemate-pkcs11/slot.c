/* A slot's credentials and connections, and one question to its server. */
#include "base/os.h"
#include "codec/text.h"
#include "module.h"

enum { FILE_BYTES = 1 << 20, TOKEN_BYTES = 8192, BODY = 8 << 20, TARGET = 8192 };

/* ---- codes --------------------------------------------------------------------------------- */

static const struct {
    cm_reason reason;
    CK_RV rv;
} reasons[] = {
    {CM_SVC_NO_KEY, CKR_KEY_HANDLE_INVALID},
    {CM_SVC_NO_VERSION, CKR_KEY_HANDLE_INVALID},
    {CM_SVC_KEY_KIND, CKR_KEY_TYPE_INCONSISTENT},
    {CM_SVC_CIPHERTEXT, CKR_ENCRYPTED_DATA_INVALID},
    {CM_SVC_EXISTS, CKR_ATTRIBUTE_VALUE_INVALID},
    {CM_SVC_NAME, CKR_ATTRIBUTE_VALUE_INVALID},
    {CM_SVC_RATE, CKR_TOKEN_RESOURCE_EXCEEDED},
    {CM_SVC_BUDGET, CKR_TOKEN_RESOURCE_EXCEEDED},
    {CM_KEY_STATE, CKR_KEY_FUNCTION_NOT_PERMITTED},
    {CM_SVC_STATE, CKR_KEY_FUNCTION_NOT_PERMITTED},
    {CM_SVC_DENIED, CKR_KEY_FUNCTION_NOT_PERMITTED},
    {CM_KEY_FORM, CKR_DATA_INVALID},
    {CM_KEY_PASSPHRASE, CKR_PIN_INCORRECT},
    {CM_KEY_ENCRYPTED, CKR_USER_NOT_LOGGED_IN},
};

CK_RV cm_p11_rv(cm_err e)
{
    static const CK_RV classes[] = {
        [CM_CLASS_OK] = CKR_OK,
        [CM_CLASS_INVALID] = CKR_FUNCTION_FAILED,
        [CM_CLASS_MALFORMED] = CKR_DEVICE_ERROR,
        [CM_CLASS_UNSUPPORTED] = CKR_MECHANISM_INVALID,
        [CM_CLASS_LIMIT] = CKR_DATA_LEN_RANGE,
        [CM_CLASS_UNAUTHENTIC] = CKR_FUNCTION_REJECTED,
        [CM_CLASS_DENIED] = CKR_FUNCTION_REJECTED,
        [CM_CLASS_NOTFOUND] = CKR_DEVICE_ERROR,
        [CM_CLASS_CONFLICT] = CKR_FUNCTION_FAILED,
        [CM_CLASS_IO] = CKR_DEVICE_ERROR,
        [CM_CLASS_EXHAUSTED] = CKR_DEVICE_MEMORY,
        [CM_CLASS_INTERNAL] = CKR_GENERAL_ERROR,
    };

    if (cm_is(e, CM_NO_MEMORY) || cm_is(e, CM_NO_LOCKED_MEMORY))
        return CKR_HOST_MEMORY;
    for (size_t i = 0; i < CM_COUNT(reasons); i++)
        if (cm_is(e, reasons[i].reason))
            return reasons[i].rv;
    return (size_t)cm_err_class(e) < CM_COUNT(classes) ? classes[cm_err_class(e)]
                                                       : CKR_GENERAL_ERROR;
}

/* ---- credentials --------------------------------------------------------------------------- */

static cm_err certs(cm_certs *out, const cm_p11_slot *s, const char *path)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = FILE_BYTES + 1};

    if (!path)
        return CM_OKAY;
    CM_TRY(cm_os_slurp(&b, path, FILE_BYTES));
    return cm_certs_read(out, s->crypt, cm_buf_view(&b));
}

static cm_err key(cm_pkey **out, const cm_p11_slot *s, const char *path, cm_view pass)
{
    const cm_pkey_reading r = {.pass = pass.n ? cm_passphrase_of(&pass) : (cm_passphrase){0}};

    return path ? cm_pkey_load(out, s->crypt, path, &r) : CM_OKAY;
}

/* A file of one line, whose line end does not count. */
static cm_err line(cm_buf *out, const char *path, size_t max, bool secret)
{
    CM_AUTO(cm_os_close_fd) int fd = -1;
    bool shared = false;

    if (!path)
        return CM_OKAY;
    CM_TRY(cm_os_open_read(&fd, path));
    if (secret)
        CM_TRY(cm_os_is_shared(fd, &shared));
    if (shared)
        return CM_FAIL(KEY_MODE);
    CM_TRY(cm_os_slurp(out, path, max));
    while (out->n && (out->p[out->n - 1] == '\n' || out->p[out->n - 1] == '\r'))
        out->n--;
    return CM_OKAY;
}

/* A key is registered under the SHA-256 of its public half. */
static cm_err own_keyid(cm_p11_slot *s)
{
    CM_AUTO(cm_buf_free) cm_buf hex = {.max = 64};
    uint8_t hash[32];

    if (!s->sign_key || s->keyid)
        return CM_OKAY;
    if (!cm_pkey_sig(s->sign_key))
        return CM_FAIL(CLI_PROFILE);
    CM_TRY(cm_hash_once(s->crypt, CM_SHA256, hash, cm_sig_public(cm_pkey_sig(s->sign_key))));
    CM_TRY(cm_hex_encode(&hex, CM_VIEW(hash)));
    memcpy(s->own_keyid, hex.p, 64);
    s->own_keyid[64] = 0;
    return CM_OKAY;
}

static cm_err load(cm_p11_slot *s, cm_view pin)
{
    CM_AUTO(cm_buf_free) cm_buf pass = {.max = CM_P11_PIN + 1};

    CM_TRY(line(&pass, s->passphrase_path, CM_P11_PIN, true));
    if (!s->passphrase_path)
        CM_TRY(cm_buf_append(&pass, pin));
    CM_TRY(certs(&s->roots, s, s->roots_path));
    CM_TRY(certs(&s->chain, s, s->cert_path));
    CM_TRY(key(&s->tls_key, s, s->cert_key_path, cm_buf_view(&pass)));
    CM_TRY(key(&s->sign_key, s, s->sign_path, cm_buf_view(&pass)));
    s->token.max = TOKEN_BYTES + 1;
    CM_TRY(line(&s->token, s->token_path, TOKEN_BYTES, true));
    s->identity = (cm_tls_identity){&s->chain, s->tls_key};
    return own_keyid(s);
}

cm_err cm_p11_slot_open(cm_p11_slot *s, cm_view pin)
{
    cm_err e;

    if (s->open)
        return CM_OKAY;
    e = load(s, pin);
    if (cm_failed(e))
        cm_p11_slot_close(s);
    s->open = cm_ok(e);
    return e;
}

void cm_p11_slot_close(cm_p11_slot *s)
{
    while (s->idle_n)
        cm_client_free(s->idle[--s->idle_n]);
    cm_pkey_free(s->sign_key);
    cm_pkey_free(s->tls_key);
    cm_certs_free(&s->chain);
    cm_certs_free(&s->roots);
    cm_buf_free(&s->token);
    s->sign_key = s->tls_key = NULL;
    s->identity = (cm_tls_identity){0};
    s->open = s->logged_in = false;
}

/* ---- connections --------------------------------------------------------------------------- */

static cm_err connect_to(cm_client **out, const cm_p11_slot *s)
{
    CM_AUTO(cm_buf_free) cm_buf path = {.max = 256};
    cm_client_options o = {.url = cm_view_str(s->url), .retries = 3, .body_max = BODY};

    if (s->roots.n)
        o.roots = &s->roots;
    if (s->chain.n && s->tls_key)
        o.identity = &s->identity;
    if (s->sign_key) {
        o.sign_key = cm_pkey_sig(s->sign_key);
        o.keyid = cm_view_str(s->keyid ? s->keyid : s->own_keyid);
        if (!s->no_session) {
            CM_TRY(cm_buf_append(&path, CM_LIT("/v1/tenants/")));
            CM_TRY(cm_buf_append(&path, cm_view_str(s->tenant)));
            CM_TRY(cm_buf_append(&path, CM_LIT("/sessions")));
            o.session_path = cm_buf_view(&path);
        }
    }
    o.token = cm_buf_view(&s->token);
    return cm_client_new(out, s->crypt, &o);
}

/* Under the lock, which is let go while others hold all connections. */
static cm_err borrow(cm_client **out, cm_p11_slot *s)
{
    while (s->lent_n >= CM_P11_CONNECTIONS)
        cm_p11_wait();
    if (!s->open)
        return CM_FAIL(KEY_ENCRYPTED);
    if (s->idle_n)
        *out = s->idle[--s->idle_n];
    else
        CM_TRY(connect_to(out, s));
    s->lent_n++;
    return CM_OKAY;
}

static void give_back(cm_p11_slot *s, cm_client *k)
{
    s->lent_n--;
    if (s->open && s->idle_n < CM_P11_CONNECTIONS)
        s->idle[s->idle_n++] = k;
    else
        cm_client_free(k);
    cm_p11_tell();
}

/* ---- a question ---------------------------------------------------------------------------- */

static cm_err escaped(cm_buf *out, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";

    for (; *text; text++) {
        uint8_t c = (uint8_t)*text;

        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
            c == '-' || c == '_' || c == '.' || c == '~') {
            CM_TRY(cm_buf_byte(out, c));
            continue;
        }
        CM_TRY(cm_buf_byte(out, '%'));
        CM_TRY(cm_buf_byte(out, (uint8_t)digits[c >> 4]));
        CM_TRY(cm_buf_byte(out, (uint8_t)digits[c & 15]));
    }
    return CM_OKAY;
}

static cm_err number(cm_buf *out, uint64_t v)
{
    char digits[20];
    size_t n = sizeof digits;

    do
        digits[--n] = (char)('0' + v % 10);
    while (v /= 10);
    return cm_buf_append(out, cm_view_of(digits + n, sizeof digits - n));
}

static cm_err query(cm_buf *out, bool *first, const char *name)
{
    CM_TRY(cm_buf_byte(out, *first ? '?' : '&'));
    *first = false;
    CM_TRY(cm_buf_append(out, cm_view_str(name)));
    return cm_buf_byte(out, '=');
}

/* Fields of the query leave the message: what stays is the body. */
static cm_err put_query(cm_buf *out, cm_msg *m)
{
    bool first = true;

    for (size_t i = 0; i < m->type->n; i++) {
        const cm_field *f = &m->type->fields[i];
        char text[CM_P11_PATH];

        if (!m->v[i].set || !(f->flags & CM_FF_QUERY))
            continue;
        m->v[i].set = false;
        CM_TRY(query(out, &first, f->name));
        if (f->type != CM_F_TEXT) {
            CM_TRY(number(out, m->v[i].number));
            continue;
        }
        if (m->v[i].view.n >= sizeof text)
            return CM_FAIL(TOO_BIG);
        memcpy(text, m->v[i].view.p, m->v[i].view.n);
        text[m->v[i].view.n] = 0;
        CM_TRY(escaped(out, text));
    }
    return CM_OKAY;
}

static cm_err target(cm_buf *out, const cm_p11_slot *s, const char *verb, const cm_p11_key *k,
                     cm_msg *request)
{
    CM_TRY(cm_buf_append(out, CM_LIT("/v1/tenants/")));
    CM_TRY(escaped(out, s->tenant));
    if (k) {
        CM_TRY(cm_buf_append(out, CM_LIT("/keys/")));
        CM_TRY(escaped(out, k->name));
    }
    CM_TRY(cm_buf_append(out, cm_view_str(verb)));
    return put_query(out, request);
}

/* clang-format off */
#define REASON_ROW(name, cls, n, what, fix) {#name, CM_CLASS_##cls | (n) << 8},
/* clang-format on */
static const struct {
    const char *name;
    uint32_t v;
} names[] = {CM_REASONS(REASON_ROW)};

/* What a refusal is called here. */
static cm_err refused(const cm_client_answer *a)
{
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    cm_json_limits limits = {.bytes = 1 << 16, .depth = 8, .nodes = 256};
    cm_view v;

    if (cm_ok(cm_json_parse(&j, cm_buf_view(&a->body), &limits, NULL)) &&
        cm_ok(cm_json_string(cm_json_get(cm_json_get(cm_json_root(j), "error"), "reason"), &v)))
        for (size_t i = 0; i < CM_COUNT(names); i++)
            if (cm_view_eq(cm_view_str(names[i].name), v))
                return (cm_err){names[i].v};
    return a->status == 401 ? CM_FAIL(SVC_UNAUTHENTIC) : CM_FAIL(CLI_SERVER);
}

static cm_err exchange(cm_client *k, const cm_client_request *q, const cm_message *type,
                       cm_arena *a, cm_msg **answer)
{
    CM_AUTO(cm_client_answer_free) cm_client_answer got = {0};
    cm_msg_fault fault = {{0}, NULL};

    CM_TRY(cm_client_call(k, &got, q));
    if (got.status != 200)
        return refused(&got);
    return cm_msg_from_json(answer, a, type, cm_buf_view(&got.body), &fault);
}

static cm_err ask(cm_p11_slot *s, const cm_client_request *q, const cm_message *type, cm_arena *a,
                  cm_msg **answer)
{
    cm_client *k = NULL;
    cm_err e;

    cm_p11_lock();
    e = borrow(&k, s);
    cm_p11_unlock();
    CM_TRY(e);
    e = exchange(k, q, type, a, answer);
    if (cm_failed(e))
        cm_p11_say(s, e, cm_client_why(k));
    cm_p11_lock();
    if (cm_is(e, CM_CLIENT_SESSION)) {
        s->lent_n--;
        cm_client_free(k);
        s->no_session = true;
        cm_p11_tell();
    } else {
        give_back(s, k);
    }
    cm_p11_unlock();
    return e;
}

/* What does the same when it is done twice. */
static bool idempotent(const char *verb)
{
    return strcmp(verb, "") != 0;
}

static cm_err question(cm_p11_slot *s, const char *verb, const cm_p11_key *k, cm_msg *request,
                       const cm_message *type, cm_arena *a, cm_msg **answer)
{
    CM_AUTO(cm_buf_free) cm_buf where = {.max = TARGET};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = BODY};
    bool get = type == &cm_message_ListKeysAnswer || type == &cm_message_PublicKeyAnswer;
    cm_client_request q = {.method = get ? "GET" : "POST", .idempotent = idempotent(verb)};
    bool signed_before = s->no_session;
    cm_err e;

    CM_TRY(target(&where, s, verb, k, request));
    q.target = cm_buf_view(&where);
    if (!get)
        CM_TRY(cm_msg_to_json(&body, request));
    q.body = cm_buf_view(&body);
    e = ask(s, &q, type, a, answer);
    if (cm_is(e, CM_CLIENT_SESSION) && !signed_before)
        e = ask(s, &q, type, a, answer);
    return e;
}

CK_RV cm_p11_ask(cm_p11_slot *s, const char *verb, const cm_p11_key *k, cm_msg *request,
                 const cm_message *type, cm_arena *a, cm_msg **answer)
{
    return cm_p11_rv(question(s, verb, k, request, type, a, answer));
}

void cm_p11_set(cm_msg *m, size_t field, cm_view v)
{
    m->v[field].set = true;
    m->v[field].view = v;
}

void cm_p11_set_number(cm_msg *m, size_t field, uint64_t v)
{
    m->v[field].set = true;
    m->v[field].number = v;
}
