/* What Confidential Containers hands to a guest at its start, and where evidence is bound to it. */
#include "attest/trustee.h"

enum { INIT_DATA_PCR = 8, PCR = 32 };

static cm_view claim(const cm_attest_result *r, const char *name, uint32_t index)
{
    for (size_t i = 0; i < r->n_claims; i++)
        if (r->claim[i].index == index &&
            cm_view_eq(cm_view_str(r->claim[i].name), cm_view_str(name)))
            return cm_attest_claim_view(r, &r->claim[i]);
    return cm_view_of(NULL, 0);
}

/* The digest, cut or with zeros behind it. */
static bool padded(cm_view have, cm_view digest)
{
    size_t n = CM_MIN(have.n, digest.n);
    uint8_t rest = 0;

    for (size_t i = n; i < have.n; i++)
        rest |= have.p[i];
    return have.n >= PCR && rest == 0 &&
           cm_view_eq(cm_view_sub(have, 0, n), cm_view_sub(digest, 0, n));
}

/* AT-158: which of the three the text names is not looked at. Each is at least 256 bits here. */
static cm_err any_hash(bool *bound, const cm_crypt *c, cm_view have, cm_view text)
{
    static const cm_hash hashes[] = {CM_SHA256, CM_SHA384, CM_SHA512};
    uint8_t digest[CM_HASH_MAX];

    for (size_t i = 0; i < CM_COUNT(hashes); i++) {
        CM_TRY(cm_hash_once(c, hashes[i], digest, text));
        *bound |= padded(have, cm_view_of(digest, cm_hash_size(hashes[i])));
    }
    return CM_OKAY;
}

/* The register was extended with it once, from zero. */
static cm_err extended(bool *bound, const cm_crypt *c, cm_view have, cm_view text)
{
    uint8_t input[2 * PCR] = {0}, pcr[PCR];

    CM_TRY(cm_hash_once(c, CM_SHA256, input + PCR, text));
    CM_TRY(cm_hash_once(c, CM_SHA256, pcr, CM_VIEW(input)));
    *bound = cm_view_eq(have, CM_VIEW(pcr));
    return CM_OKAY;
}

cm_err cm_trustee_init_data(bool *bound, const cm_crypt *c, const cm_attest_result *r, cm_view text)
{
    *bound = false;
    if (r->kind == CM_ATTEST_SNP)
        return any_hash(bound, c, claim(r, "host_data", 0), text);
    if (r->kind == CM_ATTEST_TDX)
        return any_hash(bound, c, claim(r, "mrconfigid", 0), text);
    if (r->kind == CM_ATTEST_AZURE)
        return extended(bound, c, claim(r, "pcr", INIT_DATA_PCR), text);
    return CM_OKAY;
}
