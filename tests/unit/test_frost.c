/*
 * FROST. The numbers are those of RFC 9591, appendix E.1 and E.5 (signers 1 and 3 of three), as the
 * working group's repository gives them in poc/frost-*.json.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ct.h"
#include "crypt/sig.h"
#include "hex.h"
#include "keys/frost_int.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

struct vector {
    cm_frost_suite suite;
    const char *secret, *coef, *public, *msg, *sig, *share[3];
    struct {
        unsigned id;
        /* randomness, nonces, commitments; binding factor; signature share */
        const char *hr, *br, *hn, *bn, *hc, *bc, *rho, *part;
    } signer[2];
};

static const struct vector vectors[] = {
    {.suite = CM_FROST_ED25519,
     .secret = "7b1c33d3f5291d85de664833beb1ad469f7fb6025a0ec78b3a790c6e13a98304",
     .coef = "178199860edd8c62f5212ee91eff1295d0d670ab4ed4506866bae57e7030b204",
     .public = "15d21ccd7ee42959562fc8aa63224c8851fb3ec85a3faf66040d380fb9738673",
     .msg = "74657374",
     .sig = "36282629c383bb820a88b71cae937d41f2f2adfcc3d02e55507e2fb9e2dd3cbe"
            "bd9d2b0844e49ae0f3fa935161e1419aab7b47d21a37ebeae1f17d4987b3160b",
     .share = {"929dcc590407aae7d388761cddb0c0db6f5627aea8e217f4a033f2ec83d93509",
               "a91e66e012e4364ac9aaa405fcafd370402d9859f7b6685c07eed76bf409e80d",
               "d3cb090a075eb154e82fdb4b3cb507f110040905468bb9c46da8bdea643a9a02"},
     .signer =
         {
             {
                 .id = 1,
                 .hr = "0fd2e39e111cdc266f6c0f4d0fd45c947761f1f5d3cb583dfcb9bbaf8d4c9fec",
                 .br = "69cd85f631d5f7f2721ed5e40519b1366f340a87c2f6856363dbdcda348a7501",
                 .hn = "812d6104142944d5a55924de6d49940956206909f2acaeedecda2b726e630407",
                 .bn = "b1110165fc2334149750b28dd813a39244f315cff14d4e89e6142f262ed83301",
                 .hc = "b5aa8ab305882a6fc69cbee9327e5a45e54c08af61ae77cb8207be3d2ce13de3",
                 .bc = "67e98ab55aa310c3120418e5050c9cf76cf387cb20ac9e4b6fdb6f82a469f932",
                 .rho = "f2cb9d7dd9beff688da6fcc83fa89046b3479417f47f55600b106760eb3b5603",
                 .part = "001719ab5a53ee1a12095cd088fd149702c0720ce5fd2f29dbecf24b7281b603",
             },
             {
                 .id = 3,
                 .hr = "86d64a260059e495d0fb4fcc17ea3da7452391baa494d4b00321098ed2a0062f",
                 .br = "13e6b25afb2eba51716a9a7d44130c0dbae0004a9ef8d7b5550c8a0e07c61775",
                 .hn = "c256de65476204095ebdc01bd11dc10e57b36bc96284595b8215222374f99c0e",
                 .bn = "243d71944d929063bc51205714ae3c2218bd3451d0214dfb5aeec2a90c35180d",
                 .hc = "cfbdb165bd8aad6eb79deb8d287bcc0ab6658ae57fdcc98ed12c0669e90aec91",
                 .bc = "7487bc41a6e712eea2f2af24681b58b1cf1da278ea11fe4e8b78398965f13552",
                 .rho = "b087686bf35a13f3dc78e780a34b0fe8a77fef1b9938c563f5573d71d8d7890f",
                 .part = "bd86125de990acc5e1f13781d8e32c03a9bbd4c53539bbc106058bfd14326007",
             },
         }},
    {.suite = CM_FROST_SECP256K1,
     .secret = "0d004150d27c3bf2a42f312683d35fac7394b1e9e318249c1bfe7f0795a83114",
     .coef = "fbf85eadae3058ea14f19148bb72b45e4399c0b16028acaf0395c9b03c823579",
     .public = "02f37c34b66ced1fb51c34a90bdae006901f10625cc06c4f64663b0eae87d87b"
               "4f",
     .msg = "74657374",
     .sig = "0205b6d04d3774c8929413e3c76024d54149c372d57aae62574ed74319b5ea14"
            "d0c65dde8492a7471437e6c2fe3da49b90d23f642b5c6dbe7e36089f096dd973"
            "24",
     .share = {"08f89ffe80ac94dcb920c26f3f46140bfc7f95b493f8310f5fc1ea2b01f4254c",
               "04f0feac2edcedc6ce1253b7fab8c86b856a797f44d83d82a385554e6e401984",
               "00e95d59dd0d46b0e303e500b62b7ccb0e555d49f5b849f5e748c071da8c0dbc"},
     .signer =
         {
             {
                 .id = 1,
                 .hr = "7ea5ed09af19f6ff21040c07ec2d2adbd35b759da5a401d4c99dd26b82391cb2",
                 .br = "47acab018f116020c10cb9b9abdc7ac10aae1b48ca6e36dc15acb6ec9be5cdc5",
                 .hn = "841d3a6450d7580b4da83c8e618414d0f024391f2aeb511d7579224420aa81f0",
                 .bn = "8d2624f532af631377f33cf44b5ac5f849067cae2eacb88680a31e77c79b5a80",
                 .hc = "03c699af97d26bb4d3f05232ec5e1938c12f1e6ae97643c8f8f11c9820303f19"
                       "04",
                 .bc = "02fa2aaccd51b948c9dc1a325d77226e98a5a3fe65fe9ba213761a60123040a4"
                       "5e",
                 .rho = "3e08fe561e075c653cbfd46908a10e7637c70c74f0a77d5fd45d1a750c739ec6",
                 .part = "c4fce1775a1e141fb579944166eab0d65eefe7b98d480a569bbbfcb14f91c197",
             },
             {
                 .id = 3,
                 .hr = "e6cc56ccbd0502b3f6f831d91e2ebd01c4de0479e0191b66895a4ffd9b68d544",
                 .br = "7203d55eb82a5ca0d7d83674541ab55f6e76f1b85391d2c13706a89a064fd5b9",
                 .hn = "2b19b13f193f4ce83a399362a90cdc1e0ddcd83e57089a7af0bdca71d47869b2",
                 .bn = "7a443bde83dc63ef52dda354005225ba0e553243402a4705ce28ffaafe0f5b98",
                 .hc = "03077507ba327fc074d2793955ef3410ee3f03b82b4cdc2370f71d865beb926e"
                       "f6",
                 .bc = "02ad53031ddfbbacfc5fbda3d3b0c2445c8e3e99cbc4ca2db2aa283fa68525b1"
                       "35",
                 .rho = "93f79041bb3fd266105be251adaeb5fd7f8b104fb554a4ba9a0becea48ddbfd7",
                 .part = "0160fd0d388932f4826d2ebcd6b9eaba734f7c71cf25b4279a4ca2581e47b18d",
             },
         }},
};

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
static cm_frost_group group_of(const struct vector *v)
{
    cm_frost_group g = {.suite = v->suite, .need = 2, .n = 3};
    uint8_t a[32];

    copy(a, v->secret);
    OK(ops_of(v->suite)->base(g.vss[0], a));
    copy(a, v->coef);
    OK(ops_of(v->suite)->base(g.vss[1], a));
    return g;
}

static void nonces_of(cm_frost_nonces *x, const struct vector *v, int i)
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

static void one_vector(const struct vector *v)
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
    for (size_t i = 0; i < CM_COUNT(vectors); i++)
        one_vector(&vectors[i]);
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
