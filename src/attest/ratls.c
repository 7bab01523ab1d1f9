/* Certificates that carry a quote: the interoperable RA-TLS form. */
#include "attest/attest_int.h"
#include "codec/cbor.h"
#include "codec/cut.h"
#include "codec/text.h"

#define OID_EVIDENCE "2.23.133.5.4.9"

enum {
    TAG_EVIDENCE = 60000,
    HASHES = 3,
    CBOR_SHORT = 23,
    CBOR_U8 = 24,
    CBOR_U16 = 25,
    CBOR_U32 = 26,
    TYPE_BYTES = 2,
    TYPE_TEXT,
    TYPE_ARRAY,
    TYPE_MAP,
    TYPE_TAG
};

typedef struct {
    cm_view quote, claims, key_digest;
    cm_hash hash;
} ratls;

/* ---- detection ------------------------------------------------------------------------------ */

static bool holds(cm_view v, cm_view oid)
{
    for (size_t i = 0; i + oid.n <= v.n; i++)
        if (cm_view_eq(cm_view_sub(v, i, oid.n), oid))
            return true;
    return false;
}

bool cm_holds_oid(cm_view v, cm_view oid)
{
    CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_DER_MAX};
    cm_view label;

    if (v.n && v.p[0] == 0x30)
        return holds(v, oid);
    return v.n && v.p[0] == '-' && cm_ok(cm_pem_next(&der, &label, &v)) &&
           holds(cm_buf_view(&der), oid);
}

/* ---- the extension -------------------------------------------------------------------------- */

/* The argument of a head of this major type, in its shortest form. (Tags are not in codec/cbor.h.)
 */
static uint32_t take_head(cm_cut *c, unsigned major)
{
    uint8_t first = cm_cut_u8(c), low = first & 0x1f;
    cm_view v;
    uint32_t n = low;

    if (first >> 5 != major || low > CBOR_U32)
        c->bad = true;
    if (c->bad || low <= CBOR_SHORT)
        return n;
    v = cm_cut_bytes(c, (size_t)1 << (low - CBOR_U8));
    n = 0;
    for (size_t i = 0; i < v.n; i++)
        n = n << 8 | v.p[i];
    if (n <= (low == CBOR_U8 ? CBOR_SHORT : low == CBOR_U16 ? UINT8_MAX : UINT16_MAX))
        c->bad = true;
    return n;
}

static cm_view take_bytes(cm_cut *c)
{
    return cm_cut_bytes(c, take_head(c, TYPE_BYTES));
}

/* [hash, digest], itself in a byte string. */
static bool read_digest(ratls *r, cm_view v)
{
    static const struct {
        uint64_t id;
        cm_hash hash;
    } known[HASHES] = {{1, CM_SHA256}, {7, CM_SHA384}, {8, CM_SHA512}};
    cm_cbor c;
    uint64_t n, id;
    size_t i = 0;

    if (cm_failed(cm_cbor_open(&c, v, NULL)) || cm_failed(cm_cbor_array(&c, &n)) || n != 2 ||
        cm_failed(cm_cbor_uint(&c, &id)) || cm_failed(cm_cbor_bytes(&c, &r->key_digest)))
        return false;
    while (i < HASHES && known[i].id != id)
        i++;
    if (i == HASHES)
        return false;
    r->hash = known[i].hash;
    return r->key_digest.n == cm_hash_size(r->hash);
}

/* Other claims are not judged, and stand in any order: byte strings under texts. */
static bool read_claims(ratls *r)
{
    cm_cut c = cm_cut_of(r->claims);
    uint32_t n = take_head(&c, TYPE_MAP);
    bool found = false;

    for (uint32_t i = 0; i < n && !c.bad; i++) {
        cm_view name = cm_cut_bytes(&c, take_head(&c, TYPE_TEXT)), v = take_bytes(&c);

        if (c.bad || !cm_view_eq(name, CM_LIT("pubkey-hash")))
            continue;
        if (found || !read_digest(r, v))
            return false;
        found = true;
    }
    return cm_cut_done(&c) && found;
}

/* AT-115 */
static bool parse(ratls *r, const X509 *x)
{
    cm_view v;
    cm_cut c;

    if (!cm_x509_extension(&v, x, OID_EVIDENCE))
        return false;
    c = cm_cut_of(v);
    if (take_head(&c, TYPE_TAG) != TAG_EVIDENCE || take_head(&c, TYPE_ARRAY) != 2)
        return false;
    r->quote = take_bytes(&c);
    r->claims = take_bytes(&c);
    return cm_cut_done(&c) && read_claims(r);
}

/* ---- judging -------------------------------------------------------------------------------- */

static cm_err check_key(cm_run *run, const ratls *r, X509 *x)
{
    CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_DER_MAX};
    uint8_t digest[CM_HASH_MAX];
    uint8_t *to;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), NULL);

    if (n <= 0)
        return CM_FAIL(CRYPT_PROVIDER);
    CM_TRY(cm_buf_reserve(&der, (size_t)n));
    to = der.p;
    der.n = (size_t)i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &to);
    CM_TRY(cm_hash_once(run->c, r->hash, digest, cm_buf_view(&der)));
    CM_TRY(cm_claim_bytes(run, "tls_key_digest", 0, r->key_digest));
    cm_note(run, CM_CHECK_IDENTITY,
            cm_view_eq(cm_view_of(digest, cm_hash_size(r->hash)), r->key_digest),
            "the quote vouches for another key than the certificate's");
    return CM_OKAY;
}

/* AT-116: the quote is expected to be of these claims. Its freshness is theirs alone. */
static cm_err check_quote(cm_run *run, const ratls *r)
{
    cm_attest_policy p = *run->p;
    cm_attest_input in = *run->in;
    cm_run inner = *run;
    uint8_t digest[32];
    cm_attest_kind kind = cm_attest_detect(r->quote);
    cm_err e;

    if (!cm_note(run, CM_CHECK_FORM, kind == CM_ATTEST_SGX || kind == CM_ATTEST_TDX,
                 "what the certificate carries is no quote"))
        return CM_OKAY;
    CM_TRY(cm_hash_once(run->c, CM_SHA256, digest, r->claims));
    p.fresh = CM_VIEW(digest);
    in.evidence = r->quote;
    inner.in = &in;
    inner.p = &p;
    run->r->kind = kind;
    e = cm_attest_intel(&inner);
    run->r->kind = CM_ATTEST_RATLS;
    return e;
}

/* AT-117 */
static void never_fresh(cm_run *run)
{
    if (run->p->fresh.n)
        cm_note_fail(run, CM_CHECK_FRESH,
                     "a certificate is made before the handshake: ask for evidence after it");
    else
        cm_note_skip(run, CM_CHECK_FRESH,
                     "made before the handshake: a hint, of no session and perhaps relayed");
}

cm_err cm_attest_ratls(cm_run *run)
{
    CM_AUTO(cm_pool_done) cm_pool pool = {0};
    ratls r = {.hash = CM_SHA256};
    cm_err e = cm_pool_add(&pool, run->c, run->in->evidence);
    bool good;

    if (cm_failed(e) && !cm_is(e, CM_ATTEST_CERTIFICATE))
        return e;
    good = cm_ok(e) && pool.n > 0 && parse(&r, pool.v[0]);
    if (!cm_note(run, CM_CHECK_FORM, good, "it is no certificate with a quote of the known form"))
        return CM_OKAY;
    CM_TRY(check_key(run, &r, pool.v[0]));
    CM_TRY(check_quote(run, &r));
    never_fresh(run);
    return CM_OKAY;
}
