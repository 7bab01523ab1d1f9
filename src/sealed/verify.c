/* Everything that can be checked of a container, a line each. */
#include <stdio.h>

#include "base/os.h"
#include "crypt/merkle.h"
#include "sealed/extract_int.h"

struct report {
    cm_report_fn fn;
    void *arg;
    unsigned failed;
};

static void say(struct report *r, cm_check verdict, const char *what, const char *why)
{
    r->failed += verdict == CM_CHECK_FAIL;
    r->fn(r->arg, verdict, what, why);
}

static bool say_err(struct report *r, const char *what, cm_err e, const char *good)
{
    say(r, cm_ok(e) ? CM_CHECK_PASS : CM_CHECK_FAIL, what, cm_ok(e) ? good : cm_err_what(e));
    return cm_ok(e);
}

/* ---- signatures ---------------------------------------------------------------------------- */

static void check_signature(struct report *r, const cm_sealed_signature *g, bool any)
{
    const char *what = g->info ? g->info->name : "unknown algorithm";
    char line[96];

    snprintf(line, sizeof line, "%ssignature, %s", g->detached ? "detached " : "", what);
    if (!g->info)
        say(r, CM_CHECK_SKIP, line, "this build does not know the algorithm");
    else if (!g->valid)
        say(r, CM_CHECK_FAIL, line, "does not verify");
    else if (g->trusted)
        say(r, CM_CHECK_PASS, line, "valid, by a publisher you trust");
    else
        say(r, any ? CM_CHECK_PASS : CM_CHECK_SKIP, line,
            "valid, but by a key you were not told to trust");
}

static void check_signatures(struct report *r, const struct cm_sealed *s)
{
    cm_err e = cm_sealed_trust(s);

    for (size_t i = 0; i < s->info.signatures_n; i++)
        check_signature(r, &s->info.signatures[i], s->o.any_publisher);
    if (s->info.signatures_n == 0 && s->o.no_signature)
        say(r, CM_CHECK_SKIP, "publisher", "nobody signed it, and you said that is fine");
    else
        say_err(r, "publisher", e, "signed strongly enough for its tier by someone you trust");
}

/* ---- the bytes, without a key -------------------------------------------------------------- */

struct bytes {
    struct cm_sealed *s;
    cm_merkle_acc acc;
};

static cm_err take(void *arg, cm_item *it)
{
    struct cm_sealed *s = ((struct bytes *)arg)->s;

    it->n = cm_sealed_plain(s, it->i);
    return cm_os_pread_all(s->fd, it->buf, it->n + CM_FLOE_OVERHEAD, cm_sealed_at(s, it->i));
}

static cm_err work(void *arg, cm_item *it)
{
    (void)arg;
    cm_merkle_leaf(it->cipher, (cm_view){0}, cm_view_of(it->buf, it->n + CM_FLOE_OVERHEAD));
    return CM_OKAY;
}

static cm_err settle(void *arg, const cm_item *it)
{
    struct bytes *b = arg;
    const cm_watch *w = &b->s->o.watch;

    cm_merkle_acc_push(&b->acc, it->cipher);
    if (w->fn)
        w->fn(w->arg, it->i * b->s->core.segment + it->n, b->s->manifest.size);
    return CM_OKAY;
}

static cm_err hash_body(struct cm_sealed *s, uint8_t root[32])
{
    static const cm_line_ops ops = {take, work, NULL, settle, NULL};
    struct bytes b = {.s = s};
    uint8_t header[CM_FLOE_HEADER], leaf[32];
    cm_line line = {
        .ops = &ops,
        .arg = &b,
        .total = cm_sealed_last(s) + 1,
        .threads = s->o.threads,
        .buf = s->core.segment + CM_FLOE_OVERHEAD,
        .cancel = s->o.watch.cancel,
    };

    CM_TRY(cm_os_pread_all(s->fd, header, sizeof header, s->core.body_at));
    cm_merkle_acc_init(&b.acc);
    cm_merkle_leaf(leaf, (cm_view){0}, CM_VIEW(header));
    cm_merkle_acc_push(&b.acc, leaf);
    CM_TRY(cm_line_run(&line));
    cm_merkle_acc_root(root, &b.acc);
    return CM_OKAY;
}

static cm_err check_bytes(struct report *r, struct cm_sealed *s)
{
    uint8_t root[32];

    if (!s->manifest.has_sealed_root) {
        say(r, CM_CHECK_SKIP, "sealed bytes",
            "the publisher left out what checking them without a key needs (--keyless-verify)");
        return CM_OKAY;
    }
    CM_TRY(hash_body(s, root));
    if (cm_view_eq(CM_VIEW(root), CM_VIEW(s->manifest.sealed_root)))
        say(r, CM_CHECK_PASS, "sealed bytes", "every byte of the body is as it was signed");
    else
        say(r, CM_CHECK_FAIL, "sealed bytes", "not what was signed");
    return CM_OKAY;
}

/* ---- the content, with a key --------------------------------------------------------------- */

static cm_err count(void *arg, uint64_t off, const uint8_t *p, size_t n)
{
    (void)arg;
    (void)off;
    (void)p;
    (void)n;
    return CM_OKAY;
}

/* Errors of the machine and of the user are not verdicts. */
static bool no_verdict(cm_err e)
{
    cm_class k = cm_err_class(e);

    return k == CM_CLASS_EXHAUSTED || k == CM_CLASS_IO || k == CM_CLASS_CONFLICT ||
           k == CM_CLASS_INTERNAL;
}

static cm_err check_content(struct report *r, struct cm_sealed *s)
{
    const cm_index *x;
    cm_err e;

    if (s->o.openers_n == 0) {
        say(r, CM_CHECK_SKIP, "content", "needs a key (--identity)");
        return CM_OKAY;
    }
    s->o.no_signature = s->o.any_publisher = true; /* trust has had its own line */
    e = cm_sealed_open_envelope(s);
    if (cm_is(e, CM_ENVELOPE_NOT_FOR_US)) {
        say(r, CM_CHECK_SKIP, "content", "none of your keys is among the recipients");
        return CM_OKAY;
    }
    if (!say_err(r, "recipients", e, "unchanged, and the key is the one the container commits to"))
        return no_verdict(e) ? e : CM_OKAY;
    e = cm_sealed_unlock(s);
    if (!say_err(r, "tree", e, "fits the digest"))
        return no_verdict(e) ? e : CM_OKAY;
    e = cm_sealed_index(s, &x);
    if (!say_err(r, "index", e, "fits the manifest") && no_verdict(e))
        return e;
    e = cm_sealed_each(s, 0, s->manifest.size, false, count, NULL);
    return say_err(r, "content", e, "every byte decrypts and fits the digest") || !no_verdict(e)
               ? CM_OKAY
               : e;
}

cm_err cm_sealed_verify(const cm_crypt *c, int fd, const cm_open_options *o, cm_report_fn report,
                        void *arg, unsigned *failed)
{
    CM_AUTO(cm_sealed_free_ptr) cm_sealed *s = NULL;
    struct report r = {.fn = report, .arg = arg};
    cm_err e = cm_sealed_load(&s, c, fd, o);

    if (cm_failed(e) && no_verdict(e))
        return e;
    if (say_err(&r, "form", e, "header, lengths and manifest are whole")) {
        if (s->slots.other_torn)
            say(&r, CM_CHECK_FAIL, "spare slot",
                "an interrupted rewrap or a stray write: run casemate rewrap again");
        check_signatures(&r, s);
        CM_TRY(check_bytes(&r, s));
        CM_TRY(check_content(&r, s));
    }
    *failed = r.failed;
    return CM_OKAY;
}
