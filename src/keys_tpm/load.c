/* tpm2-tss, loaded when it is asked for, and what goes for every command. */
#include <dlfcn.h>

#include "keys_tpm/tss_int.h"

enum { RC_ERROR = 0x3f, RC_FORMAT_1 = 0x80, PROPERTIES = 8 };

/* ---- the libraries ------------------------------------------------------------------------- */

/* A function out of dlsym() without a cast that ISO C leaves undefined. */
static bool symbol(void *out, void *lib, const char *name)
{
    void *p = dlsym(lib, name);

    memcpy(out, &p, sizeof p);
    return p != NULL;
}

/* Never unloaded: OpenSSL, which it brings along, does not survive that. */
static void *library(const char *name)
{
    return dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
}

static cm_err load(cm_tss *f)
{
    void *esys = library("libtss2-esys.so.0"), *mu = library("libtss2-mu.so.0"),
         *ldr = library("libtss2-tctildr.so.0");
    bool good = esys && mu && ldr;

    if (!good)
        return CM_FAIL(TPM_LIBRARY);
#define LOAD_ESYS(name) good = symbol(&f->name, esys, #name) && good;
#define LOAD_MU(name)   good = symbol(&f->name, mu, #name) && good;
#define LOAD_LDR(name)  good = symbol(&f->name, ldr, #name) && good;
    CM_TSS_ESYS(LOAD_ESYS)
    CM_TSS_MU(LOAD_MU)
    CM_TSS_LDR(LOAD_LDR)
#undef LOAD_ESYS
#undef LOAD_MU
#undef LOAD_LDR
    return good ? CM_OKAY : CM_FAIL(TPM_LIBRARY);
}

/* ---- errors -------------------------------------------------------------------------------- */

static bool of_tpm(TSS2_RC rc)
{
    TSS2_RC layer = rc & TSS2_RC_LAYER_MASK;

    return layer == TSS2_TPM_RC_LAYER || layer == TSS2_RESMGR_TPM_RC_LAYER;
}

bool cm_tss_refused(TSS2_RC rc)
{
    return of_tpm(rc) && rc & RC_FORMAT_1;
}

bool cm_tss_is(TSS2_RC rc, TSS2_RC error)
{
    return cm_tss_refused(rc) && (rc & (RC_ERROR | RC_FORMAT_1)) == error;
}

static bool of_transport(TSS2_RC rc)
{
    return (rc & TSS2_RC_LAYER_MASK) == TSS2_TCTI_RC_LAYER ||
           (rc & ~TSS2_RC_LAYER_MASK) == TSS2_BASE_RC_IO_ERROR;
}

/* What the TPM itself says. */
static cm_err tpm_err(TSS2_RC rc)
{
    static const struct {
        TSS2_RC rc;
        cm_reason reason;
    } reasons[] = {
        {TPM2_RC_LOCKOUT, CM_TPM_LOCKED},       {TPM2_RC_OBJECT_MEMORY, CM_TPM_FULL},
        {TPM2_RC_SESSION_MEMORY, CM_TPM_FULL},  {TPM2_RC_OBJECT_HANDLES, CM_TPM_FULL},
        {TPM2_RC_SESSION_HANDLES, CM_TPM_FULL}, {TPM2_RC_BAD_AUTH, CM_TPM_HIERARCHY},
        {TPM2_RC_AUTH_FAIL, CM_TPM_HIERARCHY},  {TPM2_RC_HIERARCHY, CM_TPM_HIERARCHY},
    };
    TSS2_RC code = rc & ~TSS2_RC_LAYER_MASK;

    for (size_t i = 0; i < CM_COUNT(reasons); i++)
        if (code == reasons[i].rc || cm_tss_is(rc, reasons[i].rc))
            return (cm_err){(uint32_t)reasons[i].reason};
    return CM_FAIL(TPM_DEVICE);
}

cm_err cm_tss_err(TSS2_RC rc)
{
    if (rc == TSS2_RC_SUCCESS)
        return CM_OKAY;
    if (of_tpm(rc))
        return tpm_err(rc);
    if ((rc & ~TSS2_RC_LAYER_MASK) == TSS2_BASE_RC_MEMORY)
        return CM_FAIL(NO_MEMORY);
    return of_transport(rc) ? CM_FAIL(TPM_GONE) : CM_FAIL(TPM_DEVICE);
}

/* ---- who it is ----------------------------------------------------------------------------- */

static void put_letters(cm_tpm *t, uint32_t value)
{
    size_t n = strlen(t->maker);

    for (int shift = 24; shift >= 0; shift -= 8) {
        char c = (char)(value >> shift & 0xff);

        if (c > ' ' && c < 127 && n + 1 < sizeof t->maker)
            t->maker[n++] = c;
    }
    t->maker[n] = 0;
}

/* TPM2_PT_MANUFACTURER, then four of the vendor's words. */
static cm_err ask_maker(cm_tpm *t)
{
    TPMS_CAPABILITY_DATA *data = NULL;
    TPMI_YES_NO more;
    TSS2_RC rc = t->f.Esys_GetCapability(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                         TPM2_CAP_TPM_PROPERTIES, TPM2_PT_MANUFACTURER, PROPERTIES,
                                         &more, &data);
    const TPML_TAGGED_TPM_PROPERTY *list;

    CM_TRY(cm_tss_err(rc));
    list = &data->data.tpmProperties;
    for (uint32_t i = 0; i < CM_MIN(list->count, (uint32_t)PROPERTIES); i++) {
        if (list->tpmProperty[i].property > TPM2_PT_VENDOR_STRING_4)
            continue;
        put_letters(t, list->tpmProperty[i].value);
        if (list->tpmProperty[i].property == TPM2_PT_MANUFACTURER)
            put_letters(t, 0);
    }
    t->f.Esys_Free(data);
    return CM_OKAY;
}

const char *cm_tpm_maker(const cm_tpm *t)
{
    return t->maker;
}

/* ---- life ---------------------------------------------------------------------------------- */

/* In which the library writes. */
static cm_err connect_tpm(cm_tpm *t, const char *tcti)
{
    TSS2_RC rc = t->f.Tss2_TctiLdr_Initialize(tcti, &t->tcti);

    if (rc != TSS2_RC_SUCCESS)
        return CM_FAIL(TPM_NONE);
    rc = t->f.Esys_Initialize(&t->esys, t->tcti, NULL);
    if (rc != TSS2_RC_SUCCESS)
        return cm_is(cm_tss_err(rc), CM_NO_MEMORY) ? CM_FAIL(NO_MEMORY) : CM_FAIL(TPM_NONE);
    return cm_failed(ask_maker(t)) ? CM_FAIL(TPM_NONE) : CM_OKAY;
}

cm_err cm_tpm_open(cm_tpm **out, const cm_crypt *c, const char *tcti)
{
    CM_AUTO(cm_tpm_close_ptr) cm_tpm *t = NULL;

    CM_TRY(cm_alloc(&t, sizeof *t));
    t->crypt = c;
    pthread_mutex_init(&t->lock, NULL);
    CM_TRY(load(&t->f));
    CM_TRY(connect_tpm(t, tcti && tcti[0] ? tcti : "device:/dev/tpmrm0"));
    *out = t;
    t = NULL;
    return CM_OKAY;
}

void cm_tpm_close(cm_tpm *t)
{
    if (!t)
        return;
    if (t->esys)
        t->f.Esys_Finalize(&t->esys);
    if (t->tcti)
        t->f.Tss2_TctiLdr_Finalize(&t->tcti);
    pthread_mutex_destroy(&t->lock);
    cm_free(t);
}

void cm_tpm_close_ptr(cm_tpm **t)
{
    cm_tpm_close(*t);
}
