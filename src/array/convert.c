/* array/convert.c: arrays of any strides from one type and memory order to another, in one pass over both.
 * Axes are sorted by the destination's strides and merged where both sides allow. If the source is then contiguous along
 * the innermost axis, rows are converted; if along another one, tiles are transposed on the way.
 * SPDX-License-Identifier: Apache-2.0 */
#include "array.h"

enum {
    CHUNK = 4096,          /* elements of a row that are converted at a time */
    LINE_BYTES = 512,      /* of a source line in a tile: whole cache lines, enough of them to prefetch */
    TILE_BYTES = 64 << 10, /* of a transposed tile */
    PIECE = 1 << 16,       /* elements of a task, about */
    MOST_PIECES = 4096,
    PREFETCH_ITEMS = 8,  /* rows ahead of the one that is converted: about the latency of memory */
    PREFETCH_MOST = 1024 /* bytes of a row */
};

typedef struct job {
    const mtm_convert_kernels *k;
    const mtm_stats_kernels *stats;
    mtm_conversion c;
    int32_t ndim; /* ≥ 1; the destination's innermost axis is the last */
    int64_t shape[MTM_MAX_DIMS], dst_stride[MTM_MAX_DIMS], src_stride[MTM_MAX_DIMS];
    char *dst;
    const char *src;
    int64_t src_size, dst_size; /* bytes of an element */
    int32_t across;             /* axis along which the source is contiguous, or −1: rows */
    int64_t step[MTM_MAX_DIMS]; /* extents of one item along each axis */
    int64_t grain;              /* items of a task */
    mtm_moments *sums;          /* per task, of the numbers that are not 0; or NULL */
    /* Rows need this call and no other; or NULL. */
    void (*direct)(float *dst, const void *src, size_t n, float slope, float inter);
    bool moves;      /* elements stay as they are */
    bool moves_rows; /* and rows are whole and contiguous, forwards or backwards in the source */
    atomic_bool nan; /* a NaN met an integer */
} job;

/* ---- the plan ----------------------------------------------------------------------------------------- */

static void swap_axes(job *j, int32_t a, int32_t b)
{
    const int64_t n = j->shape[a], d = j->dst_stride[a], s = j->src_stride[a];

    j->shape[a] = j->shape[b], j->dst_stride[a] = j->dst_stride[b], j->src_stride[a] = j->src_stride[b];
    j->shape[b] = n, j->dst_stride[b] = d, j->src_stride[b] = s;
}

/* Runs axis i backwards on both sides. */
static void flip_axis(job *j, int32_t i)
{
    j->dst += (j->shape[i] - 1) * j->dst_stride[i], j->src += (j->shape[i] - 1) * j->src_stride[i];
    j->dst_stride[i] = -j->dst_stride[i], j->src_stride[i] = -j->src_stride[i];
}

static void collapse(job *j, const mtm_array *dst, const mtm_array *src)
{
    int32_t n = 0;

    for (int32_t i = 0; i < dst->ndim; i++)
        if (dst->shape[i] > 1) {
            j->shape[n] = dst->shape[i];
            j->dst_stride[n] = dst->stride[i], j->src_stride[n] = src->stride[i];
            if (dst->stride[i] < 0)
                flip_axis(j, n);
            n++;
        }
    for (int32_t i = 1; i < n; i++) /* outermost first; stable, at most eight */
        for (int32_t k = i; k > 0 && j->dst_stride[k] > j->dst_stride[k - 1]; k--)
            swap_axes(j, k, k - 1);
    j->ndim = n > 0;
    for (int32_t i = 1; i < n; i++) {
        const int32_t last = j->ndim - 1;

        if (j->dst_stride[last] == j->dst_stride[i] * j->shape[i] &&
            j->src_stride[last] == j->src_stride[i] * j->shape[i]) {
            j->shape[last] *= j->shape[i];
            j->dst_stride[last] = j->dst_stride[i], j->src_stride[last] = j->src_stride[i];
        } else {
            swap_axes(j, j->ndim++, i);
        }
    }
    if (n == 0)
        j->ndim = 1, j->shape[0] = 1, j->dst_stride[0] = j->dst_size, j->src_stride[0] = j->src_size;
}

/* Rows or tiles, and how large an item is along each axis. */
static void plan(job *j)
{
    const int32_t last = j->ndim - 1;

    j->across = -1;
    for (int32_t i = 0; i < j->ndim; i++)
        j->step[i] = 1;
    if (j->src_stride[last] != j->src_size && j->dst_stride[last] == j->dst_size)
        for (int32_t i = 0; i < last; i++)
            if (j->src_stride[i] == j->src_size || j->src_stride[i] == -j->src_size)
                j->across = i;
    if (j->across < 0) {
        j->step[last] = 4 * CHUNK;
        return;
    }
    if (j->src_stride[j->across] < 0)
        flip_axis(j, j->across);
    j->step[j->across] = LINE_BYTES / j->src_size;
    j->step[last] = TILE_BYTES / LINE_BYTES;
}

static int64_t items_along(const job *j, int32_t i)
{
    return (j->shape[i] - 1) / j->step[i] + 1;
}

/* ---- the work ----------------------------------------------------------------------------------------- */

/* Statistics of n converted, contiguous numbers while they are hot. Zeros add nothing: see run(). */
static void add_stats(const job *j, mtm_moments *p, const void *x, size_t n)
{
    const mtm_conversion c = {.src = j->c.dst, .dst = MTM_F32, .slope = 1};

    if (j->c.dst == MTM_F32 || j->k->to_f32[j->c.dst]) {
        float stage[CHUNK];

        if (j->c.dst != MTM_F32) {
            mtm_convert_row(j->k, &c, stage, x, n);
            x = stage;
        }
        j->stats->moments_f32(p, x, NULL, true, n);
    } else {
        double stage[CHUNK];

        j->k->to_f64[j->c.dst](stage, x, n, 1, -0.0);
        j->stats->moments_f64(p, stage, NULL, true, n);
    }
}

/* Files and foreign arrays put numbers at any byte; the kernels want each aligned to its size. */
static bool loose(const void *p, int64_t stride, int64_t size, size_t n)
{
    return (stride != size && n > 1) || (uintptr_t)p % (uintptr_t)size;
}

/* n elements, at any strides, n ≤ CHUNK. */
static bool convert_chunk(const job *j, mtm_moments *p, char *dst, int64_t dst_stride, const char *src,
                          int64_t src_stride, size_t n)
{
    _Alignas(64) uint64_t in[CHUNK], out[CHUNK];
    const bool scattered = loose(dst, dst_stride, j->dst_size, n);
    void *const to = scattered ? (void *)out : dst;
    bool good;

    if (loose(src, src_stride, j->src_size, n) && j->moves && !scattered && !p) {
        j->k->gather[mtm_convert_log2(j->c.src)](dst, src, (ptrdiff_t)src_stride, n);
        return true;
    }
    if (loose(src, src_stride, j->src_size, n)) {
        j->k->gather[mtm_convert_log2(j->c.src)](in, src, (ptrdiff_t)src_stride, n);
        src = (const char *)in;
    }
    good = mtm_convert_row(j->k, &j->c, to, src, n);
    if (p)
        add_stats(j, p, to, n);
    if (scattered)
        j->k->scatter[mtm_convert_log2(j->c.dst)](dst, (ptrdiff_t)dst_stride, out, n);
    return good;
}

static bool convert_rows(const job *j, mtm_moments *p, char *dst, const char *src, int64_t n)
{
    const int64_t ds = j->dst_stride[j->ndim - 1], ss = j->src_stride[j->ndim - 1];
    bool good = true;

    for (int64_t i = 0; i < n; i += CHUNK)
        good &= convert_chunk(j, p, dst + i * ds, ds, src + i * ss, ss, (size_t)mtm_min_i64(CHUNK, n - i));
    return good;
}

static bool convert_tile(const job *j, mtm_moments *p, char *dst, const char *src, int64_t rows, int64_t cols)
{
    _Alignas(64) char tile[TILE_BYTES];
    const int64_t width = cols * j->src_size;
    bool good = true;

    j->k->transpose[mtm_convert_log2(j->c.src)](
        tile, (ptrdiff_t)width, src, (ptrdiff_t)j->src_stride[j->ndim - 1], (size_t)rows, (size_t)cols);
    for (int64_t r = 0; r < rows; r++)
        good &= convert_chunk(j, p, dst + r * j->dst_stride[j->across], j->dst_size, tile + r * width,
                              j->src_size, (size_t)cols);
    return good;
}

/* Where an item begins. */
typedef struct place {
    const char *src;
    char *dst;
    int64_t at[MTM_MAX_DIMS];
} place;

/* Items count through the axes like voxels do, the last axis fastest. */
static place place_of(const job *j, int64_t item)
{
    place p = {.src = j->src, .dst = j->dst};

    for (int32_t i = j->ndim - 1; i >= 0; i--) {
        const int64_t n = items_along(j, i);

        p.at[i] = item % n * j->step[i];
        p.src += p.at[i] * j->src_stride[i], p.dst += p.at[i] * j->dst_stride[i];
        item /= n;
    }
    return p;
}

/* The next item, without a division: for short rows those would cost more than the conversion. After the last item, the
 * first. */
static void place_next(const job *j, place *p)
{
    for (int32_t i = j->ndim - 1; i >= 0; i--) {
        p->at[i] += j->step[i];
        p->src += j->step[i] * j->src_stride[i], p->dst += j->step[i] * j->dst_stride[i];
        if (p->at[i] < j->shape[i])
            return;
        p->src -= p->at[i] * j->src_stride[i], p->dst -= p->at[i] * j->dst_stride[i];
        p->at[i] = 0;
    }
}

/* Bytes of a contiguous source row that is worth asking for early; 0: the hardware sees the stream by itself. */
static int64_t prefetch_bytes(const job *j)
{
    const int32_t last = j->ndim - 1;
    const int64_t bytes = mtm_min_i64(j->step[last], j->shape[last]) * j->src_size;
    const bool rows =
        j->across < 0 && (j->src_stride[last] == j->src_size || j->src_stride[last] == -j->src_size);

    return rows && bytes <= PREFETCH_MOST ? bytes : 0;
}

/* The conversion of every row when it is one step from place to place: to float32, without byte order, staging or
 * statistics. Short rows then cost what the numbers cost. */
static void choose_direct(job *j)
{
    const int32_t last = j->ndim - 1;
    const bool copy = j->c.src == MTM_F32 && j->c.slope == 1 && j->c.inter == 0;
    bool aligned =
        (uintptr_t)j->dst % (uintptr_t)j->dst_size == 0 && (uintptr_t)j->src % (uintptr_t)j->src_size == 0;

    for (int32_t i = 0; i < j->ndim; i++)
        aligned &= j->dst_stride[i] % j->dst_size == 0 && j->src_stride[i] % j->src_size == 0;
    if (aligned && !copy && !j->sums && !j->c.swap && j->c.dst == MTM_F32 && j->across < 0 && last > 0 &&
        j->shape[last] <= j->step[last] && j->src_stride[last] == j->src_size &&
        j->dst_stride[last] == j->dst_size)
        j->direct = j->k->to_f32[j->c.src];
    j->moves_rows = j->moves && !j->sums && j->across < 0 && last > 0 && j->shape[last] <= j->step[last] &&
                    llabs(j->src_stride[last]) == j->src_size && j->dst_stride[last] == j->dst_size;
}

/* A row of work_direct: n elements, from src on or, where the picture is flipped, backwards from it. */
static void direct_row(const job *j, char *dst, const char *src, size_t n)
{
    const int64_t stride = j->src_stride[j->ndim - 1];

    if (j->direct)
        j->direct((float *)(void *)dst, src, n, (float)j->c.slope, (float)mtm_convert_inter(&j->c));
    else if (stride > 0)
        j->k->copy(dst, src, n * (size_t)j->src_size);
    else
        j->k->gather[mtm_convert_log2(j->c.src)](dst, src, (ptrdiff_t)stride, n);
}

/* Rows [lo, hi) by one call each, in runs along the axis outside of them. While a run ends, rows of the next one are
 * asked for. */
static void work_direct(void *arg, int64_t lo, int64_t hi)
{
    const job *const j = arg;
    const int32_t outer = j->ndim - 2;
    const int64_t prefetch = hi - lo > PREFETCH_ITEMS ? prefetch_bytes(j) : 0, n = j->shape[outer];
    const int64_t src_stride = j->src_stride[outer], dst_stride = j->dst_stride[outer];
    const int64_t width = j->shape[outer + 1];
    const int64_t low = mtm_min_i64((width - 1) * j->src_stride[outer + 1], 0); /* of a row's first byte */
    place now = place_of(j, lo);

    while (lo < hi) {
        const int64_t run = mtm_min_i64(n - now.at[outer], hi - lo);
        const char *src = now.src;
        char *dst = now.dst;

        now.at[outer] += run - 1; /* to where the next run begins */
        now.src += (run - 1) * src_stride, now.dst += (run - 1) * dst_stride;
        place_next(j, &now);
        for (int64_t i = 0; i < run; i++, src += src_stride, dst += dst_stride) {
            const int64_t k = i + PREFETCH_ITEMS - run;
            const char *const ahead =
                (k < 0 ? src + PREFETCH_ITEMS * src_stride : now.src + k * src_stride) + low;

            for (int64_t b = 0; b < prefetch; b += 64)
                __builtin_prefetch(ahead + b);
            if (prefetch) /* a row seldom begins where a cache line does */
                __builtin_prefetch(ahead + prefetch - 1);
            direct_row(j, dst, src, (size_t)width);
        }
        lo += run;
    }
}

/* Items [lo, hi): one task. */
static void work(void *arg, int64_t lo, int64_t hi)
{
    job *const j = arg;
    const int32_t last = j->ndim - 1;
    const int64_t prefetch = hi - lo > PREFETCH_ITEMS ? prefetch_bytes(j) : 0;
    mtm_moments *const p = j->sums ? &j->sums[lo / j->grain] : NULL;
    place now = place_of(j, lo), ahead = now;
    bool good = true;

    for (int i = 0; i < PREFETCH_ITEMS && prefetch; i++)
        place_next(j, &ahead);
    for (int64_t item = lo; item < hi; item++, place_next(j, &now)) {
        for (int64_t b = 0; b < prefetch; b += 64) /* a row that runs backwards ends where it begins */
            __builtin_prefetch(ahead.src + (j->src_stride[last] < 0 ? -b : b));
        if (prefetch)
            place_next(j, &ahead);
        if (j->across < 0)
            good &= convert_rows(j, p, now.dst, now.src,
                                 mtm_min_i64(j->step[last], j->shape[last] - now.at[last]));
        else
            good &= convert_tile(j, p, now.dst, now.src,
                                 mtm_min_i64(j->step[j->across], j->shape[j->across] - now.at[j->across]),
                                 mtm_min_i64(j->step[last], j->shape[last] - now.at[last]));
    }
    if (!good)
        atomic_store_explicit(&j->nan, true, memory_order_relaxed);
}

/* ---- the entry ---------------------------------------------------------------------------------------- */

static mtm_status check(const mtm_array *dst, const mtm_array *src, mtm_error *err)
{
    if (!mtm_dtype_size(dst->dtype) || !mtm_dtype_size(src->dtype))
        return mtm_fail(err, MTM_E_INVAL, -1, "not an array: dtypes %d and %d", src->dtype, dst->dtype);
    if (dst->ndim != src->ndim || dst->ndim < 0 || dst->ndim > MTM_MAX_DIMS)
        return mtm_fail(err, MTM_E_INVAL, -1, "arrays of %d and %d axes do not fit each other", src->ndim,
                        dst->ndim);
    for (int32_t i = 0; i < dst->ndim; i++) {
        if (dst->shape[i] != src->shape[i] || dst->shape[i] < 0)
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "axis %d has extent %" PRId64 " in one and %" PRId64 " in the other", i,
                            src->shape[i], dst->shape[i]);
        if (dst->shape[i] > 1 && dst->stride[i] == 0)
            return mtm_fail(err, MTM_E_INVAL, -1, "the destination repeats one place along axis %d", i);
    }
    return MTM_OK;
}

/* Runs the items, with one set of sums per task when statistics are wanted. */
static mtm_status run(job *j, int64_t items, int64_t elements, mtm_stats *st, mtm_pool *pool, mtm_error *err)
{
    const int64_t per_item = mtm_max_i64(1, elements / items);
    MTM_AUTO_MEM mtm_moments *sums = NULL;
    int64_t pieces;

    j->grain = mtm_max_i64(1, PIECE / per_item);
    j->grain = mtm_max_i64(j->grain, (items - 1) / MOST_PIECES + 1);
    pieces = (items - 1) / j->grain + 1;
    if (st) {
        sums = mtm_alloc((size_t)pieces * sizeof *sums);
        if (!sums)
            return MTM_NOMEM(err);
        for (int64_t i = 0; i < pieces; i++)
            sums[i] = mtm_moments_none();
    }
    j->sums = sums;
    choose_direct(j);
    MTM_TRY(
        mtm_pool_for(pool, items, j->grain, j->direct || j->moves_rows ? work_direct : work, j, NULL, err));
    if (atomic_load(&j->nan))
        return mtm_fail(err, MTM_E_INVAL, -1, "NaN cannot be converted to %s", mtm_dtype_name(j->c.dst));
    for (int64_t i = 1; st && i < pieces; i++)
        mtm_moments_merge(&sums[0], &sums[i]);
    if (st) {
        const mtm_moments all = mtm_moments_with_zeros(&sums[0], elements);

        *st = (mtm_stats){0};
        mtm_moments_store(st, &all, &sums[0]);
    }
    return MTM_OK;
}

mtm_status mtm_array_convert_stats(mtm_array *dst, const mtm_array *src, double slope, double inter,
                                   bool swap, mtm_stats *st, mtm_pool *pool, mtm_error *err)
{
    const int64_t elements = mtm_array_count(dst);
    const unsigned cpu = mtm_cpu_flags();
    mtm_convert_kernels k;
    mtm_stats_kernels stats;
    int64_t items = 1;

    MTM_TRY(check(dst, src, err));
    if (elements == 0) {
        if (st)
            *st = (mtm_stats){0};
        return MTM_OK;
    }
    mtm_convert_kernels_init(&k, cpu);
    mtm_stats_kernels_init(&stats, cpu);
    job j = {.k = &k,
             .stats = &stats,
             .c = {src->dtype, dst->dtype, swap, slope, inter},
             .moves = src->dtype == dst->dtype && slope == 1 && inter == 0 && !swap,
             .dst = dst->data,
             .src = src->data,
             .src_size = (int64_t)mtm_dtype_size(src->dtype),
             .dst_size = (int64_t)mtm_dtype_size(dst->dtype)};
    collapse(&j, dst, src);
    plan(&j);
    for (int32_t i = 0; i < j.ndim; i++)
        items *= items_along(&j, i);
    return run(&j, items, elements, st, pool, err);
}

mtm_status mtm_array_convert(mtm_array *dst, const mtm_array *src, double slope, double inter, mtm_pool *pool,
                             mtm_error *err)
{
    return mtm_array_convert_stats(dst, src, slope, inter, false, NULL, pool, err);
}
