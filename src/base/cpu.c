/* base/cpu.c: which instruction sets may be used.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "microtome/base.h"

static const unsigned KNOWN = 1u << 31; /* none of MTM_CPU_… */

#if defined(__x86_64__)
/* The instructions of x86-64-v3 and v4 that the variants are compiled with, by names that gcc 12 and clang 14 both know;
 * they know none for F16C and LZCNT. */
static bool has_v3(void)
{
    unsigned a, b, c, d;

    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt") &&
           __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C) && __get_cpuid(0x80000001, &a, &b, &c, &d) &&
           (c & bit_LZCNT);
}

static bool has_v4(void)
{
    return has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

static bool has_vbmi2(void)
{
    return has_v4() && __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") &&
           __builtin_cpu_supports("avx512bitalg") && __builtin_cpu_supports("avx512vpopcntdq");
}
#endif

/* The processor does not change: it is asked once, since a virtual machine traps every CPUID, microseconds each. */
static unsigned detected(void)
{
    static _Atomic unsigned known; /* the flags and KNOWN; whoever comes first finds the same as all others */
    const unsigned before = atomic_load_explicit(&known, memory_order_relaxed);
    unsigned flags = 0;

    if (before)
        return before & ~KNOWN;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (has_v3())
        flags |= MTM_CPU_AVX2;
    if (has_v4())
        flags |= MTM_CPU_AVX512;
    if (has_vbmi2())
        flags |= MTM_CPU_VBMI2;
#endif
    atomic_store_explicit(&known, flags | KNOWN, memory_order_relaxed);
    return flags;
}

unsigned mtm_cpu_flags(void)
{
    const char *const mask = getenv("MTM_CPU");

    if (mask && !strcmp(mask, "0"))
        return 0;
    if (mask && !strcmp(mask, "avx2"))
        return detected() & MTM_CPU_AVX2;
    if (mask && !strcmp(mask, "avx512"))
        return detected() & (MTM_CPU_AVX2 | MTM_CPU_AVX512);
    return detected();
}
