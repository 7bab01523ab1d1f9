/* What a TD measures of a kernel that its firmware starts directly: RTMR1 and RTMR2. */
#include "measure/measure.h"

enum { LD = CM_MEASURE_DIGEST };

static cm_err extend(uint8_t reg[LD], const cm_crypt *c, const uint8_t digest[LD])
{
    uint8_t both[2 * LD];

    memcpy(both, reg, LD);
    memcpy(both + LD, digest, LD);
    return cm_hash_once(c, CM_SHA384, reg, CM_VIEW(both));
}

static cm_err extend_data(uint8_t reg[LD], const cm_crypt *c, cm_view data)
{
    uint8_t digest[LD];

    CM_TRY(cm_hash_once(c, CM_SHA384, digest, data));
    return extend(reg, c, digest);
}

/* UTF-16 with a final zero, as load options are. */
cm_err cm_measure_cmdline(uint8_t *out, const cm_crypt *c, cm_hash hash, cm_view text)
{
    CM_AUTO(cm_buf_free) cm_buf wide = {.max = 2 * (CM_MEASURE_CMDLINE_MAX + 1)};

    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == 0 || text.p[i] >= 0x80)
            return CM_FAIL(BAD_ARGUMENT);
        CM_TRY(cm_buf_byte(&wide, text.p[i]));
        CM_TRY(cm_buf_byte(&wide, 0));
    }
    CM_TRY(cm_buf_byte(&wide, 0));
    CM_TRY(cm_buf_byte(&wide, 0));
    return cm_hash_once(c, hash, out, cm_buf_view(&wide));
}

/* AT-148 */
cm_err cm_measure_td_boot(cm_td_registers *out, const cm_crypt *c, const uint8_t kernel[LD],
                          const uint8_t cmdline[LD], const uint8_t *initrd)
{
    static const uint8_t separator[4] = {0};
    cm_td_registers r = {0};

    CM_TRY(extend(r.rtmr1, c, kernel));
    CM_TRY(extend_data(r.rtmr1, c, CM_LIT("Calling EFI Application from Boot Option")));
    CM_TRY(extend_data(r.rtmr1, c, CM_VIEW(separator)));
    CM_TRY(extend_data(r.rtmr1, c, CM_LIT("Exit Boot Services Invocation")));
    CM_TRY(extend_data(r.rtmr1, c, CM_LIT("Exit Boot Services Returned with Success")));
    CM_TRY(extend(r.rtmr2, c, cmdline));
    if (initrd)
        CM_TRY(extend(r.rtmr2, c, initrd));
    *out = r;
    return CM_OKAY;
}

/* ---- events of a log ------------------------------------------------------------------------ */

static const cm_measure_event types[] = {
    {0x3, "EV_NO_ACTION"},
    {0x4, "EV_SEPARATOR"},
    {0x5, "EV_ACTION"},
    {0x6, "EV_EVENT_TAG"},
    {0x7, "EV_S_CRTM_CONTENTS"},
    {0x8, "EV_S_CRTM_VERSION"},
    {0xa, "EV_PLATFORM_CONFIG_FLAGS"},
    {0xd, "EV_IPL"},
    {0x80000001, "EV_EFI_VARIABLE_DRIVER_CONFIG"},
    {0x80000002, "EV_EFI_VARIABLE_BOOT"},
    {0x80000003, "EV_EFI_BOOT_SERVICES_APPLICATION"},
    {0x80000004, "EV_EFI_BOOT_SERVICES_DRIVER"},
    {0x80000006, "EV_EFI_GPT_EVENT"},
    {0x80000007, "EV_EFI_ACTION"},
    {0x80000008, "EV_EFI_PLATFORM_FIRMWARE_BLOB"},
    {0x80000009, "EV_EFI_HANDOFF_TABLES"},
    {0x8000000a, "EV_EFI_PLATFORM_FIRMWARE_BLOB2"},
    {0x8000000b, "EV_EFI_HANDOFF_TABLES2"},
    {0x8000000c, "EV_EFI_VARIABLE_BOOT2"},
    {0x800000e0, "EV_EFI_VARIABLE_AUTHORITY"},
};

const char *cm_measure_event_name(uint32_t type)
{
    for (size_t i = 0; i < CM_COUNT(types); i++)
        if (types[i].type == type)
            return types[i].name;
    return "unknown";
}

static cm_err is_hash_of(bool *yes, const cm_crypt *c, cm_hash h, cm_view digest, cm_view data)
{
    uint8_t own[CM_HASH_MAX];

    CM_TRY(cm_hash_once(c, h, own, data));
    *yes = cm_view_eq(cm_view_of(own, cm_hash_size(h)), digest);
    return CM_OKAY;
}

/* GRUB writes "kernel_cmdline: " before, and a zero behind, what it measures. */
static cm_view behind_label(cm_view data)
{
    for (size_t i = 0; i + 1 < data.n; i++)
        if (data.p[i] == ':' && data.p[i + 1] == ' ')
            return cm_view_sub(data, i + 2, data.n - i - 2 - (data.p[data.n - 1] == 0 ? 1 : 0));
    return cm_view_of(NULL, 0);
}

cm_err cm_measure_explains(bool *yes, const cm_crypt *c, cm_hash hash, cm_view digest, cm_view data)
{
    cm_view text = behind_label(data);

    CM_TRY(is_hash_of(yes, c, hash, digest, data));
    return *yes || text.n == 0 ? CM_OKAY : is_hash_of(yes, c, hash, digest, text);
}
