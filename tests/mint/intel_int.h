#ifndef CM_MINT_INTEL_INT_H
#define CM_MINT_INTEL_INT_H
#include "mint_int.h"

enum {
    MINT_TDX = 0x10, /* of a variant, beside the quote's version */
    MINT_TD15 = 0x20,
    MINT_FIRST_MODULE = 0x40, /* a TDX module before the versions were told apart */
    MINT_SVNS = 16,
    MINT_PCE_SVN = 13,
    MINT_QE_SVN = 6,
    MINT_EVALUATION = 17,
    MINT_PCK_SERIAL = 0x77,
    MINT_PCK_CA_SERIAL = 0x78,
    MINT_SIGNER_SERIAL = 0x79,
};

/** Root, PCK CA, PCK, signer of statements. */
typedef struct {
    EVP_PKEY *root, *ca, *pck, *signer;
    X509 *x_root, *x_ca, *x_pck, *x_signer;
} mint_intel_pki;

extern const uint8_t mint_fmspc[6], mint_pce_id[2], mint_qe_mrsigner[32];
extern const uint8_t mint_sgx_svn[MINT_SVNS];

void mint_intel_pki_new(const mint *m, mint_intel_pki *k);
void mint_intel_pki_done(mint_intel_pki *k);
/** The TDX SVNs of a platform that is up to date, as the vendor's statement has them. */
void mint_tdx_svn(uint8_t svn[MINT_SVNS], unsigned variant);
/** Certificates, lists and statements beside the quote. */
void mint_intel_collateral(mint *m, const mint_intel_pki *k, unsigned variant);

#endif
