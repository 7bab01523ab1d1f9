/* The launch digest of SEV-SNP: one PAGE_INFO a page, each hashed over the digest before it
 * (SEV-SNP firmware ABI, section 8.17.2). */
#include "codec/cut.h"
#include "measure/measure_int.h"

enum {
    LD = CM_MEASURE_DIGEST,
    PAGE_INFO = 0x70,
    SECTIONS_MAX = 64,
    HASHES = 168, /* the table of hashes, */
    HASHES_PADDED = 176,
    FOUR_GB_BITS = 32,
};

/* Types of pages (PAGE_TYPE). */
enum { NORMAL = 1, VMSA = 2, ZERO = 3, UNMEASURED = 4, SECRETS = 5, CPUID = 6 };

/* Types of sections in OVMF's metadata. */
enum { SEC_MEM = 1, SEC_SECRETS = 2, SEC_CPUID = 3, SEC_SVSM_CAA = 4, SEC_HASHES = 0x10 };

/* The address under which the state of a processor is measured. */
#define VMSA_ADDRESS UINT64_C(0xFFFFFFFFF000)

/* 00f771de-1a7e-4fcb-890e-68c77e2fb44e: where further processors begin */
static const uint8_t reset_block[CM_GUID] = {0xde, 0x71, 0xf7, 0x00, 0x7e, 0x1a, 0xcb, 0x4f,
                                             0x89, 0x0e, 0x68, 0xc7, 0x7e, 0x2f, 0xb4, 0x4e};
/* 7255371f-3a3b-4b04-927b-1da6efa8d454: where the table of hashes lies */
static const uint8_t hash_block[CM_GUID] = {0x1f, 0x37, 0x55, 0x72, 0x3b, 0x3a, 0x04, 0x4b,
                                            0x92, 0x7b, 0x1d, 0xa6, 0xef, 0xa8, 0xd4, 0x54};
/* dc886566-984a-4798-a75e-5585a7bf67cc: the metadata */
static const uint8_t sev_metadata[CM_GUID] = {0x66, 0x65, 0x88, 0xdc, 0x4a, 0x98, 0x98, 0x47,
                                              0xa7, 0x5e, 0x55, 0x85, 0xa7, 0xbf, 0x67, 0xcc};

typedef struct {
    uint32_t address, size, type;
} section;

typedef struct {
    const cm_crypt *c;
    const cm_snp_launch *in;
    uint8_t digest[LD];
    section v[SECTIONS_MAX];
    size_t n;
    uint32_t reset; /* where further processors begin */
} launch;

/* ---- names ---------------------------------------------------------------------------------- */

static const char *const vmm_names[CM_VMM_COUNT] = {"qemu", "ec2", "gce"};

const char *cm_measure_vmm_name(cm_measure_vmm v)
{
    return v < CM_VMM_COUNT ? vmm_names[v] : "";
}

cm_measure_vmm cm_measure_vmm_of(cm_view name)
{
    unsigned v = 0;

    while (v < CM_VMM_COUNT && !cm_view_eq(cm_view_str(vmm_names[v]), name))
        v++;
    return (cm_measure_vmm)v;
}

/* QEMU's models and the numbers that their CPUID gives. */
static const cm_measure_cpu cpus[] = {
    {"EPYC", 0x800f12},          {"EPYC-v1", 0x800f12},      {"EPYC-v2", 0x800f12},
    {"EPYC-IBPB", 0x800f12},     {"EPYC-v3", 0x800f12},      {"EPYC-v4", 0x800f12},
    {"EPYC-Rome", 0x830f10},     {"EPYC-Rome-v1", 0x830f10}, {"EPYC-Rome-v2", 0x830f10},
    {"EPYC-Rome-v3", 0x830f10},  {"EPYC-Milan", 0xa00f11},   {"EPYC-Milan-v1", 0xa00f11},
    {"EPYC-Milan-v2", 0xa00f11}, {"EPYC-Genoa", 0xa10f10},   {"EPYC-Genoa-v1", 0xa10f10},
    {"EPYC-Turin", 0xb00f00},
};

const cm_measure_cpu *cm_measure_cpu_at(size_t i)
{
    return i < CM_COUNT(cpus) ? &cpus[i] : NULL;
}

static uint8_t lower(uint8_t ch)
{
    return ch >= 'A' && ch <= 'Z' ? (uint8_t)(ch | 0x20) : ch;
}

const cm_measure_cpu *cm_measure_cpu_of(cm_view name)
{
    for (size_t i = 0; i < CM_COUNT(cpus); i++) {
        cm_view known = cm_view_str(cpus[i].name);
        size_t at = 0;

        while (known.n == name.n && at < name.n && lower(known.p[at]) == lower(name.p[at]))
            at++;
        if (name.n && at == name.n)
            return &cpus[i];
    }
    return NULL;
}

/* ---- pages ---------------------------------------------------------------------------------- */

/* AT-141: contents NULL for pages whose contents are not measured. */
static cm_err update(launch *l, unsigned type, uint64_t address, const uint8_t *contents)
{
    uint8_t info[PAGE_INFO] = {0};

    memcpy(info, l->digest, LD);
    if (contents)
        memcpy(info + LD, contents, LD);
    info[0x60] = PAGE_INFO;
    info[0x62] = (uint8_t)type;
    cm_put_le64(info + 0x68, address);
    return cm_hash_once(l->c, CM_SHA384, l->digest, CM_VIEW(info));
}

static cm_err update_page(launch *l, unsigned type, uint64_t address, const uint8_t *page)
{
    uint8_t contents[LD];

    CM_TRY(cm_hash_once(l->c, CM_SHA384, contents, cm_view_of(page, CM_PAGE)));
    return update(l, type, address, contents);
}

static cm_err update_empty(launch *l, unsigned type, uint64_t address, uint32_t size)
{
    for (uint32_t at = 0; at < size; at += CM_PAGE)
        CM_TRY(update(l, type, address + at, NULL));
    return CM_OKAY;
}

static cm_err update_image(launch *l, cm_view image)
{
    uint64_t address = (UINT64_C(1) << FOUR_GB_BITS) - image.n;

    for (size_t at = 0; at < image.n; at += CM_PAGE)
        CM_TRY(update_page(l, NORMAL, address + at, image.p + at));
    return CM_OKAY;
}

cm_err cm_measure_snp_firmware(uint8_t out[CM_MEASURE_DIGEST], const cm_crypt *c, cm_view firmware)
{
    launch l = {.c = c};

    if (!cm_firmware_fits(firmware))
        return CM_FAIL(MEASURE_FIRMWARE);
    CM_TRY(update_image(&l, firmware));
    memcpy(out, l.digest, LD);
    return CM_OKAY;
}

/* ---- what the image says -------------------------------------------------------------------- */

static bool read_section(section *s, cm_cut *c)
{
    s->address = cm_cut_le32(c);
    s->size = cm_cut_le32(c);
    s->type = cm_cut_le32(c);
    if (c->bad || s->address % CM_PAGE || s->size % CM_PAGE || s->size == 0 ||
        s->size > UINT32_MAX - s->address)
        return false;
    return s->type == SEC_MEM || s->type == SEC_SECRETS || s->type == SEC_CPUID ||
           s->type == SEC_SVSM_CAA || s->type == SEC_HASHES;
}

/* AT-140 */
static cm_err read_metadata(launch *l)
{
    cm_view at = {NULL, 0}, entry = {NULL, 0}, sign;
    uint32_t version, n, size;
    cm_cut c;

    if (!cm_firmware_behind(&at, l->in->firmware, sev_metadata) ||
        !cm_firmware_entry(&entry, l->in->firmware, reset_block))
        return CM_FAIL(MEASURE_FIRMWARE);
    if (!at.p || entry.n < sizeof l->reset)
        return CM_FAIL(MEASURE_NO_SEV);
    l->reset = cm_get_le32(entry.p);
    c = cm_cut_of(at);
    sign = cm_cut_bytes(&c, 4);
    size = cm_cut_le32(&c);
    version = cm_cut_le32(&c);
    n = cm_cut_le32(&c);
    if (c.bad || !cm_view_eq(sign, CM_LIT("ASEV")) || version != 1 || n == 0 || n > SECTIONS_MAX ||
        size != 16 + n * 12)
        return CM_FAIL(MEASURE_FIRMWARE);
    for (l->n = 0; l->n < n; l->n++)
        if (!read_section(&l->v[l->n], &c))
            return CM_FAIL(MEASURE_FIRMWARE);
    return CM_OKAY;
}

/* ---- the table of hashes -------------------------------------------------------------------- */

/* 9438d606-4f22-4cc9-b479-a793d411fd21 and of its entries, in their order */
static const uint8_t table_guid[CM_GUID] = {0x06, 0xd6, 0x38, 0x94, 0x22, 0x4f, 0xc9, 0x4c,
                                            0xb4, 0x79, 0xa7, 0x93, 0xd4, 0x11, 0xfd, 0x21};
/* 97d02dd8-bd20-4c94-aa78-e7714d36ab2a */
static const uint8_t cmdline_guid[CM_GUID] = {0xd8, 0x2d, 0xd0, 0x97, 0x20, 0xbd, 0x94, 0x4c,
                                              0xaa, 0x78, 0xe7, 0x71, 0x4d, 0x36, 0xab, 0x2a};
/* 44baf731-3a2f-4bd7-9af1-41e29169781d */
static const uint8_t initrd_guid[CM_GUID] = {0x31, 0xf7, 0xba, 0x44, 0x2f, 0x3a, 0xd7, 0x4b,
                                             0x9a, 0xf1, 0x41, 0xe2, 0x91, 0x69, 0x78, 0x1d};
/* 4de79437-abd2-427f-b835-d5b172d2045b */
static const uint8_t kernel_guid[CM_GUID] = {0x37, 0x94, 0xe7, 0x4d, 0xd2, 0xab, 0x7f, 0x42,
                                             0xb8, 0x35, 0xd5, 0xb1, 0x72, 0xd2, 0x04, 0x5b};

static uint8_t *put_head(uint8_t *p, const uint8_t guid[CM_GUID], unsigned length)
{
    memcpy(p, guid, CM_GUID);
    p[CM_GUID] = (uint8_t)length;
    p[CM_GUID + 1] = (uint8_t)(length >> 8);
    return p + CM_GUID + 2;
}

static uint8_t *put_hash(uint8_t *p, const uint8_t guid[CM_GUID], const uint8_t hash[32])
{
    p = put_head(p, guid, CM_GUID + 2 + 32);
    memcpy(p, hash, 32);
    return p + 32;
}

/* AT-142 */
static cm_err update_hashes(launch *l, const section *s)
{
    const cm_measure_boot *b = l->in->boot;
    uint8_t page[CM_PAGE] = {0}, *p;
    cm_view entry = {NULL, 0};
    uint32_t at;

    if (!b)
        return update_empty(l, ZERO, s->address, s->size);
    if (!cm_firmware_entry(&entry, l->in->firmware, hash_block) || entry.n < sizeof at)
        return CM_FAIL(MEASURE_FIRMWARE);
    at = cm_get_le32(entry.p) % CM_PAGE;
    if (s->size != CM_PAGE || at > CM_PAGE - HASHES_PADDED)
        return CM_FAIL(MEASURE_FIRMWARE);
    p = put_head(page + at, table_guid, HASHES);
    p = put_hash(p, cmdline_guid, b->cmdline);
    p = put_hash(p, initrd_guid, b->initrd);
    (void)put_hash(p, kernel_guid, b->kernel);
    return update_page(l, NORMAL, s->address, page);
}

/* ---- sections ------------------------------------------------------------------------------- */

static cm_err update_section(launch *l, const section *s)
{
    switch (s->type) {
    case SEC_SECRETS:
        return update(l, SECRETS, s->address, NULL);
    case SEC_CPUID:
        /* EC2 adds it behind the others. */
        return l->in->vmm == CM_VMM_EC2 ? CM_OKAY : update(l, CPUID, s->address, NULL);
    case SEC_HASHES:
        return update_hashes(l, s);
    case SEC_MEM:
        return update_empty(l, l->in->vmm == CM_VMM_GCE ? UNMEASURED : ZERO, s->address, s->size);
    default:
        return update_empty(l, ZERO, s->address, s->size);
    }
}

static cm_err update_sections(launch *l)
{
    bool hashes = false;

    for (size_t i = 0; i < l->n; i++) {
        hashes |= l->v[i].type == SEC_HASHES;
        CM_TRY(update_section(l, &l->v[i]));
    }
    for (size_t i = 0; i < l->n && l->in->vmm == CM_VMM_EC2; i++)
        if (l->v[i].type == SEC_CPUID)
            CM_TRY(update(l, CPUID, l->v[i].address, NULL));
    return l->in->boot && !hashes ? CM_FAIL(MEASURE_NO_BOOT) : CM_OKAY;
}

/* ---- processors ----------------------------------------------------------------------------- */

static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static void put_segment(uint8_t *p, unsigned selector, unsigned attributes, uint32_t limit,
                        uint32_t base)
{
    put16(p, selector);
    put16(p + 2, attributes);
    memcpy(p + 4, &limit, sizeof limit);
    cm_put_le64(p + 8, base);
}

/* Attributes of CS, SS and TR, RDX and the floating point state differ between who starts guests.
 */
typedef struct {
    uint16_t cs, ss, tr, fcw;
    uint32_t mxcsr, rdx;
    uint64_t pat;
} first_state;

static first_state state_of(const cm_snp_launch *in, uint32_t eip)
{
    first_state qemu = {0x9b, 0x93, 0x8b, 0x37f, 0x1f80, in->signature, 0x7040600070406};
    first_state ec2 = {0x9b, 0x92, 0x83, 0, 0, 0x600, 0x7040600070406};
    first_state gce = {0x9b, 0x93, 0x8b, 0, 0, 0x600, 0x70106};

    if (eip == 0xfffffff0)
        ec2.cs = 0x9a;
    return in->vmm == CM_VMM_EC2 ? ec2 : in->vmm == CM_VMM_GCE ? gce : qemu;
}

/* AT-143: the save area (APM volume 2, table B-4) of a processor that begins at eip. */
static void put_vmsa(uint8_t page[CM_PAGE], const cm_snp_launch *in, uint32_t eip)
{
    first_state s = state_of(in, eip);

    memset(page, 0, CM_PAGE);
    put_segment(page + 0x00, 0, 0x93, 0xffff, 0);                     /* ES */
    put_segment(page + 0x10, 0xf000, s.cs, 0xffff, eip & 0xffff0000); /* CS */
    put_segment(page + 0x20, 0, s.ss, 0xffff, 0);                     /* SS */
    put_segment(page + 0x30, 0, 0x93, 0xffff, 0);                     /* DS */
    put_segment(page + 0x40, 0, 0x93, 0xffff, 0);                     /* FS */
    put_segment(page + 0x50, 0, 0x93, 0xffff, 0);                     /* GS */
    put_segment(page + 0x60, 0, 0, 0xffff, 0);                        /* GDTR */
    put_segment(page + 0x70, 0, 0x82, 0xffff, 0);                     /* LDTR */
    put_segment(page + 0x80, 0, 0, 0xffff, 0);                        /* IDTR */
    put_segment(page + 0x90, 0, s.tr, 0xffff, 0);                     /* TR */
    cm_put_le64(page + 0x0d0, 0x1000);                                /* EFER: SVME */
    cm_put_le64(page + 0x148, 0x40);                                  /* CR4: MCE */
    cm_put_le64(page + 0x158, 0x10);                                  /* CR0 */
    cm_put_le64(page + 0x160, 0x400);                                 /* DR7 */
    cm_put_le64(page + 0x168, 0xffff0ff0);                            /* DR6 */
    cm_put_le64(page + 0x170, 2);                                     /* RFLAGS */
    cm_put_le64(page + 0x178, eip & 0xffff);                          /* RIP */
    cm_put_le64(page + 0x268, s.pat);
    cm_put_le64(page + 0x310, s.rdx);
    cm_put_le64(page + 0x3b0, in->features);
    cm_put_le64(page + 0x3e8, 1); /* XCR0 */
    memcpy(page + 0x408, &s.mxcsr, sizeof s.mxcsr);
    put16(page + 0x410, s.fcw);
}

static cm_err update_processors(launch *l)
{
    uint8_t page[CM_PAGE];

    put_vmsa(page, l->in, 0xfffffff0);
    CM_TRY(update_page(l, VMSA, VMSA_ADDRESS, page));
    put_vmsa(page, l->in, l->reset);
    for (uint32_t i = 1; i < l->in->vcpus; i++)
        CM_TRY(update_page(l, VMSA, VMSA_ADDRESS, page));
    return CM_OKAY;
}

cm_err cm_measure_snp(uint8_t out[CM_MEASURE_DIGEST], const cm_crypt *c, const cm_snp_launch *in)
{
    launch l = {.c = c, .in = in};

    if (in->vcpus == 0 || in->vcpus > CM_MEASURE_VCPUS_MAX || in->vmm >= CM_VMM_COUNT)
        return CM_FAIL(BAD_ARGUMENT);
    if (!cm_firmware_fits(in->firmware))
        return CM_FAIL(MEASURE_FIRMWARE);
    CM_TRY(read_metadata(&l));
    if (in->firmware_digest)
        memcpy(l.digest, in->firmware_digest, LD);
    else
        CM_TRY(update_image(&l, in->firmware));
    CM_TRY(update_sections(&l));
    CM_TRY(update_processors(&l));
    memcpy(out, l.digest, LD);
    return CM_OKAY;
}
