#include "codec/text.h"
#include "pki/pki_int.h"

cm_err cm_pkey_from_kem(cm_pkey **out, cm_kem_key **k)
{
    cm_pkey key = {.kem = *k};

    CM_TRY(cm_alloc(out, sizeof key));
    **out = key;
    *k = NULL;
    return CM_OKAY;
}

cm_err cm_pkey_from_sig(cm_pkey **out, cm_sig_key **k)
{
    cm_pkey key = {.sig = *k};

    CM_TRY(cm_alloc(out, sizeof key));
    **out = key;
    *k = NULL;
    return CM_OKAY;
}

cm_err cm_pkey_generate(cm_pkey **out, const cm_crypt *c, cm_view algorithm)
{
    const cm_kem_info *ki = cm_kem_info_by_name(algorithm);
    const cm_sig_info *si = cm_sig_info_by_name(algorithm);
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *kem = NULL;
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *sig = NULL;

    if (ki) {
        CM_TRY(cm_kem_generate(&kem, c, ki->id));
        return cm_pkey_from_kem(out, &kem);
    }
    if (!si)
        return CM_FAIL(KEY_ALGORITHM);
    CM_TRY(cm_sig_generate(&sig, c, si->id));
    return cm_pkey_from_sig(out, &sig);
}

cm_err cm_pkey_public_of(cm_pkey **out, const cm_crypt *c, const cm_pkey *k)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *kem = NULL;
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *sig = NULL;

    if (k->kem) {
        CM_TRY(cm_kem_from_public(&kem, c, cm_kem_key_info(k->kem)->id, cm_kem_public(k->kem)));
        return cm_pkey_from_kem(out, &kem);
    }
    CM_TRY(cm_sig_from_public(&sig, c, cm_sig_key_info(k->sig)->id, cm_sig_public(k->sig)));
    return cm_pkey_from_sig(out, &sig);
}

void cm_pkey_free(cm_pkey *k)
{
    if (!k)
        return;
    cm_kem_key_free(k->kem);
    cm_sig_key_free(k->sig);
    cm_free(k);
}

void cm_pkey_free_ptr(cm_pkey **k)
{
    cm_pkey_free(*k);
}

const cm_kem_key *cm_pkey_kem(const cm_pkey *k)
{
    return k->kem;
}

const cm_sig_key *cm_pkey_sig(const cm_pkey *k)
{
    return k->sig;
}

const char *cm_pkey_algorithm(const cm_pkey *k)
{
    return k->kem ? cm_kem_key_info(k->kem)->name : cm_sig_key_info(k->sig)->name;
}

bool cm_pkey_has_private(const cm_pkey *k)
{
    return k->kem ? cm_kem_has_private(k->kem) : cm_sig_has_private(k->sig);
}

bool cm_pkey_post_quantum(const cm_pkey *k)
{
    return k->kem ? cm_kem_key_info(k->kem)->post_quantum : cm_sig_key_info(k->sig)->post_quantum;
}

/* ---- dual keys ----------------------------------------------------------------------------- */

static const struct {
    cm_sig_id dual, pq;
} duals[] = {
    {CM_SIG_DUAL65, CM_SIG_MLDSA65},
    {CM_SIG_DUAL87, CM_SIG_MLDSA87},
};

static const cm_sig_info *dual_half(cm_sig_id dual)
{
    for (size_t i = 0; i < CM_COUNT(duals); i++)
        if (duals[i].dual == dual)
            return cm_sig_info_of(duals[i].pq);
    return NULL;
}

const char *cm_pkey_algorithm_name(size_t n)
{
    const cm_pki_alg *a = cm_pki_alg_at(n);
    size_t singles = 0;

    if (a)
        return cm_pki_alg_name(a);
    while (cm_pki_alg_at(singles))
        singles++;
    return n - singles < CM_COUNT(duals) ? cm_sig_info_of(duals[n - singles].dual)->name : NULL;
}

size_t cm_pkey_parts(cm_key_part part[CM_PARTS], const cm_pkey *k)
{
    uint32_t id = k->kem ? (uint32_t)cm_kem_key_info(k->kem)->id : cm_sig_key_info(k->sig)->id;
    cm_view seed = k->kem ? cm_kem_seed(k->kem) : cm_sig_seed(k->sig);
    cm_view pub = k->kem ? cm_kem_public(k->kem) : cm_sig_public(k->sig);
    const cm_sig_info *pq = k->sig ? dual_half(cm_sig_key_info(k->sig)->id) : NULL;

    part[0] = (cm_key_part){cm_pki_alg_find(k->kem != NULL, id), cm_pkey_has_private(k), seed, pub};
    if (!pq)
        return 1;
    part[1] = part[0];
    part[0].alg = cm_pki_alg_find(false, pq->id);
    part[1].alg = cm_pki_alg_find(false, CM_SIG_ED25519);
    part[0].pub.n = pq->pk;
    part[1].pub = cm_view_sub(pub, pq->pk, pub.n - pq->pk);
    if (seed.n) {
        part[0].seed.n = pq->seed;
        part[1].seed = cm_view_sub(seed, pq->seed, seed.n - pq->seed);
    }
    return CM_PARTS;
}

cm_err cm_pkey_join(cm_pkey **out, const cm_crypt *c, const cm_pkey *pq, const cm_pkey *classical)
{
    CM_AUTO(cm_buf_free) cm_buf both = {.max = CM_SIG_PK_MAX};
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *sig = NULL;
    bool whole = cm_pkey_has_private(pq);
    cm_sig_id dual = 0;

    for (size_t i = 0; pq->sig && i < CM_COUNT(duals); i++)
        if (duals[i].pq == cm_sig_key_info(pq->sig)->id)
            dual = duals[i].dual;
    if (!dual || !classical->sig || cm_sig_key_info(classical->sig)->id != CM_SIG_ED25519 ||
        whole != cm_pkey_has_private(classical))
        return CM_FAIL(KEY_BLOCK); /* K-28 */
    if (whole && cm_sig_seed(pq->sig).n == 0)
        return CM_FAIL(KEY_EXPANDED_ONLY);
    CM_TRY(cm_buf_append(&both, whole ? cm_sig_seed(pq->sig) : cm_sig_public(pq->sig)));
    CM_TRY(
        cm_buf_append(&both, whole ? cm_sig_seed(classical->sig) : cm_sig_public(classical->sig)));
    if (whole)
        CM_TRY(cm_sig_from_seed(&sig, c, dual, cm_buf_view(&both)));
    else
        CM_TRY(cm_sig_from_public(&sig, c, dual, cm_buf_view(&both)));
    return cm_pkey_from_sig(out, &sig);
}

/* ---- DER and fingerprints ------------------------------------------------------------------ */

typedef cm_err write_part(cm_buf *b, const cm_key_part *k);

static cm_err write_parts(cm_buf *out, const cm_pkey *k, write_part *put)
{
    CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_KEYFILE_MAX};
    cm_key_part part[CM_PARTS];
    size_t n = cm_pkey_parts(part, k);

    for (size_t i = 0; i < n; i++)
        CM_TRY(put(&der, &part[i]));
    return cm_buf_append(out, cm_buf_view(&der));
}

cm_err cm_pkey_private_der(cm_buf *out, const cm_pkey *k)
{
    return write_parts(out, k, cm_pkcs8_write);
}

cm_err cm_pkey_public_der(cm_buf *out, const cm_pkey *k)
{
    return write_parts(out, k, cm_spki_write);
}

cm_err cm_pkey_from_spki(cm_pkey **out, const cm_crypt *c, cm_view der)
{
    return cm_spki_read(out, c, der);
}

/* K-33 */
cm_err cm_pkey_fingerprint(uint8_t out[CM_FINGERPRINT], const cm_crypt *c, const cm_pkey *k)
{
    CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_KEYFILE_MAX};

    CM_TRY(cm_pkey_public_der(&der, k));
    return cm_hash_once(c, CM_SHA256, out, cm_buf_view(&der));
}

cm_err cm_pkey_short_id(char out[CM_KEY_ID + 1], const cm_crypt *c, const cm_pkey *k)
{
    CM_AUTO(cm_buf_free) cm_buf hex = {.max = CM_KEY_ID};
    uint8_t fp[CM_FINGERPRINT];

    CM_TRY(cm_pkey_fingerprint(fp, c, k));
    CM_TRY(cm_hex_encode(&hex, cm_view_of(fp, CM_KEY_ID / 2)));
    memcpy(out, hex.p, CM_KEY_ID);
    out[CM_KEY_ID] = '\0';
    return CM_OKAY;
}
