/* fill DIR TOKEN PREFIX COUNT: creates keys in the store of a key server that does not run, by the
 * same calls that the server would make: authentication, decision, key made and sealed, unit, log
 * leaf, signed checkpoints. Only TLS, HTTP and keyd's socket are left out. DIR is what `casemate
 * serve --dir` made, TOKEN an API key that may create keys of the tenant "default". Progress goes
 * to stderr, one JSON line to stdout.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "audit/signer.h"
#include "base/os.h"
#include "keys/ring.h"
#include "store/rowseal.h"
#include "svc/bootstrap.h"
#include "svc/ops.h"
#include "wire/http.h"

enum { SLOTS = 2048, ARENA = 1 << 20, LEAVES_AT_ONCE = 4096, TELL = 1000000 };

struct slot {
    cm_call call;
    cm_arena *arena;
    cm_http_request request;
    cm_http_header header[2];
    char path[160];
    struct slot *next;
};

struct fill {
    cm_crypt *crypt;
    cm_store *store;
    cm_root *root;
    cm_audit_keys keys;
    cm_audit_local *log;
    cm_audit_signer signer;
    cm_keyring *ring;
    cm_rowseal *rows;
    cm_store_sealer sealer;
    cm_committer *committer;
    cm_svc *svc;
    char origin[CM_ORIGIN_MAX + 1], bearer[256];
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t more;
    struct slot *free;
    size_t busy, failed;
};

static void must(cm_err e, const char *what)
{
    if (cm_ok(e))
        return;
    (void)fprintf(stderr, "fill: %s: %s\n", what, cm_err_name(e));
    exit(1);
}

/* ---- a key server without its network ---- */

static uint64_t now_ms(void *arg)
{
    struct timespec t;

    (void)arg;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t now_s(void *arg)
{
    return now_ms(arg) / 1000;
}

static cm_err sign_log(void *arg, cm_buf *lines, cm_view text)
{
    const struct fill *f = arg;

    return f->signer.sign(f->signer.self, lines, text);
}

static cm_err run_op(void *self, cm_keyop *op)
{
    struct fill *f = self;

    cm_keyring_exec(f->ring, op);
    return op->result;
}

static void unseal(struct fill *f, const char *dir)
{
    CM_AUTO(cm_buf_free) cm_buf boot = {.max = CM_BOOT_MAX};
    CM_AUTO(cm_buf_free) cm_buf secret = {.max = 4096};
    cm_unseal_key key = {.kind = CM_UNSEAL_PASSPHRASE};
    char path[4200];
    uint64_t version;
    cm_path p;

    (void)snprintf(path, sizeof path, "%s/passphrase", dir);
    must(cm_os_slurp(&secret, path, secret.max), path);
    while (secret.n && secret.p[secret.n - 1] == '\n')
        secret.n--;
    cm_path_init(&p);
    cm_path_add_str(&p, "boot");
    cm_path_add_str(&p, "root");
    must(cm_store_get(f->store, cm_path_view(&p), &boot, &version), "boot record");
    key.secret = cm_buf_view(&secret);
    must(cm_boot_open(&f->root, f->crypt, cm_buf_view(&boot), &key), "unseal");
    memcpy(f->origin, f->root->origin, f->root->origin_n);
}

static void open_keys(struct fill *f)
{
    cm_keyring_options o = {.crypt = f->crypt, .root = f->root, .sign_log = sign_log, .arg = f};

    must(cm_audit_keys_derive(&f->keys, f->crypt, CM_VIEW(f->root->log_seed)), "log keys");
    must(cm_audit_local_new(&f->log, f->crypt, f->origin, &f->keys, now_s, NULL), "log");
    f->signer = cm_audit_local_signer(f->log);
    must(cm_keyring_new(&f->ring, &o), "keyring");
}

static void open_all(struct fill *f, const char *dir)
{
    char path[4200];
    const cm_store_sqlite at = {.path = path, .cache_kib = 256 << 10};
    cm_committer_options c = {.crypt = f->crypt, .now_ms = now_ms, .depth = LEAVES_AT_ONCE};
    cm_svc_options o = {.crypt = f->crypt, .now_ms = now_ms, .version = "bench"};
    cm_row_keys keys;
    bool fresh;

    (void)snprintf(path, sizeof path, "%s/kms.db", dir);
    must(cm_store_open_sqlite(&f->store, &at), path);
    unseal(f, dir);
    open_keys(f);
    must(cm_rowseal_new(&f->rows, f->crypt), "rows");
    keys = (cm_row_keys){cm_rowseal_known, cm_rowseal_add, f->rows};
    must(cm_boot_rows(f->store, &keys, (cm_key_runner){run_op, f}, now_ms(NULL), &fresh),
         "system's row key");
    f->sealer = cm_rowseal_sealer(f->rows);
    cm_store_unseal(f->store, &f->sealer);
    c.store = o.store = f->store;
    c.signer = (cm_audit_signer){.sign = sign_log, .self = f};
    c.origin = f->origin;
    must(cm_committer_new(&f->committer, &c), "committer");
    o.committer = f->committer;
    o.row_keys = keys;
    o.address_rate = UINT32_MAX;
    must(cm_svc_new(&f->svc, &o), "service");
}

static void close_all(struct fill *f)
{
    cm_committer_free(f->committer);
    cm_svc_free(f->svc);
    cm_store_close(f->store);
    cm_rowseal_free(f->rows);
    cm_keyring_free(f->ring);
    cm_audit_local_free(f->log);
    cm_audit_keys_done(&f->keys);
    cm_root_free(f->root);
    cm_crypt_free(f->crypt);
}

/* ---- calls ---- */

/* On the committer's thread. */
static void call_done(cm_call *c)
{
    struct fill *f = c->arg;
    struct slot *s = (struct slot *)(void *)c;

    (void)pthread_mutex_lock(&f->lock);
    if (cm_failed(c->result) && f->failed++ == 0)
        (void)fprintf(stderr, "fill: %s: %s %s\n", s->path, cm_err_name(c->result), c->detail);
    s->next = f->free;
    f->free = s;
    f->busy--;
    (void)pthread_cond_signal(&f->more);
    (void)pthread_mutex_unlock(&f->lock);
}

static struct slot *take(struct fill *f)
{
    struct slot *s;

    (void)pthread_mutex_lock(&f->lock);
    while (!f->free)
        (void)pthread_cond_wait(&f->more, &f->lock);
    s = f->free;
    f->free = s->next;
    f->busy++;
    (void)pthread_mutex_unlock(&f->lock);
    return s;
}

static void create(struct fill *f, struct slot *s, const char *prefix, size_t i)
{
    cm_call *c = &s->call;
    cm_msg_fault fault = {.why = NULL};
    cm_err why = CM_OKAY;

    cm_arena_reset(s->arena);
    (void)snprintf(s->path, sizeof s->path, "/v1/tenants/default/keys/%s%08zu", prefix, i);
    s->header[0] = (cm_http_header){CM_LIT("authorization"), cm_view_str(f->bearer)};
    s->request = (cm_http_request){.method = CM_LIT("POST"),
                                   .path = cm_view_str(s->path),
                                   .authority = CM_LIT("localhost"),
                                   .scheme = CM_LIT("https"),
                                   .body = CM_LIT("{\"type\":\"AES-256\"}"),
                                   .headers = s->header,
                                   .headers_n = 1};
    *c = (cm_call){.svc = f->svc,
                   .keeper = cm_keyring_keeper(f->ring),
                   .arena = s->arena,
                   .peer = {.address = CM_LIT("192.0.2.1"), .pq = true},
                   .http = {s->request.method, s->request.authority, s->request.path,
                            s->request.query, &s->request},
                   .done = call_done,
                   .arg = f};
    c->op = cm_svc_route(s->request.method, s->request.path, s->arena, &c->request, &why);
    must(why, "route");
    must(cm_svc_fill(&c->request, s->arena, c->op, s->request.query, s->request.body, &fault),
         "request");
    cm_svc_run(c);
}

static void make_all(struct fill *f, const char *prefix, size_t count)
{
    for (size_t i = 0; i < count && !f->failed; i++) {
        create(f, take(f), prefix, i);
        if (i % TELL == TELL - 1)
            (void)fprintf(stderr, "fill: %zu\n", i + 1);
    }
    (void)pthread_mutex_lock(&f->lock);
    while (f->busy)
        (void)pthread_cond_wait(&f->more, &f->lock);
    (void)pthread_mutex_unlock(&f->lock);
}

int main(int argc, char **argv)
{
    static struct slot slots[SLOTS];
    static struct fill f = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};
    size_t count = argc == 5 ? (size_t)strtoul(argv[4], NULL, 10) : 0;
    uint64_t start;
    double took;

    if (count == 0) {
        (void)fputs("usage: fill DIR TOKEN PREFIX COUNT\n", stderr);
        return 2;
    }
    must(cm_crypt_new(&f.crypt, CM_PROFILE_DEFAULT), "crypt");
    (void)snprintf(f.bearer, sizeof f.bearer, "Bearer %s", argv[2]);
    open_all(&f, argv[1]);
    for (size_t i = 0; i < SLOTS; i++) {
        must(cm_arena_new(&slots[i].arena, ARENA), "memory");
        slots[i].next = f.free;
        f.free = &slots[i];
    }
    start = cm_os_monotonic_ns();
    make_all(&f, argv[3], count);
    took = 1e-9 * (double)(cm_os_monotonic_ns() - start);
    close_all(&f);
    (void)printf("{\"keys\":%zu,\"failed\":%zu,\"seconds\":%.1f,\"per_second\":%.0f}\n", count,
                 f.failed, took, (double)count / took);
    return f.failed != 0;
}
