#include "base/os.h"
#include "hsm/p11_int.h"

enum { USES = 8, COPIES_MAX = 64, LOOK_NS = 1000000000 };

/* ---- copies: under the lock ---------------------------------------------------------------- */

/* H-74: by a name that no key has, with no id to be found by. */
static cm_err copy(cm_p11 *p, CK_OBJECT_HANDLE handle, CK_OBJECT_HANDLE *out)
{
    CK_BYTE label[] = "casemate working copy", id[] = "";
    CK_BBOOL no = CK_FALSE;
    CK_ATTRIBUTE a[] = {
        {CKA_TOKEN, &no, sizeof no}, {CKA_LABEL, label, sizeof label - 1}, {CKA_ID, id, 0}};

    CM_TRY(cm_p11_keeper(p));
    CM_TRY(cm_p11_err(p->m.f->C_CopyObject(p->keeper.h, handle, a, CM_COUNT(a), out)));
    p->copies++;
    return CM_OKAY;
}

/* A token whose copies could leave it makes no more of them. */
static bool copied(cm_p11 *p, CK_OBJECT_HANDLE handle, CK_OBJECT_HANDLE *out)
{
    if (cm_failed(copy(p, handle, out)))
        return false;
    if (cm_ok(cm_p11_held(p, p->keeper.h, *out)))
        return true;
    cm_p11_drop(p);
    p->plain = true;
    return false;
}

/* Tried once: a token that makes no copy is used without. */
static void copy_if_used(cm_p11 *p, struct cached *e)
{
    if (!p->q->copies || p->plain || ++e->uses != USES)
        return;
    if (p->copies == COPIES_MAX)
        cm_p11_drop(p);
    else
        e->copied = copied(p, e->handle, &e->copy);
}

/* ---- keys ---------------------------------------------------------------------------------- */

static struct cached *known(cm_p11 *p, const cm_hsm_request *r)
{
    for (unsigned i = 0; i < CACHE; i++) {
        struct cached *e = &p->cache[i];

        if (e->generation == p->generation && e->key.alg == r->alg &&
            cm_view_eq(cm_view_of(e->key.id, e->key.id_n), r->id) &&
            (r->hash.n == 0 || cm_view_eq(CM_VIEW(e->key.hash), r->hash)))
            return e;
    }
    return NULL;
}

/* A copy says nothing of its key. */
static bool too_old(const struct cached *e)
{
    return e->copied && cm_os_monotonic_ns() - e->looked_ns > LOOK_NS;
}

bool cm_p11_recall(cm_p11 *p, const cm_hsm_request *r, cm_hsm_key *key, CK_OBJECT_HANDLE *handle)
{
    struct cached *e;

    pthread_mutex_lock(&p->lock);
    e = known(p, r);
    if (e && too_old(e))
        e = NULL;
    if (e) {
        if (!e->copied)
            copy_if_used(p, e);
        *key = e->key;
        *handle = e->copied ? e->copy : e->handle;
    }
    pthread_mutex_unlock(&p->lock);
    return e != NULL;
}

uint64_t cm_p11_generation(cm_p11 *p)
{
    uint64_t g;

    pthread_mutex_lock(&p->lock);
    g = p->generation;
    pthread_mutex_unlock(&p->lock);
    return g;
}

static struct cached *oldest(cm_p11 *p)
{
    struct cached *e = &p->cache[p->cache_next];

    p->cache_next = (p->cache_next + 1) % CACHE;
    return e;
}

static bool same(const struct cached *e, const cm_hsm_key *key, CK_OBJECT_HANDLE handle)
{
    return e->handle == handle && cm_view_eq(CM_VIEW(e->key.hash), CM_VIEW(key->hash));
}

/* H-74 */
void cm_p11_remember(cm_p11 *p, uint64_t generation, const cm_hsm_key *key, CK_OBJECT_HANDLE handle)
{
    const cm_hsm_request r = {.alg = key->alg, .id = cm_view_of(key->id, key->id_n)};
    struct cached *e;

    pthread_mutex_lock(&p->lock);
    e = known(p, &r);
    if (e && same(e, key, handle))
        e->looked_ns = cm_os_monotonic_ns();
    else if (e && p->copies)
        cm_p11_drop(p);
    else if (generation == p->generation)
        *(e ? e : oldest(p)) = (struct cached){.generation = generation,
                                               .looked_ns = cm_os_monotonic_ns(),
                                               .handle = handle,
                                               .key = *key};
    pthread_mutex_unlock(&p->lock);
}

void cm_p11_missed(cm_p11 *p, const cm_hsm_request *r)
{
    pthread_mutex_lock(&p->lock);
    if (known(p, r))
        cm_p11_drop(p);
    pthread_mutex_unlock(&p->lock);
}

void cm_p11_forget(cm_p11 *p)
{
    pthread_mutex_lock(&p->lock);
    cm_p11_drop(p);
    pthread_mutex_unlock(&p->lock);
}
