/* Codecs while one allocation after the other fails: the right error, outputs as they were. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/cbor.h"
#include "codec/json.h"
#include "codec/text.h"
#include "fault.h"

static void assert_outcome(cm_err e)
{
    if (fault_hit())
        assert_true(cm_is(e, CM_NO_MEMORY));
    else
        assert_true(cm_ok(e));
}

/* Nodes that outgrow their array, and objects large enough for an index. */
static void json_parse(void **state)
{
    static const char text[] =
        "[{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9,\"j\":10},"
        "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":{\"k\":[[]]}},"
        "0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9]";
    unsigned hits = 0;

    (void)state;
    fault_begin(FAULT_ALLOC, ENOMEM);
    while (fault_next()) {
        cm_json *j = NULL;
        cm_err e = cm_json_parse(&j, cm_view_str(text), NULL, NULL);

        assert_outcome(e);
        assert_true(fault_hit() == (j == NULL));
        hits += fault_hit();
        cm_json_free(j);
    }
    assert_true(hits >= 6);
}

static void json_write(void **state)
{
    (void)state;
    fault_begin(FAULT_ALLOC, ENOMEM);
    while (fault_next()) {
        cm_buf b = {.max = 4096};
        cm_json_writer w = {.out = &b};

        cm_json_begin_array(&w, NULL);
        for (uint64_t i = 0; i < 300; i++)
            cm_json_put_u64(&w, NULL, i);
        cm_json_end_array(&w);
        assert_outcome(cm_json_finish(&w));
        cm_buf_free(&b);
    }
}

static void cbor_write(void **state)
{
    static const cm_cbor_field fields[] = {{1, CM_CBOR_BYTES, true, 0, 999},
                                           {2, CM_CBOR_TEXT, true, 0, 999}};
    static const uint8_t zeros[600];
    const cm_cbor_value v[] = {{.present = true, .v = CM_VIEW(zeros)},
                               {.present = true, .v = CM_VIEW(zeros)}};

    (void)state;
    fault_begin(FAULT_ALLOC, ENOMEM);
    while (fault_next()) {
        cm_buf b = {.max = 4096};

        assert_outcome(cm_cbor_put_record(&b, fields, v, CM_COUNT(v)));
        assert_int_equal(b.n, fault_hit() ? 0 : 1 + 2 * (1 + 3 + sizeof zeros));
        cm_buf_free(&b);
    }
}

static void pem(void **state)
{
    static const uint8_t der[500] = {1};

    (void)state;
    fault_begin(FAULT_ALLOC, ENOMEM);
    while (fault_next()) {
        cm_buf b = {.max = 4096};

        assert_outcome(cm_pem_encode(&b, CM_LIT("X"), CM_VIEW(der)));
        assert_true(fault_hit() == (b.n == 0));
        cm_buf_free(&b);
    }

    fault_begin(FAULT_ALLOC, ENOMEM);
    while (fault_next()) {
        cm_buf b = {.max = 4096}, back = {.max = sizeof der};
        cm_view text, label = {0};

        fault_pause();
        assert_true(cm_ok(cm_pem_encode(&b, CM_LIT("X"), CM_VIEW(der))));
        fault_resume();
        text = cm_buf_view(&b);
        assert_outcome(cm_pem_next(&back, &label, &text));
        assert_int_equal(back.n, fault_hit() ? 0 : sizeof der);
        assert_int_equal(text.n, fault_hit() ? b.n : 0);
        assert_int_equal(label.n, fault_hit() ? 0 : 1);
        cm_buf_free(&b);
        cm_buf_free(&back);
    }
}

static void hex_and_base64(void **state)
{
    (void)state;
    fault_begin(FAULT_ALLOC, ENOMEM);
    while (fault_next()) {
        cm_buf a = {.max = 64}, b = {.max = 64}, c = {.max = 64}, d = {.max = 64};
        cm_err e[] = {cm_hex_encode(&a, CM_LIT("key")), cm_hex_decode(&b, CM_LIT("6b6579")),
                      cm_base64_encode(&c, CM_LIT("key"), true),
                      cm_base64_decode(&d, CM_LIT("a2V5"), true)};
        size_t n[] = {a.n, b.n, c.n, d.n};
        unsigned bad = 0;

        for (size_t i = 0; i < CM_COUNT(e); i++) {
            assert_true(cm_ok(e[i]) ? n[i] > 0 : cm_is(e[i], CM_NO_MEMORY) && n[i] == 0);
            bad += cm_failed(e[i]);
        }
        assert_int_equal(bad, fault_hit() ? 1 : 0);
        cm_buf_free(&a);
        cm_buf_free(&b);
        cm_buf_free(&c);
        cm_buf_free(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_parse),     cmocka_unit_test(json_write),
        cmocka_unit_test(cbor_write),     cmocka_unit_test(pem),
        cmocka_unit_test(hex_and_base64),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
