/* format/dicom/deid/pseudonym.h: what replaces identities: functions of a secret and the old value alone (HMAC-SHA-256, RFC 2104), so that
 * files of one patient, study or frame of reference stay together, whenever and wherever they are done.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_DICOM_PSEUDONYM_H
#define MTM_DICOM_PSEUDONYM_H

#include "base/error.h"

typedef struct dcm_secret {
    const void *key;
    size_t key_bytes;
} dcm_secret;

enum { DCM_UID_ROOM = 65, DCM_PSEUDONYM_ROOM = 17 };

/* root and a decimal number of 122 bits of the old UID's hash; root "2.25.": a UUID of version 8 (RFC 9562). Errors: MTM_E_INVAL (a root that is
 * no UID's beginning, or too long for a number of at least 20 digits). */
mtm_status dcm_pseudo_uid(char out[DCM_UID_ROOM], const dcm_secret *s, const char *root, const char *uid,
                          mtm_error *err);
/* Sixteen hexadecimal digits. */
mtm_status dcm_pseudo_id(char out[DCM_PSEUDONYM_ROOM], const dcm_secret *s, const char *id, mtm_error *err);
/* 1 … most days. */
mtm_status dcm_pseudo_days(int64_t *out, const dcm_secret *s, const char *id, int most, mtm_error *err);

/* A DA or DT value (text of n bytes) moved back by `days`, as exactly as it was written; a DT's time and zone stay. False: no date that
 * could be moved. out: n + 1 bytes. */
bool dcm_shift_date(char *out, const char *date, size_t n, int64_t days);

#endif
