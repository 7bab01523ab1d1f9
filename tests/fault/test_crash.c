/*
 * Processes killed at random moments. Sealing over an existing file leaves the old one or the whole
 * new one and nothing between, and goes on where it was; changing recipients leaves a container
 * that somebody can open. The moments are drawn from a seed that is printed.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/os.h"
#include "kit.h"
#include "sealed/journal.h"

#define OK(x) assert_string_equal(cm_err_name(x), "OK")

/* A run of 1024 segments and a rest, so that there is a checkpoint to go on from and more than one
 * level in the tree. */
enum { KILLS = 100, RUN = 1024 * 65536, MODEL = RUN + 50 * 65536 + 77 };

static t_kit *kit;
static uint8_t resume_key[32] = {9};
static uint64_t dice;

static int setup(void **state)
{
    (void)state;
    kit = t_kit_new();
    dice = cm_os_monotonic_ns() | 1;
    printf("seed %llu\n", (unsigned long long)dice);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    t_kit_done(kit);
    return 0;
}

static uint64_t roll(uint64_t below)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return dice % below;
}

/* Runs this program again for one of the jobs of main(), with its own keys, and kills it so many
 * nanoseconds after it began. Whether it ended by itself. */
static bool killed_run(const char *job, uint64_t after)
{
    struct timespec nap = {(time_t)(after / 1000000000), (long)(after % 1000000000)};
    int ready[2], status;
    char c;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(ready[1], STDOUT_FILENO);
        close(ready[0]);
        close(ready[1]);
        execl("/proc/self/exe", "test_crash", job, kit->dir, (char *)NULL);
        _exit(127);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    nanosleep(&nap, NULL);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFEXITED(status);
}

/* ---- sealing ------------------------------------------------------------------------------- */

static cm_err seal_model(const t_kit *k, cm_seal_result *r)
{
    cm_recipient to;
    cm_seal_options o = t_seal_options(k, &to);

    o.replace = true;
    o.resume_key = resume_key;
    return cm_seal(r, k->crypt, &o, t_path(k->dir, "model"), -1, t_path(k->dir, "out"), -1);
}

static cm_err seal_job(const t_kit *k)
{
    cm_seal_result r;

    return seal_model(k, &r);
}

static void put_model(void)
{
    int fd = open(t_path(kit->dir, "model"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cm_buf b = t_bytes(1 << 20, 1);

    for (uint64_t at = 0; at < MODEL; at += b.n)
        OK(cm_os_pwrite(fd, b.p, (size_t)CM_MIN((uint64_t)b.n, MODEL - at), at));
    close(fd);
    cm_buf_free(&b);
}

/* Opens, and every byte of it verifies. */
static void assert_whole(const uint8_t digest[32])
{
    cm_opener opener;
    const cm_sig_key *trusted[1];
    cm_open_options o = t_open_options(kit, &opener, trusted);
    cm_sealed *s = NULL;
    const cm_index *x;
    int fd = -1, null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    OK(cm_os_open_read(&fd, t_path(kit->dir, "out")));
    OK(cm_sealed_load(&s, kit->crypt, fd, &o));
    OK(cm_sealed_unlock(s));
    OK(cm_sealed_index(s, &x));
    assert_int_equal(cm_sealed_get(s)->size, MODEL);
    assert_memory_equal(cm_sealed_get(s)->digest, digest, 32);
    OK(cm_sealed_write_to(s, null));
    cm_sealed_free(s);
    close(fd);
    close(null);
}

/* Old or new; true for new. */
static bool old_or_new(const uint8_t digest[32])
{
    char head[16] = {0};
    int fd = open(t_path(kit->dir, "out"), O_RDONLY | O_CLOEXEC);
    ssize_t n;

    assert_true(fd >= 0);
    n = read(fd, head, sizeof head);
    close(fd);
    if (n == 8 && memcmp(head, "old file", 8) == 0)
        return false;
    assert_whole(digest);
    return true;
}

static bool has_checkpoint(void)
{
    struct stat st;

    return stat(t_path(kit->dir, "out.part.journal"), &st) == 0 &&
           st.st_size >= CM_JOURNAL_HEAD + CM_FLOE_HEADER + CM_TREE_SEGMENT + CM_FLOE_OVERHEAD;
}

static void put_old(void)
{
    t_put_file(t_path(kit->dir, "out"), CM_LIT("old file"));
}

static void killed_sealing(void **state)
{
    unsigned news = 0, parts = 0, runs = 0;
    bool checkpoint;
    cm_seal_result r;
    uint64_t t, whole;
    uint8_t digest[32];

    (void)state;
    put_model();
    OK(seal_model(kit, &r)); /* so that the model is in memory */
    t = cm_os_monotonic_ns();
    OK(seal_model(kit, &r));
    whole = cm_os_monotonic_ns() - t;
    memcpy(digest, r.digest, 32);
    put_old();
    for (unsigned i = 0; i < KILLS; i++) {
        (void)killed_run("seal", 1 + roll(whole));
        parts += t_exists(t_path(kit->dir, "out.part"));
        if (old_or_new(digest)) {
            news++;
            (void)unlink(t_path(kit->dir, "out.part.journal")); /* killed before it did */
            put_old();
        }
        runs += checkpoint = has_checkpoint();
        if (i % 8 == 7 || checkpoint) { /* one in peace, from wherever the last ones stopped */
            OK(seal_model(kit, &r));
            assert_memory_equal(r.digest, digest, 32);
            assert_int_equal(r.resumed, checkpoint ? RUN : 0);
            assert_true(old_or_new(digest));
            assert_false(t_exists(t_path(kit->dir, "out.part")));
            assert_false(t_exists(t_path(kit->dir, "out.part.journal")));
            put_old();
        }
    }
    printf("%u kills: %u finished, %u left a part, %u of them a checkpoint\n", KILLS, news, parts,
           runs);
    assert_true(parts > 0);
    OK(seal_model(kit, &r));
    assert_whole(digest);
}

/* Killed between the end of the work and the new name: the journal then holds the padded and the
 * upper runs of the tree as well, which must not be taken for segments that are done. */
static void killed_before_the_rename(void **state)
{
    cm_seal_result r;
    uint8_t digest[32];

    (void)state;
    OK(seal_model(kit, &r));
    memcpy(digest, r.digest, 32);
    assert_int_equal(unlink(t_path(kit->dir, "out")), 0);
    assert_int_equal(mkdir(t_path(kit->dir, "out"), 0700), 0); /* so renaming fails */
    assert_true(cm_failed(seal_model(kit, &r)));
    assert_true(t_exists(t_path(kit->dir, "out.part.journal")));
    assert_int_equal(rmdir(t_path(kit->dir, "out")), 0);
    OK(seal_model(kit, &r));
    assert_int_equal(r.resumed, RUN);
    assert_memory_equal(r.digest, digest, 32);
    assert_whole(digest);
}

/* ---- changing recipients ------------------------------------------------------------------- */

/* From one key to the other and back until somebody stops it. */
static cm_err rewrap_job(const t_kit *k)
{
    cm_opener both[2] = {cm_opener_kem(k->xwing), cm_opener_kem(k->other)};
    const cm_sig_key *trusted[1] = {k->dual};
    cm_open_options o = {.openers = both, .openers_n = 2, .trusted = trusted, .trusted_n = 1};
    cm_recipient to[2] = {cm_recipient_kem(k->xwing), cm_recipient_kem(k->other)};
    cm_rewrap w = {.add_n = 1};

    for (unsigned i = 0;; i++) {
        w.add = &to[i % 2];
        CM_TRY(cm_sealed_rewrap(k->crypt, t_path(k->dir, "small"), &o, &w));
    }
}

static unsigned openers_of(const char *path)
{
    const cm_kem_key *who[2] = {kit->xwing, kit->other};
    unsigned n = 0;

    for (unsigned i = 0; i < 2; i++) {
        cm_opener opener;
        const cm_sig_key *trusted[1];
        cm_open_options o = t_open_options(kit, &opener, trusted);
        cm_buf b = {0};
        cm_err e;

        opener = cm_opener_kem(who[i]);
        e = t_open_with(kit, path, &o, &b);
        assert_true(cm_ok(e) || cm_is(e, CM_ENVELOPE_NOT_FOR_US));
        n += cm_ok(e);
        cm_buf_free(&b);
    }
    return n;
}

/* S-4 */
static void killed_rewrapping(void **state)
{
    cm_recipient to;
    cm_seal_options o = t_seal_options(kit, &to);
    cm_buf b = t_bytes(100000, 3);
    cm_seal_result r;
    const char *path = t_path(kit->dir, "small");

    (void)state;
    t_put_file(t_path(kit->dir, "plain"), cm_buf_view(&b));
    OK(cm_seal(&r, kit->crypt, &o, t_path(kit->dir, "plain"), -1, path, -1));
    for (unsigned i = 0; i < KILLS; i++) {
        path = t_path(kit->dir, "small");
        assert_false(killed_run("rewrap", 1 + roll(20000000)));
        assert_int_equal(openers_of(path), 1);
    }
    cm_buf_free(&b);
}

static int run_job(const char *job, const char *dir)
{
    t_kit *k = t_kit_new();
    cm_err e;

    t_rmdir(k->dir);
    snprintf(k->dir, sizeof k->dir, "%s", dir);
    if (write(STDOUT_FILENO, "x", 1) != 1)
        return 1;
    e = strcmp(job, "seal") == 0 ? seal_job(k) : rewrap_job(k);
    return cm_failed(e);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_sealing),
        cmocka_unit_test(killed_before_the_rename),
        cmocka_unit_test(killed_rewrapping),
    };

    if (argc == 3)
        return run_job(argv[1], argv[2]);
    return cmocka_run_group_tests(tests, setup, teardown);
}
