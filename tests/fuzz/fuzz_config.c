/* Whatever the text: a configuration or faults, each with its place inside the text; what is read
 * explains itself, and does not differ from itself. */
#include <stdlib.h>

#include "run/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void look_at(const cm_config *c)
{
    cm_buf out = {.max = 1 << 20}, diff = {.max = 1 << 20};
    bool restart = true;

    must(cm_ok(cm_config_explain(&out, c)));
    must(cm_ok(cm_config_diff(&diff, c, c, &restart)));
    must(diff.n == 0 && !restart);
    must(cm_config_of(c)->listeners_n >= 1 && cm_config_of(c)->listeners_n <= CM_CONFIG_LISTENERS);
    cm_buf_free(&out);
    cm_buf_free(&diff);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    cm_config_faults f = {.n = 0};
    cm_config *c = NULL;
    cm_buf text = {.max = 1 << 20};
    cm_err e = cm_config_read(&c, cm_view_of(p, n), "dir/fuzz.yaml", &f);

    must(cm_ok(e) == (c != NULL));
    must(cm_ok(e) || f.n > 0 || cm_err_class(e) == CM_CLASS_EXHAUSTED);
    for (size_t i = 0; i < f.n; i++)
        must(cm_ok(cm_config_fault_write(&text, &f.v[i], "dir/fuzz.yaml", cm_view_of(p, n))));
    if (c)
        look_at(c);
    cm_config_free(c);
    cm_buf_free(&text);
    return 0;
}
