/* MRTD: one SHA-384 over what TDH.MEM.PAGE.ADD and TDH.MR.EXTEND take in while a TD is built (Intel
 * TDX module, section on measurement), for the sections that the firmware's metadata names. */
#include "codec/cut.h"
#include "measure/measure_int.h"

enum {
    RECORD = 128, /* of either operation: name, address, zeros */
    CHUNK = 256,
    SECTIONS_MAX = 64,
    MR_EXTEND = 1,
    PAGE_AUG = 2,
    GUEST_BITS = 51,
};

/* e47a6535-984a-4798-865e-4685a7bf8ec2 */
static const uint8_t tdx_metadata[CM_GUID] = {0x35, 0x65, 0x7a, 0xe4, 0x4a, 0x98, 0x98, 0x47,
                                              0x86, 0x5e, 0x46, 0x85, 0xa7, 0xbf, 0x8e, 0xc2};

typedef struct {
    uint32_t offset, raw, type, attributes;
    uint64_t address, size;
} section;

/* AT-145 */
static bool read_section(section *s, cm_cut *c, cm_view firmware)
{
    s->offset = cm_cut_le32(c);
    s->raw = cm_cut_le32(c);
    s->address = cm_cut_le64(c);
    s->size = cm_cut_le64(c);
    s->type = cm_cut_le32(c);
    s->attributes = cm_cut_le32(c);
    if (c->bad || s->address % CM_PAGE || s->size % CM_PAGE ||
        s->address >= UINT64_C(1) << GUEST_BITS || s->size > CM_MEASURE_FIRMWARE_MAX ||
        s->attributes > (MR_EXTEND | PAGE_AUG) || s->attributes == (MR_EXTEND | PAGE_AUG))
        return false;
    if (s->raw > s->size || s->offset > firmware.n || s->raw > firmware.n - s->offset)
        return false;
    /* What is measured is in the image, all of it. */
    return !(s->attributes & MR_EXTEND) || s->raw == s->size;
}

static cm_err record(cm_hasher *h, cm_view name, uint64_t address)
{
    uint8_t r[RECORD] = {0};

    memcpy(r, name.p, name.n);
    cm_put_le64(r + 16, address);
    return cm_hasher_update(h, CM_VIEW(r));
}

static cm_err add_page(cm_hasher *h, const section *s, uint64_t at)
{
    return s->attributes & PAGE_AUG ? CM_OKAY : record(h, CM_LIT("MEM.PAGE.ADD"), s->address + at);
}

/* AT-146 */
static cm_err extend_page(cm_hasher *h, const section *s, uint64_t at, cm_view firmware)
{
    for (uint64_t i = at; s->attributes & MR_EXTEND && i < at + CM_PAGE; i += CHUNK) {
        CM_TRY(record(h, CM_LIT("MR.EXTEND"), s->address + i));
        CM_TRY(cm_hasher_update(h, cm_view_sub(firmware, s->offset + (size_t)i, CHUNK)));
    }
    return CM_OKAY;
}

static cm_err add_section(cm_hasher *h, const section *s, cm_view firmware, cm_tdx_order order)
{
    for (uint64_t at = 0; at < s->size; at += CM_PAGE) {
        CM_TRY(add_page(h, s, at));
        if (order == CM_TDX_BY_PAGE)
            CM_TRY(extend_page(h, s, at, firmware));
    }
    for (uint64_t at = 0; order == CM_TDX_BY_SECTION && at < s->size; at += CM_PAGE)
        CM_TRY(extend_page(h, s, at, firmware));
    return CM_OKAY;
}

static cm_err open_metadata(cm_cut *c, uint32_t *n, cm_view firmware)
{
    cm_view at = {NULL, 0}, sign;
    uint32_t length, version;

    if (!cm_firmware_fits(firmware) || !cm_firmware_behind(&at, firmware, tdx_metadata))
        return CM_FAIL(MEASURE_FIRMWARE);
    if (!at.p)
        return CM_FAIL(MEASURE_NO_TDX);
    *c = cm_cut_of(at);
    sign = cm_cut_bytes(c, 4);
    length = cm_cut_le32(c);
    version = cm_cut_le32(c);
    *n = cm_cut_le32(c);
    if (c->bad || !cm_view_eq(sign, CM_LIT("TDVF")) || version != 1 || *n == 0 ||
        *n > SECTIONS_MAX || length != 16 + *n * 32)
        return CM_FAIL(MEASURE_FIRMWARE);
    return CM_OKAY;
}

cm_err cm_measure_mrtd(uint8_t out[CM_MEASURE_DIGEST], const cm_crypt *c, cm_view firmware,
                       cm_tdx_order order)
{
    CM_AUTO(cm_hasher_free_ptr) cm_hasher *h = NULL;
    uint32_t n = 0;
    cm_cut cut = {0};

    CM_TRY(open_metadata(&cut, &n, firmware));
    CM_TRY(cm_hasher_new(&h, c, CM_SHA384));
    for (uint32_t i = 0; i < n; i++) {
        section s = {0};

        if (!read_section(&s, &cut, firmware))
            return CM_FAIL(MEASURE_FIRMWARE);
        CM_TRY(add_section(h, &s, firmware, order));
    }
    return cm_hasher_final(h, out);
}
