/* Evidence in messages: our packs, and what Trustee's clients send. */
#include "attest/trustee.h"
#include "codec/text.h"
#include "release/release_int.h"

static const char pack_name[] = "casemate-evidence";

static cm_err read_pack(cm_rcar_piece *p, const cm_json_node *n)
{
    static const char *const names[] = {"casemate-evidence"};

    if (!cm_release_only(n, names, CM_COUNT(names)))
        return CM_FAIL(RELEASE_MESSAGE);
    return cm_release_base64(&p->evidence, cm_json_get(n, pack_name), false);
}

/* {"quote": ..., "cc_eventlog": ...}; null or absent: no log. */
static cm_err read_quote(cm_rcar_piece *p, const cm_json_node *n)
{
    const cm_json_node *log = cm_json_get(n, "cc_eventlog");

    CM_TRY(cm_release_base64(&p->evidence, cm_json_get(n, "quote"), false));
    if (!log || cm_json_type_of(log) == CM_JSON_NULL)
        return CM_OKAY;
    return cm_release_base64(&p->event_log, log, false);
}

static cm_err read_ours(cm_rcar_piece *p, const cm_json_node *n)
{
    if (cm_json_get(n, pack_name))
        CM_TRY(read_pack(p, n));
    else
        CM_TRY(read_quote(p, n));
    return p->evidence.n ? CM_OKAY : CM_FAIL(RELEASE_MESSAGE);
}

static cm_err add_ours(cm_rcar_attestation *a, cm_attest_kind kind, const cm_json_node *n)
{
    cm_rcar_piece p = {.kind = kind,
                       .evidence = {.max = CM_RCAR_EVIDENCE_MAX},
                       .event_log = {.max = CM_RCAR_EVIDENCE_MAX}};
    cm_err e = read_ours(&p, n);

    if (cm_failed(e)) {
        cm_buf_free(&p.evidence);
        cm_buf_free(&p.event_log);
        return e;
    }
    a->piece[a->n++] = p;
    return CM_OKAY;
}

/* RL-80: as packs, in the order of the message. */
static cm_err add_trustee(cm_rcar_attestation *a, cm_attest_kind kind, const cm_json_node *n,
                          size_t max)
{
    CM_AUTO(cm_trustee_done) cm_trustee t = {.n = 0};
    cm_err e = cm_trustee_read(&t, kind, n);

    if (cm_failed(e))
        return cm_is(e, CM_NO_MEMORY) ? e : CM_FAIL(RELEASE_EVIDENCE);
    if (t.n > max)
        return CM_FAIL(RELEASE_MESSAGE);
    for (size_t i = 0; i < t.n; i++) {
        a->piece[a->n++] = (cm_rcar_piece){.kind = kind, .evidence = t.pack[i]};
        t.pack[i] = (cm_buf){0};
    }
    return CM_OKAY;
}

static bool ours(cm_attest_kind kind, const cm_json_node *n)
{
    return cm_json_get(n, pack_name) ||
           ((kind == CM_ATTEST_TDX || kind == CM_ATTEST_SGX) && cm_json_get(n, "quote"));
}

static bool trustees(cm_attest_kind kind)
{
    return kind == CM_ATTEST_SNP || kind == CM_ATTEST_AZURE || kind == CM_ATTEST_NVIDIA;
}

cm_err cm_rcar_pieces_add(cm_rcar_attestation *a, cm_attest_kind kind, const cm_json_node *n,
                          size_t max)
{
    if (!n || cm_json_type_of(n) != CM_JSON_OBJECT || max == 0)
        return CM_FAIL(RELEASE_MESSAGE);
    if (ours(kind, n))
        return add_ours(a, kind, n);
    return trustees(kind) ? add_trustee(a, kind, n, max) : CM_FAIL(RELEASE_EVIDENCE);
}

/* ---- devices ------------------------------------------------------------------------------- */

/* Of one kind an object, or a list of them: a machine may have several GPUs. */
static cm_err read_devices(cm_rcar_attestation *a, cm_attest_kind kind, const cm_json_node *n)
{
    bool list = cm_json_type_of(n) == CM_JSON_ARRAY;
    const cm_json_node *d = list ? cm_json_first(n) : n;

    for (; d; d = list ? cm_json_next(d) : NULL)
        CM_TRY(cm_rcar_pieces_add(a, kind, d, CM_RCAR_PIECES - a->n));
    return CM_OKAY;
}

cm_err cm_rcar_additional_read(cm_rcar_attestation *a, cm_view text)
{
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;

    CM_TRY(cm_release_parse(&j, text, CM_RCAR_EVIDENCE_MAX));
    for (const cm_json_node *n = cm_json_first(cm_json_root(j)); n; n = cm_json_next(n)) {
        cm_attest_kind kind = cm_rcar_tee_of(cm_json_key(n));

        if (kind == CM_ATTEST_UNKNOWN)
            return CM_FAIL(RELEASE_TEE);
        CM_TRY(read_devices(a, kind, n));
    }
    return CM_OKAY;
}

/* ---- writing ------------------------------------------------------------------------------- */

cm_err cm_rcar_piece_put(cm_json_writer *w, const char *key, const cm_rcar_piece *p)
{
    if (p->evidence.n == 0 || p->event_log.n)
        return CM_FAIL(BAD_ARGUMENT);
    cm_json_begin_object(w, key);
    cm_json_put_base64(w, pack_name, cm_buf_view(&p->evidence));
    cm_json_end_object(w);
    return CM_OKAY;
}

/* GPUs alone: they are what this protocol has devices for. */
cm_err cm_rcar_additional_put(cm_buf *out, const cm_rcar_attestation *a)
{
    cm_json_writer w = {.out = out};

    if (a->n <= 1)
        return CM_OKAY;
    cm_json_begin_object(&w, NULL);
    cm_json_begin_array(&w, "nvidia");
    for (size_t i = 1; i < a->n; i++) {
        if (a->piece[i].kind != CM_ATTEST_NVIDIA)
            return CM_FAIL(BAD_ARGUMENT);
        CM_TRY(cm_rcar_piece_put(&w, NULL, &a->piece[i]));
    }
    cm_json_end_array(&w);
    cm_json_end_object(&w);
    return cm_json_finish(&w);
}
