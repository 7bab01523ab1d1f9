#ifndef CM_KAT_MLKEM_KAT_H
#define CM_KAT_MLKEM_KAT_H
/* What the ML-KEM known-answer tests share. Empty views stand for what a vector does not give. */
#include "crypt/mlkem_int.h"
#include "vectors.h"

enum { DK_MAX = 3168, SS = 32 };

/* The parameter set a file or field names, or NULL. */
static inline const cm_kem_info *mlkem_named(cm_view name)
{
    const cm_kem_info *i = name.n >= 7 ? cm_kem_info_by_name(name) : NULL;

    return i && memcmp(i->name, "ML-KEM-", 7) == 0 ? i : NULL;
}

static inline cm_kem_key *mlkem_from_seed(const cm_crypt *c, cm_kem_id id, cm_view d, cm_view z)
{
    uint8_t seed[64];
    cm_kem_key *k = NULL;

    if (!T_CHECK(d.n == 32 && z.n == 32))
        return NULL;
    memcpy(seed, d.p, 32);
    memcpy(seed + 32, z.p, 32);
    T_CHECK(cm_ok(cm_kem_from_seed(&k, c, id, CM_VIEW(seed))));
    return k;
}

static inline unsigned mlkem_rank(cm_kem_id id)
{
    return 2 + (unsigned)(id - CM_KEM_MLKEM512);
}

/* The expanded private key, which our own interface does not give away. */
static inline cm_view mlkem_expanded(const cm_mlkem_own *o, cm_view ek, uint8_t dk[DK_MAX])
{
    uint8_t *p = dk;

    for (unsigned i = 0; i < o->p->k; i++)
        for (size_t j = 0; j < CM_MLKEM_N; j += 2, p += 3) {
            int x = o->s[i].c[cm_mlkem_at(j)], y = o->s[i].c[cm_mlkem_at(j + 1)];

            x += x < 0 ? CM_MLKEM_Q : 0;
            y += y < 0 ? CM_MLKEM_Q : 0;
            p[0] = (uint8_t)x;
            p[1] = (uint8_t)(x >> 8 | y << 4);
            p[2] = (uint8_t)(y >> 4);
        }
    memcpy(p, ek.p, ek.n);
    memcpy(p + ek.n, o->h, 32);
    memcpy(p + ek.n + 32, o->z, 32);
    return cm_view_of(dk, (size_t)(p - dk) + ek.n + 64);
}

/* Each kernel by itself, whatever the best is. */
#define MLKEM_EACH(kind)                                                  \
    for (cm_cpu_kind kind = CM_CPU_PORTABLE; kind < CM_CPU_KINDS; kind++) \
        if (cm_mlkem_kernel_of(kind))

static inline void mlkem_own_done(cm_mlkem_own **o)
{
    cm_mlkem_own_free(*o);
}

static inline void mlkem_keygen(const cm_crypt *c, cm_kem_id id, cm_view d, cm_view z, cm_view ek,
                                cm_view dk)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = mlkem_from_seed(c, id, d, z);
    uint8_t room[DK_MAX];

    if (!k)
        return;
    T_CHECK(cm_view_eq(cm_kem_public(k), ek));
    T_CHECK(cm_view_eq(mlkem_expanded(k->own, ek, room), dk));
    MLKEM_EACH(kind)
    {
        CM_AUTO(mlkem_own_done) cm_mlkem_own *o = NULL;
        uint8_t pk[CM_KEM_PK_MAX];

        if (!T_CHECK(cm_ok(cm_mlkem_own_seed(&o, kind, c, mlkem_rank(id), cm_kem_seed(k).p, pk))))
            continue;
        T_CHECK(cm_view_eq(cm_view_of(pk, ek.n), ek));
        T_CHECK(cm_view_eq(mlkem_expanded(o, ek, room), dk));
    }
}

static inline void mlkem_encaps(const cm_crypt *c, cm_kem_id id, cm_view ek, cm_view m,
                                cm_view want_ct, cm_view want_ss)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = NULL;
    uint8_t ct[CM_KEM_CT_MAX], ss[SS];

    if (!T_CHECK(cm_ok(cm_kem_from_public(&k, c, id, ek))) ||
        !T_CHECK(cm_ok(cm_kem_encap_derand(k, ct, ss, m))))
        return;
    T_CHECK(cm_view_eq(cm_view_of(ct, cm_kem_key_info(k)->ct), want_ct));
    T_CHECK(cm_view_eq(CM_VIEW(ss), want_ss));
    MLKEM_EACH(kind)
    {
        CM_AUTO(mlkem_own_done) cm_mlkem_own *o = NULL;

        if (!T_CHECK(cm_ok(cm_mlkem_own_public(&o, kind, c, mlkem_rank(id), ek.p))))
            continue;
        T_CHECK(cm_ok(cm_mlkem_own_encap(o, c, ct, ss, m.p)));
        T_CHECK(cm_view_eq(cm_view_of(ct, want_ct.n), want_ct));
        T_CHECK(cm_view_eq(CM_VIEW(ss), want_ss));
    }
}

static inline void mlkem_decaps(const cm_kem_key *k, cm_view ct, cm_view want_ss)
{
    uint8_t ss[SS];

    if (T_CHECK(cm_ok(cm_kem_decap(k, ss, ct))))
        T_CHECK(cm_view_eq(CM_VIEW(ss), want_ss));
}

static inline void mlkem_decaps_expanded(const cm_crypt *c, cm_kem_id id, cm_view dk, cm_view ct,
                                         cm_view want_ss)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = NULL;

    if (!T_CHECK(cm_ok(cm_kem_from_expanded(&k, c, id, dk))))
        return;
    mlkem_decaps(k, ct, want_ss);
    MLKEM_EACH(kind)
    {
        CM_AUTO(mlkem_own_done) cm_mlkem_own *o = NULL;
        uint8_t pk[CM_KEM_PK_MAX], ss[SS];

        if (!T_CHECK(cm_ok(cm_mlkem_own_expanded(&o, kind, c, mlkem_rank(id), dk, pk))))
            continue;
        T_CHECK(cm_ok(cm_mlkem_own_decap(o, c, ss, ct.p)));
        T_CHECK(cm_view_eq(CM_VIEW(ss), want_ss));
    }
}

#endif
