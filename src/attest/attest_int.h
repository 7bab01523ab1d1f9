#ifndef CM_ATTEST_ATTEST_INT_H
#define CM_ATTEST_ATTEST_INT_H
/* What the files of this module share. */
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "attest/attest.h"

/* ---- roots (roots.c) ----------------------------------------------------------------------- */

typedef enum {
    CM_VENDOR_AMD = 1,
    CM_VENDOR_AWS,
    CM_VENDOR_INTEL,
    CM_VENDOR_TPM, /* makers of TPMs: each certifies endorsement keys of its own */
    CM_VENDOR_GOOGLE,
    CM_VENDOR_APPLE,
    CM_VENDOR_NVIDIA,
    CM_VENDOR_NVIDIA_RIM,
} cm_vendor;

/** A public key that is trusted as it is (AT-5). */
typedef struct {
    cm_vendor vendor;
    const char *name;       /* of the key */
    const char *product;    /* which it is for, "" for all of its vendor */
    cm_view spki;           /* SubjectPublicKeyInfo */
    const char *provenance; /* where it was published */
} cm_root;

typedef struct {
    const cm_root *v;
    size_t n;
} cm_roots;

/** The vendors' roots. There is no way to add one. */
cm_roots cm_roots_pinned(void);

/* ---- one run ------------------------------------------------------------------------------- */

typedef struct {
    const cm_crypt *c;
    const cm_attest_input *in;
    const cm_attest_policy *p;
    cm_roots roots;
    cm_attest_result *r;
    bool any_time; /* paths are found without regard to dates: the caller judges them */
    bool known;    /* only signatures that the cache knows: no others are verified */
} cm_run;

/** cm_attest_verify() with other roots: for tests, which mint evidence. Not in a public header. */
CM_MUST cm_err cm_attest_verify_under(cm_attest_result *out, const cm_crypt *c, cm_roots roots,
                                      const cm_attest_input *in, const cm_attest_policy *p);

CM_MUST cm_err cm_attest_snp(cm_run *run);
CM_MUST cm_err cm_attest_nitro(cm_run *run);
CM_MUST cm_err cm_attest_intel(cm_run *run);
CM_MUST cm_err cm_attest_tpm(cm_run *run);
CM_MUST cm_err cm_attest_azure(cm_run *run);
CM_MUST cm_err cm_attest_android(cm_run *run);
CM_MUST cm_err cm_attest_apple(cm_run *run);
CM_MUST cm_err cm_attest_assertion(cm_run *run);
CM_MUST cm_err cm_attest_nvidia(cm_run *run);
CM_MUST cm_err cm_attest_ratls(cm_run *run);
/** Whether the DER certificate v, or the first block of PEM, holds these bytes of an object
 * identifier. */
bool cm_holds_oid(cm_view v, cm_view oid);

/* ---- packs (pack.c) ------------------------------------------------------------------------- */

/** Whether v begins as a pack does. */
bool cm_is_pack(cm_view v);
/** The kind that a pack says it holds; UNKNOWN. */
cm_attest_kind cm_pack_kind(cm_view v);
/** in with what the pack in its evidence holds; cert: room for CM_POOL_MAX, borrowed by out.
 * False when it is not as AT-10 says. What the caller gave besides stays where a pack has
 * nothing. */
bool cm_pack_open(cm_attest_input *out, cm_view *cert, const cm_attest_input *in);

/* ---- results (result.c) -------------------------------------------------------------------- */

/** Record a verdict; of several for one check the worst stays, with its reason. */
void cm_note_pass(cm_run *run, cm_attest_check id);
void cm_note_skip(cm_run *run, cm_attest_check id, const char *why);
void cm_note_fail(cm_run *run, cm_attest_check id, const char *why);
/** PASS when ok, else FAIL. Returns ok. */
bool cm_note(cm_run *run, cm_attest_check id, bool ok, const char *why);

CM_MUST cm_err cm_claim_bytes(cm_run *run, const char *name, uint32_t index, cm_view v);
CM_MUST cm_err cm_claim_text(cm_run *run, const char *name, cm_view v);
CM_MUST cm_err cm_claim_u64(cm_run *run, const char *name, uint64_t v);

/** The checks every kind has: measurement, fresh. have: what the evidence says. */
void cm_check_measurement(cm_run *run, cm_view have);
void cm_check_config(cm_run *run, cm_view have);
void cm_check_fresh_padded(cm_run *run, cm_view have);

bool cm_all_zero(cm_view v);

/* ---- what was verified before (cache.c) ----------------------------------------------------- */

/** That this very certificate is signed by this very key. */
typedef struct {
    uint8_t b[32];
} cm_fact;
/** Of the SHA-256 digests of a certificate and of a SubjectPublicKeyInfo. */
CM_MUST cm_err cm_fact_of(cm_fact *out, const cm_crypt *c, const uint8_t cert[32],
                          const uint8_t spki[32]);
bool cm_fact_known(cm_attest_cache *c, const cm_fact *f);
void cm_fact_learn(cm_attest_cache *c, const cm_fact *f);

/* ---- certificates (chain.c) ---------------------------------------------------------------- */

enum { CM_POOL_MAX = 24, CM_CRLS_MAX = 8, CM_DER_MAX = 1 << 16 };

/** SHA-256 of a certificate as it came, and of its SubjectPublicKeyInfo. */
typedef struct {
    uint8_t cert[32], spki[32];
} cm_cert_name;

typedef struct {
    X509 *v[CM_POOL_MAX];
    cm_cert_name name[CM_POOL_MAX];
    size_t n;
} cm_pool;

/** Frees its certificates; zeroed is valid. */
void cm_pool_done(cm_pool *pool);
/** Add what a DER certificate or PEM file holds. ATTEST_CERTIFICATE not one, or too many. */
CM_MUST cm_err cm_pool_add(cm_pool *pool, const cm_crypt *c, cm_view file);
/** The same for DER alone. */
CM_MUST cm_err cm_pool_add_der(cm_pool *pool, const cm_crypt *c, cm_view der);
/** Everything of run->in->certs. */
CM_MUST cm_err cm_pool_load(cm_pool *pool, const cm_run *run);

/** A verified path, leaf first; borrows from the pool. */
typedef struct {
    X509 *v[CM_POOL_MAX];
    size_t n;
    const cm_root *root; /* it ends at; NULL when nothing was verified */
    EVP_PKEY *root_key;  /* NULL until it was needed */
} cm_path;

void cm_path_done(cm_path *path);
/** Find the path from leaf to a root of vendor, and note id (AT-6). The pool's certificates help
 * and are trusted in nothing. */
CM_MUST cm_err cm_path_find(cm_path *path, cm_run *run, X509 *leaf, const cm_pool *pool,
                            cm_vendor vendor, cm_attest_check id);
/** The key that signed the i-th certificate of a path; NULL without memory. */
EVP_PKEY *cm_path_issuer(cm_path *path, const cm_run *run, size_t i);
/** Note REVOCATION of the certificates from..end of path, by the lists in run->in. */
CM_MUST cm_err cm_path_revocation(cm_path *path, cm_run *run, size_t from);

/* ---- OCSP (ocsp.c) -------------------------------------------------------------------------- */

/* In order of severity. */
typedef enum {
    CM_OCSP_NONE, /* the answer is about something else, or none */
    CM_OCSP_GOOD,
    CM_OCSP_STALE,  /* or of later */
    CM_OCSP_FORGED, /* not signed by who may, or with another nonce */
    CM_OCSP_UNKNOWN,
    CM_OCSP_HELD, /* certificateHold */
    CM_OCSP_REVOKED,
} cm_ocsp_status;

/** Whether v is an OCSP response with an answer in it. */
bool cm_ocsp_is(cm_view v);
/** What an answer (DER) says about x, whose issuer has that key. nonce: that the answer must have;
 * empty: none. */
cm_ocsp_status cm_ocsp_about(cm_view der, const X509 *x, EVP_PKEY *issuer, uint64_t now,
                             cm_view nonce);
/** Note REVOCATION of the certificates from..end of path, by the answers in run->in. */
void cm_path_ocsp(cm_path *path, cm_run *run, size_t from);

/** ECDSA over message with raw big-endian r and s of half each; false also when the key is not on
 * group. */
CM_MUST cm_err cm_ecdsa_raw(bool *good, const cm_crypt *c, EVP_PKEY *key, const char *group,
                            cm_hash hash, cm_view r, cm_view s, cm_view message);

/** A signature in its provider's form (DER, or RSA's bytes; pss: with any salt); false also for a
 * key that can't verify it. */
CM_MUST cm_err cm_verify_der(bool *good, const cm_crypt *c, EVP_PKEY *key, cm_hash hash, bool pss,
                             cm_view sig, cm_view message);
/** RSA or EC public keys of their numbers, big-endian; NULL when they are none. */
CM_MUST cm_err cm_rsa_numbers(EVP_PKEY **out, const cm_crypt *c, cm_view n, cm_view e);
CM_MUST cm_err cm_ec_numbers(EVP_PKEY **out, const cm_crypt *c, const char *group, cm_view x,
                             cm_view y);

/** A P-256 key of x and y; NULL when they are no point. */
CM_MUST cm_err cm_p256_point(EVP_PKEY **out, const cm_crypt *c, cm_view xy);

/** SHA-256 of its SubjectPublicKeyInfo. */
CM_MUST cm_err cm_x509_key_digest(uint8_t out[32], const cm_crypt *c, const X509 *x);

/** The extension of a dotted OID: its bytes, and whether it is there exactly once. */
bool cm_x509_extension(cm_view *value, const X509 *x, const char *oid);
/** The common name, empty unless there is exactly one. */
cm_view cm_x509_cn(const X509_NAME *name);

/** The one certificate of that common name, however often it was given; NULL when there is none or
 * more than one. */
X509 *cm_pool_named(const cm_pool *pool, cm_view cn);

#define CM_ATTEST_SCOPED(type, name, fn)                 \
    static inline void cm_attest_##name##_done(type **p) \
    {                                                    \
        fn(*p);                                          \
    }
CM_ATTEST_SCOPED(EVP_PKEY, pkey, EVP_PKEY_free)
CM_ATTEST_SCOPED(X509, x509, X509_free)
CM_ATTEST_SCOPED(X509_CRL, crl, X509_CRL_free)

#endif
