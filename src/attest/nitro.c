/* AWS Nitro attestation documents: COSE_Sign1 (RFC 9052) over a CBOR map, ES384. */
#include "attest/attest_int.h"
#include "codec/cbor.h"
#include "codec/cbor_lax.h"

enum {
    COSE_SIGN1 = 18,
    SIGNATURE = 96,
    PCRS = 32,
    PCR_SIZE = 48,
    PCRS_MEASURED = 3, /* image, kernel, application */
    CERT_MAX = 1024,
    CHAIN_MAX = 8,
    KEY_MAX = 1024,
    DATA_MAX = 512,
    MODULE_MAX = 256,
    SKEW = 300, /* seconds that clocks may differ */
};

typedef struct {
    cm_view protected_head, payload, signature;
    cm_view module, digest, leaf, bundle[CHAIN_MAX], pcr[PCRS];
    cm_view public_key, user_data, nonce;
    uint64_t time_ms;
    size_t n_bundle;
    bool has_key, has_data, has_nonce;
} nitro_doc;

/* AT-30 */
static bool parse_envelope(nitro_doc *d, cm_view evidence)
{
    static const uint8_t es384[] = {0xa1, 0x01, 0x38, 0x22};
    cm_lax c, in, empty;
    uint64_t tag = COSE_SIGN1;

    if (cm_failed(cm_lax_open(&c, evidence)))
        return false;
    (void)cm_lax_tag(&c, &tag);
    if (tag != COSE_SIGN1)
        return false;
    in = cm_lax_array(&c);
    d->protected_head = cm_lax_bytes(&in);
    empty = cm_lax_map(&in);
    d->payload = cm_lax_bytes(&in);
    d->signature = cm_lax_bytes(&in);
    return cm_lax_done(&in) && !empty.bad && !cm_lax_more(&empty) &&
           cm_view_eq(d->protected_head, CM_VIEW(es384)) && d->signature.n == SIGNATURE;
}

static bool parse_pcrs(nitro_doc *d, cm_lax value)
{
    cm_lax map = cm_lax_map(&value);

    while (cm_lax_more(&map)) {
        uint64_t i = cm_lax_uint(&map);
        cm_view v = cm_lax_bytes(&map);

        if (map.bad || i >= PCRS || d->pcr[i].n || v.n != PCR_SIZE)
            return false;
        d->pcr[i] = v;
    }
    for (size_t i = 0; i < PCRS_MEASURED; i++)
        if (d->pcr[i].n == 0)
            return false;
    return cm_lax_done(&map);
}

static bool parse_bundle(nitro_doc *d, cm_lax value)
{
    cm_lax list = cm_lax_array(&value);

    while (cm_lax_more(&list)) {
        cm_view v = cm_lax_bytes(&list);

        if (list.bad || d->n_bundle == CHAIN_MAX || v.n == 0 || v.n > CERT_MAX)
            return false;
        d->bundle[d->n_bundle++] = v;
    }
    return cm_lax_done(&list) && d->n_bundle;
}

/* Bytes up to max, or null. */
static bool parse_optional(cm_lax_field *f, cm_view *v, bool *has, size_t max)
{
    if (!f->present || cm_lax_null(&f->value))
        return true;
    *v = cm_lax_bytes(&f->value);
    *has = true;
    return !f->value.bad && v->n <= max;
}

enum { MODULE, DIGEST, TIME, PCR, CERT, BUNDLE, KEY, DATA, NONCE, FIELDS };

static bool parse_required(nitro_doc *d, cm_lax_field f[FIELDS])
{
    bool good = true;

    for (size_t i = 0; i < KEY; i++)
        good = good && f[i].present;
    d->module = cm_lax_text(&f[MODULE].value);
    d->digest = cm_lax_text(&f[DIGEST].value);
    d->time_ms = cm_lax_uint(&f[TIME].value);
    d->leaf = cm_lax_bytes(&f[CERT].value);
    for (size_t i = 0; i < KEY; i++)
        good = good && !f[i].value.bad;
    return good && d->module.n && d->module.n <= MODULE_MAX && d->leaf.n && d->leaf.n <= CERT_MAX &&
           d->time_ms && cm_view_eq(d->digest, CM_LIT("SHA384"));
}

/* AT-31 */
static bool parse_payload(nitro_doc *d)
{
    cm_lax_field f[FIELDS] = {
        [MODULE] = {.key = "module_id"}, [DIGEST] = {.key = "digest"},
        [TIME] = {.key = "timestamp"},   [PCR] = {.key = "pcrs"},
        [CERT] = {.key = "certificate"}, [BUNDLE] = {.key = "cabundle"},
        [KEY] = {.key = "public_key"},   [DATA] = {.key = "user_data"},
        [NONCE] = {.key = "nonce"},
    };
    cm_lax c;

    if (cm_failed(cm_lax_open(&c, d->payload)) || !cm_lax_fields(&c, f, FIELDS))
        return false;
    return parse_required(d, f) && parse_pcrs(d, f[PCR].value) &&
           parse_bundle(d, f[BUNDLE].value) &&
           parse_optional(&f[KEY], &d->public_key, &d->has_key, KEY_MAX) &&
           parse_optional(&f[DATA], &d->user_data, &d->has_data, DATA_MAX) &&
           parse_optional(&f[NONCE], &d->nonce, &d->has_nonce, DATA_MAX);
}

static cm_err claims(cm_run *run, const nitro_doc *d)
{
    CM_TRY(cm_claim_text(run, "module_id", d->module));
    CM_TRY(cm_claim_u64(run, "timestamp_ms", d->time_ms));
    for (uint32_t i = 0; i < PCRS; i++)
        if (d->pcr[i].n && (i < PCRS_MEASURED || !cm_all_zero(d->pcr[i])))
            CM_TRY(cm_claim_bytes(run, "pcr", i, d->pcr[i]));
    if (d->has_key)
        CM_TRY(cm_claim_bytes(run, "public_key", 0, d->public_key));
    if (d->has_data)
        CM_TRY(cm_claim_bytes(run, "user_data", 0, d->user_data));
    if (d->has_nonce)
        CM_TRY(cm_claim_bytes(run, "nonce", 0, d->nonce));
    return CM_OKAY;
}

/* AT-32: the Sig_structure is built around the payload's own bytes; nothing is encoded anew. */
static cm_err check_signature(cm_run *run, const nitro_doc *d, X509 *leaf)
{
    CM_AUTO(cm_buf_free) cm_buf signed_bytes = {.max = d->payload.n + 64};
    bool good = false;

    CM_TRY(cm_cbor_put_array(&signed_bytes, 4));
    CM_TRY(cm_cbor_put_text(&signed_bytes, CM_LIT("Signature1")));
    CM_TRY(cm_cbor_put_bytes(&signed_bytes, d->protected_head));
    CM_TRY(cm_cbor_put_bytes(&signed_bytes, CM_LIT("")));
    CM_TRY(cm_cbor_put_bytes(&signed_bytes, d->payload));
    CM_TRY(cm_ecdsa_raw(&good, run->c, X509_get0_pubkey(leaf), "secp384r1", CM_SHA384,
                        cm_view_sub(d->signature, 0, SIGNATURE / 2),
                        cm_view_sub(d->signature, SIGNATURE / 2, SIGNATURE / 2),
                        cm_buf_view(&signed_bytes)));
    cm_note(run, CM_CHECK_SIGNATURE, good, "the document's signature is wrong");
    return CM_OKAY;
}

static cm_err pool_of(cm_pool *pool, const cm_run *run, const nitro_doc *d)
{
    CM_TRY(cm_pool_add_der(pool, run->c, d->leaf));
    for (size_t i = 0; i < d->n_bundle; i++)
        CM_TRY(cm_pool_add_der(pool, run->c, d->bundle[i]));
    return CM_OKAY;
}

/* AT-33 */
static cm_err check_signer(cm_run *run, const nitro_doc *d)
{
    CM_AUTO(cm_path_done) cm_path path = {0};
    CM_AUTO(cm_pool_done) cm_pool pool = {0};
    cm_err e = pool_of(&pool, run, d);

    if (cm_is(e, CM_ATTEST_CERTIFICATE)) {
        cm_note_fail(run, CM_CHECK_CHAIN, "a certificate in the document can't be read");
        cm_note_skip(run, CM_CHECK_SIGNATURE, "there is no certificate to check it with");
        cm_note_skip(run, CM_CHECK_REVOCATION, "the certificates lead to no root");
        return CM_OKAY;
    }
    CM_TRY(e);
    CM_TRY(check_signature(run, d, pool.v[0]));
    CM_TRY(cm_path_find(&path, run, pool.v[0], &pool, CM_VENDOR_AWS, CM_CHECK_CHAIN));
    if (path.root)
        return cm_path_revocation(&path, run, 0);
    cm_note_skip(run, CM_CHECK_REVOCATION, "the certificates lead to no root");
    return CM_OKAY;
}

/* AT-34 */
static void check_debug(cm_run *run, const nitro_doc *d)
{
    bool zero = true;

    for (size_t i = 0; i < PCRS_MEASURED; i++)
        zero = zero && cm_all_zero(d->pcr[i]);
    cm_note(run, CM_CHECK_DEBUG, !zero || (run->p->flags & CM_ATTEST_ALLOW_DEBUG),
            "PCR 0 to 2 are zero: the enclave runs in debug mode");
}

/* AT-35 */
static void check_fresh(cm_run *run, const nitro_doc *d)
{
    uint64_t made = d->time_ms / 1000, now = run->p->now;

    if (run->p->fresh.n)
        cm_note(run, CM_CHECK_FRESH, d->has_nonce && cm_view_eq(d->nonce, run->p->fresh),
                "it is bound to something else: stale, replayed or relayed");
    else
        cm_note_skip(run, CM_CHECK_FRESH, "no nonce or binding was expected");
    if (run->p->max_age == 0)
        return;
    cm_note(run, CM_CHECK_FRESH, made <= now + SKEW && now <= made + run->p->max_age,
            "it is older than allowed, or from the future");
}

cm_err cm_attest_nitro(cm_run *run)
{
    nitro_doc d = {0};

    if (!cm_note(run, CM_CHECK_FORM, parse_envelope(&d, run->in->evidence) && parse_payload(&d),
                 "it is no document of the documented form"))
        return CM_OKAY;
    CM_TRY(claims(run, &d));
    CM_TRY(check_signer(run, &d));
    check_debug(run, &d);
    cm_check_measurement(run, d.pcr[0]);
    cm_check_config(run, d.user_data);
    check_fresh(run, &d);
    return CM_OKAY;
}
