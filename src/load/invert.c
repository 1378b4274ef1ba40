/* load/invert.c: bringing what a network made of a sample back to the picture that the sample came from: for test-time augmentation.
 * SPDX-License-Identifier: Apache-2.0 */
#include "load/items.h"
#include "load/sample.h"
#include "op/op.h"
#include "op/spatial/geometry.h"

typedef struct way {
    mtm_geometry *g; /* as they were run, first to last */
    const mtm_op **op;
    int32_t n;
} way;

/* One step of the plan, and what it did to the field's grid. */
static mtm_status walk_step(mtm_sample *s, int32_t i, mtm_field_plan *f, way *w, mtm_error *err)
{
    const mtm_chain_step *const step = &s->chain->steps[i];
    const mtm_spec before = f->spec;
    const mtm_drawn *const d = &s->drawn[i];

    MTM_TRY(mtm_sample_plan(s, i + 1, err));
    if (d->op && d->op->kind == MTM_OP_GEOMETRY && mtm_chain_applies(step, d->op, f->item->name, f->label)) {
        w->op[w->n] = d->op;
        return d->op->geometry(d->args, &before, &w->g[w->n++], err);
    }
    if (memcmp(before.size, f->spec.size, sizeof before.size))
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "%s changes the grid in a way that does not lead back",
                        step->op ? step->op->name : "a function");
    return MTM_OK;
}

static mtm_status walk(mtm_sample *s, mtm_field_plan *f, way *w, mtm_error *err)
{
    for (int32_t i = 0; i < s->chain->n; i++)
        MTM_TRY(walk_step(s, i, f, w, err));
    return MTM_OK;
}

/* Runs the pending map on what lies in `now`, into memory of its own. */
static mtm_status settle(mtm_sample *s, const mtm_geometry *g, bool nearest, mtm_array *now, mtm_error *err)
{
    const int64_t start[3] = {0}, shape[4] = {now->shape[0], g->out_size[0], g->out_size[1], g->out_size[2]};
    mtm_array out;
    mtm_status st;

    MTM_TRY(mtm_array_new(&out, now->dtype, 4, shape, NULL, err));
    st = mtm_geometry_run(s->x, g, now, start, nearest, NULL, &out, err);
    if (st) {
        mtm_array_drop(&out);
        return st;
    }
    mtm_array_drop(now);
    *now = out;
    return MTM_OK;
}

static mtm_status walk_back(mtm_sample *s, const way *w, int32_t interp, double value, mtm_array *now,
                            mtm_error *err)
{
    mtm_spec spec = {.dtype = now->dtype, .spatial = 3, .channels = now->shape[0]};
    mtm_geometry pending, back;

    memcpy(spec.size, &now->shape[1], sizeof spec.size);
    mtm_geometry_identity(&pending, &spec);
    for (int32_t i = w->n - 1; i >= 0; i--) {
        const mtm_status st =
            mtm_geometry_invert(&back, &w->g[i], (mtm_interp)interp, MTM_CONSTANT, value, err);

        MTM_TRY(mtm_error_where(err, st, w->op[i]->name));
        if (mtm_geometry_fuse(&pending, &back))
            continue;
        MTM_TRY(settle(s, &pending, interp == MTM_NEAREST, now, err));
        pending = back;
    }
    return settle(s, &pending, interp == MTM_NEAREST, now, err);
}

static mtm_status invert(mtm_sample *s, int32_t field, int32_t interp, double value, const mtm_array *in,
                         mtm_array *out, mtm_error *err)
{
    mtm_field_plan *const f = &s->fields[field];
    MTM_AUTO_MEM mtm_geometry *g = mtm_alloc_zero((size_t)s->chain->n + 1, sizeof *g);
    MTM_AUTO_MEM const mtm_op **op = mtm_alloc_zero((size_t)s->chain->n + 1, sizeof(mtm_op *));
    way w = {.g = g, .op = op};
    mtm_array now;
    mtm_status st;

    if (!g || !op)
        return MTM_NOMEM(err);
    MTM_TRY(walk(s, f, &w, err));
    MTM_TRY(mtm_as_czyx(&now, in, err));
    if (memcmp(&now.shape[1], f->spec.size, sizeof f->spec.size))
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "the array is [%" PRId64 ", %" PRId64 ", %" PRId64 "], the chain gives [%" PRId64
                        ", %" PRId64 ", %" PRId64 "]",
                        now.shape[1], now.shape[2], now.shape[3], f->spec.size[0], f->spec.size[1],
                        f->spec.size[2]);
    st = walk_back(s, &w, interp, value, &now, err);
    if (st)
        mtm_array_drop(&now);
    else
        *out = now;
    return st;
}

mtm_status mtm_chain_invert(const mtm_chain *c, mtm_exec *x, const mtm_item *item, mtm_index *index,
                            const mtm_draws *draws, int32_t field, int32_t interp, double value,
                            const mtm_array *in, mtm_array *out, mtm_error *err)
{
    MTM_AUTO(mtm_sample) s = NULL;
    mtm_status st;

    if (!draws || draws->chain != c)
        return mtm_fail(err, MTM_E_INVAL, -1, "the draws are of another chain");
    if (!item || field < 0 || field >= item->n_fields || interp < MTM_NEAREST || interp > MTM_CUBIC)
        return mtm_fail(err, MTM_E_INVAL, -1, "the item has no such field, or interp is none of 0, 1, 2");
    MTM_TRY(mtm_sample_new(&s, c, item->n_fields, err));
    s->x = x, s->replay = draws;
    st = mtm_sample_open(s, item, index, NULL, err);
    if (!st && !s->fields[field].picture)
        st = mtm_fail(err, MTM_E_INVAL, -1, "'%s' is no picture", item->fields[field].name);
    if (!st)
        st = invert(s, field, interp, value, in, out, err);
    if (st && err)
        mtm_items_blame(err, item, 0);
    return st;
}
