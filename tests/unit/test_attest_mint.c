/* Every kind of evidence, minted: it is accepted with nothing skipped, and with each defect that
 * the kind can have it is refused by the check that is there for it and by no other. */
#include "mint_kit.h"

enum { CASES = 600 };

static void accepts(void **state)
{
    judge *j = *state;
    const char *kind;

    for (size_t i = 0; (kind = mint_kind(i)) != NULL; i++) {
        mint *m = mint_new(kind, &(mint_spec){.at = AT});

        expect(cm_ok(verdict(j, m, m->skips)), j, m);
        mint_free(m);
    }
}

/* AT-5: the vendors' roots alone do not do for it. */
static void release_refuses(void **state)
{
    judge *j = *state;
    const char *kind;

    for (size_t i = 0; (kind = mint_kind(i)) != NULL; i++) {
        mint *m = mint_new(kind, &(mint_spec){.at = AT});

        /* Of these the policy names the key itself. */
        if (m->in.kind == CM_ATTEST_ASSERTION || strcmp(kind, "tpm-listed") == 0) {
            mint_free(m);
            continue;
        }
        assert_true(cm_ok(cm_attest_verify(&j->r, j->c, &m->in, &m->p)));
        expect(cm_is(cm_attest_decide(&j->r, UINT32_MAX), CM_ATTEST_REFUSED), j, m);
        expect(j->r.check[CM_CHECK_CHAIN].verdict == CM_VERDICT_FAIL, j, m);
        mint_free(m);
    }
}

static void refuses_one(judge *j, const char *kind, const mint_defect *d)
{
    mint *m = mint_new(kind, &(mint_spec){.at = AT, .defect = d->name});

    expect(cm_is(verdict(j, m, UINT32_MAX), CM_ATTEST_REFUSED), j, m);
    expect(j->r.check[d->check].verdict == CM_VERDICT_FAIL, j, m);
    for (unsigned i = 0; i < CM_CHECK_COUNT; i++)
        expect(j->r.check[i].verdict != CM_VERDICT_FAIL || i == d->check || (d->also & 1u << i), j,
               m);
    mint_free(m);
}

static void refuses(void **state)
{
    const mint_defect *d;
    const char *kind;
    size_t n = 0;

    for (size_t k = 0; (kind = mint_kind(k)) != NULL; k++)
        for (size_t i = 0; (d = mint_defect_at(i)) != NULL; i++) {
            if (!mint_defect_of(d, kind))
                continue;
            refuses_one(*state, kind, d);
            n++;
        }
    assert_true(n >= CASES);
    print_message("%zu cases\n", n);
}

/* AT-45: firmware that was replaced under a running TD. */
static void relaunch(void **state)
{
    static const struct {
        const char *defect;
        bool helps;
    } of[] = {{"relaunch", true}, {"old-module", false}, {"old-pce", false}};
    judge *j = *state;

    for (size_t i = 0; i < CM_COUNT(of); i++) {
        mint *m = with("tdx-v5-td15", of[i].defect);
        const cm_attest_claim *claim;

        expect(cm_failed(verdict(j, m, UINT32_MAX)) && fails(j, CM_CHECK_TCB), j, m);
        assert_int_equal(j->r.tcb, CM_TCB_OUT_OF_DATE);
        claim = cm_attest_find(&j->r, "relaunch");
        assert_true((claim != NULL) == of[i].helps);
        if (claim)
            assert_true(cm_view_eq(cm_attest_claim_view(&j->r, claim), CM_LIT("up to date")));
        mint_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JUDGE_TEST(accepts),
        JUDGE_TEST(release_refuses),
        JUDGE_TEST(refuses),
        JUDGE_TEST(relaunch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
