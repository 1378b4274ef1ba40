/* wire.c: the only file that names everything: joins the const tables of formats, codecs and operators.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "codec/codec.h"
#include "format/format.h"
#include "op/ops.h"

#define MTM_OP_ENTRY(name) &mtm_op_##name,
static const mtm_op *const op_table[] = {MTM_OPS(MTM_OP_ENTRY) NULL};

const mtm_op *const *mtm_op_table(int32_t *n)
{
    *n = (int32_t)(sizeof op_table / sizeof *op_table) - 1;
    return op_table;
}

static const mtm_format *const format_table[] = {&mtm_format_npy,   &mtm_format_nrrd,  &mtm_format_mha,
                                                 &mtm_format_j2k,   &mtm_format_png,   &mtm_format_pnm,
                                                 &mtm_format_nifti, &mtm_format_dicom, NULL};

const mtm_format *const *mtm_format_table(void)
{
    return format_table;
}

static const mtm_codec *const codec_table[] = {&mtm_codec_j2k, &mtm_codec_jpeg,    &mtm_codec_jpegls,
                                               &mtm_codec_rle, &mtm_codec_deflate, NULL};

const mtm_codec *const *mtm_codec_table(void)
{
    return codec_table;
}
