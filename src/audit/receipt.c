#include "audit/receipt.h"

#include "audit/note_int.h"
#include "codec/text.h"

#define FIRST "c2sp.org/tlog-proof@v1\n"

static cm_err put(cm_buf *b, uint64_t index, cm_view proof, cm_view extra, cm_view note)
{
    CM_TRY(cm_buf_reserve(b, sizeof FIRST + 64 + extra.n * 4 / 3 + proof.n / 32 * 45 + note.n));
    CM_TRY(cm_buf_append(b, CM_LIT(FIRST)));
    if (extra.n > 0) {
        CM_TRY(cm_buf_append(b, CM_LIT("extra ")));
        CM_TRY(cm_base64_encode(b, extra, false));
        CM_TRY(cm_buf_byte(b, '\n'));
    }
    CM_TRY(cm_buf_append(b, CM_LIT("index ")));
    CM_TRY(cm_note_put_dec(b, index));
    CM_TRY(cm_buf_byte(b, '\n'));
    for (size_t i = 0; i + 32 <= proof.n; i += 32) {
        CM_TRY(cm_base64_encode(b, cm_view_sub(proof, i, 32), false));
        CM_TRY(cm_buf_byte(b, '\n'));
    }
    CM_TRY(cm_buf_byte(b, '\n'));
    return cm_buf_append(b, note);
}

cm_err cm_receipt_put(cm_buf *out, uint64_t index, cm_view proof, cm_view extra, cm_view note)
{
    size_t was = out->n;
    cm_err e = put(out, index, proof, extra, note);

    if (cm_failed(e)) {
        out->n = was;
    }
    return e;
}

/* The next line, which must begin with prefix, without it; else v is untouched. */
static bool take(cm_view *v, cm_view *line, const char *prefix)
{
    const uint8_t *nl = v->n ? memchr(v->p, '\n', v->n) : NULL;
    size_t skip = strlen(prefix), n;

    if (!nl) {
        return false;
    }
    n = (size_t)(nl - v->p);
    if (n < skip || !cm_view_eq(cm_view_sub(*v, 0, skip), cm_view_str(prefix))) {
        return false;
    }
    *line = cm_view_sub(*v, skip, n - skip);
    *v = cm_view_sub(*v, n + 1, v->n - n - 1);
    return true;
}

static cm_err parse_proof(cm_receipt *r, cm_view *v)
{
    cm_view line;

    while (take(v, &line, "")) {
        CM_AUTO(cm_buf_free) cm_buf h = {.max = 48};

        if (line.n == 0) {
            return CM_OKAY;
        }
        if (r->proof_n == sizeof r->proof || line.n != 44 ||
            cm_failed(cm_base64_decode(&h, line, false)) || h.n != 32) {
            break;
        }
        memcpy(r->proof + r->proof_n, h.p, 32);
        r->proof_n += 32;
    }
    return CM_FAIL(AUDIT_RECEIPT);
}

/* */
cm_err cm_receipt_parse(cm_receipt *r, cm_view v)
{
    CM_AUTO(cm_receipt_done) cm_receipt x = {.extra = {.max = CM_RECEIPT_EXTRA}};
    cm_view line;
    cm_note n;

    if (v.n > CM_RECEIPT_MAX || !take(&v, &line, "c2sp.org/tlog-proof@v1") || line.n != 0) {
        return CM_FAIL(AUDIT_RECEIPT);
    }
    if (take(&v, &line, "extra ") && cm_failed(cm_base64_decode(&x.extra, line, false))) {
        return CM_FAIL(AUDIT_RECEIPT);
    }
    if (!take(&v, &line, "index ") || cm_failed(cm_dec_u64(&x.index, line))) {
        return CM_FAIL(AUDIT_RECEIPT);
    }
    CM_TRY(parse_proof(&x, &v));
    CM_TRY(cm_note_parse(&n, v));
    x.note = v;
    *r = x;
    x.extra = (cm_buf){0};
    return CM_OKAY;
}

void cm_receipt_done(cm_receipt *r)
{
    cm_buf_free(&r->extra);
    *r = (cm_receipt){0};
}
