/* Frames, operations and control messages between kmsd and keyd: round trips, truncations, limits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keys/keyctl.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))
#define SAME(a, b)    assert_true(cm_view_eq((a), (b)))

static const cm_keyop sample = {
    .code = CM_KEYOP_SIGN,
    .form = CM_FORM_MU,
    .bind = {{(const uint8_t *)"acme", 4},
             {(const uint8_t *)"path", 4},
             7,
             CM_KEY_ML_DSA_65,
             UINT64_MAX},
    .kek = {(const uint8_t *)"kek", 3},
    .key = {(const uint8_t *)"key of it", 9},
    .data = {(const uint8_t *)"data", 4},
    .context = {(const uint8_t *)"context", 7},
    .more = {(const uint8_t *)"more", 4},
    .type2 = CM_KEY_AES_256,
    .n = 1234567890123,
};

static cm_keymsg only_frame(const cm_buf *b)
{
    cm_view v = cm_buf_view(b);
    cm_keymsg m;

    OK(cm_keymsg_next(&m, &v));
    assert_int_equal(v.n, 0);
    return m;
}

static void operations_round_trip(void **state)
{
    cm_buf b = {.max = CM_KEYMSG_PACKET};
    cm_keyop got = {.code = CM_KEYOP_CREATE};
    cm_keymsg m;

    (void)state;
    OK(cm_keymsg_put_op(&b, UINT64_MAX, &sample));
    m = only_frame(&b);
    assert_int_equal(m.kind, CM_KEYMSG_OP);
    assert_int_equal(m.id, UINT64_MAX);
    OK(cm_keymsg_get_op(&got, m.body));
    assert_int_equal(got.code, sample.code);
    assert_int_equal(got.form, sample.form);
    assert_int_equal(got.type2, sample.type2);
    assert_int_equal(got.n, sample.n);
    assert_int_equal(got.bind.type, sample.bind.type);
    assert_int_equal(got.bind.version, sample.bind.version);
    assert_int_equal(got.bind.kek_version, sample.bind.kek_version);
    SAME(got.bind.tenant, sample.bind.tenant);
    SAME(got.bind.path, sample.bind.path);
    SAME(got.kek, sample.kek);
    SAME(got.key, sample.key);
    SAME(got.data, sample.data);
    SAME(got.context, sample.context);
    SAME(got.more, sample.more);
    for (size_t n = 0; n < m.body.n; n++) /* KD-2 */
        IS(cm_keymsg_get_op(&got, cm_view_of(m.body.p, n)), KEYMSG_MALFORMED);
    OK(cm_buf_byte(&b, 0));
    IS(cm_keymsg_get_op(&got, cm_view_of(b.p + CM_KEYMSG_HEAD, m.body.n + 1)), KEYMSG_MALFORMED);
    cm_buf_free(&b);
}

static void numbers_have_bounds(void **state) /* KD-2 */
{
    static const struct {
        size_t at;
        uint8_t value;
    } bad[] = {{0, 0}, {0, CM_KEYOP_END},    {1, CM_FORM_SEALED_ONLY + 1},     {5, CM_KEY_TYPE_END},
               {2, 1}, {9, CM_KEY_TYPE_END}, {34, 0x80} /* tenant's length */, {36, 2}};
    cm_buf b = {.max = CM_KEYMSG_PACKET};
    cm_keyop got;

    (void)state;
    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        b.n = 0;
        OK(cm_keymsg_put_op(&b, 1, &sample));
        b.p[CM_KEYMSG_HEAD + bad[i].at] = bad[i].value;
        IS(cm_keymsg_get_op(&got, cm_view_of(b.p + CM_KEYMSG_HEAD, b.n - CM_KEYMSG_HEAD)),
           KEYMSG_MALFORMED);
    }
    cm_buf_free(&b);
}

static void frames_are_strict(void **state) /* KD-1 */
{
    cm_buf b = {.max = CM_KEYMSG_PACKET};
    cm_keymsg m;
    cm_view v;

    (void)state;
    OK(cm_keymsg_put(&b, 5, CM_KEYMSG_STATUS, (cm_view){0}));
    OK(cm_keymsg_put(&b, 6, CM_KEYMSG_SEAL, CM_LIT("body")));
    v = cm_buf_view(&b);
    OK(cm_keymsg_next(&m, &v));
    OK(cm_keymsg_next(&m, &v));
    assert_int_equal(m.id, 6);
    SAME(m.body, CM_LIT("body"));
    for (size_t n = CM_KEYMSG_HEAD + 1; n < b.n; n++) {
        v = cm_view_of(b.p, n);
        OK(cm_keymsg_next(&m, &v));
        IS(cm_keymsg_next(&m, &v), KEYMSG_MALFORMED);
    }
    b.p[3]--;
    v = cm_buf_view(&b);
    IS(cm_keymsg_next(&m, &v), KEYMSG_MALFORMED);
    b.p[3]++;
    b.p[4] = 2;
    v = cm_buf_view(&b);
    IS(cm_keymsg_next(&m, &v), KEYMSG_VERSION);
    cm_buf_free(&b);
}

static void parts_have_limits(void **state)
{
    static const uint8_t big[CM_KEYOP_DATA_MAX + 1];
    cm_buf b = {.max = CM_KEYMSG_PACKET};
    cm_keyop op = sample;

    (void)state;
    op.data = CM_VIEW(big);
    IS(cm_keymsg_put_op(&b, 1, &op), KEYOP_SIZE);
    op.data = sample.data;
    op.bind.tenant = cm_view_of(big, CM_KEYOP_TENANT_MAX + 1);
    IS(cm_keymsg_put_op(&b, 1, &op), KEYOP_SIZE);
    assert_int_equal(b.n, 0);
    /* Every part at its limit fits into one packet. */
    op.bind.tenant = cm_view_of(big, CM_KEYOP_TENANT_MAX);
    op.bind.path = cm_view_of(big, CM_KEYOP_PATH_MAX);
    op.kek = cm_view_of(big, CM_KEYOP_KEK_MAX);
    op.key = cm_view_of(big, CM_KEYOP_KEY_MAX);
    op.data = cm_view_of(big, CM_KEYOP_DATA_MAX);
    op.context = cm_view_of(big, CM_KEYOP_CONTEXT_MAX);
    op.more = cm_view_of(big, CM_KEYOP_MORE_MAX);
    OK(cm_keymsg_put_op(&b, 1, &op));
    OK(cm_keymsg_get_op(&op, only_frame(&b).body));
    IS(cm_keymsg_put_op(&b, 2, &op), TOO_BIG);
    only_frame(&b);
    cm_buf_free(&b);
}

static void answers_round_trip(void **state)
{
    cm_buf b = {.max = CM_KEYMSG_PACKET};
    cm_keyop op = {.out = {.max = 16}, .out2 = {.max = 16}}, got = {0};
    cm_view rest;
    cm_keymsg m;
    cm_err e;

    (void)state;
    OK(cm_buf_append(&op.out, CM_LIT("out")));
    OK(cm_buf_append(&op.out2, CM_LIT("second")));
    OK(cm_keymsg_put_op_answer(&b, 9, &op));
    m = only_frame(&b);
    assert_int_equal(m.kind, CM_KEYMSG_OP | CM_KEYMSG_ANSWER);
    for (size_t n = 0; n < m.body.n; n++)
        IS(cm_keymsg_get_op_answer(&got, cm_view_of(m.body.p, n)), KEYMSG_MALFORMED);
    OK(cm_keymsg_get_op_answer(&got, m.body));
    OK(got.result);
    SAME(cm_buf_view(&got.out), CM_LIT("out"));
    SAME(cm_buf_view(&got.out2), CM_LIT("second"));
    b.n = 0;
    op.result = CM_FAIL(CRYPT_TAG); /* nothing of a failed operation leaves */
    OK(cm_keymsg_put_op_answer(&b, 9, &op));
    m = only_frame(&b);
    assert_int_equal(m.body.n, 4);
    OK(cm_keymsg_get_op_answer(&got, m.body));
    IS(got.result, CRYPT_TAG);
    assert_int_equal(got.out.n, 0);
    b.n = 0;
    OK(cm_keymsg_put_answer(&b, 3, CM_KEYMSG_UNSEAL, CM_FAIL(UNSEAL_WRONG), CM_LIT("unsaid")));
    m = only_frame(&b);
    OK(cm_keymsg_get_answer(&e, &rest, m.body));
    IS(e, UNSEAL_WRONG);
    assert_int_equal(rest.n, 0);
    cm_keyop_done_with(&op);
    cm_keyop_done_with(&got);
    cm_buf_free(&b);
}

/* ---- control messages ------------------------------------------------------------------------ */

#define TRUNCATED(decode, out, b)                                       \
    do {                                                                \
        for (size_t n_ = 0; n_ < (b).n; n_++)                           \
            IS(decode((out), cm_view_of((b).p, n_)), KEYMSG_MALFORMED); \
    } while (0)

static void status_round_trips(void **state)
{
    cm_keyctl_status s = {.state = CM_KEYD_UNSEALED,
                          .version = CM_LIT("1.2.3"),
                          .root = CM_LIT("0123456789abcdef"),
                          .generation = 3,
                          .origin = CM_LIT("example.org/log"),
                          .log_keys = CM_LIT("name+id+key\n"),
                          .have = 1,
                          .need = 2,
                          .sandbox = 15,
                          .arena = 2,
                          .workers = 4,
                          .served = 99,
                          .pid = 77,
                          .credential = true},
                     got;
    cm_buf b = {.max = 16384};

    (void)state;
    OK(cm_keyctl_put_status(&b, &s));
    TRUNCATED(cm_keyctl_get_status, &got, b);
    OK(cm_keyctl_get_status(&got, cm_buf_view(&b)));
    SAME(got.version, s.version);
    SAME(got.root, s.root);
    SAME(got.origin, s.origin);
    SAME(got.log_keys, s.log_keys);
    assert_int_equal(got.have, 1);
    assert_int_equal(got.served, 99);
    assert_true(got.credential);
    b.n = 0;
    s.root = CM_LIT("short");
    assert_true(cm_failed(cm_keyctl_put_status(&b, &s)));
    cm_buf_free(&b);
}

static void devices_round_trip(void **state)
{
    cm_keyctl_devices d = {
        .of = {{CM_LIT("one"), 1000, true, false}, {CM_LIT("two"), 0, false, true}}, .n = 2};
    cm_buf b = {.max = 4096};
    cm_keyctl_devices got;

    (void)state;
    OK(cm_keyctl_put_devices(&b, &d));
    TRUNCATED(cm_keyctl_get_devices, &got, b);
    OK(cm_keyctl_get_devices(&got, cm_buf_view(&b)));
    assert_int_equal(got.n, 2);
    SAME(got.of[0].name, CM_LIT("one"));
    assert_true(got.of[0].weight == 1000 && got.of[0].retired && !got.of[0].make);
    assert_true(got.of[1].weight == 0 && !got.of[1].retired && got.of[1].make);
    cm_buf_free(&b);
    b = (cm_buf){.max = 4096};
    d.of[0].name = CM_LIT("a name of more than thirty-two bytes");
    assert_true(cm_failed(cm_keyctl_put_devices(&b, &d)));
    cm_buf_free(&b);
}

static void alterations_round_trip(void **state)
{
    cm_keyctl_alter a = {
        .with = {.boot = CM_LIT("record"), .kind = CM_UNSEAL_SHARES, .shares_n = 2},
        .drop = {3, UINT64_MAX},
        .drop_n = 2,
        .rotate = true,
        .retire = 4};
    cm_keyctl_alter got;
    cm_buf b = {.max = 16384};

    (void)state;
    a.with.shares[0] = CM_LIT("first");
    a.with.shares[1] = CM_LIT("second");
    a.add.n = 2;
    a.add.method[0] = (cm_unseal_method){.kind = CM_UNSEAL_PASSPHRASE,
                                         .label = CM_LIT("mine"),
                                         .secret = CM_LIT("secret"),
                                         .cost = {9000, 2, 3}};
    a.add.method[1] = (cm_unseal_method){.kind = CM_UNSEAL_SHARES, .need = 3, .shares = 5};
    a.add.device[1] = 6;
    OK(cm_keyctl_put_alter(&b, &a));
    TRUNCATED(cm_keyctl_get_alter, &got, b);
    OK(cm_keyctl_get_alter(&got, cm_buf_view(&b)));
    SAME(got.with.boot, a.with.boot);
    assert_int_equal(got.with.shares_n, 2);
    SAME(got.with.shares[1], a.with.shares[1]);
    assert_int_equal(got.add.n, 2);
    SAME(got.add.method[0].label, CM_LIT("mine"));
    SAME(got.add.method[0].secret, CM_LIT("secret"));
    assert_int_equal(got.add.method[0].cost.lanes, 3);
    assert_int_equal(got.add.method[1].shares, 5);
    assert_int_equal(got.add.device[1], 6);
    assert_int_equal(got.drop_n, 2);
    assert_true(got.drop[1] == UINT64_MAX);
    assert_true(got.rotate && got.retire == 4);
    cm_buf_free(&b);
}

static void inits_and_records_round_trip(void **state)
{
    cm_keyctl_init i = {.origin = CM_LIT("example.org/log"), .methods = {.n = 1}}, j;
    cm_keyctl_boot r = {.boot = CM_LIT("record"), .shares_n = CM_SHARE_MAX}, s;
    cm_buf b = {.max = 1 << 17};

    (void)state;
    i.methods.method[0] =
        (cm_unseal_method){.kind = CM_UNSEAL_KEYFILE, .secret = CM_LIT("of the caller")};
    OK(cm_keyctl_put_init(&b, &i));
    TRUNCATED(cm_keyctl_get_init, &j, b);
    OK(cm_keyctl_get_init(&j, cm_buf_view(&b)));
    SAME(j.origin, i.origin);
    SAME(j.methods.method[0].secret, i.methods.method[0].secret);
    b.n = 0;
    i.methods.n = CM_BOOT_SLOTS;
    for (size_t k = 1; k < i.methods.n; k++)
        i.methods.method[k] = i.methods.method[0];
    OK(cm_keyctl_put_init(&b, &i));
    OK(cm_keyctl_get_init(&j, cm_buf_view(&b)));
    b.n = 0;
    for (size_t k = 0; k < r.shares_n; k++)
        r.shares[k] = CM_LIT("a share's text");
    OK(cm_keyctl_put_boot(&b, &r));
    TRUNCATED(cm_keyctl_get_boot, &s, b);
    OK(cm_keyctl_get_boot(&s, cm_buf_view(&b)));
    assert_int_equal(s.shares_n, CM_SHARE_MAX);
    SAME(s.shares[31], r.shares[31]);
    cm_buf_free(&b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_round_trip),
        cmocka_unit_test(numbers_have_bounds),
        cmocka_unit_test(frames_are_strict),
        cmocka_unit_test(parts_have_limits),
        cmocka_unit_test(answers_round_trip),
        cmocka_unit_test(status_round_trips),
        cmocka_unit_test(alterations_round_trip),
        cmocka_unit_test(devices_round_trip),
        cmocka_unit_test(inits_and_records_round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
