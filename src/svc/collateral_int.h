#ifndef CM_SVC_COLLATERAL_INT_H
#define CM_SVC_COLLATERAL_INT_H
/* The set as the attestor reads it. */
#include <stdatomic.h>

#include "appraise/reference.h"
#include "attest/collateral.h"
#include "svc/collateral.h"

enum { CM_SVC_MANIFESTS = 32 };

typedef struct {
    char name[CM_SVC_COLLATERAL_NAME];
    cm_buf bytes; /* while it is built */
    uint64_t when;
    uint8_t hash[32];
    cm_collateral about;
    const char *as;
    bool superseded;
    cm_reference *manifest;
} cm_svc_collateral_item;

struct cm_svc_collateral {
    const cm_crypt *c;
    atomic_uint holders;
    cm_svc_collateral_item v[CM_SVC_COLLATERAL_FILES];
    size_t n;
    cm_attest_bundle *bundle; /* NULL until it is finished */
    cm_reference *manifest[CM_SVC_MANIFESTS];
    size_t n_manifests;
    uint8_t digest[32];
};

/** One holder more. */
cm_svc_collateral *cm_svc_collateral_hold(cm_svc_collateral *s);

#endif
