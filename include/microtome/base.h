/* microtome/base.h: status codes, errors, element types, limits, reference-counted memory, threads, CPU flags.
 * The lowest layer of the public API; every other header includes it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MICROTOME_BASE_H
#define MICROTOME_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define MTM_API
#else
#define MTM_API __attribute__((visibility("default")))
#endif
#if defined(__GNUC__)
#define MTM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define MTM_PRINTF(fmt, args)
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define MTM_VERSION_MAJOR 0
#define MTM_VERSION_MINOR 1
#define MTM_VERSION_PATCH 0
/* "0.1.0": the version of the library that is linked. */
MTM_API const char *mtm_version(void);

/* ---- status and errors -------------------------------------------------------------------------------- */

typedef enum mtm_status {
    MTM_OK = 0,
    MTM_E_NOMEM = -1,       /* the allocator said no */
    MTM_E_INVAL = -2,       /* the caller's arguments contradict each other or the documented range */
    MTM_E_IO = -3,          /* the operating system refused a read, a write or a mapping */
    MTM_E_CORRUPT = -4,     /* the bytes break their own format */
    MTM_E_UNSUPPORTED = -5, /* well-formed, but not read or written by this version */
    MTM_E_NOTFOUND = -6,    /* no such file, item, operator or key */
    MTM_E_LIMIT = -7,       /* larger than mtm_limits allow */
    MTM_E_CANCELLED = -8,   /* stopped on request */
    MTM_E_CONFLICT = -9,    /* changed by someone else meanwhile, or already there */
    MTM_E_DENIED = -10,     /* no permission */
    MTM_E_DEVICE = -11      /* an accelerator failed */
} mtm_status;

/* Filled by the function that fails, owned by the caller. `offset` is the input byte at fault, or -1;
 * `where` names the file or the part ("t1.nii.gz", "resize"), possibly shortened; `text` is one sentence
 * without a full stop. */
typedef struct mtm_error {
    mtm_status code;
    int64_t offset;
    char where[56];
    char text[232];
} mtm_error;

/* "MTM_E_CORRUPT"; "MTM_?" for a number that is no status. */
MTM_API const char *mtm_status_name(mtm_status s);

/* ---- element types ------------------------------------------------------------------------------------ */

typedef enum mtm_dtype {
    MTM_NONE = 0, /* "not given": let the callee choose */
    MTM_U8,
    MTM_I8,
    MTM_U16,
    MTM_I16,
    MTM_U32,
    MTM_I32,
    MTM_U64,
    MTM_I64,
    MTM_F16,
    MTM_F32,
    MTM_F64,
    MTM_BOOL, /* one byte, 0 or 1 */
    MTM_N_DTYPES
} mtm_dtype;

MTM_API size_t mtm_dtype_size(mtm_dtype t);          /* bytes; 0 for MTM_NONE and numbers that are no dtype */
MTM_API const char *mtm_dtype_name(mtm_dtype t);     /* NumPy's name: "uint8", …, "float32", "bool" */
MTM_API mtm_dtype mtm_dtype_parse(const char *name); /* NumPy's name; MTM_NONE when unknown */
MTM_API bool mtm_dtype_is_integer(mtm_dtype t);      /* BOOL counts as integer */

/* ---- limits ------------------------------------------------------------------------------------------- */

/* What hostile input may make the library allocate or loop over; checked before the allocation. */
typedef struct mtm_limits {
    uint64_t max_bytes;     /* of one decoded image or box; default 64 GiB */
    uint64_t max_expansion; /* decoded bytes per compressed byte; default 1100 (deflate's maximum is 1032) */
    uint64_t max_header_bytes; /* of metadata, extensions included; default 64 MiB */
} mtm_limits;

MTM_API mtm_limits mtm_limits_default(void);

/* ---- reference-counted memory ------------------------------------------------------------------------- */

/* A block of memory, 64-byte aligned and readable 64 bytes past its end. References are counted atomically;
 * any thread may take or drop one. */
typedef struct mtm_buffer mtm_buffer;

MTM_API mtm_status mtm_buffer_new(mtm_buffer **out, size_t size_bytes, mtm_error *err);
/* Adopts foreign memory; release(user) runs when the last reference goes. On failure nothing was adopted. */
MTM_API mtm_status mtm_buffer_wrap(mtm_buffer **out, void *data, size_t size_bytes,
                                   void (*release)(void *user), void *user, mtm_error *err);
MTM_API mtm_buffer *mtm_buffer_ref(mtm_buffer *b); /* returns b; NULL stays NULL */
MTM_API void mtm_buffer_unref(mtm_buffer *b);      /* NULL is allowed */
MTM_API void *mtm_buffer_data(const mtm_buffer *b);
MTM_API size_t mtm_buffer_size(const mtm_buffer *b);

/* Keeps dropped buffers of up to `keep_bytes` in all for the next request of a like size, so that steady
 * state causes no page fault. Thread-safe. Freed only when its last buffer has come home: freeing the handle
 * early is allowed. */
typedef struct mtm_recycler mtm_recycler;

MTM_API mtm_status mtm_recycler_new(mtm_recycler **out, size_t keep_bytes, mtm_error *err);
MTM_API void mtm_recycler_free(mtm_recycler *r);
/* A buffer of at least size_bytes whose contents are undefined. r NULL: as mtm_buffer_new. */
MTM_API mtm_status mtm_recycler_get(mtm_buffer **out, mtm_recycler *r, size_t size_bytes, mtm_error *err);

/* ---- threads ------------------------------------------------------------------------------------------ */

/* A fixed set of worker threads with two bounded queues: computing, and slow I/O (at most half of the
 * threads work on the latter at a time). A thread that waits for tasks helps to run them, so waiting inside
 * a task cannot deadlock. Thread-safe. Not usable in a forked child: calls there return MTM_E_INVAL. */
typedef struct mtm_pool mtm_pool;

/* threads 0: one per CPU that this process may run on. A call that is given a pool of n keeps n threads busy, its own among
 * them. */
MTM_API mtm_status mtm_pool_new(mtm_pool **out, int threads, mtm_error *err);
MTM_API void mtm_pool_free(mtm_pool *p); /* runs what is queued, then joins */
MTM_API int mtm_pool_threads(const mtm_pool *p);

/* ---- CPU ---------------------------------------------------------------------------------------------- */

enum {
    MTM_CPU_AVX2 = 1u << 0,   /* AVX2, FMA, F16C, BMI1, BMI2, LZCNT */
    MTM_CPU_AVX512 = 1u << 1, /* AVX-512 F, BW, CD, DQ, VL (x86-64-v4) */
    MTM_CPU_VBMI2 = 1u << 2   /* AVX-512 VBMI, VBMI2, BITALG, VPOPCNTDQ (Ice Lake, Zen 4) */
};
/* Flags of this CPU, masked by the environment variable MTM_CPU: "0" (plain C), "avx2", "avx512", "vbmi2". */
MTM_API unsigned mtm_cpu_flags(void);

/* ---- random numbers ----------------------------------------------------------------------------------- */

/* Philox 4x32-10 (Salmon et al., SC 2011): a pure function of key and counter. */
MTM_API void mtm_philox(uint64_t key, const uint32_t counter[4], uint32_t out[4]);

#ifdef __cplusplus
}
#endif
#endif
