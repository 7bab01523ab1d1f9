/*
 * Who asks. One proof is looked at, the strongest that the request brings; when it fails, nothing
 * weaker is tried (V-5). A proof leads to a principal of the tenant that the request is about, or
 * of the system's, and to nobody else: credentials are looked up under that tenant (V-6).
 */
#include "svc/nonce_int.h"

#include "base/ct.h"
#include "codec/text.h"
#include "wire/apikey.h"
#include "wire/jwt.h"

/* A session that began that much in the future is over (V-56). */
enum { JWT_SKEW = 60, CLOCK_BACK_MS = CM_HTTPSIG_WINDOW * 1000 };

cm_err cm_svc_credential_path(cm_call *c, cm_view *out, cm_view tenant, unsigned kind, cm_view id)
{
    static const char *const kinds[] = {"", "ml-dsa", "certificate", "api-key", "oidc"};

    return CM_PATH(c, out, tenant, CM_LIT("cred"), cm_view_str(kinds[kind]), id);
}

/* issuer and subject with their lengths: no two pairs are one text. */
cm_err cm_svc_oidc_id(cm_call *c, uint8_t id[32], cm_view issuer, cm_view subject)
{
    cm_view path;

    CM_TRY(CM_PATH(c, &path, issuer, subject));
    return cm_hash_once(c->svc->o.crypt, CM_SHA256, id, path);
}

cm_err cm_svc_mldsa_key(cm_sig_key **out, const cm_crypt *c, cm_view pk)
{
    static const cm_sig_id ids[] = {CM_SIG_MLDSA44, CM_SIG_MLDSA65, CM_SIG_MLDSA87};

    for (size_t i = 0; i < CM_COUNT(ids); i++)
        if (cm_sig_info_of(ids[i])->pk == pk.n)
            return cm_sig_from_public(out, c, ids[i], pk);
    return CM_FAIL(SVC_CREDENTIAL);
}

static void free_key(void *k)
{
    cm_sig_key_free(k);
}

cm_err cm_svc_credential_key(cm_call *c, const cm_svc_row *row, const cm_sig_key **out)
{
    cm_svc_row *r = cm_svc_held(c, row);
    cm_sig_key *k;
    void *none = NULL;

    *out = atomic_load(&r->extra);
    if (*out)
        return CM_OKAY;
    CM_TRY(cm_svc_mldsa_key(&k, c->svc->o.crypt,
                            cm_msg_view(row->msg, M_CredentialRecord_public_key)));
    r->extra_free = free_key;
    if (!atomic_compare_exchange_strong(&r->extra, &none, (void *)k)) {
        cm_sig_key_free(k);
        k = none;
    }
    *out = k;
    return CM_OKAY;
}

/* The credential's row, under the tenant asked about or the system's; *tenant says which. */
static cm_err find_credential(cm_call *c, const cm_svc_row **row, cm_view *tenant, unsigned kind,
                              cm_view id)
{
    cm_view at[2] = {c->state->tenant, CM_LIT("")}, path;

    for (size_t i = c->state->no_tenant ? 1 : 0; i < (at[0].n ? 2u : 1u); i++) {
        cm_err e;

        CM_TRY(cm_svc_credential_path(c, &path, at[i], kind, id));
        e = cm_svc_read(c, row, path, &cm_message_CredentialRecord);
        if (cm_ok(e)) {
            *tenant = at[i];
            return CM_OKAY;
        }
        if (!cm_is(e, CM_STORE_NO_ROW))
            return e;
    }
    return CM_FAIL(SVC_UNAUTHENTIC);
}

/* The principal of a tenant: it must exist and not be disabled. */
static cm_err principal(cm_call *c, cm_svc_how how, cm_view tenant, cm_view name)
{
    struct cm_call_state *st = c->state;
    const cm_svc_row *row;
    cm_view path;
    cm_err e;

    CM_TRY(CM_PATH(c, &path, tenant, CM_LIT("principal"), name));
    e = cm_svc_read_stable(c, &row, tenant, path, &cm_message_PrincipalRecord);
    if (cm_is(e, CM_STORE_NO_ROW))
        return CM_FAIL(SVC_UNAUTHENTIC);
    CM_TRY(e);
    st->who = (cm_svc_who){.how = how,
                           .tenant = tenant,
                           .name = name,
                           .blind = cm_msg_view(row->msg, M_PrincipalRecord_blind),
                           .opener = st->who.opener,
                           .rate = cm_msg_number(row->msg, M_PrincipalRecord_rate, 0)};
    if (cm_msg_number(row->msg, M_PrincipalRecord_disabled, 0))
        return CM_FAIL(SVC_DISABLED);
    return CM_OKAY;
}

static cm_err by_row(cm_call *c, cm_svc_how how, const cm_svc_row *row, cm_view tenant)
{
    return principal(c, how, tenant, cm_msg_view(row->msg, M_CredentialRecord_principal));
}

/* ---- signatures ---- */

static cm_err by_signature(cm_call *c, const cm_httpsig *s, const cm_httpsig_message *m)
{
    const cm_svc_row *row;
    const cm_sig_key *key;
    CM_AUTO(cm_buf_free) cm_buf id = {.max = 32};
    uint8_t hash[32];
    cm_view tenant;

    if (s->keyid.n != 64 || cm_failed(cm_hex_decode(&id, s->keyid)))
        return CM_FAIL(SVC_UNAUTHENTIC);
    CM_TRY(find_credential(c, &row, &tenant, CM_CREDENTIAL_MLDSA, cm_buf_view(&id)));
    CM_TRY(cm_svc_credential_key(c, row, &key));
    CM_TRY(cm_httpsig_verify(s, c->svc->o.crypt, m, key));
    CM_TRY(cm_svc_record_nonce(c, s, tenant)); /* V-7: not before */
    CM_TRY(cm_hash_once(c->svc->o.crypt, CM_SHA256, hash, s->value));
    CM_TRY(cm_arena_copy(c->arena, &c->state->request, CM_VIEW(hash)));
    CM_TRY(cm_arena_copy(c->arena, &c->state->who.opener, s->keyid));
    return by_row(c, CM_BY_SIGNATURE, row, tenant);
}

/* ---- sessions ---- they live on one connection, so in this process and nowhere else */

static cm_svc_session **session_slot(cm_svc *s, const uint8_t id[CM_SESSION_ID])
{
    return &s->session[cm_get_be64(id) % CM_SVC_SLOTS];
}

static void session_free(cm_svc_session *x)
{
    cm_wipe(x, sizeof *x);
    cm_free(x);
}

void cm_svc_sessions_done(cm_svc *s)
{
    for (size_t i = 0; i < CM_SVC_SLOTS; i++) {
        cm_svc_session *next;

        for (cm_svc_session *x = s->session[i]; x; x = next) {
            next = x->next;
            session_free(x);
        }
    }
}

/* The session, if it is of this connection and tenant and not over. Under the lock. */
static cm_svc_session *session_of(cm_call *c, const uint8_t id[CM_SESSION_ID])
{
    cm_svc_session **p = session_slot(c->svc, id);

    while (*p) {
        cm_svc_session *x = *p;

        if (x->expires_ms <= c->state->now || c->state->now + CLOCK_BACK_MS < x->opened_ms) {
            /* V-56 */
            *p = x->next;
            c->svc->sessions_n--;
            session_free(x);
            continue;
        }
        if (cm_view_eq(CM_VIEW(x->id), cm_view_of(id, CM_SESSION_ID)))
            return cm_ct_equal(c->peer.exporter, CM_VIEW(x->exporter)) ? x : NULL; /* V-8 */
        p = &x->next;
    }
    return NULL;
}

static cm_err by_session(cm_call *c, const cm_httpsig *s, const cm_httpsig_message *m)
{
    char tenant[CM_TENANT_MAX + 1], name[CM_NAME_MAX + 1];
    uint8_t id[CM_SESSION_ID];
    cm_svc_session *x;
    uint64_t until = 0;
    cm_view t, n;
    cm_err e = CM_FAIL(SVC_SESSION);

    if (!cm_session_id_of(id, s->keyid))
        return e;
    (void)pthread_mutex_lock(&c->svc->sessions_lock);
    x = session_of(c, id);
    /* A call that begins anew has used its counter already. */
    if (x && c->state->tries == 0)
        e = cm_session_verify(&x->window, s, c->svc->o.crypt, m, &x->key);
    else if (x)
        e = cm_httpsig_verify_hmac(s, c->svc->o.crypt, m, CM_VIEW(x->key.b));
    if (cm_ok(e)) {
        memcpy(tenant, x->tenant, sizeof tenant);
        memcpy(name, x->principal, sizeof name);
        until = x->expires_ms;
    }
    (void)pthread_mutex_unlock(&c->svc->sessions_lock);
    CM_TRY(e);
    t = cm_view_str(tenant);
    if (t.n && !cm_view_eq(t, c->state->tenant)) /* V-6 */
        return CM_FAIL(SVC_SESSION);
    CM_TRY(cm_arena_copy(c->arena, &t, t));
    CM_TRY(cm_arena_copy(c->arena, &n, cm_view_str(name)));
    CM_TRY(principal(c, CM_BY_SESSION, t, n));
    c->state->who.until_ms = until;
    return CM_OKAY;
}

cm_err cm_do_open_session(cm_call *c)
{
    struct cm_call_state *st = c->state;
    uint64_t seconds = cm_msg_number(c->request, M_OpenSessionRequest_seconds, 3600);
    cm_httpsig_message m;
    cm_httpsig s;
    cm_svc_session *x, **slot;
    char keyid[CM_SESSION_KEYID + 1];
    cm_view id;
    cm_err e;

    if (c->http.request == NULL || c->peer.exporter.n != 32)
        return CM_FAIL(SVC_SESSION);
    m = cm_httpsig_message_of(c->http.request);
    CM_TRY(cm_httpsig_parse(&s, &m, st->now / 1000));
    CM_TRY(cm_session_check_channel(&s, c->svc->o.crypt, &m, c->peer.exporter)); /* V-8 */
    CM_TRY(cm_alloc(&x, sizeof *x));
    x->expires_ms = st->now + CM_MAX(seconds, (uint64_t)1) * 1000;
    x->opened_ms = st->now;
    memcpy(x->exporter, c->peer.exporter.p, 32);
    memcpy(x->tenant, st->who.tenant.p ? (const char *)st->who.tenant.p : "", st->who.tenant.n);
    memcpy(x->principal, st->who.name.p, st->who.name.n);
    e = cm_random(c->svc->o.crypt, x->id, sizeof x->id);
    if (cm_ok(e))
        e = cm_session_key(&x->key, c->svc->o.crypt, c->peer.exporter, x->id, s.keyid);
    (void)pthread_mutex_lock(&c->svc->sessions_lock);
    if (cm_ok(e) && c->svc->sessions_n >= CM_SVC_SESSIONS)
        e = CM_FAIL(SVC_LIMIT);
    if (cm_ok(e)) {
        cm_session_keyid(keyid, x->id);
        slot = session_slot(c->svc, x->id);
        x->next = *slot;
        *slot = x;
        c->svc->sessions_n++;
        cm_set_number(c->answer, M_OpenSessionAnswer_expires_ms, x->expires_ms);
    }
    (void)pthread_mutex_unlock(&c->svc->sessions_lock);
    if (cm_failed(e)) {
        session_free(x);
        return e;
    }
    CM_TRY(cm_arena_copy(c->arena, &id, cm_view_of(keyid, CM_SESSION_KEYID)));
    cm_set_view(c->answer, M_OpenSessionAnswer_session, id);
    return CM_OKAY;
}

/* ---- bearer tokens and certificates ---- */

static cm_err by_api_key(cm_call *c, cm_view text)
{
    const cm_svc_row *row;
    uint8_t hash[CM_APIKEY_HASH];
    uint64_t expires;
    cm_view tenant;

    CM_TRY(cm_apikey_hash(hash, c->svc->o.crypt, text));
    CM_TRY(find_credential(c, &row, &tenant, CM_CREDENTIAL_APIKEY, CM_VIEW(hash)));
    if (!cm_ct_equal(CM_VIEW(hash), cm_msg_view(row->msg, M_CredentialRecord_hash)))
        return CM_FAIL(SVC_UNAUTHENTIC);
    expires = cm_msg_number(row->msg, M_CredentialRecord_expires_ms, 0);
    if (expires && expires <= c->state->now) /* V-17 */
        return CM_FAIL(SVC_API_KEY_OVER);
    CM_TRY(by_row(c, CM_BY_API_KEY, row, tenant));
    c->state->who.until_ms = expires;
    return CM_OKAY;
}

/* What a token claims to come from: nothing is believed before it verifies against the pins. */
static cm_err claimed_issuer(cm_call *c, cm_view token, cm_view *issuer)
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = CM_JWT_MAX};
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    size_t a = 0, b;
    cm_view iss;

    while (a < token.n && token.p[a] != '.')
        a++;
    for (b = a + 1; b < token.n && token.p[b] != '.';)
        b++;
    if (b >= token.n || token.n > CM_JWT_MAX ||
        cm_failed(cm_base64_decode(&text, cm_view_sub(token, a + 1, b - a - 1), true)) ||
        cm_failed(cm_json_parse(&j, cm_buf_view(&text), NULL, NULL)) ||
        cm_failed(cm_json_string(cm_json_get(cm_json_root(j), "iss"), &iss)))
        return CM_FAIL(SVC_UNAUTHENTIC);
    return cm_arena_copy(c->arena, issuer, iss);
}

static void free_jwks(void *k)
{
    cm_jwks_free(k);
}

static cm_err jwks_of(cm_call *c, const cm_svc_row *row, const cm_jwks **out)
{
    cm_svc_row *r = cm_svc_held(c, row);
    cm_jwks *k;
    void *none = NULL;

    *out = atomic_load(&r->extra);
    if (*out)
        return CM_OKAY;
    CM_TRY(cm_jwks_parse(&k, c->svc->o.crypt, cm_msg_view(row->msg, M_IssuerRecord_jwks)));
    r->extra_free = free_jwks;
    if (!atomic_compare_exchange_strong(&r->extra, &none, (void *)k)) {
        cm_jwks_free(k);
        k = none;
    }
    *out = k;
    return CM_OKAY;
}

static cm_err by_token(cm_call *c, cm_view token)
{
    const cm_svc_row *issuer_row, *row;
    const cm_jwks *keys;
    CM_AUTO(cm_jwt_free) cm_jwt jwt = {0};
    cm_view issuer, path, tenant;
    uint8_t id[32];
    cm_err e;

    if (c->state->no_tenant)
        return CM_FAIL(SVC_UNAUTHENTIC);
    CM_TRY(claimed_issuer(c, token, &issuer));
    CM_TRY(CM_PATH(c, &path, c->state->tenant, CM_LIT("issuer"), issuer));
    e = cm_svc_read_stable(c, &issuer_row, c->state->tenant, path, &cm_message_IssuerRecord);
    if (cm_failed(e))
        return cm_is(e, CM_STORE_NO_ROW) ? CM_FAIL(SVC_UNAUTHENTIC) : e;
    CM_TRY(jwks_of(c, issuer_row, &keys));
    CM_TRY(cm_jwt_verify(
        &jwt, c->svc->o.crypt, keys, token,
        &(cm_jwt_pins){.issuer = issuer,
                       .audience = cm_msg_view(issuer_row->msg, M_IssuerRecord_audience),
                       .now = c->state->now / 1000,
                       .skew = JWT_SKEW}));
    CM_TRY(cm_svc_oidc_id(c, id, issuer, jwt.subject));
    CM_TRY(find_credential(c, &row, &tenant, CM_CREDENTIAL_OIDC, CM_VIEW(id)));
    if (!cm_view_eq(tenant, c->state->tenant)) /* a tenant's issuer vouches for nobody else's */
        return CM_FAIL(SVC_UNAUTHENTIC);
    CM_TRY(by_row(c, CM_BY_TOKEN, row, tenant));
    c->state->who.until_ms = (jwt.expires + JWT_SKEW) * 1000;
    return CM_OKAY;
}

static cm_err by_certificate(cm_call *c)
{
    const cm_svc_row *row;
    cm_view tenant;

    CM_TRY(find_credential(c, &row, &tenant, CM_CREDENTIAL_CERT, c->peer.cert_spki));
    return by_row(c, CM_BY_CERTIFICATE, row, tenant);
}

static bool bearer(const cm_http_request *r, cm_view *token)
{
    cm_view v;

    if (r == NULL || !cm_http_header_of(r, "authorization", &v) || v.n < 8 ||
        !cm_view_eq(cm_view_sub(v, 0, 7), CM_LIT("Bearer ")))
        return false;
    *token = cm_view_sub(v, 7, v.n - 7);
    return true;
}

static cm_err authenticate(cm_call *c)
{
    cm_httpsig_message m = {.method = cm_view_of(NULL, 0)};
    cm_httpsig s;
    cm_view token;

    if (c->peer.local)
        return principal(c, CM_BY_LOCAL, CM_LIT(""), CM_LIT("local"));
    if (c->http.request) {
        m = cm_httpsig_message_of(c->http.request);
        if (cm_httpsig_present(&m)) {
            CM_TRY(cm_httpsig_parse(&s, &m, c->state->now / 1000));
            return s.alg == CM_HTTPSIG_HMAC_SHA256 ? by_session(c, &s, &m)
                                                   : by_signature(c, &s, &m);
        }
        if (bearer(c->http.request, &token))
            return token.n > 4 && cm_view_eq(cm_view_sub(token, 0, 4), CM_LIT("cmk_"))
                       ? by_api_key(c, token)
                       : by_token(c, token);
    }
    if (c->peer.cert_spki.n == 32)
        return by_certificate(c);
    return CM_FAIL(SVC_UNAUTHENTIC);
}

/* A stream goes on for whom it began, as long as they may, and not past the end of what they showed
 * (V-130); nothing else of that is taken from memory. */
static cm_err resume(cm_call *c)
{
    const cm_svc_who *w = &c->state->before;
    cm_view key;

    if (w->until_ms && w->until_ms <= c->state->now)
        return w->how == CM_BY_API_KEY ? CM_FAIL(SVC_API_KEY_OVER)
               : w->how == CM_BY_TOKEN ? CM_FAIL(JWT_TIME)
                                       : CM_FAIL(SVC_SESSION);
    CM_TRY(CM_PATH(c, &key, CM_LIT(""), CM_LIT("gen"), w->tenant));
    cm_svc_forget(c->svc, key);
    CM_TRY(principal(c, w->how, w->tenant, w->name));
    c->state->who.until_ms = w->until_ms;
    return CM_OKAY;
}

cm_err cm_svc_authenticate(cm_call *c)
{
    const cm_svc_who *w = &c->state->who;

    if (c->op->auth == CM_AUTH_NONE)
        return CM_OKAY;
    if (c->state->resumed)
        return resume(c);
    if (c->op->auth == CM_AUTH_ATTESTED) { /* V-89 */
        CM_TRY(cm_svc_rcar_session(c));
        return principal(c, CM_BY_EVIDENCE, c->state->tenant, CM_LIT(CM_SVC_RCAR_PRINCIPAL));
    }
    CM_TRY(authenticate(c));
    if (c->op->auth == CM_AUTH_SIGNED && w->how != CM_BY_SIGNATURE && w->how != CM_BY_LOCAL)
        return CM_FAIL(SVC_NEEDS_SIGNATURE); /* V-9 */
    return CM_OKAY;
}
