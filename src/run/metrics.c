#include "run/metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { BOUNDS = 18, CELLS = BOUNDS + 2 }; /* of a histogram: its buckets, the last open, and sum */

static const struct {
    uint64_t ns;
    const char *text;
} bounds[BOUNDS] = {
    {50000, "5e-05"},    {100000, "0.0001"},  {250000, "0.00025"}, {500000, "0.0005"},
    {1000000, "0.001"},  {2500000, "0.0025"}, {5000000, "0.005"},  {10000000, "0.01"},
    {25000000, "0.025"}, {50000000, "0.05"},  {100000000, "0.1"},  {250000000, "0.25"},
    {500000000, "0.5"},  {1000000000, "1"},   {2500000000, "2.5"}, {5000000000, "5"},
    {10000000000, "10"}, {30000000000, "30"},
};

struct cm_shard {
    cm_metrics *m;
    struct cm_shard *next;
    atomic_int_fast64_t cell[];
};

struct place {
    size_t first, n[2]; /* cells begin there; values of each label, at least 1 */
};

struct cm_metrics {
    const cm_metric *table;
    size_t n, cells;
    pthread_mutex_t lock; /* of shards */
    cm_shard *shards;
    struct place place[];
};

static bool name_ok(const char *s)
{
    if (!s || !((*s >= 'a' && *s <= 'z') || *s == '_'))
        return false;
    for (; *s; s++)
        if (!((*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9') || *s == '_'))
            return false;
    return true;
}

static size_t values_of(const cm_metric_label *l)
{
    size_t n = 0;

    while (l->values && l->values[n])
        n++;
    return CM_MAX(n, (size_t)1);
}

static size_t width(const cm_metric *t)
{
    return t->type == CM_METRIC_HISTOGRAM ? CELLS : 1;
}

static cm_err lay_out(cm_metrics *m)
{
    for (size_t i = 0; i < m->n; i++) {
        const cm_metric *t = &m->table[i];
        struct place *p = &m->place[i];

        if (!name_ok(t->name))
            return CM_FAIL(BAD_ARGUMENT);
        for (size_t j = 0; j < 2; j++) {
            if (t->labels[j].values && !name_ok(t->labels[j].name))
                return CM_FAIL(BAD_ARGUMENT);
            p->n[j] = values_of(&t->labels[j]);
        }
        p->first = m->cells;
        m->cells += p->n[0] * p->n[1] * width(t);
    }
    return CM_OKAY;
}

cm_err cm_metrics_new(cm_metrics **out, const cm_metric *table, size_t n)
{
    CM_AUTO(cm_metrics_free_ptr) cm_metrics *m = NULL;

    CM_TRY(cm_alloc(&m, sizeof *m + n * sizeof m->place[0]));
    m->table = table;
    m->n = n;
    pthread_mutex_init(&m->lock, NULL);
    CM_TRY(lay_out(m));
    *out = m;
    m = NULL;
    return CM_OKAY;
}

void cm_metrics_free(cm_metrics *m)
{
    if (!m)
        return;
    while (m->shards) {
        cm_shard *s = m->shards;

        m->shards = s->next;
        cm_free(s);
    }
    pthread_mutex_destroy(&m->lock);
    cm_free(m);
}

void cm_metrics_free_ptr(cm_metrics **m)
{
    cm_metrics_free(*m);
    *m = NULL;
}

cm_err cm_metrics_shard(cm_metrics *m, cm_shard **out)
{
    cm_shard *s = NULL;

    CM_TRY(cm_alloc(&s, sizeof *s + m->cells * sizeof s->cell[0]));
    s->m = m;
    pthread_mutex_lock(&m->lock);
    s->next = m->shards;
    m->shards = s;
    pthread_mutex_unlock(&m->lock);
    *out = s;
    return CM_OKAY;
}

/* ---- counting ------------------------------------------------------------------------------ */

/* The first cell of a series; false when there is none. */
static bool find(const cm_metrics *m, size_t i, size_t a, size_t b, size_t *at)
{
    const struct place *p;

    if (i >= m->n)
        return false;
    p = &m->place[i];
    if (a >= p->n[0] || b >= p->n[1])
        return false;
    *at = p->first + (a * p->n[1] + b) * width(&m->table[i]);
    return true;
}

/* One thread writes a shard, so a load and a store do: no locked instruction. */
static void bump(atomic_int_fast64_t *c, int64_t by)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + by,
                          memory_order_relaxed);
}

void cm_metric_add(cm_shard *s, size_t i, size_t a, size_t b, int64_t by)
{
    size_t at;

    if (s && find(s->m, i, a, b, &at))
        bump(&s->cell[at], by);
}

void cm_metric_observe(cm_shard *s, size_t i, size_t a, size_t b, uint64_t ns)
{
    size_t at, k = 0;

    if (!s || !find(s->m, i, a, b, &at) || width(&s->m->table[i]) == 1)
        return;
    while (k < BOUNDS && ns > bounds[k].ns)
        k++;
    bump(&s->cell[at + k], 1);
    bump(&s->cell[at + BOUNDS + 1], (int64_t)ns);
}

static int64_t total(cm_metrics *m, size_t at)
{
    int64_t sum = 0;

    pthread_mutex_lock(&m->lock);
    for (cm_shard *s = m->shards; s; s = s->next)
        sum += atomic_load_explicit(&s->cell[at], memory_order_relaxed);
    pthread_mutex_unlock(&m->lock);
    return sum;
}

int64_t cm_metric_sum(cm_metrics *m, size_t i, size_t a, size_t b)
{
    size_t at;

    return find(m, i, a, b, &at) ? total(m, at) : 0;
}

/* ---- the text format ----------------------------------------------------------------------- */

struct series {
    cm_metrics *m;
    const cm_metric *t;
    char labels[256]; /* a="x",b="y" */
    size_t at;
    cm_buf *out;
};

static cm_err print(cm_buf *out, const char *text, int n)
{
    return n < 0 ? CM_FAIL(TOO_BIG) : cm_buf_append(out, cm_view_of(text, (size_t)n));
}

static cm_err line(const struct series *s, const char *suffix, const char *le, const char *value)
{
    char text[640];
    const char *comma = s->labels[0] && le ? "," : "";
    bool braces = s->labels[0] || le;

    return print(s->out, text,
                 snprintf(text, sizeof text, "%s%s%s%s%s%s%s%s%s %s\n", s->t->name, suffix,
                          braces ? "{" : "", s->labels, comma, le ? "le=\"" : "", le ? le : "",
                          le ? "\"" : "", braces ? "}" : "", value));
}

static cm_err number(const struct series *s, const char *suffix, const char *le, int64_t n)
{
    char text[32];

    snprintf(text, sizeof text, "%lld", (long long)n);
    return line(s, suffix, le, text);
}

static cm_err histogram(const struct series *s)
{
    int64_t count = 0, sum = total(s->m, s->at + BOUNDS + 1);
    char text[48];

    for (size_t k = 0; k < BOUNDS; k++) {
        count += total(s->m, s->at + k);
        CM_TRY(number(s, "_bucket", bounds[k].text, count));
    }
    count += total(s->m, s->at + BOUNDS);
    CM_TRY(number(s, "_bucket", "+Inf", count));
    snprintf(text, sizeof text, "%lld.%09lld", (long long)(sum / 1000000000),
             (long long)(sum % 1000000000));
    CM_TRY(line(s, "_sum", NULL, text));
    return number(s, "_count", NULL, count);
}

static bool moved(const struct series *s)
{
    for (size_t k = 0; k < width(s->t); k++)
        if (total(s->m, s->at + k) != 0)
            return true;
    return false;
}

static void set_labels(struct series *s, size_t a, size_t b)
{
    const cm_metric_label *l = s->t->labels;
    int n = 0;

    s->labels[0] = 0;
    if (l[0].values)
        n = snprintf(s->labels, sizeof s->labels, "%s=\"%s\"", l[0].name, l[0].values[a]);
    if (l[1].values && n >= 0 && (size_t)n < sizeof s->labels)
        snprintf(s->labels + n, sizeof s->labels - (size_t)n, "%s%s=\"%s\"", n ? "," : "",
                 l[1].name, l[1].values[b]);
}

static cm_err write_series(struct series *s, size_t i, size_t a, size_t b)
{
    if (!find(s->m, i, a, b, &s->at))
        return CM_OKAY;
    set_labels(s, a, b);
    if (s->labels[0] && !moved(s))
        return CM_OKAY;
    return s->t->type == CM_METRIC_HISTOGRAM ? histogram(s)
                                             : number(s, "", NULL, total(s->m, s->at));
}

static cm_err write_metric(cm_metrics *m, cm_buf *out, size_t i)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    struct series s = {.m = m, .t = &m->table[i], .out = out};
    char text[640];

    CM_TRY(print(out, text,
                 snprintf(text, sizeof text, "# HELP %s %s\n# TYPE %s %s\n", s.t->name, s.t->help,
                          s.t->name, types[s.t->type])));
    for (size_t a = 0; a < m->place[i].n[0]; a++)
        for (size_t b = 0; b < m->place[i].n[1]; b++)
            CM_TRY(write_series(&s, i, a, b));
    return CM_OKAY;
}

cm_err cm_metrics_write(cm_metrics *m, cm_buf *out)
{
    for (size_t i = 0; i < m->n; i++)
        CM_TRY(write_metric(m, out, i));
    return CM_OKAY;
}
