/* Operations that use a key. */
#include "svc/keyrec_int.h"

#include "keys/ring.h"

enum { WRAPS = CAN_ENCRYPT | CAN_KEM };

static cm_keyop *op_of(cm_call *c)
{
    return &c->state->op;
}

/* The result of the key operation, moved where it lives as long as the answer. May be empty: what
 * was encrypted, nothing else. */
static cm_err plaintext(cm_call *c, size_t field, const cm_buf *b)
{
    cm_view v = cm_buf_view(b);

    CM_TRY(cm_svc_keep(c, &v));
    c->answer->v[field].set = true;
    c->answer->v[field].view = v;
    return CM_OKAY;
}

static cm_err result(cm_call *c, size_t field, const cm_buf *b)
{
    return b->n ? plaintext(c, field, b) : CM_FAIL(CRYPT_PROVIDER); /* V-33 */
}

static cm_err version_into(cm_call *c, size_t field)
{
    cm_set_number(c->answer, field, c->state->key_version);
    return CM_OKAY;
}

/* Whoever sent a ciphertext that does not open learns that and no more. */
static cm_err opened(cm_call *c)
{
    cm_err e = op_of(c)->result;

    return cm_failed(e) && cm_err_class(e) == CM_CLASS_UNAUTHENTIC ? CM_FAIL(SVC_CIPHERTEXT) : e;
}

/* ---- signatures ---- */

static cm_err sign_fields(cm_call *c)
{
    cm_keyop *op = op_of(c);

    op->data = cm_msg_view(c->request, M_SignRequest_data);
    op->form = (cm_keyop_form)cm_msg_number(c->request, M_SignRequest_form, 0);
    op->context = cm_msg_view(c->request, M_SignRequest_context);
    return CM_OKAY;
}

cm_err cm_do_sign(cm_call *c)
{
    CM_TRY(cm_keyrec_use(c, CM_KEYOP_SIGN, CAN_SIGN, CM_USE_PROTECT,
                         cm_msg_number(c->request, M_SignRequest_version, 0), false));
    return sign_fields(c);
}

cm_err cm_do_sign_made(cm_call *c)
{
    uint8_t hash[32];

    CM_TRY(op_of(c)->result);
    CM_TRY(result(c, M_SignAnswer_signature, &op_of(c)->out));
    /* The leaf commits to the signature, not to the message: that may be guessable. */
    CM_TRY(cm_hash_once(c->svc->o.crypt, CM_SHA256, hash, cm_buf_view(&op_of(c)->out)));
    CM_TRY(cm_arena_copy(c->arena, &c->state->request, CM_VIEW(hash)));
    return version_into(c, M_SignAnswer_version);
}

cm_err cm_do_verify(cm_call *c)
{
    CM_TRY(cm_keyrec_use(c, CM_KEYOP_VERIFY, CAN_SIGN | CAN_THRESHOLD, CM_USE_PROCESS,
                         cm_msg_number(c->request, M_VerifyRequest_version, 0), false));
    CM_TRY(sign_fields(c));
    op_of(c)->more = cm_msg_view(c->request, M_VerifyRequest_signature);
    return CM_OKAY;
}

cm_err cm_do_verify_made(cm_call *c)
{
    cm_err e = op_of(c)->result;

    if (cm_failed(e) && cm_err_class(e) != CM_CLASS_UNAUTHENTIC)
        return e;
    cm_set_number(c->answer, M_VerifyAnswer_valid, cm_ok(e));
    return version_into(c, M_VerifyAnswer_version);
}

/* ---- encryption ---- */

cm_err cm_do_encrypt(cm_call *c)
{
    CM_TRY(cm_keyrec_use(c, CM_KEYOP_ENCRYPT, CAN_ENCRYPT, CM_USE_PROTECT, 0, false));
    op_of(c)->data = cm_msg_view(c->request, M_EncryptRequest_plaintext);
    op_of(c)->context = cm_msg_view(c->request, M_EncryptRequest_aad);
    return CM_OKAY;
}

static cm_err sealed(cm_call *c, size_t field)
{
    CM_TRY(op_of(c)->result);
    return result(c, field, &op_of(c)->out);
}

cm_err cm_do_encrypt_made(cm_call *c)
{
    CM_TRY(sealed(c, M_EncryptAnswer_ciphertext));
    return version_into(c, M_EncryptAnswer_version);
}

/* Opening a ciphertext: it names the version. */
static cm_err open_sealed(cm_call *c, cm_keyop_code code, unsigned can, cm_view ciphertext,
                          cm_view aad)
{
    uint64_t version;

    if (!c->state->key_record)
        return CM_FAIL(SVC_NO_KEY);
    if (cm_failed(cm_keyop_version_of(&version, ciphertext)) || version == 0)
        return CM_FAIL(SVC_CIPHERTEXT);
    CM_TRY(cm_keyrec_use(c, code, can, CM_USE_PROCESS, version, false));
    op_of(c)->data = ciphertext;
    op_of(c)->context = aad;
    return cm_keyrec_budget(c, c->state->key_record);
}

cm_err cm_do_decrypt(cm_call *c)
{
    return open_sealed(c, CM_KEYOP_DECRYPT, CAN_ENCRYPT,
                       cm_msg_view(c->request, M_DecryptRequest_ciphertext),
                       cm_msg_view(c->request, M_DecryptRequest_aad));
}

cm_err cm_do_decrypt_made(cm_call *c)
{
    CM_TRY(opened(c));
    CM_TRY(plaintext(c, M_DecryptAnswer_plaintext, &op_of(c)->out));
    return version_into(c, M_DecryptAnswer_version);
}

/* ---- KEM ---- */

cm_err cm_do_encapsulate(cm_call *c)
{
    return cm_keyrec_use(c, CM_KEYOP_ENCAPSULATE, CAN_KEM, CM_USE_PROTECT,
                         cm_msg_number(c->request, M_KeyVersionRequest_version, 0), false);
}

cm_err cm_do_encapsulate_made(cm_call *c)
{
    CM_TRY(op_of(c)->result);
    CM_TRY(result(c, M_EncapsulateAnswer_ciphertext, &op_of(c)->out));
    CM_TRY(result(c, M_EncapsulateAnswer_shared_secret, &op_of(c)->out2));
    return version_into(c, M_EncapsulateAnswer_version);
}

cm_err cm_do_decapsulate(cm_call *c)
{
    CM_TRY(cm_keyrec_use(c, CM_KEYOP_DECAPSULATE, CAN_KEM, CM_USE_PROCESS,
                         cm_msg_number(c->request, M_DecapsulateRequest_version, 0), false));
    op_of(c)->data = cm_msg_view(c->request, M_DecapsulateRequest_ciphertext);
    return cm_keyrec_budget(c, c->state->key_record);
}

cm_err cm_do_decapsulate_made(cm_call *c)
{
    CM_TRY(opened(c));
    CM_TRY(result(c, M_DecapsulateAnswer_shared_secret, &op_of(c)->out));
    return version_into(c, M_DecapsulateAnswer_version);
}

/* ---- keys for others ---- */

cm_err cm_do_data_key(cm_call *c)
{
    uint64_t n = cm_msg_number(c->request, M_GenerateDataKeyRequest_bytes, 32);

    if (n < 16)
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "bytes: 16 to 64");
    CM_TRY(cm_keyrec_use(c, CM_KEYOP_DATA_KEY, WRAPS, CM_USE_PROTECT, 0, false));
    op_of(c)->n = n;
    op_of(c)->context = cm_msg_view(c->request, M_GenerateDataKeyRequest_aad);
    if (cm_msg_number(c->request, M_GenerateDataKeyRequest_sealed_only, 0))
        op_of(c)->form = CM_FORM_SEALED_ONLY;
    return CM_OKAY;
}

cm_err cm_do_data_key_made(cm_call *c)
{
    CM_TRY(sealed(c, M_GenerateDataKeyAnswer_wrapped));
    if (op_of(c)->form != CM_FORM_SEALED_ONLY)
        CM_TRY(result(c, M_GenerateDataKeyAnswer_plain, &op_of(c)->out2));
    return version_into(c, M_GenerateDataKeyAnswer_version);
}

cm_err cm_do_wrap(cm_call *c)
{
    CM_TRY(cm_keyrec_use(c, CM_KEYOP_WRAP, WRAPS, CM_USE_PROTECT, 0, false));
    op_of(c)->data = cm_msg_view(c->request, M_WrapRequest_plain);
    op_of(c)->context = cm_msg_view(c->request, M_WrapRequest_aad);
    return CM_OKAY;
}

cm_err cm_do_wrap_made(cm_call *c)
{
    CM_TRY(opened(c));
    CM_TRY(sealed(c, M_WrapAnswer_wrapped));
    return version_into(c, M_WrapAnswer_version);
}

cm_err cm_do_unwrap(cm_call *c)
{
    return open_sealed(c, CM_KEYOP_UNWRAP, WRAPS, cm_msg_view(c->request, M_UnwrapRequest_wrapped),
                       cm_msg_view(c->request, M_UnwrapRequest_aad));
}

cm_err cm_do_unwrap_made(cm_call *c)
{
    CM_TRY(opened(c));
    CM_TRY(result(c, M_UnwrapAnswer_plain, &op_of(c)->out));
    return version_into(c, M_UnwrapAnswer_version);
}

cm_err cm_do_rewrap(cm_call *c)
{
    struct cm_call_state *st = c->state;
    const cm_msg *newest;

    CM_TRY(open_sealed(c, CM_KEYOP_REWRAP, WRAPS, cm_msg_view(c->request, M_UnwrapRequest_wrapped),
                       cm_msg_view(c->request, M_UnwrapRequest_aad)));
    newest = cm_keyrec_version(st->key_record, 0, st->now);
    if (!newest)
        return CM_FAIL(SVC_NO_VERSION);
    CM_TRY(cm_key_state_allows(cm_keyrec_state(st->key_record, newest, st->now), CM_USE_PROTECT));
    st->op.more = cm_msg_view(newest, M_SealedVersion_sealed);
    st->op.n = cm_msg_number(newest, M_SealedVersion_version, 0);
    st->key_version = st->op.n;
    return CM_OKAY;
}

/* ---- MACs, random bytes ---- */

cm_err cm_do_mac(cm_call *c)
{
    CM_TRY(cm_keyrec_use(c, CM_KEYOP_MAC, CAN_MAC, CM_USE_PROTECT,
                         cm_msg_number(c->request, M_MacRequest_version, 0), false));
    op_of(c)->data = cm_msg_view(c->request, M_MacRequest_data);
    return CM_OKAY;
}

cm_err cm_do_mac_made(cm_call *c)
{
    CM_TRY(op_of(c)->result);
    CM_TRY(result(c, M_MacAnswer_mac, &op_of(c)->out));
    return version_into(c, M_MacAnswer_version);
}

cm_err cm_do_verify_mac(cm_call *c)
{
    CM_TRY(cm_keyrec_use(c, CM_KEYOP_VERIFY_MAC, CAN_MAC, CM_USE_PROCESS,
                         cm_msg_number(c->request, M_VerifyMacRequest_version, 0), false));
    op_of(c)->data = cm_msg_view(c->request, M_VerifyMacRequest_data);
    op_of(c)->more = cm_msg_view(c->request, M_VerifyMacRequest_mac);
    return CM_OKAY;
}

cm_err cm_do_random(cm_call *c)
{
    uint64_t n = cm_msg_number(c->request, M_RandomRequest_bytes, 32);

    if (n == 0)
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "bytes: 1 to 4096");
    cm_svc_want(c, CM_KEYOP_RANDOM);
    op_of(c)->n = n;
    return CM_OKAY;
}

cm_err cm_do_random_made(cm_call *c)
{
    CM_TRY(op_of(c)->result);
    return result(c, M_RandomAnswer_data, &op_of(c)->out);
}

/* ---- export ---- */

cm_err cm_do_export(cm_call *c)
{
    const cm_key_type_info *info;
    const cm_msg *record;

    CM_TRY(cm_keyrec_of(c, &record, &info, 0, false));
    if (!cm_msg_number(record, M_KeyRecord_exportable, 0)) /* V-34 */
        return CM_FAIL(SVC_NOT_EXPORTABLE);
    CM_TRY(cm_keyrec_use(c, CM_KEYOP_EXPORT, 0, CM_USE_PROCESS,
                         cm_msg_number(c->request, M_ExportWrappedRequest_version, 0), false));
    op_of(c)->more = cm_msg_view(c->request, M_ExportWrappedRequest_recipient);
    return cm_svc_kem_of(c, op_of(c)->more, &op_of(c)->type2, "recipient");
}

cm_err cm_do_export_made(cm_call *c)
{
    CM_TRY(op_of(c)->result);
    CM_TRY(result(c, M_ExportWrappedAnswer_wrapped, &op_of(c)->out));
    return version_into(c, M_ExportWrappedAnswer_version);
}
