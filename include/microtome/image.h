/* microtome/image.h: one handle for every picture, whatever its format, and the sidecar index.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MICROTOME_IMAGE_H
#define MICROTOME_IMAGE_H

#include "array.h"
#include "codec.h"
#include "objects.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- sidecar index ------------------------------------------------------------------------------------ */

/* One small SQLite file that remembers, per file: gzip access points, statistics, foreground box, class counts
 * and sampled positions, boxes of objects. Stale entries (size, mtime or header hash differ) are noticed and rebuilt; a damaged or
 * read-only index makes reads slower, never wrong. Thread-safe; survives fork by lazy reopening. */
typedef struct mtm_index mtm_index;

/* `path`: the index file, or a folder in which "microtome.index" is used. Created when absent. A damaged file is
 * set aside (renamed with the ending ".damaged") and a new one begun. */
MTM_API mtm_status mtm_index_open(mtm_index **out, const char *path, mtm_error *err);
MTM_API void mtm_index_close(mtm_index *ix);

/* Statistics of a whole image's values (after slope and inter), non-finite values left out. */
typedef struct mtm_image_stats {
    int64_t count, non_finite, nonzero;
    double min, max, mean, std;                      /* population standard deviation; 0 when count is 0 */
    double nonzero_mean, nonzero_std;                /* of the values that are not 0 */
    int64_t foreground_start[3], foreground_size[3]; /* [Z, Y, X] box of the values ≠ 0 over all channels */
} mtm_image_stats;

/* ---- images ------------------------------------------------------------------------------------------- */

typedef struct mtm_image mtm_image;

typedef struct mtm_open_options {
    uint32_t struct_size;     /* sizeof(mtm_open_options) */
    const mtm_limits *limits; /* NULL: mtm_limits_default() */
    mtm_index *index;         /* borrowed for the life of the image; NULL: none */
    mtm_pool *pool;           /* of folders and lists: headers side by side; NULL: the calling thread */
} mtm_open_options;

/* What a picture is. All pointers live as long as the image. */
typedef struct mtm_image_info {
    const char *format; /* "nifti1", "nifti2", "analyze", "npy", "nrrd", "mha", "j2c", "jp2", "jph" */
    const char *codec;  /* "none", "gzip", "j2k", "htj2k" */
    char axes[MTM_MAX_DIMS + 1]; /* "ZYX", "TZYX", "CTZYX", "ZYXC", "YX", "YXC" */
    int32_t ndim;
    int64_t shape[MTM_MAX_DIMS];
    mtm_dtype stored_dtype; /* as in the file, native byte order; what raw reads give */
    mtm_dtype dtype;        /* what reads give: MTM_F32 when a slope applies, else stored_dtype */
    double slope, inter;    /* 1, 0 when none applies */
    bool has_affine;
    double affine[16];            /* row-major 4×4: voxel centre (x, y, z) → mm, RAS+ */
    double spacing[MTM_MAX_DIMS]; /* one entry per axis: mm, s for T, 1 for C */
    int32_t n_levels;             /* resolutions; 1 for volumes */
    int64_t file_bytes;
} mtm_image_info;

/* One resolution; level 0 is the finest, and its shape the info's. */
typedef struct mtm_image_level {
    int64_t shape[MTM_MAX_DIMS];
    double downsample; /* level-0 pixels per pixel, 1 for level 0 */
} mtm_image_level;

/* `uri`: a path; of a folder, the one DICOM volume in it. Errors: MTM_E_NOTFOUND, MTM_E_DENIED, MTM_E_UNSUPPORTED (no format knows it), MTM_E_CORRUPT,
 * MTM_E_LIMIT. opt NULL: defaults. */
MTM_API mtm_status mtm_image_open(mtm_image **out, const char *uri, const mtm_open_options *opt,
                                  mtm_error *err);
/* One picture in several files, in any order: a DICOM series. Errors: as mtm_image_open, and MTM_E_INVAL (the files hold more than
 * one volume; mtm_dicom_series_open gives them all). */
MTM_API mtm_status mtm_image_open_files(mtm_image **out, const char *const *paths, int64_t n,
                                        const mtm_open_options *opt, mtm_error *err);
MTM_API void mtm_image_close(mtm_image *im);
MTM_API const mtm_image_info *mtm_image_info_get(const mtm_image *im);
/* Errors: MTM_E_INVAL (there is no such level). */
MTM_API mtm_status mtm_image_level_get(const mtm_image *im, int level, mtm_image_level *out, mtm_error *err);

/* Properties of the format ("nifti.descrip", "nifti.qform_code", …), and problems noticed on opening. */
MTM_API int64_t mtm_image_property_count(const mtm_image *im);
MTM_API void mtm_image_property_get(const mtm_image *im, int64_t i, const char **key, const char **value);
MTM_API int64_t mtm_image_problem_count(const mtm_image *im);
MTM_API const char *mtm_image_problem_get(const mtm_image *im, int64_t i);

typedef struct mtm_read_options {
    uint32_t struct_size;
    bool raw;               /* stored values, no slope and inter */
    mtm_pool *pool;         /* NULL: on the calling thread alone */
    mtm_recycler *recycler; /* for dst and temporaries; NULL: plain allocation */
    mtm_image_stats *stats; /* when not NULL and the whole image is read: filled in the same pass */
    int64_t timing_ns[3];   /* out: [0] read, [1] inflate, [2] convert; added to what is there */
} mtm_read_options;

/* Reads `box` (NULL: all; in pixels of the level) of `level`. dst->data NULL: a new C-order array of dst->dtype (MTM_NONE: the info's
 * dtype, or stored_dtype when raw) is made; else values are converted into the given view, whose shape must be
 * the box's. Any thread. Errors: MTM_E_INVAL (box), MTM_E_CORRUPT (data), MTM_E_CONFLICT (the file changed),
 * MTM_E_LIMIT. A failed read leaves the handle good. */
MTM_API mtm_status mtm_image_read(mtm_image *im, int level, const mtm_box *box, mtm_read_options *opt,
                                  mtm_array *dst, mtm_error *err);

/* Statistics of the whole image: from the index, else by one full read (and then kept in the index). */
MTM_API mtm_status mtm_image_stats_get(mtm_image *im, mtm_read_options *opt, mtm_image_stats *out,
                                       mtm_error *err);

/* ---- labels ------------------------------------------------------------------------------------------- */

/* The picture's label table: from the index, else by one full read (kept in the index). Free with mtm_label_table_free. */
MTM_API mtm_status mtm_image_labels_get(mtm_image *im, mtm_read_options *opt, mtm_label_table **out,
                                        mtm_error *err);
/* The boxes of its objects, [Z, Y, X] (of a plane with Z = 1): from the index, else by one full read (kept in the index).
 * Free with mtm_object_table_free. Errors: those of reading and of mtm_object_table_new. */
MTM_API mtm_status mtm_image_objects_get(mtm_image *im, int64_t background, mtm_read_options *opt,
                                         mtm_object_table **out, mtm_error *err);

/* ---- writing ------------------------------------------------------------------------------------------ */

typedef struct mtm_write_options {
    uint32_t struct_size;
    const char *
        format; /* NULL: by the path's ending (".nii", ".nii.gz", ".npy", ".png", ".j2c", ".jph", ".j2k", ".jp2") */
    const char *axes;     /* of the array; NULL: "ZYX" for three axes, "TZYX" for four, … */
    const double *affine; /* row-major 4×4, voxel (x, y, z) → mm RAS+; NULL: none */
    double slope, inter;  /* stored in a NIfTI header; 0, 0: none */
    int level;            /* deflate level 1…12; 0: default 6 */
    const mtm_image *
        like; /* keeps this NIfTI's description, units and extensions, a series' time step, or a codestream's precision; NULL: none */
    const mtm_encode_params *encode; /* of codestreams; NULL: lossless, as mtm_encode_params_default says */
} mtm_write_options;

/* Writes beside the destination, syncs, then renames: the old file stays until the new one is whole. Errors:
 * MTM_E_UNSUPPORTED (dtype or format), MTM_E_IO (no space), MTM_E_DENIED. */
MTM_API mtm_status mtm_image_write(const char *path, const mtm_array *a, const mtm_write_options *opt,
                                   mtm_error *err);

#ifdef __cplusplus
}
#endif
#endif
