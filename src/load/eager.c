/* load/eager.c: one sample through a chain without a loader, and what a chain would draw for it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "load/items.h"
#include "load/sample.h"

static mtm_status plan_one(mtm_sample **out, const mtm_chain *c, mtm_exec *x, const mtm_item *item,
                           mtm_index *index, uint64_t seed, int64_t epoch, int64_t sample, mtm_error *err)
{
    MTM_AUTO(mtm_sample) s = NULL;

    if (!c || !item || item->n_fields < 1)
        return mtm_fail(err, MTM_E_INVAL, -1, "the item has no fields");
    MTM_TRY(mtm_sample_new(&s, c, item->n_fields, err));
    s->x = x, s->seed = seed, s->epoch = epoch, s->number = sample;
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
        else if (s->fields[i].item->kind == MTM_FIELD_NUMBER)
            st = number_of(s->fields[i].item, &out[i], err);
    }
    for (int32_t i = 0; st && i < s->n_fields; i++)
        mtm_array_drop(&out[i]);
    return st;
}

mtm_status mtm_chain_run(const mtm_chain *c, mtm_exec *x, const mtm_item *item, mtm_index *index,
                         uint64_t seed, int64_t epoch, int64_t sample, mtm_array *out, double *affines,
                         mtm_error *err)
{
    MTM_AUTO(mtm_sample) s = NULL;
    mtm_status st = plan_one(&s, c, x, item, index, seed, epoch, sample, err);

    if (!st)
        st = run_all(s, out, err);
    if (st) {
        if (err && item && item->fields)
            mtm_items_blame(err, item, sample);
        return st;
    }
    for (int32_t i = 0; affines && i < s->n_fields; i++)
        memcpy(affines + 16 * (size_t)i, s->fields[i].spec.affine, 16 * sizeof *affines);
    return MTM_OK;
}

/* ---- what was drawn, as JSON -------------------------------------------------------------------------- */

/* Name number `i` of "nearest|linear|cubic". */
static void add_choice(mtm_text *t, const char *choices, int64_t i)
{
    char name[64];
    size_t n;

    for (; i > 0 && choices && strchr(choices, '|'); i--)
        choices = strchr(choices, '|') + 1;
    n = choices ? strcspn(choices, "|") : 0;
    n = n < sizeof name ? n : sizeof name - 1;
    memcpy(name, choices ? choices : "", n);
    name[n] = '\0';
    mtm_text_add_json(t, name);
}

static void add_ints(mtm_text *t, const mtm_param *p, const mtm_ints *v)
{
    mtm_text_add(t, "[");
    for (int32_t i = 0; i < v->n; i++) {
        mtm_text_add(t, i ? ", " : "");
        if (p->type == MTM_PARAM_CHOICES)
            add_choice(t, p->choices, v->v[i]);
        else
            mtm_text_add(t, "%" PRId64, v->v[i]);
    }
    mtm_text_add(t, "]");
}

static void add_floats(mtm_text *t, const mtm_floats *v)
{
    mtm_text_add(t, "[");
    for (int32_t i = 0; i < v->n; i++) {
        mtm_text_add(t, i ? ", " : "");
        mtm_text_add_f64(t, v->v[i]);
    }
    mtm_text_add(t, "]");
}

static void add_value(mtm_text *t, const mtm_param *p, const void *args)
{
    const void *const at = (const char *)args + p->offset;

    switch (p->type) {
    case MTM_PARAM_BOOL: mtm_text_add(t, *(const bool *)at ? "true" : "false"); break;
    case MTM_PARAM_INT: mtm_text_add(t, "%" PRId64, *(const int64_t *)at); break;
    case MTM_PARAM_FLOAT: mtm_text_add_f64(t, *(const double *)at); break;
    case MTM_PARAM_CHOICE: add_choice(t, p->choices, *(const int32_t *)at); break;
    case MTM_PARAM_SEED: mtm_text_add(t, "%" PRIu64, *(const uint64_t *)at); break;
    case MTM_PARAM_INTS:
    case MTM_PARAM_CHOICES: add_ints(t, p, at); break;
    case MTM_PARAM_FLOATS: add_floats(t, at); break;
    case MTM_PARAM_TEXT: mtm_text_add_json(t, at); break;
    case MTM_PARAM_ARRAY: mtm_text_add(t, "null"); break;
    }
}

static void add_drawn(mtm_text *t, const mtm_op *op, const void *args)
{
    mtm_text_add(t, ", \"as\": ");
    mtm_text_add_json(t, op->name);
    mtm_text_add(t, ", \"drawn\": {");
    for (int32_t i = 0; i < op->n_params; i++) {
        mtm_text_add(t, i ? ", " : "");
        mtm_text_add_json(t, op->params[i].name);
        mtm_text_add(t, ": ");
        add_value(t, &op->params[i], args);
    }
    mtm_text_add(t, "}}");
}

static void add_steps(mtm_text *t, const mtm_sample *s)
{
    mtm_text_add(t, "[");
    for (int32_t i = 0; i < s->chain->n; i++) {
        const mtm_op *const op = s->chain->steps[i].op;

        mtm_text_add(t, i ? ", {\"op\": " : "{\"op\": ");
        mtm_text_add_json(t, op ? op->name : "apply");
        if (op && op->kind == MTM_OP_RANDOM && s->drawn[i].op)
            add_drawn(t, s->drawn[i].op, s->drawn[i].args);
        else
            mtm_text_add(t, ", \"drawn\": null}");
    }
    mtm_text_add(t, "]");
}

mtm_status mtm_chain_draw(const mtm_chain *c, const mtm_item *item, mtm_index *index, uint64_t seed,
                          int64_t epoch, int64_t sample, char **json, mtm_error *err)
{
    MTM_AUTO(mtm_sample) s = NULL;
    MTM_AUTO(mtm_exec) x = NULL;
    mtm_text t = {0};
    mtm_status st;

    MTM_TRY(mtm_exec_new(&x, NULL, NULL, err));
    st = plan_one(&s, c, x, item, index, seed, epoch, sample, err);
    if (st) {
        if (err && item && item->fields)
            mtm_items_blame(err, item, sample);
        return st;
    }
    add_steps(&t, s);
    return mtm_text_take(&t, json, err);
}
