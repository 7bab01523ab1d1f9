/* The policy against an evaluator written the other way round, and its rules one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "svc/names.h"
#include "svc/policy.h"

static uint64_t seed = 88172645463325252u;

static unsigned dice(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 33) % n;
}

static const char *const WORDS[] = {"a", "b", "*", "a:b", "use", "Sign", "export", "c"};
static const char *const NETS[] = {"10.0.0.0/8", "10.1.0.0/16", "192.0.2.1", "2001:db8::/32"};
static const char *const HOSTS[] = {"10.1.2.3", "10.2.0.1", "192.0.2.1", "2001:db8::7", "", "x"};

typedef struct {
    cm_view list[7][3];
} words;

static cm_views some(cm_view *at, unsigned max)
{
    unsigned n = dice(max + 1);

    for (unsigned i = 0; i < n; i++)
        at[i] = cm_view_str(WORDS[dice(CM_COUNT(WORDS))]);
    return (cm_views){at, n};
}

static cm_view word_or_none(void)
{
    return dice(2) ? cm_view_of(NULL, 0) : cm_view_str(WORDS[dice(CM_COUNT(WORDS))]);
}

static cm_grant random_grant(words *w)
{
    cm_grant g = {.name = CM_LIT("g"), .deny = dice(4) == 0};

    g.principals = some(w->list[0], 2);
    g.actions = some(w->list[1], 3);
    if (dice(3) == 0) {
        g.tag = cm_view_str(WORDS[dice(4)]);
    } else if (dice(2)) {
        g.keyspace = cm_view_str(WORDS[dice(4)]);
        g.key = word_or_none();
    }
    if (dice(4) == 0)
        g.purposes = some(w->list[2], 2);
    if (dice(4) == 0)
        g.approvers = some(w->list[3], 3);
    g.approvals = dice(4) == 0 ? dice(3) : 0;
    if (dice(4) == 0) {
        w->list[4][0] = cm_view_str(NETS[dice(CM_COUNT(NETS))]);
        g.networks = (cm_views){w->list[4], 1};
    }
    if (dice(4) == 0)
        g.measurements = some(w->list[5], 2);
    g.min_tier = dice(4) == 0 ? dice(5) : 0;
    g.pq = dice(5) == 0;
    g.not_before_ms = dice(4) == 0 ? dice(1000) : 0;
    g.not_after_ms = dice(4) == 0 ? dice(1000) : 0;
    if (dice(4) == 0) {
        g.day_from = dice(1441);
        g.day_to = dice(1441);
    }
    return g;
}

/* ---- the naive one: counts reasons against, compares as strings, ends early nowhere ---- */

static int in(cm_views l, cm_view v)
{
    int n = 0;

    for (size_t i = 0; i < l.n; i++)
        n += l.v[i].n == v.n &&
             (v.n == 0 || strncmp((const char *)l.v[i].p, (const char *)v.p, v.n) == 0);
    return n;
}

static int host_in_net(const char *net, cm_view host)
{
    char h[64] = "";

    if (host.n < sizeof h && host.n)
        memcpy(h, host.p, host.n);
    if (strcmp(net, "10.0.0.0/8") == 0)
        return strncmp(h, "10.", 3) == 0;
    if (strcmp(net, "10.1.0.0/16") == 0)
        return strncmp(h, "10.1.", 5) == 0;
    if (strcmp(net, "192.0.2.1") == 0)
        return strcmp(h, net) == 0;
    return strncmp(h, "2001:db8:", 9) == 0;
}

static int naive_applies(const cm_grant *g, const cm_ask *a)
{
    int against = 0, minute = (int)(a->time_ms / 60000 % 1440), yes = 0;
    int from = (int)g->day_from, to = (int)g->day_to;

    against += !(in(g->principals, CM_LIT("*")) || in(g->principals, a->principal));
    against +=
        !(in(g->actions, CM_LIT("*")) + in(g->actions, a->action) + in(g->actions, a->permission));
    against += g->tag.n && !(a->on_key && in(a->tags, g->tag));
    against += !g->tag.n && g->keyspace.n && !(a->on_key && cm_view_eq(g->keyspace, a->keyspace));
    against += !g->tag.n && g->key.n && !cm_view_eq(g->key, a->key);
    against += g->purposes.n && !in(g->purposes, a->purpose);
    against += g->measurements.n && !(a->measurement.n && in(g->measurements, a->measurement));
    against += a->tier < g->min_tier;
    against += g->pq && !a->pq;
    against += a->time_ms < g->not_before_ms;
    against += g->not_after_ms && g->not_after_ms < a->time_ms;
    if (from < to)
        against += !(from <= minute && minute < to);
    if (from > to)
        against += to <= minute && minute < from;
    for (size_t i = 0; i < g->approvers.n; i++)
        yes +=
            in(a->approved_by, g->approvers.v[i]) && !cm_view_eq(g->approvers.v[i], a->principal);
    against += yes < (int)g->approvals;
    for (size_t i = 0; i < g->networks.n; i++)
        against += !host_in_net((const char *)g->networks.v[i].p, a->address);
    return against == 0;
}

static void test_against_naive(void **state)
{
    (void)state;
    for (int round = 0; round < 200000; round++) {
        words w[4], mine;
        cm_grant g[4];
        cm_decision d;
        size_t n = dice(5);
        int allow = 0, deny = 0;
        cm_ask a = {
            .principal = cm_view_str(WORDS[dice(4)]),
            .action = cm_view_str(WORDS[dice(8)]),
            .permission = CM_LIT("use"),
            .on_key = dice(4) != 0,
            .keyspace = cm_view_str(WORDS[dice(4)]),
            .key = word_or_none(),
            .tags = some(mine.list[0], 2),
            .time_ms = dice(2) ? dice(2000) : (uint64_t)dice(1440) * 60000,
            .purpose = word_or_none(),
            .address = cm_view_str(HOSTS[dice(CM_COUNT(HOSTS))]),
            .measurement = word_or_none(),
            .tier = dice(5),
            .pq = dice(2),
            .approved_by = some(mine.list[1], 3),
        };

        for (size_t i = 0; i < n; i++) {
            g[i] = random_grant(&w[i]);
            (*(g[i].deny ? &deny : &allow)) += naive_applies(&g[i], &a);
        }
        cm_policy_decide(&d, g, n, &a);
        assert_int_equal(d.allowed, allow && !deny); /* V-20, V-21, V-22 */
        assert_true(d.sentence[0] && strlen(d.sentence) < CM_SENTENCE);
        assert_true(!d.allowed || d.by);
    }
}

/* V-23: a star inside a name is a character. */
static void test_star(void **state)
{
    cm_view who[] = {CM_LIT("a*")}, what[] = {CM_LIT("Sign")};
    cm_grant g = {.name = CM_LIT("g"), .principals = {who, 1}, .actions = {what, 1}};
    cm_ask a = {.principal = CM_LIT("ab"), .action = CM_LIT("Sign"), .permission = CM_LIT("use")};
    cm_decision d;

    (void)state;
    cm_policy_decide(&d, &g, 1, &a);
    assert_false(d.allowed);
    a.principal = CM_LIT("a*");
    cm_policy_decide(&d, &g, 1, &a);
    assert_true(d.allowed);
}

static void test_networks(void **state)
{
    static const char *const bad[] = {"",
                                      "10.0.0.0/33",
                                      "10.0.0.1/8",
                                      "10.0.0",
                                      "10.0.0.0.0",
                                      "/8",
                                      "01.0.0.0/8",
                                      "256.0.0.1",
                                      "::1/129",
                                      ":::",
                                      "1::2::3",
                                      "10.0.0.0/",
                                      "10.0.0.0/08",
                                      "1:2:3:4:5:6:7:8:9",
                                      "g::"};
    static const char *const good[] = {"0.0.0.0/0", "::/0", "::1", "1:2:3:4:5:6:7:8", "fe80::/10"};
    cm_network n;

    (void)state;
    for (size_t i = 0; i < CM_COUNT(bad); i++)
        assert_true(cm_is(cm_network_parse(&n, cm_view_str(bad[i])), CM_SVC_GRANT_FORM));
    for (size_t i = 0; i < CM_COUNT(good); i++)
        assert_true(cm_ok(cm_network_parse(&n, cm_view_str(good[i]))));
}

/* V-4: three parts and back, one text each; `a:b`, c and a, `b:c` have two. */
static void test_seed_names(void **state)
{
    static const char *const bad[] = {"", "a:b", "a:b:c:d", "a:b:c\\", "a:\\x:c", "a::c", "::"};
    CM_AUTO(cm_buf_free) cm_buf one = {.max = 64};
    CM_AUTO(cm_buf_free) cm_buf two = {.max = 64};
    const cm_view x[3] = {CM_LIT("a:b"), CM_LIT("c"), CM_LIT("k\\")};
    const cm_view y[3] = {CM_LIT("a"), CM_LIT("b:c"), CM_LIT("k\\")};
    cm_seed_name s;

    (void)state;
    assert_true(cm_ok(cm_svc_seed_text(&one, x)) && cm_ok(cm_svc_seed_text(&two, y)));
    assert_false(cm_view_eq(cm_buf_view(&one), cm_buf_view(&two)));
    assert_true(cm_ok(cm_svc_seed_name(&s, cm_buf_view(&one))));
    for (size_t i = 0; i < 3; i++)
        assert_true(cm_view_eq(cm_view_of(s.part[i], s.n[i]), x[i]));
    for (size_t i = 0; i < CM_COUNT(bad); i++)
        assert_true(cm_is(cm_svc_seed_name(&s, cm_view_str(bad[i])), CM_SVC_NAME));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_naive),
        cmocka_unit_test(test_star),
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_seed_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
