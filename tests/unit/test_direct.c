/* Output past the page cache holds what plain writes would have left, ends of pieces included. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/direct.h"
#include "base/os.h"
#include "kit.h"

#define OK(x)       assert_string_equal(cm_err_name(x), "OK")
#define FAILS(r, x) assert_string_equal(cm_err_name(x), #r)

enum { SIZE = 33 << 20, PIECE = (1 << 20) + 32, START = 4096 + 74 };

static int scratch(char path[T_PATH + 16], const char *dir)
{
    int n = snprintf(path, T_PATH + 16, "%s/out", dir);

    assert_true(n > 0);
    n = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(n >= 0);
    return n;
}

/* shift 0: the piece lies in memory as it will in its file; else next to that. */
static void put_pieces(const cm_direct *d, const cm_buf *want, size_t shift)
{
    uint8_t *mem = aligned_alloc(CM_DIRECT_ALIGN, PIECE / 4096 * 4096 + 3 * CM_DIRECT_ALIGN);

    assert_non_null(mem);
    for (size_t at = START; at < want->n; at += PIECE) {
        size_t n = CM_MIN((size_t)PIECE, want->n - at);
        uint8_t *p = mem + (at + shift) % CM_DIRECT_ALIGN;

        memcpy(p, want->p + at, n);
        OK(cm_direct_write(d, p, n, at));
    }
    free(mem);
}

static void check(size_t shift)
{
    char dir[T_PATH], path[T_PATH + 16];
    cm_buf want = t_bytes(SIZE - 5, 1), got;
    cm_direct d;
    int fd;

    t_mkdir(dir);
    fd = scratch(path, dir);
    cm_direct_start(&d, fd, SIZE);
    if (d.direct < 0)
        print_message("SKIP: direct writes are not for this file system\n");
    OK(cm_os_pwrite(fd, want.p, START, 0));
    put_pieces(&d, &want, shift);
    cm_direct_done(&d);
    assert_int_equal(ftruncate(fd, (off_t)want.n), 0);
    got = t_whole_file(path);
    assert_int_equal(got.n, want.n);
    assert_memory_equal(got.p, want.p, want.n);
    close(fd);
    cm_buf_free(&got);
    cm_buf_free(&want);
    t_rmdir(dir);
}

static void test_pieces(void **state)
{
    (void)state;
    check(0);
}

static void test_misplaced(void **state)
{
    (void)state;
    check(16);
}

/* A block that can't be written is reported, and small output is left to the page cache. */
static void test_refusals(void **state)
{
    char dir[T_PATH], path[T_PATH + 16];
    uint8_t *mem = aligned_alloc(CM_DIRECT_ALIGN, 2 * CM_DIRECT_ALIGN);
    cm_direct d;
    int fd, full = open("/dev/full", O_WRONLY | O_CLOEXEC);

    (void)state;
    t_mkdir(dir);
    fd = scratch(path, dir);
    assert_non_null(mem);
    memset(mem, 1, 2 * CM_DIRECT_ALIGN);
    cm_direct_start(&d, fd, 1 << 20);
    assert_int_equal(d.direct, -1);
    assert_int_equal(lseek(fd, 0, SEEK_END), 0);
    d = (cm_direct){.fd = full, .direct = full};
    FAILS(NO_SPACE, cm_direct_write(&d, mem, 2 * CM_DIRECT_ALIGN, 0));
    close(full);
    close(fd);
    free(mem);
    t_rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_misplaced),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
