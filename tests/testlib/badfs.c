#include "badfs.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR = 512, FILES = 16, NAME = 512 };

typedef struct {
    sqlite3_file base;
    int index; /* of what is remembered; -1: nothing */
    sqlite3_file *real;
} file;

/* What the disk holds for sure: the file as of its last flush. */
typedef struct {
    char name[NAME];
    uint8_t *flushed;
    size_t n;
    bool used;
} memory;

static sqlite3_vfs vfs, *below;
static sqlite3_io_methods methods;
static memory remembered[FILES];
static bool remembering, frozen, lasting_fault, full_disk, was_hit;
static enum badfs_call fault_call;
static unsigned fault_left;

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    abort();
}

/* ---- failing ------------------------------------------------------------------------------- */

void badfs_fail(enum badfs_call call, unsigned n, bool lasting, bool full)
{
    fault_call = call;
    fault_left = n;
    lasting_fault = lasting;
    full_disk = full;
    was_hit = false;
}

bool badfs_hit(void)
{
    return was_hit;
}

static bool fails(enum badfs_call call)
{
    if (fault_left == 0 || call != fault_call)
        return false;
    if (fault_left > 1) {
        fault_left--;
        return false;
    }
    if (!lasting_fault)
        fault_left = 0;
    return was_hit = true;
}

/* ---- remembering --------------------------------------------------------------------------- */

static void load(const char *name, uint8_t **p, size_t *n)
{
    struct stat st;
    int fd = open(name, O_RDONLY | O_CLOEXEC);

    *p = NULL;
    *n = 0;
    if (fd < 0)
        return;
    must(fstat(fd, &st) == 0, name);
    *n = (size_t)st.st_size;
    *p = malloc(*n + 1);
    must(*p && pread(fd, *p, *n, 0) == (ssize_t)*n, name);
    close(fd);
}

static void flushed(int index)
{
    memory *m = &remembered[index];

    free(m->flushed);
    load(m->name, &m->flushed, &m->n);
}

static int remember(const char *name)
{
    for (int i = 0; i < FILES; i++) {
        if (remembered[i].used && strcmp(remembered[i].name, name) == 0)
            return i;
        if (remembered[i].used)
            continue;
        snprintf(remembered[i].name, NAME, "%s", name);
        remembered[i].used = true;
        flushed(i);
        return i;
    }
    must(false, "too many files");
    return -1;
}

void badfs_remember(void)
{
    for (int i = 0; i < FILES; i++)
        free(remembered[i].flushed);
    memset(remembered, 0, sizeof remembered);
    remembering = true;
    frozen = false;
}

void badfs_freeze(void)
{
    frozen = true;
}

static void mix(memory *m, unsigned *seed)
{
    uint8_t *now;
    size_t n;
    int fd;

    load(m->name, &now, &n);
    fd = open(m->name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(fd >= 0, m->name);
    for (size_t at = 0; at < n || at < m->n; at += SECTOR) {
        const uint8_t *from = now;
        size_t have = n;

        if (rand_r(seed) % 2 == 0) {
            from = m->flushed;
            have = m->n;
        }
        if (at < have)
            must(pwrite(fd, from + at, have - at < SECTOR ? have - at : SECTOR, (off_t)at) > 0,
                 m->name);
    }
    close(fd);
    free(now);
}

void badfs_cut_power(unsigned seed)
{
    for (int i = 0; i < FILES; i++)
        if (remembered[i].used)
            mix(&remembered[i], &seed);
    remembering = false;
    frozen = false;
}

/* ---- the calls ----------------------------------------------------------------------------- */

static file *of(sqlite3_file *f)
{
    return (file *)(void *)f;
}

static int do_close(sqlite3_file *f)
{
    int rc = of(f)->real->pMethods ? of(f)->real->pMethods->xClose(of(f)->real) : SQLITE_OK;

    free(of(f)->real);
    return rc;
}

static int do_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    if (fails(BADFS_READ))
        return SQLITE_IOERR_READ;
    return of(f)->real->pMethods->xRead(of(f)->real, p, n, at);
}

/* Half of it is written when it fails: a torn write. */
static int do_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    if (frozen)
        return SQLITE_OK;
    if (fails(BADFS_WRITE)) {
        (void)of(f)->real->pMethods->xWrite(of(f)->real, p, n / 2, at);
        return full_disk ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    }
    return of(f)->real->pMethods->xWrite(of(f)->real, p, n, at);
}

static int do_truncate(sqlite3_file *f, sqlite3_int64 n)
{
    if (frozen)
        return SQLITE_OK;
    if (fails(BADFS_TRUNCATE))
        return SQLITE_IOERR_TRUNCATE;
    return of(f)->real->pMethods->xTruncate(of(f)->real, n);
}

static int do_sync(sqlite3_file *f, int flags)
{
    int rc;

    if (frozen)
        return SQLITE_OK;
    if (fails(BADFS_SYNC))
        return SQLITE_IOERR_FSYNC;
    rc = of(f)->real->pMethods->xSync(of(f)->real, flags);
    if (rc == SQLITE_OK && remembering && of(f)->index >= 0)
        flushed(of(f)->index);
    return rc;
}

static int do_size(sqlite3_file *f, sqlite3_int64 *n)
{
    return of(f)->real->pMethods->xFileSize(of(f)->real, n);
}

static int do_lock(sqlite3_file *f, int l)
{
    return of(f)->real->pMethods->xLock(of(f)->real, l);
}

static int do_unlock(sqlite3_file *f, int l)
{
    return of(f)->real->pMethods->xUnlock(of(f)->real, l);
}

static int do_check(sqlite3_file *f, int *out)
{
    return of(f)->real->pMethods->xCheckReservedLock(of(f)->real, out);
}

static int do_control(sqlite3_file *f, int op, void *arg)
{
    return of(f)->real->pMethods->xFileControl(of(f)->real, op, arg);
}

static int do_sector(sqlite3_file *f)
{
    (void)f;
    return SECTOR;
}

/* Promises nothing of what newer file systems do. */
static int do_traits(sqlite3_file *f)
{
    (void)f;
    return 0;
}

static int do_map(sqlite3_file *f, int page, int n, int extend, void volatile **out)
{
    return of(f)->real->pMethods->xShmMap(of(f)->real, page, n, extend, out);
}

static int do_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    return of(f)->real->pMethods->xShmLock(of(f)->real, at, n, flags);
}

static void do_barrier(sqlite3_file *f)
{
    of(f)->real->pMethods->xShmBarrier(of(f)->real);
}

static int do_unmap(sqlite3_file *f, int drop)
{
    return of(f)->real->pMethods->xShmUnmap(of(f)->real, drop);
}

static int do_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out)
{
    int keep = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL;
    int rc;

    (void)v;
    f->pMethods = NULL;
    of(f)->real = calloc(1, (size_t)below->szOsFile);
    must(of(f)->real != NULL, "calloc");
    rc = below->xOpen(below, name, of(f)->real, flags, out);
    if (rc != SQLITE_OK) {
        free(of(f)->real);
        return rc;
    }
    of(f)->index = remembering && name && (flags & keep) ? remember(name) : -1;
    f->pMethods = &methods;
    return SQLITE_OK;
}

static int do_delete(sqlite3_vfs *v, const char *name, int sync)
{
    (void)v;
    return frozen ? SQLITE_OK : below->xDelete(below, name, sync);
}

void badfs_install(void)
{
    below = sqlite3_vfs_find(NULL);
    methods = (sqlite3_io_methods){
        .iVersion = 2,
        .xClose = do_close,
        .xRead = do_read,
        .xWrite = do_write,
        .xTruncate = do_truncate,
        .xSync = do_sync,
        .xFileSize = do_size,
        .xLock = do_lock,
        .xUnlock = do_unlock,
        .xCheckReservedLock = do_check,
        .xFileControl = do_control,
        .xSectorSize = do_sector,
        .xDeviceCharacteristics = do_traits,
        .xShmMap = do_map,
        .xShmLock = do_shm_lock,
        .xShmBarrier = do_barrier,
        .xShmUnmap = do_unmap,
    };
    vfs = *below;
    vfs.zName = "badfs";
    vfs.szOsFile = sizeof(file);
    vfs.xOpen = do_open;
    vfs.xDelete = do_delete;
    must(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK, "sqlite3_vfs_register");
}
