/* load/plan.c: what will happen to a sample, before a voxel is read: sources opened, random operators drawn, the shape,
 * dtype and affine of every field after every step. So a batch is allocated before its samples are made.
 * SPDX-License-Identifier: Apache-2.0 */
#include "load/drawing.h"
#include "op/op.h"
#include "op/spatial/geometry.h"

mtm_status mtm_sample_new(mtm_sample **out, const mtm_chain *c, int32_t n_fields, mtm_error *err)
{
    MTM_AUTO(mtm_sample) s = mtm_alloc_zero(1, sizeof *s);

    if (!s)
        return MTM_NOMEM(err);
    s->chain = c, s->n_fields = n_fields;
    s->fields = mtm_alloc_zero((size_t)n_fields, sizeof *s->fields);
    s->drawn = mtm_alloc_zero((size_t)c->n, sizeof *s->drawn);
    s->room = mtm_alloc_aligned((size_t)c->n * c->drawn_bytes);
    if (!s->fields || !s->drawn || !s->room)
        return MTM_NOMEM(err);
    *out = mtm_sample_steal(&s);
    return MTM_OK;
}

void mtm_sample_close(mtm_sample *s)
{
    for (int32_t i = 0; s->fields && i < s->n_fields; i++) {
        mtm_image_close(s->fields[i].source.image);
        mtm_array_drop(&s->fields[i].held);
        s->fields[i] = (mtm_field_plan){0};
    }
    s->planned = 0;
    s->tables = NULL;
}

void mtm_sample_free(mtm_sample *s)
{
    if (!s)
        return;
    mtm_sample_close(s);
    mtm_free(s->fields);
    mtm_free(s->drawn);
    mtm_free(s->room);
    mtm_free(s);
}

/* A step that names a field which the item lacks would silently do nothing. */
static mtm_status check_names(const mtm_chain *c, const mtm_item *item, mtm_error *err)
{
    for (int32_t i = 0; i < c->n; i++)
        for (int32_t k = 0; k < c->steps[i].n_fields; k++) {
            bool found = false;

            for (int32_t f = 0; f < item->n_fields; f++)
                found |= !strcmp(item->fields[f].name, c->steps[i].fields[k]) &&
                         item->fields[f].kind <= MTM_FIELD_ARRAY;
            if (!found)
                return mtm_fail(err, MTM_E_INVAL, -1,
                                "operator %d of the chain works on '%s', but the item has no such image",
                                (int)i, c->steps[i].fields[k]);
        }
    return MTM_OK;
}

static int64_t picture_bytes(const mtm_spec *s)
{
    const double voxels = (double)s->channels * (double)s->size[0] * (double)s->size[1] * (double)s->size[2];

    return (int64_t)(voxels * (double)mtm_max_i64((int64_t)mtm_dtype_size(s->dtype), 4));
}

/* Keeps the largest of what the steps need. */
static void note_scratch(mtm_field_plan *f)
{
    f->scratch_bytes =
        mtm_max_i64(f->scratch_bytes, picture_bytes(&f->source.spec) + 2 * picture_bytes(&f->spec));
}

mtm_status mtm_sample_open(mtm_sample *s, const mtm_item *item, mtm_index *index, const mtm_limits *limits,
                           mtm_error *err)
{
    mtm_sample_close(s);
    if (item->n_fields != s->n_fields)
        return mtm_fail(err, MTM_E_INVAL, -1, "the item has %d fields where %d are expected",
                        (int)item->n_fields, (int)s->n_fields);
    MTM_TRY(check_names(s->chain, item, err));
    for (int32_t i = 0; i < s->n_fields; i++) {
        mtm_field_plan *const f = &s->fields[i];

        f->item = &item->fields[i];
        f->picture = f->item->kind <= MTM_FIELD_ARRAY;
        if (!f->picture)
            continue;
        f->label = mtm_chain_is_label(s->chain, f->item->name);
        MTM_TRY(mtm_picture_open(&f->source, f->item, f->label, index, limits, err));
        f->spec = f->source.spec;
        note_scratch(f);
    }
    return MTM_OK;
}

/* ---- specs -------------------------------------------------------------------------------------------- */

static mtm_status plan_field(const mtm_drawn *d, bool in_prefix, mtm_field_plan *f, mtm_error *err)
{
    mtm_geometry g;
    mtm_spec out;

    if (d->op->kind == MTM_OP_GEOMETRY && !in_prefix) {
        MTM_TRY(d->op->geometry(d->args, &f->spec, &g, err));
        f->warped |= g.kind != MTM_GEOMETRY_VIEW;
    }
    MTM_TRY(mtm_op_infer(d->op, d->args, &f->spec, &out, err));
    f->moved |= d->op->kind != MTM_OP_POINTWISE || f->label;
    f->spec = out;
    note_scratch(f);
    return MTM_OK;
}

/* A random operator that does not act this time still gives the dtype that it gives when it acts. */
static mtm_status plan_idle(const mtm_chain_step *step, mtm_field_plan *f, mtm_error *err)
{
    mtm_spec out;

    MTM_TRY(mtm_op_infer(step->op, step->args, &f->spec, &out, err));
    f->spec.dtype = out.dtype;
    note_scratch(f);
    return MTM_OK;
}

/* One draw moves all fields alike, which means nothing on grids of different sizes. */
static mtm_status same_grid(const mtm_sample *s, const mtm_chain_step *step, const mtm_op *op, mtm_error *err)
{
    const mtm_field_plan *first = NULL;

    for (int32_t i = 0; i < s->n_fields; i++) {
        const mtm_field_plan *const f = &s->fields[i];

        if (!f->picture || !mtm_chain_applies(step, op, f->item->name, f->label))
            continue;
        if (first && memcmp(first->spec.size, f->spec.size, sizeof f->spec.size))
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "'%s' is [%" PRId64 ", %" PRId64 ", %" PRId64 "] but '%s' is [%" PRId64
                            ", %" PRId64 ", %" PRId64 "]: one draw needs one grid",
                            first->item->name, first->spec.size[0], first->spec.size[1], first->spec.size[2],
                            f->item->name, f->spec.size[0], f->spec.size[1], f->spec.size[2]);
        first = first ? first : f;
    }
    return MTM_OK;
}

static mtm_status apply_step(mtm_sample *s, int32_t i, mtm_error *err)
{
    s->drawn[i] = (mtm_drawn){0};
    for (int32_t k = 0; k < s->n_fields; k++) {
        mtm_field_plan *const f = &s->fields[k];

        if (f->picture && mtm_chain_applies(&s->chain->steps[i], NULL, f->item->name, f->label))
            MTM_TRY(mtm_sample_apply(s, k, i, err));
    }
    return MTM_OK;
}

static mtm_status plan_step(mtm_sample *s, int32_t i, mtm_error *err)
{
    const mtm_chain_step *const step = &s->chain->steps[i];
    const bool random = step->op && step->op->kind == MTM_OP_RANDOM;
    const int32_t prefix = mtm_chain_prefix(s->chain);

    if (!step->op)
        return apply_step(s, i, err);
    s->drawn[i] = (mtm_drawn){.op = step->op, .args = step->args};
    if (random)
        MTM_TRY(mtm_sample_draw(s, i, err));
    if (random && s->drawn[i].op && s->drawn[i].op->kind == MTM_OP_GEOMETRY)
        MTM_TRY(mtm_error_where(err, same_grid(s, step, s->drawn[i].op, err), step->op->name));
    for (int32_t k = 0; k < s->n_fields; k++) {
        mtm_field_plan *const f = &s->fields[k];
        mtm_status st;

        if (!f->picture || !mtm_chain_applies(step, s->drawn[i].op, f->item->name, f->label))
            continue;
        st = s->drawn[i].op ? plan_field(&s->drawn[i], i < prefix, f, err) : plan_idle(step, f, err);
        MTM_TRY(mtm_error_where(err, st, step->op->name));
    }
    return MTM_OK;
}

mtm_status mtm_sample_plan(mtm_sample *s, int32_t end, mtm_error *err)
{
    for (; s->planned < end; s->planned++) {
        if (s->x->cancel && atomic_load_explicit(s->x->cancel, memory_order_relaxed))
            return mtm_fail(err, MTM_E_CANCELLED, -1, "cancelled");
        MTM_TRY(plan_step(s, s->planned, err));
    }
    return MTM_OK;
}
