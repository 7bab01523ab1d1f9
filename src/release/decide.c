/* The decision: whether it is in time and of this challenge, each piece verified, the policy asked.
 */
#include "release/decide.h"

#include <stdio.h>

#include "attest/trustee.h"

enum { BOOT_TEXT_MAX = 8 << 10 };

void cm_decision_done(cm_decision *d)
{
    for (size_t i = 0; i < d->n; i++)
        cm_appraised_done(&d->piece[i]);
    cm_free(d->piece);
    cm_free(d->trust);
    *d = (cm_decision){0};
}

/* ---- the start of a machine ---------------------------------------------------------------- */

/* RL-15: what of each kind changes when it starts anew; of TDX, which has nothing of that sort, all
 * that was measured. */
static const struct {
    cm_attest_kind kind;
    const char *claim[5];
} boot_claims[] = {
    {CM_ATTEST_SNP, {"report_id", "report_id_ma"}},
    {CM_ATTEST_TPM, {"ak_name", "reset_count", "restart_count"}},
    {CM_ATTEST_AZURE, {"ak_name", "vm_id", "reset_count", "restart_count"}},
    {CM_ATTEST_TDX, {"mrtd", "rtmr", "mrconfigid", "mrowner", "mrownerconfig"}},
    {CM_ATTEST_SGX, {"mrenclave", "config_id"}},
    {CM_ATTEST_NITRO, {"module_id"}},
    {CM_ATTEST_NVIDIA, {"fwid"}},
    {CM_ATTEST_ANDROID, {"boot_key", "boot_hash", "public_key"}},
    {CM_ATTEST_APPLE, {"key_id"}},
};

static cm_err put_claim(cm_buf *b, const cm_attest_result *r, const cm_attest_claim *c)
{
    cm_view v = cm_attest_claim_view(r, c);

    CM_TRY(cm_buf_be32(b, c->index));
    CM_TRY(cm_buf_be64(b, c->type == CM_CLAIM_U64 ? c->u : v.n));
    return c->type == CM_CLAIM_U64 ? CM_OKAY : cm_buf_append(b, v);
}

static cm_err put_claims(cm_buf *b, const cm_attest_result *r, const char *name)
{
    CM_TRY(cm_buf_append(b, cm_view_of(name, strlen(name) + 1)));
    for (size_t i = 0; i < r->n_claims; i++)
        if (strcmp(r->claim[i].name, name) == 0)
            CM_TRY(put_claim(b, r, &r->claim[i]));
    return CM_OKAY;
}

cm_err cm_release_boot_id(uint8_t out[CM_BOOT_ID], const cm_crypt *c,
                          const cm_attest_result *machine)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = BOOT_TEXT_MAX};
    const char *kind = cm_attest_kind_name(machine->kind);

    CM_TRY(cm_buf_append(&b, CM_LIT("casemate-boot-v1\0")));
    CM_TRY(cm_buf_append(&b, cm_view_of(kind, strlen(kind) + 1)));
    for (size_t i = 0; i < CM_COUNT(boot_claims); i++)
        for (size_t j = 0; boot_claims[i].kind == machine->kind &&
                           j < CM_COUNT(boot_claims[i].claim) && boot_claims[i].claim[j];
             j++)
            CM_TRY(put_claims(&b, machine, boot_claims[i].claim[j]));
    return cm_hash_once(c, CM_SHA256, out, cm_buf_view(&b));
}

/* ---- deciding ------------------------------------------------------------------------------ */

static void refuse(cm_decision *d, const cm_release_terms *t, const char *why)
{
    d->answer = (cm_appraisal){0};
    (void)snprintf(d->answer.sentence, sizeof d->answer.sentence,
                   "Policy \"%.60s\" version %llu was not asked: %s.", t->policy->name,
                   (unsigned long long)t->policy->version, why);
}

/* RL-12 */
static bool in_time(cm_decision *d, const cm_release_terms *t)
{
    if (t->now < t->challenge->made)
        refuse(d, t, "the challenge was made in the future");
    else if (t->now >= t->challenge->expires)
        refuse(d, t, "the challenge is over");
    else
        return true;
    return false;
}

/* What the verifier itself has; evidence brings its own certificates, never lists (AT-9). */
static void add_collateral(cm_attest_input *in, const cm_attest_input *own)
{
    if (!own)
        return;
    if (in->n_certs == 0) {
        in->certs = own->certs;
        in->n_certs = own->n_certs;
    }
    in->crls = own->crls;
    in->n_crls = own->n_crls;
    in->tcb_info = own->tcb_info;
    in->tcb_info_sig = own->tcb_info_sig;
    in->qe_identity = own->qe_identity;
    in->qe_identity_sig = own->qe_identity_sig;
    in->tcb_infos = own->tcb_infos;
    in->identities = own->identities;
    in->status_list = own->status_list;
    in->status_time = own->status_time;
    in->ocsps = own->ocsps;
    in->n_ocsps = own->n_ocsps;
    in->rims = own->rims;
    in->n_rims = own->n_rims;
    in->cache = own->cache;
}

static unsigned flags_of(const cm_policy *p, cm_attest_kind kind)
{
    const cm_policy_rule *rule = cm_policy_rule_of(p, kind);

    return rule ? rule->demand.flags : 0;
}

typedef struct {
    uint8_t b[CM_HASH_MAX];
    size_t n;
} fresh;

static cm_err appraise_all(cm_decision *d, const cm_crypt *c, const cm_release_terms *t,
                           const cm_attest_input *in, const fresh *f, size_t n)
{
    const cm_challenge *ch = t->challenge;

    for (size_t i = 0; i < n; i++) {
        cm_attest_input one = in[i];
        cm_err e;

        add_collateral(&one, t->collateral);
        e = cm_policy_appraise_opened(&d->piece[i], c, t->policy, &one, t->now,
                                      cm_view_of(f[i].b, f[i].n),
                                      ch->has_activation ? &ch->activation : NULL); /* RL-14 */
        if (cm_is(e, CM_ATTEST_KIND) || cm_is(e, CM_ATTEST_CERTIFICATE)) {
            refuse(d, t, "the evidence can't be read");
            return CM_OKAY;
        }
        CM_TRY(e);
        d->n = i + 1;
        cm_trust_of(&d->trust[i], &d->piece[i].r, flags_of(t->policy, d->piece[i].r.kind));
    }
    CM_TRY(cm_release_boot_id(d->boot, c, &d->piece[0].r));
    cm_policy_judge(&d->answer, t->policy, d->piece, d->n, t->now);
    return CM_OKAY;
}

/* RL-13: a challenge made for one kind is not answered by evidence of another. */
static cm_err decide(cm_decision *out, const cm_crypt *c, const cm_release_terms *t,
                     const cm_attest_input *in, const fresh *f, size_t n)
{
    CM_AUTO(cm_decision_done) cm_decision d = {.n = 0};
    cm_attest_kind kind = in[0].kind ? in[0].kind : cm_attest_detect(in[0].evidence);

    CM_TRY(cm_alloc_array(&d.piece, n, sizeof *d.piece));
    CM_TRY(cm_alloc_array(&d.trust, n, sizeof *d.trust));
    if (kind != t->challenge->kind)
        refuse(&d, t, "the challenge was made for another kind of environment");
    else if (in_time(&d, t))
        CM_TRY(appraise_all(&d, c, t, in, f, n));
    cm_decision_done(out);
    *out = d;
    d = (cm_decision){0};
    return CM_OKAY;
}

/* RL-81: what was verified, and is about another start, is refused whatever the policy says. */
static cm_err started_with(cm_decision *d, const cm_crypt *c, const cm_release_terms *t,
                           cm_view init_data)
{
    bool bound = false;

    if (init_data.n == 0 || d->n == 0)
        return CM_OKAY;
    CM_TRY(cm_trustee_init_data(&bound, c, &d->piece[0].r, init_data));
    if (!bound && d->answer.accepted) {
        d->answer = (cm_appraisal){0};
        (void)snprintf(d->answer.sentence, sizeof d->answer.sentence,
                       "Policy \"%.60s\" version %llu accepts the evidence, but it is not bound to "
                       "the init-data.",
                       t->policy->name, (unsigned long long)t->policy->version);
    }
    return CM_OKAY;
}

cm_err cm_release_decide_rcar(cm_decision *out, const cm_crypt *c, const cm_release_terms *t,
                              const cm_rcar_attestation *a)
{
    cm_attest_input in[CM_RCAR_PIECES];
    fresh f[CM_RCAR_PIECES] = {{{0}, 0}};

    if (a->n == 0 || a->n > CM_RCAR_PIECES)
        return CM_FAIL(BAD_ARGUMENT);
    for (size_t i = 0; i < a->n; i++)
        in[i] = cm_rcar_input(a, i);
    /* RL-12: bound to the nonce that was asked for, whatever the message says it is. */
    f[0].n = cm_hash_size(t->challenge->hash);
    CM_TRY(cm_rcar_report_data(f[0].b, c, t->challenge->hash, t->challenge->nonce, a->key,
                               cm_buf_view(&a->additional)));
    for (size_t i = 1; i < a->n; i++) {
        f[i].n = 32;
        CM_TRY(cm_rcar_device_data(f[i].b, c, t->challenge->hash, t->challenge->nonce, a->key));
    }
    CM_TRY(decide(out, c, t, in, f, a->n));
    return started_with(out, c, t, cm_buf_view(&a->init_data));
}

cm_err cm_release_decide_bound(cm_decision *out, const cm_crypt *c, const cm_release_terms *t,
                               const cm_binding *b, const cm_attest_input *in, size_t n)
{
    fresh f[CM_RCAR_PIECES] = {{{0}, 0}};
    cm_bound bound;

    if (n == 0 || n > CM_RCAR_PIECES || !cm_view_eq(b->nonce, CM_VIEW(t->challenge->nonce)))
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_bind(&bound, c, b));
    CM_TRY(cm_bound_for(f[0].b, &f[0].n, c, &bound, t->challenge->kind));
    for (size_t i = 1; i < n; i++) {
        f[i].n = CM_BIND_SHORT;
        CM_TRY(cm_bound_gpu(f[i].b, c, &bound, (uint32_t)(i - 1)));
    }
    return decide(out, c, t, in, f, n);
}
