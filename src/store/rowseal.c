/* Row keys in a hash table over locked memory. */
#include <pthread.h>

#include "base/ct.h"
#include "base/secret.h"
#include "crypt/box.h"
#include "store/rowseal.h"

enum { SLOTS = 2 * CM_ROWSEAL_TENANTS, PER_BLOCK = 128, AAD_MAX = 2 * CM_PATH_MAX };

typedef struct {
    char *tenant; /* NULL: free */
    size_t n;
    cm_key32 *key; /* in a block */
} slot;

struct cm_rowseal {
    const cm_crypt *crypt;
    pthread_rwlock_t lock;
    size_t n;
    cm_key32 *block[CM_ROWSEAL_TENANTS / PER_BLOCK];
    slot slots[SLOTS];
};

cm_err cm_rowseal_new(cm_rowseal **out, const cm_crypt *c)
{
    cm_rowseal *r;

    CM_TRY(cm_alloc(&r, sizeof *r));
    memset(r, 0, sizeof *r);
    r->crypt = c;
    pthread_rwlock_init(&r->lock, NULL);
    *out = r;
    return CM_OKAY;
}

static void empty(cm_rowseal *r)
{
    for (size_t i = 0; i < SLOTS; i++)
        cm_free(r->slots[i].tenant);
    memset(r->slots, 0, sizeof r->slots);
    for (size_t i = 0; i < CM_COUNT(r->block); i++)
        if (r->block[i])
            cm_secret_free(r->block[i], PER_BLOCK * sizeof *r->block[i]);
    memset(r->block, 0, sizeof r->block);
    r->n = 0;
}

void cm_rowseal_free(cm_rowseal *r)
{
    if (!r)
        return;
    empty(r);
    pthread_rwlock_destroy(&r->lock);
    cm_free(r);
}

void cm_rowseal_free_ptr(cm_rowseal **r)
{
    cm_rowseal_free(*r);
    *r = NULL;
}

void cm_rowseal_forget(cm_rowseal *r)
{
    pthread_rwlock_wrlock(&r->lock);
    empty(r);
    pthread_rwlock_unlock(&r->lock);
}

/* The slot of a tenant, or the free one where it would go: there is always one. */
static slot *find(cm_rowseal *r, cm_view tenant)
{
    uint32_t h = 2166136261u; /* FNV-1a: names are checked before, and few */

    for (size_t i = 0; i < tenant.n; i++)
        h = (h ^ tenant.p[i]) * 16777619u;
    for (size_t i = h;; i++) {
        slot *s = &r->slots[i % SLOTS];

        if (!s->tenant || cm_view_eq(cm_view_of(s->tenant, s->n), tenant))
            return s;
    }
}

bool cm_rowseal_known(void *self, cm_view tenant)
{
    cm_rowseal *r = self;
    bool yes;

    pthread_rwlock_rdlock(&r->lock);
    yes = find(r, tenant)->tenant != NULL;
    pthread_rwlock_unlock(&r->lock);
    return yes;
}

static cm_err add(cm_rowseal *r, cm_view tenant, cm_view key)
{
    slot *s = find(r, tenant);
    cm_key32 **block = &r->block[r->n / PER_BLOCK];

    if (s->tenant)
        return cm_ct_equal(CM_VIEW(s->key->b), key) ? CM_OKAY : CM_FAIL(CRYPT_BAD_KEY);
    if (r->n == CM_ROWSEAL_TENANTS)
        return CM_FAIL(STORE_TENANTS);
    if (!*block)
        CM_TRY(cm_secret_new(block, PER_BLOCK * sizeof **block));
    CM_TRY(cm_strdup(&s->tenant, tenant));
    s->n = tenant.n;
    s->key = *block + r->n % PER_BLOCK;
    memcpy(s->key->b, key.p, sizeof s->key->b);
    r->n++;
    return CM_OKAY;
}

cm_err cm_rowseal_add(void *self, cm_view tenant, cm_view key)
{
    cm_rowseal *r = self;
    cm_err e;

    if (key.n != sizeof(cm_key32))
        return CM_FAIL(CRYPT_BAD_KEY);
    pthread_rwlock_wrlock(&r->lock);
    e = r->n < CM_ROWSEAL_TENANTS || find(r, tenant)->tenant ? add(r, tenant, key)
                                                             : CM_FAIL(STORE_TENANTS);
    pthread_rwlock_unlock(&r->lock);
    return e;
}

static cm_err key_of(cm_rowseal *r, cm_key32 *out, cm_view tenant)
{
    const slot *s;
    bool found;

    pthread_rwlock_rdlock(&r->lock);
    s = find(r, tenant);
    found = s->tenant != NULL;
    if (found)
        *out = *s->key;
    pthread_rwlock_unlock(&r->lock);
    return found ? CM_OKAY : CM_FAIL(STORE_LOCKED);
}

cm_err cm_rowseal_derive(cm_rowseal *r, cm_key32 *out, cm_view tenant, cm_view label)
{
    CM_AUTO(cm_key32_wipe) cm_key32 k;

    CM_TRY(key_of(r, &k, tenant));
    return cm_hkdf_expand(r->crypt, CM_SHA512, out->b, sizeof out->b, CM_VIEW(k.b), label);
}

/* D-7: length of the tenant, tenant, key, version. The key's own first component is the tenant
 * too; saying it once more keeps the binding whatever becomes of paths. */
static cm_err aad_of(cm_buf *aad, cm_view tenant, cm_view key, uint64_t version)
{
    CM_TRY(cm_buf_be32(aad, (uint32_t)tenant.n));
    CM_TRY(cm_buf_append(aad, tenant));
    CM_TRY(cm_buf_append(aad, key));
    return cm_buf_be64(aad, version);
}

static cm_err seal(void *self, cm_buf *out, cm_view tenant, cm_view key, uint64_t version,
                   cm_view plain)
{
    cm_rowseal *r = self;
    uint8_t b[AAD_MAX];
    cm_buf aad = {.p = b, .cap = sizeof b, .max = sizeof b};
    CM_AUTO(cm_key32_wipe) cm_key32 k;

    CM_TRY(key_of(r, &k, tenant));
    CM_TRY(aad_of(&aad, tenant, key, version));
    return cm_box_seal(out, r->crypt, &k, CM_LIT("row"), cm_buf_view(&aad), plain);
}

static cm_err unseal(void *self, cm_buf *out, cm_view tenant, cm_view key, uint64_t version,
                     cm_view sealed)
{
    cm_rowseal *r = self;
    uint8_t b[AAD_MAX];
    cm_buf aad = {.p = b, .cap = sizeof b, .max = sizeof b};
    CM_AUTO(cm_key32_wipe) cm_key32 k;

    CM_TRY(key_of(r, &k, tenant));
    CM_TRY(aad_of(&aad, tenant, key, version));
    return cm_box_open(out, r->crypt, &k, CM_LIT("row"), cm_buf_view(&aad), sealed);
}

cm_store_sealer cm_rowseal_sealer(cm_rowseal *r)
{
    return (cm_store_sealer){seal, unseal, r};
}
