/*
 * Random access: one tensor through the library beside the same bytes of the plain file, and the
 * time to the first byte of models up to 1 TiB.
 *
 * tensor MODEL SCRATCH [GIB...]
 * Seals MODEL into SCRATCH, reads its middle tensor of 16 MiB cold and warm. Then, for each GIB, a
 * container whose plaintext is all zeros is laid out by the library's own functions: header, both
 * slots, tree, index, manifest and signature are complete and real, since every full segment has
 * the same node; of the body only the segments that will be read are there, the rest are holes, so
 * that any size fits this disk. Reading it goes through the public calls like any other.
 * One line of JSON; milliseconds.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "sealed/open_int.h"

enum { SEGMENT = 1 << 20, LEAF = 64 << 10, ROUNDS = 9, TENSOR = 16 << 20, PATH_LENGTH = 4096 };

static cm_crypt *ctx;
static cm_kem_key *reader;
static cm_sig_key *publisher;

static void must(cm_err e, const char *what)
{
    if (cm_ok(e))
        return;
    (void)fprintf(stderr, "tensor: %s: %s\n", what, cm_err_name(e));
    exit(1);
}
#define MUST(x) must((x), #x)

static double ms_since(uint64_t start)
{
    return 1e-6 * (double)(cm_os_monotonic_ns() - start);
}

static int open_file(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);

    if (fd < 0)
        must(CM_FAIL(IO_OPEN), path);
    return fd;
}

static void chill(int fd)
{
    if (fsync(fd) != 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
        must(CM_FAIL(IO_READ), "fadvise");
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print(const char *name, double *v, const char *end)
{
    qsort(v, ROUNDS, sizeof *v, by_size);
    (void)printf("\"%s_min\":%.3f,\"%s_median\":%.3f%s", name, v[0], name, v[ROUNDS / 2], end);
}

/* ---- one tensor ----------------------------------------------------------------------------- */

/* The largest that is no larger than 16 MiB; of several the one nearest the middle. */
static const cm_tensor *pick(const cm_index *x)
{
    const cm_tensor *found = NULL;

    for (size_t i = 0; i < x->tensors.n; i++) {
        const cm_tensor *t = &x->tensors.v[i];

        if (t->size <= TENSOR &&
            (!found || t->size > found->size || (t->size == found->size && i <= x->tensors.n / 2)))
            found = t;
    }
    return found;
}

static cm_sealed *unlock(int fd, const cm_open_options *o)
{
    cm_sealed *s;

    MUST(cm_sealed_load(&s, ctx, fd, o));
    MUST(cm_sealed_unlock(s));
    return s;
}

/* From the descriptor of a container to its tensor's bytes, signature and key included. */
static double read_sealed(int fd, const cm_open_options *o, uint8_t *p, uint64_t *segments,
                          cm_tensor *found, double *first)
{
    uint64_t start = cm_os_monotonic_ns();
    cm_sealed *s = unlock(fd, o);
    const cm_index *x;
    const cm_tensor *t;
    double ms;

    MUST(cm_sealed_index(s, &x));
    t = pick(x);
    if (!t)
        must(CM_FAIL(BAD_ARGUMENT), "no tensor");
    *first = ms_since(start);
    MUST(cm_sealed_read(s, p, (size_t)t->size, t->offset));
    ms = ms_since(start);
    *segments = cm_sealed_segments_read(s);
    *found = *t;
    found->name = (cm_view){0};
    cm_sealed_free(s);
    return ms;
}

static void one_tensor(const char *model, const char *container, const cm_open_options *o,
                       bool warm)
{
    double plain[ROUNDS], sealed[ROUNDS], unlocked[ROUNDS];
    int a = open_file(model, O_RDONLY), b = open_file(container, O_RDONLY);
    uint8_t *p = NULL, *q = NULL;
    uint64_t segments = 0;
    cm_tensor t;

    MUST(cm_alloc(&p, TENSOR));
    MUST(cm_alloc(&q, TENSOR));
    (void)read_sealed(b, o, p, &segments, &t, unlocked);
    for (size_t i = 0; i < ROUNDS; i++) {
        uint64_t start;

        if (!warm) {
            chill(a);
            chill(b);
        }
        start = cm_os_monotonic_ns();
        MUST(cm_os_pread_all(a, q, (size_t)t.size, t.offset));
        plain[i] = ms_since(start);
        sealed[i] = read_sealed(b, o, p, &segments, &t, &unlocked[i]);
    }
    if (memcmp(p, q, (size_t)t.size) != 0)
        must(CM_FAIL(SEALED_DIGEST), "the tensor differs");
    (void)printf("\"%s\":{\"bytes\":%llu,\"segments\":%llu,\"touched\":%llu,",
                 warm ? "warm" : "cold", (unsigned long long)t.size, (unsigned long long)segments,
                 (unsigned long long)((t.offset + t.size - 1) / SEGMENT - t.offset / SEGMENT + 1));
    print("plain", plain, ",");
    print("unlock", unlocked, ",");
    print("sealed", sealed, "},");
    cm_free(p);
    cm_free(q);
    close(a);
    close(b);
}

/* ---- containers with holes ------------------------------------------------------------------ */

struct giant {
    int fd;
    uint64_t size, at; /* of the plaintext; where the container ends so far */
    cm_core core;
    cm_key32 content;
    cm_sealed_keys keys;
    cm_floe body, tree;
    cm_footer footer;
    cm_manifest manifest;
};

static void put(struct giant *g, cm_view v)
{
    MUST(cm_os_pwrite(g->fd, v.p, v.n, g->at));
    g->at += v.n;
}

static cm_err put_run(void *arg, cm_view v)
{
    struct giant *g = arg;

    put(g, v);
    g->footer.tree += v.n;
    return CM_OKAY;
}

static void start_floe(struct giant *g, cm_floe *f, const cm_key32 *key, const char *part,
                       uint32_t segment)
{
    uint8_t header[CM_FLOE_HEADER];
    cm_buf aad = {.max = 128};

    MUST(cm_sealed_aad(&aad, &g->core, part));
    MUST(cm_floe_seal_start(f, header, ctx, key, cm_buf_view(&aad), segment));
    put(g, CM_VIEW(header));
    cm_buf_free(&aad);
}

static void put_front(struct giant *g)
{
    cm_recipient to = cm_recipient_kem(reader);
    cm_envelope_policy policy = cm_tier_policy(0, false);
    cm_buf b = {.max = 1 << 20}, env = {.max = CM_ENVELOPE_MAX}, context = {.max = 64};

    g->core = (cm_core){.segment = SEGMENT, .leaf = LEAF, .slot = cm_slot_size(8 * 1792)};
    MUST(cm_random(ctx, g->core.container, sizeof g->core.container));
    MUST(cm_random(ctx, g->content.b, sizeof g->content.b));
    MUST(cm_core_encode(&b, ctx, &g->core));
    MUST(cm_sealed_context(&context, &g->core));
    MUST(cm_envelope_seal(&env, ctx, &g->content, &to, 1, &policy, cm_buf_view(&context)));
    MUST(cm_buf_reserve(&b, 2 * (size_t)g->core.slot));
    memset(b.p + b.n, 0, 2 * (size_t)g->core.slot);
    MUST(cm_slot_encode(b.p + b.n, ctx, &g->core, 1, cm_buf_view(&env)));
    b.n += 2 * (size_t)g->core.slot;
    put(g, cm_buf_view(&b));
    MUST(cm_sealed_keys_derive(&g->keys, ctx, &g->core, &g->content));
    cm_buf_free(&b);
    cm_buf_free(&env);
    cm_buf_free(&context);
}

static void put_segment(struct giant *g, uint64_t begin, uint64_t i, size_t n, bool last)
{
    uint8_t *seg = NULL;
    cm_floe_worker w = {0};

    MUST(cm_alloc(&seg, SEGMENT + CM_FLOE_OVERHEAD));
    MUST(cm_floe_seal(&g->body, &w, seg, n, i, last));
    g->at = begin + i * (SEGMENT + (uint64_t)CM_FLOE_OVERHEAD);
    put(g, cm_view_of(seg, n + CM_FLOE_OVERHEAD));
    cm_floe_worker_done(&w);
    cm_free(seg);
}

/* One segment is sealed for real; the size is a multiple of SEGMENT, so an empty one ends the body.
 */
static void put_body(struct giant *g, uint64_t segment)
{
    uint64_t begin;

    start_floe(g, &g->body, &g->keys.body, "body", SEGMENT + CM_FLOE_OVERHEAD);
    begin = g->at;
    put_segment(g, begin, segment, SEGMENT, false);
    put_segment(g, begin, g->size / SEGMENT, 0, true);
    g->footer.body = g->at - begin + CM_FLOE_HEADER;
}

static void put_tree(struct giant *g)
{
    cm_tree_writer w;
    uint8_t node[32], *zeros = NULL;
    uint64_t start = g->at;

    MUST(cm_alloc(&zeros, SEGMENT));
    MUST(cm_segment_root(node, (cm_view){0}, zeros, SEGMENT, LEAF));
    start_floe(g, &g->tree, &g->keys.tree, "tree", CM_TREE_SEGMENT + CM_FLOE_OVERHEAD);
    MUST(cm_tree_writer_init(&w, &g->tree, put_run, g));
    for (uint64_t i = 0; i < g->size / SEGMENT; i++)
        MUST(cm_tree_writer_push(&w, node, NULL));
    MUST(cm_tree_writer_finish(&w, g->manifest.digest));
    g->footer.tree = g->at - start;
    cm_tree_writer_done(&w);
    cm_free(zeros);
}

static void put_back(struct giant *g)
{
    cm_index x = {0};
    uint8_t nonce[32] = {1}, last[CM_FOOTER];
    cm_manifest *m = &g->manifest;
    cm_buf plain = {.max = 1 << 20}, sealed = {.max = 1 << 20}, aad = {.max = 128};
    cm_buf manifest = {.max = CM_MANIFEST_MAX}, signatures = {.max = CM_SIGNATURES_MAX};

    MUST(cm_index_encode(&plain, &x, nonce));
    MUST(cm_hash_once(ctx, CM_SHA256, m->index_digest, cm_buf_view(&plain)));
    MUST(cm_sealed_aad(&aad, &g->core, "index"));
    MUST(cm_floe_seal_all(&sealed, ctx, &g->keys.index, cm_buf_view(&aad),
                          CM_INDEX_SEGMENT + CM_FLOE_OVERHEAD, cm_buf_view(&plain)));
    g->footer.index = sealed.n;
    put(g, cm_buf_view(&sealed));
    memcpy(m->hd, g->core.hd, sizeof m->hd);
    m->size = g->size;
    m->leaves = g->size / LEAF;
    m->name = CM_LIT("zeros");
    m->version = CM_LIT("1");
    m->format = CM_LIT("raw");
    MUST(cm_manifest_encode(&manifest, m));
    MUST(cm_signatures_encode(&signatures, cm_buf_view(&manifest),
                              (const cm_sig_key *const *)&publisher, 1));
    g->footer.manifest = (uint32_t)manifest.n;
    g->footer.signatures = (uint32_t)signatures.n;
    MUST(cm_footer_encode(last, ctx, &g->footer));
    put(g, cm_buf_view(&manifest));
    put(g, cm_buf_view(&signatures));
    put(g, CM_VIEW(last));
    cm_buf_free(&plain);
    cm_buf_free(&sealed);
    cm_buf_free(&aad);
    cm_buf_free(&manifest);
    cm_buf_free(&signatures);
}

static void first_byte(const char *path, uint64_t gib, const cm_open_options *o, bool more)
{
    struct giant g = {.fd = open_file(path, O_RDWR | O_CREAT | O_TRUNC), .size = gib << 30};
    uint64_t segment = g.size / SEGMENT / 2 + 3;
    double warm[ROUNDS], cold[ROUNDS];
    struct stat st;
    uint8_t byte = 1;

    put_front(&g);
    put_body(&g, segment);
    put_tree(&g);
    put_back(&g);
    for (size_t i = 0; i < 2 * ROUNDS; i++) {
        uint64_t start;
        cm_sealed *s;

        if (i < ROUNDS)
            chill(g.fd);
        start = cm_os_monotonic_ns();
        s = unlock(g.fd, o);
        MUST(cm_sealed_read(s, &byte, 1, segment * SEGMENT + 12345));
        (i < ROUNDS ? cold : warm)[i % ROUNDS] = ms_since(start);
        cm_sealed_free(s);
    }
    if (byte != 0 || fstat(g.fd, &st) != 0)
        must(CM_FAIL(SEALED_DIGEST), "a zero was sealed");
    (void)printf("{\"gib\":%llu,\"container_bytes\":%llu,\"disk_bytes\":%llu,",
                 (unsigned long long)gib, (unsigned long long)st.st_size,
                 512 * (unsigned long long)st.st_blocks);
    print("cold", cold, ",");
    print("warm", warm, more ? "}," : "}");
    cm_floe_done(&g.body);
    cm_floe_done(&g.tree);
    close(g.fd);
    (void)unlink(path);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static void seal_model(const char *model, const char *out)
{
    cm_recipient to = cm_recipient_kem(reader);
    cm_seal_options o = {.to = &to,
                         .to_n = 1,
                         .signers = (const cm_sig_key *const *)&publisher,
                         .signers_n = 1,
                         .name = "model",
                         .version = "1",
                         .replace = true};
    cm_seal_result r;

    MUST(cm_seal(&r, ctx, &o, model, -1, out, -1));
}

int main(int argc, char **argv)
{
    char path[PATH_LENGTH];
    cm_open_options o = {.trusted = (const cm_sig_key *const *)&publisher, .trusted_n = 1};
    cm_opener opener;

    if (argc < 3 ||
        (size_t)snprintf(path, sizeof path, "%s/tensor.sealed", argv[2]) >= sizeof path) {
        (void)fputs("usage: tensor MODEL SCRATCH [GIB...]\n", stderr);
        return 2;
    }
    MUST(cm_crypt_new(&ctx, CM_PROFILE_DEFAULT));
    MUST(cm_kem_generate(&reader, ctx, CM_KEM_XWING));
    MUST(cm_sig_generate(&publisher, ctx, CM_SIG_DUAL65));
    opener = cm_opener_kem(reader);
    o.openers = &opener;
    o.openers_n = 1;
    seal_model(argv[1], path);
    (void)printf("{");
    one_tensor(argv[1], path, &o, false);
    one_tensor(argv[1], path, &o, true);
    (void)unlink(path);
    (void)printf("\"first_byte\":[");
    for (int i = 3; i < argc; i++)
        first_byte(path, strtoull(argv[i], NULL, 10), &o, i + 1 < argc);
    (void)printf("]}\n");
    cm_kem_key_free(reader);
    cm_sig_key_free(publisher);
    cm_crypt_free(ctx);
    return 0;
}
