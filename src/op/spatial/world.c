/* op/spatial/world.c: operators that know millimetres: spacing, orient.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "op/spatial/spatial.h"

/* ---- spacing ------------------------------------------------------------------------------------------- */

enum { EXTENT_CENTRES, EXTENT_FIELD_OF_VIEW };

typedef struct spacing_args {
    mtm_floats spacing, to;
    int32_t extent, interp;
    bool antialias;
} spacing_args;

mtm_status mtm_axis_mm(const mtm_spec *in, double mm[3], mtm_error *err)
{
    if (!in->has_affine)
        return mtm_fail(err, MTM_E_INVAL, -1, "the image has no affine; its spacing must be given");
    for (int i = 0; i < 3; i++) {
        const double *const column = in->affine + 2 - i;

        mm[i] = hypot(hypot(column[0], column[4]), column[8]);
        if (!(mm[i] > 0) || !isfinite(mm[i]))
            return mtm_fail(err, MTM_E_INVAL, -1, "the affine gives an axis the spacing %g mm", mm[i]);
    }
    return MTM_OK;
}

/* mm per voxel, [Z, Y, X]: as given, else by the affine. */
static mtm_status current_spacing(const spacing_args *a, const mtm_spec *in, double mm[3], mtm_error *err)
{
    return a->spacing.n ? mtm_axis_floats(&a->spacing, "spacing", in, 1, mm, err) : mtm_axis_mm(in, mm, err);
}

/* Output size and first place of one axis; ratio: input voxels per output voxel. */
static mtm_status axis_extent(int32_t extent, int64_t n, double ratio, int64_t *out, double *lo,
                              mtm_error *err)
{
    const double count =
        extent == EXTENT_CENTRES ? rint((double)(n - 1) / ratio + 1) : ceil((double)n / ratio - 1e-9);

    if (!(count <= MTM_MAX_EXTENT))
        return mtm_fail(err, MTM_E_LIMIT, -1, "the result would have %g voxels on an axis", count);
    *out = count < 1 ? 1 : (int64_t)count;
    *lo = extent == EXTENT_CENTRES ? 0.5 - 0.5 * ratio : 0;
    return MTM_OK;
}

/* Cubic is an affine map (B-spline); the others are separable filters. */
static void spacing_as_affine(mtm_geometry *g, const mtm_spec *in, const int64_t size[3],
                              const double ratio[3], const double lo[3])
{
    double m[12] = {0};

    for (int i = 0; i < 3; i++)
        m[5 * (2 - i)] = ratio[i], m[4 * (2 - i) + 3] = lo[i];
    mtm_geometry_affine(g, in, size, m, MTM_CUBIC, MTM_EDGE, 0);
}

static mtm_status spacing_geometry(const void *args, const mtm_spec *in, mtm_geometry *g, mtm_error *err)
{
    const spacing_args *const a = args;
    double from[3], to[3], ratio[3], lo[3];
    int64_t size[3];

    MTM_TRY(current_spacing(a, in, from, err));
    MTM_TRY(mtm_axis_floats(&a->to, "to", in, from[0], to, err));
    for (int i = 0; i < 3; i++) {
        ratio[i] = to[i] / from[i];
        MTM_TRY(axis_extent(a->extent, in->size[i], ratio[i], &size[i], &lo[i], err));
    }
    if (a->interp == MTM_CUBIC) {
        spacing_as_affine(g, in, size, ratio, lo);
        return MTM_OK;
    }
    mtm_geometry_identity(g, in);
    g->kind = MTM_GEOMETRY_RESAMPLE;
    for (int i = 0; i < 3; i++) {
        g->out_size[i] = size[i];
        g->axis[i] =
            (mtm_resample_axis){.filter = a->interp == MTM_NEAREST ? MTM_FILTER_NEAREST : MTM_FILTER_LINEAR,
                                .antialias = a->antialias,
                                .in_size = in->size[i],
                                .n_out = size[i],
                                .count = size[i],
                                .step = 1,
                                .lo = lo[i],
                                .scale = ratio[i]};
    }
    return MTM_OK;
}

static const mtm_param spacing_params[] = {
    {"spacing", MTM_PARAM_FLOATS, offsetof(spacing_args, spacing), "None", 1e-12, 1e12, NULL, "mm",
     "The image's spacing in array order; None: from its affine."},
    {"to", MTM_PARAM_FLOATS, offsetof(spacing_args, to), NULL, 1e-12, 1e12, NULL, "mm",
     "Spacing of the result, per spatial axis or one for all."},
    {"extent", MTM_PARAM_CHOICE, offsetof(spacing_args, extent), "centres", 0, 0, "centres|field_of_view", "",
     "What is kept: the first voxel's centre, or the outer border of the first voxel."},
    {"interp", MTM_PARAM_CHOICE, offsetof(spacing_args, interp), "linear", 0, 0, MTM_INTERP_CHOICES, "",
     "cubic: B-spline of order 3 with prefilter; label maps are always nearest."},
    {"antialias", MTM_PARAM_BOOL, offsetof(spacing_args, antialias), "False", 0, 0, NULL, "",
     "Widen the linear filter where the image shrinks."},
};

const mtm_op mtm_op_spacing = {
    .name = "spacing",
    .doc = "Resample to a spacing in mm.\n"
           "\n"
           "centres: round((n - 1)·s/s' + 1) voxels, the first one's centre stays (MONAI's Spacing with\n"
           "scale_extent=False). field_of_view: ceil(n·s/s') voxels, the first one's border stays.\n"
           "Errors: neither an affine nor `spacing`.",
    .kind = MTM_OP_GEOMETRY,
    .params = spacing_params,
    .n_params = MTM_COUNT(spacing_params),
    .args_bytes = sizeof(spacing_args),
    .geometry = spacing_geometry,
};

/* ---- orient -------------------------------------------------------------------------------------------- */

typedef struct orient_args {
    char to[64];
} orient_args;

/* Where the world axes x, y, z lead to: backwards, forwards. */
static const char axis_letters[3][3] = {"LR", "PA", "IS"};

/* The orthogonal matrix nearest to a (3×3, row-major), by Newton's iteration X ← (X + X⁻ᵀ) / 2 (Higham 1986). False: a is
 * singular. */
static bool polar(double a[9])
{
    for (int step = 0; step < 60; step++) {
        double co[9], det = 0, change = 0;

        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 3; j++) {
                const int p = (i + 1) % 3, q = (i + 2) % 3, r = (j + 1) % 3, s = (j + 2) % 3;

                co[3 * i + j] = a[3 * p + r] * a[3 * q + s] - a[3 * p + s] * a[3 * q + r];
            }
        for (int j = 0; j < 3; j++)
            det += a[j] * co[j];
        if (!(fabs(det) > 1e-12))
            return false;
        for (int i = 0; i < 9; i++) {
            const double x = 0.5 * (a[i] + co[i] / det);

            change = fmax(change, fabs(x - a[i]));
            a[i] = x;
        }
        if (change < 1e-14)
            break;
    }
    return true;
}

/* The largest entry of column j, in magnitude. */
static int strongest(const double r[9], int j)
{
    int w = 0;

    for (int i = 1; i < 3; i++)
        if (fabs(r[3 * i + j]) > fabs(r[3 * w + j]))
            w = i;
    return w;
}

/* For input axis j (x, y, z): the world axis it runs along and which way. As nibabel's io_orientation: the axis that is
 * surest of its direction chooses first. */
static mtm_status axis_codes(const double affine[16], int world[3], int sign[3], mtm_error *err)
{
    double r[9], sure[3];

    for (int j = 0; j < 3; j++) {
        const double mm = hypot(hypot(affine[j], affine[4 + j]), affine[8 + j]);

        for (int i = 0; i < 3; i++)
            r[3 * i + j] = affine[4 * i + j] / mm;
    }
    if (!polar(r))
        return mtm_fail(err, MTM_E_INVAL, -1, "the affine is singular, so the image has no orientation");
    for (int j = 0; j < 3; j++)
        sure[j] = fabs(r[3 * strongest(r, j) + j]);
    for (int turn = 0; turn < 3; turn++) {
        int j = 0;

        for (int k = 1; k < 3; k++)
            if (sure[k] > sure[j])
                j = k;
        sure[j] = -1;
        world[j] = strongest(r, j);
        sign[j] = r[3 * world[j] + j] > 0 ? 1 : -1;
        for (int k = 0; k < 3; k++) /* taken */
            r[3 * world[j] + k] = 0;
    }
    return MTM_OK;
}

/* Three letters, one of each pair. */
static mtm_status orient_check(const void *args, mtm_error *err)
{
    const char *const to = ((const orient_args *)args)->to;

    for (int i = 0; i < 3; i++)
        if (strlen(to) != 3 || !strpbrk(to, axis_letters[i]))
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "to: '%s' is not three letters like RAS, one of R and L, A and P, S and I", to);
    return MTM_OK;
}

static mtm_status orient_geometry(const void *args, const mtm_spec *in, mtm_geometry *g, mtm_error *err)
{
    const orient_args *const a = args;
    int world[3], sign[3];
    int64_t size[3];
    double m[12];

    if (in->spatial != 3)
        return mtm_fail(err, MTM_E_INVAL, -1, "only a volume has an orientation");
    if (!in->has_affine)
        return mtm_fail(err, MTM_E_INVAL, -1, "the image has no affine, so no orientation");
    MTM_TRY(axis_codes(in->affine, world, sign, err));
    for (int j = 0; j < 3; j++) { /* x, y, z: array axes 2, 1, 0 */
        int k = 0;

        while (a->to[k] != axis_letters[world[j]][0] && a->to[k] != axis_letters[world[j]][1])
            k++;
        const bool same = (a->to[k] == axis_letters[world[j]][1]) == (sign[j] > 0);
        mtm_view_set(m, 2 - j, 2 - k, same ? 1 : -1, same ? 0 : in->size[2 - j] - 1);
        size[2 - k] = in->size[2 - j];
    }
    mtm_view_make(g, in, size, m);
    return MTM_OK;
}

static const mtm_param orient_params[] = {
    {"to", MTM_PARAM_TEXT, offsetof(orient_args, to), "RAS", 0, 0, NULL, "",
     "Where x, y and z of the result point: R or L, A or P, S or I."},
};

const mtm_op mtm_op_orient = {
    .name = "orient",
    .doc = "Permute and flip the axes so that they run as the letters say.\n"
           "\n"
           "\"RAS\": x towards the right, y anterior, z superior, as nearly as the axes allow; as nibabel's\n"
           "as_closest_canonical and MONAI's Orientation. Needs the affine and moves it along; no "
           "interpolation.",
    .kind = MTM_OP_GEOMETRY,
    .params = orient_params,
    .n_params = MTM_COUNT(orient_params),
    .args_bytes = sizeof(orient_args),
    .check = orient_check,
    .geometry = orient_geometry,
};
