/* op/intensity/spike.c: spike, stripes from single wrong points of k-space, and its random form. A point of k-space is a wave
 * in the picture, so it is added there.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/error.h"
#include "op/intensity/fourier.h"
#include "op/intensity/rows.h"
#include "op/random.h"
#include "op/stats.h"

#define COUNT(a) ((int32_t)(sizeof(a) / sizeof *(a)))

typedef struct spike_args {
    mtm_floats position;
    double intensity;
} spike_args;

static mtm_status spike_check(const void *args, mtm_error *err)
{
    const mtm_floats *const p = &((const spike_args *)args)->position;

    if (p->n == 0 || (p->n % 2 && p->n % 3))
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "position has %d numbers; 2 (planes) or 3 (volumes) for each spike are wanted",
                        (int)p->n);
    return MTM_OK;
}

static mtm_status spike_infer(const void *args, const mtm_spec *in, mtm_spec *out, mtm_error *err)
{
    const mtm_floats *const p = &((const spike_args *)args)->position;

    if (p->n % in->spatial)
        return mtm_fail(err, MTM_E_INVAL, -1, "position has %d numbers; %d for each spike are wanted",
                        (int)p->n, (int)in->spatial);
    return MTM_OK;
}

/* ---- the wave ------------------------------------------------------------------------------------------- */

typedef struct spike_job {
    const mtm_array *in;
    mtm_array out;
    int32_t n;
    int64_t k[32][3];        /* frequency of each spike, 0 … n − 1 of Z, Y, X */
    const float *wave;       /* of each spike: cosines along x, sines along x */
    const double *amplitude; /* per channel */
} spike_job;

/* cos and sin of 2π·k·i / n, exact in the product. */
static void wave_at(double *c, double *s, int64_t k, int64_t i, int64_t n)
{
    const double t = 2 * M_PI * (double)(k * i % n) / (double)n;

    *c = cos(t), *s = sin(t);
}

static void add_wave(float *restrict out, const float *restrict cosine, const float *restrict sine, float a,
                     float b, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] += a * cosine[i] - b * sine[i];
}

/* Rows (channel, z, y): cos(φ + ψ) = cos φ · cos ψ − sin φ · sin ψ, ψ along x. */
static void spike_some(void *arg, int64_t lo, int64_t hi)
{
    const spike_job *const j = arg;
    const int64_t *const n = j->in->shape, *const is = j->in->stride, *const os = j->out.stride;

    for (int64_t i = lo; i < hi; i++) {
        const int64_t y = i % n[2], z = i / n[2] % n[1], c = i / n[2] / n[1];
        const void *const in = (const char *)j->in->data + c * is[0] + z * is[1] + y * is[2];
        float *const out = (float *)(void *)((char *)j->out.data + c * os[0] + z * os[1] + y * os[2]);

        memcpy(out, in, (size_t)n[3] * sizeof *out);
        for (int32_t k = 0; k < j->n; k++) {
            const float *const wave = j->wave + 2 * n[3] * k;
            const double a = j->amplitude[c];
            double cz, sz, cy, sy;

            wave_at(&cz, &sz, j->k[k][0], z, n[1]);
            wave_at(&cy, &sy, j->k[k][1], y, n[2]);
            add_wave(out, wave, wave + n[3], (float)(a * (cz * cy - sz * sy)),
                     (float)(a * (sz * cy + cz * sy)), n[3]);
        }
    }
}

/* Spike number i's frequency on each axis: place floor(position · n) of a spectrum whose middle, n // 2, is frequency 0. */
static void place(spike_job *j, const spike_args *a, const mtm_spec *spec)
{
    j->n = a->position.n / spec->spatial;
    for (int32_t i = 0; i < j->n; i++)
        for (int axis = 0; axis < 3; axis++) {
            const int64_t n = spec->size[axis];
            const int at = 2 - axis; /* among x, y, z */
            const double p = at < spec->spatial ? a->position.v[i * spec->spatial + at] : 0.5;
            const int64_t index = mtm_min_i64((int64_t)floor(p * (double)n), n - 1);

            j->k[i][axis] = (index - n / 2 + n) % n;
        }
}

/* ---- its height ----------------------------------------------------------------------------------------- */

/* The greatest magnitude of a channel's spectrum: of values that are nowhere of different signs it is the sum. */
static mtm_status peak_of(mtm_exec *x, const mtm_array *in, int64_t channel, const mtm_stats *st,
                          double *peak, mtm_error *err)
{
    if (st->non_finite)
        *peak = NAN;
    else if (st->min >= 0 || st->max <= 0)
        *peak = fabs(st->mean) * (double)st->count;
    else
        return mtm_fourier_peak(x, in, channel, peak, err);
    return MTM_OK;
}

static mtm_status amplitudes(mtm_exec *x, const spike_args *a, const mtm_array *in, double *amplitude,
                             mtm_error *err)
{
    const mtm_stats_request r = {.flags = MTM_STAT_MOMENTS | MTM_STAT_RANGE | MTM_STAT_CHANNELS};
    const double voxels = (double)(in->shape[1] * in->shape[2] * in->shape[3]);
    MTM_AUTO_MEM mtm_stats *st = mtm_alloc_zero((size_t)in->shape[0], sizeof *st);

    if (!st)
        return MTM_NOMEM(err);
    MTM_TRY(mtm_op_stats(x, in, &r, st, err));
    for (int64_t c = 0; c < in->shape[0]; c++) {
        MTM_TRY(peak_of(x, in, c, &st[c], &amplitude[c], err));
        amplitude[c] *= a->intensity / voxels;
    }
    return MTM_OK;
}

static mtm_status spike_rows(mtm_exec *x, const void *args, const mtm_spec *spec, const mtm_array *in,
                             mtm_array *out, mtm_error *err)
{
    const int64_t width = in->shape[3];
    spike_job j = {.in = in, .out = *out};
    MTM_AUTO_MEM double *amplitude = mtm_alloc_zero((size_t)in->shape[0], sizeof *amplitude);
    MTM_AUTO_MEM float *wave =
        mtm_alloc_zero((size_t)width, 2 * (size_t)((const spike_args *)args)->position.n * sizeof *wave);

    if (!amplitude || !wave)
        return MTM_NOMEM(err);
    MTM_TRY(amplitudes(x, args, in, amplitude, err));
    place(&j, args, spec);
    for (int32_t i = 0; i < j.n; i++)
        for (int64_t k = 0; k < width; k++) {
            double c, s;

            wave_at(&c, &s, j.k[i][2], k, width);
            wave[2 * i * width + k] = (float)c, wave[(2 * i + 1) * width + k] = (float)s;
        }
    j.amplitude = amplitude, j.wave = wave;
    return mtm_pool_for(x->pool, in->shape[0] * in->shape[1] * in->shape[2], 64, spike_some, &j, x->cancel,
                        err);
}

static mtm_status spike_run(mtm_exec *x, const void *args, const mtm_spec *spec, const mtm_array *in,
                            mtm_array *out, mtm_error *err)
{
    return mtm_rows_run(x, args, spec, in, out, spike_rows, err);
}

static const mtm_param spike_params[] = {
    {"position", MTM_PARAM_FLOATS, offsetof(spike_args, position), NULL, 0, 1, NULL, "",
     "Place of each spike in k-space as fractions (x, y, z), planes (x, y); 0.5 is the middle, frequency 0."},
    {"intensity", MTM_PARAM_FLOAT, offsetof(spike_args, intensity), NULL, -1e6, 1e6, NULL, "",
     "Height of a spike, in units of the greatest magnitude in the channel's k-space."},
};

const mtm_op mtm_op_spike = {
    .name = "spike",
    .doc =
        "Add spikes to k-space: stripes over the whole picture (herringbone).\n"
        "\n"
        "intensity * max|X| is added to the discrete Fourier transform X of each channel at index "
        "floor(position * n)\n"
        "of each axis, index n // 2 being frequency 0, and the real part of the inverse taken: TorchIO's "
        "Spike, that is\n"
        "x + intensity * max|X| / N * cos(2 pi (kx x / nx + ky y / ny + kz z / nz)). Of several spikes each "
        "has the height\n"
        "that the picture's own k-space gives (TorchIO's also count those before them). A voxel that is not "
        "finite makes\n"
        "its channel NaN. Gives float32; label maps stay as they are. Errors: no finite voxel.",
    .kind = MTM_OP_FILTER,
    .params = spike_params,
    .n_params = COUNT(spike_params),
    .args_bytes = sizeof(spike_args),
    .check = spike_check,
    .infer = spike_infer,
    .run = spike_run,
};

/* ---- random_spike ------------------------------------------------------------------------------------- */

enum { MOST_SPIKES = 10 };

typedef struct random_spike_args {
    mtm_random_head head;
    mtm_ints count;
    mtm_floats intensity;
} random_spike_args;

static mtm_status random_spike_check(const void *args, mtm_error *err)
{
    const random_spike_args *const a = args;

    MTM_TRY(mtm_range_check_ints(&a->count, "count", err));
    return mtm_range_check(&a->intensity, "intensity", err);
}

/* All numbers are drawn whether or not it acts; the places of spikes that are not there too. */
static mtm_status random_spike_draw(const void *args, mtm_draw *d, const mtm_spec *in, const mtm_op **target,
                                    void *target_args, mtm_error *err)
{
    const random_spike_args *const a = args;
    spike_args *const t = target_args;
    const bool acts = mtm_rng_uniform(&d->rng) < a->head.p;
    const int64_t count = mtm_range_draw_int(d, &a->count);

    t->intensity = mtm_range_draw(d, &a->intensity);
    for (int64_t i = 0; i < 3 * MOST_SPIKES; i++) {
        const double p = (double)mtm_rng_uniform(&d->rng);

        if (i % 3 < in->spatial && t->position.n < count * in->spatial)
            t->position.v[t->position.n++] = p;
    }
    *target = acts ? &mtm_op_spike : NULL;
    return MTM_OK;
}

static const mtm_param random_spike_params[] = {
    {"count", MTM_PARAM_INTS, offsetof(random_spike_args, count), "1", 1, MOST_SPIKES, NULL, "",
     "How many spikes, or the range, both ends included."},
    {"intensity", MTM_PARAM_FLOATS, offsetof(random_spike_args, intensity), "(1, 3)", -1e6, 1e6, NULL, "",
     "Height of the spikes in units of the greatest magnitude in k-space, or its range."},
    MTM_RANDOM_PARAMS(random_spike_args, "0.5"),
};

const mtm_op mtm_op_random_spike = {
    .name = "random_spike",
    .doc = "Add spikes at random places of k-space, with probability p.\n"
           "\n"
           "As spike, with places uniform over all of k-space and ranges as TorchIO's RandomSpike. Of a pair "
           "a number is\n"
           "drawn uniformly, one number is fixed. Gives float32.",
    .kind = MTM_OP_RANDOM,
    .params = random_spike_params,
    .n_params = COUNT(random_spike_params),
    .args_bytes = sizeof(random_spike_args),
    .check = random_spike_check,
    .target = &mtm_op_spike,
    .draw = random_spike_draw,
};
