/* Containers as their users meet them: round trips of every shape, everything that must be refused,
 * and what a failed run leaves behind. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/os.h"
#include "kit_group.h"
#include "sealed/floe.h"
#include "sealed/open_int.h"

/* ---- round trips --------------------------------------------------------------------------- */

static const size_t sizes[] = {0,     1,     4095,   4096,   4097,    65535,
                               65536, 65537, 131072, 200000, 1048576, 3000001};

static void test_sizes(void **state)
{
    (void)state;
    for (size_t i = 0; i < CM_COUNT(sizes); i++) {
        cm_seal_result r;
        const char *path = t_sealed_as(kit, "size", sizes[i], &r, NULL);

        assert_int_equal(r.size, sizes[i]);
        t_expect_plain(kit, path, sizes[i]);
    }
}

static void salted(cm_seal_options *o)
{
    o->private_digest = true;
    o->sealed_root = true;
    o->policy = "team/weights";
    o->licence = "Apache-2.0";
    o->publisher = "Example";
}

static void test_private_digest(void **state)
{
    cm_seal_result plain, a, b;

    (void)state;
    t_sealed_as(kit, "plain", 100000, &plain, NULL);
    t_sealed_as(kit, "salted", 100000, &a, salted);
    t_expect_plain(kit, t_sealed_as(kit, "salted", 100000, &b, salted), 100000);
    assert_memory_not_equal(plain.digest, a.digest, 32);
    assert_memory_not_equal(a.digest, b.digest, 32);
}

static void test_digest_names_content(void **state)
{
    cm_seal_result a, b, d;
    const char *in;

    (void)state;
    t_sealed_as(kit, "same", 70000, &a, NULL);
    t_sealed_as(kit, "same", 70000, &b, NULL);
    assert_memory_equal(a.digest, b.digest, 32);
    in = t_path(kit->dir, "same.plain");
    OK(cm_seal_digest(&d, in, -1, 4096, 2, (cm_watch){0}));
    assert_memory_equal(a.digest, d.digest, 32);
}

static void test_random_access(void **state)
{
    cm_opener opener;
    const cm_sig_key *trusted[1];
    cm_open_options o = t_open_options(kit, &opener, trusted);
    const char *path = t_sealed_as(kit, "random", 3000001, NULL, NULL);
    cm_buf want = t_bytes(3000001, 3000001);
    uint8_t *got = malloc(3000001);
    cm_sealed *s;
    int fd;

    (void)state;
    OK(cm_os_open_read(&fd, path));
    OK(cm_sealed_load(&s, kit->crypt, fd, &o));
    FAILS(SEALED_LOCKED, cm_sealed_read(s, got, 1, 0));
    OK(cm_sealed_unlock(s));
    OK(cm_sealed_read(s, got, 5, 2000000));
    assert_memory_equal(got, want.p + 2000000, 5);
    assert_int_equal(cm_sealed_segments_read(s), 1); /* the touched one and no other */
    for (size_t i = 0, off = 0; i < 200; i++) {
        size_t n = (i * 7919) % 400000;

        off = (off + i * 104729) % (3000001 - n);
        OK(cm_sealed_read(s, got, n, off));
        assert_memory_equal(got, want.p + off, n);
    }
    OK(cm_sealed_read(s, got, 0, 3000001));
    FAILS(BAD_ARGUMENT, cm_sealed_read(s, got, 1, 3000001));
    FAILS(BAD_ARGUMENT, cm_sealed_read(s, got, 2, UINT64_MAX));
    cm_sealed_free(s);
    close(fd);
    free(got);
    cm_buf_free(&want);
}

/* ---- recipients, tiers, signatures --------------------------------------------------------- */

static cm_err seal_to(const cm_recipient *to, size_t n, unsigned tier, const cm_sig_key *signer,
                      bool classical)
{
    cm_recipient unused;
    cm_seal_options o = t_seal_options(kit, &unused);
    cm_seal_result r;
    cm_buf b = t_bytes(1000, 1);

    t_put_file(t_path(kit->dir, "t.plain"), cm_buf_view(&b));
    cm_buf_free(&b);
    o.to = to;
    o.to_n = n;
    o.tier = tier;
    o.signers = &signer;
    o.allow_classical = classical;
    o.replace = true;
    return cm_seal(&r, kit->crypt, &o, t_path(kit->dir, "t.plain"), -1,
                   t_path(kit->dir, "t.sealed"), -1);
}

static void test_tiers(void **state)
{
    cm_envelope_passphrase p = {.text = CM_LIT("correct horse"), .cost = {8 << 10, 1, 1}};
    cm_recipient xwing = cm_recipient_kem(kit->xwing), strong = cm_recipient_kem(kit->mlkem1024);
    cm_recipient phrase = cm_recipient_passphrase(&p), old = cm_recipient_kem(kit->x25519);
    cm_recipient mixed[2] = {xwing, old};

    (void)state;
    OK(seal_to(&xwing, 1, 2, kit->dual, false));
    FAILS(ENVELOPE_LEVEL, seal_to(&xwing, 1, 3, kit->mldsa87, false)); /* S-14 */
    FAILS(SEALED_WEAK_SIGNATURE, seal_to(&strong, 1, 3, kit->mldsa65, false));
    OK(seal_to(&strong, 1, 4, kit->mldsa87, false));
    OK(seal_to(&phrase, 1, 0, kit->mldsa65, false));
    FAILS(ENVELOPE_PASSPHRASE, seal_to(&phrase, 1, 3, kit->mldsa87, false));
    FAILS(ENVELOPE_CLASSICAL, seal_to(&old, 1, 0, kit->dual, false)); /* E-9 */
    OK(seal_to(&old, 1, 0, kit->dual, true));
    FAILS(ENVELOPE_MIXED, seal_to(mixed, 2, 0, kit->dual, true)); /* E-8 */
    FAILS(SEALED_WEAK_SIGNATURE, seal_to(&xwing, 1, 0, kit->ed25519, false));
    FAILS(BAD_ARGUMENT, seal_to(&xwing, 1, 5, kit->mldsa87, false));
    FAILS(ENVELOPE_NO_RECIPIENT, seal_to(NULL, 0, 0, kit->dual, false));
}

static void test_trust(void **state)
{
    const char *path = t_sealed_as(kit, "trust", 1000, NULL, NULL);
    cm_opener opener;
    const cm_sig_key *trusted[1];
    cm_open_options o = t_open_options(kit, &opener, trusted);
    cm_buf b = {0};

    (void)state;
    trusted[0] = kit->stranger; /* S-13 */
    FAILS(SEALED_UNTRUSTED, t_open_with(kit, path, &o, &b));
    o.any_publisher = true;
    OK(t_open_with(kit, path, &o, &b));
    o = t_open_options(kit, &opener, trusted);
    opener = cm_opener_kem(kit->other);
    FAILS(ENVELOPE_NOT_FOR_US, t_open_with(kit, path, &o, &b));
    o.openers_n = 0;
    FAILS(ENVELOPE_NOT_FOR_US, t_open_with(kit, path, &o, &b));
    cm_buf_free(&b);
}

static const cm_sig_key *two_signers[2];

static void signed_twice(cm_seal_options *o)
{
    two_signers[0] = kit->dual;
    two_signers[1] = kit->mldsa65;
    o->signers = two_signers;
    o->signers_n = 2;
}

/* S-13: the second signature is broken, the first one holds. */
static void test_one_bad_signature(void **state)
{
    const char *path = t_sealed_as(kit, "twice", 1000, NULL, signed_twice);
    cm_buf whole = t_whole_file(path), b = {0};
    cm_opener opener;
    const cm_sig_key *trusted[1];
    cm_open_options o = t_open_options(kit, &opener, trusted);

    (void)state;
    o.trusted = two_signers;
    o.trusted_n = 2;
    OK(t_open_with(kit, path, &o, &b));
    whole.p[whole.n - 64 - 100] ^= 1;
    t_put_file(path, cm_buf_view(&whole));
    FAILS(SEALED_SIGNATURE, t_open_with(kit, path, &o, &b));
    o.any_publisher = true;
    FAILS(SEALED_SIGNATURE, t_open_with(kit, path, &o, &b));
    o.any_publisher = false;
    o.trusted_n = 1; /* the other one's signature is nothing to us */
    OK(t_open_with(kit, path, &o, &b));
    cm_buf_free(&whole);
    cm_buf_free(&b);
}

static void unsigned_model(cm_seal_options *o)
{
    o->signers_n = 0;
    o->no_signature = true;
}

static void test_unsigned(void **state)
{
    const char *path = t_sealed_as(kit, "unsigned", 1000, NULL, unsigned_model);
    cm_recipient to;
    cm_seal_options so = t_seal_options(kit, &to);
    cm_opener opener;
    const cm_sig_key *trusted[1];
    cm_open_options o = t_open_options(kit, &opener, trusted);
    cm_seal_result r;
    cm_buf b = {0};

    (void)state;
    FAILS(SEALED_UNSIGNED, t_open_with(kit, path, &o, &b));
    o.any_publisher = true;
    FAILS(SEALED_UNSIGNED, t_open_with(kit, path, &o, &b));
    o.no_signature = true;
    OK(t_open_with(kit, path, &o, &b));
    so.signers_n = 0;
    FAILS(SEALED_NO_SIGNER, cm_seal(&r, kit->crypt, &so, path, -1, t_path(kit->dir, "no"), -1));
    cm_buf_free(&b);
}

/* ---- damage -------------------------------------------------------------------------------- */

/* What any recipient can do: put another plaintext in a segment's place under the real key. */
static cm_err forge_segment(cm_sealed *s, const char *path, uint64_t i)
{
    CM_AUTO(cm_floe_worker_done) cm_floe_worker w = {0};
    size_t n = cm_sealed_plain(s, i) + CM_FLOE_OVERHEAD;
    uint8_t *seg = calloc(1, n);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    cm_err e = cm_sealed_unlock(s);

    if (cm_ok(e))
        e = cm_floe_seal(&s->body, &w, seg, n - CM_FLOE_OVERHEAD, i, i == cm_sealed_last(s));
    if (cm_ok(e))
        e = cm_os_pwrite(fd, seg, n, cm_sealed_at(s, i));
    close(fd);
    free(seg);
    return e;
}

/* A recipient knows the content key, so can write any segment that decrypts. Only the tree under
 * the publisher's signature stops it: S-9. */
static void test_recipient_cannot_swap_weights(void **state)
{
    cm_opener opener;
    const cm_sig_key *trusted[1];
    cm_open_options o = t_open_options(kit, &opener, trusted);
    const char *path = t_sealed_as(kit, "swap", 100000, NULL, NULL);
    cm_sealed *s;
    cm_buf b = {0};
    int fd;

    (void)state;
    OK(cm_os_open_read(&fd, path));
    OK(cm_sealed_load(&s, kit->crypt, fd, &o));
    OK(forge_segment(s, path, 0));
    cm_sealed_free(s);
    close(fd);
    FAILS(SEALED_DIGEST, t_open(kit, path, &b));
    cm_buf_free(&b);
}

static void test_every_byte(void **state)
{
    const char *path = t_sealed_as(kit, "flip", 5000, NULL, NULL);
    cm_buf whole = t_whole_file(path), want = t_bytes(5000, 5000);
    const char *bad = t_path(kit->dir, "flip.bad");
    uint32_t slot = cm_get_be32(whole.p + 16);
    uint64_t body = cm_get_be64(whole.p + 24);
    size_t spare = (size_t)body - slot;

    (void)state;
    t_put_file(bad, cm_buf_view(&whole));
    for (size_t i = 0; i < whole.n; i++) {
        cm_buf got = {0};
        int fd;
        cm_err e;

        if (i > 256 + 4096 && i < body && i % 61) /* the slots are mostly padding */
            continue;
        whole.p[i] ^= 1;
        fd = open(bad, O_WRONLY | O_CLOEXEC);
        OK(cm_os_pwrite(fd, whole.p + i, 1, i));
        e = t_open(kit, bad, &got);
        whole.p[i] ^= 1;
        OK(cm_os_pwrite(fd, whole.p + i, 1, i));
        close(fd);
        if (i >= spare && i < body) { /* the spare slot is not in force: verify speaks of it */
            OK(e);
            assert_memory_equal(got.p, want.p, want.n);
        } else if (cm_ok(e)) {
            fail_msg("byte %zu of %zu changed and nobody noticed", i, whole.n);
        } else {
            assert_int_equal(got.n, 0);
        }
        cm_buf_free(&got);
    }
    cm_buf_free(&whole);
    cm_buf_free(&want);
}

static void test_every_truncation(void **state)
{
    const char *path = t_sealed_as(kit, "cut", 70000, NULL, NULL);
    cm_buf whole = t_whole_file(path);
    const char *bad = t_path(kit->dir, "cut.bad");

    (void)state;
    for (size_t n = 0; n < whole.n; n += n < 200 || whole.n - n < 300 ? 1 : 97) {
        cm_buf got = {0};

        t_put_file(bad, cm_view_of(whole.p, n));
        assert_true(cm_failed(t_open(kit, bad, &got)));
        cm_buf_free(&got);
    }
    OK(cm_buf_byte(&whole, 0));
    t_put_file(bad, cm_buf_view(&whole)); /* S-15 */
    FAILS(SEALED_FOOTER, t_open(kit, bad, &whole));
    cm_buf_free(&whole);
}

/* Segments a and b of two containers (or one) change places. */
static void swap_segments(cm_buf *x, size_t a, cm_buf *y, size_t b)
{
    size_t seg = (64 << 10) + CM_FLOE_OVERHEAD;
    uint8_t *p = x->p + cm_get_be64(x->p + 24) + CM_FLOE_HEADER + a * seg;
    uint8_t *q = y->p + cm_get_be64(y->p + 24) + CM_FLOE_HEADER + b * seg;
    uint8_t *t = malloc(seg);

    memcpy(t, p, seg);
    memcpy(p, q, seg);
    memcpy(q, t, seg);
    free(t);
}

static void test_moved_segments(void **state)
{
    cm_buf one = t_whole_file(t_sealed_as(kit, "one", 300000, NULL, NULL));
    cm_buf two = t_whole_file(t_sealed_as(kit, "two", 300000, NULL, NULL));
    const char *bad = t_path(kit->dir, "moved.bad");
    cm_buf got = {0};

    (void)state;
    swap_segments(&one, 0, &one, 1);
    t_put_file(bad, cm_buf_view(&one));
    FAILS(FLOE_SEGMENT, t_open(kit, bad, &got));
    swap_segments(&one, 0, &one, 1);
    swap_segments(&one, 2, &two, 2);
    t_put_file(bad, cm_buf_view(&one));
    FAILS(FLOE_SEGMENT, t_open(kit, bad, &got));
    memcpy(one.p + cm_get_be64(one.p + 24), two.p + cm_get_be64(two.p + 24), CM_FLOE_HEADER);
    t_put_file(bad, cm_buf_view(&one));
    FAILS(FLOE_MISMATCH, t_open(kit, bad, &got)); /* S-6 */
    cm_buf_free(&one);
    cm_buf_free(&two);
    cm_buf_free(&got);
}

/* Fields of the prelude that claim absurd things, with a checksum that fits. */
static void test_absurd_lengths(void **state)
{
    static const struct {
        size_t at;
        uint32_t v;
        const char *want;
    } cases[] = {
        {8, 2, "SEALED_VERSION"},          {8, 0, "SEALED_VERSION"},
        {12, 0, "SEALED_HEADER"},          {12, 0xffffffff, "SEALED_HEADER"},
        {12, 1 << 30, "SEALED_HEADER"},    {16, 0, "SEALED_HEADER"},
        {16, 1 << 30, "SEALED_HEADER"},    {16, 4097, "SEALED_HEADER"},
        {20, 1, "SEALED_HEADER"},          {24, 0x7fffffff, "SEALED_HEADER"},
        {24, 0xffffffff, "SEALED_HEADER"},
    };
    cm_buf whole = t_whole_file(t_sealed_as(kit, "absurd", 1000, NULL, NULL));
    const char *bad = t_path(kit->dir, "absurd.bad");

    (void)state;
    for (size_t i = 0; i < CM_COUNT(cases); i++) {
        cm_buf copy = {.max = whole.n}, sum = {.max = 8192}, got = {0};
        uint32_t core = cm_get_be32(whole.p + 12);

        OK(cm_buf_append(&copy, cm_buf_view(&whole)));
        cm_put_be32(copy.p + cases[i].at, cases[i].v);
        OK(cm_buf_append(&sum, cm_view_of(copy.p, 32)));
        OK(cm_buf_append(&sum, cm_view_of(copy.p + 64, core)));
        OK(cm_hash_once(kit->crypt, CM_SHA256, copy.p + 32, cm_buf_view(&sum)));
        t_put_file(bad, cm_buf_view(&copy));
        assert_string_equal(cm_err_name(t_open(kit, bad, &got)), cases[i].want); /* S-1 */
        cm_buf_free(&copy);
        cm_buf_free(&sum);
        cm_buf_free(&got);
    }
    t_put_file(bad, CM_LIT("GGUF is not a container"));
    FAILS(SEALED_NOT, t_open(kit, bad, &whole));
    cm_buf_free(&whole);
}

/* ---- streams and outputs ------------------------------------------------------------------- */

static void fill_pipe(int fd, const cm_buf *b)
{
    if (fork() == 0) {
        signal(SIGPIPE, SIG_IGN);
        _exit(cm_failed(cm_os_write(fd, b->p, b->n)));
    }
    close(fd);
}

static void test_streams(void **state)
{
    cm_recipient to;
    cm_seal_options so = t_seal_options(kit, &to);
    cm_opener opener;
    const cm_sig_key *trusted[1];
    cm_open_options o = t_open_options(kit, &opener, trusted);

    (void)state;
    for (size_t i = 0; i < CM_COUNT(sizes); i++) {
        const char *path = t_path(kit->dir, "stream.sealed"), *out = t_path(kit->dir, "stream.out");
        cm_buf b = t_bytes(sizes[i], sizes[i]), back;
        cm_seal_result r;
        int p[2], fd;

        assert_int_equal(pipe(p), 0);
        fill_pipe(p[1], &b);
        fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
        OK(cm_seal(&r, kit->crypt, &so, NULL, p[0], NULL, fd)); /* S-5 */
        close(p[0]);
        close(fd);
        t_expect_plain(kit, path, sizes[i]);
        back = t_whole_file(path);
        assert_int_equal(pipe(p), 0);
        fill_pipe(p[1], &back);
        fd = open(out, O_RDWR | O_CREAT | O_TRUNC, 0600);
        OK(cm_unseal_stream(kit->crypt, &o, p[0], fd));
        close(fd);
        close(p[0]);
        cm_buf_free(&back);
        back = t_whole_file(out);
        assert_int_equal(back.n, b.n);
        assert_memory_equal(back.p, b.p, b.n);
        cm_buf_free(&back);
        cm_buf_free(&b);
    }
    while (wait(NULL) > 0)
        ;
}

static void test_outputs(void **state)
{
    cm_opener opener;
    const cm_sig_key *trusted[1];
    cm_open_options o = t_open_options(kit, &opener, trusted);
    const char *path = t_sealed_as(kit, "outputs", 300000, NULL, NULL),
               *out = t_path(kit->dir, "out");
    cm_buf want = t_bytes(300000, 300000), got;
    uint64_t kept;
    cm_sealed *s;
    int fd, m;

    (void)state;
    OK(cm_os_open_read(&fd, path));
    OK(cm_sealed_load(&s, kit->crypt, fd, &o));
    OK(cm_sealed_unlock(s));
    OK(cm_sealed_extract(s, out, false, &kept));
    assert_int_equal(kept, 0);
    assert_false(t_exists(t_path(kit->dir, "out.part")));
    FAILS(FILE_EXISTS, cm_sealed_extract(s, out, false, &kept));
    t_put_file(t_path(kit->dir, "out.part"),
               cm_view_of(want.p, 200000)); /* as an earlier run left it */
    OK(cm_sealed_extract(s, out, true, &kept));
    assert_int_equal(kept, 3 * 65536);
    got = t_whole_file(out);
    assert_memory_equal(got.p, want.p, want.n);
    assert_int_equal(got.n, want.n);
    OK(cm_sealed_memfd(s, &m));
    assert_int_equal(pread(m, got.p, 300000, 0), 300000);
    assert_memory_equal(got.p, want.p, want.n);
    assert_int_equal(write(m, "x", 1), -1); /* sealed for good */
    close(m);
    cm_sealed_free(s);
    close(fd);
    cm_buf_free(&want);
    cm_buf_free(&got);
}

/* Large enough to be written past the page cache, both ways. */
static void test_large_files(void **state)
{
    static const size_t large[] = {33 << 20, (34 << 20) + 1, (35 << 20) - 4095};
    const char *out = t_path(kit->dir, "large.out");
    cm_opener opener;
    const cm_sig_key *trusted[1];
    cm_open_options o = t_open_options(kit, &opener, trusted);

    (void)state;
    for (size_t i = 0; i < CM_COUNT(large); i++) {
        const char *path = t_sealed_as(kit, "large", large[i], NULL, NULL);
        cm_buf want = t_bytes(large[i], large[i]), got;
        cm_sealed *s;
        int fd;

        OK(cm_os_open_read(&fd, path));
        OK(cm_sealed_load(&s, kit->crypt, fd, &o));
        OK(cm_sealed_unlock(s));
        OK(cm_sealed_extract(s, out, true, NULL));
        got = t_whole_file(out);
        assert_int_equal(got.n, want.n);
        assert_memory_equal(got.p, want.p, want.n);
        cm_sealed_free(s);
        close(fd);
        cm_buf_free(&want);
        cm_buf_free(&got);
    }
}

/* A failed run leaves the old file and no plaintext. */
static void test_failed_runs(void **state)
{
    cm_recipient to;
    cm_seal_options o = t_seal_options(kit, &to);
    const char *out = t_path(kit->dir, "keep.sealed");
    atomic_bool stop = true;
    cm_seal_result r = {.size = 77};
    cm_buf kept;

    (void)state;
    t_put_file(out, CM_LIT("precious"));
    FAILS(FILE_EXISTS, cm_seal(&r, kit->crypt, &o, t_path(kit->dir, "one.plain"), -1, out, -1));
    o.replace = true;
    o.watch.cancel = &stop;
    FAILS(CANCELLED, cm_seal(&r, kit->crypt, &o, t_path(kit->dir, "one.plain"), -1, out, -1));
    FAILS(NO_FILE, cm_seal(&r, kit->crypt, &o, t_path(kit->dir, "absent"), -1, out, -1));
    FAILS(SEALED_KIND, cm_seal(&r, kit->crypt, &o, "/dev/null", -1, out, -1));
    o.name = "";
    FAILS(SEALED_NAME, cm_seal(&r, kit->crypt, &o, t_path(kit->dir, "one.plain"), -1, out, -1));
    assert_int_equal(r.size, 77); /* untouched */
    assert_false(t_exists(t_path(kit->dir, "keep.sealed.part")));
    kept = t_whole_file(out);
    assert_int_equal(kept.n, 8);
    cm_buf_free(&kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_private_digest),
        cmocka_unit_test(test_digest_names_content),
        cmocka_unit_test(test_random_access),
        cmocka_unit_test(test_tiers),
        cmocka_unit_test(test_trust),
        cmocka_unit_test(test_one_bad_signature),
        cmocka_unit_test(test_unsigned),
        cmocka_unit_test(test_recipient_cannot_swap_weights),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_moved_segments),
        cmocka_unit_test(test_absurd_lengths),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_outputs),
        cmocka_unit_test(test_large_files),
        cmocka_unit_test(test_failed_runs),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
