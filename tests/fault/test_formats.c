/* Model files, indexes and folders while memory, reading and writing fail one call at a time. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fault.h"
#include "proc.h"
#include "sealed/index.h"
#include "tensors.h"

static char root[T_PATH];
static int root_fd;

static size_t make_safetensors(uint8_t *b)
{
    static const char header[] = "{\"__metadata__\":{\"k\":\"v\"},"
                                 "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]},"
                                 "\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}";

    cm_put_le64(b, sizeof header - 1);
    memcpy(b + 8, header, sizeof header - 1);
    memset(b + 8 + sizeof header - 1, 1, 3);
    return 8 + sizeof header - 1 + 3;
}

static int make_folder(void **state)
{
    uint8_t b[512];

    (void)state;
    t_mkdir(root);
    assert_int_equal(mkdir(t_path(root, "in"), 0755), 0);
    assert_int_equal(mkdir(t_path(root, "in/sub"), 0755), 0);
    t_put_file(t_path(root, "in/one.safetensors"), cm_view_of(b, make_safetensors(b)));
    t_put_file(t_path(root, "in/sub/two.safetensors"), cm_view_of(b, make_safetensors(b)));
    root_fd = open(t_path(root, "in"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(root_fd >= 0);
    return 0;
}

static int drop_folder(void **state)
{
    (void)state;
    close(root_fd);
    t_rmdir(root);
    return 0;
}

static void expect(cm_err e, cm_class cls)
{
    if (!fault_hit()) {
        if (cm_failed(e))
            print_error("%s\n", cm_err_name(e));
        assert_true(cm_ok(e));
    } else {
        assert_int_equal(cm_err_class(e), cls);
    }
}

static void parsing(void **state)
{
    uint8_t b[512];
    struct t_bytes bytes = {.v = cm_view_of(b, make_safetensors(b))};
    cm_source s = t_source(&bytes);

    (void)state;
    fault_begin(FAULT_ALLOC, ENOMEM);
    while (fault_next()) {
        cm_tensors t = {.n = 7};
        cm_err e = cm_safetensors_parse(&t, &s, 0, NULL);

        expect(e, CM_CLASS_EXHAUSTED);
        if (cm_failed(e))
            assert_int_equal(t.n, 7);
        else
            cm_tensors_free(&t);
    }
}

static void indexes(void **state)
{
    static const uint8_t nonce[32];
    char name[] = "m.gguf";
    cm_tensor v[] = {{.name = CM_LIT("a"), .dtype = "F32", .size = 4},
                     {.name = CM_LIT("b"), .dtype = "Q99", .offset = 4, .size = 4}};
    cm_index x = {.name = name, .tensors = {.v = v, .n = 2}};

    (void)state;
    fault_begin(FAULT_ALLOC, ENOMEM);
    while (fault_next()) {
        cm_buf b = {.max = 4096};
        cm_index y = {.tensors.n = 7};
        cm_err e = cm_index_encode(&b, &x, nonce);

        if (cm_failed(e))
            assert_int_equal(b.n, 0);
        else
            e = cm_index_decode(&y, cm_buf_view(&b), 8);
        expect(e, CM_CLASS_EXHAUSTED);
        if (cm_failed(e))
            assert_int_equal(y.tensors.n, 7);
        else
            cm_index_free(&y);
        cm_buf_free(&b);
    }
}

/* Everything that sealing does with a folder. */
static cm_err take_folder(size_t *tensors)
{
    CM_AUTO(cm_dir_free) cm_dir d = {0}, again = {0};
    CM_AUTO(cm_tensors_free) cm_tensors t = {0};
    cm_dir_source *s;
    cm_source plain;
    cm_err e;

    CM_TRY(cm_dir_scan(&d, root_fd, NULL));
    CM_TRY(cm_dir_source_new(&s, &plain, root_fd, &d));
    e = cm_dir_decode(&again, &plain);
    if (cm_ok(e))
        e = cm_dir_tensors(&t, &plain, &d);
    if (cm_ok(e))
        e = cm_dir_source_check(s);
    if (cm_ok(e))
        *tensors = t.n;
    cm_dir_source_free(s);
    return e;
}

static void folders(void **state)
{
    static const struct {
        enum fault_kind kind;
        int err;
        cm_class cls;
    } all[] = {
        {FAULT_ALLOC, ENOMEM, CM_CLASS_EXHAUSTED},
        {FAULT_READ, EIO, CM_CLASS_IO},
        {FAULT_READ, FAULT_SHORT, CM_CLASS_OK},
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(all); i++) {
        fault_begin(all[i].kind, all[i].err);
        while (fault_next()) {
            size_t tensors = 7;
            cm_err e = take_folder(&tensors);

            expect(e, all[i].cls);
            assert_int_equal(tensors, cm_ok(e) ? 4 : 7);
        }
    }
}

static void creating(void **state)
{
    cm_dir d = {0};

    (void)state;
    assert_true(cm_ok(cm_dir_scan(&d, root_fd, NULL)));
    fault_begin(FAULT_TRUNCATE, ENOSPC);
    while (fault_next()) {
        int out;

        fault_pause();
        assert_int_equal(mkdir(t_path(root, "out"), 0755), 0);
        out = open(t_path(root, "out"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(out >= 0);
        fault_resume();
        expect(cm_dir_create(out, &d), CM_CLASS_IO);
        fault_pause();
        close(out);
        cm_dir_remove(t_path(root, "out"));
        assert_int_equal(access(t_path(root, "out"), F_OK), -1);
        fault_resume();
    }
    cm_dir_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parsing),
        cmocka_unit_test(indexes),
        cmocka_unit_test_setup_teardown(folders, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(creating, make_folder, drop_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
