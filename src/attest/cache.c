/* Signatures of certificates that were verified before. */
#include <pthread.h>

#include "attest/attest_int.h"
#include "crypt/crypt.h"

enum { SLOTS = 1024, FACT = 32 };

/* Each fact has one slot it may be in: the newer one stays. */
struct cm_attest_cache {
    pthread_mutex_t lock; /* guards fact */
    uint8_t fact[SLOTS][FACT];
};

cm_err cm_attest_cache_new(cm_attest_cache **out)
{
    cm_attest_cache *c;

    CM_TRY(cm_alloc(&c, sizeof *c));
    pthread_mutex_init(&c->lock, NULL);
    *out = c;
    return CM_OKAY;
}

void cm_attest_cache_free(cm_attest_cache *c)
{
    if (!c)
        return;
    pthread_mutex_destroy(&c->lock);
    cm_free(c);
}

void cm_attest_cache_free_ptr(cm_attest_cache **c)
{
    cm_attest_cache_free(*c);
}

cm_err cm_fact_of(cm_fact *out, const cm_crypt *c, const uint8_t cert[FACT],
                  const uint8_t spki[FACT])
{
    uint8_t both[2 * FACT];

    memcpy(both, cert, FACT);
    memcpy(both + FACT, spki, FACT);
    return cm_hash_once(c, CM_SHA256, out->b, CM_VIEW(both));
}

static uint8_t *slot_of(cm_attest_cache *c, const cm_fact *f)
{
    return c->fact[cm_get_be16(f->b) % SLOTS];
}

bool cm_fact_known(cm_attest_cache *c, const cm_fact *f)
{
    bool known;

    pthread_mutex_lock(&c->lock);
    known = cm_view_eq(cm_view_of(slot_of(c, f), FACT), CM_VIEW(f->b));
    pthread_mutex_unlock(&c->lock);
    return known;
}

void cm_fact_learn(cm_attest_cache *c, const cm_fact *f)
{
    pthread_mutex_lock(&c->lock);
    memcpy(slot_of(c, f), f->b, FACT);
    pthread_mutex_unlock(&c->lock);
}
