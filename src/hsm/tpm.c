#include "hsm/tpm.h"

#include <pthread.h>
#include <stdio.h>

#include "base/ct.h"
#include "crypt/aead.h"
#include "hsm/provider.h"
#include "hsm/unseal.h"

enum {
    HEAD = BLOB_HEAD + BLOB_IV + 2,
    SEALED_MAX = 1900, /* CM_HSM_BLOB_MORE has to hold it */
    KEYS_MAX = 64,
    SERIAL_BYTES = 8,
};

/* A temporary key. Its number is in what it wraps: a later one with its id is another key. */
struct entry {
    uint64_t number; /* 0: the place is free */
    uint8_t id[CM_HSM_ID_MAX];
    size_t id_n;
    uint32_t alg;
    cm_buf held; /* P-256: as the TPM holds it outside itself */
    uint8_t pub[CM_SIG_PK_MAX];
    size_t pub_n;
};

struct cm_hsm_tpm {
    const cm_crypt *crypt;
    cm_tpm *tpm;
    cm_tpm_selection pcrs;
    pthread_mutex_t lock;
    uint64_t number;
    uint32_t changed; /* registers, when a blob was last asked for */
    bool other;       /* another TPM's blob */
    struct entry key[KEYS_MAX];
};

/* ---- keys ---------------------------------------------------------------------------------- */

static bool is_root(const cm_hsm_request *r)
{
    return r->alg == CM_HSM_AES256 && cm_view_eq(r->id, CM_LIT(CM_HSM_ROOT_ID));
}

static struct entry *find(cm_hsm_tpm *p, uint32_t alg, cm_view id)
{
    for (size_t i = 0; i < KEYS_MAX; i++)
        if (p->key[i].number && p->key[i].alg == alg &&
            cm_view_eq(cm_view_of(p->key[i].id, p->key[i].id_n), id))
            return &p->key[i];
    return NULL;
}

static struct entry *free_place(cm_hsm_tpm *p)
{
    for (size_t i = 0; i < KEYS_MAX; i++)
        if (!p->key[i].number)
            return &p->key[i];
    return NULL;
}

static cm_err describe(const cm_hsm_tpm *p, const struct entry *k, const cm_hsm_request *r,
                       cm_hsm_answer *a)
{
    cm_view pub = k ? cm_view_of(k->pub, k->pub_n) : cm_view_of("", 0);

    return cm_hsm_key_fill(&a->key, p->crypt, r, CM_HSM_WRAPPED, pub);
}

static void forget(struct entry *k)
{
    cm_buf_free(&k->held);
    *k = (struct entry){0};
}

static cm_err generate(cm_hsm_tpm *p, const cm_hsm_request *r, cm_hsm_answer *a)
{
    struct entry *k = free_place(p);
    cm_err e;

    if (is_root(r) || find(p, r->alg, r->id))
        return CM_FAIL(HSM_KEYS);
    if (!r->temporary || (r->alg != CM_HSM_AES256 && r->alg != CM_HSM_P256))
        return CM_FAIL(HSM_MECHANISM);
    if (!k)
        return CM_FAIL(HSM_SESSIONS);
    *k = (struct entry){.alg = r->alg, .id_n = r->id.n, .held = {.max = CM_TPM_SEALED_MAX}};
    memcpy(k->id, r->id.p, r->id.n);
    if (r->alg == CM_HSM_P256)
        CM_TRY(cm_tpm_p256_new(p->tpm, &k->held, k->pub, &k->pub_n));
    e = describe(p, k, r, a);
    if (cm_ok(e))
        k->number = ++p->number;
    else
        forget(k);
    return e;
}

static cm_err look(cm_hsm_tpm *p, const cm_hsm_request *r, struct entry **k)
{
    *k = find(p, r->alg, r->id);
    return *k || is_root(r) ? CM_OKAY : CM_FAIL(HSM_NO_KEY);
}

/* H-5 */
static cm_err expected(cm_hsm_tpm *p, const cm_hsm_request *r, struct entry **k)
{
    uint8_t hash[32];

    CM_TRY(look(p, r, k));
    if (!*k || !r->hash.n)
        return CM_OKAY;
    CM_TRY(cm_hash_once(p->crypt, CM_SHA256, hash, cm_view_of((*k)->pub, (*k)->pub_n)));
    return cm_view_eq(CM_VIEW(hash), r->hash) ? CM_OKAY : CM_FAIL(HSM_KEY_CHANGED);
}

static cm_err sign(cm_hsm_tpm *p, const cm_hsm_request *r, cm_hsm_answer *a)
{
    struct entry *k;

    CM_TRY(expected(p, r, &k));
    if (!k || r->digest)
        return CM_FAIL(HSM_MECHANISM);
    CM_TRY(cm_hsm_answer_room(a, CM_SIG_MAX));
    CM_TRY(cm_tpm_p256_sign(p->tpm, &a->data, cm_buf_view(&k->held), r->data));
    return cm_hsm_check_signature(p->crypt, r, cm_view_of(k->pub, k->pub_n),
                                  cm_buf_view(&a->data)); /* H-6 */
}

/* ---- wrapped seeds: TP-30 ------------------------------------------------------------------ */

/* H-3, and the key's number; the head of the blob follows. */
static cm_err bind(cm_buf *aad, const cm_hsm_request *r, const struct entry *k)
{
    CM_TRY(cm_hsm_blob_aad(aad, r->id, r->aad));
    return cm_buf_be64(aad, k ? k->number : 0);
}

static cm_err cipher(cm_gcm **g, const cm_hsm_tpm *p, const cm_key32 *secret)
{
    CM_AUTO(cm_key32_wipe) cm_key32 key = {{0}};

    CM_TRY(cm_hkdf_expand(p->crypt, CM_SHA256, key.b, sizeof key.b, CM_VIEW(secret->b),
                          CM_LIT("casemate-hsm-tpm-v1")));
    return cm_gcm_new(g, p->crypt, &key);
}

/* H-6, TP-30: sealed, and opened again. */
static cm_err checked_seal(const cm_hsm_tpm *p, cm_buf *blob, const cm_key32 *secret)
{
    CM_AUTO(cm_key32_wipe) cm_key32 back = {{0}};
    cm_tpm_policy policy = {.pcrs = p->pcrs};

    CM_TRY(cm_tpm_seal(p->tpm, blob, secret, &policy));
    CM_TRY(cm_tpm_unseal(p->tpm, &back, cm_buf_view(blob), (cm_view){0}, NULL));
    return cm_ct_equal(CM_VIEW(back.b), CM_VIEW(secret->b)) ? CM_OKAY : CM_FAIL(HSM_WRONG);
}

static cm_err put_blob(const cm_hsm_tpm *p, cm_hsm_answer *a, cm_buf *aad, cm_gcm *g, cm_view plain,
                       cm_view sealed)
{
    size_t head = HEAD + sealed.n, n = head + plain.n + BLOB_TAG;
    uint8_t *b;

    CM_TRY(cm_hsm_answer_room(a, n));
    b = a->data.p;
    b[0] = BLOB_VERSION;
    b[1] = BLOB_TPM;
    CM_TRY(cm_random(p->crypt, b + BLOB_HEAD, BLOB_IV));
    cm_put_be16(b + BLOB_HEAD + BLOB_IV, (uint16_t)sealed.n);
    memcpy(b + HEAD, sealed.p, sealed.n);
    CM_TRY(cm_buf_append(aad, cm_view_of(b, head)));
    CM_TRY(cm_gcm_seal(g, b + head, b + n - BLOB_TAG, b + BLOB_HEAD, cm_buf_view(aad), plain));
    a->data.n = n;
    return CM_OKAY;
}

static cm_err wrap(cm_hsm_tpm *p, const cm_hsm_request *r, cm_hsm_answer *a)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;
    CM_AUTO(cm_key32_wipe) cm_key32 secret = {{0}};
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = BLOB_CHECK + CM_HSM_SEED_MAX};
    CM_AUTO(cm_buf_free) cm_buf aad = {.max = BLOB_AAD + HEAD + SEALED_MAX + 8};
    CM_AUTO(cm_buf_free) cm_buf sealed = {.max = SEALED_MAX};
    struct entry *k;

    CM_TRY(look(p, r, &k));
    CM_TRY(bind(&aad, r, k));
    CM_TRY(cm_random(p->crypt, secret.b, sizeof secret.b));
    CM_TRY(checked_seal(p, &sealed, &secret));
    CM_TRY(cm_hsm_seed_pack(&plain, p->crypt, r->data));
    CM_TRY(cipher(&g, p, &secret));
    return put_blob(p, a, &aad, g, cm_buf_view(&plain), cm_buf_view(&sealed));
}

/* H-4 */
static cm_err split(cm_view *sealed, cm_view *body, cm_view blob)
{
    size_t n;

    if (blob.n < HEAD || blob.p[0] != BLOB_VERSION || blob.p[1] != BLOB_TPM)
        return CM_FAIL(HSM_BLOB);
    n = cm_get_be16(blob.p + BLOB_HEAD + BLOB_IV);
    if (n == 0 || n > SEALED_MAX || blob.n - HEAD < n || blob.n - HEAD - n <= BLOB_CHECK + BLOB_TAG)
        return CM_FAIL(HSM_BLOB);
    *sealed = cm_view_sub(blob, HEAD, n);
    *body = cm_view_sub(blob, HEAD + n, blob.n - HEAD - n);
    return CM_OKAY;
}

static cm_err open_body(cm_hsm_tpm *p, const cm_hsm_request *r, cm_hsm_answer *a, cm_buf *aad,
                        const cm_key32 *secret, cm_view body)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;
    cm_view in = cm_view_sub(body, 0, body.n - BLOB_TAG);
    cm_err e;

    CM_TRY(cm_buf_append(aad, cm_view_sub(r->data, 0, r->data.n - body.n)));
    CM_TRY(cipher(&g, p, secret));
    CM_TRY(cm_hsm_answer_room(a, body.n));
    e = cm_gcm_open(g, a->data.p, body.p + in.n, r->data.p + BLOB_HEAD, cm_buf_view(aad), in);
    if (cm_is(e, CM_CRYPT_TAG))
        return CM_FAIL(HSM_BLOB);
    CM_TRY(e);
    a->data.n = in.n;
    return cm_hsm_seed_unpack(&a->data, p->crypt);
}

/* TP-31 */
static cm_err unwrap(cm_hsm_tpm *p, const cm_hsm_request *r, cm_hsm_answer *a)
{
    CM_AUTO(cm_key32_wipe) cm_key32 secret = {{0}};
    CM_AUTO(cm_buf_free) cm_buf aad = {.max = BLOB_AAD + HEAD + SEALED_MAX + 8};
    cm_view sealed, body;
    struct entry *k;
    cm_err e;

    CM_TRY(look(p, r, &k));
    CM_TRY(split(&sealed, &body, r->data));
    CM_TRY(bind(&aad, r, k));
    p->changed = 0;
    p->other = false;
    e = cm_tpm_unseal(p->tpm, &secret, sealed, (cm_view){0}, &p->changed);
    p->other = cm_is(e, CM_TPM_OTHER);
    if (p->other || cm_is(e, CM_TPM_BLOB))
        return CM_FAIL(HSM_BLOB);
    CM_TRY(e);
    return open_body(p, r, a, &aad, &secret, body);
}

/* ---- the interface ------------------------------------------------------------------------- */

static cm_err status(cm_hsm_tpm *p, cm_hsm_answer *a)
{
    CM_AUTO(cm_buf_free) cm_buf name = {.max = 64};
    char list[128];

    CM_TRY(cm_tpm_name_storage(p->tpm, &name));
    a->status = (cm_hsm_status){.custody = CM_HSM_WRAPPED, .sessions = 1, .opened = 1};
    cm_tpm_selection_text(list, &p->pcrs);
    (void)snprintf(a->status.provider, sizeof a->status.provider, "TPM 2.0, %s",
                   cm_tpm_maker(p->tpm));
    (void)snprintf(a->status.label, sizeof a->status.label, "PCR %.30s", list);
    for (size_t i = 0; i < SERIAL_BYTES && i + 2 < name.n; i++)
        (void)snprintf(a->status.serial + 2 * i, 3, "%02x", name.p[2 + i]);
    return CM_OKAY;
}

static cm_err random_bytes(cm_hsm_tpm *p, const cm_hsm_request *r, cm_hsm_answer *a)
{
    CM_TRY(cm_hsm_answer_room(a, (size_t)r->n));
    return cm_tpm_random(p->tpm, &a->data, (size_t)r->n);
}

static cm_err destroy(cm_hsm_tpm *p, const cm_hsm_request *r)
{
    struct entry *k;

    CM_TRY(look(p, r, &k));
    if (!k) /* the root's is the TPM itself */
        return CM_FAIL(HSM_MECHANISM);
    forget(k);
    return CM_OKAY;
}

static cm_err perform(cm_hsm_tpm *p, const cm_hsm_request *r, cm_hsm_answer *a)
{
    struct entry *k;

    switch (r->op) {
    case CM_HSM_STATUS:
        return status(p, a);
    case CM_HSM_GENERATE:
        return generate(p, r, a);
    case CM_HSM_FIND:
        CM_TRY(expected(p, r, &k));
        return describe(p, k, r, a);
    case CM_HSM_SIGN:
        return sign(p, r, a);
    case CM_HSM_WRAP:
        return wrap(p, r, a);
    case CM_HSM_UNWRAP:
        return r->many ? CM_FAIL(HSM_MECHANISM) : unwrap(p, r, a);
    case CM_HSM_RANDOM:
        return random_bytes(p, r, a);
    case CM_HSM_DESTROY:
        return destroy(p, r);
    default:
        return CM_FAIL(HSM_MECHANISM);
    }
}

static cm_err call(void *self, const cm_hsm_request *r, cm_hsm_answer *a)
{
    cm_hsm_tpm *p = self;
    cm_err e;

    CM_TRY(cm_hsm_request_check(r));
    if (r->many) /* one at a time */
        return CM_FAIL(HSM_MECHANISM);
    pthread_mutex_lock(&p->lock);
    e = perform(p, r, a);
    pthread_mutex_unlock(&p->lock);
    return cm_is(e, CM_TPM_GONE) ? CM_FAIL(HSM_GONE) : e;
}

/* Before it is believed, and before a sandbox closes: libraries load what they need at first use.
 */
static cm_err try_it(const cm_hsm_tpm *p)
{
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = SEALED_MAX};
    CM_AUTO(cm_key32_wipe) cm_key32 secret = {{0}};

    CM_TRY(cm_random(p->crypt, secret.b, sizeof secret.b));
    return checked_seal(p, &blob, &secret);
}

cm_err cm_hsm_tpm_new(cm_hsm_tpm **out, const cm_crypt *c, const char *registers, const char *tcti)
{
    CM_AUTO(cm_hsm_tpm_free_ptr) cm_hsm_tpm *p = NULL;

    CM_TRY(cm_alloc(&p, sizeof *p));
    pthread_mutex_init(&p->lock, NULL);
    p->crypt = c;
    CM_TRY(cm_tpm_selection_read(&p->pcrs, cm_view_str(registers)));
    CM_TRY(cm_tpm_open(&p->tpm, c, tcti));
    CM_TRY(try_it(p));
    *out = p;
    p = NULL;
    return CM_OKAY;
}

void cm_hsm_tpm_free(cm_hsm_tpm *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < KEYS_MAX; i++)
        forget(&p->key[i]);
    cm_tpm_close(p->tpm);
    pthread_mutex_destroy(&p->lock);
    cm_free(p);
}

void cm_hsm_tpm_free_ptr(cm_hsm_tpm **p)
{
    cm_hsm_tpm_free(*p);
}

cm_hsm cm_hsm_tpm_of(cm_hsm_tpm *p)
{
    return (cm_hsm){.call = call, .self = p};
}

void cm_hsm_tpm_why(cm_hsm_tpm *p, char text[CM_HSM_TPM_WHY])
{
    cm_tpm_selection s = {p->pcrs.bank, 0};
    char list[128];

    pthread_mutex_lock(&p->lock);
    s.registers = p->changed;
    cm_tpm_selection_text(list, &s);
    (void)snprintf(text, CM_HSM_TPM_WHY, "%s%s",
                   p->other      ? "sealed by another TPM, or damaged"
                   : s.registers ? "these registers differ: "
                                 : "",
                   s.registers && !p->other ? list : "");
    pthread_mutex_unlock(&p->lock);
}
