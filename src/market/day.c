/* The caller's thread reads and cuts; units of some hundred receipts go to a pool. Their order in
 * the file decides which failure is told, not that of their ends. */
#include "market/day.h"

#include <pthread.h>

#include "base/pool.h"
#include "crypt/sha256_mb.h"
#include "market/statement_int.h"

enum {
    VERSION = 1,
    LEAVES = 512, /* of a unit; a power of two, so that units are subtrees */
    UNIT = LEAVES * CM_POAI_SIZE,
    HEAD_MAX = CM_BATCH_SIZE + CM_MARKET_SECP_SIG + CM_MARKET_MLDSA_SIG,
    AHEAD = 1 << 16,
    THREADS_MAX = 64
};

_Static_assert(UNIT >= CM_MARKET_RECORD_MAX + CM_DAY_PREFIX, "a unit has room for any record");

typedef struct day day;

/* A batch while its leaves are verified, by as many units as it takes. */
typedef struct {
    cm_batch_head head;
    uint8_t record[HEAD_MAX];
    size_t record_n;
    cm_day_key *key;
    cm_day_place place; /* of the head */
    size_t pending;     /* units, and the reader; this and the next under the lock */
    bool broken;        /* a failure was told, or it was not read to its end */
    size_t units;
    uint8_t (*roots)[32]; /* of each unit's leaves */
} batch;

typedef struct unit {
    struct unit *next; /* in the list of free ones */
    day *d;
    batch *b;           /* NULL: records with their prefixes */
    size_t index;       /* of this unit in its batch */
    cm_day_place place; /* of the first record, or the first leaf */
    size_t n;
    uint8_t bytes[UNIT];
} unit;

struct day {
    cm_day_options *o;
    cm_pool *pool;
    unit *units;
    uint64_t offset, record; /* the reader's, like the next: bytes used, records begun */
    bool bare;               /* batches one behind the other, and nothing else */
    uint8_t *ahead;          /* AHEAD bytes, of which those from at to have are not yet used */
    size_t at, have;
    pthread_mutex_t lock; /* all below */
    pthread_cond_t freed;
    unit *free;
    cm_err failed;
    cm_day_place bad;
    cm_day_counts counts;
};

void cm_day_head(uint8_t out[CM_DAY_HEAD])
{
    memcpy(out, "CMPD", 4);
    cm_put_be16(out + 4, VERSION);
    cm_put_be16(out + 6, 0);
}

void cm_day_prefix(uint8_t out[CM_DAY_PREFIX], size_t n)
{
    cm_put_be32(out, (uint32_t)n);
}

void cm_day_tail(uint8_t out[CM_DAY_TAIL], uint64_t records)
{
    cm_put_be32(out, 0);
    cm_put_be64(out + 4, records);
}

/* ---- what was found ------------------------------------------------------------------------ */

/* The first in the file counts. Under the lock. */
static void note_failure(day *d, cm_err e, const cm_day_place *at)
{
    if (cm_failed(d->failed) && d->bad.offset <= at->offset)
        return;
    d->failed = e;
    d->bad = *at;
}

static void fail(day *d, cm_err e, const cm_day_place *at)
{
    pthread_mutex_lock(&d->lock);
    note_failure(d, e, at);
    pthread_mutex_unlock(&d->lock);
}

/* What comes after a failure need not be looked at; what comes before it must. */
static bool failed_before(day *d, uint64_t offset)
{
    bool failed;

    pthread_mutex_lock(&d->lock);
    failed = cm_failed(d->failed) && d->bad.offset <= offset;
    pthread_mutex_unlock(&d->lock);
    return failed;
}

static cm_day_key *key_of(const day *d, const uint8_t id[32])
{
    for (size_t i = 0; i < d->o->key_count; i++)
        if (cm_view_eq(CM_VIEW(d->o->keys[i].id), cm_view_of(id, 32)))
            return &d->o->keys[i];
    return NULL;
}

/* ---- batches ------------------------------------------------------------------------------- */

static void batch_free(batch *b)
{
    if (!b)
        return;
    cm_free(b->roots);
    cm_free(b);
}

/* M-62: the last to let go of a batch compares the root; nobody else has it then. */
static void batch_release(day *d, batch *b, bool whole)
{
    uint8_t root[32];
    bool last;

    pthread_mutex_lock(&d->lock);
    b->broken |= !whole;
    last = --b->pending == 0;
    pthread_mutex_unlock(&d->lock);
    if (!last)
        return;
    cm_merkle_root(root, b->roots, b->units);
    pthread_mutex_lock(&d->lock);
    if (!b->broken && !cm_view_eq(CM_VIEW(root), CM_VIEW(b->head.root)))
        note_failure(d, CM_FAIL(MERKLE_PROOF), &b->place);
    else if (!b->broken) {
        d->counts.batches++;
        d->counts.records++;
        d->counts.receipts += b->head.count;
        b->key->verified += b->head.count;
    }
    pthread_mutex_unlock(&d->lock);
    batch_free(b);
}

static cm_err verify_head(const unit *u)
{
    cm_market_policy p = u->d->o->policy;
    cm_batch_head h;

    p.any_time = true; /* M-31 */
    return cm_batch_verify(&h, u->d->o->crypt, &u->b->key->keys, &p,
                           cm_view_of(u->b->record, u->b->record_n));
}

/* M-32 */
static void verify_leaves(unit *u)
{
    const uint8_t zero = 0, *data[LEAVES];
    uint8_t leaves[LEAVES][32];
    size_t count = u->n / CM_POAI_SIZE;
    cm_err e = u->index == 0 ? verify_head(u) : CM_OKAY;
    cm_poai r;

    if (cm_failed(e))
        fail(u->d, e, &u->b->place);
    for (size_t i = 0; i < count && cm_ok(e); i++) {
        data[i] = u->bytes + i * CM_POAI_SIZE;
        e = cm_poai_decode(&r, cm_view_of(data[i], CM_POAI_SIZE));
        if (cm_ok(e))
            e = cm_statement_in_batch(&r, &u->b->head, &u->d->o->policy);
        if (cm_failed(e))
            fail(u->d, e,
                 &(cm_day_place){u->place.record, u->place.leaf + i,
                                 u->place.offset + i * CM_POAI_SIZE});
    }
    if (cm_ok(e)) {
        cm_sha256_mb(leaves, &zero, 1, data, CM_POAI_SIZE, count);
        cm_merkle_root(u->b->roots[u->index], leaves, count);
    }
    batch_release(u->d, u->b, cm_ok(e));
}

/* ---- records ------------------------------------------------------------------------------- */

enum { ALGS_AT = 6, KEY_ID = 60 };

static bool is_settlement(cm_view record)
{
    return record.n >= 4 && cm_view_eq(cm_view_sub(record, 0, 4), CM_LIT("CMHS"));
}

static cm_err verify_record(const day *d, cm_day_counts *c, cm_day_key **key, cm_view record)
{
    cm_settlement s;
    cm_poai r;

    if (record.n < KEY_ID + 32)
        return CM_FAIL(MARKET_MALFORMED);
    *key = key_of(d, record.p + KEY_ID);
    if (!*key)
        return CM_FAIL(MARKET_KEY);
    if (is_settlement(record)) {
        c->settlements++;
        return cm_settle_verify(&s, d->o->crypt, &(*key)->keys, &d->o->policy, record);
    }
    c->receipts++;
    return cm_poai_verify(&r, d->o->crypt, &(*key)->keys, &d->o->policy, record);
}

static void count(day *d, const cm_day_counts *c, cm_day_key *key)
{
    pthread_mutex_lock(&d->lock);
    d->counts.records++;
    d->counts.receipts += c->receipts;
    d->counts.settlements += c->settlements;
    key->verified++;
    pthread_mutex_unlock(&d->lock);
}

static void verify_records(unit *u)
{
    cm_day_place at = u->place;

    for (size_t i = 0; i < u->n && !failed_before(u->d, at.offset); at.record++) {
        size_t n = cm_get_be32(u->bytes + i);
        cm_day_counts c = {.records = 0};
        cm_day_key *key;
        cm_err e = verify_record(u->d, &c, &key, cm_view_of(u->bytes + i + CM_DAY_PREFIX, n));

        if (cm_failed(e)) {
            fail(u->d, e, &at);
            return;
        }
        count(u->d, &c, key);
        i += CM_DAY_PREFIX + n;
        at.offset += CM_DAY_PREFIX + n;
    }
}

static void unit_run(void *arg)
{
    unit *u = arg;
    day *d = u->d;

    if (u->b)
        verify_leaves(u);
    else
        verify_records(u);
    pthread_mutex_lock(&d->lock);
    u->next = d->free;
    d->free = u;
    pthread_cond_signal(&d->freed);
    pthread_mutex_unlock(&d->lock);
}

/* ---- the reader ---------------------------------------------------------------------------- */

static unit *take_unit(day *d)
{
    unit *u;

    pthread_mutex_lock(&d->lock);
    while (!d->free)
        pthread_cond_wait(&d->freed, &d->lock);
    u = d->free;
    d->free = u->next;
    pthread_mutex_unlock(&d->lock);
    u->b = NULL;
    u->n = 0;
    u->index = 0;
    return u;
}

static cm_err submit(day *d, unit *u)
{
    cm_day_counts so_far;

    cm_pool_submit(d->pool, unit_run, u);
    if (!d->o->progress)
        return CM_OKAY;
    pthread_mutex_lock(&d->lock);
    so_far = d->counts;
    pthread_mutex_unlock(&d->lock);
    so_far.bytes = d->offset;
    return d->o->progress(d->o->arg, &so_far);
}

static cm_err read_ahead(day *d)
{
    d->at = d->have = 0;
    return d->o->read(d->o->arg, d->ahead, AHEAD, &d->have);
}

/* All of n bytes. */
static cm_err take(day *d, uint8_t *p, size_t n)
{
    while (n > 0) {
        size_t part = CM_MIN(n, d->have - d->at);

        if (part == 0) {
            CM_TRY(read_ahead(d));
            if (d->have == 0)
                return CM_FAIL(MARKET_MALFORMED);
            continue;
        }
        memcpy(p, d->ahead + d->at, part);
        p += part;
        n -= part;
        d->at += part;
        d->offset += part;
    }
    return CM_OKAY;
}

static cm_err batch_new(batch **out, const day *d, cm_view record, const cm_day_place *at)
{
    batch *b;
    cm_err e;

    if (record.n > HEAD_MAX || record.n < CM_BATCH_SIZE)
        return CM_FAIL(MARKET_MALFORMED);
    CM_TRY(cm_alloc(&b, sizeof *b));
    b->place = *at;
    b->pending = 1;
    b->record_n = record.n;
    memcpy(b->record, record.p, record.n);
    e = cm_batch_decode(&b->head, cm_view_sub(record, 0, CM_BATCH_SIZE));
    if (cm_ok(e)) {
        b->key = key_of(d, b->head.head.key_id);
        b->units = (size_t)((b->head.count + LEAVES - 1) / LEAVES);
        e = b->key ? cm_alloc_array(&b->roots, b->units, 32) : CM_FAIL(MARKET_KEY);
    }
    if (cm_failed(e)) {
        batch_free(b);
        return e;
    }
    *out = b;
    return CM_OKAY;
}

/* place becomes that of the leaves being read. */
static cm_err read_leaves(day *d, batch *b, cm_day_place *place)
{
    uint64_t done = 0;

    for (size_t i = 0; i < b->units; i++) {
        unit *u = take_unit(d);
        cm_err e;

        *place = (cm_day_place){b->place.record, done + 1, d->offset};
        u->index = i;
        u->place = *place;
        u->n = (size_t)CM_MIN(b->head.count - done, (uint64_t)LEAVES) * CM_POAI_SIZE;
        e = take(d, u->bytes, u->n);
        if (cm_failed(e)) {
            u->b = NULL;
            u->n = 0;
            cm_pool_submit(d->pool, unit_run, u); /* back to the others */
            return e;
        }
        u->b = b;
        pthread_mutex_lock(&d->lock);
        b->pending++;
        pthread_mutex_unlock(&d->lock);
        done += LEAVES;
        CM_TRY(submit(d, u));
    }
    return CM_OKAY;
}

/* M-62 */
static cm_err read_batch(day *d, cm_view record, cm_day_place *at)
{
    batch *b = NULL;
    cm_err e;

    CM_TRY(batch_new(&b, d, record, at));
    e = read_leaves(d, b, at);
    batch_release(d, b, cm_ok(e));
    return e;
}

/* What is in *u, if anything, to the pool, and an empty one in its place. */
static cm_err flush(day *d, unit **u)
{
    unit *full = *u;

    if (full->n == 0)
        return CM_OKAY;
    *u = take_unit(d);
    return submit(d, full);
}

static bool is_batch(cm_view record)
{
    return record.n >= 4 && cm_view_eq(cm_view_sub(record, 0, 4), CM_LIT("CMPB"));
}

/* M-63: the number of records, and nothing after it. */
static cm_err read_tail(day *d)
{
    uint8_t bytes[8];

    CM_TRY(take(d, bytes, sizeof bytes));
    if (cm_get_be64(bytes) != d->record)
        return CM_FAIL(MARKET_MALFORMED);
    if (d->at == d->have)
        CM_TRY(read_ahead(d));
    return d->at == d->have ? CM_OKAY : CM_FAIL(MARKET_MALFORMED);
}

/* One record into u, or a batch into units of its own; *end after the tail. at: where it is. */
static cm_err read_one(day *d, unit **u, bool *end, cm_day_place *at)
{
    uint8_t prefix[CM_DAY_PREFIX], record[CM_MARKET_RECORD_MAX];
    size_t n;

    *at = (cm_day_place){d->record + 1, 0, d->offset};
    CM_TRY(take(d, prefix, sizeof prefix));
    n = cm_get_be32(prefix);
    *end = n == 0;
    if (*end)
        return read_tail(d);
    if (n > CM_MARKET_RECORD_MAX) /* M-61 */
        return CM_FAIL(MARKET_MALFORMED);
    CM_TRY(take(d, record, n));
    d->record++;
    if (is_batch(cm_view_of(record, n))) {
        CM_TRY(flush(d, u)); /* the records of a unit stand in one row */
        return read_batch(d, cm_view_of(record, n), at);
    }
    if ((*u)->n + CM_DAY_PREFIX + n > UNIT)
        CM_TRY(flush(d, u));
    if ((*u)->n == 0)
        (*u)->place = *at;
    memcpy((*u)->bytes + (*u)->n, prefix, sizeof prefix);
    memcpy((*u)->bytes + (*u)->n + sizeof prefix, record, n);
    (*u)->n += sizeof prefix + n;
    return CM_OKAY;
}

/* M-32: a head's record is as long as its algorithms say. */
static cm_err read_bare(day *d, bool *end, cm_day_place *at)
{
    uint8_t record[HEAD_MAX];
    size_t n = CM_BATCH_SIZE;
    uint16_t algs;

    *at = (cm_day_place){d->record + 1, 0, d->offset};
    if (d->at == d->have)
        CM_TRY(read_ahead(d));
    *end = d->at == d->have;
    if (*end)
        return CM_OKAY;
    CM_TRY(take(d, record, n));
    algs = cm_get_be16(record + ALGS_AT);
    if (!is_batch(cm_view_of(record, n)) || algs < CM_MARKET_SECP ||
        algs > (CM_MARKET_SECP | CM_MARKET_MLDSA))
        return CM_FAIL(MARKET_MALFORMED);
    n += (algs & CM_MARKET_SECP ? (size_t)CM_MARKET_SECP_SIG : 0) +
         (algs & CM_MARKET_MLDSA ? (size_t)CM_MARKET_MLDSA_SIG : 0);
    CM_TRY(take(d, record + CM_BATCH_SIZE, n - CM_BATCH_SIZE));
    d->record++;
    return read_batch(d, cm_view_of(record, n), at);
}

static cm_err read_head(day *d)
{
    uint8_t head[CM_DAY_HEAD], want[CM_DAY_HEAD];

    CM_TRY(read_ahead(d));
    d->bare = is_batch(cm_view_of(d->ahead, d->have));
    if (d->bare)
        return CM_OKAY;
    cm_day_head(want);
    CM_TRY(take(d, head, sizeof head));
    /* M-60 */
    if (!cm_view_eq(cm_view_of(head, 4), cm_view_of(want, 4)))
        return CM_FAIL(MARKET_MALFORMED);
    return cm_view_eq(CM_VIEW(head), CM_VIEW(want)) ? CM_OKAY : CM_FAIL(MARKET_VERSION);
}

static void read_file(day *d)
{
    cm_day_place at = {0};
    bool end = false;
    cm_err e = read_head(d);
    unit *u = take_unit(d);

    while (cm_ok(e) && !end && !failed_before(d, d->offset))
        e = d->bare ? read_bare(d, &end, &at) : read_one(d, &u, &end, &at);
    if (cm_failed(e))
        fail(d, e, &at);
    cm_pool_submit(d->pool, unit_run, u);
    cm_pool_wait(d->pool);
}

/* ---- life ---------------------------------------------------------------------------------- */

static cm_err set_up(day *d)
{
    unsigned threads = d->o->threads ? d->o->threads : cm_cpu_count();
    size_t units;

    threads = CM_MIN(threads, (unsigned)THREADS_MAX);
    units = 3 * (size_t)threads + 2;
    for (size_t i = 0; i < d->o->key_count; i++) {
        CM_TRY(cm_market_key_id(d->o->crypt, d->o->keys[i].id, &d->o->keys[i].keys));
        d->o->keys[i].verified = 0;
    }
    CM_TRY(cm_alloc(&d->ahead, AHEAD));
    CM_TRY(cm_alloc_array(&d->units, units, sizeof *d->units));
    for (size_t i = 0; i < units; i++) {
        d->units[i].d = d;
        d->units[i].next = d->free;
        d->free = &d->units[i];
    }
    return cm_pool_new(&d->pool, threads, (unsigned)units);
}

cm_err cm_day_verify(cm_day_counts *counts, cm_day_place *bad, cm_day_options *o)
{
    day d = {.o = o, .failed = CM_OKAY};
    cm_err e;

    pthread_mutex_init(&d.lock, NULL);
    pthread_cond_init(&d.freed, NULL);
    e = set_up(&d);
    if (cm_ok(e)) {
        read_file(&d);
        e = d.failed;
    }
    cm_pool_free(d.pool);
    cm_free(d.units);
    cm_free(d.ahead);
    pthread_cond_destroy(&d.freed);
    pthread_mutex_destroy(&d.lock);
    d.counts.bytes = d.offset;
    *counts = d.counts;
    *bad = d.bad;
    return e;
}
