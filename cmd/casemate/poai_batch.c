/* casemate poai batch, poai extract, and poai verify --stored. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access.h"
#include "base/os.h"
#include "codec/json.h"
#include "market/batch.h"
#include "market/day.h"
#include "receipts.h"

enum { LINE = 16 << 10, PIECE = 512, PATHS = 1 << 20 };

/* ---- a line of the list --------------------------------------------------------------------- */

typedef struct {
    const char *name;
    size_t at;
    uint16_t claim;
} field;

static const field fields[] = {
    {"model", offsetof(cm_poai, model), CM_MARKET_MODEL_ROOT},
    {"node", offsetof(cm_poai, node), 0},
    {"input", offsetof(cm_poai, input), 0},
    {"output", offsetof(cm_poai, output), 0},
    {"attestation", offsetof(cm_poai, attestation), CM_MARKET_ATTESTED},
    {"proof", offsetof(cm_poai, proof), CM_MARKET_PROVEN},
    {"nonce", offsetof(cm_poai, head.nonce), 0},
};

typedef struct {
    cm_cli *cli;
    cm_market_keys *keys;
    uint8_t key_id[32];
    cm_poai standard; /* what a line does not say */
    uint64_t ttl_ms;
    FILE *in;
    cm_os_out out;
    size_t head_size, count, filled;
    uint8_t (*leaves)[32];
    uint8_t (*bytes)[CM_POAI_SIZE]; /* PIECE of them */
} batch;

static cm_err wrong_line(const batch *b, const char *why)
{
    snprintf(b->cli->detail, sizeof b->cli->detail, "line %zu: %s", b->count + 1, why);
    return CM_FAIL(MARKET_LINE);
}

static cm_err member(const batch *b, cm_poai *r, const cm_json_node *n)
{
    cm_view key = cm_json_key(n), text;
    char what[CM_CLI_TITLE];

    if (cm_view_eq(key, CM_LIT("compute_ms")))
        return cm_ok(cm_json_u64(n, &r->compute_ms)) ? CM_OKAY : wrong_line(b, "compute_ms");
    if (cm_view_eq(key, CM_LIT("issued_ms")))
        return cm_ok(cm_json_u64(n, &r->head.issued_ms)) ? CM_OKAY : wrong_line(b, "issued_ms");
    for (size_t i = 0; i < CM_COUNT(fields); i++) {
        if (!cm_view_eq(key, cm_view_str(fields[i].name)))
            continue;
        snprintf(what, sizeof what, "%.32s", fields[i].name);
        if (cm_failed(cm_json_string(n, &text)) ||
            cm_failed(cm_cli_hex_value(b->cli, (uint8_t *)r + fields[i].at, 32, text, what)))
            return wrong_line(b, "a digest is 64 hex digits");
        r->claims |= fields[i].claim;
        return CM_OKAY;
    }
    return wrong_line(b, "a member is not known");
}

static cm_err read_line(const batch *b, cm_poai *r, const char *line, size_t n)
{
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    const cm_json_node *root;

    if (cm_failed(cm_json_parse(&j, cm_view_of(line, n), NULL, NULL)))
        return wrong_line(b, "it is not JSON");
    root = cm_json_root(j);
    if (cm_json_type_of(root) != CM_JSON_OBJECT)
        return wrong_line(b, "it is no JSON object");
    *r = b->standard;
    CM_TRY(cm_random(b->cli->crypt, r->head.nonce, sizeof r->head.nonce));
    for (const cm_json_node *m = cm_json_first(root); m; m = cm_json_next(m))
        CM_TRY(member(b, r, m));
    if (!cm_add_u64(&r->head.expires_ms, r->head.issued_ms, b->ttl_ms))
        return wrong_line(b, "issued_ms");
    return CM_OKAY;
}

/* ---- the stored batch ------------------------------------------------------------------------ */

static cm_err flush(batch *b)
{
    CM_TRY(cm_os_write(b->out.fd, b->bytes, b->filled * CM_POAI_SIZE));
    b->filled = 0;
    return CM_OKAY;
}

static cm_err add(batch *b, cm_poai *r)
{
    cm_err e;

    if (b->count == CM_BATCH_LEAVES_MAX)
        return cm_cli_usage(b->cli, "more than %u receipts: make several batches",
                            (unsigned)CM_BATCH_LEAVES_MAX);
    e = cm_batch_leaf(b->leaves[b->count], r, b->key_id);
    if (cm_ok(e))
        e = cm_poai_encode(b->bytes[b->filled], r);
    if (cm_is(e, CM_MARKET_FIELD))
        return wrong_line(b, "model, node, input or output is missing");
    CM_TRY(e);
    b->count++;
    b->filled++;
    return b->filled == PIECE ? flush(b) : CM_OKAY;
}

static cm_err read_list(batch *b)
{
    CM_AUTO(cm_free_ptr) char *line = NULL;
    cm_poai r;

    CM_TRY(cm_alloc(&line, LINE));
    while (fgets(line, LINE, b->in)) {
        size_t n = strlen(line);

        if (n + 1 == LINE)
            return wrong_line(b, "it is too long");
        if (atomic_load(&b->cli->cancel))
            return CM_FAIL(CANCELLED);
        CM_TRY(read_line(b, &r, line, n));
        CM_TRY(add(b, &r));
        cm_cli_progress_step(b->cli, (uint64_t)b->count * CM_POAI_SIZE, 0);
    }
    if (ferror(b->in))
        return CM_FAIL(IO_READ);
    return b->count ? flush(b) : cm_cli_usage(b->cli, "the list is empty");
}

/* A file of its own for what stands between statement and head in each record. */
static cm_err write_paths(cm_cli *cli, const cm_batch_tree *t, size_t count, const char *path)
{
    CM_AUTO(cm_os_out_drop) cm_os_out out = {0};
    CM_AUTO(cm_buf_free) cm_buf b = {.max = PATHS + 1024};

    CM_TRY(cm_cli_about(cli, path, cm_os_out_open(&out, path, 0644, false), NULL));
    for (size_t i = 0; i < count; i++) {
        CM_TRY(cm_batch_branch(&b, t, i));
        if (b.n < PATHS && i + 1 < count)
            continue;
        CM_TRY(cm_cli_about(cli, path, cm_os_write(out.fd, b.p, b.n), NULL));
        b.n = 0;
        if (atomic_load(&cli->cancel))
            return CM_FAIL(CANCELLED);
    }
    return cm_cli_about(cli, path, cm_os_out_commit(&out, cm_cli_has(cli, "force")), NULL);
}

static void say_batch(cm_cli *cli, const cm_batch_head *h, const char *path)
{
    cm_cli_event e;

    cm_cli_progress_end(cli);
    cm_cli_event_begin(cli, &e, "batch");
    cm_json_put_text(&e.w, "path", cm_view_str(path));
    cm_cli_put_number(cli, &e, "receipts", h->count);
    cm_cli_put_hex(cli, &e, "root", CM_VIEW(h->root));
    cm_cli_put_head(cli, &e, &h->head);
    cm_json_put_fixed(&e.w, "seconds", cm_cli_seconds(cli));
    cm_cli_event_end(cli, &e);
}

static cm_err seal(batch *b, cm_batch_head *h)
{
    CM_AUTO(cm_batch_tree_free_ptr) cm_batch_tree *t = NULL;
    CM_AUTO(cm_buf_free) cm_buf head = {.max = CM_MARKET_RECORD_MAX};
    const char *paths = cm_cli_text(b->cli, "paths");

    CM_TRY(cm_batch_tree_new(&t, (const uint8_t(*)[32])b->leaves, b->count));
    CM_TRY(cm_batch_seal(&head, b->cli->crypt, b->keys, h, t));
    CM_TRY(cm_os_pwrite(b->out.fd, head.p, head.n, 0));
    if (paths)
        CM_TRY(write_paths(b->cli, t, b->count, paths));
    return cm_os_out_commit(&b->out, cm_cli_has(b->cli, "force"));
}

static cm_err standard(batch *b, cm_batch_head *h)
{
    cm_cli *cli = b->cli;
    bool have = false;

    CM_TRY(cm_cli_market_head(cli, &h->head, CM_POAI_TTL_MS));
    b->ttl_ms = h->head.expires_ms - h->head.issued_ms;
    b->standard.head = h->head;
    CM_TRY(cm_cli_named_option(cli, b->standard.node, "node", "node-name", &have));
    CM_TRY(cm_cli_named_option(cli, b->standard.model, "model", "model-name", &have));
    if (cm_cli_has(cli, "model"))
        b->standard.claims = CM_MARKET_MODEL_ROOT;
    return cm_market_key_id(cli->crypt, b->key_id, b->keys);
}

static cm_err make(batch *b, const char *path)
{
    CM_AUTO(cm_free_ptr) uint8_t(*bytes)[CM_POAI_SIZE] = NULL;
    uint8_t none[CM_BATCH_SIZE + CM_MARKET_SECP_SIG + CM_MARKET_MLDSA_SIG] = {0};
    cm_batch_head h = {.count = 0};

    CM_TRY(standard(b, &h));
    CM_TRY(cm_alloc_array(&bytes, PIECE, CM_POAI_SIZE));
    b->bytes = bytes;
    b->head_size = CM_BATCH_SIZE + (b->keys->secp ? (size_t)CM_MARKET_SECP_SIG : 0) +
                   (b->keys->mldsa ? (size_t)CM_MARKET_MLDSA_SIG : 0);
    CM_TRY(cm_cli_about(b->cli, path, cm_os_out_open(&b->out, path, 0644, false), NULL));
    CM_TRY(cm_os_write(b->out.fd, none, b->head_size));
    cm_cli_progress_begin(b->cli);
    CM_TRY(read_list(b));
    CM_TRY(seal(b, &h));
    say_batch(b->cli, &h, path);
    return CM_OKAY;
}

cm_err cm_cli_poai_batch(cm_cli *cli)
{
    CM_AUTO(cm_cli_market_keys_done) cm_cli_market_keys k = {0};
    const char *path = cm_cli_text(cli, "out"), *list = cli->args[0];
    const size_t room = (size_t)CM_BATCH_LEAVES_MAX * 32;
    batch b = {.cli = cli, .keys = &k.keys, .in = stdin};
    cm_err e;

    if (!path)
        return cm_cli_usage(cli, "--out is missing");
    CM_TRY(cm_cli_check_output(cli, path));
    if (cm_cli_has(cli, "paths"))
        CM_TRY(cm_cli_check_output(cli, cm_cli_text(cli, "paths")));
    CM_TRY(cm_cli_market_keys_init(cli, &k, "key", true));
    if (!cm_cli_is_dash(list) && !(b.in = fopen(list, "re")))
        return cm_cli_about(cli, list, cm_os_err(errno, CM_IO_OPEN), NULL);
    cm_cli_on(cli, list);
    e = cm_os_pages(&b.leaves, room);
    if (cm_ok(e))
        e = make(&b, path);
    cm_os_pages_free(b.leaves, room);
    cm_os_out_drop(&b.out);
    if (b.in != stdin)
        fclose(b.in);
    return e;
}

/* ---- one record of a stored batch ------------------------------------------------------------ */

typedef struct {
    int fd;
    uint64_t at; /* of the statements */
    cm_batch_head head;
    cm_buf record; /* the head's */
} stored;

static cm_err read_head(stored *s)
{
    size_t sigs;

    s->record.max = CM_MARKET_RECORD_MAX;
    CM_TRY(cm_buf_reserve(&s->record, s->record.max));
    CM_TRY(cm_os_pread_all(s->fd, s->record.p, CM_BATCH_SIZE, 0));
    CM_TRY(cm_batch_decode(&s->head, cm_view_of(s->record.p, CM_BATCH_SIZE)));
    sigs = (s->head.head.algs & CM_MARKET_SECP ? (size_t)CM_MARKET_SECP_SIG : 0) +
           (s->head.head.algs & CM_MARKET_MLDSA ? (size_t)CM_MARKET_MLDSA_SIG : 0);
    s->record.n = CM_BATCH_SIZE + sigs;
    s->at = s->record.n;
    return cm_os_pread_all(s->fd, s->record.p + CM_BATCH_SIZE, sigs, CM_BATCH_SIZE);
}

static cm_err tree_of(cm_batch_tree **t, const stored *s, uint8_t (*leaves)[32])
{
    CM_AUTO(cm_free_ptr) uint8_t(*bytes)[CM_POAI_SIZE] = NULL;
    uint64_t left = s->head.count, at = s->at;

    CM_TRY(cm_alloc_array(&bytes, PIECE, CM_POAI_SIZE));
    for (size_t done = 0; left > 0;) {
        size_t n = (size_t)CM_MIN(left, (uint64_t)PIECE);

        CM_TRY(cm_os_pread_all(s->fd, bytes, n * CM_POAI_SIZE, at));
        for (size_t i = 0; i < n; i++)
            cm_merkle_leaf(leaves[done++], (cm_view){0}, CM_VIEW(bytes[i]));
        left -= n;
        at += n * CM_POAI_SIZE;
    }
    CM_TRY(cm_batch_tree_new(t, (const uint8_t(*)[32])leaves, (size_t)s->head.count));
    return cm_view_eq(cm_view_of(cm_batch_tree_root(*t), 32), CM_VIEW(s->head.root))
               ? CM_OKAY
               : CM_FAIL(MERKLE_PROOF);
}

static cm_err extract(cm_cli *cli, const stored *s, uint64_t index)
{
    CM_AUTO(cm_batch_tree_free_ptr) cm_batch_tree *t = NULL;
    CM_AUTO(cm_free_ptr) uint8_t(*leaves)[32] = NULL;
    CM_AUTO(cm_buf_free) cm_buf record = {.max = CM_MARKET_RECORD_MAX};
    uint8_t bytes[CM_POAI_SIZE];
    cm_poai r;

    CM_TRY(cm_alloc_array(&leaves, (size_t)s->head.count, 32));
    CM_TRY(tree_of(&t, s, leaves));
    CM_TRY(cm_os_pread_all(s->fd, bytes, sizeof bytes, s->at + index * CM_POAI_SIZE));
    CM_TRY(cm_poai_decode(&r, CM_VIEW(bytes)));
    CM_TRY(cm_batch_record(&record, t, (size_t)index, &r, cm_buf_view(&s->record)));
    CM_TRY(cm_cli_put_file(cli, cm_cli_text(cli, "out"), cm_buf_view(&record)));
    cm_cli_show_poai(cli, "receipt", &r);
    return CM_OKAY;
}

static void stored_done(stored *s)
{
    cm_os_close_fd(&s->fd);
    cm_buf_free(&s->record);
}

cm_err cm_cli_poai_extract(cm_cli *cli)
{
    CM_AUTO(stored_done) stored s = {.fd = -1};
    const char *path = cli->args[0];
    uint64_t index = 0;
    cm_err e;

    CM_TRY(cm_cli_number(cli, "index", 0, CM_BATCH_LEAVES_MAX - 1, &index));
    cm_cli_on(cli, path);
    CM_TRY(cm_os_open_read(&s.fd, path));
    e = read_head(&s);
    if (cm_is(e, CM_IO_SHORT))
        return CM_FAIL(MARKET_MALFORMED);
    CM_TRY(e);
    if (!cm_cli_has(cli, "index") || index >= s.head.count)
        return cm_cli_usage(cli, "--index: say which of the %llu receipts, counting from 0",
                            (unsigned long long)s.head.count);
    e = extract(cli, &s, index);
    return cm_is(e, CM_IO_SHORT) ? CM_FAIL(MARKET_MALFORMED) : e;
}

/* ---- stored batches, all of them ------------------------------------------------------------- */

typedef struct {
    cm_cli *cli;
    int fd;
    uint64_t total;
} reading;

static cm_err read_some(void *arg, uint8_t *p, size_t n, size_t *got)
{
    reading *r = arg;

    return cm_os_read(r->fd, p, n, got);
}

static cm_err step(void *arg, const cm_day_counts *so_far)
{
    reading *r = arg;

    cm_cli_progress_step(r->cli, so_far->bytes, r->total);
    return atomic_load(&r->cli->cancel) ? CM_FAIL(CANCELLED) : CM_OKAY;
}

static void say_place(cm_cli *cli, cm_cli_event *e, const cm_day_place *bad)
{
    cm_cli_put_number(cli, e, "record", bad->record);
    if (bad->leaf)
        cm_cli_put_number(cli, e, "leaf", bad->leaf);
    cm_cli_put_number(cli, e, "offset", bad->offset);
}

static void say_counts(cm_cli *cli, const cm_day_counts *n, const cm_day_place *bad, cm_err verdict)
{
    cm_cli_event e;

    cm_cli_progress_end(cli);
    cm_cli_event_begin(cli, &e, "stored");
    cm_json_put_bool(&e.w, "valid", cm_ok(verdict));
    cm_cli_put_number(cli, &e, "batches", n->batches);
    cm_cli_put_number(cli, &e, "receipts", n->receipts);
    if (n->settlements)
        cm_cli_put_number(cli, &e, "settlements", n->settlements);
    if (cm_failed(verdict))
        say_place(cli, &e, bad);
    cm_json_put_fixed(&e.w, "seconds", cm_cli_seconds(cli));
    cm_cli_event_end(cli, &e);
}

/* M-62: the keys that were given are one signer, and in a day's file each alone another. */
static cm_err verify_stored(cm_cli *cli, const cm_market_keys *k, const cm_market_policy *p,
                            reading *r)
{
    cm_day_key keys[3] = {{.keys = *k}, {.keys = {.secp = k->secp}}, {.keys = {.mldsa = k->mldsa}}};
    cm_day_options o = {.crypt = cli->crypt,
                        .keys = keys,
                        .key_count = k->secp && k->mldsa ? 3 : 1,
                        .policy = *p,
                        .read = read_some,
                        .progress = step,
                        .arg = r};
    cm_day_place bad = {0};
    cm_day_counts n = {0};
    cm_err e;

    cm_cli_progress_begin(cli);
    e = cm_day_verify(&n, &bad, &o);
    say_counts(cli, &n, &bad, e);
    return e;
}

cm_err cm_cli_poai_stored(cm_cli *cli, const cm_market_keys *k, const cm_market_policy *p,
                          const char *path)
{
    CM_AUTO(cm_os_close_fd) int fd = -1;
    bool dash = cm_cli_is_dash(path);
    reading r = {.cli = cli, .fd = STDIN_FILENO};
    struct stat st;

    cm_cli_on(cli, path);
    if (!dash) {
        CM_TRY(cm_os_open_read(&fd, path));
        r.fd = fd;
    }
    if (fstat(r.fd, &st) == 0 && S_ISREG(st.st_mode))
        r.total = (uint64_t)st.st_size;
    return verify_stored(cli, k, p, &r);
}
