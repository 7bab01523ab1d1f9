/* A report beside the reference manifests of its driver and its VBIOS. */
#include "attest/nvidia_int.h"
#include "attest/rim.h"

enum { ID_MAX = 128, TEXT_MAX = 64, BIOS_BYTES = 5, BIOS_FIELD = 8, MANIFESTS = 2, NVDEC_ROW = 35 };

/* What its manifest must be of. */
typedef struct {
    cm_buf id, version;
} wanted;

static void wanted_done(wanted *w)
{
    cm_buf_free(&w->id);
    cm_buf_free(&w->version);
}

/* ---- names --------------------------------------------------------------------------------- */

static bool in_id(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' ||
           c == '-' || c == '_';
}

/* A field's text without the zeros behind it; empty when it is not of these characters. */
static cm_view text_of(cm_view v)
{
    while (v.n && v.p[v.n - 1] == 0)
        v.n--;
    for (size_t i = 0; i < v.n; i++)
        if (!in_id(v.p[i]))
            return cm_view_of(NULL, 0);
    return v.n <= TEXT_MAX ? v : cm_view_of(NULL, 0);
}

/* A GPU writes five bytes, the first four the other way round; a switch writes text. */
static cm_err bios_version(cm_buf *out, cm_view v)
{
    static const uint8_t order[BIOS_BYTES] = {3, 2, 1, 0, 4};
    static const char digit[] = "0123456789ABCDEF";

    if (v.n != BIOS_FIELD)
        return cm_buf_append(out, text_of(v));
    for (size_t i = 0; i < BIOS_BYTES; i++) {
        if (i)
            CM_TRY(cm_buf_byte(out, '.'));
        CM_TRY(cm_buf_byte(out, (uint8_t)digit[v.p[order[i]] >> 4]));
        CM_TRY(cm_buf_byte(out, (uint8_t)digit[v.p[order[i]] & 15]));
    }
    return CM_OKAY;
}

static cm_err driver_wanted(wanted *w, const cm_gpu_report *r, cm_view product)
{
    CM_TRY(cm_buf_append(&w->version, text_of(r->field[CM_GPU_DRIVER])));
    CM_TRY(cm_buf_append(&w->id, CM_LIT("NV_GPU_DRIVER_")));
    CM_TRY(cm_buf_append(&w->id, product));
    CM_TRY(cm_buf_byte(&w->id, '_'));
    return cm_buf_append(&w->id, cm_buf_view(&w->version));
}

static cm_err bios_wanted(wanted *w, const cm_gpu_report *r, bool is_switch)
{
    static const cm_gpu_field board[] = {CM_GPU_PROJECT, CM_GPU_PROJECT_SKU, CM_GPU_CHIP};

    CM_TRY(bios_version(&w->version, r->field[CM_GPU_VBIOS]));
    if (is_switch)
        CM_TRY(cm_buf_append(&w->id, CM_LIT("NV_SWITCH_BIOS_5612_0002_890_")));
    else
        CM_TRY(cm_buf_append(&w->id, CM_LIT("NV_GPU_VBIOS_")));
    for (size_t i = 0; !is_switch && i < CM_COUNT(board); i++) {
        CM_TRY(cm_buf_append(&w->id, text_of(r->field[board[i]])));
        CM_TRY(cm_buf_byte(&w->id, '_'));
    }
    for (size_t i = 0; i < w->version.n; i++)
        if (w->version.p[i] != '.')
            CM_TRY(cm_buf_byte(&w->id, w->version.p[i]));
    return CM_OKAY;
}

/* ---- finding ------------------------------------------------------------------------------- */

/* AT-121 */
static cm_err is_named(bool *named, uint8_t digest[CM_RIM_NAME], const cm_run *run, cm_view file)
{
    *named = false;
    CM_TRY(cm_hash_once(run->c, CM_SHA256, digest, file));
    for (size_t i = 0; i < run->p->n_measurements; i++)
        *named |= cm_view_eq(run->p->measurements[i], cm_view_of(digest, CM_RIM_NAME));
    return CM_OKAY;
}

/* AT-126: the one of that id, version and product; more than one counts as none. */
static void look_in(cm_rim *out, size_t *found, cm_view file, const wanted *w, cm_view product)
{
    size_t n = 1;
    cm_rim one;

    for (size_t i = 0; i < n && cm_ok(cm_rim_read(&one, &n, file, i)); i++)
        if (cm_view_eq(one.id, cm_buf_view(&w->id)) &&
            cm_view_eq(one.version, cm_buf_view(&w->version)) &&
            (product.n == 0 || cm_view_eq(one.product, product))) {
            *out = one;
            ++*found;
        }
}

static cm_err find(cm_rim *out, bool *good, cm_run *run, const wanted *w, cm_view product,
                   uint32_t number)
{
    size_t found = 0;

    for (size_t i = 0; i < run->in->n_rims; i++) {
        uint8_t digest[CM_RIM_NAME];
        size_t before = found;
        bool named;

        CM_TRY(is_named(&named, digest, run, run->in->rims[i]));
        if (named)
            look_in(out, &found, run->in->rims[i], w, product);
        if (found > before)
            CM_TRY(cm_claim_bytes(run, "reference_manifest", number, CM_VIEW(digest)));
    }
    *good =
        cm_note(run, CM_CHECK_MEASUREMENT, found == 1,
                "of the reference manifests that the policy names none, or more than one, is "
                "of this driver or VBIOS") &&
        cm_note(run, CM_CHECK_MEASUREMENT, out->from <= run->p->now && run->p->now <= out->until,
                "the signer of a reference manifest was not valid at that time");
    return CM_OKAY;
}

/* ---- comparing ----------------------------------------------------------------------------- */

static bool one_of(cm_view row, cm_view value)
{
    for (size_t i = 0; value.n == CM_RIM_DIGEST && i < row.n; i += CM_RIM_DIGEST)
        if (cm_view_eq(cm_view_sub(row, i, CM_RIM_DIGEST), value))
            return true;
    return false;
}

/* AT-126, AT-127 */
static void compare(cm_run *run, const cm_gpu_report *r, const cm_rim *rim, size_t n)
{
    bool decoder_off = cm_view_eq(r->field[CM_GPU_NVDEC0], CM_LIT("\x55"));
    uint64_t compared = 0;

    for (size_t i = 0; i < CM_RIM_ROWS; i++) {
        cm_view row = rim[0].row[i].n ? rim[0].row[i] : rim[n - 1].row[i];

        if (row.n == 0)
            continue;
        cm_note(run, CM_CHECK_MEASUREMENT, n == 1 || !rim[0].row[i].n || !rim[1].row[i].n,
                "both reference manifests name the same measurement");
        if (i == NVDEC_ROW && decoder_off)
            continue;
        cm_note(run, CM_CHECK_MEASUREMENT, i < r->n && one_of(row, r->value[i]),
                "a measurement has none of the values of its reference manifest");
        compared++;
    }
    cm_note(run, CM_CHECK_MEASUREMENT, compared > 0, "the reference manifests name no measurement");
}

static cm_view first_word(cm_view v)
{
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] == ' ')
            return cm_view_sub(v, 0, i);
    return v;
}

cm_err cm_gpu_check_rims(cm_run *run, const cm_gpu_report *r, const X509 *leaf)
{
    CM_AUTO(wanted_done) wanted bios = {.id = {.max = 4 * ID_MAX}, .version = {.max = ID_MAX}};
    CM_AUTO(wanted_done) wanted driver = {.id = {.max = 4 * ID_MAX}, .version = {.max = ID_MAX}};
    cm_view product = text_of(first_word(cm_x509_cn(X509_get_subject_name(leaf))));
    bool is_switch = r->field[CM_GPU_DRIVER].n == 0, good;
    cm_rim rim[MANIFESTS] = {{.from = 0}, {.from = 0}};
    size_t n = 0;

    CM_TRY(bios_wanted(&bios, r, is_switch));
    CM_TRY(driver_wanted(&driver, r, product));
    if (is_switch)
        product = cm_view_of(NULL, 0);
    CM_TRY(find(&rim[n++], &good, run, &bios, product, 1));
    if (good && !is_switch)
        CM_TRY(find(&rim[n++], &good, run, &driver, product, 2));
    if (good)
        compare(run, r, rim, n);
    return CM_OKAY;
}
