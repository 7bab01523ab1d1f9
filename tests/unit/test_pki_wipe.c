/*
 * No memory is given back with a secret in it: neither ours nor the provider's, on any path that a
 * key takes through files and certificates. This program's free() looks before it lets go.
 */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pki/ca.h"
#include "pki/pki_int.h"

enum { SKIPPED = 77, NEEDLE = 12, NEEDLES = 6 };

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
#define WATCHED 1
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || \
    __has_feature(thread_sanitizer)
#undef WATCHED
#endif
#endif

/* What must not be found: pieces of the seed, of its text in a file, and of the passphrase. */
static struct {
    uint8_t needle[NEEDLES][NEEDLE];
    size_t n;
    unsigned found;
} watch;

#ifdef WATCHED
void __libc_free(void *p);
void *__libc_malloc(size_t n);

static void look(const void *p)
{
    size_t size = malloc_usable_size((void *)(uintptr_t)p);

    for (size_t i = 0; i < watch.n; i++)
        if (memmem(p, size, watch.needle[i], NEEDLE))
            watch.found++;
}

void free(void *p)
{
    if (p && watch.n)
        look(p);
    __libc_free(p);
}

/* Never in place, so that an old block is always seen going. */
void *realloc(void *p, size_t n)
{
    void *q = __libc_malloc(n);
    size_t old = p ? malloc_usable_size(p) : 0;

    if (!q)
        return NULL;
    if (old)
        memcpy(q, p, old < n ? old : n);
    free(p);
    return q;
}
#endif

static void look_for(const uint8_t *p)
{
    assert_true(watch.n < NEEDLES);
    memcpy(watch.needle[watch.n++], p, NEEDLE);
}

static const cm_view pass = {(const uint8_t *)"a passphrase of some length", 27};
static cm_crypt *c;

static int setup(void **state)
{
    (void)state;
    return cm_ok(cm_crypt_new(&c, CM_PROFILE_DEFAULT)) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    cm_crypt_free(c);
    return 0;
}

/* Numbers that no other data has in this order. */
static void fill(uint8_t *seed, size_t n)
{
    for (size_t i = 0; i < n; i++)
        seed[i] = (uint8_t)(i * 37 + 91);
}

static cm_pkey *key_of(const char *name)
{
    const cm_kem_info *ki = cm_kem_info_by_name(cm_view_str(name));
    const cm_sig_info *si = cm_sig_info_by_name(cm_view_str(name));
    static uint8_t seed[CM_SIG_SEED_MAX];
    size_t n = ki ? ki->seed : si->seed;
    size_t secret = strncmp(name, "SLH-", 4) == 0 ? n - si->pk / 2u : n; /* PK.seed ends it */
    cm_kem_key *kem = NULL;
    cm_sig_key *sig = NULL;
    cm_pkey *k = NULL;

    fill(seed, n);
    watch.n = 0;
    look_for(seed + 1);
    look_for(seed + secret - NEEDLE - 1);
    look_for(pass.p + 3);
    if (ki) {
        assert_true(cm_ok(cm_kem_from_seed(&kem, c, ki->id, cm_view_of(seed, n))));
        assert_true(cm_ok(cm_pkey_from_kem(&k, &kem)));
    } else {
        assert_true(cm_ok(cm_sig_from_seed(&sig, c, si->id, cm_view_of(seed, n))));
        assert_true(cm_ok(cm_pkey_from_sig(&k, &sig)));
    }
    return k;
}

static void through_files(const cm_pkey *k)
{
    const cm_protect how[] = {
        {.mode = CM_PROTECT_NONE},
        {.mode = CM_PROTECT_PBES2, .passphrase = pass},
        {.mode = CM_PROTECT_ARGON2, .passphrase = pass, .cost = {19456, 2, 1}},
    };
    const cm_pkey_reading o = {.pass = cm_passphrase_of(&pass)};
    const cm_view bad = {(const uint8_t *)"wrong", 5};
    const cm_pkey_reading wrong = {.pass = cm_passphrase_of(&bad)};

    for (size_t i = 0; i < CM_COUNT(how); i++) {
        CM_AUTO(cm_buf_free) cm_buf file = {.max = CM_KEYFILE_MAX};
        cm_pkey *again = NULL;

        assert_true(cm_ok(cm_pkey_write_private(&file, c, k, &how[i])));
        if (i == 0) /* the secret's text, well before the last line */
            look_for(file.p + 80);
        assert_true(cm_ok(cm_pkey_read(&again, c, cm_buf_view(&file), &o)));
        cm_pkey_free(again);
        again = NULL;
        if (i)
            assert_true(cm_failed(cm_pkey_read(&again, c, cm_buf_view(&file), &wrong)));
        file.p[file.n / 2] ^= 4;
        (void)cm_failed(cm_pkey_read(&again, c, cm_buf_view(&file), &o));
        cm_pkey_free(again);
    }
}

static void files(void **state)
{
    static const char *const names[] = {
        "Ed25519",           "X25519",           "P-256",      "P-384",
        "secp256k1",         "X-Wing",           "ML-KEM-768", "ML-DSA-65",
        "SLH-DSA-SHA2-128f", "ML-DSA-65+Ed25519"};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(names); i++) {
        cm_pkey *k = key_of(names[i]);

        watch.found = 0;
        through_files(k);
        cm_pkey_free(k);
        if (watch.found)
            print_message("%s: %u\n", names[i], watch.found);
        assert_int_equal(watch.found, 0);
    }
}

static void certificates(void **state)
{
    static const char *const names[] = {"Ed25519", "P-256", "ML-DSA-65", "SLH-DSA-SHA2-128f"};
    const cm_cert_request r = {
        .role = CM_CERT_ROOT,
        .common_name = CM_LIT("Root"),
        .not_before = 1000,
        .not_after = 2000,
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(names); i++) {
        CM_AUTO(cm_buf_free) cm_buf csr = {.max = CM_CERT_FILE_MAX};
        cm_pkey *k = key_of(names[i]);
        cm_cert *cert = NULL;

        watch.found = 0;
        assert_true(cm_ok(cm_cert_root(&cert, c, k, &r)));
        assert_true(cm_ok(cm_csr_write(&csr, c, k, &r)));
        cm_cert_free(cert);
        cm_pkey_free(k);
        if (watch.found)
            print_message("%s: %u\n", names[i], watch.found);
        assert_int_equal(watch.found, 0);
    }
}

/* The watch itself: it sees what is not wiped. */
static void sees(void **state)
{
    uint8_t *p = malloc(64);

    (void)state;
    assert_non_null(p);
    fill(p, 64);
    watch.n = 0;
    look_for(p + 1);
    watch.found = 0;
    __asm__ volatile("" : : "r"(p) : "memory"); /* or the compiler leaves out what free() drops */
    free(p);
    assert_int_equal(watch.found, 1);
    watch.n = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sees),
        cmocka_unit_test(files),
        cmocka_unit_test(certificates),
    };

#ifndef WATCHED
    puts("SKIP: the sanitizer has free() for itself");
    return SKIPPED;
#endif
    return cmocka_run_group_tests(tests, setup, teardown);
}
