/* Envelopes as bytes: what is canonical, what is refused, and how recipients change. */
#include "envelope_kit.h"

/* ---- form ---------------------------------------------------------------------------------- */

static void expect_form(const struct forged *f, const char *want)
{
    cm_buf st = {.max = 16384}, env;
    cm_stanza list[1];
    size_t n = 7;

    put_forged(&st, f);
    env = wrap_stanzas(1, 1, cm_buf_view(&st));
    assert_string_equal(cm_err_name(cm_envelope_list(list, 1, &n, cm_buf_view(&env))), want);
    assert_true(n == 1 || strcmp(want, "OK") != 0);
    assert_string_equal(cm_err_name(open_as(&env, stranger)),
                        strcmp(want, "OK") ? want : "ENVELOPE_NOT_FOR_US");
    cm_buf_free(&env);
    cm_buf_free(&st);
}

/* E-2: known kinds have exactly their fields; unknown ones whatever fits the frame. */
static void fields_of_each_kind(void **state)
{
    static const uint8_t z[8193];
    cm_view id = cm_view_of(z, 16), ct = cm_view_of(z, 1120 + 48);
    struct forged kem = {1, CM_KEM_XWING, true, false, false, id, ct, {0, 0, 0}, 0},
                  ext = {3, 5, true, false, false, id, cm_view_of(z, 9), {0, 0, 0}, 0},
                  phrase = phrase_stanza(8 << 10, 1, 1), odd = ext, f;

    (void)state;
    expect_form(&kem, "OK");
    expect_form(&ext, "OK");
    expect_form(&phrase, "OK");
    odd.kind = 77;
    expect_form(&odd, "OK");
    odd.has_number = false;
    expect_form(&odd, "OK");
    odd.id = cm_view_of(z, 64);
    odd.body = cm_view_of(z, 8192);
    expect_form(&odd, "OK");
#define BAD(base, change) (f = (base), change, expect_form(&f, "ENVELOPE_MALFORMED"))
    BAD(kem, f.has_number = false);
    BAD(kem, (f.has_cost = true, f.cost_n = 3));
    BAD(kem, f.body.n--);
    BAD(kem, f.body.n++);
    BAD(kem, f.id.n--);
    BAD(kem, f.has_extra = true);
    BAD(ext, f.has_number = false);
    BAD(ext, (f.has_cost = true, f.cost_n = 3));
    BAD(ext, f.number = 1ull << 32);
    BAD(phrase, f.has_number = true);
    BAD(phrase, f.has_cost = false);
    BAD(phrase, f.cost_n = 2);
    BAD(phrase, f.cost_n = 4);
    BAD(phrase, f.cost_n = 0);
    BAD(phrase, f.body.n--);
    BAD(phrase, f.id.n--);
    BAD(odd, f.id.n = 65);
    BAD(odd, f.id.n = 0);
    BAD(odd, f.body.n = 8193);
    BAD(odd, f.body.n = 0);
    BAD(odd, f.has_extra = true);
    BAD(odd, f.kind = 1ull << 32);
#undef BAD
    kem.number = 0x7777; /* a KEM of a later version */
    kem.body.n = 5;
    expect_form(&kem, "OK");
}

/* E-2: what a later version adds is passed over, and E-11 keeps it on a change of recipients. */
static bool keep_all(void *arg, const cm_stanza *st)
{
    (void)st;
    ++*(unsigned *)arg;
    return true;
}

static void unknown_kinds_stay(void **state)
{
    struct forged f = {.kind = 40, .id = CM_LIT("new"), .body = CM_LIT("thing")};
    cm_recipient other = cm_recipient_kem(stranger);
    cm_buf bytes = {.max = 8192}, ours = stanza_to(XWING), env, changed = {.max = 8192};
    cm_stanza list[3];
    unsigned seen = 0;
    size_t n;

    (void)state;
    put_forged(&bytes, &f);
    OK(cm_buf_append(&bytes, cm_buf_view(&ours)));
    env = wrap_stanzas(1, 2, cm_buf_view(&bytes));
    OK(open_as(&env, keys[XWING]));
    OK(cm_envelope_reseal(&changed, crypt_, &content, cm_buf_view(&env), keep_all, &seen, &other, 1,
                          &lax, CM_LIT("context")));
    assert_int_equal(seen, 2);
    OK(cm_envelope_list(list, 3, &n, cm_buf_view(&changed)));
    assert_int_equal(n, 3);
    assert_true(list[0].kind == 40 && cm_view_eq(list[0].body, CM_LIT("thing")));
    assert_non_null(memmem(changed.p, changed.n, bytes.p, bytes.n)); /* E-11: byte by byte */
    OK(open_as(&changed, keys[XWING]));
    OK(open_as(&changed, stranger));
    cm_buf_free(&bytes);
    cm_buf_free(&ours);
    cm_buf_free(&env);
    cm_buf_free(&changed);
}

/* E-1 */
static void envelope_form(void **state)
{
    cm_buf st = stanza_to(XWING), none = {.max = 8}, env, many = {.max = CM_ENVELOPE_MAX};
    struct forged f = {.kind = 40, .id = CM_LIT("n"), .body = CM_LIT("t")};

    (void)state;
    env = wrap_stanzas(2, 1, cm_buf_view(&st));
    FAILS(ENVELOPE_MALFORMED, open_as(&env, keys[XWING]));
    cm_buf_free(&env);
    env = wrap_stanzas(1, 0, cm_buf_view(&none));
    FAILS(ENVELOPE_MALFORMED, open_as(&env, keys[XWING]));
    cm_buf_free(&env);
    for (unsigned i = 0; i < CM_STANZAS_MAX; i++)
        put_forged(&many, &f);
    env = wrap_stanzas(1, CM_STANZAS_MAX, cm_buf_view(&many));
    FAILS(ENVELOPE_NOT_FOR_US, open_as(&env, keys[XWING]));
    cm_buf_free(&env);
    put_forged(&many, &f);
    env = wrap_stanzas(1, CM_STANZAS_MAX + 1, cm_buf_view(&many));
    FAILS(ENVELOPE_MALFORMED, open_as(&env, keys[XWING]));
    cm_buf_free(&env);
    env = wrap_stanzas(1, 1, cm_buf_view(&st));
    OK(open_as(&env, keys[XWING]));
    OK(cm_buf_byte(&env, 0)); /* something behind it */
    FAILS(ENVELOPE_MALFORMED, open_as(&env, keys[XWING]));
    cm_buf_free(&env);
    FAILS(TOO_BIG, open_in(cm_view_of("", CM_ENVELOPE_MAX + 1ul), NULL, 0, &lax, CM_LIT("x")));
    cm_buf_free(&st);
    cm_buf_free(&many);
}

/* ---- damage -------------------------------------------------------------------------------- */

static bool refused(cm_err e)
{
    cm_class k = cm_err_class(e);

    return k == CM_CLASS_MALFORMED || k == CM_CLASS_UNAUTHENTIC || k == CM_CLASS_DENIED ||
           k == CM_CLASS_LIMIT;
}

/* E-1, E-4, E-5, E-7: whichever bit changes, nobody gets a key. */
static void every_byte(void **state)
{
    cm_envelope_passphrase p = {CM_LIT("x"), cheap};
    struct device d = {.name = "hsm", .number = 3};
    cm_recipient to[] = {cm_recipient_kem(keys[XWING]), to_device(&d), cm_recipient_passphrase(&p)};
    cm_opener o[] = {cm_opener_kem(keys[XWING]), of_device(&d), cm_opener_passphrase(&p)};
    cm_buf env = sealed_to(to, 3);
    size_t phrase = env.n - 150; /* below it Argon2id would run for every byte */

    (void)state;
    for (size_t i = 0; i < env.n; i++)
        for (unsigned bit = 0; bit < 8; bit += i % 4 == 0 ? 1 : 7) {
            env.p[i] ^= (uint8_t)(1u << bit);
            assert_true(refused(open_with(&env, o[0])));
            if (bit == 0)
                assert_true(refused(open_with(&env, o[1])));
            if (bit == 0 && i > phrase && i % 8 == 0)
                assert_true(refused(open_with(&env, o[2])));
            env.p[i] ^= (uint8_t)(1u << bit);
        }
    for (size_t n = 0; n < env.n; n++) {
        cm_err e = open_in(cm_view_of(env.p, n), o, 3, &lax, CM_LIT("context"));

        FAILS(ENVELOPE_MALFORMED, e);
    }
    OK(open_in(cm_buf_view(&env), o, 3, &lax, CM_LIT("context")));
    cm_buf_free(&env);
}

/* E-3: each kind is bound to the context it was made for, under a commitment that fits. */
static void moved_to_another_context(void **state)
{
    cm_buf st = stanza_to(XWING);
    cm_recipient to = cm_recipient_kem(keys[XWING]);
    cm_opener o = cm_opener_kem(keys[XWING]);
    cm_buf list = {.max = 8192}, env = {.max = 8192};
    uint8_t mac[32];

    (void)state;
    OK(seal(&env, &to, 1));
    FAILS(CRYPT_TAG, open_in(cm_buf_view(&env), &o, 1, &lax, CM_LIT("another")));
    FAILS(CRYPT_TAG, open_in(cm_buf_view(&env), &o, 1, &lax, (cm_view){0}));
    cm_buf_free(&env);
    OK(cm_cbor_put_array(&list, 1));
    OK(cm_buf_append(&list, cm_buf_view(&st)));
    commit(mac, cm_buf_view(&list), CM_LIT("another"));
    env = wrap_stanzas(1, 1, cm_buf_view(&st));
    memcpy(env.p + env.n - 32, mac, 32);
    FAILS(CRYPT_TAG, open_in(cm_buf_view(&env), &o, 1, &lax, CM_LIT("another")));
    FAILS(ENVELOPE_COMMITMENT,
          open_in(cm_buf_view(&env), &o, 1, &lax, CM_LIT("context"))); /* E-7 */
    cm_buf_free(&env);
    cm_buf_free(&list);
    cm_buf_free(&st);
}

/* E-7: stanzas dropped, added, reordered or moved; commitments swapped. */
static void commitment(void **state)
{
    cm_recipient to[2] = {cm_recipient_kem(keys[XWING]), cm_recipient_kem(keys[MLKEM768])};
    cm_buf a = sealed_to(to, 2), b = sealed_to(to, 2), one = stanza_to(XWING), c, two;
    cm_buf mixed = {.max = 8192};
    cm_key32 other = {"another key, which fits nothing"};

    (void)state;
    memcpy(a.p + a.n - 32, b.p + b.n - 32, 32);
    FAILS(ENVELOPE_COMMITMENT, open_as(&a, keys[XWING]));
    c = wrap_stanzas(1, 1, cm_buf_view(&one));
    memcpy(c.p + c.n - 32, b.p + b.n - 32, 32); /* one dropped */
    FAILS(ENVELOPE_COMMITMENT, open_as(&c, keys[XWING]));
    two = stanza_to(MLKEM768);
    OK(cm_buf_append(&mixed, cm_buf_view(&two)));
    OK(cm_buf_append(&mixed, cm_buf_view(&one)));
    cm_buf_free(&c);
    c = wrap_stanzas(1, 2, cm_buf_view(&mixed));
    OK(open_as(&c, keys[XWING])); /* whoever has the content key may */
    c.p[c.n - 1] ^= 1;
    FAILS(ENVELOPE_COMMITMENT, open_as(&c, keys[XWING]));
    FAILS(ENVELOPE_COMMITMENT, open_as(&c, keys[MLKEM768]));
    cm_buf_free(&c);
    /* a recipient is shown another key: the commitment fits the others' alone */
    c.max = 8192;
    OK(cm_envelope_seal(&c, crypt_, &other, to, 1, &lax, CM_LIT("context")));
    memcpy(b.p + 5, c.p + 5, one.n);
    FAILS(ENVELOPE_COMMITMENT, open_as(&b, keys[XWING]));
    cm_buf_free(&a);
    cm_buf_free(&b);
    cm_buf_free(&c);
    cm_buf_free(&one);
    cm_buf_free(&two);
    cm_buf_free(&mixed);
}

/* ---- changing recipients ------------------------------------------------------------------- */

static bool keep_mlkem(void *arg, const cm_stanza *st)
{
    (void)arg;
    return st->number == CM_KEM_MLKEM768;
}

static bool keep_none(void *arg, const cm_stanza *st)
{
    (void)arg;
    (void)st;
    return false;
}

/* E-11 */
static void reseal(void **state)
{
    cm_recipient to[2] = {cm_recipient_kem(keys[XWING]), cm_recipient_kem(keys[MLKEM768])};
    cm_recipient classical = cm_recipient_kem(keys[X25519]);
    cm_buf old = sealed_to(to, 2), env = {.max = CM_ENVELOPE_MAX};
    cm_view ctx = CM_LIT("context"), was = cm_buf_view(&old);
    unsigned seen = 0;

    (void)state;
    OK(cm_envelope_reseal(&env, crypt_, &content, was, keep_mlkem, NULL, NULL, 0, &lax, ctx));
    OK(open_as(&env, keys[MLKEM768]));
    FAILS(ENVELOPE_NOT_FOR_US, open_as(&env, keys[XWING]));
    cm_buf_free(&env);
    FAILS(ENVELOPE_NO_RECIPIENT,
          cm_envelope_reseal(&env, crypt_, &content, was, keep_none, NULL, NULL, 0, &lax, ctx));
    FAILS(ENVELOPE_MIXED, cm_envelope_reseal(&env, crypt_, &content, was, keep_all, &seen,
                                             &classical, 1, &lax, ctx)); /* E-8 */
    FAILS(ENVELOPE_TOO_MANY, cm_envelope_reseal(&env, crypt_, &content, was, keep_all, &seen, to,
                                                CM_STANZAS_MAX - 1, &lax, ctx));
    FAILS(ENVELOPE_MALFORMED,
          cm_envelope_reseal(&env, crypt_, &content, cm_view_of(was.p, was.n - 1), keep_all, &seen,
                             to, 1, &lax, ctx));
    assert_int_equal(env.n, 0);
    cm_buf_free(&old);
}

/* E-4: the id is what the spec says, and the body is plain HPKE that anyone can open. */
static void kem_stanza_is_hpke(void **state)
{
    cm_recipient to = cm_recipient_kem(keys[XWING]);
    cm_buf env = sealed_to(&to, 1), msg = {.max = 4096}, plain = {.max = 64};
    uint8_t info[20 + 1 + 1 + 32] = "casemate-envelope-v1", id[32];
    cm_stanza st;
    size_t n;

    (void)state;
    OK(cm_envelope_list(&st, 1, &n, cm_buf_view(&env)));
    OK(cm_buf_be16(&msg, 0x647a));
    OK(cm_buf_append(&msg, cm_kem_public(keys[XWING])));
    OK(cm_hash_once(crypt_, CM_SHA256, id, cm_buf_view(&msg)));
    assert_true(cm_view_eq(st.id, cm_view_of(id, 16)));
    info[21] = 1;
    OK(cm_hash_once(crypt_, CM_SHA256, info + 22, CM_LIT("context")));
    OK(cm_hpke_open(&plain, keys[XWING], (cm_hpke_suite){1, 2}, CM_VIEW(info), (cm_view){0},
                    st.body));
    assert_memory_equal(plain.p, content.b, 32);
    cm_buf_free(&env);
    cm_buf_free(&msg);
    cm_buf_free(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_of_each_kind),
        cmocka_unit_test(unknown_kinds_stay),
        cmocka_unit_test(envelope_form),
        cmocka_unit_test(every_byte),
        cmocka_unit_test(moved_to_another_context),
        cmocka_unit_test(commitment),
        cmocka_unit_test(reseal),
        cmocka_unit_test(kem_stanza_is_hpke),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
