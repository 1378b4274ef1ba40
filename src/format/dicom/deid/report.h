/* format/dicom/deid/report.h: what de-identification did, element by element, as paths without values.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_DICOM_DEID_REPORT_H
#define MTM_DICOM_DEID_REPORT_H

#include "format/dicom/data/dataset.h"

/* Under way: the public report, the arena of its texts, and where the walk is. */
typedef struct dcm_report dcm_report;

mtm_status dcm_report_new(dcm_report **out, mtm_error *err);
void dcm_report_free(dcm_report *r);
/* Goes into item i of a sequence, and back to where `mark` was. */
size_t dcm_report_enter(dcm_report *r, uint32_t tag, int32_t i);
void dcm_report_leave(dcm_report *r, size_t mark);
mtm_status dcm_report_add(dcm_report *r, uint32_t tag, char action, mtm_error *err);
mtm_status dcm_report_warn(dcm_report *r, const char *sentence, mtm_error *err); /* a constant */
/* Hands the public report out; *r becomes NULL. */
mtm_status dcm_report_take(dcm_report **r, mtm_deid_report **out, mtm_error *err);

#endif
