/* The records' fields, and what must hold between them (KM-61). */
#include "keys/record.h"

#include "codec/cbor.h"
#include "codec/text.h"
#include "keys/wirefmt.h"

enum { FORMAT = 1, TIER_MAX = 4, ARRAYS_MAX = CM_TENANT_RECORD_MAX };

const char *cm_custody_name(cm_custody c)
{
    static const char *const names[] = {"unknown", "software", "hsm-wrapped", "hsm-native"};

    return names[c >= CM_CUSTODY_SOFTWARE && c <= CM_CUSTODY_HSM_NATIVE ? c : 0];
}

static cm_cbor_value number(uint64_t u)
{
    return (cm_cbor_value){.present = true, .u = u};
}

/* An absent field stands for zero and for empty, and nothing else does. */
static cm_cbor_value optional_number(uint64_t u)
{
    return (cm_cbor_value){.present = u != 0, .u = u};
}

static cm_cbor_value bytes(cm_view v)
{
    return (cm_cbor_value){.present = true, .v = v};
}

static cm_cbor_value optional_bytes(cm_view v)
{
    return (cm_cbor_value){.present = v.n != 0, .v = v};
}

static cm_err read_fields(cm_view in, const cm_cbor_field *f, cm_cbor_value *v, size_t n,
                          size_t max)
{
    cm_cbor c;

    if (in.n > max || cm_failed(cm_cbor_open(&c, in, NULL)) ||
        cm_failed(cm_cbor_record(&c, f, v, n, NULL)) || cm_failed(cm_cbor_end(&c)))
        return CM_FAIL(KEY_RECORD);
    return CM_OKAY;
}

/* ---- tags ---------------------------------------------------------------------------------- */

/* The order of CBOR map keys: by length, then by bytes. */
static int tag_order(const cm_key_tag *a, const cm_key_tag *b)
{
    if (a->name.n != b->name.n)
        return a->name.n < b->name.n ? -1 : 1;
    return cm_view_compare(a->name, b->name);
}

static bool tag_ok(const cm_key_tag *t)
{
    return t->name.n >= 1 && t->name.n <= CM_TAG_NAME_MAX && t->value.n <= CM_TAG_VALUE_MAX;
}

static cm_err put_tags(cm_buf *out, const cm_key_record *k)
{
    const cm_key_tag *sorted[CM_TAGS_MAX];

    if (k->tags_n > CM_TAGS_MAX)
        return CM_FAIL(BAD_ARGUMENT);
    for (size_t i = 0; i < k->tags_n; i++) {
        size_t at = i;

        if (!tag_ok(&k->tags[i]))
            return CM_FAIL(BAD_ARGUMENT);
        for (; at > 0 && tag_order(&k->tags[i], sorted[at - 1]) < 0; at--)
            sorted[at] = sorted[at - 1];
        if (at > 0 && tag_order(&k->tags[i], sorted[at - 1]) == 0)
            return CM_FAIL(BAD_ARGUMENT);
        sorted[at] = &k->tags[i];
    }
    CM_TRY(cm_cbor_put_map(out, k->tags_n));
    for (size_t i = 0; i < k->tags_n; i++) {
        CM_TRY(cm_cbor_put_text(out, sorted[i]->name));
        CM_TRY(cm_cbor_put_text(out, sorted[i]->value));
    }
    return CM_OKAY;
}

static cm_err get_tags(cm_key_record *k, const cm_cbor_value *v)
{
    uint64_t n = 0;
    cm_cbor c;

    if (!v->present)
        return CM_OKAY;
    CM_TRY(cm_cbor_open(&c, v->v, NULL));
    CM_TRY(cm_cbor_map(&c, &n));
    if (n == 0 || n > CM_TAGS_MAX)
        return CM_FAIL(KEY_RECORD);
    for (k->tags_n = 0; k->tags_n < n; k->tags_n++) {
        cm_key_tag *t = &k->tags[k->tags_n];

        CM_TRY(cm_cbor_text(&c, &t->name));
        CM_TRY(cm_cbor_text(&c, &t->value));
        if (!tag_ok(t))
            return CM_FAIL(KEY_RECORD);
    }
    return CM_OKAY;
}

/* ---- key ----------------------------------------------------------------------------------- */

enum {
    K_FORMAT,
    K_TENANT,
    K_MODEL,
    K_CUSTOMER,
    K_NAME,
    K_TYPE,
    K_CUSTODY,
    K_EXPORTABLE,
    K_CURRENT,
    K_MIN,
    K_CREATED,
    K_PERIOD,
    K_NEXT,
    K_DESTROY,
    K_TIER,
    K_TAGS,
    K_COUNT
};

static const cm_cbor_field key_fields[K_COUNT] = {
    {1, CM_CBOR_UINT, true, FORMAT, FORMAT},
    {2, CM_CBOR_TEXT, true, 0, CM_NAME_PART_MAX},
    {3, CM_CBOR_TEXT, false, 1, CM_NAME_PART_MAX},
    {4, CM_CBOR_TEXT, false, 1, CM_NAME_PART_MAX},
    {5, CM_CBOR_TEXT, true, 1, CM_NAME_PART_MAX},
    {6, CM_CBOR_UINT, true, 1, CM_KEY_TYPE_END - 1},
    {7, CM_CBOR_UINT, true, CM_CUSTODY_SOFTWARE, CM_CUSTODY_HSM_NATIVE},
    {8, CM_CBOR_BOOL, true, 0, 1},
    {9, CM_CBOR_UINT, true, 1, UINT64_MAX},
    {10, CM_CBOR_UINT, true, 1, UINT64_MAX},
    {11, CM_CBOR_UINT, true, 0, UINT64_MAX},
    {12, CM_CBOR_UINT, false, 1, UINT64_MAX},
    {13, CM_CBOR_UINT, false, 1, UINT64_MAX},
    {14, CM_CBOR_UINT, false, 1, UINT64_MAX},
    {15, CM_CBOR_UINT, true, 0, TIER_MAX},
    {16, CM_CBOR_MAP, false, 2, CM_KEY_RECORD_MAX},
};

static bool key_holds(const cm_key_record *k)
{
    return (k->id.model.n > 0 || k->id.customer.n == 0) && k->min_decrypt <= k->current &&
           (k->next_ms == 0 || k->period_ms > 0);
}

cm_err cm_key_record_put(cm_buf *out, const cm_key_record *k)
{
    CM_AUTO(cm_buf_free) cm_buf tags = {.max = CM_KEY_RECORD_MAX};
    cm_cbor_value v[K_COUNT] = {
        number(FORMAT),
        bytes(k->id.tenant),
        optional_bytes(k->id.model),
        optional_bytes(k->id.customer),
        bytes(k->id.name),
        number((uint64_t)k->type),
        number((uint64_t)k->custody),
        number(k->exportable),
        number(k->current),
        number(k->min_decrypt),
        number(k->created_ms),
        optional_number(k->period_ms),
        optional_number(k->next_ms),
        optional_number(k->destroy_ms),
        number(k->tier),
    };

    if (!key_holds(k))
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(put_tags(&tags, k));
    v[K_TAGS] = (cm_cbor_value){.present = k->tags_n > 0, .v = cm_buf_view(&tags)};
    return cm_cbor_put_record(out, key_fields, v, K_COUNT);
}

cm_err cm_key_record_get(cm_key_record *k, cm_view in)
{
    cm_cbor_value v[K_COUNT];
    cm_key_record got = {0};

    CM_TRY(read_fields(in, key_fields, v, K_COUNT, CM_KEY_RECORD_MAX));
    got.id = (cm_key_id){v[K_TENANT].v, v[K_MODEL].v, v[K_CUSTOMER].v, v[K_NAME].v};
    got.type = (cm_key_type)v[K_TYPE].u;
    got.custody = (cm_custody)v[K_CUSTODY].u;
    got.exportable = v[K_EXPORTABLE].u != 0;
    got.current = v[K_CURRENT].u;
    got.min_decrypt = v[K_MIN].u;
    got.created_ms = v[K_CREATED].u;
    got.period_ms = v[K_PERIOD].u;
    got.next_ms = v[K_NEXT].u;
    got.destroy_ms = v[K_DESTROY].u;
    got.tier = (unsigned)v[K_TIER].u;
    if (cm_failed(get_tags(&got, &v[K_TAGS])) || !key_holds(&got))
        return CM_FAIL(KEY_RECORD);
    *k = got;
    return CM_OKAY;
}

/* ---- version ------------------------------------------------------------------------------- */

enum {
    V_FORMAT,
    V_NUMBER,
    V_STATE,
    V_CREATED,
    V_ACTIVATE,
    V_DEACTIVATE,
    V_COMPROMISED,
    V_DESTROY,
    V_SEALED,
    V_PUBLIC,
    V_HASH,
    V_KEK,
    V_COUNT
};

static const cm_cbor_field version_fields[V_COUNT] = {
    {1, CM_CBOR_UINT, true, FORMAT, FORMAT},
    {2, CM_CBOR_UINT, true, 1, UINT64_MAX},
    {3, CM_CBOR_UINT, true, CM_STATE_PRE_ACTIVE, CM_STATE_DESTROYED},
    {4, CM_CBOR_UINT, true, 0, UINT64_MAX},
    {5, CM_CBOR_UINT, false, 1, UINT64_MAX},
    {6, CM_CBOR_UINT, false, 1, UINT64_MAX},
    {7, CM_CBOR_UINT, false, 1, UINT64_MAX},
    {8, CM_CBOR_UINT, false, 1, UINT64_MAX},
    {9, CM_CBOR_BYTES, false, 1, CM_KEYOP_KEY_MAX},
    {10, CM_CBOR_BYTES, false, 1, 4096},
    {11, CM_CBOR_BYTES, false, 32, 32},
    {12, CM_CBOR_UINT, true, 1, UINT64_MAX},
};

/* KM-62 */
static bool version_holds(const cm_version_record *r)
{
    return (r->sealed.n == 0) == (r->state == CM_STATE_DESTROYED);
}

static cm_err hash_of(uint8_t out[32], const cm_crypt *c, cm_view public_key)
{
    return public_key.n ? cm_hash_once(c, CM_SHA256, out, public_key) : CM_OKAY;
}

cm_err cm_version_record_put(cm_buf *out, const cm_crypt *c, const cm_version_record *r)
{
    uint8_t hash[32];
    cm_cbor_value v[V_COUNT] = {
        number(FORMAT),
        number(r->number),
        number((uint64_t)r->state),
        number(r->created_ms),
        optional_number(r->activate_ms),
        optional_number(r->deactivate_ms),
        optional_number(r->compromised_ms),
        optional_number(r->destroy_ms),
        optional_bytes(r->sealed),
        optional_bytes(r->public_key),
        optional_bytes(cm_view_of(hash, r->public_key.n ? sizeof hash : 0)),
        number(r->kek_version),
    };

    if (!version_holds(r))
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(hash_of(hash, c, r->public_key));
    return cm_cbor_put_record(out, version_fields, v, V_COUNT);
}

cm_err cm_version_record_get(cm_version_record *r, const cm_crypt *c, cm_view in)
{
    cm_cbor_value v[V_COUNT];
    cm_version_record got;
    uint8_t hash[32];

    CM_TRY(read_fields(in, version_fields, v, V_COUNT, CM_VERSION_RECORD_MAX));
    got = (cm_version_record){
        .number = v[V_NUMBER].u,
        .state = (cm_key_state)v[V_STATE].u,
        .created_ms = v[V_CREATED].u,
        .activate_ms = v[V_ACTIVATE].u,
        .deactivate_ms = v[V_DEACTIVATE].u,
        .compromised_ms = v[V_COMPROMISED].u,
        .destroy_ms = v[V_DESTROY].u,
        .sealed = v[V_SEALED].v,
        .public_key = v[V_PUBLIC].v,
        .kek_version = v[V_KEK].u,
    };
    if (!version_holds(&got))
        return CM_FAIL(KEY_RECORD);
    CM_TRY(hash_of(hash, c, got.public_key));
    if (!cm_view_eq(v[V_HASH].v, cm_view_of(hash, got.public_key.n ? sizeof hash : 0)))
        return CM_FAIL(KEY_RECORD); /* KM-63 */
    *r = got;
    return CM_OKAY;
}

/* ---- tenant -------------------------------------------------------------------------------- */

enum { T_FORMAT, T_TENANT, T_CREATED, T_ROW, T_KEKS, T_COUNT, KEK_PARTS = 3 };

static const cm_cbor_field tenant_fields[T_COUNT] = {
    {1, CM_CBOR_UINT, true, FORMAT, FORMAT}, {2, CM_CBOR_TEXT, true, 0, CM_NAME_PART_MAX},
    {3, CM_CBOR_UINT, true, 0, UINT64_MAX},  {4, CM_CBOR_UINT, true, 1, UINT64_MAX},
    {5, CM_CBOR_ARRAY, true, 2, ARRAYS_MAX},
};

/* KM-64 */
static bool tenant_holds(const cm_tenant_record *t)
{
    bool has_row = false;

    if (t->n == 0 || t->n > CM_KEKS_MAX)
        return false;
    for (size_t i = 0; i < t->n; i++) {
        const cm_kek_record *k = &t->keks[i];

        if (k->version <= (i ? t->keks[i - 1].version : 0) || k->sealed.n == 0 ||
            k->sealed.n > CM_KEYOP_KEK_MAX)
            return false;
        has_row = has_row || k->version == t->row_version;
    }
    return has_row;
}

cm_err cm_tenant_record_put(cm_buf *out, const cm_tenant_record *t)
{
    CM_AUTO(cm_buf_free) cm_buf keks = {.max = ARRAYS_MAX};
    cm_cbor_value v[T_COUNT] = {number(FORMAT), bytes(t->tenant), number(t->created_ms),
                                number(t->row_version)};

    if (!tenant_holds(t))
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_cbor_put_array(&keks, t->n));
    for (size_t i = 0; i < t->n; i++) {
        CM_TRY(cm_cbor_put_array(&keks, KEK_PARTS));
        CM_TRY(cm_cbor_put_uint(&keks, t->keks[i].version));
        CM_TRY(cm_cbor_put_uint(&keks, t->keks[i].created_ms));
        CM_TRY(cm_cbor_put_bytes(&keks, t->keks[i].sealed));
    }
    v[T_KEKS] = bytes(cm_buf_view(&keks));
    return cm_cbor_put_record(out, tenant_fields, v, T_COUNT);
}

static cm_err get_kek(cm_kek_record *k, cm_cbor *c)
{
    uint64_t parts;

    CM_TRY(cm_cbor_array(c, &parts));
    if (parts != KEK_PARTS)
        return CM_FAIL(KEY_RECORD);
    CM_TRY(cm_cbor_uint(c, &k->version));
    CM_TRY(cm_cbor_uint(c, &k->created_ms));
    return cm_cbor_bytes(c, &k->sealed);
}

static cm_err get_keks(cm_tenant_record *t, cm_view v)
{
    uint64_t n;
    cm_cbor c;

    CM_TRY(cm_cbor_open(&c, v, NULL));
    CM_TRY(cm_cbor_array(&c, &n));
    if (n > CM_KEKS_MAX)
        return CM_FAIL(KEY_RECORD);
    for (; t->n < n; t->n++)
        CM_TRY(get_kek(&t->keks[t->n], &c));
    return CM_OKAY;
}

cm_err cm_tenant_record_get(cm_tenant_record *t, cm_view in)
{
    cm_cbor_value v[T_COUNT];
    cm_tenant_record got = {0};

    CM_TRY(read_fields(in, tenant_fields, v, T_COUNT, CM_TENANT_RECORD_MAX));
    got.tenant = v[T_TENANT].v;
    got.created_ms = v[T_CREATED].u;
    got.row_version = v[T_ROW].u;
    if (cm_failed(get_keks(&got, v[T_KEKS].v)) || !tenant_holds(&got))
        return CM_FAIL(KEY_RECORD);
    *t = got;
    return CM_OKAY;
}
