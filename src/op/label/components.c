/* op/label/components.c: operators that number the objects of a label map, or keep the largest of them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/label/label.h"

#define COUNT(a) ((int32_t)(sizeof(a) / sizeof *(a)))

mtm_status mtm_label_check(const mtm_spec *in, mtm_error *err)
{
    if (!mtm_dtype_is_integer(in->dtype))
        return mtm_fail(err, MTM_E_INVAL, -1, "a label map holds integers; this one is %s",
                        mtm_dtype_name(in->dtype));
    return MTM_OK;
}

mtm_array mtm_label_channel(const mtm_array *czyx, int64_t c)
{
    mtm_array v = *czyx;

    v.data = (char *)v.data + c * v.stride[0];
    v.ndim = 3, v.owner = NULL;
    memmove(v.shape, v.shape + 1, 3 * sizeof *v.shape);
    memmove(v.stride, v.stride + 1, 3 * sizeof *v.stride);
    return v;
}

/* ---- connected_components ----------------------------------------------------------------------------- */

typedef struct connected_components_args {
    int32_t connectivity;
    bool by_class;
    int64_t background;
} connected_components_args;

static mtm_status connected_components_infer(const void *args, const mtm_spec *in, mtm_spec *out,
                                             mtm_error *err)
{
    MTM_TRY(mtm_label_check(in, err));
    out->dtype = MTM_I32;
    return MTM_OK;
}

static mtm_status number_channel(mtm_exec *x, const connected_components_args *a, const mtm_array *in,
                                 mtm_array *out, mtm_error *err)
{
    const bool direct = out->dtype == MTM_I32;
    mtm_array numbered = direct ? *out : (mtm_array){0};
    int64_t count;
    mtm_status st;

    MTM_TRY(mtm_connected_components(&numbered, in, (mtm_connectivity)a->connectivity, a->by_class,
                                     a->background, x->recycler, &count, err));
    if (direct)
        return MTM_OK;
    st = mtm_array_convert(out, &numbered, 1, 0, x->pool, err);
    mtm_array_drop(&numbered);
    return st;
}

static mtm_status connected_components_run(mtm_exec *x, const void *args, const mtm_spec *spec,
                                           const mtm_array *in, mtm_array *out, mtm_error *err)
{
    for (int64_t c = 0; c < spec->channels; c++) {
        const mtm_array from = mtm_label_channel(in, c);
        mtm_array to = mtm_label_channel(out, c);

        MTM_TRY(number_channel(x, args, &from, &to, err));
    }
    return MTM_OK;
}

static const mtm_param connected_components_params[] = {
    {"connectivity", MTM_PARAM_CHOICE, offsetof(connected_components_args, connectivity), "faces", 0, 0,
     MTM_CONNECTIVITY_CHOICES, "", MTM_CONNECTIVITY_HELP},
    {"by_class", MTM_PARAM_BOOL, offsetof(connected_components_args, by_class), "False", 0, 0, NULL, "",
     "Touching voxels of different values stay apart; else all but the background is one class."},
    {"background", MTM_PARAM_INT, offsetof(connected_components_args, background), "0", -0x1p53, 0x1p53, NULL,
     "", "Value of the voxels that belong to no component."},
};

const mtm_op mtm_op_connected_components = {
    .name = "connected_components",
    .doc =
        "Number the connected components of a label map.\n"
        "\n"
        "Components are 1, 2, ... in the scan order of their first voxels, the background is 0; int32. "
        "Equals\n"
        "scipy.ndimage.label(label != background). Runs of each row are joined by union-find (Wu, Otoo and "
        "Suzuki 2009).",
    .kind = MTM_OP_LABEL,
    .params = connected_components_params,
    .n_params = COUNT(connected_components_params),
    .args_bytes = sizeof(connected_components_args),
    .infer = connected_components_infer,
    .run = connected_components_run,
};

/* ---- keep_largest ------------------------------------------------------------------------------------- */

typedef struct keep_largest_args {
    mtm_ints classes;
    bool per_class;
    int64_t count;
    int32_t connectivity;
    int64_t background;
} keep_largest_args;

static mtm_status keep_largest_infer(const void *args, const mtm_spec *in, mtm_spec *out, mtm_error *err)
{
    return mtm_label_check(in, err);
}

static bool is_listed(const keep_largest_args *a, int64_t value)
{
    for (int32_t i = 0; i < a->classes.n; i++)
        if (a->classes.v[i] == value)
            return true;
    return !a->classes.n;
}

typedef struct rival {
    int64_t value, voxels, number;
} rival;

static int by_class_then_size(const void *a, const void *b)
{
    const rival *const x = a, *const y = b;

    if (x->value != y->value)
        return (x->value > y->value) - (x->value < y->value);
    return x->voxels != y->voxels ? (x->voxels < y->voxels) - (x->voxels > y->voxels)
                                  : (x->number > y->number) - (x->number < y->number);
}

/* kept[component − 1]: whether it stays. */
static mtm_status choose(const keep_largest_args *a, const mtm_components *c, bool *kept, mtm_error *err)
{
    MTM_AUTO_MEM rival *r = mtm_alloc((size_t)c->n * sizeof *r);
    int64_t place = 0;

    if (!r)
        return MTM_NOMEM(err);
    for (int64_t i = 0; i < c->n; i++)
        r[i] = (rival){c->at[i].value, c->at[i].voxels, i};
    qsort(r, (size_t)c->n, sizeof *r, by_class_then_size);
    for (int64_t i = 0; i < c->n; i++) {
        place = i && r[i].value == r[i - 1].value ? place + 1 : 0;
        kept[r[i].number] = place < a->count || (a->per_class && !is_listed(a, r[i].value));
    }
    return MTM_OK;
}

/* Background where a component does not stay. */
static mtm_status clear_rest(const keep_largest_args *a, const mtm_components *c, const bool *kept,
                             const mtm_array *out, mtm_error *err)
{
    const int64_t one = 1;
    const size_t size = mtm_dtype_size(out->dtype);
    mtm_array from = mtm_array_wrap((void *)&a->background, MTM_I64, 1, &one);
    uint64_t bits[1];
    mtm_array to = mtm_array_wrap(bits, out->dtype, 1, &one);

    MTM_TRY(mtm_array_convert(&to, &from, 1, 0, NULL, err));
    for (int64_t row = 0; row < c->size[0] * c->size[1]; row++)
        for (int64_t i = c->first[row]; i < c->first[row + 1]; i++) {
            char *const p =
                (char *)out->data + row / c->size[1] * out->stride[0] + row % c->size[1] * out->stride[1];

            if (!kept[c->number[c->run[i].label] - 1])
                for (int64_t x = c->run[i].start; x < c->run[i].end; x++)
                    memcpy(p + x * out->stride[2], bits, size);
        }
    return MTM_OK;
}

/* 1 where a voxel is of one of the classes, uint8. */
static mtm_status mask_of_classes(mtm_exec *x, const keep_largest_args *a, const mtm_array *in,
                                  mtm_array *mask, mtm_error *err)
{
    __attribute__((cleanup(mtm_label_rows_close))) mtm_label_rows rows = {.width = 0};
    const void *row;
    uint8_t *m;

    MTM_TRY(mtm_label_rows_open(&rows, in, err));
    MTM_TRY(mtm_array_new(mask, MTM_U8, 3, in->shape, x->recycler, err));
    m = mask->data;
    for (int64_t r = 0; r < in->shape[0] * in->shape[1]; r++, m += rows.width) {
        MTM_TRY(mtm_label_rows_get(&rows, r, &row, err)); /* integers: cannot fail */
        for (int64_t i = 0; i < rows.width; i++) {
            const int64_t value = mtm_label_rows_value(&rows, row, i);

            m[i] = value != a->background && is_listed(a, value);
        }
    }
    return MTM_OK;
}

static mtm_status keep_in_channel(mtm_exec *x, const keep_largest_args *a, const mtm_array *in,
                                  mtm_array *out, mtm_error *err)
{
    const bool masked = !a->per_class && a->classes.n;
    const mtm_components_how how = {.connectivity = (mtm_connectivity)a->connectivity,
                                    .by_class = a->per_class,
                                    .background = masked ? 0 : a->background,
                                    .keep_runs = true};
    MTM_COMPONENTS_AUTO c = {.n = 0};
    mtm_array mask = {0};
    mtm_status st = masked ? mask_of_classes(x, a, in, &mask, err) : MTM_OK;

    if (!st)
        st = mtm_components_find(&c, masked ? &mask : in, &how, err);
    mtm_array_drop(&mask);
    MTM_TRY(st);
    MTM_AUTO_MEM bool *kept = mtm_alloc((size_t)c.n * sizeof *kept);

    if (!kept)
        return MTM_NOMEM(err);
    MTM_TRY(choose(a, &c, kept, err));
    MTM_TRY(mtm_array_convert(out, in, 1, 0, x->pool, err));
    return clear_rest(a, &c, kept, out, err);
}

static mtm_status keep_largest_run(mtm_exec *x, const void *args, const mtm_spec *spec, const mtm_array *in,
                                   mtm_array *out, mtm_error *err)
{
    for (int64_t c = 0; c < spec->channels; c++) {
        const mtm_array from = mtm_label_channel(in, c);
        mtm_array to = mtm_label_channel(out, c);

        MTM_TRY(keep_in_channel(x, args, &from, &to, err));
    }
    return MTM_OK;
}

static const mtm_param keep_largest_params[] = {
    {"classes", MTM_PARAM_INTS, offsetof(keep_largest_args, classes), "None", 0, 0, NULL, "",
     "Classes that lose components; None: all but the background. Others stay as they are."},
    {"per_class", MTM_PARAM_BOOL, offsetof(keep_largest_args, per_class), "True", 0, 0, NULL, "",
     "The largest of every class; else the largest of all the classes taken as one."},
    {"count", MTM_PARAM_INT, offsetof(keep_largest_args, count), "1", 1, 0x1p31, NULL, "",
     "How many components stay."},
    {"connectivity", MTM_PARAM_CHOICE, offsetof(keep_largest_args, connectivity), "faces", 0, 0,
     MTM_CONNECTIVITY_CHOICES, "", MTM_CONNECTIVITY_HELP},
    {"background", MTM_PARAM_INT, offsetof(keep_largest_args, background), "0", -0x1p53, 0x1p53, NULL, "",
     "Value of the voxels that belong to no component, and of those that are removed."},
};

const mtm_op mtm_op_keep_largest = {
    .name = "keep_largest",
    .doc =
        "Keep the largest connected components of a label map.\n"
        "\n"
        "Largest by voxels; of equal ones, the first in scan order. As MONAI's KeepLargestConnectedComponent "
        "with\n"
        "independent=per_class.",
    .kind = MTM_OP_LABEL,
    .params = keep_largest_params,
    .n_params = COUNT(keep_largest_params),
    .args_bytes = sizeof(keep_largest_args),
    .infer = keep_largest_infer,
    .run = keep_largest_run,
};
