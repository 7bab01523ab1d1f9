#include "enclave/answer.h"

#include "codec/cbor.h"
#include "enclave/enclave.h"

#define KIND "casemate-enclave-answer/1"

static const char context[] = "casemate-enclave-answer-v1";

enum { FINGERPRINT = 32 };

enum {
    F_KIND,
    F_MANIFEST,
    F_REQUEST,
    F_SIMULATED,
    F_FAILED,
    F_BODY,
    F_SIGNER,
    F_SIGNATURE,
    FIELDS
};

/* EN-50 */
static const cm_cbor_field fields[FIELDS] = {
    {F_KIND, CM_CBOR_TEXT, true, sizeof KIND - 1, sizeof KIND - 1},
    {F_MANIFEST, CM_CBOR_BYTES, true, 32, 32},
    {F_REQUEST, CM_CBOR_BYTES, true, 32, 32},
    {F_SIMULATED, CM_CBOR_BOOL, true, 0, 1},
    {F_FAILED, CM_CBOR_UINT, true, 0, UINT32_MAX},
    {F_BODY, CM_CBOR_BYTES, true, 0, CM_ENCLAVE_CALL_MAX},
    {F_SIGNER, CM_CBOR_BYTES, false, FINGERPRINT, FINGERPRINT},
    {F_SIGNATURE, CM_CBOR_BYTES, false, 1, CM_SIG_MAX},
};

/* What is signed: the same record with the answer's hash in its place, and no signature (EN-51). */
static cm_err statement(cm_buf *out, const cm_crypt *c, const cm_answer *a, cm_view signer)
{
    uint8_t hash[32];
    cm_cbor_value v[FIELDS] = {
        [F_KIND] = {true, 0, CM_LIT(KIND)},
        [F_MANIFEST] = {true, 0, CM_VIEW(a->manifest)},
        [F_REQUEST] = {true, 0, CM_VIEW(a->request)},
        [F_SIMULATED] = {true, a->simulated, {0}},
        [F_FAILED] = {true, a->failed, {0}},
        [F_SIGNER] = {true, 0, signer},
    };

    CM_TRY(cm_hash_once(c, CM_SHA256, hash, a->body));
    v[F_BODY] = (cm_cbor_value){true, 0, CM_VIEW(hash)};
    return cm_cbor_put_record(out, fields, v, FIELDS);
}

static bool signs(const cm_pkey *key)
{
    const cm_sig_key *k = cm_pkey_sig(key);

    return k && cm_sig_key_info(k)->post_quantum;
}

static cm_err sign(cm_buf *out, uint8_t fp[FINGERPRINT], const cm_crypt *c, const cm_answer *a,
                   const cm_pkey *key)
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = 1024};

    if (!signs(key) || !cm_pkey_has_private(key))
        return CM_FAIL(ENCLAVE_SIGNER);
    CM_TRY(cm_pkey_fingerprint(fp, c, key));
    CM_TRY(statement(&text, c, a, cm_view_of(fp, FINGERPRINT)));
    CM_TRY(cm_buf_reserve(out, cm_sig_key_info(cm_pkey_sig(key))->sig));
    CM_TRY(cm_sign(cm_pkey_sig(key), out->p, cm_view_str(context), cm_buf_view(&text)));
    out->n = cm_sig_key_info(cm_pkey_sig(key))->sig;
    return CM_OKAY;
}

cm_err cm_answer_write(cm_buf *out, const cm_crypt *c, const cm_answer *a, const cm_pkey *key)
{
    CM_AUTO(cm_buf_free) cm_buf sig = {.max = CM_SIG_MAX};
    uint8_t fp[FINGERPRINT];
    cm_cbor_value v[FIELDS] = {
        [F_KIND] = {true, 0, CM_LIT(KIND)},
        [F_MANIFEST] = {true, 0, CM_VIEW(a->manifest)},
        [F_REQUEST] = {true, 0, CM_VIEW(a->request)},
        [F_SIMULATED] = {true, a->simulated, {0}},
        [F_FAILED] = {true, a->failed, {0}},
        [F_BODY] = {true, 0, a->body},
    };

    if (key) {
        CM_TRY(sign(&sig, fp, c, a, key));
        v[F_SIGNER] = (cm_cbor_value){true, 0, CM_VIEW(fp)};
        v[F_SIGNATURE] = (cm_cbor_value){true, 0, cm_buf_view(&sig)};
    }
    return cm_cbor_put_record(out, fields, v, FIELDS);
}

cm_err cm_answer_read(cm_answer *out, cm_view record)
{
    cm_cbor_value v[FIELDS];

    CM_TRY(cm_cbor_whole(record, fields, v, FIELDS));
    if (!cm_view_eq(v[F_KIND].v, CM_LIT(KIND)) || v[F_SIGNER].present != v[F_SIGNATURE].present ||
        (v[F_FAILED].u && v[F_BODY].v.n))
        return CM_FAIL(ENCLAVE_PROTOCOL);
    memcpy(out->manifest, v[F_MANIFEST].v.p, sizeof out->manifest);
    memcpy(out->request, v[F_REQUEST].v.p, sizeof out->request);
    out->simulated = v[F_SIMULATED].u;
    out->failed = (uint32_t)v[F_FAILED].u;
    out->body = v[F_BODY].v;
    out->signer = v[F_SIGNER].present ? v[F_SIGNER].v : (cm_view){0};
    out->signature = v[F_SIGNATURE].present ? v[F_SIGNATURE].v : (cm_view){0};
    return CM_OKAY;
}

static cm_err check_signature(const cm_crypt *c, const cm_answer *a, const cm_pkey *key)
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = 1024};
    uint8_t fp[FINGERPRINT];

    CM_TRY(cm_pkey_fingerprint(fp, c, key));
    if (!signs(key) || !cm_view_eq(CM_VIEW(fp), a->signer))
        return CM_FAIL(ENCLAVE_RESULT);
    CM_TRY(statement(&text, c, a, a->signer));
    return cm_ok(
               cm_verify(cm_pkey_sig(key), cm_view_str(context), cm_buf_view(&text), a->signature))
               ? CM_OKAY
               : CM_FAIL(ENCLAVE_RESULT);
}

cm_err cm_answer_check(const cm_crypt *c, const cm_answer *a, const uint8_t *manifest,
                       cm_view request, const cm_pkey *key)
{
    uint8_t hash[32];

    CM_TRY(cm_hash_once(c, CM_SHA256, hash, request));
    if (!cm_view_eq(CM_VIEW(hash), CM_VIEW(a->request)) || /* EN-52 */
        (manifest && !cm_view_eq(cm_view_of(manifest, 32), CM_VIEW(a->manifest))))
        return CM_FAIL(ENCLAVE_RESULT);
    if (key)
        CM_TRY(check_signature(c, a, key));
    return a->failed ? (cm_err){a->failed} : CM_OKAY;
}
