/* Boot records, shares, threshold signing and the keeper while memory and randomness fail one call
 * after the other: the right class, nothing written, every request answered. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "fault.h"
#include "keys/frost.h"
#include "keys/unseal.h"
#include "run/keeper.h"

static const uint8_t keyfile[32] = {7};
static cm_crypt *crypt_;
static cm_root *root;

static const enum fault_kind kinds[] = {FAULT_ALLOC, FAULT_RANDOM};

static int setup(void **state)
{
    (void)state;
    return cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)) ||
           cm_failed(cm_root_new(&root, crypt_, CM_LIT("log")));
}

static int teardown(void **state)
{
    (void)state;
    cm_root_free(root);
    cm_crypt_free(crypt_);
    return 0;
}

/* Whether it worked. */
static bool classed(cm_err e, enum fault_kind kind)
{
    if (!fault_hit()) {
        assert_string_equal(cm_err_name(e), "OK");
        return true;
    }
    assert_int_equal(cm_err_class(e), kind == FAULT_ALLOC ? CM_CLASS_EXHAUSTED : CM_CLASS_INTERNAL);
    return false;
}

static cm_err seal(cm_buf *boot, cm_share *list, size_t *n)
{
    const cm_unseal_method m[2] = {{.kind = CM_UNSEAL_KEYFILE, .secret = CM_VIEW(keyfile)},
                                   {.kind = CM_UNSEAL_SHARES, .need = 2, .shares = 3}};

    return cm_boot_seal(boot, list, n, crypt_, root, m, 2);
}

static void boot_records(void **state)
{
    const cm_unseal_key key = {.kind = CM_UNSEAL_KEYFILE, .secret = CM_VIEW(keyfile)};
    const cm_boot_change change = {.rotate = true};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(kinds); i++) {
        fault_begin(kinds[i], ENOMEM);
        while (fault_next()) {
            cm_buf boot = {.max = CM_BOOT_MAX}, next = {.max = CM_BOOT_MAX};
            cm_share list[CM_SHARE_MAX] = {{.index = 77}};
            cm_root *got = NULL;
            size_t n = 99;

            if (!classed(seal(&boot, list, &n), kinds[i])) {
                assert_int_equal(boot.n, 0);
                assert_int_equal(list[0].index, 77);
                assert_int_equal(n, 99);
            } else if (!classed(cm_boot_open(&got, crypt_, cm_buf_view(&boot), &key), kinds[i])) {
                assert_null(got);
            } else if (!classed(cm_boot_alter(&next, NULL, NULL, crypt_, cm_buf_view(&boot), &key,
                                              &change),
                                kinds[i])) {
                assert_int_equal(next.n, 0);
            }
            cm_root_free(got);
            cm_buf_free(&boot);
            cm_buf_free(&next);
        }
    }
}

static void shares(void **state)
{
    const cm_key32 secret = {{9}};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(kinds); i++) {
        fault_begin(kinds[i], ENOMEM);
        while (fault_next()) {
            cm_share list[5] = {{.index = 77}}, back = {.index = 78};
            cm_key32 got = {{1}};
            cm_buf t = {.max = 256};

            if (!classed(cm_shamir_split(list, crypt_, &secret, 3, 5), kinds[i]))
                assert_int_equal(list[0].index, 77);
            else if (!classed(cm_shamir_join(&got, crypt_, list, 4, NULL), kinds[i]))
                assert_int_equal(got.b[0], 1);
            else if (!classed(cm_share_print(&t, crypt_, &list[0]), kinds[i]))
                assert_int_equal(t.n, 0);
            else if (!classed(cm_share_parse(&back, crypt_, cm_buf_view(&t)), kinds[i]))
                assert_int_equal(back.index, 78);
            cm_buf_free(&t);
        }
    }
}

static void threshold(void **state)
{
    (void)state;
    for (size_t i = 0; i < CM_COUNT(kinds); i++) {
        fault_begin(kinds[i], ENOMEM);
        while (fault_next()) {
            cm_frost_group g = {.n = 77};
            cm_frost_share s[3];
            cm_frost_nonces x = {.hiding = {1}};

            if (!classed(cm_frost_deal(&g, s, crypt_, CM_FROST_SECP256K1, 2, 3, NULL), kinds[i]))
                assert_int_equal(g.n, 77);
            else if (!classed(cm_frost_commit(&x, crypt_, &g, &s[0]), kinds[i]))
                assert_int_equal(x.hiding[0], 1);
        }
    }
}

static void answered(cm_keyop *op)
{
    (*(int *)op->arg)++;
}

/* Each request is answered, whatever fails, and the keeper goes on. */
static void keeper(void **state)
{
    enum { OPS = 40 };

    (void)state;
    fault_begin(FAULT_ALLOC, ENOMEM);
    while (fault_next()) {
        static cm_keyop op[OPS];
        cm_keeper_client *k = NULL;
        cm_keeper_options o = {0};
        int pair[2], done = 0;

        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
        o.fd = pair[0];
        if (classed(cm_keeper_new(&k, &o), FAULT_ALLOC)) {
            cm_keeper v = cm_keeper_of(k);

            for (int i = 0; i < OPS; i++) {
                op[i] = (cm_keyop){.code = CM_KEYOP_RANDOM, .done = answered, .arg = &done};
                v.submit(v.self, &op[i]);
            }
            cm_keeper_flush(k);
            assert_int_equal(cm_keeper_in_flight(k) + (size_t)done, OPS);
            cm_keeper_free(k);
            assert_int_equal(done, OPS);
        } else {
            assert_null(k);
        }
        close(pair[1]);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(boot_records),
        cmocka_unit_test(shares),
        cmocka_unit_test(threshold),
        cmocka_unit_test(keeper),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
