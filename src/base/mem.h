/* base/mem.h: allocation, and attribute cleanup. Everything the library allocates comes from here, so that a test
 * can make the n-th allocation fail.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_BASE_MEM_H
#define MTM_BASE_MEM_H

#include <stdlib.h>
#include <string.h>

#include "error.h"

/* All give NULL when memory is out; freed by mtm_free. Zero bytes give a valid pointer. */
void *mtm_alloc(size_t size_bytes);
void *mtm_alloc_zero(size_t count, size_t size_bytes); /* product checked */
void *mtm_realloc(void *p, size_t size_bytes);
char *mtm_strdup(const char *s);
/* 64-byte aligned, with 64 readable bytes past the end; from 2 MiB on huge-page aligned and advised. */
void *mtm_alloc_aligned(size_t size_bytes);
void mtm_free(void *p);

/* Raises what a recycler keeps to keep_bytes, once the user knows the sizes; never lowers it. */
void mtm_recycler_keep(mtm_recycler *r, size_t keep_bytes);

#define MTM_NOMEM(err) mtm_fail((err), MTM_E_NOMEM, -1, "out of memory")

/* Test hook: the n-th allocation from now on fails, and all after it (n < 0: none fails). Returns how many
 * allocations were made since the last call. The one mutable global of the library, and atomic. */
MTM_API int64_t mtm_mem_fail_after(int64_t n);

/* MTM_DEFINE_AUTO(nifti_image, nifti_image_free) makes MTM_AUTO(nifti_image) p = NULL; free itself at the end of its
 * scope, and nifti_image_steal(&p) hand it out. */
#define MTM_DEFINE_AUTO(type, free_fn)                                                                       \
    __attribute__((unused)) static inline void type##_auto(type **p)                                         \
    {                                                                                                        \
        if (*p)                                                                                              \
            free_fn(*p);                                                                                     \
    }                                                                                                        \
    __attribute__((unused)) static inline type *type##_steal(type **p)                                       \
    {                                                                                                        \
        type *const t = *p;                                                                                  \
        *p = NULL;                                                                                           \
        return t;                                                                                            \
    }
#define MTM_AUTO(type) __attribute__((cleanup(type##_auto))) type *

/* MTM_AUTO_MEM char *s = NULL; freed with mtm_free at the end of its scope. */
static inline void mtm_mem_auto(void *p)
{
    void *q;

    memcpy(&q, p, sizeof q);
    mtm_free(q);
}
#define MTM_AUTO_MEM __attribute__((cleanup(mtm_mem_auto)))

MTM_DEFINE_AUTO(mtm_buffer, mtm_buffer_unref)
MTM_DEFINE_AUTO(mtm_recycler, mtm_recycler_free)
MTM_DEFINE_AUTO(mtm_pool, mtm_pool_free)

#endif
