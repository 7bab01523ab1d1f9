#include "market/checks.h"

#include "market/statement_int.h"

typedef struct {
    const cm_crypt *crypt;
    const cm_market_keys *keys;
    const cm_market_policy *policy;
    cm_market_line line;
    void *arg;
} run;

static void tell(const run *t, const char *what, bool asked, cm_err e)
{
    t->line(t->arg,
            !asked         ? CM_MARKET_NOT_ASKED
            : cm_failed(e) ? CM_MARKET_FAILS
                           : CM_MARKET_HOLDS,
            what, asked ? e : CM_OKAY);
}

/* What e says of one check: another check's reason is told in that one's line. */
static cm_err only(cm_err e, cm_reason a, cm_reason b)
{
    return cm_is(e, a) || cm_is(e, b) ? e : CM_OKAY;
}

static uint16_t demanded(const cm_market_keys *k)
{
    return (uint16_t)((k->secp ? CM_MARKET_SECP : 0) | (k->mldsa ? CM_MARKET_MLDSA : 0));
}

/* M-5 */
static void tell_keys(const run *t, const cm_market_head *h, uint16_t algs)
{
    uint8_t id[32];
    cm_err e = cm_market_key_id(t->crypt, id, t->keys);

    if (cm_ok(e) && (algs != demanded(t->keys) || !cm_view_eq(CM_VIEW(id), CM_VIEW(h->key_id))))
        e = CM_FAIL(MARKET_KEY);
    tell(t, "signed by the given keys", true, e);
}

/* M-11, M-14 */
static void tell_demands(const run *t, const cm_market_head *h, uint16_t algs)
{
    const cm_market_policy *p = t->policy;
    bool realm = p->realm && cm_view_eq(cm_view_of(p->realm, 32), CM_VIEW(h->realm));

    tell(t, "the demanded algorithms", p->need != 0,
         (p->need & ~algs) != 0 ? CM_FAIL(MARKET_POLICY) : CM_OKAY);
    tell(t, "the realm", p->realm != NULL, realm ? CM_OKAY : CM_FAIL(MARKET_REALM));
}

/* M-12, M-13 */
static void tell_time(const run *t, const cm_statement *s, const cm_market_head *h)
{
    const cm_market_policy *p = t->policy;
    bool term = cm_statement_term_ok(s, h);

    tell(t, "the term", true, term ? CM_OKAY : CM_FAIL(MARKET_TERM));
    tell(t, "not dated in the future", !p->any_time && term,
         only(cm_statement_time(h, p), CM_MARKET_FUTURE, CM_MARKET_FUTURE));
    tell(t, "not expired", !p->any_time && term,
         only(cm_statement_time(h, p), CM_MARKET_EXPIRED, CM_MARKET_EXPIRED));
}

static void tell_signatures(const run *t, const cm_statement *s, uint16_t algs, cm_view bytes,
                            cm_view sigs)
{
    size_t secp = algs & CM_MARKET_SECP ? CM_MARKET_SECP_SIG : 0;
    size_t mldsa = algs & CM_MARKET_MLDSA ? CM_MARKET_MLDSA_SIG : 0;
    cm_market_keys one = {.secp = t->keys->secp}, two = {.mldsa = t->keys->mldsa};

    if (sigs.n != secp + mldsa) {
        tell(t, "the signatures' length", true, CM_FAIL(MARKET_MALFORMED));
        return;
    }
    if (secp)
        tell(t, "the secp256k1 signature", true,
             one.secp ? cm_statement_verify(t->crypt, s, CM_MARKET_SECP, &one, bytes,
                                            cm_view_sub(sigs, 0, secp))
                      : CM_FAIL(MARKET_KEY));
    if (mldsa)
        tell(t, "the ML-DSA-65 signature", true,
             two.mldsa ? cm_statement_verify(t->crypt, s, CM_MARKET_MLDSA, &two, bytes,
                                             cm_view_sub(sigs, secp, mldsa))
                       : CM_FAIL(MARKET_KEY));
}

/* M-30, M-31 */
static void tell_batch(const run *t, const cm_poai *r, cm_view bytes, cm_view rest)
{
    cm_market_policy whenever = {.any_time = true};
    uint8_t leaf[32];
    cm_batch_head h;
    cm_branch b;
    cm_err e = cm_branch_split(&b, rest);

    if (cm_ok(e))
        e = cm_batch_decode(&h, b.head);
    tell(t, "the batch's head: encoding", true, e);
    if (cm_failed(e))
        return;
    tell_keys(t, &h.head, h.head.algs);
    tell_demands(t, &r->head, h.head.algs);
    tell(t, "the batch's head: term", true,
         cm_statement_term_ok(&cm_statement_batch, &h.head) ? CM_OKAY : CM_FAIL(MARKET_TERM));
    tell(t, "the head stands for the receipt", true,
         only(cm_statement_in_batch(r, &h, &whenever), CM_MARKET_KEY, CM_MARKET_REALM));
    cm_merkle_leaf(leaf, (cm_view){0}, bytes);
    tell(t, "the path to the head's root", true,
         cm_merkle_check_inclusion(h.root, b.index, h.count, leaf, b.path));
    tell_signatures(t, &cm_statement_batch, h.head.algs, b.head, b.sigs);
}

/* The statement at the front, and what is behind it. */
static cm_err front(cm_view *bytes, cm_view *rest, size_t size, cm_view record)
{
    if (record.n < size)
        return CM_FAIL(MARKET_MALFORMED);
    *bytes = cm_view_sub(record, 0, size);
    *rest = cm_view_sub(record, size, record.n - size);
    return CM_OKAY;
}

cm_err cm_poai_checks(cm_poai *out, bool *read, const cm_crypt *c, const cm_market_keys *k,
                      const cm_market_policy *p, cm_view record, cm_market_line line, void *arg)
{
    const run t = {c, k, p, line, arg};
    cm_view bytes, rest;
    cm_poai r;
    cm_err e = front(&bytes, &rest, CM_POAI_SIZE, record);

    if (cm_ok(e))
        e = cm_poai_decode(&r, bytes);
    *read = cm_ok(e);
    tell(&t, "the encoding", true, e);
    if (cm_failed(e))
        return e;
    *out = r;
    if (r.head.algs == CM_MARKET_BATCH) {
        tell_batch(&t, &r, bytes, rest);
    } else {
        tell_keys(&t, &r.head, r.head.algs);
        tell_demands(&t, &r.head, r.head.algs);
    }
    tell_time(&t, &cm_statement_poai, &r.head);
    if (r.head.algs != CM_MARKET_BATCH)
        tell_signatures(&t, &cm_statement_poai, r.head.algs, bytes, rest);
    return cm_poai_verify(&r, c, k, p, record);
}

cm_err cm_settle_checks(cm_settlement *out, bool *read, const cm_crypt *c, const cm_market_keys *k,
                        const cm_market_policy *p, cm_view record, cm_market_line line, void *arg)
{
    const run t = {c, k, p, line, arg};
    cm_view bytes, rest;
    cm_settlement s;
    cm_err e = front(&bytes, &rest, CM_SETTLE_SIZE, record);

    if (cm_ok(e))
        e = cm_settle_decode(&s, bytes);
    *read = cm_ok(e);
    tell(&t, "the encoding", true, e);
    if (cm_failed(e))
        return e;
    *out = s;
    tell_keys(&t, &s.head, s.head.algs);
    tell_demands(&t, &s.head, s.head.algs);
    tell_time(&t, &cm_statement_settle, &s.head);
    tell_signatures(&t, &cm_statement_settle, s.head.algs, bytes, rest);
    return cm_settle_verify(&s, c, k, p, record);
}
