#include "audit/batch_int.h"

#include "audit/log.h"

enum { ENTRIES_MAX = CM_BATCH_UNITS * (CM_AUDIT_ENTRY_MAX + 2), FIRST_TABLE = 256 };

/* Room for n items of a growing array. */
static cm_err grow(void *array, size_t *cap, size_t n, size_t size)
{
    size_t bigger = CM_MAX(*cap * 2, CM_MAX(n, (size_t)64)), bytes;
    void *p = NULL, *old;

    if (n <= *cap) {
        return CM_OKAY;
    }
    CM_TRY(cm_alloc_array(&p, bigger, size));
    memcpy(&old, array, sizeof old);
    if (old && cm_mul_size(&bytes, *cap, size)) {
        memcpy(p, old, bytes);
    }
    cm_free(old);
    memcpy(array, &p, sizeof p);
    *cap = bigger;
    return CM_OKAY;
}

cm_err cm_batch_init(cm_batch *b, const cm_crypt *c, bool shared)
{
    b->entries.max = ENTRIES_MAX;
    CM_TRY(cm_random(c, &b->seed, sizeof b->seed));
    CM_TRY(cm_alloc_array(&b->table, FIRST_TABLE, sizeof *b->table));
    b->table_n = FIRST_TABLE;
    cm_log_head_path(&b->head_path);
    return shared ? CM_OKAY : cm_alloc_array(&b->known, CM_BATCH_KNOWN, sizeof *b->known);
}

void cm_batch_done(cm_batch *b)
{
    cm_free(b->known);
    cm_free(b->slot);
    cm_free(b->table);
    cm_free(b->ref);
    cm_free(b->key);
    cm_free(b->version);
    cm_free(b->write);
    cm_buf_free(&b->entries);
    *b = (cm_batch){0};
}

/* ---- the rows that units look at ---- */

static uint64_t mix(uint64_t h)
{
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    return h ^ h >> 32;
}

/* Seeded, so that nobody can choose keys that collide. */
static uint64_t hash_of(const cm_batch *b, cm_view v)
{
    uint64_t h = b->seed ^ v.n, w;
    size_t i = 0;

    for (; i + 8 <= v.n; i += 8) {
        memcpy(&w, v.p + i, 8);
        h = mix(h ^ w) + b->seed;
    }
    for (w = 0; i < v.n; i++) {
        w = w << 8 | v.p[i];
    }
    return mix(h ^ w);
}

static uint32_t *place_of(const cm_batch *b, uint64_t hash, cm_view key)
{
    size_t i = hash & (b->table_n - 1);

    for (;; i = (i + 1) & (b->table_n - 1)) {
        uint32_t n = b->table[i];

        if (n == 0 || (b->slot[n - 1].hash == hash && cm_view_eq(b->slot[n - 1].key, key))) {
            return &b->table[i];
        }
    }
}

static cm_err widen_table(cm_batch *b)
{
    size_t n = b->table_n * 2;
    uint32_t *bigger = NULL;

    CM_TRY(cm_alloc_array(&bigger, n, sizeof *bigger));
    cm_free(b->table);
    b->table = bigger;
    b->table_n = n;
    for (size_t i = 0; i < b->slots; i++) {
        *place_of(b, b->slot[i].hash, b->slot[i].key) = (uint32_t)i + 1;
    }
    return CM_OKAY;
}

static cm_err watch(cm_batch *b, cm_view key, uint32_t *slot)
{
    uint64_t hash = hash_of(b, key);
    uint32_t *place = place_of(b, hash, key);

    if (*place == 0) {
        CM_TRY(grow(&b->slot, &b->slots_cap, b->slots + 1, sizeof *b->slot));
        if ((b->slots + 1) * 2 > b->table_n) {
            CM_TRY(widen_table(b));
            place = place_of(b, hash, key);
        }
        b->slot[b->slots] = (cm_batch_slot){.key = key, .hash = hash};
        *place = (uint32_t)++b->slots;
    }
    *slot = *place - 1;
    return CM_OKAY;
}

static cm_err watch_unit(cm_batch *b, const cm_unit *u)
{
    uint32_t *r;

    /* One more: units that watch nothing have a place in the list too. */
    CM_TRY(grow(&b->ref, &b->refs_cap, b->refs + u->expects_n + u->writes_n + u->bumps_n + 1,
                sizeof *b->ref));
    r = b->ref + b->refs;
    for (size_t i = 0; i < u->expects_n; i++) {
        CM_TRY(watch(b, u->expects[i].key, r++));
    }
    for (size_t i = 0; i < u->writes_n; i++) {
        CM_TRY(watch(b, u->writes[i].key, r++));
    }
    for (size_t i = 0; i < u->bumps_n; i++) {
        CM_TRY(watch(b, u->bumps[i].key, r));
        b->slot[*r++].counter = true;
    }
    b->refs = (size_t)(r - b->ref);
    return CM_OKAY;
}

cm_err cm_batch_begin(cm_batch *b, const cm_unit *units)
{
    memset(b->table, 0, b->table_n * sizeof *b->table);
    b->slots = b->refs = b->writes = b->paths = b->leaves = 0;
    b->entries.n = 0;
    for (const cm_unit *u = units; u; u = u->next) {
        CM_TRY(watch_unit(b, u));
    }
    return CM_OKAY;
}

static cm_err read_counter(cm_batch_slot *s, cm_txn *t)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 64};
    uint64_t version;
    cm_err e = cm_txn_get(t, s->key, &b, &version);

    if (cm_is(e, CM_TOO_BIG)) {
        e = CM_FAIL(COMMIT_COUNTER);
    }
    if (cm_ok(e)) {
        e = cm_counter_get(&s->at, cm_buf_view(&b));
    }
    if (cm_is(e, CM_COMMIT_COUNTER)) {
        s->bad = e; /* a matter of those who count in it */
        return CM_OKAY;
    }
    return e;
}

/* ---- counters known from the batches before ---- */

static cm_batch_known *known_of(const cm_batch *b, const cm_batch_slot *s)
{
    return b->known ? &b->known[s->hash % CM_BATCH_KNOWN] : NULL;
}

static bool is_known(const cm_batch_known *k, const cm_batch_slot *s)
{
    return k && k->version != 0 && cm_view_eq(cm_view_of(k->key, k->key_n), s->key);
}

/* What is known needs no look: nobody else writes, and the write says which version it follows. */
static void recall(cm_batch_slot *s, const cm_batch_known *k)
{
    if (s->counter && is_known(k, s)) {
        s->known = true;
        s->version = s->now = k->version;
        s->at = k->at;
    }
}

void cm_batch_forget(cm_batch *b)
{
    for (size_t i = 0; b->known && i < CM_BATCH_KNOWN; i++) {
        b->known[i].version = 0;
    }
}

void cm_batch_committed(cm_batch *b)
{
    for (size_t i = 0; i < b->slots; i++) {
        const cm_batch_slot *s = &b->slot[i];
        cm_batch_known *k = known_of(b, s);

        if (k && s->bumped && s->key.n <= sizeof k->key) {
            k->version = s->now;
            k->at = s->at;
            k->key_n = s->key.n;
            memcpy(k->key, s->key.p, s->key.n);
        } else if (s->written != 0 && is_known(k, s)) {
            k->version = 0; /* the count of versions may start again */
        }
    }
}

static cm_err read_slot(cm_batch_slot *s, cm_txn *t, uint64_t version)
{
    s->version = s->now = version;
    return s->counter && version != 0 ? read_counter(s, t) : CM_OKAY;
}

cm_err cm_batch_read(cm_batch *b, cm_txn *t)
{
    size_t n = 0;

    if (b->slots + 1 > b->keys_cap) {
        size_t cap = b->keys_cap;

        CM_TRY(grow(&b->key, &cap, b->slots + 1, sizeof *b->key));
        CM_TRY(grow(&b->version, &b->keys_cap, b->slots + 1, sizeof *b->version));
    }
    for (size_t i = 0; i < b->slots; i++) {
        recall(&b->slot[i], known_of(b, &b->slot[i]));
        if (!b->slot[i].known) {
            b->key[n++] = b->slot[i].key;
        }
    }
    b->key[n] = cm_path_view(&b->head_path);
    CM_TRY(cm_txn_versions(t, b->key, n + !b->known, b->version));
    b->head_version = b->version[n];
    n = 0;
    for (size_t i = 0; i < b->slots; i++) {
        if (!b->slot[i].known) {
            CM_TRY(read_slot(&b->slot[i], t, b->version[n++]));
        }
    }
    return CM_OKAY;
}

/* ---- deciding ---- */

/* unit: its number from 1. */
static cm_err check_writes(cm_batch *b, const cm_unit *u, const uint32_t *ref, uint64_t unit)
{
    for (size_t i = 0; i < u->writes_n; i++) {
        cm_batch_slot *s = &b->slot[ref[i]];
        uint64_t v = u->writes[i].version;

        /* A row changes once in a batch. */
        if (s->written != 0 || s->bumped || s->writing == unit ||
            (v == 0 ? s->now == 0 : s->now != v - 1)) {
            return CM_FAIL(STORE_CONFLICT);
        }
        s->writing = unit;
    }
    return CM_OKAY;
}

static cm_err try_bump(cm_batch_slot *s, const cm_unit_bump *x, uint64_t now_ms)
{
    if (cm_counter_over(&s->next, now_ms)) {
        s->next = (cm_counter){0, x->until};
    }
    /* a time that was set by a clock that has gone back since lasts no longer than the
     * present one. */
    if (x->until > now_ms && s->next.until > x->until) {
        s->next.until = x->until;
    }
    if (!cm_add_u64(&s->next.value, s->next.value, x->by) || s->next.value > x->max) {
        return CM_FAIL(COMMIT_BUDGET);
    }
    return CM_OKAY;
}

/* next of the slots is what they become if all of it goes well. */
static cm_err check_bumps(cm_batch *b, const cm_unit *u, const uint32_t *ref, uint64_t unit,
                          uint64_t now_ms)
{
    for (size_t i = 0; i < u->bumps_n; i++) {
        cm_batch_slot *s = &b->slot[ref[i]];

        CM_TRY(s->bad);
        if (s->written != 0 || s->writing == unit) {
            return CM_FAIL(STORE_CONFLICT);
        }
        if (s->trial != unit) {
            s->next = s->at;
            if (s->now == 0) {
                s->next = (cm_counter){0, u->bumps[i].until};
            }
            s->trial = unit;
        }
        CM_TRY(try_bump(s, &u->bumps[i], now_ms));
    }
    return CM_OKAY;
}

static cm_err check(cm_batch *b, const cm_unit *u, const uint32_t *ref, uint64_t unit,
                    uint64_t now_ms)
{
    const uint32_t *writes = ref + u->expects_n, *bumps = writes + u->writes_n;

    for (size_t i = 0; i < u->expects_n; i++) {
        if (b->slot[ref[i]].now != u->expects[i].version) {
            return CM_FAIL(STORE_CONFLICT);
        }
    }
    CM_TRY(check_writes(b, u, writes, unit));
    return check_bumps(b, u, bumps, unit, now_ms);
}

static cm_err apply(cm_batch *b, const cm_unit *u, const uint32_t *ref, uint64_t unit)
{
    ref += u->expects_n;
    for (size_t i = 0; i < u->writes_n; i++) {
        cm_batch_slot *s = &b->slot[*ref++];

        s->written = unit;
        s->now = u->writes[i].version;
        CM_TRY(cm_batch_put(b, s->key, s->now, u->writes[i].value));
    }
    for (size_t i = 0; i < u->bumps_n; i++) {
        cm_batch_slot *s = &b->slot[*ref++];

        s->at = s->next;
        s->bumped = true;
        s->now = s->version + 1;
    }
    return CM_OKAY;
}

/* Append one entry; entries are as they were when it fails. */
static cm_err add_entry(cm_batch *b, const cm_audit_entry *x)
{
    size_t at = b->entries.n;
    cm_audit_entry timed = *x;
    cm_err e = cm_buf_be16(&b->entries, 0);

    timed.time_ms = CM_MAX(x->time_ms, b->last_ms); /* */
    if (cm_ok(e)) {
        e = cm_audit_entry_encode(&b->entries, &timed);
    }
    if (cm_ok(e) && b->entries.n - at - 2 > CM_AUDIT_ENTRY_MAX) {
        e = CM_FAIL(TOO_BIG);
    }
    if (cm_failed(e)) {
        b->entries.n = at;
        return e;
    }
    b->last_ms = timed.time_ms;
    cm_put_be16(b->entries.p + at, (uint16_t)(b->entries.n - at - 2));
    b->at[b->leaves++] = (uint32_t)at;
    b->at[b->leaves] = (uint32_t)b->entries.n;
    return CM_OKAY;
}

/* The entry goes in first: what can't be logged does not happen. A refusal for want of budget is
 * logged alone. */
static cm_err judge_one(cm_batch *b, cm_unit *u, const uint32_t *ref, uint64_t unit, uint64_t first,
                        uint64_t now_ms)
{
    const cm_audit_entry *x = u->entry;

    u->result = check(b, u, ref, unit, now_ms);
    if (cm_failed(u->result)) {
        x = cm_is(u->result, CM_COMMIT_BUDGET) ? u->refused : NULL;
    }
    u->leaf = first + b->leaves;
    if (x) {
        cm_err e = add_entry(b, x);

        if (cm_failed(e)) {
            u->result = e;
        }
        u->time_ms = b->last_ms;
    }
    return cm_ok(u->result) ? apply(b, u, ref, unit) : CM_OKAY;
}

cm_err cm_batch_judge(cm_batch *b, cm_unit *units, uint64_t first, uint64_t now_ms)
{
    const uint32_t *ref = b->ref;
    uint64_t unit = 0;

    for (cm_unit *u = units; u; u = u->next) {
        CM_TRY(judge_one(b, u, ref, ++unit, first, now_ms));
        ref += u->expects_n + u->writes_n + u->bumps_n;
    }
    for (size_t i = 0; i < b->slots; i++) {
        cm_batch_slot *s = &b->slot[i];

        if (s->bumped) {
            cm_counter_put(s->row, &s->at);
            CM_TRY(cm_batch_put(b, s->key, s->now, CM_VIEW(s->row)));
        }
    }
    return CM_OKAY;
}

/* ---- rows ---- */

cm_view cm_batch_entry(const cm_batch *b, size_t i)
{
    return cm_view_of(b->entries.p + b->at[i] + 2, b->at[i + 1] - b->at[i] - 2);
}

cm_err cm_batch_put(cm_batch *b, cm_view key, uint64_t version, cm_view value)
{
    CM_TRY(grow(&b->write, &b->writes_cap, b->writes + 1, sizeof *b->write));
    b->write[b->writes++] = (cm_store_write){key, version, value};
    return CM_OKAY;
}

cm_path *cm_batch_path(cm_batch *b)
{
    if (b->paths == CM_BATCH_LOG_ROWS) {
        __builtin_trap(); /* CM_BATCH_UNITS leaves can't touch as many */
    }
    return &b->path[b->paths++];
}

/* one row a bundle at most. */
cm_err cm_batch_put_entries(cm_batch *b, uint64_t first)
{
    for (size_t i = 0; i < b->leaves;) {
        uint64_t index = first + i;
        size_t n = CM_MIN(b->leaves - i, (size_t)(CM_TILE_WIDTH - index % CM_TILE_WIDTH));
        cm_path *p = cm_batch_path(b);

        cm_log_entry_path(p, index);
        CM_TRY(cm_batch_put(b, cm_path_view(p), 1,
                            cm_view_of(b->entries.p + b->at[i], b->at[i + n] - b->at[i])));
        i += n;
    }
    return CM_OKAY;
}
