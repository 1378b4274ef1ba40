/* op/label/label.h: what the operators on label maps share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_OP_LABEL_H
#define MTM_OP_LABEL_H

#include "array/components.h"
#include "op/exec.h"

#define MTM_CONNECTIVITY_CHOICES "faces|full"
#define MTM_CONNECTIVITY_HELP                                                                                \
    "Voxels touch by their faces (4 in a plane, 6 in a volume), or also by edges and corners (8, 26)."

/* Label maps hold integers. */
mtm_status mtm_label_check(const mtm_spec *in, mtm_error *err);

/* Channel c of a picture as [Z, Y, X], borrowed. */
mtm_array mtm_label_channel(const mtm_array *czyx, int64_t c);

#endif
