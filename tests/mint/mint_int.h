#ifndef CM_MINT_MINT_INT_H
#define CM_MINT_MINT_INT_H
/* What the minters share: bytes, DER, certificates, lists, signatures. */
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "mint.h"

enum { MINT_DAY = 86400, MINT_YEAR = 365 * MINT_DAY, MINT_MAX = 1 << 20 };

/** Ends the process with what unless good. */
void mint_must(bool good, const char *what);

/* ---- bytes --------------------------------------------------------------------------------- */

void mint_put(cm_buf *b, cm_view v);
void mint_text(cm_buf *b, const char *text);
/** v, cut to n bytes or with zeros behind. */
void mint_field(cm_buf *b, cm_view v, size_t n);
void mint_zeros(cm_buf *b, size_t n);
void mint_le(cm_buf *b, uint64_t v, size_t n);
void mint_be(cm_buf *b, uint64_t v, size_t n);
/** n <= 64 bytes that depend on label and number. */
void mint_label(cm_buf *b, const char *label, uint64_t number, size_t n);
/** What stands in b from at becomes the content of a value of that tag: its one byte, or its three.
 */
void mint_wrap(cm_buf *b, size_t at, uint32_t tag);
/** The constructed context tag of a number below 16384 that fits mint_wrap(). */
uint32_t mint_context(unsigned number);
void mint_int(cm_buf *b, uint8_t tag, uint64_t v);
void mint_oid(cm_buf *b, const char *dotted);
void mint_hash(cm_buf *b, const char *name, cm_view v);

/* ---- what is made -------------------------------------------------------------------------- */

/** Whether the defect asked for is this one. */
bool mint_bad(const mint *m, const char *defect);
/** A file of the set; takes b. Its bytes. */
cm_view mint_keep(mint *m, const char *name, cm_buf *b);
void mint_add_cert(mint *m, const char *name, X509 *x);
void mint_add_crl(mint *m, const char *name, X509_CRL *x);
/** The key called name, or a stranger's of the same type when the root is to be a wrong one. */
EVP_PKEY *mint_root_key(const mint *m, const char *name);

/* ---- keys and certificates ----------------------------------------------------------------- */

/** ECDSA over v with raw r and s of half bytes each, little or big-endian. */
void mint_ecdsa(cm_buf *b, EVP_PKEY *key, const char *hash, cm_view v, size_t half, bool little);
/** The same in DER. */
void mint_ecdsa_der(cm_buf *b, EVP_PKEY *key, const char *hash, cm_view v);
/** x and y of an EC key, without the byte before. */
void mint_point(cm_buf *b, EVP_PKEY *key);
void mint_spki(cm_buf *b, EVP_PKEY *key);

typedef struct {
    const char *oid;
    cm_view der;
} mint_ext;

typedef struct {
    const char *cn;
    const X509 *issuer;     /* NULL: its own */
    EVP_PKEY *key, *signer; /* signer NULL: key */
    uint64_t serial, from, to;
    bool ca, pss;
    const mint_ext *ext;
    size_t n_ext;
} mint_cert;

X509 *mint_cert_new(const mint_cert *s);
enum { MINT_PSS = 1, MINT_HELD = 2 };

/** A list of issuer's, good for a month from the day before at, with one serial unless it is 0;
 * how: MINT_PSS signed with RSASSA-PSS, MINT_HELD the certificate is on hold. */
X509_CRL *mint_crl_new(const X509 *issuer, EVP_PKEY *signer, uint64_t at, uint64_t revoked,
                       unsigned how);
/** A leaf's dates: a year around the time asked for, or as the defect has it. */
void mint_dates(const mint *m, mint_cert *s);
void mint_der(cm_buf *b, const X509 *x);
void mint_pem(cm_buf *b, const X509 *x);

/* ---- logs ---------------------------------------------------------------------------------- */

enum { MINT_REGISTER = 48 };

typedef struct {
    uint16_t alg; /* TPM_ALG_ID */
    const char *hash;
    size_t size;
    uint32_t first, n; /* registers */
    cm_view code;      /* digest of the first event, when there is one to be */
} mint_log_spec;

/** One event for each register; reg: what it leads to. */
void mint_log(cm_buf *b, uint8_t reg[][MINT_REGISTER], const mint_log_spec *s);

/* ---- kinds --------------------------------------------------------------------------------- */

/** A row of the table of kinds: what its minter does with variant is its own affair. */
typedef struct {
    const char *name;
    cm_attest_kind kind;
    void (*make)(mint *m, unsigned variant);
    unsigned variant;
    size_t measurement, config; /* their sizes in this kind; 0: any */
} mint_row;

void mint_snp(mint *m, unsigned variant);
void mint_nitro(mint *m, unsigned variant);
void mint_intel(mint *m, unsigned variant);
void mint_android(mint *m, unsigned variant);
void mint_nvidia(mint *m, unsigned variant);
void mint_apple(mint *m, unsigned variant);
void mint_assertion(mint *m, unsigned variant);
void mint_tpm(mint *m, unsigned variant);

#endif
