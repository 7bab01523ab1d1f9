#ifndef CM_FUZZ_EVIDENCE_H
#define CM_FUZZ_EVIDENCE_H
/*
 * One program, a format of evidence each run: CASEMATE_FUZZ_FORMAT names it, or the name of the
 * folder it is given. An input is pieces (a letter, a length of three bytes, little endian, the
 * bytes), so that certificates, lists and statements beside evidence change as well as it does.
 *
 * Signatures hold, whatever they are, unless a piece `k` says otherwise: what stands behind a
 * signature check is reached too. No program of a release is linked so.
 */
#include "mint.h"
#include "pki/keyfile.h"
#include "release/ear.h"

enum { FUZZ_PIECES = 40, FUZZ_MAX = 1 << 18 };

/* evidence */
#define FUZZ_EVIDENCE    'e'
/* beside it */
#define FUZZ_CERT        'c'
#define FUZZ_CRL         'l'
#define FUZZ_TCB         't'
#define FUZZ_TCB_SIG     'T'
#define FUZZ_QE          'q'
#define FUZZ_QE_SIG      'Q'
#define FUZZ_LOG         'v'
#define FUZZ_STATUS      's'
#define FUZZ_OCSP        'o'
#define FUZZ_RIM         'r'
#define FUZZ_PART        '1' /* and the five that follow */
/* the policy */
#define FUZZ_KNOBS       'k' /* flags, then the time in eight bytes, big endian */
#define FUZZ_KIND        'K'
#define FUZZ_FRESH       'f'
#define FUZZ_CONFIG      'g'
#define FUZZ_MEASUREMENT 'm'
#define FUZZ_CHIP        'h'
#define FUZZ_KEY         'y'

typedef struct {
    uint8_t tag;
    cm_view v;
} fuzz_piece;

typedef struct {
    fuzz_piece v[FUZZ_PIECES];
    size_t n;
} fuzz_pieces;

/** Never fails: what is cut short is as short as it is. Borrows from input. */
void fuzz_pieces_read(fuzz_pieces *out, cm_view input);
/** What does not fit is left away. */
size_t fuzz_pieces_write(uint8_t *out, size_t max, const fuzz_pieces *p);
/** The first of a tag; empty when there is none. */
cm_view fuzz_piece_of(const fuzz_pieces *p, uint8_t tag);
void fuzz_piece_add(fuzz_pieces *p, uint8_t tag, cm_view v);

typedef struct {
    const char *name;
    const char *focus; /* tags that change; empty: all */
    void (*run)(const fuzz_pieces *p);
} fuzz_format;

const fuzz_format *fuzz_format_at(size_t i); /* NULL behind the last */
const fuzz_format *fuzz_format_named(const char *name);
/** What this process runs. */
const fuzz_format *fuzz_chosen(void);

/** The one of the process. */
const cm_crypt *fuzz_crypt(void);
void fuzz_must(bool ok);
/** Whether signatures hold without being looked at, until it is said again. */
void fuzz_trust(bool on);

/** Write a seed file for each minted set below dir, a folder each format. */
void fuzz_seeds(const char *dir);

/* Formats that are more than evidence before cm_attest_verify(). */
void fuzz_run_verify(const fuzz_pieces *p);
void fuzz_run_eventlog(const fuzz_pieces *p);
void fuzz_run_pck(const fuzz_pieces *p);
void fuzz_run_ocsp(const fuzz_pieces *p);
void fuzz_run_tpm(const fuzz_pieces *p);
void fuzz_run_credential(const fuzz_pieces *p);
void fuzz_run_pack(const fuzz_pieces *p);
void fuzz_run_nsm(const fuzz_pieces *p);
void fuzz_run_tsm(const fuzz_pieces *p);
void fuzz_run_rim_xml(const fuzz_pieces *p);
void fuzz_run_ear(const fuzz_pieces *p);
void fuzz_run_manifest(const fuzz_pieces *p);
void fuzz_run_corim(const fuzz_pieces *p);

/** What answers of format ocsp are about, and keys that sign seeds; NULL-free. */
X509 *fuzz_ocsp_subject(EVP_PKEY **issuer);
cm_pkey *fuzz_signer(void);
/** The holder's keys that tokens of format ear are keyed to. */
cm_ear_bound fuzz_ear_bound(void);
#endif
