/* casemate attest policy: check, explain, diff, sign; and verify under one. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "appraise/policy.h"
#include "appraise/yaml.h"
#include "attest.h"
#include "base/os.h"
#include "ring.h"

enum { SIGNATURES = 8, PATH_TEXT = 256, FILE_SIGNATURE = 64 << 10 };

cm_err cm_cli_policy_load(cm_cli *cli, cm_policy **out, cm_buf *file, const char *path)
{
    cm_policy_fault fault = {0};
    cm_err e;

    file->max = CM_POLICY_FILE_MAX;
    CM_TRY(cm_cli_about(cli, path, cm_os_slurp(file, path, CM_POLICY_FILE_MAX), NULL));
    e = cm_policy_read(out, cm_buf_view(file), &fault);
    if (cm_failed(e) && fault.line) {
        char where[PATH_TEXT + 64];

        (void)snprintf(where, sizeof where, "%.*s:%u:%u", PATH_TEXT, path, fault.line,
                       fault.column);
        (void)snprintf(cli->detail, sizeof cli->detail, "%s", fault.what);
        return cm_cli_about(cli, where, e, NULL);
    }
    return cm_cli_about(cli, path, e, NULL);
}

/* ---- explain ------------------------------------------------------------------------------- */

static void explain_measurements(cm_cli *cli, const cm_policy_rule *r)
{
    if (r->any_measurement)
        cm_cli_say(cli, "  whatever was measured: the code is not checked\n");
    if (r->by_reference)
        cm_cli_say(cli, "  the measurements of a manifest that is referred to\n");
    for (size_t i = 0; i < r->n_measurements; i++) {
        const cm_policy_measurement *m = &r->measurement[i];
        char date[32], hex[129];

        cm_cli_say(cli, "  the measurement %s, \"%s\" (%s)", cm_cli_hex(hex, m->value), m->name,
                   m->provenance);
        if (m->until)
            cm_cli_say(cli, ", until %s", cm_cli_date(date, m->until));
        cm_cli_say(cli, "\n");
    }
}

static void explain_skips(cm_cli *cli, uint32_t may)
{
    for (unsigned i = 0; i < CM_CHECK_COUNT; i++)
        if (may & 1u << i)
            cm_cli_say(cli, "  without insisting that %s\n",
                       cm_attest_check_what((cm_attest_check)i));
}

static void explain_rule(cm_cli *cli, const cm_policy_rule *r)
{
    const cm_attest_policy *d = &r->demand;

    cm_cli_say(cli, "Accepts an %s of\n", cm_attest_kind_what(r->kind));
    explain_measurements(cli, r);
    if (r->n_chips)
        cm_cli_say(cli, "  on one of %zu chips that are named\n", r->n_chips);
    if (d->snp.has_floor)
        cm_cli_say(cli, "  with firmware from fmc %u, bl %u, tee %u, snp %u, ucode %u on\n",
                   d->snp.floor.fmc, d->snp.floor.bl, d->snp.floor.tee, d->snp.floor.snp,
                   d->snp.floor.ucode);
    for (unsigned s = 0; s <= CM_TCB_REVOKED; s++)
        if (d->intel.accept_tcb & 1u << s)
            cm_cli_say(cli, "  also where the vendor says: %s\n", cm_tcb_name((cm_tcb_status)s));
    if (d->max_age)
        cm_cli_say(cli, "  at most %" PRIu64 " seconds old\n", d->max_age);
    cm_cli_say(cli, "  %s\n",
               d->flags & CM_ATTEST_ALLOW_DEBUG
                   ? "ALSO WHEN IT CAN BE DEBUGGED: it protects nothing"
                   : "that nobody can debug");
    if (d->flags & CM_ATTEST_ALLOW_MIGRATE)
        cm_cli_say(cli, "  also when an agent may move it\n");
    explain_skips(cli, d->may_skip);
}

static void explain_tier(cm_cli *cli, unsigned t, const cm_policy_tier *tier)
{
    cm_cli_say(cli, "Tier %u: ", t);
    if (tier->never) {
        cm_cli_say(cli, "never granted\n");
        return;
    }
    cm_cli_say(cli, "%s", tier->evidence ? "evidence of the machine" : "any evidence at all");
    for (unsigned k = 1; tier->kinds && k < CM_POLICY_KINDS; k++)
        if (tier->kinds & 1u << k)
            cm_cli_say(cli, " [%s]", cm_attest_kind_name((cm_attest_kind)k));
    cm_cli_say(cli, "%s\n", tier->gpu ? " and of a GPU" : "");
}

static cm_err explain(cm_cli *cli, const cm_policy *p)
{
    char date[32], hex[65];
    cm_cli_event e;

    cm_cli_event_begin(cli, &e, "policy");
    cm_json_put_text(&e.w, "name", cm_view_str(p->name));
    cm_json_put_u64(&e.w, "version", p->version);
    cm_json_put_u64(&e.w, "rules", p->n_rules);
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "Policy \"%s\", version %" PRIu64 ", %s%s\n", p->name, p->version,
               p->expires ? "until " : "without end",
               p->expires ? cm_cli_date(date, p->expires) : "");
    for (size_t i = 0; i < p->n_rules; i++)
        explain_rule(cli, &p->rule[i]);
    for (size_t i = 0; i < p->n_references; i++)
        cm_cli_say(cli, "Refers to the manifest \"%s\" from version %" PRIu64 " on, signed by %s\n",
                   p->reference[i].name, p->reference[i].version,
                   cm_cli_hex(hex, CM_VIEW(p->reference[i].signer)));
    if (p->gpu)
        cm_cli_say(cli, "Always demands evidence of a GPU\n");
    for (unsigned t = 0; t < CM_POLICY_TIERS; t++)
        explain_tier(cli, t, &p->tier[t]);
    cm_cli_say(cli, "The next version needs the signatures of %d of\n", CM_POLICY_PEOPLE);
    for (size_t i = 0; i < p->n_signers; i++)
        cm_cli_say(cli, "  %s, key %s\n", p->signer[i].name,
                   cm_cli_hex(hex, CM_VIEW(p->signer[i].fingerprint)));
    if (p->n_signers < CM_POLICY_PEOPLE)
        cm_cli_say(cli, "  too few are named: nobody can change it\n");
    return CM_OKAY;
}

/* ---- check --------------------------------------------------------------------------------- */

typedef struct {
    cm_buf file[SIGNATURES];
    cm_view v[SIGNATURES];
    size_t n;
} signatures;

static void signatures_done(signatures *s)
{
    for (size_t i = 0; i < SIGNATURES; i++)
        cm_buf_free(&s->file[i]);
}

static cm_err load_signatures(cm_cli *cli, signatures *s)
{
    s->n = cm_cli_count(cli, "signature");
    if (s->n > SIGNATURES)
        return cm_cli_usage(cli, "--signature is given more than %d times", SIGNATURES);
    for (size_t i = 0; i < s->n; i++) {
        const char *path = cm_cli_nth(cli, "signature", i);

        s->file[i].max = FILE_SIGNATURE;
        CM_TRY(cm_cli_about(cli, path, cm_os_slurp(&s->file[i], path, FILE_SIGNATURE), NULL));
        s->v[i] = cm_buf_view(&s->file[i]);
    }
    return CM_OKAY;
}

static cm_err agreed(cm_cli *cli, const cm_policy *p, cm_view file)
{
    CM_AUTO(cm_cli_ring_free) cm_cli_ring keys = {.n = 0};
    CM_AUTO(cm_policy_free_ptr) cm_policy *before = NULL;
    CM_AUTO(signatures_done) signatures s = {.n = 0};
    CM_AUTO(cm_buf_free) cm_buf old = {.max = 0};
    const char *path = cm_cli_text(cli, "before");

    CM_TRY(load_signatures(cli, &s));
    CM_TRY(cm_cli_ring_option(cli, &keys, "key"));
    if (path)
        CM_TRY(cm_cli_policy_load(cli, &before, &old, path));
    return cm_cli_about(cli, cli->args[1],
                        cm_policy_agreed(cli->crypt, p, file, before, s.v, s.n, keys.v, keys.n),
                        NULL);
}

static cm_err check(cm_cli *cli)
{
    CM_AUTO(cm_policy_free_ptr) cm_policy *p = NULL;
    CM_AUTO(cm_buf_free) cm_buf file = {.max = 0};
    bool demanded = cm_cli_has(cli, "signature") || cm_cli_has(cli, "before");
    cm_cli_event e;

    CM_TRY(cm_cli_policy_load(cli, &p, &file, cli->args[1]));
    if (demanded)
        CM_TRY(agreed(cli, p, cm_buf_view(&file)));
    cm_cli_event_begin(cli, &e, "policy");
    cm_json_put_text(&e.w, "name", cm_view_str(p->name));
    cm_json_put_u64(&e.w, "version", p->version);
    cm_json_put_bool(&e.w, "agreed", demanded);
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "%s: \"%s\", version %" PRIu64 ": well formed%s\n", cli->args[1], p->name,
               p->version,
               demanded ? ", agreed to by two of its signers"
                        : "; nothing was said about who agreed to it");
    return CM_OKAY;
}

/* ---- diff ---------------------------------------------------------------------------------- */

typedef struct {
    cm_cli *cli;
    size_t n;
} differing;

static void path_of(char *text, const char *above, const cm_json_node *n, size_t i)
{
    cm_view key = cm_json_key(n);

    if (key.n)
        (void)snprintf(text, PATH_TEXT, "%s%s%.*s", above, above[0] ? "." : "",
                       (int)CM_MIN(key.n, (size_t)64), (const char *)key.p);
    else
        (void)snprintf(text, PATH_TEXT, "%s[%zu]", above, i);
}

static void shown(char *text, size_t n, const cm_json_node *v)
{
    cm_view t = {NULL, 0};
    bool b = false;

    if (cm_ok(cm_json_string(v, &t)) || cm_ok(cm_json_number(v, &t)))
        (void)cm_cli_clean(text, n, t);
    else if (cm_ok(cm_json_bool(v, &b)))
        (void)snprintf(text, n, "%s", b ? "true" : "false");
    else
        (void)snprintf(text, n, "(%zu)", cm_json_size(v));
}

static void tell(differing *d, const char *sign, const char *path, const cm_json_node *v)
{
    char text[PATH_TEXT];
    cm_cli_event e;

    shown(text, sizeof text, v);
    d->n++;
    cm_cli_event_begin(d->cli, &e, "difference");
    cm_json_put_text(&e.w, "sign", cm_view_str(sign));
    cm_json_put_text(&e.w, "path", cm_view_str(path));
    cm_json_put_text(&e.w, "value", cm_view_str(text));
    cm_cli_event_end(d->cli, &e);
    cm_cli_say(d->cli, "%s %s: %s\n", sign, path, text);
}

static bool same_text(const cm_json_node *a, const cm_json_node *b)
{
    char x[PATH_TEXT], y[PATH_TEXT];

    shown(x, sizeof x, a);
    shown(y, sizeof y, b);
    return cm_json_type_of(a) == cm_json_type_of(b) && strcmp(x, y) == 0;
}

/* A measurement is known by its value, a signer by its key, other items by themselves. */
static const cm_json_node *identity(const cm_json_node *n)
{
    const cm_json_node *v = cm_json_get(n, "value"), *k = cm_json_get(n, "key");

    return v ? v : k ? k : n;
}

static const cm_json_node *partner(const cm_json_node *list, const cm_json_node *item)
{
    if (cm_json_type_of(list) == CM_JSON_OBJECT)
        return cm_json_get_view(list, cm_json_key(item));
    for (const cm_json_node *n = cm_json_first(list); n; n = cm_json_next(n))
        if (same_text(identity(n), identity(item)))
            return n;
    return NULL;
}

/* One pair of values still to be compared. Depth is the parser's, so a list serves as stack. */
typedef struct {
    const cm_json_node *a, *b;
    char path[PATH_TEXT];
} pair;

enum { PAIRS = 512 };

static void only_in(differing *d, const char *sign, const cm_json_node *in,
                    const cm_json_node *not_in, const char *path)
{
    char below[PATH_TEXT];
    size_t i = 0;

    for (const cm_json_node *n = cm_json_first(in); n; n = cm_json_next(n), i++)
        if (!partner(not_in, n)) {
            path_of(below, path, n, i);
            tell(d, sign, below, identity(n));
        }
}

static void compare(differing *d, pair *stack, size_t *n, const pair *at)
{
    bool inside =
        cm_json_type_of(at->a) == CM_JSON_OBJECT || cm_json_type_of(at->a) == CM_JSON_ARRAY;
    size_t i = 0;

    if (!inside || cm_json_type_of(at->a) != cm_json_type_of(at->b)) {
        if (!same_text(at->a, at->b)) {
            tell(d, "-", at->path, at->a);
            tell(d, "+", at->path, at->b);
        }
        return;
    }
    only_in(d, "-", at->a, at->b, at->path);
    only_in(d, "+", at->b, at->a, at->path);
    for (const cm_json_node *v = cm_json_first(at->a); v; v = cm_json_next(v), i++) {
        const cm_json_node *other = partner(at->b, v);

        if (other && *n < PAIRS) {
            stack[*n] = (pair){.a = v, .b = other};
            path_of(stack[*n].path, at->path, v, i);
            ++*n;
        }
    }
}

static cm_err diff_trees(cm_cli *cli, const cm_yaml *a, const cm_yaml *b)
{
    CM_AUTO(cm_free_ptr) char *memory = NULL;
    differing d = {.cli = cli};
    size_t n = 1;
    pair *stack, at;

    CM_TRY(cm_alloc_array(&memory, PAIRS, sizeof *stack));
    stack = (pair *)(void *)memory;
    stack[0] = (pair){.a = cm_json_root(a->json), .b = cm_json_root(b->json)};
    while (n) {
        at = stack[--n];
        compare(&d, stack, &n, &at);
    }
    if (d.n == 0)
        cm_cli_say(cli, "no difference\n");
    return CM_OKAY;
}

static cm_err diff(cm_cli *cli)
{
    CM_AUTO(cm_policy_free_ptr) cm_policy *p = NULL;
    CM_AUTO(cm_policy_free_ptr) cm_policy *q = NULL;
    CM_AUTO(cm_buf_free) cm_buf a = {.max = 0};
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 0};
    CM_AUTO(cm_yaml_done) cm_yaml x = {0};
    CM_AUTO(cm_yaml_done) cm_yaml y = {0};
    const char *what;
    cm_yaml_mark at;

    CM_TRY(cm_cli_policy_load(cli, &p, &a, cli->args[1]));
    CM_TRY(cm_cli_policy_load(cli, &q, &b, cli->args[2]));
    CM_TRY(cm_yaml_read(&x, cm_buf_view(&a), &at, &what));
    CM_TRY(cm_yaml_read(&y, cm_buf_view(&b), &at, &what));
    return diff_trees(cli, &x, &y);
}

/* ---- sign ---------------------------------------------------------------------------------- */

static cm_err sign(cm_cli *cli)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *key = NULL;
    CM_AUTO(cm_policy_free_ptr) cm_policy *p = NULL;
    CM_AUTO(cm_buf_free) cm_buf file = {.max = 0};
    CM_AUTO(cm_buf_free) cm_buf out = {.max = FILE_SIGNATURE};
    const char *path = cm_cli_text(cli, "key");

    if (!path || cm_cli_count(cli, "key") != 1 || !cm_cli_has(cli, "out"))
        return cm_cli_usage(cli, "sign takes one --key, your private key, and --out, where the "
                                 "signature goes");
    CM_TRY(cm_cli_policy_load(cli, &p, &file, cli->args[1]));
    CM_TRY(cm_cli_load_key(cli, &key, path));
    CM_TRY(
        cm_cli_about(cli, path, cm_policy_sign(&out, cli->crypt, key, cm_buf_view(&file)), NULL));
    return cm_cli_put_file(cli, cm_cli_text(cli, "out"), cm_buf_view(&out));
}

cm_err cm_cli_attest_policy(cm_cli *cli)
{
    static const struct {
        const char *verb;
        size_t files;
        cm_err (*run)(cm_cli *cli);
    } verbs[] = {{"check", 1, check}, {"explain", 1, NULL}, {"diff", 2, diff}, {"sign", 1, sign}};
    CM_AUTO(cm_policy_free_ptr) cm_policy *p = NULL;
    CM_AUTO(cm_buf_free) cm_buf file = {.max = 0};

    for (size_t i = 0; i < CM_COUNT(verbs); i++) {
        if (strcmp(cli->args[0], verbs[i].verb) != 0)
            continue;
        if (cli->args_n != verbs[i].files + 1)
            return cm_cli_usage(cli, "%s takes %zu file%s", verbs[i].verb, verbs[i].files,
                                verbs[i].files > 1 ? "s" : "");
        if (verbs[i].run)
            return verbs[i].run(cli);
        CM_TRY(cm_cli_policy_load(cli, &p, &file, cli->args[1]));
        return explain(cli, p);
    }
    return cm_cli_usage(cli, "attest policy takes check, explain, diff or sign");
}
