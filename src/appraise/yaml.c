#include "appraise/yaml.h"

#include <yaml.h>

#include "codec/text.h"

typedef struct {
    cm_yaml *y;
    cm_buf json;
    cm_json_writer w;
    uint32_t maps;  /* bit d: the container at depth d is a map */
    unsigned depth; /* containers that are open */
    bool value;     /* a map's key was read and its value comes next */
    bool done, ended;
    yaml_mark_t at;
    const char *what;
} reading;

void cm_yaml_done(cm_yaml *y)
{
    cm_json_free(y->json);
    cm_free(y->marks);
    *y = (cm_yaml){0};
}

static cm_err wrong(reading *r, const yaml_mark_t *at, const char *what)
{
    r->at = *at;
    r->what = what;
    return CM_FAIL(POLICY_SYNTAX);
}

static bool wants_key(const reading *r)
{
    return r->depth && (r->maps >> (r->depth - 1) & 1) && !r->value;
}

static cm_err mark(reading *r, const yaml_mark_t *at)
{
    cm_yaml_mark *m = &r->y->marks[r->y->n];

    if (r->y->n == CM_YAML_VALUES)
        return wrong(r, at, "more values than are read");
    *m = (cm_yaml_mark){r->json.n, (unsigned)at->line + 1, (unsigned)at->column + 1};
    r->y->n++;
    return CM_OKAY;
}

static bool is_number(cm_view v)
{
    uint64_t n;

    return cm_ok(cm_dec_u64(&n, v));
}

static void put_plain(cm_json_writer *w, cm_view v)
{
    if (is_number(v))
        cm_json_put_number(w, NULL, v);
    else if (cm_view_eq(v, CM_LIT("true")) || cm_view_eq(v, CM_LIT("false")))
        cm_json_put_bool(w, NULL, v.p[0] == 't');
    else if (v.n == 0 || cm_view_eq(v, CM_LIT("null")) || cm_view_eq(v, CM_LIT("~")))
        cm_json_put_null(w, NULL);
    else
        cm_json_put_text(w, NULL, v);
}

static cm_err scalar(reading *r, const yaml_event_t *e)
{
    cm_view v = cm_view_of(e->data.scalar.value, e->data.scalar.length);

    if (e->data.scalar.anchor || e->data.scalar.tag)
        return wrong(r, &e->start_mark, "anchors and tags are not read here");
    CM_TRY(mark(r, &e->start_mark));
    if (wants_key(r)) {
        cm_json_put_key(&r->w, v);
        r->value = true;
        return CM_OKAY;
    }
    r->value = false;
    if (e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        put_plain(&r->w, v);
    else
        cm_json_put_text(&r->w, NULL, v);
    return CM_OKAY;
}

static cm_err enter(reading *r, const yaml_event_t *e, bool map, const unsigned char *anchor,
                    const unsigned char *tag)
{
    if (anchor || tag)
        return wrong(r, &e->start_mark, "anchors and tags are not read here");
    if (wants_key(r))
        return wrong(r, &e->start_mark, "a key has to be plain text");
    if (r->depth == CM_YAML_DEPTH)
        return wrong(r, &e->start_mark, "nested deeper than is read");
    CM_TRY(mark(r, &e->start_mark));
    r->value = false;
    if (map) {
        cm_json_begin_object(&r->w, NULL);
        r->maps |= 1u << r->depth;
    } else {
        cm_json_begin_array(&r->w, NULL);
        r->maps &= ~(1u << r->depth);
    }
    r->depth++;
    return CM_OKAY;
}

static void leave(reading *r, bool map)
{
    if (map)
        cm_json_end_object(&r->w);
    else
        cm_json_end_array(&r->w);
    r->depth--;
    r->value = false;
}

static cm_err begin_document(reading *r, const yaml_event_t *e)
{
    if (r->done)
        return wrong(r, &e->start_mark, "a second document");
    if (e->data.document_start.version_directive ||
        e->data.document_start.tag_directives.start != e->data.document_start.tag_directives.end)
        return wrong(r, &e->start_mark, "directives are not read here");
    r->done = true;
    return CM_OKAY;
}

static cm_err take(reading *r, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        return begin_document(r, e);
    case YAML_SCALAR_EVENT:
        return scalar(r, e);
    case YAML_MAPPING_START_EVENT:
        return enter(r, e, true, e->data.mapping_start.anchor, e->data.mapping_start.tag);
    case YAML_SEQUENCE_START_EVENT:
        return enter(r, e, false, e->data.sequence_start.anchor, e->data.sequence_start.tag);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        leave(r, e->type == YAML_MAPPING_END_EVENT);
        return CM_OKAY;
    case YAML_ALIAS_EVENT:
        return wrong(r, &e->start_mark, "aliases are not read here");
    case YAML_STREAM_END_EVENT:
        r->ended = true;
        return CM_OKAY;
    default:
        return CM_OKAY;
    }
}

static cm_err next(reading *r, yaml_parser_t *p)
{
    yaml_event_t e;
    cm_err result;

    if (!yaml_parser_parse(p, &e)) {
        if (p->error == YAML_MEMORY_ERROR)
            return CM_FAIL(NO_MEMORY);
        return wrong(r, &p->problem_mark, "this is not YAML");
    }
    result = take(r, &e);
    yaml_event_delete(&e);
    return result;
}

static cm_err all(reading *r, cm_view text)
{
    yaml_parser_t p;
    cm_err e = CM_OKAY;

    if (!yaml_parser_initialize(&p))
        return CM_FAIL(NO_MEMORY);
    yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p, text.p ? text.p : (const uint8_t *)"", text.n);
    while (cm_ok(e) && !r->ended)
        e = next(r, &p);
    yaml_parser_delete(&p);
    return e;
}

static cm_err read(reading *r, cm_view text)
{
    size_t at = 0;
    cm_err e;

    if (text.n > CM_YAML_MAX)
        return wrong(r, &(yaml_mark_t){0}, "longer than is read");
    CM_TRY(cm_alloc_array(&r->y->marks, CM_YAML_VALUES, sizeof *r->y->marks));
    CM_TRY(all(r, text));
    e = cm_json_finish(&r->w);
    if (cm_ok(e))
        e = cm_json_parse(&r->y->json, cm_buf_view(&r->json), NULL, &at);
    if (cm_is(e, CM_NO_MEMORY))
        return e;
    if (cm_is(e, CM_JSON_DUPLICATE))
        return wrong(r, &(yaml_mark_t){0}, "a key is there twice");
    if (cm_failed(e))
        return wrong(r, &(yaml_mark_t){0}, "there is nothing in it that can be read");
    return CM_OKAY;
}

cm_err cm_yaml_read(cm_yaml *y, cm_view text, cm_yaml_mark *at, const char **what)
{
    CM_AUTO(cm_yaml_done) cm_yaml out = {0};
    reading r = {.y = &out, .json = {.max = 8 * CM_YAML_MAX}};
    cm_err e;

    r.w.out = &r.json;
    e = read(&r, text);
    cm_buf_free(&r.json);
    if (cm_is(e, CM_POLICY_SYNTAX)) {
        *at = (cm_yaml_mark){0, (unsigned)r.at.line + 1, (unsigned)r.at.column + 1};
        *what = r.what;
    }
    CM_TRY(e);
    *y = out;
    out = (cm_yaml){0};
    return CM_OKAY;
}

/* Marks stand before the comma and the key, so the last at or before the value is its own. */
cm_yaml_mark cm_yaml_at(const cm_yaml *y, const cm_json_node *node)
{
    size_t offset = cm_json_offset(node), low = 0, high = y->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (y->marks[mid].offset <= offset)
            low = mid + 1;
        else
            high = mid;
    }
    return low ? y->marks[low - 1] : (cm_yaml_mark){0, 1, 1};
}
