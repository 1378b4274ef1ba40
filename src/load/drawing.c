/* load/drawing.c: what a random operator of a chain may look at when it draws: tables of the item's label maps, and how they are
 * come by.
 * SPDX-License-Identifier: Apache-2.0 */
#include "load/drawing.h"

#include "op/draw.h"
#include "op/op.h"
#include "op/random.h"

typedef struct drawing {
    mtm_draw draw; /* first: the operator's pointer leads back here */
    mtm_sample *s;
    mtm_label_table *own;
    int32_t step;
} drawing;

/* The table of a label map that earlier steps have moved: from those steps' result. */
static mtm_status table_of_moved(drawing *d, int32_t field, mtm_error *err)
{
    mtm_array now = {0}, zyx;
    mtm_status st;

    MTM_TRY(mtm_sample_run(d->s, field, d->step, &now, err));
    zyx = now;
    zyx.ndim = 3, zyx.owner = NULL;
    memmove(zyx.shape, zyx.shape + 1, 3 * sizeof *zyx.shape);
    memmove(zyx.stride, zyx.stride + 1, 3 * sizeof *zyx.stride);
    st = mtm_label_table_new(&d->own, &zyx, err);
    mtm_array_drop(&now);
    return st;
}

static mtm_status table_of_image(drawing *d, mtm_field_plan *f, mtm_error *err)
{
    mtm_exec *const x = d->s->x;
    mtm_read_options opt = {.struct_size = sizeof opt, .pool = x->pool, .recycler = x->recycler};
    const mtm_status st = mtm_image_labels_get(f->source.image, &opt, &d->own, err);

    for (int i = 0; i < 3; i++)
        d->s->times.read_ns[i] += opt.timing_ns[i];
    return mtm_error_where(err, st, f->item->uri);
}

static mtm_status draw_labels(mtm_draw *draw, const char *name, const mtm_label_table **out, mtm_error *err)
{
    drawing *const d = (drawing *)draw;
    mtm_sample *const s = d->s;

    for (int32_t i = 0; i < s->n_fields; i++) {
        mtm_field_plan *const f = &s->fields[i];
        bool owned = true;

        if (!f->picture || strcmp(f->item->name, name))
            continue;
        if (f->spec.channels != 1)
            return mtm_fail(err, MTM_E_INVAL, -1, "label map '%s' has %" PRId64 " channels instead of 1",
                            name, f->spec.channels);
        mtm_label_table_free(d->own);
        d->own = NULL;
        if (!f->moved && s->tables) {
            MTM_TRY(s->tables(s->tables_user, i, s->x, out, &owned, err));
            d->own = owned ? (mtm_label_table *)*out : NULL;
            return MTM_OK;
        }
        if (f->moved || !f->source.image)
            MTM_TRY(table_of_moved(d, i, err));
        else
            MTM_TRY(table_of_image(d, f, err));
        *out = d->own;
        return MTM_OK;
    }
    return mtm_fail(err, MTM_E_NOTFOUND, -1, "the item has no label map named '%s'", name);
}

/* The field whose grid a random operator draws for: the first image it may work on, else the first label map. */
static const mtm_field_plan *leader(const mtm_sample *s, const mtm_chain_step *step)
{
    const mtm_field_plan *label = NULL;

    for (int32_t i = 0; i < s->n_fields; i++) {
        const mtm_field_plan *const f = &s->fields[i];

        if (!f->picture || !(step->n_fields ? mtm_chain_applies(step, NULL, f->item->name, f->label) : true))
            continue;
        if (!f->label)
            return f;
        label = label ? label : f;
    }
    return label;
}

mtm_status mtm_sample_draw(mtm_sample *s, int32_t i, mtm_error *err)
{
    const mtm_chain_step *const step = &s->chain->steps[i];
    const mtm_field_plan *const f = leader(s, step);
    uint8_t *const args = s->room + (size_t)i * s->chain->drawn_bytes;
    drawing d = {
        .draw = {.rng = mtm_rng_at(s->seed, s->epoch, s->number, (uint32_t)i), .labels = draw_labels},
        .s = s,
        .step = i};
    const mtm_op *target = NULL;
    mtm_spec unused;
    mtm_status st;

    s->drawn[i] = (mtm_drawn){0};
    if (!f)
        return MTM_OK;
    /* The ranges are checked before anything is drawn from them. */
    st = mtm_op_infer(step->op, step->args, &f->spec, &unused, err);
    if (st != MTM_OK)
        return mtm_error_where(err, st, step->op->name);
    memset(args, 0, s->chain->drawn_bytes);
    st = mtm_op_draw(step->op, step->args, &d.draw, &f->spec, &target, args, err);
    mtm_label_table_free(d.own);
    s->drawn[i] = (mtm_drawn){.op = st ? NULL : target, .args = args};
    return mtm_error_where(err, st, step->op->name);
}
