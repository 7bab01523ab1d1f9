/* From method and path to an operation and back: the table is small, so it is walked. */
#include "svc/svc_int.h"

#include <stdio.h>

enum { PART = 3 * CM_NAME_MAX };

/* One part of a route or path: up to the next slash. */
static cm_view part(cm_view v, size_t *at)
{
    size_t from = *at;

    while (*at < v.n && v.p[*at] != '/')
        ++*at;
    return cm_view_sub(v, from, *at - from);
}

/* The action behind the last colon of a path's part, when the route has one there: a name may have
 * colons of its own, so the route decides (V-3). */
static bool match_part(cm_view route, cm_view given, cm_view *value)
{
    size_t close;

    if (route.n == 0 || route.p[0] != '{') {
        *value = cm_view_of(NULL, 0);
        return cm_view_eq(route, given);
    }
    for (close = 1; route.p[close] != '}'; close++)
        ;
    route = cm_view_sub(route, close + 1, route.n - close - 1); /* "" or ":sign" */
    if (given.n <= route.n || !cm_view_eq(cm_view_sub(given, given.n - route.n, route.n), route))
        return false;
    *value = cm_view_sub(given, 0, given.n - route.n);
    return true;
}

static bool match(const cm_op *op, cm_view method, cm_view path, size_t *exact)
{
    cm_view route = cm_view_str(op->route), value;
    size_t r = 0, p = 0;

    *exact = 0;
    if (!cm_view_eq(cm_view_str(op->method), method))
        return false;
    for (;;) {
        cm_view a = part(route, &r), b = part(path, &p);

        if (!match_part(a, b, &value))
            return false;
        *exact += value.n ? (a.p[a.n - 1] != '}') : 2;
        if (r == route.n || p == path.n)
            return r == route.n && p == path.n;
        r++;
        p++;
    }
}

static cm_err field_of(const cm_message *m, cm_view name, size_t *at)
{
    for (size_t i = 0; i < m->n; i++)
        if (cm_view_eq(cm_view_str(m->fields[i].name), name)) {
            *at = i;
            return CM_OKAY;
        }
    return CM_FAIL(SVC_REQUEST);
}

static cm_err set_text(cm_msg *m, cm_arena *a, cm_view name, cm_view raw, bool plus,
                       cm_msg_fault *fault)
{
    char text[8 * PART];
    size_t n, at;

    CM_TRY(field_of(m->type, name, &at));
    CM_TRY(cm_svc_unescape(text, sizeof text, &n, raw, plus));
    CM_TRY(cm_msg_set_text(m, a, at, cm_view_of(text, n), fault));
    return CM_OKAY;
}

static cm_err set_path(cm_msg *m, cm_arena *a, const cm_op *op, cm_view path)
{
    cm_view route = cm_view_str(op->route), value;
    cm_msg_fault fault;
    size_t r = 0, p = 0, n;

    for (; r <= route.n; r++, p++) {
        cm_view x = part(route, &r), y = part(path, &p);

        if (!match_part(x, y, &value) || value.n == 0)
            continue;
        for (n = 1; x.p[n] != '}'; n++)
            ;
        CM_TRY(set_text(m, a, cm_view_sub(x, 1, n - 1), value, false, &fault));
    }
    return CM_OKAY;
}

const cm_op *cm_svc_route(cm_view method, cm_view path, cm_arena *a, cm_msg **request, cm_err *why)
{
    const cm_op *best = NULL;
    size_t exact, most = 0;
    cm_msg *m;

    for (size_t i = 0; i < cm_ops_n; i++)
        if (match(&cm_ops[i], method, path, &exact) && (!best || exact > most)) {
            best = &cm_ops[i];
            most = exact;
        }
    *why = CM_FAIL(SVC_NO_ROUTE);
    if (!best)
        return NULL;
    *why = cm_msg_new(&m, a, best->request);
    if (cm_ok(*why) && cm_failed(set_path(m, a, best, path)))
        *why = CM_FAIL(SVC_NAME);
    if (cm_failed(*why))
        return NULL;
    *request = m;
    return best;
}

const cm_op *cm_svc_op_by_name(cm_view name)
{
    cm_view prefix = CM_LIT("casemate.kms.v1.Kms/");

    if (name.n && name.p[0] == '/')
        name = cm_view_sub(name, 1, name.n - 1);
    if (name.n > prefix.n && cm_view_eq(cm_view_sub(name, 0, prefix.n), prefix))
        name = cm_view_sub(name, prefix.n, name.n - prefix.n);
    for (size_t i = 0; i < cm_ops_n; i++)
        if (cm_view_eq(cm_view_str(cm_ops[i].name), name))
            return &cm_ops[i];
    return NULL;
}

/* ---- the rest of a request ---- */

static cm_err wrong(cm_msg_fault *fault, const char *field, size_t n, const char *why)
{
    (void)snprintf(fault->field, sizeof fault->field, "%.*s", (int)CM_MIN(n, (size_t)90), field);
    fault->why = why;
    return CM_FAIL(SVC_REQUEST);
}

static cm_err set_query(cm_msg *m, cm_arena *a, cm_view query, cm_msg_fault *fault)
{
    size_t at = 0;

    while (at < query.n) {
        size_t end = at, eq, field;
        cm_view name, value;

        while (end < query.n && query.p[end] != '&')
            end++;
        for (eq = at; eq < end && query.p[eq] != '=';)
            eq++;
        name = cm_view_sub(query, at, eq - at);
        value = eq < end ? cm_view_sub(query, eq + 1, end - eq - 1) : cm_view_of(query.p, 0);
        if (cm_failed(field_of(m->type, name, &field)) ||
            !(m->type->fields[field].flags & CM_FF_QUERY))
            return wrong(fault, (const char *)name.p, name.n, "is no query parameter of this");
        if (m->v[field].set)
            return wrong(fault, (const char *)name.p, name.n, "is given twice");
        if (cm_failed(set_text(m, a, name, value, true, fault)))
            return wrong(fault, (const char *)name.p, name.n, "is not well-formed");
        at = end + 1;
    }
    return CM_OKAY;
}

/* Members of the body into a request whose path parts are set; the path's win and must agree. */
static cm_err add_body(cm_msg *m, const cm_msg *body, cm_msg_fault *fault)
{
    for (size_t i = 0; i < m->type->n; i++) {
        const cm_field *f = &m->type->fields[i];

        if (!body->v[i].set)
            continue;
        if (!(f->flags & CM_FF_PATH)) {
            m->v[i] = body->v[i];
            continue;
        }
        if (f->type == CM_F_U64 ? m->v[i].number != body->v[i].number
                                : !cm_view_eq(m->v[i].view, body->v[i].view)) /* V-62 */
            return wrong(fault, f->name, strlen(f->name), "differs from the path's");
    }
    return CM_OKAY;
}

cm_err cm_svc_fill(cm_msg **request, cm_arena *a, const cm_op *op, cm_view query, cm_view body,
                   cm_msg_fault *fault)
{
    cm_msg *parsed;

    *fault = (cm_msg_fault){.field = "", .why = ""};
    if (body.n) {
        if (cm_failed(cm_msg_from_json(&parsed, a, op->request, body, fault)))
            return CM_FAIL(SVC_REQUEST);
        CM_TRY(add_body(*request, parsed, fault));
    }
    CM_TRY(set_query(*request, a, query, fault));
    return cm_failed(cm_msg_check(*request, fault)) ? CM_FAIL(SVC_REQUEST) : CM_OKAY;
}
