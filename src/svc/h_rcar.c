/*
 * The key broker protocol of Confidential Containers (spec/release.md): a challenge, evidence for
 * it, then keys. Nobody says who they are; what counts is the evidence, under the policy that a key
 * names, and grants of the tenant's principal `rcar` (V-88 to V-90).
 *
 * A session is text that the client brings along. Before the evidence it is the challenge, and what
 * was asked for with it; no node keeps anything. Behind it, it leads to a row that any node reads:
 * what was shown, to be judged again for each key.
 */
#include "svc/keyrec_int.h"
#include "svc/nonce_int.h"

#include <stdio.h>

#include "base/ct.h"
#include "codec/text.h"
#include "keys/ring.h"
#include "release/jwe.h"
#include "release/rcar.h"
#include "store/path.h"

enum {
    ASKED = 1,
    SHOWN = 2,
    ID = 32,
    SESSION_MAX = 512,
    RECORD_MAX = 192 << 10,
    HEAD = 4,
};

/* ---- sessions as text ---- */

static cm_err session_text(cm_call *c, const cm_buf *raw)
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = 2 * SESSION_MAX};
    cm_view kept;

    CM_TRY(cm_base64_encode(&text, cm_buf_view(raw), true));
    CM_TRY(cm_arena_copy(c->arena, &kept, cm_buf_view(&text)));
    cm_set_view(c->answer, M_RcarAnswer_session, kept);
    return CM_OKAY;
}

/* What was asked for: kind, hash, selector, challenge. */
typedef struct {
    cm_attest_kind kind;
    cm_hash hash;
    cm_view selector, challenge;
} asked;

static bool read_asked(asked *out, cm_view raw)
{
    size_t selector;

    if (raw.n < HEAD || raw.p[0] != ASKED || raw.p[1] > CM_ATTEST_NVIDIA ||
        raw.n < HEAD + (size_t)raw.p[3])
        return false;
    selector = raw.p[3];
    *out = (asked){.kind = (cm_attest_kind)raw.p[1],
                   .hash = (cm_hash)raw.p[2],
                   .selector = cm_view_sub(raw, HEAD, selector),
                   .challenge = cm_view_sub(raw, HEAD + selector, raw.n - HEAD - selector)};
    return out->hash == CM_SHA256 || out->hash == CM_SHA384 || out->hash == CM_SHA512;
}

/* Of a token (RL-7) what stands behind the last dot; a cookie has none. */
static bool session_of(const cm_call *c, size_t field, cm_buf *raw)
{
    cm_view text = cm_msg_view(c->request, field);

    for (size_t i = text.n; i > 0; i--)
        if (text.p[i - 1] == '.') {
            text = cm_view_sub(text, i, text.n - i);
            break;
        }
    return text.n && cm_ok(cm_base64_decode(raw, text, true)) && raw->n;
}

/* A selector names a policy of a tenant: "acme/fleet". */
static bool selected(cm_view selector, cm_view *tenant, cm_view *policy)
{
    for (size_t i = 0; i < selector.n; i++)
        if (selector.p[i] == '/') {
            *tenant = cm_view_sub(selector, 0, i);
            *policy = cm_view_sub(selector, i + 1, selector.n - i - 1);
            return true;
        }
    return false;
}

cm_err cm_svc_rcar_start(cm_call *c)
{
    CM_AUTO(cm_buf_free) cm_buf raw = {.max = SESSION_MAX};
    cm_view tenant, policy;
    asked a;

    if (c->op->prepare == cm_do_rcar_resource) /* V-89: what grants and rates speak of */
        c->state->acts = cm_svc_op_by_name(CM_LIT("ReleaseKey"));
    if (c->op->prepare != cm_do_rcar_attest || !session_of(c, M_RcarRequest_session, &raw) ||
        !read_asked(&a, cm_buf_view(&raw)) || !selected(a.selector, &tenant, &policy))
        return CM_OKAY;
    CM_TRY(cm_svc_tenant_check(tenant));
    return cm_arena_copy(c->arena, &c->state->tenant, tenant);
}

static cm_err body(cm_call *c, const cm_buf *json)
{
    cm_view kept;

    CM_TRY(cm_arena_copy(c->arena, &kept, cm_buf_view(json)));
    cm_set_view(c->answer, M_RcarAnswer_body, kept);
    return CM_OKAY;
}

/* ---- auth ---- */

static void request_free(cm_rcar_request *r)
{
    cm_rcar_request_done(r);
}

static cm_err put_asked(cm_buf *b, const cm_rcar_request *q, cm_view challenge)
{
    const uint8_t head[HEAD] = {ASKED, (uint8_t)q->tee, (uint8_t)q->hash, (uint8_t)q->selector.n};

    CM_TRY(cm_buf_append(b, CM_VIEW(head)));
    CM_TRY(cm_buf_append(b, cm_buf_view(&q->selector)));
    return cm_buf_append(b, challenge);
}

static cm_err credential(cm_call *c, cm_rcar_challenge *out, const cm_tpm_activation *whose,
                         const cm_rcar_request *q)
{
    out->credential.max = CM_RCAR_CREDENTIAL_MAX;
    return cm_tpm_credential_put(&out->credential, whose, c->svc->o.crypt, cm_buf_view(&q->ek));
}

static void challenge_free(cm_rcar_challenge *c)
{
    cm_rcar_challenge_done(c);
}

cm_err cm_do_rcar_auth(cm_call *c)
{
    CM_AUTO(request_free) cm_rcar_request q = {.hash = CM_SHA384};
    CM_AUTO(challenge_free) cm_rcar_challenge answer = {.hash = CM_SHA384};
    CM_AUTO(cm_buf_free) cm_buf challenge = {.max = CM_CHALLENGE_MAX};
    CM_AUTO(cm_buf_free) cm_buf raw = {.max = SESSION_MAX};
    CM_AUTO(cm_buf_free) cm_buf json = {.max = CM_RCAR_CHALLENGE_MAX};
    cm_tpm_activation whose;
    bool tpm;

    CM_TRY(cm_rcar_request_read(&q, cm_msg_view(c->request, M_RcarRequest_body)));
    tpm = q.ak.n > 0;
    if (tpm && cm_failed(cm_tpm_credential_whose(&whose, c->svc->o.crypt, cm_buf_view(&q.ek),
                                                 cm_buf_view(&q.ak))))
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "ek-certificate, ak: not a TPM's");
    CM_TRY(cm_svc_challenge_make(c, CM_LIT(""), answer.nonce, &challenge, tpm ? &whose : NULL));
    if (tpm)
        CM_TRY(credential(c, &answer, &whose, &q));
    answer.hash = q.hash;
    CM_TRY(put_asked(&raw, &q, cm_buf_view(&challenge)));
    CM_TRY(session_text(c, &raw));
    CM_TRY(cm_rcar_challenge_put(&json, &answer));
    return body(c, &json);
}

/* ---- attest ---- */

static void attestation_free(cm_rcar_attestation *a)
{
    cm_rcar_attestation_done(a);
}

static cm_err kept(cm_call *c, cm_msg *m, size_t field, cm_view v)
{
    cm_view copy;

    CM_TRY(cm_arena_copy(c->arena, &copy, v));
    cm_set_view(m, field, copy);
    return CM_OKAY;
}

static cm_err keep_devices(cm_call *c, cm_msg *m, const cm_rcar_attestation *a)
{
    cm_view *list;

    if (a->n < 2)
        return CM_OKAY;
    CM_TRY(cm_arena_get(c->arena, &list, (a->n - 1) * sizeof *list));
    for (size_t i = 1; i < a->n; i++)
        CM_TRY(cm_arena_copy(c->arena, &list[i - 1], cm_buf_view(&a->piece[i].evidence)));
    m->v[M_RcarRecord_devices].set = true;
    m->v[M_RcarRecord_devices].views = list;
    m->v[M_RcarRecord_devices].n = a->n - 1;
    return CM_OKAY;
}

static cm_err record(cm_call *c, cm_msg **out, const cm_rcar_attestation *a, cm_hash hash,
                     const cm_tpm_activation *whose)
{
    uint8_t fresh[CM_HASH_MAX], device[32];
    const cm_crypt *crypt = c->svc->o.crypt;
    cm_msg *m;

    CM_TRY(cm_svc_new_msg(c, &m, &cm_message_RcarRecord));
    CM_TRY(kept(c, m, M_RcarRecord_evidence, cm_buf_view(&a->piece[0].evidence)));
    CM_TRY(kept(c, m, M_RcarRecord_event_log, cm_buf_view(&a->piece[0].event_log)));
    CM_TRY(keep_devices(c, m, a));
    CM_TRY(cm_rcar_report_data(fresh, crypt, hash, a->nonce, a->key, cm_buf_view(&a->additional)));
    CM_TRY(kept(c, m, M_RcarRecord_fresh, cm_view_of(fresh, cm_hash_size(hash))));
    CM_TRY(cm_rcar_device_data(device, crypt, hash, a->nonce, a->key));
    CM_TRY(kept(c, m, M_RcarRecord_device_fresh, CM_VIEW(device)));
    CM_TRY(kept(c, m, M_RcarRecord_key, CM_VIEW(a->key)));
    if (whose->name_n) {
        CM_TRY(kept(c, m, M_RcarRecord_ek, CM_VIEW(whose->ek)));
        CM_TRY(kept(c, m, M_RcarRecord_name, cm_view_of(whose->name, whose->name_n)));
        CM_TRY(kept(c, m, M_RcarRecord_secret, CM_VIEW(whose->secret)));
    }
    cm_set_number(m, M_RcarRecord_expires_ms, c->state->now + CM_RCAR_SESSION_MS);
    cm_set_number(m, M_RcarRecord_format, 1);
    *out = m;
    return CM_OKAY;
}

/* V-90: whoever shows nothing that counts leaves no row. Why is not told where the policy is a
 * tenant's: nobody has said who they are. */
static cm_err accepted(cm_call *c, cm_view selector)
{
    cm_view tenant, policy;
    cm_appraisal a = {.accepted = false};
    uint8_t measured[64];
    size_t n;

    if (selector.n == 0) {
        CM_TRY(cm_svc_shows_genuine(c, &a, measured, &n));
        if (!a.accepted)
            (void)snprintf(c->detail, sizeof c->detail, "%s", a.sentence);
    } else if (selected(selector, &tenant, &policy) && !c->state->no_tenant) {
        c->discreet = true;
        CM_TRY(cm_svc_shows(c, &a, policy, NULL));
        if (!a.accepted)
            (void)snprintf(c->detail, sizeof c->detail, "%s", a.sentence);
    }
    return a.accepted ? CM_OKAY : CM_FAIL(SVC_EVIDENCE);
}

static cm_err row_of(cm_call *c, cm_view *path, cm_view second, cm_view id)
{
    uint8_t hash[32];

    CM_TRY(cm_hash_once(c->svc->o.crypt, CM_SHA256, hash, id));
    return CM_PATH(c, path, CM_LIT(""), CM_LIT(CM_SVC_RCAR), second, CM_VIEW(hash));
}

static cm_err open_session(cm_call *c, const cm_msg *m)
{
    CM_AUTO(cm_buf_free) cm_buf raw = {.max = SESSION_MAX};
    CM_AUTO(cm_buf_free) cm_buf token = {.max = 2 * SESSION_MAX};
    CM_AUTO(cm_buf_free) cm_buf json = {.max = 4 * SESSION_MAX};
    uint64_t now = c->state->now;
    uint8_t second[8], id[ID];
    cm_view path;

    cm_put_be64(second, (now + CM_RCAR_SESSION_MS) / 1000 + 1);
    CM_TRY(cm_random(c->svc->o.crypt, id, sizeof id));
    CM_TRY(row_of(c, &path, CM_VIEW(second), CM_VIEW(id)));
    CM_TRY(cm_svc_write(c, path, 1, m));
    CM_TRY(cm_buf_byte(&raw, SHOWN));
    CM_TRY(cm_buf_append(&raw, CM_VIEW(second)));
    CM_TRY(cm_buf_append(&raw, CM_VIEW(id)));
    CM_TRY(session_text(c, &raw));
    CM_TRY(cm_rcar_session_token(&token, cm_msg_view(c->answer, M_RcarAnswer_session), now / 1000,
                                 (now + CM_RCAR_SESSION_MS) / 1000));
    CM_TRY(cm_rcar_token_put(&json, cm_buf_view(&token)));
    return body(c, &json);
}

static cm_err take_challenge(cm_call *c, const asked *q, const cm_rcar_attestation *a,
                             cm_tpm_activation *whose)
{
    uint8_t nonce[CM_CHALLENGE_NONCE];
    uint64_t until;

    CM_TRY(cm_svc_challenge_take(c, CM_LIT(""), q->challenge, nonce, whose, &until));
    if (!cm_ct_equal(CM_VIEW(nonce), CM_VIEW(a->nonce)))
        return CM_FAIL(SVC_CHALLENGE);
    return cm_svc_challenge_once(c, CM_LIT(""), CM_VIEW(nonce), until);
}

cm_err cm_do_rcar_attest(cm_call *c)
{
    CM_AUTO(cm_buf_free) cm_buf raw = {.max = SESSION_MAX};
    CM_AUTO(attestation_free) cm_rcar_attestation a = {.n = 0};
    cm_view in = cm_msg_view(c->request, M_RcarRequest_body);
    cm_tpm_activation whose;
    cm_msg *m;
    asked q;

    if (!session_of(c, M_RcarRequest_session, &raw) || !read_asked(&q, cm_buf_view(&raw)))
        return CM_FAIL(SVC_SESSION);
    if (in.n > RECORD_MAX)
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "evidence of more than 192 KiB");
    CM_TRY(cm_rcar_attestation_read(&a, q.kind, in));
    CM_TRY(take_challenge(c, &q, &a, &whose));
    CM_TRY(record(c, &m, &a, q.hash, &whose));
    CM_TRY(cm_svc_evidence_of(c, m));
    cm_svc_evidence_init_data(c, cm_buf_view(&a.init_data));
    CM_TRY(accepted(c, q.selector));
    return open_session(c, m);
}

/* ---- refusals in the log (V-91) ---- */

/* V-90: its challenge serves on. */
cm_err cm_svc_rcar_refused(cm_call *c)
{
    struct cm_call_state *st = c->state;
    char name[CM_REFUSALS_NAME];

    if (c->op->prepare != cm_do_rcar_attest)
        return CM_OKAY;
    st->nonce_bumps = 0;
    if (st->no_tenant)
        st->tenant = cm_view_of("", 0);
    CM_TRY(cm_arena_copy(c->arena, &st->logged, cm_refusal_name(&st->stands_for, name)));
    return st->stands_for.known ? CM_PATH(c, &st->resource, CM_LIT(""), CM_LIT("address"),
                                          CM_VIEW(st->stands_for.class))
                                : CM_OKAY;
}

static cm_err log_refusal(cm_svc *s, const cm_refusal *what, uint64_t now)
{
    cm_path path;
    char name[CM_REFUSALS_NAME];
    uint8_t id[16];
    cm_audit_entry entry = {.time_ms = now,
                            .id = CM_VIEW(id),
                            .op = cm_refusal_name(what, name),
                            .decision = CM_AUDIT_DENY,
                            .reason = what->reason};
    cm_unit unit = {.entry = &entry};

    CM_TRY(cm_random(s->o.crypt, id, sizeof id));
    if (what->known) {
        cm_path_init(&path);
        cm_path_add(&path, CM_LIT(""));
        cm_path_add(&path, CM_LIT("address"));
        cm_path_add(&path, CM_VIEW(what->class));
        entry.resource = cm_path_view(&path);
    }
    return cm_committer_commit(s->o.committer, &unit);
}

cm_err cm_svc_log_refusals(cm_svc *s, bool all)
{
    uint64_t now = s->o.now_ms(s->o.now_arg);
    cm_refusal what;

    for (size_t i = 0; i <= CM_REFUSALS_CLASSES; i++) {
        cm_err e;

        if (!cm_refusals_due(s->refusals, now, all, &what))
            break;
        e = log_refusal(s, &what, now);
        if (cm_failed(e)) {
            cm_refusals_back(s->refusals, &what);
            return e;
        }
    }
    return CM_OKAY;
}

/* ---- resources ---- */

cm_err cm_svc_rcar_session(cm_call *c)
{
    CM_AUTO(cm_buf_free) cm_buf raw = {.max = SESSION_MAX};
    const cm_svc_row *row;
    cm_view path, v;
    cm_err e;

    if (c->state->no_tenant || !session_of(c, M_RcarResourceRequest_session, &raw))
        return CM_FAIL(SVC_UNAUTHENTIC);
    v = cm_buf_view(&raw);
    if (v.n != 1 + 8 + ID || v.p[0] != SHOWN)
        return CM_FAIL(SVC_SESSION);
    CM_TRY(row_of(c, &path, cm_view_sub(v, 1, 8), cm_view_sub(v, 9, ID)));
    e = cm_svc_read(c, &row, path, &cm_message_RcarRecord);
    if (cm_is(e, CM_STORE_NO_ROW))
        return CM_FAIL(SVC_SESSION);
    CM_TRY(e);
    if (cm_msg_number(row->msg, M_RcarRecord_expires_ms, 0) <= c->state->now)
        return CM_FAIL(SVC_SESSION);
    c->state->rcar = row->msg;
    c->discreet = true; /* V-90 */
    return CM_OKAY;
}

/* The key comes sealed to one of this call's own, and goes on in the protocol's form: who keeps
 * keys knows one form in which they leave (KM-27). */
cm_err cm_do_rcar_resource(cm_call *c)
{
    struct cm_call_state *st = c->state;
    cm_appraisal a = {.accepted = false};
    const cm_msg *policy = NULL;
    cm_err e;

    e = cm_svc_release_decided(c, &a, &policy, cm_msg_view(st->rcar, M_RcarRecord_key), CM_LIT(""));
    CM_TRY(e);
    CM_TRY(cm_keyrec_use(c, CM_KEYOP_EXPORT, 0, CM_USE_PROCESS, 0, false));
    CM_TRY(cm_keyrec_budget(c, st->key_record));
    cm_kem_key_free(st->ephemeral);
    st->ephemeral = NULL;
    CM_TRY(cm_kem_generate(&st->ephemeral, c->svc->o.crypt, CM_KEM_MLKEM768));
    st->op.more = cm_kem_public(st->ephemeral);
    return CM_OKAY;
}

cm_err cm_do_rcar_resource_made(cm_call *c)
{
    struct cm_call_state *st = c->state;
    CM_AUTO(cm_buf_free) cm_buf raw = {.max = CM_JWE_PLAIN_MAX};
    CM_AUTO(cm_buf_free) cm_buf jwe = {.max = CM_JWE_MAX};

    CM_TRY(st->op.result);
    CM_TRY(cm_export_open(&raw, st->ephemeral, st->op.bind.type, cm_buf_view(&st->op.out)));
    if (raw.n == 0) /* V-33 */
        return CM_FAIL(CRYPT_PROVIDER);
    CM_TRY(cm_jwe_seal_to(&jwe, c->svc->o.crypt, cm_msg_view(st->rcar, M_RcarRecord_key),
                          cm_buf_view(&raw)));
    return body(c, &jwe);
}

cm_err cm_svc_forget_rcar(cm_call *c, cm_view tenant, const cm_view *keys, size_t n)
{
    (void)tenant;
    for (size_t i = 0; i < n; i++)
        CM_TRY(cm_svc_remove(c, keys[i]));
    return CM_OKAY;
}
