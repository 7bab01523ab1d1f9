/* GGUF headers: every kind of metadata, every type of tensor, and what can be wrong with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "sealed/format.h"
#include "tensors.h"

enum { FILE_MAX = 65536 };
enum { U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 };

struct file {
    uint8_t b[FILE_MAX];
    size_t n;
};

static void put(struct file *f, const void *p, size_t n)
{
    assert_true(f->n + n <= FILE_MAX);
    memcpy(f->b + f->n, p, n);
    f->n += n;
}

static void put32(struct file *f, uint32_t v)
{
    put(f, &v, sizeof v);
}

static void put64(struct file *f, uint64_t v)
{
    put(f, &v, sizeof v);
}

static void put_text(struct file *f, const char *s)
{
    put64(f, strlen(s));
    put(f, s, strlen(s));
}

static void put_key(struct file *f, const char *key, uint32_t type)
{
    put_text(f, key);
    put32(f, type);
}

static void head(struct file *f, uint32_t version, uint64_t tensors, uint64_t pairs)
{
    f->n = 0;
    put(f, "GGUF", 4);
    put32(f, version);
    put64(f, tensors);
    put64(f, pairs);
}

static void put_tensor(struct file *f, const char *name, uint32_t dims, const uint64_t *shape,
                       uint32_t type, uint64_t offset)
{
    put_text(f, name);
    put32(f, dims);
    for (uint32_t i = 0; i < dims; i++)
        put64(f, shape[i]);
    put32(f, type);
    put64(f, offset);
}

static void align(struct file *f, size_t to)
{
    while (f->n % to)
        put(f, "", 1);
}

static void put_data(struct file *f, size_t n)
{
    assert_true(f->n + n <= FILE_MAX);
    memset(f->b + f->n, 0xee, n);
    f->n += n;
}

static cm_err parse(cm_tensors *t, const struct file *f, uint64_t base, uint64_t *at)
{
    struct t_bytes b = {.v = cm_view_of(f->b, f->n)};
    cm_source s = t_source(&b);

    return cm_gguf_parse(t, &s, base, at);
}

/* One U8 vector of 8 bytes behind one pair of metadata. */
static void one(struct file *f)
{
    uint64_t eight = 8;

    head(f, 3, 1, 1);
    put_key(f, "general.name", STRING);
    put_text(f, "x");
    put_tensor(f, "t", 1, &eight, 24, 0);
    align(f, 32);
    put_data(f, 8);
}

static void put_all_kinds(struct file *f)
{
    static const unsigned sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    char key[16];

    for (uint32_t type = U8; type <= F64; type++) {
        if (type == STRING || type == ARRAY)
            continue;
        snprintf(key, sizeof key, "scalar.%u", type);
        put_key(f, key, type);
        put_data(f, sizes[type]);
        snprintf(key, sizeof key, "array.%u", type);
        put_key(f, key, ARRAY);
        put32(f, type);
        put64(f, 5);
        put_data(f, 5u * sizes[type]);
    }
    put_key(f, "text", STRING);
    put_text(f, "llama");
    put_key(f, "texts", ARRAY);
    put32(f, STRING);
    put64(f, 3);
    put_text(f, "a");
    put_text(f, "");
    put_text(f, "ccc");
    put_key(f, "nested", ARRAY);
    put32(f, ARRAY);
    put64(f, 2);
    for (uint32_t i = 0; i < 2; i++) {
        put32(f, U16);
        put64(f, i);
        put_data(f, 2u * i);
    }
}

static void steps_over_every_kind_of_metadata(void **state)
{
    uint64_t shape[] = {256, 3};

    (void)state;
    for (uint32_t version = 2; version <= 3; version++) {
        cm_tensors t = {0};
        struct file f;
        size_t start;

        head(&f, version, 2, 11 * 2 + 3 + 1);
        put_all_kinds(&f);
        put_key(&f, "general.alignment", U32);
        put32(&f, 64);
        put_tensor(&f, "blk.0.w", 2, shape, 12, 0);
        put_tensor(&f, "scalar", 0, NULL, 0, 448);
        align(&f, 64);
        start = f.n;
        put_data(&f, 452);
        assert_true(cm_ok(parse(&t, &f, 500, NULL)));
        assert_int_equal(t.n, 2);
        assert_string_equal(t.v[0].dtype, "Q4_K");
        assert_int_equal(t.v[0].shape[0], 256);
        assert_int_equal(t.v[0].shape[1], 3);
        assert_int_equal(t.v[0].offset, 500 + start);
        assert_int_equal(t.v[0].size, 3 * 144);
        assert_int_equal(t.v[1].offset, 500 + start + 448);
        assert_int_equal(t.v[1].size, 4);
        assert_int_equal(t.v[1].dims, 0);
        t_check_tensors(&t, 500, f.n);
        cm_tensors_free(&t);
    }
}

/* Number, elements and bytes of a block: as ggml's own headers define the blocks. */
static const struct {
    uint32_t id, block, bytes;
    const char *name;
} types[] = {
    {0, 1, 4, "F32"},
    {1, 1, 2, "F16"},
    {2, 32, 2 + 16, "Q4_0"},
    {3, 32, 4 + 16, "Q4_1"},
    {6, 32, 2 + 20, "Q5_0"},
    {7, 32, 4 + 20, "Q5_1"},
    {8, 32, 2 + 32, "Q8_0"},
    {9, 32, 4 + 32, "Q8_1"},
    {10, 256, 4 + 16 + 64, "Q2_K"},
    {11, 256, 2 + 64 + 32 + 12, "Q3_K"},
    {12, 256, 4 + 12 + 128, "Q4_K"},
    {13, 256, 4 + 12 + 32 + 128, "Q5_K"},
    {14, 256, 2 + 16 + 192, "Q6_K"},
    {15, 256, 4 + 256 + 32, "Q8_K"},
    {16, 256, 2 + 64, "IQ2_XXS"},
    {17, 256, 2 + 64 + 8, "IQ2_XS"},
    {18, 256, 2 + 96, "IQ3_XXS"},
    {19, 256, 2 + 32 + 16, "IQ1_S"},
    {20, 32, 2 + 16, "IQ4_NL"},
    {21, 256, 2 + 104 + 4, "IQ3_S"},
    {22, 256, 2 + 64 + 16, "IQ2_S"},
    {23, 256, 4 + 4 + 128, "IQ4_XS"},
    {24, 1, 1, "I8"},
    {25, 1, 2, "I16"},
    {26, 1, 4, "I32"},
    {27, 1, 8, "I64"},
    {28, 1, 8, "F64"},
    {29, 256, 32 + 16 + 8, "IQ1_M"},
    {30, 1, 2, "BF16"},
    {34, 256, 48 + 4 + 2, "TQ1_0"},
    {35, 256, 64 + 2, "TQ2_0"},
    {39, 32, 1 + 16, "MXFP4"},
    {40, 64, 4 + 32, "NVFP4"},
    {41, 128, 2 + 16, "Q1_0"},
    {42, 64, 2 + 16, "Q2_0"},
};

static cm_err one_of(cm_tensors *t, uint32_t id, uint64_t row, uint64_t rows, size_t data)
{
    uint64_t shape[] = {row, rows};
    struct file f;

    head(&f, 3, 1, 0);
    put_tensor(&f, "t", 2, shape, id, 0);
    align(&f, 32);
    put_data(&f, data);
    return parse(t, &f, 0, NULL);
}

static void knows_every_type(void **state)
{
    size_t seen = 0;

    (void)state;
    for (size_t i = 0; i < CM_COUNT(types); i++) {
        uint64_t row = 3u * types[i].block, size = 2u * 3 * types[i].bytes;
        cm_tensors t = {0};

        assert_true(cm_ok(one_of(&t, types[i].id, row, 2, size)));
        assert_string_equal(t.v[0].dtype, types[i].name);
        assert_int_equal(t.v[0].size, size);
        cm_tensors_free(&t);
        assert_true(cm_is(one_of(&t, types[i].id, row, 2, size - 1), CM_FORMAT_TRUNCATED));
        if (types[i].block > 1)
            assert_true(cm_is(one_of(&t, types[i].id, row + 1, 2, size), CM_FORMAT_TENSOR));
    }
    for (uint32_t id = 0; id < 1000; id++) {
        cm_tensors t = {0};
        cm_err e = one_of(&t, id, 768, 2, 16384);

        seen += cm_ok(e);
        assert_true(cm_ok(e) || cm_is(e, CM_FORMAT_TYPE));
        cm_tensors_free(&t);
    }
    assert_int_equal(seen, CM_COUNT(types));
}

static void other_versions_are_unsupported(void **state)
{
    static const struct {
        uint32_t version;
        cm_reason want;
    } all[] = {
        {0, CM_FORMAT_VERSION},
        {1, CM_FORMAT_VERSION},
        {4, CM_FORMAT_VERSION},
        {0x03000000, CM_FORMAT_BIG_ENDIAN},
        {0x02000000, CM_FORMAT_BIG_ENDIAN},
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(all); i++) {
        cm_tensors t = {.n = 77};
        struct file f;
        cm_err e;

        one(&f);
        memcpy(f.b + 4, &all[i].version, 4);
        e = parse(&t, &f, 0, NULL);
        assert_int_equal(e.v, all[i].want);
        assert_int_equal(cm_err_class(e), CM_CLASS_UNSUPPORTED);
        assert_int_equal(t.n, 77);
    }
}

static void expect_one(struct file *f, cm_reason want)
{
    cm_tensors t = {.n = 77};
    uint64_t at = UINT64_MAX;
    cm_err e = parse(&t, f, 0, &at);

    if (e.v != (uint32_t)want)
        print_error("%s\n", cm_err_name(e));
    assert_int_equal(e.v, want);
    assert_int_equal(t.n, 77);
    assert_true(at <= f->n);
}

static void metadata_with(struct file *f, uint32_t type)
{
    head(f, 3, 0, 1);
    put_key(f, "k", type);
}

static void refuses_bad_metadata(void **state)
{
    struct file f;

    (void)state;
    metadata_with(&f, 13);
    put64(&f, 0);
    expect_one(&f, CM_FORMAT_MALFORMED);
    metadata_with(&f, STRING);
    put64(&f, UINT64_MAX);
    expect_one(&f, CM_FORMAT_TRUNCATED);
    metadata_with(&f, ARRAY);
    put32(&f, 13);
    put64(&f, 0);
    expect_one(&f, CM_FORMAT_MALFORMED);
    metadata_with(&f, ARRAY);
    put32(&f, U64);
    put64(&f, UINT64_C(1) << 61); /* times 8 wraps to 0 */
    expect_one(&f, CM_FORMAT_MALFORMED);
    metadata_with(&f, ARRAY);
    put32(&f, U8);
    put64(&f, UINT64_C(1) << 63);
    expect_one(&f, CM_FORMAT_TRUNCATED);
    metadata_with(&f, ARRAY);
    for (int i = 0; i < 8; i++) {
        put32(&f, ARRAY);
        put64(&f, 1);
    }
    put_data(&f, 64);
    expect_one(&f, CM_FORMAT_LIMIT);
    head(&f, 3, 0, 2);
    for (int i = 0; i < 2; i++) {
        put_key(&f, "k", U8);
        put(&f, "", 1);
    }
    expect_one(&f, CM_FORMAT_DUPLICATE);
    head(&f, 3, 0, 1);
    put_key(&f, "", U8);
    put(&f, "", 1);
    expect_one(&f, CM_FORMAT_MALFORMED);
    head(&f, 3, 0, 1);
    put_key(&f, "\xff", U8);
    put(&f, "", 1);
    expect_one(&f, CM_FORMAT_MALFORMED);
}

static void refuses_bad_alignment(void **state)
{
    static const uint32_t bad[] = {0, 3, 33, UINT32_MAX};
    struct file f;

    (void)state;
    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        head(&f, 3, 0, 1);
        put_key(&f, "general.alignment", U32);
        put32(&f, bad[i]);
        expect_one(&f, CM_FORMAT_MALFORMED);
    }
    head(&f, 3, 0, 1);
    put_key(&f, "general.alignment", U64);
    put64(&f, 32);
    expect_one(&f, CM_FORMAT_MALFORMED);
}

/* Two vectors of bytes at two offsets. */
static void two(struct file *f, const char *a, const char *b, uint64_t na, uint64_t nb, uint64_t oa,
                uint64_t ob)
{
    head(f, 3, 2, 0);
    put_tensor(f, a, 1, &na, 24, oa);
    put_tensor(f, b, 1, &nb, 24, ob);
    align(f, 32);
    put_data(f, 128);
}

static void refuses_tensors_out_of_place(void **state)
{
    struct file f;

    (void)state;
    two(&f, "a", "b", 64, 64, 0, 32);
    expect_one(&f, CM_FORMAT_TENSOR);
    two(&f, "a", "b", 32, 32, 0, 33);
    expect_one(&f, CM_FORMAT_TENSOR);
    two(&f, "a", "b", 64, 65, 0, 64);
    expect_one(&f, CM_FORMAT_TRUNCATED);
    two(&f, "a", "b", 64, 64, 0, UINT64_C(1) << 63);
    expect_one(&f, CM_FORMAT_TRUNCATED);
    two(&f, "a", "b", 64, 1, 0, UINT64_MAX - 31);
    expect_one(&f, CM_FORMAT_TRUNCATED);
    two(&f, "a", "b", 64, UINT64_C(1) << 63, 0, 64);
    expect_one(&f, CM_FORMAT_TENSOR);
    two(&f, "a", "b", 64, INT64_MAX, 0, 64);
    expect_one(&f, CM_FORMAT_TRUNCATED);
    two(&f, "a", "a", 64, 64, 0, 64);
    expect_one(&f, CM_FORMAT_DUPLICATE);
}

static void refuses_absurd_counts(void **state)
{
    static const uint64_t counts[] = {
        2, 1000, CM_TENSORS_MAX, CM_TENSORS_MAX + 1, UINT64_C(1) << 63, UINT64_MAX,
    };
    uint64_t dims[5] = {1, 1, 1, 1, 1};
    struct file f;

    (void)state;
    for (size_t i = 0; i < CM_COUNT(counts); i++) {
        cm_tensors t = {0};

        one(&f);
        memcpy(f.b + 8, &counts[i], 8);
        assert_true(cm_failed(parse(&t, &f, 0, NULL)));
        one(&f);
        memcpy(f.b + 16, &counts[i], 8);
        assert_true(cm_failed(parse(&t, &f, 0, NULL)));
    }
    head(&f, 3, 1, 0);
    put_tensor(&f, "t", 5, dims, 24, 0);
    put_data(&f, 64);
    expect_one(&f, CM_FORMAT_MALFORMED);
    head(&f, 3, 1, 0);
    dims[0] = dims[1] = UINT64_C(1) << 32;
    put_tensor(&f, "t", 2, dims, 24, 0);
    put_data(&f, 64);
    expect_one(&f, CM_FORMAT_TENSOR);
}

static void every_truncation_and_every_changed_byte(void **state)
{
    struct file f;

    (void)state;
    one(&f);
    for (size_t n = 0; n < f.n; n++) {
        struct file g = f;

        g.n = n;
        expect_one(&g, CM_FORMAT_TRUNCATED);
    }
    for (size_t i = 0; i < f.n; i++) {
        for (unsigned x = 1; x < 256; x++) {
            struct file g = f;
            cm_tensors t = {0};

            g.b[i] ^= (uint8_t)x;
            if (cm_ok(parse(&t, &g, 7, NULL)))
                t_check_tensors(&t, 7, g.n);
            cm_tensors_free(&t);
        }
    }
}

static void never_reads_weights(void **state)
{
    uint64_t shape = 1 << 20;
    struct t_bytes b;
    cm_tensors t = {0};
    struct file f;
    cm_source s;

    (void)state;
    head(&f, 3, 1, 1);
    put_key(&f, "pad", ARRAY);
    put32(&f, U8);
    put64(&f, 40000);
    put_data(&f, 40000);
    put_tensor(&f, "t", 1, &shape, 24, 0);
    align(&f, 32);
    b = (struct t_bytes){.v = cm_view_of(f.b, f.n), .size = f.n + shape};
    s = t_source(&b);
    assert_true(cm_ok(cm_gguf_parse(&t, &s, 0, NULL)));
    assert_true(b.highest <= f.n);
    cm_tensors_free(&t);
}

/* Slow machines and sanitizers get ten times what a quiet machine needs. */
static void a_million_tensors(void **state)
{
    size_t n = CM_TENSORS_MAX, cap = 64 * n, used = 24;
    uint8_t *p = calloc(1, cap);
    cm_tensors t = {0};
    struct t_bytes b;
    clock_t start;
    cm_source s;

    (void)state;
    assert_non_null(p);
    memcpy(p, "GGUF\3\0\0\0", 8);
    cm_put_le64(p + 8, n);
    for (size_t i = 0; i < n; i++) {
        int len = snprintf((char *)p + used + 8, 24, "blk.%zu.w", i * 7919 % n);

        cm_put_le64(p + used, (uint64_t)len);
        used += 8 + (size_t)len;
        cm_put_le64(p + used, 1);
        p[used += 4] = 32;
        used += 8;
        p[used] = 24;
        used += 4;
        cm_put_le64(p + used, 32 * (n - 1 - i));
        used += 8;
    }
    b = (struct t_bytes){.v = cm_view_of(p, used), .size = used + 32 + 32 * n};
    s = t_source(&b);
    start = clock();
    assert_true(cm_ok(cm_gguf_parse(&t, &s, 0, NULL)));
    print_message("%zu tensors, %zu bytes: %.2f s\n", n, used,
                  (double)(clock() - start) / CLOCKS_PER_SEC);
    assert_true(clock() - start < 20 * CLOCKS_PER_SEC);
    assert_ptr_equal(cm_tensors_find(&t, CM_LIT("blk.7919.w")), &t.v[n - 2]);
    cm_tensors_free(&t);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_over_every_kind_of_metadata),
        cmocka_unit_test(knows_every_type),
        cmocka_unit_test(other_versions_are_unsupported),
        cmocka_unit_test(refuses_bad_metadata),
        cmocka_unit_test(refuses_bad_alignment),
        cmocka_unit_test(refuses_tensors_out_of_place),
        cmocka_unit_test(refuses_absurd_counts),
        cmocka_unit_test(every_truncation_and_every_changed_byte),
        cmocka_unit_test(never_reads_weights),
        cmocka_unit_test(a_million_tensors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
