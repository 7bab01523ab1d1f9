#ifndef CM_ATTEST_NVIDIA_INT_H
#define CM_ATTEST_NVIDIA_INT_H
/* A report of a GPU or switch, taken apart. */
#include "attest/attest_int.h"

enum { CM_GPU_BLOCKS = 64, CM_GPU_DIGEST = 48 };

/* Of the opaque data. */
typedef enum {
    CM_GPU_DRIVER,
    CM_GPU_VBIOS,
    CM_GPU_NVDEC0,
    CM_GPU_CHIP,
    CM_GPU_PROJECT,
    CM_GPU_PROJECT_SKU,
    CM_GPU_FWID,
    CM_GPU_FIELDS
} cm_gpu_field;

typedef struct {
    cm_view nonce, record, signature, covered;
    cm_view field[CM_GPU_FIELDS];
    cm_view value[CM_GPU_BLOCKS];
    uint32_t n;
} cm_gpu_report;

/** Note MEASUREMENT by the reference manifests that the policy names. leaf: the certificate of the
 * report's signer. */
CM_MUST cm_err cm_gpu_check_rims(cm_run *run, const cm_gpu_report *r, const X509 *leaf);

#endif
