#ifndef TESTLIB_FAULT_H
#define TESTLIB_FAULT_H
/*
 * The nth call of a kind fails. Programs of tests/fault are linked so that these calls pass
 * through here first:
 *
 *     fault_begin(FAULT_WRITE, ENOSPC);
 *     while (fault_next()) {
 *         cm_err e = cm_os_spit(...);
 *         if (fault_hit()) check the class, the untouched output and the files left behind;
 *         else             check that it worked;
 *     }
 *
 * Each round fails one call later than the one before; the last round fails none.
 */
#include <stdbool.h>

enum fault_kind {
    FAULT_ALLOC,    /* calloc, aligned_alloc: what cm_alloc() and bulk buffers stand on */
    FAULT_PROVIDER, /* malloc, realloc: what OpenSSL stands on, when it is linked statically */
    FAULT_READ,     /* read, pread */
    FAULT_WRITE,    /* write, pwrite */
    FAULT_SYNC,     /* fsync, fdatasync */
    FAULT_OPEN,     /* open */
    FAULT_RENAME,   /* rename, renameat2 */
    FAULT_TRUNCATE, /* ftruncate */
    FAULT_MAP,      /* mmap */
    FAULT_THREAD,   /* pthread_create */
    FAULT_RANDOM,   /* RAND_bytes and its kin */
};

/* In place of an errno: half of what was asked is read or written, and that is no error. */
enum { FAULT_SHORT = -1 };

void fault_begin(enum fault_kind kind, int err);
bool fault_next(void);
/* Whether a call failed since fault_next(). */
bool fault_hit(void);
/* Around preparations and checks within a round: calls made there neither fail nor count. */
void fault_pause(void);
void fault_resume(void);

#endif
