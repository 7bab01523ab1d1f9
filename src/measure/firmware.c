/* The table of GUIDs at the end of a firmware image (OVMF's reset vector). */
#include "measure/measure_int.h"

enum { FOOTER_FROM_END = 32, ENTRY_HEAD = 2 + CM_GUID, ENTRIES_MAX = 64 };

/* 96b582de-1fb2-45f7-baea-a366c55a082d */
static const uint8_t footer[CM_GUID] = {0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45,
                                        0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d};

bool cm_firmware_fits(cm_view f)
{
    return f.n >= CM_PAGE && f.n <= CM_MEASURE_FIRMWARE_MAX && f.n % CM_PAGE == 0;
}

/* The last entry of v: its data, and v without it. Lengths count their entry's head. */
static bool last_entry(cm_view *v, cm_view *data, const uint8_t **guid)
{
    size_t size;

    if (v->n < ENTRY_HEAD)
        return false;
    size = (size_t)(v->p[v->n - ENTRY_HEAD] | v->p[v->n - ENTRY_HEAD + 1] << 8);
    if (size < ENTRY_HEAD || size > v->n)
        return false;
    *guid = v->p + v->n - CM_GUID;
    *data = cm_view_sub(*v, v->n - size, size - ENTRY_HEAD);
    v->n -= size;
    return true;
}

bool cm_firmware_entry(cm_view *out, cm_view f, const uint8_t guid[CM_GUID])
{
    cm_view above, table = {NULL, 0}, data = {NULL, 0}, found = {NULL, 0};
    const uint8_t *name = NULL;

    if (!cm_firmware_fits(f))
        return false;
    above = cm_view_sub(f, 0, f.n - FOOTER_FROM_END);
    *out = found;
    if (!cm_view_eq(cm_view_of(above.p + above.n - CM_GUID, CM_GUID), CM_VIEW(footer)))
        return true; /* no table */
    if (!last_entry(&above, &table, &name))
        return false;
    for (size_t i = 0; table.n; i++) {
        if (i == ENTRIES_MAX || !last_entry(&table, &data, &name))
            return false;
        if (!cm_view_eq(cm_view_of(name, CM_GUID), cm_view_of(guid, CM_GUID)))
            continue;
        if (found.p) /* AT-140: which of two counts would be a guess */
            return false;
        found = data;
    }
    *out = found;
    return true;
}

bool cm_firmware_behind(cm_view *at, cm_view f, const uint8_t guid[CM_GUID])
{
    cm_view entry = {NULL, 0};
    uint32_t back;

    *at = entry;
    if (!cm_firmware_entry(&entry, f, guid))
        return false;
    if (!entry.p)
        return true;
    if (entry.n < sizeof back)
        return false;
    back = cm_get_le32(entry.p);
    if (back == 0 || back > f.n)
        return false;
    *at = cm_view_sub(f, f.n - back, back);
    return true;
}
