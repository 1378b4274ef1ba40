/* format/dicom/volume/scan.h: a listing from inside: the reading of headers (scan.c), and their order (listing.c).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_DICOM_SCAN_H
#define MTM_DICOM_SCAN_H

#include "format/dicom/data/dataset.h"
#include "io/folder.h"

/* A listing and all that its pointers lead to. */
typedef struct dcm_listing {
    mtm_dicom_listing base;
    mtm_file_list *files; /* the paths */
    dcm_arena *texts;     /* [n_texts] */
    int64_t n_texts;
    mtm_dicom_instance *instances;
    int64_t *series, *studies, *patients;
    mtm_dicom_skipped *skipped;
} dcm_listing;

void dcm_listing_drop(dcm_listing *l);
MTM_DEFINE_AUTO(dcm_listing, dcm_listing_drop)

/* Fills l->base from what was found in l->files: found[i].path NULL: left out, for why[i]. */
mtm_status dcm_listing_order(dcm_listing *l, const mtm_dicom_instance *found, const char *const *why,
                             mtm_error *err);

#endif
