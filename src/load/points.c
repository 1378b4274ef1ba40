/* load/points.c: landmarks: points of an item that move with its picture while the sample is planned, as nothing of the picture's
 * voxels is needed for that.
 * SPDX-License-Identifier: Apache-2.0 */
#include "load/sample.h"
#include "op/spatial/geometry.h"

/* The field whose grid points lie on: the first image, else the first label map; −1: there is none. */
static int32_t carrier(const mtm_sample *s)
{
    int32_t label = -1;

    for (int32_t i = 0; i < s->n_fields; i++) {
        if (!s->fields[i].picture)
            continue;
        if (!s->fields[i].label)
            return i;
        label = label < 0 ? i : label;
    }
    return label;
}

static mtm_status open_points(mtm_sample *s, mtm_field_plan *f, const mtm_spec *grid, mtm_error *err)
{
    const mtm_array *const a = &f->item->array;
    const int32_t axes = grid->spatial;
    mtm_array numbers;

    if (f->item->kind != MTM_FIELD_ARRAY || a->ndim != 2 || a->shape[1] != axes)
        return mtm_fail(err, MTM_E_INVAL, -1, "points on a picture of %d axes are an array [N, %d]",
                        (int)axes, (int)axes);
    const int64_t shape[2] = {a->shape[0], 3};
    MTM_TRY(mtm_array_new(&f->xyz, MTM_F64, 2, shape, s->x->recycler, err));
    memset(f->xyz.data, 0, (size_t)shape[0] * 3 * sizeof(double));
    numbers = f->xyz;
    numbers.owner = NULL, numbers.shape[1] = axes;
    f->point_axes = axes;
    return shape[0] ? mtm_array_convert(&numbers, a, 1, 0, NULL, err) : MTM_OK;
}

mtm_status mtm_points_open(mtm_sample *s, mtm_error *err)
{
    const int32_t on = carrier(s);

    for (int32_t i = 0; i < s->n_fields; i++) {
        mtm_field_plan *const f = &s->fields[i];

        if (!f->points)
            continue;
        if (on < 0)
            return mtm_fail(err, MTM_E_INVAL, -1, "'%s' holds points, but the item has no picture under them",
                            f->item->name);
        MTM_TRY(mtm_error_where(err, open_points(s, f, &s->fields[on].spec, err), f->item->name));
    }
    mtm_points_settle(s);
    return MTM_OK;
}

/* From voxel numbers to continuous coordinates (+0.5), or back. */
static void shift_centres(mtm_array *xyz, double by)
{
    double *const v = xyz->data;

    for (int64_t i = 0; i < 3 * xyz->shape[0]; i++)
        v[i] += by;
}

mtm_status mtm_points_follow(mtm_sample *s, int32_t field, const mtm_drawn *d, const mtm_spec *before,
                             mtm_error *err)
{
    const mtm_spec *const after = &s->fields[field].spec;
    const bool moves = d && d->op->kind == MTM_OP_GEOMETRY;
    mtm_geometry g;
    bool made = false;

    for (int32_t i = 0; i < s->n_fields; i++) {
        mtm_field_plan *const f = &s->fields[i];

        if (!f->points || field != carrier(s))
            continue;
        if (!moves && memcmp(before->size, after->size, sizeof before->size))
            return mtm_fail(err, MTM_E_UNSUPPORTED, -1,
                            "the grid changes in a way that points ('%s') cannot follow", f->item->name);
        if (!moves)
            continue;
        if (!made)
            MTM_TRY(d->op->geometry(d->args, before, &g, err));
        made = true;
        shift_centres(&f->xyz, 0.5);
        MTM_TRY(mtm_geometry_points(&g, true, f->xyz.data, f->xyz.shape[0], err));
        shift_centres(&f->xyz, -0.5);
    }
    return MTM_OK;
}

void mtm_points_settle(mtm_sample *s)
{
    const int32_t on = carrier(s);

    for (int32_t i = 0; on >= 0 && i < s->n_fields; i++)
        if (s->fields[i].points)
            s->fields[i].spec = s->fields[on].spec;
}

void mtm_points_store(const mtm_field_plan *f, mtm_array *dst)
{
    const double *const from = f->xyz.data;

    for (int64_t i = 0; i < f->xyz.shape[0]; i++)
        for (int32_t k = 0; k < f->point_axes; k++)
            memcpy((char *)dst->data + i * dst->stride[0] + k * dst->stride[1], &from[3 * i + k],
                   sizeof *from);
}
