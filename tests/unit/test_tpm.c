/* The machine's TPM, emulated: registers, quotes that the verifier takes, activation, sealing under
 * registers; another TPM, another boot, damage; what needs none. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "attest/attest.h"
#include "base/ct.h"
#include "keys_tpm/recipient.h"
#include "keys_tpm/tpm_int.h"
#include "swtpm.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

#ifdef __SANITIZE_ADDRESS__
#define LEAKS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LEAKS 1
#endif
#endif
#ifdef LEAKS
/* What the system's OpenSSL keeps for tpm2-tss; ours is linked in and has no such name. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libcrypto.so.3\n";
}
#endif

static cm_crypt *crypt_;
static char dir[T_PATH];
static t_swtpm one, two;
static bool have;
static const cm_key32 secret = {{1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16,
                                 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32}};

static int set_up(void **state)
{
    cm_tpm *t;
    cm_err e;

    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)setenv("TSS2_LOG", "all+none", 1);
    t_mkdir(dir);
    if (cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)))
        return 1;
    e = cm_tpm_open(&t, crypt_, "swtpm:path=/nonexistent/s");
    if (cm_is(e, CM_TPM_NOT_BUILT) || cm_is(e, CM_TPM_LIBRARY)) {
        printf("SKIP: %s\n", cm_err_what(e));
        return 0;
    }
    have = t_swtpm_new(&one, dir, "one", true) && t_swtpm_new(&two, dir, "two", false);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    t_swtpm_kill(&one);
    t_swtpm_kill(&two);
    cm_crypt_free(crypt_);
    t_rmdir(dir);
    return 0;
}

static cm_tpm *tpm_of(const t_swtpm *s)
{
    cm_tpm *t;

    if (!have)
        skip();
    OK(cm_tpm_open(&t, crypt_, s->tcti));
    return t;
}

static const cm_tpm_selection some = {.registers = 1 << 7 | 1 << 11};

/* ---- without a TPM ------------------------------------------------------------------------- */

static void no_tpm(void **state)
{
    cm_tpm *t = NULL;

    (void)state;
    if (!have)
        skip();
    IS(cm_tpm_open(&t, crypt_, "device:/nonexistent/tpm"), TPM_NONE);
    IS(cm_tpm_open(&t, crypt_, "nonsense:x"), TPM_NONE);
    assert_null(t);
}

static void selections(void **state)
{
    static const char *const bad[] = {
        "",   "pcr=", "24",          "7,7",         "7,",      ",7",
        "7 ", "x",    "bank=sha256", "7,bank=sha1", "7,bank=", "7,bank=sha256,bank=sha256",
        "07x"};
    cm_tpm_selection s = {0};
    char text[128];

    (void)state;
    OK(cm_tpm_selection_read(&s, CM_LIT("pcr=7,11")));
    assert_int_equal(s.registers, 1 << 7 | 1 << 11);
    assert_int_equal(s.bank, CM_TPM_BANK_SHA256);
    cm_tpm_selection_text(text, &s);
    assert_string_equal(text, "7,11");
    OK(cm_tpm_selection_read(&s, CM_LIT("23,bank=sha384,0")));
    assert_int_equal(s.registers, 1 << 23 | 1);
    cm_tpm_selection_text(text, &s);
    assert_string_equal(text, "0,23 (SHA-384)");
    for (size_t i = 0; i < CM_COUNT(bad); i++)
        IS(cm_tpm_selection_read(&s, cm_view_str(bad[i])), TPM_SELECTION);
    assert_int_equal(s.registers, 1 << 23 | 1);
}

/* TP-1, TP-2: each field, and what is not canonical. */
static void blob_form(void **state)
{
    static const uint8_t values[64] = {1}, name[34] = {0, 11}, area[40] = {2};
    cm_tpm_sealed s = {.pcrs = {CM_TPM_BANK_SHA256, 1 << 7 | 1 << 11},
                       .values = CM_VIEW(values),
                       .parent = CM_VIEW(name),
                       .pub = CM_VIEW(area),
                       .priv = CM_VIEW(area)};
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = CM_TPM_SEALED_MAX};
    cm_tpm_sealed got, before;

    (void)state;
    OK(cm_tpm_sealed_put(&blob, &s));
    OK(cm_tpm_sealed_read(&got, cm_buf_view(&blob)));
    assert_int_equal(got.pcrs.registers, s.pcrs.registers);
    assert_true(cm_view_eq(got.values, s.values) && cm_view_eq(got.parent, s.parent));
    before = got;
    for (size_t n = 0; n < blob.n; n++)
        IS(cm_tpm_sealed_read(&got, cm_view_of(blob.p, n)), TPM_BLOB);
    blob.p[2] = 2; /* version */
    IS(cm_tpm_sealed_read(&got, cm_buf_view(&blob)), TPM_BLOB);
    blob.n = 0;
    s.pcrs.registers = 1 << 7; /* fewer than values */
    OK(cm_tpm_sealed_put(&blob, &s));
    IS(cm_tpm_sealed_read(&got, cm_buf_view(&blob)), TPM_BLOB);
    assert_memory_equal(&got, &before, sizeof got);
}

/* ---- registers ----------------------------------------------------------------------------- */

static void registers(void **state)
{
    CM_AUTO(cm_tpm_close_ptr) cm_tpm *t = tpm_of(&one);
    CM_AUTO(cm_buf_free) cm_buf all = {.max = CM_TPM_VALUES_MAX};
    CM_AUTO(cm_buf_free) cm_buf few = {.max = CM_TPM_VALUES_MAX};
    const cm_tpm_selection every = {.registers = 0xffffff}, large = {CM_TPM_BANK_SHA384, 1 << 3},
                           none = {0}, past = {.registers = 1 << 24},
                           absent = {CM_TPM_BANK_SHA512, 1};
    uint8_t digest[32] = {9};

    (void)state;
    OK(cm_tpm_extend(t, CM_TPM_BANK_SHA256, 16, CM_VIEW(digest)));
    OK(cm_tpm_registers(t, &all, &every));
    assert_int_equal(all.n, 24 * 32);
    OK(cm_tpm_registers(t, &few, &(cm_tpm_selection){.registers = 1 << 16 | 1 << 20}));
    assert_memory_equal(few.p, all.p + (size_t)16 * 32, 32);
    assert_memory_equal(few.p + 32, all.p + (size_t)20 * 32, 32);
    few.n = 0;
    OK(cm_tpm_registers(t, &few, &large));
    assert_int_equal(few.n, 48);
    IS(cm_tpm_registers(t, &few, &none), TPM_SELECTION);
    IS(cm_tpm_registers(t, &few, &past), TPM_SELECTION);
    IS(cm_tpm_registers(t, &few, &absent), TPM_BANK);
    IS(cm_tpm_extend(t, CM_TPM_BANK_SHA256, 24, CM_VIEW(digest)), TPM_SELECTION);
    IS(cm_tpm_extend(t, CM_TPM_BANK_SHA256, 16, cm_view_of(digest, 31)), TPM_SELECTION);
    assert_int_equal(few.n, 48);
    assert_non_null(strstr(cm_tpm_maker(t), "IBM"));
}

/* ---- quotes -------------------------------------------------------------------------------- */

static void ak_name(uint8_t name[34], const cm_tpm_evidence *e)
{
    cm_put_be16(name, CM_TPM_BANK_SHA256);
    OK(cm_hash_once(crypt_, CM_SHA256, name + 2, cm_view_of(e->ak.p + 2, e->ak.n - 2)));
}

/* The verdict of the verifier, with the attestation key on the policy's list. */
static cm_err judge(const cm_tpm_evidence *e, cm_view name, cm_view fresh, uint32_t pcrs)
{
    CM_AUTO(cm_attest_result_done) cm_attest_result r = {0};
    cm_view certs[CM_TPM_CERTS_MAX];
    cm_attest_input in = {.kind = CM_ATTEST_TPM,
                          .evidence = cm_buf_view(&e->quote),
                          .certs = certs,
                          .n_certs = e->certs};
    cm_attest_policy p = {
        .now = (uint64_t)time(NULL), .fresh = fresh, .chips = &name, .n_chips = 1};

    for (size_t i = 0; i < e->certs; i++)
        certs[i] = cm_buf_view(&e->cert[i]);
    in.part[CM_PART_SIGNATURE] = cm_buf_view(&e->signature);
    in.part[CM_PART_AK] = cm_buf_view(&e->ak);
    in.part[CM_PART_PCRS] = cm_buf_view(&e->values);
    p.tpm.pcrs = pcrs;
    OK(cm_attest_verify(&r, crypt_, &in, &p));
    return cm_attest_decide(&r, CM_CHECK_BIT(REVOCATION) | CM_CHECK_BIT(EVENTS) |
                                    CM_CHECK_BIT(PLATFORM) | CM_CHECK_BIT(MEASUREMENT));
}

/* TP-20, TP-21 */
static void quotes(void **state)
{
    CM_AUTO(cm_tpm_close_ptr) cm_tpm *t = tpm_of(&one);
    CM_AUTO(cm_tpm_evidence_done) cm_tpm_evidence e = {0};
    CM_AUTO(cm_tpm_evidence_done) cm_tpm_evidence again = {0};
    const cm_tpm_selection many = {.registers = 0xfffff};
    uint8_t extra[64] = {7}, other[64] = {8}, name[34];

    (void)state;
    OK(cm_tpm_quote_make(t, &e, &many, CM_VIEW(extra)));
    assert_int_equal(e.values.n, 20 * 32);
    assert_true(e.certs >= 1);
    ak_name(name, &e);
    OK(judge(&e, CM_VIEW(name), CM_VIEW(extra), many.registers));
    IS(judge(&e, CM_VIEW(name), CM_VIEW(other), many.registers), ATTEST_REFUSED);
    IS(judge(&e, CM_VIEW(name), CM_VIEW(extra), 1 << 20), ATTEST_REFUSED);
    e.values.p[40] ^= 1;
    IS(judge(&e, CM_VIEW(name), CM_VIEW(extra), many.registers), ATTEST_REFUSED);
    IS(cm_tpm_quote_make(t, &again, &many, cm_view_of(extra, 0)), BAD_ARGUMENT);
    OK(cm_tpm_quote_make(t, &again, &many, cm_view_of(extra, 32)));
    assert_true(cm_view_eq(cm_buf_view(&again.ak), cm_buf_view(&e.ak))); /* derived, not made */
}

/* TP-22, TP-23: the credential of a verifier, opened by this TPM and by no other. */
static void activation(void **state)
{
    CM_AUTO(cm_tpm_close_ptr) cm_tpm *t = tpm_of(&one);
    CM_AUTO(cm_tpm_close_ptr) cm_tpm *stranger = tpm_of(&two);
    CM_AUTO(cm_buf_free) cm_buf ak = {.max = CM_TPM_SEALED_MAX};
    CM_AUTO(cm_buf_free) cm_buf ek = {.max = 8192};
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = 8192};
    CM_AUTO(cm_buf_free) cm_buf got = {.max = 64};
    cm_tpm_activation a;

    (void)state;
    OK(cm_tpm_identity(t, &ak, &ek));
    OK(cm_tpm_credential_make(&blob, &a, crypt_, cm_buf_view(&ek), cm_buf_view(&ak)));
    OK(cm_tpm_activate(t, &got, cm_buf_view(&blob)));
    assert_true(cm_ct_equal(cm_buf_view(&got), CM_VIEW(a.secret)));
    blob.p[20] ^= 1;
    IS(cm_tpm_activate(t, &got, cm_buf_view(&blob)), TPM_CREDENTIAL);
    blob.p[20] ^= 1;
    IS(cm_tpm_activate(t, &got, cm_view_of(blob.p, blob.n - 1)), TPM_CREDENTIAL);
    IS(cm_tpm_activate(stranger, &got, cm_buf_view(&blob)), TPM_NO_EK);
    IS(cm_tpm_identity(stranger, &ak, &ek), TPM_NO_EK);
    OK(cm_tpm_activate(t, &got, cm_buf_view(&blob))); /* nothing was left behind */
}

/* ---- sealing ------------------------------------------------------------------------------- */

static void expect_secret(cm_tpm *t, cm_view blob, cm_view auth)
{
    cm_key32 got = {{0}};
    uint32_t differ = 99;

    OK(cm_tpm_unseal(t, &got, blob, auth, &differ));
    assert_memory_equal(got.b, secret.b, 32);
    assert_int_equal(differ, 0);
}

static void extend(cm_tpm *t, unsigned number)
{
    uint8_t digest[32] = {5};

    OK(cm_tpm_extend(t, CM_TPM_BANK_SHA256, number, CM_VIEW(digest)));
}

/* TP-3, TP-5, TP-8 */
static void sealing(void **state)
{
    CM_AUTO(cm_tpm_close_ptr) cm_tpm *t = tpm_of(&one);
    CM_AUTO(cm_tpm_close_ptr) cm_tpm *stranger = tpm_of(&two);
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = CM_TPM_SEALED_MAX};
    cm_tpm_policy p = {.pcrs = some};
    cm_key32 got = {{0}};
    uint32_t differ = 0;
    cm_tpm_sealed s;
    bool ours = false;

    (void)state;
    OK(cm_tpm_seal(t, &blob, &secret, &p));
    for (unsigned i = 0; i < 5; i++) /* more often than the TPM has room for keys */
        expect_secret(t, cm_buf_view(&blob), (cm_view){0});
    IS(cm_tpm_unseal(stranger, &got, cm_buf_view(&blob), (cm_view){0}, &differ), TPM_OTHER);
    IS(cm_tpm_unseal(t, &got, cm_buf_view(&blob), CM_LIT("x"), NULL), TPM_AUTH);
    extend(t, 16);
    expect_secret(t, cm_buf_view(&blob), (cm_view){0});
    extend(t, 11);
    IS(cm_tpm_unseal(t, &got, cm_buf_view(&blob), (cm_view){0}, &differ), TPM_CHANGED);
    assert_int_equal(differ, 1 << 11);
    OK(cm_tpm_sealed_read(&s, cm_buf_view(&blob)));
    OK(cm_tpm_sealed_check(t, &s, &ours, &differ));
    assert_true(ours && differ == 1 << 11);
    for (size_t i = 0; i < sizeof got.b; i++)
        assert_int_equal(got.b[i], 0);
}

/* TP-6: what the object says of itself: opened by its policy alone; wrong tries count when there is
 * something to guess. */
static void attributes(void **state)
{
    enum { AT = 6, USER_WITH_AUTH = 1 << 6, NO_DA = 1 << 10, FIXED = 1 << 1 | 1 << 4 };
    CM_AUTO(cm_tpm_close_ptr) cm_tpm *t = tpm_of(&one);
    cm_tpm_policy p = {.pcrs = some};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        CM_AUTO(cm_buf_free) cm_buf blob = {.max = CM_TPM_SEALED_MAX};
        cm_tpm_sealed s;
        uint32_t bits;

        p.auth = i ? CM_LIT("auth") : (cm_view){0};
        OK(cm_tpm_seal(t, &blob, &secret, &p));
        OK(cm_tpm_sealed_read(&s, cm_buf_view(&blob)));
        bits = cm_get_be32(s.pub.p + AT);
        assert_int_equal(bits & (USER_WITH_AUTH | FIXED), FIXED);
        assert_int_equal(bits & NO_DA, i ? 0 : NO_DA);
        assert_int_equal(s.auth, i);
    }
}

/* Whether eight bytes in a row of these 32 stand in the log of the bus, which has 16 a line. */
static bool on_bus(const cm_buf *log, const uint8_t b[32])
{
    for (size_t at = 0; at + 8 <= 32; at++) {
        char text[32];

        (void)snprintf(text, sizeof text, "%02X %02X %02X %02X %02X %02X %02X %02X", b[at],
                       b[at + 1], b[at + 2], b[at + 3], b[at + 4], b[at + 5], b[at + 6], b[at + 7]);
        if (memmem(log->p, log->n, text, strlen(text)))
            return true;
    }
    return false;
}

/* TP-7: what listens between processor and TPM sees a digest that is extended, but neither what is
 * sealed nor what is opened. */
static void bus(void **state)
{
    CM_AUTO(cm_tpm_close_ptr) cm_tpm *t = tpm_of(&one);
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = CM_TPM_SEALED_MAX};
    CM_AUTO(cm_buf_free) cm_buf log = {.max = 64 << 20};
    cm_tpm_policy p = {.pcrs = some};
    uint8_t seen[32];

    (void)state;
    for (size_t i = 0; i < sizeof seen; i++)
        seen[i] = (uint8_t)(0xc0 + i);
    OK(cm_tpm_extend(t, CM_TPM_BANK_SHA256, 16, CM_VIEW(seen)));
    OK(cm_tpm_seal(t, &blob, &secret, &p));
    expect_secret(t, cm_buf_view(&blob), (cm_view){0});
    t_get_file(&log, t_path(one.dir, "bus"));
    assert_true(on_bus(&log, seen));
    assert_false(on_bus(&log, secret.b));
}

/* Values that are to come: sealed before the register has them. */
static void given_values(void **state)
{
    CM_AUTO(cm_tpm_close_ptr) cm_tpm *t = tpm_of(&one);
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = CM_TPM_SEALED_MAX};
    CM_AUTO(cm_buf_free) cm_buf now = {.max = 64};
    uint8_t digest[32] = {5};
    cm_tpm_policy p = {.pcrs = {.registers = 1 << 12}};
    cm_key32 got = {{0}};

    (void)state;
    OK(cm_tpm_registers(t, &now, &p.pcrs));
    OK(cm_buf_append(&now, CM_VIEW(digest)));
    OK(cm_hash_once(crypt_, CM_SHA256, digest, cm_buf_view(&now)));
    p.values = CM_VIEW(digest);
    OK(cm_tpm_seal(t, &blob, &secret, &p));
    IS(cm_tpm_unseal(t, &got, cm_buf_view(&blob), (cm_view){0}, NULL), TPM_CHANGED);
    extend(t, 12);
    expect_secret(t, cm_buf_view(&blob), (cm_view){0});
    p.values = cm_view_of(digest, 31);
    IS(cm_tpm_seal(t, &blob, &secret, &p), BAD_ARGUMENT);
}

/* TP-8: wrong registers, other TPMs and damage are not wrong tries: none of them locks the TPM,
 * which a wrong authorization does in the end. */
static void authorization(void **state)
{
    CM_AUTO(cm_tpm_close_ptr) cm_tpm *t = tpm_of(&two);
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = CM_TPM_SEALED_MAX};
    CM_AUTO(cm_buf_free) cm_buf moved = {.max = CM_TPM_SEALED_MAX};
    CM_AUTO(cm_buf_free) cm_buf open = {.max = CM_TPM_SEALED_MAX};
    cm_tpm_policy p = {.pcrs = {.registers = 1 << 14}, .auth = CM_LIT("open sesame")};
    cm_key32 got = {{0}};
    cm_err e = CM_OKAY;

    (void)state;
    OK(cm_tpm_seal(t, &moved, &secret, &p));
    extend(t, 14);
    OK(cm_tpm_seal(t, &blob, &secret, &p));
    for (unsigned i = 0; i < 40; i++) {
        IS(cm_tpm_unseal(t, &got, cm_buf_view(&moved), p.auth, NULL), TPM_CHANGED);
        IS(cm_tpm_unseal(t, &got, cm_view_of(blob.p, blob.n - 1), p.auth, NULL), TPM_BLOB);
    }
    expect_secret(t, cm_buf_view(&blob), p.auth);
    IS(cm_tpm_unseal(t, &got, cm_buf_view(&blob), CM_LIT("open"), NULL), TPM_AUTH);
    IS(cm_tpm_unseal(t, &got, cm_buf_view(&blob), (cm_view){0}, NULL), TPM_AUTH);
    for (unsigned i = 0; i < 40 && !cm_is(e, CM_TPM_LOCKED); i++)
        e = cm_tpm_unseal(t, &got, cm_buf_view(&blob), CM_LIT("wrong"), NULL);
    IS(e, TPM_LOCKED);
    p.auth = (cm_view){0};
    OK(cm_tpm_seal(t, &open, &secret, &p)); /* what has no authorization stays usable */
    expect_secret(t, cm_buf_view(&open), (cm_view){0});
}

/* TP-10, TP-11, TP-12: the content key of an envelope, for this envelope alone; a stanza that is
 * not this TPM's, or not of these registers, is left to others, with the reason. */
static void recipient(void **state)
{
    CM_AUTO(cm_tpm_key_done) cm_tpm_key to = {.crypt = crypt_, .tcti = one.tcti};
    CM_AUTO(cm_tpm_key_done) cm_tpm_key me = {.crypt = crypt_, .tcti = one.tcti};
    CM_AUTO(cm_tpm_key_done) cm_tpm_key other = {.crypt = crypt_, .tcti = two.tcti};
    CM_AUTO(cm_buf_free) cm_buf env = {.max = CM_ENVELOPE_MAX};
    cm_recipient r = cm_recipient_tpm(&to);
    cm_opener mine = cm_opener_tpm(&me), theirs = cm_opener_tpm(&other);
    cm_key32 got = {{0}};
    cm_tpm_sealed sealed;
    cm_stanza st;
    uint8_t id[16];
    size_t n;

    (void)state;
    if (!have)
        skip();
    to.policy.pcrs.registers = 1 << 10;
    OK(cm_envelope_seal(&env, crypt_, &secret, &r, 1, &cm_envelope_policy_default, CM_LIT("ctx")));
    OK(cm_envelope_list(&st, 1, &n, cm_buf_view(&env)));
    OK(cm_tpm_stanza_read(&sealed, crypt_, &st));
    assert_int_equal(sealed.pcrs.registers, 1 << 10);
    OK(cm_envelope_open(&got, crypt_, cm_buf_view(&env), &mine, 1, &cm_envelope_policy_default,
                        CM_LIT("ctx")));
    assert_memory_equal(got.b, secret.b, 32);
    IS(mine.unwrap(mine.self, crypt_, &got, &st, CM_LIT("another")), CRYPT_TAG);
    memcpy(id, st.id.p, 16);
    id[3] ^= 1;
    st.id = CM_VIEW(id);
    IS(cm_tpm_stanza_read(&sealed, crypt_, &st), ENVELOPE_MALFORMED);
    IS(cm_envelope_open(&got, crypt_, cm_buf_view(&env), &theirs, 1, &cm_envelope_policy_default,
                        CM_LIT("ctx")),
       ENVELOPE_NOT_FOR_US);
    IS(other.why, TPM_OTHER);
    extend(me.tpm, 10);
    IS(cm_envelope_open(&got, crypt_, cm_buf_view(&env), &mine, 1, &cm_envelope_policy_default,
                        CM_LIT("ctx")),
       ENVELOPE_NOT_FOR_US);
    IS(me.why, TPM_CHANGED);
    assert_int_equal(me.differ.registers, 1 << 10);
}

/* TP-4: one bit in each byte: refused, for a reason that says so; nothing is given out. */
static void damage(void **state)
{
    CM_AUTO(cm_tpm_close_ptr) cm_tpm *t = tpm_of(&one);
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = CM_TPM_SEALED_MAX};
    cm_tpm_policy p = {.pcrs = {.registers = 1 << 7}};

    (void)state;
    OK(cm_tpm_seal(t, &blob, &secret, &p));
    for (size_t i = 0; i < blob.n; i++) {
        cm_key32 got = {{0}};
        cm_err e;

        blob.p[i] ^= 0x10;
        e = cm_tpm_unseal(t, &got, cm_buf_view(&blob), (cm_view){0}, NULL);
        if (!cm_is(e, CM_TPM_BLOB) && !cm_is(e, CM_TPM_OTHER))
            fail_msg("byte %zu: %s", i, cm_err_name(e));
        for (size_t k = 0; k < sizeof got.b; k++)
            assert_int_equal(got.b[k], 0);
        blob.p[i] ^= 0x10;
    }
    expect_secret(t, cm_buf_view(&blob), (cm_view){0});
}

/* Another boot: registers are reset, the connection is lost, what was sealed to them opens. */
static void restart(void **state)
{
    cm_tpm *t = tpm_of(&one);
    CM_AUTO(cm_tpm_close_ptr) cm_tpm *again = NULL;
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = CM_TPM_SEALED_MAX};
    CM_AUTO(cm_buf_free) cm_buf late = {.max = CM_TPM_SEALED_MAX};
    cm_tpm_policy p = {.pcrs = {.registers = 1 << 13}};
    cm_key32 got = {{0}};
    uint32_t differ = 0;

    (void)state;
    OK(cm_tpm_seal(t, &blob, &secret, &p));
    extend(t, 13);
    OK(cm_tpm_seal(t, &late, &secret, &p));
    t_swtpm_kill(&one);
    IS(cm_tpm_unseal(t, &got, cm_buf_view(&late), (cm_view){0}, NULL), TPM_GONE);
    cm_tpm_close(t);
    t_swtpm_start(&one);
    again = tpm_of(&one);
    expect_secret(again, cm_buf_view(&blob), (cm_view){0});
    IS(cm_tpm_unseal(again, &got, cm_buf_view(&late), (cm_view){0}, &differ), TPM_CHANGED);
    assert_int_equal(differ, 1 << 13);
}

/* ---- what it takes, by CASEMATE_TIMES=1 ---------------------------------------------------- */

static double now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void times(void **state)
{
    enum { RUNS = 101 };
    static const char *const what[] = {"registers", "quote", "seal", "unseal"};
    CM_AUTO(cm_tpm_close_ptr) cm_tpm *t = getenv("CASEMATE_TIMES") ? tpm_of(&one) : NULL;
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = CM_TPM_SEALED_MAX};
    cm_tpm_policy p = {.pcrs = some};
    double took[RUNS];

    (void)state;
    if (!t)
        skip();
    for (unsigned k = 0; k < CM_COUNT(what); k++) {
        for (unsigned i = 0; i < RUNS; i++) {
            CM_AUTO(cm_buf_free) cm_buf values = {.max = CM_TPM_VALUES_MAX};
            CM_AUTO(cm_tpm_evidence_done) cm_tpm_evidence e = {0};
            cm_key32 got;
            double start = now_ms();

            if (k == 0)
                OK(cm_tpm_registers(t, &values, &some));
            if (k == 1)
                OK(cm_tpm_quote_make(t, &e, &some, CM_VIEW(secret.b)));
            blob.n = k == 2 ? 0 : blob.n;
            if (k == 2)
                OK(cm_tpm_seal(t, &blob, &secret, &p));
            if (k == 3)
                OK(cm_tpm_unseal(t, &got, cm_buf_view(&blob), (cm_view){0}, NULL));
            took[i] = now_ms() - start;
        }
        qsort(took, RUNS, sizeof *took, by_size);
        printf("%-10s %7.2f ms least, %7.2f median\n", what[k], took[0], took[RUNS / 2]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_tpm),    cmocka_unit_test(selections),
        cmocka_unit_test(blob_form), cmocka_unit_test(registers),
        cmocka_unit_test(quotes),    cmocka_unit_test(activation),
        cmocka_unit_test(sealing),   cmocka_unit_test(attributes),
        cmocka_unit_test(bus),       cmocka_unit_test(given_values),
        cmocka_unit_test(recipient), cmocka_unit_test(damage),
        cmocka_unit_test(restart),   cmocka_unit_test(authorization),
        cmocka_unit_test(times),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
