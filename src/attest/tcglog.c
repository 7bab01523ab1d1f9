/* Logs of measured boot: a first event of the old form, with SHA-1, that names the hashes; then
 * events with a digest for each of them. */
#include "attest/eventlog.h"
#include "attest/tcg_int.h"
#include "codec/cut.h"

enum {
    SHA1_SIZE = 20,
    NO_ACTION = 3,
    HASHES_MAX = 8,
    EVENT_MAX = 1 << 20,
    LOCALITY_MAX = 4,
};

typedef struct {
    cm_cut c;
    struct {
        uint16_t alg, size;
    } hash[HASHES_MAX];
    uint32_t n;
} tcg_log;

typedef struct {
    uint32_t index, type;
    cm_view digest; /* of the hash asked for */
    cm_view data;
} tcg_event;

cm_hash cm_tcg_hash(uint16_t alg, size_t *size)
{
    *size = alg == CM_TCG_SHA256 ? 32 : alg == CM_TCG_SHA384 ? 48 : alg == CM_TCG_SHA512 ? 64 : 0;
    return *size == 64 ? CM_SHA512 : *size == 48 ? CM_SHA384 : CM_SHA256;
}

static bool size_fits(uint16_t alg, uint16_t size)
{
    size_t n;

    if (alg == CM_TCG_SHA1)
        return size == SHA1_SIZE;
    (void)cm_tcg_hash(alg, &n);
    return n == 0 ? size > 0 && size <= CM_HASH_MAX : n == size;
}

/* TCG_EfiSpecIdEvent: signature, class, version, errata, size of integers, the hashes. */
static bool read_hashes(tcg_log *l, cm_view data)
{
    static const char signature[16] = "Spec ID Event03";
    cm_cut c = cm_cut_of(data);
    cm_view sign = cm_cut_bytes(&c, sizeof signature);

    (void)cm_cut_bytes(&c, 8);
    l->n = cm_cut_le32(&c);
    if (c.bad || !cm_view_eq(sign, CM_VIEW(signature)) || l->n == 0 || l->n > HASHES_MAX)
        return false;
    for (uint32_t i = 0; i < l->n; i++) {
        l->hash[i].alg = cm_cut_le16(&c);
        l->hash[i].size = cm_cut_le16(&c);
        if (c.bad || !size_fits(l->hash[i].alg, l->hash[i].size))
            return false;
    }
    (void)cm_cut_bytes(&c, cm_cut_u8(&c));
    return cm_cut_done(&c);
}

static bool open_log(tcg_log *l, cm_view v)
{
    uint32_t index, type;
    cm_view data;

    l->c = cm_cut_of(v);
    index = cm_cut_le32(&l->c);
    type = cm_cut_le32(&l->c);
    (void)cm_cut_bytes(&l->c, SHA1_SIZE);
    data = cm_cut_bytes(&l->c, cm_cut_le32(&l->c));
    return !l->c.bad && index <= 1 && type == NO_ACTION && read_hashes(l, data);
}

static size_t size_of(const tcg_log *l, uint16_t alg)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (l->hash[i].alg == alg)
            return l->hash[i].size;
    return 0;
}

static bool next(tcg_event *e, tcg_log *l, uint16_t want)
{
    uint32_t count, size;

    *e = (tcg_event){0};
    e->index = cm_cut_le32(&l->c);
    e->type = cm_cut_le32(&l->c);
    count = cm_cut_le32(&l->c);
    if (l->c.bad || count == 0 || count > HASHES_MAX)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint16_t alg = cm_cut_le16(&l->c);
        cm_view digest = cm_cut_bytes(&l->c, size_of(l, alg));

        if (digest.n == 0 || (alg == want && e->digest.n))
            return false;
        if (alg == want)
            e->digest = digest;
    }
    size = cm_cut_le32(&l->c);
    e->data = cm_cut_bytes(&l->c, size > EVENT_MAX ? SIZE_MAX : size);
    return !l->c.bad && e->digest.n;
}

/* What stands behind the last event of the table's area: nothing was written there. */
static bool at_end(const cm_cut *c)
{
    static const uint8_t unset[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

    return c->rest.n < 8 || cm_view_eq(cm_view_sub(c->rest, 0, 8), CM_VIEW(unset)) ||
           cm_all_zero(cm_view_sub(c->rest, 0, 8));
}

static cm_err extend(const cm_crypt *c, cm_hash h, uint8_t *reg, cm_view digest)
{
    uint8_t both[2 * CM_HASH_MAX];

    memcpy(both, reg, digest.n);
    memcpy(both + digest.n, digest.p, digest.n);
    return cm_hash_once(c, h, reg, cm_view_of(both, 2 * digest.n));
}

/* Register 0 begins with the locality that started the TPM, where the log says one. */
static bool take_locality(cm_tcg_registers *r, const tcg_event *e, size_t size)
{
    static const char name[16] = "StartupLocality";

    if (e->data.n < sizeof name || !cm_view_eq(cm_view_sub(e->data, 0, sizeof name), CM_VIEW(name)))
        return true;
    if (e->index != 0 || e->data.n != sizeof name + 1 || (r->touched & 1) ||
        e->data.p[sizeof name] > LOCALITY_MAX)
        return false;
    r->v[0][size - 1] = e->data.p[sizeof name];
    return true;
}

cm_err cm_tcg_replay(bool *good, cm_tcg_registers *r, const cm_crypt *c, cm_view log, uint16_t alg,
                     uint32_t first, uint32_t n)
{
    tcg_log l = {0};
    size_t size;
    cm_hash h = cm_tcg_hash(alg, &size);

    *r = (cm_tcg_registers){0};
    *good = size > 0 && n <= CM_TCG_REGISTERS && open_log(&l, log);
    while (*good && !at_end(&l.c)) {
        tcg_event e;

        *good = next(&e, &l, alg);
        if (*good && e.type == NO_ACTION) {
            *good = first > 0 ? e.index < first + n : take_locality(r, &e, size);
            continue;
        }
        *good = *good && e.index >= first && e.index < first + n;
        if (!*good)
            break;
        r->touched |= 1u << (e.index - first);
        CM_TRY(extend(c, h, r->v[e.index - first], e.digest));
    }
    return CM_OKAY;
}

/* ---- for others ---------------------------------------------------------------------------- */

static uint16_t alg_of(cm_hash h)
{
    return h == CM_SHA256 ? CM_TCG_SHA256 : h == CM_SHA384 ? CM_TCG_SHA384 : 0;
}

cm_err cm_eventlog_each(cm_view log, cm_hash hash, cm_err (*fn)(void *arg, const cm_event *e),
                        void *arg)
{
    uint16_t alg = alg_of(hash);
    tcg_log l = {0};

    if (alg == 0 || !open_log(&l, log))
        return CM_FAIL(MEASURE_LOG);
    while (!at_end(&l.c)) {
        cm_event out;
        tcg_event e;

        if (!next(&e, &l, alg))
            return CM_FAIL(MEASURE_LOG);
        out = (cm_event){e.index, e.type, e.digest, e.data};
        CM_TRY(fn(arg, &out));
    }
    return CM_OKAY;
}

cm_err cm_eventlog_replay(cm_event_registers *out, const cm_crypt *c, cm_view log, cm_hash hash,
                          bool td)
{
    cm_tcg_registers r;
    bool good = false;

    CM_TRY(cm_tcg_replay(&good, &r, c, log, alg_of(hash), td ? 1 : 0, td ? 4 : CM_TCG_REGISTERS));
    if (!good)
        return CM_FAIL(MEASURE_LOG);
    for (size_t i = 0; i < CM_EVENTLOG_REGISTERS; i++)
        memcpy(out->v[i], r.v[i], sizeof out->v[i]);
    out->touched = r.touched;
    return CM_OKAY;
}
