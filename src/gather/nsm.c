/* Documents of AWS's Nitro security module: its requests and answers, in CBOR. */
#include "codec/cbor.h"
#include "gather/gather.h"

enum { NONCE_MAX = 512, DATA_MAX = 512, KEY_MAX = 1024 };

static cm_err put_field(cm_buf *b, cm_view name, cm_view v)
{
    CM_TRY(cm_cbor_put_text(b, name));
    return v.n ? cm_cbor_put_bytes(b, v) : cm_cbor_put_null(b);
}

/* AT-112: {"Attestation": {"nonce": ..., "user_data": ..., "public_key": ...}} */
static cm_err put_request(cm_buf *b, cm_view nonce, cm_view user_data, cm_view public_key)
{
    CM_TRY(cm_cbor_put_map(b, 1));
    CM_TRY(cm_cbor_put_text(b, CM_LIT("Attestation")));
    CM_TRY(cm_cbor_put_map(b, 3));
    CM_TRY(put_field(b, CM_LIT("nonce"), nonce));
    CM_TRY(put_field(b, CM_LIT("user_data"), user_data));
    return put_field(b, CM_LIT("public_key"), public_key);
}

static cm_err take_document(cm_view *out, cm_cbor *c)
{
    uint64_t n;
    cm_view name;

    CM_TRY(cm_cbor_map(c, &n));
    if (n != 1)
        return CM_FAIL(GATHER_NSM_ANSWER);
    CM_TRY(cm_cbor_text(c, &name));
    if (!cm_view_eq(name, CM_LIT("document")))
        return CM_FAIL(GATHER_NSM_ANSWER);
    return cm_cbor_bytes(c, out);
}

/* {"Attestation": {"document": ...}} or {"Error": "InvalidArgument"} */
static cm_err read_answer(cm_view *out, cm_view answer)
{
    cm_cbor c;
    uint64_t n;
    cm_view name;

    CM_TRY(cm_cbor_open(&c, answer, NULL));
    CM_TRY(cm_cbor_map(&c, &n));
    if (n != 1)
        return CM_FAIL(GATHER_NSM_ANSWER);
    CM_TRY(cm_cbor_text(&c, &name));
    if (cm_view_eq(name, CM_LIT("Error")))
        return CM_FAIL(GATHER_NSM);
    if (!cm_view_eq(name, CM_LIT("Attestation")))
        return CM_FAIL(GATHER_NSM_ANSWER);
    return take_document(out, &c);
}

cm_err cm_gather_nsm(cm_gathered *out, const cm_nsm *nsm, cm_view nonce, cm_view user_data,
                     cm_view public_key)
{
    CM_AUTO(cm_gathered_done)
    cm_gathered g = {.kind = CM_ATTEST_NITRO, .evidence = {.max = CM_GATHER_BLOB_MAX}};
    CM_AUTO(cm_buf_free) cm_buf request = {.max = CM_NSM_REQUEST_MAX};
    CM_AUTO(cm_buf_free) cm_buf answer = {.max = CM_NSM_ANSWER_MAX};
    cm_view document;
    cm_err e;

    if (nonce.n > NONCE_MAX || user_data.n > DATA_MAX || public_key.n > KEY_MAX)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(put_request(&request, nonce, user_data, public_key));
    if (nsm->ask(nsm->arg, cm_buf_view(&request), &answer) != 0)
        return CM_FAIL(GATHER_NSM);
    e = read_answer(&document, cm_buf_view(&answer));
    if (cm_failed(e) || document.n == 0)
        return cm_is(e, CM_GATHER_NSM) ? e : CM_FAIL(GATHER_NSM_ANSWER);
    CM_TRY(cm_buf_append(&g.evidence, document));
    cm_gathered_done(out);
    *out = g;
    g = (cm_gathered){.n_certs = 0};
    return CM_OKAY;
}
