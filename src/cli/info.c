/* cli/info.c: `microtome info PATH…`: what a picture is.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "cli.h"

/* What a path is besides an image; all NULL: nothing more. */
typedef struct contents {
    mtm_codec_info *stream;
    mtm_dicom *dicom;
} contents;

typedef struct wanted {
    bool json, stats, elements, split;
    const char *series;
} wanted;

static void text_geometry(const mtm_image_info *i)
{
    bool known = i->has_affine;

    for (int k = 0; k < i->ndim; k++)
        known |= i->spacing[k] != 1;
    printf("  spacing  ");
    for (int k = 0; k < i->ndim && known; k++)
        printf("%s%g", k ? " × " : "", i->spacing[k]);
    printf("%s\n", known ? " (mm; T in s)" : "not told");
    for (int r = 0; r < 3 && i->has_affine; r++)
        printf("  %s %10.4f %10.4f %10.4f %10.4f\n", r ? "       " : "affine ", i->affine[4 * r],
               i->affine[4 * r + 1], i->affine[4 * r + 2], i->affine[4 * r + 3]);
}

static void put_line(const char *a, const char *b, const char *c, const char *d)
{
    fputs(a, stdout);
    cli_put(stdout, b);
    fputs(c, stdout);
    cli_put(stdout, d);
    fputc('\n', stdout);
}

static void text_info(const char *path, mtm_image *im)
{
    const mtm_image_info *const i = mtm_image_info_get(im);

    cli_put(stdout, path);
    printf("\n  format   %s, %s\n  shape    ", i->format,
           strcmp(i->codec, "none") ? i->codec : "not compressed");
    for (int k = 0; k < i->ndim; k++)
        printf("%s%" PRId64, k ? " × " : "", i->shape[k]);
    printf("  (%s)\n", i->axes);
    for (int l = 1; l < i->n_levels; l++) {
        mtm_image_level level;

        if (mtm_image_level_get(im, l, &level, NULL))
            continue;
        printf("  level %-2d ", l);
        for (int k = 0; k < i->ndim; k++)
            printf("%s%" PRId64, k ? " × " : "", level.shape[k]);
        printf("  (1 / %g)\n", level.downsample);
    }
    printf("  dtype    %s", mtm_dtype_name(i->stored_dtype));
    if (i->dtype != i->stored_dtype)
        printf(", read as %s: value · %g %s %g", mtm_dtype_name(i->dtype), i->slope, i->inter < 0 ? "−" : "+",
               fabs(i->inter));
    printf("\n");
    text_geometry(i);
    printf("  bytes    %" PRId64 "\n", i->file_bytes);
    for (int64_t k = 0; k < mtm_image_property_count(im); k++) {
        const char *key, *value;

        mtm_image_property_get(im, k, &key, &value);
        put_line("  ", key, " = ", value);
    }
    for (int64_t k = 0; k < mtm_image_problem_count(im); k++)
        put_line("  problem: ", mtm_image_problem_get(im, k), "", "");
}

static void text_stats(const mtm_image_stats *s)
{
    printf("  values   %" PRId64 ", min %g, max %g, mean %g, std %g, non-finite %" PRId64 "\n", s->count,
           s->min, s->max, s->mean, s->std, s->non_finite);
}

static void json_list(const char *key, const double *v, int n)
{
    printf(", \"%s\": [", key);
    for (int k = 0; k < n; k++) {
        fputs(k ? ", " : "", stdout);
        cli_json_number(stdout, v[k]);
    }
    printf("]");
}

static void json_geometry(const mtm_image_info *i)
{
    printf(", \"shape\": [");
    for (int k = 0; k < i->ndim; k++)
        printf("%s%" PRId64, k ? ", " : "", i->shape[k]);
    printf("]");
    json_list("spacing", i->spacing, i->ndim);
    if (!i->has_affine) {
        printf(", \"affine\": null");
        return;
    }
    printf(", \"affine\": [");
    for (int r = 0; r < 4; r++) {
        printf("%s[", r ? ", " : "");
        for (int c = 0; c < 4; c++) {
            fputs(c ? ", " : "", stdout);
            cli_json_number(stdout, i->affine[4 * r + c]);
        }
        printf("]");
    }
    printf("]");
}

static int json_info(const char *path, mtm_image *im, const mtm_image_stats *stats, const contents *c)
{
    const mtm_image_info *const i = mtm_image_info_get(im);
    int code = CLI_OK;

    printf("{\"path\": ");
    cli_json_text(stdout, path);
    printf(", \"format\": \"%s\", \"codec\": \"%s\", \"axes\": \"%s\", \"stored_dtype\": \"%s\", \"dtype\": "
           "\"%s\"",
           i->format, i->codec, i->axes, mtm_dtype_name(i->stored_dtype), mtm_dtype_name(i->dtype));
    json_geometry(i);
    printf(", \"slope\": ");
    cli_json_number(stdout, i->slope);
    printf(", \"inter\": ");
    cli_json_number(stdout, i->inter);
    printf(", \"levels\": %d, \"bytes\": %" PRId64 ", \"non_finite\": %" PRId64, i->n_levels, i->file_bytes,
           stats ? stats->non_finite : 0);
    if (stats) {
        printf(", \"count\": %" PRId64, stats->count);
        json_list("range", (double[]){stats->min, stats->max}, 2);
        json_list("mean_std", (double[]){stats->mean, stats->std}, 2);
    }
    printf(", \"properties\": {");
    for (int64_t k = 0; k < mtm_image_property_count(im); k++) {
        const char *key, *value;

        mtm_image_property_get(im, k, &key, &value);
        fputs(k ? ", " : "", stdout);
        cli_json_text(stdout, key);
        fputs(": ", stdout);
        cli_json_text(stdout, value);
    }
    printf("}, \"level_shapes\": [");
    for (int l = 0; l < i->n_levels; l++) {
        mtm_image_level level = {0};

        (void)mtm_image_level_get(im, l, &level, NULL);
        for (int k = 0; k < i->ndim; k++)
            printf("%s%" PRId64, k ? ", " : l ? ", [" : "[", level.shape[k]);
        printf("]");
    }
    printf("], \"problems\": [");
    for (int64_t k = 0; k < mtm_image_problem_count(im); k++) {
        fputs(k ? ", " : "", stdout);
        cli_json_text(stdout, mtm_image_problem_get(im, k));
    }
    printf("]");
    if (c->stream) {
        printf(", \"codestream\": ");
        cli_codestream_json(c->stream);
    }
    if (c->dicom)
        code = cli_dicom_json(path, c->dicom);
    printf("}");
    return code;
}

static void contents_drop(contents *c)
{
    mtm_codec_info_free(c->stream);
    mtm_dicom_close(c->dicom);
}

/* Parts of a file that is no image here: a stream whose channels have sizes of their own, a DICOM object without pixels. why: what
 * opening it as an image said. */
static int contents_only(const char *path, const contents *c, const wanted *w, const char *why, bool *first)
{
    int code = CLI_OK;

    if (!w->json) {
        put_line("", path, "", "");
        if (c->dicom)
            printf("  format   dicom\n");
        if (c->dicom)
            cli_dicom_text(path, c->dicom);
        if (c->stream)
            cli_codestream_text(c->stream);
        printf("  note     %s\n", why);
        return c->dicom && w->elements ? cli_dicom_elements(path, c->dicom) : CLI_OK;
    }
    printf("%s{\"path\": ", *first ? "" : ",\n ");
    *first = false;
    cli_json_text(stdout, path);
    if (c->dicom) {
        printf(", \"format\": \"dicom\"");
        code = cli_dicom_json(path, c->dicom);
    }
    if (c->stream) {
        printf(", \"codestream\": ");
        cli_codestream_json(c->stream);
    }
    printf(", \"note\": ");
    cli_json_text(stdout, why);
    printf("}");
    return code;
}

/* Integers cannot be non-finite: their voxels are read only when statistics are asked for. */
static bool wants_stats(const mtm_image *im, bool asked, bool json)
{
    return asked || (json && !mtm_dtype_is_integer(mtm_image_info_get(im)->stored_dtype));
}

static int image_show(const char *path, mtm_image *im, const contents *c, const wanted *w, mtm_pool *pool,
                      bool *first)
{
    mtm_read_options read = {.struct_size = sizeof read, .pool = pool};
    const bool count = wants_stats(im, w->stats, w->json);
    mtm_image_stats values;
    mtm_error err = {0};
    int code = CLI_OK;

    if (count && mtm_image_stats_get(im, &read, &values, &err))
        return cli_fail(path, &err);
    if (w->json) {
        fputs(*first ? "" : ",\n ", stdout);
        *first = false;
        return json_info(path, im, count ? &values : NULL, c);
    }
    text_info(path, im);
    if (c->stream)
        cli_codestream_text(c->stream);
    if (count)
        text_stats(&values);
    if (c->dicom && w->elements)
        code = cli_dicom_elements(path, c->dicom);
    return code;
}

/* Every volume of a DICOM folder. */
static int volumes_show(const char *path, const mtm_open_options *open, const wanted *w, mtm_pool *pool,
                        bool *first)
{
    const mtm_dicom_series_options opt = {
        .struct_size = sizeof opt, .open = open, .series_uid = w->series, .split = true, .pool = pool};
    const contents nothing = {0};
    mtm_image **images = NULL;
    mtm_error err = {0};
    int64_t n;
    int code = CLI_OK;

    if (mtm_dicom_series_open(&images, &n, &path, 1, &opt, &err))
        return cli_fail(path, &err);
    for (int64_t i = 0; i < n; i++) {
        const int one = image_show(path, images[i], &nothing, w, pool, first);

        code = one > code ? one : code;
        mtm_image_close(images[i]);
    }
    mtm_dicom_free(images);
    return code;
}

/* *first: no object has been printed yet. */
static int info_one(const char *path, mtm_index *index, const wanted *w, mtm_pool *pool, bool *first)
{
    mtm_open_options open = {.struct_size = sizeof open, .index = index, .pool = pool};
    contents c = {0};
    mtm_error err = {0};
    mtm_image *im;
    int code;

    if (!cli_codestream_read(path, &c.stream))
        (void)cli_dicom_open(path, &c.dicom);
    if (w->split) {
        code = volumes_show(path, &open, w, pool, first);
    } else if (!cli_open(&im, path, w->series, &open, &err)) {
        code = image_show(path, im, &c, w, pool, first);
        mtm_image_close(im);
    } else if (c.dicom && err.code != MTM_E_UNSUPPORTED && cli_dicom_has_pixels(c.dicom)) {
        /* Its pictures cannot be opened, but what it is can be told. */
        (void)contents_only(path, &c, w, err.text, first);
        code = cli_fail(path, &err);
    } else if (c.dicom || (c.stream && err.code == MTM_E_UNSUPPORTED)) {
        code = contents_only(path, &c, w, err.text, first);
    } else {
        code = cli_fail(path, &err);
    }
    contents_drop(&c);
    return code;
}

static int run(int argc, char **argv)
{
    cli_option options[] = {{"json", NULL, "machine-readable: a list with one object per image", NULL},
                            {"stats", NULL, "read the voxels too: range, mean, standard deviation", NULL},
                            {"index", "PATH", "sidecar index to use and fill", NULL},
                            {"elements", NULL, "DICOM: every element with its value", NULL},
                            CLI_SERIES,
                            {"split", NULL, "DICOM: every volume of a folder, or of its series", NULL}};
    const int n = cli_parse(&cli_info, argc, argv, options, sizeof options / sizeof *options);
    const wanted w = {.json = n > 0 && options[0].value,
                      .stats = n > 0 && options[1].value,
                      .elements = n > 0 && options[3].value,
                      .series = n > 0 ? options[4].value : NULL,
                      .split = n > 0 && options[5].value};
    int code = CLI_OK;
    mtm_error err = {0};
    mtm_index *index = NULL;
    mtm_pool *pool = NULL;

    if (n < 0)
        return n == -2 ? CLI_OK : CLI_USAGE;
    if (n == 0)
        return cli_usage(&cli_info, "a path is wanted");
    if (options[2].value && mtm_index_open(&index, options[2].value, &err))
        return cli_fail(options[2].value, &err);
    if (mtm_pool_new(&pool, 0, &err))
        code = cli_fail(NULL, &err);
    bool first = true;
    fputs(w.json ? "[" : "", stdout);
    for (int i = 1; pool && i <= n; i++) {
        const int one = info_one(argv[i], index, &w, pool, &first);
        code = one > code ? one : code;
    }
    fputs(w.json ? "]\n" : "", stdout);
    mtm_pool_free(pool);
    mtm_index_close(index);
    return code;
}

const cli_command cli_info = {
    .name = "info",
    .usage = "info PATH... [--json] [--stats] [--elements]",
    .help = "what it is: format, shape, axes, dtype, spacing, geometry, properties, problems",
    .run = run,
};
