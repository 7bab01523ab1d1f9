/* What stands behind a run: its tier, what evidence is bound to, and the log of a register. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "enclave/standing.h"
#include "kit_group.h"

/* ---- tiers --------------------------------------------------------------------------------- */

static void a_tier_is_no_better_than_what_backs_it(void **state) /* EN-60 */
{
    static const struct {
        cm_backing processor, tpm;
        const char *name;
        bool emulated, simulated;
    } all[] = {
        {CM_BACKED_NOT, CM_BACKED_NOT, "simulated", false, true},
        {CM_BACKED_NOT, CM_BACKED_EMULATED, "measured", true, true},
        {CM_BACKED_NOT, CM_BACKED, "measured", false, false},
        {CM_BACKED_EMULATED, CM_BACKED_NOT, "confidential-guest", true, true},
        {CM_BACKED_EMULATED, CM_BACKED_EMULATED, "confidential-guest", true, true},
        {CM_BACKED_EMULATED, CM_BACKED, "measured", false, false},
        {CM_BACKED, CM_BACKED_NOT, "confidential-guest", false, false},
        {CM_BACKED, CM_BACKED_EMULATED, "confidential-guest", false, false},
        {CM_BACKED, CM_BACKED, "confidential-guest", false, false},
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(all); i++) {
        cm_standing s = cm_standing_of(all[i].processor, all[i].tpm);

        assert_string_equal(cm_standing_name(s), all[i].name);
        assert_int_equal(s.emulated, all[i].emulated);
        assert_int_equal(cm_standing_simulated(s), all[i].simulated);
        assert_int_equal(strncmp(cm_standing_text(s), "SIMULATED", 9) == 0, all[i].simulated);
    }
}

static void emulations_are_known_by_name(void **state) /* EN-60 */
{
    (void)state;
    assert_true(cm_standing_maker_emulated("IBMSWTPM"));
    assert_true(cm_standing_maker_emulated("XYZZxCGfTPM"));
    assert_false(cm_standing_maker_emulated("IBM"));
    assert_false(cm_standing_maker_emulated("INTC"));
    assert_false(cm_standing_maker_emulated(""));
    assert_true(cm_standing_firmware_emulated(0x2019102300163636));
    assert_false(cm_standing_firmware_emulated(0x0016363600000001));
}

/* ---- what evidence is bound to ------------------------------------------------------------- */

static cm_pkey *key_new(void)
{
    cm_sig_key *k = NULL;
    cm_pkey *p = NULL;

    assert_true(cm_ok(cm_sig_generate(&k, kit->crypt, CM_SIG_MLDSA65)));
    assert_true(cm_ok(cm_pkey_from_sig(&p, &k)));
    return p;
}

/* EN-61, as a verifier that knows spec/attest.md alone would compute it. */
static void bound_by_the_common_rule(void **state)
{
    uint8_t manifest[32] = {1}, nonce[32] = {2};
    cm_pkey *key = key_new();
    cm_buf spki = {.max = 1 << 13};
    cm_binding b = {
        .role = CM_LIT("enclave"), .nonce = CM_VIEW(nonce), .manifest = CM_VIEW(manifest)};
    cm_bound got, want;

    (void)state;
    assert_true(cm_ok(cm_standing_bind(&got, kit->crypt, manifest, NULL, nonce)));
    assert_true(cm_ok(cm_bind(&want, kit->crypt, &b)));
    assert_memory_equal(got.e, want.e, sizeof got.e);
    assert_true(cm_ok(cm_pkey_public_der(&spki, key)));
    b.tls_key = cm_buf_view(&spki);
    assert_true(cm_ok(cm_standing_bind(&got, kit->crypt, manifest, key, nonce)));
    assert_memory_not_equal(got.e, want.e, sizeof got.e);
    assert_true(cm_ok(cm_bind(&want, kit->crypt, &b)));
    assert_memory_equal(got.e, want.e, sizeof got.e);
    manifest[31] = 1;
    assert_true(cm_ok(cm_standing_bind(&got, kit->crypt, manifest, key, nonce)));
    assert_memory_not_equal(got.e, want.e, sizeof got.e);
    cm_buf_free(&spki);
    cm_pkey_free(key);
}

/* ---- the log of a register ----------------------------------------------------------------- */

static void put(cm_buf *log, unsigned pcr, uint8_t first)
{
    uint8_t d[32] = {first};

    assert_true(cm_ok(cm_enclave_log_line(log, pcr, d)));
}

static void extend(uint8_t value[32], uint8_t first)
{
    uint8_t both[64] = {0};

    memcpy(both, value, 32);
    both[32] = first;
    assert_true(cm_ok(cm_hash_once(kit->crypt, CM_SHA256, value, CM_VIEW(both))));
}

static void replays_as_the_register_does(void **state) /* EN-62 */
{
    uint8_t digest[32] = {7}, value[32] = {0};
    cm_buf log = {.max = 4096};
    cm_enclave_replay r;

    (void)state;
    assert_true(cm_ok(cm_enclave_log_replay(&r, kit->crypt, cm_buf_view(&log), 15, digest)));
    assert_memory_equal(r.value, value, 32);
    assert_int_equal(r.all + r.wanted, 0);
    put(&log, 15, 7);
    put(&log, 3, 7);
    put(&log, 15, 8);
    put(&log, 15, 7);
    extend(value, 7);
    extend(value, 8);
    extend(value, 7);
    assert_true(cm_ok(cm_enclave_log_replay(&r, kit->crypt, cm_buf_view(&log), 15, digest)));
    assert_memory_equal(r.value, value, 32);
    assert_int_equal(r.all, 3);
    assert_int_equal(r.wanted, 2);
    cm_buf_free(&log);
}

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static void other_logs_are_refused(void **state) /* EN-62 */
{
    static const char *const bad[] = {
        "15 " ZEROS,
        "\n",
        "15 " ZEROS "0\n",
        "15  " ZEROS "\n",
        " 15 " ZEROS "\n",
        "015 " ZEROS "\n",
        "16 " ZEROS "\n",
        "-1 " ZEROS "\n",
        "15 " ZEROS "\r\n",
        "15\t" ZEROS "\n",
        ZEROS "\n",
        " " ZEROS "\n",
        "15 " ZEROS "\n\n",
        "15 " ZEROS "\n15",
        "1e " ZEROS "\n",
        "15 A000000000000000000000000000000000000000000000000000000000000000\n",
        "15 g000000000000000000000000000000000000000000000000000000000000000\n",
    };
    uint8_t digest[32] = {0};
    cm_enclave_replay r = {.all = 42};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(bad); i++)
        assert_true(cm_is(cm_enclave_log_replay(&r, kit->crypt, cm_view_str(bad[i]), 15, digest),
                          CM_ENCLAVE_LOG));
    assert_int_equal(r.all, 42);
    assert_true(cm_ok(
        cm_enclave_log_replay(&r, kit->crypt, CM_LIT("0 " ZEROS "\n15 " ZEROS "\n"), 15, digest)));
    assert_int_equal(r.wanted, 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tier_is_no_better_than_what_backs_it),
        cmocka_unit_test(emulations_are_known_by_name),
        cmocka_unit_test(bound_by_the_common_rule),
        cmocka_unit_test(replays_as_the_register_does),
        cmocka_unit_test(other_logs_are_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
