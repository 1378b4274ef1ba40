/* op/stats.c: statistics over arrays. The voxels are read in their logical order in blocks of fixed size, so that strides and
 * threads do not change a result.
 * SPDX-License-Identifier: Apache-2.0 */
#include "stats.h"

#include "op/op.h"

#include <math.h>

enum {
    PIECE = 16 * MTM_ROWS_BLOCK, /* voxels of a task */
    SAMPLE = 2048,               /* voxels that tell where percentiles should lie */
    ROOM = PIECE / 4             /* of a task's candidates for one */
};

typedef struct piece_sums {
    mtm_moments all, nonzero;
} piece_sums;

typedef struct job {
    const mtm_kernels *k;
    mtm_rows rows, mask;
    bool masked, nonzero;
    bool sum_all;    /* else those over all follow from those over what is not 0 */
    bool only_range; /* of float32, unmasked: neither mean nor deviation is wanted */
    mtm_dtype as;    /* MTM_F32 where it holds every value, else MTM_F64 */
    piece_sums *sums;
    const mtm_select *select;
    atomic_llong (*counts)[MTM_SELECT_BINS];
    mtm_bracket (*brackets)[2]; /* per task */
} job;

/* One block's values and mask bytes (or NULL). */
typedef struct block {
    const void *x;
    const uint8_t *keep;
    _Alignas(64) double stage[MTM_ROWS_BLOCK];
    _Alignas(64) uint8_t mask[MTM_ROWS_BLOCK];
} block;

static size_t fetch(const job *j, block *b, int64_t at, int64_t end)
{
    const int64_t n = mtm_min_i64(MTM_ROWS_BLOCK, end - at);

    b->x = mtm_rows_fetch(&j->rows, at, n, j->as, b->stage);
    b->keep = j->masked ? mtm_rows_fetch(&j->mask, at, n, MTM_BOOL, b->mask) : NULL;
    return (size_t)n;
}

/* ---- moments ------------------------------------------------------------------------------------------ */

static void add_moments(void *arg, int64_t lo, int64_t hi)
{
    const job *const j = arg;
    const mtm_stats_kernels *const k = &j->k->stats;
    piece_sums *const p = &j->sums[lo / PIECE];
    block b;

    p->all = p->nonzero = mtm_moments_none();
    for (int64_t at = lo; at < hi; at += MTM_ROWS_BLOCK) {
        const size_t n = fetch(j, &b, at, hi);

        if (j->only_range) {
            k->range_f32(&p->all, b.x, n);
            continue;
        }
        if (j->sum_all)
            j->as == MTM_F32 ? k->moments_f32(&p->all, b.x, b.keep, false, n)
                             : k->moments_f64(&p->all, b.x, b.keep, false, n);
        if (j->nonzero)
            j->as == MTM_F32 ? k->moments_f32(&p->nonzero, b.x, b.keep, true, n)
                             : k->moments_f64(&p->nonzero, b.x, b.keep, true, n);
    }
}

static mtm_status moments(mtm_exec *x, job *j, mtm_stats *out, mtm_error *err)
{
    const int64_t pieces = (j->rows.count + PIECE - 1) / PIECE;
    piece_sums total = {mtm_moments_none(), mtm_moments_none()};
    void *sums;
    mtm_status s;

    MTM_TRY(mtm_scratch_borrow(x, (size_t)pieces * sizeof *j->sums, &sums, err));
    j->sums = sums;
    s = mtm_pool_for(x->pool, j->rows.count, PIECE, add_moments, j, x->cancel, err);
    for (int64_t i = 0; !s && i < pieces; i++) {
        mtm_moments_merge(&total.all, &j->sums[i].all);
        mtm_moments_merge(&total.nonzero, &j->sums[i].nonzero);
    }
    mtm_scratch_return(x, sums);
    if (!j->sum_all)
        total.all = mtm_moments_with_zeros(&total.nonzero, j->rows.count);
    mtm_moments_store(out, &total.all, j->nonzero ? &total.nonzero : NULL);
    return s;
}

/* ---- percentiles -------------------------------------------------------------------------------------- */

static void count_digits(void *arg, int64_t lo, int64_t hi)
{
    const job *const j = arg;
    uint32_t counts[MTM_SELECT_RANKS][MTM_SELECT_BINS];
    block b;

    memset(counts, 0, sizeof counts);
    for (int64_t at = lo; at < hi; at += MTM_ROWS_BLOCK) {
        const size_t n = fetch(j, &b, at, hi);

        if (j->as == MTM_F32)
            j->k->select.count_f32(j->select, counts, b.x, b.keep, n);
        else
            j->k->select.count_f64(j->select, counts, b.x, b.keep, n);
    }
    for (int32_t r = 0; r < j->select->n; r++)
        for (int32_t i = 0; i < MTM_SELECT_BINS; i++)
            if (counts[r][i])
                atomic_fetch_add_explicit(&j->counts[r][i], counts[r][i], memory_order_relaxed);
}

/* The values of the given ranks among the finite, kept voxels, digit by digit. */
static mtm_status select_ranks(mtm_exec *x, job *j, int32_t n, const int64_t *ranks, double *values,
                               mtm_error *err)
{
    mtm_select sel = mtm_select_begin(n, ranks, j->as == MTM_F32 ? 32 : 64);
    const size_t bytes = (size_t)n * sizeof *j->counts;
    mtm_status s = MTM_OK;
    void *counts;
    bool more = true;

    MTM_TRY(mtm_scratch_borrow(x, bytes, &counts, err));
    j->select = &sel, j->counts = counts;
    while (more && !s) {
        memset(counts, 0, bytes);
        s = mtm_pool_for(x->pool, j->rows.count, 4 * PIECE, count_digits, j, x->cancel, err);
        more = !s && mtm_select_next(&sel, counts);
    }
    for (int32_t i = 0; i < n; i++)
        values[i] = mtm_select_value(&sel, i);
    mtm_scratch_return(x, counts);
    return s;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Some finite, kept values, spread over the whole picture: one at a scrambled place of each stretch. */
static int32_t draw_sample(const job *j, double *sample)
{
    const int64_t step = j->rows.count / SAMPLE;
    int32_t n = 0;

    for (int64_t i = 0; i < SAMPLE; i++) {
        const int64_t at = i * step + (int64_t)((uint64_t)i * UINT64_C(0x9E3779B97F4A7C15) % (uint64_t)step);
        double v, stage;
        uint8_t keep;

        memcpy(&v, mtm_rows_fetch(&j->rows, at, 1, MTM_F64, &stage), sizeof v);
        if (isfinite(v) && (!j->masked || *(const uint8_t *)mtm_rows_fetch(&j->mask, at, 1, MTM_BOOL, &keep)))
            sample[n++] = v;
    }
    qsort(sample, (size_t)n, sizeof *sample, by_value);
    return n;
}

/* Where rank number `rank` of `count` should lie by the sample, five standard deviations either way. */
static mtm_bracket bracket_at(const double *sample, int32_t n, double rank, double count)
{
    const double p = rank / count, margin = 5 * sqrt(p * (1 - p) * n) + 3;
    const double lo = floor(p * n - margin), hi = ceil(p * n + margin);

    return (mtm_bracket){.lo = lo < 0 ? -INFINITY : sample[(int32_t)lo],
                         .hi = hi >= n ? INFINITY : sample[(int32_t)hi]};
}

static void fill_brackets(void *arg, int64_t lo, int64_t hi)
{
    const job *const j = arg;
    mtm_bracket *const p = j->brackets[lo / PIECE];
    block b;

    for (int64_t at = lo; at < hi; at += MTM_ROWS_BLOCK) {
        const size_t n = fetch(j, &b, at, hi);

        if (j->as == MTM_F32)
            j->k->select.bracket_f32(p, b.x, b.keep, n);
        else
            j->k->select.bracket_f64(p, b.x, b.keep, n);
    }
}

/* The pieces' brackets number `which` as one, their finds put together in the first's; false: some did not fit. */
static bool join_brackets(const job *j, int64_t pieces, int which, mtm_bracket *out)
{
    const size_t size = mtm_dtype_size(j->as);

    *out = j->brackets[0][which];
    for (int64_t i = 0; i < pieces; i++) {
        const mtm_bracket *const p = &j->brackets[i][which];

        if (p->inside > p->room)
            return false;
        if (i == 0)
            continue;
        memmove((char *)out->found + (size_t)out->inside * size, p->found, (size_t)p->inside * size);
        out->below += p->below, out->at_lo += p->at_lo, out->inside += p->inside, out->at_hi += p->at_hi;
    }
    return true;
}

/* Two neighbouring ranks from a bracket; *hit false: one lies outside. */
static mtm_status ranks_in(mtm_exec *x, mtm_dtype as, const mtm_bracket *b, const int64_t rank[2],
                           double v[2], bool *hit, mtm_error *err)
{
    const int64_t first = b->below + b->at_lo, last = first + b->inside;
    const mtm_array found = mtm_array_wrap(b->found, as, 1, &b->inside);
    job j = {.k = &x->kernels, .rows = mtm_rows_over(&x->kernels.convert, &found), .as = as};
    int64_t inner[2];

    *hit = rank[0] >= b->below && rank[1] < last + b->at_hi;
    for (int i = 0; i < 2; i++)
        inner[i] = mtm_clamp_i64(rank[i] - first, 0, b->inside - 1);
    if (*hit && b->inside > 0)
        MTM_TRY(select_ranks(x, &j, 2, inner, v, err));
    for (int i = 0; i < 2; i++)
        v[i] = rank[i] < first ? b->lo : rank[i] >= last ? b->hi : v[i];
    return MTM_OK;
}

/* One pass over the voxels: a sample says where the wanted values should lie, the pass counts what is below and keeps what is
 * near. Exact, because *hit tells whether the sample was right (Floyd and Rivest, Expected time bounds for selection, 1975). */
static mtm_status select_near(mtm_exec *x, job *j, int64_t count, const int64_t rank[4], double v[4],
                              bool *hit, mtm_error *err)
{
    const int64_t pieces = (j->rows.count + PIECE - 1) / PIECE;
    const size_t area = mtm_dtype_size(j->as) * (ROOM + 16), each = 2 * area + sizeof *j->brackets;
    mtm_bracket start[2], whole;
    double sample[SAMPLE];
    void *memory;
    mtm_status s;

    const int32_t n = draw_sample(j, sample);
    *hit = n > SAMPLE / 8;
    if (!*hit)
        return MTM_OK;
    for (int i = 0; i < 2; i++)
        start[i] = bracket_at(sample, n, (double)rank[2 * i], (double)count);
    MTM_TRY(mtm_scratch_borrow(x, (size_t)pieces * each, &memory, err));
    char *found = memory;
    j->brackets = (mtm_bracket(*)[2])(void *)(found + 2 * (size_t)pieces * area);
    for (int64_t i = 0; i < 2 * pieces; i++, found += area) { /* all of bracket 0, then all of bracket 1 */
        mtm_bracket *const b = &j->brackets[i % pieces][i / pieces];
        *b = start[i / pieces], b->found = found, b->room = ROOM;
    }
    s = mtm_pool_for(x->pool, j->rows.count, PIECE, fill_brackets, j, x->cancel, err);
    for (int i = 0; i < 2 && !s && *hit; i++) {
        *hit = join_brackets(j, pieces, i, &whole);
        if (*hit)
            s = ranks_in(x, j->as, &whole, rank + 2 * i, v + 2 * i, hit, err);
    }
    mtm_scratch_return(x, memory);
    return s;
}

/* NumPy's 'linear' method: between the neighbours of rank q/100·(n − 1), and its lerp, which is exact at both ends. */
static mtm_status percentiles(mtm_exec *x, job *j, const double q[2], mtm_stats *out, mtm_error *err)
{
    double part[2], v[4] = {0};
    int64_t rank[4];
    bool hit = false;

    for (int i = 0; i < 2; i++) {
        const double at = q[i] / 100 * (double)(out->count - 1);

        rank[2 * i] = mtm_clamp_i64((int64_t)floor(at), 0, out->count - 1);
        rank[2 * i + 1] = mtm_min_i64(rank[2 * i] + 1, out->count - 1);
        part[i] = at - (double)rank[2 * i];
    }
    if (j->rows.count >= 8 * SAMPLE)
        MTM_TRY(select_near(x, j, out->count, rank, v, &hit, err));
    if (!hit)
        MTM_TRY(select_ranks(x, j, 4, rank, v, err));
    for (int i = 0; i < 2; i++) {
        const double a = v[2 * i], b = v[2 * i + 1], t = part[i];

        out->percentile[i] = t < 0.5 ? a + (b - a) * t : b - (b - a) * (1 - t);
    }
    return MTM_OK;
}

/* ---- the entry ---------------------------------------------------------------------------------------- */

static job job_over(const mtm_exec *x, const mtm_array *part, const mtm_array *mask)
{
    job j = {.k = &x->kernels,
             .rows = mtm_rows_over(&x->kernels.convert, part),
             .masked = mask != NULL,
             .as = x->kernels.convert.to_f32[part->dtype] ? MTM_F32 : MTM_F64};

    if (mask) {
        j.mask = mtm_rows_over(&x->kernels.convert, mask);
        if (mtm_dtype_size(mask->dtype) == 1)
            j.mask.dtype = MTM_BOOL; /* any byte but 0 keeps: nothing to convert */
    }
    return j;
}

/* What is counted first; flags: MTM_STAT_… of the sums that are wanted. */
static mtm_status count_of(mtm_exec *x, job *j, uint32_t flags, mtm_stats *out, mtm_error *err)
{
    j->nonzero = flags & MTM_STAT_NONZERO;
    j->sum_all = j->masked || !j->nonzero;
    j->only_range = j->as == MTM_F32 && !j->masked && !(flags & (MTM_STAT_MOMENTS | MTM_STAT_NONZERO));
    *out = (mtm_stats){0};
    if (j->rows.count == 0)
        return MTM_OK;
    MTM_TRY(moments(x, j, out, err));
    if (out->count == 0 && out->non_finite > 0)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "statistics of nothing: all %" PRId64 " voxels are NaN or infinite", out->non_finite);
    return MTM_OK;
}

static mtm_status stats_of(mtm_exec *x, const mtm_array *part, const mtm_array *mask,
                           const mtm_stats_request *r, mtm_stats *out, mtm_error *err)
{
    job j = job_over(x, part, mask);

    MTM_TRY(count_of(x, &j, r->flags, out, err));
    if ((r->flags & MTM_STAT_PERCENTILES) && out->count > 0)
        MTM_TRY(percentiles(x, &j, r->q, out, err));
    return MTM_OK;
}

/* The mask's last axes are the picture's `spatial` last ones, behind none or one for channels. */
static bool mask_fits(const mtm_array *mask, const mtm_array *in, int32_t spatial)
{
    const int32_t lead = mask->ndim - spatial;

    if (lead < 0 || lead > 1 || (lead == 1 && mask->shape[0] != 1 && mask->shape[0] != in->shape[0]))
        return false;
    for (int32_t i = 0; i < spatial; i++)
        if (mask->shape[lead + i] != in->shape[4 - spatial + i])
            return false;
    return true;
}

/* The mask as a view of the picture's shape: a missing or single channel is repeated; of one plane, Z may be missing. */
static mtm_status fit_mask(mtm_array *view, const mtm_array *mask, const mtm_array *in, mtm_error *err)
{
    const int32_t spatial = mask_fits(mask, in, 3) ? 3 : 2, lead = mask->ndim - spatial;

    if (spatial == 2 && (in->shape[1] != 1 || !mask_fits(mask, in, 2)))
        return mtm_fail(err, MTM_E_INVAL, -1, "the mask does not have the picture's shape");
    *view = *in;
    view->data = mask->data, view->dtype = mask->dtype, view->owner = NULL;
    view->stride[0] = lead && mask->shape[0] > 1 ? mask->stride[0] : 0;
    view->stride[1] = 0;
    for (int32_t i = 0; i < spatial; i++)
        view->stride[4 - spatial + i] = mask->stride[lead + i];
    return MTM_OK;
}

/* Channel c of a [C, Z, Y, X] view. */
static mtm_array channel_of(const mtm_array *a, int64_t c)
{
    mtm_array v = *a;

    v.shape[0] = 1, v.owner = NULL;
    v.data = (char *)v.data + c * v.stride[0];
    return v;
}

mtm_status mtm_op_stats(mtm_exec *x, const mtm_array *in, const mtm_stats_request *r, mtm_stats *out,
                        mtm_error *err)
{
    mtm_array mask;

    if (in->ndim != 4)
        return mtm_fail(err, MTM_E_INVAL, -1, "statistics want [C, Z, Y, X], not %d axes", in->ndim);
    if ((r->flags & MTM_STAT_PERCENTILES) &&
        !(r->q[0] >= 0 && r->q[0] <= 100 && r->q[1] >= 0 && r->q[1] <= 100))
        return mtm_fail(err, MTM_E_INVAL, -1, "percentiles lie in 0 … 100, not %g and %g", r->q[0], r->q[1]);
    if (r->mask)
        MTM_TRY(fit_mask(&mask, r->mask, in, err));
    if (!(r->flags & MTM_STAT_CHANNELS))
        return stats_of(x, in, r->mask ? &mask : NULL, r, out, err);
    for (int64_t c = 0; c < in->shape[0]; c++) {
        const mtm_array part = channel_of(in, c), keep = r->mask ? channel_of(&mask, c) : part;

        MTM_TRY(stats_of(x, &part, r->mask ? &keep : NULL, r, &out[c], err));
    }
    return MTM_OK;
}

mtm_status mtm_op_percentiles(mtm_exec *x, const mtm_array *in, const mtm_array *mask, const double *q,
                              int32_t n, double *out, mtm_error *err)
{
    mtm_array keep;
    mtm_stats st;
    job j;

    if (mask)
        MTM_TRY(fit_mask(&keep, mask, in, err));
    j = job_over(x, in, mask ? &keep : NULL);
    MTM_TRY(count_of(x, &j, 0, &st, err));
    if (st.count == 0)
        return mtm_fail(err, MTM_E_INVAL, -1, mask ? "the mask is 0 everywhere" : "the image is empty");
    for (int32_t i = 0; i < n; i += 2) { /* two of them share a pass */
        const double two[2] = {q[i], q[i + 1 < n ? i + 1 : i]};

        MTM_TRY(percentiles(x, &j, two, &st, err));
        out[i] = st.percentile[0];
        if (i + 1 < n)
            out[i + 1] = st.percentile[1];
    }
    return MTM_OK;
}

mtm_status mtm_percentiles(mtm_exec *x, const mtm_array *in, const mtm_array *mask, const double *q,
                           int32_t n, double *out, mtm_error *err)
{
    mtm_array view, keep;
    mtm_spec ignored;

    MTM_TRY(mtm_op_canonical(&view, &ignored, in, in->ndim == 4, err));
    if (mask) {
        bool fits = mask->ndim == in->ndim;

        for (int32_t i = 0; fits && i < in->ndim; i++)
            fits = mask->shape[i] == in->shape[i];
        if (!fits)
            return mtm_fail(err, MTM_E_INVAL, -1, "the mask does not have the picture's shape");
        MTM_TRY(mtm_op_canonical(&keep, &ignored, mask, in->ndim == 4, err));
    }
    for (int32_t i = 0; i < n; i++)
        if (!(q[i] >= 0 && q[i] <= 100))
            return mtm_fail(err, MTM_E_INVAL, -1, "percentiles lie in 0 … 100, not %g", q[i]);
    return mtm_op_percentiles(x, &view, mask ? &keep : NULL, q, n, out, err);
}
