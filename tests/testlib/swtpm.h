#ifndef TESTLIB_SWTPM_H
#define TESTLIB_SWTPM_H
/* A TPM in software (swtpm): emulated, and said so. */
#include "keys_tpm/tpm.h"
#include "proc.h"

typedef struct {
    char dir[T_PATH]; /* with a file "bus": what came and went, in hexadecimal */
    char tcti[T_PATH];
    pid_t pid;
} t_swtpm;

/** A new TPM below dir, running; certified: with endorsement keys and their certificates. False
 * when there is no swtpm here, which is said. */
bool t_swtpm_new(t_swtpm *s, const char *dir, const char *name, bool certified);
/** Without a goodbye, as when the machine loses power; and on again, its registers reset. */
void t_swtpm_kill(t_swtpm *s);
void t_swtpm_start(t_swtpm *s);

#endif
