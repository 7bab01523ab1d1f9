/* Looking after containers: recipients, signatures, upgrades, and what verify says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/os.h"
#include "kit_group.h"

static void salted(cm_seal_options *o)
{
    o->private_digest = true;
    o->sealed_root = true;
    o->policy = "team/weights";
    o->licence = "Apache-2.0";
    o->publisher = "Example";
}

static void unsigned_model(cm_seal_options *o)
{
    o->signers_n = 0;
    o->no_signature = true;
}

/* ---- rewrap, upgrade, sign ----------------------------------------------------------------- */

static cm_err open_as(const char *path, const cm_kem_key *key)
{
    cm_opener opener;
    const cm_sig_key *trusted[1];
    cm_open_options o = t_open_options(kit, &opener, trusted);
    cm_buf b = {0};
    cm_err e;

    opener = cm_opener_kem(key);
    e = t_open_with(kit, path, &o, &b);
    cm_buf_free(&b);
    return e;
}

static bool keep_all(void *arg, const cm_stanza *st)
{
    (void)arg;
    (void)st;
    return true;
}

static void test_rewrap(void **state)
{
    cm_opener opener;
    const cm_sig_key *trusted[1];
    cm_open_options o = t_open_options(kit, &opener, trusted);
    cm_recipient other = cm_recipient_kem(kit->other), many[40];
    const char *path = t_sealed_as(kit, "rewrap", 200000, NULL, NULL);
    cm_rewrap w = {.add = &other, .add_n = 1, .keep = keep_all};
    uint32_t slot;
    cm_buf b;

    (void)state;
    OK(cm_sealed_rewrap(kit->crypt, path, &o, &w));
    assert_false(w.copied);
    OK(open_as(path, kit->xwing));
    OK(open_as(path, kit->other));
    w.keep = NULL;
    OK(cm_sealed_rewrap(kit->crypt, path, &o, &w));
    FAILS(ENVELOPE_NOT_FOR_US, open_as(path, kit->xwing));
    OK(open_as(path, kit->other));
    b = t_whole_file(path); /* S-4: the old stanza is gone from the bytes */
    slot = cm_get_be32(b.p + 16);
    assert_true(cm_get_be32(b.p + 4096) == 0 || cm_get_be32(b.p + 4096 + slot) == 0);
    cm_buf_free(&b);
    FAILS(ENVELOPE_NOT_FOR_US, cm_sealed_rewrap(kit->crypt, path, &o, &w));
    opener = cm_opener_kem(kit->other);
    for (size_t i = 0; i < CM_COUNT(many); i++)
        many[i] = cm_recipient_kem(i ? kit->other : kit->xwing);
    w = (cm_rewrap){.add = many, .add_n = CM_COUNT(many)};
    OK(cm_sealed_rewrap(kit->crypt, path, &o, &w));
    assert_true(w.copied);
    OK(open_as(path, kit->xwing));
    t_expect_plain(kit, path, 200000);
}

static void test_upgrade(void **state)
{
    cm_opener opener;
    const cm_sig_key *trusted[1];
    cm_open_options o = t_open_options(kit, &opener, trusted);
    const char *path = t_sealed_as(kit, "old", 500000, NULL, NULL),
               *out = t_path(kit->dir, "new.sealed");
    cm_recipient strong = cm_recipient_kem(kit->mlkem1024);
    cm_seal_options so = t_seal_options(kit, &strong);
    const cm_sig_key *signer = kit->mldsa87;
    cm_seal_result r;
    cm_sealed *s;
    cm_buf b = {0}, want = t_bytes(500000, 500000);
    int fd;

    (void)state;
    strong = cm_recipient_kem(kit->mlkem1024);
    so.signers = &signer;
    so.tier = 3;
    so.segment = 128 << 10;
    so.name = so.version = NULL;
    OK(cm_os_open_read(&fd, path));
    OK(cm_sealed_load(&s, kit->crypt, fd, &o));
    OK(cm_sealed_unlock(s));
    OK(cm_sealed_upgrade(&r, s, &so, out));
    assert_memory_equal(r.digest, cm_sealed_get(s)->digest, 32); /* the same model */
    cm_sealed_free(s);
    close(fd);
    opener = cm_opener_kem(kit->mlkem1024);
    trusted[0] = kit->mldsa87;
    OK(t_open_with(kit, out, &o, &b));
    assert_memory_equal(b.p, want.p, want.n);
    cm_buf_free(&b);
    cm_buf_free(&want);
}

static void test_detached(void **state)
{
    cm_opener opener;
    const cm_sig_key *trusted[1], *signer = kit->stranger;
    cm_open_options o = t_open_options(kit, &opener, trusted);
    const char *path = t_sealed_as(kit, "detached", 1000, NULL, unsigned_model);
    const char *sig = t_path(kit->dir, "detached.sig"), *elsewhere;
    cm_buf b = {0};
    int fd;

    (void)state;
    OK(cm_os_open_read(&fd, path));
    OK(cm_sealed_sign(kit->crypt, fd, &signer, 1, sig, false));
    FAILS(FILE_EXISTS, cm_sealed_sign(kit->crypt, fd, &signer, 1, sig, false));
    close(fd);
    trusted[0] = kit->stranger;
    FAILS(SEALED_UNSIGNED, t_open_with(kit, path, &o, &b));
    o.signature_file = sig;
    OK(t_open_with(kit, path, &o, &b));
    elsewhere = t_sealed_as(kit, "elsewhere", 1000, NULL, unsigned_model);
    FAILS(SEALED_SIGNATURE, t_open_with(kit, elsewhere, &o, &b));
    cm_buf_free(&b);
}

/* ---- verify -------------------------------------------------------------------------------- */

struct lines {
    unsigned pass, skip, fail;
};

static void count_line(void *arg, cm_check v, const char *what, const char *why)
{
    struct lines *l = arg;

    (void)what;
    (void)why;
    l->pass += v == CM_CHECK_PASS;
    l->skip += v == CM_CHECK_SKIP;
    l->fail += v == CM_CHECK_FAIL;
}

static struct lines verify(const char *path, bool with_key)
{
    cm_opener opener;
    const cm_sig_key *trusted[1];
    cm_open_options o = t_open_options(kit, &opener, trusted);
    struct lines l = {0};
    unsigned failed;
    int fd;

    o.openers_n = with_key;
    OK(cm_os_open_read(&fd, path));
    OK(cm_sealed_verify(kit->crypt, fd, &o, count_line, &l, &failed));
    assert_int_equal(failed, l.fail);
    close(fd);
    return l;
}

static void test_verify(void **state)
{
    const char *path = t_sealed_as(kit, "verify", 300000, NULL, salted);
    cm_buf b = t_whole_file(path);
    size_t body = (size_t)cm_get_be64(b.p + 24), spare = body - 100;
    struct lines l = verify(path, true);

    (void)state;
    assert_true(l.fail == 0 && l.skip == 0 && l.pass >= 7);
    l = verify(path, false);
    assert_true(l.fail == 0 && l.skip == 1);
    b.p[body + 100000] ^= 1;
    t_put_file(path, cm_buf_view(&b));
    assert_true(verify(path, false).fail > 0); /* found without a key */
    assert_true(verify(path, true).fail > 0);
    b.p[body + 100000] ^= 1;
    b.p[spare] ^= 1;
    t_put_file(path, cm_buf_view(&b));
    assert_int_equal(verify(path, true).fail, 1);
    cm_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rewrap),
        cmocka_unit_test(test_upgrade),
        cmocka_unit_test(test_detached),
        cmocka_unit_test(test_verify),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
