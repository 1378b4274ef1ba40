/* op/spatial/elastic.c: operators that displace every voxel by its own amount: elastic, grid_distortion, and their random forms.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "op/random.h"
#include "op/spatial/spatial.h"

enum { MOST_VOXELS = 1000000, MOST_SIGMA = 1000 };

/* ---- elastic ------------------------------------------------------------------------------------------- */

enum { UNIT_VOXELS, UNIT_MM };

typedef struct elastic_args {
    mtm_floats sigma, magnitude, max_displacement;
    mtm_ints control_points;
    int64_t locked_borders;
    int32_t unit;
    uint64_t seed;
    int32_t interp, border;
    double value;
} elastic_args;

/* That one of the two kinds is asked for, and all of it. */
static mtm_status one_kind(const mtm_floats *sigma, const mtm_floats *magnitude, const mtm_floats *most,
                           mtm_error *err)
{
    if (most->n && (sigma->n || magnitude->n))
        return mtm_fail(
            err, MTM_E_INVAL, -1,
            "max_displacement is one kind of field, sigma and magnitude are another: give one of them");
    if (!most->n && (!sigma->n || !magnitude->n))
        return mtm_fail(err, MTM_E_INVAL, -1, "give max_displacement, or sigma and magnitude");
    return MTM_OK;
}

static mtm_status check_borders(const mtm_ints *control, int64_t locked, mtm_error *err)
{
    for (int32_t i = 0; i < control->n; i++)
        if (2 * locked >= control->v[i])
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "locked_borders %" PRId64 " holds all of %" PRId64 " control_points", locked,
                            control->v[i]);
    return MTM_OK;
}

static mtm_status elastic_check(const void *args, mtm_error *err)
{
    const elastic_args *const a = args;

    MTM_TRY(one_kind(&a->sigma, &a->magnitude, &a->max_displacement, err));
    return check_borders(&a->control_points, a->locked_borders, err);
}

/* A length per axis ([Z, Y, X]) as voxels in x, y, z; a plane has none along z. */
static mtm_status lengths(const elastic_args *a, const mtm_floats *given, const char *name,
                          const mtm_spec *in, double out[3], mtm_error *err)
{
    double v[3], mm[3] = {1, 1, 1};

    MTM_TRY(mtm_axis_floats(given, name, in, 0, v, err));
    if (a->unit == UNIT_MM)
        MTM_TRY(mtm_axis_mm(in, mm, err));
    for (int i = 0; i < 3; i++)
        out[2 - i] = v[i] / mm[i];
    return MTM_OK;
}

static mtm_status spline_field(const elastic_args *a, const mtm_spec *in, mtm_displacement *d, mtm_error *err)
{
    int64_t control[3];

    d->kind = MTM_DISPLACE_SPLINE;
    d->locked_borders = (int32_t)a->locked_borders;
    MTM_TRY(mtm_axis_ints(&a->control_points, "control_points", in, 1, control, err));
    for (int i = 0; i < 3; i++)
        d->control[2 - i] = (int32_t)control[i];
    return lengths(a, &a->max_displacement, "max_displacement", in, d->amplitude, err);
}

static mtm_status smooth_field(const elastic_args *a, const mtm_spec *in, mtm_displacement *d, mtm_error *err)
{
    d->kind = MTM_DISPLACE_SMOOTH;
    MTM_TRY(lengths(a, &a->sigma, "sigma", in, d->sigma, err));
    for (int i = 0; i < 3; i++)
        if (d->sigma[i] > MOST_SIGMA)
            return mtm_fail(err, MTM_E_INVAL, -1, "sigma is %g voxels; %d are the most", d->sigma[i],
                            MOST_SIGMA);
    return lengths(a, &a->magnitude, "magnitude", in, d->amplitude, err);
}

static mtm_status elastic_geometry(const void *args, const mtm_spec *in, mtm_geometry *g, mtm_error *err)
{
    const elastic_args *const a = args;
    mtm_displacement d = {.seed = a->seed};

    memcpy(d.size, in->size, sizeof d.size);
    MTM_TRY(a->max_displacement.n ? spline_field(a, in, &d, err) : smooth_field(a, in, &d, err));
    mtm_geometry_warp(g, in, &d, (mtm_interp)a->interp, (mtm_border)a->border, a->value);
    return MTM_OK;
}

#define UNIT_PARAM(args)                                                                                     \
    {"unit",                                                                                                 \
     MTM_PARAM_CHOICE,                                                                                       \
     offsetof(args, unit),                                                                                   \
     "voxels",                                                                                               \
     0,                                                                                                      \
     0,                                                                                                      \
     "voxels|mm",                                                                                            \
     "",                                                                                                     \
     "Of max_displacement, sigma and magnitude; mm needs the image's affine."}

static const mtm_param elastic_params[] = {
    {"sigma", MTM_PARAM_FLOATS, offsetof(elastic_args, sigma), "None", 0, MOST_SIGMA, NULL, "unit",
     "Smoothed field: standard deviation of the gaussian, one for all spatial axes or one each in array "
     "order."},
    {"magnitude", MTM_PARAM_FLOATS, offsetof(elastic_args, magnitude), "None", 0, MOST_VOXELS, NULL, "unit",
     "Smoothed field: factor on the smoothed numbers, one or one per axis."},
    {"control_points", MTM_PARAM_INTS, offsetof(elastic_args, control_points), "7", 4, MTM_MAX_CONTROL, NULL,
     "", "Control points: how many along each axis, one number or one per axis."},
    {"max_displacement", MTM_PARAM_FLOATS, offsetof(elastic_args, max_displacement), "None", 0, MOST_VOXELS,
     NULL, "unit",
     "Control points: the most that one is displaced along an axis, one number or one per axis."},
    {"locked_borders", MTM_PARAM_INT, offsetof(elastic_args, locked_borders), "2", 0, MTM_MAX_CONTROL, NULL,
     "",
     "Control points: so many outer layers of them stay where they are; 3 leave the image's faces in place."},
    {"seed", MTM_PARAM_SEED, offsetof(elastic_args, seed), "0", 0, 0, NULL, "", "Of the random numbers."},
    UNIT_PARAM(elastic_args),
    MTM_INTERP_PARAM(elastic_args),
    MTM_BORDER_PARAM(elastic_args),
    MTM_VALUE_PARAM(elastic_args),
};

const mtm_op mtm_op_elastic = {
    .name = "elastic",
    .doc =
        "Deform by a random smooth field of displacements: result(p) = image(p + d(p)).\n"
        "\n"
        "With max_displacement: uniform(-1, 1) · max_displacement at control points, a cubic B-spline "
        "between\n"
        "them (TorchIO's RandomElasticDeformation on SimpleITK's grid: with c points, the c - 3 cells of an\n"
        "axis of n voxels run from -1/8 to n + 1/8). With sigma and magnitude: uniform(-1, 1) per voxel,\n"
        "smoothed by a gaussian (cut at 3 sigma, border reflected), · magnitude (MONAI's Rand3DElastic). In "
        "a\n"
        "chain the field lies on the grid that the operators before have made, affine maps and views before\n"
        "and behind become part of one interpolation, and a smoothed field is then read between its voxels\n"
        "linearly. Planes are displaced within the plane.",
    .kind = MTM_OP_GEOMETRY,
    .params = elastic_params,
    .n_params = MTM_COUNT(elastic_params),
    .args_bytes = sizeof(elastic_args),
    .check = elastic_check,
    .geometry = elastic_geometry,
};

/* ---- random_elastic ------------------------------------------------------------------------------------ */

typedef struct random_elastic_args {
    mtm_floats sigma, magnitude, max_displacement;
    mtm_ints control_points;
    int64_t locked_borders;
    double p;
    int32_t unit, interp, border;
    double value;
} random_elastic_args;

static mtm_status random_elastic_check(const void *args, mtm_error *err)
{
    const random_elastic_args *const a = args;
    const mtm_floats *const ranges[3] = {&a->sigma, &a->magnitude, &a->max_displacement};
    static const char *const names[3] = {"sigma", "magnitude", "max_displacement"};

    MTM_TRY(one_kind(&a->sigma, &a->magnitude, &a->max_displacement, err));
    for (int i = 0; i < 3; i++)
        if (ranges[i]->n)
            MTM_TRY(mtm_range_check(ranges[i], names[i], err));
    return check_borders(&a->control_points, a->locked_borders, err);
}

/* One number for all axes; always drawn, so that what follows does not depend on which are given. */
static mtm_floats draw_length(mtm_draw *d, const mtm_floats *range)
{
    const double u = mtm_rng_range(&d->rng, 0, 1);
    mtm_floats out = {.n = range->n ? 1 : 0};

    if (range->n)
        out.v[0] = range->v[0] + u * (range->v[range->n - 1] - range->v[0]);
    return out;
}

static mtm_status random_elastic_draw(const void *args, mtm_draw *d, const mtm_spec *in,
                                      const mtm_op **target, void *target_args, mtm_error *err)
{
    const random_elastic_args *const a = args;
    const bool acts = mtm_draw_acts(d, a->p);
    elastic_args *const t = target_args;

    *t = (elastic_args){.control_points = a->control_points,
                        .locked_borders = a->locked_borders,
                        .unit = a->unit,
                        .interp = a->interp,
                        .border = a->border,
                        .value = a->value};
    t->sigma = draw_length(d, &a->sigma);
    t->magnitude = draw_length(d, &a->magnitude);
    t->max_displacement = draw_length(d, &a->max_displacement);
    t->seed = mtm_rng_u64(&d->rng);
    *target = acts ? &mtm_op_elastic : NULL;
    return MTM_OK;
}

#define P_PARAM(args, value)                                                                                 \
    {"p", MTM_PARAM_FLOAT, offsetof(args, p), value, 0, 1, NULL, "", "Probability that anything happens."}

static const mtm_param random_elastic_params[] = {
    {"sigma", MTM_PARAM_FLOATS, offsetof(random_elastic_args, sigma), "None", 0, MOST_SIGMA, NULL, "unit",
     "Smoothed field: standard deviation of the gaussian, or its range; the same for all axes."},
    {"magnitude", MTM_PARAM_FLOATS, offsetof(random_elastic_args, magnitude), "None", 0, MOST_VOXELS, NULL,
     "unit", "Smoothed field: factor on the smoothed numbers, or its range."},
    {"control_points", MTM_PARAM_INTS, offsetof(random_elastic_args, control_points), "7", 4, MTM_MAX_CONTROL,
     NULL, "", "Control points: how many along each axis, one number or one per axis."},
    {"max_displacement", MTM_PARAM_FLOATS, offsetof(random_elastic_args, max_displacement), "None", 0,
     MOST_VOXELS, NULL, "unit",
     "Control points: the most that one is displaced along an axis, or the range of that."},
    {"locked_borders", MTM_PARAM_INT, offsetof(random_elastic_args, locked_borders), "2", 0, MTM_MAX_CONTROL,
     NULL, "", "Control points: so many outer layers of them stay where they are."},
    P_PARAM(random_elastic_args, "0.5"),
    UNIT_PARAM(random_elastic_args),
    MTM_INTERP_PARAM(random_elastic_args),
    MTM_BORDER_PARAM(random_elastic_args),
    MTM_VALUE_PARAM(random_elastic_args),
};

const mtm_op mtm_op_random_elastic = {
    .name = "random_elastic",
    .doc =
        "Deform by a random smooth field of displacements, with probability p: elastic with a new field each "
        "time.\n"
        "\n"
        "Give max_displacement, or sigma and magnitude; a pair (low, high) is drawn uniformly, one number is "
        "fixed.",
    .kind = MTM_OP_RANDOM,
    .params = random_elastic_params,
    .n_params = MTM_COUNT(random_elastic_params),
    .args_bytes = sizeof(random_elastic_args),
    .check = random_elastic_check,
    .draw = random_elastic_draw,
};

/* ---- grid_distortion ----------------------------------------------------------------------------------- */

enum { MOST_CELLS = 10 }; /* three axes of them are all the numbers that one parameter holds */

typedef struct grid_distortion_args {
    mtm_ints num_cells;
    mtm_floats steps;
    bool normalized;
    int32_t interp, border;
    double value;
} grid_distortion_args;

/* The factors of axis a ([Z, Y, X]); *skip: which number is its first. */
static int64_t cells_of_axis(const mtm_ints *cells, const mtm_spec *in, int a, int64_t *skip)
{
    *skip = 0;
    for (int i = 3 - in->spatial; i < a; i++)
        *skip += cells->v[cells->n == 1 ? 0 : i - 3 + in->spatial];
    return cells->v[cells->n == 1 ? 0 : a - 3 + in->spatial];
}

/* Nodes of one axis: node k comes from Σ_{i<k} f_i, in cells. */
static void place_nodes(mtm_displacement *d, int a, int64_t cells, const double *factor, bool normalized)
{
    const double cell = (double)d->size[a] / (double)cells;
    double sum = 0, scale = 1;

    for (int64_t i = 0; i < cells; i++)
        sum += factor[i];
    if (normalized)
        scale = (double)cells / sum;
    sum = 0;
    d->nodes[2 - a] = (int32_t)cells + 1;
    for (int64_t k = 0; k <= cells; k++) {
        d->node[2 - a][k] = cell * (sum * scale - (double)k);
        sum += k < cells ? factor[k] : 0;
    }
}

/* That the factors are enough for a plane or for a volume. */
static mtm_status grid_distortion_check(const void *args, mtm_error *err)
{
    const grid_distortion_args *const a = args;
    const mtm_ints *const cells = &a->num_cells;
    int64_t all = 0;

    MTM_TRY(mtm_axis_count(cells->n, "num_cells", err));
    for (int32_t i = 0; i < cells->n; i++)
        all += cells->v[i];
    if (a->steps.n == all || (cells->n == 1 && (a->steps.n == 2 * all || a->steps.n == 3 * all)))
        return MTM_OK;
    return mtm_fail(err, MTM_E_INVAL, -1,
                    "distort_steps has %d numbers; one per cell of every axis%s are wanted", a->steps.n,
                    cells->n == 1 ? ", or those of one axis," : "");
}

static mtm_status grid_distortion_geometry(const void *args, const mtm_spec *in, mtm_geometry *g,
                                           mtm_error *err)
{
    const grid_distortion_args *const a = args;
    mtm_displacement d = {.kind = MTM_DISPLACE_GRID};
    int64_t cells[3], skip, all = 0;

    memcpy(d.size, in->size, sizeof d.size);
    MTM_TRY(mtm_axis_ints(&a->num_cells, "num_cells", in, 1, cells, err));
    for (int i = 3 - in->spatial; i < 3; i++)
        all += cells[i];
    const bool shared = a->num_cells.n == 1 && a->steps.n == cells[2];
    if (a->steps.n != all && !shared)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "distort_steps has %d numbers; %" PRId64 " (one per cell of every axis)%s are wanted",
                        a->steps.n, all, a->num_cells.n == 1 ? ", or those of one axis," : "");
    for (int i = 0; i < 3; i++) {
        const double still[1] = {1};

        const bool moves = i >= 3 - in->spatial;
        const int64_t n = moves ? cells_of_axis(&a->num_cells, in, i, &skip) : 1;
        place_nodes(&d, i, n, moves ? a->steps.v + (shared ? 0 : skip) : still, a->normalized);
    }
    mtm_geometry_warp(g, in, &d, (mtm_interp)a->interp, (mtm_border)a->border, a->value);
    return MTM_OK;
}

static const mtm_param grid_distortion_params[] = {
    {"num_cells", MTM_PARAM_INTS, offsetof(grid_distortion_args, num_cells), "5", 1, MOST_CELLS, NULL, "",
     "Cells of the grid along every spatial axis, or along each in array order."},
    {"distort_steps", MTM_PARAM_FLOATS, offsetof(grid_distortion_args, steps), NULL, 0.01, 100, NULL, "",
     "Factor of every cell of the first axis, then of the second, …; or those of one axis for all."},
    {"normalized", MTM_PARAM_BOOL, offsetof(grid_distortion_args, normalized), "False", 0, 0, NULL, "",
     "Divide an axis' factors by their mean, so that both of its ends stay."},
    MTM_INTERP_PARAM(grid_distortion_args),
    MTM_BORDER_PARAM(grid_distortion_args),
    MTM_VALUE_PARAM(grid_distortion_args),
};

const mtm_op mtm_op_grid_distortion = {
    .name = "grid_distortion",
    .doc =
        "Stretch and squeeze the cells of a grid, each axis by itself.\n"
        "\n"
        "An axis of n voxels is divided into c equal cells; node k at k·n/c of the result shows what lies "
        "at\n"
        "n/c · (f_0 + … + f_(k-1)) of the image, and between nodes the map is linear: the rule of MONAI's\n"
        "GridDistortion and Albumentations (normalized: its default), with nodes at voxel faces instead of\n"
        "whole pixels. Factors above 1 shrink what a cell shows. Fuses with its neighbours as elastic does.",
    .kind = MTM_OP_GEOMETRY,
    .params = grid_distortion_params,
    .n_params = MTM_COUNT(grid_distortion_params),
    .args_bytes = sizeof(grid_distortion_args),
    .check = grid_distortion_check,
    .geometry = grid_distortion_geometry,
};

/* ---- random_grid_distortion ---------------------------------------------------------------------------- */

typedef struct random_grid_distortion_args {
    mtm_ints num_cells;
    mtm_floats limit;
    double p;
    bool normalized;
    int32_t interp, border;
    double value;
} random_grid_distortion_args;

static mtm_status random_grid_check(const void *args, mtm_error *err)
{
    const random_grid_distortion_args *const a = args;

    if (a->limit.n == 1 && a->limit.v[0] < 0)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "distort_limit is %g; one number d stands for -d to d and is 0 or more",
                        a->limit.v[0]);
    return mtm_range_check(&a->limit, "distort_limit", err);
}

static mtm_status random_grid_draw(const void *args, mtm_draw *d, const mtm_spec *in, const mtm_op **target,
                                   void *target_args, mtm_error *err)
{
    const random_grid_distortion_args *const a = args;
    const double low = a->limit.n == 1 ? -a->limit.v[0] : a->limit.v[0], high = a->limit.v[a->limit.n - 1];
    const bool acts = mtm_draw_acts(d, a->p);
    grid_distortion_args *const t = target_args;
    int64_t cells[3];

    *t = (grid_distortion_args){.num_cells = a->num_cells,
                                .normalized = a->normalized,
                                .interp = a->interp,
                                .border = a->border,
                                .value = a->value};
    MTM_TRY(mtm_axis_ints(&a->num_cells, "num_cells", in, 1, cells, err));
    for (int i = 3 - in->spatial; i < 3; i++)
        for (int64_t k = 0; k < cells[i]; k++)
            t->steps.v[t->steps.n++] = 1 + mtm_rng_range(&d->rng, low, high);
    *target = acts ? &mtm_op_grid_distortion : NULL;
    return MTM_OK;
}

static const mtm_param random_grid_distortion_params[] = {
    {"num_cells", MTM_PARAM_INTS, offsetof(random_grid_distortion_args, num_cells), "5", 1, MOST_CELLS, NULL,
     "", "Cells of the grid along every spatial axis, or along each in array order."},
    {"distort_limit", MTM_PARAM_FLOATS, offsetof(random_grid_distortion_args, limit), "(-0.03, 0.03)", -0.99,
     99, NULL, "", "Range that each cell's factor is away from 1; one number d: -d to d."},
    P_PARAM(random_grid_distortion_args, "0.5"),
    {"normalized", MTM_PARAM_BOOL, offsetof(random_grid_distortion_args, normalized), "False", 0, 0, NULL, "",
     "Divide an axis' factors by their mean, so that both of its ends stay."},
    MTM_INTERP_PARAM(random_grid_distortion_args),
    MTM_BORDER_PARAM(random_grid_distortion_args),
    MTM_VALUE_PARAM(random_grid_distortion_args),
};

const mtm_op mtm_op_random_grid_distortion = {
    .name = "random_grid_distortion",
    .doc = "Stretch and squeeze the cells of a grid at random, with probability p: grid_distortion.\n"
           "\n"
           "The factor of every cell of every axis is 1 plus a number drawn uniformly from distort_limit "
           "(MONAI's\n"
           "RandGridDistortion).",
    .kind = MTM_OP_RANDOM,
    .params = random_grid_distortion_params,
    .n_params = MTM_COUNT(random_grid_distortion_params),
    .args_bytes = sizeof(random_grid_distortion_args),
    .check = random_grid_check,
    .draw = random_grid_draw,
};
