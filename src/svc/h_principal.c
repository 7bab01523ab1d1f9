/* Principals and how they prove who they are. */
#include "svc/page_int.h"

#include "audit/blind.h"
#include "wire/apikey.h"
#include "wire/jwt.h"

enum { CREDENTIALS = 16 };

static cm_err principal_path(cm_call *c, cm_view *out, cm_view name)
{
    return CM_PATH(c, out, c->state->tenant, CM_LIT("principal"), name);
}

/* ---- credentials ---- */

/* id and row of a credential as it is given. */
static cm_err credential(cm_call *c, const cm_msg *q, cm_view name, cm_view *id, cm_msg **row)
{
    unsigned kind = (unsigned)cm_msg_number(q, M_Credential_kind, 0);
    cm_view pk = cm_msg_view(q, M_Credential_public_key);
    cm_view spki = cm_msg_view(q, M_Credential_spki_sha256);
    cm_view issuer = cm_msg_view(q, M_Credential_issuer);
    cm_view subject = cm_msg_view(q, M_Credential_subject);
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *key = NULL;
    uint8_t hash[32];

    CM_TRY(cm_svc_new_msg(c, row, &cm_message_CredentialRecord));
    cm_set_view(*row, M_CredentialRecord_principal, name);
    cm_set_number(*row, M_CredentialRecord_format, 1);
    if (kind == CM_CREDENTIAL_MLDSA) {
        if (cm_failed(cm_svc_mldsa_key(&key, c->svc->o.crypt, pk)))
            return cm_svc_wrong(c, CM_FAIL(SVC_CREDENTIAL), "public_key: not one of ML-DSA");
        CM_TRY(cm_hash_once(c->svc->o.crypt, CM_SHA256, hash, pk));
        cm_set_view(*row, M_CredentialRecord_public_key, pk);
    } else if (kind == CM_CREDENTIAL_CERT) {
        if (spki.n != sizeof hash)
            return cm_svc_wrong(c, CM_FAIL(SVC_CREDENTIAL), "spki_sha256: not 32 bytes");
        memcpy(hash, spki.p, sizeof hash);
    } else if (kind == CM_CREDENTIAL_OIDC) {
        if (issuer.n == 0 || subject.n == 0)
            return cm_svc_wrong(c, CM_FAIL(SVC_CREDENTIAL), "issuer, subject");
        CM_TRY(cm_svc_oidc_id(c, hash, issuer, subject));
    } else {
        return cm_svc_wrong(c, CM_FAIL(SVC_CREDENTIAL), "kind: see CreateApiKey for API keys");
    }
    return cm_arena_copy(c->arena, id, CM_VIEW(hash));
}

/* A credential leads to one principal of a tenant (V-6): the row must be absent. */
static cm_err claim(cm_call *c, unsigned kind, cm_view id, const cm_msg *row)
{
    const cm_svc_row *taken;
    cm_view path;
    cm_err e;

    CM_TRY(cm_svc_credential_path(c, &path, c->state->tenant, kind, id));
    e = cm_svc_read(c, &taken, path, &cm_message_CredentialRecord);
    if (!cm_is(e, CM_STORE_NO_ROW))
        return cm_ok(e) ? cm_svc_wrong(c, CM_FAIL(SVC_EXISTS), "credential") : e;
    return cm_svc_write(c, path, 1, row);
}

static cm_err shown(cm_call *c, cm_msg **out, const cm_msg *q, cm_view id)
{
    CM_TRY(cm_svc_new_msg(c, out, &cm_message_Credential));
    for (size_t i = 0; i < M_Credential_n; i++)
        (*out)->v[i] = q->v[i];
    cm_set_view(*out, M_Credential_id, id);
    cm_set_number(*out, M_Credential_created_ms, c->state->now);
    return CM_OKAY;
}

static cm_err add_credential(cm_call *c, const cm_msg *q, cm_view name, cm_msg **kept)
{
    cm_msg *row;
    cm_view id;

    CM_TRY(credential(c, q, name, &id, &row));
    CM_TRY(claim(c, (unsigned)cm_msg_number(q, M_Credential_kind, 0), id, row));
    return shown(c, kept, q, id);
}

/* ---- records ---- */

/* V-15: entries say whom they are about as they say who asked: by a hash that can be cut loose. */
static cm_err blinded(cm_call *c, cm_view blind)
{
    return CM_PATH(c, &c->state->resource, c->state->tenant, CM_LIT("principal"), blind);
}

static cm_err show(cm_call *c, cm_msg *out, cm_view name, const cm_msg *r)
{
    cm_set_view(out, M_Principal_tenant,
                c->state->tenant.n ? c->state->tenant : CM_LIT(CM_SYSTEM_TENANT));
    cm_set_view(out, M_Principal_principal, name);
    cm_set_same(out, M_Principal_disabled, r, M_PrincipalRecord_disabled);
    cm_set_same(out, M_Principal_credentials, r, M_PrincipalRecord_credentials);
    cm_set_same(out, M_Principal_rate, r, M_PrincipalRecord_rate);
    cm_set_same(out, M_Principal_created_ms, r, M_PrincipalRecord_created_ms);
    return CM_OKAY;
}

/* The principal named in field 2, to change; *version is its row's. */
static cm_err named(cm_call *c, cm_view *name, cm_view *path, const cm_svc_row **row, cm_msg **copy)
{
    const cm_msg_value *v = cm_field_by_number(c->request, CM_FIELD_KEY);
    cm_err e;

    *name = v ? v->view : cm_view_of(NULL, 0);
    CM_TRY(cm_svc_name_check(*name));
    CM_TRY(principal_path(c, path, *name));
    e = cm_svc_read(c, row, *path, &cm_message_PrincipalRecord);
    if (cm_is(e, CM_STORE_NO_ROW))
        return CM_FAIL(SVC_NO_PRINCIPAL);
    CM_TRY(e);
    CM_TRY(blinded(c, cm_msg_view((*row)->msg, M_PrincipalRecord_blind)));
    CM_TRY(cm_svc_new_msg(c, copy, &cm_message_PrincipalRecord));
    for (size_t i = 0; i < M_PrincipalRecord_n; i++)
        (*copy)->v[i] = (*row)->msg->v[i];
    return CM_OKAY;
}

cm_err cm_svc_new_principal(cm_call *c, cm_view name, cm_msg **kept, size_t kept_n, uint64_t rate,
                            cm_msg **record)
{
    uint8_t *salt, blind[CM_AUDIT_BLIND];
    const cm_svc_row *row;
    cm_view path, b;
    cm_path who;
    cm_msg *r;
    cm_err e;

    CM_TRY(cm_svc_name_check(name));
    if (cm_view_eq(name, CM_LIT("*"))) /* V-23: it would be read as everyone */
        return CM_FAIL(SVC_NAME);
    CM_TRY(principal_path(c, &path, name));
    e = cm_svc_read(c, &row, path, &cm_message_PrincipalRecord);
    if (!cm_is(e, CM_STORE_NO_ROW))
        return cm_ok(e) ? CM_FAIL(SVC_EXISTS) : e;
    CM_TRY(cm_arena_get(c->arena, &salt, CM_AUDIT_SALT));
    CM_TRY(cm_random(c->svc->o.crypt, salt, CM_AUDIT_SALT));
    CM_TRY(
        cm_audit_blind(c->svc->o.crypt, blind, cm_view_of(salt, CM_AUDIT_SALT), "principal", name));
    CM_TRY(cm_arena_copy(c->arena, &b, CM_VIEW(blind)));
    CM_TRY(blinded(c, b));
    CM_TRY(cm_svc_new_msg(c, &r, &cm_message_PrincipalRecord));
    cm_set_msgs(r, M_PrincipalRecord_credentials, kept, kept_n);
    cm_set_number(r, M_PrincipalRecord_rate, rate);
    cm_set_number(r, M_PrincipalRecord_created_ms, c->state->now);
    cm_set_view(r, M_PrincipalRecord_salt, cm_view_of(salt, CM_AUDIT_SALT));
    cm_set_view(r, M_PrincipalRecord_blind, b);
    cm_set_number(r, M_PrincipalRecord_format, 1);
    CM_TRY(cm_svc_write(c, path, 1, r));
    cm_audit_who_path(&who, c->state->tenant, b);
    if (cm_path_view(&who).n == 0)
        return CM_FAIL(SVC_NAME);
    CM_TRY(cm_arena_copy(c->arena, &path, cm_path_view(&who)));
    *record = r;
    return cm_svc_write_bytes(c, path, 1, name);
}

cm_err cm_do_create_principal(cm_call *c)
{
    const cm_msg *q = c->request;
    const cm_msg_value *list = &q->v[M_CreatePrincipalRequest_credentials];
    cm_view name = cm_msg_view(q, M_CreatePrincipalRequest_principal);
    size_t n = list->set ? list->n : 0;
    cm_msg **kept, *r;

    CM_TRY(cm_arena_get(c->arena, &kept, (n + 1) * sizeof *kept));
    for (size_t i = 0; i < n; i++)
        CM_TRY(add_credential(c, list->msgs[i], name, &kept[i]));
    CM_TRY(cm_svc_new_principal(c, name, kept, n,
                                cm_msg_number(q, M_CreatePrincipalRequest_rate, 0), &r));
    return show(c, c->answer, name, r);
}

static cm_err show_row(cm_call *c, cm_msg *item, cm_view key, const cm_msg *record)
{
    cm_view name;

    CM_TRY(cm_svc_part(c, &name, key, 2));
    return show(c, item, name, record);
}

cm_err cm_do_list_principals(cm_call *c)
{
    cm_svc_page page = {
        .record = &cm_message_PrincipalRecord, .item = &cm_message_Principal, .show = show_row};
    cm_path under;

    cm_path_init(&under);
    cm_path_add(&under, c->state->tenant);
    cm_path_add_str(&under, "principal");
    return cm_svc_list(c, &under, &page);
}

cm_err cm_do_get_principal(cm_call *c)
{
    const cm_svc_row *row;
    cm_view name, path;
    cm_msg *r;

    CM_TRY(named(c, &name, &path, &row, &r));
    return show(c, c->answer, name, r);
}

static cm_err set_disabled(cm_call *c, bool disabled)
{
    const cm_svc_row *row;
    cm_view name, path;
    cm_msg *r;

    CM_TRY(named(c, &name, &path, &row, &r));
    cm_set_number(r, M_PrincipalRecord_disabled, disabled);
    CM_TRY(cm_svc_write(c, path, row->version + 1, r));
    CM_TRY(cm_svc_bump_generation(c, c->state->tenant));
    return show(c, c->answer, name, r);
}

cm_err cm_do_disable_principal(cm_call *c)
{
    return set_disabled(c, true);
}

cm_err cm_do_enable_principal(cm_call *c)
{
    return set_disabled(c, false);
}

/* One more in the principal's list. */
static cm_err append(cm_call *c, cm_msg *r, cm_msg *kept)
{
    const cm_msg_value *old = &r->v[M_PrincipalRecord_credentials];
    size_t n = old->set ? old->n : 0;
    cm_msg **list;

    if (n == CREDENTIALS)
        return CM_FAIL(SVC_LIMIT);
    CM_TRY(cm_arena_get(c->arena, &list, (n + 1) * sizeof *list));
    for (size_t i = 0; i < n; i++)
        list[i] = old->msgs[i];
    list[n] = kept;
    cm_set_msgs(r, M_PrincipalRecord_credentials, list, n + 1);
    return CM_OKAY;
}

cm_err cm_do_add_credential(cm_call *c)
{
    const cm_svc_row *row;
    cm_view name, path;
    cm_msg *r, *kept;

    CM_TRY(named(c, &name, &path, &row, &r));
    CM_TRY(add_credential(c, c->request->v[M_AddCredentialRequest_credential].msg, name, &kept));
    CM_TRY(append(c, r, kept));
    CM_TRY(cm_svc_write(c, path, row->version + 1, r));
    return show(c, c->answer, name, r);
}

static cm_err drop_credential(cm_call *c, const cm_msg *credential)
{
    const cm_svc_row *row;
    cm_view path;
    cm_err e;

    CM_TRY(cm_svc_credential_path(c, &path, c->state->tenant,
                                  (unsigned)cm_msg_number(credential, M_Credential_kind, 1),
                                  cm_msg_view(credential, M_Credential_id)));
    e = cm_svc_read(c, &row, path, &cm_message_CredentialRecord);
    if (cm_is(e, CM_STORE_NO_ROW))
        return CM_OKAY;
    CM_TRY(e);
    return cm_svc_remove(c, path);
}

cm_err cm_do_remove_credential(cm_call *c)
{
    cm_view id = cm_msg_view(c->request, M_RemoveCredentialRequest_id), name, path;
    const cm_svc_row *row;
    cm_msg *r, **list;
    cm_msg_value *old;
    size_t n = 0;

    CM_TRY(named(c, &name, &path, &row, &r));
    old = &r->v[M_PrincipalRecord_credentials];
    CM_TRY(cm_arena_get(c->arena, &list, (CREDENTIALS + 1) * sizeof *list));
    for (size_t i = 0; old->set && i < old->n; i++) {
        if (!cm_view_eq(cm_msg_view(old->msgs[i], M_Credential_id), id))
            list[n++] = old->msgs[i];
        else
            CM_TRY(drop_credential(c, old->msgs[i]));
    }
    if (!old->set || n == old->n)
        return CM_FAIL(SVC_NO_ROW);
    cm_set_msgs(r, M_PrincipalRecord_credentials, list, n);
    CM_TRY(cm_svc_write(c, path, row->version + 1, r));
    CM_TRY(cm_svc_bump_generation(c, c->state->tenant));
    return show(c, c->answer, name, r);
}

cm_err cm_do_create_api_key(cm_call *c)
{
    char text[CM_APIKEY_TEXT + 1];
    uint8_t hash[CM_APIKEY_HASH];
    const cm_svc_row *row;
    cm_view name, path, id, shown_once;
    cm_msg *r, *kept, *record;
    cm_err e;

    CM_TRY(named(c, &name, &path, &row, &r));
    CM_TRY(cm_apikey_new(text, c->svc->o.crypt));
    e = cm_apikey_hash(hash, c->svc->o.crypt, cm_view_of(text, CM_APIKEY_TEXT));
    if (cm_ok(e)) /* V-16: the text goes into the answer and nowhere else */
        e = cm_arena_copy(c->arena, &shown_once, cm_view_of(text, CM_APIKEY_TEXT));
    cm_wipe(text, sizeof text);
    CM_TRY(e);
    CM_TRY(cm_arena_copy(c->arena, &id, CM_VIEW(hash)));
    CM_TRY(cm_svc_new_msg(c, &record, &cm_message_CredentialRecord));
    cm_set_view(record, M_CredentialRecord_principal, name);
    cm_set_view(record, M_CredentialRecord_hash, id);
    cm_set_number(record, M_CredentialRecord_format, 1);
    if (c->svc->o.api_key_ms) {
        cm_set_number(record, M_CredentialRecord_expires_ms, c->state->now + c->svc->o.api_key_ms);
        cm_set_same(c->answer, M_CreateApiKeyAnswer_expires_ms, record,
                    M_CredentialRecord_expires_ms);
    }
    CM_TRY(claim(c, CM_CREDENTIAL_APIKEY, id, record));
    CM_TRY(cm_svc_new_msg(c, &kept, &cm_message_Credential));
    cm_set_number(kept, M_Credential_kind, CM_CREDENTIAL_APIKEY);
    cm_set_view(kept, M_Credential_id, id);
    cm_set_number(kept, M_Credential_created_ms, c->state->now);
    CM_TRY(append(c, r, kept));
    CM_TRY(cm_svc_write(c, path, row->version + 1, r));
    cm_set_view(c->answer, M_CreateApiKeyAnswer_api_key, shown_once);
    cm_set_view(c->answer, M_CreateApiKeyAnswer_id, id);
    return CM_OKAY;
}

cm_err cm_do_put_issuer(cm_call *c)
{
    cm_view jwks = cm_msg_view(c->request, M_PutIssuerRequest_jwks), path;
    CM_AUTO(cm_jwks_free_ptr) cm_jwks *keys = NULL;
    const cm_svc_row *row;
    uint64_t version = 0;
    cm_msg *r;
    cm_err e;

    CM_TRY(cm_jwks_parse(&keys, c->svc->o.crypt, jwks));
    if (cm_jwks_size(keys) == 0)
        return cm_svc_wrong(c, CM_FAIL(SVC_CREDENTIAL), "jwks: no key that can be used");
    CM_TRY(CM_PATH(c, &path, c->state->tenant, CM_LIT("issuer"),
                   cm_msg_view(c->request, M_PutIssuerRequest_issuer)));
    c->state->resource = path;
    e = cm_svc_read(c, &row, path, &cm_message_IssuerRecord);
    if (cm_ok(e))
        version = row->version;
    else if (!cm_is(e, CM_STORE_NO_ROW))
        return e;
    CM_TRY(cm_svc_new_msg(c, &r, &cm_message_IssuerRecord));
    cm_set_same(r, M_IssuerRecord_audience, c->request, M_PutIssuerRequest_audience);
    cm_set_view(r, M_IssuerRecord_jwks, jwks);
    cm_set_number(r, M_IssuerRecord_format, 1);
    CM_TRY(cm_svc_write(c, path, version + 1, r));
    return cm_svc_bump_generation(c, c->state->tenant);
}

cm_err cm_do_erase(cm_call *c)
{
    const cm_svc_row *row;
    cm_view name, path;
    cm_path who;
    cm_msg *r;
    cm_msg_value *list;

    CM_TRY(named(c, &name, &path, &row, &r));
    list = &r->v[M_PrincipalRecord_credentials];
    for (size_t i = 0; list->set && i < list->n; i++)
        CM_TRY(drop_credential(c, list->msgs[i]));
    CM_TRY(cm_svc_remove(c, path));
    cm_audit_who_path(&who, c->state->tenant, cm_msg_view(r, M_PrincipalRecord_blind));
    CM_TRY(cm_arena_copy(c->arena, &path, cm_path_view(&who)));
    CM_TRY(cm_svc_remove(c, path));
    return cm_svc_bump_generation(c, c->state->tenant);
}
