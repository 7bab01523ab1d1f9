#ifndef CM_PKI_CA_H
#define CM_PKI_CA_H
/*
 * X.509: a small certificate authority and the verification of chains. Every certificate written
 * here passes `openssl verify -x509_strict`. Times are parameters, in seconds since the epoch; the
 * rules are spec/keys.md from K-60 on. Classical keys (Ed25519, P-256, P-384) are allowed and
 * labelled; secp256k1, dual and encapsulation keys can't sign certificates.
 */
#include "pki/keyfile.h"

enum { CM_CERT_FILE_MAX = 1 << 20, CM_CERT_CHAIN_MAX = 16, CM_CERT_SANS_MAX = 64 };

typedef struct cm_cert cm_cert; /* immutable; shared by threads */

/* ---- issuing ------------------------------------------------------------------------------- */

typedef enum {
    CM_CERT_ROOT,         /* self-signed CA */
    CM_CERT_INTERMEDIATE, /* CA under another */
    CM_CERT_SERVER,       /* TLS server: needs a DNS name or address */
    CM_CERT_CLIENT,       /* TLS client */
} cm_cert_role;

typedef struct {
    cm_cert_role role;
    cm_view common_name;            /* UTF-8, 1 to 64 characters */
    cm_view organization;           /* the same, or empty */
    const cm_view *dns, *ip;        /* subjectAltName; addresses as text: "10.0.0.1", "::1" */
    size_t n_dns, n_ip;             /* together at most CM_CERT_SANS_MAX */
    uint64_t not_before, not_after; /* seconds since the epoch; the end is late already */
    uint8_t pathlen;                /* ROOT, INTERMEDIATE: CAs that may follow below */
} cm_cert_request;

/** A self-signed root. key: private, ML-DSA, SLH-DSA, Ed25519, P-256 or P-384.
 * CERT_REQUEST names, times or role of no use (K-63); CERT_ALGORITHM; KEY_NOT_PRIVATE */
CM_MUST cm_err cm_cert_root(cm_cert **out, const cm_crypt *c, const cm_pkey *key,
                            const cm_cert_request *r);
/** A certificate for subject (its public half is used) under issuer.
 * CERT_ISSUER not a CA, another key, or its path length is spent (K-64); CERT_OUTLIVES_ISSUER */
CM_MUST cm_err cm_cert_issue(cm_cert **out, const cm_crypt *c, const cm_cert *issuer,
                             const cm_pkey *issuer_key, const cm_pkey *subject,
                             const cm_cert_request *r);

/** A signing request (PKCS#10, PEM) for key, with the names and role of r; times and pathlen are
 * the issuer's choice and not carried. */
CM_MUST cm_err cm_csr_write(cm_buf *out, const cm_crypt *c, const cm_pkey *key,
                            const cm_cert_request *r);
/** Sign a request. Its own signature is checked first (CERT_SIGNATURE); subject and names are
 * taken from it, role, times and pathlen from r, whatever the request asked for (K-66). */
CM_MUST cm_err cm_csr_issue(cm_cert **out, const cm_crypt *c, const cm_cert *issuer,
                            const cm_pkey *issuer_key, cm_view csr, const cm_cert_request *r);

/* ---- reading and writing ------------------------------------------------------------------- */

void cm_cert_free(cm_cert *cert);
void cm_cert_free_ptr(cm_cert **cert);
/** One certificate, PEM or DER. CERT_MALFORMED, KEY_TRAILING. */
CM_MUST cm_err cm_cert_read(cm_cert **out, const cm_crypt *c, cm_view file);
/** Append as PEM; as DER. */
CM_MUST cm_err cm_cert_write(cm_buf *out, const cm_cert *cert);
CM_MUST cm_err cm_cert_write_der(cm_buf *out, const cm_cert *cert);
/** The subject's key. KEY_ALGORITHM when it is none of ours. */
CM_MUST cm_err cm_cert_key(cm_pkey **out, const cm_crypt *c, const cm_cert *cert);

typedef struct {
    char subject[256], issuer[256]; /* RFC 2253, cut at the end when longer */
    char serial[2 * 20 + 1];        /* hex */
    const char *algorithm;          /* of the signature: "ML-DSA-65", or "other" */
    uint64_t not_before, not_after;
    bool ca, self_issued, post_quantum;  /* post_quantum: signature and subject key both */
    uint8_t fingerprint[CM_FINGERPRINT]; /* SHA-256 of the DER */
} cm_cert_info;
CM_MUST cm_err cm_cert_describe(cm_cert_info *out, const cm_crypt *c, const cm_cert *cert);

/** Several certificates in one PEM file, in file order. Zeroed is valid and empty. */
typedef struct {
    cm_cert *v[CM_CERT_CHAIN_MAX];
    size_t n;
} cm_certs;
CM_MUST cm_err cm_certs_read(cm_certs *out, const cm_crypt *c, cm_view file);
void cm_certs_free(cm_certs *l);

/* ---- verification -------------------------------------------------------------------------- */

typedef enum { CM_CERT_FOR_ANY, CM_CERT_FOR_SERVER, CM_CERT_FOR_CLIENT } cm_cert_use;

typedef struct {
    const cm_certs *roots; /* trusted as they are */
    const cm_certs *extra; /* intermediates that came with the leaf, or NULL */
    uint64_t now;
    cm_cert_use use;
    cm_view host;           /* name or address that the leaf must carry; empty: any */
    bool post_quantum_only; /* refuse a classical signature or key anywhere in the chain */
} cm_cert_trust;

/** Whether leaf leads to a trusted root.
 * UNAUTHENTIC: CERT_UNTRUSTED no path; CERT_SIGNATURE; CERT_EXPIRED also not yet valid;
 * CERT_PURPOSE; CERT_NAME.  CERT_CLASSICAL (DENIED). Public data only. Any thread. */
CM_MUST cm_err cm_cert_verify(const cm_crypt *c, const cm_cert *leaf, const cm_cert_trust *t);

#endif
