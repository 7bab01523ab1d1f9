/* Attestation policies of a tenant, and challenges for evidence. */
#include "svc/page_int.h"

#include <stdio.h>

enum { KEYS = 16 };

static cm_err policy_path(cm_call *c, cm_view *out)
{
    cm_view name = cm_msg_view(c->request, M_AttestPolicyRequest_policy);

    CM_TRY(cm_svc_name_check(name));
    CM_TRY(CM_PATH(c, out, c->state->tenant, CM_LIT("attest-policy"), name));
    c->state->resource = *out;
    return CM_OKAY;
}

static cm_err version_path(cm_call *c, cm_view *out, uint64_t version)
{
    uint8_t number[8];

    cm_put_be64(number, version);
    return CM_PATH(c, out, c->state->tenant, CM_LIT("attest-policy-version"),
                   cm_msg_view(c->request, M_AttestPolicyRequest_policy), CM_VIEW(number));
}

static cm_err show(cm_call *c, cm_msg *out, cm_view name, const cm_msg *r)
{
    cm_set_view(out, M_AttestPolicy_tenant,
                c->state->tenant.n ? c->state->tenant : CM_LIT(CM_SYSTEM_TENANT));
    cm_set_view(out, M_AttestPolicy_policy, name);
    cm_set_same(out, M_AttestPolicy_version, r, M_AttestPolicyRecord_version);
    cm_set_same(out, M_AttestPolicy_sha256, r, M_AttestPolicyRecord_sha256);
    cm_set_same(out, M_AttestPolicy_created_ms, r, M_AttestPolicyRecord_created_ms);
    return CM_OKAY;
}

/* ---- a change ---- */

typedef struct {
    cm_pkey *v[KEYS];
    size_t n;
} keys;

static void keys_done(keys *k)
{
    for (size_t i = 0; i < k->n; i++)
        cm_pkey_free(k->v[i]);
}

static cm_err keys_of(cm_call *c, keys *out, const cm_msg_value *files)
{
    for (size_t i = 0; i < files->n && i < KEYS; i++) {
        if (cm_failed(cm_pkey_read(&out->v[i], c->svc->o.crypt, files->views[i], NULL)))
            return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "keys: not a public key's file");
        out->n++;
    }
    return CM_OKAY;
}

static cm_err read_file(cm_call *c, cm_policy **out, cm_view file)
{
    cm_policy_fault fault;
    cm_err e = cm_policy_read(out, file, &fault);

    if (cm_failed(e))
        (void)snprintf(c->detail, sizeof c->detail, "file: line %u: %s", fault.line, fault.what);
    return e;
}

/* V-85: two people whom the policy in force names. */
static cm_err agreed(cm_call *c, const cm_policy *p, const cm_svc_row *before)
{
    const cm_msg_value *s = &c->request->v[M_PutAttestPolicyRequest_signatures];
    cm_view file = cm_msg_view(c->request, M_PutAttestPolicyRequest_file);
    CM_AUTO(cm_policy_free_ptr) cm_policy *old = NULL;
    CM_AUTO(keys_done) keys k = {.n = 0};

    CM_TRY(keys_of(c, &k, &c->request->v[M_PutAttestPolicyRequest_keys]));
    if (before)
        CM_TRY(read_file(c, &old, cm_msg_view(before->msg, M_AttestPolicyRecord_file)));
    return cm_policy_agreed(c->svc->o.crypt, p, file, old, s->views, s->n, k.v, k.n);
}

static cm_err write_both(cm_call *c, cm_view path, uint64_t version, const cm_msg *r)
{
    cm_view old;

    CM_TRY(cm_svc_write(c, path, version, r));
    CM_TRY(version_path(c, &old, cm_msg_number(r, M_AttestPolicyRecord_version, 0)));
    CM_TRY(cm_svc_write(c, old, 1, r));
    return cm_svc_bump_generation(c, c->state->tenant);
}

cm_err cm_do_put_attest_policy(cm_call *c)
{
    cm_view file = cm_msg_view(c->request, M_PutAttestPolicyRequest_file), path, digest;
    CM_AUTO(cm_policy_free_ptr) cm_policy *p = NULL;
    const cm_svc_row *row = NULL;
    uint8_t hash[32];
    cm_msg *r;
    cm_err e;

    CM_TRY(policy_path(c, &path));
    CM_TRY(cm_hash_once(c->svc->o.crypt, CM_SHA256, hash, file));
    CM_TRY(cm_arena_copy(c->arena, &digest, CM_VIEW(hash)));
    c->state->request = digest;
    e = cm_svc_read(c, &row, path, &cm_message_AttestPolicyRecord);
    if (cm_failed(e) && !cm_is(e, CM_STORE_NO_ROW))
        return e;
    CM_TRY(read_file(c, &p, file));
    CM_TRY(agreed(c, p, cm_ok(e) ? row : NULL));
    CM_TRY(cm_svc_new_msg(c, &r, &cm_message_AttestPolicyRecord));
    cm_set_view(r, M_AttestPolicyRecord_file, file);
    cm_set_view(r, M_AttestPolicyRecord_sha256, digest);
    cm_set_number(r, M_AttestPolicyRecord_version, p->version);
    cm_set_number(r, M_AttestPolicyRecord_created_ms, c->state->now);
    cm_set_same(r, M_AttestPolicyRecord_signatures, c->request,
                M_PutAttestPolicyRequest_signatures);
    cm_set_number(r, M_AttestPolicyRecord_format, 1);
    CM_TRY(write_both(c, path, cm_ok(e) ? row->version + 1 : 1, r));
    return show(c, c->answer, cm_msg_view(c->request, M_PutAttestPolicyRequest_policy), r);
}

/* ---- looking ---- */

cm_err cm_do_get_attest_policy(cm_call *c)
{
    uint64_t version = cm_msg_number(c->request, M_AttestPolicyRequest_version, 0);
    const cm_svc_row *row;
    cm_view path;
    cm_err e;

    CM_TRY(policy_path(c, &path));
    if (version)
        CM_TRY(version_path(c, &path, version));
    e = cm_svc_read(c, &row, path, &cm_message_AttestPolicyRecord);
    if (cm_is(e, CM_STORE_NO_ROW))
        return CM_FAIL(SVC_NO_POLICY);
    CM_TRY(e);
    cm_set_same(c->answer, M_AttestPolicy_file, row->msg, M_AttestPolicyRecord_file);
    return show(c, c->answer, cm_msg_view(c->request, M_AttestPolicyRequest_policy), row->msg);
}

static cm_err show_row(cm_call *c, cm_msg *item, cm_view key, const cm_msg *record)
{
    cm_view name;

    CM_TRY(cm_svc_part(c, &name, key, 2));
    return show(c, item, name, record);
}

cm_err cm_do_list_attest_policies(cm_call *c)
{
    cm_svc_page page = {.record = &cm_message_AttestPolicyRecord,
                        .item = &cm_message_AttestPolicy,
                        .show = show_row};
    cm_path under;

    cm_path_init(&under);
    cm_path_add(&under, c->state->tenant);
    cm_path_add_str(&under, "attest-policy");
    return cm_svc_list(c, &under, &page);
}

/* ---- challenges ---- */

cm_err cm_do_attest_challenge(cm_call *c)
{
    cm_view ek = cm_msg_view(c->request, M_AttestChallengeRequest_ek_certificate), v;
    cm_view ak = cm_msg_view(c->request, M_AttestChallengeRequest_ak);
    CM_AUTO(cm_buf_free) cm_buf challenge = {.max = CM_CHALLENGE_MAX};
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = 1024};
    const cm_crypt *crypt = c->svc->o.crypt;
    uint8_t nonce[CM_CHALLENGE_NONCE];
    cm_tpm_activation whose;
    bool tpm = ek.n || ak.n;

    if (tpm && cm_failed(cm_tpm_credential_whose(&whose, crypt, ek, ak)))
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "ek_certificate, ak: not a TPM's");
    CM_TRY(cm_svc_challenge_make(c, c->state->tenant, nonce, &challenge, tpm ? &whose : NULL));
    if (tpm) {
        cm_err e = cm_tpm_credential_put(&blob, &whose, crypt, ek);

        cm_wipe(whose.secret, sizeof whose.secret);
        CM_TRY(e);
        CM_TRY(cm_arena_copy(c->arena, &v, cm_buf_view(&blob)));
        cm_set_view(c->answer, M_AttestChallengeAnswer_credential, v);
    }
    CM_TRY(cm_arena_copy(c->arena, &v, CM_VIEW(nonce)));
    cm_set_view(c->answer, M_AttestChallengeAnswer_nonce, v);
    CM_TRY(cm_arena_copy(c->arena, &v, cm_buf_view(&challenge)));
    cm_set_view(c->answer, M_AttestChallengeAnswer_challenge, v);
    cm_set_number(c->answer, M_AttestChallengeAnswer_expires_ms, c->state->now + CM_CHALLENGE_MS);
    return CM_OKAY;
}
