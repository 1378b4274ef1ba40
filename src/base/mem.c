/* base/mem.c: allocation with a failing mode.
 * SPDX-License-Identifier: Apache-2.0 */
#include "mem.h"

#include <stdatomic.h>
#include <sys/mman.h>

enum { ALIGN = 64, PAD = 64 };
static const size_t HUGE_PAGE = (size_t)2 << 20;

static atomic_llong fail_in = -1; /* allocations left before the first failure; negative: never */
static atomic_llong made;

int64_t mtm_mem_fail_after(int64_t n)
{
    atomic_store(&fail_in, n);
    return atomic_exchange(&made, 0);
}

static bool refused(void)
{
    atomic_fetch_add_explicit(&made, 1, memory_order_relaxed);
    if (atomic_load_explicit(&fail_in, memory_order_relaxed) < 0)
        return false;
    if (atomic_fetch_sub(&fail_in, 1) > 0)
        return false;
    atomic_store(&fail_in, 0); /* stays at "fail now" */
    return true;
}

void *mtm_alloc(size_t size_bytes)
{
    return refused() ? NULL : malloc(size_bytes ? size_bytes : 1);
}

void *mtm_alloc_zero(size_t count, size_t size_bytes)
{
    return refused() ? NULL : calloc(count ? count : 1, size_bytes ? size_bytes : 1);
}

void *mtm_realloc(void *p, size_t size_bytes)
{
    return refused() ? NULL : realloc(p, size_bytes ? size_bytes : 1);
}

char *mtm_strdup(const char *s)
{
    const size_t n = strlen(s) + 1;
    char *const t = mtm_alloc(n);

    return t ? memcpy(t, s, n) : NULL;
}

void *mtm_alloc_aligned(size_t size_bytes)
{
    const size_t align = size_bytes >= HUGE_PAGE ? HUGE_PAGE : ALIGN;
    void *p = NULL;

    if (size_bytes > SIZE_MAX - PAD || refused() || posix_memalign(&p, align, size_bytes + PAD))
        return NULL;
#ifdef MADV_HUGEPAGE
    if (align == HUGE_PAGE)
        madvise(p, size_bytes & ~(HUGE_PAGE - 1), MADV_HUGEPAGE);
#endif
    return p;
}

void mtm_free(void *p)
{
    free(p);
}
