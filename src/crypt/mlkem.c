/* ML-KEM: FIPS 203, algorithms 13 to 18. */
#include "crypt/mlkem_int.h"

#include "base/ct.h"
#include "crypt/keccak_mb.h"

enum {
    N = CM_MLKEM_N,
    K_MAX = CM_MLKEM_K_MAX,
    POLY = CM_MLKEM_POLY,
    HASH = CM_MLKEM_HASH,
    GROUP = 8, /* of hashes side by side */
    /* Three blocks of SHAKE128 hold 336 candidates for 256 coefficients, of which one in five is no
     * good: too few for one polynomial in a hundred. Sixteen do for all. */
    MATRIX_BYTES = 3 * 168,
    MATRIX_MORE = 16 * 168,
    NOISE_MAX = 192, /* eta 3 */
    DRAWS_MAX = 2 * K_MAX + 1,
    ETA2 = 2,
};

const cm_mlkem_kernel *cm_mlkem_kernel_of(cm_cpu_kind kind)
{
    static const cm_mlkem_kernel portable = {cm_mlkem_ntt_portable,    cm_mlkem_intt_portable,
                                             cm_mlkem_dot_portable,    cm_mlkem_lift_portable,
                                             cm_mlkem_reduce_portable, cm_mlkem_add_portable};
#if defined(__x86_64__)
    static const cm_mlkem_kernel avx2 = {cm_mlkem_ntt_avx2,    cm_mlkem_intt_avx2,
                                         cm_mlkem_dot_avx2,    cm_mlkem_lift_avx2,
                                         cm_mlkem_reduce_avx2, cm_mlkem_add_avx2};

    if (kind == CM_CPU_AVX2)
        return cm_cpu_has(kind) ? &avx2 : NULL;
#endif
    return kind == CM_CPU_PORTABLE ? &portable : NULL;
}

cm_cpu_kind cm_mlkem_best(void)
{
    return cm_cpu_has(CM_CPU_AVX2) ? CM_CPU_AVX2 : CM_CPU_PORTABLE;
}

/* ---- bits ---- no branch, no division: what is packed is secret at times */

static uint32_t canonical(int16_t v)
{
    return (uint32_t)(v + ((v >> 15) & CM_MLKEM_Q));
}

/* round(2^d / q v) mod 2^d, by multiplication. */
static uint32_t compress(int16_t v, unsigned d)
{
    const uint64_t inverse = 330282857; /* 2^40 / q, rounded up */

    return (uint32_t)((((canonical(v) << d) + CM_MLKEM_Q / 2) * inverse) >> 40) & ((1u << d) - 1);
}

/* Algorithm 5 after compression; d 12: without. |v| < q. */
static uint8_t *pack(uint8_t *p, const cm_kpoly *v, unsigned d)
{
    uint64_t have = 0;
    unsigned n = 0;

    for (size_t i = 0; i < N; i++) {
        uint32_t x = d == 12 ? canonical(v->c[cm_mlkem_at(i)]) : compress(v->c[i], d);

        have |= (uint64_t)x << n;
        for (n += d; n >= 8; n -= 8, have >>= 8)
            *p++ = (uint8_t)have;
    }
    return p;
}

/* Algorithm 6 before decompression. */
static const uint8_t *unpack(cm_kpoly *v, const uint8_t *p, unsigned d)
{
    uint32_t have = 0;
    unsigned n = 0;

    for (size_t i = 0; i < N; i++) {
        for (; n < d; n += 8)
            have |= (uint32_t)*p++ << n;
        v->c[i] = (int16_t)(((have & ((1u << d) - 1)) * CM_MLKEM_Q + (1u << (d - 1))) >> d);
        have >>= d;
        n -= d;
    }
    return p;
}

/* A transformed polynomial of a key; whether all of it is below q. */
static bool unpack12(cm_kpoly *v, const uint8_t *p)
{
    uint32_t over = 0;

    for (size_t i = 0; i < N; i += 2, p += 3) {
        uint32_t x = p[0] | (p[1] & 0xfu) << 8, y = p[1] >> 4 | (uint32_t)p[2] << 4;

        over |= (CM_MLKEM_Q - 1 - x) | (CM_MLKEM_Q - 1 - y);
        v->c[cm_mlkem_at(i)] = (int16_t)x;
        v->c[cm_mlkem_at(i + 1)] = (int16_t)y;
    }
    over >>= 31;
    CM_DECLASSIFY(&over, sizeof over); /* that a key is not one is what the caller is told */
    return over == 0;
}

/* ---- samplers ---- */

/* Algorithm 7 on bytes that were squeezed before. */
static bool sample_uniform(cm_kpoly *r, const uint8_t *p, size_t bytes)
{
    size_t n = 0;

    for (size_t i = 0; i < bytes && n < N; i += 3) {
        int16_t x = (int16_t)(p[i] | (p[i + 1] & 0xf) << 8),
                y = (int16_t)(p[i + 1] >> 4 | p[i + 2] << 4);

        r->c[cm_mlkem_at(n)] = x;
        n += x < CM_MLKEM_Q;
        if (n < N)
            r->c[cm_mlkem_at(n)] = y;
        n += n < N && y < CM_MLKEM_Q;
    }
    return n == N;
}

/* One that three blocks did not fill. */
static cm_err sample_more(cm_kpoly *r, const uint8_t *seed, size_t n)
{
    uint8_t bytes[MATRIX_MORE], *out = bytes;

    cm_keccak_mb(CM_KECCAK_SHAKE128, &out, sizeof bytes, &seed, n, 1);
    return sample_uniform(r, bytes, sizeof bytes) ? CM_OKAY : CM_FAIL(CRYPT_PROVIDER);
}

/* Polynomials first to first + n - 1 of the matrix. */
static cm_err expand_some(cm_mlkem_own *o, const uint8_t *rho, unsigned first, unsigned n)
{
    uint8_t seed[GROUP][HASH + 2], bytes[GROUP][MATRIX_BYTES], *out[GROUP] = {0};
    const uint8_t *in[GROUP] = {0};

    for (unsigned i = 0; i < n; i++) {
        memcpy(seed[i], rho, HASH);
        seed[i][HASH] = (uint8_t)((first + i) % o->p->k);
        seed[i][HASH + 1] = (uint8_t)((first + i) / o->p->k);
        in[i] = seed[i];
        out[i] = bytes[i];
    }
    cm_keccak_mb(CM_KECCAK_SHAKE128, out, MATRIX_BYTES, in, sizeof seed[0], n);
    for (unsigned i = 0; i < n; i++)
        if (!sample_uniform(&o->a[first + i], bytes[i], MATRIX_BYTES))
            CM_TRY(sample_more(&o->a[first + i], seed[i], sizeof seed[0]));
    return CM_OKAY;
}

static cm_err expand_matrix(cm_mlkem_own *o, const uint8_t *rho)
{
    unsigned all = o->p->k * o->p->k;

    for (unsigned i = 0; i < all; i += GROUP)
        CM_TRY(expand_some(o, rho, i, CM_MIN(all - i, (unsigned)GROUP)));
    return CM_OKAY;
}

/* Algorithm 8, eta 2: sums of two bits less sums of two bits, in nibbles. */
static void binomial2(cm_kpoly *r, const uint8_t *p)
{
    for (size_t i = 0; i < N; i += 8) {
        uint32_t t = cm_get_le32(p + i / 2), sum = (t & 0x55555555) + (t >> 1 & 0x55555555);

        for (size_t j = 0; j < 8; j++)
            r->c[i + j] =
                (int16_t)((int32_t)(sum >> 4 * j & 3) - (int32_t)(sum >> (4 * j + 2) & 3));
    }
}

static void binomial3(cm_kpoly *r, const uint8_t *p)
{
    for (size_t i = 0; i < N; i += 4, p += 3) {
        uint32_t t = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16,
                 sum = (t & 0x249249) + (t >> 1 & 0x249249) + (t >> 2 & 0x249249);

        for (size_t j = 0; j < 4; j++)
            r->c[i + j] =
                (int16_t)((int32_t)(sum >> 6 * j & 7) - (int32_t)(sum >> (6 * j + 3) & 7));
    }
}

typedef struct {
    uint8_t seed[DRAWS_MAX][HASH + 1], bytes[DRAWS_MAX][NOISE_MAX];
} noise;

static void noise_wipe(noise *n)
{
    cm_wipe(n, sizeof *n);
}

/* Small polynomials to[0..n) of seed, numbers from 0 on: the first `wide` of eta1. */
static void draw(cm_kpoly *to, const uint8_t *seed, unsigned n, unsigned wide, unsigned eta1)
{
    CM_AUTO(noise_wipe) noise s;
    uint8_t *out[DRAWS_MAX] = {0};
    const uint8_t *in[DRAWS_MAX] = {0};

    for (unsigned i = 0; i < n; i++) {
        memcpy(s.seed[i], seed, HASH);
        s.seed[i][HASH] = (uint8_t)i;
        in[i] = s.seed[i];
        out[i] = s.bytes[i];
    }
    cm_keccak_mb(CM_KECCAK_SHAKE256, out, 64u * CM_MAX(eta1, (unsigned)ETA2), in, HASH + 1, n);
    for (unsigned i = 0; i < n; i++)
        (i < wide && eta1 == 3 ? binomial3 : binomial2)(&to[i], s.bytes[i]);
}

/* ---- keys ---- */

static cm_err blank(cm_mlkem_own **out, cm_cpu_kind kind, unsigned k)
{
    static const cm_mlkem_params sets[] = {{2, 3, 10, 4}, {3, 2, 10, 4}, {4, 2, 11, 5}};
    size_t n = sizeof **out + (2 * k + k * k) * sizeof(cm_kpoly);
    cm_mlkem_own *o;

    CM_TRY(cm_alloc_page(&o, n));
    memset(o, 0, n);
    o->p = &sets[k - 2];
    o->f = cm_mlkem_kernel_of(kind);
    o->t = o->poly;
    o->s = o->t + k;
    o->a = o->s + k;
    *out = o;
    return CM_OKAY;
}

void cm_mlkem_own_free(cm_mlkem_own *o)
{
    if (!o)
        return;
    cm_wipe(o->z, sizeof o->z);
    cm_wipe(o->s, o->p->k * sizeof(cm_kpoly));
    cm_free(o);
}

static void free_ptr(cm_mlkem_own **o)
{
    cm_mlkem_own_free(*o);
}

static size_t public_size(const cm_mlkem_own *o)
{
    return (size_t)POLY * o->p->k + HASH;
}

typedef struct {
    uint8_t b[64];
} digest64;

static void digest64_wipe(digest64 *d)
{
    cm_wipe(d, sizeof *d);
}

typedef struct {
    cm_kpoly v[DRAWS_MAX];
} small;

static void small_wipe(small *s)
{
    cm_wipe(s, sizeof *s);
}

/* Algorithm 13: t = A s + e. */
static cm_err derive(cm_mlkem_own *o, const cm_crypt *c, const uint8_t *d, uint8_t *pk)
{
    CM_AUTO(digest64_wipe) digest64 g;
    CM_AUTO(small_wipe) small e;
    uint8_t in[HASH + 1];
    unsigned k = o->p->k;
    cm_err err;

    memcpy(in, d, HASH);
    in[HASH] = (uint8_t)k;
    err = cm_hash_once(c, CM_SHA3_512, g.b, CM_VIEW(in));
    cm_wipe(in, sizeof in);
    CM_TRY(err);
    CM_DECLASSIFY(g.b, HASH); /* rho is published with the key */
    CM_TRY(expand_matrix(o, g.b));
    draw(e.v, g.b + HASH, 2 * k, 2 * k, o->p->eta1);
    for (unsigned i = 0; i < 2 * k; i++)
        o->f->ntt(&e.v[i]);
    memcpy(o->s, e.v, k * sizeof(cm_kpoly));
    for (unsigned i = 0; i < k; i++) {
        o->f->dot(&o->t[i], &o->a[i * k], 1, o->s, k);
        o->f->lift(&o->t[i]);
        o->f->add(&o->t[i], &e.v[k + i]);
        o->f->reduce(&o->t[i]);
        pk = pack(pk, &o->t[i], 12);
    }
    memcpy(pk, g.b, HASH);
    return CM_OKAY;
}

cm_err cm_mlkem_own_seed(cm_mlkem_own **out, cm_cpu_kind kind, const cm_crypt *c, unsigned k,
                         const uint8_t seed[64], uint8_t *pk)
{
    CM_AUTO(free_ptr) cm_mlkem_own *o = NULL;

    CM_TRY(blank(&o, kind, k));
    CM_TRY(derive(o, c, seed, pk));
    memcpy(o->z, seed + HASH, HASH);
    CM_TRY(cm_hash_once(c, CM_SHA3_256, o->h, cm_view_of(pk, public_size(o))));
    *out = o;
    o = NULL;
    return CM_OKAY;
}

cm_err cm_mlkem_own_public(cm_mlkem_own **out, cm_cpu_kind kind, const cm_crypt *c, unsigned k,
                           const uint8_t *pk)
{
    CM_AUTO(free_ptr) cm_mlkem_own *o = NULL;
    bool good = true;

    CM_TRY(blank(&o, kind, k));
    for (unsigned i = 0; i < k; i++) {
        good &= unpack12(&o->t[i], pk + (size_t)POLY * i);
        o->f->reduce(&o->t[i]);
    }
    if (!good)
        return CM_FAIL(CRYPT_BAD_KEY);
    CM_TRY(expand_matrix(o, pk + (size_t)POLY * k));
    CM_TRY(cm_hash_once(c, CM_SHA3_256, o->h, cm_view_of(pk, public_size(o))));
    *out = o;
    o = NULL;
    return CM_OKAY;
}

/* ---- encapsulation ---- */

static void message_in(cm_kpoly *r, const uint8_t m[HASH])
{
    for (size_t i = 0; i < N; i++)
        r->c[i] = (int16_t)(-(m[i / 8] >> i % 8 & 1) & ((CM_MLKEM_Q + 1) / 2));
}

/* Algorithm 14. */
static void encrypt(const cm_mlkem_own *o, uint8_t *ct, const uint8_t m[HASH],
                    const uint8_t seed[HASH])
{
    CM_AUTO(small_wipe) small e;
    CM_AUTO(small_wipe) small w;
    unsigned k = o->p->k;

    draw(e.v, seed, 2 * k + 1, k, o->p->eta1);
    for (unsigned i = 0; i < k; i++)
        o->f->ntt(&e.v[i]);
    for (unsigned i = 0; i <= k; i++) {
        if (i < k)
            o->f->dot(&w.v[0], &o->a[i], k, e.v, k);
        else
            o->f->dot(&w.v[0], o->t, 1, e.v, k);
        o->f->intt(&w.v[0]);
        o->f->add(&w.v[0], &e.v[k + i]);
        if (i == k) {
            message_in(&w.v[1], m);
            o->f->add(&w.v[0], &w.v[1]);
        }
        o->f->reduce(&w.v[0]);
        ct = pack(ct, &w.v[0], i < k ? o->p->du : o->p->dv);
    }
}

/* (K, r) = G(m || H(ek)) */
static cm_err make_secret(digest64 *g, const cm_mlkem_own *o, const cm_crypt *c,
                          const uint8_t m[HASH])
{
    CM_AUTO(digest64_wipe) digest64 in;

    memcpy(in.b, m, HASH);
    memcpy(in.b + HASH, o->h, HASH);
    return cm_hash_once(c, CM_SHA3_512, g->b, CM_VIEW(in.b));
}

cm_err cm_mlkem_own_encap(const cm_mlkem_own *o, const cm_crypt *c, uint8_t *ct, uint8_t ss[32],
                          const uint8_t m[32])
{
    CM_AUTO(digest64_wipe) digest64 g;

    CM_TRY(make_secret(&g, o, c, m));
    encrypt(o, ct, m, g.b + HASH);
    memcpy(ss, g.b, HASH);
    return CM_OKAY;
}

/* Algorithm 15. */
static void decrypt(const cm_mlkem_own *o, uint8_t m[HASH], const uint8_t *ct)
{
    CM_AUTO(small_wipe) small w;
    unsigned k = o->p->k;

    for (unsigned i = 0; i < k; i++) {
        ct = unpack(&w.v[i], ct, o->p->du);
        o->f->ntt(&w.v[i]);
    }
    o->f->dot(&w.v[k], o->s, 1, w.v, k);
    o->f->intt(&w.v[k]);
    (void)unpack(&w.v[0], ct, o->p->dv);
    for (size_t i = 0; i < N; i++)
        w.v[0].c[i] = (int16_t)(w.v[0].c[i] - w.v[k].c[i]);
    o->f->reduce(&w.v[0]);
    (void)pack(m, &w.v[0], 1);
}

/* The rejection secret is made always, and which one leaves shows nowhere. */
cm_err cm_mlkem_own_decap(const cm_mlkem_own *o, const cm_crypt *c, uint8_t ss[32],
                          const uint8_t *ct)
{
    CM_AUTO(digest64_wipe) digest64 g;
    CM_AUTO(cm_key32_wipe) cm_key32 m;
    CM_AUTO(cm_key32_wipe) cm_key32 reject;
    size_t n = 32u * (o->p->k * o->p->du + o->p->dv);
    cm_view parts[] = {CM_VIEW(o->z), cm_view_of(ct, n)};
    uint8_t again[CM_KEM_CT_MAX];

    decrypt(o, m.b, ct);
    CM_TRY(make_secret(&g, o, c, m.b));
    CM_TRY(cm_shake_parts(c, 256, reject.b, sizeof reject.b, parts, CM_COUNT(parts)));
    encrypt(o, again, m.b, g.b + HASH);
    cm_ct_select(ss, cm_ct_mask(cm_ct_diff(again, ct, n)), reject.b, g.b, HASH);
    cm_wipe(again, n);
    return CM_OKAY;
}

/* What is sealed to the public half comes out of the secret one; the message may be anyone's. */
static cm_err fits_public(const cm_mlkem_own *o, const cm_crypt *c)
{
    CM_AUTO(cm_key32_wipe) cm_key32 a;
    CM_AUTO(cm_key32_wipe) cm_key32 b;
    uint8_t ct[CM_KEM_CT_MAX];
    bool same;

    CM_TRY(cm_mlkem_own_encap(o, c, ct, a.b, o->h));
    CM_TRY(cm_mlkem_own_decap(o, c, b.b, ct));
    same = cm_ct_equal(CM_VIEW(a.b), CM_VIEW(b.b));
    CM_DECLASSIFY(&same, sizeof same); /* that a key is not one is what the caller is told */
    return same ? CM_OKAY : CM_FAIL(CRYPT_BAD_KEY);
}

cm_err cm_mlkem_own_expanded(cm_mlkem_own **out, cm_cpu_kind kind, const cm_crypt *c, unsigned k,
                             cm_view dk, uint8_t *pk)
{
    CM_AUTO(free_ptr) cm_mlkem_own *o = NULL;
    size_t secret = (size_t)POLY * k, whole = secret + HASH;
    bool good = true;

    if (dk.n != secret + whole + 2 * HASH)
        return CM_FAIL(CRYPT_BAD_KEY);
    CM_TRY(cm_mlkem_own_public(&o, kind, c, k, dk.p + secret));
    if (!cm_view_eq(CM_VIEW(o->h), cm_view_sub(dk, secret + whole, HASH)))
        return CM_FAIL(CRYPT_BAD_KEY);
    for (unsigned i = 0; i < k; i++) {
        good &= unpack12(&o->s[i], dk.p + (size_t)POLY * i);
        o->f->reduce(&o->s[i]);
    }
    if (!good)
        return CM_FAIL(CRYPT_BAD_KEY);
    memcpy(o->z, dk.p + dk.n - HASH, HASH);
    CM_TRY(fits_public(o, c));
    memcpy(pk, dk.p + secret, whole);
    *out = o;
    o = NULL;
    return CM_OKAY;
}
