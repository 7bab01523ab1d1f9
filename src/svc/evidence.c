/*
 * What a request shows of the machine that makes it. Evidence is bound to a challenge of the tenant
 * and to the key that the answer is for (spec/attest.md, section 10); the challenge is used up
 * whatever becomes of the call. What it is worth is a policy's to say: those of the tenant that
 * grants name, or for measurements and tiers alone one that demands no more than that the evidence
 * is genuine, fresh and of a machine that nobody debugs or moves (V-80 to V-84).
 */
#include "svc/svc_int.h"

#include <stdio.h>

enum { DEVICES = 16, POLICIES = 8 };

struct cm_svc_evidence {
    cm_shown s;
    cm_bound bound;
    cm_tpm_activation activation;
};

/* ---- reading ---- */

static cm_view bytes(const cm_call *c, unsigned number)
{
    const cm_msg_value *v = cm_field_by_number(c->request, number);

    return v ? v->view : cm_view_of(NULL, 0);
}

/* V-80: the name of what the key is for tells keys of one length apart. */
static cm_view suite_of(cm_view key)
{
    static const struct {
        size_t n;
        const char *name;
    } suites[] = {{1184, "ML-KEM-768"}, {1568, "ML-KEM-1024"}, {1216, "X-Wing"}};

    for (size_t i = 0; i < CM_COUNT(suites); i++)
        if (key.n == suites[i].n)
            return cm_view_str(suites[i].name);
    return cm_view_of(NULL, 0);
}

static cm_err bind(cm_call *c, struct cm_svc_evidence *x, cm_view nonce)
{
    cm_view key = bytes(c, CM_FIELD_ATTESTED_KEY);
    const cm_binding b = {
        .role = CM_LIT(CM_BIND_CLIENT), .suite = suite_of(key), .hpke_key = key, .nonce = nonce};

    return cm_bind(&x->bound, c->svc->o.crypt, &b);
}

cm_err cm_svc_evidence(cm_call *c)
{
    const cm_msg_value *devices = cm_field_by_number(c->request, CM_FIELD_DEVICES);
    struct cm_call_state *st = c->state;
    cm_view evidence = bytes(c, CM_FIELD_EVIDENCE);
    uint8_t nonce[CM_CHALLENGE_NONCE], hash[32];
    struct cm_svc_evidence *x;
    uint64_t until;

    if (st->rcar)
        return cm_svc_evidence_of(c, st->rcar);
    if (evidence.n == 0)
        return CM_OKAY;
    if (!c->svc->o.attestor.judge) /* V-28 */
        return CM_FAIL(SVC_NO_VERIFIER);
    CM_TRY(cm_hash_once(c->svc->o.crypt, CM_SHA256, hash, evidence));
    CM_TRY(cm_arena_copy(c->arena, &st->evidence, CM_VIEW(hash)));
    CM_TRY(cm_arena_get(c->arena, &x, sizeof *x));
    CM_TRY(cm_svc_challenge_take(c, st->tenant, bytes(c, CM_FIELD_CHALLENGE), nonce, &x->activation,
                                 &until));
    CM_TRY(cm_svc_challenge_once(c, st->tenant, CM_VIEW(nonce), until));
    CM_TRY(bind(c, x, CM_VIEW(nonce)));
    x->s = (cm_shown){.evidence = evidence, .bound = &x->bound};
    if (x->activation.name_n)
        x->s.activation = &x->activation;
    if (devices && devices->set) {
        x->s.devices = devices->views;
        x->s.devices_n = devices->n;
    }
    st->shown = x;
    return CM_OKAY;
}

cm_err cm_svc_evidence_of(cm_call *c, const cm_msg *rcar)
{
    const cm_msg_value *devices = &rcar->v[M_RcarRecord_devices];
    cm_view name = cm_msg_view(rcar, M_RcarRecord_name), ek = cm_msg_view(rcar, M_RcarRecord_ek);
    cm_view secret = cm_msg_view(rcar, M_RcarRecord_secret);
    struct cm_svc_evidence *x;
    uint8_t hash[32];

    if (!c->svc->o.attestor.judge) /* V-28 */
        return CM_FAIL(SVC_NO_VERIFIER);
    CM_TRY(cm_arena_get(c->arena, &x, sizeof *x));
    memset(x, 0, sizeof *x);
    x->s = (cm_shown){.evidence = cm_msg_view(rcar, M_RcarRecord_evidence),
                      .event_log = cm_msg_view(rcar, M_RcarRecord_event_log),
                      .fresh = cm_msg_view(rcar, M_RcarRecord_fresh),
                      .device_fresh = cm_msg_view(rcar, M_RcarRecord_device_fresh)};
    if (devices->set) {
        x->s.devices = devices->views;
        x->s.devices_n = devices->n;
    }
    if (name.n && name.n <= CM_TPM_NAME_MAX && ek.n == 32 && secret.n == CM_TPM_SECRET) {
        memcpy(x->activation.name, name.p, name.n);
        x->activation.name_n = name.n;
        memcpy(x->activation.ek, ek.p, ek.n);
        memcpy(x->activation.secret, secret.p, secret.n);
        x->s.activation = &x->activation;
    }
    CM_TRY(cm_hash_once(c->svc->o.crypt, CM_SHA256, hash, x->s.evidence));
    CM_TRY(cm_arena_copy(c->arena, &c->state->evidence, CM_VIEW(hash)));
    c->state->shown = x;
    return CM_OKAY;
}

void cm_svc_evidence_init_data(cm_call *c, cm_view text)
{
    c->state->shown->s.init_data = text;
}

/* ---- judging ---- */

static void free_policy(void *p)
{
    cm_policy_free(p);
}

/* A policy parsed once for its row. */
static cm_err parsed(cm_call *c, const cm_policy **out, const cm_svc_row *row)
{
    cm_svc_row *r = cm_svc_held(c, row);
    cm_policy *p = atomic_load(&r->extra);
    cm_policy_fault fault;
    void *none = NULL;

    if (!p) {
        CM_TRY(cm_policy_read(&p, cm_msg_view(row->msg, M_AttestPolicyRecord_file), &fault));
        r->extra_free = free_policy;
        if (!atomic_compare_exchange_strong(&r->extra, &none, (void *)p)) {
            cm_policy_free(p);
            p = none;
        }
    }
    *out = p;
    return CM_OKAY;
}

static cm_err judge(cm_call *c, cm_appraisal *out, const cm_policy *p, uint8_t measured[64],
                    size_t *n)
{
    const cm_attestor *a = &c->svc->o.attestor;

    return a->judge(a->self, out, measured, n, p, &c->state->shown->s, c->state->now / 1000);
}

static cm_err under(cm_call *c, cm_appraisal *out, cm_view policy, const cm_msg **record,
                    uint8_t measured[64], size_t *n)
{
    const cm_svc_row *row;
    const cm_policy *p;
    cm_view path;
    cm_err e;

    *out = (cm_appraisal){.accepted = false};
    CM_TRY(CM_PATH(c, &path, c->state->tenant, CM_LIT("attest-policy"), policy));
    e = cm_svc_read(c, &row, path, &cm_message_AttestPolicyRecord);
    if (cm_is(e, CM_STORE_NO_ROW)) {
        (void)snprintf(out->sentence, sizeof out->sentence,
                       "There is no attestation policy \"%.*s\".", (int)CM_MIN(policy.n, 60u),
                       policy.n ? (const char *)policy.p : "");
        return CM_OKAY;
    }
    CM_TRY(e);
    if (record)
        *record = row->msg;
    if (!c->state->shown) {
        (void)snprintf(out->sentence, sizeof out->sentence,
                       "The request shows no evidence for attestation policy \"%.*s\".",
                       (int)CM_MIN(policy.n, 60u), policy.n ? (const char *)policy.p : "");
        return CM_OKAY;
    }
    CM_TRY(parsed(c, &p, row));
    return judge(c, out, p, measured, n);
}

cm_err cm_svc_shows(cm_call *c, cm_appraisal *out, cm_view policy, const cm_msg **record)
{
    uint8_t measured[64];
    size_t n;

    if (record)
        *record = NULL;
    return under(c, out, policy, record, measured, &n);
}

/* ---- for grants ---- */

static void add_once(cm_views *list, cm_view v)
{
    cm_view *to = (cm_view *)(uintptr_t)list->v;

    for (size_t i = 0; i < list->n; i++)
        if (cm_view_eq(list->v[i], v))
            return;
    if (list->n < POLICIES)
        to[list->n++] = v;
}

/* The policies that grants about this name, so that no other is looked at. */
static bool wanted(cm_views *policies, const cm_ask *ask, const cm_grant *grants, size_t n)
{
    bool plain = false;

    for (size_t i = 0; i < n; i++) {
        if (!cm_policy_about(&grants[i], ask))
            continue;
        for (size_t k = 0; k < grants[i].attested.n; k++)
            add_once(policies, grants[i].attested.v[k]);
        plain |= grants[i].measurements.n || grants[i].min_tier;
    }
    return plain;
}

/* V-84: what measurements and tiers stand on where no policy of the tenant is named. */
cm_err cm_svc_shows_genuine(cm_call *c, cm_appraisal *out, uint8_t measured[64], size_t *n)
{
    static const char kinds[][12] = {"snp", "nitro", "tdx", "sgx", "azure-vtpm", "nvidia"};
    CM_AUTO(cm_buf_free) cm_buf text = {.max = 4096};
    CM_AUTO(cm_policy_free_ptr) cm_policy *p = NULL;
    cm_policy_fault fault;

    CM_TRY(cm_buf_append(&text, CM_LIT("casemate_policy: 1\nname: genuine\nversion: 1\n"
                                       "evidence:\n")));
    for (size_t i = 0; i < CM_COUNT(kinds); i++) {
        CM_TRY(cm_buf_append(&text, CM_LIT("  ")));
        CM_TRY(cm_buf_append(&text, cm_view_str(kinds[i])));
        CM_TRY(cm_buf_append(
            &text, CM_LIT(": {measurements: any, may_skip: [revocation, tcb, guest-policy, "
                          "platform, config, events, pcrs, chip]}\n")));
    }
    CM_TRY(cm_policy_read(&p, cm_buf_view(&text), &fault));
    return judge(c, out, p, measured, n);
}

cm_err cm_svc_evidence_facts(cm_call *c, cm_ask *ask, const cm_grant *grants, size_t n,
                             uint8_t measurement[64])
{
    cm_view wants[POLICIES], *meets;
    cm_views policies = {wants, 0};
    uint8_t measured[64];
    cm_appraisal a = {.accepted = false};
    bool any = false;
    size_t size;

    if (!c->state->shown)
        return CM_OKAY;
    CM_TRY(cm_arena_get(c->arena, &meets, sizeof wants));
    ask->attested = (cm_views){meets, 0};
    if (wanted(&policies, ask, grants, n)) {
        CM_TRY(cm_svc_shows_genuine(c, &a, measurement, &size));
        any = a.accepted;
        if (any) {
            ask->measurement = cm_view_of(measurement, size);
            ask->tier = a.tier;
        }
    }
    for (size_t i = 0; i < policies.n; i++) {
        CM_TRY(under(c, &a, policies.v[i], NULL, measured, &size));
        if (!a.accepted)
            continue;
        any = true;
        meets[ask->attested.n++] = policies.v[i];
        ask->tier = CM_MAX(ask->tier, a.tier);
    }
    if (any || a.sentence[0] == 0) /* no grant asks: the key's own policy may */
        return CM_OKAY;
    (void)snprintf(c->detail, sizeof c->detail, "%s", a.sentence);
    return CM_FAIL(SVC_EVIDENCE);
}
