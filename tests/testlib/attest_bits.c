/* One bit of recorded sets: seen, or one of those that nothing depends on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attest/eventlog.h"
#include "attest_kit.h"
#include "codec/text.h"

enum { SAMPLES = 6, RANGES = 96 };

/* Bytes of a file that may change unseen; why is for whoever reads the count. */
typedef struct {
    size_t from, to;
} range;

typedef struct {
    range v[RANGES];
    size_t n;
} ranges;

static void add(ranges *r, size_t from, size_t to)
{
    if (r->n < RANGES && from < to)
        r->v[r->n++] = (range){from, to};
}

static bool within(const ranges *r, size_t at)
{
    for (size_t i = 0; i < r->n; i++)
        if (at >= r->v[i].from && at < r->v[i].to)
            return true;
    return false;
}

/* ---- roots: known by their keys, which are pinned (AT-5) ------------------------------------- */

static bool is_root(const cm_crypt *c, cm_view der)
{
    CM_AUTO(cm_pool_done) cm_pool pool = {0};

    return cm_ok(cm_pool_add(&pool, c, der)) && pool.n == 1 &&
           X509_NAME_cmp(X509_get_subject_name(pool.v[0]), X509_get_issuer_name(pool.v[0])) == 0;
}

static void pem_roots(ranges *r, const cm_crypt *c, cm_view v)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----", end[] = "-----END CERTIFICATE-----";
    const uint8_t *at = v.p, *stop = v.p + v.n;

    while ((at = memmem(at, (size_t)(stop - at), begin, sizeof begin - 1)) != NULL) {
        const uint8_t *to = memmem(at, (size_t)(stop - at), end, sizeof end - 1);

        if (!to)
            return;
        to += sizeof end - 1;
        if (is_root(c, cm_view_of(at, (size_t)(to - at))))
            add(r, (size_t)(at - v.p), (size_t)(to - v.p));
        at = to;
    }
}

/* ---- other rules ----------------------------------------------------------------------------- */

static size_t find(cm_view v, const char *text)
{
    const uint8_t *at = v.n ? memmem(v.p, v.n, text, strlen(text)) : NULL;

    return at ? (size_t)(at - v.p) : v.n;
}

/* AT-40: what stands behind the chain of a quote. */
static void behind_chain(ranges *r, cm_view v)
{
    static const char end[] = "-----END CERTIFICATE-----";
    size_t at = 0, next;

    while ((next = find(cm_view_sub(v, at, v.n - at), end)) < v.n - at)
        at += next + sizeof end - 1;
    if (at)
        add(r, at, v.n);
}

/* AT-80: the receipt, for the vendor's own service. */
static void receipt(ranges *r, cm_view v)
{
    add(r, find(v, "greceipt") + 8, find(v, "hauthData"));
}

typedef struct {
    ranges *r;
    const uint8_t *base;
    size_t at;
} logged;

static cm_err between_digests(void *arg, const cm_event *e)
{
    logged *l = arg;
    size_t from = (size_t)(e->digest.p - l->base);

    if (e->type == CM_EVENTLOG_NO_ACTION)
        return CM_OKAY;
    if (l->r->n == RANGES)
        return CM_FAIL(TOO_BIG);
    add(l->r, l->at, from);
    l->at = from + e->digest.n;
    return CM_OKAY;
}

/* AT-47: words beside the digests, and digests of other hashes. */
static void words(ranges *r, cm_view log)
{
    logged l = {r, log.p, 0};

    (void)cm_failed(cm_eventlog_each(log, CM_SHA384, between_digests, &l));
    add(r, l.at, log.n);
}

/* Of a TD in Azure the report inside is its processor's own, which nobody else can check (AT-61).
 */
static void td_report(ranges *r, const tee *t)
{
    if (t->r.kind == CM_ATTEST_AZURE && t->in.part[CM_PART_TD_QUOTE].n)
        add(r, 32, 32 + 1184);
}

/* ---- a file ---------------------------------------------------------------------------------- */

typedef struct {
    cm_attest_result r;
    bool ok;
} outcome;

/* Certificates that stay as they are are remembered (AT-12). */
static void judge(outcome *o, const tee *t)
{
    static cm_attest_cache *cache;
    cm_attest_input in = t->in;

    if (!cache && cm_failed(cm_attest_cache_new(&cache)))
        exit(1);
    in.cache = cache;
    cm_attest_result_done(&o->r);
    o->ok = cm_ok(t->roots.n ? cm_attest_verify_under(&o->r, t->c, t->roots, &in, &t->p)
                             : cm_attest_verify(&o->r, t->c, &in, &t->p));
}

static bool same(const outcome *a, const outcome *b)
{
    if (a->ok != b->ok || a->r.tcb != b->r.tcb || a->r.n_claims != b->r.n_claims ||
        !cm_view_eq(cm_buf_view(&a->r.data), cm_buf_view(&b->r.data)))
        return false;
    for (size_t i = 0; i < a->r.n_claims; i++)
        if (a->r.claim[i].u != b->r.claim[i].u)
            return false;
    for (size_t i = 0; i < CM_CHECK_COUNT; i++)
        if (a->r.check[i].verdict != b->r.check[i].verdict)
            return false;
    return true;
}

static bool is_used(const tee *t, cm_view file)
{
    const cm_attest_input *in = &t->in;
    cm_view one[] = {in->evidence,    in->tcb_info,        in->tcb_info_sig,
                     in->qe_identity, in->qe_identity_sig, in->event_log};

    for (size_t i = 0; i < CM_COUNT(one); i++)
        if (one[i].p == file.p)
            return true;
    for (size_t i = 0; i < CM_PART_COUNT; i++)
        if (in->part[i].p == file.p)
            return true;
    for (size_t i = 0; i < in->n_certs; i++)
        if (in->certs[i].p == file.p)
            return true;
    for (size_t i = 0; i < in->n_crls; i++)
        if (in->crls[i].p == file.p)
            return true;
    return false;
}

/* A certificate that was not needed: everything comes out the same without it. */
static bool is_idle(tee *t, cm_view file, const outcome *before)
{
    outcome without = {.ok = false};
    bool idle = false;

    for (size_t i = 0; i < t->in.n_certs; i++) {
        cm_view was = t->cert[i];

        if (was.p != file.p)
            continue;
        t->cert[i] = t->cert[--t->in.n_certs];
        judge(&without, t);
        idle = same(&without, before);
        t->in.n_certs++;
        t->cert[i] = was;
    }
    cm_attest_result_done(&without.r);
    return idle;
}

static void rules(ranges *r, const tee *t, cm_view file)
{
    r->n = 0;
    if (file.n && file.p[0] == 0x30 && is_root(t->c, file))
        add(r, 0, file.n);
    pem_roots(r, t->c, file);
    if (file.p == t->evidence.p) {
        receipt(r, file);
        td_report(r, t);
    }
    if (file.p == t->evidence.p || file.p == t->in.part[CM_PART_TD_QUOTE].p)
        behind_chain(r, file);
    if (file.p == t->in.event_log.p)
        words(r, file);
}

typedef struct {
    size_t bytes, seen, unsigned_;
} tally;

/* A letter of a statement's hexadecimal signature may be a capital: the bytes are the same. */
static bool is_capital(cm_view file, size_t at, uint8_t bit)
{
    return file.p[0] == '{' && bit == 0x20 && at > find(file, "\"signature\":") &&
           file.p[at] >= 'A';
}

static void mutate(tally *n, tee *t, cm_buf *file, const outcome *before)
{
    outcome after = {.ok = false};
    size_t stride = getenv("CASEMATE_MUTATE") ? 1 : file->n / SAMPLES + 1;
    cm_view whole = cm_buf_view(file);
    ranges r;

    rules(&r, t, whole);
    if (!is_used(t, whole) || is_idle(t, whole, before))
        return;
    for (size_t i = stride / 2; i < file->n; i += stride) {
        uint8_t bit = (uint8_t)(1u << (i * 5 & 7));

        t_case("byte", i);
        file->p[i] ^= bit;
        judge(&after, t);
        file->p[i] ^= bit;
        n->bytes++;
        if (!same(&after, before))
            n->seen++;
        else if (T_CHECK(within(&r, i) || is_capital(whole, i, bit)))
            n->unsigned_++;
        else
            fprintf(stderr, "unseen: byte %zu of %zu, bit %02x, first byte %02x\n", i, file->n, bit,
                    file->p[0]);
        t_ran();
    }
    cm_attest_result_done(&after.r);
}

void tee_every_byte(tee *t)
{
    outcome before = {.ok = false};
    tally n = {0};

    judge(&before, t);
    T_CHECK(before.ok);
    t->in.kind = before.r.kind;
    t->r.kind = before.r.kind;
    mutate(&n, t, &t->evidence, &before);
    for (size_t i = 0; i < t->n_files; i++)
        mutate(&n, t, &t->file[i], &before);
    t->in.kind = CM_ATTEST_UNKNOWN;
    if (getenv("CASEMATE_MUTATE"))
        printf("  %s: %zu bytes, %zu seen, %zu of those that are unsigned\n",
               cm_attest_kind_name(before.r.kind), n.bytes, n.seen, n.unsigned_);
    cm_attest_result_done(&before.r);
}
