/* FROST, with the numbers of RFC 9591 (testlib/frost_rfc.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ct.h"
#include "crypt/sig.h"
#include "frost_rfc.h"
#include "hex.h"
#include "keys/frost_int.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

static cm_crypt *crypt_;

static const cm_frost_ops *ops_of(cm_frost_suite s)
{
    return s == CM_FROST_ED25519 ? &cm_frost_ed25519 : &cm_frost_secp256k1;
}

static void same(const void *p, const char *hex)
{
    cm_view v = t_hex(hex);

    assert_memory_equal(p, v.p, v.n);
}

static void copy(void *p, const char *hex)
{
    cm_view v = t_hex(hex);

    memcpy(p, v.p, v.n);
}

/* The group of the vector: its polynomial is secret + coef x. */
static cm_frost_group group_of(const t_frost_vector *v)
{
    cm_frost_group g = {.suite = v->suite, .need = 2, .n = 3};
    uint8_t a[32];

    copy(a, v->secret);
    OK(ops_of(v->suite)->base(g.vss[0], a));
    copy(a, v->coef);
    OK(ops_of(v->suite)->base(g.vss[1], a));
    return g;
}

static void nonces_of(cm_frost_nonces *x, const t_frost_vector *v, int i)
{
    const cm_frost_ops *o = ops_of(v->suite);
    cm_view secret = t_hex(v->share[v->signer[i].id - 1]);
    cm_view hiding[2] = {t_hex(v->signer[i].hr), secret},
            binding[2] = {t_hex(v->signer[i].br), secret};

    memset(x, 0, sizeof *x);
    OK(o->to_scalar(crypt_, x->hiding, "nonce", hiding, 2));
    OK(o->to_scalar(crypt_, x->binding, "nonce", binding, 2));
    same(x->hiding, v->signer[i].hn);
    same(x->binding, v->signer[i].bn);
    x->commitment.id = (uint8_t)v->signer[i].id;
    OK(o->base(x->commitment.hiding, x->hiding));
    OK(o->base(x->commitment.binding, x->binding));
    same(x->commitment.hiding, v->signer[i].hc);
    same(x->commitment.binding, v->signer[i].bc);
}

static void one_vector(const t_frost_vector *v)
{
    cm_frost_group g = group_of(v);
    cm_frost_nonces x[2];
    cm_frost_commitment list[2];
    cm_frost_part part[2];
    uint8_t sig[CM_FROST_SIG_MAX];

    same(cm_frost_public(&g).p, v->public);
    for (unsigned i = 0; i < 3; i++) {
        cm_frost_share s = {.id = (uint8_t)(i + 1)};

        copy(s.secret, v->share[i]);
        OK(cm_frost_check(&g, &s));
        s.secret[5] ^= 1;
        IS(cm_frost_check(&g, &s), FROST_SHARE);
    }
    for (int i = 0; i < 2; i++) {
        nonces_of(&x[i], v, i);
        list[i] = x[i].commitment;
    }
    for (int i = 0; i < 2; i++) {
        cm_frost_share s = {.id = (uint8_t)v->signer[i].id};

        copy(s.secret, v->share[s.id - 1]);
        OK(cm_frost_sign(&part[i], crypt_, &g, &s, &x[i], list, 2, t_hex(v->msg)));
        same(part[i].z, v->signer[i].part);
    }
    OK(cm_frost_aggregate(sig, NULL, crypt_, &g, list, part, 2, t_hex(v->msg)));
    same(sig, v->sig);
}

static void known_answers(void **state) /* F-3, F-4: the nonces are of randomness and share */
{
    (void)state;
    for (size_t i = 0; i < CM_COUNT(t_frost_rfc); i++)
        one_vector(&t_frost_rfc[i]);
}

/* ---- of our own dealing ---------------------------------------------------------------------- */

struct party {
    cm_frost_group g;
    cm_frost_share share[CM_FROST_MAX];
    cm_frost_nonces nonces[CM_FROST_MAX];
    cm_frost_commitment list[CM_FROST_MAX];
    cm_frost_part part[CM_FROST_MAX];
    size_t n;
};

/* The last `signers` holders go through round one. */
static void deal(struct party *p, cm_frost_suite suite, unsigned need, unsigned n, unsigned signers)
{
    OK(cm_frost_deal(&p->g, p->share, crypt_, suite, need, n, NULL));
    p->n = signers;
    memmove(p->share, p->share + n - signers, signers * sizeof p->share[0]);
    for (size_t i = 0; i < signers; i++) {
        OK(cm_frost_check(&p->g, &p->share[i]));
        OK(cm_frost_commit(&p->nonces[i], crypt_, &p->g, &p->share[i]));
        p->list[i] = p->nonces[i].commitment;
    }
}

static void sign_all(struct party *p, cm_view msg)
{
    for (size_t i = 0; i < p->n; i++)
        OK(cm_frost_sign(&p->part[i], crypt_, &p->g, &p->share[i], &p->nonces[i], p->list, p->n,
                         msg));
}

static void ed25519_signatures_are_ordinary(void **state)
{
    static const unsigned sizes[][3] = {{2, 2, 2}, {2, 5, 3}, {3, 5, 5}};
    cm_view msg = CM_LIT("signed by several");
    uint8_t sig[CM_FROST_SIG_MAX];
    cm_sig_key *k = NULL;
    struct party p;

    (void)state;
    for (size_t i = 0; i < CM_COUNT(sizes); i++) {
        deal(&p, CM_FROST_ED25519, sizes[i][0], sizes[i][1], sizes[i][2]);
        sign_all(&p, msg);
        OK(cm_frost_aggregate(sig, NULL, crypt_, &p.g, p.list, p.part, p.n, msg));
        OK(cm_sig_from_public(&k, crypt_, CM_SIG_ED25519, cm_frost_public(&p.g)));
        OK(cm_verify_raw(k, msg, cm_view_of(sig, 64)));
        OK(cm_frost_verify(crypt_, CM_FROST_ED25519, cm_frost_public(&p.g), msg,
                           cm_view_of(sig, 64)));
        sig[40] ^= 1;
        IS(cm_frost_verify(crypt_, CM_FROST_ED25519, cm_frost_public(&p.g), msg,
                           cm_view_of(sig, 64)),
           CRYPT_SIGNATURE);
        cm_sig_key_free(k);
        k = NULL;
    }
}

static void largest_group_signs(void **state)
{
    uint8_t sig[CM_FROST_SIG_MAX];
    struct party p;

    (void)state;
    deal(&p, CM_FROST_SECP256K1, 20, CM_FROST_MAX, CM_FROST_MAX);
    sign_all(&p, CM_LIT("m"));
    OK(cm_frost_aggregate(sig, NULL, crypt_, &p.g, p.list, p.part, p.n, CM_LIT("m")));
    OK(cm_frost_verify(crypt_, CM_FROST_SECP256K1, cm_frost_public(&p.g), CM_LIT("m"),
                       CM_VIEW(sig)));
    IS(cm_frost_verify(crypt_, CM_FROST_SECP256K1, cm_frost_public(&p.g), CM_LIT("n"),
                       CM_VIEW(sig)),
       CRYPT_SIGNATURE);
}

static void nonces_serve_once(void **state) /* F-5 */
{
    static const cm_frost_nonces gone;
    cm_frost_part part;
    struct party p;

    (void)state;
    deal(&p, CM_FROST_ED25519, 2, 3, 2);
    sign_all(&p, CM_LIT("once"));
    assert_memory_equal(&p.nonces[0], &gone, sizeof gone);
    IS(cm_frost_sign(&part, crypt_, &p.g, &p.share[0], &p.nonces[0], p.list, 2, CM_LIT("twice")),
       FROST_NONCE_USED);
    /* A forged element of another's spends them too: what was computed before must not be again. */
    deal(&p, CM_FROST_ED25519, 2, 3, 2);
    memset(p.list[1].hiding, 0, sizeof p.list[1].hiding);
    IS(cm_frost_sign(&part, crypt_, &p.g, &p.share[0], &p.nonces[0], p.list, 2, CM_LIT("m")),
       FROST_POINT);
    assert_memory_equal(&p.nonces[0], &gone, sizeof gone);
}

static void lists_must_fit(void **state)
{
    cm_frost_commitment other[3];
    cm_frost_part part;
    struct party p;

    (void)state;
    deal(&p, CM_FROST_SECP256K1, 2, 3, 3);
    IS(cm_frost_sign(&part, crypt_, &p.g, &p.share[0], &p.nonces[0], p.list, 1, CM_LIT("m")),
       FROST_LIST);
    other[0] = p.list[1];
    other[1] = p.list[0];
    IS(cm_frost_sign(&part, crypt_, &p.g, &p.share[0], &p.nonces[0], other, 2, CM_LIT("m")),
       FROST_LIST);
    other[0] = other[1] = p.list[0];
    IS(cm_frost_sign(&part, crypt_, &p.g, &p.share[0], &p.nonces[0], other, 2, CM_LIT("m")),
       FROST_LIST);
    IS(cm_frost_sign(&part, crypt_, &p.g, &p.share[0], &p.nonces[0], p.list + 1, 2, CM_LIT("m")),
       FROST_NOT_OURS); /* F-6 */
    memcpy(other, p.list, sizeof other);
    memcpy(other[0].binding, p.list[0].hiding, sizeof other[0].binding);
    IS(cm_frost_sign(&part, crypt_, &p.g, &p.share[0], &p.nonces[0], other, 3, CM_LIT("m")),
       FROST_NOT_OURS);
    OK(cm_frost_sign(&part, crypt_, &p.g, &p.share[0], &p.nonces[0], p.list, 3, CM_LIT("m")));
}

static void bad_parts_are_named(void **state) /* F-7 */
{
    uint8_t sig[CM_FROST_SIG_MAX], was[CM_FROST_SIG_MAX];
    unsigned bad = 99;
    struct party p;

    (void)state;
    memset(sig, 7, sizeof sig);
    memcpy(was, sig, sizeof sig);
    for (int s = 0; s < 2; s++) {
        deal(&p, (cm_frost_suite)s, 2, 4, 3);
        sign_all(&p, CM_LIT("m"));
        p.part[1].z[9] ^= 4;
        IS(cm_frost_aggregate(sig, &bad, crypt_, &p.g, p.list, p.part, 3, CM_LIT("m")),
           FROST_SHARE);
        assert_int_equal(bad, p.list[1].id);
        p.part[1].z[9] ^= 4;
        memset(p.part[2].z, 0xff, 32);
        IS(cm_frost_aggregate(sig, &bad, crypt_, &p.g, p.list, p.part, 3, CM_LIT("m")),
           FROST_SHARE);
        assert_int_equal(bad, p.list[2].id);
        assert_memory_equal(sig, was, sizeof sig);
    }
}

static void parameters_have_bounds(void **state) /* F-1 */
{
    static const uint8_t zero[32];
    static const unsigned bad[][2] = {{0, 3}, {1, 3}, {4, 3}, {2, 33}, {33, 33}};
    cm_frost_share shares[CM_FROST_MAX];
    cm_frost_group g = {.n = 77};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(bad); i++)
        IS(cm_frost_deal(&g, shares, crypt_, CM_FROST_ED25519, bad[i][0], bad[i][1], NULL),
           FROST_PARAMS);
    IS(cm_frost_deal(&g, shares, crypt_, CM_FROST_ED25519, 2, 3, zero), FROST_PARAMS);
    IS(cm_frost_deal(&g, shares, crypt_, (cm_frost_suite)2, 2, 3, NULL), FROST_PARAMS);
    assert_int_equal(g.n, 77);
}

/* Points of small order, not on the curve, not canonical: F-2. */
static void elements_are_checked(void **state)
{
    static const char *const bad[] = {
        "0100000000000000000000000000000000000000000000000000000000000000", /* 0 */
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* order 2 */
        "0000000000000000000000000000000000000000000000000000000000000000", /* order 4 */
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", /* order 8 */
        "0100000000000000000000000000000000000000000000000000000000000080", /* -0 */
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* 1 + p */
        "0200000000000000000000000000000000000000000000000000000000000000", /* not on the curve */
    };
    uint8_t mixed[32];
    cm_ed_point p, q;

    (void)state;
    for (size_t i = 0; i < CM_COUNT(bad); i++)
        IS(cm_frost_ed25519.check(t_hex(bad[i]).p), FROST_POINT);
    assert_true(cm_ed_decode(&p, t_hex(bad[1]).p));
    cm_ed_add(&q, &p, cm_ed_base());
    cm_ed_encode(mixed, &q);
    IS(cm_frost_ed25519.check(mixed), FROST_POINT);
    cm_ed_encode(mixed, cm_ed_base());
    OK(cm_frost_ed25519.check(mixed));
    IS(cm_frost_secp256k1.check(t_hex("02ffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
                                      "fffffc2f")
                                    .p),
       FROST_POINT);
}

/* Keys that OpenSSL makes from a seed: the base point's multiples are those of Ed25519. */
static void multiples_agree_with_openssl(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 32; i++) {
        uint8_t seed[32], h[64], wide[64] = {0}, a[32], pk[32];
        cm_sig_key *k = NULL;

        memset(seed, (int)i, sizeof seed);
        OK(cm_hash_once(crypt_, CM_SHA512, h, CM_VIEW(seed)));
        h[0] &= 248;
        h[31] = (uint8_t)((h[31] & 127) | 64);
        memcpy(wide, h, 32);
        cm_ed_scalar_reduce(a, wide);
        OK(cm_frost_ed25519.base(pk, a));
        OK(cm_sig_from_seed(&k, crypt_, CM_SIG_ED25519, CM_VIEW(seed)));
        assert_memory_equal(pk, cm_sig_public(k).p, 32);
        cm_sig_key_free(k);
    }
}

/* a (b + c) = a b + a c, a / a = 1, a - a = 0: over both orders, near their edges too. */
static void scalars_obey_the_laws(void **state)
{
    (void)state;
    for (int s = 0; s < 2; s++) {
        const cm_frost_ops *o = ops_of((cm_frost_suite)s);
        uint8_t a[32], b[32], c[32], x[32], y[32], one[32], zero[32] = {0};

        o->small(one, 1);
        o->negate(a, one); /* the largest */
        for (int i = 0; i < 50; i++) {
            cm_view v = cm_view_of(&i, sizeof i);

            OK(o->to_scalar(crypt_, b, "nonce", &v, 1));
            OK(o->to_scalar(crypt_, c, "rho", &v, 1));
            o->add(x, b, c);
            o->mul(x, x, a);
            o->mul(y, a, b);
            o->mul(c, a, c);
            o->add(y, y, c);
            assert_memory_equal(x, y, 32);
            o->invert(x, a);
            o->mul(x, x, a);
            assert_memory_equal(x, one, 32);
            o->negate(x, a);
            o->add(x, x, a);
            assert_memory_equal(x, zero, 32);
            assert_true(o->valid(a));
            assert_false(o->valid(zero));
            memcpy(a, b, 32);
        }
        memset(a, 0xff, 32);
        assert_false(o->valid(a));
    }
}

static void bytes_and_back(void **state) /* F-8 */
{
    cm_buf b = {.max = 4096};
    cm_frost_nonces x;
    cm_frost_group g;
    struct party p;

    (void)state;
    for (int s = 0; s < 2; s++) {
        deal(&p, (cm_frost_suite)s, 3, 5, 3);
        b.n = 0;
        OK(cm_frost_put_group(&b, &p.g));
        for (size_t n = 0; n < b.n; n++)
            IS(cm_frost_get_group(&g, cm_view_of(b.p, n)), FROST_ENCODING);
        OK(cm_frost_get_group(&g, cm_buf_view(&b)));
        assert_memory_equal(&g, &p.g, sizeof g);
        b.p[2] = 1; /* F-8: a threshold of one */
        IS(cm_frost_get_group(&g, cm_buf_view(&b)), FROST_ENCODING);
        b.n = 0;
        OK(cm_frost_put_nonces(&b, &p.nonces[0]));
        assert_int_equal(b.n, CM_FROST_NONCES);
        OK(cm_frost_get_nonces(&x, cm_buf_view(&b)));
        assert_memory_equal(&x, &p.nonces[0], sizeof x);
        IS(cm_frost_get_nonces(&x, cm_view_of(b.p, b.n - 1)), FROST_ENCODING);
    }
    cm_buf_free(&b);
}

static int setup(void **state)
{
    (void)state;
    return cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT));
}

static int teardown(void **state)
{
    (void)state;
    cm_crypt_free(crypt_);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(ed25519_signatures_are_ordinary),
        cmocka_unit_test(largest_group_signs),
        cmocka_unit_test(nonces_serve_once),
        cmocka_unit_test(lists_must_fit),
        cmocka_unit_test(bad_parts_are_named),
        cmocka_unit_test(parameters_have_bounds),
        cmocka_unit_test(elements_are_checked),
        cmocka_unit_test(multiples_agree_with_openssl),
        cmocka_unit_test(scalars_obey_the_laws),
        cmocka_unit_test(bytes_and_back),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
