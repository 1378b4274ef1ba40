/* kernel/fft.c: plans of transforms, and the variant for any processor.
 * SPDX-License-Identifier: Apache-2.0 */
#define FFT_VECTOR 16
#include "kernel/fft_body.h"

#include <math.h>

/* ---- lengths -------------------------------------------------------------------------------------------- */

/* n as radices: fours, then what is left in rising order. Returns how many, or −1 when a prime factor is too large. */
static int64_t factors(int64_t n, int64_t radix[MTM_FFT_MOST_STAGES])
{
    int64_t count = 0;

    for (; n % 4 == 0; n /= 4)
        radix[count++] = 4;
    for (int64_t r = 2; r <= MTM_FFT_MOST_RADIX; r++)
        for (; n % r == 0; n /= r)
            radix[count++] = r;
    return n == 1 ? count : -1;
}

/* The length of the stages: n, or the least 2^a·3^b·5^c that holds a convolution. */
static int64_t stages_length(int64_t n)
{
    int64_t radix[MTM_FFT_MOST_STAGES], length = 2 * n - 1;

    if (factors(n, radix) >= 0)
        return n;
    for (;; length++) {
        int64_t rest = length;

        for (int64_t r = 2; r <= 5; r++)
            while (rest % r == 0)
                rest /= r;
        if (rest == 1)
            return length;
    }
}

/* Twiddles: below length·(r − 1)/r + … < 2·length pairs in all stages; cosines and sines of each odd radix. */
static size_t plan_floats(int64_t length)
{
    return (size_t)(4 * length + 2 * MTM_FFT_MOST_RADIX * MTM_FFT_MOST_STAGES);
}

size_t mtm_fft_plan_bytes(int64_t n)
{
    const int64_t length = stages_length(n);
    const size_t chirp = length == n ? 0 : (size_t)(2 * n + 2 * length);

    return 2 * (size_t)n * sizeof(int64_t) + (plan_floats(length) + chirp) * sizeof(float) + 64 +
           (length == n ? 0 : (size_t)length * (sizeof(int64_t) + MTM_FFT_FLOATS * sizeof(float)));
}

size_t mtm_fft_scratch_bytes(int64_t n)
{
    const int64_t length = stages_length(n);

    return length == n ? 64 : (size_t)length * MTM_FFT_FLOATS * sizeof(float);
}

/* ---- plans ---------------------------------------------------------------------------------------------- */

static void angle(float *cs, double turns)
{
    cs[0] = (float)cos(2 * M_PI * turns);
    cs[1] = (float)sin(2 * M_PI * turns);
}

/* Stages for p->length; returns the memory behind their tables. */
static float *make_stages(mtm_fft_plan *p, float *memory)
{
    int64_t radix[MTM_FFT_MOST_STAGES], block = p->length;

    p->n_stages = factors(p->length, radix);
    for (int64_t i = 0; i < p->n_stages; i++) {
        const int64_t r = radix[i], m = block / r;
        float *const trig = memory, *const twiddle = trig + (r > 4 || r == 3 ? 2 * r : 0);

        for (int64_t j = 0; trig < twiddle && j < r; j++) {
            trig[j] = (float)cos(2 * M_PI * (double)j / (double)r);
            trig[r + j] = (float)sin(2 * M_PI * (double)j / (double)r);
        }
        for (int64_t j = 0; j < m; j++)
            for (int64_t k = 1; k < r; k++)
                angle(twiddle + 2 * ((r - 1) * j + k - 1), (double)(j * k % block) / (double)block);
        p->stages[i] = (mtm_fft_stage){r, m, twiddle, trig};
        memory = twiddle + 2 * (r - 1) * m;
        block = m;
    }
    return memory;
}

/* Which frequency of the stages ends at position i: the first stage's digit is the lowest. */
static int64_t frequency_at(const mtm_fft_plan *p, int64_t i)
{
    int64_t frequency = 0, step = 1;

    for (int64_t s = 0; s < p->n_stages; s++) {
        frequency += i / p->stages[s].m * step;
        i %= p->stages[s].m;
        step *= p->stages[s].radix;
    }
    return frequency;
}

/* The chirp, and the transform of its conjugate, found with the stages themselves. */
static float *make_chirp(mtm_fft_plan *p, float *memory, float *points)
{
    float *const chirp = memory, *const product = chirp + 2 * p->n;

    for (int64_t j = 0; j < p->n; j++) {
        angle(chirp + 2 * j, (double)(j * j % (2 * p->n)) / (double)(2 * p->n));
        chirp[2 * j + 1] = -chirp[2 * j + 1];
    }
    memset(points, 0, (size_t)p->length * MTM_FFT_FLOATS * sizeof *points);
    for (int64_t j = 0; j < p->n; j++)
        for (int side = 0; side < 2; side++) {
            float *const at = points + (side && j ? p->length - j : j) * MTM_FFT_FLOATS;

            at[0] = chirp[2 * j];
            at[MTM_FFT_LANES] = -chirp[2 * j + 1];
        }
    stages_forward(p, points);
    for (int64_t k = 0; k < p->length; k++)
        for (int i = 0; i < 2; i++)
            product[2 * k + i] = points[k * MTM_FFT_FLOATS + i * MTM_FFT_LANES] / (float)p->length;
    p->chirp = chirp, p->chirp_transform = product;
    return product + 2 * p->length;
}

void mtm_fft_plan_make(mtm_fft_plan *p, int64_t n, void *memory)
{
    float *const points = memory; /* of a chirp, first because it wants the alignment */
    const int64_t length = stages_length(n);
    int64_t *const frequency = (int64_t *)(void *)(points + (length == n ? 0 : length * MTM_FFT_FLOATS)),
                   *const position = frequency + n;
    float *const tables = (float *)(void *)(position + n);

    *p = (mtm_fft_plan){.n = n, .length = length, .frequency = frequency, .position = position};
    if (length == n)
        make_stages(p, tables);
    else
        make_chirp(p, make_stages(p, tables), points);
    for (int64_t i = 0; i < n; i++)
        frequency[i] = p->chirp ? i : frequency_at(p, i);
    for (int64_t i = 0; i < n; i++)
        position[frequency[i]] = i;
}

void mtm_fft_kernels_init(mtm_fft_kernels *k, unsigned cpu)
{
    fill_table(k);
#if defined(__x86_64__)
    if (cpu & MTM_CPU_AVX2)
        mtm_fft_kernels_avx2(k);
    if (cpu & MTM_CPU_AVX512)
        mtm_fft_kernels_avx512(k);
#endif
}
