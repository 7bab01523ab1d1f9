/*
 * What this machine can do at most: memory, AES-256-GCM, SHA-256 leaves and the disk, so that the
 * times of sealing and opening can be held against them.
 *
 * limits SCRATCH [MIB]
 * One line of JSON; GB/s (10^9), the best of a few runs each.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/os.h"
#include "crypt/aead.h"
#include "crypt/merkle.h"

enum { MIB = 1 << 20, LEAF = 64 << 10, RUNS = 3, THREADS = 2 };

typedef struct part part;
struct part {
    void (*fn)(part *p);
    uint8_t *from, *to;
    size_t n;
    int fd;
    uint64_t at, sum;
    cm_crypt *crypt;
};

static void fail(const char *why)
{
    (void)fprintf(stderr, "limits: %s\n", why);
    exit(1);
}

static void check(bool ok, const char *why)
{
    if (!ok)
        fail(why);
}

static void read_memory(part *p)
{
    uint64_t a = 0, b = 0, c = 0, d = 0;
    const uint64_t *q = (const uint64_t *)(const void *)p->from;

    for (size_t i = 0; i < p->n / 8; i += 32)
        for (size_t k = 0; k < 32; k += 4) {
            a ^= q[i + k];
            b ^= q[i + k + 1];
            c ^= q[i + k + 2];
            d ^= q[i + k + 3];
        }
    p->sum = a ^ b ^ c ^ d;
}

static void copy_memory(part *p)
{
    memcpy(p->to, p->from, p->n);
}

static void encrypt(part *p)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;
    cm_key32 key = {{1}};
    uint8_t nonce[CM_GCM_NONCE] = {0}, tag[CM_GCM_TAG];

    check(cm_ok(cm_gcm_new(&g, p->crypt, &key)), "gcm");
    for (size_t at = 0; at < p->n; at += MIB) {
        cm_put_be32(nonce, (uint32_t)(at / MIB));
        check(cm_ok(cm_gcm_seal(g, p->to, tag, nonce, (cm_view){0}, cm_view_of(p->from + at, MIB))),
              "gcm");
    }
}

static void hash(part *p)
{
    uint8_t leaves[MIB / LEAF][32];

    for (size_t at = 0; at < p->n; at += MIB)
        cm_merkle_leaves(leaves, (cm_view){0}, p->from + at, MIB, LEAF, NULL);
    p->sum = leaves[0][0];
}

static void write_disk(part *p)
{
    for (size_t at = 0; at < p->n; at += MIB)
        check(cm_ok(cm_os_pwrite(p->fd, p->from, MIB, p->at + at)), "write");
}

static void read_disk(part *p)
{
    for (size_t at = 0; at < p->n; at += MIB)
        check(cm_ok(cm_os_pread_all(p->fd, p->to, MIB, p->at + at)), "read");
}

static void *start(void *arg)
{
    ((part *)arg)->fn(arg);
    return NULL;
}

/* GB/s of fn over n bytes by some threads, each with its share; synced at the end if fd is. */
static double best(void (*fn)(part *), const part *whole, unsigned threads, bool synced)
{
    double least = 1e9;

    for (int run = 0; run < RUNS; run++) {
        part p[THREADS];
        pthread_t t[THREADS];
        uint64_t begin = cm_os_monotonic_ns();

        for (unsigned i = 0; i < threads; i++) {
            p[i] = *whole;
            p[i].fn = fn;
            p[i].n = whole->n / threads;
            p[i].from += i * p[i].n;
            p[i].to += i * p[i].n;
            p[i].at = i * p[i].n;
            check(pthread_create(&t[i], NULL, start, &p[i]) == 0, "thread");
        }
        for (unsigned i = 0; i < threads; i++)
            check(pthread_join(t[i], NULL) == 0, "thread");
        check(!synced || fsync(whole->fd) == 0, "fsync");
        least = CM_MIN(least, 1e-9 * (double)(cm_os_monotonic_ns() - begin));
    }
    return (double)whole->n / least / 1e9;
}

static uint8_t *memory(size_t n)
{
    uint8_t *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    check(p != MAP_FAILED, "memory");
    memset(p, 7, n);
    return p;
}

static int scratch(char path[4096], const char *dir, int flags)
{
    int fd;

    check((size_t)snprintf(path, 4096, "%s/limits", dir) < 4096, "path");
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600);
    check(fd >= 0, path);
    return fd;
}

static void disk(part *p, const char *dir)
{
    char path[4096];
    int plain = scratch(path, dir, 0), direct = scratch(path, dir, O_DIRECT);

    p->fd = plain;
    (void)printf("\"disk_buffered_write_fsync\":%.2f,", best(write_disk, p, 1, true));
    p->fd = direct;
    for (unsigned t = 1; t <= THREADS; t++)
        (void)printf("\"disk_direct_write_fsync_%u\":%.2f,\"disk_direct_read_%u\":%.2f%s", t,
                     best(write_disk, p, t, true), t, best(read_disk, p, t, false),
                     t < THREADS ? "," : "}\n");
    (void)close(plain);
    (void)close(direct);
    (void)unlink(path);
}

int main(int argc, char **argv)
{
    size_t n = (argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 1024) * MIB;
    part p = {.n = n, .fd = -1};

    if (argc < 2 || n < 2 * (size_t)MIB) {
        (void)fputs("usage: limits SCRATCH [MIB]\n", stderr);
        return 2;
    }
    check(cm_ok(cm_crypt_new(&p.crypt, CM_PROFILE_DEFAULT)), "crypt");
    p.from = memory(n);
    p.to = memory(n);
    (void)printf("{\"mib\":%zu,", n / MIB);
    for (unsigned t = 1; t <= THREADS; t++)
        (void)printf("\"read_%u\":%.2f,\"copy_%u\":%.2f,\"gcm_%u\":%.2f,\"sha256_%u\":%.2f,", t,
                     best(read_memory, &p, t, false), t, best(copy_memory, &p, t, false), t,
                     best(encrypt, &p, t, false), t, best(hash, &p, t, false));
    disk(&p, argv[1]);
    cm_crypt_free(p.crypt);
    return 0;
}
