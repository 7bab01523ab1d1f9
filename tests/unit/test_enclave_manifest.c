/* The manifest of what runs: one encoding, one digest, and what may not be in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "enclave/elf.h"
#include "enclave/measure.h"
#include "kit.h"

static t_kit *kit;

static cm_enclave_manifest *sample(void)
{
    cm_enclave_manifest *m;

    assert_true(cm_ok(cm_alloc(&m, sizeof *m)));
    m->files[0] = (cm_enclave_file){CM_ENCLAVE_DATA, CM_LIT("tokenizer.json"), 7, {1}};
    m->files[1] = (cm_enclave_file){CM_ENCLAVE_LIBRARY, CM_LIT("libc.so.6"), 8, {2}};
    m->files[2] = (cm_enclave_file){CM_ENCLAVE_PROGRAM, CM_LIT("infer"), 9, {3}};
    m->files_n = 3;
    m->args[0] = CM_LIT("./infer");
    m->args[1] = CM_LIT("");
    m->args_n = 2;
    m->env[0] = (cm_enclave_env){CM_LIT("Z"), CM_LIT("1")};
    m->env[1] = (cm_enclave_env){CM_LIT("A"), CM_LIT("")};
    m->env_n = 2;
    m->memory = CM_ENCLAVE_MEMORY_USUAL;
    m->delivery = CM_ENCLAVE_STREAM;
    m->model_size = 1ull << 33;
    m->listens = true;
    return m;
}

static void write_it(cm_buf *b, cm_enclave_manifest *m)
{
    *b = (cm_buf){.max = CM_ENCLAVE_MANIFEST_MAX};
    assert_true(cm_ok(cm_enclave_manifest_write(b, m)));
}

static void comes_back_in_one_form(void **state) /* EN-1, EN-2 */
{
    cm_enclave_manifest *m = sample(), *again = NULL;
    uint8_t digest[32], hash[32];
    cm_buf b, c;

    (void)state;
    write_it(&b, m);
    assert_int_equal(m->files[0].role, CM_ENCLAVE_PROGRAM);
    assert_true(cm_ok(cm_enclave_manifest_read(&again, cm_buf_view(&b))));
    assert_int_equal(again->files_n, 3);
    assert_int_equal(again->env[0].name.p[0], 'A');
    assert_int_equal(again->model_size, 1ull << 33);
    assert_true(again->listens && again->delivery == CM_ENCLAVE_STREAM);
    write_it(&c, again);
    assert_true(cm_view_eq(cm_buf_view(&b), cm_buf_view(&c)));
    assert_true(cm_ok(cm_enclave_manifest_digest(digest, kit->crypt, cm_buf_view(&b))));
    assert_true(cm_ok(cm_hash_once(kit->crypt, CM_SHA256, hash, cm_buf_view(&b))));
    assert_memory_equal(digest, hash, 32);
    cm_buf_free(&c);
    cm_free(again);
    cm_buf_free(&b);
    cm_free(m);
}

static void any_other_byte_is_another_or_none(void **state) /* EN-1 */
{
    cm_enclave_manifest *m = sample(), *again = NULL;
    cm_buf b, c;

    (void)state;
    write_it(&b, m);
    for (size_t i = 0; i < b.n; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            b.p[i] ^= (uint8_t)(1u << bit);
            if (cm_ok(cm_enclave_manifest_read(&again, cm_buf_view(&b)))) {
                write_it(&c, again);
                assert_true(cm_view_eq(cm_buf_view(&b), cm_buf_view(&c)));
                cm_buf_free(&c);
                cm_free(again);
            }
            b.p[i] ^= (uint8_t)(1u << bit);
        }
    for (size_t n = 0; n < b.n; n++)
        assert_true(cm_failed(cm_enclave_manifest_read(&again, cm_view_of(b.p, n))));
    assert_true(cm_ok(cm_buf_byte(&b, 0)));
    assert_true(cm_is(cm_enclave_manifest_read(&again, cm_buf_view(&b)), CM_CBOR_TRAILING));
    cm_buf_free(&b);
    cm_free(m);
}

/* That what change makes of the sample can't be written. */
static void refused(void (*change)(cm_enclave_manifest *m))
{
    cm_enclave_manifest *m = sample();
    cm_buf b = {.max = CM_ENCLAVE_MANIFEST_MAX};

    change(m);
    assert_true(cm_is(cm_enclave_manifest_write(&b, m), CM_BAD_ARGUMENT));
    assert_int_equal(b.n, 0);
    cm_free(m);
}

static void two_programs(cm_enclave_manifest *m)
{
    m->files[0].role = CM_ENCLAVE_PROGRAM;
}
static void no_program(cm_enclave_manifest *m)
{
    m->files[2].role = CM_ENCLAVE_LIBRARY;
}
static void twice(cm_enclave_manifest *m)
{
    m->files[0] = m->files[1];
}
static void no_args(cm_enclave_manifest *m)
{
    m->args_n = 0;
}
static void preload(cm_enclave_manifest *m)
{
    m->env[0].name = CM_LIT("LD_PRELOAD");
}
static void same_name(cm_enclave_manifest *m)
{
    m->env[0].name = CM_LIT("A");
}
static void equals(cm_enclave_manifest *m)
{
    m->env[0].name = CM_LIT("A=B");
}
static void nul(cm_enclave_manifest *m)
{
    m->args[1] = CM_LIT("a\0b");
}
static void little(cm_enclave_manifest *m)
{
    m->memory = CM_ENCLAVE_MEMORY_MIN - 1;
}

static void what_means_nothing_is_refused(void **state) /* EN-1, EN-5 */
{
    (void)state;
    refused(two_programs);
    refused(no_program);
    refused(twice);
    refused(no_args);
    refused(preload);
    refused(same_name);
    refused(equals);
    refused(nul);
    refused(little);
}

static void variables_that_load_code_are_kept_away(void **state) /* EN-5 */
{
    static const char *const no[] = {"LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "GLIBC_TUNABLES",
                                     "GCONV_PATH", "CASEMATE_MODEL",  "LOCPATH",  "LISTEN_FDS"};
    static const char *const yes[] = {"HOME", "LANG", "L", "LD", "OMP_NUM_THREADS"};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(no); i++)
        assert_false(cm_enclave_env_allowed(cm_view_str(no[i])));
    for (size_t i = 0; i < CM_COUNT(yes); i++)
        assert_true(cm_enclave_env_allowed(cm_view_str(yes[i])));
}

static cm_pkey *key_of(cm_sig_id id)
{
    cm_sig_key *k = NULL;
    cm_pkey *p = NULL;

    assert_true(cm_ok(cm_sig_generate(&k, kit->crypt, id)));
    assert_true(cm_ok(cm_pkey_from_sig(&p, &k)));
    return p;
}

static void signatures_hold_for_one_text_and_key(void **state) /* EN-3 */
{
    cm_pkey *key = key_of(CM_SIG_DUAL65), *other = key_of(CM_SIG_MLDSA65),
            *weak = key_of(CM_SIG_ED25519);
    cm_buf sig = {.max = 1 << 16}, none = {.max = 1 << 16};

    (void)state;
    assert_true(cm_ok(cm_enclave_manifest_sign(&sig, kit->crypt, key, CM_LIT("text"))));
    assert_true(
        cm_ok(cm_enclave_manifest_check(kit->crypt, key, CM_LIT("text"), cm_buf_view(&sig))));
    assert_true(
        cm_is(cm_enclave_manifest_check(kit->crypt, key, CM_LIT("texts"), cm_buf_view(&sig)),
              CM_CRYPT_SIGNATURE));
    assert_true(
        cm_is(cm_enclave_manifest_check(kit->crypt, other, CM_LIT("text"), cm_buf_view(&sig)),
              CM_ENCLAVE_SIGNER));
    assert_true(cm_is(cm_enclave_manifest_sign(&none, kit->crypt, weak, CM_LIT("text")),
                      CM_ENCLAVE_SIGNER));
    assert_true(cm_ok(cm_buf_byte(&sig, 'x')));
    assert_true(cm_is(cm_enclave_manifest_check(kit->crypt, key, CM_LIT("text"), cm_buf_view(&sig)),
                      CM_ENCLAVE_SIGNER));
    cm_buf_free(&sig);
    cm_buf_free(&none);
    cm_pkey_free(key);
    cm_pkey_free(other);
    cm_pkey_free(weak);
}

static const char *self(void)
{
    static char path[T_PATH];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

    assert_true(n > 0);
    path[n] = 0;
    return path;
}

/* This very program, whose path is swapped behind the measurement. */
static void what_is_held_does_not_change(void **state) /* EN-4 */
{
    const char *path = t_path(kit->dir, "program"), *args[] = {"program", NULL};
    cm_enclave_plan plan = {.program = path, .args = args};
    cm_enclave_measured a = {.text = {0}}, b = {.text = {0}};
    cm_buf whole = {.max = 256 << 20};
    uint8_t first[4];

    (void)state;
    t_get_file(&whole, self());
    t_put_file(path, cm_buf_view(&whole));
    assert_true(cm_ok(cm_enclave_measure(&a, kit->crypt, &plan)));
    assert_non_null(cm_closure_find(&a.closure, CM_ENCLAVE_LOADER));
    assert_non_null(cm_closure_find(&a.closure, CM_ENCLAVE_LIBRARY));
    whole.p[whole.n - 1] ^= 1;
    t_put_file(path, cm_buf_view(&whole));
    assert_true(cm_ok(cm_enclave_measure(&b, kit->crypt, &plan)));
    assert_memory_not_equal(a.digest, b.digest, 32);
    assert_int_equal(pwrite(a.closure.v[0].fd, "x", 1, 0), -1);
    assert_int_equal(ftruncate(a.closure.v[0].fd, 0), -1);
    assert_int_equal(pread(a.closure.v[0].fd, first, 4, 0), 4);
    assert_memory_equal(first, "\177ELF", 4);
    cm_enclave_measured_free(&a);
    cm_enclave_measured_free(&b);
    cm_buf_free(&whole);
}

static void what_can_not_be_measured_is_named(void **state)
{
    const char *script = t_path(kit->dir, "script"), *args[] = {"x", NULL},
               *bad_env[] = {"LD_PRELOAD=x", NULL}, *up[] = {"a/../b", NULL};
    cm_enclave_plan plan = {.program = script, .args = args};
    cm_enclave_measured m = {.text = {0}};

    (void)state;
    t_put_file(script, CM_LIT("#!/bin/sh\n"));
    assert_true(cm_is(cm_enclave_measure(&m, kit->crypt, &plan), CM_ENCLAVE_SCRIPT));
    assert_string_equal(m.closure.culprit, script);
    cm_enclave_measured_free(&m);
    plan.program = kit->dir;
    assert_true(cm_is(cm_enclave_measure(&m, kit->crypt, &plan), CM_ENCLAVE_KIND));
    cm_enclave_measured_free(&m);
    plan.program = self();
    plan.env = bad_env;
    assert_true(cm_is(cm_enclave_measure(&m, kit->crypt, &plan), CM_ENCLAVE_VARIABLE));
    cm_enclave_measured_free(&m);
    plan.env = NULL;
    plan.files = up;
    assert_true(cm_is(cm_enclave_measure(&m, kit->crypt, &plan), CM_ENCLAVE_KIND));
    cm_enclave_measured_free(&m);
}

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

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_in_one_form),
        cmocka_unit_test(any_other_byte_is_another_or_none),
        cmocka_unit_test(what_means_nothing_is_refused),
        cmocka_unit_test(variables_that_load_code_are_kept_away),
        cmocka_unit_test(signatures_hold_for_one_text_and_key),
        cmocka_unit_test(what_is_held_does_not_change),
        cmocka_unit_test(what_can_not_be_measured_is_named),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
