/* array/label_rows.c: label maps of any dtype and strides, row by row, as integers of one width.
 * SPDX-License-Identifier: Apache-2.0 */
#include "array/components.h"

mtm_status mtm_labels_zyx(mtm_array *out, const mtm_array *labels, mtm_error *err)
{
    mtm_array v = *labels;

    if (!mtm_dtype_size(labels->dtype) || (labels->ndim != 2 && labels->ndim != 3))
        return mtm_fail(err, MTM_E_INVAL, -1, "a label map has 2 or 3 axes, not %d", labels->ndim);
    if (labels->ndim == 2) {
        memmove(v.shape + 1, v.shape, 2 * sizeof *v.shape);
        memmove(v.stride + 1, v.stride, 2 * sizeof *v.stride);
        v.shape[0] = 1, v.stride[0] = 0;
    }
    v.ndim = 3, v.owner = NULL;
    for (int i = 0; i < 3; i++)
        if (v.shape[i] < 0 || v.shape[i] >= INT32_MAX)
            return mtm_fail(err, MTM_E_LIMIT, -1, "an axis of %" PRId64 " voxels", v.shape[i]);
    *out = v;
    return MTM_OK;
}

/* Narrow integers are compared by their bits: reinterpreted, not converted. */
static mtm_dtype compared_as(mtm_array *bits)
{
    switch (bits->dtype) {
    case MTM_U8:
    case MTM_I8: return bits->dtype = MTM_U8;
    case MTM_BOOL: return MTM_U8; /* converted: any byte but 0 is 1 */
    case MTM_U16:
    case MTM_I16: return bits->dtype = MTM_U16;
    case MTM_U32:
    case MTM_I32: return bits->dtype = MTM_U32;
    case MTM_U64:
    case MTM_I64: return bits->dtype = MTM_I64;
    default: return MTM_F64;
    }
}

mtm_status mtm_label_rows_open(mtm_label_rows *r, const mtm_array *zyx, mtm_error *err)
{
    mtm_array bits = *zyx;

    *r = (mtm_label_rows){.dtype = zyx->dtype, .width = zyx->shape[2]};
    mtm_convert_kernels_init(&r->convert, mtm_cpu_flags());
    r->as = compared_as(&bits);
    r->rows = mtm_rows_over(&r->convert, &bits);
    r->stage = mtm_alloc_aligned((size_t)r->width * mtm_dtype_size(r->as));
    return r->stage ? MTM_OK : MTM_NOMEM(err);
}

void mtm_label_rows_close(mtm_label_rows *r)
{
    mtm_free(r->stage);
    r->stage = NULL;
}

/* Floats, in place, when they are whole. */
static mtm_status whole_numbers(void *x, int64_t first, int64_t n, mtm_error *err)
{
    for (int64_t i = 0; i < n; i++) {
        char *const p = (char *)x + i * (int64_t)sizeof(double);
        int64_t v;
        double d;

        memcpy(&d, p, sizeof d);
        if (!(d >= -0x1p53 && d <= 0x1p53) || (double)(int64_t)d != d)
            return mtm_fail(err, MTM_E_INVAL, -1, "voxel %" PRId64 " of the label map is %g, no whole number",
                            first + i, d);
        v = (int64_t)d;
        memcpy(p, &v, sizeof v);
    }
    return MTM_OK;
}

mtm_status mtm_label_rows_get(mtm_label_rows *r, int64_t row, const void **out, mtm_error *err)
{
    const int64_t first = row * r->width;
    const size_t size = mtm_dtype_size(r->as);

    if (r->width <= MTM_ROWS_BLOCK && r->as != MTM_F64) {
        *out = mtm_rows_fetch(&r->rows, first, r->width, r->as, r->stage);
        return MTM_OK;
    }
    for (int64_t at = 0; at < r->width; at += MTM_ROWS_BLOCK) {
        const int64_t n = mtm_min_i64(MTM_ROWS_BLOCK, r->width - at);
        char *const to = (char *)r->stage + at * (int64_t)size;
        const void *const x = mtm_rows_fetch(&r->rows, first + at, n, r->as, to);

        if (x != to)
            memcpy(to, x, (size_t)n * size);
    }
    *out = r->stage;
    return r->as == MTM_F64 ? whole_numbers(r->stage, first, r->width, err) : MTM_OK;
}

int mtm_label_rows_log2(const mtm_label_rows *r)
{
    return r->as == MTM_U8 ? 0 : r->as == MTM_U16 ? 1 : r->as == MTM_U32 ? 2 : 3;
}

int64_t mtm_label_rows_value(const mtm_label_rows *r, const void *x, int64_t i)
{
    switch (r->as) {
    case MTM_U8: {
        const uint8_t v = ((const uint8_t *)x)[i];
        return r->dtype == MTM_I8 ? (int8_t)v : v;
    }
    case MTM_U16: {
        const uint16_t v = ((const uint16_t *)x)[i];
        return r->dtype == MTM_I16 ? (int16_t)v : v;
    }
    case MTM_U32: {
        const uint32_t v = ((const uint32_t *)x)[i];
        return r->dtype == MTM_I32 ? (int64_t)(int32_t)v : (int64_t)v;
    }
    default: return ((const int64_t *)x)[i];
    }
}

bool mtm_label_rows_bits(const mtm_label_rows *r, int64_t value, uint64_t *bits)
{
    const int shift = 8 << mtm_label_rows_log2(r);
    uint64_t stored[1] = {0};

    *bits = shift == 64 ? (uint64_t)value : (uint64_t)value & (((uint64_t)1 << shift) - 1);
    stored[0] = *bits; /* little-endian: the element's bytes come first */
    return mtm_label_rows_value(r, stored, 0) == value && !(r->dtype == MTM_U64 && value < 0);
}
