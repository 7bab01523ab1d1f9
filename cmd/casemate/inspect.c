/* casemate inspect: one page about a sealed model. */
#include <inttypes.h>
#include <stdio.h>

#include "access.h"
#include "base/os.h"

enum { SHOWN = 12, SHAPE = 160, KIND = 192 };

/* HIP-5's tiers. Keys and signatures are enforced here, the rest by whoever runs the model. */
static const char *tier_text(unsigned tier)
{
    static const char *const names[] = {
        "public models; ML-KEM-768 and ML-DSA-65 or stronger",
        "user data; as 0, encrypted wherever it rests",
        "proprietary models; as 1, to be opened in a trusted execution environment",
        "sensitive inference; ML-KEM-1024 and ML-DSA-87, on confidential GPUs",
        "classified; as 3, with trusted I/O throughout",
    };

    return tier < CM_COUNT(names) ? names[tier] : "unknown";
}

/* ---- recipients ---------------------------------------------------------------------------- */

static const char *kind_text(cm_cli *cli, const cm_stanza *st, char text[KIND])
{
    const cm_kem_info *k;

    switch (st->kind) {
    case CM_STANZA_KEM:
        k = cm_kem_info_of(st->number);
        return k ? k->name : "unknown KEM";
    case CM_STANZA_PASSPHRASE:
        return "passphrase";
    case CM_STANZA_EXTERNAL:
        if (st->number == CM_RECIPIENT_TPM)
            cm_cli_tpm_text(cli, text, KIND, st);
        else if (st->number == CM_RECIPIENT_ATTESTED)
            cm_cli_attested_text(cli, text, KIND, st);
        else
            snprintf(text, KIND, "key service %" PRIu32, st->number);
        return text;
    default:
        return "unknown";
    }
}

struct me {
    cm_pkey *pub;
    uint8_t id[16];
    bool known;
};

static void me_done(struct me *m)
{
    cm_pkey_free(m->pub);
}

/* Which recipient is the owner of the home. */
static void find_me(cm_cli *cli, struct me *m)
{
    CM_AUTO(cm_free_ptr) char *path = NULL;

    m->known = cm_ok(cm_cli_home(cli, &path, "identity.pub")) &&
               cm_ok(cm_pkey_load(&m->pub, cli->crypt, path, NULL)) && cm_pkey_kem(m->pub) &&
               cm_ok(cm_envelope_kem_id(cli->crypt, m->id, cm_pkey_kem(m->pub)));
}

static bool is_me(const struct me *m, const cm_stanza *st)
{
    return m->known && st->kind == CM_STANZA_KEM && cm_view_eq(st->id, CM_VIEW(m->id));
}

static void recipients(cm_cli *cli, cm_cli_event *e, const cm_sealed_info *i)
{
    CM_AUTO(me_done) struct me me = {0};
    char text[KIND], id[2 * CM_STANZA_ID_MAX + 1];

    find_me(cli, &me);
    cm_json_begin_array(&e->w, "recipients");
    for (size_t k = 0; k < i->stanzas_n; k++) {
        const cm_stanza *st = &i->stanzas[k];
        const char *kind = kind_text(cli, st, text);

        cm_cli_hex(id, cm_view_of(st->id.p, CM_MIN(st->id.n, (size_t)CM_STANZA_ID_MAX)));
        cm_cli_say(cli, "%-12s %-12s %s%s\n", k ? "" : "recipients", kind, id,
                   is_me(&me, st) ? "  (you)" : "");
        cm_json_begin_object(&e->w, NULL);
        cm_json_put_text(&e->w, "kind", cm_view_str(kind));
        cm_json_put_text(&e->w, "id", cm_view_str(id));
        cm_json_put_bool(&e->w, "you", is_me(&me, st));
        cm_json_end_object(&e->w);
    }
    cm_json_end_array(&e->w);
}

/* ---- signatures ---------------------------------------------------------------------------- */

static const char *trusted_from(const cm_cli *cli, const cm_cli_access *a,
                                const cm_sealed_signature *g)
{
    uint8_t fp[CM_FINGERPRINT];

    for (size_t i = 0; i < a->publishers.n; i++)
        if (cm_ok(cm_pkey_fingerprint(fp, cli->crypt, a->publishers.v[i])) &&
            cm_view_eq(CM_VIEW(fp), CM_VIEW(g->fingerprint)))
            return a->publishers.path[i];
    return NULL;
}

static void signature(cm_cli *cli, cm_cli_event *e, const cm_cli_access *a,
                      const cm_sealed_signature *g, bool first)
{
    const char *alg = g->info ? g->info->name : "unknown algorithm";
    const char *from = g->trusted ? trusted_from(cli, a, g) : NULL;
    const char *verdict = !g->valid    ? "DOES NOT VERIFY"
                          : g->trusted ? "valid, trusted"
                                       : "valid, but nobody you trust";
    char fp[2 * CM_FINGERPRINT + 1];

    cm_cli_hex(fp, CM_VIEW(g->fingerprint));
    cm_cli_say(cli, "%-12s %s%s: %s%s%s%s\n             %s\n", first ? "signed by" : "", alg,
               g->detached ? " (detached)" : "", verdict, from ? " (" : "", from ? from : "",
               from ? ")" : "", fp);
    cm_json_begin_object(&e->w, NULL);
    cm_json_put_text(&e->w, "algorithm", cm_view_str(alg));
    cm_json_put_text(&e->w, "fingerprint", cm_view_str(fp));
    cm_json_put_bool(&e->w, "valid", g->valid);
    cm_json_put_bool(&e->w, "trusted", g->trusted);
    cm_json_put_bool(&e->w, "detached", g->detached);
    cm_json_end_object(&e->w);
}

static void signatures(cm_cli *cli, cm_cli_event *e, const cm_cli_access *a,
                       const cm_sealed_info *i)
{
    cm_json_begin_array(&e->w, "signatures");
    for (size_t k = 0; k < i->signatures_n; k++)
        signature(cli, e, a, &i->signatures[k], k == 0);
    cm_json_end_array(&e->w);
    if (i->signatures_n == 0)
        cm_cli_say(cli, "signed by    nobody: open it only if you trust whoever gave it to you\n");
}

/* ---- what the manifest says ---------------------------------------------------------------- */

static void text_member(cm_cli *cli, cm_cli_event *e, const char *label, const char *key, cm_view v)
{
    char text[CM_CLI_LINE];

    if (v.n == 0)
        return;
    cm_json_put_text(&e->w, key, v);
    cm_cli_say(cli, "%-12s %s\n", label, cm_cli_clean(text, sizeof text, v));
}

static void provenance(cm_cli *cli, cm_cli_event *e, const cm_sealed_info *i)
{
    char key[CM_CLI_LINE], value[CM_CLI_LINE];

    if (i->provenance_n == 0)
        return;
    cm_json_begin_array(&e->w, "provenance");
    for (size_t k = 0; k < i->provenance_n; k++) {
        cm_json_begin_object(&e->w, NULL);
        cm_json_put_text(&e->w, "key", i->provenance[k].key);
        cm_json_put_text(&e->w, "value", i->provenance[k].value);
        cm_json_end_object(&e->w);
        cm_cli_say(cli, "%-12s %s = %s\n", k ? "" : "provenance",
                   cm_cli_clean(key, sizeof key, i->provenance[k].key),
                   cm_cli_clean(value, sizeof value, i->provenance[k].value));
    }
    cm_json_end_array(&e->w);
}

static void numbers(cm_cli *cli, cm_cli_event *e, const cm_sealed_info *i)
{
    char digest[65], size[32], file[32], segment[32], date[32];

    cm_cli_hex(digest, CM_VIEW(i->digest));
    cm_json_put_text(&e->w, "digest", cm_view_str(digest));
    cm_json_put_bool(&e->w, "private_digest", i->salted);
    cm_json_put_bool(&e->w, "keyless_verify", i->has_sealed_root);
    cm_json_put_u64(&e->w, "size", i->size);
    cm_json_put_u64(&e->w, "sealed_size", i->file_size);
    cm_json_put_u64(&e->w, "segment_size", i->segment);
    cm_json_put_u64(&e->w, "created", i->created);
    cm_json_put_u64(&e->w, "tier", i->tier);
    cm_cli_say(cli, "digest       %s%s\n", digest, i->salted ? " (salted)" : "");
    cm_cli_say(cli, "size         %s (%llu bytes), %s sealed, in segments of %s\n",
               cm_cli_bytes(size, i->size), (unsigned long long)i->size,
               cm_cli_bytes(file, i->file_size), cm_cli_bytes(segment, i->segment));
    cm_cli_say(cli, "sealed       %s\n", cm_cli_date(date, i->created));
    cm_cli_say(cli, "tier         %u: %s\n", i->tier, tier_text(i->tier));
}

static void manifest(cm_cli *cli, cm_cli_event *e, const cm_sealed_info *i)
{
    char name[CM_CLI_LINE], version[CM_CLI_LINE];

    cm_json_put_text(&e->w, "name", i->name);
    cm_json_put_text(&e->w, "version", i->version);
    cm_cli_say(cli, "%s%s %s%s\n", cm_cli_color(cli, stdout, "\033[1m"),
               cm_cli_clean(name, sizeof name, i->name),
               cm_cli_clean(version, sizeof version, i->version),
               cm_cli_color(cli, stdout, "\033[0m"));
    numbers(cli, e, i);
    text_member(cli, e, "format", "format", i->format);
    text_member(cli, e, "publisher", "publisher", i->publisher);
    text_member(cli, e, "licence", "licence", i->licence);
    text_member(cli, e, "policy", "policy", i->policy);
    provenance(cli, e, i);
    if (i->slot_torn) {
        cm_json_put_bool(&e->w, "torn", true);
        cm_cli_say(cli, "note         an interrupted rewrap left a trace: run casemate rewrap "
                        "again\n");
    }
}

/* ---- what needs a key ---------------------------------------------------------------------- */

static const char *shape_text(char text[SHAPE], const cm_tensor *t)
{
    size_t at = 0;

    text[0] = 0;
    for (uint32_t d = 0; d < t->dims && at < SHAPE; d++)
        at += (size_t)snprintf(text + at, SHAPE - at, "%s%llu", d ? " x " : "",
                               (unsigned long long)t->shape[d]);
    return text;
}

static void tensor_event(cm_cli_event *e, const cm_tensor *t)
{
    cm_json_begin_object(&e->w, NULL);
    cm_json_put_text(&e->w, "name", t->name);
    cm_json_put_text(&e->w, "type", cm_view_str(t->dtype));
    cm_json_begin_array(&e->w, "shape");
    for (uint32_t d = 0; d < t->dims; d++)
        cm_json_put_u64(&e->w, NULL, t->shape[d]);
    cm_json_end_array(&e->w);
    cm_json_put_u64(&e->w, "offset", t->offset);
    cm_json_put_u64(&e->w, "size", t->size);
    cm_json_end_object(&e->w);
}

static void tensors(cm_cli *cli, cm_cli_event *e, const cm_tensors *t, size_t limit)
{
    char name[CM_CLI_LINE], shape[SHAPE], size[32];

    if (t->n == 0)
        return;
    cm_cli_say(cli, "tensors      %zu\n", t->n);
    cm_json_begin_array(&e->w, "tensors");
    for (size_t i = 0; i < t->n; i++) {
        tensor_event(e, &t->v[i]);
        if (i < limit)
            cm_cli_say(cli, "  %-44s %-6s %-18s %s\n",
                       cm_cli_clean(name, sizeof name, t->v[i].name), t->v[i].dtype,
                       shape_text(shape, &t->v[i]), cm_cli_bytes(size, t->v[i].size));
    }
    cm_json_end_array(&e->w);
    if (t->n > limit)
        cm_cli_say(cli, "  and %zu more: --tensors\n", t->n - limit);
}

static void files(cm_cli *cli, cm_cli_event *e, const cm_dir *d, size_t limit)
{
    char name[CM_CLI_LINE], size[32];

    cm_cli_say(cli, "files        %zu\n", d->n);
    cm_json_begin_array(&e->w, "files");
    for (size_t i = 0; i < d->n; i++) {
        cm_json_begin_object(&e->w, NULL);
        cm_json_put_text(&e->w, "path", cm_view_str(d->v[i].path));
        cm_json_put_u64(&e->w, "size", d->v[i].size);
        cm_json_put_bool(&e->w, "executable", d->v[i].executable);
        cm_json_end_object(&e->w);
        if (i < limit)
            cm_cli_say(cli, "  %-44s %s\n",
                       cm_cli_clean(name, sizeof name, cm_view_str(d->v[i].path)),
                       cm_cli_bytes(size, d->v[i].size));
    }
    cm_json_end_array(&e->w);
    if (d->n > limit)
        cm_cli_say(cli, "  and %zu more: --tensors\n", d->n - limit);
}

/* No verdict on the model: why the list is not shown. */
static void skipped(cm_cli *cli, cm_cli_event *e, const char *why)
{
    cm_json_put_text(&e->w, "tensors_skipped", cm_view_str(why));
    cm_cli_say(cli, "tensors      SKIP: %s\n", why);
}

static cm_err contents(cm_cli *cli, cm_cli_event *e, const cm_cli_access *a, cm_sealed *s)
{
    size_t limit = cm_cli_has(cli, "tensors") ? SIZE_MAX : SHOWN;
    const cm_index *x;
    const cm_dir *d;
    cm_err err;

    if (a->no_key) {
        skipped(cli, e, a->no_key);
        return CM_OKAY;
    }
    err = cm_sealed_unlock(s);
    if (cm_ok(err))
        err = cm_sealed_index(s, &x);
    if (cm_failed(err)) {
        skipped(cli, e, cm_err_what(err));
        return CM_OKAY;
    }
    if (cm_sealed_get(s)->directory) {
        CM_TRY(cm_sealed_dir(s, &d));
        files(cli, e, d, limit);
    }
    tensors(cli, e, &x->tensors, limit);
    return CM_OKAY;
}

cm_err cm_cli_inspect(cm_cli *cli)
{
    CM_AUTO(cm_cli_access_done) cm_cli_access a = {0};
    CM_AUTO(cm_cli_model_close) cm_cli_model m = {.fd = -1};
    const cm_sealed_info *i;
    cm_cli_event e;
    cm_err err;

    CM_TRY(cm_cli_access_init(cli, &a, CM_CLI_KEYS | CM_CLI_TRUST | CM_CLI_MODEST));
    CM_TRY(cm_cli_model_load(cli, &m, cli->args[0], &a, false));
    i = cm_sealed_get(m.s);
    cm_cli_event_begin(cli, &e, "inspect");
    cm_json_put_text(&e.w, "path", cm_view_str(cli->args[0]));
    manifest(cli, &e, i);
    signatures(cli, &e, &a, i);
    recipients(cli, &e, i);
    err = contents(cli, &e, &a, m.s);
    cm_cli_event_end(cli, &e);
    return err;
}
