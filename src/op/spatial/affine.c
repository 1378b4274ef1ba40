/* op/spatial/affine.c: operators that interpolate along an affine map: affine, rotate, random_affine.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/spatial/matrix.h"
#include "op/spatial/spatial.h"

/* ---- matrices (row-major 3×4, (x, y, z)) ---------------------------------------------------------------- */

static const double identity[12] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0};

static mtm_status invert(const double m[12], double out[12], mtm_error *err)
{
    if (!mtm_matrix_invert(m, out))
        return mtm_fail(err, MTM_E_INVAL, -1, "the matrix cannot be inverted");
    return MTM_OK;
}

/* Rodrigues' formula; quarter turns are exact. axis: (x, y, z), not zero. */
static mtm_status rotation(const double axis[3], double degrees, double out[12], mtm_error *err)
{
    const double norm = hypot(hypot(axis[0], axis[1]), axis[2]), turn = fmod(degrees, 360);
    const double k[3] = {axis[0] / norm, axis[1] / norm, axis[2] / norm};
    const int quarter = turn == rint(turn / 90) * 90 ? ((int)(turn / 90) + 4) % 4 : -1;
    const double c = quarter < 0 ? cos(turn * M_PI / 180) : (const double[]){1, 0, -1, 0}[quarter];
    const double s = quarter < 0 ? sin(turn * M_PI / 180) : (const double[]){0, 1, 0, -1}[quarter];

    if (!(norm > 0) || !isfinite(norm))
        return mtm_fail(err, MTM_E_INVAL, -1, "the axis of a rotation must have a length");
    memcpy(out, identity, sizeof identity);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            out[4 * i + j] = (i == j ? c : 0) + (1 - c) * k[i] * k[j];
    out[1] -= s * k[2], out[2] += s * k[1];
    out[4] += s * k[2], out[6] -= s * k[0];
    out[8] -= s * k[1], out[9] += s * k[0];
    return MTM_OK;
}

/* m's map about the middles of the two grids ([Z, Y, X]): `from` is where it begins, `to` where it ends. */
static void about_middles(double m[12], const int64_t from[3], const int64_t to[3])
{
    for (int i = 0; i < 3; i++) {
        double t = m[4 * i + 3] + 0.5 * (double)to[2 - i];

        for (int j = 0; j < 3; j++)
            t -= m[4 * i + j] * 0.5 * (double)from[2 - j];
        m[4 * i + 3] = t;
    }
}

static mtm_status output_size(const mtm_ints *given, const mtm_spec *in, int64_t size[3], mtm_error *err)
{
    memcpy(size, in->size, sizeof in->size);
    return given->n ? mtm_axis_ints(given, "size", in, in->size[0], size, err) : MTM_OK;
}

/* ---- affine -------------------------------------------------------------------------------------------- */

/* Rows of the given matrix: 2×3 or 3×3 (2-D), 3×4 or 4×4 (3-D); the homogeneous row must be 0 … 0 1. */
static mtm_status read_matrix(const mtm_floats *f, int spatial, double m[12], mtm_error *err)
{
    const int n = spatial, wide = n + 1;

    if (f->n != n * wide && f->n != wide * wide)
        return mtm_fail(err, MTM_E_INVAL, -1, "the matrix has %d numbers; %d x %d or %d x %d are wanted",
                        f->n, n, wide, wide, wide);
    for (int j = 0; f->n == wide * wide && j < wide; j++)
        if (f->v[n * wide + j] != (j == n))
            return mtm_fail(err, MTM_E_INVAL, -1, "the matrix's last row is not 0 … 0 1");
    memcpy(m, identity, sizeof identity);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++)
            m[4 * i + j] = f->v[i * wide + j];
        m[4 * i + 3] = f->v[i * wide + n];
    }
    return MTM_OK;
}

static mtm_status affine_check(const void *args, mtm_error *err)
{
    const affine_args *const a = args;
    const int spatial = a->matrix.n == 6 || a->matrix.n == 9 ? 2 : 3; /* 2×3 and 3×3 are a plane's */
    double m[12];

    MTM_TRY(mtm_axis_count(a->size.n, "size", err));
    MTM_TRY(read_matrix(&a->matrix, spatial, m, err));
    return a->inverse ? invert(m, m, err) : MTM_OK;
}

static mtm_status affine_geometry(const void *args, const mtm_spec *in, mtm_geometry *g, mtm_error *err)
{
    const affine_args *const a = args;
    int64_t size[3];
    double m[12];

    MTM_TRY(read_matrix(&a->matrix, in->spatial, m, err));
    MTM_TRY(output_size(&a->size, in, size, err));
    if (a->inverse)
        MTM_TRY(invert(m, m, err));
    mtm_geometry_affine(g, in, size, m, (mtm_interp)a->interp, (mtm_border)a->border, a->value);
    return MTM_OK;
}

static const mtm_param affine_params[] = {
    {"matrix", MTM_PARAM_FLOATS, offsetof(affine_args, matrix), NULL, 0, 0, NULL, "",
     "3x4 or 4x4 in (x, y, z); 2-D: 2x3 or 3x3 in (x, y)."},
    {"size", MTM_PARAM_INTS, offsetof(affine_args, size), "None", 1, MTM_MAX_EXTENT, NULL, "voxels",
     "Size of the result in array order; None: the input's."},
    MTM_INTERP_PARAM(affine_args),
    MTM_BORDER_PARAM(affine_args),
    MTM_VALUE_PARAM(affine_args),
    {"inverse", MTM_PARAM_BOOL, offsetof(affine_args, inverse), "False", 0, 0, NULL, "",
     "The matrix maps input to output; else output to input."},
};

const mtm_op mtm_op_affine = {
    .name = "affine",
    .doc = "Resample along an affine map of voxel coordinates.\n"
           "\n"
           "source = M · (destination + 0.5) - 0.5 in (x, y, z). Equals scipy.ndimage.affine_transform with\n"
           "A = P·M·P and offset = P(M·0.5 + t - 0.5), P reversing the axes (wrap: its grid-wrap, constant: "
           "its\n"
           "grid-constant). Errors: a matrix of the wrong shape, or one to be inverted that cannot be.",
    .kind = MTM_OP_GEOMETRY,
    .params = affine_params,
    .n_params = MTM_COUNT(affine_params),
    .args_bytes = sizeof(affine_args),
    .check = affine_check,
    .geometry = affine_geometry,
};

/* ---- rotate -------------------------------------------------------------------------------------------- */

typedef struct rotate_args {
    mtm_floats axis;
    double degrees;
    bool keep_size;
    int32_t interp, border;
    double value;
} rotate_args;

/* The canvas that holds the rotated image, by DALI's rule: ceil(|R|·size − 0.01), one more where its parity differs from
 * that of the input axis which it mostly shows, so that the middles of both lie alike on voxels. */
static void canvas(const double r[12], const int64_t in[3], int64_t out[3])
{
    for (int i = 0; i < 3; i++) {
        double extent = 0;
        int main_axis = 0;

        for (int j = 0; j < 3; j++) {
            extent += fabs(r[4 * i + j]) * (double)in[2 - j];
            if (fabs(r[4 * i + j]) > fabs(r[4 * i + main_axis]))
                main_axis = j;
        }
        out[2 - i] = (int64_t)ceil(extent - 0.01);
        out[2 - i] += (out[2 - i] ^ in[2 - main_axis]) & 1;
    }
}

/* 2-D angles are counter-clockwise on a screen whose y runs down: the opposite of right-handed about +z. */
static mtm_status rotate_matrix(const rotate_args *a, int spatial, double r[12], mtm_error *err)
{
    if (spatial == 2)
        return rotation((const double[3]){0, 0, 1}, -a->degrees, r, err);
    if (a->axis.n != 3)
        return mtm_fail(err, MTM_E_INVAL, -1, "axis has %d numbers; a rotation of a volume needs (x, y, z)",
                        a->axis.n);
    return rotation(a->axis.v, a->degrees, r, err);
}

static mtm_status rotate_check(const void *args, mtm_error *err)
{
    const rotate_args *const a = args;
    double r[12];

    return a->axis.n ? rotate_matrix(a, 3, r, err) : MTM_OK;
}

static mtm_status rotate_geometry(const void *args, const mtm_spec *in, mtm_geometry *g, mtm_error *err)
{
    const rotate_args *const a = args;
    int64_t size[3] = {in->size[0], in->size[1], in->size[2]};
    double r[12], m[12];

    MTM_TRY(rotate_matrix(a, in->spatial, r, err));
    if (!a->keep_size)
        canvas(r, in->size, size);
    for (int i = 0; i < 3; i++) { /* the inverse is the transpose */
        for (int j = 0; j < 3; j++)
            m[4 * i + j] = r[4 * j + i];
        m[4 * i + 3] = 0;
    }
    about_middles(m, size, in->size);
    mtm_geometry_affine(g, in, size, m, (mtm_interp)a->interp, (mtm_border)a->border, a->value);
    return MTM_OK;
}

static const mtm_param rotate_params[] = {
    {"axis", MTM_PARAM_FLOATS, offsetof(rotate_args, axis), "None", 0, 0, NULL, "",
     "Axis of rotation (x, y, z), of any length; not used in 2-D."},
    {"degrees", MTM_PARAM_FLOAT, offsetof(rotate_args, degrees), NULL, 0, 0, NULL, "degrees",
     "Angle, right-handed from source to result; 2-D: counter-clockwise on the screen."},
    {"keep_size", MTM_PARAM_BOOL, offsetof(rotate_args, keep_size), "False", 0, 0, NULL, "",
     "Keep the input's size instead of growing the canvas."},
    MTM_INTERP_PARAM(rotate_args),
    MTM_BORDER_PARAM(rotate_args),
    MTM_VALUE_PARAM(rotate_args),
};

const mtm_op mtm_op_rotate = {
    .name = "rotate",
    .doc = "Rotate about the middle of the image.\n"
           "\n"
           "The canvas grows to hold the result unless keep_size: per axis ceil(|R|·size - 0.01), plus one "
           "where its\n"
           "parity differs from that of the dominant source axis (NVIDIA DALI's rule).",
    .kind = MTM_OP_GEOMETRY,
    .params = rotate_params,
    .n_params = MTM_COUNT(rotate_params),
    .args_bytes = sizeof(rotate_args),
    .check = rotate_check,
    .geometry = rotate_geometry,
};

/* ---- zoom ---------------------------------------------------------------------------------------------- */

typedef struct zoom_args {
    mtm_floats factor;
    int32_t interp, border;
    double value;
} zoom_args;

static mtm_status zoom_check(const void *args, mtm_error *err)
{
    const mtm_floats *const f = &((const zoom_args *)args)->factor;

    for (int32_t i = 0; i < f->n; i++)
        if (!(f->v[i] > 0))
            return mtm_fail(err, MTM_E_INVAL, -1, "factor must be above 0, not %g", f->v[i]);
    return MTM_OK;
}

static mtm_status zoom_geometry(const void *args, const mtm_spec *in, mtm_geometry *g, mtm_error *err)
{
    const zoom_args *const a = args;
    double factor[3], m[12];

    MTM_TRY(mtm_axis_floats(&a->factor, "factor", in, 1, factor, err));
    memcpy(m, identity, sizeof m);
    for (int i = 0; i < 3; i++) /* row 0 is x, axis 2 */
        m[5 * i] = 1 / factor[2 - i];
    about_middles(m, in->size, in->size);
    mtm_geometry_affine(g, in, in->size, m, (mtm_interp)a->interp, (mtm_border)a->border, a->value);
    return MTM_OK;
}

static const mtm_param zoom_params[] = {
    {"factor", MTM_PARAM_FLOATS, offsetof(zoom_args, factor), NULL, 0, 1e6, NULL, "",
     "Above 1 enlarges, below 1 shrinks; one for all spatial axes or one each."},
    MTM_INTERP_PARAM(zoom_args),
    MTM_BORDER_PARAM(zoom_args),
    MTM_VALUE_PARAM(zoom_args),
};

const mtm_op mtm_op_zoom = {
    .name = "zoom",
    .doc = "Enlarge or shrink about the middle; the size stays.\n"
           "\n"
           "src = (dst + 0.5 - n/2) / factor + n/2 - 0.5 on every axis of n voxels, as random_zoom; MONAI's "
           "Zoom\n"
           "with keep_size differs in that it rounds the size in between to whole voxels. No antialiasing.\n"
           "Keeps the dtype.",
    .kind = MTM_OP_GEOMETRY,
    .params = zoom_params,
    .n_params = MTM_COUNT(zoom_params),
    .args_bytes = sizeof(zoom_args),
    .check = zoom_check,
    .geometry = zoom_geometry,
};

/* ---- random_affine ------------------------------------------------------------------------------------- */

typedef struct random_affine_args {
    mtm_floats degrees, scale, translate, shear;
    double p;
    bool isotropic;
    int32_t interp, border;
    double value;
} random_affine_args;

/* A range (low, high) for every one of `count`, or one range each; one number d stands for (−d, d). */
static mtm_status check_ranges(const mtm_floats *r, const char *name, int count, mtm_error *err)
{
    if (r->n == 1 && r->v[0] < 0)
        return mtm_fail(err, MTM_E_INVAL, -1, "%s is %g; one number d stands for -d to d and is 0 or more",
                        name, r->v[0]);
    if (r->n == 1)
        return MTM_OK;
    if (r->n != 0 && r->n != 2 && r->n != 2 * count)
        return mtm_fail(err, MTM_E_INVAL, -1, "%s has %d numbers; (low, high) or %d such pairs are wanted",
                        name, r->n, count);
    for (int32_t i = 0; i < r->n; i += 2)
        if (r->v[i] > r->v[i + 1])
            return mtm_fail(err, MTM_E_INVAL, -1, "%s: the range %g … %g runs backwards", name, r->v[i],
                            r->v[i + 1]);
    return MTM_OK;
}

static mtm_status check_for(const random_affine_args *a, int n, mtm_error *err)
{
    MTM_TRY(check_ranges(&a->degrees, "degrees", n == 2 ? 1 : 3, err));
    MTM_TRY(check_ranges(&a->scale, "scale", n, err));
    MTM_TRY(check_ranges(&a->translate, "translate", n, err));
    MTM_TRY(check_ranges(&a->shear, "shear", n * (n - 1), err));
    if (a->scale.n == 1)
        return mtm_fail(err, MTM_E_INVAL, -1, "scale is a pair (low, high), not one number");
    for (int32_t i = 0; i < a->scale.n; i += 2)
        if (!(a->scale.v[i] > 0))
            return mtm_fail(err, MTM_E_INVAL, -1, "scale must be above 0, not %g", a->scale.v[i]);
    return MTM_OK;
}

/* Whether planes or volumes will come is not known yet: what suits either is right. */
static mtm_status random_affine_check(const void *args, mtm_error *err)
{
    return check_for(args, 2, NULL) == MTM_OK ? MTM_OK : check_for(args, 3, err);
}

static mtm_status random_affine_infer(const void *args, const mtm_spec *in, mtm_spec *out, mtm_error *err)
{
    return check_for(args, in->spatial, err);
}

/* Number i's draw; always one, so that a draw does not depend on which ranges are given. */
static double draw_from(mtm_draw *d, const mtm_floats *r, int i, double none)
{
    const double both[2] = {-r->v[0], r->v[0]};
    const double *const pair = r->n == 1 ? both : r->v + (r->n > 2 ? 2 * i : 0);
    const double u = mtm_rng_range(&d->rng, 0, 1);

    return r->n ? pair[0] + u * (pair[1] - pair[0]) : none;
}

/* Array-order axis i of the picture as a row of the matrix. */
static int matrix_row(int spatial, int i)
{
    return spatial - 1 - i;
}

/* Input → output about the origin: translate · Rz · Ry · Rx · shear · scale. */
static mtm_status draw_matrix(const random_affine_args *a, mtm_draw *d, int n, double m[12], mtm_error *err)
{
    double scale[12], shear[12], turn[12];
    double factor = 1;
    int k = 0;

    memcpy(m, identity, sizeof identity);
    memcpy(scale, identity, sizeof identity);
    memcpy(shear, identity, sizeof identity);
    for (int i = 0; i < (n == 2 ? 1 : 3); i++) { /* array order: about z, y, x */
        const double axis[3] = {i == 2, i == 1, i == 0};
        const double degrees = draw_from(d, &a->degrees, i, 0);

        MTM_TRY(rotation(axis, n == 2 ? -degrees : degrees, turn, err));
        mtm_matrix_multiply(m, turn, m);
    }
    for (int i = 0; i < n; i++) {
        const double f = draw_from(d, &a->scale, i, 1);

        factor = i == 0 || !a->isotropic ? f : factor;
        scale[5 * matrix_row(n, i)] = factor;
    }
    for (int i = 0; i < n; i++)
        m[4 * matrix_row(n, i) + 3] = draw_from(d, &a->translate, i, 0);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            if (i != j)
                shear[4 * matrix_row(n, i) + matrix_row(n, j)] = draw_from(d, &a->shear, k++, 0);
    mtm_matrix_multiply(m, shear, m);
    mtm_matrix_multiply(m, scale, m);
    return MTM_OK;
}

static mtm_status random_affine_draw(const void *args, mtm_draw *d, const mtm_spec *in, const mtm_op **target,
                                     void *target_args, mtm_error *err)
{
    const random_affine_args *const a = args;
    const bool acts = mtm_draw_acts(d, a->p);
    const int n = in->spatial;
    affine_args *const t = target_args;
    double m[12];

    *t = (affine_args){.interp = a->interp, .border = a->border, .value = a->value};
    MTM_TRY(draw_matrix(a, d, n, m, err));
    MTM_TRY(invert(m, m, err));
    about_middles(m, in->size, in->size);
    t->matrix.n = n * (n + 1);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++)
            t->matrix.v[i * (n + 1) + j] = m[4 * i + j];
        t->matrix.v[i * (n + 1) + n] = m[4 * i + 3];
    }
    *target = acts ? &mtm_op_affine : NULL;
    return MTM_OK;
}

static const mtm_param random_affine_params[] = {
    {"degrees", MTM_PARAM_FLOATS, offsetof(random_affine_args, degrees), "None", 0, 0, NULL, "degrees",
     "Range of the angles about z, y, x, or three ranges; one number d: -d to d; 2-D: one angle."},
    {"scale", MTM_PARAM_FLOATS, offsetof(random_affine_args, scale), "None", 0, 0, NULL, "",
     "Range of the factors (above 1 enlarges), or one range per axis in array order."},
    {"translate", MTM_PARAM_FLOATS, offsetof(random_affine_args, translate), "None", 0, 0, NULL, "voxels",
     "Range of the shifts, or one range per axis in array order; one number d: -d to d."},
    {"shear", MTM_PARAM_FLOATS, offsetof(random_affine_args, shear), "None", 0, 0, NULL, "",
     "Range of the shears, or one per ordered pair of axes: along the first, by the second; one number d: -d "
     "to d."},
    {"p", MTM_PARAM_FLOAT, offsetof(random_affine_args, p), "1", 0, 1, NULL, "",
     "Probability that anything happens."},
    {"isotropic", MTM_PARAM_BOOL, offsetof(random_affine_args, isotropic), "False", 0, 0, NULL, "",
     "One factor for all axes, from the first range."},
    MTM_INTERP_PARAM(random_affine_args),
    MTM_BORDER_PARAM(random_affine_args),
    MTM_VALUE_PARAM(random_affine_args),
};

const mtm_op mtm_op_random_affine = {
    .name = "random_affine",
    .doc = "Rotate, scale, shear and shift about the middle by drawn amounts, in one interpolation.\n"
           "\n"
           "Source to result: translate · Rz · Ry · Rx · shear · scale. Each range is a pair (low, high), "
           "drawn\n"
           "uniformly and for each axis by itself.",
    .kind = MTM_OP_RANDOM,
    .params = random_affine_params,
    .n_params = MTM_COUNT(random_affine_params),
    .args_bytes = sizeof(random_affine_args),
    .check = random_affine_check,
    .infer = random_affine_infer,
    .draw = random_affine_draw,
};

/* ---- random_zoom --------------------------------------------------------------------------------------- */

static const mtm_param random_zoom_params[] = {
    {"scale", MTM_PARAM_FLOATS, offsetof(random_affine_args, scale), "(0.7, 1.4)", 0, 0, NULL, "",
     "Range of the factors (above 1 enlarges), or one range per axis in array order."},
    {"p", MTM_PARAM_FLOAT, offsetof(random_affine_args, p), "0.5", 0, 1, NULL, "",
     "Probability that anything happens."},
    {"isotropic", MTM_PARAM_BOOL, offsetof(random_affine_args, isotropic), "True", 0, 0, NULL, "",
     "One factor for all axes, from the first range."},
    MTM_INTERP_PARAM(random_affine_args),
    MTM_BORDER_PARAM(random_affine_args),
    MTM_VALUE_PARAM(random_affine_args),
};

const mtm_op mtm_op_random_zoom = {
    .name = "random_zoom",
    .doc = "Enlarge or shrink about the middle by a drawn factor, with probability p; the size stays.\n"
           "\n"
           "random_affine with nothing but its scale.",
    .kind = MTM_OP_RANDOM,
    .params = random_zoom_params,
    .n_params = MTM_COUNT(random_zoom_params),
    .args_bytes = sizeof(random_affine_args),
    .check = random_affine_check,
    .infer = random_affine_infer,
    .draw = random_affine_draw,
};
