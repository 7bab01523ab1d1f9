#include "audit/verify.h"

#include "crypt/merkle.h"

/* All of the log's keys, so that no one can leave away the line that he could not forge. */
static cm_err check_log_keys(const cm_audit_trust *t, const cm_note *n)
{
    uint64_t by = 0, all = t->log_n >= 64 ? UINT64_MAX : (UINT64_C(1) << t->log_n) - 1;

    CM_TRY(cm_note_check(n, t->log, t->log_n, &by, NULL));
    return by == all ? CM_OKAY : CM_FAIL(AUDIT_UNSIGNED); /* */
}

/* distinct witnesses, each counted once. */
static cm_err check_witnesses(cm_audit_checked *out, const cm_audit_trust *t, const cm_note *n)
{
    uint64_t time[64] = {0};
    size_t count = 0;

    CM_TRY(cm_note_check(n, t->witness, t->witness_n, &out->witnesses, time));
    for (size_t i = 0; i < t->witness_n; i++) {
        if ((out->witnesses >> i & 1) != 0) {
            count++;
            out->time = out->time == 0 ? time[i] : CM_MIN(out->time, time[i]);
        }
    }
    return count >= t->quorum ? CM_OKAY : CM_FAIL(AUDIT_QUORUM);
}

cm_err cm_audit_check_note(cm_audit_checked *out, const cm_audit_trust *t, cm_view note)
{
    cm_audit_checked x = {0};
    const char *origin;
    cm_note n;

    if (t->log_n == 0 || t->log_n > 64 || t->witness_n > 64) {
        return CM_FAIL(BAD_ARGUMENT);
    }
    origin = t->origin ? t->origin : t->log[0].name;
    CM_TRY(cm_note_parse(&n, note));
    CM_TRY(cm_checkpoint_parse(&x.checkpoint, n.text));
    if (!cm_view_eq(x.checkpoint.origin, cm_view_str(origin))) {
        return CM_FAIL(AUDIT_ORIGIN);
    }
    CM_TRY(check_log_keys(t, &n));
    CM_TRY(check_witnesses(&x, t, &n));
    *out = x;
    return CM_OKAY;
}

static cm_err check_receipt(cm_audit_checked *out, const cm_receipt *r, const cm_audit_trust *t,
                            cm_view entry)
{
    cm_view said = cm_buf_view(&r->extra);
    cm_audit_checked x;
    uint8_t leaf[32];

    if (entry.n == 0) {
        entry = said;
    }
    if (entry.n == 0) {
        return CM_FAIL(AUDIT_RECEIPT);
    }
    CM_TRY(cm_audit_check_note(&x, t, r->note));
    cm_merkle_leaf(leaf, cm_view_of(NULL, 0), entry);
    CM_TRY(cm_merkle_check_inclusion(x.checkpoint.root, r->index, x.checkpoint.size, leaf,
                                     cm_view_of(r->proof, r->proof_n)));
    *out = x;
    return CM_OKAY;
}

cm_err cm_audit_check_receipt(cm_audit_checked *out, cm_receipt *r, const cm_audit_trust *t,
                              cm_view text, cm_view entry)
{
    CM_AUTO(cm_receipt_done) cm_receipt x = {0};

    CM_TRY(cm_receipt_parse(&x, text));
    CM_TRY(check_receipt(out, &x, t, entry));
    *r = x;
    x.extra = (cm_buf){0};
    return CM_OKAY;
}

cm_err cm_audit_check_consistency(const cm_audit_trust *t, cm_view older, cm_view newer,
                                  cm_view proof)
{
    cm_audit_trust alone = *t;
    cm_audit_checked a, b;
    cm_err e;

    alone.quorum = 0;
    CM_TRY(cm_audit_check_note(&a, &alone, older));
    CM_TRY(cm_audit_check_note(&b, t, newer));
    if (b.checkpoint.size < a.checkpoint.size) {
        return CM_FAIL(AUDIT_SHRUNK);
    }
    if (a.checkpoint.size == 0) {
        return proof.n == 0 ? CM_OKAY : CM_FAIL(MERKLE_PROOF);
    }
    e = cm_merkle_check_consistency(a.checkpoint.root, a.checkpoint.size, b.checkpoint.root,
                                    b.checkpoint.size, proof);
    return cm_is(e, CM_MERKLE_PROOF) ? CM_FAIL(AUDIT_FORK) : e;
}
