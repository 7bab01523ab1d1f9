#ifndef CM_MINT_MINT_H
#define CM_MINT_MINT_H
/*
 * Evidence of every kind under roots of our own, which no release knows: what the vendors' machines
 * would make, and what they never would. The private keys are fixed and stand beside this file.
 *
 * A failure ends the process: it is a fault of the test.
 */
#include "attest/attest_int.h"

enum { MINT_FILES = 24, MINT_NAME = 40 };

/** What is asked for. Zeroed is good for everything but the time. */
typedef struct {
    uint64_t at;   /* for which it is good; seconds since 1970 */
    cm_view nonce; /* bound value; App Attest: the client data; empty: one of the kind's own */
    cm_view measurement; /* of the measured code, cut or filled with zeros; empty: one's own */
    cm_view config;      /* host data, user data, MRCONFIGID, application; empty: one's own */
    const char *defect;  /* a name of mint_defects(); NULL: none */
    uint64_t serial;     /* which of the vendor's machines it is */
} mint_spec;

typedef struct {
    char name[MINT_NAME];
    cm_buf bytes;
} mint_file;

/** Evidence, what belongs to it, and the policy that it meets without a skip unless it is defect.
 */
typedef struct {
    mint_spec spec;
    const char *kind;
    cm_attest_input in;
    cm_attest_policy p;
    mint_file file[MINT_FILES]; /* what in points at; the first is the evidence */
    size_t n_files;
    uint32_t skips; /* bits of the checks that this kind never makes */
    cm_view cert[MINT_FILES], crl[MINT_FILES];
    cm_buf nonce, measurement, config, chip;          /* what the evidence says */
    cm_buf want_nonce, want_measurement, want_config; /* what the policy expects */
    cm_view one_measurement, one_chip;
} mint;

/** Evidence of a kind by its name (mint_kinds()). Free with mint_free(). */
mint *mint_new(const char *kind, const mint_spec *spec);
void mint_free(mint *m);

/** The names of the kinds; NULL at the end. */
const char *mint_kind(size_t i);

/** A defect, the kinds that can have it, and the check that fails for it. */
typedef struct {
    const char *name;
    const char *kinds; /* beginnings of their names, whole ones end in $; empty: all */
    cm_attest_check check;
    uint32_t also; /* bits of checks that can't pass either */
} mint_defect;

/** NULL at the end. */
const mint_defect *mint_defect_at(size_t i);
bool mint_defect_of(const mint_defect *d, const char *kind);

/** The test roots alone. */
cm_roots mint_roots(void);
/** A private key by its name, such as "ark-milan" or "p384:tpm-root"; the caller's. */
EVP_PKEY *mint_key(const char *name);
/** The i-th root's vendor, product, name, and the key's; false behind the last. */
bool mint_root_at(size_t i, cm_vendor *vendor, const char **product, const char **name,
                  const char **key);

#endif
