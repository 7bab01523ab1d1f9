/* What the table tells people and editors. */
#include <stdio.h>

#include "codec/json.h"
#include "run/config_int.h"

static const char intro[] =
    "# Configuration of casemate-kmsd\n"
    "\n"
    "Made by `./do docs` from the table that reads it (`src/run/config_table.c`).\n"
    "\n"
    "YAML without its traps: anchors, aliases, tags, directives and further documents are refused, "
    "and so are unknown keys and keys that are there twice, each with its place in the file. Sizes "
    "take KiB, MiB, GiB; times ms, s, m, h, d. Paths are relative to the file's folder. `casemate "
    "config check FILE` reads a file as the server does, `casemate config explain FILE` shows "
    "every value and where it comes from, `casemate config schema` is for editors.\n"
    "\n"
    "Keys marked * are taken over by SIGHUP, all others by a restart; the server says in its log "
    "what differs.\n";

static cm_err put(cm_buf *out, const char *s)
{
    return cm_buf_append(out, cm_view_str(s));
}

static cm_err printed(cm_buf *out, const char *text, int n)
{
    return n < 0 ? CM_FAIL(TOO_BIG) : cm_buf_append(out, cm_view_of(text, (size_t)n));
}

static const char *suffixed(char text[256], uint64_t v, const uint64_t *units,
                            const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (v && v % units[i] == 0) {
            snprintf(text, 256, "%llu%s", (unsigned long long)(v / units[i]), names[i]);
            return text;
        }
    snprintf(text, 256, "%llu%s", (unsigned long long)v, n ? names[n - 1] : "");
    return text;
}

void cm_config_show(char text[256], const struct key *k, const void *place)
{
    static const uint64_t sizes[] = {1ULL << 30, 1 << 20, 1 << 10, 1};
    static const char *const size_names[] = {"GiB", "MiB", "KiB", ""};
    static const uint64_t times[] = {86400000, 3600000, 60000, 1000, 1};
    static const char *const time_names[] = {"d", "h", "m", "s", "ms"};
    uint64_t n;

    if (k->type == KEY_TEXT || k->type == KEY_PATH || k->type == KEY_ADDRESS) {
        const char *s = *(const char *const *)place;

        /* Bounds of a text are no texts. */
        snprintf(text, 256, "%s", place == &k->min || place == &k->max || !s ? "" : s);
        return;
    }
    if (k->type == KEY_BOOL) {
        snprintf(text, 256, "%s", *(const bool *)place ? "true" : "false");
        return;
    }
    n = *(const uint64_t *)place;
    if (k->type == KEY_CHOICE)
        snprintf(text, 256, "%s", k->choices[n]);
    else if (k->type == KEY_SIZE)
        suffixed(text, n, sizes, size_names, CM_COUNT(sizes));
    else if (k->type == KEY_DURATION)
        suffixed(text, n, times, time_names, CM_COUNT(times));
    else
        suffixed(text, n, NULL, NULL, 0);
}

/* ---- faults -------------------------------------------------------------------------------- */

static cm_view line_at(cm_view text, unsigned line)
{
    const uint8_t *p = text.p, *end = text.p + text.n, *nl;

    while (line > 1 && p < end && (nl = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        p = nl + 1;
        line--;
    }
    nl = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
    return cm_view_of(p, (size_t)((nl ? nl : end) - p));
}

/* The line with a caret below; tabs stay as they are, so that both stand in one column. */
static cm_err caret(cm_buf *out, cm_view line, unsigned column)
{
    line.n = CM_MIN(line.n, (size_t)200);
    CM_TRY(put(out, "    "));
    for (size_t i = 0; i < line.n; i++)
        CM_TRY(cm_buf_byte(out, line.p[i] < 0x20 && line.p[i] != '\t' ? '?' : line.p[i]));
    CM_TRY(put(out, "\n    "));
    for (size_t i = 0; i + 1 < column && i < line.n; i++)
        CM_TRY(cm_buf_byte(out, line.p[i] == '\t' ? '\t' : ' '));
    return put(out, "^\n");
}

cm_err cm_config_fault_write(cm_buf *out, const cm_config_fault *f, const char *path, cm_view text)
{
    char head[1024];

    CM_TRY(printed(out, head,
                   snprintf(head, sizeof head, "%.512s:%u:%u: %s%s%s%s%s%s\n", path, f->line,
                            f->column, f->warning ? "warning: " : "", f->key, f->key[0] ? ": " : "",
                            f->what, f->hint[0] ? "; " : "", f->hint)));
    return f->line ? caret(out, line_at(text, f->line), f->column) : CM_OKAY;
}

/* ---- values -------------------------------------------------------------------------------- */

/* The key's name with its places: "listeners[0].address". */
static void placed(char text[128], const struct key *k, const size_t at[2])
{
    const char *p = k->name, *next;
    size_t n = 0;

    for (size_t i = 0; (next = strstr(p, "[]")) != NULL && i < 2 && n < 128; i++, p = next + 2)
        n += (size_t)snprintf(text + n, 128 - n, "%.*s[%zu]", (int)(next - p), p, at[i]);
    if (n < 128)
        snprintf(text + n, 128 - n, "%s", p);
}

static unsigned line_of(const cm_config *c, size_t key, const size_t at[2])
{
    for (size_t i = 0; i < c->origins_n; i++)
        if (c->origins[i].key == key && c->origins[i].at[0] == at[0] &&
            c->origins[i].at[1] == at[1])
            return c->origins[i].line;
    return 0;
}

static cm_err explain_one(cm_buf *out, const cm_config *c, size_t i, const size_t at[2])
{
    const struct key *k = &cm_config_keys[i];
    cm_config_values *v = (cm_config_values *)(uintptr_t)&c->v;
    unsigned line = line_of(c, i, at);
    char name[128], value[256], text[1024], from[64] = "default";

    placed(name, k, at);
    cm_config_show(value, k, cm_config_place(v, k, at));
    if (line)
        snprintf(from, sizeof from, "line %u", line);
    return printed(
        out, text,
        snprintf(text, sizeof text, "%-40s %-28s # %s\n", name, value[0] ? value : "(none)", from));
}

cm_err cm_config_explain(cm_buf *out, const cm_config *c)
{
    for (size_t i = 0; i < cm_config_keys_n; i++) {
        const struct key *k = &cm_config_keys[i];
        size_t at[2] = {0, 0}, n = cm_config_count(&c->v, k, 0, 0);

        for (at[0] = 0; at[0] < n; at[0]++)
            for (at[1] = 0; at[1] < cm_config_count(&c->v, k, 1, at[0]); at[1]++)
                CM_TRY(explain_one(out, c, i, at));
    }
    return CM_OKAY;
}

static void shown(char text[256], const cm_config *c, const struct key *k, const size_t at[2])
{
    text[0] = 0;
    if (at[0] < cm_config_count(&c->v, k, 0, 0) && at[1] < cm_config_count(&c->v, k, 1, at[0]))
        cm_config_show(text, k, cm_config_place((cm_config_values *)(uintptr_t)&c->v, k, at));
}

static cm_err diff_one(cm_buf *out, const cm_config *a, const cm_config *b, const struct key *k,
                       const size_t at[2], bool *restart)
{
    char name[128], from[256], to[256], text[1024];

    shown(from, a, k, at);
    shown(to, b, k, at);
    if (strcmp(from, to) == 0)
        return CM_OKAY;
    placed(name, k, at);
    if (!(k->flags & KEY_RELOAD))
        *restart = true;
    return printed(out, text,
                   snprintf(text, sizeof text, "%s: %s -> %s%s\n", name, from[0] ? from : "(none)",
                            to[0] ? to : "(none)",
                            k->flags & KEY_RELOAD ? "" : " (after a restart)"));
}

cm_err cm_config_diff(cm_buf *out, const cm_config *from, const cm_config *to, bool *restart)
{
    *restart = false;
    for (size_t i = 0; i < cm_config_keys_n; i++) {
        const struct key *k = &cm_config_keys[i];
        bool list = strstr(k->name, "[]") != NULL;
        size_t at[2];

        for (at[0] = 0; at[0] < (list ? CM_CONFIG_LISTENERS : 1u); at[0]++)
            for (at[1] = 0; at[1] < (list ? CM_CONFIG_CERTIFICATES : 1u); at[1]++)
                if (at[1] == 0 || strstr(k->name, "[].certificates[]"))
                    CM_TRY(diff_one(out, from, to, k, at, restart));
    }
    return CM_OKAY;
}

/* ---- schema -------------------------------------------------------------------------------- */

static void schema_value(cm_json_writer *w, const struct key *k)
{
    cm_json_put_text(w, "description", cm_view_str(k->doc));
    switch (k->type) {
    case KEY_NUMBER:
        cm_json_put_text(w, "type", CM_LIT("integer"));
        cm_json_put_u64(w, "minimum", k->min);
        cm_json_put_u64(w, "maximum", k->max);
        break;
    case KEY_BOOL:
        cm_json_put_text(w, "type", CM_LIT("boolean"));
        break;
    case KEY_CHOICE:
        cm_json_begin_array(w, "enum");
        for (size_t i = 0; k->choices[i]; i++)
            cm_json_put_text(w, NULL, cm_view_str(k->choices[i]));
        cm_json_end_array(w);
        break;
    case KEY_DURATION:
        cm_json_put_text(w, "pattern", CM_LIT("^(0|[1-9][0-9]*)(ms|s|m|h|d)$"));
        break;
    case KEY_SIZE:
        cm_json_put_text(w, "pattern", CM_LIT("^(0|[1-9][0-9]*)((K|M|G|T)(iB)?)?$"));
        break;
    default:
        cm_json_put_text(w, "type", CM_LIT("string"));
        cm_json_put_u64(w, "minLength", k->min);
        cm_json_put_u64(w, "maxLength", k->max);
    }
}

static void schema_open(cm_json_writer *w)
{
    cm_json_put_text(w, "type", CM_LIT("object"));
    cm_json_put_bool(w, "additionalProperties", false);
    cm_json_begin_object(w, "properties");
}

/* Components of a name: "listeners[]", "certificates[]", "key". */
static size_t component(const char *name, size_t i, const char **at)
{
    for (; i; i--)
        name = strchr(name, '.') + 1;
    *at = name;
    return strcspn(name, ".");
}

static size_t depth_of(const char *name)
{
    size_t n = 0;

    for (; (name = strchr(name, '.')) != NULL; name++)
        n++;
    return n;
}

/* How many sections two names share. */
static size_t shared(const char *a, const char *b)
{
    size_t n = 0, most = CM_MIN(depth_of(a), depth_of(b));

    for (; n < most; n++) {
        const char *x, *y;
        size_t xn = component(a, n, &x), yn = component(b, n, &y);

        if (!cm_view_eq(cm_view_of(x, xn), cm_view_of(y, yn)))
            break;
    }
    return n;
}

static void open_section(cm_json_writer *w, const char *name, size_t n, size_t max)
{
    bool list = n > 2 && name[n - 1] == ']';

    cm_json_put_key(w, cm_view_of(name, list ? n - 2 : n));
    cm_json_begin_object(w, NULL);
    if (list) {
        cm_json_put_text(w, "type", CM_LIT("array"));
        cm_json_put_u64(w, "maxItems", max);
        cm_json_begin_object(w, "items");
    }
    schema_open(w);
}

static void close_section(cm_json_writer *w, const char *name, size_t n)
{
    cm_json_end_object(w);
    if (name[n - 1] == ']')
        cm_json_end_object(w);
    cm_json_end_object(w);
}

static void schema_keys(cm_json_writer *w)
{
    const char *before = "";

    for (size_t i = 0; i <= cm_config_keys_n; i++) {
        const char *name = i < cm_config_keys_n ? cm_config_keys[i].name : "", *at;
        size_t same = shared(before, name), n;

        for (size_t d = depth_of(before); d > same; d--) {
            n = component(before, d - 1, &at);
            close_section(w, at, n);
        }
        for (size_t d = same; d < depth_of(name); d++) {
            n = component(name, d, &at);
            open_section(w, at, n, d ? CM_CONFIG_CERTIFICATES : CM_CONFIG_LISTENERS);
        }
        before = name;
        if (i == cm_config_keys_n)
            return;
        component(name, depth_of(name), &at);
        cm_json_begin_object(w, at);
        schema_value(w, &cm_config_keys[i]);
        cm_json_end_object(w);
    }
}

cm_err cm_config_schema(cm_buf *out)
{
    cm_json_writer w = {.out = out};

    cm_json_begin_object(&w, NULL);
    cm_json_put_text(&w, "$schema", CM_LIT("https://json-schema.org/draft/2020-12/schema"));
    cm_json_put_text(&w, "title", CM_LIT("casemate-kmsd"));
    schema_open(&w);
    schema_keys(&w);
    cm_json_end_object(&w);
    cm_json_end_object(&w);
    CM_TRY(cm_json_finish(&w));
    return cm_buf_byte(out, '\n');
}

/* ---- docs/config.md ------------------------------------------------------------------------ */

static void bounds(char text[600], const struct key *k)
{
    char lo[256], hi[256];
    size_t n = 0;

    cm_config_show(lo, k, &k->min);
    cm_config_show(hi, k, &k->max);
    text[0] = 0;
    if (k->type == KEY_CHOICE)
        for (size_t i = 0; k->choices[i] && n < 600; i++)
            n += (size_t)snprintf(text + n, 600 - n, "%s`%s`", i ? ", " : "", k->choices[i]);
    else if (k->type == KEY_BOOL)
        snprintf(text, 600, "`true`, `false`");
    else if (k->type == KEY_PATH)
        snprintf(text, 600, "path");
    else if (k->type == KEY_ADDRESS)
        snprintf(text, 600, "address");
    else if (k->type == KEY_TEXT)
        snprintf(text, 600, "text");
    else
        snprintf(text, 600, "%s to %s", lo, hi);
}

static cm_err markdown_key(cm_buf *out, const struct key *k)
{
    char range[600], text[2048];

    bounds(range, k);
    return printed(out, text,
                   snprintf(text, sizeof text, "| `%s`%s | %s | %s%s%s | %s |\n", k->name,
                            k->flags & KEY_RELOAD ? " *" : "", range, k->standard ? "`" : "",
                            k->standard                 ? k->standard
                            : (k->flags & KEY_REQUIRED) ? "required"
                                                        : "",
                            k->standard ? "`" : "", k->doc));
}

static cm_err markdown_alias(cm_buf *out, const struct alias *a)
{
    char text[1024];

    return printed(out, text,
                   snprintf(text, sizeof text, "| `%s` | %s%s%s | %s |\n", a->name,
                            a->key ? "`" : "only `", a->key ? a->key : a->only, "`", a->doc));
}

cm_err cm_config_markdown(cm_buf *out)
{
    CM_TRY(put(out, intro));
    CM_TRY(put(out, "\n| key | values | default | what |\n|---|---|---|---|\n"));
    for (size_t i = 0; i < cm_config_keys_n; i++)
        CM_TRY(markdown_key(out, &cm_config_keys[i]));
    CM_TRY(put(out, "\n## Lists\n"));
    for (size_t i = 0; i < cm_config_lists_n; i++) {
        CM_TRY(put(out, "- `"));
        CM_TRY(put(out, cm_config_lists[i].name));
        CM_TRY(put(out, "` "));
        CM_TRY(put(out, cm_config_lists[i].doc));
        CM_TRY(put(out, "\n"));
    }
    CM_TRY(put(out, "\n## Keys of older drafts\n"
                    "The YAML of HIP-005 is read where it means something here; other values and "
                    "keys of it are refused with their place, not ignored.\n\n"
                    "| key | here | why |\n|---|---|---|\n"));
    for (size_t i = 0; i < cm_config_aliases_n; i++)
        CM_TRY(markdown_alias(out, &cm_config_aliases[i]));
    return CM_OKAY;
}
