/* Every kind of evidence, minted: it is accepted with nothing skipped, and with each defect that
 * the kind can have it is refused by the check that is there for it and by no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mint.h"

enum { AT = 1800000000, CASES = 600 };

typedef struct {
    cm_crypt *c;
    cm_attest_result r;
} judge;

static int setup(void **state)
{
    judge *j = calloc(1, sizeof *j);

    assert_non_null(j);
    assert_true(cm_ok(cm_crypt_new(&j->c, CM_PROFILE_DEFAULT)));
    *state = j;
    return 0;
}

static int teardown(void **state)
{
    judge *j = *state;

    cm_attest_result_done(&j->r);
    cm_crypt_free(j->c);
    free(j);
    return 0;
}

static cm_err verdict(judge *j, const mint *m, uint32_t may_skip)
{
    CM_TRY(cm_attest_verify_under(&j->r, j->c, mint_roots(), &m->in, &m->p));
    return cm_attest_decide(&j->r, may_skip);
}

static void show(const judge *j, const mint *m)
{
    fprintf(stderr, "%s %s:\n", m->kind, m->spec.defect ? m->spec.defect : "as it should be");
    for (unsigned i = 0; i < CM_CHECK_COUNT; i++)
        if (j->r.check[i].verdict != CM_VERDICT_ABSENT)
            fprintf(stderr, "  %s %s %s\n", cm_verdict_name(j->r.check[i].verdict),
                    cm_attest_check_name((cm_attest_check)i),
                    j->r.check[i].why ? j->r.check[i].why : "");
}

static void expect(bool good, const judge *j, const mint *m)
{
    if (!good)
        show(j, m);
    assert_true(good);
}

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

        if (m->in.kind == CM_ATTEST_ASSERTION) { /* the policy names its key */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(accepts, setup, teardown),
        cmocka_unit_test_setup_teardown(release_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
