/* Key files, and the public face of signing. */
#include "market/batch.h"
#include "market/verifier_int.h"
#include "pki/keyfile.h"

enum { KINDS = 2 };

struct cm_signer {
    cm_crypt *crypt;
    cm_pkey *key[KINDS];
    cm_market_keys keys;
};

static cm_err place(cm_market_keys *keys, const cm_pkey *k)
{
    const cm_sig_key *sig = cm_pkey_sig(k);
    cm_sig_id id = sig ? cm_sig_key_info(sig)->id : 0;
    const cm_sig_key **at = id == CM_SIG_SECP256K1 ? &keys->secp : &keys->mldsa;

    if (id != CM_SIG_SECP256K1 && id != CM_SIG_MLDSA65)
        return CM_FAIL(KEY_ALGORITHM);
    if (*at)
        return CM_FAIL(BAD_ARGUMENT);
    *at = sig;
    return CM_OKAY;
}

static void signer_free_ptr(cm_signer **s)
{
    cm_signer_free(*s);
}

static cm_err open_keys(cm_signer **out, const char *const *files, size_t count, const char *pass)
{
    CM_AUTO(signer_free_ptr) cm_signer *s = NULL;
    cm_view text = pass ? cm_view_str(pass) : (cm_view){0};
    cm_pkey_reading reading = {.pass = pass ? cm_passphrase_of(&text) : (cm_passphrase){0}};

    if (count == 0 || count > KINDS)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_alloc(&s, sizeof *s));
    CM_TRY(cm_crypt_new(&s->crypt, CM_PROFILE_DEFAULT));
    for (size_t i = 0; i < count; i++) {
        CM_TRY(cm_pkey_load(&s->key[i], s->crypt, files[i], &reading));
        CM_TRY(place(&s->keys, s->key[i]));
    }
    *out = s;
    s = NULL;
    return CM_OKAY;
}

cm_err cm_signer_open(cm_signer **out, const char *const *files, size_t count,
                      const char *passphrase)
{
    CM_AUTO(signer_free_ptr) cm_signer *s = NULL;

    CM_TRY(open_keys(&s, files, count, passphrase));
    for (size_t i = 0; i < count; i++)
        if (!cm_pkey_has_private(s->key[i]))
            return CM_FAIL(KEY_NOT_PRIVATE);
    *out = s;
    s = NULL;
    return CM_OKAY;
}

void cm_signer_free(cm_signer *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < KINDS; i++)
        cm_pkey_free(s->key[i]);
    cm_crypt_free(s->crypt);
    cm_free(s);
}

cm_err cm_verifier_open(cm_verifier **out, const char *const *files, size_t count)
{
    CM_AUTO(signer_free_ptr) cm_signer *s = NULL;
    CM_AUTO(cm_crypt_free_ptr) cm_crypt *c = NULL;

    CM_TRY(open_keys(&s, files, count, NULL));
    CM_TRY(cm_crypt_new(&c, CM_PROFILE_DEFAULT));
    return cm_verifier_of(out, &c, s->keys.secp ? cm_sig_public(s->keys.secp) : (cm_view){0},
                          s->keys.mldsa ? cm_sig_public(s->keys.mldsa) : (cm_view){0});
}

static cm_err nonce(const cm_signer *s, cm_market_head *h)
{
    const uint8_t none[32] = {0};

    return cm_view_eq(CM_VIEW(none), CM_VIEW(h->nonce))
               ? cm_random(s->crypt, h->nonce, sizeof h->nonce)
               : CM_OKAY;
}

cm_err cm_signer_poai(cm_buf *out, const cm_signer *s, cm_poai *r)
{
    CM_TRY(nonce(s, &r->head));
    return cm_poai_sign(out, s->crypt, &s->keys, r);
}

cm_err cm_signer_settlement(cm_buf *out, const cm_signer *s, cm_settlement *t)
{
    CM_TRY(nonce(s, &t->head));
    return cm_settle_sign(out, s->crypt, &s->keys, t);
}

cm_err cm_signer_batch(cm_batch_tree **tree, cm_buf *head, const cm_signer *s, cm_batch_head *h,
                       cm_poai *r, size_t count)
{
    CM_AUTO(cm_batch_tree_free_ptr) cm_batch_tree *t = NULL;
    CM_AUTO(cm_free_ptr) uint8_t(*leaves)[32] = NULL;
    uint8_t id[32];

    if (count == 0 || count > CM_BATCH_LEAVES_MAX)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_alloc_array(&leaves, count, 32));
    CM_TRY(cm_market_key_id(s->crypt, id, &s->keys));
    for (size_t i = 0; i < count; i++) {
        CM_TRY(nonce(s, &r[i].head));
        memcpy(r[i].head.realm, h->head.realm, sizeof h->head.realm); /* M-31 */
        CM_TRY(cm_batch_leaf(leaves[i], &r[i], id));
    }
    CM_TRY(cm_batch_tree_new(&t, (const uint8_t(*)[32])leaves, count));
    CM_TRY(nonce(s, &h->head));
    CM_TRY(cm_batch_seal(head, s->crypt, &s->keys, h, t));
    *tree = t;
    t = NULL;
    return CM_OKAY;
}
