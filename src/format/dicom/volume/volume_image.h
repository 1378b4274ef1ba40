/* format/dicom/volume/volume_image.h: the image kind of DICOM volumes from inside: image.c makes it, read.c reads it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_DICOM_VOLUME_IMAGE_H
#define MTM_DICOM_VOLUME_IMAGE_H

#include <pthread.h>

#include "volume.h"

/* Where one [Y, X] or [Y, X, C] plane comes from. */
typedef struct dcm_plane {
    int32_t file;
    int64_t frame;
    double slope, inter;
    int64_t y, x; /* its first pixel in the frame: of mosaics not 0 */
} dcm_plane;

typedef struct dcm_open_file {
    mtm_dicom *d;
    dcm_decoder *decoder;
} dcm_open_file;

typedef struct dcm_image {
    mtm_image base;
    dcm_file *files; /* [n_files], only those that the image needs */
    int32_t n_files;
    dcm_plane *planes; /* [n_planes], in the order of the axes before Y */
    int64_t n_planes;
    int32_t outer;  /* axes before Y */
    bool own_scale; /* slope and inter differ between planes */
    mtm_codec_ctx *codec;
    pthread_mutex_t lock;
    dcm_open_file *open; /* [n_files], filled when first needed; guarded by lock */
    int32_t n_open;      /* of them kept */
} dcm_image;

/* The kind's read. */
mtm_status dcm_image_read(mtm_image *im, int level, const mtm_box *box, mtm_read_options *opt, mtm_array *dst,
                          mtm_image_stats *stats, mtm_error *err);
/* Properties and problems: from the data set of the first plane. */
mtm_status dcm_image_describe(dcm_image *im, const mtm_dicom *d, const dcm_set *set, const dcm_stack *stack,
                              mtm_error *err);

#endif
