/* format/dicom/write/create.c: a volume as a series of new instances: CT or MR images (PS3.3 A.3, A.4) where it comes from such, else
 * secondary captures (A.8.1), whose plane in space readers find by the same attributes.
 * SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "array/array.h"
#include "base/pool.h"
#include "create.h"

#define CT_IMAGE          "1.2.840.10008.5.1.4.1.1.2"
#define MR_IMAGE          "1.2.840.10008.5.1.4.1.1.4"
#define SECONDARY_CAPTURE "1.2.840.10008.5.1.4.1.1.7"

enum { SERIES_ROOM = 65, PATH_ROOM = 4096, SERIES_AFTER = 1000 /* added to the source's series number */ };

typedef enum kind { CAPTURE, CT, MR } kind;

/* One export: what all slices share. */
typedef struct export {
    const mtm_array *a; /* [Z, Y, X] or [Z, Y, X, 3] */
    const mtm_dicom_series_write_options *options;
    const char *folder;
    kind kind;
    mtm_dtype stored; /* U8, U16, I16 */
    double slope, inter;
    bool rescaled;
    bool has_plane;
    double row[3], column[3], step[3], origin[3]; /* LPS; row, column: unit vectors along x and y */
    double spacing[3];                            /* mm along x, y, z */
    char study_uid[SERIES_ROOM], series_uid[SERIES_ROOM], frame_uid[SERIES_ROOM];
    mtm_status status; /* of the first slice that failed */
    mtm_error error;
    int64_t failed; /* its number; −1: none */
    pthread_mutex_t lock;
} export;

/* ---- geometry ----------------------------------------------------------------------------------------- */

static double dot(const double a[3], const double b[3])
{
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

/* The affine's columns as DICOM has them: patient axes turned from RAS to LPS (PS3.3 C.7.6.2.1.1). */
static mtm_status plane_find(export *x, const double *affine, mtm_error *err)
{
    static const double tolerance = 1e-4; /* of cosines: what float32 headers leave */
    double axis[3][3], normal[3];

    for (int c = 0; c < 3; c++) {
        for (int r = 0; r < 3; r++)
            axis[c][r] = (r < 2 ? -1 : 1) * affine[4 * r + c];
        x->spacing[c] = sqrt(dot(axis[c], axis[c]));
        if (!(x->spacing[c] > 0) || !isfinite(x->spacing[c]))
            return mtm_fail(err, MTM_E_INVAL, -1, "the affine gives axis %c no length", "xyz"[c]);
    }
    for (int r = 0; r < 3; r++) {
        x->row[r] = axis[0][r] / x->spacing[0];
        x->column[r] = axis[1][r] / x->spacing[1];
        x->step[r] = axis[2][r];
        x->origin[r] = (r < 2 ? -1 : 1) * affine[4 * r + 3];
    }
    for (int r = 0; r < 3; r++)
        normal[r] =
            x->row[(r + 1) % 3] * x->column[(r + 2) % 3] - x->row[(r + 2) % 3] * x->column[(r + 1) % 3];
    if (fabs(dot(x->row, x->column)) > tolerance)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "the affine's x and y axes are not at right angles; DICOM's rows and columns are: "
                        "resample first");
    if (fabs(dot(normal, x->step)) < x->spacing[2] * (1 - tolerance))
        return mtm_fail(
            err, MTM_E_INVAL, -1,
            "the affine is sheared: its z axis is not at right angles to the slices; resample first");
    x->has_plane = true;
    return MTM_OK;
}

/* ---- values ------------------------------------------------------------------------------------------- */

/* Least and greatest value, and whether all are whole numbers; false: some are not finite. */
static bool survey(const mtm_array *slice, double *least, double *greatest, bool *whole)
{
    const double *const v = slice->data;
    const int64_t n = mtm_array_count(slice);

    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(v[i]))
            return false;
        *least = v[i] < *least ? v[i] : *least;
        *greatest = v[i] > *greatest ? v[i] : *greatest;
        *whole = *whole && v[i] == rint(v[i]);
    }
    return true;
}

static mtm_array slice_of(const mtm_array *a, int64_t z)
{
    mtm_array s = *a;

    s.owner = NULL;
    s.data = (uint8_t *)a->data + z * a->stride[0];
    s.ndim = a->ndim - 1;
    for (int i = 0; i < s.ndim; i++)
        s.shape[i] = a->shape[i + 1], s.stride[i] = a->stride[i + 1];
    return s;
}

/* The range of all values, slice by slice. 64-bit integers beyond 2⁵³ round, but are out of every range that matters. */
static mtm_status range(const mtm_array *a, double *least, double *greatest, bool *whole, mtm_error *err)
{
    mtm_array one = slice_of(a, 0), wide = {0};
    mtm_status s = mtm_array_new(&wide, MTM_F64, one.ndim, one.shape, NULL, err);

    *least = INFINITY, *greatest = -INFINITY, *whole = true;
    for (int64_t z = 0; s == MTM_OK && z < a->shape[0]; z++) {
        one = slice_of(a, z);
        s = mtm_array_convert(&wide, &one, 1, 0, NULL, err);
        if (s == MTM_OK && !survey(&wide, least, greatest, whole))
            s = mtm_fail(err, MTM_E_INVAL, -1,
                         "the volume has values that are not finite, which DICOM images cannot hold");
    }
    mtm_array_drop(&wide);
    return s;
}

/* U8 where the class takes it, else 16 bits, signed as the values are; else, when that is allowed, 65536 steps. */
static mtm_status choose_type(export *x, mtm_error *err)
{
    const bool bytes = x->kind == CAPTURE; /* CT and MR images have 16 bits (PS3.3 C.8.2.1, C.8.3.1) */
    double least, greatest;
    bool whole;

    x->slope = 1, x->inter = 0;
    if (x->options->max_error)
        *x->options->max_error = 0;
    if (bytes && (x->a->dtype == MTM_U8 || x->a->dtype == MTM_BOOL)) {
        x->stored = MTM_U8;
        return MTM_OK;
    }
    MTM_TRY(range(x->a, &least, &greatest, &whole, err));
    x->stored = least < 0 ? MTM_I16 : MTM_U16;
    if (whole && least >= (least < 0 ? -32768 : 0) && greatest <= (least < 0 ? 32767 : 65535))
        return MTM_OK;
    if (!x->options->quantize)
        return mtm_fail(
            err, MTM_E_INVAL, -1,
            "values from %g to %g%s do not fit into 16 bits as they are; quantize rounds them to steps of %g",
            least, greatest, whole ? "" : " with fractions", (greatest - least) / 65535);
    if (x->kind == MR)
        x->kind = CAPTURE; /* an MR image has no rescale (PS3.3 A.4.3) */
    x->rescaled = true;
    x->stored = MTM_U16;
    x->slope =
        greatest > least ? dcm_ds_nearest((greatest - least) / 65535) : 1; /* as readers will see them */
    x->inter = dcm_ds_nearest(least);
    return MTM_OK;
}

/* ---- attributes --------------------------------------------------------------------------------------- */

/* Copies what `like` has; else puts `standard` (NULL: leaves it out). */
static mtm_status keep(mtm_dicom_builder *b, const export *x, uint32_t tag, const char *standard,
                       mtm_error *err)
{
    const dcm_default one = {tag, standard};

    return dcm_keep_all(b, x->options->like, &one, 1, err);
}

mtm_status dcm_keep_all(mtm_dicom_builder *b, const mtm_dicom *like, const dcm_default *list, int n,
                        mtm_error *err)
{
    for (int i = 0; i < n; i++) {
        const mtm_dicom_element *const e = like ? mtm_dicom_find(like, NULL, list[i].tag) : NULL;

        if (e)
            MTM_TRY(mtm_dicom_copy(b, like, e, err));
        else if (list[i].value)
            MTM_TRY(mtm_dicom_put_text(b, list[i].tag, NULL, list[i].value, err));
    }
    return MTM_OK;
}

/* Patient and study modules (PS3.3 C.7.1, C.7.2): type 2 attributes are there even when nothing is known. */
const dcm_default dcm_patient_study[] = {
    {DCM_CHARACTER_SET, NULL},
    {0x00080020, ""} /* StudyDate */,
    {0x00080030, ""} /* StudyTime */,
    {0x00080050, ""} /* AccessionNumber */,
    {0x00080090, ""} /* ReferringPhysicianName */,
    {0x00081030, NULL} /* StudyDescription */,
    {0x00100010, ""} /* PatientName */,
    {0x00100020, ""} /* PatientID */,
    {0x00100021, NULL} /* IssuerOfPatientID */,
    {0x00100030, ""} /* PatientBirthDate */,
    {0x00100040, ""} /* PatientSex */,
    {0x00101010, NULL} /* PatientAge */,
    {0x00101020, NULL} /* PatientSize */,
    {0x00101030, NULL} /* PatientWeight */,
    {0x00120062, NULL} /* PatientIdentityRemoved */,
    {0x00120063, NULL} /* DeidentificationMethod */,
    {0x00120064, NULL},
    {0x00200010, ""} /* StudyID */,
};
const int dcm_n_patient_study = sizeof dcm_patient_study / sizeof *dcm_patient_study;

/* What CT and MR images must say besides (PS3.3 C.8.2.1, C.8.3.1); RM: research mode. */
static const dcm_default ct_only[] = {{0x00180060, ""} /* KVP */, {0x00200012, ""} /* AcquisitionNumber */};
static const dcm_default body[] = {{0x00180015, NULL} /* BodyPartExamined */,
                                   {0x00200060, ""} /* Laterality */};
static const dcm_default mr_only[] = {
    {0x00180020, "RM"} /* ScanningSequence */,
    {0x00180021, "NONE"} /* SequenceVariant */,
    {0x00180022, ""} /* ScanOptions */,
    {0x00180023, ""} /* MRAcquisitionType */,
    {0x00180080, ""} /* RepetitionTime */,
    {0x00180081, ""} /* EchoTime */,
    {0x00180091, ""} /* EchoTrainLength */,
    {0x00180082, NULL} /* InversionTime */,
    {0x00180087, NULL} /* MagneticFieldStrength */,
};

mtm_status dcm_put_equipment(mtm_dicom_builder *b, mtm_error *err)
{
    char version[32];

    snprintf(version, sizeof version, "%d.%d.%d", MTM_VERSION_MAJOR, MTM_VERSION_MINOR, MTM_VERSION_PATCH);
    MTM_TRY(mtm_dicom_put_text(b, 0x00080070, NULL, "microtome", err)); /* Manufacturer */
    MTM_TRY(mtm_dicom_put_text(b, 0x00081090, NULL, "microtome", err)); /* ManufacturerModelName */
    return mtm_dicom_put_text(b, 0x00181020, NULL, version, err);       /* SoftwareVersions */
}

static mtm_status put_series(mtm_dicom_builder *b, const export *x, mtm_error *err)
{
    const mtm_dicom *const like = x->options->like;
    const int64_t number = like ? dcm_i64(like, NULL, 0x00200011, 0) + SERIES_AFTER : 1;

    MTM_TRY(dcm_keep_all(b, like, dcm_patient_study, dcm_n_patient_study, err));
    if (x->options->patient_id)
        MTM_TRY(mtm_dicom_put_text(b, 0x00100020, NULL, x->options->patient_id, err));
    MTM_TRY(mtm_dicom_put_text(b, 0x0020000D, NULL, x->study_uid, err));
    MTM_TRY(mtm_dicom_put_text(b, 0x0020000E, NULL, x->series_uid, err));
    MTM_TRY(mtm_dicom_put_i64(b, 0x00200011, NULL, &number, 1, err));
    MTM_TRY(mtm_dicom_put_text(b, 0x00080060, NULL, x->kind == CT ? "CT" : x->kind == MR ? "MR" : "OT", err));
    if (x->options->description && x->options->description[0])
        MTM_TRY(mtm_dicom_put_text(b, 0x0008103E, NULL, x->options->description, err));
    MTM_TRY(dcm_put_equipment(b, err));
    MTM_TRY(dcm_keep_all(b, like, body, sizeof body / sizeof *body, err));
    if (x->kind == CT)
        MTM_TRY(dcm_keep_all(b, like, ct_only, sizeof ct_only / sizeof *ct_only, err));
    if (x->kind == MR)
        MTM_TRY(dcm_keep_all(b, like, mr_only, sizeof mr_only / sizeof *mr_only, err));
    if (x->kind == CAPTURE)
        return mtm_dicom_put_text(b, 0x00080064, NULL, "WSD", err); /* ConversionType: workstation */
    return keep(b, x, 0x00185100, "", err);                         /* PatientPosition */
}

/* "L\\PH": where a direction points, its greatest parts first (PS3.3 C.7.6.1.1.1). */
static void letters_of(const double v[3], char out[4])
{
    static const double least = 0.25; /* of a cosine, to be named */
    bool used[3] = {false};
    int n = 0;

    for (int k = 0; k < 3; k++) {
        int best = -1;

        for (int i = 0; i < 3; i++)
            if (!used[i] && fabs(v[i]) >= least && (best < 0 || fabs(v[i]) > fabs(v[best])))
                best = i;
        if (best < 0)
            break;
        used[best] = true;
        out[n++] = (v[best] > 0 ? "LPH" : "RAF")[best];
    }
    out[n] = '\0';
}

static mtm_status put_orientation(mtm_dicom_builder *b, const export *x, mtm_error *err)
{
    char row[4] = "", column[4] = "", text[10] = "";

    if (x->has_plane) {
        letters_of(x->row, row);
        letters_of(x->column, column);
        snprintf(text, sizeof text, "%s\\%s", row, column);
    }
    return mtm_dicom_put_text(b, 0x00200020, NULL, text, err);
}

static mtm_status put_plane(mtm_dicom_builder *b, const export *x, int64_t z, mtm_error *err)
{
    const double spacing[2] = {x->spacing[1], x->spacing[0]}; /* between rows, between columns */
    double directions[6], position[3];

    MTM_TRY(put_orientation(b, x, err));
    if (!x->has_plane)
        return MTM_OK;
    for (int r = 0; r < 3; r++) {
        directions[r] = x->row[r], directions[r + 3] = x->column[r];
        position[r] = x->origin[r] + (double)z * x->step[r];
    }
    MTM_TRY(mtm_dicom_put_f64(b, 0x00200032, NULL, position, 3, err));
    MTM_TRY(mtm_dicom_put_f64(b, 0x00200037, NULL, directions, 6, err));
    MTM_TRY(mtm_dicom_put_f64(b, 0x00280030, NULL, spacing, 2, err));
    MTM_TRY(mtm_dicom_put_f64(b, 0x00180050, NULL, &x->spacing[2], 1, err)); /* SliceThickness */
    MTM_TRY(mtm_dicom_put_f64(b, 0x00180088, NULL, &x->spacing[2], 1, err)); /* SpacingBetweenSlices */
    MTM_TRY(mtm_dicom_put_text(b, 0x00200052, NULL, x->frame_uid, err));
    return mtm_dicom_put_text(b, 0x00201040, NULL, "", err); /* PositionReferenceIndicator */
}

static mtm_status put_i64(mtm_dicom_builder *b, uint32_t tag, int64_t v, mtm_error *err)
{
    return mtm_dicom_put_i64(b, tag, NULL, &v, 1, err);
}

static mtm_status put_image(mtm_dicom_builder *b, const export *x, int64_t z, mtm_error *err)
{
    static const char *const types[] = {"DERIVED\\SECONDARY", "DERIVED\\SECONDARY\\AXIAL",
                                        "DERIVED\\SECONDARY\\OTHER"};
    static const char *const classes[] = {SECONDARY_CAPTURE, CT_IMAGE, MR_IMAGE};
    const bool color = x->a->ndim == 4;
    const int bits = x->stored == MTM_U8 ? 8 : 16;
    char uid[SERIES_ROOM];

    MTM_TRY(mtm_dicom_uid_new(uid, x->options->write.uid_root, err));
    MTM_TRY(mtm_dicom_put_text(b, DCM_SOP_CLASS, NULL, classes[x->kind], err));
    MTM_TRY(mtm_dicom_put_text(b, DCM_SOP_INSTANCE, NULL, uid, err));
    MTM_TRY(mtm_dicom_put_text(b, 0x00080008, NULL, types[x->kind], err));
    MTM_TRY(put_i64(b, 0x00200013, z + 1, err));
    MTM_TRY(put_i64(b, 0x00280002, color ? 3 : 1, err));
    MTM_TRY(mtm_dicom_put_text(b, 0x00280004, NULL, color ? "RGB" : "MONOCHROME2", err));
    if (color)
        MTM_TRY(put_i64(b, 0x00280006, 0, err));
    MTM_TRY(put_i64(b, 0x00280010, x->a->shape[1], err));
    MTM_TRY(put_i64(b, 0x00280011, x->a->shape[2], err));
    MTM_TRY(put_i64(b, 0x00280100, bits, err));
    MTM_TRY(put_i64(b, 0x00280101, bits, err));
    MTM_TRY(put_i64(b, 0x00280102, bits - 1, err));
    MTM_TRY(put_i64(b, 0x00280103, x->stored == MTM_I16, err));
    if (!x->rescaled && x->kind != CT)
        return MTM_OK;
    MTM_TRY(mtm_dicom_put_f64(b, 0x00281052, NULL, &x->inter, 1, err));
    MTM_TRY(mtm_dicom_put_f64(b, 0x00281053, NULL, &x->slope, 1, err));
    return keep(b, x, 0x00281054, x->kind == CT ? NULL : "US", err); /* RescaleType; US: unspecified */
}

/* ---- slices ------------------------------------------------------------------------------------------- */

static mtm_status slice_path(const export *x, int64_t z, char path[PATH_ROOM], mtm_error *err)
{
    const int n = snprintf(path, PATH_ROOM, "%s/slice_%05" PRId64 ".dcm", x->folder, z + 1);

    return n < PATH_ROOM ? MTM_OK : mtm_fail(err, MTM_E_INVAL, -1, "the folder's path is too long");
}

static mtm_status slice_build(mtm_dicom **out, const export *x, int64_t z, const mtm_array *values,
                              mtm_error *err)
{
    MTM_AUTO(mtm_dicom_builder) b = NULL;

    MTM_TRY(mtm_dicom_builder_new(&b, err));
    MTM_TRY(put_series(b, x, err));
    MTM_TRY(put_plane(b, x, z, err));
    MTM_TRY(put_image(b, x, z, err));
    MTM_TRY(dcm_put_borrowed(b, DCM_PIXELS, x->stored == MTM_U8 ? "OB" : "OW", values->data,
                             (size_t)mtm_array_count(values) * mtm_dtype_size(x->stored), err));
    return mtm_dicom_build(out, b, err);
}

static mtm_status slice_write(const export *x, int64_t z, mtm_error *err)
{
    const mtm_array from = slice_of(x->a, z);
    MTM_AUTO(mtm_dicom) d = NULL;
    mtm_array values = {0};
    char path[PATH_ROOM];
    mtm_status s;

    MTM_TRY(slice_path(x, z, path, err));
    MTM_TRY(mtm_array_new(&values, x->stored, from.ndim, from.shape, NULL, err));
    s = mtm_array_convert(&values, &from, 1 / x->slope, -x->inter / x->slope, NULL, err);
    if (s == MTM_OK)
        s = slice_build(&d, x, z, &values, err);
    if (s == MTM_OK)
        s = mtm_dicom_write(path, d, &x->options->write, err);
    mtm_array_drop(&values);
    return s;
}

static void slices_write(void *user, int64_t lo, int64_t hi)
{
    export *const x = user;

    for (int64_t z = lo; z < hi; z++) {
        mtm_error err = {0};
        const mtm_status s = slice_write(x, z, &err);

        if (s == MTM_OK)
            continue;
        pthread_mutex_lock(&x->lock);
        if (x->failed < 0 || z < x->failed)
            x->failed = z, x->status = s, x->error = err;
        pthread_mutex_unlock(&x->lock);
    }
}

/* An export that failed leaves nothing. */
static void slices_remove(const export *x)
{
    char path[PATH_ROOM];

    for (int64_t z = 0; z < x->a->shape[0]; z++)
        if (slice_path(x, z, path, NULL) == MTM_OK)
            unlink(path);
}

/* ---- the series --------------------------------------------------------------------------------------- */

static mtm_status folder_make(const char *folder, mtm_error *err)
{
    struct dirent *entry;
    bool empty = true;
    DIR *dir;

    if (mkdir(folder, 0777) && errno != EEXIST)
        return mtm_fail_errno(err, errno, "cannot make the folder");
    dir = opendir(folder);
    if (!dir)
        return mtm_fail_errno(err, errno, "cannot open the folder");
    while (empty && (entry = readdir(dir)))
        empty = entry->d_name[0] == '.';
    closedir(dir);
    if (!empty)
        return mtm_fail(err, MTM_E_CONFLICT, -1,
                        "the folder holds files; a new series wants a folder of its own");
    return MTM_OK;
}

static mtm_status shape_check(const mtm_array *a, mtm_error *err)
{
    const bool color = a->ndim == 4;

    if (a->ndim < 3 || a->ndim > 4 || (color && (a->shape[3] != 3 || a->dtype != MTM_U8)))
        return mtm_fail(err, MTM_E_INVAL, -1, "a series holds [Z, Y, X], [Y, X], or [Z, Y, X, 3] in uint8");
    for (int i = 0; i < 3; i++)
        if (a->shape[i] < 1 || a->shape[i] > (i == 0 ? 99999 : 65535))
            return mtm_fail(err, MTM_E_INVAL, -1, "%" PRId64 " %s are not what a DICOM series can have",
                            a->shape[i],
                            i == 0   ? "slices"
                            : i == 1 ? "rows"
                                     : "columns");
    return MTM_OK;
}

static void kind_choose(export *x)
{
    const mtm_dicom *const like = x->options->like;
    char modality[20] = "";

    if (like)
        dcm_ascii(like, NULL, 0x00080060, modality, sizeof modality);
    if (x->has_plane && x->a->ndim == 3)
        x->kind = !strcmp(modality, "CT") ? CT : !strcmp(modality, "MR") ? MR : CAPTURE;
}

static mtm_status uids_choose(export *x, mtm_error *err)
{
    const mtm_dicom *const like = x->options->like;
    const char *const root = x->options->write.uid_root;

    MTM_TRY(mtm_dicom_uid_new(x->series_uid, root, err));
    if (!like || !dcm_ascii(like, NULL, 0x0020000D, x->study_uid, SERIES_ROOM))
        MTM_TRY(mtm_dicom_uid_new(x->study_uid, root, err));
    if (!like || !dcm_ascii(like, NULL, 0x00200052, x->frame_uid, SERIES_ROOM))
        MTM_TRY(mtm_dicom_uid_new(x->frame_uid, root, err));
    return MTM_OK;
}

mtm_status mtm_dicom_series_write(const char *folder, const mtm_array *a,
                                  const mtm_dicom_series_write_options *opt, mtm_error *err)
{
    static const mtm_dicom_series_write_options standard = {.struct_size = sizeof standard,
                                                            .write.struct_size = sizeof standard.write};
    export x = {
        .options = opt ? opt : &standard, .folder = folder, .failed = -1, .lock = PTHREAD_MUTEX_INITIALIZER};
    mtm_array one = *a;

    if (x.options->struct_size != sizeof standard)
        return mtm_fail(err, MTM_E_INVAL, -1, "mtm_dicom_series_write_options is of another version");
    if (a->ndim == 2) { /* a single slice */
        one.ndim = 3;
        one.shape[0] = 1, one.stride[0] = 0;
        for (int i = 0; i < 2; i++)
            one.shape[i + 1] = a->shape[i], one.stride[i + 1] = a->stride[i];
    }
    x.a = &one;
    MTM_TRY(shape_check(&one, err));
    if (x.options->affine)
        MTM_TRY(plane_find(&x, x.options->affine, err));
    kind_choose(&x);
    MTM_TRY(choose_type(&x, err));
    MTM_TRY(uids_choose(&x, err));
    MTM_TRY(mtm_error_where(err, folder_make(folder, err), folder));
    MTM_TRY(mtm_pool_for(x.options->pool, one.shape[0], 1, slices_write, &x, NULL, err));
    if (x.failed >= 0) {
        slices_remove(&x);
        if (err)
            *err = x.error;
        return x.status;
    }
    if (x.rescaled && x.options->max_error)
        *x.options->max_error = x.slope / 2;
    return MTM_OK;
}
