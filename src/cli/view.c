/* cli/view.c: `microtome view PATH`: a PNG montage, three planes, windowed, with a label map over it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "cli.h"

enum { OUT, LABEL, WINDOW, SLICES, SIZE, SERIES, N_OPTIONS };
enum { MOST_SLICES = 32, GAP = 4 /* pixels between cells */ };

/* Colours of label 1, 2, …; beyond the last they repeat. */
static const uint8_t palette[][3] = {
    {230, 162, 60}, {91, 141, 239},  {201, 79, 79},  {88, 179, 104},  {176, 124, 198},
    {63, 184, 175}, {217, 111, 166}, {160, 160, 60}, {120, 120, 220}, {200, 130, 90},
};

typedef struct viewer {
    mtm_pool *pool;
    mtm_exec *x;
    const char *series;     /* of the image; NULL: the only one */
    mtm_array image, label; /* [Z, Y, X] uint8, int32; turned to RAS, isotropic; label.data NULL: none */
} viewer;

typedef struct canvas {
    uint8_t *rgb;
    int64_t height, width;
} canvas;

static mtm_status say(mtm_error *err, mtm_status code, const char *text)
{
    *err = (mtm_error){.code = code, .offset = -1};
    snprintf(err->text, sizeof err->text, "%s", text);
    return code;
}

/* out := op(*a), which is dropped. */
static mtm_status step(viewer *v, mtm_array *a, const char *op, const char *args, mtm_dtype t, double *affine,
                       mtm_error *err)
{
    mtm_array out = {.dtype = t};
    const mtm_status s = cli_op(v->x, op, args, a, affine, &out, err);

    if (s == MTM_OK) {
        mtm_array_drop(a);
        *a = out;
    }
    return s;
}

/* One volume [Z, Y, X] of the file, the first when it holds a series; turned to RAS when it has an affine. */
static mtm_status load(viewer *v, const char *path, const char *series, mtm_dtype t, mtm_array *out,
                       double spacing[3], mtm_error *err)
{
    const mtm_open_options open = {.struct_size = sizeof open, .pool = v->pool};
    mtm_read_options read = {.struct_size = sizeof read, .pool = v->pool};
    const mtm_image_info *info;
    mtm_array a = {.dtype = t};
    double affine[16];
    mtm_box box = {0};
    mtm_image *im;
    mtm_status s;

    if ((s = cli_open(&im, path, series, &open, err)))
        return s;
    info = mtm_image_info_get(im);
    box.ndim = info->ndim;
    for (int i = 0; i < info->ndim; i++)
        box.size[i] = i < info->ndim - 3 ? 1 : info->shape[i];
    if (info->ndim < 3 || info->axes[info->ndim - 1] != 'X')
        s = say(err, MTM_E_UNSUPPORTED, "view shows volumes whose last axes are Z, Y, X");
    else
        s = mtm_image_read(im, 0, &box, &read, &a, err);
    if (s == MTM_OK) {
        for (int i = 0; i < 3; i++)
            a.shape[i] = a.shape[a.ndim - 3 + i], a.stride[i] = a.stride[a.ndim - 3 + i];
        a.ndim = 3;
        memcpy(affine, info->affine, sizeof affine);
        if (info->has_affine)
            s = step(v, &a, "orient", "to=RAS", MTM_NONE, affine, err);
        for (int i = 0; i < 3; i++)
            spacing[i] = info->has_affine
                             ? sqrt(affine[2 - i] * affine[2 - i] + affine[6 - i] * affine[6 - i] +
                                    affine[10 - i] * affine[10 - i])
                             : 1;
    }
    mtm_image_close(im);
    if (s == MTM_OK)
        *out = a;
    else
        mtm_array_drop(&a);
    return s;
}

/* To cubic voxels whose largest extent is `size` pixels. */
static mtm_status to_size(viewer *v, mtm_array *a, const double spacing[3], int size, const char *interp,
                          mtm_error *err)
{
    double mm[3], most = 0;
    char args[160];
    int64_t n[3];

    for (int i = 0; i < 3; i++)
        mm[i] = (double)a->shape[i] * (spacing[i] > 0 ? spacing[i] : 1), most = fmax(most, mm[i]);
    for (int i = 0; i < 3; i++)
        n[i] = llround(fmax(1, mm[i] / most * size));
    snprintf(args, sizeof args, "size=%" PRId64 ",%" PRId64 ",%" PRId64 " interp=%s", n[0], n[1], n[2],
             interp);
    return step(v, a, "resize", args, MTM_NONE, NULL, err);
}

static mtm_status to_gray(viewer *v, const char *window, mtm_error *err)
{
    char args[128];
    double w[2];

    if (!window) {
        const mtm_status s = step(v, &v->image, "clip_percentile", "low=1 high=99.5", MTM_NONE, NULL, err);
        return s ? s : step(v, &v->image, "scale", "low=0 high=255", MTM_U8, NULL, err);
    }
    if (cli_numbers(window, w, 2) != 2 || w[0] >= w[1])
        return say(err, MTM_E_INVAL, "--window wants LOW,HIGH with LOW < HIGH");
    snprintf(args, sizeof args, "center=%.17g width=%.17g function=linear_exact low=0 high=255",
             (w[0] + w[1]) / 2, w[1] - w[0]);
    return step(v, &v->image, "window", args, MTM_U8, NULL, err);
}

static mtm_status prepare(viewer *v, const char *path, const char *label, const char *window, int size,
                          mtm_error *err)
{
    double spacing[3], ignored[3];
    int64_t shape[3];
    mtm_status s;

    if ((s = mtm_pool_new(&v->pool, 0, err)) || (s = mtm_exec_new(&v->x, v->pool, NULL, err)) ||
        (s = load(v, path, v->series, MTM_F32, &v->image, spacing, err)))
        return s;
    memcpy(shape, v->image.shape, sizeof shape);
    if ((s = to_gray(v, window, err)) || (s = to_size(v, &v->image, spacing, size, "linear", err)) || !label)
        return s;
    if ((s = load(v, label, NULL, MTM_I32, &v->label, ignored, err)))
        return s;
    if (memcmp(shape, v->label.shape, sizeof shape))
        return say(err, MTM_E_INVAL, "the label map lies on another grid than the image");
    return to_size(v, &v->label, spacing, size, "nearest", err);
}

/* A voxel's colour: gray, mixed half and half with its label's. */
static void paint(const viewer *v, const int64_t at[3], uint8_t *pixel)
{
    const int64_t *const s = v->image.stride;
    const uint8_t gray = *((const uint8_t *)v->image.data + at[0] * s[0] + at[1] * s[1] + at[2] * s[2]);
    int32_t label = 0;

    if (v->label.data) {
        const int64_t *const t = v->label.stride;
        memcpy(&label, (const char *)v->label.data + at[0] * t[0] + at[1] * t[1] + at[2] * t[2],
               sizeof label);
    }
    for (int c = 0; c < 3; c++) {
        const uint8_t *const colour = palette[(uint32_t)(label - 1) % (sizeof palette / sizeof *palette)];
        pixel[c] = label ? (uint8_t)((gray + colour[c] + 1) / 2) : gray;
    }
}

/* One slice into its cell: `plane` is the axis that stays fixed (0: axial, 1: coronal, 2: sagittal); the row axis runs
 * upwards on screen (anterior, superior). */
static void draw_slice(const viewer *v, const canvas *c, int plane, int64_t slice, int64_t y0, int64_t x0)
{
    const int row_axis = plane == 0 ? 1 : 0, column_axis = plane == 2 ? 1 : 2;
    const int64_t rows = v->image.shape[row_axis], columns = v->image.shape[column_axis];
    int64_t at[3];

    at[plane] = slice;
    for (int64_t y = 0; y < rows; y++)
        for (int64_t x = 0; x < columns; x++) {
            at[row_axis] = rows - 1 - y, at[column_axis] = x;
            paint(v, at, c->rgb + ((y0 + y) * c->width + x0 + x) * 3);
        }
}

/* Three rows (axial, coronal, sagittal) of n slices, evenly spaced over the middle four fifths. */
static mtm_status montage(const viewer *v, canvas *c, int n, mtm_error *err)
{
    const int64_t *const s = v->image.shape;
    const int64_t cell_h[3] = {s[1], s[0], s[0]}, cell_w = (s[2] > s[1] ? s[2] : s[1]) + GAP;
    int64_t y0 = GAP;

    c->width = GAP + n * cell_w;
    c->height = GAP * 4 + cell_h[0] + cell_h[1] + cell_h[2];
    c->rgb = calloc((size_t)(c->width * c->height), 3);
    if (!c->rgb)
        return say(err, MTM_E_NOMEM, "out of memory");
    for (int plane = 0; plane < 3; plane++) {
        const int64_t width = s[plane == 2 ? 1 : 2];

        for (int i = 0; i < n; i++) {
            const double part = n == 1 ? 0.5 : 0.1 + 0.8 * i / (n - 1);
            draw_slice(v, c, plane, (int64_t)(part * (double)(s[plane] - 1) + 0.5), y0,
                       GAP + i * cell_w + (cell_w - GAP - width) / 2);
        }
        y0 += cell_h[plane] + GAP;
    }
    return MTM_OK;
}

static mtm_status write_png(const char *path, const canvas *c, mtm_error *err)
{
    const mtm_write_options options = {.struct_size = sizeof options, .format = "png"};
    const mtm_array a = mtm_array_wrap(c->rgb, MTM_U8, 3, (int64_t[]){c->height, c->width, 3});

    return mtm_image_write(path, &a, &options, err);
}

/* Colours of 16 bits (palettes of DICOM) by their upper bytes. */
static mtm_status upper_bytes(mtm_array *a, mtm_error *err)
{
    const uint16_t *const from = a->data;
    const int64_t n = mtm_array_count(a);
    mtm_array out = {0};
    const mtm_status s = mtm_array_new(&out, MTM_U8, a->ndim, a->shape, NULL, err);

    for (int64_t i = 0; i < n && s == MTM_OK; i++)
        ((uint8_t *)out.data)[i] = (uint8_t)(from[i] >> 8);
    if (s == MTM_OK) {
        mtm_array_drop(a);
        *a = out;
    }
    return s;
}

/* The one slice of a volume as a picture. */
static void drop_slice(mtm_array *a, const mtm_image_info *info)
{
    if (info->axes[0] != 'Z' || !a->data)
        return;
    a->ndim--;
    memmove(a->shape, a->shape + 1, (size_t)a->ndim * sizeof *a->shape);
    memmove(a->stride, a->stride + 1, (size_t)a->ndim * sizeof *a->stride);
}

/* A picture [Y, X] or [Y, X, C], or a volume's only slice: its coarsest resolution whose larger side is at least `size`. */
static mtm_status thumbnail(viewer *v, mtm_image *im, const char *window, int size, mtm_array *out,
                            mtm_error *err)
{
    const mtm_image_info *const info = mtm_image_info_get(im);
    mtm_read_options read = {.struct_size = sizeof read, .pool = v->pool};
    mtm_image_level l;
    int level = info->n_levels;
    mtm_status s;

    do {
        if ((s = mtm_image_level_get(im, --level, &l, err)))
            return s;
    } while (level > 0 && l.shape[0] < size && l.shape[1] < size);
    const bool colour = info->axes[info->ndim - 1] == 'C';
    if (colour && (info->dtype == MTM_U8 || info->dtype == MTM_U16)) {
        if (!(s = mtm_image_read(im, level, NULL, &read, out, err)) && out->dtype == MTM_U16)
            s = upper_bytes(out, err);
        drop_slice(out, info);
        return s;
    }
    if (colour)
        return say(err, MTM_E_UNSUPPORTED, "view shows colours of 8 and 16 bits");
    v->image.dtype = MTM_F32;
    if ((s = mtm_image_read(im, level, NULL, &read, &v->image, err)) || (s = to_gray(v, window, err)))
        return s;
    *out = v->image, v->image = (mtm_array){0};
    drop_slice(out, info);
    return MTM_OK;
}

/* Draws a picture that is no volume, or a volume of one slice that is shown alone, without a label map; *done false: it is none. */
static mtm_status view_picture(viewer *v, const char *path, const char *out, const char *window, int size,
                               bool alone, bool *done, mtm_error *err)
{
    const mtm_write_options png = {.struct_size = sizeof png, .format = "png"};
    mtm_array a = {0};
    mtm_image *im;
    mtm_status s = cli_open(&im, path, v->series, NULL, err);

    if (s)
        return s;
    const mtm_image_info *const info = mtm_image_info_get(im);
    *done = info->axes[0] == 'Y' || (alone && info->axes[0] == 'Z' && info->shape[0] == 1);
    if (*done && !(s = mtm_pool_new(&v->pool, 0, err)) && !(s = mtm_exec_new(&v->x, v->pool, NULL, err)) &&
        !(s = thumbnail(v, im, window, size, &a, err)) && !(s = mtm_image_write(out, &a, &png, err)))
        printf("%s: %" PRId64 " × %" PRId64 " pixels\n", out, a.shape[1], a.shape[0]);
    mtm_array_drop(&a);
    mtm_image_close(im);
    return s;
}

static int run(int argc, char **argv)
{
    cli_option o[N_OPTIONS] = {
        [OUT] = {"out", "FILE.png", "where to write; default view.png", NULL},
        [LABEL] = {"label", "PATH", "a label map on the same grid, drawn over the image", NULL},
        [WINDOW] = {"window", "LOW,HIGH", "gray values; default the 1st to the 99.5th percentile", NULL},
        [SLICES] = {"slices", "N", "of each plane, 1 to 32; default 5", NULL},
        [SIZE] = {"size", "PIXELS", "the largest extent of the volume; default 256", NULL},
        [SERIES] = CLI_SERIES,
    };
    const int places = cli_parse(&cli_view, argc, argv, o, N_OPTIONS);
    const char *const out = o[OUT].value ? o[OUT].value : "view.png";
    mtm_error err = {0};
    viewer v = {0};
    canvas c = {0};
    int code = CLI_OK, n, size;
    bool picture = false;

    if (places < 0)
        return places == -2 ? CLI_OK : CLI_USAGE;
    if (places != 1)
        return cli_usage(&cli_view, "one path is wanted");
    if (!cli_int(&cli_view, &o[SLICES], 1, MOST_SLICES, 5, &n) ||
        !cli_int(&cli_view, &o[SIZE], 8, 4096, 256, &size))
        return CLI_USAGE;
    v.series = o[SERIES].value;
    if (view_picture(&v, argv[1], out, o[WINDOW].value, size, !o[LABEL].value, &picture, &err))
        code = cli_fail(err.where[0] ? NULL : argv[1], &err);
    else if (picture)
        code = CLI_OK;
    else if (prepare(&v, argv[1], o[LABEL].value, o[WINDOW].value, size, &err) || montage(&v, &c, n, &err))
        code = cli_fail(argv[1], &err);
    else if (write_png(out, &c, &err))
        code = cli_fail(out, &err);
    else
        printf("%s: %" PRId64 " × %" PRId64
               " pixels; rows: axial, coronal, sagittal; left of the picture is the patient's left\n",
               out, c.width, c.height);
    free(c.rgb);
    mtm_array_drop(&v.image);
    mtm_array_drop(&v.label);
    mtm_exec_free(v.x);
    mtm_pool_free(v.pool);
    return code;
}

const cli_command cli_view = {
    .name = "view",
    .usage = "view PATH [--out FILE.png] [--label PATH]",
    .help = "a PNG montage of slices: three planes, windowed, a label map over it; of a picture or one "
            "slice, itself",
    .run = run,
};
