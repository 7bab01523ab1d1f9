#ifndef CM_GATHER_GATHER_H
#define CM_GATHER_GATHER_H
/*
 * Evidence of the machine that this runs on (docs/attest.md, spec/attest.md 11). Nothing here is
 * judged: what comes back is what the device said, as one pack that cm_attest_verify() takes.
 *
 * Devices are spoken to through small tables of calls, so that a test can stand in for them;
 * tsm_fs.c, nsm_device.c and nvml.c are the real ones. One thread an object.
 */
#include "attest/attest.h"

enum { CM_GATHER_CERTS = 16, CM_GATHER_BLOB_MAX = 1 << 18, CM_GATHER_LOG_MAX = 1 << 20 };

/** One piece of evidence with what belongs to it. Zeroed is empty; cm_gathered_done() frees. */
typedef struct {
    cm_attest_kind kind;
    cm_buf evidence, event_log, part[CM_PART_COUNT];
    cm_buf cert[CM_GATHER_CERTS];
    size_t n_certs;
} cm_gathered;

void cm_gathered_done(cm_gathered *g);
/** Append a certificate (DER or PEM). ATTEST_BUNDLE more than CM_GATHER_CERTS; NO_MEMORY. */
CM_MUST cm_err cm_gathered_cert(cm_gathered *g, cm_view cert);
/** Append it as a pack (AT-10). BAD_ARGUMENT when it is empty; TOO_BIG; NO_MEMORY. */
CM_MUST cm_err cm_gathered_pack(cm_buf *out, const cm_gathered *g);

/* ---- Linux configfs-tsm: SEV-SNP and TDX ---------------------------------------------------- */

#define CM_TSM_ROOT "/sys/kernel/config/tsm/report"
#define CM_CCEL     "/sys/firmware/acpi/tables/data/CCEL"

/** The entries below a root. Each call gives 0 or an errno value; get gives ENOENT for an attribute
 * that is not there, and appends to out, whose max holds. pause waits before the nth attempt. */
typedef struct {
    void *arg;
    int (*make)(void *arg, const char *entry);
    int (*put)(void *arg, const char *entry, const char *attribute, cm_view v);
    int (*get)(void *arg, const char *entry, const char *attribute, cm_buf *out);
    int (*drop)(void *arg, const char *entry);
    void (*pause)(void *arg, unsigned nth);
} cm_tsm_fs;

typedef struct {
    int root;
} cm_tsm_dir;

/** The folder at root, and fs over it. GATHER_TSM_ABSENT; NO_PERMISSION. */
CM_MUST cm_err cm_tsm_dir_open(cm_tsm_dir *dir, cm_tsm_fs *fs, const char *root);
void cm_tsm_dir_done(cm_tsm_dir *dir);

/** What the kernel gave for one report. */
typedef struct {
    cm_buf provider, report, certs, manifest; /* certs: auxblob; manifest: of an SVSM's services */
    unsigned attempts;
} cm_tsm_report;
void cm_tsm_report_done(cm_tsm_report *r);

/** Have a report made over report_data (1 to 64 bytes) in an entry of our own (AT-110), which is
 * removed on every path. Attempts that another writer disturbed are repeated.
 * out       Untouched on failure; cm_tsm_report_done().
 * GATHER_TSM_NONE no driver stands behind it; GATHER_TSM_BUSY, GATHER_TSM_INTERRUPTED,
 * GATHER_TSM_RACE after several attempts; GATHER_TSM_ECHO the report is over other data;
 * GATHER_TSM the kernel said something else; NO_PERMISSION; NO_ENTROPY; NO_MEMORY */
CM_MUST cm_err cm_tsm_report_get(cm_tsm_report *out, const cm_crypt *c, const cm_tsm_fs *fs,
                                 cm_view report_data);
/** The report as evidence: of sev_guest with the certificates of its table (AT-111), of tdx_guest
 * with the event log at ccel when that can be read; NULL: none. GATHER_TSM_PROVIDER another
 * provider; GATHER_TSM_TABLE the table of certificates is not of its form. */
CM_MUST cm_err cm_gather_tsm(cm_gathered *out, const cm_tsm_report *r, const char *ccel);

/* ---- AWS Nitro: the security module --------------------------------------------------------- */

#define CM_NSM_DEVICE "/dev/nsm"

enum { CM_NSM_REQUEST_MAX = 4096, CM_NSM_ANSWER_MAX = 12288 };

/** Send a request, append the answer to out. 0 or errno. */
typedef struct {
    void *arg;
    int (*ask)(void *arg, cm_view request, cm_buf *out);
} cm_nsm;

typedef struct {
    int fd;
} cm_nsm_fd;

/** GATHER_NSM_ABSENT; NO_PERMISSION. */
CM_MUST cm_err cm_nsm_open(cm_nsm_fd *dev, cm_nsm *nsm, const char *path);
void cm_nsm_done(cm_nsm_fd *dev);

/** A document over nonce, and user data and a public key where these are not empty (AT-112).
 * BAD_ARGUMENT longer than the module takes (512, 512, 1024); GATHER_NSM it failed or refused;
 * GATHER_NSM_ANSWER its answer is not of the documented form. */
CM_MUST cm_err cm_gather_nsm(cm_gathered *out, const cm_nsm *nsm, cm_view nonce, cm_view user_data,
                             cm_view public_key);

/* ---- NVIDIA: the driver's library ----------------------------------------------------------- */

#define CM_NVML_LIBRARY "libnvidia-ml.so.1"
enum { CM_GPU_NONCE = 32 };

typedef struct cm_nvml cm_nvml;

/** Load and start the library. GATHER_GPU_ABSENT it is not there or not of these calls; GATHER_GPU.
 */
CM_MUST cm_err cm_nvml_open(cm_nvml **out, const char *library);
void cm_nvml_free(cm_nvml *n);
void cm_nvml_free_ptr(cm_nvml **n);
uint32_t cm_nvml_count(const cm_nvml *n);
/** The report of the device with this index over nonce, with its certificates. GATHER_GPU_PLAIN it
 * makes none: confidential computing is off, or it has none; GATHER_GPU the library failed or gave
 * sizes that can't be; GATHER_GPU_ECHO the report is over another nonce. */
CM_MUST cm_err cm_gather_gpu(cm_gathered *out, const cm_nvml *n, uint32_t index,
                             const uint8_t nonce[CM_GPU_NONCE]);

#endif
