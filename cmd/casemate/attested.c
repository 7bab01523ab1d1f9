/* A content key wrapped by the server and released to evidence. */
#include "attested.h"

#include <stdio.h>

#include "attest.h"
#include "keys/ring.h"
#include "svc/messages.h"

#define KEYSPACE "attested"

enum { ARENA_MAX = 4 << 20, PACK_MAX = 1 << 16, AREA_MAX = 1024, CERT_MAX = 4096 };

bool cm_cli_is_attested(const char *to)
{
    return strncmp(to, CM_CLI_ATTESTED, strlen(CM_CLI_ATTESTED)) == 0;
}

static cm_err connected(cm_cli_attested *k)
{
    return k->remote.client ? CM_OKAY : cm_remote_open(k->cli, &k->remote);
}

static void put_view(cm_msg *m, size_t field, cm_view v)
{
    m->v[field].set = v.n > 0;
    m->v[field].view = v;
}

static cm_err ask(cm_cli_attested *k, const char *op, cm_arena *a, const cm_msg *request,
                  cm_msg **answer)
{
    return cm_remote_call(k->cli, &k->remote, cm_svc_op_by_name(cm_view_str(op)), a, request,
                          answer);
}

/* ---- sealing ---- */

static bool listed(cm_cli_attested *k, const cm_msg *answer)
{
    const cm_msg_value *list = &answer->v[M_ListAttestPoliciesAnswer_policies];

    for (size_t i = 0; list->set && i < list->n; i++) {
        cm_view name = cm_msg_view(list->msgs[i], M_AttestPolicy_policy);

        if (!cm_view_eq(cm_msg_view(list->msgs[i], M_AttestPolicy_sha256), CM_VIEW(k->sha256)) ||
            name.n == 0 || name.n > CM_ATTESTED_POLICY)
            continue;
        memcpy(k->policy, name.p, name.n);
        k->policy[name.n] = 0;
        return true;
    }
    return false;
}

/* Which policy of the server this file is: by its digest, so that a model is sealed to what its
 * sealer has read. */
static cm_err find_policy(cm_cli_attested *k, cm_arena *a)
{
    cm_view next = cm_view_of(NULL, 0);
    cm_msg *m, *answer;

    do {
        CM_TRY(cm_msg_new(&m, a, &cm_message_ListAttestPoliciesRequest));
        put_view(m, M_ListAttestPoliciesRequest_tenant, cm_view_str(k->remote.tenant));
        put_view(m, M_ListAttestPoliciesRequest_page_token, next);
        CM_TRY(ask(k, "ListAttestPolicies", a, m, &answer));
        if (listed(k, answer))
            return CM_OKAY;
        next = cm_msg_view(answer, M_ListAttestPoliciesAnswer_next_page_token);
    } while (next.n);
    return CM_FAIL(CLI_ATTEST_POLICY);
}

static cm_err make_key(cm_cli_attested *k, cm_arena *a, cm_msg **answer)
{
    cm_msg *m;

    CM_TRY(cm_msg_new(&m, a, &cm_message_CreateKeyRequest));
    put_view(m, M_CreateKeyRequest_tenant, cm_view_str(k->remote.tenant));
    put_view(m, M_CreateKeyRequest_keyspace, CM_LIT(KEYSPACE));
    put_view(m, M_CreateKeyRequest_key, cm_view_str(k->policy));
    put_view(m, M_CreateKeyRequest_type, CM_LIT("AES-256"));
    put_view(m, M_CreateKeyRequest_release_policy, cm_view_str(k->policy));
    return ask(k, "CreateKey", a, m, answer);
}

static cm_err need_key(cm_cli_attested *k, cm_arena *a)
{
    cm_msg *m, *answer;
    cm_err e;

    CM_TRY(cm_msg_new(&m, a, &cm_message_KeyRequest));
    put_view(m, M_KeyRequest_tenant, cm_view_str(k->remote.tenant));
    put_view(m, M_KeyRequest_keyspace, CM_LIT(KEYSPACE));
    put_view(m, M_KeyRequest_key, cm_view_str(k->policy));
    e = ask(k, "GetKey", a, m, &answer);
    if (cm_is(e, CM_SVC_NO_KEY)) {
        k->cli->detail[0] = k->cli->advice[0] = 0;
        e = make_key(k, a, &answer);
    }
    CM_TRY(e);
    if (cm_view_eq(cm_msg_view(answer, M_Key_release_policy), cm_view_str(k->policy)))
        return CM_OKAY;
    return CM_FAIL(SVC_NOT_RELEASABLE);
}

static cm_err wrap(void *arg, cm_buf *wrapped, uint64_t *version, const cm_key_name *name,
                   const cm_key32 *key, cm_view aad)
{
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    cm_cli_attested *k = arg;
    cm_msg *m, *answer;

    CM_TRY(cm_arena_new(&a, ARENA_MAX));
    CM_TRY(cm_msg_new(&m, a, &cm_message_WrapRequest));
    put_view(m, M_WrapRequest_tenant, name->tenant);
    put_view(m, M_WrapRequest_keyspace, name->keyspace);
    put_view(m, M_WrapRequest_key, name->key);
    put_view(m, M_WrapRequest_plain, CM_VIEW(key->b));
    put_view(m, M_WrapRequest_aad, aad);
    CM_TRY(ask(k, "Wrap", a, m, &answer));
    CM_TRY(cm_buf_append(wrapped, cm_msg_view(answer, M_WrapAnswer_wrapped)));
    *version = cm_msg_number(answer, M_WrapAnswer_version, 0);
    return CM_OKAY;
}

cm_err cm_cli_attested_recipient(cm_cli *cli, cm_cli_attested *k, cm_recipient *out, const char *to)
{
    CM_AUTO(cm_policy_free_ptr) cm_policy *p = NULL;
    CM_AUTO(cm_buf_free) cm_buf file = {.max = 0};
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    const char *path = to + strlen(CM_CLI_ATTESTED);
    const cm_policy_rule *tpm;

    k->cli = cli;
    CM_TRY(cm_cli_policy_load(cli, &p, &file, path));
    CM_TRY(cm_hash_once(cli->crypt, CM_SHA256, k->sha256, cm_buf_view(&file)));
    CM_TRY(connected(k));
    CM_TRY(cm_arena_new(&a, ARENA_MAX));
    CM_TRY(cm_cli_about(cli, path, find_policy(k, a), NULL));
    CM_TRY(need_key(k, a));
    tpm = cm_policy_rule_of(p, CM_ATTEST_TPM);
    k->key = (cm_attested_key){.name = {.name = {.tenant = cm_view_str(k->remote.tenant),
                                                 .keyspace = CM_LIT(KEYSPACE),
                                                 .key = cm_view_str(k->policy)},
                                        .policy = cm_view_str(k->policy),
                                        .sha256 = CM_VIEW(k->sha256),
                                        .pcrs = tpm ? tpm->demand.tpm.pcrs : 0},
                               .wrap = wrap,
                               .arg = k};
    *out = cm_recipient_attested(&k->key);
    return CM_OKAY;
}

/* ---- opening ---- */

typedef struct {
    cm_buf pack, device[CM_CLI_DEVICES], ak, ek;
    size_t n;
    cm_kem_key *me;
} shown;

static void shown_done(shown *s)
{
    cm_buf_free(&s->pack);
    cm_buf_free(&s->ak);
    cm_buf_free(&s->ek);
    for (size_t i = 0; i < CM_CLI_DEVICES; i++)
        cm_buf_free(&s->device[i]);
    cm_kem_key_free(s->me);
}

static cm_err challenge(cm_cli_attested *k, cm_arena *a, const shown *s, cm_msg **answer)
{
    cm_msg *m;

    CM_TRY(cm_msg_new(&m, a, &cm_message_AttestChallengeRequest));
    put_view(m, M_AttestChallengeRequest_tenant, cm_view_str(k->remote.tenant));
    put_view(m, M_AttestChallengeRequest_ek_certificate, cm_buf_view(&s->ek));
    put_view(m, M_AttestChallengeRequest_ak, cm_buf_view(&s->ak));
    return ask(k, "AttestChallenge", a, m, answer);
}

/* The machine shows itself for the challenge, bound to a key that was made for this once. */
static cm_err show(cm_cli_attested *k, cm_arena *a, shown *s, uint32_t pcrs, cm_msg **answer)
{
    CM_AUTO(cm_cli_machine_free_ptr) cm_cli_machine *machine = NULL;
    cm_binding b = {.role = CM_LIT(CM_BIND_CLIENT), .suite = CM_LIT("X-Wing")};
    cm_bound bound;

    s->ak.max = AREA_MAX;
    s->ek.max = CERT_MAX;
    s->pack.max = PACK_MAX;
    CM_TRY(cm_cli_machine_open(k->cli, &machine, pcrs));
    CM_TRY(cm_cli_machine_identity(machine, &s->ak, &s->ek));
    CM_TRY(challenge(k, a, s, answer));
    CM_TRY(cm_kem_generate(&s->me, k->cli->crypt, CM_KEM_XWING));
    b.hpke_key = cm_kem_public(s->me);
    b.nonce = cm_msg_view(*answer, M_AttestChallengeAnswer_nonce);
    CM_TRY(cm_bind(&bound, k->cli->crypt, &b));
    return cm_cli_machine_show(machine, &bound,
                               cm_msg_view(*answer, M_AttestChallengeAnswer_credential), &s->pack,
                               s->device, &s->n);
}

static cm_err put_shown(cm_msg *m, cm_arena *a, const shown *s, const cm_msg *challenge_answer)
{
    cm_view *list;

    put_view(m, M_ReleaseKeyRequest_attested_key, cm_kem_public(s->me));
    put_view(m, M_ReleaseKeyRequest_evidence, cm_buf_view(&s->pack));
    put_view(m, M_ReleaseKeyRequest_challenge,
             cm_msg_view(challenge_answer, M_AttestChallengeAnswer_challenge));
    if (s->n == 0)
        return CM_OKAY;
    CM_TRY(cm_arena_get(a, &list, s->n * sizeof *list));
    for (size_t i = 0; i < s->n; i++)
        list[i] = cm_buf_view(&s->device[i]);
    m->v[M_ReleaseKeyRequest_device_evidence].set = true;
    m->v[M_ReleaseKeyRequest_device_evidence].views = list;
    m->v[M_ReleaseKeyRequest_device_evidence].n = s->n;
    return CM_OKAY;
}

static cm_err release(void *arg, cm_key32 *key, const cm_attested_name *name, cm_view wrapped,
                      cm_view aad)
{
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    CM_AUTO(cm_buf_free) cm_buf raw = {.max = sizeof key->b};
    CM_AUTO(shown_done) shown s = {.n = 0};
    cm_cli_attested *k = arg;
    cm_msg *m, *answer;

    CM_TRY(connected(k));
    CM_TRY(cm_arena_new(&a, ARENA_MAX));
    CM_TRY(show(k, a, &s, name->pcrs, &answer));
    CM_TRY(cm_msg_new(&m, a, &cm_message_ReleaseKeyRequest));
    put_view(m, M_ReleaseKeyRequest_tenant, name->name.tenant);
    put_view(m, M_ReleaseKeyRequest_keyspace, name->name.keyspace);
    put_view(m, M_ReleaseKeyRequest_key, name->name.key);
    put_view(m, M_ReleaseKeyRequest_wrapped, wrapped);
    put_view(m, M_ReleaseKeyRequest_aad, aad);
    CM_TRY(put_shown(m, a, &s, answer));
    CM_TRY(ask(k, "ReleaseKey", a, m, &answer));
    CM_TRY(
        cm_export_open(&raw, s.me, CM_KEY_AES_256, cm_msg_view(answer, M_ReleaseKeyAnswer_sealed)));
    if (raw.n != sizeof key->b)
        return CM_FAIL(CLI_SERVER);
    memcpy(key->b, raw.p, sizeof key->b);
    return CM_OKAY;
}

void cm_cli_attested_opener(cm_cli *cli, cm_cli_attested *k, cm_opener *out)
{
    k->cli = cli;
    k->key = (cm_attested_key){.release = release, .arg = k};
    *out = cm_opener_attested(&k->key);
}

void cm_cli_attested_done(cm_cli_attested *k)
{
    cm_remote_close(&k->remote);
}

void cm_cli_attested_text(cm_cli *cli, char *text, size_t max, const cm_stanza *st)
{
    char name[CM_ATTESTED_POLICY + 1];
    cm_attested_name n;
    cm_view wrapped;

    if (cm_failed(cm_attested_stanza_name(&n, &wrapped, cli->crypt, st)))
        (void)snprintf(text, max, "policy, damaged");
    else
        (void)snprintf(text, max, "machines of policy %s",
                       cm_cli_clean(name, sizeof name, n.policy));
}
