/* Disks that are full, folders that may not be written, pipes nobody reads, models that change. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/os.h"
#include "kit.h"

#define OK(x)       assert_string_equal(cm_err_name(x), "OK")
#define FAILS(r, x) assert_string_equal(cm_err_name(x), #r)

enum { NOBODY = 65534 };

static t_kit *kit;

static int setup(void **state)
{
    (void)state;
    kit = t_kit_new();
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    t_kit_done(kit);
    return 0;
}

static void put_model(const char *name, size_t n)
{
    cm_buf b = t_bytes(n, n);

    t_put_file(t_path(kit->dir, name), cm_buf_view(&b));
    cm_buf_free(&b);
}

static cm_err seal(const char *in, const char *out, cm_watch watch)
{
    static const uint8_t resume_key[32] = {1};
    cm_recipient to;
    cm_seal_options o = t_seal_options(kit, &to);
    cm_seal_result r;

    o.replace = true;
    o.resume_key = resume_key;
    o.threads = 1;
    o.watch = watch;
    return cm_seal(&r, kit->crypt, &o, t_path(kit->dir, in), -1, t_path(kit->dir, out), -1);
}

static void assert_opens(const char *name, size_t n)
{
    cm_buf got = {0}, want = t_bytes(n, n);

    OK(t_open(kit, t_path(kit->dir, name), &got));
    assert_true(cm_view_eq(cm_buf_view(&got), cm_buf_view(&want)));
    cm_buf_free(&got);
    cm_buf_free(&want);
}

static bool holds(const char *name, const char *text)
{
    cm_buf b = t_whole_file(t_path(kit->dir, name));
    bool is = cm_view_eq(cm_buf_view(&b), cm_view_str(text));

    cm_buf_free(&b);
    return is;
}

static cm_sealed *unlocked(int *fd, const char *name)
{
    static cm_opener opener;
    static const cm_sig_key *trusted[1];
    cm_open_options o = t_open_options(kit, &opener, trusted);
    cm_sealed *s = NULL;

    o.threads = 1;
    OK(cm_os_open_read(fd, t_path(kit->dir, name)));
    OK(cm_sealed_load(&s, kit->crypt, *fd, &o));
    OK(cm_sealed_unlock(s));
    return s;
}

/* ---- a full disk --------------------------------------------------------------------------- */

static bool mount_small(const char *options, unsigned long flags)
{
    (void)mkdir(t_path(kit->dir, "disk"), 0700);
    return mount("tmpfs", t_path(kit->dir, "disk"), "tmpfs", flags, options) == 0;
}

static void sealing_fills_it(void)
{
    t_put_file(t_path(kit->dir, "disk/out"), CM_LIT("old file"));
    FAILS(NO_SPACE, seal("large", "disk/out", (cm_watch){0}));
    assert_true(holds("disk/out", "old file"));
    assert_false(t_exists(t_path(kit->dir, "disk/out.part")));
    assert_false(t_exists(t_path(kit->dir, "disk/out.part.journal")));
    OK(seal("little", "disk/out", (cm_watch){0})); /* all of it was given back */
    assert_opens("disk/out", 2 << 20);
    assert_int_equal(unlink(t_path(kit->dir, "disk/out")), 0);
}

/* What was verified stays for a run that has more room. */
static void extracting_fills_it(void)
{
    uint64_t kept = 0;
    int fd = -1;
    cm_sealed *s;

    OK(seal("large", "large.sealed", (cm_watch){0}));
    s = unlocked(&fd, "large.sealed");
    FAILS(NO_SPACE, cm_sealed_extract(s, t_path(kit->dir, "disk/plain"), false, &kept));
    assert_false(t_exists(t_path(kit->dir, "disk/plain")));
    assert_true(mount_small("size=16m", MS_REMOUNT));
    OK(cm_sealed_extract(s, t_path(kit->dir, "disk/plain"), false, &kept));
    assert_true(kept >= 1 << 20);
    assert_false(t_exists(t_path(kit->dir, "disk/plain.part")));
    cm_sealed_free(s);
    close(fd);
}

static void full_disk(void **state)
{
    (void)state;
    if (!mount_small("size=4m", 0)) {
        printf("SKIP full disk: mounting a small tmpfs takes root\n");
        skip();
    }
    put_model("large", 8 << 20);
    put_model("little", 2 << 20);
    sealing_fills_it();
    extracting_fills_it();
    assert_int_equal(umount(t_path(kit->dir, "disk")), 0);
}

/* ---- folders and pipes --------------------------------------------------------------------- */

static void read_only_folder(void **state)
{
    bool root = geteuid() == 0;
    int fd = -1;
    cm_sealed *s;

    (void)state;
    put_model("m", 1000);
    OK(seal("m", "m.sealed", (cm_watch){0}));
    s = unlocked(&fd, "m.sealed");
    assert_int_equal(mkdir(t_path(kit->dir, "ro"), 0555), 0);
    assert_int_equal(chmod(kit->dir, 0755), 0);
    assert_int_equal(chmod(t_path(kit->dir, "m"), 0644), 0);
    if (root && seteuid(NOBODY) != 0)
        skip();
    FAILS(NO_PERMISSION, seal("m", "ro/out", (cm_watch){0}));
    FAILS(NO_PERMISSION, cm_sealed_extract(s, t_path(kit->dir, "ro/plain"), false, NULL));
    FAILS(NO_FILE, seal("m", "absent/out", (cm_watch){0}));
    if (root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(rmdir(t_path(kit->dir, "ro")), 0); /* empty still */
    cm_sealed_free(s);
    close(fd);
}

static void closed_pipe(void **state)
{
    cm_recipient to;
    cm_seal_options o = t_seal_options(kit, &to);
    cm_seal_result r = {.size = 3};
    cm_sealed *s;
    int p[2], fd = -1;

    (void)state;
    put_model("m", 1 << 20);
    OK(seal("m", "m.sealed", (cm_watch){0}));
    assert_int_equal(pipe(p), 0);
    close(p[0]);
    FAILS(IO_PIPE_CLOSED, cm_seal(&r, kit->crypt, &o, t_path(kit->dir, "m"), -1, NULL, p[1]));
    assert_int_equal(r.size, 3);
    s = unlocked(&fd, "m.sealed");
    FAILS(IO_PIPE_CLOSED, cm_sealed_write_to(s, p[1]));
    close(p[1]);
    cm_sealed_free(s);
    close(fd);
}

/* ---- a model that changes ------------------------------------------------------------------ */

/* How it changes, once sealing has begun. */
static void grow(void)
{
    int fd = open(t_path(kit->dir, "m"), O_WRONLY | O_APPEND | O_CLOEXEC);

    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
}

static void shrink(void)
{
    assert_int_equal(truncate(t_path(kit->dir, "m"), 100000), 0);
}

static void overwrite(void)
{
    int fd = open(t_path(kit->dir, "m"), O_WRONLY | O_CLOEXEC);

    assert_int_equal(pwrite(fd, "x", 1, 5), 1);
    close(fd);
}

struct change {
    void (*how)(void);
    bool done;
};

static void change_once(void *arg, uint64_t done, uint64_t total)
{
    struct change *c = arg;

    (void)done;
    (void)total;
    if (!c->done)
        c->how();
    c->done = true;
}

static void changing_model(void **state)
{
    static void (*const how[])(void) = {grow, shrink, overwrite};
    const struct timespec tick = {0,
                                  20000000}; /* a file system's clock may stand still for 10 ms */

    (void)state;
    for (size_t i = 0; i < CM_COUNT(how); i++) {
        struct change c = {how[i], false};

        put_model("m", 1 << 20);
        t_put_file(t_path(kit->dir, "out"), CM_LIT("old file"));
        nanosleep(&tick, NULL);
        FAILS(SEALED_CHANGED, seal("m", "out", (cm_watch){.fn = change_once, .arg = &c}));
        assert_true(c.done && holds("out", "old file"));
        assert_false(t_exists(t_path(kit->dir, "out.part")));
        assert_false(t_exists(t_path(kit->dir, "out.part.journal")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_disk),
        cmocka_unit_test(read_only_folder),
        cmocka_unit_test(closed_pipe),
        cmocka_unit_test(changing_model),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
