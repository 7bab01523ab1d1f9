/* Signing and verifying statements. */
#include "market/keccak.h"
#include "market/statement_int.h"

enum { RECOVERY = 27 }; /* what ecrecover adds to the recovery id */

static bool equal(const uint8_t a[32], const uint8_t b[32])
{
    return cm_view_eq(cm_view_of(a, 32), cm_view_of(b, 32));
}

static bool is(const cm_sig_key *k, cm_sig_id id)
{
    return !k || cm_sig_key_info(k)->id == id;
}

static uint16_t algs_of(const cm_market_keys *k)
{
    return (uint16_t)((k->secp ? CM_MARKET_SECP : 0) | (k->mldsa ? CM_MARKET_MLDSA : 0));
}

cm_err cm_market_key_id(const cm_crypt *c, uint8_t out[32], const cm_market_keys *k)
{
    uint8_t algs[2];
    cm_view secp = {0}, mldsa = {0};

    if (!k->secp && !k->mldsa)
        return CM_FAIL(BAD_ARGUMENT);
    if (!is(k->secp, CM_SIG_SECP256K1) || !is(k->mldsa, CM_SIG_MLDSA65))
        return CM_FAIL(CRYPT_ALGORITHM);
    cm_put_be16(algs, algs_of(k));
    if (k->secp)
        secp = cm_view_sub(cm_sig_public(k->secp), 1, 64);
    if (k->mldsa)
        mldsa = cm_sig_public(k->mldsa);
    /* M-5 */
    return CM_KECCAK(c, out, CM_LIT("casemate/market/key/v1"), CM_VIEW(algs), secp, mldsa);
}

bool cm_statement_term_ok(const cm_statement *s, const cm_market_head *h)
{
    return h->expires_ms > h->issued_ms && h->expires_ms - h->issued_ms <= s->term_ms; /* M-12 */
}

cm_err cm_statement_head(cm_market_head *h, const cm_crypt *c, const cm_statement *s,
                         const cm_market_keys *k)
{
    uint8_t id[32];

    if (!cm_statement_term_ok(s, h))
        return CM_FAIL(MARKET_TERM);
    CM_TRY(cm_market_key_id(c, id, k));
    memcpy(h->key_id, id, sizeof id);
    h->algs = algs_of(k);
    return CM_OKAY;
}

/* M-9: ids 2 and 3 mean that r was reduced, which ecrecover can't say; that comes about once in
 * 2^127 signatures, and the hedge makes the next one another. */
static cm_err secp_sign(uint8_t sig[CM_MARKET_SECP_SIG], const cm_sig_key *k,
                        const uint8_t digest[32])
{
    uint8_t recid = 0;

    CM_TRY(cm_sign_recoverable(k, sig, &recid, digest));
    if (recid > 1)
        return CM_FAIL(CRYPT_PROVIDER);
    sig[64] = (uint8_t)(RECOVERY + recid);
    return CM_OKAY;
}

cm_err cm_statement_sign(cm_buf *out, const cm_crypt *c, const cm_statement *s,
                         const cm_market_keys *k, cm_view bytes)
{
    uint8_t secp[CM_MARKET_SECP_SIG], mldsa[CM_MARKET_MLDSA_SIG], digest[32];

    if (k->secp) {
        CM_TRY(cm_statement_digest(c, digest, s, bytes));
        CM_TRY(secp_sign(secp, k->secp, digest));
    }
    if (k->mldsa)
        CM_TRY(cm_sign(k->mldsa, mldsa, cm_view_str(s->context), bytes)); /* M-10 */
    CM_TRY(cm_buf_reserve(out, bytes.n + sizeof secp + sizeof mldsa));
    CM_TRY(cm_buf_append(out, bytes));
    if (k->secp)
        CM_TRY(cm_buf_append(out, CM_VIEW(secp)));
    return k->mldsa ? cm_buf_append(out, CM_VIEW(mldsa)) : CM_OKAY;
}

cm_err cm_poai_sign(cm_buf *out, const cm_crypt *c, const cm_market_keys *k, cm_poai *r)
{
    uint8_t bytes[CM_POAI_SIZE];

    CM_TRY(cm_statement_head(&r->head, c, &cm_statement_poai, k));
    CM_TRY(cm_poai_encode(bytes, r));
    return cm_statement_sign(out, c, &cm_statement_poai, k, CM_VIEW(bytes));
}

cm_err cm_settle_sign(cm_buf *out, const cm_crypt *c, const cm_market_keys *k, cm_settlement *s)
{
    uint8_t bytes[CM_SETTLE_SIZE];

    CM_TRY(cm_statement_head(&s->head, c, &cm_statement_settle, k));
    CM_TRY(cm_settle_encode(bytes, s));
    return cm_statement_sign(out, c, &cm_statement_settle, k, CM_VIEW(bytes));
}

cm_err cm_batch_sign(cm_buf *out, const cm_crypt *c, const cm_market_keys *k, cm_batch_head *b)
{
    uint8_t bytes[CM_BATCH_SIZE];

    CM_TRY(cm_statement_head(&b->head, c, &cm_statement_batch, k));
    CM_TRY(cm_batch_encode(bytes, b));
    return cm_statement_sign(out, c, &cm_statement_batch, k, CM_VIEW(bytes));
}

/* M-12, M-13. Sums that leave 64 bits count as the end of time. */
cm_err cm_statement_time(const cm_market_head *h, const cm_market_policy *p)
{
    uint64_t latest = 0, over = 0;

    if (p->any_time)
        return CM_OKAY;
    if (cm_add_u64(&latest, p->now_ms, p->skew_ms) && h->issued_ms > latest)
        return CM_FAIL(MARKET_FUTURE);
    if (cm_add_u64(&over, h->expires_ms, p->skew_ms) && p->now_ms > over)
        return CM_FAIL(MARKET_EXPIRED);
    return CM_OKAY;
}

cm_err cm_statement_check(const cm_crypt *c, const cm_statement *s, const cm_market_head *h,
                          uint16_t algs, const cm_market_keys *k, const cm_market_policy *p)
{
    uint8_t id[32];

    CM_TRY(cm_market_key_id(c, id, k));
    if (algs != algs_of(k) || !cm_view_eq(CM_VIEW(id), CM_VIEW(h->key_id)))
        return CM_FAIL(MARKET_KEY); /* M-5 */
    if ((p->need & ~algs) != 0)
        return CM_FAIL(MARKET_POLICY); /* M-11 */
    if (p->realm && !equal(p->realm, h->realm))
        return CM_FAIL(MARKET_REALM); /* M-14 */
    return cm_statement_term_ok(s, h) ? cm_statement_time(h, p) : CM_FAIL(MARKET_TERM);
}

/* M-9: who recovers to the key has signed; v is part of it, so that nothing in a record is free. */
static cm_err secp_verify(const cm_crypt *c, const cm_sig_key *k, const uint8_t digest[32],
                          const uint8_t sig[CM_MARKET_SECP_SIG])
{
    uint8_t pk[65], v = sig[64];

    if (v != RECOVERY && v != RECOVERY + 1)
        return CM_FAIL(CRYPT_SIGNATURE);
    CM_TRY(cm_recover(c, pk, sig, (uint8_t)(v - RECOVERY), digest));
    return cm_view_eq(CM_VIEW(pk), cm_sig_public(k)) ? CM_OKAY : CM_FAIL(CRYPT_SIGNATURE);
}

cm_err cm_statement_verify(const cm_crypt *c, const cm_statement *s, uint16_t algs,
                           const cm_market_keys *k, cm_view bytes, cm_view sigs)
{
    size_t secp = algs & CM_MARKET_SECP ? CM_MARKET_SECP_SIG : 0;
    size_t mldsa = algs & CM_MARKET_MLDSA ? CM_MARKET_MLDSA_SIG : 0;
    uint8_t digest[32];

    if (sigs.n != secp + mldsa || algs != algs_of(k))
        return CM_FAIL(MARKET_MALFORMED);
    if (secp) {
        CM_TRY(cm_statement_digest(c, digest, s, bytes));
        CM_TRY(secp_verify(c, k->secp, digest, sigs.p));
    }
    return mldsa
               ? cm_verify(k->mldsa, cm_view_str(s->context), bytes, cm_view_sub(sigs, secp, mldsa))
               : CM_OKAY;
}

/* A record is a statement of s->size bytes and the signatures behind it. */
static cm_err split(cm_view *bytes, cm_view *sigs, const cm_statement *s, cm_view record)
{
    if (record.n < s->size)
        return CM_FAIL(MARKET_MALFORMED);
    *bytes = cm_view_sub(record, 0, s->size);
    *sigs = cm_view_sub(record, s->size, record.n - s->size);
    return CM_OKAY;
}

static cm_err verify(const cm_crypt *c, const cm_statement *s, const cm_market_head *h,
                     const cm_market_keys *k, const cm_market_policy *p, cm_view bytes,
                     cm_view sigs)
{
    CM_TRY(cm_statement_check(c, s, h, h->algs, k, p));
    return cm_statement_verify(c, s, h->algs, k, bytes, sigs);
}

cm_err cm_statement_in_batch(const cm_poai *r, const cm_batch_head *h, const cm_market_policy *p)
{
    if (r->head.algs != CM_MARKET_BATCH || !equal(r->head.key_id, h->head.key_id))
        return CM_FAIL(MARKET_KEY);
    if (!equal(r->head.realm, h->head.realm))
        return CM_FAIL(MARKET_REALM);
    return cm_statement_term_ok(&cm_statement_poai, &r->head) ? cm_statement_time(&r->head, p)
                                                              : CM_FAIL(MARKET_TERM);
}

cm_err cm_branch_split(cm_branch *b, cm_view rest)
{
    size_t path;

    if (rest.n < 9 || rest.p[8] > CM_BATCH_PATH_MAX)
        return CM_FAIL(MARKET_MALFORMED);
    path = (size_t)rest.p[8] * 32;
    if (rest.n - 9 < path + CM_BATCH_SIZE)
        return CM_FAIL(MARKET_MALFORMED);
    b->index = cm_get_be64(rest.p);
    b->path = cm_view_sub(rest, 9, path);
    b->head = cm_view_sub(rest, 9 + path, CM_BATCH_SIZE);
    b->sigs = cm_view_sub(rest, 9 + path + CM_BATCH_SIZE, rest.n - 9 - path - CM_BATCH_SIZE);
    return CM_OKAY;
}

/* M-30, M-31. The head's own hour says when it was signed; the receipt's is the one that counts. */
static cm_err verify_in_batch(const cm_crypt *c, const cm_poai *r, const cm_market_keys *k,
                              const cm_market_policy *p, cm_view bytes, cm_view rest)
{
    cm_market_policy whenever = *p;
    uint8_t leaf[32];
    cm_batch_head h;
    cm_branch b;

    CM_TRY(cm_branch_split(&b, rest));
    CM_TRY(cm_batch_decode(&h, b.head));
    whenever.any_time = true;
    CM_TRY(cm_statement_check(c, &cm_statement_batch, &h.head, h.head.algs, k, &whenever));
    CM_TRY(cm_statement_in_batch(r, &h, p));
    cm_merkle_leaf(leaf, (cm_view){0}, bytes);
    CM_TRY(cm_merkle_check_inclusion(h.root, b.index, h.count, leaf, b.path));
    return cm_statement_verify(c, &cm_statement_batch, h.head.algs, k, b.head, b.sigs);
}

cm_err cm_poai_verify(cm_poai *out, const cm_crypt *c, const cm_market_keys *k,
                      const cm_market_policy *p, cm_view record)
{
    cm_view bytes, sigs;
    cm_poai r;

    CM_TRY(split(&bytes, &sigs, &cm_statement_poai, record));
    CM_TRY(cm_poai_decode(&r, bytes));
    if (r.head.algs == CM_MARKET_BATCH)
        CM_TRY(verify_in_batch(c, &r, k, p, bytes, sigs));
    else
        CM_TRY(verify(c, &cm_statement_poai, &r.head, k, p, bytes, sigs));
    *out = r;
    return CM_OKAY;
}

cm_err cm_settle_verify(cm_settlement *out, const cm_crypt *c, const cm_market_keys *k,
                        const cm_market_policy *p, cm_view record)
{
    cm_view bytes, sigs;
    cm_settlement s;

    CM_TRY(split(&bytes, &sigs, &cm_statement_settle, record));
    CM_TRY(cm_settle_decode(&s, bytes));
    CM_TRY(verify(c, &cm_statement_settle, &s.head, k, p, bytes, sigs));
    *out = s;
    return CM_OKAY;
}

cm_err cm_batch_verify(cm_batch_head *out, const cm_crypt *c, const cm_market_keys *k,
                       const cm_market_policy *p, cm_view record)
{
    cm_view bytes, sigs;
    cm_batch_head b;

    CM_TRY(split(&bytes, &sigs, &cm_statement_batch, record));
    CM_TRY(cm_batch_decode(&b, bytes));
    CM_TRY(verify(c, &cm_statement_batch, &b.head, k, p, bytes, sigs));
    *out = b;
    return CM_OKAY;
}

cm_err cm_settle_binds(const cm_crypt *c, const cm_settlement *s, const cm_poai *r,
                       uint64_t skew_ms)
{
    uint8_t digest[32];
    uint64_t over = 0, early = 0;

    CM_TRY(cm_poai_digest(c, digest, r));
    if (!equal(digest, s->receipt) || !equal(s->head.realm, r->head.realm))
        return CM_FAIL(MARKET_BINDING);
    /* M-15 */
    if ((cm_add_u64(&early, s->head.issued_ms, skew_ms) && early < r->head.issued_ms) ||
        (cm_add_u64(&over, r->head.expires_ms, skew_ms) && s->head.issued_ms > over))
        return CM_FAIL(MARKET_BINDING);
    return CM_OKAY;
}
