/* format/dicom/write/icon.c: pixel data inside sequences, icons mostly (PS3.3 F.7), made native. Compressed they are in the syntax of
 * the whole, and would be unreadable in another; native they may stand in every syntax (PS3.5 A.4).
 * SPDX-License-Identifier: Apache-2.0 */
#include "format/dicom/data/build.h"
#include "transcode.h"

MTM_DEFINE_AUTO(mtm_codec_ctx, mtm_codec_ctx_free)

static bool is_compressed_icon(const mtm_dicom_element *e)
{
    return e->depth > 0 && e->flags & MTM_DICOM_ENCAPSULATED;
}

bool dcm_has_compressed_icon(const mtm_dicom *d)
{
    for (int32_t i = 0; i < d->n; i++)
        if (is_compressed_icon(&d->elements[i]))
            return true;
    return false;
}

/* What changes in the icon's item, at the builder's open level. */
static mtm_status put_native(mtm_dicom_builder *b, dcm_recode *r, mtm_error *err)
{
    mtm_bytes cells = {0};
    dcm_scratch scratch = {0};
    mtm_status s = dcm_recode_plan(r, err);

    if (s == MTM_OK && r->source->pixels.frames != 1)
        s = mtm_fail(err, MTM_E_UNSUPPORTED, -1, "it has %" PRId64 " frames", r->source->pixels.frames);
    if (s == MTM_OK)
        s = dcm_frame_recode(r, &scratch, 0, NULL, &cells, err);
    if (s == MTM_OK)
        s = dcm_recode_header(b, r, err);
    if (s == MTM_OK)
        s = mtm_dicom_put(b, DCM_PIXELS, r->bits_allocated > 8 ? "OW" : "OB", cells.data, cells.size_bytes,
                          err);
    dcm_decoder_free(r->source);
    dcm_scratch_drop(&scratch);
    mtm_bytes_drop(&cells);
    return s;
}

/* The icon as a data set of its own, decoded; its changes go into `item`, a node of b. */
static mtm_status icon_put(mtm_dicom_builder *b, int32_t item, const mtm_dicom_element *e, dcm_recode *r,
                           mtm_error *err)
{
    const mtm_dicom *const d = r->d;
    MTM_AUTO(mtm_dicom_builder) alone = NULL;
    MTM_AUTO(mtm_dicom) icon = NULL;
    dcm_recode mine = *r;
    mtm_error why = {0};
    mtm_status s;

    MTM_TRY(mtm_dicom_builder_new(&alone, err));
    MTM_TRY(dcm_copy_all(alone, d, &d->elements[e->parent], err));
    MTM_TRY(mtm_dicom_build(&icon, alone, err));
    mine.d = icon;
    b->open[2] = item, b->depth = 2; /* as if the item had just been begun */
    s = put_native(b, &mine, &why);
    b->depth = 0;
    return s ? mtm_fail(err, s, why.offset, "the icon (pixel data inside a sequence) is not decoded: %s",
                        why.text)
             : MTM_OK;
}

/* The node that line i became, at or before node k: copies keep the order of the lines. */
static int32_t node_of(const mtm_dicom_builder *b, int32_t k, int32_t line)
{
    while (b->nodes[k].line != line || !b->nodes[k].copied)
        k--;
    return k;
}

static mtm_status icons_put(mtm_dicom_builder *b, dcm_recode *r, mtm_error *err)
{
    const mtm_dicom *const d = r->d;
    const int32_t n = b->n; /* what is put comes behind */

    for (int32_t k = 1; k < n; k++) {
        const int32_t line = b->nodes[k].line;
        const mtm_dicom_element *const e = &d->elements[line];

        if (b->nodes[k].copied && is_compressed_icon(e))
            MTM_TRY(icon_put(b, node_of(b, k, e->parent), e, r, err));
    }
    return MTM_OK;
}

mtm_status dcm_icons_decode(mtm_dicom **out, const mtm_dicom *d, const dcm_syntax *from,
                            const mtm_dicom_write_options *options, mtm_error *err)
{
    dcm_recode r = {.d = d,
                    .from = from,
                    .to = dcm_syntax_find("1.2.840.10008.1.2.1"),
                    .options = options,
                    .codec = options->codec};
    MTM_AUTO(mtm_dicom_builder) b = NULL;
    MTM_AUTO(mtm_codec_ctx) own = NULL;

    if (!r.codec) {
        MTM_TRY(mtm_codec_ctx_new(&own, err));
        r.codec = own;
    }
    MTM_TRY(mtm_dicom_builder_new(&b, err));
    MTM_TRY(dcm_copy_all(b, d, NULL, err));
    MTM_TRY(icons_put(b, &r, err));
    return mtm_dicom_build(out, b, err);
}
