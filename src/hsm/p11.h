#ifndef CM_HSM_P11_H
#define CM_HSM_P11_H
/*
 * A token behind a vendor's PKCS#11 module, loaded into this process: only casemate-p11d and tests
 * do that. The module runs with our rights and our memory.
 */
#include "hsm/hsm.h"

enum { CM_P11_SESSIONS = 16, CM_P11_PIN_MAX = 256 };

typedef struct {
    const char *module; /* path */
    const char *sha256; /* of its file, in hexadecimal: HSM_MODULE_OTHER; NULL: any */
    const char *init;   /* softokn: its configuration string; NULL for others */
    const char *token;  /* its label; NULL: the only one there is */
    cm_view pin;        /* copied to locked memory; empty: the token asks for none */
    unsigned sessions;  /* at most; 0: 4 */
    bool pin_retry;     /* try the PIN although the token says that few tries are left */
    bool classical;     /* wrapping keys are of RSA, which is not post-quantum: H-80 */
} cm_p11_options;

typedef struct cm_p11 cm_p11;
/** Load, initialise, find the token, log in. HSM_MODULE, HSM_INTERFACE, HSM_INIT, HSM_NO_TOKEN,
 * HSM_TOKENS, HSM_PIN_WRONG, HSM_PIN_LOW, HSM_PIN_LOCKED. One at a time in a process. */
CM_MUST cm_err cm_p11_new(cm_p11 **out, const cm_crypt *c, const cm_p11_options *o);
/** Gives the token another PIN, in place of the one it was opened with. HSM_PIN_RANGE: the token
 * does not take it; HSM_NO_PIN; HSM_MECHANISM: it asks for none. */
CM_MUST cm_err cm_p11_set_pin(cm_p11 *p, cm_view pin);
void cm_p11_free(cm_p11 *p);
void cm_p11_free_ptr(cm_p11 **p);
cm_hsm cm_p11_of(cm_p11 *p);

#endif
