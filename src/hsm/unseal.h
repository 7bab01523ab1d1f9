#ifndef CM_HSM_UNSEAL_H
#define CM_HSM_UNSEAL_H
/* The root under a device's key: the device of a boot record's slot (spec/unseal.md). */
#include "hsm/hsm.h"
#include "keys/unseal.h"

enum { CM_HSM_DEVICE_PKCS11 = 1 }; /* the number of this kind of device */

/** The id of the key that a label stands for: its first bytes. */
#define CM_HSM_ROOT_ID "casemate-root"

typedef struct {
    const cm_hsm *hsm;
    cm_unseal_backend backend; /* for cm_unseal_key and cm_unseal_method */
    cm_hsm_status last;        /* of the device, once it has wrapped or unwrapped */
} cm_hsm_unseal;

/** u is borrowed by its backend. */
void cm_hsm_unseal_init(cm_hsm_unseal *u, const cm_hsm *hsm);

/** H-14: whether one of the devices that open this slot does it by an RSA key. True as well of what
 * nobody can read. */
bool cm_hsm_unseal_is_classical(cm_view slot);

#endif
