/* tests/cases/malformed.h: damaged image files as data: a small good file, one change, and the error that must come.
 * Run by tests/unit/test_malformed.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_TESTS_CASES_MALFORMED_H
#define MTM_TESTS_CASES_MALFORMED_H

/* The bases: int16 of [4, 3, 2], every value its number. Voxels begin at byte 352, 544 and 128. */
typedef enum base { BASE_NIFTI1, BASE_NIFTI2, BASE_NPY, N_BASES } base;

typedef struct malformed {
    const char *name;
    base base;
    int at, n; /* bytes [at, at + n) become `bytes`; n 0: none */
    const char *bytes;
    int cut;     /* the file's new size; −1: as it is */
    bool gzip;   /* compressed afterwards */
    int gz_flip; /* this byte from the compressed file's end is inverted; 0: none */
    mtm_status status;
    int64_t offset;   /* of the error; −2: any */
    const char *text; /* part of the sentence */
} malformed;

#define CHANGE(position, text) .at = (position), .n = sizeof(text) - 1, .bytes = (text), .cut = -1
#define CUT(size)              .cut = (size)

static const malformed malformed_cases[] = {
    {"empty", BASE_NIFTI1, CUT(0), .status = MTM_E_CORRUPT, .offset = 0, .text = "empty"},
    {"cut header", BASE_NIFTI1, CUT(347), .status = MTM_E_CORRUPT, .offset = 347, .text = "ends after 347"},
    {"cut behind the header", BASE_NIFTI1, CUT(348), .status = MTM_E_CORRUPT, .offset = 108,
     .text = "beyond"},
    {"cut voxels", BASE_NIFTI1, CUT(399), .status = MTM_E_CORRUPT, .offset = 399, .text = "truncated"},
    {"size word", BASE_NIFTI1, CHANGE(0, "\x5d"), .status = MTM_E_CORRUPT, .offset = 0,
     .text = "instead of 348"},
    {"size word 0", BASE_NIFTI1, CHANGE(0, "\0\0\0\0"), .status = MTM_E_CORRUPT, .offset = 0,
     .text = "instead of 348"},
    {"magic", BASE_NIFTI1, CHANGE(344, "n+x"), .status = MTM_E_CORRUPT, .offset = 344,
     .text = "neither n+1 nor ni1"},
    {"pair in one file", BASE_NIFTI1, CHANGE(344, "ni1"), .status = MTM_E_CORRUPT, .offset = 344,
     .text = "another file"},
    {"cut after the header's size", BASE_NIFTI1, CUT(4), .status = MTM_E_CORRUPT, .offset = 4,
     .text = "ends after 4"},
    {"one byte", BASE_NIFTI1, CUT(1), .status = MTM_E_UNSUPPORTED, .offset = 0, .text = "only 1 bytes"},
    {"gzip cut header", BASE_NIFTI1, CUT(100), .gzip = true, .status = MTM_E_CORRUPT, .offset = 100,
     .text = "ends after 100"},
    {"quaternion NaN", BASE_NIFTI1, CHANGE(256, "\0\0\xc0\x7f"), .status = MTM_E_CORRUPT, .offset = 256,
     .text = "not finite"},
    {"no dimensions", BASE_NIFTI1, CHANGE(40, "\0\0"), .status = MTM_E_CORRUPT, .offset = 40,
     .text = "not 1 to 7"},
    {"eight dimensions", BASE_NIFTI1, CHANGE(40, "\x08"), .status = MTM_E_CORRUPT, .offset = 40,
     .text = "not 1 to 7"},
    {"negative dimension", BASE_NIFTI1, CHANGE(44, "\xff\xff"), .status = MTM_E_CORRUPT, .offset = 44,
     .text = "dimension 2 is -1"},
    {"dimension 0", BASE_NIFTI1, CHANGE(46, "\0\0"), .status = MTM_E_CORRUPT, .offset = 46,
     .text = "dimension 3 is 0"},
    {"dimension too large", BASE_NIFTI1, CHANGE(42, "\xff\x7f"), .status = MTM_E_CORRUPT, .offset = 400,
     .text = "truncated"},
    {"datatype", BASE_NIFTI1, CHANGE(70, "\x03"), .status = MTM_E_UNSUPPORTED, .offset = 70,
     .text = "datatype 3 is not known"},
    {"1-bit", BASE_NIFTI1, CHANGE(70, "\x01"), .status = MTM_E_UNSUPPORTED, .offset = 70, .text = "1-bit"},
    {"float128", BASE_NIFTI1, CHANGE(70, "\x00\x06"), .status = MTM_E_UNSUPPORTED, .offset = 70,
     .text = "float128"},
    {"complex256", BASE_NIFTI1, CHANGE(70, "\x00\x08"), .status = MTM_E_UNSUPPORTED, .offset = 70,
     .text = "complex256"},
    {"bitpix", BASE_NIFTI1, CHANGE(72, "\x20"), .status = MTM_E_CORRUPT, .offset = 72,
     .text = "bitpix is 32"},
    {"offset in the header", BASE_NIFTI1, CHANGE(108, "\0\0\xa0\x43"), .status = MTM_E_CORRUPT, .offset = 108,
     .text = "inside the header"},
    {"offset with a fraction", BASE_NIFTI1, CHANGE(108, "\0\x40\xb0\x43"), .status = MTM_E_CORRUPT,
     .offset = 108, .text = "not a place"},
    {"offset NaN", BASE_NIFTI1, CHANGE(108, "\0\0\xc0\x7f"), .status = MTM_E_CORRUPT, .offset = 108,
     .text = "not a place"},
    {"offset negative", BASE_NIFTI1, CHANGE(108, "\0\0\xb0\xc3"), .status = MTM_E_CORRUPT, .offset = 108,
     .text = "not a place"},
    {"offset beyond the file", BASE_NIFTI1, CHANGE(108, "\0\0\xb0\x44"), .status = MTM_E_CORRUPT,
     .offset = 108, .text = "beyond the file"},
    {"offset huge", BASE_NIFTI1, CHANGE(108, "\0\0\x80\x7e"), .status = MTM_E_CORRUPT, .offset = 108,
     .text = "not a place"},
    {"intercept not finite", BASE_NIFTI1, CHANGE(116, "\0\0\xc0\x7f"), .status = MTM_E_CORRUPT, .offset = 116,
     .text = "scl_inter"},
    {"quaternion too long", BASE_NIFTI1, CHANGE(256, "\0\0\x00\x40"), .status = MTM_E_CORRUPT, .offset = 256,
     .text = "longer than 1"},
    {"NIfTI-2 size word", BASE_NIFTI2, CHANGE(0, "\x1d"), .status = MTM_E_CORRUPT, .offset = 0,
     .text = "instead of 540"},
    {"NIfTI-2 cut", BASE_NIFTI2, CUT(539), .status = MTM_E_CORRUPT, .offset = 539, .text = "ends after 539"},
    {"NIfTI-2 product overflows", BASE_NIFTI2, CHANGE(24, "\0\0\0\0\0\0\0\x40\0\0\0\0\0\0\0\x40"),
     .status = MTM_E_LIMIT, .offset = 24, .text = "larger than the limit"},
    {"NIfTI-2 negative dimension", BASE_NIFTI2, CHANGE(31, "\xff"), .status = MTM_E_CORRUPT, .offset = 24,
     .text = "dimension 1 is -"},
    {"NIfTI-2 offset negative", BASE_NIFTI2, CHANGE(175, "\xff"), .status = MTM_E_CORRUPT, .offset = 168,
     .text = "not a place"},
    {"NIfTI-2 offset huge", BASE_NIFTI2, CHANGE(175, "\x7f"), .status = MTM_E_CORRUPT, .offset = 168,
     .text = "not a place"},
    {"NIfTI-2 offset and size overflow", BASE_NIFTI2, CHANGE(174, "\xff\x7b"), .status = MTM_E_CORRUPT,
     .offset = 168, .text = "beyond the file"},
    {"gzip cut voxels", BASE_NIFTI1, CUT(399), .gzip = true, .status = MTM_E_CORRUPT, .offset = -2,
     .text = "399 of 400 bytes"},
    {"gzip empty stream", BASE_NIFTI1, CUT(0), .gzip = true, .status = MTM_E_UNSUPPORTED, .offset = 0,
     .text = "no known image"},
    {"gzip CRC", BASE_NIFTI1, CUT(-1), .gzip = true, .gz_flip = 8, .status = MTM_E_CORRUPT, .offset = -2,
     .text = "broken gzip"},
    {"gzip announces too much", BASE_NIFTI1, CHANGE(42, "\xff\x7f\xff\x7f"), .gzip = true,
     .status = MTM_E_LIMIT, .offset = 42, .text = "times the compressed file"},
    {"gzip offset huge", BASE_NIFTI1, CHANGE(108, "\0\0\x80\x5b"), .gzip = true, .status = MTM_E_LIMIT,
     .offset = 42, .text = "times the compressed file"},
    {"npy version", BASE_NPY, CHANGE(6, "\x04"), .status = MTM_E_UNSUPPORTED, .offset = 6,
     .text = "version 4"},
    {"npy header length", BASE_NPY, CHANGE(8, "\xff\xff"), .status = MTM_E_CORRUPT, .offset = -2,
     .text = "announced"},
    {"npy no dictionary", BASE_NPY, CHANGE(10, "["), .status = MTM_E_CORRUPT, .offset = 10,
     .text = "no dictionary"},
    {"npy unknown key", BASE_NPY, CHANGE(12, "x"), .status = MTM_E_CORRUPT, .offset = -2,
     .text = "no descr, fortran_order or shape"},
    {"npy objects", BASE_NPY, CHANGE(21, "|O8"), .status = MTM_E_UNSUPPORTED, .offset = 10,
     .text = "dtype |O8"},
    {"npy records", BASE_NPY, CHANGE(20, "["), .status = MTM_E_UNSUPPORTED, .offset = 20, .text = "records"},
    {"npy order", BASE_NPY, CHANGE(44, "Trues"), .status = MTM_E_CORRUPT, .offset = -2,
     .text = "comma or closing brace"},
    {"npy shape overflows", BASE_NPY, CHANGE(61, "9999999999999999999999,)}                 "),
     .status = MTM_E_CORRUPT, .offset = -2, .text = "extent below 2^63"},
    {"npy size overflows", BASE_NPY, CHANGE(61, "4611686018427387904, 4611686018427387904)}"),
     .status = MTM_E_LIMIT, .offset = -2, .text = "larger than the limit"},
    {"npy too large", BASE_NPY, CHANGE(61, "999999999,)}   "), .status = MTM_E_CORRUPT, .offset = 176,
     .text = "truncated"},
    {"npy negative extent", BASE_NPY, CHANGE(61, "-"), .status = MTM_E_CORRUPT, .offset = 61,
     .text = "no extent"},
    {"npy cut", BASE_NPY, CUT(175), .status = MTM_E_CORRUPT, .offset = 175, .text = "truncated"},
    {"npy cut header", BASE_NPY, CUT(60), .status = MTM_E_CORRUPT, .offset = -2, .text = "announced"},
};
#undef CHANGE
#undef CUT

#endif
