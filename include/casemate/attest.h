#ifndef CASEMATE_ATTEST_H
#define CASEMATE_ATTEST_H
/*
 * Verification of attestation evidence: AMD SEV-SNP, Intel TDX and SGX, AWS Nitro and others. What
 * the bytes are is told from the bytes; the vendors' roots are constants of the library. Nothing is
 * fetched and no clock is read.
 *
 * The answer is cm_attestation_accepted() and nothing else. Claims of evidence that was not
 * accepted are whatever its sender wrote. A check that was skipped never counts as passed.
 *
 * Threads: an attestation may be read from many threads at once. Outputs change only on success.
 */
#include <casemate/model.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cm_attestation cm_attestation;

enum {
    CM_ATTESTATION_DEBUG = 1u,   /* accept a guest that can be read from outside */
    CM_ATTESTATION_MIGRATE = 2u, /* accept a guest that an agent may move */
};

/** A certificate, revocation list, vendor's statement or event log, known by what it holds. name
 * ties x.json to its signature x.sig and means nothing else. */
typedef struct {
    const char *name;
    cm_view bytes;
} cm_attestation_file;

/** What is demanded. Zero it, set abi to CM_ABI_VERSION, fill what you have; all borrowed for the
 * call. */
typedef struct {
    unsigned abi;
    unsigned flags;
    uint64_t at; /* seconds since 1970: judge as of then */
    const cm_attestation_file *files;
    size_t file_count;
    cm_view bound;               /* nonce, or report data without the zeros that fill them */
    const cm_view *measurements; /* accepted */
    size_t measurement_count;
    const char *const *may_skip; /* names of checks that need not be made */
    size_t may_skip_count;
} cm_attestation_options;

/** Verify. Bad evidence is no error here: ask cm_attestation_accepted(). ATTEST_KIND not known;
 * ATTEST_BUNDLE too many files; BAD_ARGUMENT another ABI, or no check of a name. */
CM_API CM_MUST cm_err cm_attestation_new(cm_attestation **out, cm_view evidence,
                                         const cm_attestation_options *o);
CM_API void cm_attestation_free(cm_attestation *a);

/** ATTEST_REFUSED: a check failed. ATTEST_INCOMPLETE: one was skipped that may_skip does not name.
 */
CM_API CM_MUST cm_err cm_attestation_accepted(const cm_attestation *a);
/** "snp", "tdx", "up to date": static. */
CM_API const char *cm_attestation_kind(const cm_attestation *a);
CM_API const char *cm_attestation_tcb(const cm_attestation *a);

/** verdict: "PASS", "SKIP" or "FAIL"; why is NULL for a pass. All static. */
typedef struct {
    const char *name, *verdict, *why;
} cm_attestation_check;

/** The ith check that this kind of evidence has; false past the last. */
CM_API bool cm_attestation_check_at(const cm_attestation *a, size_t i, cm_attestation_check *out);

/** name is static; index tells several of one name apart. A number is in number and has no bytes;
 * text is in bytes and is not terminated. */
typedef struct {
    const char *name;
    uint32_t index;
    bool is_number, is_text;
    uint64_t number;
    cm_view bytes; /* lives as long as the attestation */
} cm_attestation_claim;

CM_API bool cm_attestation_claim_at(const cm_attestation *a, size_t i, cm_attestation_claim *out);

#ifdef __cplusplus
}
#endif
#endif
