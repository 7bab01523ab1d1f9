#ifndef CM_PKI_CERT_INT_H
#define CM_PKI_CERT_INT_H
/* What the files about certificates share. */
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "pki/ca.h"
#include "pki/pki_int.h"

struct cm_cert {
    X509 *x;
};

/** Take over an OpenSSL certificate: on success *x is NULL. bad: the reason when its extensions
 * can't be read. */
CM_MUST cm_err cm_cert_wrap(cm_cert **out, X509 **x, cm_reason bad);

/** The one PEM block labelled label, or DER as it is; borrowed from file or own. */
CM_MUST cm_err cm_cert_der(cm_view *der, cm_buf *own, cm_view file, cm_view label);

/** Whether a NID is of a post-quantum algorithm, signature or key. */
bool cm_cert_nid_pq(int nid);
/** Whether both the signature and the key of x are post-quantum. */
bool cm_cert_pq(const X509 *x);

/** DER of the key in x, to be compared or read. */
CM_MUST cm_err cm_cert_spki(cm_buf *der, const X509_PUBKEY *key);

/** K-63: checks, and the names as OpenSSL's objects. NULL *names when there are none. */
CM_MUST cm_err cm_cert_dns_check(cm_view name);
CM_MUST cm_err cm_cert_subject(X509_NAME **out, const cm_cert_request *r);
CM_MUST cm_err cm_cert_names(GENERAL_NAMES **out, const cm_cert_request *r);
/** K-66: nothing but DNS names and addresses, of the right form. */
CM_MUST cm_err cm_cert_names_check(const GENERAL_NAMES *names);

/* For CM_AUTO. */
#define CM_PKI_SCOPED(type, name, fn)                 \
    static inline void cm_pki_##name##_done(type **p) \
    {                                                 \
        fn(*p);                                       \
    }
CM_PKI_SCOPED(X509, x509, X509_free)
CM_PKI_SCOPED(X509_REQ, req, X509_REQ_free)
CM_PKI_SCOPED(X509_NAME, name, X509_NAME_free)
CM_PKI_SCOPED(GENERAL_NAMES, names, GENERAL_NAMES_free)
CM_PKI_SCOPED(GENERAL_NAME, general, GENERAL_NAME_free)
CM_PKI_SCOPED(EVP_PKEY, pkey, EVP_PKEY_free)
CM_PKI_SCOPED(EVP_MD_CTX, md, EVP_MD_CTX_free)

#endif
