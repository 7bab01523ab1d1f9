/* Metrics text from anywhere: samples are within the text, each read consumes some of it. */
#include <stdlib.h>

#include "run/scrape.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static bool within(cm_view part, const uint8_t *p, size_t n)
{
    return part.n == 0 || (part.p >= p && part.p + part.n <= p + n);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    cm_view rest = cm_view_of(p, n);
    bool got = true;

    while (got) {
        size_t before = rest.n;
        cm_sample s;

        if (cm_failed(cm_scrape_next(&rest, &s, &got))) {
            must(rest.n == before);
            break;
        }
        must(!got || rest.n < before);
        if (!got)
            break;
        must(s.name.n && within(s.name, p, n) && s.labels_n <= CM_SCRAPE_LABELS);
        for (size_t i = 0; i < s.labels_n; i++)
            must(within(s.label[i].name, p, n) && within(s.label[i].value, p, n));
    }
    return 0;
}
