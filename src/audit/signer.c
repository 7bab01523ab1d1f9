#include "audit/signer.h"

#include "base/pool.h"

enum { KEYS = 3 };

struct cm_audit_local {
    cm_vkey keys[KEYS];
    size_t n;
    uint64_t (*now_s)(void *arg);
    void *arg;
    uint64_t size; /* of what was signed last */
    uint8_t root[32];
    cm_pool *pool; /* one thread for the last key, which is the slowest; NULL: there is but one */
};

/* */
static cm_err derive(cm_sig_key **out, const cm_crypt *c, cm_sig_id id, cm_view seed,
                     const char *label)
{
    CM_AUTO(cm_key32_wipe) cm_key32 k = {{0}};

    CM_TRY(cm_hkdf_expand(c, CM_SHA256, k.b, sizeof k.b, seed, cm_view_str(label)));
    return cm_sig_from_seed(out, c, id, CM_VIEW(k.b));
}

cm_err cm_audit_keys_derive(cm_audit_keys *k, const cm_crypt *c, cm_view seed)
{
    CM_AUTO(cm_audit_keys_done) cm_audit_keys x = {0};

    if (seed.n != 32) {
        return CM_FAIL(BAD_ARGUMENT);
    }
    CM_TRY(derive(&x.ed25519, c, CM_SIG_ED25519, seed, "casemate/log/ed25519/v1"));
    CM_TRY(derive(&x.mldsa44, c, CM_SIG_MLDSA44, seed, "casemate/log/ml-dsa-44/v1"));
    CM_TRY(derive(&x.mldsa65, c, CM_SIG_MLDSA65, seed, "casemate/log/ml-dsa-65/v1"));
    *k = x;
    x = (cm_audit_keys){0};
    return CM_OKAY;
}

void cm_audit_keys_done(cm_audit_keys *k)
{
    cm_sig_key_free(k->ed25519);
    cm_sig_key_free(k->mldsa44);
    cm_sig_key_free(k->mldsa65);
    *k = (cm_audit_keys){0};
}

static cm_err add(cm_audit_local *l, const cm_crypt *c, const char *origin, cm_vkey_type type,
                  const cm_sig_key *key)
{
    if (!key) {
        return CM_OKAY;
    }
    CM_TRY(cm_vkey_init(&l->keys[l->n], c, origin, type, key));
    l->n++;
    return CM_OKAY;
}

cm_err cm_audit_local_new(cm_audit_local **out, const cm_crypt *c, const char *origin,
                          const cm_audit_keys *keys, uint64_t (*now_s)(void *arg), void *arg)
{
    CM_AUTO(cm_audit_local_free_ptr) cm_audit_local *l = NULL;

    CM_TRY(cm_alloc(&l, sizeof *l));
    l->now_s = now_s;
    l->arg = arg;
    CM_TRY(add(l, c, origin, CM_VKEY_ED25519, keys->ed25519));
    CM_TRY(add(l, c, origin, CM_VKEY_COSIGN_MLDSA44, keys->mldsa44));
    CM_TRY(add(l, c, origin, CM_VKEY_MLDSA65, keys->mldsa65));
    if (l->n == 0) {
        return CM_FAIL(BAD_ARGUMENT);
    }
    if (l->n > 1) {
        CM_TRY(cm_pool_new(&l->pool, 1, 1));
    }
    *out = l;
    l = NULL;
    return CM_OKAY;
}

void cm_audit_local_free(cm_audit_local *l)
{
    if (l) {
        cm_pool_free(l->pool);
    }
    cm_free(l);
}

void cm_audit_local_free_ptr(cm_audit_local **l)
{
    cm_audit_local_free(*l);
}

/* whatever is asked, two checkpoints of one key never contradict each other plainly. */
static cm_err may_sign(const cm_audit_local *l, const cm_checkpoint *c)
{
    if (!cm_view_eq(c->origin, cm_view_str(l->keys[0].name)) || c->extensions.n > 0) {
        return CM_FAIL(AUDIT_ORIGIN);
    }
    if (c->size < l->size ||
        (c->size == l->size && c->size > 0 && !cm_view_eq(CM_VIEW(c->root), CM_VIEW(l->root)))) {
        return CM_FAIL(AUDIT_FORK);
    }
    return CM_OKAY;
}

typedef struct {
    const cm_vkey *key;
    cm_view text;
    uint64_t time;
    cm_buf line;
    cm_err err;
} task;

static void run_task(void *arg)
{
    task *t = arg;

    t->err = cm_vkey_sign(&t->line, t->key, t->text, t->time);
}

static void task_done(task *t)
{
    cm_buf_free(&t->line);
}

/* All lines in order, the last of them made on the other thread. */
static cm_err sign_all(cm_audit_local *l, cm_buf *lines, cm_view text, uint64_t time)
{
    CM_AUTO(task_done)
    task last = {.key = &l->keys[l->n - 1], .text = text, .time = time, .line.max = CM_NOTE_MAX};
    cm_err e = CM_OKAY;

    if (l->pool) {
        cm_pool_submit(l->pool, run_task, &last);
    } else {
        run_task(&last);
    }
    for (size_t i = 0; cm_ok(e) && i + 1 < l->n; i++) {
        e = cm_vkey_sign(lines, &l->keys[i], text, time);
    }
    if (l->pool) {
        cm_pool_wait(l->pool);
    }
    CM_TRY(e);
    CM_TRY(last.err);
    return cm_buf_append(lines, cm_buf_view(&last.line));
}

static cm_err sign(void *self, cm_buf *lines, cm_view text)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_NOTE_MAX};
    cm_audit_local *l = self;
    uint64_t now = l->now_s ? l->now_s(l->arg) : 0;
    cm_checkpoint c;

    CM_TRY(cm_checkpoint_parse(&c, text));
    CM_TRY(may_sign(l, &c));
    CM_TRY(sign_all(l, &b, text, now));
    CM_TRY(cm_buf_append(lines, cm_buf_view(&b)));
    l->size = c.size;
    memcpy(l->root, c.root, 32);
    return CM_OKAY;
}

cm_audit_signer cm_audit_local_signer(cm_audit_local *l)
{
    return (cm_audit_signer){sign, l};
}

const cm_vkey *cm_audit_local_vkeys(const cm_audit_local *l, size_t *n)
{
    *n = l->n;
    return l->keys;
}

cm_err cm_audit_local_public(cm_buf *out, const cm_audit_local *l)
{
    for (size_t i = 0; i < l->n; i++) {
        CM_TRY(cm_vkey_text(out, &l->keys[i]));
        CM_TRY(cm_buf_byte(out, '\n'));
    }
    return CM_OKAY;
}
