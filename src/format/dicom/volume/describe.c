/* format/dicom/volume/describe.c: properties and problems of a DICOM volume: technical facts of the first frame's data set, and what
 * was noticed while its files were put together. Nothing that names a patient, a person or a day.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "volume_image.h"

enum { MOST_VALUES = 400 /* characters of a list of values */ };

static const uint32_t technical[] = {
    0x00080008, /* ImageType */
    0x00080060, /* Modality */
    0x0020000E, /* SeriesInstanceUID */
    0x00080070, /* Manufacturer */
    0x00081090, /* ManufacturerModelName */
    0x00180020, /* ScanningSequence */
    0x00180050, /* SliceThickness */
    0x00180060, /* KVP */
    0x00180080, /* RepetitionTime */
    0x00180081, /* EchoTime */
    0x00180082, /* InversionTime */
    0x00180087, /* MagneticFieldStrength */
    0x00180088, /* SpacingBetweenSlices */
    0x00181120, /* GantryDetectorTilt */
    0x00181210, /* ConvolutionKernel */
    0x00181314, /* FlipAngle */
    0x00185100, /* PatientPosition */
    0x00189087, /* DiffusionBValue */
    0x00280004, /* PhotometricInterpretation */
    0x00280101, /* BitsStored */
    0x00280301, /* BurnedInAnnotation */
    0x00281050, /* WindowCenter */
    0x00281051, /* WindowWidth */
    0x00281054, /* RescaleType */
    0x00282110, /* LossyImageCompression */
    0x00282112, /* LossyImageCompressionRatio */
    0x00282114, /* LossyImageCompressionMethod */
    0x00541001, /* Units */
    0x00541102, /* DecayCorrection */
    0x30040002, /* DoseUnits */
    0x30040004, /* DoseType */
};

/* All values of an element, joined by a backslash, as far as they fit; false: none. */
static bool values_text(const mtm_dicom *d, const mtm_dicom_element *e, char *text, size_t room)
{
    const bool number =
        !strcmp(e->vr, "US") || !strcmp(e->vr, "FD") || !strcmp(e->vr, "FL") || !strcmp(e->vr, "SS");
    size_t at = 0;
    char one[72];
    double x;

    text[0] = 0;
    for (int64_t i = 0; i < mtm_dicom_value_count(d, e) && at + sizeof one + 1 < room; i++) {
        if (number && mtm_dicom_f64(d, e, i, &x))
            snprintf(one, sizeof one, "%.10g", x);
        else
            (void)mtm_dicom_ascii(d, e, i, one, sizeof one);
        at += (size_t)snprintf(text + at, room - at, "%s%s", i ? "\\" : "", one);
    }
    return text[0];
}

static mtm_status technical_facts(dcm_image *im, const mtm_dicom *d, mtm_error *err)
{
    char text[MOST_VALUES], key[80];

    for (size_t i = 0; i < sizeof technical / sizeof *technical; i++) {
        const mtm_dicom_element *const e = mtm_dicom_find(d, NULL, technical[i]);
        const mtm_dicom_entry *const entry = mtm_dicom_entry_by_tag(technical[i]);

        if (!e || !entry || !values_text(d, e, text, sizeof text))
            continue;
        snprintf(key, sizeof key, "dicom.%s", entry->keyword);
        MTM_TRY(mtm_image_add_property(&im->base, err, key, "%s", text));
    }
    return MTM_OK;
}

/* "0, 500, 1000": the values of axis T at the first place. */
static mtm_status axis_values(dcm_image *im, const dcm_set *set, const dcm_stack *stack, mtm_error *err)
{
    const dcm_vary_entry *const axis = &dcm_vary_table[stack->axis];
    char text[MOST_VALUES] = "", key[80];
    size_t at = 0;

    MTM_TRY(mtm_image_add_property(&im->base, err, "dicom.T", "%s", axis->name));
    for (int64_t t = 0; t < stack->nt && at + 24 < sizeof text; t++) {
        const double x = set->slices[stack->slices[t * stack->nz]].vary[stack->axis];

        at += (size_t)snprintf(text + at, sizeof text - at, isnan(x) ? "%s-" : "%s%.10g", t ? ", " : "", x);
    }
    /* Times of day are days that a patient was seen; only what passes between them is told. */
    if (axis->kind == DCM_VARY_CLOCK)
        return MTM_OK;
    snprintf(key, sizeof key, "dicom.T.%s", axis->name);
    return mtm_image_add_property(&im->base, err, key, "%s", text);
}

/* b-values where T is something else that they go along with. */
static mtm_status b_values(dcm_image *im, const dcm_set *set, const dcm_stack *stack, mtm_error *err)
{
    char text[MOST_VALUES] = "";
    size_t at = 0;
    bool any = false;

    for (int64_t t = 0; t < stack->nt && at + 24 < sizeof text; t++) {
        const double x = set->slices[stack->slices[t * stack->nz]].vary[DCM_VARY_B_VALUE];

        any = any || x > 0;
        at += (size_t)snprintf(text + at, sizeof text - at, isnan(x) ? "%s-" : "%s%.10g", t ? ", " : "", x);
    }
    return any && stack->axis != DCM_VARY_B_VALUE
               ? mtm_image_add_property(&im->base, err, "dicom.T.DiffusionBValue", "%s", text)
               : MTM_OK;
}

static mtm_status problems(dcm_image *im, const mtm_dicom *d, const dcm_stack *stack, mtm_error *err)
{
    if (stack->note[0])
        MTM_TRY(mtm_image_add_problem(&im->base, err, "%s", stack->note));
    for (int32_t i = 0; i < mtm_dicom_warning_count(d); i++)
        MTM_TRY(mtm_image_add_problem(&im->base, err, "%s", mtm_dicom_warning_get(d, i)));
    if (im->files[0].flags & DCM_FILE_MOSAIC)
        MTM_TRY(mtm_image_add_problem(&im->base, err,
                                      "each image is a mosaic of slices, which is not taken apart"));
    return MTM_OK;
}

mtm_status dcm_image_describe(dcm_image *im, const mtm_dicom *d, const dcm_set *set, const dcm_stack *stack,
                              mtm_error *err)
{
    MTM_TRY(
        mtm_image_add_property(&im->base, err, "dicom.SOPClass", "%s", dcm_uid_name(im->files[0].sop_class)));
    MTM_TRY(mtm_image_add_property(&im->base, err, "dicom.TransferSyntax", "%s",
                                   dcm_uid_name(mtm_dicom_transfer_syntax(d))));
    MTM_TRY(technical_facts(im, d, err));
    MTM_TRY(mtm_image_add_property(&im->base, err, "dicom.files", "%d", (int)im->n_files));
    if (set->n_skipped)
        MTM_TRY(mtm_image_add_property(&im->base, err, "dicom.files_skipped", "%" PRId64, set->n_skipped));
    if (im->own_scale)
        MTM_TRY(mtm_image_add_property(&im->base, err, "dicom.rescale",
                                       im->files[0].flags & DCM_FILE_LUT ? "modality LUT" : "per image"));
    if (stack->tilt > 0)
        MTM_TRY(mtm_image_add_property(&im->base, err, "dicom.gantry_tilt", "%.4g", stack->tilt));
    if (stack->nt > 1 && stack->axis >= 0) {
        MTM_TRY(axis_values(im, set, stack, err));
        MTM_TRY(b_values(im, set, stack, err));
    }
    return problems(im, d, stack, err);
}
