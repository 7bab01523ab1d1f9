/* Checkpoints from outside: every text file below pq/tlog. Their keys are not published, so what is
 * tested is how they are read; a note with a key is in unit_audit_note. */
#include <stdio.h>

#include "audit/note.h"
#include "codec/text.h"
#include "vectors.h"

static void each_checkpoint(const char *path)
{
    cm_buf file = t_slurp(path), again = {.max = CM_NOTE_MAX};
    cm_note_line l = {0};
    cm_checkpoint c = {0};
    cm_note n = {0};
    cm_view lines;

    t_case("checkpoint", 0);
    t_ran();
    if (T_CHECK(cm_ok(cm_note_parse(&n, cm_buf_view(&file)))) &&
        T_CHECK(cm_ok(cm_checkpoint_parse(&c, n.text)))) {
        lines = n.lines;
        T_CHECK(cm_note_next(&lines, &l) && cm_view_eq(l.name, c.origin));
        T_CHECK(cm_ok(cm_checkpoint_text(&again, c.origin, c.size, c.root)));
        T_CHECK(cm_view_eq(cm_buf_view(&again), n.text));
    }
    if (cm_view_eq(c.origin, CM_LIT("example.com/behind-the-sofa"))) {
        T_CHECK(c.size == 20852163);
        T_CHECK(l.id == 0x033de0ae); /* the first bytes of its signature */
    }
    cm_buf_free(&again);
    cm_buf_free(&file);
}

static void run(void)
{
    t_each_file("pq/tlog", "*.txt", each_checkpoint);
}

int main(void)
{
    return t_vectors_main(run);
}
