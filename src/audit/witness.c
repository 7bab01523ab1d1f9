#include "audit/witness.h"

#include "crypt/merkle.h"

static cm_err parse(cm_checkpoint *c, cm_view note)
{
    cm_note n;

    CM_TRY(cm_note_parse(&n, note));
    return cm_checkpoint_parse(c, n.text);
}

/* */
static cm_err goes_on(const cm_checkpoint *last, const cm_checkpoint *now, cm_view proof)
{
    cm_err e;

    if (!cm_view_eq(last->origin, now->origin)) {
        return CM_FAIL(AUDIT_ORIGIN);
    }
    if (now->size < last->size) {
        return CM_FAIL(AUDIT_SHRUNK);
    }
    if (last->size == 0) {
        return proof.n == 0 ? CM_OKAY : CM_FAIL(MERKLE_PROOF);
    }
    e = cm_merkle_check_consistency(last->root, last->size, now->root, now->size, proof);
    return cm_is(e, CM_MERKLE_PROOF) ? CM_FAIL(AUDIT_FORK) : e;
}

cm_err cm_witness_check(cm_checkpoint *out, const cm_audit_trust *t, cm_view last, cm_view note,
                        cm_view proof)
{
    cm_audit_trust alone = *t;
    cm_audit_checked now;
    cm_checkpoint before;

    alone.quorum = 0;
    CM_TRY(cm_audit_check_note(&now, &alone, note));
    if (last.n > 0) {
        CM_TRY(parse(&before, last));
        CM_TRY(goes_on(&before, &now.checkpoint, proof));
    } else if (proof.n > 0) {
        return CM_FAIL(MERKLE_PROOF);
    }
    *out = now.checkpoint;
    return CM_OKAY;
}

cm_err cm_witness_sign(cm_buf *lines, const cm_vkey *keys, size_t n, cm_view note, uint64_t now_s)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_NOTE_MAX};
    cm_note x;

    CM_TRY(cm_note_parse(&x, note));
    for (size_t i = 0; i < n; i++) {
        if (keys[i].type != CM_VKEY_COSIGN_ED25519 && keys[i].type != CM_VKEY_COSIGN_MLDSA44) {
            return CM_FAIL(AUDIT_KEY);
        }
        CM_TRY(cm_vkey_sign(&b, &keys[i], x.text, now_s));
    }
    return cm_buf_append(lines, cm_buf_view(&b));
}

/* Whether one of the lines is by the key of l. */
static bool by_same_key(cm_view lines, const cm_note_line *l)
{
    cm_note_line other;

    while (cm_note_next(&lines, &other)) {
        if (other.id == l->id && cm_view_eq(other.name, l->name)) {
            return true;
        }
    }
    return false;
}

cm_err cm_note_merge(cm_buf *out, cm_view note, cm_view lines)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_NOTE_MAX};
    cm_view rest, at;
    cm_note_line l;
    cm_note n;

    CM_TRY(cm_note_parse(&n, note));
    CM_TRY(cm_buf_append(&b, n.text));
    CM_TRY(cm_buf_byte(&b, '\n'));
    rest = n.lines;
    while (at = rest, cm_note_next(&rest, &l)) {
        if (!by_same_key(lines, &l)) {
            CM_TRY(cm_buf_append(&b, cm_view_sub(at, 0, at.n - rest.n)));
        }
    }
    CM_TRY(cm_buf_append(&b, lines));
    CM_TRY(cm_note_parse(&n, cm_buf_view(&b)));
    return cm_buf_append(out, cm_buf_view(&b));
}
