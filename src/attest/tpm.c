/* TPM 2.0 quotes: what the registers of measured boot held, signed by a key of the TPM. */
#include "attest/tpm_int.h"
#include "base/ct.h"

enum { FIRMWARE_PCRS = 0xff };

/* ---- the quote ----------------------------------------------------------------------------- */

cm_err cm_tpm_claims(cm_run *run, const cm_tpm_quote *q)
{
    CM_TRY(cm_claim_bytes(run, "nonce", 0, q->extra));
    CM_TRY(cm_claim_bytes(run, "pcr_digest", 0, q->digest));
    CM_TRY(cm_claim_bytes(run, "qualified_signer", 0, q->signer));
    CM_TRY(cm_claim_u64(run, "tpm_clock_ms", q->clock));
    CM_TRY(cm_claim_u64(run, "reset_count", q->resets));
    CM_TRY(cm_claim_u64(run, "restart_count", q->restarts));
    CM_TRY(cm_claim_u64(run, "clock_safe", q->safe));
    return cm_claim_u64(run, "tpm_firmware", q->firmware);
}

static const char *group_of(EVP_PKEY *key)
{
    int bits = EVP_PKEY_get_bits(key);

    return bits == 256 ? "prime256v1" : bits == 384 ? "secp384r1" : "secp521r1";
}

/* AT-51 */
static cm_err check_signature(cm_run *run, const cm_tpm_quote *q, const cm_tpm_signature *s,
                              EVP_PKEY *key)
{
    bool good = false, ec = s->scheme == CM_TPM_ECDSA;
    size_t size;
    cm_hash h = cm_tcg_hash(s->hash, &size);

    if (ec && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC)
        CM_TRY(cm_ecdsa_raw(&good, run->c, key, group_of(key), h, s->r, s->s, q->whole));
    else if (!ec && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
        CM_TRY(cm_verify_der(&good, run->c, key, h, s->scheme == CM_TPM_RSAPSS, s->r, q->whole));
    cm_note(run, CM_CHECK_SIGNATURE, good, "the quote's signature is wrong");
    return CM_OKAY;
}

/* Where the value of a register stands among those given; 0 bytes when it was not quoted. */
static cm_view value_of(const cm_tpm_quote *q, cm_view values, uint32_t bank, uint32_t pcr)
{
    size_t at = 0, size = 0;

    for (uint32_t b = 0; b <= bank; b++) {
        uint32_t below = b == bank ? (1u << pcr) - 1 : UINT32_MAX;

        (void)cm_tcg_hash(q->bank[b].alg, &size);
        at += size * (size_t)__builtin_popcount(q->bank[b].pcrs & below);
    }
    return q->bank[bank].pcrs >> pcr & 1 ? cm_view_sub(values, at, size) : cm_view_of(NULL, 0);
}

static size_t values_size(const cm_tpm_quote *q)
{
    size_t n = 0, size;

    for (uint32_t b = 0; b < q->n_banks; b++) {
        (void)cm_tcg_hash(q->bank[b].alg, &size);
        n += size * (size_t)__builtin_popcount(q->bank[b].pcrs);
    }
    return n;
}

static cm_err claim_values(cm_run *run, const cm_tpm_quote *q, cm_view values)
{
    for (uint32_t pcr = 0; pcr < CM_TPM_PCRS; pcr++) {
        cm_view v = value_of(q, values, 0, pcr);

        if (v.n && !cm_all_zero(v))
            CM_TRY(cm_claim_bytes(run, "pcr", pcr, v));
    }
    return CM_OKAY;
}

/* AT-55 */
static cm_err check_values(bool *known, cm_run *run, const cm_tpm_quote *q, uint16_t hash)
{
    cm_view values = run->in->part[CM_PART_PCRS];
    uint8_t digest[CM_HASH_MAX];
    size_t size;
    cm_hash h = cm_tcg_hash(hash, &size);

    *known = false;
    if (values.n == 0) {
        cm_note_skip(run, CM_CHECK_PCRS, "the values of the registers were not given");
        return CM_OKAY;
    }
    if (!cm_note(run, CM_CHECK_PCRS, values.n == values_size(q),
                 "there are more or fewer values than registers quoted"))
        return CM_OKAY;
    CM_TRY(cm_hash_once(run->c, h, digest, values));
    *known = cm_note(run, CM_CHECK_PCRS, cm_view_eq(cm_view_of(digest, size), q->digest),
                     "the values given are not those quoted");
    return *known ? claim_values(run, q, values) : CM_OKAY;
}

static void check_selection(cm_run *run, const cm_tpm_quote *q)
{
    uint32_t want = run->p->tpm.pcrs, all = UINT32_MAX;

    for (uint32_t b = 0; b < q->n_banks; b++)
        all &= q->bank[b].pcrs;
    if (want)
        cm_note(run, CM_CHECK_PCRS, (all & want) == want, "a register asked for was not quoted");
}

static cm_err check_bank(cm_run *run, const cm_tpm_quote *q, uint32_t bank)
{
    uint32_t want =
        run->p->tpm.log_pcrs ? run->p->tpm.log_pcrs : q->bank[bank].pcrs & FIRMWARE_PCRS;
    cm_tcg_registers r;
    size_t size;
    bool good;

    (void)cm_tcg_hash(q->bank[bank].alg, &size);
    CM_TRY(cm_tcg_replay(&good, &r, run->c, run->in->event_log, q->bank[bank].alg, 0, CM_TPM_PCRS));
    if (!cm_note(run, CM_CHECK_EVENTS, good, "the event log can't be read"))
        return CM_OKAY;
    for (uint32_t pcr = 0; pcr < CM_TPM_PCRS; pcr++) {
        cm_view v = value_of(q, run->in->part[CM_PART_PCRS], bank, pcr);

        if (want >> pcr & 1)
            good = good && v.n && cm_view_eq(cm_view_of(r.v[pcr], size), v);
    }
    cm_note(run, CM_CHECK_EVENTS, good && want, "the event log does not lead to the registers");
    return CM_OKAY;
}

/* AT-56 */
static cm_err check_events(cm_run *run, const cm_tpm_quote *q, bool known)
{
    if (run->in->event_log.n == 0) {
        cm_note_skip(run, CM_CHECK_EVENTS, "no event log was given");
        return CM_OKAY;
    }
    if (!known) {
        cm_note_fail(run, CM_CHECK_EVENTS, "an event log needs the values that it leads to");
        return CM_OKAY;
    }
    for (uint32_t b = 0; b < q->n_banks; b++)
        CM_TRY(check_bank(run, q, b));
    return CM_OKAY;
}

/* AT-57 */
static void check_boot(cm_run *run, const cm_tpm_quote *q)
{
    if (!run->p->tpm.has_boot)
        cm_note_skip(run, CM_CHECK_PLATFORM, "no count of restarts was expected");
    else
        cm_note(run, CM_CHECK_PLATFORM,
                q->resets == run->p->tpm.resets && q->restarts == run->p->tpm.restarts,
                "the machine was started anew since");
}

static void check_fresh(cm_run *run, const cm_tpm_quote *q)
{
    if (run->p->fresh.n)
        cm_note(run, CM_CHECK_FRESH, cm_view_eq(q->extra, run->p->fresh),
                "it is bound to something else: stale, replayed or relayed");
    else
        cm_note_skip(run, CM_CHECK_FRESH, "no nonce or binding was expected");
}

cm_err cm_tpm_check_quote(cm_run *run, const cm_tpm_quote *q, const cm_tpm_signature *s,
                          EVP_PKEY *key)
{
    bool known;

    CM_TRY(check_signature(run, q, s, key));
    CM_TRY(check_values(&known, run, q, s->hash));
    check_selection(run, q);
    CM_TRY(check_events(run, q, known));
    check_boot(run, q);
    check_fresh(run, q);
    return CM_OKAY;
}

/* ---- whose key it is ----------------------------------------------------------------------- */

static bool listed(cm_run *run, cm_view name)
{
    bool found = false;

    for (size_t i = 0; i < run->p->n_chips; i++)
        found |= cm_view_eq(run->p->chips[i], name);
    if (run->p->n_chips)
        cm_note(run, CM_CHECK_CHIP, found, "the attestation key is not on the list");
    else
        cm_note_skip(run, CM_CHECK_CHIP, "the policy has no list of attestation keys");
    return found;
}

static cm_err certified(cm_run *run, X509 *leaf, const cm_pool *pool)
{
    CM_AUTO(cm_path_done) cm_path path = {0};

    CM_TRY(cm_path_find(&path, run, leaf, pool, CM_VENDOR_TPM, CM_CHECK_CHAIN));
    if (path.root)
        return cm_path_revocation(&path, run, 0);
    cm_note_skip(run, CM_CHECK_REVOCATION, "the certificates lead to no root");
    return CM_OKAY;
}

/* The certificate that is for an endorsement key: tcg-kp-EKCertificate, 2.23.133.8.1, alone. */
static bool is_ek(const X509 *x)
{
    static const uint8_t usage[] = {0x30, 0x07, 0x06, 0x05, 0x67, 0x81, 0x05, 0x08, 0x01};
    cm_view v;

    return cm_x509_extension(&v, x, "2.5.29.37") && cm_view_eq(v, CM_VIEW(usage));
}

/* AT-54 */
static const char *activation_why(const cm_run *run, cm_view name)
{
    const cm_tpm_activation *a = run->p->tpm.activation;
    cm_view answer = run->in->part[CM_PART_ACTIVATION];

    if (!cm_view_eq(cm_view_of(a->name, a->name_n), name))
        return "the credential was made for another attestation key";
    if (answer.n == 0)
        return "the TPM did not open the credential made for it";
    return cm_ct_equal(answer, CM_VIEW(a->secret)) ? NULL
                                                   : "the credential was opened by another TPM";
}

static cm_err activated(cm_run *run, cm_view name, const cm_pool *pool)
{
    const char *why = activation_why(run, name);

    for (size_t i = 0; i < pool->n; i++) {
        if (!is_ek(pool->v[i]) ||
            !cm_view_eq(CM_VIEW(pool->name[i].spki), CM_VIEW(run->p->tpm.activation->ek)))
            continue;
        CM_TRY(certified(run, pool->v[i], pool));
        cm_note(run, CM_CHECK_CHAIN, why == NULL, why);
        return CM_OKAY;
    }
    cm_note_fail(run, CM_CHECK_CHAIN, "the endorsement key's certificate is not there");
    return CM_OKAY;
}

/* AT-53 */
static cm_err check_owner(cm_run *run, cm_view name, EVP_PKEY *key)
{
    CM_AUTO(cm_pool_done) cm_pool pool = {0};

    if (listed(run, name)) {
        cm_note_pass(run, CM_CHECK_CHAIN);
        cm_note_skip(run, CM_CHECK_REVOCATION, "the policy names the key itself");
        return CM_OKAY;
    }
    CM_TRY(cm_pool_load(&pool, run));
    for (size_t i = 0; i < pool.n; i++)
        if (EVP_PKEY_eq(X509_get0_pubkey(pool.v[i]), key) == 1)
            return certified(run, pool.v[i], &pool);
    if (run->p->tpm.activation)
        return activated(run, name, &pool);
    cm_note_fail(run, CM_CHECK_CHAIN, "nothing shows whose attestation key it is");
    cm_note_skip(run, CM_CHECK_REVOCATION, "the certificates lead to no root");
    return CM_OKAY;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static bool parse(cm_tpm_quote *q, cm_tpm_signature *s, cm_tpm_public *ak, const cm_run *run)
{
    const cm_attest_input *in = run->in;

    return cm_tpm_quote_read(q, in->evidence) &&
           cm_tpm_signature_read(s, in->part[CM_PART_SIGNATURE]) &&
           cm_tpm_public_read(ak, in->part[CM_PART_AK]) &&
           (ak->scheme == CM_TPM_NULL || (ak->scheme == s->scheme && ak->scheme_hash == s->hash));
}

cm_err cm_attest_tpm(cm_run *run)
{
    CM_AUTO(cm_attest_pkey_done) EVP_PKEY *key = NULL;
    uint8_t name[CM_TPM_NAME_MAX];
    cm_tpm_quote q;
    cm_tpm_signature s;
    cm_tpm_public ak;
    size_t n;

    if (!cm_note(run, CM_CHECK_FORM, parse(&q, &s, &ak, run),
                 "quote, signature and key of the TPM are not of the documented form"))
        return CM_OKAY;
    CM_TRY(cm_tpm_claims(run, &q));
    CM_TRY(cm_tpm_name(name, &n, run->c, &ak));
    CM_TRY(cm_claim_bytes(run, "ak_name", 0, cm_view_of(name, n)));
    CM_TRY(cm_tpm_public_key(&key, run->c, &ak));
    if (!cm_note(run, CM_CHECK_FORM, key != NULL, "the attestation key's numbers are no key"))
        return CM_OKAY;
    cm_note(run, CM_CHECK_IDENTITY, cm_tpm_is_attestation_key(&ak),
            "the key may sign other things than quotes, or may leave its TPM");
    CM_TRY(check_owner(run, cm_view_of(name, n), key));
    CM_TRY(cm_tpm_check_quote(run, &q, &s, key));
    cm_check_measurement(run, q.digest);
    return CM_OKAY;
}
