#ifndef CM_TESTLIB_HSM_KIT_H
#define CM_TESTLIB_HSM_KIT_H
/* Tokens to test with. */
#include "proc.h"

#define T_TOKEN "casemate-test"
#define T_PIN   "482916"

/** Where SoftHSM2's module is; NULL: not installed. */
const char *t_softhsm_module(void);
/** A SoftHSM2 token T_TOKEN with T_PIN below dir, and its configuration in the environment. False
 * with a SKIP line when it is not installed. */
bool t_softhsm(const char *dir);
/** Path of the fault-injecting module, set up to break SoftHSM2 as t_shim_fault() says. */
const char *t_shim(const char *dir);
/** "C_Sign device 0 1": the next call fails; "": all goes well. */
void t_shim_fault(const char *dir, const char *fault);

/* OpenSSL's atomics in SoftHSM2, which is not built for it, are races to ThreadSanitizer. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define T_RACES true
#endif
#endif
#ifndef T_RACES
#define T_RACES false
#endif

#endif
