/* Azure's vTPM: the paravisor's report (HCL) holds a hardware report whose data is the digest of a
 * JSON text with the vTPM's attestation key; that key signs the quote. */
#include "attest/tpm_int.h"
#include "codec/cut.h"
#include "codec/json.h"
#include "codec/text.h"

enum {
    HEAD = 32,
    HARDWARE = 1184,
    RUNTIME = 20,
    TYPE_SNP = 2,
    TYPE_TDX = 4,
    HASH_SHA256 = 1,
    JSON_MAX = 65536,
    MODULUS_MAX = 512,
    RSA_2048 = 256,
};

typedef struct {
    cm_view hardware, json;
    uint32_t type;
} hcl_report;

/* AT-60 */
static bool parse(hcl_report *h, cm_view v)
{
    cm_cut c = cm_cut_of(v);
    cm_view magic = cm_cut_bytes(&c, 4);
    uint32_t version = cm_cut_le32(&c), size = cm_cut_le32(&c), request = cm_cut_le32(&c);
    uint32_t runtime, form, hash;
    cm_view rest = cm_cut_bytes(&c, HEAD - 16);

    h->hardware = cm_cut_bytes(&c, HARDWARE);
    runtime = cm_cut_le32(&c);
    form = cm_cut_le32(&c);
    h->type = cm_cut_le32(&c);
    hash = cm_cut_le32(&c);
    h->json = cm_cut_bytes(&c, cm_cut_le32(&c));
    return !c.bad && cm_view_eq(magic, CM_LIT("HCLA")) && version >= 1 && version <= 2 &&
           request == 2 && cm_all_zero(rest) && form == 1 && hash == HASH_SHA256 &&
           (h->type == TYPE_SNP || h->type == TYPE_TDX) && h->json.n && h->json.n <= JSON_MAX &&
           runtime == RUNTIME + h->json.n && size == HEAD + HARDWARE + runtime &&
           cm_all_zero(c.rest);
}

/* ---- what the text says -------------------------------------------------------------------- */

static bool number(cm_buf *out, const cm_json_node *key, const char *name)
{
    cm_view text;

    return cm_ok(cm_json_string(cm_json_get(key, name), &text)) &&
           cm_ok(cm_base64_decode(out, text, true));
}

static const cm_json_node *named_key(const cm_json_node *root, cm_view kid)
{
    const cm_json_node *k = cm_json_first(cm_json_get(root, "keys"));
    cm_view id;

    for (; k; k = cm_json_next(k))
        if (cm_ok(cm_json_string(cm_json_get(k, "kid"), &id)) && cm_view_eq(id, kid))
            return k;
    return NULL;
}

/* AT-62 */
static cm_err attestation_key(EVP_PKEY **out, const cm_crypt *c, const cm_json_node *root)
{
    CM_AUTO(cm_buf_free) cm_buf n = {.max = MODULUS_MAX};
    CM_AUTO(cm_buf_free) cm_buf e = {.max = 4};
    const cm_json_node *key = named_key(root, CM_LIT("HCLAkPub"));
    cm_view type;

    *out = NULL;
    if (!key || cm_failed(cm_json_string(cm_json_get(key, "kty"), &type)) ||
        !cm_view_eq(type, CM_LIT("RSA")) || !number(&n, key, "n") || !number(&e, key, "e"))
        return CM_OKAY;
    return cm_rsa_numbers(out, c, cm_buf_view(&n), cm_buf_view(&e));
}

static cm_err claims(cm_run *run, const cm_json_node *root)
{
    const cm_json_node *vm = cm_json_get(root, "vm-configuration");
    cm_view text;
    bool boot;

    if (cm_ok(cm_json_string(cm_json_get(vm, "vmUniqueId"), &text)))
        CM_TRY(cm_claim_text(run, "vm_id", text));
    if (cm_ok(cm_json_bool(cm_json_get(vm, "secure-boot"), &boot)))
        CM_TRY(cm_claim_u64(run, "secure_boot", boot));
    if (cm_ok(cm_json_string(cm_json_get(root, "user-data"), &text)))
        CM_TRY(cm_claim_text(run, "user_data", text));
    return CM_OKAY;
}

/* ---- the parts ----------------------------------------------------------------------------- */

/* AT-61: the hardware's evidence, expected to be of this text; the caller's nonce is the quote's.
 */
static cm_err check_hardware(cm_run *run, const hcl_report *h)
{
    uint8_t digest[32];
    cm_attest_policy p = *run->p;
    cm_attest_input in = *run->in;
    cm_run inner = *run;
    cm_err e;

    CM_TRY(cm_hash_once(run->c, CM_SHA256, digest, h->json));
    p.fresh = CM_VIEW(digest);
    in.evidence = h->hardware;
    in.event_log = cm_view_of(NULL, 0);
    inner.in = &in;
    inner.p = &p;
    if (h->type == TYPE_SNP)
        return cm_attest_snp(&inner);
    in.evidence = run->in->part[CM_PART_TD_QUOTE];
    if (!cm_note(run, CM_CHECK_FORM, in.evidence.n > 0, "the TD's quote was not given"))
        return CM_OKAY;
    run->r->kind = CM_ATTEST_TDX;
    e = cm_attest_intel(&inner);
    run->r->kind = CM_ATTEST_AZURE;
    return e;
}

/* A signature comes with its scheme or, as Azure's tools write it, without. */
static bool read_signature(cm_tpm_signature *s, cm_view v)
{
    if (v.n != RSA_2048)
        return cm_tpm_signature_read(s, v);
    *s = (cm_tpm_signature){.scheme = CM_TPM_RSASSA, .hash = CM_TCG_SHA256, .r = v};
    return true;
}

static void check_digest(cm_run *run, const cm_tpm_quote *q)
{
    bool found = false;

    for (size_t i = 0; i < run->p->tpm.n_digests; i++)
        found |= cm_view_eq(run->p->tpm.digests[i], q->digest);
    if (run->p->tpm.n_digests)
        cm_note(run, CM_CHECK_PCRS, found, "the policy does not name what the registers held");
}

static cm_err check_quote(cm_run *run, EVP_PKEY *key)
{
    cm_tpm_quote q;
    cm_tpm_signature s;
    bool good = cm_tpm_quote_read(&q, run->in->part[CM_PART_QUOTE]) &&
                read_signature(&s, run->in->part[CM_PART_SIGNATURE]);

    if (!cm_note(run, CM_CHECK_FORM, good, "the vTPM's quote is not of the documented form"))
        return CM_OKAY;
    CM_TRY(cm_tpm_claims(run, &q));
    CM_TRY(cm_tpm_check_quote(run, &q, &s, key));
    check_digest(run, &q);
    return CM_OKAY;
}

cm_err cm_attest_azure(cm_run *run)
{
    CM_AUTO(cm_attest_pkey_done) EVP_PKEY *key = NULL;
    cm_json *json = NULL;
    hcl_report h = {0};
    cm_err e;

    if (!cm_note(run, CM_CHECK_FORM, parse(&h, run->in->evidence), "it is no report of Azure's"))
        return CM_OKAY;
    CM_TRY(check_hardware(run, &h));
    e = cm_json_parse(&json, h.json, NULL, NULL);
    if (cm_is(e, CM_NO_MEMORY))
        return e;
    if (cm_ok(e))
        e = claims(run, cm_json_root(json));
    if (cm_ok(e))
        e = attestation_key(&key, run->c, cm_json_root(json));
    cm_json_free(json);
    if (cm_is(e, CM_NO_MEMORY) || cm_is(e, CM_TOO_BIG))
        return e;
    if (!cm_note(run, CM_CHECK_FORM, cm_ok(e) && key, "the report names no attestation key"))
        return CM_OKAY;
    return check_quote(run, key);
}
