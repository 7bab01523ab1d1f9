/* What a TPM sealed, as it is kept, and what policies and selections are: spec/tpm.md. */
#include <stdio.h>

#include "codec/cbor.h"
#include "codec/text.h"
#include "keys_tpm/tpm_int.h"

enum {
    VERSION = 1,
    CC_POLICY_PCR = 0x17f,
    CC_POLICY_AUTH_VALUE = 0x16b,
    SELECT_BYTES = 3,
    NAME = 34, /* SHA-256's number, then the digest */
};

/* TP-1, TP-2 */
static const cm_cbor_field fields[] = {
    {1, CM_CBOR_UINT, true, VERSION, VERSION},
    {2, CM_CBOR_UINT, true, CM_TPM_BANK_SHA256, CM_TPM_BANK_SHA512},
    {3, CM_CBOR_UINT, true, 1, (1u << CM_TPM_REGISTERS) - 1},
    {4, CM_CBOR_BYTES, true, 32, CM_TPM_VALUES_MAX},
    {5, CM_CBOR_BYTES, true, NAME, NAME},
    {6, CM_CBOR_BYTES, true, 1, CM_TPM_AREA_MAX},
    {7, CM_CBOR_BYTES, true, 1, CM_TPM_AREA_MAX},
    {8, CM_CBOR_BOOL, true, 0, 1},
};

/* ---- selections ---------------------------------------------------------------------------- */

size_t cm_tpm_bank_size(uint16_t bank)
{
    return bank == CM_TPM_BANK_SHA256   ? 32
           : bank == CM_TPM_BANK_SHA384 ? 48
           : bank == CM_TPM_BANK_SHA512 ? 64
                                        : 0;
}

cm_err cm_tpm_selection_check(cm_tpm_selection *s)
{
    if (s->bank == 0)
        s->bank = CM_TPM_BANK_SHA256;
    if (s->registers == 0 || s->registers >> CM_TPM_REGISTERS || cm_tpm_bank_size(s->bank) == 0)
        return CM_FAIL(TPM_SELECTION);
    return CM_OKAY;
}

size_t cm_tpm_values_size(const cm_tpm_selection *s)
{
    return cm_tpm_bank_size(s->bank) * (size_t)__builtin_popcount(s->registers);
}

static const struct {
    const char *name;
    uint16_t bank;
} banks[] = {
    {"sha256", CM_TPM_BANK_SHA256}, {"sha384", CM_TPM_BANK_SHA384}, {"sha512", CM_TPM_BANK_SHA512}};

static bool take_item(cm_tpm_selection *s, cm_view item)
{
    uint64_t n;

    if (item.n > 5 && cm_view_eq(cm_view_sub(item, 0, 5), CM_LIT("bank="))) {
        item = cm_view_sub(item, 5, item.n - 5);
        for (size_t i = 0; i < CM_COUNT(banks); i++)
            if (s->bank == 0 && cm_view_eq(item, cm_view_str(banks[i].name))) {
                s->bank = banks[i].bank;
                return true;
            }
        return false;
    }
    if (cm_failed(cm_dec_u64(&n, item)) || n >= CM_TPM_REGISTERS || s->registers >> n & 1)
        return false;
    s->registers |= 1u << n;
    return true;
}

cm_err cm_tpm_selection_read(cm_tpm_selection *out, cm_view text)
{
    cm_tpm_selection s = {0};

    if (text.n > 4 && cm_view_eq(cm_view_sub(text, 0, 4), CM_LIT("pcr=")))
        text = cm_view_sub(text, 4, text.n - 4);
    while (text.n) {
        const uint8_t *comma = memchr(text.p, ',', text.n);
        size_t n = comma ? (size_t)(comma - text.p) : text.n, next = n + (comma != NULL);

        if (!take_item(&s, cm_view_sub(text, 0, n)) || (comma && next == text.n))
            return CM_FAIL(TPM_SELECTION);
        text = cm_view_sub(text, next, text.n - next);
    }
    CM_TRY(cm_tpm_selection_check(&s));
    *out = s;
    return CM_OKAY;
}

void cm_tpm_selection_text(char text[128], const cm_tpm_selection *s)
{
    size_t at = 0;

    text[0] = 0;
    for (unsigned i = 0; i < CM_TPM_REGISTERS; i++)
        if (s->registers >> i & 1)
            at += (size_t)snprintf(text + at, 128 - at, "%s%u", at ? "," : "", i);
    if (s->bank == CM_TPM_BANK_SHA384 || s->bank == CM_TPM_BANK_SHA512)
        (void)snprintf(text + at, 128 - at, " (SHA-%s)",
                       s->bank == CM_TPM_BANK_SHA384 ? "384" : "512");
}

uint32_t cm_tpm_values_differ(const cm_tpm_selection *s, cm_view a, cm_view b)
{
    size_t size = cm_tpm_bank_size(s->bank), at = 0;
    uint32_t differ = 0;

    for (unsigned i = 0; i < CM_TPM_REGISTERS; i++) {
        if (!(s->registers >> i & 1))
            continue;
        if (!cm_view_eq(cm_view_sub(a, at, size), cm_view_sub(b, at, size)))
            differ |= 1u << i;
        at += size;
    }
    return differ;
}

/* ---- policies ------------------------------------------------------------------------------ */

static cm_err chain(uint8_t policy[CM_TPM_POLICY], const cm_crypt *c, uint32_t command,
                    cm_view more)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 256};

    CM_TRY(cm_buf_append(&b, cm_view_of(policy, CM_TPM_POLICY)));
    CM_TRY(cm_buf_be32(&b, command));
    CM_TRY(cm_buf_append(&b, more));
    return cm_hash_once(c, CM_SHA256, policy, cm_buf_view(&b));
}

/* TP-5 */
cm_err cm_tpm_policy_digest(uint8_t out[CM_TPM_POLICY], const cm_crypt *c,
                            const cm_tpm_selection *s, cm_view values, bool auth)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 256};
    uint8_t policy[CM_TPM_POLICY] = {0}, digest[32];

    CM_TRY(cm_hash_once(c, CM_SHA256, digest, values));
    CM_TRY(cm_buf_be32(&b, 1));
    CM_TRY(cm_buf_be16(&b, s->bank));
    CM_TRY(cm_buf_byte(&b, SELECT_BYTES));
    for (unsigned i = 0; i < SELECT_BYTES; i++)
        CM_TRY(cm_buf_byte(&b, (uint8_t)(s->registers >> 8 * i)));
    CM_TRY(cm_buf_append(&b, CM_VIEW(digest)));
    CM_TRY(chain(policy, c, CC_POLICY_PCR, cm_buf_view(&b)));
    if (auth)
        CM_TRY(chain(policy, c, CC_POLICY_AUTH_VALUE, (cm_view){0}));
    memcpy(out, policy, CM_TPM_POLICY);
    return CM_OKAY;
}

/* ---- blobs --------------------------------------------------------------------------------- */

cm_err cm_tpm_sealed_put(cm_buf *blob, const cm_tpm_sealed *s)
{
    cm_cbor_value v[CM_COUNT(fields)] = {
        {.present = true, .u = VERSION},           {.present = true, .u = s->pcrs.bank},
        {.present = true, .u = s->pcrs.registers}, {.present = true, .v = s->values},
        {.present = true, .v = s->parent},         {.present = true, .v = s->pub},
        {.present = true, .v = s->priv},           {.present = true, .u = s->auth},
    };

    return cm_cbor_put_record(blob, fields, v, CM_COUNT(v));
}

cm_err cm_tpm_sealed_read(cm_tpm_sealed *out, cm_view blob)
{
    cm_cbor_value v[CM_COUNT(fields)] = {0};
    cm_tpm_sealed s;

    if (blob.n > CM_TPM_SEALED_MAX || cm_failed(cm_cbor_whole(blob, fields, v, CM_COUNT(v))))
        return CM_FAIL(TPM_BLOB);
    s = (cm_tpm_sealed){.pcrs = {(uint16_t)v[1].u, (uint32_t)v[2].u},
                        .values = v[3].v,
                        .parent = v[4].v,
                        .pub = v[5].v,
                        .priv = v[6].v,
                        .auth = v[7].u};
    if (s.values.n != cm_tpm_values_size(&s.pcrs))
        return CM_FAIL(TPM_BLOB);
    *out = s;
    return CM_OKAY;
}

cm_view cm_tpm_der_first(cm_view v)
{
    size_t n;

    if (v.n < 4 || v.p[0] != 0x30 || v.p[1] != 0x82)
        return cm_view_of(NULL, 0);
    n = 4 + (size_t)cm_get_be16(v.p + 2);
    return n <= v.n ? cm_view_sub(v, 0, n) : cm_view_of(NULL, 0);
}

void cm_tpm_evidence_done(cm_tpm_evidence *e)
{
    cm_buf_free(&e->quote);
    cm_buf_free(&e->signature);
    cm_buf_free(&e->ak);
    cm_buf_free(&e->values);
    for (size_t i = 0; i < e->certs; i++)
        cm_buf_free(&e->cert[i]);
    *e = (cm_tpm_evidence){0};
}
