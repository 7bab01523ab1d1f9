/*
 * Release of keys: to evidence that meets the policy which the key names, sealed to the key that
 * the evidence is bound to. Whoever carries the answer, nobody but the machine opens it (V-86).
 */
#include "svc/keyrec_int.h"

#include <stdio.h>

#include "keys/ring.h"

enum { CONTENT_KEY = 32 };

cm_err cm_svc_kem_of(cm_call *c, cm_view pk, cm_key_type *type, const char *field)
{
    static const cm_key_type may[] = {CM_KEY_ML_KEM_768, CM_KEY_ML_KEM_1024, CM_KEY_X_WING};
    char why[80];

    /* A recipient's key is known by its size: no two of the KEMs share one. */
    for (size_t i = 0; i < CM_COUNT(may); i++) {
        const cm_kem_info *info = cm_kem_info_of(cm_key_type_of(may[i])->algorithm);

        if (info && info->pk == pk.n) {
            *type = may[i];
            return CM_OKAY;
        }
    }
    (void)snprintf(why, sizeof why, "%s: ML-KEM-768, -1024 or X-Wing", field);
    return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), why);
}

/* V-86 */
cm_err cm_svc_release_policy(cm_call *c, cm_view name, const cm_key_type_info *t)
{
    const cm_svc_row *row;
    cm_view path;
    cm_err e;

    if (name.n == 0)
        return CM_OKAY;
    if (!(t->can & (CAN_ENCRYPT | CAN_KEM)))
        return CM_FAIL(SVC_KEY_KIND);
    CM_TRY(cm_svc_name_check(name));
    CM_TRY(CM_PATH(c, &path, c->state->tenant, CM_LIT("attest-policy"), name));
    e = cm_svc_read(c, &row, path, &cm_message_AttestPolicyRecord);
    return cm_is(e, CM_STORE_NO_ROW) ? CM_FAIL(SVC_NO_POLICY) : e;
}

static cm_err put_hash(cm_buf *b, const cm_crypt *crypt, cm_view v)
{
    uint8_t h[32];

    CM_TRY(cm_hash_once(crypt, CM_SHA256, h, v));
    return cm_buf_append(b, CM_VIEW(h));
}

/* V-87: what stands in the leaf. */
static cm_err request_hash(cm_call *c, const cm_msg *policy, cm_view key, cm_view wrapped)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 256};
    const cm_crypt *crypt = c->svc->o.crypt;
    uint8_t h[32];

    CM_TRY(cm_buf_append(&b, CM_LIT("casemate/release/v1")));
    CM_TRY(cm_buf_byte(&b, 0));
    CM_TRY(cm_buf_append(&b, cm_msg_view(policy, M_AttestPolicyRecord_sha256)));
    CM_TRY(put_hash(&b, crypt, key));
    CM_TRY(put_hash(&b, crypt, wrapped));
    CM_TRY(cm_hash_once(crypt, CM_SHA256, h, cm_buf_view(&b)));
    return cm_arena_copy(c->arena, &c->state->request, CM_VIEW(h));
}

cm_err cm_svc_release_decided(cm_call *c, cm_appraisal *a, const cm_msg **policy, cm_view key,
                              cm_view wrapped)
{
    cm_view name;

    if (!c->state->key_record)
        return CM_FAIL(SVC_NO_KEY);
    name = cm_msg_view(c->state->key_record, M_KeyRecord_release_policy);
    if (name.n == 0) /* V-86 */
        return CM_FAIL(SVC_NOT_RELEASABLE);
    CM_TRY(cm_svc_shows(c, a, name, policy));
    if (*policy)
        CM_TRY(request_hash(c, *policy, key, wrapped));
    if (!a->accepted) {
        (void)snprintf(c->detail, sizeof c->detail, "%s", a->sentence);
        return CM_FAIL(SVC_RELEASE_REFUSED);
    }
    return CM_OKAY;
}

static cm_err decided(cm_call *c, cm_view key, cm_view wrapped)
{
    cm_appraisal a = {.accepted = false};
    const cm_msg *policy = NULL;
    cm_view text;

    CM_TRY(cm_svc_release_decided(c, &a, &policy, key, wrapped));
    CM_TRY(cm_arena_copy(c->arena, &text, cm_view_str(a.sentence)));
    cm_set_same(c->answer, M_ReleaseKeyAnswer_policy, c->state->key_record,
                M_KeyRecord_release_policy);
    cm_set_same(c->answer, M_ReleaseKeyAnswer_policy_version, policy, M_AttestPolicyRecord_version);
    cm_set_number(c->answer, M_ReleaseKeyAnswer_tier, a.tier);
    cm_set_view(c->answer, M_ReleaseKeyAnswer_sentence, text);
    return CM_OKAY;
}

static bool of_model(const cm_call *c)
{
    return cm_msg_number(c->state->key_record, M_KeyRecord_model, 0) != 0;
}

/* V-124: what a model's key wrapped is bound as EncryptModelWeights bound it. */
static cm_err bound(cm_call *c)
{
    cm_view aad = cm_msg_view(c->request, M_ReleaseKeyRequest_aad);
    cm_view digest = cm_msg_view(c->request, M_ReleaseKeyRequest_digest);

    if (of_model(c)) {
        if (aad.n)
            return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "aad: a model's digest instead");
        return cm_svc_model_context(c, &c->state->op.context, digest);
    }
    if (digest.n)
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "digest: the key is none of a model's");
    c->state->op.context = aad;
    return CM_OKAY;
}

static cm_err unwrapped(cm_call *c, cm_view wrapped)
{
    uint64_t version;

    if (cm_failed(cm_keyop_version_of(&version, wrapped)) || version == 0)
        return CM_FAIL(SVC_CIPHERTEXT);
    CM_TRY(cm_keyrec_use(c, CM_KEYOP_UNWRAP, CAN_ENCRYPT | CAN_KEM, CM_USE_PROCESS, version,
                         of_model(c)));
    c->state->op.data = wrapped;
    return bound(c);
}

static cm_err itself(cm_call *c, cm_view key)
{
    if (of_model(c)) /* V-124 */
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "wrapped: of a model, content keys alone");
    CM_TRY(cm_keyrec_use(c, CM_KEYOP_EXPORT, 0, CM_USE_PROCESS,
                         cm_msg_number(c->request, M_ReleaseKeyRequest_version, 0), false));
    c->state->op.more = key;
    return CM_OKAY;
}

cm_err cm_do_release_key(cm_call *c)
{
    cm_view wrapped = cm_msg_view(c->request, M_ReleaseKeyRequest_wrapped);
    cm_view key = cm_msg_view(c->request, M_ReleaseKeyRequest_attested_key);
    cm_key_type to;

    if (!c->state->key_record)
        return CM_FAIL(SVC_NO_KEY);
    CM_TRY(cm_svc_kem_of(c, key, &to, "attested_key"));
    CM_TRY(decided(c, key, wrapped));
    if (wrapped.n)
        CM_TRY(unwrapped(c, wrapped));
    else
        CM_TRY(itself(c, key));
    c->state->op.type2 = to;
    return cm_keyrec_budget(c, c->state->key_record);
}

/* A wrapped key was opened: it leaves only sealed. */
static cm_err seal(cm_call *c, cm_buf *out)
{
    cm_view key = cm_msg_view(c->request, M_ReleaseKeyRequest_attested_key);
    const cm_keyop *op = &c->state->op;
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *to = NULL;

    if (op->out.n != CONTENT_KEY)
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "wrapped: not a key of 32 bytes");
    CM_TRY(cm_kem_from_public(&to, c->svc->o.crypt, cm_key_type_of(op->type2)->algorithm, key));
    return cm_export_seal(out, to, CM_KEY_AES_256, cm_buf_view(&op->out));
}

cm_err cm_do_release_key_made(cm_call *c)
{
    struct cm_call_state *st = c->state;
    bool inner = st->op.code == CM_KEYOP_UNWRAP;
    CM_AUTO(cm_buf_free) cm_buf sealed = {.max = 8192};
    cm_view v = cm_buf_view(&st->op.out);
    const cm_key_type_info *type = cm_key_type_of(st->op.bind.type);

    if (inner && cm_failed(st->op.result) && cm_err_class(st->op.result) == CM_CLASS_UNAUTHENTIC)
        return CM_FAIL(SVC_CIPHERTEXT);
    CM_TRY(st->op.result);
    if (inner) {
        CM_TRY(seal(c, &sealed));
        v = cm_buf_view(&sealed);
    }
    if (v.n == 0 || !type) /* V-33 */
        return CM_FAIL(CRYPT_PROVIDER);
    CM_TRY(cm_svc_keep(c, &v));
    cm_set_view(c->answer, M_ReleaseKeyAnswer_sealed, v);
    cm_set_view(c->answer, M_ReleaseKeyAnswer_type,
                cm_view_str(inner ? cm_key_type_of(CM_KEY_AES_256)->name : type->name));
    cm_set_number(c->answer, M_ReleaseKeyAnswer_version, st->key_version);
    return CM_OKAY;
}
