/* Our own ML-DSA verification: each kernel against the provider, and what FIPS 204 refuses. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/core_names.h>

#include "crypt/mldsa_int.h"

enum { MUTATIONS = 150, THREADS = 4 };

static cm_crypt *crypt_;
static const cm_view ctx_ = {(const uint8_t *)"casemate/test/v1", 16};
static const cm_view msg_ = {(const uint8_t *)"a statement", 11};

static uint32_t next_random(uint32_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 17;
    *x ^= *x << 5;
    return *x;
}

static bool provider_takes(const cm_sig_key *k, cm_view ctx, cm_view msg, cm_view sig)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_SIGNATURE_PARAM_CONTEXT_STRING,
                                          (void *)(uintptr_t)cm_crypt_bytes(ctx), ctx.n),
        OSSL_PARAM_construct_end(),
    };

    return cm_ok(cm_sig_evp_verify(k, msg, sig, params));
}

/* What everyone says of it. */
static bool taken(const cm_sig_key *k, cm_view ctx, cm_view msg, cm_view sig)
{
    bool good = provider_takes(k, ctx, msg, sig);

    for (cm_cpu_kind kind = CM_CPU_PORTABLE; kind < CM_CPU_KINDS; kind++)
        if (cm_mldsa_kernel_of(kind)) {
            cm_err e = cm_mldsa_verify_on(kind, k, NULL, ctx, msg, sig);

            assert_true(good ? cm_ok(e) : cm_is(e, CM_CRYPT_SIGNATURE));
        }
    assert_int_equal(cm_ok(cm_verify(k, ctx, msg, sig)), good);
    return good;
}

/* A key and a signature over msg_. */
typedef struct {
    cm_sig_key *k;
    const cm_mldsa_params *p;
    uint8_t bytes[CM_SIG_MAX];
    cm_view sig;
    uint8_t *hints;
} signed_one;

static void sign_one(signed_one *s, cm_sig_id id)
{
    assert_true(cm_ok(cm_sig_generate(&s->k, crypt_, id)));
    assert_true(cm_ok(cm_sign(s->k, s->bytes, ctx_, msg_)));
    s->p = cm_mldsa_params_of(s->k);
    s->sig = cm_view_of(s->bytes, cm_sig_info_of(id)->sig);
    s->hints = s->bytes + s->sig.n - s->p->omega - s->p->k;
}

static void agrees_with_the_provider(void **state)
{
    uint32_t x = 20261121;

    (void)state;
    for (cm_sig_id id = CM_SIG_MLDSA44; id <= CM_SIG_MLDSA87; id++) {
        signed_one s;

        sign_one(&s, id);
        assert_true(taken(s.k, ctx_, msg_, s.sig));
        assert_false(taken(s.k, CM_LIT(""), msg_, s.sig));
        assert_false(taken(s.k, ctx_, CM_LIT(""), s.sig));
        for (unsigned i = 0; i < MUTATIONS; i++) {
            size_t at = next_random(&x) % s.sig.n;
            uint8_t was = s.bytes[at];

            if (i % 3 == 0) /* the hint is the short end of it */
                at = s.sig.n - 1 - at % (s.p->omega + s.p->k);
            was = s.bytes[at];
            s.bytes[at] = (uint8_t)(i % 2 ? was ^ 1u << x % 8 : x >> 8);
            assert_int_equal(taken(s.k, ctx_, msg_, s.sig), s.bytes[at] == was);
            s.bytes[at] = was;
        }
        cm_sig_key_free(s.k);
    }
}

static void every_byte_counts(void **state)
{
    (void)state;
    for (cm_sig_id id = CM_SIG_MLDSA44; id <= CM_SIG_MLDSA87; id++) {
        signed_one s;

        sign_one(&s, id);
        for (size_t i = 0; i < s.sig.n; i++) {
            s.bytes[i] ^= (uint8_t)(1u << i % 8);
            assert_true(cm_is(cm_verify(s.k, ctx_, msg_, s.sig), CM_CRYPT_SIGNATURE));
            s.bytes[i] ^= (uint8_t)(1u << i % 8);
        }
        assert_true(
            cm_is(cm_mldsa_verify(s.k, NULL, ctx_, msg_, cm_view_sub(s.sig, 0, s.sig.n - 1)),
                  CM_CRYPT_SIGNATURE));
        assert_true(cm_ok(cm_verify(s.k, ctx_, msg_, s.sig)));
        cm_sig_key_free(s.k);
    }
}

static void contexts_have_a_bound(void **state)
{
    uint8_t longest[CM_SIG_CTX_MAX + 1] = {1};
    signed_one s;

    (void)state;
    sign_one(&s, CM_SIG_MLDSA65);
    assert_true(
        cm_is(cm_mldsa_verify(s.k, NULL, CM_VIEW(longest), msg_, s.sig), CM_CRYPT_CONTEXT_LONG));
    cm_sig_key_free(s.k);
}

/* ---- one hint, one form -------------------------------------------------------------------- */

/* A row with two hints at least; all but certain in any signature, sure after a few. */
static size_t row_of_two(signed_one *s, size_t *first)
{
    const uint8_t *end = s->hints + s->p->omega;

    for (int tries = 0; tries < 50; tries++) {
        for (size_t i = 0; i < s->p->k; i++) {
            *first = i > 0 ? end[i - 1] : 0;
            if (end[i] - *first >= 2 && end[s->p->k - 1] < s->p->omega)
                return i;
        }
        assert_true(cm_ok(cm_sign(s->k, s->bytes, ctx_, msg_)));
    }
    fail();
    return 0;
}

static void refuses(signed_one *s, const uint8_t *before)
{
    assert_false(taken(s->k, ctx_, msg_, s->sig));
    memcpy(s->hints, before, s->p->omega + s->p->k);
    assert_true(taken(s->k, ctx_, msg_, s->sig));
}

/* Each stands for the hint of a good signature, or for none. */
static void a_hint_has_one_form(void **state)
{
    (void)state;
    for (cm_sig_id id = CM_SIG_MLDSA44; id <= CM_SIG_MLDSA87; id++) {
        uint8_t before[128];
        signed_one s;
        size_t row, at = 0, n;

        sign_one(&s, id);
        row = row_of_two(&s, &at);
        n = s.hints[s.p->omega + s.p->k - 1];
        memcpy(before, s.hints, s.p->omega + s.p->k);

        s.hints[at] = before[at + 1]; /* out of order */
        s.hints[at + 1] = before[at];
        refuses(&s, before);
        memmove(s.hints + at + 1, s.hints + at, n - at); /* twice */
        for (size_t i = row; i < s.p->k; i++)
            s.hints[s.p->omega + i]++;
        refuses(&s, before);
        s.hints[n] = 1; /* past the last */
        refuses(&s, before);
        s.hints[s.p->omega - 1] = 255;
        refuses(&s, before);
        s.hints[s.p->omega + s.p->k - 1] = (uint8_t)(s.p->omega + 1); /* more than fit */
        refuses(&s, before);
        s.hints[s.p->omega] = 255; /* ends that go back */
        refuses(&s, before);
        cm_sig_key_free(s.k);
    }
}

/* ---- the bound of z ------------------------------------------------------------------------ */

/* With a public key whose t1 is zero anyone can sign, any z: A z alone is the commitment. */
static void forge(uint8_t *sig, const cm_sig_key *k, int32_t z0)
{
    const cm_mldsa_params *p = cm_mldsa_params_of(k);
    const cm_mldsa_kernel *f = cm_mldsa_kernel_of(CM_CPU_PORTABLE);
    CM_AUTO(cm_mldsa_unborrow) cm_mldsa_lent lent = {0};
    cm_poly z[CM_MLDSA_L_MAX] = {{{0}}}, t, high, low;
    uint8_t mu[CM_SIG_MU], w1[CM_MLDSA_W1_MAX], *at = sig + p->ctilde, *to = w1;
    cm_view parts[] = {CM_VIEW(mu), {w1, 0}};

    z[0].c[7] = z0;
    for (unsigned i = 0; i < p->l; i++) {
        at = cm_mldsa_pack(at, &z[i], p->gamma1_bits + 1, 1 << p->gamma1_bits, -1);
        f->ntt(&z[i]);
    }
    memset(at, 0, p->omega + p->k);
    assert_true(cm_ok(cm_mldsa_borrow(&lent, k, CM_CPU_PORTABLE)));
    for (unsigned i = 0; i < p->k; i++) {
        f->mul(&t, &lent.x->a[i * p->l], &z[0]);
        f->reduce(&t);
        f->intt(&t);
        f->positive(&t);
        f->decompose(&high, &low, &t, p->gamma2);
        to = cm_mldsa_pack(to, &high, p->gamma2 == (CM_MLDSA_Q - 1) / 32 ? 4 : 6, 0, 1);
    }
    parts[1].n = (size_t)(to - w1);
    assert_true(cm_ok(cm_mldsa_mu(k, mu, ctx_, msg_)));
    assert_true(cm_ok(cm_shake_parts(crypt_, 256, sig, p->ctilde, parts, CM_COUNT(parts))));
}

static void z_has_a_bound(void **state)
{
    (void)state;
    for (cm_sig_id id = CM_SIG_MLDSA44; id <= CM_SIG_MLDSA87; id++) {
        uint8_t pk[CM_SIG_PK_MAX] = {1, 2, 3}, sig[CM_SIG_MAX];
        cm_view v = cm_view_of(sig, cm_sig_info_of(id)->sig);
        cm_sig_key *k = NULL;
        int32_t bound;

        assert_true(
            cm_ok(cm_sig_from_public(&k, crypt_, id, cm_view_of(pk, cm_sig_info_of(id)->pk))));
        bound = (1 << cm_mldsa_params_of(k)->gamma1_bits) - (int32_t)cm_mldsa_params_of(k)->beta;
        for (int32_t sign = -1; sign <= 1; sign += 2) {
            forge(sig, k, sign * (bound - 1));
            assert_true(taken(k, ctx_, msg_, v));
            forge(sig, k, sign * bound);
            assert_false(taken(k, ctx_, msg_, v));
            forge(sig, k, sign * (bound + 1));
            assert_false(taken(k, ctx_, msg_, v));
        }
        cm_sig_key_free(k);
    }
}

/* ---- parts --------------------------------------------------------------------------------- */

static void is_below(const cm_mldsa_kernel *f, int32_t v, int32_t bound, bool want)
{
    cm_poly p = {{0}};

    p.c[CM_MLDSA_N - 1] = v;
    assert_int_equal(f->below(&p, bound), want);
}

/* Every residue there is into high and low bits, by both kernels, the same. */
static void kernels_decompose_alike(void **state)
{
    const cm_mldsa_kernel *a = cm_mldsa_kernel_of(CM_CPU_PORTABLE),
                          *b = cm_mldsa_kernel_of(cm_mldsa_best());
    static const int32_t gammas[] = {(CM_MLDSA_Q - 1) / 32, (CM_MLDSA_Q - 1) / 88};
    cm_poly w, h1, l1, h2, l2;

    (void)state;
    for (size_t g = 0; g < CM_COUNT(gammas); g++)
        for (int32_t r = 0; r < CM_MLDSA_Q; r += CM_MLDSA_N) {
            for (int32_t i = 0; i < CM_MLDSA_N; i++)
                w.c[i] = (r + i) % CM_MLDSA_Q;
            a->decompose(&h1, &l1, &w, gammas[g]);
            b->decompose(&h2, &l2, &w, gammas[g]);
            assert_memory_equal(&h1, &h2, sizeof h1);
            assert_memory_equal(&l1, &l2, sizeof l1);
        }
    for (int32_t sign = -1; sign <= 1; sign += 2) {
        is_below(a, sign * 99, 100, true);
        is_below(b, sign * 99, 100, true);
        is_below(a, sign * 100, 100, false);
        is_below(b, sign * 100, 100, false);
    }
}

/* Products in the ring, canonical, by both kernels. */
static void kernels_multiply_alike(void **state)
{
    uint32_t x = 7;

    (void)state;
    for (int n = 0; n < 100; n++) {
        cm_poly a, b, got[2];

        for (size_t i = 0; i < CM_MLDSA_N; i++) {
            a.c[i] = (int32_t)(next_random(&x) % CM_MLDSA_Q) * (n % 2 ? 1 : -1);
            b.c[i] = n < 2 ? CM_MLDSA_Q - 1 : (int32_t)(next_random(&x) % CM_MLDSA_Q);
        }
        for (int side = 0; side < 2; side++) {
            const cm_mldsa_kernel *f = cm_mldsa_kernel_of(side ? cm_mldsa_best() : CM_CPU_PORTABLE);
            cm_poly s = a, t = b;

            f->ntt(&s);
            f->ntt(&t);
            f->mul(&got[side], &s, &t);
            for (int more = 0; more < CM_MLDSA_L_MAX; more++)
                f->mul_add(&got[side], &s, &t);
            f->reduce(&got[side]);
            f->intt(&got[side]);
            f->positive(&got[side]);
        }
        assert_memory_equal(&got[0], &got[1], sizeof got[0]);
    }
}

static void *verify_some(void *arg)
{
    signed_one *s = arg;
    size_t good = 0;

    for (int i = 0; i < 20; i++)
        good += cm_ok(cm_verify(s->k, ctx_, msg_, s->sig));
    return good == 20 ? s : NULL;
}

static void threads_share_a_key(void **state)
{
    pthread_t t[THREADS];
    signed_one s;

    (void)state;
    sign_one(&s, CM_SIG_MLDSA44);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, verify_some, &s), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *ok = NULL;

        assert_int_equal(pthread_join(t[i], &ok), 0);
        assert_ptr_equal(ok, &s);
    }
    cm_sig_key_free(s.k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_provider),
        cmocka_unit_test(every_byte_counts),
        cmocka_unit_test(contexts_have_a_bound),
        cmocka_unit_test(a_hint_has_one_form),
        cmocka_unit_test(z_has_a_bound),
        cmocka_unit_test(kernels_decompose_alike),
        cmocka_unit_test(kernels_multiply_alike),
        cmocka_unit_test(threads_share_a_key),
    };
    int rc;

    if (cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)))
        return 1;
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    cm_crypt_free(crypt_);
    return rc;
}
