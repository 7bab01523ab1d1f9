#ifndef CM_ENCLAVE_STANDING_H
#define CM_ENCLAVE_STANDING_H
/*
 * What stands behind a run, and the register of a TPM that shows it (spec/enclave.md, sections 6
 * and 7). Pure; any thread.
 */
#include "attest/bind.h"
#include "enclave/manifest.h"
#include "pki/keyfile.h"

typedef enum { CM_BACKED_NOT, CM_BACKED_EMULATED, CM_BACKED } cm_backing;

typedef enum {
    CM_TIER_SIMULATED, /* nothing stands behind it */
    CM_TIER_MEASURED,  /* a TPM has the manifest in a register: what was started, no isolation */
    CM_TIER_GUEST,     /* a processor gave evidence of a confidential guest */
} cm_enclave_tier;

typedef struct {
    cm_enclave_tier tier;
    bool emulated; /* by software that stands in for the hardware */
} cm_standing;

/** EN-60: real hardware before emulated, a processor before a TPM. */
cm_standing cm_standing_of(cm_backing processor, cm_backing tpm);
/** No hardware stands behind it. */
bool cm_standing_simulated(cm_standing s);
/** "simulated", "measured", "confidential-guest": static. */
const char *cm_standing_name(cm_standing s);
/** The same in a sentence that begins with a word in capitals: static. */
const char *cm_standing_text(cm_standing s);

/** Whether that maker's name (cm_tpm_maker()), or that firmware's number in a quote, is of the
 * software that emulates TPMs: libtpms (swtpm) or the reference implementation. */
bool cm_standing_maker_emulated(const char *maker);
bool cm_standing_firmware_emulated(uint64_t firmware);

/** What evidence of a run is bound to (EN-61): manifest, the verifier's nonce, and the key that
 * signs answers; NULL: none does. */
CM_MUST cm_err cm_standing_bind(cm_bound *out, const cm_crypt *c,
                                const uint8_t manifest[CM_ENCLAVE_DIGEST], const cm_pkey *answers,
                                const uint8_t nonce[CM_BIND_NONCE]);

/* ---- the register -------------------------------------------------------------------------- */

/* Registers 0 to 15 begin at zero and are reset by a restart alone; 16 and 23 by anybody, 17 to 22
 * by a late launch (TCG PC Client Platform TPM Profile). */
enum { CM_ENCLAVE_LOG_MAX = 1 << 20, CM_ENCLAVE_PCRS = 16 };

/** Append the line of a log (EN-62) that says what pcr was extended by. */
CM_MUST cm_err cm_enclave_log_line(cm_buf *out, unsigned pcr,
                                   const uint8_t digest[CM_ENCLAVE_DIGEST]);

typedef struct {
    uint8_t value[32];    /* SHA-256 bank: what pcr then holds, from zeros */
    unsigned all, wanted; /* lines about pcr; how many of them are of the digest asked for */
} cm_enclave_replay;

/** ENCLAVE_LOG: a line is not of that form. out changes only on success. */
CM_MUST cm_err cm_enclave_log_replay(cm_enclave_replay *out, const cm_crypt *c, cm_view log,
                                     unsigned pcr, const uint8_t digest[CM_ENCLAVE_DIGEST]);

#endif
