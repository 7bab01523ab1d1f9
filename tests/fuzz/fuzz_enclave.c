/* Whatever the bytes: a manifest has one encoding, a program's headers stay inside the file, and a
 * log of a register has one text. */
#include <stdlib.h>

#include "enclave/elf.h"
#include "enclave/standing.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static bool inside(cm_view v, cm_view all)
{
    return v.n == 0 || (v.p >= all.p && v.p + v.n <= all.p + all.n);
}

/* As many lines as line ends, each at least 67 bytes. */
static void replay(cm_view v)
{
    static cm_crypt *c;
    uint8_t digest[32] = {0};
    cm_enclave_replay r;

    if (!c)
        must(cm_ok(cm_crypt_new(&c, CM_PROFILE_DEFAULT)));
    if (cm_ok(cm_enclave_log_replay(&r, c, v, 15, digest)))
        must(r.wanted <= r.all && r.all <= v.n / 67);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    cm_view v = cm_view_of(p, n);
    cm_enclave_manifest *m = NULL;
    cm_elf e;

    if (cm_ok(cm_enclave_manifest_read(&m, v))) {
        cm_buf b = {.max = CM_ENCLAVE_MANIFEST_MAX};

        must(cm_ok(cm_enclave_manifest_write(&b, m)) && cm_view_eq(cm_buf_view(&b), v));
        cm_buf_free(&b);
        cm_free(m);
    }
    replay(v);
    if (cm_ok(cm_elf_read(&e, v))) {
        must(e.needed_n <= CM_ELF_NEEDED && inside(e.loader, v) && inside(e.path, v));
        for (size_t i = 0; i < e.needed_n; i++)
            must(e.needed[i].n && inside(e.needed[i], v));
    }
    return 0;
}
