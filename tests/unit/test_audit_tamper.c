/*
 * What an operator with full access to the database, and at last with the log's own keys, can do to
 * the log, and that each of it shows to someone with public keys, an old checkpoint or a receipt.
 */
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "audit/log.h"
#include "audit/witness.h"
#include "crypt/merkle.h"
#include "log_kit.h"

#define assert_reason(reason, e) assert_string_equal(cm_err_name(CM_FAIL(reason)), cm_err_name(e))
#define assert_okay(e)           assert_string_equal("OK", cm_err_name(e))

enum { ENTRIES = 300, KEPT = 200 };

typedef struct {
    t_log *l;
    cm_buf kept;    /* a checkpoint over KEPT entries, as an auditor took it home */
    cm_buf receipt; /* of the last entry */
    cm_buf old_db;  /* the database when the checkpoint was taken */
} victim;

static cm_buf stored_note(t_log *l)
{
    cm_buf b = {.max = CM_NOTE_MAX};

    assert_okay(cm_log_note_read(&b, l->store));
    return b;
}

/* KEPT entries, a checkpoint, more entries, a receipt; then the server is stopped. */
static int start(void **state)
{
    victim *v = calloc(1, sizeof *v);
    cm_audit_entry e = t_log_entry(ENTRIES - 1);
    cm_unit u = {.entry = &e, .want_receipt = true};

    assert_non_null(v);
    v->l = t_log_new(1);
    t_log_add(v->l, 0, KEPT);
    t_log_settle(v->l);
    v->kept = stored_note(v->l);
    t_log_close(v->l);
    v->old_db.max = 1 << 26;
    t_get_file(&v->old_db, v->l->db);
    assert_okay(t_log_open(v->l));
    t_log_add(v->l, KEPT, ENTRIES - KEPT - 1);
    assert_okay(cm_committer_commit(v->l->committer, &u));
    v->receipt = u.receipt;
    t_log_close(v->l);
    *state = v;
    return 0;
}

static int stop(void **state)
{
    victim *v = *state;

    cm_buf_free(&v->kept);
    cm_buf_free(&v->receipt);
    cm_buf_free(&v->old_db);
    t_log_done(v->l);
    free(v);
    return 0;
}

/* ---- the operator's hands ---- */

static void with_key(t_log *l, const char *text, const cm_path *key, cm_view value)
{
    sqlite3_stmt *st;
    sqlite3 *db;

    assert_int_equal(SQLITE_OK, sqlite3_open(l->db, &db));
    assert_int_equal(SQLITE_OK, sqlite3_prepare_v2(db, text, -1, &st, NULL));
    assert_int_equal(SQLITE_OK, sqlite3_bind_blob(st, 1, key->b, (int)key->n, SQLITE_STATIC));
    if (sqlite3_bind_parameter_count(st) > 1) {
        assert_int_equal(SQLITE_OK, sqlite3_bind_blob(st, 2, value.p, (int)value.n, SQLITE_STATIC));
    }
    assert_int_equal(SQLITE_DONE, sqlite3_step(st));
    assert_int_equal(1, sqlite3_changes(db));
    sqlite3_finalize(st);
    sqlite3_close(db);
}

static void set_row(t_log *l, const cm_path *key, cm_view value)
{
    with_key(l, "UPDATE rows SET v = ?2 WHERE k = ?1", key, value);
}

static void remove_row(t_log *l, const cm_path *key)
{
    with_key(l, "DELETE FROM rows WHERE k = ?1", key, cm_view_of(NULL, 0));
}

/* The first run of entries from index on, at most 255 further on, and where it begins. */
static cm_buf run_at(t_log *l, cm_path *key, uint64_t index)
{
    cm_buf b = {.max = 1 << 20};
    uint64_t version;

    for (;; index++) {
        cm_log_entry_path(key, index);
        if (cm_ok(cm_store_get(l->store, cm_path_view(key), &b, &version))) {
            return b;
        }
    }
}

/* ---- the auditor's eyes ---- */

static cm_err look(t_log *l)
{
    cm_audit_trust t = t_log_trust(l);
    cm_log_view v = cm_log_view_store(l->store);
    cm_audit_extent at;

    return cm_audit_check_log(&at, &t, &v, NULL);
}

/* Against the checkpoint that was taken home. */
static cm_err compare(const victim *v, t_log *now)
{
    CM_AUTO(cm_buf_free) cm_buf proof = {.max = 65 * 32};
    CM_AUTO(cm_buf_free) cm_buf note = {.max = CM_NOTE_MAX};
    cm_audit_trust t = t_log_trust(v->l);
    cm_log_view view = cm_log_view_store(now->store);
    cm_err e;

    assert_okay(view.note(view.self, &note));
    e = cm_log_proof_since(&proof, &view, KEPT);
    if (cm_failed(e)) {
        return e;
    }
    return cm_audit_check_consistency(&t, cm_buf_view(&v->kept), cm_buf_view(&note),
                                      cm_buf_view(&proof));
}

static void open_store(t_log *l)
{
    /* The committer may refuse; the store is what is looked at. */
    cm_err e = t_log_open(l);

    (void)e;
}

/* What nobody touched passes. */
static void nothing_was_done(void **state)
{
    victim *v = *state;
    cm_audit_trust t = t_log_trust(v->l);
    cm_audit_checked c;
    cm_receipt r;

    assert_okay(t_log_open(v->l));
    assert_okay(look(v->l));
    assert_okay(compare(v, v->l));
    assert_okay(cm_audit_check_receipt(&c, &r, &t, cm_buf_view(&v->receipt), cm_view_of(NULL, 0)));
    cm_receipt_done(&r);
}

/* the checkpoint says more than there is. */
static void the_tail_is_cut(void **state)
{
    victim *v = *state;
    uint8_t head[40] = {0};
    cm_path p;

    cm_put_be64(head, ENTRIES - 10);
    cm_log_head_path(&p);
    set_row(v->l, &p, CM_VIEW(head));
    assert_reason(AUDIT_DAMAGED, t_log_open(v->l));
    t_log_close(v->l);
    /* done with more care: what is cut is removed, the head's root is right */
    {
        t_log *other = t_log_new(1);
        cm_log_head h;

        t_log_add(other, 0, ENTRIES - 10);
        assert_okay(cm_log_head_read(&h, other->store));
        memcpy(head + 8, h.root, 32);
        t_log_done(other);
    }
    set_row(v->l, &p, CM_VIEW(head));
    cm_log_entry_path(&p, ENTRIES - 1);
    remove_row(v->l, &p);
    assert_reason(AUDIT_ROLLBACK, t_log_open(v->l));
    assert_true(cm_failed(look(v->l)));
}

static void entries_change_places(void **state)
{
    victim *v = *state;
    cm_view rest, a, b;
    cm_buf run, swapped = {.max = 1 << 20};
    cm_path p;

    open_store(v->l);
    run = run_at(v->l, &p, 256);
    t_log_close(v->l);
    rest = cm_buf_view(&run);
    assert_true(cm_log_entry_next(&rest, &a));
    assert_true(cm_log_entry_next(&rest, &b));
    assert_okay(cm_buf_append(&swapped, cm_view_of(b.p - 2, b.n + 2)));
    assert_okay(cm_buf_append(&swapped, cm_view_of(a.p - 2, a.n + 2)));
    assert_okay(cm_buf_append(&swapped, rest));
    set_row(v->l, &p, cm_buf_view(&swapped));
    assert_reason(AUDIT_DAMAGED, t_log_open(v->l));
    assert_reason(AUDIT_TILE, look(v->l));
    cm_buf_free(&run);
    cm_buf_free(&swapped);
}

/* An entry of a full bundle: the server starts, for it does not read that far back, but the tile
 * tells; and where the tile was made to fit, the root. */
static void an_entry_is_rewritten(void **state)
{
    victim *v = *state;
    cm_audit_trust trust = t_log_trust(v->l);
    cm_log_view view;
    cm_audit_extent at;
    cm_buf run, tile = {.max = 8192};
    cm_view rest, entry;
    uint64_t version;
    cm_path p, t;

    open_store(v->l);
    run = run_at(v->l, &p, 0);
    cm_log_tile_path(&t, 0, 0);
    assert_okay(cm_store_get(v->l->store, cm_path_view(&t), &tile, &version));
    t_log_close(v->l);
    for (uint8_t *q = run.p; q + 4 <= run.p + run.n; q++) {
        if (memcmp(q, "acme", 4) == 0) {
            memcpy(q, "evil", 4);
            break;
        }
    }
    set_row(v->l, &p, cm_buf_view(&run));
    open_store(v->l);
    view = cm_log_view_store(v->l->store);
    assert_reason(AUDIT_TILE, cm_audit_check_log(&at, &trust, &view, NULL));
    assert_string_equal("tile/0/000", at.file);
    t_log_close(v->l);
    rest = cm_buf_view(&run);
    assert_true(cm_log_entry_next(&rest, &entry));
    cm_merkle_leaf(tile.p, cm_view_of(NULL, 0), entry);
    set_row(v->l, &t, cm_buf_view(&tile));
    open_store(v->l);
    view = cm_log_view_store(v->l->store);
    assert_reason(AUDIT_TILE, cm_audit_check_log(&at, &trust, &view, NULL));
    assert_string_equal("tile/1/000.p/1", at.file);
    cm_buf_free(&run);
    cm_buf_free(&tile);
}

/* The operator has the log's keys and makes another log of the same size. Each alone is without
 * fault; side by side they are not, nor beside what was seen before. */
static void a_fork(void **state)
{
    victim *v = *state;
    t_log *other = t_log_new(1);

    t_log_add(other, 1000, ENTRIES);
    t_log_settle(other);
    assert_okay(look(other));
    assert_reason(AUDIT_FORK, compare(v, other));
    t_log_done(other);
}

static void put_back(t_log *l, const cm_buf *db)
{
    char path[T_PATH + 8];

    (void)snprintf(path, sizeof path, "%s-wal", l->db);
    (void)remove(path);
    (void)snprintf(path, sizeof path, "%s-shm", l->db);
    (void)remove(path);
    t_put_file(l->db, cm_buf_view(db));
}

/* All of it is genuine, and old. */
static void an_old_database_is_put_back(void **state)
{
    victim *v = *state;
    cm_buf newest;
    t_log *again;
    CM_AUTO(cm_buf_free) cm_buf proof = {.max = 65 * 32};
    cm_log_view view;
    cm_checkpoint c;
    cm_audit_trust t = t_log_trust(v->l);

    assert_okay(t_log_open(v->l));
    newest = stored_note(v->l);
    t_log_close(v->l);
    put_back(v->l, &v->old_db);
    again = t_log_at(1, v->l->db); /* whose signer remembers nothing */
    assert_okay(t_log_open(again));
    view = cm_log_view_store(again->store);
    assert_reason(AUDIT_SHRUNK, cm_log_proof_since(&proof, &view, ENTRIES));
    assert_reason(AUDIT_SHRUNK, cm_witness_check(&c, &t, cm_buf_view(&newest),
                                                 cm_buf_view(&v->kept), cm_view_of(NULL, 0)));
    /* and it stays visible once the log has outgrown the old size */
    t_log_add(again, 5000, 200);
    t_log_settle(again);
    {
        CM_AUTO(cm_buf_free) cm_buf grown = stored_note(again);

        assert_okay(cm_log_proof_since(&proof, &view, ENTRIES));
        assert_reason(AUDIT_FORK, cm_witness_check(&c, &t, cm_buf_view(&newest),
                                                   cm_buf_view(&grown), cm_buf_view(&proof)));
    }
    /* nor does the receipt's entry come back */
    {
        CM_AUTO(cm_buf_free) cm_buf now = {.max = CM_RECEIPT_MAX};
        cm_receipt a = {0}, b = {0};

        assert_okay(cm_log_receipt(&now, &view, ENTRIES - 1));
        assert_okay(cm_receipt_parse(&a, cm_buf_view(&v->receipt)));
        assert_okay(cm_receipt_parse(&b, cm_buf_view(&now)));
        assert_int_equal(a.index, b.index);
        assert_false(cm_view_eq(cm_buf_view(&a.extra), cm_buf_view(&b.extra)));
        cm_receipt_done(&a);
        cm_receipt_done(&b);
    }
    cm_buf_free(&newest);
    t_log_done(again);
}

typedef struct {
    uint64_t size;
    uint8_t root[32];
} kept;

static cm_err load(void *self, uint64_t *size, uint8_t root[32])
{
    const kept *k = self;

    *size = k->size;
    memcpy(root, k->root, 32);
    return CM_OKAY;
}

static cm_err save(void *self, uint64_t size, const uint8_t root[32])
{
    kept *k = self;

    k->size = size;
    memcpy(k->root, root, 32);
    return CM_OKAY;
}

static uint64_t now_ms(void *arg)
{
    return *(uint64_t *)arg;
}

/* the server itself notices what an anchor outside the database remembers otherwise. */
static void an_anchor(void **state)
{
    victim *v = *state;
    kept k = {0};
    cm_committer_options o = {.crypt = v->l->crypt,
                              .signer = cm_audit_local_signer(v->l->signer),
                              .origin = T_LOG_ORIGIN,
                              .now_ms = now_ms,
                              .now_arg = &v->l->now_ms,
                              .depth = 4096,
                              .anchor = {load, save, &k}};
    cm_committer *c = NULL;

    for (unsigned i = 0; i < 2; i++) {
        assert_okay(t_log_open(v->l));
        cm_committer_free(v->l->committer);
        o.store = v->l->store;
        assert_okay(cm_committer_new(&v->l->committer, &o));
        t_log_add(v->l, 9000, 10);
        t_log_close(v->l);
        assert_int_equal(ENTRIES + 10 + 10 * i, k.size);
    }
    assert_okay(t_log_open(v->l));
    cm_committer_free(v->l->committer);
    v->l->committer = NULL;
    o.store = v->l->store;
    k.root[0] ^= 1;
    assert_reason(AUDIT_ROLLBACK, cm_committer_new(&c, &o));
    k.root[0] ^= 1;
    t_log_close(v->l);
    put_back(v->l, &v->old_db);
    {
        t_log *again = t_log_at(1, v->l->db);

        assert_okay(t_log_open(again)); /* nothing in the database tells */
        cm_committer_free(again->committer);
        again->committer = NULL;
        o.store = again->store;
        assert_reason(AUDIT_ROLLBACK, cm_committer_new(&c, &o));
        t_log_done(again);
    }
}

/* the same entries under a key of the operator's own. */
static void everything_is_rebuilt_with_a_new_key(void **state)
{
    victim *v = *state;
    cm_audit_trust t = t_log_trust(v->l);
    t_log *other = t_log_new(2);
    cm_log_view view;
    cm_audit_extent at;
    cm_err e;

    t_log_add(other, 0, ENTRIES);
    t_log_settle(other);
    view = cm_log_view_store(other->store);
    assert_reason(AUDIT_UNSIGNED, cm_audit_check_log(&at, &t, &view, NULL));
    t_log_close(other);
    /* and the server with the old keys does not go on with it */
    t_log_close(v->l);
    (void)snprintf(v->l->db, sizeof v->l->db, "%s", other->db);
    e = t_log_open(v->l);
    assert_reason(AUDIT_UNSIGNED, e);
    t_log_close(v->l);
    t_log_done(other);
}

/* a witness sees the log once it has grown, and never a second one. */
static void a_witness(void **state)
{
    victim *v = *state;
    cm_audit_trust t = t_log_trust(v->l);
    CM_AUTO(cm_buf_free) cm_buf proof = {.max = 65 * 32};
    CM_AUTO(cm_buf_free) cm_buf lines = {.max = CM_NOTE_MAX};
    CM_AUTO(cm_buf_free) cm_buf merged = {.max = CM_NOTE_MAX};
    CM_AUTO(cm_buf_free) cm_buf newest = {.max = CM_NOTE_MAX};
    cm_audit_keys keys = {0};
    uint8_t seed[32] = {77};
    cm_audit_checked checked;
    cm_log_view view;
    cm_checkpoint c;
    cm_vkey w;

    assert_okay(t_log_open(v->l));
    view = cm_log_view_store(v->l->store);
    assert_okay(view.note(view.self, &newest));
    assert_okay(
        cm_witness_check(&c, &t, cm_view_of(NULL, 0), cm_buf_view(&v->kept), cm_view_of(NULL, 0)));
    assert_int_equal(KEPT, c.size);
    assert_okay(cm_log_proof_since(&proof, &view, KEPT));
    assert_reason(AUDIT_FORK, cm_witness_check(&c, &t, cm_buf_view(&v->kept), cm_buf_view(&newest),
                                               cm_view_of(NULL, 0)));
    assert_okay(
        cm_witness_check(&c, &t, cm_buf_view(&v->kept), cm_buf_view(&newest), cm_buf_view(&proof)));
    assert_int_equal(ENTRIES, c.size);
    proof.p[0] ^= 1;
    assert_reason(AUDIT_FORK, cm_witness_check(&c, &t, cm_buf_view(&v->kept), cm_buf_view(&newest),
                                               cm_buf_view(&proof)));
    assert_reason(MERKLE_PROOF, cm_witness_check(&c, &t, cm_view_of(NULL, 0), cm_buf_view(&newest),
                                                 cm_buf_view(&proof)));
    assert_okay(cm_audit_keys_derive(&keys, v->l->crypt, CM_VIEW(seed)));
    assert_okay(cm_vkey_init(&w, v->l->crypt, "w.example", CM_VKEY_COSIGN_MLDSA44, keys.mldsa44));
    assert_okay(cm_witness_sign(&lines, &w, 1, cm_buf_view(&newest), 12345));
    assert_okay(cm_note_merge(&merged, cm_buf_view(&newest), cm_buf_view(&lines)));
    t.witness = &w;
    t.witness_n = t.quorum = 1;
    assert_reason(AUDIT_QUORUM, cm_audit_check_note(&checked, &t, cm_buf_view(&newest)));
    assert_okay(cm_audit_check_note(&checked, &t, cm_buf_view(&merged)));
    assert_int_equal(12345, checked.time);
    newest.n = 0;
    assert_okay(cm_note_merge(&newest, cm_buf_view(&merged), cm_buf_view(&lines))); /* once only */
    assert_int_equal(merged.n, newest.n);
    w.type = CM_VKEY_MLDSA65;
    assert_reason(AUDIT_KEY, cm_witness_sign(&lines, &w, 1, cm_buf_view(&merged), 1));
    cm_audit_keys_done(&keys);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(nothing_was_done),
        CASE(the_tail_is_cut),
        CASE(entries_change_places),
        CASE(an_entry_is_rewritten),
        CASE(a_fork),
        CASE(an_old_database_is_put_back),
        CASE(an_anchor),
        CASE(everything_is_rebuilt_with_a_new_key),
        CASE(a_witness),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
