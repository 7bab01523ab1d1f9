#ifndef CM_ATTEST_INTEL_INT_H
#define CM_ATTEST_INTEL_INT_H
/* What the files about Intel's quotes share. */
#include "attest/attest_int.h"

enum { CM_INTEL_SVNS = 16, CM_INTEL_RTMRS = 4 };

/** An enclave's report, 384 bytes. */
typedef struct {
    cm_view whole, miscselect, attributes, mrenclave, mrsigner, config_id, report_data;
    uint16_t prod_id, svn;
} cm_enclave_report;

/** A TD's report, 584 or 648 bytes. */
typedef struct {
    cm_view tcb_svn, mrseam, mrsigner_seam, seam_attributes, attributes, mrtd, config_id, owner;
    cm_view owner_config, rtmr[CM_INTEL_RTMRS], report_data, tcb_svn2, service_td;
} cm_td_report;

typedef struct {
    uint16_t version;
    bool tdx;
    cm_view signed_part, signature, key;
    cm_enclave_report enclave; /* SGX */
    cm_td_report td;           /* TDX */
    cm_enclave_report qe;
    cm_view qe_signature, qe_auth, chain;
} cm_intel_quote;

/** What the PCK certificate says of its platform. */
typedef struct {
    uint8_t svn[CM_INTEL_SVNS];
    uint32_t pce_svn;
    cm_view fmspc, pce_id;
} cm_intel_platform;

/** Read the extension of a PCK certificate; false when it is not as documented. */
bool cm_intel_platform_read(cm_intel_platform *p, const X509 *pck);

/** Verify the vendor's statements with the TCB signing certificate of the pool, and note QUOTING,
 * COLLATERAL and TCB. platform NULL: unknown, nothing can match. */
CM_MUST cm_err cm_intel_collateral(cm_run *run, const cm_pool *pool, const cm_intel_quote *q,
                                   const cm_intel_platform *platform);
/** Replay the event log and note EVENTS (AT-47). */
CM_MUST cm_err cm_intel_events(cm_run *run, const cm_td_report *td);

#endif
