/* market make FILE RECEIPTS batch|secp: a day's file, of batches or of receipts signed each.
 * market day FILE: verifies it, with the memory that took.
 * market batch: ML-DSA-65 batches signed, a receipt verified alone beside a signature.
 * market product DIMENSION: a product of matrices, and its check. JSON lines. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/os.h"
#include "base/pool.h"
#include "market/batch.h"
#include "market/day.h"
#include "market/opening.h"

enum { BATCH = 100000, LEAVES = 1 << 17, ROUNDS = 2000, BLOCK = 64, BEACON = 6 };

static cm_crypt *crypt;
static cm_sig_key *secp, *mldsa;

static void fine(cm_err e, const char *what)
{
    if (cm_ok(e))
        return;
    (void)fprintf(stderr, "market: %s: %s\n", what, cm_err_name(e));
    exit(1);
}

static double now(void)
{
    return 1e-9 * (double)cm_os_monotonic_ns();
}

static double cpu(struct rusage *u)
{
    (void)getrusage(RUSAGE_SELF, u);
    return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) +
           1e-6 * (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec);
}

static void rate(const char *name, size_t n, double wall, double used)
{
    (void)printf("{\"name\":\"%s\",\"n\":%zu,\"per_second\":%.1f,\"cpu_us\":%.4f}\n", name, n,
                 (double)n / wall, 1e6 * used / (double)n);
    (void)fflush(stdout);
}

static void make_keys(void)
{
    uint8_t seed[32] = {7};

    fine(cm_crypt_new(&crypt, CM_PROFILE_DEFAULT), "crypt");
    fine(cm_sig_from_seed(&secp, crypt, CM_SIG_SECP256K1, CM_VIEW(seed)), "secp256k1");
    fine(cm_sig_from_seed(&mldsa, crypt, CM_SIG_MLDSA65, CM_VIEW(seed)), "ML-DSA-65");
}

static cm_market_head head(uint64_t n)
{
    cm_market_head h = {.issued_ms = 1800000000000u, .expires_ms = 1800000000000u + 3600000};

    cm_put_be64(h.nonce, n + 1);
    return h;
}

static cm_poai receipt(uint64_t n)
{
    cm_poai r = {.head = head(n), .compute_ms = 120, .model = {1}, .node = {2}, .output = {4}};

    cm_put_be64(r.input, n + 1);
    return r;
}

/* ---- a day --------------------------------------------------------------------------------- */

static void put(FILE *f, cm_view v)
{
    if (fwrite(v.p, 1, v.n, f) != v.n)
        fine(CM_FAIL(IO_WRITE), "write");
}

static void put_record(FILE *f, const cm_buf *record)
{
    uint8_t prefix[CM_DAY_PREFIX];

    cm_day_prefix(prefix, record->n);
    put(f, CM_VIEW(prefix));
    put(f, cm_buf_view(record));
}

/* One of a batch: statements, leaves. */
typedef struct {
    cm_poai *r;
    uint8_t (*leaves)[32];
    cm_batch_tree *tree;
    cm_buf head;
} batch;

static void batch_make(batch *b, size_t n, uint64_t from)
{
    cm_market_keys k = {.mldsa = mldsa};
    cm_batch_head h = {.head = head(from)};
    uint8_t id[32];

    fine(cm_market_key_id(crypt, id, &k), "key id");
    for (size_t i = 0; i < n; i++) {
        b->r[i] = receipt(from + i);
        fine(cm_batch_leaf(b->leaves[i], &b->r[i], id), "leaf");
    }
    fine(cm_batch_tree_new(&b->tree, (const uint8_t(*)[32])b->leaves, n), "tree");
    b->head = (cm_buf){.max = CM_MARKET_RECORD_MAX};
    fine(cm_batch_seal(&b->head, crypt, &k, &h, b->tree), "seal");
}

static void batch_clear(batch *b)
{
    cm_batch_tree_free(b->tree);
    cm_buf_free(&b->head);
    b->tree = NULL;
}

static void batch_room(batch *b, size_t n)
{
    *b = (batch){.head = {.max = 1}};
    fine(cm_alloc_array(&b->r, n, sizeof *b->r), "memory");
    fine(cm_alloc_array(&b->leaves, n, 32), "memory");
}

static uint64_t make_batches(FILE *f, uint64_t receipts)
{
    uint8_t bytes[CM_POAI_SIZE];
    uint64_t records = 0;
    batch b;

    batch_room(&b, BATCH);
    for (uint64_t at = 0; at < receipts; at += BATCH, records++) {
        size_t n = (size_t)CM_MIN(receipts - at, (uint64_t)BATCH);

        batch_make(&b, n, at);
        put_record(f, &b.head);
        for (size_t i = 0; i < n; i++) {
            fine(cm_poai_encode(bytes, &b.r[i]), "statement");
            put(f, CM_VIEW(bytes));
        }
        batch_clear(&b);
    }
    cm_free(b.r);
    cm_free(b.leaves);
    return records;
}

static uint64_t make_records(FILE *f, uint64_t receipts)
{
    cm_market_keys k = {.secp = secp};

    for (uint64_t i = 0; i < receipts; i++) {
        CM_AUTO(cm_buf_free) cm_buf out = {.max = CM_MARKET_RECORD_MAX};
        cm_poai r = receipt(i);

        fine(cm_poai_sign(&out, crypt, &k, &r), "sign");
        put_record(f, &out);
    }
    return receipts;
}

static void make_day(const char *path, uint64_t receipts, bool batches)
{
    uint8_t begin[CM_DAY_HEAD], end[CM_DAY_TAIL];
    FILE *f = fopen(path, "wb");

    if (!f)
        fine(CM_FAIL(IO_OPEN), path);
    cm_day_head(begin);
    put(f, CM_VIEW(begin));
    cm_day_tail(end, batches ? make_batches(f, receipts) : make_records(f, receipts));
    put(f, CM_VIEW(end));
    if (fclose(f) != 0)
        fine(CM_FAIL(IO_WRITE), path);
}

static cm_err read_some(void *arg, uint8_t *p, size_t n, size_t *got)
{
    return cm_os_read(*(const int *)arg, p, n, got);
}

static void verify_day(const char *path)
{
    cm_day_key keys[] = {{.keys = {.secp = secp}}, {.keys = {.mldsa = mldsa}}};
    CM_AUTO(cm_os_close_fd) int fd = -1;
    cm_day_options o = {.crypt = crypt,
                        .keys = keys,
                        .key_count = CM_COUNT(keys),
                        .policy = {.any_time = true},
                        .read = read_some,
                        .arg = &fd};
    cm_day_counts counts;
    cm_day_place bad;
    struct rusage u;
    double wall, used;

    fine(cm_os_open_read(&fd, path), path);
    used = cpu(&u);
    wall = now();
    fine(cm_day_verify(&counts, &bad, &o), "day");
    wall = now() - wall;
    used = cpu(&u) - used;
    (void)printf("{\"name\":\"day\",\"receipts\":%llu,\"batches\":%llu,\"bytes\":%llu,"
                 "\"seconds\":%.3f,\"per_second\":%.1f,\"cpu_us\":%.4f,\"threads\":%u,"
                 "\"rss_mib\":%.1f}\n",
                 (unsigned long long)counts.receipts, (unsigned long long)counts.batches,
                 (unsigned long long)counts.bytes, wall, (double)counts.receipts / wall,
                 1e6 * used / (double)counts.receipts, cm_cpu_count(), (double)u.ru_maxrss / 1024);
}

/* ---- batches ------------------------------------------------------------------------------- */

static void one_signature(cm_view sig, cm_view statement)
{
    struct rusage u;
    double wall = now(), used = cpu(&u);

    for (size_t i = 0; i < ROUNDS; i++)
        fine(cm_verify(mldsa, CM_LIT("casemate-poai-batch-v1"), statement, sig), "verify");
    rate("ML-DSA-65 verify", ROUNDS, now() - wall, cpu(&u) - used);
}

/* As somebody does who has the key's bytes and one signature, or one receipt. */
static void stranger(const batch *b, cm_view record)
{
    cm_view h = cm_buf_view(&b->head), pk = cm_sig_public(mldsa);
    cm_market_policy p = {.any_time = true};
    struct rusage u;
    double wall, used;
    cm_poai r;

    for (int whole = 0; whole < 2; whole++) {
        wall = now();
        used = cpu(&u);
        for (size_t i = 0; i < ROUNDS; i++) {
            CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;

            fine(cm_sig_from_public(&k, crypt, CM_SIG_MLDSA65, pk), "public key");
            if (whole)
                fine(cm_poai_verify(&r, crypt, &(cm_market_keys){.mldsa = k}, &p, record), "alone");
            else
                fine(cm_verify(k, CM_LIT("casemate-poai-batch-v1"),
                               cm_view_sub(h, 0, CM_BATCH_SIZE),
                               cm_view_sub(h, CM_BATCH_SIZE, CM_MARKET_MLDSA_SIG)),
                     "verify");
        }
        rate(whole ? "verify alone, new key" : "ML-DSA-65 verify, new key", ROUNDS, now() - wall,
             cpu(&u) - used);
    }
}

static void alone(const batch *b)
{
    cm_market_policy p = {.any_time = true};
    cm_market_keys k = {.mldsa = mldsa};
    CM_AUTO(cm_buf_free) cm_buf record = {.max = CM_MARKET_RECORD_MAX};
    struct rusage u;
    double wall, used;
    cm_poai r;

    fine(cm_batch_record(&record, b->tree, 77777, &b->r[77777], cm_buf_view(&b->head)), "record");
    wall = now();
    used = cpu(&u);
    for (size_t i = 0; i < ROUNDS; i++)
        fine(cm_poai_verify(&r, crypt, &k, &p, cm_buf_view(&record)), "alone");
    rate("verify alone", ROUNDS, now() - wall, cpu(&u) - used);
    stranger(b, cm_buf_view(&record));
}

/* What a signer does for each receipt of a batch: leaf, its share of tree and signature, and the
 * record that is handed out. */
static void sign_batches(void)
{
    CM_AUTO(cm_buf_free) cm_buf record = {.max = CM_MARKET_RECORD_MAX};
    struct rusage u;
    double wall, used;
    batch b;

    batch_room(&b, LEAVES);
    wall = now();
    used = cpu(&u);
    batch_make(&b, LEAVES, 0);
    rate("batch, signed", LEAVES, now() - wall, cpu(&u) - used);
    for (size_t i = 0; i < LEAVES; i++) {
        record.n = 0;
        fine(cm_batch_record(&record, b.tree, i, &b.r[i], cm_buf_view(&b.head)), "record");
    }
    rate("batch, signed and handed out", LEAVES, now() - wall, cpu(&u) - used);
    for (int i = 0; i < 2; i++) {
        cm_view h = cm_buf_view(&b.head);

        one_signature(cm_view_sub(h, CM_BATCH_SIZE, CM_MARKET_MLDSA_SIG),
                      cm_view_sub(h, 0, CM_BATCH_SIZE));
        alone(&b);
    }
    batch_clear(&b);
    cm_free(b.r);
    cm_free(b.leaves);
}

/* ---- products ------------------------------------------------------------------------------ */

/* c += a b over blocks of rows of b that stay in the cache. */
static void product(int64_t *restrict c, const int32_t *a, const int32_t *b, size_t n)
{
    for (size_t k0 = 0; k0 < n; k0 += BLOCK)
        for (size_t i = 0; i < n; i++)
            for (size_t k = k0; k < CM_MIN(k0 + BLOCK, n); k++) {
                int64_t x = a[i * n + k];
                const int32_t *row = b + k * n;

                for (size_t j = 0; j < n; j++)
                    c[i * n + j] += x * row[j];
            }
}

static uint8_t *put_matrix(uint8_t *at, size_t n)
{
    cm_put_be32(at, (uint32_t)n);
    cm_put_be32(at + 4, (uint32_t)n);
    return at + 8;
}

static uint8_t *narrow(uint8_t *at, const int32_t *m, size_t n)
{
    at = put_matrix(at, n);
    for (size_t i = 0; i < n * n; i++, at += 8)
        cm_put_be64(at, (uint64_t)(int64_t)m[i]);
    return at;
}

static uint8_t *wide(uint8_t *at, const int64_t *m, size_t n)
{
    at = put_matrix(at, n);
    for (size_t i = 0; i < n * n; i++, at += 8)
        cm_put_be64(at, (uint64_t)m[i]);
    return at;
}

/* The frame of one product, committed to alone. */
static size_t frame(uint8_t *f, const int32_t *a, const int32_t *b, const int64_t *c, size_t n,
                    uint8_t commitment[32])
{
    uint8_t leaf[1][32], *at = f + 40;
    cm_opening o;
    size_t size;

    cm_put_be32(at, BEACON);
    memcpy(at + 4, "beacon", BEACON);
    at = wide(narrow(narrow(at + 4 + BEACON, a, n), b, n), c, n);
    cm_put_be32(at, 0);
    size = (size_t)(at + 4 - f);
    fine(cm_opening_parse(&o, cm_view_of(f, size)), "frame");
    fine(cm_opening_leaf(crypt, leaf[0], &o), "leaf");
    fine(cm_opening_root(crypt, f, leaf, 1), "root");
    fine(cm_opening_commitment(crypt, commitment, f, 1), "commitment");
    return size;
}

static void check(cm_view f, const uint8_t commitment[32])
{
    struct rusage u;
    double wall = now(), used = cpu(&u);
    cm_opening o;

    fine(cm_opening_parse(&o, f), "frame");
    fine(cm_opening_check(crypt, &o, commitment, 1, CM_OPENING_ROUNDS), "check");
    rate("opening, whole check", 1, now() - wall, cpu(&u) - used);
    wall = now();
    used = cpu(&u);
    fine(cm_opening_product(crypt, &o, CM_OPENING_ROUNDS), "product");
    rate("Freivalds", 1, now() - wall, cpu(&u) - used);
}

static void measure_product(size_t n)
{
    size_t room = 3 * (n * n * 8 + 8) + 64;
    uint8_t commitment[32], *f;
    int32_t *a, *b;
    int64_t *c;
    struct rusage u;
    double wall, used;

    fine(cm_alloc_array(&a, n * n, sizeof *a), "memory");
    fine(cm_alloc_array(&b, n * n, sizeof *b), "memory");
    fine(cm_alloc_array(&c, n * n, sizeof *c), "memory");
    fine(cm_alloc(&f, room), "memory");
    for (size_t i = 0; i < n * n; i++) { /* quantised weights: 8 bits */
        a[i] = (int32_t)(i * 2654435761u >> 13 & 255) - 128;
        b[i] = (int32_t)(i * 2246822519u >> 11 & 255) - 128;
    }
    wall = now();
    used = cpu(&u);
    product(c, a, b, n);
    rate("product", 1, now() - wall, cpu(&u) - used);
    check(cm_view_of(f, frame(f, a, b, c, n, commitment)), commitment);
    cm_free(a);
    cm_free(b);
    cm_free(c);
    cm_free(f);
}

int main(int argc, char **argv)
{
    make_keys();
    if (argc == 5 && strcmp(argv[1], "make") == 0)
        make_day(argv[2], strtoull(argv[3], NULL, 10), strcmp(argv[4], "batch") == 0);
    else if (argc == 3 && strcmp(argv[1], "day") == 0)
        verify_day(argv[2]);
    else if (argc == 2 && strcmp(argv[1], "batch") == 0)
        sign_batches();
    else if (argc == 3 && strcmp(argv[1], "product") == 0)
        measure_product((size_t)strtoul(argv[2], NULL, 10));
    else {
        (void)fputs("usage: market make FILE RECEIPTS batch|secp | day FILE | batch | "
                    "product DIMENSION\n",
                    stderr);
        return 2;
    }
    cm_sig_key_free(secp);
    cm_sig_key_free(mldsa);
    cm_crypt_free(crypt);
    return 0;
}
