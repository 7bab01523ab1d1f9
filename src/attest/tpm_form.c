/* Reading what a TPM marshals (TPM 2.0 part 2): big-endian, every buffer with its size. */
#include "attest/tpm_int.h"
#include "codec/cut.h"

enum {
    GENERATED_HIGH = 0xff54,
    GENERATED_LOW = 0x4347,
    ST_QUOTE = 0x8018,
    NAME_MAX_SIZE = 2 + 64,
    DATA_MAX = 64,
    RSA_MAX = 512,
    COORD_MAX = 66,
    P256 = 3,
    P384 = 4,
    P521 = 5,
    FIXED_TPM = 1 << 1,
    FIXED_PARENT = 1 << 4,
    SENSITIVE_DATA_ORIGIN = 1 << 5,
    RESTRICTED = 1 << 16,
    DECRYPT = 1 << 17,
    SIGN = 1 << 18,
    DEFAULT_EXPONENT = 65537,
};

/* A sized buffer of at most max bytes. */
static cm_view take_sized(cm_cut *c, size_t max)
{
    size_t n = cm_cut_be16(c);

    return cm_cut_bytes(c, n > max ? SIZE_MAX : n);
}

static bool known_hash(uint16_t alg)
{
    size_t n;

    (void)cm_tcg_hash(alg, &n);
    return n > 0;
}

/* ---- quotes -------------------------------------------------------------------------------- */

static bool take_bank(cm_tpm_quote *q, cm_cut *c, uint32_t i)
{
    uint16_t alg = cm_cut_be16(c);
    cm_view bits = cm_cut_bytes(c, cm_cut_u8(c));
    uint32_t pcrs = 0;

    if (c->bad || bits.n == 0 || bits.n > 4 || !known_hash(alg))
        return false;
    for (size_t b = 0; b < bits.n; b++)
        pcrs |= (uint32_t)bits.p[b] << 8 * b;
    for (uint32_t k = 0; k < i; k++)
        if (q->bank[k].alg == alg)
            return false;
    q->bank[i].alg = alg;
    q->bank[i].pcrs = pcrs;
    return pcrs >> CM_TPM_PCRS == 0;
}

static void take_head(cm_tpm_quote *q, cm_cut *c)
{
    bool magic = cm_cut_be16(c) == GENERATED_HIGH;

    magic = cm_cut_be16(c) == GENERATED_LOW && magic;
    if (cm_cut_be16(c) != ST_QUOTE || !magic)
        c->bad = true;
    q->signer = take_sized(c, NAME_MAX_SIZE);
    q->extra = take_sized(c, DATA_MAX);
}

static void take_clock(cm_tpm_quote *q, cm_cut *c)
{
    uint8_t safe;

    q->clock = cm_cut_be64(c);
    q->resets = cm_cut_be32(c);
    q->restarts = cm_cut_be32(c);
    safe = cm_cut_u8(c);
    q->safe = safe == 1;
    c->bad |= safe > 1;
    q->firmware = cm_cut_be64(c);
}

bool cm_tpm_quote_read(cm_tpm_quote *q, cm_view v)
{
    cm_cut c = cm_cut_of(v);

    *q = (cm_tpm_quote){.whole = v};
    take_head(q, &c);
    take_clock(q, &c);
    q->n_banks = cm_cut_be32(&c);
    if (c.bad || q->n_banks == 0 || q->n_banks > CM_TPM_BANKS)
        return false;
    for (uint32_t i = 0; i < q->n_banks; i++)
        if (!take_bank(q, &c, i))
            return false;
    q->digest = take_sized(&c, CM_HASH_MAX);
    return cm_cut_done(&c) && q->digest.n;
}

bool cm_tpm_signature_read(cm_tpm_signature *s, cm_view v)
{
    cm_cut c = cm_cut_of(v);
    size_t max;

    *s = (cm_tpm_signature){0};
    s->scheme = cm_cut_be16(&c);
    s->hash = cm_cut_be16(&c);
    if (s->scheme != CM_TPM_RSASSA && s->scheme != CM_TPM_RSAPSS && s->scheme != CM_TPM_ECDSA)
        return false;
    max = s->scheme == CM_TPM_ECDSA ? COORD_MAX : RSA_MAX;
    s->r = take_sized(&c, max);
    if (s->scheme == CM_TPM_ECDSA)
        s->s = take_sized(&c, max);
    return cm_cut_done(&c) && known_hash(s->hash) && s->r.n &&
           (s->scheme != CM_TPM_ECDSA || s->s.n);
}

/* ---- public areas -------------------------------------------------------------------------- */

/* A symmetric algorithm with its size and mode, or none. */
static void take_symmetric(cm_cut *c)
{
    if (cm_cut_be16(c) != CM_TPM_NULL)
        (void)cm_cut_be32(c);
}

static void take_scheme(cm_tpm_public *p, cm_cut *c)
{
    p->scheme = cm_cut_be16(c);
    if (p->scheme != CM_TPM_NULL)
        p->scheme_hash = cm_cut_be16(c);
}

static void take_rsa(cm_tpm_public *p, cm_cut *c)
{
    uint16_t bits;

    take_symmetric(c);
    take_scheme(p, c);
    bits = cm_cut_be16(c);
    p->exponent = cm_cut_be32(c);
    if (p->exponent == 0)
        p->exponent = DEFAULT_EXPONENT;
    p->x = take_sized(c, RSA_MAX);
    c->bad |= p->x.n * 8 != bits;
}

static void take_ecc(cm_tpm_public *p, cm_cut *c)
{
    take_symmetric(c);
    take_scheme(p, c);
    p->curve = cm_cut_be16(c);
    if (cm_cut_be16(c) != CM_TPM_NULL)
        (void)cm_cut_be16(c);
    p->x = take_sized(c, COORD_MAX);
    p->y = take_sized(c, COORD_MAX);
}

bool cm_tpm_public_read(cm_tpm_public *p, cm_view v)
{
    cm_cut c = cm_cut_of(v);

    *p = (cm_tpm_public){.area = take_sized(&c, SIZE_MAX)};
    if (!cm_cut_done(&c))
        return false;
    c = cm_cut_of(p->area);
    p->type = cm_cut_be16(&c);
    p->name_alg = cm_cut_be16(&c);
    p->attributes = cm_cut_be32(&c);
    (void)take_sized(&c, CM_HASH_MAX);
    if (p->type == CM_TPM_RSA)
        take_rsa(p, &c);
    else if (p->type == CM_TPM_ECC)
        take_ecc(p, &c);
    else
        return false;
    return cm_cut_done(&c) && known_hash(p->name_alg);
}

static const char *curve_name(uint16_t curve)
{
    return curve == P256   ? "prime256v1"
           : curve == P384 ? "secp384r1"
           : curve == P521 ? "secp521r1"
                           : "";
}

cm_err cm_tpm_public_key(EVP_PKEY **out, const cm_crypt *c, const cm_tpm_public *p)
{
    uint8_t e[4];

    cm_put_be32(e, p->exponent);
    if (p->type == CM_TPM_RSA)
        return cm_rsa_numbers(out, c, p->x, CM_VIEW(e));
    return cm_ec_numbers(out, c, curve_name(p->curve), p->x, p->y);
}

cm_err cm_tpm_name(uint8_t name[CM_TPM_NAME_MAX], size_t *n, const cm_crypt *c,
                   const cm_tpm_public *p)
{
    size_t size;
    cm_hash h = cm_tcg_hash(p->name_alg, &size);

    cm_put_be16(name, p->name_alg);
    CM_TRY(cm_hash_once(c, h, name + 2, p->area));
    *n = 2 + size;
    return CM_OKAY;
}

/* AT-52 */
bool cm_tpm_is_attestation_key(const cm_tpm_public *p)
{
    const uint32_t want =
        FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN | RESTRICTED | (uint32_t)SIGN;

    return (p->attributes & want) == want && !(p->attributes & DECRYPT);
}
