/* base/cpu.c: which instruction sets may be used.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "microtome/base.h"

static unsigned detected(void)
{
    unsigned flags = 0;

#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("x86-64-v3"))
        flags |= MTM_CPU_AVX2;
    if (__builtin_cpu_supports("x86-64-v4"))
        flags |= MTM_CPU_AVX512;
#endif
    return flags;
}

unsigned mtm_cpu_flags(void)
{
    const char *const mask = getenv("MTM_CPU");

    if (mask && !strcmp(mask, "0"))
        return 0;
    if (mask && !strcmp(mask, "avx2"))
        return detected() & MTM_CPU_AVX2;
    return detected();
}
