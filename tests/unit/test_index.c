/* The index record: what goes in comes out, and nothing that leads outside the model gets in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "codec/cbor.h"
#include "sealed/index.h"
#include "tensors.h"

static const uint8_t nonce[32] = {1, 2, 3};

enum { MODEL = 1000 };

static void free_buf(cm_buf *b)
{
    cm_buf_free(b);
}

/* An index as another writer would make it. */
struct want {
    unsigned version, nonce_n;
    const char *file; /* NULL: none */
    const char *name, *dtype;
    unsigned dims, fields;
    uint64_t offset, size;
    unsigned tensors;
};

static const struct want fine = {
    .version = 1,
    .nonce_n = 32,
    .file = "m.gguf",
    .name = "a",
    .dtype = "F32",
    .dims = 1,
    .fields = 5,
    .offset = 16,
    .size = 4,
    .tensors = 1,
};

static void put_one(cm_buf *b, const struct want *w)
{
    assert_true(cm_ok(cm_cbor_put_array(b, w->fields)));
    assert_true(cm_ok(cm_cbor_put_text(b, cm_view_str(w->name))));
    assert_true(cm_ok(cm_cbor_put_text(b, cm_view_str(w->dtype))));
    assert_true(cm_ok(cm_cbor_put_array(b, w->dims)));
    for (unsigned i = 0; i < w->dims; i++)
        assert_true(cm_ok(cm_cbor_put_uint(b, 1)));
    assert_true(cm_ok(cm_cbor_put_uint(b, w->offset)));
    for (unsigned i = 4; i < w->fields; i++)
        assert_true(cm_ok(cm_cbor_put_uint(b, w->size)));
}

static cm_buf build(const struct want *w)
{
    cm_buf b = {.max = 1 << 16};
    uint8_t zeros[64] = {0};

    assert_true(cm_ok(cm_cbor_put_map(&b, w->file ? 4 : 3)));
    assert_true(cm_ok(cm_cbor_put_uint(&b, 1)));
    assert_true(cm_ok(cm_cbor_put_uint(&b, w->version)));
    assert_true(cm_ok(cm_cbor_put_uint(&b, 2)));
    assert_true(cm_ok(cm_cbor_put_bytes(&b, cm_view_of(zeros, w->nonce_n))));
    if (w->file) {
        assert_true(cm_ok(cm_cbor_put_uint(&b, 3)));
        assert_true(cm_ok(cm_cbor_put_text(&b, cm_view_str(w->file))));
    }
    assert_true(cm_ok(cm_cbor_put_uint(&b, 4)));
    assert_true(cm_ok(cm_cbor_put_array(&b, w->tensors)));
    for (unsigned i = 0; i < w->tensors; i++)
        put_one(&b, w);
    return b;
}

static void reads_what_others_write(void **state)
{
    __attribute__((cleanup(free_buf))) cm_buf b = build(&fine);
    cm_index x = {0};

    (void)state;
    assert_true(cm_ok(cm_index_decode(&x, cm_buf_view(&b), MODEL)));
    assert_string_equal(x.name, "m.gguf");
    assert_int_equal(x.tensors.n, 1);
    assert_string_equal(x.tensors.v[0].dtype, "F32");
    assert_int_equal(x.tensors.v[0].offset, 16);
    assert_int_equal(x.tensors.v[0].size, 4);
    cm_index_free(&x);
    cm_index_free(&x);
}

static void a_dtype_of_the_future_is_kept(void **state)
{
    struct want w = fine;
    cm_index x = {0};

    (void)state;
    w.dtype = "Q17_XXL";
    w.file = NULL;
    __attribute__((cleanup(free_buf))) cm_buf b = build(&w);
    assert_true(cm_ok(cm_index_decode(&x, cm_buf_view(&b), MODEL)));
    assert_null(x.name);
    assert_string_equal(x.tensors.v[0].dtype, "Q17_XXL");
    cm_index_free(&x);
}

static void refuse(struct want w)
{
    __attribute__((cleanup(free_buf))) cm_buf b = build(&w);
    cm_index x = {.tensors.n = 77};

    assert_true(cm_is(cm_index_decode(&x, cm_buf_view(&b), MODEL), CM_SEALED_INDEX));
    assert_int_equal(x.tensors.n, 77);
}

#define REFUSE(member, value)  \
    do {                       \
        struct want w_ = fine; \
        w_.member = (value);   \
        refuse(w_);            \
    } while (0)

/* S-11 */
static void refuses_what_leads_outside(void **state)
{
    (void)state;
    REFUSE(offset, MODEL + 1);
    REFUSE(offset, MODEL - 3);
    REFUSE(offset, UINT64_MAX);
    REFUSE(offset, UINT64_C(1) << 63);
    REFUSE(size, MODEL - 15);
    REFUSE(size, UINT64_MAX);
    REFUSE(size, UINT64_MAX - 15);
}

static void refuses_other_forms(void **state)
{
    char name[CM_INDEX_TENSOR_NAME_MAX + 2];

    (void)state;
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = 0;
    REFUSE(version, 0);
    REFUSE(version, 2);
    REFUSE(nonce_n, 31);
    REFUSE(nonce_n, 33);
    REFUSE(dims, CM_TENSOR_DIMS + 1);
    REFUSE(fields, 4);
    REFUSE(fields, 6);
    REFUSE(name, name);
    REFUSE(dtype, "");
    REFUSE(dtype, "F 32");
    REFUSE(dtype, "F\n");
    REFUSE(dtype, "F\xc3\xa9");
    REFUSE(dtype, "0123456789012345678901234567890123");
    REFUSE(tensors, 2); /* the same name, and the same bytes */
    REFUSE(file, "");
    REFUSE(file, "..");
    REFUSE(file, ".");
    REFUSE(file, "/etc/passwd");
    REFUSE(file, "a/b");
    REFUSE(file, "a\nb");
}

/* Another writer's two tensors, the second one before the first in the model. */
static void refuses_other_orders(void **state)
{
    struct want later = fine, first = fine;
    cm_index x = {0};

    (void)state;
    later.tensors = 2;
    later.file = NULL;
    first.name = "b";
    first.offset = 0;
    for (int swapped = 0; swapped < 2; swapped++) {
        __attribute__((cleanup(free_buf))) cm_buf b = {.max = 1 << 16};
        __attribute__((cleanup(free_buf))) cm_buf one = build(&later);
        size_t head = 2 + 3 + 33 + 2;

        assert_true(cm_ok(cm_buf_append(&b, cm_view_of(one.p, head))));
        put_one(&b, swapped ? &later : &first);
        put_one(&b, swapped ? &first : &later);
        if (swapped)
            assert_true(cm_is(cm_index_decode(&x, cm_buf_view(&b), MODEL), CM_SEALED_INDEX));
        else
            assert_true(cm_ok(cm_index_decode(&x, cm_buf_view(&b), MODEL)));
        cm_index_free(&x);
    }
}

static void fill(cm_index *x, char names[][32], cm_tensor *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        snprintf(names[i], 32, "model.layers.%zu.w", i);
        v[i] = (cm_tensor){.name = cm_view_str(names[i]),
                           .dtype = "BF16",
                           .dims = 2,
                           .shape = {4, 2},
                           .offset = 8 + 16 * i,
                           .size = 16};
    }
    x->tensors = (cm_tensors){.v = v, .n = n};
}

static void round_trip(void **state)
{
    char names[40][32], file[] = "weights.safetensors";
    cm_tensor v[40];
    cm_index x = {.name = file}, y = {0};
    cm_buf b = {.max = 1 << 16}, again = {.max = 1 << 16};

    (void)state;
    fill(&x, names, v, CM_COUNT(v));
    assert_true(cm_ok(cm_index_encode(&b, &x, nonce)));
    assert_true(cm_ok(cm_index_decode(&y, cm_buf_view(&b), MODEL)));
    assert_string_equal(y.name, file);
    assert_int_equal(y.tensors.n, CM_COUNT(v));
    t_check_tensors(&y.tensors, 0, MODEL);
    for (size_t i = 0; i < CM_COUNT(v); i++) {
        const cm_tensor *t = cm_tensors_find(&y.tensors, v[i].name);

        assert_non_null(t);
        assert_int_equal(t->offset, v[i].offset);
        assert_int_equal(t->size, v[i].size);
        assert_int_equal(t->shape[1], 2);
    }
    assert_true(cm_ok(cm_index_encode(&again, &y, nonce)));
    assert_true(cm_view_eq(cm_buf_view(&b), cm_buf_view(&again)));
    cm_buf_free(&again);
    cm_buf_free(&b);
    cm_index_free(&y);
}

static void writes_nothing_it_would_not_read(void **state)
{
    char names[2][32], file[] = "../../etc/passwd";
    cm_tensor v[2];
    cm_index x = {.name = file}, y = {0};
    cm_buf b = {.max = 1 << 16}, small = {.max = 40};

    (void)state;
    fill(&x, names, v, 2);
    assert_true(cm_ok(cm_index_encode(&b, &x, nonce)));
    assert_true(cm_ok(cm_index_decode(&y, cm_buf_view(&b), MODEL)));
    assert_null(y.name);
    cm_index_free(&y);
    b.n = 3;
    v[0].offset = 100;
    assert_true(cm_is(cm_index_encode(&b, &x, nonce), CM_BAD_ARGUMENT));
    v[0].offset = 8;
    v[1].dims = 9;
    assert_true(cm_is(cm_index_encode(&b, &x, nonce), CM_BAD_ARGUMENT));
    v[1].dims = 2;
    v[1].dtype = "";
    assert_true(cm_is(cm_index_encode(&b, &x, nonce), CM_BAD_ARGUMENT));
    v[1].dtype = "F32";
    v[1].name = CM_LIT("\xff");
    assert_true(cm_is(cm_index_encode(&b, &x, nonce), CM_BAD_ARGUMENT));
    assert_int_equal(b.n, 3);
    v[1].name = CM_LIT("b");
    assert_true(cm_is(cm_index_encode(&small, &x, nonce), CM_TOO_BIG));
    assert_int_equal(small.n, 0);
    cm_buf_free(&small);
    cm_buf_free(&b);
}

static void every_truncation_and_every_changed_byte(void **state)
{
    struct want w = fine;
    cm_index x = {0};

    (void)state;
    w.dims = 2;
    __attribute__((cleanup(free_buf))) cm_buf b = build(&w);
    for (size_t n = 0; n < b.n; n++)
        assert_true(cm_is(cm_index_decode(&x, cm_view_of(b.p, n), MODEL), CM_SEALED_INDEX));
    for (size_t i = 0; i < b.n; i++) {
        for (unsigned m = 1; m < 256; m++) {
            b.p[i] ^= (uint8_t)m;
            x = (cm_index){0};
            if (cm_ok(cm_index_decode(&x, cm_buf_view(&b), MODEL)))
                t_check_tensors(&x.tensors, 0, MODEL);
            cm_index_free(&x);
            b.p[i] ^= (uint8_t)m;
        }
    }
    assert_true(cm_ok(cm_buf_byte(&b, 0)));
    assert_true(cm_is(cm_index_decode(&x, cm_buf_view(&b), MODEL), CM_SEALED_INDEX));
}

/* Slow machines and sanitizers get ten times what a quiet machine needs. */
static void a_million_tensors(void **state)
{
    size_t n = CM_TENSORS_MAX;
    cm_tensor *v = calloc(n, sizeof *v);
    char(*names)[32] = calloc(n, 32);
    cm_index x = {0}, y = {0};
    cm_buf b = {.max = CM_INDEX_MAX};
    clock_t start = clock();

    (void)state;
    assert_true(v && names);
    fill(&x, names, v, n);
    assert_true(cm_ok(cm_index_encode(&b, &x, nonce)));
    assert_true(cm_ok(cm_index_decode(&y, cm_buf_view(&b), 16 * n + 8)));
    print_message("%zu tensors, %zu bytes: %.2f s\n", n, b.n,
                  (double)(clock() - start) / CLOCKS_PER_SEC);
    assert_true(clock() - start < 20 * CLOCKS_PER_SEC);
    assert_int_equal(y.tensors.n, n);
    cm_index_free(&y);
    cm_buf_free(&b);
    free(names);
    free(v);
}

/* ---- the tensors of a folder --------------------------------------------------------------- */

struct plain {
    uint8_t b[6 * CM_DIR_ALIGN];
    cm_dir d;
    cm_dir_entry e[6];
};

static void add(struct plain *p, char *path, const void *bytes, size_t n)
{
    cm_dir_entry *e = &p->e[p->d.n];

    *e = (cm_dir_entry){.path = path, .size = n, .offset = p->d.n++ * CM_DIR_ALIGN};
    memcpy(p->b + e->offset, bytes, n);
    p->d.v = p->e;
    p->d.plain_size = sizeof p->b;
}

static size_t safetensors(uint8_t *b, const char *first, const char *second)
{
    int n = snprintf((char *)b + 8, 1000,
                     "{\"%s\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]},"
                     "\"%s\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[3,3]}}",
                     first, second);

    cm_put_le64(b, (uint64_t)n);
    return 8 + (size_t)n + 3;
}

static cm_err tensors_of(cm_tensors *t, struct plain *p)
{
    struct t_bytes b = {.v = CM_VIEW(p->b)};
    cm_source s = t_source(&b);

    return cm_dir_tensors(t, &s, &p->d);
}

static void names_of_several_files(void **state)
{
    static char one[] = "a/x.safetensors", same[] = "b.safetensors", text[] = "c.txt";
    static char torn[] = "d.gguf", three[] = "e.safetensors";
    static struct plain p;
    uint8_t b[1024] = {0};
    cm_tensors t = {0};

    (void)state;
    add(&p, one, b, safetensors(b, "w", "only.here"));
    add(&p, same, b, safetensors(b, "w", "v"));
    add(&p, text, b, safetensors(b, "no", "nope"));
    add(&p, torn, "GGUF\3\0\0", 7);
    add(&p, three, b, safetensors(b, "u", "v"));
    assert_true(cm_ok(tensors_of(&t, &p)));
    assert_int_equal(t.n, 6);
    t_check_tensors(&t, 0, sizeof p.b);
    assert_non_null(cm_tensors_find(&t, CM_LIT("only.here")));
    assert_non_null(cm_tensors_find(&t, CM_LIT("u")));
    assert_null(cm_tensors_find(&t, CM_LIT("w")));
    assert_null(cm_tensors_find(&t, CM_LIT("v")));
    assert_non_null(cm_tensors_find(&t, CM_LIT("a/x.safetensors:w")));
    assert_int_equal(cm_tensors_find(&t, CM_LIT("b.safetensors:w"))->offset,
                     p.e[1].offset + p.e[1].size - 3);
    assert_non_null(cm_tensors_find(&t, CM_LIT("e.safetensors:v")));
    cm_tensors_free(&t);
    p = (struct plain){0};
    add(&p, one, b, safetensors(b, "w", "b.safetensors:w"));
    add(&p, same, b, safetensors(b, "w", "v"));
    t.n = 77;
    assert_true(cm_is(tensors_of(&t, &p), CM_FORMAT_DUPLICATE));
    assert_int_equal(t.n, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_others_write),
        cmocka_unit_test(a_dtype_of_the_future_is_kept),
        cmocka_unit_test(refuses_what_leads_outside),
        cmocka_unit_test(refuses_other_forms),
        cmocka_unit_test(refuses_other_orders),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(writes_nothing_it_would_not_read),
        cmocka_unit_test(every_truncation_and_every_changed_byte),
        cmocka_unit_test(a_million_tensors),
        cmocka_unit_test(names_of_several_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
