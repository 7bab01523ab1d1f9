#ifndef CM_UNIT_MINT_KIT_H
#define CM_UNIT_MINT_KIT_H
/* Minted evidence before the verifiers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mint.h"

enum { AT = 1800000000 };

typedef struct {
    cm_crypt *c;
    cm_attest_result r;
} judge;

static inline int judge_new(void **state)
{
    judge *j = calloc(1, sizeof *j);

    assert_non_null(j);
    assert_true(cm_ok(cm_crypt_new(&j->c, CM_PROFILE_DEFAULT)));
    *state = j;
    return 0;
}

static inline int judge_free(void **state)
{
    judge *j = *state;

    cm_attest_result_done(&j->r);
    cm_crypt_free(j->c);
    free(j);
    return 0;
}

#define JUDGE_TEST(fn) cmocka_unit_test_setup_teardown(fn, judge_new, judge_free)

/* Under the test roots alone. */
static inline cm_err verdict(judge *j, const mint *m, uint32_t may_skip)
{
    CM_TRY(cm_attest_verify_under(&j->r, j->c, mint_roots(), &m->in, &m->p));
    return cm_attest_decide(&j->r, may_skip);
}

static inline void show(const judge *j, const mint *m)
{
    fprintf(stderr, "%s %s:\n", m->kind, m->spec.defect ? m->spec.defect : "as it should be");
    for (unsigned i = 0; i < CM_CHECK_COUNT; i++)
        if (j->r.check[i].verdict != CM_VERDICT_ABSENT)
            fprintf(stderr, "  %s %s %s\n", cm_verdict_name(j->r.check[i].verdict),
                    cm_attest_check_name((cm_attest_check)i),
                    j->r.check[i].why ? j->r.check[i].why : "");
}

static inline void expect(bool good, const judge *j, const mint *m)
{
    if (!good)
        show(j, m);
    assert_true(good);
}

static inline bool fails(const judge *j, cm_attest_check check)
{
    return j->r.check[check].verdict == CM_VERDICT_FAIL;
}

static inline bool passes(const judge *j, cm_attest_check check)
{
    return j->r.check[check].verdict == CM_VERDICT_PASS;
}

static inline mint *sound(const char *kind)
{
    return mint_new(kind, &(mint_spec){.at = AT});
}

static inline mint *with(const char *kind, const char *defect)
{
    return mint_new(kind, &(mint_spec){.at = AT, .defect = defect});
}

/* That a kind with a defect is refused, by that check. */
static inline void refused(judge *j, const char *kind, const char *defect, cm_attest_check check)
{
    mint *m = with(kind, defect);

    expect(cm_is(verdict(j, m, UINT32_MAX), CM_ATTEST_REFUSED), j, m);
    expect(fails(j, check), j, m);
    mint_free(m);
}

#endif
