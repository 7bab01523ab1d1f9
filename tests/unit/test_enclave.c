/* Programs that run locked in: what they get, and what they can't have. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/os.h"
#include "enclave/answer.h"
#include "enclave/cgroup.h"
#include "enclave/enclave.h"
#include "kit.h"

/* Long enough for a machine that does twenty other things. */
enum {
    PATIENCE_MS = 60000,
    SMALL = 300000,
    ALWAYS = CM_HAS_NO_NEW_PRIVS | CM_HAS_NO_DUMP | CM_HAS_SECCOMP
};

struct world {
    cm_enclave_measured measured;
    cm_enclave *enclave;
    cm_open_options open;
    cm_opener opener;
    const cm_sig_key *trusted[1];
    cm_sealed *model;
    int fd, log[2];
    uint32_t has;
    cm_err err;
};

static t_kit *kit;

static uint64_t mix(uint64_t h, const uint8_t *p, size_t n)
{
    uint64_t w;

    for (; n >= 8; p += 8, n -= 8) {
        memcpy(&w, p, 8);
        h = (h ^ w) * 0x100000001b3;
    }
    for (; n; p++, n--)
        h = (h ^ *p) * 0x100000001b3;
    return h;
}

static const char *program(bool dynamic)
{
    return getenv(dynamic ? "CASEMATE_PAYLOAD_DYNAMIC" : "CASEMATE_PAYLOAD_STATIC");
}

static void open_model(struct world *w, size_t n)
{
    cm_seal_result r;
    const char *path = t_sealed_as(kit, "model", n, &r, NULL);

    w->open = t_open_options(kit, &w->opener, w->trusted);
    assert_true(cm_ok(cm_os_open_read(&w->fd, path)));
    assert_true(cm_ok(cm_sealed_load(&w->model, kit->crypt, w->fd, &w->open)));
    assert_true(cm_ok(cm_sealed_unlock(w->model)));
}

static struct world *world_new(size_t model)
{
    struct world *w = NULL;

    assert_true(cm_ok(cm_alloc(&w, sizeof *w)));
    w->fd = -1;
    assert_int_equal(pipe(w->log), 0);
    if (model)
        open_model(w, model);
    return w;
}

static cm_enclave_plan plan_of(const struct world *w, const char *const *args, bool dynamic)
{
    cm_enclave_plan p = {.program = program(dynamic), .args = args};

    if (w->model) {
        p.model = cm_sealed_get(w->model)->digest;
        p.model_size = cm_sealed_get(w->model)->size;
    }
    return p;
}

static void world_free(struct world *w)
{
    cm_enclave_free(w->enclave);
    cm_enclave_measured_free(&w->measured);
    cm_sealed_free(w->model);
    cm_os_close_fd(&w->fd);
    close(w->log[0]);
    close(w->log[1]);
    cm_free(w);
}

static void run(struct world *w, const cm_enclave_plan *p, bool no_namespaces)
{
    cm_enclave_options o = {.measured = &w->measured,
                            .model = w->model,
                            .listen = -1,
                            .output = w->log[1],
                            .no_namespaces = no_namespaces};

    assert_true(cm_ok(cm_enclave_measure(&w->measured, kit->crypt, p)));
    w->err = cm_enclave_start(&w->enclave, &w->has, kit->crypt, &o);
    if (cm_is(w->err, CM_SANDBOX_NO_LANDLOCK) || cm_is(w->err, CM_SANDBOX_NO_SECCOMP)) {
        print_message("SKIP: %s\n", cm_err_what(w->err));
        world_free(w);
        skip();
    }
    if (cm_failed(w->err))
        fail_msg("%s; it has %x", cm_err_name(w->err), w->has);
    assert_int_equal(w->has & ALWAYS, ALWAYS);
}

static struct world *running(const char *what, size_t model)
{
    const char *args[] = {"payload", what, NULL};
    struct world *w = world_new(model);
    cm_enclave_plan p = plan_of(w, args, true);

    run(w, &p, false);
    return w;
}

static int ends_with(struct world *w)
{
    int status = -1;

    assert_true(cm_ok(cm_enclave_wait(w->enclave, &status, -1)));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void log_of(struct world *w, char *text, size_t n)
{
    ssize_t got;

    assert_int_equal(write(w->log[1], "\n", 1), 1);
    got = read(w->log[0], text, n - 1);
    assert_true(got > 0);
    text[got] = 0;
}

static cm_err execute(struct world *w, cm_buf *answer, const char *request)
{
    return cm_enclave_ask(answer, w->enclave, cm_view_str(request), PATIENCE_MS, -1);
}

/* ---- what it can't have -------------------------------------------------------------------- */

static void hostile(bool dynamic, bool no_namespaces)
{
    const char *args[] = {"payload", "hostile", NULL}, *env[] = {"NAMED=1", NULL};
    const char *data = t_path(kit->dir, "data.txt"), *files[] = {data, NULL};
    struct world *w = world_new(SMALL);
    cm_enclave_plan p = plan_of(w, args, dynamic);
    char text[16384];
    int code;

    t_put_file(data, CM_LIT("measured"));
    p.files = files;
    p.env = env;
    run(w, &p, no_namespaces);
    code = ends_with(w);
    log_of(w, text, sizeof text);
    if (code || !strstr(text, "\n0 done"))
        fail_msg("exit %d, and it said: %s", code, text);
    assert_null(strstr(text, "DONE"));
    world_free(w);
}

static void a_hostile_program_gets_nothing(void **state) /* EN-20, EN-21, EN-22 */
{
    (void)state;
    assert_int_equal(setenv("SECRET", "of the runner", 1), 0);
    hostile(false, false);
    hostile(true, false);
}

static void nor_where_namespaces_are_refused(void **state) /* EN-21, EN-23 */
{
    (void)state;
    hostile(false, true);
    hostile(true, true);
}

static void memory_past_the_limit_is_refused(void **state) /* EN-25 */
{
    const char *args[] = {"payload", "eat", NULL};

    (void)state;
    for (int bare = 0; bare < 2; bare++) {
        struct world *w = world_new(0);
        cm_enclave_plan p = plan_of(w, args, false);
        cm_enclave_figures f;
        int code;

        p.memory = 24 << 20;
        run(w, &p, bare);
        code = ends_with(w);
        assert_true(code == 3 || code == 128 + SIGKILL);
        cm_enclave_get(w->enclave, &f);
        assert_true(f.peak <= 24 << 20);
        world_free(w);
    }
}

static void what_is_missing_can_be_demanded(void **state) /* EN-23 */
{
    const char *args[] = {"payload", "true", NULL};
    struct world *w = world_new(0);
    cm_enclave_plan p = plan_of(w, args, false);
    cm_enclave_options o = {.measured = &w->measured,
                            .listen = -1,
                            .output = -1,
                            .demand = CM_HAS_NETWORK,
                            .no_namespaces = true};

    (void)state;
    assert_true(cm_ok(cm_enclave_measure(&w->measured, kit->crypt, &p)));
    assert_true(cm_is(cm_enclave_start(&w->enclave, &w->has, kit->crypt, &o), CM_ENCLAVE_WEAK));
    assert_null(w->enclave);
    assert_false(w->has & CM_HAS_NETWORK);
    world_free(w);
}

/* ---- the model ----------------------------------------------------------------------------- */

static void reads_all(size_t n, bool stream, uint64_t memory, cm_enclave_delivery as)
{
    const char *args[] = {"payload", "whole", NULL};
    struct world *w = world_new(n);
    cm_enclave_plan p = plan_of(w, args, true);
    char want[32], text[1024];
    cm_enclave_figures f;
    cm_buf plain;

    p.stream = stream;
    p.memory = memory;
    run(w, &p, false);
    plain = t_bytes(n, n);
    assert_int_equal(w->measured.manifest->delivery, as);
    assert_int_equal(ends_with(w), 0);
    log_of(w, text, sizeof text);
    (void)snprintf(want, sizeof want, "%016llx",
                   (unsigned long long)mix(0xcbf29ce484222325, plain.p, plain.n));
    assert_non_null(strstr(text, want));
    cm_enclave_get(w->enclave, &f);
    assert_int_equal(f.range_bytes, as == CM_ENCLAVE_STREAM ? n : 0);
    assert_true(memory == 0 || f.peak <= memory);
    cm_buf_free(&plain);
    world_free(w);
}

static void a_model_that_fits_is_in_memory(void **state) /* EN-30 */
{
    (void)state;
    reads_all(SMALL, false, 0, CM_ENCLAVE_MEMORY);
}

static void a_larger_one_comes_in_ranges(void **state) /* EN-30, EN-41 */
{
    (void)state;
    reads_all(24 << 20, false, 20 << 20, CM_ENCLAVE_STREAM);
    reads_all(SMALL + 3, true, 0, CM_ENCLAVE_STREAM);
}

static void ranges_stay_inside(void **state) /* EN-41 */
{
    const char *args[] = {"payload", "ranges", NULL};
    struct world *w = world_new(SMALL);
    cm_enclave_plan p = plan_of(w, args, false);

    (void)state;
    p.stream = true;
    run(w, &p, false);
    assert_int_equal(ends_with(w), 0);
    world_free(w);
}

static void what_was_changed_is_not_handed_out(void **state) /* EN-41 */
{
    const char *args[] = {"payload", "whole", NULL}, *path = t_path(kit->dir, "model.sealed");
    struct world *w = world_new(SMALL);
    cm_enclave_plan p = plan_of(w, args, false);
    cm_enclave_figures f;
    struct stat st;
    uint8_t b;
    int fd;

    (void)state;
    p.stream = true;
    assert_int_equal(stat(path, &st), 0);
    assert_true(cm_ok(cm_os_open_update(&fd, path, false)));
    assert_int_equal(pread(fd, &b, 1, st.st_size / 2), 1);
    b ^= 1;
    assert_int_equal(pwrite(fd, &b, 1, st.st_size / 2), 1);
    close(fd);
    run(w, &p, false);
    assert_int_equal(ends_with(w), 1);
    cm_enclave_get(w->enclave, &f);
    assert_int_equal(cm_err_class(f.failure), CM_CLASS_UNAUTHENTIC);
    world_free(w);
}

static void another_model_is_refused(void **state) /* EN-24 */
{
    const char *args[] = {"payload", "true", NULL};
    struct world *w = world_new(SMALL);
    uint8_t other[32] = {1};
    cm_enclave_plan p = plan_of(w, args, false);
    cm_enclave_options o = {
        .measured = &w->measured, .model = w->model, .listen = -1, .output = -1};

    (void)state;
    p.model = other;
    assert_true(cm_ok(cm_enclave_measure(&w->measured, kit->crypt, &p)));
    assert_true(cm_is(cm_enclave_start(&w->enclave, &w->has, kit->crypt, &o), CM_ENCLAVE_CHANGED));
    o.model = NULL;
    assert_true(cm_is(cm_enclave_start(&w->enclave, &w->has, kit->crypt, &o), CM_ENCLAVE_CHANGED));
    world_free(w);
}

/* Between measuring and starting, another program comes under its name. */
static void what_was_measured_is_what_runs(void **state) /* EN-20 */
{
    const char *args[] = {"payload", "true", NULL}, *path = t_path(kit->dir, "swapped");
    struct world *w = world_new(0);
    cm_enclave_plan p = plan_of(w, args, false);
    cm_enclave_options o = {.measured = &w->measured, .listen = -1, .output = -1};
    cm_buf b = {.max = 64 << 20};

    (void)state;
    t_get_file(&b, program(false));
    t_put_file(path, cm_buf_view(&b));
    p.program = path;
    assert_true(cm_ok(cm_enclave_measure(&w->measured, kit->crypt, &p)));
    t_put_file(path, CM_LIT("no program at all"));
    assert_true(cm_ok(cm_enclave_start(&w->enclave, &w->has, kit->crypt, &o)));
    assert_int_equal(ends_with(w), 0);
    cm_buf_free(&b);
    world_free(w);
}

static void measured_files_are_there_to_be_read(void **state) /* EN-20 */
{
    const char *data = t_path(kit->dir, "config.json"), *args[] = {"payload", "show", data, NULL};
    struct world *w = world_new(0);
    cm_enclave_plan p = plan_of(w, args, true);
    char text[256];

    (void)state;
    t_put_file(data, CM_LIT("the measured text"));
    p.config = data;
    run(w, &p, false);
    assert_int_equal(ends_with(w), 0);
    log_of(w, text, sizeof text);
    assert_non_null(strstr(text, "the measured text"));
    world_free(w);
}

/* ---- requests ------------------------------------------------------------------------------ */

static void requests_are_answered(void **state) /* EN-42 */
{
    struct world *w = running("echo", SMALL);
    cm_buf big = t_bytes(5 << 20, 7);

    (void)state;
    for (int i = 0; i < 3; i++) {
        cm_buf a = {.max = 64};

        assert_true(cm_ok(execute(w, &a, "abc")));
        assert_true(cm_view_eq(cm_buf_view(&a), CM_LIT("cba")));
        cm_buf_free(&a);
        assert_true(cm_ok(execute(w, &a, "")));
        assert_int_equal(a.n, 0);
    }
    for (int i = 0; i < 2; i++) {
        cm_buf a = {.max = 5 << 20};

        assert_true(cm_ok(cm_enclave_ask(&a, w->enclave, cm_buf_view(&big), PATIENCE_MS, -1)));
        assert_int_equal(a.n, big.n);
        assert_int_equal(a.p[0], big.p[big.n - 1]);
        cm_buf_free(&a);
    }
    cm_buf_free(&big);
    world_free(w);
}

static void a_request_may_read_the_model(void **state)
{
    struct world *w = running("sum", SMALL);
    cm_buf a = {.max = 64}, plain = t_bytes(SMALL, SMALL);
    char want[32];

    (void)state;
    (void)snprintf(want, sizeof want, "%016llx",
                   (unsigned long long)mix(0xcbf29ce484222325, plain.p, plain.n));
    assert_true(cm_ok(execute(w, &a, "go")));
    assert_true(cm_view_eq(cm_buf_view(&a), cm_view_str(want)));
    cm_buf_free(&a);
    cm_buf_free(&plain);
    world_free(w);
}

static void fails(const char *what, uint64_t timeout_ms, cm_err want)
{
    struct world *w = running(what, 0);
    cm_buf a = {.max = 1000};
    cm_err e = cm_enclave_ask(&a, w->enclave, CM_LIT("x"), timeout_ms, -1);

    if (e.v != want.v)
        fail_msg("%s gave %s, not %s", what, cm_err_name(e), cm_err_name(want));
    assert_int_equal(a.n, 0);
    world_free(w);
}

static void what_a_program_does_wrong_is_said(void **state) /* EN-40, EN-42, EN-43 */
{
    (void)state;
    fails("hang", 300, CM_FAIL(ENCLAVE_TIMEOUT));
    fails("die", PATIENCE_MS, CM_FAIL(ENCLAVE_GONE));
    fails("break", PATIENCE_MS, CM_FAIL(ENCLAVE_PROTOCOL));
    fails("other", PATIENCE_MS, CM_FAIL(ENCLAVE_PROTOCOL));
    fails("big", PATIENCE_MS, CM_FAIL(ENCLAVE_ANSWER));
}

static void a_program_that_is_late_is_ended(void **state) /* EN-43 */
{
    struct world *w = running("hang", 0);
    cm_buf a = {.max = 1000};
    int status = 0;

    (void)state;
    assert_true(cm_is(cm_enclave_ask(&a, w->enclave, CM_LIT("x"), 200, -1), CM_ENCLAVE_TIMEOUT));
    assert_true(cm_ok(cm_enclave_wait(w->enclave, &status, -1)));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_true(cm_is(cm_enclave_ask(&a, w->enclave, CM_LIT("x"), 200, -1), CM_BAD_ARGUMENT));
    world_free(w);
}

/* ---- answers ------------------------------------------------------------------------------- */

static void answers_are_bound(void **state) /* EN-50, EN-51, EN-52 */
{
    cm_answer a = {.manifest = {1}, .simulated = true, .body = CM_LIT("the answer")}, b;
    cm_buf rec = {.max = 1 << 20};
    cm_sig_key *k = NULL;
    cm_pkey *key = NULL;
    uint8_t other[32] = {2};

    (void)state;
    assert_true(cm_ok(cm_sig_generate(&k, kit->crypt, CM_SIG_MLDSA65)));
    assert_true(cm_ok(cm_pkey_from_sig(&key, &k)));
    assert_true(cm_ok(cm_hash_once(kit->crypt, CM_SHA256, a.request, CM_LIT("question"))));
    assert_true(cm_ok(cm_answer_write(&rec, kit->crypt, &a, key)));
    assert_true(cm_ok(cm_answer_read(&b, cm_buf_view(&rec))));
    assert_true(b.simulated);
    assert_true(cm_ok(cm_answer_check(kit->crypt, &b, a.manifest, CM_LIT("question"), key)));
    assert_true(
        cm_is(cm_answer_check(kit->crypt, &b, other, CM_LIT("question"), key), CM_ENCLAVE_RESULT));
    assert_true(
        cm_is(cm_answer_check(kit->crypt, &b, NULL, CM_LIT("another"), key), CM_ENCLAVE_RESULT));
    for (size_t i = 0; i < rec.n; i += 7) {
        rec.p[i] ^= 1;
        if (cm_ok(cm_answer_read(&b, cm_buf_view(&rec))))
            assert_true(cm_is(cm_answer_check(kit->crypt, &b, a.manifest, CM_LIT("question"), key),
                              CM_ENCLAVE_RESULT));
        rec.p[i] ^= 1;
    }
    cm_buf_free(&rec);
    cm_pkey_free(key);
}

/* ---- control groups ------------------------------------------------------------------------ */

static void expect_file(const char *dir, const char *name, const char *text)
{
    cm_buf b = {.max = 64};

    t_get_file(&b, t_path(dir, name));
    assert_true(cm_view_eq(cm_buf_view(&b), cm_view_str(text)));
    cm_buf_free(&b);
}

/* A folder that only looks like one: making a group in it gives an empty folder, without the
 * kernel's files, so that nothing may be left behind. */
static void a_group_that_limits_nothing_is_none(void **state) /* EN-25 */
{
    const char *root = t_path(kit->dir, "cgroup"), *self = t_path(kit->dir, "self");
    cm_cgroup g = {.no_swap = true};

    (void)state;
    assert_int_equal(mkdir(root, 0700), 0);
    t_put_file(self, CM_LIT("0::/\n"));
    t_put_file(t_path(root, "cgroup.controllers"), CM_LIT("memory pids\n"));
    t_put_file(t_path(root, "cgroup.subtree_control"), CM_LIT(""));
    assert_false(cm_cgroup_make(&g, root, self, 1 << 25));
    assert_false(cm_cgroup_add(&g, 1));
    assert_int_equal(g.memory[0], 0);
    assert_false(g.no_swap);
    expect_file(root, "cgroup.subtree_control", "+memory +pids");
    assert_int_equal(cm_cgroup_peak(&g), 0);
    cm_cgroup_remove(&g);
    t_rmdir(root);
}

/* The kernel's own, of version 2: a folder that is delegated (CASEMATE_CGROUP2), else where systems
 * mount it. */
static const char *version_2(void)
{
    const char *given = getenv("CASEMATE_CGROUP2");

    if (given)
        return given;
    if (cm_os_exists("/sys/fs/cgroup/cgroup.controllers"))
        return "/sys/fs/cgroup";
    return cm_os_exists("/sys/fs/cgroup/unified/cgroup.controllers") ? "/sys/fs/cgroup/unified"
                                                                     : NULL;
}

static bool has_memory(const char *root)
{
    cm_buf b = {.max = 4096};
    bool found;

    if (cm_failed(cm_os_slurp(&b, t_path(root, "cgroup.controllers"), 4000)) ||
        cm_failed(cm_buf_byte(&b, 0))) {
        cm_buf_free(&b);
        return false;
    }
    found = strstr((const char *)b.p, "memory") != NULL;
    cm_buf_free(&b);
    return found;
}

/* A program that eats memory, in groups below root; what limits it is in w->has. */
static void eats_below(struct world *w, const char *root, cm_enclave_figures *f)
{
    const char *args[] = {"payload", "eat", NULL};
    cm_enclave_plan p = plan_of(w, args, false);
    cm_enclave_options o = {.measured = &w->measured, .listen = -1, .output = -1, .groups = root};
    int code;

    p.memory = 24 << 20;
    assert_true(cm_ok(cm_enclave_measure(&w->measured, kit->crypt, &p)));
    w->err = cm_enclave_start(&w->enclave, &w->has, kit->crypt, &o);
    assert_true(cm_ok(w->err));
    code = ends_with(w);
    assert_true(code == 3 || code == 128 + SIGKILL);
    cm_enclave_get(w->enclave, f);
}

static void groups_of_version_2(void **state) /* EN-25 */
{
    const char *root = version_2();
    cm_enclave_figures f;
    struct world *w;
    cm_cgroup g;
    bool made;

    (void)state;
    if (!root) {
        print_message("SKIP: no control groups of version 2 here\n");
        skip();
    }
    made = cm_cgroup_make(&g, root, "/proc/self/cgroup", 24 << 20);
    assert_int_equal(made, g.memory[0] != 0);
    cm_cgroup_remove(&g);
    if (made || getenv("CASEMATE_CGROUP2"))
        assert_true(made && has_memory(root));
    w = world_new(0);
    eats_below(w, root, &f);
    /* A folder that is delegated to another user takes no process from outside. */
    if (!made || geteuid() == 0)
        assert_int_equal((w->has & CM_HAS_CGROUP) != 0, made);
    assert_true(f.peak <= (made ? 24 << 20 : 0));
    world_free(w);
    if (!made)
        print_message("SKIP of a part: %s has no memory to limit in groups of ours; said as "
                      "missing, and RLIMIT_AS held\n",
                      root);
}

/* What needs no controller: a group is made, joined by a process, and removed. */
static void a_process_joins_a_group_of_version_2(void **state) /* EN-25 */
{
    const char *root = version_2();
    cm_cgroup g = {.no_swap = false};
    cm_buf procs = {.max = 256};
    char want[32];
    bool joined;
    pid_t pid;

    (void)state;
    if (root)
        (void)snprintf(g.memory, sizeof g.memory, "%s/casemate-test-%d", root, (int)getpid());
    if (!root || mkdir(g.memory, 0755) != 0) {
        print_message("SKIP: no control groups of version 2 that we may make groups in\n");
        skip();
    }
    memcpy(g.pids, g.memory, sizeof g.pids);
    pid = fork();
    if (pid == 0) {
        (void)pause();
        _exit(0);
    }
    joined = cm_cgroup_add(&g, pid);
    assert_true(cm_ok(cm_os_slurp(&procs, t_path(g.memory, "cgroup.procs"), 200)));
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    cm_cgroup_remove(&g);
    assert_int_equal(g.memory[0], 0);
    (void)snprintf(want, sizeof want, "%d\n", (int)pid);
    if (joined)
        assert_true(cm_view_eq(cm_buf_view(&procs), cm_view_str(want)));
    else
        print_message("SKIP: no process of ours may join\n");
    cm_buf_free(&procs);
}

static int setup(void **state)
{
    (void)state;
    kit = t_kit_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    t_kit_done(kit);
    return 0;
}

/* Its own thread is not there in a process that is made by clone() alone. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREADS_WATCHED 1
#endif
#endif
#ifndef THREADS_WATCHED
#define THREADS_WATCHED 0
#endif

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hostile_program_gets_nothing),
        cmocka_unit_test(nor_where_namespaces_are_refused),
        cmocka_unit_test(memory_past_the_limit_is_refused),
        cmocka_unit_test(what_is_missing_can_be_demanded),
        cmocka_unit_test(a_model_that_fits_is_in_memory),
        cmocka_unit_test(a_larger_one_comes_in_ranges),
        cmocka_unit_test(ranges_stay_inside),
        cmocka_unit_test(what_was_changed_is_not_handed_out),
        cmocka_unit_test(another_model_is_refused),
        cmocka_unit_test(what_was_measured_is_what_runs),
        cmocka_unit_test(measured_files_are_there_to_be_read),
        cmocka_unit_test(requests_are_answered),
        cmocka_unit_test(a_request_may_read_the_model),
        cmocka_unit_test(what_a_program_does_wrong_is_said),
        cmocka_unit_test(a_program_that_is_late_is_ended),
        cmocka_unit_test(answers_are_bound),
        cmocka_unit_test(a_group_that_limits_nothing_is_none),
        cmocka_unit_test(groups_of_version_2),
        cmocka_unit_test(a_process_joins_a_group_of_version_2),
    };

    if (THREADS_WATCHED) {
        print_message("SKIP: processes made by clone() under the thread sanitizer\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
