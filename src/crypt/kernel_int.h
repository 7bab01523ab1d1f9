#ifndef CM_CRYPT_KERNEL_INT_H
#define CM_CRYPT_KERNEL_INT_H
/* What the kernels share. */

#define INLINE static inline __attribute__((always_inline))

/* Before a loop whose indices must be constants, so that its arrays live in registers. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 64")
#endif

#endif
