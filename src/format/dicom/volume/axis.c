/* format/dicom/volume/axis.c: several images per place: the one attribute that tells them apart on a complete grid becomes
 * axis T; anything else is the error.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "volume.h"

enum { MOST_PARTS = 4 };

/* Absent numbers equal each other and come first. */
static int compare_numbers(double a, double b, const dcm_vary_entry *entry)
{
    if (isnan(a) || isnan(b))
        return isnan(b) - isnan(a);
    if (fabs(a - b) <= fmax(entry->same, entry->part * fmax(fabs(a), fabs(b))))
        return 0;
    return a < b ? -1 : 1;
}

static int compare_values(const double *a, const double *b, int attribute)
{
    for (int i = 0; i < dcm_vary_table[attribute].parts; i++) {
        const int c = compare_numbers(a[i], b[i], &dcm_vary_table[attribute + i]);

        if (c)
            return c;
    }
    return 0;
}

static int compare_slices(const dcm_set *set, int32_t a, int32_t b, int attribute)
{
    return compare_values(set->slices[a].vary + attribute, set->slices[b].vary + attribute, attribute);
}

static bool is_kind(int attribute, dcm_vary_kind kind)
{
    return dcm_vary_table[attribute].kind == kind;
}

uint64_t dcm_axis_varying(const dcm_set *set, const int32_t *slices, int32_t n, double same_place)
{
    uint64_t out = 0;

    for (int32_t i = 1, first = 0; i < n; i++) {
        if (set->slices[slices[i]].along - set->slices[slices[first]].along > same_place) {
            first = i;
            continue;
        }
        for (int a = 0; a < DCM_N_VARY; a++)
            if ((is_kind(a, DCM_VARY_SET) || is_kind(a, DCM_VARY_SEPARATE)) &&
                compare_slices(set, slices[first], slices[i], a))
                out |= UINT64_C(1) << a;
    }
    return out;
}

mtm_status dcm_axis_group(const dcm_set *set, int32_t *slices, int32_t n, uint64_t varying, int32_t *same,
                          mtm_error *err)
{
    MTM_AUTO_MEM int32_t *rest = mtm_alloc((size_t)n * sizeof *rest);
    const int32_t first = slices[0];
    int32_t k = 0, others = 0;

    if (!rest)
        return MTM_NOMEM(err);
    for (int32_t i = 0; i < n; i++) {
        bool differs = false;

        for (int a = 0; a < DCM_N_VARY && !differs; a++)
            differs = (varying >> a & 1) && compare_slices(set, first, slices[i], a);
        if (differs)
            rest[others++] = slices[i];
        else
            slices[k++] = slices[i];
    }
    memcpy(slices + k, rest, (size_t)others * sizeof *rest);
    *same = k;
    return MTM_OK;
}

/* ---- one place ----------------------------------------------------------------------------------------- */

typedef struct keyed {
    double v[MOST_PARTS];
    int32_t slice, attribute;
} keyed;

static int compare_keyed(const void *pa, const void *pb)
{
    const keyed *const a = pa, *const b = pb;
    const int c = compare_values(a->v, b->v, a->attribute);

    return c ? c : a->slice < b->slice ? -1 : a->slice > b->slice;
}

/* A grid under work: slices [nz, nt]. */
typedef struct places {
    const dcm_set *set;
    int32_t *slices;
    int64_t nz, nt;
    keyed *keys; /* [nt] */
} places;

/* Sorts the images of every place by an attribute. */
static void sort_by(places *p, int attribute)
{
    const int parts = dcm_vary_table[attribute].parts;

    for (int64_t z = 0; z < p->nz; z++) {
        int32_t *const at = p->slices + z * p->nt;

        for (int64_t t = 0; t < p->nt; t++) {
            p->keys[t] = (keyed){.slice = at[t], .attribute = attribute};
            memcpy(p->keys[t].v, p->set->slices[at[t]].vary + attribute,
                   (size_t)parts * sizeof *p->keys[t].v);
        }
        qsort(p->keys, (size_t)p->nt, sizeof *p->keys, compare_keyed);
        for (int64_t t = 0; t < p->nt; t++)
            at[t] = p->keys[t].slice;
    }
}

/* Whether the attribute alone tells the images of every place apart, and says the same of all places. Leaves them in its order. */
static bool separates(places *p, int attribute)
{
    const bool same_everywhere = is_kind(attribute, DCM_VARY_SET);

    sort_by(p, attribute);
    for (int64_t z = 0; z < p->nz; z++)
        for (int64_t t = 0; t < p->nt; t++) {
            const int32_t *const at = p->slices + z * p->nt;

            if (t && !compare_slices(p->set, at[t - 1], at[t], attribute))
                return false;
            if (same_everywhere && compare_slices(p->set, p->slices[t], at[t], attribute))
                return false;
        }
    return true;
}

/* An attribute of `varying` that is not the same at all places of one T; −1: none. */
static int not_explained(const places *p, uint64_t varying)
{
    for (int a = 0; a < DCM_N_VARY; a++)
        if (varying >> a & 1)
            for (int64_t i = p->nt; i < p->nz * p->nt; i++)
                if (compare_slices(p->set, p->slices[i % p->nt], p->slices[i], a))
                    return a;
    return -1;
}

/* ---- choosing ------------------------------------------------------------------------------------------ */

/* Attributes that differ within a place: those to choose from, clocks left out. */
static uint64_t varying_of(const places *p)
{
    uint64_t out = 0;

    for (int64_t i = 0; i < p->nz * p->nt; i++)
        for (int a = 0; a < DCM_N_VARY; a++)
            if (!is_kind(a, DCM_VARY_PART) && !is_kind(a, DCM_VARY_CLOCK) &&
                compare_slices(p->set, p->slices[i - i % p->nt], p->slices[i], a))
                out |= UINT64_C(1) << a;
    return out;
}

static uint64_t of_kind(uint64_t attributes, dcm_vary_kind kind)
{
    uint64_t out = 0;

    for (int a = 0; a < DCM_N_VARY; a++)
        if (is_kind(a, kind))
            out |= attributes & UINT64_C(1) << a;
    return out;
}

/* The axis, or −1. Clocks count only where nothing else says what differs, or one attribute says it with repetitions (b = 0). */
static int choose(places *p, uint64_t varying)
{
    const uint64_t sets = of_kind(varying, DCM_VARY_SET);

    for (int a = 0; a < DCM_N_VARY; a++)
        if ((varying >> a & 1) && !is_kind(a, DCM_VARY_SEPARATE) && separates(p, a) &&
            not_explained(p, sets) < 0)
            return a;
    if ((sets & (sets - 1)) || of_kind(varying, DCM_VARY_SEPARATE))
        return -1;
    for (int a = 0; a < DCM_N_VARY; a++)
        if (is_kind(a, DCM_VARY_CLOCK) && separates(p, a) && not_explained(p, sets) < 0)
            return a;
    return -1;
}

static mtm_status no_axis(const places *p, uint64_t varying, mtm_error *err)
{
    char names[110], attributes[110] = "";
    size_t at = 0;

    for (int a = 0; a < DCM_N_VARY && at < sizeof attributes - 1; a++)
        if (varying >> a & 1)
            at += (size_t)snprintf(attributes + at, sizeof attributes - at, "%s%s", at ? " and " : "",
                                   dcm_vary_table[a].name);
    dcm_names(names, sizeof names, p->set, p->slices, p->nt);
    if (!varying)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "the same place has %" PRId64 " images that nothing known tells apart: %s", p->nt,
                        names);
    return mtm_fail(err, MTM_E_INVAL, -1, "images of one place (%s) differ in %s, which makes no axis", names,
                    attributes);
}

/* ---- time ---------------------------------------------------------------------------------------------- */

/* Seconds between two T: by the attribute's own values, else the clock's, at the first place. */
static double seconds_of(const places *p, int axis)
{
    const int by = dcm_vary_table[axis].seconds > 0 ? axis : DCM_VARY_ACQUISITION_TIME;
    const double first = p->set->slices[p->slices[0]].vary[by],
                 last = p->set->slices[p->slices[p->nt - 1]].vary[by],
                 step = (last - first) * dcm_vary_table[by].seconds / (double)(p->nt - 1);

    if (by != axis && axis != DCM_VARY_TEMPORAL && axis != DCM_VARY_ACQUISITION_NUMBER &&
        axis != DCM_VARY_TIME_SLICE)
        return 0;
    return isfinite(step) && step > 0 ? step : 0;
}

static mtm_status grid_of(dcm_sorter *s, const places *p, int axis, mtm_error *err)
{
    MTM_AUTO_MEM int32_t *turned = mtm_alloc((size_t)(p->nz * p->nt) * sizeof *turned);

    if (!turned)
        return MTM_NOMEM(err);
    for (int64_t z = 0; z < p->nz; z++)
        for (int64_t t = 0; t < p->nt; t++)
            turned[t * p->nz + z] = p->slices[z * p->nt + t];
    s->seconds = seconds_of(p, axis);
    return dcm_grid_make(s, turned, p->nz, p->nt, axis, err);
}

mtm_status dcm_axis_find(dcm_sorter *s, int32_t *slices, int64_t nz, int64_t nt, mtm_error *err)
{
    MTM_AUTO_MEM keyed *keys = mtm_alloc((size_t)nt * sizeof *keys);
    places p = {.set = s->set, .slices = slices, .nz = nz, .nt = nt, .keys = keys};

    if (!keys)
        return MTM_NOMEM(err);
    const uint64_t varying = varying_of(&p), apart = of_kind(varying, DCM_VARY_SEPARATE);
    const int axis = choose(&p, varying);
    /* A temporal position may well stand for image types too; only where nothing else is there do they count. */
    if (axis >= 0 && not_explained(&p, apart) < 0)
        return grid_of(s, &p, axis, err);
    return s->split ? dcm_sort_split(s, slices, (int32_t)(nz * nt), err) : no_axis(&p, varying, err);
}
