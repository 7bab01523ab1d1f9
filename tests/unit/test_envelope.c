/* Envelopes: every kind of recipient, every rule of spec/envelope.md, and everything that must be
 * refused with nothing given away. */
#include "envelope_kit.h"

/* ---- round trips --------------------------------------------------------------------------- */

static void every_kem_opens_its_own(void **state)
{
    (void)state;
    for (unsigned i = 0; i < KEMS; i++) {
        cm_recipient to = cm_recipient_kem(keys[i]);
        cm_buf env = sealed_to(&to, 1);

        OK(open_as(&env, keys[i]));
        for (unsigned k = 0; k < KEMS; k++)
            if (k != i)
                FAILS(ENVELOPE_NOT_FOR_US, open_as(&env, keys[k]));
        FAILS(ENVELOPE_NOT_FOR_US, open_as(&env, stranger));
        FAILS(ENVELOPE_NOT_FOR_US, open_in(cm_buf_view(&env), NULL, 0, &lax, CM_LIT("context")));
        cm_buf_free(&env);
    }
}

static void mixed_kinds(void **state)
{
    cm_envelope_passphrase p = {CM_LIT("correct horse"), cheap};
    struct device d = {.name = "hsm:7", .number = 3};
    cm_recipient to[] = {cm_recipient_kem(keys[XWING]), cm_recipient_passphrase(&p), to_device(&d),
                         cm_recipient_kem(keys[MLKEM768]), cm_recipient_kem(keys[MLKEM1024])};
    cm_buf env = sealed_to(to, CM_COUNT(to));
    cm_stanza list[CM_COUNT(to)];
    size_t n;

    (void)state;
    OK(open_as(&env, keys[XWING]));
    OK(open_as(&env, keys[MLKEM768]));
    OK(open_as(&env, keys[MLKEM1024]));
    OK(open_with(&env, cm_opener_passphrase(&p)));
    OK(open_with(&env, of_device(&d)));
    FAILS(ENVELOPE_NOT_FOR_US, open_as(&env, stranger));
    OK(cm_envelope_list(list, CM_COUNT(to), &n, cm_buf_view(&env)));
    assert_int_equal(n, CM_COUNT(to));
    assert_int_equal(list[0].number, CM_KEM_XWING); /* in the order given */
    assert_int_equal(list[1].cost.memory_kib, cheap.memory_kib);
    assert_true(cm_view_eq(list[2].id, CM_LIT("hsm:7")));
    FAILS(TOO_BIG, cm_envelope_list(list, CM_COUNT(to) - 1, &n, cm_buf_view(&env)));
    cm_buf_free(&env);
}

static void many_recipients(void **state)
{
    cm_recipient *to = calloc(CM_STANZAS_MAX + 1, sizeof *to);
    cm_buf env = {.max = CM_ENVELOPE_MAX};

    (void)state;
    for (size_t i = 0; i <= CM_STANZAS_MAX; i++)
        to[i] = cm_recipient_kem(i == CM_STANZAS_MAX - 1 ? keys[MLKEM768] : stranger);
    OK(seal(&env, to, CM_STANZAS_MAX));
    OK(open_as(&env, keys[MLKEM768]));
    assert_true(env.n > CM_STANZAS_MAX * 1100);
    cm_buf_free(&env);
    FAILS(ENVELOPE_TOO_MANY, seal(&env, to, CM_STANZAS_MAX + 1));
    FAILS(ENVELOPE_TOO_MANY, seal(&env, to, SIZE_MAX)); /* counted before any is looked at */
    assert_int_equal(env.n, 0);
    FAILS(ENVELOPE_NO_RECIPIENT, seal(&env, to, 0));
    free(to);
}

static void appends(void **state)
{
    cm_recipient to = cm_recipient_kem(keys[XWING]);
    cm_buf env = {.max = 4096};
    cm_stanza st;
    size_t n;

    (void)state;
    OK(cm_buf_append(&env, CM_LIT("before")));
    OK(seal(&env, &to, 1));
    assert_memory_equal(env.p, "before", 6);
    OK(cm_envelope_list(&st, 1, &n, cm_view_of(env.p + 6, env.n - 6)));
    env.max = env.n;
    FAILS(TOO_BIG, seal(&env, &to, 1));
    assert_int_equal(env.n, env.max);
    cm_buf_free(&env);
}

/* ---- passphrases --------------------------------------------------------------------------- */

static void two_passphrases(void **state)
{
    cm_envelope_passphrase a = {CM_LIT("one"), cheap}, b = {CM_LIT("other"), {8 << 10, 2, 1}},
                           wrong = {CM_LIT("neither"), {0, 0, 0}}, none = {{0}, cheap};
    cm_recipient to[] = {cm_recipient_passphrase(&a), cm_recipient_passphrase(&b)};
    cm_opener o[] = {cm_opener_passphrase(&wrong), cm_opener_passphrase(&b)};
    cm_recipient empty = cm_recipient_passphrase(&none);
    cm_buf env = sealed_to(to, 2), no = {.max = 4096};

    (void)state;
    OK(open_with(&env, cm_opener_passphrase(&a)));
    OK(open_with(&env, cm_opener_passphrase(&b)));
    FAILS(ENVELOPE_WRONG_PASSPHRASE, open_with(&env, cm_opener_passphrase(&wrong)));
    OK(open_in(cm_buf_view(&env), o, 2, &lax, CM_LIT("context"))); /* each gets its chance */
    FAILS(ENVELOPE_WRONG_PASSPHRASE,
          open_in(cm_buf_view(&env), o, 2, &lax, CM_LIT("another"))); /* E-3 */
    FAILS(ENVELOPE_EMPTY_PASSPHRASE, seal(&no, &empty, 1));
    FAILS(ENVELOPE_NOT_FOR_US, open_as(&env, keys[XWING]));
    cm_buf_free(&env);
}

/* E-6: no derivation outside the limits; if there were one, this would take long. */
static void costs_are_limited(void **state)
{
    static const struct {
        uint64_t m, t, p;
        const char *want;
    } cases[] = {
        {(1 << 20) + 1, 1, 1, "ENVELOPE_COST"},
        {8 << 10, 17, 1, "ENVELOPE_COST"},
        {8 << 10, 1, 17, "ENVELOPE_COST"},
        {(8 << 10) - 1, 1, 1, "ENVELOPE_COST"},
        {8 << 10, 0, 1, "ENVELOPE_COST"},
        {8 << 10, 1, 0, "ENVELOPE_COST"},
        {UINT32_MAX, 1, 1, "ENVELOPE_COST"},
        {1ull << 32, 1, 1, "ENVELOPE_MALFORMED"},
        {8 << 10, 1ull << 32, 1, "ENVELOPE_MALFORMED"},
        {8 << 10, 1, UINT64_MAX, "ENVELOPE_MALFORMED"},
        {8 << 10, 1, 1, "ENVELOPE_WRONG_PASSPHRASE"},
    };
    cm_envelope_passphrase p = {CM_LIT("x"), {0, 0, 0}};
    cm_envelope_policy tight = lax;

    (void)state;
    tight.max_cost = (cm_argon2){8 << 10, 1, 1};
    for (size_t i = 0; i < CM_COUNT(cases); i++) {
        struct forged f = phrase_stanza(cases[i].m, cases[i].t, cases[i].p);
        cm_buf st = {.max = 1024}, env;

        put_forged(&st, &f);
        env = wrap_stanzas(1, 1, cm_buf_view(&st));
        assert_string_equal(cm_err_name(open_with(&env, cm_opener_passphrase(&p))), cases[i].want);
        cm_buf_free(&env);
        cm_buf_free(&st);
    }
    for (unsigned i = 0; i < 3; i++) { /* a sealer does not write what no reader takes */
        cm_recipient to = cm_recipient_passphrase(&p);
        cm_buf env = {.max = 4096};

        p.cost = (cm_argon2){i == 0 ? 4 << 10 : 8 << 10, i == 1 ? 17 : 1, i == 2 ? 17 : 1};
        FAILS(ENVELOPE_COST, seal(&env, &to, 1));
        p.cost = (cm_argon2){8 << 10, 2, 1};
        FAILS(ENVELOPE_COST,
              cm_envelope_seal(&env, crypt_, &content, &to, 1, &tight, CM_LIT("context")));
    }
}

static cm_err count_unwrap(void *self, const cm_crypt *c, cm_key32 *key, const cm_stanza *st,
                           cm_view context)
{
    (void)c;
    (void)key;
    (void)st;
    (void)context;
    ++*(unsigned *)self;
    return CM_FAIL(ENVELOPE_WRONG_PASSPHRASE);
}

/* E-6: the fifth is not tried. */
static void four_passphrases_at_most(void **state)
{
    cm_envelope_passphrase p = {CM_LIT("x"), {0, 0, 0}};
    struct forged f = phrase_stanza(8 << 10, 1, 1);
    cm_opener o = cm_opener_passphrase(&p);
    cm_buf st = {.max = 4096}, env;
    unsigned tried = 0;

    (void)state;
    o.unwrap = count_unwrap;
    o.self = &tried;
    for (unsigned i = 0; i < 6; i++)
        put_forged(&st, &f);
    env = wrap_stanzas(1, 6, cm_buf_view(&st));
    FAILS(ENVELOPE_WRONG_PASSPHRASE, open_with(&env, o));
    assert_int_equal(tried, 4);
    cm_buf_free(&env);
    cm_buf_free(&st);
}

/* ---- devices ------------------------------------------------------------------------------- */

static void device_that_fails(void **state)
{
    struct device d = {.name = "k", .number = 1, .broken = CM_FAIL(IO_READ)}, good = d;
    cm_recipient to[2] = {cm_recipient_kem(keys[XWING]), to_device(&d)};
    cm_opener o[2] = {of_device(&d), cm_opener_kem(keys[XWING])};
    cm_buf env = {.max = 8192};

    (void)state;
    FAILS(IO_READ, seal(&env, to, 2)); /* its own error, and nothing written */
    assert_int_equal(env.n, 0);
    good.broken = CM_OKAY;
    to[0] = to_device(&good);
    to[1] = cm_recipient_kem(keys[XWING]);
    OK(seal(&env, to, 2));
    /* E-10: it names the device's key, so the device's word is final. */
    FAILS(IO_READ, open_in(cm_buf_view(&env), o, 2, &lax, CM_LIT("context")));
    OK(open_in(cm_buf_view(&env), o + 1, 1, &lax, CM_LIT("context")));
    cm_buf_free(&env);
}

/* A device whose stanza would be refused or misjudged by readers is found out when sealing. */
static void device_that_errs(void **state)
{
    struct device lies = {.name = "k", .number = 1}, long_body = {.name = "k", .body = 8193},
                  no_name = {.name = ""}, unknown = {.name = "k", .kind = 9},
                  kem = {.name = "k", .kind = CM_STANZA_KEM, .number = CM_KEM_XWING};
    struct device quiet = {.name = "rsa", .number = CM_STANZA_CLASSICAL | 1};
    cm_recipient to = to_device(&lies);
    cm_buf env = {.max = 32768};

    (void)state;
    to.strength = CM_STRENGTH_CLASSICAL; /* it is, but its stanza would not say so */
    FAILS(ENVELOPE_MIXED, seal(&env, &to, 1));
    to = to_device(&quiet);
    to.strength = CM_STRENGTH_SYMMETRIC;
    FAILS(ENVELOPE_MIXED, seal(&env, &to, 1));
    to = to_device(&long_body);
    assert_true(cm_failed(seal(&env, &to, 1)));
    to = to_device(&no_name);
    FAILS(BAD_ARGUMENT, seal(&env, &to, 1));
    to = to_device(&unknown);
    FAILS(BAD_ARGUMENT, seal(&env, &to, 1));
    to = to_device(&kem);
    FAILS(BAD_ARGUMENT, seal(&env, &to, 1)); /* E-2 */
    assert_int_equal(env.n, 0);
}

/* ---- policy -------------------------------------------------------------------------------- */

struct rule {
    unsigned a, b; /* KEMS: a passphrase, KEMS + 1: a device, + 2: a classical device */
    bool classical, phrase;
    uint8_t level;
    const char *want;
};

static const struct rule rules[] = {
    {XWING, XWING, false, true, 3, "OK"},
    {MLKEM768, MLKEM1024, false, true, 3, "OK"},
    {MLKEM1024, MLKEM1024, false, false, 5, "OK"},
    {XWING, MLKEM1024, false, false, 5, "ENVELOPE_LEVEL"},
    {MLKEM1024, MLKEM768, false, false, 5, "ENVELOPE_LEVEL"},
    {MLKEM512, MLKEM512, false, true, 3, "ENVELOPE_LEVEL"},
    {MLKEM512, MLKEM512, true, true, 1, "OK"},
    {X25519, X25519, false, true, 1, "ENVELOPE_CLASSICAL"},
    {X25519, X25519, true, true, 5, "OK"}, /* asked for by name */
    {XWING, X25519, true, true, 1, "ENVELOPE_MIXED"},
    {X25519, XWING, true, true, 1, "ENVELOPE_MIXED"},
    {X25519, MLKEM512, true, true, 1, "ENVELOPE_MIXED"},
    {KEMS, X25519, true, true, 1, "ENVELOPE_MIXED"},
    {X25519, KEMS, true, true, 1, "ENVELOPE_MIXED"},
    {KEMS + 1, X25519, true, true, 1, "ENVELOPE_MIXED"},
    {KEMS + 1, KEMS + 2, true, true, 1, "ENVELOPE_MIXED"},
    {KEMS + 2, KEMS + 2, true, true, 3, "OK"},
    {KEMS + 2, X25519, true, true, 3, "OK"},
    {KEMS + 2, KEMS + 2, false, true, 3, "ENVELOPE_CLASSICAL"},
    {KEMS, KEMS, false, true, 3, "OK"},
    {KEMS, KEMS, false, false, 3, "ENVELOPE_PASSPHRASE"},
    {XWING, KEMS, false, false, 3, "ENVELOPE_PASSPHRASE"},
    {KEMS + 1, XWING, false, false, 3, "OK"},
    {KEMS + 1, KEMS + 1, false, false, 5, "OK"},
};

/* E-8, E-9: what a sealer refuses. E-10: a reader refuses the same, though the envelope was made
 * under a policy that allowed it, or by hand where none would. */
static void policy(void **state)
{
    cm_envelope_passphrase p = {CM_LIT("x"), cheap};
    struct device d = {.name = "kms", .number = 2},
                  rsa = {.name = "rsa", .number = CM_STANZA_CLASSICAL | 2};
    cm_recipient all[KEMS + 3] = {
        [KEMS] = cm_recipient_passphrase(&p), to_device(&d), to_device(&rsa)};
    cm_opener openers[KEMS + 3] = {
        [KEMS] = cm_opener_passphrase(&p), of_device(&d), of_device(&rsa)};

    (void)state;
    for (unsigned i = 0; i < KEMS; i++) {
        all[i] = cm_recipient_kem(keys[i]);
        openers[i] = cm_opener_kem(keys[i]);
    }
    for (size_t i = 0; i < CM_COUNT(rules); i++) {
        const struct rule *r = &rules[i];
        cm_envelope_policy strict = {r->classical, r->phrase, r->level, {0, 0, 0}};
        cm_recipient to[2] = {all[r->a], all[r->b]};
        cm_buf one = {.max = CM_ENVELOPE_MAX}, two = one, both = one, env;
        size_t head = 5, tail = 35;

        assert_string_equal(cm_err_name(cm_envelope_seal(&one, crypt_, &content, to, 2, &strict,
                                                         CM_LIT("context"))),
                            r->want);
        cm_buf_free(&one);
        OK(seal(&one, to, 1));
        OK(seal(&two, to + 1, 1));
        OK(cm_buf_append(&both, cm_view_of(one.p + head, one.n - head - tail)));
        OK(cm_buf_append(&both, cm_view_of(two.p + head, two.n - head - tail)));
        env = wrap_stanzas(1, 2, cm_buf_view(&both));
        assert_string_equal(
            cm_err_name(open_in(cm_buf_view(&env), &openers[r->a], 1, &strict, CM_LIT("context"))),
            r->want);
        cm_buf_free(&one);
        cm_buf_free(&two);
        cm_buf_free(&both);
        cm_buf_free(&env);
    }
}

/* E-10: the stanza that names our key is broken; another of ours would open, and is not tried. */
static void no_second_choice(void **state)
{
    cm_recipient to[2] = {cm_recipient_kem(keys[MLKEM1024]), cm_recipient_kem(keys[MLKEM768])};
    cm_opener o[2] = {cm_opener_kem(keys[MLKEM768]), cm_opener_kem(keys[MLKEM1024])};
    cm_buf env = sealed_to(to, 2);

    (void)state;
    OK(open_in(cm_buf_view(&env), o, 2, &lax, CM_LIT("context")));
    env.p[60] ^= 1; /* in the first one's ciphertext */
    FAILS(CRYPT_TAG, open_in(cm_buf_view(&env), o, 2, &lax, CM_LIT("context")));
    cm_buf_free(&env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kem_opens_its_own),  cmocka_unit_test(mixed_kinds),
        cmocka_unit_test(many_recipients),          cmocka_unit_test(appends),
        cmocka_unit_test(two_passphrases),          cmocka_unit_test(costs_are_limited),
        cmocka_unit_test(four_passphrases_at_most), cmocka_unit_test(device_that_fails),
        cmocka_unit_test(device_that_errs),         cmocka_unit_test(policy),
        cmocka_unit_test(no_second_choice),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
