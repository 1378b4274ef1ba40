/* cli/convert.c: `microtome convert IN OUT`: any readable image to NIfTI, .npy, PNG, a codestream or a series of DICOM.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

enum {
    LEVEL,
    BOX,
    DTYPE,
    SPACING,
    ORIENT,
    INTERP,
    EXTENT,
    ANTIALIAS,
    FORMAT,
    COMPRESSION,
    RAW,
    SERIES,
    LIKE,
    QUANTIZE,
    DESCRIPTION,
    PATIENT_ID,
    SYNTAX,
    ROOT,
    QUIET,
    N_OPTIONS
};

typedef struct job { /* one conversion; pictures are dropped by job_end */
    mtm_image *im;
    mtm_array a;
    double affine[16];
    bool has_affine;
    mtm_pool *pool;
    mtm_exec *x;
} job;

static void job_end(job *j)
{
    mtm_array_drop(&j->a);
    mtm_exec_free(j->x);
    mtm_pool_free(j->pool);
    mtm_image_close(j->im);
}

/* Replaces the picture by what an operator makes of it. */
static mtm_status apply(job *j, const char *op, const char *args, mtm_error *err)
{
    mtm_array out = {0};
    const mtm_status s = cli_op(j->x, op, args, &j->a, j->has_affine ? j->affine : NULL, &out, err);

    if (s == MTM_OK) {
        mtm_array_drop(&j->a);
        j->a = out;
    }
    return s;
}

/* The affine of a box: its first voxel becomes the origin. Axes of the array end with Z, Y, X, or Y, X, C. */
static void move_origin(job *j, const mtm_image_info *info, const mtm_box *box)
{
    for (int i = 0; i < info->ndim; i++) {
        const char *const spatial = strchr("XYZ", info->axes[i]);

        for (int r = 0; spatial && info->axes[i] && r < 3; r++)
            j->affine[4 * r + 3] += j->affine[4 * r + (spatial - "XYZ")] * (double)box->start[i];
    }
}

static mtm_status load(job *j, const char *path, cli_option *o, int level, mtm_error *err)
{
    mtm_read_options read = {.struct_size = sizeof read, .raw = o[RAW].value != NULL};
    mtm_open_options open = {.struct_size = sizeof open};
    mtm_image_level at;
    mtm_image_info info;
    mtm_box box;
    mtm_status s;

    if ((s = mtm_pool_new(&j->pool, 0, err)) || (s = mtm_exec_new(&j->x, j->pool, NULL, err)))
        return s;
    open.pool = j->pool;
    if ((s = cli_open(&j->im, path, o[SERIES].value, &open, err)))
        return s;
    if ((s = mtm_image_level_get(j->im, level, &at, err)))
        return s;
    info = *mtm_image_info_get(j->im);
    memcpy(info.shape, at.shape, sizeof info.shape);
    j->has_affine = info.has_affine;
    memcpy(j->affine, info.affine, sizeof j->affine);
    if (o[BOX].value && !cli_box(o[BOX].value, &info, &box))
        return cli_bad(err, "--box %.80s is no box of this image", o[BOX].value);
    if (o[BOX].value)
        move_origin(j, &info, &box);
    read.pool = j->pool;
    return mtm_image_read(j->im, level, o[BOX].value ? &box : NULL, &read, &j->a, err);
}

static mtm_status geometry(job *j, cli_option *o, mtm_error *err)
{
    char args[256];
    mtm_status s = MTM_OK;

    if (o[ORIENT].value) {
        snprintf(args, sizeof args, "to=%s", o[ORIENT].value);
        s = apply(j, "orient", args, err);
    }
    if (s == MTM_OK && o[SPACING].value) {
        snprintf(args, sizeof args, "to=%.80s interp=%.30s extent=%.30s antialias=%s", o[SPACING].value,
                 o[INTERP].value ? o[INTERP].value : "linear", o[EXTENT].value ? o[EXTENT].value : "centres",
                 o[ANTIALIAS].value ? "true" : "false");
        s = apply(j, "spacing", args, err);
    }
    return s;
}

/* To the wanted dtype; PNG takes 8 bits, so that other values are first stretched to 0 … 255. */
static mtm_status convert(job *j, cli_option *o, bool png, mtm_error *err)
{
    mtm_dtype to = o[DTYPE].value ? mtm_dtype_parse(o[DTYPE].value) : MTM_NONE;
    mtm_array out = {0};
    mtm_status s;

    if (o[DTYPE].value && to == MTM_NONE) {
        *err = (mtm_error){.code = MTM_E_INVAL, .offset = -1};
        snprintf(err->text, sizeof err->text, "--dtype %.40s is no dtype; NumPy's names are meant",
                 o[DTYPE].value);
        return err->code;
    }
    if (png && to == MTM_NONE && j->a.dtype != MTM_U8) {
        if ((s = apply(j, "scale", "low=0 high=255", err)))
            return s;
        to = MTM_U8;
    }
    if (to == MTM_NONE || to == j->a.dtype)
        return MTM_OK;
    if ((s = mtm_array_new(&out, to, j->a.ndim, j->a.shape, NULL, err)))
        return s;
    if ((s = mtm_array_convert(&out, &j->a, 1, 0, j->pool, err))) {
        mtm_array_drop(&out);
        return s;
    }
    mtm_array_drop(&j->a);
    j->a = out;
    return MTM_OK;
}

/* PNG holds one plane: axes of one voxel are dropped. */
static void squeeze(mtm_array *a)
{
    int32_t n = 0;

    for (int32_t i = 0; i < a->ndim; i++)
        if (a->shape[i] != 1 || a->ndim - i <= 2 - n)
            a->shape[n] = a->shape[i], a->stride[n] = a->stride[i], n++;
    a->ndim = n;
}

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), k = strlen(end);

    return n >= k && !strcmp(s + n - k, end);
}

/* ---- DICOM --------------------------------------------------------------------------------------------- */

/* A picture [Y, X, C] is one slice. */
static void add_slice_axis(mtm_array *a, const char *axes)
{
    if (strcmp(axes, "YXC"))
        return;
    for (int i = 3; i > 0; i--)
        a->shape[i] = a->shape[i - 1], a->stride[i] = a->stride[i - 1];
    a->shape[0] = 1;
    a->ndim = 4;
}

static mtm_status write_series(job *j, const char *folder, const cli_option *o, mtm_error *err)
{
    const mtm_dicom_options header = {.struct_size = sizeof header, .stop_at_pixels = true};
    double error = 0;
    mtm_dicom_series_write_options w = {
        .struct_size = sizeof w,
        .affine = j->has_affine ? j->affine : NULL,
        .description = o[DESCRIPTION].value,
        .patient_id = o[PATIENT_ID].value,
        .quantize = o[QUANTIZE].value != NULL,
        .max_error = &error,
        .pool = j->pool,
        .write = {.struct_size = sizeof w.write,
                  .transfer_syntax = o[SYNTAX].value,
                  .uid_root = o[ROOT].value},
    };
    mtm_dicom *like = NULL;
    mtm_status s = MTM_OK;

    if (o[LIKE].value && (s = mtm_dicom_open(&like, o[LIKE].value, &header, err)))
        return s;
    w.like = like;
    add_slice_axis(&j->a, mtm_image_info_get(j->im)->axes);
    s = mtm_dicom_series_write(folder, &j->a, &w, err);
    if (s == MTM_OK && error > 0 && !o[QUIET].value)
        fprintf(stderr, "microtome: %s: values were rounded, by %g at most\n", folder, error);
    mtm_dicom_close(like);
    return s;
}

static bool for_dicom_only(const cli_option *o)
{
    return o[LIKE].value || o[QUANTIZE].value || o[DESCRIPTION].value || o[PATIENT_ID].value ||
           o[SYNTAX].value || o[ROOT].value;
}

/* -------------------------------------------------------------------------------------------------------- */

static int run(int argc, char **argv)
{
    cli_option o[N_OPTIONS] = {
        [LEVEL] = {"level", "N", "resolution level to read; 0 is the finest", NULL},
        [BOX] = {"box", "Z0:Z1,Y0:Y1,X0:X1", "only this box, half open, in voxels", NULL},
        [DTYPE] = {"dtype", "NAME", "NumPy's name: uint8, int16, float32, ...", NULL},
        [SPACING] = {"spacing", "Z,Y,X", "resample to this spacing, mm, array order; one number: isotropic",
                     NULL},
        [ORIENT] = {"orient", "RAS", "turn the axes: where x, y and z point to", NULL},
        [INTERP] = {"interp", "NAME",
                    "of --spacing: nearest (label maps), linear (default), cubic (B-spline)", NULL},
        [EXTENT] = {"extent", "NAME", "of --spacing: keeps first voxel centres (centres) or field_of_view",
                    NULL},
        [ANTIALIAS] = {"antialias", NULL, "of --spacing: smooth where the image shrinks (linear)", NULL},
        [FORMAT] =
            {"format", "NAME",
             "nifti, npy, png, j2c, jph, ..., whatever OUT's ending; dicom: OUT is a new folder, a file "
             "per slice",
             NULL},
        [COMPRESSION] = {"compression", "N", "deflate level of .nii.gz, 1 to 12; default 6", NULL},
        [RAW] = {"raw", NULL, "stored values, without slope and intercept", NULL},
        [SERIES] = CLI_SERIES,
        [LIKE] = {"like", "FILE", "of dicom: patient, study and frame of reference, and CT or MR, from it",
                  NULL},
        [QUANTIZE] = {"quantize", NULL, "of dicom: round values that 16 bits do not hold to 65536 steps",
                      NULL},
        [DESCRIPTION] = {"description", "TEXT", "of dicom: SeriesDescription", NULL},
        [PATIENT_ID] = {"patient-id", "TEXT", "of dicom: PatientID", NULL},
        [SYNTAX] = {"syntax", "NAME",
                    "of dicom: transfer syntax; without --format: of a DICOM file or folder IN", NULL},
        [ROOT] = {"uid-root", "ROOT", "of dicom: of new UIDs, with its last dot; default 2.25.", NULL},
        [QUIET] = {"quiet", NULL, "no word of values that were rounded", NULL},
    };

    if (cli_deidentify_wanted(argc, argv))
        return cli_deidentify(argc, argv);
    if (cli_transcode_wanted(argc, argv))
        return cli_transcode(argc, argv);
    const int n = cli_parse(&cli_convert, argc, argv, o, N_OPTIONS);
    mtm_write_options write = {.struct_size = sizeof write, .format = o[FORMAT].value};
    mtm_error err = {0};
    job j = {0};
    int level;
    mtm_status s;

    if (n < 0)
        return n == -2 ? CLI_OK : CLI_USAGE;
    if (n != 2)
        return cli_usage(&cli_convert, "IN and OUT are wanted");
    if (!cli_int(&cli_convert, &o[LEVEL], 0, 1000, 0, &level) ||
        !cli_int(&cli_convert, &o[COMPRESSION], 1, 12, 0, &write.level))
        return CLI_USAGE;
    const bool dicom = write.format && !strcmp(write.format, "dicom");
    if (for_dicom_only(o) && !dicom)
        return cli_usage(&cli_convert, "--like, --quantize, --description, --patient-id, --syntax and "
                                       "--uid-root belong to --format dicom");
    if (!write.format && ends_with(argv[2], ".dcm"))
        return cli_usage(&cli_convert,
                         "DICOM files become others with --syntax NAME or --deidentify; a volume becomes a "
                         "folder of slices with --format dicom");
    const bool png = write.format ? !strcmp(write.format, "png") : ends_with(argv[2], ".png");
    if ((s = load(&j, argv[1], o, level, &err)) || (s = geometry(&j, o, &err)) ||
        (s = convert(&j, o, png, &err))) {
        job_end(&j);
        return cli_fail(argv[1], &err);
    }
    if (dicom) {
        s = write_series(&j, argv[2], o, &err);
        job_end(&j);
        return s ? cli_fail(argv[2], &err) : CLI_OK;
    }
    write.affine = j.has_affine ? j.affine : NULL;
    write.axes = mtm_image_info_get(j.im)->axes;
    write.like = j.im;
    if (png)
        squeeze(&j.a), write.axes = NULL, write.like = NULL;
    s = mtm_image_write(argv[2], &j.a, &write, &err);
    job_end(&j);
    return s ? cli_fail(argv[2], &err) : CLI_OK;
}

const cli_command cli_convert = {
    .name = "convert",
    .usage = "convert IN OUT [options]",
    .help =
        "any readable image to .nii, .nii.gz, .npy, .png, .j2c, .jph, .j2k, .jp2; or to a DICOM series\n\n"
        "IN is a file, or the folder of a DICOM series. Two forms make DICOM files of DICOM files, with "
        "options\n"
        "of their own: --syntax NAME (another transfer syntax) and --deidentify (without the patient); see\n"
        "microtome convert --syntax NAME --help and microtome convert --deidentify --help.",
    .run = run,
};
