#include <time.h>

#include "audit/signer.h"
#include "base/secret.h"
#include "keyd.h"
#include "keys/ring.h"

/* Everything that hangs on one root. */
struct held {
    cm_root *root;
    cm_keyring *ring;
    cm_audit_keys keys;
    cm_audit_local *log;
    cm_audit_signer signer;
};

struct vault {
    const cm_crypt *crypt;
    const cm_key_devices *tenants;
    pthread_rwlock_t lock; /* guards held: operations read, unsealing and sealing write */
    struct held *held;
    _Atomic int state; /* a hint for those who don't hold the lock */
};

static void free_held(struct held *h)
{
    if (!h)
        return;
    cm_keyring_free(h->ring);
    cm_audit_local_free(h->log);
    cm_audit_keys_done(&h->keys);
    cm_root_free(h->root);
    cm_free(h);
}

static void free_held_ptr(struct held **h)
{
    free_held(*h);
}

cm_err cm_kd_vault_new(struct vault **out, const cm_crypt *c, const cm_key_devices *tenants)
{
    struct vault *v;

    CM_TRY(cm_alloc(&v, sizeof *v));
    v->crypt = c;
    v->tenants = tenants;
    v->state = CM_KEYD_SEALED;
    pthread_rwlock_init(&v->lock, NULL);
    *out = v;
    return CM_OKAY;
}

void cm_kd_vault_free(struct vault *v)
{
    if (!v)
        return;
    cm_kd_vault_seal(v);
    pthread_rwlock_destroy(&v->lock);
    cm_free(v);
}

cm_keyd_state cm_kd_vault_state(struct vault *v)
{
    return (cm_keyd_state)atomic_load_explicit(&v->state, memory_order_acquire);
}

static uint64_t now_s(void *arg)
{
    struct timespec t;

    (void)arg;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec;
}

static cm_err sign_log(void *arg, cm_buf *lines, cm_view text)
{
    const struct held *h = arg;

    return h->signer.sign(h->signer.self, lines, text);
}

/* Takes the root only on success. */
static cm_err make_held(struct held **out, const struct vault *v, cm_root *root)
{
    const cm_crypt *c = v->crypt;
    CM_AUTO(free_held_ptr) struct held *h = NULL;
    char origin[CM_ORIGIN_MAX + 1] = {0};
    cm_keyring_options o = {.crypt = c, .root = root, .sign_log = sign_log, .devices = v->tenants};

    CM_TRY(cm_alloc(&h, sizeof *h));
    memcpy(origin, root->origin, root->origin_n);
    CM_TRY(cm_audit_keys_derive(&h->keys, c, CM_VIEW(root->log_seed)));
    CM_TRY(cm_audit_local_new(&h->log, c, origin, &h->keys, now_s, NULL));
    h->signer = cm_audit_local_signer(h->log);
    o.arg = h;
    CM_TRY(cm_keyring_new(&h->ring, &o));
    h->root = root;
    *out = h;
    h = NULL;
    return CM_OKAY;
}

static cm_err install(struct vault *v, struct held *h)
{
    if (v->held && !cm_view_eq(CM_VIEW(v->held->root->id), CM_VIEW(h->root->id)))
        return CM_FAIL(KEYS_UNSEALED);
    free_held(v->held);
    v->held = h;
    atomic_store_explicit(&v->state, CM_KEYD_UNSEALED, memory_order_release);
    return CM_OKAY;
}

cm_err cm_kd_vault_unseal(struct vault *v, cm_root *root)
{
    struct held *h;
    cm_err e = make_held(&h, v, root);

    if (cm_failed(e)) {
        cm_root_free(root);
        return e;
    }
    pthread_rwlock_wrlock(&v->lock);
    e = install(v, h);
    pthread_rwlock_unlock(&v->lock);
    if (cm_failed(e))
        free_held(h);
    return e;
}

/* Whoever waits for a tenant's device holds the lock: nothing new begins meanwhile. */
void cm_kd_vault_seal(struct vault *v)
{
    atomic_store_explicit(&v->state, CM_KEYD_SEALED, memory_order_release);
    pthread_rwlock_wrlock(&v->lock);
    atomic_store_explicit(&v->state, CM_KEYD_SEALED, memory_order_release);
    free_held(v->held);
    v->held = NULL;
    pthread_rwlock_unlock(&v->lock);
}

void cm_kd_vault_run(struct vault *v, cm_keyop *op)
{
    pthread_rwlock_rdlock(&v->lock);
    if (v->held)
        cm_keyring_exec(v->held->ring, op);
    else
        op->result = CM_FAIL(KEYS_SEALED);
    pthread_rwlock_unlock(&v->lock);
}

void cm_kd_vault_run_many(struct vault *v, cm_keyop *const *op, size_t n)
{
    pthread_rwlock_rdlock(&v->lock);
    if (v->held)
        cm_keyring_exec_many(v->held->ring, op, n);
    for (size_t i = 0; !v->held && i < n; i++)
        op[i]->result = CM_FAIL(KEYS_SEALED);
    pthread_rwlock_unlock(&v->lock);
}

void cm_kd_vault_expire(struct vault *v)
{
    pthread_rwlock_rdlock(&v->lock);
    if (v->held)
        cm_keyring_expire(v->held->ring);
    pthread_rwlock_unlock(&v->lock);
}

void cm_kd_vault_facts(struct vault *v, cm_keyctl_status *s, struct vault_facts *f)
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = sizeof f->log_keys};

    pthread_rwlock_rdlock(&v->lock);
    if (v->held) {
        const cm_root *r = v->held->root;

        memcpy(f->root, r->id, sizeof f->root);
        memcpy(f->origin, r->origin, r->origin_n);
        s->root = CM_VIEW(f->root);
        s->origin = cm_view_of(f->origin, r->origin_n);
        s->generation = r->kem[r->n - 1].number;
        if (cm_ok(cm_audit_local_public(&text, v->held->log))) {
            memcpy(f->log_keys, text.p, text.n);
            s->log_keys = cm_view_of(f->log_keys, text.n);
        }
    }
    pthread_rwlock_unlock(&v->lock);
}
