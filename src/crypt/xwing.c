/*
 * X-Wing (draft-connolly-cfrg-xwing-kem-10): ML-KEM-768 and X25519 under one 32-byte seed. Public
 * key and ciphertext are the ML-KEM part, then the X25519 part.
 */
#include "crypt/hpke_int.h"
#include "crypt/kem_int.h"

enum { PK_M = 1184, CT_M = 1088, EXPANDED = CM_MLKEM_SEED + CM_X25519_SIZE, ESEED = 64 };

static const char mlkem[] = "ML-KEM-768";
static const uint8_t label[6] = {0x5c, 0x2e, 0x2f, 0x2f, 0x5e, 0x5c};

typedef struct {
    uint8_t b[EXPANDED];
} expanded;

static void expanded_wipe(expanded *e)
{
    cm_wipe(e, sizeof *e);
}

typedef struct {
    uint8_t m[32], x[32], ct_x[32], pk_x[32], label[sizeof label];
} combiner_input;

static void combiner_wipe(combiner_input *i)
{
    cm_wipe(i, sizeof *i);
}

/* Section 5.3. ctM is not hashed: ML-KEM's own secret binds it. */
cm_err cm_xwing_combine(const cm_crypt *c, uint8_t ss[32], const uint8_t ss_m[32],
                        const uint8_t ss_x[32], const uint8_t ct_x[32], const uint8_t pk_x[32])
{
    CM_AUTO(combiner_wipe) combiner_input in;

    memcpy(in.m, ss_m, sizeof in.m);
    memcpy(in.x, ss_x, sizeof in.x);
    memcpy(in.ct_x, ct_x, sizeof in.ct_x);
    memcpy(in.pk_x, pk_x, sizeof in.pk_x);
    memcpy(in.label, label, sizeof in.label);
    return cm_hash_once(c, CM_SHA3_256, ss, cm_view_of(&in, sizeof in));
}

/* Section 5.2. */
static cm_err load_private(cm_kem_key *k, const uint8_t *seed)
{
    CM_AUTO(expanded_wipe) expanded e = {{0}};

    CM_TRY(cm_shake(k->crypt, 256, e.b, sizeof e.b, cm_view_of(seed, k->info->seed)));
    CM_TRY(cm_x25519_load_scalar(k, PK_M, e.b + CM_MLKEM_SEED));
    return cm_mlkem_load_seed(k, mlkem, e.b);
}

static cm_err load_public(cm_kem_key *k, const uint8_t *pk)
{
    CM_TRY(cm_x25519_load_public(k, PK_M, pk + PK_M));
    return cm_mlkem_load_public(k, mlkem, cm_view_of(pk, PK_M));
}

static cm_err encap(const cm_kem_key *k, uint8_t *ct, uint8_t *ss, const uint8_t *eseed)
{
    CM_AUTO(cm_key32_wipe) cm_key32 m = {{0}};
    CM_AUTO(cm_key32_wipe) cm_key32 x = {{0}};

    CM_TRY(cm_mlkem_encap(k, ct, CT_M, m.b, eseed));
    CM_TRY(cm_x25519_encap(k, ct + CT_M, x.b, eseed ? eseed + CM_MLKEM_M : NULL));
    return cm_xwing_combine(k->crypt, ss, m.b, x.b, ct + CT_M, k->pk + PK_M);
}

/* The draft lets a share of low order through, the hash covering for it; refusing it costs nothing
 * and tells nothing that the share itself does not. */
static cm_err decap(const cm_kem_key *k, uint8_t *ss, const uint8_t *ct)
{
    CM_AUTO(cm_key32_wipe) cm_key32 m = {{0}};
    CM_AUTO(cm_key32_wipe) cm_key32 x = {{0}};

    CM_TRY(cm_mlkem_decap(k, m.b, cm_view_of(ct, CT_M)));
    CM_TRY(cm_x25519_decap(k, x.b, ct + CT_M));
    return cm_xwing_combine(k->crypt, ss, m.b, x.b, ct + CT_M, k->pk + PK_M);
}

static cm_err derive(const cm_kem_info *i, const cm_crypt *c, uint8_t *seed, cm_view ikm)
{
    return cm_mlkem_ops.derive(i, c, seed, ikm);
}

const cm_kem_ops cm_xwing_ops = {ESEED, load_private, load_public, encap, decap, derive};
