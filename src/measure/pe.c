/* The digest that firmware takes of a program it starts: Authenticode's, of a PE file without its
 * checksum and signatures (Windows Authenticode PE format; as edk2 measures, without padding). */
#include "codec/cut.h"
#include "measure/measure.h"

enum {
    LFANEW = 0x3c,
    COFF = 20,
    SECTION = 40,
    SECTIONS_MAX = 96,
    CHECKSUM = 64, /* in the optional header */
    HEADERS_SIZE = 60,
    DIRS = 96, /* the directories there, and 16 further in the wide form */
    CERTS = 4, /* the directory of signatures */
    PE32 = 0x10b,
    PE32_PLUS = 0x20b,
};

typedef struct {
    uint32_t at, n;
} range;

typedef struct {
    cm_view file;
    size_t checksum, certs; /* where they stand; certs 0: no such directory */
    uint32_t headers, cert_size;
    range v[SECTIONS_MAX];
    size_t n;
} pe;

static uint32_t le32(cm_view v, size_t at)
{
    return at <= v.n && v.n - at >= 4 ? cm_get_le32(v.p + at) : 0;
}

static uint32_t le16(cm_view v, size_t at)
{
    return at <= v.n && v.n - at >= 2 ? (uint32_t)(v.p[at] | v.p[at + 1] << 8) : 0;
}

static bool in_order(pe *p, range r)
{
    size_t i = p->n++;

    for (; i > 0 && p->v[i - 1].at > r.at; i--)
        p->v[i] = p->v[i - 1];
    p->v[i] = r;
    return true;
}

static bool read_sections(pe *p, size_t at, uint32_t n)
{
    if (n > SECTIONS_MAX || n * SECTION > p->file.n || at > p->file.n - n * SECTION)
        return false;
    for (uint32_t i = 0; i < n; i++, at += SECTION) {
        range r = {le32(p->file, at + 20), le32(p->file, at + 16)};

        if (r.n && (r.at > p->file.n || r.n > p->file.n - r.at || !in_order(p, r)))
            return false;
    }
    return true;
}

/* AT-147 */
static bool read_pe(pe *p)
{
    size_t at = le32(p->file, LFANEW), opt = at + 4 + COFF, dirs, count;
    uint32_t magic = le16(p->file, opt), opt_size = le16(p->file, at + 4 + 16);

    if (le16(p->file, 0) != 0x5a4d || at > p->file.n ||
        p->file.n - at < 4 + COFF + DIRS + 16 + 40 || le32(p->file, at) != 0x4550 ||
        (magic != PE32 && magic != PE32_PLUS))
        return false;
    p->checksum = opt + CHECKSUM;
    p->headers = le32(p->file, opt + HEADERS_SIZE);
    dirs = opt + DIRS + (magic == PE32_PLUS ? 16 : 0);
    count = le32(p->file, dirs - 4);
    if (count > CERTS) {
        p->certs = dirs + 8 * CERTS;
        p->cert_size = le32(p->file, p->certs + 4);
    }
    return p->headers <= p->file.n && p->headers >= dirs + 8 * (size_t)CERTS + 8 &&
           read_sections(p, opt + opt_size, le16(p->file, at + 4 + 2));
}

static cm_err hash_headers(cm_hasher *h, const pe *p)
{
    size_t from = p->checksum + 4;

    CM_TRY(cm_hasher_update(h, cm_view_sub(p->file, 0, p->checksum)));
    if (p->certs) {
        CM_TRY(cm_hasher_update(h, cm_view_sub(p->file, from, p->certs - from)));
        from = p->certs + 8;
    }
    return cm_hasher_update(h, cm_view_sub(p->file, from, p->headers - from));
}

cm_err cm_measure_program(uint8_t *out, const cm_crypt *c, cm_hash hash, cm_view file)
{
    CM_AUTO(cm_hasher_free_ptr) cm_hasher *h = NULL;
    pe p = {.file = file};
    size_t hashed;

    if (!read_pe(&p))
        return CM_FAIL(MEASURE_PE);
    hashed = p.headers;
    CM_TRY(cm_hasher_new(&h, c, hash));
    CM_TRY(hash_headers(h, &p));
    for (size_t i = 0; i < p.n; i++) {
        hashed += p.v[i].n;
        CM_TRY(cm_hasher_update(h, cm_view_sub(file, p.v[i].at, p.v[i].n)));
    }
    if (hashed < file.n) { /* what stands behind the sections, but for signatures */
        if (p.cert_size > file.n - hashed)
            return CM_FAIL(MEASURE_PE);
        CM_TRY(cm_hasher_update(h, cm_view_sub(file, hashed, file.n - hashed - p.cert_size)));
    }
    return cm_hasher_final(h, out);
}
