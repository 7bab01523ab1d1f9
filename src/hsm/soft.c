/* The provider without a device: the same interface, so that one suite holds for all. */
#include <pthread.h>

#include "base/secret.h"
#include "crypt/aead.h"
#include "crypt/kem.h"
#include "crypt/rsa.h"
#include "hsm/hsm_int.h"

struct entry {
    struct entry *next;
    uint8_t id[CM_HSM_ID_MAX];
    size_t id_n;
    uint32_t alg;
    cm_key32 *aes; /* locked */
    cm_sig_key *sig;
    cm_rsa *rsa;
    cm_kem_key *kem;
};

struct cm_hsm_soft {
    const cm_crypt *c;
    pthread_mutex_t lock;
    struct entry *keys;
};

static void free_entry(struct entry *e)
{
    cm_secret_free(e->aes, sizeof *e->aes);
    cm_sig_key_free(e->sig);
    cm_rsa_free(e->rsa);
    cm_kem_key_free(e->kem);
    cm_free(e);
}

static void free_entry_ptr(struct entry **e)
{
    if (*e)
        free_entry(*e);
}

static struct entry **find(cm_hsm_soft *s, const cm_hsm_request *r)
{
    struct entry **p = &s->keys;

    while (*p && ((*p)->alg != r->alg || !cm_view_eq(cm_view_of((*p)->id, (*p)->id_n), r->id)))
        p = &(*p)->next;
    return p;
}

static cm_err describe(const cm_hsm_soft *s, const struct entry *k, const cm_hsm_request *r,
                       cm_hsm_answer *a)
{
    cm_view pub = k->sig   ? cm_sig_public(k->sig)
                  : k->kem ? cm_kem_public(k->kem)
                           : cm_view_of("", 0);
    CM_AUTO(cm_buf_free) cm_buf spki = {.max = CM_SIG_PK_MAX};

    if (k->rsa) {
        CM_TRY(cm_rsa_public_der(&spki, k->rsa));
        pub = cm_buf_view(&spki);
    }
    return cm_hsm_key_fill(&a->key, s->c, r, CM_HSM_SOFTWARE, pub);
}

static cm_err make(struct entry *k, const cm_crypt *c)
{
    if (cm_hsm_alg_sig(k->alg))
        return cm_sig_generate(&k->sig, c, (cm_sig_id)cm_hsm_alg_sig(k->alg));
    if (cm_hsm_alg_rsa(k->alg))
        return cm_rsa_generate(&k->rsa, c, cm_hsm_alg_rsa(k->alg));
    if (cm_hsm_alg_kem(k->alg))
        return cm_kem_generate(&k->kem, c, (cm_kem_id)cm_hsm_alg_kem(k->alg));
    CM_TRY(cm_secret_new(&k->aes, sizeof *k->aes));
    return cm_random(c, k->aes->b, sizeof k->aes->b);
}

static cm_err generate(cm_hsm_soft *s, const cm_hsm_request *r, cm_hsm_answer *a)
{
    CM_AUTO(free_entry_ptr) struct entry *k = NULL;

    if (*find(s, r))
        return CM_FAIL(HSM_KEYS);
    CM_TRY(cm_alloc(&k, sizeof *k));
    memcpy(k->id, r->id.p, r->id.n);
    k->id_n = r->id.n;
    k->alg = r->alg;
    CM_TRY(make(k, s->c));
    CM_TRY(describe(s, k, r, a));
    k->next = s->keys;
    s->keys = k;
    k = NULL;
    return CM_OKAY;
}

static cm_err sign(const cm_hsm_soft *s, const struct entry *k, const cm_hsm_request *r,
                   cm_hsm_answer *a)
{
    cm_hsm_answer found = {.data = {.max = 0}};

    CM_TRY(describe(s, k, r, &found));
    if (k->rsa) {
        CM_TRY(cm_hsm_answer_room(a, cm_rsa_bits(k->rsa) / 8));
        CM_TRY(
            cm_rsa_sign(k->rsa, a->data.p, r->pkcs1 ? CM_RSA_PKCS1 : CM_RSA_PSS, false, r->data));
        a->data.n = cm_rsa_bits(k->rsa) / 8;
        return CM_OKAY;
    }
    CM_TRY(cm_hsm_answer_room(a, cm_sig_key_info(k->sig)->sig));
    CM_TRY(r->digest ? cm_sign_digest(k->sig, a->data.p, r->data)
                     : cm_sign_raw(k->sig, a->data.p, r->data));
    a->data.n = cm_sig_key_info(k->sig)->sig;
    return CM_OKAY;
}

/* H-15 */
static cm_err sign_list(const cm_hsm_soft *s, const struct entry *k, const cm_hsm_request *r,
                        cm_hsm_answer *a)
{
    CM_AUTO(cm_hsm_answer_done) cm_hsm_answer got = {.data = {.max = 0}};
    cm_hsm_request one = *r;
    cm_view rest = r->data;

    CM_TRY(cm_hsm_answer_room(a, CM_HSM_DATA_MAX));
    while (rest.n) {
        CM_TRY(cm_hsm_list_next(&one.data, &rest, CM_HSM_DATA_MAX));
        CM_TRY(sign(s, k, &one, &got));
        CM_TRY(cm_hsm_list_put(&a->data, cm_buf_view(&got.data)));
    }
    return CM_OKAY;
}

static cm_err capsule(const cm_hsm_soft *s, const struct entry *k, const cm_hsm_request *r,
                      cm_hsm_answer *a)
{
    const cm_kem_info *i = cm_kem_key_info(k->kem);
    size_t ct = r->op == CM_HSM_ENCAPSULATE ? i->ct : 0;
    cm_hsm_answer found = {.data = {.max = 0}};

    CM_TRY(describe(s, k, r, &found));
    CM_TRY(cm_hsm_answer_room(a, ct + i->ss));
    if (ct)
        CM_TRY(cm_kem_encap(k->kem, a->data.p, a->data.p + ct));
    else
        CM_TRY(cm_kem_decap(k->kem, a->data.p, r->data));
    a->data.n = ct + i->ss;
    return CM_OKAY;
}

static cm_err wrap(const cm_hsm_soft *s, const struct entry *k, const cm_hsm_request *r,
                   cm_hsm_answer *a)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;
    CM_AUTO(cm_buf_free) cm_buf aad = {.max = BLOB_AAD};
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = BLOB_CHECK + CM_HSM_SEED_MAX};
    size_t n = r->data.n + BLOB_MORE;
    uint8_t *p;

    CM_TRY(cm_hsm_seed_pack(&plain, s->c, r->data));
    CM_TRY(cm_hsm_blob_aad(&aad, r->id, r->aad));
    CM_TRY(cm_gcm_new(&g, s->c, k->aes));
    CM_TRY(cm_hsm_answer_room(a, n));
    p = a->data.p;
    p[0] = BLOB_VERSION;
    p[1] = BLOB_GCM;
    CM_TRY(cm_random(s->c, p + BLOB_HEAD, BLOB_IV));
    CM_TRY(cm_gcm_seal(g, p + BLOB_HEAD + BLOB_IV, p + n - BLOB_TAG, p + BLOB_HEAD,
                       cm_buf_view(&aad), cm_buf_view(&plain)));
    a->data.n = n;
    return CM_OKAY;
}

static cm_err unwrap(const cm_hsm_soft *s, const struct entry *k, const cm_hsm_request *r,
                     cm_hsm_answer *a)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;
    CM_AUTO(cm_buf_free) cm_buf aad = {.max = BLOB_AAD};
    uint8_t mechanism;
    cm_view iv, body;
    cm_err e;

    CM_TRY(cm_hsm_blob_split(&mechanism, &iv, &body, r->data));
    if (mechanism != BLOB_GCM)
        return CM_FAIL(HSM_BLOB);
    CM_TRY(cm_hsm_blob_aad(&aad, r->id, r->aad));
    CM_TRY(cm_gcm_new(&g, s->c, k->aes));
    CM_TRY(cm_hsm_answer_room(a, body.n));
    e = cm_gcm_open(g, a->data.p, body.p + body.n - BLOB_TAG, iv.p, cm_buf_view(&aad),
                    cm_view_sub(body, 0, body.n - BLOB_TAG));
    if (cm_is(e, CM_CRYPT_TAG))
        return CM_FAIL(HSM_BLOB);
    CM_TRY(e);
    a->data.n = body.n - BLOB_TAG;
    return cm_hsm_seed_unpack(&a->data, s->c);
}

static cm_err status(cm_hsm_answer *a)
{
    a->status = (cm_hsm_status){.custody = CM_HSM_SOFTWARE};
    memcpy(a->status.provider, "Casemate, software", sizeof "Casemate, software");
    memcpy(a->status.quirks, "none", sizeof "none");
    return CM_OKAY;
}

static cm_err with_key(cm_hsm_soft *s, const cm_hsm_request *r, cm_hsm_answer *a)
{
    struct entry **at = find(s, r), *k = *at;

    if (!k)
        return CM_FAIL(HSM_NO_KEY);
    if (r->many && r->op == CM_HSM_UNWRAP)
        return CM_FAIL(HSM_MECHANISM);
    switch (r->op) {
    case CM_HSM_FIND:
        return describe(s, k, r, a);
    case CM_HSM_SIGN:
        return r->many ? sign_list(s, k, r, a) : sign(s, k, r, a);
    case CM_HSM_ENCAPSULATE:
    case CM_HSM_DECAPSULATE:
        return capsule(s, k, r, a);
    case CM_HSM_WRAP:
        return wrap(s, k, r, a);
    case CM_HSM_UNWRAP:
        return unwrap(s, k, r, a);
    default:
        *at = k->next;
        free_entry(k);
        return CM_OKAY;
    }
}

static cm_err call(void *self, const cm_hsm_request *r, cm_hsm_answer *a)
{
    cm_hsm_soft *s = self;
    cm_err e;

    CM_TRY(cm_hsm_request_check(r));
    if (r->op == CM_HSM_STATUS)
        return status(a);
    if (r->op == CM_HSM_RANDOM) {
        CM_TRY(cm_hsm_answer_room(a, r->n));
        CM_TRY(cm_random(s->c, a->data.p, r->n));
        a->data.n = r->n;
        return CM_OKAY;
    }
    pthread_mutex_lock(&s->lock);
    e = r->op == CM_HSM_GENERATE ? generate(s, r, a) : with_key(s, r, a);
    pthread_mutex_unlock(&s->lock);
    return e;
}

cm_err cm_hsm_soft_new(cm_hsm_soft **out, const cm_crypt *c)
{
    cm_hsm_soft *s;

    CM_TRY(cm_alloc(&s, sizeof *s));
    s->c = c;
    pthread_mutex_init(&s->lock, NULL);
    *out = s;
    return CM_OKAY;
}

void cm_hsm_soft_free(cm_hsm_soft *s)
{
    if (!s)
        return;
    while (s->keys) {
        struct entry *k = s->keys;

        s->keys = k->next;
        free_entry(k);
    }
    pthread_mutex_destroy(&s->lock);
    cm_free(s);
}

void cm_hsm_soft_free_ptr(cm_hsm_soft **s)
{
    cm_hsm_soft_free(*s);
}

cm_hsm cm_hsm_soft_of(cm_hsm_soft *s)
{
    return (cm_hsm){.call = call, .self = s};
}
