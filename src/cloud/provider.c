/*
 * What the three services have in common as providers: which key a name means, wrapped seeds,
 * signatures that are verified before they leave.
 */
#include "hsm/provider.h"
#include "base/ct.h"
#include "cloud/cloud_int.h"

/* ---- keys ---------------------------------------------------------------------------------- */

static void name_it(struct cloud_key *k, uint32_t alg, cm_view id)
{
    *k = (struct cloud_key){.alg = alg, .id_n = id.n};
    memcpy(k->id, id.p, id.n);
}

static struct cloud_key *kept(cm_cloud *k, uint32_t alg, cm_view id)
{
    for (size_t i = 0; i < KEYS_KEPT; i++)
        if (k->kept[i].name[0] && k->kept[i].alg == alg &&
            cm_view_eq(cm_view_of(k->kept[i].id, k->kept[i].id_n), id))
            return &k->kept[i];
    return NULL;
}

static void forget(cm_cloud *k, uint32_t alg, cm_view id)
{
    struct cloud_key *p = kept(k, alg, id);

    if (p)
        p->name[0] = 0;
}

static void keep(cm_cloud *k, const struct cloud_key *key)
{
    forget(k, key->alg, cm_view_of(key->id, key->id_n));
    k->kept[k->next++ % KEYS_KEPT] = *key;
}

/* Asked of the service now. */
static cm_err look_up(cm_cloud *k, struct cloud_key *out, uint32_t alg, cm_view id)
{
    forget(k, alg, id);
    name_it(out, alg, id);
    CM_TRY(k->service->find(k, out));
    keep(k, out);
    return CM_OKAY;
}

static cm_err known(cm_cloud *k, struct cloud_key *out, uint32_t alg, cm_view id)
{
    const struct cloud_key *p = kept(k, alg, id);

    if (!p)
        return look_up(k, out, alg, id);
    *out = *p;
    return CM_OKAY;
}

static cm_err describe(const cm_cloud *k, const struct cloud_key *key, const cm_hsm_request *r,
                       cm_hsm_answer *a)
{
    return cm_hsm_key_fill(&a->key, k->crypt, r, (cm_hsm_custody)key->custody,
                           cm_view_of(key->pub, key->pub_n));
}

static cm_err generate(cm_cloud *k, const cm_hsm_request *r, cm_hsm_answer *a)
{
    struct cloud_key key;
    cm_err e;

    if (r->temporary) /* a service has no keys that go by themselves */
        return CM_FAIL(HSM_MECHANISM);
    e = look_up(k, &key, r->alg, r->id);
    if (cm_ok(e))
        return CM_FAIL(HSM_KEYS);
    if (!cm_is(e, CM_HSM_NO_KEY))
        return e;
    name_it(&key, r->alg, r->id);
    CM_TRY(k->service->create(k, &key));
    keep(k, &key);
    return describe(k, &key, r, a);
}

static cm_err find(cm_cloud *k, const cm_hsm_request *r, cm_hsm_answer *a)
{
    struct cloud_key key;

    CM_TRY(look_up(k, &key, r->alg, r->id));
    return describe(k, &key, r, a);
}

static cm_err destroy(cm_cloud *k, const cm_hsm_request *r)
{
    struct cloud_key key;

    CM_TRY(look_up(k, &key, r->alg, r->id));
    forget(k, r->alg, r->id);
    return k->service->destroy(k, &key);
}

/* ---- signatures ---------------------------------------------------------------------------- */

/* H-5: the key whose hash was given; what is kept may be older than a new key behind the name. */
static cm_err expected(cm_cloud *k, struct cloud_key *key, const cm_hsm_request *r)
{
    uint8_t hash[32];

    CM_TRY(known(k, key, r->alg, r->id));
    CM_TRY(cm_hash_once(k->crypt, CM_SHA256, hash, cm_view_of(key->pub, key->pub_n)));
    if (cm_view_eq(CM_VIEW(hash), r->hash))
        return CM_OKAY;
    CM_TRY(look_up(k, key, r->alg, r->id));
    CM_TRY(cm_hash_once(k->crypt, CM_SHA256, hash, cm_view_of(key->pub, key->pub_n)));
    return cm_view_eq(CM_VIEW(hash), r->hash) ? CM_OKAY : CM_FAIL(HSM_KEY_CHANGED);
}

static cm_err sign(cm_cloud *k, const cm_hsm_request *r, cm_hsm_answer *a)
{
    struct cloud_key key;

    if (r->digest) /* not every service signs one */
        return CM_FAIL(HSM_MECHANISM);
    CM_TRY(expected(k, &key, r));
    CM_TRY(cm_hsm_answer_room(a, CM_SIG_MAX));
    CM_TRY(k->service->sign(k, &key, r->data, &a->data));
    if (r->alg == CM_HSM_SECP256K1 && a->data.n == 64)
        cm_hsm_low_s(a->data.p + 32);
    return cm_hsm_check_signature(k->crypt, r, cm_view_of(key.pub, key.pub_n),
                                  cm_buf_view(&a->data)); /* H-6 */
}

/* ---- wrapped seeds: H-40 ------------------------------------------------------------------- */

/* What the service binds to is a hash of H-3: it learns neither id nor purpose. */
static cm_err bind(uint8_t bound[32], const cm_cloud *k, const cm_hsm_request *r)
{
    CM_AUTO(cm_buf_free) cm_buf aad = {.max = BLOB_AAD};

    CM_TRY(cm_hsm_blob_aad(&aad, r->id, r->aad));
    return cm_hash_once(k->crypt, CM_SHA256, bound, cm_buf_view(&aad));
}

/* H-41: what stands in the blob says what it is under. */
static uint8_t mechanism(const cm_cloud *k)
{
    return k->config.classical ? BLOB_SERVICE_CLASSICAL : BLOB_SERVICE;
}

/* A key made for this, wrapped and, by a key that was looked up anew, opened again. H-6 */
static cm_err checked_wrap(cm_cloud *k, const cm_hsm_request *r, const uint8_t bound[32],
                           const cm_key32 *plain, cm_buf *wrapped)
{
    CM_AUTO(cm_key32_wipe) cm_key32 back = {{0}};
    struct cloud_key key, again;

    CM_TRY(known(k, &key, CM_HSM_AES256, r->id));
    CM_TRY(k->service->encrypt(k, &key, plain, bound, wrapped));
    CM_TRY(look_up(k, &again, CM_HSM_AES256, r->id));
    if (strcmp(key.name, again.name) != 0)
        return CM_FAIL(HSM_KEY_CHANGED);
    CM_TRY(k->service->decrypt(k, &again, cm_buf_view(wrapped), bound, &back));
    return cm_ct_equal(CM_VIEW(back.b), CM_VIEW(plain->b)) ? CM_OKAY : CM_FAIL(HSM_WRONG);
}

static cm_err wrap(cm_cloud *k, const cm_hsm_request *r, cm_hsm_answer *a)
{
    uint8_t bound[32];
    CM_AUTO(cm_key32_wipe) cm_key32 key = {{0}};
    CM_AUTO(cm_buf_free) cm_buf wrapped = {.max = WRAPPED_MAX};

    CM_TRY(bind(bound, k, r));
    CM_TRY(cm_random(k->crypt, key.b, sizeof key.b));
    CM_TRY(checked_wrap(k, r, bound, &key, &wrapped));
    return cm_hsm_hybrid_seal(a, k->crypt, r, mechanism(k), &key, cm_buf_view(&wrapped));
}

/* The blob is bad, or the service gave another key than the one that was wrapped: it has to show
 * that it still can. */
static cm_err blame(cm_cloud *k, const cm_hsm_request *r, const uint8_t bound[32])
{
    CM_AUTO(cm_key32_wipe) cm_key32 key = {{0}};
    CM_AUTO(cm_buf_free) cm_buf wrapped = {.max = WRAPPED_MAX};

    CM_TRY(cm_random(k->crypt, key.b, sizeof key.b));
    CM_TRY(checked_wrap(k, r, bound, &key, &wrapped));
    return CM_FAIL(HSM_BLOB);
}

static cm_err unwrap(cm_cloud *k, const cm_hsm_request *r, cm_hsm_answer *a)
{
    uint8_t bound[32];
    CM_AUTO(cm_key32_wipe) cm_key32 plain = {{0}};
    struct cloud_key key;
    cm_view wrapped, body;
    cm_err e;

    CM_TRY(cm_hsm_kind_fits(k->config.classical, r->data));
    CM_TRY(known(k, &key, CM_HSM_AES256, r->id));
    CM_TRY(cm_hsm_hybrid_split(&wrapped, &body, mechanism(k), r->data));
    CM_TRY(bind(bound, k, r));
    e = k->service->decrypt(k, &key, wrapped, bound, &plain);
    if (cm_is(e, CM_HSM_NO_KEY)) {
        forget(k, CM_HSM_AES256, r->id);
        return e;
    }
    CM_TRY(e);
    e = cm_hsm_hybrid_open(a, k->crypt, r, &plain, body);
    return cm_is(e, CM_CRYPT_TAG) ? blame(k, r, bound) : e;
}

/* ---- calls --------------------------------------------------------------------------------- */

static void fit(char *out, size_t n, const char *s)
{
    size_t len = CM_MIN(strlen(s), n - 1);

    memcpy(out, s, len);
    out[len] = 0;
}

static cm_err status(const cm_cloud *k, cm_hsm_answer *a)
{
    static const char digits[] = "0123456789abcdef";
    cm_hsm_status s = {.custody = k->config.classical ? CM_HSM_CLASSICAL : CM_HSM_NATIVE,
                       .opened = k->asked,
                       .sessions = 1,
                       .quarantined = k->quarantined};

    fit(s.provider, sizeof s.provider, k->service->title);
    fit(s.label, sizeof s.label, k->config.place);
    fit(s.quirks, sizeof s.quirks, k->service->name);
    fit(s.module, sizeof s.module, k->config.endpoint);
    for (size_t i = 0; i < 16; i++)
        s.serial[i] = digits[k->hash[i / 2] >> (i % 2 ? 0 : 4) & 15];
    memcpy(s.module_hash, k->hash, sizeof s.module_hash);
    a->status = s;
    return CM_OKAY;
}

static cm_err random_bytes(cm_cloud *k, size_t n, cm_hsm_answer *a)
{
    CM_TRY(cm_hsm_answer_room(a, n));
    while (n) {
        size_t piece = CM_MIN(n, k->service->random_max);

        CM_TRY(k->service->random(k, piece, &a->data));
        n -= piece;
    }
    return CM_OKAY;
}

static cm_err perform(cm_cloud *k, const cm_hsm_request *r, cm_hsm_answer *a)
{
    switch (r->op) {
    case CM_HSM_GENERATE:
        return generate(k, r, a);
    case CM_HSM_FIND:
        return find(k, r, a);
    case CM_HSM_SIGN:
        return sign(k, r, a);
    case CM_HSM_WRAP:
        return wrap(k, r, a);
    case CM_HSM_UNWRAP:
        return r->many ? CM_FAIL(HSM_MECHANISM) : unwrap(k, r, a);
    case CM_HSM_RANDOM:
        return random_bytes(k, r->n, a);
    default:
        return destroy(k, r);
    }
}

static cm_err call(void *self, const cm_hsm_request *r, cm_hsm_answer *a)
{
    cm_cloud *k = self;
    cm_err e;

    CM_TRY(cm_hsm_request_check(r));
    if (r->many || r->alg > CM_HSM_MLDSA87) /* RSA and ML-KEM are not asked of services */
        return CM_FAIL(HSM_MECHANISM);
    pthread_mutex_lock(&k->lock);
    if (r->op == CM_HSM_STATUS)
        e = status(k, a);
    else
        e = k->quarantined ? CM_FAIL(HSM_QUARANTINED) : perform(k, r, a);
    k->quarantined |= cm_is(e, CM_HSM_WRONG);
    pthread_mutex_unlock(&k->lock);
    if (cm_failed(e))
        cm_buf_free(&a->data);
    return e;
}

cm_hsm cm_cloud_of(cm_cloud *k)
{
    return (cm_hsm){.call = call, .self = k};
}
