/* format/dicom/write/out.h: where a data set's bytes go: through a buffer, and deflated where the syntax says so, into a file under way.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_DICOM_OUT_H
#define MTM_DICOM_OUT_H

#include <zlib.h>

#include "io/write.h"

enum { DCM_OUT_BYTES = 1 << 16 };

typedef struct dcm_out {
    mtm_writer *w; /* borrowed */
    uint64_t at;   /* bytes taken so far; of a deflated data set, before deflating */
    size_t used;   /* of buffer */
    uint64_t deflated_bytes;
    z_stream z;
    bool deflating;
    uint8_t buffer[DCM_OUT_BYTES], packed[DCM_OUT_BYTES];
} dcm_out;

mtm_status dcm_out_new(dcm_out **out, mtm_writer *w, mtm_error *err);
void dcm_out_free(dcm_out *o);
MTM_DEFINE_AUTO(dcm_out, dcm_out_free)

mtm_status dcm_out_put(dcm_out *o, const void *data, size_t n, mtm_error *err);
mtm_status dcm_out_zeros(dcm_out *o, uint64_t n, mtm_error *err);
mtm_status dcm_out_u16(dcm_out *o, uint16_t v, bool big_endian, mtm_error *err);
mtm_status dcm_out_u32(dcm_out *o, uint32_t v, bool big_endian, mtm_error *err);
/* What follows is deflated (PS3.5 A.5); ends with dcm_out_finish, which pads to an even length. */
mtm_status dcm_out_deflate(dcm_out *o, mtm_error *err);
mtm_status dcm_out_flush(dcm_out *o, mtm_error *err);
mtm_status dcm_out_finish(dcm_out *o, mtm_error *err);
/* Writes again what was written before at offset_bytes of the file; not of a deflated data set. */
mtm_status dcm_out_patch(dcm_out *o, uint64_t offset_bytes, const void *data, size_t n, mtm_error *err);

#endif
