#include "sealed/layout.h"

#include "codec/cbor.h"

enum { VERSION = 1, SUITE = 1, CHECK = 24 };

static const uint8_t magic[8] = {0x89, 'C', 'S', 'M', '1', '\r', '\n', 0x1a};
static const uint8_t footer_magic[8] = {'C', 'S', 'M', 'E', 'N', 'D', '0', '1'};
static const uint8_t slot_magic[4] = {'C', 'S', 'L', 'T'};

static const cm_cbor_field core_fields[] = {
    {1, CM_CBOR_BYTES, true, 16, 16},
    {2, CM_CBOR_UINT, true, 0, UINT32_MAX},
    {3, CM_CBOR_UINT, true, 0, UINT32_MAX},
    {4, CM_CBOR_UINT, true, 0, UINT32_MAX},
    {5, CM_CBOR_UINT, true, 0, UINT32_MAX},
    {6, CM_CBOR_UINT, true, 0, UINT32_MAX},
    {7, CM_CBOR_TEXT, false, 1, CM_POLICY_MAX},
    {8, CM_CBOR_BYTES, false, CM_SEALED_SALT, CM_SEALED_SALT},
};

static uint64_t align(uint64_t n)
{
    return (n + CM_SLOT_ALIGN - 1) / CM_SLOT_ALIGN * CM_SLOT_ALIGN;
}

bool cm_sealed_zeros(cm_view v)
{
    return v.n == 0 ||
           (v.p[0] == 0 && cm_view_eq(cm_view_sub(v, 0, v.n - 1), cm_view_sub(v, 1, v.n - 1)));
}

static bool power_of_two(uint64_t x)
{
    return x && (x & (x - 1)) == 0;
}

static bool slot_size_ok(uint32_t n)
{
    return n >= CM_SLOT_ALIGN && n <= CM_SLOT_MAX && n % CM_SLOT_ALIGN == 0;
}

static void place(cm_core *h, size_t core_n)
{
    h->slots_at = align(CM_PRELUDE + core_n);
    h->body_at = h->slots_at + 2ull * h->slot;
}

/* ---- prelude and core header --------------------------------------------------------------- */

/* S-2 */
static bool core_sane(const cm_cbor_value *v)
{
    return v[1].u == SUITE && v[2].u <= CM_TIER_MAX && power_of_two(v[3].u) &&
           v[3].u >= CM_SEGMENT_MIN && v[3].u <= CM_SEGMENT_MAX && power_of_two(v[4].u) &&
           v[4].u >= CM_LEAF_MIN && v[4].u <= v[3].u && v[5].u <= 1;
}

static cm_err put_core(cm_buf *out, const cm_core *h)
{
    cm_cbor_value v[CM_COUNT(core_fields)] = {
        {.present = true, .v = CM_VIEW(h->container)},
        {.present = true, .u = SUITE},
        {.present = true, .u = h->tier},
        {.present = true, .u = h->segment},
        {.present = true, .u = h->leaf},
        {.present = true, .u = h->directory},
        {.present = h->policy_n > 0, .v = cm_view_of(h->policy, h->policy_n)},
        {.present = h->salted, .v = CM_VIEW(h->sealed_salt)},
    };

    return core_sane(v) ? cm_cbor_put_record(out, core_fields, v, CM_COUNT(v))
                        : CM_FAIL(BAD_ARGUMENT);
}

static cm_err check_sum(const cm_crypt *c, uint8_t sum[32], const uint8_t *prelude, cm_view core)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 32 + CM_CORE_MAX};

    CM_TRY(cm_buf_append(&b, cm_view_of(prelude, 32)));
    CM_TRY(cm_buf_append(&b, core));
    return cm_hash_once(c, CM_SHA256, sum, cm_buf_view(&b));
}

cm_err cm_core_encode(cm_buf *out, const cm_crypt *c, cm_core *h)
{
    CM_AUTO(cm_buf_free) cm_buf core = {.max = CM_CORE_MAX};
    uint8_t p[CM_PRELUDE] = {0};

    CM_TRY(put_core(&core, h));
    CM_TRY(cm_hash_once(c, CM_SHA256, h->hd, cm_buf_view(&core)));
    place(h, core.n);
    memcpy(p, magic, sizeof magic);
    cm_put_be32(p + 8, VERSION);
    cm_put_be32(p + 12, (uint32_t)core.n);
    cm_put_be32(p + 16, h->slot);
    cm_put_be64(p + 24, h->body_at);
    CM_TRY(check_sum(c, p + 32, p, cm_buf_view(&core)));
    CM_TRY(cm_buf_reserve(out, (size_t)h->slots_at));
    memset(out->p + out->n, 0, (size_t)h->slots_at);
    memcpy(out->p + out->n, p, sizeof p);
    memcpy(out->p + out->n + sizeof p, core.p, core.n);
    out->n += (size_t)h->slots_at;
    return CM_OKAY;
}

static cm_err read_core(cm_core *h, const cm_crypt *c, cm_view bytes)
{
    cm_cbor_value v[CM_COUNT(core_fields)];
    cm_cbor cur;

    if (cm_failed(cm_cbor_open(&cur, bytes, NULL)) ||
        cm_failed(cm_cbor_record(&cur, core_fields, v, CM_COUNT(v), NULL)) ||
        cm_failed(cm_cbor_end(&cur)))
        return CM_FAIL(SEALED_HEADER);
    if (!core_sane(v))
        return CM_FAIL(SEALED_SUITE);
    memcpy(h->container, v[0].v.p, sizeof h->container);
    h->tier = (unsigned)v[2].u;
    h->segment = (uint32_t)v[3].u;
    h->leaf = (uint32_t)v[4].u;
    h->directory = v[5].u == 1;
    if (v[6].present)
        memcpy(h->policy, v[6].v.p, v[6].v.n);
    h->policy_n = v[6].v.n;
    h->salted = v[7].present;
    if (h->salted)
        memcpy(h->sealed_salt, v[7].v.p, sizeof h->sealed_salt);
    return cm_hash_once(c, CM_SHA256, h->hd, bytes);
}

cm_err cm_core_decode(cm_core *out, size_t *need, const cm_crypt *c, cm_view v)
{
    cm_core h = {0};
    uint8_t sum[32];
    uint32_t core_n;

    *need = CM_PRELUDE;
    if (v.n < CM_PRELUDE)
        return CM_FAIL(IO_SHORT);
    if (!cm_view_eq(cm_view_of(v.p, sizeof magic), CM_VIEW(magic)))
        return CM_FAIL(SEALED_NOT);
    if (cm_get_be32(v.p + 8) != VERSION)
        return CM_FAIL(SEALED_VERSION);
    core_n = cm_get_be32(v.p + 12);
    h.slot = cm_get_be32(v.p + 16);
    if (core_n < 1 || core_n > CM_CORE_MAX || !slot_size_ok(h.slot) || cm_get_be32(v.p + 20) != 0)
        return CM_FAIL(SEALED_HEADER);
    place(&h, core_n);
    if (cm_get_be64(v.p + 24) != h.body_at)
        return CM_FAIL(SEALED_HEADER);
    *need = (size_t)h.slots_at;
    if (v.n < h.slots_at)
        return CM_FAIL(IO_SHORT);
    CM_TRY(check_sum(c, sum, v.p, cm_view_of(v.p + CM_PRELUDE, core_n)));
    if (!cm_view_eq(cm_view_of(v.p + 32, sizeof sum), CM_VIEW(sum))) /* S-1 */
        return CM_FAIL(SEALED_HEADER);
    if (!cm_sealed_zeros(
            cm_view_sub(v, CM_PRELUDE + core_n, (size_t)h.slots_at - CM_PRELUDE - core_n)))
        return CM_FAIL(SEALED_HEADER);
    CM_TRY(read_core(&h, c, cm_view_of(v.p + CM_PRELUDE, core_n)));
    *out = h;
    return CM_OKAY;
}

/* ---- slots --------------------------------------------------------------------------------- */

uint32_t cm_slot_size(size_t n)
{
    uint64_t want = align(CM_SLOT_HEAD + (uint64_t)n);

    return want > CM_SLOT_MAX ? CM_SLOT_MAX : (uint32_t)want;
}

static cm_err slot_sum(const cm_crypt *c, uint8_t sum[32], const uint8_t *head, cm_view envelope)
{
    CM_AUTO(cm_hasher_free_ptr) cm_hasher *h = NULL;

    CM_TRY(cm_hasher_new(&h, c, CM_SHA256));
    CM_TRY(cm_hasher_update(h, cm_view_of(head + 4, 12)));
    CM_TRY(cm_hasher_update(h, envelope));
    return cm_hasher_final(h, sum);
}

cm_err cm_slot_encode(uint8_t *slot, const cm_crypt *c, const cm_core *h, uint64_t sequence,
                      cm_view envelope)
{
    uint8_t head[CM_SLOT_HEAD];

    if (envelope.n > h->slot - CM_SLOT_HEAD)
        return CM_FAIL(TOO_BIG);
    memcpy(head, slot_magic, sizeof slot_magic);
    cm_put_be64(head + 4, sequence);
    cm_put_be32(head + 12, (uint32_t)envelope.n);
    CM_TRY(slot_sum(c, head + 16, head, envelope));
    memcpy(slot, head, sizeof head);
    memcpy(slot + CM_SLOT_HEAD, envelope.p, envelope.n);
    memset(slot + CM_SLOT_HEAD + envelope.n, 0, h->slot - CM_SLOT_HEAD - envelope.n);
    return CM_OKAY;
}

cm_err cm_slots_encode(cm_buf *out, const cm_crypt *c, const cm_core *h, uint64_t sequence,
                       cm_view envelope)
{
    size_t n = 2 * (size_t)h->slot;

    CM_TRY(cm_buf_reserve(out, n));
    memset(out->p + out->n, 0, n);
    CM_TRY(cm_slot_encode(out->p + out->n, c, h, sequence, envelope));
    out->n += n;
    return CM_OKAY;
}

/* An error is the machine's: a slot that could not be hashed must not count as a torn one, or the
 * older one would be in force. */
static cm_err read_slot(bool *valid, cm_view *envelope, uint64_t *sequence, const cm_crypt *c,
                        cm_view slot)
{
    uint8_t sum[32];
    uint32_t n = cm_get_be32(slot.p + 12);

    *valid = false;
    if (!cm_view_eq(cm_view_of(slot.p, sizeof slot_magic), CM_VIEW(slot_magic)) ||
        n > slot.n - CM_SLOT_HEAD)
        return CM_OKAY;
    *envelope = cm_view_sub(slot, CM_SLOT_HEAD, n);
    *sequence = cm_get_be64(slot.p + 4);
    CM_TRY(slot_sum(c, sum, slot.p, *envelope));
    *valid = cm_view_eq(cm_view_of(slot.p + 16, sizeof sum), CM_VIEW(sum)) &&
             cm_sealed_zeros(cm_view_sub(slot, CM_SLOT_HEAD + n, slot.n - CM_SLOT_HEAD - n));
    return CM_OKAY;
}

cm_err cm_slots_decode(cm_slots *out, const cm_crypt *c, const cm_core *h, cm_view both)
{
    cm_view slot[2], env[2] = {{0}};
    uint64_t seq[2] = {0};
    bool ok[2];
    unsigned w;

    if (both.n != 2 * (size_t)h->slot)
        return CM_FAIL(SEALED_SLOTS);
    for (unsigned i = 0; i < 2; i++) {
        slot[i] = cm_view_sub(both, i * (size_t)h->slot, h->slot);
        CM_TRY(read_slot(&ok[i], &env[i], &seq[i], c, slot[i]));
    }
    if (!ok[0] && !ok[1])
        return CM_FAIL(SEALED_SLOTS);
    w = ok[0] && ok[1] ? seq[1] > seq[0] : ok[1]; /* S-3 */
    *out = (cm_slots){
        .envelope = env[w],
        .sequence = seq[w],
        .which = w,
        .other_used = !cm_sealed_zeros(slot[!w]),
        .other_torn = !ok[!w] && !cm_sealed_zeros(slot[!w]),
    };
    return CM_OKAY;
}

/* ---- footer -------------------------------------------------------------------------------- */

cm_err cm_footer_encode(uint8_t out[CM_FOOTER], const cm_crypt *c, const cm_footer *f)
{
    uint8_t p[CM_FOOTER], sum[32];

    memcpy(p, footer_magic, sizeof footer_magic);
    cm_put_be64(p + 8, f->body);
    cm_put_be64(p + 16, f->tree);
    cm_put_be64(p + 24, f->index);
    cm_put_be32(p + 32, f->manifest);
    cm_put_be32(p + 36, f->signatures);
    CM_TRY(cm_hash_once(c, CM_SHA256, sum, cm_view_of(p, CM_FOOTER - CHECK)));
    memcpy(p + CM_FOOTER - CHECK, sum, CHECK);
    memcpy(out, p, sizeof p);
    return CM_OKAY;
}

static bool adds_up(const cm_footer *f, const cm_core *h, uint64_t file_size)
{
    uint64_t n = h->body_at;

    return cm_add_u64(&n, n, f->body) && cm_add_u64(&n, n, f->tree) &&
           cm_add_u64(&n, n, f->index) && cm_add_u64(&n, n, f->manifest) &&
           cm_add_u64(&n, n, f->signatures) && cm_add_u64(&n, n, CM_FOOTER) && n == file_size;
}

cm_err cm_footer_decode(cm_footer *out, const cm_crypt *c, const cm_core *h,
                        const uint8_t v[CM_FOOTER], uint64_t file_size)
{
    cm_footer f;
    uint8_t sum[32];

    CM_TRY(cm_hash_once(c, CM_SHA256, sum, cm_view_of(v, CM_FOOTER - CHECK)));
    if (!cm_view_eq(cm_view_of(v, sizeof footer_magic), CM_VIEW(footer_magic)) ||
        !cm_view_eq(cm_view_of(v + CM_FOOTER - CHECK, CHECK), cm_view_of(sum, CHECK)))
        return CM_FAIL(SEALED_FOOTER);
    f = (cm_footer){cm_get_be64(v + 8), cm_get_be64(v + 16), cm_get_be64(v + 24),
                    cm_get_be32(v + 32), cm_get_be32(v + 36)};
    if (f.manifest < 1 || f.manifest > CM_MANIFEST_MAX || f.signatures < 1 ||
        f.signatures > CM_SIGNATURES_MAX || !adds_up(&f, h, file_size)) /* S-15 */
        return CM_FAIL(SEALED_FOOTER);
    *out = f;
    return CM_OKAY;
}
