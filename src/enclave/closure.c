#include "enclave/closure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "enclave/elf.h"

enum { CHUNK = 1 << 20, PATH_LEN = 4096, FILE_MAX = 1 << 30, MFD_MAY_RUN = 0x10 };

void cm_closure_free(cm_closure *c)
{
    for (size_t i = 0; i < c->n; i++) {
        cm_os_close_fd(&c->v[i].fd);
        cm_free(c->v[i].name);
        cm_free(c->v[i].path);
    }
    cm_free(c->v);
    cm_free(c->culprit);
    *c = (cm_closure){0};
}

static cm_err blame(cm_closure *c, cm_err e, const char *what)
{
    if (cm_failed(e) && !c->culprit && cm_failed(cm_strdup(&c->culprit, cm_view_str(what))))
        c->culprit = NULL;
    return e;
}

/* ---- one file ------------------------------------------------------------------------------ */

/* Kernels from 6.3 on can be told to make memory files that can't be run unless they are asked for;
 * earlier ones don't know the flag. */
static int memory_file(const char *label)
{
    int fd = memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_MAY_RUN);

    return fd >= 0 ? fd : memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

static cm_err open_regular(int *fd, const char *path)
{
    CM_AUTO(cm_os_close_fd) int f = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;

    if (f < 0)
        return cm_os_err(errno, CM_IO_OPEN);
    if (fstat(f, &st) != 0 || !S_ISREG(st.st_mode))
        return CM_FAIL(ENCLAVE_KIND);
    *fd = f;
    f = -1;
    return CM_OKAY;
}

/* What is measured is what is written, and what is written can't change any more: EN-4. */
static cm_err copy(cm_pin *p, const cm_crypt *crypt, int from)
{
    CM_AUTO(cm_hasher_free_ptr) cm_hasher *h = NULL;
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CHUNK};
    size_t got = CHUNK;

    CM_TRY(cm_hasher_new(&h, crypt, CM_SHA256));
    CM_TRY(cm_buf_reserve(&b, CHUNK));
    while (got == CHUNK) {
        CM_TRY(cm_os_read(from, b.p, CHUNK, &got));
        CM_TRY(cm_hasher_update(h, cm_view_of(b.p, got)));
        CM_TRY(cm_os_write(p->fd, b.p, got));
        p->size += got;
        if (p->size > FILE_MAX)
            return CM_FAIL(TOO_BIG);
    }
    return cm_hasher_final(h, p->sha256);
}

/* A program that may be run and not read leaves its process undumpable (EN-22). */
static mode_t mode_of(cm_enclave_role role)
{
    if (role == CM_ENCLAVE_PROGRAM)
        return 0111;
    return role <= CM_ENCLAVE_LIBRARY ? 0555 : 0444;
}

static cm_err freeze(const cm_pin *p)
{
    if (fchmod(p->fd, mode_of(p->role)) != 0 ||
        fcntl(p->fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
        return CM_FAIL(NO_MEMORY);
    return CM_OKAY;
}

static cm_err hold(cm_pin *p, const cm_crypt *crypt)
{
    CM_AUTO(cm_os_close_fd) int fd = -1;

    CM_TRY(open_regular(&fd, p->path));
    p->fd = memory_file(cm_enclave_role_name(p->role));
    if (p->fd < 0)
        return CM_FAIL(NO_MEMORY);
    CM_TRY(copy(p, crypt, fd));
    return freeze(p);
}

static cm_err room(cm_closure *c)
{
    if (c->v)
        return c->n < c->cap ? CM_OKAY : CM_FAIL(ENCLAVE_TOO_MANY);
    CM_TRY(cm_alloc_array(&c->v, CM_ENCLAVE_FILES, sizeof *c->v));
    c->cap = CM_ENCLAVE_FILES;
    return CM_OKAY;
}

cm_err cm_closure_add(cm_closure *c, const cm_crypt *crypt, cm_enclave_role role, const char *name,
                      const char *path)
{
    cm_pin *p;
    cm_err e;

    CM_TRY(room(c));
    p = &c->v[c->n];
    *p = (cm_pin){.role = role, .fd = -1};
    e = cm_strdup(&p->name, cm_view_str(name));
    if (cm_ok(e))
        e = cm_strdup(&p->path, cm_view_str(path));
    if (cm_ok(e))
        e = hold(p, crypt);
    if (cm_ok(e)) {
        c->n++;
        return CM_OKAY;
    }
    cm_os_close_fd(&p->fd);
    cm_free(p->name);
    cm_free(p->path);
    *p = (cm_pin){.fd = -1};
    return blame(c, e, path);
}

/* ---- what a program loads ------------------------------------------------------------------ */

static const char *const system_folders[] = {
#if defined(__x86_64__)
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
#else
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
#endif
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
    "/usr/local/lib",
    NULL,
};

static bool joined(char path[PATH_LEN], cm_view folder, cm_view name)
{
    int n = snprintf(path, PATH_LEN, "%.*s/%.*s", (int)folder.n, (const char *)folder.p,
                     (int)name.n, (const char *)name.p);

    return n > 0 && n < PATH_LEN && cm_os_exists(path);
}

static bool in_list(char path[PATH_LEN], const char *const *folders, cm_view name)
{
    for (size_t i = 0; folders && folders[i]; i++)
        if (joined(path, cm_view_str(folders[i]), name))
            return true;
    return false;
}

/* $ORIGIN is the folder of the file that says so; other tokens name nothing here. */
static bool in_origin(char path[PATH_LEN], cm_view folder, cm_view name, const char *from)
{
    static const char *const heads[] = {"$ORIGIN", "${ORIGIN}"};
    char text[PATH_LEN];
    const char *slash = strrchr(from, '/');

    for (size_t i = 0; i < CM_COUNT(heads); i++) {
        cm_view head = cm_view_str(heads[i]);
        int n;

        if (folder.n < head.n || !cm_view_eq(cm_view_sub(folder, 0, head.n), head))
            continue;
        n = snprintf(text, sizeof text, "%.*s%.*s", slash ? (int)(slash - from) : 1,
                     slash ? from : ".", (int)(folder.n - head.n), (const char *)folder.p + head.n);
        return n > 0 && (size_t)n < sizeof text && joined(path, cm_view_str(text), name);
    }
    return folder.n && folder.p[0] == '/' && !memchr(folder.p, '$', folder.n) &&
           joined(path, folder, name);
}

static bool in_own(char path[PATH_LEN], cm_view list, cm_view name, const char *from)
{
    while (list.n) {
        const uint8_t *colon = memchr(list.p, ':', list.n);
        size_t n = colon ? (size_t)(colon - list.p) : list.n;

        if (in_origin(path, cm_view_sub(list, 0, n), name, from))
            return true;
        n += colon ? 1 : 0;
        list = cm_view_sub(list, n, list.n - n);
    }
    return false;
}

static bool held(const cm_closure *c, cm_view name)
{
    for (size_t i = 0; i < c->n; i++) {
        const char *base = strrchr(c->v[i].name, '/');

        if ((c->v[i].role == CM_ENCLAVE_LIBRARY && cm_view_eq(cm_view_str(c->v[i].name), name)) ||
            (c->v[i].role == CM_ENCLAVE_LOADER && base && cm_view_eq(cm_view_str(base + 1), name)))
            return true;
    }
    return false;
}

static cm_err add_library(cm_closure *c, const cm_crypt *crypt, const cm_elf *e, cm_view name,
                          const char *from, const char *const *folders)
{
    char path[PATH_LEN], text[CM_ELF_NAME + 1];

    (void)snprintf(text, sizeof text, "%.*s", (int)name.n, (const char *)name.p);
    if (held(c, name))
        return CM_OKAY;
    if (strchr(text, '/') || (!in_own(path, e->path, name, from) && !in_list(path, folders, name) &&
                              !in_list(path, system_folders, name)))
        return blame(c, CM_FAIL(ENCLAVE_NO_LIBRARY), text);
    return cm_closure_add(c, crypt, CM_ENCLAVE_LIBRARY, text, path);
}

struct mapped {
    void *p;
    size_t n;
};

static void unmap(struct mapped *m)
{
    if (m->p)
        munmap(m->p, m->n);
}

/* Look into the held copy, not into the file that it came from. */
static cm_err look_into(cm_closure *c, const cm_crypt *crypt, size_t i, const char *const *folders)
{
    CM_AUTO(unmap) struct mapped m = {NULL, (size_t)c->v[i].size};
    char loader[PATH_LEN];
    cm_elf e;

    if (m.n == 0)
        return blame(c, CM_FAIL(ENCLAVE_ELF), c->v[i].path);
    m.p = mmap(NULL, m.n, PROT_READ, MAP_SHARED, c->v[i].fd, 0);
    if (m.p == MAP_FAILED) {
        m.p = NULL;
        return CM_FAIL(NO_MEMORY);
    }
    CM_TRY(blame(c, cm_elf_read(&e, cm_view_of(m.p, m.n)), c->v[i].path));
    if (c->v[i].role == CM_ENCLAVE_PROGRAM && e.loader.n) {
        (void)snprintf(loader, sizeof loader, "%.*s", (int)e.loader.n, (const char *)e.loader.p);
        CM_TRY(cm_closure_add(c, crypt, CM_ENCLAVE_LOADER, loader, loader));
    }
    for (size_t k = 0; k < e.needed_n; k++)
        CM_TRY(add_library(c, crypt, &e, e.needed[k], c->v[i].path, folders));
    return CM_OKAY;
}

cm_err cm_closure_program(cm_closure *c, const cm_crypt *crypt, const char *path,
                          const char *const *folders)
{
    const char *slash = strrchr(path, '/');
    size_t first = c->n;

    CM_TRY(cm_closure_add(c, crypt, CM_ENCLAVE_PROGRAM, slash ? slash + 1 : path, path));
    for (size_t i = first; i < c->n; i++)
        CM_TRY(look_into(c, crypt, i, folders));
    return CM_OKAY;
}

const cm_pin *cm_closure_find(const cm_closure *c, cm_enclave_role role)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->v[i].role == role)
            return &c->v[i];
    return NULL;
}

void cm_closure_list(const cm_closure *c, cm_enclave_manifest *m)
{
    for (m->files_n = 0; m->files_n < c->n; m->files_n++) {
        const cm_pin *p = &c->v[m->files_n];
        cm_enclave_file *f = &m->files[m->files_n];

        f->role = p->role;
        f->name = cm_view_str(p->name);
        f->size = p->size;
        memcpy(f->sha256, p->sha256, sizeof f->sha256);
    }
}
