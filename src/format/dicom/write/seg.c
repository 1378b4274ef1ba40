/* format/dicom/write/seg.c: label volumes as segmentation objects (PS3.3 A.51): one frame per segment and slice, of those where the
 * segment is; as a label map (A.82) one per slice.
 * SPDX-License-Identifier: Apache-2.0 */
#include "seg.h"

#include <math.h>

#include "base/size.h"

enum { MOST_SEGMENTS = 65535, MOST_FRACTION = 255 };

typedef struct seg_value {
    int64_t value;
    int32_t segment;
} seg_value;

typedef struct drawing {
    const mtm_array *a; /* labels [Z, Y, X], or fractions [S, Z, Y, X] */
    const mtm_dicom_seg_options *opt;
    seg_source src;
    mtm_dicom_segment *segments; /* [n_segments] */
    int32_t n_segments;
    seg_frame *frames;
    int64_t n_frames, room;
    seg_value *values; /* [n_segments], ascending; of labels */
    int bits;          /* of a cell: 1, 8 or 16 */
    uint8_t *pixels;   /* packed bits, or cells */
    uint64_t pixel_bytes;
    mtm_array plane; /* [Y, X], I64 labels or F64 fractions */
} drawing;

static void drawing_end(drawing *w)
{
    dcm_seg_source_drop(&w->src);
    mtm_free(w->segments);
    mtm_free(w->frames);
    mtm_free(w->values);
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

static uint64_t pixels_of(const drawing *w)
{
    return (uint64_t)(w->src.rows * w->src.columns);
}

static mtm_status frame_add(drawing *w, int32_t segment, int64_t slice, mtm_error *err)
{
    if (w->n_frames == INT32_MAX)
        return mtm_fail(err, MTM_E_LIMIT, -1, "more than %d frames", INT32_MAX);
    if (w->n_frames == w->room) {
        const int64_t room = w->room ? w->room * 2 : 64;
        seg_frame *const frames = mtm_realloc(w->frames, (size_t)room * sizeof *frames);

        if (!frames)
            return MTM_NOMEM(err);
        w->frames = frames, w->room = room;
    }
    w->frames[w->n_frames++] = (seg_frame){segment, slice};
    return MTM_OK;
}

/* Zeros for all frames. */
static mtm_status pixels_make(drawing *w, mtm_error *err)
{
    const uint64_t bits = w->bits;
    uint64_t n;

    if (w->n_frames == 0)
        return mtm_fail(err, MTM_E_INVAL, -1, "no segment has a voxel; keep_empty writes empty frames");
    if (!mtm_mul_u64(pixels_of(w), (uint64_t)w->n_frames, &n) || !mtm_mul_u64(n, bits, &n) ||
        (w->pixel_bytes = (n + 7) / 8) > UINT32_MAX - 1)
        return mtm_fail(err, MTM_E_LIMIT, -1, "the segmentation's pixels are longer than 2^32 bytes");
    w->pixels = mtm_alloc_zero((size_t)w->pixel_bytes, 1);
    return w->pixels ? MTM_OK : MTM_NOMEM(err);
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

static mtm_status plane_new(drawing *w, mtm_dtype type, mtm_error *err)
{
    return mtm_array_new(&w->plane, type, 2, (const int64_t[]){w->src.rows, w->src.columns}, NULL, err);
}

/* ---- fractions ---------------------------------------------------------------------------------------- */

/* A plane of bytes; *set: how many are not 0. */
static mtm_status fractions_round(drawing *w, uint8_t *to, int64_t *set, mtm_error *err)
{
    const int64_t count = w->src.rows * w->src.columns;
    const double *const v = w->plane.data;

    *set = 0;
    for (int64_t i = 0; i < count; i++) {
        if (!(v[i] >= 0 && v[i] <= 1))
            return mtm_fail(err, MTM_E_INVAL, -1, "fractions lie in 0 … 1; the array has others");
        to[i] = (uint8_t)lrint(v[i] * MOST_FRACTION);
        *set += to[i] != 0;
    }
    return MTM_OK;
}

/* Twice over the array: which frames there are, then their pixels. */
static mtm_status draw_fractions(drawing *w, mtm_error *err)
{
    const size_t count = (size_t)pixels_of(w);
    MTM_AUTO_MEM uint8_t *bytes = mtm_alloc(count);
    int64_t set;

    if (!bytes)
        return MTM_NOMEM(err);
    MTM_TRY(plane_new(w, MTM_F64, err));
    for (int32_t s = 0; s < w->n_segments; s++)
        for (int64_t z = 0; z < w->src.n; z++) {
            MTM_TRY(plane_load(w, s, z, err));
            MTM_TRY(fractions_round(w, bytes, &set, err));
            if (set > 0 || w->opt->keep_empty)
                MTM_TRY(frame_add(w, s, z, err));
        }
    MTM_TRY(pixels_make(w, err));
    for (int64_t f = 0; f < w->n_frames; f++) {
        MTM_TRY(plane_load(w, w->frames[f].segment, w->frames[f].slice, err));
        MTM_TRY(fractions_round(w, w->pixels + (size_t)f * count, &set, err));
    }
    return MTM_OK;
}

/* ---- labels ------------------------------------------------------------------------------------------- */

static int by_value(const void *pa, const void *pb)
{
    const seg_value *const a = pa, *const b = pb;

    return a->value < b->value ? -1 : a->value > b->value;
}

static mtm_status values_sort(drawing *w, mtm_error *err)
{
    w->values = mtm_alloc_zero((size_t)w->n_segments, sizeof *w->values);
    if (!w->values)
        return MTM_NOMEM(err);
    for (int32_t s = 0; s < w->n_segments; s++)
        w->values[s] = (seg_value){w->segments[s].value, s};
    qsort(w->values, (size_t)w->n_segments, sizeof *w->values, by_value);
    for (int32_t i = 1; i < w->n_segments; i++)
        if (w->values[i].value == w->values[i - 1].value)
            return mtm_fail(err, MTM_E_INVAL, -1, "two segments stand for value %" PRId64,
                            w->values[i].value);
    return MTM_OK;
}

/* The segment of a value; −1: none. */
static int32_t segment_of(const drawing *w, int64_t value)
{
    int32_t lo = 0, hi = w->n_segments;

    while (lo < hi) {
        const int32_t mid = lo + (hi - lo) / 2;

        if (w->values[mid].value == value)
            return w->values[mid].segment;
        if (w->values[mid].value < value)
            lo = mid + 1;
        else
            hi = mid;
    }
    return -1;
}

/* The loaded plane's labels as segments, −1 for none, in place: neighbours are mostly alike. */
static void plane_segments(drawing *w)
{
    const int64_t count = w->src.rows * w->src.columns;
    int64_t *const v = w->plane.data, last = 0;
    int32_t segment = segment_of(w, 0);

    for (int64_t i = 0; i < count; i++) {
        if (v[i] != last)
            last = v[i], segment = segment_of(w, last);
        v[i] = segment;
    }
}

/* Which segments a slice has: at[s] becomes `mark`, and those that are new to the slice frames. */
static mtm_status frames_of_slice(drawing *w, int64_t z, int64_t *at, mtm_error *err)
{
    const int64_t count = w->src.rows * w->src.columns, *const v = w->plane.data;

    if (w->opt->keep_empty)
        return MTM_OK;
    for (int64_t i = 0; i < count; i++) {
        if (v[i] < 0 || at[v[i]] == z + 1)
            continue;
        at[v[i]] = z + 1;
        MTM_TRY(frame_add(w, (int32_t)v[i], z, err));
    }
    return MTM_OK;
}

static int by_segment(const void *pa, const void *pb)
{
    const seg_frame *const a = pa, *const b = pb;

    if (a->segment != b->segment)
        return a->segment < b->segment ? -1 : 1;
    return a->slice < b->slice ? -1 : a->slice > b->slice;
}

static mtm_status frames_find(drawing *w, int64_t *at, mtm_error *err)
{
    for (int64_t z = 0; z < w->src.n; z++) {
        MTM_TRY(plane_load(w, 0, z, err));
        plane_segments(w);
        MTM_TRY(frames_of_slice(w, z, at, err));
    }
    for (int32_t s = 0; w->opt->keep_empty && s < w->n_segments; s++)
        for (int64_t z = 0; z < w->src.n; z++)
            MTM_TRY(frame_add(w, s, z, err));
    if (w->n_frames > 0)
        qsort(w->frames, (size_t)w->n_frames, sizeof *w->frames, by_segment);
    return MTM_OK;
}

/* Bits run on from frame to frame, the first lowest (PS3.5 8.1.1, D.3). */
static void bits_set(drawing *w, const int64_t *frame_of)
{
    const int64_t count = w->src.rows * w->src.columns, *const v = w->plane.data;

    for (int64_t i = 0; i < count; i++)
        if (v[i] >= 0) {
            const uint64_t bit = (uint64_t)(frame_of[v[i]] * count + i);

            w->pixels[bit >> 3] |= (uint8_t)(1u << (bit & 7));
        }
}

/* A frame for each segment of each slice. Every voxel is looked at twice, however many segments there are: the frames by slice
 * (`next`: of the same slice) tell where a segment's bits go. */
static mtm_status draw_binary(drawing *w, mtm_error *err)
{
    MTM_AUTO_MEM int64_t *at = mtm_alloc_zero((size_t)w->n_segments, sizeof *at);
    MTM_AUTO_MEM int64_t *first = mtm_alloc((size_t)w->src.n * sizeof *first);
    MTM_AUTO_MEM int64_t *next = NULL;

    if (!at || !first)
        return MTM_NOMEM(err);
    MTM_TRY(frames_find(w, at, err));
    MTM_TRY(pixels_make(w, err));
    next = mtm_alloc((size_t)w->n_frames * sizeof *next);
    if (!next)
        return MTM_NOMEM(err);
    for (int64_t z = 0; z < w->src.n; z++)
        first[z] = -1;
    for (int64_t f = 0; f < w->n_frames; f++)
        next[f] = first[w->frames[f].slice], first[w->frames[f].slice] = f;
    for (int64_t z = 0; z < w->src.n; z++) {
        for (int64_t f = first[z]; f >= 0; f = next[f])
            at[w->frames[f].segment] = f;
        MTM_TRY(plane_load(w, 0, z, err));
        plane_segments(w);
        bits_set(w, at);
    }
    return MTM_OK;
}

/* ---- label maps (PS3.3 C.8.20.2, A.82) ---------------------------------------------------------------- */

/* A plane of segment numbers, 0 where there is none; true: some are. */
static bool numbers_put(const drawing *w, uint8_t *to)
{
    const int64_t count = w->src.rows * w->src.columns, *const v = w->plane.data;
    bool some = false;

    for (int64_t i = 0; i < count; i++) {
        const int64_t number = v[i] < 0 ? 0 : w->segments[v[i]].value;

        some = some || number != 0;
        to[i * w->bits / 8] = (uint8_t)number;
        if (w->bits == 16)
            to[i * 2 + 1] = (uint8_t)(number >> 8);
    }
    return some;
}

/* A frame per slice, whose cells are the labels themselves. */
static mtm_status draw_label_map(drawing *w, mtm_error *err)
{
    const size_t frame_bytes = (size_t)pixels_of(w) * (size_t)w->bits / 8;
    MTM_AUTO_MEM uint8_t *cells = mtm_alloc(frame_bytes);

    if (!cells)
        return MTM_NOMEM(err);
    for (int64_t z = 0; z < w->src.n; z++) {
        MTM_TRY(plane_load(w, 0, z, err));
        plane_segments(w);
        if (numbers_put(w, cells) || w->opt->keep_empty)
            MTM_TRY(frame_add(w, 0, z, err));
    }
    MTM_TRY(pixels_make(w, err));
    for (int64_t f = 0; f < w->n_frames; f++) {
        MTM_TRY(plane_load(w, 0, w->frames[f].slice, err));
        plane_segments(w);
        numbers_put(w, w->pixels + (size_t)f * frame_bytes);
    }
    return MTM_OK;
}

/* Labels become segment numbers as they are: from 1, as 0 is what no segment holds. */
static mtm_status numbers_check(drawing *w, mtm_error *err)
{
    const int64_t least = w->values[0].value, most = w->values[w->n_segments - 1].value;

    if (least < 1 || most > UINT16_MAX)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "a label map holds labels 1 to 65535; the segments stand for %" PRId64 " to %" PRId64,
                        least, most);
    w->bits = most > UINT8_MAX ? 16 : 8;
    return MTM_OK;
}

static mtm_status draw(drawing *w, mtm_error *err)
{
    w->bits = w->opt->fractional ? 8 : 1;
    if (w->opt->fractional)
        return draw_fractions(w, err);
    MTM_TRY(values_sort(w, err));
    MTM_TRY(plane_new(w, MTM_I64, err));
    if (!w->opt->label_map)
        return draw_binary(w, err);
    MTM_TRY(numbers_check(w, err));
    return draw_label_map(w, err);
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
    MTM_AUTO(mtm_dicom_builder) b = NULL;
    MTM_AUTO(mtm_dicom) d = NULL;

    MTM_TRY(mtm_dicom_builder_new(&b, err));
    MTM_TRY(
        dcm_seg_header(b, &w->src, w->segments, w->n_segments, w->frames, w->n_frames, w->bits, w->opt, err));
    MTM_TRY(
        dcm_put_borrowed(b, DCM_PIXELS, w->bits == 16 ? "OW" : "OB", w->pixels, (size_t)w->pixel_bytes, err));
    MTM_TRY(mtm_dicom_build(&d, b, err));
    return mtm_dicom_write(path, d, &w->opt->write, err);
}

static mtm_status seg_run(drawing *w, const char *path, mtm_error *err)
{
    if (w->opt->fractional && w->opt->label_map)
        return mtm_fail(err, MTM_E_INVAL, -1, "a segmentation is fractional or a label map, not both");
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
