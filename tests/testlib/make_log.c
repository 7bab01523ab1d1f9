/*
 * make-log DB SEED FIRST COUNT [RECEIPT]: entries FIRST to FIRST + COUNT behind what DB holds, by
 * the keys of SEED. Prints the public keys. RECEIPT: a file for that of the last entry.
 */
#include <stdio.h>
#include <stdlib.h>

#include "log_kit.h"

static void must(cm_err e)
{
    if (cm_failed(e)) {
        (void)fprintf(stderr, "make-log: %s\n", cm_err_name(e));
        exit(1);
    }
}

static uint64_t number(const char *text)
{
    return strtoull(text, NULL, 10);
}

static void add_with_receipt(t_log *l, uint64_t i, const char *path)
{
    cm_audit_entry e = t_log_entry(i);
    cm_unit u = {.entry = &e, .want_receipt = true};

    must(cm_committer_commit(l->committer, &u));
    t_put_file(path, cm_buf_view(&u.receipt));
    cm_buf_free(&u.receipt);
}

int main(int argc, char **argv)
{
    cm_buf b = {.max = 1 << 16};
    uint64_t first, n;
    t_log *l;

    if (argc < 5) {
        (void)fputs("usage: make-log DB SEED FIRST COUNT [RECEIPT]\n", stderr);
        return 2;
    }
    l = t_log_at((uint8_t)number(argv[2]), argv[1]);
    must(t_log_open(l));
    first = number(argv[3]);
    n = number(argv[4]);
    while (n > 0) {
        uint64_t some = n < 4000 ? n : 4000;

        t_log_add(l, first, some);
        first += some;
        n -= some;
    }
    if (argc > 5) {
        add_with_receipt(l, first, argv[5]);
    }
    must(cm_audit_local_public(&b, l->signer));
    (void)fwrite(b.p, 1, b.n, stdout);
    cm_buf_free(&b);
    t_log_done(l);
    return 0;
}
