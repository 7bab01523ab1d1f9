#ifndef CM_ENCLAVE_CLOSURE_H
#define CM_ENCLAVE_CLOSURE_H
/*
 * A program with all that it loads, measured and held: each file is copied once into a memory file
 * that nobody can change any more, and what was measured is that copy. What runs later is that copy
 * too, so a file that is swapped in between changes nothing (EN-4).
 */
#include "crypt/crypt.h"
#include "enclave/manifest.h"

typedef struct {
    cm_enclave_role role;
    char *name; /* as the manifest has it */
    char *path; /* where it was found */
    int fd;     /* the sealed copy */
    uint64_t size;
    uint8_t sha256[32];
} cm_pin;

/** Zeroed is valid and empty. */
typedef struct {
    cm_pin *v;
    size_t n, cap;
    char *culprit; /* the file that a failure is about; NULL: none in particular */
} cm_closure;

void cm_closure_free(cm_closure *c);
/** Hold the file at path under a role and name. NO_FILE, NO_PERMISSION, IO_READ; ENCLAVE_KIND: no
 * regular file; TOO_BIG; ENCLAVE_TOO_MANY; NO_MEMORY. */
CM_MUST cm_err cm_closure_add(cm_closure *c, const cm_crypt *crypt, cm_enclave_role role,
                              const char *name, const char *path);
/** Hold the program at path (no search in PATH), its loader, and the libraries that these need and
 * that those need, looked for in each one's own list, in folders (NULL at the end; may be NULL) and
 * in the system's. As above, and ENCLAVE_ELF, ENCLAVE_SCRIPT, ENCLAVE_NO_LIBRARY: not found. */
CM_MUST cm_err cm_closure_program(cm_closure *c, const cm_crypt *crypt, const char *path,
                                  const char *const *folders);
/** The held file of a role, by its place among all; NULL: none. */
const cm_pin *cm_closure_find(const cm_closure *c, cm_enclave_role role);
/** The pins as a manifest lists them: m->files, borrowed from c. */
void cm_closure_list(const cm_closure *c, cm_enclave_manifest *m);

#endif
