#include "day_kit.h"

#include <stdio.h>
#include <stdlib.h>

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    (void)fprintf(stderr, "day_kit: %s\n", what);
    exit(1);
}

t_day *t_day_new(void)
{
    t_day *d;

    must(cm_ok(cm_alloc(&d, sizeof *d)) && cm_ok(cm_crypt_new(&d->crypt, CM_PROFILE_DEFAULT)),
         "new");
    for (size_t i = 0; i < CM_COUNT(d->own); i++)
        must(
            cm_ok(cm_sig_generate(&d->own[i], d->crypt, i % 2 ? CM_SIG_MLDSA65 : CM_SIG_SECP256K1)),
            "keys");
    d->keys[0].keys.secp = d->own[0];
    d->keys[1].keys.mldsa = d->own[1];
    d->keys[2].keys = (cm_market_keys){d->own[2], d->own[3]};
    d->file.max = 16u << 20;
    must(cm_ok(cm_buf_reserve(&d->file, CM_DAY_HEAD)), "file");
    cm_day_head(d->file.p);
    d->file.n = CM_DAY_HEAD;
    return d;
}

void t_day_free(t_day *d)
{
    for (size_t i = 0; i < CM_COUNT(d->own); i++)
        cm_sig_key_free(d->own[i]);
    cm_crypt_free(d->crypt);
    cm_buf_free(&d->file);
    cm_free(d);
}

static void put(t_day *d, cm_view record)
{
    uint8_t prefix[CM_DAY_PREFIX];

    must(d->records < T_DAY_RECORDS, "too many records");
    d->at[d->records++] = d->file.n;
    cm_day_prefix(prefix, record.n);
    must(cm_ok(cm_buf_append(&d->file, CM_VIEW(prefix))) && cm_ok(cm_buf_append(&d->file, record)),
         "append");
}

static cm_market_head head(t_day *d)
{
    cm_market_head h = {.issued_ms = T_DAY_NOW, .expires_ms = T_DAY_NOW + 1000};

    cm_put_be64(h.nonce, ++d->nonce);
    return h;
}

static cm_poai receipt(t_day *d)
{
    return (cm_poai){
        .head = head(d), .compute_ms = 7, .model = {1}, .node = {2}, .input = {3}, .output = {4}};
}

void t_day_receipt(t_day *d, size_t who)
{
    CM_AUTO(cm_buf_free) cm_buf out = {.max = CM_MARKET_RECORD_MAX};
    cm_poai r = receipt(d);

    must(cm_ok(cm_poai_sign(&out, d->crypt, &d->keys[who].keys, &r)), "receipt");
    put(d, cm_buf_view(&out));
}

void t_day_settlement(t_day *d, size_t who)
{
    CM_AUTO(cm_buf_free) cm_buf out = {.max = CM_MARKET_RECORD_MAX};
    cm_settlement s = {
        .head = head(d), .job = {1}, .provider = {2}, .consumer = {3}, .receipt = {4}};

    must(cm_ok(cm_settle_sign(&out, d->crypt, &d->keys[who].keys, &s)), "settlement");
    put(d, cm_buf_view(&out));
}

/* Statements, tree and signed head of a batch. */
typedef struct {
    cm_poai *r;
    uint8_t (*leaves)[32];
    cm_batch_tree *tree;
    cm_buf head;
} made;

static made make(t_day *d, size_t who, size_t leaves)
{
    cm_batch_head h = {.head = head(d)};
    made m = {.head = {.max = CM_MARKET_RECORD_MAX}};
    uint8_t id[32];

    must(cm_ok(cm_alloc_array(&m.r, leaves, sizeof *m.r)) &&
             cm_ok(cm_alloc_array(&m.leaves, leaves, 32)) &&
             cm_ok(cm_market_key_id(d->crypt, id, &d->keys[who].keys)),
         "batch");
    for (size_t i = 0; i < leaves; i++) {
        m.r[i] = receipt(d);
        must(cm_ok(cm_batch_leaf(m.leaves[i], &m.r[i], id)), "leaf");
    }
    must(cm_ok(cm_batch_tree_new(&m.tree, (const uint8_t(*)[32])m.leaves, leaves)) &&
             cm_ok(cm_batch_seal(&m.head, d->crypt, &d->keys[who].keys, &h, m.tree)),
         "seal");
    return m;
}

static void drop(made *m)
{
    cm_free(m->r);
    cm_free(m->leaves);
    cm_batch_tree_free(m->tree);
    cm_buf_free(&m->head);
}

void t_day_leaf(t_day *d, size_t who)
{
    CM_AUTO(cm_buf_free) cm_buf out = {.max = CM_MARKET_RECORD_MAX};
    made m = make(d, who, 5);

    must(cm_ok(cm_batch_record(&out, m.tree, 3, &m.r[3], cm_buf_view(&m.head))), "leaf's record");
    put(d, cm_buf_view(&out));
    drop(&m);
}

void t_day_batch(t_day *d, size_t who, size_t leaves)
{
    made m = make(d, who, leaves);
    uint8_t bytes[CM_POAI_SIZE];

    put(d, cm_buf_view(&m.head));
    for (size_t i = 0; i < leaves; i++)
        must(cm_ok(cm_poai_encode(bytes, &m.r[i])) &&
                 cm_ok(cm_buf_append(&d->file, CM_VIEW(bytes))),
             "statement");
    drop(&m);
}

void t_day_end(t_day *d)
{
    uint8_t tail[CM_DAY_TAIL];

    cm_day_tail(tail, d->records);
    must(cm_ok(cm_buf_append(&d->file, CM_VIEW(tail))), "tail");
}

static cm_err read_file(void *arg, uint8_t *p, size_t n, size_t *got)
{
    t_day *d = arg;

    *got = CM_MIN(n, d->file.n - d->read);
    memcpy(p, d->file.p + d->read, *got);
    d->read += *got;
    return CM_OKAY;
}

cm_day_options t_day_options(t_day *d, unsigned threads)
{
    d->read = 0;
    return (cm_day_options){.crypt = d->crypt,
                            .keys = d->keys,
                            .key_count = T_DAY_KEYS,
                            .policy = {.any_time = true},
                            .threads = threads,
                            .read = read_file,
                            .arg = d};
}
