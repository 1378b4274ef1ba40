/* array/objects.c: what connected components are used for: numbered label maps, and tables of the objects' boxes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "array/objects.h"

#include "array/components.h"

/* ---- numbered components ------------------------------------------------------------------------------ */

static void fill_row(const mtm_components *c, int64_t row, int32_t *out)
{
    int64_t at = 0;

    for (int64_t i = c->first[row]; i < c->first[row + 1]; i++) {
        const mtm_run *const r = &c->run[i];
        const int32_t number = c->number[r->label];

        memset(out + at, 0, (size_t)(r->start - at) * sizeof *out);
        for (int32_t x = r->start; x < r->end; x++)
            out[x] = number;
        at = r->end;
    }
    memset(out + at, 0, (size_t)(c->size[2] - at) * sizeof *out);
}

/* A row that is not contiguous goes through `stage`. */
static void fill(const mtm_components *c, const mtm_array *out, int32_t *stage)
{
    for (int64_t row = 0; row < c->size[0] * c->size[1]; row++) {
        char *const to =
            (char *)out->data + row / c->size[1] * out->stride[0] + row % c->size[1] * out->stride[1];

        fill_row(c, row, stage ? stage : (int32_t *)(void *)to);
        for (int64_t x = 0; stage && x < c->size[2]; x++)
            memcpy(to + x * out->stride[2], stage + x, sizeof *stage);
    }
}

static mtm_status same_shape(const mtm_array *out, const mtm_array *labels, mtm_error *err)
{
    if (out->dtype != MTM_I32)
        return mtm_fail(err, MTM_E_INVAL, -1, "numbered components are int32; out is %s",
                        mtm_dtype_name(out->dtype));
    if (out->ndim != labels->ndim ||
        memcmp(out->shape, labels->shape, (size_t)labels->ndim * sizeof *out->shape))
        return mtm_fail(err, MTM_E_INVAL, -1, "out has another shape than the label map");
    return MTM_OK;
}

mtm_status mtm_connected_components(mtm_array *out, const mtm_array *labels, mtm_connectivity connectivity,
                                    bool by_class, int64_t background, mtm_recycler *r, int64_t *count,
                                    mtm_error *err)
{
    const mtm_components_how how = {
        .connectivity = connectivity, .by_class = by_class, .background = background, .keep_runs = true};
    MTM_COMPONENTS_AUTO c = {.n = 0};
    MTM_AUTO_MEM int32_t *stage = NULL;
    mtm_array zyx, made = *out;

    if (out->data)
        MTM_TRY(same_shape(out, labels, err));
    MTM_TRY(mtm_components_find(&c, labels, &how, err));
    if (!out->data)
        MTM_TRY(mtm_array_new(&made, MTM_I32, labels->ndim, labels->shape, r, err));
    mtm_labels_zyx(&zyx, &made, NULL); /* of a shape that was seen to be good */
    if (zyx.stride[2] != sizeof(int32_t) || (uintptr_t)zyx.data % sizeof(int32_t) ||
        zyx.stride[1] % (int64_t)sizeof(int32_t) || zyx.stride[0] % (int64_t)sizeof(int32_t)) {
        stage = mtm_alloc((size_t)c.size[2] * sizeof *stage);
        if (!stage) {
            if (!out->data)
                mtm_array_drop(&made);
            return MTM_NOMEM(err);
        }
    }
    fill(&c, &zyx, stage);
    *out = made;
    *count = c.n;
    return MTM_OK;
}

/* ---- tables of boxes ---------------------------------------------------------------------------------- */

mtm_object_table *mtm_object_table_make(int64_t n, int32_t ndim, int64_t **class_of, int64_t **number,
                                        int64_t **start, int64_t **size)
{
    const size_t rows = (size_t)n, words = rows * (2 + 2 * (size_t)ndim);
    mtm_object_table *const t = mtm_alloc(sizeof *t + words * sizeof(int64_t));

    if (!t)
        return NULL;
    *class_of = (int64_t *)(void *)(t + 1);
    *number = *class_of + rows;
    *start = *number + rows;
    *size = *start + rows * (size_t)ndim;
    *t = (mtm_object_table){
        .n = n, .ndim = ndim, .class_of = *class_of, .number = *number, .start = *start, .size = *size};
    return t;
}

void mtm_object_table_free(mtm_object_table *t)
{
    mtm_free(t);
}

typedef struct object_order {
    int64_t value, number;
} object_order;

static int by_class_then_number(const void *a, const void *b)
{
    const object_order *const x = a, *const y = b;

    return x->value != y->value ? (x->value > y->value) - (x->value < y->value)
                                : (x->number > y->number) - (x->number < y->number);
}

mtm_status mtm_object_table_new(mtm_object_table **out, const mtm_array *labels, int64_t background,
                                mtm_error *err)
{
    const mtm_components_how how = {.connectivity = MTM_FACES, .by_class = true, .background = background};
    MTM_COMPONENTS_AUTO c = {.n = 0};
    MTM_AUTO_MEM object_order *order = NULL;
    int64_t *class_of, *number, *start, *size;
    mtm_object_table *t;

    MTM_TRY(mtm_components_find(&c, labels, &how, err));
    order = mtm_alloc((size_t)c.n * sizeof *order);
    t = order ? mtm_object_table_make(c.n, labels->ndim, &class_of, &number, &start, &size) : NULL;
    if (!t)
        return MTM_NOMEM(err);
    for (int64_t i = 0; i < c.n; i++)
        order[i] = (object_order){c.at[i].value, i};
    qsort(order, (size_t)c.n, sizeof *order, by_class_then_number);
    for (int64_t i = 0; i < c.n; i++) {
        const mtm_component *const o = &c.at[order[i].number];

        class_of[i] = o->value, number[i] = order[i].number;
        for (int32_t a = 0; a < labels->ndim; a++) {
            start[i * labels->ndim + a] = o->lo[a + 3 - labels->ndim];
            size[i * labels->ndim + a] = o->hi[a + 3 - labels->ndim] - o->lo[a + 3 - labels->ndim];
        }
    }
    *out = t;
    return MTM_OK;
}
