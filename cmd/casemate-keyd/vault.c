#include "base/secret.h"
#include "crypt/sig.h"
#include "keyd.h"

struct vault {
    const cm_crypt *crypt;
    pthread_rwlock_t lock; /* guards what follows */
    cm_root *root;
    uint8_t log_mldsa[CM_SIG_PK_MAX], log_ed25519[32];
    _Atomic int state; /* a hint for those who don't hold the lock */
};

cm_err vault_new(struct vault **out, const cm_crypt *c, unsigned threads)
{
    struct vault *v;

    (void)threads;
    CM_TRY(cm_alloc(&v, sizeof *v));
    v->crypt = c;
    v->state = CM_KEYD_SEALED;
    pthread_rwlock_init(&v->lock, NULL);
    *out = v;
    return CM_OKAY;
}

void vault_free(struct vault *v)
{
    if (!v)
        return;
    vault_seal(v);
    pthread_rwlock_destroy(&v->lock);
    cm_free(v);
}

cm_keyd_state vault_state(struct vault *v)
{
    return (cm_keyd_state)atomic_load_explicit(&v->state, memory_order_acquire);
}

static cm_err public_of(const struct vault *v, uint8_t *out, size_t room, cm_sig_id id,
                        cm_view seed)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;

    CM_TRY(cm_sig_from_seed(&k, v->crypt, id, seed));
    if (cm_sig_public(k).n > room)
        return CM_FAIL(TOO_BIG);
    memcpy(out, cm_sig_public(k).p, cm_sig_public(k).n);
    return CM_OKAY;
}

static cm_err install(struct vault *v, cm_root *root)
{
    if (v->root && !cm_view_eq(CM_VIEW(v->root->id), CM_VIEW(root->id)))
        return CM_FAIL(KEYS_UNSEALED);
    CM_TRY(
        public_of(v, v->log_mldsa, sizeof v->log_mldsa, CM_SIG_MLDSA44, CM_VIEW(root->log_mldsa)));
    CM_TRY(public_of(v, v->log_ed25519, sizeof v->log_ed25519, CM_SIG_ED25519,
                     CM_VIEW(root->log_ed25519)));
    cm_root_free(v->root);
    v->root = root;
    atomic_store_explicit(&v->state, CM_KEYD_UNSEALED, memory_order_release);
    return CM_OKAY;
}

cm_err vault_unseal(struct vault *v, cm_root *root)
{
    cm_err e;

    pthread_rwlock_wrlock(&v->lock);
    e = install(v, root);
    pthread_rwlock_unlock(&v->lock);
    if (cm_failed(e))
        cm_root_free(root);
    return e;
}

void vault_seal(struct vault *v)
{
    pthread_rwlock_wrlock(&v->lock);
    atomic_store_explicit(&v->state, CM_KEYD_SEALED, memory_order_release);
    cm_root_free(v->root);
    v->root = NULL;
    pthread_rwlock_unlock(&v->lock);
}

static cm_err run(struct vault *v, unsigned thread, cm_keyop *op)
{
    (void)thread;
    if (op->code == CM_KEYOP_RANDOM && op->n <= CM_KEYOP_DATA_MAX) {
        op->out.max = op->n;
        CM_TRY(cm_buf_reserve(&op->out, op->n));
        CM_TRY(cm_random(v->crypt, op->out.p, op->n));
        op->out.n = op->n;
        return CM_OKAY;
    }
    return CM_FAIL(CRYPT_ALGORITHM);
}

void vault_run(struct vault *v, unsigned thread, cm_keyop *op)
{
    pthread_rwlock_rdlock(&v->lock);
    op->result = v->root ? run(v, thread, op) : CM_FAIL(KEYS_SEALED);
    pthread_rwlock_unlock(&v->lock);
}

void vault_facts(struct vault *v, cm_keyctl_status *s, uint8_t buf[VAULT_FACTS])
{
    pthread_rwlock_rdlock(&v->lock);
    if (v->root) {
        memcpy(buf, v->root->id, 16);
        memcpy(buf + 16, v->log_mldsa, 1312);
        memcpy(buf + 16 + 1312, v->log_ed25519, 32);
        s->root = cm_view_of(buf, 16);
        s->log_mldsa = cm_view_of(buf + 16, 1312);
        s->log_ed25519 = cm_view_of(buf + 16 + 1312, 32);
        s->generation = v->root->kem[v->root->n - 1].number;
    }
    pthread_rwlock_unlock(&v->lock);
}
