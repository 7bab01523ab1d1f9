#ifndef CM_ATTEST_ATTEST_H
#define CM_ATTEST_ATTEST_H
/*
 * Verification of attestation evidence (spec/attest.md). One call takes evidence, certificates,
 * collateral and a policy, and gives claims, one verdict a check, and a TCB status. Nothing is
 * fetched and no clock is read: time is a parameter. What a policy does not ask for is skipped and
 * says so; a skip never counts as a pass (AT-3).
 *
 * Everything here is public data: time depends on it. Any thread; a result belongs to one.
 */
#include "crypt/crypt.h"

/* Kinds of evidence: id, name, what it is. */
#define CM_ATTEST_KINDS(X)                                                       \
    X(SNP, "snp", "AMD SEV-SNP report")                                          \
    X(NITRO, "nitro", "AWS Nitro document")                                      \
    X(TDX, "tdx", "Intel TDX quote")                                             \
    X(SGX, "sgx", "Intel SGX quote")                                             \
    X(TPM, "tpm", "TPM 2.0 quote")                                               \
    X(AZURE, "azure-vtpm", "Azure's vTPM: hardware report and TPM quote")        \
    X(ANDROID, "android", "Android key attestation")                             \
    X(APPLE, "app-attest", "Apple App Attest object")                            \
    X(ASSERTION, "app-assertion", "assertion by a key that App Attest attested") \
    X(NVIDIA, "nvidia", "NVIDIA measurement report")                             \
    X(RATLS, "ratls", "RA-TLS certificate: a hint from before the handshake")

#define CM_ATTEST_KIND_ENUM(id, name, what) CM_ATTEST_##id,
typedef enum { CM_ATTEST_UNKNOWN, CM_ATTEST_KINDS(CM_ATTEST_KIND_ENUM) } cm_attest_kind;
#undef CM_ATTEST_KIND_ENUM

/* Checks: id, name, what a pass means. Order is that of reports. */
#define CM_ATTEST_CHECKS(X)                                                                  \
    X(FORM, "form", "lengths, version and algorithms are the documented ones")               \
    X(CHAIN, "chain", "certificates lead to the vendor's pinned root, at that time")         \
    X(REVOCATION, "revocation", "no certificate is on a current list of its issuer")         \
    X(SIGNATURE, "signature", "the chain's key signed these very bytes")                     \
    X(QUOTING, "quoting", "the enclave that quotes is the vendor's, by its signed identity") \
    X(COLLATERAL, "collateral",                                                              \
      "the vendor's statements are signed, of that time and this platform")                  \
    X(IDENTITY, "identity", "the certificate is of this product, chip or provider")          \
    X(TCB_BOUND, "tcb-bound", "the certificate names the firmware that is reported")         \
    X(TCB, "tcb", "firmware is not below the policy's floor")                                \
    X(DEBUG, "debug", "nobody can read the guest by debugging it")                           \
    X(GUEST_POLICY, "guest-policy", "the guest was started under rules that suffice")        \
    X(PLATFORM, "platform", "the platform has the features that are asked for")              \
    X(PRIVILEGE, "privilege", "the report was asked for at the expected level")              \
    X(MEASUREMENT, "measurement", "the measured code is one the policy names")               \
    X(CONFIG, "config", "the measured configuration is the expected one")                    \
    X(EVENTS, "events", "the event log replays to the measured registers")                   \
    X(PCRS, "pcrs", "the registers quoted are those asked for, with the values given")       \
    X(CHIP, "chip", "the machine is on the list of the policy")                              \
    X(FRESH, "fresh", "the evidence is bound to the expected value")

#define CM_ATTEST_CHECK_ENUM(id, name, what) CM_CHECK_##id,
typedef enum { CM_ATTEST_CHECKS(CM_ATTEST_CHECK_ENUM) CM_CHECK_COUNT } cm_attest_check;
#undef CM_ATTEST_CHECK_ENUM

/** ABSENT: the check does not exist for this kind. */
typedef enum { CM_VERDICT_ABSENT, CM_VERDICT_PASS, CM_VERDICT_SKIP, CM_VERDICT_FAIL } cm_verdict;

/** In order of severity: the worse of two holds. */
typedef enum {
    CM_TCB_UNKNOWN,      /* nothing says */
    CM_TCB_UP_TO_DATE,   /* at or above every floor that was given */
    CM_TCB_PENDING,      /* AMD: newer firmware runs than is committed or reported */
    CM_TCB_SW_HARDENING, /* Intel's, from here on */
    CM_TCB_CONFIGURATION,
    CM_TCB_CONFIGURATION_AND_SW_HARDENING,
    CM_TCB_OUT_OF_DATE,
    CM_TCB_OUT_OF_DATE_CONFIGURATION,
    CM_TCB_REVOKED,
} cm_tcb_status;

typedef enum { CM_CLAIM_TEXT, CM_CLAIM_BYTES, CM_CLAIM_U64 } cm_claim_type;

enum { CM_ATTEST_CLAIMS_MAX = 96, CM_ATTEST_CLAIM_DATA_MAX = 32768 };

/** What the evidence says: worth nothing unless cm_attest_decide() accepts. */
typedef struct {
    const char *name; /* static */
    cm_claim_type type;
    uint32_t index; /* of several with one name */
    uint64_t u;     /* U64 */
    size_t at, n;   /* TEXT, BYTES: in data */
} cm_attest_claim;

typedef struct {
    cm_attest_kind kind;
    struct {
        cm_verdict verdict;
        const char *why; /* static; of a pass NULL */
    } check[CM_CHECK_COUNT];
    cm_tcb_status tcb;
    cm_attest_claim claim[CM_ATTEST_CLAIMS_MAX];
    size_t n_claims;
    struct {
        uint8_t v[64];
        size_t n; /* 0: the evidence has none */
    } measured;   /* what the check measurement looks at */
    cm_buf data;
} cm_attest_result;

/** Frees what it holds; zeroed is valid. */
void cm_attest_result_done(cm_attest_result *r);
/** A claim's bytes or text; empty for a number. Borrowed from r. */
cm_view cm_attest_claim_view(const cm_attest_result *r, const cm_attest_claim *claim);
/** The first claim of a name, NULL when there is none. */
const cm_attest_claim *cm_attest_find(const cm_attest_result *r, const char *name);

const char *cm_attest_kind_name(cm_attest_kind k);
const char *cm_attest_kind_what(cm_attest_kind k);
/** UNKNOWN for a name that is none. */
cm_attest_kind cm_attest_kind_of(cm_view name);
const char *cm_attest_check_name(cm_attest_check c);
const char *cm_attest_check_what(cm_attest_check c);
/** CM_CHECK_COUNT for a name that is none. */
cm_attest_check cm_attest_check_of(cm_view name);
const char *cm_verdict_name(cm_verdict v);
const char *cm_tcb_name(cm_tcb_status s);

/* AMD's components, wherever a product keeps them in its eight bytes. */
typedef struct {
    uint8_t fmc, bl, tee, snp, ucode;
} cm_snp_tcb;

enum {
    CM_ATTEST_ALLOW_DEBUG = 1,   /* a guest that can be read from outside */
    CM_ATTEST_ALLOW_MIGRATE = 2, /* a migration agent may move the guest */
};

#define CM_CHECK_BIT(id) (1u << CM_CHECK_##id)
#define CM_TCB_BIT(id)   (1u << CM_TCB_##id)

/* What came beside the evidence, from the attester as the evidence did: id, number in packs,
 * name, what it is. */
#define CM_ATTEST_PARTS(X)                                                                   \
    X(QUOTE, 1, "quote", "Azure: the TPM's quote (TPMS_ATTEST)")                             \
    X(SIGNATURE, 2, "signature", "TPM: TPMT_SIGNATURE of the quote, or RSA's bytes alone")   \
    X(AK, 3, "ak", "TPM: public area of the attestation key (TPM2B_PUBLIC)")                 \
    X(PCRS, 4, "pcrs", "TPM: values of the registers quoted, one behind the other")          \
    X(ACTIVATION, 5, "activation", "TPM: what the TPM opened of the credential made for it") \
    X(TD_QUOTE, 6, "td-quote", "Azure: the TD's quote")

#define CM_ATTEST_PART_ENUM(id, number, name, what) CM_PART_##id,
typedef enum { CM_ATTEST_PARTS(CM_ATTEST_PART_ENUM) CM_PART_COUNT } cm_attest_part;
#undef CM_ATTEST_PART_ENUM

const char *cm_attest_part_name(cm_attest_part p);
const char *cm_attest_part_what(cm_attest_part p);
/** CM_PART_COUNT for a name that is none. */
cm_attest_part cm_attest_part_of(cm_view name);

enum { CM_TPM_NAME_MAX = 66, CM_TPM_SECRET = 32 };

/** What cm_tpm_credential_make() made: the TPM that has both keys, and no other, can give back the
 * secret (AT-54). Keep it until the answer is verified, and use it once. */
typedef struct {
    uint8_t ek[32]; /* SHA-256 of the endorsement key's SubjectPublicKeyInfo */
    uint8_t name[CM_TPM_NAME_MAX];
    size_t name_n;
    uint8_t secret[CM_TPM_SECRET];
} cm_tpm_activation;

/** Zeroed: nothing is allowed, and what has no expected value is skipped. All borrowed. */
typedef struct {
    uint64_t now;                /* seconds since 1970 */
    unsigned flags;              /* CM_ATTEST_ALLOW_ */
    uint32_t may_skip;           /* CM_CHECK_BIT of checks that need not be made (AT-3) */
    const cm_view *measurements; /* accepted: SNP launch digest, Nitro PCR0, MRTD, MRENCLAVE,
                                    a TPM's PCR digest, SHA-384 of a GPU's blocks or SHA-256 of
                                    a file of its reference manifests */
    size_t n_measurements;
    const cm_view *chips; /* accepted chip ids; of a TPM: names of attestation keys (AT-53) */
    size_t n_chips;
    cm_view config; /* expected: SNP host data, Nitro user data, TDX MRCONFIGID, Android's
                       application id, App Attest's App ID; empty: not asked */
    cm_view fresh;  /* expected report data (zeros follow when shorter) or nonce; App Attest: the
                       client data */
    cm_view ocsp_nonce; /* that answers about revocation must have; empty: any */
    uint64_t max_age;   /* seconds since the evidence's own time, where it has one; 0: not asked */
    struct {
        uint8_t vmpl;                 /* exactly */
        uint64_t policy_required;     /* bits of the guest policy that must be set */
        uint64_t platform_required;   /* bits of the platform information that must be set */
        uint64_t mitigation_required; /* bits of the mitigation vector; reports from version 5 */
        bool has_floor;
        cm_snp_tcb floor; /* each component of the reported and the launch TCB */
    } snp;
    struct {
        uint32_t accept_tcb;          /* CM_TCB_BIT of statuses accepted beside UP_TO_DATE */
        uint32_t evaluation;          /* the least tcbEvaluationDataNumber */
        uint64_t attributes_required; /* bits of the TD's attributes that must be set */
    } intel;
    struct {
        uint32_t pcrs;     /* bits of the registers that must be quoted; 0: not asked */
        uint32_t log_pcrs; /* that the event log must explain; 0: those of 0 to 7 that are quoted */
        const cm_view *digests; /* Azure: accepted digests of the registers (a TPM's quote: see
                                   measurements) */
        size_t n_digests;
        bool has_boot; /* the counters that follow must be these: no restart since */
        uint32_t resets, restarts;
        const cm_tpm_activation *activation; /* that part ACTIVATION answers; NULL: none */
    } tpm;
    struct {
        bool strongbox;    /* a secure element keeps the key; else a TEE will do */
        uint32_t purposes; /* bits of the purposes that the key may have; 0: not asked */
        uint32_t os_patch, vendor_patch, boot_patch; /* the least, as the device writes them */
        uint64_t status_age; /* seconds since the status list was fetched; 0: not asked */
    } android;
    struct {
        cm_view key;      /* an assertion's: SubjectPublicKeyInfo, from the attestation */
        uint32_t counter; /* the last one seen of that key */
    } apple;
} cm_attest_policy;

/** Which certificates were signed by which keys, as far as it was verified before: what neither
 * time nor policy changes, so nothing depends on it but the time that a verification takes (AT-12).
 * Whoever verifies much keeps one. Any thread. */
typedef struct cm_attest_cache cm_attest_cache;
CM_MUST cm_err cm_attest_cache_new(cm_attest_cache **out);
void cm_attest_cache_free(cm_attest_cache *c);
void cm_attest_cache_free_ptr(cm_attest_cache **c);

/** Intel's statements of one sort: bodies of its answers, or signed objects alone with a signature
 * of 64 bytes. */
typedef struct {
    const struct cm_attest_statement {
        cm_view text, signature;
    } * v;
    size_t n;
} cm_attest_statements;

typedef struct {
    cm_attest_kind kind; /* UNKNOWN: detect */
    cm_view evidence;
    const cm_view *certs; /* DER or PEM, any order, of no trust by themselves */
    size_t n_certs;
    const cm_view *crls; /* DER or PEM; signed, but never to be taken from the attester */
    size_t n_crls;
    /* Intel: the bodies of its answers, or the signed object alone with its signature of 64 bytes
     * beside it; empty when there are none. */
    cm_view tcb_info, tcb_info_sig, qe_identity, qe_identity_sig;
    cm_attest_statements tcb_infos,
        identities;    /* in their place, what is of this platform (AT-48) */
    cm_view event_log; /* TDX: the CCEL; TPM: the firmware's log; empty when there is none */
    cm_view part[CM_PART_COUNT];
    cm_view status_list;  /* Android: the vendor's list of revoked certificates (JSON), fetched by
                             someone who is trusted: it has no signature */
    uint64_t status_time; /* when it was fetched; 0: nobody knows */
    const cm_view *ocsps; /* NVIDIA: OCSP responses (DER); signed, and not from the attester */
    size_t n_ocsps;
    const cm_view *rims; /* NVIDIA: files of reference manifests (attest/rim.h) */
    size_t n_rims;

    /* NULL: every signature is verified anew. */
    cm_attest_cache *cache;
} cm_attest_input;

/** Append evidence, kind (which must be known), event log, parts and certificates of in as one
 * file, which cm_attest_verify() takes as evidence (AT-10). BAD_ARGUMENT; TOO_BIG. */
CM_MUST cm_err cm_attest_pack_put(cm_buf *out, const cm_attest_input *in);

enum { CM_ATTEST_SET_MAX = 16 };
/** Append several packs as one file (AT-104). BAD_ARGUMENT none, or too many; TOO_BIG. */
CM_MUST cm_err cm_attest_set_put(cm_buf *out, const cm_view *packs, size_t n);
/** The pieces of a file: of a set its packs, of anything else the file itself. Borrowed from file.
 * ATTEST_SET it begins as a set does and is none. */
CM_MUST cm_err cm_attest_set_read(cm_view piece[CM_ATTEST_SET_MAX], size_t *n, cm_view file);

/** Make a credential of a fresh secret for the attestation key in ak (TPM2B_PUBLIC), to be opened
 * by the TPM of ek_cert (DER): TPM 2.0 part 1, section 24. blob: as tpm2_activatecredential takes
 * it. ATTEST_CERTIFICATE, ATTEST_TPM_KEY; out is void on failure. */
CM_MUST cm_err cm_tpm_credential_make(cm_buf *blob, cm_tpm_activation *out, const cm_crypt *c,
                                      cm_view ek_cert, cm_view ak);
/** The same in two steps, for whoever derives the secret and need not keep it: first whose
 * credential it is (the secret is zero), then, with the secret filled in, the credential. */
CM_MUST cm_err cm_tpm_credential_whose(cm_tpm_activation *out, const cm_crypt *c, cm_view ek_cert,
                                       cm_view ak);
CM_MUST cm_err cm_tpm_credential_put(cm_buf *blob, const cm_tpm_activation *a, const cm_crypt *c,
                                     cm_view ek_cert);

/** Which kind the bytes look like; UNKNOWN when none. */
cm_attest_kind cm_attest_detect(cm_view evidence);

/** Verify. Bad evidence is no error: it fails checks in out. NO_MEMORY; BAD_ARGUMENT; TOO_BIG more
 * claims than a result holds; ATTEST_KIND not detected. out changes only on success. */
CM_MUST cm_err cm_attest_verify(cm_attest_result *out, const cm_crypt *c, const cm_attest_input *in,
                                const cm_attest_policy *p);

/** The one answer: ATTEST_REFUSED when a check failed, or form, chain or signature did not pass;
 * ATTEST_INCOMPLETE when one was skipped that may_skip does not name (AT-3). */
CM_MUST cm_err cm_attest_decide(const cm_attest_result *r, uint32_t may_skip);

#endif
