/* Evidence and what came with it as one file (AT-10). */
#include "attest/attest_int.h"
#include "codec/cbor.h"

enum {
    K_FORM = 0,
    K_KIND,
    K_EVIDENCE,
    K_LOG,
    K_CERTS,
    K_PARTS,
    FIELDS,
    KIND_MAX = 32,
    PART_MAX = 1 << 20
};

#define PACK_FORM "casemate-evidence/1"

static const cm_cbor_field fields[FIELDS] = {
    {K_FORM, CM_CBOR_TEXT, true, sizeof PACK_FORM - 1, sizeof PACK_FORM - 1},
    {K_KIND, CM_CBOR_TEXT, true, 1, KIND_MAX},
    {K_EVIDENCE, CM_CBOR_BYTES, true, 1, PART_MAX},
    {K_LOG, CM_CBOR_BYTES, false, 1, PART_MAX},
    {K_CERTS, CM_CBOR_ARRAY, false, 1, PART_MAX},
    {K_PARTS, CM_CBOR_MAP, false, 1, PART_MAX},
};

#define PART_NUMBER(id, number, name, what) number,
static const uint64_t part_number[] = {CM_ATTEST_PARTS(PART_NUMBER)};

bool cm_is_pack(cm_view v)
{
    /* The head of a map of less than 24 keys, the key 0, a text of 19 bytes. */
    cm_view head = CM_LIT("\x73" PACK_FORM);

    return v.n > head.n + 2 && v.p[0] >= 0xa3 && v.p[0] <= 0xa0 + FIELDS && v.p[1] == K_FORM &&
           cm_view_eq(cm_view_sub(v, 2, head.n), head);
}

static bool read_all(cm_cbor_value v[FIELDS], cm_view pack)
{
    return cm_ok(cm_cbor_whole(pack, fields, v, FIELDS)) &&
           cm_view_eq(v[K_FORM].v, CM_LIT(PACK_FORM));
}

cm_attest_kind cm_pack_kind(cm_view pack)
{
    cm_cbor_value v[FIELDS];

    return read_all(v, pack) ? cm_attest_kind_of(v[K_KIND].v) : CM_ATTEST_UNKNOWN;
}

static bool read_certs(cm_attest_input *out, cm_view *cert, const cm_attest_input *in, cm_view list)
{
    cm_cbor c;
    uint64_t n;

    if (cm_failed(cm_cbor_open(&c, list, NULL)) || cm_failed(cm_cbor_array(&c, &n)) ||
        n + in->n_certs > CM_POOL_MAX)
        return false;
    for (size_t i = 0; i < in->n_certs; i++)
        cert[i] = in->certs[i];
    out->n_certs = in->n_certs;
    for (uint64_t i = 0; i < n; i++)
        if (cm_failed(cm_cbor_bytes(&c, &cert[out->n_certs++])))
            return false;
    out->certs = cert;
    return true;
}

static bool read_parts(cm_attest_input *out, cm_view map)
{
    cm_cbor c;
    uint64_t n;

    if (cm_failed(cm_cbor_open(&c, map, NULL)) || cm_failed(cm_cbor_map(&c, &n)))
        return false;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t key;
        cm_view v;
        size_t at = 0;

        if (cm_failed(cm_cbor_uint(&c, &key)) || cm_failed(cm_cbor_bytes(&c, &v)))
            return false;
        while (at < CM_PART_COUNT && part_number[at] != key)
            at++;
        if (at == CM_PART_COUNT || v.n == 0)
            return false;
        out->part[at] = v;
    }
    return true;
}

/* AT-10 */
bool cm_pack_open(cm_attest_input *out, cm_view *cert, const cm_attest_input *in)
{
    cm_cbor_value v[FIELDS];

    *out = *in;
    if (!read_all(v, in->evidence))
        return false;
    out->kind = cm_attest_kind_of(v[K_KIND].v);
    out->evidence = v[K_EVIDENCE].v;
    if (v[K_LOG].present)
        out->event_log = v[K_LOG].v;
    return (!v[K_CERTS].present || read_certs(out, cert, in, v[K_CERTS].v)) &&
           (!v[K_PARTS].present || read_parts(out, v[K_PARTS].v));
}

static cm_err put_certs(cm_buf *b, const cm_attest_input *in)
{
    CM_TRY(cm_cbor_put_array(b, in->n_certs));
    for (size_t i = 0; i < in->n_certs; i++)
        CM_TRY(cm_cbor_put_bytes(b, in->certs[i]));
    return CM_OKAY;
}

static cm_err put_parts(cm_buf *b, const cm_attest_input *in, size_t n)
{
    CM_TRY(cm_cbor_put_map(b, n));
    for (size_t i = 0; i < CM_PART_COUNT; i++) {
        if (in->part[i].n == 0)
            continue;
        CM_TRY(cm_cbor_put_uint(b, part_number[i]));
        CM_TRY(cm_cbor_put_bytes(b, in->part[i]));
    }
    return CM_OKAY;
}

static cm_cbor_value some(cm_view v)
{
    return (cm_cbor_value){.present = v.n > 0, .v = v};
}

cm_err cm_attest_pack_put(cm_buf *out, const cm_attest_input *in)
{
    CM_AUTO(cm_buf_free) cm_buf certs = {.max = PART_MAX};
    CM_AUTO(cm_buf_free) cm_buf parts = {.max = PART_MAX};
    cm_cbor_value v[FIELDS] = {
        [K_FORM] = some(CM_LIT(PACK_FORM)),
        [K_KIND] = some(cm_view_str(cm_attest_kind_name(in->kind))),
        [K_EVIDENCE] = some(in->evidence),
        [K_LOG] = some(in->event_log),
    };
    size_t n = 0;

    if (in->kind == CM_ATTEST_UNKNOWN)
        return CM_FAIL(BAD_ARGUMENT);
    for (size_t i = 0; i < CM_PART_COUNT; i++)
        n += in->part[i].n > 0;
    if (in->n_certs)
        CM_TRY(put_certs(&certs, in));
    if (n)
        CM_TRY(put_parts(&parts, in, n));
    v[K_CERTS] = some(cm_buf_view(&certs));
    v[K_PARTS] = some(cm_buf_view(&parts));
    return cm_cbor_put_record(out, fields, v, FIELDS);
}

/* ---- sets ----------------------------------------------------------------------------------- */

#define SET_FORM "casemate-evidence-set/1"

enum { S_FORM = 0, S_PACKS, SET_FIELDS, SET_BYTES = 4 << 20 };

static const cm_cbor_field set_fields[SET_FIELDS] = {
    {S_FORM, CM_CBOR_TEXT, true, sizeof SET_FORM - 1, sizeof SET_FORM - 1},
    {S_PACKS, CM_CBOR_ARRAY, true, 1, SET_BYTES},
};

cm_err cm_attest_set_put(cm_buf *out, const cm_view *packs, size_t n)
{
    CM_AUTO(cm_buf_free) cm_buf list = {.max = SET_BYTES};
    cm_cbor_value v[SET_FIELDS] = {[S_FORM] = some(CM_LIT(SET_FORM))};

    if (n == 0 || n > CM_ATTEST_SET_MAX)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_cbor_put_array(&list, n));
    for (size_t i = 0; i < n; i++)
        CM_TRY(cm_cbor_put_bytes(&list, packs[i]));
    v[S_PACKS] = some(cm_buf_view(&list));
    return cm_cbor_put_record(out, set_fields, v, SET_FIELDS);
}

/* AT-104: packs alone. */
static bool read_set(cm_view piece[CM_ATTEST_SET_MAX], size_t *n, cm_view file)
{
    cm_cbor_value v[SET_FIELDS];
    cm_cbor c;
    uint64_t count;

    if (cm_failed(cm_cbor_whole(file, set_fields, v, SET_FIELDS)) ||
        !cm_view_eq(v[S_FORM].v, CM_LIT(SET_FORM)) ||
        cm_failed(cm_cbor_open(&c, v[S_PACKS].v, NULL)) || cm_failed(cm_cbor_array(&c, &count)) ||
        count == 0 || count > CM_ATTEST_SET_MAX)
        return false;
    for (uint64_t i = 0; i < count; i++)
        if (cm_failed(cm_cbor_bytes(&c, &piece[i])) || !cm_is_pack(piece[i]))
            return false;
    *n = (size_t)count;
    return true;
}

cm_err cm_attest_set_read(cm_view piece[CM_ATTEST_SET_MAX], size_t *n, cm_view file)
{
    /* The head of a map of two, the key 0, a text of 23 bytes. */
    cm_view head = CM_LIT("\xa2\x00\x77" SET_FORM);

    if (file.n > head.n && cm_view_eq(cm_view_sub(file, 0, head.n), head))
        return read_set(piece, n, file) ? CM_OKAY : CM_FAIL(ATTEST_SET);
    piece[0] = file;
    *n = 1;
    return CM_OKAY;
}
