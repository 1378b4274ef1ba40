/* image/volume.c: reading boxes of a plain or gzip-compressed array in a file. Small boxes of plain files are converted
 * straight from the mapping, large ones block by block through a buffer that stays in the cache; compressed files are
 * inflated whole, up to the box, or from the nearest access point, and converted once, into the destination.
 * SPDX-License-Identifier: Apache-2.0 */
#include "volume.h"

#include "codec/deflate.h"

#include <stdatomic.h>

enum {
    MAP_MAX_BYTES = 16
        << 20, /* boxes up to this are read through the mapping; see mtm_source_map on why not all */
    BLOCK_BYTES = 256 << 10, /* of one pread: half of a small level-2 cache */
    TRAILING_BYTES = 4096    /* room for padding behind the voxels of a compressed file */
};

/* ---- life ---------------------------------------------------------------------------------------------- */

static mtm_status volume_read(mtm_image *im, int level, const mtm_box *box, mtm_read_options *opt,
                              mtm_array *dst, mtm_image_stats *stats, mtm_error *err);

static void volume_close(mtm_image *im)
{
    mtm_volume *const v = (mtm_volume *)im;

    mtm_source_close(v->source);
    mtm_gzip_points_free(v->points);
    pthread_mutex_destroy(&v->lock);
    mtm_image_clear(im);
    mtm_free(v);
}

static mtm_status volume_look(mtm_image *im, const mtm_box *box, mtm_array *out, mtm_error *err);
static mtm_status volume_unchanged(mtm_image *im, mtm_error *err);

static const mtm_image_kind volume_kind = {
    .read = volume_read, .close = volume_close, .look = volume_look, .unchanged = volume_unchanged};

void mtm_volume_close(mtm_volume *v)
{
    if (v)
        volume_close(&v->base);
}

mtm_status mtm_volume_new(mtm_volume **out, mtm_source *source, mtm_packing packing,
                          const mtm_open_options *opt, mtm_error *err)
{
    static const char *const names[] = {"none", "gzip", "zlib"};
    mtm_volume *const bare = mtm_alloc_zero(1, sizeof *bare);

    if (!bare)
        return MTM_NOMEM(err);
    if (pthread_mutex_init(&bare->lock, NULL)) {
        mtm_free(bare);
        return MTM_NOMEM(err);
    }
    MTM_AUTO(mtm_volume) v = bare;
    v->packing = packing;
    MTM_TRY(mtm_image_init(&v->base, &volume_kind, mtm_source_path(source), opt, err));
    v->base.info.codec = names[packing];
    v->base.info.file_bytes = (int64_t)mtm_source_size(source);
    v->source = source;
    *out = mtm_volume_steal(&v);
    return MTM_OK;
}

void mtm_volume_c_order(mtm_volume *v)
{
    int64_t step = (int64_t)mtm_dtype_size(v->base.info.stored_dtype);

    for (int32_t i = v->base.info.ndim - 1; i >= 0; i--) {
        v->stride[i] = step;
        if (__builtin_mul_overflow(step, v->base.info.shape[i], &step))
            step = 0; /* mtm_volume_finish refuses the shape */
    }
}

mtm_status mtm_volume_finish(mtm_volume *v, mtm_error *err)
{
    const mtm_image_info *const info = &v->base.info;
    const uint64_t file = mtm_source_size(v->source), factor = v->base.limits.max_expansion;
    uint64_t room, end;

    MTM_TRY(mtm_extent_bytes(&v->span_bytes, info->ndim, info->shape, mtm_dtype_size(info->stored_dtype),
                             v->packing ? v->base.limits.max_bytes : INT64_MAX, "the image", err));
    if (!mtm_add_u64(v->offset_bytes, v->span_bytes, &end) || end > INT64_MAX - TRAILING_BYTES)
        return mtm_fail(err, MTM_E_CORRUPT, -1, "voxel data from byte %" PRIu64 " cannot exist",
                        v->offset_bytes);
    if (!v->packing && end > file)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)file,
                        "the file is truncated: voxel data end at byte %" PRIu64 ", the file at %" PRIu64,
                        end, file);
    if (v->packing && mtm_mul_u64(file, factor, &room) && end > room)
        return mtm_fail(err, MTM_E_LIMIT, -1,
                        "%" PRIu64 " bytes are announced, more than %" PRIu64 " times the compressed file",
                        end, factor);
    return MTM_OK;
}

/* ---- compressed bytes ---------------------------------------------------------------------------------- */

static mtm_status gzip_from_source(void *user, uint64_t offset, void *dst, size_t n, mtm_error *err)
{
    return mtm_source_read(user, offset, dst, n, err);
}

static mtm_gzip_bytes gzip_bytes(mtm_source *s)
{
    return (mtm_gzip_bytes){.size_bytes = mtm_source_size(s), .read = gzip_from_source, .user = s};
}

/* A volume's packed stream. */
static mtm_status gzip_from_volume(void *user, uint64_t offset, void *dst, size_t n, mtm_error *err)
{
    const mtm_volume *const v = user;

    return mtm_source_read(v->source, v->packed_at + offset, dst, n, err);
}

static uint64_t packed_size(const mtm_volume *v)
{
    return mtm_source_size(v->source) - v->packed_at;
}

static mtm_gzip_bytes volume_bytes(mtm_volume *v)
{
    return (mtm_gzip_bytes){.size_bytes = packed_size(v), .read = gzip_from_volume, .user = v};
}

mtm_status mtm_volume_head(mtm_source *s, bool gzip, void *dst, size_t want, size_t *got, mtm_error *err)
{
    if (gzip) {
        const mtm_gzip_bytes in = gzip_bytes(s);

        return mtm_gzip_prefix(dst, want, got, &in, err);
    }
    *got = want < mtm_source_size(s) ? want : (size_t)mtm_source_size(s);
    return mtm_source_read(s, 0, dst, *got, err);
}

/* ---- conversion ---------------------------------------------------------------------------------------- */

/* The box's voxels as an array, given where stream byte `first` lies in memory. */
static mtm_array box_view(const mtm_volume *v, const mtm_box *box, const uint8_t *bytes, uint64_t first)
{
    mtm_array a = {.ndim = box->ndim, .dtype = v->base.info.stored_dtype};
    int64_t at = (int64_t)(v->offset_bytes - first);

    for (int32_t i = 0; i < box->ndim; i++) {
        a.shape[i] = box->size[i], a.stride[i] = v->stride[i];
        at += box->start[i] * v->stride[i];
    }
    a.data = (uint8_t *)(uintptr_t)bytes + at;
    return a;
}

/* pool NULL: on this thread alone. */
static mtm_status convert(const mtm_volume *v, mtm_array *dst, const mtm_array *src,
                          const mtm_read_options *opt, mtm_pool *pool, mtm_image_stats *stats, mtm_error *err)
{
    const mtm_image_info *const info = &v->base.info;

    return mtm_image_convert(&v->base, dst, src, opt->raw ? 1 : info->slope, opt->raw ? 0 : info->inter,
                             v->big_endian, pool, stats, err);
}

/* Converts and adds the time that took. */
static mtm_status convert_timed(const mtm_volume *v, mtm_array *dst, const mtm_array *src,
                                mtm_read_options *opt, mtm_image_stats *stats, mtm_error *err)
{
    const int64_t begin = mtm_now_ns();
    const mtm_status s = convert(v, dst, src, opt, opt->pool, stats, err);

    opt->timing_ns[2] += mtm_now_ns() - begin;
    return s;
}

/* First and last stream byte of a box that is not empty: [*lo, *hi). */
static void box_range(const mtm_volume *v, const mtm_box *box, uint64_t *lo, uint64_t *hi)
{
    *lo = *hi = v->offset_bytes;
    for (int32_t i = 0; i < box->ndim; i++) {
        *lo += (uint64_t)(box->start[i] * v->stride[i]);
        *hi += (uint64_t)((box->start[i] + box->size[i] - 1) * v->stride[i]);
    }
    *hi += mtm_dtype_size(v->base.info.stored_dtype);
}

/* ---- plain files --------------------------------------------------------------------------------------- */

/* A large read, cut into blocks: `outer` axes of the file are counted through, axis `cut` is split into pieces of
 * `grain`, the axes inside it are taken whole. Axes are in the file's order, slowest first. */
typedef struct block_plan {
    const mtm_volume *v;
    const mtm_read_options *opt;
    mtm_array src, dst; /* permuted; src.data is not used */
    uint64_t first;     /* stream byte of the box's first voxel */
    int32_t cut;
    int64_t grain, pieces; /* pieces per run along `cut` */
    size_t inner_bytes;    /* span of one index of `cut` */
    atomic_bool failed;
    pthread_mutex_t lock; /* guards the two below */
    mtm_error error;
    mtm_status status;
    int64_t read_ns, convert_ns;
} block_plan;

/* Sorts the axes of both arrays by falling stride in the file (insertion: at most 8). */
static void file_order(mtm_array *src, mtm_array *dst)
{
    for (int32_t i = 1; i < src->ndim; i++)
        for (int32_t j = i; j > 0 && src->stride[j] > src->stride[j - 1]; j--) {
#define SWAP(a)                                                                                              \
    do {                                                                                                     \
        const int64_t t = (a)[j];                                                                            \
        (a)[j] = (a)[j - 1], (a)[j - 1] = t;                                                                 \
    } while (0)
            SWAP(src->shape);
            SWAP(src->stride);
            SWAP(dst->shape);
            SWAP(dst->stride);
#undef SWAP
        }
}

/* Reads and converts block b into its part of the destination. */
static mtm_status block_read(block_plan *p, int64_t b, uint8_t *buffer, int64_t ns[2], mtm_error *err)
{
    mtm_array src = p->src, dst = p->dst;
    int64_t rest = b / p->pieces, at = (b % p->pieces) * p->grain, begin = mtm_now_ns(), middle;
    uint64_t offset = p->first;
    uint8_t *to = dst.data;
    mtm_status s;

    offset += (uint64_t)(at * src.stride[p->cut]);
    to += at * dst.stride[p->cut];
    src.shape[p->cut] = dst.shape[p->cut] = mtm_min_i64(p->grain, src.shape[p->cut] - at);
    for (int32_t i = p->cut - 1; i >= 0; i--) {
        const int64_t k = rest % src.shape[i];

        rest /= src.shape[i];
        offset += (uint64_t)(k * src.stride[i]);
        to += k * dst.stride[i];
        src.shape[i] = dst.shape[i] = 1;
    }
    src.data = buffer, dst.data = to, dst.owner = NULL;
    MTM_TRY(mtm_source_read(p->v->source, offset, buffer,
                            (size_t)((src.shape[p->cut] - 1) * src.stride[p->cut]) + p->inner_bytes, err));
    middle = mtm_now_ns();
    s = convert(p->v, &dst, &src, p->opt, NULL, NULL, err);
    ns[0] += middle - begin, ns[1] += mtm_now_ns() - middle;
    return s;
}

static void blocks_read(void *arg, int64_t lo, int64_t hi)
{
    block_plan *const p = arg;
    MTM_AUTO(mtm_buffer) buffer = NULL;
    mtm_error err = {0};
    int64_t ns[2] = {0};
    const size_t bytes = (size_t)((p->grain - 1) * p->src.stride[p->cut]) + p->inner_bytes;
    mtm_status s = mtm_recycler_get(&buffer, p->opt->recycler, bytes, &err);

    for (int64_t b = lo; b < hi && s == MTM_OK && !atomic_load(&p->failed); b++)
        s = block_read(p, b, mtm_buffer_data(buffer), ns, &err);
    pthread_mutex_lock(&p->lock);
    p->read_ns += ns[0], p->convert_ns += ns[1];
    if (s != MTM_OK && p->status == MTM_OK)
        p->status = s, p->error = err;
    pthread_mutex_unlock(&p->lock);
    if (s != MTM_OK)
        atomic_store(&p->failed, true);
}

/* Chooses the cut: the outermost axis of which one index fits a block. Returns the number of blocks. */
static int64_t blocks_plan(block_plan *p)
{
    int64_t n = 1;

    file_order(&p->src, &p->dst);
    p->cut = 0;
    while (p->cut < p->src.ndim - 1 && p->src.stride[p->cut] > BLOCK_BYTES)
        n *= p->src.shape[p->cut++];
    p->grain = mtm_clamp_i64(BLOCK_BYTES / mtm_max_i64(p->src.stride[p->cut], 1), 1, p->src.shape[p->cut]);
    p->pieces = (p->src.shape[p->cut] + p->grain - 1) / p->grain;
    p->inner_bytes = mtm_dtype_size(p->src.dtype);
    for (int32_t i = p->cut + 1; i < p->src.ndim; i++)
        p->inner_bytes += (size_t)((p->src.shape[i] - 1) * p->src.stride[i]);
    return n * p->pieces;
}

static mtm_status plain_read_blocks(mtm_volume *v, const mtm_box *box, mtm_read_options *opt, mtm_array *dst,
                                    mtm_error *err)
{
    block_plan p = {.v = v, .opt = opt, .src = box_view(v, box, NULL, 0), .dst = *dst};
    const int64_t threads = opt->pool ? mtm_pool_threads(opt->pool) : 1;
    uint64_t end;
    int64_t n;
    mtm_status s;

    box_range(v, box, &p.first, &end);
    n = blocks_plan(&p);
    if (pthread_mutex_init(&p.lock, NULL))
        return MTM_NOMEM(err);
    /* A few runs per thread: enough to balance, and each run asks for its buffer once. */
    s = mtm_pool_for(opt->pool, n, mtm_max_i64(1, n / (4 * threads)), blocks_read, &p, NULL, err);
    pthread_mutex_destroy(&p.lock);
    opt->timing_ns[0] += p.read_ns, opt->timing_ns[2] += p.convert_ns;
    if (p.status != MTM_OK && err)
        *err = p.error;
    return p.status != MTM_OK ? p.status : s;
}

static mtm_status plain_read_mapped(mtm_volume *v, const mtm_box *box, mtm_read_options *opt, mtm_array *dst,
                                    mtm_image_stats *stats, mtm_error *err)
{
    const uint8_t *bytes;
    mtm_array src;

    MTM_TRY(mtm_source_check(v->source, err));
    MTM_TRY(mtm_source_map(v->source, &bytes, err));
    src = box_view(v, box, bytes, 0);
    return convert_timed(v, dst, &src, opt, stats, err);
}

/* Everything into one buffer first: for statistics, whose single pass goes over the whole image. */
static mtm_status plain_read_whole(mtm_volume *v, const mtm_box *box, mtm_read_options *opt, mtm_array *dst,
                                   mtm_image_stats *stats, mtm_error *err)
{
    const int64_t begin = mtm_now_ns();
    MTM_AUTO(mtm_buffer) buffer = NULL;
    mtm_array src;

    MTM_TRY(mtm_recycler_get(&buffer, opt->recycler, (size_t)v->span_bytes, err));
    MTM_TRY(mtm_source_read(v->source, v->offset_bytes, mtm_buffer_data(buffer), (size_t)v->span_bytes, err));
    opt->timing_ns[0] += mtm_now_ns() - begin;
    src = box_view(v, box, mtm_buffer_data(buffer), v->offset_bytes);
    return convert_timed(v, dst, &src, opt, stats, err);
}

static mtm_status plain_read(mtm_volume *v, const mtm_box *box, mtm_read_options *opt, mtm_array *dst,
                             mtm_image_stats *stats, mtm_error *err)
{
    const uint64_t bytes = (uint64_t)mtm_array_count(dst) * mtm_dtype_size(v->base.info.stored_dtype);

    if (bytes <= MAP_MAX_BYTES || mtm_source_in_memory(v->source))
        return plain_read_mapped(v, box, opt, dst, stats, err);
    return stats ? plain_read_whole(v, box, opt, dst, stats, err) : plain_read_blocks(v, box, opt, dst, err);
}

/* ---- compressed files ---------------------------------------------------------------------------------- */

/* Inflated stream bytes from `first` on, at least to the end of the box that was asked for. */
typedef struct inflated {
    mtm_buffer *buffer;
    uint64_t first;
} inflated;

static mtm_status truncated(const mtm_volume *v, uint64_t got, mtm_error *err)
{
    return mtm_fail(err, MTM_E_CORRUPT, (int64_t)mtm_source_size(v->source),
                    "the file is truncated: %" PRIu64 " of %" PRIu64 " bytes come out of it", got,
                    v->offset_bytes + v->span_bytes);
}

/* By libdeflate. Where more follows the voxels than TRAILING_BYTES, only what is wanted is inflated, by zlib. */
static mtm_status inflate_whole(mtm_volume *v, mtm_read_options *opt, inflated *out, mtm_error *err)
{
    const size_t want = (size_t)(v->offset_bytes + v->span_bytes), n = (size_t)packed_size(v);
    const int64_t begin = mtm_now_ns();
    MTM_AUTO(mtm_buffer) packed = NULL;
    int64_t middle;
    size_t got;
    mtm_status s;

    MTM_TRY(mtm_recycler_get(&out->buffer, opt->recycler, want + TRAILING_BYTES, err));
    MTM_TRY(mtm_recycler_get(&packed, opt->recycler, n, err));
    MTM_TRY(mtm_source_read(v->source, v->packed_at, mtm_buffer_data(packed), n, err));
    middle = mtm_now_ns();
    opt->timing_ns[0] += middle - begin;
    s = (v->packing == MTM_PACKING_ZLIB ? mtm_zlib_inflate : mtm_gzip_inflate)(
        mtm_buffer_data(out->buffer), want + TRAILING_BYTES, &got, mtm_buffer_data(packed), n, err);
    if (s == MTM_E_LIMIT && v->packing == MTM_PACKING_GZIP) {
        const mtm_gzip_bytes in = mtm_gzip_memory(mtm_buffer_data(packed), n);

        s = mtm_gzip_prefix(mtm_buffer_data(out->buffer), want, &got, &in, err);
    }
    opt->timing_ns[1] += mtm_now_ns() - middle;
    MTM_TRY(s);
    return got >= want ? MTM_OK : truncated(v, got, err);
}

/* Only as far as the box reaches. */
static mtm_status inflate_prefix(mtm_volume *v, uint64_t hi, mtm_read_options *opt, inflated *out,
                                 mtm_error *err)
{
    const mtm_gzip_bytes in = volume_bytes(v);
    const int64_t begin = mtm_now_ns();
    size_t got;

    MTM_TRY(mtm_recycler_get(&out->buffer, opt->recycler, (size_t)hi, err));
    MTM_TRY(mtm_gzip_prefix(mtm_buffer_data(out->buffer), (size_t)hi, &got, &in, err));
    opt->timing_ns[1] += mtm_now_ns() - begin;
    return got >= hi ? MTM_OK : truncated(v, got, err);
}

/* From the access point nearest to the box. */
static mtm_status inflate_range(mtm_volume *v, const mtm_gzip_points *points, uint64_t lo, uint64_t hi,
                                mtm_read_options *opt, inflated *out, mtm_error *err)
{
    const mtm_gzip_bytes in = volume_bytes(v);
    const int64_t begin = mtm_now_ns();

    if (mtm_gzip_points_output_bytes(points) < v->offset_bytes + v->span_bytes)
        return truncated(v, mtm_gzip_points_output_bytes(points), err);
    out->first = lo;
    MTM_TRY(mtm_recycler_get(&out->buffer, opt->recycler, (size_t)(hi - lo), err));
    MTM_TRY(mtm_gzip_read_range(mtm_buffer_data(out->buffer), points, &in, lo, hi - lo, opt->pool,
                                opt->recycler, err));
    opt->timing_ns[1] += mtm_now_ns() - begin;
    return MTM_OK;
}

/* Keeps points for this handle and in the index. Another thread may have been first: then its points stay. */
static const mtm_gzip_points *points_keep(mtm_volume *v, mtm_gzip_points *p)
{
    const mtm_gzip_points *now;

    pthread_mutex_lock(&v->lock);
    if (v->points)
        mtm_gzip_points_free(p);
    else
        v->points = p;
    now = v->points;
    pthread_mutex_unlock(&v->lock);
    return now;
}

/* Points that the handle or the index has, or NULL. */
static const mtm_gzip_points *points_find(mtm_volume *v)
{
    const mtm_gzip_points *now;
    mtm_gzip_points *p = NULL;

    pthread_mutex_lock(&v->lock);
    now = v->points;
    pthread_mutex_unlock(&v->lock);
    if (now || !mtm_index_get_points(v->base.index, &v->base.identity, &p))
        return now;
    if (mtm_gzip_points_input_bytes(p) != packed_size(v)) {
        mtm_gzip_points_free(p);
        return NULL;
    }
    return points_keep(v, p);
}

/* One pass that finds the points and keeps the bytes. */
static mtm_status inflate_indexing(mtm_volume *v, mtm_read_options *opt, inflated *out, mtm_error *err)
{
    const mtm_gzip_bytes in = volume_bytes(v);
    const size_t want = (size_t)(v->offset_bytes + v->span_bytes);
    const int64_t begin = mtm_now_ns();
    mtm_gzip_points *p = NULL;
    uint64_t got;

    MTM_TRY(mtm_recycler_get(&out->buffer, opt->recycler, want + TRAILING_BYTES, err));
    MTM_TRY(mtm_gzip_points_build(&p, mtm_buffer_data(out->buffer), want + TRAILING_BYTES, &in, 0,
                                  &v->base.limits, err));
    opt->timing_ns[1] += mtm_now_ns() - begin;
    got = mtm_gzip_points_output_bytes(p);
    mtm_index_put_points(v->base.index, &v->base.identity, p);
    points_keep(v, p);
    return got >= want ? MTM_OK : truncated(v, got, err);
}

/* Whether this handle is asked for parts again and again, so that one pass for access points pays. */
static bool asked_again(mtm_volume *v)
{
    bool again;

    pthread_mutex_lock(&v->lock);
    again = v->partial_reads++ > 0;
    pthread_mutex_unlock(&v->lock);
    return again;
}

/* libdeflate inflates about twice as fast as zlib, so a prefix pays only up to half of the stream. */
static mtm_status inflate_for(mtm_volume *v, uint64_t lo, uint64_t hi, mtm_read_options *opt, inflated *out,
                              mtm_error *err)
{
    const uint64_t all = v->offset_bytes + v->span_bytes;
    const bool most = hi - lo > all - all / 8;
    const mtm_gzip_points *points;

    if (v->packing == MTM_PACKING_ZLIB)
        return inflate_whole(v, opt, out, err);
    points = points_find(v);
    if (points)
        return most && !opt->pool ? inflate_whole(v, opt, out, err)
                                  : inflate_range(v, points, lo, hi, opt, out, err);
    if (v->base.index || (!most && asked_again(v))) {
        const mtm_status s = inflate_indexing(v, opt, out, err);

        if (s != MTM_E_LIMIT) /* LIMIT: much follows the voxels, or points cost more than they give */
            return s;
        mtm_buffer_unref(out->buffer);
        *out = (inflated){0};
    }
    return hi < all / 2 ? inflate_prefix(v, hi, opt, out, err) : inflate_whole(v, opt, out, err);
}

static mtm_status gzip_read(mtm_volume *v, const mtm_box *box, mtm_read_options *opt, mtm_array *dst,
                            mtm_image_stats *stats, mtm_error *err)
{
    inflated in = {0};
    uint64_t lo, hi;
    mtm_status s;

    box_range(v, box, &lo, &hi);
    s = inflate_for(v, lo, hi, opt, &in, err);
    if (s == MTM_OK) {
        const mtm_array src = box_view(v, box, mtm_buffer_data(in.buffer), in.first);

        s = convert_timed(v, dst, &src, opt, stats, err);
    }
    mtm_buffer_unref(in.buffer);
    return s;
}

static mtm_status volume_read(mtm_image *im, int level, const mtm_box *box, mtm_read_options *opt,
                              mtm_array *dst, mtm_image_stats *stats, mtm_error *err)
{
    mtm_volume *const v = (mtm_volume *)im;

    if (stats)
        *stats = (mtm_image_stats){0};
    if (mtm_array_count(dst) == 0)
        return MTM_OK;
    const mtm_status s = (v->packing ? gzip_read : plain_read)(v, box, opt, dst, stats, err);
    /* Bytes of two files in one look damaged: that the file changed is the reason to tell. */
    if (s == MTM_OK || s == MTM_E_CORRUPT)
        MTM_TRY(mtm_source_check(v->source, err));
    return s;
}

/* Reads give other numbers than the file holds. */
static bool must_convert(const mtm_volume *v)
{
    const mtm_image_info *const info = &v->base.info;

    return v->packing || v->big_endian || info->slope != 1 || info->inter != 0 ||
           info->dtype != info->stored_dtype || info->dtype == MTM_BOOL;
}

static mtm_status volume_look(mtm_image *im, const mtm_box *box, mtm_array *out, mtm_error *err)
{
    mtm_volume *const v = (mtm_volume *)im;
    uint64_t bytes = mtm_dtype_size(v->base.info.stored_dtype);
    const uint8_t *all;

    *out = (mtm_array){0};
    for (int32_t i = 0; i < box->ndim; i++)
        if (box->size[i] < 1 || !mtm_mul_u64(bytes, (uint64_t)box->size[i], &bytes) || bytes > MAP_MAX_BYTES)
            return MTM_OK;
    if (must_convert(v))
        return MTM_OK;
    MTM_TRY(mtm_source_check(v->source, err));
    MTM_TRY(mtm_source_map(v->source, &all, err));
    *out = box_view(v, box, all, 0);
    if ((uintptr_t)out->data % mtm_dtype_size(out->dtype)) /* numbers may begin at any byte of a file */
        out->data = NULL;
    return MTM_OK;
}

static mtm_status volume_unchanged(mtm_image *im, mtm_error *err)
{
    return mtm_source_check(((const mtm_volume *)im)->source, err);
}
