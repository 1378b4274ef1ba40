/* op/intensity/fourier_volume.c: a whole channel's spectrum, one plane of it at a time: transforms along y of pairs of real
 * lines, half of their frequencies kept; then for each of these a plane of (z, x), finished while it is in cache; then back
 * along y. Lines outside the sphere are neither made nor transformed.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "op/intensity/fourier.h"
#include "op/intensity/fourier_parts.h"

enum { LANES = MTM_FFT_LANES, POINT = MTM_FFT_FLOATS };

typedef struct volume_job {
    const mtm_fft_kernels *kernels;
    mtm_fft_plan y, z, x;
    void *plans[3];
    const char *in;                      /* one channel */
    char *out;                           /* NULL: only the peak is wanted */
    int64_t in_stride[2], out_stride[2]; /* z, y, bytes */
    int64_t kept, blocks;                /* frequencies of y that are kept; points per row of `half` */
    double radius2;
    float *half;         /* [kept][z][blocks][POINT]: twice the transform along y */
    double *peaks;       /* [kept], squared, of `half` */
    fourier_parts parts; /* points, then the transform's scratch */
} volume_job;

static int64_t longest(const volume_job *j)
{
    return mtm_max_i64(j->y.n, mtm_max_i64(j->z.n, j->x.n));
}

static float *half_row(const volume_job *j, int64_t ky, int64_t z)
{
    return j->half + (ky * j->z.n + z) * j->blocks * POINT;
}

static int64_t magnitude(const mtm_fft_plan *p, int64_t position)
{
    const int64_t f = p->frequency[position];

    return mtm_min_i64(f, p->n - f);
}

/* ---- along y ---------------------------------------------------------------------------------------------- */

/* Planes z, lo … hi − 1: two blocks of x at a time as real and imaginary parts. */
static void y_forward(void *arg, int64_t lo, int64_t hi)
{
    volume_job *const j = arg;
    float *const points = fourier_part_take(&j->parts), *const scratch = points + longest(j) * POINT;

    for (int64_t z = lo; z < hi; z++)
        for (int64_t b = 0; b < j->blocks; b += 2) {
            const int64_t x = b * LANES, n = mtm_min_i64(POINT, j->x.n - x);

            for (int64_t y = 0; y < j->y.n; y++) {
                memcpy(points + y * POINT, j->in + z * j->in_stride[0] + y * j->in_stride[1] + x * 4,
                       (size_t)n * sizeof *points);
                memset(points + y * POINT + n, 0, (size_t)(POINT - n) * sizeof *points);
            }
            j->kernels->forward(&j->y, points, scratch);
            for (int64_t k = 0; k < j->kept; k++) {
                float *const row = half_row(j, k, z) + b * POINT;

                j->kernels->split(&j->y, points, k, row, row + POINT);
            }
        }
    fourier_part_give(&j->parts, points);
}

static void y_inverse(void *arg, int64_t lo, int64_t hi)
{
    volume_job *const j = arg;
    float *const points = fourier_part_take(&j->parts), *const scratch = points + longest(j) * POINT;

    for (int64_t z = lo; z < hi; z++)
        for (int64_t b = 0; b < j->blocks; b += 2) {
            const int64_t x = b * LANES, n = mtm_min_i64(POINT, j->x.n - x);

            memset(points, 0, fourier_points_bytes(j->y.n));
            for (int64_t k = 0; k < j->kept; k++) {
                const float *const row = half_row(j, k, z) + b * POINT;

                j->kernels->join(&j->y, points, k, row, row + POINT);
            }
            j->kernels->inverse(&j->y, points, scratch);
            for (int64_t y = 0; y < j->y.n; y++)
                memcpy(j->out + z * j->out_stride[0] + y * j->out_stride[1] + x * 4, points + y * POINT,
                       (size_t)n * sizeof *points);
        }
    fourier_part_give(&j->parts, points);
}

/* ---- along x, at 16 frequencies of z ----------------------------------------------------------------------- */

/* Rows of `half` whose frequency of z lies in the sphere, next to each other in lanes. */
typedef struct x_group {
    int n;
    float *row[LANES];
    double room[LANES]; /* radius² less the other two axes' part */
} x_group;

static void x_load(const volume_job *j, const x_group *g, float *points)
{
    memset(points, 0, g->n < LANES ? fourier_points_bytes(j->x.n) : 0);
    for (int64_t b = 0; b * LANES < j->x.n; b++)
        for (int lane = 0; lane < g->n; lane++) {
            const float *const p = g->row[lane] + b * POINT;
            const int64_t n = mtm_min_i64(LANES, j->x.n - b * LANES);

            for (int64_t i = 0; i < n; i++) {
                points[(b * LANES + i) * POINT + lane] = p[i];
                points[(b * LANES + i) * POINT + LANES + lane] = p[LANES + i];
            }
        }
}

static void x_store(const volume_job *j, const x_group *g, const float *points)
{
    for (int64_t b = 0; b * LANES < j->x.n; b++)
        for (int lane = 0; lane < g->n; lane++) {
            float *const p = g->row[lane] + b * POINT;
            const int64_t n = mtm_min_i64(LANES, j->x.n - b * LANES);

            for (int64_t i = 0; i < n; i++) {
                p[i] = points[(b * LANES + i) * POINT + lane];
                p[LANES + i] = points[(b * LANES + i) * POINT + LANES + lane];
            }
        }
}

/* Zero outside the sphere; inside, what undoes the transforms' and split's factors. */
static void x_cut(const volume_job *j, const x_group *g, float *points)
{
    const float scale = (float)(0.5 / ((double)j->x.n * (double)j->y.n * (double)j->z.n));

    for (int64_t i = 0; i < j->x.n; i++) {
        const double k = (double)magnitude(&j->x, i);
        float *const p = points + i * POINT;

        for (int lane = 0; lane < LANES; lane++) {
            const float w = lane < g->n && k * k <= g->room[lane] ? scale : 0;

            p[lane] *= w, p[LANES + lane] *= w;
        }
    }
}

static double x_peak(const volume_job *j, const float *points)
{
    float most[LANES] = {0};
    double peak = 0;

    for (int64_t i = 0; i < j->x.n; i++)
        for (int lane = 0; lane < LANES; lane++) {
            const float re = points[i * POINT + lane], im = points[i * POINT + LANES + lane],
                        m = re * re + im * im;

            most[lane] = m > most[lane] ? m : most[lane];
        }
    for (int lane = 0; lane < LANES; lane++)
        peak = fmax(peak, (double)most[lane]);
    return peak;
}

static void x_group_run(volume_job *j, const x_group *g, int64_t ky, float *points, float *scratch)
{
    x_load(j, g, points);
    j->kernels->forward(&j->x, points, scratch);
    if (!j->out) {
        j->peaks[ky] = fmax(j->peaks[ky], x_peak(j, points));
        return;
    }
    x_cut(j, g, points);
    j->kernels->inverse(&j->x, points, scratch);
    x_store(j, g, points);
}

/* ---- planes (z, x) ----------------------------------------------------------------------------------------- */

static bool z_inside(const volume_job *j, int64_t ky, int64_t position, double *room)
{
    const double k = (double)magnitude(&j->z, position);

    *room = j->radius2 - (double)(ky * ky) - k * k;
    return *room >= 0;
}

/* All blocks of a plane along z in place; backwards rows outside the sphere count as zero. */
static void z_transform(volume_job *j, int64_t ky, bool inverse, float *points, float *scratch)
{
    float *const plane = half_row(j, ky, 0);
    double room;

    for (int64_t b = 0; b < j->blocks; b++) {
        for (int64_t z = 0; z < j->z.n; z++) {
            if (inverse && !z_inside(j, ky, z, &room))
                memset(points + z * POINT, 0, fourier_points_bytes(1));
            else
                memcpy(points + z * POINT, plane + (z * j->blocks + b) * POINT, fourier_points_bytes(1));
        }
        (inverse ? j->kernels->inverse : j->kernels->forward)(&j->z, points, scratch);
        for (int64_t z = 0; z < j->z.n; z++)
            memcpy(plane + (z * j->blocks + b) * POINT, points + z * POINT, fourier_points_bytes(1));
    }
}

static void planes(void *arg, int64_t lo, int64_t hi)
{
    volume_job *const j = arg;
    float *const points = fourier_part_take(&j->parts), *const scratch = points + longest(j) * POINT;

    for (int64_t ky = lo; ky < hi; ky++) {
        x_group g = {.n = 0};

        z_transform(j, ky, false, points, scratch);
        for (int64_t z = 0; z < j->z.n; z++) {
            if (z_inside(j, ky, z, &g.room[g.n]))
                g.row[g.n++] = half_row(j, ky, z);
            if (g.n == LANES || (g.n > 0 && z == j->z.n - 1)) {
                x_group_run(j, &g, ky, points, scratch);
                g.n = 0;
            }
        }
        if (j->out)
            z_transform(j, ky, true, points, scratch);
    }
    fourier_part_give(&j->parts, points);
}

/* ---- channels ---------------------------------------------------------------------------------------------- */

static mtm_status volume_steps(mtm_exec *x, volume_job *j, mtm_error *err)
{
    MTM_TRY(mtm_pool_for(x->pool, j->z.n, 1, y_forward, j, x->cancel, err));
    MTM_TRY(mtm_pool_for(x->pool, j->kept, 1, planes, j, x->cancel, err));
    return j->out ? mtm_pool_for(x->pool, j->z.n, 1, y_inverse, j, x->cancel, err) : MTM_OK;
}

/* Scratch and plans for channels of this size. A plane is taken as a volume of lines along z, not y: along x there are then
 * lanes enough. */
static mtm_status volume_begin(mtm_exec *x, volume_job *j, const mtm_array *in, double radius, mtm_error *err)
{
    const bool flat = in->shape[1] == 1;
    const int64_t n[3] = {in->shape[flat ? 2 : 1], in->shape[flat ? 1 : 2], in->shape[3]};
    mtm_fft_plan *const plan[3] = {&j->z, &j->y, &j->x};
    void *memory;

    j->kernels = &x->kernels.fft;
    j->in_stride[0] = in->stride[flat ? 2 : 1], j->in_stride[1] = in->stride[flat ? 1 : 2];
    j->radius2 = radius * radius;
    for (int i = 0; i < 3; i++)
        MTM_TRY(fourier_plan_borrow(x, plan[i], n[i], &j->plans[i], err));
    j->kept = radius < (double)(n[1] / 2) ? (int64_t)radius + 1 : n[1] / 2 + 1;
    j->blocks = (n[2] + POINT - 1) / POINT * 2;
    MTM_TRY(mtm_scratch_borrow(
        x, (size_t)(j->kept * n[0]) * fourier_points_bytes(j->blocks) + (size_t)j->kept * sizeof *j->peaks,
        &memory, err));
    j->half = memory;
    j->peaks = (double *)(void *)half_row(j, j->kept, 0);
    memset(j->peaks, 0, (size_t)j->kept * sizeof *j->peaks);
    return fourier_parts_borrow(x, &j->parts,
                                fourier_points_bytes(longest(j)) + mtm_fft_scratch_bytes(n[0]) +
                                    mtm_fft_scratch_bytes(n[1]) + mtm_fft_scratch_bytes(n[2]),
                                err);
}

static void volume_end(mtm_exec *x, volume_job *j)
{
    mtm_scratch_return(x, j->parts.memory);
    mtm_scratch_return(x, j->half);
    for (int i = 0; i < 3; i++)
        mtm_scratch_return(x, j->plans[i]);
}

mtm_status mtm_fourier_sphere(mtm_exec *x, const mtm_array *in, mtm_array *out, double radius, mtm_error *err)
{
    const bool flat = in->shape[1] == 1;
    volume_job j = {.out_stride = {out->stride[flat ? 2 : 1], out->stride[flat ? 1 : 2]}};
    mtm_status s = volume_begin(x, &j, in, radius, err);

    for (int64_t c = 0; s == MTM_OK && c < in->shape[0]; c++) {
        j.in = (const char *)in->data + c * in->stride[0];
        j.out = (char *)out->data + c * out->stride[0];
        s = volume_steps(x, &j, err);
    }
    volume_end(x, &j);
    return s;
}

mtm_status mtm_fourier_peak(mtm_exec *x, const mtm_array *in, int64_t channel, double *peak, mtm_error *err)
{
    volume_job j = {.in = (const char *)in->data + channel * in->stride[0]};
    mtm_status s = volume_begin(x, &j, in, INFINITY, err);
    double most = 0;

    if (s == MTM_OK)
        s = volume_steps(x, &j, err);
    for (int64_t k = 0; s == MTM_OK && k < j.kept; k++)
        most = fmax(most, j.peaks[k]);
    volume_end(x, &j);
    if (s == MTM_OK)
        *peak = 0.5 * sqrt(most);
    return s;
}
