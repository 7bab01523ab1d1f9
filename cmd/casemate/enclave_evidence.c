/* casemate enclave verify --evidence: does hardware stand behind this manifest? Offline. */
#include <stdio.h>

#include "attest.h"
#include "base/os.h"
#include "enclave.h"

enum { USUAL_REGISTER = 15 };

/* What the pieces of evidence come to. */
struct seen {
    cm_cli_checks *c;
    const uint8_t *digest;
    cm_view log;
    bool has_log;
    unsigned pcr;
    cm_backing processor, tpm;
    cm_err err;
};

static cm_view register_of(const cm_attest_result *r, unsigned pcr)
{
    for (size_t i = 0; i < r->n_claims; i++)
        if (strcmp(r->claim[i].name, "pcr") == 0 && r->claim[i].index == pcr)
            return cm_attest_claim_view(r, &r->claim[i]);
    return (cm_view){0};
}

static void say_register(struct seen *s, cm_check verdict, const char *why)
{
    char name[16];

    (void)snprintf(name, sizeof name, "%u", s->pcr);
    cm_cli_checked(s->c, verdict, "register", cm_view_str(name), why);
}

/* The register holds what the log says, or the manifest and nothing else (EN-63). */
static cm_err check_register(struct seen *s, const cm_attest_result *r, bool *good)
{
    CM_AUTO(cm_buf_free) cm_buf alone = {.max = 128};
    cm_view held = register_of(r, s->pcr), log = s->log;
    cm_enclave_replay want;

    *good = false;
    if (!s->has_log) {
        CM_TRY(cm_enclave_log_line(&alone, s->pcr, s->digest));
        log = cm_buf_view(&alone);
    }
    CM_TRY(cm_enclave_log_replay(&want, s->c->cli->crypt, log, s->pcr, s->digest));
    if (held.n == 0)
        say_register(s, CM_CHECK_FAIL, "it is not quoted, or nothing was ever put into it");
    else if (want.wanted == 0)
        say_register(s, CM_CHECK_FAIL, "its log does not have this manifest");
    else if (!cm_view_eq(held, CM_VIEW(want.value)))
        say_register(s, CM_CHECK_FAIL,
                     s->has_log ? "it holds something else than its log says"
                                : "it holds something else than this manifest alone: if more was "
                                  "started, give --pcr-log");
    else
        *good = true;
    if (*good)
        say_register(s, CM_CHECK_PASS,
                     want.all == 1 ? "it holds this manifest and nothing else"
                                   : "its log leads to what it holds, and has this manifest");
    return CM_OKAY;
}

static bool is_guest(cm_attest_kind k)
{
    return k == CM_ATTEST_SNP || k == CM_ATTEST_TDX || k == CM_ATTEST_NITRO || k == CM_ATTEST_AZURE;
}

/* A piece that was not accepted counts for nothing. */
static void see(void *arg, const cm_attest_result *r, cm_err verdict)
{
    struct seen *s = arg;
    const cm_attest_claim *firmware = cm_attest_find(r, "tpm_firmware");
    bool good = false;

    if (cm_failed(verdict) || cm_failed(s->err))
        return;
    if (is_guest(r->kind))
        s->processor = CM_BACKED;
    if (r->kind != CM_ATTEST_TPM)
        return;
    s->err = check_register(s, r, &good);
    if (good)
        s->tpm =
            firmware && cm_standing_firmware_emulated(firmware->u) ? CM_BACKED_EMULATED : CM_BACKED;
}

static void conclude(struct seen *s)
{
    cm_cli *cli = s->c->cli;
    cm_standing standing = cm_standing_of(s->processor, s->tpm);
    bool enough = !cm_standing_simulated(standing) ||
                  (standing.emulated && cm_cli_has(cli, "allow-emulated"));
    cm_cli_event e;

    cm_cli_event_begin(cli, &e, "tier");
    cm_cli_put_standing(&e.w, standing);
    cm_cli_event_end(cli, &e);
    cm_cli_checked(s->c, enough ? CM_CHECK_PASS : CM_CHECK_FAIL, "tier",
                   cm_view_str(cm_standing_name(standing)), cm_standing_text(standing));
}

static bool is_verdict(cm_err e)
{
    return cm_is(e, CM_ATTEST_REFUSED) || cm_is(e, CM_ATTEST_INCOMPLETE) ||
           cm_is(e, CM_POLICY_REFUSED);
}

static cm_err bound_to(cm_cli *cli, cm_bound *b, const uint8_t digest[CM_ENCLAVE_DIGEST])
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *answers = NULL;
    uint8_t nonce[CM_BIND_NONCE];

    if (!cm_cli_has(cli, "nonce"))
        return cm_cli_usage(cli, "--evidence takes --nonce: without it anyone could show it again");
    CM_TRY(cm_cli_enclave_nonce(cli, nonce));
    if (cm_cli_has(cli, "answers"))
        CM_TRY(cm_cli_load_key(cli, &answers, cm_cli_text(cli, "answers")));
    return cm_standing_bind(b, cli->crypt, digest, answers, nonce);
}

static cm_err load_log(cm_cli *cli, cm_buf *b)
{
    const char *path = cm_cli_text(cli, "pcr-log");

    return path ? cm_cli_about(cli, path, cm_os_slurp(b, path, CM_ENCLAVE_LOG_MAX), NULL) : CM_OKAY;
}

cm_err cm_cli_check_evidence(cm_cli_checks *c, const uint8_t digest[CM_ENCLAVE_DIGEST])
{
    CM_AUTO(cm_buf_free) cm_buf log = {.max = CM_ENCLAVE_LOG_MAX + 1};
    const char *path = cm_cli_text(c->cli, "evidence");
    struct seen s = {.c = c, .digest = digest, .has_log = cm_cli_has(c->cli, "pcr-log")};
    unsigned failed = c->n[CM_CHECK_FAIL];
    uint64_t pcr = USUAL_REGISTER;
    cm_bound b;
    cm_err e;

    if (!path) {
        cm_cli_checked(c, CM_CHECK_SKIP, "evidence", CM_LIT("-"), "name it with --evidence");
        return CM_OKAY;
    }
    CM_TRY(cm_cli_number(c->cli, "pcr", 0, CM_ENCLAVE_PCRS - 1, &pcr));
    CM_TRY(bound_to(c->cli, &b, digest));
    CM_TRY(load_log(c->cli, &log));
    s.log = cm_buf_view(&log);
    s.pcr = (unsigned)pcr;
    e = cm_cli_attest_bound(c->cli, path, &b, see, &s);
    if (cm_failed(e) && !is_verdict(e))
        return e;
    CM_TRY(cm_cli_about(c->cli, cm_cli_text(c->cli, "pcr-log"), s.err, NULL));
    cm_cli_checked(c, cm_ok(e) ? CM_CHECK_PASS : CM_CHECK_FAIL, "evidence", cm_view_str(path),
                   cm_ok(e) ? "accepted, and bound to this manifest and nonce" : cm_err_what(e));
    conclude(&s);
    c->evidence = c->n[CM_CHECK_FAIL] > failed;
    return CM_OKAY;
}
