/* kernel/resample.c: the C reference of the row kernels, and the sweep that runs a plan: rows are combined along Z and Y and
 * filtered along X in the plan's order, through rings of rows and planes that stay in the cache.
 * SPDX-License-Identifier: Apache-2.0 */
#include "resample.h"

#include <string.h>

#include "base/size.h"
#include "x86/resample_x86.h"

/* ---- row kernels -------------------------------------------------------------------------------------- */

#define DEFINE_COMBINE(name, type)                                                                           \
    static void combine_##name##_c(float *out, const void *const *rows, const float *weight, int32_t taps,   \
                                   int64_t n)                                                                \
    {                                                                                                        \
        const type *row = rows[0];                                                                           \
                                                                                                             \
        for (int64_t x = 0; x < n; x++)                                                                      \
            out[x] = weight[0] * (float)row[x];                                                              \
        for (int32_t j = 1; j < taps; j++) {                                                                 \
            row = rows[j];                                                                                   \
            for (int64_t x = 0; x < n; x++)                                                                  \
                out[x] += weight[j] * (float)row[x];                                                         \
        }                                                                                                    \
    }
DEFINE_COMBINE(u8, uint8_t)
DEFINE_COMBINE(i8, int8_t)
DEFINE_COMBINE(u16, uint16_t)
DEFINE_COMBINE(i16, int16_t)
DEFINE_COMBINE(f32, float)

static void across_c(float *out, const float *row, const mtm_resample_line *x)
{
    for (int64_t i = 0; i < x->count; i++) {
        const float *const w = x->weight + i * x->taps, *const r = row + x->first[i];
        float sum = w[0] * r[0];

        for (int32_t j = 1; j < x->n[i]; j++)
            if (w[j] != 0)
                sum += w[j] * r[j];
        out[i] = sum;
    }
}

#define SET_TIER(k, tier)                                                                                    \
    (k)->combine[MTM_ROW_U8] = mtm_combine_u8_##tier;                                                        \
    (k)->combine[MTM_ROW_I8] = mtm_combine_i8_##tier;                                                        \
    (k)->combine[MTM_ROW_U16] = mtm_combine_u16_##tier;                                                      \
    (k)->combine[MTM_ROW_I16] = mtm_combine_i16_##tier;                                                      \
    (k)->combine[MTM_ROW_F32] = mtm_combine_f32_##tier;                                                      \
    (k)->across = mtm_across_##tier

void mtm_resample_kernels_init(mtm_resample_kernels *k, unsigned cpu)
{
    k->combine[MTM_ROW_U8] = combine_u8_c;
    k->combine[MTM_ROW_I8] = combine_i8_c;
    k->combine[MTM_ROW_U16] = combine_u16_c;
    k->combine[MTM_ROW_I16] = combine_i16_c;
    k->combine[MTM_ROW_F32] = combine_f32_c;
    k->across = across_c;
#if defined(__x86_64__)
    if (cpu & MTM_CPU_AVX2) {
        SET_TIER(k, avx2);
    }
    if (cpu & MTM_CPU_AVX512) {
        SET_TIER(k, avx512);
    }
#endif
}

/* ---- the sweep ---------------------------------------------------------------------------------------- */

/* Rows (or planes) that are kept: row r lies in slot r mod slots while tag[slot] = r. */
typedef struct ring {
    float *data;
    int64_t *tag;
    int32_t slots;
    size_t pitch; /* floats */
} ring;

typedef struct sweep {
    const mtm_resample_kernels *k;
    const mtm_resample_plan *p;
    const mtm_resample_source *in;
    const char *data; /* the voxel at coordinate (0, 0, low of X), perhaps outside of the memory */
    int64_t in_width;
    size_t plane_pitch;            /* floats from row to row of a plane */
    float *row[2];                 /* temporary rows */
    const void **z_taps, **y_taps; /* the rows that are combined along Z and Y */
    ring rows, planes;
} sweep;

static float *ring_slot(const ring *r, int64_t i, bool *fresh)
{
    const int64_t slot = i % r->slots;

    *fresh = r->tag[slot] != i;
    r->tag[slot] = i;
    return r->data + (size_t)slot * r->pitch;
}

static const char *input_row(const sweep *s, int64_t z, int64_t y)
{
    return s->data + (z - s->in->start[0]) * s->in->stride[0] + (y - s->in->start[1]) * s->in->stride[1];
}

/* Writes `row` filtered along X to out. */
static void filter_x(const sweep *s, float *out, const float *row)
{
    s->k->across(out, row, &s->p->line[2]);
}

/* Input row (z, y) as floats, filtered along X when that comes first. */
static void load_row(const sweep *s, float *out, int64_t z, int64_t y)
{
    const bool x_first = s->p->order == MTM_RESAMPLE_XYZ;
    float *const row = x_first ? s->row[0] : out;

    mtm_row_load(row, input_row(s, z, y), s->in->dtype, s->in->stride[2], s->in_width);
    if (x_first)
        filter_x(s, out, row);
}

/* Row y of output slice z, combined along Z straight from the input. */
static void combine_z_input(const sweep *s, float *out, int64_t z, int64_t y)
{
    const mtm_resample_line *const l = &s->p->line[0];
    const int32_t n = l->n[z];

    for (int32_t j = 0; j < n; j++) {
        if (s->p->direct) {
            s->z_taps[j] = input_row(s, l->first[z] + j, y);
        } else {
            float *const row = s->planes.data + (size_t)j * s->planes.pitch;

            load_row(s, row, l->first[z] + j, y);
            s->z_taps[j] = row;
        }
    }
    s->k->combine[s->p->direct ? mtm_row_type_of(s->in->dtype) : MTM_ROW_F32](
        out, s->z_taps, l->weight + z * l->taps, n, s->in_width);
}

/* Output row y of input slice z, combined along Y. */
static void combine_y_input(const sweep *s, float *out, int64_t z, int64_t y)
{
    const mtm_resample_line *const l = &s->p->line[1];
    const bool load = !s->p->direct || s->p->order == MTM_RESAMPLE_XYZ;
    const int64_t width = s->p->order == MTM_RESAMPLE_XYZ ? s->p->line[2].count : s->in_width;

    for (int32_t j = 0; j < l->n[y]; j++) {
        const int64_t from = l->first[y] + j;
        bool fresh;

        if (!load) {
            s->y_taps[j] = input_row(s, z, from);
            continue;
        }
        float *const row = ring_slot(&s->rows, from, &fresh);

        if (fresh)
            load_row(s, row, z, from);
        s->y_taps[j] = row;
    }
    s->k->combine[load ? MTM_ROW_F32 : mtm_row_type_of(s->in->dtype)](out, s->y_taps, l->weight + y * l->taps,
                                                                      l->n[y], width);
}

static void ring_clear(const ring *r)
{
    for (int32_t i = 0; i < r->slots; i++)
        r->tag[i] = -1;
}

/* Where output row (·, y) is made: in place when its voxels are neighbours. */
static float *row_begin(const sweep *s, char *out, const int64_t stride[3])
{
    return stride[2] == (int64_t)sizeof(float) ? (float *)out : s->row[1];
}

static void row_end(const sweep *s, const float *row, char *out, int64_t stride)
{
    if (row != s->row[1])
        return;
    for (int64_t x = 0; x < s->p->line[2].count; x++)
        memcpy(out + x * stride, &row[x], sizeof *row);
}

/* Sums `taps` of the n floats wide rows for output i of line l into an output row, along X too when that comes last. */
static void finish_row(const sweep *s, const void *const *taps, const mtm_resample_line *l, int64_t i,
                       char *out, const int64_t stride[3])
{
    const bool x_last = s->p->order == MTM_RESAMPLE_ZYX || s->p->order == MTM_RESAMPLE_YZX;
    float *const to = row_begin(s, out, stride);

    s->k->combine[MTM_ROW_F32](x_last ? s->row[0] : to, taps, l->weight + i * l->taps, l->n[i],
                               x_last ? s->in_width : s->p->line[2].count);
    if (x_last)
        filter_x(s, to, s->row[0]);
    row_end(s, to, out, stride[2]);
}

/* Z before Y: one output slice, through a ring of rows that are combined along Z. */
static void slice_from_rows(const sweep *s, int64_t z, char *out, const int64_t stride[3])
{
    const mtm_resample_line *const l = &s->p->line[1];
    const bool x_second = s->p->order == MTM_RESAMPLE_ZXY;

    ring_clear(&s->rows);
    for (int64_t y = 0; y < l->count; y++) {
        for (int32_t j = 0; j < l->n[y]; j++) {
            bool fresh;
            float *const row = ring_slot(&s->rows, l->first[y] + j, &fresh);

            s->y_taps[j] = row;
            if (!fresh)
                continue;
            combine_z_input(s, x_second ? s->row[0] : row, z, l->first[y] + j);
            if (x_second)
                filter_x(s, row, s->row[0]);
        }
        finish_row(s, s->y_taps, l, y, out + y * stride[1], stride);
    }
}

/* All output rows of input slice z. */
static void fill_plane(const sweep *s, float *plane, int64_t z)
{
    const mtm_resample_line *const l = &s->p->line[1];
    const bool x_second = s->p->order == MTM_RESAMPLE_YXZ;

    ring_clear(&s->rows);
    for (int64_t y = 0; y < l->count; y++) {
        float *const row = plane + (size_t)y * s->plane_pitch;

        combine_y_input(s, x_second ? s->row[0] : row, z, y);
        if (x_second)
            filter_x(s, row, s->row[0]);
    }
}

/* Y before Z: one output slice, through a ring of planes that are combined along Y. */
static void slice_from_planes(const sweep *s, int64_t z, char *out, const int64_t stride[3])
{
    const mtm_resample_line *const l = &s->p->line[0];

    for (int32_t j = 0; j < l->n[z]; j++) {
        bool fresh;
        float *const plane = ring_slot(&s->planes, l->first[z] + j, &fresh);

        if (fresh)
            fill_plane(s, plane, l->first[z] + j);
        s->z_taps[j] = plane;
    }
    for (int64_t y = 0; y < s->p->line[1].count; y++) {
        finish_row(s, s->z_taps, l, z, out + y * stride[1], stride);
        for (int32_t j = 0; j < l->n[z]; j++)
            s->z_taps[j] = (const float *)s->z_taps[j] + s->plane_pitch;
    }
}

/* Divides the scratch memory; what is taken here is what scratch_bytes of the plan counts. */
static void sweep_begin(sweep *s, void *scratch)
{
    const mtm_resample_plan *const p = s->p;
    const mtm_resample_line *const z = &p->line[0], *const y = &p->line[1];
    const bool planes = p->order >= MTM_RESAMPLE_YZX;
    const bool narrow = p->order != MTM_RESAMPLE_ZYX && p->order != MTM_RESAMPLE_YZX;
    const size_t longest = mtm_resample_pitch(mtm_max_i64(s->in_width, p->line[2].count));
    const size_t ring_pitch = mtm_resample_pitch(narrow ? p->line[2].count : s->in_width);
    float *at = scratch;

    s->row[0] = at, at += longest;
    s->row[1] = at, at += longest;
    s->plane_pitch = ring_pitch;
    s->rows = (ring){.data = at, .slots = y->taps, .pitch = planes ? longest : ring_pitch};
    at += (size_t)y->taps * s->rows.pitch;
    s->planes =
        (ring){.data = at, .slots = z->taps, .pitch = planes ? (size_t)y->count * ring_pitch : longest};
    at += planes || !p->direct ? (size_t)z->taps * s->planes.pitch : 0;
    s->z_taps = (const void **)at;
    s->y_taps = s->z_taps + z->taps;
    s->rows.tag = (int64_t *)(s->y_taps + y->taps);
    s->planes.tag = s->rows.tag + y->taps;
    ring_clear(&s->rows);
    ring_clear(&s->planes);
}

void mtm_resample_run(const mtm_resample_kernels *k, const mtm_resample_plan *p,
                      const mtm_resample_source *in, int64_t z0, int64_t z1, float *out,
                      const int64_t out_stride[3], void *scratch)
{
    const mtm_resample_line *const x = &p->line[2];
    sweep s = {.k = k, .p = p, .in = in, .in_width = x->high - x->low};

    if (p->line[1].count == 0 || x->count == 0)
        return;
    s.data = (const char *)in->data + (x->low - in->start[2]) * in->stride[2];
    sweep_begin(&s, scratch);
    for (int64_t z = z0; z < z1; z++) {
        char *const slice = (char *)out + z * out_stride[0];

        if (p->order >= MTM_RESAMPLE_YZX)
            slice_from_planes(&s, z, slice, out_stride);
        else
            slice_from_rows(&s, z, slice, out_stride);
    }
}

/* ---- nearest ------------------------------------------------------------------------------------------ */

#define COPY_ROW(type)                                                                                       \
    for (int64_t i = 0; i < n; i++)                                                                          \
        memcpy(out + i * out_stride, row + first[i] * stride, sizeof(type));                                 \
    break

static void copy_row(char *out, int64_t out_stride, const char *row, int64_t stride, const int64_t *first,
                     int64_t n, size_t elem_bytes)
{
    switch (elem_bytes) {
    case 1: COPY_ROW(uint8_t);
    case 2: COPY_ROW(uint16_t);
    case 4: COPY_ROW(uint32_t);
    default: COPY_ROW(uint64_t);
    }
}

void mtm_resample_nearest(const mtm_resample_plan *p, const mtm_resample_source *in, int64_t z0, int64_t z1,
                          void *out, const int64_t out_stride[3])
{
    const mtm_resample_line *const l = p->line;
    const char *const data = (const char *)in->data + (l[2].low - in->start[2]) * in->stride[2];

    for (int64_t z = z0; z < z1; z++)
        for (int64_t y = 0; y < l[1].count; y++)
            copy_row((char *)out + z * out_stride[0] + y * out_stride[1], out_stride[2],
                     data + (l[0].first[z] - in->start[0]) * in->stride[0] +
                         (l[1].first[y] - in->start[1]) * in->stride[1],
                     in->stride[2], l[2].first, l[2].count, mtm_dtype_size(in->dtype));
}
