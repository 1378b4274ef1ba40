/* pipe/window.c: where windows lie, and what their voxels weigh. The sum over windows is window_sum.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "pipe/window.h"

#include <math.h>

#include "array/array.h"

/* ---- where -------------------------------------------------------------------------------------------- */

static mtm_status plan_axis(mtm_windows *w, int d, double overlap, mtm_error *err)
{
    const int64_t n = w->shape[d];

    if (n < 1)
        return mtm_fail(err, MTM_E_INVAL, -1, "axis %d of the volume has %" PRId64 " voxels", d, n);
    if (w->size[d] < 0)
        return mtm_fail(err, MTM_E_INVAL, -1, "axis %d of the window has %" PRId64 " voxels", d, w->size[d]);
    if (!(overlap >= 0 && overlap < 1))
        return mtm_fail(err, MTM_E_INVAL, -1, "overlap must be 0 or more and below 1, not %g", overlap);
    if (!w->size[d])
        w->size[d] = n;
    const int64_t size = w->size[d];
    const int64_t padded = mtm_max_i64(n, size);
    const int64_t step = mtm_max_i64((int64_t)((double)size * (1 - overlap)), 1);

    w->step[d] = step;
    w->count[d] = (padded - size + step - 1) / step + 1;
    w->first[d] = -((padded - n) / 2);
    return MTM_OK;
}

mtm_status mtm_window_plan(mtm_windows *out, const int64_t shape[3], const int64_t size[3],
                           const double overlap[3], bool exact, mtm_error *err)
{
    mtm_windows w = {.exact = exact};

    int64_t count = 1;

    for (int d = 0; d < 3; d++) {
        w.shape[d] = shape[d], w.size[d] = size[d];
        MTM_TRY(plan_axis(&w, d, overlap[d], err));
        if (w.count[d] > INT32_MAX / count)
            return mtm_fail(err, MTM_E_LIMIT, -1, "more than 2^31 - 1 windows");
        count *= w.count[d];
    }
    *out = w;
    return MTM_OK;
}

int64_t mtm_window_count(const mtm_windows *w)
{
    return w->count[0] * w->count[1] * w->count[2];
}

int64_t mtm_window_at(const mtm_windows *w, int d, int64_t i)
{
    const int64_t last = mtm_max_i64(w->shape[d], w->size[d]) - w->size[d], at = i * w->step[d];

    return w->first[d] + (w->exact ? at : mtm_min_i64(at, last));
}

int64_t mtm_window_covering(const mtm_windows *w, int d, int64_t at)
{
    const int64_t passed = mtm_max_i64(at - w->first[d] - w->size[d], 0) / w->step[d];
    int64_t i = mtm_min_i64(passed, w->count[d] - 1);

    while (i + 1 < w->count[d] && mtm_window_at(w, d, i) + w->size[d] <= at)
        i++;
    return i;
}

void mtm_window_start(const mtm_windows *w, int64_t i, int64_t start[3])
{
    for (int d = 2; d >= 0; d--) {
        start[d] = mtm_window_at(w, d, i % w->count[d]);
        i /= w->count[d];
    }
}

/* ---- weights ------------------------------------------------------------------------------------------ */

/* In float32, in the order in which MONAI's compute_importance_map multiplies, so that the bits are near. */
static void gaussian(float *w, int64_t n, double sigma)
{
    const double s = sigma * (double)n;

    for (int64_t i = 0; i < n; i++) {
        const float d = (float)i - (float)(n - 1) / 2;

        w[i] = expf(d * d / (float)(-2 * s * s));
    }
}

static void hann(float *w, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        w[i] = (float)(0.5 - 0.5 * cos(2 * M_PI * (double)(i + 1) / (double)(n + 1)));
}

mtm_status mtm_window_axes_new(mtm_window_axes *out, const int64_t size[3], mtm_window_weights weights,
                               double sigma, mtm_error *err)
{
    const double s = sigma > 0 ? sigma : 0.125;
    mtm_window_axes a = {.floor = 0};

    if (!(sigma >= 0) || !(s < 1e6))
        return mtm_fail(err, MTM_E_INVAL, -1, "sigma must be above 0, not %g", sigma);
    if (weights < MTM_WINDOW_CONSTANT || weights > MTM_WINDOW_HANN)
        return mtm_fail(err, MTM_E_INVAL, -1, "weights must be constant, gaussian or hann");
    a.axis[0] = mtm_alloc((size_t)(size[0] + size[1] + size[2]) * sizeof(float));
    if (!a.axis[0])
        return MTM_NOMEM(err);
    a.axis[1] = a.axis[0] + size[0], a.axis[2] = a.axis[1] + size[1];
    float smallest = 1;
    for (int d = 0; d < 3; d++) {
        if (weights == MTM_WINDOW_GAUSSIAN)
            gaussian(a.axis[d], size[d], s);
        else if (weights == MTM_WINDOW_HANN)
            hann(a.axis[d], size[d]);
        else
            for (int64_t i = 0; i < size[d]; i++)
                a.axis[d][i] = 1;
        smallest *= a.axis[d][0]; /* the corner */
    }
    if (weights == MTM_WINDOW_GAUSSIAN)
        a.floor = smallest > 1e-3f ? smallest : 1e-3f;
    *out = a;
    return MTM_OK;
}

mtm_status mtm_window_weights_fill(mtm_array *a, mtm_window_weights weights, double sigma, mtm_error *err)
{
    mtm_window_axes w;

    if (a->ndim != 3 || a->dtype != MTM_F32 || mtm_array_count(a) < 1)
        return mtm_fail(err, MTM_E_INVAL, -1, "weights go into a float32 array [z, y, x] that is not empty");
    MTM_TRY(mtm_window_axes_new(&w, a->shape, weights, sigma, err));
    for (int64_t z = 0; z < a->shape[0]; z++)
        for (int64_t y = 0; y < a->shape[1]; y++) {
            char *const row = (char *)a->data + z * a->stride[0] + y * a->stride[1];
            const float c = w.axis[0][z] * w.axis[1][y];

            for (int64_t x = 0; x < a->shape[2]; x++) {
                const float v = c * w.axis[2][x];
                *(float *)(row + x * a->stride[2]) = v > w.floor ? v : w.floor;
            }
        }
    mtm_free(w.axis[0]);
    return MTM_OK;
}
