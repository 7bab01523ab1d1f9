/* Intel's signed statements: TCB info version 3 and enclave identities version 2. Signatures are
 * over the bytes of the object as they stand in the answer. */
#include "attest/intel_int.h"
#include "codec/json.h"
#include "codec/text.h"

enum { SIGNATURE = 64, TEXT_TIME = 20, TCB_INFO_VERSION = 3, IDENTITY_VERSION = 2, HEX_MAX = 64 };

typedef struct {
    cm_json *json;
    const cm_json_node *object; /* what is signed */
    cm_view bytes;              /* the same as it stands */
    uint8_t signature[SIGNATURE];
} statement;

static void statement_done(statement *s)
{
    cm_json_free(s->json);
}

/* ---- values -------------------------------------------------------------------------------- */

static cm_view text_of(const cm_json_node *obj, const char *key)
{
    cm_view v = cm_view_of(NULL, 0);

    return cm_ok(cm_json_string(cm_json_get(obj, key), &v)) ? v : cm_view_of(NULL, 0);
}

static bool number_of(const cm_json_node *obj, const char *key, uint64_t *v)
{
    return cm_ok(cm_json_u64(cm_json_get(obj, key), v));
}

static bool hex_into(uint8_t *out, size_t n, cm_view text)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = HEX_MAX};

    if (text.n != n * 2 || cm_failed(cm_hex_decode(&b, text)) || b.n != n)
        return false;
    memcpy(out, b.p, n);
    return true;
}

static bool hex_is(const cm_json_node *obj, const char *key, cm_view want)
{
    uint8_t have[HEX_MAX];

    return want.n <= sizeof have && hex_into(have, want.n, text_of(obj, key)) &&
           cm_view_eq(cm_view_of(have, want.n), want);
}

/* Whether have under the mask is what the statement says. */
static bool masked_is(const cm_json_node *obj, const char *key, const char *mask_key, cm_view have)
{
    uint8_t want[HEX_MAX], mask[HEX_MAX], differ = 0;

    if (have.n > HEX_MAX || !hex_into(want, have.n, text_of(obj, key)) ||
        !hex_into(mask, have.n, text_of(obj, mask_key)))
        return false;
    for (size_t i = 0; i < have.n; i++)
        differ |= (uint8_t)((have.p[i] & mask[i]) ^ want[i]);
    return differ == 0;
}

static bool digits(uint64_t *v, cm_view text, size_t at, size_t n)
{
    *v = 0;
    for (size_t i = at; i < at + n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        *v = *v * 10 + (uint64_t)(text.p[i] - '0');
    }
    return true;
}

/* Days since 1970 of a date of the Gregorian calendar, whose year begins in March here. */
static uint64_t days_of(uint64_t y, uint64_t m, uint64_t d)
{
    enum { DAYS_TO_1970 = 719468 };
    uint64_t month = (m + 9) % 12;

    y -= m <= 2;
    return y * 365 + y / 4 - y / 100 + y / 400 + (month * 153 + 2) / 5 + d - 1 - DAYS_TO_1970;
}

static bool has_form(cm_view v)
{
    static const char form[] = "....-..-..T..:..:..Z";

    if (v.n != TEXT_TIME)
        return false;
    for (size_t i = 0; i < TEXT_TIME; i++)
        if (form[i] != '.' && v.p[i] != (uint8_t)form[i])
            return false;
    return true;
}

/* "2025-06-19T10:16:03Z" */
static bool time_of(const cm_json_node *obj, const char *key, uint64_t *out)
{
    /* year, month, day, hour, minute, second */
    static const uint8_t at[] = {0, 5, 8, 11, 14, 17}, size[] = {4, 2, 2, 2, 2, 2};
    static const uint16_t low[] = {1970, 1, 1, 0, 0, 0}, high[] = {9999, 12, 31, 23, 59, 60};
    cm_view v = text_of(obj, key);
    uint64_t n[CM_COUNT(at)];

    if (!has_form(v))
        return false;
    for (size_t i = 0; i < CM_COUNT(at); i++)
        if (!digits(&n[i], v, at[i], size[i]) || n[i] < low[i] || n[i] > high[i])
            return false;
    *out = days_of(n[0], n[1], n[2]) * 86400 + n[3] * 3600 + n[4] * 60 + n[5];
    return true;
}

/* ---- statements ---------------------------------------------------------------------------- */

/* The object that begins at the offset: to the brace that closes it. The text is known to be JSON,
 * so braces outside strings match. */
static cm_view object_bytes(cm_view text, size_t at)
{
    bool in_string = false, escaped = false;
    size_t depth = 0;

    for (size_t i = at; i < text.n; i++) {
        uint8_t c = text.p[i];

        if (in_string) {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        in_string = c == '"';
        depth += c == '{';
        if (c == '}' && --depth == 0)
            return cm_view_sub(text, at, i + 1 - at);
    }
    return cm_view_of(NULL, 0);
}

static bool read_statement(statement *s, cm_view text, cm_view signature, const char *name)
{
    const cm_json_node *root;
    cm_view hex;

    if (cm_failed(cm_json_parse(&s->json, text, NULL, NULL)))
        return false;
    root = cm_json_root(s->json);
    if (signature.n == SIGNATURE) {
        memcpy(s->signature, signature.p, SIGNATURE);
        s->object = root;
    } else {
        hex = text_of(root, "signature");
        s->object = cm_json_get(root, name);
        if (!s->object || !hex_into(s->signature, SIGNATURE, hex))
            return false;
    }
    if (cm_json_type_of(s->object) != CM_JSON_OBJECT)
        return false;
    s->bytes = object_bytes(text, cm_json_offset(s->object));
    return s->bytes.n != 0;
}

/* AT-44 */
static const char *statement_why(const cm_run *run, const statement *s, EVP_PKEY *key,
                                 const char *id, uint64_t version)
{
    uint64_t have, from, to, evaluation;
    bool good = false;

    if (cm_failed(cm_ecdsa_raw(
            &good, run->c, key, "prime256v1", CM_SHA256, cm_view_of(s->signature, SIGNATURE / 2),
            cm_view_of(s->signature + SIGNATURE / 2, SIGNATURE / 2), s->bytes)) ||
        !good)
        return "the signature of a statement is wrong";
    if (!cm_view_eq(text_of(s->object, "id"), cm_view_str(id)) ||
        !number_of(s->object, "version", &have) || have != version)
        return "a statement is of another kind or version";
    if (!time_of(s->object, "issueDate", &from) || !time_of(s->object, "nextUpdate", &to) ||
        run->p->now < from || run->p->now >= to)
        return "a statement is not of that time";
    if (!number_of(s->object, "tcbEvaluationDataNumber", &evaluation) ||
        evaluation < run->p->intel.evaluation)
        return "a statement's evaluation is older than the policy's floor";
    return NULL;
}

static cm_tcb_status status_of(const cm_json_node *level)
{
    static const struct {
        const char *name;
        cm_tcb_status status;
    } names[] = {
        {"UpToDate", CM_TCB_UP_TO_DATE},
        {"SWHardeningNeeded", CM_TCB_SW_HARDENING},
        {"ConfigurationNeeded", CM_TCB_CONFIGURATION},
        {"ConfigurationAndSWHardeningNeeded", CM_TCB_CONFIGURATION_AND_SW_HARDENING},
        {"OutOfDate", CM_TCB_OUT_OF_DATE},
        {"OutOfDateConfigurationNeeded", CM_TCB_OUT_OF_DATE_CONFIGURATION},
    };
    cm_view v = text_of(level, "tcbStatus");

    for (size_t i = 0; i < CM_COUNT(names); i++)
        if (cm_view_eq(v, cm_view_str(names[i].name)))
            return names[i].status;
    return CM_TCB_REVOKED; /* and whatever is not known */
}

/* ---- levels -------------------------------------------------------------------------------- */

static bool components_reach(const cm_json_node *list, const uint8_t *have, size_t from)
{
    const cm_json_node *n = cm_json_first(list);
    uint64_t svn;
    size_t i = 0;

    if (cm_json_type_of(list) != CM_JSON_ARRAY || cm_json_size(list) != CM_INTEL_SVNS)
        return false;
    for (; n; n = cm_json_next(n), i++)
        if (!number_of(n, "svn", &svn) || (i >= from && have[i] < svn))
            return false;
    return true;
}

/* AT-45 */
static bool level_reached(const cm_json_node *level, const cm_intel_quote *q,
                          const cm_intel_platform *p)
{
    const cm_json_node *tcb = cm_json_get(level, "tcb");
    const cm_json_node *sgx = cm_json_get(tcb, "sgxtcbcomponents");
    const cm_json_node *tdx = cm_json_get(tcb, "tdxtcbcomponents");
    uint64_t pce;

    if (!sgx || !number_of(tcb, "pcesvn", &pce) || p->pce_svn < pce ||
        !components_reach(sgx, p->svn, 0))
        return false;
    if (!q->tdx)
        return true;
    return tdx && components_reach(tdx, q->td.tcb_svn.p, q->td.tcb_svn.p[1] ? 2 : 0);
}

static bool svn_level(const cm_json_node *object, uint64_t svn, cm_tcb_status *out)
{
    const cm_json_node *list = cm_json_get(object, "tcbLevels");
    const cm_json_node *n = list ? cm_json_first(list) : NULL;
    uint64_t want;

    for (; n; n = cm_json_next(n)) {
        if (!number_of(cm_json_get(n, "tcb"), "isvsvn", &want))
            return false;
        if (svn >= want) {
            *out = CM_MAX(*out, status_of(n));
            return true;
        }
    }
    return false;
}

static bool module_is(const cm_json_node *module, const cm_td_report *td)
{
    return module && hex_is(module, "mrsigner", td->mrsigner_seam) &&
           masked_is(module, "attributes", "attributesMask", td->seam_attributes);
}

/* AT-45: from module version 1 on the first two SVNs are its own, judged by its identity. */
static bool module_level(const cm_json_node *info, const cm_td_report *td, cm_tcb_status *out)
{
    static const char hex[] = "0123456789ABCDEF";
    const uint8_t version = td->tcb_svn.p[1];
    const char name[] = {'T', 'D', 'X', '_', hex[version >> 4], hex[version & 15]};
    const cm_json_node *list = cm_json_get(info, "tdxModuleIdentities");
    const cm_json_node *n = list ? cm_json_first(list) : NULL;

    if (version == 0)
        return module_is(cm_json_get(info, "tdxModule"), td);
    for (; n; n = cm_json_next(n))
        if (cm_view_eq(text_of(n, "id"), CM_VIEW(name)))
            return module_is(n, td) && svn_level(n, td->tcb_svn.p[0], out);
    return false;
}

static bool platform_level(const cm_json_node *info, const cm_intel_quote *q,
                           const cm_intel_platform *p, cm_tcb_status *out)
{
    const cm_json_node *list = cm_json_get(info, "tcbLevels");
    const cm_json_node *n = list ? cm_json_first(list) : NULL;

    for (; n; n = cm_json_next(n))
        if (level_reached(n, q, p)) {
            *out = CM_MAX(*out, status_of(n));
            return !q->tdx || module_level(info, &q->td, out);
        }
    return false;
}

/* ---- the checks ---------------------------------------------------------------------------- */

static const char *info_why(const statement *s, const cm_intel_platform *p)
{
    if (!p || !hex_is(s->object, "fmspc", p->fmspc) || !hex_is(s->object, "pceId", p->pce_id))
        return "the TCB info is of another platform";
    return NULL;
}

/* AT-48: of several the first that is about this, whoever signed it; else the one that was given.
 * platform: NULL for enclaves. */
static bool choose(statement *s, const cm_attest_statements *several, cm_view text,
                   cm_view signature, const char *name, const char *id,
                   const cm_intel_platform *platform)
{
    for (size_t i = 0; i < several->n; i++) {
        if (read_statement(s, several->v[i].text, several->v[i].signature, name) &&
            cm_view_eq(text_of(s->object, "id"), cm_view_str(id)) &&
            (!platform || !info_why(s, platform)))
            return true;
        statement_done(s);
        *s = (statement){.json = NULL};
    }
    return read_statement(s, text, signature, name);
}

/* AT-44: the identity's signature and dates are checked like those of the TCB info. */
static void check_quoting(cm_run *run, const cm_intel_quote *q, EVP_PKEY *key, cm_tcb_status *tcb)
{
    CM_AUTO(statement_done) statement s = {0};
    const cm_enclave_report *qe = &q->qe;
    const char *why, *id = q->tdx ? "TD_QE" : "QE";
    uint64_t prod;
    bool same;

    if (!choose(&s, &run->in->identities, run->in->qe_identity, run->in->qe_identity_sig,
                "enclaveIdentity", id, NULL)) {
        cm_note_fail(run, CM_CHECK_QUOTING, "the identity can't be read");
        return;
    }
    why = statement_why(run, &s, key, id, IDENTITY_VERSION);
    if (!cm_note(run, CM_CHECK_QUOTING, why == NULL, why))
        return;
    same = hex_is(s.object, "mrsigner", qe->mrsigner) && number_of(s.object, "isvprodid", &prod) &&
           prod == qe->prod_id &&
           masked_is(s.object, "miscselect", "miscselectMask", qe->miscselect) &&
           masked_is(s.object, "attributes", "attributesMask", qe->attributes);
    cm_note(run, CM_CHECK_QUOTING, same, "the enclave that quotes is not the vendor's");
    cm_note(run, CM_CHECK_QUOTING, svn_level(s.object, qe->svn, tcb),
            "no level of the identity is as old as this enclave");
}

/* AT-45: what a TD of version 1.5 would be that was launched on the firmware which runs now. */
static cm_err claim_relaunch(cm_run *run, const cm_json_node *info, const cm_intel_quote *q,
                             const cm_intel_platform *p, cm_tcb_status quoting, cm_tcb_status tcb)
{
    cm_intel_quote again = *q;

    if (q->td.tcb_svn2.n == 0 || tcb < CM_TCB_OUT_OF_DATE || tcb == CM_TCB_REVOKED)
        return CM_OKAY;
    again.td.tcb_svn = q->td.tcb_svn2;
    if (!platform_level(info, &again, p, &quoting) || quoting >= CM_TCB_OUT_OF_DATE)
        return CM_OKAY;
    return cm_claim_text(run, "relaunch", cm_view_str(cm_tcb_name(quoting)));
}

static cm_err check_info(cm_run *run, const cm_intel_quote *q, const cm_intel_platform *p,
                         EVP_PKEY *key, cm_tcb_status *tcb)
{
    CM_AUTO(statement_done) statement s = {0};
    cm_tcb_status quoting = *tcb;
    const char *why, *id = q->tdx ? "TDX" : "SGX";

    if (!choose(&s, &run->in->tcb_infos, run->in->tcb_info, run->in->tcb_info_sig, "tcbInfo", id,
                p)) {
        cm_note_fail(run, CM_CHECK_COLLATERAL, "the TCB info can't be read");
        return CM_OKAY;
    }
    why = statement_why(run, &s, key, id, TCB_INFO_VERSION);
    why = why ? why : info_why(&s, p);
    if (!cm_note(run, CM_CHECK_COLLATERAL, why == NULL, why))
        return CM_OKAY;
    if (!platform_level(s.object, q, p, tcb)) {
        *tcb = CM_TCB_REVOKED;
        cm_note_fail(run, CM_CHECK_TCB, "no level of the TCB info is as old as this platform");
    }
    return claim_relaunch(run, s.object, q, p, quoting, *tcb);
}

static void conclude(cm_run *run, cm_tcb_status tcb)
{
    uint32_t accept = (run->p->intel.accept_tcb | CM_TCB_BIT(UP_TO_DATE)) &
                      ~(CM_TCB_BIT(REVOKED) | CM_TCB_BIT(UNKNOWN));

    run->r->tcb = tcb;
    cm_note(run, CM_CHECK_TCB, (accept & 1u << tcb) != 0,
            "the platform's state is not one that the policy accepts");
}

static bool missing(cm_run *run)
{
    if (run->in->tcb_info.n == 0)
        cm_note_skip(run, CM_CHECK_COLLATERAL, "no TCB info was given");
    if (run->in->qe_identity.n == 0)
        cm_note_skip(run, CM_CHECK_QUOTING, "no enclave identity was given");
    if (run->in->tcb_info.n == 0 || run->in->qe_identity.n == 0)
        cm_note_skip(run, CM_CHECK_TCB, "there is no collateral to judge it by");
    return run->in->tcb_info.n == 0 && run->in->qe_identity.n == 0;
}

cm_err cm_intel_collateral(cm_run *run, const cm_pool *pool, const cm_intel_quote *q,
                           const cm_intel_platform *platform)
{
    X509 *signer = cm_pool_named(pool, CM_LIT("Intel SGX TCB Signing"));
    CM_AUTO(cm_path_done) cm_path path = {0};
    cm_tcb_status tcb = CM_TCB_UP_TO_DATE;

    if (missing(run))
        return CM_OKAY;
    if (!signer) {
        cm_note_fail(run, CM_CHECK_COLLATERAL, "the certificate of the TCB's signer is missing");
        return CM_OKAY;
    }
    CM_TRY(cm_path_find(&path, run, signer, pool, CM_VENDOR_INTEL, CM_CHECK_COLLATERAL));
    if (!path.root)
        return CM_OKAY;
    CM_TRY(cm_path_revocation(&path, run, 0));
    if (run->in->qe_identity.n)
        check_quoting(run, q, X509_get0_pubkey(signer), &tcb);
    if (run->in->tcb_info.n)
        CM_TRY(check_info(run, q, platform, X509_get0_pubkey(signer), &tcb));
    if (run->in->tcb_info.n && run->in->qe_identity.n &&
        run->r->check[CM_CHECK_COLLATERAL].verdict == CM_VERDICT_PASS &&
        run->r->check[CM_CHECK_QUOTING].verdict == CM_VERDICT_PASS)
        conclude(run, tcb);
    else
        cm_note_skip(run, CM_CHECK_TCB, "the collateral is not complete");
    return CM_OKAY;
}
