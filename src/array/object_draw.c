/* array/object_draw.c: one object's box, drawn from a table as NVIDIA DALI's random_object_bbox draws it: whether at all, then a
 * class by weight, then one of its boxes; a class without a box that may be drawn loses its weight, and the draw repeats.
 * SPDX-License-Identifier: Apache-2.0 */
#include "array/objects.h"

#include <math.h>

#include "base/size.h"

mtm_object_options mtm_object_options_default(void)
{
    return (mtm_object_options){.struct_size = sizeof(mtm_object_options), .foreground_prob = 1};
}

static bool is_listed(const mtm_object_options *o, int64_t value)
{
    for (int32_t i = 0; i < o->n_classes; i++)
        if (o->classes[i] == value)
            return true;
    return false;
}

int64_t mtm_object_background(const mtm_object_options *o)
{
    int64_t lowest = INT64_MAX, b;

    if (o->has_background || !is_listed(o, 0))
        return o->has_background ? o->background : 0;
    for (int32_t i = 0; i < o->n_classes; i++)
        lowest = mtm_min_i64(lowest, o->classes[i]);
    if (lowest > INT64_MIN)
        return lowest - 1;
    for (b = INT64_MAX; is_listed(o, b);)
        b--;
    return b;
}

static mtm_status check_weights(const mtm_object_options *o, mtm_error *err)
{
    double sum = 0;

    if (o->n_weights && o->n_classes && o->n_weights != o->n_classes)
        return mtm_fail(err, MTM_E_INVAL, -1, "class_weights has %d numbers for %d classes",
                        (int)o->n_weights, (int)o->n_classes);
    for (int32_t i = 0; i < o->n_weights; i++) {
        if (!(o->class_weights[i] >= 0 && o->class_weights[i] < INFINITY))
            return mtm_fail(err, MTM_E_INVAL, -1, "class_weights has %g; weights are 0 or above",
                            o->class_weights[i]);
        sum += o->class_weights[i];
    }
    if (o->n_weights && !(sum > 0 && sum < INFINITY))
        return mtm_fail(err, MTM_E_INVAL, -1, "class_weights add up to %g", sum);
    return MTM_OK;
}

mtm_status mtm_object_options_check(const mtm_object_options *o, mtm_error *err)
{
    if (o->struct_size != sizeof *o)
        return mtm_fail(err, MTM_E_INVAL, -1, "object options of another version of the library");
    if (!(o->foreground_prob >= 0 && o->foreground_prob <= 1))
        return mtm_fail(err, MTM_E_INVAL, -1, "foreground_prob is %g; a probability is wanted",
                        o->foreground_prob);
    if (o->n_classes < 0 || o->n_classes > MTM_OBJECT_CLASSES || o->n_weights < 0 ||
        o->n_weights > MTM_OBJECT_CLASSES)
        return mtm_fail(err, MTM_E_INVAL, -1, "more than %d classes", MTM_OBJECT_CLASSES);
    if (o->k_largest < 0)
        return mtm_fail(err, MTM_E_INVAL, -1, "k_largest is %" PRId64, o->k_largest);
    for (int i = 0; i < MTM_MAX_DIMS; i++)
        if (o->threshold[i] < 0)
            return mtm_fail(err, MTM_E_INVAL, -1, "threshold is %" PRId64, o->threshold[i]);
    if (o->ignore_class && (o->n_classes || o->n_weights))
        return mtm_fail(err, MTM_E_INVAL, -1, "ignore_class goes with neither classes nor class_weights");
    if (o->has_background && is_listed(o, o->background))
        return mtm_fail(err, MTM_E_INVAL, -1, "background %" PRId64 " is one of the classes", o->background);
    return check_weights(o, err);
}

/* ---- boxes of a class --------------------------------------------------------------------------------- */

typedef struct object_range { /* rows of a table */
    int64_t lo, hi;
} object_range;

static int64_t first_not_below(const mtm_object_table *t, int64_t value)
{
    int64_t lo = 0, hi = t->n;

    while (lo < hi) {
        const int64_t mid = lo + (hi - lo) / 2;

        if (t->class_of[mid] < value)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static object_range rows_of(const mtm_object_table *t, int64_t value)
{
    return (object_range){first_not_below(t, value),
                          value == INT64_MAX ? t->n : first_not_below(t, value + 1)};
}

static bool is_large_enough(const mtm_object_table *t, int64_t i, const mtm_object_options *o)
{
    for (int32_t a = 0; a < t->ndim; a++)
        if (t->size[i * t->ndim + a] < o->threshold[a])
            return false;
    return true;
}

typedef struct candidate {
    double volume; /* voxels of the box: beyond 2⁵³ only in pictures beyond memory */
    int64_t number, row;
} candidate;

static int largest_first(const void *a, const void *b)
{
    const candidate *const x = a, *const y = b;

    return x->volume != y->volume ? (x->volume < y->volume) - (x->volume > y->volume)
                                  : (x->number > y->number) - (x->number < y->number);
}

/* One of the rows, or −1: none is large enough. */
static mtm_status pick_box(const mtm_object_table *t, object_range r, const mtm_object_options *o,
                           mtm_rng *rng, int64_t *out, mtm_error *err)
{
    MTM_AUTO_MEM candidate *c = mtm_alloc((size_t)(r.hi - r.lo) * sizeof *c);
    int64_t n = 0;

    if (!c)
        return MTM_NOMEM(err);
    for (int64_t i = r.lo; i < r.hi; i++) {
        double volume = 1;

        if (!is_large_enough(t, i, o))
            continue;
        for (int32_t a = 0; a < t->ndim; a++)
            volume *= (double)t->size[i * t->ndim + a];
        c[n++] = (candidate){volume, t->number[i], i};
    }
    if (o->k_largest && o->k_largest < n) {
        qsort(c, (size_t)n, sizeof *c, largest_first);
        n = o->k_largest;
    }
    *out = n ? c[mtm_rng_below(rng, (uint64_t)n)].row : -1;
    return MTM_OK;
}

/* ---- the draw ----------------------------------------------------------------------------------------- */

typedef struct class_choice {
    int64_t value;
    double weight;
} class_choice;

static int64_t count_classes(const mtm_object_table *t)
{
    int64_t n = 0;

    for (int64_t i = 0; i < t->n; i++)
        n += !i || t->class_of[i] != t->class_of[i - 1];
    return n;
}

/* The classes that may be drawn. Those that the picture has not have weight 0. */
static int64_t list_classes(const mtm_object_table *t, const mtm_object_options *o, class_choice *c)
{
    const int64_t background = mtm_object_background(o);
    int64_t n = 0;

    if (!o->n_classes && !o->n_weights) {
        for (int64_t i = 0; i < t->n; i++)
            if ((!i || t->class_of[i] != t->class_of[i - 1]) && t->class_of[i] != background)
                c[n++] = (class_choice){t->class_of[i], 1};
        return n;
    }
    for (int64_t value = 0; n < (o->n_classes ? o->n_classes : o->n_weights); value++) {
        if (!o->n_classes && value == background)
            continue;
        c[n].value = o->n_classes ? o->classes[n] : value;
        c[n].weight = o->n_weights ? o->class_weights[n] : 1;
        n++;
    }
    for (int64_t i = 0; i < n; i++) {
        const object_range r = rows_of(t, c[i].value);

        c[i].weight = r.lo < r.hi ? c[i].weight : 0;
    }
    return n;
}

/* By weight; −1: all weights are 0. */
static int64_t draw_class(const class_choice *c, int64_t n, mtm_rng *rng)
{
    int64_t last = -1;
    double sum = 0, at;

    for (int64_t i = 0; i < n; i++)
        sum += c[i].weight;
    if (!(sum > 0))
        return -1;
    at = mtm_rng_range(rng, 0, sum);
    for (int64_t i = 0; i < n; i++) {
        if (!(c[i].weight > 0))
            continue;
        last = i;
        if (at < c[i].weight)
            break;
        at -= c[i].weight;
    }
    return last;
}

static mtm_status draw_row(const mtm_object_table *t, const mtm_object_options *o, mtm_rng *rng, int64_t *row,
                           mtm_error *err)
{
    const int64_t room = o->n_classes || o->n_weights ? MTM_OBJECT_CLASSES : count_classes(t);
    MTM_AUTO_MEM class_choice *c = mtm_alloc((size_t)room * sizeof *c);
    int64_t n, k;

    *row = -1;
    if (!c)
        return MTM_NOMEM(err);
    if (o->ignore_class)
        return pick_box(t, (object_range){0, t->n}, o, rng, row, err);
    n = list_classes(t, o, c);
    while (*row < 0 && (k = draw_class(c, n, rng)) >= 0) {
        MTM_TRY(pick_box(t, rows_of(t, c[k].value), o, rng, row, err));
        c[k].weight = 0;
    }
    return MTM_OK;
}

mtm_status mtm_object_draw_from(const mtm_object_table *t, const int64_t *shape, const mtm_object_options *o,
                                mtm_rng *rng, mtm_box *box, int64_t *class_of, mtm_error *err)
{
    int64_t row = -1;

    if (mtm_rng_uniform(rng) < o->foreground_prob)
        MTM_TRY(draw_row(t, o, rng, &row, err));
    *box = (mtm_box){.ndim = t->ndim};
    for (int32_t a = 0; a < t->ndim; a++) {
        box->start[a] = row < 0 ? 0 : t->start[row * t->ndim + a];
        box->size[a] = row < 0 ? shape[a] : t->size[row * t->ndim + a];
    }
    *class_of = row < 0 ? mtm_object_background(o) : t->class_of[row];
    return MTM_OK;
}

mtm_status mtm_object_draw(const mtm_object_table *t, const int64_t *shape, const mtm_object_options *o,
                           uint64_t seed, mtm_box *box, int64_t *class_of, mtm_error *err)
{
    mtm_rng rng = mtm_rng_at(seed, 0, 0, 0);

    MTM_TRY(mtm_object_options_check(o, err));
    return mtm_object_draw_from(t, shape, o, &rng, box, class_of, err);
}
