#include "enclave/elf.h"

#include <elf.h>

enum { PHDRS = 64, DYNAMIC_MAX = 4096, LOADER_MAX = 4096 };

#if defined(__x86_64__)
enum { MACHINE = EM_X86_64 };
#elif defined(__aarch64__)
enum { MACHINE = EM_AARCH64 };
#else
#error "name this machine's number of elf.h"
#endif

struct image {
    cm_view file;
    Elf64_Phdr phdr[PHDRS];
    size_t phdr_n;
};

struct dynamic {
    uint64_t strings, strings_n, needed[CM_ELF_NEEDED], runpath, rpath;
    size_t needed_n;
    bool has_runpath, has_rpath;
};

static bool part(cm_view *out, cm_view file, uint64_t at, uint64_t n)
{
    if (at > file.n || n > file.n - at)
        return false;
    *out = cm_view_sub(file, (size_t)at, (size_t)n);
    return true;
}

/* Text up to its NUL, which stands inside v. */
static bool text_at(cm_view *out, cm_view v, uint64_t at, size_t max)
{
    const uint8_t *end;

    if (at >= v.n)
        return false;
    end = memchr(v.p + at, 0, v.n - (size_t)at);
    if (!end || (size_t)(end - (v.p + at)) > max)
        return false;
    *out = cm_view_of(v.p + at, (size_t)(end - (v.p + at)));
    return true;
}

/* ---- headers ------------------------------------------------------------------------------- */

static bool head_fits(const Elf64_Ehdr *h)
{
    return h->e_ident[EI_CLASS] == ELFCLASS64 && h->e_ident[EI_DATA] == ELFDATA2LSB &&
           h->e_ident[EI_VERSION] == EV_CURRENT && h->e_machine == MACHINE &&
           (h->e_type == ET_EXEC || h->e_type == ET_DYN) && h->e_phentsize == sizeof(Elf64_Phdr) &&
           h->e_phnum > 0 && h->e_phnum <= PHDRS;
}

static cm_err read_headers(struct image *m)
{
    Elf64_Ehdr h;
    cm_view v;

    if (m->file.n >= 2 && m->file.p[0] == '#' && m->file.p[1] == '!')
        return CM_FAIL(ENCLAVE_SCRIPT);
    if (!part(&v, m->file, 0, sizeof h) || !cm_view_eq(cm_view_sub(v, 0, 4), CM_LIT("\177ELF")))
        return CM_FAIL(ENCLAVE_ELF);
    memcpy(&h, v.p, sizeof h);
    if (!head_fits(&h) || !part(&v, m->file, h.e_phoff, h.e_phnum * sizeof *m->phdr))
        return CM_FAIL(ENCLAVE_ELF);
    memcpy(m->phdr, v.p, v.n);
    m->phdr_n = h.e_phnum;
    return CM_OKAY;
}

static const Elf64_Phdr *find(const struct image *m, uint32_t type)
{
    for (size_t i = 0; i < m->phdr_n; i++)
        if (m->phdr[i].p_type == type)
            return &m->phdr[i];
    return NULL;
}

/* n bytes at an address, which lie in one loaded segment. */
static bool loaded(cm_view *out, const struct image *m, uint64_t address, uint64_t n)
{
    for (size_t i = 0; i < m->phdr_n; i++) {
        const Elf64_Phdr *p = &m->phdr[i];
        uint64_t at = address - p->p_vaddr, offset;

        if (p->p_type == PT_LOAD && address >= p->p_vaddr && at <= p->p_filesz &&
            n <= p->p_filesz - at && cm_add_u64(&offset, p->p_offset, at))
            return part(out, m->file, offset, n);
    }
    return false;
}

/* ---- the dynamic section ------------------------------------------------------------------- */

static bool take(struct dynamic *d, const Elf64_Dyn *e)
{
    switch (e->d_tag) {
    case DT_STRTAB:
        d->strings = e->d_un.d_ptr;
        return true;
    case DT_STRSZ:
        d->strings_n = e->d_un.d_val;
        return true;
    case DT_NEEDED:
        if (d->needed_n == CM_ELF_NEEDED)
            return false;
        d->needed[d->needed_n++] = e->d_un.d_val;
        return true;
    case DT_RUNPATH:
        d->runpath = e->d_un.d_val;
        d->has_runpath = true;
        return true;
    case DT_RPATH:
        d->rpath = e->d_un.d_val;
        d->has_rpath = true;
        return true;
    /* What loads more than the list says. */
    case DT_AUXILIARY:
    case DT_FILTER:
        return false;
    default:
        return true;
    }
}

static bool read_dynamic(struct dynamic *d, const struct image *m, const Elf64_Phdr *p)
{
    size_t n = (size_t)(p->p_filesz / sizeof(Elf64_Dyn));
    cm_view v;

    if (n > DYNAMIC_MAX || !part(&v, m->file, p->p_offset, p->p_filesz))
        return false;
    for (size_t i = 0; i < n; i++) {
        Elf64_Dyn e;

        memcpy(&e, v.p + i * sizeof e, sizeof e);
        if (e.d_tag == DT_NULL)
            return true;
        if (!take(d, &e))
            return false;
    }
    return true;
}

static bool name_all(cm_elf *out, const struct image *m, const struct dynamic *d)
{
    cm_view strings = {0};

    if (d->needed_n == 0 && !d->has_runpath && !d->has_rpath)
        return true;
    if (!loaded(&strings, m, d->strings, d->strings_n))
        return false;
    for (size_t i = 0; i < d->needed_n; i++)
        if (!text_at(&out->needed[i], strings, d->needed[i], CM_ELF_NAME) || out->needed[i].n == 0)
            return false;
    out->needed_n = d->needed_n;
    if (d->has_runpath || d->has_rpath)
        return text_at(&out->path, strings, d->has_runpath ? d->runpath : d->rpath, LOADER_MAX);
    return true;
}

cm_err cm_elf_read(cm_elf *out, cm_view file)
{
    struct image m = {.file = file};
    struct dynamic d = {0};
    const Elf64_Phdr *p;
    cm_elf e = {0};
    cm_view v;

    CM_TRY(read_headers(&m));
    p = find(&m, PT_GNU_STACK);
    if (p && p->p_flags & PF_X)
        return CM_FAIL(ENCLAVE_ELF);
    p = find(&m, PT_INTERP);
    if (p && (!part(&v, file, p->p_offset, p->p_filesz) || !text_at(&e.loader, v, 0, LOADER_MAX) ||
              e.loader.n == 0 || e.loader.p[0] != '/'))
        return CM_FAIL(ENCLAVE_ELF);
    p = find(&m, PT_DYNAMIC);
    if (p && (!read_dynamic(&d, &m, p) || !name_all(&e, &m, &d)))
        return CM_FAIL(ENCLAVE_ELF);
    *out = e;
    return CM_OKAY;
}
