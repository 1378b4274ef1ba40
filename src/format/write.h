/* format/write.h: the formats that are written, each a function into a writer; write.c chooses.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_FORMAT_WRITE_H
#define MTM_FORMAT_WRITE_H

#include "image/image.h"
#include "io/write.h"

/* What is written: a->ndim axes named by `axes`. */
typedef struct mtm_picture {
    const mtm_array *a;
    const char *axes;
    const mtm_write_options *options; /* never NULL */
    bool gzip;
} mtm_picture;

typedef mtm_status (*mtm_write_fn)(mtm_writer *w, const mtm_picture *p, mtm_error *err);

mtm_status mtm_nifti_write(mtm_writer *w, const mtm_picture *p, mtm_error *err);
mtm_status mtm_npy_write(mtm_writer *w, const mtm_picture *p, mtm_error *err);
mtm_status mtm_png_write(mtm_writer *w, const mtm_picture *p, mtm_error *err);
mtm_status mtm_pnm_write(mtm_writer *w, const mtm_picture *p, mtm_error *err);
mtm_status mtm_pgx_write(mtm_writer *w, const mtm_picture *p, mtm_error *err);
mtm_status mtm_raw_write(mtm_writer *w, const mtm_picture *p,
                         mtm_error *err); /* little-endian samples, no header */
/* HTJ2K as a codestream and in JPH; JPEG 2000 Part 1 as a codestream and in JP2. */
mtm_status mtm_j2c_write(mtm_writer *w, const mtm_picture *p, mtm_error *err);
mtm_status mtm_jph_write(mtm_writer *w, const mtm_picture *p, mtm_error *err);
mtm_status mtm_j2k_write(mtm_writer *w, const mtm_picture *p, mtm_error *err);
mtm_status mtm_jp2_write(mtm_writer *w, const mtm_picture *p, mtm_error *err);

/* The values of `a` as `t` in C order: a's own memory where that is so already, else a new array. `lead_bytes` more are
 * reserved in front of new memory; with lead_bytes the result is always new. mtm_array_drop it. */
mtm_status mtm_c_order(mtm_array *out, const mtm_array *a, mtm_dtype t, size_t lead_bytes, mtm_error *err);

#endif
