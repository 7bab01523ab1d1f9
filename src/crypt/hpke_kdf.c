#include "crypt/hpke_int.h"

enum { KDF_SHAKE128 = 0x10, KDF_SHAKE256 = 0x11, MODE_BASE = 0, ID_MAX = 3 };

static const uint8_t version[7] = {'H', 'P', 'K', 'E', '-', 'v', '1'};

cm_hpke_suite_id cm_hpke_kem_suite(cm_kem_id id)
{
    cm_hpke_suite_id s = {{'K', 'E', 'M'}, 5};

    cm_put_be16(s.b + 3, (uint16_t)id);
    return s;
}

static cm_hpke_suite_id hpke_suite(cm_kem_id kem, cm_hpke_suite s)
{
    cm_hpke_suite_id id = {{'H', 'P', 'K', 'E'}, 10};

    cm_put_be16(id.b + 4, (uint16_t)kem);
    cm_put_be16(id.b + 6, s.kdf);
    cm_put_be16(id.b + 8, s.aead);
    return id;
}

/* ---- labelled input ----------------------------------------------------------------------- */

static cm_err append_all(cm_buf *b, const cm_view *v, size_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        if (!cm_add_size(&n, n, v[i].n))
            return CM_FAIL(OVERFLOW);
    b->max = n;
    CM_TRY(cm_buf_reserve(b, n)); /* once, so that no copy of a secret is left behind */
    for (size_t i = 0; i < count; i++)
        CM_TRY(cm_buf_append(b, v[i]));
    return CM_OKAY;
}

static cm_view suite_view(const cm_hpke_suite_id *s)
{
    return cm_view_of(s->b, s->n);
}

cm_err cm_hpke_extract(const cm_crypt *c, cm_hash h, uint8_t *out, const cm_hpke_suite_id *suite,
                       cm_view salt, cm_view label, cm_view ikm)
{
    CM_AUTO(cm_buf_free) cm_buf b = {0};
    const cm_view parts[] = {CM_VIEW(version), suite_view(suite), label, ikm};

    CM_TRY(append_all(&b, parts, CM_COUNT(parts)));
    return cm_hkdf_extract(c, h, out, salt, cm_buf_view(&b));
}

cm_err cm_hpke_expand(const cm_crypt *c, cm_hash h, uint8_t *out, size_t n,
                      const cm_hpke_suite_id *suite, cm_view prk, cm_view label, cm_view info)
{
    CM_AUTO(cm_buf_free) cm_buf b = {0};
    uint8_t length[2];
    const cm_view parts[] = {CM_VIEW(length), CM_VIEW(version), suite_view(suite), label, info};

    cm_put_be16(length, (uint16_t)n);
    CM_TRY(append_all(&b, parts, CM_COUNT(parts)));
    return cm_hkdf_expand(c, h, out, n, prk, cm_buf_view(&b));
}

cm_err cm_hpke_derive(const cm_crypt *c, unsigned bits, uint8_t *out, size_t n,
                      const cm_hpke_suite_id *suite, cm_view label, cm_view ikm, cm_view context)
{
    uint8_t label_n[2], length[2];
    const cm_view parts[] = {
        ikm,    CM_VIEW(version), suite_view(suite), CM_VIEW(label_n), label, CM_VIEW(length),
        context};

    cm_put_be16(label_n, (uint16_t)label.n);
    cm_put_be16(length, (uint16_t)n);
    return cm_shake_parts(c, bits, out, n, parts, CM_COUNT(parts));
}

/* ---- key schedule ------------------------------------------------------------------------- */

void cm_hpke_keys_wipe(cm_hpke_keys *k)
{
    cm_wipe(k, sizeof *k);
}

static bool one_stage(cm_hpke_suite s)
{
    return s.kdf == KDF_SHAKE128 || s.kdf == KDF_SHAKE256;
}

static unsigned shake_bits(cm_hpke_suite s)
{
    return s.kdf == KDF_SHAKE128 ? 128 : 256;
}

static cm_hash hkdf_hash(cm_hpke_suite s)
{
    static const cm_hash hashes[] = {CM_SHA256, CM_SHA384, CM_SHA512};

    return hashes[s.kdf - 1];
}

cm_err cm_hpke_suite_check(cm_hpke_keys *k, const cm_crypt *c, cm_hpke_suite s)
{
    if (s.kdf < 1 || (s.kdf > 3 && !one_stage(s)) || s.aead < 1 || s.aead > CM_AEAD_COUNT)
        return CM_FAIL(CRYPT_ALGORITHM);
    k->aead = c->aead[s.aead - 1];
    if (!k->aead)
        return CM_FAIL(CRYPT_PROFILE);
    k->key_n = (size_t)EVP_CIPHER_get_key_length(k->aead);
    k->exporter_n = one_stage(s) ? shake_bits(s) / 4 : cm_hash_size(hkdf_hash(s));
    return CM_OKAY;
}

typedef struct {
    uint8_t b[CM_HASH_MAX];
} hash_secret;

static void hash_secret_wipe(hash_secret *h)
{
    cm_wipe(h, sizeof *h);
}

/* RFC 9180, 5.1, with the empty psk and psk_id of base mode. */
static cm_err two_stages(cm_hpke_keys *k, const cm_crypt *c, const cm_hpke_suite_id *id, cm_hash h,
                         cm_view ss, cm_view info)
{
    CM_AUTO(hash_secret_wipe) hash_secret secret = {{0}};
    uint8_t context[1 + 2 * CM_HASH_MAX] = {MODE_BASE};
    size_t n = cm_hash_size(h);
    cm_view none = CM_LIT(""), ctx = cm_view_of(context, 1 + 2 * n), prk = cm_view_of(secret.b, n);

    CM_TRY(cm_hpke_extract(c, h, context + 1, id, none, CM_LIT("psk_id_hash"), none));
    CM_TRY(cm_hpke_extract(c, h, context + 1 + n, id, none, CM_LIT("info_hash"), info));
    CM_TRY(cm_hpke_extract(c, h, secret.b, id, ss, CM_LIT("secret"), none));
    CM_TRY(cm_hpke_expand(c, h, k->key, k->key_n, id, prk, CM_LIT("key"), ctx));
    CM_TRY(cm_hpke_expand(c, h, k->nonce, sizeof k->nonce, id, prk, CM_LIT("base_nonce"), ctx));
    return cm_hpke_expand(c, h, k->exporter, k->exporter_n, id, prk, CM_LIT("exp"), ctx);
}

typedef struct {
    uint8_t b[CM_HPKE_KEY_MAX + CM_HPKE_NONCE + CM_HPKE_NH_MAX];
} okm;

static void okm_wipe(okm *o)
{
    cm_wipe(o, sizeof *o);
}

typedef struct {
    uint8_t psk_n[2], ss_n[2], ss[32];
} stage_secrets;

static void stage_secrets_wipe(stage_secrets *s)
{
    cm_wipe(s, sizeof *s);
}

static cm_err one_stage_context(cm_buf *b, cm_view info)
{
    uint8_t head[5] = {MODE_BASE}; /* mode, length of the empty psk_id, length of info */
    const cm_view parts[] = {CM_VIEW(head), info};

    cm_put_be16(head + ID_MAX, (uint16_t)info.n);
    return append_all(b, parts, CM_COUNT(parts));
}

static cm_err one_stage_keys(cm_hpke_keys *k, const cm_crypt *c, const cm_hpke_suite_id *id,
                             unsigned bits, cm_view ss, cm_view info)
{
    CM_AUTO(okm_wipe) okm o = {{0}};
    CM_AUTO(stage_secrets_wipe) stage_secrets s = {{0}, {0, sizeof s.ss}, {0}};
    CM_AUTO(cm_buf_free) cm_buf context = {0};

    memcpy(s.ss, ss.p, sizeof s.ss);
    CM_TRY(one_stage_context(&context, info));
    CM_TRY(cm_hpke_derive(c, bits, o.b, k->key_n + sizeof k->nonce + k->exporter_n, id,
                          CM_LIT("secret"), cm_view_of(&s, sizeof s), cm_buf_view(&context)));
    memcpy(k->key, o.b, k->key_n);
    memcpy(k->nonce, o.b + k->key_n, sizeof k->nonce);
    memcpy(k->exporter, o.b + k->key_n + sizeof k->nonce, k->exporter_n);
    return CM_OKAY;
}

cm_err cm_hpke_schedule(cm_hpke_keys *k, const cm_crypt *c, cm_kem_id kem, cm_hpke_suite s,
                        const uint8_t ss[32], cm_view info)
{
    cm_hpke_suite_id id = hpke_suite(kem, s);
    cm_view secret = cm_view_of(ss, sizeof(cm_key32));

    if (one_stage(s))
        return one_stage_keys(k, c, &id, shake_bits(s), secret, info);
    return two_stages(k, c, &id, hkdf_hash(s), secret, info);
}
