/* load/plan.c: what will happen to a sample, before a voxel is read: sources opened, random operators drawn, the shape,
 * dtype and affine of every field after every step. So a batch is allocated before its samples are made.
 * SPDX-License-Identifier: Apache-2.0 */
#include "load/drawing.h"
#include "load/items.h"
#include "op/op.h"
#include "op/spatial/geometry.h"

mtm_status mtm_sample_new(mtm_sample **out, const mtm_chain *c, int32_t n_fields, mtm_error *err)
{
    MTM_AUTO(mtm_sample) s = mtm_alloc_zero(1, sizeof *s);

    if (!s)
        return MTM_NOMEM(err);
    s->chain = c, s->n_fields = n_fields;
    s->fields = mtm_alloc_zero((size_t)n_fields, sizeof *s->fields);
    if (!s->fields)
        return MTM_NOMEM(err);
    MTM_TRY(mtm_draws_new(&s->draws, c, err));
    s->drawn = s->draws->drawn;
    *out = mtm_sample_steal(&s);
    return MTM_OK;
}

void mtm_sample_close(mtm_sample *s)
{
    for (int32_t i = 0; s->fields && i < s->n_fields; i++) {
        mtm_image_close(s->fields[i].source.image);
        mtm_array_drop(&s->fields[i].held);
        mtm_array_drop(&s->fields[i].xyz);
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
    mtm_draws_free(s->draws);
    mtm_free(s);
}

static bool has_picture(const mtm_chain *c, const mtm_item *item, const char *name)
{
    for (int32_t f = 0; f < item->n_fields; f++)
        if (!strcmp(item->fields[f].name, name))
            return item->fields[f].kind <= MTM_FIELD_ARRAY && !mtm_chain_is_points(c, name);
    return false;
}

static bool names_field(const mtm_param *p)
{
    return !strcmp(p->name, "label") || !strcmp(p->name, "weights") || !strcmp(p->name, "source");
}

/* Parameters that name the label map or picture which a random operator looks at. */
static mtm_status check_text_fields(const mtm_chain *c, const mtm_chain_step *step, const mtm_item *item,
                                    mtm_error *err)
{
    for (int32_t i = 0; step->op && step->op->kind == MTM_OP_RANDOM && i < step->op->n_params; i++) {
        const mtm_param *const p = &step->op->params[i];
        const char *const name = (const char *)step->args + p->offset;

        if (p->type == MTM_PARAM_TEXT && names_field(p) && *name && !has_picture(c, item, name))
            return mtm_fail(err, MTM_E_INVAL, -1, "%s: %s is '%s', but the item has no %s of that name",
                            step->op->name, p->name, name,
                            strcmp(p->name, "label") ? "picture" : "label map");
    }
    return MTM_OK;
}

mtm_status mtm_chain_check_item(const mtm_chain *c, const mtm_item *item, mtm_error *err)
{
    for (int32_t i = 0; i < c->n; i++)
        for (int32_t k = 0; k < c->steps[i].n_fields; k++)
            if (!has_picture(c, item, c->steps[i].fields[k]))
                return mtm_fail(err, MTM_E_INVAL, -1,
                                "operator %d of the chain%s%s works on '%s', but the item has no such image",
                                (int)i, c->steps[i].op ? ", " : "",
                                c->steps[i].op ? c->steps[i].op->name : "", c->steps[i].fields[k]);
    for (int32_t i = 0; i < c->n; i++)
        MTM_TRY(check_text_fields(c, &c->steps[i], item, err));
    for (int32_t f = 0; f < item->n_fields; f++)
        if (item->fields[f].kind == MTM_FIELD_ARRAY && mtm_chain_is_label(c, item->fields[f].name))
            MTM_TRY(mtm_label_dtype_check(item->fields[f].array.dtype, item->fields[f].name, err));
    return MTM_OK;
}

mtm_status mtm_label_dtype_check(mtm_dtype t, const char *field, mtm_error *err)
{
    if (mtm_dtype_is_integer(t) || t == MTM_BOOL)
        return MTM_OK;
    return mtm_fail(
        err, MTM_E_INVAL, -1,
        "label map '%s' is %s; label maps are integers (or name other fields in Chain(labels=...))", field,
        mtm_dtype_name(t));
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
    MTM_TRY(mtm_chain_check_item(s->chain, item, err));
    for (int32_t i = 0; i < s->n_fields; i++) {
        mtm_field_plan *const f = &s->fields[i];

        f->item = &item->fields[i];
        f->points = f->item->kind <= MTM_FIELD_OTHER && mtm_chain_is_points(s->chain, f->item->name);
        f->picture = f->item->kind <= MTM_FIELD_ARRAY && !f->points;
        if (!f->picture)
            continue;
        f->label = mtm_chain_is_label(s->chain, f->item->name);
        MTM_TRY(mtm_picture_open(&f->source, f->item, f->label, index, limits, err));
        if (f->label)
            MTM_TRY(mtm_error_where(err, mtm_label_dtype_check(f->source.spec.dtype, f->item->name, err),
                                    mtm_field_place(f->item)));
        f->spec = f->source.spec;
        note_scratch(f);
    }
    return mtm_points_open(s, err);
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

/* Every channel by itself: what one of them becomes. */
static mtm_status plan_channels(const mtm_drawn *d, mtm_field_plan *f, mtm_error *err)
{
    mtm_spec one = f->spec, out;

    one.channels = 1;
    for (int64_t c = 0; c < f->spec.channels; c++) {
        if (!mtm_drawn_channel(d, c))
            continue;
        MTM_TRY(mtm_op_infer(d->op, mtm_drawn_channel(d, c), &one, &out, err));
        if (memcmp(out.size, one.size, sizeof out.size) || out.channels != 1)
            return mtm_fail(err, MTM_E_INVAL, -1, "per_channel: %s changes the grid", d->op->name);
    }
    f->spec.dtype = f->label ? f->spec.dtype : MTM_F32;
    f->moved |= d->op->kind != MTM_OP_POINTWISE || f->label;
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

        if (!f->picture || !mtm_chain_applies(&s->chain->steps[i], NULL, f->item->name, f->label))
            continue;
        const mtm_spec before = f->spec;
        MTM_TRY(mtm_sample_apply(s, k, i, err));
        MTM_TRY(mtm_error_where(err, mtm_points_follow(s, k, NULL, &before, err), "function"));
    }
    return MTM_OK;
}

/* Field k after the step. */
static mtm_status plan_one(mtm_sample *s, int32_t i, int32_t k, mtm_error *err)
{
    const mtm_drawn *const d = &s->drawn[i];
    mtm_field_plan *const f = &s->fields[k];
    const mtm_spec before = f->spec;

    if (!d->op)
        return plan_idle(&s->chain->steps[i], f, err);
    if (d->n_channels)
        return plan_channels(d, f, err);
    MTM_TRY(plan_field(d, i < mtm_chain_prefix(s->chain), f, err));
    return mtm_points_follow(s, k, d, &before, err);
}

static mtm_status plan_step(mtm_sample *s, int32_t i, mtm_error *err)
{
    const mtm_chain_step *const step = &s->chain->steps[i];
    const bool random = step->op && step->op->kind == MTM_OP_RANDOM;

    if (!step->op)
        return apply_step(s, i, err);
    s->drawn[i] = random && s->replay ? s->replay->drawn[i] : (mtm_drawn){.op = step->op, .args = step->args};
    if (random && !s->replay)
        MTM_TRY(mtm_sample_draw(s, i, err));
    if (random && s->drawn[i].op && s->drawn[i].op->kind == MTM_OP_GEOMETRY)
        MTM_TRY(mtm_error_where(err, same_grid(s, step, s->drawn[i].op, err), step->op->name));
    for (int32_t k = 0; k < s->n_fields; k++) {
        const mtm_field_plan *const f = &s->fields[k];

        if (f->picture && mtm_chain_applies(step, s->drawn[i].op, f->item->name, f->label))
            MTM_TRY(mtm_error_where(err, plan_one(s, i, k, err), step->op->name));
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
    mtm_points_settle(s);
    return MTM_OK;
}
