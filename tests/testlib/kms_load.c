/*
 * Clients of a running key server who remember what it acknowledged, and what the log proved.
 *
 *   kms-load load URL DIR ACKS THREADS   until the standard input ends: keys made, rotated and
 *       used, by signed requests on the first thread and in sessions on the others. Each effect is
 *       a line of ACKS once its answer is here. A server that can't be reached, or says 429 or 503,
 *       is asked again; any other answer than the right one ends the program with 1.
 *   kms-load check URL DIR ACKS [whole]  whether the server still stands by every line of ACKS, and
 *       its log goes on from each receipt there; whole: and every entry of the log hashes into it.
 *
 * DIR is what `casemate serve` made: roots, the administrator's keys, the log's public keys.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit/verify.h"
#include "base/os.h"
#include "codec/json.h"
#include "codec/text.h"
#include "pki/ca.h"
#include "pki/keyfile.h"
#include "run/client.h"

enum {
    TEXT = 96 << 10,
    VKEYS = 8,
    PAUSE_MS = 20,
    LATE_S = 240,
    THREADS_MAX = 16,
    LINE = 256 << 10
};

static const char base[] = "/v1/tenants/default/keys";

/* What all threads share; set before they start. */
static struct {
    cm_crypt *crypt;
    const char *url;
    cm_certs roots, chain;
    cm_pkey *tls_key, *sign_key;
    char keyid[65];
    cm_vkey vkeys[VKEYS];
    size_t vkeys_n;
    int acks;
    atomic_bool stop;
    atomic_uint done; /* effects acknowledged */
} all;

/* One connection, and room for a request and an answer. */
typedef struct {
    cm_client *client;
    cm_client_answer answer;
    cm_json *json;
    unsigned thread, seq;
    char path[512], body[TEXT];
} session;

static _Noreturn __attribute__((format(printf, 1, 2))) void die(const char *format, ...)
{
    va_list a;

    va_start(a, format);
    (void)fputs("kms-load: ", stderr);
    (void)vfprintf(stderr, format, a);
    (void)fputc('\n', stderr);
    va_end(a);
    _exit(1);
}

static void must(cm_err e, const char *what)
{
    if (cm_failed(e))
        die("%s: %s", what, cm_err_name(e));
}

/* ---- who asks, and whose log it is ---- */

static cm_buf file_of(const char *dir, const char *name)
{
    cm_buf b = {.max = 1 << 20};
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    must(cm_os_slurp(&b, path, (1 << 20) - 1), path);
    return b;
}

static void read_certs(cm_certs *to, const char *dir, const char *name)
{
    CM_AUTO(cm_buf_free) cm_buf b = file_of(dir, name);

    must(cm_certs_read(to, all.crypt, cm_buf_view(&b)), name);
}

static void read_key(cm_pkey **to, const char *dir, const char *name)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    must(cm_pkey_load(to, all.crypt, path, NULL), name);
}

static void read_vkeys(const char *dir)
{
    CM_AUTO(cm_buf_free) cm_buf b = file_of(dir, "log.vkeys");
    const char *p = (const char *)b.p, *end = p + b.n, *nl;

    for (; p < end && (nl = memchr(p, '\n', (size_t)(end - p))); p = nl + 1)
        if (nl > p && *p != '#' && all.vkeys_n < VKEYS)
            must(cm_vkey_parse(&all.vkeys[all.vkeys_n++], all.crypt,
                               cm_view_of(p, (size_t)(nl - p))),
                 "log.vkeys");
}

static void prepare(const char *url, const char *dir)
{
    CM_AUTO(cm_buf_free) cm_buf hex = {.max = 65};
    uint8_t hash[32];

    must(cm_crypt_new(&all.crypt, CM_PROFILE_DEFAULT), "crypt");
    all.url = url;
    read_certs(&all.roots, dir, "ca.crt");
    read_certs(&all.chain, dir, "admin.crt");
    read_key(&all.tls_key, dir, "admin-tls.pem");
    read_key(&all.sign_key, dir, "admin.pem");
    read_vkeys(dir);
    must(cm_hash_once(all.crypt, CM_SHA256, hash, cm_sig_public(cm_pkey_sig(all.sign_key))), "id");
    must(cm_hex_encode(&hex, CM_VIEW(hash)), "id");
    memcpy(all.keyid, hex.p, 64);
}

static cm_audit_trust trust(void)
{
    return (cm_audit_trust){.log = all.vkeys, .log_n = all.vkeys_n};
}

static void session_init(session *s, unsigned thread)
{
    const cm_tls_identity identity = {&all.chain, all.tls_key};
    cm_client_options o = {.url = cm_view_str(all.url),
                           .roots = &all.roots,
                           .identity = &identity,
                           .sign_key = cm_pkey_sig(all.sign_key),
                           .keyid = cm_view_str(all.keyid),
                           .call_ms = 120000};

    if (thread > 0)
        o.session_path = CM_LIT("/v1/tenants/default/sessions");
    *s = (session){.thread = thread};
    must(cm_client_new(&s->client, all.crypt, &o), "client");
}

static void session_done(session *s)
{
    cm_json_free(s->json);
    cm_client_answer_free(&s->answer);
    cm_client_free(s->client);
}

/* ---- asking ---- */

static cm_view reason_of(const session *s)
{
    const cm_json_node *error = cm_json_get(cm_json_root(s->json), "error");
    cm_view v = CM_LIT("-");

    (void)cm_failed(cm_json_string(cm_json_get(error, "reason"), &v));
    return v;
}

/* False: not served; whether it was done, nobody knows. */
static bool ask(session *s, const char *method, cm_client_auth auth)
{
    const cm_json_limits limits = {.bytes = 8 << 20, .string = 1 << 20};
    const cm_client_request r = {.method = method,
                                 .target = cm_view_str(s->path),
                                 .body = cm_view_str(s->body),
                                 .auth = auth};

    cm_json_free(s->json);
    s->json = NULL;
    if (cm_failed(cm_client_call(s->client, &s->answer, &r)))
        return false;
    must(cm_json_parse(&s->json, cm_buf_view(&s->answer.body), &limits, NULL), s->path);
    return s->answer.status != 429 && s->answer.status != 503;
}

/* Asks until the server serves or the load ends; false then. The first answer may be to a request
 * whose forerunner was done and lost its answer: status also is right for such a one. */
static bool asked(session *s, const char *method, cm_client_auth auth, int also)
{
    uint64_t late = cm_os_monotonic_ns() + UINT64_C(1000000000) * LATE_S;
    cm_view why;

    while (!ask(s, method, auth)) {
        if (atomic_load(&all.stop))
            return false;
        if (cm_os_monotonic_ns() > late)
            die("%s %s: not served: %d %s", method, s->path, s->answer.status,
                cm_client_why(s->client));
        (void)poll(NULL, 0, PAUSE_MS);
    }
    if (s->answer.status == 200 || (also && s->answer.status == also))
        return true;
    why = reason_of(s);
    die("%s %s: %d %.*s", method, s->path, s->answer.status, (int)why.n, (const char *)why.p);
}

static void path_to(session *s, const char *key, const char *verb)
{
    snprintf(s->path, sizeof s->path, "%s/%s%s", base, key, verb);
    s->body[0] = 0;
}

static __attribute__((format(printf, 2, 3))) void body_of(session *s, const char *format, ...)
{
    va_list a;
    int n;

    va_start(a, format);
    n = vsnprintf(s->body, sizeof s->body, format, a);
    va_end(a);
    if (n < 0 || (size_t)n >= sizeof s->body)
        die("a body of %d bytes", n);
}

/* A text of the answer; the caller frees it. */
static char *text_of(const session *s, const char *name)
{
    char *t = NULL;
    cm_view v;

    if (cm_failed(cm_json_string(cm_json_get(cm_json_root(s->json), name), &v)))
        die("%s: no %s in the answer", s->path, name);
    must(cm_strdup(&t, v), "memory");
    return t;
}

static uint64_t number_of(const session *s, const char *name)
{
    const cm_json_node *n = cm_json_get(cm_json_root(s->json), name);
    uint64_t u;
    cm_view v;

    if (cm_ok(cm_json_u64(n, &u)) || (cm_ok(cm_json_string(n, &v)) && cm_ok(cm_dec_u64(&u, v))))
        return u;
    die("%s: no %s in the answer", s->path, name);
}

/* ---- what is written down ---- */

static __attribute__((format(printf, 1, 2))) void ack(const char *format, ...)
{
    char *line;
    va_list a;
    int n;

    va_start(a, format);
    n = vasprintf(&line, format, a);
    va_end(a);
    /* One write: lines of several threads don't mix, and what is written survives us. */
    if (n < 0 || write(all.acks, line, (size_t)n) != n)
        die("acks: %s", strerror(errno));
    free(line);
    atomic_fetch_add(&all.done, 1);
}

/* A receipt is good by the log's public keys alone, and about the leaf that the answer names. */
static void check_receipt(cm_view text, uint64_t leaf)
{
    CM_AUTO(cm_receipt_done) cm_receipt r = {0};
    const cm_audit_trust t = trust();
    cm_audit_checked c;

    must(cm_audit_check_receipt(&c, &r, &t, text, (cm_view){0}), "receipt");
    if (r.index != leaf)
        die("the receipt is about leaf %llu, not %llu", (unsigned long long)r.index,
            (unsigned long long)leaf);
}

static void take_receipt(const session *s)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_RECEIPT_MAX};
    CM_AUTO(cm_free_ptr) char *text = text_of(s, "receipt");

    must(cm_base64_decode(&b, cm_view_str(text), false), "receipt");
    check_receipt(cm_buf_view(&b), number_of(s, "leaf"));
    ack("rec %s\n", text);
}

/* ---- load ---- */

static bool made(session *s, const char *key, const char *type)
{
    path_to(s, key, "");
    body_of(s, "{\"type\":\"%s\"}", type);
    if (!asked(s, "POST", CM_CLIENT_USUAL, 409))
        return false;
    ack("key %s 1\n", key);
    return true;
}

static bool sign(session *s, const char *key)
{
    CM_AUTO(cm_free_ptr) char *signature = NULL;
    char data[16];

    snprintf(data, sizeof data, "%04u%08u", s->thread % 1000, s->seq % 10000000);
    path_to(s, key, ":sign");
    body_of(s, "{\"data\":\"%s\"}", data);
    if (!asked(s, "POST", CM_CLIENT_USUAL, 0))
        return false;
    signature = text_of(s, "signature");
    take_receipt(s);
    ack("sig %s %llu %s %s\n", key, (unsigned long long)number_of(s, "version"), data, signature);
    return true;
}

static bool use(session *s, const char *key)
{
    CM_AUTO(cm_free_ptr) char *ciphertext = NULL;
    char data[16];

    snprintf(data, sizeof data, "%04u%08u", s->thread % 1000, s->seq % 10000000);
    path_to(s, key, ":encrypt");
    body_of(s, "{\"plaintext\":\"%s\"}", data);
    if (!asked(s, "POST", CM_CLIENT_USUAL, 0))
        return false;
    ciphertext = text_of(s, "ciphertext");
    ack("enc %s %s %s\n", key, ciphertext, data);
    path_to(s, key, ":decrypt");
    body_of(s, "{\"ciphertext\":\"%s\"}", ciphertext);
    if (!asked(s, "POST", CM_CLIENT_USUAL, 0))
        return false;
    take_receipt(s);
    return true;
}

static bool data_key(session *s, const char *key)
{
    CM_AUTO(cm_free_ptr) char *wrapped = NULL;
    CM_AUTO(cm_free_ptr) char *plain = NULL;

    path_to(s, key, ":generateDataKey");
    body_of(s, "{}");
    if (!asked(s, "POST", CM_CLIENT_USUAL, 0))
        return false;
    wrapped = text_of(s, "wrapped");
    plain = text_of(s, "plain");
    take_receipt(s);
    ack("wrap %s %s %s\n", key, wrapped, plain);
    path_to(s, key, ":unwrap");
    body_of(s, "{\"wrapped\":\"%s\"}", wrapped);
    if (!asked(s, "POST", CM_CLIENT_SIGNED, 0))
        return false;
    take_receipt(s);
    return true;
}

static bool rotate(session *s, const char *key)
{
    path_to(s, key, ":rotate");
    body_of(s, "{}");
    if (!asked(s, "POST", CM_CLIENT_USUAL, 0))
        return false;
    ack("key %s %llu\n", key, (unsigned long long)number_of(s, "version"));
    return true;
}

static bool round_of(session *s)
{
    char name[64], signer[64];

    snprintf(name, sizeof name, "a-%d-%u-%u", (int)getpid(), s->thread, s->seq);
    snprintf(signer, sizeof signer, "s-%d-%u", (int)getpid(), s->thread);
    if (s->seq == 0 && !made(s, signer, s->thread % 2 ? "P-256" : "ML-DSA-65"))
        return false;
    s->seq++;
    return made(s, name, "AES-256") && sign(s, signer) && use(s, name) && data_key(s, name) &&
           rotate(s, name) && use(s, name) && (s->seq % 3 || rotate(s, signer));
}

static void *client(void *arg)
{
    session *s;

    must(cm_alloc(&s, sizeof *s), "memory");
    session_init(s, (unsigned)(uintptr_t)arg);
    while (!atomic_load(&all.stop) && round_of(s))
        continue;
    session_done(s);
    cm_free(s);
    return NULL;
}

static int load(unsigned threads)
{
    pthread_t t[THREADS_MAX];
    char c;

    for (unsigned i = 0; i < threads; i++)
        if (pthread_create(&t[i], NULL, client, (void *)(uintptr_t)i) != 0)
            die("no thread");
    while (read(STDIN_FILENO, &c, 1) > 0)
        continue;
    atomic_store(&all.stop, true);
    for (unsigned i = 0; i < threads; i++)
        (void)pthread_join(t[i], NULL);
    (void)printf("%u\n", atomic_load(&all.done));
    return 0;
}

/* ---- the log, over the server's interface ---- */

static cm_err get_bytes(session *s, cm_buf *out, const char *name)
{
    CM_AUTO(cm_free_ptr) char *text = NULL;

    s->body[0] = 0;
    if (!asked(s, "GET", CM_CLIENT_USUAL, 0))
        die("%s", s->path);
    text = text_of(s, name);
    return cm_base64_decode(out, cm_view_str(text), false);
}

static cm_err get_note(void *self, cm_buf *out)
{
    CM_AUTO(cm_free_ptr) char *text = NULL;
    session *s = self;

    snprintf(s->path, sizeof s->path, "/v1/log/checkpoint");
    s->body[0] = 0;
    if (!asked(s, "GET", CM_CLIENT_USUAL, 0))
        die("%s", s->path);
    text = text_of(s, "checkpoint");
    return cm_buf_append(out, cm_view_str(text));
}

static cm_err get_tile(void *self, cm_buf *out, unsigned level, uint64_t n, unsigned width)
{
    session *s = self;

    snprintf(s->path, sizeof s->path, "/v1/log/tiles/%u/%llu?width=%u", level,
             (unsigned long long)n, width);
    return get_bytes(s, out, "tile");
}

static cm_err put_entry(cm_buf *out, const cm_json_node *entry)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_RECEIPT_EXTRA};
    uint8_t length[2];
    cm_view v;

    CM_TRY(cm_json_string(cm_json_get(entry, "entry"), &v));
    CM_TRY(cm_base64_decode(&b, v, false));
    length[0] = (uint8_t)(b.n >> 8);
    length[1] = (uint8_t)b.n;
    CM_TRY(cm_buf_append(out, CM_VIEW(length)));
    return cm_buf_append(out, cm_buf_view(&b));
}

static cm_err get_bundle(void *self, cm_buf *out, uint64_t n, unsigned width)
{
    session *s = self;
    const cm_json_node *list;

    snprintf(s->path, sizeof s->path, "/v1/tenants/system/log/entries?from=%llu&count=%u",
             (unsigned long long)n * 256, width);
    s->body[0] = 0;
    if (!asked(s, "GET", CM_CLIENT_SIGNED, 0))
        die("%s", s->path);
    list = cm_json_get(cm_json_root(s->json), "entries");
    if (cm_json_size(list) != width)
        die("%s: %zu entries", s->path, cm_json_size(list));
    for (const cm_json_node *e = cm_json_first(list); e; e = cm_json_next(e))
        CM_TRY(put_entry(out, e));
    return CM_OKAY;
}

static cm_log_view log_of(session *s)
{
    return (cm_log_view){.note = get_note, .tile = get_tile, .bundle = get_bundle, .self = s};
}

static void check_whole_log(session *s)
{
    const cm_log_view v = log_of(s);
    const cm_audit_trust t = trust();
    cm_audit_extent at;

    must(cm_audit_check_log(&at, &t, &v, NULL), "the whole log");
}

/* The log as it is now goes on from the tree that the receipt was about. */
static void check_log_since(session *s, const char *receipt)
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = CM_RECEIPT_MAX};
    CM_AUTO(cm_buf_free) cm_buf now = {.max = CM_NOTE_MAX};
    CM_AUTO(cm_buf_free) cm_buf proof = {.max = (size_t)64 * 32};
    CM_AUTO(cm_free_ptr) cm_log_source *source = NULL;
    CM_AUTO(cm_receipt_done) cm_receipt r = {0};
    const cm_log_view v = log_of(s);
    const cm_audit_trust t = trust();
    cm_tlog_source hashes;
    cm_audit_checked c, old;

    must(cm_base64_decode(&text, cm_view_str(receipt), false), "receipt");
    must(cm_audit_check_receipt(&old, &r, &t, cm_buf_view(&text), (cm_view){0}), "receipt");
    must(get_note(s, &now), "checkpoint");
    must(cm_audit_check_note(&c, &t, cm_buf_view(&now)), "checkpoint");
    if (c.checkpoint.size < old.checkpoint.size)
        die("the log has shrunk from %llu to %llu", (unsigned long long)old.checkpoint.size,
            (unsigned long long)c.checkpoint.size);
    must(cm_alloc(&source, sizeof *source), "memory");
    cm_log_source_init(source, &v, c.checkpoint.size);
    hashes = cm_log_source_of(source);
    if (old.checkpoint.size < c.checkpoint.size)
        must(cm_tlog_consistency(&proof, &hashes, old.checkpoint.size, c.checkpoint.size), "proof");
    must(cm_audit_check_consistency(&t, r.note, cm_buf_view(&now), cm_buf_view(&proof)), "fork");
}

/* ---- checking ---- */

static void same(const session *s, const char *name, const char *expected)
{
    CM_AUTO(cm_free_ptr) char *text = text_of(s, name);

    if (strcmp(text, expected) != 0)
        die("%s: %s is not what it was", s->path, name);
}

static void check_key(session *s, const char *key, uint64_t version)
{
    path_to(s, key, "");
    (void)asked(s, "GET", CM_CLIENT_USUAL, 0);
    if (number_of(s, "version") < version)
        die("%s: version %llu is lost", key, (unsigned long long)version);
}

static void check_signature(session *s, char *word[5])
{
    bool valid = false;

    path_to(s, word[1], ":verify");
    body_of(s, "{\"version\":%s,\"data\":\"%s\",\"signature\":\"%s\"}", word[2], word[3], word[4]);
    (void)asked(s, "POST", CM_CLIENT_USUAL, 0);
    must(cm_json_bool(cm_json_get(cm_json_root(s->json), "valid"), &valid), "valid");
    if (!valid)
        die("a signature of %s is good no more", word[1]);
}

static void check_line(session *s, char *line, bool last_receipt)
{
    char *word[5] = {NULL}, *at = NULL;
    uint64_t version = 0;

    for (unsigned i = 0; i < 5; i++)
        word[i] = strtok_r(i ? NULL : line, " \n", &at);
    if (!word[0] || !word[1])
        die("acks: a line is cut off");
    if (strcmp(word[0], "key") == 0 && word[2]) {
        must(cm_dec_u64(&version, cm_view_str(word[2])), "acks");
        check_key(s, word[1], version);
    } else if (strcmp(word[0], "sig") == 0 && word[4]) {
        check_signature(s, word);
    } else if (strcmp(word[0], "enc") == 0 && word[3]) {
        path_to(s, word[1], ":decrypt");
        body_of(s, "{\"ciphertext\":\"%s\"}", word[2]);
        (void)asked(s, "POST", CM_CLIENT_USUAL, 0);
        same(s, "plaintext", word[3]);
    } else if (strcmp(word[0], "wrap") == 0 && word[3]) {
        path_to(s, word[1], ":unwrap");
        body_of(s, "{\"wrapped\":\"%s\"}", word[2]);
        (void)asked(s, "POST", CM_CLIENT_SIGNED, 0);
        same(s, "plain", word[3]);
    } else if (strcmp(word[0], "rec") == 0) {
        if (last_receipt)
            check_log_since(s, word[1]);
    } else {
        die("acks: %s?", word[0]);
    }
}

/* Every receipt was checked when it came. That the log still holds what they prove is checked of
 * every eighth and of the last. */
static int check(const char *acks, bool whole)
{
    char *line = NULL, *last = NULL;
    size_t cap = 0, lines = 0;
    session *s;
    FILE *f = fopen(acks, "re");

    if (!f)
        die("%s: %s", acks, strerror(errno));
    must(cm_alloc(&s, sizeof *s), "memory");
    session_init(s, 1);
    while (getline(&line, &cap, f) > 0) {
        if (strncmp(line, "rec ", 4) == 0) {
            free(last);
            last = strdup(line);
        }
        check_line(s, line, lines++ % 8 == 0);
    }
    if (last)
        check_line(s, last, true);
    if (whole)
        check_whole_log(s);
    (void)printf("%zu\n", lines);
    free(line);
    free(last);
    (void)fclose(f);
    session_done(s);
    cm_free(s);
    return 0;
}

int main(int argc, char **argv)
{
    bool loads = argc == 6 && strcmp(argv[1], "load") == 0;
    uint64_t threads = 0;
    int status;

    if (!loads && (argc < 5 || strcmp(argv[1], "check") != 0)) {
        (void)fputs("usage: kms-load load URL DIR ACKS THREADS | check URL DIR ACKS [whole]\n",
                    stderr);
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    prepare(argv[2], argv[3]);
    if (loads) {
        all.acks = open(argv[4], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (all.acks < 0 || cm_failed(cm_dec_u64(&threads, cm_view_str(argv[5]))) ||
            threads > THREADS_MAX)
            die("%s, %s threads?", argv[4], argv[5]);
    }
    status = loads ? load((unsigned)threads) : check(argv[4], argc > 5);
    for (size_t i = 0; i < all.vkeys_n; i++)
        cm_vkey_done(&all.vkeys[i]);
    cm_certs_free(&all.roots);
    cm_certs_free(&all.chain);
    cm_pkey_free(all.tls_key);
    cm_pkey_free(all.sign_key);
    cm_crypt_free(all.crypt);
    return status;
}
