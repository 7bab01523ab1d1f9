/* What the reader takes, the writer writes so that it reads the same; lookups find every member. */
#include <stdlib.h>

#include "codec/json.h"
#include "json_copy.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void write_all(cm_buf *out, const cm_json *j)
{
    cm_json_writer w = {.out = out};

    json_copy(&w, cm_json_root(j));
    must(cm_ok(cm_json_finish(&w)));
}

static void look_up(const cm_json_node *n)
{
    size_t count = 0;

    for (const cm_json_node *m = cm_json_first(n); m; m = cm_json_next(m)) {
        if (cm_json_type_of(n) == CM_JSON_OBJECT)
            must(cm_json_get_view(n, cm_json_key(m)) == m);
        must(cm_json_offset(m) > cm_json_offset(n));
        count++;
        look_up(m);
    }
    must(count == cm_json_size(n));
}

static void numbers(const cm_json_node *n)
{
    uint64_t u;
    int64_t i;

    if (cm_ok(cm_json_u64(n, &u)) && cm_ok(cm_json_i64(n, &i)))
        must(i >= 0 && (uint64_t)i == u);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    /* A control character takes six times its place when it is escaped. */
    cm_buf once = {.max = 6 * n + 64}, twice = {.max = 6 * n + 64};
    const cm_json_limits wide = {.bytes = 6 * n + 64};
    cm_json *j = NULL, *again = NULL;
    size_t at = n + 1;

    if (cm_failed(cm_json_parse(&j, cm_view_of(p, n), NULL, &at))) {
        must(at <= n && !j);
        return 0;
    }
    look_up(cm_json_root(j));
    numbers(cm_json_root(j));
    write_all(&once, j);
    must(cm_ok(cm_json_parse(&again, cm_buf_view(&once), &wide, NULL)));
    write_all(&twice, again);
    must(cm_view_eq(cm_buf_view(&once), cm_buf_view(&twice)));
    cm_json_free(j);
    cm_json_free(again);
    cm_buf_free(&once);
    cm_buf_free(&twice);
    return 0;
}
