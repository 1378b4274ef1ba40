/* op/label/one_hot.c: a channel for every class of a label map.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/label/label.h"

#define COUNT(a) ((int32_t)(sizeof(a) / sizeof *(a)))

typedef struct one_hot_args {
    int64_t num_classes; /* 0: classes */
    mtm_ints classes;
} one_hot_args;

static mtm_status one_hot_check(const void *args, mtm_error *err)
{
    const one_hot_args *const a = args;

    if (!a->num_classes == !a->classes.n)
        return mtm_fail(err, MTM_E_INVAL, -1, "either num_classes or classes says what the channels are");
    return MTM_OK;
}

static mtm_status one_hot_infer(const void *args, const mtm_spec *in, mtm_spec *out, mtm_error *err)
{
    const one_hot_args *const a = args;

    MTM_TRY(mtm_label_check(in, err));
    if (in->channels != 1)
        return mtm_fail(err, MTM_E_INVAL, -1, "a label map of %" PRId64 " channels instead of 1",
                        in->channels);
    out->channels = a->classes.n ? a->classes.n : a->num_classes;
    out->dtype = MTM_U8;
    return MTM_OK;
}

/* One row into every channel; out is uint8 with contiguous rows. */
static void spread_row(const one_hot_args *a, const mtm_label_kernels *k, const mtm_label_rows *rows,
                       const void *row, const mtm_array *out, int64_t at)
{
    for (int64_t c = 0; c < out->shape[0]; c++) {
        const int64_t value = a->classes.n ? a->classes.v[c] : c;
        uint8_t *const to = (uint8_t *)out->data + c * out->stride[0] + at / out->shape[2] * out->stride[1] +
                            at % out->shape[2] * out->stride[2];
        uint64_t bits;

        if (!mtm_label_rows_bits(rows, value, &bits)) {
            memset(to, 0, (size_t)rows->width);
            continue;
        }
        k->differs[mtm_label_rows_log2(rows)](to, row, bits, (size_t)rows->width);
        for (int64_t i = 0; i < rows->width; i++)
            to[i] ^= 1;
    }
}

static mtm_status one_hot_bytes(mtm_exec *x, const one_hot_args *a, const mtm_array *in, const mtm_array *out,
                                mtm_error *err)
{
    __attribute__((cleanup(mtm_label_rows_close))) mtm_label_rows rows = {.width = 0};
    const void *row;

    MTM_TRY(mtm_label_rows_open(&rows, in, err));
    for (int64_t at = 0; at < in->shape[0] * in->shape[1]; at++) {
        MTM_TRY(mtm_label_rows_get(&rows, at, &row, err));
        spread_row(a, &x->kernels.label, &rows, row, out, at);
    }
    return MTM_OK;
}

static mtm_status one_hot_run(mtm_exec *x, const void *args, const mtm_spec *spec, const mtm_array *in,
                              mtm_array *out, mtm_error *err)
{
    const mtm_array zyx = mtm_label_channel(in, 0);
    mtm_array bytes = {0};
    mtm_status st;

    if ((out->dtype == MTM_U8 || out->dtype == MTM_BOOL) && out->stride[3] == 1)
        return one_hot_bytes(x, args, &zyx, out, err);
    MTM_TRY(mtm_array_new(&bytes, MTM_U8, 4, out->shape, x->recycler, err));
    st = one_hot_bytes(x, args, &zyx, &bytes, err);
    if (!st)
        st = mtm_array_convert(out, &bytes, 1, 0, x->pool, err);
    mtm_array_drop(&bytes);
    return st;
}

static const mtm_param one_hot_params[] = {
    {"num_classes", MTM_PARAM_INT, offsetof(one_hot_args, num_classes), "0", 0, 4096, NULL, "",
     "A channel for each of the classes 0, 1, ..., num_classes - 1; 0: as `classes` says."},
    {"classes", MTM_PARAM_INTS, offsetof(one_hot_args, classes), "None", 0, 0, NULL, "",
     "A channel for each of these values."},
};

const mtm_op mtm_op_one_hot = {
    .name = "one_hot",
    .doc = "One channel for every class of a label map: 1 where a voxel is of it, else 0.\n"
           "\n"
           "[1, Z, Y, X] becomes [classes, Z, Y, X], uint8 (dtype= says otherwise); eagerly the label map is "
           "given "
           "with\n"
           "its channel axis (channels=True). A voxel of none of the classes is 0 in every channel.",
    .kind = MTM_OP_LABEL,
    .params = one_hot_params,
    .n_params = COUNT(one_hot_params),
    .args_bytes = sizeof(one_hot_args),
    .check = one_hot_check,
    .infer = one_hot_infer,
    .run = one_hot_run,
};
