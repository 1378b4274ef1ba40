/* microtome/dicom.h: DICOM: data sets (PS3.5, PS3.10), their pixels, folders of series as volumes, writing, and
 * de-identification (PS3.15 E). A data set never changes once it is there: an edit makes a new one.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MICROTOME_DICOM_H
#define MICROTOME_DICOM_H

#include "image.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- dictionary (PS3.6) ------------------------------------------------------------------------------- */

typedef struct mtm_dicom_entry {
    uint32_t tag; /* group << 16 | element; of a repeating group its first */
    char vr[16];  /* "US", or what may stand there: "US or SS", "OB or OW"; "" of items and delimiters */
    char vm[12];  /* "1", "1-n", "2-2n" */
    const char *keyword; /* "PixelSpacing" */
    const char *name;
    bool retired;
} mtm_dicom_entry;

/* NULL: not in the dictionary (private, or unknown). Repeating groups (60xx) are found by every member; group lengths
 * (gggg,0000) and private creators (odd group, 0010 … 00FF) too: with tag 0 and keyword "". */
MTM_API const mtm_dicom_entry *mtm_dicom_entry_by_tag(uint32_t tag);
MTM_API const mtm_dicom_entry *mtm_dicom_entry_by_keyword(const char *keyword);

typedef struct mtm_dicom_uid {
    const char *uid, *name, *type, *keyword; /* type: "Transfer Syntax", "SOP Class", … */
    bool retired;
} mtm_dicom_uid;

MTM_API const mtm_dicom_uid *mtm_dicom_uid_find(const char *uid_or_keyword); /* NULL: not well known */

/* ---- data sets ---------------------------------------------------------------------------------------- */

/* One data set with its file meta information; thread-safe, because constant after opening. */
typedef struct mtm_dicom mtm_dicom;

typedef struct mtm_dicom_options {
    uint32_t struct_size;
    const mtm_limits *limits; /* NULL: defaults */
    bool force;               /* parse bytes that have neither preamble nor a plausible first element */
    bool stop_at_pixels;      /* leave out pixel data and what follows: headers are then all that is read */
} mtm_dicom_options;

enum {
    MTM_DICOM_ITEM = 1,      /* tag FFFE,E000: an item of a sequence */
    MTM_DICOM_SEQUENCE = 2,  /* SQ, or UN that holds items */
    MTM_DICOM_UNDEFINED = 4, /* had an undefined length in the file */
    MTM_DICOM_ENCAPSULATED =
        8, /* a value in fragments: offset_bytes and length_bytes span all its items, the offset table with them, without the
            * sequence delimiter. Always BULK; the items are no lines of the table */
    MTM_DICOM_BULK = 16,       /* too large to be kept: mtm_dicom_value_read reads it from the file */
    MTM_DICOM_BIG_ENDIAN = 32, /* the value's byte order */
    MTM_DICOM_IMPLICIT = 64,   /* no VR in the file: vr comes from the dictionary or the data set's context */
    MTM_DICOM_UN = 128         /* UN in the file; vr is what the dictionary says, or SQ (PS3.5 6.2.2) */
};

/* One line of the table that a data set is. The table is in file order, parents before children. */
typedef struct mtm_dicom_element {
    uint32_t tag;
    char vr[4]; /* two letters and zeros; "" for items. Ambiguous ones (US or SS) are decided */
    uint16_t flags,
        depth; /* depth 0: top level; items are one deeper than their sequence, their elements one more */
    int32_t parent; /* number of the sequence or item; −1 */
    int32_t
        inside; /* lines that follow and lie inside this one: the next sibling is at own number + 1 + inside */
    uint64_t length_bytes; /* of the value, delimiters left out */
    int64_t offset_bytes;  /* of the value, in the file; deflated: in the inflated data set; built: −1 */
    const uint8_t *value;  /* NULL: empty, a sequence, an item, or BULK */
} mtm_dicom_element;

/* Errors: MTM_E_NOTFOUND, MTM_E_DENIED, MTM_E_UNSUPPORTED (no DICOM), MTM_E_CORRUPT, MTM_E_LIMIT (depth, header size, a deflate
 * bomb). What is usual and harmless is tolerated and told by mtm_dicom_warning_get. */
MTM_API mtm_status mtm_dicom_open(mtm_dicom **out, const char *path, const mtm_dicom_options *opt,
                                  mtm_error *err);
/* Borrowed memory that outlives the data set; `name` stands for the path in errors. */
MTM_API mtm_status mtm_dicom_open_memory(mtm_dicom **out, const void *data, size_t size_bytes,
                                         const char *name, const mtm_dicom_options *opt, mtm_error *err);
MTM_API void mtm_dicom_close(mtm_dicom *d);

MTM_API const mtm_dicom_element *mtm_dicom_elements(const mtm_dicom *d, int32_t *n);
MTM_API const char *mtm_dicom_path(const mtm_dicom *d);            /* as opened; "" for a built one */
MTM_API const char *mtm_dicom_transfer_syntax(const mtm_dicom *d); /* UID; guessed where the file says none */
MTM_API int32_t mtm_dicom_warning_count(const mtm_dicom *d);
MTM_API const char *mtm_dicom_warning_get(const mtm_dicom *d, int32_t i); /* one sentence, no patient data */

/* The element `tag` of an item (NULL: the top level); NULL: absent. File meta (group 2) is at the top level. */
MTM_API const mtm_dicom_element *mtm_dicom_find(const mtm_dicom *d, const mtm_dicom_element *item,
                                                uint32_t tag);
/* "PatientID", "00100020", "(0010,0020)", "PerFrameFunctionalGroupsSequence[3].PlanePositionSequence[0].ImagePositionPatient",
 * "(0029,[SIEMENS CSA HEADER]10)": element xx10 of the block which that private creator has reserved. Items count from 0; a path
 * that ends with one gives the item. Errors: MTM_E_INVAL (no such keyword, malformed path), MTM_E_NOTFOUND. */
MTM_API mtm_status mtm_dicom_find_path(const mtm_dicom_element **out, const mtm_dicom *d, const char *path,
                                       mtm_error *err);
MTM_API int32_t mtm_dicom_item_count(const mtm_dicom *d, const mtm_dicom_element *sequence);
MTM_API const mtm_dicom_element *mtm_dicom_item(const mtm_dicom *d, const mtm_dicom_element *sequence,
                                                int32_t i); /* NULL: there are fewer */

/* Values. i counts from 0 within the element: items of a sequence, values between backslashes, numbers of a binary VR (of OW
 * words, of OB and UN bytes). False: absent, empty, no such value, or no number; for i64 also no whole number, or too large.
 * Text numbers (IS, DS) are parsed; AT is group << 16 | element. */
MTM_API int64_t mtm_dicom_value_count(const mtm_dicom *d, const mtm_dicom_element *e);
MTM_API bool mtm_dicom_i64(const mtm_dicom *d, const mtm_dicom_element *e, int64_t i, int64_t *out);
MTM_API bool mtm_dicom_f64(const mtm_dicom *d, const mtm_dicom_element *e, int64_t i, double *out);
/* Value i of a text element as it stands in the file, without its padding, cut to room − 1 bytes; for codes and UIDs, which are
 * ASCII. False: absent, empty or cut. buf is a string in any case. */
MTM_API bool mtm_dicom_ascii(const mtm_dicom *d, const mtm_dicom_element *e, int64_t i, char *buf,
                             size_t room);
/* All values of a text element in UTF-8, by the data set's (item's) SpecificCharacterSet, joined by '\', in new memory
 * (mtm_dicom_free). Bytes that the character set does not hold become U+FFFD. Errors: MTM_E_NOMEM, MTM_E_IO. */
MTM_API mtm_status mtm_dicom_text(char **out, const mtm_dicom *d, const mtm_dicom_element *e, mtm_error *err);
/* Bytes of a value, BULK too. */
MTM_API mtm_status mtm_dicom_value_read(const mtm_dicom *d, const mtm_dicom_element *e, uint64_t from_bytes,
                                        void *dst, size_t size_bytes, mtm_error *err);
MTM_API void mtm_dicom_free(void *p); /* what a function of this header gave in new memory */

/* ---- JSON --------------------------------------------------------------------------------------------- */

typedef struct mtm_dicom_json_options {
    uint32_t struct_size;
    bool keywords;    /* {"PatientID": "x"}: values by keyword; else the DICOM JSON model (PS3.18 F) */
    bool meta;        /* file meta information (group 2) too */
    bool skip_pixels; /* pixel data is left out, not referred to */
    uint64_t
        inline_bytes; /* longest binary value given as InlineBinary; longer ones by BulkDataURI. Default 0: none */
    const char *
        bulk_uri; /* what a BulkDataURI begins with; "?offset=…&length=…" follows. NULL: "file:" and the path */
    int32_t indent; /* blanks per level; 0: one line */
} mtm_dicom_json_options;

MTM_API mtm_status mtm_dicom_to_json(char **out, size_t *size_bytes, const mtm_dicom *d,
                                     const mtm_dicom_json_options *opt, mtm_error *err);

typedef struct mtm_dicom_dump_options {
    uint32_t struct_size;
    const mtm_dicom_element *item; /* NULL: everything */
    int32_t width;                 /* characters of a line, longer values are cut; 0: 110 */
} mtm_dicom_dump_options;

/* For people: one line per element: tag, VR, keyword, value; items indented. UTF-8, in new memory. */
MTM_API mtm_status mtm_dicom_dump(char **out, const mtm_dicom *d, const mtm_dicom_dump_options *opt,
                                  mtm_error *err);

/* ---- pixels ------------------------------------------------------------------------------------------- */

/* What the pixel attributes say, with defaults filled in. */
typedef struct mtm_dicom_pixels {
    int64_t frames, rows, columns;
    int32_t samples, bits_allocated, bits_stored, high_bit;
    bool is_signed, is_float, planar, encapsulated;
    char photometric[20]; /* "MONOCHROME2", … */
    const char *codec;    /* "none", "deflate", "rle", "jpeg", "jpegls", "j2k", "htj2k" */
    mtm_dtype raw_dtype;  /* of decoded samples by the header; 1-bit samples as U8 */
    mtm_dtype dtype;      /* after palette and colour conversion */
    int32_t channels;     /* after that: 1, 3 (RGB), 4 */
    double slope, inter;  /* RescaleSlope, RescaleIntercept of the top level or the shared groups; 1, 0 */
    bool has_rescale, has_modality_lut;
    int32_t overlays;
} mtm_dicom_pixels;

/* Errors: MTM_E_NOTFOUND (no pixel data), MTM_E_CORRUPT (rows, columns, bits that contradict each other), MTM_E_LIMIT. */
MTM_API mtm_status mtm_dicom_pixels_get(const mtm_dicom *d, mtm_dicom_pixels *out, mtm_error *err);

typedef struct mtm_dicom_read_options {
    uint32_t struct_size;
    bool raw;      /* samples as decoded: no palette, no colour conversion */
    bool modality; /* modality LUT or rescale slope and intercept, in float32 (per frame where they differ) */
    bool voi;      /* then VOI LUT or window, and MONOCHROME1 turned: float32 in 0 … 255 */
    int32_t voi_item;     /* which of several windows */
    mtm_codec_ctx *codec; /* NULL: one for this call */
    mtm_pool *pool;       /* frames side by side; NULL: the calling thread */
    mtm_recycler *recycler;
} mtm_dicom_read_options;

/* Frames [first, first + n) as [F, Y, X] (one channel) or [F, Y, X, C]; dst->data NULL: new. What the codestream says that the
 * header does not is told in warnings (NULL: not wanted), '\n' between them, in new memory. Errors: MTM_E_CORRUPT,
 * MTM_E_UNSUPPORTED (syntax, photometric interpretation), MTM_E_INVAL (no such frame). */
MTM_API mtm_status mtm_dicom_frames_read(const mtm_dicom *d, int64_t first, int64_t n,
                                         const mtm_dicom_read_options *opt, mtm_array *dst, char **warnings,
                                         mtm_error *err);
/* A frame's bytes as they are stored: fragments joined, or the native samples. */
MTM_API mtm_status mtm_dicom_frame_bytes(const mtm_dicom *d, int64_t frame, mtm_bytes *out, mtm_error *err);
/* Overlay i (groups 60xx in order) as U8 0/1 [F, Y, X], with its origin (row, column; 1, 1: the image's first pixel). */
MTM_API mtm_status mtm_dicom_overlay_read(const mtm_dicom *d, int32_t i, mtm_array *dst, int64_t origin[2],
                                          mtm_error *err);

/* ---- folders ------------------------------------------------------------------------------------------ */

/* What a scan keeps of an instance; texts are "" where the file has none. */
typedef struct mtm_dicom_instance {
    const char *path, *patient_id, *patient_name, *study_uid, *study_date, *study_description, *series_uid,
        *series_description, *modality, *sop_uid, *sop_class, *transfer_syntax, *image_type;
    int64_t series_number, instance_number, rows, columns, frames, file_bytes; /* numbers: −1 where absent */
    bool has_pixels;
} mtm_dicom_instance;

typedef struct mtm_dicom_skipped {
    const char *path, *why;
} mtm_dicom_skipped;

/* Patients, studies and series as runs of instances, which are sorted by patient, study, series number and UID, instance
 * number, path. */
typedef struct mtm_dicom_listing {
    int64_t n, n_series, n_studies, n_patients, n_skipped;
    const mtm_dicom_instance *instances;        /* [n] */
    const int64_t *series, *studies, *patients; /* number of the first instance of each, and n at the end */
    const mtm_dicom_skipped *skipped;           /* files that are no DICOM, or damaged */
} mtm_dicom_listing;

typedef struct mtm_dicom_scan_options {
    uint32_t struct_size;
    const mtm_limits *limits;
    mtm_pool *pool;
    const volatile bool *cancel; /* NULL: cannot be stopped */
    void (*progress)(void *user, int64_t done,
                     int64_t files); /* NULL: none. One call at a time, on any thread */
    void *user;
} mtm_dicom_scan_options;

/* Reads the headers of files, and of all files below folders; memory does not depend on pixel data. */
MTM_API mtm_status mtm_dicom_scan(mtm_dicom_listing **out, const char *const *paths, int64_t n,
                                  const mtm_dicom_scan_options *opt, mtm_error *err);
MTM_API void mtm_dicom_listing_free(mtm_dicom_listing *l);

typedef struct mtm_dicom_series_options {
    uint32_t struct_size;
    const mtm_open_options *open;
    const char *series_uid; /* NULL: the only one */
    bool split;             /* what does not fit into one grid becomes several images instead of an error */
    mtm_pool *pool;
} mtm_dicom_series_options;

/* The volumes of files and folders (SEMANTICS, "DICOM series"): *n images in new memory (close each, then mtm_dicom_free the
 * list). Without split: exactly one, or MTM_E_INVAL / MTM_E_CORRUPT with the instances named by file. mtm_image_open of a folder, or of an
 * instance, does the same. */
MTM_API mtm_status mtm_dicom_series_open(mtm_image ***out, int64_t *n, const char *const *paths,
                                         int64_t n_paths, const mtm_dicom_series_options *opt,
                                         mtm_error *err);

/* ---- labels that refer to other images ---------------------------------------------------------------- */

/* A regular grid: voxels [Z, Y, X], and where they lie. */
typedef struct mtm_dicom_grid {
    int64_t size[3];
    double affine[16]; /* row-major 4×4: voxel centre (x, y, z) → mm, RAS+ */
} mtm_dicom_grid;

/* A segmentation object (PS3.3 A.51: binary, fractional, label map) as an image on `grid` (NULL: that of its own frames, as
 * mtm_image_open gives it): [Z, Y, X] of segment numbers, or [C, Z, Y, X] with a channel per segment (0 and 1, or fractions) where
 * segments overlap or are fractional. Frames that are not there are empty. Errors: MTM_E_INVAL (no segmentation, or the grid does not hold
 * its frames), MTM_E_UNSUPPORTED (frames on no regular grid), and those of opening. */
MTM_API mtm_status mtm_dicom_seg_open(mtm_image **out, const char *path, const mtm_dicom_grid *grid,
                                      const mtm_open_options *opt, mtm_error *err);

/* The regions of interest of a structure set (PS3.3 A.19). Constant after opening. */
typedef struct mtm_dicom_structures mtm_dicom_structures;

typedef struct mtm_dicom_roi {
    int64_t number;
    const char *name;         /* UTF-8 */
    const char *type;         /* RTROIInterpretedType: "PTV", "ORGAN", …; "" */
    int32_t color[3];         /* 0 … 255; −1 where none is given */
    int64_t contours, points; /* points: of all contours */
} mtm_dicom_roi;

MTM_API mtm_status mtm_dicom_structures_open(mtm_dicom_structures **out, const char *path,
                                             const mtm_open_options *opt, mtm_error *err);
MTM_API void mtm_dicom_structures_close(mtm_dicom_structures *s);
MTM_API int64_t mtm_dicom_structures_count(const mtm_dicom_structures *s);
MTM_API const mtm_dicom_roi *mtm_dicom_structures_get(const mtm_dicom_structures *s, int64_t i);
/* Sets the voxels of region i to `value` in dst ([Z, Y, X] of the grid, an integer type or BOOL, any strides); the others stay. Closed
 * contours hold the voxels whose centres lie in them by the even-odd rule, all contours of one plane together (a contour within another
 * is a hole). A slice takes the contours of the plane that is nearest to it, at most half a slice away; contours beyond the grid are
 * left out. Points and open contours set the voxels that they touch. *outside (NULL allowed): contours that no slice took because they lie beyond
 * the grid. Errors: MTM_E_INVAL (shape, dtype), MTM_E_UNSUPPORTED (contours across the slices). */
MTM_API mtm_status mtm_dicom_structures_draw(const mtm_dicom_structures *s, int64_t i,
                                             const mtm_dicom_grid *grid, int64_t value, mtm_array *dst,
                                             int64_t *outside, mtm_error *err);

/* ---- making data sets --------------------------------------------------------------------------------- */

typedef struct mtm_dicom_builder mtm_dicom_builder; /* used by one thread */

MTM_API mtm_status mtm_dicom_builder_new(mtm_dicom_builder **out, mtm_error *err);
MTM_API void mtm_dicom_builder_free(mtm_dicom_builder *b);
/* Elements may come in any order within their level and are sorted; a tag given again replaces the first. vr NULL: the dictionary's.
 * Values are little endian bytes, without padding. */
MTM_API mtm_status mtm_dicom_put(mtm_dicom_builder *b, uint32_t tag, const char *vr, const void *value,
                                 size_t size_bytes, mtm_error *err);
MTM_API mtm_status mtm_dicom_put_text(mtm_dicom_builder *b, uint32_t tag, const char *vr, const char *text,
                                      mtm_error *err); /* UTF-8; values joined by '\' */
MTM_API mtm_status mtm_dicom_put_i64(mtm_dicom_builder *b, uint32_t tag, const char *vr, const int64_t *v,
                                     int64_t n, mtm_error *err); /* IS, US, SS, UL, SL, AT, OV … */
MTM_API mtm_status mtm_dicom_put_f64(mtm_dicom_builder *b, uint32_t tag, const char *vr, const double *v,
                                     int64_t n, mtm_error *err); /* DS (shortest ≤ 16 characters), FL, FD */
/* What is put until the matching end lies inside. */
MTM_API mtm_status mtm_dicom_begin_sequence(mtm_dicom_builder *b, uint32_t tag, mtm_error *err);
MTM_API mtm_status mtm_dicom_begin_item(mtm_dicom_builder *b, mtm_error *err);
MTM_API mtm_status mtm_dicom_end_item(mtm_dicom_builder *b, mtm_error *err);
MTM_API mtm_status mtm_dicom_end_sequence(mtm_dicom_builder *b, mtm_error *err);
/* An element of another data set, with all that lies inside. Pixel data and BULK values are referred to: d must outlive the
 * data set that is built. */
MTM_API mtm_status mtm_dicom_copy(mtm_dicom_builder *b, const mtm_dicom *d, const mtm_dicom_element *e,
                                  mtm_error *err);
MTM_API mtm_status mtm_dicom_remove(mtm_dicom_builder *b, uint32_t tag,
                                    mtm_error *err); /* at the open level */
/* The data set; the builder is empty afterwards. Errors: MTM_E_INVAL (a sequence left open). */
MTM_API mtm_status mtm_dicom_build(mtm_dicom **out, mtm_dicom_builder *b, mtm_error *err);

/* ---- writing ------------------------------------------------------------------------------------------ */

typedef struct mtm_dicom_write_options {
    uint32_t struct_size;
    const char
        *transfer_syntax; /* UID or keyword; NULL: as the data set's. Pixels are transcoded where needed */
    const mtm_encode_params *encode; /* of lossy or unusual streams; NULL: lossless, the syntax's defaults */
    bool allow_lossy;      /* a syntax that loses may be asked for: LossyImageCompression is then written */
    bool no_proof;         /* leave out decoding what was encoded and comparing it with the source */
    bool basic_table_only; /* no extended offset table: an error beyond 2^32 bytes */
    bool extended_table;   /* the extended offset table even where the basic one would do */
    const char *uid_root;  /* of new UIDs; NULL: "2.25." (UUID) */
    mtm_codec_ctx *codec;
    mtm_pool *pool;
} mtm_dicom_write_options;

/* A Part 10 file, written beside its destination and renamed. All else in the header stays as it is; what the new syntax makes
 * untrue (bits, planar configuration, photometric interpretation) is told. Errors: MTM_E_UNSUPPORTED (no encoder for the syntax, or
 * pixels it cannot hold), MTM_E_INVAL (would lose), MTM_E_CORRUPT (the source's pixels), MTM_E_IO. */
MTM_API mtm_status mtm_dicom_write(const char *path, const mtm_dicom *d, const mtm_dicom_write_options *opt,
                                   mtm_error *err);
/* The same for n files, each read from from[i] and written to to[i], whose folders are made where they are missing; several at once with a
 * pool. errors (may be NULL): [n], code MTM_OK where all went well; one that fails holds up no other. progress (may be NULL) is told how
 * many are done, by one thread at a time. Returns the first error by number. */
MTM_API mtm_status mtm_dicom_write_files(const char *const *from, const char *const *to, int64_t n,
                                         const mtm_dicom_write_options *opt, mtm_error *errors,
                                         void (*progress)(void *user, int64_t done, int64_t n), void *user,
                                         mtm_error *err);
/* A new UID under root ("2.25." or an organisation's, with its last dot). out: 65 bytes. */
MTM_API mtm_status mtm_dicom_uid_new(char out[65], const char *root, mtm_error *err);

typedef struct mtm_dicom_series_write_options {
    uint32_t struct_size;
    const mtm_dicom *like; /* patient, study and frame of reference come from it; NULL: new ones */
    const double
        *affine; /* row-major 4×4, voxel (x, y, z) → mm RAS+; NULL: unit voxels, no patient geometry */
    const char *description, *patient_id; /* NULL: "" */
    bool quantize; /* values that 16 bits do not hold are rounded to 65536 steps, by slope and intercept */
    double
        *max_error; /* NULL, or receives how far a value may be from what was given: 0 where all are exact */
    mtm_pool *pool; /* slices side by side; NULL: the calling thread */
    mtm_dicom_write_options write;
} mtm_dicom_series_write_options;

/* [Z, Y, X], [Y, X] or [Z, Y, X, 3] (U8, RGB): one instance per slice in `folder`, which is made when absent and must hold no files: MR or
 * CT images when `like` is one, else secondary captures, with their plane in space when there is an affine. Integers (and floats that are
 * whole numbers) that fit into 16 bits are stored as they are. Errors: MTM_E_INVAL (values that do not fit, and no quantize;
 * an affine whose axes are not orthogonal; shape), MTM_E_CONFLICT (the folder holds files), MTM_E_IO: then nothing is left in it. */
MTM_API mtm_status mtm_dicom_series_write(const char *folder, const mtm_array *a,
                                          const mtm_dicom_series_write_options *opt, mtm_error *err);

typedef struct mtm_dicom_segment {
    int64_t value; /* in the label volume */
    const char *label;
    const char *category[3]; /* code value, scheme, meaning; NULL: tissue */
    const char *type[3];
    const char *algorithm; /* NULL: "MANUAL"; else its name */
} mtm_dicom_segment;

typedef struct mtm_dicom_seg_options {
    uint32_t struct_size;
    const char *const *
        source; /* the files of the series the labels lie on, slice by slice in array order, or a multi-frame */
    int64_t n_source;
    const mtm_dicom_segment *segments; /* NULL: one per value */
    int32_t n_segments;
    bool fractional; /* a is [S, Z, Y, X], 0 … 1 */
    bool label_map;  /* a Label Map Segmentation (PS3.3 A.82): labels 1 … 65535 are segment numbers */
    bool keep_empty; /* frames without any voxel too */
    const char *description;
    mtm_dicom_write_options write;
} mtm_dicom_seg_options;

/* A segmentation object (PS3.3 A.51, or A.82) of a label volume [Z, Y, X]. Errors: MTM_E_INVAL (labels that are all 0, of another
 * shape than the source, two segments of one value), MTM_E_LIMIT, those of reading the source and of mtm_dicom_write. */
MTM_API mtm_status mtm_dicom_seg_write(const char *path, const mtm_array *labels,
                                       const mtm_dicom_seg_options *opt, mtm_error *err);

/* ---- de-identification -------------------------------------------------------------------------------- */

enum { /* options of PS3.15 table E.1-1 */
       MTM_DEID_RETAIN_UIDS = 1,
       MTM_DEID_RETAIN_DEVICE = 2,
       MTM_DEID_RETAIN_INSTITUTION = 4,
       MTM_DEID_RETAIN_PATIENT = 8, /* patient characteristics */
       MTM_DEID_RETAIN_DATES = 16,  /* full dates */
       MTM_DEID_SHIFT_DATES = 32,   /* modified dates: shifted by one number of days per patient */
       MTM_DEID_CLEAN_DESCRIPTORS = 64,
       MTM_DEID_CLEAN_STRUCTURED = 128,
       MTM_DEID_CLEAN_GRAPHICS = 256,
       MTM_DEID_RETAIN_SAFE_PRIVATE = 512
};

typedef struct mtm_deid_options {
    uint32_t struct_size;
    uint32_t flags;
    const void *
        secret; /* key of UIDs, dates and pseudonyms: the same secret, the same result. Errors: MTM_E_INVAL when absent */
    size_t secret_bytes;
    const char *patient_id, *patient_name; /* replacements; NULL: a pseudonym by the secret */
    const char *const *safe_private;       /* more of "creator|ggggee": "SIEMENS CSA HEADER|002910" */
    int32_t n_safe_private;
    const char *uid_root; /* NULL: "2.25." */
    int32_t shift_days;   /* most days of a shift, back in time; 0: 3650 */
} mtm_deid_options;

/* What was done to one element, by path ("ReferencedStudySequence[0].ReferencedSOPInstanceUID"); no values. */
typedef struct mtm_deid_change {
    const char *path;
    char
        action; /* 'X' removed, 'Z' emptied, 'D' dummy, 'U' UID replaced, 'C' cleaned, 'S' date shifted, 'P' private removed */
} mtm_deid_change;

typedef struct mtm_deid_report {
    int64_t n;
    const mtm_deid_change *changes;
    int32_t n_warnings;
    const char *const *warnings; /* burned-in annotation, overlays, embedded documents, … */
} mtm_deid_report;

/* *out refers to d's pixels: d must outlive it. report may be NULL; free with mtm_deid_report_free. */
MTM_API mtm_status mtm_dicom_deidentify(mtm_dicom **out, mtm_deid_report **report, const mtm_dicom *d,
                                        const mtm_deid_options *opt, mtm_error *err);
MTM_API void mtm_deid_report_free(mtm_deid_report *r);

#ifdef __cplusplus
}
#endif
#endif
