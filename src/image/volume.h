/* image/volume.h: an image whose voxels lie in one file as an array of numbers with constant strides, plain or
 * packed. NIfTI, Analyze, .npy, NRRD and MetaImage only parse a header and fill in where and how.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_IMAGE_VOLUME_H
#define MTM_IMAGE_VOLUME_H

#include <pthread.h>

#include "image.h"
#include "io/source.h"

/* How the voxels are packed. GZIP may be true, so that a yes-or-no answer fits. */
typedef enum mtm_packing {
    MTM_PACKING_NONE = 0,
    MTM_PACKING_GZIP = 1, /* RFC 1952, with random access */
    MTM_PACKING_ZLIB = 2  /* RFC 1950, MetaImage's; always inflated whole */
} mtm_packing;

typedef struct mtm_volume {
    mtm_image base;
    mtm_source *source;
    mtm_packing packing;
    uint64_t packed_at;    /* byte of the source where the packed stream begins; it ends with the source */
    bool big_endian;       /* byte order of the voxels in the file */
    uint64_t offset_bytes; /* of voxel [0, 0, …], in the inflated stream */
    int64_t stride[MTM_MAX_DIMS]; /* bytes in the file, per axis of base.info.shape; none negative */
    uint64_t span_bytes;          /* from voxel [0, 0, …] to the end of the last; set by mtm_volume_finish */
    pthread_mutex_t lock;    /* guards the two below; no other lock is taken under it but the index's own */
    mtm_gzip_points *points; /* NULL: none known yet; constant once set */
    int64_t partial_reads;   /* of boxes without points; the second one builds points */
} mtm_volume;

/* A volume over `source`, which it takes on success only. The caller fills base.info (format, axes, shape, dtypes, slope,
 * geometry), big_endian, offset_bytes and stride, then calls mtm_volume_finish. */
mtm_status mtm_volume_new(mtm_volume **out, mtm_source *source, mtm_packing packing,
                          const mtm_open_options *opt, mtm_error *err);

/* Strides of a C-order array in the file, by info.shape and info.stored_dtype. */
void mtm_volume_c_order(mtm_volume *v);

/* Checks the extents against 64 bits, the limits and the file's size, before anything is allocated.
 * Errors: MTM_E_CORRUPT (the file is too short), MTM_E_LIMIT. */
mtm_status mtm_volume_finish(mtm_volume *v, mtm_error *err);

void mtm_volume_close(mtm_volume *v);
MTM_DEFINE_AUTO(mtm_volume, mtm_volume_close)

/* Bytes [0, want) of a source, inflated where it is gzip; *got < want only at the end of the stream. */
mtm_status mtm_volume_head(mtm_source *s, bool gzip, void *dst, size_t want, size_t *got, mtm_error *err);

#endif
