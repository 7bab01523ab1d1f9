/* Intel quotes signed with ECDSA over P-256: SGX version 3, TDX versions 4 and 5. */
#include "attest/intel_int.h"
#include "codec/cut.h"

enum {
    ECDSA_P256 = 2,
    TEE_SGX = 0,
    TEE_TDX = 0x81,
    BODY_SGX = 1,
    BODY_TD10 = 2,
    BODY_TD15 = 3,
    ENCLAVE_SIZE = 384,
    TD10_SIZE = 584,
    TD15_SIZE = 648,
    HEADER_SIZE = 48,
    CERT_QE_REPORT = 6,
    CERT_PEM_CHAIN = 5,
    PAIR = 64,
    DIGEST = 32,
    SGX_DEBUG = 2,
};

/* ---- form ---------------------------------------------------------------------------------- */

static void parse_enclave(cm_enclave_report *r, cm_cut *c)
{
    cm_cut in;

    r->whole = cm_cut_bytes(c, ENCLAVE_SIZE);
    in = cm_cut_of(r->whole);
    (void)cm_cut_bytes(&in, 16); /* CPUSVN */
    r->miscselect = cm_cut_bytes(&in, 4);
    (void)cm_cut_bytes(&in, 28);
    r->attributes = cm_cut_bytes(&in, 16);
    r->mrenclave = cm_cut_bytes(&in, DIGEST);
    (void)cm_cut_bytes(&in, 32);
    r->mrsigner = cm_cut_bytes(&in, DIGEST);
    (void)cm_cut_bytes(&in, 32);
    r->config_id = cm_cut_bytes(&in, 64);
    r->prod_id = cm_cut_le16(&in);
    r->svn = cm_cut_le16(&in);
    (void)cm_cut_bytes(&in, 60);
    r->report_data = cm_cut_bytes(&in, 64);
}

static void parse_td(cm_td_report *r, cm_cut *c, bool td15)
{
    r->tcb_svn = cm_cut_bytes(c, CM_INTEL_SVNS);
    r->mrseam = cm_cut_bytes(c, 48);
    r->mrsigner_seam = cm_cut_bytes(c, 48);
    r->seam_attributes = cm_cut_bytes(c, 8);
    r->attributes = cm_cut_bytes(c, 8);
    (void)cm_cut_bytes(c, 8); /* XFAM */
    r->mrtd = cm_cut_bytes(c, 48);
    r->config_id = cm_cut_bytes(c, 48);
    r->owner = cm_cut_bytes(c, 48);
    r->owner_config = cm_cut_bytes(c, 48);
    for (size_t i = 0; i < CM_INTEL_RTMRS; i++)
        r->rtmr[i] = cm_cut_bytes(c, 48);
    r->report_data = cm_cut_bytes(c, 64);
    if (td15) {
        r->tcb_svn2 = cm_cut_bytes(c, CM_INTEL_SVNS);
        r->service_td = cm_cut_bytes(c, 48);
    }
}

/* The kind of body that stands behind the header; 0 when the combination is not known (AT-40). */
static unsigned body_kind(const cm_intel_quote *q, uint32_t tee, cm_cut *c)
{
    static const uint32_t size[] = {
        [BODY_SGX] = ENCLAVE_SIZE, [BODY_TD10] = TD10_SIZE, [BODY_TD15] = TD15_SIZE};
    unsigned kind;

    if (q->version == 3)
        return tee == TEE_SGX ? BODY_SGX : 0;
    if (q->version == 4)
        return tee == TEE_TDX ? BODY_TD10 : tee == TEE_SGX ? BODY_SGX : 0;
    if (q->version != 5)
        return 0;
    kind = cm_cut_le16(c);
    if (kind < BODY_SGX || kind > BODY_TD15 || cm_cut_le32(c) != size[kind])
        return 0;
    return (kind == BODY_SGX) == (tee == TEE_SGX) && (tee == TEE_SGX || tee == TEE_TDX) ? kind : 0;
}

static void parse_qe(cm_intel_quote *q, cm_cut *c)
{
    parse_enclave(&q->qe, c);
    q->qe_signature = cm_cut_bytes(c, PAIR);
    q->qe_auth = cm_cut_bytes(c, cm_cut_le16(c));
    if (cm_cut_le16(c) != CERT_PEM_CHAIN)
        c->bad = true;
    q->chain = cm_cut_bytes(c, cm_cut_le32(c));
    /* Some writers count a terminator. */
    while (q->chain.n && q->chain.p[q->chain.n - 1] == 0)
        q->chain.n--;
}

static bool parse_signature(cm_intel_quote *q, cm_cut *outer)
{
    cm_cut c = cm_cut_of(cm_cut_bytes(outer, cm_cut_le32(outer)));

    q->signature = cm_cut_bytes(&c, PAIR);
    q->key = cm_cut_bytes(&c, PAIR);
    if (q->version >= 4) {
        if (cm_cut_le16(&c) != CERT_QE_REPORT || cm_cut_le32(&c) != c.rest.n)
            return false;
    }
    parse_qe(q, &c);
    return !outer->bad && cm_cut_done(&c);
}

/* AT-40. What follows the signature's length is padding of whoever carried it: unsigned, unread. */
static bool parse(cm_intel_quote *q, cm_view evidence)
{
    cm_cut c = cm_cut_of(evidence);
    uint16_t key_type;
    uint32_t tee;
    unsigned kind;

    q->version = cm_cut_le16(&c);
    key_type = cm_cut_le16(&c);
    tee = cm_cut_le32(&c);
    (void)cm_cut_bytes(&c, HEADER_SIZE - 8);
    kind = c.bad || key_type != ECDSA_P256 ? 0 : body_kind(q, tee, &c);
    if (kind == 0)
        return false;
    q->tdx = kind != BODY_SGX;
    if (q->tdx)
        parse_td(&q->td, &c, kind == BODY_TD15);
    else
        parse_enclave(&q->enclave, &c);
    if (c.bad)
        return false;
    q->signed_part = cm_view_sub(evidence, 0, evidence.n - c.rest.n);
    return parse_signature(q, &c);
}

/* ---- claims -------------------------------------------------------------------------------- */

static cm_err claim_td(cm_run *run, const cm_td_report *td)
{
    CM_TRY(cm_claim_bytes(run, "mrtd", 0, td->mrtd));
    for (uint32_t i = 0; i < CM_INTEL_RTMRS; i++)
        CM_TRY(cm_claim_bytes(run, "rtmr", i, td->rtmr[i]));
    CM_TRY(cm_claim_bytes(run, "report_data", 0, td->report_data));
    CM_TRY(cm_claim_bytes(run, "mrconfigid", 0, td->config_id));
    CM_TRY(cm_claim_bytes(run, "mrowner", 0, td->owner));
    CM_TRY(cm_claim_bytes(run, "mrownerconfig", 0, td->owner_config));
    CM_TRY(cm_claim_bytes(run, "td_attributes", 0, td->attributes));
    CM_TRY(cm_claim_bytes(run, "mrseam", 0, td->mrseam));
    CM_TRY(cm_claim_bytes(run, "tee_tcb_svn", 0, td->tcb_svn));
    if (td->service_td.n)
        CM_TRY(cm_claim_bytes(run, "mrservicetd", 0, td->service_td));
    return CM_OKAY;
}

static cm_err claim_enclave(cm_run *run, const cm_enclave_report *e)
{
    CM_TRY(cm_claim_bytes(run, "mrenclave", 0, e->mrenclave));
    CM_TRY(cm_claim_bytes(run, "mrsigner", 0, e->mrsigner));
    CM_TRY(cm_claim_u64(run, "isv_prod_id", e->prod_id));
    CM_TRY(cm_claim_u64(run, "isv_svn", e->svn));
    CM_TRY(cm_claim_bytes(run, "attributes", 0, e->attributes));
    CM_TRY(cm_claim_bytes(run, "config_id", 0, e->config_id));
    return cm_claim_bytes(run, "report_data", 0, e->report_data);
}

static cm_err claims(cm_run *run, const cm_intel_quote *q)
{
    CM_TRY(cm_claim_u64(run, "version", q->version));
    return q->tdx ? claim_td(run, &q->td) : claim_enclave(run, &q->enclave);
}

/* ---- signatures ---------------------------------------------------------------------------- */

/* AT-42: the quoting enclave vouches for the key, and for nothing else in its report data. */
static cm_err key_is_bound(bool *good, const cm_run *run, const cm_intel_quote *q)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = PAIR + UINT16_MAX};
    uint8_t digest[DIGEST];

    CM_TRY(cm_buf_append(&b, q->key));
    CM_TRY(cm_buf_append(&b, q->qe_auth));
    CM_TRY(cm_hash_once(run->c, CM_SHA256, digest, cm_buf_view(&b)));
    *good = cm_view_eq(CM_VIEW(digest), cm_view_sub(q->qe.report_data, 0, DIGEST)) &&
            cm_all_zero(cm_view_sub(q->qe.report_data, DIGEST, DIGEST));
    return CM_OKAY;
}

static cm_err pair_good(bool *good, const cm_run *run, EVP_PKEY *key, cm_view pair, cm_view message)
{
    return cm_ecdsa_raw(good, run->c, key, "prime256v1", CM_SHA256, cm_view_sub(pair, 0, PAIR / 2),
                        cm_view_sub(pair, PAIR / 2, PAIR / 2), message);
}

/* AT-41 */
static cm_err check_signature(cm_run *run, const cm_intel_quote *q, X509 *pck)
{
    CM_AUTO(cm_attest_pkey_done) EVP_PKEY *key = NULL;
    bool qe = false, bound = false, quote = false;

    CM_TRY(cm_p256_point(&key, run->c, q->key));
    CM_TRY(pair_good(&qe, run, X509_get0_pubkey(pck), q->qe_signature, q->qe.whole));
    CM_TRY(key_is_bound(&bound, run, q));
    CM_TRY(pair_good(&quote, run, key, q->signature, q->signed_part));
    cm_note(run, CM_CHECK_SIGNATURE, qe, "the quoting enclave's report is not signed by the PCK");
    cm_note(run, CM_CHECK_SIGNATURE, bound, "the quoting enclave vouches for another key");
    cm_note(run, CM_CHECK_SIGNATURE, quote, "the quote's signature is wrong");
    return CM_OKAY;
}

/* ---- policy -------------------------------------------------------------------------------- */

/* AT-46 */
static void check_td(cm_run *run, const cm_td_report *td)
{
    uint64_t attributes = cm_get_le64(td->attributes.p), want = run->p->intel.attributes_required;
    unsigned flags = run->p->flags;

    cm_note(run, CM_CHECK_DEBUG, (attributes & 0xff) == 0 || (flags & CM_ATTEST_ALLOW_DEBUG),
            "the TD can be debugged");
    cm_note(run, CM_CHECK_GUEST_POLICY, cm_all_zero(td->seam_attributes),
            "the TDX module has attributes that are not known");
    cm_note(run, CM_CHECK_GUEST_POLICY,
            cm_all_zero(td->service_td) || (flags & CM_ATTEST_ALLOW_MIGRATE),
            "a service TD is bound: it may move the TD");
    cm_note(run, CM_CHECK_GUEST_POLICY, (attributes & want) == want,
            "an attribute of the TD that is asked for is not set");
    cm_check_measurement(run, td->mrtd);
    cm_check_config(run, td->config_id);
    cm_check_fresh_padded(run, td->report_data);
}

static void check_enclave(cm_run *run, const cm_enclave_report *e)
{
    cm_note(run, CM_CHECK_DEBUG,
            !(e->attributes.p[0] & SGX_DEBUG) || (run->p->flags & CM_ATTEST_ALLOW_DEBUG),
            "the enclave can be debugged");
    cm_check_measurement(run, e->mrenclave);
    cm_check_config(run, e->config_id);
    cm_check_fresh_padded(run, e->report_data);
}

/* ---- all of it ----------------------------------------------------------------------------- */

static cm_err check_pck(cm_run *run, const cm_intel_quote *q, const cm_pool *pool, X509 *pck)
{
    CM_AUTO(cm_path_done) cm_path path = {0};
    cm_intel_platform platform = {0};
    bool known;

    CM_TRY(check_signature(run, q, pck));
    CM_TRY(cm_path_find(&path, run, pck, pool, CM_VENDOR_INTEL, CM_CHECK_CHAIN));
    if (path.root)
        CM_TRY(cm_path_revocation(&path, run, 0));
    else
        cm_note_skip(run, CM_CHECK_REVOCATION, "the certificates lead to no root");
    known = cm_intel_platform_read(&platform, pck);
    if (cm_note(run, CM_CHECK_IDENTITY, known, "the certificate does not describe its platform"))
        CM_TRY(cm_claim_bytes(run, "fmspc", 0, platform.fmspc));
    return cm_intel_collateral(run, pool, q, known ? &platform : NULL);
}

static cm_err check_signer(cm_run *run, const cm_intel_quote *q)
{
    CM_AUTO(cm_pool_done) cm_pool pool = {0};
    cm_err e = cm_pool_add(&pool, run->c, q->chain);
    X509 *pck;

    if (cm_failed(e) && !cm_is(e, CM_ATTEST_CERTIFICATE))
        return e;
    pck = cm_ok(e) ? cm_pool_named(&pool, CM_LIT("Intel SGX PCK Certificate")) : NULL;
    if (!pck) {
        cm_note_fail(run, CM_CHECK_CHAIN, "the quote carries no readable PCK certificate");
        return CM_OKAY;
    }
    CM_TRY(cm_pool_load(&pool, run));
    return check_pck(run, q, &pool, pck);
}

cm_err cm_attest_intel(cm_run *run)
{
    cm_intel_quote q = {0};
    bool good = parse(&q, run->in->evidence) && q.tdx == (run->r->kind == CM_ATTEST_TDX);

    if (!cm_note(run, CM_CHECK_FORM, good, "it is no quote of a known version and form"))
        return CM_OKAY;
    CM_TRY(claims(run, &q));
    CM_TRY(check_signer(run, &q));
    if (!q.tdx) {
        check_enclave(run, &q.enclave);
        return CM_OKAY;
    }
    check_td(run, &q.td);
    return cm_intel_events(run, &q.td);
}
