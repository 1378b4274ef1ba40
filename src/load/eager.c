/* load/eager.c: one sample through a chain without a loader, and what a chain would draw for it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "load/items.h"
#include "load/sample.h"

/* Where a sample stands in a training, or what was drawn for it before. */
typedef struct place {
    uint64_t seed;
    int64_t epoch, sample;
    const mtm_draws *replay;
} place;

static mtm_status plan_one(mtm_sample **out, const mtm_chain *c, mtm_exec *x, const mtm_item *item,
                           mtm_index *index, const place *at, mtm_error *err)
{
    MTM_AUTO(mtm_sample) s = NULL;

    if (!c || !item || item->n_fields < 1)
        return mtm_fail(err, MTM_E_INVAL, -1, "the item has no fields");
    MTM_TRY(mtm_sample_new(&s, c, item->n_fields, err));
    s->x = x, s->seed = at->seed, s->epoch = at->epoch, s->number = at->sample, s->replay = at->replay;
    MTM_TRY(mtm_sample_open(s, item, index, NULL, err));
    MTM_TRY(mtm_sample_plan(s, c->n, err));
    *out = mtm_sample_steal(&s);
    return MTM_OK;
}

/* In memory of its own, C order. */
static mtm_status run_one(mtm_sample *s, int32_t field, mtm_array *out, mtm_error *err)
{
    const mtm_field_plan *const f = &s->fields[field];
    const int64_t shape[4] = {f->spec.channels, f->spec.size[0], f->spec.size[1], f->spec.size[2]};
    mtm_array a;
    mtm_status st;

    MTM_TRY(mtm_array_new(&a, f->spec.dtype, 4, shape, s->x->recycler, err));
    st = mtm_sample_run(s, field, s->chain->n, &a, err);
    if (st)
        mtm_array_drop(&a);
    else
        *out = a;
    return st;
}

static mtm_status points_of(const mtm_field_plan *f, mtm_array *out, mtm_error *err)
{
    const int64_t shape[2] = {f->xyz.shape[0], f->point_axes};

    MTM_TRY(mtm_array_new(out, MTM_F64, 2, shape, NULL, err));
    mtm_points_store(f, out);
    return MTM_OK;
}

static mtm_status number_of(const mtm_field *f, mtm_array *out, mtm_error *err)
{
    MTM_TRY(mtm_array_new(out, f->integer ? MTM_I64 : MTM_F64, 0, NULL, NULL, err));
    if (f->integer)
        *(int64_t *)out->data = (int64_t)f->number;
    else
        *(double *)out->data = f->number;
    return MTM_OK;
}

static mtm_status run_all(mtm_sample *s, mtm_array *out, mtm_error *err)
{
    mtm_status st = MTM_OK;

    for (int32_t i = 0; i < s->n_fields; i++)
        out[i] = (mtm_array){0};
    for (int32_t i = 0; !st && i < s->n_fields; i++) {
        if (s->fields[i].picture)
            st = run_one(s, i, &out[i], err);
        else if (s->fields[i].points)
            st = points_of(&s->fields[i], &out[i], err);
        else if (s->fields[i].item->kind == MTM_FIELD_NUMBER)
            st = number_of(s->fields[i].item, &out[i], err);
    }
    for (int32_t i = 0; st && i < s->n_fields; i++)
        mtm_array_drop(&out[i]);
    return st;
}

static mtm_status run_at(const mtm_chain *c, mtm_exec *x, const mtm_item *item, mtm_index *index,
                         const place *at, mtm_array *out, double *affines, mtm_error *err)
{
    MTM_AUTO(mtm_sample) s = NULL;
    mtm_status st = plan_one(&s, c, x, item, index, at, err);

    if (!st)
        st = run_all(s, out, err);
    if (st) {
        if (err && item && item->fields)
            mtm_items_blame(err, item, at->sample);
        return st;
    }
    for (int32_t i = 0; affines && i < s->n_fields; i++)
        memcpy(affines + 16 * (size_t)i, s->fields[i].spec.affine, 16 * sizeof *affines);
    return MTM_OK;
}

mtm_status mtm_chain_run(const mtm_chain *c, mtm_exec *x, const mtm_item *item, mtm_index *index,
                         uint64_t seed, int64_t epoch, int64_t sample, mtm_array *out, double *affines,
                         mtm_error *err)
{
    const place at = {.seed = seed, .epoch = epoch, .sample = sample};

    return run_at(c, x, item, index, &at, out, affines, err);
}

mtm_status mtm_chain_replay(const mtm_chain *c, mtm_exec *x, const mtm_item *item, mtm_index *index,
                            const mtm_draws *draws, mtm_array *out, double *affines, mtm_error *err)
{
    const place at = {.replay = draws};

    if (!draws || draws->chain != c)
        return mtm_fail(err, MTM_E_INVAL, -1, "the draws are of another chain");
    return run_at(c, x, item, index, &at, out, affines, err);
}

mtm_status mtm_chain_draw(const mtm_chain *c, const mtm_item *item, mtm_index *index, uint64_t seed,
                          int64_t epoch, int64_t sample, char **json, mtm_error *err)
{
    MTM_AUTO(mtm_sample) s = NULL;
    MTM_AUTO(mtm_exec) x = NULL;
    mtm_text t = {0};
    mtm_status st;

    MTM_TRY(mtm_exec_new(&x, NULL, NULL, err));
    st = plan_one(&s, c, x, item, index, &(place){.seed = seed, .epoch = epoch, .sample = sample}, err);
    if (st) {
        if (err && item && item->fields)
            mtm_items_blame(err, item, sample);
        return st;
    }
    mtm_draws_json(s->draws, &t);
    return mtm_text_take(&t, json, err);
}
