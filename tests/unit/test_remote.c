/* Several requests under way in one process (H-16), against a device of ours that says how many it
 * serves, counts them, and dies, hangs or lies with all of them under way. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "hsm/msg.h"
#include "hsm/remote.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

enum { LANES = 4, PROCESSES = 64, CALLERS = 8, PATIENCE_S = 50 };

typedef enum { ANSWERS, DIES, LIES, BABBLES, STAYS_SILENT } deed;

struct world;

struct process {
    struct world *w;
    struct end {
        struct process *p;
        int fd;
        pthread_t thread;
    } end[LANES];
};

struct world {
    pthread_mutex_t lock; /* all of these */
    pthread_cond_t moved;
    unsigned at_once, inside, most, arrived, meet; /* meet: so many arrive before one goes on */
    deed last, others;                             /* what they do then; later ones answer */
    struct process process[PROCESSES];
    unsigned starts;
    cm_hsm_remote *r;
    cm_hsm h;
};

static void pause_ms(long ms)
{
    const struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

/* ---- the device ----------------------------------------------------------------------------- */

/* Waits for the others, and says what this one is to do. */
static deed arrive(struct world *w)
{
    struct timespec until;
    deed d;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&w->lock);
    w->inside++;
    w->most = CM_MAX(w->most, w->inside);
    w->arrived++;
    d = w->arrived < w->meet ? w->others : w->arrived == w->meet ? w->last : ANSWERS;
    pthread_cond_broadcast(&w->moved);
    while (w->arrived < w->meet)
        if (pthread_cond_timedwait(&w->moved, &w->lock, &until) != 0)
            break;
    pthread_mutex_unlock(&w->lock);
    return d;
}

static void leave(struct world *w)
{
    pthread_mutex_lock(&w->lock);
    w->inside--;
    pthread_mutex_unlock(&w->lock);
}

static void die(struct process *p)
{
    for (unsigned i = 0; i < LANES; i++)
        (void)shutdown(p->end[i].fd, SHUT_RDWR);
}

static cm_err answer(struct world *w, const cm_hsm_request *r, cm_hsm_answer *a, deed *d)
{
    if (r->op == CM_HSM_STATUS) {
        pthread_mutex_lock(&w->lock);
        a->status =
            (cm_hsm_status){.custody = CM_HSM_SOFTWARE, .provider = "fake", .at_once = w->at_once};
        pthread_mutex_unlock(&w->lock);
        return CM_OKAY;
    }
    *d = arrive(w);
    pause_ms(1);
    leave(w);
    if (*d == LIES)
        return CM_FAIL(HSM_WRONG);
    a->data.max = r->n;
    return cm_buf_append(&a->data, cm_view_of("a random number of many bytes", r->n));
}

static void serve_one(struct end *x, cm_view in)
{
    CM_AUTO(cm_hsm_answer_done) cm_hsm_answer a = {.data = {.max = 0}};
    CM_AUTO(cm_buf_free) cm_buf out = {.max = CM_HSM_PACKET};
    cm_hsm_request r = {.op = CM_HSM_STATUS};
    deed d = ANSWERS;
    uint64_t id;
    cm_err e = cm_hsm_get_request(&r, &id, in);

    if (cm_ok(e))
        e = answer(x->p->w, &r, &a, &d);
    if (d == DIES)
        die(x->p);
    if (d != STAYS_SILENT && cm_ok(cm_hsm_put_answer(&out, id + (d == BABBLES), e, r.op, &a)))
        (void)send(x->fd, out.p, out.n, MSG_NOSIGNAL);
}

static void *serve(void *arg)
{
    CM_AUTO(cm_buf_free) cm_buf in = {.max = CM_HSM_PACKET};
    struct end *x = arg;
    ssize_t n = 1;

    if (cm_failed(cm_buf_reserve(&in, CM_HSM_PACKET)))
        return NULL;
    while (n > 0) {
        n = recv(x->fd, in.p, in.cap, 0);
        if (n > 0)
            serve_one(x, cm_view_of(in.p, (size_t)n));
    }
    return NULL;
}

static cm_err start_process(void *arg, int *fd)
{
    struct world *w = arg;
    struct process *p = &w->process[w->starts];
    int pair[2];

    if (w->starts == PROCESSES)
        return CM_FAIL(HSM_SPAWN);
    p->w = w;
    for (unsigned i = 0; i < LANES; i++) {
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
            return CM_FAIL(HSM_SPAWN);
        fd[i] = pair[0];
        p->end[i].p = p;
        p->end[i].fd = pair[1];
    }
    for (unsigned i = 0; i < LANES; i++)
        if (pthread_create(&p->end[i].thread, NULL, serve, &p->end[i]) != 0)
            return CM_FAIL(NO_THREAD);
    w->starts++;
    return CM_OKAY;
}

static void up(struct world *w, unsigned at_once, unsigned meet, deed last, deed others)
{
    cm_hsm_remote_options o = {
        .connect = start_process, .arg = w, .fd = -1, .timeout_ms = PATIENCE_S * 2000};

    *w = (struct world){.at_once = at_once, .meet = meet, .last = last, .others = others};
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->moved, NULL);
    OK(cm_hsm_remote_new(&w->r, &o));
    w->h = cm_hsm_remote_of(w->r);
}

static void down(struct world *w)
{
    cm_hsm_remote_free(w->r);
    for (unsigned i = 0; i < w->starts; i++)
        for (unsigned k = 0; k < LANES; k++) {
            assert_int_equal(pthread_join(w->process[i].end[k].thread, NULL), 0);
            close(w->process[i].end[k].fd);
        }
    pthread_cond_destroy(&w->moved);
    pthread_mutex_destroy(&w->lock);
}

/* ---- callers -------------------------------------------------------------------------------- */

struct caller {
    struct world *w;
    cm_err e;
    pthread_t thread;
};

static cm_err ask(struct world *w)
{
    uint8_t b[8];

    return cm_hsm_random(&w->h, b, sizeof b);
}

static void *call(void *arg)
{
    struct caller *c = arg;

    c->e = ask(c->w);
    return NULL;
}

static void begin(struct world *w, struct caller *c, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        c[i].w = w;
        assert_int_equal(pthread_create(&c[i].thread, NULL, call, &c[i]), 0);
    }
}

static void end(struct caller *c, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(pthread_join(c[i].thread, NULL), 0);
}

static unsigned count(const struct caller *c, unsigned n, cm_err e)
{
    unsigned found = 0;

    for (unsigned i = 0; i < n; i++)
        found += c[i].e.v == e.v;
    return found;
}

/* Until the pause after a loss is over. */
static cm_err soon(struct world *w)
{
    cm_err e = ask(w);

    for (unsigned i = 0; i < 3000 && cm_is(e, CM_HSM_DOWN); i++) {
        pause_ms(10);
        e = ask(w);
    }
    return e;
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void as_many_at_once_as_it_says(void **state)
{
    static const struct {
        unsigned says, meet, most;
    } rows[] = {{0, 1, 1}, {1, 1, 1}, {3, 3, 3}, {LANES, LANES, LANES}, {100, LANES, LANES}};
    struct caller c[CALLERS];
    struct world w;

    (void)state;
    for (size_t i = 0; i < CM_COUNT(rows); i++) {
        up(&w, rows[i].says, rows[i].meet, ANSWERS, ANSWERS);
        assert_int_equal(cm_hsm_remote_at_once(w.r), 1);
        begin(&w, c, CALLERS);
        end(c, CALLERS);
        assert_int_equal(count(c, CALLERS, CM_OKAY), CALLERS);
        assert_int_equal(w.most, rows[i].most);
        assert_int_equal(cm_hsm_remote_at_once(w.r), rows[i].most);
        assert_int_equal(w.starts, 1);
        down(&w);
    }
}

/* What it says later counts as well. */
static void fewer_from_now_on(void **state)
{
    struct caller c[CALLERS];
    cm_hsm_status s;
    struct world w;

    (void)state;
    up(&w, LANES, LANES, ANSWERS, ANSWERS);
    begin(&w, c, LANES);
    end(c, LANES);
    pthread_mutex_lock(&w.lock);
    w.at_once = 2;
    w.most = 0;
    pthread_mutex_unlock(&w.lock);
    OK(cm_hsm_status_of(&w.h, &s));
    assert_int_equal(s.at_once, 2);
    begin(&w, c, CALLERS);
    end(c, CALLERS);
    assert_int_equal(count(c, CALLERS, CM_OKAY), CALLERS);
    assert_true(w.most <= 2);
    down(&w);
}

/* H-12, H-16: each request that was under way fails once, and one process is started. */
static void a_death_costs_what_is_under_way(void **state)
{
    struct caller c[LANES];
    struct world w;

    (void)state;
    up(&w, LANES, LANES, DIES, STAYS_SILENT);
    begin(&w, c, LANES);
    end(c, LANES);
    assert_int_equal(count(c, LANES, CM_FAIL(HSM_LOST)), LANES);
    assert_int_equal(w.starts, 1);
    assert_int_equal(cm_hsm_remote_at_once(w.r), 1);
    begin(&w, c, LANES);
    end(c, LANES);
    assert_int_equal(count(c, LANES, CM_OKAY) + count(c, LANES, CM_FAIL(HSM_DOWN)), LANES);
    OK(soon(&w));
    assert_int_equal(w.starts, 2);
    assert_int_equal(cm_hsm_remote_at_once(w.r), LANES);
    down(&w);
}

/* The others' answers are not waited for. */
static void nonsense_in_one_costs_them_all(void **state)
{
    struct caller c[LANES];
    struct world w;

    (void)state;
    up(&w, LANES, LANES, BABBLES, STAYS_SILENT);
    begin(&w, c, LANES);
    end(c, LANES);
    assert_int_equal(count(c, LANES, CM_FAIL(HSM_MESSAGE)), 1);
    assert_int_equal(count(c, LANES, CM_FAIL(HSM_LOST)), LANES - 1);
    OK(soon(&w));
    assert_int_equal(w.starts, 2);
    down(&w);
}

/* H-6 */
static void a_lie_in_one_ends_the_use_of_all(void **state)
{
    struct caller c[LANES];
    cm_hsm_status s;
    struct world w;

    (void)state;
    up(&w, LANES, LANES, LIES, ANSWERS);
    begin(&w, c, LANES);
    end(c, LANES);
    assert_int_equal(count(c, LANES, CM_FAIL(HSM_WRONG)), 1);
    begin(&w, c, LANES);
    end(c, LANES);
    assert_int_equal(count(c, LANES, CM_FAIL(HSM_QUARANTINED)), LANES);
    OK(cm_hsm_status_of(&w.h, &s));
    assert_true(s.quarantined);
    die(&w.process[0]);
    IS(cm_hsm_status_of(&w.h, &s), HSM_LOST);
    IS(ask(&w), HSM_QUARANTINED);
    down(&w);
}

struct crowd {
    struct world *w;
    atomic_bool stop;
    atomic_uint answered, strange;
};

static void *insist(void *arg)
{
    struct crowd *x = arg;

    while (!atomic_load(&x->stop)) {
        cm_err e = ask(x->w);

        if (cm_ok(e))
            atomic_fetch_add(&x->answered, 1);
        else if (!cm_is(e, CM_HSM_LOST) && !cm_is(e, CM_HSM_DOWN))
            atomic_fetch_add(&x->strange, 1);
    }
    return NULL;
}

/* Nothing else becomes of a call than an answer, a loss, or a pause. */
static void killed_under_a_crowd(void **state)
{
    struct crowd x = {.stop = false};
    pthread_t t[CALLERS];
    struct world w;

    (void)state;
    up(&w, LANES, 1, ANSWERS, ANSWERS);
    x.w = &w;
    for (unsigned i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, insist, &x), 0);
    for (unsigned k = 0; k < 5; k++) {
        unsigned before = atomic_load(&x.answered);

        while (atomic_load(&x.answered) < before + 3 * CALLERS)
            pause_ms(1);
        pthread_mutex_lock(&w.lock);
        w.arrived = 0; /* the next one to come */
        w.last = DIES;
        pthread_mutex_unlock(&w.lock);
    }
    pause_ms(20);
    atomic_store(&x.stop, true);
    for (unsigned i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_join(t[i], NULL), 0);
    assert_int_equal(atomic_load(&x.strange), 0);
    OK(soon(&w));
    assert_true(w.starts >= 5 && w.starts <= 6);
    down(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_at_once_as_it_says),
        cmocka_unit_test(fewer_from_now_on),
        cmocka_unit_test(a_death_costs_what_is_under_way),
        cmocka_unit_test(nonsense_in_one_costs_them_all),
        cmocka_unit_test(a_lie_in_one_ends_the_use_of_all),
        cmocka_unit_test(killed_under_a_crowd),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
