/*
 * What the Merkle root costs. The product has no option to leave it out, since the root is what the
 * publisher signs, so this runs the same production line over a body with and without it: in memory
 * (no input or output at all), and from file to file.
 *
 * body MODEL SCRATCH [ROUNDS]
 * Lines of JSON: job, with the root or without, threads, least and median seconds of wall and CPU.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/direct.h"
#include "base/os.h"
#include "sealed/line.h"
#include "sealed/open_int.h"

enum { SEGMENT = 1 << 20, LEAF = 64 << 10, ROUNDS_MAX = 21 };

typedef enum { MEMORY, SEAL, OPEN, JOBS } what;
static const char *const names[] = {"seal in memory", "seal file to file", "open file to file"};

typedef struct {
    what job;
    bool root;
    unsigned threads;
    double wall[ROUNDS_MAX], cpu[ROUNDS_MAX];
} variant;

struct run {
    const variant *v;
    cm_floe *floe;
    int in;
    cm_direct out;
    uint64_t size;
};

static void must(cm_err e, const char *what_failed)
{
    if (cm_ok(e))
        return;
    (void)fprintf(stderr, "body: %s: %s\n", what_failed, cm_err_name(e));
    exit(1);
}
#define MUST(x) must((x), #x)

static uint64_t sealed_at(uint64_t i)
{
    return i * (SEGMENT + (uint64_t)CM_FLOE_OVERHEAD);
}

static cm_err take(void *arg, cm_item *it)
{
    struct run *r = arg;
    uint64_t off = it->i * SEGMENT;

    it->n = (size_t)CM_MIN((uint64_t)SEGMENT, r->size - off);
    if (r->v->job == MEMORY)
        return CM_OKAY;
    if (r->v->job == OPEN)
        return cm_os_pread_all(r->in, it->buf, it->n + CM_FLOE_OVERHEAD, sealed_at(it->i));
    it->buf = it->mem + sealed_at(it->i) % CM_DIRECT_ALIGN;
    return cm_os_pread_all(r->in, it->buf + CM_FLOE_HEAD, it->n, off);
}

static cm_err work(void *arg, cm_item *it)
{
    struct run *r = arg;
    size_t n = it->n + CM_FLOE_OVERHEAD;

    if (r->v->job == OPEN)
        CM_TRY(cm_floe_open(r->floe, it->worker, it->buf, n, it->i, it->last));
    if (r->v->root && it->n)
        CM_TRY(cm_segment_root(it->node, (cm_view){0}, it->buf + CM_FLOE_HEAD, it->n, LEAF));
    return r->v->job == OPEN ? CM_OKAY
                             : cm_floe_seal(r->floe, it->worker, it->buf, it->n, it->i, it->last);
}

static cm_err give(void *arg, cm_item *it)
{
    struct run *r = arg;

    if (r->v->job == MEMORY)
        return CM_OKAY;
    if (r->v->job == OPEN)
        return cm_direct_write(&r->out, it->buf + CM_FLOE_HEAD, it->n, it->i * SEGMENT);
    return cm_direct_write(&r->out, it->buf, it->n + CM_FLOE_OVERHEAD, sealed_at(it->i));
}

static void worker_done(void *w)
{
    cm_floe_worker_done(w);
}

static double cpu_now(void)
{
    struct rusage u;

    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* What was written past the page cache is fetched into it, so that every run reads from memory. */
static void warm(int fd)
{
    static uint8_t piece[1 << 20];
    size_t got = 1;

    for (uint64_t at = 0; got > 0; at += got)
        MUST(cm_os_pread(fd, piece, sizeof piece, at, &got));
}

static void one(variant *v, size_t round, cm_floe *floe, int in, int out, uint64_t size)
{
    static const cm_line_ops ops = {take, work, give, NULL, worker_done};
    struct run r = {.v = v, .floe = floe, .in = in, .size = size};
    cm_line line = {.ops = &ops,
                    .arg = &r,
                    .total = size / SEGMENT + 1,
                    .threads = v->threads,
                    .buf = SEGMENT + CM_FLOE_OVERHEAD,
                    .worker = sizeof(cm_floe_worker)};
    double cpu;
    uint64_t start;

    if (ftruncate(out, 0) != 0)
        must(CM_FAIL(IO_WRITE), "ftruncate");
    sync();
    warm(in);
    cpu = cpu_now();
    start = cm_os_monotonic_ns();
    cm_direct_start(&r.out, out, v->job == MEMORY ? 0 : sealed_at(line.total));
    MUST(cm_line_run(&line));
    cm_direct_done(&r.out);
    MUST(cm_os_sync(out));
    v->wall[round] = 1e-9 * (double)(cm_os_monotonic_ns() - start);
    v->cpu[round] = cpu_now() - cpu;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void report(variant *v, size_t rounds)
{
    qsort(v->wall, rounds, sizeof *v->wall, by_size);
    qsort(v->cpu, rounds, sizeof *v->cpu, by_size);
    (void)printf("{\"job\":\"%s\",\"root\":%s,\"threads\":%u,\"wall_min\":%.3f,"
                 "\"wall_median\":%.3f,\"cpu_min\":%.3f,\"cpu_median\":%.3f}\n",
                 names[v->job], v->root ? "true" : "false", v->threads, v->wall[0],
                 v->wall[rounds / 2], v->cpu[0], v->cpu[rounds / 2]);
}

static int scratch(const char *dir, const char *name)
{
    char path[4096];
    int fd;

    if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, name) >= sizeof path)
        exit(1);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        must(CM_FAIL(IO_OPEN), path);
    (void)unlink(path);
    return fd;
}

int main(int argc, char **argv)
{
    static variant v[2 * JOBS * 2];
    size_t rounds = argc > 3 ? (size_t)strtoul(argv[3], NULL, 10) : 3, n = 0;
    uint8_t header[CM_FLOE_HEADER];
    cm_key32 key = {{1}};
    cm_crypt *c;
    cm_floe floe;
    struct stat st;
    int model, sealed, plain;

    if (argc < 3 || rounds < 1 || rounds > ROUNDS_MAX) {
        (void)fputs("usage: body MODEL SCRATCH [ROUNDS]\n", stderr);
        return 2;
    }
    MUST(cm_crypt_new(&c, CM_PROFILE_DEFAULT));
    MUST(cm_floe_seal_start(&floe, header, c, &key, CM_LIT("bench"), SEGMENT + CM_FLOE_OVERHEAD));
    MUST(cm_os_open_read(&model, argv[1]));
    if (fstat(model, &st) != 0)
        return 1;
    sealed = scratch(argv[2], "body.sealed");
    plain = scratch(argv[2], "body.plain");
    for (unsigned threads = 1; threads <= 2; threads++)
        for (what job = MEMORY; job < JOBS; job++)
            for (int root = 0; root <= 1; root++)
                v[n++] = (variant){.job = job, .root = root, .threads = threads};
    for (size_t round = 0; round < rounds; round++)
        for (size_t i = 0; i < n; i++)
            one(&v[i], round, &floe, v[i].job == OPEN ? sealed : model,
                v[i].job == SEAL ? sealed : plain, (uint64_t)st.st_size);
    for (size_t i = 0; i < n; i++)
        report(&v[i], rounds);
    cm_floe_done(&floe);
    cm_crypt_free(c);
    return 0;
}
