/* casemate attest verify: evidence, judged and shown. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "attest.h"
#include "attest/rim.h"
#include "attest/trustee.h"
#include "base/os.h"
#include "codec/text.h"

enum { LISTED = 64, VALUE_MAX = 1024, FLOOR_TEXT = 128, SHOWN_BYTES = 96, PIECES = 8 };

/* What the options demand. */
typedef struct {
    cm_attest_policy p;
    cm_buf fresh, config, measured[LISTED], chip[LISTED];
    cm_view measurements[LISTED], chips[LISTED];
    bool bound, has_cpu;
    cm_bound e, cpu;           /* of --bind; the report data of the last processor's evidence */
    uint32_t devices, unbound; /* judged so far; of these, without either */
    const char *const *paths;
    size_t paths_n;
    cm_cli_attest_seen seen; /* may be NULL */
    void *seen_arg;
} demand;

static void demand_done(demand *d)
{
    cm_buf_free(&d->fresh);
    cm_buf_free(&d->config);
    for (size_t i = 0; i < LISTED; i++) {
        cm_buf_free(&d->measured[i]);
        cm_buf_free(&d->chip[i]);
    }
}

/* ---- options ------------------------------------------------------------------------------- */

static cm_err hex_one(cm_cli *cli, const char *option, cm_buf *b, cm_view *out)
{
    if (!cm_cli_has(cli, option))
        return CM_OKAY;
    b->max = VALUE_MAX;
    CM_TRY(cm_cli_hex_option(cli, option, 0, b));
    *out = cm_buf_view(b);
    return CM_OKAY;
}

static cm_err hex_list(cm_cli *cli, const char *option, cm_buf *b, cm_view *v, size_t *n)
{
    *n = cm_cli_count(cli, option);
    if (*n > LISTED)
        return cm_cli_usage(cli, "--%s is given more than %d times", option, LISTED);
    for (size_t i = 0; i < *n; i++) {
        b[i].max = VALUE_MAX;
        CM_TRY(cm_cli_hex_option(cli, option, i, &b[i]));
        v[i] = cm_buf_view(&b[i]);
    }
    return CM_OKAY;
}

/* Whoever gives a manifest by its own option names it. */
static cm_err rims(cm_cli *cli, demand *d)
{
    for (size_t i = 0; i < cm_cli_count(cli, "rim"); i++) {
        CM_AUTO(cm_buf_free) cm_buf file = {.max = CM_RIM_FILE_MAX};
        const char *path = cm_cli_nth(cli, "rim", i);
        uint8_t digest[CM_RIM_NAME];
        size_t at = d->p.n_measurements;

        CM_TRY(cm_cli_about(cli, path, cm_os_slurp(&file, path, CM_RIM_FILE_MAX), NULL));
        if (!cm_rim_is(cm_buf_view(&file)))
            return cm_cli_about(cli, path, CM_FAIL(RIM_FORM), NULL);
        if (at == LISTED)
            return cm_cli_usage(cli, "more than %d measurements are given", LISTED);
        CM_TRY(cm_hash_once(cli->crypt, CM_SHA256, digest, cm_buf_view(&file)));
        d->measured[at].max = VALUE_MAX;
        CM_TRY(cm_buf_append(&d->measured[at], CM_VIEW(digest)));
        d->measurements[at] = cm_buf_view(&d->measured[at]);
        d->p.n_measurements++;
    }
    return CM_OKAY;
}

static cm_err skips(cm_cli *cli, uint32_t *out)
{
    for (size_t i = 0; i < cm_cli_count(cli, "may-skip"); i++) {
        const char *name = cm_cli_nth(cli, "may-skip", i);
        cm_attest_check id = cm_attest_check_of(cm_view_str(name));

        if (strcmp(name, "all") == 0)
            *out = UINT32_MAX;
        else if (id == CM_CHECK_COUNT)
            return cm_cli_usage(cli, "there is no check %s", name);
        else
            *out |= 1u << id;
    }
    return CM_OKAY;
}

static cm_err statuses(cm_cli *cli, uint32_t *out)
{
    for (size_t i = 0; i < cm_cli_count(cli, "accept-tcb"); i++) {
        const char *name = cm_cli_nth(cli, "accept-tcb", i);
        unsigned s = CM_TCB_UNKNOWN;

        while (s <= CM_TCB_REVOKED && strcmp(cm_tcb_name((cm_tcb_status)s), name) != 0)
            s++;
        if (s > CM_TCB_REVOKED)
            return cm_cli_usage(cli, "there is no TCB status \"%s\"", name);
        *out |= 1u << s;
    }
    return CM_OKAY;
}

static uint8_t *component(cm_snp_tcb *t, cm_view name)
{
    static const char *const names[] = {"fmc", "bl", "tee", "snp", "ucode"};
    uint8_t *const at[] = {&t->fmc, &t->bl, &t->tee, &t->snp, &t->ucode};

    for (size_t i = 0; i < CM_COUNT(names); i++)
        if (cm_view_eq(cm_view_str(names[i]), name))
            return at[i];
    return NULL;
}

/* "bl=4,snp=24" */
static cm_err floor_of(cm_cli *cli, demand *d)
{
    char text[FLOOR_TEXT];
    char *rest = text, *part;

    if (!cm_cli_has(cli, "snp-floor"))
        return CM_OKAY;
    (void)snprintf(text, sizeof text, "%s", cm_cli_text(cli, "snp-floor"));
    while ((part = strsep(&rest, ",")) != NULL) {
        char *value = strchr(part, '=');
        uint64_t v = 0;
        uint8_t *to;

        if (value)
            *value++ = 0;
        to = component(&d->p.snp.floor, cm_view_str(part));
        if (!to || !value || cm_failed(cm_dec_u64(&v, cm_view_str(value))) || v > UINT8_MAX)
            return cm_cli_usage(cli, "--snp-floor takes fmc, bl, tee, snp, ucode: bl=4,snp=24");
        *to = (uint8_t)v;
    }
    d->p.snp.has_floor = true;
    return CM_OKAY;
}

static cm_err numbers(cm_cli *cli, demand *d)
{
    uint64_t vmpl = 0, evaluation = 0;

    CM_TRY(cm_cli_number(cli, "vmpl", 0, 3, &vmpl));
    CM_TRY(cm_cli_number(cli, "evaluation", 0, UINT32_MAX, &evaluation));
    CM_TRY(cm_cli_number(cli, "max-age", 1, 1ull << 32, &d->p.max_age));
    CM_TRY(cm_cli_number(cli, "status-age", 1, 1ull << 32, &d->p.android.status_age));
    d->p.snp.vmpl = (uint8_t)vmpl;
    d->p.intel.evaluation = (uint32_t)evaluation;
    d->p.now = cm_os_now();
    return cm_cli_has(cli, "at") ? cm_cli_time(cli, "at", &d->p.now) : CM_OKAY;
}

static cm_err binding(cm_cli *cli, demand *d)
{
    static const char *const bindings[] = {"nonce", "report-data", NULL};

    CM_TRY(cm_cli_at_most_one(cli, bindings));
    CM_TRY(hex_one(cli, "nonce", &d->fresh, &d->p.fresh));
    CM_TRY(hex_one(cli, "report-data", &d->fresh, &d->p.fresh));
    return cm_cli_bind(cli, &d->bound, &d->e, d->p.fresh);
}

static cm_err demands(cm_cli *cli, demand *d)
{
    CM_TRY(hex_one(cli, "config", &d->config, &d->p.config));
    CM_TRY(hex_list(cli, "measurement", d->measured, d->measurements, &d->p.n_measurements));
    CM_TRY(rims(cli, d));
    CM_TRY(hex_list(cli, "chip", d->chip, d->chips, &d->p.n_chips));
    d->p.measurements = d->measurements;
    d->p.chips = d->chips;
    d->p.flags = (cm_cli_has(cli, "allow-debug") ? CM_ATTEST_ALLOW_DEBUG : 0) |
                 (cm_cli_has(cli, "allow-migrate") ? CM_ATTEST_ALLOW_MIGRATE : 0);
    CM_TRY(skips(cli, &d->p.may_skip));
    CM_TRY(statuses(cli, &d->p.intel.accept_tcb));
    CM_TRY(floor_of(cli, d));
    return numbers(cli, d);
}

/* ---- showing ------------------------------------------------------------------------------- */

static void put_claim(cm_cli_event *e, const cm_attest_result *r, const cm_attest_claim *c)
{
    char key[64];

    (void)snprintf(key, sizeof key, c->index ? "%s_%" PRIu32 : "%s", c->name, c->index);
    if (c->type == CM_CLAIM_U64)
        cm_json_put_u64(&e->w, key, c->u);
    else if (c->type == CM_CLAIM_TEXT)
        cm_json_put_text(&e->w, key, cm_attest_claim_view(r, c));
    else
        cm_json_put_hex(&e->w, key, cm_attest_claim_view(r, c));
}

static void say_bytes(cm_cli *cli, const char *name, cm_view v)
{
    char hex[2 * SHOWN_BYTES + 1];
    size_t shown = CM_MIN(v.n, (size_t)SHOWN_BYTES);

    cm_cli_say(cli, "  %-20s %s", name, cm_cli_hex(hex, cm_view_of(v.p, shown)));
    if (shown < v.n)
        cm_cli_say(cli, "... (%zu bytes)", v.n);
    cm_cli_say(cli, "\n");
}

static void say_claim(cm_cli *cli, const cm_attest_result *r, const cm_attest_claim *c)
{
    cm_view v = cm_attest_claim_view(r, c);
    char name[64], text[VALUE_MAX];

    (void)snprintf(name, sizeof name, c->index ? "%s %" PRIu32 : "%s", c->name, c->index);
    if (c->type == CM_CLAIM_U64)
        cm_cli_say(cli, "  %-20s %" PRIu64 " (0x%" PRIx64 ")\n", name, c->u, c->u);
    else if (c->type == CM_CLAIM_TEXT)
        cm_cli_say(cli, "  %-20s %s\n", name, cm_cli_clean(text, sizeof text, v));
    else
        say_bytes(cli, name, v);
}

static void show_claims(cm_cli *cli, cm_cli_event *e, const cm_attest_result *r)
{
    cm_json_begin_object(&e->w, "claims");
    cm_cli_say(cli, "claims\n");
    for (size_t i = 0; i < r->n_claims; i++) {
        put_claim(e, r, &r->claim[i]);
        say_claim(cli, r, &r->claim[i]);
    }
    cm_json_end_object(&e->w);
}

static void show_check(cm_cli *cli, cm_cli_event *e, const cm_attest_result *r, cm_attest_check id)
{
    static const char *const colors[] = {[CM_VERDICT_PASS] = "\033[32m",
                                         [CM_VERDICT_SKIP] = "\033[33m",
                                         [CM_VERDICT_FAIL] = "\033[31m"};
    cm_verdict v = r->check[id].verdict;
    const char *why = r->check[id].why ? r->check[id].why : cm_attest_check_what(id);

    if (v == CM_VERDICT_ABSENT)
        return;
    cm_json_begin_object(&e->w, NULL);
    cm_json_put_text(&e->w, "check", cm_view_str(cm_attest_check_name(id)));
    cm_json_put_text(&e->w, "verdict", cm_view_str(cm_verdict_name(v)));
    if (v == CM_VERDICT_PASS)
        cm_json_put_null(&e->w, "why");
    else
        cm_json_put_text(&e->w, "why", cm_view_str(why));
    cm_json_end_object(&e->w);
    cm_cli_say(cli, "%s%s%s  %-14s %s\n", cm_cli_color(cli, stdout, colors[v]), cm_verdict_name(v),
               cm_cli_color(cli, stdout, "\033[0m"), cm_attest_check_name(id), why);
}

/* The names of the checks that came out so, but for those in the mask. */
static void name_checks(char *text, size_t n, const cm_attest_result *r, cm_verdict v, uint32_t but)
{
    size_t at = 0;

    text[0] = 0;
    for (unsigned i = 0; i < CM_CHECK_COUNT && at < n; i++)
        if (r->check[i].verdict == v && !(but & 1u << i))
            at += (size_t)snprintf(text + at, n - at, "%s%s", at ? ", " : "",
                                   cm_attest_check_name((cm_attest_check)i));
}

static const char *word(cm_err e)
{
    return cm_ok(e) ? "verified" : cm_is(e, CM_ATTEST_INCOMPLETE) ? "incomplete" : "refused";
}

static void show_end(cm_cli *cli, cm_cli_event *e, const cm_attest_result *r, const demand *d,
                     cm_err verdict)
{
    bool incomplete = cm_is(verdict, CM_ATTEST_INCOMPLETE);
    char failed[CM_CLI_LINE], skipped[CM_CLI_LINE];

    name_checks(failed, sizeof failed, r, CM_VERDICT_FAIL, 0);
    name_checks(skipped, sizeof skipped, r, CM_VERDICT_SKIP, incomplete ? d->p.may_skip : 0);
    cm_json_put_text(&e->w, "tcb", cm_view_str(cm_tcb_name(r->tcb)));
    cm_json_put_text(&e->w, "verdict", cm_view_str(word(verdict)));
    cm_cli_say(cli, "TCB status: %s\n%s", cm_tcb_name(r->tcb), word(verdict));
    if (cm_ok(verdict))
        cm_cli_say(cli, "%s%s\n", skipped[0] ? "; not checked: " : "", skipped);
    else if (incomplete)
        cm_cli_say(cli, "; not checked: %s\n", skipped);
    else
        cm_cli_say(cli, ": %s\n", failed[0] ? failed : "the form, the chain or the signature");
}

static void show(cm_cli *cli, const char *path, const cm_attest_result *r, const demand *d,
                 cm_err verdict)
{
    cm_cli_event e;
    char date[32];

    cm_cli_event_begin(cli, &e, "attest");
    cm_json_put_text(&e.w, "file", cm_view_str(path));
    cm_json_put_text(&e.w, "kind", cm_view_str(cm_attest_kind_name(r->kind)));
    cm_json_put_u64(&e.w, "at", d->p.now);
    cm_cli_say(cli, "%s: %s, judged as of %s\n", path, cm_attest_kind_what(r->kind),
               cm_cli_date(date, d->p.now));
    show_claims(cli, &e, r);
    cm_json_begin_array(&e.w, "checks");
    cm_cli_say(cli, "checks\n");
    for (unsigned i = 0; i < CM_CHECK_COUNT; i++)
        show_check(cli, &e, r, (cm_attest_check)i);
    cm_json_end_array(&e.w);
    show_end(cli, &e, r, d, verdict);
    cm_cli_event_end(cli, &e);
}

/* ---- verify -------------------------------------------------------------------------------- */

/* A piece of evidence and what lies beside its file. */
typedef struct {
    cm_attest_bundle *b;
    cm_buf part[CM_PART_COUNT];
    uint8_t fresh[CM_BIND_SIZE];
    cm_attest_input in;
    cm_attest_policy p;
} piece;

static void piece_done(piece *x)
{
    cm_attest_bundle_free(x->b);
    for (size_t i = 0; i < CM_PART_COUNT; i++)
        cm_buf_free(&x->part[i]);
}

static bool is_processor(cm_attest_kind k)
{
    return k == CM_ATTEST_SNP || k == CM_ATTEST_TDX || k == CM_ATTEST_SGX;
}

/* AT-105: what this piece has to carry. A device that was judged before its processor's evidence
 * was seen would be tied to nothing. */
static cm_err expected(cm_cli *cli, demand *d, piece *x)
{
    cm_attest_kind kind = cm_attest_detect(x->in.evidence);
    size_t n = CM_BIND_SHORT;

    x->p = d->p;
    if (kind == CM_ATTEST_NVIDIA) {
        d->unbound += !d->bound && !d->has_cpu;
        if (!d->bound && !d->has_cpu)
            return CM_OKAY;
        CM_TRY(cm_bound_gpu(x->fresh, cli->crypt, d->bound ? &d->e : &d->cpu, d->devices++));
    } else if (is_processor(kind) && d->unbound) {
        return cm_cli_usage(cli, "give a processor's evidence before that of its devices");
    } else if (d->bound && kind != CM_ATTEST_UNKNOWN) {
        CM_TRY(cm_bound_for(x->fresh, &n, cli->crypt, &d->e, kind));
    } else {
        return CM_OKAY;
    }
    x->p.fresh = cm_view_of(x->fresh, n);
    return CM_OKAY;
}

/* The devices that follow belong to this processor. */
static void remember(demand *d, const cm_attest_result *r)
{
    const cm_attest_claim *claim = cm_attest_find(r, "report_data");
    cm_view v;

    if (!is_processor(r->kind))
        return;
    d->has_cpu = true;
    d->devices = 0;
    memset(&d->cpu, 0, sizeof d->cpu);
    v = claim ? cm_attest_claim_view(r, claim) : cm_view_of(NULL, 0);
    if (v.n == CM_BIND_SIZE)
        memcpy(d->cpu.e, v.p, CM_BIND_SIZE);
}

static cm_err load_piece(cm_cli *cli, demand *d, piece *x, const char *path, cm_view evidence)
{
    CM_TRY(cm_cli_collateral(cli, &x->b, path, evidence));
    x->in.evidence = evidence;
    cm_attest_bundle_input(x->b, &x->in);
    CM_TRY(cm_cli_parts(cli, x->part, &x->in));
    return expected(cli, d, x);
}

/* A file's pieces of evidence. */
typedef struct {
    cm_buf bytes;
    cm_view v[CM_ATTEST_SET_MAX];
    size_t n;
} file;

static void file_done(file *f)
{
    cm_buf_free(&f->bytes);
}

static cm_err load_file(cm_cli *cli, file *f, const char *path)
{
    const char *from = strcmp(path, "-") == 0 ? "/dev/stdin" : path;

    CM_AUTO(cm_buf_free) cm_buf text = {.max = CM_CLI_SET_MAX};

    f->bytes.max = CM_CLI_SET_MAX;
    CM_TRY(cm_cli_about(cli, path, cm_os_slurp(&text, from, CM_CLI_SET_MAX), NULL));
    CM_TRY(cm_cli_about(cli, path, cm_trustee_file(&f->bytes, cm_buf_view(&text)), NULL));
    return cm_cli_about(cli, path, cm_attest_set_read(f->v, &f->n, cm_buf_view(&f->bytes)), NULL);
}

static cm_err verify_one(cm_cli *cli, demand *d, const char *path, cm_view evidence)
{
    CM_AUTO(cm_attest_result_done) cm_attest_result r = {.n_claims = 0};
    CM_AUTO(piece_done) piece x = {.b = NULL};
    cm_err verdict;

    CM_TRY(load_piece(cli, d, &x, path, evidence));
    CM_TRY(cm_cli_about(cli, path, cm_attest_verify(&r, cli->crypt, &x.in, &x.p), NULL));
    remember(d, &r);
    verdict = cm_attest_decide(&r, d->p.may_skip);
    show(cli, path, &r, d, verdict);
    if (d->seen)
        d->seen(d->seen_arg, &r, verdict);
    return cm_cli_about(cli, path, verdict, NULL);
}

/* The first refusal is the answer; what could not be judged at all ends it. */
static cm_err verify_file(cm_cli *cli, demand *d, const char *path, bool last, cm_err *all)
{
    CM_AUTO(file_done) file f = {.n = 0};

    CM_TRY(load_file(cli, &f, path));
    for (size_t i = 0; i < f.n; i++) {
        cm_err e = verify_one(cli, d, path, f.v[i]);

        if (!last || i + 1 < f.n)
            cm_cli_say(cli, "\n");
        if (cm_ok(*all))
            *all = e;
        if (!cm_is(e, CM_ATTEST_REFUSED) && !cm_is(e, CM_ATTEST_INCOMPLETE))
            CM_TRY(e);
    }
    return CM_OKAY;
}

static cm_err verify_each(cm_cli *cli, demand *d)
{
    cm_err all = CM_OKAY;

    for (size_t i = 0; i < d->paths_n; i++)
        CM_TRY(verify_file(cli, d, d->paths[i], i + 1 == d->paths_n, &all));
    return all;
}

/* ---- under a policy file ------------------------------------------------------------------- */

typedef struct {
    cm_appraised v[PIECES];
    size_t n;
} pieces;

static void pieces_done(pieces *p)
{
    for (size_t i = 0; i < p->n; i++)
        cm_appraised_done(&p->v[i]);
}

static cm_err appraise_one(cm_cli *cli, const cm_policy *p, demand *d, const char *path,
                           cm_view evidence, cm_appraised *out)
{
    CM_AUTO(piece_done) piece x = {.b = NULL};
    const cm_policy_rule *rule;
    demand shown = *d;

    CM_TRY(load_piece(cli, d, &x, path, evidence));
    CM_TRY(cm_cli_about(cli, path,
                        cm_policy_appraise(out, cli->crypt, p, &x.in, d->p.now, x.p.fresh), NULL));
    remember(d, &out->r);
    rule = cm_policy_rule_of(p, out->r.kind);
    shown.p.may_skip = rule ? rule->demand.may_skip : 0;
    show(cli, path, &out->r, &shown, out->answer);
    cm_cli_say(cli, "\n");
    if (d->seen)
        d->seen(d->seen_arg, &out->r, out->answer);
    return CM_OKAY;
}

static cm_err appraise_file(cm_cli *cli, const cm_policy *p, demand *d, const char *path,
                            pieces *all)
{
    CM_AUTO(file_done) file f = {.n = 0};

    CM_TRY(load_file(cli, &f, path));
    for (size_t i = 0; i < f.n; i++) {
        if (all->n == PIECES)
            return cm_cli_usage(cli, "a policy decides over at most %d pieces", PIECES);
        CM_TRY(appraise_one(cli, p, d, path, f.v[i], &all->v[all->n]));
        all->n++;
    }
    return CM_OKAY;
}

static cm_err conclude(cm_cli *cli, const cm_appraisal *a)
{
    cm_cli_event e;

    cm_cli_event_begin(cli, &e, "decision");
    cm_json_put_bool(&e.w, "accepted", a->accepted);
    cm_json_put_u64(&e.w, "tier", a->tier);
    cm_json_put_text(&e.w, "why", cm_view_str(a->sentence));
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "%s\n", a->sentence);
    return a->accepted ? CM_OKAY : CM_FAIL(POLICY_REFUSED);
}

enum { MANIFESTS = 8 };

/* What the policy borrows from. */
typedef struct {
    cm_reference *v[MANIFESTS];
    size_t n;
} manifests;

static void manifests_done(manifests *m)
{
    for (size_t i = 0; i < m->n; i++)
        cm_reference_free(m->v[i]);
}

static cm_err refer(cm_cli *cli, cm_policy *p, manifests *m, uint64_t now)
{
    if (cm_cli_count(cli, "reference") > MANIFESTS)
        return cm_cli_usage(cli, "--reference is given more than %d times", MANIFESTS);
    for (size_t i = 0; i < cm_cli_count(cli, "reference"); i++) {
        const char *path = cm_cli_nth(cli, "reference", i);

        CM_TRY(cm_cli_manifest_load(cli, &m->v[i], path));
        m->n++;
        CM_TRY(cm_cli_about(cli, path, cm_policy_refer(p, m->v[i], now), NULL));
    }
    return CM_OKAY;
}

static cm_err verify_under(cm_cli *cli, demand *d, const char *path)
{
    CM_AUTO(manifests_done) manifests refs = {.n = 0};
    CM_AUTO(cm_policy_free_ptr) cm_policy *p = NULL;
    CM_AUTO(cm_buf_free) cm_buf text = {.max = 0};
    CM_AUTO(pieces_done) pieces all = {.n = 0};
    cm_appraisal a;

    CM_TRY(cm_cli_policy_load(cli, &p, &text, path));
    CM_TRY(refer(cli, p, &refs, d->p.now));
    for (size_t i = 0; i < d->paths_n; i++)
        CM_TRY(appraise_file(cli, p, d, d->paths[i], &all));
    cm_policy_judge(&a, p, all.v, all.n, d->p.now);
    return conclude(cli, &a);
}

static cm_err only_with(cm_cli *cli)
{
    static const char *const own[] = {"config",      "measurement",   "chip",       "snp-floor",
                                      "vmpl",        "accept-tcb",    "evaluation", "max-age",
                                      "allow-debug", "allow-migrate", "may-skip",   "status-age"};

    for (size_t i = 0; i < CM_COUNT(own); i++)
        if (cm_cli_has(cli, own[i]))
            return cm_cli_usage(cli, "--policy says what is demanded: --%s has no place beside it",
                                own[i]);
    return CM_OKAY;
}

static cm_err judge(cm_cli *cli, demand *d)
{
    CM_TRY(demands(cli, d));
    if (!cm_cli_has(cli, "policy") && cm_cli_has(cli, "reference"))
        return cm_cli_usage(cli, "--reference belongs to a --policy that refers to it");
    if (!cm_cli_has(cli, "policy"))
        return verify_each(cli, d);
    CM_TRY(only_with(cli));
    return verify_under(cli, d, cm_cli_text(cli, "policy"));
}

cm_err cm_cli_attest_bound(cm_cli *cli, const char *path, const cm_bound *to,
                           cm_cli_attest_seen seen, void *arg)
{
    CM_AUTO(demand_done)
    demand d = {
        .paths = &path, .paths_n = 1, .bound = true, .e = *to, .seen = seen, .seen_arg = arg};

    return judge(cli, &d);
}

cm_err cm_cli_attest_verify(cm_cli *cli)
{
    CM_AUTO(demand_done)
    demand d = {.paths = (const char *const *)cli->args, .paths_n = cli->args_n};

    CM_TRY(binding(cli, &d));
    return judge(cli, &d);
}
