#ifndef CM_ENCLAVE_ELF_H
#define CM_ENCLAVE_ELF_H
/* What a program needs in order to run, as its ELF file says: enough to find its loader and its
 * libraries, and no more. Pure; any thread. */
#include "base/base.h"

enum { CM_ELF_NEEDED = 64, CM_ELF_NAME = 255 };

/** Views borrow from the file. */
typedef struct {
    cm_view loader; /* PT_INTERP; empty: static */
    cm_view needed[CM_ELF_NEEDED];
    size_t needed_n;
    cm_view path; /* DT_RUNPATH, else DT_RPATH; may be empty */
} cm_elf;

/** Read a program or library for this machine. ENCLAVE_SCRIPT: it begins with #!; ENCLAVE_ELF:
 * another machine's, not of the form, an executable stack, or more than the limits above. */
CM_MUST cm_err cm_elf_read(cm_elf *out, cm_view file);

#endif
