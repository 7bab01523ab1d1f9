#ifndef CM_KEYS_TPM_TPM_H
#define CM_KEYS_TPM_TPM_H
/*
 * The TPM 2.0 of this machine, through tpm2-tss (ESAPI), which is loaded when it is first asked
 * for: spec/tpm.md.
 *
 * Nothing is kept in the TPM: its keys are derived from its seeds whenever they are needed, and
 * what is sealed is a blob of ours. Owner's and endorsement authorization must be empty.
 *
 * Every call may fail with TPM_GONE: the way to it broke, close it and open it anew; TPM_DEVICE;
 * TPM_LOCKED; TPM_HIERARCHY. One command at a time: any thread may ask. Time depends on the TPM.
 */
#include "crypt/crypt.h"

enum { /* TPM 2.0 part 2, 6.3 */
       CM_TPM_BANK_SHA256 = 0x000b,
       CM_TPM_BANK_SHA384 = 0x000c,
       CM_TPM_BANK_SHA512 = 0x000d,
};

enum {
    CM_TPM_REGISTERS = 24,
    CM_TPM_DIGEST_MAX = 64,
    CM_TPM_VALUES_MAX = CM_TPM_REGISTERS * CM_TPM_DIGEST_MAX,
    CM_TPM_EXTRA_MAX = 64, /* bytes that a quote can be bound to: 32 where the TPM's largest digest
                              has no more */
    CM_TPM_CERTS_MAX = 8,
    CM_TPM_SEALED_MAX = 4096,
    CM_TPM_AUTH_MAX = 32,
    CM_TPM_TCTI_MAX = 512,
};

typedef struct {
    uint16_t bank;      /* CM_TPM_BANK_; 0: SHA-256 */
    uint32_t registers; /* bit n: PCR n */
} cm_tpm_selection;

typedef struct cm_tpm cm_tpm;

/** By what tpm2-tss calls a TCTI: "device:/dev/tpmrm0" (NULL, ""), "swtpm:host=H,port=N", ...
 * TPM_NOT_BUILT; TPM_LIBRARY: a library of tpm2-tss is not installed; TPM_NONE. */
CM_MUST cm_err cm_tpm_open(cm_tpm **out, const cm_crypt *c, const char *tcti);
void cm_tpm_close(cm_tpm *t);
void cm_tpm_close_ptr(cm_tpm **t);
/** Who made it and its firmware, for people: "IBM SW TPM 2.0". Borrowed from t. */
const char *cm_tpm_maker(const cm_tpm *t);

/** Values of the selected registers, appended one behind the other in order of their numbers.
 * TPM_SELECTION: none, or one past the last; TPM_BANK: the TPM does not keep that bank;
 * TPM_UNSTEADY: they changed while they were read, again and again. */
CM_MUST cm_err cm_tpm_registers(cm_tpm *t, cm_buf *values, const cm_tpm_selection *s);
/** For tests and for measuring what is started: extends one register, in the bank, by a digest of
 * that bank's size. TPM_SELECTION. */
CM_MUST cm_err cm_tpm_extend(cm_tpm *t, uint16_t bank, unsigned number, cm_view digest);

/* ---- evidence ------------------------------------------------------------------------------ */

/** What attest.h verifies: as cm_attest_input takes it. Set nothing before; free with _done(). */
typedef struct {
    cm_buf quote;                  /* TPMS_ATTEST: evidence */
    cm_buf signature;              /* TPMT_SIGNATURE: CM_PART_SIGNATURE */
    cm_buf ak;                     /* TPM2B_PUBLIC: CM_PART_AK */
    cm_buf values;                 /* CM_PART_PCRS */
    cm_buf cert[CM_TPM_CERTS_MAX]; /* DER: the endorsement key's first, then its issuers'; none
                                      when the TPM has none for a key that is known here */
    size_t certs;
} cm_tpm_evidence;
void cm_tpm_evidence_done(cm_tpm_evidence *e);

/** Quote: extra, 1 to CM_TPM_EXTRA_MAX bytes, is what the quote is bound to. The attestation key
 * (ECDSA P-256, restricted) is derived anew: the same each time, until the endorsement seed
 * changes. Values and quote belong together: checked. TPM_SELECTION, TPM_BANK, TPM_UNSTEADY; out
 * changes only on success. */
CM_MUST cm_err cm_tpm_quote_make(cm_tpm *t, cm_tpm_evidence *out, const cm_tpm_selection *s,
                                 cm_view extra);
/** The attestation key alone (TPM2B_PUBLIC, appended) and the endorsement certificate (DER,
 * appended): what cm_tpm_credential_make() takes. TPM_NO_EK. */
CM_MUST cm_err cm_tpm_identity(cm_tpm *t, cm_buf *ak, cm_buf *ek_cert);
/** What is in a credential of cm_tpm_credential_make(), appended: CM_PART_ACTIVATION. TPM_NO_EK;
 * TPM_CREDENTIAL: it was made for another TPM or key, or is damaged. */
CM_MUST cm_err cm_tpm_activate(cm_tpm *t, cm_buf *secret, cm_view credential);

/* ---- sealing ------------------------------------------------------------------------------- */

typedef struct {
    cm_tpm_selection pcrs; /* at least one */
    cm_view values;        /* that must be found when it is opened; empty: those of now */
    cm_view auth;          /* asked for besides; empty: nothing. The TPM counts wrong ones. */
} cm_tpm_policy;

/** 32 bytes under the policy, appended as a blob of spec/tpm.md. TPM_SELECTION, TPM_BANK;
 * BAD_ARGUMENT for values or an auth of a wrong size. */
CM_MUST cm_err cm_tpm_seal(cm_tpm *t, cm_buf *blob, const cm_key32 *secret, const cm_tpm_policy *p);
/** What is sealed. TPM_BLOB; TPM_OTHER: by another TPM, or before this one was cleared;
 * TPM_CHANGED: differ (may be NULL) has the bits of the registers whose values are others now;
 * TPM_AUTH. The TPM is not asked to open it while a register differs, so its counter of wrong tries
 * stays. */
CM_MUST cm_err cm_tpm_unseal(cm_tpm *t, cm_key32 *secret, cm_view blob, cm_view auth,
                             uint32_t *differ);

/** What stands in a blob, without a TPM. Views borrow from it. */
typedef struct {
    cm_tpm_selection pcrs;
    cm_view values; /* at sealing */
    cm_view parent; /* name of the storage key: which TPM */
    cm_view pub, priv;
    bool auth;
} cm_tpm_sealed;
/** TPM_BLOB. */
CM_MUST cm_err cm_tpm_sealed_read(cm_tpm_sealed *out, cm_view blob);
/** Whether this TPM sealed it, and which registers differ by now. */
CM_MUST cm_err cm_tpm_sealed_check(cm_tpm *t, const cm_tpm_sealed *s, bool *ours, uint32_t *differ);

/* ---- what else it can ----------------------------------------------------------------------- */

/** Name of the storage key, appended: which TPM this is, until somebody clears it. */
CM_MUST cm_err cm_tpm_name_storage(cm_tpm *t, cm_buf *name);
/** n bytes of its random numbers, appended. */
CM_MUST cm_err cm_tpm_random(cm_tpm *t, cm_buf *out, size_t n);
/** A key that signs in the TPM: held, appended, is how the TPM keeps it outside itself; pub has
 * room for 65 bytes. */
CM_MUST cm_err cm_tpm_p256_new(cm_tpm *t, cm_buf *held, uint8_t *pub, size_t *pub_n);
/** r and s of ECDSA over SHA-256 of msg, appended. TPM_BLOB: held is damaged, or another TPM's. */
CM_MUST cm_err cm_tpm_p256_sign(cm_tpm *t, cm_buf *sig, cm_view held, cm_view msg);

/** "7,11,bank=sha384" or "pcr=7,11": a selection by its text. TPM_SELECTION. */
CM_MUST cm_err cm_tpm_selection_read(cm_tpm_selection *out, cm_view text);
/** "7,11 (SHA-384)"; SHA-256 goes unsaid. */
void cm_tpm_selection_text(char text[128], const cm_tpm_selection *s);

#endif
