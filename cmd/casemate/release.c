/* casemate attest challenge, release, receive: the key broker without a server. */
#include "release.h"

#include <stdio.h>

#include "base/os.h"
#include "codec/text.h"
#include "release/jwe.h"

enum { SPKI_MAX = 16 << 10 };

void cm_cli_release_done(cm_cli_release *r)
{
    cm_policy_free(r->policy);
    cm_buf_free(&r->policy_file);
    for (size_t i = 0; i < CM_RCAR_PIECES; i++)
        cm_buf_free(&r->file[i]);
    cm_buf_free(&r->tls);
    cm_buf_free(&r->manifest);
    cm_rcar_attestation_done(&r->a);
    cm_pkey_free(r->holder);
    cm_attest_bundle_free(r->own);
    cm_challenge_done(&r->ch);
    cm_decision_done(&r->d);
}

/* ---- what was brought ---------------------------------------------------------------------- */

static cm_err load_files(cm_cli *cli, cm_cli_release *r)
{
    for (size_t i = 0; i < cli->args_n; i++) {
        r->file[i].max = CM_RCAR_ATTESTATION_MAX;
        CM_TRY(cm_cli_about(cli, cli->args[i],
                            cm_os_slurp(&r->file[i], cli->args[i], CM_RCAR_ATTESTATION_MAX), NULL));
    }
    r->rcar = r->file[0].n && r->file[0].p[0] == '{';
    if (r->rcar && cli->args_n > 1)
        return cm_cli_usage(cli, "an Attestation holds all of a machine's evidence: give it alone");
    return CM_OKAY;
}

static cm_err load_spki(cm_cli *cli, cm_cli_release *r)
{
    const char *path = cm_cli_text(cli, "tls-key");
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *key = NULL;

    if (!path)
        return CM_OKAY;
    r->tls.max = SPKI_MAX;
    CM_TRY(cm_cli_load_key(cli, &key, path));
    return cm_cli_about(cli, path, cm_pkey_public_der(&r->tls, key), NULL);
}

cm_err cm_cli_release_holder(cm_cli *cli, cm_cli_release *r, cm_ear_bound *b)
{
    const char *path = cm_cli_text(cli, "holder");
    const cm_kem_key *k = NULL;

    if (path) {
        CM_TRY(cm_cli_load_key(cli, &r->holder, path));
        k = cm_pkey_kem(r->holder);
        if (!k)
            return cm_cli_about(cli, path, CM_FAIL(RELEASE_KEY), NULL);
    }
    CM_TRY(load_spki(cli, r));
    if (cm_cli_has(cli, "manifest")) {
        r->manifest.max = CM_EAR_MANIFEST_MAX;
        CM_TRY(cm_cli_hex_option(cli, "manifest", 0, &r->manifest));
        memcpy(b->manifest, r->manifest.p, r->manifest.n);
        b->manifest_n = r->manifest.n;
    }
    if (!k && r->tls.n == 0)
        return CM_OKAY;
    return cm_ear_hold(b, cli->crypt, k ? cm_kem_key_info(k)->id : (cm_kem_id)0,
                       k ? cm_kem_public(k) : CM_LIT(""), cm_buf_view(&r->tls));
}

/* An Attestation says which key holds it; of packs the options do. */
static cm_err holder_of(cm_cli *cli, cm_cli_release *r)
{
    if (!r->rcar) {
        CM_TRY(cm_cli_release_holder(cli, r, &r->bound));
        return r->bound.key_n || r->bound.has_tls
                   ? CM_OKAY
                   : cm_cli_usage(cli, "evidence by itself needs --holder: the key that it binds");
    }
    if (cm_cli_has(cli, "holder") || cm_cli_has(cli, "tls-key") || cm_cli_has(cli, "manifest"))
        return cm_cli_usage(cli, "an Attestation says by itself which key it is bound to");
    return cm_ear_hold(&r->bound, cli->crypt, CM_KEM_MLKEM768, CM_VIEW(r->a.key), CM_LIT(""));
}

static cm_err nonce_of(cm_cli *cli, const cm_cli_release *r, uint8_t nonce[CM_RCAR_NONCE])
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_RCAR_NONCE};

    if (r->rcar)
        return cm_cli_about(cli, cli->args[0], cm_rcar_nonce_of(nonce, cm_buf_view(&r->file[0])),
                            NULL);
    if (!cm_cli_has(cli, "nonce"))
        return cm_cli_usage(cli, "--nonce names the challenge that evidence by itself answers");
    CM_TRY(cm_cli_hex_option(cli, "nonce", 0, &b));
    if (b.n != CM_RCAR_NONCE)
        return cm_cli_usage(cli, "--nonce takes %d hex digits", 2 * CM_RCAR_NONCE);
    memcpy(nonce, b.p, b.n);
    return CM_OKAY;
}

/* ---- deciding ------------------------------------------------------------------------------ */

/* The suite is the one whose name the token has for the key. */
static cm_err decide_bound(cm_cli *cli, cm_cli_release *r, const cm_release_terms *t)
{
    cm_attest_input in[CM_RCAR_PIECES] = {{.kind = CM_ATTEST_UNKNOWN}};
    cm_binding b = {.role = CM_LIT(CM_BIND_CLIENT),
                    .tls_key = cm_buf_view(&r->tls),
                    .manifest = cm_buf_view(&r->manifest),
                    .nonce = CM_VIEW(r->ch.nonce)};

    if (r->bound.key_n) {
        b.suite = r->bound.kem == CM_KEM_MLKEM768 ? CM_LIT(CM_JWE_ALG) : CM_LIT("X-Wing");
        b.hpke_key = cm_view_of(r->bound.key, r->bound.key_n);
    }
    for (size_t i = 0; i < cli->args_n; i++)
        in[i].evidence = cm_buf_view(&r->file[i]);
    return cm_release_decide_bound(&r->d, cli->crypt, t, &b, in, cli->args_n);
}

static void show_trust(cm_cli *cli, cm_cli_event *e, const cm_decision *d)
{
    cm_json_begin_array(&e->w, "pieces");
    for (size_t i = 0; i < d->n; i++) {
        const char *kind = cm_attest_kind_name(d->piece[i].r.kind);
        const char *status = cm_trust_tier_name(cm_trust_status(&d->trust[i]));

        cm_json_begin_object(&e->w, NULL);
        cm_json_put_text(&e->w, "kind", cm_view_str(kind));
        cm_json_put_text(&e->w, "status", cm_view_str(status));
        cm_cli_say(cli, "%-12s %s", kind, status);
        for (unsigned k = 0; k < CM_TRUST_COUNT; k++)
            if (d->trust[i].claim[k]) {
                const char *name = cm_trust_claim_name((cm_trust_claim)k);

                cm_json_put_u64(&e->w, name, d->trust[i].claim[k]);
                cm_cli_say(cli, "; %s %u", name, d->trust[i].claim[k]);
            }
        cm_json_end_object(&e->w);
        cm_cli_say(cli, "\n");
    }
    cm_json_end_array(&e->w);
}

static cm_err conclude(cm_cli *cli, const cm_decision *d)
{
    char hex[2 * CM_BOOT_ID + 1];
    cm_cli_event e;

    cm_cli_event_begin(cli, &e, "decision");
    cm_json_put_bool(&e.w, "accepted", d->answer.accepted);
    cm_json_put_u64(&e.w, "tier", d->answer.tier);
    cm_json_put_text(&e.w, "why", cm_view_str(d->answer.sentence));
    cm_json_put_hex(&e.w, "boot", CM_VIEW(d->boot));
    show_trust(cli, &e, d);
    cm_cli_event_end(cli, &e);
    if (d->n)
        cm_cli_say(cli, "boot         %s\n", cm_cli_hex(hex, CM_VIEW(d->boot)));
    cm_cli_say(cli, "%s\n", d->answer.sentence);
    if (d->answer.accepted)
        return CM_OKAY;
    (void)snprintf(cli->detail, sizeof cli->detail, "%s", d->answer.sentence);
    return CM_FAIL(POLICY_REFUSED);
}

cm_err cm_cli_release_decide(cm_cli *cli, cm_cli_release *r)
{
    cm_attest_input own = {.kind = CM_ATTEST_UNKNOWN};
    cm_release_terms t = {.challenge = &r->ch, .collateral = &own};
    uint8_t nonce[CM_RCAR_NONCE];

    r->now = cm_os_now();
    if (cm_cli_has(cli, "at"))
        CM_TRY(cm_cli_time(cli, "at", &r->now));
    CM_TRY(cm_cli_policy_load(cli, &r->policy, &r->policy_file, cm_cli_text(cli, "policy")));
    CM_TRY(load_files(cli, r));
    CM_TRY(nonce_of(cli, r, nonce));
    CM_TRY(cm_cli_collateral(cli, &r->own, cli->args[0], cm_buf_view(&r->file[0])));
    cm_attest_bundle_input(r->own, &own);
    CM_TRY(cm_cli_challenge_take(cli, &r->ch, nonce));
    if (r->rcar)
        CM_TRY(cm_cli_about(cli, cli->args[0],
                            cm_rcar_attestation_read(&r->a, r->ch.kind, cm_buf_view(&r->file[0])),
                            NULL));
    CM_TRY(holder_of(cli, r));
    CM_TRY(cm_ear_under(&r->bound, cli->crypt, r->policy, cm_buf_view(&r->policy_file)));
    t.policy = r->policy;
    t.now = r->now;
    CM_TRY(r->rcar ? cm_release_decide_rcar(&r->d, cli->crypt, &t, &r->a)
                   : decide_bound(cli, r, &t));
    return conclude(cli, &r->d);
}

/* ---- the verbs ----------------------------------------------------------------------------- */

static cm_err asked(cm_cli *cli, cm_rcar_request *r)
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = CM_RCAR_REQUEST_MAX};
    const char *path = cm_cli_text(cli, "request"), *kind = cm_cli_text(cli, "kind");

    if (!path == !kind)
        return cm_cli_usage(cli, "give --kind, or --request with what the machine sent");
    if (kind) {
        r->tee = cm_attest_kind_of(cm_view_str(kind));
        r->hash = CM_SHA384;
        return r->tee ? CM_OKAY : cm_cli_usage(cli, "there is no kind of evidence %s", kind);
    }
    CM_TRY(cm_cli_about(cli, path, cm_os_slurp(&text, path, CM_RCAR_REQUEST_MAX), NULL));
    return cm_cli_about(cli, path, cm_rcar_request_read(r, cm_buf_view(&text)), NULL);
}

cm_err cm_cli_attest_challenge(cm_cli *cli)
{
    CM_AUTO(cm_rcar_request_done) cm_rcar_request r = {.hash = CM_SHA384};
    CM_AUTO(cm_rcar_challenge_done) cm_rcar_challenge m = {.hash = CM_SHA384};
    CM_AUTO(cm_challenge_done) cm_challenge ch = {.made = 0};
    CM_AUTO(cm_buf_free) cm_buf text = {.max = CM_RCAR_CHALLENGE_MAX};
    const char *out = cm_cli_text(cli, "out");
    char hex[2 * CM_RCAR_NONCE + 1];
    uint64_t ttl = 0;
    cm_cli_event e;

    CM_TRY(cm_cli_number(cli, "ttl", 1, CM_CHALLENGE_TTL_MAX, &ttl));
    if (!cm_cli_has(cli, "state"))
        return cm_cli_usage(cli, "--state names the folder of open challenges");
    CM_TRY(asked(cli, &r));
    CM_TRY(cm_challenge_make(&ch, &m, cli->crypt, &r, cm_os_now(), (uint32_t)ttl));
    CM_TRY(cm_cli_challenge_keep(cli, &ch));
    CM_TRY(cm_rcar_challenge_put(&text, &m));
    CM_TRY(cm_buf_byte(&text, '\n'));
    if (out)
        CM_TRY(cm_cli_put_file(cli, out, cm_buf_view(&text)));
    cm_cli_event_begin(cli, &e, "challenge");
    cm_json_put_hex(&e.w, "nonce", CM_VIEW(ch.nonce));
    cm_json_put_text(&e.w, "kind", cm_view_str(cm_attest_kind_name(ch.kind)));
    cm_json_put_u64(&e.w, "expires", ch.expires);
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "nonce %s, good for %u seconds\n", cm_cli_hex(hex, CM_VIEW(ch.nonce)),
               (unsigned)(ch.expires - ch.made));
    return CM_OKAY;
}

static cm_err need(cm_cli *cli, const char *const *names)
{
    for (; *names; names++)
        if (!cm_cli_has(cli, *names))
            return cm_cli_usage(cli, "--%s is needed", *names);
    return CM_OKAY;
}

static cm_err seal_secret(cm_cli *cli, const cm_cli_release *r, cm_buf *response)
{
    CM_AUTO(cm_buf_free) cm_buf secret = {.max = CM_JWE_PLAIN_MAX};
    const char *path = cm_cli_text(cli, "secret");

    if (r->bound.kem != CM_KEM_MLKEM768)
        return cm_cli_about(cli, cm_cli_text(cli, "holder"), CM_FAIL(RELEASE_KEY), NULL);
    CM_TRY(cm_cli_about(cli, path, cm_os_slurp(&secret, path, CM_JWE_PLAIN_MAX), NULL));
    CM_TRY(cm_jwe_seal_to(response, cli->crypt, cm_view_of(r->bound.key, r->bound.key_n),
                          cm_buf_view(&secret)));
    return cm_buf_byte(response, '\n');
}

cm_err cm_cli_attest_release(cm_cli *cli)
{
    static const char *const needed[] = {"policy", "state", "secret", "out", NULL};
    CM_AUTO(cm_cli_release_done) cm_cli_release r = {.now = 0};
    CM_AUTO(cm_buf_free) cm_buf response = {.max = CM_JWE_MAX};
    const char *token = cm_cli_text(cli, "token");

    CM_TRY(need(cli, needed));
    if (token && (!cm_cli_has(cli, "signer") || !cm_cli_has(cli, "issuer")))
        return cm_cli_usage(cli, "--token needs --signer and --issuer");
    CM_TRY(cm_cli_release_decide(cli, &r));
    CM_TRY(seal_secret(cli, &r, &response));
    if (token)
        CM_TRY(cm_cli_release_token(cli, &r, token));
    return cm_cli_put_file(cli, cm_cli_text(cli, "out"), cm_buf_view(&response));
}

cm_err cm_cli_attest_receive(cm_cli *cli)
{
    static const char *const needed[] = {"key", "out", NULL};
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *key = NULL;
    CM_AUTO(cm_buf_free) cm_buf text = {.max = CM_JWE_MAX};
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = CM_JWE_PLAIN_MAX};
    const char *path = cm_cli_text(cli, "key");

    CM_TRY(need(cli, needed));
    CM_TRY(cm_cli_load_key(cli, &key, path));
    if (!cm_pkey_kem(key) || !cm_pkey_has_private(key))
        return cm_cli_about(cli, path, CM_FAIL(RELEASE_KEY), NULL);
    CM_TRY(cm_cli_about(cli, cli->args[0], cm_os_slurp(&text, cli->args[0], CM_JWE_MAX), NULL));
    CM_TRY(cm_cli_about(cli, cli->args[0],
                        cm_jwe_open(&plain, cli->crypt, cm_pkey_kem(key), cm_buf_view(&text)),
                        NULL));
    return cm_cli_put_file(cli, cm_cli_text(cli, "out"), cm_buf_view(&plain));
}
