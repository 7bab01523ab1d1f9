/*
 * How fast the hash kernels are beside OpenSSL's single stream, in one process: every round runs
 * every job once, so that all of them meet the same neighbours. CPU time of the thread; minima and
 * medians; a message is 16 leaves of 64 KiB with a one-byte prefix, as a sealed segment is hashed.
 *
 * hash [--json] [--mib N] [--rounds N]
 * N MiB are hashed per job and round, from a buffer that large (memory) and, as often, from one of
 * 1 MiB (cache).
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "base/base.h"
#include "crypt/keccak_mb.h"
#include "crypt/sha256_mb.h"

#define LEAF       65536u
#define LEAVES     16u
#define SEGMENT    ((size_t)LEAF * LEAVES)
#define ROUNDS_MAX 101u
#define JOBS_MAX   32u

typedef enum { SHA256, SHA3_256 } hash;

typedef struct {
    hash h;
    bool openssl, memory;
    cm_cpu_kind kind; /* CM_CPU_KINDS: whichever the library picks */
    double ghz_of[ROUNDS_MAX], seconds[ROUNDS_MAX];
} job;

static job jobs[JOBS_MAX];
static size_t job_count, rounds = 11, mib = 64;
static EVP_MD *md[2];
static EVP_MD_CTX *md_ctx;
static const uint8_t prefix[1] = {0};
static const char *const hash_names[] = {"SHA-256", "SHA3-256"};

static double cpu_seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Core clock from a chain of multiplications, of three cycles each on all processors meant here;
 * time stamp counters run at another rate. */
static double core_ghz(void)
{
    const unsigned n = 1000000;
    uint64_t x = 3, factor = 5;
    double start = cpu_seconds();

    for (unsigned i = 0; i < n; i += 4) {
        for (unsigned k = 0; k < 4; k++) {
            x *= factor;
            __asm__ volatile("" : "+r"(x), "+r"(factor)); /* never turned into shifts */
        }
    }
    return 3e-9 * n / (cpu_seconds() - start);
}

static void openssl_leaf(uint8_t out[32], hash h, const uint8_t *p)
{
    if (EVP_DigestInit_ex2(md_ctx, md[h], NULL) != 1 ||
        (h == SHA256 && EVP_DigestUpdate(md_ctx, prefix, sizeof prefix) != 1) ||
        EVP_DigestUpdate(md_ctx, p, LEAF) != 1 || EVP_DigestFinal_ex(md_ctx, out, NULL) != 1) {
        abort();
    }
}

static bool our_leaves(uint8_t (*out)[32], const job *j, const uint8_t *const *at)
{
    uint8_t *to[LEAVES];

    for (size_t l = 0; l < LEAVES; l++) {
        to[l] = out[l];
    }
    if (j->h == SHA256 && j->kind == CM_CPU_KINDS) {
        cm_sha256_mb(out, prefix, sizeof prefix, at, LEAF, LEAVES);
    } else if (j->h == SHA256) {
        return cm_sha256_mb_on(j->kind, out, prefix, sizeof prefix, at, LEAF, LEAVES);
    } else if (j->kind == CM_CPU_KINDS) {
        cm_sha3_256_mb(out, at, LEAF, LEAVES);
    } else {
        return cm_keccak_mb_on(j->kind, CM_KECCAK_SHA3_256, to, 32, at, LEAF, LEAVES);
    }
    return true;
}

static bool segment(uint8_t (*out)[32], const job *j, const uint8_t *p)
{
    const uint8_t *at[LEAVES];

    for (size_t l = 0; l < LEAVES; l++) {
        at[l] = p + l * LEAF;
        if (j->openssl) {
            openssl_leaf(out[l], j->h, at[l]);
        }
    }
    return j->openssl || our_leaves(out, j, at);
}

/* Adds a job if this machine can do it, and the same from memory. */
static void add(hash h, bool openssl, cm_cpu_kind kind, const uint8_t *data)
{
    job j = {.h = h, .openssl = openssl, .kind = kind}, ref = {.h = h, .openssl = true};
    uint8_t got[LEAVES][32], want[LEAVES][32];

    if (!segment(got, &j, data)) {
        return;
    }
    (void)segment(want, &ref, data);
    if (memcmp(got, want, sizeof got) != 0) {
        (void)fprintf(stderr, "hash: %s differs from OpenSSL\n", hash_names[h]);
        exit(1);
    }
    jobs[job_count++] = j;
    j.memory = true;
    jobs[job_count++] = j;
}

static void run(job *j, size_t round, const uint8_t *data)
{
    uint8_t out[LEAVES][32];
    double start;

    j->ghz_of[round] = core_ghz();
    start = cpu_seconds();
    for (size_t i = 0; i < mib; i++) {
        (void)segment(out, j, j->memory ? data + i * SEGMENT : data);
    }
    j->seconds[round] = cpu_seconds() - start;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static const char *name_of(const job *j)
{
    return j->openssl ? "openssl" : j->kind == CM_CPU_KINDS ? "picked" : cm_cpu_kind_name(j->kind);
}

/* GB/s at best and in the median, cycles per byte at best, and against OpenSSL from the same
 * place. */
static void print(const job *j, const job *openssl, bool json)
{
    double bytes = (double)mib * (double)SEGMENT, best = j->seconds[0];
    double middle = j->seconds[rounds / 2], ghz = j->ghz_of[rounds / 2];
    double against = openssl->seconds[0] / best, cycles = best * ghz * 1e9 / bytes;

    if (json) {
        (void)printf("{\"hash\":\"%s\",\"from\":\"%s\",\"kernel\":\"%s\",\"gbps_best\":%.3f,"
                     "\"gbps_median\":%.3f,\"cycles_per_byte\":%.3f,\"ghz\":%.2f,"
                     "\"times_openssl\":%.2f}\n",
                     hash_names[j->h], j->memory ? "memory" : "cache", name_of(j),
                     bytes / best / 1e9, bytes / middle / 1e9, cycles, ghz, against);
    } else {
        (void)printf("%-9s %-7s %-9s %6.2f %6.2f  %6.2f  %5.2f  %5.2fx\n", hash_names[j->h],
                     j->memory ? "memory" : "cache", name_of(j), bytes / best / 1e9,
                     bytes / middle / 1e9, cycles, ghz, against);
    }
}

static void report(bool json)
{
    if (!json) {
        (void)printf("%-9s %-7s %-9s %6s %6s  %6s  %5s  %s\n", "hash", "from", "kernel", "GB/s",
                     "median", "cyc/B", "GHz", "OpenSSL");
    }
    for (size_t i = 0; i < job_count; i++) {
        qsort(jobs[i].seconds, rounds, sizeof(double), by_size);
        qsort(jobs[i].ghz_of, rounds, sizeof(double), by_size);
    }
    for (size_t i = 0; i < job_count; i++) {
        const job *reference = jobs;

        for (size_t k = 0; k < job_count; k++) {
            if (jobs[k].openssl && jobs[k].h == jobs[i].h && jobs[k].memory == jobs[i].memory) {
                reference = &jobs[k];
            }
        }
        print(&jobs[i], reference, json);
    }
}

static bool arguments(int argc, char **argv, bool *json)
{
    for (int i = 1; i < argc; i++) {
        size_t *number = strcmp(argv[i], "--mib") == 0      ? &mib
                         : strcmp(argv[i], "--rounds") == 0 ? &rounds
                                                            : NULL;

        if (strcmp(argv[i], "--json") == 0) {
            *json = true;
        } else if (number != NULL && i + 1 < argc) {
            *number = (size_t)strtoul(argv[++i], NULL, 10);
        } else {
            return false;
        }
    }
    return rounds >= 1 && rounds <= ROUNDS_MAX && mib >= 1 && mib <= 4096;
}

static void add_all(const uint8_t *data)
{
    for (hash h = SHA256; h <= SHA3_256; h++) {
        md[h] = EVP_MD_fetch(NULL, hash_names[h], NULL);
        if (md[h] == NULL) {
            abort();
        }
        add(h, true, CM_CPU_KINDS, data);
        for (cm_cpu_kind k = CM_CPU_PORTABLE; k <= CM_CPU_KINDS; k++) {
            add(h, false, k, data);
        }
    }
}

int main(int argc, char **argv)
{
    bool json = false;
    uint8_t *data;

    if (!arguments(argc, argv, &json)) {
        (void)fputs("usage: hash [--json] [--mib N] [--rounds N]\n", stderr);
        return 2;
    }
    data = (uint8_t *)mmap(NULL, mib * SEGMENT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                           -1, 0);
    md_ctx = EVP_MD_CTX_new();
    if (data == MAP_FAILED || md_ctx == NULL) {
        return 1;
    }
    for (size_t i = 0; i < mib * SEGMENT; i++) {
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    }
    add_all(data);
    for (size_t r = 0; r < rounds; r++) {
        for (size_t i = 0; i < job_count; i++) {
            run(&jobs[i], r, data);
        }
    }
    report(json);
    return 0;
}
