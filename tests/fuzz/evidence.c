/* Every parser of evidence, with a target each; see evidence.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ocsp.h>

#include "attest/rim.h"
#include "evidence.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static const fuzz_format formats[] = {
    {"snp", "", fuzz_run_verify},
    {"tdx", "", fuzz_run_verify},
    {"sgx", "", fuzz_run_verify},
    {"nitro", "", fuzz_run_verify},
    {"nvidia", "", fuzz_run_verify},
    {"tpm", "", fuzz_run_tpm},
    {"azure-vtpm", "", fuzz_run_verify},
    {"android", "", fuzz_run_verify},
    {"app-attest", "", fuzz_run_verify},
    {"app-assertion", "", fuzz_run_verify},
    {"ratls", "", fuzz_run_verify},
    {"intel-tcb", "tqTQ", fuzz_run_verify},
    {"crl", "l", fuzz_run_verify},
    {"status-list", "s", fuzz_run_verify},
    {"rim", "r", fuzz_run_verify},
    {"eventlog", "v", fuzz_run_eventlog},
    {"pck", "c", fuzz_run_pck},
    {"ocsp", "of", fuzz_run_ocsp},
    {"credential", "c3", fuzz_run_credential},
    {"pack", "e", fuzz_run_pack},
    {"nsm", "e", fuzz_run_nsm},
    {"tsm", "eampvw", fuzz_run_tsm},
    {"rim-xml", "e", fuzz_run_rim_xml},
    {"ear", "e", fuzz_run_ear},
    {"ref-manifest", "e", fuzz_run_manifest},
    {"corim", "e", fuzz_run_corim},
};

static const fuzz_format *chosen;

const fuzz_format *fuzz_format_at(size_t i)
{
    return i < CM_COUNT(formats) ? &formats[i] : NULL;
}

const fuzz_format *fuzz_format_named(const char *name)
{
    for (size_t i = 0; i < CM_COUNT(formats); i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}

const fuzz_format *fuzz_chosen(void)
{
    return chosen;
}

void fuzz_must(bool ok)
{
    if (!ok)
        abort();
}

const cm_crypt *fuzz_crypt(void)
{
    static cm_crypt *c;

    if (!c)
        fuzz_must(cm_ok(cm_crypt_new(&c, CM_PROFILE_DEFAULT)));
    return c;
}

/* ---- signatures that hold (linked with --wrap) ---------------------------------------------- */

static bool trusting;

void fuzz_trust(bool on)
{
    trusting = on;
}

int __real_X509_verify(X509 *x, EVP_PKEY *key);
int __real_X509_CRL_verify(X509_CRL *crl, EVP_PKEY *key);
int __real_OCSP_basic_verify(OCSP_BASICRESP *r, STACK_OF(X509) * certs, X509_STORE *store,
                             unsigned long flags);
int __real_EVP_DigestVerify(EVP_MD_CTX *ctx, const unsigned char *sig, size_t n,
                            const unsigned char *v, size_t v_n);
cm_err __real_cm_verify(const cm_sig_key *k, cm_view ctx, cm_view msg, cm_view sig);
cm_err __real_cm_verify_raw(const cm_sig_key *k, cm_view msg, cm_view sig);
int __wrap_X509_verify(X509 *x, EVP_PKEY *key);
int __wrap_X509_CRL_verify(X509_CRL *crl, EVP_PKEY *key);
int __wrap_OCSP_basic_verify(OCSP_BASICRESP *r, STACK_OF(X509) * certs, X509_STORE *store,
                             unsigned long flags);
int __wrap_EVP_DigestVerify(EVP_MD_CTX *ctx, const unsigned char *sig, size_t n,
                            const unsigned char *v, size_t v_n);
cm_err __wrap_cm_verify(const cm_sig_key *k, cm_view ctx, cm_view msg, cm_view sig);
cm_err __wrap_cm_verify_raw(const cm_sig_key *k, cm_view msg, cm_view sig);
cm_err __real_cm_rim_verify(uint8_t digest[32], uint64_t *from, uint64_t *until, const char **why,
                            const cm_crypt *c, const cm_rim_seal *s);
cm_err __wrap_cm_rim_verify(uint8_t digest[32], uint64_t *from, uint64_t *until, const char **why,
                            const cm_crypt *c, const cm_rim_seal *s);

/* A root is its own key's alone: else all would be those of the first vendor. */
int __wrap_X509_verify(X509 *x, EVP_PKEY *key)
{
    if (!trusting)
        return __real_X509_verify(x, key);
    return X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x)) != 0 ||
           EVP_PKEY_eq(X509_get0_pubkey(x), key) == 1;
}

int __wrap_X509_CRL_verify(X509_CRL *crl, EVP_PKEY *key)
{
    return trusting ? 1 : __real_X509_CRL_verify(crl, key);
}

int __wrap_OCSP_basic_verify(OCSP_BASICRESP *r, STACK_OF(X509) * certs, X509_STORE *store,
                             unsigned long flags)
{
    return trusting ? 1 : __real_OCSP_basic_verify(r, certs, store, flags);
}

int __wrap_EVP_DigestVerify(EVP_MD_CTX *ctx, const unsigned char *sig, size_t n,
                            const unsigned char *v, size_t v_n)
{
    return trusting ? 1 : __real_EVP_DigestVerify(ctx, sig, n, v, v_n);
}

cm_err __wrap_cm_verify(const cm_sig_key *k, cm_view ctx, cm_view msg, cm_view sig)
{
    return trusting ? CM_OKAY : __real_cm_verify(k, ctx, msg, sig);
}

cm_err __wrap_cm_verify_raw(const cm_sig_key *k, cm_view msg, cm_view sig)
{
    return trusting ? CM_OKAY : __real_cm_verify_raw(k, msg, sig);
}

/* Its certificates are not even read. */
cm_err __wrap_cm_rim_verify(uint8_t digest[32], uint64_t *from, uint64_t *until, const char **why,
                            const cm_crypt *c, const cm_rim_seal *s)
{
    if (!trusting)
        return __real_cm_rim_verify(digest, from, until, why, c, s);
    memset(digest, 1, 32);
    *from = 0;
    *until = 1ull << 40; /* as late as a form can say */
    *why = NULL;
    return CM_OKAY;
}

/* ---- the entry ------------------------------------------------------------------------------ */

/* CASEMATE_FUZZ_SEEDS: only write the seeds. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *name = getenv("CASEMATE_FUZZ_FORMAT"), *dir = getenv("CASEMATE_FUZZ_SEEDS");

    (void)argc;
    (void)argv;
    if (dir) {
        fuzz_seeds(dir);
        exit(0);
    }
    chosen = name ? fuzz_format_named(name) : NULL;
    if (!chosen) {
        fprintf(stderr, "CASEMATE_FUZZ_FORMAT has to be one of:");
        for (size_t i = 0; i < CM_COUNT(formats); i++)
            fprintf(stderr, " %s", formats[i].name);
        fprintf(stderr, "\n");
        exit(1);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    fuzz_pieces in;

    if (!chosen)
        LLVMFuzzerInitialize(NULL, NULL);
    fuzz_pieces_read(&in, cm_view_of(p, n));
    fuzz_trust(true);
    chosen->run(&in);
    fuzz_trust(false);
    return 0;
}
