#include "log_kit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "audit/log.h"

static void must(cm_err e, const char *what)
{
    if (cm_failed(e)) {
        (void)fprintf(stderr, "testlib/log: %s: %s\n", what, cm_err_name(e));
        abort();
    }
}

static cm_err plain(void *self, cm_buf *out, cm_view tenant, cm_view key, uint64_t version,
                    cm_view v)
{
    (void)self;
    (void)tenant;
    (void)key;
    (void)version;
    return cm_buf_append(out, v);
}

static const cm_store_sealer sealer = {plain, plain, NULL};

static uint64_t now_ms(void *arg)
{
    const uint64_t *now = arg;

    return *now;
}

static uint64_t now_s(void *arg)
{
    return now_ms(arg) / 1000;
}

static void learn_keys(t_log *l)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 1 << 16};
    uint8_t *p, *nl;

    must(cm_audit_local_public(&b, l->signer), "public keys");
    for (p = b.p; p < b.p + b.n; p = nl + 1) {
        nl = memchr(p, '\n', (size_t)(b.p + b.n - p));
        must(cm_vkey_parse(&l->vkeys[l->vkeys_n++], l->crypt, cm_view_of(p, (size_t)(nl - p))),
             "vkey");
    }
}

cm_err t_log_open(t_log *l)
{
    const cm_store_sqlite at = {.path = l->db, .create = true};
    cm_committer_options o = {.crypt = l->crypt,
                              .signer = cm_audit_local_signer(l->signer),
                              .origin = T_LOG_ORIGIN,
                              .now_ms = now_ms,
                              .now_arg = &l->now_ms,
                              .depth = 4096,
                              .vkeys = l->vkeys,
                              .vkeys_n = l->vkeys_n};

    if (!l->store) {
        must(cm_store_open_sqlite(&l->store, &at), "open");
        cm_store_unseal(l->store, &sealer);
    }
    o.store = l->store;
    return cm_committer_new(&l->committer, &o);
}

void t_log_close(t_log *l)
{
    cm_committer_free(l->committer);
    cm_store_close(l->store);
    l->committer = NULL;
    l->store = NULL;
}

static t_log *make(uint8_t seed)
{
    uint8_t bytes[32];
    t_log *l = calloc(1, sizeof *l);

    if (!l) {
        abort();
    }
    memset(bytes, seed, sizeof bytes);
    l->now_ms = UINT64_C(1800000000000);
    must(cm_crypt_new(&l->crypt, CM_PROFILE_DEFAULT), "crypt");
    must(cm_audit_keys_derive(&l->keys, l->crypt, CM_VIEW(bytes)), "keys");
    must(cm_audit_local_new(&l->signer, l->crypt, T_LOG_ORIGIN, &l->keys, now_s, &l->now_ms),
         "signer");
    learn_keys(l);
    return l;
}

t_log *t_log_new(uint8_t seed)
{
    t_log *l = make(seed);

    t_mkdir(l->dir);
    (void)snprintf(l->db, sizeof l->db, "%.480s/log.db", l->dir);
    must(t_log_open(l), "committer");
    return l;
}

t_log *t_log_at(uint8_t seed, const char *db)
{
    t_log *l = make(seed);

    (void)snprintf(l->db, sizeof l->db, "%s", db);
    return l;
}

void t_log_done(t_log *l)
{
    t_log_close(l);
    cm_audit_local_free(l->signer);
    cm_audit_keys_done(&l->keys);
    for (size_t i = 0; i < l->vkeys_n; i++) {
        cm_vkey_done(&l->vkeys[i]);
    }
    cm_crypt_free(l->crypt);
    if (l->dir[0]) {
        t_rmdir(l->dir);
    }
    free(l);
}

cm_audit_trust t_log_trust(const t_log *l)
{
    return (cm_audit_trust){.log = l->vkeys, .log_n = l->vkeys_n};
}

static cm_audit_entry entry_of(uint64_t i, uint8_t id[16], uint8_t request[32])
{
    memset(id, 0, 16);
    memset(request, (int)(i & 0xff), 32);
    cm_put_be64(id + 8, i);
    return (cm_audit_entry){
        .time_ms = UINT64_C(1800000000000) + i,
        .id = cm_view_of(id, 16),
        .tenant = CM_LIT("acme"),
        .op = i % 3 ? CM_LIT("Sign") : CM_LIT("DecryptModelWeights"),
        .resource = CM_LIT("models/7"),
        .key_version = i % 5,
        .request = cm_view_of(request, 32),
        .decision = i % 7 ? CM_AUDIT_ALLOW : CM_AUDIT_DENY,
        .reason = i % 7 ? 0 : CM_COMMIT_BUDGET,
    };
}

cm_audit_entry t_log_entry(uint64_t i)
{
    static _Thread_local uint8_t id[16], request[32];

    return entry_of(i, id, request);
}

typedef struct {
    cm_unit u;
    cm_audit_entry e;
    uint8_t id[16], request[32];
} added;

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    uint64_t left;
} adding;

static void was_added(cm_unit *u)
{
    adding *a = u->arg;

    must(u->result, "commit");
    (void)pthread_mutex_lock(&a->lock);
    a->left--;
    (void)pthread_cond_signal(&a->wake);
    (void)pthread_mutex_unlock(&a->lock);
}

void t_log_add(t_log *l, uint64_t first, uint64_t n)
{
    adding a = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, n};
    added *v = calloc(n ? n : 1, sizeof *v);

    if (!v) {
        abort();
    }
    for (uint64_t i = 0; i < n; i++) {
        v[i].e = entry_of(first + i, v[i].id, v[i].request);
        v[i].u = (cm_unit){.entry = &v[i].e, .done = was_added, .arg = &a};
        must(cm_committer_submit(l->committer, &v[i].u), "submit");
    }
    (void)pthread_mutex_lock(&a.lock);
    while (a.left > 0) {
        (void)pthread_cond_wait(&a.wake, &a.lock);
    }
    (void)pthread_mutex_unlock(&a.lock);
    free(v);
}

static uint64_t stored_size(t_log *l)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_NOTE_MAX};
    cm_checkpoint c;
    cm_note n;
    cm_err e = cm_log_note_read(&b, l->store);

    if (cm_is(e, CM_STORE_NO_ROW)) {
        return 0;
    }
    must(e, "note");
    must(cm_note_parse(&n, cm_buf_view(&b)), "note");
    must(cm_checkpoint_parse(&c, n.text), "checkpoint");
    return c.size;
}

void t_log_settle(t_log *l)
{
    cm_log_head h;

    must(cm_log_head_read(&h, l->store), "head");
    for (unsigned i = 0; stored_size(l) < h.size; i++) {
        const struct timespec ms = {.tv_nsec = 5000000};

        if (i > 24000) {
            must(CM_FAIL(AUDIT_UNSIGNED), "no checkpoint for two minutes");
        }
        (void)nanosleep(&ms, NULL);
    }
}

cm_view t_log_key(cm_path *p, const char *tenant, const char *name)
{
    cm_path_init(p);
    cm_path_add_str(p, tenant);
    cm_path_add_str(p, name);
    return cm_path_view(p);
}
