/* Reports of NVIDIA's GPUs by the library of their driver, which is loaded when asked for: nothing
 * is linked, and its calls and structures are declared here as its ABI has them. */
#include <dlfcn.h>

#include "gather/gather.h"

enum {
    NVML_OK = 0,
    NVML_NOT_SUPPORTED = 3,
    REPORT_MAX = 0x2000,
    CEC_MAX = 0x1000,
    CHAIN_MAX = 0x1000,
    ATTESTATION_CHAIN_MAX = 0x1400,
    DEVICES_MAX = 64,
    NONCE_AT = 4,
};

typedef struct {
    unsigned has_cec, size, cec_size;
    uint8_t nonce[CM_GPU_NONCE], report[REPORT_MAX], cec[CEC_MAX];
} nvml_report;

typedef struct {
    unsigned size, attestation_size;
    uint8_t chain[CHAIN_MAX], attestation[ATTESTATION_CHAIN_MAX];
} nvml_certificate;

/* Each: what it is called here, its symbol, its parameters. */
#define NVML_CALLS(X)                                                                  \
    X(start, "nvmlInit_v2", (void))                                                    \
    X(stop, "nvmlShutdown", (void))                                                    \
    X(count, "nvmlDeviceGetCount_v2", (unsigned *))                                    \
    X(device, "nvmlDeviceGetHandleByIndex_v2", (unsigned, void **))                    \
    X(report, "nvmlDeviceGetConfComputeGpuAttestationReport", (void *, nvml_report *)) \
    X(certificate, "nvmlDeviceGetConfComputeGpuCertificate", (void *, nvml_certificate *))

#define NVML_MEMBER(name, symbol, parameters) int(*name) parameters;
struct cm_nvml {
    void *lib;
    uint32_t n;
    bool started;
    NVML_CALLS(NVML_MEMBER)
};

static bool load(cm_nvml *n)
{
    void *f;

#define NVML_LOAD(name, symbol, parameters) \
    f = dlsym(n->lib, symbol);              \
    if (!f)                                 \
        return false;                       \
    memcpy(&n->name, &f, sizeof n->name);
    NVML_CALLS(NVML_LOAD)
    return true;
}

/* The library keeps threads and handlers of its own: it is stopped, and stays loaded. */
void cm_nvml_free(cm_nvml *n)
{
    if (n && n->started)
        (void)n->stop();
    cm_free(n);
}

void cm_nvml_free_ptr(cm_nvml **n)
{
    cm_nvml_free(*n);
}

cm_err cm_nvml_open(cm_nvml **out, const char *library)
{
    CM_AUTO(cm_nvml_free_ptr) cm_nvml *n = NULL;
    unsigned count = 0;

    CM_TRY(cm_alloc(&n, sizeof *n));
    n->lib = dlopen(library, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!n->lib || !load(n))
        return CM_FAIL(GATHER_GPU_ABSENT);
    if (n->start() != NVML_OK)
        return CM_FAIL(GATHER_GPU);
    n->started = true;
    if (n->count(&count) != NVML_OK || count > DEVICES_MAX)
        return CM_FAIL(GATHER_GPU);
    n->n = count;
    *out = n;
    n = NULL;
    return CM_OKAY;
}

uint32_t cm_nvml_count(const cm_nvml *n)
{
    return n->n;
}

static cm_err said(int code)
{
    if (code == NVML_OK)
        return CM_OKAY;
    return code == NVML_NOT_SUPPORTED ? CM_FAIL(GATHER_GPU_PLAIN) : CM_FAIL(GATHER_GPU);
}

/* AT-113. The report begins with the request, whose nonce is ours. */
static cm_err take_report(cm_gathered *g, const nvml_report *r, const uint8_t *nonce)
{
    if (r->size < NONCE_AT + CM_GPU_NONCE || r->size > REPORT_MAX)
        return CM_FAIL(GATHER_GPU);
    if (!cm_view_eq(cm_view_of(r->report + NONCE_AT, CM_GPU_NONCE),
                    cm_view_of(nonce, CM_GPU_NONCE)))
        return CM_FAIL(GATHER_GPU_ECHO);
    return cm_buf_append(&g->evidence, cm_view_of(r->report, r->size));
}

static cm_err take_chain(cm_gathered *g, const nvml_certificate *c)
{
    size_t n = c->attestation_size;

    if (n > ATTESTATION_CHAIN_MAX)
        return CM_FAIL(GATHER_GPU);
    /* It is text, and some drivers count its end. */
    while (n && c->attestation[n - 1] == 0)
        n--;
    return n ? cm_gathered_cert(g, cm_view_of(c->attestation, n)) : CM_FAIL(GATHER_GPU);
}

cm_err cm_gather_gpu(cm_gathered *out, const cm_nvml *n, uint32_t index,
                     const uint8_t nonce[CM_GPU_NONCE])
{
    CM_AUTO(cm_gathered_done)
    cm_gathered g = {.kind = CM_ATTEST_NVIDIA, .evidence = {.max = REPORT_MAX}};
    CM_AUTO(cm_free_ptr) nvml_report *report = NULL;
    CM_AUTO(cm_free_ptr) nvml_certificate *certificate = NULL;
    void *device = NULL;

    CM_TRY(cm_alloc(&report, sizeof *report));
    CM_TRY(cm_alloc(&certificate, sizeof *certificate));
    CM_TRY(said(n->device(index, &device)));
    memcpy(report->nonce, nonce, CM_GPU_NONCE);
    CM_TRY(said(n->report(device, report)));
    CM_TRY(said(n->certificate(device, certificate)));
    CM_TRY(take_report(&g, report, nonce));
    CM_TRY(take_chain(&g, certificate));
    cm_gathered_done(out);
    *out = g;
    g = (cm_gathered){.n_certs = 0};
    return CM_OKAY;
}
