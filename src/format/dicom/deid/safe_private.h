/* format/dicom/deid/safe_private.h: private attributes that are known to identify nobody (PS3.15 E.3.10).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_DICOM_SAFE_PRIVATE_H
#define MTM_DICOM_SAFE_PRIVATE_H

#include "base/error.h"

/* tag: of the element, its block included. more: "creator|ggggee", group and the last byte of the element in hexadecimal digits. */
bool dcm_private_is_safe(const char *creator, uint32_t tag, const char *const *more, int32_t n_more);

#endif
