/* format/dicom/write/seg.c: label volumes as segmentation objects (PS3.3 A.51): one frame per segment and slice, of those where the
 * segment is.
 * SPDX-License-Identifier: Apache-2.0 */
#include "seg.h"

#include <math.h>

#include "base/size.h"

enum { MOST_SEGMENTS = 65535, MOST_FRACTION = 255 };

typedef struct drawing {
    const mtm_array *a; /* labels [Z, Y, X], or fractions [S, Z, Y, X] */
    const mtm_dicom_seg_options *opt;
    seg_source src;
    mtm_dicom_segment *segments; /* [n_segments] */
    int32_t n_segments;
    seg_frame *frames;
    int64_t n_frames, room;
    uint8_t *pixels; /* of the frames so far: packed bits, or bytes */
    size_t pixel_room;
    mtm_array plane; /* [Y, X], I64 labels or F64 fractions */
} drawing;

static void drawing_end(drawing *w)
{
    dcm_seg_source_drop(&w->src);
    mtm_free(w->segments);
    mtm_free(w->frames);
    mtm_free(w->pixels);
    mtm_array_drop(&w->plane);
}

/* ---- segments ----------------------------------------------------------------------------------------- */

/* One for each value but 0, ascending. */
static mtm_status segments_of_values(drawing *w, mtm_error *err)
{
    mtm_label_table *table;
    int32_t n = 0;

    MTM_TRY(mtm_label_table_new(&table, w->a, err));
    w->segments = mtm_alloc_zero((size_t)table->n_classes + 1, sizeof *w->segments);
    for (int32_t i = 0; w->segments && i < table->n_classes; i++)
        if (table->classes[i] != 0)
            w->segments[n++].value = table->classes[i];
    w->n_segments = n;
    mtm_label_table_free(table);
    return w->segments ? MTM_OK : MTM_NOMEM(err);
}

static mtm_status segments_choose(drawing *w, mtm_error *err)
{
    const int64_t n = w->opt->segments ? w->opt->n_segments : w->opt->fractional ? w->a->shape[0] : 0;

    if (w->opt->fractional && n != w->a->shape[0])
        return mtm_fail(err, MTM_E_INVAL, -1, "%" PRId64 " segments are described, the array has %" PRId64, n,
                        w->a->shape[0]);
    if (!w->opt->segments && !w->opt->fractional)
        MTM_TRY(segments_of_values(w, err));
    else {
        w->n_segments = (int32_t)mtm_clamp_i64(n, 0, MOST_SEGMENTS + 1);
        w->segments = mtm_alloc_zero((size_t)w->n_segments + 1, sizeof *w->segments);
        if (!w->segments)
            return MTM_NOMEM(err);
        for (int32_t i = 0; i < w->n_segments; i++)
            w->segments[i] = w->opt->segments ? w->opt->segments[i] : (mtm_dicom_segment){.value = i + 1};
    }
    if (w->n_segments < 1)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "the labels are all 0: a segmentation describes at least one segment");
    if (w->n_segments > MOST_SEGMENTS)
        return mtm_fail(err, MTM_E_INVAL, -1, "more than %d segments", MOST_SEGMENTS);
    return MTM_OK;
}

/* ---- frames ------------------------------------------------------------------------------------------- */

/* One more frame of zeros, and where its pixels begin: a byte, and for packed bits the bit in it. */
static mtm_status frame_add(drawing *w, int32_t segment, int64_t slice, mtm_error *err)
{
    const uint64_t count = (uint64_t)(w->src.rows * w->src.columns);
    const int64_t n = w->n_frames + 1;
    uint64_t need = count;

    if (!mtm_mul_u64(need, (uint64_t)n, &need) || n > INT32_MAX)
        return mtm_fail(err, MTM_E_LIMIT, -1, "too many frames");
    need = w->opt->fractional ? need : (need + 7) / 8;
    if (need > UINT32_MAX - 1)
        return mtm_fail(err, MTM_E_LIMIT, -1, "the segmentation's pixels are longer than 2^32 bytes");
    if (n > w->room) {
        const int64_t room = w->room ? w->room * 2 : 64;
        seg_frame *const frames = mtm_realloc(w->frames, (size_t)room * sizeof *frames);

        if (!frames)
            return MTM_NOMEM(err);
        w->frames = frames, w->room = room;
    }
    if (need > w->pixel_room) {
        const size_t room = (size_t)need * 2;
        uint8_t *const pixels = mtm_realloc(w->pixels, room);

        if (!pixels)
            return MTM_NOMEM(err);
        memset(pixels + w->pixel_room, 0, room - w->pixel_room);
        w->pixels = pixels, w->pixel_room = room;
    }
    w->frames[w->n_frames++] = (seg_frame){segment, slice};
    return MTM_OK;
}

/* Sets the last frame's pixels from the plane; returns how many are not 0. Bits run on from frame to frame, the first lowest
 * (PS3.5 8.1.1, D.3). */
static int64_t draw_labels(drawing *w, int64_t value)
{
    const int64_t count = w->src.rows * w->src.columns, *const v = w->plane.data;
    const uint64_t first = (uint64_t)count * (uint64_t)(w->n_frames - 1);
    int64_t set = 0;

    for (int64_t i = 0; i < count; i++)
        if (v[i] == value) {
            const uint64_t bit = first + (uint64_t)i;

            w->pixels[bit >> 3] |= (uint8_t)(1u << (bit & 7));
            set++;
        }
    return set;
}

static mtm_status draw_fractions(drawing *w, int64_t *set, mtm_error *err)
{
    const int64_t count = w->src.rows * w->src.columns;
    uint8_t *const to = w->pixels + count * (w->n_frames - 1);
    const double *const v = w->plane.data;

    for (int64_t i = 0; i < count; i++) {
        if (!(v[i] >= 0 && v[i] <= 1))
            return mtm_fail(err, MTM_E_INVAL, -1, "fractions lie in 0 … 1; the array has others");
        to[i] = (uint8_t)lrint(v[i] * MOST_FRACTION);
        *set += to[i] != 0;
    }
    return MTM_OK;
}

/* The values of a slice, of a segment where they are fractions. */
static mtm_status plane_load(drawing *w, int32_t segment, int64_t z, mtm_error *err)
{
    const int lead = w->opt->fractional ? 2 : 1;
    mtm_array from = *w->a;

    from.owner = NULL;
    from.data = (uint8_t *)from.data + z * from.stride[lead - 1] + (lead == 2 ? segment * from.stride[0] : 0);
    from.ndim = 2;
    for (int i = 0; i < 2; i++)
        from.shape[i] = w->a->shape[lead + i], from.stride[i] = w->a->stride[lead + i];
    return mtm_array_convert(&w->plane, &from, 1, 0, NULL, err);
}

static mtm_status draw(drawing *w, mtm_error *err)
{
    const mtm_dtype type = w->opt->fractional ? MTM_F64 : MTM_I64;

    MTM_TRY(mtm_array_new(&w->plane, type, 2, (const int64_t[]){w->src.rows, w->src.columns}, NULL, err));
    for (int32_t s = 0; s < w->n_segments; s++)
        for (int64_t z = 0; z < w->src.n; z++) {
            int64_t set = 0;

            MTM_TRY(plane_load(w, s, z, err));
            MTM_TRY(frame_add(w, s, z, err));
            if (w->opt->fractional)
                MTM_TRY(draw_fractions(w, &set, err));
            else
                set = draw_labels(w, w->segments[s].value);
            if (set == 0 && !w->opt->keep_empty)
                w->n_frames--; /* its pixels are zeros still */
        }
    if (w->n_frames == 0)
        return mtm_fail(err, MTM_E_INVAL, -1, "no segment has a voxel; keep_empty writes empty frames");
    return MTM_OK;
}

/* ---- the object --------------------------------------------------------------------------------------- */

static mtm_status shape_check(const drawing *w, mtm_error *err)
{
    const int lead = w->opt->fractional ? 1 : 0;

    if (w->a->ndim != 3 + lead)
        return mtm_fail(err, MTM_E_INVAL, -1, "labels are [Z, Y, X], fractions [S, Z, Y, X]");
    if (!w->opt->fractional && !mtm_dtype_is_integer(w->a->dtype))
        return mtm_fail(err, MTM_E_INVAL, -1, "labels are integers, not %s", mtm_dtype_name(w->a->dtype));
    if (w->a->shape[lead] != w->src.n || w->a->shape[lead + 1] != w->src.rows ||
        w->a->shape[lead + 2] != w->src.columns)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "the labels are [%" PRId64 ", %" PRId64 ", %" PRId64 "], the source is [%" PRId64
                        ", %" PRId64 ", %" PRId64 "]",
                        w->a->shape[lead], w->a->shape[lead + 1], w->a->shape[lead + 2], w->src.n,
                        w->src.rows, w->src.columns);
    return MTM_OK;
}

static mtm_status write_drawing(drawing *w, const char *path, mtm_error *err)
{
    const uint64_t count = (uint64_t)(w->src.rows * w->src.columns) * (uint64_t)w->n_frames;
    MTM_AUTO(mtm_dicom_builder) b = NULL;
    MTM_AUTO(mtm_dicom) d = NULL;

    MTM_TRY(mtm_dicom_builder_new(&b, err));
    MTM_TRY(dcm_seg_header(b, &w->src, w->segments, w->n_segments, w->frames, w->n_frames, w->opt, err));
    MTM_TRY(dcm_put_borrowed(b, DCM_PIXELS, "OB", w->pixels,
                             (size_t)(w->opt->fractional ? count : (count + 7) / 8), err));
    MTM_TRY(mtm_dicom_build(&d, b, err));
    return mtm_dicom_write(path, d, &w->opt->write, err);
}

static mtm_status seg_run(drawing *w, const char *path, mtm_error *err)
{
    MTM_TRY(dcm_seg_source_read(&w->src, w->opt->source, w->opt->n_source, err));
    MTM_TRY(shape_check(w, err));
    MTM_TRY(segments_choose(w, err));
    MTM_TRY(draw(w, err));
    return write_drawing(w, path, err);
}

mtm_status mtm_dicom_seg_write(const char *path, const mtm_array *labels, const mtm_dicom_seg_options *opt,
                               mtm_error *err)
{
    drawing w = {.a = labels, .opt = opt};
    mtm_status s;

    if (!opt || opt->struct_size != sizeof *opt)
        return mtm_fail(err, MTM_E_INVAL, -1, "mtm_dicom_seg_options is missing, or of another version");
    s = seg_run(&w, path, err);
    drawing_end(&w);
    return s;
}
