/*
 * Containers while one call of the machine after the other fails: the error says what failed, the
 * name holds what it held before or the whole result, and no .part stays behind. One thread, so
 * that the nth call is the same one in every run.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/os.h"
#include "fault.h"
#include "kit.h"

#define OK(x) assert_string_equal(cm_err_name(x), "OK")

enum { PLAIN = 150000 };

static t_kit *kit;
static uint8_t resume_key[32] = {5};
static cm_buf plain;

static int setup(void **state)
{
    (void)state;
    kit = t_kit_new();
    plain = t_bytes(PLAIN, 4);
    t_put_file(t_path(kit->dir, "model"), cm_buf_view(&plain));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cm_buf_free(&plain);
    t_kit_done(kit);
    return 0;
}

struct fault {
    enum fault_kind kind;
    int err;
    cm_class want;
};

static const struct fault faults[] = {
    {FAULT_ALLOC, ENOMEM, CM_CLASS_EXHAUSTED},
    {FAULT_PROVIDER, ENOMEM, CM_CLASS_EXHAUSTED},
    {FAULT_READ, EIO, CM_CLASS_IO},
    {FAULT_WRITE, ENOSPC, CM_CLASS_IO},
    {FAULT_WRITE, EIO, CM_CLASS_IO},
    {FAULT_SYNC, EIO, CM_CLASS_IO},
    {FAULT_SYNC, ENOSPC, CM_CLASS_IO},
    {FAULT_OPEN, EMFILE, CM_CLASS_IO},
    {FAULT_OPEN, EACCES, CM_CLASS_DENIED},
    {FAULT_RENAME, EACCES, CM_CLASS_DENIED},
    {FAULT_RENAME, EIO, CM_CLASS_IO},
    {FAULT_TRUNCATE, EIO, CM_CLASS_IO},
    {FAULT_THREAD, EAGAIN, CM_CLASS_EXHAUSTED},
    {FAULT_RANDOM, 0, CM_CLASS_INTERNAL},
    {FAULT_MAP, ENOMEM, CM_CLASS_EXHAUSTED},
    {FAULT_READ, EINTR, CM_CLASS_OK},
    {FAULT_WRITE, EINTR, CM_CLASS_OK},
    {FAULT_READ, FAULT_SHORT, CM_CLASS_OK},
    {FAULT_WRITE, FAULT_SHORT, CM_CLASS_OK},
};

static void assert_class(cm_err e, const struct fault *f)
{
    if (!fault_hit() || f->want == CM_CLASS_OK) {
        OK(e);
        return;
    }
    if (cm_ok(e)) /* the provider, and the arena's map, have other ways */
        assert_true(f->kind == FAULT_PROVIDER || f->kind == FAULT_MAP);
    else if (f->kind == FAULT_PROVIDER && cm_err_class(e) == CM_CLASS_INTERNAL)
        return; /* it does not always say what it lacked, nor does its generator */
    else if (cm_err_class(e) != f->want)
        fail_msg("kind %d: %s", (int)f->kind, cm_err_name(e));
    if (cm_failed(e) && f->err == ENOSPC)
        assert_string_equal(cm_err_name(e), "NO_SPACE");
}

static bool same(const char *path, cm_view v)
{
    cm_buf b = t_whole_file(path);
    bool is = cm_view_eq(cm_buf_view(&b), v);

    cm_buf_free(&b);
    return is;
}

static void assert_no_part(const char *name)
{
    char part[64];

    snprintf(part, sizeof part, "%s.part", name);
    assert_false(t_exists(t_path(kit->dir, part)));
    snprintf(part, sizeof part, "%s.part.journal", name);
    assert_false(t_exists(t_path(kit->dir, part)));
}

static void assert_opens(const char *name, const struct fault *f)
{
    cm_buf got = {0};
    cm_err e = t_open(kit, t_path(kit->dir, name), &got);

    if (cm_failed(e))
        fail_msg("after kind %d: %s", (int)f->kind, cm_err_name(e));
    assert_true(cm_view_eq(cm_buf_view(&got), cm_buf_view(&plain)));
    cm_buf_free(&got);
}

/* ---- sealing ------------------------------------------------------------------------------- */

static void seal_under(const struct fault *f, bool journal)
{
    cm_recipient to;
    cm_seal_options o = t_seal_options(kit, &to);
    const char *out = t_path(kit->dir, "out");

    o.replace = true;
    o.threads = 1;
    o.private_digest = o.sealed_root = true;
    o.resume_key = journal ? resume_key : NULL;
    fault_begin(f->kind, f->err);
    while (fault_next()) {
        cm_seal_result r = {.size = 7};
        cm_err e;

        fault_pause();
        out = t_path(kit->dir, "out");
        t_put_file(out, CM_LIT("old file"));
        fault_resume();
        e = cm_seal(&r, kit->crypt, &o, t_path(kit->dir, "model"), -1, out, -1);
        fault_pause();
        assert_class(e, f);
        assert_int_equal(r.size, cm_ok(e) ? PLAIN : 7);
        if (cm_ok(e) ||
            !same(out, CM_LIT("old file"))) /* the folder's own sync may be what failed */
            assert_opens("out", f);
        assert_no_part("out");
    }
}

static void sealing(void **state)
{
    (void)state;
    for (size_t i = 0; i < CM_COUNT(faults); i++) {
        seal_under(&faults[i], false);
        seal_under(&faults[i], true);
    }
}

/* ---- opening ------------------------------------------------------------------------------- */

static void put_sealed(const char *name, unsigned room)
{
    cm_recipient to;
    cm_seal_options o = t_seal_options(kit, &to);
    cm_seal_result r;

    o.replace = true;
    o.room = room;
    OK(cm_seal(&r, kit->crypt, &o, t_path(kit->dir, "model"), -1, t_path(kit->dir, name), -1));
}

static cm_open_options options(cm_opener *opener, const cm_sig_key *trusted[1])
{
    cm_open_options o = t_open_options(kit, opener, trusted);

    o.threads = 1;
    return o;
}

static void reading(void **state)
{
    cm_opener opener;
    const cm_sig_key *trusted[1];
    cm_open_options o = options(&opener, trusted);

    (void)state;
    put_sealed("in", 1);
    for (size_t i = 0; i < CM_COUNT(faults); i++) {
        fault_begin(faults[i].kind, faults[i].err);
        while (fault_next()) {
            cm_buf got = {0};
            cm_err e = t_open_with(kit, t_path(kit->dir, "in"), &o, &got);

            fault_pause();
            assert_class(e, &faults[i]);
            assert_int_equal(got.n, cm_ok(e) ? PLAIN : 0);
            if (cm_ok(e))
                assert_memory_equal(got.p, plain.p, PLAIN);
            cm_buf_free(&got);
        }
    }
}

/* One unlocked container, used again after each failure. */
static cm_sealed *unlocked(int *fd, const cm_open_options *o)
{
    cm_sealed *s = NULL;

    OK(cm_os_open_read(fd, t_path(kit->dir, "in")));
    OK(cm_sealed_load(&s, kit->crypt, *fd, o));
    OK(cm_sealed_unlock(s));
    return s;
}

static void extracting(void **state)
{
    cm_opener opener;
    const cm_sig_key *trusted[1];
    cm_open_options o = options(&opener, trusted);
    const char *out = t_path(kit->dir, "plain");
    int fd = -1;

    (void)state;
    put_sealed("in", 1);
    for (size_t i = 0; i < CM_COUNT(faults); i++) {
        fault_begin(faults[i].kind, faults[i].err);
        while (fault_next()) {
            uint64_t kept = 9;
            cm_sealed *s;
            cm_err e;

            fault_pause();
            s = unlocked(&fd, &o);
            out = t_path(kit->dir, "plain");
            t_put_file(out, CM_LIT("old file"));
            fault_resume();
            e = cm_sealed_extract(s, out, true, &kept);
            fault_pause();
            assert_class(e, &faults[i]);
            if (cm_failed(e))
                assert_true(kept == 9);
            if (cm_ok(e) || !same(out, CM_LIT("old file")))
                assert_true(same(out, cm_buf_view(&plain)));
            if (cm_failed(e)) { /* what was verified may stay for the next run */
                out = t_path(kit->dir, "plain");
                OK(cm_sealed_extract(s, out, true, NULL));
                assert_true(same(out, cm_buf_view(&plain)));
            }
            assert_no_part("plain");
            cm_sealed_free(s);
            cm_os_close_fd(&fd);
        }
    }
}

static void into_memory(void **state)
{
    cm_opener opener;
    const cm_sig_key *trusted[1];
    cm_open_options o = options(&opener, trusted);
    int fd = -1;

    (void)state;
    put_sealed("in", 1);
    for (size_t i = 0; i < CM_COUNT(faults); i++) {
        fault_begin(faults[i].kind, faults[i].err);
        while (fault_next()) {
            int m = -7;
            cm_sealed *s;
            cm_err e;

            fault_pause();
            s = unlocked(&fd, &o);
            fault_resume();
            e = cm_sealed_memfd(s, &m);
            fault_pause();
            if (faults[i].kind != FAULT_TRUNCATE) /* of memory: EXHAUSTED */
                assert_class(e, &faults[i]);
            assert_int_equal(m != -7, cm_ok(e));
            if (cm_ok(e))
                cm_os_close_fd(&m);
            cm_sealed_free(s);
            cm_os_close_fd(&fd);
        }
    }
}

/* ---- changing recipients: S-4 -------------------------------------------------------------- */

static bool opens_for(const cm_kem_key *key)
{
    cm_opener opener;
    const cm_sig_key *trusted[1];
    cm_open_options o = options(&opener, trusted);
    cm_buf b = {0};
    cm_err e;

    opener = cm_opener_kem(key);
    e = t_open_with(kit, t_path(kit->dir, "in"), &o, &b);
    assert_true(cm_ok(e) || cm_is(e, CM_ENVELOPE_NOT_FOR_US));
    cm_buf_free(&b);
    return cm_ok(e);
}

/* many: more than the slots hold, so that the container is copied. */
static void rewrap_under(const struct fault *f, size_t many)
{
    cm_opener opener;
    const cm_sig_key *trusted[1];
    cm_open_options o = options(&opener, trusted);
    cm_recipient add[12];

    for (size_t i = 0; i < CM_COUNT(add); i++)
        add[i] = cm_recipient_kem(kit->other);
    fault_begin(f->kind, f->err);
    while (fault_next()) {
        cm_rewrap w = {.add = add, .add_n = many};
        cm_err e;
        bool old, new;

        fault_pause();
        put_sealed("in", 1);
        fault_resume();
        e = cm_sealed_rewrap(kit->crypt, t_path(kit->dir, "in"), &o, &w);
        fault_pause();
        assert_class(e, f);
        old = opens_for(kit->xwing);
        new = opens_for(kit->other);
        assert_true(old != new); /* one of them, never nobody */
        if (cm_ok(e))
            assert_true(new);
        assert_no_part("in");
    }
}

static void rewrapping(void **state)
{
    (void)state;
    for (size_t i = 0; i < CM_COUNT(faults); i++) {
        rewrap_under(&faults[i], 1);
        rewrap_under(&faults[i], 12);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealing),     cmocka_unit_test(reading),    cmocka_unit_test(extracting),
        cmocka_unit_test(into_memory), cmocka_unit_test(rewrapping),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
