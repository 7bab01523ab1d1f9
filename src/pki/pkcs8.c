#include "pki/der_int.h"
#include "pki/pki_int.h"

/* ---- algorithms ---------------------------------------------------------------------------- */

#define NIST(arc, n)                                                     \
    11,                                                                  \
    {                                                                    \
        0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, (arc), (n) \
    }
#define RFC8410(n)                  \
    5,                              \
    {                               \
        0x06, 0x03, 0x2b, 0x65, (n) \
    }
#define EC_PUBLIC_KEY 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01

/* K-21: whole contents of an AlgorithmIdentifier, so that parameters can't be anything else. */
/* clang-format off */
static const cm_pki_alg algs[] = {
    {true, CM_KEM_XWING, CM_FORM_BARE, 13,
     {0x06, 0x0b, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xe6, 0x2d, 0x81, 0xc8, 0x7a}, NULL, NULL},
    {true, CM_KEM_MLKEM512, CM_FORM_CHOICE, NIST(0x04, 1), "ML-KEM-512", NULL},
    {true, CM_KEM_MLKEM768, CM_FORM_CHOICE, NIST(0x04, 2), "ML-KEM-768", NULL},
    {true, CM_KEM_MLKEM1024, CM_FORM_CHOICE, NIST(0x04, 3), "ML-KEM-1024", NULL},
    {true, CM_KEM_X25519, CM_FORM_OCTETS, RFC8410(110), "X25519", NULL},
    {false, CM_SIG_MLDSA44, CM_FORM_CHOICE, NIST(0x03, 17), "ML-DSA-44", NULL},
    {false, CM_SIG_MLDSA65, CM_FORM_CHOICE, NIST(0x03, 18), "ML-DSA-65", NULL},
    {false, CM_SIG_MLDSA87, CM_FORM_CHOICE, NIST(0x03, 19), "ML-DSA-87", NULL},
    {false, CM_SIG_SLHDSA_SHA2_128S, CM_FORM_SLH, NIST(0x03, 20), "SLH-DSA-SHA2-128s", NULL},
    {false, CM_SIG_SLHDSA_SHA2_128F, CM_FORM_SLH, NIST(0x03, 21), "SLH-DSA-SHA2-128f", NULL},
    {false, CM_SIG_ED25519, CM_FORM_OCTETS, RFC8410(112), "ED25519", NULL},
    {false, CM_SIG_P256, CM_FORM_EC, 19,
     {EC_PUBLIC_KEY, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}, "EC", "P-256"},
    {false, CM_SIG_P384, CM_FORM_EC, 16,
     {EC_PUBLIC_KEY, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22}, "EC", "P-384"},
    {false, CM_SIG_SECP256K1, CM_FORM_EC, 16,
     {EC_PUBLIC_KEY, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a}, "EC", "secp256k1"},
};
/* clang-format on */

enum { EC_OID_N = 9 }; /* bytes of id-ecPublicKey, before the curve's name */

const cm_pki_alg *cm_pki_alg_at(size_t i)
{
    return i < CM_COUNT(algs) ? &algs[i] : NULL;
}

const cm_pki_alg *cm_pki_alg_find(bool kem, uint32_t id)
{
    for (size_t i = 0; i < CM_COUNT(algs); i++)
        if (algs[i].kem == kem && algs[i].id == id)
            return &algs[i];
    return NULL;
}

const char *cm_pki_alg_name(const cm_pki_alg *a)
{
    return a->kem ? cm_kem_info_of(a->id)->name : cm_sig_info_of(a->id)->name;
}

static size_t seed_size(const cm_pki_alg *a)
{
    return a->kem ? cm_kem_info_of(a->id)->seed : cm_sig_info_of(a->id)->seed;
}

static size_t public_size(const cm_pki_alg *a)
{
    return a->kem ? cm_kem_info_of(a->id)->pk : cm_sig_info_of(a->id)->pk;
}

static cm_err take_algorithm(cm_der *d, const cm_pki_alg **a)
{
    cm_view id;

    CM_TRY(cm_der_take(d, CM_DER_SEQUENCE, &id));
    for (size_t i = 0; i < CM_COUNT(algs); i++)
        if (cm_view_eq(id, cm_view_of(algs[i].oid, algs[i].oid_n))) {
            *a = &algs[i];
            return CM_OKAY;
        }
    return CM_FAIL(KEY_ALGORITHM);
}

/* ---- public keys --------------------------------------------------------------------------- */

static cm_err from_public(cm_pkey **out, const cm_crypt *c, const cm_pki_alg *a, cm_view pub)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *kem = NULL;
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *sig = NULL;

    if (a->form != CM_FORM_EC && pub.n != public_size(a))
        return CM_FAIL(KEY_MALFORMED); /* K-30 */
    if (a->kem) {
        CM_TRY(cm_kem_from_public(&kem, c, (cm_kem_id)a->id, pub));
        return cm_pkey_from_kem(out, &kem);
    }
    CM_TRY(cm_sig_from_public(&sig, c, (cm_sig_id)a->id, pub)); /* K-31, K-32 */
    return cm_pkey_from_sig(out, &sig);
}

/* K-30 */
cm_err cm_spki_read(cm_pkey **out, const cm_crypt *c, cm_view der)
{
    cm_der d = cm_der_of(der), in;
    const cm_pki_alg *a;
    cm_view pub;

    CM_TRY(cm_der_enter(&d, CM_DER_SEQUENCE, &in));
    CM_TRY(take_algorithm(&in, &a));
    CM_TRY(cm_der_bits(&in, CM_DER_BITS, &pub));
    CM_TRY(cm_der_end(&in));
    CM_TRY(cm_der_end(&d));
    return from_public(out, c, a, pub);
}

cm_err cm_spki_write(cm_buf *b, const cm_key_part *k)
{
    size_t at = b->n;

    CM_TRY(cm_der_put(b, CM_DER_SEQUENCE, cm_view_of(k->alg->oid, k->alg->oid_n)));
    CM_TRY(cm_der_put_bits(b, CM_DER_BITS, k->pub));
    return cm_der_wrap(b, at, CM_DER_SEQUENCE);
}

/* ---- private keys: reading ----------------------------------------------------------------- */

/* What a file claims about one key. Views with p NULL are absent; all borrow from the file. */
struct claim {
    const cm_pki_alg *alg;
    cm_view seed, expanded, inner_pub, outer_pub;
};

/* K-22, K-23, K-24 */
static cm_err take_choice(struct claim *k, cm_der *d)
{
    cm_der both;

    if (cm_der_at(d, CM_DER_CONTEXT0))
        return cm_der_take(d, CM_DER_CONTEXT0, &k->seed);
    if (cm_der_at(d, CM_DER_OCTETS))
        return cm_der_take(d, CM_DER_OCTETS, &k->expanded);
    CM_TRY(cm_der_enter(d, CM_DER_SEQUENCE, &both));
    CM_TRY(cm_der_take(&both, CM_DER_OCTETS, &k->seed));
    CM_TRY(cm_der_take(&both, CM_DER_OCTETS, &k->expanded));
    return cm_der_end(&both);
}

static cm_view curve_of(const cm_pki_alg *a)
{
    return cm_view_of(a->oid + EC_OID_N, (size_t)a->oid_n - EC_OID_N);
}

/* K-27 */
static cm_err take_ec(struct claim *k, cm_der *d)
{
    cm_view named;
    cm_der in, pub;
    uint32_t version;

    CM_TRY(cm_der_enter(d, CM_DER_SEQUENCE, &in));
    CM_TRY(cm_der_u31(&in, &version));
    CM_TRY(cm_der_take(&in, CM_DER_OCTETS, &k->seed));
    if (cm_der_at(&in, CM_DER_CONTEXT0_CONSTRUCTED)) {
        CM_TRY(cm_der_take(&in, CM_DER_CONTEXT0_CONSTRUCTED, &named));
        if (!cm_view_eq(named, curve_of(k->alg)))
            return CM_FAIL(KEY_INCONSISTENT);
    }
    if (cm_der_at(&in, CM_DER_CONTEXT1_CONSTRUCTED)) {
        CM_TRY(cm_der_enter(&in, CM_DER_CONTEXT1_CONSTRUCTED, &pub));
        CM_TRY(cm_der_bits(&pub, CM_DER_BITS, &k->inner_pub));
        CM_TRY(cm_der_end(&pub));
    }
    CM_TRY(cm_der_end(&in));
    return version == 1 ? CM_OKAY : CM_FAIL(KEY_MALFORMED);
}

static cm_err take_slh(struct claim *k, cm_view key)
{
    size_t seeds = seed_size(k->alg), pk = public_size(k->alg), root = pk / 2;

    if (key.n != seeds + root)
        return CM_FAIL(KEY_MALFORMED);
    k->seed = cm_view_sub(key, 0, seeds);
    k->inner_pub = cm_view_sub(key, key.n - pk, pk); /* PK.seed and PK.root end the key */
    return CM_OKAY;
}

static cm_err take_key(struct claim *k, cm_view key)
{
    cm_der d = cm_der_of(key);

    switch (k->alg->form) {
    case CM_FORM_SLH:
        return take_slh(k, key);
    case CM_FORM_BARE: /* K-26 */
        k->seed = key;
        return CM_OKAY;
    case CM_FORM_OCTETS:
        CM_TRY(cm_der_take(&d, CM_DER_OCTETS, &k->seed));
        break;
    case CM_FORM_EC:
        CM_TRY(take_ec(k, &d));
        break;
    case CM_FORM_CHOICE:
        CM_TRY(take_choice(k, &d));
        break;
    }
    return cm_der_end(&d);
}

/* K-29: the algorithm of an ECPrivateKey is the curve that it names itself. */
static cm_err parse_bare_ec(struct claim *k, cm_view der)
{
    cm_der d = cm_der_of(der), in;
    cm_view key, named;
    uint32_t version;

    CM_TRY(cm_der_enter(&d, CM_DER_SEQUENCE, &in));
    CM_TRY(cm_der_u31(&in, &version));
    CM_TRY(cm_der_take(&in, CM_DER_OCTETS, &key));
    CM_TRY(cm_der_take(&in, CM_DER_CONTEXT0_CONSTRUCTED, &named));
    for (size_t i = 0; i < CM_COUNT(algs); i++)
        if (algs[i].form == CM_FORM_EC && cm_view_eq(named, curve_of(&algs[i])))
            k->alg = &algs[i];
    if (!k->alg)
        return CM_FAIL(KEY_ALGORITHM);
    d = cm_der_of(der);
    CM_TRY(take_ec(k, &d));
    return cm_der_end(&d);
}

/* K-20 */
static cm_err parse(struct claim *k, cm_view der)
{
    cm_der d = cm_der_of(der), in;
    uint32_t version;
    cm_view key;

    CM_TRY(cm_der_enter(&d, CM_DER_SEQUENCE, &in));
    CM_TRY(cm_der_end(&d));
    CM_TRY(cm_der_u31(&in, &version));
    if (cm_der_at(&in, CM_DER_OCTETS))
        return parse_bare_ec(k, der);
    if (version > 1)
        return CM_FAIL(KEY_MALFORMED);
    CM_TRY(take_algorithm(&in, &k->alg));
    CM_TRY(cm_der_take(&in, CM_DER_OCTETS, &key));
    if (version == 1)
        CM_TRY(cm_der_bits(&in, CM_DER_CONTEXT1, &k->outer_pub));
    CM_TRY(cm_der_end(&in));
    return take_key(k, key);
}

static cm_err from_seed(cm_pkey **out, const cm_crypt *c, const cm_pki_alg *a, cm_view seed)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *kem = NULL;
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *sig = NULL;

    if (seed.n != seed_size(a))
        return CM_FAIL(KEY_MALFORMED);
    if (a->kem) {
        CM_TRY(cm_kem_from_seed(&kem, c, (cm_kem_id)a->id, seed));
        return cm_pkey_from_kem(out, &kem);
    }
    CM_TRY(cm_sig_from_seed(&sig, c, (cm_sig_id)a->id, seed));
    return cm_pkey_from_sig(out, &sig);
}

static cm_err from_expanded(cm_pkey **out, const cm_crypt *c, const cm_pki_alg *a, cm_view key)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *kem = NULL;
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *sig = NULL;

    if (a->kem) {
        CM_TRY(cm_kem_from_expanded(&kem, c, (cm_kem_id)a->id, key));
        return cm_pkey_from_kem(out, &kem);
    }
    CM_TRY(cm_sig_from_expanded(&sig, c, (cm_sig_id)a->id, key));
    return cm_pkey_from_sig(out, &sig);
}

/* K-25. All of it is public. A point may be claimed in compressed form, so it is read first. */
static cm_err check_public(const cm_crypt *c, const cm_key_part *k, cm_view claimed)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *other = NULL;
    cm_key_part part[CM_PARTS];

    if (!claimed.p)
        return CM_OKAY;
    CM_TRY(from_public(&other, c, k->alg, claimed));
    cm_pkey_parts(part, other);
    return cm_view_eq(part->pub, k->pub) ? CM_OKAY : CM_FAIL(KEY_INCONSISTENT);
}

cm_err cm_pkcs8_read(cm_pkey **out, const cm_crypt *c, cm_view der, bool legacy)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *key = NULL;
    cm_key_part part[CM_PARTS];
    struct claim k = {0};

    CM_TRY(parse(&k, der));
    if (!k.seed.p && !legacy)
        return CM_FAIL(KEY_EXPANDED_ONLY); /* K-24 */
    if (k.seed.p)
        CM_TRY(from_seed(&key, c, k.alg, k.seed));
    else
        CM_TRY(from_expanded(&key, c, k.alg, k.expanded));
    cm_pkey_parts(part, key);
    CM_TRY(check_public(c, part, k.inner_pub));
    CM_TRY(check_public(c, part, k.outer_pub));
    if (k.seed.p && k.expanded.p)
        CM_TRY(cm_part_expands_to(c, part, k.expanded)); /* K-23 */
    *out = key;
    key = NULL;
    return CM_OKAY;
}

/* ---- private keys: writing ----------------------------------------------------------------- */

static cm_err put_ec(cm_buf *b, const cm_key_part *k)
{
    size_t at = b->n, pub;

    CM_TRY(cm_der_put_u31(b, 1));
    CM_TRY(cm_der_put(b, CM_DER_OCTETS, k->seed));
    pub = b->n;
    CM_TRY(cm_der_put_bits(b, CM_DER_BITS, k->pub));
    CM_TRY(cm_der_wrap(b, pub, CM_DER_CONTEXT1_CONSTRUCTED));
    return cm_der_wrap(b, at, CM_DER_SEQUENCE);
}

static cm_err put_key(cm_buf *b, const cm_key_part *k)
{
    size_t root = k->pub.n / 2;

    switch (k->alg->form) {
    case CM_FORM_CHOICE: /* K-22 */
        return cm_der_put(b, CM_DER_CONTEXT0, k->seed);
    case CM_FORM_OCTETS:
        return cm_der_put(b, CM_DER_OCTETS, k->seed);
    case CM_FORM_EC:
        return put_ec(b, k);
    case CM_FORM_SLH:
        CM_TRY(cm_buf_append(b, k->seed));
        return cm_buf_append(b, cm_view_sub(k->pub, k->pub.n - root, root));
    case CM_FORM_BARE:
        break;
    }
    return cm_buf_append(b, k->seed); /* K-26 */
}

cm_err cm_pkcs8_write(cm_buf *b, const cm_key_part *k)
{
    size_t at = b->n, key;

    if (!k->has_private)
        return CM_FAIL(KEY_NOT_PRIVATE);
    if (k->seed.n == 0)
        return CM_FAIL(KEY_NO_SEED); /* K-24 */
    CM_TRY(cm_der_put_u31(b, 0));
    CM_TRY(cm_der_put(b, CM_DER_SEQUENCE, cm_view_of(k->alg->oid, k->alg->oid_n)));
    key = b->n;
    CM_TRY(put_key(b, k));
    CM_TRY(cm_der_wrap(b, key, CM_DER_OCTETS));
    return cm_der_wrap(b, at, CM_DER_SEQUENCE);
}
