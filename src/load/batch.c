/* load/batch.c: laying out a batch in recycled memory: fields of one shape stacked, others as lists or padded.
 * SPDX-License-Identifier: Apache-2.0 */
#include "load/batch.h"

#include "base/size.h"

typedef struct batch_block { /* the head of the block that holds all of a batch but its voxels */
    mtm_batch batch;         /* first, so that the consumer's pointer leads back here */
    mtm_buffer *memory;      /* the block itself */
    int64_t *index;
    mtm_batch_field *fields;
    mtm_array *each; /* [n_fields, n] */
    double *affines;
} batch_block;

static size_t aligned(size_t n)
{
    return (n + 63) & ~(size_t)63;
}

/* The block: head, numbers, fields, lists, affines, names. */
static mtm_status block_new(batch_block **out, mtm_sample *const *samples, int32_t n, mtm_recycler *r,
                            mtm_error *err)
{
    const size_t n_fields = (size_t)samples[0]->n_fields, count = n_fields * (size_t)n;
    const size_t index = aligned(sizeof(batch_block)), fields = index + aligned((size_t)n * 8),
                 each = fields + aligned(n_fields * sizeof(mtm_batch_field)),
                 affines = each + aligned(count * sizeof(mtm_array)),
                 names = affines + aligned(count * 16 * 8);
    size_t size = names;
    mtm_buffer *memory;
    batch_block *b;
    char *at;

    for (size_t f = 0; f < n_fields; f++)
        size += strlen(samples[0]->fields[f].item->name) + 1;
    MTM_TRY(mtm_recycler_get(&memory, r, size, err));
    at = mtm_buffer_data(memory);
    memset(at, 0, size);
    b = (batch_block *)at;
    *b = (batch_block){.memory = memory,
                       .index = (int64_t *)(at + index),
                       .fields = (mtm_batch_field *)(at + fields),
                       .each = (mtm_array *)(at + each),
                       .affines = (double *)(at + affines)};
    b->batch = (mtm_batch){
        .n = n, .n_fields = (int32_t)n_fields, .index = b->index, .fields = b->fields, .affines = b->affines};
    at += names;
    for (size_t f = 0; f < n_fields; f++) {
        const mtm_field *const item = samples[0]->fields[f].item;

        b->fields[f] = (mtm_batch_field){.name = strcpy(at, item->name), .kind = item->kind};
        at += strlen(at) + 1;
    }
    *out = b;
    return MTM_OK;
}

/* What holds all samples of a field. */
typedef struct field_shape {
    int64_t most[4]; /* largest [C, Z, Y, X] */
    mtm_dtype dtype; /* the samples' own, or one that holds all of them */
    bool one_shape;
} field_shape;

static bool fits_i32(mtm_dtype t)
{
    return mtm_dtype_size(t) < 4 || t == MTM_I32;
}

/* For samples of two dtypes in one batch: label maps stay integral. */
static mtm_dtype common_dtype(mtm_dtype a, mtm_dtype b, bool label)
{
    if (a == b)
        return a;
    if (label && mtm_dtype_is_integer(a) && mtm_dtype_is_integer(b))
        return fits_i32(a) && fits_i32(b) ? MTM_I32 : MTM_I64;
    return MTM_F32;
}

static field_shape measure(mtm_sample *const *samples, int32_t n, int32_t field)
{
    field_shape m = {.dtype = samples[0]->fields[field].spec.dtype, .one_shape = true};

    for (int32_t i = 0; i < n; i++) {
        const mtm_spec *const s = &samples[i]->fields[field].spec;
        const int64_t shape[4] = {s->channels, s->size[0], s->size[1], s->size[2]};

        for (int k = 0; k < 4; k++) {
            m.one_shape &= i == 0 || shape[k] == m.most[k];
            m.most[k] = mtm_max_i64(m.most[k], shape[k]);
        }
        m.dtype = common_dtype(m.dtype, s->dtype, s->label);
    }
    return m;
}

static mtm_status fill_with(mtm_array *dst, double value, mtm_error *err)
{
    mtm_array src = mtm_array_wrap(&value, MTM_F64, 0, NULL);

    src.ndim = dst->ndim;
    memcpy(src.shape, dst->shape, sizeof src.shape); /* strides 0: one number everywhere */
    return mtm_array_convert(dst, &src, 1, 0, NULL, err);
}

static mtm_status picture_field(batch_block *b, const mtm_batch_layout *how, mtm_sample *const *samples,
                                int32_t field, mtm_error *err)
{
    mtm_batch_field *const out = &b->fields[field];
    const int32_t n = b->batch.n;
    const field_shape m = measure(samples, n, field);
    const int64_t shape[5] = {n, m.most[0], m.most[1], m.most[2], m.most[3]};

    if (m.one_shape || how->pad) {
        MTM_TRY(mtm_array_new(&out->array, m.dtype, 5, shape, how->recycler, err));
        return m.one_shape ? MTM_OK : fill_with(&out->array, how->pad_value, err);
    }
    out->ragged = true;
    out->each = b->each + (size_t)field * (size_t)n;
    for (int32_t i = 0; i < n; i++) {
        const mtm_spec *const s = &samples[i]->fields[field].spec;
        const int64_t one[4] = {s->channels, s->size[0], s->size[1], s->size[2]};

        MTM_TRY(mtm_array_new(&b->each[(size_t)field * (size_t)n + (size_t)i], s->dtype, 4, one,
                              how->recycler, err));
    }
    return MTM_OK;
}

static mtm_array points_slot(const mtm_array *all, int32_t i)
{
    mtm_array a = *all;

    a.ndim = 2, a.owner = NULL;
    a.data = (char *)a.data + i * all->stride[0];
    a.shape[0] = all->shape[1], a.shape[1] = all->shape[2];
    a.stride[0] = all->stride[1], a.stride[1] = all->stride[2];
    return a;
}

/* As many points in each sample: one array [B, N, 3 or 2]; else a list, whatever becomes of pictures. Planning has moved them
 * already. */
static mtm_status points_field(batch_block *b, const mtm_batch_layout *how, mtm_sample *const *samples,
                               int32_t field, mtm_error *err)
{
    mtm_batch_field *const out = &b->fields[field];
    const mtm_field_plan *const first = &samples[0]->fields[field];
    const int64_t shape[3] = {b->batch.n, first->xyz.shape[0], first->point_axes};
    mtm_array *const each = b->each + (size_t)field * (size_t)b->batch.n;

    for (int32_t i = 0; i < b->batch.n; i++)
        out->ragged |= samples[i]->fields[field].xyz.shape[0] != shape[1] ||
                       samples[i]->fields[field].point_axes != first->point_axes;
    out->each = out->ragged ? each : NULL;
    if (!out->ragged)
        MTM_TRY(mtm_array_new(&out->array, MTM_F64, 3, shape, how->recycler, err));
    for (int32_t i = 0; i < b->batch.n; i++) {
        const mtm_field_plan *const f = &samples[i]->fields[field];
        const int64_t one[2] = {f->xyz.shape[0], f->point_axes};
        mtm_array slot;

        if (out->ragged)
            MTM_TRY(mtm_array_new(&each[i], MTM_F64, 2, one, how->recycler, err));
        slot = out->ragged ? each[i] : points_slot(&out->array, i);
        mtm_points_store(f, &slot);
    }
    return MTM_OK;
}

static mtm_status number_field(batch_block *b, const mtm_batch_layout *how, mtm_sample *const *samples,
                               int32_t field, mtm_error *err)
{
    mtm_batch_field *const out = &b->fields[field];
    const int64_t shape[1] = {b->batch.n};
    const bool integral = how->integral[field];

    MTM_TRY(mtm_array_new(&out->array, integral ? MTM_I64 : MTM_F64, 1, shape, how->recycler, err));
    for (int32_t i = 0; i < b->batch.n; i++) {
        const double number = samples[i]->fields[field].item->number;

        if (integral)
            ((int64_t *)out->array.data)[i] = (int64_t)number;
        else
            ((double *)out->array.data)[i] = number;
    }
    return MTM_OK;
}

mtm_status mtm_batch_new(mtm_batch **out, const mtm_batch_layout *how, mtm_sample *const *samples, int32_t n,
                         mtm_error *err)
{
    batch_block *b;
    mtm_status st = block_new(&b, samples, n, how->recycler, err);

    if (st)
        return st;
    for (int32_t f = 0; !st && f < b->batch.n_fields; f++) {
        if (samples[0]->fields[f].points)
            st = points_field(b, how, samples, f, err);
        else if (b->fields[f].kind <= MTM_FIELD_ARRAY)
            st = picture_field(b, how, samples, f, err);
        else if (b->fields[f].kind == MTM_FIELD_NUMBER)
            st = number_field(b, how, samples, f, err);
    }
    if (st) {
        mtm_batch_release(&b->batch);
        return st;
    }
    for (int32_t i = 0; i < n; i++) {
        b->index[i] = samples[i]->number;
        for (int32_t f = 0; f < b->batch.n_fields; f++)
            memcpy(b->affines + ((size_t)i * (size_t)b->batch.n_fields + (size_t)f) * 16,
                   samples[i]->fields[f].spec.affine, 16 * sizeof(double));
    }
    *out = &b->batch;
    return MTM_OK;
}

mtm_array mtm_batch_slot(const mtm_batch *b, int32_t field, int32_t i, const mtm_spec *spec)
{
    const mtm_batch_field *const f = &b->fields[field];
    mtm_array a;

    if (f->ragged) {
        a = f->each[i];
        a.owner = NULL;
        return a;
    }
    a = f->array;
    a.ndim = 4, a.owner = NULL;
    a.data = (char *)a.data + i * f->array.stride[0];
    memmove(a.stride, a.stride + 1, 4 * sizeof *a.stride);
    a.shape[0] = spec->channels; /* a padded slot's first corner */
    memcpy(&a.shape[1], spec->size, sizeof spec->size);
    return a;
}

void mtm_batch_remove(mtm_batch *batch, int32_t i)
{
    batch_block *const b = (batch_block *)batch;
    const size_t behind = (size_t)(batch->n - i - 1), n_fields = (size_t)batch->n_fields;

    memmove(b->index + i, b->index + i + 1, behind * sizeof *b->index);
    memmove(b->affines + (size_t)i * n_fields * 16, b->affines + ((size_t)i + 1) * n_fields * 16,
            behind * n_fields * 16 * sizeof *b->affines);
    for (size_t f = 0; f < n_fields; f++) {
        mtm_batch_field *const field = &b->fields[f];
        mtm_array *const each = (mtm_array *)field->each;

        if (field->ragged) {
            mtm_array_drop(&each[i]);
            memmove(each + i, each + i + 1, behind * sizeof *each);
            each[batch->n - 1] = (mtm_array){0};
        } else if (field->array.data) {
            char *const at = (char *)field->array.data + i * field->array.stride[0];

            memmove(at, at + field->array.stride[0], behind * (size_t)field->array.stride[0]);
            field->array.shape[0]--;
        }
    }
    batch->n--;
}

int64_t mtm_batch_bytes(const mtm_batch *b)
{
    int64_t sum = 0;

    for (int32_t f = 0; f < b->n_fields; f++) {
        const mtm_batch_field *const field = &b->fields[f];

        if (field->array.data)
            sum += mtm_array_count(&field->array) * (int64_t)mtm_dtype_size(field->array.dtype);
        for (int32_t i = 0; field->ragged && i < b->n; i++)
            sum += mtm_array_count(&field->each[i]) * (int64_t)mtm_dtype_size(field->each[i].dtype);
    }
    return sum;
}

void mtm_batch_release(mtm_batch *batch)
{
    batch_block *const b = (batch_block *)batch;

    if (!batch)
        return;
    for (int32_t f = 0; f < batch->n_fields; f++) {
        mtm_array_drop(&b->fields[f].array);
        for (int32_t i = 0; b->fields[f].ragged && i < batch->n; i++)
            mtm_array_drop(&b->each[(size_t)(b->fields[f].each - b->each) + (size_t)i]);
    }
    mtm_buffer_unref(b->memory);
}
