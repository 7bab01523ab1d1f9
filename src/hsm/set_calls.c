#include "base/ct.h"
#include "hsm/set_int.h"

/* What to say when nobody did it: one that is out of order might have been able to. */
struct outcome {
    cm_err failed, refused;
};

static void remember(struct outcome *o, cm_err e)
{
    cm_err *at = cm_set_judge(e) == SET_ELSEWHERE ? &o->refused : &o->failed;

    if (cm_ok(*at))
        *at = e;
}

static cm_err say(const struct outcome *o)
{
    if (cm_failed(o->failed))
        return o->failed;
    return cm_failed(o->refused) ? o->refused : CM_FAIL(HSM_DOWN);
}

/* ---- by one -------------------------------------------------------------------------------- */

/* H-35: the next, until one answers. check: what is made of an answer; HSM_WRONG quarantines. */
static cm_err by_one(cm_hsm_set *s, const cm_hsm_request *r, cm_hsm_answer *a, uint32_t not,
                     cm_err (*check)(cm_hsm_set *s, size_t i, const cm_hsm_request *r,
                                     cm_hsm_answer *a))
{
    struct outcome o = {CM_OKAY, CM_OKAY};
    size_t i;

    while ((i = cm_set_pick(s, not )) != CM_FLEET_NONE) {
        cm_err e = cm_set_ask(s, i, r, a);

        if (cm_ok(e) && check)
            e = check(s, i, r, a);
        if (cm_set_judge(e) == SET_ANSWERED)
            return e;
        remember(&o, e);
        not |= 1u << i;
    }
    return say(&o);
}

/* ---- signatures ---------------------------------------------------------------------------- */

static bool cached_pub(cm_hsm_set *s, cm_hsm_key *out, const cm_hsm_request *r)
{
    bool found = false;

    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < SET_PUBS && !found; i++) {
        found = s->pub[i].alg == r->alg && cm_view_eq(CM_VIEW(s->pub[i].hash), r->hash);
        if (found)
            *out = s->pub[i];
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}

/* The public key of that hash: who gives it does not matter. */
static cm_err public_key(cm_hsm_set *s, size_t i, cm_hsm_key *out, const cm_hsm_request *r)
{
    const cm_hsm_request find = {.op = CM_HSM_FIND, .alg = r->alg, .id = r->id, .hash = r->hash};
    CM_AUTO(cm_hsm_answer_done) cm_hsm_answer a = {.data = {.max = 0}};
    uint8_t hash[32];

    if (cached_pub(s, out, r))
        return CM_OKAY;
    CM_TRY(cm_set_ask(s, i, &find, &a));
    CM_TRY(cm_hash_once(s->o.crypt, CM_SHA256, hash, cm_view_of(a.key.pub, a.key.pub_n)));
    if (!cm_view_eq(CM_VIEW(hash), r->hash) || a.key.alg != r->alg)
        return CM_FAIL(HSM_WRONG);
    *out = a.key;
    memcpy(out->hash, hash, sizeof hash);
    pthread_mutex_lock(&s->lock);
    s->pub[s->pubs++ % SET_PUBS] = *out;
    pthread_mutex_unlock(&s->lock);
    return CM_OKAY;
}

/* Signatures as messages come, one each. */
static cm_err check_list(const cm_sig_key *k, const cm_hsm_request *r, cm_view sigs)
{
    cm_view rest = r->data, msg, sig;

    while (rest.n) {
        CM_TRY(cm_hsm_list_next(&msg, &rest, CM_HSM_DATA_MAX));
        if (cm_failed(cm_hsm_list_next(&sig, &sigs, CM_SIG_MAX)))
            return CM_FAIL(HSM_WRONG);
        CM_TRY(cm_hsm_check_signature_by(k, r->digest, msg, sig));
    }
    return sigs.n ? CM_FAIL(HSM_WRONG) : CM_OKAY;
}

static cm_err check_by(cm_hsm_set *s, const cm_hsm_request *r, cm_view pub, cm_view made)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;

    if (!r->many)
        return cm_hsm_check_signature(s->o.crypt, r, pub, made);
    CM_TRY(cm_sig_from_public(&k, s->o.crypt, (cm_sig_id)cm_hsm_alg_sig(r->alg), pub));
    return check_list(k, r, made);
}

/* H-34: in this process, whatever the other one said it had verified. */
static cm_err check_signature(cm_hsm_set *s, size_t i, const cm_hsm_request *r, cm_hsm_answer *a)
{
    cm_view made = cm_buf_view(&a->data);
    cm_hsm_key k = {.alg = 0};
    cm_err e;

    if (r->check) {
        e = r->many ? check_list(r->check, r, made)
                    : cm_hsm_check_signature_by(r->check, r->digest, r->data, made);
    } else {
        e = public_key(s, i, &k, r);
        if (cm_ok(e))
            e = check_by(s, r, cm_view_of(k.pub, k.pub_n), made);
    }
    if (cm_is(e, CM_HSM_WRONG))
        cm_set_quarantine(s, i);
    return e;
}

/* ---- wrapped seeds ------------------------------------------------------------------------- */

/* Says nothing of a seed of 32 random bytes or more to who can't guess it. */
static cm_err seed_check(const cm_hsm_set *s, uint8_t out[32], cm_view seed)
{
    static const char label[] = "casemate-hsm-set-v1";

    return cm_hmac(s->o.crypt, CM_SHA256, out, seed, CM_VIEW(label));
}

struct wraps {
    cm_hsm_bundle b;
    uint8_t token[CM_FLEET_MAX][CM_HSM_SET_TOKEN];
    cm_hsm_answer by[CM_FLEET_MAX];
};

static void wraps_done(struct wraps *w)
{
    for (size_t i = 0; i < CM_FLEET_MAX; i++)
        cm_hsm_answer_done(&w->by[i]);
}

static cm_err wrap_by(cm_hsm_set *s, size_t i, const cm_hsm_request *r, struct wraps *w)
{
    size_t n = w->b.n;

    CM_TRY(cm_set_identify(s, i, w->token[n]));
    for (size_t k = 0; k < n; k++)
        if (cm_view_eq(CM_VIEW(w->token[k]), CM_VIEW(w->token[n])))
            return CM_OKAY; /* the same token, by another way */
    CM_TRY(cm_set_ask(s, i, r, &w->by[n]));
    w->b.of[n].token = CM_VIEW(w->token[n]);
    w->b.of[n].blob = cm_buf_view(&w->by[n].data);
    w->b.n++;
    return CM_OKAY;
}

/* H-36 */
static cm_err wrap(cm_hsm_set *s, const cm_hsm_request *r, cm_hsm_answer *a)
{
    CM_AUTO(wraps_done) struct wraps w = {.b = {.n = 0}};
    struct outcome o = {CM_OKAY, CM_OKAY};
    uint8_t check[32];

    if (r->data.n < CM_HSM_SET_SEED_MIN)
        return CM_FAIL(HSM_REQUEST);
    CM_TRY(seed_check(s, check, r->data));
    w.b.check = cm_view_of(check, CM_HSM_SET_CHECK);
    for (size_t i = 0; i < s->fleet.n; i++) {
        cm_err e;

        if (cm_set_is_retired(s, i)) /* H-60 */
            continue;
        e = cm_set_in_quarantine(s, i) ? CM_FAIL(HSM_QUARANTINED) : wrap_by(s, i, r, &w);
        if (cm_failed(e))
            remember(&o, e);
    }
    if (w.b.n == 0)
        return say(&o);
    CM_TRY(cm_hsm_answer_room(a, CM_HSM_SET_BLOB_MAX));
    return cm_hsm_bundle_put(&a->data, &w.b);
}

static cm_err check_seed(cm_hsm_set *s, size_t i, cm_view check, const cm_hsm_answer *a)
{
    uint8_t made[32];

    CM_TRY(seed_check(s, made, cm_buf_view(&a->data)));
    if (cm_ct_equal(cm_view_of(made, CM_HSM_SET_CHECK), check)) /* H-34 */
        return CM_OKAY;
    cm_set_quarantine(s, i);
    return CM_FAIL(HSM_WRONG);
}

/* Whose blob it is. A token that was not met yet is asked who it is. */
static cm_err blob_of(cm_hsm_set *s, size_t i, const cm_hsm_bundle *b, cm_view *blob)
{
    uint8_t token[CM_HSM_SET_TOKEN];
    cm_hsm_status known;

    if (cm_hsm_set_status(s, i, &known))
        CM_TRY(cm_hsm_token_id(token, s->o.crypt, &known));
    else
        CM_TRY(cm_set_identify(s, i, token));
    for (size_t k = 0; k < b->n; k++) {
        if (cm_view_eq(b->of[k].token, CM_VIEW(token))) {
            *blob = b->of[k].blob;
            return CM_OKAY;
        }
    }
    return CM_FAIL(HSM_BLOB);
}

static cm_err unwrap_by(cm_hsm_set *s, size_t i, const cm_hsm_bundle *b, const cm_hsm_request *r,
                        cm_hsm_answer *a)
{
    cm_hsm_request own = *r;

    CM_TRY(blob_of(s, i, b, &own.data));
    CM_TRY(cm_set_ask(s, i, &own, a));
    return check_seed(s, i, b->check, a);
}

static cm_err unwrap(cm_hsm_set *s, const cm_hsm_request *r, cm_hsm_answer *a)
{
    struct outcome o = {CM_OKAY, CM_OKAY};
    cm_hsm_bundle b;
    uint32_t not = 0;
    size_t i;

    if (cm_failed(cm_hsm_bundle_get(&b, r->data)))
        return by_one(s, r, a, 0, NULL);
    while ((i = cm_set_pick(s, not )) != CM_FLEET_NONE) {
        cm_err e = unwrap_by(s, i, &b, r, a);

        if (cm_set_judge(e) == SET_ANSWERED)
            return e;
        cm_buf_free(&a->data);
        remember(&o, e);
        not |= 1u << i;
    }
    return say(&o);
}

/* ---- by all -------------------------------------------------------------------------------- */

/* H-37: one key each under one id. What is done already stays done. */
static cm_err by_all(cm_hsm_set *s, const cm_hsm_request *r, cm_hsm_answer *a, cm_err fine)
{
    struct outcome o = {CM_OKAY, CM_OKAY};
    bool any = false;

    if (r->alg != CM_HSM_AES256 && s->fleet.n > 1)
        return CM_FAIL(HSM_MECHANISM);
    for (size_t i = 0; i < s->fleet.n; i++) {
        cm_err e;

        if (cm_set_is_retired(s, i))
            continue;
        e = cm_set_in_quarantine(s, i) ? CM_FAIL(HSM_QUARANTINED) : cm_set_ask(s, i, r, a);
        any |= cm_ok(e);
        if (cm_failed(e) && e.v != fine.v)
            remember(&o, e);
    }
    if (cm_failed(o.failed) || cm_failed(o.refused))
        return say(&o);
    return any ? CM_OKAY : fine;
}

/* ---- all ----------------------------------------------------------------------------------- */

/* Members look at what they get; here only what they don't. */
static cm_err request_check(const cm_hsm_request *r)
{
    cm_hsm_request one = *r;

    if (r->op == CM_HSM_UNWRAP && r->data.n <= CM_HSM_SET_BLOB_MAX)
        one.data = cm_view_sub(r->data, 0, CM_MIN(r->data.n, (size_t)BLOB_MORE));
    return cm_hsm_request_check(&one);
}

cm_err cm_set_call(void *self, const cm_hsm_request *r, cm_hsm_answer *a)
{
    cm_hsm_set *s = self;

    if (r->many && r->op == CM_HSM_UNWRAP) /* a bundle is opened by itself */
        return CM_FAIL(HSM_MECHANISM);
    CM_TRY(request_check(r));
    switch (r->op) {
    case CM_HSM_WRAP:
        return wrap(s, r, a);
    case CM_HSM_UNWRAP:
        return unwrap(s, r, a);
    case CM_HSM_SIGN:
        return by_one(s, r, a, 0, check_signature);
    case CM_HSM_GENERATE:
        return by_all(s, r, a, CM_FAIL(HSM_KEYS));
    case CM_HSM_DESTROY:
        return by_all(s, r, a, CM_FAIL(HSM_NO_KEY));
    default:
        return by_one(s, r, a, 0, NULL);
    }
}
