/* format/format.h: a format is a const table of two functions. The tables are joined in wire.c; open.c asks them in turn.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_FORMAT_FORMAT_H
#define MTM_FORMAT_FORMAT_H

#include "image/volume.h"

enum { MTM_HEAD_BYTES = 1024 };

/* What a format decides on: the first bytes, inflated where the file is gzip. Names decide nothing, but for pairs of
 * files, whose data file has no mark of its own. */
typedef struct mtm_probe {
    const char *path;
    mtm_source *source; /* taken by the open that succeeds: it sets this to NULL */
    bool gzip;
    uint8_t head[MTM_HEAD_BYTES]; /* zeros beyond head_bytes */
    size_t head_bytes;
    const mtm_open_options *options; /* or NULL */
    mtm_limits limits;
} mtm_probe;

typedef struct mtm_format {
    const char *name;
    bool (*detect)(const mtm_probe *p);
    mtm_status (*open)(mtm_image **out, mtm_probe *p, mtm_error *err);
    /* Folders, and pictures in several files; NULL: the format has none. */
    mtm_status (*open_files)(mtm_image **out, const char *const *paths, int64_t n,
                             const mtm_open_options *opt, mtm_error *err);
} mtm_format;

extern const mtm_format mtm_format_dicom, mtm_format_j2k, mtm_format_mha, mtm_format_nifti, mtm_format_npy,
    mtm_format_nrrd, mtm_format_png, mtm_format_pnm;

/* NULL-terminated, in the order in which they are asked; defined in wire.c. */
const mtm_format *const *mtm_format_table(void);

/* As mtm_image_open, over a source, which is taken in any case. For fuzzing and tests, from memory too. */
mtm_status mtm_image_open_source(mtm_image **out, mtm_source *source, const mtm_open_options *opt,
                                 mtm_error *err);

/* Another file of the same image in the same folder, opened and probed. Errors: as mtm_source_open. */
mtm_status mtm_probe_open(mtm_probe *out, const char *path, const mtm_open_options *opt, mtm_error *err);

/* [0, want) of the probed file, at most lim.max_header_bytes, in new memory (mtm_free). Errors: MTM_E_LIMIT,
 * MTM_E_CORRUPT (it ends before). */
mtm_status mtm_probe_header(uint8_t **out, const mtm_probe *p, uint64_t want, mtm_error *err);

#endif
