/* load/drawing.c: what a random operator of a chain may look at when it draws: tables of the item's label maps, and how they are
 * come by.
 * SPDX-License-Identifier: Apache-2.0 */
#include "load/drawing.h"

#include "base/size.h"
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

/* One draw of step i, from the stream of this channel: channel 0's is what a draw for all channels has. */
static mtm_status draw_once(mtm_sample *s, int32_t i, int64_t channel, const mtm_spec *spec,
                            const mtm_op **target, void *args, mtm_error *err)
{
    const mtm_chain_step *const step = &s->chain->steps[i];
    const uint32_t word = (uint32_t)i + (uint32_t)channel * MTM_CHAIN_STEPS;
    drawing d = {.draw = {.rng = mtm_rng_at(s->seed, s->epoch, s->number, word), .labels = draw_labels},
                 .s = s,
                 .step = i};
    mtm_status st;

    *target = NULL;
    st = mtm_op_draw(step->op, step->args, &d.draw, spec, target, args, err);
    mtm_label_table_free(d.own);
    return st;
}

/* The most channels of a picture that the step works on. */
static int64_t most_channels(const mtm_sample *s, const mtm_chain_step *step)
{
    int64_t n = 1;

    for (int32_t k = 0; k < s->n_fields; k++) {
        const mtm_field_plan *const f = &s->fields[k];

        if (f->picture && mtm_chain_applies(step, NULL, f->item->name, f->label))
            n = mtm_max_i64(n, f->spec.channels);
    }
    return n;
}

static mtm_status draw_channels(mtm_sample *s, int32_t i, const mtm_spec *spec, mtm_error *err)
{
    const int64_t n = most_channels(s, &s->chain->steps[i]);
    mtm_drawn *const d = &s->drawn[i];
    mtm_spec one = *spec;

    one.channels = 1;
    MTM_TRY(mtm_draws_channels(s->draws, i, n, err));
    for (int64_t c = 0; c < n; c++) {
        const mtm_op *target;

        MTM_TRY(draw_once(s, i, c, &one, &target, (char *)d->args + (size_t)c * d->stride_bytes, err));
        if (!target)
            continue;
        if ((d->op && d->op != target) || (target->kind != MTM_OP_POINTWISE && target->kind != MTM_OP_FILTER))
            return mtm_fail(err, MTM_E_INVAL, -1, "per_channel: %s cannot differ from channel to channel",
                            target->name);
        d->op = target;
        ((bool *)d->acts)[c] = true;
    }
    if (!d->op)
        *d = (mtm_drawn){0};
    return MTM_OK;
}

static mtm_status draw_all(mtm_sample *s, int32_t i, const mtm_spec *spec, mtm_error *err)
{
    void *const args = mtm_draws_args(s->draws, i);
    const mtm_op *target;

    MTM_TRY(draw_once(s, i, 0, spec, &target, args, err));
    s->drawn[i] = (mtm_drawn){.op = target, .args = args};
    return MTM_OK;
}

mtm_status mtm_sample_draw(mtm_sample *s, int32_t i, mtm_error *err)
{
    const mtm_chain_step *const step = &s->chain->steps[i];
    const mtm_field_plan *const f = leader(s, step);
    mtm_spec unused;
    mtm_status st;

    s->drawn[i] = (mtm_drawn){0};
    if (!f)
        return MTM_OK;
    /* The ranges are checked before anything is drawn from them. */
    st = mtm_op_infer(step->op, step->args, &f->spec, &unused, err);
    if (!st)
        st = mtm_random_per_channel(step->op, step->args) ? draw_channels(s, i, &f->spec, err)
                                                          : draw_all(s, i, &f->spec, err);
    if (st)
        s->drawn[i] = (mtm_drawn){0};
    return mtm_error_where(err, st, step->op->name);
}
