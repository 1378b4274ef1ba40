/* op/op.c: the table's look-up, and eager running: any array in, canonical views inside, any array out.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op.h"

#include "op/pointwise.h"
#include "op/spatial/geometry.h"
#include "op/stats.h"

const mtm_op *mtm_op_find(const char *name)
{
    int32_t n;
    const mtm_op *const *const table = mtm_op_table(&n);

    for (int32_t i = 0; i < n; i++)
        if (!strcmp(table[i]->name, name))
            return table[i];
    return NULL;
}

mtm_status mtm_op_canonical(mtm_array *view, mtm_spec *spec, const mtm_array *in, bool channels,
                            mtm_error *err)
{
    const int32_t spatial = in->ndim - (channels ? 1 : 0), missing = 4 - in->ndim;
    mtm_array v = *in;

    if (spatial != 2 && spatial != 3)
        return mtm_fail(err, MTM_E_INVAL, -1, "an array of %d axes%s has %d spatial axes; 2 or 3 are wanted",
                        in->ndim, channels ? " with channels" : "", spatial);
    for (int32_t i = 0; i < in->ndim; i++)
        if (in->shape[i] <= 0)
            return mtm_fail(err, MTM_E_INVAL, -1, "axis %d of the array is empty", i);
    v.ndim = 4, v.owner = NULL;
    for (int32_t i = 0; i < 4; i++)
        v.shape[i] = 1, v.stride[i] = 0;
    if (channels)
        v.shape[0] = in->shape[0], v.stride[0] = in->stride[0];
    for (int32_t i = channels ? 1 : 0; i < in->ndim; i++)
        v.shape[i + missing] = in->shape[i], v.stride[i + missing] = in->stride[i];
    *view = v;
    *spec = (mtm_spec){.dtype = in->dtype, .spatial = spatial, .channels = v.shape[0]};
    for (int i = 0; i < 3; i++)
        spec->size[i] = v.shape[i + 1];
    return MTM_OK;
}

mtm_status mtm_op_infer(const mtm_op *op, const void *args, const mtm_spec *in, mtm_spec *out, mtm_error *err)
{
    mtm_geometry g;

    *out = *in;
    if (op->kind == MTM_OP_GEOMETRY) {
        MTM_TRY(op->geometry(args, in, &g, err));
        for (int i = 0; i < 3; i++)
            out->size[i] = g.out_size[i];
        if (in->has_affine)
            mtm_geometry_move_affine(&g, in->affine, out->affine);
    } else if ((op->kind == MTM_OP_POINTWISE || op->kind == MTM_OP_FILTER) && !in->label) {
        out->dtype = MTM_F32;
    } else if (op->target && (op->target->kind == MTM_OP_POINTWISE || op->target->kind == MTM_OP_FILTER) &&
               !in->label) {
        out->dtype = MTM_F32; /* whether or not it acts */
    }
    return op->infer ? op->infer(args, in, out, err) : MTM_OK;
}

static mtm_status run_geometry(mtm_exec *x, const mtm_op *op, const void *args, const mtm_spec *spec,
                               const mtm_array *in, mtm_array *out, mtm_error *err)
{
    const int64_t origin[3] = {0};
    mtm_geometry g;

    MTM_TRY(op->geometry(args, spec, &g, err));
    return mtm_geometry_run(x, &g, in, origin, spec->label, NULL, out, err);
}

static mtm_status run_pointwise(mtm_exec *x, const mtm_op *op, const void *args, const mtm_spec *spec,
                                const mtm_array *in, mtm_array *out, mtm_error *err)
{
    mtm_stats_request r = {0};
    mtm_pointwise p = {0};
    MTM_AUTO_MEM mtm_stats *st = NULL;

    if (op->stats)
        op->stats(args, &r);
    st = mtm_alloc_zero(r.flags & MTM_STAT_CHANNELS ? (size_t)spec->channels : 1, sizeof *st);
    if (!st)
        return MTM_NOMEM(err);
    if (r.flags)
        MTM_TRY(mtm_op_stats(x, in, &r, st, err));
    MTM_TRY(op->steps(args, spec, st, &p, err));
    return mtm_pointwise_apply(x, &p, in, out, err);
}

mtm_status mtm_op_run_canonical(mtm_exec *x, const mtm_op *op, const void *args, const mtm_spec *spec,
                                const mtm_array *in, mtm_array *out, mtm_error *err)
{
    switch (op->kind) {
    case MTM_OP_GEOMETRY: return run_geometry(x, op, args, spec, in, out, err);
    case MTM_OP_POINTWISE: return run_pointwise(x, op, args, spec, in, out, err);
    case MTM_OP_FILTER:
    case MTM_OP_LABEL: return op->run(x, args, spec, in, out, err);
    case MTM_OP_RANDOM: break;
    }
    return mtm_fail(err, MTM_E_INVAL, -1, "%s draws its arguments and runs only in a chain", op->name);
}

/* The shape that the caller sees: without the axes that canonical views added. */
static int32_t outer_shape(int64_t shape[4], const mtm_spec *spec, bool channels)
{
    int32_t n = 0;

    if (channels)
        shape[n++] = spec->channels;
    for (int i = 3 - spec->spatial; i < 3; i++)
        shape[n++] = spec->size[i];
    return n;
}

static mtm_status prepare_out(mtm_exec *x, mtm_array *out, const mtm_spec *spec, bool channels,
                              mtm_error *err)
{
    int64_t shape[4];
    const int32_t ndim = outer_shape(shape, spec, channels);

    if (!out->data)
        return mtm_array_new(out, out->dtype ? out->dtype : spec->dtype, ndim, shape, x->recycler, err);
    if (out->ndim != ndim)
        return mtm_fail(err, MTM_E_INVAL, -1, "out has %d axes, the result %d", out->ndim, ndim);
    for (int32_t i = 0; i < ndim; i++)
        if (out->shape[i] != shape[i])
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "axis %d of out has %" PRId64 " voxels, the result %" PRId64, i, out->shape[i],
                            shape[i]);
    return MTM_OK;
}

mtm_status mtm_op_run(mtm_exec *x, const mtm_op *op, const void *args, const mtm_array *in, bool channels,
                      const double *in_affine, mtm_array *out, double *out_affine, mtm_error *err)
{
    const bool made = !out->data;
    mtm_spec spec, result, ignored;
    mtm_array view, out_view;
    mtm_status s;

    MTM_TRY(mtm_op_canonical(&view, &spec, in, channels, err));
    spec.has_affine = in_affine != NULL;
    if (in_affine)
        memcpy(spec.affine, in_affine, sizeof spec.affine);
    if (op->kind == MTM_OP_RANDOM)
        return mtm_op_run_canonical(x, op, args, &spec, &view, NULL, err);
    MTM_TRY(mtm_error_where(err, mtm_op_infer(op, args, &spec, &result, err), op->name));
    if (!channels && result.channels != 1)
        return mtm_error_where(err,
                               mtm_fail(err, MTM_E_INVAL, -1,
                                        "the result has %" PRId64
                                        " channels; the array must be given with its "
                                        "channel axis (channels=True)",
                                        result.channels),
                               op->name);
    MTM_TRY(prepare_out(x, out, &result, channels, err));
    s = mtm_op_canonical(&out_view, &ignored, out, channels, err);
    if (s == MTM_OK)
        s = mtm_op_run_canonical(x, op, args, &spec, &view, &out_view, err);
    if (s != MTM_OK && made)
        mtm_array_drop(out);
    if (s == MTM_OK && out_affine && in_affine)
        memcpy(out_affine, result.affine, sizeof result.affine);
    return mtm_error_where(err, s, op->name);
}
