/* load/draws.c: the memory of what was drawn, setting it from outside, and writing it as JSON.
 * SPDX-License-Identifier: Apache-2.0 */
#include "load/draws.h"

#include "base/size.h"

mtm_status mtm_draws_new(mtm_draws **out, const mtm_chain *c, mtm_error *err)
{
    MTM_AUTO(mtm_draws) d = mtm_alloc_zero(1, sizeof *d);

    if (!d)
        return MTM_NOMEM(err);
    d->chain = c;
    d->drawn = mtm_alloc_zero((size_t)c->n, sizeof *d->drawn);
    d->channels = mtm_alloc_zero((size_t)c->n, sizeof *d->channels);
    d->room_channels = mtm_alloc_zero((size_t)c->n, sizeof *d->room_channels);
    d->room = mtm_alloc_aligned((size_t)c->n * c->drawn_bytes);
    if (!d->drawn || !d->channels || !d->room_channels || !d->room)
        return MTM_NOMEM(err);
    *out = mtm_draws_steal(&d);
    return MTM_OK;
}

void mtm_draws_free(mtm_draws *d)
{
    if (!d)
        return;
    for (int32_t i = 0; d->channels && i < d->chain->n; i++)
        mtm_free(d->channels[i]);
    mtm_free(d->channels);
    mtm_free(d->room_channels);
    mtm_free(d->drawn);
    mtm_free(d->room);
    mtm_free(d);
}

void *mtm_draws_args(mtm_draws *d, int32_t step)
{
    uint8_t *const args = d->room + (size_t)step * d->chain->drawn_bytes;

    memset(args, 0, d->chain->drawn_bytes);
    return args;
}

mtm_status mtm_draws_channels(mtm_draws *d, int32_t step, int64_t n, mtm_error *err)
{
    const size_t each = d->chain->drawn_bytes;

    if (n > MTM_CHAIN_CHANNELS)
        return mtm_fail(err, MTM_E_LIMIT, -1,
                        "%" PRId64 " channels, each with draws of its own; %d are the most", n,
                        MTM_CHAIN_CHANNELS);
    if (n > d->room_channels[step]) {
        mtm_free(d->channels[step]);
        d->room_channels[step] = 0;
        d->channels[step] = mtm_alloc_zero((size_t)n, each + sizeof(bool));
        if (!d->channels[step])
            return MTM_NOMEM(err);
        d->room_channels[step] = n;
    }
    memset(d->channels[step], 0, (size_t)n * (each + sizeof(bool)));
    d->drawn[step] = (mtm_drawn){.args = d->channels[step],
                                 .n_channels = n,
                                 .stride_bytes = (uint32_t)each,
                                 .acts = (const bool *)d->channels[step] + (size_t)n * each};
    return MTM_OK;
}

/* ---- from outside ------------------------------------------------------------------------------------- */

/* The array that the chain's own operator has under this name; NULL: none. */
static const mtm_array *own_array(const mtm_chain_step *step, const char *name)
{
    const mtm_array *a = NULL;

    for (int32_t k = 0; k < step->op->n_params; k++) {
        const mtm_param *const p = &step->op->params[k];

        if (p->type == MTM_PARAM_ARRAY && !strcmp(p->name, name))
            memcpy(&a, (const char *)step->args + p->offset, sizeof a);
    }
    return a;
}

/* Array arguments are not written down: they are added to those given. */
static mtm_status set_args(const mtm_chain_step *step, const mtm_op *op, const mtm_arg *given, int32_t n,
                           void *args, mtm_error *err)
{
    MTM_AUTO_MEM mtm_arg *all = mtm_alloc_zero((size_t)(n + op->n_params) + 1, sizeof *all);

    if (!all)
        return MTM_NOMEM(err);
    if (n)
        memcpy(all, given, (size_t)n * sizeof *all);
    for (int32_t i = 0; i < op->n_params; i++) {
        const mtm_param *const p = &op->params[i];
        const mtm_array *const a = p->type == MTM_PARAM_ARRAY ? own_array(step, p->name) : NULL;

        if (a)
            all[n++] = (mtm_arg){.name = p->name, .kind = MTM_ARG_ARRAY, .array = a};
    }
    return mtm_op_args(op, args, all, n, err);
}

static mtm_status check_place(const mtm_draws *d, int32_t step, int64_t channel, int64_t n_channels,
                              const mtm_op *op, mtm_error *err)
{
    const mtm_drawn *const now = step >= 0 && step < d->chain->n ? &d->drawn[step] : NULL;
    const mtm_op *const random = now ? d->chain->steps[step].op : NULL;

    if (!random || random->kind != MTM_OP_RANDOM)
        return mtm_fail(err, MTM_E_INVAL, -1, "step %d of the chain draws nothing", (int)step);
    if (op->kind == MTM_OP_RANDOM || (random->target && random->target != op))
        return mtm_fail(err, MTM_E_INVAL, -1, "step %d of the chain, %s, does not run as %s", (int)step,
                        random->name, op->name);
    if (channel < -1 || (channel >= 0 && channel >= n_channels) ||
        (channel >= 0 && now->n_channels && now->n_channels != n_channels))
        return mtm_fail(err, MTM_E_INVAL, -1, "channel %" PRId64 " of %" PRId64 " does not exist", channel,
                        n_channels);
    if (channel >= 0 && op->kind != MTM_OP_POINTWISE && op->kind != MTM_OP_FILTER)
        return mtm_fail(err, MTM_E_INVAL, -1, "%s cannot differ from channel to channel", op->name);
    return MTM_OK;
}

mtm_status mtm_draws_set(mtm_draws *d, int32_t step, int64_t channel, int64_t n_channels, const char *name,
                         const mtm_arg *args, int32_t n_args, mtm_error *err)
{
    const mtm_op *const op = name ? mtm_op_find(name) : NULL;
    void *at;

    if (!op)
        return mtm_fail(err, MTM_E_NOTFOUND, -1, "there is no operator named '%s'", name ? name : "");
    MTM_TRY(check_place(d, step, channel, n_channels, op, err));
    if (channel >= 0 && !d->drawn[step].n_channels)
        MTM_TRY(mtm_draws_channels(d, step, n_channels, err));
    if (channel < 0) {
        at = mtm_draws_args(d, step);
        d->drawn[step] = (mtm_drawn){.op = op, .args = at};
    } else {
        at = (char *)d->channels[step] + (size_t)channel * d->chain->drawn_bytes;
        d->drawn[step].op = op;
        ((bool *)d->channels[step])[(size_t)n_channels * d->chain->drawn_bytes + (size_t)channel] = true;
    }
    return set_args(&d->chain->steps[step], op, args, n_args, at, err);
}

/* ---- as JSON ------------------------------------------------------------------------------------------ */

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
    if (!v->n) { /* None */
        mtm_text_add(t, "null");
        return;
    }
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
    case MTM_PARAM_ARRAY: mtm_text_add(t, "null"); break; /* the chain's operator has it */
    }
}

static void add_args(mtm_text *t, const mtm_op *op, const void *args)
{
    if (!args) {
        mtm_text_add(t, "null");
        return;
    }
    mtm_text_add(t, "{");
    for (int32_t i = 0; i < op->n_params; i++) {
        mtm_text_add(t, i ? ", " : "");
        mtm_text_add_json(t, op->params[i].name);
        mtm_text_add(t, ": ");
        add_value(t, &op->params[i], args);
    }
    mtm_text_add(t, "}");
}

static void add_drawn(mtm_text *t, const mtm_drawn *d)
{
    mtm_text_add(t, ", \"as\": ");
    mtm_text_add_json(t, d->op->name);
    mtm_text_add(t, d->n_channels ? ", \"drawn\": [" : ", \"drawn\": ");
    for (int64_t c = 0; c < d->n_channels; c++) {
        mtm_text_add(t, c ? ", " : "");
        add_args(t, d->op, mtm_drawn_channel(d, c));
    }
    if (!d->n_channels)
        add_args(t, d->op, d->args);
    mtm_text_add(t, d->n_channels ? "]}" : "}");
}

void mtm_draws_json(const mtm_draws *d, mtm_text *t)
{
    mtm_text_add(t, "[");
    for (int32_t i = 0; i < d->chain->n; i++) {
        const mtm_op *const op = d->chain->steps[i].op;

        mtm_text_add(t, i ? ", {\"op\": " : "{\"op\": ");
        mtm_text_add_json(t, op ? op->name : "apply");
        if (op && op->kind == MTM_OP_RANDOM && d->drawn[i].op)
            add_drawn(t, &d->drawn[i]);
        else
            mtm_text_add(t, ", \"drawn\": null}");
    }
    mtm_text_add(t, "]");
}
