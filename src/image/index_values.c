/* image/index_values.c: what the sidecar index keeps, to and from bytes (little-endian). Rows are checksummed, but the
 * database may come from anywhere, so everything is checked again when read.
 * SPDX-License-Identifier: Apache-2.0 */
#include "index.h"

#include <stdio.h>

#include "base/reader.h"

/* Versions of the layouts below; a row of another version is made again. */
enum {
    POINTS_VERSION = 1,
    STATS_VERSION = 1,
    PERCENTILES_VERSION = 1,
    LABELS_VERSION = 1,
    OBJECTS_VERSION = 1
};
enum { CLASSES_MOST = 4096, VARINT_BYTES = 10 };

/* ---- bytes --------------------------------------------------------------------------------------------- */

static uint8_t *put_f64(uint8_t *p, double x)
{
    memcpy(p, &x, sizeof x);
    return p + sizeof x;
}

static uint8_t *put_i64(uint8_t *p, int64_t x)
{
    memcpy(p, &x, sizeof x);
    return p + sizeof x;
}

static uint8_t *put_u32(uint8_t *p, uint32_t x)
{
    memcpy(p, &x, sizeof x);
    return p + sizeof x;
}

/* Seven bits a byte, least significant first; the top bit says that more follow. */
static uint8_t *put_varint(uint8_t *p, uint64_t x)
{
    for (; x >= 0x80; x >>= 7)
        *p++ = (uint8_t)(x | 0x80);
    *p++ = (uint8_t)x;
    return p;
}

static mtm_status read_varint(mtm_reader *r, uint64_t *out, mtm_error *err)
{
    uint64_t x = 0;
    uint8_t byte = 0;

    for (int shift = 0; shift < 64; shift += 7) {
        MTM_TRY(mtm_read_u8(r, &byte, err));
        x |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *out = x;
            return MTM_OK;
        }
    }
    return mtm_fail(err, MTM_E_CORRUPT, mtm_reader_offset(r), "a number has too many bytes");
}

/* A difference to the number before, small in either direction. */
static uint8_t *put_step(uint8_t *p, int64_t x, int64_t before)
{
    const uint64_t d = (uint64_t)x - (uint64_t)before;

    return put_varint(p, (d << 1) ^ (0 - (d >> 63)));
}

static mtm_status read_step(mtm_reader *r, int64_t *out, int64_t before, mtm_error *err)
{
    uint64_t z;

    MTM_TRY(read_varint(r, &z, err));
    *out = (int64_t)((uint64_t)before + ((z >> 1) ^ (0 - (z & 1))));
    return MTM_OK;
}

/* ---- access points ------------------------------------------------------------------------------------- */

bool mtm_index_get_points(mtm_index *ix, const mtm_identity *id, mtm_gzip_points **out)
{
    MTM_AUTO_MEM uint8_t *blob = NULL;
    MTM_AUTO(mtm_gzip_points) p = NULL;
    size_t n;

    if (!mtm_index_get(ix, id, "gzip", POINTS_VERSION, &blob, &n) ||
        mtm_gzip_points_unpack(&p, blob, n, NULL, NULL) != MTM_OK ||
        mtm_gzip_points_input_bytes(p) != (uint64_t)id->size_bytes)
        return false;
    *out = mtm_gzip_points_steal(&p);
    return true;
}

bool mtm_index_put_points(mtm_index *ix, const mtm_identity *id, const mtm_gzip_points *p)
{
    MTM_AUTO_MEM uint8_t *blob = NULL;
    size_t n;

    return ix && mtm_gzip_points_pack(p, &blob, &n, NULL) == MTM_OK &&
           mtm_index_put(ix, id, "gzip", POINTS_VERSION, blob, n);
}

/* ---- statistics ---------------------------------------------------------------------------------------- */

enum { STATS_BYTES = 15 * 8 };

static mtm_status read_stats(mtm_reader *r, mtm_image_stats *s, mtm_error *err)
{
    int64_t *const counts[] = {&s->count, &s->non_finite, &s->nonzero};
    double *const values[] = {&s->min, &s->max, &s->mean, &s->std, &s->nonzero_mean, &s->nonzero_std};

    for (int i = 0; i < 3; i++)
        MTM_TRY(mtm_read_i64(r, counts[i], err));
    for (int i = 0; i < 6; i++)
        MTM_TRY(mtm_read_f64(r, values[i], err));
    for (int i = 0; i < 3; i++)
        MTM_TRY(mtm_read_i64(r, &s->foreground_start[i], err));
    for (int i = 0; i < 3; i++)
        MTM_TRY(mtm_read_i64(r, &s->foreground_size[i], err));
    for (int i = 0; i < 3; i++)
        if (*counts[i] < 0 || s->foreground_start[i] < 0 || s->foreground_size[i] < 0)
            return mtm_fail(err, MTM_E_CORRUPT, 0, "statistics with negative counts");
    return MTM_OK;
}

bool mtm_index_get_stats(mtm_index *ix, const mtm_identity *id, mtm_image_stats *out)
{
    MTM_AUTO_MEM uint8_t *blob = NULL;
    mtm_image_stats s;
    mtm_reader r;
    size_t n;

    if (!mtm_index_get(ix, id, "stats", STATS_VERSION, &blob, &n) || n != STATS_BYTES)
        return false;
    r = mtm_reader_over(blob, n, 0);
    if (read_stats(&r, &s, NULL) != MTM_OK)
        return false;
    *out = s;
    return true;
}

bool mtm_index_put_stats(mtm_index *ix, const mtm_identity *id, const mtm_image_stats *s)
{
    const int64_t counts[] = {s->count, s->non_finite, s->nonzero};
    const double values[] = {s->min, s->max, s->mean, s->std, s->nonzero_mean, s->nonzero_std};
    uint8_t blob[STATS_BYTES], *p = blob;

    for (int i = 0; i < 3; i++)
        p = put_i64(p, counts[i]);
    for (int i = 0; i < 6; i++)
        p = put_f64(p, values[i]);
    for (int i = 0; i < 3; i++)
        p = put_i64(p, s->foreground_start[i]);
    for (int i = 0; i < 3; i++)
        p = put_i64(p, s->foreground_size[i]);
    return mtm_index_put(ix, id, "stats", STATS_VERSION, blob, sizeof blob);
}

/* ---- percentiles --------------------------------------------------------------------------------------- */

/* Two f64. The percents are part of the kind, in hexadecimal, so that equal means the same bits. */
static void percentiles_kind(char kind[64], const double q[2])
{
    snprintf(kind, 64, "percentiles %a %a", q[0], q[1]);
}

bool mtm_index_get_percentiles(mtm_index *ix, const mtm_identity *id, const double q[2], double out[2])
{
    MTM_AUTO_MEM uint8_t *blob = NULL;
    char kind[64];
    double v[2];
    mtm_reader r;
    size_t n;

    percentiles_kind(kind, q);
    if (!mtm_index_get(ix, id, kind, PERCENTILES_VERSION, &blob, &n) || n != sizeof v)
        return false;
    r = mtm_reader_over(blob, n, 0);
    if (mtm_read_f64(&r, &v[0], NULL) || mtm_read_f64(&r, &v[1], NULL) || !(v[0] <= v[1] || q[0] > q[1]))
        return false;
    out[0] = v[0], out[1] = v[1];
    return true;
}

bool mtm_index_put_percentiles(mtm_index *ix, const mtm_identity *id, const double q[2], const double v[2])
{
    uint8_t blob[16];
    char kind[64];

    percentiles_kind(kind, q);
    put_f64(put_f64(blob, v[0]), v[1]);
    return mtm_index_put(ix, id, kind, PERCENTILES_VERSION, blob, sizeof blob);
}

/* ---- label tables -------------------------------------------------------------------------------------- */

/* The table and its four arrays in one block. */
static mtm_label_table *table_new(size_t classes, size_t positions, int64_t *array[4])
{
    mtm_label_table *const t = mtm_alloc(sizeof *t + (3 * classes + 1 + positions) * sizeof(int64_t));

    if (!t)
        return NULL;
    array[0] = (int64_t *)(t + 1);
    array[1] = array[0] + classes;
    array[2] = array[1] + classes;
    array[3] = array[2] + classes + 1;
    *t = (mtm_label_table){.n_classes = (int32_t)classes,
                           .classes = array[0],
                           .counts = array[1],
                           .offset = array[2],
                           .at = array[3]};
    return t;
}

/* One class: value, voxels, how many positions; then the positions. total: voxels of the classes so far. */
static mtm_status read_class(mtm_reader *r, int64_t *array[4], size_t i, uint64_t positions, uint64_t *total,
                             mtm_error *err)
{
    uint64_t count, n;

    MTM_TRY(read_step(r, &array[0][i], i ? array[0][i - 1] : 0, err));
    MTM_TRY(read_varint(r, &count, err));
    MTM_TRY(read_varint(r, &n, err));
    if ((i && array[0][i] <= array[0][i - 1]) || count > INT64_MAX - *total || n > count ||
        n > positions - (uint64_t)array[2][i])
        return mtm_fail(err, MTM_E_CORRUPT, mtm_reader_offset(r), "class %zu of a label table is damaged", i);
    array[1][i] = (int64_t)count;
    array[2][i + 1] = array[2][i] + (int64_t)n;
    *total += count;
    for (int64_t k = array[2][i]; k < array[2][i + 1]; k++)
        MTM_TRY(read_step(r, &array[3][k], k > array[2][i] ? array[3][k - 1] : 0, err));
    return MTM_OK;
}

static mtm_status read_labels(mtm_reader *r, mtm_label_table **out, mtm_error *err)
{
    MTM_AUTO_MEM mtm_label_table *t = NULL;
    uint64_t positions, total = 0;
    uint32_t classes;
    int64_t *array[4];

    MTM_TRY(mtm_read_u32(r, &classes, err));
    MTM_TRY(mtm_read_u64(r, &positions, err));
    if (classes > CLASSES_MOST || positions > mtm_reader_left(r)) /* a position has a byte at least */
        return mtm_fail(err, MTM_E_CORRUPT, 0, "a label table of %u classes and %" PRIu64 " positions",
                        classes, positions);
    t = table_new(classes, (size_t)positions, array);
    if (!t)
        return MTM_NOMEM(err);
    array[2][0] = 0;
    for (uint32_t i = 0; i < classes; i++)
        MTM_TRY(read_class(r, array, i, positions, &total, err));
    if ((uint64_t)array[2][classes] != positions || mtm_reader_left(r))
        return mtm_fail(err, MTM_E_CORRUPT, mtm_reader_offset(r), "a label table is longer than it says");
    for (uint64_t k = 0; k < positions; k++)
        if (array[3][k] < 0 || (uint64_t)array[3][k] >= total) /* every voxel belongs to a class */
            return mtm_fail(err, MTM_E_CORRUPT, 0, "a position outside the label map");
    *out = t;
    t = NULL;
    return MTM_OK;
}

bool mtm_index_get_labels(mtm_index *ix, const mtm_identity *id, mtm_label_table **out)
{
    MTM_AUTO_MEM uint8_t *blob = NULL;
    mtm_reader r;
    size_t n;

    if (!mtm_index_get(ix, id, "labels", LABELS_VERSION, &blob, &n))
        return false;
    r = mtm_reader_over(blob, n, 0);
    return read_labels(&r, out, NULL) == MTM_OK;
}

/* u32 classes, u64 positions; per class its value as a step from the last, voxels, positions, and these as steps. */
bool mtm_index_put_labels(mtm_index *ix, const mtm_identity *id, const mtm_label_table *t)
{
    const size_t positions = (size_t)t->offset[t->n_classes];
    MTM_AUTO_MEM uint8_t *blob = mtm_alloc(12 + (3 * (size_t)t->n_classes + positions) * VARINT_BYTES);
    uint8_t *p = blob;

    if (!p)
        return false;
    p = put_u32(p, (uint32_t)t->n_classes);
    p = put_i64(p, (int64_t)positions);
    for (int32_t i = 0; i < t->n_classes; i++) {
        p = put_step(p, t->classes[i], i ? t->classes[i - 1] : 0);
        p = put_varint(p, (uint64_t)t->counts[i]);
        p = put_varint(p, (uint64_t)(t->offset[i + 1] - t->offset[i]));
        for (int64_t k = t->offset[i]; k < t->offset[i + 1]; k++)
            p = put_step(p, t->at[k], k > t->offset[i] ? t->at[k - 1] : 0);
    }
    return mtm_index_put(ix, id, "labels", LABELS_VERSION, blob, (size_t)(p - blob));
}

/* ---- objects ------------------------------------------------------------------------------------------- */

static void objects_kind(char kind[64], int64_t background)
{
    snprintf(kind, 64, "objects %" PRId64, background);
}

/* One object: value and number as steps from the last, then start and size of its box. */
static mtm_status read_object(mtm_reader *r, int64_t *array[4], size_t i, uint64_t n, const int64_t shape[3],
                              mtm_error *err)
{
    uint64_t start, size;

    for (int k = 0; k < 2; k++)
        MTM_TRY(read_step(r, &array[k][i], i ? array[k][i - 1] : 0, err));
    if ((i && array[0][i] < array[0][i - 1]) ||
        (i && array[0][i] == array[0][i - 1] && array[1][i] <= array[1][i - 1]) || array[1][i] < 0 ||
        (uint64_t)array[1][i] >= n)
        return mtm_fail(err, MTM_E_CORRUPT, mtm_reader_offset(r), "object %zu is out of order", i);
    for (size_t a = 0; a < 3; a++) {
        MTM_TRY(read_varint(r, &start, err));
        MTM_TRY(read_varint(r, &size, err));
        if (size < 1 || start >= (uint64_t)shape[a] || size > (uint64_t)shape[a] - start)
            return mtm_fail(err, MTM_E_CORRUPT, mtm_reader_offset(r), "object %zu leaves the label map", i);
        array[2][3 * i + a] = (int64_t)start, array[3][3 * i + a] = (int64_t)size;
    }
    return MTM_OK;
}

static mtm_status read_objects(mtm_reader *r, const int64_t shape[3], mtm_object_table **out, mtm_error *err)
{
    MTM_AUTO(mtm_object_table) t = NULL;
    int64_t *array[4];
    uint64_t n;

    MTM_TRY(mtm_read_u64(r, &n, err));
    if (n > mtm_reader_left(r) / 8) /* an object has eight bytes at least */
        return mtm_fail(err, MTM_E_CORRUPT, 0, "a table of %" PRIu64 " objects", n);
    t = mtm_object_table_make((int64_t)n, 3, &array[0], &array[1], &array[2], &array[3]);
    if (!t)
        return MTM_NOMEM(err);
    for (size_t i = 0; i < n; i++)
        MTM_TRY(read_object(r, array, i, n, shape, err));
    if (mtm_reader_left(r))
        return mtm_fail(err, MTM_E_CORRUPT, mtm_reader_offset(r), "an object table is longer than it says");
    *out = mtm_object_table_steal(&t);
    return MTM_OK;
}

bool mtm_index_get_objects(mtm_index *ix, const mtm_identity *id, int64_t background, const int64_t shape[3],
                           mtm_object_table **out)
{
    MTM_AUTO_MEM uint8_t *blob = NULL;
    char kind[64];
    mtm_reader r;
    size_t n;

    objects_kind(kind, background);
    if (!mtm_index_get(ix, id, kind, OBJECTS_VERSION, &blob, &n))
        return false;
    r = mtm_reader_over(blob, n, 0);
    return read_objects(&r, shape, out, NULL) == MTM_OK;
}

/* u64 objects; each its class and its number as steps from the last, then start and size along z, y and x. */
bool mtm_index_put_objects(mtm_index *ix, const mtm_identity *id, int64_t background,
                           const mtm_object_table *t)
{
    MTM_AUTO_MEM uint8_t *blob = NULL;
    char kind[64];
    uint8_t *p;

    if (!ix || t->ndim != 3)
        return false;
    blob = mtm_alloc(8 + (size_t)t->n * 8 * VARINT_BYTES);
    if (!blob)
        return false;
    p = put_i64(blob, t->n);
    for (int64_t i = 0; i < t->n; i++) {
        p = put_step(p, t->class_of[i], i ? t->class_of[i - 1] : 0);
        p = put_step(p, t->number[i], i ? t->number[i - 1] : 0);
        for (int64_t a = 3 * i; a < 3 * i + 3; a++) {
            p = put_varint(p, (uint64_t)t->start[a]);
            p = put_varint(p, (uint64_t)t->size[a]);
        }
    }
    objects_kind(kind, background);
    return mtm_index_put(ix, id, kind, OBJECTS_VERSION, blob, (size_t)(p - blob));
}
