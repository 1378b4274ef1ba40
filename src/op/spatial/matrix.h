/* op/spatial/matrix.h: row-major 3×4 matrices of (x, y, z): the affine maps of geometries.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_OP_MATRIX_H
#define MTM_OP_MATRIX_H

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* b first, then a; out may be a or b. */
static inline void mtm_matrix_multiply(const double a[12], const double b[12], double out[12])
{
    double r[12];

    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 4; j++)
            r[4 * i + j] = a[4 * i] * b[j] + a[4 * i + 1] * b[4 + j] + a[4 * i + 2] * b[8 + j] +
                           (j == 3 ? a[4 * i + 3] : 0);
    memcpy(out, r, sizeof r);
}

static inline double mtm_matrix_minor(const double m[12], int i, int j)
{
    const int a = (i + 1) % 3, b = (i + 2) % 3, c = (j + 1) % 3, d = (j + 2) % 3;

    return m[4 * a + c] * m[4 * b + d] - m[4 * a + d] * m[4 * b + c];
}

/* Exact for maps of whole voxels. False, and out untouched: there is no inverse. out may be m. */
static inline bool mtm_matrix_invert(const double m[12], double out[12])
{
    const double det = m[0] * mtm_matrix_minor(m, 0, 0) + m[1] * mtm_matrix_minor(m, 0, 1) +
                       m[2] * mtm_matrix_minor(m, 0, 2);
    double r[12];

    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++)
            r[4 * i + j] = mtm_matrix_minor(m, j, i) / det;
        r[4 * i + 3] = -(r[4 * i] * m[3] + r[4 * i + 1] * m[7] + r[4 * i + 2] * m[11]);
    }
    for (int i = 0; i < 12; i++)
        if (!isfinite(r[i]))
            return false;
    memcpy(out, r, sizeof r);
    return true;
}

/* p := m · p */
static inline void mtm_matrix_point(const double m[12], double p[3])
{
    const double x = p[0], y = p[1], z = p[2];

    for (int i = 0; i < 3; i++)
        p[i] = m[4 * i] * x + m[4 * i + 1] * y + m[4 * i + 2] * z + m[4 * i + 3];
}

#endif
