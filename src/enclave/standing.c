#include "enclave/standing.h"

#include <stdio.h>

#include "codec/text.h"

enum { HEX = 2 * CM_ENCLAVE_DIGEST, SPKI_MAX = 1 << 13 };

#define ROLE "enclave"

/* ---- tiers --------------------------------------------------------------------------------- */

cm_standing cm_standing_of(cm_backing processor, cm_backing tpm)
{
    if (processor == CM_BACKED)
        return (cm_standing){CM_TIER_GUEST, false};
    if (tpm == CM_BACKED)
        return (cm_standing){CM_TIER_MEASURED, false};
    if (processor == CM_BACKED_EMULATED)
        return (cm_standing){CM_TIER_GUEST, true};
    if (tpm == CM_BACKED_EMULATED)
        return (cm_standing){CM_TIER_MEASURED, true};
    return (cm_standing){CM_TIER_SIMULATED, false};
}

bool cm_standing_simulated(cm_standing s)
{
    return s.tier == CM_TIER_SIMULATED || s.emulated;
}

const char *cm_standing_name(cm_standing s)
{
    static const char *const names[] = {"simulated", "measured", "confidential-guest"};

    return names[s.tier];
}

const char *cm_standing_text(cm_standing s)
{
    static const char *const plain[] = {
        "SIMULATED: no hardware stands behind this. Whoever is root on this machine can read the "
        "program's memory and say anything in its name.",
        "MEASURED: a TPM has the manifest in a register. It shows what was started, and isolates "
        "nothing: whoever is root on this machine can read the program's memory.",
        "CONFIDENTIAL GUEST: the processor's evidence is bound to the manifest. What it shows is "
        "for its verifier to say: casemate enclave verify --evidence.",
    };
    static const char *const emulated[] = {
        "SIMULATED",
        "SIMULATED: the TPM that has the manifest in a register is emulated by software, which "
        "whoever runs it can have say anything.",
        "SIMULATED: what gave the processor's evidence is no driver of the kernel's but software "
        "that stands in for it.",
    };

    return s.emulated ? emulated[s.tier] : plain[s.tier];
}

bool cm_standing_maker_emulated(const char *maker)
{
    return strncmp(maker, "IBMSW", 5) == 0 || strncmp(maker, "XYZZ", 4) == 0;
}

/* FIRMWARE_V2 of the reference implementation, which libtpms keeps. */
bool cm_standing_firmware_emulated(uint64_t firmware)
{
    return (uint32_t)firmware == 0x00163636;
}

/* EN-61 */
cm_err cm_standing_bind(cm_bound *out, const cm_crypt *c, const uint8_t manifest[CM_ENCLAVE_DIGEST],
                        const cm_pkey *answers, const uint8_t nonce[CM_BIND_NONCE])
{
    CM_AUTO(cm_buf_free) cm_buf spki = {.max = SPKI_MAX};
    cm_binding b = {.role = CM_LIT(ROLE),
                    .nonce = cm_view_of(nonce, CM_BIND_NONCE),
                    .manifest = cm_view_of(manifest, CM_ENCLAVE_DIGEST)};

    if (answers)
        CM_TRY(cm_pkey_public_der(&spki, answers));
    b.tls_key = cm_buf_view(&spki);
    return cm_bind(out, c, &b);
}

/* ---- the register -------------------------------------------------------------------------- */

cm_err cm_enclave_log_line(cm_buf *out, unsigned pcr, const uint8_t digest[CM_ENCLAVE_DIGEST])
{
    CM_AUTO(cm_buf_free) cm_buf line = {.max = HEX + 16};
    char number[16];

    (void)snprintf(number, sizeof number, "%u ", pcr);
    CM_TRY(cm_buf_append(&line, cm_view_str(number)));
    CM_TRY(cm_hex_encode(&line, cm_view_of(digest, CM_ENCLAVE_DIGEST)));
    CM_TRY(cm_buf_byte(&line, '\n'));
    return cm_buf_append(out, cm_buf_view(&line));
}

static bool lower_hex(cm_view v)
{
    for (size_t i = 0; i < v.n; i++)
        if (!(v.p[i] >= '0' && v.p[i] <= '9') && !(v.p[i] >= 'a' && v.p[i] <= 'f'))
            return false;
    return true;
}

/* "15 " and 64 digits. */
static cm_err read_line(uint64_t *pcr, uint8_t digest[CM_ENCLAVE_DIGEST], cm_view line)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_ENCLAVE_DIGEST};
    cm_view hex;

    if (line.n < HEX + 2 || line.p[line.n - HEX - 1] != ' ')
        return CM_FAIL(ENCLAVE_LOG);
    hex = cm_view_sub(line, line.n - HEX, HEX);
    if (cm_failed(cm_dec_u64(pcr, cm_view_sub(line, 0, line.n - HEX - 1))) ||
        *pcr >= CM_ENCLAVE_PCRS || !lower_hex(hex))
        return CM_FAIL(ENCLAVE_LOG);
    CM_TRY(cm_hex_decode(&b, hex));
    memcpy(digest, b.p, CM_ENCLAVE_DIGEST);
    return CM_OKAY;
}

static cm_err extend(uint8_t value[32], const cm_crypt *c, const uint8_t digest[CM_ENCLAVE_DIGEST])
{
    uint8_t both[32 + CM_ENCLAVE_DIGEST];

    memcpy(both, value, 32);
    memcpy(both + 32, digest, CM_ENCLAVE_DIGEST);
    return cm_hash_once(c, CM_SHA256, value, CM_VIEW(both));
}

cm_err cm_enclave_log_replay(cm_enclave_replay *out, const cm_crypt *c, cm_view log, unsigned pcr,
                             const uint8_t digest[CM_ENCLAVE_DIGEST])
{
    cm_enclave_replay r = {.all = 0};

    if (log.n > CM_ENCLAVE_LOG_MAX)
        return CM_FAIL(TOO_BIG);
    while (log.n) { /* EN-62 */
        const uint8_t *end = memchr(log.p, '\n', log.n);
        size_t n = end ? (size_t)(end - log.p) : 0;
        uint8_t by[CM_ENCLAVE_DIGEST];
        uint64_t number;

        if (!end)
            return CM_FAIL(ENCLAVE_LOG);
        CM_TRY(read_line(&number, by, cm_view_sub(log, 0, n)));
        log = cm_view_sub(log, n + 1, log.n - n - 1);
        if (number != pcr)
            continue;
        CM_TRY(extend(r.value, c, by));
        r.all++;
        r.wanted += cm_view_eq(CM_VIEW(by), cm_view_of(digest, CM_ENCLAVE_DIGEST));
    }
    *out = r;
    return CM_OKAY;
}
