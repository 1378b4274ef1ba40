/* op/intensity/motion.c: motion, a head that moved between the lines of k-space, and its random form.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/error.h"
#include "op/intensity/fourier.h"
#include "op/intensity/rows.h"
#include "op/random.h"
#include "op/spatial/spatial.h"
#include "op/stats.h"

enum { MOST_MOVES = 10 };

typedef struct motion_args {
    mtm_floats degrees, translations, times;
    mtm_ints axis;
} motion_args;

/* ---- arguments ------------------------------------------------------------------------------------------ */

/* Numbers per move: angles and translations. */
static int angles(int spatial)
{
    return spatial == 2 ? 1 : 3;
}

static mtm_status check_counts(const motion_args *a, int spatial, mtm_error *err)
{
    const int n = a->times.n;

    if (a->degrees.n != n * angles(spatial) || a->translations.n != n * spatial)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "times has %d moves, degrees %d numbers and translations %d; a move in %d-D has %d "
                        "and %d",
                        n, (int)a->degrees.n, (int)a->translations.n, spatial, angles(spatial), spatial);
    return MTM_OK;
}

/* None: the slowest axis that has more than one voxel. */
static mtm_status axis_of(const mtm_ints *given, const mtm_spec *in, int *axis, mtm_error *err)
{
    if (given->n)
        return mtm_axis_index(given->v[0], "axis", in, axis, err);
    for (*axis = 0; *axis < 2 && in->size[*axis] == 1;)
        ++*axis;
    return MTM_OK;
}

static mtm_status check_axis(const mtm_ints *given, mtm_error *err)
{
    if (given->n > 1)
        return mtm_fail(err, MTM_E_INVAL, -1, "axis is one number or None, not %d numbers", (int)given->n);
    return MTM_OK;
}

static mtm_status motion_check(const void *args, mtm_error *err)
{
    const motion_args *const a = args;

    MTM_TRY(check_axis(&a->axis, err));
    if (a->times.n < 1 || a->times.n > MOST_MOVES)
        return mtm_fail(err, MTM_E_INVAL, -1, "times has %d moves; 1 to %d are possible", (int)a->times.n,
                        MOST_MOVES);
    for (int32_t i = 1; i < a->times.n; i++)
        if (a->times.v[i] < a->times.v[i - 1])
            return mtm_fail(err, MTM_E_INVAL, -1, "times: %g comes after %g", a->times.v[i],
                            a->times.v[i - 1]);
    return check_counts(a, 2, NULL) == MTM_OK ? MTM_OK : check_counts(a, 3, err);
}

static mtm_status motion_infer(const void *args, const mtm_spec *in, mtm_spec *out, mtm_error *err)
{
    const motion_args *const a = args;
    int axis;

    MTM_TRY(axis_of(&a->axis, in, &axis, err));
    return check_counts(a, in->spatial, err);
}

/* ---- where a move takes voxels from ----------------------------------------------------------------------- */

/* Rz · Rx · Ry, each right-handed. */
static void rotation(const double degrees[3], double r[3][3])
{
    const double x = degrees[0] * M_PI / 180, y = degrees[1] * M_PI / 180, z = degrees[2] * M_PI / 180;
    const double cx = cos(x), sx = sin(x), cy = cos(y), sy = sin(y), cz = cos(z), sz = sin(z);
    const double m[3][3] = {{cz * cy - sz * sx * sy, -sz * cx, cz * sy + sz * sx * cy},
                            {sz * cy + cz * sx * sy, cz * cx, sz * sy - cz * sx * cy},
                            {-cx * sy, sx, cx * cy}};

    memcpy(r, m, sizeof m);
}

/* mm per voxel along x, y, z; 1 where the picture does not say. */
static void voxel_mm(const mtm_spec *spec, double mm[3])
{
    for (int i = 0; i < 3; i++)
        mm[i] =
            spec->has_affine ? hypot(hypot(spec->affine[i], spec->affine[4 + i]), spec->affine[8 + i]) : 1;
}

/* Move i as a matrix output → input of continuous voxel coordinates: R (p − middle) + middle + t, in mm. */
static void move_matrix(const motion_args *a, int i, const mtm_spec *spec, double m[12])
{
    double degrees[3] = {0}, shift[3] = {0}, mm[3], r[3][3];

    for (int k = 0; k < angles(spec->spatial); k++)
        degrees[spec->spatial == 2 ? 2 : k] = a->degrees.v[i * angles(spec->spatial) + k];
    for (int k = 0; k < spec->spatial; k++)
        shift[k] = a->translations.v[i * spec->spatial + k];
    rotation(degrees, r);
    voxel_mm(spec, mm);
    for (int row = 0; row < 3; row++) {
        m[4 * row + 3] = 0.5 * (double)spec->size[2 - row] + shift[row] / mm[row];
        for (int k = 0; k < 3; k++) {
            m[4 * row + k] = r[row][k] * mm[k] / mm[row];
            m[4 * row + 3] -= m[4 * row + k] * 0.5 * (double)spec->size[2 - k];
        }
    }
}

/* The picture after move i, channel by channel: outside lies the channel's minimum. */
static mtm_status move(mtm_exec *x, const motion_args *a, int i, const mtm_spec *spec, const mtm_stats *st,
                       const mtm_array *in, mtm_array *out, mtm_error *err)
{
    const int64_t origin[3] = {0};
    double m[12];
    mtm_geometry g;

    move_matrix(a, i, spec, m);
    for (int64_t c = 0; c < in->shape[0]; c++) {
        mtm_array from = *in, to = *out;

        from.shape[0] = to.shape[0] = 1;
        from.data = (char *)in->data + c * in->stride[0];
        to.data = (char *)out->data + c * out->stride[0];
        mtm_geometry_affine(&g, spec, spec->size, m, MTM_LINEAR, MTM_CONSTANT, st[c].min);
        MTM_TRY(mtm_geometry_run(x, &g, &from, origin, false, NULL, &to, err));
    }
    return MTM_OK;
}

/* ---- k-space ---------------------------------------------------------------------------------------------- */

/* Which picture (0: the unmoved one) place i of an axis of n frequencies, 0 in the middle, is taken from. */
static int picture_at(const motion_args *a, int64_t i, int64_t n)
{
    int segment = 0, middle = 0;

    for (int k = 0; k < a->times.n; k++) {
        const int64_t begin = (int64_t)(a->times.v[k] * (double)n);

        segment += i >= begin, middle += n / 2 >= begin;
    }
    return segment == middle ? 0 : segment == 0 ? middle : segment;
}

/* Weights of a picture's frequencies, made even: the real part of the inverse. False: all are 0. */
static bool weights_of(const motion_args *a, int picture, int64_t n, double *weight)
{
    bool any = false;

    for (int64_t f = 0; f < n; f++) {
        weight[f] = 0.5 * ((picture_at(a, (f + n / 2) % n, n) == picture) +
                           (picture_at(a, (n - f + n / 2) % n, n) == picture));
        any |= weight[f] > 0;
    }
    return any;
}

static mtm_status add_moves(mtm_exec *x, const motion_args *a, const mtm_spec *spec, const mtm_array *in,
                            int axis, double *weight, mtm_array *out, mtm_error *err)
{
    const mtm_stats_request r = {.flags = MTM_STAT_RANGE | MTM_STAT_CHANNELS};
    MTM_AUTO_MEM mtm_stats *st = mtm_alloc_zero((size_t)in->shape[0], sizeof *st);
    mtm_status s;
    void *memory;

    if (!st)
        return MTM_NOMEM(err);
    MTM_TRY(mtm_op_stats(x, in, &r, st, err));
    MTM_TRY(mtm_scratch_borrow(x, (size_t)mtm_array_count(in) * sizeof(float), &memory, err));
    mtm_array moved = mtm_array_wrap(memory, MTM_F32, 4, in->shape);
    s = MTM_OK;
    for (int i = 0; s == MTM_OK && i < a->times.n; i++) {
        if (!weights_of(a, i + 1, spec->size[axis], weight))
            continue;
        s = move(x, a, i, spec, st, in, &moved, err);
        if (s == MTM_OK)
            s = mtm_fourier_lines(x, &moved, out, axis, weight, true, err);
    }
    mtm_scratch_return(x, memory);
    return s;
}

static mtm_status motion_rows(mtm_exec *x, const void *args, const mtm_spec *spec, const mtm_array *in,
                              mtm_array *out, mtm_error *err)
{
    const motion_args *const a = args;
    int axis;

    MTM_TRY(axis_of(&a->axis, spec, &axis, err));
    MTM_AUTO_MEM double *weight = mtm_alloc_zero((size_t)spec->size[axis], sizeof *weight);
    if (!weight)
        return MTM_NOMEM(err);
    weights_of(a, 0, spec->size[axis], weight);
    MTM_TRY(mtm_fourier_lines(x, in, out, axis, weight, false, err));
    return add_moves(x, a, spec, in, axis, weight, out, err);
}

static mtm_status motion_run(mtm_exec *x, const void *args, const mtm_spec *spec, const mtm_array *in,
                             mtm_array *out, mtm_error *err)
{
    return mtm_rows_run(x, args, spec, in, out, motion_rows, err);
}

#define AXIS_PARAM(args)                                                                                     \
    {"axis",                                                                                                 \
     MTM_PARAM_INTS,                                                                                         \
     offsetof(args, axis),                                                                                   \
     "None",                                                                                                 \
     -3,                                                                                                     \
     2,                                                                                                      \
     NULL,                                                                                                   \
     "axes",                                                                                                 \
     "Spatial axis, in array order, along which k-space fills up; None: the first of more than one voxel."}

static const mtm_param motion_params[] = {
    {"degrees", MTM_PARAM_FLOATS, offsetof(motion_args, degrees), NULL, -360, 360, NULL, "degrees",
     "Rotation of each move about (x, y, z), one after the other; planes: one angle per move."},
    {"translations", MTM_PARAM_FLOATS, offsetof(motion_args, translations), NULL, -1e6, 1e6, NULL, "mm",
     "Translation (x, y, z) of each move; planes: (x, y). Voxels where the picture has no affine."},
    {"times", MTM_PARAM_FLOATS, offsetof(motion_args, times), NULL, 0, 1, NULL, "",
     "When each move happens, as a share of the acquisition; rising, at most 10 moves."},
    AXIS_PARAM(motion_args),
};

const mtm_op mtm_op_motion = {
    .name = "motion",
    .doc =
        "Compose k-space from pictures of a head that moves during the acquisition.\n"
        "\n"
        "Move i gives a picture whose voxel p comes from R (p - middle) + middle + t of the input, R = Rz Rx "
        "Ry, in mm\n"
        "along the array's x, y, z, linear, the channel's minimum outside. Along `axis`, with frequencies "
        "ordered so that\n"
        "0 stands at n // 2, the discrete Fourier transform's planes from floor(times[i] n) to "
        "floor(times[i+1] n) - 1 are\n"
        "taken from picture i, those before the first time from the input; then the input and the picture "
        "that has the\n"
        "middle change places, and the real part of the inverse is taken: TorchIO's Motion (Shaw et al., "
        "MIDL 2019), but\n"
        "for its centre of rotation, which is the origin of the patient's space there, and for planes, "
        "where its axis has\n"
        "one voxel. Gives float32; label maps stay as they are. Errors: no finite voxel.",
    .kind = MTM_OP_FILTER,
    .params = motion_params,
    .n_params = MTM_COUNT(motion_params),
    .args_bytes = sizeof(motion_args),
    .check = motion_check,
    .infer = motion_infer,
    .run = motion_run,
};

/* ---- random_motion ------------------------------------------------------------------------------------ */

typedef struct random_motion_args {
    mtm_random_head head;
    mtm_floats degrees, translations;
    mtm_ints count, axis;
} random_motion_args;

static mtm_status random_motion_check(const void *args, mtm_error *err)
{
    const random_motion_args *const a = args;

    MTM_TRY(mtm_range_check(&a->degrees, "degrees", err));
    MTM_TRY(mtm_range_check(&a->translations, "translations", err));
    MTM_TRY(check_axis(&a->axis, err));
    return mtm_range_check_ints(&a->count, "count", err);
}

static mtm_status random_motion_infer(const void *args, const mtm_spec *in, mtm_spec *out, mtm_error *err)
{
    int axis;

    return axis_of(&((const random_motion_args *)args)->axis, in, &axis, err);
}

/* Every move's numbers in one order, those of moves that do not happen too. */
static mtm_status random_motion_draw(const void *args, mtm_draw *d, const mtm_spec *in, const mtm_op **target,
                                     void *target_args, mtm_error *err)
{
    const random_motion_args *const a = args;
    motion_args *const t = target_args;
    const bool acts = mtm_rng_uniform(&d->rng) < a->head.p;
    const int n = (int)mtm_range_draw_int(d, &a->count);
    const double step = 1 / (double)(n + 1);

    t->axis = a->axis, t->times.n = n;
    t->degrees.n = n * angles(in->spatial), t->translations.n = n * in->spatial;
    for (int i = 0; i < n; i++)
        t->times.v[i] = step * (i + 1 + mtm_rng_range(&d->rng, -0.3, 0.3));
    for (int i = 0; i < t->degrees.n; i++)
        t->degrees.v[i] = mtm_range_draw(d, &a->degrees);
    for (int i = 0; i < t->translations.n; i++)
        t->translations.v[i] = mtm_range_draw(d, &a->translations);
    for (int i = 0; in->spatial == 3 && in->size[0] == 1 && i < n; i++) /* one slice stays in its plane */
        t->degrees.v[3 * i] = t->degrees.v[3 * i + 1] = t->translations.v[3 * i + 2] = 0;
    *target = acts ? &mtm_op_motion : NULL;
    return MTM_OK;
}

static const mtm_param random_motion_params[] = {
    {"degrees", MTM_PARAM_FLOATS, offsetof(random_motion_args, degrees), "(-10, 10)", -360, 360, NULL,
     "degrees", "Every angle of every move, or its range."},
    {"translations", MTM_PARAM_FLOATS, offsetof(random_motion_args, translations), "(-10, 10)", -1e6, 1e6,
     NULL, "mm", "Every translation of every move, or its range."},
    {"count", MTM_PARAM_INTS, offsetof(random_motion_args, count), "2", 1, MOST_MOVES, NULL, "",
     "How many moves, or the range, both ends included."},
    AXIS_PARAM(random_motion_args),
    MTM_RANDOM_PARAMS(random_motion_args, "0.5"),
};

const mtm_op mtm_op_random_motion = {
    .name = "random_motion",
    .doc = "Compose k-space from pictures of a head that moves at random, with probability p.\n"
           "\n"
           "As motion, drawn as TorchIO's RandomMotion draws: n moves at times (i + u) / (n + 1), i = 1 ... "
           "n, u uniform in\n"
           "(-0.3, 0.3); angles and translations uniform in (low, high); one number is fixed. Gives float32.",
    .kind = MTM_OP_RANDOM,
    .params = random_motion_params,
    .n_params = MTM_COUNT(random_motion_params),
    .args_bytes = sizeof(random_motion_args),
    .check = random_motion_check,
    .infer = random_motion_infer,
    .target = &mtm_op_motion,
    .draw = random_motion_draw,
};
