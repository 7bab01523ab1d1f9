/* A library with the calls of libnvidia-ml.so.1 that evidence needs. Device 0 (and any other in
 * MOCK_NVML_FOLDER mode) answers with a recorded or made-up report in which the nonce is replaced:
 * the signature is then wrong, which is not this library's business; unless the folder has a
 * program that mints one for the nonce (made.h). The other devices go wrong in one way each. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "made.h"

enum { OK = 0, BAD_ARGUMENT = 2, NOT_SUPPORTED = 3, UNKNOWN = 999, DEVICES = 6, NONCE_AT = 4 };
enum { RIGHT, PLAIN, OTHER_NONCE, TOO_LONG, NO_CHAIN, FAILS };

typedef struct {
    unsigned has_cec, size, cec_size;
    uint8_t nonce[0x20], report[0x2000], cec[0x1000];
} report_t;

typedef struct {
    unsigned size, attestation_size;
    uint8_t chain[0x1000], attestation[0x1400];
} certificate_t;

int nvmlInit_v2(void);
int nvmlShutdown(void);
int nvmlDeviceGetCount_v2(unsigned *n);
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **device);
int nvmlDeviceGetConfComputeGpuAttestationReport(void *device, report_t *r);
int nvmlDeviceGetConfComputeGpuCertificate(void *device, certificate_t *c);

static const char devices[DEVICES];

/* A recorded set makes every device a right one. */
static const char *folder(void)
{
    return getenv("MOCK_NVML_FOLDER");
}

static size_t read_file(void *to, size_t max, const char *name)
{
    return made_read(to, max, folder(), name);
}

int nvmlInit_v2(void)
{
    return OK;
}

int nvmlShutdown(void)
{
    return OK;
}

int nvmlDeviceGetCount_v2(unsigned *n)
{
    *n = folder() ? 2 : DEVICES;
    return OK;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **device)
{
    const char *at = devices + i;

    if (i >= DEVICES)
        return BAD_ARGUMENT;
    memcpy(device, &at, sizeof at);
    return OK;
}

static int behaviour(void *device)
{
    return folder() ? RIGHT : (int)((const char *)device - devices);
}

int nvmlDeviceGetConfComputeGpuAttestationReport(void *device, report_t *r)
{
    static const uint8_t head[] = {0x11, 0xe0, 0x01, 0xff};
    int how = behaviour(device);

    if (how == PLAIN || how == FAILS)
        return how == PLAIN ? NOT_SUPPORTED : UNKNOWN;
    r->size = 512;
    memset(r->report, 0x5a, r->size);
    memcpy(r->report, head, sizeof head);
    if (folder() && made_here(folder())) {
        if (!made_run(folder(), r->nonce, sizeof r->nonce))
            return UNKNOWN;
        r->size = (unsigned)read_file(r->report, sizeof r->report, "evidence.bin");
        return OK;
    }
    if (folder())
        r->size = (unsigned)read_file(r->report, sizeof r->report, "report.bin");
    memcpy(r->report + NONCE_AT, r->nonce, sizeof r->nonce);
    if (how == OTHER_NONCE)
        r->report[NONCE_AT] ^= 1;
    if (how == TOO_LONG)
        r->size = sizeof r->report + 1;
    return OK;
}

int nvmlDeviceGetConfComputeGpuCertificate(void *device, certificate_t *c)
{
    static const char chain[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

    memcpy(c->attestation, chain, sizeof chain);
    c->attestation_size = behaviour(device) == NO_CHAIN ? 0 : sizeof chain;
    if (folder())
        c->attestation_size =
            (unsigned)read_file(c->attestation, sizeof c->attestation, "chain.pem");
    return OK;
}
