/* format/nifti_geometry.c: what a NIfTI header says about space and values, decided as nibabel decides it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "nifti.h"

#include <float.h>
#include <math.h>
#include <stddef.h>

/* ---- affine, reading ----------------------------------------------------------------------------------- */

static void affine_identity(double a[16])
{
    memset(a, 0, 16 * sizeof *a);
    a[0] = a[5] = a[10] = a[15] = 1;
}

/* pixdim[1…3] with nibabel's repairs: 0 becomes 1, a negative length its magnitude. */
static void zooms(const nifti_header *h, double z[3], const char **problem)
{
    for (int i = 0; i < 3; i++) {
        z[i] = h->pixdim[i + 1];
        if (z[i] == 0)
            z[i] = 1, *problem = "a voxel size (pixdim) is 0; 1 is taken";
        if (z[i] < 0)
            z[i] = -z[i], *problem = "a voxel size (pixdim) is negative; its magnitude is taken";
    }
}

/* Method 1 of nifti1.h: voxel sizes, x flipped, the volume's centre at the origin. Analyze: SPM99's origin (a voxel,
 * counted from 1) where it is near the volume. */
static void affine_base(const nifti_header *h, double a[16], const char **problem)
{
    double z[3], centre[3];
    bool origin = false;

    zooms(h, z, problem);
    z[0] = -z[0];
    for (int i = 0; i < 3; i++) {
        const bool there = i < h->dim[0] || h->version == NIFTI_ANALYZE; /* SPM99 asks no dim[0] */

        origin = origin || h->origin[i];
        centre[i] = there ? (double)(h->dim[i + 1] - 1) / 2 : 0;
        if (!there)
            z[i] = 1;
    }
    for (int i = 0; i < 3; i++)
        origin = origin && h->origin[i] > -h->dim[i + 1] && h->origin[i] < 2 * h->dim[i + 1];
    affine_identity(a);
    for (int i = 0; i < 3; i++) {
        if (origin)
            centre[i] = h->origin[i] - 1;
        a[5 * i] = z[i], a[4 * i + 3] = -centre[i] * z[i];
    }
}

static void affine_sform(const nifti_header *h, double a[16])
{
    affine_identity(a);
    memcpy(a, h->srow, sizeof h->srow);
}

/* Rotation matrix of a quaternion that need not have length 1; extended precision as in nibabel. */
static void rotation_of(const long double q[4], long double r[9])
{
    const long double w = q[0], x = q[1], y = q[2], z = q[3], n = w * w + x * x + y * y + z * z;
    const long double s = n < DBL_EPSILON ? 0 : 2 / n;

    r[0] = 1 - s * (y * y + z * z), r[1] = s * (x * y - w * z), r[2] = s * (x * z + w * y);
    r[3] = s * (x * y + w * z), r[4] = 1 - s * (x * x + z * z), r[5] = s * (y * z - w * x);
    r[6] = s * (x * z - w * y), r[7] = s * (y * z + w * x), r[8] = 1 - s * (x * x + y * y);
}

/* Method 2 of nifti1.h. The first component of the unit quaternion follows from the others; near 0 it is lost in the
 * rounding of the file's numbers and is taken as 0. */
static mtm_status affine_qform(const nifti_header *h, double a[16], const char **problem, mtm_error *err)
{
    const long double epsilon = 3 * (h->version == NIFTI_2 ? (long double)DBL_EPSILON : FLT_EPSILON);
    long double q[4], r[9], w2 = 1;
    double z[3];

    for (int i = 0; i < 3; i++)
        q[i + 1] = h->quatern[i], w2 -= q[i + 1] * q[i + 1];
    if (isnan((double)w2))
        return mtm_fail(err, MTM_E_CORRUPT, NIFTI_AT(h, quatern, 0), "the qform's quaternion is not finite");
    if (!(fabsl(w2) < epsilon) && !(w2 >= 0))
        return mtm_fail(err, MTM_E_CORRUPT, NIFTI_AT(h, quatern, 0),
                        "the qform's quaternion is longer than 1: (%g, %g, %g)", h->quatern[0], h->quatern[1],
                        h->quatern[2]);
    q[0] = fabsl(w2) < epsilon ? 0 : sqrtl(w2);
    rotation_of(q, r);
    zooms(h, z, problem);
    if (h->pixdim[0] == -1)
        z[2] = -z[2];
    else if (h->pixdim[0] != 1)
        *problem = "qfac (pixdim[0]) is neither 1 nor -1; 1 is taken";
    affine_identity(a);
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++)
            a[4 * i + j] = (double)(r[3 * i + j] * z[j]);
        a[4 * i + 3] = h->qoffset[i];
    }
    return MTM_OK;
}

/* Codes of a space are 0 to 5; nibabel takes others as 0, "unknown". */
static int64_t space_code(int64_t code, const char **problem)
{
    if (code >= 0 && code <= 5)
        return code;
    *problem = "qform_code or sform_code is not a known code; it is taken as 0";
    return 0;
}

mtm_status nifti_affine(const nifti_header *h, double affine[16], const char **problem, mtm_error *err)
{
    *problem = NULL;
    if (h->version == NIFTI_ANALYZE) {
        affine_base(h, affine, problem);
        return MTM_OK;
    }
    if (space_code(h->sform_code, problem)) {
        affine_sform(h, affine);
        return MTM_OK;
    }
    if (space_code(h->qform_code, problem))
        return affine_qform(h, affine, problem, err);
    affine_base(h, affine, problem);
    return MTM_OK;
}

/* ---- affine, writing ----------------------------------------------------------------------------------- */

static double determinant(const double m[9])
{
    return m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) +
           m[2] * (m[3] * m[7] - m[4] * m[6]);
}

/* The rotation nearest to m (determinant > 0): Higham's iteration m ← (m + m⁻ᵀ) / 2 (SIAM J. Sci. Stat. Comput. 7(4),
 * 1986), which converges quadratically. False: m is too near to singular. */
static bool nearest_rotation(double m[9])
{
    for (int step = 0; step < 64; step++) {
        const double d = determinant(m);
        double inverse_t[9], change = 0;

        if (!(d > 1e-12))
            return false;
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 3; j++) {
                const int a = (i + 1) % 3, b = (i + 2) % 3, c = (j + 1) % 3, e = (j + 2) % 3;

                inverse_t[3 * i + j] = (m[3 * a + c] * m[3 * b + e] - m[3 * a + e] * m[3 * b + c]) / d;
            }
        for (int i = 0; i < 9; i++) {
            const double next = (m[i] + inverse_t[i]) / 2;

            change = fmax(change, fabs(next - m[i]));
            m[i] = next;
        }
        if (change < 1e-15)
            break;
    }
    return true;
}

/* Quaternion (b, c, d) with a ≥ 0 of a rotation, from its largest component (Shepperd 1978). */
static void quaternion_of(const double r[9], double bcd[3])
{
    const double t[4] = {r[0] + r[4] + r[8], r[0] - r[4] - r[8], r[4] - r[0] - r[8], r[8] - r[0] - r[4]};
    double q[4];
    int k = 0;

    for (int i = 1; i < 4; i++)
        if (t[i] > t[k])
            k = i;
    const double s = 2 * sqrt(fmax(0, 1 + t[k]));
    const double v[4][4] = {
        {s / 4, (r[7] - r[5]) / s, (r[2] - r[6]) / s, (r[3] - r[1]) / s},
        {(r[7] - r[5]) / s, s / 4, (r[1] + r[3]) / s, (r[2] + r[6]) / s},
        {(r[2] - r[6]) / s, (r[1] + r[3]) / s, s / 4, (r[5] + r[7]) / s},
        {(r[3] - r[1]) / s, (r[2] + r[6]) / s, (r[5] + r[7]) / s, s / 4},
    };
    memcpy(q, v[k], sizeof q);
    for (int i = 0; i < 3; i++)
        bcd[i] = q[0] < 0 ? -q[i + 1] : q[i + 1];
}

void nifti_set_affine(nifti_header *h, const double affine[16])
{
    double r[9], sheared[9];
    bool shear = false;

    for (int j = 0; j < 3; j++) {
        const double n =
            sqrt(affine[j] * affine[j] + affine[4 + j] * affine[4 + j] + affine[8 + j] * affine[8 + j]);

        h->pixdim[j + 1] = n > 0 ? n : 1;
        for (int i = 0; i < 3; i++)
            r[3 * i + j] = affine[4 * i + j] / h->pixdim[j + 1];
    }
    h->pixdim[0] = determinant(r) < 0 ? -1 : 1;
    for (int i = 0; i < 3; i++)
        r[3 * i + 2] *= h->pixdim[0];
    memcpy(sheared, r, sizeof r);
    memcpy(h->srow, affine, sizeof h->srow);
    h->sform_code = h->sform_code ? h->sform_code : 2;
    h->qform_code = h->qform_code ? h->qform_code : 2;
    for (int i = 0; i < 3; i++)
        h->qoffset[i] = affine[4 * i + 3];
    if (!nearest_rotation(r)) {
        h->qform_code = 0;
        return;
    }
    for (int i = 0; i < 9; i++)
        shear = shear || fabs(r[i] - sheared[i]) > 1e-5;
    if (shear) /* a qform cannot say it; readers that look at the qform alone would be misled */
        h->qform_code = 0;
    quaternion_of(r, h->quatern);
}

/* ---- values -------------------------------------------------------------------------------------------- */

/* SPM2's rule (spm_vol_ana.m): the scale in funused1, else the ratio of the calibrated to the stored range. */
static void scaling_analyze(const nifti_header *h, double *slope, double *inter, bool *scaled)
{
    const double stored = (double)(h->glmax - h->glmin),
                 shown = (float)((float)h->cal_max - (float)h->cal_min);

    *scaled = true;
    if (isfinite(h->scl_slope) && h->scl_slope != 0) {
        *slope = h->scl_slope, *inter = isfinite(h->scl_inter) ? h->scl_inter : 0;
    } else if (stored != 0 && shown != 0 && isfinite(shown)) {
        *slope = shown / stored, *inter = h->cal_min - *slope * (double)h->glmin;
    } else {
        *scaled = false;
    }
}

mtm_status nifti_scaling(const nifti_header *h, double *slope, double *inter, bool *scaled, mtm_error *err)
{
    *slope = 1, *inter = 0, *scaled = false;
    if (h->version == NIFTI_ANALYZE) {
        scaling_analyze(h, slope, inter, scaled);
    } else if (isfinite(h->scl_slope) && h->scl_slope != 0) {
        if (!isfinite(h->scl_inter))
            return mtm_fail(err, MTM_E_CORRUPT, NIFTI_AT(h, scl_inter, 0),
                            "scl_slope is %g but scl_inter is not a finite number", h->scl_slope);
        *slope = h->scl_slope, *inter = h->scl_inter, *scaled = true;
    }
    if (*slope == 1 && *inter == 0)
        *scaled = false;
    return MTM_OK;
}
