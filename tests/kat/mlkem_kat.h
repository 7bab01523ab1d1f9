#ifndef CM_KAT_MLKEM_KAT_H
#define CM_KAT_MLKEM_KAT_H
/* What the ML-KEM known-answer tests share. Empty views stand for what a vector does not give. */
#include <openssl/core_names.h>

#include "crypt/kem.h"
#include "crypt/kem_int.h"
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

/* The expanded private key, which our own interface does not give away. */
static inline cm_view mlkem_expanded(const cm_kem_key *k, uint8_t dk[DK_MAX])
{
    size_t n = 0;

    T_CHECK(EVP_PKEY_get_octet_string_param(k->mlkem, OSSL_PKEY_PARAM_PRIV_KEY, dk, DK_MAX, &n));
    return cm_view_of(dk, n);
}

static inline void mlkem_keygen(const cm_crypt *c, cm_kem_id id, cm_view d, cm_view z, cm_view ek,
                                cm_view dk)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = mlkem_from_seed(c, id, d, z);
    uint8_t room[DK_MAX];

    if (!k)
        return;
    T_CHECK(cm_view_eq(cm_kem_public(k), ek));
    T_CHECK(cm_view_eq(mlkem_expanded(k, room), dk));
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

    if (T_CHECK(cm_ok(cm_kem_from_expanded(&k, c, id, dk))))
        mlkem_decaps(k, ct, want_ss);
}

#endif
