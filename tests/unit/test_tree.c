/* The tree of runs against a plain list of nodes, over the sizes where its shape changes. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/os.h"
#include "crypt/merkle.h"
#include "kit.h"
#include "sealed/tree.h"

#define OK(x)       assert_string_equal(cm_err_name(x), "OK")
#define FAILS(r, x) assert_string_equal(cm_err_name(x), #r)

enum { SEG = CM_TREE_SEGMENT + CM_FLOE_OVERHEAD };

static t_kit *kit;
static const cm_key32 key = {{7}};

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

static void node_of(uint8_t node[32], uint64_t i)
{
    memset(node, 0xa5, 32);
    cm_put_be64(node, i * 0x9e3779b97f4a7c15u);
}

struct file {
    int fd;
    uint64_t n;
};

static cm_err sink(void *arg, cm_view v)
{
    struct file *f = arg;

    CM_TRY(cm_os_pwrite(f->fd, v.p, v.n, f->n));
    f->n += v.n;
    return CM_OKAY;
}

/* Write a tree of n nodes to a file; digest by the writer. */
static struct file write_tree(uint64_t n, uint8_t digest[32])
{
    struct file f = {.fd = open(t_path(kit->dir, "tree"), O_RDWR | O_CREAT | O_TRUNC, 0600)};
    uint8_t header[CM_FLOE_HEADER], node[32];
    cm_tree_writer w;
    cm_tree_shape shape;
    cm_floe floe;

    OK(cm_floe_seal_start(&floe, header, kit->crypt, &key, CM_LIT("tree"), SEG));
    OK(sink(&f, CM_VIEW(header)));
    OK(cm_tree_writer_init(&w, &floe, sink, &f));
    for (uint64_t i = 0; i < n; i++) {
        bool run;

        node_of(node, i);
        OK(cm_tree_writer_push(&w, node, &run));
        assert_int_equal(run, (i + 1) % CM_TREE_RUN == 0);
    }
    OK(cm_tree_writer_finish(&w, digest));
    cm_tree_writer_done(&w);
    cm_floe_done(&floe);
    OK(cm_tree_shape_of(&shape, n));
    assert_int_equal(cm_tree_sealed_size(&shape), f.n);
    return f;
}

static cm_err reader(cm_tree_reader **r, const struct file *f, uint64_t n, const uint8_t digest[32])
{
    return cm_tree_reader_new(r, kit->crypt, &key, CM_LIT("tree"), f->fd, 0, f->n, n, digest);
}

static void plain_root(uint8_t root[32], uint64_t n)
{
    uint8_t(*nodes)[32] = calloc(n + 1, 32);

    for (uint64_t i = 0; i < n; i++)
        node_of(nodes[i], i);
    cm_merkle_root(root, nodes, n);
    free(nodes);
}

static const uint64_t counts[] = {0,    1,    2,    1023, 1024,    1025,    2047,
                                  2048, 2049, 5000, 9999, 1048575, 1048576, 1048577};

static void test_against_list(void **state)
{
    (void)state;
    for (size_t k = 0; k < CM_COUNT(counts); k++) {
        uint64_t n = counts[k];
        uint8_t digest[32], want[32], node[32], got[32];
        struct file f = write_tree(n, digest);
        cm_tree_reader *r;

        plain_root(want, n);
        assert_memory_equal(digest, want, 32);
        OK(reader(&r, &f, n, digest));
        for (uint64_t i = 0; i<n; i += n> 10000 ? 4099 : 1) {
            node_of(node, i);
            OK(cm_tree_reader_node(r, got, i));
            assert_memory_equal(got, node, 32);
        }
        FAILS(BAD_ARGUMENT, cm_tree_reader_node(r, got, n));
        cm_tree_reader_free(r);
        FAILS(SEALED_TREE, reader(&r, &f, n + 1025, digest));
        digest[5] ^= 1;
        FAILS(SEALED_TREE, reader(&r, &f, n, digest)); /* S-10 */
        close(f.fd);
    }
}

/* A run that decrypts but is not the signed one: a recipient rewrote it. S-10 */
static void test_forged_run(void **state)
{
    uint8_t digest[32], header[CM_FLOE_HEADER], got[32], *seg = calloc(1, SEG);
    struct file f = write_tree(5000, digest);
    cm_floe_worker w = {0};
    cm_tree_reader *r;
    cm_floe floe;

    (void)state;
    OK(cm_os_pread_all(f.fd, header, sizeof header, 0));
    OK(cm_floe_open_start(&floe, header, kit->crypt, &key, CM_LIT("tree"), SEG));
    OK(cm_floe_seal(&floe, &w, seg, CM_TREE_SEGMENT, 2, false));
    OK(cm_os_pwrite(f.fd, seg, SEG, CM_FLOE_HEADER + 2 * SEG));
    OK(reader(&r, &f, 5000, digest));
    OK(cm_tree_reader_node(r, got, 0));
    FAILS(SEALED_TREE, cm_tree_reader_node(r, got, 2048));
    FAILS(SEALED_TREE, cm_tree_reader_node(r, got, 2049)); /* nothing of it was kept */
    OK(cm_tree_reader_node(r, got, 4999));
    cm_tree_reader_free(r);
    cm_floe_worker_done(&w);
    cm_floe_done(&floe);
    close(f.fd);
    free(seg);
}

/* S-16: a message that lost its last, empty segment. */
static void test_cut(void **state)
{
    uint8_t digest[32];
    struct file f = write_tree(1024, digest);
    cm_tree_reader *r;

    (void)state;
    f.n -= CM_FLOE_OVERHEAD;
    FAILS(SEALED_TREE, reader(&r, &f, 1024, digest));
    f.n += CM_FLOE_OVERHEAD;
    assert_int_equal(ftruncate(f.fd, (off_t)f.n - 1), 0);
    assert_true(cm_failed(reader(&r, &f, 1024, digest)));
    close(f.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_list),
        cmocka_unit_test(test_forged_run),
        cmocka_unit_test(test_cut),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
