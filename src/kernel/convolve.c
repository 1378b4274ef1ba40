/* kernel/convolve.c: the C reference of the row kernel, and the sweep through a volume.
 * SPDX-License-Identifier: Apache-2.0 */
#include "convolve.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "x86/convolve_x86.h"

/* ---- the row kernel ----------------------------------------------------------------------------------- */

#define DEFINE_PAIRS(name, type)                                                                             \
    static void one_##name(float *out, const void *const *centre, const float *weight, int32_t radius,       \
                           int64_t n)                                                                        \
    {                                                                                                        \
        const type *const c = centre[0];                                                                     \
                                                                                                             \
        for (int64_t x = 0; x < n; x++)                                                                      \
            out[x] = weight[0] * (float)c[x];                                                                \
        for (int32_t j = 1; j <= radius; j++) {                                                              \
            const type *const a = centre[-j], *const b = centre[j];                                          \
                                                                                                             \
            for (int64_t x = 0; x < n; x++)                                                                  \
                out[x] += weight[j] * ((float)a[x] + (float)b[x]);                                           \
        }                                                                                                    \
    }                                                                                                        \
    static void pairs_##name##_c(float *const out[2], const void *const *rows, const float *weight,          \
                                 int32_t radius, int64_t n)                                                  \
    {                                                                                                        \
        one_##name(out[0], rows + radius, weight, radius, n);                                                \
        one_##name(out[1], rows + radius + 1, weight, radius, n);                                            \
    }
DEFINE_PAIRS(u8, uint8_t)
DEFINE_PAIRS(i8, int8_t)
DEFINE_PAIRS(u16, uint16_t)
DEFINE_PAIRS(i16, int16_t)
DEFINE_PAIRS(f32, float)

static void along_c(float *out, const float *row, const float *weight, int32_t radius, int64_t n)
{
    for (int64_t x = 0; x < n; x++) {
        float sum = weight[0] * row[x];

        for (int32_t j = 1; j <= radius; j++)
            sum += weight[j] * (row[x - j] + row[x + j]);
        out[x] = sum;
    }
}

#define SET_TIER(k, tier)                                                                                    \
    (k)->pairs[MTM_ROW_U8] = mtm_pairs_u8_##tier;                                                            \
    (k)->pairs[MTM_ROW_I8] = mtm_pairs_i8_##tier;                                                            \
    (k)->pairs[MTM_ROW_U16] = mtm_pairs_u16_##tier;                                                          \
    (k)->pairs[MTM_ROW_I16] = mtm_pairs_i16_##tier;                                                          \
    (k)->pairs[MTM_ROW_F32] = mtm_pairs_f32_##tier;                                                          \
    (k)->along = mtm_along_##tier

void mtm_convolve_kernels_init(mtm_convolve_kernels *k, unsigned cpu)
{
    k->pairs[MTM_ROW_U8] = pairs_u8_c;
    k->pairs[MTM_ROW_I8] = pairs_i8_c;
    k->pairs[MTM_ROW_U16] = pairs_u16_c;
    k->pairs[MTM_ROW_I16] = pairs_i16_c;
    k->pairs[MTM_ROW_F32] = pairs_f32_c;
    k->along = along_c;
#if defined(__x86_64__)
    if (cpu & MTM_CPU_AVX2) {
        SET_TIER(k, avx2);
    }
    if (cpu & MTM_CPU_AVX512) {
        SET_TIER(k, avx512);
    }
#endif
}

/* ---- plan --------------------------------------------------------------------------------------------- */

int32_t mtm_gaussian_radius(double sigma)
{
    return (int32_t)(4 * sigma + 0.5);
}

void mtm_gaussian_weights(double sigma, int32_t radius, float *w)
{
    double total = 1, rest;

    for (int32_t j = 1; j <= radius; j++)
        total += 2 * exp(-0.5 * j * j / (sigma * sigma));
    w[0] = (float)(1 / total);
    rest = 1 - (double)w[0];
    for (int32_t j = 1; j <= radius; j++) {
        w[j] = (float)(exp(-0.5 * j * j / (sigma * sigma)) / total);
        rest -= 2 * (double)w[j];
    }
    w[0] += (float)rest; /* so that a constant stays what it is */
}

/* Floats from one row to the next. */
static size_t pitch_of(int64_t n)
{
    return ((size_t)n + 15) & ~(size_t)15;
}

/* Planes of the ring: all that two slices need. */
static int64_t ring_slots(const mtm_convolve_plan *p)
{
    return mtm_min_i64(2 * (int64_t)p->axis[0].radius + 2, p->size[0]);
}

/* Rows of a slice that `rows` output rows, and one more when they are odd, need at most. */
static int64_t loaded_rows(const mtm_convolve_plan *p)
{
    return mtm_min_i64(p->rows + 2 * (int64_t)p->axis[1].radius + 1, p->size[1]);
}

/* A row with room for its reflections on both sides. */
static size_t padded_floats(const mtm_convolve_plan *p)
{
    return pitch_of(p->size[2]) + 2 * (size_t)mtm_convolve_margin(p->axis[2].radius);
}

void mtm_convolve_plan_make(mtm_convolve_plan *p, const int64_t size[3], const mtm_convolve_axis axis[3],
                            const mtm_convolve_source *in)
{
    const int64_t ring_bytes = 384 << 10; /* leaves the L2 cache room for input rows */
    const int64_t taps = 2 * ((int64_t)axis[0].radius + axis[1].radius + 2);
    int64_t most;

    *p = (mtm_convolve_plan){.axis = {axis[0], axis[1], axis[2]}};
    memcpy(p->size, size, sizeof p->size);
    p->direct =
        mtm_row_type_of(in->dtype) != MTM_N_ROW_TYPES && in->stride[2] == (int64_t)mtm_dtype_size(in->dtype);
    most = ring_bytes / mtm_max_i64(ring_slots(p) * (int64_t)pitch_of(size[2]) * (int64_t)sizeof(float), 1);
    p->rows = mtm_clamp_i64(most, 8, mtm_max_i64((size[1] + 7) / 8, 8)); /* about eight pieces for the pool */
    p->scratch_bytes =
        ((size_t)(ring_slots(p) * p->rows) * pitch_of(size[2]) + ((size_t)p->rows + 1) * padded_floats(p) +
         (p->direct ? 0 : (size_t)loaded_rows(p) * pitch_of(size[2]))) *
            sizeof(float) +
        (size_t)taps * sizeof(void *) + (size_t)ring_slots(p) * sizeof(int64_t) + 64;
}

/* ---- the sweep ---------------------------------------------------------------------------------------- */

/* SciPy's 'reflect', any number of times: the period is 2n. */
static int64_t reflect(int64_t i, int64_t n)
{
    if (i >= 0 && i < n)
        return i;
    i %= 2 * n;
    i += i < 0 ? 2 * n : 0;
    return i < n ? i : 2 * n - 1 - i;
}

typedef struct sweep {
    const mtm_convolve_kernels *k;
    const mtm_convolve_plan *p;
    const mtm_convolve_source *in;
    int64_t y0, y1;
    size_t pitch;  /* floats from row to row of ring and loaded rows */
    float *ring;   /* [rows][slots][X]: what is combined along Z lies together, not on the same cache sets */
    int64_t *tag;  /* which plane lies in a slot; −1: none */
    float *padded; /* [rows][X and its reflections] */
    float *spare;  /* one row: the second of a pair that is not wanted */
    float *loaded; /* rows y0 − radius … of one plane, as far as they exist; NULL: direct */
    const void **taps[2]; /* rows that are combined along Z and Y */
} sweep;

static int64_t first_loaded(const sweep *s)
{
    return mtm_clamp_i64(s->y0 - s->p->axis[1].radius, 0, s->p->size[1] - loaded_rows(s->p));
}

static void load_plane(const sweep *s, int64_t z)
{
    const int64_t first = first_loaded(s), n = mtm_min_i64(loaded_rows(s->p), s->p->size[1] - first);

    for (int64_t i = 0; i < n; i++)
        mtm_row_load(s->loaded + (size_t)i * s->pitch,
                     (const char *)s->in->data + z * s->in->stride[0] + (first + i) * s->in->stride[1],
                     s->in->dtype, s->in->stride[2], s->p->size[2]);
}

/* The row's reflections left and right of its n voxels. */
static void pad_row(float *row, int64_t n, int32_t radius)
{
    for (int64_t i = 1; i <= radius; i++) {
        row[-i] = row[reflect(-i, n)];
        row[n - 1 + i] = row[reflect(n - 1 + i, n)];
    }
}

/* Rows y and y + 1 of input plane z, filtered along Y. */
static void filter_y(const sweep *s, float *const out[2], int64_t z, int64_t y)
{
    const mtm_convolve_axis *const a = &s->p->axis[1];
    const int64_t first = s->loaded ? first_loaded(s) : 0;
    const char *const plane = (const char *)s->in->data + z * s->in->stride[0];

    for (int64_t j = -a->radius; j <= a->radius + 1; j++) {
        const int64_t from = reflect(y + j, s->p->size[1]);

        s->taps[1][a->radius + j] = s->loaded ? (const void *)(s->loaded + (size_t)(from - first) * s->pitch)
                                              : plane + from * s->in->stride[1];
    }
    s->k->pairs[s->loaded ? MTM_ROW_F32 : mtm_row_type_of(s->in->dtype)](out, s->taps[1], a->weight,
                                                                         a->radius, s->p->size[2]);
}

/* A row that is followed by room for reflections on both sides, filtered along X. */
static void filter_x(const sweep *s, float *out, float *row)
{
    const mtm_convolve_axis *const a = &s->p->axis[2];

    pad_row(row, s->p->size[2], a->radius);
    s->k->along(out, row, a->weight, a->radius, s->p->size[2]);
}

/* Computes plane z into its slot. All rows go along Y before the first goes along X, whose loads begin anywhere and would
 * wait for stores that are still on their way. */
static void fill_plane(const sweep *s, int64_t z, int64_t slot)
{
    const int32_t radius = s->p->axis[2].radius;
    const size_t padded = padded_floats(s->p), ring_pitch = (size_t)ring_slots(s->p) * s->pitch;
    const int64_t n = s->y1 - s->y0;
    float *const to = s->ring + (size_t)slot * s->pitch;
    float *const rows = radius ? s->padded + mtm_convolve_margin(radius) : to;
    const size_t pitch = radius ? padded : ring_pitch;

    if (s->loaded)
        load_plane(s, z);
    for (int64_t i = 0; i < n; i += 2) {
        float *const out[2] = {rows + (size_t)i * pitch,
                               i + 1 < n ? rows + (size_t)(i + 1) * pitch : s->spare};

        filter_y(s, out, z, s->y0 + i);
    }
    for (int64_t i = 0; radius && i < n; i++)
        filter_x(s, to + (size_t)i * ring_pitch, rows + (size_t)i * padded);
}

/* The first row of plane z in the ring. */
static const float *ring_plane(const sweep *s, int64_t z)
{
    const int64_t slot = z % ring_slots(s->p);

    if (s->tag[slot] != z)
        fill_plane(s, z, slot);
    s->tag[slot] = z;
    return s->ring + (size_t)slot * s->pitch;
}

/* Divides the scratch memory; what is taken here is what scratch_bytes of the plan counts. */
static void sweep_begin(sweep *s, void *scratch)
{
    const mtm_convolve_plan *const p = s->p;
    const int64_t slots = ring_slots(p);
    float *at = scratch;

    s->pitch = pitch_of(p->size[2]);
    s->ring = at, at += (size_t)(slots * p->rows) * s->pitch;
    s->padded = at, at += (size_t)p->rows * padded_floats(p);
    s->spare = at, at += padded_floats(p);
    s->loaded = p->direct ? NULL : at;
    at += p->direct ? 0 : (size_t)loaded_rows(p) * s->pitch;
    s->tag = (int64_t *)(void *)at;
    s->taps[0] = (const void **)(void *)(s->tag + slots);
    s->taps[1] = s->taps[0] + 2 * (int64_t)p->axis[0].radius + 2;
    for (int64_t i = 0; i < slots; i++)
        s->tag[i] = -1;
}

void mtm_convolve_run(const mtm_convolve_kernels *k, const mtm_convolve_plan *p,
                      const mtm_convolve_source *in, int64_t y0, int64_t y1, float *out,
                      const int64_t out_stride[2], void *scratch)
{
    const mtm_convolve_axis *const az = &p->axis[0];
    sweep s = {.k = k, .p = p, .in = in, .y0 = y0, .y1 = y1};

    if (y0 >= y1 || p->size[2] == 0)
        return;
    sweep_begin(&s, scratch);
    for (int64_t z = 0; z < p->size[0]; z += 2) {
        char *const slice = (char *)out + z * out_stride[0];

        for (int64_t j = -az->radius; j <= az->radius + 1; j++)
            s.taps[0][az->radius + j] = ring_plane(&s, reflect(z + j, p->size[0]));
        for (int64_t y = y0; y < y1; y++) {
            char *const row = slice + y * out_stride[1];
            float *const rows[2] = {(float *)(void *)row,
                                    z + 1 < p->size[0] ? (float *)(void *)(row + out_stride[0]) : s.spare};

            k->pairs[MTM_ROW_F32](rows, s.taps[0], az->weight, az->radius, p->size[2]);
            for (int64_t j = 0; j <= 2 * (int64_t)az->radius + 1; j++)
                s.taps[0][j] = (const float *)s.taps[0][j] + (size_t)ring_slots(p) * s.pitch;
        }
    }
}
