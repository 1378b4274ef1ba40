/* format/nifti.h: the NIfTI-1, NIfTI-2 and Analyze 7.5 header as one struct, and between struct and bytes one table.
 * Sources: nifti1.h and nifti2.h of the NIfTI-1/-2 Data Format Working Group; SEMANTICS for what nibabel decides.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_FORMAT_NIFTI_H
#define MTM_FORMAT_NIFTI_H

#include "array/array.h"

enum { NIFTI1_BYTES = 348, NIFTI2_BYTES = 540, NIFTI_MAX_BYTES = 540 };

typedef enum nifti_version { NIFTI_ANALYZE, NIFTI_1, NIFTI_2 } nifti_version;

/* nifti1.h DT_* and NIFTI_TYPE_*. */
enum {
    NIFTI_BINARY = 1,
    NIFTI_UINT8 = 2,
    NIFTI_INT16 = 4,
    NIFTI_INT32 = 8,
    NIFTI_FLOAT32 = 16,
    NIFTI_COMPLEX64 = 32,
    NIFTI_FLOAT64 = 64,
    NIFTI_RGB24 = 128,
    NIFTI_INT8 = 256,
    NIFTI_UINT16 = 512,
    NIFTI_UINT32 = 768,
    NIFTI_INT64 = 1024,
    NIFTI_UINT64 = 1280,
    NIFTI_FLOAT128 = 1536,
    NIFTI_COMPLEX128 = 1792,
    NIFTI_COMPLEX256 = 2048,
    NIFTI_RGBA32 = 2304
};

typedef struct nifti_header {
    nifti_version version;
    bool big_endian, pair;
    int64_t dim[8], datatype, bitpix, intent_code, slice_start, slice_end, slice_code, dim_info, xyzt_units;
    int64_t qform_code, sform_code, glmin, glmax;
    double pixdim[8], intent_p[3], vox_offset, scl_slope, scl_inter, cal_max, cal_min, slice_duration,
        toffset;
    double quatern[3], qoffset[3], srow[12];
    char descrip[81], aux_file[25], intent_name[17];
    int16_t origin[3]; /* Analyze, as SPM99 wrote it: 1-based voxel; all 0: none */
} nifti_header;

/* What a datatype code is in memory. channels 1 for plain numbers; dtype MTM_NONE: not read. */
typedef struct nifti_type {
    int16_t code, bitpix;
    mtm_dtype dtype;
    int8_t channels;
    bool complex;
    const char *name;
} nifti_type;

const nifti_type *nifti_type_find(int64_t code); /* NULL: no such code */
/* The code that stores a dtype with this many channels (1; 3 or 4 for U8: RGB); NULL: none. */
const nifti_type *nifti_type_for(mtm_dtype t, int channels);

/* True when the bytes begin as one of the three; version, byte order and pair are set. */
bool nifti_header_detect(nifti_header *h, const uint8_t *head, size_t n);
/* Fields of a header of h->version from its NIFTI1_BYTES or NIFTI2_BYTES bytes. */
void nifti_header_parse(nifti_header *h, const uint8_t *bytes);
/* The reverse, in this machine's byte order; `bytes` are zeroed first. */
void nifti_header_store(const nifti_header *h, uint8_t *bytes);
int64_t nifti_header_bytes(const nifti_header *h);
/* Where a field lies in the file, for errors: byte of element i of the member at `member` (offsetof). */
int64_t nifti_field_at(const nifti_header *h, size_t member, int i);
#define NIFTI_AT(h, member, i) nifti_field_at((h), offsetof(nifti_header, member), (i))

/* Row-major 4×4 of voxel (x, y, z) → mm by sform, qform or base, as nibabel. *problem: a sentence about what was
 * repaired, or NULL. Errors: MTM_E_CORRUPT (a quaternion longer than 1). */
mtm_status nifti_affine(const nifti_header *h, double affine[16], const char **problem, mtm_error *err);
/* Sets pixdim, qform and sform (code 2, aligned) from an affine; the qform is the nearest rotation. */
void nifti_set_affine(nifti_header *h, const double affine[16]);
/* Slope and intercept to apply; *scaled false: none. Errors: MTM_E_CORRUPT (finite slope, non-finite intercept). */
mtm_status nifti_scaling(const nifti_header *h, double *slope, double *inter, bool *scaled, mtm_error *err);

#endif
