/* format/dicom/volume/volume.h: from files to volumes. Facts of every instance (instance.c) and of every frame in it (slice.c,
 * functional_groups.c, multiframe.c) → the frames of one series → stacks, which are regular grids (sort.c, axis.c, grid.c) → an
 * image each (image.c). Only facts are kept of a file, not its data set.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_DICOM_VOLUME_H
#define MTM_DICOM_VOLUME_H

#include "base/text.h"
#include "format/dicom/pixel/pixel.h"
#include "image/image.h"

/* ---- what may vary between images of one place (vary.c) ----------------------------------------------- */

typedef enum dcm_vary {
    DCM_VARY_TEMPORAL,
    DCM_VARY_TRIGGER,
    DCM_VARY_FRAME_REFERENCE,
    DCM_VARY_B_VALUE, /* with the three that follow one attribute */
    DCM_VARY_GRADIENT_X,
    DCM_VARY_GRADIENT_Y,
    DCM_VARY_GRADIENT_Z,
    DCM_VARY_ECHO_TIME,
    DCM_VARY_ECHO_NUMBER,
    DCM_VARY_INVERSION_TIME,
    DCM_VARY_FLIP_ANGLE,
    DCM_VARY_REPETITION_TIME,
    DCM_VARY_KVP,
    DCM_VARY_ENERGY_WINDOW,
    DCM_VARY_DETECTOR,
    DCM_VARY_PHASE,
    DCM_VARY_ROTATION,
    DCM_VARY_RR_INTERVAL,
    DCM_VARY_TIME_SLOT,
    DCM_VARY_ANGULAR_VIEW,
    DCM_VARY_TIME_SLICE,
    DCM_VARY_FRAME_TIME,
    DCM_VARY_DIMENSION,
    DCM_VARY_STACK,
    DCM_VARY_IMAGE_TYPE,
    DCM_VARY_ACQUISITION_NUMBER,
    DCM_VARY_ACQUISITION_TIME,
    DCM_VARY_CONTENT_TIME,
    DCM_N_VARY
} dcm_vary;

typedef enum dcm_vary_kind {
    DCM_VARY_PART,     /* belongs to the attribute before it */
    DCM_VARY_SET,      /* the same values at every position */
    DCM_VARY_RANK,     /* values of its own at every position: their order counts */
    DCM_VARY_SEPARATE, /* a text, kept as its hash: images that differ in it are told apart, but make no axis */
    DCM_VARY_CLOCK     /* RANK, asked only where nothing above tells the images apart */
} dcm_vary_kind;

typedef struct dcm_vary_entry {
    const char *name; /* keyword */
    dcm_vary_kind kind;
    int32_t parts;
    double seconds;         /* per unit; 0: no time */
    uint32_t classic;       /* tag at the top level; 0: none */
    uint32_t group, inside; /* sequence of the functional groups, and the tag in it; 0: none */
    double same, part; /* values this close, or as close as this part of the larger, are one; 0, 0: equal */
} dcm_vary_entry;

extern const dcm_vary_entry dcm_vary_table[DCM_N_VARY];

/* ---- facts -------------------------------------------------------------------------------------------- */

enum { DCM_SLICE_POSITION = 1, DCM_SLICE_ORIENTATION = 2, DCM_SLICE_SPACING = 4, DCM_SLICE_RESCALE = 8 };

/* One frame. Lengths in mm, coordinates in the patient's LPS. */
typedef struct dcm_slice {
    int32_t file;
    uint32_t has;
    int64_t frame;
    double position[3], row[3], column[3]; /* row: direction in which columns count (x); column: y */
    double spacing[2];                     /* between rows (y), between columns (x) */
    double thickness;                      /* SpacingBetweenSlices, else SliceThickness; 0: neither */
    double slope, inter;
    double vary[DCM_N_VARY]; /* NAN: not there */
    double along;            /* position on the normal (sort.c) */
} dcm_slice;

enum {
    DCM_FILE_LOCALIZER = 1,
    DCM_FILE_CINE = 2,    /* frames follow each other in time */
    DCM_FILE_NATIVE = 4,  /* whole samples lie in the file one after another from offset_bytes on */
    DCM_FILE_SWAP = 8,    /* in the other byte order */
    DCM_FILE_MOSAIC = 16, /* of slices, and not taken apart */
    DCM_FILE_LUT = 32     /* gray values go through a modality LUT */
};

/* n slices as tiles of one image, `across` in a row and in a column. */
typedef struct dcm_mosaic {
    int32_t n, across;     /* n 0: none */
    int64_t rows, columns; /* of a tile */
    bool backwards;        /* against the normal */
} dcm_mosaic;

/* One instance. */
typedef struct dcm_file {
    char *path;
    mtm_source_id id; /* when its header was read */
    mtm_dicom_pixels pixels;
    char series_uid[68], sop_uid[68], frame_of_reference[68], sop_class[68], modality[20];
    uint32_t flags;
    int64_t instance_number; /* INT64_MAX: none */
    uint64_t offset_bytes;   /* NATIVE: of frame 0 */
    dcm_mosaic mosaic;       /* its slices are tiles */
    int32_t first, n;        /* its slices */
} dcm_file;

/* All frames that are looked at together. */
typedef struct dcm_set {
    dcm_file *files;
    int32_t n_files;
    dcm_slice *slices;
    int32_t n_slices, room_slices;
    mtm_limits limits;
    int64_t n_skipped, n_others; /* files that hold no image; of series that are not wanted */
} dcm_set;

void dcm_set_clear(dcm_set *s);
/* Room for n more slices, zeroed with NAN in vary; *first their number. */
mtm_status dcm_set_grow(dcm_set *s, int64_t n, int32_t *first, mtm_error *err);

/* Fills f and appends its slices. False in *image: a DICOM file without an image. Errors: MTM_E_CORRUPT, MTM_E_LIMIT, MTM_E_NOMEM. */
mtm_status dcm_file_read(dcm_set *s, dcm_file *f, const mtm_dicom *d, bool *image, mtm_error *err);
void dcm_file_clear(dcm_file *f);

/* An empty slice. */
void dcm_slice_init(dcm_slice *s);
/* Geometry, rescale and varying attributes of an item (NULL: the top level), as far as s has none yet. */
void dcm_slice_classic(const mtm_dicom *d, const mtm_dicom_element *item, dcm_slice *s);
/* What s has not, from `more`. */
void dcm_slice_merge(dcm_slice *s, const dcm_slice *more);
/* Whether the image is a mosaic whose tiles are all known; `whole`: what the header says of it (mosaic.c). */
bool dcm_mosaic_get(dcm_mosaic *m, const mtm_dicom *d, const mtm_dicom_pixels *p, const dcm_slice *whole);
/* Its n slices. */
void dcm_mosaic_place(const dcm_mosaic *m, const mtm_dicom_pixels *p, const dcm_slice *whole,
                      dcm_slice *slices);
/* Numbers of a slice that differ between the frames of a multi-frame image without functional groups. */
void dcm_slices_multiframe(const mtm_dicom *d, dcm_slice *slices, int64_t n);
/* The same from functional groups; false: there are none. */
bool dcm_slices_groups(const mtm_dicom *d, dcm_slice *slices, int64_t n);

/* Element `low` of the block that `creator` reserved in `group` (PS3.5 7.8.1); NULL: there is none (vendor.c). */
const mtm_dicom_element *dcm_private_find(const mtm_dicom *d, const mtm_dicom_element *item, uint32_t group,
                                          const char *creator, uint32_t low);
/* b-value and gradient direction from the private elements of Siemens, GE and Philips (vendor.c). */
void dcm_vendor_diffusion(const mtm_dicom *d, const mtm_dicom_element *item, dcm_slice *s);

/* A position, where s has none yet; false: none, or absurdly far away. */
bool dcm_position_get(const mtm_dicom *d, const mtm_dicom_element *item, uint32_t tag, dcm_slice *s);
bool dcm_orientation_set(dcm_slice *s, const double cosines[6]); /* false: no two perpendicular directions */
/* A number, time of day (TM) or date and time (DT) in its own unit; times in seconds. NAN: none. */
double dcm_number(const mtm_dicom *d, const mtm_dicom_element *item, uint32_t tag);
double dcm_hash(const mtm_dicom *d, const mtm_dicom_element *item, uint32_t tag);
void dcm_cross(const double a[3], const double b[3], double out[3]);

/* ---- stacks ------------------------------------------------------------------------------------------- */

/* Slices on one regular grid, [nt, nz]: z ascends along the normal. */
typedef struct dcm_stack {
    int32_t *slices;
    int64_t nt, nz;
    int32_t axis;   /* dcm_vary that T is; −1: none */
    bool cine;      /* no geometry; frames in time */
    bool geometry;  /* affine is set */
    double tilt;    /* angle between the step and the normal, degrees */
    double step[3]; /* from slice to slice, LPS */
    double seconds; /* between two T; 0: not known, or no time */
    char note[256]; /* what was noticed; "" */
} dcm_stack;

typedef struct dcm_stacks {
    dcm_stack *stacks;
    int64_t n;
} dcm_stacks;

void dcm_stacks_clear(dcm_stacks *s);
/* The stacks of one series' slices. Without split: exactly one, or an error that names the instances. */
mtm_status dcm_stacks_make(dcm_stacks *out, dcm_set *set, const int32_t *slices, int32_t n, bool split,
                           mtm_error *err);

/* Steps of dcm_stacks_make: `slices` are re-ordered. Each calls the next, and adds to `out` at the end. */
typedef struct dcm_sorter {
    dcm_set *set;
    dcm_stacks *out;
    bool split;
    double seconds; /* of the axis that was found (axis.c) */
} dcm_sorter;

mtm_status dcm_stack_add(dcm_sorter *s, const dcm_stack *like, const int32_t *slices, int64_t n,
                         mtm_error *err);
mtm_status dcm_sort_places(dcm_sorter *s, int32_t *slices, int32_t n, mtm_error *err); /* sort.c */
/* The same for images that make no complete grid: a stack each of those that agree in what varies, and of duplicates. */
mtm_status dcm_sort_split(dcm_sorter *s, int32_t *slices, int32_t n, mtm_error *err);
/* How far apart slices of one place lie at most, mm. */
double dcm_same_place(const dcm_slice *s);
/* Bits of the attributes (SET, SEPARATE) in which images of one place differ; slices are sorted by place. */
uint64_t dcm_axis_varying(const dcm_set *set, const int32_t *slices, int32_t n, double same_place);
/* Moves those that agree with the first in `varying` to the front, in their order. */
mtm_status dcm_axis_group(const dcm_set *set, int32_t *slices, int32_t n, uint64_t varying, int32_t *same,
                          mtm_error *err);
/* slices: [nz, nt], by place. */
mtm_status dcm_axis_find(dcm_sorter *s, int32_t *slices, int64_t nz, int64_t nt, mtm_error *err); /* axis.c */
/* slices: [nt, nz]. Regular: a stack. Else an error, or with split a stack per regular run. */
mtm_status dcm_grid_make(dcm_sorter *s, int32_t *slices, int64_t nz, int64_t nt, int32_t axis,
                         mtm_error *err); /* grid.c */

/* "a.dcm, b.dcm frame 3 and 5 more": file names without folders. */
void dcm_names(char *text, size_t room, const dcm_set *set, const int32_t *slices, int64_t n);

/* ---- images ------------------------------------------------------------------------------------------- */

/* A copy of what the stack needs of the set; `where`: the path that the image goes by. *only (NULL: no such): the data set of the
 * set's one file, taken on success. */
mtm_status dcm_image_new(mtm_image **out, const dcm_set *set, const dcm_stack *stack, const char *where,
                         mtm_dicom **only, const mtm_open_options *opt, mtm_error *err);

#endif
