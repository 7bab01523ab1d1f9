#include "sealed/manifest.h"

#include "codec/cbor.h"
#include "codec/text.h"
#include "crypt/merkle.h"
#include "pki/keyfile.h"
#include "sealed/floe.h"

enum { VERSION = 1, FIELDS = 14, DETACHED_MAX = CM_SIGNATURES_MAX + 128 };

static const char context[] = "casemate/model/v1";

static const cm_cbor_field fields[FIELDS] = {
    {1, CM_CBOR_UINT, true, VERSION, VERSION},
    {2, CM_CBOR_BYTES, true, 32, 32},
    {3, CM_CBOR_BYTES, true, 32, 32},
    {4, CM_CBOR_UINT, true, 0, UINT64_MAX},
    {5, CM_CBOR_UINT, true, 0, CM_MODEL_MAX},
    {6, CM_CBOR_TEXT, true, 1, 256},
    {7, CM_CBOR_TEXT, true, 1, 128},
    {8, CM_CBOR_TEXT, true, 1, 32},
    {9, CM_CBOR_BYTES, true, 32, 32},
    {10, CM_CBOR_UINT, true, 0, UINT64_MAX},
    {11, CM_CBOR_TEXT, false, 1, 128},
    {12, CM_CBOR_TEXT, false, 1, 256},
    {13, CM_CBOR_ARRAY, false, 1, CM_MANIFEST_MAX},
    {14, CM_CBOR_BYTES, false, 32, 32},
};

static const cm_cbor_field signature_fields[] = {
    {1, CM_CBOR_UINT, true, 1, UINT16_MAX},
    {2, CM_CBOR_BYTES, true, 1, 8192},
    {3, CM_CBOR_BYTES, true, 1, 64 << 10},
};

static const cm_cbor_field detached_fields[] = {
    {1, CM_CBOR_UINT, true, VERSION, VERSION},
    {2, CM_CBOR_BYTES, true, 32, 32},
    {3, CM_CBOR_ARRAY, true, 1, CM_SIGNATURES_MAX},
};

/* ---- manifest ------------------------------------------------------------------------------ */

static cm_err put_provenance(cm_buf *out, const cm_manifest *m)
{
    CM_TRY(cm_cbor_put_array(out, m->provenance_n));
    for (size_t i = 0; i < m->provenance_n; i++) {
        CM_TRY(cm_cbor_put_array(out, 2));
        CM_TRY(cm_cbor_put_text(out, m->provenance[i].key));
        CM_TRY(cm_cbor_put_text(out, m->provenance[i].value));
    }
    return CM_OKAY;
}

static bool texts_fit(const cm_cbor_value *v)
{
    for (size_t i = 0; i < FIELDS; i++) {
        const cm_cbor_field *f = &fields[i];

        if (f->type != CM_CBOR_TEXT || (!f->required && !v[i].present))
            continue;
        if (v[i].v.n < f->min || v[i].v.n > f->max || !cm_utf8_valid(v[i].v))
            return false;
    }
    return true;
}

static bool pairs_fit(const cm_manifest *m)
{
    if (m->provenance_n > CM_SEALED_PAIRS)
        return false;
    for (size_t i = 0; i < m->provenance_n; i++)
        if (!cm_utf8_valid(m->provenance[i].key) || !cm_utf8_valid(m->provenance[i].value))
            return false;
    return true;
}

cm_err cm_manifest_encode(cm_buf *out, const cm_manifest *m)
{
    CM_AUTO(cm_buf_free) cm_buf pairs = {.max = CM_MANIFEST_MAX};
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_MANIFEST_MAX};
    cm_cbor_value v[FIELDS] = {
        {.present = true, .u = VERSION},
        {.present = true, .v = CM_VIEW(m->hd)},
        {.present = true, .v = CM_VIEW(m->digest)},
        {.present = true, .u = m->leaves},
        {.present = true, .u = m->size},
        {.present = true, .v = m->name},
        {.present = true, .v = m->version},
        {.present = true, .v = m->format},
        {.present = true, .v = CM_VIEW(m->index_digest)},
        {.present = true, .u = m->created},
        {.present = m->licence.n > 0, .v = m->licence},
        {.present = m->publisher.n > 0, .v = m->publisher},
        {.present = m->provenance_n > 0},
        {.present = m->has_sealed_root, .v = CM_VIEW(m->sealed_root)},
    };

    if (!texts_fit(v) || !pairs_fit(m))
        return CM_FAIL(SEALED_NAME);
    CM_TRY(put_provenance(&pairs, m));
    v[12].v = cm_buf_view(&pairs);
    CM_TRY(cm_cbor_put_record(&b, fields, v, FIELDS));
    return cm_buf_append(out, cm_buf_view(&b));
}

static cm_err read_provenance(cm_manifest *m, cm_view v)
{
    uint64_t n, two;
    cm_cbor c;

    CM_TRY(cm_cbor_open(&c, v, NULL));
    CM_TRY(cm_cbor_array(&c, &n));
    if (n < 1 || n > CM_SEALED_PAIRS)
        return CM_FAIL(SEALED_MANIFEST);
    for (m->provenance_n = 0; m->provenance_n < n; m->provenance_n++) {
        CM_TRY(cm_cbor_array(&c, &two));
        if (two != 2)
            return CM_FAIL(SEALED_MANIFEST);
        CM_TRY(cm_cbor_text(&c, &m->provenance[m->provenance_n].key));
        CM_TRY(cm_cbor_text(&c, &m->provenance[m->provenance_n].value));
    }
    return CM_OKAY;
}

static cm_err read_manifest(cm_manifest *m, cm_view bytes)
{
    cm_cbor_value v[FIELDS];
    cm_cbor c;

    CM_TRY(cm_cbor_open(&c, bytes, NULL));
    CM_TRY(cm_cbor_record(&c, fields, v, FIELDS, NULL));
    CM_TRY(cm_cbor_end(&c));
    memcpy(m->hd, v[1].v.p, 32);
    memcpy(m->digest, v[2].v.p, 32);
    m->leaves = v[3].u;
    m->size = v[4].u;
    m->name = v[5].v;
    m->version = v[6].v;
    m->format = v[7].v;
    memcpy(m->index_digest, v[8].v.p, 32);
    m->created = v[9].u;
    m->licence = v[10].v;
    m->publisher = v[11].v;
    m->has_sealed_root = v[13].present;
    if (m->has_sealed_root)
        memcpy(m->sealed_root, v[13].v.p, 32);
    return v[12].present ? read_provenance(m, v[12].v) : CM_OKAY;
}

cm_err cm_manifest_decode(cm_manifest *out, cm_view v)
{
    cm_manifest m = {0};
    cm_err e;

    if (v.n > CM_MANIFEST_MAX)
        return CM_FAIL(SEALED_MANIFEST);
    e = read_manifest(&m, v);
    if (cm_failed(e))
        return cm_err_class(e) == CM_CLASS_MALFORMED ? CM_FAIL(SEALED_MANIFEST) : e;
    *out = m;
    return CM_OKAY;
}

cm_err cm_manifest_check(const cm_manifest *m, const cm_core *h, const cm_footer *f)
{
    uint64_t segments = m->size / h->segment + 1; /* S-5 */
    uint64_t body = CM_FLOE_HEADER + m->size + segments * CM_FLOE_OVERHEAD;

    if (!cm_view_eq(CM_VIEW(m->hd), CM_VIEW(h->hd)) || body != f->body ||
        m->leaves != cm_merkle_leaf_count(m->size, h->leaf) ||
        cm_view_eq(m->format, CM_LIT("directory")) != h->directory) /* S-12 */
        return CM_FAIL(SEALED_MANIFEST);
    return CM_OKAY;
}

/* ---- signatures ---------------------------------------------------------------------------- */

uint8_t cm_tier_level(unsigned tier)
{
    return tier >= 3 ? 5 : 3;
}

uint8_t cm_sig_level(cm_sig_id id)
{
    switch (id) {
    case CM_SIG_MLDSA87:
    case CM_SIG_DUAL87:
        return 5;
    case CM_SIG_MLDSA65:
    case CM_SIG_DUAL65:
        return 3;
    case CM_SIG_MLDSA44:
        return 2;
    case CM_SIG_SLHDSA_SHA2_128S:
    case CM_SIG_SLHDSA_SHA2_128F:
        return 1;
    default:
        return 0;
    }
}

static cm_err sign_one(cm_buf *out, cm_view manifest, const cm_sig_key *key)
{
    CM_AUTO(cm_free_ptr) uint8_t *sig = NULL;
    const cm_sig_info *info = cm_sig_key_info(key);
    cm_cbor_value v[CM_COUNT(signature_fields)] = {
        {.present = true, .u = info->id},
        {.present = true, .v = cm_sig_public(key)},
        {.present = true},
    };

    CM_TRY(cm_alloc(&sig, info->sig));
    CM_TRY(cm_sign(key, sig, cm_view_of(context, sizeof context - 1), manifest));
    v[2].v = cm_view_of(sig, info->sig);
    return cm_cbor_put_record(out, signature_fields, v, CM_COUNT(v));
}

cm_err cm_signatures_encode(cm_buf *out, cm_view manifest, const cm_sig_key *const *signers,
                            size_t n)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_SIGNATURES_MAX};

    if (n > CM_SIGNATURES_PER_MODEL)
        return CM_FAIL(TOO_BIG);
    CM_TRY(cm_cbor_put_array(&b, n));
    for (size_t i = 0; i < n; i++)
        CM_TRY(sign_one(&b, manifest, signers[i]));
    return cm_buf_append(out, cm_buf_view(&b));
}

static bool is_trusted(const cm_sealed_signature *s, const cm_sig_key *const *trusted, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (cm_sig_key_info(trusted[i])->id == s->alg &&
            cm_view_eq(cm_sig_public(trusted[i]), s->pk))
            return true;
    return false;
}

/* What a bad key or signature causes is "not valid"; only a failure of the machine is an error. */
static cm_err machine_only(cm_err e)
{
    cm_class k = cm_err_class(e);

    return k == CM_CLASS_EXHAUSTED || k == CM_CLASS_INTERNAL ? e : CM_OKAY;
}

static cm_err check_one(cm_sealed_signature *s, const cm_crypt *c, cm_view sig, cm_view manifest)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *key = NULL;
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *pkey = NULL;
    cm_err e;

    if (!s->info)
        return CM_OKAY;
    e = cm_sig_from_public(&key, c, s->alg, s->pk);
    if (cm_failed(e))
        return machine_only(e);
    CM_TRY(cm_pkey_from_sig(&pkey, &key));
    CM_TRY(cm_pkey_fingerprint(s->fingerprint, c, pkey));
    e = cm_verify(cm_pkey_sig(pkey), cm_view_of(context, sizeof context - 1), manifest, sig);
    s->valid = cm_ok(e);
    return machine_only(e);
}

static cm_err read_signature(cm_sealed_signature *s, const cm_crypt *c, cm_cbor *cur,
                             cm_view manifest)
{
    cm_cbor_value v[CM_COUNT(signature_fields)];

    if (cm_failed(cm_cbor_record(cur, signature_fields, v, CM_COUNT(v), NULL)))
        return CM_FAIL(SEALED_SIGNATURES);
    *s = (cm_sealed_signature){
        .alg = (cm_sig_id)v[0].u, .info = cm_sig_info_of((uint32_t)v[0].u), .pk = v[1].v};
    return check_one(s, c, v[2].v, manifest);
}

cm_err cm_signatures_decode(cm_sealed_signature *list, size_t *n, const cm_crypt *c, cm_view v,
                            cm_view manifest, const cm_sig_key *const *trusted, size_t trusted_n,
                            bool detached)
{
    uint64_t count;
    cm_cbor cur;

    if (v.n > CM_SIGNATURES_MAX || cm_failed(cm_cbor_open(&cur, v, NULL)) ||
        cm_failed(cm_cbor_array(&cur, &count)) || count > CM_SIGNATURES_PER_MODEL - *n)
        return CM_FAIL(SEALED_SIGNATURES);
    for (uint64_t i = 0; i < count; i++) {
        cm_sealed_signature *s = &list[*n + i];

        CM_TRY(read_signature(s, c, &cur, manifest));
        s->trusted = is_trusted(s, trusted, trusted_n);
        s->detached = detached;
    }
    if (cm_failed(cm_cbor_end(&cur)))
        return CM_FAIL(SEALED_SIGNATURES);
    *n += (size_t)count;
    return CM_OKAY;
}

/* ---- detached ------------------------------------------------------------------------------ */

cm_err cm_detached_encode(cm_buf *out, const cm_crypt *c, cm_view manifest, cm_view signatures)
{
    uint8_t h[32] = {0};
    cm_cbor_value v[CM_COUNT(detached_fields)] = {
        {.present = true, .u = VERSION},
        {.present = true, .v = CM_VIEW(h)},
        {.present = true, .v = signatures},
    };

    CM_TRY(cm_hash_once(c, CM_SHA256, h, manifest));
    return cm_cbor_put_record(out, detached_fields, v, CM_COUNT(v));
}

cm_err cm_detached_decode(cm_view *signatures, const cm_crypt *c, cm_view bytes, cm_view manifest)
{
    cm_cbor_value v[CM_COUNT(detached_fields)];
    uint8_t h[32];
    cm_cbor cur;

    if (bytes.n > DETACHED_MAX || cm_failed(cm_cbor_open(&cur, bytes, NULL)) ||
        cm_failed(cm_cbor_record(&cur, detached_fields, v, CM_COUNT(v), NULL)) ||
        cm_failed(cm_cbor_end(&cur)))
        return CM_FAIL(SEALED_SIGNATURES);
    CM_TRY(cm_hash_once(c, CM_SHA256, h, manifest));
    if (!cm_view_eq(v[1].v, CM_VIEW(h)))
        return CM_FAIL(SEALED_SIGNATURE);
    *signatures = v[2].v;
    return CM_OKAY;
}
