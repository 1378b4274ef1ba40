/* format/dicom/volume/seg_grid.c: the frames of a segmentation as places in a stack [K, R, C]: of their own regular grid, where frames
 * that are missing leave gaps, or of another image's grid.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "format/dicom/volume/seg.h"

static const double off_grid = 0.05; /* pixels that a frame may lie beside its place, for rounded positions */
static const double off_slice = 0.2; /* slices */

static double dot(const double a[3], const double b[3])
{
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

/* The whole number that x is within `most`; false: none. */
static bool whole(double x, double most, int64_t *out)
{
    const double r = floor(x + 0.5);

    if (!(fabs(x - r) <= most) || !(fabs(r) < 1e9))
        return false;
    *out = (int64_t)r;
    return true;
}

/* ---- the frames' own grid ------------------------------------------------------------------------------- */

typedef struct own_grid {
    double normal[3], first, last, step; /* along the normal, mm */
    double origin[3];                    /* of pixel (0, 0) of slice 0, LPS */
} own_grid;

static int by_number(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static bool fits(const double *along, int64_t n, double first, double step)
{
    int64_t k;

    for (int64_t i = 0; i < n; i++)
        if (!whole((along[i] - first) / step, off_slice, &k))
            return false;
    return true;
}

/* The distance of neighbours: as the object says, if its frames lie so, else the smallest that occurs. */
static mtm_status step_find(const dcm_seg *s, own_grid *g, double *along, mtm_error *err)
{
    const double same = 1e-3 * s->spacing[0];
    double smallest = INFINITY;

    qsort(along, (size_t)s->n, sizeof *along, by_number);
    g->first = along[0], g->last = along[s->n - 1];
    for (int64_t i = 1; i < s->n; i++)
        if (along[i] - along[i - 1] > same)
            smallest = fmin(smallest, along[i] - along[i - 1]);
    g->step = s->between > 0 ? s->between : smallest;
    if (!isfinite(smallest)) { /* one slice */
        g->step = s->between > 0 ? s->between : 1;
        return MTM_OK;
    }
    if (!fits(along, s->n, g->first, g->step))
        g->step = smallest;
    const double slices = floor((g->last - g->first) / g->step + 0.5);
    g->step = (g->last - g->first) / fmax(slices, 1); /* rounding of the distance adds up over many slices */
    if (!fits(along, s->n, g->first, g->step))
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1,
                        "the segmentation's frames do not lie on one regular grid");
    return MTM_OK;
}

static mtm_status own_grid_find(const dcm_seg *s, own_grid *g, mtm_error *err)
{
    double *const along = mtm_alloc_zero((size_t)s->n, sizeof *along);
    mtm_status st;

    if (!along)
        return MTM_NOMEM(err);
    for (int i = 0; i < 3; i++)
        g->normal[i] =
            s->row[(i + 1) % 3] * s->column[(i + 2) % 3] - s->row[(i + 2) % 3] * s->column[(i + 1) % 3];
    for (int64_t i = 0; i < s->n; i++)
        along[i] = dot(s->frames[i].position, g->normal);
    st = step_find(s, g, along, err);
    mtm_free(along);
    return st;
}

/* Places relative to frame 0, then counted from the corner of all. */
static mtm_status own_places(dcm_seg *s, own_grid *g, mtm_error *err)
{
    int64_t low[2] = {INT64_MAX, INT64_MAX}, high[2] = {INT64_MIN, INT64_MIN};

    memcpy(g->origin, s->frames[0].position, sizeof g->origin);
    for (int64_t i = 0; i < s->n; i++) {
        dcm_seg_frame *const f = &s->frames[i];
        double from[3];

        for (int k = 0; k < 3; k++)
            from[k] = f->position[k] - g->origin[k];
        if (!whole((dot(f->position, g->normal) - g->first) / g->step, off_slice, &f->k) ||
            !whole(dot(from, s->column) / s->spacing[0], off_grid, &f->r) ||
            !whole(dot(from, s->row) / s->spacing[1], off_grid, &f->c))
            return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "frame %" PRId64 " lies beside the grid of frame 1",
                            f->frame + 1);
        low[0] = f->r < low[0] ? f->r : low[0], high[0] = f->r > high[0] ? f->r : high[0];
        low[1] = f->c < low[1] ? f->c : low[1], high[1] = f->c > high[1] ? f->c : high[1];
        s->size[0] = f->k >= s->size[0] ? f->k + 1 : s->size[0];
    }
    for (int64_t i = 0; i < s->n; i++)
        s->frames[i].r -= low[0], s->frames[i].c -= low[1];
    s->size[1] = high[0] - low[0] + s->decoder->pixels.rows;
    s->size[2] = high[1] - low[1] + s->decoder->pixels.columns;
    const double down = g->first - dot(g->origin, g->normal);
    for (int k = 0; k < 3; k++)
        g->origin[k] += down * g->normal[k] + (double)low[0] * s->spacing[0] * s->column[k] +
                        (double)low[1] * s->spacing[1] * s->row[k];
    return MTM_OK;
}

static void affine_set(dcm_seg *s, const own_grid *g)
{
    double *const a = s->base.info.affine;

    for (int i = 0; i < 3; i++) {
        const double turn = i < 2 ? -1 : 1; /* LPS to RAS */

        a[4 * i] = turn * s->row[i] * s->spacing[1];
        a[4 * i + 1] = turn * s->column[i] * s->spacing[0];
        a[4 * i + 2] = turn * g->normal[i] * g->step;
        a[4 * i + 3] = turn * g->origin[i];
    }
    a[12] = a[13] = a[14] = 0, a[15] = 1;
    s->base.info.has_affine = true;
}

/* ---- another image's grid ------------------------------------------------------------------------------- */

/* The axis of the grid (x, y, z: 0, 1, 2) along which a step of one pixel goes; −1: none. */
static int axis_along(const double step[3], int64_t pixels)
{
    for (int a = 0; a < 3; a++) {
        const double beside = fabs(fabs(step[a]) - 1) + fabs(step[(a + 1) % 3]) + fabs(step[(a + 2) % 3]);

        if (beside * (double)pixels <= 2 * off_grid)
            return a;
    }
    return -1;
}

static mtm_status grid_axes(dcm_seg *s, const dcm_to_voxel *t, const mtm_dicom_grid *grid, mtm_error *err)
{
    double mm_across[3], mm_down[3], across[3], down[3];
    int axis[3]; /* K, R, C: of x, y, z */

    for (int i = 0; i < 3; i++)
        mm_across[i] = s->row[i] * s->spacing[1], mm_down[i] = s->column[i] * s->spacing[0];
    dcm_to_voxel_turn(t, mm_across, across);
    dcm_to_voxel_turn(t, mm_down, down);
    axis[1] = axis_along(down, s->decoder->pixels.rows);
    axis[2] = axis_along(across, s->decoder->pixels.columns);
    if (axis[1] < 0 || axis[2] < 0 || axis[1] == axis[2])
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "the segmentation's pixels are not those of the grid: another direction or spacing");
    axis[0] = 3 - axis[1] - axis[2];
    s->flip[1] = down[axis[1]] < 0, s->flip[2] = across[axis[2]] < 0;
    for (int i = 0; i < 3; i++) {
        s->axis[i] = 2 - axis[i];
        s->size[i] = grid->size[s->axis[i]];
    }
    return MTM_OK;
}

static mtm_status grid_places(dcm_seg *s, const dcm_to_voxel *t, mtm_error *err)
{
    bool touched = false;

    for (int64_t i = 0; i < s->n; i++) {
        dcm_seg_frame *const f = &s->frames[i];
        double v[3];
        int64_t at[3];

        dcm_to_voxel_run(t, f->position, v);
        for (int a = 0; a < 3; a++)
            if (!whole(v[2 - s->axis[a]], a ? off_grid : off_slice, &at[a]))
                return mtm_fail(err, MTM_E_INVAL, -1, "frame %" PRId64 " lies between the grid's voxels",
                                f->frame + 1);
        f->k = at[0];
        f->r = s->flip[1] ? s->size[1] - 1 - at[1] : at[1];
        f->c = s->flip[2] ? s->size[2] - 1 - at[2] : at[2];
        touched |= f->k >= 0 && f->k < s->size[0] && f->r < s->size[1] && f->c < s->size[2] &&
                   f->r + s->decoder->pixels.rows > 0 && f->c + s->decoder->pixels.columns > 0;
    }
    return touched ? MTM_OK : mtm_fail(err, MTM_E_INVAL, -1, "the segmentation lies outside of the grid");
}

mtm_status dcm_seg_place(dcm_seg *s, const mtm_dicom_grid *grid, mtm_error *err)
{
    own_grid g;
    dcm_to_voxel t;

    for (int i = 0; i < 3; i++)
        s->axis[i] = i;
    if (s->n < 1)
        return mtm_fail(err, MTM_E_CORRUPT, -1, "the segmentation has no frames");
    if (s->on_slide)
        return grid ? mtm_fail(err, MTM_E_UNSUPPORTED, -1,
                               "the segmentation of a slide is read on its own pixels only")
                    : MTM_OK;
    if (grid) {
        MTM_TRY(dcm_to_voxel_make(&t, grid, err));
        MTM_TRY(grid_axes(s, &t, grid, err));
        MTM_TRY(grid_places(s, &t, err));
        memcpy(s->base.info.affine, grid->affine, sizeof grid->affine);
        s->base.info.has_affine = true;
        return MTM_OK;
    }
    MTM_TRY(own_grid_find(s, &g, err));
    MTM_TRY(own_places(s, &g, err));
    affine_set(s, &g);
    return MTM_OK;
}
