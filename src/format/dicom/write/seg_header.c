/* format/dicom/write/seg_header.c: the modules of a segmentation object (PS3.3 A.51), which say what each of its frames is.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <time.h>

#include "seg.h"

#define SEGMENTATION "1.2.840.10008.5.1.4.1.1.66.4"
#define LABEL_MAP    "1.2.840.10008.5.1.4.1.1.66.7"

enum { SEG_SERIES_AFTER = 1000, MOST_FRACTION = 255 };

static mtm_status put_i64(mtm_dicom_builder *b, uint32_t tag, int64_t v, mtm_error *err)
{
    return mtm_dicom_put_i64(b, tag, NULL, &v, 1, err);
}

static mtm_status begin(mtm_dicom_builder *b, uint32_t tag, mtm_error *err)
{
    MTM_TRY(mtm_dicom_begin_sequence(b, tag, err));
    return mtm_dicom_begin_item(b, err);
}

static mtm_status end(mtm_dicom_builder *b, mtm_error *err)
{
    MTM_TRY(mtm_dicom_end_item(b, err));
    return mtm_dicom_end_sequence(b, err);
}

/* A code sequence of one item (PS3.3 8). */
static mtm_status put_code(mtm_dicom_builder *b, uint32_t tag, const char *const code[3], mtm_error *err)
{
    MTM_TRY(begin(b, tag, err));
    MTM_TRY(mtm_dicom_put_text(b, 0x00080100, NULL, code[0], err)); /* CodeValue */
    MTM_TRY(mtm_dicom_put_text(b, 0x00080102, NULL, code[1], err)); /* CodingSchemeDesignator */
    MTM_TRY(mtm_dicom_put_text(b, 0x00080104, NULL, code[2], err)); /* CodeMeaning */
    return end(b, err);
}

/* ---- segments ----------------------------------------------------------------------------------------- */

static mtm_status put_segment(mtm_dicom_builder *b, const mtm_dicom_segment *s, int32_t number,
                              mtm_error *err)
{
    static const char *const tissue[3] = {"85756007", "SCT", "Tissue"};
    char label[32];

    snprintf(label, sizeof label, "Label %" PRId64, s->value);
    MTM_TRY(mtm_dicom_begin_item(b, err));
    MTM_TRY(put_i64(b, 0x00620004, number, err)); /* SegmentNumber */
    MTM_TRY(mtm_dicom_put_text(b, 0x00620005, NULL, s->label && s->label[0] ? s->label : label, err));
    MTM_TRY(mtm_dicom_put_text(b, 0x00620008, NULL, s->algorithm ? "AUTOMATIC" : "MANUAL", err));
    if (s->algorithm)
        MTM_TRY(mtm_dicom_put_text(b, 0x00620009, NULL, s->algorithm, err)); /* SegmentAlgorithmName */
    MTM_TRY(put_code(b, 0x00620003, s->category[0] ? s->category : tissue, err));
    MTM_TRY(put_code(b, 0x0062000F, s->type[0] ? s->type : tissue, err));
    return mtm_dicom_end_item(b, err);
}

static mtm_status put_segments(mtm_dicom_builder *b, const mtm_dicom_segment *segments, int32_t n,
                               const mtm_dicom_seg_options *opt, mtm_error *err)
{
    const char *const type = opt->fractional ? "FRACTIONAL" : opt->label_map ? "LABELMAP" : "BINARY";

    MTM_TRY(mtm_dicom_put_text(b, 0x00620001, NULL, type, err)); /* SegmentationType */
    if (opt->label_map)
        MTM_TRY(mtm_dicom_put_text(b, 0x00620013, NULL, "NO", err)); /* SegmentsOverlap */
    if (opt->fractional) {
        MTM_TRY(mtm_dicom_put_text(b, 0x00620010, NULL, "PROBABILITY", err)); /* SegmentationFractionalType */
        MTM_TRY(put_i64(b, 0x0062000E, MOST_FRACTION, err));
    }
    MTM_TRY(mtm_dicom_begin_sequence(b, 0x00620002, err));
    for (int32_t i = 0; i < n; i++)
        MTM_TRY(put_segment(b, &segments[i], opt->label_map ? (int32_t)segments[i].value : i + 1, err));
    return mtm_dicom_end_sequence(b, err);
}

/* ---- dimensions and functional groups (PS3.3 C.7.6.16, C.7.6.17) -------------------------------------- */

static mtm_status put_dimension(mtm_dicom_builder *b, const char *uid, int64_t attribute, int64_t group,
                                const char *label, mtm_error *err)
{
    MTM_TRY(mtm_dicom_begin_item(b, err));
    MTM_TRY(mtm_dicom_put_text(b, 0x00209164, NULL, uid, err));   /* DimensionOrganizationUID */
    MTM_TRY(put_i64(b, 0x00209165, attribute, err));              /* DimensionIndexPointer */
    MTM_TRY(put_i64(b, 0x00209167, group, err));                  /* FunctionalGroupPointer */
    MTM_TRY(mtm_dicom_put_text(b, 0x00209421, NULL, label, err)); /* DimensionDescriptionLabel */
    return mtm_dicom_end_item(b, err);
}

static mtm_status put_dimensions(mtm_dicom_builder *b, const mtm_dicom_seg_options *opt, mtm_error *err)
{
    char uid[SEG_UID_ROOM];

    MTM_TRY(mtm_dicom_uid_new(uid, opt->write.uid_root, err));
    MTM_TRY(begin(b, 0x00209221, err)); /* DimensionOrganizationSequence */
    MTM_TRY(mtm_dicom_put_text(b, 0x00209164, NULL, uid, err));
    MTM_TRY(end(b, err));
    MTM_TRY(mtm_dicom_begin_sequence(b, 0x00209222, err)); /* DimensionIndexSequence */
    if (!opt->label_map)
        MTM_TRY(put_dimension(b, uid, 0x0062000B, 0x0062000A, "Segment", err));
    MTM_TRY(put_dimension(b, uid, 0x00200032, 0x00209113, "Slice", err));
    return mtm_dicom_end_sequence(b, err);
}

static mtm_status put_shared(mtm_dicom_builder *b, const seg_source *src, mtm_error *err)
{
    const double thickness = src->thickness > 0 ? src->thickness : src->between > 0 ? src->between : 1;

    MTM_TRY(begin(b, 0x52009229u, err)); /* SharedFunctionalGroupsSequence */
    MTM_TRY(begin(b, 0x00209116, err));  /* PlaneOrientationSequence */
    MTM_TRY(mtm_dicom_put_f64(b, 0x00200037, NULL, src->directions, 6, err));
    MTM_TRY(end(b, err));
    MTM_TRY(begin(b, 0x00289110, err)); /* PixelMeasuresSequence */
    MTM_TRY(mtm_dicom_put_f64(b, 0x00280030, NULL, src->spacing, 2, err));
    MTM_TRY(mtm_dicom_put_f64(b, 0x00180050, NULL, &thickness, 1, err));
    if (src->between > 0)
        MTM_TRY(mtm_dicom_put_f64(b, 0x00180088, NULL, &src->between, 1, err));
    MTM_TRY(end(b, err));
    return end(b, err);
}

/* The instance, or the frame of one, that a frame was drawn on. */
static mtm_status put_derivation(mtm_dicom_builder *b, const seg_slice *s, mtm_error *err)
{
    static const char *const segmentation[3] = {"113076", "DCM", "Segmentation"};
    static const char *const source[3] = {"121322", "DCM", "Source image for image processing operation"};

    MTM_TRY(begin(b, 0x00089124, err)); /* DerivationImageSequence */
    MTM_TRY(begin(b, 0x00082112, err)); /* SourceImageSequence */
    MTM_TRY(mtm_dicom_put_text(b, 0x00081150, NULL, s->sop_class, err));
    MTM_TRY(mtm_dicom_put_text(b, 0x00081155, NULL, s->sop_uid, err));
    if (s->frame)
        MTM_TRY(put_i64(b, 0x00081160, s->frame, err));           /* ReferencedFrameNumber */
    MTM_TRY(mtm_dicom_put_text(b, 0x0028135A, NULL, "YES", err)); /* SpatialLocationsPreserved */
    MTM_TRY(put_code(b, 0x0040A170, source, err));                /* PurposeOfReferenceCodeSequence */
    MTM_TRY(end(b, err));
    MTM_TRY(put_code(b, 0x00089215, segmentation, err)); /* DerivationCodeSequence */
    return end(b, err);
}

/* Frames of a label map belong to no segment. */
static mtm_status put_frame(mtm_dicom_builder *b, const seg_source *src, const seg_frame *f, bool label_map,
                            mtm_error *err)
{
    const int64_t index[2] = {f->segment + 1, f->slice + 1};

    MTM_TRY(mtm_dicom_begin_item(b, err));
    MTM_TRY(put_derivation(b, &src->slices[f->slice], err));
    MTM_TRY(begin(b, 0x00209111, err)); /* FrameContentSequence */
    MTM_TRY(mtm_dicom_put_i64(b, 0x00209157, NULL, index + label_map, 2 - label_map,
                              err)); /* DimensionIndexValues */
    MTM_TRY(end(b, err));
    MTM_TRY(begin(b, 0x00209113, err)); /* PlanePositionSequence */
    MTM_TRY(mtm_dicom_put_f64(b, 0x00200032, NULL, src->slices[f->slice].position, 3, err));
    MTM_TRY(end(b, err));
    if (!label_map) {
        MTM_TRY(begin(b, 0x0062000A, err));                   /* SegmentIdentificationSequence */
        MTM_TRY(put_i64(b, 0x0062000B, f->segment + 1, err)); /* ReferencedSegmentNumber */
        MTM_TRY(end(b, err));
    }
    return mtm_dicom_end_item(b, err);
}

/* ---- the other modules -------------------------------------------------------------------------------- */

static mtm_status put_series(mtm_dicom_builder *b, const seg_source *src, const mtm_dicom_seg_options *opt,
                             mtm_error *err)
{
    static const dcm_default frame_of_reference[] = {
        {0x00200052, NULL}, {0x00201040, ""}, {0x0020000D, NULL}};
    char uid[SEG_UID_ROOM];

    MTM_TRY(dcm_keep_all(b, src->first, dcm_patient_study, dcm_n_patient_study, err));
    MTM_TRY(dcm_keep_all(b, src->first, frame_of_reference, 3, err));
    MTM_TRY(dcm_put_equipment(b, err));
    MTM_TRY(mtm_dicom_put_text(b, 0x00181000, NULL, "none", err)); /* DeviceSerialNumber: type 1 here */
    MTM_TRY(mtm_dicom_put_text(b, 0x00080060, NULL, "SEG", err));
    MTM_TRY(mtm_dicom_uid_new(uid, opt->write.uid_root, err));
    MTM_TRY(mtm_dicom_put_text(b, 0x0020000E, NULL, uid, err));
    MTM_TRY(put_i64(b, 0x00200011, dcm_i64(src->first, NULL, 0x00200011, 0) + SEG_SERIES_AFTER, err));
    if (opt->description && opt->description[0])
        return mtm_dicom_put_text(b, 0x0008103E, NULL, opt->description, err);
    return MTM_OK;
}

/* Content date and time are type 1 (PS3.3 C.7.6.16). */
static mtm_status put_moment(mtm_dicom_builder *b, mtm_error *err)
{
    const time_t now = time(NULL);
    char text[32];
    struct tm t;

    if (!gmtime_r(&now, &t))
        return mtm_fail(err, MTM_E_IO, -1, "the system's clock has no date");
    strftime(text, sizeof text, "%Y%m%d", &t);
    MTM_TRY(mtm_dicom_put_text(b, 0x00080023, NULL, text, err));
    strftime(text, sizeof text, "%H%M%S", &t);
    return mtm_dicom_put_text(b, 0x00080033, NULL, text, err);
}

static mtm_status put_image(mtm_dicom_builder *b, const seg_source *src, const mtm_dicom_seg_options *opt,
                            int64_t n_frames, int bits, mtm_error *err)
{
    char uid[SEG_UID_ROOM];

    MTM_TRY(mtm_dicom_uid_new(uid, opt->write.uid_root, err));
    MTM_TRY(mtm_dicom_put_text(b, DCM_SOP_CLASS, NULL, opt->label_map ? LABEL_MAP : SEGMENTATION, err));
    MTM_TRY(mtm_dicom_put_text(b, DCM_SOP_INSTANCE, NULL, uid, err));
    MTM_TRY(mtm_dicom_put_text(b, 0x00080008, NULL, "DERIVED\\PRIMARY", err));
    MTM_TRY(put_i64(b, 0x00200013, 1, err));
    MTM_TRY(put_moment(b, err));
    MTM_TRY(mtm_dicom_put_text(b, 0x00700080, NULL, "SEGMENTATION", err));   /* ContentLabel */
    MTM_TRY(mtm_dicom_put_text(b, 0x00700081, NULL, opt->description, err)); /* ContentDescription */
    MTM_TRY(mtm_dicom_put_text(b, 0x00700084, NULL, "", err));               /* ContentCreatorName */
    MTM_TRY(mtm_dicom_put_text(b, 0x00282110, NULL, "00", err));             /* LossyImageCompression */
    MTM_TRY(put_i64(b, 0x00280008, n_frames, err));
    MTM_TRY(put_i64(b, 0x00280002, 1, err));
    MTM_TRY(mtm_dicom_put_text(b, 0x00280004, NULL, "MONOCHROME2", err));
    MTM_TRY(put_i64(b, 0x00280010, src->rows, err));
    MTM_TRY(put_i64(b, 0x00280011, src->columns, err));
    MTM_TRY(put_i64(b, 0x00280100, bits, err));
    MTM_TRY(put_i64(b, 0x00280101, bits, err));
    MTM_TRY(put_i64(b, 0x00280102, bits - 1, err));
    if (opt->label_map)
        MTM_TRY(mtm_dicom_put_i64(b, 0x00280120, "US", (const int64_t[]){0}, 1,
                                  err)); /* PixelPaddingValue: what no segment holds */
    return put_i64(b, 0x00280103, 0, err);
}

/* Common instance reference (PS3.3 C.12.2): all instances that frames refer to, each once. */
static mtm_status put_references(mtm_dicom_builder *b, const seg_source *src, mtm_error *err)
{
    MTM_TRY(begin(b, 0x00081115, err)); /* ReferencedSeriesSequence */
    MTM_TRY(mtm_dicom_put_text(b, 0x0020000E, NULL, src->series_uid, err));
    MTM_TRY(mtm_dicom_begin_sequence(b, 0x0008114A, err)); /* ReferencedInstanceSequence */
    for (int64_t z = 0; z < src->n && (z == 0 || !src->slices[z].frame); z++) {
        MTM_TRY(mtm_dicom_begin_item(b, err));
        MTM_TRY(mtm_dicom_put_text(b, 0x00081150, NULL, src->slices[z].sop_class, err));
        MTM_TRY(mtm_dicom_put_text(b, 0x00081155, NULL, src->slices[z].sop_uid, err));
        MTM_TRY(mtm_dicom_end_item(b, err));
    }
    MTM_TRY(mtm_dicom_end_sequence(b, err));
    return end(b, err);
}

mtm_status dcm_seg_header(mtm_dicom_builder *b, const seg_source *src, const mtm_dicom_segment *segments,
                          int32_t n_segments, const seg_frame *frames, int64_t n_frames, int bits,
                          const mtm_dicom_seg_options *opt, mtm_error *err)
{
    MTM_TRY(put_series(b, src, opt, err));
    MTM_TRY(put_image(b, src, opt, n_frames, bits, err));
    MTM_TRY(put_segments(b, segments, n_segments, opt, err));
    MTM_TRY(put_references(b, src, err));
    MTM_TRY(put_dimensions(b, opt, err));
    MTM_TRY(put_shared(b, src, err));
    MTM_TRY(mtm_dicom_begin_sequence(b, 0x52009230u, err)); /* PerFrameFunctionalGroupsSequence */
    for (int64_t f = 0; f < n_frames; f++)
        MTM_TRY(put_frame(b, src, &frames[f], opt->label_map, err));
    return mtm_dicom_end_sequence(b, err);
}
