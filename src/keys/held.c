/* Open keys of every family. */
#include "base/secret.h"
#include "codec/text.h"
#include "keys/held_int.h"
#include "pki/keyfile.h"

enum { SECRET = 32 };

cm_err cm_held_blank(cm_held **out, const cm_key_type_info *t)
{
    cm_held *h;

    CM_TRY(cm_alloc(&h, sizeof *h));
    h->info = t;
    atomic_init(&h->refs, 1);
    *out = h;
    return CM_OKAY;
}

static cm_err fill_secret(cm_held *h, cm_view raw)
{
    if (raw.n != SECRET)
        return CM_FAIL(CRYPT_BAD_KEY);
    CM_TRY(cm_secret_new(&h->secret, sizeof *h->secret));
    memcpy(h->secret->b, raw.p, SECRET);
    return CM_OKAY;
}

static cm_err fill_rsa(cm_held *h, const cm_crypt *c, cm_view der, bool own)
{
    CM_TRY(own ? cm_rsa_from_own(&h->rsa, c, der) : cm_rsa_from_private(&h->rsa, c, der));
    return cm_rsa_bits(h->rsa) == h->info->algorithm ? CM_OKAY : CM_FAIL(CRYPT_BAD_KEY);
}

/* KM-1: BLS12-381 is declared and not served. */
static cm_err fill(cm_held *h, const cm_crypt *c, cm_view raw)
{
    switch (h->info->family) {
    case CM_FAMILY_KEM:
        return cm_kem_from_seed(&h->kem, c, (cm_kem_id)h->info->algorithm, raw);
    case CM_FAMILY_SIG:
        return cm_sig_from_seed(&h->sig, c, (cm_sig_id)h->info->algorithm, raw);
    case CM_FAMILY_RSA:
        return fill_rsa(h, c, raw, true);
    case CM_FAMILY_AES:
    case CM_FAMILY_HMAC:
        return fill_secret(h, raw);
    case CM_FAMILY_FROST:
        return cm_held_frost_fill(&h->frost, h->info, raw);
    case CM_FAMILY_BLS:
        break;
    }
    return CM_FAIL(KEY_UNSUPPORTED);
}

static cm_err fill_new(cm_held *h, const cm_crypt *c)
{
    CM_AUTO(cm_key32_wipe) cm_key32 k;

    switch (h->info->family) {
    case CM_FAMILY_KEM:
        return cm_kem_generate(&h->kem, c, (cm_kem_id)h->info->algorithm);
    case CM_FAMILY_SIG:
        return cm_sig_generate(&h->sig, c, (cm_sig_id)h->info->algorithm);
    case CM_FAMILY_RSA:
        return cm_rsa_generate(&h->rsa, c, h->info->algorithm);
    case CM_FAMILY_AES:
    case CM_FAMILY_HMAC:
        CM_TRY(cm_random(c, k.b, sizeof k.b));
        return fill_secret(h, CM_VIEW(k.b));
    case CM_FAMILY_BLS:
    case CM_FAMILY_FROST:
        break;
    }
    return CM_FAIL(KEY_UNSUPPORTED);
}

static cm_err give(cm_held **out, cm_held *h, cm_err e)
{
    if (cm_failed(e))
        cm_held_drop(h);
    else
        *out = h;
    return e;
}

cm_err cm_held_from_raw(cm_held **out, const cm_crypt *c, const cm_key_type_info *t, cm_view raw)
{
    cm_held *h;

    CM_TRY(cm_held_blank(&h, t));
    return give(out, h, fill(h, c, raw));
}

cm_err cm_held_generate(cm_held **out, const cm_crypt *c, const cm_key_type_info *t)
{
    cm_held *h;

    CM_TRY(cm_held_blank(&h, t));
    return give(out, h, fill_new(h, c));
}

cm_err cm_held_kek(cm_held **out, cm_view kek)
{
    cm_held *h;

    CM_TRY(cm_held_blank(&h, NULL));
    return give(out, h, fill_secret(h, kek));
}

/* ---- from outside -------------------------------------------------------------------------- */

/* The secret of a key file, which must be of the type asked for. It is read again from the seed, so
 * that what is held never depends on how it came. */
static cm_err from_keyfile(cm_held **out, const cm_crypt *c, const cm_key_type_info *t,
                           cm_view file)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL;
    const cm_kem_key *kem;
    const cm_sig_key *sig;

    CM_TRY(cm_pkey_read(&k, c, file, NULL));
    kem = cm_pkey_kem(k);
    sig = cm_pkey_sig(k);
    if (!cm_pkey_has_private(k))
        return CM_FAIL(KEY_NOT_PRIVATE);
    if (t->family == CM_FAMILY_KEM && kem && cm_kem_key_info(kem)->id == t->algorithm)
        return cm_held_from_raw(out, c, t, cm_kem_seed(kem));
    if (t->family == CM_FAMILY_SIG && sig && cm_sig_key_info(sig)->id == t->algorithm)
        return cm_held_from_raw(out, c, t, cm_sig_seed(sig));
    return CM_FAIL(KEY_INCONSISTENT);
}

static cm_err from_rsa_file(cm_held **out, const cm_crypt *c, const cm_key_type_info *t,
                            cm_view file)
{
    CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_RSA_DER_MAX};
    cm_view label;
    cm_held *h;

    if (file.n == 0 || file.p[0] != 0x30) {
        CM_TRY(cm_pem_next(&der, &label, &file));
        if (!cm_view_eq(label, CM_LIT("PRIVATE KEY")) || file.n > 0)
            return CM_FAIL(KEY_BLOCK);
        file = cm_buf_view(&der);
    }
    CM_TRY(cm_held_blank(&h, t));
    return give(out, h, fill_rsa(h, c, file, false));
}

/* The length of the raw form; no key file of that type is as short. */
static size_t raw_size(const cm_key_type_info *t)
{
    if (t->family == CM_FAMILY_KEM)
        return cm_kem_info_of(t->algorithm)->seed;
    if (t->family == CM_FAMILY_SIG)
        return cm_sig_info_of(t->algorithm)->seed;
    return SECRET;
}

cm_err cm_held_import(cm_held **out, const cm_crypt *c, const cm_key_type_info *t, cm_view secret)
{
    bool file =
        (t->family == CM_FAMILY_KEM || t->family == CM_FAMILY_SIG) && secret.n > raw_size(t);

    if (t->family == CM_FAMILY_RSA)
        return from_rsa_file(out, c, t, secret);
    return file ? from_keyfile(out, c, t, secret) : cm_held_from_raw(out, c, t, secret);
}

/* ---- all ----------------------------------------------------------------------------------- */

cm_err cm_held_raw(cm_buf *out, const cm_held *h)
{
    if (h->native) /* KM-63 */
        return CM_FAIL(KEY_IN_DEVICE);
    if (h->kem)
        return cm_buf_append(out, cm_kem_seed(h->kem));
    if (h->sig)
        return cm_buf_append(out, cm_sig_seed(h->sig));
    if (h->rsa)
        return cm_rsa_private_der(out, h->rsa);
    if (h->frost)
        return cm_held_frost_raw(out, h->frost);
    return cm_buf_append(out, CM_VIEW(h->secret->b));
}

cm_err cm_held_public(cm_buf *out, const cm_held *h)
{
    if (h->kem)
        return cm_buf_append(out, cm_kem_public(h->kem));
    if (h->sig)
        return cm_buf_append(out, cm_sig_public(h->sig));
    if (h->frost)
        return cm_buf_append(out, cm_frost_public(&h->frost->group));
    return h->rsa ? cm_rsa_public_der(out, h->rsa) : CM_OKAY;
}

cm_held *cm_held_ref(cm_held *h)
{
    atomic_fetch_add_explicit(&h->refs, 1, memory_order_relaxed);
    return h;
}

void cm_held_drop(cm_held *h)
{
    if (!h || atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) != 1)
        return;
    cm_sig_key_free(h->sig);
    cm_kem_key_free(h->kem);
    cm_rsa_free(h->rsa);
    cm_secret_free(h->secret, sizeof *h->secret);
    cm_secret_free(h->frost, sizeof *h->frost);
    cm_free(h->native);
    cm_free(h);
}

void cm_held_drop_ptr(cm_held **h)
{
    cm_held_drop(*h);
}
