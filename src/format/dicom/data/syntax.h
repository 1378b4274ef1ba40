/* format/dicom/data/syntax.h: the transfer syntaxes (PS3.5 A): how the data set is written, and what its pixels are in.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_DICOM_SYNTAX_H
#define MTM_DICOM_SYNTAX_H

#include <stdbool.h>

typedef struct dcm_syntax {
    const char *uid, *keyword;
    const char *
        codec; /* of the codec table: "none", "deflate", "rle", "jpeg", "jpegls", "j2k", "htj2k"; NULL: not decoded (video, …) */
    bool implicit, big_endian, deflated; /* the data set */
    bool big_endian_pixels;              /* of a data set that else is little endian (GE's private syntax) */
    bool encapsulated;                   /* its pixels lie in fragments */
    bool lossless;                       /* cannot lose */
    bool encode;                         /* written by this version */
} dcm_syntax;

/* By UID or keyword; NULL: not known. */
const dcm_syntax *dcm_syntax_find(const char *uid);

#endif
