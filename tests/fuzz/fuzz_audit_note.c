/* Signed notes, checkpoints and verifier keys nobody made. What is read as a checkpoint and has no
 * extension lines is written the same; a line that can be read has a good name. */
#include <stdlib.h>

#include "audit/witness.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static cm_crypt *crypt_;

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void note(cm_view v)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_NOTE_MAX};
    CM_AUTO(cm_buf_free) cm_buf merged = {.max = CM_NOTE_MAX};
    cm_checkpoint c;
    cm_note_line l;
    cm_view lines;
    cm_note x;

    if (cm_failed(cm_note_parse(&x, v)))
        return;
    must(x.text.n + 1 + x.lines.n == v.n);
    lines = x.lines;
    while (cm_note_next(&lines, &l))
        must(cm_note_name_ok(l.name));
    must(lines.n == 0);
    must(cm_ok(cm_note_merge(&merged, v, x.lines)) || v.n > CM_NOTE_MAX / 2);
    if (cm_failed(cm_checkpoint_parse(&c, x.text)) || c.extensions.n > 0 ||
        !cm_note_name_ok(c.origin))
        return;
    must(cm_ok(cm_checkpoint_text(&b, c.origin, c.size, c.root)));
    must(cm_view_eq(cm_buf_view(&b), x.text));
}

static void key(cm_view v)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_NOTE_MAX};
    CM_AUTO(cm_vkey_done) cm_vkey k = {0};

    if (cm_failed(cm_vkey_parse(&k, crypt_, v)))
        return;
    must(cm_ok(cm_vkey_text(&b, &k)));
    must(cm_view_eq(cm_buf_view(&b), v));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (!crypt_)
        must(cm_ok(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)));
    note(cm_view_of(p, n));
    key(cm_view_of(p, n));
    return 0;
}
