#ifndef CM_CRYPT_CPU_H
#define CM_CRYPT_CPU_H
/*
 * Which kernels this machine can run. Kernels are picked by what the processor and the system
 * say, never by the environment; tests and benchmarks name one explicitly instead.
 */
#include <stdbool.h>

typedef enum {
    CM_CPU_PORTABLE, /* plain C, always there */
    CM_CPU_SHANI,    /* x86-64 SHA extensions with SSE4.1 */
    CM_CPU_AVX2,     /* x86-64, 256-bit integers */
    CM_CPU_AVX512,   /* x86-64, AVX-512 F, BW, DQ and VL */
    CM_CPU_KINDS
} cm_cpu_kind;

/** True if this build holds kernels of that kind and machine and system run them.
 * Constant for the life of the process. Any thread. */
bool cm_cpu_has(cm_cpu_kind kind);

/** True if machine and system run the kernels of CM_CPU_AVX512 with products of 52 bits. */
bool cm_cpu_has_ifma(void);

/** "portable", "sha-ni", "avx2", "avx512"; "unknown" for other numbers. Static. */
const char *cm_cpu_kind_name(cm_cpu_kind kind);

#endif
