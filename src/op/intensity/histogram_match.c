/* op/intensity/histogram_match.c: histogram_match. Both images' voxels are sorted with their places; every value of the one
 * then walks through the values of the other once.
 * SPDX-License-Identifier: Apache-2.0 */
#include "array/array.h"
#include "kernel/sort.h"
#include "op/exec.h"

#include <math.h>

#define COUNT(a) ((int32_t)(sizeof(a) / sizeof *(a)))

typedef struct histogram_match_args {
    const mtm_array *reference;
    bool channel_wise;
} histogram_match_args;

/* Memory for n pairs and what sorting them takes. */
typedef struct sorted {
    uint64_t *pair, *other;
    uint32_t *counts;
    int64_t n;
} sorted;

static bool is_finite_key(uint32_t key)
{
    return key > mtm_sort_key(-INFINITY) && key < mtm_sort_key(INFINITY);
}

/* The finite voxels of a view, in order of their values; the lower halves are their logical numbers. */
static void sort_voxels(const mtm_exec *x, const mtm_array *a, sorted *s)
{
    const mtm_rows rows = mtm_rows_over(&x->kernels.convert, a);
    _Alignas(64) float stage[MTM_ROWS_BLOCK];

    s->n = 0;
    for (int64_t at = 0; at < rows.count; at += MTM_ROWS_BLOCK) {
        const int64_t n = mtm_min_i64(MTM_ROWS_BLOCK, rows.count - at);
        const float *const v = mtm_rows_fetch(&rows, at, n, MTM_F32, stage);

        for (int64_t i = 0; i < n; i++) {
            const uint32_t key = mtm_sort_key(v[i]);

            if (is_finite_key(key))
                s->pair[s->n++] = (uint64_t)key << 32 | (uint32_t)(at + i);
        }
    }
    mtm_sort_pairs(s->pair, s->other, s->counts, (size_t)s->n);
}

/* −0 and 0 are one value. */
static float value_of(uint64_t pair)
{
    return mtm_sort_value((uint32_t)(pair >> 32)) + 0.0f;
}

/* Behind the last pair of the value that begins at i. */
static int64_t end_of(const uint64_t *pair, int64_t i, int64_t n)
{
    const float v = value_of(pair[i]);

    while (i < n && value_of(pair[i]) == v)
        i++;
    return i;
}

/* A value of the reference and which share of its voxels is not above it. */
typedef struct knot {
    double share, value;
} knot;

static knot next_knot(const sorted *ref, int64_t *at)
{
    const double value = (double)value_of(ref->pair[*at]);

    *at = end_of(ref->pair, *at, ref->n);
    return (knot){(double)*at / (double)ref->n, value};
}

/* Writes for every value of src the reference's value of the same share, interpolated as numpy.interp does. */
static void match_values(const sorted *src, const sorted *ref, float *out)
{
    int64_t at = 0;
    knot b = next_knot(ref, &at), a = {0, b.value};

    for (int64_t i = 0, end; i < src->n; i = end) {
        double share, v;

        end = end_of(src->pair, i, src->n);
        share = (double)end / (double)src->n;
        while (b.share <= share && at < ref->n) {
            a = b;
            b = next_knot(ref, &at);
        }
        if (share >= b.share)
            v = b.value;
        else
            v = (b.value - a.value) / (b.share - a.share) * (share - a.share) + a.value;
        for (int64_t k = i; k < end; k++)
            out[(uint32_t)src->pair[k]] = (float)v;
    }
}

/* in: any view; out: its voxels in logical order. */
static mtm_status match_one(mtm_exec *x, const mtm_array *in, const mtm_array *ref, void *memory, float *out,
                            mtm_error *err)
{
    const int64_t n = mtm_array_count(in), m = mtm_array_count(ref), most = mtm_max_i64(n, m);
    uint32_t *const counts = memory;
    uint64_t *const pairs = (uint64_t *)(void *)(counts + 3 * MTM_SORT_BINS);
    sorted source = {.pair = pairs, .other = pairs + most, .counts = counts};
    sorted wanted = {.pair = pairs + 2 * most, .other = pairs + most, .counts = counts};

    sort_voxels(x, ref, &wanted);
    if (wanted.n == 0)
        return mtm_fail(err, MTM_E_INVAL, -1, "no voxel of the reference is finite");
    sort_voxels(x, in, &source);
    if (source.n == 0)
        return mtm_fail(err, MTM_E_INVAL, -1, "no voxel is finite");
    match_values(&source, &wanted, out);
    return MTM_OK;
}

static mtm_array channel_of(const mtm_array *a, int64_t c)
{
    mtm_array v = *a;

    v.shape[0] = 1, v.owner = NULL;
    v.data = (char *)v.data + c * v.stride[0];
    return v;
}

static mtm_status match_channels(mtm_exec *x, const histogram_match_args *a, const mtm_array *in,
                                 void *memory, mtm_array *out, mtm_error *err)
{
    const int64_t each = mtm_array_count(in) / in->shape[0];

    if (!a->channel_wise)
        return match_one(x, in, a->reference, memory, out->data, err);
    for (int64_t c = 0; c < in->shape[0]; c++) {
        const mtm_array part = channel_of(in, c), ref = channel_of(a->reference, c);

        MTM_TRY(match_one(x, &part, &ref, memory, (float *)out->data + c * each, err));
    }
    return MTM_OK;
}

static mtm_status histogram_match_infer(const void *args, const mtm_spec *in, mtm_spec *out, mtm_error *err)
{
    const histogram_match_args *const a = args;
    const int64_t n = mtm_array_count(a->reference),
                  own = in->channels * in->size[0] * in->size[1] * in->size[2];

    if (n == 0)
        return mtm_fail(err, MTM_E_INVAL, -1, "the reference is empty");
    if (n > UINT32_MAX || own > UINT32_MAX)
        return mtm_fail(err, MTM_E_LIMIT, -1, "more than 2^32 voxels");
    if (a->channel_wise && a->reference->shape[0] != in->channels)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "the reference's first axis has %" PRId64 " channels, the image %" PRId64,
                        a->reference->shape[0], in->channels);
    return MTM_OK;
}

/* Voxels that are not finite keep their values, so the input is copied first. */
static mtm_status histogram_match_run(mtm_exec *x, const void *args, const mtm_spec *spec,
                                      const mtm_array *in, mtm_array *out, mtm_error *err)
{
    const histogram_match_args *const a = args;
    const int64_t n = mtm_array_count(in), m = mtm_array_count(a->reference), most = mtm_max_i64(n, m);
    const size_t bytes = 3 * MTM_SORT_BINS * sizeof(uint32_t) + (size_t)(2 * most + m) * sizeof(uint64_t);
    mtm_array to;
    void *memory, *voxels;
    mtm_status s;

    if (spec->label)
        return mtm_array_convert(out, in, 1, 0, x->pool, err);
    MTM_TRY(mtm_scratch_borrow(x, (size_t)n * sizeof(float), &voxels, err));
    to = mtm_array_wrap(voxels, MTM_F32, 4, in->shape);
    s = mtm_array_convert(&to, in, 1, 0, x->pool, err);
    if (s == MTM_OK)
        s = mtm_scratch_borrow(x, bytes, &memory, err);
    if (s == MTM_OK) {
        s = match_channels(x, a, in, memory, &to, err);
        mtm_scratch_return(x, memory);
    }
    if (s == MTM_OK)
        s = mtm_array_convert(out, &to, 1, 0, x->pool, err);
    mtm_scratch_return(x, voxels);
    return s;
}

static const mtm_param histogram_match_params[] = {
    {"reference", MTM_PARAM_ARRAY, offsetof(histogram_match_args, reference), NULL, 0, 0, NULL, "",
     "The image whose values are wanted, of any shape; with channel_wise its first axis holds channels."},
    {"channel_wise", MTM_PARAM_BOOL, offsetof(histogram_match_args, channel_wise), "False", 0, 0, NULL, "",
     "Each channel by the reference's channel; else all voxels together."},
};

const mtm_op mtm_op_histogram_match = {
    .name = "histogram_match",
    .doc =
        "Give the image the histogram of another one.\n"
        "\n"
        "Exact, without bins: each value becomes the reference's value of the same share of voxels that are\n"
        "not above it, linearly between the reference's values: scikit-image's match_histograms. Values are\n"
        "compared as float32. Voxels that are not finite take no part and stay. Any shape; gives float32;\n"
        "label maps stay as they are. Takes 24 bytes of memory for each voxel. Errors: no finite voxel\n"
        "in the image or the reference.",
    .kind = MTM_OP_FILTER,
    .params = histogram_match_params,
    .n_params = COUNT(histogram_match_params),
    .args_bytes = sizeof(histogram_match_args),
    .infer = histogram_match_infer,
    .run = histogram_match_run,
};
