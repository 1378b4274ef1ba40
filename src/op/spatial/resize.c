/* op/spatial/resize.c: resize. Works out the size of the result and each axis' filter; the resampling itself is kernel/resample.h's,
 * called by mtm_geometry_run.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "op/spatial/spatial.h"

enum { MODE_DEFAULT, MODE_STRETCH, MODE_NOT_LARGER, MODE_NOT_SMALLER };

typedef struct resize_args {
    mtm_ints size;
    mtm_floats scale;
    mtm_ints interp;
    bool antialias;
    int32_t mode;
    mtm_ints max_size;
    mtm_floats roi_start, roi_end;
} resize_args;

/* One resize, [Z, Y, X]; 2-D pictures keep their Z as it is. */
typedef struct resize_plan {
    double start[3], extent[3]; /* region of the input, voxels; extent < 0: reversed */
    double factor[3];           /* as asked for; 0: missing */
    int64_t size[3];            /* of the result */
} resize_plan;

/* ---- region ------------------------------------------------------------------------------------------- */

static mtm_status find_region(resize_plan *p, const resize_args *a, const mtm_spec *in, mtm_error *err)
{
    double end[3] = {(double)in->size[0], (double)in->size[1], (double)in->size[2]};

    memset(p->start, 0, sizeof p->start);
    if (a->roi_start.n)
        MTM_TRY(mtm_axis_floats(&a->roi_start, "roi_start", in, 0, p->start, err));
    if (a->roi_end.n)
        MTM_TRY(mtm_axis_floats(&a->roi_end, "roi_end", in, (double)in->size[0], end, err));
    for (int i = 0; i < 3; i++) {
        if (in->size[i] == 0)
            return mtm_fail(err, MTM_E_INVAL, -1, "an image with an axis of 0 voxels cannot be resized");
        p->extent[i] = end[i] - p->start[i];
        if (p->extent[i] == 0)
            return mtm_fail(err, MTM_E_INVAL, -1, "the region is empty: roi_start and roi_end are both %g",
                            end[i]);
    }
    return MTM_OK;
}

/* ---- size --------------------------------------------------------------------------------------------- */

static mtm_status resize_check(const void *args, mtm_error *err)
{
    const resize_args *const a = args;

    if (!a->size.n == !a->scale.n)
        return mtm_fail(err, MTM_E_INVAL, -1, "either size or scale must be given");
    MTM_TRY(mtm_axis_count(a->size.n, "size", err));
    return mtm_axis_count(a->scale.n, "scale", err);
}

static mtm_status find_factors(resize_plan *p, const resize_args *a, const mtm_spec *in, mtm_error *err)
{
    int64_t size[3];

    if (a->scale.n)
        return mtm_axis_floats(&a->scale, "scale", in, 1, p->factor, err);
    MTM_TRY(mtm_axis_ints(&a->size, "size", in, in->size[0], size, err));
    for (int i = 0; i < 3; i++)
        p->factor[i] = (double)size[i] / fabs(p->extent[i]);
    return MTM_OK;
}

/* The factor of all axes, or of those that are missing, as the mode has it (DALI's resize). */
static double common_factor(const resize_plan *p, int32_t mode, int first)
{
    double sum = 0, lowest = INFINITY, highest = 0;
    int given = 0;

    for (int i = first; i < 3; i++) {
        if (p->factor[i] == 0)
            continue;
        sum += log(p->factor[i]);
        lowest = fmin(lowest, p->factor[i]), highest = fmax(highest, p->factor[i]);
        given++;
    }
    switch (given ? mode : MODE_STRETCH) {
    case MODE_NOT_LARGER: return lowest;
    case MODE_NOT_SMALLER: return highest;
    case MODE_DEFAULT: /* equal factors without a rounding error: out = in · factor is rounded at halves */
        return lowest == highest ? lowest : exp(sum / given);
    default: return 1;
    }
}

static mtm_status find_size(resize_plan *p, const resize_args *a, const mtm_spec *in, mtm_error *err)
{
    const int first = 3 - in->spatial;
    const bool uniform = a->mode == MODE_NOT_LARGER || a->mode == MODE_NOT_SMALLER;
    double common = common_factor(p, a->mode, first);
    int64_t most[3] = {0, 0, 0};

    if (a->max_size.n)
        MTM_TRY(mtm_axis_ints(&a->max_size, "max_size", in, 0, most, err));
    for (int i = first; i < 3 && uniform; i++)
        if (most[i] > 0)
            common = fmin(common, (double)most[i] / fabs(p->extent[i]));
    for (int i = first; i < 3; i++) {
        const double factor = uniform || p->factor[i] == 0 ? common : p->factor[i];
        double n = fmax(1, floor(fabs(p->extent[i]) * factor + 0.5));

        if (most[i] > 0)
            n = fmin(n, (double)most[i]);
        if (!(n <= MTM_MAX_EXTENT))
            return mtm_fail(err, MTM_E_LIMIT, -1, "the result would have %g voxels on an axis", n);
        p->size[i] = (int64_t)n;
    }
    for (int i = 0; i < first; i++)
        p->size[i] = in->size[i];
    return MTM_OK;
}

/* ---- the geometry ------------------------------------------------------------------------------------- */

static mtm_status find_filters(mtm_filter filter[3], const resize_args *a, const mtm_spec *in, mtm_error *err)
{
    int64_t choice[3];

    MTM_TRY(mtm_axis_ints(&a->interp, "interp", in, MTM_FILTER_NEAREST, choice, err));
    for (int i = 0; i < 3; i++)
        filter[i] = in->label ? MTM_FILTER_NEAREST : (mtm_filter)choice[i];
    return MTM_OK;
}

static mtm_status resize_geometry(const void *args, const mtm_spec *in, mtm_geometry *g, mtm_error *err)
{
    const resize_args *const a = args;
    resize_plan p;
    mtm_filter filter[3];

    MTM_TRY(find_region(&p, a, in, err));
    MTM_TRY(find_factors(&p, a, in, err));
    MTM_TRY(find_size(&p, a, in, err));
    MTM_TRY(find_filters(filter, a, in, err));
    mtm_geometry_identity(g, in);
    g->kind = MTM_GEOMETRY_RESAMPLE;
    for (int i = 0; i < 3; i++) {
        g->out_size[i] = p.size[i];
        g->axis[i] = (mtm_resample_axis){.filter = filter[i],
                                         .antialias = a->antialias,
                                         .in_size = in->size[i],
                                         .n_out = p.size[i],
                                         .count = p.size[i],
                                         .step = 1,
                                         .lo = p.start[i],
                                         .scale = p.extent[i] / (double)p.size[i]};
    }
    return MTM_OK;
}

static const mtm_param resize_params[] = {
    {"size", MTM_PARAM_INTS, offsetof(resize_args, size), "None", 0, MTM_MAX_EXTENT, NULL, "voxels",
     "Size of the result, per spatial axis or one for all; 0: missing, see mode."},
    {"scale", MTM_PARAM_FLOATS, offsetof(resize_args, scale), "None", 0, 1e6, NULL, "",
     "Instead of size: factors; the size is max(1, round half up(in * scale)); 0: missing."},
    {"interp", MTM_PARAM_CHOICES, offsetof(resize_args, interp), "linear", 0, 0,
     "nearest|linear|triangular|cubic|lanczos3|gaussian|area", "",
     "Filter, one for all or per spatial axis; label maps are always nearest."},
    {"antialias", MTM_PARAM_BOOL, offsetof(resize_args, antialias), "True", 0, 0, NULL, "",
     "Widen the filter by in/out on axes that shrink; nearest and area never are."},
    {"mode", MTM_PARAM_CHOICE, offsetof(resize_args, mode), "default", 0, 0,
     "default|stretch|not_larger|not_smaller", "",
     "Missing extents get the geometric mean of the given factors (default) or stay (stretch); or one factor "
     "for all axes, "
     "the smallest or the largest given."},
    {"max_size", MTM_PARAM_INTS, offsetof(resize_args, max_size), "None", 0, MTM_MAX_EXTENT, NULL, "voxels",
     "No axis becomes longer; with not_larger and not_smaller the others follow; 0: no limit."},
    {"roi_start", MTM_PARAM_FLOATS, offsetof(resize_args, roi_start), "None", -0x1p30, 0x1p30, NULL, "voxels",
     "Begin of the region that is resized; None: 0."},
    {"roi_end", MTM_PARAM_FLOATS, offsetof(resize_args, roi_end), "None", -0x1p30, 0x1p30, NULL, "voxels",
     "Its end; below roi_start: the region is flipped; None: the image's end."},
};

const mtm_op mtm_op_resize = {
    .name = "resize",
    .doc = "Resample to another size with a separable filter.\n"
           "\n"
           "Half-pixel centres; weights exact, normalised, taps outside of the image clamped to its edge. "
           "linear without\n"
           "antialias equals PyTorch's interpolate(align_corners=False) and SciPy's zoom(order=1, "
           "mode='nearest',\n"
           "grid_mode=True); area equals adaptive_avg_pool; cubic is Keys' with a = -0.5. Size rules and "
           "regions are\n"
           "DALI's. Keeps the dtype. Errors: neither or both of size and scale; an empty region.",
    .kind = MTM_OP_GEOMETRY,
    .params = resize_params,
    .n_params = MTM_COUNT(resize_params),
    .args_bytes = sizeof(resize_args),
    .check = resize_check,
    .geometry = resize_geometry,
};
