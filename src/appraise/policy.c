/* A policy's life. */
#include <stdio.h>

#include "appraise/policy_int.h"

cm_err cm_policy_get(cm_policy *p, void *out, size_t n, size_t size)
{
    struct cm_policy_piece *piece = NULL;
    void *bytes;

    if (n > CM_POLICY_FILE_MAX)
        return CM_FAIL(TOO_BIG);
    CM_TRY(cm_alloc(&piece, sizeof *piece + n * size));
    piece->next = p->memory->pieces;
    p->memory->pieces = piece;
    bytes = piece->bytes;
    memcpy(out, &bytes, sizeof bytes);
    return CM_OKAY;
}

void cm_policy_free(cm_policy *p)
{
    while (p && p->memory && p->memory->pieces) {
        struct cm_policy_piece *piece = p->memory->pieces;

        p->memory->pieces = piece->next;
        cm_free(piece);
    }
    if (p && p->memory)
        cm_yaml_done(&p->memory->yaml);
    if (p)
        cm_free(p->memory);
    cm_free(p);
}

void cm_policy_free_ptr(cm_policy **p)
{
    cm_policy_free(*p);
}

static cm_err fault_at(cm_policy_fault *f, cm_yaml_mark at, const char *what, cm_reason reason)
{
    cm_err e = {(uint32_t)reason};

    f->line = at.line;
    f->column = at.column;
    (void)snprintf(f->what, sizeof f->what, "%s", what);
    return e;
}

cm_err cm_policy_wrong(cm_policy_parse *s, const cm_json_node *n, const char *what)
{
    cm_view key = cm_json_key(n);
    char text[160];

    (void)snprintf(text, sizeof text, "%.*s%s%s", (int)CM_MIN(key.n, (size_t)40),
                   key.n ? (const char *)key.p : "", key.n ? ": " : "", what);
    return fault_at(s->fault, cm_yaml_at(&s->p->memory->yaml, n), text, CM_POLICY_FORM);
}

cm_err cm_policy_missing(cm_policy_parse *s, const cm_json_node *n, const char *key)
{
    char text[80];

    (void)snprintf(text, sizeof text, "the key %s is missing", key);
    return cm_policy_wrong(s, n, text);
}

cm_err cm_policy_read(cm_policy **out, cm_view file, cm_policy_fault *fault)
{
    CM_AUTO(cm_policy_free_ptr) cm_policy *p = NULL;
    cm_policy_parse s = {.fault = fault};
    cm_yaml_mark at = {0};
    const char *what = "";
    cm_err e;

    *fault = (cm_policy_fault){0};
    CM_TRY(cm_alloc(&p, sizeof *p));
    CM_TRY(cm_alloc(&p->memory, sizeof *p->memory));
    e = cm_yaml_read(&p->memory->yaml, file, &at, &what);
    if (cm_is(e, CM_POLICY_SYNTAX))
        return fault_at(fault, at, what, CM_POLICY_SYNTAX);
    CM_TRY(e);
    s.p = p;
    CM_TRY(cm_policy_parse_root(&s));
    *out = p;
    p = NULL;
    return CM_OKAY;
}

const cm_policy_rule *cm_policy_rule_of(const cm_policy *p, cm_attest_kind kind)
{
    for (size_t i = 0; i < p->n_rules; i++)
        if (p->rule[i].kind == kind)
            return &p->rule[i];
    return NULL;
}
