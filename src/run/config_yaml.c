/* YAML events into a small tree, with everything refused that means more than it shows. */
#include <yaml.h>

#include "run/config_int.h"

struct reading {
    struct tree *t;
    cm_config_faults *faults;
    uint16_t open[DEPTH_MAX + 1]; /* containers under way, the innermost last */
    size_t depth;
    const char *key; /* of the value to come */
    unsigned key_line, key_column;
    bool done, ended;
};

cm_err cm_config_copy(struct string **list, const char **out, cm_view text)
{
    struct string *s = NULL;

    CM_TRY(cm_alloc(&s, sizeof *s + text.n + 1));
    if (text.n)
        memcpy(s->text, text.p, text.n);
    s->next = *list;
    *list = s;
    *out = s->text;
    return CM_OKAY;
}

void cm_config_tree_free(struct tree *t)
{
    while (t->strings) {
        struct string *s = t->strings;

        t->strings = s->next;
        cm_free(s);
    }
    cm_free(t->v);
    *t = (struct tree){0};
}

static cm_err wrong(struct reading *r, cm_reason reason, const yaml_mark_t *at, const char *what)
{
    cm_err e = {(uint32_t)reason};

    cm_config_complain(r->faults, e, (unsigned)at->line + 1, (unsigned)at->column + 1, "", NULL,
                       "%s", what);
    return e;
}

static cm_err duplicate(struct reading *r, const yaml_mark_t *at)
{
    const struct node *map = &r->t->v[r->open[r->depth - 1]];

    for (uint16_t i = map->first; i != NONE; i = r->t->v[i].next)
        if (strcmp(r->t->v[i].key, r->key) == 0)
            return wrong(r, CM_CONFIG_KEY, at, "this key is there twice");
    return CM_OKAY;
}

/* A scalar that is a key of the map under way. */
static cm_err take_key(struct reading *r, const yaml_event_t *e)
{
    cm_view v = cm_view_of(e->data.scalar.value, e->data.scalar.length);

    if (v.n == 0 || v.n >= CM_CONFIG_KEY_MAX || memchr(v.p, 0, v.n))
        return wrong(r, CM_CONFIG_KEY, &e->start_mark, "not the name of a key");
    CM_TRY(cm_config_copy(&r->t->strings, &r->key, v));
    r->key_line = (unsigned)e->start_mark.line + 1;
    r->key_column = (unsigned)e->start_mark.column + 1;
    return duplicate(r, &e->start_mark);
}

static bool wants_key(const struct reading *r)
{
    return r->depth && r->t->v[r->open[r->depth - 1]].kind == NODE_MAP && !r->key;
}

static cm_err add(struct reading *r, node_kind kind, const yaml_event_t *e, uint16_t *at)
{
    struct tree *t = r->t;
    struct node *n = &t->v[t->n];

    if (t->n >= NODES_MAX)
        return wrong(r, CM_CONFIG_LIMIT, &e->start_mark, "more values than are read");
    if (wants_key(r))
        return wrong(r, CM_CONFIG_SYNTAX, &e->start_mark, "a key has to be plain text");
    *n = (struct node){.kind = kind,
                       .key = r->key,
                       .key_line = r->key_line,
                       .key_column = r->key_column,
                       .line = (unsigned)e->start_mark.line + 1,
                       .column = (unsigned)e->start_mark.column + 1,
                       .parent = r->depth ? r->open[r->depth - 1] : NONE,
                       .first = NONE,
                       .last = NONE,
                       .next = NONE};
    r->key = NULL;
    *at = (uint16_t)t->n++;
    if (r->depth) {
        struct node *parent = &t->v[r->open[r->depth - 1]];

        if (parent->last == NONE)
            parent->first = *at;
        else {
            t->v[parent->last].next = *at;
            t->v[*at].place = (uint16_t)(t->v[parent->last].place + 1);
        }
        parent->last = *at;
    }
    return CM_OKAY;
}

static cm_err take_scalar(struct reading *r, const yaml_event_t *e)
{
    cm_view v = cm_view_of(e->data.scalar.value, e->data.scalar.length);
    uint16_t at;

    if (e->data.scalar.anchor || e->data.scalar.tag)
        return wrong(r, CM_CONFIG_SYNTAX, &e->start_mark, "anchors and tags are not read here");
    if (wants_key(r))
        return take_key(r, e);
    if (v.n && memchr(v.p, 0, v.n))
        return wrong(r, CM_CONFIG_SYNTAX, &e->start_mark, "a value with a NUL in it");
    CM_TRY(add(r, NODE_SCALAR, e, &at));
    r->t->v[at].plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return cm_config_copy(&r->t->strings, &r->t->v[at].text, v);
}

static cm_err enter(struct reading *r, const yaml_event_t *e, node_kind kind)
{
    const unsigned char *anchor =
        kind == NODE_MAP ? e->data.mapping_start.anchor : e->data.sequence_start.anchor;
    const unsigned char *tag =
        kind == NODE_MAP ? e->data.mapping_start.tag : e->data.sequence_start.tag;
    uint16_t at;

    if (anchor || tag)
        return wrong(r, CM_CONFIG_SYNTAX, &e->start_mark, "anchors and tags are not read here");
    if (r->depth >= DEPTH_MAX)
        return wrong(r, CM_CONFIG_LIMIT, &e->start_mark, "nested deeper than is read");
    CM_TRY(add(r, kind, e, &at));
    r->open[r->depth++] = at;
    return CM_OKAY;
}

static cm_err take_event(struct reading *r, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (r->done)
            return wrong(r, CM_CONFIG_SYNTAX, &e->start_mark, "a second document");
        if (e->data.document_start.version_directive ||
            e->data.document_start.tag_directives.start !=
                e->data.document_start.tag_directives.end)
            return wrong(r, CM_CONFIG_SYNTAX, &e->start_mark, "directives are not read here");
        r->done = true;
        return CM_OKAY;
    case YAML_SCALAR_EVENT:
        return take_scalar(r, e);
    case YAML_MAPPING_START_EVENT:
        return enter(r, e, NODE_MAP);
    case YAML_SEQUENCE_START_EVENT:
        return enter(r, e, NODE_LIST);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        r->depth--;
        return CM_OKAY;
    case YAML_ALIAS_EVENT:
        return wrong(r, CM_CONFIG_SYNTAX, &e->start_mark, "aliases are not read here");
    case YAML_STREAM_END_EVENT:
        r->ended = true;
        return CM_OKAY;
    default:
        return CM_OKAY;
    }
}

static cm_err next_event(struct reading *r, yaml_parser_t *p)
{
    yaml_event_t e;
    cm_err result;

    if (!yaml_parser_parse(p, &e)) {
        if (p->error == YAML_MEMORY_ERROR)
            return CM_FAIL(NO_MEMORY);
        return wrong(r, CM_CONFIG_SYNTAX, &p->problem_mark,
                     p->problem ? p->problem : "this is not YAML");
    }
    result = take_event(r, &e);
    yaml_event_delete(&e);
    return result;
}

static cm_err read_all(struct reading *r, yaml_parser_t *p)
{
    while (!r->ended)
        CM_TRY(next_event(r, p));
    if (r->t->n == 0 || r->t->v[0].kind != NODE_MAP)
        return wrong(r, CM_CONFIG_SYNTAX, &(yaml_mark_t){0}, "there are no keys in it");
    return CM_OKAY;
}

cm_err cm_config_tree(struct tree *t, cm_view text, cm_config_faults *faults)
{
    struct reading r = {.t = t, .faults = faults};
    yaml_parser_t p;
    cm_err e;

    if (text.n > CM_CONFIG_FILE_MAX)
        return wrong(&r, CM_CONFIG_LIMIT, &(yaml_mark_t){0}, "longer than is read");
    CM_TRY(cm_alloc_array(&t->v, NODES_MAX, sizeof *t->v));
    if (!yaml_parser_initialize(&p))
        return CM_FAIL(NO_MEMORY);
    yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p, text.p ? text.p : (const uint8_t *)"", text.n);
    e = read_all(&r, &p);
    yaml_parser_delete(&p);
    return e;
}
