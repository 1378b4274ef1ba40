/* op/random.c: random operators that only draw the arguments of another one, by their declarations.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/random.h"

#include <string.h>

#include "base/error.h"

static const mtm_param *find(const mtm_op *op, const char *name)
{
    for (int32_t i = 0; i < op->n_params; i++)
        if (!strcmp(op->params[i].name, name))
            return &op->params[i];
    return NULL;
}

static const void *value_at(const void *args, const mtm_param *p)
{
    return (const char *)args + p->offset;
}

/* ---- ranges ------------------------------------------------------------------------------------------- */

static mtm_status check_count(int32_t n, const char *name, mtm_error *err)
{
    if (n < 1 || n > 2)
        return mtm_fail(err, MTM_E_INVAL, -1, "%s is a number or a pair (low, high), not %d numbers", name,
                        (int)n);
    return MTM_OK;
}

mtm_status mtm_range_check(const mtm_floats *r, const char *name, mtm_error *err)
{
    MTM_TRY(check_count(r->n, name, err));
    if (r->v[0] > r->v[r->n - 1])
        return mtm_fail(err, MTM_E_INVAL, -1, "%s runs from %g down to %g", name, r->v[0], r->v[1]);
    return MTM_OK;
}

double mtm_range_draw(mtm_draw *d, const mtm_floats *r)
{
    return mtm_rng_range(&d->rng, r->v[0], r->v[r->n - 1]);
}

mtm_status mtm_range_check_ints(const mtm_ints *r, const char *name, mtm_error *err)
{
    MTM_TRY(check_count(r->n, name, err));
    if (r->v[0] > r->v[r->n - 1])
        return mtm_fail(err, MTM_E_INVAL, -1, "%s runs from %" PRId64 " down to %" PRId64, name, r->v[0],
                        r->v[1]);
    return MTM_OK;
}

int64_t mtm_range_draw_int(mtm_draw *d, const mtm_ints *r)
{
    return r->v[0] + (int64_t)mtm_rng_below(&d->rng, (uint64_t)(r->v[r->n - 1] - r->v[0]) + 1);
}

/* Whether parameter p of a random operator is a range of the target's. */
static bool is_range(const mtm_param *p, const mtm_param *target)
{
    return (p->type == MTM_PARAM_FLOATS &&
            (target->type == MTM_PARAM_FLOAT || target->type == MTM_PARAM_FLOATS)) ||
           (p->type == MTM_PARAM_INTS && target->type == MTM_PARAM_INT);
}

mtm_status mtm_random_check(const mtm_op *op, const void *args, mtm_error *err)
{
    for (int32_t i = 0; i < op->n_params; i++) {
        const mtm_param *const p = &op->params[i], *const target = find(op->target, p->name);

        if (!target || !is_range(p, target))
            continue;
        if (p->type == MTM_PARAM_FLOATS)
            MTM_TRY(mtm_range_check(value_at(args, p), p->name, err));
        else
            MTM_TRY(mtm_range_check_ints(value_at(args, p), p->name, err));
    }
    return MTM_OK;
}

bool mtm_random_per_channel(const mtm_op *op, const void *args)
{
    const mtm_param *const p = op->kind == MTM_OP_RANDOM ? find(op, "per_channel") : NULL;

    return p && p->type == MTM_PARAM_BOOL && *(const bool *)value_at(args, p);
}

/* ---- drawing ------------------------------------------------------------------------------------------ */

static size_t value_bytes(mtm_param_type type)
{
    static const size_t bytes[] = {[MTM_PARAM_BOOL] = sizeof(bool),
                                   [MTM_PARAM_INT] = sizeof(int64_t),
                                   [MTM_PARAM_FLOAT] = sizeof(double),
                                   [MTM_PARAM_CHOICE] = sizeof(int32_t),
                                   [MTM_PARAM_SEED] = sizeof(uint64_t),
                                   [MTM_PARAM_INTS] = sizeof(mtm_ints),
                                   [MTM_PARAM_FLOATS] = sizeof(mtm_floats),
                                   [MTM_PARAM_CHOICES] = sizeof(mtm_ints),
                                   [MTM_PARAM_TEXT] = 64,
                                   [MTM_PARAM_ARRAY] = sizeof(void *)};

    return bytes[type];
}

/* One parameter of the target, from the one of the same name. Errors: MTM_E_INVAL (the tables do not fit together). */
static mtm_status draw_one(const mtm_op *op, const void *args, mtm_draw *d, const mtm_param *target,
                           void *out, mtm_error *err)
{
    const mtm_param *const p = find(op, target->name);
    const void *const from = p ? value_at(args, p) : NULL;

    if (target->type == MTM_PARAM_SEED)
        *(uint64_t *)out = mtm_rng_u64(&d->rng);
    else if (p && is_range(p, target) && target->type == MTM_PARAM_FLOAT)
        *(double *)out = mtm_range_draw(d, from);
    else if (p && is_range(p, target) && target->type == MTM_PARAM_FLOATS)
        *(mtm_floats *)out = (mtm_floats){.n = 1, .v = {mtm_range_draw(d, from)}};
    else if (p && is_range(p, target))
        *(int64_t *)out = mtm_range_draw_int(d, from);
    else if (p && p->type == target->type)
        memcpy(out, from, value_bytes(p->type));
    else
        return mtm_fail(err, MTM_E_INVAL, -1, "%s does not say how to draw %s", op->name, target->name);
    return MTM_OK;
}

/* All numbers are drawn whether or not it acts, so that what follows does not depend on that. */
static mtm_status draw_by_table(const mtm_op *op, const void *args, mtm_draw *d, const mtm_op **target,
                                void *target_args, mtm_error *err)
{
    const mtm_random_head *const head = args;
    const bool acts = mtm_rng_uniform(&d->rng) < head->p;

    for (int32_t i = 0; i < op->target->n_params; i++) {
        const mtm_param *const t = &op->target->params[i];

        MTM_TRY(draw_one(op, args, d, t, (char *)target_args + t->offset, err));
    }
    *target = acts ? op->target : NULL;
    return MTM_OK;
}

mtm_status mtm_op_draw(const mtm_op *op, const void *args, mtm_draw *d, const mtm_spec *in,
                       const mtm_op **target, void *target_args, mtm_error *err)
{
    return op->draw ? op->draw(args, d, in, target, target_args, err)
                    : draw_by_table(op, args, d, target, target_args, err);
}
