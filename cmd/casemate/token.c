/* casemate attest token: issue, verify, show. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <casemate/model.h>

#include "base/os.h"
#include "release.h"

static cm_err form_of(cm_cli *cli, cm_ear_form *out)
{
    const char *form = cm_cli_text(cli, "form");

    *out = form && strcmp(form, "cwt") == 0 ? CM_EAR_CWT : CM_EAR_JWT;
    if (form && strcmp(form, "cwt") != 0 && strcmp(form, "jwt") != 0)
        return cm_cli_usage(cli, "--form is jwt or cwt");
    return CM_OKAY;
}

cm_err cm_cli_release_token(cm_cli *cli, const cm_cli_release *r, const char *path)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *key = NULL;
    CM_AUTO(cm_buf_free) cm_buf token = {.max = CM_EAR_MAX};
    char build[64];
    cm_ear_authority by = {cm_view_str(cm_cli_text(cli, "issuer")), {NULL, 0}};
    uint64_t ttl = 0;
    cm_ear_form form;
    cm_ear e;

    (void)snprintf(build, sizeof build, "casemate %s", cm_version());
    by.build = cm_view_str(build);
    CM_TRY(form_of(cli, &form));
    CM_TRY(cm_cli_number(cli, "token-ttl", CM_EAR_TTL_MIN, CM_EAR_TTL_MAX, &ttl));
    CM_TRY(cm_cli_load_key(cli, &key, cm_cli_text(cli, "signer")));
    CM_TRY(cm_ear_make(&e, cli->crypt, &r->d, &r->ch, &r->bound, &by, r->now, (uint32_t)ttl));
    CM_TRY(cm_cli_about(cli, cm_cli_text(cli, "signer"),
                        cm_ear_sign(&token, cli->crypt, form, &e, key), NULL));
    return cm_cli_put_file(cli, path, cm_buf_view(&token));
}

/* ---- showing ------------------------------------------------------------------------------- */

static void put_subs(cm_cli *cli, cm_cli_event *v, const cm_ear *e)
{
    cm_json_begin_object(&v->w, "appraisals");
    for (size_t i = 0; i < e->n; i++) {
        const cm_ear_sub *s = &e->sub[i];
        const char *status = cm_trust_tier_name(cm_trust_status(&s->trust));
        char name[CM_EAR_NAME];

        (void)cm_cli_clean(name, sizeof name, cm_view_str(s->name));
        cm_cli_say(cli, "%-12s %s", name, status);
        cm_json_begin_object(&v->w, s->name);
        cm_json_put_text(&v->w, "status", cm_view_str(status));
        for (unsigned k = 0; k < CM_TRUST_COUNT; k++)
            if (s->trust.claim[k]) {
                const char *claim = cm_trust_claim_name((cm_trust_claim)k);

                cm_json_put_u64(&v->w, claim, s->trust.claim[k]);
                cm_cli_say(cli, "; %s %u", claim, s->trust.claim[k]);
            }
        cm_json_end_object(&v->w);
        cm_cli_say(cli, "\n");
    }
    cm_json_end_object(&v->w);
}

static void say_hex(cm_cli *cli, const char *name, cm_view v)
{
    char hex[2 * CM_EAR_MANIFEST_MAX + 1];

    if (v.n)
        cm_cli_say(cli, "%-12s %s\n", name, cm_cli_hex(hex, v));
}

static void show_bound(cm_cli *cli, cm_cli_event *v, const cm_ear *e)
{
    const cm_ear_bound *b = &e->bound;
    cm_view tls = cm_view_of(b->tls, b->has_tls ? sizeof b->tls : 0);
    cm_view manifest = cm_view_of(b->manifest, b->manifest_n);
    uint8_t key[32] = {0};
    char name[CM_EAR_TEXT + 1];

    cm_json_put_hex(&v->w, "boot", CM_VIEW(b->boot));
    cm_json_put_hex(&v->w, "manifest", manifest);
    cm_json_put_hex(&v->w, "tls_key", tls);
    cm_json_put_text(&v->w, "policy", cm_view_str(b->policy));
    cm_json_put_u64(&v->w, "policy_version", b->version);
    cm_json_put_hex(&v->w, "policy_digest", CM_VIEW(b->digest));
    cm_cli_say(cli, "policy       %s, version %" PRIu64 "\n",
               cm_cli_clean(name, sizeof name, cm_view_str(b->policy)), b->version);
    say_hex(cli, "digest", CM_VIEW(b->digest));
    say_hex(cli, "boot", CM_VIEW(b->boot));
    say_hex(cli, "manifest", manifest);
    say_hex(cli, "TLS key", tls);
    if (b->key_n && cm_ok(cm_hash_once(cli->crypt, CM_SHA256, key, cm_view_of(b->key, b->key_n)))) {
        cm_json_put_hex(&v->w, "key_sha256", CM_VIEW(key));
        say_hex(cli, "key, SHA-256", CM_VIEW(key));
    }
}

static void show(cm_cli *cli, const cm_ear *e, cm_ear_form form, bool verified)
{
    char text[CM_EAR_TEXT + 1], from[32], to[32];
    cm_cli_event v;

    cm_cli_event_begin(cli, &v, "token");
    cm_json_put_bool(&v.w, "verified", verified);
    cm_json_put_text(&v.w, "form", form == CM_EAR_CWT ? CM_LIT("cwt") : CM_LIT("jwt"));
    cm_json_put_text(&v.w, "issuer", cm_view_str(e->issuer));
    cm_json_put_u64(&v.w, "issued", e->issued);
    cm_json_put_u64(&v.w, "expires", e->expires);
    cm_json_put_hex(&v.w, "nonce", CM_VIEW(e->nonce));
    cm_json_put_u64(&v.w, "tier", e->tier);
    cm_cli_say(cli, "issuer       %s\nissued       %s\nover         %s\ntier         %u\n",
               cm_cli_clean(text, sizeof text, cm_view_str(e->issuer)),
               cm_cli_date(from, e->issued), cm_cli_date(to, e->expires), e->tier);
    show_bound(cli, &v, e);
    put_subs(cli, &v, e);
    cm_cli_event_end(cli, &v);
}

/* ---- the verbs ----------------------------------------------------------------------------- */

static cm_err load(cm_cli *cli, cm_buf *token)
{
    const char *path = cli->args[0];

    token->max = CM_EAR_MAX;
    CM_TRY(cm_cli_about(cli, path, cm_os_slurp(token, path, CM_EAR_MAX), NULL));
    return CM_OKAY;
}

static cm_err show_token(cm_cli *cli)
{
    CM_AUTO(cm_buf_free) cm_buf token = {.max = CM_EAR_MAX};
    cm_ear_form form;
    cm_ear e;

    CM_TRY(load(cli, &token));
    CM_TRY(cm_cli_about(cli, cli->args[0], cm_ear_peek(&e, &form, cm_buf_view(&token)), NULL));
    cm_cli_say(cli, "NOTHING of this is verified:\n");
    show(cli, &e, form, false);
    return CM_OKAY;
}

/* What the token has to be keyed to: all that is not named has to be absent. */
static cm_err expected(cm_cli *cli, cm_cli_release *r)
{
    CM_AUTO(cm_buf_free) cm_buf boot = {.max = CM_BOOT_ID};

    CM_TRY(cm_cli_policy_load(cli, &r->policy, &r->policy_file, cm_cli_text(cli, "policy")));
    CM_TRY(cm_ear_under(&r->bound, cli->crypt, r->policy, cm_buf_view(&r->policy_file)));
    CM_TRY(cm_cli_release_holder(cli, r, &r->bound));
    if (!r->bound.key_n && !r->bound.has_tls)
        return cm_cli_usage(cli, "--holder or --tls-key: whose token is it to be?");
    CM_TRY(cm_cli_hex_option(cli, "boot", 0, &boot));
    if (boot.n != CM_BOOT_ID)
        return cm_cli_usage(cli, "--boot takes %d hex digits", 2 * CM_BOOT_ID);
    memcpy(r->bound.boot, boot.p, boot.n);
    return CM_OKAY;
}

static void say_why(cm_cli *cli, unsigned why)
{
    size_t at = 0;

    for (unsigned bit = 1; bit && bit <= why; bit <<= 1)
        if (why & bit && at < sizeof cli->detail)
            at += (size_t)snprintf(cli->detail + at, sizeof cli->detail - at, "%s%s",
                                   at ? ", " : "attest again: ", cm_ear_why(bit));
}

static cm_err verify_token(cm_cli *cli)
{
    CM_AUTO(cm_buf_free) cm_buf token = {.max = CM_EAR_MAX};
    CM_AUTO(cm_cli_release_done) cm_cli_release r = {.now = cm_os_now()};
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *key = NULL;
    cm_ear_demand d = {.bound = &r.bound};
    cm_ear_form form;
    unsigned why = 0;
    cm_ear e;
    cm_err err;

    CM_TRY(load(cli, &token));
    CM_TRY(expected(cli, &r));
    if (cm_cli_has(cli, "at"))
        CM_TRY(cm_cli_time(cli, "at", &r.now));
    CM_TRY(cm_cli_load_key(cli, &key, cm_cli_text(cli, "signer")));
    d.key = key;
    d.issuer = cm_view_str(cm_cli_text(cli, "issuer"));
    d.now = r.now;
    err = cm_ear_verify(&e, &why, cli->crypt, cm_buf_view(&token), &d);
    if (why)
        say_why(cli, why);
    CM_TRY(cm_cli_about(cli, cli->args[0], err, NULL));
    CM_TRY(cm_ear_peek(&e, &form, cm_buf_view(&token)));
    show(cli, &e, form, true);
    cm_cli_say(cli, "verified\n");
    return CM_OKAY;
}

static cm_err issue_token(cm_cli *cli)
{
    CM_AUTO(cm_cli_release_done) cm_cli_release r = {.now = 0};

    if (!cm_cli_has(cli, "state") || !cm_cli_has(cli, "out"))
        return cm_cli_usage(cli, "--state and --out are needed");
    CM_TRY(cm_cli_release_decide(cli, &r));
    return cm_cli_release_token(cli, &r, cm_cli_text(cli, "out"));
}

static cm_err need(cm_cli *cli, const char *const *names)
{
    for (; *names; names++)
        if (!cm_cli_has(cli, *names))
            return cm_cli_usage(cli, "--%s is needed", *names);
    return CM_OKAY;
}

cm_err cm_cli_attest_token(cm_cli *cli)
{
    static const char *const needed[] = {"policy", "signer", "issuer", NULL};
    const char *verb = cli->args[0];

    /* The files come behind the verb. */
    cli->args_n--;
    memmove(cli->args, cli->args + 1, cli->args_n * sizeof *cli->args);
    if (strcmp(verb, "issue") != 0 && cli->args_n > 1)
        return cm_cli_usage(cli, "%s takes one token", verb);
    if (strcmp(verb, "show") == 0)
        return show_token(cli);
    if (strcmp(verb, "issue") != 0 && strcmp(verb, "verify") != 0)
        return cm_cli_usage(cli, "the verb is issue, verify or show");
    CM_TRY(need(cli, needed));
    if (strcmp(verb, "issue") == 0)
        return issue_token(cli);
    if (!cm_cli_has(cli, "boot"))
        return cm_cli_usage(cli, "--boot is needed");
    return verify_token(cli);
}
