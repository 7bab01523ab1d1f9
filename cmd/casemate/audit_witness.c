/* casemate audit witness, key. */
#include "audit/witness.h"

#include <stdio.h>
#include <stdlib.h>

#include "audit.h"
#include "base/os.h"
#include "codec/text.h"
#include "ring.h"

/* ---- what is to be witnessed ---- */

typedef struct {
    cm_buf note, last, proof;
    bool asked;   /* the proof came with the question */
    uint64_t old; /* from this size */
} question;

static void question_done(question *q)
{
    cm_buf_free(&q->note);
    cm_buf_free(&q->last);
    cm_buf_free(&q->proof);
}

static cm_err last_size(uint64_t *size, cm_view last)
{
    cm_checkpoint c;
    cm_note n;

    *size = 0;
    if (last.n == 0)
        return CM_OKAY;
    CM_TRY(cm_note_parse(&n, last));
    CM_TRY(cm_checkpoint_parse(&c, n.text));
    *size = c.size;
    return CM_OKAY;
}

/* An exported log brings its own proof. */
static cm_err ask_folder(cm_cli *cli, question *q, const char *dir)
{
    CM_AUTO(cm_cli_log_close) cm_cli_log l = {0};
    uint64_t size;
    cm_err e;

    CM_TRY(cm_cli_log_open(cli, &l, dir));
    CM_TRY(l.view.note(l.view.self, &q->note));
    CM_TRY(last_size(&size, cm_buf_view(&q->last)));
    e = cm_log_proof_since(&q->proof, &l.view, size);
    /* the check itself says it, with both checkpoints as evidence */
    return cm_is(e, CM_AUDIT_SHRUNK) ? CM_OKAY : e;
}

/* C2SP tlog-witness: "old N", hashes, an empty line, the checkpoint. */
static cm_err parse_request(question *q, cm_view v)
{
    static const char old[] = "old ";
    const uint8_t *nl;
    bool first = true;

    while ((nl = v.n ? memchr(v.p, '\n', v.n) : NULL) != NULL) {
        cm_view line = cm_view_sub(v, 0, (size_t)(nl - v.p));

        v = cm_view_sub(v, line.n + 1, v.n - line.n - 1);
        if (first) {
            if (line.n < 5 || memcmp(line.p, old, 4) != 0 ||
                cm_failed(cm_dec_u64(&q->old, cm_view_sub(line, 4, line.n - 4))))
                return CM_FAIL(AUDIT_NOTE);
            first = false;
        } else if (line.n == 0) {
            q->asked = true;
            return cm_buf_append(&q->note, v);
        } else if (line.n != 44 || cm_failed(cm_base64_decode(&q->proof, line, false))) {
            return CM_FAIL(AUDIT_NOTE);
        }
    }
    return CM_FAIL(AUDIT_NOTE);
}

static cm_err ask_file(cm_cli *cli, question *q, const char *path)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_RECEIPT_MAX + 1};

    cm_cli_on(cli, path);
    CM_TRY(cm_os_slurp(&b, path, CM_RECEIPT_MAX));
    if (b.n >= 4 && memcmp(b.p, "old ", 4) == 0)
        return parse_request(q, cm_buf_view(&b));
    return cm_buf_append(&q->note, cm_buf_view(&b));
}

/* ---- keys ---- */

typedef struct {
    cm_cli_ring ring;
    cm_vkey v[8];
    size_t n;
} cosigners;

static void cosigners_done(cosigners *c)
{
    cm_cli_ring_free(&c->ring);
}

static cm_err type_of(cm_cli *cli, cm_vkey_type *type, const cm_pkey *k, bool witness)
{
    const cm_sig_key *sig = cm_pkey_sig(k);

    switch (sig ? cm_sig_key_info(sig)->id : 0) {
    case CM_SIG_ED25519:
        *type = witness ? CM_VKEY_COSIGN_ED25519 : CM_VKEY_ED25519;
        return CM_OKAY;
    case CM_SIG_MLDSA44:
        *type = CM_VKEY_COSIGN_MLDSA44;
        return CM_OKAY;
    case CM_SIG_MLDSA65:
        *type = CM_VKEY_MLDSA65;
        return witness ? cm_cli_usage(cli, "witnesses sign with ML-DSA-44 or Ed25519") : CM_OKAY;
    default:
        return cm_cli_usage(cli, "logs sign with Ed25519, ML-DSA-44 and ML-DSA-65, witnesses with "
                                 "the first two");
    }
}

static cm_err add_cosigner(cm_cli *cli, cosigners *c, const char *name, const char *path,
                           bool witness)
{
    cm_vkey_type type;

    if (c->n == CM_COUNT(c->v))
        return cm_cli_usage(cli, "more than %zu keys", CM_COUNT(c->v));
    CM_TRY(cm_cli_ring_add(cli, &c->ring, path));
    CM_TRY(type_of(cli, &type, c->ring.v[c->n], witness));
    CM_TRY(cm_vkey_init(&c->v[c->n], cli->crypt, name, type, cm_pkey_sig(c->ring.v[c->n])));
    c->n++;
    return CM_OKAY;
}

/* ---- witness ---- */

/* Who is refused gets to see why, and so does everyone who is shown it. */
static void say_evidence(cm_cli *cli, const question *q, cm_err why)
{
    cm_cli_event e;

    cm_cli_event_begin(cli, &e, "evidence");
    cm_json_put_text(&e.w, "reason", cm_view_str(cm_err_name(why)));
    cm_json_put_text(&e.w, "cosigned", cm_buf_view(&q->last));
    cm_json_put_text(&e.w, "refused", cm_buf_view(&q->note));
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "REFUSED  %s [%s]\n\n--- cosigned before ---\n%.*s\n--- refused ---\n%.*s",
               cm_err_what(why), cm_err_name(why), (int)q->last.n, (const char *)q->last.p,
               (int)q->note.n, (const char *)q->note.p);
}

static bool is_evidence(cm_err e)
{
    return cm_is(e, CM_AUDIT_FORK) || cm_is(e, CM_AUDIT_SHRUNK);
}

static cm_err lock_state(cm_cli *cli, int *fd, const char *state)
{
    char path[4096];

    if (snprintf(path, sizeof path, "%s.lock", state) >= (int)sizeof path)
        return CM_FAIL(TOO_BIG);
    CM_TRY(cm_cli_about(cli, path, cm_os_open_update(fd, path, true), NULL));
    return cm_cli_about(cli, path, cm_os_lock(*fd, path), NULL);
}

static cm_err read_state(cm_cli *cli, question *q, const char *state)
{
    cm_err e = cm_os_slurp(&q->last, state, CM_NOTE_MAX - 1);

    return cm_is(e, CM_NO_FILE) ? CM_OKAY : cm_cli_about(cli, state, e, NULL);
}

/* the state is on the disk before the cosignature is anywhere. */
static cm_err cosign(cm_cli *cli, const question *q, const cosigners *c, const char *state,
                     cm_buf *lines, cm_buf *merged)
{
    CM_TRY(cm_witness_sign(lines, c->v, c->n, cm_buf_view(&q->note), cm_os_now()));
    CM_TRY(cm_note_merge(merged, cm_buf_view(&q->note), cm_buf_view(lines)));
    return cm_cli_about(cli, state, cm_os_spit(state, cm_buf_view(merged), 0600, true), NULL);
}

static cm_err answer(cm_cli *cli, const question *q, const cosigners *c, const char *state)
{
    CM_AUTO(cm_buf_free) cm_buf lines = {.max = CM_NOTE_MAX};
    CM_AUTO(cm_buf_free) cm_buf merged = {.max = CM_NOTE_MAX};
    const char *into = cm_cli_text(cli, "merge");

    CM_TRY(cosign(cli, q, c, state, &lines, &merged));
    if (into) {
        CM_TRY(cm_cli_about(cli, into, cm_os_spit(into, cm_buf_view(&merged), 0644, true), NULL));
    }
    cm_cli_data_to_stdout(cli);
    (void)fwrite(lines.p, 1, lines.n, stdout);
    return cm_cli_flush(cli);
}

static cm_err check(cm_cli *cli, const cm_cli_vkeys *keys, const question *q)
{
    const cm_audit_trust trust = {
        .origin = cm_cli_text(cli, "origin"), .log = keys->v, .log_n = keys->n};
    cm_checkpoint c;
    uint64_t size;

    CM_TRY(last_size(&size, cm_buf_view(&q->last)));
    if (q->asked && q->old != size) {
        (void)snprintf(cli->detail, sizeof cli->detail,
                       "the proof begins at %llu entries, and %llu were cosigned last",
                       (unsigned long long)q->old, (unsigned long long)size);
        return CM_FAIL(AUDIT_OLD);
    }
    return cm_witness_check(&c, &trust, cm_buf_view(&q->last), cm_buf_view(&q->note),
                            cm_buf_view(&q->proof));
}

static cm_err need(cm_cli *cli, const char *option)
{
    return cm_cli_has(cli, option) ? CM_OKAY : cm_cli_usage(cli, "--%s is needed", option);
}

cm_err cm_cli_audit_witness(cm_cli *cli)
{
    CM_AUTO(cm_cli_vkeys_done) cm_cli_vkeys keys = {0};
    CM_AUTO(cosigners_done) cosigners c = {0};
    CM_AUTO(question_done)
    question q = {.note.max = CM_NOTE_MAX, .last.max = CM_NOTE_MAX, .proof.max = 65 * 32};
    CM_AUTO(cm_os_close_fd) int lock = -1;
    const char *state = cm_cli_text(cli, "state");
    bool folder;
    cm_err e;

    CM_TRY(need(cli, "state"));
    CM_TRY(need(cli, "key"));
    CM_TRY(need(cli, "sign"));
    CM_TRY(need(cli, "name"));
    CM_TRY(cm_cli_vkeys_init(cli, &keys, "key"));
    for (size_t i = 0; i < cm_cli_count(cli, "sign"); i++)
        CM_TRY(add_cosigner(cli, &c, cm_cli_text(cli, "name"), cm_cli_nth(cli, "sign", i), true));
    CM_TRY(lock_state(cli, &lock, state));
    CM_TRY(read_state(cli, &q, state));
    CM_TRY(cm_cli_is_folder(cli, &folder, cli->args[0]));
    CM_TRY(folder ? ask_folder(cli, &q, cli->args[0]) : ask_file(cli, &q, cli->args[0]));
    e = check(cli, &keys, &q);
    if (is_evidence(e))
        say_evidence(cli, &q, e);
    CM_TRY(e);
    return answer(cli, &q, &c, state);
}

/* ---- key ---- */

cm_err cm_cli_audit_key(cm_cli *cli)
{
    CM_AUTO(cosigners_done) cosigners c = {0};
    const char *as = cm_cli_text(cli, "as");
    cm_cli_event e;

    CM_TRY(need(cli, "name"));
    for (size_t i = 0; i < cli->args_n; i++)
        CM_TRY(add_cosigner(cli, &c, cm_cli_text(cli, "name"), cli->args[i],
                            !as || strcmp(as, "witness") == 0));
    for (size_t i = 0; i < c.n; i++) {
        CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_NOTE_MAX};

        CM_TRY(cm_vkey_text(&b, &c.v[i]));
        cm_cli_event_begin(cli, &e, "key");
        cm_json_put_text(&e.w, "path", cm_view_str(cli->args[i]));
        cm_json_put_text(&e.w, "vkey", cm_buf_view(&b));
        cm_cli_event_end(cli, &e);
        cm_cli_say(cli, "%.*s\n", (int)b.n, (const char *)b.p);
    }
    return cm_cli_flush(cli);
}
