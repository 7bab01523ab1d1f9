#include "crypt/cpu.h"

#include <pthread.h>
#include <stdint.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool has[CM_CPU_KINDS], ifma;

#if defined(__x86_64__)
#include <cpuid.h>

/* Bits of XCR0 that say which registers the system saves: xmm and ymm; also k, zmm high halves. */
#define XCR0_YMM 0x06u
#define XCR0_ZMM 0xe6u

static uint64_t read_xcr0(void)
{
    uint32_t lo, hi;

    __asm__("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

static void detect(void)
{
    const uint32_t avx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    uint32_t a, b, c, d, c1;
    uint64_t xcr0;

    has[CM_CPU_PORTABLE] = true;
    if (__get_cpuid(1, &a, &b, &c1, &d) == 0 || __get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) {
        return;
    }
    xcr0 = (c1 & bit_OSXSAVE) != 0 ? read_xcr0() : 0;
    has[CM_CPU_SHANI] = (b & bit_SHA) != 0 && (c1 & bit_SSE4_1) != 0 && (c1 & bit_SSSE3) != 0;
    has[CM_CPU_AVX2] = (b & bit_AVX2) != 0 && (xcr0 & XCR0_YMM) == XCR0_YMM;
    has[CM_CPU_AVX512] = (b & avx512) == avx512 && (xcr0 & XCR0_ZMM) == XCR0_ZMM;
    ifma = has[CM_CPU_AVX512] && (b & bit_AVX512IFMA) != 0;
}
#else
static void detect(void)
{
    has[CM_CPU_PORTABLE] = true;
}
#endif

bool cm_cpu_has(cm_cpu_kind kind)
{
    (void)pthread_once(&once, detect);
    return (unsigned)kind < CM_CPU_KINDS && has[kind];
}

bool cm_cpu_has_ifma(void)
{
    (void)pthread_once(&once, detect);
    return ifma;
}

const char *cm_cpu_kind_name(cm_cpu_kind kind)
{
    static const char *const names[CM_CPU_KINDS] = {"portable", "sha-ni", "avx2", "avx512"};

    return (unsigned)kind < CM_CPU_KINDS ? names[kind] : "unknown";
}
