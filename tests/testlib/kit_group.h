#ifndef TESTLIB_KIT_GROUP_H
#define TESTLIB_KIT_GROUP_H
/* A group of cmocka tests over one kit; <cmocka.h> comes first. */
#include "kit.h"

#define OK(x)       assert_string_equal(cm_err_name(x), "OK")
#define FAILS(r, x) assert_string_equal(cm_err_name(x), #r)

static t_kit *kit;

static int setup(void **state)
{
    (void)state;
    kit = t_kit_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    t_kit_done(kit);
    return 0;
}

#endif
