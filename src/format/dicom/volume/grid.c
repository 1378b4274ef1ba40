/* format/dicom/volume/grid.c: whether sorted slices lie on one regular grid, and the grid's step. The step is the real way
 * from slice to slice, so that a tilted gantry gives a sheared affine.
 *
 * Tolerances, as doc/dicom-series.md states them: a slice lies within 5 % of the step (at least what one place is, sort.c) of its place on the grid; more than
 * 1 % is noted.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "volume.h"

#define OFF_GRID   0.05
#define OFF_NOTED  0.01
#define GAP        1.5  /* of the usual step */
#define TILT_NOTED 0.05 /* degrees */

static const double *position(const dcm_sorter *s, int32_t slice)
{
    return s->set->slices[slice].position;
}

static double length(const double v[3])
{
    return sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
}

static double distance(const double a[3], const double b[3])
{
    return length((double[]){a[0] - b[0], a[1] - b[1], a[2] - b[2]});
}

/* ---- steps --------------------------------------------------------------------------------------------- */

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Of ascending steps: the smallest, where the others are multiples of it, as where slices are missing; else the lower median. */
static double usual_step(const double *steps, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const double times = steps[i] / steps[0];

        if (!(fabs(times - floor(times + 0.5)) <= 2 * OFF_GRID))
            return steps[(n - 1) / 2];
    }
    return steps[0];
}

static mtm_status find_usual(const dcm_sorter *s, const int32_t *slices, int64_t nz, double *out,
                             mtm_error *err)
{
    MTM_AUTO_MEM double *steps = mtm_alloc((size_t)(nz - 1) * sizeof *steps);

    if (!steps)
        return MTM_NOMEM(err);
    for (int64_t z = 0; z + 1 < nz; z++)
        steps[z] = s->set->slices[slices[z + 1]].along - s->set->slices[slices[z]].along;
    qsort(steps, (size_t)(nz - 1), sizeof *steps, compare_doubles);
    *out = usual_step(steps, nz - 1);
    return MTM_OK;
}

/* The regular grid through the first and the last of nz slices, and how far the worst slice lies off it. */
static double fit(const dcm_sorter *s, const int32_t *slices, int64_t nz, double step[3], int64_t *worst)
{
    const double *const a = position(s, slices[0]), *const b = position(s, slices[nz - 1]);
    double most = 0;

    for (int i = 0; i < 3; i++)
        step[i] = (b[i] - a[i]) / (double)(nz - 1);
    *worst = 0;
    for (int64_t z = 1; z + 1 < nz; z++) {
        const double k = (double)z, want[3] = {a[0] + k * step[0], a[1] + k * step[1], a[2] + k * step[2]};
        const double off = distance(want, position(s, slices[z]));

        if (off > most)
            most = off, *worst = z;
    }
    return most;
}

/* ---- errors -------------------------------------------------------------------------------------------- */

static mtm_status gaps(const dcm_sorter *s, const int32_t *slices, int64_t nz, double usual, mtm_error *err)
{
    int64_t missing = 0, n_gaps = 0, first = -1;
    char names[130];

    for (int64_t z = 0; z + 1 < nz; z++) {
        const double step = s->set->slices[slices[z + 1]].along - s->set->slices[slices[z]].along;

        if (step > GAP * usual) {
            first = first < 0 ? z : first;
            missing += (int64_t)fmin(floor(step / usual + 0.5) - 1, 1e9), n_gaps++;
        }
    }
    if (first < 0)
        return MTM_OK;
    dcm_names(names, sizeof names, s->set, slices + first, 2);
    if (n_gaps == 1)
        return mtm_fail(err, MTM_E_INVAL, -1, "%" PRId64 " %s missing between %s (step %.4g mm)", missing,
                        missing == 1 ? "slice is" : "slices are", names, usual);
    return mtm_fail(err, MTM_E_INVAL, -1,
                    "%" PRId64 " slices are missing in %" PRId64 " gaps, the first between %s (step %.4g mm)",
                    missing, n_gaps, names, usual);
}

static mtm_status irregular(const dcm_sorter *s, const int32_t *slices, int64_t nz, int64_t worst, double off,
                            mtm_error *err)
{
    double usual = 0;
    char names[130];

    MTM_TRY(find_usual(s, slices, nz, &usual, err));
    MTM_TRY(gaps(s, slices, nz, usual, err));
    dcm_names(names, sizeof names, s->set, slices + worst, 1);
    return mtm_fail(err, MTM_E_INVAL, -1,
                    "the slices are not evenly spaced: %s lies %.3g mm off its place (step %.4g mm)", names,
                    off, usual);
}

/* Images of one place and another T that lie aside of each other. */
static mtm_status shifted(const dcm_sorter *s, const int32_t *slices, int64_t nz, int64_t nt, double most,
                          mtm_error *err)
{
    for (int64_t t = 1; t < nt; t++)
        for (int64_t z = 0; z < nz; z++) {
            const int32_t pair[2] = {slices[z], slices[t * nz + z]};
            const double off = distance(position(s, pair[0]), position(s, pair[1]));
            char names[130];

            if (off <= most)
                continue;
            dcm_names(names, sizeof names, s->set, pair, 2);
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "%s are of one place along the normal, but %.3g mm aside of each other", names,
                            off);
        }
    return MTM_OK;
}

/* ---- stacks -------------------------------------------------------------------------------------------- */

mtm_status dcm_stack_add(dcm_sorter *s, const dcm_stack *like, const int32_t *slices, int64_t n,
                         mtm_error *err)
{
    dcm_stacks *const out = s->out;
    dcm_stack *const grown = mtm_realloc(out->stacks, ((size_t)out->n + 1) * sizeof *grown);

    if (!grown)
        return MTM_NOMEM(err);
    out->stacks = grown;
    dcm_stack *const stack = &grown[out->n];
    *stack = *like;
    stack->slices = mtm_alloc((size_t)n * sizeof *stack->slices);
    if (!stack->slices)
        return MTM_NOMEM(err);
    memcpy(stack->slices, slices, (size_t)n * sizeof *stack->slices);
    out->n++;
    return MTM_OK;
}

void dcm_stacks_clear(dcm_stacks *s)
{
    for (int64_t i = 0; i < s->n; i++)
        mtm_free(s->stacks[i].slices);
    mtm_free(s->stacks);
    *s = (dcm_stacks){0};
}

static void tilt_of(const dcm_slice *first, dcm_stack *stack)
{
    double normal[3];

    dcm_cross(first->row, first->column, normal);
    const double along = stack->step[0] * normal[0] + stack->step[1] * normal[1] + stack->step[2] * normal[2];
    const double cosine = along / (length(stack->step) * length(normal));
    stack->tilt = cosine < 1 ? acos(cosine) * 180 / 3.14159265358979323846 : 0;
    if (stack->tilt < TILT_NOTED)
        stack->tilt = 0;
}

/* One slice: the next would lie along the normal, a slice's thickness away. */
static void single_step(const dcm_slice *first, dcm_stack *stack)
{
    const double by = first->thickness > 0 ? first->thickness : 1;

    dcm_cross(first->row, first->column, stack->step);
    for (int i = 0; i < 3; i++)
        stack->step[i] *= by;
    if (first->thickness == 0)
        snprintf(stack->note, sizeof stack->note, "the one slice tells no thickness; 1 mm is taken");
}

static mtm_status regular(dcm_sorter *s, const int32_t *slices, int64_t nz, int64_t nt, int32_t axis,
                          double off, const double step[3], mtm_error *err)
{
    const dcm_slice *const first = &s->set->slices[slices[0]];
    dcm_stack stack = {
        .nt = nt, .nz = nz, .axis = axis, .geometry = true, .seconds = axis < 0 ? 0 : s->seconds};

    if (nz == 1)
        single_step(first, &stack);
    else {
        memcpy(stack.step, step, sizeof stack.step);
        tilt_of(first, &stack);
    }
    if (off > OFF_NOTED * length(stack.step))
        snprintf(stack.note, sizeof stack.note, "slices lie up to %.3g mm off a regular grid", off);
    if (!(first->has & DCM_SLICE_SPACING)) {
        const size_t used = strlen(stack.note);

        snprintf(stack.note + used, sizeof stack.note - used,
                 "%sPixelSpacing is absent, or no two positive numbers; 1 mm is taken", used ? "; " : "");
    }
    return dcm_stack_add(s, &stack, slices, nz * nt, err);
}

static double tolerance(const dcm_slice *first, const double step[3])
{
    return fmax(dcm_same_place(first), OFF_GRID * length(step));
}

/* Runs of regular steps, each as long as it can be; [1, nz]. */
static mtm_status split_runs(dcm_sorter *s, const int32_t *slices, int64_t nz, mtm_error *err)
{
    for (int64_t at = 0, end; at < nz; at = end) {
        const int64_t left = nz - at;
        const double *const p = position(s, slices[at]);
        const double *const next = left > 1 ? position(s, slices[at + 1]) : p;
        const double first[3] = {next[0] - p[0], next[1] - p[1], next[2] - p[2]};
        double step[3] = {0}, off = 0;
        int64_t worst;

        /* A step that the following ones do not share is a gap: its slice stands alone. */
        for (end = at + 1; end < nz; end++) {
            const double *const a = position(s, slices[end - 1]), *const b = position(s, slices[end]);
            const double here[3] = {b[0] - a[0], b[1] - a[1], b[2] - a[2]};

            if (distance(here, first) > tolerance(&s->set->slices[slices[at]], first))
                break;
        }
        if (end - at == 2 && end < nz && end + 1 < nz) {
            const double next_step = distance(position(s, slices[end]), position(s, slices[end + 1]));

            end = next_step < length(first) / GAP ? at + 1 : end;
        }
        if (end - at > 1)
            off = fit(s, slices + at, end - at, step, &worst);
        MTM_TRY(regular(s, slices + at, end - at, 1, -1, off, step, err));
    }
    return MTM_OK;
}

mtm_status dcm_grid_make(dcm_sorter *s, int32_t *slices, int64_t nz, int64_t nt, int32_t axis, mtm_error *err)
{
    double step[3] = {0}, off = 0;
    int64_t worst = 0;

    if (nz > 1)
        off = fit(s, slices, nz, step, &worst);
    if (nz > 1 && off > tolerance(&s->set->slices[slices[0]], step)) {
        if (!s->split)
            return irregular(s, slices, nz, worst, off, err);
        for (int64_t t = 0; t < nt; t++)
            MTM_TRY(split_runs(s, slices + t * nz, nz, err));
        return MTM_OK;
    }
    if (nt > 1) {
        const mtm_status aside = shifted(s, slices, nz, nt, tolerance(&s->set->slices[slices[0]], step), err);

        if (aside != MTM_OK && !s->split)
            return aside;
        for (int64_t t = 0; t < nt && aside != MTM_OK; t++)
            MTM_TRY(dcm_grid_make(s, slices + t * nz, nz, 1, -1, err));
        if (aside != MTM_OK)
            return MTM_OK;
    }
    return regular(s, slices, nz, nt, axis, off, step, err);
}
