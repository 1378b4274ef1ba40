/* load/chain.c: building a chain: operators with checked arguments, foreign functions, which fields are label maps.
 * SPDX-License-Identifier: Apache-2.0 */
#include "load/chain.h"

#include "op/random.h"

static void names_free(char **names, int32_t n)
{
    for (int32_t i = 0; names && i < n; i++)
        mtm_free(names[i]);
    mtm_free(names);
}

static mtm_status names_copy(char ***out, const char *const *names, int32_t n, mtm_error *err)
{
    char **const copy = mtm_alloc_zero((size_t)n, sizeof *copy);

    if (!copy)
        return MTM_NOMEM(err);
    for (int32_t i = 0; i < n; i++) {
        copy[i] = names[i] ? mtm_strdup(names[i]) : NULL;
        if (!copy[i]) {
            names_free(copy, n);
            return names[i] ? MTM_NOMEM(err) : mtm_fail(err, MTM_E_INVAL, -1, "a field's name is NULL");
        }
    }
    *out = copy;
    return MTM_OK;
}

static void step_clear(mtm_chain_step *s)
{
    for (int32_t i = 0; i < s->n_arrays; i++)
        mtm_array_drop(&s->arrays[i]);
    mtm_free(s->arrays);
    mtm_free(s->args);
    names_free(s->fields, s->n_fields);
    if (s->release)
        s->release(s->user);
}

mtm_status mtm_chain_new(mtm_chain **out, mtm_error *err)
{
    static const char *const labels[] = {"label", "mask", "seg"};
    MTM_AUTO(mtm_chain) c = mtm_alloc_zero(1, sizeof *c);
    int32_t n_ops;
    const mtm_op *const *const ops = mtm_op_table(&n_ops);

    if (!c)
        return MTM_NOMEM(err);
    MTM_TRY(mtm_chain_set_labels(c, labels, 3, err));
    for (int32_t i = 0; i < n_ops; i++)
        if (ops[i]->args_bytes > c->drawn_bytes)
            c->drawn_bytes = ops[i]->args_bytes;
    c->drawn_bytes = (c->drawn_bytes + 63u) & ~63u;
    *out = mtm_chain_steal(&c);
    return MTM_OK;
}

void mtm_chain_free(mtm_chain *c)
{
    if (!c)
        return;
    for (int32_t i = 0; i < c->n; i++)
        step_clear(&c->steps[i]);
    mtm_free(c->steps);
    names_free(c->labels, c->n_labels);
    names_free(c->points, c->n_points);
    mtm_free(c);
}

mtm_status mtm_chain_set_labels(mtm_chain *c, const char *const *names, int32_t n, mtm_error *err)
{
    char **copy;

    if (n < 0 || (n && !names))
        return mtm_fail(err, MTM_E_INVAL, -1, "labels must be a list of field names");
    MTM_TRY(names_copy(&copy, names, n, err));
    names_free(c->labels, c->n_labels);
    c->labels = copy, c->n_labels = n;
    return MTM_OK;
}

mtm_status mtm_chain_set_points(mtm_chain *c, const char *const *names, int32_t n, mtm_error *err)
{
    char **copy;

    if (n < 0 || (n && !names))
        return mtm_fail(err, MTM_E_INVAL, -1, "points must be a list of field names");
    MTM_TRY(names_copy(&copy, names, n, err));
    names_free(c->points, c->n_points);
    c->points = copy, c->n_points = n;
    return MTM_OK;
}

static mtm_status room_for_one(mtm_chain *c, mtm_error *err)
{
    const int32_t room = c->room ? 2 * c->room : 8;
    mtm_chain_step *grown;

    if (c->n >= MTM_CHAIN_STEPS)
        return mtm_fail(err, MTM_E_LIMIT, -1, "a chain has at most %d operators", MTM_CHAIN_STEPS);
    if (c->n < c->room)
        return MTM_OK;
    grown = mtm_realloc(c->steps, (size_t)room * sizeof *grown);
    if (!grown)
        return MTM_NOMEM(err);
    c->steps = grown, c->room = room;
    return MTM_OK;
}

/* Array arguments point at the caller's structs: the step gets views of its own, with a reference where there is an
 * owner, and its arguments point at those. */
static mtm_status adopt_arrays(mtm_chain_step *s, mtm_error *err)
{
    int32_t n = 0;

    for (int32_t i = 0; i < s->op->n_params; i++)
        n += s->op->params[i].type == MTM_PARAM_ARRAY;
    if (!n)
        return MTM_OK;
    s->arrays = mtm_alloc_zero((size_t)n, sizeof *s->arrays);
    if (!s->arrays)
        return MTM_NOMEM(err);
    for (int32_t i = 0; i < s->op->n_params; i++) {
        void *const at = (char *)s->args + s->op->params[i].offset;
        const mtm_array *given;
        const mtm_array *own;

        if (s->op->params[i].type != MTM_PARAM_ARRAY)
            continue;
        memcpy(&given, at, sizeof given);
        if (!given)
            continue;
        own = &s->arrays[s->n_arrays];
        s->arrays[s->n_arrays] = *given;
        s->arrays[s->n_arrays++].owner = mtm_buffer_ref(given->owner);
        memcpy(at, &own, sizeof own);
    }
    return MTM_OK;
}

static mtm_status step_fields(mtm_chain_step *s, const char *const *fields, int32_t n, mtm_error *err)
{
    if (n < 0 || (n && !fields))
        return mtm_fail(err, MTM_E_INVAL, -1, "an operator's fields must be a list of names");
    MTM_TRY(names_copy(&s->fields, fields, n, err));
    s->n_fields = n;
    return MTM_OK;
}

static mtm_status step_of_op(mtm_chain_step *s, const mtm_op *op, const char *const *fields, int32_t n_fields,
                             const mtm_arg *args, int32_t n_args, mtm_error *err)
{
    s->op = op;
    MTM_TRY(step_fields(s, fields, n_fields, err));
    s->args = mtm_alloc_zero(1, op->args_bytes);
    if (!s->args)
        return MTM_NOMEM(err);
    MTM_TRY(mtm_op_args(op, s->args, args, n_args, err));
    if (op->target && op->target->kind != MTM_OP_POINTWISE && op->target->kind != MTM_OP_FILTER &&
        mtm_random_per_channel(op, s->args))
        return mtm_fail(err, MTM_E_INVAL, -1, "per_channel is for operators that change values; %s does not",
                        op->target->name);
    return adopt_arrays(s, err);
}

mtm_status mtm_chain_add(mtm_chain *c, const char *op, const char *const *fields, int32_t n_fields,
                         const mtm_arg *args, int32_t n_args, mtm_error *err)
{
    const mtm_op *const found = op ? mtm_op_find(op) : NULL;
    mtm_chain_step s = {0};
    mtm_status st;

    if (!found)
        return mtm_fail(err, MTM_E_NOTFOUND, -1, "there is no operator named '%s'", op ? op : "");
    MTM_TRY(room_for_one(c, err));
    st = step_of_op(&s, found, fields, n_fields, args, n_args, err);
    if (st) {
        step_clear(&s);
        return mtm_error_where(err, st, op);
    }
    c->steps[c->n++] = s;
    return MTM_OK;
}

mtm_status mtm_chain_add_apply(mtm_chain *c, mtm_apply_fn fn, void *user, void (*release)(void *user),
                               const char *const *fields, int32_t n_fields, mtm_error *err)
{
    mtm_chain_step s = {.fn = fn, .user = user, .release = release};
    mtm_status st = fn ? room_for_one(c, err) : mtm_fail(err, MTM_E_INVAL, -1, "the function is NULL");

    if (!st)
        st = step_fields(&s, fields, n_fields, err);
    if (st) {
        step_clear(&s);
        return st;
    }
    c->steps[c->n++] = s;
    return MTM_OK;
}

static bool named(char *const *names, int32_t n, const char *field)
{
    for (int32_t i = 0; i < n; i++)
        if (!strcmp(names[i], field))
            return true;
    return false;
}

bool mtm_chain_is_label(const mtm_chain *c, const char *field)
{
    return named(c->labels, c->n_labels, field);
}

bool mtm_chain_is_points(const mtm_chain *c, const char *field)
{
    return named(c->points, c->n_points, field);
}

int32_t mtm_chain_prefix(const mtm_chain *c)
{
    int32_t n = 0;

    while (n < c->n && c->steps[n].op && c->steps[n].op->kind != MTM_OP_RANDOM)
        n++;
    return n;
}

bool mtm_chain_applies(const mtm_chain_step *s, const mtm_op *op, const char *field, bool label)
{
    if (s->n_fields)
        return named(s->fields, s->n_fields, field);
    if (op && op->kind == MTM_OP_LABEL)
        return label;
    return !label || (op && op->kind == MTM_OP_GEOMETRY);
}
