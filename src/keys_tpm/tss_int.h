#ifndef CM_KEYS_TPM_TSS_INT_H
#define CM_KEYS_TPM_TSS_INT_H
/* tpm2-tss, loaded: its headers alone are needed to build. */
#include <pthread.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_tctildr.h>

#include "keys_tpm/tpm_int.h"

#define CM_TSS_ESYS(X)           \
    X(Esys_Initialize)           \
    X(Esys_Finalize)             \
    X(Esys_Free)                 \
    X(Esys_ActivateCredential)   \
    X(Esys_Create)               \
    X(Esys_CreatePrimary)        \
    X(Esys_FlushContext)         \
    X(Esys_GetRandom)            \
    X(Esys_Sign)                 \
    X(Esys_GetCapability)        \
    X(Esys_Load)                 \
    X(Esys_NV_Read)              \
    X(Esys_NV_ReadPublic)        \
    X(Esys_PCR_Extend)           \
    X(Esys_PCR_Read)             \
    X(Esys_PolicyAuthValue)      \
    X(Esys_PolicyPCR)            \
    X(Esys_PolicySecret)         \
    X(Esys_Quote)                \
    X(Esys_ReadPublic)           \
    X(Esys_StartAuthSession)     \
    X(Esys_TRSess_SetAttributes) \
    X(Esys_TR_Close)             \
    X(Esys_TR_FromTPMPublic)     \
    X(Esys_TR_GetName)           \
    X(Esys_TR_SetAuth)           \
    X(Esys_Unseal)
#define CM_TSS_MU(X)                            \
    X(Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal) \
    X(Tss2_MU_TPM2B_ID_OBJECT_Unmarshal)        \
    X(Tss2_MU_TPM2B_PRIVATE_Marshal)            \
    X(Tss2_MU_TPM2B_PRIVATE_Unmarshal)          \
    X(Tss2_MU_TPM2B_PUBLIC_Marshal)             \
    X(Tss2_MU_TPM2B_PUBLIC_Unmarshal)           \
    X(Tss2_MU_TPMS_ATTEST_Unmarshal)            \
    X(Tss2_MU_TPMT_SIGNATURE_Marshal)
#define CM_TSS_LDR(X)          \
    X(Tss2_TctiLdr_Initialize) \
    X(Tss2_TctiLdr_Finalize)

#define CM_TSS_POINTER(name) __typeof__(name) *name;
typedef struct {
    CM_TSS_ESYS(CM_TSS_POINTER)
    CM_TSS_MU(CM_TSS_POINTER)
    CM_TSS_LDR(CM_TSS_POINTER)
} cm_tss;
#undef CM_TSS_POINTER

struct cm_tpm {
    const cm_crypt *crypt;
    pthread_mutex_t lock; /* a command, and what belongs to it, at a time */
    cm_tss f;
    TSS2_TCTI_CONTEXT *tcti;
    ESYS_CONTEXT *esys;
    char maker[64];
};

/** What a return code means where nothing special is expected. */
cm_err cm_tss_err(TSS2_RC rc);
/** Whether rc is this format-1 error of the TPM, whatever handle or parameter it is about. */
bool cm_tss_is(TSS2_RC rc, TSS2_RC error);
/** Whether the TPM itself refused a parameter, a handle or a session: a format-1 error. */
bool cm_tss_refused(TSS2_RC rc);

/** An object or a session of the TPM's, flushed when the scope ends. */
typedef struct {
    cm_tpm *t;
    ESYS_TR h;
    bool stays; /* persistent: not flushed */
} cm_tss_held;
#define CM_TSS_HELD(name, tpm) \
    CM_AUTO(cm_tss_flush)      \
    cm_tss_held name = {.t = (tpm), .h = ESYS_TR_NONE}
void cm_tss_flush(cm_tss_held *h);

/** A primary key of a hierarchy, by its template; pub, if not NULL, is its public area, appended
 * (TPM2B_PUBLIC). */
CM_MUST cm_err cm_tss_primary(cm_tss_held *out, ESYS_TR hierarchy, const TPM2B_PUBLIC *template,
                              cm_buf *pub);
/** The storage key: P-256, by the template of the TCG's provisioning guidance. */
CM_MUST cm_err cm_tss_storage(cm_tss_held *out);
/** A session salted to key, whose parameters are encrypted in both directions. */
CM_MUST cm_err cm_tss_session(cm_tss_held *out, const cm_tss_held *key, TPM2_SE type);
CM_MUST cm_err cm_tss_name(cm_buf *name, const cm_tss_held *h);
void cm_tss_selection(TPML_PCR_SELECTION *out, const cm_tpm_selection *s);
/** cm_tpm_registers() for a caller that has the lock. */
CM_MUST cm_err cm_tss_registers(cm_tpm *t, cm_buf *values, const cm_tpm_selection *s);

static inline void cm_tss_unlock(pthread_mutex_t **lock)
{
    pthread_mutex_unlock(*lock);
}
/** For the rest of the scope. */
#define CM_TSS_LOCK(tpm)                                            \
    CM_AUTO(cm_tss_unlock) pthread_mutex_t *locked_ = &(tpm)->lock; \
    pthread_mutex_lock(locked_)

#endif
