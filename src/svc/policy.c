/* The decision, and the sentence that explains it. */
#include "svc/policy.h"

#include <stdio.h>

static bool has(cm_views list, cm_view what)
{
    for (size_t i = 0; i < list.n; i++)
        if (cm_view_eq(list.v[i], what))
            return true;
    return false;
}

/* "*" is no pattern: alone it means all, inside a name it is a character (V-23). */
static bool names(cm_views list, cm_view what)
{
    return has(list, CM_LIT("*")) || has(list, what);
}

bool cm_policy_about(const cm_grant *g, const cm_ask *a)
{
    if (!names(g->principals, a->principal))
        return false;
    if (!names(g->actions, a->action) && !has(g->actions, a->permission))
        return false;
    if (g->tag.n)
        return a->on_key && has(a->tags, g->tag);
    if (g->keyspace.n && (!a->on_key || !cm_view_eq(g->keyspace, a->keyspace)))
        return false;
    return g->key.n == 0 || cm_view_eq(g->key, a->key);
}

static bool in_day(const cm_grant *g, uint64_t time_ms)
{
    unsigned minute = (unsigned)(time_ms / 60000 % 1440);

    if (g->day_from == g->day_to)
        return true;
    if (g->day_from < g->day_to)
        return minute >= g->day_from && minute < g->day_to;
    return minute >= g->day_from || minute < g->day_to;
}

static bool in_networks(cm_views networks, cm_view address)
{
    uint8_t a[16];
    cm_network n;

    if (networks.n == 0)
        return true;
    if (address.n == 0 || cm_failed(cm_address_parse(a, address)))
        return false;
    for (size_t i = 0; i < networks.n; i++)
        if (cm_ok(cm_network_parse(&n, networks.v[i])) && cm_network_has(&n, a))
            return true;
    return false;
}

static unsigned approved(const cm_grant *g, const cm_ask *a)
{
    unsigned n = 0;

    for (size_t i = 0; i < g->approvers.n; i++)
        if (has(a->approved_by, g->approvers.v[i]) &&
            !cm_view_eq(g->approvers.v[i], a->principal)) /* V-24: nobody approves themselves */
            n++;
    return n;
}

/* V-81 */
static bool attested(const cm_grant *g, const cm_ask *a)
{
    for (size_t i = 0; i < g->attested.n; i++)
        if (has(a->attested, g->attested.v[i]))
            return true;
    return g->attested.n == 0;
}

static const char *not_shown(const cm_grant *g, const cm_ask *a)
{
    if (g->measurements.n && (a->measurement.n == 0 || !has(g->measurements, a->measurement)))
        return "no evidence shows one of its measurements";
    if (!attested(g, a))
        return "no evidence meets one of its attestation policies";
    return g->min_tier > a->tier ? "no evidence shows the privacy tier it demands" : NULL;
}

/* The condition that does not hold, or NULL. V-22 */
static const char *unmet(const cm_grant *g, const cm_ask *a)
{
    if (a->time_ms < g->not_before_ms)
        return "it holds only later";
    if (g->not_after_ms && a->time_ms > g->not_after_ms)
        return "it is over";
    if (!in_day(g, a->time_ms))
        return "it does not hold at this time of the day";
    if (g->pq && !a->pq)
        return "the connection has no post-quantum key exchange";
    if (!in_networks(g->networks, a->address))
        return "the address is in none of its networks";
    if (g->purposes.n && !has(g->purposes, a->purpose))
        return "the request states none of its purposes";
    if (g->approvals > approved(g, a))
        return "too few of its approvers have approved this request";
    return not_shown(g, a);
}

#define TEXT(v) (int)CM_MIN((v).n, (size_t)64), (const char *)((v).n ? (v).p : (const uint8_t *)"")

static void decide(cm_decision *out, const cm_grant *by, bool allowed, const cm_ask *a)
{
    out->allowed = allowed;
    out->by = by;
    (void)snprintf(out->sentence, sizeof out->sentence, "Grant \"%.*s\" %s \"%.*s\" to %.*s.",
                   TEXT(by->name), allowed ? "allows" : "denies", TEXT(a->principal),
                   TEXT(a->action));
}

static void nothing(cm_decision *out, const cm_grant *near, const char *why, const cm_ask *a)
{
    out->allowed = false;
    out->by = NULL;
    if (near)
        (void)snprintf(out->sentence, sizeof out->sentence,
                       "Grant \"%.*s\" would allow \"%.*s\" to %.*s, but %s.", TEXT(near->name),
                       TEXT(a->principal), TEXT(a->action), why);
    else
        (void)snprintf(out->sentence, sizeof out->sentence, "No grant allows \"%.*s\" to %.*s%s.",
                       TEXT(a->principal), TEXT(a->action), a->on_key ? " with this key" : "");
}

void cm_policy_decide(cm_decision *out, const cm_grant *grants, size_t n, const cm_ask *ask)
{
    const cm_grant *allow = NULL, *near = NULL;
    const char *near_why = NULL;

    for (size_t i = 0; i < n; i++) {
        const cm_grant *g = &grants[i];
        const char *why;

        if (!cm_policy_about(g, ask) || (!g->deny && allow))
            continue;
        why = unmet(g, ask);
        if (g->deny && !why) { /* V-21 */
            decide(out, g, false, ask);
            return;
        }
        if (!g->deny && !why) {
            allow = g;
        } else if (!g->deny && !near) {
            near = g;
            near_why = why;
        }
    }
    if (allow)
        decide(out, allow, true, ask);
    else
        nothing(out, near, near_why, ask); /* V-20 */
}

static const char *lists_wrong(const cm_grant *g)
{
    cm_network n;

    if (g->principals.n == 0)
        return "principals";
    if (g->actions.n == 0)
        return "actions";
    for (size_t i = 0; i < g->networks.n; i++)
        if (cm_failed(cm_network_parse(&n, g->networks.v[i])))
            return "conditions.networks";
    for (size_t i = 0; i < g->measurements.n; i++)
        if (g->measurements.v[i].n < 32)
            return "conditions.measurements";
    for (size_t i = 0; i < g->approvers.n; i++) /* each counts once */
        for (size_t j = 0; j < i; j++)
            if (cm_view_eq(g->approvers.v[i], g->approvers.v[j]))
                return "conditions.approvers";
    return NULL;
}

static const char *resource_wrong(const cm_grant *g)
{
    if (g->key.n && !g->keyspace.n)
        return "resource_key";
    return g->tag.n && g->keyspace.n ? "resource_tag" : NULL;
}

/* A denial that needs proof of something good would be a hole. */
static bool hollow_denial(const cm_grant *g)
{
    return g->deny &&
           (g->approvals || g->rate || g->min_tier || g->measurements.n || g->attested.n || g->pq);
}

cm_err cm_policy_check(const cm_grant *g, const char **why)
{
    const char *wrong = lists_wrong(g);

    if (resource_wrong(g))
        wrong = resource_wrong(g);
    else if (g->not_after_ms && g->not_after_ms < g->not_before_ms)
        wrong = "conditions.not_after_ms";
    else if (g->approvals > g->approvers.n)
        wrong = "conditions.approvals";
    else if (g->day_from > 1440 || g->day_to > 1440)
        wrong = "conditions.day_to";
    else if (hollow_denial(g))
        wrong = "conditions";
    if (wrong == NULL)
        return CM_OKAY;
    *why = wrong;
    return CM_FAIL(SVC_GRANT_FORM);
}
