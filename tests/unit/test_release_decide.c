/* Challenges and the decision, over quotes of a TPM of our own that the policy names. */
#include <stdio.h>
#include <string.h>

#include "quote_kit.h"
#include "release/decide.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { NOW = 1800000000, IMAGE = 7 };

static cm_crypt *c;
static t_quoter *tpm;
static cm_policy *policy;
static uint8_t key[CM_RCAR_KEY];

/* What one requester brings, made wrong in some way. */
typedef struct {
    uint8_t image;
    uint32_t resets, restarts;
    bool wrong_nonce, wrong_key, of_snp, init_data;
    uint64_t answered;
} asked;

static cm_policy *read_policy(unsigned version, const char *more)
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = 4096};
    cm_policy_fault f;
    cm_policy *p = NULL;
    cm_err e;

    t_quote_policy(&text, tpm, "fleet", version, IMAGE, more);
    e = cm_policy_read(&p, cm_buf_view(&text), &f);
    if (cm_failed(e))
        print_message("%u:%u %s\n", f.line, f.column, f.what);
    assert_true(cm_ok(e));
    return p;
}

static cm_challenge challenge_for(cm_attest_kind kind)
{
    CM_AUTO(cm_rcar_challenge_done) cm_rcar_challenge m = {0};
    cm_rcar_request r = {.tee = kind, .hash = CM_SHA384};
    cm_challenge ch;

    assert_true(cm_ok(cm_challenge_make(&ch, &m, c, &r, NOW, 0)));
    assert_memory_equal(m.nonce, ch.nonce, sizeof ch.nonce);
    assert_int_equal(ch.expires, NOW + CM_CHALLENGE_TTL);
    return ch;
}

static void decide(cm_decision *d, const asked *a)
{
    cm_challenge ch = challenge_for(a->of_snp ? CM_ATTEST_SNP : CM_ATTEST_TPM);
    CM_AUTO(cm_rcar_attestation_done) cm_rcar_attestation m = {.n = 1};
    cm_release_terms t = {.policy = policy, .challenge = &ch, .now = a->answered};
    t_quote what = {.pcr11 = a->image, .resets = a->resets, .restarts = a->restarts};
    uint8_t digest[CM_HASH_MAX];

    memcpy(m.nonce, ch.nonce, sizeof m.nonce);
    memcpy(m.key, key, sizeof m.key);
    if (a->wrong_nonce)
        m.nonce[31] ^= 1;
    assert_true(cm_ok(cm_rcar_report_data(digest, c, ch.hash, m.nonce, m.key, CM_LIT(""))));
    if (a->wrong_key)
        m.key[0] ^= 1;
    what.nonce = cm_view_of(digest, 48);
    m.init_data.max = 16;
    if (a->init_data)
        assert_true(cm_ok(cm_buf_byte(&m.init_data, '#')));
    m.piece[0] = (cm_rcar_piece){.kind = CM_ATTEST_TPM, .evidence = {.max = 8192}};
    t_quote_pack(&m.piece[0].evidence, tpm, &what);
    assert_true(cm_ok(cm_release_decide_rcar(d, c, &t, &m)));
    cm_challenge_done(&ch);
}

static void expect(const asked *a, bool accepted, const char *part)
{
    cm_decision d = {0};

    decide(&d, a);
    if (d.answer.accepted != accepted || !strstr(d.answer.sentence, part))
        print_message("%s\n", d.answer.sentence);
    assert_int_equal(d.answer.accepted, accepted);
    assert_non_null(strstr(d.answer.sentence, part));
    cm_decision_done(&d);
}

static void answers(void **s)
{
    (void)s;
    expect(&(asked){.image = IMAGE, .answered = NOW}, true, "accepts the TPM 2.0 quote");
    expect(&(asked){.image = 8, .answered = NOW}, false, "measurement failed");
    /* RL-5 */
    expect(&(asked){.image = IMAGE, .answered = NOW, .wrong_key = true}, false, "fresh failed");
    /* RL-12 */
    expect(&(asked){.image = IMAGE, .answered = NOW, .wrong_nonce = true}, false, "fresh failed");
    expect(&(asked){.image = IMAGE, .answered = NOW + CM_CHALLENGE_TTL - 1}, true, "accepts");
    expect(&(asked){.image = IMAGE, .answered = NOW + CM_CHALLENGE_TTL}, false,
           "the challenge is over");
    expect(&(asked){.image = IMAGE, .answered = NOW - 1}, false, "in the future");
    /* RL-13 */
    expect(&(asked){.image = IMAGE, .answered = NOW, .of_snp = true}, false,
           "another kind of environment");
    /* RL-81: a TPM's quote is bound to none. */
    expect(&(asked){.image = IMAGE, .answered = NOW, .init_data = true}, false,
           "not bound to the init-data");
}

/* RL-15 */
static void starts(void **s)
{
    cm_decision a = {0}, b = {0}, r = {0};

    (void)s;
    decide(&a, &(asked){.image = IMAGE, .answered = NOW, .resets = 3});
    decide(&b, &(asked){.image = IMAGE, .answered = NOW + 9, .resets = 3});
    assert_memory_equal(a.boot, b.boot, CM_BOOT_ID);
    decide(&r, &(asked){.image = IMAGE, .answered = NOW, .resets = 4});
    assert_memory_not_equal(a.boot, r.boot, CM_BOOT_ID);
    decide(&r, &(asked){.image = IMAGE, .answered = NOW, .resets = 3, .restarts = 1});
    assert_memory_not_equal(a.boot, r.boot, CM_BOOT_ID);
    cm_decision_done(&a);
    cm_decision_done(&b);
    cm_decision_done(&r);
}

/* RL-16: a chain that was only named by the policy leaves revocation unlooked at. */
static void trust(void **s)
{
    cm_attest_result r = {.kind = CM_ATTEST_SNP, .tcb = CM_TCB_UP_TO_DATE};
    cm_decision d = {0};
    cm_trust t;

    (void)s;
    decide(&d, &(asked){.image = IMAGE, .answered = NOW});
    assert_int_equal(d.trust[0].claim[CM_TRUST_HARDWARE], 32);
    assert_int_equal(d.trust[0].claim[CM_TRUST_EXECUTABLES], 3);
    assert_int_equal(cm_trust_status(&d.trust[0]), CM_TRUST_WARNING);
    cm_decision_done(&d);

    for (unsigned i = 0; i < CM_CHECK_COUNT; i++)
        r.check[i].verdict = CM_VERDICT_PASS;
    cm_trust_of(&t, &r, 0);
    assert_memory_equal(t.claim, ((uint8_t[]){2, 2, 3, 0, 2, 2, 0, 0}), sizeof t.claim);
    assert_int_equal(cm_trust_status(&t), CM_TRUST_AFFIRMING);
    cm_trust_of(&t, &r, CM_ATTEST_ALLOW_DEBUG);
    assert_memory_equal(t.claim, ((uint8_t[]){2, 32, 3, 0, 2, 0, 0, 0}), sizeof t.claim);
    r.tcb = CM_TCB_SW_HARDENING;
    cm_trust_of(&t, &r, 0);
    assert_int_equal(t.claim[CM_TRUST_HARDWARE], 32);
    r.tcb = CM_TCB_UP_TO_DATE;
    r.check[CM_CHECK_REVOCATION].verdict = CM_VERDICT_SKIP;
    cm_trust_of(&t, &r, 0);
    assert_int_equal(t.claim[CM_TRUST_HARDWARE], 32);
    r.check[CM_CHECK_TCB].verdict = CM_VERDICT_FAIL;
    cm_trust_of(&t, &r, 0);
    assert_int_equal(t.claim[CM_TRUST_HARDWARE], 96);
    assert_int_equal(cm_trust_status(&t), CM_TRUST_CONTRAINDICATED);
    r.check[CM_CHECK_CHAIN].verdict = CM_VERDICT_FAIL;
    r.check[CM_CHECK_DEBUG].verdict = CM_VERDICT_FAIL;
    r.check[CM_CHECK_MEASUREMENT].verdict = CM_VERDICT_SKIP;
    r.check[CM_CHECK_CHIP].verdict = CM_VERDICT_FAIL;
    cm_trust_of(&t, &r, 0);
    assert_memory_equal(t.claim, ((uint8_t[]){97, 96, 33, 0, 97, 96, 0, 0}), sizeof t.claim);
    r.check[CM_CHECK_SIGNATURE].verdict = CM_VERDICT_FAIL;
    cm_trust_of(&t, &r, 0);
    assert_memory_equal(t.claim, ((uint8_t[]){0, 0, 0, 0, 99, 0, 0, 0}), sizeof t.claim);
}

/* Our own form: bound by E instead of runtime data. */
static void bound(void **s)
{
    cm_challenge ch = challenge_for(CM_ATTEST_TPM);
    cm_release_terms t = {.policy = policy, .challenge = &ch, .now = NOW};
    cm_binding b = {.role = CM_LIT(CM_BIND_CLIENT),
                    .suite = CM_LIT("ML-KEM-768+A192KW"),
                    .hpke_key = CM_VIEW(key),
                    .nonce = CM_VIEW(ch.nonce)};
    CM_AUTO(cm_buf_free) cm_buf pack = {.max = 8192};
    cm_attest_input in = {.kind = CM_ATTEST_TPM};
    t_quote what = {.pcr11 = IMAGE};
    cm_decision d = {0};
    uint8_t fresh[CM_BIND_SIZE];
    cm_bound e;
    size_t n;

    (void)s;
    assert_true(cm_ok(cm_bind(&e, c, &b)));
    assert_true(cm_ok(cm_bound_for(fresh, &n, c, &e, CM_ATTEST_TPM)));
    what.nonce = cm_view_of(fresh, n);
    t_quote_pack(&pack, tpm, &what);
    in.evidence = cm_buf_view(&pack);
    assert_true(cm_ok(cm_release_decide_bound(&d, c, &t, &b, &in, 1)));
    assert_true(d.answer.accepted);
    b.manifest = cm_view_of(key, 32); /* another model than the machine said */
    assert_true(cm_ok(cm_release_decide_bound(&d, c, &t, &b, &in, 1)));
    assert_false(d.answer.accepted);
    assert_non_null(strstr(d.answer.sentence, "fresh failed"));
    b.nonce = cm_view_of(key, 32);
    assert_true(cm_is(cm_release_decide_bound(&d, c, &t, &b, &in, 1), CM_BAD_ARGUMENT));
    in.evidence = CM_LIT("\xa3nonsense");
    b.nonce = CM_VIEW(ch.nonce);
    assert_true(cm_ok(cm_release_decide_bound(&d, c, &t, &b, &in, 1)));
    assert_false(d.answer.accepted);
    cm_decision_done(&d);
}

/* RL-14: the verifier looks for what this challenge's credential was made for. */
static void activations(void **s)
{
    cm_challenge ch = challenge_for(CM_ATTEST_TPM);
    cm_policy unlisted = *policy;
    cm_release_terms t = {.policy = &unlisted, .challenge = &ch, .now = NOW};
    CM_AUTO(cm_rcar_attestation_done) cm_rcar_attestation m = {.n = 1};
    cm_decision d = {0};
    t_quote what = {.pcr11 = IMAGE, .nonce = CM_LIT("whatever")};

    (void)s;
    for (size_t i = 0; i < unlisted.n_rules; i++)
        unlisted.rule[i].n_chips = 0;
    m.piece[0] = (cm_rcar_piece){.kind = CM_ATTEST_TPM, .evidence = {.max = 8192}};
    t_quote_pack(&m.piece[0].evidence, tpm, &what);
    assert_true(cm_ok(cm_release_decide_rcar(&d, c, &t, &m)));
    assert_non_null(strstr(d.answer.sentence, "nothing shows whose attestation key it is"));
    ch.has_activation = true;
    assert_true(cm_ok(cm_release_decide_rcar(&d, c, &t, &m)));
    assert_non_null(strstr(d.answer.sentence, "the endorsement key's certificate is not there"));
    assert_false(d.answer.accepted);
    cm_decision_done(&d);
}

/* RL-11 */
static void records(void **s)
{
    cm_challenge ch = challenge_for(CM_ATTEST_TPM), back;
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_CHALLENGE_RECORD_MAX};
    CM_AUTO(cm_rcar_challenge_done) cm_rcar_challenge m = {0};
    cm_rcar_request r = {.tee = CM_ATTEST_TPM, .hash = CM_SHA384};

    (void)s;
    ch.has_activation = true;
    ch.activation.name_n = T_QUOTE_NAME;
    memset(&ch.activation.secret, 9, sizeof ch.activation.secret);
    assert_true(cm_ok(cm_challenge_put(&b, &ch)));
    assert_true(cm_ok(cm_challenge_read(&back, cm_buf_view(&b))));
    assert_memory_equal(back.nonce, ch.nonce, sizeof ch.nonce);
    assert_true(back.has_activation && back.activation.name_n == T_QUOTE_NAME);
    assert_memory_equal(back.activation.secret, ch.activation.secret, CM_TPM_SECRET);
    assert_int_equal(back.expires, ch.expires);
    for (size_t n = 0; n < b.n; n++)
        assert_true(cm_is(cm_challenge_read(&back, cm_view_of(b.p, n)), CM_RELEASE_CHALLENGE));
    assert_true(cm_ok(cm_buf_byte(&b, 0)));
    assert_true(cm_is(cm_challenge_read(&back, cm_buf_view(&b)), CM_RELEASE_CHALLENGE));
    b.n = 0;
    ch.expires = ch.made + CM_CHALLENGE_TTL_MAX + 1;
    assert_true(cm_ok(cm_challenge_put(&b, &ch)));
    assert_true(cm_is(cm_challenge_read(&back, cm_buf_view(&b)), CM_RELEASE_CHALLENGE));
    assert_true(
        cm_is(cm_challenge_make(&back, &m, c, &r, NOW, CM_CHALLENGE_TTL_MAX + 1), CM_BAD_ARGUMENT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers), cmocka_unit_test(starts),      cmocka_unit_test(trust),
        cmocka_unit_test(bound),   cmocka_unit_test(activations), cmocka_unit_test(records),
    };
    int failed;

    if (cm_failed(cm_crypt_new(&c, CM_PROFILE_DEFAULT)))
        return 1;
    tpm = t_quoter_new(c, 5);
    policy = read_policy(3, "");
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    cm_policy_free(policy);
    t_quoter_done(tpm);
    cm_crypt_free(c);
    return failed;
}
