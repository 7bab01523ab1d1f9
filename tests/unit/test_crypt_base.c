/* The provider's context, random bytes, hashes, MACs and KDFs. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "crypt/aead.h"
#include "crypt/crypt.h"
#include "fips.h"
#include "hex.h"

static cm_crypt *crypt_;

static void hash_is(cm_hash h, const char *text, const char *hex)
{
    CM_AUTO(cm_hasher_free_ptr) cm_hasher *s = NULL;
    uint8_t out[CM_HASH_MAX];
    cm_view want = t_hex(hex), v = cm_view_str(text);

    assert_int_equal(cm_hash_size(h), want.n);
    assert_true(cm_ok(cm_hash_once(crypt_, h, out, v)));
    assert_memory_equal(out, want.p, want.n);
    assert_true(cm_ok(cm_hasher_new(&s, crypt_, h)));
    for (int round = 0; round < 2; round++) {
        memset(out, 0, sizeof out);
        for (size_t i = 0; i < v.n; i++)
            assert_true(cm_ok(cm_hasher_update(s, cm_view_sub(v, i, 1))));
        assert_true(cm_ok(cm_hasher_final(s, out)));
        assert_memory_equal(out, want.p, want.n);
    }
}

/* FIPS 180-4 and FIPS 202 examples; Keccak-256 as Ethereum has it. */
static void hashes_known(void **state)
{
    (void)state;
    hash_is(CM_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hash_is(CM_SHA256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    hash_is(CM_SHA384, "abc",
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
            "8086072ba1e7cc2358baeca134c825a7");
    hash_is(CM_SHA512, "abc",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
    hash_is(CM_SHA3_256, "abc", "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532");
    hash_is(CM_SHA3_384, "abc",
            "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b2"
            "98d88cea927ac7f539f1edf228376d25");
    hash_is(CM_SHA3_512, "abc",
            "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
            "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0");
    hash_is(CM_KECCAK256, "", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
    hash_is(CM_KECCAK256, "abc",
            "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
}

static void hashes_refuse(void **state)
{
    uint8_t out[CM_HASH_MAX] = {7};
    cm_hasher *s = NULL;

    (void)state;
    assert_true(cm_is(cm_hash_once(crypt_, (cm_hash)7, out, CM_LIT("x")), CM_CRYPT_ALGORITHM));
    assert_true(cm_is(cm_hasher_new(&s, crypt_, (cm_hash)-1), CM_CRYPT_ALGORITHM));
    assert_true(cm_is(cm_shake(crypt_, 192, out, 8, CM_LIT("x")), CM_CRYPT_ALGORITHM));
    assert_int_equal(out[0], 7);
    assert_null(s);
    assert_int_equal(cm_hash_size((cm_hash)99), 0);
    cm_hasher_free(NULL);
}

static void shake_known(void **state)
{
    cm_view want = t_hex("7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26");
    cm_view parts[] = {CM_LIT("a"), CM_LIT(""), CM_LIT("bc")};
    uint8_t a[64], b[64];

    (void)state;
    assert_true(cm_ok(cm_shake(crypt_, 128, a, want.n, CM_LIT(""))));
    assert_memory_equal(a, want.p, want.n);
    want = t_hex("483366601360a8771c6863080cc4114d8db44530f8f1e1ee4f94ea37e78b5739");
    assert_true(cm_ok(cm_shake(crypt_, 256, a, sizeof a, CM_LIT("abc"))));
    assert_memory_equal(a, want.p, want.n);
    assert_true(cm_ok(cm_shake_parts(crypt_, 256, b, sizeof b, parts, CM_COUNT(parts))));
    assert_memory_equal(a, b, sizeof a);
}

/* RFC 4231 case 2, RFC 5869 cases 1 and 3, RFC 6070's shape over SHA-256, RFC 9106 5.3. */
static void macs_known(void **state)
{
    uint8_t out[64];
    cm_view want = t_hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");

    (void)state;
    assert_true(cm_ok(
        cm_hmac(crypt_, CM_SHA256, out, CM_LIT("Jefe"), CM_LIT("what do ya want for nothing?"))));
    assert_memory_equal(out, want.p, want.n);
    want = t_hex("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    assert_true(cm_ok(cm_hmac(crypt_, CM_SHA256, out, CM_LIT(""), CM_LIT(""))));
    assert_memory_equal(out, want.p, want.n);
    assert_true(
        cm_is(cm_hmac(crypt_, CM_KECCAK256, out, CM_LIT("k"), CM_LIT("")), CM_CRYPT_ALGORITHM));
}

static void hkdf_known(void **state)
{
    cm_view ikm = t_hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
    uint8_t prk[32], okm[42];
    cm_view want = t_hex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");

    (void)state;
    assert_true(
        cm_ok(cm_hkdf_extract(crypt_, CM_SHA256, prk, t_hex("000102030405060708090a0b0c"), ikm)));
    assert_memory_equal(prk, want.p, want.n);
    assert_true(cm_ok(cm_hkdf_expand(crypt_, CM_SHA256, okm, sizeof okm, CM_VIEW(prk),
                                     t_hex("f0f1f2f3f4f5f6f7f8f9"))));
    want = t_hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887"
                 "185865");
    assert_memory_equal(okm, want.p, want.n);
    assert_true(cm_ok(cm_hkdf_extract(crypt_, CM_SHA256, prk, CM_LIT(""), ikm)));
    want = t_hex("19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04");
    assert_memory_equal(prk, want.p, want.n);
    assert_true(
        cm_ok(cm_hkdf_expand(crypt_, CM_SHA256, okm, sizeof okm, CM_VIEW(prk), CM_LIT(""))));
    want = t_hex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b6"
                 "1a96c8");
    assert_memory_equal(okm, want.p, want.n);
    /* Both empty: HMAC-SHA256 over nothing. */
    assert_true(cm_ok(cm_hkdf_extract(crypt_, CM_SHA256, prk, CM_LIT(""), CM_LIT(""))));
    want = t_hex("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    assert_memory_equal(prk, want.p, want.n);
}

static void hkdf_refuses(void **state)
{
    uint8_t prk[32] = {1}, *big = malloc(255 * 32 + 1);

    (void)state;
    assert_true(
        cm_ok(cm_hkdf_expand(crypt_, CM_SHA256, big, 255 * 32, CM_VIEW(prk), CM_LIT("info"))));
    big[0] = 7;
    assert_true(
        cm_is(cm_hkdf_expand(crypt_, CM_SHA256, big, 255 * 32 + 1, CM_VIEW(prk), CM_LIT("info")),
              CM_BAD_ARGUMENT));
    assert_true(cm_is(cm_hkdf_expand(crypt_, CM_SHA256, big, 0, CM_VIEW(prk), CM_LIT("")),
                      CM_BAD_ARGUMENT));
    assert_true(
        cm_is(cm_hkdf_expand(crypt_, CM_SHA256, big, 8, CM_LIT(""), CM_LIT("")), CM_BAD_ARGUMENT));
    assert_true(cm_is(cm_hkdf_expand(crypt_, CM_KECCAK256, big, 8, CM_VIEW(prk), CM_LIT("")),
                      CM_CRYPT_ALGORITHM));
    assert_int_equal(big[0], 7);
    /* A key shorter than a digest, as FLOE passes it. */
    assert_true(cm_ok(cm_hkdf_expand(crypt_, CM_SHA384, big, 48, CM_VIEW(prk), CM_LIT("floe"))));
    free(big);
}

static void kmac_known(void **state)
{
    /* SP 800-185 KMAC sample 4. */
    cm_view key = t_hex("404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f");
    cm_view want = t_hex("20c570c31346f703c9ac36c61c03cb64c3970d0cfc787e9b79599d273a68d2f7f69d4cc3"
                         "de9d104a351689f27cf6f5951f0103f33f4f24871024d9c27773a8dd");
    uint8_t out[64];

    (void)state;
    assert_true(cm_ok(cm_kmac256(crypt_, out, sizeof out, key, CM_LIT("My Tagged Application"),
                                 t_hex("00010203"))));
    assert_memory_equal(out, want.p, want.n);
    assert_true(
        cm_is(cm_kmac256(crypt_, out, 64, CM_LIT("abc"), CM_LIT(""), CM_LIT("")), CM_BAD_ARGUMENT));
    assert_true(cm_is(cm_kmac256(crypt_, out, 0, key, CM_LIT(""), CM_LIT("")), CM_BAD_ARGUMENT));
}

static void password_kdfs_known(void **state)
{
    cm_argon2 cost = {.memory_kib = 64, .passes = 2, .lanes = 2};
    cm_view salt = t_hex("02020202020202020202020202020202"), want;
    uint8_t out[40] = {7};

    (void)state;
    /* PBKDF2-HMAC-SHA256, RFC 7914 section 11. */
    want = t_hex("55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
    assert_true(cm_ok(cm_pbkdf2(crypt_, CM_SHA256, out, 32, CM_LIT("passwd"), CM_LIT("salt"), 1)));
    assert_memory_equal(out, want.p, want.n);
    assert_true(cm_is(cm_pbkdf2(crypt_, CM_SHA256, out, 32, CM_LIT("p"), CM_LIT("salt"), 0),
                      CM_BAD_ARGUMENT));
    /* The reference program: echo -n password | argon2 0123456789abcdef -id -t 2 -k 64 -p 2 -l 32
     */
    assert_true(
        cm_ok(cm_argon2id(crypt_, out, 32, CM_LIT("password"), CM_LIT("0123456789abcdef"), &cost)));
    want = t_hex("2b3634b21c1a73b59d0d25d2ec3f1175f34df4f25fd318216679a463ccb6a55c");
    assert_memory_equal(out, want.p, want.n);
    out[0] = 7;
    cost.passes = 65;
    assert_true(cm_is(cm_argon2id(crypt_, out, 32, CM_LIT("p"), salt, &cost), CM_CRYPT_COST));
    cost = (cm_argon2){.memory_kib = 15, .passes = 1, .lanes = 2};
    assert_true(cm_is(cm_argon2id(crypt_, out, 32, CM_LIT("p"), salt, &cost), CM_CRYPT_COST));
    cost = (cm_argon2){.memory_kib = (4u << 20) + 1, .passes = 1, .lanes = 1};
    assert_true(cm_is(cm_argon2id(crypt_, out, 32, CM_LIT("p"), salt, &cost), CM_CRYPT_COST));
    cost.memory_kib = 64;
    assert_true(
        cm_is(cm_argon2id(crypt_, out, 32, CM_LIT("p"), CM_LIT("short"), &cost), CM_BAD_ARGUMENT));
    assert_int_equal(out[0], 7);
}

static void random_differs(void **state)
{
    uint8_t a[64] = {0}, b[64] = {0};
    uint8_t *big = calloc(1, 200000);
    size_t zeros = 0;

    (void)state;
    assert_true(cm_ok(cm_random(crypt_, a, sizeof a)));
    assert_true(cm_ok(cm_random(crypt_, b, sizeof b)));
    assert_memory_not_equal(a, b, sizeof a);
    assert_true(cm_ok(cm_random(crypt_, big, 200000))); /* more than one request of the DRBG */
    for (size_t i = 0; i < 200000; i++)
        zeros += big[i] == 0;
    assert_in_range(zeros, 500, 1100);
    free(big);
    assert_true(cm_ok(cm_random(crypt_, NULL, 0)));
}

static void random_differs_after_fork(void **state)
{
    uint8_t mine[32], theirs[32];
    int fd[2], status;
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(fd), 0);
    pid = fork();
    if (pid == 0) {
        bool ok = cm_ok(cm_random(crypt_, theirs, 32)) && write(fd[1], theirs, 32) == 32;
        _exit(ok ? 0 : 1);
    }
    assert_true(cm_ok(cm_random(crypt_, mine, 32)));
    assert_int_equal(read(fd[0], theirs, 32), 32);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_memory_not_equal(mine, theirs, 32);
    close(fd[0]);
    close(fd[1]);
}

static void *hash_much(void *arg)
{
    uint8_t out[32], first[32];
    bool *ok = arg;

    *ok = cm_ok(cm_hmac(crypt_, CM_SHA256, first, CM_LIT("key"), CM_LIT("text")));
    for (int i = 0; i < 2000 && *ok; i++)
        *ok = cm_ok(cm_hmac(crypt_, CM_SHA256, out, CM_LIT("key"), CM_LIT("text"))) &&
              memcmp(first, out, 32) == 0 && cm_ok(cm_random(crypt_, out, 32));
    return NULL;
}

static void threads_share_it(void **state)
{
    pthread_t t[4];
    bool ok[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, hash_much, &ok[i]), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(t[i], NULL), 0);
        assert_true(ok[i]);
    }
}

/* What a failed call leaves in OpenSSL's queue would make a later TLS call fail. */
static void error_queue_stays_empty(void **state)
{
    cm_crypt *c = NULL;

    (void)state;
    assert_true(
        cm_is(cm_crypt_new_fips(&c, "/nonexistent", "/nonexistent/fips.cnf"), CM_CRYPT_NO_FIPS));
    assert_null(c);
    assert_int_equal(ERR_peek_error(), 0);
    assert_true(cm_is(cm_crypt_new(&c, (cm_profile)9), CM_BAD_ARGUMENT));
    assert_true(cm_is(cm_crypt_new_fips(&c, NULL, NULL), CM_BAD_ARGUMENT));
    cm_crypt_free(NULL);
    assert_non_null(strstr(cm_crypt_version(), "OpenSSL "));
}

/* What the next test runs in a process of its own: everything that might look outside. */
static int look_around(void)
{
    cm_key32 key = {{1}};
    cm_crypt *c = NULL;
    cm_gcm *g = NULL;
    uint8_t out[32];
    bool ok = cm_ok(cm_crypt_new(&c, CM_PROFILE_DEFAULT)) &&
              cm_ok(cm_hash_once(c, CM_SHA256, out, CM_LIT("abc"))) &&
              cm_ok(cm_random(c, out, sizeof out)) && cm_ok(cm_gcm_new(&g, c, &key));

    cm_gcm_free(g);
    cm_crypt_free(c);
    c = NULL;
    ok = ok && (!t_fips_there() || cm_ok(t_fips_new(&c, NULL)));
    cm_crypt_free(c);
    return ok ? 0 : 1;
}

/* The provider's configuration file is a pipe that nobody writes to: whoever opens it hangs. */
static void environment_has_no_say(void **state)
{
    char dir[] = "/tmp/casemate-conf-XXXXXX", conf[64];
    int status;
    pid_t pid;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(conf, sizeof conf, "%s/openssl.cnf", dir);
    assert_int_equal(mkfifo(conf, 0600), 0);
    pid = fork();
    if (pid == 0) {
        char self[] = "/proc/self/exe", arg[] = "--look-around";
        char *argv[] = {self, arg, NULL};

        setenv("OPENSSL_CONF", conf, 1);
        setenv("OPENSSL_MODULES", "/nonexistent", 1);
        setenv("OPENSSL_ENGINES", "/nonexistent", 1);
        alarm(60);
        execv(self, argv);
        _exit(2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    unlink(conf);
    rmdir(dir);
    assert_int_equal(status, 0);
}

static void fips_serves_and_refuses(void **state)
{
    CM_AUTO(cm_crypt_free_ptr) cm_crypt *c = NULL;
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;
    cm_argon2 cost = {.memory_kib = 64, .passes = 1, .lanes = 1};
    cm_key32 key = {{1}};
    cm_view prk = t_hex("0102030405060708090a0b0c0d0e0f100102030405060708090a0b0c0d0e0f10");
    uint8_t out[64] = {0}, same[64];

    (void)state;
    if (!t_fips_there())
        skip();
    assert_true(cm_ok(t_fips_new(&c, NULL)));
    assert_int_equal(cm_crypt_profile(c), CM_PROFILE_FIPS);
    for (int h = CM_SHA256; h <= CM_SHA3_512; h++) {
        assert_true(cm_ok(cm_hash_once(c, (cm_hash)h, out, CM_LIT("abc"))));
        assert_true(cm_ok(cm_hash_once(crypt_, (cm_hash)h, same, CM_LIT("abc"))));
        assert_memory_equal(out, same, cm_hash_size((cm_hash)h));
    }
    assert_true(cm_ok(cm_hmac(c, CM_SHA256, out, prk, CM_LIT("abc"))));
    assert_true(cm_ok(cm_hkdf_expand(c, CM_SHA384, out, 48, prk, CM_LIT("abc"))));
    assert_true(cm_ok(cm_kmac256(c, out, 32, prk, CM_LIT(""), CM_LIT("abc"))));
    assert_true(cm_ok(cm_shake(c, 256, out, 32, CM_LIT("abc"))));
    assert_true(cm_ok(cm_random(c, out, 32)));
    assert_true(cm_ok(cm_gcm_new(&g, c, &key)));
    memset(out, 7, sizeof out);
    assert_true(cm_is(cm_hash_once(c, CM_KECCAK256, out, CM_LIT("abc")), CM_CRYPT_PROFILE));
    assert_true(cm_is(cm_argon2id(c, out, 32, CM_LIT("password"), prk, &cost), CM_CRYPT_PROFILE));
    assert_int_equal(out[0], 7);
    assert_int_equal(ERR_peek_error(), 0);
}

/* A module that is not the one its configuration was made for must not load. The check runs once a
 * process, hence the child and the place before every other test of the profile. */
static void fips_checks_itself(void **state)
{
    static const char text[] = "[fips_sect]\nmodule-mac = 00:11\n";
    char conf[] = "/tmp/casemate-fips-XXXXXX";
    cm_crypt *bad = NULL;
    int fd, status;
    pid_t pid;

    (void)state;
    if (!t_fips_there())
        skip();
    fd = mkstemp(conf);
    assert_true(fd >= 0 && write(fd, text, sizeof text - 1) == sizeof text - 1);
    close(fd);
    pid = fork();
    if (pid == 0)
        _exit(cm_is(t_fips_new(&bad, conf), CM_CRYPT_NO_FIPS) && !bad ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    unlink(conf);
}

static int setup(void **state)
{
    (void)state;
    return cm_ok(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    cm_crypt_free(crypt_);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_known),
        cmocka_unit_test(hashes_refuse),
        cmocka_unit_test(shake_known),
        cmocka_unit_test(macs_known),
        cmocka_unit_test(hkdf_known),
        cmocka_unit_test(hkdf_refuses),
        cmocka_unit_test(kmac_known),
        cmocka_unit_test(password_kdfs_known),
        cmocka_unit_test(random_differs),
        cmocka_unit_test(random_differs_after_fork),
        cmocka_unit_test(threads_share_it),
        cmocka_unit_test(error_queue_stays_empty),
        cmocka_unit_test(environment_has_no_say),
        cmocka_unit_test(fips_checks_itself),
        cmocka_unit_test(fips_serves_and_refuses),
    };

    if (argc > 1 && strcmp(argv[1], "--look-around") == 0)
        return look_around();
    return cmocka_run_group_tests_name("crypt base", tests, setup, teardown);
}
