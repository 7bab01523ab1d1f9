#include "vectors_json.h"

#include <stdio.h>
#include <stdlib.h>

static void die(const char *what, const char *which)
{
    fprintf(stderr, "%s: %s\n", which, what);
    exit(1);
}

cm_json *t_json(const char *path)
{
    static const cm_json_limits limits = {
        .bytes = 64 << 20, .nodes = 1 << 22, .depth = 32, .string = 1 << 22};
    cm_buf text = t_slurp(path);
    cm_json *j = NULL;
    size_t at = 0;

    if (cm_failed(cm_json_parse(&j, cm_buf_view(&text), &limits, &at))) {
        fprintf(stderr, "at byte %zu: ", at);
        die("not JSON", path);
    }
    cm_buf_free(&text);
    return j;
}

bool t_json_has(const cm_json_node *obj, const char *key)
{
    return cm_json_get(obj, key) != NULL;
}

const cm_json_node *t_json_get(const cm_json_node *obj, const char *key)
{
    const cm_json_node *n = cm_json_get(obj, key);

    if (!n)
        die("no such field in a vector", key);
    return n;
}

cm_view t_json_text(const cm_json_node *obj, const char *key)
{
    cm_view v = {NULL, 0};

    if (cm_failed(cm_json_string(t_json_get(obj, key), &v)))
        die("not a string in a vector", key);
    return v;
}

bool t_json_is(const cm_json_node *obj, const char *key, const char *text)
{
    cm_view v = t_json_text(obj, key);

    return v.n == strlen(text) && memcmp(v.p, text, v.n) == 0;
}

cm_view t_json_hex(const cm_json_node *obj, const char *key)
{
    return t_hex_view(t_json_text(obj, key));
}

uint64_t t_json_num(const cm_json_node *obj, const char *key)
{
    uint64_t n = 0;

    if (cm_failed(cm_json_u64(t_json_get(obj, key), &n)))
        die("not a number in a vector", key);
    return n;
}
