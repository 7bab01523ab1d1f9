/* A store of collateral: what files are about, which of two counts, bundles, when to ask again. */
#include <string.h>

#include "attest/collateral.h"
#include "kit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { NOW = 1782000000 };

static cm_crypt *crypt;

static int begin(void **s)
{
    (void)s;
    return cm_failed(cm_crypt_new(&crypt, CM_PROFILE_DEFAULT));
}

static int end(void **s)
{
    (void)s;
    cm_crypt_free(crypt);
    return 0;
}

static cm_err of(cm_collateral *c, const char *text)
{
    return cm_collateral_describe(c, crypt, cm_view_str(text), NOW);
}

#define TCB(id, fmspc, from, to)                                                    \
    "{\"tcbInfo\":{\"id\":\"" id "\",\"fmspc\":\"" fmspc "\",\"issueDate\":\"" from \
    "\",\"nextUpdate\":\"" to "\"},\"signature\":\"00\"}"

/* AT-150 */
static void described(void **s)
{
    cm_collateral a, b;

    (void)s;
    assert_true(
        cm_ok(of(&a, TCB("TDX", "00806f050000", "2025-06-19T10:16:03Z", "2025-07-19T10:16:03Z"))));
    assert_string_equal(a.kind, "tcb-info");
    assert_int_equal(a.issued, 1750328163);
    assert_int_equal(a.next - a.issued, 30 * 86400);
    assert_true(
        cm_ok(of(&b, TCB("TDX", "00806f050001", "2025-06-19T10:16:03Z", "2025-07-19T10:16:03Z"))));
    assert_string_not_equal(a.slot, b.slot);
    assert_true(
        cm_ok(of(&b, TCB("TDX", "00806f050000", "2026-06-19T10:16:03Z", "2026-07-19T10:16:03Z"))));
    assert_string_equal(a.slot, b.slot);
    assert_true(cm_ok(of(&b, "{\"entries\":{}}")));
    assert_true(b.issued == NOW && b.next == 0);
    assert_int_equal(strspn(a.slot, "abcdefghijklmnopqrstuvwxyz0123456789-"), strlen(a.slot));
}

static void refused(void **s)
{
    static const char *const bad[] = {
        "{}",
        "{\"tcbInfo\":{}}",
        "{\"tcbInfo\":1}",
        "{\"entries\":[]}",
        TCB("TDX", "00", "2025-06-19", "2025-07-19T10:16:03Z"),
        TCB("TDX", "00", "2025-06-19T10:16:03Z", "2025-06-19T10:16:03Z"), /* over at once */
        TCB("TDX", "00", "2025-06-19T10:16:03Z", "2025-06-18T10:16:03Z"),
        TCB("", "00", "2025-06-19T10:16:03Z", "2025-07-19T10:16:03Z"),
        TCB("TDX", "00", "1969-06-19T10:16:03Z", "2025-07-19T10:16:03Z"),
        "<html>",
        "0",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    };
    cm_collateral c;

    (void)s;
    for (size_t i = 0; i < CM_COUNT(bad); i++)
        assert_true(cm_is(of(&c, bad[i]), CM_COLLATERAL_KIND));
    assert_true(cm_is(of(&c, ""), CM_COLLATERAL_KIND));
}

/* AT-151 */
static void newer(void **s)
{
    cm_collateral a = {.issued = 100, .next = 200}, b = a;

    (void)s;
    assert_true(cm_collateral_newer(&a, &b));
    b.issued = 99;
    b.next = 1000;
    assert_false(cm_collateral_newer(&a, &b));
    b.issued = 101;
    b.next = 150;
    assert_true(cm_collateral_newer(&a, &b));
    b = a;
    b.next = 199;
    assert_false(cm_collateral_newer(&a, &b));
}

/* AT-153 */
static void waits(void **s)
{
    cm_collateral c = {.next = 1000 + 7200};

    (void)s;
    assert_int_equal(cm_collateral_backoff(0, 7), 0);
    for (uint32_t n = 1; n < 80; n++) {
        uint64_t full = n > 11 ? 86400 : CM_MIN(UINT64_C(60) << (n - 1), UINT64_C(86400));

        assert_int_equal(cm_collateral_backoff(n, 0), full / 2);
        assert_int_equal(cm_collateral_backoff(n, full / 2), full);
        for (uint64_t r = 1; r < UINT64_MAX / 8000; r *= 7919)
            if (cm_collateral_backoff(n, r) < full / 2 || cm_collateral_backoff(n, r) > full)
                fail();
    }
    assert_int_equal(cm_collateral_due(&c, 1000), 1000 + 3600);
    c.next = 1000 + 100 * 86400ull;
    assert_int_equal(cm_collateral_due(&c, 1000), 1000 + 86400);
    c.next = 1001;
    assert_int_equal(cm_collateral_due(&c, 1000), 1000 + 600);
    c.next = 0;
    assert_int_equal(cm_collateral_due(&c, 1000), 1000 + 86400);
}

typedef struct {
    size_t n, bytes;
} seen;

static cm_err count(void *arg, cm_view file)
{
    seen *x = arg;

    x->n++;
    x->bytes += file.n;
    return CM_OKAY;
}

/* AT-154 */
static void bundles(void **s)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 4096};
    cm_view files[] = {CM_LIT("one"), CM_LIT("three")};
    seen x = {0};

    (void)s;
    assert_true(cm_ok(cm_collateral_bundle_put(&b, files, 2)));
    assert_true(cm_ok(cm_collateral_bundle_each(cm_buf_view(&b), count, &x)));
    assert_true(x.n == 2 && x.bytes == 8);
    for (size_t n = 0; n < b.n; n++) { /* nothing of a broken one is used */
        cm_err e = cm_collateral_bundle_each(cm_view_of(b.p, n), count, &x);

        assert_true(cm_is(e, CM_COLLATERAL_BUNDLE) && x.n == 2);
    }
    assert_true(cm_ok(cm_buf_byte(&b, 0)));
    assert_true(cm_is(cm_collateral_bundle_each(cm_buf_view(&b), count, &x), CM_COLLATERAL_BUNDLE));
    b.n = 0;
    files[1] = CM_LIT("");
    assert_true(cm_ok(cm_collateral_bundle_put(&b, files, 2)));
    assert_true(cm_is(cm_collateral_bundle_each(cm_buf_view(&b), count, &x), CM_COLLATERAL_BUNDLE));
    assert_int_equal(x.n, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(described), cmocka_unit_test(refused), cmocka_unit_test(newer),
        cmocka_unit_test(waits),     cmocka_unit_test(bundles),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
