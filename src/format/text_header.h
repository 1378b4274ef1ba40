/* format/text_header.h: the line-by-line headers of NRRD and MetaImage, and where their voxels are.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_FORMAT_TEXT_HEADER_H
#define MTM_FORMAT_TEXT_HEADER_H

#include "format.h"

/* One "key: value" or "key = value" line, blanks around both cut off; cut ends value with a zero. */
typedef struct mtm_line {
    char *key, *value;
    int64_t at; /* byte of the line in the file */
} mtm_line;

/* A header's text, read line by line. */
typedef struct mtm_lines {
    char *text; /* owned; changed while lines are cut */
    size_t n, at;
} mtm_lines;

/* The beginning of the probed file, up to 1 MiB. Errors: MTM_E_UNSUPPORTED (the file is gzip as a whole). */
mtm_status mtm_lines_open(mtm_lines *l, const mtm_probe *p, mtm_error *err);
void mtm_lines_close(mtm_lines *l);
/* The next line, ended by a line feed; false: none is left. `separators`: what may stand between key and value; a line
 * without one has value NULL. */
bool mtm_lines_next(mtm_lines *l, const char *separators, mtm_line *out);

/* Exactly n numbers. Errors: MTM_E_CORRUPT with the line's key and place. */
mtm_status mtm_line_integers(const mtm_line *line, int64_t *out, int n, mtm_error *err);
mtm_status mtm_line_reals(const mtm_line *line, double *out, int n, mtm_error *err);

/* The file `name` beside p's file. Only plain names: no folder, no "..". Errors: MTM_E_UNSUPPORTED, as mtm_source_open. */
mtm_status mtm_source_beside(mtm_source **out, const mtm_probe *p, const char *name, int64_t at,
                             mtm_error *err);

/* What a text header says of a picture; the file's axes, fastest first. */
typedef struct mtm_text_picture {
    const char *format;
    int ndim;
    int64_t size[MTM_MAX_DIMS];
    char letter[MTM_MAX_DIMS]; /* X, Y, Z, T, C */
    mtm_dtype dtype;
    bool big_endian, has_affine;
    mtm_packing packing;
    double affine[16]; /* RAS */
    double spacing[MTM_MAX_DIMS];
    int64_t data_at;  /* byte in the data file; −1: the voxels are its last bytes */
    int64_t sizes_at; /* line of the sizes, for errors */
} mtm_text_picture;

/* The image over `data` (taken on success, and then *data is NULL). */
mtm_status mtm_text_image(mtm_image **out, mtm_source **data, const mtm_text_picture *t, const mtm_probe *p,
                          mtm_error *err);

#endif
