/* Whatever the text: refused, or a form that reads again and gives itself. */
#include <stdlib.h>

#include "rim/import.h"
#include "rim/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static cm_crypt *c;

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* Canonical text is its own canonical form. */
static void again(cm_view text)
{
    CM_AUTO(cm_xml_done) cm_xml x = {.n = 0};
    CM_AUTO(cm_buf_free) cm_buf out = {.max = 8 << 20};

    if (cm_failed(cm_xml_read(&x, text)))
        return; /* longer than what may be read */
    if (cm_ok(cm_xml_canonical(&out, &x, 0, x.n)))
        must(cm_view_eq(cm_buf_view(&out), text));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    CM_AUTO(cm_xml_done) cm_xml x = {.n = 0};
    CM_AUTO(cm_buf_free) cm_buf out = {.max = 8 << 20};
    CM_AUTO(cm_rim_import_done) cm_rim_import r = {.rim = {.from = 0}};
    const char *why = NULL;

    if (!c)
        must(cm_ok(cm_crypt_new(&c, CM_PROFILE_DEFAULT)));
    must(cm_failed(
        cm_rim_import_xml(&r, &why, c, cm_view_of(p, n), CM_LIT("NV_GPU_DRIVER_a_1"), 1770000000)));
    if (cm_failed(cm_xml_read(&x, cm_view_of(p, n))))
        return 0;
    for (uint32_t i = 0; i < x.n; i++)
        must(x.node[i].end > i && x.node[i].end <= x.n);
    if (cm_ok(cm_xml_canonical(&out, &x, 0, x.n)))
        again(cm_buf_view(&out));
    return 0;
}
