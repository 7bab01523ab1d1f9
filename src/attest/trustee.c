/* What Confidential Containers' attesters send, kind by kind. */
#include "attest/trustee.h"

#include "attest/attest_int.h"
#include "codec/text.h"

enum { NODES = 32768, DEPTH = 8, CERTS = 16, CERT_MAX = 16 << 10, PCRS = 24, PCR = 32 };

void cm_trustee_done(cm_trustee *t)
{
    for (size_t i = 0; i < t->n; i++)
        cm_buf_free(&t->pack[i]);
    t->n = 0;
}

bool cm_trustee_has(const cm_json_node *n, const char *const *names, size_t must, size_t all)
{
    size_t known = 0;

    for (size_t i = 0; i < all; i++) {
        bool there = cm_json_get(n, names[i]) != NULL;

        if (i < must && !there)
            return false;
        known += there;
    }
    return cm_json_type_of(n) == CM_JSON_OBJECT && known == cm_json_size(n);
}

static cm_err put_pack(cm_trustee *out, const cm_attest_input *in)
{
    cm_buf pack = {.max = 2 * CM_TRUSTEE_MAX};
    cm_err e;

    if (out->n == CM_ATTEST_SET_MAX || in->evidence.n == 0)
        return CM_FAIL(ATTEST_JSON);
    e = cm_attest_pack_put(&pack, in);
    if (cm_failed(e)) {
        cm_buf_free(&pack);
        return cm_is(e, CM_NO_MEMORY) ? e : CM_FAIL(ATTEST_JSON);
    }
    out->pack[out->n++] = pack;
    return CM_OKAY;
}

/* ---- bytes in texts ------------------------------------------------------------------------- */

typedef enum { HEX, BASE64, BASE64_URL, NUMBERS } coding;

static cm_err numbers(cm_buf *out, const cm_json_node *n)
{
    size_t size = cm_json_size(n), before = out->n;

    if (size > out->max - before)
        return CM_FAIL(ATTEST_JSON);
    for (size_t i = 0; i < size; i++)
        CM_TRY(cm_buf_byte(out, 0));
    return size && cm_trustee_bytes(out->p + before, size, n) ? CM_OKAY : CM_FAIL(ATTEST_JSON);
}

/* Padding is a matter of the library there, and says nothing. */
static cm_view unpadded(cm_view v)
{
    if (v.n >= 4 && v.n % 4 == 0)
        for (unsigned i = 0; i < 2 && v.p[v.n - 1] == '='; i++)
            v.n--;
    return v;
}

static cm_err bytes(cm_buf *out, const cm_json_node *n, coding how)
{
    cm_view text;
    cm_err e;

    if (how == NUMBERS)
        return numbers(out, n);
    if (cm_failed(cm_json_string(n, &text)) || text.n == 0)
        return CM_FAIL(ATTEST_JSON);
    if (how == HEX)
        e = cm_hex_decode(out, text);
    else if (how == BASE64_URL)
        e = cm_base64_decode(out, unpadded(text), true);
    else
        e = cm_base64_decode(out, text, false);
    return cm_ok(e) || cm_is(e, CM_NO_MEMORY) ? e : CM_FAIL(ATTEST_JSON);
}

/* ---- SEV-SNP -------------------------------------------------------------------------------- */

typedef struct {
    cm_buf file[CERTS];
    cm_view v[CERTS];
    size_t n;
} certs;

static void certs_done(certs *c)
{
    for (size_t i = 0; i < c->n; i++)
        cm_buf_free(&c->file[i]);
}

/* Lists of revoked certificates are never taken from an attester; of what else a host may put into
 * the table nothing is looked at. */
static bool is_cert(cm_view type)
{
    static const char *const names[] = {"ARK", "ASK", "VCEK", "VLEK"};

    for (size_t i = 0; i < CM_COUNT(names); i++)
        if (cm_view_eq(type, cm_view_str(names[i])))
            return true;
    return false;
}

static cm_err read_cert(certs *c, const cm_json_node *n)
{
    static const char *const names[] = {"cert_type", "data"};
    const cm_json_node *type = cm_json_get(n, "cert_type");
    cm_view name;

    if (!cm_trustee_has(n, names, 2, 2))
        return CM_FAIL(ATTEST_JSON);
    if (cm_failed(cm_json_string(type, &name)))
        return cm_json_type_of(type) == CM_JSON_OBJECT ? CM_OKAY : CM_FAIL(ATTEST_JSON);
    if (!is_cert(name))
        return CM_OKAY;
    if (c->n == CERTS)
        return CM_FAIL(ATTEST_JSON);
    c->file[c->n].max = CERT_MAX;
    c->n++; /* what is in it is freed even when it is not read */
    CM_TRY(numbers(&c->file[c->n - 1], cm_json_get(n, "data")));
    c->v[c->n - 1] = cm_buf_view(&c->file[c->n - 1]);
    return CM_OKAY;
}

static cm_err read_table(certs *c, const cm_json_node *list)
{
    if (!list || cm_json_type_of(list) == CM_JSON_NULL)
        return CM_OKAY;
    if (cm_json_type_of(list) != CM_JSON_ARRAY)
        return CM_FAIL(ATTEST_JSON);
    for (const cm_json_node *n = cm_json_first(list); n; n = cm_json_next(n))
        CM_TRY(read_cert(c, n));
    return CM_OKAY;
}

/* AT-155 */
static cm_err read_snp(cm_trustee *out, const cm_json_node *n)
{
    static const char *const names[] = {"attestation_report", "cert_chain"};
    CM_AUTO(certs_done) certs c = {.n = 0};
    uint8_t report[CM_SNP_REPORT];
    cm_attest_input in = {.kind = CM_ATTEST_SNP, .evidence = CM_VIEW(report)};

    if (!cm_trustee_has(n, names, 1, 2))
        return CM_FAIL(ATTEST_JSON);
    CM_TRY(cm_trustee_snp_report(report, cm_json_get(n, "attestation_report")));
    CM_TRY(read_table(&c, cm_json_get(n, "cert_chain")));
    in.certs = c.v;
    in.n_certs = c.n;
    return put_pack(out, &in);
}

/* ---- TDX and SGX ---------------------------------------------------------------------------- */

static bool some(const cm_json_node *n)
{
    return n && cm_json_type_of(n) != CM_JSON_NULL;
}

static cm_err read_quote(cm_trustee *out, cm_attest_kind kind, const cm_json_node *n)
{
    static const char *const names[] = {"quote", "cc_eventlog", "aa_eventlog"};
    CM_AUTO(cm_buf_free) cm_buf quote = {.max = CM_TRUSTEE_MAX};
    CM_AUTO(cm_buf_free) cm_buf log = {.max = CM_TRUSTEE_MAX};
    cm_attest_input in = {.kind = kind};

    if (!cm_trustee_has(n, names, 1, 3))
        return CM_FAIL(ATTEST_JSON);
    CM_TRY(bytes(&quote, cm_json_get(n, "quote"), BASE64));
    if (some(cm_json_get(n, "cc_eventlog")))
        CM_TRY(bytes(&log, cm_json_get(n, "cc_eventlog"), BASE64));
    in.evidence = cm_buf_view(&quote);
    in.event_log = cm_buf_view(&log);
    if (kind == CM_ATTEST_UNKNOWN)
        in.kind = cm_attest_detect(in.evidence);
    if (in.kind != CM_ATTEST_TDX && in.kind != CM_ATTEST_SGX)
        return CM_FAIL(ATTEST_JSON);
    return put_pack(out, &in);
}

/* ---- Azure's vTPM --------------------------------------------------------------------------- */

typedef struct {
    cm_buf report, quote, signature, pcrs, vcek, td;
} azure;

static void azure_done(azure *a)
{
    cm_buf_free(&a->report);
    cm_buf_free(&a->quote);
    cm_buf_free(&a->signature);
    cm_buf_free(&a->pcrs);
    cm_buf_free(&a->vcek);
    cm_buf_free(&a->td);
}

static cm_err read_tpm_quote(azure *a, const cm_json_node *n, coding how)
{
    static const char *const names[] = {"signature", "message", "pcrs"};
    const cm_json_node *pcrs = cm_json_get(n, "pcrs");

    if (!cm_trustee_has(n, names, 3, 3) || cm_json_type_of(pcrs) != CM_JSON_ARRAY)
        return CM_FAIL(ATTEST_JSON);
    CM_TRY(bytes(&a->signature, cm_json_get(n, "signature"), how));
    CM_TRY(bytes(&a->quote, cm_json_get(n, "message"), how));
    for (const cm_json_node *v = cm_json_first(pcrs); v; v = cm_json_next(v)) {
        size_t before = a->pcrs.n;

        CM_TRY(bytes(&a->pcrs, v, how));
        if (a->pcrs.n - before != PCR)
            return CM_FAIL(ATTEST_JSON);
    }
    return CM_OKAY;
}

/* The first form had a certificate in PEM and lists of numbers, and no number of its own. */
static cm_err read_azure_first(azure *a, const cm_json_node *n)
{
    static const char *const snp[] = {"quote", "report", "vcek"};
    static const char *const tdx[] = {"tpm_quote", "hcl_report", "td_quote"};
    cm_view pem;

    if (cm_trustee_has(n, tdx, 3, 3)) {
        CM_TRY(read_tpm_quote(a, cm_json_get(n, "tpm_quote"), NUMBERS));
        CM_TRY(bytes(&a->td, cm_json_get(n, "td_quote"), NUMBERS));
        return bytes(&a->report, cm_json_get(n, "hcl_report"), NUMBERS);
    }
    if (!cm_trustee_has(n, snp, 3, 3) || cm_failed(cm_json_string(cm_json_get(n, "vcek"), &pem)) ||
        pem.n > CERT_MAX)
        return CM_FAIL(ATTEST_JSON);
    CM_TRY(read_tpm_quote(a, cm_json_get(n, "quote"), NUMBERS));
    CM_TRY(cm_buf_append(&a->vcek, pem));
    return bytes(&a->report, cm_json_get(n, "report"), NUMBERS);
}

static cm_err read_azure_parts(azure *a, const cm_json_node *n)
{
    static const char *const snp[] = {"version", "tpm_quote", "hcl_report", "vcek"};
    static const char *const tdx[] = {"version", "tpm_quote", "hcl_report", "td_quote"};
    uint64_t version;

    if (!cm_json_get(n, "version"))
        return read_azure_first(a, n);
    if (cm_failed(cm_json_u64(cm_json_get(n, "version"), &version)) || version < 1 || version > 2)
        return CM_FAIL(ATTEST_JSON);
    CM_TRY(read_tpm_quote(a, cm_json_get(n, "tpm_quote"), HEX));
    CM_TRY(bytes(&a->report, cm_json_get(n, "hcl_report"), BASE64_URL));
    if (cm_trustee_has(n, snp, 4, 4))
        return bytes(&a->vcek, cm_json_get(n, "vcek"), BASE64_URL);
    return cm_trustee_has(n, tdx, 4, 4) ? bytes(&a->td, cm_json_get(n, "td_quote"), BASE64_URL)
                                        : CM_FAIL(ATTEST_JSON);
}

/* AT-157 */
static cm_err read_azure(cm_trustee *out, const cm_json_node *n)
{
    CM_AUTO(azure_done)
    azure a = {.report = {.max = CM_TRUSTEE_MAX},
               .quote = {.max = CERT_MAX},
               .signature = {.max = CERT_MAX},
               .pcrs = {.max = PCRS * PCR},
               .vcek = {.max = CERT_MAX},
               .td = {.max = CM_TRUSTEE_MAX}};
    cm_attest_input in = {.kind = CM_ATTEST_AZURE};
    cm_view vcek;

    CM_TRY(read_azure_parts(&a, n));
    vcek = cm_buf_view(&a.vcek);
    in.evidence = cm_buf_view(&a.report);
    in.certs = &vcek;
    in.n_certs = vcek.n > 0;
    in.part[CM_PART_QUOTE] = cm_buf_view(&a.quote);
    in.part[CM_PART_SIGNATURE] = cm_buf_view(&a.signature);
    in.part[CM_PART_PCRS] = cm_buf_view(&a.pcrs);
    in.part[CM_PART_TD_QUOTE] = cm_buf_view(&a.td);
    return put_pack(out, &in);
}

/* ---- NVIDIA --------------------------------------------------------------------------------- */

/* Hex of older attesters, base64 of the vendor's library. */
static cm_err report_of(cm_buf *out, const cm_json_node *n)
{
    cm_err e = bytes(out, n, HEX);

    if (cm_ok(e) || cm_is(e, CM_NO_MEMORY))
        return e;
    out->n = 0;
    return bytes(out, n, BASE64);
}

static cm_err read_device(cm_trustee *out, const cm_json_node *n)
{
    static const char *const names[] = {"arch", "evidence", "certificate", "uuid"};
    CM_AUTO(cm_buf_free) cm_buf report = {.max = CM_TRUSTEE_MAX};
    CM_AUTO(cm_buf_free) cm_buf chain = {.max = CERT_MAX};
    cm_attest_input in = {.kind = CM_ATTEST_NVIDIA, .n_certs = 1};
    cm_view v;

    if (!cm_trustee_has(n, names, 3, 4))
        return CM_FAIL(ATTEST_JSON);
    CM_TRY(report_of(&report, cm_json_get(n, "evidence")));
    CM_TRY(bytes(&chain, cm_json_get(n, "certificate"), BASE64));
    v = cm_buf_view(&chain);
    in.evidence = cm_buf_view(&report);
    in.certs = &v;
    return put_pack(out, &in);
}

static cm_err read_devices(cm_trustee *out, const cm_json_node *n)
{
    static const char *const names[] = {"device_evidence_list"};
    const cm_json_node *list = cm_json_get(n, names[0]);

    if (!cm_trustee_has(n, names, 1, 1) || cm_json_type_of(list) != CM_JSON_ARRAY ||
        cm_json_size(list) == 0)
        return CM_FAIL(ATTEST_JSON);
    for (const cm_json_node *d = cm_json_first(list); d; d = cm_json_next(d))
        CM_TRY(read_device(out, d));
    return CM_OKAY;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static cm_attest_kind kind_of(const cm_json_node *n)
{
    if (cm_json_get(n, "attestation_report"))
        return CM_ATTEST_SNP;
    if (cm_json_get(n, "device_evidence_list"))
        return CM_ATTEST_NVIDIA;
    if (cm_json_get(n, "hcl_report") || cm_json_get(n, "report"))
        return CM_ATTEST_AZURE;
    return CM_ATTEST_UNKNOWN;
}

cm_err cm_trustee_read(cm_trustee *out, cm_attest_kind kind, const cm_json_node *n)
{
    cm_attest_kind seen = kind_of(n);

    if (kind == CM_ATTEST_TDX || kind == CM_ATTEST_SGX || seen == CM_ATTEST_UNKNOWN)
        return read_quote(out, kind, n);
    if (kind != CM_ATTEST_UNKNOWN && kind != seen)
        return CM_FAIL(ATTEST_JSON);
    if (seen == CM_ATTEST_SNP)
        return read_snp(out, n);
    return seen == CM_ATTEST_AZURE ? read_azure(out, n) : read_devices(out, n);
}

static bool is_object(cm_view v)
{
    size_t i = 0;

    while (i < v.n && (v.p[i] == ' ' || v.p[i] == '\n' || v.p[i] == '\r' || v.p[i] == '\t'))
        i++;
    return i < v.n && v.p[i] == '{';
}

cm_err cm_trustee_file(cm_buf *out, cm_view file)
{
    const cm_json_limits limits = {CM_TRUSTEE_MAX, NODES, DEPTH, CM_TRUSTEE_MAX};
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    CM_AUTO(cm_trustee_done) cm_trustee t = {.n = 0};
    cm_view packs[CM_ATTEST_SET_MAX];
    cm_err e;

    if (!is_object(file))
        return cm_buf_append(out, file);
    e = cm_json_parse(&j, file, &limits, NULL);
    if (cm_failed(e))
        return cm_is(e, CM_NO_MEMORY) ? e : CM_FAIL(ATTEST_JSON);
    CM_TRY(cm_trustee_read(&t, CM_ATTEST_UNKNOWN, cm_json_root(j)));
    for (size_t i = 0; i < t.n; i++)
        packs[i] = cm_buf_view(&t.pack[i]);
    return t.n == 1 ? cm_buf_append(out, packs[0]) : cm_attest_set_put(out, packs, t.n);
}
