/* Reference manifests: their form, and whose signature counts. */
#include "attest/rim.h"

#include <time.h>

#include "attest/attest_int.h"
#include "codec/cbor.h"

#define RIM_FORM "casemate-rim/1"

enum { NAME_MAX_SIZE = 96, SIGNER = 32 };

enum { F_FORM, F_LIST, FILE_FIELDS };
enum { K_ID, K_PRODUCT, K_VERSION, K_SIGNER, K_FROM, K_UNTIL, K_ROWS, FIELDS };

static const cm_cbor_field file_fields[FILE_FIELDS] = {
    {F_FORM, CM_CBOR_TEXT, true, sizeof RIM_FORM - 1, sizeof RIM_FORM - 1},
    {F_LIST, CM_CBOR_ARRAY, true, 1, CM_RIM_FILE_MAX},
};

static const cm_cbor_field fields[FIELDS] = {
    {K_ID, CM_CBOR_TEXT, true, 1, NAME_MAX_SIZE},
    {K_PRODUCT, CM_CBOR_TEXT, true, 1, NAME_MAX_SIZE},
    {K_VERSION, CM_CBOR_TEXT, true, 1, NAME_MAX_SIZE},
    {K_SIGNER, CM_CBOR_BYTES, true, SIGNER, SIGNER},
    {K_FROM, CM_CBOR_UINT, true, 0, 1ull << 40},
    {K_UNTIL, CM_CBOR_UINT, true, 0, 1ull << 40},
    {K_ROWS, CM_CBOR_MAP, true, 1, CM_RIM_FILE_MAX},
};

bool cm_rim_is(cm_view v)
{
    cm_view head = CM_LIT("\xa2\x00\x6e" RIM_FORM "\x01");

    return v.n > head.n && cm_view_eq(cm_view_sub(v, 0, head.n), head);
}

/* ---- reading ------------------------------------------------------------------------------- */

static bool row_fits(cm_view v)
{
    return v.n > 0 && v.n % CM_RIM_DIGEST == 0 && v.n <= CM_RIM_DIGEST * CM_RIM_ALTERNATIVES;
}

static bool read_rows(cm_rim *r, cm_view map)
{
    cm_cbor c;
    uint64_t n, index;

    if (cm_failed(cm_cbor_open(&c, map, NULL)) || cm_failed(cm_cbor_map(&c, &n)) || n == 0 ||
        n > CM_RIM_ROWS)
        return false;
    for (uint64_t i = 0; i < n; i++) {
        cm_view v;

        if (cm_failed(cm_cbor_uint(&c, &index)) || index >= CM_RIM_ROWS ||
            cm_failed(cm_cbor_bytes(&c, &v)) || !row_fits(v))
            return false;
        r->row[index] = v;
    }
    return true;
}

static bool read_one(cm_rim *r, cm_cbor *c)
{
    cm_cbor_value v[FIELDS];

    *r = (cm_rim){.from = 0};
    if (cm_failed(cm_cbor_record(c, fields, v, FIELDS, NULL)) || !read_rows(r, v[K_ROWS].v))
        return false;
    r->id = v[K_ID].v;
    r->product = v[K_PRODUCT].v;
    r->version = v[K_VERSION].v;
    r->signer = v[K_SIGNER].v;
    r->from = v[K_FROM].u;
    r->until = v[K_UNTIL].u;
    return r->from <= r->until;
}

/* AT-120 */
static bool read_all(cm_rim *out, size_t *n, cm_view file, size_t at)
{
    cm_cbor_value v[FILE_FIELDS];
    cm_cbor c;
    uint64_t count = 0;
    cm_rim one;

    if (file.n > CM_RIM_FILE_MAX || cm_failed(cm_cbor_whole(file, file_fields, v, FILE_FIELDS)) ||
        !cm_view_eq(v[F_FORM].v, CM_LIT(RIM_FORM)) ||
        cm_failed(cm_cbor_open(&c, v[F_LIST].v, NULL)) || cm_failed(cm_cbor_array(&c, &count)) ||
        count > CM_RIM_MAX || at >= count)
        return false;
    for (uint64_t i = 0; i < count; i++) {
        if (!read_one(&one, &c))
            return false;
        if (i == at)
            *out = one;
    }
    *n = count;
    return true;
}

cm_err cm_rim_read(cm_rim *out, size_t *n, cm_view file, size_t at)
{
    return read_all(out, n, file, at) ? CM_OKAY : CM_FAIL(RIM_FORM);
}

/* ---- writing ------------------------------------------------------------------------------- */

static cm_err put_rows(cm_buf *b, const cm_rim *r)
{
    size_t n = 0;

    for (size_t i = 0; i < CM_RIM_ROWS; i++)
        n += r->row[i].n > 0;
    CM_TRY(cm_cbor_put_map(b, n));
    for (size_t i = 0; i < CM_RIM_ROWS; i++) {
        if (r->row[i].n == 0)
            continue;
        CM_TRY(cm_cbor_put_uint(b, i));
        CM_TRY(cm_cbor_put_bytes(b, r->row[i]));
    }
    return CM_OKAY;
}

static cm_err put_one(cm_buf *b, const cm_rim *r)
{
    CM_AUTO(cm_buf_free) cm_buf rows = {.max = CM_RIM_FILE_MAX};
    cm_cbor_value v[FIELDS] = {
        [K_ID] = {.present = true, .v = r->id},
        [K_PRODUCT] = {.present = true, .v = r->product},
        [K_VERSION] = {.present = true, .v = r->version},
        [K_SIGNER] = {.present = true, .v = r->signer},
        [K_FROM] = {.present = true, .u = r->from},
        [K_UNTIL] = {.present = true, .u = r->until},
    };

    CM_TRY(put_rows(&rows, r));
    v[K_ROWS] = (cm_cbor_value){.present = true, .v = cm_buf_view(&rows)};
    return cm_cbor_put_record(b, fields, v, FIELDS);
}

cm_err cm_rim_put(cm_buf *out, const cm_rim *v, size_t n)
{
    CM_AUTO(cm_buf_free) cm_buf list = {.max = CM_RIM_FILE_MAX};
    CM_AUTO(cm_buf_free) cm_buf file = {.max = CM_RIM_FILE_MAX};
    cm_cbor_value f[FILE_FIELDS] = {[F_FORM] = {.present = true, .v = CM_LIT(RIM_FORM)}};
    size_t held;
    cm_rim one;

    CM_TRY(cm_cbor_put_array(&list, n));
    for (size_t i = 0; i < n; i++)
        CM_TRY(put_one(&list, &v[i]));
    f[F_LIST] = (cm_cbor_value){.present = true, .v = cm_buf_view(&list)};
    CM_TRY(cm_cbor_put_record(&file, file_fields, f, FILE_FIELDS));
    if (!read_all(&one, &held, cm_buf_view(&file), 0))
        return CM_FAIL(BAD_ARGUMENT);
    return cm_buf_append(out, cm_buf_view(&file));
}

/* ---- the signer ---------------------------------------------------------------------------- */

static bool seconds(uint64_t *out, const ASN1_TIME *t)
{
    struct tm tm = {0};
    time_t s;

    if (!t || ASN1_TIME_to_tm(t, &tm) != 1 || (s = timegm(&tm)) < 0)
        return false;
    *out = (uint64_t)s;
    return true;
}

/* The vendor's own certificates for tests lead to the same root. */
static bool for_debugging(const X509 *x)
{
    cm_view cn = cm_x509_cn(X509_get_subject_name(x)), word = CM_LIT("Debug Only");

    for (size_t i = 0; i + word.n <= cn.n; i++)
        if (cm_view_eq(cm_view_sub(cn, i, word.n), word))
            return true;
    return cn.n == 0;
}

/* AT-124 */
static const char *judge_path(uint64_t *from, uint64_t *until, const cm_path *path)
{
    *from = 0;
    *until = UINT64_MAX;
    for (size_t i = 0; i < path->n; i++) {
        uint64_t a, b;

        if (for_debugging(path->v[i]))
            return "a certificate of its signer is for debugging only";
        if (!seconds(&a, X509_get0_notBefore(path->v[i])) ||
            !seconds(&b, X509_get0_notAfter(path->v[i])))
            return "a certificate of its signer has no dates";
        *from = CM_MAX(*from, a);
        *until = CM_MIN(*until, b);
    }
    return NULL;
}

static cm_err judge(cm_run *run, const cm_pool *pool, const cm_rim_seal *s, uint64_t *from,
                    uint64_t *until, const char **why)
{
    CM_AUTO(cm_path_done) cm_path path = {0};
    bool good = false;

    CM_TRY(cm_ecdsa_raw(&good, run->c, X509_get0_pubkey(pool->v[0]), "secp384r1", CM_SHA384,
                        cm_view_sub(s->signature, 0, CM_RIM_DIGEST),
                        cm_view_sub(s->signature, CM_RIM_DIGEST, CM_RIM_DIGEST), s->message));
    if (!good) {
        *why = "its signature is wrong";
        return CM_FAIL(RIM_SIGNER);
    }
    CM_TRY(cm_path_find(&path, run, pool->v[0], pool, CM_VENDOR_NVIDIA_RIM, CM_CHECK_CHAIN));
    *why = run->r->check[CM_CHECK_CHAIN].verdict == CM_VERDICT_PASS
               ? judge_path(from, until, &path)
               : run->r->check[CM_CHECK_CHAIN].why;
    return *why ? CM_FAIL(RIM_SIGNER) : CM_OKAY;
}

cm_err cm_rim_verify(uint8_t digest[32], uint64_t *from, uint64_t *until, const char **why,
                     const cm_crypt *c, const cm_rim_seal *s)
{
    CM_AUTO(cm_attest_result_done) cm_attest_result r = {.n_claims = 0};
    CM_AUTO(cm_pool_done) cm_pool pool = {0};
    cm_attest_input in = {.n_certs = 0};
    cm_attest_policy p = {.now = s->now};
    cm_run run = {.c = c, .in = &in, .p = &p, .roots = cm_roots_pinned(), .r = &r};

    *why = "its signature is of another size";
    if (s->signature.n != 2 * (size_t)CM_RIM_DIGEST || s->n_certs == 0)
        return CM_FAIL(RIM_SIGNER);
    *why = NULL;
    for (size_t i = 0; i < s->n_certs; i++)
        CM_TRY(cm_pool_add_der(&pool, c, s->certs[i]));
    CM_TRY(judge(&run, &pool, s, from, until, why));
    memcpy(digest, pool.name[0].spki, sizeof pool.name[0].spki);
    return CM_OKAY;
}
