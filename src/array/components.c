/* array/components.c: connected components. Every row is cut into runs of one value; a run takes the label of the runs that it
 * touches in the rows before, and where those differ, their labels are joined. Labels are given in scan order and a joint
 * label is the lowest of its own, so that in the end the components are numbered by their first voxels.
 * SPDX-License-Identifier: Apache-2.0 */
#include "array/components.h"

#include "kernel/label.h"

typedef struct finder {
    mtm_components *c;
    const mtm_components_how *how;
    mtm_label_kernels k;
    mtm_label_rows rows;
    int log2; /* bytes of the elements that are compared */
    bool has_background;
    uint64_t background_bits;
    uint8_t *mask; /* not by class: whether a row's voxels are foreground */
    int32_t *at;   /* where a row's values change */
    int64_t n_runs, run_room, n_labels, label_room;
    int64_t *before, *now; /* first run of each row of the plane before and of this one, Y + 1 of each */
    int64_t *own_first;    /* memory of both where runs are not kept */
} finder;

static void finder_close(finder *f)
{
    mtm_label_rows_close(&f->rows);
    mtm_free(f->mask);
    mtm_free(f->at);
    mtm_free(f->own_first);
}

#define FINDER_AUTO __attribute__((cleanup(finder_close))) finder

/* ---- labels that are one ------------------------------------------------------------------------------ */

static inline int32_t root_of(int32_t *parent, int32_t l)
{
    while (parent[l] != l)
        l = parent[l] = parent[parent[l]];
    return l;
}

static inline int32_t join(int32_t *parent, int32_t a, int32_t b)
{
    a = root_of(parent, a), b = root_of(parent, b);
    if (a > b)
        return parent[a] = b;
    return parent[b] = a;
}

static mtm_status room_for_labels(finder *f, int64_t more, mtm_error *err)
{
    const int64_t room = mtm_max_i64(2 * f->label_room, f->n_labels + more + 256);
    mtm_component *at;
    int32_t *number;

    if (f->n_labels + more <= f->label_room)
        return MTM_OK;
    if (f->n_labels + more >= INT32_MAX)
        return mtm_fail(err, MTM_E_LIMIT, -1, "more than 2^31 - 2 pieces of components");
    at = mtm_realloc(f->c->at, (size_t)room * sizeof *at);
    f->c->at = at ? at : f->c->at;
    number = mtm_realloc(f->c->number, (size_t)(room + 1) * sizeof *number);
    f->c->number = number ? number : f->c->number;
    if (!at || !number)
        return MTM_NOMEM(err);
    f->label_room = room;
    return MTM_OK;
}

/* ---- runs of one row ---------------------------------------------------------------------------------- */

static mtm_status room_for_runs(finder *f, int64_t more, mtm_error *err)
{
    const int64_t room = mtm_max_i64(2 * f->run_room, f->n_runs + more + 1024);
    mtm_run *run;

    if (f->n_runs + more <= f->run_room)
        return MTM_OK;
    run = mtm_realloc(f->c->run, (size_t)room * sizeof *run);
    if (!run)
        return MTM_NOMEM(err);
    f->c->run = run, f->run_room = room;
    return MTM_OK;
}

/* Appends the row's runs that are not background, without labels. x: what they are the runs of. */
static mtm_status cut_row(finder *f, int64_t row, const void **x, mtm_error *err)
{
    const int64_t width = f->rows.width;
    size_t n;
    mtm_run *run;

    MTM_TRY(mtm_label_rows_get(&f->rows, row, x, err));
    if (!f->how->by_class) {
        if (f->has_background)
            f->k.differs[f->log2](f->mask, *x, f->background_bits, (size_t)width);
        n = f->k.changes[0](f->at, f->mask, (size_t)width);
    } else {
        n = f->k.changes[f->log2](f->at, *x, (size_t)width);
    }
    MTM_TRY(room_for_runs(f, (int64_t)n + 1, err));
    run = f->c->run + f->n_runs;
    f->at[n] = (int32_t)width;
    for (size_t i = 0; i <= n; i++) {
        const int32_t start = i ? f->at[i - 1] : 0;
        const bool background =
            f->how->by_class
                ? f->has_background && mtm_label_rows_value(&f->rows, *x, start) == f->how->background
                : !f->mask[start];

        if (!background)
            *run++ = (mtm_run){start, f->at[i], 0};
    }
    f->n_runs = run - f->c->run;
    return MTM_OK;
}

/* Gives this row's runs [lo, hi) the labels of the runs [from, to) of a neighbouring row that they touch. */
static void touch(finder *f, const void *x, int64_t lo, int64_t hi, int64_t from, int64_t to)
{
    const int32_t reach = f->how->connectivity == MTM_FULL;
    int32_t *const parent = f->c->number;

    for (int64_t i = lo; i < hi && from < to; i++) {
        mtm_run *const r = &f->c->run[i];

        while (from < to && f->c->run[from].end + reach <= r->start)
            from++;
        for (int64_t j = from; j < to && f->c->run[j].start < r->end + reach; j++) {
            const int32_t other = f->c->run[j].label;

            if (f->how->by_class && f->c->at[other - 1].value != mtm_label_rows_value(&f->rows, x, r->start))
                continue;
            r->label = r->label ? join(parent, r->label, other) : root_of(parent, other);
        }
    }
}

static void grow(mtm_component *c, int32_t z, int32_t y, const mtm_run *r)
{
    c->voxels += r->end - r->start;
    c->hi[0] = z + 1; /* rows come in order */
    c->lo[1] = y < c->lo[1] ? y : c->lo[1];
    c->hi[1] = y >= c->hi[1] ? y + 1 : c->hi[1];
    c->lo[2] = r->start < c->lo[2] ? r->start : c->lo[2];
    c->hi[2] = r->end > c->hi[2] ? r->end : c->hi[2];
}

/* Labels for the runs that touch none, and every run's share of its component. */
static mtm_status label_runs(finder *f, const void *x, int32_t z, int32_t y, int64_t lo, mtm_error *err)
{
    MTM_TRY(room_for_labels(f, f->n_runs - lo, err));
    for (int64_t i = lo; i < f->n_runs; i++) {
        mtm_run *const r = &f->c->run[i];

        if (r->label) {
            grow(&f->c->at[r->label - 1], z, y, r);
            continue;
        }
        r->label = (int32_t)++f->n_labels;
        f->c->number[r->label] = r->label;
        f->c->at[r->label - 1] =
            (mtm_component){.value = f->how->by_class ? mtm_label_rows_value(&f->rows, x, r->start) : 1,
                            .voxels = r->end - r->start,
                            .lo = {z, y, r->start},
                            .hi = {z + 1, y + 1, r->end}};
    }
    return MTM_OK;
}

/* ---- all rows ----------------------------------------------------------------------------------------- */

/* Where runs are not kept, only those of the plane before stay. */
static void next_plane(finder *f, int64_t z)
{
    const int64_t rows = f->c->size[1];

    if (f->c->first) {
        f->now = f->c->first + z * rows;
        f->before = f->now - (z ? rows : 0);
        return;
    }
    int64_t *const swap = f->before;
    const int64_t gone = f->now[0];

    f->before = f->now, f->now = swap;
    if (gone)
        memmove(f->c->run, f->c->run + gone, (size_t)(f->n_runs - gone) * sizeof *f->c->run);
    for (int64_t i = 0; i <= rows; i++)
        f->before[i] -= gone;
    f->n_runs -= gone;
}

static mtm_status scan_row(finder *f, int64_t z, int64_t y, mtm_error *err)
{
    const int64_t lo = f->n_runs, last = f->c->size[1] - 1;
    const int64_t reach = f->how->connectivity == MTM_FULL;
    const void *x;

    f->now[y] = lo;
    MTM_TRY(cut_row(f, z * f->c->size[1] + y, &x, err));
    f->now[y + 1] = f->n_runs;
    if (f->n_runs == lo)
        return MTM_OK;
    if (y)
        touch(f, x, lo, f->n_runs, f->now[y - 1], f->now[y]);
    for (int64_t i = y - reach; z && i <= y + reach; i++)
        if (i >= 0 && i <= last)
            touch(f, x, lo, f->n_runs, f->before[i], f->before[i + 1]);
    return label_runs(f, x, (int32_t)z, (int32_t)y, lo, err);
}

static void merge(mtm_component *into, const mtm_component *c)
{
    into->voxels += c->voxels;
    for (int i = 0; i < 3; i++) {
        into->lo[i] = c->lo[i] < into->lo[i] ? c->lo[i] : into->lo[i];
        into->hi[i] = c->hi[i] > into->hi[i] ? c->hi[i] : into->hi[i];
    }
}

/* A label's parent is lower, so its number is known when the label's turn comes; components move forward in place. */
static void number_components(finder *f)
{
    mtm_components *const c = f->c;

    for (int64_t l = 1; l <= f->n_labels; l++) {
        if (c->number[l] == l) {
            c->at[c->n++] = c->at[l - 1];
            c->number[l] = (int32_t)c->n;
        } else {
            c->number[l] = c->number[c->number[l]];
            merge(&c->at[c->number[l] - 1], &c->at[l - 1]);
        }
    }
}

static mtm_status open_finder(finder *f, const mtm_array *zyx, mtm_error *err)
{
    const size_t width = (size_t)zyx->shape[2], rows = (size_t)zyx->shape[1];

    mtm_label_kernels_init(&f->k, mtm_cpu_flags());
    MTM_TRY(mtm_label_rows_open(&f->rows, zyx, err));
    f->log2 = mtm_label_rows_log2(&f->rows);
    f->has_background = mtm_label_rows_bits(&f->rows, f->how->background, &f->background_bits);
    f->mask = mtm_alloc(width + 1);
    f->at = mtm_alloc((width + 1) * sizeof *f->at);
    if (f->how->keep_runs)
        f->c->first = mtm_alloc_zero((size_t)zyx->shape[0] * rows + 1, sizeof *f->c->first);
    else
        f->own_first = mtm_alloc_zero(2 * (rows + 1), sizeof *f->own_first);
    if (!f->mask || !f->at || !(f->c->first || f->own_first))
        return MTM_NOMEM(err);
    f->before = f->own_first, f->now = f->own_first ? f->own_first + rows + 1 : NULL;
    memset(f->mask, 1, width + 1); /* as it stays where no voxel can be background */
    return MTM_OK;
}

mtm_status mtm_components_find(mtm_components *c, const mtm_array *labels, const mtm_components_how *how,
                               mtm_error *err)
{
    FINDER_AUTO f = {.c = c, .how = how};
    mtm_array zyx;

    MTM_TRY(mtm_labels_zyx(&zyx, labels, err));
    memcpy(c->size, zyx.shape, sizeof c->size);
    MTM_TRY(open_finder(&f, &zyx, err));
    for (int64_t z = 0; mtm_array_count(&zyx) && z < c->size[0]; z++) {
        next_plane(&f, z);
        for (int64_t y = 0; y < c->size[1]; y++)
            MTM_TRY(scan_row(&f, z, y, err));
    }
    number_components(&f);
    for (int64_t i = 0; how->by_class && labels->dtype == MTM_U64 && i < c->n; i++)
        if (c->at[i].value < 0)
            return mtm_fail(err, MTM_E_LIMIT, -1, "a label above 2^63 - 1");
    return MTM_OK;
}

void mtm_components_clear(mtm_components *c)
{
    mtm_free(c->at);
    mtm_free(c->number);
    mtm_free(c->run);
    mtm_free(c->first);
    *c = (mtm_components){0};
}
